// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "fuzz.h"
#include "fuzz_packets.h"
#include "journal/talks.h"
#include "report/utf8.h"
#include "wire/packet.h"
#include "wire/stun.h"

#define PACKETS_MAX 4000
#define BYTES_MAX   2000

struct endpoint fuzz_endpoint(uint8_t number)
{
	static const uint8_t hosts[8][4] = {{10, 0, 1, 2}, {10, 0, 1, 2}, {10, 0, 1, 1},
		{203, 0, 113, 1}, {203, 0, 113, 2}, {192, 0, 2, 7}, {127, 0, 0, 1},
		{224, 0, 0, 251}};
	const uint8_t *host = hosts[number & 7];
	struct endpoint e = {.family = FAMILY_IPV4, .port = number & 1 ? 3478 : 40000};

	if (number & 8) {
		e.family = FAMILY_IPV6;
		e.address[0] = 0x20;
		e.address[1] = 0x01;
		memcpy(&e.address[12], host, 4);
	} else {
		memcpy(e.address, host, 4);
	}
	return e;
}

struct captured_list *fuzz_list(void)
{
	static struct captured_list *l;

	if (!l && captured_create(false, &l))
		return NULL;
	memset(l->packets, 0, l->count * sizeof(*l->packets));
	memset(l->talks, 0, l->talk_count * sizeof(*l->talks));
	memset(l->talk_table, 0, TALK_SLOTS * sizeof(*l->talk_table));
	*l = (struct captured_list){
		.packets = l->packets, .talks = l->talks, .talk_table = l->talk_table};
	return l;
}

struct made {
	uint8_t bytes[BYTES_MAX];
	size_t length;
};

static struct endpoint next_endpoint(struct reader *script)
{
	uint8_t number = reader_u8(script);
	struct endpoint e = fuzz_endpoint(number & 15);

	e.port = (uint16_t)(e.port + (number >> 6)); /* one of some sockets */
	return e;
}

static int make_stun(struct reader *script, struct made *m, const struct endpoint *from,
	const struct endpoint *to)
{
	uint8_t kind = reader_u8(script), message[256];
	struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, [15] = (uint8_t)(kind >> 4)}};
	struct stun_writer w = stun_begin(
		message, sizeof(message), (enum stun_class)(kind & 3), STUN_BINDING, &id);
	struct endpoint mapped = next_endpoint(script);
	int length;

	if (kind & 4)
		stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &mapped);
	if (kind & 8) {
		mapped = next_endpoint(script);
		stun_add_address(&w, STUN_MAPPED_ADDRESS, &mapped);
	}
	length = stun_end(&w);
	return length < 0 ? length
			  : packet_build_udp(m->bytes, sizeof(m->bytes), from, to, 60, message,
				    (size_t)length);
}

static int make_tcp(struct reader *script, struct made *m, const struct endpoint *from,
	const struct endpoint *to)
{
	const struct packet_tcp tcp = {.sequence = 1, .flags = reader_u8(script), .window = 1};

	return packet_build_tcp(
		m->bytes, sizeof(m->bytes), from, to, reader_u8(script), &tcp, NULL, 0);
}

/* About the packet before. */
static int make_error(struct reader *script, struct made *m, const struct endpoint *from)
{
	uint8_t type = reader_u8(script), code = reader_u8(script);
	struct made cause = *m;
	struct packet p;

	if (packet_decode(cause.bytes, cause.length, &p))
		return -1;
	return packet_build_error(
		m->bytes, sizeof(m->bytes), from, &p, type & 15, code & 15, type & 16 ? 1400 : 0);
}

static int make_raw(struct reader *script, struct made *m)
{
	size_t length = reader_u16(script) % BYTES_MAX;

	if (length > reader_left(script))
		length = reader_left(script);
	reader_copy(script, m->bytes, length);
	return (int)length;
}

static int make(struct reader *script, uint8_t kind, struct made *m)
{
	struct endpoint from, to;

	if ((kind & 7) == 0)
		return make_raw(script, m);
	from = next_endpoint(script);
	if ((kind & 7) == 1)
		return make_error(script, m, &from);
	to = next_endpoint(script);
	switch (kind & 7) {
	case 2:
	case 3:
		return make_stun(script, m, &from, &to);
	case 4:
		return make_tcp(script, m, &from, &to);
	case 5:
		return packet_build_echo(
			m->bytes, sizeof(m->bytes), &from, &to, 60, kind & 8, 1, "ping", 4);
	case 6:
		return packet_build_udp(m->bytes, sizeof(m->bytes), &from, &to, 60, "data", 4);
	default: /* the one before, again */
		return (int)m->length;
	}
}

/* As a script says: some are damaged, some cut off. */
static struct span spoil(struct reader *script, uint8_t kind, struct made *m)
{
	size_t length = m->length;

	if (kind & 16 && length)
		m->bytes[reader_u16(script) % length] ^= (uint8_t)(1u << (reader_u8(script) & 7));
	if (kind & 32 && length)
		length = reader_u16(script) % (length + 1);
	return (struct span){m->bytes, length};
}

void fuzz_packets(struct reader *script, struct captured_list *l)
{
	struct made m = {.length = 0};
	uint64_t now_us = 1000000;

	for (uint32_t number = 1; number <= PACKETS_MAX && reader_left(script); number++) {
		uint8_t kind = reader_u8(script), when = reader_u8(script);
		struct captured_packet packet = {.number = number,
			.interface = when & 3,
			.way = (enum way)(kind >> 6) % 3,
			.keep = true};
		int length = make(script, kind, &m);

		if (length < 0)
			continue;
		m.length = (size_t)length;
		now_us += (uint64_t)(when >> 2) * 1000;
		packet.t_us = when == 0xff ? 0 : now_us;
		packet.ip = spoil(script, kind, &m);
		captured_take(l, &packet);
	}
}

void fuzz_check_text(const char *text, bool utf8)
{
	for (const char *p = text; *p;) {
		uint32_t code;
		size_t bytes = utf8_next(p, &code);

		require(bytes && (utf8 || bytes == 1));
		require(code == '\n' || (code >= ' ' && !(code >= 0x7f && code < 0xa0)));
		p += bytes;
	}
}
