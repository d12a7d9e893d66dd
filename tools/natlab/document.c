// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/make.h"
#include "tools/natlab/document.h"

#define FORMAT_VERSION 1

static json_t *addresses(struct maker *m, const struct endpoint *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		make_append(m, array, make_address(&list[i]));
	return array;
}

static json_t *inside(struct maker *m, const struct topology_node *n)
{
	json_t *array = json_array();

	for (int i = 0; i < 2; i++) {
		const struct world_prefix *p = &n->node.inside[i];
		char text[ENDPOINT_TEXT];

		if (p->address.family == FAMILY_NONE)
			continue;
		make_append(m, array,
			json_sprintf("%s/%u", endpoint_format_address(&p->address, text), p->bits));
	}
	return array;
}

static json_t *node(struct maker *m, const struct topology *t, int number)
{
	const struct topology_node *n = topology_at(t, number);
	bool host = n->node.kind == WORLD_HOST;
	json_t *value = json_object();

	make_set(m, value, "type", json_string(host ? "host" : "nat"));
	make_set(m, value, "name", json_string(n->node.name));
	make_set(m, value, "behind",
		n->node.up ? json_string(topology_at(t, n->node.up)->node.name) : json_null());
	make_set(m, value, "kind", make_text(n->kind));
	make_set(m, value, "addresses",
		host ? addresses(m, n->node.addresses, n->node.address_count)
		     : addresses(m, n->node.nat.external, n->node.nat.external_count));
	make_set(m, value, "inside", host ? json_null() : inside(m, n));
	return value;
}

static json_t *nodes(struct maker *m, const struct topology *t)
{
	json_t *array = json_array();

	for (int i = 1; t && i <= topology_count(t); i++)
		make_append(m, array, node(m, t, i));
	return array;
}

static json_t *commands(struct maker *m, const struct document_facts *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->params->command_count; i++) {
		const struct natlab_command *c = &f->params->commands[i];
		int status = f->result ? f->result->statuses[i] : COMMANDS_UNSTARTED;
		json_t *value = json_object();

		make_set(m, value, "host", make_text(c->host));
		make_set(m, value, "command",
			make_text(c->shell	  ? c->shell
					: c->argv ? c->argv[0]
						  : NULL));
		make_set(m, value, "daemon", json_boolean(c->daemon));
		make_set(m, value, "status",
			status == COMMANDS_UNSTARTED ? json_null() : json_integer(status));
		make_append(m, array, value);
	}
	return array;
}

static json_t *nat_traffic(struct maker *m, const char *name, const struct nat *nat)
{
	json_t *value = json_object(), *packets = json_object();

	for (int r = 0; r < NAT_REASONS; r++) {
		uint64_t count = nat_reason_count(nat, (enum nat_reason)r);

		if (count)
			make_set(m, packets, nat_reason_name((enum nat_reason)r),
				json_integer((json_int_t)count));
	}
	make_set(m, value, "name", json_string(name));
	make_set(m, value, "mappings", json_integer((json_int_t)nat_mapping_count(nat)));
	make_set(m, value, "sessions", json_integer((json_int_t)nat_session_count(nat)));
	make_set(m, value, "packets", packets);
	return value;
}

json_t *document_traffic(const struct topology *t, struct world *w)
{
	struct maker m = {.failed = false};
	json_t *value = json_object(), *nats = json_array(), *lost = json_object();

	for (int i = 1; i <= topology_count(t); i++)
		if (world_nat(w, i))
			make_append(&m, nats,
				nat_traffic(&m, topology_at(t, i)->node.name, world_nat(w, i)));
	for (int r = 0; r < WORLD_LOST_REASONS; r++)
		make_set(&m, lost, world_lost_name((enum world_lost)r),
			json_integer((json_int_t)world_lost_count(w, (enum world_lost)r)));
	make_set(&m, value, "nats", nats);
	make_set(&m, value, "lost", lost);
	if (m.failed) {
		json_decref(value);
		return NULL;
	}
	return value;
}

static json_t *errors(struct maker *m, const struct document_facts *f)
{
	json_t *array = json_array(), *value;

	if (!f->error)
		return array;
	value = json_object();
	make_set(m, value, "code", make_text(f->error_code));
	make_set(m, value, "message", make_text(f->error));
	make_append(m, array, value);
	return array;
}

static json_t *traffic_part(const struct document_facts *f, const char *key)
{
	json_t *part = f->traffic ? json_object_get(f->traffic, key) : NULL;

	return part ? json_incref(part) : json_null();
}

json_t *document_make(const struct document_facts *f)
{
	struct maker m = {.failed = false};
	json_t *d = json_object();

	make_set(&m, d, "format", json_string("natlab-report"));
	make_set(&m, d, "format_version", json_integer(FORMAT_VERSION));
	make_set(&m, d, "tool", json_string("natlab"));
	make_set(&m, d, "version", json_string(PACKAGE_VERSION));
	make_set(&m, d, "time", json_string(f->time));
	make_set(&m, d, "duration_ms", make_ms(f->duration_us));
	make_set(&m, d, "complete", json_boolean(f->complete));
	make_set(&m, d, "seed", json_integer((json_int_t)f->params->seed));
	make_set(&m, d, "nodes", nodes(&m, f->topology));
	make_set(&m, d, "commands", commands(&m, f));
	make_set(&m, d, "nats", traffic_part(f, "nats"));
	make_set(&m, d, "lost", traffic_part(f, "lost"));
	make_set(&m, d, "errors", errors(&m, f));
	if (m.failed) {
		json_decref(d);
		return NULL;
	}
	return d;
}
