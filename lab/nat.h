// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/random.h"

/*
 * One NAT or firewall, without I/O: a packet and the time in, packets out. Deterministic from its
 * random source. What it does is said in the words of RFC 4787, 5382 and 5508.
 *
 * The table has mappings (an inside endpoint, its external one, and as much of the remote endpoint as
 * the mapping depends on), and in each mapping a session for each remote endpoint. A session
 * has the lifetime, as in Linux; a mapping lives as long as one of its sessions. What comes in through a
 * mapping from a new remote endpoint is a session too, so that the answer leaves by the same mapping.
 */

enum nat_transport { NAT_UDP, NAT_TCP, NAT_ICMP, NAT_TRANSPORTS };

/* Of ICMP echo the identifier is the inside and external port, and the remote endpoint has none. */
enum nat_dependence {
	NAT_ENDPOINT_INDEPENDENT,
	NAT_ADDRESS_DEPENDENT,
	NAT_PORT_DEPENDENT,
	NAT_ADDRESS_AND_PORT_DEPENDENT,
};

enum nat_translation {
	NAT_NONE, /* filters, and leaves addresses alone: a stateful firewall */
	NAT_PORTS, /* addresses and ports: NAT44, and NAT66 for IPv6 */
	NAT_ADDRESSES, /* one external address for each inside address, ports kept: 1:1 */
	NAT_PREFIX, /* IPv6 prefixes, checksum-neutral and without state (RFC 6296) */
};

enum nat_allocation { NAT_PRESERVING, NAT_SEQUENTIAL, NAT_RANDOM };

/* What a preserving NAT does when the port is in use by another inside endpoint. */
enum nat_collision {
	NAT_COLLISION_NEXT, /* the next free port */
	NAT_COLLISION_RANDOM, /* any free port */
	/*
	 * The same port as long as the remote endpoint differs (Linux), else any; with any allocation: a
	 * port counts as free as long as no other inside endpoint uses it to this remote endpoint.
	 */
	NAT_COLLISION_OVERLOAD,
	NAT_COLLISION_DROP,
};

struct nat_ports {
	enum nat_allocation allocation;
	enum nat_collision collision;
	/*
	 * All that is allocated: a port outside of it is not preserved. high 0: 65535; both 0: 1024 to 65535, and all
	 * echo identifiers.
	 */
	uint16_t low, high;
	int step; /* of NAT_SEQUENTIAL; 0: 1 */
	uint16_t block; /* ports per inside address, a block each; 0: all share all */
	bool parity; /* even to even, odd to odd (RFC 4787 4.2.2) */
	bool contiguous; /* n+1 gets the port behind that of n, if free (4.2.3) */
	/*
	 * A port below 1024 that cannot be preserved gets one below 1024 (RFC 4787 REQ-3a), as Linux does
	 * it: up to 511 from 1 to 511, up to 1023 from 600 to 1023; others from low or 1024 to high.
	 */
	bool classes;
};

enum nat_hairpin {
	NAT_HAIRPIN_NONE,
	NAT_HAIRPIN_EXTERNAL, /* the other inside host sees the external endpoint (RFC 4787 REQ-9a) */
	NAT_HAIRPIN_INTERNAL, /* it sees the inside one */
	NAT_HAIRPIN_BOX, /* the box takes it for itself and answers as any host (Linux without rules) */
};

/* What becomes of a packet from outside that no mapping is for, or that the filter keeps out. */
enum nat_unsolicited {
	NAT_DROP,
	NAT_REJECT_ICMP, /* destination unreachable with icmp_code */
	NAT_REJECT_RST, /* for TCP; others get port unreachable */
	NAT_ACCEPT, /* the box takes it for itself as a Linux router with INPUT accept: it answers port
		       unreachable, RST or echo reply, and after UDP a later flow to that endpoint gets
		       another port, as long as early packets keep coming within one_way_us */
	NAT_BLACKLIST, /* dropped, and so is all else from that endpoint for blacklist_us */
};

/* 0: what RFC 4787 (300 s), 5382 (4 min, 2 h 4 min) and 5508 (60 s) ask for. */
struct nat_lifetimes {
	/* one way only so far, and both ways; for TCP: being opened, and established */
	uint64_t one_way_us, both_ways_us;
	uint64_t closing_us; /* TCP, after a FIN or RST */
	/*
	 * UDP and ICMP: packets make both_ways_us count only this long after the first one, and not the
	 * first answer (Linux UDP: 2 s); 0: the first answer does, at once.
	 */
	uint64_t settle_us;
	bool refresh_outbound, refresh_inbound; /* RFC 4787 REQ-6 */
};

struct nat_behaviour {
	enum nat_dependence mapping, filtering;
	struct nat_ports ports;
	enum nat_hairpin hairpin;
	enum nat_unsolicited unsolicited;
	uint8_t icmp_code; /* of NAT_REJECT_ICMP: as of ICMP; over IPv6 what RFC 7915 4.2 makes of it */
	uint64_t blacklist_us;
	struct nat_lifetimes lifetimes;
	/* NAT_ADDRESSES: all comes in, asked for or not; NAT_NONE: and there is no state: a router */
	bool unfiltered;
	bool blocked; /* nothing of this transport goes out … */
	uint8_t blocked_icmp_code; /* … and the sender is told so with this code; 0: is not told */
};

/* The states of Linux's table; whoever sent the first SYN is the client. */
enum nat_tcp_state {
	NAT_TCP_SYN_SENT,
	NAT_TCP_SYN_SENT2, /* a SYN from either side: simultaneous open */
	NAT_TCP_SYN_RECEIVED,
	NAT_TCP_ESTABLISHED,
	NAT_TCP_FIN_WAIT, /* one FIN */
	NAT_TCP_CLOSE_WAIT, /* it was acknowledged */
	NAT_TCP_LAST_ACK, /* both FIN */
	NAT_TCP_TIME_WAIT,
	NAT_TCP_CLOSED, /* RST */
	NAT_TCP_STATES,
};

struct nat_tcp {
	bool simultaneous_open; /* RFC 5382 REQ-2: a SYN from outside meets one from inside */
	bool strict_sequence; /* what is outside of the window is dropped (Linux without be_liberal) */
	bool reset_ends_at_once; /* a RST in reply to an unanswered SYN removes the entry */
	bool pick_up; /* an ACK from inside without an entry makes one (Linux: tcp_loose) */
	uint64_t
		syn_silence_us; /* RFC 5382 REQ-4: an unsolicited SYN is answered only after this */
	/* of each state; 0: as lifetimes say: the first three are one_way, the last five closing */
	uint64_t state_us[NAT_TCP_STATES];
};

/* What is done to each SYN that goes through, from either side. */
struct nat_syn {
	uint16_t mss; /* a larger MSS becomes this one; 0: none does */
	unsigned strip; /* enum syn_option (wire/syn.h): NOPs are put in their place */
	/* each connection has other sequence numbers outside, where its first segment was a SYN */
	bool renumber;
};

/* Kinds of ICMP errors, and what is the same of ICMPv6. */
enum nat_error_kind {
	NAT_ERROR_UNREACHABLE = 1,
	NAT_ERROR_TOO_BIG = 2, /* "fragmentation needed" and "packet too big" */
	NAT_ERROR_TIME_EXCEEDED = 4,
	NAT_ERROR_PARAMETER = 8,
};

/* What becomes of the packet that an inward error quotes; RFC 5508 REQ-4 wants the first one. */
enum nat_quotes {
	NAT_QUOTES_TRANSLATED,
	NAT_QUOTES_UNTRANSLATED, /* its source stays the external endpoint: no socket knows it */
	NAT_QUOTES_CHECKSUM, /* its transport checksum stays that of the outside */
};

/* ICMP errors that quote a packet of a session are translated; this is about the rest. */
struct nat_errors {
	bool inward; /* let in at all (RFC 5508 REQ-4) … */
	unsigned blocked; /* … but for these: enum nat_error_kind */
	enum nat_quotes quotes;
	/*
	 * Errors from inside without a session go out as they are, with the inside source, and so do echo
	 * replies, TCP segments that fit no session, and what verify_checksums finds (Linux); else they
	 * are dropped (REQ-5).
	 */
	bool untracked_outward;
	bool end_mapping; /* an inward error removes the mapping: forbidden by RFC 4787 REQ-12 */
};

enum nat_fragments { NAT_FRAGMENTS_ANY_ORDER, NAT_FRAGMENTS_IN_ORDER, NAT_FRAGMENTS_REFUSED };

struct nat_limits {
	size_t mappings; /* at most; 0: 1,048,576 */
	size_t sessions; /* at most, with what the box has for itself; 0: 4 times as many */
	/* new sessions; as many at once, and then one for each part of a second; 0: any number */
	unsigned new_per_second;
	bool evict_oldest; /* at the limit; else the new one is dropped */
	bool tell; /* the inside host, with "administratively prohibited" (RFC 5508 REQ-8) */
};

#define NAT_EXTERNAL_MAX 16

struct nat_config {
	enum nat_translation translation;
	bool ipv6_untranslated; /* IPv6 is as with NAT_NONE, whatever translation says: a home router */
	struct nat_behaviour behaviour[NAT_TRANSPORTS];
	struct nat_tcp tcp;
	struct nat_syn syn;
	struct nat_errors errors;
	bool echo_inward; /* echo requests come in where mapping and filter allow; else replies alone */
	enum nat_fragments fragments;
	struct nat_limits limits;
	/* addresses only; of NAT_NONE: those of the box itself, from which it answers outward */
	struct endpoint external[NAT_EXTERNAL_MAX];
	/*
	 * of NAT_ADDRESSES: the inside host of each external address, none twice; FAMILY_NONE: the
	 * first to send
	 */
	struct endpoint hosts[NAT_EXTERNAL_MAX];
	size_t external_count;
	bool pooling_arbitrary; /* any external address for each mapping; else paired (RFC 4787 4.1) */
	/* the box's own inside addresses, if any: from where it answers inward, and where it has ears */
	struct endpoint inside, inside6;
	struct endpoint prefix_inside, prefix_outside; /* of NAT_PREFIX, both of prefix_bits */
	uint8_t prefix_bits; /* 1 to 64 */
	bool alg; /* inside addresses in payloads are replaced by external ones, both ways */
	bool keep_ttl; /* does not count as a hop */
	/*
	 * A packet whose UDP, TCP or ICMP checksum is wrong belongs to no session (Linux); else that of UDP
	 * and TCP is not looked at, and stays as wrong as it was.
	 */
	bool verify_checksums;
};

enum nat_side { NAT_INSIDE, NAT_OUTSIDE };

/* Why a packet was forwarded or not. */
enum nat_reason {
	NAT_FORWARDED,
	NAT_HAIRPINNED,
	NAT_HELD, /* a fragment that waits for the first one: comes from nat_poll, or never */
	NAT_DROP_MALFORMED,
	NAT_DROP_ADDRESS, /* from or to an address that it does not forward, or does not own */
	NAT_DROP_CHECKSUM, /* of IP or ICMP: RFC 5508 REQ-3 */
	NAT_DROP_TTL,
	NAT_DROP_NO_MAPPING,
	NAT_DROP_FILTERED,
	NAT_DROP_REJECTED, /* unsolicited, and answered, now or later */
	NAT_DROP_ACCEPTED, /* the box took it for itself */
	NAT_DROP_BLACKLISTED,
	NAT_DROP_BLOCKED,
	NAT_DROP_NO_PORT, /* none is free, or the collision is not solved */
	NAT_DROP_TABLE_FULL,
	NAT_DROP_RATE, /* too many new sessions */
	NAT_DROP_HAIRPIN,
	NAT_DROP_UNTRACKED_ERROR,
	NAT_DROP_ERROR, /* inward errors are not let in */
	NAT_DROP_SEQUENCE, /* TCP out of window, or a state that does not allow it */
	NAT_DROP_FRAGMENT,
	NAT_DROP_PROTOCOL,
	NAT_REASONS,
};
const char *nat_reason_name(enum nat_reason reason);

/* Packets to send: at most one that goes on and one answer. */
struct nat_out {
	enum nat_side side; /* where it leaves */
	size_t length; /* 0: none */
	uint8_t *bytes;
};

struct nat_result {
	enum nat_reason reason;
	struct nat_out forward; /* the packet itself, changed in place */
	struct nat_out answer; /* from the box to the sender; valid until the next call */
};

/* A change of the table, for those who watch. */
struct nat_event {
	uint64_t t_us;
	bool created; /* else removed */
	enum nat_transport transport;
	/* remote: FAMILY_NONE for the mapping itself; inside: FAMILY_NONE for what the box has itself */
	struct endpoint inside, external, remote;
};
typedef void nat_listener(void *context, const struct nat_event *event);

struct nat;

/* Copies config. -EINVAL: a config that contradicts itself; -ENOMEM. */
int nat_create(const struct nat_config *config, const struct random *random, struct nat **out);
void nat_destroy(struct nat *nat);
void nat_listen(struct nat *nat, nat_listener *listener, void *context);

/*
 * One packet, which may be changed in place, also if it is dropped: at most PACKET_BYTES_MAX. Time that runs
 * backwards stands still. What nat_poll has to say may change with each packet.
 */
void nat_input(struct nat *nat, uint64_t now_us, enum nat_side side, void *bytes, size_t length,
	struct nat_result *out);

/*
 * Ends what has run out by now, and gives the next packet that is due (true): a delayed answer, or a
 * fragment that was held; valid until the next call. *deadline_us is when to call again at the latest, which
 * may be before anything ends; UINT64_MAX: never. A session is over at its expires_us.
 */
bool nat_poll(struct nat *nat, uint64_t now_us, struct nat_out *out, uint64_t *deadline_us);

/* The table, oldest first; false at its end. cursor starts as 0, and no packets in between. */
struct nat_entry {
	enum nat_transport transport;
	struct endpoint inside, external, remote; /* remote of one session of the mapping */
	uint64_t expires_us;
	bool both_ways;
	/* TCP: "syn-sent", "established" …; "box": taken by the box, inside is FAMILY_NONE; "blacklisted" */
	const char *state;
};
bool nat_next_entry(const struct nat *nat, size_t *cursor, struct nat_entry *out);
size_t nat_mapping_count(const struct nat *nat);
size_t nat_session_count(const struct nat *nat);

/* Packets that had this end so far. */
uint64_t nat_reason_count(const struct nat *nat, enum nat_reason reason);

/* Bytes that the tables take now. */
size_t nat_bytes(const struct nat *nat);
