// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "tools/servers.h"

/*
 * The endpoints of a rendezvous server, at most one of each family that is wanted; FAMILY_NONE: it has none. 0, or a
 * negative errno with one line in error: the name could not be resolved in time, or has no address of such a family.
 */
int server_find(const struct server_spec *spec, bool ipv4, bool ipv6, uint64_t limit_us,
	struct endpoint out[static 2], char *error, size_t size);

/*
 * The endpoints of all servers of a list that could be resolved, at most one of each family of each: how many, of at most
 * max; or a negative errno with one line in error: none of them.
 */
int server_find_all(const struct server_list *list, bool ipv4, bool ipv6, uint64_t limit_us,
	struct endpoint *out, size_t max, char *error, size_t size);
