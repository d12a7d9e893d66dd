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

#include "server/cookie.h"
#include "server/rendezvous.h"
#include "server/store_memory.h"

#define MS	 ((uint64_t)1000)
#define SECOND	 ((uint64_t)1000000)
#define LIFETIME ((uint64_t)RENDEZVOUS_LIFETIME_US)
#define EPOCH	 ((uint64_t)COOKIE_EPOCH_US)
#define START	 (1000 * EPOCH)

#define SESSIONS 300u
#define PLACES	 4u

struct world {
	struct store *store;
	struct rendezvous *r;
	uint64_t now_us;
	struct rendezvous_output out; /* the last one */
};

/* One party as the server sees it, and the last message that it got. */
struct side {
	const char *at;
	uint8_t party;
	uint64_t connection; /* 0: UDP */
	struct rendezvous_bond bond;
	uint8_t cookie[RENDEZVOUS_COOKIE_MAX];
	size_t cookie_length;
	uint32_t version; /* of its slot; 0: none */
	const char *slot;
	uint16_t ready;
	uint32_t rtt_us;
	uint32_t seen_version;
	uint16_t seen_ready, seen_go;
	struct rendezvous_message got;
	uint8_t bytes[STUN_MESSAGE_BYTES];
};

static const char *const session_name = "7";

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static void start_server(struct world *w)
{
	static const uint8_t key[STORE_MEMORY_KEY_BYTES] = {1};
	struct store_memory_limits limits = {SESSIONS, PLACES};
	struct random random;

	random_init_number(&random, w->now_us);
	assert_int_equal(store_memory_create(&w->store, &limits, key), 0);
	assert_int_equal(rendezvous_create(&w->r, w->store, &random), 0);
}

static void stop_server(struct world *w)
{
	rendezvous_destroy(w->r);
	w->store->does->destroy(w->store);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now_us = START;
	start_server(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	stop_server(w);
	free(w);
	return 0;
}

static size_t sessions(struct world *w)
{
	struct store_usage usage;

	w->store->does->usage(w->store, &usage);
	return usage.sessions;
}

/* --- talking to it --- */

static struct rendezvous_message message(const struct side *s, uint16_t method, const char *name)
{
	static uint8_t number;
	struct rendezvous_message m = {.class = STUN_REQUEST,
		.method = method,
		.id = {{0x21, 0x12, 0xa4, 0x42, s->party, ++number}}};

	memset(m.party, s->party, sizeof(m.party));
	m.has_party = true;
	m.has_session = name != NULL;
	m.allocate = !name;
	if (name)
		rendezvous_session_of(name, strlen(name), m.session);
	m.cookie = (struct span){s->cookie, s->cookie_length};
	if (method != RENDEZVOUS_JOIN)
		return m;
	m.has_slot = s->version != 0;
	m.slot_version = s->version;
	if (s->slot)
		m.slot = (struct span){(const uint8_t *)s->slot, strlen(s->slot)};
	m.has_ready = m.has_seen = true;
	m.ready = s->ready;
	m.rtt_us = s->rtt_us;
	m.seen_version = s->seen_version;
	m.seen_ready = s->seen_ready;
	m.seen_go = s->seen_go;
	return m;
}

static void get(struct side *s, const struct rendezvous_output *out)
{
	memcpy(s->bytes, out->bytes, out->length);
	assert_int_equal(rendezvous_decode(s->bytes, out->length, &s->got), 0);
}

static bool send_bytes(struct world *w, struct side *s, const uint8_t *data, size_t length)
{
	struct rendezvous_input in = {.data = data,
		.length = length,
		.from = endpoint(s->at),
		.local = 2,
		.connection = s->connection,
		.bond = s->connection ? &s->bond : NULL};

	rendezvous_input(w->r, w->now_us, &in, &w->out);
	memset(&s->got, 0, sizeof(s->got));
	if (!w->out.length)
		return false;
	assert_true(endpoint_equal(&w->out.to, &in.from));
	assert_int_equal(w->out.connection, s->connection);
	assert_int_equal(w->out.local, 2);
	get(s, &w->out);
	return true;
}

/* The error of the answer; 0: success; -1: no answer. */
static int ask(struct world *w, struct side *s, const struct rendezvous_message *m, size_t fill)
{
	uint8_t bytes[STUN_MESSAGE_BYTES];
	int length = rendezvous_encode(m, bytes, sizeof(bytes), fill);

	assert_true(length > 0);
	if (!send_bytes(w, s, bytes, (size_t)length))
		return -1;
	assert_true(stun_id_equal(&s->got.id, &m->id));
	assert_int_equal(s->got.method, m->method);
	return s->got.class == STUN_ERROR ? s->got.error_code : 0;
}

static void keep_cookie(struct side *s)
{
	if (!s->got.cookie.length)
		return;
	s->cookie_length = s->got.cookie.length;
	memcpy(s->cookie, s->got.cookie.data, s->cookie_length);
}

static int join_in(struct world *w, struct side *s, const char *name)
{
	struct rendezvous_message m = message(s, RENDEZVOUS_JOIN, name);
	int error = ask(w, s, &m, RENDEZVOUS_JOIN_MIN);

	if (error != RENDEZVOUS_STALE)
		return error;
	keep_cookie(s);
	m = message(s, RENDEZVOUS_JOIN, name);
	return ask(w, s, &m, RENDEZVOUS_JOIN_MIN);
}

static int join(struct world *w, struct side *s)
{
	return join_in(w, s, session_name);
}

static int leave(struct world *w, struct side *s)
{
	struct rendezvous_message m = message(s, RENDEZVOUS_LEAVE, session_name);

	m.cookie.length = 0;
	return ask(w, s, &m, 0);
}

/* What it was told last, it says in its next SEEN. */
static void see(struct side *s)
{
	if (s->got.has_slot)
		s->seen_version = s->got.slot_version;
	if (s->got.has_peer)
		s->seen_ready = s->got.ready;
	if (s->got.has_go)
		s->seen_go = s->got.go;
}

/* Whether the next thing due is NEWS to this side; anything else fails. */
static bool news(struct world *w, struct side *s)
{
	struct endpoint at = endpoint(s->at);
	uint8_t session[RENDEZVOUS_SESSION_BYTES];

	if (!rendezvous_poll(w->r, w->now_us, &w->out))
		return false;
	assert_true(w->out.length > 0);
	assert_int_equal(w->out.connection, s->connection);
	if (!s->connection) {
		assert_true(endpoint_equal(&w->out.to, &at));
		assert_int_equal(w->out.local, 2);
	}
	get(s, &w->out);
	assert_int_equal(s->got.class, STUN_INDICATION);
	assert_int_equal(s->got.method, RENDEZVOUS_NEWS);
	rendezvous_session_of(session_name, strlen(session_name), session);
	assert_memory_equal(s->got.session, session, sizeof(session));
	return true;
}

static bool nothing_due(struct world *w)
{
	return !rendezvous_poll(w->r, w->now_us, &w->out);
}

static void assert_slot(const struct side *s, const char *expected)
{
	assert_true(s->got.has_slot);
	assert_int_equal(s->got.slot.length, strlen(expected));
	assert_memory_equal(s->got.slot.data, expected, strlen(expected));
}

static void assert_peer_at(const struct side *s, const char *expected)
{
	struct endpoint e;

	if (!expected) {
		assert_int_equal(s->got.peer_address.family, FAMILY_NONE);
		return;
	}
	e = endpoint(expected);
	assert_true(endpoint_equal(&s->got.peer_address, &e));
}

static struct side alice(void)
{
	return (struct side){.at = "192.0.2.1:4000", .party = 0xa, .version = 1, .slot = "of A"};
}

static struct side bob(void)
{
	return (struct side){.at = "203.0.113.2:5000", .party = 0xb, .version = 1, .slot = "of B"};
}

/* Both are in, and know it. */
static void meet(struct world *w, struct side *a, struct side *b)
{
	assert_int_equal(join(w, a), 0);
	assert_int_equal(join(w, b), 0);
	see(b);
	assert_true(news(w, a));
	see(a);
	assert_int_equal(join(w, a), 0);
	assert_int_equal(join(w, b), 0);
	assert_true(nothing_due(w));
}

/* --- cookies --- */

static void test_cookie(void **state)
{
	static const struct {
		const char *name, *at;
		uint64_t later_us;
		int error;
		bool fresh;
	} rows[] = {
		{"at once", "192.0.2.1:4000", 0, 0, false},
		{"in this epoch", "192.0.2.1:4000", EPOCH - 1, 0, false},
		{"in the next one", "192.0.2.1:4000", EPOCH, 0, true},
		{"later", "192.0.2.1:4000", 2 * EPOCH, RENDEZVOUS_STALE, true},
		{"another port", "192.0.2.1:4001", 0, RENDEZVOUS_STALE, true},
		{"another address", "192.0.2.2:4000", 0, RENDEZVOUS_STALE, true},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct side a = alice();
		struct rendezvous_message m = message(&a, RENDEZVOUS_JOIN, rows[i].name);

		assert_int_equal(ask(w, &a, &m, 0), RENDEZVOUS_STALE);
		keep_cookie(&a);
		w->now_us += rows[i].later_us;
		a.at = rows[i].at;
		m = message(&a, RENDEZVOUS_JOIN, rows[i].name);
		assert_int_equal(ask(w, &a, &m, 0), rows[i].error);
		assert_int_equal(a.got.cookie.length != 0, rows[i].fresh);
		if (rows[i].fresh)
			assert_int_equal(join_in(w, &a, rows[i].name), 0);
		w->now_us = START + (i + 1) * 100 * EPOCH;
		while (rendezvous_poll(w->r, w->now_us, &w->out))
			;
	}
}

/* Whoever is not proved leaves nothing behind, and gets nothing that is longer. */
static void test_unproved(void **state)
{
	struct world *w = *state;
	struct side a = alice();

	a.slot = NULL;
	a.version = 0;
	for (size_t fill = 0; fill < 200; fill += 4) {
		struct rendezvous_message m = message(&a, RENDEZVOUS_JOIN, NULL);
		int error;

		m.has_seen = m.has_ready = false; /* 52 bytes at least */
		error = ask(w, &a, &m, fill);
		assert_int_equal(error, fill < 56 ? -1 : RENDEZVOUS_STALE);
	}
	assert_int_equal(sessions(w), 0);
	assert_true(rendezvous_next_us(w->r) == UINT64_MAX);
	assert_true(rendezvous_counts(w->r)->unproved > 30);
	a.connection = 9; /* over TCP the source is proved */
	assert_int_equal(join(w, &a), 0);
}

/* --- meeting --- */

static void test_meeting(void **state)
{
	static const struct {
		const char *name;
		const char *at[2];
		uint64_t connection[2];
		const char *seen_at[2]; /* by the other one */
	} rows[] = {
		{"UDP", {"192.0.2.1:4000", "203.0.113.2:5000"}, {0, 0},
			{"192.0.2.1:4000", "203.0.113.2:5000"}},
		{"IPv6", {"[2001:db8::1]:4000", "[2001:db8:1::1]:5000"}, {0, 0},
			{"[2001:db8::1]:4000", "[2001:db8:1::1]:5000"}},
		{"IPv4 and IPv6", {"192.0.2.1:4000", "[2001:db8:1::1]:5000"}, {0, 0},
			{"192.0.2.1:4000", "[2001:db8:1::1]:5000"}},
		/* of TCP only the address is of use */
		{"TCP and UDP", {"192.0.2.1:4000", "203.0.113.2:5000"}, {3, 0},
			{"192.0.2.1", "203.0.113.2:5000"}},
		{"UDP and TCP", {"192.0.2.1:4000", "203.0.113.2:5000"}, {0, 4},
			{"192.0.2.1:4000", "203.0.113.2"}},
		{"TCP", {"192.0.2.1:4000", "203.0.113.2:5000"}, {5, 6},
			{"192.0.2.1", "203.0.113.2"}},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct side a = alice(), b = bob();
		struct endpoint own = endpoint(rows[i].at[0]);

		a.at = rows[i].at[0];
		b.at = rows[i].at[1];
		a.connection = rows[i].connection[0];
		b.connection = rows[i].connection[1];
		assert_int_equal(join(w, &a), 0);
		assert_int_equal(w->out.event, RENDEZVOUS_WAITS);
		assert_true(endpoint_equal(&a.got.mapped, &own));
		assert_true(a.got.has_peer && !a.got.has_slot && !a.got.has_go);
		assert_int_equal(a.got.peer, RENDEZVOUS_NOBODY);
		assert_int_equal(a.got.place, 0);
		assert_true(nothing_due(w));

		assert_int_equal(join(w, &b), 0);
		assert_int_equal(w->out.event, RENDEZVOUS_PAIRED);
		assert_int_equal(b.got.peer, RENDEZVOUS_HERE);
		assert_int_equal(b.got.place, 1);
		assert_slot(&b, "of A");
		assert_peer_at(&b, rows[i].seen_at[0]);

		assert_true(news(w, &a));
		assert_int_equal(a.got.peer, RENDEZVOUS_HERE);
		assert_int_equal(a.got.place, 0);
		assert_slot(&a, "of B");
		assert_peer_at(&a, rows[i].seen_at[1]);
		assert_true(nothing_due(w));

		assert_int_equal(leave(w, &a), 0);
		assert_int_equal(leave(w, &b), 0);
		assert_int_equal(sessions(w), 0);
	}
}

/* Who has said that it has a slot is not given it again. */
static void test_slot_versions(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();

	meet(w, &a, &b);
	assert_int_equal(join(w, &b), 0);
	assert_false(b.got.has_slot);
	a.slot = "older";
	a.version = 1;
	assert_int_equal(join(w, &a), 0);
	assert_true(nothing_due(w));
	b.seen_version = 0; /* has lost it */
	assert_int_equal(join(w, &b), 0);
	assert_slot(&b, "of A");
	see(&b);
	a.version = 7;
	a.slot = "newer";
	assert_int_equal(join(w, &a), 0);
	assert_true(news(w, &b));
	assert_slot(&b, "newer");
	assert_int_equal(b.got.slot_version, 7);
}

static void test_third(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();
	struct side c = {.at = "198.51.100.3:6000", .party = 0xc, .version = 9, .slot = "of C"};

	meet(w, &a, &b);
	assert_int_equal(join(w, &c), RENDEZVOUS_TAKEN);
	assert_true(nothing_due(w));
	assert_int_equal(leave(w, &c), 0); /* has no place to leave */
	assert_true(nothing_due(w));
	b.seen_version = 0;
	assert_int_equal(join(w, &b), 0);
	assert_slot(&b, "of A");
	assert_int_equal(b.got.peer, RENDEZVOUS_HERE);

	/* nor when one of them has left: it was told what they had to tell each other */
	assert_int_equal(leave(w, &a), 0);
	assert_int_equal(join(w, &c), RENDEZVOUS_TAKEN);
	assert_true(news(w, &b));
	assert_int_equal(b.got.peer, RENDEZVOUS_LEFT);
	assert_int_equal(leave(w, &b), 0);
	assert_int_equal(join(w, &c), 0); /* it has ended */
	assert_int_equal(c.got.peer, RENDEZVOUS_NOBODY);
}

/* --- leaving --- */

enum way { WAY_LEAVE, WAY_EXPIRY, WAY_CLOSED };

static void depart(struct world *w, struct side *s, struct side *other, enum way way)
{
	uint64_t end = w->now_us + LIFETIME;

	if (way == WAY_LEAVE) {
		assert_int_equal(leave(w, s), 0);
	} else if (way == WAY_CLOSED) {
		rendezvous_closed(w->r, w->now_us, s->connection, &s->bond, &w->out);
	} else {
		w->now_us += LIFETIME - 10 * SECOND;
		assert_int_equal(join(w, other), 0); /* that one lives on */
		w->now_us = end - 1;
		assert_true(nothing_due(w));
		w->now_us = end;
		assert_true(rendezvous_poll(w->r, w->now_us, &w->out));
		assert_int_equal(w->out.length, 0);
	}
	assert_int_equal(w->out.event, RENDEZVOUS_GONE);
}

static void test_departure(void **state)
{
	struct world *w = *state;

	for (enum way way = WAY_LEAVE; way <= WAY_CLOSED; way++) {
		struct side a = alice(), b = bob();

		a.connection = way == WAY_CLOSED ? 77 : 0;
		meet(w, &a, &b);
		depart(w, &a, &b, way);
		assert_true(news(w, &b));
		assert_int_equal(b.got.peer, RENDEZVOUS_LEFT);
		assert_false(b.got.has_slot);
		assert_peer_at(&b, NULL);
		see(&b);
		assert_int_equal(join(w, &b), 0);
		assert_int_equal(b.got.peer, RENDEZVOUS_LEFT);
		w->now_us += 10 * SECOND;
		assert_true(nothing_due(w)); /* that JOIN has ended the repeats */

		/* it has its place back, and its slot is what it says now */
		memset(&a.bond, 0, sizeof(a.bond));
		a.slot = "again";
		assert_int_equal(join(w, &a), 0);
		assert_int_equal(a.got.place, 0);
		assert_int_equal(a.got.peer, RENDEZVOUS_HERE);
		assert_true(news(w, &b));
		assert_int_equal(b.got.peer, RENDEZVOUS_HERE);
		b.seen_version = 0;
		assert_int_equal(join(w, &b), 0);
		assert_slot(&b, "again");
		assert_int_equal(leave(w, &a), 0);
		assert_int_equal(leave(w, &b), 0);
		assert_int_equal(sessions(w), 0);
	}
}

/* A connection that ends takes along only who has not come from elsewhere since. */
static void test_closed_late(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob(), over_udp = alice();

	a.connection = 77;
	meet(w, &a, &b);
	over_udp.seen_version = 1;
	assert_int_equal(join(w, &over_udp), 0);
	assert_true(news(w, &b)); /* it has an endpoint now */
	assert_peer_at(&b, "192.0.2.1:4000");
	assert_int_equal(join(w, &b), 0);
	rendezvous_closed(w->r, w->now_us, 77, &a.bond, &w->out);
	assert_int_equal(w->out.event, RENDEZVOUS_NOTHING);
	assert_true(nothing_due(w));
	assert_int_equal(join(w, &b), 0);
	assert_int_equal(b.got.peer, RENDEZVOUS_HERE);
}

static void test_one_party_a_connection(void **state)
{
	struct world *w = *state;
	struct side a = alice(), c;

	a.connection = 77;
	assert_int_equal(join(w, &a), 0);
	c = a;
	c.party = 0xc;
	assert_int_equal(join(w, &c), RENDEZVOUS_BAD);
	assert_int_equal(join_in(w, &a, "8"), RENDEZVOUS_BAD);
	assert_int_equal(join(w, &a), 0);
	assert_int_equal(leave(w, &a), 0);
	assert_false(a.bond.bound);
	assert_int_equal(join_in(w, &a, "8"), 0);
}

/* --- news --- */

static void test_repeats(void **state)
{
	static const uint64_t later_ms[] = {0, 150, 300, 600, 1200};
	struct world *w = *state;
	struct side a = alice(), b = bob();

	assert_int_equal(join(w, &a), 0);
	assert_int_equal(join(w, &b), 0);
	see(&b);
	assert_int_equal(join(w, &b), 0);
	for (size_t i = 0; i < sizeof(later_ms) / sizeof(*later_ms); i++) {
		if (later_ms[i]) {
			w->now_us += later_ms[i] * MS - 1;
			assert_true(nothing_due(w));
			w->now_us++;
			assert_true(rendezvous_next_us(w->r) <= w->now_us);
		}
		assert_true(news(w, &a));
		assert_slot(&a, "of B");
		assert_true(nothing_due(w));
	}
	w->now_us += 10 * SECOND;
	assert_true(nothing_due(w));

	/* something new begins it anew; what SEEN covers ends it */
	b.version = 2;
	assert_int_equal(join(w, &b), 0);
	assert_true(news(w, &a));
	see(&a);
	assert_int_equal(join(w, &a), 0);
	w->now_us += 10 * SECOND;
	assert_true(nothing_due(w));

	/* the answer to a JOIN is one, too; what its SEEN lacked is then repeated */
	b.version = 3;
	assert_int_equal(join(w, &b), 0);
	assert_int_equal(join(w, &a), 0);
	assert_true(nothing_due(w));
	w->now_us += 150 * MS;
	assert_true(news(w, &a));
	assert_int_equal(a.got.slot_version, 3);
}

static void test_repeats_tcp(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();

	a.connection = 5;
	assert_int_equal(join(w, &a), 0);
	assert_int_equal(join(w, &b), 0);
	see(&b);
	assert_int_equal(join(w, &b), 0);
	assert_true(news(w, &a));
	w->now_us += 10 * SECOND;
	assert_true(nothing_due(w));
}

/* On whose account it is: of who has caused it. */
static void test_payer(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();
	struct endpoint at = endpoint(b.at);

	assert_int_equal(join(w, &a), 0);
	assert_int_equal(join(w, &b), 0);
	assert_true(news(w, &a));
	assert_true(endpoint_equal(&w->out.payer, &at));
	assert_int_equal(w->out.payer_connection, 0);
}

static void test_mapping_change(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();

	meet(w, &a, &b);
	a.at = "192.0.2.1:4001";
	assert_int_equal(join(w, &a), 0);
	assert_true(news(w, &b));
	assert_peer_at(&b, "192.0.2.1:4001");
	assert_false(b.got.has_slot);
	assert_int_equal(join(w, &b), 0);
	b.version = 2;
	assert_int_equal(join(w, &b), 0);
	assert_true(news(w, &a)); /* goes to the new one */
}

static void test_restart(void **state)
{
	struct world *w = *state;
	struct side a = alice(), b = bob();

	meet(w, &a, &b);
	stop_server(w);
	w->now_us += SECOND;
	start_server(w);
	assert_int_equal(join(w, &b), 0); /* its cookie is of another key */
	assert_int_equal(b.got.peer, RENDEZVOUS_NOBODY);
	assert_int_equal(b.got.place, 0);
	b.seen_version = 0;
	assert_int_equal(join(w, &a), 0);
	assert_int_equal(a.got.peer, RENDEZVOUS_HERE);
	assert_int_equal(a.got.place, 1);
	assert_true(news(w, &b));
	assert_slot(&b, "of A");
}

/* --- go --- */

static void test_go(void **state)
{
	static const struct {
		uint32_t rtt_a, rtt_b;
		uint32_t way; /* the longer one */
	} rows[] = {{0, 0, 0}, {50000, 50000, 25000}, {10000, 300000, 150000},
		{300000, 10000, 150000}, {1, 0, 0}, {UINT32_MAX, 0, RENDEZVOUS_RTT_MAX_US / 2}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct side a = alice(), b = bob();
		uint64_t moment;

		a.rtt_us = rows[i].rtt_a;
		b.rtt_us = rows[i].rtt_b;
		meet(w, &a, &b);
		a.ready = 1;
		assert_int_equal(join(w, &a), 0);
		assert_false(a.got.has_go);
		assert_true(news(w, &b));
		assert_int_equal(b.got.ready, 1);
		assert_int_equal(b.got.rtt_us, rows[i].rtt_a);
		see(&b);
		b.ready = 2; /* it is ready for more: the lower one counts */
		moment = w->now_us + rows[i].way + RENDEZVOUS_MARGIN_US;
		assert_int_equal(join(w, &b), 0);
		assert_true(b.got.has_go);
		assert_int_equal(b.got.go, 1);
		assert_true(w->now_us + rows[i].rtt_b / 2 + (uint64_t)b.got.go_wait_us == moment);
		w->now_us += 1 * MS;
		assert_true(news(w, &a));
		assert_int_equal(a.got.go, 1);
		assert_int_equal(a.got.ready, 2);
		if (rows[i].rtt_a < RENDEZVOUS_RTT_MAX_US)
			assert_true(w->now_us + rows[i].rtt_a / 2 + (uint64_t)a.got.go_wait_us ==
				moment);
		/* told again later, the moment is the same: the wait is negative by then */
		w->now_us += 20 * SECOND;
		assert_int_equal(join(w, &a), 0);
		assert_true(a.got.go_wait_us < 0);
		see(&a);
		a.ready = 3;
		assert_int_equal(join(w, &a), 0);
		assert_int_equal(a.got.go, 2);
		assert_int_equal(leave(w, &a), 0);
		assert_int_equal(leave(w, &b), 0);
		while (rendezvous_poll(w->r, w->now_us, &w->out))
			;
	}
}

/* --- numbers --- */

static void test_numbers(void **state)
{
	static uint8_t taken[100];
	struct world *w = *state;
	unsigned small = 0, large = 0;
	char name[16];

	for (unsigned i = 0; i < 250; i++) {
		struct side s = {.party = (uint8_t)(i + 1)}, peer = bob();
		char at[32];
		uint32_t number;

		snprintf(at, sizeof(at), "10.0.%u.1:4000", i);
		s.at = at;
		assert_int_equal(join_in(w, &s, NULL), 0);
		number = s.got.number;
		assert_true(number >= 1 && number <= 99999);
		if (number < sizeof(taken)) {
			assert_false(taken[number]);
			taken[number] = 1;
		}
		small += number < 100;
		large += number > 999;
		/* the answer may be lost: the same again */
		assert_int_equal(join_in(w, &s, NULL), 0);
		assert_int_equal(s.got.number, number);
		if (i)
			continue;
		snprintf(name, sizeof(name), "%u", (unsigned)number);
		assert_int_equal(join_in(w, &peer, name), 0);
		assert_int_equal(peer.got.peer, RENDEZVOUS_HERE);
	}
	assert_int_equal(sessions(w), 250);
	assert_true(small > 80);
	assert_true(large < 10);
}

/* --- limits --- */

static void test_limits(void **state)
{
	struct world *w = *state;
	struct side a = alice();
	char name[16], at[32];

	for (unsigned i = 0; i < SESSIONS; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		snprintf(at, sizeof(at), "10.%u.0.1:4000", i / PLACES);
		a.at = at;
		assert_int_equal(join_in(w, &a, name), 0);
		if ((i + 1) % PLACES || i + 1 == SESSIONS)
			continue;
		assert_int_equal(join_in(w, &a, "one too many"), RENDEZVOUS_QUOTA);
		assert_int_equal(w->out.event, RENDEZVOUS_REFUSED);
		assert_int_equal(w->out.error, RENDEZVOUS_QUOTA);
	}
	a.at = "192.0.2.9:1";
	assert_int_equal(join_in(w, &a, "nowhere"), RENDEZVOUS_FULL);
	assert_int_equal(join_in(w, &a, "s0"), 0); /* the party is known there */
	w->now_us += LIFETIME;
	while (rendezvous_poll(w->r, w->now_us, &w->out))
		assert_int_equal(w->out.length, 0);
	assert_int_equal(sessions(w), 0);
	assert_int_equal(join_in(w, &a, "now there is room"), 0);
}

/* --- what is no proper request --- */

static void test_malformed(void **state)
{
	static const struct {
		const char *name;
		enum stun_class class;
		uint16_t method, type, length;
		int error; /* -1: silence */
	} rows[] = {
		{"slot too large", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_SLOT, 965, 400},
		{"no session", STUN_REQUEST, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, 16, 400},
		{"unknown attribute", STUN_REQUEST, RENDEZVOUS_JOIN, 0x7ffe, 40, 420},
		{"no room for 400", STUN_REQUEST, RENDEZVOUS_LEAVE, 0xc000, 4, -1},
		{"room for 400", STUN_REQUEST, RENDEZVOUS_LEAVE, 0xc000, 12, 400},
		{"no room for 420", STUN_REQUEST, RENDEZVOUS_LEAVE, 0x7ffe, 12, -1},
		{"news", STUN_REQUEST, RENDEZVOUS_NEWS, RENDEZVOUS_PARTY, 16, -1},
		{"indication", STUN_INDICATION, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, 16, -1},
		{"success", STUN_SUCCESS, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, 16, -1},
		{"error", STUN_ERROR, RENDEZVOUS_JOIN, RENDEZVOUS_PARTY, 16, -1},
	};
	static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[1100], value[1024] = {1};
		struct stun_writer s =
			stun_begin(bytes, sizeof(bytes), rows[i].class, rows[i].method, &id);
		struct side a = alice();
		int length, error;

		stun_add(&s, rows[i].type, value, rows[i].length);
		length = stun_end(&s);
		assert_true(length > 0);
		error = send_bytes(w, &a, bytes, (size_t)length) ? a.got.error_code : -1;
		if (error != rows[i].error)
			fail_msg("%s: %d, not %d", rows[i].name, error, rows[i].error);
		a.at = "224.0.0.1:4000"; /* nobody answers there */
		assert_false(send_bytes(w, &a, bytes, (size_t)length));
	}
	assert_int_equal(sessions(w), 0);
}

/* --- two clients and a network that is no good --- */

#define FLIGHTS	   256
#define RETRY	   (500 * MS)
#define SIM_END_US (20 * SECOND)

struct flight {
	bool used, to_server;
	unsigned who;
	uint64_t at_us;
	size_t length;
	uint8_t bytes[STUN_MESSAGE_BYTES];
};

struct sim {
	struct world *w;
	struct side side[2];
	uint64_t way_us[2]; /* from each to the server */
	uint64_t start_us[2];
	uint64_t retry_us[2]; /* when to send the JOIN again; UINT64_MAX: not */
	uint64_t begin_us[2]; /* phase 1; 0: not yet */
	bool told_late[2];
	unsigned sent; /* messages so far */
	int lost[2]; /* the numbers of those that get lost; -1: none */
	unsigned copies;
	uint32_t jitter_us;
	struct random random;
	struct flight flights[FLIGHTS];
};

static void launch(struct sim *m, bool to_server, unsigned who, const uint8_t *bytes, size_t length)
{
	int number = (int)m->sent++;

	if (number == m->lost[0] || number == m->lost[1])
		return;
	for (unsigned copy = 0; copy < m->copies; copy++) {
		struct flight *f = m->flights;

		while (f->used)
			f++;
		assert_true(f < m->flights + FLIGHTS);
		*f = (struct flight){.used = true,
			.to_server = to_server,
			.who = who,
			.length = length,
			.at_us = m->w->now_us + m->way_us[who] +
				random_below(&m->random, m->jitter_us)};
		memcpy(f->bytes, bytes, length);
	}
}

static void sim_join(struct sim *m, unsigned who)
{
	struct rendezvous_message j = message(&m->side[who], RENDEZVOUS_JOIN, session_name);
	uint8_t bytes[STUN_MESSAGE_BYTES];
	int length = rendezvous_encode(&j, bytes, sizeof(bytes), RENDEZVOUS_JOIN_MIN);

	assert_true(length > 0);
	launch(m, true, who, bytes, (size_t)length);
	m->retry_us[who] = m->w->now_us + RETRY;
}

static void sim_serve(struct sim *m, const struct flight *f)
{
	struct side *s = &m->side[f->who];
	struct rendezvous_input in = {
		.data = f->bytes, .length = f->length, .from = endpoint(s->at), .local = 2};

	rendezvous_input(m->w->r, m->w->now_us, &in, &m->w->out);
	if (m->w->out.length)
		launch(m, false, f->who, m->w->out.bytes, m->w->out.length);
}

/* What the client of a punching tool does: JOIN until answered, and after all NEWS. */
static void sim_take(struct sim *m, const struct flight *f)
{
	struct side *s = &m->side[f->who];
	struct rendezvous_message *g = &s->got;
	uint16_t go = s->seen_go, ready = s->ready;

	memcpy(s->bytes, f->bytes, f->length);
	assert_int_equal(rendezvous_decode(s->bytes, f->length, g), 0);
	keep_cookie(s);
	if (g->class == STUN_ERROR) {
		assert_int_equal(g->error_code, RENDEZVOUS_STALE);
		sim_join(m, f->who);
		return;
	}
	if (g->has_slot) {
		assert_slot(s, m->side[!f->who].slot);
		s->seen_version =
			g->slot_version > s->seen_version ? g->slot_version : s->seen_version;
	}
	s->seen_ready = g->ready > s->seen_ready ? g->ready : s->seen_ready;
	if (g->has_go && g->go > go) {
		s->seen_go = g->go;
		m->told_late[f->who] = g->go_wait_us < 0;
		m->begin_us[f->who] =
			(uint64_t)((int64_t)m->w->now_us + (g->go_wait_us > 0 ? g->go_wait_us : 0));
	}
	s->ready = s->seen_version ? 1 : 0;
	m->retry_us[f->who] = UINT64_MAX;
	if (g->class == STUN_INDICATION || s->ready != ready)
		sim_join(m, f->who);
	else if (!s->seen_go)
		m->retry_us[f->who] = m->w->now_us + 15 * SECOND; /* keeps its place */
}

static uint64_t sim_next_us(const struct sim *m)
{
	uint64_t next = rendezvous_next_us(m->w->r);

	for (unsigned i = 0; i < 2; i++)
		if (m->retry_us[i] < next)
			next = m->retry_us[i];
	for (const struct flight *f = m->flights; f < m->flights + FLIGHTS; f++)
		if (f->used && f->at_us < next)
			next = f->at_us;
	return next;
}

static void sim_step(struct sim *m)
{
	for (struct flight *f = m->flights; f < m->flights + FLIGHTS; f++) {
		if (!f->used || f->at_us > m->w->now_us)
			continue;
		f->used = false;
		if (f->to_server)
			sim_serve(m, f);
		else
			sim_take(m, f);
	}
	for (unsigned i = 0; i < 2; i++)
		if (m->retry_us[i] <= m->w->now_us)
			sim_join(m, i);
	while (rendezvous_poll(m->w->r, m->w->now_us, &m->w->out)) {
		struct endpoint a = endpoint(m->side[0].at);

		if (m->w->out.length)
			launch(m, false, !endpoint_equal(&m->w->out.to, &a), m->w->out.bytes,
				m->w->out.length);
	}
}

static void sim_run(struct sim *m)
{
	uint64_t end_us = m->w->now_us + SIM_END_US;
	uint64_t next_us;

	while ((next_us = sim_next_us(m)) < end_us && (!m->begin_us[0] || !m->begin_us[1])) {
		m->w->now_us = next_us > m->w->now_us ? next_us : m->w->now_us;
		sim_step(m);
	}
}

static struct sim *sim_make(struct world *w, bool bob_first, uint64_t rtt_a, uint64_t rtt_b)
{
	static struct sim m;

	stop_server(w);
	w->now_us = START;
	start_server(w);
	memset(&m, 0, sizeof(m));
	m.w = w;
	m.side[0] = alice();
	m.side[1] = bob();
	m.side[0].rtt_us = (uint32_t)rtt_a;
	m.side[1].rtt_us = (uint32_t)rtt_b;
	m.way_us[0] = rtt_a / 2;
	m.way_us[1] = rtt_b / 2;
	m.retry_us[0] = w->now_us + (bob_first ? 700 * MS : 0);
	m.retry_us[1] = w->now_us + (bob_first ? 0 : 700 * MS);
	m.lost[0] = m.lost[1] = -1;
	m.copies = 1;
	random_init_number(&m.random, 7);
	return &m;
}

static void assert_both_began(const struct sim *m, const char *what, int number, int second)
{
	uint64_t a = m->begin_us[0], b = m->begin_us[1];
	uint64_t apart = a > b ? a - b : b - a;

	if (!a || !b)
		fail_msg("%s %d %d: A began at %ju, B at %ju", what, number, second, (uintmax_t)a,
			(uintmax_t)b);
	if (!m->told_late[0] && !m->told_late[1] && !m->jitter_us && apart > 1)
		fail_msg("%s %d %d: %ju us apart", what, number, second, (uintmax_t)apart);
}

static const struct {
	uint64_t rtt_a, rtt_b;
} trips[] = {{2 * MS, 2 * MS}, {20 * MS, 300 * MS}, {300 * MS, 20 * MS}, {101, 80 * MS}};

static void test_both_orders(void **state)
{
	for (size_t i = 0; i < sizeof(trips) / sizeof(*trips); i++)
		for (int order = 0; order < 2; order++) {
			struct sim *m = sim_make(*state, order, trips[i].rtt_a, trips[i].rtt_b);

			sim_run(m);
			assert_both_began(m, "trip", (int)i, order);
			assert_false(m->told_late[0] || m->told_late[1]);
			assert_true(m->sent <= 24);
		}
}

/* Whichever message gets lost, and whichever two. */
static void test_loss(void **state)
{
	for (int order = 0; order < 2; order++)
		for (int first = 0; first < 20; first++)
			for (int second = first; second < 20; second++) {
				struct sim *m = sim_make(*state, order, 20 * MS, 60 * MS);

				m->lost[0] = first;
				m->lost[1] = second;
				sim_run(m);
				assert_both_began(m, "lost", first, second);
				assert_true(m->w->now_us - START < 3 * SECOND);
			}
}

static void test_duplicates(void **state)
{
	for (int order = 0; order < 2; order++) {
		struct sim *m = sim_make(*state, order, 20 * MS, 60 * MS);

		m->copies = 2;
		sim_run(m);
		assert_both_began(m, "duplicates", order, 0);
	}
}

static void test_reordering(void **state)
{
	for (int seed = 0; seed < 200; seed++) {
		struct sim *m = sim_make(*state, seed & 1, 20 * MS, 60 * MS);

		m->copies = 1 + (seed >> 1 & 1);
		m->jitter_us = 300000;
		random_init_number(&m->random, (uint64_t)seed);
		sim_run(m);
		assert_both_began(m, "reordering", seed, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unproved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_meeting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slot_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_third, setup, teardown),
		cmocka_unit_test_setup_teardown(test_departure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_party_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeats_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_payer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapping_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reordering, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
