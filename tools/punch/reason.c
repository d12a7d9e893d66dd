// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "tools/punch/reason.h"
#include "tools/punch/reason_knock.h"
#include "wire/rendezvous.h"

struct row {
	const char *name;
	enum status status;
	const char *message;
	const char *likely, *try_next; /* NULL: nothing, or other functions say it */
};

static const struct row rows[REASONS] = {
	[SESSION_NO_FAILURE] = {"none", STATUS_DONE, "", NULL, NULL},
	[SESSION_NO_SOCKET] = {"no-socket", STATUS_ENVIRONMENT,
		"no socket could be opened for any address of the server", NULL,
		"another local endpoint: --bind, --interface"},
	[SESSION_UNREACHABLE] = {"server-unreachable", STATUS_PROTOCOL,
		"the rendezvous server does not answer", NULL, NULL},
	[SESSION_REFUSED] = {"refused", STATUS_PROTOCOL, "the rendezvous server refuses", NULL,
		"another code, another server, or the same one later"},
	[SESSION_NO_PEER] = {"no-peer", STATUS_PROTOCOL, "the other side did not come in time",
		"it was not started, or has another nameplate or another server",
		"start both sides within the time of --deadline, with the same server and the "
		"same code"},
	[SESSION_PEER_LEFT] = {"peer-left", STATUS_PROTOCOL, "the other side has gone",
		"it was ended there, or could not go on",
		"see what it says, and begin anew on "
		"both sides"},
	[SESSION_PEER_SILENT] = {"peer-silent", STATUS_PROTOCOL,
		"the other side came to the rendezvous, and then said nothing more",
		"it was killed, or has lost its way to the server", "begin anew on both sides"},
	[SESSION_WRONG_CODE] = {"wrong-code", STATUS_PROTOCOL,
		"the code is wrong: the other side has another one; both begin anew",
		"it was mistyped on one side; or somebody who does not know it has guessed",
		"read the code again, or let one side draw a new one: without CODE"},
	[SESSION_BAD_PEER] = {"bad-peer", STATUS_PROTOCOL,
		"the other side says what cannot be understood", "it is of another version",
		"the same version on both sides"},
	[SESSION_OTHER_TRANSPORT] = {"other-transport", STATUS_PROTOCOL,
		"one side punches over UDP and the other over TCP",
		"udppunch was started on one side and tcppunch on the other",
		"the same tool on both sides"},
	[SESSION_NO_FAMILY] = {"no-common-family", STATUS_NEGATIVE,
		"the two sides have no address family in common",
		"one of them reaches the server over IPv4 only and the other over IPv6 only",
		"a server with addresses of both families, and neither -4 nor -6"},
	[SESSION_NO_PATH] = {"no-path", STATUS_NEGATIVE, "no way was found", NULL, NULL},
	[REASON_DEADLINE] = {"deadline", STATUS_NEGATIVE, "not done before the deadline", NULL,
		"a longer --deadline"},
	[REASON_SILENT] = {"silent", STATUS_NEGATIVE,
		"the way was proved, and then nothing came over it",
		"the other side was ended, or a firewall lets in the checks and nothing else",
		"once more, and see what the other side says"},
	[REASON_LOST] = {"lost", STATUS_NEGATIVE, "the way worked no more, and no other was found",
		"the other side was ended or has lost its network, or this one has",
		"begin anew on both sides"},
	[REASON_OTHER_USE] = {"other-use", STATUS_PROTOCOL,
		"the way stood, and the other side uses it for something else", NULL,
		"--stdio on both sides, or --listen on one and --to on the other"},
};

/* Where the two meet without a server; what is not here is the same. */
static const struct row by_hand[REASONS] = {
	[SESSION_UNREACHABLE] = {"", 0, "no STUN server answers",
		"UDP does not get out of this network, or the servers are gone",
		"other STUN servers: --server"},
	[SESSION_NO_PEER] = {"", 0, "the other side's line did not come in time",
		"it was not sent, or not pasted here",
		"send this side's line, and paste the other's, within the time of --deadline"},
	[SESSION_WRONG_CODE] = {"", 0,
		"packets come, but not from who has the same code and both lines",
		"the way is open, and the codes differ, or one side has not got the other's "
		"latest line",
		"begin anew, with the same code on both sides or none, and the lines that are "
		"printed then"},
	[REASON_LOST] = {"", 0, "the way worked no more, and no other was found",
		"the other side was ended or has lost its network, or a router gives another "
		"endpoint now, which by hand nobody can tell the other side",
		"begin anew on both sides, with new lines"},
};

static const struct row *row_of(unsigned reason, const struct session_view *v)
{
	return v->manual && by_hand[reason].message ? &by_hand[reason] : &rows[reason];
}

unsigned reason_of(const struct session_view *v, const struct punch_end *end)
{
	if (end->lost)
		return REASON_LOST;
	if (end->differs)
		return REASON_OTHER_USE;
	if (end->stood) /* another one may be looked for */
		return SESSION_NO_FAILURE;
	/* who could not register does not know whether anybody has come */
	if (v->state == SESSION_FAILED)
		return v->failure == SESSION_NO_PEER && !v->registered_us && !v->knock.on
			? SESSION_UNREACHABLE
			: v->failure;
	if (end->interrupted)
		return SESSION_NO_FAILURE;
	if (v->state == SESSION_CONNECTED)
		return REASON_SILENT;
	if (!end->late)
		return SESSION_NO_FAILURE;
	if (!v->registered_us)
		return SESSION_UNREACHABLE;
	return v->meeting && v->meeting->paired_us ? REASON_DEADLINE : SESSION_NO_PEER;
}

const char *reason_name(unsigned reason)
{
	return rows[reason].name;
}

enum status reason_status(unsigned reason, const struct session_view *v)
{
	/* what nobody answers is as good as closed, for who knocks */
	if (reason == SESSION_NO_PEER && v->knock.on && !v->knock.waits)
		return STATUS_NEGATIVE;
	/* the code is not proved, whatever has kept the other side from it */
	return reason == REASON_DEADLINE && !v->has_peer ? STATUS_PROTOCOL : rows[reason].status;
}

/* --- one line --- */

static const char *refusal_text(unsigned code)
{
	switch (code) {
	case RENDEZVOUS_BAD:
	case 420:
		return "it does not understand this version";
	case RENDEZVOUS_TAKEN:
		return "two others have met with this code: take a new one";
	case RENDEZVOUS_STALE:
		return "it does not take the cookies that it gives";
	case MEETING_NO_NUMBER:
		return "it has given no number for a code";
	case RENDEZVOUS_QUOTA:
		return "too many sessions are open from here";
	case RENDEZVOUS_FULL:
		return "it has too many sessions";
	default:
		return "see its log";
	}
}

void reason_message(unsigned reason, const struct session_view *v, const struct explanation *e,
	char *message, size_t size)
{
	const char *text = row_of(reason, v)->message;
	const char *knock = v->knock.on ? reason_knock_message(reason, v) : NULL;

	if (knock)
		snprintf(message, size, "%s", knock);
	else if (reason == SESSION_UNREACHABLE && !v->manual)
		snprintf(message, size, "%s%s%s%s", text, v->registered_us ? " any more" : "",
			e->likely.count ? ": " : "", e->likely.count ? e->likely.text[0] : "");
	else if (reason == SESSION_REFUSED)
		snprintf(message, size, "%s: error %u, %s", text, v->error_code,
			refusal_text(v->error_code));
	else if (reason == SESSION_NO_PATH && v->plans.count)
		snprintf(message, size, "%s: %u of %zu plans tried", text, v->attempt,
			v->plans.count);
	else if (reason == SESSION_NO_PATH)
		snprintf(message, size, "%s: no plan is worth trying between these two", text);
	else if (reason == REASON_DEADLINE && !v->has_peer)
		snprintf(message, size, "%s: the other side came, and has not proved the code",
			text);
	else
		snprintf(message, size, "%s", text);
}

/* --- explanation --- */

struct explain_peer reason_said(const struct session_view *v)
{
	const struct hello_attempt *said = &v->peer.attempt;

	/* before its end it only says how far it has come */
	return (struct explain_peer){.said = said->number && v->peer.failed,
		.sent = said->sent,
		.received = said->received,
		.errors = said->errors,
		.opened = said->opened,
		.resets = said->resets,
		.offender = said->offender,
		.type = said->type,
		.code = said->code,
		.captured = said->captured,
		.left = said->left,
		.arrived = said->arrived};
}

static void explain_path(
	const struct session_view *v, const struct trail *trail, struct explanation *out)
{
	int f = v->family == FAMILY_IPV6;
	const struct explain_peer peer = reason_said(v);
	const bool other = v->own.has_side[!f] && v->peer.has_side[!f];
	const struct explain_tcp_facts tcp = {.own = &v->own.tcp[f],
		.peer = &v->peer.tcp[f],
		.family = v->family,
		.plans = &v->plans,
		.trail = trail,
		.said = peer,
		.other_family_possible = other};
	const struct explain_facts facts = {.own = &v->own.side[f],
		.peer = &v->peer.side[f],
		.family = v->family,
		.plans = &v->plans,
		.trail = trail,
		.said = peer,
		.other_family_possible = other};

	if (v->tcp)
		explain_tcp_failure(&tcp, out);
	else
		explain_failure(&facts, out);
}

static void add_own_sides(const struct session_view *v, struct explanation *out)
{
	char text[EXPLAIN_TEXT - 32];

	for (int f = 0; f < 2; f++) {
		if (!v->own.has_side[f])
			continue;
		if (v->tcp)
			explain_tcp_side(&v->own.tcp[f], text, sizeof(text));
		else
			explain_side(&v->own.side[f], text, sizeof(text));
		explain_add(&out->certain, "own side, IPv%c: %s", f ? '6' : '4', text);
	}
}

void reason_add_sockets(const struct trail *t, struct explanation *out)
{
	static const char step[] = "socket: ";

	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].kind == TRAIL_STEP &&
			!strncmp(t->events[i].text, step, sizeof(step) - 1))
			explain_add(&out->certain, "%s", t->events[i].text);
}

static void add_waiting(const struct session_view *v, struct explanation *out)
{
	const struct endpoint *e = v->meeting ? &v->meeting->mapped : NULL;
	char text[ENDPOINT_TEXT];

	if (!e || v->ended_us < v->registered_us)
		return;
	explain_add(&out->certain,
		v->manual ? "the line was there, for %s, for %.1f s, and no other one was pasted"
			  : "the server saw this side at %s for %.1f s, and nobody else came",
		e->port ? endpoint_format(e, text) : endpoint_format_address(e, text),
		(double)(v->ended_us - v->registered_us) / 1e6);
}

/* What was measured of the family that one meets over; NULL: nothing. */
static const struct behaviour *measured(const struct session_view *v)
{
	for (int f = 0; f < 2; f++)
		if (v->own_behaviour[f].status != PATH_UNTESTED)
			return &v->own_behaviour[f];
	return NULL;
}

static void explain_unreachable(const struct session_view *v, const struct endpoint *server,
	const struct trail *trail, struct explanation *out)
{
	if (!v->registered_us && v->tcp) {
		explain_tcp_server(server, v->server_taken, v->server_error, out);
		return;
	}
	if (!v->registered_us) {
		explain_server(server, measured(v), trail, out);
		return;
	}
	explain_add(&out->likely, "it was stopped, or the way to it is broken");
	explain_add(&out->try_next, "see that it runs, and begin anew on both sides");
}

static void add_over_tcp(const struct session_view *v, struct explanation *out)
{
	const struct endpoint *peer = v->meeting ? &v->meeting->peer : NULL;

	explain_add(&out->certain, "the server answers this side over TCP, and not over UDP%s",
		peer && peer->family != FAMILY_NONE && peer->port ? ", and the other side over UDP"
								  : "");
	if (peer && peer->family != FAMILY_NONE && peer->port)
		explain_add(&out->likely, "a firewall on this side lets no UDP out");
}

/* Without it the two cannot keep in step, and do not learn of new endpoints. */
static void add_lost_server(const struct session_view *v, struct explanation *out)
{
	if (v->meeting && v->meeting->state == MEETING_UNREACHABLE)
		explain_add(&out->certain, "the server answered no more while this was tried");
}

static void add_row(const struct row *row, struct explanation *out)
{
	if (row->likely)
		explain_add(&out->likely, "%s", row->likely);
	if (row->try_next)
		explain_add(&out->try_next, "%s", row->try_next);
}

void reason_explain(unsigned reason, const struct session_view *v, const struct endpoint *server,
	const struct trail *trail, struct explanation *out)
{
	bool tried = v->attempt && reason < REASON_SILENT;

	memset(out, 0, sizeof(*out));
	if (reason_knock_explain(reason, v, trail, out))
		return;
	if (reason == SESSION_NO_PATH) {
		explain_path(v, trail, out);
	} else if (tried) {
		explain_path(v, trail, out);
		/* not all has been tried: what follows from that does not follow yet */
		out->likely.count = out->try_next.count = 0;
		explain_add(&out->certain, "plan %u of %zu was being tried", v->attempt,
			v->plans.count);
	} else {
		add_own_sides(v, out);
	}
	if (reason == SESSION_UNREACHABLE && !v->manual)
		explain_unreachable(v, server, trail, out);
	if (reason == SESSION_NO_PEER)
		add_waiting(v, out);
	if (reason == SESSION_NO_SOCKET)
		reason_add_sockets(trail, out);
	if (v->over_tcp)
		add_over_tcp(v, out);
	if (reason == SESSION_NO_PATH)
		add_lost_server(v, out);
	add_row(row_of(reason, v), out);
}
