// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"
#include "judge/pair_tcp.h"
#include "punch/checks.h"

/*
 * What the sides of a punch tell each other through their slots, sealed with keys that the server does not have:
 * where they may be reached, what their NATs are like, and how their attempts go. Each one replaces the one before.
 */

#define HELLO_BYTES_MAX	 800
#define HELLO_CANDIDATES 16
#define HELLO_VERSION	 1

enum hello_transport { HELLO_UDP = 1, HELLO_TCP = 2 };

/* How the sender's last attempt went. */
struct hello_attempt {
	uint16_t number; /* 0: none yet */
	uint32_t sent, received, refused,
		errors; /* packets; over TCP sent are attempts to connect */
	uint32_t opened,
		resets; /* over TCP: attempts that came about, with whomever, and that a RST ended */
	struct endpoint offender; /* of the ICMP error that came most often; FAMILY_NONE: none */
	uint8_t type, code;
	bool captured; /* there was a capture beside the sockets, and: */
	uint32_t left,
		arrived; /* packets to the receiver that left the host, and of it that came to the host */
};

struct hello {
	enum hello_transport transport;
	struct {
		enum check_kind kind; /* CHECK_HOST or CHECK_SERVER_REFLEXIVE */
		struct endpoint endpoint;
	} candidates[HELLO_CANDIDATES];
	size_t candidate_count;
	bool has_side[2]; /* IPv4, IPv6: of the transport, and the other one is not said */
	struct pair_side side[2];
	struct pair_tcp_side tcp[2];
	struct endpoint
		latest; /* the external endpoint given out last, for predictions; FAMILY_NONE: not known */
	uint16_t
		ports[CHECKS_PORTS]; /* of the further sockets, on this host: a NAT may keep them */
	unsigned port_count;
	struct hello_attempt attempt;
	bool failed; /* nothing is left to try on this side */
};

/* The length, or -EMSGSIZE. */
int hello_encode(const struct hello *h, void *buffer, size_t size);

/* What the sender has found out of its way out, of IPv4 (0) or IPv6 (1). */
enum path_status hello_status(const struct hello *h, int f);

/* 0, or -EBADMSG: malformed; -EPROTO: of a version that is not understood. What is new is skipped. */
int hello_decode(const void *data, size_t length, struct hello *out);
