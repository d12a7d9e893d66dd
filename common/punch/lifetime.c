// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/lifetime.h"

#define ASKER	 LIFETIME_TRIALS /* number of its socket */
#define TRIES	 5 /* of an exchange */
#define ASKS_MAX 10
/* Answers that were sent and have not come in: where one of ten gets lost, all of them do once in 100,000. */
#define SILENCES     5
#define DEAD_TRIALS  2
#define PACKETS_MAX  64
#define ROUND_MIN_US 500000u /* RFC 8489 6.2.1 */
#define MARGIN_US    50000u
#define SETTLE_US    2200000u /* two seconds in Linux's udp_packet, and its ticks */
#define SPREAD_US    150000u
#define SECOND_US    UINT64_C(1000000)

/*
 * RFC 8445 11. As long as no end is known, what is proved says only how far the measurement has come: no reason to
 * be faster than that.
 */
#define KEEPALIVE_USUAL_US (15 * SECOND_US)
#define KEEPALIVE_MIN_US   (1 * SECOND_US)
/* Who is rarer learns too late that a NAT was started anew, and saves nothing worth it. */
#define KEEPALIVE_MAX_US (60 * SECOND_US)

/*
 * The first one is the control; the last one is there twice, since one dead trial alone proves nothing. Beyond
 * 180 s nothing is to be won for keepalives, but RFC 4787 4.3 has 300 s as the default.
 */
static const uint16_t times_s[LIFETIME_TRIALS] = {1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 300};

void lifetime_begin(struct lifetime *l, unsigned first_socket, const struct endpoint *server,
	uint64_t rtt_us, struct random *random)
{
	uint64_t round_us = rtt_us + rtt_us / 4 + MARGIN_US;

	*l = (struct lifetime){.begun = true,
		.reason = "no socket can be opened",
		.first_socket = first_socket,
		.server = *server,
		.round_us = round_us > ROUND_MIN_US ? round_us : ROUND_MIN_US,
		.spread_us = SPREAD_US + random_below(random, SPREAD_US)};
	l->sockets[ASKER] = LIFETIME_WANTED;
	for (int i = 0; i < LIFETIME_TRIALS; i++) {
		struct lifetime_trial *t = &l->trials[i];
		struct writer w = writer_over(t->id.bytes, sizeof(t->id.bytes));

		t->next_us = UINT64_MAX;
		writer_u32(&w, STUN_COOKIE);
		random_bytes(random, t->id.bytes + 4, sizeof(t->id.bytes) - 4);
	}
}

/* --- what becomes of trials --- */

static void enter(struct lifetime_trial *t, int phase, uint64_t next_us)
{
	t->phase = phase;
	t->next_us = next_us;
	t->sent_before = t->sent;
}

static void finish(struct lifetime *l, enum lifetime_state state, const char *reason)
{
	l->state = state;
	l->reason = reason;
	for (int i = 0; i < LIFETIME_SOCKETS; i++) {
		if (l->sockets[i] == LIFETIME_OPEN)
			l->sockets[i] = LIFETIME_OVER;
		else if (l->sockets[i] == LIFETIME_WANTED)
			l->sockets[i] = LIFETIME_CLOSED;
	}
}

/* What all trials but the control say together, after one of them has ended. */
static void conclude(struct lifetime *l)
{
	unsigned dead = 0, running = 0, alive_s = 0;
	bool contradicts = false;

	for (int i = 1; i < LIFETIME_TRIALS; i++) {
		int phase = l->trials[i].phase;

		running += phase < LIFETIME_ALIVE;
		dead += phase == LIFETIME_DEAD;
		contradicts |= phase == LIFETIME_ALIVE && dead;
		if (phase == LIFETIME_ALIVE)
			alive_s = times_s[i];
	}
	if (contradicts)
		finish(l, LIFETIME_UNKNOWN,
			"a binding has ended, and one that was left alone for longer has not");
	else if (dead >= DEAD_TRIALS || alive_s == times_s[LIFETIME_TRIALS - 1])
		finish(l, LIFETIME_DONE, NULL);
	else if (!running)
		finish(l, LIFETIME_UNKNOWN, "too few of the questions were answered");
}

/* The others keep a distance, so that there is no burst. */
static void start_others(struct lifetime *l, uint64_t now_us)
{
	for (unsigned i = 1; i < LIFETIME_TRIALS; i++)
		enter(&l->trials[i], LIFETIME_STARTING, now_us + i * l->spread_us);
}

static void end_trial(struct lifetime *l, unsigned number, uint64_t now_us, int phase)
{
	struct lifetime_trial *t = &l->trials[number];

	enter(t, phase, UINT64_MAX);
	/* whichever packet was the last to keep it alive, it left no earlier than that */
	if (phase == LIFETIME_DEAD)
		t->below_s = (unsigned)((now_us - t->kept_us + SECOND_US - 1) / SECOND_US);
	if (l->sockets[number] == LIFETIME_OPEN)
		l->sockets[number] = LIFETIME_OVER;
	if (number)
		conclude(l);
	else if (phase == LIFETIME_ALIVE)
		start_others(l, now_us);
	else
		finish(l, LIFETIME_UNKNOWN, l->reason);
}

/* --- packets out --- */

/* Each is no smaller than what comes back for it, and has an ID of its own. */
static void write_request(struct lifetime *l, unsigned number, struct lifetime_output *out)
{
	struct lifetime_trial *t = &l->trials[number];
	struct stun_probe probe = {1, STUN_WANT_RECEIPT, 1};
	struct stun_id id = t->id;
	struct stun_writer w;
	int length;

	id.bytes[sizeof(id.bytes) - 1] = (uint8_t)t->sent;
	w = stun_begin(out->data, sizeof(out->data), STUN_REQUEST, STUN_BINDING, &id);
	out->socket = l->first_socket + number;
	if (t->phase == LIFETIME_ASKING) {
		out->socket = l->first_socket + ASKER;
		stun_add_response_port(&w, t->mapped.port, true);
		stun_add_probe(&w, &probe);
	}
	stun_add_fill(&w, l->server.family == FAMILY_IPV4 ? 144 : 240);
	length = stun_end(&w);
	out->length = length > 0 ? (size_t)length : 0;
	out->to = l->server;
	t->sent++;
	l->packets++;
}

/* Whether there is a packet of this phase to send; else the phase is over. */
static bool wake_exchange(
	struct lifetime *l, unsigned number, uint64_t now_us, struct lifetime_output *out)
{
	struct lifetime_trial *t = &l->trials[number];
	unsigned tries = t->phase == LIFETIME_ASKING ? ASKS_MAX : TRIES;

	if (__builtin_popcount(t->receipts) >= SILENCES) {
		end_trial(l, number, now_us, LIFETIME_DEAD);
	} else if (t->sent - t->sent_before == tries) {
		end_trial(l, number, now_us, LIFETIME_UNHEARD);
	} else if (l->packets == PACKETS_MAX) {
		finish(l, LIFETIME_UNKNOWN, "too many packets were lost");
	} else {
		write_request(l, number, out);
		t->next_us = now_us + l->round_us;
		return true;
	}
	return false;
}

/* A trial's time has come: whether there is a packet to send. */
static bool wake(struct lifetime *l, unsigned number, uint64_t now_us, struct lifetime_output *out)
{
	struct lifetime_trial *t = &l->trials[number];

	switch (t->phase) {
	case LIFETIME_STARTING:
		l->sockets[number] = LIFETIME_WANTED;
		enter(t, LIFETIME_OPENING, UINT64_MAX);
		return false;
	case LIFETIME_SETTLING:
		enter(t, LIFETIME_KEEPING, now_us);
		t->kept_us = now_us;
		break;
	case LIFETIME_QUIET:
		enter(t, LIFETIME_ASKING, now_us);
		if (!number)
			l->reason = "the server does not say what it sends to another port";
		break;
	default:
		break;
	}
	return wake_exchange(l, number, now_us, out);
}

static bool poll_socket(struct lifetime *l, enum lifetime_socket from, enum lifetime_socket to,
	struct lifetime_output *out)
{
	for (unsigned i = 0; i < LIFETIME_SOCKETS; i++) {
		if (l->sockets[i] != from)
			continue;
		l->sockets[i] = to;
		out->socket = l->first_socket + i;
		return true;
	}
	return false;
}

enum lifetime_action lifetime_poll(
	struct lifetime *l, uint64_t now_us, struct lifetime_output *out, uint64_t *deadline_us)
{
	memset(out, 0, sizeof(*out));
	if (!l->begun)
		return LIFETIME_WAIT;
	for (unsigned i = 0; i < LIFETIME_TRIALS && l->state == LIFETIME_MEASURING; i++)
		if (l->trials[i].next_us <= now_us && wake(l, i, now_us, out))
			return LIFETIME_SEND;
	if (poll_socket(l, LIFETIME_OVER, LIFETIME_CLOSED, out))
		return LIFETIME_CLOSE_SOCKET;
	if (poll_socket(l, LIFETIME_WANTED, LIFETIME_ASKED, out))
		return LIFETIME_OPEN_SOCKET;
	for (unsigned i = 0; i < LIFETIME_TRIALS && l->state == LIFETIME_MEASURING; i++)
		if (l->trials[i].next_us < *deadline_us)
			*deadline_us = l->trials[i].next_us;
	return LIFETIME_WAIT;
}

/* --- packets in --- */

/* Number of the socket; -1: not ours. */
static int find(const struct lifetime *l, unsigned socket)
{
	bool ours = socket >= l->first_socket && socket < l->first_socket + LIFETIME_SOCKETS;

	return ours ? (int)(socket - l->first_socket) : -1;
}

void lifetime_opened(struct lifetime *l, uint64_t now_us, unsigned socket, int error)
{
	int number = find(l, socket);

	if (number < 0 || l->sockets[number] != LIFETIME_ASKED)
		return;
	l->sockets[number] = error ? LIFETIME_CLOSED : LIFETIME_OPEN;
	if (l->state != LIFETIME_MEASURING) {
		finish(l, l->state, l->reason);
	} else if (number == ASKER && error) {
		finish(l, LIFETIME_UNKNOWN, l->reason);
	} else if (number == ASKER) {
		enter(&l->trials[0], LIFETIME_STARTING, now_us);
	} else if (error) {
		end_trial(l, (unsigned)number, now_us, LIFETIME_UNHEARD);
	} else {
		enter(&l->trials[number], LIFETIME_BINDING, now_us);
		if (!number)
			l->reason = "the server does not answer";
	}
}

/* The number of the trial's datagram that it answers; -1: none. */
static int find_datagram(const struct lifetime_trial *t, const struct stun_message *m)
{
	struct stun_id id = m->id;
	uint8_t *last = &id.bytes[sizeof(id.bytes) - 1], number = *last;

	*last = t->id.bytes[sizeof(id.bytes) - 1];
	return stun_id_equal(&id, &t->id) && number < t->sent ? number : -1;
}

/* The time begins with the last packet. Where one was repeated, an answer may yet come, or get lost behind the NAT. */
static void be_quiet(struct lifetime *l, unsigned number, uint64_t now_us)
{
	struct lifetime_trial *t = &l->trials[number];

	t->phase = LIFETIME_QUIET;
	t->next_us = now_us + times_s[number] * SECOND_US;
	if (t->sent - t->sent_before > 1)
		t->next_us += l->round_us;
}

/* m: what the server says; NULL: something else. */
static void hear_trial(
	struct lifetime *l, unsigned number, uint64_t now_us, const struct stun_message *m)
{
	struct lifetime_trial *t = &l->trials[number];
	int datagram = m ? find_datagram(t, m) : -1;
	bool expected = datagram >= (int)t->sent_before && m->class == STUN_SUCCESS;

	switch (t->phase) {
	case LIFETIME_BINDING:
	case LIFETIME_KEEPING:
		if (!expected || m->xor_mapped.family == FAMILY_NONE)
			break;
		t->mapped = m->xor_mapped;
		if (t->phase == LIFETIME_KEEPING)
			be_quiet(l, number, now_us);
		else
			enter(t, LIFETIME_SETTLING, now_us + SETTLE_US);
		break;
	case LIFETIME_QUIET: /* a late answer; a stranger may come back at any time */
		if (datagram >= 0)
			be_quiet(l, number, now_us);
		else
			end_trial(l, number, now_us, LIFETIME_UNHEARD);
		break;
	case LIFETIME_ASKING:
		end_trial(l, number, now_us, expected ? LIFETIME_ALIVE : LIFETIME_UNHEARD);
		break;
	default:
		break;
	}
}

/* What the asking socket hears is about the server, and about whether the question was the right one. */
static void hear_asker(
	struct lifetime *l, unsigned number, uint64_t now_us, const struct stun_message *m)
{
	struct lifetime_trial *t = &l->trials[number];
	int datagram = find_datagram(t, m);

	if (t->phase != LIFETIME_ASKING || datagram < (int)t->sent_before)
		return;
	if (m->class == STUN_ERROR) {
		l->reason = "the server refuses to answer to another port";
	} else if (!m->receipt.copies) {
		l->reason = "the server does not answer to another port";
	} else if (!endpoint_same_address(&m->xor_mapped, &t->mapped)) {
		l->reason = "the NATs have several external addresses";
	} else {
		l->reason = "what the server sends to another port does not come in";
		t->receipts |= 1u << datagram;
		return;
	}
	end_trial(l, number, now_us, LIFETIME_UNHEARD);
}

void lifetime_input(struct lifetime *l, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	int number = find(l, socket);
	struct stun_message m;
	bool known;

	if (number < 0 || l->state != LIFETIME_MEASURING)
		return;
	known = endpoint_equal(from, &l->server) && !stun_decode(data, length, &m);
	if (number < LIFETIME_TRIALS)
		hear_trial(l, (unsigned)number, now_us, known ? &m : NULL);
	for (unsigned i = 0; i < LIFETIME_TRIALS && number == ASKER && known; i++)
		hear_asker(l, i, now_us, &m);
}

/* --- what is known --- */

enum lifetime_state lifetime_result(
	const struct lifetime *l, unsigned *at_least_s, unsigned *below_s)
{
	unsigned dead = 0;

	*at_least_s = *below_s = 0;
	for (int i = 0; i < LIFETIME_TRIALS; i++) {
		const struct lifetime_trial *t = &l->trials[i];

		if (t->phase == LIFETIME_ALIVE && !dead)
			*at_least_s = times_s[i];
		if (t->phase == LIFETIME_DEAD && !dead++)
			*below_s = t->below_s;
	}
	if (dead < DEAD_TRIALS)
		*below_s = 0;
	return l->state;
}

const char *lifetime_reason(const struct lifetime *l)
{
	return l->state == LIFETIME_UNKNOWN ? l->reason : NULL;
}

/* A third, so that two keepalives in a row may be lost. */
uint64_t lifetime_keepalive_us(unsigned at_least_s, unsigned below_s)
{
	uint64_t interval_us = at_least_s * SECOND_US / 3, half_us = below_s * SECOND_US / 2;
	uint64_t min_us = below_s ? KEEPALIVE_MIN_US : KEEPALIVE_USUAL_US;

	if (interval_us < min_us)
		interval_us = min_us;
	if (interval_us > KEEPALIVE_MAX_US)
		interval_us = KEEPALIVE_MAX_US;
	return below_s && half_us < interval_us ? half_us : interval_us;
}
