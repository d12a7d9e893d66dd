// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/causes_private.h"
#include "judge/causes_punch_private.h"
#include "judge/explain_private.h"
#include "judge/meaning.h"
#include "judge/signs.h"

/* --- what the packets between the two come to --- */

struct peer_traffic {
	unsigned left, came, whole, delivered, resets;
	unsigned replies; /* SYN-ACKs of this host, as it answers a SYN that meets its own */
	unsigned syns; /* that came, with and without ACK */
	uint32_t first_left, last_left, first_came, first_reset;
	uint8_t out_interface, in_interface, reset_ttl;
	unsigned sent, received, refused; /* as the sockets tell */
	unsigned opened, accepted, socket_resets; /* of TCP */
	uint64_t first_left_us, first_came_us;
};

static void count_ours(struct peer_traffic *t, const struct captured *c)
{
	t->replies += c->content == CONTENT_SYN_ACK;
	t->left++;
	t->last_left = c->number;
	if (t->first_left)
		return;
	t->first_left = c->number;
	t->first_left_us = c->t_us;
	t->out_interface = c->interface;
}

static void count_theirs(struct peer_traffic *t, const struct captured *c)
{
	if (c->content == CONTENT_RST) {
		t->resets++;
		if (!t->first_reset) {
			t->first_reset = c->number;
			t->reset_ttl = c->ttl;
		}
		return;
	}
	t->came++;
	t->syns += c->content == CONTENT_SYN || c->content == CONTENT_SYN_ACK;
	t->whole += !c->checksum_wrong;
	t->delivered += c->delivered || !c->delivery_known;
	if (t->first_came)
		return;
	t->first_came = c->number;
	t->first_came_us = c->t_us;
	t->in_interface = c->interface;
}

/* The packets of a talk that has the peer at one end belong to it, whichever way they went. */
static void count_captured(const struct captured_list *l, struct peer_traffic *t)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct captured *c = &l->packets[i];

		if (c->class == CLASS_PEER)
			count_theirs(t, c);
		else if (c->class == CLASS_OURS && c->observation == CAPTURED_NONE &&
			c->content != CONTENT_ERROR && c->to_peer)
			count_ours(t, c);
	}
}

static void count_told(const struct trail *trail, struct peer_traffic *t)
{
	for (unsigned i = 0; i <= trail->attempt && i < TRAIL_ATTEMPTS; i++) {
		const struct trail_attempt *a = &trail->attempts[i];

		t->sent += a->sent;
		t->received += a->received;
		t->refused += a->refused;
		t->opened += a->opened;
		t->accepted += a->accepted;
		t->socket_resets += a->resets;
	}
}

static void read_traffic(const struct punch_causes_facts *f, struct peer_traffic *t)
{
	*t = (struct peer_traffic){
		.out_interface = CAPTURED_INTERFACES, .in_interface = CAPTURED_INTERFACES};
	count_told(f->trail, t);
	if (f->captured)
		count_captured(f->captured, t);
}

/* --- what shows it --- */

/* The answers that have shown how this side's NAT chooses ports. */
static void cite_mapping(const struct punch_causes_facts *f, struct cause *c)
{
	for (size_t i = 0; i < f->journal->observation_count; i++) {
		const struct observation *o = &f->journal->observations[i];

		if ((o->question != QUESTION_BINDING && o->question != QUESTION_MAPPING) ||
			!o->answers)
			continue;
		cause_evidence(c, i);
		if (f->joined)
			cause_packet(c, f->joined[i].first_came);
	}
}

/* Those that were sent to the peer, as far as any left. */
static void cite_sent(const struct peer_traffic *t, struct cause *c)
{
	cause_packet(c, t->first_left);
	cause_packet(c, t->last_left);
}

/* --- this host --- */

static const char *protocol(const struct punch_causes_facts *f)
{
	return f->tcp ? "TCP" : "UDP";
}

void cause_fill(struct cause *c, const char *title, const char *advice, const char *decide)
{
	cause_text(c->title, sizeof(c->title), "%s", title);
	cause_text(c->advice, sizeof(c->advice), "%s", advice);
	cause_text(c->decide, sizeof(c->decide), "%s", decide);
}

/* The system would not send, or has rejected by itself. */
static bool is_own_error(const struct punch_causes_facts *f, const struct trail_error *x)
{
	return x->offender.family == FAMILY_NONE || host_has_address(f->host, &x->offender);
}

/* The sockets have told that the system would not send. */
static void add_refused_here(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	unsigned refused = 0;
	struct cause *c;

	for (size_t i = 0; i < f->trail->error_count; i++)
		if (is_own_error(f, &f->trail->errors[i]))
			refused += f->trail->errors[i].count;
	if (!refused || t->left || t->received || (!f->captured && refused < t->sent))
		return;
	c = causes_add(out, CAUSE_LOCAL_FIREWALL_OUTPUT,
		f->captured ? CERTAINTY_CERTAIN : CERTAINTY_LIKELY, PLACE_HOST, NULL);
	if (!c)
		return;
	cause_fill(c, "This host does not let packets to the peer out", LOOK_AT_RULES, "");
	cause_text(c->detail, sizeof(c->detail), "The system refused to send %u times%s.", refused,
		f->captured ? ", and the capture has not one packet that left" : "");
}

static void add_never_left(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	struct cause *c;

	if (!f->captured || f->gaps || t->left || !t->sent)
		return;
	c = causes_add(out, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY, PLACE_HOST, NULL);
	if (!c)
		return;
	cause_fill(c, "This host drops what goes to the peer before it leaves", LOOK_AT_RULES,
		"A counter in the rules of its output hook that grows with each run.");
	cause_text(c->detail, sizeof(c->detail),
		"The sockets sent %u times, and the capture has not one packet that left.",
		t->sent);
}

static const char *interface_name(const struct captured_list *l, uint8_t place)
{
	return place < l->interface_count ? l->interfaces[place].name : "an interface";
}

bool cause_is_strict(
	const struct host_record *host, const struct captured_list *l, uint8_t interface)
{
	const struct host_interface *i = host && interface < l->interface_count
		? host_interface(host, l->interfaces[interface].index)
		: NULL;

	return !i || i->strict;
}

/* Which of the ways to lose a packet inside of this host it was. */
enum cause_id cause_undelivered(const struct host_record *host, bool strict, bool whole,
	enum certainty *certainty, const char **title)
{
	const struct host_counters *n = host ? &host->counters : NULL;

	*certainty = CERTAINTY_CERTAIN;
	if (!whole) {
		*title =
			"The peer's packets arrive with a wrong checksum, and this host drops them";
		return CAUSE_BAD_CHECKSUM;
	}
	if (n && n->known && n->reverse_path && strict) {
		*title = "Packets arrive, and this host's reverse-path filter drops them";
		return CAUSE_REVERSE_PATH_FILTER;
	}
	*title = "Packets arrive, and this host's own firewall drops them";
	if (!n || !n->known || n->checksums || n->buffers || n->reverse_path)
		*certainty = CERTAINTY_LIKELY;
	return CAUSE_LOCAL_FIREWALL_INPUT;
}

#define SYNS_MIN 3 /* one or two may have met no socket */

/* Over TCP nothing but SYNs comes in before there is a connection, and a socket that has sent one takes them. */
static bool got_nothing(const struct punch_causes_facts *f, const struct peer_traffic *t)
{
	if (f->tcp)
		return !t->opened && !t->received && !t->replies && t->syns >= SYNS_MIN;
	return !t->received && !t->refused && !t->delivered;
}

static void add_undelivered(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	enum certainty certainty;
	const char *title;
	struct cause *c;
	enum cause_id id;

	if (!f->captured || !t->came || !got_nothing(f, t))
		return;
	id = cause_undelivered(f->host,
		f->family == FAMILY_IPV4 && cause_is_strict(f->host, f->captured, t->in_interface),
		t->whole > 0, &certainty, &title);
	/* a SYN that meets no socket in time is refused, which is no firewall */
	if (f->tcp && id == CAUSE_LOCAL_FIREWALL_INPUT)
		certainty = CERTAINTY_LIKELY;
	c = causes_add(
		out, id, certainty, id == CAUSE_BAD_CHECKSUM ? PLACE_UNKNOWN : PLACE_HOST, NULL);
	if (!c)
		return;
	cause_fill(c, title, LOOK_AT_RULES, "");
	cause_text(c->detail, sizeof(c->detail),
		"The capture shows %u packets of the peer that came in on %s, and no socket got "
		"one.",
		t->came, interface_name(f->captured, t->in_interface));
	cite_sent(t, c);
	cause_packet(c, t->first_came);
}

/* --- the way --- */

static bool is_time_exceeded(const struct trail_error *x)
{
	return x->type == (x->offender.family == FAMILY_IPV6 ? 3 : 11);
}

bool punch_error_is_closed(const struct trail_error *x)
{
	return x->offender.family == FAMILY_IPV6 ? x->type == 1 && x->code == 4
						 : x->type == 3 && x->code == 3;
}

bool punch_error_is_prohibition(const struct trail_error *x)
{
	if (x->offender.family == FAMILY_IPV6)
		return x->type == 1 &&
			(x->code == 1 || x->code == 4 || x->code == 5 || x->code == 6);
	return x->type == 3 && (x->code == 3 || x->code == 9 || x->code == 10 || x->code == 13);
}

const struct captured *punch_error_packet(
	const struct captured_list *l, const struct trail_error *x)
{
	for (size_t i = 0; l && i < l->count; i++) {
		const struct captured *c = &l->packets[i];

		if (c->content == CONTENT_ERROR && c->way == WAY_IN && c->type == x->type &&
			c->code == x->code && endpoint_same_address(&c->from, &x->offender) &&
			endpoint_same_address(&c->quoted_to, &x->to))
			return c;
	}
	return NULL;
}

static void add_router_refusal(
	const struct punch_causes_facts *f, const struct trail_error *x, struct causes *out)
{
	const struct captured *packet = punch_error_packet(f->captured, x);
	int hops = packet ? meaning_hops(packet) : CAUSE_HOPS_UNKNOWN;
	bool near = hops == 1 && endpoint_is_private(&x->offender);
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
	struct cause *c = causes_add(out,
		punch_error_is_prohibition(x) ? CAUSE_REFUSED_ON_PATH : CAUSE_UNREACHABLE,
		CERTAINTY_CERTAIN, near ? PLACE_OWN_NAT : PLACE_PATH, &x->offender);

	if (!c)
		return;
	c->hops = hops;
	cause_fill(c,
		punch_error_is_prohibition(x)
			? "A router on the way refuses packets to the peer"
			: "A router on the way cannot deliver packets to the peer",
		"Its firewall or its routes stop this: look there.", "");
	cause_text(c->detail, sizeof(c->detail),
		"%s answered packets to %s with ICMP type %u code %u (%s), %u times.",
		endpoint_format_address(&x->offender, from), endpoint_format_address(&x->to, to),
		x->type, x->code, meaning_icmp(x->offender.family, x->type, x->code), x->count);
	if (packet) {
		cause_packet(c, packet->about);
		cause_packet(c, packet->number);
	}
}

#define REFUSED_MIN 3 /* before there is a mapping a NAT may refuse some */

/* The peer's NAT, or its host, refuses again and again, and nothing gets through. */
static void add_peer_refusal(const struct punch_causes_facts *f, const struct peer_traffic *t,
	const struct trail_error *x, struct causes *out)
{
	/* who accepts packets to itself says of each port that it is closed */
	bool usual = f->peer && f->peer->early == EARLY_REMAP && punch_error_is_closed(x);
	const struct captured *packet = punch_error_packet(f->captured, x);
	bool heard = f->said->said && (f->said->received || f->said->opened);
	char from[ENDPOINT_TEXT];
	struct cause *c;

	if (x->count < REFUSED_MIN || heard || usual)
		return;
	c = causes_add(out, CAUSE_REFUSED_ON_PATH, CERTAINTY_LIKELY,
		f->said->captured && f->said->arrived ? PLACE_PEER : PLACE_PEER_NAT, &x->offender);
	if (!c)
		return;
	cause_fill(c, "The peer's NAT or its host refuses our packets",
		"Its firewall has a rule that rejects them: look there.", "");
	cause_text(c->detail, sizeof(c->detail),
		"The peer's address %s answered %u of our packets with ICMP type %u code %u (%s).",
		endpoint_format_address(&x->offender, from), x->count, x->type, x->code,
		meaning_icmp(x->offender.family, x->type, x->code));
	cite_sent(t, c);
	if (packet)
		cause_packet(c, packet->number);
}

/* Errors for addresses inside of other networks are nothing unusual; nor are those of our own low TTLs. */
static void add_errors(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	for (size_t i = 0; i < f->trail->error_count; i++) {
		const struct trail_error *x = &f->trail->errors[i];

		if (is_own_error(f, x) || is_time_exceeded(x) || endpoint_is_private(&x->to))
			continue;
		if (endpoint_same_address(&x->offender, &x->to))
			add_peer_refusal(f, t, x, out);
		else
			add_router_refusal(f, x, out);
	}
}

/* --- the two NATs --- */

/* What UDP and TCP have in common. */
struct nat_side {
	bool known, blocked, hard, remaps, refuses;
};

static struct nat_side side_of(const struct pair_side *udp, const struct pair_tcp_side *tcp)
{
	if (tcp)
		return (struct nat_side){.known = true,
			.blocked = tcp->status == PATH_BLOCKED || tcp->status == PATH_UNREACHABLE,
			.hard = tcp->nat != TRI_NO &&
				tcp->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT,
			.refuses = tcp->early == EARLY_SYN_RST || tcp->early == EARLY_SYN_ICMP};
	if (!udp)
		return (struct nat_side){.known = false};
	return (struct nat_side){.known = true,
		.blocked = udp->status == PATH_BLOCKED || udp->status == PATH_UNREACHABLE,
		.hard = udp->nat != TRI_NO && udp->mapping > DEPENDENCE_ENDPOINT_INDEPENDENT,
		.remaps = udp->early == EARLY_REMAP,
		.refuses = udp->early == EARLY_REJECT};
}

static enum place whose(bool own, bool peer)
{
	return own && peer ? PLACE_UNKNOWN : own ? PLACE_OWN_NAT : PLACE_PEER_NAT;
}

static void add_blocked(const struct punch_causes_facts *f, const struct peer_traffic *t, bool own,
	bool peer, struct causes *out)
{
	struct cause *c = own || peer ? causes_add(out, CAUSE_BLOCKED_ON_PATH, CERTAINTY_LIKELY,
						own ? PLACE_PATH : PLACE_PEER_NAT, NULL)
				      : NULL;

	if (!c)
		return;
	cause_text(c->title, sizeof(c->title), "%s is dropped on %s side", protocol(f),
		explain_whose(own, peer));
	cause_text(c->detail, sizeof(c->detail),
		"Nothing that was asked there over %s to measure the NAT had an answer.",
		protocol(f));
	cause_text(c->advice, sizeof(c->advice), "Let %s out there, or take another network.",
		protocol(f));
	cite_sent(t, c);
	for (size_t i = 0; own && f->joined && i < f->journal->observation_count; i++)
		if (!f->journal->observations[i].answers)
			cause_packet(c, f->joined[i].first_left);
}

#define HARD_CHANCE 50 /* of hundred: who would mostly succeed has failed for another reason, too */

static void add_hard(const struct punch_causes_facts *f, const struct peer_traffic *t, bool own,
	bool peer, struct causes *out)
{
	unsigned chance = f->plans ? explain_of_hundred(plans_chance(f->plans)) : 0;
	struct cause *c = own || peer
		? causes_add(out, CAUSE_DEPENDENT_MAPPING,
			  own && peer && chance < HARD_CHANCE ? CERTAINTY_CERTAIN
							      : CERTAINTY_LIKELY,
			  whose(own, peer), NULL)
		: NULL;

	if (!c)
		return;
	cause_text(c->title, sizeof(c->title),
		"The NAT of %s side gives each destination another port", explain_whose(own, peer));
	cause_text(c->detail, sizeof(c->detail),
		own && peer ? "Both were measured. Both ports of a pair would have to be guessed "
			      "at the "
			      "same time: of 100 runs like this %u succeed."
			    : "It was measured. The other side had to guess that port: of 100 runs "
			      "like "
			      "this %u succeed.",
		chance);
	cause_text(c->advice, sizeof(c->advice),
		"The same port for all destinations on that router, a port that it forwards "
		"(--bind), "
		"IPv6, or a relay.");
	if (own)
		cite_mapping(f, c);
	cite_sent(t, c);
}

static void add_remap(const struct peer_traffic *t, bool own, bool peer, struct causes *out)
{
	struct cause *c = own || peer
		? causes_add(out, CAUSE_REMAP, CERTAINTY_POSSIBLE, whose(own, peer), NULL)
		: NULL;

	if (!c)
		return;
	cause_text(c->title, sizeof(c->title),
		"A packet that came too early may have moved the external port of %s side",
		explain_whose(own, peer));
	cause_text(c->detail, sizeof(c->detail),
		"The NAT of %s side was measured to do that: the flow to the sender of an unasked "
		"packet gets another port, where nobody looks for it.",
		explain_whose(own, peer));
	cause_text(c->advice, sizeof(c->advice),
		"On that router drop packets to itself instead of accepting them.");
	cause_text(c->decide, sizeof(c->decide),
		"Whether one came too early shows in a capture on that router.");
	cite_sent(t, c);
}

#define RESETS_MIN 3 /* that were captured, where the sockets tell of none */

/* Who refuses connections of this side is on the other one, or speaks for it: its NAT, when its host got none of them. */
static void add_resets(const struct punch_causes_facts *f, const struct peer_traffic *t,
	const struct nat_side *peer, struct causes *out)
{
	bool told = f->said->said && f->said->captured;
	bool nat = peer->refuses || (told && !f->said->arrived);
	bool host = !nat && told && f->said->arrived;
	struct cause *c;

	if (!f->tcp || (!t->socket_resets && t->resets < RESETS_MIN) || t->received)
		return;
	if (!nat && !host && !f->captured)
		return; /* it may be this host's own firewall */
	c = causes_add(out, nat ? CAUSE_RESET_BY_PEER_NAT : CAUSE_RESET_BY_PEER,
		nat || host ? CERTAINTY_LIKELY : CERTAINTY_POSSIBLE,
		nat ? PLACE_PEER_NAT : PLACE_PEER, NULL);
	if (!c)
		return;
	cause_fill(c,
		nat	       ? "The peer's NAT, or a box before it, refuses our connections"
			: host ? "The peer's host refuses our connections"
			       : "Connections to the peer's endpoint are refused",
		nat ? "On that router drop TCP instead of refusing it (RFC 5382 REQ-4)."
		    : "Look at the rules of the other host.",
		nat || host ? "" : "Whether the SYNs arrive at the peer's host: a capture there.");
	cause_text(c->detail, sizeof(c->detail),
		"%u of %u attempts to connect ended with a RST, of which %u were captured.%s",
		t->socket_resets, t->sent, t->resets,
		!told			   ? ""
			: f->said->arrived ? " The peer's capture has SYNs of ours."
					   : " The peer's capture has not one SYN of ours.");
	cite_sent(t, c);
	cause_packet(c, t->first_reset);
}

/* --- the peer's host --- */

/* What its capture has beside what its sockets have told. */
static void add_peer_host(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	const struct explain_peer *p = f->said;
	bool deaf = !f->tcp && p->arrived && !p->received;
	struct cause *c;

	if (!p->said || !p->captured || (!deaf && (p->left || !p->sent)))
		return;
	c = causes_add(out, deaf ? CAUSE_LOCAL_FIREWALL_INPUT : CAUSE_LOCAL_FIREWALL_OUTPUT,
		CERTAINTY_LIKELY, PLACE_PEER, NULL);
	if (!c)
		return;
	cause_fill(c,
		deaf ? "Our packets arrive at the peer's host, and that host itself drops them"
		     : "The peer's host drops its own packets before they leave",
		"Look at the rules of the other host: its own report names the cause.", "");
	cause_text(c->detail, sizeof(c->detail),
		"The peer says: its sockets sent %u and received %u; its capture has %u that left "
		"and "
		"%u of ours that arrived.",
		p->sent, p->received, p->left, p->arrived);
	cite_sent(t, c);
}

/* --- one direction --- */

/*
 * Something of one side arrives, and nothing of the other. Over TCP only captures tell: a SYN that arrives need not come
 * to a connection.
 */
static void add_direction(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	const struct explain_peer *p = f->said;
	bool ours = p->said && (p->received || (f->tcp && p->captured && p->arrived));
	bool unseen = ours && !f->captured; /* this host itself may be what drops them */
	bool theirs = t->received || t->came;
	struct cause *c;

	if (!f->tcp && p->captured && p->arrived && !p->received)
		return; /* its own host drops them */
	if (ours == theirs || !p->said || (f->tcp && (!f->captured || !p->captured)))
		return;
	c = causes_add(out, CAUSE_BLOCKED_ON_PATH, unseen ? CERTAINTY_POSSIBLE : CERTAINTY_LIKELY,
		ours ? PLACE_OWN_NAT : PLACE_PEER_NAT, NULL);
	if (!c)
		return;
	cause_fill(c,
		unseen ? "Our packets reach the peer, and no socket here gets any of its packets"
			: ours
			? "Our packets reach the peer, and none of its packets reach this host"
			: "The peer's packets reach this host, and none of ours reach it",
		unseen ? "A NAT, or this host's own firewall, lets nothing in from the other."
		       : "A NAT or firewall on that side lets nothing in from the other.",
		unseen ? "A capture on this host: whether packets arrive that no socket gets."
		       : "");
	cause_text(c->detail, sizeof(c->detail),
		"We sent %u, and %u of the peer's arrived%s. The peer sent %u, and %u of ours "
		"arrived.",
		t->sent, f->captured ? t->came : t->received, f->captured ? " at this host" : "",
		f->said->sent, f->said->received);
	cite_sent(t, c);
	cause_packet(c, t->first_came);
}

/* The peer's packet was here before ours had left: some NATs make of it a flow of their own, or shut its sender out. */
static void add_order(
	const struct punch_causes_facts *f, const struct peer_traffic *t, struct causes *out)
{
	struct cause *c;

	if (f->tcp || !t->first_came || !t->first_left || t->first_came_us >= t->first_left_us ||
		f->said->received)
		return;
	c = causes_add(out, CAUSE_WRONG_ORDER, CERTAINTY_POSSIBLE, PLACE_OWN_NAT, NULL);
	if (!c)
		return;
	cause_fill(c, "The peer's packets came before this side had sent any",
		"Let this side begin, and drop packets to the router itself.",
		"The same run once more: who is first changes.");
	cause_text(c->detail, sizeof(c->detail),
		"The first one came %.1f ms before our first one left.",
		(double)(t->first_left_us - t->first_came_us) / 1000);
	cause_packet(c, t->first_came);
	cause_packet(c, t->first_left);
}

/* Nothing of either side arrives, and neither NAT would explain that. */
static void add_parted(const struct punch_causes_facts *f, const struct peer_traffic *t,
	bool remaps, struct causes *out)
{
	bool shown = f->captured && !f->gaps && f->said->captured && !remaps;
	struct cause *c;

	if (!f->captured || !f->said->said || !t->left || t->came || t->received ||
		f->said->received || f->said->opened || f->said->arrived)
		return;
	c = causes_add(out, CAUSE_BLOCKED_ON_PATH, shown ? CERTAINTY_LIKELY : CERTAINTY_POSSIBLE,
		PLACE_PATH, NULL);
	if (!c)
		return;
	cause_fill(c, "Packets of both sides leave, and none arrives at the other",
		"Something between the two lets nothing through: another network on one side, or a "
		"relay.",
		shown ? "" : "A capture on the other host, too.");
	cause_text(c->detail, sizeof(c->detail),
		"%u packets to the peer left this host and none came%s.", t->left,
		f->said->captured ? "; the peer's capture has none of ours either"
				  : "; the peer says that none of ours arrived");
	cite_sent(t, c);
}

void judge_punch_causes(const struct punch_causes_facts *f, struct causes *out)
{
	struct nat_side own = side_of(f->own, f->own_tcp), peer = side_of(f->peer, f->peer_tcp);
	struct peer_traffic t;

	read_traffic(f, &t);
	add_refused_here(f, &t, out);
	add_never_left(f, &t, out);
	add_undelivered(f, &t, out);
	add_errors(f, &t, out);
	add_blocked(f, &t, own.blocked, peer.blocked, out);
	if (!t.received && (t.sent || (f->plans && !f->plans->count)))
		add_hard(f, &t, own.hard, peer.hard, out);
	if (!t.received && t.sent && !own.hard && !peer.hard)
		add_remap(&t, own.remaps, peer.remaps, out);
	add_resets(f, &t, &peer, out);
	add_peer_host(f, &t, out);
	add_direction(f, &t, out);
	add_order(f, &t, out);
	if (!own.hard && !peer.hard && !own.blocked && !peer.blocked)
		add_parted(f, &t, own.remaps || peer.remaps, out);
	causes_settle(out);
}
