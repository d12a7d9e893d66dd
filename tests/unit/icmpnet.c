// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "icmpnet.h"
#include "probe/icmp_private.h"
#include "wire/packet.h"

#define MS	    1000u
#define START_US    1000000u
#define EVENTS	    2048
#define TOKENS	    64
#define JOBS	    128
#define ACTIONS_MAX 4000
#define DATA_BYTES  640
#define RTO_US	    (250 * MS) /* of a connection that has lost a segment */
#define SYN_RTO_US  (1000 * MS)
#define LIFETIME_MS 30000

enum kind {
	SERVER_DATAGRAM,
	SERVER_BYTES,
	SERVER_ECHO,
	SERVER_ERROR,
	SERVER_SYN,
	SERVER_DUE, /* the next error of a job, or its indication */
	SERVER_LATE_REPLY,
	HOST_DATAGRAM,
	HOST_BYTES,
	HOST_REPLY,
	HOST_ERROR,
	HOST_CONNECTED,
};

struct happening {
	uint64_t at_us;
	enum kind kind;
	unsigned socket;
	struct endpoint from, to;
	uint16_t sequence;
	unsigned job, place;
	uint8_t data[DATA_BYTES];
	size_t length;
};

struct token {
	uint8_t bytes[ICMP_TOKEN_BYTES];
	size_t count;
	struct icmp_record records[ICMP_RECORDS_MAX];
	unsigned sockets[ICMP_RECORDS_MAX]; /* of echos: who gets the late reply */
	bool replied[ICMP_RECORDS_MAX];
	uint8_t data[DATA_BYTES];
	size_t length;
};

struct job {
	unsigned socket;
	struct icmp_inquiry request;
	uint8_t payload[DATA_BYTES]; /* as it came */
	size_t length;
	unsigned syn; /* the socket of the attempt; ICMP_SOCKETS: it has not come */
	uint8_t sent;
};

struct host_socket {
	bool open, connected, dead; /* dead: its mapping, or its connection */
	enum icmp_socket_kind kind;
	struct endpoint local, to;
	uint64_t seen_us; /* of its mapping: the last packet */
};

struct icmpnet {
	const struct icmpnet_config *config;
	struct icmpnet_result *out;
	struct icmp_probe *probe;
	struct random random;
	uint64_t now_us;
	struct happening events[EVENTS];
	size_t event_count;
	struct host_socket sockets[ICMP_SOCKETS];
	unsigned refusals;
	struct token tokens[TOKENS];
	size_t token_count;
	struct job jobs[JOBS];
	size_t job_count;
	uint16_t mtu;
	uint16_t next_port;
};

/* --- addresses --- */

static struct endpoint address(const struct icmpnet *n, uint8_t host, uint16_t port)
{
	if (n->config->ipv6)
		return (struct endpoint){
			FAMILY_IPV6, port, 0, {0x20, 0x01, 0x0d, 0xb8, [15] = host}};
	return (struct endpoint){FAMILY_IPV4, port, 0, {203, 0, 113, host}};
}

enum { HOST = 2, NAT = 99, SERVER = 10, OTHER = 11, STRANGER = 66 };

static struct endpoint server_at(const struct icmpnet *n, bool other)
{
	return address(n, other ? OTHER : SERVER, other ? 3479 : 3478);
}

static bool is_other(const struct endpoint *e)
{
	return e->address[e->family == FAMILY_IPV4 ? 3 : 15] == OTHER;
}

/* As the server sees a socket of the host. */
static struct endpoint external(const struct icmpnet *n, const struct host_socket *s, bool other)
{
	struct endpoint e = s->local;

	if (n->config->no_nat)
		return e;
	e = address(n, NAT, s->local.port);
	if (s->kind != ICMP_SOCKET_ECHO)
		e.port = (uint16_t)(s->local.port + 1000);
	else if (n->config->identifiers == ICMPNET_CHANGED)
		e.port = s->local.port ^ 0x5555;
	else if (n->config->identifiers == ICMPNET_BY_ADDRESS)
		e.port = (uint16_t)(s->local.port + (other ? 0x1111 : 0x2222));
	return e;
}

/* --- time and chance --- */

static void put(struct icmpnet *n, const struct happening *e, uint64_t at_us)
{
	if (n->event_count == EVENTS) {
		n->out->broken = "sends too much";
		return;
	}
	n->events[n->event_count] = *e;
	n->events[n->event_count++].at_us = at_us;
}

static bool is_lost(struct icmpnet *n)
{
	return random_below(&n->random, 100) < n->config->loss;
}

static uint64_t arrival_us(struct icmpnet *n)
{
	uint64_t jitter_us = n->config->jitter_us;

	return n->now_us + n->config->delay_us +
		(n->now_us > START_US + 50000 ? n->config->slower_us : 0) +
		(jitter_us ? random_below(&n->random, (uint32_t)jitter_us) : 0);
}

/* One packet on its way: lost, once or twice. */
static void carry(struct icmpnet *n, const struct happening *e)
{
	for (int copy = 0; copy < (n->config->doubled ? 2 : 1); copy++)
		if (!is_lost(n))
			put(n, e, arrival_us(n));
}

/* A segment of a connection, which is repeated until it arrives. */
static void carry_reliably(struct icmpnet *n, const struct happening *e, uint64_t rto_us)
{
	uint64_t late_us = 0;

	while (is_lost(n) && late_us < 100 * rto_us)
		late_us += rto_us;
	put(n, e, arrival_us(n) + late_us);
}

static struct happening about(enum kind kind, unsigned socket)
{
	return (struct happening){.kind = kind, .socket = socket};
}

static void set_data(struct happening *e, const void *data, size_t length)
{
	e->length = length < sizeof(e->data) ? length : sizeof(e->data);
	memcpy(e->data, data, e->length);
}

/* --- the server: answers --- */

static void reply(struct icmpnet *n, unsigned socket, const void *data, size_t length)
{
	struct happening e = about(
		n->sockets[socket].kind == ICMP_SOCKET_TCP ? HOST_BYTES : HOST_DATAGRAM, socket);

	e.from = server_at(n, false);
	set_data(&e, data, length);
	if (e.kind == HOST_DATAGRAM)
		carry(n, &e);
	else if (n->config->bytes_late_us)
		put(n, &e, arrival_us(n) + n->config->bytes_late_us);
	else
		carry_reliably(n, &e, RTO_US);
}

static void reply_inquiry(struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m)
{
	uint8_t data[DATA_BYTES];
	int length = icmp_encode(m, data, sizeof(data), 0);

	if (length > 0)
		reply(n, socket, data, (size_t)length);
	else
		n->out->broken = "asks for what cannot be answered";
}

static void answer_binding(struct icmpnet *n, unsigned socket, const struct stun_message *m)
{
	struct endpoint mapped = external(n, &n->sockets[socket], false),
			other = server_at(n, true);
	uint8_t data[DATA_BYTES];
	struct stun_writer w = stun_begin(data, sizeof(data), STUN_SUCCESS, STUN_BINDING, &m->id);
	int length;

	stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &mapped);
	if (n->config->server != ICMPNET_ONE_ADDRESS)
		stun_add_address(&w, STUN_OTHER_ADDRESS, &other);
	length = stun_end(&w);
	if (length > 0)
		reply(n, socket, data, (size_t)length);
}

static void refuse(struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m, uint16_t code)
{
	struct icmp_inquiry answer = {.class = STUN_ERROR, .id = m->id, .error_code = code};
	uint16_t port = n->sockets[socket].local.port;
	uint8_t cookie[4] = {1, 2, (uint8_t)(port >> 8), (uint8_t)port};

	if (code == ICMP_STALE)
		answer.cookie = (struct span){cookie, sizeof(cookie)};
	reply_inquiry(n, socket, &answer);
}

static bool has_proved(const struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m)
{
	uint16_t port = n->sockets[socket].local.port;

	return n->sockets[socket].kind == ICMP_SOCKET_TCP ||
		(m->cookie.length == 4 && m->cookie.data[2] == port >> 8 &&
			m->cookie.data[3] == (port & 255));
}

/* --- the server: what has arrived --- */

static struct token *find_token(struct icmpnet *n, const uint8_t bytes[static ICMP_TOKEN_BYTES])
{
	for (size_t i = 0; i < n->token_count; i++)
		if (!memcmp(n->tokens[i].bytes, bytes, ICMP_TOKEN_BYTES))
			return &n->tokens[i];
	return NULL;
}

static void answer_seen(struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m)
{
	struct token *t = find_token(n, m->token);
	struct icmp_inquiry answer = *m;

	if (!t && n->token_count < TOKENS) {
		t = &n->tokens[n->token_count++];
		memcpy(t->bytes, m->token, sizeof(t->bytes));
	}
	answer.class = STUN_SUCCESS;
	answer.cookie.length = 0;
	answer.mapped = external(n, &n->sockets[socket], false);
	answer.record_count = t ? t->count : 0;
	if (t)
		memcpy(answer.records, t->records, sizeof(answer.records));
	reply_inquiry(n, socket, &answer);
}

static void answer_later(struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m)
{
	struct token *t = find_token(n, m->token);
	struct icmp_inquiry answer = *m;
	struct happening e = about(SERVER_LATE_REPLY, 0);
	size_t i = t ? t->count : 0;

	while (i && t->replied[i - 1])
		i--;
	if (!i) {
		refuse(n, socket, m, ICMP_UNSEEN);
		return;
	}
	t->replied[i - 1] = true;
	answer.class = STUN_SUCCESS;
	answer.cookie.length = 0;
	answer.record_count = 1;
	answer.records[0] = t->records[i - 1];
	reply_inquiry(n, socket, &answer);
	e.socket = t->sockets[i - 1];
	e.sequence = t->records[i - 1].sequence;
	e.from = server_at(n, false);
	set_data(&e, t->data, t->length);
	put(n, &e, n->now_us + (uint64_t)m->later_ms * MS);
}

static void record(struct icmpnet *n, const struct icmp_record *r, unsigned socket,
	const uint8_t *data, size_t length)
{
	uint8_t bytes[ICMP_TOKEN_BYTES];
	struct token *t;

	if (!icmp_read_mark((struct span){data, length}, bytes))
		return;
	t = find_token(n, bytes);
	if (!t || t->count == ICMP_RECORDS_MAX)
		return;
	t->sockets[t->count] = socket;
	t->length = length < sizeof(t->data) ? length : sizeof(t->data);
	memcpy(t->data, data, t->length);
	t->records[t->count++] = *r;
}

static void server_echo(struct icmpnet *n, const struct happening *e)
{
	const struct host_socket *s = &n->sockets[e->socket];
	struct endpoint from = external(n, s, is_other(&e->to));
	struct icmp_record r = {.kind = ICMP_KIND_ECHO,
		.type = n->config->ipv6 ? 128 : 8,
		.identifier = from.port,
		.sequence = e->sequence,
		.from = from,
		.to = e->to};
	struct happening back = *e;

	r.from.port = 0;
	record(n, &r, e->socket, e->data, e->length);
	if (n->config->server == ICMPNET_DEAF || n->config->server == ICMPNET_IDLE)
		return;
	back.kind = HOST_REPLY;
	back.from = e->to;
	carry(n, &back);
}

static void server_error(struct icmpnet *n, const struct happening *e)
{
	struct packet error = {.bytes = (uint8_t *)(uintptr_t)e->data,
		.length = e->length,
		.family = n->config->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4,
		.quoted = 8};
	struct packet quoted;
	struct icmp_record r = {.kind = ICMP_KIND_ERROR,
		.type = e->data[0],
		.code = e->data[1],
		.from = e->from,
		.to = e->to};

	if (packet_decode_quoted(&error, &quoted)) {
		n->out->broken = "sends an error that quotes nothing";
		return;
	}
	r.quoted_protocol = quoted.ip_protocol;
	r.quoted_from = quoted.source;
	r.quoted_to = quoted.destination;
	record(n, &r, 0, quoted.bytes + quoted.payload, quoted.payload_length);
}

/* --- the server: errors --- */

static struct job *find_job(struct icmpnet *n, unsigned socket, const struct stun_id *id)
{
	for (size_t i = 0; i < n->job_count; i++)
		if (n->jobs[i].socket == socket && stun_id_equal(&n->jobs[i].request.id, id))
			return &n->jobs[i];
	return NULL;
}

static void promise(struct icmpnet *n, const struct job *job)
{
	struct icmp_inquiry answer = job->request;

	answer.class = STUN_SUCCESS;
	answer.cookie.length = 0;
	answer.mapped = external(n, &n->sockets[job->socket], false);
	answer.own = server_at(n, false);
	answer.own.port = 0;
	for (size_t i = 0; i < answer.error_count; i++)
		if (n->config->server == ICMPNET_ONE_ADDRESS &&
			answer.errors[i].from == ICMP_FROM_OTHER)
			answer.errors[i].from = ICMP_FROM_NONE;
	if (n->config->server != ICMPNET_ONE_ADDRESS) {
		answer.other = server_at(n, true);
		answer.other.port = 0;
	}
	if (answer.ask == ICMP_ASK_ATTEMPT)
		answer.target = address(n, SERVER, 40001);
	reply_inquiry(n, job->socket, &answer);
}

/* All that is to come of it, from now on. */
static void schedule(struct icmpnet *n, unsigned job)
{
	const struct icmp_inquiry *m = &n->jobs[job].request;
	struct happening e = about(SERVER_DUE, n->jobs[job].socket);
	uint64_t last_us = n->now_us;

	e.job = job;
	for (e.place = 0; e.place < m->error_count; e.place++) {
		uint64_t at_us = n->now_us + (uint64_t)m->errors[e.place].delay_ms * MS;

		put(n, &e, at_us);
		last_us = at_us > last_us ? at_us : last_us;
	}
	put(n, &e, last_us + ICMP_DONE_US);
}

static void indicate(struct icmpnet *n, const struct job *job)
{
	struct icmp_inquiry m = {.class = STUN_INDICATION,
		.id = job->request.id,
		.ask = job->request.ask,
		.sent = job->sent};

	if (job->syn < ICMP_SOCKETS) {
		m.has_syn = true;
		m.syn_from = external(n, &n->sockets[job->syn], false);
	}
	reply_inquiry(n, job->socket, &m);
}

static void answer_errors(struct icmpnet *n, unsigned socket, const struct icmp_inquiry *m,
	const uint8_t *data, size_t length)
{
	struct job *job = find_job(n, socket, &m->id);
	bool is_new = !job;

	if (is_new && n->job_count == JOBS) {
		refuse(n, socket, m, ICMP_BUSY);
		return;
	}
	if (is_new) {
		job = &n->jobs[n->job_count++];
		*job = (struct job){.socket = socket, .request = *m, .syn = ICMP_SOCKETS};
		job->request.cookie = (struct span){0};
		memcpy(job->payload, data, length);
		job->length = length;
		n->out->errors += (unsigned)m->error_count;
	}
	promise(n, job);
	if (is_new && m->ask == ICMP_ASK_ERRORS)
		schedule(n, (unsigned)(job - n->jobs));
	else if (!is_new && job->sent)
		indicate(n, job);
}

static void server_syn(struct icmpnet *n, const struct happening *e)
{
	for (size_t i = 0; i < n->job_count; i++) {
		struct job *job = &n->jobs[i];

		if (job->request.ask != ICMP_ASK_ATTEMPT || job->syn < ICMP_SOCKETS ||
			n->sockets[job->socket].local.port != n->sockets[e->socket].local.port)
			continue;
		job->syn = e->socket;
		schedule(n, (unsigned)i);
		return;
	}
}

static void server_due(struct icmpnet *n, const struct happening *e)
{
	struct job *job = &n->jobs[e->job];
	const struct icmp_wanted *w = &job->request.errors[e->place];
	struct happening error = about(HOST_ERROR, job->socket);

	if (e->place == job->request.error_count) {
		indicate(n, job);
		return;
	}
	if (n->config->server == ICMPNET_ONE_ADDRESS && w->from == ICMP_FROM_OTHER)
		return;
	job->sent |= (uint8_t)(1u << e->place);
	if (n->config->server == ICMPNET_IDLE)
		return;
	error.job = e->job;
	error.place = e->place;
	error.from = server_at(n, w->from == ICMP_FROM_OTHER);
	carry(n, &error);
}

static void server_message(struct icmpnet *n, const struct happening *e)
{
	struct stun_message stun;
	struct icmp_inquiry m;

	if (n->config->server == ICMPNET_SILENT)
		return;
	if (!icmp_looks_like(e->data, e->length)) {
		if (!stun_decode(e->data, e->length, &stun) && stun.method == STUN_BINDING)
			answer_binding(n, e->socket, &stun);
		return;
	}
	if (n->config->server == ICMPNET_PLAIN || icmp_decode(e->data, e->length, &m))
		return;
	if (n->config->server == ICMPNET_OFF)
		refuse(n, e->socket, &m, ICMP_OFF);
	else if (!has_proved(n, e->socket, &m))
		refuse(n, e->socket, &m, ICMP_STALE);
	else if (n->config->server == ICMPNET_QUOTA && m.ask <= ICMP_ASK_ATTEMPT)
		refuse(n, e->socket, &m, ICMP_QUOTA);
	else if (m.ask == ICMP_ASK_SEEN)
		answer_seen(n, e->socket, &m);
	else if (m.ask == ICMP_ASK_LATER)
		answer_later(n, e->socket, &m);
	else
		answer_errors(n, e->socket, &m, e->data, e->length);
}

/* --- the host --- */

static bool is_mtu(const struct icmpnet *n, const struct icmp_wanted *w)
{
	return n->config->ipv6 ? w->type == 2 : w->type == 3 && w->code == 4;
}

/* What a raw socket gets. */
static void give_raw(struct icmpnet *n, const struct happening *e, const struct icmp_wanted *w,
	const struct job *job, unsigned about_socket)
{
	const struct host_socket *s = &n->sockets[about_socket];
	struct endpoint source = s->local;
	uint8_t packet[DATA_BYTES], rest[4] = {0, 0, (uint8_t)(w->mtu >> 8), (uint8_t)w->mtu};
	struct packet_tcp tcp = {.sequence = 1};
	int length;

	if (n->config->quotes == ICMPNET_SOURCE)
		source = external(n, s, false);
	length = s->kind == ICMP_SOCKET_UDP
		? packet_build_udp(
			  packet, sizeof(packet), &source, &s->to, 60, job->payload, job->length)
		: packet_build_tcp(packet, sizeof(packet), &source, &s->to, 60, &tcp, NULL, 0);
	if (length <= 0)
		return;
	if (n->config->quotes == ICMPNET_CHECKSUM && s->kind == ICMP_SOCKET_UDP)
		packet[(n->config->ipv6 ? 40 : 20) + 7] ^= 0x55;
	if (n->config->quotes == ICMPNET_HEADER)
		packet[11] ^= 0x55;
	icmp_probe_raw(n->probe, n->now_us, &e->from, w->type, w->code, rest,
		(struct span){packet, (size_t)length});
}

static void give_error(struct icmpnet *n, const struct happening *e, const struct icmp_wanted *w,
	const struct job *job, unsigned about_socket)
{
	struct host_socket *s = &n->sockets[about_socket];
	int error = icmp_probe_errno(n->config->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4, w->type, w->code);
	struct icmp_seen seen = {.count = 1,
		.t_us = n->now_us,
		.error = error ? error : EMSGSIZE,
		.type = w->type,
		.code = w->code,
		.offender = e->from};

	seen.offender.port = 0;
	if (is_mtu(n, w)) {
		if (w->mtu < n->mtu && !n->config->mtu_ignored)
			n->mtu = w->mtu;
		if (s->kind == ICMP_SOCKET_TCP)
			return;
	}
	if (!n->config->ipv6 && w->type == 11 && w->code == 1)
		return;
	if (s->kind == ICMP_SOCKET_UDP) {
		icmp_probe_error(n->probe, n->now_us, about_socket, &s->to, &seen, job->payload,
			job->length);
	} else if (job->request.ask == ICMP_ASK_ERRORS) {
		icmp_probe_connection_error(n->probe, n->now_us, about_socket, seen.error);
	} else if (!s->connected) {
		icmp_probe_error(n->probe, n->now_us, about_socket, &s->to, &seen, NULL, 0);
		s->connected = !n->config->ignores_attempts;
		if (s->connected)
			icmp_probe_connected(n->probe, n->now_us, about_socket, -seen.error);
	}
}

static void host_error(struct icmpnet *n, const struct happening *e)
{
	const struct job *job = &n->jobs[e->job];
	const struct icmp_wanted *w = &job->request.errors[e->place];
	unsigned socket = job->request.ask == ICMP_ASK_ATTEMPT ? job->syn : job->socket;
	struct host_socket *s = &n->sockets[socket];

	if ((n->config->dropped >> w->type & 1) || (n->config->mtu_dropped && is_mtu(n, w)) ||
		(s->dead && !n->config->no_nat) || !s->open)
		return;
	if (!n->config->no_raw)
		give_raw(n, e, w, job, socket);
	if (n->config->quotes != ICMPNET_SOURCE)
		give_error(n, e, w, job, socket);
	s->dead |= s->kind == ICMP_SOCKET_UDP ? n->config->end_mapping : n->config->end_connection;
}

static void host_reply(struct icmpnet *n, const struct happening *e)
{
	struct host_socket *s = &n->sockets[e->socket];
	uint64_t lifetime_ms = n->config->lifetime_ms ? n->config->lifetime_ms : LIFETIME_MS;

	if (n->config->reply_dropped || !s->open ||
		(!n->config->no_nat && n->now_us - s->seen_us > lifetime_ms * MS))
		return;
	s->seen_us = n->now_us;
	icmp_probe_reply(
		n->probe, n->now_us, e->socket, &e->from, e->sequence, 55, e->data, e->length);
}

static void host_input(struct icmpnet *n, const struct happening *e)
{
	const struct host_socket *s = &n->sockets[e->socket];

	if (s->open && !s->dead)
		icmp_probe_input(n->probe, n->now_us, e->socket, &e->from, e->data, e->length);
}

static void host_connected(struct icmpnet *n, const struct happening *e)
{
	struct host_socket *s = &n->sockets[e->socket];

	if (!s->open || s->connected)
		return;
	s->connected = true;
	icmp_probe_connected(n->probe, n->now_us, e->socket,
		n->config->server == ICMPNET_NO_TCP ? -ECONNREFUSED : 0);
}

static void happen(struct icmpnet *n, const struct happening *e)
{
	switch (e->kind) {
	case SERVER_DATAGRAM:
	case SERVER_BYTES:
		server_message(n, e);
		break;
	case SERVER_ECHO:
		server_echo(n, e);
		break;
	case SERVER_ERROR:
		server_error(n, e);
		break;
	case SERVER_SYN:
		server_syn(n, e);
		break;
	case SERVER_DUE:
		server_due(n, e);
		break;
	case SERVER_LATE_REPLY: {
		struct happening back = *e;

		back.kind = HOST_REPLY;
		carry(n, &back);
		break;
	}
	case HOST_DATAGRAM:
	case HOST_BYTES:
		host_input(n, e);
		break;
	case HOST_REPLY:
		host_reply(n, e);
		break;
	case HOST_ERROR:
		host_error(n, e);
		break;
	case HOST_CONNECTED:
		host_connected(n, e);
		break;
	}
}

/* --- what the prober does --- */

static void open_socket(struct icmpnet *n, const struct icmp_output *out)
{
	struct host_socket *s = &n->sockets[out->socket];
	struct happening e = about(HOST_CONNECTED, out->socket);

	if (s->open || s->local.family != FAMILY_NONE)
		n->out->broken = "uses the number of a socket twice";
	*s = (struct host_socket){.open = true, .kind = out->kind, .to = out->to};
	s->local = address(n, HOST, out->port ? out->port : n->next_port++);
	if (out->kind == ICMP_SOCKET_ECHO && n->config->no_ping) {
		s->open = false;
		icmp_probe_opened(n->probe, n->now_us, out->socket, -EACCES, &s->local);
		return;
	}
	icmp_probe_opened(n->probe, n->now_us, out->socket, 0, &s->local);
	if (out->kind != ICMP_SOCKET_TCP)
		return;
	if (out->to.port != 3478) {
		e.kind = SERVER_SYN;
		carry_reliably(n, &e, SYN_RTO_US);
		return;
	}
	n->now_us += n->config->delay_us; /* both ways */
	carry_reliably(n, &e, SYN_RTO_US);
	n->now_us -= n->config->delay_us;
}

static void send_out(struct icmpnet *n, const struct icmp_output *out)
{
	struct host_socket *s = &n->sockets[out->socket];
	struct happening e = about(SERVER_DATAGRAM, out->socket);

	if (!s->open || (s->kind == ICMP_SOCKET_TCP && !s->connected)) {
		n->out->broken = "sends from what is not open";
		return;
	}
	e.to = out->to;
	e.sequence = out->sequence;
	set_data(&e, out->data, out->length);
	if (s->kind == ICMP_SOCKET_ECHO) {
		e.kind = SERVER_ECHO;
		s->seen_us = n->now_us;
		if (!n->config->echo_dropped)
			carry(n, &e);
	} else if (s->kind == ICMP_SOCKET_TCP) {
		e.kind = SERVER_BYTES;
		if (!s->dead)
			carry_reliably(n, &e, RTO_US);
	} else if (n->config->refused &&
		(!n->config->refusals || n->refusals++ < n->config->refusals)) {
		icmp_probe_unsent(n->probe, n->now_us, out->socket, -n->config->refused);
	} else {
		s->dead = false; /* there is a mapping again */
		carry(n, &e);
	}
}

/* Through the NAT: whether it leaves, and with which addresses. */
static void send_error(struct icmpnet *n, const struct icmp_output *out)
{
	const struct icmpnet_config *c = n->config;
	struct happening e = about(SERVER_ERROR, 0);
	struct packet error, quoted;

	e.to = out->to;
	e.length = 8 + out->length;
	e.data[0] = out->type;
	e.data[1] = out->code;
	memcpy(e.data + 8, out->data, out->length);
	error = (struct packet){
		.bytes = e.data, .length = e.length, .family = out->to.family, .quoted = 8};
	if (packet_decode_quoted(&error, &quoted)) {
		n->out->broken = "sends an error that quotes nothing";
		return;
	}
	e.from = address(n, c->no_nat ? HOST : NAT, 0);
	if (quoted.destination.address[0] == 203 || quoted.destination.address[2] == 0x0d) {
		if (c->outward_dropped)
			return;
		if (!c->no_nat && !c->outward_untranslated) {
			struct host_socket *s = &n->sockets[0];
			struct endpoint mapped = external(n, s, false);

			packet_set_destination(&quoted, &mapped);
		}
	} else if (c->egress == EGRESS_DROPPED) {
		return;
	} else if (c->egress == EGRESS_INSIDE) {
		e.from = address(n, HOST, 0);
	} else if (c->egress == EGRESS_OTHER) {
		e.from = address(n, STRANGER, 0);
	}
	carry(n, &e);
}

/* Everything that it wants done now; false when it is done for good. */
static bool serve(struct icmpnet *n, uint64_t *deadline_us)
{
	struct icmp_output out;

	for (unsigned actions = 0; actions < ACTIONS_MAX && !n->out->broken; actions++) {
		switch (icmp_probe_poll(n->probe, n->now_us, &out)) {
		case ICMP_OPEN:
			open_socket(n, &out);
			break;
		case ICMP_SEND:
			send_out(n, &out);
			break;
		case ICMP_SEND_ERROR:
			if (n->config->errors_unsendable)
				icmp_probe_error_unsent(n->probe, n->now_us, -EPERM);
			else
				send_error(n, &out);
			break;
		case ICMP_LOOK:
			icmp_probe_path_mtu(n->probe, n->now_us, n->mtu);
			break;
		case ICMP_CLOSE:
			n->sockets[out.socket].open = false;
			break;
		case ICMP_WAIT:
			*deadline_us = out.deadline_us;
			return true;
		case ICMP_DONE:
			return false;
		}
	}
	if (!n->out->broken)
		n->out->broken = "acts without end";
	return false;
}

/* Somebody who has seen nothing sends what could be meant for us. */
static void forge(struct icmpnet *n)
{
	static const uint8_t nothing[64], rest[4];
	struct endpoint stranger = address(n, STRANGER, 0), server = server_at(n, false);
	struct icmp_seen seen = {.count = 1,
		.t_us = n->now_us,
		.error = EHOSTUNREACH,
		.type = n->config->ipv6 ? 3 : 11,
		.offender = stranger};
	unsigned socket = random_below(&n->random, ICMP_SOCKETS);

	if (!n->sockets[socket].open || n->sockets[socket].kind == ICMP_SOCKET_TCP)
		return;
	icmp_probe_error(n->probe, n->now_us, socket, &server, &seen, nothing, sizeof(nothing));
	icmp_probe_reply(n->probe, n->now_us, socket, &stranger, 1, 64, nothing, sizeof(nothing));
	if (n->sockets[socket].kind == ICMP_SOCKET_UDP)
		icmp_probe_input(n->probe, n->now_us, socket, &stranger, nothing, sizeof(nothing));
	icmp_probe_raw(n->probe, n->now_us, &stranger, seen.type, 0, rest,
		(struct span){nothing, sizeof(nothing)});
}

static size_t next_event(const struct icmpnet *n)
{
	size_t first = 0;

	for (size_t i = 1; i < n->event_count; i++)
		if (n->events[i].at_us < n->events[first].at_us)
			first = i;
	return first;
}

static void run(struct icmpnet *n)
{
	uint64_t deadline_us = 0;

	while (serve(n, &deadline_us)) {
		size_t first = next_event(n);
		struct happening e;

		if (n->config->forged && n->sockets[0].kind == ICMP_SOCKET_UDP)
			forge(n);
		if (!n->event_count || n->events[first].at_us > deadline_us) {
			n->now_us = deadline_us;
			continue;
		}
		e = n->events[first];
		n->events[first] = n->events[--n->event_count];
		n->now_us = e.at_us > n->now_us ? e.at_us : n->now_us;
		happen(n, &e);
	}
	if (n->now_us > START_US + n->config->limit_us + 200 * MS)
		n->out->broken = "goes on beyond its limit";
}

void icmpnet_run(const struct icmpnet_config *config, struct icmpnet_result *out)
{
	struct icmpnet *n = calloc(1, sizeof(*n));
	struct icmp_probe_config probe = {.family = config->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4,
		.tests = config->tests ? config->tests : ICMP_BEHAVIOUR,
		.raw = !config->no_raw,
		.raw_error = EPERM,
		.limit_us = config->limit_us};
	struct journal_server server = {.name = "server", .transport = TRANSPORT_ICMP};
	size_t place;

	memset(out, 0, sizeof(*out));
	if (!n || journal_create(START_US, &out->journal))
		abort();
	n->config = config;
	n->out = out;
	n->now_us = START_US;
	n->mtu = config->mtu ? config->mtu : 1500;
	n->next_port = 20000;
	random_init_number(&n->random, config->seed);
	server.endpoint = server_at(n, false);
	if (icmp_probe_create(&probe, out->journal, &n->random, n->now_us, &n->probe) ||
		journal_add_server(out->journal, &server, &place))
		abort();
	icmp_probe_add_server(n->probe, n->now_us, place);
	run(n);
	out->duration_us = n->now_us - START_US;
	for (size_t i = 0; i < out->journal->observation_count && !out->broken; i++)
		if (out->journal->observations[i].state == OBSERVATION_OPEN)
			out->broken = "leaves a question open";
	judge(out->journal, &out->verdict);
	icmp_probe_destroy(n->probe);
	free(n);
}

void icmpnet_free(struct icmpnet_result *r)
{
	journal_destroy(r->journal);
}
