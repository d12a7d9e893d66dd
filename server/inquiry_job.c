// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "server/inquiry_private.h"

#define NEVER	     UINT64_MAX
#define MS	     ((uint64_t)1000)
#define SEGMENT_TTL  64 /* that of a segment which was never seen */
#define SEGMENT_ROOM 128

/* What is due when, and the earliest of it. */
static void set_due(struct inquiries *q, const struct job *job, uint64_t due_us)
{
	q->due_us[job - q->jobs] = due_us;
	if (due_us < q->next_us)
		q->next_us = due_us;
}

static void give_back(struct inquiries *q, struct job *job)
{
	if (job->source)
		sources_give_back(q->sources, job->source);
	job->source = NULL;
}

void job_quote(struct inquiries *q, struct job *job, const void *packet, size_t length)
{
	size_t most = ICMP_QUOTING_BYTES - 8 - (job->from.family == FAMILY_IPV4 ? 20 : 40);

	job->quote_length = length < most ? length : most;
	memcpy(q->quotes[job - q->jobs], packet, job->quote_length);
}

/* --- finding, and making --- */

static bool is_same_way(const struct job *job, const struct inquiries_input *in)
{
	return job->connection == in->connection && job->local == in->local &&
		endpoint_equal(&job->from, &in->from);
}

struct job *job_find(
	struct inquiries *q, const struct inquiries_input *in, const struct icmp_inquiry *m)
{
	for (struct job *job = q->jobs; job < q->jobs + INQUIRIES_MAX; job++)
		if (job->state != JOB_FREE && stun_id_equal(&job->id, &m->id) &&
			job->ask == m->ask && is_same_way(job, in))
			return job;
	return NULL;
}

bool job_is_attempting(const struct inquiries *q, uint64_t connection)
{
	for (const struct job *job = q->jobs; job < q->jobs + INQUIRIES_MAX; job++)
		if ((job->state == JOB_LISTENING || job->state == JOB_SENDING) &&
			job->ask == ICMP_ASK_ATTEMPT && job->connection == connection)
			return true;
	return false;
}

/* One that is free, or that has been over for longest. */
static struct job *find_place(struct inquiries *q)
{
	struct job *oldest = NULL;

	for (struct job *job = q->jobs; job < q->jobs + INQUIRIES_MAX; job++) {
		if (job->state == JOB_FREE)
			return job;
		if (job->state == JOB_OVER && (!oldest || job->over_us < oldest->over_us))
			oldest = job;
	}
	return oldest;
}

int job_create(struct inquiries *q, const struct endpoint *from, struct job **out)
{
	struct job *job = find_place(q);
	struct source *source;
	int err;

	if (!job)
		return -EBUSY;
	err = sources_take(q->sources, from, &source);
	if (err)
		return err;
	*job = (struct job){.source = source};
	*out = job;
	return 0;
}

/* --- its course --- */

static uint64_t error_due_us(const struct job *job, size_t place)
{
	return job->begun_us + job->errors[place].delay_ms * MS;
}

/* The first one that still waits; ICMP_ERRORS_MAX: none. */
static size_t next_error(const struct job *job)
{
	size_t next = ICMP_ERRORS_MAX;

	for (size_t i = 0; i < job->count; i++)
		if (job->waiting >> i & 1 &&
			(next == ICMP_ERRORS_MAX || error_due_us(job, i) < error_due_us(job, next)))
			next = i;
	return next;
}

static void await_next(struct inquiries *q, uint64_t now_us, const struct job *job)
{
	size_t next = next_error(job);

	set_due(q, job, next == ICMP_ERRORS_MAX ? now_us + ICMP_DONE_US : error_due_us(job, next));
}

void job_begin(struct inquiries *q, uint64_t now_us, struct job *job)
{
	job->begun_us = now_us;
	job->state = job->ask == ICMP_ASK_ATTEMPT ? JOB_LISTENING : JOB_SENDING;
	if (job->state == JOB_LISTENING)
		set_due(q, job, now_us + ICMP_SYN_US);
	else
		await_next(q, now_us, job);
}

void job_repeat(struct inquiries *q, uint64_t now_us, struct job *job)
{
	if (job->state == JOB_OVER)
		set_due(q, job, now_us);
}

/* The segment that a client would send next over this connection, if it had nothing to say. 0 or a negative errno. */
static int quote_segment(struct inquiries *q, struct job *job)
{
	struct packet_tcp tcp = {.flags = PACKET_ACK, .window = UINT16_MAX};
	uint8_t packet[SEGMENT_ROOM];
	int length;

	if (!q->config.expected(q->config.context, job->connection, &tcp.sequence))
		return -ENOTCONN;
	length = packet_build_tcp(packet, sizeof(packet), &job->from, &q->config.local[job->local],
		SEGMENT_TTL, &tcp, NULL, 0);
	if (length < 0)
		return length;
	job_quote(q, job, packet, (size_t)length);
	return 0;
}

static void put_mtu(uint8_t rest[static 4], uint16_t mtu)
{
	/* RFC 1191 4, and the low half of the 32 bits of RFC 4443 3.2 */
	rest[2] = (uint8_t)(mtu >> 8);
	rest[3] = (uint8_t)mtu;
}

static void send_error(
	struct inquiries *q, struct job *job, size_t place, struct inquiries_output *out)
{
	const struct icmp_wanted *e = &job->errors[place];
	bool of_connection = job->connection && job->ask == ICMP_ASK_ERRORS;
	int err = of_connection ? quote_segment(q, job) : 0;

	out->number = (unsigned)(job - q->jobs);
	out->place = (unsigned)place;
	if (err) {
		inquiries_sent(q, out->number, out->place, err);
		return;
	}
	out->step = INQUIRIES_ERROR;
	out->source = e->from == ICMP_FROM_OTHER ? job->local ^ RESPONDER_ADDRESS : job->local;
	out->target = job->from;
	out->type = e->type;
	out->code = e->code;
	put_mtu(out->rest, e->mtu);
	out->body_length = job->quote_length;
	memcpy(out->body, q->quotes[job - q->jobs], job->quote_length);
}

void inquiries_sent(struct inquiries *q, unsigned number, unsigned place, int error)
{
	struct job *job = &q->jobs[number];

	if (error) {
		job->error = (uint16_t)-error;
		q->counts.unsent++;
	} else {
		job->sent |= (uint8_t)(1u << place);
		q->counts.errors++;
	}
}

static void tell(
	struct inquiries *q, uint64_t now_us, struct job *job, struct inquiries_output *out)
{
	struct icmp_inquiry m = {.class = STUN_INDICATION,
		.id = job->id,
		.ask = job->ask,
		.sent = job->sent,
		.sent_error = job->error,
		.has_syn = job->has_syn,
		.syn_sequence = job->syn_sequence,
		.syn_ttl = job->syn_ttl,
		.syn_from = job->syn_from};

	out->connection = job->connection;
	out->to = job->from;
	out->local = job->local;
	inquiries_finish(out, &m);
	if (job->state != JOB_OVER)
		job->over_us = now_us;
	job->state = JOB_OVER;
	give_back(q, job);
	set_due(q, job, NEVER);
}

static void proceed(
	struct inquiries *q, uint64_t now_us, struct job *job, struct inquiries_output *out)
{
	size_t place = job->state == JOB_SENDING ? next_error(job) : ICMP_ERRORS_MAX;

	if (place == ICMP_ERRORS_MAX) {
		tell(q, now_us, job, out);
		return;
	}
	job->waiting &= (uint8_t) ~(1u << place);
	send_error(q, job, place, out);
	await_next(q, now_us, job);
}

/* --- what happens --- */

/* One that has been dealt with comes again and again, as nothing answers it. */
static bool is_known(const struct job *job, const struct packet *syn)
{
	return job->has_syn && endpoint_equal(&job->syn_from, &syn->source) &&
		job->syn_sequence == syn->sequence;
}

/* For whom this SYN is: for the connection from the same port, or the first one from the same address. */
static struct job *find_attempt(struct inquiries *q, unsigned local, const struct packet *syn)
{
	struct job *found = NULL;

	for (struct job *job = q->jobs; job < q->jobs + INQUIRIES_MAX; job++) {
		if (job->state == JOB_FREE || job->ask != ICMP_ASK_ATTEMPT ||
			(job->local ^ local) & ~(unsigned)RESPONDER_PORT ||
			!endpoint_same_address(&job->from, &syn->source))
			continue;
		if (is_known(job, syn))
			return NULL;
		if (job->state != JOB_LISTENING)
			continue;
		if (job->from.port == syn->source.port)
			found = job;
		else if (!found ||
			(found->from.port != syn->source.port && job->begun_us < found->begun_us))
			found = job;
	}
	return found;
}

void inquiries_syn(struct inquiries *q, uint64_t now_us, unsigned local, const struct packet *syn)
{
	struct job *job;

	if (syn->protocol != PACKET_TCP || syn->destination.port != q->config.silent[local] ||
		(syn->flags & (PACKET_SYN | PACKET_ACK | PACKET_RST)) != PACKET_SYN)
		return;
	job = find_attempt(q, local, syn);
	if (!job)
		return;
	q->counts.syns++;
	job->has_syn = true;
	job->syn_from = syn->source;
	job->syn_sequence = syn->sequence;
	job->syn_ttl = syn->ttl;
	job_quote(q, job, syn->bytes, syn->length);
	job->begun_us = now_us;
	job->state = JOB_SENDING;
	await_next(q, now_us, job);
}

void inquiries_closed(struct inquiries *q, uint64_t connection)
{
	for (struct job *job = q->jobs; job < q->jobs + INQUIRIES_MAX; job++) {
		if (job->state == JOB_FREE || job->connection != connection)
			continue;
		job->state = JOB_FREE;
		give_back(q, job);
		set_due(q, job, NEVER);
	}
}

/* --- time --- */

/* The one that is due first, or NULL; then nothing is before next_us. */
static struct job *find_due(struct inquiries *q, uint64_t now_us)
{
	size_t first = 0;

	for (size_t i = 1; i < INQUIRIES_MAX; i++)
		if (q->due_us[i] < q->due_us[first])
			first = i;
	q->next_us = q->due_us[first];
	return q->next_us <= now_us ? &q->jobs[first] : NULL;
}

static bool poll_replies(struct inquiries *q, uint64_t now_us, struct inquiries_output *out)
{
	struct sightings_reply reply;

	if (!sightings_poll(q->sightings, now_us, &reply))
		return false;
	q->counts.replies++;
	out->step = INQUIRIES_REPLY;
	out->source = reply.local;
	out->target = reply.to;
	out->type = reply.to.family == FAMILY_IPV4 ? 0 : 129;
	out->rest[0] = (uint8_t)(reply.identifier >> 8);
	out->rest[1] = (uint8_t)reply.identifier;
	out->rest[2] = (uint8_t)(reply.sequence >> 8);
	out->rest[3] = (uint8_t)reply.sequence;
	out->body_length = reply.length;
	memcpy(out->body, reply.data, reply.length);
	return true;
}

bool inquiries_poll(struct inquiries *q, uint64_t now_us, struct inquiries_output *out)
{
	struct job *job = q->next_us <= now_us ? find_due(q, now_us) : NULL;

	inquiries_clear(out);
	if (!job)
		return poll_replies(q, now_us, out);
	proceed(q, now_us, job, out);
	return true;
}

uint64_t inquiries_next_us(const struct inquiries *q)
{
	uint64_t replies_us = sightings_next_us(q->sightings);

	return replies_us < q->next_us ? replies_us : q->next_us;
}
