// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cookie.h"
#include "server/rendezvous.h"

#define NEVER STORE_NEVER

struct rendezvous {
	struct store *store;
	struct random random;
	uint8_t cookie_key[COOKIE_KEY_BYTES];
	uint8_t number_key[crypto_shorthash_KEYBYTES], tag_key[crypto_shorthash_KEYBYTES];
	struct rendezvous_counts counts;
};

/* One message being dealt with. */
struct exchange {
	struct rendezvous *r;
	uint64_t now_us;
	const struct rendezvous_input *in;
	struct rendezvous_message m;
	uint32_t number; /* allocated; 0: none */
	bool fresh_cookie; /* its own will not be good for long */
	struct rendezvous_output *out;
};

static uint64_t short_hash(const uint8_t *key, const void *data, size_t length)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t value;

	crypto_shorthash(hash, data, length, key);
	memcpy(&value, hash, sizeof(value));
	return value;
}

static void note(const struct rendezvous *r, struct rendezvous_output *out,
	enum rendezvous_event event, const uint8_t *session)
{
	out->event = event;
	out->tag = (uint32_t)short_hash(r->tag_key, session, RENDEZVOUS_SESSION_BYTES);
}

static void clear(struct rendezvous_output *out)
{
	memset(out, 0, offsetof(struct rendezvous_output, bytes));
}

static void finish(struct rendezvous_output *out, const struct rendezvous_message *m)
{
	int length = rendezvous_encode(m, out->bytes, sizeof(out->bytes), 0);

	out->length = length > 0 ? (size_t)length : 0;
}

/* --- what to say --- */

static struct rendezvous_message answer_to(const struct exchange *x, enum stun_class class)
{
	return (struct rendezvous_message){
		.class = class, .method = x->m.method, .id = x->m.id, .mapped = x->in->from};
}

static int32_t wait_until(uint64_t then_us, uint64_t now_us, uint32_t rtt_us)
{
	int64_t wait = (int64_t)(then_us - now_us) -
		(rtt_us < RENDEZVOUS_RTT_MAX_US ? rtt_us : RENDEZVOUS_RTT_MAX_US) / 2;

	return wait < INT32_MIN ? INT32_MIN : (int32_t)wait;
}

/* All that there is to know for one place, in an answer or in NEWS. */
static void tell(const struct store_session *s, unsigned place, uint64_t now_us,
	uint32_t seen_version, struct rendezvous_message *m)
{
	const struct store_place *other = &s->place[!place];
	bool here = other->state == RENDEZVOUS_HERE;

	m->has_peer = true;
	m->peer = other->state;
	m->place = (uint8_t)place;
	if (here) {
		m->ready = other->party.ready;
		m->rtt_us = other->party.rtt_us;
		m->peer_address = other->party.external;
	}
	if (here && other->party.slot_version > seen_version) {
		m->has_slot = true;
		m->slot_version = other->party.slot_version;
		m->slot = other->party.slot;
	}
	if (s->go) {
		m->has_go = true;
		m->go = s->go;
		m->go_wait_us = wait_until(s->go_us, now_us, s->place[place].party.rtt_us);
	}
}

/*
 * An error, always as short as it can be. It goes to an unproved source, too, which is never sent more than it
 * has sent: then rather nothing.
 */
static void refuse(struct exchange *x, uint16_t error)
{
	struct rendezvous_message m = answer_to(x, STUN_ERROR);
	uint8_t cookie[COOKIE_BYTES];

	m.error_code = error;
	if (error == RENDEZVOUS_STALE) {
		cookie_make(x->r->cookie_key, &x->in->from, x->now_us, cookie);
		m.cookie = (struct span){cookie, sizeof(cookie)};
		x->r->counts.unproved++;
	} else {
		x->r->counts.refused++;
	}
	x->out->event = RENDEZVOUS_REFUSED;
	x->out->error = error;
	finish(x->out, &m);
	if (!x->in->connection && x->out->length > x->in->length)
		x->out->length = 0;
}

/* --- what changes --- */

/* Whether the party does not know something that its NEWS would tell. */
static bool is_behind(const struct store_session *s, unsigned place)
{
	const struct store_news *n = &s->place[place].news;
	const struct store_place *other = &s->place[!place];

	return n->unseen || n->seen_version < other->party.slot_version ||
		n->seen_ready < other->party.ready || n->seen_go < s->go;
}

static void remind(struct rendezvous *r, const struct store_session *s, unsigned place)
{
	(void)r->store->does->remind(r->store, s->id, place, &s->place[place].news);
}

/* The other party is told at once of what has changed here. */
static void alert(
	struct rendezvous *r, uint64_t now_us, struct store_session *s, unsigned place, bool unseen)
{
	struct store_news *n = &s->place[place].news;

	if (!s->paired || s->place[place].state != RENDEZVOUS_HERE)
		return;
	n->unseen |= unseen;
	if (!is_behind(s, place))
		return;
	n->tries = 0;
	n->due_us = now_us;
	remind(r, s, place);
}

static uint64_t retry_delay_us(unsigned tries)
{
	return 150000u << (tries - 1);
}

/* The answer to a JOIN is as good as NEWS; only what its SEEN lacks has to be seen to arrive. */
static void take_seen(struct exchange *x, struct store_session *s, unsigned place)
{
	struct store_news *n = &s->place[place].news;

	if (!s->paired)
		return;
	*n = (struct store_news){.seen_version = x->m.seen_version,
		.seen_ready = x->m.seen_ready,
		.seen_go = x->m.seen_go,
		.due_us = NEVER};
	if (is_behind(s, place) && !x->in->connection) {
		n->tries = 1;
		n->due_us = x->now_us + retry_delay_us(1);
	}
	remind(x->r, s, place);
}

static uint32_t half_rtt_us(const struct store_place *p)
{
	uint32_t rtt = p->party.rtt_us;

	return (rtt < RENDEZVOUS_RTT_MAX_US ? rtt : RENDEZVOUS_RTT_MAX_US) / 2;
}

/* Both are ready for a phase that was not begun: it begins when the news of it can have reached both. */
static bool start_phase(struct exchange *x, struct store_session *s)
{
	const struct store_place *a = &s->place[0], *b = &s->place[1];
	uint16_t go = a->party.ready < b->party.ready ? a->party.ready : b->party.ready;
	uint32_t way_a = half_rtt_us(a), way_b = half_rtt_us(b);
	uint64_t go_us = x->now_us + (way_a > way_b ? way_a : way_b) + RENDEZVOUS_MARGIN_US;

	if (a->state != RENDEZVOUS_HERE || b->state != RENDEZVOUS_HERE || go <= s->go ||
		x->r->store->does->go(x->r->store, s->id, go, go_us))
		return false;
	s->go = go;
	s->go_us = go_us;
	x->r->counts.go++;
	return true;
}

/* --- numbers --- */

#define NUMBER_LEVELS 7 /* to 99, 999 … 99999999 */
#define NUMBER_TRIES  4 /* on each of them */

/*
 * The numbers that a party may get come from its ID under a secret, so that a JOIN that is repeated leads to
 * the number which the first one has got, and nobody can choose. They grow longer only when short ones are taken.
 */
static uint32_t number_of(const struct exchange *x, unsigned level, unsigned try)
{
	uint8_t input[RENDEZVOUS_PARTY_BYTES + 2];
	uint32_t ceiling = 99;

	for (unsigned i = 0; i < level; i++)
		ceiling = ceiling * 10 + 9;
	memcpy(input, x->m.party, RENDEZVOUS_PARTY_BYTES);
	input[RENDEZVOUS_PARTY_BYTES] = (uint8_t)level;
	input[RENDEZVOUS_PARTY_BYTES + 1] = (uint8_t)try;
	return 1 + (uint32_t)(short_hash(x->r->number_key, input, sizeof(input)) % ceiling);
}

static void session_of_number(uint32_t number, uint8_t *session)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", (unsigned)number);

	rendezvous_session_of(text, (size_t)length, session);
}

static bool is_in(const struct store_session *s, const uint8_t *party)
{
	for (unsigned i = 0; i < 2; i++)
		if (s->place[i].state != RENDEZVOUS_NOBODY &&
			!sodium_memcmp(s->place[i].party.id, party, RENDEZVOUS_PARTY_BYTES))
			return true;
	return false;
}

/* The number in whose session the party already is, or the first free one; 0: none is free. */
static uint32_t allocate(const struct exchange *x)
{
	struct store *store = x->r->store;
	uint32_t vacant = 0;

	for (unsigned i = 0; i < NUMBER_LEVELS * NUMBER_TRIES; i++) {
		uint32_t number = number_of(x, i / NUMBER_TRIES, i % NUMBER_TRIES);
		uint8_t session[RENDEZVOUS_SESSION_BYTES];
		struct store_session s;

		session_of_number(number, session);
		if (store->does->find(store, session, &s))
			vacant = vacant ? vacant : number;
		else if (is_in(&s, x->m.party))
			return number;
	}
	return vacant;
}

/* --- requests --- */

static uint16_t error_of(int err)
{
	return err == -EEXIST	   ? RENDEZVOUS_TAKEN
		: err == -EDQUOT   ? RENDEZVOUS_QUOTA
		: err == -EMSGSIZE ? RENDEZVOUS_BAD
				   : RENDEZVOUS_FULL;
}

static struct store_party party_of(const struct exchange *x)
{
	const struct rendezvous_message *m = &x->m;
	struct store_party p = {.ready = m->ready,
		.rtt_us = m->rtt_us,
		.slot_version = m->slot_version,
		.slot = m->slot,
		.connection = x->in->connection,
		.local = (uint8_t)x->in->local};

	memcpy(p.id, m->party, sizeof(p.id));
	p.external = x->in->from;
	if (x->in->connection)
		p.external.port = 0; /* of TCP, and of no use for UDP; the address may be */
	return p;
}

static void answer_join(struct exchange *x, const struct store_session *s, unsigned place)
{
	struct rendezvous_message m = answer_to(x, STUN_SUCCESS);
	uint8_t cookie[COOKIE_BYTES];

	m.number = x->number;
	if (x->fresh_cookie) {
		cookie_make(x->r->cookie_key, &x->in->from, x->now_us, cookie);
		m.cookie = (struct span){cookie, sizeof(cookie)};
	}
	tell(s, place, x->now_us, x->m.seen_version, &m);
	finish(x->out, &m);
	x->r->counts.joins++;
}

static void bind_to(const struct exchange *x)
{
	struct rendezvous_bond *bond = x->in->bond;

	if (!bond)
		return;
	bond->bound = true;
	memcpy(bond->session, x->m.session, sizeof(bond->session));
	memcpy(bond->party, x->m.party, sizeof(bond->party));
}

static void joined(struct exchange *x, unsigned place, unsigned changes)
{
	struct rendezvous *r = x->r;
	struct store_session s;

	if (r->store->does->find(r->store, x->m.session, &s))
		return;
	if (changes & (STORE_NEW | STORE_PAIRED))
		note(r, x->out, changes & STORE_PAIRED ? RENDEZVOUS_PAIRED : RENDEZVOUS_WAITS,
			s.id);
	r->counts.sessions += (changes & (STORE_NEW | STORE_PAIRED)) == STORE_NEW;
	r->counts.pairs += !!(changes & STORE_PAIRED);
	bind_to(x);
	if (start_phase(x, &s))
		changes |= STORE_READY;
	take_seen(x, &s, place);
	if (changes)
		alert(r, x->now_us, &s, !place, changes & (STORE_NEW | STORE_BACK | STORE_MOVED));
	answer_join(x, &s, place);
}

static bool is_of_another(const struct exchange *x)
{
	const struct rendezvous_bond *bond = x->in->bond;

	return bond && bond->bound &&
		(sodium_memcmp(bond->party, x->m.party, sizeof(bond->party)) ||
			memcmp(bond->session, x->m.session, sizeof(bond->session)) != 0);
}

static void join(struct exchange *x)
{
	struct store *store = x->r->store;
	struct store_party party = party_of(x);
	unsigned changes;
	int place;

	if (!x->m.has_session) {
		x->number = allocate(x);
		if (!x->number) {
			refuse(x, RENDEZVOUS_FULL);
			return;
		}
		session_of_number(x->number, x->m.session);
	}
	if (is_of_another(x)) {
		refuse(x, RENDEZVOUS_BAD);
		return;
	}
	place = store->does->join(store, x->now_us, x->m.session, &party, &x->in->from, &changes);
	if (place < 0)
		refuse(x, error_of(place));
	else
		joined(x, (unsigned)place, changes);
}

static void left(struct rendezvous *r, uint64_t now_us, const uint8_t *session, unsigned place,
	struct rendezvous_output *out)
{
	struct store_session s;

	note(r, out, RENDEZVOUS_GONE, session);
	r->counts.gone++;
	if (!r->store->does->find(r->store, session, &s))
		alert(r, now_us, &s, !place, true);
}

/* Who is not there has left already: the answer is the same, for the one to the first LEAVE may be lost. */
static void leave(struct exchange *x)
{
	struct store *store = x->r->store;
	struct rendezvous_message m = answer_to(x, STUN_SUCCESS);
	int place = store->does->leave(store, x->m.session, x->m.party);

	if (place >= 0)
		left(x->r, x->now_us, x->m.session, (unsigned)place, x->out);
	if (x->in->bond && !is_of_another(x))
		memset(x->in->bond, 0, sizeof(*x->in->bond));
	m.mapped.family = FAMILY_NONE; /* no proof was asked for: it stays short */
	finish(x->out, &m);
}

/* What rendezvous_decode does not take, but is a request of ours: 400, or 420 (RFC 8489 6.3.1). */
static void refuse_malformed(struct exchange *x)
{
	struct stun_message stun;
	struct stun_writer s;
	int length;

	if (stun_decode(x->in->data, x->in->length, &stun) || stun.class != STUN_REQUEST ||
		stun.classic || (stun.method != RENDEZVOUS_JOIN && stun.method != RENDEZVOUS_LEAVE))
		return;
	x->m.method = stun.method;
	x->m.id = stun.id;
	refuse(x, RENDEZVOUS_BAD);
	if (!stun.unknown_count)
		return;
	s = stun_begin(x->out->bytes, sizeof(x->out->bytes), STUN_ERROR, stun.method, &stun.id);
	stun_add_error(&s, 420, "");
	stun_add_unknown(&s, stun.unknown, stun.unknown_count);
	stun_add_fingerprint(&s);
	length = stun_end(&s);
	x->out->length = length > 0 && (x->in->connection || (size_t)length <= x->in->length)
		? (size_t)length
		: 0;
}

static bool is_proved(struct exchange *x)
{
	int age;

	if (x->in->connection)
		return true;
	age = cookie_check(x->r->cookie_key, &x->in->from, x->now_us, x->m.cookie);
	x->fresh_cookie = age == 1;
	return age >= 0;
}

void rendezvous_input(struct rendezvous *r, uint64_t now_us, const struct rendezvous_input *in,
	struct rendezvous_output *out)
{
	struct exchange x = {.r = r, .now_us = now_us, .in = in, .out = out};

	clear(out);
	out->connection = in->connection;
	out->to = in->from;
	out->local = in->local;
	if (!endpoint_is_unicast(&in->from))
		return;
	if (rendezvous_decode(in->data, in->length, &x.m))
		refuse_malformed(&x);
	else if (x.m.class != STUN_REQUEST)
		return;
	else if (x.m.method == RENDEZVOUS_LEAVE)
		leave(&x);
	else if (is_proved(&x))
		join(&x);
	else
		refuse(&x, RENDEZVOUS_STALE);
}

void rendezvous_closed(struct rendezvous *r, uint64_t now_us, uint64_t connection,
	const struct rendezvous_bond *bond, struct rendezvous_output *out)
{
	struct store *store = r->store;
	struct store_session s;

	clear(out);
	if (!bond->bound || store->does->find(store, bond->session, &s))
		return;
	for (unsigned i = 0; i < 2; i++)
		if (s.place[i].state == RENDEZVOUS_HERE &&
			s.place[i].party.connection == connection &&
			store->does->leave(store, s.id, s.place[i].party.id) >= 0)
			left(r, now_us, s.id, i, out);
}

/* --- time --- */

/* False: there is nothing to be told any more. */
static bool send_news(struct rendezvous *r, uint64_t now_us, struct store_session *s,
	unsigned place, struct rendezvous_output *out)
{
	const struct store_place *p = &s->place[place], *other = &s->place[!place];
	struct store_news *n = &s->place[place].news;
	struct rendezvous_message m = {.class = STUN_INDICATION, .method = RENDEZVOUS_NEWS};

	if (p->state != RENDEZVOUS_HERE || !is_behind(s, place))
		return false;
	random_bytes(&r->random, m.id.bytes, sizeof(m.id.bytes));
	memcpy(m.id.bytes, (uint8_t[]){0x21, 0x12, 0xa4, 0x42}, 4);
	m.has_session = m.has_party = true;
	memcpy(m.session, s->id, sizeof(m.session));
	memcpy(m.party, p->party.id, sizeof(m.party));
	if (!p->party.connection)
		m.mapped = p->party.external;
	tell(s, place, now_us, n->seen_version, &m);
	finish(out, &m);
	out->connection = p->party.connection;
	out->to = p->party.external;
	out->local = p->party.local;
	out->payer_connection = other->party.connection;
	out->payer = other->party.external;
	n->tries++;
	/* TCP repeats by itself */
	n->due_us = n->tries < RENDEZVOUS_NEWS_TRIES && !p->party.connection
		? now_us + retry_delay_us(n->tries)
		: NEVER;
	remind(r, s, place);
	r->counts.news++;
	return true;
}

bool rendezvous_poll(struct rendezvous *r, uint64_t now_us, struct rendezvous_output *out)
{
	struct store *store = r->store;
	struct store_event event;
	struct store_session s;

	clear(out);
	while (store->does->due(store, now_us, &event)) {
		if (event.kind == STORE_EXPIRED) {
			left(r, now_us, event.session, event.place, out);
			return true;
		}
		if (!store->does->find(store, event.session, &s) &&
			send_news(r, now_us, &s, event.place, out))
			return true;
	}
	return false;
}

uint64_t rendezvous_next_us(const struct rendezvous *r)
{
	return r->store->does->next_us(r->store);
}

const struct rendezvous_counts *rendezvous_counts(const struct rendezvous *r)
{
	return &r->counts;
}

/* --- making and ending --- */

int rendezvous_create(struct rendezvous **out, struct store *store, const struct random *random)
{
	struct rendezvous *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->store = store;
	r->random = *random;
	random_bytes(&r->random, r->cookie_key, sizeof(r->cookie_key));
	random_bytes(&r->random, r->number_key, sizeof(r->number_key));
	random_bytes(&r->random, r->tag_key, sizeof(r->tag_key));
	*out = r;
	return 0;
}

void rendezvous_destroy(struct rendezvous *r)
{
	free(r);
}
