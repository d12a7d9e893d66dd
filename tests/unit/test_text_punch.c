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

#include "report/terminal.h"
#include "test_punch_sample.h"
#include "report/text_punch.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

/* clang-format off: whole outputs, as they look on a terminal */
static const char connected_text[] =
	"connected: 10.0.1.2:5000 (seen as 192.0.2.1:5000) to 192.0.2.2:6000\n"
	"  way: direct, server-reflexive candidate, RTT 80.6 ms, loss 12 %\n"
	"  time: 520.0 ms in all: registered in 100.0 ms, peer known 300.0 ms later; from\n"
	"        there first packet 30.0 ms, first inbound 70.0 ms, proof 111.0 ms\n"
	"  here: NAT with endpoint-independent mapping, address-and-port-dependent\n"
	"        filtering, preserving ports\n"
	"  peer: NAT with endpoint-independent mapping, address-and-port-dependent\n"
	"        filtering, preserving ports\n";

static const char verbose_text[] = "\n"
				   "Steps\n"
				   "        0.5 ms  register: over IPv4\n"
				   "      100.0 ms  register: done\n";

static const char closed_text[] =
	"failed: the rendezvous server does not answer: 198.51.100.1 says that its UDP\n"
	"        port 3478 is closed: is natprobed running on that port?\n"
	"\n"
	"What is certain\n"
	"  - no answer came from 198.51.100.1:3478\n"
	"  - ICMP type 3 code 3 (port unreachable) came from 198.51.100.1, 1 times, for\n"
	"    packets to 198.51.100.1:3478\n"
	"\n"
	"What is likely\n"
	"  - 198.51.100.1 says that its UDP port 3478 is closed: is natprobed running on\n"
	"    that port?\n"
	"\n"
	"What to try next\n"
	"  - start natprobed there, or name the port on which it listens: --rendezvous\n"
	"    HOST:PORT\n"
	"  - natprobe, which asks other servers too: whether UDP gets out of this network\n"
	"    at all\n";

static const char interrupted_text[] =
	"failed: interrupted: what is known so far\n"
	"  here: NAT with endpoint-independent mapping, address-and-port-dependent\n"
	"        filtering, preserving ports\n";

static const char narrow_color_text[] =
	"\033[1;32mconnected: \033[0m\033[1m10.0.1.2:5000 (seen as\033[0m\n"
	"           \033[1m192.0.2.1:5000) to\033[0m\n"
	"           \033[1m192.0.2.2:6000\033[0m\n";

static const char failed_color_text[] = "\033[1;31mfailed: \033[0m\033[1mno way was found: no plan "
					"is worth trying between these\033[0m\n"
					"        \033[1mtwo\033[0m\n";

static const char hostile_text[] = "failed: \\x1b[2Jevil\n"
				   "  here: \\x1b]0;owned\\x07\n"
				   "  peer: a\\x0ab\n"
				   "\n"
				   "Steps\n"
				   "        1.0 ms  \\xc2\\x9b31m\n";
/* clang-format on */

static char *render(const json_t *d, const struct text_options *options)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(text_punch(d, options, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void check(const json_t *d, const struct text_options *options, const char *expected)
{
	char *text = render(d, options);

	assert_string_equal(text, expected);
	free(text);
}

static json_t *connected(struct punch_sample *s)
{
	punch_sample_begin(s);
	punch_sample_register(s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_meet(s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	punch_sample_connect(s, true);
	return punch_sample_document(s);
}

static void test_connected(void **state)
{
	struct punch_sample s;
	json_t *d = connected(&s);
	char all[sizeof(connected_text) + sizeof(verbose_text)];

	(void)state;
	check(d, &(struct text_options){.width = 80}, connected_text);
	check(d, &(struct text_options){.width = 0}, connected_text);
	snprintf(all, sizeof(all), "%s%s", connected_text, verbose_text);
	check(d, &(struct text_options){.width = 80, .verbose = true}, all);
	check(d, &(struct text_options){.width = 40, .color = true, .brief = true},
		narrow_color_text);
	json_decref(d);
	punch_sample_end(&s);
}

static void test_failed(void **state)
{
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_icmp(&s, "198.51.100.1", "198.51.100.1:3478", 3, 3);
	punch_sample_fail(&s, SESSION_UNREACHABLE);
	d = punch_sample_document(&s);
	check(d, &(struct text_options){.width = 80}, closed_text);
	json_decref(d);
	punch_sample_end(&s);
	punch_sample_no_path(&s, DEPENDENCE_ADDRESS_AND_PORT, DEPENDENCE_ADDRESS_AND_PORT);
	d = punch_sample_document(&s);
	check(d, &(struct text_options){.width = 65, .color = true, .brief = true},
		failed_color_text);
	json_decref(d);
	punch_sample_end(&s);
}

static void test_interrupted(void **state)
{
	static const struct report_error error = {
		"interrupted", "interrupted: what is known so far", NULL};
	struct punch_sample s;
	json_t *d;

	(void)state;
	punch_sample_begin(&s);
	punch_sample_register(&s, DEPENDENCE_ENDPOINT_INDEPENDENT);
	s.run.complete = false;
	s.run.errors = &error;
	s.run.error_count = 1;
	d = punch_sample_document(&s);
	check(d, &(struct text_options){.width = 80}, interrupted_text);
	json_decref(d);
	s.view.own_behaviour[0].status = PATH_UNTESTED;
	s.view.own.has_side[0] = false;
	d = punch_sample_document(&s);
	check(d, &(struct text_options){.width = 80},
		"failed: interrupted: what is known so far\n");
	json_decref(d);
	punch_sample_end(&s);
}

/* Lines fit into any terminal, whatever has failed. */
static void test_width(void **state)
{
	struct punch_sample s;
	json_t *d;
	char *text;

	(void)state;
	punch_sample_no_path(&s, DEPENDENCE_ENDPOINT_INDEPENDENT, DEPENDENCE_ADDRESS_AND_PORT);
	d = punch_sample_document(&s);
	for (unsigned width = 40; width < 120; width += 7) {
		text = render(d, &(struct text_options){.width = width, .verbose = true});
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") <= width);
		assert_null(strstr(text, "here: ")); /* it is in what is certain */
		assert_non_null(strstr(text, "own side: "));
		free(text);
	}
	json_decref(d);
	punch_sample_end(&s);
}

static void test_print(void **state)
{
	struct punch_sample s;
	json_t *d = connected(&s);
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_non_null(out);
	assert_int_equal(text_punch_line(d, out), 0);
	json_object_set_new(d, "outcome", json_string("failed"));
	assert_int_equal(text_punch_line(d, out), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "udp 10.0.1.2:5000 192.0.2.2:6000\n");
	free(text);
	json_decref(d);
	punch_sample_end(&s);
}

/* As a saved report is printed: by what its format says. */
static void test_saved(void **state)
{
	struct punch_sample s;
	json_t *d = connected(&s);
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_non_null(out);
	assert_int_equal(text_report(d, &(struct text_options){.width = 80}, out), 0);
	assert_int_equal(text_short(d, out), 0);
	json_object_set_new(d, "outcome", json_string("failed"));
	json_object_set_new(d, "failure", json_string("no-path"));
	assert_int_equal(text_short(d, out), 0);
	json_object_set_new(d, "failure", json_string("\033"));
	assert_int_equal(text_short(d, out), 0);
	assert_int_equal(fclose(out), 0);
	assert_memory_equal(text, connected_text, strlen(connected_text));
	assert_string_equal(text + strlen(connected_text), "connected\nno-path\nunknown\n");
	free(text);
	json_decref(d);
	punch_sample_end(&s);
}

static void test_full(void **state)
{
	struct punch_sample s;
	json_t *d = connected(&s);
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(text_punch(d, &(struct text_options){.width = 80}, full), -EIO);
	assert_int_equal(text_punch_line(d, full), -EIO);
	fclose(full);
	json_decref(d);
	punch_sample_end(&s);
}

/* What comes from the network or from a saved report is escaped, and may be of any shape. */
static void test_strangers(void **state)
{
	static const char *const rows[] = {"null", "[]", "{}", "\"x\"", "{\"outcome\":[]}",
		"{\"outcome\":\"connected\"}", "{\"outcome\":\"connected\",\"time_ms\":{}}",
		"{\"outcome\":\"connected\",\"time_ms\":[],\"peer\":3,\"local\":{}}",
		"{\"explanation\":{\"certain\":{},\"likely\":[null,3,\"\\u001b\"]}}",
		"{\"steps\":[null,{},{\"t_ms\":\"x\",\"text\":7}],\"errors\":{}}"};
	static const char hostile[] =
		"{\"reason\":\"\\u001b[2Jevil\",\"own_nat\":{\"status\":\"ok\","
		"\"summary\":\"\\u001b]0;owned\\u0007\"},"
		"\"peer_nat\":{\"status\":\"ok\",\"summary\":\"a\\nb\"},"
		"\"steps\":[{\"t_ms\":1,\"text\":\"\\u009b31m\"}]}";
	const struct text_options all = {.width = 80, .verbose = true};
	json_t *d;

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char *text;

		d = json_loads(rows[i], JSON_DECODE_ANY, NULL);
		assert_non_null(d);
		text = render(d, &all);
		assert_true(*text);
		assert_null(strchr(text, '\033'));
		assert_null(strstr(text, "time: "));
		assert_true(!strstr(text, "Steps") == (i + 1 < LENGTH(rows)));
		free(text);
		json_decref(d);
	}
	d = json_loads(hostile, 0, NULL);
	check(d, &all, hostile_text);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
