// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Why something failed, for people: whole outputs, and documents of strangers. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/text_private.h"

static char *render(const char *document, const struct text_options *options)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct page p = {.out = out, .options = options, .width = options->width};
	json_t *d = json_loads(document, JSON_DECODE_ANY, NULL);

	assert_non_null(out);
	assert_non_null(d);
	text_causes(&p, d);
	assert_false(p.failed);
	json_decref(d);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void check(const char *document, const struct text_options *options, const char *expected)
{
	char *text = render(document, options);

	assert_string_equal(text, expected);
	free(text);
}

/* clang-format off: whole outputs, as they look on a terminal */
static const char two_document[] =
	"{\"causes\":[{\"id\":\"reverse-path-filter\",\"certainty\":\"certain\",\"where\":\"host\","
	"\"device\":null,"
	"\"hops\":null,\"title\":\"Answers arrive, and this host's reverse-path filter drops "
	"them\","
	"\"detail\":\"The capture shows 3 answers that came in on eth1, and no socket got one.\","
	"\"advice\":\"Let the way back be the way "
	"out.\",\"decide\":null,\"packets\":[3,7],\"evidence\":[0,4]},"
	"{\"id\":\"refused-on-path\",\"certainty\":\"likely\",\"where\":\"own-nat\",\"device\":"
	"\"10.0.1.1\",\"hops\":1,"
	"\"title\":\"A router refuses\",\"detail\":null,\"advice\":null,\"decide\":\"A "
	"capture.\",\"packets\":[],"
	"\"evidence\":[]}],\"capture\":{\"state\":\"on\",\"hint\":null}}";

static const char two_text[] =
	"\n"
	"why\n"
	"  certain: Answers arrive, and this host's reverse-path filter drops them\n"
	"    at this host\n"
	"    The capture shows 3 answers that came in on eth1, and no socket got one.\n"
	"    packets #3 #7\n"
	"    evidence [0] [4]\n"
	"    advice: Let the way back be the way out.\n"
	"\n"
	"  likely: A router refuses\n"
	"    at this side's NAT, 10.0.1.1, 1 hop away\n"
	"    to decide: A capture.\n";

static const char hint_document[] = "{\"causes\":[{\"title\":\"A\",\"certainty\":\"possible\","
				    "\"where\":\"path\",\"device\":\"192.0.2.1\",\"hops\":3}],"
				    "\"capture\":{\"state\":\"not-permitted\",\"hint\":\"to permit "
				    "it: setcap cap_net_raw+p natprobe\"}}";

static const char hint_text[] = "\n"
				"why\n"
				"  possible: A\n"
				"    on the path, 192.0.2.1, 3 hops away\n"
				"\n"
				"  to permit it: setcap cap_net_raw+p natprobe\n";

static const char color_text[] = "\n"
				 "\033[1mwhy\033[0m\n"
				 "  \033[1;31mcertain: \033[0m\033[1mA\033[0m\n";
/* clang-format on */

static void tells_causes(void **state)
{
	(void)state;
	check(two_document, &(struct text_options){.width = 80}, two_text);
}

/* What could have been told is said where something failed, and only there. */
static void tells_what_a_capture_could(void **state)
{
	(void)state;
	check(hint_document, &(struct text_options){.width = 80}, hint_text);
	check("{\"causes\":[],\"capture\":{\"state\":\"not-permitted\",\"hint\":\"x\"}}",
		&(struct text_options){.width = 80}, "");
	check("{\"causes\":[],\"failure\":\"no-path\",\"capture\":{\"state\":\"not-permitted\","
	      "\"hint\":\"x\"}}",
		&(struct text_options){.width = 80}, "\nwhy\n  x\n");
	check("{\"errors\":[{\"code\":\"no-answer\"}],\"capture\":{\"state\":\"not-permitted\","
	      "\"hint\":\"x\"}}",
		&(struct text_options){.width = 80}, "\nwhy\n  x\n");
	check("{\"errors\":[{\"code\":\"no-answer\"}],\"capture\":{\"state\":\"not-permitted\","
	      "\"hint\":null}}",
		&(struct text_options){.width = 80}, "");
	check("{\"errors\":[{\"code\":\"no-answer\"}],\"capture\":{\"state\":\"on\",\"hint\":\"x\"}"
	      "}",
		&(struct text_options){.width = 80}, "");
	/* where it is something else than packets it would tell nothing */
	check("{\"failure\":\"wrong-code\",\"errors\":[{\"code\":\"protocol\"}],\"capture\":"
	      "{\"state\":\"not-permitted\",\"hint\":\"x\"}}",
		&(struct text_options){.width = 80}, "");
	check("{\"causes\":[{\"title\":\"A\"}],\"capture\":{\"state\":\"on\",\"hint\":\"x\"}}",
		&(struct text_options){.width = 80}, "\nwhy\n  possible: A\n");
}

static void colours_what_is_certain(void **state)
{
	(void)state;
	check("{\"causes\":[{\"title\":\"A\",\"certainty\":\"certain\"}]}",
		&(struct text_options){.width = 80, .color = true}, color_text);
}

static void names_places(void **state)
{
	static const struct {
		const char *where, *text;
	} rows[] = {{"host", "at this host"}, {"own-nat", "at this side's NAT"},
		{"path", "on the path"}, {"server", "at the server"},
		{"peer-nat", "at the peer's NAT"}, {"peer", "at the peer"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char document[128], expected[128];

		snprintf(document, sizeof(document),
			"{\"causes\":[{\"title\":\"A\",\"where\":\"%s\"}]}", rows[i].where);
		snprintf(
			expected, sizeof(expected), "\nwhy\n  possible: A\n    %s\n", rows[i].text);
		check(document, &(struct text_options){.width = 80}, expected);
	}
	check("{\"causes\":[{\"title\":\"A\",\"where\":\"unknown\"}]}",
		&(struct text_options){.width = 80}, "\nwhy\n  possible: A\n");
	check("{\"causes\":[{\"title\":\"A\",\"where\":\"unknown\",\"device\":\"192.0.2.1\"}]}",
		&(struct text_options){.width = 80}, "\nwhy\n  possible: A\n    at 192.0.2.1\n");
}

/* Documents of strangers: of any shape, with anything in their strings. */
static void survives_strangers(void **state)
{
	static const char *const rows[] = {"null", "[]", "{}", "{\"causes\":{}}", "{\"causes\":3}",
		"{\"causes\":[null,3,[]]}", "{\"causes\":[{}]}",
		"{\"causes\":[{\"title\":7,\"packets\":{},\"evidence\":3,\"hops\":-1}]}",
		"{\"causes\":[{\"packets\":[null,-1,\"x\",1e9,18446744073709551]}]}",
		"{\"causes\":[{\"title\":\"\\u001b[2J\",\"id\":\"\\u009b\",\"certainty\":"
		"\"\\u001b\","
		"\"where\":\"\\u001b\",\"device\":\"\\u0007\",\"detail\":\"a\\nb\"}]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text = render(rows[i], &(struct text_options){.width = 80});

		for (const char *p = text; *p; p++)
			assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
		free(text);
	}
}

/* A cause may cite more than fits, and there may be more of them. */
static void has_bounds(void **state)
{
	json_t *d = json_object(), *causes = json_array(), *packets = json_array();
	char *document, *text;

	(void)state;
	for (int i = 0; i < 100; i++)
		json_array_append_new(packets, json_integer(i));
	for (int i = 0; i < 100; i++)
		json_array_append_new(
			causes, json_pack("{s:s, s:O}", "title", "A", "packets", packets));
	json_object_set_new(d, "causes", causes);
	document = json_dumps(d, 0);
	text = render(document, &(struct text_options){.width = 60});
	assert_non_null(strstr(text, "#63 and 36 more"));
	assert_null(strstr(text, "#64"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 60);
	free(text);
	free(document);
	json_decref(packets);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_causes),
		cmocka_unit_test(tells_what_a_capture_could),
		cmocka_unit_test(colours_what_is_certain),
		cmocka_unit_test(names_places),
		cmocka_unit_test(survives_strangers),
		cmocka_unit_test(has_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
