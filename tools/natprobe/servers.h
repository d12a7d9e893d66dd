// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "tools/natprobe/options.h"

/*
 * Where no server was given: NATUTILS_SERVERS (with blanks or commas), else the user's servers.list, else
 * the system's, else the public servers that are built in. 0 with the servers in p; -EINVAL (a bad
 * name) or another negative errno (a file that is there and can't be read) with one line in error.
 */
int natprobe_find_servers(struct natprobe_params *p, char *error, size_t size);
