// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/inquiry_private.h"
#include "server/marked.h"

#define DATAGRAM_BYTES (UDP_BATCH_BYTES + 64) /* with IP and UDP header */

/* One request being dealt with. */
struct exchange {
	struct inquiries *q;
	uint64_t now_us;
	const struct inquiries_input *in;
	struct icmp_inquiry m;
	bool proved; /* that its source is where it comes from */
	uint8_t cookie[COOKIE_BYTES];
	bool has_cookie; /* a new one, for the answer */
	size_t packet_length; /* 0: over TCP it is made when it is needed */
	uint8_t packet[DATAGRAM_BYTES]; /* the request with its headers */
	struct inquiries_output *out;
};

void inquiries_clear(struct inquiries_output *out)
{
	memset(out, 0, offsetof(struct inquiries_output, bytes));
}

void inquiries_finish(struct inquiries_output *out, const struct icmp_inquiry *m)
{
	int length = icmp_encode(m, out->bytes, sizeof(out->bytes), 0);

	out->length = length > 0 ? (size_t)length : 0;
}

/* --- answers --- */

static struct icmp_inquiry answer_to(const struct exchange *x, enum stun_class class)
{
	struct icmp_inquiry m = {
		.class = class, .id = x->m.id, .ask = x->m.ask, .mapped = x->in->from};

	/* the errors but one that are answered with mean that there is nothing wrong with the old one */
	if (x->has_cookie && (class == STUN_SUCCESS || !x->proved))
		m.cookie = (struct span){x->cookie, sizeof(x->cookie)};
	return m;
}

/* Who has proved nothing is never sent more than he has sent, and rather nothing. */
static void keep_short(struct exchange *x)
{
	if (!x->proved && x->out->length > x->in->length)
		x->out->length = 0;
}

static void refuse(struct exchange *x, uint16_t error)
{
	struct icmp_inquiry m = answer_to(x, STUN_ERROR);

	m.error_code = error;
	x->out->refusal = error;
	if (x->q)
		(*(error == ICMP_STALE ? &x->q->counts.unproved : &x->q->counts.denied))++;
	inquiries_finish(x->out, &m);
	keep_short(x);
}

/* What icmp_decode does not take, but is a request of this method: 400, or 420 (RFC 8489 6.3.1). */
static void refuse_malformed(struct exchange *x)
{
	struct stun_message stun;
	struct stun_writer s;
	int length;

	if (stun_decode(x->in->data, x->in->length, &stun) || stun.class != STUN_REQUEST ||
		stun.classic || stun.method != ICMP_METHOD)
		return;
	x->m.id = stun.id;
	refuse(x, ICMP_BAD);
	if (!stun.unknown_count)
		return;
	s = stun_begin(x->out->bytes, sizeof(x->out->bytes), STUN_ERROR, ICMP_METHOD, &stun.id);
	stun_add_error(&s, 420, "");
	stun_add_unknown(&s, stun.unknown, stun.unknown_count);
	stun_add_fingerprint(&s);
	length = stun_end(&s);
	x->out->length = length > 0 ? (size_t)length : 0;
	keep_short(x);
}

static uint16_t refusal_of(int err)
{
	return err == -EDQUOT ? ICMP_QUOTA : ICMP_BUSY;
}

/* --- errors --- */

static unsigned source_of(unsigned local, enum icmp_from from)
{
	return from == ICMP_FROM_OTHER ? local ^ RESPONDER_ADDRESS : local;
}

static struct endpoint address_of(const struct inquiries *q, unsigned local)
{
	struct endpoint e = q->config.advertised[local];

	e.port = 0;
	return e;
}

/* As it will be sent: from nowhere, if that cannot be. */
static struct icmp_wanted possible(const struct exchange *x, const struct icmp_wanted *wanted)
{
	enum family family = x->in->from.family;
	uint16_t mtu_min = family == FAMILY_IPV4 ? ICMP_MTU_MIN_IPV4 : ICMP_MTU_MIN_IPV6;
	bool has_mtu =
		family == FAMILY_IPV4 ? wanted->type == 3 && wanted->code == 4 : wanted->type == 2;
	struct icmp_wanted w = *wanted;

	if (!has_mtu)
		w.mtu = 0;
	else if (w.mtu < mtu_min)
		w.mtu = mtu_min;
	if (!icmp_is_offered(family, w.type, w.code) ||
		x->q->config.advertised[source_of(x->in->local, w.from)].family == FAMILY_NONE)
		w.from = ICMP_FROM_NONE;
	return w;
}

/* What can be done of the list; how much that is. */
static unsigned select_errors(
	const struct exchange *x, struct icmp_wanted out[static ICMP_ERRORS_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < x->m.error_count; i++) {
		out[i] = possible(x, &x->m.errors[i]);
		n += out[i].from != ICMP_FROM_NONE;
	}
	return n;
}

static void answer_job(struct exchange *x, const struct job *job)
{
	struct icmp_inquiry m = answer_to(x, STUN_SUCCESS);

	m.error_count = job->count;
	memcpy(m.errors, job->errors, sizeof(m.errors));
	for (size_t i = 0; i < job->count; i++) {
		if (job->errors[i].from == ICMP_FROM_OWN)
			m.own = address_of(x->q, job->local);
		else if (job->errors[i].from == ICMP_FROM_OTHER)
			m.other = address_of(x->q, source_of(job->local, ICMP_FROM_OTHER));
	}
	if (job->ask == ICMP_ASK_ATTEMPT) {
		m.target = address_of(x->q, job->local);
		m.target.port = x->q->config.silent[job->local];
	}
	inquiries_finish(x->out, &m);
}

/* The datagram as it came in, but for what the kernel does not tell of its IP header. */
static bool build_datagram(struct exchange *x)
{
	const struct inquiries_input *in = x->in;
	int length = packet_build_udp(x->packet, sizeof(x->packet), &in->from,
		&x->q->config.local[in->local], in->ttl ? in->ttl : 1, in->data, in->length);

	x->packet_length = length > 0 ? (size_t)length : 0;
	return length > 0;
}

static bool has_quote(struct exchange *x)
{
	uint32_t sequence;

	return x->in->connection
		? x->q->config.expected(x->q->config.context, x->in->connection, &sequence)
		: build_datagram(x);
}

/* 0 or an enum icmp_refusal. */
static uint16_t check_errors(struct exchange *x, unsigned possible_count)
{
	const struct inquiries *q = x->q;

	if (x->m.ask == ICMP_ASK_ATTEMPT && !x->in->connection)
		return ICMP_BAD;
	if (x->m.error_count && !possible_count)
		return ICMP_OFF;
	if (x->m.ask == ICMP_ASK_ATTEMPT)
		return !q->config.silent[x->in->local]		  ? ICMP_OFF
			: job_is_attempting(q, x->in->connection) ? ICMP_QUOTA
								  : 0;
	return has_quote(x) ? 0 : ICMP_OFF;
}

static void fill_job(struct exchange *x, struct job *job)
{
	job->connection = x->in->connection;
	job->from = x->in->from;
	job->local = x->in->local;
	job->id = x->m.id;
	job->ask = x->m.ask;
	job->count = x->m.error_count;
	for (size_t i = 0; i < job->count; i++)
		if (job->errors[i].from != ICMP_FROM_NONE)
			job->waiting |= (uint8_t)(1u << i);
	job_quote(x->q, job, x->packet, x->packet_length);
	if (x->in->heed)
		*x->in->heed = true;
}

static void ask_errors(struct exchange *x)
{
	struct job *job = job_find(x->q, x->in, &x->m);
	struct icmp_wanted errors[ICMP_ERRORS_MAX] = {{0}};
	unsigned count;
	uint16_t error;
	int err;

	if (job) {
		answer_job(x, job);
		job_repeat(x->q, x->now_us, job);
		return;
	}
	count = select_errors(x, errors);
	error = check_errors(x, count);
	if (!error) {
		err = quota_take(x->q->quota, x->now_us, &x->in->from, count);
		if (!err)
			err = job_create(x->q, &x->in->from, &job);
		if (err)
			error = refusal_of(err);
	}
	if (error) {
		refuse(x, error);
		return;
	}
	memcpy(job->errors, errors, sizeof(errors));
	fill_job(x, job);
	x->q->counts.asked++;
	answer_job(x, job);
	job_begin(x->q, x->now_us, job);
}

/* --- what was seen --- */

static void ask_seen(struct exchange *x)
{
	struct icmp_inquiry m = answer_to(x, STUN_SUCCESS);
	int err = sightings_ask(x->q->sightings, x->now_us, &x->in->from, x->m.token);

	if (err) {
		refuse(x, refusal_of(err));
		return;
	}
	memcpy(m.token, x->m.token, sizeof(m.token));
	m.record_count = sightings_find(x->q->sightings, x->now_us, x->m.token, m.records);
	x->q->counts.asked++;
	inquiries_finish(x->out, &m);
}

static void ask_later(struct exchange *x)
{
	struct icmp_inquiry m = answer_to(x, STUN_SUCCESS);
	int err = quota_take(x->q->quota, x->now_us, &x->in->from, 1);

	if (err) {
		refuse(x, refusal_of(err));
		return;
	}
	err = sightings_reply_later(x->q->sightings, x->now_us, &x->in->from, &x->m, &m.records[0]);
	if (err) {
		refuse(x, err == -EXDEV ? ICMP_ELSEWHERE : ICMP_UNSEEN);
		return;
	}
	memcpy(m.token, x->m.token, sizeof(m.token));
	m.later_ms = x->m.later_ms;
	m.record_count = 1;
	x->q->counts.asked++;
	inquiries_finish(x->out, &m);
}

void inquiries_seen(struct inquiries *q, uint64_t now_us, unsigned local,
	const struct icmp_message *m, const struct icmp_meta *meta)
{
	struct sighting s = {.local = local};

	if (local >= RESPONDER_ENDPOINTS ||
		q->config.advertised[local].family != meta->from.family ||
		!marked_read(meta->from.family, m, &s.record, s.token, &s.data))
		return;
	s.record.ttl = meta->ttl;
	s.record.from = meta->from;
	s.record.from.port = 0;
	s.record.to = address_of(q, local);
	if (sightings_see(q->sightings, now_us, &s))
		(*(s.record.kind == ICMP_KIND_ECHO ? &q->counts.echoes : &q->counts.quoting))++;
}

/* --- requests --- */

/* Whether the source is proved; otherwise it has got a cookie. */
static bool check_cookie(struct exchange *x)
{
	int age;

	if (x->in->connection)
		return true;
	age = cookie_check(x->q->cookie_key, &x->in->from, x->now_us, x->m.cookie);
	x->proved = age >= 0;
	x->has_cookie = age != 0;
	if (x->has_cookie)
		cookie_make(x->q->cookie_key, &x->in->from, x->now_us, x->cookie);
	if (!x->proved)
		refuse(x, ICMP_STALE);
	return x->proved;
}

static void serve(struct exchange *x)
{
	switch (x->m.ask) {
	case ICMP_ASK_ERRORS:
	case ICMP_ASK_ATTEMPT:
		ask_errors(x);
		break;
	case ICMP_ASK_SEEN:
		ask_seen(x);
		break;
	case ICMP_ASK_LATER:
		ask_later(x);
		break;
	}
}

void inquiries_input(struct inquiries *q, uint64_t now_us, const struct inquiries_input *in,
	struct inquiries_output *out)
{
	struct exchange x = {
		.q = q, .now_us = now_us, .in = in, .proved = in->connection != 0, .out = out};

	inquiries_clear(out);
	out->connection = in->connection;
	out->to = in->from;
	out->local = in->local;
	if (!endpoint_is_unicast(&in->from) || in->local >= RESPONDER_ENDPOINTS)
		return;
	if (icmp_decode(in->data, in->length, &x.m))
		refuse_malformed(&x);
	else if (x.m.class != STUN_REQUEST)
		return;
	else if (!q)
		refuse(&x, ICMP_OFF);
	else if (check_cookie(&x))
		serve(&x);
}

/* --- making and ending --- */

const struct inquiries_counts *inquiries_counts(const struct inquiries *q)
{
	return &q->counts;
}

int inquiries_create(struct inquiries **out, const struct inquiries_config *config,
	const struct inquiries_keys *keys)
{
	struct inquiries *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	q->config = *config;
	memcpy(q->cookie_key, keys->cookie, sizeof(q->cookie_key));
	q->next_us = UINT64_MAX;
	for (size_t i = 0; i < INQUIRIES_MAX; i++)
		q->due_us[i] = UINT64_MAX;
	err = sources_create(&q->sources, INQUIRIES_MAX, INQUIRIES_OF_SOURCE, keys->sources);
	if (!err)
		err = sightings_create(&q->sightings, keys->sources);
	if (!err)
		err = quota_create(&q->quota, INQUIRIES_SENT_PER_MINUTE, INQUIRIES_SENT_OF_SOURCE,
			keys->sources);
	if (err)
		inquiries_destroy(q);
	else
		*out = q;
	return err;
}

void inquiries_destroy(struct inquiries *q)
{
	if (!q)
		return;
	quota_destroy(q->quota);
	sightings_destroy(q->sightings);
	sources_destroy(q->sources);
	free(q);
}
