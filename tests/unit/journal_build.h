// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/*
 * Journals made up by hand, so that a test of the judge reads as a table. The host is 10.0.1.2;
 * its NAT is 198.51.100.99. Server number n has 203.0.113.(n + 1):3478 and 203.0.114.(n +
 * 1):3479.
 */

#define BUILD_SOCKET	40000 /* local port of the mapping question */
#define BUILD_NOT_ASKED (-1)

struct endpoint build_at(const char *text);

struct journal *build_journal(void);

/* Makes it empty again: faster than another one. */
void build_empty(struct journal *j);

/* A server with two addresses; its place. */
size_t build_server(struct journal *j);

/* A server with this endpoint, and without a second address. */
size_t build_plain_server(struct journal *j, const char *endpoint);

/*
 * One question from local port `local`, each a socket of its own, answered as seen from
 * 198.51.100.99:external; 0: silence.
 */
struct observation *build_ask(struct journal *j, enum question question, size_t server,
	uint16_t local, const struct endpoint *to, const struct endpoint *expect, int external);

/*
 * The first request, and the three of the mapping question: external ports towards A1P1, A1P2,
 * A2P1, A2P2; 0: silence. A server without a second address is asked once.
 */
void build_mapping(struct journal *j, size_t server, const int external[4]);

/*
 * The filtering question: a letter each for the answers from A2P2, A2P1, A1P2: Y came; N is
 * missing often enough; F too few are missing; X was given up; C came from the asked endpoint; E
 * is an error response; '-' was not asked.
 *
 * The fourth letter is for the controls. Foreign servers, from each silent socket: Y it reaches the
 * changed endpoint, and gets the changed answer then; N no such answer; S it does not reach the
 * endpoint; '-' nothing was asked. natprobed: receipts for each question, and one control: R it was
 * answered; U it was not.
 */
void build_filtering(struct journal *j, size_t server, const char letters[static 4]);

/* A server that answers everything: mapping as given, and the letters for filtering. */
size_t build_whole(struct journal *j, int port, const char letters[static 4]);

/* An endpoint of a server: its first, or changed by address, port or both. */
struct endpoint build_target(const struct journal *j, size_t server, bool address, bool port);

/* The observation of a question that was put to the server. */
struct observation *build_find(struct journal *j, enum question question, size_t server);
