// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/behaviour.h"

/*
 * A network in virtual time for the prober: one host behind a NAT or a firewall, links that
 * delay, lose, duplicate and reorder, and servers that are right or wrong. The same
 * configuration always gives the same run.
 */

#define SIMNET_SERVERS 8

enum simnet_server {
	SIMNET_OWN, /* natprobed: receipts, observations, ICMP reports */
	SIMNET_RFC5780,
	SIMNET_RFC3489, /* answers with the attributes of RFC 3489, whose addresses it has two of */
	SIMNET_PLAIN, /* one address */
	SIMNET_SILENT,
	SIMNET_REFUSING, /* nobody listens there: the host says so by ICMP */
	/* wrong ones */
	SIMNET_CHANGE_IGNORED, /* answers each CHANGE-REQUEST from the asked endpoint */
	SIMNET_CHANGE_REFUSED, /* … with error 420 */
	SIMNET_CHANGE_LOST, /* … not at all, though its second address answers when asked */
	SIMNET_SELF_AS_OTHER,
	SIMNET_OTHER_SILENT, /* its second address is dead */
	SIMNET_OTHER_ELSEWHERE, /* answers with a change from a third address */
	SIMNET_WRONG_MAPPED, /* makes up the port in both mapped addresses */
	SIMNET_MAPPED_DIFFERS, /* in MAPPED-ADDRESS only */
	SIMNET_WRONG_SOURCE, /* answers from another port than the one that was asked */
	SIMNET_GARBAGE,
};

enum simnet_ports { SIMNET_PORTS_RANDOM, SIMNET_PORTS_KEPT, SIMNET_PORTS_SEQUENTIAL };

enum simnet_firewall {
	SIMNET_OPEN,
	SIMNET_DROP, /* nothing gets out */
	SIMNET_REJECT, /* … and the router says so: ICMP type 3 code 13 */
	SIMNET_FORBIDDEN, /* … the host itself refuses to send */
};

/* The routers on the way to the servers, of which the NAT is the first. */
struct simnet_way {
	unsigned routers; /* 0: packets pass them all, whatever their TTL */
	unsigned drops_at; /* this one lets nothing further out; 0: none */
	unsigned rejects_at; /* … and says so: ICMP type 3 code 13; 0: none */
	unsigned mute; /* bit n: router n says nothing of TTLs that have run out */
	bool no_icmp; /* none comes in through the NAT */
	bool brief; /* they quote no more than RFC 792 asks for: nothing of the payload */
};

struct simnet_config {
	enum dependence mapping, filtering; /* mapping UNKNOWN: no NAT, filtering still works */
	enum simnet_ports ports;
	enum early_packet early; /* SILENT, REJECT or REMAP */
	enum simnet_firewall firewall;
	struct simnet_way way;
	bool hairpin, ipv6;
	bool tcp; /* the servers' hosts answer TCP */
	bool no_sockets; /* none can be opened */
	uint64_t delay_us, jitter_us; /* one way */
	unsigned loss, duplicates; /* of a thousand packets, each way */
	uint64_t seed;
	enum simnet_server servers[SIMNET_SERVERS];
	size_t server_count;
	bool servers_late; /* they become known one by one, 100 ms apart */
	unsigned tests; /* of enum probe_test */
	uint64_t limit_us;
	bool no_trace; /* servers that stay silent are not gone after */
};

struct simnet_result {
	struct journal *journal;
	struct verdict verdict;
	uint64_t duration_us;
	unsigned packets, polls;
	unsigned with_ttl; /* packets that were to have a TTL of their own */
	size_t bytes;
	unsigned foreign_rate; /* most new transactions in a second with a foreign server */
	char broken[128]; /* a promise of the prober that it did not keep; empty: none */
};

/* Runs prober and judge. simnet_free releases the journal. */
void simnet_run(const struct simnet_config *config, struct simnet_result *out);
void simnet_free(struct simnet_result *result);
