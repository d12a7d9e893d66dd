// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes as a packet. Whatever is done with one that is taken stays within it, and neither
 * repairs nor spoils a checksum; answers to it, and packets that are built with what it says,
 * decode to the same.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "wire/packet.h"
#include "fuzz.h"

#define BUFFER_BYTES (1u << 17)

/* Numbers that depend on every byte of the input, so that an input always does the same. */
static uint32_t next_number(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 32);
}

static uint64_t hash(const uint8_t *data, size_t size)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 1099511628211u;
	return h;
}

static struct endpoint next_endpoint(uint64_t *state, enum family family)
{
	struct endpoint e = {.family = family, .port = (uint16_t)next_number(state)};
	uint32_t kind = next_number(state) & 3;

	/* all zeros and all ones too, where a sum has its edges */
	for (size_t i = 0; i < endpoint_address_length(family); i++)
		e.address[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)next_number(state);
	return e;
}

static void check_bounds(const struct packet *p, size_t size)
{
	size_t addresses = 2 * endpoint_address_length(p->family);

	require(p->family == FAMILY_IPV4 || p->family == FAMILY_IPV6);
	require(p->source.family == p->family && p->destination.family == p->family);
	require(p->length <= size);
	require(p->transport >= addresses && p->transport <= p->payload);
	require(p->payload <= p->length && p->payload_length <= p->length - p->payload);
	require(!p->quoted || (p->protocol == PACKET_ERROR && p->quoted < p->length));
	require((p->protocol == PACKET_FRAGMENT) == (p->fragment_offset != 0));
}

static void same_packet(const struct packet *a, const struct packet *b)
{
	require(a->bytes == b->bytes && a->length == b->length && a->family == b->family);
	require(a->protocol == b->protocol && a->ip_protocol == b->ip_protocol);
	require(endpoint_equal(&a->source, &b->source));
	require(endpoint_equal(&a->destination, &b->destination));
	require(a->ttl == b->ttl && a->dont_fragment == b->dont_fragment);
	require(a->more_fragments == b->more_fragments && a->fragment_id == b->fragment_id);
	require(a->fragment_offset == b->fragment_offset && a->transport == b->transport);
	require(a->payload == b->payload && a->payload_length == b->payload_length);
	require(a->type == b->type && a->code == b->code && a->echo_reply == b->echo_reply);
	require(a->sequence == b->sequence && a->acknowledgment == b->acknowledgment);
	require(a->window == b->window && a->flags == b->flags);
	require(a->quoted == b->quoted && a->cut_off == b->cut_off);
}

static void change(struct packet *p, uint64_t *state)
{
	bool right = packet_checksums_right(p), source = next_number(state) & 1;
	struct endpoint e = next_endpoint(state, p->family), old;
	struct endpoint *own = source ? &p->source : &p->destination;
	void (*set)(struct packet *, const struct endpoint *) =
		source ? packet_set_source : packet_set_destination;

	old = *own;
	set(p, &e);
	require(packet_checksums_right(p) == right);
	require(endpoint_same_address(own, &e) && (!own->port || own->port == e.port));
	if (next_number(state) & 1)
		set(p, &old);
	packet_take_hop(p);
	require(packet_checksums_right(p) == right);
	e.family = p->family == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4;
	set(p, &e);
	require(packet_checksums_right(p) == right);
}

static void change_quoted(struct packet *error, uint64_t *state)
{
	bool right = packet_checksums_right(error), inner, source = next_number(state) & 1;
	struct endpoint e =
		next_endpoint(state, next_number(state) & 1 ? FAMILY_IPV4 : FAMILY_IPV6);
	struct packet before, after;
	int err = packet_decode_quoted(error, &before);

	if (err) {
		require(err == -EBADMSG);
	} else {
		require(before.bytes == error->bytes + error->quoted && !before.quoted);
		check_bounds(&before, error->length - error->quoted);
		inner = packet_checksums_right(&before);
	}
	if (source)
		packet_set_quoted_source(error, &e);
	else
		packet_set_quoted_destination(error, &e);
	require(packet_checksums_right(error) == right);
	require(packet_decode_quoted(error, &after) == err);
	if (err)
		return;
	require(packet_checksums_right(&after) == inner);
	if (e.family == before.family) /* over the same bytes: only the endpoint differs */
		(source ? packet_set_source : packet_set_destination)(&before, &e);
	same_packet(&before, &after);
}

static void replace_payload(struct packet *p, uint64_t *state)
{
	bool right = packet_checksums_right(p);
	uint8_t bytes[8];
	size_t at = next_number(state) % (p->payload_length + 2), n = next_number(state) & 7;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next_number(state);
	packet_replace_payload(p, at, bytes, n);
	require(packet_checksums_right(p) == right);
}

static void renumber(struct packet *p, uint64_t *state)
{
	bool right = packet_checksums_right(p);
	struct packet quoted;
	uint32_t sequence = (uint32_t)next_number(state);

	packet_set_numbers(p, sequence, (uint32_t)next_number(state));
	require(packet_checksums_right(p) == right);
	require(p->protocol != PACKET_TCP || p->sequence == sequence);
	packet_set_quoted_sequence(p, sequence);
	require(packet_checksums_right(p) == right);
	if (!packet_decode_quoted(p, &quoted) && quoted.protocol == PACKET_TCP)
		require(quoted.sequence == sequence);
}

static struct packet take_built(uint8_t *bytes, int length)
{
	struct packet p;

	require(length > 0 && length <= PACKET_BYTES_MAX);
	require(!packet_decode(bytes, (size_t)length, &p) && p.length == (size_t)length);
	require(packet_checksums_right(&p));
	return p;
}

static void answer(const struct packet *p, uint8_t *buffer, uint64_t *state)
{
	bool v4 = p->family == FAMILY_IPV4;
	struct endpoint router = next_endpoint(state, p->family);
	uint8_t type = v4 ? 3 + 8 * (next_number(state) & 1) : 1 + (next_number(state) & 3);
	int length = packet_build_error(
		buffer, BUFFER_BYTES, &router, p, type, (uint8_t)next_number(state), 1280);
	struct packet a;

	require(length > 0 || length == -ENOENT);
	if (length > 0) {
		a = take_built(buffer, length);
		require(length <= (v4 ? 576 : 1280) && a.protocol == PACKET_ERROR);
		require(endpoint_same_address(&a.destination, &p->source));
		require(!memcmp(a.bytes + a.quoted, p->bytes, a.payload_length));
		change_quoted(&a, state);
	}
	length = packet_build_reset(buffer, BUFFER_BYTES, p, 64);
	require(length > 0 || length == -ENOENT);
	if (length > 0) {
		a = take_built(buffer, length);
		require(a.protocol == PACKET_TCP && a.flags & PACKET_RST);
		require(endpoint_equal(&a.source, &p->destination));
		require(endpoint_equal(&a.destination, &p->source));
	}
}

static int build(const struct packet *p, uint8_t *buffer, const void *payload)
{
	struct packet_tcp tcp = {p->sequence, p->acknowledgment, p->flags, p->window};

	if (p->protocol == PACKET_TCP)
		return packet_build_tcp(buffer, BUFFER_BYTES, &p->source, &p->destination, p->ttl,
			&tcp, payload, p->payload_length);
	if (p->protocol == PACKET_ECHO)
		return packet_build_echo(buffer, BUFFER_BYTES, &p->source, &p->destination, p->ttl,
			p->echo_reply, 7, payload, p->payload_length);
	return packet_build_udp(buffer, BUFFER_BYTES, &p->source, &p->destination, p->ttl, payload,
		p->payload_length);
}

/* A packet that says the same, by our own hand. */
static void build_again(const struct packet *p, uint8_t *buffer)
{
	const uint8_t *payload = p->bytes + p->payload;
	int length = build(p, buffer, payload);
	struct packet q;

	if (length == -EMSGSIZE) { /* IPv6 may be longer than what we build */
		require(p->length + 28 > PACKET_BYTES_MAX);
		return;
	}
	q = take_built(buffer, length);
	require(endpoint_equal(&q.source, &p->source));
	require(endpoint_equal(&q.destination, &p->destination));
	require(q.ttl == p->ttl && q.payload_length == p->payload_length);
	require(!memcmp(q.bytes + q.payload, payload, q.payload_length));
	require(q.sequence == (q.protocol == PACKET_TCP ? p->sequence : 0));
	require(q.acknowledgment == p->acknowledgment || q.protocol != PACKET_TCP);
	require(q.flags == p->flags && q.window == p->window && q.echo_reply == p->echo_reply);
}

static void exercise(struct packet *p, uint64_t *state)
{
	static uint8_t buffer[BUFFER_BYTES];
	struct packet again;

	answer(p, buffer, state);
	build_again(p, buffer);
	for (int i = 0; i < 4; i++) {
		change(p, state);
		require(!packet_decode(p->bytes, p->length, &again));
		same_packet(p, &again);
		change_quoted(p, state);
	}
	answer(p, buffer, state);
	renumber(p, state);
	for (int i = 0; i < 4; i++)
		replace_payload(p, state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t state = hash(data, size);
	/* of the exact size, so that a sanitizer sees the first byte that is touched beyond it */
	uint8_t *bytes = malloc(size ? size : 1);
	struct packet p;
	int err;

	if (!bytes)
		return 0;
	if (size)
		memcpy(bytes, data, size);
	err = packet_decode(bytes, size, &p);
	require(!err || err == -EBADMSG);
	if (!err) {
		check_bounds(&p, size);
		exercise(&p, &state);
		/* what stands behind the packet is not its own */
		require(!memcmp(bytes + p.length, data + p.length, size - p.length));
	}
	free(bytes);
	return 0;
}
