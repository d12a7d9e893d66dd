// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"
#include "judge/behaviour.h"
#include "judge/causes.h"

/*
 * What packets of any program show that somebody has captured: which flows were tried and what came of each, which
 * external endpoints STUN servers have named, and why flows failed. Pure.
 */

#define READING_HOSTS	 8
#define READING_MAPPINGS 64
#define READING_SEEN	 8
#define READING_FLOWS	 4096 /* told one by one; the rest is counted */

/* What came of the packets between two endpoints, as the one that is taken for this host's saw it. */
enum flow_state {
	FLOW_WORKS, /* packets went both ways */
	FLOW_SILENT, /* sent, and nothing came back */
	FLOW_REFUSED, /* … but ICMP errors */
	FLOW_RESET, /* … but a RST */
	FLOW_UNASKED, /* came, and was not answered */
	FLOW_UNHEARD, /* ICMP errors about packets that are not in the capture */
	FLOW_STATES,
};

struct reading_flow {
	size_t talk; /* place in the list */
	int local; /* which of its ends is this host's: 0 or 1 */
	enum flow_state state;
	bool stun; /* it holds STUN */
	bool heard_first; /* what came was before what left */
};

/* One own endpoint, as servers have named it. */
struct reading_mapping {
	struct endpoint local;
	struct {
		struct endpoint server, mapped;
		uint32_t packet; /* number of the answer */
	} seen[READING_SEEN];
	size_t count;
	bool nat; /* it was named otherwise than it is */
	enum dependence mapping; /* DEPENDENCE_UNKNOWN: too few servers */
	bool changed; /* an answer came from an endpoint that was not asked: filtering let it in */
};

struct reading {
	struct endpoint hosts[READING_HOSTS]; /* taken for this host's addresses; ports 0 */
	size_t host_count;
	bool guessed; /* the capture does not say which packets left: the most frequent address was taken */
	struct reading_flow *flows; /* READING_FLOWS of them, the caller's */
	size_t flow_count;
	size_t states[FLOW_STATES]; /* of all flows */
	struct reading_mapping mappings[READING_MAPPINGS];
	size_t mapping_count;
	struct causes causes;
};

/* Joins the packets (judge/join.h) and reads them. flows: room for READING_FLOWS. */
void reading_judge(struct captured_list *l, struct reading_flow *flows, struct reading *out);

/* "works", "silent", "refused", "reset", "unasked", "unheard". */
const char *flow_state_name(enum flow_state s);
