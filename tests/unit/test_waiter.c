// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* The side that waits, in virtual time: sockets and what goes out through them are only noted here. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/waiter.h"
#include "test_knock_kit.h"

#define BEGIN_US   (777 * SECOND) /* of the clock that counts */
#define MIDDLE_US  (KNOCK_SLOT * SLOT_US + SLOT_US / 2) /* UTC then: far from borders */
#define FLOW_US	   (15 * SECOND)
#define SETTLE_US  300000u /* until all flows to a new place are open */
#define MEMORY_US  (241 * SECOND) /* how long knocks and visitors are remembered */
#define OUTPUTS	   2000 /* at one moment */
#define DARKS	   3
#define SENT_MAX   8192
#define PORT_FIRST 40000 /* of further sockets */
#define MS	   1000u

struct flow {
	struct endpoint to;
	uint64_t first_us, last_us;
};

struct socket {
	bool open;
	struct endpoint local;
	struct flow flows[DARKS]; /* the latest ones */
};

/* An answer. */
struct sent {
	uint64_t at_us;
	unsigned socket;
	struct endpoint to;
	struct knock knock;
};

struct kit {
	struct waiter_config config;
	struct waiter *w;
	uint64_t now_us, utc_us; /* utc_us: at BEGIN_US */
	struct socket sockets[WAITER_SOCKETS];
	unsigned open, opens, closes;
	uint16_t taken; /* a port that another program has */
	int error; /* for all sockets */
	unsigned room; /* so many sockets there can be; 0: any number */
	unsigned failures;
	struct sent sent[SENT_MAX];
	size_t sent_count;
	unsigned darks; /* datagrams to the dark */
	struct random random;
};

static struct kit kit;

/* --- the world around --- */

static struct endpoint home(unsigned i)
{
	return i ? (struct endpoint){FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, [15] = 9}}
		 : (struct endpoint){FAMILY_IPV4, 0, 0, {192, 168, 1, 9}};
}

static uint64_t utc_now(void)
{
	return kit.utc_us + (kit.now_us - BEGIN_US);
}

static int setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	kit.now_us = BEGIN_US;
	kit.utc_us = MIDDLE_US;
	random_init_number(&kit.random, 1);
	assert_int_equal(trail_create(BEGIN_US, &kit.config.trail), 0);
	kit.config.key = knock_key_of(1);
	kit.config.from[0] = home(0);
	kit.config.from[1] = home(1);
	kit.config.from_count = 2;
	random_init_number(&kit.config.random, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	waiter_destroy(kit.w);
	trail_destroy(kit.config.trail);
	return 0;
}

static void create(void)
{
	kit.config.utc_us = utc_now();
	assert_int_equal(waiter_create(&kit.config, kit.now_us, &kit.w), 0);
}

static bool is_dark(const struct endpoint *e)
{
	static const uint8_t six[6] = {0x20, 1, 0, 2};

	return (e->family == FAMILY_IPV4 && e->address[0] == 198 && (e->address[1] & 0xfe) == 18) ||
		(e->family == FAMILY_IPV6 && !memcmp(e->address, six, sizeof(six)));
}

static void take_open(const struct knock_output *out)
{
	struct socket *s = &kit.sockets[out->socket];
	struct endpoint local = out->local;
	int error = kit.error;

	assert_true(out->socket < WAITER_SOCKETS && !s->open);
	for (unsigned i = 0; i < WAITER_SOCKETS && local.port; i++)
		if (kit.sockets[i].open && endpoint_equal(&kit.sockets[i].local, &local))
			error = -EADDRINUSE;
	assert_true(!error || error == kit.error); /* it does not get in its own way */
	if (local.port && local.port == kit.taken)
		error = -EADDRINUSE;
	if (kit.room && kit.open == kit.room)
		error = -EMFILE;
	kit.opens++;
	kit.failures += error != 0;
	if (!local.port)
		local = (struct endpoint){
			FAMILY_IPV4, (uint16_t)(PORT_FIRST + out->socket), 0, {192, 168, 1, 9}};
	if (!error) {
		*s = (struct socket){.open = true, .local = local};
		kit.open++;
	}
	waiter_opened(kit.w, kit.now_us, out->socket, error, error ? NULL : &local);
}

static void take_dark(const struct knock_output *out)
{
	struct socket *s = &kit.sockets[out->socket];
	struct flow *f = &s->flows[0];

	assert_int_equal(out->ttl, WAITER_TTL);
	assert_int_equal(out->length, 8);
	assert_int_equal(out->to.family, s->local.family);
	kit.darks++;
	for (unsigned i = 0; i < DARKS; i++) {
		if (endpoint_equal(&s->flows[i].to, &out->to)) {
			f = &s->flows[i];
			break;
		}
		if (s->flows[i].last_us < f->last_us)
			f = &s->flows[i];
	}
	if (!endpoint_equal(&f->to, &out->to))
		*f = (struct flow){.to = out->to, .first_us = kit.now_us};
	f->last_us = kit.now_us;
}

static void take_answer(const struct knock_output *out)
{
	struct sent *s = &kit.sent[kit.sent_count++];

	assert_true(kit.sent_count < SENT_MAX);
	assert_int_equal(out->ttl, 0);
	assert_true(endpoint_is_unicast(&out->to));
	*s = (struct sent){.at_us = kit.now_us, .socket = out->socket, .to = out->to};
	assert_int_equal(
		knock_open(&kit.config.key, (struct span){out->data, out->length}, &s->knock), 0);
	assert_int_equal(s->knock.kind, KNOCK_ANSWER);
	assert_true(s->knock.utc_ms == utc_now() / 1000);
}

static void take(const struct knock_output *out)
{
	struct socket *s = &kit.sockets[out->socket];

	switch (out->action) {
	case KNOCK_OPEN:
		take_open(out);
		break;
	case KNOCK_CLOSE:
		assert_true(s->open);
		s->open = false;
		kit.open--;
		kit.closes++;
		break;
	case KNOCK_SEND:
		assert_true(s->open);
		if (is_dark(&out->to))
			take_dark(out);
		else
			take_answer(out);
		break;
	default:
		fail_msg("action %d", (int)out->action);
	}
	assert_int_equal(waiter_counts(kit.w)->flows, kit.open);
}

/* All that is to be done now; when it wants to be called again. */
static uint64_t poll_all(void)
{
	struct knock_output out;

	for (unsigned i = 0; i < OUTPUTS; i++) {
		uint64_t deadline_us = UINT64_MAX;

		if (waiter_poll(kit.w, kit.now_us, &out, &deadline_us)) {
			take(&out);
			continue;
		}
		assert_true(deadline_us > kit.now_us);
		return deadline_us;
	}
	fail_msg("it does not come to rest");
	return 0;
}

static void run_until(uint64_t end_us)
{
	for (;;) {
		uint64_t deadline_us = poll_all();

		if (deadline_us > end_us)
			break;
		kit.now_us = deadline_us;
	}
	kit.now_us = end_us;
}

static void run_for(uint64_t us)
{
	run_until(kit.now_us + us);
}

static void begin(void)
{
	create();
	run_for(SETTLE_US);
}

/* --- flows --- */

static bool has_flow(const struct socket *s, const struct endpoint *dark, uint64_t since_us)
{
	for (unsigned i = 0; i < DARKS; i++)
		if (endpoint_equal(&s->flows[i].to, dark))
			return s->flows[i].last_us >= since_us;
	return false;
}

static const struct socket *socket_at(const struct endpoint *local)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		if (kit.sockets[i].open && endpoint_equal(&kit.sockets[i].local, local))
			return &kit.sockets[i];
	return NULL;
}

/* For one who has this clock, all that he may knock at is open. */
static void assert_reachable(uint64_t utc_us)
{
	uint64_t since_us = kit.now_us - FLOW_US;
	struct knock_place place;

	knock_place_at(&kit.config.key, utc_us / SLOT_US, &place);
	for (size_t i = 0; i < kit.config.from_count; i++) {
		struct endpoint local = kit.config.from[i];
		const struct socket *s;

		local.port = place.port;
		s = socket_at(&local);
		assert_non_null(s);
		assert_true(has_flow(s, &place.dark[local.family == FAMILY_IPV6], since_us));
	}
	for (unsigned i = 0; i < kit.config.further; i++)
		assert_true(
			kit.sockets[i].open && has_flow(&kit.sockets[i], &place.dark[0], since_us));
}

static void assert_all_reachable(void)
{
	const uint64_t apart_us = KNOCK_CLOCK_S * SECOND - SETTLE_US;

	assert_reachable(utc_now());
	assert_reachable(utc_now() - apart_us);
	assert_reachable(utc_now() + apart_us);
}

static bool is_border(void)
{
	uint64_t in_slot_us = utc_now() % SLOT_US, clock_us = KNOCK_CLOCK_S * SECOND;

	return in_slot_us < clock_us || in_slot_us >= SLOT_US - clock_us;
}

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

/* An hour, with clocks that differ, over twelve borders; at no moment is there more than what is needed. */
static void check_hour(void)
{
	size_t heap = heap_bytes();
	unsigned before = 0;

	create();
	run_for(SETTLE_US);
	for (unsigned s = 0; s < 3600; s++) {
		unsigned ports = (unsigned)kit.config.from_count * (is_border() ? 2 : 1);

		assert_all_reachable();
		assert_int_equal(kit.open, kit.config.further + ports);
		assert_true(kit.darks - before <= 3 * kit.open); /* in a second */
		before = kit.darks;
		run_for(SECOND);
	}
	assert_int_equal(kit.closes, kit.opens - kit.open);
	waiter_destroy(kit.w);
	kit.w = NULL;
	assert_int_equal(heap_bytes(), heap);
	/* each at least every 15 s, and at most every 12 s but for borders */
	assert_in_range(kit.darks, 3600 / 15 * kit.config.further,
		(3600 / 12 + 13) * 2 * (kit.config.further + kit.config.from_count));
}

static void test_hour_with_further(void **state)
{
	(void)state;
	kit.config.further = WAITER_FURTHER;
	check_hour();
}

static void test_hour(void **state)
{
	(void)state;
	kit.utc_us += 59 * SECOND + 123456;
	check_hour();
}

/* As many addresses as there can be. */
static void test_hour_of_many_addresses(void **state)
{
	(void)state;
	for (unsigned i = 2; i < HELLO_CANDIDATES; i++) {
		kit.config.from[i] = home(i & 1);
		kit.config.from[i].address[3] = (uint8_t)(100 + i);
	}
	kit.config.from_count = HELLO_CANDIDATES;
	check_hour();
}

/* Two slots in a row whose ports happen to be the same. */
static void test_same_port(void **state)
{
	struct knock_place a, b = {0};
	uint64_t slot = KNOCK_SLOT;

	(void)state;
	do {
		knock_place_at(&kit.config.key, slot, &a);
		knock_place_at(&kit.config.key, ++slot, &b);
	} while (a.port != b.port);
	kit.utc_us = slot * SLOT_US - 100 * SECOND;
	begin();
	for (unsigned s = 0; s < 500; s++) {
		assert_all_reachable();
		run_for(SECOND);
	}
}

static void test_dark_given(void **state)
{
	const struct endpoint dark = host4(200, 9);

	(void)state;
	kit.config.dark[0] = dark;
	kit.config.from_count = 1;
	kit.config.further = 3;
	kit.utc_us = KNOCK_SLOT * SLOT_US; /* at a border */
	create();
	for (unsigned i = 0; i < 3 * 100; i++) {
		struct knock_output out;
		uint64_t deadline_us = UINT64_MAX;

		if (!waiter_poll(kit.w, kit.now_us, &out, &deadline_us)) {
			kit.now_us = deadline_us;
		} else if (out.action != KNOCK_SEND) {
			take(&out);
		} else {
			assert_true(endpoint_equal(&out.to, &dark));
			assert_true(waiter_is_dark(kit.w, out.socket, &dark));
		}
	}
	assert_true(waiter_counts(kit.w)->sent > 100);
}

static void test_is_dark(void **state)
{
	struct knock_place place;
	struct endpoint local = home(0), other = host4(1, 1);

	(void)state;
	begin();
	knock_place_at(&kit.config.key, utc_now() / SLOT_US, &place);
	local.port = place.port;
	assert_non_null(socket_at(&local));
	for (unsigned i = 0; i < WAITER_SOCKETS + 5; i++) {
		bool open = i < WAITER_SOCKETS && kit.sockets[i].open;

		assert_int_equal(waiter_is_dark(kit.w, i, &place.dark[0]), open);
		assert_false(waiter_is_dark(kit.w, i, &other));
	}
}

/* --- sockets that cannot be opened --- */

/* Another program has the port of this slot. */
static void test_taken(void **state)
{
	struct knock_place place;

	(void)state;
	knock_place_at(&kit.config.key, KNOCK_SLOT, &place);
	kit.taken = place.port;
	kit.utc_us = KNOCK_SLOT * SLOT_US - 61 * SECOND;
	create();
	run_for(SECOND / 2);
	assert_int_equal(kit.failures, 0);
	assert_int_equal(waiter_hopes(kit.w), 2);
	run_for(SLOT_US + 120 * SECOND); /* from -60 s to the last second of this slot */
	assert_int_equal(kit.failures, 2); /* once for each address */
	assert_int_equal(waiter_counts(kit.w)->open_error, -EADDRINUSE);
	run_for(2 * SECOND); /* that of the next slot is there */
	assert_int_equal(kit.failures, 2);
	assert_int_equal(kit.open, 2);
	assert_all_reachable();
}

static void test_nothing_opens(void **state)
{
	(void)state;
	kit.config.further = 20;
	kit.error = -EMFILE;
	create();
	assert_int_equal(waiter_hopes(kit.w), 22);
	run_for(SETTLE_US);
	assert_int_equal(waiter_hopes(kit.w), 0);
	assert_int_equal(kit.failures, 22);
	run_for(3600 * SECOND);
	assert_int_equal(kit.failures, 22 * 13); /* once in each slot */
	assert_int_equal(waiter_counts(kit.w)->open_error, -EMFILE);
	assert_int_equal(kit.closes, 0);
	kit.error = 0;
	run_for(SLOT_US);
	assert_all_reachable();
	assert_in_range(waiter_hopes(kit.w), 22, 24);
}

/* Known ports come first, of whatever there is. */
static void test_scarce(void **state)
{
	(void)state;
	kit.config.further = 20;
	kit.room = 3;
	begin();
	assert_int_equal(kit.open, 3);
	kit.config.further = 1; /* is left */
	assert_all_reachable();
}

static void test_unsent(void **state)
{
	(void)state;
	begin();
	waiter_unsent(kit.w, -ENETUNREACH);
	assert_int_equal(waiter_counts(kit.w)->unsent, 1);
	assert_int_equal(waiter_counts(kit.w)->error, -ENETUNREACH);
	kit.error = -EMFILE; /* another one, of what is opened later */
	run_for(SLOT_US);
	assert_int_equal(waiter_counts(kit.w)->error, -ENETUNREACH);
	assert_int_equal(waiter_counts(kit.w)->open_error, -EMFILE);
}

static void test_too_many_addresses(void **state)
{
	(void)state;
	kit.config.from_count = HELLO_CANDIDATES + 1;
	assert_int_equal(waiter_create(&kit.config, kit.now_us, &kit.w), -EINVAL);
	kit.config.from_count = 2;
	kit.config.further = UINT16_MAX;
	begin();
	assert_int_equal(kit.open, 2 + WAITER_FURTHER);
}

/* The clock of events jumps, as when the process was stopped. */
static void test_jumps(void **state)
{
	(void)state;
	kit.config.further = 30;
	for (unsigned i = 2; i < HELLO_CANDIDATES; i++) {
		kit.config.from[i] = home(0);
		kit.config.from[i].address[3] = (uint8_t)(100 + i);
	}
	kit.config.from_count = HELLO_CANDIDATES;
	begin();
	for (unsigned i = 0; i < 300; i++) {
		kit.now_us += random_below(&kit.random, 1000) * SECOND;
		run_for(SETTLE_US);
		assert_all_reachable();
	}
}

/* --- knocks --- */

struct sealed {
	uint8_t bytes[KNOCK_BYTES_MAX];
	size_t length;
};

static struct sealed seal(const struct knock_key *key, const struct knock *k)
{
	struct knock copy = *k;
	struct sealed s;
	int n = knock_seal(key, &copy, &kit.random, s.bytes, sizeof(s.bytes));

	assert_true(n > 0);
	s.length = (size_t)n;
	return s;
}

/* As the visitor sends it now, who knows these endpoints of its own. */
static struct knock ask_of(uint8_t share)
{
	struct knock k = knock_of(KNOCK_ASK, share);

	k.utc_ms = utc_now() / 1000;
	k.quoted_port = 1234;
	add_candidate(
		&k.hello, CHECK_HOST, (struct endpoint){FAMILY_IPV4, 5000, 0, {10, 0, 0, share}});
	add_candidate(&k.hello, CHECK_HOST, host6(share, 5000));
	add_candidate(&k.hello, CHECK_SERVER_REFLEXIVE, host4(share, 5001));
	return k;
}

static enum waiter_heard hear_sealed(
	unsigned socket, const struct endpoint *from, const struct sealed *s, bool datagram)
{
	uint8_t *exact = malloc(s->length ? s->length : 1);
	enum waiter_heard heard;

	assert_non_null(exact);
	memcpy(exact, s->bytes, s->length);
	heard = datagram ? waiter_input(kit.w, kit.now_us, socket, from, exact, s->length)
			 : waiter_error(kit.w, kit.now_us, socket, from, exact, s->length);
	free(exact);
	return heard;
}

static enum waiter_heard hear_error(
	unsigned socket, const struct endpoint *offender, const struct knock *k)
{
	struct sealed s = seal(&kit.config.key, k);

	return hear_sealed(socket, offender, &s, false);
}

static enum waiter_heard hear_datagram(
	unsigned socket, const struct endpoint *from, const struct knock *k)
{
	struct sealed s = seal(&kit.config.key, k);

	return hear_sealed(socket, from, &s, true);
}

/* The socket of the known port, of IPv4 or IPv6. */
static unsigned known(enum family family)
{
	for (unsigned i = WAITER_FURTHER; i < WAITER_SOCKETS; i++)
		if (kit.sockets[i].open && kit.sockets[i].local.family == family)
			return i;
	fail_msg("no socket");
	return 0;
}

static enum waiter_heard knock_from(uint8_t share)
{
	struct knock ask = ask_of(share);
	struct endpoint offender = host4(share, 0);

	return hear_error(known(FAMILY_IPV4), &offender, &ask);
}

static void answer_with(uint8_t share)
{
	struct knock answer = knock_of(KNOCK_ASK, share); /* the kind is filled in */

	assert_int_equal(waiter_answer(kit.w, kit.now_us, &answer), 0);
}

static unsigned sent_to(struct endpoint e)
{
	unsigned count = 0;

	for (size_t i = 0; i < kit.sent_count; i++)
		count += endpoint_equal(&kit.sent[i].to, &e);
	return count;
}

static void test_visit(void **state)
{
	const struct waiter_visit *v;
	struct knock ask;
	struct endpoint offender = host4(77, 0);
	unsigned socket;

	(void)state;
	begin();
	socket = known(FAMILY_IPV4);
	ask = ask_of(5);
	assert_int_equal(hear_error(socket, &offender, &ask), WAITER_NEW);
	v = waiter_visit(kit.w);
	assert_int_equal(v->socket, socket);
	assert_false(v->datagram);
	assert_true(endpoint_equal(&v->local, &kit.sockets[socket].local));
	assert_true(endpoint_equal(&v->from, &offender));
	assert_int_equal(v->ask.quoted_port, 1234);
	assert_int_equal(v->ask.hello.candidate_count, 3);
	assert_memory_equal(v->ask.share, ask.share, sizeof(ask.share));
	assert_int_equal(waiter_counts(kit.w)->heard, 1);
	run_for(10 * SECOND);
	assert_int_equal(kit.sent_count, 0); /* nothing is said on its own */
}

/* At once, after 250 and 500 ms, to all of that family; a second after that through all flows; 2 ms apart. */
static void test_answers(void **state)
{
	const struct endpoint expected[] = {
		host4(77, 5000), {FAMILY_IPV4, 5000, 0, {10, 0, 0, 5}}, host4(5, 5001)};
	struct endpoint offender = host4(77, 0);
	struct knock ask;
	uint64_t begin_us;

	(void)state;
	kit.config.further = WAITER_FURTHER;
	begin();
	ask = ask_of(5);
	assert_int_equal(knock_digest(&ask), 0);
	assert_int_equal(hear_error(known(FAMILY_IPV4), &offender, &ask), WAITER_NEW);
	answer_with(9);
	begin_us = kit.now_us;
	run_for(SECOND - 1);
	assert_int_equal(kit.sent_count, 9);
	for (size_t i = 0; i < 9; i++) {
		const struct sent *s = &kit.sent[i];

		assert_true(s->at_us == begin_us + i / 3 * 250 * MS + i % 3 * 2 * MS);
		assert_int_equal(s->socket, known(FAMILY_IPV4));
		assert_true(endpoint_equal(&s->to, &expected[i % 3]));
		assert_int_equal(s->knock.answered, knock_tag(&ask));
		assert_int_equal(s->knock.share[0], 9);
	}
	run_for(1 + SECOND);
	assert_int_equal(kit.sent_count, 9 + WAITER_FURTHER);
	for (size_t i = 0; i < WAITER_FURTHER; i++) {
		const struct sent *s = &kit.sent[9 + i];

		assert_true(s->at_us == begin_us + SECOND + i * 2 * MS);
		assert_int_equal(s->socket, i);
		assert_true(endpoint_equal(&s->to, &expected[2]));
	}
	run_for(600 * SECOND);
	assert_int_equal(kit.sent_count, 9 + 2 * WAITER_FURTHER);
}

/* Of IPv6, where nobody searches. */
static void test_answers_ipv6(void **state)
{
	struct endpoint offender = host6(77, 0);
	struct knock ask;

	(void)state;
	kit.config.further = 5;
	begin();
	ask = ask_of(5);
	assert_int_equal(hear_error(known(FAMILY_IPV6), &offender, &ask), WAITER_NEW);
	answer_with(9);
	run_for(60 * SECOND);
	assert_int_equal(kit.sent_count, 6);
	assert_int_equal(sent_to(host6(77, 5000)), 3);
	assert_int_equal(sent_to(host6(5, 5000)), 3);
}

/* Who does not know how it is seen from outside is where the error came from. */
static void test_answers_offender(void **state)
{
	struct endpoint offender = host4(77, 0);
	struct knock ask;

	(void)state;
	kit.config.further = 5;
	begin();
	ask = ask_of(5);
	ask.hello.candidate_count = 1;
	assert_int_equal(hear_error(0, &offender, &ask), WAITER_NEW);
	answer_with(9);
	run_for(60 * SECOND);
	assert_int_equal(sent_to(host4(77, 5000)), 3 + 2 * 5);
	assert_int_equal(kit.sent_count, 6 + 2 * 5);
}

static void test_answer_too_long(void **state)
{
	struct knock answer = knock_of(KNOCK_ANSWER, 9);

	(void)state;
	begin();
	assert_int_equal(knock_from(5), WAITER_NEW);
	for (uint8_t i = 0; i < HELLO_CANDIDATES; i++)
		add_candidate(&answer.hello, CHECK_HOST, host6(i, 1));
	assert_int_equal(waiter_answer(kit.w, kit.now_us, &answer), -EMSGSIZE);
	run_for(30 * SECOND);
	assert_int_equal(kit.sent_count, 0);
	assert_all_reachable(); /* it goes on */
}

/* While it is answered nothing moves, whatever the time. */
static void test_places_stay(void **state)
{
	unsigned opens;

	(void)state;
	kit.config.further = 4;
	begin();
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	opens = kit.opens;
	for (unsigned s = 0; s < 1000; s++) {
		assert_reachable(MIDDLE_US);
		run_for(SECOND);
	}
	assert_int_equal(kit.opens, opens);
	assert_int_equal(kit.closes, 0);
	waiter_resume(kit.w, kit.now_us, true);
	run_for(SETTLE_US);
	assert_all_reachable();
}

/* --- who says where it is --- */

static void test_datagram_narrows(void **state)
{
	struct endpoint from = host4(99, 4444);
	struct knock ask;
	size_t before;

	(void)state;
	kit.config.further = 5;
	begin();
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	run_for(100 * MS);
	before = kit.sent_count;
	assert_int_equal(before, 3);
	ask = ask_of(5);
	ask.quoted_port = 0;
	assert_int_equal(hear_datagram(3, &from, &ask), WAITER_AGAIN);
	assert_true(waiter_visit(kit.w)->datagram);
	assert_int_equal(waiter_visit(kit.w)->socket, 3);
	run_for(60 * SECOND);
	assert_int_equal(kit.sent_count, before + 3);
	assert_int_equal(sent_to(from), 3);
	for (size_t i = before; i < kit.sent_count; i++)
		assert_int_equal(kit.sent[i].socket, 3);
	/* an error that comes later changes nothing of it */
	assert_int_equal(knock_from(5), WAITER_AGAIN);
	assert_true(waiter_visit(kit.w)->datagram);
	run_for(60 * SECOND);
	assert_int_equal(sent_to(from), 6);
	assert_int_equal(kit.sent_count, before + 6);
}

static void test_datagram_first(void **state)
{
	struct endpoint from = host4(99, 4444);
	struct knock ask;

	(void)state;
	kit.config.further = 5;
	begin();
	ask = ask_of(5);
	assert_int_equal(hear_datagram(known(FAMILY_IPV4), &from, &ask), WAITER_NEW);
	answer_with(9);
	run_for(60 * SECOND);
	assert_int_equal(kit.sent_count, 3);
	assert_int_equal(sent_to(from), 3);
}

/* The same visitor, who has heard no answer, is answered anew. */
static void test_again(void **state)
{
	(void)state;
	begin();
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	run_for(2 * SECOND);
	assert_int_equal(kit.sent_count, 9);
	assert_int_equal(knock_from(5), WAITER_AGAIN);
	run_for(2 * SECOND);
	assert_int_equal(kit.sent_count, 18);
}

/* It has the code, and wants others to get packets. */
static void test_hostile_hello(void **state)
{
	static const struct endpoint nowhere[] = {
		{FAMILY_IPV4, 5, 0, {0, 0, 0, 0}},
		{FAMILY_IPV4, 5, 0, {255, 255, 255, 255}},
		{FAMILY_IPV4, 5, 0, {224, 0, 0, 251}},
		{FAMILY_IPV4, 5, 0, {127, 0, 0, 1}},
		{FAMILY_IPV4, 0, 0, {203, 0, 113, 1}},
		{FAMILY_IPV6, 5, 0, {0}},
		{FAMILY_IPV6, 5, 0, {0xff, 2}},
		{FAMILY_IPV6, 5, 0, {[15] = 1}},
	};
	const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};

	(void)state;
	kit.config.further = 5;
	begin();
	for (uint8_t i = 0; i < 2; i++) {
		struct endpoint offender = i ? host6(7, 0) : host4(7, 0);
		struct knock ask = ask_of(5 + i);

		ask.hello.candidate_count = 0;
		for (size_t k = 0; k < sizeof(nowhere) / sizeof(*nowhere); k++)
			add_candidate(&ask.hello, CHECK_SERVER_REFLEXIVE, nowhere[k]);
		assert_int_equal(hear_error(known(families[i]), &offender, &ask), WAITER_NEW);
		answer_with(9);
		run_for(60 * SECOND);
	}
	/* to the senders of the errors alone, and for IPv4 through all flows */
	assert_int_equal(sent_to(host4(7, 5)), 3 + 2 * 5);
	assert_int_equal(sent_to(host6(7, 5)), 3);
	assert_int_equal(kit.sent_count, 3 + 2 * 5 + 3);
}

/* The most that one visitor can make it send, with as many candidates and knocks as it likes. */
static void test_answers_bounded(void **state)
{
	unsigned heard = 0;

	(void)state;
	kit.config.further = WAITER_FURTHER;
	begin();
	for (unsigned i = 0; i < 1200; i++) {
		struct knock ask = ask_of(5);
		struct endpoint offender = host4((uint8_t)i, 0);
		enum waiter_heard h;

		while (ask.hello.candidate_count < HELLO_CANDIDATES)
			add_candidate(&ask.hello, CHECK_HOST,
				host4((uint8_t)i, (uint16_t)ask.hello.candidate_count));
		h = hear_error(i % 2 ? known(FAMILY_IPV4) : i % WAITER_FURTHER, &offender, &ask);
		if (h == WAITER_NEW)
			answer_with(9);
		heard += h != WAITER_NOTHING;
		run_for(SECOND / 10);
	}
	run_for(60 * SECOND);
	assert_int_equal(heard, 1024); /* as many as can be remembered */
	assert_int_equal(waiter_counts(kit.w)->surplus, 1200 - 1024);
	assert_int_equal(kit.sent_count, 1024);
	assert_true(sent_to(host4(0, 5000)) > 0); /* behind the error's sender, among all those */
}

/* --- what is not heard --- */

static void assert_not_heard(enum waiter_heard heard, const unsigned *count)
{
	static unsigned before[5];
	const struct waiter_counts *c = waiter_counts(kit.w);
	const unsigned now[5] = {c->usual, c->foreign, c->stale, c->replayed, c->surplus};

	assert_int_equal(heard, WAITER_NOTHING);
	if (count) {
		const unsigned *all[5] = {
			&c->usual, &c->foreign, &c->stale, &c->replayed, &c->surplus};

		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(now[i], before[i] + (all[i] == count));
	}
	memcpy(before, now, sizeof(before));
}

static void test_foreign(void **state)
{
	const struct knock_key other = knock_key_of(2);
	const struct waiter_counts *c;
	struct endpoint offender = host4(7, 0);
	struct knock ask;
	struct sealed good, bad;
	unsigned socket;

	(void)state;
	begin();
	c = waiter_counts(kit.w);
	socket = known(FAMILY_IPV4);
	ask = ask_of(5);
	good = seal(&kit.config.key, &ask);
	assert_not_heard(WAITER_NOTHING, NULL);
	for (bad = good; bad.length > 0;) {
		bad.length--;
		assert_not_heard(hear_sealed(socket, &offender, &bad, true), &c->foreign);
		/* so short an error may be about what goes to the dark */
		assert_not_heard(hear_sealed(socket, &offender, &bad, false),
			bad.length > 8 ? &c->foreign : &c->usual);
	}
	/* of this host itself, which has no way to there */
	offender = home(0);
	assert_not_heard(hear_sealed(socket, &offender, &bad, false), NULL);
	offender = host4(7, 0);
	assert_int_equal(c->usual, 9);
	for (unsigned bit = 0; bit < 8 * good.length; bit++) {
		bad = good;
		bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_not_heard(hear_sealed(socket, &offender, &bad, bit & 1), &c->foreign);
	}
	bad = seal(&other, &ask);
	assert_not_heard(hear_sealed(socket, &offender, &bad, false), &c->foreign);
	ask.kind = KNOCK_ANSWER; /* its own, that somebody sends back */
	assert_not_heard(hear_error(socket, &offender, &ask), &c->foreign);
	/* not of a socket that is open */
	assert_not_heard(hear_sealed(0, &offender, &good, false), NULL);
	assert_not_heard(hear_sealed(WAITER_SOCKETS, &offender, &good, false), NULL);
	assert_not_heard(hear_sealed(UINT32_MAX, &offender, &good, true), NULL);
	assert_int_equal(hear_sealed(socket, &offender, &good, false), WAITER_NEW);
}

static void test_stale(void **state)
{
	const struct waiter_counts *c;
	struct endpoint offender = host4(7, 0);
	struct knock ask;
	unsigned socket;

	(void)state;
	begin();
	c = waiter_counts(kit.w);
	socket = known(FAMILY_IPV4);
	assert_not_heard(WAITER_NOTHING, NULL);
	ask = ask_of(5);
	ask.utc_ms -= 120001;
	assert_not_heard(hear_error(socket, &offender, &ask), &c->stale);
	assert_int_equal(c->clock_ms, -120001);
	ask = ask_of(5);
	ask.utc_ms += 120001;
	assert_not_heard(hear_error(socket, &offender, &ask), &c->stale);
	assert_int_equal(c->clock_ms, 120001);
	ask.utc_ms--;
	assert_int_equal(hear_error(socket, &offender, &ask), WAITER_NEW);
}

/* Whoever has seen an old one cannot drown the trail with it. */
static void test_stale_flood(void **state)
{
	struct endpoint offender = host4(7, 0);
	struct knock ask;
	size_t before;

	(void)state;
	begin();
	ask = ask_of(5);
	ask.utc_ms -= 200000;
	before = kit.config.trail->event_count;
	for (unsigned i = 0; i < 1000; i++) {
		hear_error(known(FAMILY_IPV4), &offender, &ask);
		run_for(SECOND / 100);
	}
	assert_int_equal(waiter_counts(kit.w)->stale, 1000);
	assert_int_equal(kit.config.trail->event_count, before + 1);
}

/* For as long as a copy is fresh it is known, also of a clock that is ahead. */
static void check_copies(int64_t ahead_ms)
{
	struct endpoint offender = host4(7, 0);
	const struct waiter_counts *c;
	struct sealed s;
	struct knock ask;

	begin();
	kit.now_us += 999; /* not at a whole ms */
	c = waiter_counts(kit.w);
	ask = ask_of(5);
	ask.utc_ms += (uint64_t)ahead_ms;
	s = seal(&kit.config.key, &ask);
	assert_int_equal(hear_sealed(known(FAMILY_IPV4), &offender, &s, false), WAITER_NEW);
	assert_not_heard(WAITER_NOTHING, NULL);
	while (!c->stale) {
		/* also at the last us at which it is fresh */
		bool late = utc_now() / 1000 + 300 > ask.utc_ms + 120000;

		assert_not_heard(
			hear_sealed(known(FAMILY_IPV4), &offender, &s, c->replayed & 1), NULL);
		kit.now_us += late ? 100 : 250 * MS;
		poll_all();
	}
	assert_int_equal(c->heard, 1);
	waiter_destroy(kit.w);
	kit.w = NULL;
}

static void test_copies(void **state)
{
	(void)state;
	check_copies(0);
	teardown(state);
	setup(state);
	check_copies(120000);
	teardown(state);
	setup(state);
	check_copies(-60000);
}

/* What was sent long before this run somebody may have kept, and this run does not remember the one before. */
static void test_kept(void **state)
{
	struct endpoint offender = host4(7, 0);
	struct knock ask;

	(void)state;
	begin();
	ask = ask_of(5);
	ask.utc_ms -= 61000;
	assert_int_equal(hear_error(known(FAMILY_IPV4), &offender, &ask), WAITER_NOTHING);
	assert_int_equal(waiter_counts(kit.w)->replayed, 1);
	ask.utc_ms += 2000;
	assert_int_equal(hear_error(known(FAMILY_IPV4), &offender, &ask), WAITER_NEW);
}

static void test_many_visitors(void **state)
{
	const struct waiter_counts *c;

	(void)state;
	begin();
	c = waiter_counts(kit.w);
	for (uint8_t i = 1; i <= 16; i++)
		assert_int_equal(knock_from(i), WAITER_NEW);
	assert_not_heard(WAITER_NOTHING, NULL);
	assert_not_heard(knock_from(17), &c->surplus);
	assert_not_heard(knock_from(1), &c->replayed); /* had its turn */
	assert_int_equal(knock_from(16), WAITER_AGAIN);
	run_for(MEMORY_US);
	assert_int_equal(knock_from(17), WAITER_NEW);
}

/* Who has died and comes again, with a share of its own: it gets an answer of its own, and nothing of the first one's. */
static void test_replaced(void **state)
{
	struct knock ask;

	(void)state;
	kit.config.further = 5;
	begin();
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	run_for(100 * MS);
	assert_int_equal(kit.sent_count, 3);
	ask = ask_of(6);
	assert_int_equal(knock_digest(&ask), 0);
	assert_int_equal(knock_from(6), WAITER_NEW);
	assert_int_equal(waiter_visit(kit.w)->ask.share[0], 6);
	run_for(10 * SECOND);
	assert_int_equal(kit.sent_count, 3); /* nobody has said yet what to say */
	answer_with(10);
	run_for(10 * SECOND);
	assert_int_equal(kit.sent_count, 3 + 9 + 2 * 5);
	for (size_t i = 3; i < kit.sent_count; i++) {
		assert_int_equal(kit.sent[i].knock.share[0], 10);
		assert_int_equal(kit.sent[i].knock.answered, knock_tag(&ask));
		assert_int_equal(kit.sent[i].to.address[3], 6);
	}
	assert_int_equal(knock_from(5), WAITER_NOTHING);
}

/* --- rest --- */

static void test_rest(void **state)
{
	const struct waiter_counts *c;
	struct endpoint offender = host4(7, 0);
	struct knock ask;
	unsigned keep;

	(void)state;
	kit.config.further = 20;
	begin();
	c = waiter_counts(kit.w);
	keep = known(FAMILY_IPV4);
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	waiter_rest(kit.w, keep);
	run_for(1000 * SECOND);
	assert_int_equal(kit.open, 1);
	assert_true(kit.sockets[keep].open);
	assert_int_equal(kit.sent_count, 0);
	assert_int_equal(kit.opens, kit.closes + 1);
	assert_not_heard(WAITER_NOTHING, NULL);
	ask = ask_of(6);
	assert_not_heard(hear_error(keep, &offender, &ask), &c->surplus);
	ask = ask_of(5);
	assert_int_equal(hear_error(keep, &offender, &ask), WAITER_AGAIN);
	assert_int_equal(poll_all(), UINT64_MAX); /* nothing at all to do */
}

/* The way broke: all is opened again, in another slot of time, and the one kept may still be of use. */
static void test_resume(void **state)
{
	unsigned keep, other;
	struct endpoint offender = host4(5, 0);
	struct knock ask;

	(void)state;
	kit.config.further = 20;
	begin();
	keep = known(FAMILY_IPV4);
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	waiter_rest(kit.w, keep);
	run_for(1000 * SECOND);
	waiter_resume(kit.w, kit.now_us, false);
	run_for(SETTLE_US);
	assert_true(kit.sockets[keep].open);
	assert_int_equal(kit.open, 21u + (is_border() ? 4 : 2));
	for (unsigned s = 0; s < 700; s++) {
		assert_all_reachable();
		run_for(SECOND);
	}
	assert_true(kit.sockets[keep].open);
	/* the same one comes to another socket */
	assert_int_equal(kit.sent_count, 0);
	other = keep == known(FAMILY_IPV4) ? 3 : known(FAMILY_IPV4);
	ask = ask_of(5);
	assert_int_equal(hear_error(other, &offender, &ask), WAITER_AGAIN);
	assert_int_equal(waiter_visit(kit.w)->socket, other);
	answer_with(9);
	run_for(499 * MS);
	assert_int_equal(kit.sent_count, 6);
	assert_int_equal(kit.sent[0].socket, other);
}

static void test_resume_for_others(void **state)
{
	unsigned keep;

	(void)state;
	begin();
	keep = known(FAMILY_IPV4);
	assert_int_equal(knock_from(5), WAITER_NEW);
	answer_with(9);
	waiter_rest(kit.w, keep);
	run_for(SLOT_US);
	waiter_resume(kit.w, kit.now_us, true);
	run_for(SETTLE_US);
	assert_int_equal(kit.open, is_border() ? 4 : 2);
	assert_all_reachable();
	assert_int_equal(knock_from(6), WAITER_NEW);
	waiter_resume(kit.w, kit.now_us, true);
	assert_int_equal(knock_from(6), WAITER_NOTHING); /* had its turn */
	run_for(MEMORY_US);
	assert_int_equal(knock_from(6), WAITER_NEW);
}

/* In a row, before anything was polled: no socket is lost, and none takes the port of another. */
static void test_rest_and_resume_at_once(void **state)
{
	(void)state;
	kit.config.further = WAITER_FURTHER;
	begin();
	for (unsigned i = 0; i < 20; i++) {
		waiter_rest(kit.w, i % 2 ? known(FAMILY_IPV4) : i);
		waiter_resume(kit.w, kit.now_us, true);
		assert_true(waiter_hopes(kit.w) > 0);
		run_for(SETTLE_US);
		assert_int_equal(kit.open, WAITER_FURTHER + 2);
		assert_all_reachable();
	}
}

/* It ends while a socket is about to be opened. */
static void test_rest_before_opened(void **state)
{
	struct endpoint local = home(0);
	struct knock_output out;
	uint64_t deadline_us = UINT64_MAX;

	(void)state;
	for (int error = 0; error >= -EMFILE; error -= EMFILE) {
		create();
		assert_true(waiter_poll(kit.w, kit.now_us, &out, &deadline_us));
		assert_int_equal(out.action, KNOCK_OPEN);
		waiter_rest(kit.w, WAITER_SOCKETS);
		assert_int_equal(waiter_hopes(kit.w), 0);
		waiter_opened(kit.w, kit.now_us, out.socket, error, &local);
		assert_int_equal(waiter_poll(kit.w, kit.now_us, &out, &deadline_us), !error);
		assert_true(error || out.action == KNOCK_CLOSE);
		assert_false(waiter_poll(kit.w, kit.now_us, &out, &deadline_us));
		assert_int_equal(waiter_counts(kit.w)->flows, 0);
		waiter_destroy(kit.w);
		kit.w = NULL;
	}
}

/* --- anything --- */

static void do_anything(void)
{
	struct endpoint from = random_below(&kit.random, 2) ? host4(7, 0) : host6(7, 99);
	unsigned socket = random_below(&kit.random, WAITER_SOCKETS + 10);
	struct knock ask = ask_of((uint8_t)(1 + random_below(&kit.random, 24)));
	struct sealed s = {.length = random_below(&kit.random, KNOCK_BYTES_MAX)};

	from.port = (uint16_t)random_below(&kit.random, 3);
	random_bytes(&kit.random, s.bytes, s.length);
	switch (random_below(&kit.random, 12)) {
	case 0:
		waiter_rest(kit.w, socket);
		break;
	case 1:
	case 2:
		waiter_resume(kit.w, kit.now_us, random_below(&kit.random, 2));
		break;
	case 3:
		kit.now_us += random_below(&kit.random, 400) * SECOND;
		break;
	case 4:
		answer_with(9);
		break;
	case 5:
		hear_sealed(socket, &from, &s, random_below(&kit.random, 2));
		break;
	case 6:
		ask.utc_ms += random_below(&kit.random, 300000) - 150000;
		hear_error(socket, &from, &ask);
		break;
	case 7:
		waiter_opened(kit.w, kit.now_us, socket, 0, &from);
		break;
	case 8:
		if (from.port)
			hear_datagram(socket, &from, &ask);
		break;
	default:
		hear_error(socket, &from, &ask);
	}
}

static void test_anything(void **state)
{
	(void)state;
	kit.config.further = 40;
	begin();
	for (unsigned i = 0; i < 20000; i++) {
		do_anything();
		kit.sent_count = 0;
		if (random_below(&kit.random, 3))
			run_for(random_below(&kit.random, 3000) * MS);
	}
	waiter_resume(kit.w, kit.now_us, true);
	run_for(SETTLE_US);
	assert_all_reachable();
	assert_int_equal(kit.open, 40u + (is_border() ? 4 : 2));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hour),
		TEST(test_hour_with_further),
		TEST(test_hour_of_many_addresses),
		TEST(test_same_port),
		TEST(test_dark_given),
		TEST(test_is_dark),
		TEST(test_taken),
		TEST(test_nothing_opens),
		TEST(test_scarce),
		TEST(test_unsent),
		TEST(test_too_many_addresses),
		TEST(test_jumps),
		TEST(test_visit),
		TEST(test_answers),
		TEST(test_answers_ipv6),
		TEST(test_answers_offender),
		TEST(test_answer_too_long),
		TEST(test_places_stay),
		TEST(test_datagram_narrows),
		TEST(test_datagram_first),
		TEST(test_again),
		TEST(test_hostile_hello),
		TEST(test_answers_bounded),
		TEST(test_foreign),
		TEST(test_stale),
		TEST(test_stale_flood),
		TEST(test_copies),
		TEST(test_kept),
		TEST(test_many_visitors),
		TEST(test_replaced),
		TEST(test_rest),
		TEST(test_resume),
		TEST(test_resume_for_others),
		TEST(test_rest_and_resume_at_once),
		TEST(test_rest_before_opened),
		TEST(test_anything),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
