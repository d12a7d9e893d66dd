// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "wire/icmp.h"

#define PARTS 32

static const struct stun_id id = {{0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
static const uint8_t cookie[ICMP_COOKIE_MAX] = "a cookie of thirty-two bytes ...";

static struct endpoint endpoint(const char *s)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(s, 1, &e), 0);
	return e;
}

static struct endpoint address(const char *s)
{
	struct endpoint e = endpoint(s);

	e.port = 0;
	return e;
}

/* --- the same --- */

static void assert_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->port, b->port);
	assert_memory_equal(a->address, b->address, sizeof(a->address));
}

static void assert_errors(const struct icmp_inquiry *a, const struct icmp_inquiry *b)
{
	assert_int_equal(a->error_count, b->error_count);
	for (size_t i = 0; i < a->error_count; i++) {
		const struct icmp_wanted *x = &a->errors[i], *y = &b->errors[i];

		assert_int_equal(x->type, y->type);
		assert_int_equal(x->code, y->code);
		assert_int_equal(x->from, y->from);
		assert_int_equal(x->delay_ms, y->delay_ms);
		assert_int_equal(x->mtu, y->mtu);
	}
}

static void assert_record(const struct icmp_record *a, const struct icmp_record *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->identifier, b->identifier);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->age_ms, b->age_ms);
	assert_endpoint(&a->from, &b->from);
	assert_endpoint(&a->to, &b->to);
	assert_int_equal(a->quoted_protocol, b->quoted_protocol);
	assert_endpoint(&a->quoted_from, &b->quoted_from);
	assert_endpoint(&a->quoted_to, &b->quoted_to);
}

static void assert_inquiry(const struct icmp_inquiry *a, const struct icmp_inquiry *b)
{
	assert_int_equal(a->class, b->class);
	assert_true(stun_id_equal(&a->id, &b->id));
	assert_int_equal(a->error_code, b->error_code);
	assert_int_equal(a->ask, b->ask);
	assert_int_equal(a->cookie.length, b->cookie.length);
	if (a->cookie.length)
		assert_memory_equal(a->cookie.data, b->cookie.data, a->cookie.length);
	assert_endpoint(&a->mapped, &b->mapped);
	assert_errors(a, b);
	assert_endpoint(&a->own, &b->own);
	assert_endpoint(&a->other, &b->other);
	assert_endpoint(&a->target, &b->target);
	assert_int_equal(a->sent, b->sent);
	assert_int_equal(a->sent_error, b->sent_error);
	assert_int_equal(a->has_syn, b->has_syn);
	assert_int_equal(a->syn_sequence, b->syn_sequence);
	assert_int_equal(a->syn_ttl, b->syn_ttl);
	assert_endpoint(&a->syn_from, &b->syn_from);
	assert_memory_equal(a->token, b->token, sizeof(a->token));
	assert_int_equal(a->later_ms, b->later_ms);
	assert_int_equal(a->record_count, b->record_count);
	for (size_t i = 0; i < a->record_count; i++)
		assert_record(&a->records[i], &b->records[i]);
}

/* --- one of each kind, with all that it can have --- */

static void fill_errors(struct icmp_inquiry *m, size_t count)
{
	m->error_count = count;
	for (size_t i = 0; i < count; i++)
		m->errors[i] = (struct icmp_wanted){.type = (uint8_t)(3 + i),
			.code = (uint8_t)(200 + i),
			.from = (enum icmp_from)(i % 3),
			.delay_ms = (uint16_t)(ICMP_DELAY_MAX_MS - i),
			.mtu = (uint16_t)(UINT16_MAX - i)};
}

static struct icmp_record echo_record(void)
{
	return (struct icmp_record){.kind = ICMP_KIND_ECHO,
		.type = 8,
		.ttl = 61,
		.identifier = 0x1234,
		.sequence = 0xfedc,
		.age_ms = 70000,
		.from = endpoint("192.0.2.1:1"),
		.to = address("198.51.100.10")};
}

static struct icmp_record error_record(void)
{
	return (struct icmp_record){.kind = ICMP_KIND_ERROR,
		.type = 3,
		.code = 4,
		.ttl = 255,
		.age_ms = UINT32_MAX,
		.from = address("2001:db8::1"),
		.to = address("2001:db8::2"),
		.quoted_protocol = 58,
		.quoted_from = endpoint("[2001:db8::3]:65535"),
		.quoted_to = endpoint("[2001:db8::4]:1")};
}

static void fill_seen(struct icmp_inquiry *m, size_t records)
{
	memcpy(m->token, "\1\2\3\4\5\6\7\377", sizeof(m->token));
	if (m->class != STUN_SUCCESS)
		return;
	m->record_count = records;
	for (size_t i = 0; i < records; i++)
		m->records[i] = i % 2 ? echo_record() : error_record();
}

static void fill_success(struct icmp_inquiry *m)
{
	m->mapped = endpoint("[2001:db8::ffff]:40000");
	if (m->ask > ICMP_ASK_ATTEMPT)
		return;
	m->own = address("198.51.100.10");
	m->other = address("2001:db8::10");
	if (m->ask == ICMP_ASK_ATTEMPT)
		m->target = endpoint("198.51.100.10:3480");
}

static struct icmp_inquiry message(enum stun_class class, enum icmp_ask ask)
{
	struct icmp_inquiry m = {.class = class, .id = id, .ask = ask};

	if (class == STUN_INDICATION) {
		m.sent = 0xa5;
		m.sent_error = 1;
		m.has_syn = ask == ICMP_ASK_ATTEMPT;
		if (m.has_syn) {
			m.syn_sequence = 0xdeadbeef;
			m.syn_ttl = 55;
			m.syn_from = endpoint("192.0.2.1:32853");
		}
		return m;
	}
	m.cookie = (struct span){cookie, sizeof(cookie)};
	if (class == STUN_SUCCESS)
		fill_success(&m);
	if (ask <= ICMP_ASK_ATTEMPT)
		fill_errors(&m, ICMP_ERRORS_MAX);
	else
		fill_seen(&m, ask == ICMP_ASK_LATER ? 1 : ICMP_RECORDS_MAX);
	if (ask == ICMP_ASK_LATER)
		m.later_ms = ICMP_LATER_MAX_MS;
	return m;
}

static size_t encode(const struct icmp_inquiry *m, uint8_t *buffer)
{
	int n = icmp_encode(m, buffer, STUN_MESSAGE_BYTES, 0);

	assert_true(n > 0);
	return (size_t)n;
}

typedef void each(const struct icmp_inquiry *m);

static void for_each(each *does)
{
	static const enum stun_class classes[] = {STUN_REQUEST, STUN_SUCCESS, STUN_INDICATION};

	for (size_t c = 0; c < 3; c++)
		for (int ask = ICMP_ASK_ERRORS; ask <= ICMP_ASK_LATER; ask++) {
			struct icmp_inquiry m = message(classes[c], (enum icmp_ask)ask);

			if (m.class != STUN_INDICATION || ask <= ICMP_ASK_ATTEMPT)
				does(&m);
		}
}

static void check_again(const struct icmp_inquiry *m)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];
	size_t length = encode(m, buffer);
	struct icmp_inquiry out;

	assert_true(icmp_looks_like(buffer, length));
	assert_int_equal(icmp_decode(buffer, length, &out), 0);
	assert_inquiry(&out, m);
	assert_int_equal(length % 4, 0);
	if (m->class == STUN_REQUEST)
		assert_true(length >= ICMP_REQUEST_MIN);
}

/* The longest of each kind fits in STUN_MESSAGE_BYTES and comes back as it was. */
static void test_again(void **state)
{
	(void)state;
	for_each(check_again);
}

/* What has no meaning in a message does not get into it, whatever is set. */
static void test_meaningless(void **state)
{
	struct icmp_inquiry all = message(STUN_SUCCESS, ICMP_ASK_ATTEMPT), out, want;
	uint8_t buffer[STUN_MESSAGE_BYTES];

	(void)state;
	all.class = STUN_REQUEST;
	fill_seen(&all, 0);
	all.later_ms = 5;
	all.sent = 1;
	all.has_syn = true;
	all.record_count = 1;
	all.error_code = 400;
	assert_int_equal(icmp_decode(buffer, encode(&all, buffer), &out), 0);
	want = message(STUN_REQUEST, ICMP_ASK_ATTEMPT);
	assert_inquiry(&out, &want);
	all.class = STUN_INDICATION;
	all.ask = ICMP_ASK_ERRORS;
	assert_int_equal(icmp_decode(buffer, encode(&all, buffer), &out), 0);
	want = (struct icmp_inquiry){
		.class = STUN_INDICATION, .id = id, .ask = ICMP_ASK_ERRORS, .sent = 1};
	assert_inquiry(&out, &want);
	all.class = STUN_ERROR;
	assert_int_equal(icmp_decode(buffer, encode(&all, buffer), &out), 0);
	want = (struct icmp_inquiry){
		.class = STUN_ERROR, .id = id, .error_code = 400, .cookie = all.cookie};
	assert_inquiry(&out, &want);
}

/* --- the bytes themselves, so that both ends cannot be wrong together --- */

#define ID 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

static void assert_bytes(const struct icmp_inquiry *m, const uint8_t *bytes, size_t length)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];

	assert_true(encode(m, buffer) >= length);
	assert_memory_equal(buffer, bytes, 2);
	assert_memory_equal(buffer + 4, bytes + 4, length - 4);
}

static void test_bytes_of_requests(void **state)
{
	static const uint8_t errors[] = {0x16, 0xa6, 0, 0, ID, 0xda, 0xa0, 0, 4, 1, 0, 0, 0, 0xda,
		0xa1, 0, 3, 'a', ' ', 'c', 0, 0xda, 0xa2, 0, 16, 3, 4, 1, 0, 0x27, 0x10, 0x05, 0x78,
		11, 0, 2, 0, 0, 0, 0, 0};
	static const uint8_t later[] = {0x16, 0xa6, 0, 0, ID, 0xda, 0xa0, 0, 4, 4, 0, 0, 0, 0xda,
		0xa6, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0xda, 0xa7, 0, 4, 0, 0, 0x75, 0x30};
	struct icmp_inquiry m = {.class = STUN_REQUEST, .id = id, .ask = ICMP_ASK_ERRORS};

	(void)state;
	m.cookie = (struct span){cookie, 3};
	m.error_count = 2;
	m.errors[0] = (struct icmp_wanted){3, 4, ICMP_FROM_OWN, 10000, 1400};
	m.errors[1] = (struct icmp_wanted){11, 0, ICMP_FROM_OTHER, 0, 0};
	assert_bytes(&m, errors, sizeof(errors));
	m = (struct icmp_inquiry){.class = STUN_REQUEST, .id = id, .ask = ICMP_ASK_LATER};
	memset(m.token, 9, sizeof(m.token));
	m.later_ms = 30000;
	assert_bytes(&m, later, sizeof(later));
}

/* The addresses are those of RFC 5769 2.2 and 2.3, with the port of the first one. */
static void test_bytes_of_answers(void **state)
{
	static const uint8_t attempt[] = {0x17, 0xa6, 0, 0, ID, 0xda, 0xa0, 0, 4, 2, 0, 0, 0, 0x00,
		0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0xda, 0xa5, 0, 8, 0, 1, 0x2c,
		0x8a, 0xe1, 0x12, 0xa6, 0x43};
	static const uint8_t syn[] = {0x16, 0xb6, 0, 0, ID, 0xda, 0xa0, 0, 4, 2, 0, 0, 0, 0xda,
		0xa9, 0, 4, 5, 0, 0, 111, 0xda, 0xaa, 0, 16, 1, 2, 3, 4, 61, 0, 0, 0, 0, 1, 0xa1,
		0x47, 0xe1, 0x12, 0xa6, 0x43};
	static const uint8_t stale[] = {0x17, 0xb6, 0, 0, ID, 0x00, 0x09, 0, 4, 0, 0, 4, 38, 0xda,
		0xa1, 0, 2, 'a', ' ', 0, 0};
	struct icmp_inquiry m = {.class = STUN_SUCCESS, .id = id, .ask = ICMP_ASK_ATTEMPT};

	(void)state;
	m.mapped = endpoint("192.0.2.1:32853");
	m.target = endpoint("192.0.2.1:3480");
	assert_bytes(&m, attempt, sizeof(attempt));
	m = (struct icmp_inquiry){
		.class = STUN_INDICATION, .id = id, .ask = ICMP_ASK_ATTEMPT, .sent = 5};
	m.sent_error = 111;
	m.has_syn = true;
	m.syn_sequence = 0x01020304;
	m.syn_ttl = 61;
	m.syn_from = endpoint("192.0.2.1:32853");
	assert_bytes(&m, syn, sizeof(syn));
	m = (struct icmp_inquiry){.class = STUN_ERROR, .id = id, .error_code = ICMP_STALE};
	m.cookie = (struct span){cookie, 2};
	assert_bytes(&m, stale, sizeof(stale));
}

static void test_bytes_of_records(void **state)
{
	static const uint8_t seen[] = {0x17, 0xa6, 0, 0, ID, 0xda, 0xa0, 0, 4, 3, 0, 0, 0, 0xda,
		0xa6, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0xda, 0xa8, 0, 32, 1, 8, 0, 64, 0x12, 0x34, 0,
		2, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0, 1, 0x21, 0x12, 0xe1, 0x12, 0xa6, 0x43, 0, 1, 0x21,
		0x12, 0xe1, 0x12, 0xa6, 0x40, 0xda, 0xa8, 0, 48, 2, 11, 1, 63, 0, 0, 0, 0, 0, 0, 0,
		1, 17, 0, 0, 0, 0, 1, 0x21, 0x12, 0xe1, 0x12, 0xa6, 0x43, 0, 1, 0x21, 0x12, 0xe1,
		0x12, 0xa6, 0x40, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0, 1, 0x21, 0x1b, 0xe1,
		0x12, 0xa6, 0x40};
	struct icmp_inquiry m = {.class = STUN_SUCCESS, .id = id, .ask = ICMP_ASK_SEEN};
	struct icmp_record *r = m.records;

	(void)state;
	m.record_count = 2;
	r[0] = (struct icmp_record){ICMP_KIND_ECHO, 8, 0, 64, 0x1234, 2, 1000, address("192.0.2.1"),
		address("192.0.2.2"), .quoted_protocol = 17};
	r[0].quoted_from = endpoint("192.0.2.1:5"); /* of an echo these are not said */
	r[1] = (struct icmp_record){ICMP_KIND_ERROR, 11, 1, 63, 0, 0, 1, address("192.0.2.1"),
		address("192.0.2.2"), 17, endpoint("192.0.2.1:32853"), endpoint("192.0.2.2:9")};
	assert_bytes(&m, seen, sizeof(seen));
}

/* An error with a cookie of the length that the server makes is never longer than the shortest request. */
static void test_lengths(void **state)
{
	struct icmp_inquiry m = {.class = STUN_ERROR, .id = id, .error_code = ICMP_STALE};
	uint8_t buffer[STUN_MESSAGE_BYTES];

	(void)state;
	m.cookie = (struct span){cookie, 16};
	assert_int_equal(encode(&m, buffer), 56);
	m.cookie = (struct span){cookie, ICMP_COOKIE_MAX};
	assert_true(encode(&m, buffer) <= ICMP_REQUEST_MIN + 8);
	m = (struct icmp_inquiry){.class = STUN_REQUEST, .id = id, .ask = ICMP_ASK_SEEN};
	assert_int_equal(encode(&m, buffer), ICMP_REQUEST_MIN);
	assert_int_equal(icmp_encode(&m, buffer, sizeof(buffer), 600), 600);
	assert_int_equal(icmp_encode(&m, buffer, ICMP_REQUEST_MIN - 1, 0), -EMSGSIZE);
	assert_int_equal(icmp_encode(&m, buffer, ICMP_REQUEST_MIN, 0), ICMP_REQUEST_MIN);
	m = message(STUN_SUCCESS, ICMP_ASK_SEEN);
	for (size_t size = 0; size < 100; size++)
		assert_int_equal(icmp_encode(&m, buffer, size, 0), -EMSGSIZE);
}

/* --- bytes by hand --- */

struct part {
	uint16_t type;
	uint8_t value[128];
	size_t length;
};

/* A message in its attributes, FINGERPRINT and FILL left out. */
struct parts {
	enum stun_class class;
	uint16_t method;
	size_t count;
	struct part part[PARTS];
};

static void take_apart(const struct icmp_inquiry *m, struct parts *out)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];
	struct stun_message stun;
	size_t cursor = 0;
	struct span value;
	uint16_t type;

	assert_int_equal(stun_decode(buffer, encode(m, buffer), &stun), 0);
	*out = (struct parts){.class = m->class, .method = ICMP_METHOD};
	while (stun_next(&stun, &cursor, &type, &value)) {
		struct part *p = &out->part[out->count];

		if (type == STUN_FILL)
			continue;
		assert_true(value.length <= sizeof(p->value) && out->count++ < PARTS);
		p->type = type;
		p->length = value.length;
		memcpy(p->value, value.data, value.length);
	}
}

static int decode_parts(const struct parts *parts, struct icmp_inquiry *out)
{
	static uint8_t buffer[4096];
	struct stun_writer s = stun_begin(buffer, sizeof(buffer), parts->class, parts->method, &id);
	int length;

	for (size_t i = 0; i < parts->count; i++)
		stun_add(&s, parts->part[i].type, parts->part[i].value, parts->part[i].length);
	length = stun_end(&s);
	assert_true(length > 0);
	return icmp_decode(buffer, (size_t)length, out);
}

static bool is_needed(const struct icmp_inquiry *m, uint16_t type)
{
	switch (type) {
	case ICMP_ATTRIBUTE_ASK:
	case ICMP_ATTRIBUTE_TOKEN:
	case ICMP_ATTRIBUTE_LATER:
	case ICMP_ATTRIBUTE_TARGET:
	case ICMP_ATTRIBUTE_SENT:
		return true;
	case ICMP_ATTRIBUTE_ERRORS:
		return m->ask == ICMP_ASK_ERRORS;
	default:
		return false;
	}
}

static void check_missing(const struct icmp_inquiry *m)
{
	struct parts all, less;
	struct icmp_inquiry out;

	take_apart(m, &all);
	for (size_t i = 0; i < all.count; i++) {
		int result, wanted = is_needed(m, all.part[i].type) ? -EPROTO : 0;

		less = all;
		memmove(&less.part[i], &less.part[i + 1],
			(all.count - i - 1) * sizeof(less.part[0]));
		less.count--;
		result = decode_parts(&less, &out);
		if (result != wanted)
			fail_msg("class %d, %d, without 0x%04x: %d", m->class, m->ask,
				all.part[i].type, result);
	}
}

static void test_missing(void **state)
{
	(void)state;
	for_each(check_missing);
}

/* Of two attributes of one type the first one counts, whatever is in the other one; records are told apart from it. */
static void check_twice(const struct icmp_inquiry *m)
{
	struct parts all, more;
	struct icmp_inquiry out;

	take_apart(m, &all);
	for (size_t i = 0; i < all.count; i++) {
		more = all;
		more.part[more.count] = all.part[i];
		memset(more.part[more.count].value, 0xff, sizeof(more.part[0].value));
		more.part[more.count++].length ^= 4;
		if (all.part[i].type == STUN_XOR_MAPPED_ADDRESS) /* STUN's own */
			continue;
		if (all.part[i].type == ICMP_ATTRIBUTE_SEEN && m->record_count < ICMP_RECORDS_MAX) {
			assert_int_equal(decode_parts(&more, &out), -EBADMSG);
			continue;
		}
		assert_int_equal(decode_parts(&more, &out), 0);
		assert_inquiry(&out, m);
	}
}

static void test_twice(void **state)
{
	(void)state;
	for_each(check_twice);
}

static bool may_be_so_long(uint16_t type, size_t length)
{
	if (type == ICMP_ATTRIBUTE_COOKIE)
		return length <= ICMP_COOKIE_MAX;
	return type == ICMP_ATTRIBUTE_ERRORS && length % 8 == 0 && length <= 8 * ICMP_ERRORS_MAX;
}

/* Each value shorter and longer than it is. */
static void check_cut(const struct icmp_inquiry *m)
{
	struct parts all, cut;
	struct icmp_inquiry out;

	take_apart(m, &all);
	for (size_t i = 0; i < all.count; i++)
		for (size_t length = 0; length < all.part[i].length + 9; length++) {
			const struct part *p = &all.part[i];
			int wanted = length == p->length || may_be_so_long(p->type, length)
				? 0
				: -EBADMSG;
			int result;

			cut = all;
			cut.part[i].length = length;
			if (p->type == ICMP_ATTRIBUTE_ERRORS && !length &&
				m->ask == ICMP_ASK_ERRORS)
				wanted = -EPROTO;
			result = decode_parts(&cut, &out);
			if (result != wanted)
				fail_msg("class %d, %d, 0x%04x of %zu: %d", m->class, m->ask,
					p->type, length, result);
		}
}

static void test_cut(void **state)
{
	(void)state;
	for_each(check_cut);
}

static void check_truncated(const struct icmp_inquiry *m)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];
	size_t length = encode(m, buffer);
	struct icmp_inquiry out;

	for (size_t n = 0; n < length; n++)
		assert_int_equal(icmp_decode(buffer, n, &out), -EBADMSG);
}

static void test_truncated(void **state)
{
	(void)state;
	for_each(check_truncated);
}

/* --- values out of their range --- */

struct change {
	const char *name;
	enum stun_class class;
	enum icmp_ask ask;
	uint16_t type;
	size_t at;
	uint8_t value;
	int result;
};

static const struct change changes[] = {
	{"ask 0", STUN_REQUEST, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_ASK, 0, 0, -EBADMSG},
	{"ask 5", STUN_REQUEST, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_ASK, 0, 5, -EBADMSG},
	{"zero of ask", STUN_REQUEST, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_ASK, 3, 9, 0},
	{"from 3", STUN_REQUEST, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_ERRORS, 2, 3, -EBADMSG},
	{"from 3, the last", STUN_SUCCESS, ICMP_ASK_ATTEMPT, ICMP_ATTRIBUTE_ERRORS, 58, 3,
		-EBADMSG},
	{"zero of an error", STUN_REQUEST, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_ERRORS, 3, 3, 0},
	{"delay 10001", STUN_REQUEST, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_ERRORS, 5, 0x11, -EBADMSG},
	{"later 300001", STUN_REQUEST, ICMP_ASK_LATER, ICMP_ATTRIBUTE_LATER, 3, 0xe1, -EBADMSG},
	{"later 0x010493e0", STUN_SUCCESS, ICMP_ASK_LATER, ICMP_ATTRIBUTE_LATER, 0, 1, -EBADMSG},
	{"kind 0", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 0, 0, -EBADMSG},
	{"kind 3", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 0, 3, -EBADMSG},
	{"an error that is an echo", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 0, 1,
		-EBADMSG},
	{"zero of a record", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 13, 3, 0},
	{"family of from", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 17, 3, -EBADMSG},
	{"family of what is quoted", STUN_SUCCESS, ICMP_ASK_SEEN, ICMP_ATTRIBUTE_SEEN, 57, 1,
		-EBADMSG},
	{"family of target", STUN_SUCCESS, ICMP_ASK_ATTEMPT, ICMP_ATTRIBUTE_TARGET, 1, 2, -EBADMSG},
	{"family of own", STUN_SUCCESS, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_OWN, 1, 0, -EBADMSG},
	{"family of other", STUN_SUCCESS, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_OTHER, 1, 1, -EBADMSG},
	{"family of the SYN", STUN_INDICATION, ICMP_ASK_ATTEMPT, ICMP_ATTRIBUTE_SYN, 9, 2,
		-EBADMSG},
	{"indication of what is seen", STUN_INDICATION, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_ASK, 0, 3,
		-EPROTO},
	{"success without TARGET", STUN_SUCCESS, ICMP_ASK_ERRORS, ICMP_ATTRIBUTE_ASK, 0, 2,
		-EPROTO},
};

static void test_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		const struct change *c = &changes[i];
		struct icmp_inquiry m = message(c->class, c->ask), out;
		struct parts parts;
		size_t at = 0;
		int result;

		take_apart(&m, &parts);
		while (at < parts.count && parts.part[at].type != c->type)
			at++;
		assert_true(at < parts.count && parts.part[at].length > c->at);
		parts.part[at].value[c->at] = c->value;
		result = decode_parts(&parts, &out);
		if (result != c->result)
			fail_msg("%s: %d, not %d", c->name, result, c->result);
	}
}

/* Quoted are two endpoints of one family: the other one of the other family, and of its length. */
static void test_quoted_families(void **state)
{
	struct icmp_inquiry m = message(STUN_SUCCESS, ICMP_ASK_SEEN), out;
	uint8_t buffer[STUN_MESSAGE_BYTES];

	(void)state;
	m.records[0].quoted_to = endpoint("192.0.2.1:1");
	assert_int_equal(icmp_decode(buffer, encode(&m, buffer), &out), -EBADMSG);
	m.records[0].quoted_from =
		endpoint("192.0.2.2:1"); /* a NAT may quote another family (RFC 7915) */
	assert_int_equal(icmp_decode(buffer, encode(&m, buffer), &out), 0);
	assert_inquiry(&out, &m);
	m.records[0].quoted_to.family = FAMILY_NONE;
	assert_int_equal(icmp_encode(&m, buffer, sizeof(buffer), 0), -EMSGSIZE);
}

/* More records than are looked at are left out, whatever they are. */
static void test_many_records(void **state)
{
	struct icmp_inquiry m = message(STUN_SUCCESS, ICMP_ASK_SEEN), out;
	uint8_t buffer[STUN_MESSAGE_BYTES];
	struct parts parts;

	(void)state;
	take_apart(&m, &parts);
	parts.part[parts.count++] = (struct part){ICMP_ATTRIBUTE_SEEN, "nonsense", 8};
	assert_int_equal(decode_parts(&parts, &out), 0);
	assert_int_equal(out.record_count, ICMP_RECORDS_MAX);
	m.record_count = 99; /* of those that there are */
	assert_int_equal(icmp_decode(buffer, encode(&m, buffer), &out), 0);
	assert_int_equal(out.record_count, ICMP_RECORDS_MAX);
}

static void test_others(void **state)
{
	struct icmp_inquiry m = message(STUN_REQUEST, ICMP_ASK_ERRORS), out;
	uint8_t buffer[STUN_MESSAGE_BYTES];
	struct parts parts;
	size_t length;

	(void)state;
	take_apart(&m, &parts);
	parts.part[parts.count++] = (struct part){.type = 0x7f00};
	assert_int_equal(decode_parts(&parts, &out), -EPROTO); /* must be understood */
	parts.part[parts.count - 1].type = 0xff00;
	assert_int_equal(decode_parts(&parts, &out), 0);
	parts.part[0].type = 0xff01;
	assert_int_equal(decode_parts(&parts, &out), -EPROTO); /* no ASK */
	take_apart(&m, &parts);
	parts.method = 0x5d5;
	assert_int_equal(decode_parts(&parts, &out), -EPROTO);
	parts = (struct parts){.class = STUN_ERROR, .method = ICMP_METHOD};
	assert_int_equal(decode_parts(&parts, &out), -EPROTO); /* of no code */
	parts = (struct parts){.class = STUN_REQUEST, .method = ICMP_METHOD};
	assert_int_equal(decode_parts(&parts, &out), -EPROTO);
	length = encode(&m, buffer);
	assert_false(icmp_looks_like(buffer, 1));
	assert_true(icmp_looks_like(buffer, 2));
	buffer[length - 1] ^= 1;
	assert_int_equal(icmp_decode(buffer, length, &out), -EBADMSG); /* FINGERPRINT */
	buffer[length - 1] ^= 1;
	buffer[4] ^= 1; /* no magic cookie: RFC 3489 has none of this */
	assert_true(icmp_decode(buffer, length, &out) != 0);
	buffer[1] ^= 1;
	assert_false(icmp_looks_like(buffer, length));
}

/* --- what is offered, and marks --- */

static void test_offered(void **state)
{
	static const uint16_t four[] = {0x300, 0x301, 0x302, 0x303, 0x304, 0x30d, 0xb00, 0xb01,
		0xc00},
			      six[] = {0x100, 0x101, 0x103, 0x104, 0x200, 0x300, 0x301, 0x400};
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(four) / sizeof(*four); i++)
		assert_true(
			icmp_is_offered(FAMILY_IPV4, (uint8_t)(four[i] >> 8), (uint8_t)four[i]));
	for (size_t i = 0; i < sizeof(six) / sizeof(*six); i++)
		assert_true(icmp_is_offered(FAMILY_IPV6, (uint8_t)(six[i] >> 8), (uint8_t)six[i]));
	for (unsigned n = 0; n < 0x10000; n++) {
		count += icmp_is_offered(FAMILY_IPV4, (uint8_t)(n >> 8), (uint8_t)n);
		count += icmp_is_offered(FAMILY_IPV6, (uint8_t)(n >> 8), (uint8_t)n);
		assert_false(icmp_is_offered(FAMILY_NONE, (uint8_t)(n >> 8), (uint8_t)n));
	}
	assert_int_equal(count, (sizeof(four) + sizeof(six)) / sizeof(*four));
}

static void test_mark(void **state)
{
	static const uint8_t token[ICMP_TOKEN_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t mark[ICMP_MARK_BYTES + 1] = {0}, out[ICMP_TOKEN_BYTES] = {0};

	(void)state;
	icmp_write_mark(token, mark);
	assert_memory_equal(mark, "natutils\1\2\3\4\5\6\7\10", ICMP_MARK_BYTES);
	for (size_t n = 0; n < ICMP_MARK_BYTES; n++)
		assert_false(icmp_read_mark((struct span){mark, n}, out));
	assert_true(icmp_read_mark((struct span){mark, ICMP_MARK_BYTES}, out));
	assert_memory_equal(out, token, sizeof(token));
	assert_true(icmp_read_mark((struct span){mark, ICMP_MARK_BYTES + 1}, out));
	for (size_t i = 0; i < 8; i++) {
		mark[i] ^= 1;
		assert_false(icmp_read_mark((struct span){mark, ICMP_MARK_BYTES}, out));
		mark[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_meaningless),
		cmocka_unit_test(test_bytes_of_requests),
		cmocka_unit_test(test_bytes_of_answers),
		cmocka_unit_test(test_bytes_of_records),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_quoted_families),
		cmocka_unit_test(test_many_records),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
