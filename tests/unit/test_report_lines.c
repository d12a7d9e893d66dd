// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/lines.h"
#include "test_report_sample.h"

struct recording {
	struct lines lines;
	FILE *out;
	char *text;
	size_t length;
};

static void record_begin(struct recording *r)
{
	r->out = open_memstream(&r->text, &r->length);
	assert_non_null(r->out);
	lines_begin(&r->lines, r->out);
}

static void test_events(void **state)
{
	static const char expected[] =
		"{\"event\":\"sent\",\"seq\":0,\"t_ms\":0.5,\"n\":0,\"question\":\"binding\","
		"\"from\":{\"address\":\"10.0.1.2\",\"port\":5000},"
		"\"to\":{\"address\":\"198.51.100.10\",\"port\":3478},\"size_bytes\":48}\n"
		"{\"event\":\"received\",\"seq\":1,\"t_ms\":51.1,\"n\":0,\"question\":\"binding\","
		"\"from\":{\"address\":\"198.51.100.10\",\"port\":3478},"
		"\"to\":{\"address\":\"10.0.1.2\",\"port\":5000},\"size_bytes\":100}\n"
		"{\"event\":\"icmp\",\"seq\":2,\"t_ms\":51.2,\"n\":0,\"question\":\"binding\","
		"\"from\":null,\"to\":{\"address\":\"198.51.100.10\",\"port\":3478},"
		"\"size_bytes\":0,\"offender\":\"10.0.1.1\",\"type\":3,\"code\":13}\n"
		"{\"event\":\"settled\",\"seq\":3,\"t_ms\":51.3,\"n\":0,\"question\":\"binding\","
		"\"state\":\"answered\",\"to\":{\"address\":\"198.51.100.10\",\"port\":3478},"
		"\"sent\":1,\"awaited\":1,\"received\":1,"
		"\"mapped\":{\"address\":\"192.0.2.11\",\"port\":5000}}\n"
		"{\"event\":\"note\",\"seq\":4,\"t_ms\":52.0,\"n\":null,\"question\":null,"
		"\"text\":\"said \\u001B and \\uFFFD\"}\n";
	struct recording r;
	struct sample s;
	struct observation *o;

	(void)state;
	sample_begin(&s);
	sample_server(&s, "stun.example", "198.51.100.10:3478");
	record_begin(&r);
	s.j->listener = lines_event;
	s.j->listener_context = &r.lines;
	o = sample_ask(&s, QUESTION_BINDING, 0, "198.51.100.10:3478", "198.51.100.10:3478",
		"192.0.2.11:5000");
	o->icmp =
		(struct icmp_seen){.count = 1, .type = 3, .code = 13, .offender = at("10.0.1.1:1")};
	journal_event(s.j, 1000500, EVENT_SENT, o, &o->local, &o->to, 48);
	journal_event(s.j, 1051100, EVENT_RECEIVED, o, &o->to, &o->local, 100);
	journal_event(s.j, 1051200, EVENT_ICMP, o, NULL, &o->to, 0);
	journal_settle(s.j, 1051300, o, OBSERVATION_ANSWERED);
	journal_note(s.j, 1052000, NULL, "said \033 and \xff");
	fclose(r.out); /* each line was flushed; this only frees */
	assert_string_equal(r.text, expected);
	assert_false(r.lines.failed);
	free(r.text);
	sample_end(&s);
}

/* For tests/schema_check.py --lines: with REPORT_SAMPLES=FOLDER they are kept. */
static void keep(const struct recording *r)
{
	const char *folder = getenv("REPORT_SAMPLES");
	char path[512];
	FILE *out;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/lines.jsonl", folder);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(r->text, 1, r->length, out), r->length);
	fclose(out);
}

static void test_end(void **state)
{
	struct recording r;
	struct sample s;
	json_t *document, *line;
	const char *last;

	(void)state;
	sample_home(&s);
	document = sample_document(&s);
	record_begin(&r);
	for (size_t i = 0; i < s.j->observation_count; i++) {
		const struct event e = {
			.t_us = s.j->start_us + i, .kind = EVENT_SETTLED, .observation = i};

		lines_event(&r.lines, s.j, &e);
	}
	assert_int_equal(lines_end(&r.lines, document), 0);
	fclose(r.out);
	keep(&r);
	r.text[r.length - 1] = '\0';
	last = strrchr(r.text, '\n') + 1;
	line = json_loads(last, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(line, "event")), "end");
	assert_int_equal(json_integer_value(json_object_get(line, "seq")), 7);
	assert_true(json_equal(json_object_get(line, "report"), document));
	json_decref(line);
	json_decref(document);
	free(r.text);
	sample_end(&s);
}

/* An event may name a question that does not exist, and a time before the start. */
static void test_odd_events(void **state)
{
	struct recording r;
	struct sample s;
	struct event e = {.t_us = 1, .observation = 4711};

	(void)state;
	sample_begin(&s);
	record_begin(&r);
	for (int kind = EVENT_SENT; kind <= EVENT_NOTE + 1; kind++) {
		e.kind = kind;
		lines_event(&r.lines, s.j, &e);
	}
	fclose(r.out);
	assert_non_null(strstr(r.text, "\"t_ms\":0.0,\"n\":null"));
	free(r.text);
	sample_end(&s);
}

static void test_lost_line(void **state)
{
	struct lines l;
	struct sample s;
	json_t *document;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		return;
	sample_home(&s);
	document = sample_document(&s);
	lines_begin(&l, full);
	assert_int_equal(lines_end(&l, document), -EIO);
	assert_int_equal(lines_end(&l, NULL), -ENOMEM);
	json_decref(document);
	sample_end(&s);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_odd_events),
		cmocka_unit_test(test_lost_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
