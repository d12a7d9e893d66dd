// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/* What the verdicts mean for the user: sentences with advice, and the outlook for direct connections. */

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_PROBLEM };

#define FINDINGS_MAX 160

struct finding {
	const char *id; /* stable, lower case with hyphens */
	enum severity severity;
	char about[24]; /* the part of the report it speaks of: "udp.ipv4", "servers.0" */
	char title[JOURNAL_TEXT];
	char detail[5 * JOURNAL_TEXT];
	const char *advice; /* what to do about it; "" when there is nothing to do */
	const char *reference; /* RFC and section */
	size_t evidence[BASIS_EVIDENCE]; /* places in the journal's observations */
	size_t evidence_count;
};

enum p2p {
	P2P_UNKNOWN = 0,
	P2P_EASY, /* peers can reach this host almost always */
	P2P_POSSIBLE, /* by hole punching, unless both sides are difficult */
	P2P_HARD, /* needs port prediction, or an easy peer */
	P2P_RELAY_ONLY,
	P2P_NONE,
};

/* What gets a direct connection through. */
enum method {
	METHOD_UNKNOWN = 0,
	METHOD_DIRECT, /* peers just send to the local or external endpoint */
	METHOD_PUNCH, /* both sides send to each other's external endpoint */
	METHOD_PUNCH_FIRST, /* the same, but this side must send before the peer's packet arrives */
	METHOD_PREDICT, /* the peer has to guess one of few external ports */
	METHOD_BIRTHDAY, /* many sockets here, many guesses there; or an easy peer */
	METHOD_RELAY,
};

/* The outlook of one protocol over one address family. */
struct family_outlook {
	enum p2p p2p;
	enum method method;
	char reason[2 * JOURNAL_TEXT];
};

struct outlook {
	enum p2p p2p; /* the best of what is known */
	struct family_outlook udp4, udp6, tcp4, tcp6;
};

const char *severity_name(enum severity s);
const char *p2p_name(enum p2p p);
const char *method_name(enum method m);
/* "change-ignored", "second-address-silent" … */
const char *server_defect_name(enum server_defect d);

/* The outlook that follows from the verdict. */
void judge_outlook(const struct verdict *v, struct outlook *out);

/* Fills out with at most FINDINGS_MAX findings, problems first; their number. */
size_t judge_findings(
	const struct journal *j, const struct verdict *v, struct finding out[static FINDINGS_MAX]);

/*
 * The answer in one line, for one transport and family: "UDP: endpoint-independent mapping, address-and-port-
 * dependent filtering: direct connections will usually work by hole punching".
 */
void judge_sentence(const struct behaviour *b, enum family family, char *out, size_t size);

/* The same about ICMP: "ICMP: echo works and keeps its identifiers; errors arrive; this host can send them about any flow". */
void judge_sentence_icmp(const struct icmp_verdict *v, enum family family, char *out, size_t size);
