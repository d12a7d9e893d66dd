// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Any command line of natprobe: one word per line. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/natprobe/options.h"
#include "fuzz.h"

#define WORDS_MAX 40

static void check_params(const struct natprobe_params *p)
{
	require(p->ipv4 || p->ipv6);
	require(p->port && p->tests && p->limit_us);
	require(p->server_count <= SERVERLIST_MAX && p->expectations.count <= EXPECTATIONS_MAX);
	for (size_t i = 0; i < p->server_count; i++)
		require(*p->servers[i].host && p->servers[i].port);
	for (int i = 0; i < 2; i++)
		require(p->source[i].family == FAMILY_NONE ||
			p->source[i].family == (i ? FAMILY_IPV6 : FAMILY_IPV4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct natprobe_params params;
	static char tool[] = "natprobe";
	char *argv[WORDS_MAX + 2] = {tool}, error[256] = "", *save = NULL;
	char *text = malloc(size + 1);
	const char *names[8];
	int argc = 1, err;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *word = strtok_r(text, "\n", &save); word && argc <= WORDS_MAX;
		word = strtok_r(NULL, "\n", &save))
		argv[argc++] = word;
	err = natprobe_parse(argc, argv, &params, error, sizeof(error));
	require(!err || err == -EINVAL);
	require(!err == !*error && !strchr(error, '\n'));
	if (!err)
		check_params(&params);
	require(natprobe_test_names(params.tests, names) < 8);
	free(text);
	return 0;
}
