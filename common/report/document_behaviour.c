// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>

#include "report/document_private.h"

/* A verdict of the block with what it rests on. */
struct basis_row {
	const char *key;
	const struct basis *basis;
	bool unknown;
};

#define BASIS_ROWS 15

/* Only of a SYN it can be told. */
static bool was_rejected(const struct behaviour *b)
{
	return b->transport == TRANSPORT_TCP && b->early == EARLY_REJECT;
}

static void list_bases(const struct behaviour *b, struct basis_row rows[static BASIS_ROWS])
{
	const struct basis_row all[BASIS_ROWS] = {
		{"status", &b->status_basis, b->status != PATH_OK},
		{"nat", &b->nat_basis, b->nat == TRI_UNKNOWN},
		{"mapping", &b->mapping_basis, b->mapping == DEPENDENCE_UNKNOWN},
		{"filtering", &b->filtering_basis, b->filtering == DEPENDENCE_UNKNOWN},
		{"hairpin", &b->hairpin_basis, b->hairpin == TRI_UNKNOWN},
		{"port_preservation", &b->preservation_basis,
			b->port_preservation == SHARE_UNKNOWN},
		{"port_allocation", &b->allocation_basis,
			b->allocation.pattern == ALLOCATION_UNKNOWN},
		{"pooling", &b->pooling_basis, b->pooling == POOLING_UNKNOWN},
		{"early_packet", &b->early_basis, b->early == EARLY_UNKNOWN},
		{"early_packet_from", &b->rejecter_basis,
			was_rejected(b) && b->rejecter == REJECTER_UNKNOWN},
		{"simultaneous_open", &b->simultaneous_basis, b->simultaneous == TRI_UNKNOWN},
		{"mss_clamping", &b->mss_basis, b->mss_clamping == TRI_UNKNOWN},
		{"options_removed", &b->options_basis, !b->options_known},
		{"hops", &b->hops_basis, !b->hops_known},
		{"sequence_rewriting", &b->sequence_basis, b->sequence_rewriting == TRI_UNKNOWN},
	};

	for (size_t i = 0; i < BASIS_ROWS; i++)
		rows[i] = all[i];
}

static json_t *make_reasons(struct maker *m, const struct basis_row rows[static BASIS_ROWS])
{
	json_t *reasons = json_object();

	for (size_t i = 0; i < BASIS_ROWS; i++)
		if (rows[i].unknown && *rows[i].basis->text)
			make_set(m, reasons, rows[i].key, make_text(rows[i].basis->text));
	return reasons;
}

static json_t *make_bases(struct maker *m, const struct basis_row rows[static BASIS_ROWS])
{
	json_t *bases = json_object();

	for (size_t i = 0; i < BASIS_ROWS; i++)
		make_set(m, bases, rows[i].key,
			make_numbers(m, rows[i].basis->evidence, rows[i].basis->evidence_count));
	return bases;
}

static json_t *make_allocation(struct maker *m, const struct port_allocation *a)
{
	json_t *o = json_object();

	make_set(m, o, "pattern", json_string(allocation_name(a->pattern)));
	make_set(m, o, "step", make_number_or_null(a->step));
	make_set(m, o, "low", make_number_or_null(a->low));
	make_set(m, o, "high", make_number_or_null(a->high));
	make_set(m, o, "samples", json_integer(a->samples));
	make_set(m, o, "parity", make_tri(a->parity));
	make_set(m, o, "contiguity", make_tri(a->contiguity));
	/* the condition is also false for NaN, which JSON has no word for */
	make_set(m, o, "confidence",
		a->confidence > 0 && a->confidence <= 1
			? json_real((double)(unsigned)(a->confidence * 1000 + 0.5) / 1000)
			: json_null());
	return o;
}

static json_t *make_depends_on(struct maker *m, const struct behaviour *b)
{
	json_t *o = json_object();

	make_set(m, o, "address", make_tri(b->mapping_by_address));
	make_set(m, o, "port", make_tri(b->mapping_by_port));
	return o;
}

static json_t *make_external(struct maker *m, const struct behaviour *b)
{
	json_t *array = json_array();

	for (size_t i = 0; i < b->external_count && i < BEHAVIOUR_EXTERNAL; i++)
		make_append(m, array, make_endpoint(m, &b->external[i]));
	return array;
}

static json_t *make_blocked_by(struct maker *m, const struct behaviour *b)
{
	json_t *o;

	if (b->icmp_offender.family == FAMILY_NONE)
		return json_null();
	o = json_object();
	make_set(m, o, "address", make_address(&b->icmp_offender));
	make_set(m, o, "icmp_type", json_integer(b->icmp_type));
	make_set(m, o, "icmp_code", json_integer(b->icmp_code));
	return o;
}

static json_t *make_rejecter(struct maker *m, const struct behaviour *b)
{
	bool known = b->rejecter != REJECTER_UNKNOWN && b->rejecter_hops >= 0;
	json_t *o;

	if (!was_rejected(b))
		return json_null();
	o = json_object();
	make_set(m, o, "who", json_string(rejecter_name(b->rejecter)));
	make_set(m, o, "hops_before", known ? json_integer(b->rejecter_hops) : json_null());
	return o;
}

static json_t *make_mss_way(struct maker *m, const struct mss_way *way)
{
	json_t *o = json_object();

	make_set(m, o, "sent", make_number_or_null(way->sent));
	make_set(m, o, "arrived", make_number_or_null(way->arrived));
	make_set(m, o, "clamped", make_tri(way->clamped));
	return o;
}

static json_t *make_mss(struct maker *m, const struct behaviour *b)
{
	json_t *o = json_object();

	make_set(m, o, "outward", make_mss_way(m, &b->mss_outward));
	make_set(m, o, "inward", make_mss_way(m, &b->mss_inward));
	return o;
}

static json_t *make_options_removed(struct maker *m, const struct behaviour *b)
{
	return b->options_known ? make_syn_options(m, b->removed_outward | b->removed_inward)
				: json_null();
}

/* The sentence that the text output begins with. */
static json_t *make_summary(const char *protocol, const struct behaviour *b, enum family family)
{
	char text[4 * JOURNAL_TEXT];

	if (b && b->status != PATH_UNTESTED)
		judge_sentence(b, family, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s%s: not tested", protocol,
			family == FAMILY_IPV6 ? " over IPv6" : "");
	return make_text(text);
}

json_t *make_behaviour(
	struct maker *m, const char *protocol, const struct behaviour *b, enum family family)
{
	static const struct behaviour untested;
	const struct behaviour *x = b ? b : &untested;
	struct basis_row rows[BASIS_ROWS];
	json_t *o = json_object();

	list_bases(x, rows);
	make_set(m, o, "status", json_string(path_status_name(x->status)));
	make_set(m, o, "summary", make_summary(protocol, b, family));
	make_set(m, o, "nat", make_tri(x->nat));
	make_set(m, o, "local", make_endpoint(m, &x->local));
	make_set(m, o, "external", make_external(m, x));
	make_set(m, o, "mapping", json_string(dependence_name(x->mapping)));
	make_set(m, o, "mapping_depends_on", make_depends_on(m, x));
	make_set(m, o, "filtering", json_string(dependence_name(x->filtering)));
	make_set(m, o, "hairpin", make_tri(x->hairpin));
	make_set(m, o, "port_preservation", json_string(share_name(x->port_preservation)));
	make_set(m, o, "port_allocation", make_allocation(m, &x->allocation));
	make_set(m, o, "pooling", json_string(pooling_name(x->pooling)));
	make_set(m, o, "early_packet", json_string(early_name(x->early)));
	make_set(m, o, "early_packet_ms",
		x->early_after_us ? make_ms(x->early_after_us) : json_null());
	make_set(m, o, "early_packet_from", make_rejecter(m, x));
	make_set(m, o, "simultaneous_open", make_tri(x->simultaneous));
	make_set(m, o, "mss_clamping", make_tri(x->mss_clamping));
	make_set(m, o, "mss", make_mss(m, x));
	make_set(m, o, "options_removed", make_options_removed(m, x));
	make_set(m, o, "hops", x->hops_known ? json_integer(x->hops) : json_null());
	make_set(m, o, "sequence_rewriting", make_tri(x->sequence_rewriting));
	make_set(m, o, "lifetime_s", json_null());
	make_set(m, o, "alg", make_tri(x->alg));
	make_set(m, o, "blocked_by", make_blocked_by(m, x));
	make_set(m, o, "rfc3489_class", json_string(classic_name(x->classic)));
	make_set(m, o, "reasons", make_reasons(m, rows));
	make_set(m, o, "basis", make_bases(m, rows));
	return o;
}
