// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/punchnet_private.h"
#include "wire/call.h"
#include "wire/packet.h"

/* Punches over TCP: every host has a TCP, and its packets go through the network. */

#define NO_STACK UINT32_MAX
#define CALL_SOCKETS \
	RESPONDER_ENDPOINTS /* of the server: first those that listen, then those of calls */

/* A connection to the server. */
struct client {
	unsigned socket; /* of the server's stack */
	unsigned local; /* index of the endpoint */
	uint64_t number; /* never 0; 0: free */
	struct endpoint from;
	struct calls_tally tally;
	struct rendezvous_bond bond;
	size_t length;
	uint8_t bytes[STUN_MESSAGE_BYTES];
};

struct punchnet_server {
	struct net *net;
	struct tcpstack *stack;
	struct calls *calls;
	struct client clients[PUNCHNET_CLIENTS];
	uint64_t next_number;
};

/* Sockets of the session, and their numbers in the stack. */
struct punchnet_tcp {
	struct net *net;
	int number, host;
	struct tcpstack *stack;
	unsigned stack_of[SESSION_SOCKETS]; /* NO_STACK: not open */
	unsigned session_of[TCPSTACK_SOCKETS];
	struct endpoint local[SESSION_SOCKETS];
	size_t length[SESSION_SOCKETS];
	uint8_t bytes[SESSION_SOCKETS][STUN_MESSAGE_BYTES];
	bool connected[SESSION_SOCKETS];
};

/* --- a party --- */

static bool is_of_latest(const struct punchnet_tcp *t, const struct endpoint *from)
{
	for (unsigned i = SESSION_LATEST; i < SESSION_LIFETIME; i++)
		if (t->stack_of[i] != NO_STACK && endpoint_equal(&t->local[i], from))
			return true;
	return false;
}

static bool is_lost(const struct punchnet_tcp *t, const uint8_t *bytes, size_t length)
{
	const struct net *n = t->net;
	struct packet p;

	if (packet_decode((void *)bytes, length, &p))
		return false;
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (endpoint_equal(&n->responder.advertised[i], &p.destination))
			return p.destination.family == n->config->tcp_lost ||
				(n->config->party[t->number].latest_lost &&
					is_of_latest(t, &p.source));
	return false;
}

static void count_named(const struct punchnet_tcp *t, const uint8_t *bytes, size_t length)
{
	struct packet p;

	if (!packet_decode((void *)bytes, length, &p) && p.protocol == PACKET_TCP &&
		p.flags & PACKET_SYN &&
		endpoint_same_address(&p.destination, &t->net->config->named))
		t->net->result->party[t->number].named++;
}

static void send_from_party(void *context, const uint8_t *bytes, size_t length)
{
	struct punchnet_tcp *t = context;

	if (is_lost(t, bytes, length))
		return;
	count_named(t, bytes, length);
	world_input(t->net->world, t->net->now, t->host, bytes, length);
}

static unsigned free_socket(const struct punchnet_tcp *t)
{
	unsigned i = 0;

	while (i < TCPSTACK_SOCKETS && t->session_of[i] != SESSION_SOCKETS)
		i++;
	return i;
}

static void hold(struct punchnet_tcp *t, unsigned socket, unsigned at)
{
	t->stack_of[socket] = at;
	t->session_of[at] = socket;
	t->length[socket] = 0;
	t->connected[socket] = false;
}

static void drop(struct punchnet_tcp *t, unsigned socket)
{
	if (t->stack_of[socket] == NO_STACK)
		return;
	t->session_of[t->stack_of[socket]] = SESSION_SOCKETS;
	t->stack_of[socket] = NO_STACK;
}

static int open_bound(struct net *n, int number, unsigned socket, enum family family, uint16_t port)
{
	struct party *p = &n->party[number];
	struct punchnet_tcp *t = p->tcp;
	struct endpoint local = punchnet_address(n, p->host, family, 0);
	unsigned at = free_socket(t);
	uint64_t none_us = p->config->no_sockets_us;
	int err;

	if (local.family == FAMILY_NONE)
		return -EADDRNOTAVAIL;
	if (at == TCPSTACK_SOCKETS || (none_us && n->now >= BEGIN_US + none_us))
		return -EMFILE;
	local.port = port;
	err = tcpstack_bind(t->stack, at, &local, &t->local[socket]);
	if (!err)
		hold(t, socket, at);
	return err;
}

static void tell_opened(struct net *n, int number, unsigned socket, int err)
{
	struct punchnet_tcp *t = n->party[number].tcp;

	if (err && t->stack_of[socket] != NO_STACK) {
		tcpstack_close(t->stack, n->now, t->stack_of[socket]);
		drop(t, socket);
	}
	session_opened(
		n->party[number].session, n->now, socket, err, err ? NULL : &t->local[socket]);
}

static void connect_socket(struct net *n, int number, const struct session_output *out)
{
	struct punchnet_tcp *t = n->party[number].tcp;
	bool is_new = t->stack_of[out->socket] == NO_STACK;
	int err = is_new ? open_bound(n, number, out->socket, out->to.family, out->port) : 0;

	punchnet_count(n, number, &out->to);
	n->result->party[number].connects += out->socket < SESSION_FURTHER;
	if (!err && endpoint_equal(&t->local[out->socket], &out->to))
		punchnet_break(n, "a connection to itself");
	if (!err && out->ttl)
		err = tcpstack_unheed(t->stack, t->stack_of[out->socket], out->ttl);
	if (!err)
		err = tcpstack_connect(t->stack, n->now, t->stack_of[out->socket], &out->to);
	if (is_new)
		tell_opened(n, number, out->socket, err);
	else if (err)
		session_connected(n->party[number].session, n->now, out->socket, err, 0);
}

static void listen_socket(struct net *n, int number, const struct session_output *out)
{
	struct punchnet_tcp *t = n->party[number].tcp;
	bool is_new = t->stack_of[out->socket] == NO_STACK;
	int err = is_new ? open_bound(n, number, out->socket, out->family, out->port) : 0;

	if (!err)
		err = tcpstack_listen(t->stack, t->stack_of[out->socket]);
	if (is_new || err)
		tell_opened(n, number, out->socket, err);
}

static void send_bytes(struct net *n, int number, const struct session_output *out)
{
	struct punchnet_tcp *t = n->party[number].tcp;
	unsigned at = t->stack_of[out->socket];
	int sent = at == NO_STACK ? -EBADF
				  : tcpstack_send(t->stack, n->now, at, out->data, out->length);

	if (sent == -EBADF)
		punchnet_break(n, "sends over what is not open");
	else if (sent != (int)out->length)
		session_closed(n->party[number].session, n->now, out->socket, sent);
}

static void close_socket(struct net *n, int number, unsigned socket)
{
	struct punchnet_tcp *t = n->party[number].tcp;
	unsigned at = t->stack_of[socket];

	if (at == NO_STACK)
		return;
	if (socket >= SESSION_LINKS)
		tcpstack_abort(t->stack, at);
	else
		tcpstack_close(t->stack, n->now, at);
	drop(t, socket);
}

void punchnet_tcp_carry(struct net *n, int number, const struct session_output *out)
{
	if (out->socket >= SESSION_SOCKETS) {
		punchnet_break(n, "a socket beyond all numbers");
		return;
	}
	switch (out->action) {
	case SESSION_OPEN:
		if (n->party[number].tcp->stack_of[out->socket] != NO_STACK)
			punchnet_break(n, "a socket is opened twice");
		tell_opened(n, number, out->socket,
			open_bound(n, number, out->socket, out->family, out->port));
		break;
	case SESSION_CONNECT:
		connect_socket(n, number, out);
		break;
	case SESSION_LISTEN:
		listen_socket(n, number, out);
		break;
	case SESSION_SEND:
		send_bytes(n, number, out);
		break;
	case SESSION_CLOSE:
		close_socket(n, number, out->socket);
		break;
	default:
		break;
	}
}

struct endpoint punchnet_tcp_local(const struct net *n, int number, unsigned socket)
{
	const struct punchnet_tcp *t = n->party[number].tcp;
	struct endpoint none = {.family = FAMILY_NONE};

	return socket < SESSION_SOCKETS && t->stack_of[socket] != NO_STACK ? t->local[socket]
									   : none;
}

/* --- what happens to a party --- */

static void accepted(struct net *n, int number, const struct tcpstack_event *e)
{
	struct party *p = &n->party[number];
	struct punchnet_tcp *t = p->tcp;
	unsigned listener = t->session_of[e->listener];
	int socket = listener == SESSION_SOCKETS
		? -EBADF
		: session_accepted(p->session, n->now, listener, &e->from);

	if (socket < 0) {
		tcpstack_abort(t->stack, e->socket);
		return;
	}
	hold(t, (unsigned)socket, e->socket);
	t->local[socket] = t->local[listener];
	t->connected[socket] = true;
}

static void failed(struct net *n, int number, unsigned socket, const struct tcpstack_event *e)
{
	struct session *s = n->party[number].session;
	struct icmp_seen seen = {.count = 1,
		.type = e->type,
		.code = e->code,
		.offender = e->offender,
		.error = -e->error,
		.t_us = n->now};
	const struct endpoint nobody = {.family = FAMILY_NONE};

	if (e->offender.family != FAMILY_NONE)
		session_error(s, n->now, socket, &nobody, &seen, NULL, 0);
	session_connected(s, n->now, socket, e->error, 0);
}

static bool is_way(const struct party *p, unsigned socket)
{
	const struct checks_result *r = session_view(p->session)->checks;

	return r && r->connected && r->socket == socket;
}

static void take_data(struct net *n, int number, unsigned socket, const struct tcpstack_event *e)
{
	struct party *p = &n->party[number];
	struct punchnet_tcp *t = p->tcp;
	const struct endpoint *from = &n->responder.advertised[0];
	int bytes;

	if (t->local[socket].family == FAMILY_IPV6)
		from = &n->responder.advertised[RESPONDER_IPV6];
	if (!session_is_framed(socket)) {
		session_input(p->session, n->now, socket, from, 0, e->bytes, e->length);
		return;
	}
	if (t->length[socket] + e->length > sizeof(t->bytes[socket])) {
		punchnet_break(n, "too many bytes that are no message");
		return;
	}
	memcpy(t->bytes[socket] + t->length[socket], e->bytes, e->length);
	t->length[socket] += e->length;
	while (t->stack_of[socket] != NO_STACK && !is_way(p, socket) &&
		(bytes = stun_frame_bytes(
			 t->bytes[socket], t->length[socket], STUN_MESSAGE_BYTES)) > 0 &&
		(size_t)bytes <= t->length[socket]) {
		uint8_t message[STUN_MESSAGE_BYTES];

		memcpy(message, t->bytes[socket], (size_t)bytes);
		t->length[socket] -= (size_t)bytes;
		memmove(t->bytes[socket], t->bytes[socket] + bytes, t->length[socket]);
		session_input(p->session, n->now, socket, from, 0, message, (size_t)bytes);
	}
}

static void take_event(struct net *n, int number, const struct tcpstack_event *e)
{
	struct party *p = &n->party[number];
	unsigned socket = p->tcp->session_of[e->socket];

	if (e->what == TCPSTACK_ACCEPTED) {
		accepted(n, number, e);
		return;
	}
	if (socket == SESSION_SOCKETS)
		return;
	switch (e->what) {
	case TCPSTACK_CONNECTED:
		p->tcp->connected[socket] = true;
		session_connected(p->session, n->now, socket, 0, 0);
		break;
	case TCPSTACK_FAILED:
		failed(n, number, socket, e);
		break;
	case TCPSTACK_DATA:
		take_data(n, number, socket, e);
		break;
	default:
		session_closed(
			p->session, n->now, socket, e->what == TCPSTACK_ENDED ? 0 : e->error);
		break;
	}
}

/* --- the server --- */

static void send_from_server(void *context, const uint8_t *bytes, size_t length)
{
	struct punchnet_server *s = context;

	if (punchnet_server_is_there(s->net))
		world_input(s->net->world, s->net->now, s->net->server, bytes, length);
}

static struct client *find_client(struct punchnet_server *s, unsigned socket)
{
	for (unsigned i = 0; i < PUNCHNET_CLIENTS; i++)
		if (s->clients[i].number && s->clients[i].socket == socket)
			return &s->clients[i];
	return NULL;
}

/* What a lying server says instead; its length. */
static size_t name_another(const struct net *n, uint8_t *bytes, size_t size, size_t length)
{
	struct rendezvous_message m;
	uint8_t copy[STUN_MESSAGE_BYTES];
	int written;

	memcpy(copy, bytes, length);
	if (n->config->named.family == FAMILY_NONE || rendezvous_decode(copy, length, &m))
		return length;
	if (m.peer_address.family != FAMILY_NONE)
		m.peer_address = n->config->named;
	if (n->config->vouch && m.mapped.family != FAMILY_NONE)
		m.mapped = n->config->named;
	written = rendezvous_encode(&m, bytes, size, 0);
	return written > 0 ? (size_t)written : length;
}

void punchnet_tcp_reply(struct net *n, uint64_t connection, const uint8_t *said, size_t length)
{
	struct punchnet_server *s = n->tcp;
	uint8_t bytes[STUN_MESSAGE_BYTES];

	memcpy(bytes, said, length);
	length = name_another(n, bytes, sizeof(bytes), length);
	for (unsigned i = 0; i < PUNCHNET_CLIENTS; i++)
		if (s->clients[i].number == connection && connection)
			tcpstack_send(s->stack, n->now, s->clients[i].socket, bytes, length);
}

static int bind_call(void *context, unsigned number, unsigned local, uint16_t *port)
{
	struct punchnet_server *s = context;
	struct endpoint e = s->net->responder.advertised[local], bound;
	int err;

	e.port = *port;
	err = tcpstack_bind(s->stack, CALL_SOCKETS + number, &e, &bound);
	if (!err)
		*port = bound.port;
	return err;
}

static void do_call(struct punchnet_server *s, const struct calls_output *out)
{
	unsigned socket = CALL_SOCKETS + out->number;
	struct calls_event event = {.number = out->number};
	struct calls_output next;
	int err;

	if (out->length && out->step != CALLS_GREET)
		punchnet_tcp_reply(s->net, out->connection, out->bytes, out->length);
	switch (out->step) {
	case CALLS_CONNECT:
		err = tcpstack_connect(s->stack, s->net->now, socket, &out->to);
		if (!err)
			break;
		event.error = err;
		event.local = true;
		calls_event(s->calls, s->net->now, &event, &next);
		do_call(s, &next);
		break;
	case CALLS_GREET:
		if (out->length && out->connection)
			punchnet_tcp_reply(s->net, out->connection, out->bytes, out->length);
		tcpstack_send(s->stack, s->net->now, socket, out->bytes, out->length);
		tcpstack_shutdown(s->stack, s->net->now, socket);
		break;
	case CALLS_CLOSE:
		tcpstack_abort(s->stack, socket);
		break;
	default:
		break;
	}
}

static void poll_calls(struct punchnet_server *s)
{
	struct calls_output out;

	while (calls_poll(s->calls, s->net->now, &out))
		do_call(s, &out);
}

static void serve_message(struct punchnet_server *s, struct client *c, size_t length)
{
	struct net *n = s->net;
	struct calls_input call = {.data = c->bytes,
		.length = length,
		.from = c->from,
		.local = c->local,
		.connection = c->number,
		.tally = &c->tally};
	struct responder_request request = {.data = c->bytes,
		.length = length,
		.from = c->from,
		.local = c->local,
		.stream = true};
	struct rendezvous_input in = {.data = c->bytes,
		.length = length,
		.from = c->from,
		.connection = c->number,
		.bond = &c->bond};
	struct responder_replies replies = {.count = 0};
	struct rendezvous_output out;
	struct calls_output called;

	if (call_looks_like(c->bytes, length)) {
		calls_input(s->calls, n->now, &call, &called);
		do_call(s, &called);
		return;
	}
	responder_answer(&n->responder, &request, &replies);
	for (size_t i = 0; i < replies.count; i++)
		punchnet_tcp_reply(n, c->number, replies.reply[i].bytes, replies.reply[i].length);
	if (replies.count)
		return;
	rendezvous_input(n->rendezvous, n->now, &in, &out);
	if (out.length && out.connection)
		punchnet_tcp_reply(n, out.connection, out.bytes, out.length);
	punchnet_poll_server(n);
}

static void client_data(struct punchnet_server *s, struct client *c, const struct tcpstack_event *e)
{
	int bytes;

	if (c->length + e->length > sizeof(c->bytes)) {
		punchnet_break(s->net, "too many bytes for the server");
		return;
	}
	memcpy(c->bytes + c->length, e->bytes, e->length);
	c->length += e->length;
	while ((bytes = stun_frame_bytes(c->bytes, c->length, STUN_MESSAGE_BYTES)) > 0 &&
		(size_t)bytes <= c->length) {
		serve_message(s, c, (size_t)bytes);
		c->length -= (size_t)bytes;
		memmove(c->bytes, c->bytes + bytes, c->length);
	}
}

static void client_accepted(struct punchnet_server *s, const struct tcpstack_event *e)
{
	for (unsigned i = 0; i < PUNCHNET_CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (c->number)
			continue;
		*c = (struct client){.socket = e->socket,
			.local = e->listener,
			.number = ++s->next_number,
			.from = e->from};
		return;
	}
	tcpstack_abort(s->stack, e->socket);
}

static void client_gone(struct punchnet_server *s, struct client *c)
{
	struct rendezvous_output out;

	calls_closed(s->calls, c->number);
	rendezvous_closed(s->net->rendezvous, s->net->now, c->number, &c->bond, &out);
	if (out.length && out.connection)
		punchnet_tcp_reply(s->net, out.connection, out.bytes, out.length);
	tcpstack_close(s->stack, s->net->now, c->socket);
	c->number = 0;
	punchnet_poll_server(s->net);
}

void punchnet_tcp_reset(struct net *n, int number)
{
	struct endpoint from = punchnet_outermost(n, n->party[number].host);

	for (unsigned i = 0; i < PUNCHNET_CLIENTS; i++) {
		struct client *c = &n->tcp->clients[i];

		if (!c->number || !c->bond.bound || !endpoint_same_address(&c->from, &from))
			continue;
		tcpstack_abort(n->tcp->stack, c->socket);
		client_gone(n->tcp, c);
	}
}

static void call_event(struct punchnet_server *s, const struct tcpstack_event *e)
{
	struct calls_event event = {.number = e->socket - CALL_SOCKETS, .error = e->error};
	struct calls_output out;

	if (e->what == TCPSTACK_DATA)
		return;
	if (e->what == TCPSTACK_FAILED && e->offender.family != FAMILY_NONE) {
		event.has_icmp = true;
		event.icmp = (struct stun_icmp){
			.type = e->type, .code = e->code, .count = 1, .offender = e->offender};
	}
	calls_event(s->calls, s->net->now, &event, &out);
	do_call(s, &out);
}

static void take_server_event(struct punchnet_server *s, const struct tcpstack_event *e)
{
	struct client *c = find_client(s, e->socket);

	if (e->what == TCPSTACK_ACCEPTED)
		client_accepted(s, e);
	else if (c && e->what == TCPSTACK_DATA)
		client_data(s, c, e);
	else if (c)
		client_gone(s, c);
	else if (e->socket >= CALL_SOCKETS && e->socket < CALL_SOCKETS + CALLS_MAX)
		call_event(s, e);
}

/* --- all --- */

void punchnet_tcp_input(struct net *n, int number, const void *bytes, size_t length)
{
	struct tcpstack_event e;

	if (number < 0) {
		tcpstack_input(n->tcp->stack, n->now, bytes, length);
		while (tcpstack_event(n->tcp->stack, &e))
			take_server_event(n->tcp, &e);
		poll_calls(n->tcp);
		return;
	}
	tcpstack_input(n->party[number].tcp->stack, n->now, bytes, length);
	while (tcpstack_event(n->party[number].tcp->stack, &e))
		take_event(n, number, &e);
}

static uint64_t sooner(uint64_t a_us, uint64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

uint64_t punchnet_tcp_run(struct net *n)
{
	struct tcpstack_event e;
	uint64_t next_us;

	tcpstack_run_timers(n->tcp->stack, n->now);
	while (tcpstack_event(n->tcp->stack, &e))
		take_server_event(n->tcp, &e);
	poll_calls(n->tcp);
	next_us = sooner(tcpstack_next_us(n->tcp->stack), calls_next_us(n->tcp->calls));
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		struct party *p = &n->party[i];

		if (p->dead || !p->tcp || n->now < BEGIN_US + p->config->start_us)
			continue;
		tcpstack_run_timers(p->tcp->stack, n->now);
		while (tcpstack_event(p->tcp->stack, &e))
			take_event(n, i, &e);
		next_us = sooner(next_us, tcpstack_next_us(p->tcp->stack));
	}
	return next_us;
}

static int create_party(struct net *n, int number)
{
	struct punchnet_tcp *t = calloc(1, sizeof(*t));
	struct tcpstack_config config = {.linear_syns = 4, .send = send_from_party, .context = t};

	if (!t)
		return -ENOMEM;
	n->party[number].tcp = t;
	t->net = n;
	t->number = number;
	t->host = n->party[number].host;
	for (unsigned i = 0; i < SESSION_SOCKETS; i++)
		t->stack_of[i] = NO_STACK;
	for (unsigned i = 0; i < TCPSTACK_SOCKETS; i++)
		t->session_of[i] = SESSION_SOCKETS;
	random_init_number(&config.random, n->config->seed * 16 + 10 + (unsigned)number);
	return tcpstack_create(&config, &t->stack);
}

static int create_listeners(struct punchnet_server *s)
{
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		const struct endpoint *e = &s->net->responder.advertised[i];

		if (e->family == FAMILY_NONE)
			continue;
		if (tcpstack_bind(s->stack, i, e, NULL) || tcpstack_listen(s->stack, i))
			return -EADDRINUSE;
	}
	return 0;
}

static int create_server(struct net *n)
{
	static const uint8_t key[SOURCES_KEY_BYTES] = {5};
	struct punchnet_server *s = calloc(1, sizeof(*s));
	struct tcpstack_config config = {.linear_syns = 4, .send = send_from_server, .context = s};
	struct calls_config calls = {.bind = bind_call, .context = s};
	int err;

	if (!s)
		return -ENOMEM;
	n->tcp = s;
	s->net = n;
	random_init_number(&config.random, n->config->seed * 16 + 9);
	memcpy(calls.advertised, n->responder.advertised, sizeof(calls.advertised));
	err = tcpstack_create(&config, &s->stack);
	if (!err)
		err = calls_create(&s->calls, &calls, key);
	return err ? err : create_listeners(s);
}

int punchnet_tcp_create(struct net *n)
{
	int err = create_server(n);

	for (int i = 0; i < PUNCHNET_PARTIES && !err; i++)
		err = create_party(n, i);
	return err;
}

void punchnet_tcp_destroy(struct net *n)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		if (n->party[i].tcp)
			tcpstack_destroy(n->party[i].tcp->stack);
		free(n->party[i].tcp);
	}
	if (!n->tcp)
		return;
	calls_destroy(n->tcp->calls);
	tcpstack_destroy(n->tcp->stack);
	free(n->tcp);
}
