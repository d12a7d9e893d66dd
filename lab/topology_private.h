// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/topology.h"

struct topology {
	struct topology_node *nodes; /* from 0 */
	int count, size;
	struct world_link link; /* of nodes that are added from now on */
	bool families[2]; /* IPv4, IPv6 */
};

__attribute__((format(printf, 3, 4))) int topology_complain(
	char *error, size_t size, const char *format, ...);

/* --- topology_link.c --- */
/* "delay=10ms": -ENOENT: no such property of a link; -EINVAL: a bad value, with one line in error. */
int topology_set_link(struct world_link *l, const char *property, char *error, size_t size);
