// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/behaviour.h"

/*
 * A network in virtual time for the ICMP prober: a host, a NAT that does what it likes with ICMP, and one server. Packets
 * get lost, doubled and delayed; connections repeat what was lost.
 */

enum icmpnet_server {
	ICMPNET_OWN, /* natprobed */
	ICMPNET_ONE_ADDRESS, /* … with one address */
	ICMPNET_PLAIN, /* STUN alone, with two addresses: it says nothing to what it does not know */
	ICMPNET_OFF, /* natprobed without raw sockets: error 403 */
	ICMPNET_QUOTA, /* error 486 to who wants errors */
	ICMPNET_IDLE, /* says that it has sent errors, and has not: its own network drops them, and all ICMP */
	ICMPNET_DEAF, /* its system does not reply to echo requests */
	ICMPNET_NO_TCP, /* refuses connections */
	ICMPNET_SILENT,
};

enum icmpnet_identifiers { ICMPNET_KEPT, ICMPNET_CHANGED, ICMPNET_BY_ADDRESS };

enum icmpnet_quotes {
	ICMPNET_RIGHT,
	ICMPNET_SOURCE, /* the quoted source stays the external endpoint: no socket gets the error */
	ICMPNET_CHECKSUM, /* the quoted UDP checksum stays that of the outside */
	ICMPNET_HEADER, /* … and that of the IP header */
};

struct icmpnet_config {
	bool ipv6, no_nat;
	enum icmpnet_server server;
	enum icmpnet_identifiers identifiers;
	uint32_t dropped; /* mask of types of errors that the NAT does not let in */
	bool mtu_dropped; /* 3/4 alone, or ICMPv6 2/0 */
	bool mtu_ignored; /* this host does not heed it */
	bool echo_dropped, reply_dropped; /* outward, and inward */
	bool end_mapping, end_connection; /* an error does that */
	bool ignores_attempts; /* an attempt to connect goes on when an error has come */
	enum icmpnet_quotes quotes;
	enum egress egress; /* EGRESS_UNKNOWN stands for EGRESS_EXTERNAL */
	bool outward_dropped, outward_untranslated; /* errors about own mappings */
	bool no_raw, no_ping;
	bool errors_unsendable; /* a filter of this host */
	int refused; /* errno with which this host sends no datagrams; 0: it does */
	unsigned refusals; /* … so many of them; 0: all */
	uint16_t mtu; /* of the path; 0: 1500 */
	uint32_t lifetime_ms; /* of the mapping of an echo request; 0: 30 s */
	unsigned loss; /* percent, each way */
	bool doubled; /* every packet comes twice */
	bool forged; /* a stranger sends errors and replies of its own */
	uint64_t delay_us, jitter_us; /* each way */
	uint64_t slower_us; /* … and so much more after the first 50 ms */
	uint64_t
		bytes_late_us; /* what the server sends over connections, behind its packets: as when a segment was lost */
	uint64_t seed, limit_us;
	unsigned tests; /* of enum icmp_test; 0: ICMP_BEHAVIOUR */
};

struct icmpnet_result {
	struct journal *journal;
	struct verdict verdict;
	uint64_t duration_us;
	unsigned errors; /* that the server was asked for */
	const char *broken; /* what the prober must not do; NULL: it did not */
};

void icmpnet_run(const struct icmpnet_config *config, struct icmpnet_result *out);
void icmpnet_free(struct icmpnet_result *r);
