// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/topology.h"
#include "lab/world.h"

/*
 * What happens in a laboratory as a pcapng file: an interface for each host and for each side of a NAT, and in the
 * comment of a packet what became of it.
 */

struct capture;

/* Makes the file anew. 0 or a negative errno. */
int capture_create(const char *path, const struct topology *t, struct capture **out);

/* A packet, as world_listener is told. */
void capture_event(struct capture *c, const struct world_event *event);

/* 0, or the first error there was. */
int capture_close(struct capture *c);
