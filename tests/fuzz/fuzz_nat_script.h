// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "lab/nat.h"
#include "wire/packet.h"

/* What the fuzz target of the NAT engine makes of its bytes: a config, and packets one after another. */

#define ENTRIES_MAX	 48
#define SCRIPT_BYTES_MAX 2048

/* A session or mapping (remote: FAMILY_NONE), as its event has told it. */
struct told {
	enum nat_transport transport;
	struct endpoint inside, external, remote;
};

struct told_list {
	struct told all[ENTRIES_MAX]; /* oldest first */
	size_t count;
};

struct script {
	struct reader r;
	struct nat_config config;
	struct nat *nat;
	uint64_t now;
	uint8_t bytes[SCRIPT_BYTES_MAX]; /* the packet */
	uint8_t last[SCRIPT_BYTES_MAX]; /* what went on last, and where */
	size_t length, last_length;
	enum nat_side last_side;
	struct endpoint external; /* the source of the last that went out */
	struct told_list sessions, mappings, before; /* before: sessions when the packet came */
};

/* The next byte, below bound. */
unsigned script_take(struct script *s, unsigned bound);
void script_config(struct script *s);
/* The next packet into s->bytes, which came in on *side; its length, or <= 0: none. */
int script_packet(struct script *s, enum nat_side *side);
