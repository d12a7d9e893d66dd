// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "lab/hosts.h"
#include "lab/world.h"

/* Moves packets between the hosts' TUN interfaces and the network between them, in real time. */

struct pump;

/* Negative errno. It reads as soon as the loop runs. */
int pump_create(
	struct event_base *base, struct world *world, const struct hosts *hosts, struct pump **out);
void pump_destroy(struct pump *p);
