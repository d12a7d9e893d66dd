// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/line.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define SECOND	  1000000
#define TIME_S	  UINT64_C(1795600000)

/* Of another implementation of BLAKE2b and base58: share 0 to 31, TIME_S, server-reflexive 192.0.2.7:7. */
#define HEAD_REST "2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416BkmjBhU"
#define HEAD	  "udp11AhgWvA75Ed" HEAD_REST
#define TAIL_REST "JPi113Cyyk1ku111J2yVmfBVR"
#define TAIL	  TAIL_REST "GU6"
#define SAMPLE	  HEAD TAIL

static struct line_content sample(void)
{
	struct line_content l = {.time_s = TIME_S,
		.hello = {.transport = HELLO_UDP,
			.candidates = {{CHECK_SERVER_REFLEXIVE,
				{FAMILY_IPV4, 7, 0, {192, 0, 2, 7}}}},
			.candidate_count = 1}};

	for (size_t i = 0; i < sizeof(l.share); i++)
		l.share[i] = (uint8_t)i;
	return l;
}

static int decode_exact(const char *text, size_t length, struct line_content *out)
{
	char *exact = malloc(length + 1); /* a sanitizer sees what is read beyond it */
	int err;

	assert_non_null(exact);
	memcpy(exact, text, length);
	exact[length] = '\0';
	err = line_decode(exact, out);
	free(exact);
	return err;
}

static void assert_sample(const struct line_content *l)
{
	struct line_content expected = sample();

	assert_memory_equal(l->share, expected.share, sizeof(l->share));
	assert_int_equal(l->time_s, expected.time_s);
	assert_memory_equal(&l->hello, &expected.hello, sizeof(l->hello));
}

static void test_encode(void **state)
{
	struct line_content l = sample(), out;
	char text[LINE_TEXT_MAX];

	(void)state;
	assert_int_equal(line_encode(&l, text), strlen(SAMPLE));
	assert_string_equal(text, SAMPLE);
	l.time_s = LINE_TIME_MAX;
	l.hello.candidate_count = 0;
	memset(l.share, 0xff, sizeof(l.share));
	line_encode(&l, text);
	assert_string_equal(
		text, "udp11LQM2cdzDY2jpXCZedGfVQjpXCZedGfVQjpXCZedGfVQjpXCZedGL5v111W1qDRDu");
	assert_int_equal(decode_exact(text, strlen(text), &out), 0);
	assert_int_equal(out.time_s, LINE_TIME_MAX);
	assert_memory_equal(out.share, l.share, sizeof(l.share));
	assert_memory_equal(out.digest, l.digest, sizeof(l.digest));
	l.time_s++;
	assert_int_equal(line_encode(&l, text), -EINVAL);
	l.time_s = 0;
	l.hello.side[0].depth = PAIR_DEPTH_MAX + 1;
	l.hello.has_side[0] = true;
	assert_int_equal(line_encode(&l, text), -EMSGSIZE);
}

/* As much as a hello can say. */
static void test_longest(void **state)
{
	struct line_content l = sample(), out;
	char text[LINE_TEXT_MAX];
	int n;

	(void)state;
	l.hello.candidate_count = HELLO_CANDIDATES;
	for (unsigned i = 0; i < HELLO_CANDIDATES; i++)
		l.hello.candidates[i].endpoint =
			(struct endpoint){FAMILY_IPV6, (uint16_t)(i + 1), 0, {0xfd, [15] = 7}};
	l.hello.has_side[0] = l.hello.has_side[1] = true;
	l.hello.latest = l.hello.attempt.offender = l.hello.candidates[0].endpoint;
	l.hello.port_count = CHECKS_PORTS;
	l.hello.attempt.number = 1;
	n = line_encode(&l, text);
	assert_in_range(n, 900, LINE_TEXT_MAX - 1);
	assert_int_equal(strlen(text), n);
	assert_int_equal(decode_exact(text, (size_t)n, &out), 0);
	assert_memory_equal(&out.hello, &l.hello, sizeof(l.hello));
}

/* As chats and mails hand it over. */
static void test_tolerated(void **state)
{
	static const char *const rows[] = {
		SAMPLE,
		" \t" SAMPLE "\r\n\n",
		"\"" SAMPLE "\"",
		"'" SAMPLE "'",
		"`" SAMPLE "`",
		"**" SAMPLE "**",
		"<" SAMPLE ">.",
		"> " HEAD "\n> " TAIL "\n",
		">> " HEAD "\r\n>> " TAIL,
		HEAD "=\n" TAIL,
		HEAD " \n\t " TAIL,
		HEAD "-\n" TAIL,
		"\xe2\x80\x9e" SAMPLE "\xe2\x80\x9c", /* quotes */
		"\xc2\xab\xc2\xa0" SAMPLE "\xc2\xa0\xc2\xbb", /* and blanks that do not break */
		HEAD "\xe2\x80\x8b" TAIL, /* a blank without width */
		"\xef\xbb\xbf" SAMPLE, /* the mark at the beginning of a file */
		"UDP11AhgWvA75Ed" HEAD_REST TAIL,
		"Udp1-1AhgWvA75Ed" HEAD_REST TAIL,
	};
	struct line_content out;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		memset(&out, 0xff, sizeof(out));
		if (decode_exact(rows[i], strlen(rows[i]), &out))
			fail_msg("row %zu: %s", i, rows[i]);
		assert_sample(&out);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{"", -EBADMSG},
		{" > \n\"\"", -EBADMSG},
		{"7-acorn-albatross", -EBADMSG},
		{"u", -EBADMSG},
		{"udp", -EBADMSG},
		{"udp 2", -EBADMSG},
		{"dp1" HEAD_REST TAIL, -EBADMSG},
		{"your line: " SAMPLE, -EBADMSG},
		{"\xc3\xbc"
		 "dp1",
			-EBADMSG},
		{"udp1", -EILSEQ},
		{"udp11", -EILSEQ},
		{"udp111", -EILSEQ},
		{SAMPLE " " SAMPLE, -EILSEQ},
		{SAMPLE "1", -EILSEQ},
		{HEAD "0" TAIL, -EILSEQ},
		{HEAD "l" TAIL, -EILSEQ},
		{"udp1zzzzzzzzzzz", -EILSEQ},
		/* other digits for the same bits: with 2^64 more, 2^16 more, a zero more */
		{"udp1jzDt5ZnNjj3" HEAD_REST TAIL, -EILSEQ},
		{HEAD TAIL_REST "bx2", -EILSEQ},
		{HEAD TAIL_REST "1GU6", -EILSEQ},
		/* version 2, and 0 */
		{"udp11LQMXiybgW9" HEAD_REST "JPi113Cyyk1ku111J2yVmfNxB7Hr", -EPROTO},
		{"udp11111W7LcTy7" HEAD_REST "JPi111W4F4pZr", -EPROTO},
		/* a hello of version 2, one that breaks off, none; a share that breaks off, nothing */
		{HEAD "JU8111W6yDEZ5", -EPROTO},
		{HEAD "JPi113Cyyk3yRx2K", -EPROTO},
		{HEAD "LF3G9W", -EPROTO},
		{"udp11AhgWvA75Ed2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y413htJmW", -EPROTO},
		{"udp16BothN", -EPROTO},
	};
	struct line_content out, untouched;

	(void)state;
	memset(&out, 0xff, sizeof(out));
	untouched = out;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int err = decode_exact(rows[i].text, strlen(rows[i].text), &out);

		if (err != rows[i].result)
			fail_msg("row %zu: %d: %s", i, err, rows[i].text);
		assert_memory_equal(&out, &untouched, sizeof(out));
	}
}

/* Cut, with a character missing, doubled or changed, or with two exchanged. */
static void test_damaged(void **state)
{
	static const char others[] =
		"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl";
	static const char whole[] = SAMPLE;
	const size_t n = strlen(whole), prefix = strlen(LINE_PREFIX);
	char text[sizeof(whole) + 1];
	struct line_content out;

	(void)state;
	for (size_t at = prefix; at < n; at++) {
		assert_int_equal(decode_exact(whole, at, &out), -EILSEQ);
		memcpy(text, whole, at);
		memcpy(text + at, whole + at + 1, n - at - 1);
		assert_int_equal(decode_exact(text, n - 1, &out), -EILSEQ);
		memcpy(text, whole, at + 1);
		memcpy(text + at + 1, whole + at, n - at);
		assert_int_equal(decode_exact(text, n + 1, &out), -EILSEQ);
		for (const char *c = others; *c; c++) {
			memcpy(text, whole, n);
			text[at] = *c;
			assert_int_equal(
				decode_exact(text, n, &out), *c == whole[at] ? 0 : -EILSEQ);
		}
		memcpy(text, whole, n);
		text[at] = whole[at - 1];
		text[at - 1] = whole[at];
		if (at > prefix && text[at] != text[at - 1])
			assert_int_equal(decode_exact(text, n, &out), -EILSEQ);
	}
}

/* What never ends. */
static void test_flood(void **state)
{
	static char text[1 << 20];
	struct line_content out;

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	assert_int_equal(line_decode(text, &out), -EBADMSG);
	memcpy(text, LINE_PREFIX, strlen(LINE_PREFIX));
	assert_int_equal(line_decode(text, &out), -EILSEQ);
	memset(text, '>', sizeof(text) - 1);
	assert_int_equal(line_decode(text, &out), -EBADMSG);
	memcpy(text + sizeof(text) - sizeof(SAMPLE), SAMPLE, sizeof(SAMPLE));
	assert_int_equal(line_decode(text, &out), 0);
	assert_sample(&out);
}

/* --- slots --- */

static void test_begin(void **state)
{
	enum { AT = 1000 }; /* a whole slot of 10 s, and of 8 s, but not of 7 s */
	static const struct {
		uint64_t own_s, peer_s, now_us;
		uint32_t slot_us;
		uint64_t number, begin_us;
	} rows[] = {
		{AT, AT, AT * UINT64_C(1000000), 10 * SECOND, 0, 1000000000},
		{AT, AT, AT * UINT64_C(1000000) - 1, 10 * SECOND, 0, 1000000000},
		{AT, AT, 0, 10 * SECOND, 0, 1000000000},
		{AT, AT, 1009999999, 10 * SECOND, 0, 1000000000},
		{AT, AT, 1010000000, 10 * SECOND, 1, 1010000000},
		{AT, AT - 5, 1010000000, 10 * SECOND, 1, 1010000000},
		{AT - 5, AT, 1010000000, 10 * SECOND, 1, 1010000000},
		{AT - 9, AT - 500, 1010000000, 10 * SECOND, 1, 1010000000},
		{AT + 1, AT, 1010000000, 10 * SECOND, 0, 1010000000},
		{AT, AT + 1, 1003000000, 10 * SECOND, 0, 1010000000},
		{AT, 0, 1000000000 + 3600 * UINT64_C(1000000), 10 * SECOND, 360, 4600000000},
		{AT, AT, 1008000001, 8 * SECOND, 1, 1008000000},
		{AT, AT, 1001000000, 7 * SECOND, 0, 1001000000},
		{AT, AT, 1007999999, 7 * SECOND, 0, 1001000000},
		{AT, AT, 1008000000, 7 * SECOND, 1, 1008000000},
		{AT, AT, 1000000001, 1, 1, 1000000001},
		{0, 0, 0, UINT32_MAX, 0, 0},
		{LINE_TIME_MAX, 0, 0, SECOND, 0, LINE_TIME_MAX * SECOND},
		{0, 0, LINE_TIME_MAX * SECOND + SECOND - 1, SECOND, LINE_TIME_MAX,
			LINE_TIME_MAX * SECOND},
	};
	struct line_slot s;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		assert_int_equal(line_slot_at(rows[i].own_s, rows[i].peer_s, rows[i].now_us,
					 rows[i].slot_us, &s),
			0);
		if (s.number != rows[i].number || s.begin_us != rows[i].begin_us)
			fail_msg("row %zu: slot %ju, %ju", i, (uintmax_t)s.number,
				(uintmax_t)s.begin_us);
		assert_int_equal(s.next_us, s.begin_us + rows[i].slot_us);
	}
	assert_int_equal(line_slot_at(0, 0, 0, 0, &s), -EINVAL);
	assert_int_equal(line_slot_at(LINE_TIME_MAX + 1, 0, 0, SECOND, &s), -EINVAL);
	assert_int_equal(line_slot_at(0, LINE_TIME_MAX + 1, 0, SECOND, &s), -EINVAL);
	assert_int_equal(line_slot_at(0, 0, (LINE_TIME_MAX + 1) * SECOND, SECOND, &s), -EINVAL);
}

/* One side of a meeting: how far its clock is off, and when it makes its line and reads the other's. */
struct side {
	int off_us;
	uint64_t made_us, entered_us;
};

static struct line_slot slot_of(
	const struct side *own, const struct side *peer, uint64_t at_us, uint32_t slot_us)
{
	struct line_slot s;
	uint64_t own_s = (own->made_us + (uint64_t)own->off_us) / SECOND,
		 peer_s = (peer->made_us + (uint64_t)peer->off_us) / SECOND;

	assert_int_equal(
		line_slot_at(own_s, peer_s, at_us + (uint64_t)own->off_us, slot_us, &s), 0);
	return s;
}

/*
 * The same slots, by number and by UTC, of which who comes later has missed the first ones; and the same one at the
 * same moment, but where the clocks of the two have it begin one after the other.
 */
static void meet(const struct side sides[2], uint32_t slot_us)
{
	uint64_t begin_us = sides[0].made_us;

	for (uint64_t at_us = begin_us; at_us < begin_us + 120 * SECOND; at_us += SECOND / 20) {
		struct line_slot s[2];
		int64_t late_us[2];

		for (int i = 0; i < 2; i++) {
			s[i] = slot_of(&sides[i], &sides[!i], at_us, slot_us);
			/* by its own clock */
			late_us[i] = (int64_t)(at_us - s[i].begin_us) + sides[i].off_us;
			assert_true(late_us[i] < (int64_t)slot_us);
			assert_true(late_us[i] >= 0 || !s[i].number);
			assert_int_equal(s[i].begin_us % slot_us, 0);
		}
		if (at_us < sides[0].entered_us || at_us < sides[1].entered_us)
			continue;
		assert_int_equal((int64_t)(s[0].begin_us - s[1].begin_us),
			(int64_t)(s[0].number - s[1].number) * slot_us);
		assert_true(s[0].number - s[1].number + 1 <= 2);
		if (s[0].number > s[1].number)
			assert_true(late_us[0] < sides[0].off_us - sides[1].off_us);
		if (s[1].number > s[0].number)
			assert_true(late_us[1] < sides[1].off_us - sides[0].off_us);
	}
}

static void test_clocks(void **state)
{
	static const uint32_t slots_us[] = {10 * SECOND, 7 * SECOND, 2500000};
	static const int off_us[] = {-SECOND, -SECOND / 2, 0, 1, SECOND};
	const uint64_t begin_us = TIME_S * SECOND + 123456;

	(void)state;
	for (size_t i = 0; i < LENGTH(slots_us) * LENGTH(off_us) * LENGTH(off_us); i++) {
		struct side sides[2] = {
			{off_us[i / LENGTH(slots_us) % LENGTH(off_us)], begin_us, 0},
			{off_us[i / LENGTH(slots_us) / LENGTH(off_us)], 0, 0}};

		for (unsigned gap_s = 0; gap_s < 40; gap_s += 13) {
			sides[1].made_us = begin_us + gap_s * SECOND;
			sides[0].entered_us = sides[1].made_us + 5 * SECOND;
			sides[1].entered_us = sides[1].made_us + 17 * SECOND;
			meet(sides, slots_us[i % LENGTH(slots_us)]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_tolerated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
