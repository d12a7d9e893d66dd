// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/document_private.h"

/* The way to a server that does not answer, as a TTL ladder has shown it. */

static json_t *make_hop(struct maker *m, const struct trace *t, unsigned ttl)
{
	const struct hop *h = &t->hops[ttl - 1];
	json_t *o = json_object();

	make_set(m, o, "ttl", json_integer(ttl));
	make_set(m, o, "address", make_address(&h->from));
	make_set(m, o, "sent", json_integer(h->sent));
	make_set(m, o, "answers", json_integer(h->answers));
	make_set(m, o, "rtt_ms", h->rtt_us ? make_ms(h->rtt_us) : json_null());
	make_set(m, o, "private",
		h->answers ? json_boolean(endpoint_is_private(&h->from)) : json_null());
	make_set(m, o, "shared",
		h->answers ? json_boolean(endpoint_is_shared(&h->from)) : json_null());
	make_set(m, o, "icmp_type", h->icmp ? json_integer(h->type) : json_null());
	make_set(m, o, "icmp_code", h->icmp ? json_integer(h->code) : json_null());
	return o;
}

static json_t *make_hops(struct maker *m, const struct trace *t)
{
	json_t *array = json_array();

	for (unsigned ttl = 1; t && ttl <= trace_length(t); ttl++)
		make_append(m, array, make_hop(m, t, ttl));
	return array;
}

/* true, false or null: as struct reach has it. */
static json_t *make_reached(const struct trace *t)
{
	unsigned end = trace_end(t);

	return end ? json_boolean(hop_is_target(t, &t->hops[end - 1])) : json_null();
}

static void add_ladder(struct maker *m, json_t *o, const struct trace *t)
{
	unsigned last = t ? trace_last_router(t) : 0;

	make_set(m, o, "hops", make_hops(m, t));
	make_set(m, o, "reached", t ? make_reached(t) : json_null());
	make_set(m, o, "last_hop", last ? make_hop(m, t, last) : json_null());
}

json_t *make_trace(struct maker *m, const struct journal *j, const struct observation *x)
{
	const struct trace *t = journal_trace(j, x);
	json_t *o;

	if (!t)
		return json_null();
	o = json_object();
	add_ladder(m, o, t);
	return o;
}

/* Of several ladders the one that shows most: over UDP rather than TCP, and over IPv4 rather than IPv6. */
static const struct reach *choose(const struct verdict *v)
{
	const struct reach *all[] = {
		&v->udp4.reach, &v->udp6.reach, &v->tcp4.reach, &v->tcp6.reach};
	const struct reach *measured = NULL;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i]->measured && (all[i]->last || all[i]->target))
			return all[i];
		if (all[i]->measured && !measured)
			measured = all[i];
	}
	return measured;
}

json_t *make_path(struct maker *m, const struct journal *j, const struct verdict *v)
{
	const struct reach *r = v ? choose(v) : NULL;
	const struct observation *x = r ? &j->observations[r->observation] : NULL;
	json_t *o = json_object();

	/* what later versions fill in: the keys are there from the start */
	make_set(m, o, "nat_layers", json_null());
	make_set(m, o, "cgnat", json_null());
	add_ladder(m, o, x ? journal_trace(j, x) : NULL);
	make_set(m, o, "towards", x ? make_endpoint(m, &x->to) : json_null());
	make_set(m, o, "transport", x ? json_string(transport_name(x->transport)) : json_null());
	make_set(m, o, "evidence", x ? json_integer((json_int_t)r->observation) : json_null());
	return o;
}
