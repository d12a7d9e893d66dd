// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <event2/event.h>

#include "base/random.h"
#include "journal/journal.h"
#include "net/watch.h"

/* The ICMP prober of one address family over real sockets, in the event loop of run.c. */

struct run_icmp;

struct run_icmp_config {
	struct event_base *base;
	struct journal *journal;
	struct random *random;
	struct endpoint source; /* address to come from; its port does not matter */
	const char *interface; /* or NULL */
	unsigned tests; /* of enum icmp_test */
	uint64_t limit_us; /* from now */
	int raw; /* a raw socket (net/icmp.h), the caller's; -1: none */
	int raw_error; /* positive errno, why not */
	int *error; /* takes the first negative errno of a socket that could not be opened */
	void (*changed)(void *context); /* something came: it is time for run_icmp_turn */
	void *context;
	const struct watch *watch;
};

/* 0 or -ENOMEM. */
int run_icmp_create(const struct run_icmp_config *config, uint64_t now_us, struct run_icmp **out);
/* Closes everything but the raw socket; NULL: nothing. */
void run_icmp_destroy(struct run_icmp *r);

/* A server of the journal; all of them before the first turn. */
void run_icmp_add_server(struct run_icmp *r, uint64_t now_us, size_t place);

/* Does what there is to do now. True: all is settled; else the next turn is due at *deadline_us, if that is earlier. */
bool run_icmp_turn(struct run_icmp *r, uint64_t now_us, uint64_t *deadline_us);

/* Ends it: what is open becomes abandoned. */
void run_icmp_finish(struct run_icmp *r, uint64_t now_us);
