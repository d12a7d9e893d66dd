// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/line.h"

#define BASE	     58
#define BLOCK_BYTES  8
#define BLOCK_DIGITS 11 /* of so many bytes: 58^11 is more than 2^64 */
#define DIGITS_MAX   (LINE_TEXT_MAX - sizeof(LINE_PREFIX))
#define SECOND_US    1000000u
#define PREFIX_SIZE  (sizeof(LINE_PREFIX) - 1)

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

_Static_assert(sizeof(alphabet) - 1 == BASE, "as many digits as the base says");

static size_t digits_of(size_t bytes)
{
	return (bytes * BLOCK_DIGITS + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void digest(const uint8_t *data, size_t length, uint8_t out[static LINE_DIGEST_BYTES])
{
	crypto_generichash(out, LINE_DIGEST_BYTES, data, length, NULL, 0);
}

static void checksum(const uint8_t *data, size_t length, uint8_t out[static LINE_CHECKSUM_BYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof(hash), data, length, NULL, 0);
	memcpy(out, hash, LINE_CHECKSUM_BYTES);
}

/* --- writing --- */

static void put_block(struct writer *w, struct span bytes)
{
	char digits[BLOCK_DIGITS];
	uint64_t value = 0;
	size_t count = digits_of(bytes.length);

	for (size_t i = 0; i < bytes.length; i++)
		value = value << 8 | bytes.data[i];
	for (size_t i = count; i--; value /= BASE)
		digits[i] = alphabet[value % BASE];
	writer_bytes(w, digits, count);
}

static int write_text(const uint8_t *data, size_t length, char text[static LINE_TEXT_MAX])
{
	struct reader r = reader_over(data, length);
	struct writer w = writer_over(text, LINE_TEXT_MAX);

	writer_bytes(&w, LINE_PREFIX, PREFIX_SIZE);
	while (reader_left(&r))
		put_block(&w, reader_span(&r, smaller(reader_left(&r), BLOCK_BYTES)));
	writer_u8(&w, '\0');
	return w.failed ? -EMSGSIZE : (int)w.position - 1;
}

int line_encode(struct line_content *l, char text[static LINE_TEXT_MAX])
{
	uint8_t data[LINE_BYTES_MAX], hello[HELLO_BYTES_MAX], sum[LINE_CHECKSUM_BYTES];
	struct writer w = writer_over(data, sizeof(data));
	int length = hello_encode(&l->hello, hello, sizeof(hello));

	if (l->time_s > LINE_TIME_MAX)
		return -EINVAL;
	if (length < 0)
		return length;
	writer_u8(&w, LINE_VERSION);
	writer_bytes(&w, l->share, sizeof(l->share));
	writer_u8(&w, (uint8_t)(l->time_s >> 32));
	writer_u32(&w, (uint32_t)l->time_s);
	writer_bytes(&w, hello, (size_t)length);
	digest(data, w.position, l->digest);
	checksum(data, w.position, sum);
	writer_bytes(&w, sum, sizeof(sum));
	return w.failed ? -EMSGSIZE : write_text(data, w.position, text);
}

/* --- reading --- */

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

/* The values of the digits behind the prefix. */
static int read_digits(const char *text, uint8_t out[static DIGITS_MAX], size_t *count)
{
	struct writer w = writer_over(out, DIGITS_MAX);
	size_t prefix = 0;

	for (; *text; text++) {
		const char *digit = strchr(alphabet, *text);

		if (!is_letter_or_digit(*text))
			continue;
		if (prefix < PREFIX_SIZE) {
			if (to_lower(*text) != LINE_PREFIX[prefix++])
				return -EBADMSG;
			continue;
		}
		if (!digit)
			return -EILSEQ;
		writer_u8(&w, (uint8_t)(digit - alphabet));
	}
	*count = w.position;
	if (prefix < PREFIX_SIZE)
		return -EBADMSG;
	return w.failed ? -EILSEQ : 0;
}

/* Whether so many digits are a block, and the value is none that takes fewer digits or more bytes. */
static bool take_block(struct span digits, struct writer *w)
{
	size_t bytes = digits.length * BLOCK_BYTES / BLOCK_DIGITS;
	uint64_t value = 0;

	for (size_t i = 0; i < digits.length; i++)
		if (__builtin_mul_overflow(value, BASE, &value) ||
			__builtin_add_overflow(value, digits.data[i], &value))
			return false;
	if (digits_of(bytes) != digits.length || (bytes < BLOCK_BYTES && value >> 8 * bytes))
		return false;
	for (size_t i = bytes; i--;)
		writer_u8(w, (uint8_t)(value >> 8 * i));
	return true;
}

static int read_bytes(const char *text, uint8_t out[static LINE_BYTES_MAX], size_t *length)
{
	struct writer w = writer_over(out, LINE_BYTES_MAX);
	uint8_t digits[DIGITS_MAX];
	struct reader r;
	size_t count;
	int err = read_digits(text, digits, &count);

	if (err)
		return err;
	r = reader_over(digits, count);
	while (reader_left(&r))
		if (!take_block(reader_span(&r, smaller(reader_left(&r), BLOCK_DIGITS)), &w))
			return -EILSEQ;
	*length = w.position;
	return w.failed ? -EILSEQ : 0;
}

/* What stands before the checksum. */
static int decode_body(struct span body, struct line_content *out)
{
	struct reader r = reader_over(body.data, body.length);
	uint8_t version = reader_u8(&r);
	struct line_content l;
	struct span hello;

	reader_copy(&r, l.share, sizeof(l.share));
	l.time_s = (uint64_t)reader_u8(&r) << 32;
	l.time_s |= reader_u32(&r);
	hello = reader_span(&r, reader_left(&r));
	/* nothing was damaged on the way: who has made it means what is not known here */
	if (r.failed || version != LINE_VERSION || hello_decode(hello.data, hello.length, &l.hello))
		return -EPROTO;
	digest(body.data, body.length, l.digest);
	*out = l;
	return 0;
}

int line_decode(const char *text, struct line_content *out)
{
	uint8_t data[LINE_BYTES_MAX], sum[LINE_CHECKSUM_BYTES];
	struct span body, got;
	struct reader r;
	size_t length;
	int err = read_bytes(text, data, &length);

	if (err)
		return err;
	r = reader_over(data, length);
	body = reader_span(&r, length < sizeof(sum) ? 0 : length - sizeof(sum));
	got = reader_span(&r, sizeof(sum));
	if (r.failed)
		return -EILSEQ;
	checksum(body.data, body.length, sum);
	return memcmp(sum, got.data, sizeof(sum)) ? -EILSEQ : decode_body(body, out);
}

/* --- when --- */

int line_slot_at(uint64_t own_time_s, uint64_t peer_time_s, uint64_t now_us, uint32_t slot_us,
	struct line_slot *out)
{
	uint64_t later_s = own_time_s > peer_time_s ? own_time_s : peer_time_s, first_us;

	if (!slot_us || later_s > LINE_TIME_MAX || now_us / SECOND_US > LINE_TIME_MAX)
		return -EINVAL;
	first_us = (later_s * SECOND_US + slot_us - 1) / slot_us * slot_us;
	out->number = now_us > first_us ? (now_us - first_us) / slot_us : 0;
	out->begin_us = first_us + out->number * slot_us;
	out->next_us = out->begin_us + slot_us;
	return 0;
}
