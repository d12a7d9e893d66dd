// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/* What the rules share: one file per question, each from observations to its part of the verdict. */

struct view {
	const struct journal *journal;
	const struct server_verdict *servers;
	enum family family;
	enum transport transport;
};

/* How one server's answers about a question are to be read. */
struct battery {
	/* NULL: not put; the arrays by the endpoint that is meant */
	const struct observation *binding, *mapping[3], *filtering[3], *control[3], *early_base[3],
		*early_check[3];
};

enum { BATTERY_BOTH, BATTERY_ADDRESS, BATTERY_PORT, BATTERY_TARGETS };

/* The observations that belong to one server. */
void battery_find(const struct journal *j, size_t server, struct battery *out);

void basis_add(struct basis *b, const struct journal *j, const struct observation *o);
void basis_text(struct basis *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool was_answered(const struct observation *o);

/* Why nothing can be said when no server's answers count. */
const char *no_answer(const struct behaviour *b);

/* Whether a server of the journal is asked under this family and transport. */
bool server_is_of(
	const struct journal *j, size_t server, enum family family, enum transport transport);

/* What the three answers of one server about filtering come to; *why where that is unknown. */
enum dependence filtering_combine(enum tri both, enum tri address, enum tri port, const char **why);

/* A changed answer has come through a path that had been opened for it. */
bool battery_controlled(const struct battery *b);

/* The family's behaviour may be judged from this server's answers. */
bool server_in_view(const struct view *v, size_t server);

/*
 * Three-state majority among the servers' statements: values[i] is 0 for "no statement". The winner
 * has more servers than all others together, or *winner is 0 and false is returned when they disagree.
 */
bool majority(const int *values, size_t count, int *winner);

void judge_servers(const struct journal *j, struct server_verdict *out);
/* Leaves out the servers that contradict what the others agree on, and names them. */
void judge_quorum(const struct journal *j, enum family family, enum transport transport,
	struct server_verdict *servers);

void judge_path(const struct view *v, struct behaviour *b);

/* What a ladder says, if there was one, when no server is believed. */
void judge_reach(const struct view *v, struct behaviour *b);

/*
 * "; likely lost or dropped at or behind 192.0.2.1 (hop 2), ...", or nothing. towards: it says which server is meant;
 * named: whom the text before it speaks of, or NULL.
 */
void reach_text(
	const struct reach *r, bool towards, const struct endpoint *named, char *out, size_t size);
void judge_mapping(const struct view *v, struct behaviour *b);
void judge_filtering(const struct view *v, struct behaviour *b);
void judge_ports(const struct view *v, struct behaviour *b);
void judge_early(const struct view *v, struct behaviour *b);
void judge_hairpin(const struct view *v, struct behaviour *b);
/* Filtering, early SYNs, simultaneous open and hairpinning over TCP. */
void judge_tcp(const struct view *v, struct behaviour *b);

/*
 * Over TCP: whether a call of the server was refused so late that its SYN had been under way, and not by the server's
 * own system. rtt_us: to the server; 0: not known.
 */
bool call_refused_afar(const struct observation *o, uint64_t rtt_us);

/* What becomes of SYNs on the way. */
void judge_syn(const struct view *v, struct behaviour *b);
void judge_sequence_numbers(const struct view *v, struct behaviour *b);

/*
 * How many routers this host's SYNs pass on their way to an address of the server, and adds to `basis` the connections
 * that tell it. False: it is not known.
 */
bool syn_hops(const struct view *v, size_t server, const struct endpoint *address, unsigned *hops,
	struct basis *basis);

/* Who has rejected the unasked SYN; after judge_tcp. */
void judge_rejecter(const struct view *v, struct behaviour *b);

/* All about ICMP. */
void judge_icmp(const struct view *v, struct icmp_verdict *out);
/* Of one server: what becomes of errors about flows of this host. */
void judge_icmp_errors(const struct view *v, size_t server, struct icmp_verdict *out);
/* … and of those that it sends. */
void judge_icmp_egress(const struct view *v, size_t server, struct icmp_verdict *out);

/* Why a question about ICMP has no answer, where its state says so; NULL: it is not that. */
const char *icmp_why_not(const struct observation *o);

/* Why nothing can be asked, when there is no service for ICMP. */
const char *icmp_no_service(const struct icmp_verdict *v);

/* Whether so many were missing that they cannot all have been lost. */
bool icmp_is_silent(const struct view *v, const struct observation *o);

/* What the four mappings of one server show; TRI_UNKNOWN where a comparison is missing. */
struct variation {
	enum tri by_address, by_port;
	bool contradictory;
};
struct variation battery_variation(const struct battery *b);
