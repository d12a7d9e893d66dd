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
#include <stdlib.h>
#include <string.h>

#include "base/options.h"

#define WORDS_MAX 12

enum {
	OPT_HELP,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_PORT,
	OPT_WHEN,
	OPT_LIST,
	OPT_FILE,
	OPT_INTERFACE,
	OPT_LONG,
};

static const struct option_spec specs[] = {
	[OPT_HELP] = {'h', "help", NULL, OPTION_WORDS_NONE, NULL, "print this [help]"},
	[OPT_VERBOSE] = {'v', "verbose", NULL, OPTION_WORDS_NONE, NULL, "say more"},
	[OPT_VERSION] = {'V', "version", NULL, OPTION_WORDS_NONE, NULL, "print the version"},
	[OPT_PORT] = {'p', "port", "PORT", OPTION_WORDS_NONE, NULL, "the server's port: 3478"},
	[OPT_WHEN] = {0, "color", "WHEN", OPTION_WORDS_ONE, "auto never", "colour the output"},
	[OPT_LIST] = {'t', "test", "LIST", OPTION_WORDS_LIST, "udp tcp", "what to find out"},
	[OPT_FILE] = {'o', "output", "FILE", OPTION_WORDS_FILE, NULL, "write to FILE"},
	[OPT_INTERFACE] = {'I', "interface", "IF", OPTION_WORDS_INTERFACE, NULL, "send from IF"},
	[OPT_LONG] = {0, "a-name-that-is-quite-long", "X", OPTION_WORDS_HOST, NULL, "x"},
};

static const struct option_table table = {
	.tool = "nat-tool",
	.operands = "[SERVER]...",
	.operand_kind = OPTION_WORDS_HOST,
	.summary = "Do something.",
	.specs = specs,
	.count = sizeof(specs) / sizeof(*specs),
};

/* --- parsing --- */

struct seen {
	char text[256];
	const char *refuse; /* an argument that the handler does not take */
};

/* Writes down "name" or "name=argument" with a blank behind it. */
static int note(void *context, size_t index, const char *argument, char *error, size_t size)
{
	struct seen *s = context;
	size_t used = strlen(s->text);

	if (s->refuse && argument && !strcmp(argument, s->refuse)) {
		snprintf(error, size, "--%s: \"%s\" is bad", specs[index].name, argument);
		return -ERANGE;
	}
	snprintf(s->text + used, sizeof(s->text) - used, "%s%s%s ", specs[index].name,
		argument ? "=" : "", argument ? argument : "");
	return 0;
}

/* Words with blanks between, as a shell would hand them over; "''" is the empty word. */
static int split(char *line, char *argv[WORDS_MAX])
{
	static char tool[] = "nat-tool";
	char *save = NULL;
	int argc = 0;

	argv[argc++] = tool;
	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		argv[argc++] = word;
		if (!strcmp(word, "''"))
			*word = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

/* What a command line comes to: options in order, "|", operands; or "error: " and the message. */
static const char *parse(const char *line, const char *refuse)
{
	static char result[512];
	struct seen seen = {.refuse = refuse};
	char copy[256], error[128] = "", *argv[WORDS_MAX];
	int argc, first = 0, err;

	snprintf(copy, sizeof(copy), "%s", line);
	argc = split(copy, argv);
	err = options_parse(&table, argc, argv, note, &seen, &first, error, sizeof(error));
	if (err) {
		assert_int_equal(err, refuse ? -ERANGE : -EINVAL);
		assert_null(strchr(error, '\n'));
		snprintf(result, sizeof(result), "error: %s", error);
		return result;
	}
	snprintf(result, sizeof(result), "%s|", seen.text);
	for (; first < argc; first++) {
		strcat(result, " ");
		strcat(result, argv[first]);
	}
	return result;
}

static void test_parse(void **state)
{
	static const struct {
		const char *line, *result;
	} rows[] = {
		{"", "|"},
		{"-h", "help |"},
		{"--help", "help |"},
		{"-hvV", "help verbose version |"},
		{"-p 1 --port 2 --port=3 -p4 -vp5", "port=1 port=2 port=3 port=4 verbose port=5 |"},
		{"a -v b --test=udp,tcp c", "verbose test=udp,tcp | a b c"},
		{"-v -- -h --help", "verbose | -h --help"},
		{"-", "| -"},
		{"-p -v", "port=-v |"}, /* an argument may look like an option */
		{"--port= x", "port= | x"},
		{"--port ''", "port= |"},
		{"'' -v", "verbose | "},
		{"--interf eth0", "interface=eth0 |"}, /* as far as it is unambiguous */
		{"--color never", "color=never |"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(parse(rows[i].line, NULL), rows[i].result);
}

static void test_parse_errors(void **state)
{
	static const struct {
		const char *line, *message;
	} rows[] = {
		{"-x", "error: unknown option -x"},
		{"-vx", "error: unknown option -x"},
		{"--nonsense", "error: unknown or ambiguous option --nonsense"},
		{"--nonsense=1", "error: unknown or ambiguous option --nonsense=1"},
		{"--ver", "error: unknown or ambiguous option --ver"},
		{"--v", "error: unknown or ambiguous option --v"},
		{"a b --nonsense c", "error: unknown or ambiguous option --nonsense"},
		{"-p", "error: option --port needs PORT"},
		{"--port", "error: option --port needs PORT"},
		{"-vp", "error: option --port needs PORT"},
		{"a --color", "error: option --color needs WHEN"},
		{"--help=1", "error: option --help takes no argument"},
		{"--verbose=", "error: option --verbose takes no argument"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(parse(rows[i].line, NULL), rows[i].message);
	assert_string_equal(parse("-v -p 99 -h", "99"), "error: --port: \"99\" is bad");
}

static void test_parse_limits(void **state)
{
	static struct option_spec many[49];
	struct option_table big = {.tool = "big", .specs = many, .count = 49};
	char *argv[] = {NULL}, error[64];
	int first;

	(void)state;
	for (size_t i = 0; i < 49; i++)
		many[i] = (struct option_spec){.name = "x", .help = "x"};
	assert_int_equal(
		options_parse(&big, 1, argv, note, NULL, &first, error, sizeof(error)), -EINVAL);
	assert_int_equal(
		options_parse(&table, 0, argv, note, NULL, &first, error, sizeof(error)), -EINVAL);
}

/* --- texts --- */

static void assert_text(void (*print)(FILE *out), const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void print_usage(FILE *out)
{
	options_usage(&table, out);
}

static void print_list(FILE *out)
{
	options_list(&table, out);
}

static void print_bash(FILE *out)
{
	assert_int_equal(options_completion(&table, "bash", out), 0);
}

static void print_zsh(FILE *out)
{
	assert_int_equal(options_completion(&table, "zsh", out), 0);
}

static void print_fish(FILE *out)
{
	assert_int_equal(options_completion(&table, "fish", out), 0);
}

static void test_usage(void **state)
{
	(void)state;
	assert_text(print_usage,
		"usage: nat-tool [options] [SERVER]...\n"
		"Do something.\n"
		"\n"
		"  -h, --help                print this [help]\n"
		"  -v, --verbose             say more\n"
		"  -V, --version             print the version\n"
		"  -p, --port PORT           the server's port: 3478\n"
		"      --color WHEN          colour the output\n"
		"                            (one of: auto never)\n"
		"  -t, --test LIST           what to find out\n"
		"                            (with commas: udp tcp)\n"
		"  -o, --output FILE         write to FILE\n"
		"  -I, --interface IF        send from IF\n"
		"      --a-name-that-is-quite-long X x\n");
}

static void test_list(void **state)
{
	(void)state;
	assert_text(print_list,
		"h help -\n"
		"v verbose -\n"
		"V version -\n"
		"p port PORT\n"
		"- color WHEN\n"
		"t test LIST\n"
		"o output FILE\n"
		"I interface IF\n"
		"- a-name-that-is-quite-long X\n");
}

static void test_zsh(void **state)
{
	(void)state;
	assert_text(print_zsh,
		"#compdef nat-tool\n"
		"_arguments -s -S \\\n"
		"\t'*-h[print this \\[help\\]]' \\\n"
		"\t'*--help[print this \\[help\\]]' \\\n"
		"\t'*-v[say more]' \\\n"
		"\t'*--verbose[say more]' \\\n"
		"\t'*-V[print the version]' \\\n"
		"\t'*--version[print the version]' \\\n"
		"\t'*-p+[the server'\\''s port\\: 3478]:PORT: ' \\\n"
		"\t'*--port=[the server'\\''s port\\: 3478]:PORT: ' \\\n"
		"\t'*--color=[colour the output]:WHEN:(auto never)' \\\n"
		"\t'*-t+[what to find out]:LIST:_values -s , value udp tcp' \\\n"
		"\t'*--test=[what to find out]:LIST:_values -s , value udp tcp' \\\n"
		"\t'*-o+[write to FILE]:FILE:_files' \\\n"
		"\t'*--output=[write to FILE]:FILE:_files' \\\n"
		"\t'*-I+[send from IF]:IF:_net_interfaces' \\\n"
		"\t'*--interface=[send from IF]:IF:_net_interfaces' \\\n"
		"\t'*--a-name-that-is-quite-long=[x]:X:_hosts' \\\n"
		"\t'*:operand:_hosts'\n");
}

static void test_fish(void **state)
{
	(void)state;
	assert_text(print_fish,
		"complete -c nat-tool -f\n"
		"complete -c nat-tool -s h -l help -d 'print this [help]'\n"
		"complete -c nat-tool -s v -l verbose -d 'say more'\n"
		"complete -c nat-tool -s V -l version -d 'print the version'\n"
		"complete -c nat-tool -s p -l port -x -d 'the server'\\''s port: 3478'\n"
		"complete -c nat-tool -l color -x -a 'auto never' -d 'colour the output'\n"
		"complete -c nat-tool -s t -l test -x -a 'udp tcp' -d 'what to find out'\n"
		"complete -c nat-tool -s o -l output -r -F -d 'write to FILE'\n"
		"complete -c nat-tool -s I -l interface -x -a '(__fish_print_interfaces)'"
		" -d 'send from IF'\n"
		"complete -c nat-tool -l a-name-that-is-quite-long -x -d 'x'\n");
}

static void test_bash(void **state)
{
	(void)state;
	assert_text(print_bash,
		"# bash completion for nat-tool\n"
		"_nat_tool()\n"
		"{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=\n"
		"\t((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tCOMPREPLY=()\n"
		"\tif [[ $prev == = && COMP_CWORD -gt 1 ]]; then\n"
		"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		"\telif [[ $cur == = ]]; then\n"
		"\t\tcur=\n"
		"\tfi\n"
		"\tcase $prev in\n"
		"\t-p | --port)\n"
		"\t\tCOMPREPLY=()\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t--color)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W 'auto never' -- \"$cur\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t-t | --test)\n"
		"\t\tlocal done=${cur%\"${cur##*,}\"}; mapfile -t COMPREPLY < <(compgen -P "
		"\"$done\" -W 'udp tcp' -- \"${cur##*,}\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t-o | --output)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t-I | --interface)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(command ls /sys/class/net)\" -- "
		"\"$cur\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\t--a-name-that-is-quite-long)\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")\n"
		"\t\treturn\n"
		"\t\t;;\n"
		"\tesac\n"
		"\tif [[ $cur == -* ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W '-h --help -v --verbose -V --version -p "
		"--port --color -t --test -o --output -I --interface --a-name-that-is-quite-long' "
		"-- "
		"\"$cur\")\n"
		"\telse\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")\n"
		"\tfi\n"
		"}\n"
		"complete -F _nat_tool nat-tool\n");
}

static void test_other_shell(void **state)
{
	(void)state;
	assert_int_equal(options_completion(&table, "csh", stdout), -EINVAL);
	assert_int_equal(options_completion(&table, "", stdout), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_parse_limits),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_bash),
		cmocka_unit_test(test_zsh),
		cmocka_unit_test(test_fish),
		cmocka_unit_test(test_other_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
