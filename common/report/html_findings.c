// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/html_private.h"
#include "report/markup.h"

/* Findings, servers, attempts, errors. */

/* Only words that are known become classes and tags. */
static const char *severity(const json_t *finding)
{
	if (member_is(finding, "severity", "problem"))
		return "problem";
	return member_is(finding, "severity", "warning") ? "warning" : "note";
}

static void put_reference(struct html *h, const json_t *finding)
{
	static const char *const keys[] = {"reference", "id", "about"};
	const char *between = "";

	fputs("<p class=\"reference\">", h->out);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const json_t *value = json_object_get(finding, keys[i]);

		if (!json_is_string(value))
			continue;
		fputs(between, h->out);
		html_text(h, value);
		between = " \xc2\xb7 ";
	}
	if (json_array_size(json_object_get(finding, "evidence"))) {
		fputs(between, h->out);
		html_links(h, json_object_get(finding, "evidence"), 'e');
	}
	fputs("</p>\n", h->out);
}

static void put_finding(struct html *h, const json_t *finding)
{
	fprintf(h->out, "<article class=\"card %s\">\n<h3><span class=\"tag\">%s</span> ",
		severity(finding), severity(finding));
	if (!html_text(h, json_object_get(finding, "title")))
		fputs("untitled", h->out);
	fputs("</h3>\n", h->out);
	html_paragraph(h, finding, "detail", "detail");
	if (member_text(finding, "advice")) {
		fputs("<dl>\n", h->out);
		html_term(h, "What to do", json_object_get(finding, "advice"));
		fputs("</dl>\n", h->out);
	}
	put_reference(h, finding);
	fputs("</article>\n", h->out);
}

void html_findings(struct html *h)
{
	const json_t *findings = json_object_get(h->document, "findings");

	html_begin(h, "findings", "Findings");
	for (size_t i = 0; i < json_array_size(findings) && i < HTML_ITEMS; i++)
		if (json_is_object(json_array_get(findings, i)))
			put_finding(h, json_array_get(findings, i));
	html_end(h);
}

/* --- tables --- */

static void put_words(struct html *h, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && i < HTML_ITEMS; i++) {
		fputs(i ? ", " : "", h->out);
		html_text(h, json_array_get(list, i));
	}
}

static void put_server(struct html *h, const json_t *server)
{
	fputs("<tr><th scope=\"row\">", h->out);
	html_text(h, json_object_get(server, "name"));
	fputs("</th><td>", h->out);
	html_endpoint(h, json_object_get(server, "endpoint"));
	fputs("</td><td>", h->out);
	html_text(h, json_object_get(server, "transport"));
	fputs("</td><td>", h->out);
	html_text(h, json_object_get(server, "status"));
	fputs("</td><td class=\"number\">", h->out);
	html_ms(h, json_object_get(server, "rtt_ms"));
	fputs("</td><td>", h->out);
	put_words(h, json_object_get(server, "features"));
	fputs("</td><td>", h->out);
	html_text(h, json_object_get(server, "software"));
	fputs("</td><td>", h->out);
	html_text(h, json_object_get(server, "problem"));
	fputs("</td></tr>\n", h->out);
}

void html_servers(struct html *h)
{
	static const char *const heads[] = {"name", "endpoint", "transport", "status", ">RTT",
		"offers", "calls itself", "problem", NULL};
	const json_t *servers = json_object_get(h->document, "servers");

	html_begin(h, "servers", "Servers");
	html_table(h, "scroll", "The servers that were asked", heads);
	for (size_t i = 0; i < json_array_size(servers) && i < HTML_ITEMS; i++)
		if (json_is_object(json_array_get(servers, i)))
			put_server(h, json_array_get(servers, i));
	html_table_end(h);
	html_end(h);
}

static void put_attempt(struct html *h, const json_t *attempt)
{
	static const char *const keys[] = {"packets_sent", "packets_received", "packets_refused",
		"icmp_errors", "connections_opened", "connections_accepted", "resets"};

	fputs("<tr><th scope=\"row\">", h->out);
	html_text(h, json_object_get(attempt, "strategy"));
	fputs("</th><td>", h->out);
	html_text(h, json_object_get(attempt, "result"));
	fputs("</td><td class=\"number\">", h->out);
	html_ms(h, json_object_get(attempt, "duration_ms"));
	fputs("</td>", h->out);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		fprintf(h->out, "<td class=\"number\">%llu</td>", member_count(attempt, keys[i]));
	fputs("</tr>\n", h->out);
}

static void put_attempts(struct html *h, const json_t *attempts)
{
	static const char *const heads[] = {"strategy", "result", ">took", ">sent", ">received",
		">refused", ">ICMP errors", ">opened", ">accepted", ">resets", NULL};

	html_table(h, "scroll", "What was tried with the peer, in this order", heads);
	for (size_t i = 0; i < json_array_size(attempts) && i < HTML_ITEMS; i++)
		if (json_is_object(json_array_get(attempts, i)))
			put_attempt(h, json_array_get(attempts, i));
	html_table_end(h);
}

static void put_steps(struct html *h, const json_t *steps)
{
	static const char *const heads[] = {">time", "step", NULL};

	html_table(h, "scroll", "Steps of this run", heads);
	for (size_t i = 0; i < json_array_size(steps) && i < HTML_ITEMS; i++) {
		const json_t *step = json_array_get(steps, i);

		if (!json_is_object(step))
			continue;
		fputs("<tr><td class=\"number\">", h->out);
		html_ms(h, json_object_get(step, "t_ms"));
		fputs("</td><td>", h->out);
		html_text(h, json_object_get(step, "text"));
		fputs("</td></tr>\n", h->out);
	}
	html_table_end(h);
}

void html_attempts(struct html *h)
{
	const json_t *attempts = json_object_get(h->document, "attempts");
	const json_t *steps = json_object_get(h->document, "steps");

	html_begin(h, "attempts", "Attempts");
	if (json_array_size(attempts))
		put_attempts(h, attempts);
	if (json_array_size(steps))
		put_steps(h, steps);
	html_end(h);
}

void html_errors(struct html *h)
{
	const json_t *errors = json_object_get(h->document, "errors");

	html_begin(h, "errors", "Errors");
	fputs("<ul>\n", h->out);
	for (size_t i = 0; i < json_array_size(errors) && i < HTML_ITEMS; i++) {
		const json_t *error = json_array_get(errors, i);

		fputs("<li>", h->out);
		if (!html_text(h, json_object_get(error, "message")))
			html_text(h, json_object_get(error, "code"));
		fputs("</li>\n", h->out);
	}
	fputs("</ul>\n", h->out);
	html_end(h);
}
