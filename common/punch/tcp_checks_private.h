// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/guess.h"
#include "punch/tcp_checks.h"
#include "punch/window.h"

/* What the files of the TCP checks share; nobody else includes this. */

#define NO_SOCKET	     UINT32_MAX
#define PORTS_FURTHER	     512
#define TCP_CHECKS_STRANGERS 8
#define PORTS		     (2 + PORTS_FURTHER) /* the main ones, IPv4 and IPv6, come first */

enum port_state {
	PORT_NONE,
	PORT_WANTED,
	PORT_ASKED,
	PORT_OPEN,
	PORT_GONE, /* it could not be had */
};

enum listener_state {
	LISTENER_NONE,
	LISTENER_WANTED,
	LISTENER_ASKED,
	LISTENER_BOUND,
	LISTENER_OPEN,
};

/* A local port. */
struct port {
	enum port_state state;
	enum family family;
	uint16_t number;
	unsigned
		holder; /* the socket that has bound it, until it is of use for a link; NO_SOCKET */
	enum listener_state listening;
	unsigned listener;
};

enum link_state {
	LINK_NONE,
	LINK_WAITING, /* for next_us, or until its role may begin */
	LINK_ASKED, /* its socket is being bound */
	LINK_BOUND,
	LINK_CONNECTING,
	LINK_OPEN,
	LINK_DONE, /* and not tried again */
};

/* A connection, or an endpoint to which one is tried. */
struct link {
	enum link_state state;
	unsigned port; /* its place */
	unsigned socket,
		old; /* old: of the try before, which keeps the port until there is a new one */
	struct endpoint remote;
	enum check_kind kind;
	bool of_plan, accepted;
	bool stranger; /* nobody vouches for the address */
	bool icmp; /* an ICMP error came for the present try */
	uint8_t ttl; /* of its first SYN; 0: as usual */
	unsigned tries;
	/* of LINK_WAITING; of LINK_OPEN: has to be proved by then; of LINK_CONNECTING to a stranger: its end */
	uint64_t next_us;
	uint64_t tried_us, opened_us;
	/* of LINK_OPEN */
	bool must_answer, must_ask; /* with the next message */
	bool asked, heard, proved, nominated;
	struct stun_id id, peer_id; /* of the latest requests of both */
	uint64_t asked_us, rtt_us;
	struct endpoint mapped; /* from where the peer sees it */
};

enum owner_kind {
	OWNER_NONE,
	OWNER_LINK,
	OWNER_OLD,
	OWNER_HOLDER,
	OWNER_LISTENER,
	OWNER_LATE, /* nobody any more: to be closed when it has been opened */
	OWNER_CLOSING,
};

struct owner {
	enum owner_kind kind;
	unsigned place;
};

struct tcp_checks {
	struct tcp_checks_config config;
	uint64_t counter;
	struct window window;
	struct owner owners[TCP_CHECKS_SOCKETS];
	unsigned next_socket;
	unsigned closing; /* how many have to be closed */
	struct port ports[PORTS];
	unsigned further; /* of them */
	struct link links[TCP_CHECKS_LINKS];
	unsigned link_count; /* places that have been used */
	struct endpoint strangers[TCP_CHECKS_STRANGERS]; /* addresses that have had their attempt */
	unsigned stranger_count;
	unsigned accepted; /* that are not proved yet */
	struct tcp_checks_attempt attempt;
	struct checks_target target;
	bool active; /* between tcp_checks_begin and tcp_checks_pause */
	bool paused;
	bool held; /* not yet gone, or second and not yet released */
	struct guess order;
	unsigned guess_count, guess_next; /* connections of the plan, and those that are made */
	unsigned plan_tries;
	uint64_t guess_us, interval_us;
	struct link *chosen;
	unsigned oldest; /* nominations of earlier attempts are of a connection that was given up */
	struct checks_result result;
};

/* --- tcp_checks_sockets.c: numbers, ports, listeners --- */
/* A number that is free; NO_SOCKET: there is none. */
unsigned tcp_checks_new_socket(struct tcp_checks *c, enum owner_kind kind, unsigned place);
struct owner *tcp_checks_owner(struct tcp_checks *c, unsigned socket);
/* Closed as soon as possible; NO_SOCKET: nothing. *socket becomes NO_SOCKET. */
void tcp_checks_drop(struct tcp_checks *c, unsigned *socket);
void tcp_checks_close_listener(struct tcp_checks *c, struct port *p);
void tcp_checks_close_port(struct tcp_checks *c, unsigned place);
/* Whether there is something to do about them. */
bool tcp_checks_poll_sockets(struct tcp_checks *c, struct tcp_checks_output *out);

/* --- tcp_checks_links.c: whom to connect to, and when again --- */
/* From port `place`; NULL: there are too many. */
struct link *tcp_checks_add_link(
	struct tcp_checks *c, unsigned place, const struct endpoint *remote, enum check_kind kind);
struct link *tcp_checks_find_link(
	struct tcp_checks *c, unsigned place, const struct endpoint *remote);
/* Its sockets are closed; it is tried no more. */
void tcp_checks_end_link(struct tcp_checks *c, struct link *l);
/*
 * The try has failed, or the connection was ended: another one, if there may be one. -EACCES: somebody else is there; and
 * after -ETIMEDOUT there will be no more either.
 */
void tcp_checks_fail_link(struct tcp_checks *c, uint64_t now_us, struct link *l, int error);
/* The connections of the plan. */
void tcp_checks_plan_go(struct tcp_checks *c, uint64_t now_us);
void tcp_checks_plan_end(struct tcp_checks *c);
bool tcp_checks_poll_links(struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out,
	uint64_t *deadline_us);

/* --- tcp_checks_proof.c: over a connection --- */
void tcp_checks_open_link(struct tcp_checks *c, uint64_t now_us, struct link *l);
bool tcp_checks_poll_proof(struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out,
	uint64_t *deadline_us);
void tcp_checks_note(struct tcp_checks *c, uint64_t now_us, enum trail_kind kind,
	const struct link *l, size_t bytes);
