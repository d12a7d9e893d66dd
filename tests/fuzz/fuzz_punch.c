// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * What a peer sends: a check message as it is, attributes under a MAC that is right, and the bytes of a hello. What
 * is decoded is encoded and decoded again, and stays the same.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/hello.h"
#include "wire/punch.h"

enum kind { RAW, SEALED, HELLO, KINDS };

static const uint8_t key[PUNCH_KEY_BYTES] = {1, 2, 3};

static void check_again(const struct punch_message *m)
{
	uint8_t data[PUNCH_BYTES_MAX], wrong[PUNCH_KEY_BYTES] = {1, 2, 4};
	struct punch_message again;
	int n = punch_encode(m, key, data, sizeof(data));

	require(m->class == STUN_REQUEST || m->class == STUN_SUCCESS);
	require(n > 0 && !punch_decode(data, (size_t)n, key, &again));
	require(again.class == m->class && stun_id_equal(&again.id, &m->id));
	require(again.flags == m->flags && again.attempt == m->attempt);
	require(again.counter == m->counter);
	require(again.has_echo == m->has_echo && stun_id_equal(&again.echo, &m->echo));
	if (m->class == STUN_SUCCESS || m->has_echo)
		require(endpoint_equal(&again.mapped, &m->mapped));
	require(punch_decode(data, (size_t)n, wrong, &again) == -EACCES && !again.counter);
}

static void check_raw(const uint8_t *data, size_t size)
{
	struct punch_message m;
	int err = punch_decode(data, size, key, &m);

	require(!err || err == -EPROTO || err == -EBADMSG || err == -EACCES);
	if (!err)
		check_again(&m);
}

/* One attribute after the other: type, length of 8 bits, value. */
static void check_sealed(const uint8_t *data, size_t size)
{
	static const uint16_t known[] = {PUNCH_STATE, STUN_XOR_MAPPED_ADDRESS, STUN_SOFTWARE,
		STUN_MESSAGE_INTEGRITY_SHA256, STUN_FINGERPRINT, 0x7fff, PUNCH_ECHO};
	uint8_t out[2 * PUNCH_BYTES_MAX], *exact;
	struct reader r = reader_over(data, size);
	struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 9}};
	struct stun_writer s = stun_begin(out, sizeof(out), reader_u8(&r) & 3, PUNCH_METHOD, &id);
	int n;

	while (reader_left(&r) >= 2) {
		uint16_t type = known[reader_u8(&r) % (sizeof(known) / sizeof(*known))];
		size_t length = reader_u8(&r);
		struct span value;

		length = length < reader_left(&r) ? length : reader_left(&r);
		value = reader_span(&r, length);
		stun_add(&s, type, value.data, value.length);
	}
	stun_add_integrity_sha256(&s, key, sizeof(key));
	n = stun_end(&s);
	if (n < 0)
		return;
	exact = malloc((size_t)n); /* of exactly this length for the sanitizer */
	require(exact != NULL);
	memcpy(exact, out, (size_t)n);
	check_raw(exact, (size_t)n);
	free(exact);
}

static void check_hello(const uint8_t *data, size_t size)
{
	uint8_t first[HELLO_BYTES_MAX], second[HELLO_BYTES_MAX];
	static struct hello h, again;
	int err = hello_decode(data, size, &h), n;

	require(!err || err == -EPROTO || err == -EBADMSG);
	if (err)
		return;
	require(h.transport == HELLO_UDP || h.transport == HELLO_TCP);
	require(h.candidate_count <= HELLO_CANDIDATES && h.port_count <= CHECKS_PORTS);
	for (size_t i = 0; i < h.candidate_count; i++)
		require(h.candidates[i].endpoint.family != FAMILY_NONE);
	/* whatever can be read can be said, in as many bytes as are allowed */
	n = hello_encode(&h, first, sizeof(first));
	require(n > 0 && !hello_decode(first, (size_t)n, &again));
	require(hello_encode(&again, second, sizeof(second)) == n);
	require(!memcmp(first, second, (size_t)n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % KINDS) {
	case RAW:
		check_raw(data + 1, size - 1);
		break;
	case SEALED:
		check_sealed(data + 1, size - 1);
		break;
	default:
		check_hello(data + 1, size - 1);
		break;
	}
	return 0;
}
