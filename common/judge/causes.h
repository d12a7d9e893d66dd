// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"
#include "journal/host.h"
#include "judge/findings.h"
#include "judge/join.h"

/*
 * Why something did not work, and who was it: from what the sockets have told and, where there was a capture, from the
 * packets. Pure. Each cause names what shows it; what cannot be told apart is said with what would decide.
 */

#define CAUSES_MAX	   24
#define CAUSE_TITLE	   160
#define CAUSE_TEXT	   480
#define CAUSE_PACKETS	   16
#define CAUSE_HOPS_UNKNOWN (-1)

enum certainty { CERTAINTY_POSSIBLE, CERTAINTY_LIKELY, CERTAINTY_CERTAIN };

enum place {
	PLACE_UNKNOWN,
	PLACE_HOST, /* this one */
	PLACE_OWN_NAT,
	PLACE_PATH,
	PLACE_SERVER,
	PLACE_PEER_NAT,
	PLACE_PEER,
};

/* In the order in which they explain the rest: of two that are as certain the first one is named first. */
enum cause_id {
	CAUSE_LOCAL_FIREWALL_OUTPUT,
	CAUSE_NO_ROUTE,
	CAUSE_BAD_CHECKSUM,
	CAUSE_REVERSE_PATH_FILTER,
	CAUSE_LOCAL_FIREWALL_INPUT,
	CAUSE_OTHER_WAY,
	CAUSE_CAPTIVE_PORTAL,
	CAUSE_PAYLOAD_REWRITTEN,
	CAUSE_RESET_BY_NAT,
	CAUSE_RESET_ON_PATH,
	CAUSE_RESET_BY_PEER_NAT,
	CAUSE_RESET_BY_PEER,
	CAUSE_REFUSED_ON_PATH,
	CAUSE_UNREACHABLE,
	CAUSE_ROUTING_LOOP,
	CAUSE_REFUSED_BY_SERVER,
	CAUSE_TABLE_FULL,
	CAUSE_MTU_BLACK_HOLE,
	CAUSE_REMAP,
	CAUSE_WRONG_ORDER,
	CAUSE_DEPENDENT_MAPPING,
	CAUSE_BLOCKED_ON_PATH,
	CAUSE_SERVER_SILENT,
	CAUSE_OTHER_ENDPOINT,
	CAUSE_LYING_SERVER,
	CAUSE_ICMP_BLOCKED,
	CAUSE_DUPLICATES,
	CAUSE_IDS,
};

struct cause {
	enum cause_id id;
	enum certainty certainty;
	enum place where;
	struct endpoint device; /* address; FAMILY_NONE: not known */
	int hops; /* away; CAUSE_HOPS_UNKNOWN */
	char title[CAUSE_TITLE]; /* one sentence */
	char detail[CAUSE_TEXT]; /* what was seen */
	char advice[CAUSE_TEXT / 2]; /* what to do; "" */
	char decide[CAUSE_TEXT / 2]; /* what would decide between this and the others; "" */
	uint32_t packets[CAUSE_PACKETS]; /* their numbers */
	size_t packet_count;
	size_t evidence[CAUSE_PACKETS]; /* places in the journal's observations */
	size_t evidence_count;
};

struct causes {
	struct cause list[CAUSES_MAX];
	size_t count;
};

struct cause_facts {
	const struct journal *journal;
	const struct verdict *verdict;
	const struct captured_list *captured; /* joined; NULL: nothing was captured */
	const struct joined *joined; /* of each observation; NULL with captured */
	bool gaps; /* the capture has missed packets: what it does not hold may have been there */
	const struct host_record *host; /* or NULL */
};

/* Of a run of natprobe: the main cause first. Nothing, when all that was asked was answered. */
void judge_causes(const struct cause_facts *facts, struct causes *out);

/*
 * Where nothing was answered: tells each behaviour its main cause, if that is more than possible. Before judge_findings and
 * judge_sentence, which mind it.
 */
void judge_why(const struct causes *causes, const struct journal *j, struct verdict *v);

/* "local-firewall-output" … */
const char *cause_name(enum cause_id id);
/* "possible", "likely", "certain". */
const char *certainty_name(enum certainty c);
/* "host", "own-nat", "path", "server", "peer-nat", "peer", "unknown". */
const char *place_name(enum place p);
