// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "judge/explain.h"

static const struct pair_side router = {.status = PATH_OK,
	.nat = TRI_YES,
	.mapping = DEPENDENCE_ENDPOINT_INDEPENDENT,
	.filtering = DEPENDENCE_ADDRESS_AND_PORT,
	.early = EARLY_REMAP,
	.allocation = ALLOCATION_PRESERVING};
static const struct pair_side hard = {.status = PATH_OK,
	.nat = TRI_YES,
	.mapping = DEPENDENCE_ADDRESS_AND_PORT,
	.filtering = DEPENDENCE_ADDRESS_AND_PORT,
	.allocation = ALLOCATION_RANDOM};
static const struct pair_side unknown = {.status = PATH_OK, .nat = TRI_YES};
static const struct pair_side open_host = {
	.status = PATH_OK, .nat = TRI_NO, .filtering = DEPENDENCE_ENDPOINT_INDEPENDENT};

static bool has(const struct explain_list *l, const char *part)
{
	for (size_t i = 0; i < l->count; i++)
		if (strstr(l->text[i], part))
			return true;
	return false;
}

/* One attempt of 20 packets to the peer, of whose packets so many arrived here. */
static void explain(const struct pair_side *own, const struct pair_side *peer, unsigned here,
	struct explain_peer said, struct explanation *out)
{
	static const struct trail_event sent = {.kind = TRAIL_SENT},
					received = {.kind = TRAIL_RECEIVED};
	struct pair_advice advice = {.count = 1, .plans = {{.chance = 0.5}}};
	struct explain_facts facts = {
		.own = own, .peer = peer, .family = FAMILY_IPV4, .advice = &advice, .said = said};
	struct trail *t;

	assert_int_equal(trail_create(1, &t), 0);
	trail_attempt(t, 2, "direct");
	for (int i = 0; i < 20; i++)
		trail_add(t, &sent);
	while (here--)
		trail_add(t, &received);
	trail_end(t, 3, false);
	facts.trail = t;
	explain_failure(&facts, out);
	trail_destroy(t);
	assert_in_range(out->certain.count, 3, EXPLAIN_MAX);
	assert_true(out->try_next.count > 0);
}

static void test_direction(void **state)
{
	static const struct explain_peer heard = {.said = true, .sent = 30, .received = 7},
					 deaf = {.said = true, .sent = 30}, mute = {.said = false};
	static const struct {
		const struct pair_side *own, *peer;
		unsigned here;
		const struct explain_peer *said;
		const char *likely;
	} rows[] = {
		{&router, &router, 0, &heard, "firewall on this side"},
		{&router, &router, 3, &deaf, "firewall on the other side"},
		{&hard, &hard, 0, &deaf, "neither side can know"},
		{&unknown, &router, 0, &deaf, "the own NAT could not be measured"},
		{&router, &unknown, 0, &mute, "the peer's NAT could not be measured"},
		{&router, &router, 0, &mute, "that the measurement does not show"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct explanation e;

		explain(rows[i].own, rows[i].peer, rows[i].here, *rows[i].said, &e);
		assert_int_equal(e.likely.count, 1);
		assert_true(has(&e.likely, rows[i].likely));
		assert_int_equal(has(&e.certain, "30 packets sent"), rows[i].said->said);
		assert_true(has(&e.certain, "attempt 1, direct: 20 packets to the peer"));
		assert_true(has(&e.try_next, "50 of 100 runs"));
	}
}

static void test_advice(void **state)
{
	static const struct explain_peer mute = {.said = false};
	struct explanation e;

	(void)state;
	explain(&router, &router, 0, mute, &e);
	assert_false(has(&e.try_next, "--packets"));
	assert_true(has(&e.try_next, "--bind"));
	explain(&hard, &router, 0, mute, &e);
	assert_true(has(&e.try_next, "--packets"));
	assert_true(has(&e.try_next, "another network"));
	explain(&open_host, &open_host, 0, mute, &e);
	assert_false(has(&e.try_next, "--bind"));
	assert_true(has(&e.try_next, "relay"));
	explain(&router, &open_host, 0, mute, &e);
	assert_true(has(&e.try_next, "--bind"));
	explain(&open_host, &router, 0, mute, &e);
	assert_true(has(&e.try_next, "--bind"));
}

static void test_icmp(void **state)
{
	static const struct pair_advice none = {.why_not = "it would take 111657 packets"};
	struct explain_facts facts = {.own = &hard,
		.peer = &hard,
		.family = FAMILY_IPV4,
		.advice = &none,
		.other_family_possible = true};
	struct trail_event event = {.kind = TRAIL_SENT, .type = 3, .code = 13};
	struct explanation e;
	struct trail *t;

	(void)state;
	assert_int_equal(endpoint_parse("192.0.2.1", 0, &event.from), 0);
	assert_int_equal(endpoint_parse("203.0.113.9:4000", 0, &event.to), 0);
	assert_int_equal(trail_create(1, &t), 0);
	trail_add(t, &event);
	event.kind = TRAIL_ICMP;
	trail_add(t, &event);
	event.type = 11; /* of our own low TTL: no news */
	event.code = 0;
	trail_add(t, &event);
	facts.trail = t;
	explain_failure(&facts, &e);
	trail_destroy(t);
	assert_int_equal(e.certain.count, 3);
	assert_true(has(&e.certain,
		"192.0.2.1 sent ICMP type 3 code 13 (prohibited by a firewall), 1 times"));
	assert_true(has(&e.likely, "111657"));
	assert_true(has(&e.try_next, "IPv6: both sides have addresses"));
}

static void test_sides(void **state)
{
	static const struct {
		struct pair_side side;
		const char *text;
	} rows[] = {
		{{.status = PATH_BLOCKED}, "UDP blocked"},
		{{.status = PATH_OK, .nat = TRI_NO, .filtering = DEPENDENCE_ADDRESS},
			"no NAT, address-dependent filtering"},
	};
	char text[EXPLAIN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		explain_side(&rows[i].side, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
	explain_side(&router, text, sizeof(text));
	assert_non_null(strstr(text,
		"preserving ports, a packet of the peer that comes too early costs the port"));
	explain_side(&router, text, 8); /* cut, and nothing beyond */
	assert_int_equal(strlen(text), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
