// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/document_private.h"
#include "report/document_reading.h"

#define FLOWS_TOLD 500

static json_t *make_file(struct maker *m, const struct reading_file *f)
{
	json_t *o = json_object();

	make_set(m, o, "name", make_text(f->name));
	make_set(m, o, "packets", json_integer((json_int_t)f->packets));
	make_set(m, o, "without_ip", json_integer((json_int_t)f->other));
	make_set(m, o, "malformed", json_integer((json_int_t)f->malformed));
	make_set(m, o, "passed_over", json_integer((json_int_t)f->passed_over));
	make_set(m, o, "cut_off", json_boolean(f->cut_off));
	make_set(m, o, "problem", make_text(f->problem));
	make_set(m, o, "span_ms",
		f->end_us >= f->begin_us && f->begin_us ? make_ms(f->end_us - f->begin_us)
							: json_null());
	return o;
}

static json_t *make_hosts(struct maker *m, const struct reading *r)
{
	json_t *array = json_array();

	for (size_t i = 0; r && i < r->host_count; i++)
		make_append(m, array, make_address(&r->hosts[i]));
	return array;
}

static json_t *make_states(struct maker *m, const struct reading *r)
{
	json_t *o = json_object();

	for (int i = 0; i < FLOW_STATES; i++)
		make_set(m, o, flow_state_name((enum flow_state)i),
			json_integer(r ? (json_int_t)r->states[i] : 0));
	return o;
}

/* --- flows --- */

static const char *protocol_name(const struct talk *t)
{
	switch (t->protocol) {
	case PACKET_UDP:
		return "udp";
	case PACKET_TCP:
		return "tcp";
	case PACKET_ECHO:
		return t->ends[0].family == FAMILY_IPV6 ? "icmpv6" : "icmp";
	default:
		return "other";
	}
}

static json_t *make_way(struct maker *m, const struct talk_way *w)
{
	json_t *o = json_object();

	make_set(m, o, "packets", json_integer(w->packets));
	make_set(m, o, "first", make_number_or_null(w->first));
	make_set(m, o, "last", make_number_or_null(w->last));
	make_set(m, o, "resets", json_integer(w->resets));
	make_set(m, o, "wrong_checksums", json_integer(w->wrong_checksums));
	make_set(m, o, "largest_bytes", json_integer(w->largest));
	return o;
}

static json_t *make_talk_error(struct maker *m, const struct talk_error *e)
{
	json_t *o = json_object();

	make_set(m, o, "from", make_address(&e->offender));
	make_set(m, o, "type", json_integer(e->type));
	make_set(m, o, "code", json_integer(e->code));
	make_set(m, o, "mtu", make_number_or_null(e->mtu));
	make_set(m, o, "count", json_integer(e->count));
	make_set(m, o, "first", json_integer(e->first));
	return o;
}

static json_t *make_flow(
	struct maker *m, const struct captured_list *l, const struct reading_flow *f)
{
	const struct talk *t = &l->talks[f->talk];
	const struct talk_way *sent = &t->from[f->local];
	json_t *o = json_object(), *errors = json_array();

	for (size_t i = 0; i < sent->error_count; i++)
		make_append(m, errors, make_talk_error(m, &sent->errors[i]));
	make_set(m, o, "protocol", json_string(protocol_name(t)));
	make_set(m, o, "local", make_endpoint(m, &t->ends[f->local]));
	make_set(m, o, "remote", make_endpoint(m, &t->ends[!f->local]));
	make_set(m, o, "state", json_string(flow_state_name(f->state)));
	make_set(m, o, "stun", json_boolean(f->stun));
	make_set(m, o, "heard_first", json_boolean(f->heard_first));
	make_set(m, o, "sent", make_way(m, sent));
	make_set(m, o, "received", make_way(m, &t->from[!f->local]));
	make_set(m, o, "icmp_errors", errors);
	return o;
}

/* What failed, and what is of STUN, comes first: those are what is looked for. */
static bool is_of_interest(const struct reading_flow *f)
{
	return f->stun || f->state != FLOW_WORKS;
}

static json_t *make_flows(struct maker *m, const struct reading_facts *facts)
{
	const struct reading *r = facts->reading;
	json_t *array = json_array();

	for (int of_interest = 1; r && of_interest >= 0; of_interest--)
		for (size_t i = 0; i < r->flow_count && json_array_size(array) < FLOWS_TOLD; i++)
			if (is_of_interest(&r->flows[i]) == of_interest)
				make_append(m, array, make_flow(m, facts->list, &r->flows[i]));
	return array;
}

/* --- mappings --- */

static json_t *make_mapping(struct maker *m, const struct reading_mapping *x)
{
	json_t *o = json_object(), *seen = json_array();

	for (size_t i = 0; i < x->count; i++) {
		json_t *s = json_object();

		make_set(m, s, "server", make_endpoint(m, &x->seen[i].server));
		make_set(m, s, "mapped", make_endpoint(m, &x->seen[i].mapped));
		make_set(m, s, "packet", json_integer(x->seen[i].packet));
		make_append(m, seen, s);
	}
	make_set(m, o, "local", make_endpoint(m, &x->local));
	make_set(m, o, "nat", json_boolean(x->nat));
	make_set(m, o, "mapping", json_string(dependence_name(x->mapping)));
	make_set(m, o, "let_in_others", x->changed ? json_true() : json_null());
	make_set(m, o, "seen", seen);
	return o;
}

static json_t *make_mappings(struct maker *m, const struct reading *r)
{
	json_t *array = json_array();

	for (size_t i = 0; r && i < r->mapping_count; i++)
		make_append(m, array, make_mapping(m, &r->mappings[i]));
	return array;
}

json_t *reading_document(const struct report_run *run, const struct reading_facts *f)
{
	const struct reading *r = f->reading;
	const struct report_capture capture = {.state = CAPTURE_FILE,
		.list = f->list,
		.start_us = f->file->begin_us,
		.all = f->all,
		.causes = r ? &r->causes : NULL};
	struct maker m = {.failed = false};
	json_t *root = json_object();

	make_head(&m, root, READING_FORMAT, READING_FORMAT_VERSION, run);
	make_set(&m, root, "file", make_file(&m, f->file));
	make_set(&m, root, "hosts", make_hosts(&m, r));
	make_set(&m, root, "hosts_guessed", json_boolean(r && r->guessed));
	make_set(&m, root, "flow_states", make_states(&m, r));
	make_set(&m, root, "flows", make_flows(&m, f));
	make_set(&m, root, "mappings", make_mappings(&m, r));
	make_capture(&m, root, &capture);
	make_set(&m, root, "errors", make_errors(&m, run));
	if (m.failed) {
		json_decref(root);
		return NULL;
	}
	return root;
}
