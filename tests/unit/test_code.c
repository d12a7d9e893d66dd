// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "punch/code.h"
#include "punch/words.h"
#include "test_punch_kit.h"

#define X32  "12345678901234567890123456789012"
#define X128 X32 X32 X32 X32

static void test_parse(void **state)
{
	static const struct {
		const char *text, *nameplate, *secret;
	} rows[] = {
		{"7-acorn-albatross", "7", "acorn-albatross"},
		{"7-ACORN-Albatross", "7", "acorn-albatross"},
		{" 7-acorn albatross\n", "7", "acorn-albatross"},
		{"7 acorn albatross", "7", "acorn-albatross"},
		{"7-acorn__albatross--", "7", "acorn-albatross"},
		{"--7 - acorn \t_- albatross", "7", "acorn-albatross"},
		{"Team42-x9", "team42", "x9"}, {"a-b-c-d", "a", "b-c-d"}, {X32 "-ab", X32, "ab"},
		{"1-" X128, "1", X128}, {X32 "-" X128 "  ", X32, X128},
		{"1-p\xc3\xa4ss!?\"'", "1", "p\xc3\xa4ss!?\"'"},
		{"1-\xc3\x84x", "1", "\xc3\x84x"}, /* only ASCII has a lower case here */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char error[200] = "";
		struct code c;

		assert_int_equal(code_parse(rows[i].text, &c, error, sizeof(error)), 0);
		assert_string_equal(c.nameplate, rows[i].nameplate);
		assert_string_equal(c.secret, rows[i].secret);
		assert_string_equal(error, "");
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "1 to 32 letters or digits"},
		{" - ", "1 to 32 letters or digits"},
		{"7", "1 to 32 letters or digits"},
		{"7-", "1 to 32 letters or digits"},
		{"acorn", "1 to 32 letters or digits"},
		{"7.acorn-albatross", "1 to 32 letters or digits"},
		{"\xc3\xa4-hush", "1 to 32 letters or digits"},
		{X32 "3-hush", "1 to 32 letters or digits"},
		{X128 X32 X32 "-hush", "1 to 32 letters or digits"},
		{"7-h", "2 to 128 bytes"},
		{"7-h-_ ", "2 to 128 bytes"},
		{"7-h" X128, "2 to 128 bytes"},
		{X32 "-h" X128, "2 to 128 bytes"},
		{"7-h" X128 X128 X128, "2 to 128 bytes"},
		{"7-hu\x01sh", "control characters"},
		{"7-hu\x1bsh", "control characters"},
		{"7-hush\x7f", "control characters"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char error[200] = "", small[5] = "";
		struct code c;

		assert_int_equal(code_parse(rows[i].text, &c, error, sizeof(error)), -EINVAL);
		if (!strstr(error, rows[i].expected))
			fail_msg("row %zu: %s", i, error);
		assert_null(strstr(error, "hu"));
		assert_non_null(strstr(error, CODE_EXAMPLE));
		assert_true(sodium_is_zero((const uint8_t *)&c, sizeof(c)));
		assert_int_equal(code_parse(rows[i].text, &c, small, sizeof(small)), -EINVAL);
		assert_int_equal(strlen(small), sizeof(small) - 1);
	}
}

/* Of another implementation of BLAKE2b. */
static void test_session_id(void **state)
{
	static const struct {
		const char *text, *id;
	} rows[] = {{"7-acorn-albatross", "7b02680ec328c3f36acaab495d93cb70"},
		{"7-other-secret", "7b02680ec328c3f36acaab495d93cb70"},
		{"abc123-xx", "32e3e46ed3bf03b491b96587096b4156"},
		{"ABC123 xx", "32e3e46ed3bf03b491b96587096b4156"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t id[CODE_SESSION_BYTES], expected[CODE_SESSION_BYTES];
		char error[200];
		struct code c;

		assert_int_equal(code_parse(rows[i].text, &c, error, sizeof(error)), 0);
		code_session_id(&c, id);
		assert_int_equal(from_hex(rows[i].id, expected), sizeof(expected));
		assert_memory_equal(id, expected, sizeof(id));
		code_wipe(&c);
		assert_true(sodium_is_zero((const uint8_t *)&c, sizeof(c)));
	}
}

/* What is made reads back as it was written, repeats with the seed, and uses all words. */
static void test_make(void **state)
{
	enum { DRAWS = 8192 };
	static char seen[WORDS_LISTS][WORDS_COUNT];
	struct random random, again;

	(void)state;
	random_init_number(&random, 7);
	random_init_number(&again, 7);
	for (uint32_t i = 0; i < DRAWS; i++) {
		uint32_t number = i % 2 ? i : UINT32_MAX - i;
		char text[CODE_TEXT], second[CODE_TEXT], error[200], meant[CODE_TEXT],
			expected[CODE_TEXT];
		struct code c;

		code_make(number, &random, text);
		code_make(number, &again, second);
		assert_string_equal(text, second);
		assert_int_equal(code_parse(text, &c, error, sizeof(error)), 0);
		snprintf(expected, sizeof(expected), "%s-%s", c.nameplate, c.secret);
		assert_string_equal(text, expected);
		assert_int_equal(strtoul(c.nameplate, NULL, 10), number);
		if (i < 20)
			assert_false(code_complete(&c, meant));
		for (unsigned list = 0; list < WORDS_LISTS; list++)
			for (unsigned w = 0; w < WORDS_COUNT; w++) {
				size_t n = strlen(words_at(list, w));
				size_t at = list ? strlen(c.secret) - n : 0;

				if (n < strlen(c.secret) &&
					!strncmp(c.secret + at, words_at(list, w), n) &&
					c.secret[list ? at - 1 : n] == '-')
					seen[list][w] = 1;
			}
	}
	assert_null(memchr(seen, 0, sizeof(seen)));
}

static void test_complete(void **state)
{
	static const struct {
		const char *text, *meant; /* NULL: no hint */
	} rows[] = {
		{"7-acorn-albatross", NULL},
		{"7-acron-albatross", "7-acorn-albatross"},
		{"7-acorn-albatros", "7-acorn-albatross"},
		{"7-acorn-albatss", "7-acorn-albatross"},
		{"7-corn-albatross", "7-acorn-albatross"},
		{"7-acornes-albatross", "7-acorn-albatross"},
		{"7-akorn-allbatros", "7-acorn-albatross"},
		{"7-albatross-acorn", "7-acorn-albatross"}, /* swapped */
		{"7-albatros-acorn", "7-acorn-albatross"},
		{"7-acorn-acorn", NULL},
		{"7-acorn-shibboleth", NULL},
		{"7-shibboleth-albatross", NULL},
		{"7-acorn-albatrossxx", "7-acorn-albatross"},
		{"7-acorn-albatrossxxx", NULL},
		{"7-acornxyz-albatross", NULL}, /* three letters */
		{"7-acorn-albatross-more", NULL},
		{"7-acorn-albatros-s", NULL},
		{"7-acron", NULL},
		{"team-acron-albatross", NULL}, /* not a number */
		{"7a-acron-albatross", NULL},
		{"7-" X32 X32 "-albatross", NULL},
		{"7-\xc3\xa4"
		 "corn-albatross",
			"7-acorn-albatross"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char error[200], meant[CODE_TEXT] = "";
		struct code c;

		assert_int_equal(code_parse(rows[i].text, &c, error, sizeof(error)), 0);
		if (code_complete(&c, meant) != (rows[i].meant != NULL))
			fail_msg("row %zu: %s", i, meant);
		if (rows[i].meant)
			assert_string_equal(meant, rows[i].meant);
	}
}

/* Of each word each letter left out, or replaced: the word is found again. */
static void test_complete_all(void **state)
{
	(void)state;
	for (unsigned w = 0; w < WORDS_COUNT; w++) {
		const char *first = words_at(0, w), *second = words_at(1, w);

		for (size_t i = 0; i < strlen(second); i++) {
			char meant[CODE_TEXT], expected[CODE_TEXT];
			struct code c = {.nameplate = "1"};

			snprintf(expected, sizeof(expected), "1-%s-%s", first, second);
			snprintf(c.secret, sizeof(c.secret), "%s-%.*s%s", first, (int)i, second,
				second + i + 1);
			assert_true(code_complete(&c, meant));
			assert_string_equal(meant, expected);
			snprintf(c.secret, sizeof(c.secret), "%s-%s", first, second);
			c.secret[strlen(first) + 1 + i] = '?';
			assert_true(code_complete(&c, meant));
			assert_string_equal(meant, expected);
		}
	}
}

/* Levenshtein's, in the plainest form. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORDS_LENGTH_MAX + 1][WORDS_LENGTH_MAX + 1] = {0};
	size_t n = strlen(a), m = strlen(b);

	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			unsigned best = i ? d[i - 1][j] + 1 : j ? UINT32_MAX : 0;

			if (j && d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i && j && d[i - 1][j - 1] + (a[i - 1] != b[j - 1]) < best)
				best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			d[i][j] = best;
		}
	return d[n][m];
}

/*
 * 512 distinct words of four to nine letters in order; none begins like another one as a whole, and any two, also
 * of different lists, differ in three letters at least.
 */
static void test_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORDS_LISTS * WORDS_COUNT; i++) {
		const char *word = words_at(i / WORDS_COUNT, i % WORDS_COUNT);

		assert_non_null(word);
		assert_in_range(strlen(word), 4, WORDS_LENGTH_MAX);
		assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz"), strlen(word));
		for (unsigned j = 0; j < i; j++) {
			const char *other = words_at(j / WORDS_COUNT, j % WORDS_COUNT);

			if (distance(word, other) < 3 || !strncmp(word, other, strlen(other)) ||
				!strncmp(word, other, strlen(word)))
				fail_msg("%s and %s", word, other);
			if (i / WORDS_COUNT == j / WORDS_COUNT)
				assert_true(strcmp(other, word) < 0);
		}
	}
	assert_null(words_at(WORDS_LISTS, 0));
	assert_null(words_at(0, WORDS_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_session_id),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_complete_all),
		cmocka_unit_test(test_words),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
