// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/flow.h"

#define CLOSE_TIMES    3
#define CLOSE_EVERY_US 50000
#define SILENT_TIMES   3 /* keepalives without an answer */
#define SILENT_MIN_US  3000000
#define PINGS_MAX      64 /* whose moment of sending is remembered */

struct flow {
	struct flow_config config;
	struct channel channel;
	struct flow_statistics statistics;
	uint64_t created_us, sent_us;
	uint64_t ping_us, ping_interval_us; /* when the next one of flow_ping is due */
	unsigned ping_count, closing;
	bool closed; /* nothing more is sent of its own accord but the last word */
	uint64_t close_us;
	uint64_t ping_sent_us[PINGS_MAX]; /* by number; 0: answered */
	bool reply_due;
	size_t reply_length;
	uint8_t reply[CHANNEL_PAYLOAD_MAX], payload[CHANNEL_PAYLOAD_MAX];
};

int flow_create(const struct flow_config *config, uint64_t now_us, struct flow **out)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->config = *config;
	f->created_us = f->sent_us = now_us;
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

static int seal(struct flow *f, uint64_t now_us, enum channel_type type, const void *data,
	size_t length, struct flow_output *out)
{
	int n = channel_seal(&f->channel, type, data, length, out->data, sizeof(out->data));

	if (n < 0)
		return n;
	out->action = FLOW_SEND;
	out->socket = f->config.socket;
	out->to = f->config.remote;
	out->length = (size_t)n;
	f->sent_us = now_us;
	return 0;
}

int flow_send(
	struct flow *f, uint64_t now_us, const void *data, size_t length, struct flow_output *out)
{
	return seal(f, now_us, CHANNEL_DATA, data, length, out);
}

int flow_forward(struct flow *f, uint64_t now_us, uint16_t id, const void *data, size_t length,
	struct flow_output *out)
{
	uint8_t bytes[CHANNEL_PAYLOAD_MAX];
	struct writer w = writer_over(bytes, sizeof(bytes));

	writer_u16(&w, id);
	writer_bytes(&w, data, length);
	if (w.failed)
		return -EMSGSIZE;
	return seal(f, now_us, CHANNEL_FORWARDED, bytes, w.position, out);
}

void flow_ping(struct flow *f, uint64_t now_us, unsigned count, uint64_t interval_us)
{
	f->ping_count = count;
	f->ping_us = now_us;
	f->ping_interval_us = interval_us;
}

void flow_close(struct flow *f, uint64_t now_us)
{
	f->closed = true;
	f->closing = CLOSE_TIMES;
	f->close_us = now_us;
	f->ping_count = 0;
}

/* --- output --- */

/* Its payload is its number, so that the answer tells when it was sent. */
static bool send_ping(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	uint32_t number = f->statistics.pings++;
	uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number};

	f->ping_sent_us[number % PINGS_MAX] = now_us;
	return !seal(f, now_us, CHANNEL_KEEPALIVE, bytes, sizeof(bytes), out);
}

static bool poll_reply(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	if (!f->reply_due)
		return false;
	f->reply_due = false;
	return !seal(f, now_us, CHANNEL_KEEPALIVE_REPLY, f->reply, f->reply_length, out);
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
	f->close_us = now_us + CLOSE_EVERY_US;
	return !seal(f, now_us, CHANNEL_CLOSE, NULL, 0, out);
}

static uint64_t with_jitter(struct flow *f, uint64_t us)
{
	return us - us / 4 + random_below(&f->config.random, (uint32_t)(us / 4) + 1);
}

static bool poll_pings(
	struct flow *f, uint64_t now_us, struct flow_output *out, uint64_t *deadline_us)
{
	uint64_t idle_us = f->sent_us + f->config.keepalive_us;

	if (f->ping_count && f->ping_us <= now_us) {
		f->ping_count--;
		f->ping_us = now_us + f->ping_interval_us;
		return send_ping(f, now_us, out);
	}
	if (f->ping_count && f->ping_us < *deadline_us)
		*deadline_us = f->ping_us;
	if (f->config.keepalive_us && idle_us <= now_us) {
		send_ping(f, now_us, out);
		f->sent_us =
			now_us - f->config.keepalive_us + with_jitter(f, f->config.keepalive_us);
		return out->length > 0;
	}
	if (f->config.keepalive_us && idle_us < *deadline_us)
		*deadline_us = idle_us;
	return false;
}

enum flow_action flow_poll(struct flow *f, uint64_t now_us, struct flow_output *out)
{
	uint64_t deadline_us = UINT64_MAX;

	memset(out, 0, sizeof(*out));
	if (poll_reply(f, now_us, out) || poll_close(f, now_us, out, &deadline_us) ||
		(!f->closed && poll_pings(f, now_us, out, &deadline_us)))
		return FLOW_SEND;
	out->action = FLOW_WAIT;
	out->deadline_us = deadline_us;
	return FLOW_WAIT;
}

/* --- input --- */

static void take_pong(struct flow *f, uint64_t now_us, const uint8_t *data, size_t length)
{
	struct reader r = reader_over(data, length);
	struct flow_statistics *s = &f->statistics;
	uint32_t number = reader_u32(&r);
	uint64_t rtt_us, *sent_us = &f->ping_sent_us[number % PINGS_MAX];

	if (r.failed || number >= s->pings || s->pings - number > PINGS_MAX || !*sent_us)
		return;
	rtt_us = now_us - *sent_us;
	*sent_us = 0; /* one answer counts once, however often the peer gives it */
	s->pongs++;
	if (!s->rtt_us)
		s->rtt_us = rtt_us;
	s->rtt_us = s->rtt_us - s->rtt_us / 8 + rtt_us / 8; /* RFC 6298 2.3 */
	if (!s->rtt_min_us || rtt_us < s->rtt_min_us)
		s->rtt_min_us = rtt_us;
}

/* The newest authentic packet says where the peer is now: its mapping may have changed. */
static void follow(struct flow *f, unsigned socket, const struct endpoint *from, uint64_t newest)
{
	if (f->channel.newest == newest)
		return; /* an older one that was late */
	if (socket == f->config.socket && endpoint_equal(from, &f->config.remote))
		return;
	f->config.socket = socket;
	f->config.remote = *from;
	f->statistics.moves++;
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
	uint64_t newest = f->channel.newest;
	enum channel_type type;
	int n = channel_open(&f->channel, data, size, &type, f->payload, sizeof(f->payload));

	if (n < 0)
		return n == -EALREADY ? FLOW_NOTHING : FLOW_STRANGE;
	f->statistics.heard_us = now_us;
	follow(f, socket, from, newest);
	*out = (struct flow_payload){.data = f->payload, .length = (size_t)n};
	switch (type) {
	case CHANNEL_DATA:
		return FLOW_DATA;
	case CHANNEL_FORWARDED:
		return take_forwarded(f, (size_t)n, out);
	case CHANNEL_KEEPALIVE:
		memcpy(f->reply, f->payload, (size_t)n);
		f->reply_length = (size_t)n;
		f->reply_due = true;
		return FLOW_NOTHING;
	case CHANNEL_KEEPALIVE_REPLY:
		take_pong(f, now_us, f->payload, (size_t)n);
		return FLOW_NOTHING;
	case CHANNEL_CLOSE:
		return FLOW_CLOSED;
	}
	return FLOW_NOTHING;
}

bool flow_is_silent(const struct flow *f, uint64_t now_us)
{
	uint64_t since_us = f->statistics.heard_us ? f->statistics.heard_us : f->created_us;
	uint64_t limit_us = SILENT_TIMES * f->config.keepalive_us;

	return now_us - since_us > (limit_us > SILENT_MIN_US ? limit_us : SILENT_MIN_US);
}

struct flow_statistics flow_statistics(const struct flow *f)
{
	struct flow_statistics s = f->statistics;

	s.channel = channel_statistics(&f->channel);
	return s;
}

struct endpoint flow_remote(const struct flow *f)
{
	return f->config.remote;
}
