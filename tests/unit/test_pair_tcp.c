// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Plans for two sides over TCP: each pair of kinds as a table, then budgets, unknown values and words. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/pair_tcp_rules.h"

#define LENGTH(a)      (sizeof(a) / sizeof(*(a)))

#define EIM	       .status = PATH_OK, .nat = TRI_YES, .mapping = DEPENDENCE_ENDPOINT_INDEPENDENT
#define APDM	       .status = PATH_OK, .nat = TRI_YES, .mapping = DEPENDENCE_ADDRESS_AND_PORT
#define EIF	       .filtering = DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADF	       .filtering = DEPENDENCE_ADDRESS
#define APDF	       .filtering = DEPENDENCE_ADDRESS_AND_PORT
#define SILENT	       .early = EARLY_SYN_SILENT
#define RST	       .early = EARLY_SYN_RST
#define REMAP	       .early = EARLY_SYN_REMAP
#define PASSES	       .simultaneous = TRI_YES
#define STRICT	       .simultaneous = TRI_NO
#define BAND(from, to) .allocation = ALLOCATION_BAND, .low = (from), .high = (to)

enum kind { ED, ER, EI, E6, SQ, SB, SR, LS, KINDS };

/* clang-format off */
static const struct pair_tcp_side kinds[KINDS] = {
	[ED] = {EIM, APDF, SILENT, PASSES},
	[ER] = {EIM, APDF, RST, PASSES},
	[EI] = {EIM, APDF, .early = EARLY_SYN_ICMP, PASSES},
	[E6] = {EIM, APDF, .early = EARLY_SYN_LATE, PASSES},
	[SQ] = {APDM, APDF, SILENT, PASSES, .allocation = ALLOCATION_SEQUENTIAL, .step = 1},
	[SB] = {APDM, APDF, SILENT, PASSES, BAND(20000, 20250)},
	[SR] = {APDM, APDF, SILENT, PASSES, .allocation = ALLOCATION_RANDOM},
	[LS] = {EIM, APDF, SILENT, STRICT},
};
/* clang-format on */

static const char *const names[KINDS] = {"ED", "ER", "EI", "E6", "SQ", "SB", "SR", "LS"};

/* Advice that keeps all rules, and is mirrored for the sides exchanged. */
static struct pair_tcp_advice advise_over(
	enum family family, const struct pair_tcp_side *a, const struct pair_tcp_side *b)
{
	const struct pair_tcp_side sides[2] = {*a, *b}, mirrored[2] = {*b, *a};
	struct pair_tcp_advice out, other;
	const char *broken;

	pair_tcp_advise(sides, family, &out);
	pair_tcp_advise(mirrored, family, &other);
	broken = rule_broken_by_tcp(&out, sides);
	if (!broken)
		broken = rule_broken_by_tcp_mirror(&out, &other, rule_same_tcp_side(a, b));
	if (broken)
		fail_msg("%s", broken);
	return out;
}

static struct pair_tcp_advice advise(const struct pair_tcp_side *a, const struct pair_tcp_side *b)
{
	return advise_over(FAMILY_IPV4, a, b);
}

/* --- advice as a line --- */

/*
 * "4x1K", "1x24S", "2nd", "ttl2" of the first SYN, "deaf" to ICMP, "again" for another try, "listens" also or "only"; ""
 * for one connect() alone.
 */
static void print_role(const struct pair_tcp_role *r, char *out, size_t size)
{
	static const char targets[] = {[PAIR_KNOWN] = 'K',
		[PAIR_SEQUENCE] = 'S',
		[PAIR_BAND] = 'B',
		[PAIR_PRESERVED] = 'P'};
	char ports[32] = "", ttl[16] = "";

	if (r->connects && (r->aim.sockets != 1 || r->aim.guesses != 1))
		snprintf(ports, sizeof(ports), " %ux%u%c", r->aim.sockets, r->aim.guesses,
			targets[r->aim.targets]);
	if (r->aim.low_ttl)
		snprintf(ttl, sizeof(ttl), " ttl%u", r->aim.low_ttl);
	snprintf(out, size, "%s%s%s%s%s%s%s%s", ports,
		r->connects ? r->listens ? " listens" : "" : " only", r->aside ? " aside" : "",
		r->aim.second ? " 2nd" : "", ttl, r->unheeding ? " deaf" : "",
		r->retry_high_us ? " again" : "", r->aim.fresh ? " new" : "");
}

/* "prediction 85: 1x24S | 4x1K; …", or why not. */
static void print(const struct pair_tcp_advice *a, char *out, size_t size)
{
	size_t length = 0;

	snprintf(out, size, "%s", a->why_not);
	for (size_t i = 0; i < a->count && length < size; i++) {
		const struct pair_tcp_plan *p = &a->plans[i];
		char role[2][64];

		print_role(&p->role[0], role[0], sizeof(role[0]));
		print_role(&p->role[1], role[1], sizeof(role[1]));
		length += (size_t)snprintf(out + length, size - length, "%s%s %.0f%s%s%s%s",
			i ? "; " : "", pair_tcp_strategy_name(p->strategy), 100 * p->chance,
			role[0][0] || role[1][0] ? ":" : "", role[0],
			role[0][0] || role[1][0] ? " |" : "", role[1]);
	}
}

static void expect(const char *what, const struct pair_tcp_side *a, const struct pair_tcp_side *b,
	const char *expected)
{
	struct pair_tcp_advice advice = advise(a, b);
	char line[1024];

	print(&advice, line, sizeof(line));
	if (strcmp(line, expected))
		fail_msg("%s:\n got      %s\n expected %s", what, line, expected);
}

/* --- the matrix --- */

#define AGAIN  "; jittered 24: again | again"
#define NEW    "; jittered 23: again new | again new"
#define DEEPER "; ordered 48: ttl5 again new | 2nd again new"
#define REFUSED                                                                           \
	"a port has to be guessed, and a connection that is refused cannot wait for the " \
	"other side's guess: UDP, or a relay, is left"
#define NEITHER                                                                                   \
	"neither NAT lets in a SYN, whatever has gone out, so neither side can be connected to: " \
	"UDP, a port mapping, or a relay, is left"

/* Of the two, the first is never the later kind; advise() looks at the exchanged pair. */
static const struct {
	enum kind a, b;
	const char *expected;
} matrix[] = {
	{ED, ED, "simultaneous 97" AGAIN},
	{ED, ER, "ordered 95: 2nd again |" AGAIN},
	{ED, EI, "ordered 95: 2nd again |" AGAIN},
	{ED, E6, "simultaneous 97" AGAIN},
	{ED, SQ, "prediction 85: 1x24S | 4x1K; prediction 40: 1x96S | 16x1K"},
	{ED, SB, "band 96: 1x14B | 63x1K"},
	{ED, SR,
		"one side's port has to be guessed: 98 % takes 1024 and 256 "
		"half-open connections, 11 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{ED, LS, "ordered 57: | 2nd" AGAIN},
	{ER, ER, "ordered 90: ttl2 again | 2nd again" DEEPER NEW},
	{ER, EI, "ordered 93: deaf again | 2nd again" NEW},
	{ER, E6, "ordered 95: | 2nd again" AGAIN},
	{ER, SQ, "prediction 83: 1x24S | 4x1K 2nd; prediction 39: 1x96S | 16x1K 2nd"},
	{ER, SB, "band 94: 1x14B | 63x1K 2nd"},
	{ER, SR,
		"one side's port has to be guessed: 98 % takes 1024 and 256 "
		"half-open connections, 13 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{ER, LS, "ordered 57: | 2nd again" AGAIN},
	{EI, EI, "ordered 93: deaf again | 2nd again" NEW},
	{EI, E6, "ordered 95: | 2nd again" AGAIN},
	{EI, SQ, "prediction 83: 1x24S | 4x1K 2nd; prediction 39: 1x96S | 16x1K 2nd"},
	{EI, SB, "band 94: 1x14B | 63x1K 2nd"},
	{EI, SR,
		"one side's port has to be guessed: 98 % takes 1024 and 256 "
		"half-open connections, 13 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{EI, LS, "ordered 57: | 2nd again" AGAIN},
	{E6, E6, "simultaneous 97" AGAIN},
	{E6, SQ, "prediction 85: 1x24S | 4x1K; prediction 40: 1x96S | 16x1K"},
	{E6, SB, "band 96: 1x14B | 63x1K"},
	{E6, SR,
		"one side's port has to be guessed: 98 % takes 1024 and 256 "
		"half-open connections, 11 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{E6, LS, "ordered 57: | 2nd" AGAIN},
	{SQ, SQ, "prediction 60: 24x24S | 24x24S; prediction 30: 64x64S | 64x64S"},
	{SQ, SB,
		"both ports have to be guessed: 95 % takes 64 and 768 half-open "
		"connections, 8 s at 100 a second; the budgets allow 512 and 512 "
		"in a minute: UDP, or a relay, is left"},
	{SQ, SR,
		"both ports have to be guessed: 95 % takes 64 and 193280 half-open "
		"connections, 1933 s at 100 a second; the budgets allow 512 and "
		"512 in a minute: UDP, or a relay, is left"},
	{SQ, LS, "prediction 50: 4x1K | 1x24S 2nd; prediction 24: 16x1K | 1x96S 2nd"},
	{SB, SB, "both-hard 92: 2x434B | 2x434B"},
	{SB, SR,
		"both ports have to be guessed: 95 % takes 6964 and 6964 half-open "
		"connections, 70 s at 100 a second; the budgets allow 512 and 512 "
		"in a minute: UDP, or a relay, is left"},
	{SB, LS, "band 56: 63x1K | 1x14B 2nd"},
	{SR, SR,
		"both ports have to be guessed: 95 % takes 111657 and 111657 "
		"half-open connections, 1117 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{SR, LS,
		"one side's port has to be guessed: 98 % takes 1024 and 256 "
		"half-open connections, 13 s at 100 a second; the budgets allow "
		"512 and 512 in a minute: UDP, or a relay, is left"},
	{LS, LS, NEITHER},
};

static void test_matrix(void **state)
{
	bool seen[KINDS][KINDS] = {{false}};

	(void)state;
	for (size_t i = 0; i < LENGTH(matrix); i++) {
		char what[16];

		snprintf(what, sizeof(what), "%s x %s", names[matrix[i].a], names[matrix[i].b]);
		expect(what, &kinds[matrix[i].a], &kinds[matrix[i].b], matrix[i].expected);
		seen[matrix[i].a][matrix[i].b] = seen[matrix[i].b][matrix[i].a] = true;
	}
	for (int a = 0; a < KINDS; a++)
		for (int b = 0; b < KINDS; b++)
			assert_true(seen[a][b]);
}

/* --- facts that change the plan --- */

static void test_facts(void **state)
{
	static const struct {
		const char *what;
		struct pair_tcp_side a, b;
		const char *expected;
	} rows[] = {
		{"nothing known", {.status = PATH_OK}, {.status = PATH_OK},
			"jittered 52: listens again | listens again; prediction 7: 4x1K "
			"listens new | 1x24S listens new; prediction 7: 1x24S listens new "
			"| 4x1K listens new"},
		{"early SYNs unknown", {EIM, APDF, PASSES}, {EIM, APDF, PASSES},
			"jittered 83: again | again"},
		{"early SYNs unknown, on one side", {EIM, APDF, PASSES},
			{EIM, APDF, SILENT, PASSES},
			"ordered 86: | 2nd again; jittered 24: again new | again"},
		{"early SYNs unknown, refused on the other", {EIM, APDF, PASSES},
			{EIM, APDF, RST, PASSES},
			"ordered 86: 2nd again | again; jittered 24: again new | again"},
		{"simultaneous open unknown", {EIM, APDF, SILENT}, {EIM, APDF, SILENT, PASSES},
			"simultaneous 87" AGAIN},
		{"filtering unknown", {EIM, SILENT, PASSES}, {EIM, APDF, SILENT, PASSES},
			"simultaneous 97: listens |; jittered 24: listens again | again"},
		{"silent for 6 s, apart by less",
			{EIM, APDF, .early = EARLY_SYN_LATE, PASSES, .sync_error_us = 2600000},
			{EIM, APDF, SILENT, PASSES, .sync_error_us = 3000000},
			"simultaneous 97" AGAIN},
		{"silent for 6 s, apart by more",
			{EIM, APDF, .early = EARLY_SYN_LATE, PASSES, .sync_error_us = 2700000},
			{EIM, APDF, SILENT, PASSES, .sync_error_us = 3000000},
			"ordered 95: | 2nd again" AGAIN},
		{"silent for 6 s, both, apart by more",
			{EIM, APDF, .early = EARLY_SYN_LATE, PASSES, .sync_error_us = 2700000},
			{EIM, APDF, .early = EARLY_SYN_LATE, PASSES, .sync_error_us = 3000000},
			"ordered 93: deaf again | 2nd again" NEW},
		{"a SYN moves the port", {EIM, APDF, REMAP, PASSES}, {EIM, APDF, SILENT, PASSES},
			"ordered 95: | 2nd again; jittered 24: again new | again"},
		{"SYNs move both ports", {EIM, APDF, REMAP, PASSES}, {EIM, APDF, REMAP, PASSES},
			"ordered 90: ttl2 again | 2nd again" DEEPER "; simultaneous 7: new | new"},
		{"SYNs move both ports, in the same moment",
			{EIM, APDF, REMAP, PASSES, .sync_error_us = 10000},
			{EIM, APDF, REMAP, PASSES, .sync_error_us = 10000},
			"ordered 90: ttl2 again | 2nd again" DEEPER "; simultaneous 15: new | new"},
		{"a SYN moves the port, the other refuses", {EIM, APDF, REMAP, PASSES},
			{EIM, APDF, RST, PASSES},
			"ordered 90: 2nd again | ttl2 again; ordered 48: 2nd again new | "
			"ttl5 again new; simultaneous 7: new | new"},
		{"a SYN moves the port, the other refuses by ICMP", {EIM, APDF, REMAP, PASSES},
			{EIM, APDF, .early = EARLY_SYN_ICMP, PASSES},
			"ordered 93: deaf again | 2nd again; simultaneous 7: new | new"},
		{"no NAT, no firewall", {.status = PATH_OK, .nat = TRI_NO, EIF},
			{APDM, APDF, RST, STRICT, .allocation = ALLOCATION_RANDOM},
			"direct 99: only | again"},
		{"both open", {EIM, EIF}, {.status = PATH_OK, .nat = TRI_NO, EIF},
			"direct 99: listens again | only; simultaneous 25: listens | "
			"listens"},
		{"open, and an ordinary NAT", {EIM, EIF, PASSES}, {EIM, APDF, SILENT, PASSES},
			"direct 99: only | again; simultaneous 25: listens |"},
		{"open, and one that refuses", {EIM, EIF, PASSES}, {EIM, APDF, RST, PASSES},
			"direct 99: only | again; ordered 24: listens 2nd again |"},
		{"no NAT, but a firewall", {.status = PATH_OK, .nat = TRI_NO, APDF, SILENT, PASSES},
			{EIM, APDF, SILENT, PASSES}, "simultaneous 97" AGAIN},
		{"random, but open to all", {APDM, EIF, .allocation = ALLOCATION_RANDOM},
			{EIM, APDF, SILENT, PASSES}, "direct 90: only | again"},
		{"open to addresses", {EIM, ADF, SILENT, PASSES}, {EIM, APDF, SILENT, PASSES},
			"simultaneous 97: listens |; jittered 24: listens again | again"},
		{"open to addresses, a random peer", {EIM, ADF, SILENT, PASSES},
			{APDM, APDF, SILENT, PASSES, .allocation = ALLOCATION_RANDOM},
			"ordered 95: listens | 2nd"},
		{"open to addresses, a random peer, both refuse", {EIM, ADF, RST, PASSES},
			{APDM, APDF, RST, PASSES, .allocation = ALLOCATION_RANDOM},
			"ordered 90: listens again | 2nd again"},
		{"open to addresses, strict", {EIM, ADF, SILENT, STRICT},
			{EIM, APDF, SILENT, STRICT}, "ordered 95: listens aside | 2nd"},
		{"open to addresses, mapping unknown, a random peer",
			{.status = PATH_OK, ADF, SILENT, PASSES},
			{APDM, APDF, SILENT, PASSES, .allocation = ALLOCATION_RANDOM},
			"ordered 67: listens | 2nd"},
		{"strict, and it refuses", {EIM, APDF, RST, STRICT}, {EIM, APDF, SILENT, PASSES},
			"ordered 54: 2nd | ttl2 again; ordered 29: 2nd new | ttl5 again "
			"new; jittered 14: again new | again new"},
		{"strict, and it refuses by ICMP", {EIM, APDF, .early = EARLY_SYN_ICMP, STRICT},
			{EIM, APDF, SILENT, PASSES},
			"ordered 56: 2nd | deaf again; jittered 14: again new | again new"},
		{"strict, and nothing known of its answers", {EIM, APDF, STRICT},
			{EIM, APDF, RST, PASSES},
			"ordered 51: 2nd again | again; jittered 24: again new | again"},
		{"strict, and its ports are a band", {APDM, APDF, SILENT, STRICT, BAND(2000, 2255)},
			{EIM, APDF, RST, PASSES}, "band 56: 65x1K 2nd | 1x13B"},
		{"strict, refuses, and its ports are a band",
			{APDM, APDF, RST, STRICT, BAND(2000, 2255)}, {EIM, APDF, SILENT, PASSES},
			REFUSED},
		{"a band, and both are strict", {APDM, APDF, SILENT, STRICT, BAND(2000, 2255)},
			{EIM, APDF, SILENT, STRICT}, NEITHER},
		{"a band that refuses", {APDM, APDF, RST, PASSES, BAND(2000, 2255)},
			{EIM, APDF, SILENT, PASSES}, "band 93: 65x1K | 1x13B 2nd"},
		{"a band, and both refuse", {APDM, APDF, RST, PASSES, BAND(2000, 2255)},
			{EIM, APDF, RST, PASSES}, REFUSED},
		{"a band, nothing known of early SYNs", {APDM, APDF, PASSES, BAND(2000, 2255)},
			{EIM, APDF, PASSES}, "band 77: 65x1K | 1x13B"},
		{"two bands, one refuses", {APDM, APDF, RST, PASSES, BAND(2000, 2255)},
			{APDM, APDF, SILENT, PASSES, BAND(2000, 2255)},
			"both-hard 90: 2x443B | 2x443B 2nd"},
		{"two bands, both refuse", {APDM, APDF, RST, PASSES, BAND(2000, 2255)},
			{APDM, APDF, RST, PASSES, BAND(2000, 2255)}, REFUSED},
		{"a carrier's block", {APDM, APDF, SILENT, PASSES, BAND(2016, 4031)},
			{EIM, APDF, SILENT, PASSES}, "band 95: 64x1K | 1x118B"},
		{"two carrier's blocks", {APDM, APDF, SILENT, PASSES, BAND(2016, 4031)},
			{APDM, APDF, SILENT, PASSES, BAND(2016, 4031)},
			"both ports have to be guessed: 95 % takes 3489 and 3489 half-open "
			"connections, 35 s at 100 a second; the budgets allow 512 and 512 "
			"in a minute: UDP, or a relay, is left"},
		{"a tiny block", {APDM, APDF, SILENT, PASSES, BAND(2016, 2017)},
			{EIM, APDF, SILENT, PASSES}, "band 97: | 1x2B"},
		{"a wide band", {APDM, APDF, SILENT, PASSES, BAND(32768, 60999)},
			{EIM, APDF, SILENT, PASSES}, "birthday 96: 256x1K | 1x512B"},
		{"a sequence that refuses",
			{APDM, APDF, RST, PASSES, .allocation = ALLOCATION_SEQUENTIAL, .step = 2},
			{EIM, APDF, SILENT, PASSES},
			"prediction 83: 4x1K | 1x24S 2nd; prediction 39: 16x1K | 1x96S 2nd"},
		{"a sequence, and both refuse",
			{APDM, APDF, RST, PASSES, .allocation = ALLOCATION_SEQUENTIAL},
			{EIM, APDF, RST, PASSES},
			"prediction 26: 4x1K | 1x24S; prediction 12: 16x1K new | 1x96S new"},
		{"a sequence, both refuse, in the same moment",
			{APDM, APDF, RST, PASSES, .allocation = ALLOCATION_SEQUENTIAL,
				.sync_error_us = 9000},
			{EIM, APDF, RST, PASSES, .sync_error_us = 9000},
			"prediction 51: 4x1K | 1x24S; prediction 24: 16x1K new | 1x96S new"},
		{"a sequence, and both are strict",
			{APDM, APDF, SILENT, STRICT, .allocation = ALLOCATION_SEQUENTIAL},
			{EIM, APDF, SILENT, STRICT}, NEITHER},
		{"a sequence that is strict and refuses",
			{APDM, APDF, RST, STRICT, .allocation = ALLOCATION_SEQUENTIAL},
			{EIM, APDF, SILENT, PASSES}, REFUSED},
		{"open and strict", {EIM, EIF, STRICT}, {EIM, APDF, SILENT, PASSES},
			"direct 99: only | again; ordered 24: listens 2nd |"},
		{"open, and both strict", {EIM, EIF, STRICT}, {EIM, APDF, SILENT, STRICT},
			"direct 99: only | again"},
		{"mostly preserving",
			{APDM, APDF, SILENT, PASSES, .allocation = ALLOCATION_PRESERVING},
			{EIM, APDF, SILENT, PASSES}, "prediction 70: 4x1K | 1x4P"},
		{"ports sometimes kept, allocation unknown",
			{APDM, APDF, SILENT, PASSES, .preservation = SHARE_SOMETIMES},
			{EIM, APDF, RST, PASSES}, "prediction 69: 4x1K 2nd | 1x4P"},
		{"ports never kept, allocation unknown",
			{APDM, APDF, SILENT, PASSES, .preservation = SHARE_NEVER},
			{EIM, APDF, SILENT, PASSES}, "prediction 20: 4x1K | 1x24S"},
		{"ports always kept, mapping unknown",
			{.status = PATH_OK, APDF, SILENT, PASSES, .preservation = SHARE_ALWAYS},
			{EIM, APDF, SILENT, PASSES},
			"simultaneous 68; jittered 17: again | again; prediction 35: 4x1K "
			"| 1x4P"},
		{"both allocations unknown", {APDM, APDF, SILENT, PASSES},
			{APDM, APDF, SILENT, PASSES}, "prediction 10: 24x24S | 24x24S"},
		{"mapping unknown", {.status = PATH_OK, APDF, SILENT, PASSES},
			{EIM, APDF, SILENT, PASSES},
			"simultaneous 68; jittered 17: again | again; prediction 10: 4x1K "
			"| 1x24S"},
		{"mapping unknown, and a band", {.status = PATH_OK, APDF, SILENT, PASSES},
			{APDM, APDF, SILENT, PASSES, BAND(2000, 2255)}, "band 48: 1x13B | 65x1K"},
		{"blocked", {.status = PATH_BLOCKED}, {EIM, EIF},
			"TCP is blocked on one side: UDP, or a relay, is left"},
		{"both blocked", {.status = PATH_BLOCKED}, {.status = PATH_BLOCKED},
			"TCP is blocked on both sides: UDP, or a relay, is left"},
		{"not tested", {.status = PATH_UNTESTED}, {EIM, EIF},
			"direct 99: listens again | only; ordered 24: listens new | "
			"listens 2nd again"},
		{"unheard, and open to all", {.status = PATH_UNREACHABLE}, {EIM, EIF},
			"direct 20: listens again | only; ordered 5: listens new | listens "
			"2nd again"},
		{"unheard, and an ordinary NAT", {.status = PATH_UNREACHABLE},
			{EIM, APDF, SILENT, PASSES},
			"ordered 15: listens | 2nd again; jittered 5: listens again new | "
			"again"},
		{"unheard, and random", {.status = PATH_UNREACHABLE},
			{APDM, APDF, SILENT, .allocation = ALLOCATION_RANDOM},
			"there is no endpoint to connect to, and none can be guessed: UDP, "
			"or a relay, is left"},
		{"both unheard", {.status = PATH_UNREACHABLE}, {.status = PATH_UNREACHABLE},
			"no server has answered either side over TCP, so there is no "
			"endpoint to connect to: UDP, or a relay, is left"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(rows[i].what, &rows[i].a, &rows[i].b, rows[i].expected);
}

/* Over IPv6 each ICMP error ends an attempt, and so nothing can be hidden. */
static void test_ipv6(void **state)
{
	const struct pair_tcp_side *refusing[] = {&kinds[ER], &kinds[EI]};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct pair_tcp_advice a =
			advise_over(FAMILY_IPV6, refusing[i % 2], refusing[i / 2]);
		char line[1024];

		print(&a, line, sizeof(line));
		assert_string_equal(line, "jittered 90: again | again");
		assert_string_equal(a.plans[0].why,
			"both NATs refuse a SYN that comes too early: both try again until one "
			"gets through, after a RST, which closes a hole, at random times");
	}
}

/* --- budgets --- */

static void test_budgets(void **state)
{
	static const struct {
		const char *what;
		enum kind a, b;
		uint16_t connections;
		uint32_t rate;
		const char *expected;
	} rows[] = {
		{"many for a random port", ED, SR, 1280, 0, "birthday 95: 1x1024B | 256x1K"},
		{"too few for a random port", ED, SR, 700, 0, "birthday 91: 1x700B | 256x1K"},
		{"many, the other refuses", ER, SR, 1280, 0, "birthday 93: 1x1024B | 256x1K 2nd"},
		{"many, but slow", ED, SR, 1280, 10,
			"one side's port has to be guessed: 98 % takes 1024 and 256 "
			"half-open connections, 103 s at 10 a second; the budgets allow "
			"1280 and 1280 in a minute: UDP, or a relay, is left"},
		{"few for a band", ED, SB, 20, 0,
			"one side's port has to be guessed: 98 % takes 14 and 63 half-open "
			"connections, 1 s at 100 a second; the budgets allow 20 and 20 in "
			"a minute: UDP, or a relay, is left"},
		{"too few for a band", ED, SB, 10, 0,
			"one side's port has to be guessed: 98 % takes 14 and 63 half-open "
			"connections, 1 s at 100 a second; the budgets allow 10 and 10 in "
			"a minute: UDP, or a relay, is left"},
		{"one for a sequence", ED, SQ, 1, 0, "prediction 85"},
		{"too few for two bands", SB, SB, 300, 0,
			"both ports have to be guessed: 95 % takes 434 and 434 half-open "
			"connections, 5 s at 100 a second; the budgets allow 300 and 300 "
			"in a minute: UDP, or a relay, is left"},
		{"fewer for two bands", SB, SB, 330, 0, "both-hard 80: 2x330B | 2x330B"},
		{"slow for two bands", SB, SB, 0, 10, "both-hard 92: 2x434B | 2x434B"},
		{"too slow for two bands", SB, SB, 0, 5,
			"both ports have to be guessed: 95 % takes 434 and 434 half-open "
			"connections, 87 s at 5 a second; the budgets allow 512 and 512 in "
			"a minute: UDP, or a relay, is left"},
		{"more for a sequence and a band", SQ, SB, 800, 0,
			"both-hard 79: 64x64B | 12x768S"},
		{"most for a band and random", SB, SR, UINT16_MAX, 1000,
			"both-hard 92: 2x6964B | 28x6964B"},
		{"most for both random", SR, SR, UINT16_MAX, PAIR_MANY,
			"both ports have to be guessed: 95 % takes 111657 and 111657 "
			"half-open connections, 1 s at 1000000 a second; the budgets allow "
			"65535 and 65535 in a minute: UDP, or a relay, is left"},
		{"slow tries", ER, ER, 0, 2, "ordered 90: ttl2 again | 2nd again" DEEPER NEW},
		{"most of all", ER, SQ, UINT16_MAX, PAIR_MANY,
			"prediction 83: 1x24S | 4x1K 2nd; prediction 39: 1x96S | 16x1K "
			"2nd; birthday 93: 1x1024B | 256x1K 2nd"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_tcp_side a = kinds[rows[i].a], b = kinds[rows[i].b];

		a.connections_max = b.connections_max = rows[i].connections;
		a.rate_cps = b.rate_cps = rows[i].rate;
		expect(rows[i].what, &a, &b, rows[i].expected);
	}
}

/* --- times --- */

static void test_give_up(void **state)
{
	static const struct {
		enum kind a, b;
		uint32_t a_us, b_us, give_up_us;
	} rows[] = {
		{ED, ED, 0, 0, 11600000}, /* not known: 1.6 s */
		{ED, ED, 20000, 30000, 10400000}, {ED, ED, 4000000, 7000000, 20000000},
		{ED, ER, 20000, 30000, 11000000}, /* until the other has been told */
		{ER, ER, 20000, 30000, 5000000}, /* it is quick, or nothing */
		{EI, EI, 20000, 30000, 5000000},
		{SB, SB, 20000, 30000, 14740000}, /* 434 at 100 a second */
		{ER, SB, 20000, 30000, 11770000}, /* 14, and then 63 */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_tcp_side a = kinds[rows[i].a], b = kinds[rows[i].b];
		struct pair_tcp_advice advice;

		a.sync_error_us = rows[i].a_us;
		b.sync_error_us = rows[i].b_us;
		advice = advise(&a, &b);
		assert_int_equal(advice.plans[0].give_up_us, rows[i].give_up_us);
	}
}

/* 5 to 100 ms, and slower only if the rate, which the slower side sets, asks for it. */
static void test_retry(void **state)
{
	static const struct {
		uint32_t a_cps, b_cps, high_us;
		unsigned tries;
	} rows[] = {
		{0, 0, 100000, 221},
		{20, 1000, 100000, 221},
		{10, 0, 200000, 114},
		{0, 1, 2000000, 12},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_tcp_side a = kinds[ER], b = kinds[EI];
		const struct pair_tcp_role *r;
		struct pair_tcp_advice advice;

		a.rate_cps = rows[i].a_cps;
		b.rate_cps = rows[i].b_cps;
		advice = advise(&a, &b);
		assert_int_equal(advice.count, 2);
		assert_int_equal(advice.plans[1].strategy, PAIR_TCP_JITTERED);
		for (r = advice.plans[1].role; r < advice.plans[1].role + 2; r++) {
			assert_int_equal(r->retry_low_us, 5000);
			assert_int_equal(r->retry_high_us, rows[i].high_us);
			assert_int_equal(r->aim.packets, rows[i].tries);
		}
	}
}

/* --- all values --- */

/* Each combination of a few budgets and sync errors with each pair: advise() checks the rules. */
static void test_all_budgets(void **state)
{
	static const uint32_t many[] = {0, 1, 2, 25, 300, 70000, UINT32_MAX};
	static const uint16_t connections[] = {0, 1, 3, 700, 65535};

	(void)state;
	for (int k = 0; k < KINDS * KINDS; k++) {
		for (size_t i = 0; i < LENGTH(many) * LENGTH(many) * LENGTH(connections); i++) {
			struct pair_tcp_side a = kinds[k % KINDS], b = kinds[k / KINDS];

			a.rate_cps = many[i % LENGTH(many)];
			b.sync_error_us = a.sync_error_us = many[i / LENGTH(many) % LENGTH(many)];
			b.connections_max = connections[i / LENGTH(many) / LENGTH(many)];
			advise(&a, &b);
		}
	}
}

#define STATUSES    (PATH_UNREACHABLE + 1)
#define TRIS	    (TRI_YES + 1)
#define DEPENDENCES (DEPENDENCE_PORT + 1)
#define EARLIES	    (EARLY_SYN_REMAP + 1)
#define ALLOCATIONS (ALLOCATION_RANDOM + 1)
#define SHARES	    (SHARE_NEVER + 1)
#define FIRST	    (EARLIES * TRIS * DEPENDENCES)
#define BEHAVIOURS  (FIRST * DEPENDENCES * ALLOCATIONS)
#define ALL	    (BEHAVIOURS * SHARES * TRIS * STATUSES)

static struct pair_tcp_side side_number(unsigned n)
{
	struct pair_tcp_side s = {.early = n % EARLIES};

	n /= EARLIES;
	s.simultaneous = n % TRIS;
	n /= TRIS;
	s.mapping = n % DEPENDENCES;
	n /= DEPENDENCES;
	s.filtering = n % DEPENDENCES;
	n /= DEPENDENCES;
	s.allocation = n % ALLOCATIONS;
	n /= ALLOCATIONS;
	s.preservation = n % SHARES;
	n /= SHARES;
	s.nat = n % TRIS;
	n /= TRIS;
	s.status = (n + PATH_OK) % STATUSES;
	return s;
}

/* Whatever two sides know or do not know: those of one mapping, early SYNs and simultaneous open with all … */
static void test_all_behaviours(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIRST; i++) {
		for (unsigned k = i; k < BEHAVIOURS; k += 1 + k / FIRST) {
			struct pair_tcp_side a = side_number(i), b = side_number(k);
			struct pair_tcp_advice advice = advise(&a, &b);

			if (a.mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT &&
				b.mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT &&
				a.simultaneous != TRI_NO)
				assert_true(advice.count); /* what may be easy is tried */
		}
	}
}

/* … and all of them, with all statuses, with each kind. */
static void test_all_statuses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ALL; i += 7) { /* which divides none of the numbers of values */
		struct pair_tcp_side a = side_number(i);

		for (int k = 0; k < KINDS; k++)
			advise(&a, &kinds[k]);
	}
}

/* --- words --- */

static void test_words(void **state)
{
	static const struct {
		enum kind a, b;
		const char *why, *cost;
	} rows[] = {
		{ED, ED,
			"both NATs drop a SYN that comes too early in silence, so each side "
			"connects once and waits: the later SYN opens the connection",
			""},
		{ED, ER,
			"one side's NAT refuses a SYN that comes too early, which ends the "
			"other's attempt, so that side connects first and the other waits "
			"until it has",
			""},
		{ED, LS,
			"one side's NAT lets in no SYN, but the answer to its own, so the other "
			"side connects first: its NAT is open when that SYN comes",
			""},
		{ER, ER,
			"both NATs refuse a SYN that comes too early, so one side's first ends on "
			"the way, where nobody refuses it, and then the other side connects",
			""},
		{ER, EI,
			"both NATs refuse a SYN that comes too early, one by ICMP, which closes no "
			"hole: the other side connects first, and waits all the same",
			""},
		{ED, SQ,
			"one side's NAT shows each peer another port, but new ports follow each "
			"other, so the other connects to the next ones",
			""},
		{ED, SB,
			"one side's port is one of 251: it connects from several ports of its "
			"own, and the other to several of these, so that two fit",
			""},
		{SB, SB,
			"both NATs show each peer another port, but there are few enough pairs "
			"of ports to meet in one by chance",
			"both-hard, 434 candidates from 2 ports on each side, 92 %, about 4 s, "
			"about 870 entries in the routers"},
	};
	struct pair_tcp_side rich = kinds[SR];
	struct pair_tcp_advice a;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		a = advise(&kinds[rows[i].a], &kinds[rows[i].b]);
		assert_true(a.count);
		assert_string_equal(a.plans[0].why, rows[i].why);
		assert_string_equal(a.plans[0].cost, rows[i].cost);
	}
	rich.connections_max = 2000;
	a = advise(&rich, &(struct pair_tcp_side){EIM, APDF, SILENT, .connections_max = 2000});
	assert_string_equal(a.plans[0].cost,
		"birthday, 256 ports x 1024 candidates, 86 %, about 10 s, about 1300 entries in "
		"the routers");
}

static void test_names(void **state)
{
	static const char *const expected[] = {"direct", "simultaneous", "ordered", "jittered",
		"prediction", "band", "birthday", "both-hard", "unknown"};

	(void)state;
	for (int i = 0; i <= PAIR_TCP_STRATEGIES; i++)
		assert_string_equal(pair_tcp_strategy_name((enum pair_tcp_strategy)i), expected[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_all_budgets),
		cmocka_unit_test(test_all_behaviours),
		cmocka_unit_test(test_all_statuses),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
