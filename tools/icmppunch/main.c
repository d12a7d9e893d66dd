// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "tools/punch/tool.h"

int main(int argc, char **argv)
{
	const struct punch_tool tool = {.name = "icmppunch", .kind = PUNCH_ICMP};

	return punch_main(&tool, argc, argv);
}
