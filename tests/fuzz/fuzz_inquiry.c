// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A script of requests from a few sources, over UDP and TCP, of ICMP and SYNs that arrive, of connections that end and of time
 * that passes. Promised: who is not proved gets no more bytes than he has sent and has nothing done; errors go only to
 * who has asked for them, as many as were asked for, replies only to where an echo request came from and a request for
 * it; none is longer than it may be; each source has its share of a minute; an indication goes where the request came from, once
 * for each time that it was sent; and after a while nothing is left to be done.
 */

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "server/inquiry.h"
#include "fuzz.h"

#define SOURCES	     6 /* the last two are TCP connections */
#define FIRST_TCP    4
#define IDS	     8
#define STEPS	     400
#define POLLS	     5000
#define MESSAGE_ROOM 1500
#define SILENT	     3480
#define QUIET_US     (2 * (uint64_t)ICMP_LATER_MAX_MS * 1000)

struct source {
	uint64_t connection; /* 0: UDP */
	uint8_t cookie[COOKIE_BYTES];
	bool has_cookie;
	uint64_t cookie_us;
	bool heed;
	unsigned owed; /* errors that it has asked for and not got */
	unsigned owed_replies;
	unsigned told, asked; /* indications, and requests that may have one */
};

struct run {
	const uint8_t *data;
	size_t size, at;
	struct inquiries *q;
	struct inquiries_config config;
	uint64_t now_us, connections, window_us;
	struct source sources[SOURCES];
	unsigned sent; /* in this minute, to all */
	struct inquiries_output out;
};

static uint8_t take(struct run *x)
{
	return x->at < x->size ? x->data[x->at++] : 0;
}

static struct endpoint endpoint_of(unsigned source)
{
	struct endpoint e = {.family = source & 1 ? FAMILY_IPV6 : FAMILY_IPV4};

	/* 0 and 2 share an address, 1 and 3 a network */
	memcpy(e.address, source & 1 ? "\x20\x01\x0d\xb8" : "\xc0\x00\x02\x07", 4);
	e.address[15] = (uint8_t)(source & 1 ? source : 0);
	if (source == 4)
		e.address[3] = 8;
	e.port = (uint16_t)(1000 + source);
	return e;
}

static unsigned local_of(const struct run *x, unsigned source, uint8_t bits)
{
	(void)x;
	return (source & 1 ? RESPONDER_IPV6 : 0) | (bits & (RESPONDER_PORT | RESPONDER_ADDRESS));
}

static bool expected(void *context, uint64_t connection, uint32_t *sequence)
{
	struct run *x = context;

	require(connection == x->sources[4].connection || connection == x->sources[5].connection);
	*sequence = (uint32_t)x->now_us;
	return x->now_us % 7 != 0;
}

/* --- what comes out --- */

static void check_error(struct run *x)
{
	struct packet quoted;
	bool found = false;

	require(icmp_is_offered(x->out.target.family, x->out.type, x->out.code));
	require(x->out.body_length + 8 + (x->out.target.family == FAMILY_IPV4 ? 20 : 40) <=
		ICMP_QUOTING_BYTES);
	memset(&quoted, 0, sizeof(quoted));
	require(x->out.body_length >= 28);
	for (unsigned i = 0; i < SOURCES && !found; i++) {
		struct endpoint e = endpoint_of(i);

		if (!endpoint_same_address(&e, &x->out.target) || !x->sources[i].owed)
			continue;
		if (endpoint_equal(&e, &x->out.target)) {
			x->sources[i].owed--;
			found = true;
		}
	}
	require(found);
	x->sent++;
	inquiries_sent(x->q, x->out.number, x->out.place, take(x) & 1 ? -EPERM : 0);
}

static void check_reply(struct run *x)
{
	bool found = false;

	require(x->out.type == (x->out.target.family == FAMILY_IPV4 ? 0 : 129) && !x->out.code);
	require(x->out.body_length <= ICMP_KEPT_BYTES);
	for (unsigned i = 0; i < SOURCES && !found; i++) {
		struct endpoint e = endpoint_of(i);

		if (!endpoint_same_address(&e, &x->out.target) || !x->sources[i].owed_replies)
			continue;
		x->sources[i].owed_replies--;
		found = true;
	}
	require(found);
	x->sent++;
}

static void check_told(struct run *x)
{
	struct icmp_inquiry m;
	bool found = false;

	if (!x->out.length)
		return;
	require(!icmp_decode(x->out.bytes, x->out.length, &m));
	require(m.class == STUN_INDICATION && m.ask <= ICMP_ASK_ATTEMPT);
	for (unsigned i = 0; i < SOURCES; i++) {
		struct source *s = &x->sources[i];
		struct endpoint e = endpoint_of(i);

		if (s->connection != x->out.connection || !endpoint_equal(&e, &x->out.to))
			continue;
		require(++s->told <= s->asked);
		found = true;
	}
	require(found);
}

static void check_source(const struct run *x)
{
	unsigned source = x->out.source;

	require(source < RESPONDER_ENDPOINTS);
	require(x->config.advertised[source].family == x->out.target.family);
}

static void poll(struct run *x)
{
	unsigned count = 0;

	while (inquiries_poll(x->q, x->now_us, &x->out)) {
		require(++count < POLLS);
		check_told(x);
		if (x->out.step != INQUIRIES_NOTHING)
			check_source(x);
		if (x->out.step == INQUIRIES_ERROR)
			check_error(x);
		else if (x->out.step == INQUIRIES_REPLY)
			check_reply(x);
	}
	require(inquiries_next_us(x->q) > x->now_us);
}

/* --- requests --- */

static void check_success(
	struct run *x, struct source *s, const struct icmp_inquiry *m, uint64_t asked_before)
{
	struct endpoint from = endpoint_of((unsigned)(s - x->sources));

	require(endpoint_equal(&m->mapped, &from));
	if (m->ask <= ICMP_ASK_ATTEMPT)
		s->asked++;
	if (inquiries_counts(x->q)->asked == asked_before)
		return;
	for (size_t i = 0; i < m->error_count; i++)
		s->owed += m->errors[i].from != ICMP_FROM_NONE;
	if (m->ask == ICMP_ASK_LATER) {
		struct endpoint echo = m->records[0].from;

		require(m->record_count == 1 && endpoint_same_address(&echo, &from));
		s->owed_replies++;
	}
}

static void check_answer(
	struct run *x, struct source *s, size_t length, bool proved, uint64_t asked_before)
{
	struct endpoint from = endpoint_of((unsigned)(s - x->sources));
	struct icmp_inquiry m;
	struct stun_message stun;

	require(x->out.step == INQUIRIES_NOTHING);
	if (!proved)
		require(x->out.length <= length && inquiries_counts(x->q)->asked == asked_before);
	if (!x->out.length)
		return;
	require(endpoint_equal(&x->out.to, &from) && x->out.connection == s->connection);
	if (icmp_decode(x->out.bytes, x->out.length, &m)) {
		require(!stun_decode(x->out.bytes, x->out.length, &stun));
		require(stun.class == STUN_ERROR && stun.error_code == 420);
		return;
	}
	if (m.cookie.length) {
		require(m.cookie.length == COOKIE_BYTES && !s->connection);
		memcpy(s->cookie, m.cookie.data, COOKIE_BYTES);
		s->has_cookie = true;
		s->cookie_us = x->now_us;
	}
	require(m.class == STUN_ERROR || m.class == STUN_SUCCESS);
	require(m.class == STUN_ERROR || proved);
	if (m.class == STUN_SUCCESS)
		check_success(x, s, &m, asked_before);
}

static void deliver(struct run *x, struct source *s, unsigned local, const uint8_t *data,
	size_t length, bool proved)
{
	uint8_t *exact = malloc(length ? length : 1);
	uint64_t before = inquiries_counts(x->q)->asked;
	struct inquiries_input in = {.data = exact,
		.length = length,
		.from = endpoint_of((unsigned)(s - x->sources)),
		.local = local,
		.ttl = take(x),
		.connection = s->connection,
		.heed = s->connection ? &s->heed : NULL};

	require(exact != NULL);
	memcpy(exact, data, length);
	inquiries_input(x->q, x->now_us, &in, &x->out);
	check_answer(x, s, length, proved, before);
	free(exact);
	poll(x);
}

static bool is_good(const struct run *x, const struct source *s)
{
	return s->has_cookie && x->now_us / COOKIE_EPOCH_US - s->cookie_us / COOKIE_EPOCH_US < 2;
}

static void fill_errors(struct run *x, struct icmp_inquiry *m)
{
	m->error_count = take(x) % (ICMP_ERRORS_MAX + 1);
	for (size_t i = 0; i < m->error_count; i++)
		m->errors[i] = (struct icmp_wanted){.type = take(x) % 13,
			.code = take(x) % 5,
			.from = (enum icmp_from)(take(x) % 3),
			.delay_ms = (uint16_t)(take(x) * 40),
			.mtu = (uint16_t)(take(x) << 3)};
}

static void send_request(struct run *x)
{
	struct source *s = &x->sources[take(x) % SOURCES];
	unsigned source = (unsigned)(s - x->sources);
	struct icmp_inquiry m = {.class = STUN_REQUEST, .ask = (enum icmp_ask)(1 + take(x) % 4)};
	uint8_t flags = take(x), bytes[MESSAGE_ROOM];
	int length;

	memcpy(m.id.bytes, "\x21\x12\xa4\x42", 4);
	m.id.bytes[15] = take(x) % IDS;
	m.token[0] = flags & 3;
	m.later_ms = take(x) * 1000u;
	fill_errors(x, &m);
	if (flags & 4)
		m.cookie = (struct span){s->cookie, COOKIE_BYTES};
	length = icmp_encode(&m, bytes, sizeof(bytes), flags & 8 ? 1200 : 0);
	require(length > 0);
	/* a connection has one endpoint */
	deliver(x, s, local_of(x, source, s->connection ? 0 : flags >> 4), bytes, (size_t)length,
		s->connection || (flags & 4 && is_good(x, s)));
}

/* Bytes of the script's own, which prove nothing over UDP: no cookie is known before the run. */
static void send_raw(struct run *x)
{
	struct source *s = &x->sources[take(x) % FIRST_TCP];
	uint8_t bytes[MESSAGE_ROOM];
	size_t wanted = take(x) * 4u, length = 0;

	while (length < wanted && x->at < x->size)
		bytes[length++] = take(x);
	deliver(x, s, local_of(x, (unsigned)(s - x->sources), 0), bytes, length, false);
}

/* --- what arrives --- */

static void arrive_icmp(struct run *x)
{
	unsigned source = take(x) % SOURCES;
	struct endpoint from = endpoint_of(source);
	struct icmp_meta meta = {.from = from, .ttl = take(x)};
	uint8_t kind = take(x), body[256] = {0}, *exact;
	uint8_t token[ICMP_TOKEN_BYTES] = {kind & 3};
	size_t length = ICMP_MARK_BYTES;
	struct icmp_message m = {.type = source & 1 ? 128 : 8};

	icmp_write_mark(token, body);
	if (kind & 4) {
		m.type = (uint8_t)(take(x) & 15);
		length = take(x);
		for (size_t i = 0; i < length; i++)
			body[i] = take(x);
		if (length > 60)
			icmp_write_mark(token, body + (source & 1 ? 48 : 28));
	}
	exact = malloc(length ? length : 1);
	require(exact != NULL);
	memcpy(exact, body, length);
	m.body = (struct span){exact, length};
	inquiries_seen(x->q, x->now_us, local_of(x, source, kind >> 4), &m, &meta);
	free(exact);
	poll(x);
}

static void arrive_syn(struct run *x)
{
	unsigned source = take(x) % SOURCES;
	struct endpoint from = endpoint_of(source);
	unsigned local = local_of(x, source, take(x));
	struct endpoint to = x->config.local[local];
	struct packet_tcp tcp = {.sequence = take(x), .flags = PACKET_SYN};
	uint8_t bytes[256];
	struct packet syn;
	int length;

	if (take(x) & 1)
		tcp.flags = take(x);
	to.port = SILENT;
	length = packet_build_tcp(bytes, sizeof(bytes), &from, &to, 9, &tcp, NULL, 0);
	require(length > 0 && !packet_decode(bytes, (size_t)length, &syn));
	inquiries_syn(x->q, x->now_us, local, &syn);
	poll(x);
}

static void close_connection(struct run *x)
{
	struct source *s = &x->sources[FIRST_TCP + take(x) % (SOURCES - FIRST_TCP)];

	if (s->heed)
		inquiries_closed(x->q, s->connection);
	*s = (struct source){.connection = ++x->connections, .owed_replies = s->owed_replies};
	poll(x);
}

static void pass(struct run *x, uint64_t us)
{
	x->now_us += us;
	if (x->now_us - x->window_us > 60000000u) {
		x->window_us = x->now_us;
		x->sent = 0;
	}
	poll(x);
	/* at most two windows' worth for each of the five sources */
	require(x->sent <= 2 * 5 * INQUIRIES_SENT_OF_SOURCE);
}

static void step(struct run *x)
{
	switch (take(x) % 8) {
	case 0:
	case 1:
	case 2:
		send_request(x);
		break;
	case 3:
		send_raw(x);
		break;
	case 4:
		arrive_icmp(x);
		break;
	case 5:
		arrive_syn(x);
		break;
	case 6:
		close_connection(x);
		break;
	default:
		pass(x, (uint64_t)take(x) << (take(x) % 18));
		break;
	}
}

static void make_config(struct run *x)
{
	x->config = (struct inquiries_config){.expected = expected, .context = x};
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		struct endpoint *e = &x->config.local[i];

		e->family = i & RESPONDER_IPV6 ? FAMILY_IPV6 : FAMILY_IPV4;
		e->address[0] = i & RESPONDER_IPV6 ? 0x20 : 10;
		e->address[3] = (uint8_t)(1 + (i >> 1 & 1));
		e->port = (uint16_t)(3478 + (i & 1));
		x->config.advertised[i] = *e;
		x->config.advertised[i].address[1] = 9;
		x->config.silent[i] = SILENT;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct inquiries_keys keys = {{1}, {2}};
	static struct run x;

	require(sodium_init() >= 0);
	memset(&x, 0, sizeof(x));
	x.data = data;
	x.size = size;
	x.now_us = x.window_us = 1000 * (uint64_t)COOKIE_EPOCH_US;
	for (unsigned i = FIRST_TCP; i < SOURCES; i++)
		x.sources[i].connection = ++x.connections;
	make_config(&x);
	require(!inquiries_create(&x.q, &x.config, &keys));
	for (unsigned i = 0; i < STEPS && x.at < size; i++)
		step(&x);
	for (uint64_t until_us = x.now_us + QUIET_US; inquiries_next_us(x.q) <= until_us;)
		pass(&x, inquiries_next_us(x.q) - x.now_us);
	require(inquiries_next_us(x.q) == UINT64_MAX);
	inquiries_destroy(x.q);
	return 0;
}
