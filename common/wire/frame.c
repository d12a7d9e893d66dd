// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "wire/frame.h"

#define COUNT(a)	   (sizeof(a) / sizeof(*(a)))

#define IPV4_BYTES	   20
#define IPV6_BYTES	   40
#define ETHERNET_ADDRESSES 12
#define TAGS_MAX	   2
#define SLL_ADDRESS	   10 /* with its length */
#define SLL2_ADDRESS	   9
#define ARPHRD_LOOPBACK	   772

enum ethertype {
	TYPE_IPV4 = 0x0800,
	TYPE_TAG = 0x8100, /* 802.1Q */
	TYPE_IPV6 = 0x86dd,
	TYPE_PPPOE = 0x8864,
	TYPE_SERVICE_TAG = 0x88a8, /* 802.1ad */
	TYPE_OLD_SERVICE_TAG = 0x9100, /* the same before it was standardized */
};

enum ppp_protocol { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057 };

/* Packet types of Linux cooked frames. */
enum sll_type { SLL_HOST = 0, SLL_BROADCAST = 1, SLL_MULTICAST = 2, SLL_OUTGOING = 4 };

/* --- the packet --- */

/*
 * By its header, 0: malformed. What a network card is to cut up may be longer than the field can say; Linux then
 * leaves 0 there (BIG TCP, since 5.19 and 6.3): it ends with the frame.
 */
static size_t ipv4_length(struct reader *r, size_t here)
{
	size_t header = (reader_u8(r) & 15u) * 4u, total;

	reader_skip(r, 1);
	total = reader_u16(r);
	if (header < IPV4_BYTES)
		return 0;
	reader_skip(r, header - 4);
	if (!total)
		return here;
	return total >= header ? total : 0;
}

static size_t ipv6_length(struct reader *r, size_t here)
{
	size_t payload;
	uint8_t next;

	reader_skip(r, 4);
	payload = reader_u16(r);
	next = reader_u8(r);
	reader_skip(r, IPV6_BYTES - 7);
	if (!payload && !next) /* a jumbogram (RFC 2675 3), as BIG TCP makes them */
		return here;
	return IPV6_BYTES + payload;
}

/* The rest as a packet of this version; 0: of either. */
static int take_packet(struct reader *r, unsigned version, struct frame *out)
{
	struct span rest = reader_span(r, reader_left(r));
	struct reader ip = reader_over(rest.data, rest.length), ahead = ip;
	unsigned first = reader_u8(&ahead) >> 4;
	size_t length;

	if (r->failed || (version && version != first))
		return -EBADMSG;
	if (first == 4)
		length = ipv4_length(&ip, rest.length);
	else if (first == 6)
		length = ipv6_length(&ip, rest.length);
	else
		return -EBADMSG;
	if (ip.failed || !length)
		return -EBADMSG;
	out->length = length;
	out->cut_off = length > rest.length;
	out->packet = (struct span){rest.data, out->cut_off ? rest.length : length};
	return 0;
}

/* --- what stands before it --- */

/* RFC 2516 4: the session stage has code 0; the length says no more than that of the packet. */
static int take_pppoe(struct reader *r, struct frame *out)
{
	uint8_t version_type = reader_u8(r), code = reader_u8(r);
	uint16_t protocol;

	reader_skip(r, 4); /* session, length */
	protocol = reader_u16(r);
	if (r->failed || version_type != 0x11 || code)
		return -EBADMSG;
	if (protocol == PPP_IPV4)
		return take_packet(r, 4, out);
	if (protocol == PPP_IPV6)
		return take_packet(r, 6, out);
	return -EAFNOSUPPORT;
}

static bool is_tag(uint16_t type)
{
	return type == TYPE_TAG || type == TYPE_SERVICE_TAG || type == TYPE_OLD_SERVICE_TAG;
}

static int take_typed(struct reader *r, uint16_t type, struct frame *out)
{
	for (int tags = 0; tags < TAGS_MAX && is_tag(type); tags++) {
		reader_skip(r, 2);
		type = reader_u16(r);
	}
	if (r->failed)
		return -EBADMSG;
	switch (type) {
	case TYPE_IPV4:
		return take_packet(r, 4, out);
	case TYPE_IPV6:
		return take_packet(r, 6, out);
	case TYPE_PPPOE:
		return take_pppoe(r, out);
	default:
		return -EAFNOSUPPORT;
	}
}

static int take_ethernet(struct reader *r, struct frame *out)
{
	reader_skip(r, ETHERNET_ADDRESSES);
	return take_typed(r, reader_u16(r), out);
}

/* Families are small numbers, so that either order is recognized. */
static int take_family(struct reader *r, struct frame *out)
{
	uint32_t family = reader_u32(r);

	if (r->failed)
		return -EBADMSG;
	if (family > UINT16_MAX)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return take_packet(r, 4, out);
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return take_packet(r, 6, out);
	default:
		return -EAFNOSUPPORT;
	}
}

static int take_raw(struct reader *r, struct frame *out)
{
	return take_packet(r, 0, out);
}

static int take_ipv4(struct reader *r, struct frame *out)
{
	return take_packet(r, 4, out);
}

static int take_ipv6(struct reader *r, struct frame *out)
{
	return take_packet(r, 6, out);
}

/*
 * What goes over loopback leaves and comes in at once; libpcap shows it coming in. What is for another host was seen
 * going by.
 */
static enum pcapng_direction direction_of(unsigned packet_type, unsigned device)
{
	if (device == ARPHRD_LOOPBACK)
		return PCAPNG_INBOUND;
	switch (packet_type) {
	case SLL_HOST:
	case SLL_BROADCAST:
	case SLL_MULTICAST:
		return PCAPNG_INBOUND;
	case SLL_OUTGOING:
		return PCAPNG_OUTBOUND;
	default:
		return PCAPNG_UNKNOWN;
	}
}

static int take_sll(struct reader *r, struct frame *out)
{
	uint16_t packet_type = reader_u16(r), device = reader_u16(r);

	out->direction = direction_of(packet_type, device);
	reader_skip(r, SLL_ADDRESS);
	return take_typed(r, reader_u16(r), out);
}

static int take_sll2(struct reader *r, struct frame *out)
{
	uint16_t type = reader_u16(r), device;

	reader_skip(r, 2);
	out->interface = reader_u32(r);
	device = reader_u16(r);
	out->direction = direction_of(reader_u8(r), device);
	reader_skip(r, SLL2_ADDRESS);
	return take_typed(r, type, out);
}

int frame_decode(unsigned link_type, struct span bytes, struct frame *out)
{
	static const struct {
		enum frame_link link;
		int (*take)(struct reader *r, struct frame *out);
	} links[] = {
		{FRAME_NULL, take_family},
		{FRAME_ETHERNET, take_ethernet},
		{FRAME_RAW_BSD, take_raw},
		{FRAME_RAW_OPENBSD, take_raw},
		{FRAME_RAW, take_raw},
		{FRAME_LOOP, take_family},
		{FRAME_SLL, take_sll},
		{FRAME_IPV4, take_ipv4},
		{FRAME_IPV6, take_ipv6},
		{FRAME_SLL2, take_sll2},
	};
	struct reader r = reader_over(bytes.data, bytes.length);

	*out = (struct frame){0};
	for (size_t i = 0; i < COUNT(links); i++)
		if (links[i].link == link_type)
			return links[i].take(&r, out);
	return -ENOTSUP;
}
