// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/endpoint.h"
#include "base/random.h"
#include "punch/channel.h"

/*
 * A channel over the way that was punched, without I/O: datagrams, keepalives that are answered and so measure
 * round trip and loss, and a last word.
 *
 * The peer is where its newest authentic packet came from, once it has answered from there to a keepalive, whose
 * payload nobody can guess: sources can be made up, by the peer, too (RFC 9000 8.2 and 9.3). Until then all goes on
 * to where it was. Endpoints that have not answered get keepalives, and answers to their own, but all of them
 * together 8 packets at once, and one in 10 s from then on.
 */

struct flow_config {
	const struct keys *keys;
	unsigned socket;
	struct endpoint remote;
	uint64_t keepalive_us; /* how often the peer has to answer to one (RFC 7675); 0: never */
	struct random random;
};

enum flow_action { FLOW_WAIT, FLOW_SEND };

struct flow_output {
	enum flow_action action;
	unsigned socket;
	struct endpoint to;
	uint8_t data[CHANNEL_PACKET_MAX];
	size_t length;
	uint64_t deadline_us; /* of FLOW_WAIT */
};

#define FLOW_FORWARD_MAX (CHANNEL_PAYLOAD_MAX - 2)

enum flow_event {
	FLOW_NOTHING, /* of this channel, and dealt with */
	FLOW_STRANGE, /* not of this channel */
	FLOW_DATA, /* the payload is for the caller */
	FLOW_FORWARDED, /* … and from or to the client `id` */
	FLOW_CLOSED, /* the peer has said its last word */
};

/* Valid until the next call. */
struct flow_payload {
	const uint8_t *data;
	size_t length;
	uint16_t id;
};

struct flow_statistics {
	struct channel_statistics channel;
	unsigned pings, pongs; /* keepalives sent to where the peer is, and answered */
	uint64_t rtt_us, rtt_min_us; /* smoothed, and the shortest; 0: none yet */
	uint64_t heard_us; /* when something authentic came last; 0: never */
	unsigned moves; /* how often the peer has moved, and proved it */
};

struct flow;

int flow_create(const struct flow_config *config, uint64_t now_us, struct flow **out); /* -ENOMEM */
void flow_destroy(struct flow *f);

/* Seals a datagram for the peer, of at most CHANNEL_PAYLOAD_MAX bytes. 0, or what channel_seal says. */
int flow_send(struct flow *f, const void *data, size_t length, struct flow_output *out);
/* The same with at most FLOW_FORWARD_MAX bytes, from or to a client that both sides know by this number. */
int flow_forward(
	struct flow *f, uint16_t id, const void *data, size_t length, struct flow_output *out);
/* So many keepalives, one every interval_us. */
void flow_ping(struct flow *f, uint64_t now_us, unsigned count, uint64_t interval_us);
/* Another interval of keepalives; 0: none. */
void flow_set_keepalive(struct flow *f, uint64_t keepalive_us);
/*
 * The path was punched anew, with the same keys: the channel goes on from this socket to this endpoint, which is
 * proved. Silence counts from now on.
 */
void flow_rebind(struct flow *f, uint64_t now_us, unsigned socket, const struct endpoint *remote);
/* The last word, which goes out so many times, since nobody confirms it; keepalives go on, for the peer may not have said its own. */
void flow_close(struct flow *f, uint64_t now_us, unsigned times);

enum flow_action flow_poll(struct flow *f, uint64_t now_us, struct flow_output *out);

/* A datagram that is no STUN; of FLOW_DATA and FLOW_FORWARDED *out is what is in it. */
enum flow_event flow_input(struct flow *f, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t size, struct flow_payload *out);

/*
 * When keepalives have not been answered for so long that the way is not what it was; UINT64_MAX: all are. That the
 * peer is heard is not enough: it may not hear us.
 */
uint64_t flow_silent_at(const struct flow *f);
struct flow_statistics flow_statistics(const struct flow *f);
/* Where the peer is, and the socket that it is reached from. */
struct endpoint flow_remote(const struct flow *f);
unsigned flow_socket(const struct flow *f);
