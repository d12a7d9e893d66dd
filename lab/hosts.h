// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

#include "lab/topology.h"

/*
 * The hosts of a topology as network namespaces. Each has a TUN interface whose other end is a descriptor here:
 * what the host sends is read from it, and what is written there the host receives. Nothing of it outlives
 * the processes that hold the descriptors.
 */

#define HOSTS_INTERFACE "lab0"

struct hosts;

/*
 * Leaves the calling process, which has to be root in its user namespace, in an empty network namespace.
 * Negative errno, with one line in error.
 */
int hosts_create(const struct topology *t, struct hosts **out, char *error, size_t size);
void hosts_destroy(struct hosts *h);

/* The TUN of a node, which does not block, and its namespace, to be closed by nobody; -1: it is no host. */
int hosts_tun(const struct hosts *h, int node);
int hosts_namespace(const struct hosts *h, int node);
