// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "probe/ladder.h"
#include "probe/probe.h"

/* What the files of the prober share: its state, and how a question is put. */

#define PROBE_PACE_WINDOW 10 /* new transactions per second that RFC 5780 5 allows a client */

/* As long as a plain answer of ours, so that it is never longer than what was asked. */
#define PROBE_FILL(family) ((family) == FAMILY_IPV4 ? 116 : 164)

enum socket_state { SOCKET_FREE, SOCKET_WANTED, SOCKET_OPENING, SOCKET_READY, SOCKET_FAILED };

struct probe_socket {
	enum socket_state state;
	uint16_t port; /* wanted; 0: any */
	struct endpoint local;
};

/* What the prober knows of a server while the run goes on. */
struct probe_server {
	size_t place; /* in the journal */
	struct endpoint endpoint, other; /* A1P1, and A2P2 when `capable` */
	bool answered, ours, capable;
	bool questions_put; /* those that follow its first answer */
	uint64_t srtt_us, rtt_min_us, rtt_max_us; /* 0: not measured */
	bool rtt_ambiguous; /* only known from a repeated request: an upper bound */
	uint64_t starts_us[PROBE_PACE_WINDOW]; /* of its latest transactions, a ring */
	unsigned start_next;
	/* places of its questions in the journal; JOURNAL_NONE: not put */
	size_t binding, mapping[3], filtering[3], control[3], early_base[3], early_check[3];
};

/* Which endpoint of the server: the order of the arrays above. */
enum { TARGET_BOTH, TARGET_ADDRESS, TARGET_PORT, TARGETS };

struct transaction {
	struct observation *o;
	struct probe_server *server;
	struct stun_id id;
	uint32_t change; /* flags of CHANGE-REQUEST; 0: none */
	uint8_t wants, copies; /* of PROBE; 0: none */
	uint16_t response_port; /* 0: none */
	size_t fill; /* our own servers answer no more than they are asked */
	unsigned repeat; /* the first so many requests leave repeat_gap_us apart */
	uint64_t repeat_gap_us;
	unsigned attempts, sends_max; /* an attempt that this host refuses to send is none sent */
	uint64_t resend_us; /* not before this may it be repeated */
	uint64_t wake_us; /* when to look again: to repeat, or to conclude */
};

/* The TTL ladder: see trace.c. */
struct probe_trace {
	bool put; /* or it could not be */
	bool apart; /* each TTL has a socket of its own */
	struct observation *observation; /* NULL: none */
	struct ladder ladder;
	struct stun_id id; /* of all its packets, but for the last byte */
	unsigned socket, sockets[LADDER_TTL]; /* of each TTL; 0: none */
	unsigned next_ttl, next_socket; /* what leaves next; 0: nothing before deadline_us */
	uint64_t deadline_us;
};

struct probe {
	struct probe_config config;
	struct journal *journal;
	struct random *random;
	uint64_t start_us;
	bool servers_complete, done;
	uint64_t enough_us; /* when one server had told everything; 0: not yet */
	struct probe_server servers[JOURNAL_SERVERS];
	size_t server_count;
	struct probe_socket sockets[PROBE_SOCKETS];
	unsigned socket_count;
	struct transaction transactions[JOURNAL_OBSERVATIONS / 2];
	size_t transaction_count;
	bool ports_put, hairpin_put, tcp_put;
	size_t hairpin_base[2], hairpin[2];
	struct probe_trace trace;
};

/* --- engine.c --- */

/* A fresh socket on port (0: any); its number, or -ENOSPC. */
int probe_socket(struct probe *p, uint16_t port);

/*
 * Puts a question from socket to `to`, whose answer must come from `expect`; it is paced and repeated
 * as the server allows. The caller may set change, copies, wants and the like before the next poll.
 * NULL when the journal is full.
 */
struct transaction *probe_ask(struct probe *p, uint64_t now_us, struct probe_server *server,
	enum question question, unsigned socket, const struct endpoint *to,
	const struct endpoint *expect);

/* A transaction ID that nobody can guess. */
void probe_new_id(struct probe *p, struct stun_id *id);

/* The transaction of an observation, or NULL. */
struct transaction *probe_transaction(struct probe *p, const struct observation *o);

struct observation *probe_observation(struct probe *p, size_t place);

/* Whether the question was put and answered. */
bool probe_answered(struct probe *p, size_t place);

/* Whether the question was put, and ended in silence. */
bool probe_silent(struct probe *p, size_t place);

/* Whether any server has answered. */
bool probe_any_answered(const struct probe *p);

/* The endpoint of the server that is meant by one of TARGETS. */
struct endpoint probe_target(const struct probe_server *s, int target);

/* --- pacing.c --- */

/* When the next transaction with the server may start; counts it as started then. */
uint64_t probe_pace(struct probe_server *s, uint64_t now_us);

/* The gap between the latest request and the next one. */
uint64_t probe_interval(const struct transaction *t);

/* How long an answer may be on its way at most. */
uint64_t probe_patience_us(const struct probe_server *s);

/* Takes the round trip of an answered question into account. */
void probe_rtt(struct probe_server *s, const struct observation *o, uint64_t now_us);

/* --- one file per question: each looks what can be asked now --- */

void mapping_advance(struct probe *p, uint64_t now_us, struct probe_server *s);
void filtering_advance(struct probe *p, uint64_t now_us, struct probe_server *s);
void early_advance(struct probe *p, uint64_t now_us, struct probe_server *s);
void ports_advance(struct probe *p, uint64_t now_us, struct probe_server *s);
void blocked_advance(struct probe *p, uint64_t now_us);
void trace_advance(struct probe *p, uint64_t now_us);

/* When all else is settled: puts the next part of the hairpin question, or returns false. */
bool hairpin_advance(struct probe *p, uint64_t now_us);

/* A request of ours that came back to us through the NAT. */
void hairpin_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const struct stun_message *m);

/* --- trace.c, for the engine: as probe_poll, probe_input, probe_error and probe_unsent --- */

/* Whether a packet of the ladder is to leave; else makes out->deadline_us earlier if need be. */
bool trace_poll(struct probe *p, uint64_t now_us, struct probe_output *out);

/* False: the socket is none of the ladder's. m: NULL when it is no STUN. */
bool trace_input(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const struct stun_message *m, size_t length);
bool trace_error(struct probe *p, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length);
bool trace_unsent(struct probe *p, uint64_t now_us, unsigned socket, int error, const void *data,
	size_t length);
