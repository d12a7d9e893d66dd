// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "server/options.h"
#include "tools/natlab/options.h"
#include "tools/natprobe/options.h"
#include "tools/punch/options.h"

/* optgen TOOL bash|zsh|fish|list|help: what is made from a tool's option table. */

static const struct option_table *find_table(const char *tool)
{
	static const struct option_table *const tables[] = {&natprobe_options,
		&punch_options[PUNCH_UDP], &punch_options[PUNCH_TCP], &punch_options[PUNCH_ICMP],
		&natlab_options, &natprobed_options};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (!strcmp(tables[i]->tool, tool))
			return tables[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct option_table *table = argc == 3 ? find_table(argv[1]) : NULL;

	if (!table) {
		fprintf(stderr,
			"usage: optgen natprobe|udppunch|tcppunch|natlab|natprobed "
			"bash|zsh|fish|list|help\n");
		return 2;
	}
	if (!strcmp(argv[2], "list"))
		options_list(table, stdout);
	else if (!strcmp(argv[2], "help"))
		options_usage(table, stdout);
	else if (options_completion(table, argv[2], stdout))
		return 2;
	return fflush(stdout) ? 1 : 0;
}
