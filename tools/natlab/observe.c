// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "report/document.h"
#include "tools/natlab/observe.h"

#define TICK_US	     200000
#define ROWS_DEFAULT 24

static bool has_events(const struct natlab_params *p)
{
	return p->json_lines || p->verbose;
}

static void on_ready(void *context, struct world *world)
{
	struct observe *o = context;

	o->world = world;
}

static void on_packet(void *context, const struct world_event *event)
{
	struct observe *o = context;

	if (o->capture)
		capture_event(o->capture, event);
	if (has_events(o->params))
		events_packet(&o->events, event);
}

static void on_table(void *context, int node, const struct nat_event *event)
{
	events_table(&((struct observe *)context)->events, node, event);
}

static void on_started(void *context, size_t command)
{
	events_started(&((struct observe *)context)->events, command);
}

static void on_ended(void *context, size_t command, int status)
{
	events_ended(&((struct observe *)context)->events, command, status);
}

/* "alice | text", each host in a colour of its own. */
static void print_line(
	struct observe *o, size_t command, int stream, const char *text, size_t length)
{
	static const int colors[] = {36, 33, 35, 32, 34, 31};
	const char *host = o->params->commands[command].host;
	/* on stdout is the document, and nothing else */
	FILE *out = stream == 1 && !o->params->json ? stdout : stderr;

	if (!o->params->quiet && o->colored)
		fprintf(out, "\033[%dm%-*s |\033[0m ", colors[command % 6], o->name_width, host);
	else if (!o->params->quiet)
		fprintf(out, "%-*s | ", o->name_width, host);
	if (fwrite(text, 1, length, out) != length || fputc('\n', out) == EOF || fflush(out))
		o->failed = true;
}

/* As a string: a NUL in it would hide the rest, so that it becomes a byte that is as invalid. */
static char *text_of(const char *line, size_t length)
{
	char *text = malloc(length + 1);

	for (size_t i = 0; text && i < length; i++)
		text[i] = (char)(line[i] ? line[i] : 0xff);
	if (text)
		text[length] = '\0';
	return text;
}

static void on_line(void *context, size_t command, int stream, const char *line, size_t length)
{
	struct observe *o = context;
	char *text;

	if (!o->params->json_lines && !o->params->watch) {
		print_line(o, command, stream, line, length);
		return;
	}
	text = text_of(line, length);
	if (!text)
		o->failed = true;
	else if (o->params->json_lines)
		events_line(&o->events, command, stream, text);
	else
		screen_line(&o->screen, o->params->commands[command].host, text);
	free(text);
}

static struct screen_size size_of(const struct observe *o)
{
	struct winsize window = {.ws_row = 0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) || !window.ws_row)
		window.ws_row = ROWS_DEFAULT;
	return (struct screen_size){terminal_width(STDOUT_FILENO), window.ws_row, o->colored};
}

static void on_tick(void *context)
{
	struct observe *o = context;

	screen_draw(&o->screen, o->topology, o->world, clock_now_us(), size_of(o), stdout);
}

static void on_over(void *context, struct world *world)
{
	struct observe *o = context;

	o->traffic = document_traffic(o->topology, world);
	if (o->params->watch)
		on_tick(o);
}

static int width_of_names(const struct natlab_params *p)
{
	int width = 0;

	for (size_t i = 0; i < p->command_count; i++)
		if ((int)strlen(p->commands[i].host) > width)
			width = (int)strlen(p->commands[i].host);
	return width;
}

int observe_begin(struct observe *o, const struct natlab_params *p, const struct topology *t,
	uint64_t start_us, struct run_observer *out, char *error, size_t size)
{
	bool events = has_events(p);
	int err;

	*o = (struct observe){.params = p,
		.topology = t,
		.events = {.out = p->json_lines ? stdout : stderr,
			.json = p->json_lines,
			.topology = t,
			.params = p,
			.start_us = start_us},
		.colored = terminal_color(p->color, STDOUT_FILENO),
		.name_width = width_of_names(p)};
	*out = (struct run_observer){.context = o,
		.ready = on_ready,
		.over = on_over,
		.packet = events || p->pcap ? on_packet : NULL,
		.table = events ? on_table : NULL,
		.started = events ? on_started : NULL,
		.ended = events ? on_ended : NULL,
		.line = on_line,
		.tick = p->watch ? on_tick : NULL,
		.tick_us = TICK_US};
	err = p->pcap ? capture_create(p->pcap, t, &o->capture) : 0;
	if (err)
		snprintf(error, size, "%s: %s", p->pcap, strerror(-err));
	return err;
}

int observe_end(struct observe *o, char *error, size_t size)
{
	int err = o->capture ? capture_close(o->capture) : 0;

	o->capture = NULL;
	if (err)
		snprintf(error, size, "%s: %s", o->params->pcap, strerror(-err));
	else if (o->failed || o->events.failed) {
		snprintf(error, size, "cannot write the output");
		err = -EIO;
	}
	return err;
}

int observe_document(
	struct observe *o, const struct natlab_params *p, const struct document_facts *facts)
{
	json_t *document;
	int err = 0;

	if (!p->json && !p->json_lines)
		return 0;
	document = document_make(facts);
	if (!document)
		return -ENOMEM;
	if (p->json) {
		err = report_write(document, stdout);
	} else {
		if (!o->events.out)
			o->events = (struct events){.out = stdout, .json = true, .params = p};
		events_end(&o->events, document);
		err = o->events.failed ? -EIO : 0;
	}
	json_decref(document);
	return err;
}
