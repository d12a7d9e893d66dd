// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "probe/probe.h"
#include "simnet.h"
#include "wire/stun.h"

/* What the parts of the simulated network share: NAT, servers, links. */

#define NAT_BINDINGS  512
#define NAT_PEERS     16
#define SERVER_ERRORS 16

/* --- simnet_nat.c --- */

struct nat_binding {
	struct endpoint inside, external, key;
	bool flow; /* for one destination only: what an early packet has left of the mapping */
	struct endpoint peers[NAT_PEERS]; /* to which the inside has sent */
	size_t peer_count;
};

struct nat {
	const struct simnet_config *config;
	struct random *random;
	struct endpoint address; /* outside */
	uint16_t next_port;
	struct nat_binding bindings[NAT_BINDINGS];
	size_t binding_count;
	struct {
		struct endpoint external, from;
	} early[NAT_BINDINGS]; /* unasked packets that were kept back */
	size_t early_count;
};

/* The external endpoint from which a packet from inside leaves. */
struct endpoint nat_out(struct nat *n, const struct endpoint *inside, const struct endpoint *to);

/* Where a packet from outside goes; false: it is kept back. */
bool nat_in(struct nat *n, const struct endpoint *from, const struct endpoint *external,
	struct endpoint *inside);

/* --- simnet_server.c --- */

enum { SERVER_PORT = 1, SERVER_ADDRESS = 2, SERVER_ENDPOINTS = 4 };

struct sim_server {
	enum simnet_server kind;
	struct endpoint at[SERVER_ENDPOINTS];
	struct {
		struct endpoint to;
		struct stun_icmp icmp;
	} errors[SERVER_ERRORS]; /* that came back to it */
	size_t error_count;
};

/* How a server sends. */
typedef void server_emit(void *context, const struct endpoint *from, const struct endpoint *to,
	const void *data, size_t length);

void server_init(struct sim_server *s, enum simnet_server kind, size_t number, bool ipv6);

/* Which of its endpoints that is, or -1. */
int server_endpoint(const struct sim_server *s, const struct endpoint *e);

/* A datagram came in at endpoint number `local`. */
void server_receive(struct sim_server *s, int local, const struct endpoint *from, const void *data,
	size_t length, server_emit *emit, void *context);

/* An ICMP error came back for what it had sent from quoted_from to `to`. */
void server_icmp(struct sim_server *s, const struct endpoint *to,
	const struct endpoint *quoted_from, const struct endpoint *offender);
