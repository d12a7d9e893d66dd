// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "punch/line.h"
#include "tools/punch/paste.h"

#define TEXT_MAX (2 * LINE_TEXT_MAX) /* with what mails and terminals put in between */

struct paste {
	struct paste_config config;
	struct event *event;
	char text[TEXT_MAX];
	size_t length;
	bool blank; /* nothing in the present row yet */
};

static void end(struct paste *p, int error)
{
	event_del(p->event);
	p->config.ended(p->config.context, error);
}

/* An empty row begins anew. */
static bool is_taken(struct paste *p)
{
	int err = p->blank ? -EBADMSG : 0;

	p->text[p->length] = '\0';
	if (!err)
		err = p->config.take(p->config.context, p->text);
	p->blank = true;
	if (err && (err != -EILSEQ || p->length == TEXT_MAX - 1))
		p->length = 0;
	return !err;
}

static void on_input(evutil_socket_t fd, short what, void *context)
{
	struct paste *p = context;
	char c;
	ssize_t n = read(fd, &c, 1);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* the last row may have no end */
		end(p, n == 0 && !p->blank && is_taken(p) ? 0 : n < 0 ? -errno : -ENODATA);
		return;
	}
	if (c != '\n' && p->length < TEXT_MAX - 1) {
		p->text[p->length++] = c ? c : ' ';
		p->blank &= c == ' ' || c == '\r' || c == '\t';
	} else if (is_taken(p)) {
		end(p, 0);
	}
}

int paste_create(const struct paste_config *config, struct paste **out)
{
	struct paste *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->blank = true;
	p->event = event_new(config->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, p);
	if (!p->event || event_add(p->event, NULL)) {
		paste_destroy(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void paste_destroy(struct paste *p)
{
	if (!p)
		return;
	if (p->event)
		event_free(p->event);
	free(p);
}
