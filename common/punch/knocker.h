// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/trail.h"
#include "punch/knock.h"

/*
 * The side that knocks (knock.h), without I/O. To the port that follows from code and time first: ICMP errors of one
 * type after the other, since a firewall may filter by type, each with a datagram that opens the own NAT for the answer.
 * Its TTL is low: what reaches the other NAT before something has left it can make it give out another port. Datagrams
 * that go all the way, which are a knock as well where the other NAT lets them in, come from a second socket, so that no
 * harm is done to the first. Then to ports at random, as many as the budget has, for NATs
 * that give out ports of their own. Then it is over, after a pause in which the known port is tried on: it is the
 * caller who begins anew, from another socket, since of the first one the other NAT may have got to know too early.
 */

enum { KNOCKER_NEAR, KNOCKER_FAR };

#define KNOCKER_PAUSE_MAX_US 30000000u

struct knocker_counts {
	unsigned errors, datagrams; /* sent */
	unsigned ports; /* quoted in the present search */
	unsigned rounds;
	unsigned unsent; /* errors that did not leave this host */
	int error; /* … and why, the latest; negative errno */
	unsigned foreign; /* datagrams that were no answer, or to others */
};

struct knocker_config {
	struct knock_key key;
	uint64_t utc_us; /* at knocker_create */
	struct endpoint target; /* port 0: not known */
	struct endpoint dark; /* FAMILY_NONE: as code and time say */
	bool classic; /* as classic.h says: IPv4, and from KNOCKER_NEAR, which has the port of code and time */
	uint32_t
		packets_max; /* of both kinds, from the beginning of a round to the end of its search */
	uint32_t rate_pps; /* never more in any second; 0: 1 */
	struct knock ask; /* what is said: share and hello */
	struct knocker_counts before; /* of the knocks before this one, which go on */
	struct random random;
	struct trail *trail;
};

struct knocker;

/* -EINVAL: no address of one host; -ENOMEM; -EMSGSIZE: the hello is too long. */
int knocker_create(const struct knocker_config *config, uint64_t now_us, struct knocker **out);
void knocker_destroy(struct knocker *k);

/* As waiter_poll; the caller has two sockets for it, KNOCKER_NEAR and KNOCKER_FAR, and opens them itself. */
bool knocker_poll(
	struct knocker *k, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us);

/* Whether it was an answer to these words, and the first since the beginning or knocker_resume; never a copy. */
bool knocker_input(struct knocker *k, uint64_t now_us, const struct endpoint *from,
	const void *data, size_t length);
/* An error could not be sent; negative errno. */
void knocker_unsent(struct knocker *k, int error);
/* A datagram could not be sent, and does not count. */
void knocker_unsent_datagram(struct knocker *k);

/* Whether there has been no answer, and it is time for another one. */
bool knocker_is_over(const struct knocker *k);

/* Whether what is sent now is for ports at random. */
bool knocker_is_searching(const struct knocker *k);

/* Knocks again, with the same words. */
void knocker_resume(struct knocker *k, uint64_t now_us);

/* The answer, and where it came from. */
const struct knock *knocker_answer(const struct knocker *k);
const struct endpoint *knocker_answer_from(const struct knocker *k);
const struct knocker_counts *knocker_counts(const struct knocker *k);
