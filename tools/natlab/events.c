// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "report/document.h"
#include "report/make.h"
#include "report/terminal.h"
#include "tools/natlab/events.h"
#include "wire/packet.h"

static const char *const transports[] = {"udp", "tcp", "icmp"};

static uint64_t since_start(const struct events *e, uint64_t t_us)
{
	return t_us > e->start_us ? t_us - e->start_us : 0;
}

static json_t *begin(struct maker *m, struct events *e, const char *name, uint64_t t_us)
{
	json_t *line = json_object();

	make_set(m, line, "event", json_string(name));
	make_set(m, line, "seq", json_integer((json_int_t)e->sequence++));
	make_set(m, line, "t_ms", make_ms(since_start(e, t_us)));
	return line;
}

/* Takes the object over. */
static void finish(struct events *e, const struct maker *m, json_t *line)
{
	if (m->failed || report_write_line(line, e->out) || fputc('\n', e->out) == EOF ||
		fflush(e->out))
		e->failed = true;
	json_decref(line);
}

/* --- packets --- */

static const char *protocol_of(const struct packet *p)
{
	static const char *const names[] = {
		[PACKET_OTHER] = "other",
		[PACKET_UDP] = "udp",
		[PACKET_TCP] = "tcp",
		[PACKET_ECHO] = "echo",
		[PACKET_ERROR] = "icmp-error",
		[PACKET_FRAGMENT] = "fragment",
	};

	return names[p->protocol];
}

/* Hosts greet all routers and listeners (RFC 3810, RFC 4861): that is no news. */
static bool is_news(const struct world_event *event, struct packet *p)
{
	if (!event->reason || packet_decode((void *)event->bytes, event->length, p))
		return false;
	return p->family == FAMILY_IPV4 || p->destination.address[0] != 0xff;
}

static void packet_json(struct events *e, const struct world_event *event, const struct packet *p)
{
	const struct topology_node *n = topology_at(e->topology, event->node);
	struct maker m = {.failed = false};
	json_t *line = begin(&m, e, event->what == WORLD_LOST ? "lost" : "drop", event->t_us);

	make_set(&m, line, n->node.kind == WORLD_HOST ? "host" : "nat", json_string(n->node.name));
	if (event->what != WORLD_LOST)
		make_set(&m, line, "side",
			json_string(event->side == NAT_INSIDE ? "inside" : "outside"));
	make_set(&m, line, "reason", json_string(event->reason));
	make_set(&m, line, "protocol", json_string(protocol_of(p)));
	make_set(&m, line, "from", make_endpoint(&m, &p->source));
	make_set(&m, line, "to", make_endpoint(&m, &p->destination));
	make_set(&m, line, "size_bytes", json_integer((json_int_t)p->length));
	finish(e, &m, line);
}

static void packet_text(struct events *e, const struct world_event *event, const struct packet *p)
{
	const struct topology_node *n = topology_at(e->topology, event->node);
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	fprintf(e->out, "%9.3f  %s %s: %s %s > %s, %zu bytes, %s: %s\n",
		(double)since_start(e, event->t_us) / 1000,
		n->node.kind == WORLD_HOST ? "host" : "nat", n->node.name, protocol_of(p),
		endpoint_format(&p->source, from), endpoint_format(&p->destination, to), p->length,
		event->what == WORLD_LOST ? "lost" : "dropped", event->reason);
}

void events_packet(struct events *e, const struct world_event *event)
{
	struct packet p;

	if (!is_news(event, &p))
		return;
	if (e->json)
		packet_json(e, event, &p);
	else
		packet_text(e, event, &p);
}

/* --- tables --- */

static void table_json(struct events *e, int node, const struct nat_event *event)
{
	bool session = event->remote.family != FAMILY_NONE;
	struct maker m = {.failed = false};
	json_t *line = begin(&m, e, session ? "session" : "mapping", event->t_us);

	make_set(&m, line, "nat", json_string(topology_at(e->topology, node)->node.name));
	make_set(&m, line, "change", json_string(event->created ? "created" : "removed"));
	make_set(&m, line, "transport", json_string(transports[event->transport]));
	make_set(&m, line, "inside", make_endpoint(&m, &event->inside));
	make_set(&m, line, "external", make_endpoint(&m, &event->external));
	make_set(&m, line, "remote", make_endpoint(&m, &event->remote));
	finish(e, &m, line);
}

static void table_text(struct events *e, int node, const struct nat_event *event)
{
	char inside[ENDPOINT_TEXT] = "the NAT itself", external[ENDPOINT_TEXT],
	     remote[ENDPOINT_TEXT];
	bool session = event->remote.family != FAMILY_NONE;

	if (event->inside.family != FAMILY_NONE)
		endpoint_format(&event->inside, inside);
	fprintf(e->out, "%9.3f  nat %s: %s %s %s, %s is %s%s%s\n",
		(double)since_start(e, event->t_us) / 1000,
		topology_at(e->topology, node)->node.name, transports[event->transport],
		session ? "session" : "mapping", event->created ? "created" : "removed", inside,
		endpoint_format(&event->external, external), session ? " for " : "",
		session ? endpoint_format(&event->remote, remote) : "");
}

void events_table(struct events *e, int node, const struct nat_event *event)
{
	if (e->json)
		table_json(e, node, event);
	else
		table_text(e, node, event);
}

/* --- commands --- */

static json_t *begin_command(struct maker *m, struct events *e, const char *name, size_t command)
{
	json_t *line = begin(m, e, name, clock_now_us());

	make_set(m, line, "command", json_integer((json_int_t)command));
	make_set(m, line, "host", json_string(e->params->commands[command].host));
	return line;
}

void events_started(struct events *e, size_t command)
{
	struct maker m = {.failed = false};

	if (e->json)
		finish(e, &m, begin_command(&m, e, "started", command));
}

void events_line(struct events *e, size_t command, int stream, const char *text)
{
	struct maker m = {.failed = false};
	json_t *line = begin_command(&m, e, "output", command);
	char *valid = terminal_valid_utf8(text);

	make_set(&m, line, "stream", json_string(stream == 1 ? "stdout" : "stderr"));
	make_set(&m, line, "line", valid ? json_string(valid) : NULL);
	free(valid);
	finish(e, &m, line);
}

void events_ended(struct events *e, size_t command, int status)
{
	struct maker m = {.failed = false};
	json_t *line;

	if (!e->json)
		return;
	line = begin_command(&m, e, "ended", command);
	make_set(&m, line, "status", json_integer(status));
	finish(e, &m, line);
}

void events_end(struct events *e, json_t *document)
{
	struct maker m = {.failed = false};
	json_t *line = begin(&m, e, "end", clock_now_us());

	make_set(&m, line, "report", json_incref(document));
	finish(e, &m, line);
}
