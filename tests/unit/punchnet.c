// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/punchnet_private.h"
#include "wire/packet.h"

#define LIMIT_US      90000000u
#define UTC_US	      1800000000000000u /* at the beginning */
#define STEPS_MAX     4000000u
#define TTL_USUAL     64
#define SERVER_PORT   3478
#define SERVER_OTHER  3479
#define EPHEMERAL_LOW 32768
#define EPHEMERAL     28000
#define STREAM_WAY_US 30000u /* of a message over TCP, and of each step to connect */
#define AFTER_US      2000000u /* what is still carried after both have ended */

void punchnet_break(struct net *n, const char *what)
{
	if (!*n->result->broken)
		snprintf(n->result->broken, sizeof(n->result->broken), "%.150s", what);
}

/* --- addresses --- */

struct endpoint punchnet_address(const struct net *n, int host, enum family family, unsigned which)
{
	const struct world_node *node = world_at(n->world, host);
	struct endpoint none = {.family = FAMILY_NONE};

	for (size_t i = 0; i < node->address_count; i++)
		if (node->addresses[i].family == family && !which--)
			return node->addresses[i];
	return none;
}

static void send_packet(struct net *n, int host, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, const void *data, size_t length)
{
	static uint8_t bytes[PACKET_BYTES_MAX];
	int size = packet_build_udp(bytes, sizeof(bytes), from, to, ttl, data, length);

	if (size > 0)
		world_input(n->world, n->now, host, bytes, (size_t)size);
}

/* --- the server --- */

static void create_server(struct net *n)
{
	static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
	static const struct store_memory_limits limits = {.sessions = 1000, .per_source = 64};

	n->responder.software = "natprobed";
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		struct endpoint *e = &n->responder.advertised[i];

		*e = punchnet_address(n, n->server, families[(i & RESPONDER_IPV6) != 0],
			(i & RESPONDER_ADDRESS) != 0);
		e->port = i & RESPONDER_PORT ? SERVER_OTHER : SERVER_PORT;
	}
	if (store_memory_create(&n->store, &limits, n->random.seed) ||
		rendezvous_create(&n->rendezvous, n->store, &n->random))
		punchnet_break(n, "no server");
}

bool punchnet_server_is_there(const struct net *n)
{
	return !n->config->server_dies_us || n->now < BEGIN_US + n->config->server_dies_us ||
		n->returned;
}

static void queue_message(
	struct net *n, struct stream *s, bool to_server, const void *data, size_t length)
{
	struct stream_message *m = &s->queue[(s->first + s->count) % STREAM_QUEUE];

	if (s->count == STREAM_QUEUE) {
		punchnet_break(n, "a flood over TCP");
		return;
	}
	s->count++;
	m->at_us = n->now + STREAM_WAY_US;
	m->to_server = to_server;
	m->length = length;
	memcpy(m->bytes, data, length);
}

static void send_output(struct net *n, const struct rendezvous_output *out)
{
	if (n->config->tcp && out->length && out->connection)
		punchnet_tcp_reply(n, out->connection, out->bytes, out->length);
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		if (out->length && out->connection && n->party[i].stream.is_open &&
			n->party[i].stream.connection == out->connection)
			queue_message(n, &n->party[i].stream, false, out->bytes, out->length);
	if (out->length && !out->connection)
		send_packet(n, n->server, &n->responder.advertised[out->local], &out->to, TTL_USUAL,
			out->bytes, out->length);
}

void punchnet_poll_server(struct net *n)
{
	struct rendezvous_output out;

	while (punchnet_server_is_there(n) && rendezvous_poll(n->rendezvous, n->now, &out))
		send_output(n, &out);
}

static void serve(struct net *n, const struct packet *p)
{
	struct responder_request q = {.data = p->bytes + p->payload,
		.length = p->payload_length,
		.from = p->source,
		.local = RESPONDER_ENDPOINTS,
		.meta = {.ttl = p->ttl}};
	struct responder_replies replies = {.count = 0};
	struct rendezvous_input in = {.data = q.data, .length = q.length, .from = p->source};
	struct rendezvous_output out;

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (endpoint_equal(&n->responder.advertised[i], &p->destination))
			q.local = in.local = i;
	if (q.local == RESPONDER_ENDPOINTS || !punchnet_server_is_there(n) ||
		p->destination.family == n->config->udp_lost)
		return;
	responder_answer(&n->responder, &q, &replies);
	for (size_t i = 0; i < replies.count; i++)
		for (unsigned k = 0; k < replies.reply[i].copies; k++)
			send_packet(n, n->server, &n->responder.advertised[replies.reply[i].local],
				&replies.reply[i].to, TTL_USUAL, replies.reply[i].bytes,
				replies.reply[i].length);
	if (replies.count)
		return;
	rendezvous_input(n->rendezvous, n->now, &in, &out);
	send_output(n, &out);
	punchnet_poll_server(n);
}

/* --- the parties --- */

static int find_socket(const struct party *p, const struct endpoint *local)
{
	for (int i = 0; i < SESSION_SOCKETS; i++)
		if (p->ports[i] && p->ports[i] == local->port && p->families[i] == local->family)
			return i;
	return -1;
}

static void open_socket(struct net *n, struct party *p, const struct session_output *out)
{
	enum family family = out->local.family ? out->local.family : out->family;
	struct endpoint local = punchnet_address(n, p->host, family, 0);
	uint64_t none_us = p->config->no_sockets_us;

	if (out->socket >= SESSION_SOCKETS || p->ports[out->socket])
		punchnet_break(n, "a socket is opened twice");
	if (local.family == FAMILY_NONE || (none_us && n->now >= BEGIN_US + none_us)) {
		session_opened(p->session, n->now, out->socket,
			local.family == FAMILY_NONE ? -EADDRNOTAVAIL : -EMFILE, NULL);
		return;
	}
	local.port = out->local.port ? out->local.port
		: out->port	     ? out->port
			    : (uint16_t)(EPHEMERAL_LOW + random_below(&n->random, EPHEMERAL));
	if (find_socket(p, &local) >= 0) {
		session_opened(p->session, n->now, out->socket, -EADDRINUSE, NULL);
		return;
	}
	p->ports[out->socket] = local.port;
	p->families[out->socket] = family;
	session_opened(p->session, n->now, out->socket, 0, &local);
}

void punchnet_count(struct net *n, int number, const struct endpoint *to)
{
	struct punchnet_outcome *o = &n->result->party[number];

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (endpoint_same_address(&n->responder.advertised[i], to))
			return;
	o->sent++;
	if (!endpoint_is_unicast(to) || endpoint_is_loopback(to))
		punchnet_break(n, "a packet to no host");
}

static void connect_stream(struct net *n, struct party *p, enum family family)
{
	bool lost = family == n->config->tcp_lost;

	if (p->stream.is_open)
		punchnet_break(n, "a second connection");
	p->stream = (struct stream){.is_open = true,
		.opens_us = lost ? UINT64_MAX : n->now + 2 * STREAM_WAY_US,
		.connection = ++n->connections};
}

static void close_stream(struct net *n, struct party *p)
{
	struct rendezvous_output out;

	p->stream.is_open = false;
	rendezvous_closed(n->rendezvous, n->now, p->stream.connection, &p->stream.bond, &out);
	send_output(n, &out);
}

struct endpoint punchnet_outermost(const struct net *n, int host)
{
	struct endpoint e = {.family = FAMILY_NONE};
	int node = host;

	while (node && world_at(n->world, node)->up)
		node = world_at(n->world, node)->up;
	if (world_at(n->world, node)->kind == WORLD_NAT)
		e = world_at(n->world, node)->nat.external[0];
	if (e.family == FAMILY_NONE)
		e = punchnet_address(n, host, FAMILY_IPV4, 0);
	e.port = 50000;
	return e;
}

static void serve_stream(struct net *n, struct party *p, const struct stream_message *m)
{
	struct rendezvous_input in = {.data = m->bytes,
		.length = m->length,
		.from = punchnet_outermost(n, p->host),
		.connection = p->stream.connection,
		.bond = &p->stream.bond};
	struct rendezvous_output out;

	rendezvous_input(n->rendezvous, n->now, &in, &out);
	send_output(n, &out);
	punchnet_poll_server(n);
}

/* What is due on it; the next moment. */
static uint64_t run_stream(struct net *n, struct party *p)
{
	struct stream *s = &p->stream;
	struct endpoint local = {FAMILY_IPV4, 1, 0, {0}};
	const struct stream_message *m;

	if (!s->is_open || p->dead)
		return UINT64_MAX;
	if (!punchnet_server_is_there(n) ||
		(s->opens_us && s->opens_us <= n->now && n->config->no_tcp)) {
		s->is_open = false;
		session_opened(p->session, n->now, SESSION_STREAM, -ECONNREFUSED, NULL);
		return UINT64_MAX;
	}
	if (s->opens_us && s->opens_us > n->now)
		return s->opens_us;
	if (s->opens_us) {
		s->opens_us = 0;
		session_opened(p->session, n->now, SESSION_STREAM, 0, &local);
	}
	while (s->is_open && s->count && (m = &s->queue[s->first])->at_us <= n->now) {
		s->first = (s->first + 1) % STREAM_QUEUE;
		s->count--;
		if (m->to_server)
			serve_stream(n, p, m);
		else
			session_input(
				p->session, n->now, SESSION_STREAM, &local, 0, m->bytes, m->length);
	}
	return s->count ? s->queue[s->first].at_us : UINT64_MAX;
}

static void send_from(struct net *n, int number, const struct session_output *out)
{
	struct party *p = &n->party[number];
	struct endpoint from = punchnet_address(n, p->host, out->to.family, 0);

	if (out->socket == SESSION_STREAM) {
		if (p->stream.is_open && !p->stream.opens_us)
			queue_message(n, &p->stream, true, out->data, out->length);
		return;
	}
	from.port = p->ports[out->socket];
	if (!from.port) {
		punchnet_break(n, "a packet from a socket that is not open");
		return;
	}
	if (endpoint_equal(&from, &out->to))
		punchnet_break(n, "a packet to its own source");
	punchnet_count(n, number, &out->to);
	send_packet(n, p->host, &from, &out->to, out->ttl ? out->ttl : TTL_USUAL, out->data,
		out->length);
}

static void send_echo(struct net *n, int number, const struct session_output *out)
{
	static uint8_t bytes[PACKET_BYTES_MAX];
	struct endpoint from = out->local;
	int size;

	from.port = 0;
	size = packet_build_echo(
		bytes, sizeof(bytes), &from, &out->to, TTL_USUAL, false, 0, NULL, 0);
	n->result->party[number].echoes++;
	punchnet_count(n, number, &out->to);
	if (size > 0)
		world_input(n->world, n->now, n->party[number].host, bytes, (size_t)size);
}

static bool is_lost(const struct net *n, const struct session_output *out)
{
	static const uint8_t kinds[][2] = {{11, 0}, {3, 3}, {11, 1}, {12, 0}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (out->type == kinds[i][0] && out->code == kinds[i][1])
			return n->config->knock_types_lost >> i & 1;
	return false;
}

static int build_quoted(uint8_t *quoted, size_t size, const struct session_output *out)
{
	struct endpoint from = out->quoted_from;

	if (!out->quotes_echo)
		return packet_build_udp(
			quoted, size, &from, &out->quoted_to, 1, out->data, out->length);
	from.port = 0;
	return packet_build_echo(quoted, size, &from, &out->quoted_to, 1, false, 0, NULL, 0);
}

static void send_error(struct net *n, int number, const struct session_output *out)
{
	static uint8_t quoted[PACKET_BYTES_MAX], bytes[PACKET_BYTES_MAX];
	struct party *p = &n->party[number];
	struct endpoint from = punchnet_address(n, p->host, out->to.family, 0);
	struct packet cause;
	int size = build_quoted(quoted, sizeof(quoted), out);

	n->result->party[number].errors++;
	if (size < 0 || packet_decode(quoted, (size_t)size, &cause) || is_lost(n, out))
		return;
	size = packet_build_error(bytes, sizeof(bytes), &from, &cause, out->type, out->code, 0);
	if (size > 0)
		world_input(n->world, n->now, p->host, bytes, (size_t)size);
	else
		punchnet_break(n, "no error can be built");
}

static void poll_party(struct net *n, int number)
{
	struct party *p = &n->party[number];
	struct session_output out;

	p->deadline_us = UINT64_MAX;
	if (p->dead)
		return;
	if (n->now < BEGIN_US + p->config->start_us) {
		p->deadline_us = BEGIN_US + p->config->start_us;
		return;
	}
	while (session_poll(p->session, n->now, &out) != SESSION_WAIT) {
		if (++n->result->steps > STEPS_MAX) {
			punchnet_break(n, "it does not come to rest");
			return;
		}
		if (n->config->tcp)
			punchnet_tcp_carry(n, number, &out);
		else if (out.action == SESSION_OPEN)
			open_socket(n, p, &out);
		else if (out.action == SESSION_CONNECT)
			connect_stream(n, p, out.to.family);
		else if (out.action == SESSION_CLOSE && out.socket == SESSION_STREAM)
			close_stream(n, p);
		else if (out.action == SESSION_CLOSE)
			p->ports[out.socket] = 0;
		else if (out.action == SESSION_ERROR)
			send_error(n, number, &out);
		else if (out.action == SESSION_ECHO)
			send_echo(n, number, &out);
		else
			send_from(n, number, &out);
	}
	p->deadline_us = out.deadline_us;
}

static void take_error(struct net *n, struct party *p, const struct packet *error)
{
	struct icmp_seen seen = {.type = error->type,
		.code = error->code,
		.offender = error->source,
		.error = ECONNREFUSED,
		.t_us = n->now};
	struct packet quoted;
	int socket;

	session_icmp(p->session, n->now, &seen, error->bytes + error->quoted,
		error->length - error->quoted);
	if (packet_decode_quoted(error, &quoted) || quoted.protocol != PACKET_UDP)
		return;
	socket = find_socket(p, &quoted.source);
	if (socket >= 0)
		session_error(p->session, n->now, (unsigned)socket, &quoted.destination, &seen,
			quoted.bytes + quoted.payload, quoted.payload_length);
}

static void deliver_tcp(struct net *n, const struct world_arrival *a)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		if (a->host == n->party[i].host && !n->party[i].dead && n->party[i].session)
			punchnet_tcp_input(n, i, a->bytes, a->length);
	if (a->host == n->server && punchnet_server_is_there(n))
		punchnet_tcp_input(n, -1, a->bytes, a->length);
}

static void deliver(struct net *n, const struct world_arrival *a)
{
	struct packet packet;
	int socket;

	if (packet_decode((void *)a->bytes, a->length, &packet))
		return;
	if (n->config->tcp) {
		deliver_tcp(n, a);
		return;
	}
	if (a->host == n->server && packet.protocol == PACKET_UDP) {
		serve(n, &packet);
		return;
	}
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		struct party *p = &n->party[i];

		if (a->host != p->host || p->dead || !p->session)
			continue;
		if (packet.protocol == PACKET_ERROR)
			take_error(n, p, &packet);
		if (packet.protocol != PACKET_UDP)
			continue;
		socket = find_socket(p, &packet.destination);
		if (socket >= 0)
			session_input(p->session, n->now, (unsigned)socket, &packet.source,
				packet.ttl, packet.bytes + packet.payload, packet.payload_length);
	}
}

/* --- the run --- */

static int create_network(struct net *n)
{
	char error[200];
	int err = topology_create(&n->topology);

	if (!err)
		err = topology_read(n->topology, n->config->topology, strlen(n->config->topology),
			error, sizeof(error));
	if (!err)
		err = topology_complete(n->topology, error, sizeof(error));
	if (!err)
		err = topology_build(n->topology, n->config->seed, &n->world, error, sizeof(error));
	n->server = topology_find(n->topology, WORLD_HOST, "server");
	n->party[0].host = topology_find(n->topology, WORLD_HOST, "a");
	n->party[1].host = topology_find(n->topology, WORLD_HOST, "b");
	if (err)
		punchnet_break(n, error);
	return err;
}

static void set_knock(struct net *n, int number, struct session_config *c)
{
	struct session_knock *k = &c->knock;
	enum family family = n->config->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;

	k->on = true;
	k->waits = !number;
	k->classic = n->config->knock_classic;
	memset(k->key.bytes, (int)strlen(n->party[number].config->secret), sizeof(k->key.bytes));
	k->from[k->from_count++] = punchnet_address(n, n->party[number].host, family, 0);
	k->target = n->config->ipv6 ? punchnet_address(n, n->party[0].host, family, 0)
				    : punchnet_outermost(n, n->party[0].host);
	k->target.port = n->config->knock_port;
	c->sockets_max = (uint16_t)n->config->knock_further;
	c->rate_pps = 500;
	if (!number || !n->config->knock_stun)
		c->servers[0].family = c->servers[1].family = FAMILY_NONE;
}

static void create_party(struct net *n, int number)
{
	static const uint8_t id[RENDEZVOUS_SESSION_BYTES] = {7};
	struct party *p = &n->party[number];
	bool v4 = n->config->ipv4 || !n->config->ipv6, v6 = n->config->ipv6;
	struct session_config c = {.packets_max = 2048,
		.sockets_max = 256,
		.rate_pps = 200,
		.wait_us = n->config->wait_us ? n->config->wait_us : 60000000};

	p->config = &n->config->party[number];
	p->reset_us = p->config->reset_us ? BEGIN_US + p->config->reset_us : UINT64_MAX;
	if (p->config->packets_max)
		c.packets_max = p->config->packets_max;
	if (p->config->sockets_max)
		c.sockets_max = p->config->sockets_max;
	if (p->config->rate_pps)
		c.rate_pps = p->config->rate_pps;
	c.tcp = n->config->tcp;
	c.manual = n->config->manual;
	c.signals = n->config->signals;
	c.utc_us = UTC_US + p->config->start_us + (uint64_t)p->config->skew_us;
	memcpy(c.id, id, sizeof(id));
	c.secret = (struct span){(const uint8_t *)p->config->secret, strlen(p->config->secret)};
	if (v4)
		c.hosts[c.host_count++] = punchnet_address(n, p->host, FAMILY_IPV4, 0);
	if (v6)
		c.hosts[c.host_count++] = punchnet_address(n, p->host, FAMILY_IPV6, 0);
	c.servers[0] = v4 ? n->responder.advertised[0] : (struct endpoint){FAMILY_NONE, 0, 0, {0}};
	c.servers[1] = v6 ? n->responder.advertised[RESPONDER_IPV6]
			  : (struct endpoint){FAMILY_NONE, 0, 0, {0}};
	if (n->config->knock)
		set_knock(n, number, &c);
	random_init_number(&c.random, n->config->seed * 16 + 8 + (unsigned)number);
	if (journal_create(BEGIN_US + p->config->start_us, &p->journal) ||
		trail_create(BEGIN_US + p->config->start_us, &n->result->party[number].trail)) {
		punchnet_break(n, "no memory");
		return;
	}
	c.journal = p->journal;
	c.trail = n->result->party[number].trail;
	if (session_create(&c, BEGIN_US + p->config->start_us, &p->session))
		punchnet_break(n, "no session");
}

static bool has_ended(const struct party *p)
{
	const struct session_view *v = session_view(p->session);

	return p->dead || v->state == SESSION_FAILED || v->state == SESSION_CONNECTED;
}

/* As two people do, one after the other. */
static void exchange_lines(struct net *n)
{
	for (int i = 0; i < PUNCHNET_PARTIES && n->config->manual; i++) {
		struct party *p = &n->party[i];
		const struct session_view *other = session_view(n->party[!i].session);
		uint64_t at_us = BEGIN_US + p->config->paste_us;

		if (p->pasted || !other->line || session_view(p->session)->state != SESSION_WAITING)
			continue;
		if (at_us > n->now) {
			p->deadline_us = at_us < p->deadline_us ? at_us : p->deadline_us;
			continue;
		}
		p->pasted = true;
		if (session_take_line(p->session, n->now, other->line))
			punchnet_break(n, "the other's line is not taken");
		p->deadline_us = n->now;
	}
}

/* When the way breaks; UINT64_MAX: there is none, or it lasts. */
static uint64_t next_break_us(const struct net *n)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		if (session_view(n->party[i].session)->state != SESSION_CONNECTED)
			return UINT64_MAX;
	return n->again == n->config->again ? UINT64_MAX : BEGIN_US + n->config->again_us;
}

/* Whether the way breaks now. */
static bool break_way(struct net *n)
{
	struct party *p = &n->party[n->again & 1];

	if (n->now < next_break_us(n))
		return false;
	n->again++;
	session_again(p->session, n->now);
	p->deadline_us = n->now;
	return true;
}

static void kill_the_dying(struct net *n)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		uint64_t die_us = n->party[i].config->die_us;

		if (die_us && n->now >= BEGIN_US + die_us)
			n->party[i].dead = true;
	}
}

/* A new process, with none of the sessions. */
static void return_server(struct net *n)
{
	if (!n->config->server_returns_us || n->returned ||
		n->now < BEGIN_US + n->config->server_returns_us)
		return;
	rendezvous_destroy(n->rendezvous);
	n->store->does->destroy(n->store);
	create_server(n);
	n->returned = true;
}

/* When the next connection is reset. */
static uint64_t reset_connections(struct net *n)
{
	uint64_t first_us = UINT64_MAX;

	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		struct party *p = &n->party[i];

		if (n->now >= p->reset_us) {
			punchnet_tcp_reset(n, i);
			p->reset_us = p->config->reset_every_us
				? p->reset_us + p->config->reset_every_us
				: UINT64_MAX;
		}
		first_us = p->reset_us < first_us ? p->reset_us : first_us;
	}
	return first_us;
}

static uint64_t run_streams(struct net *n)
{
	uint64_t first_us = UINT64_MAX, at_us;

	if (n->config->tcp)
		return punchnet_tcp_run(n);
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		at_us = run_stream(n, &n->party[i]);
		first_us = at_us < first_us ? at_us : first_us;
	}
	return first_us;
}

static void step(struct net *n)
{
	struct world_arrival a;
	uint64_t next_us, at_us, reset_us;

	kill_the_dying(n);
	return_server(n);
	reset_us = reset_connections(n);
	run_streams(n);
	while (world_poll(n->world, n->now, &a, &next_us))
		deliver(n, &a);
	punchnet_poll_server(n);
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		poll_party(n, i);
	exchange_lines(n);
	/* what has just been sent may arrive at once */
	while (world_poll(n->world, n->now, &a, &next_us)) {
		deliver(n, &a);
		next_us = n->now;
	}
	at_us = run_streams(n);
	if (at_us < next_us)
		next_us = at_us;
	at_us = rendezvous_next_us(n->rendezvous);
	if (punchnet_server_is_there(n) && at_us < next_us)
		next_us = at_us;
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		if (n->party[i].deadline_us < next_us)
			next_us = n->party[i].deadline_us;
	at_us = next_break_us(n);
	if (at_us < next_us)
		next_us = at_us;
	if (reset_us < next_us)
		next_us = reset_us;
	if (next_us == UINT64_MAX)
		next_us = n->now + AFTER_US; /* nothing will happen any more */
	n->now = next_us > n->now ? next_us : n->now + 1;
}

static void take_outcome(struct net *n, int number)
{
	struct party *p = &n->party[number];
	struct punchnet_outcome *o = &n->result->party[number];

	o->view = *session_view(p->session);
	o->ended = has_ended(p) && !p->dead;
	if (o->view.checks)
		o->checks = *o->view.checks;
	o->view.checks = NULL;
	o->view.meeting = NULL;
	if (o->view.waited)
		o->waited = *o->view.waited;
	if (o->view.knocked)
		o->knocked = *o->view.knocked;
	o->view.waited = NULL;
	o->view.knocked = NULL;
	if (!o->checks.connected)
		return;
	o->remote = o->checks.remote;
	o->local = punchnet_address(n, p->host, o->remote.family, 0);
	o->local.port = p->ports[o->checks.socket];
	if (n->config->tcp)
		o->local = punchnet_tcp_local(n, number, o->checks.socket);
}

void punchnet_run(const struct punchnet_config *config, struct punchnet_result *out)
{
	struct net *n = calloc(1, sizeof(*n));
	uint64_t end_us = BEGIN_US + (config->limit_us ? config->limit_us : LIMIT_US);
	uint64_t over_us = 0;

	memset(out, 0, sizeof(*out));
	n->config = config;
	n->result = out;
	n->now = BEGIN_US;
	random_init_number(&n->random, config->seed * 16 + 7);
	if (!create_network(n)) {
		create_server(n);
		if (config->tcp && punchnet_tcp_create(n))
			punchnet_break(n, "no memory");
		for (int i = 0; i < PUNCHNET_PARTIES; i++)
			create_party(n, i);
		while (!*out->broken && n->now < end_us && (!over_us || n->now < over_us)) {
			step(n);
			if (break_way(n))
				continue;
			if (!over_us && has_ended(&n->party[0]) && has_ended(&n->party[1]) &&
				next_break_us(n) == UINT64_MAX)
				over_us = n->now + AFTER_US;
		}
		out->duration_us = n->now - BEGIN_US;
	}
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		if (!n->party[i].session)
			continue;
		take_outcome(n, i);
		session_destroy(n->party[i].session);
		journal_destroy(n->party[i].journal);
	}
	punchnet_tcp_destroy(n);
	rendezvous_destroy(n->rendezvous);
	if (n->store)
		n->store->does->destroy(n->store);
	world_destroy(n->world);
	topology_destroy(n->topology);
	free(n);
}

void punchnet_free(struct punchnet_result *result)
{
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		trail_destroy(result->party[i].trail);
}
