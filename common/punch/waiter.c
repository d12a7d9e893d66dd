// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/waiter_private.h"

bool waiter_poll(struct waiter *w, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	waiter_heed_time(w, now_us);
	if (waiter_poll_sockets(w, now_us, out))
		return true;
	if (w->resting)
		return false;
	if (waiter_poll_answers(w, now_us, out, deadline_us) || waiter_poll_openings(w, out) ||
		waiter_poll_flows(w, now_us, out, deadline_us))
		return true;
	if (!w->answers && waiter_change_us(w, now_us) < *deadline_us)
		*deadline_us = waiter_change_us(w, now_us);
	return false;
}

void waiter_unsent(struct waiter *w, int error)
{
	w->counts.unsent++;
	w->counts.error = error;
}

void waiter_rest(struct waiter *w, unsigned keep)
{
	w->resting = true;
	w->answers = false;
	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		if (i != keep)
			waiter_drop(&w->spots[i]);
		else
			w->spots[i].kept = true;
}

void waiter_resume(struct waiter *w, uint64_t now_us, bool forget)
{
	w->resting = w->answers = false;
	w->answers_left = WAITER_ANSWERS;
	w->renews = true;
	w->has_visit &= !forget;
	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		w->spots[i].kept &= !forget;
	w->place_count = 0; /* all that is missing is opened anew */
	waiter_heed_time(w, now_us);
}

const struct waiter_visit *waiter_visit(const struct waiter *w)
{
	return &w->visit;
}

const struct waiter_counts *waiter_counts(const struct waiter *w)
{
	return &w->counts;
}

int waiter_create(const struct waiter_config *config, uint64_t now_us, struct waiter **out)
{
	struct waiter *w;

	if (config->from_count > HELLO_CANDIDATES)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->config = *config;
	if (w->config.further > WAITER_FURTHER)
		w->config.further = WAITER_FURTHER;
	w->start_us = now_us;
	waiter_heed_time(w, now_us);
	*out = w;
	return 0;
}

void waiter_destroy(struct waiter *w)
{
	if (!w)
		return;
	knock_key_wipe(&w->config.key);
	free(w);
}
