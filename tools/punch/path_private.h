// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "punch/carrier.h"
#include "tools/punch/paste.h"
#include "tools/punch/path.h"
#include "tools/punch/stdio.h"

/* What the files of the path share; nobody else includes this. */

#define PATH_EARLY   8
#define PATH_SIGNALS 3

enum phase { PUNCHING, MEASURING, CARRYING, CLOSING, FAILING, LEAVING, OVER };

/* What the peer sends over a way that it has proved before us. */
struct early {
	unsigned socket;
	struct endpoint from;
	uint8_t data[CHANNEL_PACKET_MAX];
	size_t length;
};

struct path {
	const struct path_config *config;
	struct path_result *result;
	struct event_base *base;
	struct carrier *carrier;
	struct flow *flow;
	struct event *timer, *deadline, *signals[PATH_SIGNALS];
	struct paste *paste;
	struct stdio *stdio;
	struct forward *forward;
	enum phase phase;
	uint64_t until_us; /* the phase ends then at the latest; UINT64_MAX: it does not */
	bool repairing; /* of CARRYING: another way is looked for */
	bool input_ended, left;
	bool mute; /* nothing has come over the way that was proved */
	bool other_use; /* the other side uses the way for something else, and that was said */
	bool stuck; /* standard output: nobody reads */
	unsigned moves; /* of the peer, that were noted */
	uint64_t keepalive_us;
	struct early early[PATH_EARLY];
	size_t early_count;
};

/* --- path.c --- */
/* What is due, and the timer for what is next. */
void path_turn(struct path *p);
void path_changed(void *context);
void path_datagram(void *context, unsigned socket, const struct endpoint *from, const uint8_t *data,
	size_t length);
void path_transmit(struct path *p, const struct flow_output *out);
/* Says the last word. */
void path_close(struct path *p, uint64_t now_us);
void path_enter(struct path *p, enum phase phase, uint64_t until_us);
/* Tells the other side and the server that this one goes. */
void path_leave(struct path *p);
/* Ends whatever it is at, with a last word that has the time to be repeated. */
void path_stop(struct path *p);

/* --- path_use.c --- */
/* Reads the other side's line, once there is one of our own. */
int path_use_paste(struct path *p);
/* Takes the local port, if one is forwarded: 0 or a negative errno. */
int path_use_prepare(struct path *p);
/* Begins to carry what the way is used for: 0 or a negative errno. */
int path_use_begin(struct path *p);
void path_use_end(struct path *p);
/* Data of the peer; client: of a forwarded port. */
void path_use_data(struct path *p, const uint8_t *data, size_t length);
void path_use_forwarded(struct path *p, uint16_t client, const uint8_t *data, size_t length);
