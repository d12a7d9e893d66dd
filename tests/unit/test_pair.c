// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Plans for two sides: each pair of kinds as a table, then budgets, unknown values and words. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/pair_rules.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

#define EIM	  .status = PATH_OK, .nat = TRI_YES, .mapping = DEPENDENCE_ENDPOINT_INDEPENDENT
#define APDM	  .status = PATH_OK, .nat = TRI_YES, .mapping = DEPENDENCE_ADDRESS_AND_PORT
#define EIF	  .filtering = DEPENDENCE_ENDPOINT_INDEPENDENT
#define ADF	  .filtering = DEPENDENCE_ADDRESS
#define APDF	  .filtering = DEPENDENCE_ADDRESS_AND_PORT

enum kind { FC, RC, PR, PX, SQ, SB, SR, BL, KINDS };

/* clang-format off */
static const struct pair_side kinds[KINDS] = {
	[FC] = {EIM, EIF, .early = EARLY_DELIVERED},
	[RC] = {EIM, ADF, .early = EARLY_SILENT},
	[PR] = {EIM, APDF, .early = EARLY_SILENT},
	[PX] = {EIM, APDF, .early = EARLY_REMAP},
	[SQ] = {APDM, APDF, .allocation = ALLOCATION_SEQUENTIAL, .step = 1},
	[SB] = {APDM, APDF, .allocation = ALLOCATION_BAND, .low = 20000, .high = 20250},
	[SR] = {APDM, APDF, .allocation = ALLOCATION_RANDOM},
	[BL] = {.status = PATH_BLOCKED},
};
/* clang-format on */

static const char *const names[KINDS] = {"FC", "RC", "PR", "PX", "SQ", "SB", "SR", "BL"};

/* Advice that keeps all rules, and is mirrored for the sides exchanged. */
static struct pair_advice advise(const struct pair_side *a, const struct pair_side *b)
{
	const struct pair_side sides[2] = {*a, *b}, mirrored[2] = {*b, *a};
	struct pair_advice out, other;
	const char *broken;

	pair_advise(sides, &out);
	pair_advise(mirrored, &other);
	broken = rule_broken_by(&out, sides);
	if (!broken)
		broken = rule_broken_by_mirror(&out, &other, rule_same_side(a, b));
	if (broken)
		fail_msg("%s", broken);
	return out;
}

/* --- advice as a line --- */

/* "1x24S" with " 2nd" and ":3" for a low TTL; "" for one packet to the known endpoint. */
static void print_role(const struct pair_role *r, char *out, size_t size)
{
	static const char targets[] = {[PAIR_KNOWN] = 'K',
		[PAIR_SEQUENCE] = 'S',
		[PAIR_BAND] = 'B',
		[PAIR_PRESERVED] = 'P'};
	char sockets[32] = "", ttl[8] = "";

	if (r->sockets != 1 || r->guesses != 1)
		snprintf(sockets, sizeof(sockets), " %ux%u%c", r->sockets, r->guesses,
			targets[r->targets]);
	if (r->low_ttl)
		snprintf(ttl, sizeof(ttl), " ttl%u", r->low_ttl);
	snprintf(out, size, "%s%s%s%s", sockets, ttl, r->second ? " 2nd" : "",
		r->fresh ? " new" : "");
}

/* "prediction 85: 4x1K | 1x24S 2nd; …", or why not. */
static void print(const struct pair_advice *a, char *out, size_t size)
{
	size_t length = 0;

	snprintf(out, size, "%s", a->why_not);
	for (size_t i = 0; i < a->count && length < size; i++) {
		const struct pair_plan *p = &a->plans[i];
		char role[2][64];

		print_role(&p->role[0], role[0], sizeof(role[0]));
		print_role(&p->role[1], role[1], sizeof(role[1]));
		length += (size_t)snprintf(out + length, size - length, "%s%s %.0f%s%s%s%s",
			i ? "; " : "", pair_strategy_name(p->strategy), 100 * p->chance,
			role[0][0] || role[1][0] ? ":" : "", role[0],
			role[0][0] || role[1][0] ? " |" : "", role[1]);
	}
}

static void expect(const char *what, const struct pair_side *a, const struct pair_side *b,
	const char *expected)
{
	struct pair_advice advice = advise(a, b);
	char line[1024];

	print(&advice, line, sizeof(line));
	if (strcmp(line, expected))
		fail_msg("%s:\n got      %s\n expected %s", what, line, expected);
}

/* --- the matrix --- */

#define BLOCKED_ONE  "UDP is blocked on one side: a relay, or TCP, is left"
#define BLOCKED_BOTH "UDP is blocked on both sides: a relay, or TCP, is left"

/* Of the two, the first is never the harder one; advise() looks at the exchanged pair. */
static const struct {
	enum kind a, b;
	const char *expected;
} matrix[] = {
	{FC, FC, "direct 99"},
	{FC, RC, "direct 99"},
	{FC, PR, "direct 99"},
	{FC, PX, "direct 99; ordered 25: 2nd | new"},
	{FC, SQ, "direct 99"},
	{FC, SB, "direct 99"},
	{FC, SR, "direct 99"},
	{FC, BL, BLOCKED_ONE},
	{RC, RC, "direct 97; low-ttl 25: ttl3 | ttl3"},
	{RC, PR, "direct 97; low-ttl 25: ttl3 | ttl3"},
	{RC, PX, "direct 97; ordered 25: 2nd | new; low-ttl 25: ttl3 | ttl3 new"},
	{RC, SQ, "direct 97"},
	{RC, SB, "direct 97"},
	{RC, SR, "direct 97"},
	{RC, BL, BLOCKED_ONE},
	{PR, PR, "direct 97; low-ttl 25: ttl3 | ttl3"},
	{PR, PX, "ordered 95: 2nd |; low-ttl 25: ttl3 | ttl3 new; low-ttl 25: ttl5 | ttl5 new"},
	{PR, SQ,
		"prediction 85: 1x24S 2nd | 4x1K; prediction 40: 1x96S 2nd | 16x1K; birthday "
		"98: 1x1024B 2nd | 256x1K"},
	{PR, SB, "birthday 98: 1x14B 2nd | 63x1K"},
	{PR, SR, "birthday 98: 1x1024B 2nd | 256x1K"},
	{PR, BL, BLOCKED_ONE},
	{PX, PX,
		"low-ttl 80: ttl3 | ttl3; low-ttl 50: ttl5 new | ttl5 new; low-ttl 30: ttl8 "
		"new | ttl8 new"},
	{PX, SQ,
		"prediction 85: 1x24S | 4x1K 2nd; prediction 40: 1x96S new | 16x1K 2nd; "
		"birthday 98: 1x1024B 2nd new | 256x1K ttl3; birthday 49: 1x1024B new | 256x1K "
		"2nd"},
	{PX, SB, "birthday 98: 1x14B 2nd | 63x1K ttl3; birthday 49: 1x14B new | 63x1K 2nd"},
	{PX, SR, "birthday 98: 1x1024B 2nd | 256x1K ttl3; birthday 49: 1x1024B new | 256x1K 2nd"},
	{PX, BL, BLOCKED_ONE},
	{SQ, SQ, "prediction 60: 24x24S | 24x24S; prediction 30: 64x64S | 64x64S"},
	{SQ, SB, "both-hard 81: 64x64B | 12x768S"},
	{SQ, SR,
		"both ports of a pair have to be met: the side with random ports would have to "
		"send 193258 packets for 95 %, 1933 s at 100 a second; the budgets allow 2048; "
		"a relay is left"},
	{SQ, BL, BLOCKED_ONE},
	{SB, SB, "both-hard 95: 2x434B | 2x434B"},
	{SB, SR,
		"both ports of a pair have to be met: each side would have to send 6964 "
		"packets for 95 %, 70 s at 100 a second; the budgets allow 2048; a relay is "
		"left"},
	{SB, BL, BLOCKED_ONE},
	{SR, SR,
		"both ports of a pair have to be met: each side would have to send 111657 "
		"packets for 95 %, 1117 s at 100 a second; the budgets allow 2048; a relay is "
		"left"},
	{SR, BL, BLOCKED_ONE},
	{BL, BL, BLOCKED_BOTH},
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

#define UNKNOWN_EARLY     \
	{                 \
		EIM, APDF \
	}

static void test_facts(void **state)
{
	static const struct {
		const char *what;
		struct pair_side a, b;
		const char *expected;
	} rows[] = {
		{"early unknown, apart by an unknown time", {EIM, APDF}, {EIM, APDF},
			"direct 80; low-ttl 80: ttl3 new | ttl3 new; low-ttl 50: ttl5 new | "
			"ttl5 new; low-ttl 30: ttl8 new | ttl8 new"},
		{"early unknown, nearly at once", {EIM, APDF, .sync_error_us = 20000},
			{EIM, APDF, .sync_error_us = 30000},
			"low-ttl 80: ttl3 | ttl3; low-ttl 50: ttl5 new | ttl5 new; low-ttl 30: "
			"ttl8 new | ttl8 new"},
		{"early unknown on one side", {EIM, APDF}, {EIM, APDF, .early = EARLY_REJECT},
			"ordered 95: | 2nd; low-ttl 25: ttl3 new | ttl3; low-ttl 25: ttl5 new "
			"| ttl5"},
		{"early unknown on one side, moves on the other", {EIM, APDF},
			{EIM, APDF, .early = EARLY_REMAP},
			"low-ttl 80: ttl3 | ttl3; ordered 50: 2nd new | new; low-ttl 50: ttl5 "
			"new | ttl5 new; low-ttl 30: ttl8 new | ttl8 new"},
		{"filtering unknown", {EIM}, {EIM, APDF, .early = EARLY_SILENT},
			"ordered 95: | 2nd; low-ttl 25: ttl3 new | ttl3; low-ttl 25: ttl5 new "
			"| ttl5"},
		{"depths known", {EIM, APDF, .early = EARLY_REMAP, .depth = 2},
			{EIM, APDF, .early = EARLY_REMAP, .depth = 4},
			"low-ttl 93: ttl3 | ttl5; low-ttl 25: ttl2 new | ttl4 new"},
		{"one depth known", {EIM, APDF, .early = EARLY_REMAP, .depth = 2},
			{EIM, APDF, .early = EARLY_REMAP},
			"low-ttl 80: ttl3 | ttl3; low-ttl 50: ttl2 new | ttl5 new; low-ttl 30: "
			"ttl3 new | ttl8 new"},
		{"a firewall, no NAT", {.status = PATH_OK, .nat = TRI_NO, APDF},
			{EIM, APDF, .early = EARLY_REMAP},
			"ordered 95: 2nd |; low-ttl 25: ttl3 | ttl3 new; low-ttl 25: ttl5 | "
			"ttl5 new"},
		{"no NAT, no firewall", {.status = PATH_OK, .nat = TRI_NO, EIF},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM}, "direct 99"},
		{"no NAT, filtering unknown", {.status = PATH_OK, .nat = TRI_NO},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"birthday 98: 1x1024B 2nd | 256x1K"},
		{"address filter whose port moves", {EIM, ADF, .early = EARLY_REMAP},
			{EIM, APDF, .early = EARLY_SILENT},
			"ordered 95: | 2nd; low-ttl 25: ttl3 new | ttl3; low-ttl 25: ttl5 new "
			"| ttl5"},
		{"address filters whose ports move", {EIM, ADF, .early = EARLY_REMAP},
			{EIM, ADF, .early = EARLY_REMAP},
			"direct 97; low-ttl 25: ttl3 new | ttl3 new"},
		{"address filter whose port moves, a random peer", {EIM, ADF, .early = EARLY_REMAP},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"ordered 95: | 2nd; low-ttl 25: ttl3 new | ttl3; low-ttl 25: ttl5 new "
			"| ttl5"},
		{"random, but open to all", {APDM, EIF, .allocation = ALLOCATION_RANDOM},
			{EIM, APDF, .early = EARLY_SILENT},
			"direct 90; birthday 98: 256x1K | 1x1024B 2nd"},
		{"both random, but one open to all",
			{APDM, EIF, .allocation = ALLOCATION_BAND, .low = 2000, .high = 2255},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"direct 90; birthday 98: 65x1K | 1x13B 2nd"},
		{"both random, but one open to addresses",
			{.status = PATH_OK,
				.nat = TRI_YES,
				.mapping = DEPENDENCE_ADDRESS,
				ADF,
				.allocation = ALLOCATION_RANDOM},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"birthday 98: 256x1K | 1x1024B 2nd"},
		{"both random and open to addresses: the smaller band",
			{.status = PATH_OK,
				.nat = TRI_YES,
				.mapping = DEPENDENCE_ADDRESS,
				ADF,
				.allocation = ALLOCATION_RANDOM},
			{APDM, ADF, .allocation = ALLOCATION_BAND, .low = 2000, .high = 2255},
			"birthday 98: 1x13B 2nd | 65x1K"},
		{"a wide band", {EIM, APDF, .early = EARLY_SILENT},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 32768, .high = 60999},
			"birthday 99: 1x512B 2nd | 256x1K"},
		{"a carrier's block", {EIM, APDF, .early = EARLY_SILENT},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2016, .high = 4031},
			"birthday 98: 1x118B 2nd | 64x1K"},
		{"a tiny block", {EIM, APDF, .early = EARLY_SILENT},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2016, .high = 2017},
			"birthday 100: 1x2B 2nd |"},
		{"two carrier's blocks",
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2016, .high = 4031},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2016, .high = 4031},
			"both-hard 64: 2x2048B | 2x2048B"},
		{"address-dependent blocks",
			{.status = PATH_OK,
				.mapping = DEPENDENCE_ADDRESS,
				APDF,
				.allocation = ALLOCATION_BAND,
				.low = 2000,
				.high = 2255},
			{.status = PATH_OK,
				.mapping = DEPENDENCE_PORT,
				APDF,
				.allocation = ALLOCATION_BAND,
				.low = 2000,
				.high = 2255},
			"both-hard 95: 64x443B | 64x443B"},
		{"mostly preserving", {EIM, APDF, .early = EARLY_SILENT},
			{APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			"prediction 70: 1x4P 2nd | 4x1K; birthday 98: 1x1024B 2nd | 256x1K"},
		{"mostly preserving, the other moves", {EIM, APDF, .early = EARLY_REMAP},
			{APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			"prediction 70: 1x4P | 4x1K 2nd; birthday 98: 1x1024B 2nd new | 256x1K "
			"ttl3; birthday 49: 1x1024B new | 256x1K 2nd"},
		{"both mostly preserving", {APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			{APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			"prediction 60: 24x24P | 24x24P"},
		{"preserving and sequential", {APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			{APDM, APDF, .allocation = ALLOCATION_SEQUENTIAL, .step = 1},
			"prediction 60: 24x24S | 24x24P; prediction 30: 64x64S | 64x64P"},
		{"preserving and a block", {APDM, APDF, .allocation = ALLOCATION_PRESERVING},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2000, .high = 2255},
			"both-hard 81: 64x64B | 12x768P"},
		{"allocation unknown", {EIM, APDF, .early = EARLY_SILENT}, {APDM, APDF},
			"prediction 20: 1x24S 2nd | 4x1K; birthday 98: 1x1024B 2nd | 256x1K"},
		{"both allocations unknown", {APDM, APDF}, {APDM, APDF},
			"prediction 10: 24x24S | 24x24S"},
		{"allocation unknown, and random", {APDM, APDF},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"both ports of a pair have to be met: each side would have to send "
			"111657 packets for 95 %, 1117 s at 100 a second; the budgets allow "
			"2048; a relay is left"},
		{"mapping unknown", {.status = PATH_OK, APDF, .early = EARLY_SILENT},
			{EIM, APDF, .early = EARLY_SILENT},
			"direct 68; low-ttl 18: ttl3 | ttl3; prediction 10: 4x1K | 1x24S 2nd; "
			"birthday 49: 256x1K | 1x1024B 2nd"},
		{"mapping unknown, open to all", {.status = PATH_OK, EIF},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM},
			"direct 90; birthday 49: 1x1024B 2nd | 256x1K"},
		{"mapping unknown, open to addresses", {.status = PATH_OK, ADF},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2000, .high = 2255},
			"direct 68; birthday 49: 1x13B 2nd | 65x1K"},
		{"mapping unknown, and a block", {.status = PATH_OK, APDF},
			{APDM, APDF, .allocation = ALLOCATION_BAND, .low = 2000, .high = 2255},
			"birthday 49: 1x13B 2nd | 65x1K ttl3; birthday 25: 1x13B new | 65x1K 2nd"},
		{"nothing known", {.status = PATH_OK}, {.status = PATH_OK},
			"direct 56; low-ttl 56: ttl3 new | ttl3 new; prediction 10: 4x1K 2nd "
			"new | 1x24S new; prediction 10: 1x24S new | 4x1K 2nd new; birthday "
			"49: 256x1K ttl3 new | 1x1024B 2nd new; birthday 49: 1x1024B 2nd new | "
			"256x1K ttl3 new"},
		{"not tested", {.status = PATH_UNTESTED}, {EIM, EIF},
			"direct 99; ordered 25: new | 2nd"},
		{"unheard, and open to all", {.status = PATH_UNREACHABLE}, {EIM, EIF}, "direct 20"},
		{"unheard, and random", {.status = PATH_UNREACHABLE},
			{APDM, APDF, .allocation = ALLOCATION_RANDOM}, "ordered 19: | 2nd"},
		{"both unheard", {.status = PATH_UNREACHABLE}, {.status = PATH_UNREACHABLE},
			"no server has answered either side over UDP, so there is no endpoint "
			"to send to: a relay, or TCP, is left"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		expect(rows[i].what, &rows[i].a, &rows[i].b, rows[i].expected);
}

/* --- times --- */

static void test_low_ttl_phase(void **state)
{
	static const struct {
		uint32_t a_us, b_us, phase_us;
	} rows[] = {
		{0, 0, 1600000},
		{20000, 0, 1600000},
		{2000000, 0, 2350000},
		{20000, 30000, 400000},
		{500000, 700000, 1550000},
		{60000000, 60000000, 10000000},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_side a = kinds[PX], b = kinds[PX];
		struct pair_advice advice;

		a.sync_error_us = rows[i].a_us;
		b.sync_error_us = rows[i].b_us;
		b.depth = 4;
		advice = advise(&a, &b);
		assert_int_equal(advice.plans[0].strategy, PAIR_LOW_TTL);
		assert_int_equal(advice.plans[0].role[0].low_ttl_us, rows[i].phase_us);
		assert_int_equal(advice.plans[0].role[1].low_ttl_us, rows[i].phase_us);
		assert_int_equal(advice.plans[0].role[0].low_ttl, 3);
		assert_int_equal(advice.plans[0].role[1].low_ttl, 5);
		assert_int_equal(advice.plans[0].give_up_us, rows[i].phase_us + 3000000);
	}
}

/* The low TTL has to last until all guesses are out, and full ones still have to come. */
static void test_birthday_phase(void **state)
{
	struct pair_advice a = advise(&kinds[PX], &kinds[SR]);
	const struct pair_role *easy = &a.plans[0].role[0], *hard = &a.plans[0].role[1];

	(void)state;
	assert_int_equal(a.plans[0].rate_pps, 100);
	assert_true(hard->low_ttl_us > (easy->guesses + hard->sockets) * 10000);
	assert_true(hard->packets >= 2 * hard->sockets);
	assert_true(a.plans[0].give_up_us > hard->low_ttl_us + hard->sockets * 10000);
}

/* --- budgets --- */

static void test_budgets(void **state)
{
	static const struct {
		const char *what;
		enum kind a, b;
		uint32_t packets;
		uint16_t sockets;
		uint32_t rate;
		const char *expected;
	} rows[] = {
		{"few packets", PR, SR, 300, 0, 0, "birthday 70: 1x300B 2nd | 256x1K"},
		{"too few packets", PR, SR, 40, 0, 0,
			"one side's port is one of 64512: a chance of 98 % takes 256 sockets "
			"and 1024 guesses, 11 s at 100 a second; the budgets allow 40 and 40, "
			"a chance of 24 in 1000; a relay is left"},
		{"few sockets", PR, SR, 0, 16, 0, "birthday 40: 1x2048B 2nd | 16x1K"},
		{"one socket in a block", PR, SB, 0, 1, 0, "birthday 98: 1x246B 2nd |"},
		{"slow", PR, SR, 0, 0, 10, "birthday 50: 1x300B 2nd | 150x1K"},
		{"slow and rich", PR, SR, PAIR_MANY, UINT16_MAX, 10,
			"birthday 50: 1x300B 2nd | 150x1K"},
		{"too slow", PR, SR, PAIR_MANY, 0, 1,
			"one side's port is one of 64512: a chance of 98 % takes 256 sockets "
			"and 1024 guesses, 1024 s at 1 a second; the budgets allow 15 and 30, "
			"a chance of 6 in 1000; a relay is left"},
		{"too slow for wide predictions", PR, SQ, PAIR_MANY, 0, 1,
			"prediction 85: 1x24S 2nd | 4x1K; prediction 40: 1x44S 2nd | 16x1K"},
		{"too few for a sequence", PR, SQ, 10, 2, 0, "prediction 85: 1x10S 2nd | 2x1K"},
		{"few for two blocks", SB, SB, 300, 0, 0, "both-hard 76: 2x300B | 2x300B"},
		{"too few for two blocks", SB, SB, 200, 0, 0,
			"both ports of a pair have to be met: each side would have to send 434 "
			"packets for 95 %, 5 s at 100 a second; the budgets allow 200; a relay "
			"is left"},
		{"one socket each for two blocks", SB, SB, 0, 1, 0,
			"both-hard 63: 1x251B | 1x251B"},
		{"many for block and random", SB, SR, 10000, 0, 100,
			"both-hard 89: 2x6000B | 24x6000B"},
		{"too slow for block and random", SB, SR, 10000, 0, 20,
			"both ports of a pair have to be met: each side would have to send "
			"6964 packets for 95 %, 349 s at 20 a second; the budgets allow 1200; "
			"a relay is left"},
		{"very many for sequence and random", SQ, SR, 300000, 10000, 5000,
			"both-hard 81: 64x64B | 3020x193280S"},
		{"very many for both random", SR, SR, 200000, 0, 2000,
			"both-hard 95: 2x111657B | 2x111657B"},
		{"fewer sockets for sequence and block", SQ, SB, 0, 4, 0,
			"both-hard 81: 4x188B | 4x752S"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_side a = kinds[rows[i].a], b = kinds[rows[i].b];

		a.packets_max = b.packets_max = rows[i].packets;
		a.sockets_max = b.sockets_max = rows[i].sockets;
		a.rate_pps = b.rate_pps = rows[i].rate;
		expect(rows[i].what, &a, &b, rows[i].expected);
	}
}

/* The slower of the two sets the rate. */
static void test_rate(void **state)
{
	struct pair_side a = kinds[PR], b = kinds[SR];
	struct pair_advice advice;

	(void)state;
	a.rate_pps = 150;
	b.rate_pps = 500;
	advice = advise(&a, &b);
	assert_int_equal(advice.plans[0].rate_pps, 150);
	b.rate_pps = 0;
	advice = advise(&a, &b);
	assert_int_equal(advice.plans[0].rate_pps, 100);
}

/* Each combination of a few budgets and depths with each pair: advise() checks the rules. */
static void test_all_budgets(void **state)
{
	static const uint32_t many[] = {0, 1, 2, 25, 300, 70000, PAIR_MANY};
	static const uint16_t sockets[] = {0, 1, 3, 65535};

	(void)state;
	for (int k = 0; k < KINDS * KINDS; k++) {
		for (size_t i = 0; i < LENGTH(many) * LENGTH(many) * LENGTH(sockets); i++) {
			struct pair_side a = kinds[k % KINDS], b = kinds[k / KINDS];

			a.packets_max = many[i % LENGTH(many)];
			b.rate_pps = many[i / LENGTH(many) % LENGTH(many)];
			b.sockets_max = sockets[i / LENGTH(many) / LENGTH(many)];
			a.depth = (uint8_t)(i % 3 * 2);
			advise(&a, &b);
		}
	}
}

/* --- all values --- */

#define STATUSES    (PATH_UNREACHABLE + 1)
#define TRIS	    (TRI_YES + 1)
#define DEPENDENCES (DEPENDENCE_PORT + 1)
#define EARLIES	    (EARLY_DELIVERED + 1)
#define ALLOCATIONS (ALLOCATION_RANDOM + 1)
#define BEHAVIOURS  (DEPENDENCES * DEPENDENCES * EARLIES * ALLOCATIONS)
#define ALL	    (BEHAVIOURS * TRIS * STATUSES)

static struct pair_side side_number(unsigned n)
{
	struct pair_side s = {.mapping = n % DEPENDENCES};

	n /= DEPENDENCES;
	s.filtering = n % DEPENDENCES;
	n /= DEPENDENCES;
	s.early = n % EARLIES;
	n /= EARLIES;
	s.allocation = n % ALLOCATIONS;
	n /= ALLOCATIONS;
	s.nat = n % TRIS;
	n /= TRIS;
	s.status = (n + PATH_OK) % STATUSES;
	return s;
}

/* Whatever two sides know or do not know: all behaviours of one with all of the other … */
static void test_all_behaviours(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BEHAVIOURS; i++) {
		for (unsigned k = i; k < BEHAVIOURS; k++) {
			struct pair_side a = side_number(i), b = side_number(k);
			struct pair_advice advice;

			a.packets_max = b.packets_max = 200; /* so that it takes no minutes */
			advice = advise(&a, &b);
			if (a.mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT &&
				b.mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT)
				assert_true(advice.count); /* what may be easy is tried */
		}
	}
}

/* … and all statuses, with a NAT, without and unknown, with each kind. */
static void test_all_statuses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ALL; i++) {
		struct pair_side a = side_number(i);

		for (int k = 0; k < KINDS; k++)
			advise(&a, &kinds[k]);
	}
}

/* --- words --- */

static void test_words(void **state)
{
	static const struct {
		enum kind a, b;
		unsigned plan;
		const char *why, *cost;
	} rows[] = {
		{PR, PR, 0,
			"both have one external endpoint for all peers, and what arrives too "
			"early does no harm, so both send at once",
			""},
		{PR, PX, 0,
			"a packet that arrives too early would move one side's external port, "
			"so that side sends first and the other waits until it has",
			""},
		{RC, SR, 0,
			"one side lets in all ports of an address that it has sent to, so the "
			"other side's port need not be known",
			""},
		{PR, SQ, 0,
			"one side's NAT shows each peer another port, but new ports follow each "
			"other, so the other sends to the next ones",
			""},
		{PR, SR, 0,
			"one side's port is one of 64512, which nobody can know before: it "
			"opens many of them, and the other guesses until one fits",
			"birthday, 256 sockets x 1024 probes, 98 %, about 10 s, about 1300 "
			"entries in the routers"},
		{SB, SB, 0,
			"both NATs show each peer another port at random, but there are few "
			"enough pairs of ports to meet in one by chance",
			"both-hard, 434 probes from 2 sockets on each side, 95 %, about 4 s, "
			"about 870 entries in the routers"},
		{SQ, SB, 0,
			"both NATs show each peer another port, the one the next, the other any "
			"of a band: there are few enough pairs of ports to meet in one",
			"both-hard, 64 probes from 64 sockets and 768 from 12, 81 %, about 8 "
			"s, about 830 entries in the routers"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_advice a = advise(&kinds[rows[i].a], &kinds[rows[i].b]);

		assert_true(a.count > rows[i].plan);
		assert_string_equal(a.plans[rows[i].plan].why, rows[i].why);
		assert_string_equal(a.plans[rows[i].plan].cost, rows[i].cost);
	}
}

/* --- the order of guesses --- */

/* Every socket sends to every place once. */
static void test_places(void **state)
{
	struct pair_role r = {.sockets = 12, .guesses = 768, .span = 64};
	bool seen[12][64] = {{false}};

	(void)state;
	for (unsigned i = 0; i < r.guesses; i++) {
		assert_false(seen[pair_socket(&r, i)][pair_place(&r, i)]);
		seen[pair_socket(&r, i)][pair_place(&r, i)] = true;
	}
	r = (struct pair_role){.sockets = 24, .guesses = 24, .span = 24};
	for (unsigned i = 0; i < r.guesses; i++) {
		assert_int_equal(pair_socket(&r, i), i);
		assert_int_equal(pair_place(&r, i), i);
	}
}

static void test_sequence_port(void **state)
{
	static const struct {
		int step;
		uint16_t low, high, latest;
		unsigned ahead, guess;
		uint16_t port;
	} rows[] = {
		{1, 0, 0, 40000, 0, 0, 40001}, {1, 0, 0, 40000, 0, 23, 40024},
		{2, 1024, 65535, 40000, 0, 3, 40008}, {-3, 0, 0, 40000, 0, 1, 39994},
		{1, 0, 0, 65535, 0, 0, 1024}, {1, 2000, 2099, 2098, 0, 3, 2002},
		{-1, 2000, 2099, 2000, 0, 0, 2099}, {1, 0, 0, 40000, 4, 3, 40007},
		{1, 0, 0, 40000, 4, 4, 40005},
		{1, 0, 0, 80, 0, 0, 64593}, /* not in the range: anything in it */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct pair_role r = {.targets = PAIR_SEQUENCE,
			.sockets = 1,
			.guesses = 24,
			.span = 24,
			.step = rows[i].step,
			.low = rows[i].low,
			.high = rows[i].high,
			.ahead = rows[i].ahead};

		assert_int_equal(
			pair_sequence_port(&r, rows[i].latest, rows[i].guess), rows[i].port);
	}
}

/* Two sequences, of which others have taken some ports before: whether a packet of each fits the other's. */
static bool sequences_meet(const struct pair_role role[2], unsigned taken_a, unsigned taken_b)
{
	for (unsigned i = 0; i < role[0].guesses; i++) {
		for (unsigned k = 0; k < role[1].guesses; k++) {
			uint16_t from_a = (uint16_t)(40000 + 1 + taken_a + i);
			uint16_t from_b = (uint16_t)(50000 + 1 + taken_b + k);

			if (pair_sequence_port(&role[0], 50000, i) == from_b &&
				pair_sequence_port(&role[1], 40000, k) == from_a)
				return true;
		}
	}
	return false;
}

static void test_sequences_meet(void **state)
{
	struct pair_side a = kinds[SQ], b = kinds[SQ];
	struct pair_advice advice;

	(void)state;
	a.low = b.low = 2000;
	a.high = b.high = 60000;
	advice = advise(&a, &b);
	assert_int_equal(advice.count, 2);
	assert_true(sequences_meet(advice.plans[0].role, 0, 0));
	assert_false(sequences_meet(advice.plans[0].role, 1, 0));
	for (unsigned taken_a = 0; taken_a < 20; taken_a++)
		for (unsigned taken_b = 0; taken_b < 20; taken_b++)
			assert_int_equal(sequences_meet(advice.plans[1].role, taken_a, taken_b),
				taken_a + taken_b < 16);
}

/* --- from verdicts --- */

static void test_side_from(void **state)
{
	struct behaviour b = {.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_REJECT,
		.allocation = {.pattern = ALLOCATION_BAND,
			.low = 2000,
			.high = 2999,
			.parity = TRI_YES},
		.external_count = 1};
	struct pair_side s = {.depth = 2, .sync_error_us = 3, .packets_max = 4, .step = 5};

	(void)state;
	b.external[0].port = 2500;
	pair_side_from(&b, &s);
	assert_true(rule_same_side(&s,
		&(struct pair_side){PATH_OK, TRI_YES, DEPENDENCE_ADDRESS,
			DEPENDENCE_ADDRESS_AND_PORT, EARLY_REJECT, ALLOCATION_BAND, 0, 2000, 2999,
			true, 2, 3, 4, 0, 0}));
	b.allocation.pattern = ALLOCATION_SEQUENTIAL;
	b.allocation.step = 7;
	b.mapping = DEPENDENCE_UNKNOWN;
	pair_side_from(&b, &s);
	assert_int_equal(s.step, 7);
	assert_int_equal(s.mapping, DEPENDENCE_UNKNOWN);
	b.mapping_by_port = TRI_YES;
	pair_side_from(&b, &s);
	assert_int_equal(s.mapping, DEPENDENCE_ADDRESS_AND_PORT);
}

/* Another server sees a port beyond the band: then it is wider, or there is none. */
static void test_band_from(void **state)
{
	static const struct {
		uint16_t port[2];
		enum allocation_pattern pattern;
		uint16_t low, high;
	} rows[] = {
		{{2000, 2999}, ALLOCATION_BAND, 2000, 2999},
		{{1999, 2500}, ALLOCATION_BAND, 1999, 2999},
		{{2500, 3100}, ALLOCATION_BAND, 2000, 3100},
		{{1900, 3100}, ALLOCATION_BAND, 1900, 3100},
		{{2500, 3498}, ALLOCATION_BAND, 2000, 3498}, /* half as wide again */
		{{2500, 3499}, ALLOCATION_RANDOM, 0, 0},
		{{1501, 2500}, ALLOCATION_BAND, 1501, 2999},
		{{1500, 2500}, ALLOCATION_RANDOM, 0, 0},
		{{60000, 2500}, ALLOCATION_RANDOM, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct behaviour b = {.status = PATH_OK,
			.nat = TRI_YES,
			.allocation = {.pattern = ALLOCATION_BAND, .low = 2000, .high = 2999},
			.external_count = 2};
		struct pair_side s = {.step = 5};

		b.external[0].port = rows[i].port[0];
		b.external[1].port = rows[i].port[1];
		pair_side_from(&b, &s);
		assert_int_equal(s.allocation, rows[i].pattern);
		assert_int_equal(s.low, rows[i].low);
		assert_int_equal(s.high, rows[i].high);
	}
}

/* Of a path that does not work, nothing but that is known; nor from a server on this host. */
static void test_side_from_nothing(void **state)
{
	struct behaviour b = {.status = PATH_UNREACHABLE, .nat = TRI_NO};
	struct pair_side s = {.mapping = DEPENDENCE_ADDRESS, .rate_pps = 5, .parity = true};

	(void)state;
	pair_side_from(&b, &s);
	assert_true(
		rule_same_side(&s, &(struct pair_side){.status = PATH_UNREACHABLE, .rate_pps = 5}));
	b.status = PATH_OK;
	b.local = (struct endpoint){.family = FAMILY_IPV4, .address = {127, 0, 0, 1}, .port = 1};
	pair_side_from(&b, &s);
	assert_true(rule_same_side(&s, &(struct pair_side){.status = PATH_OK, .rate_pps = 5}));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_low_ttl_phase),
		cmocka_unit_test(test_birthday_phase),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_all_budgets),
		cmocka_unit_test(test_all_behaviours),
		cmocka_unit_test(test_all_statuses),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_sequence_port),
		cmocka_unit_test(test_sequences_meet),
		cmocka_unit_test(test_side_from),
		cmocka_unit_test(test_band_from),
		cmocka_unit_test(test_side_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
