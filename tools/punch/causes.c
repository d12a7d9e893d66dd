// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/in.h>

#include "judge/causes_punch.h"
#include "tools/punch/causes.h"
#include "tools/punch/reason.h"

static struct captured_list *list_of(struct capturing *c)
{
	return capturing_state(c) == CAPTURE_ON ? capturing_list(c) : NULL;
}

bool punch_captured(
	struct capturing *capturing, const struct trail *trail, unsigned *left, unsigned *arrived)
{
	const struct captured_list *l = list_of(capturing);

	*left = *arrived = 0;
	if (!l)
		return false;
	capturing_catch_up(capturing);
	join_trail(capturing_list(capturing), trail);
	for (size_t i = 0; i < l->count; i++) {
		*left += l->packets[i].to_peer;
		*arrived +=
			l->packets[i].class == CLASS_PEER && l->packets[i].content != CONTENT_RST;
	}
	return !capturing_missed(capturing);
}

static struct joined joined[JOURNAL_OBSERVATIONS]; /* too large for a stack */

/* What was asked of servers to measure the own NAT. */
static void add_measured(const struct journal *journal, const struct verdict *verdict,
	struct capturing *capturing, struct causes *out)
{
	struct captured_list *l = list_of(capturing);
	struct cause_facts facts = {.journal = journal,
		.verdict = verdict,
		.captured = l,
		.joined = l ? joined : NULL,
		.gaps = capturing_missed(capturing) > 0,
		.host = capturing ? capturing_host_record(capturing) : NULL};

	if (l)
		join_tally(l, journal, joined);
	if (capturing)
		capturing_refusals(capturing, journal);
	judge_causes(&facts, out);
}

static void add_tried(const struct session_view *v, const struct trail *trail,
	const struct journal *journal, struct capturing *capturing, struct causes *out)
{
	int f = v->family == FAMILY_IPV6;
	const struct explain_peer said = reason_said(v);
	const struct punch_causes_facts facts = {.family = v->family,
		.tcp = v->tcp,
		.own = v->own.has_side[f] && !v->tcp ? &v->own.side[f] : NULL,
		.peer = v->has_peer && v->peer.has_side[f] && !v->tcp ? &v->peer.side[f] : NULL,
		.own_tcp = v->own.has_side[f] && v->tcp ? &v->own.tcp[f] : NULL,
		.peer_tcp = v->has_peer && v->peer.has_side[f] && v->tcp ? &v->peer.tcp[f] : NULL,
		.plans = &v->plans,
		.trail = trail,
		.said = &said,
		.journal = journal,
		.captured = list_of(capturing),
		.joined = list_of(capturing) ? joined : NULL,
		.gaps = capturing_missed(capturing) > 0,
		.host = capturing ? capturing_host_record(capturing) : NULL};

	judge_punch_causes(&facts, out);
}

static void add_stream(const struct session_view *v, const struct endpoint *server,
	struct capturing *capturing, struct causes *out)
{
	const struct stream_causes_facts facts = {.server = server,
		.taken = v->server_taken,
		.error = v->server_error,
		.captured = list_of(capturing),
		.gaps = capturing_missed(capturing) > 0,
		.host = capturing ? capturing_host_record(capturing) : NULL};

	capturing_refused(capturing, IPPROTO_TCP, server, -v->server_error);
	judge_stream_causes(&facts, out);
}

/* Of who has knocked. */
static void add_knock(const struct session_view *v, struct capturing *capturing, struct causes *out)
{
	struct knock_causes_facts facts = {.dropped = v->knock.egress.state == KNOCK_EGRESS_DROPPED,
		.sent = v->knocked ? v->knocked->errors : 0,
		.unsent = v->knocked ? v->knocked->unsent : 0,
		.error = v->knocked ? v->knocked->error : 0,
		.captured = capturing_missed(capturing) ? NULL : list_of(capturing)};

	if (capturing && facts.error) {
		capturing_refused(capturing, 0, &v->knock.target, -facts.error);
		facts.by_route = host_routes_refuse(
			capturing_host_record(capturing), &v->knock.target, -facts.error);
	}
	if (facts.dropped || (!v->knock.waits && facts.sent))
		judge_knock_causes(&facts, out);
}

/* Whether the two knew each other, and packets were sent. */
static bool was_tried(const struct session_view *v, unsigned reason)
{
	return v->has_peer &&
		(reason == SESSION_NO_PATH || reason == REASON_DEADLINE || reason == REASON_SILENT);
}

void punch_causes(const struct session_view *v, unsigned reason, const struct endpoint *server,
	const struct trail *trail, const struct journal *journal, const struct verdict *verdict,
	struct capturing *capturing, struct causes *out)
{
	out->count = 0;
	if (list_of(capturing)) {
		join_journal(capturing_list(capturing), journal);
		join_trail(capturing_list(capturing), trail);
	}
	if (reason == SESSION_UNREACHABLE || was_tried(v, reason))
		add_measured(journal, verdict, capturing, out);
	if (reason == SESSION_UNREACHABLE && v->tcp && !v->registered_us && server)
		add_stream(v, server, capturing, out);
	if (reason == SESSION_UNREACHABLE && !v->tcp && !v->registered_us)
		judge_server_causes(trail, list_of(capturing),
			capturing ? capturing_host_record(capturing) : NULL, out);
	if (v->knock.on && !v->has_peer && reason != SESSION_NO_FAILURE)
		add_knock(v, capturing, out);
	if (was_tried(v, reason))
		add_tried(v, trail, journal, capturing, out);
}
