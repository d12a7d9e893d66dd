// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal/silence.h"
#include "probe/answer.h"
#include "probe/private.h"

#define MS 1000u

/* A server that says nothing while another has told everything is not waited for beyond this. */
#define SILENT_SERVER_US (700 * MS)
/* … and while the others are plain STUN servers and it might be the one that can do more */
#define SILENT_CANDIDATE_US (1300 * MS)
#define REFUSED_SENDS	    3
#define REFUSED_GAP_US	    (150 * MS)
#define BINDING_SENDS	    5
#define FOREIGN_SENDS	    5
#define OWN_SENDS	    8
#define FILTERING_SENDS	    12 /* silence has to be proved: rarely needed, and only under loss */

int probe_create(const struct probe_config *config, struct journal *journal, struct random *random,
	uint64_t now_us, struct probe **out)
{
	struct probe *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->journal = journal;
	p->random = random;
	p->start_us = now_us;
	for (int i = 0; i < 2; i++)
		p->hairpin_base[i] = p->hairpin[i] = JOURNAL_NONE;
	return probe_socket(p, 0) < 0 ? -ENOMEM : 0; /* number 0: the mapping question's */
}

void probe_destroy(struct probe *p)
{
	free(p);
}

int probe_socket(struct probe *p, uint16_t port)
{
	struct probe_socket *s;

	if (p->socket_count >= PROBE_SOCKETS)
		return -ENOSPC;
	s = &p->sockets[p->socket_count];
	s->state = SOCKET_WANTED;
	s->port = port;
	return (int)p->socket_count++;
}

struct observation *probe_observation(struct probe *p, size_t place)
{
	return place < p->journal->observation_count ? &p->journal->observations[place] : NULL;
}

bool probe_answered(struct probe *p, size_t place)
{
	struct observation *o = probe_observation(p, place);

	return o && o->state == OBSERVATION_ANSWERED;
}

bool probe_silent(struct probe *p, size_t place)
{
	struct observation *o = probe_observation(p, place);

	return o && o->state == OBSERVATION_SILENT;
}

struct endpoint probe_target(const struct probe_server *s, int target)
{
	struct endpoint e = target == TARGET_PORT ? s->endpoint : s->other;

	e.port = target == TARGET_ADDRESS ? s->endpoint.port : s->other.port;
	return e;
}

struct transaction *probe_transaction(struct probe *p, const struct observation *o)
{
	for (size_t i = 0; i < p->transaction_count; i++)
		if (p->transactions[i].o == o)
			return &p->transactions[i];
	return NULL;
}

void probe_new_id(struct probe *p, struct stun_id *id)
{
	random_bytes(p->random, id->bytes, sizeof(id->bytes));
	id->bytes[0] = STUN_COOKIE >> 24;
	id->bytes[1] = STUN_COOKIE >> 16 & 0xff;
	id->bytes[2] = STUN_COOKIE >> 8 & 0xff;
	id->bytes[3] = STUN_COOKIE & 0xff;
}

struct transaction *probe_ask(struct probe *p, uint64_t now_us, struct probe_server *server,
	enum question question, unsigned socket, const struct endpoint *to,
	const struct endpoint *expect)
{
	struct observation *o;
	struct transaction *t;

	if (p->transaction_count >= sizeof(p->transactions) / sizeof(*p->transactions))
		return NULL;
	o = journal_add_observation(p->journal);
	if (!o)
		return NULL;
	t = &p->transactions[p->transaction_count++];
	memset(t, 0, sizeof(*t));
	probe_new_id(p, &t->id);
	t->o = o;
	t->server = server;
	t->wake_us = probe_pace(server, now_us);
	t->sends_max = !server->srtt_us ? BINDING_SENDS : server->ours ? OWN_SENDS : FOREIGN_SENDS;
	if (question >= QUESTION_FILTERING_BOTH && question <= QUESTION_FILTERING_PORT)
		t->sends_max = FILTERING_SENDS;
	t->fill = server->ours ? PROBE_FILL(p->config.family) : 0;
	o->question = question;
	o->family = p->config.family;
	o->server = server->place;
	o->socket = socket;
	o->to = *to;
	o->expect = *expect;
	return t;
}

void probe_add_server(struct probe *p, uint64_t now_us, size_t place)
{
	struct probe_server *s;
	struct transaction *t;

	if (p->server_count >= JOURNAL_SERVERS || place >= p->journal->server_count)
		return;
	s = &p->servers[p->server_count++];
	memset(s, 0, sizeof(*s));
	s->place = place;
	s->endpoint = p->journal->servers[place].endpoint;
	s->binding = JOURNAL_NONE;
	for (int i = 0; i < TARGETS; i++)
		s->mapping[i] = s->filtering[i] = s->control[i] = s->early_base[i] =
			s->early_check[i] = JOURNAL_NONE;
	t = probe_ask(p, now_us, s, QUESTION_BINDING, 0, &s->endpoint, &s->endpoint);
	if (!t)
		return;
	s->binding = journal_place(p->journal, t->o);
	t->wants = STUN_WANT_OBSERVED;
	t->fill = PROBE_FILL(p->config.family);
}

void probe_servers_complete(struct probe *p)
{
	p->servers_complete = true;
}

/* --- requests --- */

static size_t encode(const struct transaction *t, uint8_t *buffer, size_t size)
{
	struct stun_writer s = stun_begin(buffer, size, STUN_REQUEST, STUN_BINDING, &t->id);
	int length;

	if (t->change)
		stun_add_u32(&s, STUN_CHANGE_REQUEST, t->change);
	if (t->response_port) /* the short form is the one that all servers take */
		stun_add_response_port(&s, t->response_port, true);
	if (t->wants) {
		struct stun_probe probe = {1, t->wants, t->copies};

		stun_add_probe(&s, &probe);
	}
	stun_add_fill(&s, t->fill);
	length = stun_end(&s);
	return length > 0 ? (size_t)length : 0;
}

static bool is_filtering(const struct observation *o)
{
	return o->question >= QUESTION_FILTERING_BOTH && o->question <= QUESTION_FILTERING_PORT;
}

static void settle(
	struct probe *p, uint64_t now_us, struct transaction *t, enum observation_state state)
{
	journal_settle(p->journal, now_us, t->o, state);
}

/*
 * Whether nothing more is to be expected. A filtering question is over when enough answers are
 * missing: with receipts they are counted, without each request stands for one.
 */
static bool is_silent(const struct probe *p, uint64_t now_us, const struct transaction *t)
{
	const struct observation *o = t->o;

	if (!o->sent || t->attempts < t->repeat)
		return false;
	if (t->attempts >= t->sends_max && now_us >= o->last_sent_us + probe_patience_us(t->server))
		return true;
	return is_filtering(o) &&
		silence_sufficient(p->journal, o->server, o->awaited, o->receipts) &&
		(o->receipts || now_us >= o->last_sent_us + probe_patience_us(t->server));
}

static void plan_next(uint64_t now_us, struct transaction *t)
{
	bool last = t->attempts >= t->sends_max;
	uint64_t verdict_us = now_us + probe_patience_us(t->server);

	t->resend_us = !last ? now_us + probe_interval(t) : UINT64_MAX;
	t->wake_us = t->resend_us;
	if (verdict_us < t->wake_us && (last || is_filtering(t->o)))
		t->wake_us = verdict_us;
}

/* A transaction's time has come: fills out and returns true when a request has to leave. */
static bool wake(struct probe *p, uint64_t now_us, struct transaction *t, struct probe_output *out)
{
	struct observation *o = t->o;

	if (is_silent(p, now_us, t)) {
		settle(p, now_us, t, OBSERVATION_SILENT);
		return false;
	}
	if (!o->sent && t->attempts >= t->sends_max) {
		settle(p, now_us, t, OBSERVATION_REFUSED);
		return false;
	}
	if (now_us < t->resend_us) {
		t->wake_us = t->resend_us;
		return false;
	}
	out->length = encode(t, out->data, sizeof(out->data));
	out->action = PROBE_SEND;
	out->socket = o->socket;
	out->to = o->to;
	o->local = p->sockets[o->socket].local;
	if (!o->sent)
		o->first_sent_us = now_us;
	o->last_sent_us = now_us;
	o->sent++;
	t->attempts++;
	if (!t->copies) /* else the receipts count them */
		o->awaited++;
	plan_next(now_us, t);
	journal_event(p->journal, now_us, EVENT_SENT, o, &o->local, &o->to, out->length);
	return true;
}

/* --- what can be asked next, and when it is over --- */

static bool battery_done(struct probe *p, const struct probe_server *s)
{
	for (size_t i = 0; i < p->transaction_count; i++)
		if (p->transactions[i].server == s &&
			p->transactions[i].o->state == OBSERVATION_OPEN)
			return false;
	return true;
}

/* It has answered from a changed endpoint. */
static bool is_proved(struct probe *p, const struct probe_server *s)
{
	bool proved = !(p->config.tests & PROBE_FILTERING);

	for (int i = 0; i < TARGETS; i++)
		proved |= probe_answered(p, s->control[i]) || probe_answered(p, s->filtering[i]);
	return proved;
}

/* A server on a private address may stand on this side of the NAT: others are waited for. */
static bool all_private(const struct probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (!endpoint_is_private(&p->servers[i].endpoint))
			return false;
	return true;
}

/* What the server has answered first; NULL: it has not. */
static const struct answer *first_answer(struct probe *p, const struct probe_server *s)
{
	const struct observation *o = probe_observation(p, s->binding);

	return o && probe_answered(p, s->binding) ? &o->answer : NULL;
}

/* How many servers have said that of the external endpoint. */
static size_t believers(struct probe *p, const struct endpoint *mapped)
{
	size_t count = 0;

	for (size_t i = 0; i < p->server_count; i++) {
		const struct answer *a = first_answer(p, &p->servers[i]);

		count += a && endpoint_equal(&a->mapped, mapped);
	}
	return count;
}

/* It contradicts itself, or more servers say something else: it may be one that is not believed in the end. */
static bool is_doubted(struct probe *p, const struct probe_server *s)
{
	const struct answer *said = first_answer(p, s);

	if (!said ||
		(said->mapped_plain.family != FAMILY_NONE &&
			!endpoint_equal(&said->mapped_plain, &said->mapped)))
		return true;
	for (size_t i = 0; i < p->server_count; i++) {
		const struct answer *a = first_answer(p, &p->servers[i]);

		if (a && believers(p, &a->mapped) > believers(p, &said->mapped))
			return true;
	}
	return false;
}

/* One server has told everything that can be learnt from it. */
static bool have_enough(struct probe *p)
{
	for (size_t i = 0; i < p->server_count; i++) {
		const struct probe_server *s = &p->servers[i];

		if (s->capable && s->questions_put && battery_done(p, s) && is_proved(p, s) &&
			!is_doubted(p, s) && (!endpoint_is_private(&s->endpoint) || all_private(p)))
			return true;
	}
	return false;
}

bool probe_any_answered(const struct probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].answered)
			return true;
	return false;
}

/* Until when servers that have not finished are waited for. */
static uint64_t wait_limit(struct probe *p, uint64_t now_us)
{
	uint64_t limit = p->start_us + p->config.limit_us;
	uint64_t patience;

	if (!p->enough_us && have_enough(p))
		p->enough_us = now_us;
	if (!p->enough_us || p->hairpin_put)
		return limit;
	patience = p->start_us + SILENT_SERVER_US;
	if (patience < p->enough_us + 100 * MS)
		patience = p->enough_us + 100 * MS;
	return patience < limit ? patience : limit;
}

/* Stops waiting for servers that never answered, once others have. */
static void give_up_silent(struct probe *p, uint64_t now_us)
{
	if (!probe_any_answered(p) || now_us < p->start_us + SILENT_CANDIDATE_US)
		return;
	for (size_t i = 0; i < p->transaction_count; i++) {
		struct transaction *t = &p->transactions[i];

		if (t->o->question == QUESTION_BINDING && t->o->state == OBSERVATION_OPEN &&
			t->o->sent >= 3)
			settle(p, now_us, t, OBSERVATION_SILENT);
	}
}

/* A question of this prober's that is not settled. */
static bool is_open(const struct probe *p, const struct observation *o)
{
	return o->state == OBSERVATION_OPEN && o->family == p->config.family &&
		o->transport == TRANSPORT_UDP;
}

static bool all_settled(const struct probe *p)
{
	for (size_t i = 0; i < p->journal->observation_count; i++)
		if (is_open(p, &p->journal->observations[i]))
			return false;
	return true;
}

static void abandon_open(struct probe *p, uint64_t now_us)
{
	for (size_t i = 0; i < p->journal->observation_count; i++) {
		struct observation *o = &p->journal->observations[i];

		if (is_open(p, o))
			journal_settle(p->journal, now_us, o, OBSERVATION_ABANDONED);
	}
}

void probe_finish(struct probe *p, uint64_t now_us)
{
	abandon_open(p, now_us);
	p->done = true;
}

static void advance(struct probe *p, uint64_t now_us)
{
	if (p->done) /* an answer that is very late opens no new questions */
		return;
	for (size_t i = 0; i < p->server_count; i++) {
		struct probe_server *s = &p->servers[i];

		if (!s->answered)
			continue;
		/* filtering first: where it has to be proved by silence it takes longest */
		filtering_advance(p, now_us, s);
		mapping_advance(p, now_us, s);
		early_advance(p, now_us, s);
		ports_advance(p, now_us, s);
		s->questions_put = true;
	}
	blocked_advance(p, now_us);
	trace_advance(p, now_us);
	give_up_silent(p, now_us);
	if (now_us >= p->start_us + p->config.limit_us) {
		probe_finish(p, now_us);
		return;
	}
	if (now_us >= wait_limit(p, now_us))
		abandon_open(p, now_us);
	else if (!p->servers_complete)
		return;
	/* hairpinning last: it is the question that may disturb others */
	if (all_settled(p) && !hairpin_advance(p, now_us))
		p->done = true;
}

static bool poll_socket(struct probe *p, struct probe_output *out)
{
	for (unsigned i = 0; i < p->socket_count; i++) {
		if (p->sockets[i].state != SOCKET_WANTED)
			continue;
		p->sockets[i].state = SOCKET_OPENING;
		out->action = PROBE_OPEN;
		out->socket = i;
		out->port = p->sockets[i].port;
		return true;
	}
	return false;
}

static bool poll_transaction(struct probe *p, uint64_t now_us, struct probe_output *out)
{
	for (size_t i = 0; i < p->transaction_count; i++) {
		struct transaction *t = &p->transactions[i];
		enum socket_state state;

		if (t->o->state != OBSERVATION_OPEN)
			continue;
		state = p->sockets[t->o->socket].state;
		if (state == SOCKET_FAILED) {
			settle(p, now_us, t, OBSERVATION_REFUSED);
			continue;
		}
		if (state != SOCKET_READY || t->wake_us > now_us) {
			if (t->wake_us < out->deadline_us)
				out->deadline_us = t->wake_us;
			continue;
		}
		if (wake(p, now_us, t, out))
			return true;
		if (t->o->state == OBSERVATION_OPEN && t->wake_us < out->deadline_us)
			out->deadline_us = t->wake_us;
	}
	return false;
}

static bool poll_connect(struct probe *p, struct probe_output *out)
{
	for (size_t i = 0; i < p->journal->observation_count; i++) {
		struct observation *o = &p->journal->observations[i];

		if (o->question != QUESTION_TCP_CONTROL || o->family != p->config.family ||
			o->sent || o->state != OBSERVATION_OPEN)
			continue;
		o->sent = o->awaited = 1;
		out->action = PROBE_CONNECT;
		out->to = o->to;
		out->observation = i;
		return true;
	}
	return false;
}

enum probe_action probe_poll(struct probe *p, uint64_t now_us, struct probe_output *out)
{
	uint64_t limit;
	size_t before;

	memset(out, 0, offsetof(struct probe_output, data));
	out->length = 0;
	do { /* settling one question can allow the next one to be put */
		before = p->transaction_count;
		advance(p, now_us);
		limit = p->done ? 0 : wait_limit(p, now_us);
		out->deadline_us = limit;
		if (p->done)
			return out->action = PROBE_DONE;
		if (poll_socket(p, out) || poll_transaction(p, now_us, out) ||
			poll_connect(p, out) || trace_poll(p, now_us, out))
			return out->action;
		advance(p, now_us);
	} while (p->done || before != p->transaction_count);
	if (out->deadline_us <= now_us) /* time always goes on */
		out->deadline_us = now_us + 1;
	if (out->deadline_us > now_us + 100 * MS) /* rules that look at the clock */
		out->deadline_us = now_us + 100 * MS;
	return out->action = PROBE_WAIT;
}

void probe_opened(
	struct probe *p, uint64_t now_us, unsigned socket, int error, const struct endpoint *local)
{
	struct probe_socket *s;

	if (socket >= p->socket_count)
		return;
	s = &p->sockets[socket];
	if (error && s->port) { /* the wanted port is taken: any other will do */
		s->port = 0;
		s->state = SOCKET_WANTED;
		return;
	}
	s->state = error ? SOCKET_FAILED : SOCKET_READY;
	if (error)
		journal_note(p->journal, now_us, NULL, "socket: %s", strerror(-error));
	else
		s->local = *local;
}

/* --- answers --- */

static struct transaction *find(
	struct probe *p, unsigned socket, const struct stun_id *id, const struct endpoint *asked)
{
	for (size_t i = 0; i < p->transaction_count; i++) {
		struct transaction *t = &p->transactions[i];

		if (t->o->socket != socket)
			continue;
		if (id ? stun_id_equal(&t->id, id) : endpoint_equal(&t->o->to, asked))
			return t;
	}
	return NULL;
}

static void learn_server(struct probe *p, uint64_t now_us, struct transaction *t)
{
	struct probe_server *s = t->server;
	const struct answer *a = &t->o->answer;

	s->answered = true;
	s->ours = a->has_observed && a->observed.version == 1;
	s->capable = observation_other_usable(t->o);
	if (s->capable)
		s->other = a->other;
	journal_note(p->journal, now_us, t->o, "%s%s", s->ours ? "natprobed, " : "",
		s->capable ? "offers a second address" : "plain STUN");
}

/* What a server says of our endpoint can be one at all. */
static bool mapped_usable(const struct observation *o)
{
	const struct endpoint *e = &o->answer.mapped;

	return e->family == o->family && endpoint_is_unicast(e) &&
		endpoint_is_loopback(e) == endpoint_is_loopback(&o->local);
}

/* The socket of a filtering question has meanwhile sent there itself (early.c): what comes then proves nothing. */
static bool was_opened(const struct probe *p, const struct observation *filtering)
{
	for (size_t i = 0; i < p->transaction_count; i++) {
		const struct observation *o = p->transactions[i].o;

		if (o->question == QUESTION_EARLY_CHECK && o->socket == filtering->socket &&
			o->sent)
			return true;
	}
	return false;
}

static void take_answer(struct probe *p, uint64_t now_us, struct transaction *t,
	const struct endpoint *from, uint8_t ttl, const struct stun_message *m)
{
	struct observation *o = t->o;

	if (!o->answers)
		probe_fill_answer(&o->answer, now_us, from, ttl, m);
	if (!mapped_usable(o)) {
		o->malformed++;
		return;
	}
	if (o->answers++)
		return;
	for (size_t i = 0; i < m->icmp_count; i++)
		o->reported[o->reported_count++] = m->icmp[i];
	if (o->state != OBSERVATION_OPEN && o->state != OBSERVATION_SILENT)
		return;
	if (is_filtering(o) && was_opened(p, o))
		return;
	if (!is_filtering(o))
		probe_rtt(t->server, o, now_us);
	settle(p, now_us, t, OBSERVATION_ANSWERED);
	if (o->question == QUESTION_BINDING)
		learn_server(p, now_us, t);
}

/* The asked endpoint answers itself although a changed one was requested. */
static void take_unchanged(
	struct probe *p, uint64_t now_us, struct transaction *t, const struct stun_message *m)
{
	struct observation *o = t->o;

	if (!m->has_receipt || !endpoint_equal(&m->receipt.from, &o->expect)) {
		if (o->state == OBSERVATION_OPEN)
			settle(p, now_us, t, OBSERVATION_CHANGE_IGNORED);
		return;
	}
	/* one receipt for each request: all copies may have been lost together */
	if (o->receipts < o->sent && m->receipt.copies) {
		o->receipts++;
		o->awaited++;
	}
	o->receipt_mapped = m->xor_mapped;
	/* the copies left together with the receipt: their way may be a little longer */
	if (t->attempts < t->repeat)
		return;
	t->wake_us = now_us + probe_patience_us(t->server) - t->server->srtt_us;
	if (t->resend_us > t->wake_us)
		t->resend_us = t->wake_us;
}

static void take_response(struct probe *p, uint64_t now_us, struct transaction *t,
	const struct endpoint *from, uint8_t ttl, const struct stun_message *m)
{
	struct observation *o = t->o;

	if (m->class == STUN_ERROR && endpoint_equal(from, &o->to)) {
		o->error_code = m->error_code;
		if (o->state == OBSERVATION_OPEN)
			settle(p, now_us, t, OBSERVATION_ERROR);
	} else if (m->class == STUN_SUCCESS && endpoint_equal(from, &o->expect)) {
		take_answer(p, now_us, t, from, ttl, m);
	} else if (m->class == STUN_SUCCESS && endpoint_equal(from, &o->to)) {
		take_unchanged(p, now_us, t, m);
	} else {
		o->wrong_source++;
		o->wrong_from = *from;
	}
}

void probe_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	uint8_t ttl, const void *data, size_t length)
{
	struct stun_message m;
	struct transaction *t;
	bool valid = !stun_decode(data, length, &m);

	if (socket >= p->socket_count ||
		trace_input(p, now_us, socket, from, valid ? &m : NULL, length))
		return;
	t = find(p, socket, valid ? &m.id : NULL, from);
	if (!t && valid && (m.class == STUN_SUCCESS || m.class == STUN_ERROR)) {
		valid = false; /* an answer to nothing: garbage from one that was asked, or a stranger */
		t = find(p, socket, NULL, from);
	}
	journal_event(p->journal, now_us, EVENT_RECEIVED, t ? t->o : NULL, from,
		&p->sockets[socket].local, length);
	if (valid && m.class == STUN_REQUEST)
		hairpin_input(p, now_us, socket, from, &m);
	else if (!t)
		p->journal->strangers++;
	else if (!valid)
		t->o->malformed++;
	else if (m.class == STUN_SUCCESS || m.class == STUN_ERROR)
		take_response(p, now_us, t, from, ttl, &m);
}

/* --- errors --- */

static struct transaction *find_quoted(struct probe *p, unsigned socket, const struct endpoint *to,
	const void *quoted, size_t length)
{
	struct reader r = reader_over(quoted, length);
	struct stun_id id;

	reader_skip(&r, 4);
	reader_copy(&r, id.bytes, sizeof(id.bytes));
	/* RFC 792 quotes only eight bytes: then the endpoint has to do */
	return r.failed ? find(p, socket, NULL, to) : find(p, socket, &id, NULL);
}

void probe_unsent(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	int error, const void *data, size_t length)
{
	struct transaction *t = find_quoted(p, socket, to, data, length);
	struct icmp_seen seen = {.count = 1, .t_us = now_us, .local = true, .error = -error};

	if (trace_unsent(p, now_us, socket, error, data, length) || !t || !t->o->sent)
		return;
	t->o->sent--;
	if (!t->copies)
		t->o->awaited--;
	/* a full queue is as good as a loss; anything else is worth knowing */
	if (error != -EAGAIN && error != -ENOBUFS)
		probe_error(p, now_us, socket, to, &seen, data, length);
}

void probe_error(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length)
{
	struct transaction *t = find_quoted(p, socket, to, quoted, length);
	unsigned count = t ? t->o->icmp.count + 1 : 0;

	if (trace_error(p, now_us, socket, to, error, quoted, length))
		return;
	/* first, since who is told of the event looks here */
	if (t) {
		t->o->icmp = *error;
		t->o->icmp.count = count;
	}
	journal_event(
		p->journal, now_us, EVENT_ICMP, t ? t->o : NULL, &error->offender, to, length);
	if (!t)
		return;
	/* a closed port that is said to be closed: UDP reaches the host and comes back */
	if (t->o->question == QUESTION_UDP_CONTROL && t->o->state == OBSERVATION_OPEN &&
		endpoint_same_address(&error->offender, &t->o->to))
		settle(p, now_us, t, OBSERVATION_ANSWERED);
	if (t->o->question != QUESTION_BINDING || t->o->state != OBSERVATION_OPEN)
		return;
	/* evidence, not proof: ask again soon, and believe it when it comes each time */
	if (count >= REFUSED_SENDS)
		settle(p, now_us, t, OBSERVATION_REFUSED);
	else if (t->wake_us > now_us + REFUSED_GAP_US)
		t->wake_us = t->resend_us = now_us + REFUSED_GAP_US;
}

void probe_connected(struct probe *p, uint64_t now_us, size_t observation, int error)
{
	struct observation *o = probe_observation(p, observation);

	if (!o || o->question != QUESTION_TCP_CONTROL || o->state != OBSERVATION_OPEN)
		return;
	if (!error || error == -ECONNREFUSED)
		journal_settle(p->journal, now_us, o, OBSERVATION_ANSWERED);
	else
		journal_settle(p->journal, now_us, o,
			error == -ETIMEDOUT ? OBSERVATION_SILENT : OBSERVATION_REFUSED);
}
