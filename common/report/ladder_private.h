// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "report/ladder.h"

/* A ladder being made: packets are read, placed, and become rows. */

struct ladder_seen {
	const json_t *packet;
	unsigned long long n; /* 0: it has no number */
	double t_ms;
	enum ladder_place from, to;
	const json_t *asked; /* the packet that this one is about */
	bool out, cited;
	bool answered; /* something that came back shows that it has arrived */
	bool rejected; /* by what stands at `stop` */
	enum ladder_place stop;
	uint64_t kind; /* the same for packets that are alike */
	size_t row; /* that it is drawn in, or folded into */
};

struct ladder_draft {
	struct ladder *ladder;
	struct ladder_seen *seen;
	size_t count;
};

/* --- ladder_places.c: where packets come from and go to --- */

/* Sets out, from and to of each packet, and who is present. */
void ladder_place_all(struct ladder_draft *d);
/* Whether a block of the document says that such packets pass no NAT of this side. */
bool ladder_has_no_nat(const struct ladder *ladder, const json_t *packet);

/* --- ladder_rows.c --- */

/* Packets to rows: alike ones are folded, and too many are left out. 0 or -ENOMEM. */
int ladder_fill_rows(struct ladder_draft *d);

/* --- shared --- */

bool ladder_has_flag(const json_t *packet, const char *flag); /* of TCP */
bool ladder_is_error(const json_t *packet); /* an ICMP error or a RST */
const json_t *ladder_far(const json_t *packet, bool out); /* the endpoint that is not this host's */
