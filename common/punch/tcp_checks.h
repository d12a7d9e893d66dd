// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/pair_tcp.h"
#include "punch/checks.h"

/*
 * Punching over TCP, without I/O: begins connections to all endpoints that the peer may have, takes those that come in,
 * proves over each who is at the other end, and chooses one with the peer (RFC 6544 with simultaneous open, and the
 * strategies of judge/pair_tcp.h). The messages are those over UDP (wire/punch.h), framed as RFC 8489 6.2.2; behind
 * the last of them the connection is the caller's. Who has come in says nothing before the other side has proved itself.
 *
 * Every socket has SO_REUSEADDR and SO_REUSEPORT: several of them share a local port. A new socket is bound before
 * the old one of its port is closed.
 *
 * To an address for which the server does not vouch goes one attempt to connect, with one repeated SYN, whatever its
 * port, and to 8 such addresses at most, until a way is looked for anew; to endpoints that are vouched for go several,
 * and what the plan says.
 */

#define TCP_CHECKS_LINKS   600 /* connections, begun or come in, at once */
#define TCP_CHECKS_SOCKETS 1300 /* numbers from config.first_socket on */

struct tcp_checks_config {
	struct checks_config checks;
	unsigned first_socket;
};

enum tcp_checks_action {
	TCP_CHECKS_WAIT, /* nothing to do before deadline_us */
	/* bind a new socket of to.family to local port `port`, or to any that is free (0); call tcp_checks_opened */
	TCP_CHECKS_OPEN,
	TCP_CHECKS_LISTEN, /* the bound socket */
	/*
	 * begin to connect the bound socket to `to`, with `syns` SYNs at most if that is not 0, the first with the TTL
	 * `ttl`, and no heed of ICMP errors for that one, if that is not 0; call tcp_checks_connected
	 */
	TCP_CHECKS_CONNECT,
	TCP_CHECKS_SEND, /* data over it */
	TCP_CHECKS_CLOSE, /* whatever it is: with a RST if it is connected */
};

struct tcp_checks_output {
	enum tcp_checks_action action;
	unsigned socket;
	uint16_t port;
	unsigned syns;
	uint8_t ttl;
	struct endpoint to;
	uint8_t data[PUNCH_BYTES_MAX];
	size_t length;
	uint64_t deadline_us; /* UINT64_MAX: only after an input */
};

struct tcp_checks;

int tcp_checks_create(
	const struct tcp_checks_config *config, struct tcp_checks **out); /* -ENOMEM */
void tcp_checks_destroy(struct tcp_checks *c);

/*
 * The local port from which known endpoints are tried, one of each family, where something else keeps it bound: what
 * comes in there is taken. Another port: the sockets of the one before are closed, unless they are connected.
 */
void tcp_checks_set_main(struct tcp_checks *c, enum family family, uint16_t port);

/* As checks_add_candidate. */
int tcp_checks_add_candidate(struct tcp_checks *c, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched);

/* One attempt: this side's role in a plan. */
struct tcp_checks_attempt {
	unsigned number; /* from 1 */
	struct pair_tcp_role role;
	bool further; /* from further ports only, since our own mapping depends on the peer's endpoint */
	uint32_t rate_cps; /* of guesses; 0: 200 */
	enum family family;
};
/* Opens the ports that it needs, and connects to nobody yet. */
void tcp_checks_begin(
	struct tcp_checks *c, uint64_t now_us, const struct tcp_checks_attempt *attempt);
/* How many further ports there will be; whether all are open, or cannot be. */
unsigned tcp_checks_further(const struct tcp_checks *c);
bool tcp_checks_are_open(const struct tcp_checks *c);
/* The local ports of those that are open, in the order of the plan: how many. */
unsigned tcp_checks_ports(const struct tcp_checks *c, uint16_t ports[static CHECKS_PORTS]);

/* As checks_go, checks_release and so on. */
void tcp_checks_go(struct tcp_checks *c, uint64_t now_us, const struct checks_target *target);
void tcp_checks_release(struct tcp_checks *c, uint64_t now_us);
bool tcp_checks_candidates_are_tried(const struct tcp_checks *c);
bool tcp_checks_has_sent_all(const struct tcp_checks *c);
/* Begins nothing more; what is connected may still be proved. */
void tcp_checks_pause(struct tcp_checks *c);
/* The connection has ended, is closed, and another one is looked for with the next tcp_checks_begin. */
void tcp_checks_again(struct tcp_checks *c);

enum tcp_checks_action tcp_checks_poll(
	struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out);

/* 0, or the negative errno that says why the socket could not be bound, or not listen. */
void tcp_checks_opened(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);
/* An ICMP error for its SYN; before tcp_checks_connected says that this was the end. */
void tcp_checks_icmp(struct tcp_checks *c, unsigned socket);
/* How the attempt to connect has ended: 0 or a negative errno. */
void tcp_checks_connected(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error);
/* A listening socket has a connection: the number of its socket, or -ENOSPC: to be closed. */
int tcp_checks_accepted(
	struct tcp_checks *c, uint64_t now_us, unsigned listener, const struct endpoint *from);
/* One whole message; nothing that may be behind it. */
void tcp_checks_input(
	struct tcp_checks *c, uint64_t now_us, unsigned socket, const void *data, size_t length);
/* The connection was ended by the other end (0), has broken, or carries what is no message (-EBADMSG). */
void tcp_checks_closed(struct tcp_checks *c, uint64_t now_us, unsigned socket, int error);

/* What is known so far. first_heard_us: when the connection that was proved first had come about. */
const struct checks_result *tcp_checks_result(const struct tcp_checks *c);
