// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A host that waits behind a NAT and another one that knocks without any server, in virtual time: natlab's NATs and
 * start offsets at random.
 */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/punchnet.h"

#define SECOND 1000000u
#define MS     1000u
#define SECRET "acorn-albatross-clockwork"

struct trial {
	const char *a, *b; /* kind of the NAT; NULL: none */
	const char *link;
	struct punchnet_config config;
};

static void put_side(char *text, size_t size, char name, const char *kind, const char *link)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "link delay=25ms hops=3 %s\n", link ? link : "");
	used = strlen(text);
	if (kind)
		snprintf(text + used, size - used,
			"nat %c kind=%s\nlink delay=0 hops=0 loss=0\nhost %c behind=%c\n", name,
			kind, name, name);
	else
		snprintf(text + used, size - used, "host %c\n", name);
}

static void fail_with(const struct punchnet_result *r, const char *what)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		const struct session_view *v = &r->party[i].view;
		const struct trail *t = r->party[i].trail;

		print_message("party %d: state %d, failure %d, %u packets, %u errors\n", i,
			(int)v->state, (int)v->failure, r->party[i].sent, r->party[i].errors);
		for (size_t k = 0; k < t->event_count; k++)
			if (t->events[k].kind == TRAIL_STEP)
				print_message("  %.1f ms %s\n", (double)t->events[k].t_us / 1000,
					t->events[k].text);
	}
	fail_msg("%s: %s", what, r->broken);
}

static bool trail_mentions(const struct trail *t, const char *words)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].kind == TRAIL_STEP && strstr(t->events[i].text, words))
			return true;
	return false;
}

static void run(const struct trial *trial, unsigned number, struct punchnet_result *out)
{
	struct punchnet_config c = trial->config;
	struct random random;
	char text[800] = "";

	if (c.ipv6)
		snprintf(text, sizeof(text), "families 4,6\n");
	put_side(text, sizeof(text), 'a', trial->a, trial->link);
	put_side(text, sizeof(text), 'b', trial->b, trial->link);
	snprintf(text + strlen(text), sizeof(text) - strlen(text),
		"link delay=5ms hops=1 loss=0\nhost server\n");
	random_init_number(&random, number);
	c.topology = text;
	c.seed = 5000 + number;
	c.knock = !c.signals;
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		if (!c.party[i].secret)
			c.party[i].secret = SECRET;
		if (!c.party[i].start_us)
			c.party[i].start_us = random_below(&random, 1500) * MS;
	}
	punchnet_run(&c, out);
	if (*out->broken)
		fail_with(out, "broken");
}

/* Both ends say the same of the way. */
static bool have_met(const struct punchnet_result *r)
{
	const struct punchnet_outcome *a = &r->party[0], *b = &r->party[1];
	bool met = a->view.state == SESSION_CONNECTED;

	if (met != (b->view.state == SESSION_CONNECTED) ||
		(met &&
			(!endpoint_equal(&a->checks.mapped, &b->remote) ||
				!endpoint_equal(&b->checks.mapped, &a->remote))))
		fail_with(r, "the sides do not agree");
	return met;
}

/* So many of so many runs have to succeed; how long the slowest took from when both were there. */
static uint64_t expect(
	const struct trial *trial, unsigned runs, unsigned successes, const char *what)
{
	unsigned met = 0;
	uint64_t slowest_us = 0;

	for (unsigned i = 0; i < runs; i++) {
		struct punchnet_result r;
		uint64_t took_us;

		run(trial, i, &r);
		if (have_met(&r)) {
			const struct session_view *a = &r.party[0].view, *b = &r.party[1].view;

			took_us = a->ended_us -
				(a->started_us > b->started_us ? a->started_us : b->started_us);
			met++;
			slowest_us = took_us > slowest_us ? took_us : slowest_us;
		} else if (successes == runs) {
			fail_with(&r, what);
		}
		punchnet_free(&r);
	}
	if (met != successes)
		fail_msg("%s: %u of %u, and not %u", what, met, runs, successes);
	return slowest_us;
}

static const char *const keeping[] = {
	"linux", "linux-accept", "linux-reject", "port-restricted", "full-cone", "restricted"};
#define KEEPING (sizeof(keeping) / sizeof(*keeping))

/* NATs that keep ports, and whoever knocks has no NAT: at once. */
static void test_kept_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEEPING; i++) {
		struct trial t = {.a = keeping[i]};
		uint64_t us = expect(&t, 50, 50, keeping[i]);

		if (us > 2200 * MS)
			fail_msg("%s: %u ms", keeping[i], (unsigned)(us / 1000));
	}
}

static void test_no_nat(void **state)
{
	struct trial t = {.a = NULL};

	(void)state;
	expect(&t, 50, 50, "no NAT");
}

static void test_ipv6(void **state)
{
	struct trial t = {.config = {.ipv6 = true}};

	(void)state;
	expect(&t, 50, 50, "IPv6");
}

static void test_loss(void **state)
{
	struct trial t = {.a = "linux", .link = "loss=5%"};

	(void)state;
	expect(&t, 50, 50, "loss");
}

/* A firewall that drops all types but one. */
static void test_types_in_turn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct trial t = {.a = "linux", .config = {.knock_types_lost = 0xf & ~(1u << i)}};

		expect(&t, 10, 10, "one type only");
	}
}

static void test_random_ports(void **state)
{
	struct trial t = {.a = "symmetric", .config = {.knock_further = 256}};

	(void)state;
	expect(&t, 50, 50, "random ports");
}

static void test_wrong_code(void **state)
{
	struct trial t = {
		.a = "linux", .config = {.wait_us = 8 * SECOND, .party[1].secret = "another-one"}};
	struct punchnet_result r;

	(void)state;
	run(&t, 1, &r);
	assert_false(have_met(&r));
	assert_int_equal(r.party[0].view.failure, SESSION_NO_PEER);
	assert_int_equal(r.party[1].view.failure, SESSION_NO_PEER);
	punchnet_free(&r);
}

/*
 * Each NAT of the one that knocks: it knows its endpoint from a STUN server, and its NAT lets errors out that belong to
 * nothing.
 */
static void test_behind_nat(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEEPING; i++)
		for (size_t k = 0; k < 2; k++) {
			struct trial t = {.a = keeping[i],
				.b = k ? "linux-accept" : "linux",
				.config = {.knock_stun = true}};

			expect(&t, 20, 20, keeping[i]);
		}
}

/*
 * One router between the two NATs: some of what has a low TTL reaches the other one. Where that gives out another port
 * for what came too early nothing can be done.
 */
static void test_short_way(void **state)
{
	struct trial t = {.b = "linux", .link = "hops=0", .config = {.knock_stun = true}};

	(void)state;
	for (size_t i = 0; i < KEEPING; i++) {
		if (!strcmp(keeping[i], "linux-accept"))
			continue;
		t.a = keeping[i];
		expect(&t, 20, 20, keeping[i]);
	}
}

/* … and the NAT of the waiting side gives out ports at random: all of its flows have to be open for the other one. */
static void test_behind_nat_random_ports(void **state)
{
	struct trial t = {.a = "symmetric",
		.b = "linux",
		.config = {.knock_stun = true, .knock_further = 256}};

	(void)state;
	expect(&t, 50, 50, "random ports, and a NAT");
}

/* Its NAT drops what RFC 5508 REQ-5 wants it to drop. */
static void test_behind_strict_nat(void **state)
{
	struct trial t = {.a = "linux",
		.b = "linux untracked-outward=dropped",
		.config = {.knock_stun = true, .wait_us = 8 * SECOND}};

	(void)state;
	expect(&t, 10, 0, "untracked errors dropped");
}

static void test_no_errors_inward(void **state)
{
	struct trial t = {.a = "linux errors-inward=no", .config = {.wait_us = 8 * SECOND}};

	(void)state;
	expect(&t, 10, 0, "errors dropped");
}

/* The datagram that goes along with the errors is enough where any may come in. */
static void test_full_cone_without_errors(void **state)
{
	struct trial t = {.a = "full-cone errors-inward=no"};

	(void)state;
	expect(&t, 20, 20, "a datagram");
}

/*
 * With a rendezvous: while ports are being guessed an error gets in at once, from a NAT that lets it out, whatever the
 * other one maps and filters.
 */
static void test_signals(void **state)
{
	static const char *const hard[] = {"symmetric", "symmetric-sequential", "linux-random"};

	(void)state;
	for (size_t i = 0; i < sizeof(hard) / sizeof(*hard); i++) {
		struct trial t = {.a = hard[i], .b = "linux", .config = {.signals = true}};
		struct punchnet_result r;
		unsigned heard = 0;

		for (unsigned k = 0; k < 10; k++) {
			run(&t, k, &r);
			have_met(&r);
			if (r.party[0].view.ended_us - r.party[0].view.exchanged_us > 300 * MS)
				heard += !r.party[0].view.signals_heard;
			punchnet_free(&r);
		}
		if (heard)
			fail_msg("%s: not heard in %u of 10", hard[i], heard);
	}
}

/* … and where it drops them, nothing is heard, and all goes on as without. */
static void test_signals_dropped(void **state)
{
	struct trial t = {.a = "symmetric",
		.b = "linux untracked-outward=dropped",
		.config = {.signals = true}};
	struct punchnet_result r;
	unsigned met = 0;

	(void)state;
	for (unsigned k = 0; k < 10; k++) {
		run(&t, k, &r);
		met += have_met(&r);
		assert_int_equal(r.party[0].view.signals_heard, 0);
		punchnet_free(&r);
	}
	assert_in_range(met, 8, 10);
}

/* Nobody was told when the way broke: it knocks again. */
static void test_again(void **state)
{
	struct trial t = {.a = "linux", .config = {.again = 3, .again_us = 5 * SECOND}};

	(void)state;
	expect(&t, 20, 20, "again");
}

static void test_dies(void **state)
{
	struct trial t = {.a = "linux",
		.config = {.party = {{.start_us = 1}, {.start_us = 1, .die_us = 120 * MS}}}};
	struct punchnet_result r;

	(void)state;
	t.config.limit_us = 40 * SECOND;
	run(&t, 1, &r);
	assert_int_equal(r.party[0].view.state, SESSION_WAITING);
	assert_true(trail_mentions(r.party[0].trail, "knock: an ICMP error"));
	punchnet_free(&r);
}

/* --- --classic: the knock as it was, over the same networks --- */

#define CLASSIC_US (6200 * MS) /* a period and what follows the error, and the way */

static void expect_classic(struct trial *t, unsigned runs, unsigned successes, const char *what)
{
	uint64_t us;

	t->config.knock_classic = true;
	if (!successes)
		t->config.wait_us = 12 * SECOND;
	us = expect(t, runs, successes, what);
	if (us > CLASSIC_US)
		fail_msg("%s: %u ms", what, (unsigned)(us / 1000));
}

static void test_classic_kept_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEEPING; i++) {
		struct trial t = {.a = keeping[i]};

		/* the datagram must not come before all that opens the NAT */
		if (!strcmp(keeping[i], "linux-accept"))
			t.config.party[1].start_us = 1500 * MS;
		expect_classic(&t, 50, 50, keeping[i]);
	}
	expect_classic(&(struct trial){.a = NULL}, 20, 20, "no NAT");
}

/* … or that gives out another port, as long as datagrams come. */
static void test_classic_too_early(void **state)
{
	struct trial t = {.a = "linux-accept",
		.config = {.party = {{.start_us = 1500 * MS}, {.start_us = 1}}}};

	(void)state;
	expect_classic(&t, 10, 0, "too early");
}

static void test_classic_loss(void **state)
{
	struct trial t = {.a = "linux", .link = "loss=5%", .config = {.knock_classic = true}};

	(void)state;
	expect(&t, 50, 50, "loss");
}

/* Of all types it has one. */
static void test_classic_types(void **state)
{
	struct trial t = {.a = "linux", .config = {.knock_types_lost = 0xe}};

	(void)state;
	expect_classic(&t, 10, 10, "11/0 only");
	t.config.knock_types_lost = 1;
	expect_classic(&t, 10, 0, "all but 11/0");
}

/* Nothing is searched for, and it does not get more sockets or packets than that. */
static void test_classic_random_ports(void **state)
{
	struct trial t = {.a = "symmetric",
		.config = {.knock_classic = true,
			.knock_further = 256,
			.wait_us = 20 * SECOND,
			.party = {{.start_us = 1}, {.start_us = 1}}}};
	struct punchnet_result r;

	(void)state;
	run(&t, 1, &r);
	assert_false(have_met(&r));
	/* in the first minute of a slot, to the dark addresses of two of them */
	assert_int_equal(r.party[0].echoes, 2 * 4);
	assert_int_equal(r.party[1].errors, 4);
	assert_int_equal(r.party[1].knocked.datagrams, 4);
	/* the identifier is another one outside, so that no error is about it */
	assert_int_equal(r.party[0].waited.exceeded, 0);
	assert_int_equal(r.party[0].sent, r.party[0].echoes);
	punchnet_free(&r);
	expect_classic(&t, 10, 0, "random ports");
}

/* The error leaves untranslated, so that the waiting side opens its NAT for an address that nobody outside has. */
static void test_classic_behind_nat(void **state)
{
	static const char *const kinds[] = {"linux", "linux-reject", "port-restricted"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct trial t = {.a = kinds[i], .b = "linux"};

		expect_classic(&t, 10, 0, kinds[i]);
	}
	/* … which is enough where it is open for all then, but for nothing if the error does not even leave */
	expect_classic(&(struct trial){.a = "full-cone", .b = "linux"}, 20, 20, "full cone");
	expect_classic(&(struct trial){.a = "full-cone", .b = "linux untracked-outward=dropped"},
		10, 0, "untracked errors dropped");
}

static void test_classic_no_errors_inward(void **state)
{
	struct trial t = {.a = "full-cone errors-inward=no"};

	(void)state;
	expect_classic(&t, 10, 0, "errors dropped");
}

/* Anybody may send such errors; what comes then has to be sealed. */
static void test_classic_wrong_code(void **state)
{
	struct trial t = {.config = {.party[1].secret = "another-one"}};

	(void)state;
	expect_classic(&t, 10, 0, "another code");
}

/* Port and dark address change, and who knocks takes another socket. */
static void test_classic_next_slot(void **state)
{
	struct trial t = {.a = "linux",
		.config = {.knock_classic = true,
			.wait_us = 600 * SECOND,
			.limit_us = 400 * SECOND,
			.party = {{.start_us = (KNOCK_SLOT_S + KNOCK_CLOCK_S + 10) * SECOND},
				{.start_us = 1}}}};

	(void)state;
	if (expect(&t, 5, 5, "next slot") > CLASSIC_US)
		fail_msg("it takes too long");
}

static void test_classic_again(void **state)
{
	struct trial t = {.a = "linux",
		.config = {.knock_classic = true, .again = 3, .again_us = 10 * SECOND}};

	(void)state;
	expect(&t, 20, 20, "again");
	/* when the ports of before are over */
	t.config.again_us = 2 * KNOCK_SLOT_S * SECOND;
	t.config.limit_us = t.config.again_us + 90 * SECOND;
	expect(&t, 20, 20, "again, later");
}

/* Of the first ICMP error of a session that is at so many addresses. */
static int first_error(struct session *s, const struct knock_key *key, struct knock *out)
{
	struct session_output o;

	for (unsigned i = 0; i < 100; i++) {
		uint64_t now_us = SECOND + i * 100 * MS;
		struct endpoint local = {FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8}};

		switch (session_poll(s, now_us, &o)) {
		case SESSION_OPEN:
			local.port = (uint16_t)(40000 + o.socket);
			session_opened(s, now_us, o.socket, 0, &local);
			break;
		case SESSION_ERROR:
			return knock_open(key, (struct span){o.data, o.length}, out);
		default:
			break;
		}
	}
	return -ETIMEDOUT;
}

/* More than a knock has room for: it goes out with some of them. */
static void test_many_addresses(void **state)
{
	struct session_config c = {.packets_max = 2048,
		.rate_pps = 500,
		.utc_us = UINT64_C(1700000000) * SECOND,
		.secret = {(const uint8_t *)SECRET, sizeof(SECRET) - 1},
		.knock = {.on = true, .target = {FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, 9}}}};
	struct session *s;
	struct knock k;

	(void)state;
	memset(&c.knock.key, 7, sizeof(c.knock.key));
	random_init_number(&c.random, 1);
	for (uint8_t i = 0; i < HELLO_CANDIDATES; i++)
		c.hosts[c.host_count++] =
			(struct endpoint){FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, i}};
	assert_int_equal(trail_create(SECOND, &c.trail), 0);
	assert_int_equal(journal_create(SECOND, &c.journal), 0);
	assert_int_equal(session_create(&c, SECOND, &s), 0);
	assert_int_equal(first_error(s, &c.knock.key, &k), 0);
	assert_int_equal(session_view(s)->state, SESSION_WAITING);
	assert_in_range(k.hello.candidate_count, 8, HELLO_CANDIDATES - 1);
	assert_true(endpoint_same_address(&k.hello.candidates[0].endpoint, &c.hosts[0]));
	session_destroy(s);
	journal_destroy(c.journal);
	trail_destroy(c.trail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_port),
		cmocka_unit_test(test_no_nat),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_types_in_turn),
		cmocka_unit_test(test_random_ports),
		cmocka_unit_test(test_behind_nat),
		cmocka_unit_test(test_short_way),
		cmocka_unit_test(test_behind_nat_random_ports),
		cmocka_unit_test(test_behind_strict_nat),
		cmocka_unit_test(test_no_errors_inward),
		cmocka_unit_test(test_full_cone_without_errors),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_signals_dropped),
		cmocka_unit_test(test_wrong_code),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_dies),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_classic_kept_port),
		cmocka_unit_test(test_classic_too_early),
		cmocka_unit_test(test_classic_loss),
		cmocka_unit_test(test_classic_types),
		cmocka_unit_test(test_classic_random_ports),
		cmocka_unit_test(test_classic_behind_nat),
		cmocka_unit_test(test_classic_no_errors_inward),
		cmocka_unit_test(test_classic_wrong_code),
		cmocka_unit_test(test_classic_next_slot),
		cmocka_unit_test(test_classic_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
