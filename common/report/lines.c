// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "report/document_private.h"
#include "report/lines.h"

void lines_begin(struct lines *l, FILE *out)
{
	*l = (struct lines){.out = out};
}

/* Takes the object over; a line that could not be made or written is remembered. */
static void write_object(struct lines *l, json_t *object, bool failed)
{
	if (failed || report_write_line(object, l->out) || fputc('\n', l->out) == EOF ||
		fflush(l->out))
		l->failed = true;
	json_decref(object);
}

static const char *event_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_SENT:
		return "sent";
	case EVENT_RECEIVED:
		return "received";
	case EVENT_ICMP:
		return "icmp";
	case EVENT_SETTLED:
		return "settled";
	case EVENT_NOTE:
		break;
	}
	return "note";
}

static void add_packet(struct maker *m, json_t *line, const struct event *e)
{
	make_set(m, line, "from", make_endpoint(m, &e->from));
	make_set(m, line, "to", make_endpoint(m, &e->to));
	make_set(m, line, "size_bytes", json_integer((json_int_t)e->bytes));
}

static void add_icmp(struct maker *m, json_t *line, const struct observation *o)
{
	make_set(m, line, "offender", make_address(&o->icmp.offender));
	make_set(m, line, "type", o->icmp.local ? json_null() : json_integer(o->icmp.type));
	make_set(m, line, "code", o->icmp.local ? json_null() : json_integer(o->icmp.code));
}

static void add_outcome(struct maker *m, json_t *line, const struct observation *o)
{
	make_set(m, line, "state", json_string(observation_state_name(o->state)));
	make_set(m, line, "to", make_endpoint(m, &o->to));
	make_set(m, line, "sent", json_integer(o->sent));
	make_set(m, line, "awaited", json_integer(o->awaited));
	make_set(m, line, "received", json_integer(o->answers));
	make_set(m, line, "mapped", o->answers ? make_endpoint(m, &o->answer.mapped) : json_null());
}

json_t *lines_new(struct lines *l, struct maker *m, const char *event, uint64_t since_start_us)
{
	json_t *line = json_object();

	make_set(m, line, "event", json_string(event));
	make_set(m, line, "seq", json_integer((json_int_t)l->sequence++));
	make_set(m, line, "t_ms", make_ms(since_start_us));
	return line;
}

void lines_put(struct lines *l, struct maker *m, json_t *line)
{
	write_object(l, line, m->failed);
}

void lines_event(void *context, const struct journal *j, const struct event *e)
{
	bool belongs = e->observation < j->observation_count;
	const struct observation *o = belongs ? &j->observations[e->observation] : NULL;
	struct lines *l = context;
	struct maker m = {.failed = false};
	json_t *line = lines_new(
		l, &m, event_name(e->kind), e->t_us > j->start_us ? e->t_us - j->start_us : 0);

	make_set(&m, line, "n", o ? json_integer((json_int_t)e->observation) : json_null());
	make_set(&m, line, "question", o ? json_string(question_name(o->question)) : json_null());
	if (e->kind == EVENT_NOTE)
		make_set(&m, line, "text", make_text(e->note));
	else if (e->kind != EVENT_SETTLED)
		add_packet(&m, line, e);
	if (e->kind == EVENT_ICMP && o)
		add_icmp(&m, line, o);
	if (e->kind == EVENT_SETTLED && o)
		add_outcome(&m, line, o);
	write_object(l, line, m.failed);
}

int lines_end(struct lines *l, json_t *document)
{
	struct maker m = {.failed = false};
	json_t *line = json_object();

	make_set(&m, line, "event", json_string("end"));
	make_set(&m, line, "seq", json_integer((json_int_t)l->sequence++));
	make_set(&m, line, "report", json_incref(document));
	write_object(l, line, m.failed);
	if (m.failed)
		return -ENOMEM;
	return l->failed ? -EIO : 0;
}
