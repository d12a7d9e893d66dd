// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "server/inquiry.h"
#include "server/quota.h"

#define MS	 ((uint64_t)1000)
#define SECOND	 ((uint64_t)1000000)
#define START	 (1000 * (uint64_t)COOKIE_EPOCH_US)
#define SEQUENCE 0xfffffff0u
#define SILENT	 3480
#define SENT	 32 /* kept of what was sent */

/* One error or reply as it was sent. */
struct sent {
	enum inquiries_step step;
	unsigned source;
	struct endpoint target;
	uint8_t type, code, rest[4];
	size_t length;
	uint8_t body[INQUIRIES_BODY_BYTES];
	uint64_t at_us;
};

struct peer {
	struct endpoint at;
	unsigned local;
	uint64_t connection; /* 0: UDP */
	uint8_t cookie[ICMP_COOKIE_MAX];
	size_t cookie_length;
	bool heed;
};

struct world {
	struct inquiries *q;
	struct inquiries_config config;
	uint64_t now_us;
	bool connected; /* whether the sequence number of a connection is known */
	uint32_t sequence;
	int send_error;
	struct inquiries_output out; /* the last one */
	struct icmp_inquiry got; /* its message */
	struct sent sent[SENT];
	size_t sent_count;
	struct icmp_inquiry told; /* the last indication */
	struct endpoint told_to;
	unsigned told_count;
	uint64_t told_us;
	uint8_t id;
	uint8_t request[UDP_BATCH_BYTES]; /* the last one */
	size_t request_length;
};

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

static struct endpoint no_port(struct endpoint e)
{
	e.port = 0;
	return e;
}

static bool expected(void *context, uint64_t connection, uint32_t *sequence)
{
	struct world *w = context;

	assert_true(connection != 0);
	*sequence = w->sequence;
	return w->connected;
}

static int setup(void **state)
{
	static const char *const local[RESPONDER_ENDPOINTS] = {"10.0.0.1:3478", "10.0.0.1:3479",
		"10.0.0.2:3478", "10.0.0.2:3479", "[2001:db8::1]:3478", "[2001:db8::1]:3479",
		"[2001:db8::2]:3478", "[2001:db8::2]:3479"};
	static const char *const public[RESPONDER_ENDPOINTS] = {
		"198.51.100.1:3478", "198.51.100.1:3479", "203.0.113.1:3478", "203.0.113.1:3479"};
	static const struct inquiries_keys keys = {{1}, {2}};
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.now_us = START;
	w.connected = true;
	w.sequence = SEQUENCE;
	w.config = (struct inquiries_config){.expected = expected, .context = &w};
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		w.config.local[i] = endpoint(local[i]);
		w.config.advertised[i] = endpoint(public[i] ? public[i] : local[i]);
		w.config.silent[i] = SILENT;
	}
	assert_int_equal(inquiries_create(&w.q, &w.config, &keys), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	inquiries_destroy(w->q);
	return 0;
}

/* Another one with the changed settings. */
static void again(struct world *w)
{
	static const struct inquiries_keys keys = {{3}, {4}};

	inquiries_destroy(w->q);
	assert_int_equal(inquiries_create(&w->q, &w->config, &keys), 0);
}

/* --- what it says and does --- */

static void follow(struct world *w)
{
	memset(&w->got, 0, sizeof(w->got));
	if (w->out.length)
		assert_int_equal(icmp_decode(w->out.bytes, w->out.length, &w->got), 0);
	if (w->got.class == STUN_INDICATION && w->out.length) {
		w->told = w->got;
		w->told_to = w->out.to;
		w->told_us = w->now_us;
		w->told_count++;
	}
	if (w->out.step == INQUIRIES_NOTHING)
		return;
	assert_true(w->out.body_length <= sizeof(w->out.body));
	if (w->sent_count < SENT) {
		struct sent *s = &w->sent[w->sent_count];

		*s = (struct sent){w->out.step, w->out.source, w->out.target, w->out.type,
			w->out.code, {0}, w->out.body_length, {0}, w->now_us};
		memcpy(s->rest, w->out.rest, sizeof(s->rest));
		memcpy(s->body, w->out.body, s->length);
	}
	w->sent_count++;
	if (w->out.step == INQUIRIES_ERROR)
		inquiries_sent(w->q, w->out.number, w->out.place, w->send_error);
}

static void poll_all(struct world *w)
{
	unsigned count = 0;

	while (inquiries_poll(w->q, w->now_us, &w->out)) {
		assert_in_range(count++, 0, 2 * INQUIRIES_MAX);
		follow(w);
	}
	assert_true(inquiries_next_us(w->q) > w->now_us);
}

/* To this moment, and to all at which something is due before. */
static void pass(struct world *w, uint64_t us)
{
	uint64_t until_us = w->now_us + us;

	poll_all(w);
	while (inquiries_next_us(w->q) <= until_us) {
		w->now_us = inquiries_next_us(w->q);
		poll_all(w);
	}
	w->now_us = until_us;
	poll_all(w);
}

static void forget(struct world *w)
{
	w->sent_count = 0;
	w->told_count = 0;
}

/* --- what it is asked --- */

static struct peer peer(const char *at, unsigned local, uint64_t connection)
{
	return (struct peer){.at = endpoint(at), .local = local, .connection = connection};
}

static struct peer numbered(unsigned number)
{
	struct peer p = peer("192.0.2.1:40000", 0, 0);

	p.at.address[2] = (uint8_t)(number >> 8);
	p.at.address[3] = (uint8_t)number;
	return p;
}

/* As it is; the answer, or its absence, is in w->out and w->got. */
static void deliver(struct world *w, struct peer *p, const void *data, size_t length)
{
	struct inquiries_input in = {.data = data,
		.length = length,
		.from = p->at,
		.local = p->local,
		.ttl = 57,
		.connection = p->connection,
		.heed = p->connection ? &p->heed : NULL};

	inquiries_input(w->q, w->now_us, &in, &w->out);
	assert_int_equal(w->out.step, INQUIRIES_NOTHING);
	follow(w);
	if (!w->out.length)
		return;
	assert_true(endpoint_equal(&w->out.to, &p->at) && w->out.local == p->local);
	assert_true(w->out.connection == p->connection);
	if (!w->got.cookie.length)
		return;
	p->cookie_length = w->got.cookie.length;
	memcpy(p->cookie, w->got.cookie.data, p->cookie_length);
}

static void send_filled(struct world *w, struct peer *p, struct icmp_inquiry *m, size_t fill)
{
	int length;

	m->cookie = (struct span){p->cookie, p->cookie_length};
	length = icmp_encode(m, w->request, sizeof(w->request), fill);
	assert_true(length > 0);
	w->request_length = (size_t)length;
	deliver(w, p, w->request, w->request_length);
}

static struct icmp_inquiry inquiry(struct world *w, enum icmp_ask ask)
{
	struct icmp_inquiry m = {.class = STUN_REQUEST, .ask = ask};

	memcpy(m.id.bytes, "\x21\x12\xa4\x42", 4);
	m.id.bytes[15] = ++w->id;
	m.id.bytes[14] = (uint8_t)(w->now_us / SECOND);
	memset(m.token, 7, sizeof(m.token));
	return m;
}

/* With a cookie, if one is needed: what is answered then. */
static uint16_t ask(struct world *w, struct peer *p, struct icmp_inquiry *m)
{
	send_filled(w, p, m, 0);
	if (w->got.error_code == ICMP_STALE)
		send_filled(w, p, m, 0);
	return w->got.error_code;
}

static struct icmp_inquiry want(struct world *w, enum icmp_ask about, unsigned count)
{
	struct icmp_inquiry m = inquiry(w, about);

	m.error_count = count;
	for (unsigned i = 0; i < count; i++)
		m.errors[i] = (struct icmp_wanted){.type = 3, .code = 13, .from = ICMP_FROM_OWN};
	return m;
}

/* A number of errors at once, about the flow. */
static uint16_t ask_errors(struct world *w, struct peer *p, unsigned count)
{
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, count);

	if (p->at.family == FAMILY_IPV6)
		for (unsigned i = 0; i < count; i++)
			m.errors[i].type = m.errors[i].code = 1;
	return ask(w, p, &m);
}

/* --- who is proved --- */

static void test_unproved(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m;

	for (int about = ICMP_ASK_ERRORS; about <= ICMP_ASK_LATER; about++) {
		m = want(w, (enum icmp_ask)about, 1);
		p.cookie_length = 0;
		send_filled(w, &p, &m, 0);
		assert_int_equal(w->got.error_code, ICMP_STALE);
		assert_int_equal(p.cookie_length, COOKIE_BYTES);
		assert_true(w->out.length <= ICMP_REQUEST_MIN);
		p.cookie[0] ^= 1;
		send_filled(w, &p, &m, 0);
		assert_int_equal(w->got.error_code, ICMP_STALE);
	}
	pass(w, 20 * SECOND);
	assert_int_equal(w->sent_count + w->told_count, 0);
	assert_int_equal(inquiries_counts(w->q)->unproved, 8);
	assert_int_equal(inquiries_counts(w->q)->asked, 0);
}

/* One of another endpoint or another port is none. */
static void test_cookie_of_another(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other = peer("192.0.2.1:40001", 0, 0);

	assert_int_equal(ask_errors(w, &p, 1), 0);
	memcpy(other.cookie, p.cookie, sizeof(p.cookie));
	other.cookie_length = p.cookie_length;
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);
	send_filled(w, &other, &m, 0);
	assert_int_equal(w->got.error_code, ICMP_STALE);
}

static void test_cookie_age(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m = inquiry(w, ICMP_ASK_SEEN);
	uint8_t first[COOKIE_BYTES];

	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.cookie.length, 0);
	memcpy(first, p.cookie, sizeof(first));
	w->now_us = START + COOKIE_EPOCH_US; /* still good, and here is the next one */
	send_filled(w, &p, &m, 0);
	assert_int_equal(w->got.class, STUN_SUCCESS);
	assert_int_equal(w->got.cookie.length, COOKIE_BYTES);
	assert_memory_not_equal(p.cookie, first, sizeof(first));
	memcpy(p.cookie, first, sizeof(first));
	m = inquiry(w, ICMP_ASK_LATER); /* an error does not bring one, but that which is for it */
	send_filled(w, &p, &m, 0);
	assert_int_equal(w->got.error_code, ICMP_UNSEEN);
	assert_int_equal(w->got.cookie.length, 0);
	w->now_us = START + 2 * (uint64_t)COOKIE_EPOCH_US;
	send_filled(w, &p, &m, 0);
	assert_int_equal(w->got.error_code, ICMP_STALE);
}

/* Who has shown nothing gets no more bytes than he sends, whatever he sends. */
static void test_short(void **state)
{
	struct world *w = *state;
	struct peer p = peer("[2001:db8:7::1]:40000", 4, 0);
	uint8_t buffer[STUN_MESSAGE_BYTES];

	for (unsigned attributes = 0; attributes < 8; attributes++)
		for (unsigned fill = 0; fill < 80; fill += 4) {
			struct icmp_inquiry m = inquiry(w, ICMP_ASK_SEEN);
			struct stun_writer s = stun_begin(
				buffer, sizeof(buffer), STUN_REQUEST, ICMP_METHOD, &m.id);
			int length;

			if (attributes & 1)
				stun_add_u32(&s, ICMP_ATTRIBUTE_ASK, 3u << 24);
			if (attributes & 2)
				stun_add(&s, ICMP_ATTRIBUTE_TOKEN, m.token, sizeof(m.token));
			if (attributes & 4)
				stun_add(&s, 0x7f00, NULL, 0);
			stun_add_fill(&s, fill);
			length = stun_end(&s);
			inquiries_input(w->q, w->now_us,
				&(struct inquiries_input){.data = buffer,
					.length = (size_t)length,
					.from = p.at,
					.local = 4},
				&w->out);
			assert_true(w->out.length <= (size_t)length);
			assert_true(!!w->out.length ==
				(length >= (attributes == 3		    ? 56
							   : attributes & 4 ? 44
									    : 36)));
		}
}

/* --- errors over UDP --- */

static void assert_quotes_request(const struct world *w, const struct peer *p, const struct sent *s)
{
	uint8_t packet[UDP_BATCH_BYTES + 64];
	int length = packet_build_udp(packet, sizeof(packet), &p->at, &w->config.local[p->local],
		57, w->request, w->request_length);
	size_t most = p->at.family == FAMILY_IPV4 ? 548 : 528;

	assert_true(length > 0);
	assert_int_equal(s->length, (size_t)length < most ? (size_t)length : most);
	assert_memory_equal(s->body, packet, s->length);
}

static void test_udp(void **state)
{
	struct world *w = *state;
	struct peer peers[2] = {peer("192.0.2.1:40000", 1, 0), peer("[2001:db8:7::1]:40000", 6, 0)};

	for (unsigned i = 0; i < 2; i++) {
		struct peer *p = &peers[i];
		struct endpoint own = no_port(w->config.advertised[p->local]),
				other = no_port(w->config.advertised[p->local ^ RESPONDER_ADDRESS]);
		struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 2);
		uint8_t big = i ? 2 : 3;

		forget(w);
		m.errors[0] = (struct icmp_wanted){i ? 3 : 11, 1, ICMP_FROM_OTHER, 0, 99};
		m.errors[1] = (struct icmp_wanted){big, i ? 0 : 4, ICMP_FROM_OWN, 0, 1400};
		assert_int_equal(ask(w, p, &m), 0);
		assert_int_equal(w->got.class, STUN_SUCCESS);
		assert_int_equal(w->got.error_count, 2);
		assert_int_equal(w->got.errors[0].from, ICMP_FROM_OTHER);
		assert_int_equal(w->got.errors[0].mtu, 0); /* it has none */
		assert_int_equal(w->got.errors[1].mtu, 1400);
		assert_true(endpoint_equal(&w->got.mapped, &p->at));
		assert_true(endpoint_equal(&w->got.own, &own));
		assert_true(endpoint_equal(&w->got.other, &other));
		assert_int_equal(w->sent_count, 0); /* the answer comes first */
		pass(w, ICMP_DONE_US - 1);
		assert_int_equal(w->sent_count, 2);
		assert_int_equal(w->told_count, 0);
		for (unsigned k = 0; k < 2; k++) {
			assert_quotes_request(w, p, &w->sent[k]);
			assert_true(endpoint_equal(&w->sent[k].target, &p->at));
			assert_int_equal(w->sent[k].type, m.errors[k].type);
			assert_int_equal(w->sent[k].code, m.errors[k].code);
		}
		assert_int_equal(w->sent[0].source, p->local ^ RESPONDER_ADDRESS);
		assert_int_equal(w->sent[1].source, p->local);
		assert_memory_equal(w->sent[0].rest, "\0\0\0\0", 4);
		assert_memory_equal(w->sent[1].rest, "\0\0\x05\x78", 4);
		pass(w, 1);
		assert_int_equal(w->told_count, 1);
		assert_true(endpoint_equal(&w->told_to, &p->at));
		assert_true(stun_id_equal(&w->told.id, &m.id));
		assert_int_equal(w->told.sent, 3);
		assert_int_equal(w->told.sent_error, 0);
		pass(w, 100 * SECOND);
		assert_int_equal(w->told_count, 1);
	}
	assert_int_equal(inquiries_counts(w->q)->asked, 2);
	assert_int_equal(inquiries_counts(w->q)->errors, 4);
}

/* A quote is cut so that the error has 576 bytes, of which a request has at least the first 500. */
static void test_long(void **state)
{
	struct world *w = *state;
	struct peer peers[2] = {peer("192.0.2.1:40000", 0, 0), peer("[2001:db8:7::1]:40000", 4, 0)};

	for (unsigned i = 0; i < 2; i++)
		for (size_t fill = 480; fill <= UDP_BATCH_BYTES; fill += fill < 560 ? 4 : 496) {
			struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);

			if (i)
				m.errors[0].type = m.errors[0].code = 1;
			forget(w);
			send_filled(w, &peers[i], &m, fill);
			if (w->got.error_code)
				send_filled(w, &peers[i], &m, fill);
			pass(w, SECOND);
			assert_int_equal(w->sent_count, 1);
			assert_quotes_request(w, &peers[i], &w->sent[0]);
			assert_true((i ? 40 : 20) + 8 + w->sent[0].length <= ICMP_QUOTING_BYTES);
		}
}

static void test_delays(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	static const uint16_t delays[4] = {ICMP_DELAY_MAX_MS, 0, 5, 5};
	static const uint8_t codes[4] = {1, 2, 3, 0}; /* as they are sent */
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 4);

	for (unsigned i = 0; i < 4; i++) {
		m.errors[i].delay_ms = delays[i];
		m.errors[i].code = (uint8_t)i;
	}
	assert_int_equal(ask(w, &p, &m), 0);
	pass(w, 11 * SECOND);
	assert_int_equal(w->sent_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(w->sent[i].code, codes[i]);
		assert_int_equal(w->sent[i].at_us, START + delays[codes[i]] * MS);
	}
	assert_int_equal(w->told_us, START + ICMP_DELAY_MAX_MS * MS + ICMP_DONE_US);
	assert_int_equal(w->told.sent, 15);
}

/* What cannot be: nothing is sent of it, and the answer says so. */
static void test_impossible(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 5);

	m.errors[0].from = ICMP_FROM_NONE;
	m.errors[1].type = 5; /* a redirect */
	m.errors[2].code = 7;
	m.errors[3] = (struct icmp_wanted){3, 4, ICMP_FROM_OWN, 0, 68};
	m.errors[4] = (struct icmp_wanted){1, 0, ICMP_FROM_OWN, 0, 0}; /* of ICMPv6 */
	assert_int_equal(ask(w, &p, &m), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(w->got.errors[i].from, i == 3 ? ICMP_FROM_OWN : ICMP_FROM_NONE);
	assert_int_equal(w->got.errors[3].mtu, ICMP_MTU_MIN_IPV4);
	assert_int_equal(w->got.other.family, FAMILY_NONE);
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(w->told.sent, 1 << 3);
	m = want(w, ICMP_ASK_ERRORS, 1);
	m.errors[0].type = 8;
	assert_int_equal(ask(w, &p, &m), ICMP_OFF);

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) /* --single */
		if (i & RESPONDER_ADDRESS)
			w->config.advertised[i].family = FAMILY_NONE;
	again(w);
	m = want(w, ICMP_ASK_ERRORS, 2);
	m.errors[0].from = ICMP_FROM_OTHER;
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.errors[0].from, ICMP_FROM_NONE);
	assert_int_equal(w->got.other.family, FAMILY_NONE);
	m.errors[1].from = ICMP_FROM_OTHER;
	m.id.bytes[15]++;
	assert_int_equal(ask(w, &p, &m), ICMP_OFF);
}

static void test_unsent(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);

	w->send_error = -EPERM;
	assert_int_equal(ask_errors(w, &p, 2), 0);
	pass(w, SECOND);
	assert_int_equal(w->told.sent, 0);
	assert_int_equal(w->told.sent_error, EPERM);
	assert_int_equal(inquiries_counts(w->q)->unsent, 2);
}

/* Done once, answered each time; and when it is over what has become of it is told again. */
static void test_repeated(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other = peer("192.0.2.1:40001", 0, 0);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);
	struct icmp_wanted answered;

	m.errors[0] = (struct icmp_wanted){3, 4, ICMP_FROM_OWN, 100, 5};
	assert_int_equal(ask(w, &p, &m), 0);
	answered = w->got.errors[0];
	for (unsigned i = 0; i < 3; i++) {
		pass(w, 20 * MS);
		assert_int_equal(ask(w, &p, &m), 0);
		assert_int_equal(w->got.error_count, 1);
		assert_memory_equal(&w->got.errors[0], &answered, sizeof(answered));
	}
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(w->sent[0].at_us, START + 100 * MS);
	assert_int_equal(w->told_count, 1);
	assert_int_equal(ask(w, &p, &m), 0);
	poll_all(w);
	assert_int_equal(w->told_count, 2);
	assert_int_equal(w->told.sent, 1);
	assert_int_equal(inquiries_counts(w->q)->asked, 1);
	/* the same ID from elsewhere, or of another kind, is another request */
	assert_int_equal(ask(w, &other, &m), 0);
	p.local = 1;
	assert_int_equal(ask(w, &p, &m), 0);
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 3);
}

/* --- errors over TCP --- */

static void test_tcp(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 3, 77);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 2);
	struct packet quoted;

	m.errors[1].delay_ms = 100;
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(inquiries_counts(w->q)->unproved, 0); /* the connection is proof */
	assert_true(p.heed);
	poll_all(w);
	w->sequence += 20; /* something has been received meanwhile */
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(packet_decode(w->sent[i].body, w->sent[i].length, &quoted), 0);
		assert_int_equal(quoted.protocol, PACKET_TCP);
		assert_int_equal(quoted.sequence, SEQUENCE + 20 * i);
		assert_true(endpoint_equal(&quoted.source, &p.at));
		assert_true(endpoint_equal(&quoted.destination, &w->config.local[3]));
		assert_true(packet_checksums_right(&quoted));
	}
	assert_int_equal(w->told.sent, 3);
	assert_int_equal(ask(w, &p, &m), 0); /* again, over the same connection … */
	assert_int_equal(inquiries_counts(w->q)->asked, 1);
	p.connection = 78; /* … and over another one */
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(inquiries_counts(w->q)->asked, 2);
}

static void test_tcp_unknown(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 3, 77);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);

	w->connected = false;
	assert_int_equal(ask(w, &p, &m), ICMP_OFF);
	w->connected = true;
	m.errors[0].delay_ms = 10;
	assert_int_equal(ask(w, &p, &m), 0);
	w->connected = false;
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->told.sent, 0);
	assert_int_equal(w->told.sent_error, ENOTCONN);
}

/* Two requests of different kinds may have one ID. */
static void test_kinds(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 3, 77);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);

	assert_int_equal(ask(w, &p, &m), 0);
	m.ask = ICMP_ASK_ATTEMPT;
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.ask, ICMP_ASK_ATTEMPT);
	assert_int_equal(w->got.target.port, SILENT);
	assert_int_equal(inquiries_counts(w->q)->asked, 2);
}

static void test_closed(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 3, 77), other = peer("192.0.2.1:40000", 2, 99);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);

	m.errors[0].delay_ms = 100;
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(ask(w, &other, &m), 0);
	m = want(w, ICMP_ASK_ATTEMPT, 1);
	assert_int_equal(ask(w, &p, &m), 0);
	inquiries_closed(w->q, 77);
	pass(w, 20 * SECOND);
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(w->told_count, 1);
	assert_true(inquiries_next_us(w->q) == UINT64_MAX);
}

/* --- attempts --- */

/* A SYN to this address; of the last one the bytes are kept. */
static uint8_t syn_bytes[128];
static size_t syn_length;

static void arrive(struct world *w, unsigned local, const char *from, uint16_t port, uint8_t flags,
	uint32_t sequence)
{
	struct packet_tcp tcp = {.flags = flags, .sequence = sequence, .window = 1000};
	struct endpoint source = endpoint(from), to = w->config.local[local];
	struct packet syn;
	int length;

	to.port = port;
	length = packet_build_tcp(
		syn_bytes, sizeof(syn_bytes), &source, &to, 44, &tcp, "fast open", 9);
	assert_true(length > 0);
	syn_length = (size_t)length;
	assert_int_equal(packet_decode(syn_bytes, syn_length, &syn), 0);
	inquiries_syn(w->q, w->now_us, local, &syn);
	pass(w, ICMP_DONE_US);
}

static void test_attempt(void **state)
{
	struct world *w = *state;
	struct peer peers[2] = {
		peer("192.0.2.1:40000", 3, 77), peer("[2001:db8:7::1]:40000", 4, 78)};
	static const char *const at[2] = {"192.0.2.1:40000", "[2001:db8:7::1]:40000"};

	for (unsigned i = 0; i < 2; i++) {
		struct peer *p = &peers[i];
		struct icmp_inquiry m = want(w, ICMP_ASK_ATTEMPT, 1);
		struct endpoint target = w->config.advertised[p->local];

		if (i)
			m.errors[0].type = m.errors[0].code = 1;
		forget(w);
		assert_int_equal(ask(w, p, &m), 0);
		target.port = SILENT;
		assert_true(endpoint_equal(&w->got.target, &target));
		pass(w, SECOND);
		assert_int_equal(w->sent_count + w->told_count, 0);
		/* the raw socket of an address does not know the port of the control connection */
		arrive(w, p->local & ~(unsigned)RESPONDER_PORT, at[i], SILENT, PACKET_SYN, 12345);
		assert_int_equal(w->sent_count, 1);
		assert_int_equal(w->sent[0].length, syn_length);
		assert_memory_equal(w->sent[0].body, syn_bytes, syn_length);
		assert_true(endpoint_equal(&w->sent[0].target, &p->at));
		assert_int_equal(w->sent[0].source, p->local);
		assert_int_equal(w->told_count, 1);
		assert_int_equal(w->told.sent, 1);
		assert_true(w->told.has_syn);
		assert_int_equal(w->told.syn_sequence, 12345);
		assert_int_equal(w->told.syn_ttl, 44);
		assert_true(endpoint_equal(&w->told.syn_from, &p->at));
		/* a second SYN, and a SYN of nobody's */
		arrive(w, p->local, at[i], SILENT, PACKET_SYN, 12345);
		arrive(w, p->local, at[i], SILENT, PACKET_SYN, 12346);
		assert_int_equal(w->sent_count, 1);
	}
	assert_int_equal(inquiries_counts(w->q)->syns, 2);
}

static void test_attempt_without_errors(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 77);
	struct icmp_inquiry m = inquiry(w, ICMP_ASK_ATTEMPT);

	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.own.family, FAMILY_NONE);
	arrive(w, 0, "192.0.2.1:40000", SILENT, PACKET_SYN, 1);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->told_count, 1);
	assert_int_equal(w->told.sent, 0);
	assert_true(w->told.has_syn);
}

static void test_attempt_silent(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 77);
	struct icmp_inquiry m = want(w, ICMP_ASK_ATTEMPT, 1);

	assert_int_equal(ask(w, &p, &m), 0);
	pass(w, ICMP_SYN_US - 1);
	assert_int_equal(w->told_count, 0);
	pass(w, 1);
	assert_int_equal(w->told_count, 1);
	assert_false(w->told.has_syn);
	assert_int_equal(w->told.sent + w->sent_count, 0);
	arrive(w, 0, "192.0.2.1:40000", SILENT, PACKET_SYN, 1); /* too late */
	assert_int_equal(w->sent_count, 0);
	m = want(w, ICMP_ASK_ATTEMPT, 1);
	assert_int_equal(ask(w, &p, &m), 0); /* the next one */
}

/* Whose SYN it is: of the very port, else the oldest one of this address; and of whom it is not. */
static void test_attempt_whose(void **state)
{
	struct world *w = *state;
	struct peer a = peer("192.0.2.1:1000", 0, 1), b = peer("192.0.2.1:2000", 1, 2),
		    c = peer("192.0.2.1:3000", 2, 3);
	struct icmp_inquiry m = want(w, ICMP_ASK_ATTEMPT, 1);

	assert_int_equal(ask(w, &a, &m), 0);
	pass(w, MS);
	assert_int_equal(ask(w, &b, &m), 0);
	pass(w, MS);
	assert_int_equal(ask(w, &c, &m), 0);
	arrive(w, 0, "192.0.2.2:1000", SILENT, PACKET_SYN, 1); /* another address */
	arrive(w, 0, "192.0.2.1:1000", 3478, PACKET_SYN, 1); /* another port */
	arrive(w, 0, "192.0.2.1:1000", SILENT, PACKET_SYN | PACKET_ACK, 1);
	arrive(w, 0, "192.0.2.1:1000", SILENT, PACKET_RST, 1);
	arrive(w, 0, "192.0.2.1:1000", SILENT, PACKET_ACK, 1);
	arrive(w, 4, "[2001:db8:7::1]:1000", SILENT, PACKET_SYN, 1);
	assert_int_equal(w->told_count, 0);
	arrive(w, 0, "192.0.2.1:2000", SILENT, PACKET_SYN, 5);
	assert_true(endpoint_equal(&w->told_to, &b.at));
	arrive(w, 0, "192.0.2.1:2000", SILENT, PACKET_SYN,
		5); /* that one again, which is not a's */
	assert_int_equal(w->told_count, 1);
	arrive(w, 0, "192.0.2.1:4000", SILENT, PACKET_SYN, 6);
	assert_int_equal(w->told_count, 2);
	assert_true(endpoint_equal(&w->told_to, &a.at));
	assert_int_equal(w->told.syn_from.port, 4000);
	arrive(w, 0, "192.0.2.1:4000", SILENT, PACKET_SYN, 7); /* c has asked the other address */
	assert_int_equal(w->told_count, 2);
	arrive(w, 2, "192.0.2.1:4000", SILENT, PACKET_SYN, 7);
	assert_true(endpoint_equal(&w->told_to, &c.at));
	for (size_t i = 0; i < w->sent_count; i++)
		assert_true(endpoint_same_address(&w->sent[i].target, &a.at));
	m = want(w, ICMP_ASK_ATTEMPT, 1); /* of two that wait the first one */
	b.local = 0;
	pass(w, MS);
	inquiries_closed(w->q, a.connection);
	assert_int_equal(ask(w, &b, &m), 0);
	pass(w, MS);
	a.connection = 99;
	assert_int_equal(ask(w, &a, &m), 0);
	arrive(w, 0, "192.0.2.1:5000", SILENT, PACKET_SYN, 8);
	assert_true(endpoint_equal(&w->told_to, &b.at));
}

static void test_attempt_refused(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 77), udp = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m = want(w, ICMP_ASK_ATTEMPT, 1);

	assert_int_equal(ask(w, &udp, &m), ICMP_BAD);
	assert_int_equal(ask(w, &p, &m), 0);
	m = want(w, ICMP_ASK_ATTEMPT, 1);
	assert_int_equal(ask(w, &p, &m), ICMP_QUOTA); /* one at a time */
	p.connection++;
	assert_int_equal(ask(w, &p, &m), 0);
	memset(w->config.silent, 0, sizeof(w->config.silent));
	again(w);
	assert_int_equal(ask(w, &p, &m), ICMP_OFF);
	m.error_count = 0;
	assert_int_equal(ask(w, &p, &m), ICMP_OFF);
	m = want(w, ICMP_ASK_ERRORS, 1);
	assert_int_equal(ask(w, &p, &m), 0);
	arrive(w, 0, "192.0.2.1:40000", SILENT, PACKET_SYN, 1);
}

/* --- what was seen --- */

static void see_echo(
	struct world *w, unsigned local, const char *from, uint16_t sequence, uint8_t token)
{
	uint8_t body[100];
	struct icmp_meta meta = {.from = no_port(endpoint(from)), .ttl = 33};
	struct icmp_message m = {.rest = {0, 5, (uint8_t)(sequence >> 8), (uint8_t)sequence}};
	uint8_t bytes[ICMP_TOKEN_BYTES];

	memset(body, (int)sequence, sizeof(body));
	memset(bytes, token, sizeof(bytes));
	icmp_write_mark(bytes, body);
	m.type = meta.from.family == FAMILY_IPV4 ? 8 : 128;
	m.body = (struct span){body, sizeof(body)};
	inquiries_seen(w->q, w->now_us, local, &m, &meta);
}

static void test_seen(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m = inquiry(w, ICMP_ASK_SEEN);
	struct endpoint to = no_port(w->config.advertised[2]);

	see_echo(w, 0, "192.0.2.1:1", 1, 7); /* nobody has asked yet */
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.record_count, 0);
	assert_memory_equal(w->got.token, m.token, sizeof(m.token));
	see_echo(w, 2, "192.0.2.9:1", 2, 7);
	see_echo(w, 4, "[2001:db8:7::9]:1", 3, 7);
	see_echo(w, 0, "192.0.2.1:1", 4, 8);
	see_echo(w, 4, "192.0.2.1:1", 5, 7); /* of one family, at an address of another one */
	pass(w, 1500 * MS);
	assert_int_equal(
		ask(w, &p, &m), 0); /* the same request: this one is no matter of doing once */
	assert_int_equal(w->got.record_count, 2);
	assert_int_equal(w->got.records[0].sequence, 2);
	assert_int_equal(w->got.records[0].identifier, 5);
	assert_int_equal(w->got.records[0].ttl, 33);
	assert_int_equal(w->got.records[0].age_ms, 1500);
	assert_int_equal(w->got.records[0].type, 8);
	assert_true(endpoint_equal(&w->got.records[0].to, &to));
	assert_int_equal(w->got.records[1].type, 128);
	assert_int_equal(inquiries_counts(w->q)->echoes, 2);
}

static void test_later(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other = peer("192.0.2.2:40000", 0, 5);
	struct icmp_inquiry m = inquiry(w, ICMP_ASK_LATER), seen = inquiry(w, ICMP_ASK_SEEN);

	m.later_ms = 120000;
	assert_int_equal(ask(w, &p, &m), ICMP_UNSEEN);
	assert_int_equal(ask(w, &p, &seen), 0);
	assert_int_equal(ask(w, &p, &m), ICMP_UNSEEN);
	see_echo(w, 2, "192.0.2.1:1", 0x0102, 7);
	assert_int_equal(ask(w, &other, &m), ICMP_ELSEWHERE);
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(w->got.record_count, 1);
	assert_int_equal(w->got.later_ms, 120000);
	assert_int_equal(w->got.records[0].sequence, 0x0102);
	assert_int_equal(ask(w, &p, &m), 0); /* the same one */
	assert_int_equal(inquiries_next_us(w->q), START + 120 * SECOND);
	pass(w, 119 * SECOND);
	assert_int_equal(w->sent_count, 0);
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(w->sent[0].step, INQUIRIES_REPLY);
	assert_int_equal(w->sent[0].type, 0);
	assert_memory_equal(w->sent[0].rest, "\0\5\1\2", 4);
	assert_int_equal(w->sent[0].source, 2);
	assert_true(endpoint_same_address(&w->sent[0].target, &p.at));
	assert_int_equal(w->sent[0].length, ICMP_KEPT_BYTES);
	assert_memory_equal(w->sent[0].body, "natutils\7\7\7\7\7\7\7\7\2\2", 18);
	assert_int_equal(w->told_count, 0);
	assert_int_equal(inquiries_counts(w->q)->replies, 1);
}

/* --- what is none of its business --- */

static void test_malformed(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 9);
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 0);
	struct stun_message stun;
	uint8_t buffer[256];
	struct stun_writer s;

	assert_int_equal(ask(w, &p, &m), ICMP_BAD);
	m = want(w, ICMP_ASK_ERRORS, 1);
	s = stun_begin(buffer, sizeof(buffer), STUN_REQUEST, ICMP_METHOD, &m.id);
	stun_add(&s, 0x7f01, NULL, 0);
	inquiries_input(w->q, w->now_us,
		&(struct inquiries_input){.data = buffer,
			.length = (size_t)stun_end(&s),
			.from = p.at,
			.connection = 9,
			.heed = &p.heed},
		&w->out);
	assert_int_equal(stun_decode(w->out.bytes, w->out.length, &stun), 0);
	assert_int_equal(stun.error_code, 420);
	m.class = STUN_INDICATION;
	ask(w, &p, &m);
	assert_int_equal(w->out.length, 0);
	deliver(w, &p, "\x16\xa6 no STUN at all, but 28 bytes", 28);
	assert_int_equal(w->out.length, 0);
	m.class = STUN_REQUEST;
	p.at.port = 0;
	ask(w, &p, &m);
	assert_int_equal(w->out.length, 0);
	p.at = endpoint("224.0.0.1:1");
	ask(w, &p, &m);
	assert_int_equal(w->out.length, 0);
	assert_false(p.heed);
	pass(w, SECOND);
	assert_int_equal(w->sent_count, 0);
}

static void test_off(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct inquiries *q = w->q;

	w->q = NULL;
	for (p.connection = 0; p.connection < 2; p.connection++)
		for (int about = ICMP_ASK_ERRORS; about <= ICMP_ASK_LATER; about++) {
			struct icmp_inquiry m = want(w, (enum icmp_ask)about, 1);

			send_filled(w, &p, &m, 0);
			assert_int_equal(w->got.error_code, ICMP_OFF);
			assert_true(w->out.length <= w->request_length);
		}
	w->q = q;
}

/* --- limits --- */

static void test_source_of_a_minute(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other = peer("192.0.2.2:40000", 0, 0);
	struct icmp_inquiry later = inquiry(w, ICMP_ASK_LATER);

	for (unsigned i = 0; i < INQUIRIES_SENT_OF_SOURCE / 8; i++) {
		assert_int_equal(ask_errors(w, &p, 8), 0);
		pass(w, 100 * MS);
	}
	assert_int_equal(w->sent_count, INQUIRIES_SENT_OF_SOURCE);
	assert_int_equal(ask_errors(w, &p, 1), ICMP_QUOTA);
	assert_int_equal(ask(w, &p, &later), ICMP_QUOTA);
	p.at.port++;
	p.cookie_length = 0;
	assert_int_equal(ask_errors(w, &p, 1), ICMP_QUOTA);
	assert_int_equal(ask_errors(w, &other, 8), 0);
	w->now_us = START + QUOTA_MINUTE_US - 1;
	p.cookie_length = 0;
	assert_int_equal(ask_errors(w, &p, 1), ICMP_QUOTA);
	w->now_us++;
	assert_int_equal(ask_errors(w, &p, 8), 0);
	assert_int_equal(ask_errors(w, &p, 1), ICMP_QUOTA);
}

static void test_source_under_way(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0);
	struct icmp_inquiry m;

	for (unsigned i = 0; i <= INQUIRIES_OF_SOURCE; i++) {
		m = want(w, ICMP_ASK_ERRORS, 1);
		m.errors[0].delay_ms = ICMP_DELAY_MAX_MS;
		assert_int_equal(ask(w, &p, &m), i < INQUIRIES_OF_SOURCE ? 0 : ICMP_QUOTA);
	}
	pass(w, 11 * SECOND); /* they are over, and do not count any more */
	for (unsigned i = 0; i < INQUIRIES_OF_SOURCE; i++)
		assert_int_equal(ask_errors(w, &p, 1), 0);
}

/* So many sources that the server is busy, and one who asks for no more than what is left. */
static void test_at_all(void **state)
{
	struct world *w = *state;
	struct peer p;
	unsigned count = 0;
	uint16_t error = 0;

	while (!error) {
		p = numbered(count);
		error = ask_errors(w, &p, 8);
		count += !error;
		if (count % 64 == 0)
			pass(w, 21 * MS);
	}
	assert_int_equal(error, ICMP_BUSY);
	assert_int_equal(count, INQUIRIES_SENT_PER_MINUTE / 8);
	pass(w, SECOND);
	assert_int_equal(w->sent_count, INQUIRIES_SENT_PER_MINUTE);
}

static void test_full(void **state)
{
	struct world *w = *state;
	struct peer p;
	struct icmp_inquiry m;

	for (unsigned i = 0; i <= INQUIRIES_MAX; i++) {
		p = numbered(i / INQUIRIES_OF_SOURCE);
		p.at.port = (uint16_t)(1 + i);
		m = want(w, ICMP_ASK_ERRORS, 1);
		m.errors[0].delay_ms = 1000;
		assert_int_equal(ask(w, &p, &m), i < INQUIRIES_MAX ? 0 : ICMP_BUSY);
	}
	pass(w, SECOND - 1); /* nothing has become of them that could give way */
	assert_int_equal(ask(w, &p, &m), ICMP_BUSY);
	pass(w, 2 * SECOND);
	assert_int_equal(w->sent_count, INQUIRIES_MAX);
	for (unsigned i = 0; i < 2 * INQUIRIES_MAX; i++) {
		p = numbered(1000 + i / 8);
		p.at.port = (uint16_t)(1 + i);
		assert_int_equal(ask_errors(w, &p, 1), 0);
		pass(w, i % 64 ? 0 : 21 * MS);
	}
}

/* The oldest one gives way: a request that is repeated soon is known, and one that was forgotten is done again. */
static void test_forgotten(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other;
	struct icmp_inquiry m = want(w, ICMP_ASK_ERRORS, 1);

	assert_int_equal(ask(w, &p, &m), 0);
	pass(w, SECOND);
	for (unsigned i = 0; i < INQUIRIES_MAX; i++) {
		if (i == INQUIRIES_MAX - 1) {
			assert_int_equal(ask(w, &p, &m), 0);
			assert_int_equal(inquiries_counts(w->q)->asked, INQUIRIES_MAX);
		}
		other = numbered(i);
		other.at.port = 7;
		assert_int_equal(ask_errors(w, &other, 1), 0);
		pass(w, 21 * MS);
	}
	p.cookie_length = 0;
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(inquiries_counts(w->q)->asked, INQUIRIES_MAX + 2);
}

static void test_tokens(void **state)
{
	struct world *w = *state;
	struct peer p = peer("192.0.2.1:40000", 0, 0), other = peer("[2001:db8:7::1]:40000", 4, 3);
	struct icmp_inquiry m;

	for (unsigned i = 0; i <= SIGHTINGS_OF_SOURCE; i++) {
		m = inquiry(w, ICMP_ASK_SEEN);
		m.token[0] = (uint8_t)i;
		assert_int_equal(ask(w, &p, &m), i < SIGHTINGS_OF_SOURCE ? 0 : ICMP_QUOTA);
	}
	assert_int_equal(ask(w, &other, &m), 0);
	m.token[0] = 0; /* those that it has */
	assert_int_equal(ask(w, &p, &m), 0);
	assert_int_equal(inquiries_counts(w->q)->denied, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unproved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cookie_of_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cookie_age, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_udp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impossible, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempt_without_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempt_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempt_whose, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attempt_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
