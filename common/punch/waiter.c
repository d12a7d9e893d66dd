// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/classic.h"
#include "punch/waiter.h"

#define REFRESH_US     12000000u /* and up to a quarter more; UDP that nobody answers lives for 30 s */
#define SPREAD_US      1000u /* between the first datagrams of many sockets */
#define DARK_BYTES     8
#define ANSWERS_MAX    12 /* places where the visitor may be */
#define ANSWER_COUNT   3
#define ANSWER_US      250000u
#define BROAD_AFTER_US 1000000u /* nothing has come directly: answers from all sockets */
#define BROAD_TIMES    2
#define ANSWERS_ALL    2048 /* to one visitor, whatever it says of where it is */
#define NONCES_MAX     1024
#define VISITORS_MAX   16
#define REMEMBERED_US  ((2 * 2 * KNOCK_CLOCK_S + 1) * 1000000u) /* longer than anything is fresh */
#define STALE_US       60000000u /* between two steps of the trail about them */
#define NONCE_PART     8

enum spot_state { SPOT_FREE, SPOT_WANTED, SPOT_ASKED, SPOT_OPEN, SPOT_FAILED };

/* A socket and its flows. */
struct spot {
	enum spot_state state;
	struct endpoint local;
	bool further, closing, kept;
	uint64_t due_us;
	unsigned turn; /* of the places */
	uint8_t said[DARK_BYTES]; /* to the dark */
};

struct target {
	unsigned socket;
	struct endpoint to;
	unsigned left;
	uint64_t due_us;
};

struct nonce {
	uint8_t part[NONCE_PART];
	uint64_t until_us; /* 0: none */
};

struct visitor {
	uint8_t share[CPACE_POINT_BYTES];
	uint64_t until_us;
};

struct waiter {
	struct waiter_config config;
	uint64_t start_us;
	struct knock_place places[2];
	size_t place_count;
	struct spot spots[WAITER_SOCKETS];
	bool resting, has_visit;
	bool lacking; /* sockets, for which there was no room */
	bool renews; /* the visit, with the next knock: its sockets may be gone */
	struct waiter_visit visit;
	struct knock answer;
	bool answers;
	unsigned answers_left;
	struct target targets[ANSWERS_MAX];
	size_t target_count;
	uint64_t broad_us; /* the next answer from all sockets */
	unsigned broad_at, broad_left; /* the next socket, and how often all */
	struct nonce nonces[NONCES_MAX];
	struct visitor visitors[VISITORS_MAX];
	uint64_t stale_us; /* the next step about one */
	struct classic_openings openings;
	struct endpoint opened; /* the latest of them that was noted */
	struct waiter_counts counts;
};

static uint64_t utc_us(const struct waiter *w, uint64_t now_us)
{
	return w->config.utc_us + (now_us - w->start_us);
}

/* --- sockets --- */

static struct spot *find_free(struct waiter *w, bool further)
{
	unsigned first = further ? 0 : WAITER_FURTHER,
		 end = further ? WAITER_FURTHER : WAITER_SOCKETS;

	for (unsigned i = first; i < end; i++)
		if (w->spots[i].state == SPOT_FREE)
			return &w->spots[i];
	return NULL;
}

static bool has_spot(const struct waiter *w, const struct endpoint *local)
{
	for (unsigned i = WAITER_FURTHER; i < WAITER_SOCKETS; i++)
		if (w->spots[i].state != SPOT_FREE && !w->spots[i].closing &&
			endpoint_equal(&w->spots[i].local, local))
			return true;
	return false;
}

static void want_place(struct waiter *w, uint64_t now_us, const struct knock_place *place)
{
	for (size_t i = 0; i < w->config.from_count; i++) {
		struct endpoint local = w->config.from[i];
		struct spot *s;

		local.port = place->port;
		if (has_spot(w, &local))
			continue;
		s = find_free(w, false);
		w->lacking |= !s;
		if (s)
			*s = (struct spot){.state = SPOT_WANTED, .local = local, .due_us = now_us};
	}
}

static void want_further(struct waiter *w, uint64_t now_us)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WAITER_FURTHER; i++)
		count += w->spots[i].state != SPOT_FREE && !w->spots[i].closing;
	for (; count < w->config.further; count++) {
		struct spot *s = find_free(w, true);

		w->lacking |= !s;
		if (!s)
			return;
		*s = (struct spot){.state = SPOT_WANTED,
			.local = {.family = FAMILY_IPV4},
			.further = true,
			.due_us = now_us + count * SPREAD_US};
	}
}

static void drop(struct spot *s)
{
	if (s->state == SPOT_OPEN || s->state == SPOT_ASKED)
		s->closing = true;
	else
		*s = (struct spot){.state = SPOT_FREE};
}

static bool is_present(const struct waiter *w, uint64_t slot)
{
	for (size_t i = 0; i < w->place_count; i++)
		if (w->places[i].slot == slot)
			return true;
	return false;
}

static bool has_port_of_place(const struct waiter *w, const struct spot *s)
{
	for (size_t i = 0; i < w->place_count; i++)
		if (w->places[i].port == s->local.port)
			return true;
	return false;
}

static void want_sockets(struct waiter *w, uint64_t now_us)
{
	w->lacking = false;
	for (size_t i = 0; i < w->place_count; i++)
		want_place(w, now_us, &w->places[i]);
	want_further(w, now_us);
}

/* In a new slot of time what could not be opened is tried again. */
static void drop_old(struct waiter *w, bool is_new)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (s->further ? is_new && s->state == SPOT_FAILED
			       : !s->kept && !has_port_of_place(w, s))
			drop(s);
	}
}

/* Flows to a new place are needed now, from sockets that have been there before, too. */
static void hasten(struct waiter *w, uint64_t now_us)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];
		uint64_t at_us = now_us + (s->further ? i * SPREAD_US : 0);

		s->turn = 0;
		s->due_us = at_us < s->due_us ? at_us : s->due_us;
	}
}

/* Ports come and go with the time; with a visitor all stays as it is. */
static void heed_time(struct waiter *w, uint64_t now_us)
{
	struct knock_place places[2];
	size_t count = knock_places(&w->config.key, utc_us(w, now_us), places);
	bool is_new = !is_present(w, places[count - 1].slot);

	if (w->resting || w->answers ||
		(!is_new && count == w->place_count && places[0].slot == w->places[0].slot))
		return;
	memcpy(w->places, places, sizeof(places));
	w->place_count = count;
	drop_old(w, is_new);
	want_sockets(w, now_us);
	if (is_new)
		hasten(w, now_us);
	trail_step(w->config.trail, now_us, "wait: for a knock at port %u%s", places[0].port,
		count > 1 ? " and at the next one" : "");
}

/* The next moment at which ports change. */
static uint64_t change_us(const struct waiter *w, uint64_t now_us)
{
	const uint64_t slot_us = KNOCK_SLOT_S * UINT64_C(1000000),
		       clock_us = KNOCK_CLOCK_S * UINT64_C(1000000);
	uint64_t in_slot = utc_us(w, now_us) % slot_us;

	if (in_slot < clock_us)
		return now_us + clock_us - in_slot;
	if (in_slot < slot_us - clock_us)
		return now_us + slot_us - clock_us - in_slot;
	return now_us + slot_us + clock_us - in_slot;
}

void waiter_opened(
	struct waiter *w, uint64_t now_us, unsigned socket, int error, const struct endpoint *local)
{
	struct spot *s = socket < WAITER_SOCKETS ? &w->spots[socket] : NULL;
	char text[ENDPOINT_TEXT];

	if (!s || s->state != SPOT_ASKED)
		return;
	if (!error) {
		s->state = SPOT_OPEN;
		s->local = *local;
		random_bytes(&w->config.random, s->said, DARK_BYTES);
		w->counts.flows++;
		return;
	}
	w->counts.error = error;
	s->state = SPOT_FAILED;
	if (s->closing) {
		*s = (struct spot){.state = SPOT_FREE};
		return;
	}
	if (!s->further)
		trail_step(w->config.trail, now_us, "socket: none at %s: %s",
			endpoint_format(&s->local, text), strerror(-error));
}

unsigned waiter_hopes(const struct waiter *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		count += !w->spots[i].closing && w->spots[i].state != SPOT_FREE &&
			w->spots[i].state != SPOT_FAILED;
	return count;
}

static bool poll_closing(struct waiter *w, struct knock_output *out)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (!s->closing || s->state != SPOT_OPEN)
			continue;
		w->counts.flows--;
		*s = (struct spot){.state = SPOT_FREE};
		*out = (struct knock_output){.action = KNOCK_CLOSE, .socket = i};
		return true;
	}
	return false;
}

/* First those that go: a new one may have the port of one of them. */
static bool poll_sockets(struct waiter *w, uint64_t now_us, struct knock_output *out)
{
	if (poll_closing(w, out))
		return true;
	if (w->lacking && !w->resting)
		want_sockets(w, now_us);
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (s->state != SPOT_WANTED)
			continue;
		s->state = SPOT_ASKED;
		*out = (struct knock_output){.action = KNOCK_OPEN, .socket = i, .local = s->local};
		return true;
	}
	return false;
}

/* --- flows --- */

/* Where the flows of a socket go: to the places that have its port, or to all if none has. */
static size_t darks_of(
	const struct waiter *w, const struct spot *s, const struct endpoint *out[static 2])
{
	bool all = s->further || !has_port_of_place(w, s);
	int f = s->local.family == FAMILY_IPV6;
	size_t count = 0;

	if (w->config.dark[f].family != FAMILY_NONE) {
		out[0] = &w->config.dark[f];
		return 1;
	}
	for (size_t i = 0; i < w->place_count; i++)
		if (all || w->places[i].port == s->local.port)
			out[count++] = &w->places[i].dark[f];
	return count;
}

bool waiter_is_dark(const struct waiter *w, unsigned socket, const struct endpoint *to)
{
	int f = to->family == FAMILY_IPV6;

	if (socket >= WAITER_SOCKETS || w->spots[socket].state != SPOT_OPEN)
		return false;
	if (w->config.dark[f].family != FAMILY_NONE)
		return endpoint_equal(&w->config.dark[f], to);
	for (size_t i = 0; i < w->place_count; i++)
		if (endpoint_equal(&w->places[i].dark[f], to))
			return true;
	return false;
}

static uint64_t refresh_us(struct waiter *w)
{
	return w->config.classic ? CLASSIC_PERIOD_US
				 : REFRESH_US + random_below(&w->config.random, REFRESH_US / 4);
}

/* The present one of the spot; to the other place at once, where there are two. */
static const struct endpoint *next_dark(struct waiter *w, uint64_t now_us, struct spot *s)
{
	const struct endpoint *darks[2];
	size_t count = darks_of(w, s, darks), turn = s->turn++ % count;

	if (turn + 1 == count)
		s->due_us = now_us + refresh_us(w);
	return darks[turn];
}

/* The next packet to the dark, which is due. */
static void put_flow(struct waiter *w, uint64_t now_us, unsigned socket, struct knock_output *out)
{
	struct spot *s = &w->spots[socket];

	*out = (struct knock_output){
		.action = KNOCK_SEND, .socket = socket, .to = *next_dark(w, now_us, s)};
	w->counts.sent++;
	if (w->config.classic) {
		out->action = KNOCK_ECHO;
		out->local = s->local;
		out->type = CLASSIC_ECHO;
		return;
	}
	out->ttl = WAITER_TTL;
	out->length = DARK_BYTES;
	memcpy(out->data, s->said, DARK_BYTES);
}

static bool poll_flows(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	for (unsigned i = 0; i < WAITER_SOCKETS; i++) {
		struct spot *s = &w->spots[i];

		if (s->state != SPOT_OPEN || s->closing)
			continue;
		if (s->due_us > now_us) {
			if (s->due_us < *deadline_us)
				*deadline_us = s->due_us;
			continue;
		}
		put_flow(w, now_us, i, out);
		return true;
	}
	return false;
}

/* --- classic: who has sent an error may come in at the known port --- */

static bool is_its_echo(const struct waiter *w, const struct spot *s, struct span quoted)
{
	const struct endpoint *darks[2];
	size_t count = darks_of(w, s, darks);

	for (size_t i = 0; i < count; i++)
		if (classic_is_echo(quoted, &s->local, darks[i]))
			return true;
	return false;
}

void waiter_exceeded(
	struct waiter *w, uint64_t now_us, const struct endpoint *offender, struct span quoted)
{
	char text[ENDPOINT_TEXT];

	if (!w->config.classic || w->resting)
		return;
	for (unsigned i = WAITER_FURTHER; i < WAITER_SOCKETS; i++) {
		const struct spot *s = &w->spots[i];
		struct endpoint to = *offender;

		if (s->state != SPOT_OPEN || s->closing || !is_its_echo(w, s, quoted))
			continue;
		to.port = s->local.port;
		w->counts.exceeded++;
		if (!endpoint_is_unicast(&to) || endpoint_equal(&to, &s->local) ||
			!classic_add(&w->openings, now_us, i, &to) ||
			endpoint_equal(&to, &w->opened))
			continue;
		w->opened = to;
		trail_step(w->config.trail, now_us,
			"knock: ICMP errors about the echo; a datagram after each to %s",
			endpoint_format(&to, text));
	}
}

static bool poll_openings(struct waiter *w, struct knock_output *out)
{
	const struct classic_opening *o;

	while ((o = classic_take(&w->openings))) {
		if (w->spots[o->socket].state != SPOT_OPEN || w->spots[o->socket].closing)
			continue;
		*out = (struct knock_output){
			.action = KNOCK_SEND, .socket = o->socket, .to = o->to};
		return true;
	}
	return false;
}

void waiter_unsent(struct waiter *w, int error)
{
	w->counts.unsent++;
	w->counts.error = error;
}

/* --- answers --- */

/* A hello can name anything: never what no host has, nor what is on this one. */
static bool may_be_at(const struct waiter *w, unsigned socket, const struct endpoint *e)
{
	const struct endpoint *local = &w->spots[socket].local;

	return endpoint_is_unicast(e) && e->family == local->family &&
		(!endpoint_is_loopback(e) || endpoint_is_loopback(local));
}

static void add_target(
	struct waiter *w, uint64_t now_us, unsigned socket, const struct endpoint *to)
{
	struct target *t = NULL;

	if (!may_be_at(w, socket, to))
		return;
	for (size_t i = 0; i < w->target_count; i++)
		if (w->targets[i].socket == socket && endpoint_equal(&w->targets[i].to, to))
			t = &w->targets[i];
	if (!t && w->target_count == ANSWERS_MAX)
		return;
	if (!t)
		t = &w->targets[w->target_count++];
	*t = (struct target){.socket = socket, .to = *to, .left = ANSWER_COUNT, .due_us = now_us};
}

/* An error shows an address and no port: that of the visitor's host, if its NAT keeps it. */
static struct endpoint behind_offender(const struct waiter_visit *v)
{
	struct endpoint e = v->from;

	for (size_t i = 0; i < v->ask.hello.candidate_count && !e.port; i++)
		if (v->ask.hello.candidates[i].endpoint.family == e.family)
			e.port = v->ask.hello.candidates[i].endpoint.port;
	return e;
}

static void aim(struct waiter *w, uint64_t now_us)
{
	const struct waiter_visit *v = &w->visit;
	struct endpoint e = behind_offender(v);

	if (v->datagram) { /* it is there, and nowhere else */
		w->target_count = 0;
		w->broad_left = 0;
		add_target(w, now_us, v->socket, &v->from);
		return;
	}
	add_target(w, now_us, v->socket, &e);
	for (size_t i = 0; i < v->ask.hello.candidate_count; i++)
		add_target(w, now_us, v->socket, &v->ask.hello.candidates[i].endpoint);
}

int waiter_answer(struct waiter *w, uint64_t now_us, const struct knock *answer)
{
	w->answer = *answer;
	w->answer.kind = KNOCK_ANSWER;
	w->answer.answered = knock_tag(&w->visit.ask);
	w->answers = !knock_digest(&w->answer);
	if (!w->answers)
		return -EMSGSIZE;
	w->target_count = 0;
	w->broad_at = 0;
	w->broad_left = BROAD_TIMES;
	w->broad_us = now_us + BROAD_AFTER_US;
	aim(w, now_us);
	return 0;
}

static bool say(struct waiter *w, uint64_t now_us, unsigned socket, const struct endpoint *to,
	struct knock_output *out)
{
	int length;

	if (!w->answers_left)
		return false;
	w->answers_left--;
	*out = (struct knock_output){.action = KNOCK_SEND, .socket = socket, .to = *to};
	w->answer.utc_ms = utc_us(w, now_us) / 1000;
	length = knock_seal(
		&w->config.key, &w->answer, &w->config.random, out->data, sizeof(out->data));
	out->length = length > 0 ? (size_t)length : 0;
	return length > 0;
}

/* Where the visitor is seen from outside, if it knows that itself, or the error's sender says it. */
static bool is_outside(const struct waiter *w, const struct endpoint *e)
{
	return e->family == FAMILY_IPV4 && !endpoint_is_private(e) &&
		may_be_at(w, w->visit.socket, e);
}

static struct endpoint reflexive(const struct waiter *w)
{
	const struct hello *h = &w->visit.ask.hello;
	struct endpoint e = behind_offender(&w->visit);

	for (size_t i = 0; i < h->candidate_count; i++)
		if (is_outside(w, &h->candidates[i].endpoint))
			return h->candidates[i].endpoint;
	return is_outside(w, &e) ? e : (struct endpoint){.family = FAMILY_NONE};
}

/* The next of the further sockets that is open; WAITER_FURTHER: all had their turn. */
static unsigned next_further(struct waiter *w)
{
	while (w->broad_at < WAITER_FURTHER) {
		const struct spot *s = &w->spots[w->broad_at++];

		if (s->state == SPOT_OPEN && !s->closing)
			return w->broad_at - 1;
	}
	return WAITER_FURTHER;
}

/*
 * Each flow has a port of its own outside, and the visitor tries ports at random: all of them have to be open for where
 * it sends from.
 */
static bool poll_broad(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	struct endpoint to = reflexive(w);

	if (!w->config.further || to.family == FAMILY_NONE)
		return false;
	while (w->broad_left && w->broad_us <= now_us) {
		unsigned socket = next_further(w);

		if (socket < WAITER_FURTHER) {
			w->broad_us = now_us + SPREAD_US;
			return say(w, now_us, socket, &to, out);
		}
		w->broad_at = 0;
		w->broad_left--;
		w->broad_us = now_us + 2 * BROAD_AFTER_US;
	}
	if (w->broad_left && w->broad_us < *deadline_us)
		*deadline_us = w->broad_us;
	return false;
}

static bool poll_answers(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	if (!w->answers || !w->answers_left)
		return false;
	for (size_t i = 0; i < w->target_count; i++) {
		struct target *t = &w->targets[i];

		if (!t->left || w->spots[t->socket].state != SPOT_OPEN)
			continue;
		if (t->due_us <= now_us) {
			t->left--;
			t->due_us = now_us + ANSWER_US;
			return say(w, now_us, t->socket, &t->to, out);
		}
		if (t->due_us < *deadline_us)
			*deadline_us = t->due_us;
	}
	return poll_broad(w, now_us, out, deadline_us);
}

bool waiter_poll(struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	heed_time(w, now_us);
	if (poll_sockets(w, now_us, out))
		return true;
	if (w->resting)
		return false;
	if (poll_answers(w, now_us, out, deadline_us) || poll_openings(w, out) ||
		poll_flows(w, now_us, out, deadline_us))
		return true;
	if (!w->answers && change_us(w, now_us) < *deadline_us)
		*deadline_us = change_us(w, now_us);
	return false;
}

/* --- knocks --- */

/* False: it is there, or there is no place to remember it, and who is not remembered is not heard. */
static bool remember_nonce(struct waiter *w, uint64_t now_us, const uint8_t *nonce)
{
	struct nonce *place = NULL;

	for (size_t i = 0; i < NONCES_MAX; i++) {
		struct nonce *n = &w->nonces[i];

		if (n->until_us <= now_us) {
			place = n;
		} else if (!memcmp(n->part, nonce, NONCE_PART)) {
			w->counts.replayed++;
			return false;
		}
	}
	if (!place) {
		w->counts.surplus++;
		return false;
	}
	memcpy(place->part, nonce, NONCE_PART);
	place->until_us = now_us + REMEMBERED_US;
	return true;
}

/* The same with shares: one that had its turn comes no more, and not too many come. */
static bool remember_share(struct waiter *w, uint64_t now_us, const uint8_t *share)
{
	struct visitor *place = NULL;

	for (size_t i = 0; i < VISITORS_MAX; i++) {
		struct visitor *s = &w->visitors[i];

		if (s->until_us <= now_us) {
			place = s;
		} else if (!memcmp(s->share, share, CPACE_POINT_BYTES)) {
			w->counts.replayed++;
			return false;
		}
	}
	if (!place) {
		w->counts.surplus++;
		return false;
	}
	memcpy(place->share, share, CPACE_POINT_BYTES);
	place->until_us = now_us + REMEMBERED_US;
	return true;
}

/* Anybody can play old ones back, as often as he likes. */
static void note_stale(struct waiter *w, uint64_t now_us)
{
	if (now_us < w->stale_us)
		return;
	w->stale_us = now_us + STALE_US;
	trail_step(w->config.trail, now_us,
		"knock: with the right code, and a clock that differs by %lld s",
		(long long)(w->counts.clock_ms / 1000));
}

static bool is_good(
	struct waiter *w, uint64_t now_us, bool datagram, struct span sealed, struct knock *ask)
{
	uint64_t now_ms = utc_us(w, now_us) / 1000;

	if (knock_open(&w->config.key, sealed, ask) || ask->kind != KNOCK_ASK) {
		/* from a visitor more comes than knocks */
		w->counts.foreign += !(datagram && w->answers);
		return false;
	}
	if (!knock_is_fresh(ask, now_ms)) {
		w->counts.stale++;
		w->counts.clock_ms = (int64_t)(ask->utc_ms - now_ms);
		note_stale(w, now_us);
		return false;
	}
	return remember_nonce(w, now_us, sealed.data);
}

static void visit(struct waiter *w, uint64_t now_us, const struct waiter_visit *v)
{
	bool same = w->has_visit && !w->renews && v->datagram == w->visit.datagram &&
		v->socket == w->visit.socket && endpoint_equal(&v->from, &w->visit.from);
	char text[ENDPOINT_TEXT];

	w->visit = *v;
	w->has_visit = true;
	w->renews = false;
	if (same)
		return;
	if (v->datagram)
		trail_step(w->config.trail, now_us, "knock: a datagram from %s",
			endpoint_format(&v->from, text));
	else
		trail_step(w->config.trail, now_us,
			"knock: an ICMP error from %s about port %u outside, %u here",
			endpoint_format_address(&v->from, text), v->ask.quoted_port, v->local.port);
}

static enum waiter_heard hear(struct waiter *w, uint64_t now_us, const struct waiter_visit *v)
{
	bool again =
		w->has_visit && !memcmp(v->ask.share, w->visit.ask.share, sizeof(v->ask.share));

	if (!again && (w->resting || !remember_share(w, now_us, v->ask.share))) {
		w->counts.surplus += w->resting;
		return WAITER_NOTHING;
	}
	w->counts.heard++;
	if (!again) {
		w->answers = w->has_visit = false;
		w->answers_left = ANSWERS_ALL;
	}
	/* a datagram shows where it is; an error that comes later says no more than the first */
	if (!again || ((v->datagram || w->renews) && !w->resting))
		visit(w, now_us, v);
	if (again && w->answers && !w->resting)
		aim(w, now_us);
	return again ? WAITER_AGAIN : WAITER_NEW;
}

static enum waiter_heard take(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *from, bool datagram, struct span sealed)
{
	struct waiter_visit v = {.socket = socket, .from = *from, .datagram = datagram};

	if (socket >= WAITER_SOCKETS || w->spots[socket].state != SPOT_OPEN ||
		w->spots[socket].closing)
		return WAITER_NOTHING;
	if (!is_good(w, now_us, datagram, sealed, &v.ask))
		return WAITER_NOTHING;
	v.local = w->spots[socket].local;
	return hear(w, now_us, &v);
}

/* It quotes what we have sent there, or a part of it, or more: behind it there may be an extension (RFC 4884). */
static bool is_usual(const struct waiter *w, unsigned socket, const void *quoted, size_t length)
{
	return length <= DARK_BYTES ||
		(socket < WAITER_SOCKETS && !memcmp(quoted, w->spots[socket].said, DARK_BYTES));
}

enum waiter_heard waiter_error(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *offender, const void *quoted, size_t length)
{
	if (is_usual(w, socket, quoted, length)) {
		w->counts.usual++;
		return WAITER_NOTHING;
	}
	return take(w, now_us, socket, offender, false, (struct span){quoted, length});
}

enum waiter_heard waiter_input(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	return take(w, now_us, socket, from, true, (struct span){data, length});
}

/* --- begin and end --- */

void waiter_rest(struct waiter *w, unsigned keep)
{
	w->resting = true;
	w->answers = false;
	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		if (i != keep)
			drop(&w->spots[i]);
		else
			w->spots[i].kept = true;
}

void waiter_resume(struct waiter *w, uint64_t now_us, bool forget)
{
	w->resting = w->answers = false;
	w->answers_left = ANSWERS_ALL;
	w->renews = true;
	w->has_visit &= !forget;
	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		w->spots[i].kept &= !forget;
	w->place_count = 0; /* all that is missing is opened anew */
	heed_time(w, now_us);
}

const struct waiter_visit *waiter_visit(const struct waiter *w)
{
	return &w->visit;
}

const struct waiter_counts *waiter_counts(const struct waiter *w)
{
	return &w->counts;
}

int waiter_create(const struct waiter_config *config, uint64_t now_us, struct waiter **out)
{
	struct waiter *w;

	if (config->from_count > HELLO_CANDIDATES)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->config = *config;
	if (w->config.further > WAITER_FURTHER)
		w->config.further = WAITER_FURTHER;
	w->start_us = now_us;
	heed_time(w, now_us);
	*out = w;
	return 0;
}

void waiter_destroy(struct waiter *w)
{
	if (!w)
		return;
	knock_key_wipe(&w->config.key);
	free(w);
}
