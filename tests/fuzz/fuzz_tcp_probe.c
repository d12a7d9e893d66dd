// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The bytes are a script of what happens to a TCP prober: connections that come about or do not, calls that are
 * accepted, answers right and wrong, results in any order, errors, steps of time. Whatever happens, it sends only over
 * what is connected, connects only to where a server or its own address is, uses no number twice, time goes on, it comes
 * to an end in time; and the judge can read what it has written.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "judge/findings.h"
#include "probe/tcp_probe.h"
#include "wire/call.h"
#include "fuzz.h"

#define START_US    1000000u
#define LIMIT_US    20000000u
#define ACTIONS_MAX 400 /* between two steps of time */
#define STEPS_MAX   4000
#define IDS	    16

enum state { STATE_UNUSED, STATE_CONNECTING, STATE_LISTENING, STATE_READY, STATE_CLOSED };

struct script {
	struct reader bytes;
	struct journal *journal;
	struct random random;
	struct tcp_probe *probe;
	uint64_t now_us;
	enum state state[TCP_SOCKETS];
	struct sent {
		struct stun_id id;
		unsigned socket;
		uint8_t calls; /* asked for; 0: a Binding request */
	} sent[IDS]; /* a ring */
	unsigned sent_count;
};

static struct endpoint server_endpoint(unsigned changed)
{
	return (struct endpoint){FAMILY_IPV4, (uint16_t)(3478 + (changed & 1)), 0,
		{203, 0, (uint8_t)(113 + (changed >> 1 & 1)), 1}};
}

/* One of the endpoints that can matter, or one made of script bytes. */
static struct endpoint pick_endpoint(struct script *s)
{
	uint8_t kind = reader_u8(&s->bytes);
	struct endpoint e = server_endpoint(kind);

	switch (kind >> 5) {
	case 4: /* where a NAT would show us */
		return (struct endpoint){
			FAMILY_IPV4, (uint16_t)(40000 + (kind & 15)), 0, {198, 51, 100, 99}};
	case 5: /* a third port */
		e.port = reader_u16(&s->bytes);
		return e;
	case 6:
		return (struct endpoint){FAMILY_IPV6, 3479, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}};
	case 7:
		reader_copy(&s->bytes, e.address, 4);
		e.port = reader_u16(&s->bytes);
		return e;
	default:
		return e;
	}
}

static unsigned pick_socket(struct script *s, enum state state)
{
	unsigned first = reader_u8(&s->bytes) % TCP_SOCKETS;

	for (unsigned i = 0; i < TCP_SOCKETS; i++)
		if (s->state[(first + i) % TCP_SOCKETS] == state)
			return (first + i) % TCP_SOCKETS;
	return first;
}

/* --- what comes in --- */

/* What may be known of SYNs: values from anywhere, and not of the script's bytes. */
static struct syn_options any_options(struct random *r)
{
	static const uint16_t sizes[] = {0, 1, 536, 1220, 1412, 1440, 1460, 65535};

	return (struct syn_options){(uint8_t)random_below(r, 16), (uint8_t)random_below(r, 256),
		sizes[random_below(r, 8)]};
}

static void add_syn(struct stun_writer *w, unsigned seed)
{
	struct stun_syn syn = {.version = 1};
	struct random r;

	random_init_number(&r, seed);
	syn.parts = (uint8_t)random_below(&r, 4);
	syn.arrived.ttl = (uint8_t)random_below(&r, 256);
	syn.arrived.options = any_options(&r);
	syn.arrived.sequence = random_below(&r, UINT32_MAX);
	syn.answered = any_options(&r);
	stun_add_syn(w, &syn);
}

static void give_handshake(struct script *s, unsigned socket, unsigned seed)
{
	static const uint32_t sizes[] = {0, 1, 40, 60, 1280, 1492, 1500, UINT32_MAX};
	struct handshake h = {.told = true};
	struct random r;

	random_init_number(&r, seed);
	h.ttl = (uint8_t)random_below(&r, 256);
	h.known = (uint8_t)random_below(&r, 16);
	h.sent = any_options(&r);
	h.agreed = (uint8_t)random_below(&r, 8);
	h.segment_bytes = any_options(&r).mss;
	h.path_mtu = sizes[random_below(&r, 8)];
	h.window = sizes[random_below(&r, 8)];
	h.probes_mtu = random_below(&r, 2);
	h.since_ns = s->now_us * 1000 - random_below(&r, 4000);
	h.until_ns = s->now_us * 1000 + random_below(&r, 4000);
	h.quoted = random_below(&r, 2);
	h.sequence = (uint32_t)(h.since_ns / 64);
	tcp_probe_handshake(s->probe, socket, &h);
}

static size_t write_binding(
	struct script *s, const struct stun_id *id, uint8_t *buffer, size_t size)
{
	uint8_t flags = reader_u8(&s->bytes);
	struct stun_writer w = stun_begin(buffer, size,
		(enum stun_class)(flags & 1 ? flags >> 6 : STUN_SUCCESS), STUN_BINDING, id);
	struct endpoint mapped = pick_endpoint(s), other = pick_endpoint(s);
	int length;

	if (!(flags & 2))
		stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &mapped);
	if (!(flags & 4))
		stun_add_address(&w, STUN_OTHER_ADDRESS, &other);
	if (flags & 8)
		stun_add_error(&w, 300 + reader_u8(&s->bytes), "reason");
	if (flags & 16)
		add_syn(&w, flags);
	length = stun_end(&w);
	return length > 0 ? (size_t)length : 0;
}

static size_t write_call(struct script *s, const struct stun_id *id, uint8_t *buffer, size_t size)
{
	uint8_t flags = reader_u8(&s->bytes);
	struct call_message m = {.class = (enum stun_class)(flags & 3),
		.id = *id,
		.error_code = CALL_BUSY,
		.has_from = true,
		.from = reader_u8(&s->bytes) & 31,
		.has_result = true,
		.which = (enum call_from)(1u << (flags >> 2 & 7) % CALL_FROM_KINDS),
		.outcome = (enum call_outcome)(1 + (flags >> 5) % 5),
		.elapsed_us = reader_u16(&s->bytes) * 256u};
	int length;

	m.mapped = pick_endpoint(s);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (m.from >> i & 1)
			m.endpoint[i] = pick_endpoint(s);
	length = call_encode(&m, buffer, size);
	return length > 0 ? (size_t)length : 0;
}

/* An answer to something that was sent, in pieces, or bytes that claim to be one. */
static void give_input(struct script *s, uint8_t kind)
{
	struct stun_id id = s->sent[reader_u8(&s->bytes) % IDS].id;
	unsigned socket = pick_socket(s, STATE_READY);
	uint8_t data[STUN_MESSAGE_BYTES] = {0};
	size_t length, cut;

	if (kind & 1) {
		length = reader_u8(&s->bytes);
		reader_copy(&s->bytes, data, length);
	} else if (kind & 2) {
		length = write_call(s, &id, data, sizeof(data));
	} else {
		length = write_binding(s, &id, data, sizeof(data));
	}
	cut = kind & 4 && length ? reader_u8(&s->bytes) % length : 0;
	tcp_probe_input(s->probe, s->now_us, socket, data, cut);
	tcp_probe_input(s->probe, s->now_us, socket, data + cut, length - cut);
}

/* What a right server says: so the deeper questions are put, too. */
static struct call_message right_call(struct script *s, const struct sent *sent, uint8_t kind)
{
	struct call_message m = {.class = STUN_SUCCESS,
		.id = sent->id,
		.has_from = true,
		.from = sent->calls,
		.mapped = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 99}}};
	uint8_t result = reader_u8(&s->bytes);

	for (unsigned i = 0; i < CALL_FROM_KINDS; i++) {
		m.endpoint[i] = server_endpoint(i == 0 ? 1 : i == 1 ? 2 : 3);
		if (i >= 3)
			m.endpoint[i] = server_endpoint(i == 3 ? 0 : 2);
		if (i >= 3)
			m.endpoint[i].port = 50000;
	}
	if (kind & 8) {
		m.class = STUN_INDICATION;
		m.has_result = true;
		m.which = (enum call_from)(1u << (result & 7) % CALL_FROM_KINDS);
		m.outcome = (enum call_outcome)(1 + (result >> 3) % 5);
		m.elapsed_us = 1000u << (result >> 5);
	}
	return m;
}

static void give_right(struct script *s, uint8_t kind)
{
	const struct sent *sent = &s->sent[(s->sent_count + IDS - 1 - (kind & 7)) % IDS];
	const struct endpoint mapped = {FAMILY_IPV4, 40000, 0, {198, 51, 100, 99}},
			      other = server_endpoint(3);
	uint8_t data[STUN_MESSAGE_BYTES];
	struct call_message call;
	struct stun_writer w;
	int length;

	if (sent->calls) {
		call = right_call(s, sent, kind);
		length = call_encode(&call, data, sizeof(data));
	} else {
		w = stun_begin(data, sizeof(data), STUN_SUCCESS, STUN_BINDING, &sent->id);
		stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &mapped);
		stun_add_address(&w, STUN_OTHER_ADDRESS, &other);
		if (kind & 32)
			add_syn(&w, s->sent_count + kind);
		length = stun_end(&w);
	}
	require(length > 0);
	tcp_probe_input(s->probe, s->now_us, kind & 16 ? pick_socket(s, STATE_READY) : sent->socket,
		data, (size_t)length);
}

static void give_accepted(struct script *s)
{
	struct endpoint from = pick_endpoint(s);
	int number =
		tcp_probe_accepted(s->probe, s->now_us, pick_socket(s, STATE_LISTENING), &from);

	require(number < TCP_SOCKETS);
	if (number < 0)
		return;
	require(s->state[number] == STATE_UNUSED);
	s->state[number] = STATE_READY;
}

static void give_icmp(struct script *s, unsigned socket, uint8_t kind)
{
	struct icmp_seen icmp = {.count = 1,
		.t_us = s->now_us,
		.error = EHOSTUNREACH,
		.type = kind & 8 ? 3 : 11,
		.code = kind & 16 ? 13 : 0,
		.offender = {FAMILY_IPV4, 0, 0, {192, 0, 2, (uint8_t)socket}}};

	if (socket & 1)
		icmp.offender = pick_endpoint(s);
	tcp_probe_icmp(s->probe, socket, &icmp);
}

static void give_connected(struct script *s, uint8_t kind)
{
	static const int errors[] = {0, 0, 0, 0, -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT, -EPERM};
	unsigned socket = pick_socket(s, STATE_CONNECTING);

	if (kind & 32)
		give_handshake(s, socket, socket + kind);
	if ((kind & 7) == 5) /* it comes with an ICMP error, be it a TTL that has run out */
		give_icmp(s, socket, kind);
	tcp_probe_connected(s->probe, s->now_us, socket, errors[kind & 7], kind >> 3 & 3);
	if (s->state[socket] == STATE_CONNECTING && !errors[kind & 7])
		s->state[socket] = STATE_READY;
}

/* One thing happens, at deadline_us at the latest. */
static void happen(struct script *s, uint64_t deadline_us)
{
	uint8_t what = reader_u8(&s->bytes);

	if (!reader_left(&s->bytes)) {
		s->now_us = deadline_us;
		return;
	}
	switch (what >> 5) {
	case 0:
	case 1:
		give_connected(s, what);
		break;
	case 2:
	case 3:
		give_right(s, what);
		break;
	case 4:
		give_input(s, what);
		break;
	case 5:
		give_accepted(s);
		break;
	case 6:
		if ((what & 3) == 3)
			tcp_probe_closed(s->probe, s->now_us, pick_socket(s, STATE_READY),
				what & 4 ? -ECONNRESET : 0);
		break;
	default:
		s->now_us += (what & 31) * 1000u;
		if (what & 16 || s->now_us > deadline_us)
			s->now_us = deadline_us;
		break;
	}
}

/* --- what it does --- */

static void open_socket(struct script *s, const struct tcp_output *out)
{
	struct endpoint local = {FAMILY_IPV4, out->port, 0, {10, 0, 1, 2}};
	uint8_t kind = reader_u8(&s->bytes);

	require(s->state[out->socket] == STATE_UNUSED || s->state[out->socket] == STATE_CLOSED);
	require(out->port != 0);
	if (out->action == TCP_OPEN)
		require(endpoint_is_unicast(&out->to) && out->to.family == FAMILY_IPV4);
	if ((kind & 31) == 31) { /* it may be tried again, from another port */
		tcp_probe_opened(s->probe, s->now_us, out->socket,
			kind & 32 ? -EADDRINUSE : -EMFILE, &local);
		return;
	}
	s->state[out->socket] = out->action == TCP_LISTEN ? STATE_LISTENING : STATE_CONNECTING;
	tcp_probe_opened(s->probe, s->now_us, out->socket, 0, &local);
}

static void note_sent(struct script *s, const struct tcp_output *out)
{
	struct sent *sent = &s->sent[s->sent_count++ % IDS];
	struct call_message call;
	struct stun_message m;

	require(s->state[out->socket] == STATE_READY);
	require(out->length > 0 && !stun_decode(out->data, out->length, &m));
	sent->id = m.id;
	sent->socket = out->socket;
	sent->calls = 0;
	if (call_looks_like(out->data, out->length)) {
		require(!call_decode(out->data, out->length, &call));
		sent->calls = call.from;
	}
}

/* Everything that it wants done now; false when it is done for good. */
static bool serve(struct script *s, uint64_t *deadline_us)
{
	struct tcp_output out;

	for (unsigned actions = 0; actions < ACTIONS_MAX; actions++) {
		switch (tcp_probe_poll(s->probe, s->now_us, &out)) {
		case TCP_OPEN:
		case TCP_LISTEN:
			open_socket(s, &out);
			break;
		case TCP_SEND:
			note_sent(s, &out);
			break;
		case TCP_CLOSE:
			require(s->state[out.socket] > STATE_UNUSED &&
				s->state[out.socket] < STATE_CLOSED);
			s->state[out.socket] = STATE_CLOSED;
			break;
		case TCP_WAIT:
			require(out.deadline_us > s->now_us);
			*deadline_us = out.deadline_us;
			return true;
		case TCP_DONE:
			return false;
		}
	}
	require(!"it acts without end");
	return false;
}

static void judge_all(const struct script *s)
{
	static struct finding findings[FINDINGS_MAX];
	static struct verdict verdict;

	for (size_t i = 0; i < s->journal->observation_count; i++)
		require(s->journal->observations[i].state != OBSERVATION_OPEN);
	judge(s->journal, &verdict);
	require(judge_findings(s->journal, &verdict, findings) <= FINDINGS_MAX);
	require(verdict.udp4.status == PATH_UNTESTED);
	require(s->journal->trace_count <= 1 && verdict.tcp4.reach.last <= 24);
}

static void run(struct script *s)
{
	struct journal_server server = {
		.name = "server", .endpoint = server_endpoint(0), .transport = TRANSPORT_TCP};
	uint64_t deadline_us = 0;
	unsigned steps = 0;
	size_t place;

	require(!journal_add_server(s->journal, &server, &place));
	tcp_probe_add_server(s->probe, s->now_us, place);
	while (serve(s, &deadline_us) && steps++ < STEPS_MAX)
		happen(s, deadline_us);
	require(steps < STEPS_MAX);
	require(s->now_us <= START_US + LIMIT_US + 200000);
	judge_all(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.now_us = START_US};
	struct tcp_probe_config config = {.family = FAMILY_IPV4, .limit_us = LIMIT_US};
	uint8_t kind;

	if (size > 2048)
		return 0;
	s.bytes = reader_over(data, size);
	kind = reader_u8(&s.bytes);
	config.tests = 1 + kind % 3;
	config.syns = !(kind / 3 & 1);
	config.trace = !(kind & 128);
	random_init_number(&s.random, reader_u8(&s.bytes));
	require(!journal_create(START_US, &s.journal));
	require(!tcp_probe_create(&config, s.journal, &s.random, s.now_us, &s.probe));
	run(&s);
	tcp_probe_destroy(s.probe);
	journal_destroy(s.journal);
	return 0;
}
