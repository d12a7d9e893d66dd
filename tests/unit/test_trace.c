// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What a TTL ladder says: as letters, one a rung. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "journal/trace.h"

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 1, &e), 0);
	e.port = 0;
	return e;
}

/*
 * A, B ...: that router says that the TTL has run out; a, b ...: it says that it goes no further; '.': silence; T: the
 * target says that its port is closed; t: it has answered as a server; X: the TTL has run out inside of it.
 */
static struct trace build(const char *letters)
{
	struct trace t = {.to = at("203.0.113.1")};

	for (; *letters; letters++) {
		struct hop *h = &t.hops[t.hop_count++];

		h->sent = 1;
		if (*letters == '.')
			continue;
		h->answers = 1;
		h->icmp = *letters != 't';
		h->from = t.to;
		h->type = *letters == 'T' || (*letters >= 'a' && *letters < 't') ? 3 : 11;
		h->code = h->type == 3 ? 13 : 0;
		if (*letters == 'T' || *letters == 't' || *letters == 'X')
			continue;
		h->from = at("192.0.2.1");
		h->from.address[3] = (uint8_t)(*letters & 31);
	}
	return t;
}

static void test_table(void **state)
{
	static const struct {
		const char *letters;
		unsigned end, length, last;
	} rows[] = {
		{"", 0, 0, 0},
		{"....", 0, 4, 0},
		{"A....", 0, 5, 1},
		{"AB....", 0, 6, 2},
		{"A.C....", 0, 7, 3},
		{"ABT", 3, 3, 2},
		{"ABTTT", 3, 3, 2},
		{"ABt", 3, 3, 2},
		{"ABX", 3, 3, 2},
		{"T", 1, 1, 0},
		{"..T", 3, 3, 0},
		/* a router that lets a TTL run out and refuses the next one */
		{"ABb", 3, 3, 2},
		{"ABbb.", 3, 3, 2},
		{"Aa", 2, 2, 1},
		{"a", 1, 1, 1},
		{"A.b", 3, 3, 3},
		{"ABc", 3, 3, 3},
		/* a loop is a loop */
		{"ABABAB....", 0, 10, 6},
		{"AAAA....", 0, 8, 4},
		/* what comes from behind the end is of another way */
		{"ABTD", 3, 3, 2},
		{"AbC", 2, 2, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct trace t = build(rows[i].letters);

		if (trace_end(&t) != rows[i].end || trace_length(&t) != rows[i].length ||
			trace_last_router(&t) != rows[i].last)
			fail_msg("%s: end %u, length %u, last %u", rows[i].letters, trace_end(&t),
				trace_length(&t), trace_last_router(&t));
	}
}

static void test_kinds(void **state)
{
	(void)state;
	assert_true(trace_is_expiry(FAMILY_IPV4, 11, 0));
	assert_false(trace_is_expiry(FAMILY_IPV4, 11, 1)); /* of reassembly */
	assert_true(trace_is_expiry(FAMILY_IPV6, 3, 0));
	assert_false(trace_is_expiry(FAMILY_IPV6, 11, 0));
	for (uint8_t code = 0; code < 16; code++)
		assert_int_equal(trace_is_refusal(FAMILY_IPV4, 3, code), code != 4);
	assert_true(trace_is_refusal(FAMILY_IPV6, 1, 4));
	assert_false(trace_is_refusal(FAMILY_IPV6, 2, 0));
	assert_false(trace_is_refusal(FAMILY_IPV4, 11, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
