// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/causes_private.h"
#include "judge/causes_punch.h"

/* What causes of a punch and of its rendezvous share. */

#define LOOK_AT_RULES "Look at the rules of this host: nft list ruleset, or iptables-save."

void cause_fill(struct cause *c, const char *title, const char *advice, const char *decide);

/* Which of the ways to lose a packet inside of this host it was. strict: reverse-path filtering may be; whole: one had a right checksum. */
enum cause_id cause_undelivered(const struct host_record *host, bool strict, bool whole,
	enum certainty *certainty, const char **title);
/* Whether reverse-path filtering may be strict where IPv4 came in. */
bool cause_is_strict(
	const struct host_record *host, const struct captured_list *l, uint8_t interface);

bool punch_error_is_closed(const struct trail_error *x); /* port unreachable */
bool punch_error_is_prohibition(const struct trail_error *x); /* … or a firewall says so */
/* The captured packet; NULL: there is none. */
const struct captured *punch_error_packet(
	const struct captured_list *l, const struct trail_error *x);
