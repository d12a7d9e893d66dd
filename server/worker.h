// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "server/log.h"
#include "server/options.h"

/*
 * The packet loop: sockets, the responder, the rendezvous and calls between them, limits, ICMP errors that come
 * back, and ICMP for those who ask for it.
 */

struct worker;

/*
 * Binds every socket of the settings; they and the log must outlive the worker. 0, or a negative
 * errno with one line for the user in error.
 */
int worker_create(struct worker **out, const struct settings *settings, struct log *log,
	char *error, size_t error_size);
void worker_destroy(struct worker *worker);

/* Serves until SIGTERM or SIGINT; then logs a summary. 0 or a negative errno. */
int worker_run(struct worker *worker);

/* Whether it does what clients ask for about ICMP: it is not told not to, and had the privilege. */
bool worker_has_icmp(const struct worker *worker);
