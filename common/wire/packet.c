// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES  8
#define TCP_BYTES  20
#define ICMP_BYTES 8
#define TTL_OURS   64
/* More than RFC 8200 4.1 recommends anyone to send; a longer chain only keeps a decoder busy. */
#define EXTENSIONS_MAX 8
/* RFC 1812 4.3.2.3; RFC 4443 2.4 (c): headers and all */
#define ERROR_IPV4_BYTES 576
#define ERROR_IPV6_BYTES 1280
/* RFC 4884 5.3: a quote that is followed by extensions is padded to this at least */
#define QUOTE_BEFORE_EXTENSIONS 128
/* RFC 1812 4.3.2.5: errors of a router have precedence 6, internetwork control */
#define TOS_ERROR   0xc0
#define TOS_SERVICE 0x1e

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
};

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_INFORMATION = 128, /* smaller ones are errors (RFC 4443 2.1) */
	ICMP6_ECHO = 128,
	ICMP6_REPLY = 129,
	ICMP6_REDIR = 137,
};

enum ipv4_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LOOSE_ROUTE = 131,
	OPTION_STRICT_ROUTE = 137,
};

/* --- decoding --- */

static void read_address(struct reader *r, enum family family, struct endpoint *out)
{
	out->family = family;
	reader_copy(r, out->address, endpoint_address_length(family));
}

/* Nothing behind what the packet says is its length; only a quoted one may have lost its end. */
static bool take_length(struct reader *r, size_t total, bool quoted, struct packet *out)
{
	out->cut_off = total > r->length;
	if (!out->cut_off)
		r->length = total;
	out->length = r->length;
	return quoted || !out->cut_off;
}

/*
 * Whether an option routes the packet on from its destination: then the checksum of what it carries
 * is over another address (RFC 9293 3.1), and we leave it alone.
 */
static bool is_source_routed(struct span options)
{
	struct reader r = reader_over(options.data, options.length);

	while (reader_left(&r)) {
		uint8_t type = reader_u8(&r), length, pointer;

		if (type == OPTION_END)
			return false;
		if (type == OPTION_NOP)
			continue;
		length = reader_u8(&r);
		if (length < 2)
			return false;
		if (type == OPTION_LOOSE_ROUTE || type == OPTION_STRICT_ROUTE) {
			pointer = reader_u8(&r);
			return !r.failed && pointer <= length;
		}
		reader_skip(&r, length - 2u);
	}
	return false;
}

static int decode_ipv4(struct reader *r, bool quoted, struct packet *out, bool *opaque)
{
	size_t header = (reader_u8(r) & 15u) * 4u, total;
	uint16_t fragment;

	reader_skip(r, 1);
	total = reader_u16(r);
	out->fragment_id = reader_u16(r);
	fragment = reader_u16(r);
	out->ttl = reader_u8(r);
	out->ip_protocol = reader_u8(r);
	reader_skip(r, 2);
	read_address(r, FAMILY_IPV4, &out->source);
	read_address(r, FAMILY_IPV4, &out->destination);
	if (header < IPV4_BYTES)
		return -EBADMSG;
	*opaque = is_source_routed(reader_span(r, header - IPV4_BYTES));
	if (quoted && total < header) /* systems have quoted the length as they had changed it */
		total = PACKET_BYTES_MAX;
	if (r->failed || total < header || !take_length(r, total, quoted, out))
		return -EBADMSG;
	out->dont_fragment = fragment & 0x4000;
	out->more_fragments = fragment & 0x2000;
	out->fragment_offset = (fragment & 0x1fffu) * 8u;
	return 0;
}

/* The fragment header: nothing behind it counts unless it is the first fragment. */
static void take_fragment(struct reader *r, struct packet *out)
{
	uint16_t offset;

	out->ip_protocol = reader_u8(r);
	reader_skip(r, 1);
	offset = reader_u16(r);
	out->fragment_id = reader_u32(r);
	out->fragment_offset = offset & 0xfff8u;
	out->more_fragments = offset & 1;
}

/*
 * One extension header that only has to be skipped; false where it is none or, with segments left,
 * one that sends the packet on from its destination.
 */
static bool take_extension(struct reader *r, struct packet *out)
{
	struct reader ahead = *r;
	uint8_t next = reader_u8(&ahead), units = reader_u8(&ahead), segments;

	reader_skip(&ahead, 1);
	segments = reader_u8(&ahead);
	reader_skip(&ahead, 4 + units * (size_t)8);
	if (out->ip_protocol == IPPROTO_ROUTING && segments && !ahead.failed)
		return false;
	out->ip_protocol = next;
	*r = ahead;
	return true;
}

/* Up to the transport header (RFC 8200 4); false when the chain is cut off or too long. */
static bool take_chain(struct reader *r, struct packet *out)
{
	bool fragment = false;

	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		switch (out->ip_protocol) {
		case IPPROTO_HOPOPTS:
			if (i) /* first or not at all (RFC 8200 4.1) */
				return true;
			take_extension(r, out);
			break;
		case IPPROTO_ROUTING:
			if (!take_extension(r, out))
				return true;
			break;
		case IPPROTO_DSTOPTS:
			take_extension(r, out);
			break;
		case IPPROTO_FRAGMENT:
			if (fragment)
				return true;
			take_fragment(r, out);
			fragment = true;
			if (out->fragment_offset)
				return !r->failed;
			break;
		default:
			return !r->failed;
		}
		if (r->failed)
			return false;
	}
	return false;
}

static int decode_ipv6(struct reader *r, bool quoted, struct packet *out, bool *opaque)
{
	size_t total;

	reader_skip(r, 4);
	total = IPV6_BYTES + (size_t)reader_u16(r);
	out->ip_protocol = reader_u8(r);
	out->ttl = reader_u8(r);
	out->dont_fragment = true;
	read_address(r, FAMILY_IPV6, &out->source);
	read_address(r, FAMILY_IPV6, &out->destination);
	if (r->failed || !take_length(r, total, quoted, out))
		return -EBADMSG;
	*opaque = !take_chain(r, out);
	return *opaque && !quoted ? -EBADMSG : 0;
}

static bool decode_udp(struct reader *r, bool quoted, struct packet *out)
{
	size_t length;

	out->source.port = reader_u16(r);
	out->destination.port = reader_u16(r);
	length = reader_u16(r);
	reader_skip(r, 2);
	if (r->failed)
		return false;
	out->protocol = PACKET_UDP;
	out->payload_length = reader_left(r);
	if (length >= UDP_BYTES && length - UDP_BYTES <= out->payload_length) {
		out->payload_length = length - UDP_BYTES;
		return true;
	}
	return quoted || (length >= UDP_BYTES && out->more_fragments);
}

static bool decode_tcp(struct reader *r, bool quoted, struct packet *out)
{
	uint8_t offset;

	out->source.port = reader_u16(r);
	out->destination.port = reader_u16(r);
	out->sequence = reader_u32(r);
	if (r->failed)
		return false;
	out->protocol = PACKET_TCP;
	if (quoted && reader_left(r) < TCP_BYTES - 8) { /* often no more than this is quoted */
		reader_skip(r, reader_left(r));
		out->payload_length = 0;
		return true;
	}
	out->acknowledgment = reader_u32(r);
	offset = reader_u8(r) >> 4;
	out->flags = reader_u8(r);
	out->window = reader_u16(r);
	reader_skip(r, 4);
	if (offset >= 5 && reader_left(r) >= offset * 4u - TCP_BYTES)
		reader_skip(r, offset * 4u - TCP_BYTES);
	else if (quoted)
		reader_skip(r, reader_left(r));
	else
		return false;
	out->payload_length = reader_left(r);
	return !r->failed;
}

static bool is_icmp(const struct packet *p)
{
	return p->ip_protocol == (p->family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static enum packet_protocol icmp_protocol(enum family family, uint8_t type)
{
	if (family == FAMILY_IPV4)
		switch (type) {
		case ICMP_ECHO_REPLY:
		case ICMP_ECHO_REQUEST:
			return PACKET_ECHO;
		case ICMP_UNREACHABLE:
		case ICMP_SOURCE_QUENCH:
		case ICMP_REDIRECT:
		case ICMP_TIME_EXCEEDED:
		case ICMP_PARAMETER:
			return PACKET_ERROR;
		default:
			return PACKET_OTHER;
		}
	if (type == ICMP6_ECHO || type == ICMP6_REPLY)
		return PACKET_ECHO;
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER ? PACKET_ERROR : PACKET_OTHER;
}

static bool decode_icmp(struct reader *r, bool quoted, struct packet *out)
{
	uint16_t identifier;

	out->type = reader_u8(r);
	out->code = reader_u8(r);
	reader_skip(r, 2);
	identifier = reader_u16(r);
	reader_skip(r, 2);
	if (r->failed)
		return false;
	out->protocol = icmp_protocol(out->family, out->type);
	out->payload_length = reader_left(r);
	if (out->protocol == PACKET_ECHO) {
		out->source.port = out->destination.port = identifier;
		out->echo_reply = out->type == ICMP_ECHO_REPLY || out->type == ICMP6_REPLY;
	} else if (out->protocol == PACKET_ERROR && !quoted && reader_left(r)) {
		out->quoted = r->position;
	}
	return true;
}

/* What a header has told that turned out to be cut off. */
static void forget_transport(struct packet *p)
{
	p->protocol = PACKET_OTHER;
	p->source.port = p->destination.port = 0;
	p->type = p->code = 0;
	p->sequence = 0;
	p->payload = p->transport;
	p->payload_length = p->length - p->payload;
}

static int decode_transport(struct reader *r, bool quoted, bool opaque, struct packet *out)
{
	bool whole = true;

	out->transport = r->position;
	forget_transport(out);
	if (out->fragment_offset) {
		out->protocol = PACKET_FRAGMENT;
		return 0;
	}
	if (opaque)
		return 0;
	if (out->ip_protocol == IPPROTO_UDP)
		whole = decode_udp(r, quoted, out);
	else if (out->ip_protocol == IPPROTO_TCP)
		whole = decode_tcp(r, quoted, out);
	else if (is_icmp(out))
		whole = decode_icmp(r, quoted, out);
	if (whole)
		out->payload = r->position;
	else
		forget_transport(out);
	return whole || quoted ? 0 : -EBADMSG;
}

/* A fragment behind what any packet holds when it is put together again: the "ping of death". */
static bool is_too_far(const struct reader *r, const struct packet *p)
{
	size_t headers = p->family == FAMILY_IPV4 ? r->position : 0;

	return p->fragment_offset + headers + reader_left(r) > PACKET_BYTES_MAX;
}

static int decode(void *bytes, size_t length, bool quoted, struct packet *out)
{
	struct reader r = reader_over(bytes, length), first = r;
	uint8_t version = reader_u8(&first) >> 4;
	bool opaque;
	int err;

	memset(out, 0, sizeof(*out));
	out->bytes = bytes;
	if (version != FAMILY_IPV4 && version != FAMILY_IPV6)
		return -EBADMSG;
	out->family = (enum family)version;
	err = version == FAMILY_IPV4 ? decode_ipv4(&r, quoted, out, &opaque)
				     : decode_ipv6(&r, quoted, out, &opaque);
	if (err)
		return err;
	if (!quoted && is_too_far(&r, out))
		return -EBADMSG;
	return decode_transport(&r, quoted, opaque, out);
}

int packet_decode(void *bytes, size_t length, struct packet *out)
{
	return decode(bytes, length, false, out);
}

int packet_decode_cut(void *bytes, size_t length, struct packet *out)
{
	int err = decode(bytes, length, true, out);

	if (!err && out->protocol == PACKET_ERROR && out->payload < out->length)
		out->quoted = out->payload;
	return err;
}

/* Whether extensions may follow what an error quotes, and its header says where (RFC 4884 4). */
static bool may_have_extensions(enum family family, uint8_t type)
{
	if (family == FAMILY_IPV6)
		return type == ICMP6_UNREACHABLE || type == ICMP6_TIME_EXCEEDED;
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

/* Bytes of the quote. Senders that know no extensions leave zeros or anything in their place. */
static size_t quote_length(const struct packet *error)
{
	size_t there = error->length - error->quoted, said = 0;

	if (may_have_extensions(error->family, error->type))
		said = error->family == FAMILY_IPV4
			? error->bytes[error->transport + 5] * (size_t)4
			: error->bytes[error->transport + 4] * (size_t)8;
	return said >= QUOTE_BEFORE_EXTENSIONS && said < there ? said : there;
}

int packet_decode_quoted(const struct packet *error, struct packet *out)
{
	memset(out, 0, sizeof(*out));
	if (!error->quoted)
		return -EBADMSG;
	return decode(&error->bytes[error->quoted], quote_length(error), true, out);
}

struct span packet_tcp_options(const struct packet *p)
{
	size_t at = p->transport + TCP_BYTES;

	if (p->protocol != PACKET_TCP || p->payload < at)
		return (struct span){0};
	return (struct span){&p->bytes[at], p->payload - at};
}

/* --- checksums --- */

static uint16_t word_at(const struct packet *p, size_t at)
{
	return (uint16_t)(p->bytes[at] << 8 | p->bytes[at + 1]);
}

/* Where the checksum of the transport header is; 0: nowhere, or not quoted. */
static size_t checksum_at(const struct packet *p)
{
	size_t at = p->transport;

	if (p->payload == p->transport)
		return 0;
	if (p->ip_protocol == IPPROTO_UDP)
		at += 6;
	else if (p->ip_protocol == IPPROTO_TCP)
		at += 16;
	else
		at += 2;
	return at + 2 <= p->length ? at : 0;
}

static size_t addresses_at(enum family family)
{
	return family == FAMILY_IPV4 ? 12 : 8;
}

/* The sum over the pseudo header (RFC 9293 3.1, RFC 8200 8.1) of a packet with so many bytes of transport. */
static uint16_t pseudo_sum(const struct packet *p, size_t length)
{
	uint32_t sum = checksum_sum(
		&p->bytes[addresses_at(p->family)], 2 * endpoint_address_length(p->family));

	return checksum_fold(sum + (uint32_t)length + p->ip_protocol);
}

/* The sum of what a transport checksum is over, pseudo header too. */
static uint16_t transport_sum(const struct packet *p, size_t length)
{
	uint32_t sum = checksum_sum(&p->bytes[p->transport], length);

	if (p->ip_protocol != IPPROTO_ICMP)
		sum += pseudo_sum(p, length);
	return checksum_fold(sum);
}

/* RFC 1071 1: the sum is zero, of which there are two. The positive one takes zeros alone. */
static bool sum_is_right(uint16_t sum)
{
	return sum == 0 || sum == UINT16_MAX;
}

bool packet_checksums_right(const struct packet *p)
{
	size_t at = checksum_at(p);
	size_t length = p->payload - p->transport + p->payload_length;

	if (p->family == FAMILY_IPV4 &&
		!sum_is_right(checksum_sum(p->bytes, (p->bytes[0] & 15u) * 4u)))
		return false;
	if (!at)
		return true;
	/* RFC 8200 8.1: over IPv6 it must not be left out */
	if (p->protocol == PACKET_UDP && !word_at(p, at))
		return p->family == FAMILY_IPV4;
	if (p->cut_off || p->more_fragments)
		return true;
	return sum_is_right(transport_sum(p, length));
}

bool packet_checksum_pending(const struct packet *p)
{
	size_t at = checksum_at(p), length = p->payload - p->transport + p->payload_length;

	return at && p->ip_protocol != IPPROTO_ICMP && !p->cut_off && !p->more_fragments &&
		word_at(p, at) == pseudo_sum(p, length);
}

/* --- changing: what returns a number returns the change of the sum over the packet --- */

static uint32_t put_word(struct packet *p, size_t at, uint16_t to)
{
	uint32_t change = checksum_change(word_at(p, at), to);

	p->bytes[at] = (uint8_t)(to >> 8);
	p->bytes[at + 1] = (uint8_t)to;
	return change;
}

/*
 * Whether a checksum that comes out as 0 is sent as the other zero: with UDP, where 0 means none,
 * and where there are only zeros, since receivers look for the sum that is all ones.
 */
static bool is_zero_written_as_ones(const struct packet *p)
{
	if (p->ip_protocol == IPPROTO_ICMP)
		return !checksum_sum(&p->bytes[p->transport], p->length - p->transport);
	return p->protocol == PACKET_UDP;
}

/* The checksum of the transport header, with all that is special about it. */
static uint32_t adjust_transport(struct packet *p, uint32_t changes)
{
	size_t at = checksum_at(p);
	uint16_t field;

	if (!at)
		return 0;
	field = word_at(p, at);
	if (p->protocol == PACKET_UDP && !field) /* there is none (RFC 768) */
		return 0;
	field = checksum_adjust(field, changes);
	changes = put_word(p, at, field);
	if (!field && is_zero_written_as_ones(p))
		changes += put_word(p, at, UINT16_MAX);
	return changes;
}

static uint32_t change_address(
	struct packet *p, size_t at, struct endpoint *own, const struct endpoint *e)
{
	size_t length = endpoint_address_length(p->family);
	uint32_t changes = 0;

	memmove(own->address, e->address, length); /* it may be the packet's own */
	own->scope = e->scope;
	for (size_t i = 0; i < length; i += 2)
		changes += put_word(p, at + i, (uint16_t)(e->address[i] << 8 | e->address[i + 1]));
	return changes;
}

static uint32_t change_port(struct packet *p, bool source, uint16_t port)
{
	if (p->protocol == PACKET_ECHO) {
		p->source.port = p->destination.port = port;
		return put_word(p, p->transport + 4, port);
	}
	if (p->protocol != PACKET_UDP && p->protocol != PACKET_TCP)
		return 0;
	if (source)
		p->source.port = port;
	else
		p->destination.port = port;
	return put_word(p, p->transport + (source ? 0 : 2), port);
}

static uint32_t change_endpoint(struct packet *p, bool source, const struct endpoint *e)
{
	struct endpoint *own = source ? &p->source : &p->destination;
	size_t at = addresses_at(p->family);
	uint32_t address, port, all;

	if (e->family != p->family)
		return 0;
	if (!source)
		at += endpoint_address_length(p->family);
	address = change_address(p, at, own, e);
	port = change_port(p, source, e->port);
	all = address + port;
	if (p->family == FAMILY_IPV4)
		all += put_word(p, 10, checksum_adjust(word_at(p, 10), address));
	if (p->ip_protocol != IPPROTO_ICMP) /* which has no pseudo header */
		port += address;
	return all + adjust_transport(p, port);
}

void packet_set_source(struct packet *p, const struct endpoint *e)
{
	change_endpoint(p, true, e);
}

void packet_set_destination(struct packet *p, const struct endpoint *e)
{
	change_endpoint(p, false, e);
}

static void change_quoted(struct packet *error, bool source, const struct endpoint *e)
{
	struct packet quoted;

	if (!packet_decode_quoted(error, &quoted))
		adjust_transport(error, change_endpoint(&quoted, source, e));
}

void packet_set_quoted_source(struct packet *error, const struct endpoint *e)
{
	change_quoted(error, true, e);
}

void packet_set_quoted_destination(struct packet *error, const struct endpoint *e)
{
	change_quoted(error, false, e);
}

static uint32_t change_number(struct packet *p, size_t at, uint32_t to)
{
	return put_word(p, at, (uint16_t)(to >> 16)) + put_word(p, at + 2, (uint16_t)to);
}

void packet_set_numbers(struct packet *p, uint32_t sequence, uint32_t acknowledgment)
{
	uint32_t changes;

	if (p->protocol != PACKET_TCP)
		return;
	p->sequence = sequence;
	p->acknowledgment = acknowledgment;
	changes = change_number(p, p->transport + 4, sequence);
	changes += change_number(p, p->transport + 8, acknowledgment);
	adjust_transport(p, changes);
}

void packet_set_quoted_sequence(struct packet *error, uint32_t sequence)
{
	struct packet quoted;
	uint32_t changes;

	if (packet_decode_quoted(error, &quoted) || quoted.protocol != PACKET_TCP)
		return;
	changes = change_number(&quoted, quoted.transport + 4, sequence);
	adjust_transport(error, changes + adjust_transport(&quoted, changes));
}

uint16_t packet_checksum(const struct packet *p)
{
	size_t at = checksum_at(p);

	return at ? word_at(p, at) : 0;
}

void packet_set_quoted_checksum(struct packet *error, uint16_t value)
{
	struct packet quoted;
	size_t at;

	if (packet_decode_quoted(error, &quoted))
		return;
	at = checksum_at(&quoted);
	if (at)
		adjust_transport(error, put_word(&quoted, at, value));
}

bool packet_take_hop(struct packet *p)
{
	uint32_t change;

	if (p->ttl <= 1)
		return false;
	p->ttl--;
	if (p->family == FAMILY_IPV6) { /* whose header has no checksum */
		p->bytes[7] = p->ttl;
		return true;
	}
	change = put_word(p, 8, (uint16_t)(p->ttl << 8 | p->bytes[9]));
	put_word(p, 10, checksum_adjust(word_at(p, 10), change));
	return true;
}

static void replace(struct packet *p, size_t at, const void *bytes, size_t length)
{
	struct reader r = reader_over(bytes, length);
	uint32_t changes = 0;

	for (; reader_left(&r); at++) {
		uint8_t to = reader_u8(&r);
		unsigned shift = at & 1 ? 0 : 8; /* headers have an even length */

		changes +=
			checksum_change((uint16_t)(p->bytes[at] << shift), (uint16_t)(to << shift));
		changes = checksum_fold(changes);
		p->bytes[at] = to;
	}
	adjust_transport(p, changes);
}

void packet_replace_payload(struct packet *p, size_t offset, const void *bytes, size_t length)
{
	if (offset <= p->payload_length && length <= p->payload_length - offset)
		replace(p, p->payload + offset, bytes, length);
}

void packet_replace_options(struct packet *p, size_t offset, const void *bytes, size_t length)
{
	size_t room = packet_tcp_options(p).length;

	if (offset <= room && length <= room - offset)
		replace(p, p->transport + TCP_BYTES + offset, bytes, length);
}

/* --- building --- */

struct frame {
	const struct endpoint *from, *to;
	uint8_t ttl, tos, ip_protocol;
	size_t header, payload; /* bytes of what follows the IP header */
};

static int write_ip(struct writer *w, const struct frame *f)
{
	size_t address = endpoint_address_length(f->from->family);
	size_t header = f->from->family == FAMILY_IPV4 ? IPV4_BYTES : IPV6_BYTES;
	size_t length = f->header + f->payload;

	if (!address || f->from->family != f->to->family)
		return -EINVAL;
	if (f->payload > PACKET_BYTES_MAX - header - f->header)
		return -EMSGSIZE;
	if (f->from->family == FAMILY_IPV4) {
		writer_u8(w, FAMILY_IPV4 << 4 | IPV4_BYTES / 4);
		writer_u8(w, f->tos);
		writer_u16(w, (uint16_t)(header + length));
		writer_u32(w, 0x4000); /* no ID, as RFC 6864 4.1 allows with DF */
		writer_u8(w, f->ttl);
		writer_u8(w, f->ip_protocol);
		writer_u16(w, 0);
	} else {
		writer_u32(w, (uint32_t)FAMILY_IPV6 << 28 | (uint32_t)f->tos << 20);
		writer_u16(w, (uint16_t)length);
		writer_u8(w, f->ip_protocol);
		writer_u8(w, f->ttl);
	}
	writer_bytes(w, f->from->address, address);
	writer_bytes(w, f->to->address, address);
	return 0;
}

/* Fills in the checksums of what was written with zeros in their place. */
static int end_packet(struct writer *w)
{
	struct packet p;
	uint16_t field;

	if (w->failed)
		return -EMSGSIZE;
	if (packet_decode(w->data, w->position, &p))
		return -EINVAL;
	if (p.family == FAMILY_IPV4)
		put_word(&p, 10, (uint16_t)~checksum_sum(p.bytes, IPV4_BYTES));
	field = (uint16_t)~transport_sum(&p, p.length - p.transport);
	if (p.protocol == PACKET_UDP && !field)
		field = UINT16_MAX;
	put_word(&p, checksum_at(&p), field);
	return (int)p.length;
}

int packet_build_udp(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, const void *payload, size_t length)
{
	struct writer w = writer_over(buffer, size);
	struct frame f = {from, to, ttl, 0, IPPROTO_UDP, UDP_BYTES, length};
	int err = write_ip(&w, &f);

	if (err)
		return err;
	writer_u16(&w, from->port);
	writer_u16(&w, to->port);
	writer_u16(&w, (uint16_t)(UDP_BYTES + length));
	writer_u16(&w, 0);
	writer_bytes(&w, payload, length);
	return end_packet(&w);
}

int packet_build_tcp(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, const struct packet_tcp *tcp, const void *payload,
	size_t length)
{
	struct writer w = writer_over(buffer, size);
	struct frame f = {from, to, ttl, 0, IPPROTO_TCP, TCP_BYTES, length};
	int err = write_ip(&w, &f);

	if (err)
		return err;
	writer_u16(&w, from->port);
	writer_u16(&w, to->port);
	writer_u32(&w, tcp->sequence);
	writer_u32(&w, tcp->acknowledgment);
	writer_u8(&w, TCP_BYTES / 4 << 4);
	writer_u8(&w, tcp->flags);
	writer_u16(&w, tcp->window);
	writer_u32(&w, 0); /* checksum, urgent pointer */
	writer_bytes(&w, payload, length);
	return end_packet(&w);
}

/* An ICMP or ICMPv6 packet: both have four bytes of their own behind the checksum. */
static int build_icmp(struct writer *w, struct frame *f, uint8_t type, uint8_t code, uint32_t rest,
	struct span payload)
{
	int err;

	f->ip_protocol = f->from->family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	f->header = ICMP_BYTES;
	f->payload = payload.length;
	err = write_ip(w, f);
	if (err)
		return err;
	writer_u8(w, type);
	writer_u8(w, code);
	writer_u16(w, 0);
	writer_u32(w, rest);
	writer_bytes(w, payload.data, payload.length);
	return end_packet(w);
}

int packet_build_echo(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, bool reply, uint16_t sequence, const void *payload,
	size_t length)
{
	struct writer w = writer_over(buffer, size);
	struct frame f = {.from = from, .to = to, .ttl = ttl};
	uint8_t type = from->family == FAMILY_IPV4 ? (reply ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST)
						   : (reply ? ICMP6_REPLY : ICMP6_ECHO);

	return build_icmp(&w, &f, type, 0, (uint32_t)from->port << 16 | sequence,
		(struct span){payload, length});
}

/* Whether an address means one host: not this network, a group, a broadcast or class E. */
static bool is_one_host(const struct endpoint *e)
{
	struct endpoint address = *e;

	address.port = 1; /* any */
	return endpoint_is_unicast(&address);
}

/* Whether no ICMP error may be sent about it at all (RFC 1122 3.2.2, RFC 4443 2.4 e). */
static bool is_unanswerable(const struct packet *p)
{
	if (!is_one_host(&p->source) || endpoint_is_loopback(&p->source))
		return true;
	if (p->family == FAMILY_IPV4 && p->fragment_offset)
		return true;
	if (!is_icmp(p))
		return false;
	if (p->payload == p->transport) /* it may be an error */
		return true;
	if (p->protocol == PACKET_ERROR)
		return true;
	return p->family == FAMILY_IPV6 && (p->type < ICMP6_INFORMATION || p->type == ICMP6_REDIR);
}

/* A group may be told what its members have to know (RFC 4443 2.4 e.3); over IPv4 nothing. */
static bool is_for_groups(enum family family, uint8_t type, uint8_t code)
{
	return family == FAMILY_IPV6 &&
		(type == ICMP6_TOO_BIG || (type == ICMP6_PARAMETER && code == 2));
}

int packet_build_error(void *buffer, size_t size, const struct endpoint *from,
	const struct packet *cause, uint8_t type, uint8_t code, uint16_t mtu)
{
	bool v4 = cause->family == FAMILY_IPV4;
	struct writer w = writer_over(buffer, size);
	struct frame f = {.from = from, .to = &cause->source, .ttl = TTL_OURS};
	size_t room = v4 ? ERROR_IPV4_BYTES - IPV4_BYTES - ICMP_BYTES
			 : ERROR_IPV6_BYTES - IPV6_BYTES - ICMP_BYTES;
	struct span quote = {cause->bytes, cause->length < room ? cause->length : room};

	if (icmp_protocol(cause->family, type) != PACKET_ERROR)
		return -EINVAL;
	if (v4) /* RFC 1812 4.3.2.5: the service of its cause, with a higher precedence */
		f.tos = TOS_ERROR | (cause->bytes[1] & TOS_SERVICE);
	if (is_unanswerable(cause))
		return -ENOENT;
	if (!is_one_host(&cause->destination) && !is_for_groups(cause->family, type, code))
		return -ENOENT;
	return build_icmp(&w, &f, type, code, mtu, quote);
}

int packet_build_reset(void *buffer, size_t size, const struct packet *cause, uint8_t ttl)
{
	struct packet_tcp tcp = {.flags = PACKET_RST};

	if (cause->protocol != PACKET_TCP || cause->flags & PACKET_RST || cause->cut_off ||
		cause->more_fragments || !is_one_host(&cause->source) ||
		!is_one_host(&cause->destination))
		return -ENOENT;
	if (cause->flags & PACKET_ACK) {
		tcp.sequence = cause->acknowledgment;
	} else {
		tcp.acknowledgment = cause->sequence + (uint32_t)cause->payload_length +
			!!(cause->flags & PACKET_SYN) + !!(cause->flags & PACKET_FIN);
		tcp.flags |= PACKET_ACK;
	}
	return packet_build_tcp(
		buffer, size, &cause->destination, &cause->source, ttl, &tcp, NULL, 0);
}
