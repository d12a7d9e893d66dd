// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/classic.h"
#include "punch/session_private.h"

/*
 * Without any server: knock.h. A knock and its answer take the place of the meeting, each with a share of CPace; the
 * socket that was found is the main one then, and there is one plan.
 */

#define ATTEMPT_US 10000000u
#define HOPE_US	   3000000u

static int family_index(const struct endpoint *e)
{
	return e->family == FAMILY_IPV6;
}

static uint64_t utc_us(const struct session *s, uint64_t now_us)
{
	return s->config.utc_us + (now_us - s->view.started_us);
}

static uint64_t end_of_wait_us(const struct session *s)
{
	return s->config.wait_us && !s->view.round ? s->view.started_us + s->config.wait_us
						   : UINT64_MAX;
}

/* --- begin --- */

static int begin_waiting(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;
	struct waiter_config config = {.key = c->key,
		.utc_us = s->config.utc_us,
		.from_count = c->from_count,
		.dark = {c->dark[0], c->dark[1]},
		.further = c->classic ? 0 : s->config.sockets_max,
		.classic = c->classic,
		.trail = s->config.trail};
	int err;

	memcpy(config.from, c->from, sizeof(config.from));
	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	err = waiter_create(&config, now_us, &s->knock.waiter);
	sodium_memzero(&config, sizeof(config));
	if (!err)
		s->view.waited = waiter_counts(s->knock.waiter);
	return err;
}

/* The fixed one of now, with --classic; 0: any. */
static uint16_t knocking_port(const struct session *s, uint64_t now_us)
{
	struct knock_place place;

	if (!s->config.knock.classic)
		return 0;
	knock_place_at(&s->config.knock.key, utc_us(s, now_us) / 1000000 / KNOCK_SLOT_S, &place);
	return place.port;
}

int session_knock_begin(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;

	s->view.meeting = &s->knock.view;
	s->view.knock = (struct session_knock_view){.on = true,
		.waits = c->waits,
		.classic = c->classic,
		.target = c->target,
		.source = c->from[0]};
	s->measured = true;
	for (int f = 0; f < 2; f++) /* only to ask a STUN server from it */
		if (c->waits && s->config.servers[f].family != FAMILY_NONE)
			s->main[f] = session_new_main(s);
	if (c->waits)
		return begin_waiting(s, now_us);
	s->knock.port = knocking_port(s, now_us);
	s->main[family_index(&c->target)] = session_new_main(s);
	return 0;
}

void session_knock_end(struct session *s)
{
	waiter_destroy(s->knock.waiter);
	knocker_destroy(s->knock.knocker);
	knock_key_wipe(&s->config.knock.key);
}

static int begin_cpace(struct session *s)
{
	static const char purpose[] = "natutils knock 1";
	static const uint8_t no_session[RENDEZVOUS_SESSION_BYTES];
	const struct cpace_input input = {
		.prs = {s->secret, s->secret_length},
		.ci = {(const uint8_t *)purpose, sizeof(purpose) - 1},
		.sid = {no_session, sizeof(no_session)},
	};
	int err = cpace_begin(&s->cpace, &input, &s->config.random);

	s->began_cpace = !err;
	memcpy(s->own_share, s->cpace.own, sizeof(s->own_share));
	return err;
}

/* What this side says, and what the keys will agree on. */
static int make_words(struct session *s, enum knock_kind kind, struct knock *out)
{
	int err = begin_cpace(s);

	session_collect_candidates(s);
	*out = (struct knock){.kind = kind, .hello = s->view.own};
	memcpy(out->share, s->own_share, sizeof(out->share));
	if (!err)
		err = knock_digest(out);
	return err ? err
		   : cpace_associate(&s->cpace, (struct span){out->digest, sizeof(out->digest)});
}

/* Both know each other now. */
static void meet(
	struct session *s, uint64_t now_us, const struct knock *said, const struct endpoint *peer)
{
	session_make_keys(
		s, now_us, said->share, (struct span){said->digest, sizeof(said->digest)});
	if (s->view.state == SESSION_FAILED)
		return;
	s->view.knock.met = true;
	s->view.peer = said->hello;
	s->view.has_peer = s->published = true;
	s->view.family = peer->family;
	s->knock.view.peer = *peer;
	s->knock.view.state = MEETING_PAIRED;
	s->knock.view.paired_us = now_us;
	s->view.state = SESSION_EXCHANGING;
}

/* --- who waits --- */

/* Where the visitor is: as it came, or as it says. */
static struct endpoint visitor_at(const struct waiter_visit *v)
{
	const struct hello *h = &v->ask.hello;
	struct endpoint best = v->from;

	for (size_t i = h->candidate_count; i-- > 0 && !v->datagram;)
		if (h->candidates[i].endpoint.family == v->local.family &&
			(!best.port || h->candidates[i].kind == CHECK_SERVER_REFLEXIVE ||
				!endpoint_is_private(&h->candidates[i].endpoint)))
			best = h->candidates[i].endpoint;
	return best;
}

/* The visitor before, if there was one, had its turn. */
static void receive_visitor(struct session *s, uint64_t now_us)
{
	const struct waiter_visit *v = waiter_visit(s->knock.waiter);
	int f = family_index(&v->local);
	struct endpoint at = visitor_at(v);

	s->view.knock.visitor = v->from;

	session_ways_destroy(s);
	s->has_keys = false;
	if (s->main[f].state == OPENING_DONE && s->main[f].socket < SESSION_FURTHER)
		s->spent = s->main[f].socket;
	s->reflexive[f] = (struct query){.begun = false};
	s->main[f] = (struct session_main){
		.socket = SESSION_FURTHER + v->socket, .state = OPENING_DONE, .local = v->local};
	s->view.local[f] = v->local;
	s->knock.view.mapped = (struct endpoint){.family = FAMILY_NONE};
	if (make_words(s, KNOCK_ANSWER, &s->knock.words)) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	waiter_answer(s->knock.waiter, now_us, &s->knock.words);
	meet(s, now_us, &v->ask, &at);
}

static void heed(struct session *s, uint64_t now_us, enum waiter_heard heard)
{
	if (heard == WAITER_NEW)
		receive_visitor(s, now_us);
	else if (heard == WAITER_AGAIN && s->view.round && s->view.state == SESSION_PUNCHING)
		waiter_answer(s->knock.waiter, now_us, &s->knock.words);
}

static bool is_reflexive_known(const struct session *s, int f)
{
	return !s->reflexive[f].begun || s->reflexive[f].done;
}

static void advance_waiting(struct session *s, uint64_t now_us)
{
	const struct waiter_counts *c = waiter_counts(s->knock.waiter);

	for (int f = 0; f < 2; f++)
		if (session_main_is_pending(s, f) || !is_reflexive_known(s, f))
			return;
	if (s->view.state == SESSION_REGISTERING && c->flows) {
		s->view.state = SESSION_WAITING;
		s->view.registered_us = now_us;
	}
	if (s->view.state == SESSION_REGISTERING && !waiter_hopes(s->knock.waiter))
		session_fail(s, now_us, SESSION_NO_SOCKET);
}

/* --- who knocks --- */

static void begin_knocking(struct session *s, uint64_t now_us)
{
	const struct session_knock *c = &s->config.knock;
	int f = family_index(&c->target);
	struct knocker_config config = {.key = c->key,
		.utc_us = utc_us(s, now_us),
		.target = c->target,
		.dark = c->dark[f],
		.classic = c->classic,
		.packets_max = s->config.packets_max,
		.rate_pps = s->config.rate_pps,
		.before = s->knock.counts,
		.trail = s->config.trail};
	int err = make_words(s, KNOCK_ASK, &config.ask);

	random_bytes(&s->config.random, config.random.seed, sizeof(config.random.seed));
	if (!err)
		err = knocker_create(&config, now_us, &s->knock.knocker);
	sodium_memzero(&config, sizeof(config));
	if (err) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	s->view.knocked = knocker_counts(s->knock.knocker);
	s->view.state = SESSION_WAITING;
	if (!s->view.registered_us)
		s->view.registered_us = now_us;
}

static bool is_pending(const struct session_main *m)
{
	return m->state == OPENING_WANTED || m->state == OPENING_ASKED;
}

static void want_far(struct session *s)
{
	unsigned used = s->main[family_index(&s->config.knock.target)].socket;

	if (s->knock.far.state == OPENING_NONE && !s->config.knock.classic)
		s->knock.far =
			(struct session_main){.socket = SESSION_FURTHER + (used == SESSION_FURTHER),
				.state = OPENING_WANTED};
}

static void end_knocking(struct session *s)
{
	s->knock.counts = *knocker_counts(s->knock.knocker);
	s->view.knocked = &s->knock.counts;
	knocker_destroy(s->knock.knocker);
	s->knock.knocker = NULL;
	s->view.state = SESSION_REGISTERING;
}

/* --- whether knocks leave the own NAT --- */

static void begin_egress(struct session *s, uint64_t now_us)
{
	int f = family_index(&s->config.knock.target);
	const struct endpoint *server = &s->config.servers[f];
	struct knock_place place;
	struct random random;

	if (s->knock.egress_begun || s->config.knock.classic || server->family == FAMILY_NONE ||
		s->main[f].state != OPENING_DONE)
		return;
	s->knock.egress_begun = true;
	knock_place_at(&s->config.knock.key, 0, &place);
	random_bytes(&s->config.random, random.seed, sizeof(random.seed));
	egress_begin(&s->knock.egress, now_us, server, &place.dark[f], &random);
}

static bool poll_egress(
	struct session *s, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	const struct egress_result *r = &s->knock.egress.result;
	bool due = s->knock.egress_begun && s->view.state < SESSION_EXCHANGING &&
		egress_poll(&s->knock.egress, now_us, out, deadline_us);

	if (r->state == EGRESS_DROPPED && !s->knock.dropped_us)
		s->knock.dropped_us = now_us;
	s->view.knock.egress = *r;
	return due;
}

/* No knock will ever arrive; only where a datagram is let in there can be an answer, and that comes soon. */
static uint64_t hopeless_us(const struct session *s)
{
	return s->knock.dropped_us && !s->view.knock.met && s->view.state == SESSION_WAITING
		? s->knock.dropped_us + HOPE_US
		: UINT64_MAX;
}

static bool take_egress(struct session *s, uint64_t now_us, const struct endpoint *from,
	const void *data, size_t length)
{
	int f = family_index(&s->config.knock.target);

	return s->knock.egress_begun && endpoint_equal(from, &s->config.servers[f]) &&
		egress_input(&s->knock.egress, now_us, data, length);
}

static void renew_main(struct session *s, uint64_t now_us, int f)
{
	if (s->main[f].state == OPENING_DONE)
		s->spent = s->main[f].socket;
	s->knock.port = knocking_port(s, now_us);
	s->main[f] = session_new_main(s);
	s->reflexive[f] = (struct query){.begun = false};
}

static void advance_knocking(struct session *s, uint64_t now_us)
{
	int f = family_index(&s->config.knock.target);

	if (s->knock.knocker && s->view.state == SESSION_WAITING &&
		knocker_is_over(s->knock.knocker)) {
		end_knocking(s);
		renew_main(s, now_us, f);
	} else if (!s->knock.knocker && !is_pending(&s->main[f]) &&
		s->knock.port != knocking_port(s, now_us)) {
		renew_main(s, now_us, f);
	}
	if (s->knock.knocker || s->view.state != SESSION_REGISTERING)
		return;
	if (s->main[f].state == OPENING_FAILED)
		session_fail(s, now_us, SESSION_NO_SOCKET);
	want_far(s);
	begin_egress(s, now_us);
	if (s->main[f].state == OPENING_DONE && is_reflexive_known(s, f) &&
		!is_pending(&s->knock.far))
		begin_knocking(s, now_us);
}

/* The socket to which it has come is the one for the way. */
static void take_answer(struct session *s, uint64_t now_us, unsigned socket)
{
	const struct knock *answer = knocker_answer(s->knock.knocker);
	const struct endpoint *from = knocker_answer_from(s->knock.knocker);
	struct session_main *main = &s->main[family_index(from)], before = *main;

	if (s->knock.far.state == OPENING_DONE && socket == s->knock.far.socket) {
		*main = s->knock.far;
		s->knock.far = before;
		if (session_has_ways(s))
			session_set_mains(s);
	}
	if (s->view.state == SESSION_PUNCHING && s->view.round)
		session_ways_add(s, now_us, CHECK_PEER_REFLEXIVE, from, true);
	else if (s->view.state == SESSION_WAITING)
		meet(s, now_us, answer, from);
	s->view.knock.visitor = *from;
}

/* --- both --- */

void session_knock_advance(struct session *s, uint64_t now_us)
{
	for (int f = 0; f < 2; f++)
		if (s->reflexive[f].done && s->reflexive[f].mapped.family != FAMILY_NONE)
			s->view.mapped[f] = s->reflexive[f].mapped;
	if (s->config.knock.waits)
		advance_waiting(s, now_us);
	else
		advance_knocking(s, now_us);
	if (now_us >= end_of_wait_us(s) || now_us >= hopeless_us(s))
		session_fail(s, now_us, s->view.knock.met ? SESSION_NO_PATH : SESSION_NO_PEER);
}

uint64_t session_knock_deadline(const struct session *s)
{
	uint64_t end_us = end_of_wait_us(s), hopeless = hopeless_us(s);

	if (s->view.state == SESSION_CONNECTED)
		return UINT64_MAX;
	return hopeless < end_us ? hopeless : end_us;
}

void session_knock_plan(struct session *s)
{
	struct plan *p = &s->view.plans.plan[0];

	s->view.plans = (struct plans){.count = 1};
	*p = (struct plan){
		.strategy = "knock", .direct = true, .give_up_us = ATTEMPT_US, .chance = 1};
	for (int side = 0; side < 2; side++)
		p->role[side] =
			(struct pair_role){.sockets = 1, .targets = PAIR_KNOWN, .guesses = 1};
	snprintf(p->why, sizeof(p->why), "the knock has shown each side where the other one is");
}

void session_knock_again(struct session *s, uint64_t now_us)
{
	if (s->knock.waiter)
		waiter_resume(s->knock.waiter, now_us, false);
	if (s->knock.knocker) {
		want_far(s);
		knocker_resume(s->knock.knocker, now_us);
	}
}

/* Whoever it was is not there any more, or cannot be reached: others can come, or it with a knock of its own. */
void session_knock_give_up(struct session *s, uint64_t now_us)
{
	session_ways_destroy(s);
	s->has_keys = s->view.has_peer = false;
	s->knock.view.state = MEETING_WAITING;
	if (s->knock.waiter) {
		waiter_resume(s->knock.waiter, now_us, true);
		for (int f = 0; f < 2; f++) /* it is the waiter's */
			s->main[f].state = OPENING_NONE;
		s->view.state = SESSION_WAITING;
		return;
	}
	end_knocking(s);
}

static unsigned number_of(const struct session *s, unsigned socket)
{
	int f = family_index(&s->config.knock.target);

	if (s->knock.waiter)
		return SESSION_FURTHER + socket;
	return socket == KNOCKER_FAR && s->knock.far.state == OPENING_DONE ? s->knock.far.socket
									   : s->main[f].socket;
}

static bool carry(struct session *s, const struct knock_output *in, struct session_output *out)
{
	static const enum session_action actions[] = {[KNOCK_OPEN] = SESSION_OPEN,
		[KNOCK_ECHO] = SESSION_ECHO,
		[KNOCK_SEND] = SESSION_SEND,
		[KNOCK_ERROR] = SESSION_ERROR,
		[KNOCK_CLOSE] = SESSION_CLOSE};

	out->action = actions[in->action];
	out->socket = number_of(s, in->socket);
	out->family = in->local.family;
	out->local = in->local;
	out->to = in->to;
	out->ttl = in->ttl;
	out->type = in->type;
	out->code = in->code;
	out->quotes_echo = in->quotes_echo;
	out->quoted_from = in->quoted_from;
	out->quoted_to = in->quoted_to;
	out->length = in->length;
	memcpy(out->data, in->data, in->length);
	return true;
}

/* Who knocks has two sockets, and needs one in the end. */
static bool poll_far(struct session *s, struct session_output *out)
{
	struct session_main *far = &s->knock.far;

	if (far->state == OPENING_WANTED) {
		far->state = OPENING_ASKED;
		return session_want_open(out, far->socket, s->config.knock.target.family);
	}
	if (far->state != OPENING_DONE || s->view.state != SESSION_CONNECTED ||
		s->view.way.socket == far->socket)
		return false;
	far->state = OPENING_NONE;
	out->action = SESSION_CLOSE;
	out->socket = far->socket;
	return true;
}

static void rest(struct session *s)
{
	unsigned socket = s->view.way.socket;

	if (s->view.state == SESSION_CONNECTED && s->knock.waiter && !s->knock.rested)
		waiter_rest(s->knock.waiter, socket - SESSION_FURTHER);
	s->knock.rested = s->view.state == SESSION_CONNECTED;
}

/* Of those at the known port; of a search its size is enough. */
static void note_datagram(struct session *s, uint64_t now_us, const struct session_output *out)
{
	const struct trail_event e = {.t_us = now_us,
		.kind = TRAIL_SENT,
		.socket = out->socket,
		.to = out->to,
		.bytes = out->length,
		.ttl = out->ttl};

	if (out->action == SESSION_SEND && !knocker_is_searching(s->knock.knocker))
		trail_add(s->config.trail, &e);
}

bool session_knock_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct knock_output k;

	if (s->view.state == SESSION_FAILED)
		return false;
	rest(s);
	if (!s->knock.waiter && poll_far(s, out))
		return true;
	if (!s->knock.waiter && poll_egress(s, now_us, &k, deadline_us)) {
		s->knock.egress_sent = true;
		return carry(s, &k, out);
	}
	if (s->knock.waiter && waiter_poll(s->knock.waiter, now_us, &k, deadline_us))
		return carry(s, &k, out);
	if (s->knock.knocker && s->view.state < SESSION_CONNECTED &&
		knocker_poll(s->knock.knocker, now_us, &k, deadline_us)) {
		s->knock.egress_sent = false;
		carry(s, &k, out);
		note_datagram(s, now_us, out);
		return true;
	}
	return false;
}

bool session_knock_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	struct session_main *far = &s->knock.far;

	if (far->state == OPENING_ASKED && far->socket == socket) {
		far->state = error ? OPENING_FAILED : OPENING_DONE;
		if (!error)
			far->local = *local;
		return true;
	}
	if (!s->knock.waiter || socket < SESSION_FURTHER ||
		socket >= SESSION_FURTHER + WAITER_SOCKETS)
		return false;
	waiter_opened(s->knock.waiter, now_us, socket - SESSION_FURTHER, error, local);
	return true;
}

bool session_knock_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	enum waiter_heard heard;

	if (s->view.state >= SESSION_CONNECTED)
		return false;
	if (take_egress(s, now_us, from, data, length))
		return true;
	if (s->config.knock.classic && !length)
		return true; /* it has opened the other NAT, and says nothing */
	if (s->knock.knocker) {
		if (!knocker_input(s->knock.knocker, now_us, from, data, length))
			return false;
		take_answer(s, now_us, socket);
		return true;
	}
	if (!s->knock.waiter || socket < SESSION_FURTHER)
		return false;
	heard = waiter_input(s->knock.waiter, now_us, socket - SESSION_FURTHER, from, data, length);
	heed(s, now_us, heard);
	return heard != WAITER_NOTHING;
}

bool session_knock_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, struct span quoted)
{
	if (s->knock.egress_sent && socket == SESSION_RAW) {
		egress_unsent(&s->knock.egress);
		return true;
	}
	if (s->knock.knocker && socket == SESSION_RAW) {
		knocker_unsent(s->knock.knocker, -error->error);
		return true;
	}
	if (s->knock.waiter && socket == SESSION_RAW) {
		waiter_unsent(s->knock.waiter, -error->error);
		return true;
	}
	/* of what opens the own NAT the end is meant to come early */
	if (s->knock.knocker && s->view.state < SESSION_EXCHANGING && !error->local &&
		error->type == (to->family == FAMILY_IPV4 ? 11 : 3))
		return true;
	if (!s->knock.waiter || socket < SESSION_FURTHER ||
		!waiter_is_dark(s->knock.waiter, socket - SESSION_FURTHER, to))
		return false;
	if (error->local)
		waiter_unsent(s->knock.waiter, -error->error);
	else
		heed(s, now_us,
			waiter_error(s->knock.waiter, now_us, socket - SESSION_FURTHER,
				&error->offender, quoted.data, quoted.length));
	return true;
}

void session_icmp(struct session *s, uint64_t now_us, const struct icmp_seen *error,
	const void *quoted, size_t length)
{
	if (s->knock.waiter && error->type == CLASSIC_EXCEEDED && !error->code)
		waiter_exceeded(
			s->knock.waiter, now_us, &error->offender, (struct span){quoted, length});
}
