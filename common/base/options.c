// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/options.h"

#define OPTIONS_MAX 48
#define LONG_BASE   256 /* getopt values of options, beyond all letters */

#define OPERAND	    1 /* as getopt says it for one in order */

static int find_spec(const struct option_table *table, int value)
{
	if (value == OPERAND && table->in_order)
		return (int)table->count;
	if (value >= LONG_BASE)
		return value - LONG_BASE;
	for (size_t i = 0; i < table->count; i++)
		if (table->specs[i].letter == value)
			return (int)i;
	return -1;
}

static void build_getopt(
	const struct option_table *table, char *letters, struct option *longs, size_t count)
{
	char *p = letters;

	if (table->in_order)
		*p++ = '-';
	*p++ = ':'; /* tell a missing argument from an unknown option, and keep getopt silent */
	for (size_t i = 0; i < count; i++) {
		const struct option_spec *s = &table->specs[i];

		longs[i] = (struct option){.name = s->name,
			.has_arg = s->argument ? required_argument : no_argument,
			.val = LONG_BASE + (int)i};
		if (!s->letter)
			continue;
		*p++ = s->letter;
		if (s->argument)
			*p++ = ':';
	}
	*p = '\0';
	longs[count] = (struct option){0};
}

static int complain(
	char **argv, int result, const struct option_table *table, char *error, size_t error_size)
{
	const char *word = argv[optind - 1];
	int index = optopt ? find_spec(table, optopt) : -1;

	if (result == ':' && index >= 0)
		snprintf(error, error_size, "option --%s needs %s", table->specs[index].name,
			table->specs[index].argument);
	else if (index >= 0 && optopt >= LONG_BASE)
		snprintf(error, error_size, "option --%s takes no argument",
			table->specs[index].name);
	else if (optopt && optopt < LONG_BASE)
		snprintf(error, error_size, "unknown option -%c", optopt);
	else
		snprintf(error, error_size, "unknown or ambiguous option %s", word);
	return -EINVAL;
}

int options_parse(const struct option_table *table, int argc, char **argv, option_handler *handler,
	void *context, int *first, char *error, size_t error_size)
{
	char letters[2 * OPTIONS_MAX + 3];
	struct option longs[OPTIONS_MAX + 1];
	int result;

	if (table->count > OPTIONS_MAX || argc < 1) {
		snprintf(error, error_size, "no arguments");
		return -EINVAL;
	}
	build_getopt(table, letters, longs, table->count);
	optind = 0; /* start anew: also in tests that parse more than once */
	while ((result = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int index = result == '?' || result == ':' ? -1 : find_spec(table, result);
		int err;

		if (index < 0)
			return complain(argv, result, table, error, error_size);
		err = handler(context, (size_t)index, optarg, error, error_size);
		if (err)
			return err;
	}
	*first = optind;
	return 0;
}

/* "  -t, --test LIST" */
static int print_form(const struct option_spec *s, FILE *out)
{
	int n = s->letter ? fprintf(out, "  -%c, --%s", s->letter, s->name)
			  : fprintf(out, "      --%s", s->name);

	if (s->argument)
		n += fprintf(out, " %s", s->argument);
	return n;
}

void options_usage(const struct option_table *table, FILE *out)
{
	fprintf(out, "usage: %s [options] %s\n%s\n\n", table->tool, table->operands,
		table->summary);
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *s = &table->specs[i];
		int width = print_form(s, out);

		fprintf(out, "%*s%s\n", width < 28 ? 28 - width : 1, "", s->help);
		if (s->kind == OPTION_WORDS_ONE || s->kind == OPTION_WORDS_LIST)
			fprintf(out, "%28s(%s: %s)\n", "",
				s->kind == OPTION_WORDS_ONE ? "one of" : "with commas", s->words);
	}
}

void options_list(const struct option_table *table, FILE *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *s = &table->specs[i];

		fprintf(out, "%c %s %s\n", s->letter ? s->letter : '-', s->name,
			s->argument ? s->argument : "-");
	}
}

/* --- completions --- */

static void print_name(const char *tool, FILE *out)
{
	for (; *tool; tool++)
		fputc(*tool == '-' ? '_' : *tool, out);
}

static void bash_action(enum option_words kind, const char *words, FILE *out)
{
	switch (kind) {
	case OPTION_WORDS_ONE:
		fprintf(out, "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")", words);
		break;
	case OPTION_WORDS_LIST: /* complete the word behind the last comma */
		fprintf(out,
			"local done=${cur%%\"${cur##*,}\"}; "
			"mapfile -t COMPREPLY < <(compgen -P \"$done\" -W '%s' -- \"${cur##*,}\")",
			words);
		break;
	case OPTION_WORDS_FILE:
		fprintf(out, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")");
		break;
	case OPTION_WORDS_INTERFACE:
		fprintf(out,
			"mapfile -t COMPREPLY < <(compgen -W \"$(command ls /sys/class/net)\" "
			"-- \"$cur\")");
		break;
	case OPTION_WORDS_HOST:
		fprintf(out, "mapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")");
		break;
	case OPTION_WORDS_NONE:
		fprintf(out, "COMPREPLY=()");
		break;
	}
}

static void bash_completion(const struct option_table *table, FILE *out)
{
	fprintf(out, "# bash completion for %s\n_", table->tool);
	print_name(table->tool, out);
	fprintf(out,
		"()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=\n"
		"\t((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}\n\tCOMPREPLY=()\n"
		"\tif [[ $prev == = && COMP_CWORD -gt 1 ]]; then\n"
		"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		"\telif [[ $cur == = ]]; then\n\t\tcur=\n\tfi\n\tcase $prev in\n");
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *s = &table->specs[i];

		if (!s->argument)
			continue;
		fputc('\t', out);
		if (s->letter)
			fprintf(out, "-%c | ", s->letter);
		fprintf(out, "--%s)\n\t\t", s->name);
		bash_action(s->kind, s->words, out);
		fprintf(out, "\n\t\treturn\n\t\t;;\n");
	}
	fprintf(out,
		"\tesac\n\tif [[ $cur == -* ]]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W '");
	for (size_t i = 0; i < table->count; i++) {
		if (table->specs[i].letter)
			fprintf(out, "-%c ", table->specs[i].letter);
		fprintf(out, "--%s%s", table->specs[i].name, i + 1 < table->count ? " " : "");
	}
	fprintf(out, "' -- \"$cur\")\n\telse\n\t\t");
	bash_action(table->operand_kind, "", out);
	fprintf(out, "\n\tfi\n}\ncomplete -F _");
	print_name(table->tool, out);
	fprintf(out, " %s\n", table->tool);
}

/* Text inside single quotes; zsh's _arguments also wants its own marks escaped. */
static void print_quoted(const char *text, const char *marks, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fprintf(out, "%s%c", strchr(marks, *text) ? "\\" : "", *text);
	}
}

static void zsh_action(enum option_words kind, const char *words, FILE *out)
{
	if (kind == OPTION_WORDS_ONE)
		fprintf(out, "(%s)", words);
	else if (kind == OPTION_WORDS_LIST)
		fprintf(out, "_values -s , value %s", words); /* its first word is a title */
	else
		fputs(kind == OPTION_WORDS_FILE			 ? "_files"
				: kind == OPTION_WORDS_INTERFACE ? "_net_interfaces"
				: kind == OPTION_WORDS_HOST	 ? "_hosts"
								 : " ",
			out);
}

static void zsh_completion(const struct option_table *table, FILE *out)
{
	fprintf(out, "#compdef %s\n_arguments -s -S \\\n", table->tool);
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *s = &table->specs[i];

		for (int form = s->letter ? 0 : 1; form < 2; form++) {
			if (form)
				fprintf(out, "\t'*--%s%s[", s->name, s->argument ? "=" : "");
			else
				fprintf(out, "\t'*-%c%s[", s->letter, s->argument ? "+" : "");
			print_quoted(s->help, "[]:\\", out);
			fputc(']', out);
			if (s->argument) {
				fprintf(out, ":%s:", s->argument);
				zsh_action(s->kind, s->words, out);
			}
			fputs("' \\\n", out);
		}
	}
	fprintf(out, "\t'*:operand:");
	zsh_action(table->operand_kind, "", out);
	fprintf(out, "'\n");
}

static void fish_completion(const struct option_table *table, FILE *out)
{
	if (table->operand_kind != OPTION_WORDS_FILE)
		fprintf(out, "complete -c %s -f\n", table->tool);
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *s = &table->specs[i];

		fprintf(out, "complete -c %s", table->tool);
		if (s->letter)
			fprintf(out, " -s %c", s->letter);
		fprintf(out, " -l %s", s->name);
		if (s->argument)
			fputs(s->kind == OPTION_WORDS_FILE ? " -r -F" : " -x", out);
		if (s->kind == OPTION_WORDS_ONE || s->kind == OPTION_WORDS_LIST)
			fprintf(out, " -a '%s'", s->words);
		else if (s->kind == OPTION_WORDS_INTERFACE)
			fputs(" -a '(__fish_print_interfaces)'", out);
		fputs(" -d '", out);
		print_quoted(s->help, "\\", out);
		fputs("'\n", out);
	}
}

int options_completion(const struct option_table *table, const char *shell, FILE *out)
{
	static const struct {
		const char *shell;
		void (*print)(const struct option_table *, FILE *);
	} shells[] = {
		{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++) {
		if (strcmp(shell, shells[i].shell))
			continue;
		shells[i].print(table, out);
		return 0;
	}
	return -EINVAL;
}
