// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>

#include "server/cookie.h"

#define INPUT_BYTES 64

_Static_assert(COOKIE_BYTES >= crypto_generichash_BYTES_MIN, "a length of crypto_generichash");
_Static_assert(COOKIE_KEY_BYTES == crypto_generichash_KEYBYTES, "a key of crypto_generichash");

static void make(const uint8_t *key, const struct endpoint *from, uint64_t epoch, uint8_t *out)
{
	uint8_t input[INPUT_BYTES];
	struct writer w = writer_over(input, sizeof(input));

	/* UDP: over TCP nobody needs one, and one of here must be no good for anything there */
	writer_bytes(&w, "udp", 3);
	writer_u8(&w, (uint8_t)from->family);
	writer_bytes(&w, from->address, sizeof(from->address));
	writer_u16(&w, from->port);
	writer_u32(&w, (uint32_t)(epoch >> 32));
	writer_u32(&w, (uint32_t)epoch);
	crypto_generichash(out, COOKIE_BYTES, input, w.position, key, COOKIE_KEY_BYTES);
}

void cookie_make(const uint8_t key[static COOKIE_KEY_BYTES], const struct endpoint *from,
	uint64_t now_us, uint8_t out[static COOKIE_BYTES])
{
	make(key, from, now_us / COOKIE_EPOCH_US, out);
}

int cookie_check(const uint8_t key[static COOKIE_KEY_BYTES], const struct endpoint *from,
	uint64_t now_us, struct span cookie)
{
	uint64_t epoch = now_us / COOKIE_EPOCH_US;
	uint8_t good[COOKIE_BYTES];

	if (cookie.length != COOKIE_BYTES)
		return -ESTALE;
	for (int age = 0; age < 2; age++) {
		make(key, from, epoch - (uint64_t)age, good);
		if (!sodium_memcmp(good, cookie.data, COOKIE_BYTES))
			return age;
	}
	return -ESTALE;
}
