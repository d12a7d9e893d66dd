// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/cpace.h"
#include "punch/cpace_private.h"

_Static_assert(CPACE_POINT_BYTES == crypto_core_ristretto255_BYTES, "a point");
_Static_assert(CPACE_SCALAR_BYTES == crypto_core_ristretto255_SCALARBYTES, "a scalar");
_Static_assert(CPACE_ISK_BYTES == crypto_hash_sha512_BYTES, "an intermediate session key");

#define SHA512_BLOCK_BYTES 128

#define LITERAL(text)                                     \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

static const struct span dsi = LITERAL("CPaceRistretto255");
static const struct span dsi_isk = LITERAL("CPaceRistretto255_ISK");

void cpace_hash_lv(crypto_hash_sha512_state *hash, struct span s)
{
	size_t left = s.length;
	uint8_t byte;

	for (; left >= 0x80; left >>= 7) {
		byte = (uint8_t)(left | 0x80);
		crypto_hash_sha512_update(hash, &byte, 1);
	}
	byte = (uint8_t)left;
	crypto_hash_sha512_update(hash, &byte, 1);
	crypto_hash_sha512_update(hash, s.data, s.length);
}

/*
 * Zeros fill the first block, so that hashing takes as long for each secret that is not a long one (8.1). One whose
 * length takes two bytes leaves no room for them.
 */
void cpace_generator_hash(
	const struct cpace_input *in, uint8_t hash[static crypto_core_ristretto255_HASHBYTES])
{
	static const uint8_t zeros[SHA512_BLOCK_BYTES];
	size_t used = 1 + dsi.length + 1 + in->prs.length + 1;
	struct span fill = {zeros, used < sizeof(zeros) ? sizeof(zeros) - used : 0};
	crypto_hash_sha512_state state;

	crypto_hash_sha512_init(&state);
	cpace_hash_lv(&state, dsi);
	cpace_hash_lv(&state, in->prs);
	cpace_hash_lv(&state, fill);
	cpace_hash_lv(&state, in->ci);
	cpace_hash_lv(&state, in->sid);
	crypto_hash_sha512_final(&state, hash);
	sodium_memzero(&state, sizeof(state));
}

static void copy(uint8_t *to, size_t *length, struct span from)
{
	if (from.length)
		memcpy(to, from.data, from.length);
	*length = from.length;
}

int cpace_begin_with(struct cpace *c, const struct cpace_input *in,
	const uint8_t scalar[static CPACE_SCALAR_BYTES])
{
	uint8_t hash[crypto_core_ristretto255_HASHBYTES], generator[CPACE_POINT_BYTES];
	int err;

	memset(c, 0, sizeof(*c));
	if (in->sid.length > sizeof(c->sid) || in->ad.length > sizeof(c->ad))
		return -EINVAL;
	cpace_generator_hash(in, hash);
	crypto_core_ristretto255_from_hash(generator, hash);
	err = crypto_scalarmult_ristretto255(c->own, scalar, generator) ? -EINVAL : 0;
	/* who sees the generator can try all secrets */
	sodium_memzero(hash, sizeof(hash));
	sodium_memzero(generator, sizeof(generator));
	memcpy(c->scalar, scalar, sizeof(c->scalar));
	copy(c->sid, &c->sid_length, in->sid);
	copy(c->ad, &c->ad_length, in->ad);
	if (err)
		cpace_forget(c);
	return err;
}

int cpace_begin(struct cpace *c, const struct cpace_input *in, struct random *random)
{
	uint8_t scalar[CPACE_SCALAR_BYTES];
	int err;

	random_bytes(random, scalar, sizeof(scalar));
	scalar[sizeof(scalar) - 1] &= 0x0f; /* 252 bits, as the draft recommends (8.3) */
	err = cpace_begin_with(c, in, scalar);
	sodium_memzero(scalar, sizeof(scalar));
	return err;
}

int cpace_point(const uint8_t scalar[static CPACE_SCALAR_BYTES], struct span share,
	uint8_t k[static CPACE_POINT_BYTES])
{
	if (share.length != CPACE_POINT_BYTES)
		return -EBADMSG;
	return crypto_scalarmult_ristretto255(k, scalar, share.data) ? -EBADMSG : 0;
}

/* Ordered by the shares alone: they differ, and both have the same length in front. */
static void hash_transcript(
	crypto_hash_sha512_state *hash, const struct cpace *c, struct span share, struct span ad)
{
	struct span own[2] = {{c->own, sizeof(c->own)}, {c->ad, c->ad_length}};
	struct span peer[2] = {share, ad};
	bool own_first = memcmp(c->own, share.data, sizeof(c->own)) > 0;
	const struct span *first = own_first ? own : peer, *second = own_first ? peer : own;

	crypto_hash_sha512_update(hash, (const uint8_t *)"oc", 2);
	for (int i = 0; i < 2; i++)
		cpace_hash_lv(hash, first[i]);
	for (int i = 0; i < 2; i++)
		cpace_hash_lv(hash, second[i]);
}

int cpace_associate(struct cpace *c, struct span ad)
{
	if (ad.length > sizeof(c->ad))
		return -EINVAL;
	copy(c->ad, &c->ad_length, ad);
	return 0;
}

int cpace_finish(
	struct cpace *c, struct span share, struct span ad, uint8_t isk[static CPACE_ISK_BYTES])
{
	uint8_t k[CPACE_POINT_BYTES];
	crypto_hash_sha512_state state;
	int err = cpace_point(c->scalar, share, k);

	memset(isk, 0, CPACE_ISK_BYTES);
	/*
	 * No honest peer has the same share, whatever comes with it: it is the own message, sent back by whoever
	 * hopes that we open to ourselves (10.1.2).
	 */
	if (!err && !sodium_memcmp(share.data, c->own, sizeof(c->own)))
		err = -EBADMSG;
	if (!err) {
		crypto_hash_sha512_init(&state);
		cpace_hash_lv(&state, dsi_isk);
		cpace_hash_lv(&state, (struct span){c->sid, c->sid_length});
		cpace_hash_lv(&state, (struct span){k, sizeof(k)});
		hash_transcript(&state, c, share, ad);
		crypto_hash_sha512_final(&state, isk);
		sodium_memzero(&state, sizeof(state));
	}
	sodium_memzero(k, sizeof(k));
	cpace_forget(c);
	return err;
}

void cpace_forget(struct cpace *c)
{
	sodium_memzero(c, sizeof(*c));
}
