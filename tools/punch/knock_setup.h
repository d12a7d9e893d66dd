// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/code.h"
#include "punch/session.h"
#include "tools/punch/options.h"

/* What icmppunch needs besides: raw sockets, whom to knock at, and from where to wait. */

#define KNOCK_SECRET (CODE_NAMEPLATE_MAX + 1 + CODE_SECRET_MAX)

struct knock_setup {
	int raw[2]; /* IPv4, IPv6; -1: none */
	int raw_error; /* why there is none; 0: there are */
};

/* While the process may: nothing else is done with the privilege. */
void knock_setup_open(struct knock_setup *k);
/* As --interface says: 0 or a negative errno. */
int knock_setup_interface(struct knock_setup *k, const char *interface);
/* Those that are not needed: all but that of one family; FAMILY_NONE: all. */
void knock_setup_keep(struct knock_setup *k, enum family family);
/* Who waits with --classic hears errors "time exceeded" of IPv4; or there is a raw_error. */
void knock_setup_hear(struct knock_setup *k);

/* The whole code, as it is said: the secret of both sides. Its length. */
size_t knock_secret(const struct code *code, char out[static KNOCK_SECRET + 1]);
/* Whether who records a knock might find the code by trying. */
bool knock_is_guessable(const struct code *code);

/*
 * All that the session has to know but the key: 0 (also with no own address at all), or a negative errno with one line in
 * error: the host's name could not be resolved, or it has no address of a wanted family.
 */
int knock_setup_session(
	const struct punch_params *p, struct session_knock *out, char *error, size_t size);
/* Whether the own NAT may give out other ports: an own address of IPv4 is private. */
bool knock_needs_luck(const struct session_knock *k);
