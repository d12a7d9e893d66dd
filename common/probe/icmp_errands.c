// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "probe/icmp_private.h"

/* One request for errors, from the moment that its socket is wanted until the last of them must have come. */

#define MS	      1000u
#define STRAGGLERS_US (15 * MS) /* an error that is overtaken by the indication */
#define SYN_US	      (1300 * MS) /* a SYN is repeated after one second */
#define REPEATS_MAX   3
#define CONNECTION_US (1500 * MS) /* a segment that got lost is repeated */
#define SEGMENTS      3
#define STUN_ID_AT    4

struct icmp_errand *icmp_probe_errand(struct icmp_probe *p, enum icmp_flow flow)
{
	struct icmp_errand *e;

	if (p->errand_count >= ICMP_ERRANDS)
		return NULL;
	e = &p->errands[p->errand_count++];
	*e = (struct icmp_errand){.flow = flow, .attempt = ICMP_SOCKETS, .after = JOURNAL_NONE};
	return e;
}

static unsigned number_of(const struct icmp_probe *p, const struct icmp_errand *e)
{
	return (unsigned)(e - p->errands);
}

void icmp_probe_begin_errand(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	bool udp = e->flow == ICMP_FLOW_UDP;
	struct icmp_request *r;

	e->socket = icmp_probe_socket(p, udp ? ICMP_SOCKET_UDP : ICMP_SOCKET_TCP, ICMP_OF_ERRAND,
		number_of(p, e), 0, &p->chosen->endpoint);
	r = e->socket == ICMP_SOCKETS
		? NULL
		: icmp_probe_request(p, now_us, ICMP_FOR_ERRAND, number_of(p, e), e->socket,
			  e->flow == ICMP_FLOW_ATTEMPT ? ICMP_ASK_ATTEMPT : ICMP_ASK_ERRORS);
	if (!r) {
		e->phase = ICMP_ERRAND_OVER;
		return;
	}
	e->phase = ICMP_ERRAND_ASKED;
	r->message.error_count = e->count;
	memcpy(r->message.errors, e->wanted, sizeof(e->wanted));
}

static uint64_t latest_us(const struct icmp_errand *e)
{
	return e->count ? (uint64_t)e->wanted[e->count - 1].delay_ms * MS : 0;
}

static void end(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	e->phase = ICMP_ERRAND_OVER;
	icmp_probe_end(p, e->socket);
	icmp_probe_end(p, e->attempt);
	icmp_probe_settle(p, now_us, e->after, OBSERVATION_SILENT);
}

/* Nothing of this kind will be told: neither now nor later. */
static void give_up(
	struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, unsigned code, int error)
{
	for (size_t i = 0; i < e->count; i++) {
		struct observation *o = icmp_probe_observation(p, e->observation[i]);

		o->error_code = code;
		if (error) {
			o->own.error = -error;
			o->own.outcome = CONNECTION_REFUSED;
		}
		icmp_probe_settle(p, now_us, e->observation[i],
			code ? OBSERVATION_ERROR : OBSERVATION_REFUSED);
	}
	end(p, now_us, e);
}

static void take_early(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e);

static void begin_attempt(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	e->attempt = icmp_probe_socket(p, ICMP_SOCKET_TCP, ICMP_OF_ATTEMPT, number_of(p, e),
		p->sockets[e->socket].local.port, &e->target);
	e->over_us = now_us + SYN_US + 2 * p->chosen->rtt_us;
	for (size_t i = 0; i < e->count; i++) {
		struct observation *o = icmp_probe_observation(p, e->observation[i]);

		o->to = e->target;
	}
}

/* What will not be sent is not waited for. */
static void take_promises(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e,
	const struct icmp_inquiry *answer)
{
	for (size_t i = 0; i < e->count; i++) {
		struct observation *o = icmp_probe_observation(p, e->observation[i]);
		bool promised = i < answer->error_count &&
			answer->errors[i].from == e->wanted[i].from &&
			answer->errors[i].type == e->wanted[i].type &&
			answer->errors[i].code == e->wanted[i].code;

		o->socket = e->socket;
		o->local = p->sockets[e->socket].local;
		o->answer.mapped = answer->mapped;
		if (!promised) {
			e->wanted[i].from = ICMP_FROM_NONE;
			o->error_code = ICMP_OFF;
			icmp_probe_settle(p, now_us, e->observation[i], OBSERVATION_ERROR);
			continue;
		}
		if (!o->sent++)
			o->first_sent_us = now_us;
		o->last_sent_us = now_us;
	}
}

void icmp_probe_errand_answered(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer)
{
	struct icmp_errand *e = &p->errands[index];

	if (e->phase != ICMP_ERRAND_ASKED)
		return;
	if (!answer) {
		if (p->sockets[e->socket].error)
			give_up(p, now_us, e, 0, p->sockets[e->socket].error);
		else
			end(p, now_us, e);
		return;
	}
	if (answer->class != STUN_SUCCESS) {
		give_up(p, now_us, e, answer->error_code, 0);
		return;
	}
	e->phase = ICMP_ERRAND_PROMISED;
	e->own = answer->own;
	e->other = answer->other;
	e->target = answer->target;
	take_promises(p, now_us, e, answer);
	e->over_us = now_us + latest_us(e) + ICMP_DONE_US +
		(e->flow == ICMP_FLOW_UDP ? icmp_probe_margin_us(p->chosen) : CONNECTION_US);
	if (e->flow == ICMP_FLOW_ATTEMPT) {
		if (endpoint_is_unicast(&e->target) && e->target.family == p->config.family &&
			endpoint_is_loopback(&e->target) ==
				endpoint_is_loopback(&p->chosen->endpoint))
			begin_attempt(p, now_us, e);
		else
			give_up(p, now_us, e, ICMP_BAD, 0);
	}
	take_early(p, now_us, e);
}

/* --- what comes --- */

/* Which of those that were asked for it is; -1: none. *wrong: it comes from an address that was not asked to. */
static int find_wanted(const struct icmp_errand *e, const struct icmp_seen *error, bool *wrong)
{
	int alike = -1;

	*wrong = false;
	for (size_t i = 0; i < e->count; i++) {
		const struct icmp_wanted *w = &e->wanted[i];
		const struct endpoint *from = w->from == ICMP_FROM_OTHER ? &e->other : &e->own;

		if (w->type != error->type || w->code != error->code || w->from == ICMP_FROM_NONE)
			continue;
		if (endpoint_same_address(from, &error->offender))
			return (int)i;
		alike = (int)i;
	}
	*wrong = alike >= 0;
	return alike;
}

/* Whether the payload that came back is what was sent, as far as it came back. */
static bool is_quoted_right(const struct icmp_errand *e, struct span quoted)
{
	size_t n = quoted.length < e->request_length ? quoted.length : e->request_length;

	if (e->flow != ICMP_FLOW_UDP)
		return true;
	return n >= STUN_ID_AT + sizeof(struct stun_id) && !memcmp(quoted.data, e->request, n);
}

/* A request over UDP that was repeated may have made a mapping again that an error had ended. */
static bool is_renewed(const struct icmp_errand *e)
{
	return e->flow == ICMP_FLOW_UDP && e->requests > 1;
}

static void begin_after(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	struct observation *o;

	if (e->flow == ICMP_FLOW_ATTEMPT || e->reported || is_renewed(e))
		return;
	if (e->after == JOURNAL_NONE)
		e->after =
			icmp_probe_ask(p, QUESTION_AFTER_ERRORS, e->socket, &p->chosen->endpoint);
	o = icmp_probe_observation(p, e->after);
	if (!o)
		return;
	o->detail.flow = e->flow;
	o->detail.errors = e->received;
	/* a connection repeats what was lost, so often in the time that it has */
	o->awaited = e->flow == ICMP_FLOW_TCP ? SEGMENTS : 1;
	if (!o->first_sent_us)
		o->first_sent_us = now_us;
}

/* answers: so many of it have been seen, by whichever way more of them are. */
static void note_arrival(
	struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, size_t i, unsigned answers)
{
	struct observation *o = icmp_probe_observation(p, e->observation[i]);

	if (!o->answers)
		o->answer.t_us = now_us;
	if (answers > o->answers)
		o->answers = answers;
	icmp_probe_settle(p, now_us, e->observation[i], OBSERVATION_ANSWERED);
	p->look |= o->detail.mtu_before != 0;
}

static void receive(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, size_t i,
	const struct icmp_seen *error)
{
	struct observation *o = icmp_probe_observation(p, e->observation[i]);
	unsigned count = o->icmp.count;

	o->icmp = *error;
	o->icmp.count = count + 1;
	journal_event(p->journal, now_us, EVENT_ICMP, o, &error->offender,
		&p->sockets[e->socket].local, 0);
	note_arrival(p, now_us, e, i, o->icmp.count);
	e->received++;
	begin_after(p, now_us, e);
}

/* An error that quotes what was sent. */
static void take_error(
	struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, const struct icmp_seen *error)
{
	struct observation *o;
	bool wrong;
	int i = find_wanted(e, error, &wrong);

	if (i < 0)
		return;
	o = icmp_probe_observation(p, e->observation[i]);
	if (wrong) {
		o->wrong_source++;
		o->wrong_from = error->offender;
		return;
	}
	receive(p, now_us, e, (size_t)i, error);
}

/* An error that the raw socket has seen, what it quotes being like `defects`. Whether it was asked for. */
static bool take_quote(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e,
	const struct icmp_seen *error, uint8_t defects)
{
	struct observation *o;
	bool wrong;
	int i = find_wanted(e, error, &wrong);

	if (i < 0 || wrong)
		return false;
	o = icmp_probe_observation(p, e->observation[i]);
	o->detail.quotes++;
	o->detail.wrong_quotes += defects != 0;
	o->detail.quote_defects |= defects;
	/* not all of what arrives is shown to sockets, even where it finds them */
	if (!(defects & (QUOTE_SOURCE | QUOTE_DESTINATION)))
		note_arrival(p, now_us, e, (size_t)i, o->detail.quotes);
	return true;
}

static void take_early(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	for (unsigned i = 0; i < e->early_count; i++)
		take_error(p, now_us, e, &e->early[i]);
	for (unsigned i = 0; i < e->early_quote_count; i++)
		take_quote(p, now_us, e, &e->early_quotes[i].error, e->early_quotes[i].defects);
	e->early_count = e->early_quote_count = 0;
}

/* The first that was asked for and is alike, from wherever it came. */
static struct observation *alike(
	const struct icmp_probe *p, const struct icmp_errand *e, const struct icmp_seen *error)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->wanted[i].type == error->type && e->wanted[i].code == error->code)
			return icmp_probe_observation(p, e->observation[i]);
	return NULL;
}

void icmp_probe_errand_error(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e,
	const struct icmp_seen *error, struct span quoted)
{
	struct observation *o = error->local ? NULL : alike(p, e, error);

	if (!o)
		p->journal->strangers++;
	else if (!is_quoted_right(e, quoted))
		o->malformed++;
	else if (e->phase == ICMP_ERRAND_PROMISED)
		take_error(p, now_us, e, error);
	else if (e->phase == ICMP_ERRAND_ASKED && e->early_count < ICMP_ERRORS_MAX)
		e->early[e->early_count++] = *error;
}

/* Of each errno there is only one kind in the list of a connection, or several copies of it. */
void icmp_probe_errand_errno(
	struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, int error)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct icmp_wanted *w = &e->wanted[i];
		struct icmp_seen seen = {.count = 1,
			.t_us = now_us,
			.error = error,
			.type = w->type,
			.code = w->code};

		if (icmp_probe_errno(p->config.family, w->type, w->code) != error)
			continue;
		if (w->from == ICMP_FROM_OTHER)
			seen.offender = p->chosen->other;
		else
			seen.offender = p->chosen->endpoint;
		seen.offender.port = 0;
		icmp_probe_errand_error(p, now_us, e, &seen, (struct span){0});
		return;
	}
}

void icmp_probe_errand_indication(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *m)
{
	struct icmp_errand *e = &p->errands[index];
	struct observation *after = icmp_probe_observation(p, e->after);
	struct stun_id id;

	if (e->phase != ICMP_ERRAND_PROMISED || e->reported || e->request_length < 20)
		return;
	memcpy(id.bytes, e->request + STUN_ID_AT, sizeof(id.bytes));
	if (!stun_id_equal(&id, &m->id))
		return;
	e->reported = true;
	if (after && e->repeats) {
		after->receipts++;
	} else if (after) {
		after->answers++;
		after->answer.t_us = now_us;
		after->answer.from = p->chosen->endpoint;
		icmp_probe_settle(p, now_us, e->after, OBSERVATION_ANSWERED);
	}
	/* the flow has lasted until now, if nothing went out in between: then what has been sent could have come */
	for (size_t i = 0; i < e->count; i++) {
		struct observation *o = icmp_probe_observation(p, e->observation[i]);

		if (m->sent & 1u << i && !is_renewed(e) &&
			(e->flow != ICMP_FLOW_ATTEMPT || m->has_syn))
			o->awaited++;
	}
	e->over_us = now_us + STRAGGLERS_US;
	/* the last one may have been late */
	if (e->flow == ICMP_FLOW_TCP)
		p->look |= p->mtu != 0;
}

void icmp_probe_attempt_ended(struct icmp_probe *p, uint64_t now_us, unsigned index, int error)
{
	struct icmp_errand *e = &p->errands[index];

	if (e->phase != ICMP_ERRAND_PROMISED)
		return;
	for (size_t i = 0; i < e->count; i++) {
		struct observation *o = icmp_probe_observation(p, e->observation[i]);

		if (o->own.outcome != CONNECTION_NONE)
			continue;
		o->own.outcome = !error		 ? CONNECTION_MADE
			: error == -ECONNREFUSED ? CONNECTION_REFUSED
						 : CONNECTION_UNREACHABLE;
		o->own.error = -error;
		o->own.took_us = now_us - o->last_sent_us;
	}
}

void icmp_probe_errand_broken(struct icmp_probe *p, uint64_t now_us, unsigned index, int error)
{
	struct icmp_errand *e = &p->errands[index];

	if (e->phase != ICMP_ERRAND_PROMISED)
		return;
	if (icmp_probe_observation(p, e->after))
		icmp_probe_observation(p, e->after)->own.error = -error;
	icmp_probe_settle(p, now_us, e->after, OBSERVATION_REFUSED);
	end(p, now_us, e);
}

/*
 * Time is up. Where errors have come over UDP, and then nothing more, the request is repeated, and makes a mapping again: an
 * indication that comes now shows that the first one has been sent.
 */
static void time_out(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	if (e->flow != ICMP_FLOW_UDP || e->reported || e->after == JOURNAL_NONE ||
		e->repeats >= REPEATS_MAX) {
		end(p, now_us, e);
		return;
	}
	icmp_probe_settle(p, now_us, e->after, OBSERVATION_SILENT);
	e->repeats++;
	e->repeat = true;
	e->over_us = now_us + icmp_probe_interval_us(p->chosen);
}

bool icmp_probe_errand_is_over(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e)
{
	if (e->phase == ICMP_ERRAND_PROMISED && now_us >= e->over_us)
		time_out(p, now_us, e);
	return e->phase == ICMP_ERRAND_OVER;
}

bool icmp_probe_poll_errands(struct icmp_probe *p, uint64_t now_us, struct icmp_output *out)
{
	for (unsigned i = 0; i < p->errand_count; i++) {
		struct icmp_errand *e = &p->errands[i];

		if (!e->repeat || e->phase != ICMP_ERRAND_PROMISED)
			continue;
		e->repeat = false;
		e->requests++;
		out->action = ICMP_SEND;
		out->kind = ICMP_SOCKET_UDP;
		out->socket = e->socket;
		out->to = p->sockets[e->socket].to;
		out->length = e->request_length;
		memcpy(out->data, e->request, e->request_length);
		journal_event(p->journal, now_us, EVENT_SENT, NULL, &p->sockets[e->socket].local,
			&out->to, out->length);
		return true;
	}
	return false;
}

/* --- what a raw socket sees --- */

static bool is_about(
	const struct icmp_probe *p, const struct icmp_errand *e, const struct icmp_quote *q)
{
	const struct icmp_socket *s = &p->sockets[e->socket];

	if (e->phase != ICMP_ERRAND_PROMISED && e->phase != ICMP_ERRAND_ASKED)
		return false;
	/* of UDP the payload tells, also where addresses are not right */
	if (e->flow == ICMP_FLOW_UDP)
		return q->flow == ICMP_FLOW_UDP && is_quoted_right(e, q->payload);
	if (q->flow != ICMP_FLOW_TCP || !endpoint_same_address(&q->to, &s->to))
		return false;
	if (e->flow == ICMP_FLOW_ATTEMPT)
		return e->attempt < ICMP_SOCKETS && q->to.port == e->target.port;
	return q->to.port == s->to.port && q->from.port == s->local.port;
}

static uint8_t defects_of(
	const struct icmp_probe *p, const struct icmp_errand *e, const struct icmp_quote *q)
{
	const struct icmp_socket *s =
		&p->sockets[e->flow == ICMP_FLOW_ATTEMPT ? e->attempt : e->socket];
	uint8_t defects = 0;

	if (!endpoint_equal(&q->from, &s->local))
		defects |= QUOTE_SOURCE;
	if (!endpoint_equal(&q->to, &s->to))
		defects |= QUOTE_DESTINATION;
	if (!q->header_right)
		defects |= QUOTE_HEADER;
	if (e->flow == ICMP_FLOW_UDP && q->checksum &&
		q->checksum !=
			icmp_quote_checksum(&s->local, &s->to, e->request, e->request_length))
		defects |= QUOTE_CHECKSUM;
	return defects;
}

void icmp_probe_raw(struct icmp_probe *p, uint64_t now_us, const struct endpoint *from,
	uint8_t type, uint8_t code, const uint8_t rest[static 4], struct span body)
{
	const struct icmp_seen error = {
		.count = 1, .t_us = now_us, .type = type, .code = code, .offender = *from};
	uint8_t copy[ICMP_DATA_BYTES + 8];
	struct icmp_quote q;

	if (icmp_quote_read(p->config.family, type, rest, body, copy, &q))
		return;
	for (unsigned k = 0; k < p->errand_count; k++) {
		struct icmp_errand *e = &p->errands[k];

		if (!is_about(p, e, &q))
			continue;
		if (e->phase == ICMP_ERRAND_PROMISED &&
			take_quote(p, now_us, e, &error, defects_of(p, e, &q)))
			return;
		if (e->phase == ICMP_ERRAND_ASKED && e->early_quote_count < ICMP_ERRORS_MAX)
			e->early_quotes[e->early_quote_count++] =
				(struct icmp_early_quote){error, defects_of(p, e, &q)};
	}
}
