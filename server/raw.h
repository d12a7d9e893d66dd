// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/icmp.h"
#include "server/responder.h"
#include "wire/packet.h"

/*
 * The raw sockets of the server: of ICMP, to send errors and replies and to see echo requests and errors; of TCP, to see
 * what answers SYNs; and, for each address, a TCP port that stays silent, with what comes to it. CAP_NET_RAW is needed
 * while they are opened. They are in an epoll set of their own, whose descriptor is all that the owner has to watch.
 */

struct raws;

/* `local`: index of our address where it came in, without RESPONDER_PORT; what lies in its buffer is there no longer. */
struct raws_handler {
	void (*icmp)(void *context, unsigned local, const struct icmp_message *message,
		const struct icmp_meta *meta);
	void (*segment)(void *context, unsigned local, const struct packet *segment);
	void *context;
};

/*
 * For these endpoints (FAMILY_NONE: not served); those of ICMP only, or of TCP as well. 0; -EPERM and the like: there
 * will be none.
 */
int raws_open(struct raws **out, const struct endpoint local[static RESPONDER_ENDPOINTS], bool tcp,
	const struct raws_handler *handler);
void raws_close(struct raws *r);

/* The silent port of this address: the one behind those that are served, or any, if that is taken; 0: there is none. */
uint16_t raws_silent_port(const struct raws *r, unsigned local);

/* Sends from our address `local`; ports do not matter. 0 or a negative errno. */
int raws_send(struct raws *r, unsigned local, const struct endpoint *to,
	const struct icmp_message *message);

/* Readable when raws_run has something to do, a bounded part of which it does. */
int raws_fd(const struct raws *r);
void raws_run(struct raws *r);
