// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/capture_stream.h"
#include "wire/frame.h"

#define CHUNK_BYTES (256u << 10)

struct stream {
	int fd;
	capture_stream_handler *handler;
	void *context;
	struct capture_stream_summary *summary;
	struct capture_file file;
	uint8_t *buffer;
	size_t size, begin, end; /* what is read and not yet consumed is in between */
};

static int fail(struct stream *s, int err, const char *what)
{
	snprintf(s->summary->error, sizeof(s->summary->error), "%s: %s", what, strerror(-err));
	return err;
}

/* Why a packet is not handed over. */
static void count_refused(
	struct capture_stream_summary *summary, const struct capture_file_packet *p, int why)
{
	if (why == -EAFNOSUPPORT)
		summary->other++;
	else if (why == -EBADMSG)
		summary->malformed++;
	else if (!summary->unknown_link++)
		summary->link_type = p->interface->link_type;
}

static int take_packet(struct stream *s, const struct capture_file_packet *p)
{
	struct frame frame;
	int err = frame_decode(p->interface->link_type, p->bytes, &frame);
	struct capture_stream_packet packet;

	if (err) {
		count_refused(s->summary, p, err);
		return 0;
	}
	s->summary->ip++;
	packet = (struct capture_stream_packet){.number = p->number,
		.t_us = p->t_us,
		.interface = p->interface->number,
		.name = p->interface->name,
		.index = frame.interface,
		.direction = p->direction ? p->direction : frame.direction,
		.packet = frame.packet,
		.length = frame.length,
		.cut_off = frame.cut_off,
		.comment = p->comment};
	return s->handler(s->context, &packet);
}

/* All that is in the buffer. 0: more is needed. */
static int take_packets(struct stream *s)
{
	struct capture_file_packet p;
	int result = 1, err = 0;

	while (!err && result > 0) {
		struct span here = {s->buffer + s->begin, s->end - s->begin};
		size_t consumed;

		result = capture_file_next(&s->file, here, &consumed, &p);
		s->begin += consumed;
		if (result > 0)
			err = take_packet(s, &p);
	}
	if (result < 0)
		memcpy(s->summary->error, s->file.error, sizeof(s->file.error));
	return result < 0 ? result : err;
}

/* Room for what is wanted, at most CAPTURE_FILE_BLOCK_MAX, behind what is left. */
static int make_room(struct stream *s)
{
	size_t size = s->size;
	uint8_t *larger;

	while (size < s->file.wanted)
		size *= 2;
	if (s->begin)
		memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
	s->end -= s->begin;
	s->begin = 0;
	if (size == s->size)
		return 0;
	larger = realloc(s->buffer, size);
	if (!larger)
		return -ENOMEM;
	s->buffer = larger;
	s->size = size;
	return 0;
}

/* As much as there is at once, so that a pipe's packets do not wait for each other. 1: something; 0: the end. */
static int read_more(struct stream *s)
{
	int err = make_room(s);
	ssize_t n;

	if (err)
		return fail(s, err, "a large packet");
	do
		n = read(s->fd, s->buffer + s->end, s->size - s->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(s, -errno, "reading");
	s->end += (size_t)n;
	return n > 0;
}

static int at_end(struct stream *s)
{
	int err = capture_file_end(&s->file, s->end - s->begin);

	memcpy(s->summary->error, s->file.error, sizeof(s->file.error));
	s->summary->cut_off = err == -ENODATA;
	return s->summary->cut_off ? 0 : err;
}

static int read_all(struct stream *s)
{
	int err;

	while ((err = read_more(s)) > 0) {
		err = take_packets(s);
		if (err)
			return err;
	}
	return err ? err : at_end(s);
}

int capture_stream_read(int fd, capture_stream_handler *handler, void *context,
	struct capture_stream_summary *summary)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	*summary = (struct capture_stream_summary){0};
	if (s)
		s->buffer = malloc(CHUNK_BYTES);
	if (s && s->buffer) {
		s->fd = fd;
		s->size = CHUNK_BYTES;
		s->handler = handler;
		s->context = context;
		s->summary = summary;
		capture_file_init(&s->file);
		err = read_all(s);
		summary->passed_over = s->file.passed_over;
		free(s->buffer);
	}
	free(s);
	return err;
}
