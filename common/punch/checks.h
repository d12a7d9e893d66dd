// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "journal/trail.h"
#include "judge/pair.h"
#include "wire/punch.h"

/*
 * Punching over UDP, without I/O: sends requests on all ways that there may be to the peer, answers its, and proves
 * one way both ways (RFC 8445 6 and 7, with the strategies of judge/pair.h). Keys are shared by now; ICMP errors
 * are evidence and never the end. The caller carries its packets and wakes it at its deadline.
 *
 * The peer may lie about where it is, and where its packets come from. So a way is proved only by an answer to a
 * request of ours, which nobody gives who has not got it. Until then all that goes to an address for which the server
 * does not vouch, whatever the ports, is 8 requests, 3 of them before something authentic came from there, and no
 * answer; and to all such addresses together 64, also after checks_again. To those that are vouched for, and on ways
 * that are proved: 120 requests on each of at most CHECKS_WAYS ways (the plan's anew in each attempt, the chosen
 * one's once more), what the plan says, and an answer to each request.
 */

#define CHECKS_WAYS    96
#define CHECKS_SOCKETS 320 /* main ones and those that strategies ask for */

enum check_kind {
	CHECK_HOST, /* an address of the peer's host */
	CHECK_SERVER_REFLEXIVE, /* as a server sees the peer */
	CHECK_PEER_REFLEXIVE, /* from where a packet of the peer came */
	CHECK_PREDICTED, /* a guess */
	CHECK_KINDS,
};
const char *check_kind_name(enum check_kind kind); /* "host", "server-reflexive" … */

struct checks_config {
	uint8_t key_out[PUNCH_KEY_BYTES], key_in[PUNCH_KEY_BYTES];
	bool controlling; /* one of the two sides is; it chooses the way */
	struct random random;
	struct trail *trail;
};

enum checks_action {
	CHECKS_WAIT, /* nothing to do before deadline_us */
	CHECKS_OPEN, /* open socket number `socket` (of to.family), and call checks_opened */
	CHECKS_SEND, /* data from `socket` to `to`, with `ttl` if it is not 0 */
	CHECKS_CLOSE, /* socket number `socket` is not needed any more */
};

struct checks_output {
	enum checks_action action;
	unsigned socket;
	struct endpoint to;
	uint8_t ttl;
	uint8_t data[PUNCH_BYTES_MAX];
	size_t length;
	uint64_t deadline_us; /* UINT64_MAX: only after an input */
};

/* A way that is proved. */
struct checks_result {
	bool connected;
	unsigned socket;
	struct endpoint remote;
	struct endpoint mapped; /* from where the peer hears us on this way */
	enum check_kind kind;
	uint64_t rtt_us; /* at most */
	uint64_t first_sent_us, first_heard_us, proved_us; /* 0: never */
	unsigned peer_attempt; /* that the peer's latest request is of … */
	uint64_t asked_us; /* … and when it came; 0: never */
	struct stun_id
		nomination; /* TCP: of the last request on the connection, the same on both sides */
};

struct checks;

int checks_create(const struct checks_config *config, struct checks **out); /* -ENOMEM */
void checks_destroy(struct checks *c);

/* The socket from which known endpoints are tried, one of each family; the last one given counts. */
void checks_set_main(struct checks *c, enum family family, unsigned socket);

/*
 * An endpoint that may be the peer's. vouched: the server has seen the peer at this address. Refused (-EINVAL): what
 * is no unicast address of another host; -ENOSPC.
 */
int checks_add_candidate(struct checks *c, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched);

/* One attempt: this side's role in a plan. */
struct checks_attempt {
	unsigned number; /* from 1 */
	struct pair_role role;
	bool further; /* from further sockets only, since our own mapping depends on the peer's endpoint */
	uint32_t rate_pps; /* of guesses; 0: 200 */
	enum family family;
	unsigned first_socket; /* numbers of further sockets begin here */
};
/* Opens the sockets that it needs, and sends nothing yet. */
void checks_begin(struct checks *c, uint64_t now_us, const struct checks_attempt *attempt);
/* How many further sockets there will be; whether all are open, or cannot be. */
unsigned checks_further(const struct checks *c);
bool checks_are_open(const struct checks *c);

#define CHECKS_PORTS 64

/* Where to, which the peer may say only when both are prepared. */
struct checks_target {
	struct endpoint
		peer; /* as the server sees it: what PAIR_KNOWN means, and the address of guesses */
	bool claimed; /* it is the peer that says so, and nobody else */
	uint16_t latest; /* of PAIR_SEQUENCE: the peer's latest port */
	uint16_t ports[CHECKS_PORTS]; /* of PAIR_PRESERVED: those of its further sockets */
	unsigned port_count;
};
void checks_go(struct checks *c, uint64_t now_us, const struct checks_target *target);
/* Of a role that is `second`: the other side has sent. */
void checks_release(struct checks *c, uint64_t now_us);
/* Whether each candidate has been sent something: it has taken a port of the own NAT if it ever will. */
bool checks_candidates_are_tried(const struct checks *c);
/* Whether all that role says has been sent once. */
bool checks_has_sent_all(const struct checks *c);
/* Sends nothing more by itself, but still answers; further sockets are closed. */
void checks_pause(struct checks *c);
/*
 * The path has failed, and is punched anew with the next checks_begin, whose number is larger than all before.
 * Candidates, ways and the result are forgotten, counters are not. The socket of the chosen way is the caller's now:
 * no further socket of an attempt may have its number as long as it is open.
 */
void checks_again(struct checks *c);

enum checks_action checks_poll(struct checks *c, uint64_t now_us, struct checks_output *out);

/* 0, or the negative errno that says why the socket could not be opened; also after its plan has ended. */
void checks_opened(struct checks *c, uint64_t now_us, unsigned socket, int error);

/* A datagram. Whether it was one of ours, authentic or not. */
bool checks_input(struct checks *c, uint64_t now_us, unsigned socket, const struct endpoint *from,
	const void *data, size_t length);

/*
 * What an ICMP error carries to the peer: that this side is there and has sent. The length, or a negative errno. It proves
 * no way.
 */
int checks_signal(struct checks *c, uint64_t now_us, void *buffer, size_t size);
/* One has come: whether it was authentic and new. Then all is tried at once, also by who is second. */
bool checks_signalled(struct checks *c, uint64_t now_us, const void *data, size_t length);

/* What is known so far. */
const struct checks_result *checks_result(const struct checks *c);
