// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "probe/icmp_private.h"

/*
 * Which ICMP errors reach this host (RFC 5508 4, RFC 4787 9, RFC 5382 REQ-9 and REQ-10). Each of them is asked for once, in
 * a few errands; and those that are missing several times, until there were enough of them. An attempt to connect is
 * over with the first error: so each is about one kind of it, several times.
 */

#define ROUNDS_MAX	      6
#define CONNECTION_ROUNDS_MAX 4
#define ERRANDS_AT_ONCE	      9
#define ATTEMPTS_MAX	      3 /* rounds of them */
#define FIRST_LIST	      6
#define COPIES		      4
#define FIRST_MS	      10 /* so that the answer comes first, also where an error is the end of the flow */
#define GAP_MS		      2
#define CONNECTION_GAP_MS     4 /* what comes before the one before was read takes its place */
#define ATTEMPT_GAP_MS	      8
/* so much less than the path has: enough to be told apart, and so little that nothing else is the worse for it */
#define MTU_STEP  8
#define MTU_LEAST 1400

static bool is_ipv6(const struct icmp_probe *p)
{
	return p->config.family == FAMILY_IPV6;
}

static bool tells_mtu(const struct icmp_probe *p, uint8_t type, uint8_t code)
{
	return is_ipv6(p) ? type == 2 && code == 0 : type == 3 && code == 4;
}

/* --- what is asked --- */

static struct observation *put(
	struct icmp_probe *p, struct icmp_battery *b, uint8_t type, uint8_t code, bool other)
{
	size_t place = icmp_probe_ask(p, QUESTION_ICMP_ERROR, ICMP_SOCKETS, &p->chosen->endpoint);
	struct observation *o = icmp_probe_observation(p, place);

	if (!o || b->count >= ICMP_QUESTIONS)
		return NULL;
	o->detail.flow = b->flow;
	o->detail.type = type;
	o->detail.code = code;
	o->detail.other = other;
	if (other)
		o->expect = p->chosen->other;
	o->expect.port = 0;
	b->observation[b->count++] = place;
	return o;
}

/*
 * Of errors that tell of a path MTU each has another one. A connection does not show this error itself, but what becomes of
 * the path.
 */
static void set_mtu(const struct icmp_probe *p, struct observation *o)
{
	bool connection = o->detail.flow == ICMP_FLOW_TCP;
	unsigned steps = connection ? 3 : o->detail.other ? 2 : 1;

	o->detail.mtu_before = p->mtu;
	o->detail.mtu = p->mtu;
	if (p->mtu >= MTU_LEAST)
		o->detail.mtu = (uint16_t)(p->mtu - steps * MTU_STEP);
	else if (!p->mtu)
		o->detail.mtu = MTU_LEAST;
}

static void put_one(
	struct icmp_probe *p, struct icmp_battery *b, uint8_t type, uint8_t code, bool other)
{
	bool mtu = tells_mtu(p, type, code);
	struct observation *o;

	if (other && !p->chosen->capable)
		return;
	/* Linux does not show it to sockets (icmp_unreach) */
	if (!p->config.raw && !is_ipv6(p) && type == 11 && code == 1)
		return;
	/* only a router says so, and only where the path can be seen to change */
	if (mtu && b->flow == ICMP_FLOW_TCP && (!other || p->mtu < MTU_LEAST))
		return;
	o = put(p, b, type, code, other);
	if (o && mtu)
		set_mtu(p, o);
}

/* Attempts to connect: by a router, and by the server itself. */
static void put_attempts(struct icmp_probe *p, struct icmp_battery *b)
{
	static const struct {
		uint8_t type[2], code[2];
		bool other;
	} kinds[] = {{{3, 1}, {1, 0}, true}, {{11, 3}, {0, 0}, true}, {{3, 1}, {13, 1}, true},
		{{3, 1}, {3, 4}, false}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		put_one(p, b, kinds[i].type[is_ipv6(p)], kinds[i].code[is_ipv6(p)],
			kinds[i].other && p->chosen->capable);
}

static void put_all(struct icmp_probe *p, struct icmp_battery *b)
{
	for (uint8_t type = 0; type < 16; type++)
		for (uint8_t code = 0; code < 16; code++)
			for (int other = 0; other < ICMP_TARGETS; other++)
				if (icmp_is_offered(p->config.family, type, code))
					put_one(p, b, type, code, other);
}

static void put_batteries(struct icmp_probe *p)
{
	static const enum icmp_flow flows[ICMP_BATTERIES] = {
		ICMP_FLOW_UDP, ICMP_FLOW_TCP, ICMP_FLOW_ATTEMPT};

	p->errors_put = true;
	for (int i = 0; i < ICMP_BATTERIES; i++) {
		p->batteries[i] = (struct icmp_battery){.flow = flows[i]};
		if (flows[i] == ICMP_FLOW_ATTEMPT)
			put_attempts(p, &p->batteries[i]);
		else
			put_all(p, &p->batteries[i]);
	}
}

/* --- errands --- */

static void add(struct icmp_probe *p, struct icmp_errand *e, size_t place, unsigned gap_ms)
{
	const struct observation *o = icmp_probe_observation(p, place);
	unsigned first_ms = e->flow == ICMP_FLOW_ATTEMPT ? 0 : FIRST_MS;

	if (e->count >= ICMP_ERRORS_MAX)
		return;
	e->wanted[e->count] = (struct icmp_wanted){.type = o->detail.type,
		.code = o->detail.code,
		.from = o->detail.other ? ICMP_FROM_OTHER : ICMP_FROM_OWN,
		.delay_ms = (uint16_t)(first_ms + e->count * gap_ms),
		.mtu = o->detail.mtu};
	e->observation[e->count++] = place;
}

/* Some kinds for each errand, with so many copies of each. */
static void send_out(struct icmp_probe *p, uint64_t now_us, struct icmp_battery *b, unsigned kinds,
	unsigned copies, unsigned gap_ms)
{
	struct icmp_errand *e = NULL;
	unsigned held = 0, errands = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (!icmp_probe_is_open(p, b->observation[i]))
			continue;
		if (!e || held == kinds) {
			if (e)
				icmp_probe_begin_errand(p, now_us, e);
			e = errands++ < ERRANDS_AT_ONCE ? icmp_probe_errand(p, b->flow) : NULL;
			held = 0;
		}
		if (!e)
			return;
		for (unsigned k = 0; k < copies; k++)
			add(p, e, b->observation[i], gap_ms);
		held++;
	}
	if (e)
		icmp_probe_begin_errand(p, now_us, e);
}

int icmp_probe_errno(enum family family, uint8_t type, uint8_t code)
{
	/* Linux: icmp_err_convert, tcp_v4_err, icmpv6_err_convert */
	static const struct {
		enum family family;
		uint8_t type, code;
		int error;
	} known[] = {
		{FAMILY_IPV4, 3, 0, ENETUNREACH},
		{FAMILY_IPV4, 3, 1, EHOSTUNREACH},
		{FAMILY_IPV4, 3, 2, ENOPROTOOPT},
		{FAMILY_IPV4, 3, 3, ECONNREFUSED},
		{FAMILY_IPV4, 3, 13, EHOSTUNREACH},
		{FAMILY_IPV4, 11, 0, EHOSTUNREACH},
		{FAMILY_IPV4, 12, 0, EPROTO},
		{FAMILY_IPV6, 1, 0, ENETUNREACH},
		{FAMILY_IPV6, 1, 1, EACCES},
		{FAMILY_IPV6, 1, 3, EHOSTUNREACH},
		{FAMILY_IPV6, 1, 4, ECONNREFUSED},
		{FAMILY_IPV6, 3, 0, EHOSTUNREACH},
		{FAMILY_IPV6, 3, 1, EHOSTUNREACH},
		{FAMILY_IPV6, 4, 0, EPROTO},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].family == family && known[i].type == type && known[i].code == code)
			return known[i].error;
	return 0;
}

/* Whether a connection could not tell this one from one of the errand's. */
static bool is_ambiguous(
	const struct icmp_probe *p, const struct icmp_errand *e, const struct observation *o)
{
	int error = icmp_probe_errno(p->config.family, o->detail.type, o->detail.code);

	for (size_t i = 0; error && i < e->count; i++)
		if (icmp_probe_errno(p->config.family, e->wanted[i].type, e->wanted[i].code) ==
			error)
			return true;
	return false;
}

/* A connection shows no more of an error than its errno: so each list has each of them once. */
static void send_over_connections(struct icmp_probe *p, uint64_t now_us, struct icmp_battery *b)
{
	bool placed[ICMP_QUESTIONS] = {false};
	size_t left = b->count;

	while (left) {
		struct icmp_errand *e = icmp_probe_errand(p, b->flow);

		for (size_t i = 0; e && i < b->count; i++) {
			if (placed[i] || e->count == ICMP_ERRORS_MAX ||
				is_ambiguous(p, e, icmp_probe_observation(p, b->observation[i])))
				continue;
			add(p, e, b->observation[i], CONNECTION_GAP_MS);
			placed[i] = true;
			left--;
		}
		if (!e)
			return;
		icmp_probe_begin_errand(p, now_us, e);
	}
}

static void begin_round(struct icmp_probe *p, uint64_t now_us, struct icmp_battery *b)
{
	if (b->flow == ICMP_FLOW_ATTEMPT)
		send_out(p, now_us, b, 1, COPIES, ATTEMPT_GAP_MS);
	else if (b->flow == ICMP_FLOW_TCP && !b->rounds)
		send_over_connections(p, now_us, b);
	else if (b->flow == ICMP_FLOW_TCP)
		send_out(p, now_us, b, 1, COPIES, CONNECTION_GAP_MS);
	else if (!b->rounds)
		send_out(p, now_us, b, FIRST_LIST, 1, GAP_MS);
	else
		send_out(p, now_us, b, ICMP_ERRORS_MAX / COPIES, COPIES, GAP_MS);
	b->rounds++;
}

/* What enough of have left the server for, and has not come, does not come. */
static void end_round(struct icmp_probe *p, uint64_t now_us, struct icmp_battery *b)
{
	unsigned rounds = b->flow == ICMP_FLOW_ATTEMPT ? ATTEMPTS_MAX
		: b->flow == ICMP_FLOW_TCP	       ? CONNECTION_ROUNDS_MAX
						       : ROUNDS_MAX;

	b->over = true;
	for (size_t i = 0; i < b->count; i++) {
		const struct observation *o = icmp_probe_observation(p, b->observation[i]);

		if (o->state != OBSERVATION_OPEN)
			continue;
		if (b->rounds >= rounds || icmp_probe_is_silent(p, o->awaited))
			icmp_probe_settle(p, now_us, b->observation[i], OBSERVATION_SILENT);
		else
			b->over = false;
	}
}

static bool advance_battery(struct icmp_probe *p, uint64_t now_us, struct icmp_battery *b)
{
	bool busy = false;

	for (unsigned i = 0; i < p->errand_count; i++)
		if (p->errands[i].flow == b->flow)
			busy |= !icmp_probe_errand_is_over(p, now_us, &p->errands[i]);
	if (!busy && !b->over && b->rounds)
		end_round(p, now_us, b);
	if (!busy && !b->over)
		begin_round(p, now_us, b);
	return b->over;
}

bool icmp_probe_errors_advance(struct icmp_probe *p, uint64_t now_us)
{
	bool over = true;

	if (p->chosen->offers != ICMP_SERVICE_YES)
		return true;
	if (!p->mtu_known) {
		p->look = true;
		return false;
	}
	if (!p->errors_put)
		put_batteries(p);
	for (int i = 0; i < ICMP_BATTERIES; i++)
		over &= advance_battery(p, now_us, &p->batteries[i]);
	return over;
}

/* The path is looked at before the first error, and whenever one has come that tells of its MTU. */
void icmp_probe_path_mtu(struct icmp_probe *p, uint64_t now_us, uint16_t mtu)
{
	if (!p->mtu_known) {
		p->mtu_known = true;
		p->mtu = mtu;
		return;
	}
	for (size_t i = 0; i < p->journal->observation_count; i++) {
		struct observation *o = &p->journal->observations[i];

		if (o->question != QUESTION_ICMP_ERROR || o->family != p->config.family ||
			!o->detail.mtu_before || o->detail.mtu_after || !o->sent)
			continue;
		if (o->detail.flow == ICMP_FLOW_TCP && mtu == o->detail.mtu) {
			o->answers += !o->answers;
			o->detail.mtu_after = mtu;
			icmp_probe_settle(p, now_us, i, OBSERVATION_ANSWERED);
		} else if (o->detail.flow == ICMP_FLOW_UDP && o->icmp.count && mtu) {
			o->detail.mtu_after = mtu;
		}
	}
}
