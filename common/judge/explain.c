// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/explain_private.h"

#define ERRORS_TOLD 4 /* the rest is summed up */
/* a budget that can be asked of two home routers, and what is good enough */
#define LARGER_MAX     16384u
#define LARGER_SOCKETS 256
#define LARGER_GOOD    0.9

void explain_add(struct explain_list *l, const char *format, ...)
{
	va_list args;

	if (l->count == EXPLAIN_MAX)
		return;
	va_start(args, format);
	vsnprintf(l->text[l->count++], EXPLAIN_TEXT, format, args);
	va_end(args);
}

/* --- the sides --- */

static const char *reaction_text(enum early_packet e)
{
	switch (e) {
	case EARLY_REMAP:
		return ", a packet of the peer that comes too early costs the port";
	case EARLY_REJECT:
		return ", a packet of the peer that comes too early is answered with an error";
	default:
		return "";
	}
}

static const char *status_text(enum path_status s)
{
	switch (s) {
	case PATH_BLOCKED:
		return "UDP blocked";
	case PATH_UNREACHABLE:
		return "nothing was answered over UDP";
	default:
		return "UDP not measured";
	}
}

void explain_side(const struct pair_side *s, char *out, size_t size)
{
	int n;

	if (s->status != PATH_OK) {
		snprintf(out, size, "%s", status_text(s->status));
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
		snprintf(out + n, size - (size_t)n, "%s", reaction_text(s->early));
}

static void add_side(struct explanation *e, const char *whose, const struct pair_side *s)
{
	char text[EXPLAIN_TEXT - 32];

	explain_side(s, text, sizeof(text));
	explain_add(&e->certain, "%s: %s", whose, text);
}

/* --- ICMP errors --- */

static bool is_port_unreachable(enum family family, uint8_t type, uint8_t code)
{
	return family == FAMILY_IPV6 ? type == 1 && code == 4 : type == 3 && code == 3;
}

static bool is_prohibition(enum family family, uint8_t type, uint8_t code)
{
	if (family == FAMILY_IPV6)
		return type == 1 && (code == 1 || code == 5 || code == 6);
	return type == 3 && (code == 9 || code == 10 || code == 13);
}

/* Packets of ours that are meant to end on the way are no news. */
static bool is_time_exceeded(enum family family, uint8_t type)
{
	return type == (family == FAMILY_IPV6 ? 3 : 11);
}

static const char *icmp_text(enum family family, uint8_t type, uint8_t code)
{
	if (is_port_unreachable(family, type, code))
		return "port unreachable";
	if (is_prohibition(family, type, code))
		return "prohibited by a firewall";
	if (is_time_exceeded(family, type))
		return "time exceeded";
	if (family == FAMILY_IPV6 ? type == 2 : type == 3 && code == 4)
		return "packet too big";
	return "unreachable";
}

/* Somebody does not want the packets. */
static bool is_refusal(const struct trail_error *x)
{
	return is_port_unreachable(x->offender.family, x->type, x->code) ||
		is_prohibition(x->offender.family, x->type, x->code);
}

static void add_error(struct explanation *e, const struct trail_error *x)
{
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	if (x->to.port)
		endpoint_format(&x->to, to);
	else
		endpoint_format_address(&x->to, to);
	if (x->offender.family == FAMILY_NONE)
		explain_add(&e->certain, "this host itself refused %u of our packets to %s",
			x->count, to);
	else
		explain_add(&e->certain,
			"ICMP type %u code %u (%s) came from %s, %u times, for packets to %s",
			x->type, x->code, icmp_text(x->offender.family, x->type, x->code),
			endpoint_format_address(&x->offender, from), x->count, to);
}

/* The next one by count, of those that are not told yet; NULL: none is left. */
static const struct trail_error *next_error(const struct trail *t, bool told[static TRAIL_ERRORS])
{
	const struct trail_error *next = NULL;

	for (size_t i = 0; i < t->error_count; i++) {
		const struct trail_error *x = &t->errors[i];

		if (!told[i] && !is_time_exceeded(x->offender.family, x->type) &&
			(!next || x->count > next->count))
			next = x;
	}
	if (next)
		told[next - t->errors] = true;
	return next;
}

void explain_errors(struct explanation *e, const struct trail *t)
{
	bool told[TRAIL_ERRORS] = {false};
	const struct trail_error *x;
	unsigned others = 0;

	for (unsigned i = 0; t && (x = next_error(t, told)); i++)
		if (i < ERRORS_TOLD)
			add_error(e, x);
		else
			others += x->count;
	if (others)
		explain_add(&e->certain, "%u ICMP errors of other kinds came", others);
}

/* --- the server --- */

/* Its host itself says that nothing listens. */
static bool is_closed(const struct trail_error *x)
{
	return endpoint_same_address(&x->offender, &x->to) &&
		is_port_unreachable(x->offender.family, x->type, x->code);
}

static void judge_server_error(struct explanation *e, const struct trail_error *x)
{
	char from[ENDPOINT_TEXT];

	endpoint_format_address(&x->offender, from);
	if (x->offender.family == FAMILY_NONE)
		explain_add(&e->likely,
			"this host does not send to the server: it has no route, or a firewall of "
			"its own");
	else if (is_closed(x))
		explain_add(&e->likely,
			"%s says that its UDP port %u is closed: is natprobed running on that "
			"port?",
			from, x->to.port);
	else if (is_refusal(x))
		explain_add(&e->likely, "%s refuses UDP to the server", from);
	else
		explain_add(&e->likely, "%s cannot deliver UDP to the server", from);
}

/* Whether one was that the server's port is closed. */
static bool add_server_errors(struct explanation *e, const struct trail *t)
{
	bool closed = false;

	for (size_t i = 0; t && i < t->server_error_count; i++) {
		add_error(e, &t->server_errors[i]);
		judge_server_error(e, &t->server_errors[i]);
		closed |= is_closed(&t->server_errors[i]);
	}
	return closed;
}

/* --- what was tried --- */

/* The last attempt, and all together. */
struct tally {
	unsigned attempts, received;
	const struct trail_attempt *last;
};

static void add_attempt(struct explanation *e, unsigned number, const struct trail_attempt *a)
{
	char refused[48] = "";

	if (a->refused)
		snprintf(refused, sizeof(refused), ", %u more were not authentic", a->refused);
	explain_add(&e->certain, "attempt %u, %s: %u packets to the peer, %u of its arrived%s%s",
		number, a->strategy, a->sent, a->received, refused,
		a->received ? ", but nothing that proves both directions" : "");
}

static struct tally add_attempts(struct explanation *e, const struct trail *t)
{
	struct tally sum = {.last = NULL};

	for (unsigned i = 0; t && i <= t->attempt && *t->attempts[i].strategy; i++) {
		sum.last = &t->attempts[i];
		add_attempt(e, i + 1, sum.last);
		sum.attempts++;
		sum.received += sum.last->received;
	}
	if (t && !sum.attempts && t->attempts[0].sent)
		explain_add(&e->certain,
			"no plan: %u packets went to addresses that the peer has named, %u of its "
			"arrived",
			t->attempts[0].sent, t->attempts[0].received);
	else if (!sum.attempts)
		explain_add(&e->certain, "no plan: nothing was sent to the peer");
	return sum;
}

void explain_said_error(struct explanation *e, const struct explain_peer *p)
{
	char from[ENDPOINT_TEXT];

	if (p->offender.family != FAMILY_NONE && !is_time_exceeded(p->offender.family, p->type))
		explain_add(&e->certain,
			"the peer says that ICMP type %u code %u (%s) came to it from %s; errors "
			"in "
			"all: %u",
			p->type, p->code, icmp_text(p->offender.family, p->type, p->code),
			endpoint_format_address(&p->offender, from), p->errors);
}

static void add_said(struct explanation *e, const struct explain_peer *p)
{
	if (!p->said)
		return;
	explain_add(&e->certain,
		"the peer says of its last attempt: %u packets sent, %u of ours arrived", p->sent,
		p->received);
	explain_said_error(e, p);
}

/* --- what follows --- */

/* Whether this side, the other or both are meant: NULL for none. */
const char *explain_whose(bool own, bool peer)
{
	return own && peer ? "each" : own ? "this" : peer ? "the other" : NULL;
}

static bool is_hard(const struct pair_side *s)
{
	return s->nat != TRI_NO && s->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT;
}

unsigned explain_of_hundred(double chance)
{
	return (unsigned)(chance * 100 + 0.5);
}

/* The error that came most often; for addresses inside of other networks they are nothing unusual. */
static const struct trail_error *find_refusal(const struct trail *t)
{
	const struct trail_error *most = NULL;

	for (size_t i = 0; t && i < t->error_count; i++) {
		const struct trail_error *x = &t->errors[i];

		if (!is_time_exceeded(x->offender.family, x->type) &&
			!endpoint_is_private(&x->to) && (!most || x->count > most->count))
			most = x;
	}
	return most;
}

/* Who answers with errors says how far our packets got. */
void explain_refusal(struct explanation *e, const struct trail *t)
{
	const struct trail_error *x = find_refusal(t);
	char from[ENDPOINT_TEXT];

	if (!x)
		return;
	endpoint_format_address(&x->offender, from);
	if (x->offender.family == FAMILY_NONE)
		explain_add(&e->likely,
			"this host does not send to the peer: it has no route, or a firewall of "
			"its own");
	else if (endpoint_same_address(&x->offender, &x->to))
		explain_add(&e->likely,
			"our packets get as far as %s and are not let in there: it has no mapping "
			"for them, or another port",
			from);
	else if (is_refusal(x))
		explain_add(&e->likely, "%s, on the way to the peer, refuses our packets", from);
	else
		explain_add(
			&e->likely, "%s, on the way to the peer, cannot deliver our packets", from);
}

/* Something arrives, at least in one direction. Whether there is a word to say about it. */
static bool judge_direction(
	struct explanation *e, const struct explain_peer *said, const struct tally *sum)
{
	bool ours = said->said && said->received;
	bool theirs = said->said ? sum->last->received : sum->received;

	if (ours && theirs)
		explain_add(&e->likely,
			"packets arrive in both directions, and no answer to one does: something "
			"on "
			"the way gives answers another port, or keeps them back");
	else if (ours)
		explain_add(&e->likely,
			"our packets reach the peer, and neither its own nor its answers reach us: "
			"a NAT or firewall on this side keeps them back");
	else if (theirs && said->said)
		explain_add(&e->likely,
			"the peer's packets reach us, and neither our own nor our answers reach "
			"it: a NAT or firewall on the other side keeps them back");
	else if (theirs)
		explain_add(&e->likely,
			"the peer's packets reach us; whether ours reach it is unknown, since it "
			"has not said so");
	return ours || theirs;
}

void explain_luck(struct explanation *e, const struct plans *plans, bool both_hard)
{
	unsigned missed = 100 - explain_of_hundred(plans_chance(plans));

	explain_add(&e->likely,
		both_hard ? "the guesses have not met: both NATs choose a new port for each peer, "
			    "and both ports of a pair have to be met"
			  : "the guesses have not met: one NAT chooses a new port for each peer, "
			    "and the other side has to meet one of them");
	if (missed > 4)
		explain_add(&e->likely, "by the numbers that happens in %u of 100 runs", missed);
	else
		explain_add(&e->likely,
			"by the numbers that happens in fewer than 5 of 100 runs: the table of a "
			"router may be full, or it chooses ports otherwise than it was measured");
}

/* Nothing has arrived on either side, as far as is known. */
static void judge_silence(struct explanation *e, const struct explain_facts *f)
{
	const char *unreachable = explain_whose(
		f->own->status == PATH_UNREACHABLE, f->peer->status == PATH_UNREACHABLE);
	bool own = f->own->mapping == DEPENDENCE_UNKNOWN && f->own->nat != TRI_NO;
	bool peer = f->peer->mapping == DEPENDENCE_UNKNOWN && f->peer->nat != TRI_NO;

	if (unreachable)
		explain_add(&e->likely,
			"UDP is dropped on %s side: the server has answered nothing there that was "
			"asked over UDP to measure the NAT",
			unreachable);
	else if (own || peer)
		explain_add(&e->likely,
			"%s NAT could not be measured well enough to choose the right way",
			own && peer   ? "either"
				: own ? "the own"
				      : "the peer's");
	else if (plans_guess(f->plans))
		explain_luck(e, f->plans, is_hard(f->own) && is_hard(f->peer));
	else if (f->own->early == EARLY_REMAP || f->peer->early == EARLY_REMAP)
		explain_add(&e->likely,
			"a packet came too early all the same: it makes the NAT of %s side give "
			"the flow to its sender another port, where nobody looks for it",
			f->own->early != f->peer->early
				? f->own->early == EARLY_REMAP ? "this" : "the other"
				: "either");
	else
		explain_add(&e->likely,
			"a firewall that the measurement does not show keeps back what is not sent "
			"to the server, or a NAT behaved differently than it did when it was "
			"measured");
}

/* --- what to do --- */

void explain_other_family(struct explanation *e, enum family family, bool possible)
{
	char other = family == FAMILY_IPV4 ? '6' : '4';

	if (possible)
		explain_add(&e->try_next,
			"-%c on both sides: the plans were for IPv%c, and over IPv%c only the "
			"endpoints that are known were tried",
			other, family == FAMILY_IPV4 ? '4' : '6', other);
	else if (family == FAMILY_IPV4)
		explain_add(&e->try_next,
			"IPv6 on both sides: where there is no NAT only firewalls have to be "
			"passed");
}

static unsigned budget_of(const struct pair_side *s)
{
	return s->packets_max ? s->packets_max : 2048;
}

static double chance_with(const struct explain_facts *f, unsigned packets)
{
	struct pair_side sides[2] = {*f->own, *f->peer};
	struct pair_advice larger;
	struct plans plans;

	for (int i = 0; i < 2; i++) {
		sides[i].packets_max = packets;
		sides[i].sockets_max = LARGER_SOCKETS;
	}
	pair_advise(sides, &larger);
	plans_from_udp(&larger, &plans);
	return plans_chance(&plans);
}

/* The smallest budget with which it would go well, or else better. */
static void advise_budget(struct explanation *e, const struct explain_facts *f)
{
	unsigned packets =
		budget_of(f->own) < budget_of(f->peer) ? budget_of(f->own) : budget_of(f->peer);
	unsigned best_packets = 0;
	double best = plans_chance(f->plans);

	for (; packets <= LARGER_MAX && best < LARGER_GOOD; packets *= 2) {
		double chance = chance_with(f, packets);

		if (chance <= best)
			continue;
		best = chance;
		best_packets = packets;
	}
	if (best_packets)
		explain_add(&e->try_next,
			"--packets %u --sockets %d on both sides, if the routers can bear it: by "
			"the numbers %u of 100 such runs succeed",
			best_packets, LARGER_SOCKETS, explain_of_hundred(best));
}

void explain_once_more(struct explanation *e, const struct plans *plans)
{
	double chance = plans_chance(plans);

	if (plans_guess(plans) && chance >= 0.3)
		explain_add(&e->try_next,
			"once more: where ports are guessed luck decides, and by the numbers %u of "
			"100 runs succeed",
			explain_of_hundred(chance) < 99 ? explain_of_hundred(chance) : 99);
}

static void advise_luck(struct explanation *e, const struct explain_facts *f)
{
	explain_once_more(e, f->plans);
	if (is_hard(f->own) || is_hard(f->peer))
		advise_budget(e, f);
}

static bool has_firewall(const struct pair_side *s)
{
	return s->nat == TRI_NO && s->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static void advise_routers(struct explanation *e, const struct explain_facts *f)
{
	const char *side =
		explain_whose(f->own->early == EARLY_REMAP, f->peer->early == EARLY_REMAP);

	if (side)
		explain_add(&e->try_next,
			"on the router of %s side: drop UDP to the router itself instead of "
			"accepting it, so that an early packet costs no port",
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
			"a UDP port that the router of one side forwards to its host and keeps for "
			"what comes from there, given with --bind");
	else if (has_firewall(f->own) || has_firewall(f->peer))
		explain_add(&e->try_next,
			"a rule in the firewall of one side that lets in UDP to one port, given "
			"with --bind");
}

static void advise(struct explanation *e, const struct explain_facts *f)
{
	const char *blocked = explain_whose(f->own->status != PATH_OK, f->peer->status != PATH_OK);

	if (blocked)
		explain_add(
			&e->try_next, "let UDP out on %s side, or another network there", blocked);
	explain_other_family(e, f->family, f->other_family_possible);
	if (f->own->status == PATH_OK && f->peer->status == PATH_OK) {
		advise_luck(e, f);
		advise_routers(e, f);
	}
	explain_add(&e->try_next,
		"a relay (TURN), which costs a detour and works wherever UDP or TCP passes at all");
}

void explain_failure(const struct explain_facts *f, struct explanation *e)
{
	struct tally sum;

	memset(e, 0, sizeof(*e));
	add_side(e, "own side", f->own);
	add_side(e, "the peer says of its side", f->peer);
	sum = add_attempts(e, f->trail);
	add_said(e, &f->said);
	explain_errors(e, f->trail);
	if (f->own->status != PATH_OK)
		add_server_errors(e, f->trail);
	if (!f->plans->count && *f->plans->why_not)
		explain_add(&e->likely, "%s", f->plans->why_not);
	explain_refusal(e, f->trail);
	if (sum.attempts && !judge_direction(e, &f->said, &sum))
		judge_silence(e, f);
	advise(e, f);
}

void explain_server(const struct endpoint *server, const struct behaviour *measured,
	const struct trail *t, struct explanation *e)
{
	char text[ENDPOINT_TEXT];
	bool closed;

	explain_add(&e->certain, "no answer came from %s", endpoint_format(server, text));
	closed = add_server_errors(e, t);
	if (measured && measured->status == PATH_OK)
		explain_add(&e->likely,
			"it answers STUN: a STUN server that is no natprobed, or something on the "
			"way lets in nothing but that");
	else if (!t->server_error_count && measured && measured->status == PATH_BLOCKED)
		explain_add(&e->likely, "%s", measured->status_basis.text);
	else if (!t->server_error_count)
		explain_add(&e->likely,
			"no server runs there, or something on the way drops UDP to its port: "
			"silence does not tell which");
	if (closed)
		explain_add(&e->try_next,
			"start natprobed there, or name the port on which it listens: --rendezvous "
			"HOST:PORT");
	else if (!t->server_error_count)
		explain_add(&e->try_next,
			"see that natprobed runs there, with its rendezvous, and that no firewall "
			"keeps UDP from port %u",
			server->port);
	else
		explain_add(&e->try_next,
			"let UDP to port %u pass where it is refused, or another network",
			server->port);
	explain_add(&e->try_next,
		"natprobe, which asks other servers too: whether UDP gets out of this network at "
		"all");
}
