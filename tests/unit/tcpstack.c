// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tcpstack.h"
#include "wire/packet.h"

#define MS	      1000u
#define SECOND	      1000000u
#define NEVER	      UINT64_MAX
#define NONE	      (-1)
#define LOOSE_MAX     1600 /* connections without a socket: being accepted, or left over */
#define TCBS	      (TCPSTACK_SOCKETS + LOOSE_MAX)
#define BUCKETS	      4096
#define DATA_MAX      1024 /* events with data; more is dropped, and comes again */
#define EVENTS_MAX    (DATA_MAX + 3 * TCPSTACK_SOCKETS) /* a socket has no more than 3 others */
#define HEADERS_BYTES 60
#define TTL	      64
#define EPHEMERAL_LOW 32768
#define EPHEMERAL     28232
#define OPENING_US    (1 * SECOND) /* RFC 6298 2.1 */
#define SYN_REPEATS   6 /* net.ipv4.tcp_syn_retries */
#define CHILD_REPEATS 5 /* net.ipv4.tcp_synack_retries */
#define REPEAT_US     (200 * MS)
#define REPEATS	      8
#define TIME_WAIT_US  (60 * SECOND)
#define FIN_WAIT_US   (60 * SECOND) /* net.ipv4.tcp_fin_timeout */
#define CHALLENGE_US  (500 * MS) /* net.ipv4.tcp_invalid_ratelimit */

/* All between ESTABLISHED and TIME-WAIT is OPEN, and which FINs there were. */
enum state { FREE, LISTENING, SYN_SENT, SYN_RECEIVED, OPEN, TIME_WAIT };

struct tcb {
	enum state state;
	int number; /* of the socket; NONE: not accepted yet, or closed */
	struct tcb *listener; /* who will accept it; NULL: nobody */
	struct tcb *next; /* of the same bucket */
	struct endpoint local, remote; /* remote of a listener: all zeros */
	uint32_t una, nxt,
		max; /* the first not acknowledged; the next to send; the highest that was next */
	uint32_t expected; /* RCV.NXT */
	uint32_t window; /* the other side's */
	uint64_t pause_us; /* until it is repeated */
	unsigned repeats;
	uint8_t ttl; /* of its first SYN, and of nothing that it heeds; 0: as usual */
	uint64_t challenge_us; /* not before this */
	uint8_t *buffer; /* a ring; what is queued begins at una */
	size_t first, queued;
	bool ending, end_acked; /* our FIN: behind what is queued; acknowledged */
	bool peer_ended, peer_first;
};

struct socket {
	bool bound, was_open;
	uint8_t ttl;
	struct endpoint local;
	struct tcb *tcb;
};

struct entry {
	struct tcpstack_event event;
	uint8_t *data;
};

struct tcpstack {
	struct tcpstack_config config;
	struct socket sockets[TCPSTACK_SOCKETS];
	struct tcb tcbs[TCBS];
	uint64_t due_us[TCBS]; /* beside them, as all are looked through for the first */
	size_t used; /* so many of them ever were */
	struct tcb *buckets[BUCKETS];
	struct entry events[EVENTS_MAX];
	size_t first, count, data_count;
	uint8_t *given; /* data of the last event that was taken */
};

static const struct endpoint nobody;

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static uint64_t *due_of(struct tcpstack *t, const struct tcb *c)
{
	return &t->due_us[c - t->tcbs];
}

/* --- connections by their endpoints --- */

static size_t bucket_of(const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t hash = (uint32_t)local->port << 16 | remote->port;

	for (size_t i = 0; i < sizeof(remote->address); i++)
		hash = (hash ^ remote->address[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
		!memcmp(a->address, b->address, sizeof(a->address));
}

static struct tcb *find(
	const struct tcpstack *t, const struct endpoint *local, const struct endpoint *remote)
{
	struct tcb *c = t->buckets[bucket_of(local, remote)];

	while (c && (!is_same(&c->local, local) || !is_same(&c->remote, remote)))
		c = c->next;
	return c;
}

static struct tcb *add(struct tcpstack *t, enum state state, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct tcb **bucket = &t->buckets[bucket_of(local, remote)], *c = t->tcbs;

	while (c->state != FREE)
		if (++c == t->tcbs + TCBS)
			return NULL;
	*c = (struct tcb){.state = state,
		.number = NONE,
		.next = *bucket,
		.local = *local,
		.remote = *remote};
	*bucket = c;
	*due_of(t, c) = NEVER;
	if ((size_t)(c - t->tcbs) >= t->used)
		t->used = (size_t)(c - t->tcbs) + 1;
	return c;
}

static void attach(struct tcpstack *t, struct tcb *c, unsigned number)
{
	c->number = (int)number;
	t->sockets[number].tcb = c;
}

static void detach(struct tcpstack *t, struct tcb *c)
{
	if (c->number != NONE)
		t->sockets[c->number].tcb = NULL;
	c->number = NONE;
}

static void release_one(struct tcpstack *t, struct tcb *c)
{
	struct tcb **at = &t->buckets[bucket_of(&c->local, &c->remote)];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	detach(t, c);
	free(c->buffer);
	*due_of(t, c) = NEVER;
	c->buffer = NULL;
	c->listener = NULL;
	c->state = FREE;
}

/* With what only it would have accepted. */
static void release(struct tcpstack *t, struct tcb *c)
{
	for (size_t i = 0; c->state == LISTENING && i < t->used; i++)
		if (t->tcbs[i].listener == c)
			release_one(t, &t->tcbs[i]);
	release_one(t, c);
}

static bool has_too_many_loose(const struct tcpstack *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->used; i++)
		count += t->tcbs[i].state != FREE && t->tcbs[i].number == NONE;
	return count >= LOOSE_MAX;
}

/* --- events --- */

static struct entry *entry_at(struct tcpstack *t, size_t i)
{
	return &t->events[(t->first + i) % EVENTS_MAX];
}

static struct entry *post(struct tcpstack *t, enum tcpstack_what what, int number)
{
	struct entry *e = entry_at(t, t->count++);

	*e = (struct entry){.event = {.what = what, .socket = (unsigned)number}};
	return e;
}

/* False: not now, and who sent it will do so again. */
static bool post_data(struct tcpstack *t, int number, const uint8_t *bytes, size_t length)
{
	uint8_t *copy = t->data_count < DATA_MAX ? malloc(length) : NULL;
	struct entry *e;

	if (!copy)
		return false;
	memcpy(copy, bytes, length);
	e = post(t, TCPSTACK_DATA, number);
	e->data = copy;
	e->event.bytes = copy;
	e->event.length = length;
	t->data_count++;
	return true;
}

/* Whether there was data among them. */
static bool forget_events(struct tcpstack *t, unsigned number)
{
	size_t kept = 0, before = t->data_count;

	for (size_t i = 0; i < t->count; i++) {
		struct entry *e = entry_at(t, i);

		if (e->event.socket != number) {
			*entry_at(t, kept++) = *e;
			continue;
		}
		t->data_count -= e->event.what == TCPSTACK_DATA;
		free(e->data);
	}
	t->count = kept;
	return t->data_count < before;
}

bool tcpstack_event(struct tcpstack *t, struct tcpstack_event *out)
{
	struct entry *e = entry_at(t, 0);

	free(t->given);
	t->given = NULL;
	if (!t->count)
		return false;
	*out = e->event;
	t->given = e->data;
	t->data_count -= e->event.what == TCPSTACK_DATA;
	t->first = (t->first + 1) % EVENTS_MAX;
	t->count--;
	return true;
}

/* The end of a connection; nobody is told who has no socket for it. icmp: NULL, or what ended it. */
static void end_with(struct tcpstack *t, struct tcb *c, int error, const struct packet *icmp)
{
	enum tcpstack_what what = c->state == OPEN ? TCPSTACK_BROKEN : TCPSTACK_FAILED;

	if (c->number != NONE) {
		struct tcpstack_event *e = &post(t, what, c->number)->event;

		e->error = error;
		if (icmp) {
			e->offender = icmp->source;
			e->type = icmp->type;
			e->code = icmp->code;
		}
	}
	release(t, c);
}

/* --- sending --- */

static uint8_t ttl_of(const struct tcb *c, uint8_t flags)
{
	return c->ttl && flags == PACKET_SYN && !c->repeats ? c->ttl : TTL;
}

static void send_segment(struct tcpstack *t, const struct tcb *c, uint8_t flags, uint32_t sequence,
	const uint8_t *data, size_t length)
{
	struct packet_tcp tcp = {.sequence = sequence,
		.acknowledgment = flags & PACKET_ACK ? c->expected : 0,
		.flags = flags,
		.window = TCPSTACK_BUFFER_BYTES};
	uint8_t bytes[HEADERS_BYTES + TCPSTACK_SEGMENT_BYTES];
	int size = packet_build_tcp(
		bytes, sizeof(bytes), &c->local, &c->remote, ttl_of(c, flags), &tcp, data, length);

	if (size > 0)
		t->config.send(t->config.context, bytes, (size_t)size);
}

static void send_ack(struct tcpstack *t, const struct tcb *c)
{
	send_segment(t, c, PACKET_ACK, c->max, NULL, 0);
}

/* RFC 5961 7: no more often than so, lest two who are out of step answer each other for ever. */
static void challenge(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	if (now_us < c->challenge_us)
		return;
	c->challenge_us = now_us + CHALLENGE_US;
	send_ack(t, c);
}

static void refuse(struct tcpstack *t, const struct packet *p)
{
	uint8_t bytes[HEADERS_BYTES];
	int size = packet_build_reset(bytes, sizeof(bytes), p, TTL);

	if (size > 0)
		t->config.send(t->config.context, bytes, (size_t)size);
}

/* A SYN whose number is the same ever after: alone, or with what acknowledges the other side's. */
static void send_opening(struct tcpstack *t, const struct tcb *c)
{
	uint8_t flags = c->state == SYN_SENT ? PACKET_SYN : PACKET_SYN | PACKET_ACK;

	send_segment(t, c, flags, c->una, NULL, 0);
}

static void start_opening(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	random_bytes(&t->config.random, &c->una, sizeof(c->una));
	c->nxt = c->max = c->una + 1;
	c->pause_us = OPENING_US;
	*due_of(t, c) = now_us + c->pause_us;
	send_opening(t, c);
}

/* From c->nxt on. */
static size_t send_data(struct tcpstack *t, const struct tcb *c, size_t sent, size_t length)
{
	uint8_t data[TCPSTACK_SEGMENT_BYTES];

	if (length > sizeof(data))
		length = sizeof(data);
	for (size_t i = 0; i < length; i++)
		data[i] = c->buffer[(c->first + sent + i) % TCPSTACK_BUFFER_BYTES];
	send_segment(t, c, PACKET_ACK | PACKET_PSH, c->nxt, data, length);
	return length;
}

/* All that may be sent. */
static void push(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	/* who has closed his window is asked with a whole segment again and again: there is no other timer */
	size_t window = c->window < TCPSTACK_SEGMENT_BYTES ? TCPSTACK_SEGMENT_BYTES : c->window;
	size_t end = c->queued < window ? c->queued : window, sent;

	while ((sent = c->nxt - c->una) < end)
		c->nxt += (uint32_t)send_data(t, c, sent, end - sent);
	if (c->ending && !c->end_acked && sent == c->queued)
		send_segment(t, c, PACKET_ACK | PACKET_FIN, c->nxt++, NULL, 0);
	if (is_after(c->nxt, c->max))
		c->max = c->nxt;
	if (c->una != c->max && *due_of(t, c) == NEVER)
		*due_of(t, c) = now_us + c->pause_us;
}

/* --- timers --- */

static void repeat_opening(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	unsigned linear = c->state == SYN_SENT ? t->config.linear_syns : 0;
	unsigned limit = c->listener ? CHILD_REPEATS : SYN_REPEATS + linear;

	if (c->repeats >= limit) {
		end_with(t, c, -ETIMEDOUT, NULL);
		return;
	}
	if (++c->repeats > linear)
		c->pause_us *= 2;
	*due_of(t, c) = now_us + c->pause_us;
	send_opening(t, c);
}

/* All that is not acknowledged, since what came behind a hole was dropped. */
static void repeat_data(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	if (c->repeats++ == REPEATS) {
		end_with(t, c, -ETIMEDOUT, NULL);
		return;
	}
	c->pause_us *= 2;
	c->nxt = c->una;
	*due_of(t, c) = NEVER;
	push(t, now_us, c);
}

static void fire(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	if (c->state == SYN_SENT || c->state == SYN_RECEIVED)
		repeat_opening(t, now_us, c);
	else if (c->state == OPEN && c->una != c->max)
		repeat_data(t, now_us, c);
	else
		release(t, c);
}

void tcpstack_run_timers(struct tcpstack *t, uint64_t now_us)
{
	for (size_t i = 0; i < t->used; i++)
		if (t->due_us[i] <= now_us)
			fire(t, now_us, &t->tcbs[i]);
}

uint64_t tcpstack_next_us(const struct tcpstack *t)
{
	uint64_t first_us = NEVER;

	for (size_t i = 0; i < t->used; i++)
		if (t->due_us[i] < first_us)
			first_us = t->due_us[i];
	return first_us;
}

/* --- being opened --- */

static int highest_free(const struct tcpstack *t)
{
	int number = TCPSTACK_SOCKETS - 1;

	while (number >= 0 && t->sockets[number].bound)
		number--;
	return number;
}

/* False: there is no socket for it. */
static bool accept_it(struct tcpstack *t, struct tcb *c)
{
	int number = highest_free(t);
	struct tcpstack_event *e;

	if (number < 0)
		return false;
	t->sockets[number] = (struct socket){.bound = true, .local = c->local};
	attach(t, c, (unsigned)number);
	e = &post(t, TCPSTACK_ACCEPTED, number)->event;
	e->listener = (unsigned)c->listener->number;
	e->from = c->remote;
	c->listener = NULL;
	return true;
}

/* False: not now. */
static bool establish(struct tcpstack *t, struct tcb *c)
{
	if (c->listener) {
		if (!accept_it(t, c))
			return false;
	} else if (c->number != NONE) {
		post(t, TCPSTACK_CONNECTED, c->number);
	}
	if (c->number != NONE)
		t->sockets[c->number].was_open = true;
	c->state = OPEN;
	c->una = c->nxt;
	c->repeats = 0;
	c->pause_us = REPEAT_US;
	*due_of(t, c) = NEVER;
	return true;
}

static void take_syn_sent(struct tcpstack *t, struct tcb *c, const struct packet *p)
{
	bool acknowledges = p->flags & PACKET_ACK;

	if (acknowledges && p->acknowledgment != c->nxt) {
		refuse(t, p);
		return;
	}
	if (p->flags & PACKET_RST) {
		if (acknowledges)
			end_with(t, c, -ECONNREFUSED, NULL);
		return;
	}
	if (!(p->flags & PACKET_SYN))
		return;
	c->expected = p->sequence + 1;
	c->window = p->window;
	if (acknowledges) {
		establish(t, c);
		send_ack(t, c);
	} else { /* simultaneous open (RFC 9293 3.5); what repeats the SYN repeats the SYN-ACK */
		c->state = SYN_RECEIVED;
		send_opening(t, c);
	}
}

static void take_listening(
	struct tcpstack *t, uint64_t now_us, struct tcb *listener, const struct packet *p)
{
	struct tcb *c;

	if (p->flags & PACKET_ACK)
		refuse(t, p);
	if ((p->flags & (PACKET_ACK | PACKET_RST | PACKET_SYN)) != PACKET_SYN ||
		has_too_many_loose(t))
		return;
	c = add(t, SYN_RECEIVED, &p->destination, &p->source);
	if (!c)
		return;
	c->listener = listener;
	c->expected = p->sequence + 1;
	c->window = p->window;
	start_opening(t, now_us, c);
}

/* --- what has been opened --- */

/* The end, when both sides have sent theirs; who was first stays, as his last ACK may get lost. */
static void conclude(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	if (!c->end_acked || (!c->peer_ended && c->number != NONE))
		return;
	if (!c->peer_ended) {
		*due_of(t, c) = now_us + FIN_WAIT_US;
		return;
	}
	detach(t, c);
	if (c->peer_first || has_too_many_loose(t)) {
		release(t, c);
		return;
	}
	c->state = TIME_WAIT;
	*due_of(t, c) = now_us + TIME_WAIT_US;
}

static void take_acknowledgment(
	struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	size_t acked = p->acknowledgment - c->una;

	c->window = p->window;
	if (is_after(p->acknowledgment, c->una)) {
		if (acked > c->queued) {
			c->end_acked = true;
			acked = c->queued;
		}
		c->first = (c->first + acked) % TCPSTACK_BUFFER_BYTES;
		c->queued -= acked;
		c->una = p->acknowledgment;
		if (is_after(c->una, c->nxt))
			c->nxt = c->una;
		c->repeats = 0;
		c->pause_us = REPEAT_US;
		*due_of(t, c) = NEVER;
	}
	push(t, now_us, c);
}

/* False: nobody is there for it any more, and nothing is left of the connection. */
static bool take_data(struct tcpstack *t, struct tcb *c, const struct packet *p)
{
	size_t known = c->expected - p->sequence, length = p->payload_length;

	if (c->peer_ended || length <= known)
		return true;
	if (c->number == NONE) {
		refuse(t, p);
		release(t, c);
		return false;
	}
	if (post_data(t, c->number, p->bytes + p->payload + known, length - known))
		c->expected += (uint32_t)(length - known);
	return true;
}

static void take_end(struct tcpstack *t, struct tcb *c, const struct packet *p)
{
	if (!(p->flags & PACKET_FIN) || c->peer_ended ||
		p->sequence + (uint32_t)p->payload_length != c->expected)
		return;
	c->expected++;
	c->peer_ended = true;
	if (c->number != NONE)
		post(t, TCPSTACK_ENDED, c->number);
}

/* What comes out of order is dropped, and the ACK says so. */
static void take_text(struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	bool in_order = !is_after(p->sequence, c->expected);

	take_acknowledgment(t, now_us, c, p);
	if (in_order && !take_data(t, c, p))
		return;
	take_end(t, c, p);
	if (p->payload_length || p->flags & PACKET_FIN)
		send_ack(t, c);
	conclude(t, now_us, c);
}

static uint32_t end_of(const struct packet *p)
{
	return p->sequence + (uint32_t)p->payload_length + !!(p->flags & PACKET_SYN) +
		!!(p->flags & PACKET_FIN);
}

static bool is_in_window(const struct tcb *c, const struct packet *p)
{
	return !is_after(c->expected, end_of(p)) &&
		!is_after(p->sequence, c->expected + TCPSTACK_BUFFER_BYTES);
}

/* RFC 5961 3.2: exactly the next number, else the sender is asked whether he means it. */
static void take_reset(struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	if (p->sequence != c->expected)
		challenge(t, now_us, c);
	else
		end_with(t, c, c->peer_ended ? -EPIPE : -ECONNRESET, NULL);
}

/* True: it was only about that. */
static bool take_opening_again(
	struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	bool same =
		p->flags & PACKET_SYN && !(p->flags & PACKET_RST) && p->sequence + 1 == c->expected;

	if (!same || c->state != SYN_RECEIVED)
		return false;
	if (!(p->flags & PACKET_ACK) && c->listener) {
		send_opening(t, c);
		return true;
	}
	/* the SYN-ACKs have crossed */
	if (!(p->flags & PACKET_ACK) || c->listener || p->acknowledgment != c->nxt)
		return false;
	establish(t, c);
	send_ack(t, c);
	push(t, now_us, c);
	return true;
}

static void take_connected(
	struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	if (take_opening_again(t, now_us, c, p))
		return;
	if (!is_in_window(c, p)) {
		if (p->payload_length)
			send_ack(t, c);
		else if (!(p->flags & PACKET_RST))
			challenge(t, now_us, c);
	} else if (p->flags & PACKET_RST) {
		take_reset(t, now_us, c, p);
	} else if (p->flags & PACKET_SYN) {
		challenge(t, now_us, c);
	} else if (!(p->flags & PACKET_ACK)) {
		return;
	} else if (c->state == SYN_RECEIVED && p->acknowledgment != c->nxt) {
		refuse(t, p);
	} else if (is_after(p->acknowledgment, c->max)) {
		challenge(t, now_us, c);
	} else if (c->state == OPEN || establish(t, c)) {
		take_text(t, now_us, c, p);
	}
}

static void take_time_wait(
	struct tcpstack *t, uint64_t now_us, struct tcb *c, const struct packet *p)
{
	if (p->flags & PACKET_RST) {
		if (p->sequence == c->expected)
			release(t, c);
		return;
	}
	if (end_of(p) == p->sequence && p->sequence == c->expected)
		return;
	if (p->flags & PACKET_ACK)
		*due_of(t, c) = now_us + TIME_WAIT_US;
	challenge(t, now_us, c);
}

/* --- packets --- */

static bool begins_anew(const struct tcb *c, const struct packet *p)
{
	return c->state == TIME_WAIT && is_after(p->sequence, c->expected) &&
		(p->flags & (PACKET_SYN | PACKET_ACK | PACKET_RST)) == PACKET_SYN;
}

static void take_segment(struct tcpstack *t, uint64_t now_us, const struct packet *p)
{
	struct tcb *c = find(t, &p->destination, &p->source);
	struct tcb *listener = find(t, &p->destination, &nobody);

	if (c && listener && begins_anew(c, p)) {
		release(t, c);
		c = NULL;
	}
	if (!c)
		c = listener;
	if (!c)
		refuse(t, p);
	else if (c->ttl && p->ttl <= c->ttl)
		return;
	else if (c->state == LISTENING)
		take_listening(t, now_us, c, p);
	else if (c->state == SYN_SENT)
		take_syn_sent(t, c, p);
	else if (c->state == TIME_WAIT)
		take_time_wait(t, now_us, c, p);
	else
		take_connected(t, now_us, c, p);
}

/* icmp_err_convert[] of net/ipv4/icmp.c, icmpv6_err_convert() of net/ipv6/icmp.c; others mean nothing. */
static const struct meaning {
	enum family family;
	uint8_t type, low, high; /* codes */
	int error;
	bool ends_child; /* what has not been accepted yet, in silence */
} meanings[] = {
	{FAMILY_IPV4, 3, 0, 0, ENETUNREACH, true},
	{FAMILY_IPV4, 3, 1, 1, EHOSTUNREACH, true},
	{FAMILY_IPV4, 3, 2, 2, ENOPROTOOPT, false},
	{FAMILY_IPV4, 3, 3, 3, ECONNREFUSED, false},
	{FAMILY_IPV4, 3, 5, 5, EOPNOTSUPP, false},
	{FAMILY_IPV4, 3, 6, 6, ENETUNREACH, false},
	{FAMILY_IPV4, 3, 7, 7, EHOSTDOWN, false},
	{FAMILY_IPV4, 3, 8, 8, ENONET, false},
	{FAMILY_IPV4, 3, 9, 9, ENETUNREACH, false},
	{FAMILY_IPV4, 3, 10, 10, EHOSTUNREACH, false},
	{FAMILY_IPV4, 3, 11, 11, ENETUNREACH, false},
	{FAMILY_IPV4, 3, 12, 15, EHOSTUNREACH, false},
	{FAMILY_IPV4, 11, 0, 255, EHOSTUNREACH, true},
	{FAMILY_IPV4, 12, 0, 255, EPROTO, true},
	{FAMILY_IPV6, 1, 0, 0, ENETUNREACH, false},
	{FAMILY_IPV6, 1, 1, 1, EACCES, true},
	{FAMILY_IPV6, 1, 2, 3, EHOSTUNREACH, false},
	{FAMILY_IPV6, 1, 4, 4, ECONNREFUSED, true},
	{FAMILY_IPV6, 1, 5, 6, EACCES, true},
	{FAMILY_IPV6, 1, 7, 255, EPROTO, true},
	{FAMILY_IPV6, 3, 0, 255, EHOSTUNREACH, false},
	{FAMILY_IPV6, 4, 0, 255, EPROTO, true},
};

static const struct meaning *meaning_of(const struct packet *icmp)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].family == icmp->family && meanings[i].type == icmp->type &&
			icmp->code >= meanings[i].low && icmp->code <= meanings[i].high)
			return &meanings[i];
	return NULL;
}

/* Only who is being connected cares, whatever IP_RECVERR says. */
static void take_error(struct tcpstack *t, const struct packet *icmp)
{
	const struct meaning *m = meaning_of(icmp);
	struct packet quoted;
	struct tcb *c;

	if (!m || packet_decode_quoted(icmp, &quoted) || quoted.protocol != PACKET_TCP)
		return;
	c = find(t, &quoted.source, &quoted.destination);
	if (!c || (c->state != SYN_SENT && c->state != SYN_RECEIVED) ||
		quoted.sequence - c->una > c->max - c->una || (c->ttl && quoted.ttl <= c->ttl))
		return;
	if (!c->listener || m->ends_child)
		end_with(t, c, -m->error, icmp);
}

void tcpstack_input(struct tcpstack *t, uint64_t now_us, const uint8_t *bytes, size_t length)
{
	struct packet p;

	/* which changes nothing */
	if (packet_decode((uint8_t *)bytes, length, &p) || !packet_checksums_right(&p) ||
		p.more_fragments)
		return;
	if (p.protocol == PACKET_TCP)
		take_segment(t, now_us, &p);
	else if (p.protocol == PACKET_ERROR)
		take_error(t, &p);
}

/* --- sockets --- */

static struct socket *socket_of(struct tcpstack *t, unsigned number)
{
	return number < TCPSTACK_SOCKETS && t->sockets[number].bound ? &t->sockets[number] : NULL;
}

static bool is_host(const struct endpoint *e, uint16_t port)
{
	struct endpoint copy = *e;

	copy.port = port;
	return endpoint_is_unicast(&copy);
}

static bool is_taken(const struct tcpstack *t, uint16_t port)
{
	for (size_t i = 0; i < TCPSTACK_SOCKETS; i++)
		if (t->sockets[i].bound && t->sockets[i].local.port == port)
			return true;
	for (size_t i = 0; i < t->used; i++)
		if (t->tcbs[i].state != FREE && t->tcbs[i].local.port == port)
			return true;
	return false;
}

/* 0: there is none. */
static uint16_t ephemeral_port(struct tcpstack *t)
{
	uint32_t start = random_below(&t->config.random, EPHEMERAL);

	for (uint32_t i = 0; i < EPHEMERAL; i++) {
		uint16_t port = (uint16_t)(EPHEMERAL_LOW + (start + i) % EPHEMERAL);

		if (!is_taken(t, port))
			return port;
	}
	return 0;
}

int tcpstack_bind(
	struct tcpstack *t, unsigned socket, const struct endpoint *local, struct endpoint *bound)
{
	struct socket *s = &t->sockets[socket < TCPSTACK_SOCKETS ? socket : 0];

	if (socket >= TCPSTACK_SOCKETS || s->bound)
		return -EINVAL;
	if (!is_host(local, 1))
		return -EADDRNOTAVAIL;
	*s = (struct socket){.local = *local};
	s->local.scope = 0;
	if (!s->local.port)
		s->local.port = ephemeral_port(t);
	if (!s->local.port)
		return -EADDRINUSE;
	s->bound = true;
	if (bound)
		*bound = s->local;
	return 0;
}

int tcpstack_connect(
	struct tcpstack *t, uint64_t now_us, unsigned socket, const struct endpoint *to)
{
	struct socket *s = socket_of(t, socket);
	struct endpoint remote = *to;
	struct tcb *c;

	if (!s)
		return -EINVAL;
	if (s->was_open || (s->tcb && s->tcb->state == LISTENING))
		return -EISCONN;
	if (s->tcb)
		return -EALREADY;
	if (to->family != s->local.family)
		return -EAFNOSUPPORT;
	if (!is_host(to, to->port))
		return -ENETUNREACH;
	remote.scope = 0;
	c = find(t, &s->local, &remote) ? NULL : add(t, SYN_SENT, &s->local, &remote);
	if (!c)
		return -EADDRNOTAVAIL;
	forget_events(t, socket); /* that it failed before */
	attach(t, c, socket);
	c->ttl = s->ttl;
	start_opening(t, now_us, c);
	return 0;
}

int tcpstack_unheed(struct tcpstack *t, unsigned socket, uint8_t ttl)
{
	struct socket *s = socket_of(t, socket);

	if (!s || s->tcb || s->was_open || s->local.family != FAMILY_IPV4)
		return -EINVAL;
	s->ttl = ttl;
	return 0;
}

int tcpstack_listen(struct tcpstack *t, unsigned socket)
{
	struct socket *s = socket_of(t, socket);
	struct tcb *c = s && !s->tcb && !s->was_open ? add(t, LISTENING, &s->local, &nobody) : NULL;

	if (!c)
		return -EINVAL;
	forget_events(t, socket);
	attach(t, c, socket);
	return 0;
}

/* 0, or why nothing can be sent. */
static int check_sending(const struct tcpstack *t, unsigned socket)
{
	const struct socket *s = &t->sockets[socket < TCPSTACK_SOCKETS ? socket : 0];

	if (socket >= TCPSTACK_SOCKETS || !s->bound || !s->was_open)
		return -ENOTCONN;
	return s->tcb && !s->tcb->ending ? 0 : -EPIPE;
}

size_t tcpstack_room(const struct tcpstack *t, unsigned socket)
{
	if (check_sending(t, socket))
		return 0;
	return TCPSTACK_BUFFER_BYTES - t->sockets[socket].tcb->queued;
}

int tcpstack_send(
	struct tcpstack *t, uint64_t now_us, unsigned socket, const void *data, size_t length)
{
	int err = check_sending(t, socket);
	struct tcb *c = err ? NULL : t->sockets[socket].tcb;
	const uint8_t *bytes = data;

	if (!c)
		return err;
	if (length > tcpstack_room(t, socket))
		length = tcpstack_room(t, socket);
	if (!length)
		return -EAGAIN;
	if (!c->buffer)
		c->buffer = malloc(TCPSTACK_BUFFER_BYTES);
	if (!c->buffer)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++)
		c->buffer[(c->first + c->queued + i) % TCPSTACK_BUFFER_BYTES] = bytes[i];
	c->queued += length;
	push(t, now_us, c);
	return (int)length;
}

static void end_sending(struct tcpstack *t, uint64_t now_us, struct tcb *c)
{
	if (c->ending)
		return;
	c->ending = true;
	c->peer_first = c->peer_ended;
	if (c->state == OPEN)
		push(t, now_us, c);
}

int tcpstack_shutdown(struct tcpstack *t, uint64_t now_us, unsigned socket)
{
	struct socket *s = socket_of(t, socket);

	if (!s || !s->tcb || s->tcb->state != OPEN)
		return -ENOTCONN;
	end_sending(t, now_us, s->tcb);
	return 0;
}

static void reset(struct tcpstack *t, struct tcb *c)
{
	if (c->state == OPEN || c->state == SYN_RECEIVED)
		send_segment(t, c, PACKET_RST | PACKET_ACK, c->max, NULL, 0);
	release(t, c);
}

int tcpstack_abort(struct tcpstack *t, unsigned socket)
{
	struct socket *s = socket_of(t, socket);

	if (!s)
		return -EBADF;
	forget_events(t, socket);
	if (s->tcb)
		reset(t, s->tcb);
	s->bound = false;
	return 0;
}

int tcpstack_close(struct tcpstack *t, uint64_t now_us, unsigned socket)
{
	struct socket *s = socket_of(t, socket);
	struct tcb *c = s ? s->tcb : NULL;
	bool unread;

	if (!s)
		return -EBADF;
	unread = forget_events(t, socket);
	if (!c || c->state == LISTENING || c->state == SYN_SENT || unread || has_too_many_loose(t))
		return tcpstack_abort(t, socket);
	detach(t, c);
	s->bound = false;
	end_sending(t, now_us, c);
	conclude(t, now_us, c);
	return 0;
}

int tcpstack_create(const struct tcpstack_config *config, struct tcpstack **out)
{
	struct tcpstack *t = calloc(1, sizeof(*t));

	*out = t;
	if (!t)
		return -ENOMEM;
	t->config = *config;
	return 0;
}

void tcpstack_destroy(struct tcpstack *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TCBS; i++)
		free(t->tcbs[i].buffer);
	for (size_t i = 0; i < t->count; i++)
		free(entry_at(t, i)->data);
	free(t->given);
	free(t);
}
