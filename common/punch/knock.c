// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/knock.h"

#define FORMAT	   1
#define HEAD_BYTES 42
#define PORT_FIRST \
	16384 /* below those that Linux gives out by itself (32768), and above most services */
#define PORTS 16384
#define DARK_PORT \
	33434 /* as of traceroute: it looks like what it is, a packet that ends on its way */
#define DARK_PORTS  512
#define ARGON_OPS   2
#define ARGON_BYTES (64u << 20)

_Static_assert(KNOCK_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "of the cipher");
_Static_assert(KNOCK_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "of the cipher");
_Static_assert(
	KNOCK_OVERHEAD == KNOCK_NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES + HEAD_BYTES,
	"all but the hello");

static const char purpose[] = "natutils knock 1";

int knock_key_make(struct span code, struct knock_key *out)
{
	/* both sides have to come to the same, and have nothing in common but the code */
	static const uint8_t salt[crypto_pwhash_SALTBYTES] = "natutils knock 1";

	return crypto_pwhash(out->bytes, sizeof(out->bytes), (const char *)code.data, code.length,
		       salt, ARGON_OPS, ARGON_BYTES, crypto_pwhash_ALG_ARGON2ID13)
		? -ENOMEM
		: 0;
}

void knock_key_wipe(struct knock_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

void knock_place_at(const struct knock_key *k, uint64_t slot, struct knock_place *out)
{
	uint8_t input[8], hash[32] = {0};
	struct reader r = reader_over(hash, sizeof(hash));
	struct endpoint *four = &out->dark[0], *six = &out->dark[1];

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(slot >> (8 * (7 - i)));
	crypto_generichash(hash, sizeof(hash), input, sizeof(input), k->bytes, sizeof(k->bytes));
	memset(out, 0, sizeof(*out));
	out->slot = slot;
	out->port = (uint16_t)(PORT_FIRST + reader_u16(&r) % PORTS);
	four->family = FAMILY_IPV4;
	six->family = FAMILY_IPV6;
	four->port = six->port = (uint16_t)(DARK_PORT + reader_u16(&r) % DARK_PORTS);
	/* the last byte neither 0 nor 255: no network and no broadcast of any size */
	memcpy(four->address, (uint8_t[]){198, 18}, 2);
	four->address[1] |= reader_u8(&r) & 1;
	four->address[2] = reader_u8(&r);
	four->address[3] = (uint8_t)(1 + reader_u8(&r) % 254);
	memcpy(six->address, (uint8_t[]){0x20, 0x01, 0x00, 0x02, 0, 0}, 6);
	reader_copy(&r, six->address + 6, 10);
}

bool knock_is_host(const struct endpoint *e)
{
	struct endpoint probe = *e;

	probe.port = probe.port ? probe.port : 1;
	return endpoint_is_unicast(&probe);
}

/* --- messages --- */

static void put_utc(struct writer *w, uint64_t ms)
{
	writer_u16(w, (uint16_t)(ms >> 32));
	writer_u32(w, (uint32_t)ms);
}

static uint64_t take_utc(struct reader *r)
{
	uint64_t high = reader_u16(r);

	return high << 32 | reader_u32(r);
}

/* Not over the time nor the port: copies of one knock differ in them. */
static void digest(
	uint8_t kind, const uint8_t *from_share, size_t length, uint8_t out[static KNOCK_DIGEST])
{
	crypto_generichash_state state;

	crypto_generichash_init(
		&state, (const uint8_t *)purpose, sizeof(purpose) - 1, KNOCK_DIGEST);
	crypto_generichash_update(&state, &kind, 1);
	crypto_generichash_update(&state, from_share, length);
	crypto_generichash_final(&state, out, KNOCK_DIGEST);
}

/* The share and the hello behind it. */
static int put_said(const struct knock *k, uint8_t *out)
{
	int hello = hello_encode(&k->hello, out + CPACE_POINT_BYTES, KNOCK_HELLO_MAX);

	memcpy(out, k->share, CPACE_POINT_BYTES);
	return hello < 0 ? -EMSGSIZE : CPACE_POINT_BYTES + hello;
}

int knock_digest(struct knock *k)
{
	uint8_t said[CPACE_POINT_BYTES + KNOCK_HELLO_MAX];
	int length = put_said(k, said);

	if (length < 0)
		return length;
	digest((uint8_t)k->kind, said, (size_t)length, k->digest);
	return 0;
}

uint16_t knock_tag(const struct knock *ask)
{
	struct reader r = reader_over(ask->digest, sizeof(ask->digest));

	return reader_u16(&r);
}

int knock_seal(
	const struct knock_key *key, struct knock *k, struct random *random, void *out, size_t size)
{
	uint8_t plain[HEAD_BYTES + KNOCK_HELLO_MAX], *nonce = out;
	struct writer w = writer_over(plain, HEAD_BYTES - CPACE_POINT_BYTES);
	unsigned long long length = 0;
	int said = put_said(k, plain + HEAD_BYTES - CPACE_POINT_BYTES);

	if (said < 0 || size < KNOCK_OVERHEAD - CPACE_POINT_BYTES + (size_t)said)
		return -EMSGSIZE;
	writer_u8(&w, FORMAT);
	writer_u8(&w, (uint8_t)k->kind);
	put_utc(&w, k->utc_ms);
	writer_u16(&w, k->kind == KNOCK_ANSWER ? k->answered : k->quoted_port);
	digest((uint8_t)k->kind, plain + w.position, (size_t)said, k->digest);
	random_bytes(random, nonce, KNOCK_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + KNOCK_NONCE, &length, plain,
		w.position + (size_t)said, (const uint8_t *)purpose, sizeof(purpose) - 1, NULL,
		nonce, key->bytes);
	return (int)(KNOCK_NONCE + length);
}

static int read_plain(const uint8_t *plain, size_t length, struct knock *out)
{
	struct reader r = reader_over(plain, length);
	struct knock k = {0};
	uint16_t number;
	int err;

	if (reader_u8(&r) != FORMAT)
		return -EPROTO;
	k.kind = reader_u8(&r);
	k.utc_ms = take_utc(&r);
	number = reader_u16(&r);
	if (k.kind == KNOCK_ANSWER)
		k.answered = number;
	else
		k.quoted_port = number;
	reader_copy(&r, k.share, sizeof(k.share));
	if (k.kind != KNOCK_ASK && k.kind != KNOCK_ANSWER)
		return -EBADMSG;
	err = hello_decode(plain + HEAD_BYTES, length - HEAD_BYTES, &k.hello);
	if (err)
		return err;
	digest((uint8_t)k.kind, plain + HEAD_BYTES - CPACE_POINT_BYTES,
		length - HEAD_BYTES + CPACE_POINT_BYTES, k.digest);
	*out = k;
	return 0;
}

int knock_open(const struct knock_key *key, struct span sealed, struct knock *out)
{
	uint8_t plain[HEAD_BYTES + KNOCK_HELLO_MAX];
	unsigned long long length = 0;

	if (sealed.length < KNOCK_OVERHEAD || sealed.length > KNOCK_BYTES_MAX)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &length, NULL,
		    sealed.data + KNOCK_NONCE, sealed.length - KNOCK_NONCE,
		    (const uint8_t *)purpose, sizeof(purpose) - 1, sealed.data, key->bytes))
		return -EBADMSG;
	return read_plain(plain, (size_t)length, out);
}

bool knock_is_fresh(const struct knock *k, uint64_t utc_ms)
{
	uint64_t apart = k->utc_ms > utc_ms ? k->utc_ms - utc_ms : utc_ms - k->utc_ms;

	return apart <= UINT64_C(1000) * 2 * KNOCK_CLOCK_S;
}

void knock_kind(enum family family, unsigned turn, uint8_t *type, uint8_t *code)
{
	/*
	 * Time exceeded, port unreachable, parameter problem, host unreachable. Not reassembly time exceeded:
	 * Linux hands that of IPv4 to nobody, and so it is of IPv6 only, instead of the last one.
	 */
	static const uint8_t four[][2] = {{11, 0}, {3, 3}, {12, 0}, {3, 1}};
	static const uint8_t six[][2] = {{3, 0}, {1, 4}, {3, 1}, {4, 0}};
	const uint8_t *kind = family == FAMILY_IPV6 ? six[turn % 4] : four[turn % 4];

	*type = kind[0];
	*code = kind[1];
}

size_t knock_places(const struct knock_key *k, uint64_t utc_us, struct knock_place out[static 2])
{
	uint64_t s = utc_us / 1000000, before = s < KNOCK_CLOCK_S ? 0 : s - KNOCK_CLOCK_S;

	knock_place_at(k, before / KNOCK_SLOT_S, &out[0]);
	if (before / KNOCK_SLOT_S == (s + KNOCK_CLOCK_S) / KNOCK_SLOT_S)
		return 1;
	knock_place_at(k, (s + KNOCK_CLOCK_S) / KNOCK_SLOT_S, &out[1]);
	return 2;
}
