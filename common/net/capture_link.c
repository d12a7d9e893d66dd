// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "net/capture_link.h"

#define IPV4_BYTES_MIN 20
#define IPV6_BYTES     40

/*
 * SLL2: protocol (2), 0 (2), interface (4), kind of hardware (2), kind of packet (1), length (1) and address (8)
 * SLL: kind of packet (2), kind of hardware (2), length (2) and address (8), protocol (2)
 */
static unsigned read_sll2(struct reader *r, unsigned *interface, unsigned *kind)
{
	unsigned protocol = reader_u16(r);

	reader_skip(r, 2);
	*interface = reader_u32(r);
	reader_skip(r, 2);
	*kind = reader_u8(r);
	reader_skip(r, 9);
	return protocol;
}

static unsigned read_sll(struct reader *r, unsigned *interface, unsigned *kind)
{
	*interface = 0;
	*kind = reader_u16(r);
	reader_skip(r, 12);
	return reader_u16(r);
}

/*
 * The length of the packet by its IP header: small frames are padded (IEEE 802.3 3.2.8). A length of 0 is one that does not
 * fit (RFC 2675; segmentation offload): then all of it is the packet. 0: this is no IP header.
 */
static size_t length_of(unsigned protocol, struct reader *r, size_t whole_bytes)
{
	bool four = protocol == ETH_P_IP;
	size_t length, least = four ? IPV4_BYTES_MIN : IPV6_BYTES;
	uint8_t first = reader_u8(r);

	reader_skip(r, four ? 1 : 3);
	length = reader_u16(r);
	if (r->failed || first >> 4 != (four ? 4 : 6) ||
		(four && (first & 15) * 4 < IPV4_BYTES_MIN))
		return 0;
	if (length == 0)
		return whole_bytes < least ? 0 : whole_bytes;
	if (!four)
		length += IPV6_BYTES;
	return length < least || length > whole_bytes ? 0 : length;
}

int capture_link_decode(
	enum capture_link link, struct span frame, size_t whole_bytes, struct capture_packet *out)
{
	struct reader r = reader_over(frame.data, frame.length), ip;
	unsigned kind,
		protocol = link == CAPTURE_SLL2 ? read_sll2(&r, &out->interface, &kind)
						: read_sll(&r, &out->interface, &kind);
	size_t left;

	if (r.failed || whole_bytes < frame.length)
		return -EBADMSG;
	if ((protocol != ETH_P_IP && protocol != ETH_P_IPV6) || kind == PACKET_OTHERHOST)
		return -EAFNOSUPPORT;
	left = reader_left(&r);
	out->packet = reader_span(&r, left);
	ip = reader_over(out->packet.data, left);
	out->length = length_of(protocol, &ip, whole_bytes - (frame.length - left));
	if (!out->length)
		return -EBADMSG;
	if (out->packet.length > out->length)
		out->packet.length = out->length;
	out->direction = kind == PACKET_OUTGOING ? CAPTURE_OUT : CAPTURE_IN;
	return 0;
}
