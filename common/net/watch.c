// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "net/udp.h"
#include "net/watch.h"

void watch_begin(const struct watch *w, struct event_base *base)
{
	if (w->begin)
		w->begin(w->context, base);
}

void watch_end(const struct watch *w)
{
	if (w->end)
		w->end(w->context);
}

void watch_opened(const struct watch *w, int protocol, const struct endpoint *local)
{
	if (w->opened && local->port)
		w->opened(w->context, protocol, local);
}

void watch_socket(const struct watch *w, int protocol, int fd)
{
	struct endpoint local;

	if (w->opened && fd >= 0 && !udp_local(fd, &local))
		watch_opened(w, protocol, &local);
}

void watch_raised(const struct watch *w, const struct endpoint *to)
{
	if (w->raised)
		w->raised(w->context, to);
}
