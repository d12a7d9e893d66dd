// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/findings.h"

/*
 * One small rule for each thing worth saying. A rule says nothing that the verdict does not hold: it
 * looks at the verdict, and at observations only for the figures in its detail.
 */

/* What a rule looks at. */
struct finding_view {
	const struct journal *j;
	const struct verdict *v;
	const struct behaviour *b;
	enum family family;
	const struct icmp_verdict *icmp; /* whose common part b is; else NULL */
};

/* Whether the rule applies; it then fills detail, and may add evidence beyond its basis. */
typedef bool rule_check(const struct finding_view *view, struct finding *f);

struct rule {
	const char *id;
	enum severity severity;
	const struct basis *(*basis)(
		const struct behaviour *b); /* NULL: check adds what it rests on */
	rule_check *check;
	const char *title;
	const char *advice;
	const char *reference;
};

/* Advice where the behaviour says why nothing was answered. */
#define FINDING_SEE_CAUSES "Do what the causes advise, and ask again."

/* The tables, in the order of the report. */
extern const struct rule path_rules[], port_rules[], unknown_rules[], tcp_rules[], icmp_rules[];
extern const size_t path_rule_count, port_rule_count, unknown_rule_count, tcp_rule_count,
	icmp_rule_count;

/* Whether there is something to say about one server; fills f. */
bool finding_of_server(
	const struct journal *j, const struct verdict *v, size_t server, struct finding *f);

/* Whether the socket of the mapping question was seen with more than one address. */
bool finding_addresses_differ(const struct behaviour *b);

/*
 * Whether the NAT does that, and not a server that lies: mapping is endpoint-independent in the words
 * of RFC 4787, which keeps pooling apart, but a peer does not see what a server saw.
 */
bool finding_address_varies(const struct behaviour *b);

/* Whether the packets never left this host: a loopback address says nothing about the network. */
bool finding_on_this_host(const struct behaviour *b);

/* Adds to the detail, as far as there is room. */
void finding_detail(struct finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds the place of an observation, once. */
void finding_evidence(struct finding *f, size_t place);

/* NULL when there is no such place. */
const struct observation *finding_observation(const struct finding_view *view, size_t place);

/* "198.51.100.10:3478 saw 192.0.2.11:40000, ..." for each answer of the basis. */
void finding_mapped(const struct finding_view *view, const struct basis *basis, struct finding *f);

/* Adds which routers answer on the way to a server that does not, if a ladder has shown it. */
void finding_reach(const struct finding_view *view, struct finding *f);

#define SECOND_ADDRESS "Name a server with two addresses that follows RFC 5780, such as natprobed."
