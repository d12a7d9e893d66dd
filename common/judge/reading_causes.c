// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "judge/causes_private.h"
#include "judge/meaning.h"
#include "judge/reading_private.h"
#include "judge/signs.h"

/* A packet that is repeated so often has not merely been lost. */
#define SILENCE_MIN 2

static const struct endpoint *remote_of(const struct captured_list *l, const struct reading_flow *f)
{
	return &l->talks[f->talk].ends[!f->local];
}

static const struct endpoint *local_of(const struct captured_list *l, const struct reading_flow *f)
{
	return &l->talks[f->talk].ends[f->local];
}

static const struct talk_way *sent_of(const struct captured_list *l, const struct reading_flow *f)
{
	return &l->talks[f->talk].from[f->local];
}

static const struct talk_way *heard_of(const struct captured_list *l, const struct reading_flow *f)
{
	return &l->talks[f->talk].from[!f->local];
}

static const char *protocol_of(const struct captured_list *l, const struct reading_flow *f)
{
	switch (l->talks[f->talk].protocol) {
	case PACKET_UDP:
		return "UDP";
	case PACKET_TCP:
		return "TCP";
	case PACKET_ECHO:
		return "Echo requests";
	default:
		return "What is sent";
	}
}

static void set(struct cause *c, const char *title, const char *advice, const char *decide)
{
	cause_text(c->title, sizeof(c->title), "%s", title);
	cause_text(c->advice, sizeof(c->advice), "%s", advice);
	cause_text(c->decide, sizeof(c->decide), "%s", decide);
}

/* --- errors --- */

static bool is_time_exceeded(const struct talk_error *e)
{
	return e->type == (e->offender.family == FAMILY_IPV6 ? 3 : 11);
}

static bool is_too_big(const struct talk_error *e)
{
	return e->offender.family == FAMILY_IPV6 ? e->type == 2 : e->type == 3 && e->code == 4;
}

static bool is_port_unreachable(const struct talk_error *e)
{
	return e->offender.family == FAMILY_IPV6 ? e->type == 1 && e->code == 4
						 : e->type == 3 && e->code == 3;
}

static bool is_prohibition(const struct talk_error *e)
{
	if (is_port_unreachable(e))
		return true;
	if (e->offender.family == FAMILY_IPV6)
		return e->type == 1 && (e->code == 1 || e->code == 5 || e->code == 6);
	return e->type == 3 && (e->code == 9 || e->code == 10 || e->code == 13);
}

/* Who the error makes the cause. */
static struct cause *add_for_error(
	struct reading *r, const struct talk_error *e, const struct endpoint *remote, int hops)
{
	bool own = endpoint_same_address(&e->offender, remote);
	bool near = hops == 1 && endpoint_is_private(&e->offender);
	enum cause_id id = own && is_port_unreachable(e) ? CAUSE_REFUSED_BY_SERVER
		: is_prohibition(e)			 ? CAUSE_REFUSED_ON_PATH
							 : CAUSE_UNREACHABLE;

	return causes_add(&r->causes, id, CERTAINTY_CERTAIN,
		own	       ? PLACE_SERVER
			: near ? PLACE_OWN_NAT
			       : PLACE_PATH,
		&e->offender);
}

static void tell_error(const struct captured_list *l, const struct reading_flow *f,
	const struct talk_error *e, struct reading *r)
{
	const struct captured *packet = captured_find(l, e->first);
	int hops = packet ? meaning_hops(packet) : CAUSE_HOPS_UNKNOWN;
	bool own = endpoint_same_address(&e->offender, remote_of(l, f));
	struct cause *c = add_for_error(r, e, remote_of(l, f), hops);
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	if (!c)
		return;
	cause_packet(c, sent_of(l, f)->first);
	cause_packet(c, e->first);
	if (*c->title)
		return;
	c->hops = hops;
	set(c,
		c->id == CAUSE_REFUSED_BY_SERVER
			? "The other end's host says that its port is closed"
			: c->id == CAUSE_REFUSED_ON_PATH ? own
				? "The other end's host refuses packets"
				: "A router on the way refuses packets"
			: own ? "The other end's host says that it cannot be reached"
			      : "A router on the way cannot deliver packets",
		c->id == CAUSE_REFUSED_BY_SERVER ? "Is the program running there, and on that port?"
						 : "Look at its firewall and its routes.",
		"");
	cause_text(c->detail, sizeof(c->detail),
		"%s answered packets to %s with ICMP type %u code %u (%s), %u times.",
		endpoint_format_address(&e->offender, from), endpoint_format(remote_of(l, f), to),
		e->type, e->code, meaning_icmp(e->offender.family, e->type, e->code), e->count);
}

/* Time exceeded is what traceroute and punching with a low TTL ask for; too big is for path MTU discovery. */
static void tell_refused(
	const struct captured_list *l, const struct reading_flow *f, struct reading *r)
{
	const struct talk_way *w = sent_of(l, f);

	for (size_t i = 0; i < w->error_count; i++)
		if (!is_time_exceeded(&w->errors[i]) && !is_too_big(&w->errors[i]))
			tell_error(l, f, &w->errors[i], r);
}

/* --- RST --- */

/* A host behind a NAT has no neighbours with addresses of the Internet: no router is between the two, as far as addresses show, or packets that are no RST. */
static bool is_near(
	const struct captured_list *l, const struct reading_flow *f, const struct reading *r)
{
	const struct endpoint *remote = remote_of(l, f);

	if (endpoint_is_private(remote) || endpoint_is_loopback(remote))
		return true;
	for (size_t i = 0; i < r->host_count; i++)
		if (endpoint_same_address(&r->hosts[i], remote))
			return true;
	for (size_t i = 0; i < r->flow_count; i++) {
		const struct talk_way *w = heard_of(l, &r->flows[i]);

		if (w->packets > w->resets && sign_hops(w->ttl_high) == 0 &&
			endpoint_same_address(remote_of(l, &r->flows[i]), remote))
			return true;
	}
	return false;
}

static void tell_reset(
	const struct captured_list *l, const struct reading_flow *f, struct reading *r)
{
	const struct talk_way *heard = heard_of(l, f);
	const struct captured *packet = captured_find(l, heard->first_reset);
	int hops = packet ? meaning_hops(packet) : CAUSE_HOPS_UNKNOWN;
	bool first = hops == 1 && endpoint_is_private(local_of(l, f)) && !is_near(l, f, r);
	struct cause *c =
		causes_add(&r->causes, first ? CAUSE_RESET_BY_NAT : CAUSE_REFUSED_BY_SERVER,
			first ? CERTAINTY_LIKELY : CERTAINTY_POSSIBLE,
			first ? PLACE_OWN_NAT : PLACE_UNKNOWN, first ? NULL : remote_of(l, f));
	char to[ENDPOINT_TEXT];

	if (!c)
		return;
	cause_packet(c, sent_of(l, f)->first);
	cause_packet(c, heard->first_reset);
	if (*c->title)
		return;
	c->hops = hops;
	set(c,
		first ? "The first router refuses connections with a RST in the other end's name"
		      : "A connection is refused: by the other end, or by a box that speaks for it",
		"Is the program running there, and on that port?",
		first ? "" : "The TTL of the RST beside that of other packets from there.");
	cause_text(c->detail, sizeof(c->detail), "A RST with TTL %u came from %s, over %d routers.",
		heard->reset_ttl, endpoint_format(remote_of(l, f), to),
		sign_hops(heard->reset_ttl));
}

/* --- silence --- */

/* The same own endpoint heard of the same address from another port, where nothing was sent to. */
static const struct reading_flow *find_other_port(
	const struct captured_list *l, const struct reading *r, const struct reading_flow *asked)
{
	for (size_t i = 0; i < r->flow_count; i++) {
		const struct reading_flow *f = &r->flows[i];

		if (f->state == FLOW_UNASKED &&
			endpoint_equal(local_of(l, f), local_of(l, asked)) &&
			endpoint_same_address(remote_of(l, f), remote_of(l, asked)) &&
			!endpoint_equal(remote_of(l, f), remote_of(l, asked)))
			return f;
	}
	return NULL;
}

static void tell_other_port(const struct captured_list *l, const struct reading_flow *asked,
	const struct reading_flow *heard, struct reading *r)
{
	struct cause *c = causes_add(&r->causes, CAUSE_DEPENDENT_MAPPING, CERTAINTY_LIKELY,
		PLACE_PEER_NAT, remote_of(l, asked));
	char to[ENDPOINT_TEXT], from[ENDPOINT_TEXT];

	if (!c)
		return;
	cause_packet(c, sent_of(l, asked)->first);
	cause_packet(c, heard_of(l, heard)->first);
	if (*c->title)
		return;
	set(c, "The other end answers from another port than was sent to",
		"Its NAT gives each destination another port: answer to the port that its packets "
		"come from, or guess (udppunch does).",
		"");
	cause_text(c->detail, sizeof(c->detail),
		"%u packets to %s had no answer, and %u came from %s, where nothing was sent to.",
		sent_of(l, asked)->packets, endpoint_format(remote_of(l, asked), to),
		heard_of(l, heard)->packets, endpoint_format(remote_of(l, heard), from));
}

static void tell_silent(
	const struct captured_list *l, const struct reading_flow *f, struct reading *r)
{
	const struct talk_way *w = sent_of(l, f);
	const struct reading_flow *other;
	struct cause *c;
	char to[ENDPOINT_TEXT], title[CAUSE_TITLE];

	if (w->answers == w->packets)
		return; /* as those of a server do, from where it was not asked */
	other = find_other_port(l, r, f);
	if (other) {
		tell_other_port(l, f, other, r);
		return;
	}
	if (w->packets < SILENCE_MIN || !endpoint_is_unicast(remote_of(l, f)))
		return;
	c = causes_add(
		&r->causes, CAUSE_BLOCKED_ON_PATH, CERTAINTY_POSSIBLE, PLACE_PATH, remote_of(l, f));
	if (!c)
		return;
	cause_packet(c, w->first);
	cause_packet(c, w->last);
	if (*c->title)
		return;
	snprintf(title, sizeof(title), "%s left this host, and nothing came back",
		protocol_of(l, f));
	set(c, title, "Capture at the other end, too: does it arrive there?",
		"A capture at the other end, or natprobe with a server there.");
	cause_text(c->detail, sizeof(c->detail), "%u packets to %s in %.1f s, and none from there.",
		w->packets, endpoint_format(remote_of(l, f), to),
		(double)(w->last_us - w->first_us) / 1e6);
}

/* --- what else shows --- */

static void tell_checksums(
	const struct captured_list *l, const struct reading_flow *f, struct reading *r)
{
	const struct talk_way *w = heard_of(l, f);
	struct cause *c;
	char from[ENDPOINT_TEXT];

	if (!w->wrong_checksums || w->wrong_checksums < w->packets)
		return;
	c = causes_add(&r->causes, CAUSE_BAD_CHECKSUM, CERTAINTY_CERTAIN, PLACE_UNKNOWN, NULL);
	if (!c)
		return;
	cause_packet(c, w->first);
	if (*c->title)
		return;
	set(c, "Packets arrive with a wrong checksum, and are dropped",
		"Something on the way, or the sender, damages packets or rewrites them badly.", "");
	cause_text(c->detail, sizeof(c->detail), "All %u packets from %s have a wrong checksum.",
		w->packets, endpoint_format(remote_of(l, f), from));
}

static void tell_rewriting(const struct captured_list *l, struct reading *r)
{
	struct cause *c = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct captured *p = &l->packets[i];

		if (p->content != CONTENT_SUCCESS || p->way != WAY_IN ||
			p->mapped_plain.family == FAMILY_NONE ||
			endpoint_equal(&p->mapped, &p->mapped_plain))
			continue;
		if (!c)
			c = causes_add(&r->causes, CAUSE_PAYLOAD_REWRITTEN, CERTAINTY_LIKELY,
				PLACE_PATH, NULL);
		if (c)
			cause_packet(c, p->number);
		count++;
	}
	if (!c)
		return;
	set(c, "Something rewrites addresses inside of packets",
		"Switch off the application-layer gateway (ALG) of the router.",
		"The same from a second server: one alone may be at fault itself.");
	cause_text(c->detail, sizeof(c->detail),
		"MAPPED-ADDRESS and XOR-MAPPED-ADDRESS of %u answers differ.", count);
}

/* The first one that was named otherwise than for the first server. */
static const struct endpoint *other_mapped(const struct reading_mapping *m)
{
	size_t i = 1;

	while (i + 1 < m->count && endpoint_equal(&m->seen[i].mapped, &m->seen[0].mapped))
		i++;
	return &m->seen[i].mapped;
}

static void tell_mapping(const struct reading_mapping *m, struct reading *r)
{
	char one[ENDPOINT_TEXT], two[ENDPOINT_TEXT], local[ENDPOINT_TEXT];
	struct cause *c;

	if (m->mapping <= DEPENDENCE_ENDPOINT_INDEPENDENT)
		return;
	c = causes_add(&r->causes, CAUSE_DEPENDENT_MAPPING, CERTAINTY_LIKELY, PLACE_OWN_NAT, NULL);
	if (!c)
		return;
	for (size_t i = 0; i < m->count; i++)
		cause_packet(c, m->seen[i].packet);
	if (*c->title)
		return;
	set(c, "The own NAT gives each destination another external port",
		"A peer cannot be told where to send: see udppunch, or let the router keep the "
		"port.",
		"");
	cause_text(c->detail, sizeof(c->detail),
		"%s was seen as %s by one server and as %s by another.",
		endpoint_format(&m->local, local), endpoint_format(&m->seen[0].mapped, one),
		endpoint_format(other_mapped(m), two));
}

void reading_causes(const struct captured_list *l, struct reading *r)
{
	for (size_t i = 0; i < r->flow_count; i++) {
		const struct reading_flow *f = &r->flows[i];

		if (f->state == FLOW_REFUSED)
			tell_refused(l, f, r);
		else if (f->state == FLOW_RESET)
			tell_reset(l, f, r);
		else if (f->state == FLOW_SILENT)
			tell_silent(l, f, r);
		tell_checksums(l, f, r);
	}
	tell_rewriting(l, r);
	for (size_t i = 0; i < r->mapping_count; i++)
		tell_mapping(&r->mappings[i], r);
	causes_sort(&r->causes); /* each flow is a matter of its own */
}
