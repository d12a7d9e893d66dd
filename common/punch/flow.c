// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/flow.h"

#define CLOSE_FIRST_US 50000 /* between two last words; then twice as long each time */
#define RETRY_US       1000000 /* of a keepalive that is not answered, at least */
#define SILENT_US \
	8000000 /* without an answer the way is not what it was, at least: eight of them */
#define PINGS_MAX	 64 /* that are remembered */
#define PING_BYTES	 8

#define CHALLENGES	 3 /* after each packet that asks for one */
#define CHALLENGE_MIN_US 200000 /* between two of them */
#define STRANGE_MAX	 8 /* packets to unproved endpoints at once … */
#define STRANGE_ANSWERS	 4 /* … of which answers may be the first: the proof comes first */
#define STRANGE_EVERY_US 10000000 /* … and one more */
#define BEHIND_US	 10000000 /* until the peer has given up a route, too */

struct route {
	unsigned socket;
	struct endpoint remote;
};

/* A keepalive whose answer has yet to come. */
struct ping {
	uint8_t payload[PING_BYTES];
	uint64_t sent_us; /* 0: answered */
	struct route to;
	bool challenge;
};

/* Where the peer's newest packet came from, other than the peer is thought to be. */
struct candidate {
	struct route route;
	bool is_newest; /* still */
	unsigned challenges; /* to come */
	uint64_t next_us;
};

struct flow {
	struct flow_config config;
	struct channel channel;
	struct flow_statistics statistics;
	struct route route;
	struct route behind; /* given up, but the peer may not know yet */
	uint64_t behind_until_us;
	struct candidate candidate;
	uint64_t strange_us; /* when all packets to unproved endpoints will be made up for */
	unsigned unanswered; /* keepalives to the peer, since its last answer */
	uint64_t asked_us; /* when the first of them went out */
	uint64_t answered_us, next_us; /* … and when the next one does */
	uint64_t ping_us, ping_interval_us; /* when the next one of flow_ping is due */
	unsigned ping_count, closing;
	uint64_t close_us,
		close_wait_us; /* when the next last word is due, and how long after it one more */
	struct ping pings[PINGS_MAX]; /* the latest ones, in turn */
	unsigned next_ping;
	bool reply_due;
	struct route reply_to;
	size_t reply_length;
	uint8_t reply[CHANNEL_PAYLOAD_MAX], payload[CHANNEL_PAYLOAD_MAX];
};

static uint64_t with_jitter(struct flow *f, uint64_t us)
{
	return us - us / 4 + random_below(&f->config.random, (uint32_t)(us / 4) + 1);
}

/* What goes to the peer arrives. */
static void take_answer(struct flow *f, uint64_t now_us)
{
	f->unanswered = 0;
	f->answered_us = now_us;
	f->next_us = now_us + with_jitter(f, f->config.keepalive_us);
}

int flow_create(const struct flow_config *config, uint64_t now_us, struct flow **out)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->config = *config;
	f->route = (struct route){config->socket, config->remote};
	f->answered_us = now_us;
	f->next_us = now_us + with_jitter(f, config->keepalive_us);
	channel_init(&f->channel, config->keys);
	f->config.keys = NULL;
	*out = f;
	return 0;
}

void flow_destroy(struct flow *f)
{
	if (!f)
		return;
	channel_wipe(&f->channel);
	free(f);
}

static bool is_same(const struct route *a, const struct route *b)
{
	return a->socket == b->socket && endpoint_equal(&a->remote, &b->remote);
}

static int seal(struct flow *f, const struct route *to, enum channel_type type, const void *data,
	size_t length, struct flow_output *out)
{
	int n = channel_seal(&f->channel, type, data, length, out->data, sizeof(out->data));

	if (n < 0)
		return n;
	out->action = FLOW_SEND;
	out->socket = to->socket;
	out->to = to->remote;
	out->length = (size_t)n;
	return 0;
}

static int seal_for_peer(struct flow *f, enum channel_type type, const void *data, size_t length,
	struct flow_output *out)
{
	return seal(f, &f->route, type, data, length, out);
}

int flow_send(struct flow *f, const void *data, size_t length, struct flow_output *out)
{
	return seal_for_peer(f, CHANNEL_DATA, data, length, out);
}

int flow_forward(
	struct flow *f, uint16_t id, const void *data, size_t length, struct flow_output *out)
{
	uint8_t bytes[CHANNEL_PAYLOAD_MAX];
	struct writer w = writer_over(bytes, sizeof(bytes));

	writer_u16(&w, id);
	writer_bytes(&w, data, length);
	if (w.failed)
		return -EMSGSIZE;
	return seal_for_peer(f, CHANNEL_FORWARDED, bytes, w.position, out);
}

void flow_ping(struct flow *f, uint64_t now_us, unsigned count, uint64_t interval_us)
{
	f->ping_count = count;
	f->ping_us = now_us;
	f->ping_interval_us = interval_us;
}

void flow_set_keepalive(struct flow *f, uint64_t keepalive_us)
{
	f->config.keepalive_us = keepalive_us;
	if (!f->unanswered)
		f->next_us = f->answered_us + with_jitter(f, keepalive_us);
}

void flow_rebind(struct flow *f, uint64_t now_us, unsigned socket, const struct endpoint *remote)
{
	f->behind = f->route;
	f->route = (struct route){socket, *remote};
	f->behind_until_us = now_us + BEHIND_US;
	f->candidate = (struct candidate){.is_newest = false};
	take_answer(f, now_us);
}

void flow_close(struct flow *f, uint64_t now_us, unsigned times)
{
	f->closing = times;
	f->close_wait_us = CLOSE_FIRST_US;
	f->close_us = now_us;
	f->ping_count = 0;
}

/* --- output --- */

/* Its payload cannot be guessed: an answer proves that it has arrived, and tells when it was sent. */
static bool send_keepalive(struct flow *f, uint64_t now_us, const struct route *to, bool challenge,
	struct flow_output *out)
{
	struct ping *p = &f->pings[f->next_ping++ % PINGS_MAX];

	random_bytes(&f->config.random, p->payload, sizeof(p->payload));
	p->sent_us = now_us;
	p->to = *to;
	p->challenge = challenge;
	return !seal(f, to, CHANNEL_KEEPALIVE, p->payload, sizeof(p->payload), out);
}

/* Until it is answered it is repeated soon. */
static uint64_t patience_us(const struct flow *f, uint64_t least_us, unsigned round_trips)
{
	uint64_t us = round_trips * f->statistics.rtt_us;

	return us > least_us ? us : least_us;
}

static bool send_ping(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	f->statistics.pings++;
	if (!f->unanswered++)
		f->asked_us = now_us;
	f->next_us = now_us + patience_us(f, RETRY_US, 2);
	return send_keepalive(f, now_us, &f->route, false, out);
}

/* When one packet more may go to an unproved endpoint, with so many before it at once. */
static uint64_t strange_at(const struct flow *f, unsigned before)
{
	uint64_t us = (uint64_t)before * STRANGE_EVERY_US;

	return f->strange_us > us ? f->strange_us - us : 0;
}

static void spend_strange(struct flow *f, uint64_t now_us)
{
	f->strange_us = (f->strange_us > now_us ? f->strange_us : now_us) + STRANGE_EVERY_US;
}

static bool poll_challenge(
	struct flow *f, uint64_t now_us, struct flow_output *out, uint64_t *deadline_us)
{
	uint64_t at_us = strange_at(f, STRANGE_MAX - 1), interval_us = 2 * f->statistics.rtt_us;
	struct candidate *c = &f->candidate;

	if (!c->is_newest || !c->challenges)
		return false;
	if (at_us < c->next_us)
		at_us = c->next_us;
	if (at_us > now_us) {
		*deadline_us = at_us < *deadline_us ? at_us : *deadline_us;
		return false;
	}
	c->challenges--;
	c->next_us = now_us + (interval_us > CHALLENGE_MIN_US ? interval_us : CHALLENGE_MIN_US);
	spend_strange(f, now_us);
	return send_keepalive(f, now_us, &c->route, true, out);
}

static bool poll_reply(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	bool strange = !is_same(&f->reply_to, &f->route);

	if (!f->reply_due)
		return false;
	f->reply_due = false;
	if (strange && strange_at(f, STRANGE_ANSWERS - 1) > now_us)
		return false;
	if (strange)
		spend_strange(f, now_us);
	return !seal(f, &f->reply_to, CHANNEL_KEEPALIVE_REPLY, f->reply, f->reply_length, out);
}

static bool poll_close(
	struct flow *f, uint64_t now_us, struct flow_output *out, uint64_t *deadline_us)
{
	if (!f->closing)
		return false;
	if (f->close_us > now_us) {
		*deadline_us = f->close_us;
		return false;
	}
	f->closing--;
	f->close_us = now_us + f->close_wait_us;
	f->close_wait_us *= 2;
	return !seal_for_peer(f, CHANNEL_CLOSE, NULL, 0, out);
}

static bool poll_pings(
	struct flow *f, uint64_t now_us, struct flow_output *out, uint64_t *deadline_us)
{
	if (f->ping_count && f->ping_us <= now_us) {
		f->ping_count--;
		f->ping_us = now_us + f->ping_interval_us;
		return send_ping(f, now_us, out);
	}
	if (f->ping_count && f->ping_us < *deadline_us)
		*deadline_us = f->ping_us;
	if (!f->config.keepalive_us)
		return false;
	if (f->next_us <= now_us)
		return send_ping(f, now_us, out);
	if (f->next_us < *deadline_us)
		*deadline_us = f->next_us;
	return false;
}

enum flow_action flow_poll(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	uint64_t deadline_us = UINT64_MAX;

	memset(out, 0, sizeof(*out));
	if (poll_reply(f, now_us, out) || poll_close(f, now_us, out, &deadline_us) ||
		poll_challenge(f, now_us, out, &deadline_us) ||
		poll_pings(f, now_us, out, &deadline_us))
		return FLOW_SEND;
	out->action = FLOW_WAIT;
	out->deadline_us = deadline_us;
	return FLOW_WAIT;
}

/* --- input --- */

/* The newest authentic packet says where the peer may be now: its mapping may have changed. */
static void follow(struct flow *f, uint64_t now_us, const struct route *from)
{
	struct candidate *c = &f->candidate;

	if (is_same(from, &f->route)) {
		c->is_newest = false;
		return;
	}
	if (now_us < f->behind_until_us && is_same(from, &f->behind))
		return;
	if (!is_same(from, &c->route))
		*c = (struct candidate){.route = *from, .next_us = now_us};
	c->is_newest = true;
	c->challenges = CHALLENGES;
}

/* It is the peer that is there, so the packet has not gone to a stranger. */
static void take_proof(struct flow *f, const struct route *from)
{
	f->strange_us -= f->strange_us > STRANGE_EVERY_US ? STRANGE_EVERY_US : f->strange_us;
	if (!f->candidate.is_newest || !is_same(from, &f->candidate.route))
		return;
	f->route = *from;
	f->candidate = (struct candidate){.is_newest = false};
	f->statistics.moves++;
}

static struct ping *find_ping(struct flow *f, const uint8_t *data, size_t length)
{
	for (unsigned i = 0; i < PINGS_MAX && length == PING_BYTES; i++)
		if (f->pings[i].sent_us && !memcmp(f->pings[i].payload, data, PING_BYTES))
			return &f->pings[i];
	return NULL;
}

static void take_pong(struct flow *f, uint64_t now_us, const struct route *from,
	const uint8_t *data, size_t length)
{
	struct flow_statistics *s = &f->statistics;
	struct ping *p = find_ping(f, data, length);
	uint64_t rtt_us;

	if (!p || (p->challenge && !is_same(from, &p->to)))
		return;
	rtt_us = now_us - p->sent_us;
	p->sent_us = 0; /* one answer counts once, however often the peer gives it */
	s->pongs += !p->challenge;
	if (is_same(&p->to, &f->route) || p->challenge)
		take_answer(f, now_us);
	if (!s->rtt_us)
		s->rtt_us = rtt_us;
	s->rtt_us = s->rtt_us - s->rtt_us / 8 + rtt_us / 8; /* RFC 6298 2.3 */
	if (!s->rtt_min_us || rtt_us < s->rtt_min_us)
		s->rtt_min_us = rtt_us;
	if (p->challenge)
		take_proof(f, from);
}

/* Answered where it came from (RFC 9000 8.2.2), if that may be the peer. */
static void take_keepalive(struct flow *f, const struct route *from, size_t length)
{
	if (!is_same(from, &f->route) && !is_same(from, &f->candidate.route))
		return;
	memcpy(f->reply, f->payload, length);
	f->reply_length = length;
	f->reply_to = *from;
	f->reply_due = true;
}

static enum flow_event take_forwarded(struct flow *f, size_t length, struct flow_payload *out)
{
	struct reader r = reader_over(f->payload, length);

	out->id = reader_u16(&r);
	if (r.failed)
		return FLOW_NOTHING;
	out->data = f->payload + 2;
	out->length = length - 2;
	return FLOW_FORWARDED;
}

enum flow_event flow_input(struct flow *f, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t size, struct flow_payload *out)
{
	const struct route route = {socket, *from};
	uint64_t newest = f->channel.newest;
	enum channel_type type;
	int n = channel_open(&f->channel, data, size, &type, f->payload, sizeof(f->payload));

	if (n < 0)
		return n == -EALREADY ? FLOW_NOTHING : FLOW_STRANGE;
	f->statistics.heard_us = now_us;
	if (f->channel.newest != newest) /* else an older one that was late */
		follow(f, now_us, &route);
	*out = (struct flow_payload){.data = f->payload, .length = (size_t)n};
	switch (type) {
	case CHANNEL_DATA:
		return FLOW_DATA;
	case CHANNEL_FORWARDED:
		return take_forwarded(f, (size_t)n, out);
	case CHANNEL_KEEPALIVE:
		take_keepalive(f, &route, (size_t)n);
		return FLOW_NOTHING;
	case CHANNEL_KEEPALIVE_REPLY:
		take_pong(f, now_us, &route, f->payload, (size_t)n);
		return FLOW_NOTHING;
	case CHANNEL_CLOSE:
		return FLOW_CLOSED;
	}
	return FLOW_NOTHING;
}

uint64_t flow_silent_at(const struct flow *f)
{
	return f->unanswered ? f->asked_us + patience_us(f, SILENT_US, 16) : UINT64_MAX;
}

struct flow_statistics flow_statistics(const struct flow *f)
{
	struct flow_statistics s = f->statistics;

	s.channel = channel_statistics(&f->channel);
	return s;
}

struct endpoint flow_remote(const struct flow *f)
{
	return f->route.remote;
}

unsigned flow_socket(const struct flow *f)
{
	return f->route.socket;
}
