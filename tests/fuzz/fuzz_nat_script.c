// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_nat_script.h"
#include "wire/checksum.h"
#include "wire/syn.h"

#define RAW_MAX	    200
#define PAYLOAD_MAX 80

unsigned script_take(struct script *s, unsigned bound)
{
	return reader_u8(&s->r) % bound;
}

/* --- config --- */

static uint64_t take_time(struct script *s)
{
	static const uint64_t some[] = {
		0, 1, 999, 1000000, 2000000, 30000000, 3600000000, UINT64_MAX};

	return some[script_take(s, 8)];
}

/* Few ports, so that they run out. */
static void take_ports(struct script *s, struct nat_ports *p, uint8_t flags)
{
	p->allocation = (enum nat_allocation)script_take(s, 3);
	p->collision = (enum nat_collision)script_take(s, 4);
	p->low = (uint16_t)(script_take(s, 4) * 1000);
	p->high = (uint16_t)(p->low + script_take(s, 256));
	p->step = (int)script_take(s, 9) - 4;
	p->block = (uint16_t)(flags & 1 ? script_take(s, 32) : 0);
	p->parity = flags & 2;
	p->contiguous = flags & 4;
	p->classes = flags & 8;
}

static void take_behaviour(struct script *s, struct nat_behaviour *b)
{
	uint8_t flags = reader_u8(&s->r);

	b->mapping = (enum nat_dependence)script_take(s, 4);
	b->filtering = (enum nat_dependence)script_take(s, 4);
	b->hairpin = (enum nat_hairpin)script_take(s, 3);
	b->unsolicited = (enum nat_unsolicited)script_take(s, 5);
	b->blacklist_us = 1 + take_time(s) / 2;
	b->icmp_code = (uint8_t)script_take(s, 16);
	take_ports(s, &b->ports, flags);
	b->lifetimes.refresh_outbound = flags & 16;
	b->lifetimes.refresh_inbound = flags & 32;
	b->unfiltered = flags & 64;
	b->blocked = (flags & 0xc0) == 0x80 && script_take(s, 4) == 3;
	b->blocked_icmp_code = (uint8_t)script_take(s, 14);
	b->lifetimes.one_way_us = take_time(s);
	b->lifetimes.both_ways_us = take_time(s);
	b->lifetimes.closing_us = take_time(s);
	b->lifetimes.settle_us = script_take(s, 2) ? take_time(s) : 0;
}

static void take_behaviours(struct script *s)
{
	struct nat_behaviour *b = s->config.behaviour;
	bool alike = script_take(s, 2);

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		if (t && alike)
			b[t] = b[0];
		else
			take_behaviour(s, &b[t]);
	}
}

static struct endpoint address(const char *text)
{
	struct endpoint e;

	require(!endpoint_parse(text, 0, &e));
	return e;
}

static void take_addresses(struct script *s)
{
	struct nat_config *c = &s->config;
	unsigned hosts = script_take(s, 8);

	c->external_count = script_take(s, 5);
	c->external[0] = address("192.0.2.1");
	c->external[1] = address("2001:db8:1::1");
	c->external[2] = address("192.0.2.2");
	c->external[3] = address("2001:db8:1::2");
	if (hosts & 1)
		c->hosts[0] = address("10.0.0.3");
	if (hosts & 2)
		c->hosts[2] = address(hosts & 4 ? "10.0.0.3" : "10.0.0.4");
	if (script_take(s, 4)) {
		c->inside = address("10.0.0.1");
		c->inside6 = address("fd00:1:0:1::1");
	}
	c->prefix_inside = address("fd00:1:0:1::");
	c->prefix_outside = address("2001:db8:1::");
	c->prefix_bits = (uint8_t)(8 + script_take(s, 57));
}

static void take_tcp(struct script *s, struct nat_tcp *tcp)
{
	uint8_t flags = reader_u8(&s->r);

	tcp->simultaneous_open = flags & 1;
	tcp->strict_sequence = flags & 2;
	tcp->reset_ends_at_once = flags & 4;
	tcp->pick_up = flags & 8;
	tcp->syn_silence_us = flags & 16 ? take_time(s) : 0;
	for (int i = 0; i < NAT_TCP_STATES; i++)
		tcp->state_us[i] = flags & 32 ? take_time(s) : 0;
	s->config.syn.mss = flags & 64 ? 536 : 0;
	s->config.syn.strip = flags & 64 ? SYN_TIMESTAMPS | SYN_SACK : 0;
	s->config.syn.renumber = flags & 128;
}

static void take_limits(struct script *s, struct nat_limits *l)
{
	uint8_t flags = reader_u8(&s->r);

	l->mappings = 1 + script_take(s, ENTRIES_MAX);
	l->sessions = 1 + script_take(s, ENTRIES_MAX);
	l->evict_oldest = flags & 1;
	l->tell = flags & 2;
	l->new_per_second = flags & 4 ? script_take(s, 20) : 0;
}

void script_config(struct script *s)
{
	struct nat_config *c = &s->config;
	uint8_t flags = reader_u8(&s->r);

	c->translation =
		(enum nat_translation)(script_take(s, 8) < 4 ? NAT_PORTS : script_take(s, 4));
	take_behaviours(s);
	take_tcp(s, &c->tcp);
	take_limits(s, &c->limits);
	take_addresses(s);
	c->fragments = (enum nat_fragments)script_take(s, 3);
	c->ipv6_untranslated = flags & 1;
	c->errors.inward = flags & 2;
	c->errors.untracked_outward = flags & 4;
	c->errors.end_mapping = flags & 8;
	c->echo_inward = flags & 16;
	c->pooling_arbitrary = flags & 32;
	c->alg = flags & 64;
	c->keep_ttl = flags & 128;
}

/* --- packets, few endpoints, so that they meet --- */

static struct endpoint inside_endpoint(struct script *s, bool v6)
{
	struct endpoint e = address(v6 ? "fd00:1:0:1::" : "10.0.0.0");

	e.address[v6 ? 15 : 3] = (uint8_t)(1 + script_take(s, 4));
	e.port = (uint16_t)(1000 * script_take(s, 4) + script_take(s, 8));
	return e;
}

static struct endpoint remote_endpoint(struct script *s, bool v6)
{
	struct endpoint e = address(v6 ? "2001:db8:ffff::" : "198.51.100.0");

	e.address[v6 ? 15 : 3] = (uint8_t)(1 + script_take(s, 3));
	e.port = (uint16_t)(1 + script_take(s, 4));
	return e;
}

/* Where something may be mapped: what was seen last, or near to it. */
static struct endpoint external_endpoint(struct script *s, bool v6)
{
	struct endpoint e = s->external;
	unsigned how = script_take(s, 4);

	if (how == 3 || (e.family == FAMILY_IPV6) != v6) {
		e = s->config.external[(v6 ? 1 : 0) + (how & 1 ? 2 : 0)];
		e.port = (uint16_t)(1000 * script_take(s, 4) + script_take(s, 256));
	} else if (how == 2) {
		e.port = (uint16_t)(e.port + script_take(s, 3));
	}
	return e;
}

static void put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static size_t take_payload(struct script *s, uint8_t payload[static PAYLOAD_MAX])
{
	size_t length = script_take(s, 2) ? script_take(s, PAYLOAD_MAX) : 0;

	memset(payload, 0, PAYLOAD_MAX);
	reader_copy(&s->r, payload, length < reader_left(&s->r) ? length : 0);
	return length;
}

static int build_tcp(struct script *s, const struct endpoint *from, const struct endpoint *to,
	uint8_t ttl, const struct packet_tcp *tcp, const uint8_t *payload, size_t length,
	bool as_options)
{
	int bytes =
		packet_build_tcp(s->bytes, SCRIPT_BYTES_MAX, from, to, ttl, tcp, payload, length);
	uint8_t *header = &s->bytes[from->family == FAMILY_IPV4 ? 20 : 40];
	uint16_t before, after, field;

	if (bytes <= 0 || !as_options || length % 4 || length > 40)
		return bytes;
	before = (uint16_t)(header[12] << 8 | header[13]);
	header[12] = (uint8_t)((5 + length / 4) << 4);
	after = (uint16_t)(header[12] << 8 | header[13]);
	field = checksum_adjust(
		(uint16_t)(header[16] << 8 | header[17]), checksum_change(before, after));
	put16(&header[16], field);
	return bytes;
}

static int build(struct script *s, const struct endpoint *from, const struct endpoint *to)
{
	uint8_t ttl = (uint8_t)(script_take(s, 8) ? 64 : script_take(s, 3));
	uint8_t flags = reader_u8(&s->r), payload[PAYLOAD_MAX];
	struct packet_tcp tcp = {.flags = flags & 31, .window = 1000};
	size_t length = take_payload(s, payload);

	switch (script_take(s, 4)) {
	case 0:
		tcp.sequence = reader_u16(&s->r);
		tcp.acknowledgment = reader_u16(&s->r);
		return build_tcp(s, from, to, ttl, &tcp, payload, length, flags & 32);
	case 1:
		return packet_build_echo(
			s->bytes, SCRIPT_BYTES_MAX, from, to, ttl, flags & 1, 7, payload, length);
	default:
		return packet_build_udp(s->bytes, SCRIPT_BYTES_MAX, from, to, ttl, payload, length);
	}
}

static int build_any(struct script *s, enum nat_side side)
{
	bool v6 = script_take(s, 3) == 2;
	struct endpoint in = inside_endpoint(s, v6), out = remote_endpoint(s, v6);

	if (side == NAT_OUTSIDE) {
		if (s->config.translation != NAT_NONE || script_take(s, 4) == 0)
			in = external_endpoint(s, v6);
		return build(s, &out, &in);
	}
	if (script_take(s, 4) == 0)
		out = external_endpoint(s, v6);
	return build(s, &in, &out);
}

static uint8_t take_flags(struct script *s)
{
	static const uint8_t some[] = {PACKET_SYN, PACKET_SYN | PACKET_ACK, PACKET_ACK,
		PACKET_FIN | PACKET_ACK, PACKET_RST, PACKET_RST | PACKET_ACK, PACKET_ACK,
		PACKET_PSH | PACKET_ACK};

	return some[script_take(s, 8)];
}

/* What the receiver of the last packet would send back, or what its sender would send next. */
static int build_next(struct script *s, enum nat_side *side)
{
	uint8_t payload[PAYLOAD_MAX];
	size_t length = take_payload(s, payload);
	struct packet_tcp tcp = {.window = 1000, .flags = take_flags(s)};
	struct packet p;

	if (!s->last_length || packet_decode(s->last, s->last_length, &p))
		return -1;
	*side = s->last_side;
	tcp.sequence = p.acknowledgment + script_take(s, 2);
	tcp.acknowledgment =
		p.sequence + (uint32_t)p.payload_length + !!(p.flags & (PACKET_SYN | PACKET_FIN));
	if (p.protocol == PACKET_TCP)
		return packet_build_tcp(s->bytes, SCRIPT_BYTES_MAX, &p.destination, &p.source, 64,
			&tcp, payload, length);
	if (p.protocol == PACKET_ECHO)
		return packet_build_echo(s->bytes, SCRIPT_BYTES_MAX, &p.destination, &p.source, 64,
			!p.echo_reply, 7, payload, length);
	return packet_build_udp(
		s->bytes, SCRIPT_BYTES_MAX, &p.destination, &p.source, 64, payload, length);
}

/* An error about what went on last, from where it went to, or from anywhere. */
static int build_error(struct script *s, enum nat_side *side)
{
	struct packet cause;
	struct endpoint from;
	uint8_t type = reader_u8(&s->r);
	bool v6;

	if (!s->last_length || packet_decode(s->last, s->last_length, &cause))
		return -1;
	v6 = cause.family == FAMILY_IPV6;
	*side = script_take(s, 8) ? s->last_side : (enum nat_side)script_take(s, 2);
	from = *side == NAT_INSIDE ? inside_endpoint(s, v6) : remote_endpoint(s, v6);
	if (script_take(s, 2))
		from = cause.destination;
	type = v6 ? (uint8_t)(1 + type % 4) : (type & 1 ? 3 : 11);
	return packet_build_error(s->bytes, SCRIPT_BYTES_MAX, &from, &cause, type, 0, 0);
}

/* The checksums of IPv4 and ICMP made right, as packets end early without them. */
static void repair(struct script *s, size_t length)
{
	size_t header = (s->bytes[0] & 15u) * 4u;

	if (length < 20 || s->bytes[0] >> 4 != 4 || header < 20 || header > length)
		return;
	put16(&s->bytes[10], 0);
	put16(&s->bytes[10], (uint16_t)~checksum_sum(s->bytes, header));
	if (s->bytes[9] != 1 || length < header + 8)
		return;
	put16(&s->bytes[header + 2], 0);
	put16(&s->bytes[header + 2], (uint16_t)~checksum_sum(&s->bytes[header], length - header));
}

/* Into a fragment of one of three datagrams. */
static int make_fragment(struct script *s, int length)
{
	unsigned id = script_take(s, 3), offset = script_take(s, 4), more = script_take(s, 2);
	uint8_t *b = s->bytes;

	if (b[0] >> 4 == 4) {
		b[5] = (uint8_t)id;
		put16(&b[6], offset | more << 13);
		repair(s, (size_t)length);
		return length;
	}
	if (length < 40 || length > SCRIPT_BYTES_MAX - 8)
		return length;
	memmove(&b[48], &b[40], (size_t)length - 40);
	memset(&b[40], 0, 8);
	b[40] = b[6];
	b[6] = 44;
	put16(&b[4], (unsigned)length - 32);
	put16(&b[42], offset << 3 | more);
	b[47] = (uint8_t)id;
	return length + 8;
}

static void mangle(struct script *s, int length)
{
	for (unsigned i = script_take(s, 4); i > 0; i--)
		s->bytes[reader_u16(&s->r) % (unsigned)length] = reader_u8(&s->r);
	if (script_take(s, 2))
		repair(s, (size_t)length);
}

static int take_raw(struct script *s)
{
	struct span raw = reader_span(&s->r, script_take(s, RAW_MAX));

	memcpy(s->bytes, raw.data ? raw.data : s->bytes, raw.length);
	if (script_take(s, 2))
		repair(s, raw.length);
	return (int)raw.length;
}

int script_packet(struct script *s, enum nat_side *side)
{
	unsigned how = script_take(s, 16);
	int length;

	if (how == 0)
		return take_raw(s);
	if (how < 3)
		length = build_error(s, side);
	else if (how < 7)
		length = build_next(s, side);
	else
		length = build_any(s, *side);
	if (length > 0 && how >= 13)
		length = make_fragment(s, length);
	if (length > 0 && (how & 3) == 2 && script_take(s, 2))
		mangle(s, length);
	return length;
}
