// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "wire/packet.h"
#include "wire/stun.h"

/*
 * The packets that a capture has seen beside the sockets of a run, or that somebody has captured: each one described,
 * the first ones kept whole, and all of them counted by the two endpoints that they went between. Bounded, however many
 * there are.
 */

#define CAPTURED_MAX	    65536 /* descriptions */
#define CAPTURED_BYTES	    (16u << 20) /* of packets that are kept whole */
#define CAPTURED_INTERFACES 64
#define CAPTURED_NAME	    32
#define CAPTURED_NONE	    SIZE_MAX
#define TALKS_MAX	    8192
#define TALK_ERRORS	    4 /* kinds of ICMP errors, about each direction */
#define TALK_DESCRIBED \
	24 /* of a talk so many packets in each direction that hold no question nor answer */

/* Why there is a list, or none. */
enum capture_state {
	CAPTURE_OFF, /* nobody has asked for one */
	CAPTURE_ON,
	CAPTURE_NOT_PERMITTED,
	CAPTURE_UNAVAILABLE, /* the system has no such thing */
	CAPTURE_FILE, /* somebody else has captured */
};

enum way { WAY_UNKNOWN, WAY_IN, WAY_OUT };

/* What a packet is, as far as it says so itself. */
enum content {
	CONTENT_OTHER,
	CONTENT_FRAGMENT, /* without ports */
	CONTENT_REQUEST, /* of STUN, and so the next three */
	CONTENT_INDICATION,
	CONTENT_SUCCESS,
	CONTENT_REFUSAL,
	CONTENT_SYN,
	CONTENT_SYN_ACK,
	CONTENT_RST,
	CONTENT_FIN,
	CONTENT_ECHO,
	CONTENT_ECHO_REPLY,
	CONTENT_ERROR, /* of ICMP */
	CONTENTS,
};

/* Whose it is in this run. */
enum packet_class {
	CLASS_STRANGER = 0,
	CLASS_OURS, /* this host has sent it */
	CLASS_ANSWER,
	CLASS_ERROR, /* about one of ours */
	CLASS_PEER, /* from the other side of a punch */
	CLASSES,
};

struct captured {
	uint32_t number; /* in the file, from 1 */
	uint64_t t_us; /* of the run's clock; of a file since 1970 */
	uint8_t interface; /* place; CAPTURED_INTERFACES: not known */
	uint8_t way; /* enum way */
	uint8_t content; /* enum content */
	uint8_t protocol; /* enum packet_protocol */
	uint8_t ttl;
	uint8_t flags; /* of TCP: enum packet_flag */
	uint8_t type, code; /* of ICMP */
	bool checksum_wrong; /* and not merely left to the hardware */
	uint16_t method; /* of STUN */
	uint16_t mtu; /* that an ICMP error tells of; 0: none */
	uint32_t size; /* of the IP packet */
	uint32_t sequence, acknowledgment; /* of TCP */
	struct endpoint from, to;
	struct stun_id id; /* of STUN */
	struct endpoint mapped, mapped_plain; /* of an answer of STUN; FAMILY_NONE: none */
	struct endpoint quoted_from, quoted_to; /* of what an ICMP error is about */
	size_t talk; /* place of the talk that it belongs to or, an ICMP error, is about; CAPTURED_NONE */
	size_t bytes_at, bytes; /* where it is kept whole; bytes 0: it is not */

	/* as judge/join.h finds out */
	uint8_t class; /* enum packet_class */
	bool delivered, delivery_known; /* to a socket */
	bool to_peer; /* to the other side of a punch */
	size_t observation; /* place; CAPTURED_NONE */
	uint32_t about; /* the number of the packet that it answers or quotes; 0: none */
	uint32_t
		answered; /* the number of the first packet that answers it, or another copy of it; 0: none */
	uint16_t copy, copies; /* of the same question, from 1; 0: it is none */
};

/* ICMP errors that are alike. */
struct talk_error {
	struct endpoint offender; /* port 0 */
	uint8_t type, code, ttl;
	uint16_t mtu;
	unsigned count;
	uint32_t first; /* number of the packet */
	uint64_t first_us;
};

/* The packets from one end of a talk to the other. */
struct talk_way {
	unsigned packets, out, in; /* by enum way: loopback has each packet both ways */
	unsigned wrong_checksums, syns, syn_acks, resets, requests, answers;
	uint64_t first_us, last_us;
	uint32_t first, last; /* numbers of packets */
	uint32_t first_reset, first_syn_ack; /* 0: none */
	uint8_t ttl_low, ttl_high, reset_ttl, syn_ack_ttl;
	uint64_t first_reset_us, first_syn_ack_us;
	uint32_t largest; /* bytes of the longest packet, with IP header */
	uint8_t interface; /* of the first one; CAPTURED_INTERFACES: not known */
	bool interfaces_differ;
	unsigned described;
	struct talk_error errors[TALK_ERRORS]; /* about them */
	size_t error_count;
};

/* Two endpoints and what went between them; with an echo the identifier stands for both ports. */
struct talk {
	uint8_t protocol; /* enum packet_protocol */
	struct endpoint ends[2]; /* the first packet came from ends[0] */
	struct talk_way from[2]; /* by that end */
};

struct captured_interface {
	unsigned index; /* of the system */
	char name[CAPTURED_NAME]; /* as it is called: escape before printing */
};

#define CAPTURED_HOSTS 4
#define CAPTURED_PORTS 3 /* protocols that have them, or what stands for them */

struct captured_list {
	bool choosy; /* only packets of own ports count */
	uint8_t own[CAPTURED_PORTS][65536 / 8];
	struct endpoint hosts[CAPTURED_HOSTS]; /* to whom ICMP errors count, whatever they quote */
	size_t host_count;
	struct captured *packets; /* CAPTURED_MAX of them */
	size_t count;
	struct talk *talks; /* TALKS_MAX of them */
	size_t talk_count;
	uint32_t *talk_table; /* a hash of the ends to a place + 1 */
	uint8_t *kept; /* CAPTURED_BYTES */
	size_t kept_bytes;
	bool full; /* one was not kept */
	struct captured_interface interfaces[CAPTURED_INTERFACES];
	size_t interface_count;
	uint64_t
		utc_us; /* what has to be added to the time of its packets to have that since 1970 */
	uint64_t seen; /* IP packets that were handed in */
	uint64_t malformed; /* others, and those that are no whole IP packet */
	uint64_t undescribed; /* counted at most: data, or what is beyond the bounds */
	uint64_t lost; /* of them, those for which there was no room */
	uint64_t uncounted; /* whose talk is none of the first TALKS_MAX */
};

/* A packet as a capture gives it. */
struct captured_packet {
	uint32_t number;
	uint64_t t_us;
	size_t interface; /* place; CAPTURED_NONE: not known */
	enum way way;
	struct span ip; /* may be cut off */
	bool keep; /* whole, for a file */
};

/* keep: there will be packets to keep whole. -ENOMEM. */
int captured_create(bool keep, struct captured_list **out);
void captured_destroy(struct captured_list *l);

/* Only packets of ports that are named so count, and errors about them. protocol: enum packet_protocol, with ports. */
void captured_own(struct captured_list *l, uint8_t protocol, uint16_t port);

/* ICMP errors to this address count, too, whatever they quote; of the first CAPTURED_HOSTS addresses. */
void captured_host(struct captured_list *l, const struct endpoint *address);

/* The place of an interface, new or known; CAPTURED_NONE: there is no room for another. */
size_t captured_interface(struct captured_list *l, unsigned index, const char *name);

/* Takes a packet. Its description, which stays where it is; NULL: it is none, or beyond the bounds. */
const struct captured *captured_take(struct captured_list *l, const struct captured_packet *packet);

/* The packet of that number, NULL: it is not described. */
struct captured *captured_find(const struct captured_list *l, uint32_t number);

/* The place of the talk between these; CAPTURED_NONE. */
size_t captured_talk(const struct captured_list *l, uint8_t protocol, const struct endpoint *a,
	const struct endpoint *b);

/* "off", "on", "not-permitted", "unavailable", "file". */
const char *capture_state_name(enum capture_state state);
/* "request", "syn-ack", "error" … */
const char *content_name(enum content content);
/* "ours", "answer", "error", "peer", "stranger". */
const char *packet_class_name(enum packet_class class);
/* "in", "out", "unknown". */
const char *way_name(enum way way);
