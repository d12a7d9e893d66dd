// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "simnet.h"

/*
 * A network in virtual time for the TCP prober: a host behind the NAT of simnet, which has TCP as far as it matters
 * here (SYNs that are repeated, cross or are refused; bytes that come late when they get lost), and one server.
 */

enum tcpnet_server {
	TCPNET_OWN, /* natprobed: it calls back */
	TCPNET_RFC5780, /* two addresses, and answers the method with error 400 */
	TCPNET_MUTE, /* … or not at all */
	TCPNET_PLAIN, /* one address */
	TCPNET_CAGED, /* a natprobed whose calls never leave its own firewall, though it thinks they do */
	TCPNET_CAGED_REFUSING, /* … which refuses them */
	TCPNET_BUSY, /* no calls: error 508 */
	TCPNET_WRONG_ENDPOINT, /* calls from another address than it should */
	TCPNET_FALSE_ENDPOINT, /* … and says that it was the right one */
	TCPNET_CLOSED, /* nobody listens */
	TCPNET_SILENT,
};

enum tcpnet_reaction { TCPNET_DROP, TCPNET_REFUSE, TCPNET_REFUSE_LATE };

/* What is done to SYNs on the way, and what is known of them. */
struct tcpnet_syns {
	uint16_t mss; /* none is larger; 0: all are left alone */
	uint8_t strip_out,
		strip_in; /* enum syn_option: taken out of the host's SYNs, and of the server's */
	uint8_t hops;
	uint8_t ttl; /* each SYN gets it behind the NAT; 0: none does */
	uint16_t host_mtu, server_mtu; /* 0: 1500 */
	bool renumber; /* the host's SYNs arrive with other sequence numbers */
	bool mute_router; /* it says nothing of TTLs that have run out */
	bool unquoted; /* the host's system does not show what it says */
	bool by_chance; /* the host's sequence numbers are of no clock */
	bool unsaved; /* the server's system has not kept them */
	bool untold; /* the server knows nothing of this */
};

struct tcpnet_config {
	struct simnet_config
		nat; /* mapping, filtering, ports, hairpin, ipv6, delay, loss, seed, limit */
	enum tcpnet_server server;
	enum tcpnet_reaction reaction; /* of the NAT to SYNs that nobody has asked for */
	bool no_crossing; /* the NAT lets in no SYN in answer to a SYN */
	bool taken_port; /* the first local port that is tried */
	bool thief; /* something in front of the host takes the calls */
	uint64_t
		late_us; /* the server is busy: its calls begin so much later than they should, at most */
	uint64_t
		bytes_late_us; /* what the server says over control connections, behind its SYNs: as when a segment was lost */
	bool quick;
	struct tcpnet_syns syns;
	unsigned tests; /* of enum tcp_test */
};

/* Runs prober and judge; the family's verdict is of tcp4 or tcp6. simnet_free releases the journal. */
void tcpnet_run(const struct tcpnet_config *config, struct simnet_result *out);
