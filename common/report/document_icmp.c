// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/in.h>

#include "report/document_private.h"

/* What the block of ICMP has beyond that of any protocol. */

static json_t *make_origins(struct maker *m, const enum tri arrives[static ICMP_ORIGINS])
{
	json_t *o = json_object();

	make_set(m, o, "own", make_tri(arrives[ICMP_ORIGIN_OWN]));
	make_set(m, o, "other", make_tri(arrives[ICMP_ORIGIN_OTHER]));
	return o;
}

static json_t *make_errors_inward(struct maker *m, const struct icmp_verdict *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->error_count && i < ICMP_ERRORS; i++) {
		const struct icmp_error_verdict *e = &v->errors[i];
		json_t *o = json_object();

		make_set(m, o, "type", json_integer(e->type));
		make_set(m, o, "code", json_integer(e->code));
		make_set(m, o, "udp", make_origins(m, e->arrives[ICMP_ABOUT_UDP]));
		make_set(m, o, "tcp", make_origins(m, e->arrives[ICMP_ABOUT_TCP]));
		make_set(m, o, "attempt", make_origins(m, e->arrives[ICMP_ABOUT_ATTEMPT]));
		make_append(m, array, o);
	}
	return array;
}

static json_t *make_passing(struct maker *m, const struct icmp_verdict *v)
{
	json_t *o = json_object();

	make_set(m, o, "udp", json_string(share_name(v->passing[ICMP_ABOUT_UDP])));
	make_set(m, o, "tcp", json_string(share_name(v->passing[ICMP_ABOUT_TCP])));
	make_set(m, o, "attempt", json_string(share_name(v->passing[ICMP_ABOUT_ATTEMPT])));
	return o;
}

static json_t *make_quote_defects(struct maker *m, const struct icmp_verdict *v)
{
	static const struct {
		enum quote_defect defect;
		const char *name;
	} all[] = {{QUOTE_SOURCE, "source"}, {QUOTE_DESTINATION, "destination"},
		{QUOTE_HEADER, "ip-checksum"}, {QUOTE_CHECKSUM, "udp-checksum"}};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (v->quote_defects & all[i].defect)
			make_append(m, array, json_string(all[i].name));
	return array;
}

static json_t *make_quotes(struct maker *m, const struct icmp_verdict *v)
{
	json_t *o = json_object();
	const char *seen = v->quotes == TRI_UNKNOWN ? NULL
		: v->quotes_whole		    ? "raw-socket"
						    : "error-queue";

	make_set(m, o, "right", make_tri(v->quotes));
	make_set(m, o, "seen_by", seen ? json_string(seen) : json_null());
	make_set(m, o, "defects", make_quote_defects(m, v));
	return o;
}

static json_t *make_egress_kinds(struct maker *m, const struct icmp_verdict *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->egress_count && i < EGRESS_KINDS; i++) {
		const struct egress_verdict *e = &v->egress_kinds[i];
		json_t *o = json_object();

		make_set(m, o, "type", json_integer(e->type));
		make_set(m, o, "code", json_integer(e->code));
		make_set(m, o, "quotes",
			json_string(e->quoted_protocol == IPPROTO_UDP ? "udp" : "echo"));
		make_set(m, o, "arrives", make_tri(e->arrives));
		make_append(m, array, o);
	}
	return array;
}

static json_t *make_egress(struct maker *m, const struct icmp_verdict *v)
{
	json_t *o = json_object();

	make_set(m, o, "untracked", json_string(egress_name(v->egress)));
	make_set(m, o, "source", make_address(&v->egress_from));
	make_set(m, o, "kinds", make_egress_kinds(m, v));
	make_set(m, o, "translated", make_tri(v->outward));
	return o;
}

static json_t *make_lifetime(struct maker *m, const struct icmp_verdict *v)
{
	json_t *o;

	if (!v->lasts_ms)
		return json_null();
	o = json_object();
	make_set(m, o, "at_least", json_integer(v->lasts_ms / 1000));
	make_set(m, o, "less_than", make_number_or_null((int)(v->ends_ms / 1000)));
	return o;
}

/* A verdict of the block with what it rests on. */
struct icmp_row {
	const char *key;
	const struct basis *basis;
	bool unknown;
};

#define ROWS 13

static void list_rows(const struct icmp_verdict *v, struct icmp_row rows[static ROWS])
{
	const struct icmp_row all[ROWS] = {
		{"service", &v->service_basis, v->service == TRI_UNKNOWN},
		{"echo", &v->echo_basis, v->echo == TRI_UNKNOWN},
		{"errors_udp", &v->passing_basis[ICMP_ABOUT_UDP],
			v->passing[ICMP_ABOUT_UDP] == SHARE_UNKNOWN},
		{"errors_tcp", &v->passing_basis[ICMP_ABOUT_TCP],
			v->passing[ICMP_ABOUT_TCP] == SHARE_UNKNOWN},
		{"errors_attempt", &v->passing_basis[ICMP_ABOUT_ATTEMPT],
			v->passing[ICMP_ABOUT_ATTEMPT] == SHARE_UNKNOWN},
		{"quotes", &v->quotes_basis, v->quotes == TRI_UNKNOWN},
		{"errors_end_mapping", &v->end_mapping_basis, v->end_mapping == TRI_UNKNOWN},
		{"errors_end_connection", &v->end_connection_basis,
			v->end_connection == TRI_UNKNOWN},
		{"errors_end_attempt", &v->end_attempt_basis, v->end_attempt == TRI_UNKNOWN},
		{"path_mtu_errors", &v->path_mtu_basis, v->path_mtu == TRI_UNKNOWN},
		{"egress", &v->egress_basis, v->egress == EGRESS_UNKNOWN},
		{"egress_translated", &v->outward_basis, v->outward == TRI_UNKNOWN},
		{"lifetime_s", &v->lifetime_basis, !v->lasts_ms},
	};

	for (size_t i = 0; i < ROWS; i++)
		rows[i] = all[i];
}

static void add_rows(struct maker *m, json_t *block, const struct icmp_verdict *v, bool tested)
{
	json_t *reasons = json_object_get(block, "reasons"),
	       *basis = json_object_get(block, "basis");
	struct icmp_row rows[ROWS];

	list_rows(v, rows);
	for (size_t i = 0; i < ROWS; i++) {
		if (tested && rows[i].unknown && *rows[i].basis->text)
			make_set(m, reasons, rows[i].key, make_text(rows[i].basis->text));
		make_set(m, basis, rows[i].key,
			make_numbers(m, rows[i].basis->evidence, rows[i].basis->evidence_count));
	}
}

json_t *make_icmp_behaviour(struct maker *m, const struct icmp_verdict *v, enum family family)
{
	static const struct icmp_verdict untested;
	const struct icmp_verdict *x = v ? v : &untested;
	bool tested = x->common.status != PATH_UNTESTED;
	json_t *o = make_behaviour(m, "ICMP", v ? &v->common : NULL, family);
	char text[4 * JOURNAL_TEXT];

	if (tested) {
		judge_sentence_icmp(x, family, text, sizeof(text));
		make_set(m, o, "summary", make_text(text));
	}
	make_set(m, o, "service", make_tri(x->service));
	make_set(m, o, "echo", make_tri(x->echo));
	make_set(m, o, "identifiers", json_integer(x->identifiers));
	make_set(m, o, "errors_arrive", make_passing(m, x));
	make_set(m, o, "errors", make_errors_inward(m, x));
	make_set(m, o, "quotes", make_quotes(m, x));
	make_set(m, o, "errors_end_mapping", make_tri(x->end_mapping));
	make_set(m, o, "errors_end_connection", make_tri(x->end_connection));
	make_set(m, o, "errors_end_attempt", make_tri(x->end_attempt));
	make_set(m, o, "path_mtu_errors", make_tri(x->path_mtu));
	make_set(m, o, "egress", make_egress(m, x));
	make_set(m, o, "lifetime_s", make_lifetime(m, x));
	add_rows(m, o, x, tested);
	return o;
}
