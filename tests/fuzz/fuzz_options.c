// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Any command line of natprobe, natprobed and udppunch: one word per line. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/options.h"
#include "tools/natprobe/options.h"
#include "tools/punch/options.h"
#include "fuzz.h"

#define WORDS_MAX   40
#define ERROR_BYTES 256

struct words {
	char *argv[WORDS_MAX + 2]; /* the last one is NULL */
	int argc;
};

/* A parser permutes its argv, so each has one of its own. */
typedef int parser(int argc, char **argv, char *error, size_t size);

static int parse(const struct words *words, parser *p, char error[static ERROR_BYTES])
{
	struct words copy = *words;
	int err;

	*error = '\0';
	err = p(copy.argc, copy.argv, error, ERROR_BYTES);
	require(!err || err == -EINVAL);
	require(!err == !*error && !strchr(error, '\n'));
	return err;
}

static void check_source(const struct endpoint source[static 2])
{
	for (int i = 0; i < 2; i++)
		require(source[i].family == FAMILY_NONE ||
			source[i].family == (i ? FAMILY_IPV6 : FAMILY_IPV4));
}

/* --- natprobe --- */

static struct natprobe_params natprobe;

static int parse_natprobe(int argc, char **argv, char *error, size_t size)
{
	return natprobe_parse(argc, argv, &natprobe, error, size);
}

static void check_natprobe(const struct words *words)
{
	const struct natprobe_params *p = &natprobe;
	char error[ERROR_BYTES];
	const char *names[NATPROBE_TESTS];
	int err = parse(words, parse_natprobe, error);

	require(natprobe_test_names(p->tests, names) < NATPROBE_TESTS);
	if (err)
		return;
	require(p->ipv4 || p->ipv6);
	require(p->list.port && p->tests && p->limit_us);
	require(p->list.count <= SERVERLIST_MAX && p->expectations.count <= EXPECTATIONS_MAX);
	for (size_t i = 0; i < p->list.count; i++)
		require(*p->list.servers[i].host && p->list.servers[i].port);
	check_source(p->source);
}

/* --- natprobed --- */

static struct settings natprobed;

static int parse_natprobed(int argc, char **argv, char *error, size_t size)
{
	return settings_parse(&natprobed, argc, argv, error, size);
}

static void check_natprobed(const struct words *words)
{
	const struct settings *s = &natprobed;
	char error[ERROR_BYTES];
	bool serves = false;

	if (parse(words, parse_natprobed, error) || s->help || s->version)
		return;
	require(s->port && s->other_port && s->port != s->other_port && s->sessions);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++) {
		const struct endpoint *local = &s->local[i], *advertised = &s->advertised[i];

		require(local->family == advertised->family);
		if (local->family == FAMILY_NONE)
			continue;
		require(endpoint_is_unicast(local) && endpoint_is_unicast(advertised));
		require(local->port == advertised->port);
		serves = true;
	}
	require(serves);
}

/* --- udppunch --- */

static struct punch_params udppunch;

static int parse_udppunch(int argc, char **argv, char *error, size_t size)
{
	return punch_parse(PUNCH_UDP, argc, argv, &udppunch, error, size);
}

/* Whether one of the words has it in it. */
static bool is_said(const struct words *words, const char *text)
{
	for (int i = 1; i < words->argc; i++)
		if (strstr(words->argv[i], text))
			return true;
	return false;
}

static bool names_option(const char *error)
{
	for (size_t i = 0; i < punch_options[PUNCH_UDP].count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", punch_options[PUNCH_UDP].specs[i].name);
		if (strstr(error, name))
			return true;
	}
	return false;
}

/* Whether it is about the argument of the one option that it begins with. */
static bool is_about_argument(const char *error)
{
	for (size_t i = 0; i < punch_options[PUNCH_UDP].count; i++) {
		const struct option_spec *s = &punch_options[PUNCH_UDP].specs[i];
		char name[64];
		int n = snprintf(name, sizeof(name), "--%s: ", s->name);

		if (s->argument && !strncmp(error, name, (size_t)n))
			return true;
	}
	return false;
}

/* A value in quotes, which the end of the message may have cut. */
static bool names_value(const char *error, const struct words *words)
{
	const char *begin = strchr(error, '"'), *end = strrchr(error, '"');
	char value[ERROR_BYTES] = "";

	if (!begin)
		return false;
	memcpy(value, begin + 1, end > begin ? (size_t)(end - begin - 1) : strlen(begin + 1));
	return is_said(words, value);
}

static bool names_unknown(const char *error, const struct words *words)
{
	static const char letter[] = "unknown option -", word[] = "unknown or ambiguous option ";

	if (!strncmp(error, letter, sizeof(letter) - 1))
		return is_said(words, error + sizeof(letter) - 1);
	return !strncmp(error, word, sizeof(word) - 1) && is_said(words, error + sizeof(word) - 1);
}

/* What is wrong, but for a code, which nobody else may see. */
static bool names_fault(const char *error, const struct words *words)
{
	static const char *const about_codes[] = {
		"more than one code: put a code with blanks in quotes",
		"--code-file: there is a code already"};

	for (size_t i = 0; i < sizeof(about_codes) / sizeof(*about_codes); i++)
		if (!strcmp(error, about_codes[i]))
			return true;
	if (is_about_argument(error))
		return names_value(error, words);
	return names_unknown(error, words) || names_option(error);
}

static bool has_option(const struct words *words, const char *option)
{
	for (int i = 1; i < words->argc && strcmp(words->argv[i], "--") != 0; i++)
		if (!strcmp(words->argv[i], option))
			return true;
	return false;
}

static void check_budget(const struct punch_params *p)
{
	require(p->limit_us >= 100000 && p->limit_us <= 86400000000u);
	require(p->interval_us >= 10000 && p->interval_us <= 60000000 && p->count <= 1000);
	require(p->packets >= 16 && p->packets <= 100000);
	require(p->sockets && p->sockets <= 256 && p->rate >= 10 && p->rate <= 10000);
}

static void check_udppunch(const struct words *words)
{
	const struct punch_params *p = &udppunch;
	char error[ERROR_BYTES];
	int err = parse(words, parse_udppunch, error);

	require(p->ipv4 || p->ipv6);
	require(p->expectations.count <= EXPECTATIONS_MAX);
	check_source(p->source);
	check_budget(p);
	if (err) {
		require(names_fault(error, words));
		require(p->json || !has_option(words, "--json"));
		require(p->json_lines || !has_option(words, "--json-lines"));
		return;
	}
	require(!p->code || !p->code_file);
	if (p->help || p->version)
		return;
	require(p->manual || (p->has_server && *p->server.host && p->server.port));
	require(!(p->manual && p->has_server) && (p->manual || !p->stun.count));
	require(p->stun.count <= SERVERLIST_MAX);
	require(p->json + p->json_lines + p->print <= 1);
	require(p->stdio + !!p->exec + p->hold + (p->listen.family != FAMILY_NONE) +
			(p->target.family != FAMILY_NONE) <=
		1);
	require(p->target.family == FAMILY_NONE || p->target.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char tool[] = "tool";
	struct words words = {.argv = {tool}, .argc = 1};
	char *text = malloc(size + 1), *save = NULL;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *word = strtok_r(text, "\n", &save); word && words.argc <= WORDS_MAX;
		word = strtok_r(NULL, "\n", &save))
		words.argv[words.argc++] = word;
	check_natprobe(&words);
	check_natprobed(&words);
	check_udppunch(&words);
	free(text);
	return 0;
}
