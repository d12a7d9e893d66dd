// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/* What the three halves of the STUN codec share; nobody else includes this. */

#define STUN_SHA1_BYTES		    20
#define STUN_SHA256_BYTES	    32
#define STUN_ATTRIBUTE_HEADER	    4
#define STUN_FINGERPRINT_XOR	    0x5354554eu /* "STUN" (RFC 8489 14.7) */
#define STUN_COMPREHENSION_OPTIONAL 0x8000

extern const uint8_t stun_cookie[4];

uint32_t stun_crc32(const uint8_t *data, size_t length);

/* Values are padded to a multiple of four; the length field does not count the padding. */
static inline size_t stun_padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}
