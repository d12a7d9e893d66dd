// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"
#include "journal/journal.h"

/*
 * Joins captured packets with what the run's own record says: whose each is, which question it belongs to, which packet
 * it answers, and whether a socket got it.
 */

/* Of a run of natprobe, or what a puncher has measured. Events of the journal must come in the order of time. */
void join_journal(struct captured_list *l, const struct journal *j);

/*
 * Without any record: answers find their requests, errors what they quote. Whose the requests are is told by the
 * direction, where the capture knows it.
 */
void join_alone(struct captured_list *l);

/* What the captured packets of one question come to. */
struct joined {
	unsigned left; /* requests and SYNs that left this host, and on which interface */
	unsigned came, whole; /* answers that came, and those of them with a right checksum */
	unsigned delivered; /* … that a socket got */
	unsigned errors, resets; /* that came about them */
	uint8_t out_interface, in_interface,
		reset_interface; /* of the first; CAPTURED_INTERFACES: none */
	uint32_t first_left, last_left, first_came, first_error, first_reset; /* numbers; 0: none */
	uint8_t came_ttl, reset_ttl; /* of the first ones; 0: none */
	struct endpoint came_from; /* of the first one */
	uint64_t first_left_us, first_came_us, first_reset_us;
};

/* Of each observation of the journal, JOURNAL_OBSERVATIONS at most; after join_journal. */
void join_tally(const struct captured_list *l, const struct journal *j, struct joined *out);
