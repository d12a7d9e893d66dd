// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/punch/reason.h"
#include "tools/punch/reason_knock.h"

const char *reason_knock_message(unsigned reason, const struct session_view *v)
{
	switch (reason) {
	case SESSION_NO_SOCKET:
		return v->knock.waits ? "no socket could be opened to wait at"
				      : "no socket could be opened to knock from";
	case SESSION_NO_PEER:
		return v->knock.waits ? "nobody has knocked in time"
			: v->knock.egress.state == KNOCK_EGRESS_DROPPED
			? "nothing has answered the knock: no such ICMP error of this side has "
			  "arrived at natprobed, either"
			: "nothing has answered the knock";
	case SESSION_NO_PATH:
		return v->knock.waits
			? "somebody knocked with the right code, and no way to there was found"
			: "the knock was answered, and no way was found";
	default:
		return NULL;
	}
}

static double seconds(const struct session_view *v)
{
	return v->ended_us > v->started_us ? (double)(v->ended_us - v->started_us) / 1e6 : 0;
}

/* An error of the own system, which is evidence of a rule, a route or an address. */
static void add_unsent(const char *what, unsigned count, int error, struct explanation *out)
{
	if (!count)
		return;
	explain_add(&out->certain, "%u %s could not leave this host: %s", count, what,
		strerror(-error));
	if (error == -EPERM)
		explain_add(
			&out->likely, "a firewall rule of this host itself drops them (OUTPUT)");
	if (error == -ENETUNREACH || error == -EHOSTUNREACH)
		explain_add(&out->likely, "this host has no route to there");
}

/* --- who waits --- */

static void add_heard(const struct session_view *v, struct explanation *out)
{
	const struct waiter_counts *c = v->waited;

	if (c->usual)
		explain_add(&out->certain,
			"%u ICMP errors of routers about these flows came: such errors are let in",
			c->usual);
	if (c->foreign)
		explain_add(&out->certain,
			"%u ICMP errors or datagrams came that were no knock with this code",
			c->foreign);
	if (c->stale) {
		explain_add(&out->certain,
			"a knock came with the right code, from a clock that differs from this "
			"one by %lld s",
			(long long)(c->clock_ms / 1000));
		explain_add(&out->likely, "one of the two clocks is wrong");
		explain_add(&out->try_next, "set the clocks of both hosts (NTP)");
	}
	if (c->replayed)
		explain_add(
			&out->certain, "%u knocks came that somebody had recorded", c->replayed);
	if (c->surplus)
		explain_add(&out->certain, "%u knocks were too many", c->surplus);
}

/* It can tell less, and there is something better. */
static void explain_classic(const struct session_view *v, struct explanation *out)
{
	const struct waiter_counts *c = v->waited;

	explain_add(&out->certain,
		"%u echo requests went to the dark in %.1f s, and %u errors about them came",
		c->sent - c->unsent, seconds(v), c->exceeded);
	add_unsent("echo requests", c->unsent, c->error, out);
	add_heard(v, out);
	if (c->exceeded)
		explain_add(&out->likely,
			"the NAT of one side gives out other ports than that of the code, or the "
			"errors came from behind a NAT, or from routers");
	else
		explain_add(&out->likely,
			"nobody knocked with --classic and this code; or the NAT of this side "
			"changes the identifier of an echo, or lets no ICMP errors in");
	explain_add(&out->try_next, "without --classic, on both sides");
}

static void explain_no_visitor(
	const struct session_view *v, const struct trail *trail, struct explanation *out)
{
	const struct waiter_counts *c = v->waited;

	if (v->knock.classic) {
		explain_classic(v, out);
		return;
	}
	explain_add(&out->certain,
		"%u flows to dark endpoints were kept for %.1f s, by %u datagrams", c->flows,
		seconds(v), c->sent - c->unsent);
	reason_add_sockets(trail, out);
	if (c->open_error == -EADDRINUSE) {
		explain_add(&out->likely,
			"icmppunch --wait runs already on this host with this code, and is knocked "
			"at; or another program has the port");
		explain_add(&out->try_next, "another code: without CODE one is drawn");
	}
	add_unsent("datagrams to the dark", c->unsent, c->error, out);
	add_heard(v, out);
	if (c->stale || (c->unsent && c->unsent == c->sent))
		return;
	explain_add(&out->likely,
		"nobody knocked; or with another code, at another address, or from a clock that is "
		"off by more than %d s",
		KNOCK_CLOCK_S);
	explain_add(&out->likely,
		"the knocking side's NAT drops ICMP errors that belong to no flow of its own: what "
		"icmppunch says there tells more");
	if (!c->usual)
		explain_add(&out->likely,
			"a NAT or firewall of this side lets no ICMP errors in: natprobe -t icmp "
			"tells");
	explain_add(&out->try_next, "exchange the roles of the two sides");
	explain_add(&out->try_next, "udppunch, which meets at a server");
}

/* --- who knocks --- */

static void add_own_nat(const struct session_view *v, struct explanation *out)
{
	int f = v->knock.target.family == FAMILY_IPV6;
	char local[ENDPOINT_TEXT], mapped[ENDPOINT_TEXT], target[ENDPOINT_TEXT];

	if (v->mapped[f].family != FAMILY_NONE)
		explain_add(&out->certain, "this host is %s, and seen from outside %s",
			endpoint_format_address(&v->knock.source, local),
			endpoint_format_address(&v->mapped[f], mapped));
	else if (endpoint_is_private(&v->knock.source))
		explain_add(&out->certain,
			"this host's address, %s, is private, and that of %s is %s",
			endpoint_format_address(&v->knock.source, local),
			endpoint_format_address(&v->knock.target, target),
			endpoint_is_private(&v->knock.target) ? "private, too" : "not");
}

static bool is_behind_nat(const struct session_view *v)
{
	return endpoint_is_private(&v->knock.source) && !endpoint_is_private(&v->knock.target);
}

/* What the host itself, or somebody on the way, has said to the datagrams. */
static void add_errors(
	const struct session_view *v, const struct trail *trail, struct explanation *out)
{
	char offender[ENDPOINT_TEXT];

	for (size_t i = 0; i < trail->error_count; i++) {
		const struct trail_error *e = &trail->errors[i];
		bool itself = endpoint_same_address(&e->offender, &v->knock.target);
		bool port = itself &&
			(e->offender.family == FAMILY_IPV4 ? e->type == 3 && e->code == 3
							   : e->type == 1 && e->code == 4);

		if (e->offender.family == FAMILY_NONE)
			continue;
		explain_add(&out->certain, "%s answered %u datagrams with ICMP type %u code %u%s",
			endpoint_format_address(&e->offender, offender), e->count, e->type, e->code,
			port ? ", port unreachable" : "");
		if (port)
			explain_add(&out->likely,
				"nobody waits at %s: it answers itself, or its NAT does, that "
				"nothing "
				"is open there",
				offender);
	}
}

/* natprobed has looked for errors that belong to nothing: whether this settles it. */
static bool add_egress(const struct session_view *v, struct explanation *out)
{
	const struct knock_egress_result *e = &v->knock.egress;
	char from[ENDPOINT_TEXT];

	if (e->state == KNOCK_EGRESS_OUT) {
		explain_add(&out->certain,
			"natprobed saw %u of %u ICMP errors that this host sent to it: they get "
			"out, "
			"with the address %s",
			e->seen, e->sent, endpoint_format_address(&e->from, from));
		if (endpoint_is_private(&e->from) && !endpoint_is_private(&v->knock.target))
			explain_add(&out->likely,
				"the own NAT lets such errors out with the private address %s, and "
				"networks on the way drop that",
				from);
	}
	if (e->state != KNOCK_EGRESS_DROPPED)
		return false;
	explain_add(&out->certain,
		"%u ICMP errors left this host for natprobed, and none has arrived, while UDP has",
		e->sent);
	explain_add(&out->likely,
		"this side's NAT or firewall drops ICMP errors that belong to no flow of its own, "
		"as "
		"RFC 5508 REQ-5 asks it to: no knock gets out");
	explain_add(&out->likely,
		"or a firewall there drops them, which says nothing of knocks: then "
		"without --server");
	return true;
}

static void explain_no_answer(
	const struct session_view *v, const struct trail *trail, struct explanation *out)
{
	const struct knocker_counts *c = v->knocked;
	char target[ENDPOINT_TEXT];

	if (!c)
		return;
	explain_add(&out->certain,
		"%u ICMP errors and %u datagrams left this host for %s in %.1f s, and nothing came "
		"back with this code",
		c->errors - c->unsent, c->datagrams,
		endpoint_format_address(&v->knock.target, target), seconds(v));
	add_unsent("ICMP errors", c->unsent, c->error, out);
	add_own_nat(v, out);
	if (c->unsent && c->unsent == c->errors)
		return;
	if (add_egress(v, out)) {
		explain_add(&out->try_next,
			"let the other side knock, and this one wait; or knock from a host with a "
			"public address");
		explain_add(&out->try_next, "udppunch, which meets at a server");
		return;
	}
	if (is_behind_nat(v) && v->knock.egress.state != KNOCK_EGRESS_OUT) {
		explain_add(&out->likely,
			"this side's NAT drops ICMP errors that belong to no flow of its own, as "
			"RFC "
			"5508 REQ-5 asks it to, or lets them out with the private address");
		explain_add(&out->try_next,
			"let the other side knock, and this one wait; or knock from a host with a "
			"public address");
		explain_add(
			&out->try_next, "natprobe -t icmp: it tells whether such errors get out");
	}
	if (v->knock.classic)
		explain_add(&out->try_next, "without --classic, on both sides");
	else if (is_behind_nat(v) && v->mapped[0].family == FAMILY_NONE &&
		v->mapped[1].family == FAMILY_NONE)
		explain_add(&out->try_next,
			"--server: a STUN server shows this side its own endpoint, which the "
			"answer "
			"has to be sent to");
	add_errors(v, trail, out);
	explain_add(&out->likely,
		"nobody waits there: icmppunch --wait was not started, has another code, or one of "
		"the clocks is off by more than %d s",
		KNOCK_CLOCK_S);
	explain_add(&out->likely, "the NAT or a firewall of the other side lets no ICMP errors in");
	explain_add(&out->try_next, "udppunch, which meets at a server");
}

/* --- both --- */

static void explain_no_way(const struct session_view *v, struct explanation *out)
{
	char from[ENDPOINT_TEXT];
	const struct endpoint *e = &v->knock.visitor;

	explain_add(&out->certain,
		v->knock.waits ? "the knock came from %s" : "the answer came from %s",
		e->port ? endpoint_format(e, from) : endpoint_format_address(e, from));
	if (v->knock.waits)
		add_heard(v, out);
	if (v->knock.waits && endpoint_is_private(e)) {
		explain_add(&out->likely,
			"the other side is behind a NAT that lets ICMP errors out as they are, "
			"with "
			"the private address, and does not say where it is seen from outside");
		explain_add(&out->try_next,
			"--server on the knocking side: a STUN server shows it its own endpoint");
		return;
	}
	explain_add(&out->likely,
		"a firewall of one side does not let in what comes from another port than it has "
		"sent to, and the NAT of the other side gives out ports at random");
	explain_add(&out->try_next, "udppunch, which meets at a server and knows both NATs");
}

bool reason_knock_explain(unsigned reason, const struct session_view *v, const struct trail *trail,
	struct explanation *out)
{
	if (!v->knock.on)
		return false;
	if (reason == SESSION_NO_PEER && v->knock.waits)
		explain_no_visitor(v, trail, out);
	else if (reason == SESSION_NO_PEER)
		explain_no_answer(v, trail, out);
	else if (reason == SESSION_NO_PATH)
		explain_no_way(v, out);
	else
		return false;
	return true;
}
