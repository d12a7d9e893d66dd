// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>

#include "lab/topology.h"

/* Names and addresses of the hosts as in hosts(5); the caller frees it; NULL: no memory. */
char *network_hosts_file(const struct topology *t);

/* The network as a tree, with its addresses. */
void network_print(const struct topology *t, FILE *out);
