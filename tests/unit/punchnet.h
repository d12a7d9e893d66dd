// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/session.h"

/*
 * Two sides of a punch, natprobed's responder and rendezvous, and a network of natlab between them, all in virtual
 * time: the same configuration always gives the same run. Hosts are called a, b and server.
 */

#define PUNCHNET_PARTIES 2

struct punchnet_party {
	uint64_t start_us; /* after the beginning */
	const char *secret;
	uint64_t die_us; /* stops to be there at this moment; 0: never */
	uint64_t no_sockets_us; /* from this moment on it can open none; 0: never */
	/* TCP: the server resets the connection that it meets over at this moment, and again and again; 0: never */
	uint64_t reset_us, reset_every_us;
	bool latest_lost; /* TCP: what asks for the latest port never arrives */
	uint64_t paste_us; /* manual: when it is given the other's line, if there is one by then */
	int64_t skew_us; /* manual: how far its clock is off UTC */
	uint32_t packets_max;
	uint16_t sockets_max;
	uint32_t rate_pps;
};

struct punchnet_config {
	const char *topology; /* text; hosts a and b, and a host server */
	bool tcp;
	uint64_t seed;
	bool ipv4, ipv6; /* both false: IPv4 */
	struct punchnet_party party[PUNCHNET_PARTIES];
	bool manual; /* lines are exchanged, and the server is a STUN server */
	bool signals; /* ICMP errors go between the two, too */
	bool knock; /* a waits, and b knocks at the outermost address on its side; no server, or … */
	bool knock_stun; /* … one that tells b its own endpoint */
	uint16_t knock_port; /* that b was told; 0: none */
	bool knock_classic; /* see classic.h */
	unsigned knock_further; /* flows of a; 0: none */
	unsigned knock_types_lost; /* bits: 11/0, 3/3, 11/1, 12/0 never arrive */
	unsigned again; /* how often the way breaks: one side after the other notices it first … */
	uint64_t again_us; /* … and not before this moment */
	uint64_t wait_us; /* for the other side */
	uint64_t limit_us; /* of the whole run; 0: 90 s */
	uint64_t server_dies_us; /* 0: never */
	uint64_t server_returns_us; /* with nothing that it knew; 0: never */
	/* TCP: the server says that each party's peer is there; vouch: and that the party itself is seen there */
	struct endpoint named;
	bool vouch;
	bool no_tcp; /* the server is there over UDP only */
	enum family udp_lost; /* the server gets nothing over UDP of this family */
	enum family
		tcp_lost; /* what is sent over TCP and this family never arrives at the server */
};

struct punchnet_outcome {
	struct session_view view;
	struct checks_result checks; /* all 0 without any */
	struct trail *trail;
	struct endpoint local, remote; /* of the way that was proved */
	unsigned sent; /* packets of this host that were not for the server */
	unsigned errors; /* ICMP errors of this host */
	unsigned echoes; /* … and echo requests */
	struct waiter_counts waited; /* all 0 where it did not wait */
	struct knocker_counts knocked;
	unsigned named; /* TCP: SYNs to the address that the server names */
	unsigned connects; /* TCP: attempts to connect to the server, to meet over that */
	bool ended;
};

struct punchnet_result {
	struct punchnet_outcome party[PUNCHNET_PARTIES];
	uint64_t duration_us;
	unsigned steps;
	char broken[160]; /* a promise that was not kept; empty: none */
};

void punchnet_run(const struct punchnet_config *config, struct punchnet_result *out);
void punchnet_free(struct punchnet_result *result);
