// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>

#include "wire/stun.h"
#include "wire/stun_private.h"

const uint8_t stun_cookie[4] = {0x21, 0x12, 0xa4, 0x42};

/* CRC-32 of ISO HDLC as FINGERPRINT wants it (RFC 8489 14.7), four bits at a time. */
uint32_t stun_crc32(const uint8_t *data, size_t length)
{
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = 0xffffffff;

	while (length--) {
		crc ^= *data++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* The header with the length up to and including the attribute at `at`, then what stands between. */
static void integrity_header(const struct span bytes, size_t at, size_t value_bytes, uint8_t out[4])
{
	size_t length = at + STUN_ATTRIBUTE_HEADER + value_bytes - STUN_HEADER_BYTES;

	out[0] = bytes.data[0];
	out[1] = bytes.data[1];
	out[2] = (uint8_t)(length >> 8);
	out[3] = (uint8_t)length;
}

static void hmac_sha1(struct span bytes, size_t at, const void *key, size_t key_length,
	uint8_t out[static STUN_SHA1_BYTES])
{
	struct hmac_sha1_ctx ctx;
	uint8_t header[4];

	integrity_header(bytes, at, STUN_SHA1_BYTES, header);
	hmac_sha1_set_key(&ctx, key_length, key);
	hmac_sha1_update(&ctx, sizeof(header), header);
	hmac_sha1_update(&ctx, at - sizeof(header), bytes.data + sizeof(header));
	hmac_sha1_digest(&ctx, STUN_SHA1_BYTES, out);
}

static void hmac_sha256(struct span bytes, size_t at, size_t value_bytes, const void *key,
	size_t key_length, uint8_t out[static STUN_SHA256_BYTES])
{
	struct hmac_sha256_ctx ctx;
	uint8_t header[4];

	integrity_header(bytes, at, value_bytes, header);
	hmac_sha256_set_key(&ctx, key_length, key);
	hmac_sha256_update(&ctx, sizeof(header), header);
	hmac_sha256_update(&ctx, at - sizeof(header), bytes.data + sizeof(header));
	hmac_sha256_digest(&ctx, STUN_SHA256_BYTES, out);
}

int stun_check_integrity(const struct stun_message *m, const void *key, size_t key_length)
{
	uint8_t digest[STUN_SHA1_BYTES];

	if (!m->integrity_at)
		return -ENOENT;
	hmac_sha1(m->bytes, m->integrity_at, key, key_length, digest);
	return memeql_sec(digest, m->bytes.data + m->integrity_at + STUN_ATTRIBUTE_HEADER,
		       STUN_SHA1_BYTES)
		? 0
		: -EBADMSG;
}

int stun_check_integrity_sha256(const struct stun_message *m, const void *key, size_t key_length)
{
	uint8_t digest[STUN_SHA256_BYTES];
	struct reader r = reader_over(m->bytes.data, m->bytes.length);
	size_t length;

	if (!m->integrity_sha256_at)
		return -ENOENT;
	reader_skip(&r, m->integrity_sha256_at + 2);
	length = reader_u16(&r); /* may be truncated to 16 bytes or more: checked when decoding */
	hmac_sha256(m->bytes, m->integrity_sha256_at, length, key, key_length, digest);
	return memeql_sec(digest, m->bytes.data + m->integrity_sha256_at + STUN_ATTRIBUTE_HEADER,
		       length)
		? 0
		: -EBADMSG;
}
void stun_add_integrity(struct stun_writer *s, const void *key, size_t key_length)
{
	uint8_t digest[STUN_SHA1_BYTES];

	if (s->w.failed)
		return;
	hmac_sha1((struct span){s->w.data, s->w.position}, s->w.position, key, key_length, digest);
	stun_add(s, STUN_MESSAGE_INTEGRITY, digest, sizeof(digest));
}

void stun_add_integrity_sha256(struct stun_writer *s, const void *key, size_t key_length)
{
	uint8_t digest[STUN_SHA256_BYTES];

	if (s->w.failed)
		return;
	hmac_sha256((struct span){s->w.data, s->w.position}, s->w.position, STUN_SHA256_BYTES, key,
		key_length, digest);
	stun_add(s, STUN_MESSAGE_INTEGRITY_SHA256, digest, sizeof(digest));
}

void stun_add_fingerprint(struct stun_writer *s)
{
	size_t at = s->w.position;

	stun_add_u32(s, STUN_FINGERPRINT, 0);
	if (s->w.failed)
		return;
	/* the length in the header already counts the fingerprint, as it must (RFC 8489 14.7) */
	s->w.position = at;
	writer_u16(&s->w, STUN_FINGERPRINT);
	writer_u16(&s->w, 4);
	writer_u32(&s->w, stun_crc32(s->w.data, at) ^ STUN_FINGERPRINT_XOR);
}
