// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/punch/stdio.h"

#define BLOCK_MAX  4096
#define PATIENT_MS 50 /* for a reader that has had no time yet */

struct stdio {
	struct stdio_config config;
	struct event *event;
};

static void on_input(evutil_socket_t fd, short what, void *context)
{
	struct stdio *s = context;
	uint8_t data[BLOCK_MAX];
	size_t size = s->config.block_bytes < BLOCK_MAX ? s->config.block_bytes : BLOCK_MAX;
	ssize_t n = read(fd, data, size);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		s->config.input(s->config.context, data, (size_t)n);
		return;
	}
	event_del(s->event);
	s->config.ended(s->config.context, n < 0 ? -errno : 0);
}

int stdio_create(const struct stdio_config *config, struct stdio **out)
{
	struct stdio *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->event = event_new(config->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, s);
	/* a file is always readable, and epoll does not know of files: the base must use poll */
	if (!s->event || event_add(s->event, NULL)) {
		stdio_destroy(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void stdio_destroy(struct stdio *s)
{
	if (!s)
		return;
	if (s->event)
		event_free(s->event);
	free(s);
}

/* poll(2) calls a pipe writable when a whole block has room: none is cut, and write(2) does not wait. */
int stdio_write(const uint8_t *data, size_t length, bool *stuck)
{
	struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
	ssize_t n;

	*stuck = poll(&wait, 1, *stuck ? 0 : PATIENT_MS) <= 0;
	if (*stuck)
		return 0;
	do
		n = write(STDOUT_FILENO, data, length);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno != EAGAIN ? -errno : 0;
}
