// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/natprobe/progress.h"

bool progress_begin(struct progress *p, const struct natprobe_params *params)
{
	memset(p, 0, sizeof(*p));
	return isatty(STDERR_FILENO) && !params->brief && !params->json && !params->json_lines &&
		!params->verbose;
}

void progress_show(void *context, const struct journal *j, uint64_t now_us)
{
	struct progress *p = context;
	size_t settled = 0;

	for (size_t i = 0; i < j->observation_count; i++)
		settled += j->observations[i].state != OBSERVATION_OPEN;
	fprintf(stderr, "\r%.1f s: %zu servers, %zu of %zu questions settled\033[K",
		(double)(now_us - j->start_us) / 1e6, j->server_count, settled,
		j->observation_count);
	p->line_shown = true;
}

void progress_packet(void *context, const struct journal *j, const struct event *e)
{
	static const char *const words[] = {[EVENT_SENT] = "sent",
		[EVENT_RECEIVED] = "received",
		[EVENT_ICMP] = "ICMP",
		[EVENT_SETTLED] = "settled",
		[EVENT_NOTE] = "note"};
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];
	const struct observation *o =
		e->observation == JOURNAL_NONE ? NULL : &j->observations[e->observation];

	(void)context;
	fprintf(stderr, "%9.3f ms %-8s %-17s ", (double)(e->t_us - j->start_us) / 1000,
		words[e->kind], o ? question_name(o->question) : "-");
	if (e->kind == EVENT_NOTE)
		fprintf(stderr, "%s\n", e->note);
	else if (e->kind == EVENT_SETTLED)
		fprintf(stderr, "%s\n", o ? observation_state_name(o->state) : "");
	else
		fprintf(stderr, "%s > %s %zu bytes\n", endpoint_format(&e->from, from),
			endpoint_format(&e->to, to), e->bytes);
}

void progress_end(struct progress *p)
{
	if (p->line_shown)
		fprintf(stderr, "\r\033[K");
	p->line_shown = false;
}
