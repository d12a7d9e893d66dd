// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * What somebody pastes as the other's line: any text, and any bytes with the checksum and in the digits of a line.
 * What is taken is written again, and read the same from the text as a mail would quote it. Behind both, what
 * the slots of any two times promise.
 */

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/line.h"

enum kind { TEXT, SEALED, SLOTS, KINDS };

#define QUOTED_MAX (2 * LINE_TEXT_MAX)

static bool same(const struct line_content *a, const struct line_content *b)
{
	uint8_t first[HELLO_BYTES_MAX], second[HELLO_BYTES_MAX];
	int n = hello_encode(&a->hello, first, sizeof(first));

	return a->time_s == b->time_s && !memcmp(a->share, b->share, sizeof(a->share)) && n > 0 &&
		hello_encode(&b->hello, second, sizeof(second)) == n &&
		!memcmp(first, second, (size_t)n);
}

static void quote(const char *text, char out[static QUOTED_MAX])
{
	for (size_t i = 0; text[i]; i++) {
		if (i % 20 == 0) {
			*out++ = '\n';
			*out++ = '>';
		}
		*out++ = text[i];
	}
	*out = '\0';
}

static void check_taken(struct line_content *l)
{
	struct line_content again;
	char text[LINE_TEXT_MAX], quoted[QUOTED_MAX];
	int n = line_encode(l, text);

	require(l->time_s <= LINE_TIME_MAX && l->hello.candidate_count <= HELLO_CANDIDATES);
	require(n > 0 && n < (int)LINE_TEXT_MAX && strlen(text) == (size_t)n);
	require(strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
		(size_t)n);
	quote(text, quoted);
	require(!line_decode(quoted, &again) && same(l, &again));
	text[n - 1] = '\0';
	require(line_decode(text, &again) == -EILSEQ);
}

static int check_text(const char *text)
{
	struct line_content l;
	int err = line_decode(text, &l);

	require(!err || err == -EBADMSG || err == -EILSEQ || err == -EPROTO);
	if (!err)
		check_taken(&l);
	return err;
}

static void check_any_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_text(text);
	free(text);
}

static void put_digits(struct writer *w, const uint8_t *data, size_t length)
{
	static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	const size_t count = (length * 11 + 7) / 8;
	uint64_t value = 0;
	char out[11];

	for (size_t i = 0; i < length; i++)
		value = value << 8 | data[i];
	for (size_t i = count; i--; value /= 58)
		out[i] = digits[value % 58];
	writer_bytes(w, out, count);
}

static void check_sealed(const uint8_t *data, size_t size)
{
	uint8_t bytes[LINE_BYTES_MAX + 8], hash[16];
	char text[2 * LINE_TEXT_MAX];
	struct writer w = writer_over(text, sizeof(text) - 1);
	size_t body = size < sizeof(bytes) - 4 ? size : sizeof(bytes) - 4;
	int err;

	if (body)
		memcpy(bytes, data, body);
	crypto_generichash(hash, sizeof(hash), bytes, body, NULL, 0);
	memcpy(bytes + body, hash, 4);
	writer_bytes(&w, "udp1", 4);
	for (size_t at = 0; at < body + 4; at += 8)
		put_digits(&w, bytes + at, body + 4 - at < 8 ? body + 4 - at : 8);
	require(!w.failed);
	text[w.position] = '\0';
	err = check_text(text);
	require(body + 4 > LINE_BYTES_MAX ? err == -EILSEQ : !err || err == -EPROTO);
}

static uint64_t take_time(struct reader *r)
{
	uint64_t high = reader_u32(r);

	return high << 32 | reader_u32(r);
}

static void check_slots(const uint8_t *data, size_t size)
{
	struct reader r = reader_over(data, size);
	uint64_t own_s = take_time(&r), peer_s = take_time(&r), now_us = take_time(&r);
	uint32_t slot_us = reader_u32(&r);
	struct line_slot a, b;
	int err = line_slot_at(own_s, peer_s, now_us, slot_us, &a);

	require(err == line_slot_at(peer_s, own_s, now_us, slot_us, &b));
	require(!err || err == -EINVAL);
	if (err)
		return;
	require(slot_us && own_s <= LINE_TIME_MAX && peer_s <= LINE_TIME_MAX);
	require(a.number == b.number && a.begin_us == b.begin_us && a.next_us == b.next_us);
	require(a.next_us - a.begin_us == slot_us && a.next_us > now_us);
	require(a.begin_us % slot_us == 0 && (a.begin_us <= now_us || !a.number));
	require(a.begin_us / 1000000 >= own_s && a.begin_us / 1000000 >= peer_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	require(sodium_init() >= 0);
	if (!size)
		return 0;
	switch ((enum kind)(*data % KINDS)) {
	case TEXT:
		check_any_text(data + 1, size - 1);
		break;
	case SEALED:
		check_sealed(data + 1, size - 1);
		break;
	default:
		check_slots(data + 1, size - 1);
		break;
	}
	return 0;
}
