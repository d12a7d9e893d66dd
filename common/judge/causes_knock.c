// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "judge/causes_punch_private.h"

/* Why nobody has answered a knock. */

/* What a capture has of it. */
struct knocks {
	unsigned left;
	uint32_t first, last; /* numbers; 0: none */
};

/* What quotes one of the own flows is no knock, but an error of this host. */
static bool is_knock(const struct captured *c)
{
	return c->way == WAY_OUT && c->content == CONTENT_ERROR && c->talk == CAPTURED_NONE;
}

static struct knocks find_knocks(const struct captured_list *l)
{
	struct knocks k = {0};

	for (size_t i = 0; l && i < l->count; i++) {
		if (!is_knock(&l->packets[i]))
			continue;
		k.left++;
		k.last = l->packets[i].number;
		if (!k.first)
			k.first = k.last;
	}
	return k;
}

/* The system has sent none. Its errors but these are not of the network. */
static struct cause *add_refused(int error, bool by_route, struct causes *out)
{
	bool route = by_route || error == -ENETUNREACH || error == -EHOSTUNREACH;
	bool firewall = !route && (error == -EPERM || error == -EACCES);
	struct cause *c;

	if (!firewall && !route)
		return NULL;
	c = causes_add(out, firewall ? CAUSE_LOCAL_FIREWALL_OUTPUT : CAUSE_NO_ROUTE,
		CERTAINTY_CERTAIN, PLACE_HOST, NULL);
	if (!c)
		return NULL;
	cause_fill(c,
		firewall ? "This host's own firewall does not let ICMP errors out"
			 : "This host has no route to the other side",
		firewall ? LOOK_AT_RULES : "See ip route.", "");
	cause_text(c->detail, sizeof(c->detail), "Each was refused when it was sent: %s.",
		route ? cause_no_way(-error) : strerror(-error));
	return c;
}

static struct cause *add_kept_here(struct causes *out)
{
	struct cause *c =
		causes_add(out, CAUSE_LOCAL_FIREWALL_OUTPUT, CERTAINTY_LIKELY, PLACE_HOST, NULL);

	if (!c)
		return NULL;
	cause_fill(c, "This host drops the ICMP errors before they leave", LOOK_AT_RULES,
		"A counter in the rules of its output hook that grows with each run.");
	cause_text(c->detail, sizeof(c->detail), "They were sent, and none was captured.");
	return c;
}

static struct cause *add_own_nat(const struct knocks *k, struct causes *out)
{
	struct cause *c =
		causes_add(out, CAUSE_ICMP_BLOCKED, CERTAINTY_LIKELY, PLACE_OWN_NAT, NULL);

	if (!c)
		return NULL;
	cause_fill(c, "The own NAT lets no ICMP errors out that belong to no flow",
		"Knock from a host with a public address.", "");
	cause_text(c->detail, sizeof(c->detail),
		"A server has got none of the errors that were sent to it, which quoted a flow "
		"that is not there.%s",
		k->left ? " They have left this host." : "");
	return c;
}

static struct cause *add_other_nat(unsigned sent, struct causes *out)
{
	struct cause *c =
		causes_add(out, CAUSE_ICMP_BLOCKED, CERTAINTY_POSSIBLE, PLACE_PEER_NAT, NULL);

	if (!c)
		return NULL;
	cause_fill(c, "The other side's NAT may let no ICMP errors in",
		"See natprobe -t icmp there.",
		"Whether somebody waits there, with the same code: its own report.");
	cause_text(c->detail, sizeof(c->detail),
		"%u ICMP errors went to it, and nobody has answered.", sent);
	return c;
}

void judge_knock_causes(const struct knock_causes_facts *facts, struct causes *out)
{
	struct knocks k = find_knocks(facts->captured);
	struct cause *c;

	if (facts->unsent && facts->unsent == facts->sent)
		c = add_refused(facts->error, facts->by_route, out);
	else if (facts->captured && !k.left)
		c = add_kept_here(out);
	else
		c = facts->dropped ? add_own_nat(&k, out)
				   : add_other_nat(facts->sent - facts->unsent, out);
	if (c) {
		cause_packet(c, k.first);
		cause_packet(c, k.last);
	}
	causes_settle(out);
}
