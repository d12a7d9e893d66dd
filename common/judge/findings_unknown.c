// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/findings_private.h"

/* Verdicts that stayed unknown: what is missing to know them. */

static const struct basis *nat_of(const struct behaviour *b)
{
	return &b->nat_basis;
}

static const struct basis *mapping_of(const struct behaviour *b)
{
	return &b->mapping_basis;
}

static const struct basis *filtering_of(const struct behaviour *b)
{
	return &b->filtering_basis;
}

static const struct basis *hairpin_of(const struct behaviour *b)
{
	return &b->hairpin_basis;
}

static const struct basis *preservation_of(const struct behaviour *b)
{
	return &b->preservation_basis;
}

static const struct basis *allocation_of(const struct behaviour *b)
{
	return &b->allocation_basis;
}

static const struct basis *pooling_of(const struct behaviour *b)
{
	return &b->pooling_basis;
}

static const struct basis *early_of(const struct behaviour *b)
{
	return &b->early_basis;
}

static bool unknown(const struct finding_view *view, bool is_unknown, const struct basis *basis,
	struct finding *f)
{
	if (view->b->status != PATH_OK || !is_unknown || !*basis->text)
		return false;
	finding_detail(f, "%s", basis->text);
	return true;
}

static bool check_unknown_nat(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->nat == TRI_UNKNOWN, &view->b->nat_basis, f);
}

static bool check_unknown_mapping(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->mapping == DEPENDENCE_UNKNOWN, &view->b->mapping_basis, f);
}

static bool check_unknown_filtering(const struct finding_view *view, struct finding *f)
{
	return unknown(
		view, view->b->filtering == DEPENDENCE_UNKNOWN, &view->b->filtering_basis, f);
}

/* Without a NAT there is no such question. */
static bool check_unknown_hairpin(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->hairpin == TRI_UNKNOWN && view->b->nat != TRI_NO,
		&view->b->hairpin_basis, f);
}

static bool check_unknown_preservation(const struct finding_view *view, struct finding *f)
{
	return unknown(
		view, view->b->port_preservation == SHARE_UNKNOWN, &view->b->preservation_basis, f);
}

static bool check_unknown_allocation(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->allocation.pattern == ALLOCATION_UNKNOWN,
		&view->b->allocation_basis, f);
}

static bool check_unknown_pooling(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->pooling == POOLING_UNKNOWN, &view->b->pooling_basis, f);
}

static bool check_unknown_early(const struct finding_view *view, struct finding *f)
{
	return unknown(view, view->b->early == EARLY_UNKNOWN, &view->b->early_basis, f);
}

const struct rule unknown_rules[] = {
	{"nat-unknown", SEVERITY_INFO, nat_of, check_unknown_nat,
		"Whether there is a NAT is unknown", "", "RFC 5780 4.3"},
	{"mapping-unknown", SEVERITY_INFO, mapping_of, check_unknown_mapping,
		"The mapping is not known completely", SECOND_ADDRESS, "RFC 5780 4.3"},
	{"filtering-unknown", SEVERITY_INFO, filtering_of, check_unknown_filtering,
		"The filtering is unknown", SECOND_ADDRESS, "RFC 5780 4.4"},
	{"early-packet-unknown", SEVERITY_INFO, early_of, check_unknown_early,
		"What an early packet does is unknown", "", "RFC 4787 8 REQ-11"},
	{"hairpin-unknown", SEVERITY_INFO, hairpin_of, check_unknown_hairpin,
		"Hairpinning is unknown", "", "RFC 4787 6 REQ-9"},
	{"port-preservation-unknown", SEVERITY_INFO, preservation_of, check_unknown_preservation,
		"Whether ports are preserved is unknown", "", "RFC 4787 4.2.1"},
	{"port-allocation-unknown", SEVERITY_INFO, allocation_of, check_unknown_allocation,
		"How ports are chosen is unknown", "", "RFC 4787 4.2.1"},
	{"pooling-unknown", SEVERITY_INFO, pooling_of, check_unknown_pooling,
		"The address pooling is unknown", "", "RFC 4787 4.1 REQ-2"},
};

const size_t unknown_rule_count = sizeof(unknown_rules) / sizeof(*unknown_rules);
