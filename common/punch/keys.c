// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/keys.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BOUND_BYTES (KEYS_SESSION_BYTES + 4)

_Static_assert(KEYS_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "a key");
_Static_assert(KEYS_SLOT_OVERHEAD == NONCE_BYTES + TAG_BYTES, "the overhead of a slot");
_Static_assert(CPACE_ISK_BYTES <= crypto_generichash_KEYBYTES_MAX, "a key of BLAKE2b");

/* BLAKE2b keyed with the ISK, of what the key is for. */
static void derive(const uint8_t *isk, const char *purpose, uint8_t out[static KEYS_BYTES])
{
	crypto_generichash(
		out, KEYS_BYTES, (const uint8_t *)purpose, strlen(purpose), isk, CPACE_ISK_BYTES);
}

/* A is the side with the smaller share. */
static void derive_direction(const uint8_t *isk, bool from_a, struct keys_direction *d)
{
	derive(isk, from_a ? "natutils punch 1: slot, A to B" : "natutils punch 1: slot, B to A",
		d->slot);
	derive(isk, from_a ? "natutils punch 1: mac, A to B" : "natutils punch 1: mac, B to A",
		d->mac);
	derive(isk,
		from_a ? "natutils punch 1: channel, A to B" : "natutils punch 1: channel, B to A",
		d->channel);
}

int keys_derive(const uint8_t isk[static CPACE_ISK_BYTES],
	const uint8_t own[static CPACE_POINT_BYTES], const uint8_t peer[static CPACE_POINT_BYTES],
	struct keys *out)
{
	int order =
		memcmp(own, peer, CPACE_POINT_BYTES); /* no secrets: they were sent in the open */

	keys_wipe(out);
	if (!order)
		return -EINVAL;
	derive_direction(isk, order < 0, &out->send);
	derive_direction(isk, order > 0, &out->receive);
	return 0;
}

void keys_wipe(struct keys *k)
{
	sodium_memzero(k, sizeof(*k));
}

/* What a slot belongs to, as additional data. */
static void write_bound(uint8_t out[static BOUND_BYTES], const uint8_t *session, uint32_t version)
{
	struct writer w = writer_over(out, BOUND_BYTES);

	writer_bytes(&w, session, KEYS_SESSION_BYTES);
	writer_u32(&w, version);
}

int keys_slot_seal(const struct keys *k, const uint8_t session[static KEYS_SESSION_BYTES],
	uint32_t version, struct span plain, struct random *random, void *out, size_t size)
{
	uint8_t bound[BOUND_BYTES], *nonce = out;

	if (plain.length > KEYS_SLOT_MAX - KEYS_SLOT_OVERHEAD ||
		plain.length + KEYS_SLOT_OVERHEAD > size)
		return -EMSGSIZE;
	write_bound(bound, session, version);
	random_bytes(random, nonce, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain.data,
		plain.length, bound, sizeof(bound), NULL, nonce, k->send.slot);
	return (int)(plain.length + KEYS_SLOT_OVERHEAD);
}

int keys_slot_open(const struct keys *k, const uint8_t session[static KEYS_SESSION_BYTES],
	uint32_t version, struct span sealed, void *out, size_t size)
{
	struct reader r = reader_over(sealed.data, sealed.length);
	struct span nonce = reader_span(&r, NONCE_BYTES), rest;
	uint8_t bound[BOUND_BYTES];

	rest = reader_span(&r, reader_left(&r));
	if (r.failed || rest.length < TAG_BYTES || sealed.length > KEYS_SLOT_MAX)
		return -EBADMSG;
	if (rest.length - TAG_BYTES > size)
		return -EMSGSIZE;
	write_bound(bound, session, version);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, rest.data, rest.length,
		    bound, sizeof(bound), nonce.data, k->receive.slot))
		return -EBADMSG;
	return (int)(rest.length - TAG_BYTES);
}
