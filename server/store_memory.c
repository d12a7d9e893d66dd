// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "server/sources.h"
#include "server/store_memory.h"

/* Few bytes: there may be very many. */
struct place {
	struct session *session;
	struct source *source; /* NULL: it is not charged to anybody, for it was left */
	uint8_t *slot;
	uint64_t connection;
	uint64_t expires_us;
	uint8_t id[RENDEZVOUS_PARTY_BYTES];
	uint8_t address[16]; /* external */
	uint32_t scope; /* of the address */
	uint32_t slot_version, rtt_us;
	uint32_t timer; /* where in the heap; 0: not there */
	uint16_t slot_length, ready, port;
	uint8_t family, local;
	uint8_t state; /* enum rendezvous_peer */
	uint8_t number; /* 0 or 1 */
};

/* What is needed only once there are two. */
struct pair {
	uint64_t go_us;
	uint16_t go;
	struct store_news news[2];
	struct place second;
};

struct session {
	struct session *next;
	struct pair *pair; /* NULL: waits for its second party */
	uint8_t id[RENDEZVOUS_SESSION_BYTES];
	struct place first;
};

/* The key may be earlier than what its place wants by now: then the place is put off when it comes up. */
struct timer {
	uint64_t key_us;
	struct place *place;
};

struct memory {
	struct store store;
	uint8_t key[STORE_MEMORY_KEY_BYTES];
	uint32_t sessions_max, sessions, pairs, timers;
	size_t slot_bytes;
	struct sources *sources;
	struct timer *heap; /* from 1; room for all the places that there can be */
	size_t mask;
	struct session **buckets;
};

_Static_assert(STORE_MEMORY_KEY_BYTES == crypto_shorthash_KEYBYTES, "a key of crypto_shorthash");
_Static_assert(STORE_MEMORY_KEY_BYTES == SOURCES_KEY_BYTES, "it keys the sources, too");

/* --- timers --- */

static void put(struct memory *m, uint32_t at, struct timer t)
{
	m->heap[at] = t;
	t.place->timer = at;
}

static void sift_up(struct memory *m, uint32_t at)
{
	struct timer t = m->heap[at];

	for (; at > 1 && m->heap[at / 2].key_us > t.key_us; at /= 2)
		put(m, at, m->heap[at / 2]);
	put(m, at, t);
}

static void sift_down(struct memory *m, uint32_t at)
{
	struct timer t = m->heap[at];
	uint32_t child;

	for (; (child = 2 * at) <= m->timers; at = child) {
		if (child < m->timers && m->heap[child + 1].key_us < m->heap[child].key_us)
			child++;
		if (m->heap[child].key_us >= t.key_us)
			break;
		put(m, at, m->heap[child]);
	}
	put(m, at, t);
}

static uint64_t due_of(const struct place *p)
{
	const struct pair *pair = p->session->pair;
	uint64_t news_us = pair ? pair->news[p->number].due_us : STORE_NEVER;

	return news_us < p->expires_us ? news_us : p->expires_us;
}

/* To be called whenever something may have become due earlier than before. */
static void set_timer(struct memory *m, struct place *p)
{
	uint64_t due_us = due_of(p);

	if (!p->timer) {
		put(m, ++m->timers, (struct timer){due_us, p});
		sift_up(m, p->timer);
	} else if (due_us < m->heap[p->timer].key_us) {
		m->heap[p->timer].key_us = due_us;
		sift_up(m, p->timer);
	}
}

static void stop_timer(struct memory *m, struct place *p)
{
	uint32_t at = p->timer;
	struct timer last;

	if (!at)
		return;
	p->timer = 0;
	last = m->heap[m->timers--];
	if (last.place == p)
		return;
	put(m, at, last);
	sift_up(m, at);
	sift_down(m, last.place->timer);
}

/* --- sessions --- */

static struct session **bucket_of(struct memory *m, const uint8_t *id)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t value;

	crypto_shorthash(hash, id, RENDEZVOUS_SESSION_BYTES, m->key);
	memcpy(&value, hash, sizeof(value));
	return &m->buckets[value & m->mask];
}

static struct session *find(struct memory *m, const uint8_t *id)
{
	struct session *s = *bucket_of(m, id);

	while (s && memcmp(s->id, id, sizeof(s->id)) != 0)
		s = s->next;
	return s;
}

static struct place *place_at(struct session *s, unsigned number)
{
	return !number ? &s->first : s->pair ? &s->pair->second : NULL;
}

/* In constant time: the ID is the proof that it is this party. */
static struct place *place_of(struct session *s, const uint8_t *party)
{
	for (unsigned i = 0; i < 2; i++) {
		struct place *p = place_at(s, i);

		if (p && !sodium_memcmp(p->id, party, sizeof(p->id)))
			return p;
	}
	return NULL;
}

static void init_place(
	struct place *p, struct session *s, unsigned number, const struct store_party *party)
{
	p->session = s;
	p->number = (uint8_t)number;
	p->state = RENDEZVOUS_LEFT; /* until everything has been put into it */
	memcpy(p->id, party->id, sizeof(p->id));
}

static int add_session(
	struct memory *m, const uint8_t *id, const struct store_party *party, struct place **out)
{
	struct session **bucket = bucket_of(m, id);
	struct session *s;

	if (m->sessions >= m->sessions_max)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s->id, id, sizeof(s->id));
	init_place(&s->first, s, 0, party);
	s->next = *bucket;
	*bucket = s;
	m->sessions++;
	*out = &s->first;
	return 0;
}

static int add_second(
	struct memory *m, struct session *s, const struct store_party *party, struct place **out)
{
	if (s->pair)
		return -EEXIST;
	s->pair = calloc(1, sizeof(*s->pair));
	if (!s->pair)
		return -ENOMEM;
	s->pair->news[0].due_us = s->pair->news[1].due_us = STORE_NEVER;
	init_place(&s->pair->second, s, 1, party);
	m->pairs++;
	*out = &s->pair->second;
	return 0;
}

static void drop_pair(struct memory *m, struct session *s)
{
	m->pairs -= s->pair != NULL;
	free(s->pair);
	s->pair = NULL;
}

static void drop_session(struct memory *m, struct session *s)
{
	struct session **link = bucket_of(m, s->id);

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	m->sessions--;
	drop_pair(m, s);
	free(s);
}

static bool is_here(const struct place *p)
{
	return p && p->state == RENDEZVOUS_HERE;
}

static void drop_slot(struct memory *m, struct place *p)
{
	m->slot_bytes -= p->slot_length;
	free(p->slot);
	p->slot = NULL;
	p->slot_length = 0;
	p->slot_version = 0;
}

/* The place is kept for its party only while the other one is there. */
static void vacate(struct memory *m, struct place *p)
{
	struct session *s = p->session;

	stop_timer(m, p);
	drop_slot(m, p);
	if (p->source)
		sources_give_back(m->sources, p->source);
	p->source = NULL;
	p->state = RENDEZVOUS_LEFT;
	p->ready = 0;
	p->family = FAMILY_NONE;
	p->connection = 0;
	if (s->pair)
		s->pair->news[p->number].due_us = STORE_NEVER;
	if (!is_here(&s->first) && !is_here(place_at(s, 1)))
		drop_session(m, s);
}

/* --- joining --- */

static int put_slot(struct memory *m, struct place *p, const struct store_party *party)
{
	uint8_t *copy;

	if (party->slot_version <= p->slot_version)
		return 0;
	copy = malloc(party->slot.length ? party->slot.length : 1);
	if (!copy)
		return -ENOMEM;
	if (party->slot.length)
		memcpy(copy, party->slot.data, party->slot.length);
	drop_slot(m, p);
	p->slot = copy;
	p->slot_length = (uint16_t)party->slot.length;
	p->slot_version = party->slot_version;
	m->slot_bytes += p->slot_length;
	return STORE_SLOT;
}

static unsigned put_external(struct place *p, const struct endpoint *e)
{
	bool same = p->family == e->family && p->port == e->port && p->scope == e->scope &&
		!memcmp(p->address, e->address, sizeof(p->address));

	if (e->family == FAMILY_NONE || same)
		return 0;
	p->family = (uint8_t)e->family;
	p->port = e->port;
	p->scope = e->scope;
	memcpy(p->address, e->address, sizeof(p->address));
	return STORE_MOVED;
}

static unsigned put_rest(struct place *p, uint64_t now_us, const struct store_party *party)
{
	unsigned changes = put_external(p, &party->external);

	if (party->ready > p->ready) {
		p->ready = party->ready;
		changes |= STORE_READY;
	}
	p->rtt_us = party->rtt_us;
	p->connection = party->connection;
	p->local = party->local;
	p->expires_us = now_us + RENDEZVOUS_LIFETIME_US;
	p->state = RENDEZVOUS_HERE;
	return changes;
}

/* What may be refused comes before anything is changed that would be seen. */
static int fill_place(struct memory *m, struct place *p, uint64_t now_us,
	const struct store_party *party, const struct endpoint *from, unsigned *changes)
{
	int err = p->source ? 0 : sources_take(m->sources, from, &p->source);

	if (err)
		return err;
	err = put_slot(m, p, party);
	if (err < 0)
		return err;
	*changes |= (unsigned)err | put_rest(p, now_us, party);
	set_timer(m, p);
	return p->number;
}

/* A place that was just made, and its session where it was the first one, or the second's part of it. */
static void unmake(struct memory *m, struct place *p)
{
	struct session *s = p->session;

	if (p->number == 0) {
		vacate(m, p);
		return;
	}
	if (p->source)
		sources_give_back(m->sources, p->source);
	drop_pair(m, s);
}

static int join_as(struct memory *m, const uint8_t *id, const struct store_party *party,
	struct place **out, unsigned *changes)
{
	struct session *s = find(m, id);
	int err = 0;

	*changes = 0;
	*out = s ? place_of(s, party->id) : NULL;
	if (*out) {
		*changes = is_here(*out) ? 0 : STORE_BACK;
		return 0;
	}
	err = s ? add_second(m, s, party, out) : add_session(m, id, party, out);
	*changes = s ? STORE_NEW | STORE_PAIRED : STORE_NEW;
	return err;
}

static int memory_join(struct store *store, uint64_t now_us, const uint8_t *session,
	const struct store_party *party, const struct endpoint *from, unsigned *changes)
{
	struct memory *m = (struct memory *)store;
	struct place *p = NULL;
	int result;

	if (party->slot.length > RENDEZVOUS_SLOT_MAX)
		return -EMSGSIZE;
	result = join_as(m, session, party, &p, changes);
	if (result)
		return result;
	result = fill_place(m, p, now_us, party, from, changes);
	if (result >= 0)
		return result;
	if (*changes & STORE_NEW)
		unmake(m, p);
	else if (*changes & STORE_BACK && p->source)
		vacate(m, p);
	return result;
}

/* --- the other operations --- */

static void copy_party(const struct place *p, struct store_party *out)
{
	memcpy(out->id, p->id, sizeof(out->id));
	out->slot_version = p->slot_version;
	out->slot = (struct span){p->slot, p->slot_length};
	out->ready = p->ready;
	out->rtt_us = p->rtt_us;
	out->external.family = (enum family)p->family;
	out->external.port = p->port;
	out->external.scope = p->scope;
	memcpy(out->external.address, p->address, sizeof(p->address));
	out->connection = p->connection;
	out->local = p->local;
}

static int memory_find(struct store *store, const uint8_t *session, struct store_session *out)
{
	struct session *s = find((struct memory *)store, session);

	if (!s)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	memcpy(out->id, s->id, sizeof(out->id));
	out->paired = s->pair != NULL;
	for (unsigned i = 0; i < 2; i++) {
		const struct place *p = place_at(s, i);

		if (!p)
			break;
		out->place[i].state = (enum rendezvous_peer)p->state;
		copy_party(p, &out->place[i].party);
		if (s->pair)
			out->place[i].news = s->pair->news[i];
	}
	if (s->pair) {
		out->go = s->pair->go;
		out->go_us = s->pair->go_us;
	}
	return 0;
}

static int memory_leave(struct store *store, const uint8_t *session, const uint8_t *party)
{
	struct memory *m = (struct memory *)store;
	struct session *s = find(m, session);
	struct place *p = s ? place_of(s, party) : NULL;
	int number;

	if (!is_here(p))
		return -ENOENT;
	number = p->number;
	vacate(m, p);
	return number;
}

static int memory_go(struct store *store, const uint8_t *session, uint16_t go, uint64_t go_us)
{
	struct session *s = find((struct memory *)store, session);

	if (!s || !s->pair)
		return -ENOENT;
	if (go <= s->pair->go)
		return -EALREADY;
	s->pair->go = go;
	s->pair->go_us = go_us;
	return 0;
}

static int memory_remind(
	struct store *store, const uint8_t *session, unsigned place, const struct store_news *news)
{
	struct memory *m = (struct memory *)store;
	struct session *s = find(m, session);

	if (!s || !s->pair || place > 1 || !is_here(place_at(s, place)))
		return -ENOENT;
	s->pair->news[place] = *news;
	set_timer(m, place_at(s, place));
	return 0;
}

/* The first that is really due, if any; those that were put off meanwhile go back to their places. */
static struct place *first_due(struct memory *m, uint64_t now_us)
{
	while (m->timers) {
		struct timer *top = &m->heap[1];
		uint64_t due_us = due_of(top->place);

		if (top->key_us >= due_us)
			return due_us <= now_us ? top->place : NULL;
		top->key_us = due_us;
		sift_down(m, 1);
	}
	return NULL;
}

static bool memory_due(struct store *store, uint64_t now_us, struct store_event *out)
{
	struct memory *m = (struct memory *)store;
	struct place *p = first_due(m, now_us);

	if (!p)
		return false;
	memcpy(out->session, p->session->id, sizeof(out->session));
	out->place = p->number;
	out->kind = p->expires_us <= now_us ? STORE_EXPIRED : STORE_DUE;
	if (out->kind == STORE_EXPIRED)
		vacate(m, p);
	else
		p->session->pair->news[p->number].due_us = STORE_NEVER;
	return true;
}

static uint64_t memory_next_us(const struct store *store)
{
	const struct memory *m = (const struct memory *)store;

	return m->timers ? m->heap[1].key_us : STORE_NEVER;
}

static void memory_usage(const struct store *store, struct store_usage *out)
{
	const struct memory *m = (const struct memory *)store;

	out->sessions = m->sessions;
	out->sources = sources_count(m->sources);
	out->bytes = sizeof(*m) + (m->mask + 1) * sizeof(*m->buckets) +
		m->timers * sizeof(*m->heap) + m->sessions * sizeof(struct session) +
		m->pairs * sizeof(struct pair) + m->slot_bytes + sources_bytes(m->sources);
}

/* --- making and ending --- */

static void memory_destroy(struct store *store)
{
	struct memory *m = (struct memory *)store;

	for (size_t i = 0; m->buckets && i <= m->mask; i++)
		while (m->buckets[i]) {
			struct session *s = m->buckets[i];

			m->buckets[i] = s->next;
			free(s->first.slot);
			if (s->pair)
				free(s->pair->second.slot);
			free(s->pair);
			free(s);
		}
	free(m->buckets);
	free(m->heap);
	sources_destroy(m->sources);
	free(m);
}

static const struct store_operations operations = {
	.join = memory_join,
	.find = memory_find,
	.leave = memory_leave,
	.go = memory_go,
	.remind = memory_remind,
	.due = memory_due,
	.next_us = memory_next_us,
	.usage = memory_usage,
	.destroy = memory_destroy,
};

/*
 * The tables are as large as they can ever have to be, so that nothing has to grow while clients wait; the
 * kernel gives the pages when they are first touched.
 */
int store_memory_create(struct store **out, const struct store_memory_limits *limits,
	const uint8_t key[static STORE_MEMORY_KEY_BYTES])
{
	struct memory *m = calloc(1, sizeof(*m));
	size_t buckets = 1;

	if (!m)
		return -ENOMEM;
	while (buckets < limits->sessions)
		buckets *= 2;
	m->store.does = &operations;
	memcpy(m->key, key, sizeof(m->key));
	m->sessions_max = limits->sessions;
	m->mask = buckets - 1;
	m->buckets = calloc(buckets, sizeof(*m->buckets));
	m->heap = malloc((2 * (size_t)limits->sessions + 1) * sizeof(*m->heap));
	if (!m->buckets || !m->heap ||
		sources_create(&m->sources, limits->sessions, limits->per_source, key)) {
		memory_destroy(&m->store);
		return -ENOMEM;
	}
	*out = &m->store;
	return 0;
}
