// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "probe/ladder.h"
#include "probe/tcp_probe.h"
#include "wire/call.h"

/* What the files of the TCP prober share: its state, and how a question is put. */

#define TCP_PORTS    64 /* local ports, each of which several sockets may share */
#define TCP_SERVERS  (JOURNAL_SERVERS / 6)
#define TCP_TRIES    6 /* of a simultaneous open */
#define TCP_SEQUENCE 3 /* SYNs that show sequence numbers */

enum tcp_state { TCP_WANTED, TCP_OPENING, TCP_CONNECTING, TCP_READY, TCP_ENDING, TCP_ENDED };

struct tcp_socket {
	enum tcp_state state;
	bool listener, accepted;
	unsigned slot; /* of its local port */
	struct endpoint local, to;
	uint64_t begin_us; /* not opened before */
	uint64_t give_up_us; /* the attempt to connect is silent, or the answer is missing */
	size_t observation; /* JOURNAL_NONE: none */
	struct stun_id id; /* of the Binding request that it sends as soon as it is connected */
	bool asks;
	uint8_t ttl; /* of its SYN; 0: any */
	bool quotes; /* what routers quote of it is wanted */
	uint8_t rung; /* of the TTL ladder; 0: it is for something else */
	bool told; /* … an ICMP error has come for it */
	uint8_t out[STUN_MESSAGE_BYTES], in[STUN_MESSAGE_BYTES];
	size_t out_length, in_length;
};

/* One local port. */
struct tcp_slot {
	uint16_t port;
	unsigned failures; /* ports that were taken */
	bool bound; /* a socket has it */
};

/* What the prober knows of a server while the run goes on. */
struct tcp_server {
	size_t place; /* in the journal */
	struct endpoint endpoint, other; /* A1P1, and A2P2 when `capable` */
	bool answered, capable, tells_syns;
	uint64_t rtt_us; /* of the fastest handshake; 0: not measured */
	size_t binding, mapping[3]; /* places in the journal */
};

/* Which endpoint of the server: the order of the arrays. */
enum { TCP_TARGET_BOTH, TCP_TARGET_ADDRESS, TCP_TARGET_PORT, TCP_TARGETS };

enum call_phase {
	CALL_IDLE,
	CALL_CONNECTING, /* the control connection is not ready */
	CALL_ASKED,
	CALL_PROMISED, /* the server has said which calls it will make */
	CALL_OVER,
};

/* A control connection, and the calls that were asked over it. */
struct tcp_calls {
	enum call_phase phase;
	struct tcp_server *server;
	unsigned slot, control, listener; /* listener: TCP_SOCKETS when there is none */
	struct stun_id id;
	uint16_t wait_ms, patience_ms;
	uint64_t asked_us, promised_us, over_us; /* over_us: no result will come later */
	size_t base; /* the observation of the control connection */
	size_t observation[CALL_FROM_KINDS]; /* JOURNAL_NONE: not asked */
	uint64_t
		connected_us[CALL_FROM_KINDS]; /* when the server said so: it should be here soon */
	bool crossing, ended; /* of a simultaneous open: our sockets are made; all is closed */
};

struct tcp_probe {
	struct tcp_probe_config config;
	struct journal *journal;
	struct random *random;
	uint64_t start_us;
	bool done;
	struct tcp_socket sockets[TCP_SOCKETS];
	unsigned socket_count;
	struct tcp_slot slots[TCP_PORTS];
	unsigned slot_count;
	struct tcp_server servers[TCP_SERVERS];
	size_t server_count;
	size_t caller; /* the server that is asked for calls */
	bool calls, ports_put; /* it makes them */
	struct tcp_calls filtering, simultaneous;
	unsigned tries; /* of a simultaneous open */
	bool met[2]; /* with the asked address and the other one */
	unsigned crossings; /* with the other one */
	size_t early_check;
	struct {
		struct tcp_server *server;
		unsigned slot, count; /* count: of observations that were made */
		size_t observation[TCP_SEQUENCE];
	} sequence;
	struct {
		bool put;
		size_t observation;
		struct ladder ladder;
		uint64_t deadline_us;
	} trace; /* see tcp_trace.c */
	bool hairpin_put, hairpin_sent;
	unsigned hairpin_slot[2];
	size_t hairpin_base[2], hairpin[2];
};

/* --- tcp_sockets.c --- */

/* A fresh local port; its number, or -ENOSPC. */
int tcp_probe_slot(struct tcp_probe *p, uint16_t port);

/* A socket from this local port to `to`, or one that listens (to NULL). NULL: there are no more. */
struct tcp_socket *tcp_probe_socket(struct tcp_probe *p, unsigned slot, const struct endpoint *to);
unsigned tcp_probe_number(const struct tcp_probe *p, const struct tcp_socket *s);

/* Closes it as soon as possible. */
void tcp_probe_end(struct tcp_socket *s);

void tcp_probe_queue(struct tcp_socket *s, const void *data, size_t length);

void tcp_probe_new_id(struct tcp_probe *p, struct stun_id *id);

/* What has to be done with sockets now; false: nothing before out->deadline_us. */
bool tcp_probe_poll_sockets(struct tcp_probe *p, uint64_t now_us, struct tcp_output *out);

/* --- tcp_engine.c --- */

/*
 * Puts a question: a connection from the local port to `to`, over which a Binding request goes. The place of its
 * observation, or JOURNAL_NONE.
 */
size_t tcp_probe_ask(struct tcp_probe *p, uint64_t now_us, struct tcp_server *server,
	enum question question, unsigned slot, const struct endpoint *to);

/* Only the observation: the sockets are the caller's. NULL when the journal is full. */
struct observation *tcp_probe_new_observation(struct tcp_probe *p, const struct tcp_server *server,
	enum question question, unsigned socket, const struct endpoint *to);

struct observation *tcp_probe_observation(const struct tcp_probe *p, size_t place);
bool tcp_probe_is_answered(const struct tcp_probe *p, size_t place);
bool tcp_probe_is_open(const struct tcp_probe *p, size_t place);

/* Settles it, unless it has been. */
void tcp_probe_settle(
	struct tcp_probe *p, uint64_t now_us, size_t place, enum observation_state state);

/* Of an observation that was made for a socket: how the attempt of this host ended. */
void tcp_probe_note_own(struct observation *o, uint64_t now_us, int error);

struct endpoint tcp_probe_target(const struct tcp_server *s, int target);

/* Whether the mapping question shows one external port for all: 1 yes, 0 no, -1 it is not known. */
int tcp_probe_mapping_independent(const struct tcp_probe *p, const struct tcp_server *s);

/* --- one file per question: each looks what can be asked now --- */

void tcp_probe_mapping_advance(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s);
void tcp_probe_ports_advance(struct tcp_probe *p, uint64_t now_us, struct tcp_server *s);
void tcp_probe_calls_advance(struct tcp_probe *p, uint64_t now_us);
void tcp_probe_simultaneous_advance(struct tcp_probe *p, uint64_t now_us);

void tcp_probe_sequence_advance(struct tcp_probe *p, uint64_t now_us);
void tcp_probe_trace_advance(struct tcp_probe *p, uint64_t now_us);

/* When all else is settled: puts the next part of the hairpin question, or returns false. */
bool tcp_probe_hairpin_advance(struct tcp_probe *p, uint64_t now_us);

/* --- tcp_trace.c: of a socket with a rung; as the functions of tcp_probe.h that say these things --- */

void tcp_probe_trace_icmp(struct tcp_probe *p, struct tcp_socket *s, const struct icmp_seen *icmp);
void tcp_probe_trace_ended(struct tcp_probe *p, uint64_t now_us, struct tcp_socket *s, int error);
void tcp_probe_trace_failed(struct tcp_probe *p, uint64_t now_us, const struct tcp_socket *s);

/* --- tcp_calls.c, for the other files --- */

/* Begins a control connection from a fresh port, with a listener there, if wanted; or they are over at once. */
void tcp_probe_calls_begin(struct tcp_probe *p, uint64_t now_us, struct tcp_server *server,
	struct tcp_calls *c, bool listen);

/* Asks for the calls of mask, each as a question; patience_ms: for an answer to its SYNs, 0: as long as RFC 5382 asks for. */
void tcp_probe_calls_ask(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c, uint8_t mask,
	uint16_t wait_ms, uint16_t patience_ms);

/* Settles what has waited long enough. */
void tcp_probe_calls_watch(struct tcp_probe *p, uint64_t now_us, struct tcp_calls *c);

/* Whether nothing more is expected of them. */
bool tcp_probe_calls_over(const struct tcp_calls *c);

/* Closes the sockets. */
void tcp_probe_calls_end(struct tcp_probe *p, struct tcp_calls *c);

/* A message about calls came over a socket. */
void tcp_probe_calls_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const uint8_t *data, size_t length);
/* A socket has ended, whatever it was for. */
void tcp_probe_calls_closed(struct tcp_probe *p, uint64_t now_us, unsigned socket);

/* A Binding request came over a socket: from ourselves, through the NAT? */
void tcp_probe_hairpin_input(
	struct tcp_probe *p, uint64_t now_us, unsigned socket, const struct stun_message *m);
