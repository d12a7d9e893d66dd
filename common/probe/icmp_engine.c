// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal/silence.h"
#include "probe/answer.h"
#include "probe/icmp_private.h"

#define MS	       1000u
#define FIRST_RTO_US   (250 * MS) /* when nothing is known of the path */
#define REFUSED_SENDS  3
#define REFUSED_GAP_US (150 * MS)
#define BINDINGS_MAX   6
#define POLL_US	       (100 * MS) /* rules that look at the clock */

int icmp_probe_create(const struct icmp_probe_config *config, struct journal *journal,
	struct random *random, uint64_t now_us, struct icmp_probe **out)
{
	struct icmp_probe *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->journal = journal;
	p->random = random;
	p->start_us = now_us;
	for (int i = 0; i < ICMP_TOKENS; i++)
		random_bytes(random, p->tokens[i].bytes, ICMP_TOKEN_BYTES);
	for (int i = 0; i < ICMP_EGRESSES; i++)
		p->egress[i].observation = JOURNAL_NONE;
	for (int i = 0; i < ICMP_IDENTIFIERS; i++)
		for (int t = 0; t < ICMP_TARGETS; t++)
			p->echos[i].to[t].observation = JOURNAL_NONE;
	return 0;
}

void icmp_probe_destroy(struct icmp_probe *p)
{
	free(p);
}

/* --- observations --- */

struct observation *icmp_probe_observation(const struct icmp_probe *p, size_t place)
{
	return place < p->journal->observation_count ? &p->journal->observations[place] : NULL;
}

bool icmp_probe_is_open(const struct icmp_probe *p, size_t place)
{
	const struct observation *o = icmp_probe_observation(p, place);

	return o && o->state == OBSERVATION_OPEN;
}

void icmp_probe_settle(
	struct icmp_probe *p, uint64_t now_us, size_t place, enum observation_state state)
{
	if (icmp_probe_is_open(p, place))
		journal_settle(p->journal, now_us, icmp_probe_observation(p, place), state);
}

void icmp_probe_refuse(struct icmp_probe *p, uint64_t now_us, size_t place, int error)
{
	struct observation *o = icmp_probe_observation(p, place);

	if (!o || o->state != OBSERVATION_OPEN)
		return;
	o->icmp = (struct icmp_seen){.count = 1, .t_us = now_us, .local = true, .error = error};
	journal_settle(p->journal, now_us, o, OBSERVATION_REFUSED);
}

static size_t ask_server(struct icmp_probe *p, const struct icmp_server *server,
	enum question question, unsigned socket, const struct endpoint *to)
{
	struct observation *o = journal_add_observation(p->journal);

	if (!o)
		return JOURNAL_NONE;
	o->question = question;
	o->family = p->config.family;
	o->transport = TRANSPORT_ICMP;
	o->server = server->place;
	o->socket = socket;
	o->to = o->expect = *to;
	if (socket < p->socket_count)
		o->local = p->sockets[socket].local;
	return journal_place(p->journal, o);
}

size_t icmp_probe_ask(
	struct icmp_probe *p, enum question question, unsigned socket, const struct endpoint *to)
{
	return p->chosen ? ask_server(p, p->chosen, question, socket, to) : JOURNAL_NONE;
}

bool icmp_probe_is_silent(const struct icmp_probe *p, unsigned awaited)
{
	return silence_sufficient(p->journal, p->chosen->place, awaited, true);
}

void icmp_probe_note_sent(struct icmp_probe *p, uint64_t now_us, size_t place, size_t bytes)
{
	struct observation *o = icmp_probe_observation(p, place);

	if (!o)
		return;
	if (!o->sent++)
		o->first_sent_us = now_us;
	o->last_sent_us = now_us;
	journal_event(p->journal, now_us, EVENT_SENT, o, &o->local, &o->to, bytes);
}

/* --- time --- */

void icmp_probe_wake(uint64_t *deadline_us, uint64_t now_us, uint64_t at_us)
{
	if (at_us > now_us && at_us < *deadline_us)
		*deadline_us = at_us;
}

uint64_t icmp_probe_interval_us(const struct icmp_server *s)
{
	uint64_t rtt_us = s->slow_us > s->rtt_us ? s->slow_us : s->rtt_us;

	return rtt_us ? rtt_us * 5 / 4 + 20 * MS : FIRST_RTO_US;
}

uint64_t icmp_probe_margin_us(const struct icmp_server *s)
{
	uint64_t margin_us = s->rtt_us / 2;

	if (margin_us < 50 * MS)
		return 50 * MS;
	return margin_us < 400 * MS ? margin_us : 400 * MS;
}

static void note_rtt(struct icmp_server *s, uint64_t rtt_us)
{
	if (!s->rtt_us || rtt_us < s->rtt_us)
		s->rtt_us = rtt_us ? rtt_us : 1;
}

/* --- sockets --- */

unsigned icmp_probe_socket(struct icmp_probe *p, enum icmp_socket_kind kind, enum icmp_owner owner,
	unsigned index, uint16_t port, const struct endpoint *to)
{
	if (p->socket_count >= ICMP_SOCKETS)
		return ICMP_SOCKETS;
	p->sockets[p->socket_count] = (struct icmp_socket){
		.kind = kind, .owner = owner, .index = index, .port = port, .to = *to};
	return p->socket_count++;
}

bool icmp_probe_is_ready(const struct icmp_probe *p, unsigned socket)
{
	return socket < p->socket_count && p->sockets[socket].state == ICMP_SOCKET_READY;
}

void icmp_probe_end(struct icmp_probe *p, unsigned socket)
{
	struct icmp_socket *s;

	if (socket >= p->socket_count)
		return;
	s = &p->sockets[socket];
	if (s->state == ICMP_SOCKET_WANTED)
		s->state = ICMP_SOCKET_ENDED;
	else if (s->state < ICMP_SOCKET_ENDING)
		s->state = ICMP_SOCKET_ENDING;
}

static bool poll_sockets(struct icmp_probe *p, struct icmp_output *out)
{
	for (unsigned i = 0; i < p->socket_count; i++) {
		struct icmp_socket *s = &p->sockets[i];

		if (s->state != ICMP_SOCKET_WANTED && s->state != ICMP_SOCKET_ENDING)
			continue;
		out->action = s->state == ICMP_SOCKET_WANTED ? ICMP_OPEN : ICMP_CLOSE;
		s->state = s->state == ICMP_SOCKET_WANTED ? ICMP_SOCKET_OPENING : ICMP_SOCKET_ENDED;
		out->socket = i;
		out->kind = s->kind;
		out->port = s->port;
		out->to = s->to;
		return true;
	}
	return false;
}

/* Its owner has to do without it. */
static void fail_socket(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	struct icmp_socket *s = &p->sockets[socket];

	s->error = error;
	icmp_probe_end(p, socket);
	icmp_probe_forget_requests(p, now_us, socket);
	if (s->owner == ICMP_OF_ERRAND)
		icmp_probe_errand_broken(p, now_us, s->index, error);
	else if (s->owner == ICMP_OF_ATTEMPT)
		icmp_probe_attempt_ended(p, now_us, s->index, error);
	else if (s->owner == ICMP_OF_SERVER)
		icmp_probe_refuse(p, now_us, p->servers[s->index].binding, -error);
}

/* A full queue is as good as a loss; anything else is believed when it comes each time. */
static void binding_unsent(struct icmp_probe *p, uint64_t now_us, struct icmp_server *s, int error)
{
	struct observation *o = icmp_probe_observation(p, s->binding);

	if (!o || o->state != OBSERVATION_OPEN || !o->sent)
		return;
	o->awaited = --o->sent;
	if (error == -EAGAIN || error == -ENOBUFS)
		return;
	o->icmp = (struct icmp_seen){
		.count = o->icmp.count + 1, .t_us = now_us, .local = true, .error = -error};
	if (s->resend_us > now_us + REFUSED_GAP_US)
		s->resend_us = now_us + REFUSED_GAP_US;
	if (o->icmp.count >= REFUSED_SENDS)
		s->tries = BINDINGS_MAX;
}

void icmp_probe_opened(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	struct icmp_socket *s;

	if (socket >= p->socket_count || p->sockets[socket].state != ICMP_SOCKET_OPENING)
		return;
	s = &p->sockets[socket];
	s->local = *local;
	if (error)
		fail_socket(p, now_us, socket, error);
	else if (s->kind != ICMP_SOCKET_TCP)
		s->state = ICMP_SOCKET_READY;
}

void icmp_probe_connected(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	struct icmp_socket *s;

	if (socket >= p->socket_count || p->sockets[socket].state != ICMP_SOCKET_OPENING)
		return;
	s = &p->sockets[socket];
	if (error)
		fail_socket(p, now_us, socket, error);
	else
		s->state = ICMP_SOCKET_READY;
	if (!error && s->owner == ICMP_OF_ATTEMPT)
		icmp_probe_attempt_ended(p, now_us, s->index, 0);
}

void icmp_probe_closed(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	if (icmp_probe_is_ready(p, socket) && p->sockets[socket].kind == ICMP_SOCKET_TCP)
		fail_socket(p, now_us, socket, error ? error : -ECONNRESET);
}

/* Of datagrams one that is not sent is like one that gets lost, and repeated; the first question says why. */
void icmp_probe_unsent(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	if (!icmp_probe_is_ready(p, socket))
		return;
	if (p->sockets[socket].kind == ICMP_SOCKET_TCP)
		fail_socket(p, now_us, socket, error);
	else if (p->sockets[socket].owner == ICMP_OF_SERVER)
		binding_unsent(p, now_us, &p->servers[p->sockets[socket].index], error);
}

/* --- servers --- */

void icmp_probe_new_id(struct icmp_probe *p, struct stun_id *id)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

	memcpy(id->bytes, cookie, sizeof(cookie));
	random_bytes(p->random, id->bytes + sizeof(cookie), sizeof(id->bytes) - sizeof(cookie));
}

void icmp_probe_add_server(struct icmp_probe *p, uint64_t now_us, size_t place)
{
	struct icmp_server *s;

	if (p->server_count >= ICMP_SERVERS || place >= p->journal->server_count)
		return;
	s = &p->servers[p->server_count];
	*s = (struct icmp_server){.place = place,
		.endpoint = p->journal->servers[place].endpoint,
		.resend_us = now_us};
	s->socket = icmp_probe_socket(
		p, ICMP_SOCKET_UDP, ICMP_OF_SERVER, (unsigned)p->server_count, 0, &s->endpoint);
	s->binding = ask_server(p, s, QUESTION_BINDING, s->socket, &s->endpoint);
	s->service = ask_server(p, s, QUESTION_ICMP_SERVICE, s->socket, &s->endpoint);
	icmp_probe_new_id(p, &s->id);
	p->server_count++;
}

static void write_binding(const struct icmp_server *s, enum family family, struct icmp_output *out)
{
	static const struct stun_probe probe = {.version = 1, .wants = STUN_WANT_OBSERVED};
	struct stun_writer w =
		stun_begin(out->data, sizeof(out->data), STUN_REQUEST, STUN_BINDING, &s->id);
	int length;

	stun_add_probe(&w, &probe);
	/* as long as natprobed's answer, which is never longer */
	stun_add_fill(&w, family == FAMILY_IPV4 ? 112 : 160);
	length = stun_end(&w);
	out->length = length > 0 ? (size_t)length : 0;
}

static bool poll_binding(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us)
{
	for (size_t i = 0; i < p->server_count; i++) {
		struct icmp_server *s = &p->servers[i];
		struct observation *o = icmp_probe_observation(p, s->binding);

		if (!icmp_probe_is_open(p, s->binding) || !icmp_probe_is_ready(p, s->socket))
			continue;
		if (now_us < s->resend_us) {
			icmp_probe_wake(deadline_us, now_us, s->resend_us);
			continue;
		}
		if (s->tries >= BINDINGS_MAX) {
			icmp_probe_settle(p, now_us, s->binding,
				o->icmp.local ? OBSERVATION_REFUSED : OBSERVATION_SILENT);
			icmp_probe_settle(p, now_us, s->service, OBSERVATION_SILENT);
			continue;
		}
		o->local = p->sockets[s->socket].local;
		write_binding(s, p->config.family, out);
		out->action = ICMP_SEND;
		out->kind = ICMP_SOCKET_UDP;
		out->socket = s->socket;
		out->to = s->endpoint;
		icmp_probe_note_sent(p, now_us, s->binding, out->length);
		o->awaited = o->sent;
		s->tries++;
		s->resend_us = now_us + icmp_probe_interval_us(s);
		return true;
	}
	return false;
}

/* What a server says of our endpoint can be one at all. */
static bool mapped_usable(const struct observation *o, const struct endpoint *mapped)
{
	return mapped->family == o->family && endpoint_is_unicast(mapped) &&
		endpoint_is_loopback(mapped) == endpoint_is_loopback(&o->local);
}

static void take_binding(struct icmp_probe *p, uint64_t now_us, struct icmp_server *s,
	const struct endpoint *from, const struct stun_message *m)
{
	struct observation *o = icmp_probe_observation(p, s->binding);
	struct answer answer;

	if (!o || !stun_id_equal(&s->id, &m->id))
		return;
	if (!endpoint_equal(from, &s->endpoint)) {
		o->wrong_source++;
		o->wrong_from = *from;
		return;
	}
	if (m->class == STUN_ERROR && o->state == OBSERVATION_OPEN) {
		o->error_code = m->error_code;
		icmp_probe_settle(p, now_us, s->binding, OBSERVATION_ERROR);
		icmp_probe_settle(p, now_us, s->service, OBSERVATION_SILENT);
	}
	if (m->class != STUN_SUCCESS)
		return;
	probe_fill_answer(&answer, now_us, from, 0, m);
	if (!mapped_usable(o, &answer.mapped)) {
		o->malformed++;
		return;
	}
	if (!o->answers++)
		o->answer = answer;
	if (o->state != OBSERVATION_OPEN)
		return;
	if (o->sent == 1)
		note_rtt(s, now_us - o->first_sent_us);
	icmp_probe_settle(p, now_us, s->binding, OBSERVATION_ANSWERED);
	s->answered = true;
	s->capable = observation_other_usable(o);
	s->other = o->answer.other;
}

/* The first request about ICMP goes out beside the first Binding request, and makes a token known. */
static void ask_services(struct icmp_probe *p, uint64_t now_us)
{
	for (size_t i = 0; i < p->server_count; i++) {
		struct icmp_server *s = &p->servers[i];
		struct icmp_request *r;

		if (s->asked || !icmp_probe_is_ready(p, s->socket))
			continue;
		s->asked = true;
		r = icmp_probe_request(
			p, now_us, ICMP_FOR_SERVICE, (unsigned)i, s->socket, ICMP_ASK_SEEN);
		if (r)
			memcpy(r->message.token, p->tokens[ICMP_TARGET_OWN].bytes,
				ICMP_TOKEN_BYTES);
	}
}

/* Of those that serve ICMP the first one; of others one that answers at all, when it is known that no one serves it. */
static void choose(struct icmp_probe *p, uint64_t now_us)
{
	bool settled = true;

	for (size_t i = 0; i < p->server_count; i++) {
		struct icmp_server *s = &p->servers[i];

		if (s->answered && s->offers == ICMP_SERVICE_YES) {
			p->chosen = s;
			p->tokens[ICMP_TARGET_OWN].known = true;
			journal_note(p->journal, now_us, icmp_probe_observation(p, s->service),
				"offers a second address: %s; serves ICMP",
				s->capable ? "yes" : "no");
			return;
		}
		settled &= !icmp_probe_is_open(p, s->binding) && !icmp_probe_is_open(p, s->service);
	}
	for (size_t i = 0; settled && !p->chosen && i < p->server_count; i++)
		if (p->servers[i].answered)
			p->chosen = &p->servers[i];
}

/* --- what comes --- */

static void note_received(
	struct icmp_probe *p, uint64_t now_us, const struct icmp_socket *s, size_t length)
{
	journal_event(p->journal, now_us, EVENT_RECEIVED, NULL, &s->to, &s->local, length);
}

static void take_datagram(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const uint8_t *data, size_t length)
{
	struct icmp_socket *s = &p->sockets[socket];
	struct stun_message m;

	if (s->owner == ICMP_OF_SERVER && !icmp_looks_like(data, length)) {
		if (!stun_decode(data, length, &m) && m.method == STUN_BINDING)
			take_binding(p, now_us, &p->servers[s->index], from, &m);
		return;
	}
	if (!endpoint_equal(from, &s->to)) {
		p->journal->strangers++;
		return;
	}
	note_received(p, now_us, s, length);
	icmp_probe_take_inquiry(p, now_us, socket, data, length);
}

/* Takes whole messages out of what has come. */
static void take_frames(struct icmp_probe *p, uint64_t now_us, unsigned socket)
{
	struct icmp_socket *s = &p->sockets[socket];
	size_t at = 0;
	int bytes;

	for (;;) {
		bytes = stun_frame_bytes(s->in + at, s->in_length - at, sizeof(s->in));
		if (bytes <= 0 || (size_t)bytes > s->in_length - at)
			break;
		note_received(p, now_us, s, (size_t)bytes);
		icmp_probe_take_inquiry(p, now_us, socket, s->in + at, (size_t)bytes);
		at += (size_t)bytes;
	}
	memmove(s->in, s->in + at, s->in_length - at);
	s->in_length -= at;
	if (bytes < 0)
		icmp_probe_closed(p, now_us, socket, -EBADMSG);
}

void icmp_probe_input(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	if (!icmp_probe_is_ready(p, socket))
		return;
	if (p->sockets[socket].kind != ICMP_SOCKET_TCP) {
		take_datagram(p, now_us, socket, from, data, length);
		return;
	}
	while (length && icmp_probe_is_ready(p, socket)) {
		struct icmp_socket *s = &p->sockets[socket];
		size_t room = sizeof(s->in) - s->in_length, n = length < room ? length : room;

		memcpy(s->in + s->in_length, bytes, n);
		s->in_length += n;
		bytes += n;
		length -= n;
		take_frames(p, now_us, socket);
	}
}

void icmp_probe_reply(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *from, uint16_t sequence, uint8_t ttl, const void *data,
	size_t length)
{
	const struct icmp_socket *s;
	uint8_t token[ICMP_TOKEN_BYTES];

	if (!icmp_probe_is_ready(p, socket) || !icmp_read_mark((struct span){data, length}, token))
		return;
	s = &p->sockets[socket];
	note_received(p, now_us, s, length);
	if (s->owner == ICMP_OF_ECHO)
		icmp_probe_echo_reply(p, now_us, s->index, from, sequence, ttl);
	else if (s->owner == ICMP_OF_TIMER)
		icmp_probe_timer_reply(p, now_us, s->index, from, sequence);
}

void icmp_probe_connection_error(struct icmp_probe *p, uint64_t now_us, unsigned socket, int error)
{
	if (icmp_probe_is_ready(p, socket) && p->sockets[socket].owner == ICMP_OF_ERRAND)
		icmp_probe_errand_errno(p, now_us, &p->errands[p->sockets[socket].index], error);
}

void icmp_probe_error(struct icmp_probe *p, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, const void *quoted, size_t length)
{
	const struct icmp_socket *s;
	struct observation *o = NULL;

	if (socket >= p->socket_count || p->sockets[socket].state >= ICMP_SOCKET_ENDING)
		return;
	s = &p->sockets[socket];
	if (s->owner == ICMP_OF_ERRAND || s->owner == ICMP_OF_ATTEMPT) {
		icmp_probe_errand_error(
			p, now_us, &p->errands[s->index], error, (struct span){quoted, length});
		return;
	}
	if (s->owner == ICMP_OF_SERVER)
		o = icmp_probe_observation(p, p->servers[s->index].binding);
	if (!o || o->state != OBSERVATION_OPEN) {
		p->journal->strangers++;
		return;
	}
	o->icmp = *error;
	o->icmp.count = 1;
	journal_event(p->journal, now_us, EVENT_ICMP, o, &error->offender, to, length);
}

/* --- the run --- */

void icmp_probe_finish(struct icmp_probe *p, uint64_t now_us)
{
	for (size_t i = 0; i < p->journal->observation_count; i++)
		if (p->journal->observations[i].family == p->config.family &&
			p->journal->observations[i].transport == TRANSPORT_ICMP)
			icmp_probe_settle(p, now_us, i, OBSERVATION_ABANDONED);
	for (unsigned i = 0; i < p->socket_count; i++)
		icmp_probe_end(p, i);
	p->done = true;
}

static bool is_over(const struct icmp_probe *p)
{
	bool open = false;

	for (size_t i = 0; i < p->server_count; i++)
		open |= icmp_probe_is_open(p, p->servers[i].binding) ||
			icmp_probe_is_open(p, p->servers[i].service);
	return !open;
}

static void advance(struct icmp_probe *p, uint64_t now_us, uint64_t *deadline_us)
{
	bool over = true;

	if (p->done)
		return;
	ask_services(p, now_us);
	if (!p->chosen)
		choose(p, now_us);
	if (p->chosen && p->config.tests & ICMP_BEHAVIOUR) {
		over &= icmp_probe_echo_advance(p, now_us);
		over &= icmp_probe_errors_advance(p, now_us);
		over &= icmp_probe_egress_advance(p, now_us);
	}
	if (p->chosen && p->config.tests & ICMP_TIMER)
		over &= icmp_probe_timer_advance(p, now_us, deadline_us);
	if (now_us >= p->start_us + p->config.limit_us ||
		(p->chosen ? over : is_over(p) && p->server_count))
		icmp_probe_finish(p, now_us);
}

static bool poll_look(struct icmp_probe *p, struct icmp_output *out)
{
	if (!p->look)
		return false;
	p->look = false;
	out->action = ICMP_LOOK;
	out->to = p->chosen->endpoint;
	return true;
}

enum icmp_action icmp_probe_poll(struct icmp_probe *p, uint64_t now_us, struct icmp_output *out)
{
	uint64_t deadline_us = now_us + POLL_US;

	memset(out, 0, offsetof(struct icmp_output, data));
	out->length = 0;
	advance(p, now_us, &deadline_us);
	if (poll_sockets(p, out))
		return out->action;
	if (p->done)
		return out->action = ICMP_DONE;
	if (poll_look(p, out) || poll_binding(p, now_us, out, &deadline_us) ||
		icmp_probe_poll_requests(p, now_us, out, &deadline_us) ||
		icmp_probe_poll_echos(p, now_us, out, &deadline_us) ||
		icmp_probe_poll_egress(p, now_us, out, &deadline_us) ||
		icmp_probe_poll_errands(p, now_us, out) ||
		icmp_probe_poll_timers(p, now_us, out, &deadline_us))
		return out->action;
	for (unsigned i = 0; i < p->errand_count; i++)
		if (p->errands[i].phase == ICMP_ERRAND_PROMISED)
			icmp_probe_wake(&deadline_us, now_us, p->errands[i].over_us);
	out->deadline_us =
		deadline_us > now_us ? deadline_us : now_us + 1; /* time always goes on */
	return out->action = ICMP_WAIT;
}
