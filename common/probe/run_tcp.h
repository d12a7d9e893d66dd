// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "base/random.h"
#include "journal/journal.h"
#include "net/watch.h"

/* The TCP prober of one address family over real sockets, in the event loop of run.c. */

struct run_tcp;

struct run_tcp_config {
	struct event_base *base;
	struct journal *journal;
	struct random *random;
	struct endpoint source; /* address to come from, and port of the first socket (0: any) */
	const char *interface; /* or NULL */
	unsigned tests; /* of enum tcp_test */
	uint64_t limit_us; /* from now */
	int *error; /* takes the first negative errno of a socket that could not be opened */
	void (*changed)(void *context); /* something came: it is time for run_tcp_turn */
	void *context;
	const struct watch *watch;
};

/* 0 or -ENOMEM. */
int run_tcp_create(const struct run_tcp_config *config, uint64_t now_us, struct run_tcp **out);
/* Closes everything; NULL: nothing. */
void run_tcp_destroy(struct run_tcp *r);

/* A server of the journal; all of them before the first turn. */
void run_tcp_add_server(struct run_tcp *r, uint64_t now_us, size_t place);

/* Does what there is to do now. True: all is settled; else the next turn is due at *deadline_us, if that is earlier. */
bool run_tcp_turn(struct run_tcp *r, uint64_t now_us, uint64_t *deadline_us);

/* Ends it: what is open becomes abandoned. */
void run_tcp_finish(struct run_tcp *r, uint64_t now_us);
