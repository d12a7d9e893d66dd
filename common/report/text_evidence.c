// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/text_private.h"

/* The evidence behind verdicts: what was asked, what came, and what would have had to get lost. */

#define REPORTED_MAX 16

/* From so many alike on they share a line, which shows only the first few endpoints. */
#define RUN_MIN	  3
#define RUN_SHOWN 6

#define BULLET	  "\xe2\x80\xa2 "

/* Numbers are places in the array; looking no further keeps a stranger's report from costing time. */
const json_t *text_evidence_at(const json_t *document, const json_t *number)
{
	const json_t *evidence = json_object_get(document, "evidence");
	json_int_t n = json_integer_value(number);
	const json_t *item;

	if (!json_is_integer(number) || n < 0)
		return NULL;
	item = json_array_get(evidence, (size_t)n);
	return json_integer_value(json_object_get(item, "n")) == n ? item : NULL;
}

/* Whether the server's name says more than the address; hairpin questions go to this host itself. */
static bool names_more(const json_t *e)
{
	const char *name = member_text(e, "server");

	return name && !member_is(e, "question", "hairpin") &&
		!member_is(json_object_get(e, "to"), "address", name);
}

/* "icmp-error 3/1 about tcp": what is asked about ICMP. */
static void add_detail(struct line *l, const json_t *e)
{
	const json_t *d = json_object_get(e, "icmp_detail");

	if (!json_is_object(d))
		return;
	if (member_is(e, "question", "icmp-error") || member_is(e, "question", "egress"))
		line_add(l, " %llu/%llu", member_count(d, "type"), member_count(d, "code"));
	if (!member_is(d, "flow", "echo")) {
		line_add(l, " about ");
		line_add_string(l, json_object_get(d, "flow"));
	}
	if (member_count(d, "late_ms"))
		line_add(l, ", %llu s late,", member_count(d, "late_ms") / 1000);
}

static void add_who(struct line *l, const json_t *e)
{
	if (!line_add_string(l, json_object_get(e, "question")))
		line_add(l, "question");
	add_detail(l, e);
	line_add(l, " to ");
	line_add_endpoint(l, json_object_get(e, "to"));
	if (names_more(e)) {
		line_add(l, " (");
		line_add_string(l, json_object_get(e, "server"));
		line_add(l, ")");
	}
	if (!json_equal(json_object_get(e, "to"), json_object_get(e, "from"))) {
		line_add(l, ", answer from ");
		line_add_endpoint(l, json_object_get(e, "from"));
	}
}

/* How an attempt to connect ended. */
static void add_connection(struct line *l, const json_t *c, const char *whose)
{
	if (!json_is_object(c))
		return;
	line_add(l, "; %s: ", whose);
	line_add_string(l, json_object_get(c, "outcome"));
	line_add(l, " after ");
	line_add_ms(l, json_object_get(c, "took_ms"));
}

/* One packet that arrives proves a yes; a no is as good as the number of packets that did not. */
static void add_counts(struct line *l, const json_t *e)
{
	unsigned long long received = member_count(e, "received"),
			   awaited = member_count(e, "awaited");

	line_add(l, ": %llu sent, %llu received", member_count(e, "sent"), received);
	if (json_is_object(json_object_get(e, "mapped"))) {
		line_add(l, ", seen as ");
		line_add_endpoint(l, json_object_get(e, "mapped"));
	}
	if (json_is_number(json_object_get(e, "rtt_ms"))) {
		line_add(l, ", ");
		line_add_ms(l, json_object_get(e, "rtt_ms"));
	}
	if (!received && member_is(e, "state", "silent") && awaited)
		line_add(l, ": %llu packet%s would have had to be lost", awaited,
			awaited == 1 ? "" : "s");
	else if (!member_is(e, "state", "answered") && member_text(e, "state")) {
		line_add(l, ", ");
		line_add_string(l, json_object_get(e, "state"));
	}
}

static void add_icmp(struct line *l, const json_t *icmp, const char *where)
{
	if (!json_is_object(icmp))
		return;
	if (json_is_true(json_object_get(icmp, "local"))) {
		line_add(l, "; this host would not send it");
		return;
	}
	line_add(l, "; ICMP type %llu code %llu%s", member_count(icmp, "type"),
		member_count(icmp, "code"), where);
	if (member_text(icmp, "from")) {
		line_add(l, " from ");
		line_add_string(l, json_object_get(icmp, "from"));
	}
}

void text_evidence_remarks(struct line *l, const json_t *e)
{
	const json_t *wrong = json_object_get(e, "wrong_source");
	const json_t *reported = json_object_get(e, "icmp_at_server");
	const json_t *detail = json_object_get(e, "icmp_detail");

	if (json_is_object(wrong)) {
		line_add(l, "; %llu from ", member_count(wrong, "count"));
		line_add_endpoint(l, json_object_get(wrong, "from"));
		line_add(l, ", which was not asked to");
	}
	if (json_is_object(json_object_get(detail, "recorded_from"))) {
		line_add(l, "; the server saw it from ");
		line_add_endpoint(l, json_object_get(detail, "recorded_from"));
	}
	if (member_count(detail, "wrong_quotes"))
		line_add(l, "; %llu quoted wrongly", member_count(detail, "wrong_quotes"));
	if (member_count(e, "malformed"))
		line_add(l, "; %llu malformed", member_count(e, "malformed"));
	if (member_count(e, "error_code"))
		line_add(l, "; error %llu", member_count(e, "error_code"));
	if (!member_is(e, "state", "answered"))
		add_connection(l, json_object_get(e, "connection"), "connection");
	add_connection(l, json_object_get(e, "call"), "the server's call");
	add_icmp(l, json_object_get(e, "icmp"), "");
	for (size_t i = 0; i < json_array_size(reported) && i < REPORTED_MAX; i++)
		add_icmp(l, json_array_get(reported, i), " at the server");
}

/* Nobody is expected to answer a ladder but routers, and each may. */
static void add_ladder(struct line *l, const json_t *e)
{
	line_add(l, ": %llu sent; last router to answer: ", member_count(e, "sent"));
	text_trace(l, json_object_get(e, "trace"), false);
	if (member_is(e, "state", "refused") || member_is(e, "state", "abandoned")) {
		line_add(l, ", ");
		line_add_string(l, json_object_get(e, "state"));
	}
}

static void put_one(struct page *p, const json_t *e, size_t indent)
{
	struct line l;

	line_begin(p, &l);
	line_add(&l, "[%llu] ", member_count(e, "n"));
	add_who(&l, e);
	if (json_is_object(json_object_get(e, "trace"))) {
		add_ladder(&l, e);
	} else {
		add_counts(&l, e);
		text_evidence_remarks(&l, e);
	}
	line_put(&l, indent, p->options->utf8 ? BULLET : "- ", STYLE_DIM, STYLE_DIM);
}

/* One packet out, one answer back, nothing else to say. */
static bool is_plain(const json_t *e)
{
	return member_is(e, "state", "answered") && !json_is_object(json_object_get(e, "call")) &&
		member_count(e, "sent") == 1 && member_count(e, "received") == 1 &&
		!member_count(e, "malformed") &&
		!json_is_object(json_object_get(e, "wrong_source")) &&
		!json_is_object(json_object_get(e, "icmp")) &&
		!json_is_object(json_object_get(e, "icmp_detail")) &&
		!json_array_size(json_object_get(e, "icmp_at_server"));
}

/* Whether b is the same question as a, put once more. */
static bool is_alike(const json_t *a, const json_t *b)
{
	const char *question = member_text(a, "question");

	return question && member_is(b, "question", question) && is_plain(a) && is_plain(b) &&
		json_equal(json_object_get(a, "to"), json_object_get(b, "to")) &&
		json_equal(json_object_get(a, "from"), json_object_get(b, "from"));
}

/* How many items from place i on can be told in one line. */
static size_t run_of(const json_t *document, const json_t *numbers, size_t i)
{
	const json_t *first = text_evidence_at(document, json_array_get(numbers, i));
	size_t count = 1;

	for (; i + count < json_array_size(numbers) && count < TEXT_EVIDENCE; count++) {
		const json_t *next = text_evidence_at(document, json_array_get(numbers, i + count));

		if (!next || member_count(next, "n") != member_count(first, "n") + count ||
			!is_alike(first, next))
			break;
	}
	return count;
}

/* "[7-30] ports to 198.51.100.10:3478: 24 sent, 24 received, seen as ..., and 18 more" */
static void put_run(struct page *p, const json_t *document, const json_t *numbers, size_t at,
	size_t count, size_t indent)
{
	const json_t *first = text_evidence_at(document, json_array_get(numbers, at));
	struct line l;

	line_begin(p, &l);
	line_add(
		&l, "[%llu-%llu] ", member_count(first, "n"), member_count(first, "n") + count - 1);
	add_who(&l, first);
	line_add(&l, ": %zu sent, %zu received, seen as ", count, count);
	for (size_t i = 0; i < count && i < RUN_SHOWN; i++) {
		const json_t *e = text_evidence_at(document, json_array_get(numbers, at + i));

		line_add(&l, "%s", i ? ", " : "");
		line_add_endpoint(&l, json_object_get(e, "mapped"));
	}
	if (count > RUN_SHOWN)
		line_add(&l, " and %zu more", count - RUN_SHOWN);
	line_put(&l, indent, p->options->utf8 ? BULLET : "- ", STYLE_DIM, STYLE_DIM);
}

void text_evidence(struct page *p, const json_t *document, const json_t *numbers, size_t indent)
{
	size_t count;

	for (size_t i = 0; i < json_array_size(numbers) && i < TEXT_EVIDENCE; i += count) {
		const json_t *e = text_evidence_at(document, json_array_get(numbers, i));

		count = e ? run_of(document, numbers, i) : 1;
		if (count >= RUN_MIN)
			put_run(p, document, numbers, i, count, indent);
		else if (e)
			put_one(p, e, indent);
		if (count < RUN_MIN)
			count = 1;
	}
}
