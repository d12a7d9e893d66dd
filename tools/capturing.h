// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

#include "journal/captured.h"
#include "journal/host.h"
#include "journal/journal.h"
#include "net/watch.h"
#include "report/document_capture.h"

/*
 * A capture beside the sockets of a run, when this user may have one: opened before privileges are given up, told of
 * each socket by a watch, and read in the event loop of the run.
 */

struct capturing;

/* Opens what there is to open; always succeeds, and says in its state what came of it. NULL: no memory. */
struct capturing *capturing_open(void);
void capturing_close(struct capturing *c);

enum capture_state capturing_state(const struct capturing *c);

/* For the configuration of a run. c: NULL is nobody. */
struct watch capturing_watch(struct capturing *c);

/* Whether the user has named the interface or the source of what is sent. */
void capturing_chosen(struct capturing *c, bool chosen);

/*
 * The system has refused to send there, with this errno: EACCES may come of a route that prohibits it or of a firewall,
 * EINVAL of a route that is a black hole. Asks its routes, for the host's record. protocol: of IP, with ports, or 0. c:
 * NULL is nobody.
 */
void capturing_refused(struct capturing *c, int protocol, const struct endpoint *to, int error);
/* The same for all questions that were refused so. */
void capturing_refusals(struct capturing *c, const struct journal *journal);

/* Takes what is there now, besides what the event loop takes by itself. */
void capturing_catch_up(struct capturing *c);

/* What it has, valid as long as it is: never NULL, but empty without a capture. */
struct captured_list *capturing_list(const struct capturing *c);
const struct host_record *capturing_host_record(const struct capturing *c);

/* Packets that the system has dropped, or for which there was no room. */
uint64_t capturing_missed(const struct capturing *c);

/* How to be permitted: "setcap cap_net_raw+p $(command -v TOOL)". NULL: no need. */
#define CAPTURING_HINT 256
const char *capturing_hint(
	const struct capturing *c, const char *tool, char text[static CAPTURING_HINT]);
/* Why there is none, with that where it helps. */
const char *capturing_refusal(
	const struct capturing *c, const char *tool, char text[static CAPTURING_HINT]);
