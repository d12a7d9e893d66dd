// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A script of messages from a few sources, over UDP and TCP, of connections that end and of time that passes.
 * Promised: who is not proved gets no more bytes than it has sent and leaves nothing behind; the table stays within
 * its limits; replies go to the sender, NEWS to the endpoint from which its party has come last; and a slot is
 * never told to anybody but the other party of its session.
 */

#include <config.h>

#include <sodium.h>
#include <string.h>

#include "server/cookie.h"
#include "server/rendezvous.h"
#include "server/store_memory.h"
#include "fuzz.h"

#define SOURCES	     6 /* the last two are TCP connections */
#define FIRST_TCP    4
#define PARTIES	     4
#define NAMES	     4
#define SESSIONS     5
#define PER_SOURCE   3
#define KNOWN	     256 /* sessions that there were */
#define STEPS	     400
#define POLLS	     1000
#define SLOT_BYTES   64
#define MESSAGE_ROOM 1500

struct source {
	uint64_t connection; /* 0: UDP */
	struct rendezvous_bond bond;
	uint8_t cookie[COOKIE_BYTES];
	bool has_cookie;
	uint64_t cookie_us; /* when it got it */
};

/* Who has which place, as the answers say, and where it came from. */
struct known {
	uint8_t id[RENDEZVOUS_SESSION_BYTES];
	uint8_t party[2];
	unsigned source[2];
};

struct run {
	const uint8_t *data;
	size_t size, at;
	struct store *store;
	struct rendezvous *r;
	uint64_t now_us, connections;
	struct source sources[SOURCES];
	struct known known[KNOWN];
	size_t known_count;
	struct rendezvous_output out;
};

/* What a script says that is sent. */
struct request {
	unsigned source;
	struct rendezvous_message m;
	uint8_t slot[SLOT_BYTES];
	bool proved; /* it shows what proves its source */
	uint8_t bytes[MESSAGE_ROOM];
	size_t length;
};

static uint8_t take(struct run *x)
{
	return x->at < x->size ? x->data[x->at++] : 0;
}

static struct endpoint endpoint_of(unsigned source)
{
	struct endpoint e = {.family = source & 1 ? FAMILY_IPV6 : FAMILY_IPV4};

	/* 0 and 2 share an address, 1 and 3 a network */
	memcpy(e.address, source & 1 ? "\x20\x01\x0d\xb8" : "\xc0\x00\x02\x07", 4);
	e.address[15] = (uint8_t)(source & 1 ? source : 0);
	e.port = (uint16_t)(1000 + source);
	return e;
}

static size_t sessions(struct run *x)
{
	struct store_usage usage;

	x->store->does->usage(x->store, &usage);
	require(usage.sessions <= SESSIONS);
	return usage.sessions;
}

/* --- what is known --- */

static struct known *known_of(struct run *x, const uint8_t *id)
{
	struct known *k;

	for (size_t i = 0; i < x->known_count; i++)
		if (!memcmp(x->known[i].id, id, sizeof(x->known[i].id)))
			return &x->known[i];
	require(x->known_count < KNOWN);
	k = &x->known[x->known_count++];
	*k = (struct known){.source = {SOURCES, SOURCES}};
	memcpy(k->id, id, sizeof(k->id));
	return k;
}

/* The first byte of each slot names the party whose it is. */
static void check_slot(const struct known *k, const struct rendezvous_message *m)
{
	if (!m->has_slot)
		return;
	require(m->has_peer && m->peer == RENDEZVOUS_HERE);
	require(m->slot.length >= 1 && m->slot.length <= SLOT_BYTES);
	require(m->slot.data[0] == k->party[!m->place]);
	require(k->party[0] != k->party[1]);
	for (size_t i = 1; i < m->slot.length; i++)
		require(m->slot.data[i] == m->slot.data[0]);
}

static void check_success(struct run *x, struct request *q, const struct rendezvous_message *m)
{
	uint8_t id[RENDEZVOUS_SESSION_BYTES];
	struct endpoint from = endpoint_of(q->source);
	struct known *k;
	char text[16];

	if (m->method == RENDEZVOUS_LEAVE) {
		require(x->out.length <= q->length);
		return;
	}
	require(q->proved);
	require(endpoint_equal(&m->mapped, &from));
	memcpy(id, q->m.session, sizeof(id));
	if (!q->m.has_session) {
		require(m->number);
		rendezvous_session_of(
			text, (size_t)snprintf(text, sizeof(text), "%u", m->number), id);
	}
	k = known_of(x, id);
	require(m->has_peer);
	/* a place changes hands only when nobody else is there */
	if (k->party[m->place] != q->m.party[0])
		require(m->place == 1 || m->peer == RENDEZVOUS_NOBODY);
	if (m->peer == RENDEZVOUS_NOBODY)
		k->party[1] = 0;
	k->party[m->place] = q->m.party[0];
	k->source[m->place] = q->source;
	check_slot(k, m);
}

static void check_reply(struct run *x, struct request *q, bool parsed, size_t before)
{
	struct source *s = &x->sources[q->source];
	struct endpoint from = endpoint_of(q->source);
	struct rendezvous_message m;

	if (!q->proved)
		require(x->out.length <= q->length && sessions(x) <= before);
	if (!x->out.length)
		return;
	require(endpoint_equal(&x->out.to, &from) && x->out.connection == s->connection);
	if (rendezvous_decode(x->out.bytes, x->out.length, &m)) {
		struct stun_message stun;

		require(!stun_decode(x->out.bytes, x->out.length, &stun));
		require(stun.class == STUN_ERROR && stun.error_code == 420);
		return;
	}
	require(m.class == STUN_SUCCESS || m.class == STUN_ERROR);
	require(m.class == STUN_ERROR || parsed);
	if (m.cookie.length) {
		require(m.cookie.length == COOKIE_BYTES && !s->connection);
		memcpy(s->cookie, m.cookie.data, COOKIE_BYTES);
		s->has_cookie = true;
		s->cookie_us = x->now_us;
	}
	if (m.class == STUN_SUCCESS)
		check_success(x, q, &m);
}

static void check_news(struct run *x)
{
	struct rendezvous_message m;
	struct endpoint to;
	struct known *k;

	require(!rendezvous_decode(x->out.bytes, x->out.length, &m));
	require(m.class == STUN_INDICATION && m.method == RENDEZVOUS_NEWS && m.has_peer);
	k = known_of(x, m.session);
	require(k->source[m.place] < SOURCES);
	require(x->out.connection == x->sources[k->source[m.place]].connection);
	if (!x->out.connection) {
		to = endpoint_of(k->source[m.place]);
		require(endpoint_equal(&x->out.to, &to));
	}
	check_slot(k, &m);
}

static void poll(struct run *x)
{
	unsigned count = 0;

	while (rendezvous_poll(x->r, x->now_us, &x->out)) {
		require(++count < POLLS);
		if (x->out.length)
			check_news(x);
	}
	require(rendezvous_next_us(x->r) > x->now_us);
	sessions(x);
}

/* --- what is done --- */

static void deliver(struct run *x, struct request *q)
{
	struct source *s = &x->sources[q->source];
	uint8_t *exact = malloc(q->length ? q->length : 1);
	struct rendezvous_input in = {.data = exact,
		.length = q->length,
		.from = endpoint_of(q->source),
		.connection = s->connection,
		.bond = s->connection ? &s->bond : NULL};
	size_t before = sessions(x);

	require(exact != NULL);
	memcpy(exact, q->bytes, q->length);
	rendezvous_input(x->r, x->now_us, &in, &x->out);
	check_reply(x, q, !rendezvous_decode(exact, q->length, &q->m), before);
	free(exact);
	poll(x);
}

static bool is_good(const struct run *x, const struct source *s)
{
	return s->has_cookie && x->now_us / COOKIE_EPOCH_US - s->cookie_us / COOKIE_EPOCH_US < 2;
}

static void fill_request(struct run *x, struct request *q, uint8_t flags)
{
	struct rendezvous_message *m = &q->m;
	char name = (char)('0' + take(x) % NAMES);

	memset(m->party, 1 + take(x) % PARTIES, sizeof(m->party));
	m->has_party = true;
	m->has_session = !(flags & 1);
	m->allocate = flags & 1;
	rendezvous_session_of(&name, 1, m->session);
	m->has_slot = flags & 2;
	if (m->has_slot) {
		m->slot_version = 1u + take(x);
		m->slot = (struct span){q->slot, 1 + take(x) % SLOT_BYTES};
		memset(q->slot, m->party[0], sizeof(q->slot));
	}
	m->has_ready = flags & 4;
	if (m->has_ready) {
		m->ready = take(x);
		m->rtt_us = (uint32_t)take(x) << (take(x) & 31);
	}
	m->has_seen = flags & 8;
	if (m->has_seen) {
		m->seen_version = take(x);
		m->seen_ready = take(x);
		m->seen_go = take(x);
	}
}

static void send_message(struct run *x, uint16_t method)
{
	struct request q = {.source = take(x) % SOURCES};
	struct source *s = &x->sources[q.source];
	uint8_t flags = take(x);
	int length;

	q.m.class = STUN_REQUEST;
	q.m.method = method;
	memcpy(q.m.id.bytes, "\x21\x12\xa4\x42", 4);
	fill_request(x, &q, flags);
	if (flags & 16)
		q.m.cookie = (struct span){s->cookie, COOKIE_BYTES};
	q.proved = s->connection || (flags & 16 && is_good(x, s));
	length = rendezvous_encode(&q.m, q.bytes, sizeof(q.bytes), flags & 32 ? 128 : 0);
	require(length > 0);
	q.length = (size_t)length;
	deliver(x, &q);
}

/* Bytes of the script's own, which prove nothing over UDP: no cookie is known before the run. */
static void send_raw(struct run *x)
{
	struct request q = {.source = take(x) % FIRST_TCP};
	size_t wanted = take(x) * 4u;

	while (q.length < wanted && x->at < x->size)
		q.bytes[q.length++] = take(x);
	deliver(x, &q);
}

static void close_connection(struct run *x)
{
	struct source *s = &x->sources[FIRST_TCP + take(x) % (SOURCES - FIRST_TCP)];

	rendezvous_closed(x->r, x->now_us, s->connection, &s->bond, &x->out);
	require(!x->out.length);
	memset(&s->bond, 0, sizeof(s->bond));
	s->connection = ++x->connections;
	poll(x);
}

static void step(struct run *x)
{
	switch (take(x) % 8) {
	case 0:
	case 1:
	case 2:
		send_message(x, RENDEZVOUS_JOIN);
		break;
	case 3:
		send_message(x, RENDEZVOUS_LEAVE);
		break;
	case 4:
		send_raw(x);
		break;
	case 5:
		close_connection(x);
		break;
	default:
		x->now_us += (uint64_t)take(x) << (take(x) % 20);
		poll(x);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[STORE_MEMORY_KEY_BYTES] = {1};
	struct store_memory_limits limits = {SESSIONS, PER_SOURCE};
	static struct run x;
	struct random random;

	require(sodium_init() >= 0);
	memset(&x, 0, sizeof(x));
	x.data = data;
	x.size = size;
	x.now_us = 1000 * (uint64_t)COOKIE_EPOCH_US;
	for (unsigned i = FIRST_TCP; i < SOURCES; i++)
		x.sources[i].connection = ++x.connections;
	random_init_number(&random, 1);
	require(!store_memory_create(&x.store, &limits, key));
	require(!rendezvous_create(&x.r, x.store, &random));
	for (unsigned i = 0; i < STEPS && x.at < size; i++)
		step(&x);
	x.now_us += RENDEZVOUS_LIFETIME_US;
	poll(&x);
	require(sessions(&x) == 0);
	rendezvous_destroy(x.r);
	x.store->does->destroy(x.store);
	return 0;
}
