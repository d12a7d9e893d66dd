// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "tools/natlab/options.h"

#define DELAY_MAX_US 3600000000u
#define SEED_MAX     9007199254740991u /* JSON's numbers are exact up to here */

enum {
	OPTION_IPV4,
	OPTION_IPV6,
	OPTION_NAT,
	OPTION_LINK,
	OPTION_HOST,
	OPTION_DAEMON,
	OPTION_DEADLINE,
	OPTION_SEED,
	OPTION_JSON,
	OPTION_JSON_LINES,
	OPTION_PCAP,
	OPTION_WATCH,
	OPTION_SHOW,
	OPTION_LIST,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_COLOR,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_OPERAND,
};

static const struct option_spec specs[] = {
	[OPTION_IPV4] = {'4', "ipv4", NULL, OPTION_WORDS_NONE, NULL, "a network of IPv4 only"},
	[OPTION_IPV6] = {'6', "ipv6", NULL, OPTION_WORDS_NONE, NULL, "a network of IPv6 only"},
	[OPTION_NAT] = {0, "nat", "NAME=KIND", OPTION_WORDS_NONE, NULL,
		"what NAT this one is (KIND[,PROPERTY=VALUE]...); repeatable"},
	[OPTION_LINK] = {0, "link", "LIST", OPTION_WORDS_NONE, NULL,
		"PROPERTY=VALUE[,...] of the link above each NAT: delay, loss, ..."},
	[OPTION_HOST] = {0, "host", "NAME[@TIME]", OPTION_WORDS_NONE, NULL,
		"run the next operand there, at that time; repeatable"},
	[OPTION_DAEMON] = {0, "daemon", "NAME", OPTION_WORDS_NONE, NULL,
		"the same, before the others and for as long as they run"},
	[OPTION_DEADLINE] = {'w', "deadline", "TIME", OPTION_WORDS_NONE, NULL,
		"end everything after this time"},
	[OPTION_SEED] = {0, "seed", "NUMBER", OPTION_WORDS_NONE, NULL,
		"of all that is left to chance (another one each time)"},
	[OPTION_JSON] = {'j', "json", NULL, OPTION_WORDS_NONE, NULL,
		"print one JSON document when all is over"},
	[OPTION_JSON_LINES] = {'J', "json-lines", NULL, OPTION_WORDS_NONE, NULL,
		"print a JSON line per event as it happens, the document last"},
	[OPTION_PCAP] = {0, "pcap", "FILE", OPTION_WORDS_FILE, NULL,
		"write all packets, at each host and NAT, as pcapng"},
	[OPTION_WATCH] = {0, "watch", NULL, OPTION_WORDS_NONE, NULL,
		"show the tables of the NATs as they change"},
	[OPTION_SHOW] = {0, "show", NULL, OPTION_WORDS_NONE, NULL,
		"print the network with its addresses, and run nothing"},
	[OPTION_LIST] = {0, "list", "WHAT", OPTION_WORDS_ONE, "kinds properties topologies",
		"print what there is to choose from"},
	[OPTION_QUIET] = {'q', "quiet", NULL, OPTION_WORDS_NONE, NULL,
		"no host names before lines of output"},
	[OPTION_VERBOSE] = {'v', "verbose", NULL, OPTION_WORDS_NONE, NULL,
		"also print what NATs do and what is lost, on stderr"},
	[OPTION_COLOR] = {0, "color", "WHEN", OPTION_WORDS_ONE, "auto always never",
		"colour the output"},
	[OPTION_HELP] = {'h', "help", NULL, OPTION_WORDS_NONE, NULL, "print this help"},
	[OPTION_VERSION] = {'V', "version", NULL, OPTION_WORDS_NONE, NULL, "print the version"},
};

const struct option_table natlab_options = {
	.tool = "natlab",
	.operands = "[TOPOLOGY] [--host NAME COMMAND]...",
	.operand_kind = OPTION_WORDS_FILE,
	.summary = "Run commands on hosts behind NATs of any kind, in a network of this process.",
	.specs = specs,
	.count = sizeof(specs) / sizeof(*specs),
	.in_order = true,
};

struct parsing {
	struct natlab_params *params;
	struct natlab_command *waiting; /* its command is the next operand */
	char *names;
};

static int number(
	const char *option, const char *text, uint64_t max, uint64_t *out, char *error, size_t size)
{
	if (!number_from_text(text, 0, max, out))
		return 0;
	snprintf(error, size, "--%s: \"%s\" is not a number", option, text);
	return -EINVAL;
}

static int parse_time(const char *text, uint64_t *out)
{
	return duration_from_text(text, 0, DELAY_MAX_US, out);
}

/* "NAME", "NAME@TIME" or "NAME@TIME-TIME", cut in parts. */
static int parse_host(struct natlab_command *c, char *text)
{
	char *at = strchr(text, '@'), *dash;

	c->host = text;
	if (!at)
		return 0;
	*at++ = '\0';
	dash = strchr(at, '-');
	if (dash)
		*dash++ = '\0';
	if (parse_time(at, &c->delay_min_us))
		return -EINVAL;
	c->delay_max_us = c->delay_min_us;
	if (dash && parse_time(dash, &c->delay_max_us))
		return -EINVAL;
	return c->delay_max_us < c->delay_min_us ? -EINVAL : 0;
}

static int add_command(
	struct parsing *s, const char *argument, bool daemon, char *error, size_t size)
{
	struct natlab_params *p = s->params;
	struct natlab_command *c = &p->commands[p->command_count];
	const char *option = daemon ? "daemon" : "host";
	size_t length = strlen(argument) + 1;

	if (s->waiting || p->command_count == COMMANDS_MAX) {
		snprintf(error, size,
			s->waiting ? "--%s %s: the host before it has no command"
				   : "--%s %s: too many",
			option, argument);
		return -EINVAL;
	}
	*c = (struct natlab_command){.daemon = daemon};
	memcpy(s->names, argument, length);
	if (parse_host(c, s->names) || (daemon && strchr(argument, '@'))) {
		snprintf(error, size, "--%s: \"%s\" is not %s", option, argument,
			daemon ? "NAME" : "NAME, NAME@TIME or NAME@TIME-TIME");
		return -EINVAL;
	}
	s->names += length;
	s->waiting = c;
	p->command_count++;
	return 0;
}

static int take_operand(struct parsing *s, const char *word, char *error, size_t size)
{
	if (s->waiting) {
		s->waiting->shell = word;
		s->waiting = NULL;
		return 0;
	}
	if (s->params->topology || s->params->command_count) {
		snprintf(error, size,
			"\"%s\": which host is it for? (--host NAME goes before a command)", word);
		return -EINVAL;
	}
	s->params->topology = word;
	return 0;
}

static int add_nat(struct natlab_params *p, const char *argument, char *error, size_t size)
{
	if (p->nat_count == NATLAB_NATS_MAX) {
		snprintf(error, size, "--nat: more than %d of them", NATLAB_NATS_MAX);
		return -EINVAL;
	}
	p->nats[p->nat_count++] = argument;
	return 0;
}

static int parse_deadline(struct natlab_params *p, const char *text, char *error, size_t size)
{
	if (!duration_from_text(text, 1000, 24 * (uint64_t)DELAY_MAX_US, &p->limit_us))
		return 0;
	snprintf(error, size, "--deadline: \"%s\" is not a time between 1ms and 24h", text);
	return -EINVAL;
}

static int parse_word(size_t index, const char *text, const char **out, char *error, size_t size)
{
	const char *words = specs[index].words;
	size_t length = strlen(text);

	for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ')
		if (strcspn(w, " ") == length && !memcmp(w, text, length)) {
			*out = text;
			return 0;
		}
	snprintf(error, size, "--%s: \"%s\" is none of: %s", specs[index].name, text, words);
	return -EINVAL;
}

static int take(void *context, size_t index, const char *argument, char *error, size_t size)
{
	struct parsing *s = context;
	struct natlab_params *p = s->params;
	bool *flags[] = {[OPTION_IPV4] = &p->ipv4,
		[OPTION_IPV6] = &p->ipv6,
		[OPTION_JSON] = &p->json,
		[OPTION_JSON_LINES] = &p->json_lines,
		[OPTION_WATCH] = &p->watch,
		[OPTION_SHOW] = &p->show,
		[OPTION_QUIET] = &p->quiet,
		[OPTION_VERBOSE] = &p->verbose,
		[OPTION_HELP] = &p->help,
		[OPTION_VERSION] = &p->version};
	const char *word;

	switch (index) {
	case OPTION_NAT:
		return add_nat(p, argument, error, size);
	case OPTION_LINK:
		p->links = argument;
		return 0;
	case OPTION_HOST:
	case OPTION_DAEMON:
		return add_command(s, argument, index == OPTION_DAEMON, error, size);
	case OPTION_DEADLINE:
		return parse_deadline(p, argument, error, size);
	case OPTION_SEED:
		p->has_seed = true;
		return number("seed", argument, SEED_MAX, &p->seed, error, size);
	case OPTION_PCAP:
		p->pcap = argument;
		return 0;
	case OPTION_LIST:
		return parse_word(index, argument, &p->list, error, size);
	case OPTION_COLOR:
		return parse_word(index, argument, &word, error, size)
			? -EINVAL
			: terminal_color_from_text(word, &p->color);
	case OPTION_OPERAND:
		return take_operand(s, argument, error, size);
	default:
		*flags[index] = true;
		return 0;
	}
}

/* What the options must not say together. */
static int check(const struct natlab_params *p, char *error, size_t size)
{
	const char *problem = NULL;

	if (p->ipv4 && p->ipv6)
		problem = "--ipv4 and --ipv6 exclude each other; without either there are both";
	else if (p->json && p->json_lines)
		problem = "--json and --json-lines exclude each other";
	else if (p->watch && (p->json || p->json_lines))
		problem = "--watch and JSON exclude each other";
	for (size_t i = 0; i < p->command_count && !problem; i++)
		if (p->commands[i].argv && !p->commands[i].argv[0])
			problem = "the command behind \"--\" is empty";
	if (!problem)
		return 0;
	snprintf(error, size, "%s", problem);
	return -EINVAL;
}

static size_t length_of(int argc, char **argv)
{
	size_t length = 1;

	for (int i = 0; i < argc; i++)
		length += strlen(argv[i]) + 1;
	return length;
}

int natlab_parse(int argc, char **argv, struct natlab_params *out, char *error, size_t size)
{
	struct parsing s = {.params = out};
	int first = argc, err;

	memset(out, 0, sizeof(*out));
	out->names = s.names = malloc(length_of(argc, argv));
	if (!s.names) {
		snprintf(error, size, "no memory");
		return -EINVAL;
	}
	err = options_parse(&natlab_options, argc, argv, take, &s, &first, error, size);
	if (err)
		return err;
	if (first < argc && !s.waiting) {
		snprintf(error, size,
			"\"%s\": which host is it for? (--host NAME goes before \"--\")",
			argv[first]);
		return -EINVAL;
	}
	if (s.waiting && first < argc)
		s.waiting->argv = &argv[first];
	else if (s.waiting && !out->help && !out->version) {
		snprintf(error, size, "host %s has no command", s.waiting->host);
		return -EINVAL;
	}
	return check(out, error, size);
}

void natlab_forget(struct natlab_params *p)
{
	free(p->names);
	p->names = NULL;
}

/* --- natlab exec --- */

enum { EXEC_LABORATORY, EXEC_HELP, EXEC_VERSION, EXEC_COUNT };

static const struct option_spec exec_specs[] = {
	[EXEC_LABORATORY] = {'l', "lab", "PID", OPTION_WORDS_NONE, NULL,
		"the natlab to enter, if there is more than one"},
	[EXEC_HELP] = {'h', "help", NULL, OPTION_WORDS_NONE, NULL, "print this help"},
	[EXEC_VERSION] = {'V', "version", NULL, OPTION_WORDS_NONE, NULL, "print the version"},
};

const struct option_table natlab_exec_options = {
	.tool = "natlab exec",
	.operands = "HOST [COMMAND [ARGUMENT]...]",
	.operand_kind = OPTION_WORDS_HOST,
	.summary = "Run a command, or a shell, on a host of a natlab that is running.",
	.specs = exec_specs,
	.count = EXEC_COUNT,
};

static int take_exec(void *context, size_t index, const char *argument, char *error, size_t size)
{
	struct natlab_exec_params *p = context;
	uint64_t n;

	switch (index) {
	case EXEC_LABORATORY:
		if (number("lab", argument, INT_MAX, &n, error, size))
			return -EINVAL;
		p->laboratory = (int)n;
		return 0;
	case EXEC_HELP:
		p->help = true;
		return 0;
	default:
		p->version = true;
		return 0;
	}
}

/* Options end at the host: those behind it are the command's. */
static int operands_begin(int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0)
		i += !strcmp(argv[i], "-l") || !strcmp(argv[i], "--lab") ? 2 : 1;
	return i < argc ? i : argc;
}

int natlab_exec_parse(
	int argc, char **argv, struct natlab_exec_params *out, char *error, size_t size)
{
	int begin = operands_begin(argc, argv), first, err;

	*out = (struct natlab_exec_params){.laboratory = 0};
	err = options_parse(&natlab_exec_options, begin, argv, take_exec, out, &first, error, size);
	if (err || out->help || out->version)
		return err;
	if (begin < argc && !strcmp(argv[begin], "--"))
		begin++;
	if (begin >= argc) {
		snprintf(error, size, "which host?");
		return -EINVAL;
	}
	out->host = argv[begin];
	out->argv = &argv[begin + 1];
	return 0;
}
