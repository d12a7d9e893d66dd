// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/tcp_probe.h"
#include "simnet_private.h"
#include "tcpnet.h"
#include "wire/call.h"

#define START_US    1000000u
#define PACKETS	    4096
#define ENDS	    512
#define FLOWS	    1024
#define PROMISES    64
#define ACTIONS_MAX 1000
#define TURNS_MAX   200000
#define RESEND_US   250000u /* of bytes that got lost */
#define LATE_US	    6100000u
#define FIRST_THIRD 50000u
#define SYNS_MAX    4
#define TTL	    64

enum side { HOST, SERVER };
enum segment { SYN, SYN_ACK, ACK, RST, BYTES, TIMER_SYN, TIMER_CALL, TIMER_SILENT, TIMER_ROUTER };
enum end_state { END_NONE, END_SYN_SENT, END_SYN_RECEIVED, END_ESTABLISHED };

/* One end of a connection. */
struct end {
	enum side side;
	enum end_state state;
	struct endpoint local, remote;
	bool active; /* it has sent the first SYN */
	unsigned socket; /* of the prober, on the host's side */
	unsigned syns;
	unsigned segments; /* that have come in */
	uint64_t first_us, last_bytes_us;
	size_t promise; /* the call that it is; PROMISES: none */
	uint8_t ttl; /* of its SYN */
	unsigned router; /* which that ends at; 0: none */
	uint32_t sequence;
	struct syn_options offers; /* in its SYN or SYN-ACK */
	struct syn heard; /* of the other side, as it arrived */
};

struct packet {
	uint64_t t_us, order;
	enum segment segment;
	enum side to_side;
	bool at_nat; /* not yet through it */
	struct endpoint from, to;
	size_t end, promise; /* of timers */
	struct syn syn;
	uint8_t ttl; /* of a RST, as it arrives */
	size_t length;
	uint8_t data[CALL_BYTES_MAX];
};

/* A call that the server has promised. */
struct promise {
	struct stun_id id;
	enum call_from which;
	struct endpoint from, to;
	size_t control; /* end */
	uint64_t first_us;
	uint32_t patience_us;
	bool over;
};

struct net {
	const struct tcpnet_config *config;
	struct simnet_result *result;
	struct random random, probe_random;
	struct tcp_probe *probe;
	uint64_t now_us, order;
	struct endpoint host;
	struct nat nat;
	struct sim_server server;
	struct packet packets[PACKETS];
	size_t packet_count;
	struct end ends[ENDS];
	size_t end_count;
	struct promise promises[PROMISES];
	size_t promise_count;
	struct {
		struct endpoint inside, external, remote;
		bool open; /* something has come in */
	} flows[FLOWS];
	size_t flow_count;
	struct endpoint listeners[TCP_SOCKETS];
	uint16_t third;
	bool port_was_taken;
};

static void broken(struct net *n, const char *what)
{
	if (!*n->result->broken)
		snprintf(n->result->broken, sizeof(n->result->broken), "%s", what);
}

static bool chance(struct net *n, unsigned of_thousand)
{
	return of_thousand && random_below(&n->random, 1000) < of_thousand;
}

/* --- packets --- */

static struct packet *add_packet(struct net *n, uint64_t t_us, enum segment segment)
{
	struct packet *p = &n->packets[n->packet_count];

	if (n->packet_count + 1 < PACKETS)
		n->packet_count++;
	else
		broken(n, "too much under way");
	memset(p, 0, offsetof(struct packet, data));
	p->t_us = t_us;
	p->order = n->order++;
	p->segment = segment;
	return p;
}

static size_t find_flow(
	const struct net *n, const struct endpoint *external, const struct endpoint *remote)
{
	for (size_t i = 0; i < n->flow_count; i++)
		if (endpoint_equal(&n->flows[i].external, external) &&
			endpoint_equal(&n->flows[i].remote, remote))
			return i;
	return FLOWS;
}

static size_t add_flow(struct net *n, const struct endpoint *inside,
	const struct endpoint *external, const struct endpoint *remote)
{
	size_t i = find_flow(n, external, remote);

	if (i != FLOWS)
		return i;
	if (n->flow_count + 1 >= FLOWS)
		broken(n, "too many flows");
	i = n->flow_count++;
	n->flows[i].inside = *inside;
	n->flows[i].external = *external;
	n->flows[i].remote = *remote;
	return i;
}

/* From which endpoint it leaves: an answer goes the way that it came. */
static struct endpoint leave(
	struct net *n, const struct endpoint *inside, const struct endpoint *remote)
{
	struct endpoint external;

	for (size_t i = 0; i < n->flow_count; i++)
		if (endpoint_equal(&n->flows[i].inside, inside) &&
			endpoint_equal(&n->flows[i].remote, remote))
			return n->flows[i].external;
	external = nat_out(&n->nat, inside, remote);
	add_flow(n, inside, &external, remote);
	return external;
}

static uint64_t delay(struct net *n)
{
	uint64_t jitter = n->config->nat.jitter_us;

	return n->config->nat.delay_us + (jitter ? random_below(&n->random, (uint32_t)jitter) : 0);
}

/* From the host through the NAT, or from the server as far as the NAT. NULL: it is lost. */
static struct packet *send_segment(struct net *n, enum side from_side, enum segment segment,
	const struct endpoint *from, const struct endpoint *to)
{
	struct endpoint source = *from;
	struct packet *p;
	bool hairpin;

	if (from_side == HOST)
		source = leave(n, from, to);
	hairpin = endpoint_same_address(to, &n->nat.address);
	if (from_side == HOST && hairpin && !n->config->nat.hairpin)
		return NULL;
	if (chance(n, n->config->nat.loss) && !(from_side == HOST && hairpin))
		return NULL;
	p = add_packet(n, n->now_us + (from_side == HOST && hairpin ? 1000 : delay(n)), segment);
	p->to_side = from_side == HOST && !hairpin ? SERVER : HOST;
	p->at_nat = p->to_side == HOST;
	p->from = source;
	p->to = *to;
	return p;
}

/* --- what SYNs say --- */

static uint16_t mss_of(const struct net *n, enum side side)
{
	const struct tcpnet_syns *c = &n->config->syns;
	uint16_t mtu = side == HOST ? c->host_mtu : c->server_mtu;

	return (uint16_t)((mtu ? mtu : 1500) - (n->config->nat.ipv6 ? 60 : 40));
}

/* Who answers offers what it was offered. */
static struct syn_options offers_of(const struct net *n, const struct end *e)
{
	struct syn_options o = {SYN_MSS | SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE, 7, 0};

	o.mss = mss_of(n, e->side);
	if (!e->active)
		o.has &= e->heard.options.has | SYN_MSS;
	if (!(o.has & SYN_SCALE))
		o.scale = 0;
	return o;
}

/* As it arrives at the other side. */
static struct syn travel(const struct net *n, const struct end *e)
{
	const struct tcpnet_syns *c = &n->config->syns;
	struct syn s = {.ttl = c->ttl ? c->ttl : e->ttl,
		.window = 64240,
		.sequence = e->sequence + (c->renumber ? 0x12345678 : 0),
		.options = e->offers};

	s.ttl = (uint8_t)(s.ttl - c->hops);
	s.options.has &= (uint8_t) ~(e->side == HOST ? c->strip_out : c->strip_in);
	if (!(s.options.has & SYN_SCALE))
		s.options.scale = 0;
	if (!(s.options.has & SYN_MSS))
		s.options.mss = 0;
	if (c->mss && s.options.mss > c->mss)
		s.options.mss = c->mss;
	return s;
}

/* As Linux chooses it: of the endpoints, and by the clock, in a call that takes some time. */
static void choose_sequence(struct net *n, struct end *e)
{
	uint32_t of_endpoints = e->local.port * 0x9e3779b1u;

	e->sequence = of_endpoints + (uint32_t)(n->now_us * 1000 / 64);
	if (n->config->syns.by_chance)
		e->sequence = random_below(&n->random, UINT32_MAX);
}

static void set_moments(const struct end *e, struct handshake *h)
{
	h->ttl = e->ttl;
	h->since_ns = e->first_us * 1000 - 2000;
	h->until_ns = e->first_us * 1000 + 3000;
}

/* What Linux would tell of a connection of the host. */
static struct handshake handshake_of(const struct net *n, const struct end *e)
{
	const struct syn_options *heard = &e->heard.options;
	uint16_t room = mss_of(n, HOST), peer = heard->has & SYN_MSS ? heard->mss : 536;
	struct handshake h = {.known = SYN_MSS | SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE,
		.sent = e->offers,
		.told = true,
		.agreed = heard->has & (SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE),
		.peer_scale = heard->scale,
		.path_mtu = n->config->syns.host_mtu ? n->config->syns.host_mtu : 1500,
		.window = 65160};

	h.segment_bytes = peer < room ? peer : room;
	if (h.agreed & SYN_TIMESTAMPS)
		h.segment_bytes -= 12;
	set_moments(e, &h);
	return h;
}

/* --- ends --- */

static struct end *find_end(
	struct net *n, enum side side, const struct endpoint *local, const struct endpoint *remote)
{
	for (size_t i = 0; i < n->end_count; i++) {
		struct end *e = &n->ends[i];

		if (e->state && e->side == side && endpoint_equal(&e->local, local) &&
			endpoint_equal(&e->remote, remote))
			return e;
	}
	return NULL;
}

static struct end *add_end(struct net *n, enum side side, enum end_state state,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct end *e = &n->ends[n->end_count];

	if (n->end_count + 1 < ENDS)
		n->end_count++;
	else
		broken(n, "too many connections");
	*e = (struct end){.side = side,
		.state = state,
		.local = *local,
		.remote = *remote,
		.socket = TCP_SOCKETS,
		.first_us = n->now_us,
		.promise = PROMISES};
	return e;
}

static bool is_caged(const struct net *n, const struct end *e)
{
	return e->side == SERVER && e->active &&
		(n->config->server == TCPNET_CAGED || n->config->server == TCPNET_CAGED_REFUSING);
}

static void send_with_options(struct net *n, struct end *e, enum segment segment)
{
	struct packet *p = send_segment(n, e->side, segment, &e->local, &e->remote);

	e->offers = offers_of(n, e);
	if (p)
		p->syn = travel(n, e);
}

/* The router of the way that gets it, and nobody behind; 0: there is none. */
static unsigned router_of(const struct net *n, const struct end *e)
{
	const struct simnet_way *way = &n->config->nat.way;

	if (e->side != HOST || !e->active)
		return 0;
	if (e->ttl == 1 && n->config->syns.hops)
		return 1;
	if (way->drops_at && way->drops_at < e->ttl)
		return way->drops_at;
	return e->ttl <= way->routers ? e->ttl : 0;
}

/* Whether that router says so. */
static bool tells(struct net *n, const struct end *e)
{
	const struct simnet_way *way = &n->config->nat.way;

	if (e->ttl != e->router || way->mute >> e->router & 1)
		return false;
	return !n->config->syns.mute_router && !chance(n, n->config->nat.loss);
}

static void send_syn(struct net *n, struct end *e)
{
	static const uint64_t gaps[SYNS_MAX] = {1000000, 2000000, 4000000, 8000000};

	e->router = router_of(n, e);
	if (e->router) {
		if (tells(n, e))
			add_packet(n, n->now_us + 1000, TIMER_ROUTER)->end = (size_t)(e - n->ends);
	} else if (!is_caged(n, e))
		send_with_options(n, e, e->state == END_SYN_SENT ? SYN : SYN_ACK);
	if (e->syns < SYNS_MAX)
		add_packet(n, n->now_us + gaps[e->syns], TIMER_SYN)->end = (size_t)(e - n->ends);
	e->syns++;
}

static void send_bytes(struct net *n, struct end *e, const void *data, size_t length)
{
	uint64_t t_us = n->now_us + delay(n);
	struct packet *p;

	while (chance(n, 2 * n->config->nat.loss))
		t_us += RESEND_US;
	if (e->side == SERVER && !e->active)
		t_us += n->config->bytes_late_us;
	if (t_us <= e->last_bytes_us) /* in order */
		t_us = e->last_bytes_us + 1;
	e->last_bytes_us = t_us;
	p = add_packet(n, t_us, BYTES);
	p->to_side = e->side == HOST && !endpoint_same_address(&e->remote, &n->nat.address) ? SERVER
											    : HOST;
	p->at_nat = p->to_side == HOST;
	p->from = e->side == HOST ? leave(n, &e->local, &e->remote) : e->local;
	p->to = e->remote;
	p->length = length;
	memcpy(p->data, data, length);
}

/* --- the server --- */

static void send_call(struct net *n, struct end *e, const struct call_message *m)
{
	uint8_t buffer[CALL_BYTES_MAX];
	int length = call_encode(m, buffer, sizeof(buffer));

	if (length <= 0)
		broken(n, "the network cannot encode a call");
	else if (e->state == END_ESTABLISHED)
		send_bytes(n, e, buffer, (size_t)length);
}

/* e: the end that the call was; ttl: of the RST that ended it; 0: none, or not known. */
static void end_call(
	struct net *n, size_t at, enum call_outcome outcome, int error, struct end *e, uint8_t ttl)
{
	struct promise *promise = &n->promises[at];
	struct call_message m = {.class = STUN_INDICATION,
		.id = promise->id,
		.has_result = true,
		.which = promise->which,
		.outcome = outcome,
		.error = (uint16_t)error,
		.elapsed_us = (uint32_t)(n->now_us - promise->first_us),
		.ttl = ttl};

	if (promise->over)
		return;
	promise->over = true;
	if (outcome == CALL_CONNECTED)
		send_call(n, e, &m);
	else if (e)
		e->state = END_NONE;
	send_call(n, &n->ends[promise->control], &m);
}

static struct endpoint call_from(struct net *n, enum call_from which)
{
	struct endpoint e =
		n->server.at[which & (CALL_FROM_ADDRESS | CALL_FROM_BOTH | CALL_FROM_THIRD_ADDRESS)
				? SERVER_ADDRESS
				: 0];

	if (which & (CALL_FROM_PORT | CALL_FROM_BOTH))
		e.port = n->server.at[SERVER_PORT].port;
	if (which & (CALL_FROM_THIRD | CALL_FROM_THIRD_ADDRESS))
		e.port = n->third++;
	if (n->config->server == TCPNET_WRONG_ENDPOINT)
		e.address[3] ^= 1;
	return e;
}

static struct endpoint really_from(const struct net *n, struct endpoint e)
{
	if (n->config->server == TCPNET_FALSE_ENDPOINT)
		e.address[3] ^= 1;
	return e;
}

static uint64_t lateness_us(struct net *n)
{
	uint64_t late_us = n->config->late_us;

	return late_us ? random_below(&n->random, (uint32_t)late_us) : 0;
}

static void promise_calls(struct net *n, struct end *control, const struct call_message *request)
{
	struct call_message m = {.class = STUN_SUCCESS,
		.id = request->id,
		.has_from = true,
		.mapped = control->remote};

	for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
		struct promise *promise = &n->promises[n->promise_count];

		if (!(request->from >> i & 1) || n->promise_count >= PROMISES)
			continue;
		m.from |= (uint8_t)(1u << i);
		m.endpoint[i] = call_from(n, (enum call_from)(1u << i));
		*promise = (struct promise){.id = request->id,
			.which = (enum call_from)(1u << i),
			.from = really_from(n, m.endpoint[i]),
			.to = control->remote,
			.control = (size_t)(control - n->ends),
			.patience_us = request->patience_ms ? request->patience_ms * 1000u
							    : CALL_SILENT_US};
		add_packet(
			n, n->now_us + request->wait_ms * 1000u + 500 + lateness_us(n), TIMER_CALL)
			->promise = n->promise_count++;
	}
	send_call(n, control, &m);
}

static void call_now(struct net *n, size_t at)
{
	struct promise *promise = &n->promises[at];
	struct end *e;

	promise->first_us = n->now_us;
	if (n->ends[promise->control].state == END_NONE)
		return;
	if (find_end(n, SERVER, &promise->from, &promise->to)) {
		end_call(n, at, CALL_LOCAL, EADDRNOTAVAIL, NULL, 0);
		return;
	}
	e = add_end(n, SERVER, END_SYN_SENT, &promise->from, &promise->to);
	e->active = true;
	e->promise = at;
	if (n->config->server == TCPNET_CAGED_REFUSING)
		end_call(n, at, CALL_REFUSED, ECONNREFUSED, e, 0);
	else
		send_syn(n, e);
	add_packet(n, n->now_us + promise->patience_us, TIMER_SILENT)->promise = at;
}

static void answer_call(struct net *n, struct end *e, const uint8_t *data, size_t length)
{
	struct call_message m, error = {.class = STUN_ERROR, .error_code = CALL_BAD};

	if (call_decode(data, length, &m) || m.class != STUN_REQUEST) {
		broken(n, "sends a wrong call");
		return;
	}
	error.id = m.id;
	switch (n->config->server) {
	case TCPNET_MUTE:
		break;
	case TCPNET_BUSY:
		error.error_code = CALL_BUSY;
		send_call(n, e, &error);
		break;
	case TCPNET_RFC5780:
	case TCPNET_PLAIN:
		send_call(n, e, &error);
		break;
	default:
		promise_calls(n, e, &m);
		break;
	}
}

static void add_syn(const struct net *n, const struct end *e, const struct stun_message *m,
	struct stun_writer *s)
{
	struct stun_syn syn = {.version = 1, .parts = STUN_SYN_ANSWERED, .answered = e->offers};

	if (!m->has_probe || !(m->probe.wants & STUN_WANT_SYN) || n->config->syns.untold)
		return;
	if (!n->config->syns.unsaved) {
		syn.parts |= STUN_SYN_ARRIVED;
		syn.arrived = e->heard;
	}
	stun_add_syn(s, &syn);
}

static void answer_binding(struct net *n, struct end *e, const struct stun_message *m)
{
	uint8_t buffer[CALL_BYTES_MAX];
	struct stun_writer s =
		stun_begin(buffer, sizeof(buffer), STUN_SUCCESS, STUN_BINDING, &m->id);
	struct endpoint other = e->local;
	int length;

	stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &e->remote);
	if (n->config->server != TCPNET_PLAIN) {
		other = n->server.at[SERVER_ADDRESS | SERVER_PORT];
		if (endpoint_same_address(&other, &e->local))
			other = n->server.at[0];
		stun_add_address(&s, STUN_OTHER_ADDRESS, &other);
		add_syn(n, e, m, &s);
	}
	length = stun_end(&s);
	send_bytes(n, e, buffer, (size_t)length);
}

static void at_server(struct net *n, struct end *e, const struct packet *p)
{
	struct stun_message m;

	if (call_looks_like(p->data, p->length))
		answer_call(n, e, p->data, p->length);
	else if (stun_decode(p->data, p->length, &m) || m.class != STUN_REQUEST)
		broken(n, "sends what is no request");
	else
		answer_binding(n, e, &m);
}

/* --- TCP --- */

static void establish(struct net *n, struct end *e, int listener)
{
	e->state = END_ESTABLISHED;
	if (e->side == SERVER) {
		if (e->promise < PROMISES)
			end_call(n, e->promise, CALL_CONNECTED, 0, e, 0);
	} else if (e->active) {
		struct handshake h = handshake_of(n, e);

		tcp_probe_handshake(n->probe, e->socket, &h);
		tcp_probe_connected(n->probe, n->now_us, e->socket, 0, e->segments);
	} else {
		int socket =
			tcp_probe_accepted(n->probe, n->now_us, (unsigned)listener, &e->remote);

		if (socket >= 0)
			e->socket = (unsigned)socket;
	}
}

static int find_listener(const struct net *n, const struct endpoint *local)
{
	for (int i = 0; i < TCP_SOCKETS; i++)
		if (endpoint_equal(&n->listeners[i], local))
			return i;
	return -1;
}

static bool server_listens(const struct net *n, const struct endpoint *local)
{
	int at = server_endpoint(&n->server, local);

	if (n->config->server == TCPNET_CLOSED)
		return false;
	return at >= 0 && (n->config->server != TCPNET_PLAIN || !at);
}

static void take_new_syn(struct net *n, const struct packet *p)
{
	bool listens =
		p->to_side == HOST ? find_listener(n, &p->to) >= 0 : server_listens(n, &p->to);
	struct end *e;

	if (p->to_side == SERVER && n->config->server == TCPNET_SILENT)
		return;
	if (!listens) {
		if (p->to_side == HOST || n->config->server != TCPNET_CAGED)
			send_segment(n, p->to_side, RST, &p->to, &p->from);
		return;
	}
	e = add_end(n, p->to_side, END_SYN_RECEIVED, &p->to, &p->from);
	e->heard = p->syn;
	send_syn(n, e);
}

static void refuse(struct net *n, struct end *e, uint8_t ttl)
{
	bool attempt = e->active && e->state != END_ESTABLISHED;

	e->state = END_NONE;
	if (!attempt)
		return;
	if (e->side == HOST)
		tcp_probe_connected(n->probe, n->now_us, e->socket, -ECONNREFUSED, 0);
	else if (e->promise < PROMISES)
		end_call(n, e->promise, CALL_REFUSED, ECONNREFUSED, NULL, ttl);
}

static void take_segment(struct net *n, const struct packet *p)
{
	struct end *e = find_end(n, p->to_side, &p->to, &p->from);

	if (!e) {
		if (p->segment == SYN)
			take_new_syn(n, p);
		return;
	}
	/* its own firewall lets nothing in that it has not let out */
	if (is_caged(n, e) && e->state != END_ESTABLISHED)
		return;
	e->segments += p->segment != BYTES;
	if (p->segment == SYN || p->segment == SYN_ACK)
		e->heard = p->syn;
	if (p->segment == RST) {
		refuse(n, e, p->ttl);
	} else if (p->segment == SYN) {
		if (e->state == END_SYN_SENT)
			e->state = END_SYN_RECEIVED; /* RFC 9293 3.5: both at once */
		if (e->state == END_ESTABLISHED)
			send_segment(n, e->side, ACK, &e->local, &e->remote);
		else
			send_with_options(n, e, SYN_ACK);
	} else if (e->state != END_ESTABLISHED) {
		establish(n, e, find_listener(n, &e->local));
		if (p->segment == SYN_ACK)
			send_segment(n, e->side, ACK, &e->local, &e->remote);
	} else if (p->segment == SYN_ACK) {
		send_segment(n, e->side, ACK, &e->local, &e->remote);
	}
	if (p->segment != BYTES || e->state != END_ESTABLISHED)
		return;
	if (e->side == SERVER)
		at_server(n, e, p);
	else
		tcp_probe_input(n->probe, n->now_us, e->socket, p->data, p->length);
}

/* --- the NAT, from outside --- */

static void react(struct net *n, const struct packet *p)
{
	uint64_t after_us = n->config->reaction == TCPNET_REFUSE_LATE ? LATE_US : 0;
	uint8_t hops = n->config->syns.hops;
	struct packet *rst;

	if (n->config->reaction == TCPNET_DROP || chance(n, n->config->nat.loss))
		return;
	rst = add_packet(n, n->now_us + after_us + n->config->nat.delay_us, RST);
	rst->to_side = SERVER;
	rst->from = p->to;
	rst->to = p->from;
	rst->ttl = (uint8_t)(TTL - (hops ? hops - 1 : 0)); /* it is the first router */
	if (n->config->syns.unsaved)
		rst->ttl = 0;
}

/* What a box in front of the host that takes all calls does: the host hears nothing of it. */
static void steal(struct net *n, const struct packet *p)
{
	struct packet *answer = add_packet(n, n->now_us + n->config->nat.delay_us, SYN_ACK);

	answer->to_side = SERVER;
	answer->from = p->to;
	answer->to = p->from;
}

static bool pass_nat(struct net *n, struct packet *p)
{
	size_t flow = find_flow(n, &p->to, &p->from);
	struct endpoint inside;

	if (p->segment == SYN && flow == FLOWS && n->config->thief) {
		steal(n, p);
		return false;
	}
	if (p->segment == SYN && flow != FLOWS && !n->flows[flow].open && n->config->no_crossing)
		return false;
	if (flow != FLOWS) {
		inside = n->flows[flow].inside;
	} else if (!nat_in(&n->nat, &p->from, &p->to, &inside)) {
		if (p->segment == SYN)
			react(n, p);
		return false;
	}
	n->flows[add_flow(n, &inside, &p->to, &p->from)].open = true;
	p->to = inside;
	return true;
}

static void expire(struct net *n, struct end *e)
{
	bool quoted = !n->config->syns.unquoted;
	struct handshake h = {.quoted = quoted, .sequence = quoted ? e->sequence : 0};
	bool ipv6 = n->config->nat.ipv6;
	struct icmp_seen icmp = {.count = 1, .t_us = n->now_us, .type = ipv6 ? 3 : 11};

	if (e->state != END_SYN_SENT)
		return;
	endpoint_parse(ipv6		 ? "2001:db8:2::1"
			: e->router == 1 ? "10.0.1.1"
					 : "192.0.2.1",
		1, &icmp.offender);
	icmp.offender.port = 0;
	if (e->router > 1)
		icmp.offender.address[ipv6 ? 15 : 3] = (uint8_t)e->router;
	e->state = END_NONE;
	set_moments(e, &h);
	tcp_probe_handshake(n->probe, e->socket, &h);
	tcp_probe_icmp(n->probe, e->socket, &icmp);
	tcp_probe_connected(n->probe, n->now_us, e->socket, -EHOSTUNREACH, 0);
}

static void happen(struct net *n, struct packet *p)
{
	struct end *e = &n->ends[p->end];

	switch (p->segment) {
	case TIMER_SYN:
		if ((e->state == END_SYN_SENT || e->state == END_SYN_RECEIVED) &&
			e->syns < SYNS_MAX)
			send_syn(n, e);
		break;
	case TIMER_ROUTER:
		expire(n, e);
		break;
	case TIMER_CALL:
		call_now(n, p->promise);
		break;
	case TIMER_SILENT:
		for (size_t i = 0; i < n->end_count; i++)
			if (n->ends[i].state && n->ends[i].promise == p->promise)
				end_call(n, p->promise, CALL_SILENT, ETIMEDOUT, &n->ends[i], 0);
		break;
	default:
		if (!p->at_nat || pass_nat(n, p))
			take_segment(n, p);
		break;
	}
}

/* --- the prober's side --- */

static struct end *end_of(struct net *n, unsigned socket)
{
	for (size_t i = 0; i < n->end_count; i++)
		if (n->ends[i].side == HOST && n->ends[i].socket == socket)
			return &n->ends[i];
	return NULL;
}

static void open_socket(struct net *n, const struct tcp_output *out)
{
	struct endpoint local = n->host;
	struct end *e;

	local.port = out->port;
	if (!out->port)
		broken(n, "opens a port that is none");
	if (n->config->taken_port && !n->port_was_taken) {
		n->port_was_taken = true;
		tcp_probe_opened(n->probe, n->now_us, out->socket, -EADDRINUSE, NULL);
		return;
	}
	if (out->action == TCP_LISTEN) {
		n->listeners[out->socket] = local;
	} else if (find_end(n, HOST, &local, &out->to)) {
		tcp_probe_opened(n->probe, n->now_us, out->socket, -EADDRNOTAVAIL, NULL);
		return;
	} else {
		e = add_end(n, HOST, END_SYN_SENT, &local, &out->to);
		e->active = true;
		e->socket = out->socket;
		e->ttl = out->ttl ? out->ttl : TTL;
		choose_sequence(n, e);
		send_syn(n, e);
	}
	n->result->packets++;
	n->result->with_ttl += n->config->nat.way.routers && out->ttl && out->ttl < 64;
	tcp_probe_opened(n->probe, n->now_us, out->socket, 0, &local);
}

static void close_socket(struct net *n, unsigned socket)
{
	struct end *e = end_of(n, socket);

	n->listeners[socket] = (struct endpoint){0};
	if (e)
		e->state = END_NONE;
}

/* Everything that the prober wants done now; false when it is done for good. */
static bool serve(struct net *n, uint64_t *deadline_us)
{
	struct tcp_output out;

	for (unsigned actions = 0; actions < ACTIONS_MAX; actions++) {
		struct end *e;

		switch (tcp_probe_poll(n->probe, n->now_us, &out)) {
		case TCP_OPEN:
		case TCP_LISTEN:
			open_socket(n, &out);
			break;
		case TCP_SEND:
			e = end_of(n, out.socket);
			if (!e || e->state != END_ESTABLISHED)
				broken(n, "sends over what is not connected");
			else
				send_bytes(n, e, out.data, out.length);
			break;
		case TCP_CLOSE:
			close_socket(n, out.socket);
			break;
		case TCP_WAIT:
			if (out.deadline_us <= n->now_us)
				broken(n, "waits for what has been");
			*deadline_us = out.deadline_us;
			return true;
		case TCP_DONE:
			return false;
		}
	}
	broken(n, "acts without end");
	return false;
}

static void deliver_next(struct net *n, uint64_t until_us)
{
	struct packet *first = NULL, now;

	for (size_t i = 0; i < n->packet_count; i++) {
		struct packet *p = &n->packets[i];

		if (!first || p->t_us < first->t_us ||
			(p->t_us == first->t_us && p->order < first->order))
			first = p;
	}
	if (!first || first->t_us > until_us) {
		n->now_us = until_us;
		return;
	}
	now = *first;
	*first = n->packets[--n->packet_count];
	n->now_us = now.t_us;
	happen(n, &now);
}

static void set_up(struct net *n)
{
	const struct simnet_config *c = &n->config->nat;

	random_init_number(&n->random, c->seed);
	random_init_number(&n->probe_random, ~c->seed);
	endpoint_parse(c->ipv6 ? (c->mapping ? "fd00::2" : "2001:db8:1::2")
			       : (c->mapping ? "10.0.1.2" : "198.51.100.2"),
		1, &n->host);
	endpoint_parse(c->ipv6 ? "2001:db8:1::99" : "198.51.100.99", 1, &n->nat.address);
	n->nat.config = c;
	n->nat.random = &n->random;
	n->nat.next_port = 20000;
	n->third = FIRST_THIRD;
	n->now_us = START_US;
	server_init(&n->server, SIMNET_OWN, 0, c->ipv6);
}

static void add_server(struct net *n)
{
	struct journal_server server = {.endpoint = n->server.at[0], .transport = TRANSPORT_TCP};
	size_t place;

	snprintf(server.name, sizeof(server.name), "server.example");
	journal_add_server(n->result->journal, &server, &place);
	tcp_probe_add_server(n->probe, n->now_us, place);
}

void tcpnet_run(const struct tcpnet_config *config, struct simnet_result *out)
{
	struct tcp_probe_config probe = {.family = config->nat.ipv6 ? FAMILY_IPV6 : FAMILY_IPV4,
		.tests = config->tests,
		.quick = config->quick,
		.syns = true,
		.trace = !config->nat.no_trace,
		.limit_us = config->nat.limit_us};
	struct net *n = calloc(1, sizeof(*n));
	uint64_t deadline_us = 0;

	memset(out, 0, sizeof(*out));
	if (!n || journal_create(START_US, &out->journal))
		abort();
	n->config = config;
	n->result = out;
	set_up(n);
	if (tcp_probe_create(&probe, out->journal, &n->probe_random, n->now_us, &n->probe))
		abort();
	add_server(n);
	while (serve(n, &deadline_us) && !*out->broken && out->polls++ < TURNS_MAX)
		deliver_next(n, deadline_us);
	out->duration_us = n->now_us - START_US;
	judge(out->journal, &out->verdict);
	for (size_t i = 0; i < out->journal->observation_count; i++)
		if (out->journal->observations[i].state == OBSERVATION_OPEN)
			broken(n, "leaves a question open");
	tcp_probe_destroy(n->probe);
	free(n);
}
