// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/trail.h"
#include "punch/knock.h"

/*
 * The side that waits for a knock (knock.h), without I/O: keeps UDP flows to dark endpoints, knows a knock when an ICMP
 * error quotes one of them or a datagram brings it, and answers it. Where a NAT gives out ports of its own, many flows
 * let the other side find one of them by luck. Nothing but a knock that is sealed with the key, new and recent is
 * answered.
 */

#define WAITER_FURTHER 256
/* of two slots of time, and the one that waiter_rest was told to keep */
#define WAITER_SOCKETS (WAITER_FURTHER + 2 * HELLO_CANDIDATES + 1)
#define WAITER_TTL \
	8 /* of what goes to the dark: behind every NAT of a host's own side, and not far */

struct waiter_config {
	struct knock_key key;
	uint64_t utc_us; /* at waiter_create */
	struct endpoint
		from[HELLO_CANDIDATES]; /* own addresses that may be knocked at; ports ignored */
	size_t from_count;
	struct endpoint dark[2]; /* FAMILY_NONE: as code and time say */
	unsigned further; /* flows from any port, of IPv4; more than WAITER_FURTHER are as many */
	bool classic; /* as classic.h says: IPv4 only, and no flows but echo requests */
	struct random random;
	struct trail *trail;
};

enum waiter_heard {
	WAITER_NOTHING, /* that concerns us */
	WAITER_NEW, /* somebody has knocked: waiter_visit */
	WAITER_AGAIN, /* the same one */
};

/* The knock that is being answered. */
struct waiter_visit {
	struct knock ask;
	unsigned socket; /* whose flow was quoted, or which the latest datagram came to */
	struct endpoint local; /* of this socket */
	struct endpoint
		from; /* who sent the error or the datagram; an error's may be forged, and has port 0 */
	bool datagram;
};

struct waiter_counts {
	unsigned flows; /* open */
	unsigned sent, unsent; /* datagrams to the dark */
	unsigned heard; /* knocks that were good */
	unsigned
		usual; /* ICMP errors that routers send by themselves: they show that errors come in */
	unsigned
		foreign; /* others that are no knock, or not with this code; and such datagrams while nobody is answered */
	unsigned stale; /* of another time, by this host's clock */
	unsigned replayed; /* copies, and visitors who have had their turn */
	unsigned surplus; /* others during waiter_rest, and more than can be remembered */
	unsigned exceeded; /* classic: errors about an echo */
	int64_t clock_ms; /* by which the clock of the latest stale one differs */
	int error; /* of the latest socket that could not send; negative errno */
	int open_error; /* … or could not be opened */
};

struct waiter;

/* -EINVAL: more addresses than there can be; -ENOMEM. */
int waiter_create(const struct waiter_config *config, uint64_t now_us, struct waiter **out);
void waiter_destroy(struct waiter *w);

/* Whether there is something to do, in *out; else *deadline_us may become earlier. Sockets are numbered from 0. */
bool waiter_poll(
	struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us);
void waiter_opened(struct waiter *w, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);

/* An ICMP error of that sender, for a datagram with this payload, as far as it was quoted. */
enum waiter_heard waiter_error(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *offender, const void *quoted, size_t length);
/* Classic: an ICMP error "time exceeded", whatever it quotes. */
void waiter_exceeded(
	struct waiter *w, uint64_t now_us, const struct endpoint *offender, struct span quoted);
/* Whether a datagram of this socket to that endpoint goes to the dark. */
bool waiter_is_dark(const struct waiter *w, unsigned socket, const struct endpoint *to);
/* A datagram that is nothing else. */
enum waiter_heard waiter_input(struct waiter *w, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);
/* One could not be sent; negative errno. */
void waiter_unsent(struct waiter *w, int error);

/*
 * Says this to the visitor, several times, from now on; kind, time and for whom are filled in. 0; -EMSGSIZE, and nothing is said:
 * the hello is too long.
 */
int waiter_answer(struct waiter *w, uint64_t now_us, const struct knock *answer);

/*
 * The next visitor replaces one that is being answered, and who was replaced is not heard again for as long as its knocks
 * are fresh. The places stay those of the first answer until waiter_resume: call it when the visitor does not come.
 */

/* The visitor is there: closes all sockets but one, hears no others and says nothing more. */
void waiter_rest(struct waiter *w, unsigned keep);
/*
 * Waits again; for others, too, if the visitor is forgotten. As long as it is not, the socket that was kept stays open,
 * though its port may be of another time.
 */
void waiter_resume(struct waiter *w, uint64_t now_us, bool forget);

const struct waiter_visit *waiter_visit(const struct waiter *w);
const struct waiter_counts *waiter_counts(const struct waiter *w);
/* Sockets that will open or are open; 0: none can be. */
unsigned waiter_hopes(const struct waiter *w);
