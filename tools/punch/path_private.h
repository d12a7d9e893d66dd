// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "punch/carrier.h"
#include "tools/punch/paste.h"
#include "tools/punch/path.h"
#include "tools/punch/stdio.h"
#include "tools/punch/streams.h"

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
	struct flow *flow; /* over UDP */
	struct tunnel *tunnel; /* over TCP; NULL also while another way is looked for */
	struct streams *streams;
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
void path_enter(struct path *p, enum phase phase, uint64_t until_us);
/* Tells the other side and the server that this one goes. */
void path_leave(struct path *p);
/* Ends whatever it is at, with a last word that has the time to be repeated. */
void path_stop(struct path *p);

/* --- path_way.c --- */
/* Over the way that the session has: 0 or a negative errno. */
int path_way_begin(struct path *p, uint64_t now_us);
/* It was punched anew. */
int path_way_again(struct path *p, uint64_t now_us);
void path_way_end(struct path *p);
bool path_way_exists(const struct path *p);
void path_way_ping(struct path *p, uint64_t now_us, unsigned count);
struct flow_statistics path_way_statistics(const struct path *p);
/* When the peer is silent for too long. */
uint64_t path_way_silent_at(const struct path *p);
/* Over TCP: the connection is gone, and had not come to its end. */
bool path_way_is_broken(const struct path *p);
/* … the peer has said its last word, and answers nothing any more. */
bool path_way_is_closed(const struct path *p);
/* … both sides have said their last word. */
bool path_way_is_done(const struct path *p);
/* Says the last word. */
void path_way_close(struct path *p, uint64_t now_us);
/* Sends what is due; when it has to be called again. */
uint64_t path_way_turn(struct path *p, uint64_t now_us);
/* The socket, which is the caller's from now on; -EBADF. */
int path_way_take(struct path *p);

/* --- path_use.c --- */
/* For the other side: an enum streams_use. */
uint8_t path_use_number(const struct path *p);
/* What has come on a stream. */
void path_use_event(void *context, enum mux_event event, const struct mux_payload *payload);
/* The way has changed: another one, or none. */
void path_use_changed(struct path *p);
/* Whether the other side does not use the way as this one. */
bool path_use_differs(const struct path *p);
/* Whether the other side has gone before all was carried. */
bool path_use_is_cut(const struct path *p);
/* Whether all is carried, also on the other side. */
bool path_use_is_done(const struct path *p);
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
