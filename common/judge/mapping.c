// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/private.h"

/*
 * RFC 5780 4.3 with all four endpoints: equal ports are one mapping. Addresses are compared apart: when
 * only they differ, that is pooling (RFC 4787 4.1 REQ-2), not another kind of mapping.
 */

static uint16_t port_of(const struct observation *o)
{
	return o->answer.mapped.port;
}

/* Takes one comparison into account; two that contradict each other make the whole contradictory. */
static void compare(const struct observation *a, const struct observation *b, enum tri *varies,
	bool *contradictory)
{
	enum tri now;

	if (!was_answered(a) || !was_answered(b))
		return;
	now = port_of(a) == port_of(b) ? TRI_NO : TRI_YES;
	if (*varies != TRI_UNKNOWN && *varies != now)
		*contradictory = true;
	*varies = now;
}

struct variation battery_variation(const struct battery *b)
{
	struct variation v = {0};
	bool port = false, address = false;

	compare(b->binding, b->mapping[BATTERY_PORT], &v.by_port, &port);
	compare(b->mapping[BATTERY_ADDRESS], b->mapping[BATTERY_BOTH], &v.by_port, &port);
	compare(b->binding, b->mapping[BATTERY_ADDRESS], &v.by_address, &address);
	compare(b->mapping[BATTERY_PORT], b->mapping[BATTERY_BOTH], &v.by_address, &address);
	/* equal across both changes at once: it varies with neither */
	if (was_answered(b->binding) && was_answered(b->mapping[BATTERY_BOTH]) &&
		port_of(b->binding) == port_of(b->mapping[BATTERY_BOTH])) {
		if (v.by_port == TRI_UNKNOWN)
			v.by_port = TRI_NO;
		if (v.by_address == TRI_UNKNOWN)
			v.by_address = TRI_NO;
	}
	v.contradictory = port || address;
	if (port)
		v.by_port = TRI_UNKNOWN;
	if (address)
		v.by_address = TRI_UNKNOWN;
	return v;
}

static enum dependence dependence(enum tri by_address, enum tri by_port)
{
	if (by_address == TRI_UNKNOWN || by_port == TRI_UNKNOWN)
		return DEPENDENCE_UNKNOWN;
	if (by_address == TRI_YES)
		return by_port == TRI_YES ? DEPENDENCE_ADDRESS_AND_PORT : DEPENDENCE_ADDRESS;
	return by_port == TRI_YES ? DEPENDENCE_PORT : DEPENDENCE_ENDPOINT_INDEPENDENT;
}

static void add_battery(const struct view *v, const struct battery *b, struct basis *basis)
{
	basis_add(basis, v->journal, b->binding);
	for (int i = 0; i < 3; i++)
		if (was_answered(b->mapping[i]))
			basis_add(basis, v->journal, b->mapping[i]);
}

/* What the servers with two addresses say, each for itself, and the majority of them. */
static bool judge_by_batteries(const struct view *v, struct behaviour *out)
{
	int address[JOURNAL_SERVERS] = {0}, port[JOURNAL_SERVERS] = {0}, winner[2];
	bool contradictory = false, agreed;

	for (size_t i = 0; i < v->journal->server_count; i++) {
		struct battery b;
		struct variation variation;

		if (!server_in_view(v, i))
			continue;
		battery_find(v->journal, i, &b);
		if (!b.mapping[0])
			continue;
		variation = battery_variation(&b);
		address[i] = variation.by_address;
		port[i] = variation.by_port;
		contradictory |= variation.contradictory;
		add_battery(v, &b, &out->mapping_basis);
	}
	agreed = majority(address, JOURNAL_SERVERS, &winner[0]);
	agreed &= majority(port, JOURNAL_SERVERS, &winner[1]);
	out->mapping_by_address = (enum tri)winner[0];
	out->mapping_by_port = (enum tri)winner[1];
	if (!agreed)
		basis_text(&out->mapping_basis, "the servers contradict each other");
	else if (contradictory)
		basis_text(&out->mapping_basis,
			"the mapping changed while it was measured: measure again");
	return winner[0] || winner[1] || !agreed || contradictory;
}

/* One difference is final: a mapping that varies may still be the same twice. */
static void note_pair(enum tri *varies, bool same)
{
	if (*varies != TRI_YES)
		*varies = same ? TRI_NO : TRI_YES;
}

/*
 * With plain STUN servers: two addresses asked on one port tell whether the address matters; two that
 * differ in both tell it for both when the mapping is the same.
 */
static void judge_by_pairs(const struct view *v, struct behaviour *out)
{
	const struct journal *j = v->journal;

	for (size_t i = 0; i < j->server_count; i++) {
		for (size_t k = i + 1; k < j->server_count; k++) {
			const struct endpoint *a = &j->servers[i].endpoint;
			const struct endpoint *b = &j->servers[k].endpoint;
			struct battery bi, bk;
			bool same;

			if (!server_in_view(v, i) || !server_in_view(v, k))
				continue;
			battery_find(j, i, &bi);
			battery_find(j, k, &bk);
			same = port_of(bi.binding) == port_of(bk.binding);
			basis_add(&out->mapping_basis, j, bi.binding);
			basis_add(&out->mapping_basis, j, bk.binding);
			if (!endpoint_same_address(a, b) && a->port == b->port)
				note_pair(&out->mapping_by_address, same);
			else if (endpoint_same_address(a, b) && a->port != b->port)
				note_pair(&out->mapping_by_port, same);
			else if (!endpoint_equal(a, b) && same) {
				note_pair(&out->mapping_by_address, true);
				note_pair(&out->mapping_by_port, true);
			}
		}
	}
}

/* Between servers, an endpoint-independent mapping must be the same too. */
static void check_across(const struct view *v, struct behaviour *out)
{
	const struct observation *first = NULL;

	if (out->mapping_by_address != TRI_NO || out->mapping_by_port != TRI_NO)
		return;
	for (size_t i = 0; i < v->journal->server_count; i++) {
		struct battery b;

		if (!server_in_view(v, i))
			continue;
		battery_find(v->journal, i, &b);
		if (first && port_of(first) != port_of(b.binding)) {
			out->mapping_by_address = out->mapping_by_port = TRI_UNKNOWN;
			basis_text(&out->mapping_basis,
				"servers disagree about the mapping of one socket, and none is "
				"outvoted");
			return;
		}
		first = b.binding;
	}
}

static void explain_unknown(struct behaviour *out)
{
	struct basis *b = &out->mapping_basis;

	if (*b->text)
		return;
	if (!out->external_count)
		basis_text(b, "%s", no_answer(out));
	else if (out->mapping_by_address == TRI_UNKNOWN && out->mapping_by_port == TRI_UNKNOWN)
		basis_text(b, "only one endpoint of a server answered");
	else if (out->mapping_by_port == TRI_UNKNOWN)
		basis_text(b, "%s the address; no server answered on a second port",
			out->mapping_by_address == TRI_NO ? "independent of" : "depends on");
	else
		basis_text(b, "%s the port; no server answered on a second address",
			out->mapping_by_port == TRI_NO ? "independent of" : "depends on");
}

void judge_mapping(const struct view *v, struct behaviour *out)
{
	if (out->status == PATH_OK) {
		if (!judge_by_batteries(v, out))
			judge_by_pairs(v, out);
		check_across(v, out);
	}
	out->mapping = dependence(out->mapping_by_address, out->mapping_by_port);
	if (out->mapping == DEPENDENCE_UNKNOWN)
		explain_unknown(out);
}
