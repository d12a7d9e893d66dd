// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "packet_kit.h"
#include "wire/checksum.h"

static struct endpoint at(const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, 1, &e))
		abort();
	return e;
}

static void finish(struct kit_packet *p, int length)
{
	if (length < 0)
		abort();
	p->length = (size_t)length;
}

static struct kit_packet udp(const char *from, const char *to, const void *payload, size_t length)
{
	struct endpoint source = at(from), destination = at(to);
	struct kit_packet p;

	finish(&p,
		packet_build_udp(
			p.bytes, sizeof(p.bytes), &source, &destination, KIT_TTL, payload, length));
	return p;
}

struct kit_packet kit_udp(const char *from, const char *to, const char *payload)
{
	return udp(from, to, payload, strlen(payload));
}

struct kit_packet kit_tcp(const char *from, const char *to, uint8_t flags)
{
	const struct packet_tcp tcp = {.sequence = 1000, .flags = flags, .window = 65535};
	struct endpoint source = at(from), destination = at(to);
	struct kit_packet p;

	finish(&p,
		packet_build_tcp(
			p.bytes, sizeof(p.bytes), &source, &destination, KIT_TTL, &tcp, NULL, 0));
	return p;
}

struct kit_packet kit_echo(const char *from, const char *to, bool reply)
{
	struct endpoint source = at(from), destination = at(to);
	struct kit_packet p;

	finish(&p,
		packet_build_echo(p.bytes, sizeof(p.bytes), &source, &destination, KIT_TTL, reply,
			1, "ping", 4));
	return p;
}

static struct stun_id transaction_id(unsigned transaction)
{
	struct stun_id id = {{0x21, 0x12, 0xa4, 0x42}};

	id.bytes[14] = (uint8_t)(transaction >> 8);
	id.bytes[15] = (uint8_t)transaction;
	return id;
}

struct kit_packet kit_stun(
	const char *from, const char *to, enum stun_class class, unsigned transaction)
{
	const struct stun_id id = transaction_id(transaction);
	uint8_t message[256];
	struct stun_writer s;
	int length;

	if (class == STUN_SUCCESS)
		return kit_answer(from, to, transaction, "192.0.2.11:40000", NULL);
	s = stun_begin(message, sizeof(message), class, STUN_BINDING, &id);
	length = stun_end(&s);
	if (length < 0)
		abort();
	return udp(from, to, message, (size_t)length);
}

struct kit_packet kit_answer(const char *from, const char *to, unsigned transaction,
	const char *mapped, const char *plain)
{
	const struct stun_id id = transaction_id(transaction);
	uint8_t message[256];
	struct stun_writer s =
		stun_begin(message, sizeof(message), STUN_SUCCESS, STUN_BINDING, &id);
	struct endpoint seen;
	int length;

	if (mapped) {
		seen = at(mapped);
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &seen);
	}
	if (plain) {
		seen = at(plain);
		stun_add_address(&s, STUN_MAPPED_ADDRESS, &seen);
	}
	length = stun_end(&s);
	if (length < 0)
		abort();
	return udp(from, to, message, (size_t)length);
}

struct kit_packet kit_error(
	const char *from, const struct kit_packet *cause, uint8_t type, uint8_t code, uint16_t mtu)
{
	struct endpoint source = at(from);
	struct kit_packet copy = *cause, p;
	struct packet decoded;

	if (packet_decode(copy.bytes, copy.length, &decoded))
		abort();
	finish(&p,
		packet_build_error(p.bytes, sizeof(p.bytes), &source, &decoded, type, code, mtu));
	return p;
}

void kit_leave_checksum(struct kit_packet *p)
{
	struct packet d;
	uint32_t sum;

	if (packet_decode(p->bytes, p->length, &d) || d.family != FAMILY_IPV4 ||
		d.protocol != PACKET_UDP)
		abort();
	sum = checksum_sum(&p->bytes[12], 8) + (uint32_t)(p->length - d.transport) + d.ip_protocol;
	p->bytes[d.transport + 6] = (uint8_t)(checksum_fold(sum) >> 8);
	p->bytes[d.transport + 7] = (uint8_t)checksum_fold(sum);
}

/* IPv4 only. */
void kit_set_ttl(struct kit_packet *p, uint8_t ttl)
{
	uint16_t sum;

	p->bytes[8] = ttl;
	p->bytes[10] = p->bytes[11] = 0;
	sum = (uint16_t)~checksum_sum(p->bytes, 20);
	p->bytes[10] = (uint8_t)(sum >> 8);
	p->bytes[11] = (uint8_t)sum;
}

const struct captured *kit_take(
	struct captured_list *l, const struct kit_packet *p, enum way way, uint64_t t_us)
{
	const struct captured_packet packet = {.number = (uint32_t)l->count + 1,
		.t_us = t_us,
		.interface = 0,
		.way = way,
		.ip = {p->bytes, p->length},
		.keep = true};

	return captured_take(l, &packet);
}
