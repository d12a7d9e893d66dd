// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tcp.h"
#include "tools/punch/tunnel.h"

#define INPUT_BYTES  (16 * SEALED_RECORD_MAX)
#define WAITING_MAX  (256u << 10) /* of output, beyond which there is room for control frames only */
#define OUTPUT_BYTES (2 * WAITING_MAX) /* … and a peer that keeps the rules makes far fewer due */
#define TURNS	     4 /* reads at once: others want to be served, too */
#define FRAME_MAX    SEALED_BYTES_MAX
#define FRAME_USE    0x40 /* a type that no mux has */
#define TIMEOUT_MS   30000 /* for the peer's kernel to acknowledge what was sent */

struct tunnel {
	struct tunnel_config config;
	struct event *readable, *writable;
	struct mux *mux;
	struct sealed sealed;
	int error;
	int out_error; /* of writing: the error as soon as nothing is left to read */
	uint8_t peer_use;
	bool heard, last_in, last_out;
	size_t have; /* bytes of input */
	size_t begin, end; /* what waits in output */
	uint8_t input[INPUT_BYTES], output[OUTPUT_BYTES];
	uint8_t plain[SEALED_BYTES_MAX], frame[FRAME_MAX];
};

/* The loop tells of it: this may have been called from anywhere. */
static void fail(struct tunnel *t, int error)
{
	if (t->error)
		return;
	t->error = error;
	event_del(t->readable);
	event_del(t->writable);
	event_active(t->readable, EV_READ, 0);
}

/* What the peer has said before is read first. */
static void fail_output(struct tunnel *t, int error)
{
	t->out_error = error;
	event_active(t->readable, EV_READ, 0);
}

static bool is_over(const struct tunnel *t)
{
	return t->error || t->out_error || t->last_out;
}

/* --- output --- */

static void flush(struct tunnel *t)
{
	while (!t->error && !t->out_error && t->begin < t->end) {
		ssize_t n = send(t->config.fd, t->output + t->begin, t->end - t->begin,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			t->begin += (size_t)n;
			if (t->begin == t->end)
				t->begin = t->end = 0;
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			event_add(t->writable, NULL);
		else
			fail_output(t, -errno);
		return;
	}
}

/* Sealing is the only copy, but where the buffer has come to its end. */
static void put_record(struct tunnel *t, const void *frame, size_t length, bool last)
{
	int n;

	if (is_over(t))
		return;
	if (sizeof(t->output) - t->end < SEALED_HEADER + SEALED_OVERHEAD + length) {
		memmove(t->output, t->output + t->begin, t->end - t->begin);
		t->end -= t->begin;
		t->begin = 0;
	}
	n = sealed_push(
		&t->sealed, frame, length, last, t->output + t->end, sizeof(t->output) - t->end);
	if (n < 0) {
		fail(t, -EBADMSG); /* a peer that asks and asks, and reads no answer */
		return;
	}
	t->end += (size_t)n;
	t->last_out = last;
}

static uint64_t put_control(struct tunnel *t, uint64_t now_us)
{
	uint64_t deadline_us = UINT64_MAX;
	size_t length;

	while (!is_over(t) &&
		mux_poll(t->mux, now_us, t->frame, sizeof(t->frame), &length, &deadline_us) > 0)
		put_record(t, t->frame, length, false);
	return deadline_us;
}

uint64_t tunnel_turn(struct tunnel *t, uint64_t now_us)
{
	uint64_t deadline_us = put_control(t, now_us);

	flush(t);
	return is_over(t) ? UINT64_MAX : deadline_us;
}

size_t tunnel_room(const struct tunnel *t, uint16_t id)
{
	size_t room;

	if (is_over(t) || t->end - t->begin >= WAITING_MAX)
		return 0;
	room = mux_room(t->mux, id);
	return room < MUX_DATA_MAX ? room : MUX_DATA_MAX;
}

int tunnel_write(struct tunnel *t, uint16_t id, const void *data, size_t length)
{
	int n;

	if (length > tunnel_room(t, id))
		return -EAGAIN;
	n = mux_data(t->mux, id, data, length, t->frame, sizeof(t->frame));
	if (n < 0)
		return n;
	put_record(t, t->frame, (size_t)n, false);
	/* with what others write before the loop comes to it */
	event_active(t->writable, EV_WRITE, 0);
	return 0;
}

void tunnel_close(struct tunnel *t)
{
	put_control(t, clock_now_us());
	put_record(t, NULL, 0, true);
	flush(t);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct tunnel *t = context;

	(void)fd;
	(void)what;
	flush(t);
	t->config.changed(t->config.context);
}

/* --- input --- */

static void take_frame(struct tunnel *t, size_t length)
{
	struct mux_payload payload;
	int event;

	t->heard = true;
	if (length >= 2 && t->plain[0] == FRAME_USE) {
		t->peer_use = t->plain[1];
		return;
	}
	event = mux_input(t->mux, clock_now_us(), t->plain, length, &payload);
	if (event < 0)
		fail(t, -EBADMSG);
	else if (event != MUX_NOTHING)
		t->config.event(t->config.context, (enum mux_event)event, &payload);
}

/* All whole records that are there. */
static void take_records(struct tunnel *t)
{
	size_t begin = 0, taken, length;

	while (!t->error && !t->last_in) {
		int event = sealed_pull(
			&t->sealed, t->input + begin, t->have - begin, &taken, t->plain, &length);

		begin += taken;
		if (event < 0)
			fail(t, -EBADMSG);
		if (event <= SEALED_MORE)
			break;
		if (event == SEALED_DATA)
			take_frame(t, length);
		t->last_in = event == SEALED_LAST;
		t->heard |= t->last_in;
	}
	memmove(t->input, t->input + begin, t->have - begin);
	t->have -= begin;
	if (t->last_in)
		event_del(t->readable);
}

/* How much may be read without taking what is behind the record that begins here. */
static size_t wanted(const struct tunnel *t)
{
	size_t need = t->sealed.receives ? 2 : SEALED_HEADER;

	if (!t->config.exact)
		return sizeof(t->input) - t->have;
	if (t->sealed.receives && t->have >= 2)
		need = 2 + ((size_t)t->input[0] << 8 | t->input[1]);
	/* a length that cannot be is found out by who opens the record */
	return need > t->have ? need - t->have : 1;
}

static bool read_once(struct tunnel *t)
{
	size_t size = wanted(t);
	ssize_t n = recv(t->config.fd, t->input + t->have, size, MSG_DONTWAIT);

	if (n > 0) {
		t->have += (size_t)n;
		take_records(t);
		/* who gets less than asked for has got all */
		return t->config.exact || (size_t)n == size;
	}
	if (n == 0)
		fail(t, -ECONNRESET); /* without a last record */
	else if (errno != EAGAIN && errno != EINTR)
		fail(t, -errno);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct tunnel *t = context;
	bool more = true;

	(void)fd;
	(void)what;
	for (int i = 0; i < TURNS && more; i++)
		more = !t->error && !t->last_in && read_once(t);
	if (t->out_error && (!more || t->last_in))
		fail(t, t->out_error);
	tunnel_turn(t, clock_now_us());
	t->config.changed(t->config.context);
}

/* --- the mux --- */

int tunnel_open(struct tunnel *t, uint16_t *id)
{
	int err = is_over(t) ? -EPIPE : mux_open(t->mux, id);

	tunnel_turn(t, clock_now_us());
	return err;
}

void tunnel_end(struct tunnel *t, uint16_t id)
{
	mux_end(t->mux, id);
	tunnel_turn(t, clock_now_us());
}

void tunnel_reset(struct tunnel *t, uint16_t id, uint8_t reason)
{
	mux_reset(t->mux, id, reason);
	tunnel_turn(t, clock_now_us());
}

void tunnel_consumed(struct tunnel *t, uint64_t now_us, uint16_t id, size_t bytes)
{
	mux_consumed(t->mux, now_us, id, bytes);
	tunnel_turn(t, now_us);
}

void tunnel_ping(struct tunnel *t, uint64_t now_us, unsigned count, uint64_t interval_us)
{
	mux_ping(t->mux, now_us, count, interval_us);
	tunnel_turn(t, now_us);
}

/* --- state --- */

bool tunnel_is_flushed(const struct tunnel *t)
{
	return t->last_out && t->begin == t->end;
}

bool tunnel_is_closed(const struct tunnel *t)
{
	return t->last_in;
}

int tunnel_error(const struct tunnel *t)
{
	return t->error;
}

uint8_t tunnel_peer_use(const struct tunnel *t)
{
	return t->peer_use;
}

bool tunnel_is_heard(const struct tunnel *t)
{
	return t->heard;
}

uint64_t tunnel_silent_at(const struct tunnel *t)
{
	if (t->error)
		return 0;
	return t->last_in ? UINT64_MAX : mux_silent_at(t->mux);
}

struct mux_statistics tunnel_statistics(const struct tunnel *t)
{
	return mux_statistics(t->mux);
}

/* --- begin and end --- */

static int create_parts(struct tunnel *t, uint64_t now_us)
{
	const struct tunnel_config *c = &t->config;
	const struct mux_config mux = {.controlling = c->controlling,
		.keepalive_us = c->keepalive_us,
		.patience_us = c->patience_us};

	t->readable = event_new(c->base, c->fd, EV_READ | EV_PERSIST, on_readable, t);
	t->writable = event_new(c->base, c->fd, EV_WRITE, on_writable, t);
	if (!t->readable || !t->writable || event_add(t->readable, NULL) ||
		mux_create(&mux, now_us, &t->mux))
		return -ENOMEM;
	sealed_init(&t->sealed, c->keys, c->salt);
	put_record(t, (const uint8_t[]){FRAME_USE, c->use}, 2, false);
	return tcp_prepare_stream(c->fd, TIMEOUT_MS);
}

int tunnel_create(const struct tunnel_config *config, uint64_t now_us, struct tunnel **out)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		close(config->fd);
		return -ENOMEM;
	}
	t->config = *config;
	err = create_parts(t, now_us);
	if (err) {
		tunnel_destroy(t);
		return err;
	}
	*out = t;
	return 0;
}

void tunnel_destroy(struct tunnel *t)
{
	if (!t)
		return;
	if (t->readable)
		event_free(t->readable);
	if (t->writable)
		event_free(t->writable);
	mux_destroy(t->mux);
	sealed_wipe(&t->sealed);
	if (t->config.fd >= 0)
		close(t->config.fd);
	free(t);
}

int tunnel_take(struct tunnel *t)
{
	int fd = t->config.fd;

	event_del(t->readable);
	event_del(t->writable);
	tcp_forget_stream(fd);
	t->config.fd = -1;
	return fd;
}
