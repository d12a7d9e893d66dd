// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * One whole session, and a script that plays everything around it: the server, the other side, strangers, the
 * system that opens sockets, and time. Promised: it comes to rest at any moment and to an end at last; packets go out
 * only from sockets that are open, to hosts that there may be, never to where they come from, and not without limit; a
 * handful to where only the peer says that it is; and nothing is proved to who does not know the code.
 */

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "fuzz.h"
#include "punch/session.h"

#define BEGIN_US	1000000000u
#define SECOND		1000000u
#define STEPS		250
#define POLLS		1500 /* at one moment */
#define PACKETS_MAX	256
#define SOCKETS_MAX	16
#define END_US		(300u * SECOND) /* after the script */
#define SENT_BEFORE	32
#define CANDIDATE_SHARE 64 /* packets to whom only the peer names */
#define HANDFUL		8 /* … of them to one address */
#define KNOWN_MAX	1024 /* addresses that are not only named */
#define WAY_SHARE	121 /* packets for one that comes from somewhere */
#define PLAN_SHARE	(2 * PACKETS_MAX + 240) /* packets of one attempt */

enum happening {
	TIME,
	SERVER_ANSWER,
	SERVER_NEWS,
	SERVER_STALE,
	SERVER_ERROR,
	BINDING_ANSWER,
	PEER_HELLO,
	PEER_SLOT_RAW,
	PEER_REQUEST,
	PEER_ANSWER,
	PEER_REPLAY,
	STRANGER,
	ICMP,
	SOCKETS,
	STREAM,
	LEAVE,
	EVENTS,
};

struct packet {
	unsigned socket;
	struct endpoint to;
	uint8_t bytes[STUN_MESSAGE_BYTES];
	size_t length;
};

struct run {
	const uint8_t *data;
	size_t size, at;
	struct session *session;
	struct journal *journal;
	struct endpoint servers[2], hosts[2];
	uint64_t now_us;
	bool refuse, refuse_stream, knows_code, ended, left;
	uint16_t ports[SESSION_SOCKETS]; /* 0: not open */
	enum family families[SESSION_SOCKETS];
	struct packet sent[SENT_BEFORE]; /* the latest ones, in turn */
	size_t sent_count;
	struct packet join; /* the latest request to the rendezvous */
	/* the other side */
	struct cpace cpace;
	struct keys keys;
	struct random random;
	bool has_keys;
	uint8_t share[CPACE_POINT_BYTES], slot[RENDEZVOUS_SLOT_MAX];
	size_t slot_length;
	uint32_t slot_version;
	uint64_t counter;
	uint8_t id[RENDEZVOUS_SESSION_BYTES];
	struct packet said; /* its latest check message */
	/* addresses at which the server has seen the peer, or at which it has got a request */
	struct endpoint known[KNOWN_MAX];
	size_t known_count;
	struct {
		struct endpoint address;
		unsigned count;
	} strangers[CANDIDATE_SHARE];
	unsigned stranger_count, to_strangers;
	/* counts */
	unsigned round, rounds; /* the present one, and how many were begun */
	uint64_t to_peers, to_servers, authentic, from_server;
	enum session_failure failure;
};

static struct trail *trail;

static uint8_t take(struct run *x)
{
	return x->at < x->size ? x->data[x->at++] : 0;
}

static uint16_t take_u16(struct run *x)
{
	uint8_t high = take(x);

	return (uint16_t)(high << 8 | take(x));
}

/* Those that there may be, and those to which nothing may go. */
static struct endpoint place(struct run *x)
{
	static const struct endpoint all[] = {
		{FAMILY_IPV4, 50000, 0, {203, 0, 113, 7}},
		{FAMILY_IPV4, 50001, 0, {203, 0, 113, 7}},
		{FAMILY_IPV4, 50000, 0, {203, 0, 113, 8}},
		{FAMILY_IPV4, 50000, 0, {192, 168, 1, 9}},
		{FAMILY_IPV4, 50000, 0, {10, 9, 8, 7}},
		{FAMILY_IPV6, 50000, 0, {0x20, 1, 0xd, 0xb8, 1, [15] = 9}},
		{FAMILY_IPV6, 50000, 0, {0xfe, 0x80, [15] = 9}},
		{FAMILY_IPV4, 0, 0, {203, 0, 113, 7}},
		{FAMILY_IPV4, 1900, 0, {239, 255, 255, 250}},
		{FAMILY_IPV4, 53, 0, {255, 255, 255, 255}},
		{FAMILY_IPV4, 53, 0, {127, 0, 0, 1}},
		{FAMILY_IPV4, 53, 0, {0, 0, 0, 0}},
		{FAMILY_IPV6, 53, 0, {[15] = 1}},
		{FAMILY_IPV6, 53, 0, {0xff, 2, [15] = 1}},
	};
	uint8_t number = take(x), which = number % 18;
	struct endpoint e;

	if (which < sizeof(all) / sizeof(*all))
		return all[which];
	if (which < 16) { /* our own */
		e = x->hosts[which & 1];
		e.port = x->ports[SESSION_MAIN + number / 18];
		return e;
	}
	e = (struct endpoint){FAMILY_IPV4, take_u16(x), 0, {198, 51, 100, 0}};
	e.address[3] = take(x);
	return e;
}

static unsigned any_socket(struct run *x)
{
	static const unsigned begins[] = {
		SESSION_MAIN, SESSION_FURTHER, SESSION_LATEST, SESSION_PROBE4, SESSION_PROBE6};
	uint8_t number = take(x);

	return begins[number % 5] + number / 5 % 16;
}

/* --- what the session does --- */

static bool is_server(const struct run *x, const struct endpoint *e)
{
	return endpoint_equal(e, &x->servers[0]) || endpoint_equal(e, &x->servers[1]);
}

static void open_socket(struct run *x, const struct session_output *out)
{
	struct endpoint local;

	require(out->socket < SESSION_SOCKETS && !x->ports[out->socket]);
	require(out->family == FAMILY_IPV4 || out->family == FAMILY_IPV6);
	if (x->refuse) {
		session_opened(x->session, x->now_us, out->socket, -EMFILE, NULL);
		return;
	}
	local = x->hosts[out->family == FAMILY_IPV6];
	local.port = (uint16_t)(30000 + out->socket);
	x->ports[out->socket] = local.port;
	x->families[out->socket] = out->family;
	session_opened(x->session, x->now_us, out->socket, 0, &local);
}

static void connect_stream(struct run *x)
{
	require(!x->ports[SESSION_STREAM]);
	x->ports[SESSION_STREAM] = !x->refuse_stream;
	session_opened(x->session, x->now_us, SESSION_STREAM, x->refuse_stream ? -ECONNREFUSED : 0,
		&x->hosts[0]);
}

/* The share in the slot that it hands over makes the other side's keys. */
static void read_join(struct run *x, const struct packet *p)
{
	struct rendezvous_message m;
	uint8_t isk[CPACE_ISK_BYTES];

	if (rendezvous_decode(p->bytes, p->length, &m) || m.method != RENDEZVOUS_JOIN)
		return;
	x->join = *p;
	if (m.has_session)
		memcpy(x->id, m.session, sizeof(x->id));
	if (!m.has_slot || x->has_keys || m.slot.length < 1 + CPACE_POINT_BYTES)
		return;
	x->has_keys = !cpace_finish(&x->cpace, (struct span){m.slot.data + 1, CPACE_POINT_BYTES},
			      (struct span){NULL, 0}, isk) &&
		!keys_derive(isk, x->share, m.slot.data + 1, &x->keys);
}

static void know(struct run *x, const struct endpoint *e)
{
	if (x->known_count < KNOWN_MAX)
		x->known[x->known_count++] = *e;
}

/* A packet to who may be anybody. */
static void count_stranger(struct run *x, const struct endpoint *to)
{
	unsigned i = 0;

	for (size_t k = 0; k < x->known_count; k++)
		if (endpoint_same_address(&x->known[k], to))
			return;
	while (i < x->stranger_count && !endpoint_same_address(&x->strangers[i].address, to))
		i++;
	require(i < CANDIDATE_SHARE && ++x->to_strangers <= CANDIDATE_SHARE);
	if (i == x->stranger_count)
		x->strangers[x->stranger_count++].address = *to;
	require(++x->strangers[i].count <= HANDFUL);
}

static void take_packet(struct run *x, const struct session_output *out)
{
	struct packet *p = &x->sent[x->sent_count++ % SENT_BEFORE];
	struct endpoint from;

	require(out->socket < SESSION_SOCKETS);
	if (out->socket == SESSION_STREAM) { /* without one what is said is lost */
		if (!x->ports[SESSION_STREAM])
			return;
		p->socket = out->socket;
		p->to = x->servers[0];
		p->length = out->length;
		memcpy(p->bytes, out->data, out->length);
		x->to_servers++;
		read_join(x, p);
		return;
	}
	require(x->ports[out->socket]);
	require(x->families[out->socket] == out->to.family);
	require(out->length > 0 && out->length <= sizeof(out->data));
	require(endpoint_is_unicast(&out->to) && !endpoint_is_loopback(&out->to));
	from = x->hosts[out->to.family == FAMILY_IPV6];
	from.port = x->ports[out->socket];
	require(!endpoint_equal(&from, &out->to));
	p->socket = out->socket;
	p->to = out->to;
	p->length = out->length;
	memcpy(p->bytes, out->data, out->length);
	if (out->socket >= SESSION_PROBE4)
		return;
	if (!is_server(x, &out->to)) {
		x->to_peers++;
		count_stranger(x, &out->to);
		return;
	}
	x->to_servers++;
	read_join(x, p);
}

static void check_view(struct run *x)
{
	const struct session_view *v = session_view(x->session);
	bool over = v->state == SESSION_CONNECTED || v->state == SESSION_FAILED;
	bool anew = v->round > x->round; /* the other side has begun a new round */
	uint64_t seconds = (x->now_us - BEGIN_US) / SECOND + 1;

	require(!x->ended || over || anew); /* never back by itself */
	require(!anew || x->failure == SESSION_NO_FAILURE);
	x->round = v->round;
	x->rounds += anew;
	require(x->rounds <= seconds / 5); /* however often the other side asks for it */
	require((v->state == SESSION_FAILED) == (v->failure != SESSION_NO_FAILURE));
	require(!x->ended || anew || v->failure == x->failure);
	x->ended = over;
	x->failure = v->failure;
	if (v->state == SESSION_CONNECTED)
		require(v->checks && v->checks->connected); /* its hello may be late */
	if (!x->knows_code)
		require(!v->has_peer && v->state != SESSION_CONNECTED);
	if (v->checks && v->checks->connected)
		require(x->knows_code && x->authentic);
	require(x->to_peers <= CANDIDATE_SHARE + WAY_SHARE * x->authentic +
			(uint64_t)PLAN_SHARE * (v->round * 32 + v->attempt) +
			(v->round + 1) * 120u * HELLO_CANDIDATES);
	require(x->to_servers <= 200 + 60 * seconds + x->from_server);
}

/* Everything that is to be done now; when it wants to be called again. */
static uint64_t poll(struct run *x)
{
	struct session_output out;
	unsigned count = 0;

	for (;;) {
		require(++count < POLLS);
		switch (session_poll(x->session, x->now_us, &out)) {
		case SESSION_OPEN:
			open_socket(x, &out);
			break;
		case SESSION_CONNECT:
			connect_stream(x);
			break;
		case SESSION_LISTEN: /* of TCP only */
			require(false);
			break;
		case SESSION_ERROR: /* of knocks only */
		case SESSION_ECHO:
			require(false);
			break;
		case SESSION_CLOSE:
			require(out.socket < SESSION_SOCKETS && x->ports[out.socket]);
			x->ports[out.socket] = 0;
			break;
		case SESSION_SEND:
			take_packet(x, &out);
			break;
		case SESSION_WAIT:
			check_view(x);
			if (out.deadline_us > x->now_us)
				return out.deadline_us;
			break;
		}
	}
}

static void run_until(struct run *x, uint64_t end_us)
{
	uint64_t at_us;

	while ((at_us = poll(x)) <= end_us)
		x->now_us = at_us;
	x->now_us = end_us;
}

/* --- what comes --- */

/* The server's end of it ends, or is not there any more. */
static void end_stream(struct run *x)
{
	x->refuse_stream = take(x) & 1;
	if (x->ports[SESSION_STREAM]) {
		x->ports[SESSION_STREAM] = 0;
		session_opened(x->session, x->now_us, SESSION_STREAM, -ECONNRESET, NULL);
	}
	poll(x);
}

/* Of exactly this length for the sanitizer. */
static void deliver(struct run *x, unsigned socket, const struct endpoint *from,
	const uint8_t *bytes, size_t length)
{
	uint8_t *exact;

	if (socket >= SESSION_SOCKETS || !x->ports[socket])
		return;
	exact = malloc(length ? length : 1);
	require(exact != NULL);
	if (length)
		memcpy(exact, bytes, length);
	session_input(x->session, x->now_us, socket, from, 60, exact, length);
	free(exact);
	poll(x);
}

static void fill_from_server(struct run *x, struct rendezvous_message *m)
{
	uint8_t flags = take(x);

	m->has_peer = true;
	m->peer = (enum rendezvous_peer)(flags % 3);
	m->place = flags >> 2 & 1;
	m->mapped = flags & 8 ? place(x) : x->servers[0];
	m->peer_address = flags & 16 ? place(x) : (struct endpoint){.family = FAMILY_NONE};
	if (flags & 16)
		know(x, &m->peer_address);
	m->has_ready = true;
	m->ready = flags & 32 ? take(x) : 0;
	m->rtt_us = flags & 32 ? take_u16(x) : 0;
	m->has_go = flags & 64;
	if (m->has_go) {
		m->go = take(x);
		m->go_wait_us = (int16_t)take_u16(x) * 50;
	}
	m->has_slot = flags & 128 && x->slot_length;
	m->slot_version = x->slot_version;
	m->slot = (struct span){x->slot, x->slot_length};
}

static void send_from_server(struct run *x, struct rendezvous_message *m)
{
	uint8_t bytes[STUN_MESSAGE_BYTES];
	int n = rendezvous_encode(m, bytes, sizeof(bytes), 0);

	if (n < 0 || !x->join.length)
		return;
	x->from_server++;
	deliver(x, x->join.socket, &x->join.to, bytes, (size_t)n);
}

static void server(struct run *x, enum happening e)
{
	static const uint8_t cookie[16] = {1};
	static const uint16_t codes[] = {400, 409, 438, 486, 508, 699};
	struct rendezvous_message m = {.class = STUN_SUCCESS, .method = RENDEZVOUS_JOIN}, join;

	if (rendezvous_decode(x->join.bytes, x->join.length, &join))
		return;
	m.id = join.id;
	if (e == SERVER_STALE || e == SERVER_ERROR) {
		m.class = STUN_ERROR;
		m.error_code = e == SERVER_STALE ? 438 : codes[take(x) % 6];
		if (e == SERVER_STALE)
			m.cookie = (struct span){cookie, sizeof(cookie)};
	} else {
		if (e == SERVER_NEWS) {
			m.class = STUN_INDICATION;
			m.method = RENDEZVOUS_NEWS;
			m.has_session = m.has_party = true;
			memcpy(m.session, x->id, sizeof(m.session));
			memcpy(m.party, join.party, sizeof(m.party));
			m.session[0] ^= take(x) == 255;
			m.party[0] ^= take(x) == 255;
		}
		m.number = join.allocate ? 4711 : 0;
		fill_from_server(x, &m);
	}
	send_from_server(x, &m);
}

/* To one of the latest packets, if it was such a request. */
static void answer_binding(struct run *x)
{
	struct packet p = x->sent[take(x) % SENT_BEFORE];
	struct endpoint mapped = place(x);
	uint8_t bytes[STUN_MESSAGE_BYTES];
	struct stun_message m;
	struct stun_writer s;
	int n;

	if (!p.length || stun_decode(p.bytes, p.length, &m) || m.method != STUN_BINDING)
		return;
	s = stun_begin(bytes, sizeof(bytes), STUN_SUCCESS, STUN_BINDING, &m.id);
	if (mapped.family != FAMILY_NONE)
		stun_add_address(&s, STUN_XOR_MAPPED_ADDRESS, &mapped);
	n = stun_end(&s);
	if (n > 0)
		deliver(x, p.socket, &p.to, bytes, (size_t)n);
}

static void fill_hello(struct run *x, struct hello *h)
{
	uint8_t flags = take(x);

	memset(h, 0, sizeof(*h));
	h->transport = HELLO_UDP;
	h->candidate_count = take(x) % (HELLO_CANDIDATES + 1);
	for (size_t i = 0; i < h->candidate_count; i++) {
		h->candidates[i].endpoint = place(x);
		h->candidates[i].kind = take(x) & 1 ? CHECK_HOST : CHECK_SERVER_REFLEXIVE;
		if (h->candidates[i].endpoint.family == FAMILY_NONE)
			h->candidates[i].endpoint = x->servers[0];
	}
	for (int f = 0; f < 2; f++) {
		struct pair_side *side = &h->side[f];

		h->has_side[f] = flags >> f & 1;
		side->nat = (enum tri)(take(x) % 3);
		side->mapping = (enum dependence)(take(x) % 4);
		side->filtering = (enum dependence)(take(x) % 4);
		side->early = (enum early_packet)(take(x) % 4);
		side->allocation = (enum allocation_pattern)(take(x) % 4);
		side->step = (int8_t)take(x) / 2;
		side->depth = take(x) % 8;
		side->packets_max = PAIR_MANY;
		side->sockets_max = UINT16_MAX;
		side->rate_pps = PAIR_MANY;
	}
	if (flags & 4)
		h->latest = place(x);
	h->port_count = flags & 8 ? take(x) % CHECKS_PORTS : 0;
	for (unsigned i = 0; i < h->port_count; i++)
		h->ports[i] = (uint16_t)(take(x) * 100);
	h->failed = flags & 16;
	h->attempt.number = flags & 32 ? take(x) : 0;
}

static void publish(struct run *x, struct span plain)
{
	int n = 0;

	x->slot[0] = 1;
	memcpy(x->slot + 1, x->share, sizeof(x->share));
	x->slot_version++;
	if (x->has_keys && plain.length)
		n = keys_slot_seal(&x->keys, x->id, x->slot_version, plain, &x->random,
			x->slot + 1 + sizeof(x->share), sizeof(x->slot) - 1 - sizeof(x->share));
	x->slot_length = 1 + sizeof(x->share) + (n > 0 ? (size_t)n : 0);
}

static void publish_hello(struct run *x)
{
	uint8_t plain[HELLO_BYTES_MAX];
	static struct hello h;
	int n;

	fill_hello(x, &h);
	n = hello_encode(&h, plain, sizeof(plain));
	publish(x, (struct span){plain, n > 0 ? (size_t)n : 0});
}

/* Bytes of the script, sealed or in place of the whole slot. */
static void publish_raw(struct run *x)
{
	uint8_t bytes[256], how = take(x);
	size_t length = take(x);

	for (size_t i = 0; i < length; i++)
		bytes[i] = take(x);
	publish(x, (struct span){bytes, length});
	if (how & 1)
		return;
	memcpy(x->slot, bytes, length);
	x->slot_length = length;
}

static void say(
	struct run *x, unsigned socket, const struct endpoint *from, struct punch_message *m)
{
	struct packet *p = &x->said;
	int n;

	m->counter = ++x->counter;
	m->attempt = take(x);
	n = punch_encode(m, x->keys.send.mac, p->bytes, sizeof(p->bytes));
	if (n < 0 || !x->has_keys || socket >= SESSION_SOCKETS || !x->ports[socket] ||
		from->family != x->families[socket] || !endpoint_is_unicast(from) ||
		endpoint_is_loopback(from))
		return; /* the system would not hand it over */
	p->length = (size_t)n;
	p->socket = socket;
	p->to = *from;
	x->authentic += x->knows_code;
	deliver(x, socket, from, p->bytes, p->length);
}

/* An answer with the request, if it says so: to one of the latest packets. */
static void add_echo(
	struct run *x, struct punch_message *m, unsigned *socket, struct endpoint *from)
{
	const struct packet *p;
	struct punch_message in;

	if (!(m->flags & 128))
		return;
	p = &x->sent[take(x) % SENT_BEFORE];
	if (!p->length || punch_decode(p->bytes, p->length, x->keys.receive.mac, &in) ||
		in.class != STUN_REQUEST)
		return;
	m->has_echo = true;
	m->echo = in.id;
	m->mapped = x->servers[0].family ? x->servers[0] : x->servers[1];
	if (!(m->flags & 64)) { /* else it need not have got it */
		*socket = p->socket;
		*from = p->to;
	}
	if (*socket == p->socket && endpoint_equal(from, &p->to))
		know(x, from);
}

static void request(struct run *x)
{
	struct punch_message m = {.class = STUN_REQUEST, .id = {{0x21, 0x12, 0xa4, 0x42}}};
	unsigned socket = any_socket(x);
	struct endpoint from = place(x);

	m.flags = take(x);
	m.id.bytes[8] = take(x);
	add_echo(x, &m, &socket, &from);
	for (unsigned i = 0; i < 2; i++) { /* nobody's packets come from our own endpoint */
		struct endpoint own = x->hosts[i];

		own.port = socket < SESSION_SOCKETS ? x->ports[socket] : 0;
		if (endpoint_equal(&own, &from))
			return;
	}
	say(x, socket, &from, &m);
}

static void answer(struct run *x)
{
	struct packet p = x->sent[take(x) % SENT_BEFORE];
	struct punch_message m, in;

	if (!p.length || punch_decode(p.bytes, p.length, x->keys.receive.mac, &in) ||
		in.class != STUN_REQUEST)
		return;
	m = (struct punch_message){.class = STUN_SUCCESS, .id = in.id};
	m.flags = take(x);
	m.mapped = place(x);
	if (m.mapped.family == FAMILY_NONE)
		return;
	know(x, &p.to);
	say(x, p.socket, &p.to, &m);
}

static void strange(struct run *x)
{
	unsigned socket = any_socket(x);
	struct endpoint from = place(x);
	size_t length = take(x);
	uint8_t bytes[256];

	for (size_t i = 0; i < length; i++)
		bytes[i] = take(x);
	deliver(x, socket, &from, bytes, length);
}

static void icmp(struct run *x)
{
	const struct packet *p = &x->sent[take(x) % SENT_BEFORE];
	struct icmp_seen seen = {.count = 1, .t_us = x->now_us, .error = ECONNREFUSED};

	seen.type = take(x);
	seen.code = take(x);
	seen.offender = place(x);
	if (p->length)
		session_error(x->session, x->now_us, p->socket, &p->to, &seen, p->bytes,
			p->length < 28 ? p->length : 28);
	poll(x);
}

static void step(struct run *x)
{
	enum happening e = (enum happening)(take(x) % EVENTS);
	uint64_t us;

	switch (e) {
	case TIME:
		us = take(x);
		run_until(x, x->now_us + (us << take(x) % 16));
		break;
	case SERVER_ANSWER:
	case SERVER_NEWS:
	case SERVER_STALE:
	case SERVER_ERROR:
		server(x, e);
		break;
	case BINDING_ANSWER:
		answer_binding(x);
		break;
	case PEER_HELLO:
		publish_hello(x);
		break;
	case PEER_SLOT_RAW:
		publish_raw(x);
		break;
	case PEER_REQUEST:
		request(x);
		break;
	case PEER_ANSWER:
		answer(x);
		break;
	case PEER_REPLAY:
		if (x->said.length)
			deliver(x, x->said.socket, &x->said.to, x->said.bytes, x->said.length);
		break;
	case STRANGER:
		strange(x);
		break;
	case ICMP:
		icmp(x);
		break;
	case SOCKETS:
		x->refuse = take(x) & 1;
		break;
	case STREAM:
		end_stream(x);
		break;
	default:
		x->left = true; /* its caller ends it then */
		session_leave(x->session, x->now_us);
		poll(x);
		break;
	}
}

/* --- the run --- */

static bool begin(struct run *x)
{
	static const struct endpoint servers[2] = {{FAMILY_IPV4, 3478, 0, {192, 0, 2, 1}},
		{FAMILY_IPV6, 3478, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}}};
	static const struct endpoint hosts[2] = {{FAMILY_IPV4, 0, 0, {192, 168, 1, 5}},
		{FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, 1, [15] = 5}}};
	static const char secret[] = "crossover-clockwork", purpose[] = "natutils punch 1";
	uint8_t flags = take(x);
	struct session_config c = {.allocate = flags & 4,
		.id = {7},
		.secret = {(const uint8_t *)secret, sizeof(secret) - 1},
		.host_count = 2,
		.packets_max = PACKETS_MAX,
		.sockets_max = SOCKETS_MAX,
		.rate_pps = 200,
		.wait_us = 20u * SECOND,
		.trail = trail,
		.journal = x->journal};
	struct cpace_input input = {.prs = {(const uint8_t *)secret, sizeof(secret) - 1},
		.ci = {(const uint8_t *)purpose, sizeof(purpose) - 1},
		.sid = {x->id, sizeof(x->id)}};
	int err;

	x->knows_code = !(flags & 8);
	input.prs.length -= !x->knows_code;
	memcpy(x->hosts, hosts, sizeof(hosts));
	memcpy(c.hosts, hosts, sizeof(hosts));
	for (unsigned f = 0; f < 2; f++)
		if (!(flags >> f & 1))
			c.servers[f] = x->servers[f] = servers[f];
	memcpy(x->id, c.id, sizeof(x->id));
	if (c.allocate)
		rendezvous_session_of("4711", 4, x->id);
	random_init_number(&x->random, 2);
	random_init_number(&c.random, 1);
	require(!cpace_begin(&x->cpace, &input, &x->random));
	memcpy(x->share, x->cpace.own, sizeof(x->share));
	err = session_create(&c, x->now_us, &x->session);
	require(flags % 4 == 3 ? err == -EINVAL : !err); /* without a server there is no end */
	return !err;
}

static void play(struct run *x)
{
	for (unsigned i = 0; i < STEPS && x->at < x->size; i++)
		step(x);
	run_until(x, x->now_us + END_US);
	require(x->ended || x->left || x->round);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run x;
	struct trail_event *events;

	require(sodium_init() >= 0);
	if (!trail)
		require(!trail_create(BEGIN_US, &trail));
	events = trail->events; /* as large as they are they serve all runs */
	*trail = (struct trail){.start_us = BEGIN_US, .events = events};
	memset(&x, 0, sizeof(x));
	x.data = data;
	x.size = size;
	x.now_us = BEGIN_US;
	require(!journal_create(BEGIN_US, &x.journal));
	if (begin(&x)) {
		poll(&x);
		play(&x);
	}
	session_destroy(x.session);
	journal_destroy(x.journal);
	return 0;
}
