// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "report/text_private.h"

/* Findings, servers and errors of the report. */

#define INDENT 2

/* "  label: text", when there is a text. */
static void put_member(
	struct page *p, const json_t *object, const char *key, size_t indent, const char *prefix)
{
	const json_t *value = json_object_get(object, key);
	struct line l;

	if (!json_is_string(value))
		return;
	line_begin(p, &l);
	line_add_string(&l, value);
	line_put(&l, indent, prefix, STYLE_PLAIN, STYLE_PLAIN);
}

static enum style severity_style(const json_t *finding)
{
	if (member_is(finding, "severity", "problem"))
		return STYLE_RED;
	return member_is(finding, "severity", "warning") ? STYLE_YELLOW : STYLE_PLAIN;
}

/* The words that programs use come from a stranger too: only those that are known are prefixes. */
static const char *severity_word(const json_t *finding)
{
	if (member_is(finding, "severity", "problem"))
		return "problem: ";
	return member_is(finding, "severity", "warning") ? "warning: " : "note: ";
}

static void put_reference(struct page *p, const json_t *finding)
{
	static const char *const keys[] = {"reference", "id", "about"};
	const char *between = "";
	struct line l;

	line_begin(p, &l);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const json_t *value = json_object_get(finding, keys[i]);

		if (!json_is_string(value))
			continue;
		line_add(&l, "%s", between);
		line_add_string(&l, value);
		between = ", ";
	}
	line_add(&l, ")");
	line_put(&l, 2 * INDENT, "(", STYLE_DIM, STYLE_DIM);
}

static void put_finding(struct page *p, const json_t *finding)
{
	struct line l;

	page_gap(p);
	line_begin(p, &l);
	if (!line_add_string(&l, json_object_get(finding, "title")))
		line_add(&l, "untitled");
	line_put(&l, INDENT, severity_word(finding), severity_style(finding), STYLE_PLAIN);
	put_member(p, finding, "detail", 2 * INDENT, "");
	put_member(p, finding, "advice", 2 * INDENT, "advice: ");
	put_reference(p, finding);
}

/* The table already says what is unknown and why. */
static bool is_repetition(const struct page *p, const json_t *finding)
{
	const char *id = member_text(finding, "id");
	size_t length = id ? strlen(id) : 0;

	return !p->options->verbose && length > 8 && !strcmp(id + length - 8, "-unknown") &&
		strcmp(id, "no-nat-filtering-unknown");
}

void text_findings(struct page *p, const json_t *document)
{
	const json_t *findings = json_object_get(document, "findings");
	bool any = false;

	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *finding = json_array_get(findings, i);

		if (!json_is_object(finding) || is_repetition(p, finding))
			continue;
		if (!any)
			page_heading(p, "findings");
		any = true;
		put_finding(p, finding);
	}
}

/* --- servers --- */

static bool server_has_problem(const json_t *server)
{
	return !member_is(server, "status", "ok") || member_text(server, "problem") ||
		json_array_size(json_object_get(server, "defects"));
}

static void add_features(struct line *l, const json_t *server)
{
	const json_t *features = json_object_get(server, "features");
	const char *before = "; offers ";

	for (size_t i = 0; i < json_array_size(features); i++) {
		line_add(l, "%s", before);
		line_add_string(l, json_array_get(features, i));
		before = ", ";
	}
}

/* "stun.example, 198.51.100.10:3478"; once is enough where the name is the address. */
static void add_server_name(struct line *l, const json_t *server)
{
	const json_t *endpoint = json_object_get(server, "endpoint");
	const char *name = member_text(server, "name");
	bool is_address = name && member_is(endpoint, "address", name);

	if (!is_address && !line_add_string(l, json_object_get(server, "name")))
		line_add(l, "unnamed");
	if (json_is_object(endpoint)) {
		line_add(l, "%s", is_address ? "" : ", ");
		line_add_endpoint(l, endpoint);
	}
}

static void put_server(struct page *p, const json_t *server)
{
	struct line l;

	line_begin(p, &l);
	add_server_name(&l, server);
	line_add(&l, ": ");
	if (!line_add_string(&l, json_object_get(server, "status")))
		line_add(&l, "unknown");
	if (json_is_number(json_object_get(server, "rtt_ms"))) {
		line_add(&l, ", ");
		line_add_ms(&l, json_object_get(server, "rtt_ms"));
	}
	if (member_text(server, "problem")) {
		line_add(&l, ": ");
		line_add_string(&l, json_object_get(server, "problem"));
	}
	if (p->options->verbose) {
		add_features(&l, server);
		if (member_text(server, "software")) {
			line_add(&l, "; calls itself ");
			line_add_string(&l, json_object_get(server, "software"));
		}
	}
	line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
}

void text_servers(struct page *p, const json_t *document)
{
	const json_t *servers = json_object_get(document, "servers");
	bool any = false;

	for (size_t i = 0; i < json_array_size(servers); i++) {
		const json_t *server = json_array_get(servers, i);

		if (!json_is_object(server))
			continue;
		if (!p->options->verbose && !server_has_problem(server))
			continue;
		if (!any)
			page_heading(p, "servers");
		any = true;
		put_server(p, server);
	}
}

/* --- errors --- */

void text_errors(struct page *p, const json_t *document)
{
	const json_t *errors = json_object_get(document, "errors");
	bool any = false;

	for (size_t i = 0; i < json_array_size(errors); i++) {
		const json_t *error = json_array_get(errors, i);
		struct line l;

		if (!json_is_object(error))
			continue;
		if (!any)
			page_heading(p, "errors");
		any = true;
		line_begin(p, &l);
		if (!line_add_string(&l, json_object_get(error, "message")))
			line_add_string(&l, json_object_get(error, "code"));
		if (member_text(error, "test")) {
			line_add(&l, " (test: ");
			line_add_string(&l, json_object_get(error, "test"));
			line_add(&l, ")");
		}
		line_put(&l, INDENT, "", STYLE_PLAIN, STYLE_PLAIN);
	}
}
