// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The bytes are a script of what happens to an ICMP prober: what error queues and raw sockets show of quoted packets,
 * echo replies, answers and indications right and wrong, connections that come about or do not, steps of time. Whatever
 * happens, it sends only from what is open and to where a server is, uses no number twice, time goes on, it comes to an
 * end in time; and the judge can read what it has written.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "judge/findings.h"
#include "probe/icmp_probe.h"
#include "wire/icmp.h"
#include "fuzz.h"

#define START_US    1000000u
#define LIMIT_US    20000000u
#define ACTIONS_MAX 1000 /* between two steps of time */
#define STEPS_MAX   4000
#define IDS	    32

enum state { STATE_UNUSED, STATE_CONNECTING, STATE_READY, STATE_CLOSED };

struct script {
	struct reader bytes;
	struct journal *journal;
	struct random random;
	struct icmp_probe *probe;
	enum family family;
	uint64_t now_us;
	enum state state[ICMP_SOCKETS];
	enum icmp_socket_kind kind[ICMP_SOCKETS];
	struct endpoint local[ICMP_SOCKETS];
	struct sent {
		unsigned socket;
		size_t length;
		uint8_t data[ICMP_DATA_BYTES];
	} sent[IDS]; /* a ring */
	unsigned sent_count;
};

static struct endpoint server_endpoint(const struct script *s, bool other)
{
	if (s->family == FAMILY_IPV6)
		return (struct endpoint){FAMILY_IPV6, (uint16_t)(3478 + other), 0,
			{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(10 + other)}};
	return (struct endpoint){
		FAMILY_IPV4, (uint16_t)(3478 + other), 0, {203, 0, 113, (uint8_t)(10 + other)}};
}

static struct endpoint pick_endpoint(struct script *s)
{
	uint8_t kind = reader_u8(&s->bytes);
	struct endpoint e = server_endpoint(s, kind & 1);

	if (kind >> 6 == 3)
		e.address[3] = kind;
	if (kind >> 6 == 2)
		e.port = (uint16_t)(40000 + (kind & 15));
	return e;
}

static unsigned pick_socket(struct script *s, enum state state)
{
	unsigned first = reader_u8(&s->bytes) % ICMP_SOCKETS;

	for (unsigned i = 0; i < ICMP_SOCKETS; i++)
		if (s->state[(first + i) % ICMP_SOCKETS] == state)
			return (first + i) % ICMP_SOCKETS;
	return first;
}

/* One of the latest messages; of no length: there is none. */
static const struct sent *pick_sent(struct script *s)
{
	return &s->sent[(s->sent_count + IDS - 1 - reader_u8(&s->bytes) % IDS) % IDS];
}

/* --- what comes in --- */

static void write_record(struct script *s, struct icmp_record *r)
{
	uint8_t kind = reader_u8(&s->bytes);

	*r = (struct icmp_record){.kind = kind & 1 ? ICMP_KIND_ERROR : ICMP_KIND_ECHO,
		.type = kind & 2 ? 11 : 3,
		.code = kind & 4 ? 3 : 0,
		.identifier = (uint16_t)(40000 + (kind >> 4)),
		.sequence = kind >> 4,
		.quoted_protocol = kind & 8 ? 17 : 1};
	r->from = pick_endpoint(s);
	r->to = r->quoted_from = server_endpoint(s, kind & 16);
	r->quoted_to = pick_endpoint(s);
}

/* What a server could say to a request; some of it is not what was asked for. */
static void answer(struct script *s, uint8_t kind)
{
	static const uint16_t codes[] = {400, 403, 404, 409, 438, 438, 486, 508};
	static const uint8_t cookie[8] = {1, 2, 3};
	const struct sent *sent = pick_sent(s);
	struct endpoint from = server_endpoint(s, false);
	uint8_t data[ICMP_DATA_BYTES];
	struct icmp_inquiry m;
	int length;

	if (!sent->length || icmp_decode(sent->data, sent->length, &m))
		return;
	m.class = kind & 1 ? STUN_SUCCESS : kind & 2 ? STUN_INDICATION : STUN_ERROR;
	m.error_code = codes[kind >> 2 & 7];
	m.cookie = (struct span){cookie, kind & 4 || m.error_code == 438 ? sizeof(cookie) : 0};
	m.mapped = pick_endpoint(s);
	m.own = server_endpoint(s, kind & 8 && kind & 16);
	m.other = server_endpoint(s, !(kind & 32));
	m.target = pick_endpoint(s);
	m.sent = m.class == STUN_INDICATION ? reader_u8(&s->bytes) : 0;
	m.has_syn = kind & 8;
	m.syn_from = m.mapped;
	if (m.ask >= ICMP_ASK_SEEN && m.class == STUN_SUCCESS)
		for (m.record_count = 0; m.record_count < (kind >> 3 & 3u); m.record_count++)
			write_record(s, &m.records[m.record_count]);
	if (kind & 16 && m.error_count)
		m.errors[0].from = ICMP_FROM_NONE;
	length = icmp_encode(&m, data, sizeof(data), 0);
	if (length > 0)
		icmp_probe_input(s->probe, s->now_us, sent->socket, &from, data, (size_t)length);
}

static void give_binding(struct script *s, uint8_t kind)
{
	const struct sent *sent = pick_sent(s);
	struct endpoint mapped = pick_endpoint(s), other = server_endpoint(s, !(kind & 1)),
			from = server_endpoint(s, kind & 2 && kind & 4);
	uint8_t data[ICMP_DATA_BYTES];
	struct stun_message request;
	struct stun_writer w;
	int length;

	if (!sent->length || stun_decode(sent->data, sent->length, &request))
		return;
	w = stun_begin(data, sizeof(data), kind & 8 ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING,
		&request.id);
	stun_add_address(&w, STUN_XOR_MAPPED_ADDRESS, &mapped);
	stun_add_address(&w, STUN_OTHER_ADDRESS, &other);
	length = stun_end(&w);
	if (length > 0)
		icmp_probe_input(s->probe, s->now_us, sent->socket, &from, data, (size_t)length);
}

/* Bytes of the script, and what was sent, as something that came back. */
static size_t write_quoted(struct script *s, uint8_t kind, uint8_t *out, size_t size)
{
	const struct sent *sent = pick_sent(s);
	size_t length = sent->length < size ? sent->length : size, cut = reader_u8(&s->bytes);

	if (kind & 1) {
		length = cut;
		reader_copy(&s->bytes, out, length);
		return length;
	}
	memcpy(out, sent->data, length);
	return kind & 2 && cut < length ? cut : length;
}

static void give_error(struct script *s, uint8_t kind)
{
	static const uint8_t types[] = {3, 11, 12, 1, 2, 4, 5, 0};
	struct icmp_seen seen = {.count = 1,
		.t_us = s->now_us,
		.type = types[kind >> 2 & 7],
		.code = reader_u8(&s->bytes) & 15,
		.error = kind & 32 ? EHOSTUNREACH : EMSGSIZE,
		.mtu = 1400};
	struct endpoint to = server_endpoint(s, false);
	unsigned socket = pick_socket(s, kind & 64 ? STATE_CONNECTING : STATE_READY);
	uint8_t quoted[ICMP_DATA_BYTES] = {0};
	size_t length = write_quoted(s, kind, quoted, sizeof(quoted));

	seen.offender = pick_endpoint(s);
	seen.offender.port = 0;
	icmp_probe_error(s->probe, s->now_us, socket, &to, &seen, quoted, length);
}

static void give_raw(struct script *s, uint8_t kind)
{
	static const uint8_t types[] = {3, 11, 12, 1, 2, 4, 3, 1};
	uint8_t rest[4], body[300] = {0};
	struct endpoint from = pick_endpoint(s);
	size_t length = reader_u8(&s->bytes), header = s->family == FAMILY_IPV4 ? 20 : 40;
	unsigned socket = pick_socket(s, STATE_READY);
	uint8_t code = reader_u8(&s->bytes) & 15;

	reader_copy(&s->bytes, rest, sizeof(rest));
	reader_copy(&s->bytes, body, length);
	/* mostly it begins as a packet does */
	if (kind & 3 && length >= header + 8) {
		body[0] = s->family == FAMILY_IPV4 ? 0x45 : 0x60;
		body[s->family == FAMILY_IPV4 ? 9 : 6] = kind & 4 ? 17 : 6;
		memcpy(body + (s->family == FAMILY_IPV4 ? 16 : 24),
			server_endpoint(s, false).address, s->family == FAMILY_IPV4 ? 4 : 16);
		body[header] = (uint8_t)(s->local[socket].port >> 8);
		body[header + 1] = (uint8_t)s->local[socket].port;
		body[header + 2] = 3478 >> 8;
		body[header + 3] = 3478 & 255;
	}
	icmp_probe_raw(s->probe, s->now_us, &from, types[kind >> 3 & 7], code, rest,
		(struct span){body, length});
}

static void give_reply(struct script *s, uint8_t kind)
{
	const struct sent *sent = pick_sent(s);
	struct endpoint from = server_endpoint(s, kind & 1);

	if (kind & 2)
		from = pick_endpoint(s);
	icmp_probe_reply(s->probe, s->now_us, kind & 4 ? pick_socket(s, STATE_READY) : sent->socket,
		&from, kind >> 3 & 7, 55, sent->data, sent->length);
}

static void give_connected(struct script *s, uint8_t kind)
{
	static const int errors[] = {
		0, 0, 0, 0, -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT, -ENETUNREACH};
	unsigned socket = pick_socket(s, STATE_CONNECTING);

	icmp_probe_connected(s->probe, s->now_us, socket, errors[kind & 7]);
	if (s->state[socket] == STATE_CONNECTING && !errors[kind & 7])
		s->state[socket] = STATE_READY;
}

static void give_other(struct script *s, uint8_t kind)
{
	unsigned socket = pick_socket(s, STATE_READY);
	struct endpoint from = server_endpoint(s, false);
	uint8_t data[256] = {0};
	size_t length;

	switch (kind & 3) {
	case 0:
		icmp_probe_connection_error(
			s->probe, s->now_us, socket, kind & 4 ? EHOSTUNREACH : ECONNREFUSED);
		break;
	case 1:
		icmp_probe_path_mtu(s->probe, s->now_us, (uint16_t)(kind << 6));
		break;
	case 2:
		icmp_probe_closed(s->probe, s->now_us, socket, kind & 4 ? -ECONNRESET : 0);
		break;
	default:
		length = reader_u8(&s->bytes);
		reader_copy(&s->bytes, data, length);
		icmp_probe_input(s->probe, s->now_us, socket, &from, data, length);
		break;
	}
}

/* One thing happens, at deadline_us at the latest. */
static void happen(struct script *s, uint64_t deadline_us)
{
	uint8_t what = reader_u8(&s->bytes), kind = reader_u8(&s->bytes);

	if (!reader_left(&s->bytes)) {
		s->now_us = deadline_us;
		return;
	}
	switch (what >> 5) {
	case 0:
	case 1:
		answer(s, kind);
		break;
	case 2:
		give_binding(s, kind);
		break;
	case 3:
		give_error(s, kind);
		break;
	case 4:
		give_raw(s, kind);
		break;
	case 5:
		give_reply(s, kind);
		break;
	case 6:
		if (what & 1)
			give_connected(s, kind);
		else
			give_other(s, kind);
		break;
	default:
		s->now_us += (what & 31) * 1000u;
		if (what & 16 || s->now_us > deadline_us)
			s->now_us = deadline_us;
		break;
	}
}

/* --- what it does --- */

static void open_socket(struct script *s, const struct icmp_output *out)
{
	struct endpoint local = {s->family, out->port, 0, {10, 0, 1, 2}};
	uint8_t kind = reader_u8(&s->bytes);

	require(out->socket < ICMP_SOCKETS);
	require(s->state[out->socket] == STATE_UNUSED);
	require(out->to.family == s->family);
	if (!local.port)
		local.port = (uint16_t)(20000 + out->socket);
	s->kind[out->socket] = out->kind;
	s->local[out->socket] = local;
	s->state[out->socket] = out->kind == ICMP_SOCKET_TCP ? STATE_CONNECTING : STATE_READY;
	if ((kind & 31) == 31)
		s->state[out->socket] = STATE_CLOSED;
	icmp_probe_opened(
		s->probe, s->now_us, out->socket, (kind & 31) == 31 ? -EACCES : 0, &local);
}

static void note_sent(struct script *s, const struct icmp_output *out)
{
	struct sent *sent = &s->sent[s->sent_count++ % IDS];

	require(s->state[out->socket] == STATE_READY && s->kind[out->socket] == out->kind);
	require(out->length > 0 && out->length <= sizeof(sent->data));
	require(endpoint_same_address(&out->to, &(struct endpoint){0}) ||
		out->to.family == s->family);
	sent->socket = out->socket;
	sent->length = out->length;
	memcpy(sent->data, out->data, out->length);
}

/* Everything that it wants done now; false when it is done for good. */
static bool serve(struct script *s, uint64_t *deadline_us)
{
	struct endpoint server = server_endpoint(s, false);
	struct icmp_output out;

	for (unsigned actions = 0; actions < ACTIONS_MAX; actions++) {
		switch (icmp_probe_poll(s->probe, s->now_us, &out)) {
		case ICMP_OPEN:
			open_socket(s, &out);
			break;
		case ICMP_SEND:
			note_sent(s, &out);
			break;
		case ICMP_SEND_ERROR:
			require(endpoint_same_address(&out.to, &server));
			require(out.length > 0 && out.length <= sizeof(out.data));
			break;
		case ICMP_LOOK:
			icmp_probe_path_mtu(s->probe, s->now_us, 1500);
			break;
		case ICMP_CLOSE:
			require(s->state[out.socket] != STATE_UNUSED);
			s->state[out.socket] = STATE_CLOSED;
			break;
		case ICMP_WAIT:
			require(out.deadline_us > s->now_us);
			*deadline_us = out.deadline_us;
			return true;
		case ICMP_DONE:
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
}

static void run(struct script *s)
{
	struct journal_server server = {.name = "server",
		.endpoint = server_endpoint(s, false),
		.transport = TRANSPORT_ICMP};
	uint64_t deadline_us = 0;
	unsigned steps = 0;
	size_t place;

	require(!journal_add_server(s->journal, &server, &place));
	icmp_probe_add_server(s->probe, s->now_us, place);
	while (serve(s, &deadline_us) && steps++ < STEPS_MAX)
		happen(s, deadline_us);
	require(steps < STEPS_MAX);
	require(s->now_us <= START_US + LIMIT_US + 200000);
	judge_all(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.now_us = START_US};
	struct icmp_probe_config config = {.limit_us = LIMIT_US};
	uint8_t kind;

	if (size > 4096)
		return 0;
	s.bytes = reader_over(data, size);
	kind = reader_u8(&s.bytes);
	s.family = config.family = kind & 8 ? FAMILY_IPV6 : FAMILY_IPV4;
	config.tests = 1 + kind % 3;
	config.raw = kind & 16;
	config.raw_error = EPERM;
	random_init_number(&s.random, reader_u8(&s.bytes));
	require(!journal_create(START_US, &s.journal));
	require(!icmp_probe_create(&config, s.journal, &s.random, s.now_us, &s.probe));
	run(&s);
	icmp_probe_destroy(s.probe);
	journal_destroy(s.journal);
	return 0;
}
