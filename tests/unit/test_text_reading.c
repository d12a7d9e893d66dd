// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What foreign packets show, for people: whole outputs, and documents of strangers. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/text_reading.h"
#include "test_reading_sample.h"

static char *render(const json_t *d, const struct text_options *options)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(text_report(d, options, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void check(const json_t *d, const struct text_options *options, const char *expected)
{
	char *text = render(d, options);

	assert_string_equal(text, expected);
	free(text);
}

/* clang-format off: whole outputs, as they look on a terminal */
static const char mixed_text[] =
	"certain: A router on the way refuses packets\n"
	"\n"
	"11 packets; flows: 2 works, 1 silent, 1 refused, 1 reset, 1 unasked\n"
	"captured on: 10.0.1.2\n"
	"the file ends within a packet\n"
	"\n"
	"why\n"
	"  certain: A router on the way refuses packets\n"
	"    on the path, 192.0.2.1, 1 hop away\n"
	"    192.0.2.1 answered packets to 203.0.113.3:9 with ICMP type 3 code 13\n"
	"    (prohibited by a filter), 1 times.\n"
	"    packets #6 #7\n"
	"    advice: Look at its firewall and its routes.\n"
	"\n"
	"  possible: A connection is refused: by the other end, or by a box that speaks\n"
	"            for it\n"
	"    at 203.0.113.4, 5 hops away\n"
	"    A RST with TTL 60 came from 203.0.113.4:80, over 4 routers.\n"
	"    packets #8 #9\n"
	"    advice: Is the program running there, and on that port?\n"
	"    to decide: The TTL of the RST beside that of other packets from there.\n"
	"\n"
	"  possible: UDP left this host, and nothing came back\n"
	"    on the path, 203.0.113.2\n"
	"    2 packets to 203.0.113.2:9 in 0.0 s, and none from there.\n"
	"    packets #4 #5\n"
	"    advice: Capture at the other end, too: does it arrive there?\n"
	"    to decide: A capture at the other end, or natprobe with a server there.\n"
	"\n"
	"external endpoints\n"
	"  10.0.1.2:40000 is 192.0.2.11:40000 for 203.0.113.1:3478\n"
	"\n"
	"flows\n"
	"  works  udp  10.0.1.2:40000 - 203.0.113.1:3478  1 sent, 1 received, from #2\n"
	"  silent  udp  10.0.1.2:40001 - 203.0.113.2:9  2 sent, 0 received, from #4\n"
	"  refused  udp  10.0.1.2:40002 - 203.0.113.3:9  1 sent, 0 received, from #6\n"
	"  reset  tcp  10.0.1.2:40003 - 203.0.113.4:80  1 sent, 1 received, from #8\n"
	"  unasked  udp  10.0.1.2:40004 - 203.0.113.5:9  0 sent, 1 received, from #10\n"
	"  works  udp  10.0.1.2:50000 - 198.51.100.9:53  1 sent, 1 received, from #1\n";

static const char healthy_text[] =
	"nothing that has failed: 1 flows work, of 2 packets\n"
	"\n"
	"2 packets; flows: 1 works\n"
	"taken for the host that captured: 10.0.1.2\n"
	"\n"
	"flows\n"
	"  works  udp  10.0.1.2:1 - 203.0.113.1:9  1 sent, 1 received, from #1, heard\n"
	"  before it sent\n";

static const char broken_text[] = "nothing that has failed: 0 flows work, of 0 packets\n"
				  "\n"
				  "0 packets\n"
				  "read up to here: at byte 0: broken\n";

static const char hostile_text[] = "possible: \\x1b[2J\n"
				   "\n"
				   "0 packets\n"
				   "captured on: \\x1b]0;x\\x07\n"
				   "read up to here: \\xc2\\x9b\n"
				   "\n"
				   "why\n"
				   "  possible: \\x1b[2J\n"
				   "\n"
				   "external endpoints\n"
				   "  none is none for none: mapping \\x1b\n"
				   "\n"
				   "flows\n"
				   "  \\x1b  \\x1b  none - none  0 sent, 0 received\n";
/* clang-format on */

static void tells_all(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_mixed(&s);
	d = reading_sample_document(&s, false);
	check(d, &(struct text_options){.width = 80}, mixed_text);
	check(d, &(struct text_options){.width = 0}, mixed_text);
	check(d, &(struct text_options){.width = 80, .brief = true},
		"certain: A router on the way refuses packets\n");
	json_decref(d);
	reading_sample_end(&s);
}

static void tells_mappings(void **state)
{
	struct reading_sample s;
	json_t *d;
	char *text;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_dependent(&s);
	d = reading_sample_document(&s, false);
	text = render(d, &(struct text_options){.width = 200});
	assert_non_null(strstr(text,
		"\n  10.0.1.2:40000 is 192.0.2.11:7 for 203.0.113.1:3478, 192.0.2.11:8 for "
		"203.0.113.2:3478: mapping address-dependent\n"));
	free(text);
	json_decref(d);
	reading_sample_end(&s);
}

static void tells_of_health(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	s.file.cut_off = false;
	reading_sample_put(&s, kit_udp("10.0.1.2:1", "203.0.113.1:9", "x"), WAY_UNKNOWN);
	reading_sample_put(&s, kit_udp("203.0.113.1:9", "10.0.1.2:1", "x"), WAY_UNKNOWN);
	d = reading_sample_document(&s, false);
	json_object_set_new(
		json_array_get(json_object_get(d, "flows"), 0), "heard_first", json_true());
	check(d, &(struct text_options){.width = 80}, healthy_text);
	json_decref(d);
	reading_sample_end(&s);
}

static void tells_of_broken_files(void **state)
{
	struct reading_sample s;
	json_t *d;

	(void)state;
	reading_sample_begin(&s);
	s.file = (struct reading_file){.name = "x", .problem = "at byte 0: broken"};
	d = reading_sample_document(&s, false);
	check(d, &(struct text_options){.width = 80}, broken_text);
	json_decref(d);
	reading_sample_end(&s);
}

/* Without --verbose the first ones. */
static void bounds_flows(void **state)
{
	struct reading_sample s;
	json_t *d;
	char *text;

	(void)state;
	reading_sample_begin(&s);
	for (unsigned i = 0; i < 50; i++) {
		char host[32];

		snprintf(host, sizeof(host), "10.0.1.2:%u", 1024 + i);
		reading_sample_put(&s, kit_udp(host, "203.0.113.1:9", "x"), WAY_OUT);
	}
	d = reading_sample_document(&s, false);
	text = render(d, &(struct text_options){.width = 80});
	assert_non_null(strstr(text, "10.0.1.2:1063"));
	assert_null(strstr(text, "10.0.1.2:1064"));
	assert_non_null(strstr(text, "\n  more with --verbose\n"));
	free(text);
	text = render(d, &(struct text_options){.width = 80, .verbose = true});
	assert_non_null(strstr(text, "10.0.1.2:1073"));
	assert_null(strstr(text, "more with"));
	free(text);
	json_decref(d);
	reading_sample_end(&s);
}

/* Documents of strangers: of any shape, with anything in their strings. */
static void survives_strangers(void **state)
{
	static const char *const rows[] = {"{}", "{\"causes\":{},\"file\":[],\"hosts\":3}",
		"{\"causes\":[null],\"flows\":[null],\"mappings\":[3],\"hosts\":[null]}",
		"{\"flows\":[{\"sent\":[],\"received\":{\"first\":-1}}]}",
		"{\"mappings\":[{\"seen\":{}}]}",
		"{\"flow_states\":{\"works\":-1,\"silent\":\"x\",\"reset\":1.5}}"};
	static const char hostile[] =
		"{\"format\":\"capture-report\",\"causes\":[{\"title\":\"\\u001b[2J\"}],"
		"\"hosts\":[\"\\u001b]0;x\\u0007\"],\"file\":{\"problem\":\"\\u009b\"},"
		"\"mappings\":[{\"mapping\":\"\\u001b\",\"seen\":[{}]}],"
		"\"flows\":[{\"state\":\"\\u001b\",\"protocol\":\"\\u001b\"}]}";
	json_t *d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text;

		d = json_loads(rows[i], 0, NULL);
		assert_non_null(d);
		json_object_set_new(d, "format", json_string(READING_FORMAT));
		text = render(d, &(struct text_options){.width = 80, .verbose = true});
		assert_true(*text);
		for (const char *p = text; *p; p++)
			assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
		free(text);
		json_decref(d);
	}
	d = json_loads(hostile, 0, NULL);
	check(d, &(struct text_options){.width = 80}, hostile_text);
	json_decref(d);
}

static void tells_a_full_disk(void **state)
{
	struct reading_sample s;
	FILE *full = fopen("/dev/full", "we");
	json_t *d;

	(void)state;
	if (!full)
		skip();
	reading_sample_begin(&s);
	d = reading_sample_document(&s, false);
	assert_int_equal(text_reading(d, &(struct text_options){.width = 80}, full), -EIO);
	fclose(full);
	json_decref(d);
	reading_sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_all),
		cmocka_unit_test(tells_mappings),
		cmocka_unit_test(tells_of_health),
		cmocka_unit_test(tells_of_broken_files),
		cmocka_unit_test(bounds_flows),
		cmocka_unit_test(survives_strangers),
		cmocka_unit_test(tells_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
