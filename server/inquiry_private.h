// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "server/inquiry.h"
#include "server/quota.h"

/* What requests and the errors that they ask for have in common; nobody else includes this. */

enum job_state {
	JOB_FREE,
	JOB_LISTENING, /* for its SYN */
	JOB_SENDING, /* errors, and then the indication */
	JOB_OVER, /* known still, in case that the request comes again */
};

/* One request for errors. */
struct job {
	enum job_state state;
	uint64_t connection; /* 0: UDP */
	struct endpoint from;
	unsigned local;
	struct stun_id id;
	enum icmp_ask ask;
	struct source *source; /* while it is under way */
	uint64_t begun_us; /* the request has arrived, or the SYN */
	uint64_t over_us;
	size_t count;
	struct icmp_wanted errors[ICMP_ERRORS_MAX]; /* as they will be sent */
	uint8_t waiting, sent; /* masks */
	uint16_t error; /* errno of one that was not sent */
	bool has_syn;
	uint32_t syn_sequence;
	uint8_t syn_ttl;
	struct endpoint syn_from;
	size_t quote_length; /* over TCP it is made when it is needed */
};

struct inquiries {
	struct inquiries_config config;
	struct inquiries_counts counts;
	uint8_t cookie_key[COOKIE_KEY_BYTES];
	struct sightings *sightings;
	struct quota *quota;
	struct sources *sources; /* of what is under way */
	uint64_t next_us; /* nothing is due before */
	uint64_t due_us[INQUIRIES_MAX]; /* UINT64_MAX: never */
	struct job jobs[INQUIRIES_MAX];
	/* apart from the jobs, all of which are looked at for each SYN */
	uint8_t quotes[INQUIRIES_MAX][INQUIRIES_BODY_BYTES];
};

/* --- inquiry_job.c --- */

/* The one of this request, if it has come before, or NULL. */
struct job *job_find(
	struct inquiries *q, const struct inquiries_input *in, const struct icmp_inquiry *m);

/* A place for a new one, which counts for its source. 0; -EDQUOT: that has too many; -EBUSY: there are too many. */
int job_create(struct inquiries *q, const struct endpoint *from, struct job **out);

/* Begins when all else is in it; says again how it has ended when it is over. */
void job_begin(struct inquiries *q, uint64_t now_us, struct job *job);
void job_repeat(struct inquiries *q, uint64_t now_us, struct job *job);

/* Whether another ATTEMPT of this connection is under way. */
bool job_is_attempting(const struct inquiries *q, uint64_t connection);

/* What is quoted, cut off where a quote has to end. */
void job_quote(struct inquiries *q, struct job *job, const void *packet, size_t length);

/* The message, whose length is 0 when it could not be written. */
void inquiries_finish(struct inquiries_output *out, const struct icmp_inquiry *m);
void inquiries_clear(struct inquiries_output *out);
