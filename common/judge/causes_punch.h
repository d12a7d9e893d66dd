// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/causes.h"
#include "judge/explain.h"
#include "judge/join.h"
#include "judge/pair_tcp.h"

/*
 * Why there was no way to the peer, as causes: the rules of causes.h for packets to and from the other side, and what
 * both sides have measured of their NATs and seen of each other.
 */

struct punch_causes_facts {
	enum family family;
	bool tcp;
	const struct pair_side *own, *peer; /* over UDP; NULL: not known */
	const struct pair_tcp_side *own_tcp, *peer_tcp;
	const struct plans *plans;
	const struct trail *trail;
	const struct explain_peer *said; /* what the peer says */
	const struct journal *journal; /* of the measurement */
	const struct captured_list *captured; /* joined; NULL: nothing was captured */
	const struct joined *joined; /* of each observation; NULL with captured */
	bool gaps; /* the capture has missed packets */
	const struct host_record *host; /* or NULL */
};

/* A rendezvous over UDP that did not come about: of ICMP errors from it, or about packets to it. captured, host: or NULL. */
void judge_server_causes(const struct trail *t, const struct captured_list *captured,
	const struct host_record *host, struct causes *out);

/* … over TCP. */
struct stream_causes_facts {
	const struct endpoint *server;
	bool taken; /* a connection stood */
	int error; /* negative errno of the latest attempt; 0: none has ended */
	const struct captured_list *captured; /* NULL: nothing was captured */
	bool gaps;
	const struct host_record *host; /* or NULL */
};
void judge_stream_causes(const struct stream_causes_facts *facts, struct causes *out);

/* A knock by ICMP errors that nobody has answered. */
struct knock_causes_facts {
	bool dropped; /* the own NAT lets such errors not out, as a server has seen */
	unsigned sent, unsent; /* errors, and those of them that the system has refused */
	int error; /* … and why: negative errno */
	bool by_route; /* it comes of a route of this host */
	const struct captured_list *captured; /* NULL: nothing was captured, or not all */
};
void judge_knock_causes(const struct knock_causes_facts *facts, struct causes *out);

/* Marks the packets from and to the endpoints that the trail names as the peer's: after join_journal. */
void join_trail(struct captured_list *l, const struct trail *t);

/* Of a punch that was tried and has failed; adds to *out, whose main cause comes first then. */
void judge_punch_causes(const struct punch_causes_facts *facts, struct causes *out);
