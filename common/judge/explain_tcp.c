// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "judge/explain_private.h"

/*
 * Over TCP there is less silence: a SYN is answered, refused by a RST or by ICMP, or lost; and a connection that came about
 * has somebody at its other end, who may not be the peer.
 */

#define LARGER_MAX  512 /* connections: below the usual limit of open files */
#define LARGER_GOOD 0.9

/* --- the sides --- */

static const char *early_text(enum early_syn e)
{
	switch (e) {
	case EARLY_SYN_RST:
		return ", a SYN of the peer that comes too early is refused by a RST";
	case EARLY_SYN_ICMP:
		return ", a SYN of the peer that comes too early is refused by ICMP";
	case EARLY_SYN_LATE:
		return ", a SYN of the peer that comes too early is refused after 6 s";
	case EARLY_SYN_REMAP:
		return ", a SYN of the peer that comes too early costs the port";
	default:
		return "";
	}
}

void explain_tcp_side(const struct pair_tcp_side *s, char *out, size_t size)
{
	int n;

	if (s->status != PATH_OK) {
		snprintf(out, size, "%s",
			s->status == PATH_BLOCKED		? "TCP blocked"
				: s->status == PATH_UNREACHABLE ? "no server was reached over TCP"
								: "TCP not measured");
		return;
	}
	if (s->nat == TRI_NO)
		n = snprintf(out, size, "no NAT, %s filtering", dependence_name(s->filtering));
	else
		n = snprintf(out, size, "%s %s mapping, %s filtering, %s ports",
			s->nat == TRI_YES ? "NAT with" : "whether there is a NAT is unknown:",
			dependence_name(s->mapping), dependence_name(s->filtering),
			allocation_name(s->allocation));
	if (n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, "%s%s", early_text(s->early),
			s->simultaneous == TRI_NO
				? ", no SYN of the peer is let in even when its own is out"
				: "");
}

static void add_side(struct explanation *e, const char *whose, const struct pair_tcp_side *s)
{
	char text[EXPLAIN_TEXT - 32];

	explain_tcp_side(s, text, sizeof(text));
	explain_add(&e->certain, "%s: %s", whose, text);
}

/* --- what was tried --- */

struct tally {
	unsigned attempts, opened, accepted, resets, received;
};

static void add_attempt(struct explanation *e, unsigned number, const struct trail_attempt *a)
{
	char opened[64] = "", accepted[40] = "", received[48] = "";

	if (a->opened > a->accepted)
		snprintf(opened, sizeof(opened), ", %u came about", a->opened - a->accepted);
	if (a->accepted)
		snprintf(accepted, sizeof(accepted), ", %u came in", a->accepted);
	if (a->received)
		snprintf(received, sizeof(received), ", with %u messages of the peer", a->received);
	explain_add(&e->certain,
		"attempt %u, %s: %u connections begun, %u refused by a RST, %u by ICMP%s%s%s",
		number, a->strategy, a->sent, a->resets, a->errors, opened, accepted,
		a->opened && !a->received ? ", with nothing of the peer" : received);
}

static struct tally add_attempts(struct explanation *e, const struct trail *t)
{
	struct tally sum = {.attempts = 0};

	for (unsigned i = 0; t && i <= t->attempt && *t->attempts[i].strategy; i++) {
		const struct trail_attempt *a = &t->attempts[i];

		add_attempt(e, i + 1, a);
		sum.attempts++;
		sum.opened += a->opened - a->accepted;
		sum.accepted += a->accepted;
		sum.resets += a->resets;
		sum.received += a->received;
	}
	if (!sum.attempts)
		explain_add(&e->certain,
			t && t->attempts[0].sent
				? "no plan: only addresses that the peer has named were tried"
				: "no plan: nothing was sent to the peer");
	return sum;
}

static void add_said(struct explanation *e, const struct explain_peer *p)
{
	if (!p->said)
		return;
	explain_add(&e->certain,
		"the peer says of its last attempt: %u connections begun, %u refused by a RST, "
		"%u "
		"came about",
		p->sent, p->resets, p->opened);
	explain_said_error(e, p);
}

/* --- what follows --- */

static bool is_hard(const struct pair_tcp_side *s)
{
	return s->nat != TRI_NO && s->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static bool refuses(enum early_syn e)
{
	return e == EARLY_SYN_RST || e == EARLY_SYN_ICMP;
}

static void judge_strangers(
	struct explanation *e, const struct explain_tcp_facts *f, const struct tally *sum)
{
	if (sum->opened && !sum->received)
		explain_add(&e->likely,
			"somebody else answers at the peer's endpoint: another user of the same "
			"address, or a proxy on the way that takes connections for others");
	else if (sum->received)
		explain_add(&e->likely,
			"a connection came about and what the peer says over it arrives, but it "
			"breaks before both are done: something on the way ends it");
	else if (f->said.said && f->said.opened)
		explain_add(&e->likely,
			"connections of the peer come about, and not with this side: a proxy or "
			"another host answers in its place");
}

/* What was measured of a NAT whose side has refused SYNs. */
enum { SHOWN, NOT_SHOWN, NOT_MEASURED, SHOWN_KINDS };

static unsigned shown_by(enum early_syn e)
{
	return refuses(e) ? SHOWN : e == EARLY_SYN_UNKNOWN ? NOT_MEASURED : NOT_SHOWN;
}

static void judge_resets(
	struct explanation *e, const struct explain_tcp_facts *f, const struct tally *sum)
{
	static const struct {
		const char *who, *what;
	} texts[SHOWN_KINDS] = {
		[SHOWN] = {"the NAT",
			" that come before its own has gone out, and no try of the two has met the "
			"other's"},
		[NOT_SHOWN] = {"the host, or the NAT,",
			", although that did not show when it was measured: a firewall of the "
			"host, or a box that only acts on what does not come from a server"},
		[NOT_MEASURED] = {"the host, or the NAT,",
			"; how it takes those that come too early could not be measured"},
	};
	bool own = f->said.said && f->said.resets, peer = sum->resets != 0;

	for (unsigned k = 0; k < SHOWN_KINDS; k++) {
		const char *side = explain_whose(
			own && shown_by(f->own->early) == k, peer && shown_by(f->peer->early) == k);

		if (side)
			explain_add(&e->likely, "%s of %s side refuses SYNs%s", texts[k].who, side,
				texts[k].what);
	}
}

static void judge_accepted(struct explanation *e, const struct tally *sum)
{
	if (sum->accepted && !sum->received)
		explain_add(&e->likely,
			"what came in was of strangers, who look for open ports: it says nothing "
			"of the way to the peer");
}

static void judge_silence(struct explanation *e, const struct explain_tcp_facts *f)
{
	const char *unreachable = explain_whose(
		f->own->status == PATH_UNREACHABLE, f->peer->status == PATH_UNREACHABLE);
	bool own = f->own->mapping == DEPENDENCE_UNKNOWN && f->own->nat != TRI_NO;
	bool peer = f->peer->mapping == DEPENDENCE_UNKNOWN && f->peer->nat != TRI_NO;

	if (unreachable)
		explain_add(&e->likely,
			"TCP to the endpoints with which NATs are measured is dropped on %s side",
			unreachable);
	else if (own || peer)
		explain_add(&e->likely,
			"%s NAT could not be measured well enough to choose the right way",
			own && peer   ? "either"
				: own ? "the own"
				      : "the peer's");
	else if (plans_guess(f->plans))
		explain_luck(e, f->plans, is_hard(f->own) && is_hard(f->peer));
	else
		explain_add(&e->likely,
			"a firewall that the measurement does not show keeps back SYNs that do not "
			"come from the server, or a NAT behaved differently than it did when it "
			"was measured");
}

/* --- what to do --- */

static double chance_with(const struct explain_tcp_facts *f, uint16_t connections)
{
	struct pair_tcp_side sides[2] = {*f->own, *f->peer};
	struct pair_tcp_advice larger;
	struct plans plans;

	sides[0].connections_max = sides[1].connections_max = connections;
	pair_tcp_advise(sides, f->family, &larger);
	plans_from_tcp(&larger, &plans);
	return plans_chance(&plans);
}

static void advise_budget(struct explanation *e, const struct explain_tcp_facts *f)
{
	double chance = chance_with(f, LARGER_MAX);

	if (chance > plans_chance(f->plans) + 0.05)
		explain_add(&e->try_next,
			"--connections %d on both sides, if the routers can bear it: by the "
			"numbers %u of 100 such runs succeed",
			LARGER_MAX, explain_of_hundred(chance));
}

static void advise_routers(struct explanation *e, const struct explain_tcp_facts *f)
{
	const char *side = explain_whose(refuses(f->own->early), refuses(f->peer->early));

	if (side)
		explain_add(&e->try_next,
			"on the router of %s side: drop TCP to the router itself instead of "
			"refusing it (RFC 5382 REQ-4)",
			side);
	side = explain_whose(is_hard(f->own), is_hard(f->peer));
	if (side)
		explain_add(&e->try_next,
			"on the router of %s side: the same port for all destinations, where it "
			"can be set (no random ports, no symmetric NAT); or another network there, "
			"such as a phone as router",
			side);
	if (f->own->nat != TRI_NO || f->peer->nat != TRI_NO)
		explain_add(&e->try_next,
			"a TCP port that the router of one side forwards to its host, given with "
			"--bind");
	else
		explain_add(&e->try_next,
			"a rule in the firewall of one side that lets in TCP to one port, given "
			"with --bind");
}

static void advise(struct explanation *e, const struct explain_tcp_facts *f)
{
	const char *blocked = explain_whose(f->own->status != PATH_OK, f->peer->status != PATH_OK);

	if (blocked)
		explain_add(
			&e->try_next, "let TCP out on %s side, or another network there", blocked);
	explain_other_family(e, f->family, f->other_family_possible);
	if (!blocked) {
		explain_once_more(e, f->plans);
		advise_budget(e, f);
		advise_routers(e, f);
	}
	explain_add(&e->try_next,
		"udppunch: UDP has no handshake that a NAT could refuse, and ports are guessed "
		"with "
		"many more packets");
	explain_add(&e->try_next,
		"a relay (TURN), which costs a detour and works wherever UDP or TCP passes at all");
}

void explain_tcp_failure(const struct explain_tcp_facts *f, struct explanation *e)
{
	struct tally sum;

	memset(e, 0, sizeof(*e));
	add_side(e, "own side", f->own);
	add_side(e, "the peer says of its side", f->peer);
	sum = add_attempts(e, f->trail);
	add_said(e, &f->said);
	explain_errors(e, f->trail);
	if (!f->plans->count && *f->plans->why_not)
		explain_add(&e->likely, "%s", f->plans->why_not);
	explain_refusal(e, f->trail);
	judge_strangers(e, f, &sum);
	judge_resets(e, f, &sum);
	if (sum.attempts && !e->likely.count)
		judge_silence(e, f);
	judge_accepted(e, &sum);
	advise(e, f);
}

/* Something else than natprobed has the port. */
static void explain_taken(const char *server, int error, struct explanation *e)
{
	explain_add(&e->certain, "%s takes connections, and %s", server,
		error == -EBADMSG	       ? "sends what is no message of natprobed"
			: error == -ECONNRESET ? "ends them"
					       : "does not answer");
	explain_add(&e->likely,
		"it takes connections and is no natprobed, or one without a rendezvous");
	explain_add(&e->try_next,
		"name the port on which natprobed listens: --rendezvous HOST:PORT; see that it "
		"runs with its rendezvous");
}

static void explain_untaken(const struct endpoint *server, int error, struct explanation *e)
{
	char text[ENDPOINT_TEXT];

	endpoint_format(server, text);
	if (error == -ECONNREFUSED) {
		explain_add(&e->certain, "%s refuses TCP", text);
		explain_add(&e->likely, "its port %u is closed: is natprobed running on that port?",
			server->port);
		explain_add(&e->try_next,
			"start natprobed there, or name the port on which it listens: --rendezvous "
			"HOST:PORT");
	} else if (error && error != -ETIMEDOUT) {
		explain_add(&e->certain, "%s: %s", text, strerror(-error));
		explain_add(
			&e->likely, "there is no way to it, or a router on the way refuses TCP");
		explain_add(
			&e->try_next, "let TCP to port %u pass, or another network", server->port);
	} else {
		explain_add(&e->certain, "no answer came from %s", text);
		explain_add(&e->likely,
			"no server runs there, or something on the way drops TCP to its port: "
			"silence does not tell which");
		explain_add(&e->try_next,
			"see that natprobed runs there, with its rendezvous, and that no firewall "
			"keeps TCP from port %u",
			server->port);
	}
}

void explain_tcp_server(const struct endpoint *server, bool taken, int error, struct explanation *e)
{
	char text[ENDPOINT_TEXT];

	if (taken)
		explain_taken(endpoint_format(server, text), error, e);
	else
		explain_untaken(server, error, e);
	explain_add(&e->try_next,
		"natprobe -t tcp, which asks other servers too: whether TCP gets out of this "
		"network at all");
}
