// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "base/serverlist.h"

/* STUN servers, as the user or the system has named them. */
struct server_list {
	struct server_spec servers[SERVERLIST_MAX];
	size_t count;
	uint16_t port; /* of those that are named without one */
};

/*
 * Where none was given: NATUTILS_SERVERS (with blanks or commas), else the user's servers.list, else the system's, else
 * the public servers that are built in. 0; -EINVAL (a bad name) or another negative errno (a file that is there and
 * can't be read) with one line in error.
 */
int servers_find(struct server_list *l, char *error, size_t size);
