// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/checks_private.h"

/* Requests, answers, proof, and the choice of one way. */

#define TRIGGER_GAP_US \
	10000 /* a request of the peer is answered with an own one, but not more often */
#define ANSWER_AGE_US 5000000 /* an answer to an older request proves nothing */

int checks_create(const struct checks_config *config, struct checks **out)
{
	struct checks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->main[0] = c->main[1] = NO_SOCKET;
	random_bytes(&c->config.random, c->id_key, sizeof(c->id_key));
	*out = c;
	return 0;
}

void checks_destroy(struct checks *c)
{
	if (!c)
		return;
	sodium_memzero(c, sizeof(*c));
	free(c);
}

void checks_set_main(struct checks *c, enum family family, unsigned socket)
{
	unsigned *main = &c->main[family == FAMILY_IPV6];

	if (*main != NO_SOCKET && *main != socket)
		checks_ways_end(c, *main);
	*main = socket;
}

const struct checks_result *checks_result(const struct checks *c)
{
	return &c->result;
}

/* --- attempts --- */

/* What the plan was about comes to rest; other candidates go on. */
static void end_plan(struct checks *c)
{
	for (size_t i = 0; i < c->way_count; i++) {
		if (c->ways[i].of_plan)
			c->ways[i].next_us = UINT64_MAX;
		c->ways[i].of_plan = false;
	}
	if (c->active)
		checks_plan_end(c);
	c->active = c->held = false;
}

void checks_begin(struct checks *c, uint64_t now_us, const struct checks_attempt *attempt)
{
	(void)now_us;
	end_plan(c);
	c->attempt = *attempt;
	c->target = (struct checks_target){.port_count = 0};
	c->active = c->held = true;
	c->paused = false;
	checks_plan_begin(c);
}

/* The way from the main socket to the endpoint that is known, if that is what the plan is about. */
static void begin_known(struct checks *c, uint64_t now_us)
{
	unsigned main = c->main[c->attempt.family == FAMILY_IPV6];
	struct way *way;

	if (c->attempt.role.targets != PAIR_KNOWN || c->extra_count || main == NO_SOCKET)
		return;
	if (checks_add_candidate(
		    c, now_us, CHECK_SERVER_REFLEXIVE, &c->target.peer, !c->target.claimed))
		return;
	way = checks_way_find(c, main, &c->target.peer);
	if (!way)
		return;
	way->of_plan = true;
	way->sent = 0;
	way->next_us = now_us;
}

void checks_go(struct checks *c, uint64_t now_us, const struct checks_target *target)
{
	c->target = *target;
	if (target->peer.family != c->attempt.family || !endpoint_is_unicast(&target->peer) ||
		endpoint_is_loopback(&target->peer))
		c->target.peer.family = FAMILY_NONE; /* the peer may have made it up */
	else if (!target->claimed)
		checks_vouch(c, &target->peer);
	c->held = c->attempt.role.second;
	c->shy_until_us = now_us + c->attempt.role.low_ttl_us;
	checks_plan_go(c, now_us);
	begin_known(c, now_us);
}

void checks_release(struct checks *c, uint64_t now_us)
{
	if (!c->held)
		return;
	c->held = false;
	for (size_t i = 0; i < c->way_count; i++)
		if (c->ways[i].of_plan)
			c->ways[i].next_us = now_us;
}

bool checks_has_sent_all(const struct checks *c)
{
	for (size_t i = 0; i < c->way_count; i++)
		if (c->ways[i].of_plan && !c->ways[i].sent)
			return false;
	return checks_plan_is_done(c);
}

void checks_pause(struct checks *c)
{
	end_plan(c);
	c->paused = true;
}

void checks_again(struct checks *c)
{
	end_plan(c);
	c->way_count = c->reply_count = 0;
	c->chosen = NULL;
	c->acknowledged = false;
	c->oldest = c->nomination + 1;
	c->result = (struct checks_result){.connected = false};
	/* answers that are still under way prove nothing any more */
	random_bytes(&c->config.random, c->id_key, sizeof(c->id_key));
}

/* --- requests --- */

/*
 * The transaction says when it was sent, and has a mark that only we can make, over this moment and where it was sent
 * from and to: so an answer needs no memory of thousands of guesses. Nobody guesses the 64 bits of the mark.
 */
static struct stun_id make_id(
	const struct checks *c, uint64_t sent_us, unsigned socket, const struct endpoint *to)
{
	uint8_t input[40] = {0}, mark[crypto_shorthash_BYTES];
	struct writer w = writer_over(input, sizeof(input));
	struct stun_id id;

	writer_u32(&w, (uint32_t)(sent_us >> 32));
	writer_u32(&w, (uint32_t)sent_us);
	writer_u32(&w, socket);
	writer_u16(&w, to->port);
	writer_u8(&w, (uint8_t)to->family);
	writer_bytes(&w, to->address, sizeof(to->address));
	crypto_shorthash(mark, input, sizeof(input), c->id_key);
	w = writer_over(id.bytes, sizeof(id.bytes));
	writer_u32(&w, STUN_COOKIE);
	writer_u32(&w, (uint32_t)sent_us);
	writer_bytes(&w, mark, sizeof(mark));
	return id;
}

/* Whether it is an answer to a request that was sent there from here; and how long that is ago. */
static bool is_ours(const struct checks *c, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const struct stun_id *id, uint64_t *age_us)
{
	struct reader r = reader_over(id->bytes + 4, 4);
	struct stun_id expected;

	*age_us = (uint32_t)now_us - reader_u32(&r);
	expected = make_id(c, now_us - *age_us, socket, from);
	return *age_us <= ANSWER_AGE_US && stun_id_equal(&expected, id);
}

static void send_message(
	struct checks *c, uint64_t now_us, struct punch_message *m, struct checks_output *out)
{
	struct trail_event e = {.t_us = now_us,
		.kind = TRAIL_SENT,
		.socket = out->socket,
		.to = out->to,
		.ttl = out->ttl};
	int length;

	m->attempt = (uint16_t)c->attempt.number;
	m->counter = ++c->counter;
	length = punch_encode(m, c->config.key_out, out->data, sizeof(out->data));
	out->action = CHECKS_SEND;
	out->length = length > 0 ? (size_t)length : 0;
	e.bytes = out->length;
	if (!c->result.first_sent_us)
		c->result.first_sent_us = now_us;
	trail_add(c->config.trail, &e);
}

void checks_request(struct checks *c, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct way *way, bool shy, struct checks_output *out)
{
	struct punch_message m = {
		.class = STUN_REQUEST, .id = make_id(c, now_us, socket, to), .mapped = *to};

	if (way && way == c->chosen)
		m.flags = PUNCH_NOMINATE;
	if (way && way->has_echo) {
		m.has_echo = true;
		m.echo = way->echo;
	}
	if (!way || !way->proved)
		checks_note_sent(c, to);
	out->socket = socket;
	out->to = *to;
	out->ttl = shy ? c->attempt.role.low_ttl : 0;
	send_message(c, now_us, &m, out);
}

/* Not a stranger's: it gets a request with an echo, which asks as well. */
static bool may_answer(struct checks *c, const struct reply *r)
{
	const struct way *way = checks_way_find(c, r->socket, &r->to);

	if (r->socket == NO_SOCKET) /* it has been closed meanwhile */
		return false;
	return (way && way->proved) || checks_is_vouched(c, &r->to);
}

/* The next one that may be sent, or NULL. */
static const struct reply *take_reply(struct checks *c)
{
	const struct reply *r;

	while (c->reply_count) {
		r = &c->replies[c->reply_first];
		c->reply_first = (c->reply_first + 1) % ANSWERS_MAX;
		c->reply_count--;
		if (may_answer(c, r))
			return r;
	}
	return NULL;
}

static bool poll_replies(struct checks *c, uint64_t now_us, struct checks_output *out)
{
	const struct reply *r = take_reply(c);
	struct punch_message m = {.class = STUN_SUCCESS};

	if (!r)
		return false;
	m.id = r->id;
	m.mapped = r->to;
	/* that the nomination has been taken */
	if (!c->config.controlling && c->chosen && c->chosen->socket == r->socket &&
		endpoint_equal(&c->chosen->remote, &r->to))
		m.flags = PUNCH_NOMINATE;
	out->socket = r->socket;
	out->to = r->to;
	out->ttl = 0;
	send_message(c, now_us, &m, out);
	return true;
}

/* Whether nothing more has to be sent on it. */
static bool is_finished(const struct checks *c, const struct way *way)
{
	return c->chosen && (way != c->chosen || !c->config.controlling || c->acknowledged);
}

static bool poll_ways(
	struct checks *c, uint64_t now_us, struct checks_output *out, uint64_t *deadline_us)
{
	for (size_t i = 0; i < c->way_count && !c->paused; i++) {
		struct way *way = &c->ways[i];
		bool shy = way->of_plan && !way->heard && c->attempt.role.low_ttl &&
			now_us < c->shy_until_us;

		if (is_finished(c, way) || checks_way_is_held(c, way) ||
			!checks_way_may_ask(c, way))
			continue;
		if (way->next_us > now_us) {
			if (way->next_us < *deadline_us)
				*deadline_us = way->next_us;
			continue;
		}
		way->sent++;
		way->last_us = now_us;
		way->next_us = now_us + checks_way_interval(c, way);
		checks_request(c, now_us, way->socket, &way->remote, way, shy, out);
		return true;
	}
	return false;
}

enum checks_action checks_poll(struct checks *c, uint64_t now_us, struct checks_output *out)
{
	uint64_t deadline_us = UINT64_MAX;

	memset(out, 0, sizeof(*out));
	if (poll_replies(c, now_us, out) || poll_ways(c, now_us, out, &deadline_us) ||
		checks_plan_poll(c, now_us, out, &deadline_us))
		return out->action;
	out->action = CHECKS_WAIT;
	out->deadline_us = deadline_us;
	return CHECKS_WAIT;
}

/* --- input --- */

static void choose(struct checks *c, uint64_t now_us, struct way *way)
{
	if (c->chosen)
		return;
	c->chosen = way;
	way->next_us = now_us;
	way->limit = way->sent + LIMIT_WAY;
	c->result.connected = true;
	c->result.socket = way->socket;
	c->result.remote = way->remote;
	c->result.mapped = way->mapped;
	c->result.kind = way->kind;
	c->result.rtt_us = way->rtt_us;
	if (c->active)
		checks_plan_end(c);
}

/* It has answered to a request of ours: only then is it there, since anybody's address can be made up as a source. */
static void prove(struct checks *c, uint64_t now_us, struct way *way)
{
	char text[ENDPOINT_TEXT];

	if (!way->proved)
		trail_step(c->config.trail, now_us, "proof: %s, %s", check_kind_name(way->kind),
			endpoint_format(&way->remote, text));
	way->heard = way->proved = true;
	checks_vouch(c, &way->remote); /* also when the path is punched anew */
	if (!c->result.proved_us)
		c->result.proved_us = now_us;
	if (c->config.controlling || way->nominated)
		choose(c, now_us, way);
}

static void queue_reply(
	struct checks *c, unsigned socket, const struct endpoint *to, const struct stun_id *id)
{
	size_t place = (c->reply_first + c->reply_count) % ANSWERS_MAX;

	if (c->reply_count == ANSWERS_MAX)
		return; /* the peer will ask again */
	c->replies[place] = (struct reply){socket, *to, *id};
	c->reply_count++;
}

/* The answer to a request of this age arrived, as one or with a request. */
static void take_proof(struct checks *c, uint64_t now_us, struct way *way, uint64_t age_us,
	const struct endpoint *mapped)
{
	way->mapped = *mapped;
	if (!way->rtt_us || age_us < way->rtt_us)
		way->rtt_us = age_us;
	prove(c, now_us, way);
	if (way == c->chosen) {
		c->result.rtt_us = way->rtt_us;
		c->result.mapped = way->mapped;
	}
}

/* A request of the peer triggers an own one (RFC 8445 7.3.1.4); a stranger's only once, since few are left for it. */
static void hear(const struct checks *c, uint64_t now_us, struct way *way)
{
	bool quick = !way->proved && checks_is_vouched(c, &way->remote);

	if (!way->heard || (quick && now_us - way->last_us >= TRIGGER_GAP_US))
		way->next_us = now_us;
	way->heard = true;
}

static void take_request(struct checks *c, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const struct punch_message *m)
{
	struct way *way = checks_way_get(c, socket, from, CHECK_PEER_REFLEXIVE);
	uint64_t age_us;

	queue_reply(c, socket, from, &m->id);
	c->result.peer_attempt = m->attempt;
	c->result.asked_us = now_us;
	if (!way)
		return;
	hear(c, now_us, way);
	way->has_echo = true;
	way->echo = m->id;
	if (m->flags & PUNCH_NOMINATE && !c->config.controlling && m->attempt >= c->oldest) {
		c->nomination = m->attempt;
		way->nominated = true;
	}
	if (m->has_echo && is_ours(c, now_us, socket, from, &m->echo, &age_us))
		take_proof(c, now_us, way, age_us, &m->mapped);
	else if (way->nominated && way->proved)
		choose(c, now_us, way);
}

static bool take_answer(struct checks *c, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const struct punch_message *m)
{
	struct way *way;
	uint64_t age_us;

	if (!is_ours(c, now_us, socket, from, &m->id, &age_us))
		return false;
	way = checks_way_get(c, socket, from, CHECK_PREDICTED);
	if (!way)
		return true;
	if (way == c->chosen && m->flags & PUNCH_NOMINATE)
		c->acknowledged = true;
	take_proof(c, now_us, way, age_us, &m->mapped);
	return true;
}

static bool note(struct checks *c, uint64_t now_us, enum trail_kind kind, unsigned socket,
	const struct endpoint *from, size_t length)
{
	const struct trail_event e = {
		.t_us = now_us, .kind = kind, .socket = socket, .from = *from, .bytes = length};

	trail_add(c->config.trail, &e);
	return true;
}

bool checks_input(struct checks *c, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const void *data, size_t length)
{
	struct punch_message m;
	int err = punch_decode(data, length, c->config.key_in, &m);

	if (err == -EPROTO)
		return false;
	if (err || m.flags & PUNCH_SIGNAL || window_take(&c->window, m.counter))
		return note(c, now_us, TRAIL_REFUSED, socket, from, length);
	if (m.class == STUN_SUCCESS && !take_answer(c, now_us, socket, from, &m))
		return note(c, now_us, TRAIL_REFUSED, socket, from, length);
	if (!c->result.first_heard_us)
		c->result.first_heard_us = now_us;
	if (m.class == STUN_REQUEST)
		take_request(c, now_us, socket, from, &m);
	return note(c, now_us, TRAIL_RECEIVED, socket, from, length);
}

/* --- signals --- */

int checks_signal(struct checks *c, uint64_t now_us, void *buffer, size_t size)
{
	struct punch_message m = {.class = STUN_REQUEST, .flags = PUNCH_SIGNAL};
	struct endpoint none = {.family = FAMILY_NONE};

	m.id = make_id(c, now_us, UINT32_MAX, &none);
	m.attempt = (uint16_t)c->attempt.number;
	m.counter = ++c->counter;
	return punch_encode(&m, c->config.key_out, buffer, size);
}

bool checks_signalled(struct checks *c, uint64_t now_us, const void *data, size_t length)
{
	struct punch_message m;

	if (punch_decode(data, length, c->config.key_in, &m) || !(m.flags & PUNCH_SIGNAL) ||
		window_take(&c->window, m.counter))
		return false;
	for (size_t i = 0; i < c->way_count; i++) {
		struct way *way = &c->ways[i];

		if (!way->proved && checks_is_vouched(c, &way->remote) &&
			now_us - way->last_us >= TRIGGER_GAP_US)
			way->next_us = now_us;
	}
	checks_release(c, now_us);
	return true;
}
