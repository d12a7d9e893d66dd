// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/document_private.h"

/*
 * Fifteen digits show every number of ours with its three decimals, and no noise behind them. ASCII
 * only: names from the network cannot reorder or hide text on a terminal.
 */
#define DUMP_FLAGS (JSON_REAL_PRECISION(15) | JSON_ENSURE_ASCII)

static const struct journal *journal_of(const struct report_facts *facts)
{
	return facts->verdict ? facts->journal : NULL;
}

void make_head(struct maker *m, json_t *root, const char *format, int version,
	const struct report_run *run)
{
	double us = run->duration_ms * 1000;

	make_set(m, root, "format", json_string(format));
	make_set(m, root, "format_version", json_integer(version));
	make_set(m, root, "tool", make_text(run->tool));
	make_set(m, root, "version", make_text(run->version));
	make_set(m, root, "time", make_text(run->time));
	/* the bound keeps the conversion defined, and shuts out NaN */
	make_set(m, root, "duration_ms", make_ms(us > 0 && us < 1e15 ? (uint64_t)(us + 0.5) : 0));
	make_set(m, root, "complete", json_boolean(run->complete));
}

static json_t *make_tests(struct maker *m, const struct report_run *run)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < run->test_count; i++)
		make_append(m, tests, make_text(run->tests[i]));
	return tests;
}

static void add_servers(struct maker *m, json_t *root, const struct report_facts *facts)
{
	const struct journal *j = journal_of(facts);
	json_t *servers = json_array();

	for (size_t i = 0; j && i < j->server_count; i++)
		make_append(m, servers, make_server(m, j, facts->verdict, i));
	make_set(m, root, "servers", servers);
}

static void add_protocol(struct maker *m, json_t *root, const char *key, const char *name,
	const struct behaviour *ipv4, const struct behaviour *ipv6)
{
	json_t *o = json_object();

	make_set(m, o, "ipv4", make_behaviour(m, name, ipv4, FAMILY_IPV4));
	make_set(m, o, "ipv6", make_behaviour(m, name, ipv6, FAMILY_IPV6));
	make_set(m, root, key, o);
}

static void add_icmp(struct maker *m, json_t *root, const struct verdict *v)
{
	json_t *o = json_object();

	make_set(m, o, "ipv4", make_icmp_behaviour(m, v ? &v->icmp4 : NULL, FAMILY_IPV4));
	make_set(m, o, "ipv6", make_icmp_behaviour(m, v ? &v->icmp6 : NULL, FAMILY_IPV6));
	make_set(m, root, "icmp", o);
}

/* What later versions fill in; the keys are there from the start. */
static void add_gateway(struct maker *m, json_t *root)
{
	json_t *gateway = json_object();

	make_set(m, gateway, "pcp", json_null());
	make_set(m, gateway, "nat_pmp", json_null());
	make_set(m, gateway, "upnp_igd", json_null());
	make_set(m, root, "gateway", gateway);
}

static json_t *make_family_outlook(struct maker *m, const struct family_outlook *f)
{
	json_t *o = json_object();

	make_set(m, o, "p2p", json_string(p2p_name(f->p2p)));
	make_set(m, o, "method", json_string(method_name(f->method)));
	make_set(m, o, "reason", make_text(f->reason));
	return o;
}

static void add_outlook(struct maker *m, json_t *root, const struct outlook *outlook)
{
	static const struct outlook nothing;
	static const char *const protocols[] = {"udp", "tcp", "icmp"};
	const struct outlook *known = outlook ? outlook : &nothing;
	const struct family_outlook *families[][2] = {{&known->udp4, &known->udp6},
		{&known->tcp4, &known->tcp6}, {&nothing.udp4, &nothing.udp6}};
	json_t *o = json_object();

	make_set(m, o, "p2p", json_string(p2p_name(known->p2p)));
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		json_t *protocol = json_object();

		make_set(m, protocol, "ipv4", make_family_outlook(m, families[i][0]));
		make_set(m, protocol, "ipv6", make_family_outlook(m, families[i][1]));
		make_set(m, o, protocols[i], protocol);
	}
	make_set(m, root, "outlook", o);
}

static json_t *make_finding(struct maker *m, const struct finding *f)
{
	json_t *o = json_object();

	make_set(m, o, "id", json_string(f->id));
	make_set(m, o, "severity", json_string(severity_name(f->severity)));
	make_set(m, o, "about", make_text(f->about));
	make_set(m, o, "title", make_text(f->title));
	make_set(m, o, "detail", make_text(f->detail));
	make_set(m, o, "advice", make_text(f->advice));
	make_set(m, o, "reference", make_text(f->reference));
	make_set(m, o, "evidence", make_numbers(m, f->evidence, f->evidence_count));
	return o;
}

json_t *make_findings(struct maker *m, const struct finding *findings, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		make_append(m, array, make_finding(m, &findings[i]));
	return array;
}

json_t *make_all_evidence(struct maker *m, const struct journal *j)
{
	json_t *evidence = json_array();

	for (size_t i = 0; j && i < j->observation_count; i++)
		make_append(m, evidence, make_evidence(m, j, i));
	return evidence;
}

json_t *make_errors(struct maker *m, const struct report_run *run)
{
	json_t *errors = json_array();

	for (size_t i = 0; i < run->error_count; i++) {
		json_t *o = json_object();

		make_set(m, o, "code", make_text(run->errors[i].code));
		make_set(m, o, "message", make_text(run->errors[i].message));
		make_set(m, o, "test", make_text(run->errors[i].test));
		make_append(m, errors, o);
	}
	return errors;
}

int report_document(const struct report_run *run, const struct report_facts *facts, json_t **out)
{
	const struct verdict *v = facts->verdict;
	struct maker m = {.failed = false};
	json_t *root = json_object();

	make_head(&m, root, REPORT_FORMAT, REPORT_FORMAT_VERSION, run);
	make_set(&m, root, "tests", make_tests(&m, run));
	add_servers(&m, root, facts);
	add_protocol(&m, root, "udp", "UDP", v ? &v->udp4 : NULL, v ? &v->udp6 : NULL);
	add_protocol(&m, root, "tcp", "TCP", v ? &v->tcp4 : NULL, v ? &v->tcp6 : NULL);
	add_icmp(&m, root, v);
	make_set(&m, root, "path", make_path(&m, journal_of(facts), v));
	add_gateway(&m, root);
	add_outlook(&m, root, facts->outlook);
	make_set(&m, root, "findings", make_findings(&m, facts->findings, facts->finding_count));
	make_set(&m, root, "evidence", make_all_evidence(&m, facts->journal));
	make_capture(&m, root, facts->capture);
	make_set(&m, root, "errors", make_errors(&m, run));
	if (m.failed) {
		json_decref(root);
		root = NULL;
	}
	*out = root;
	return root ? 0 : -ENOMEM;
}

int report_write(const json_t *document, FILE *out)
{
	if (json_dumpf(document, out, JSON_INDENT(2) | DUMP_FLAGS) || fputc('\n', out) == EOF)
		return -EIO;
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int report_write_line(const json_t *value, FILE *out)
{
	return json_dumpf(value, out, JSON_COMPACT | DUMP_FLAGS) || ferror(out) ? -EIO : 0;
}
