// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/document_private.h"

/* What was asked and what came of it: servers and single questions. */

static json_t *make_observed(struct maker *m, const struct answer *a)
{
	const struct stun_observed *s = &a->observed;
	json_t *o;

	if (!a->has_observed)
		return json_null();
	o = json_object();
	make_set(m, o, "ttl", json_integer(s->ttl));
	make_set(m, o, "tos", json_integer(s->tos));
	make_set(m, o, "size_bytes", json_integer(s->bytes));
	make_set(m, o, "fragment_bytes", make_number_or_null(s->fragment_bytes));
	return o;
}

static void add_options(struct maker *m, json_t *o, const struct syn_options *s)
{
	make_set(m, o, "mss", s->has & SYN_MSS ? json_integer(s->mss) : json_null());
	make_set(m, o, "options", make_syn_options(m, s->has));
	make_set(m, o, "window_scale", s->has & SYN_SCALE ? json_integer(s->scale) : json_null());
}

static json_t *make_arrived(struct maker *m, const struct syn *s)
{
	json_t *o = json_object();

	make_set(m, o, "ttl", json_integer(s->ttl));
	make_set(m, o, "tos", json_integer(s->tos));
	add_options(m, o, &s->options);
	make_set(m, o, "window_bytes", json_integer(s->window));
	make_set(m, o, "sequence", json_integer(s->sequence));
	make_set(m, o, "options_bytes", json_integer(s->options_bytes));
	return o;
}

static json_t *make_answered(struct maker *m, const struct syn_options *s)
{
	json_t *o = json_object();

	add_options(m, o, s);
	return o;
}

/* What the server says of the connection's SYN, and of its own. */
static json_t *make_syn(struct maker *m, const struct answer *a)
{
	const struct stun_syn *s = &a->syn;
	json_t *o;

	if (!a->has_syn)
		return json_null();
	o = json_object();
	make_set(m, o, "arrived",
		s->parts & STUN_SYN_ARRIVED ? make_arrived(m, &s->arrived) : json_null());
	make_set(m, o, "answered",
		s->parts & STUN_SYN_ANSWERED ? make_answered(m, &s->answered) : json_null());
	return o;
}

/* What this host's system says of them. */
static json_t *make_handshake(struct maker *m, const struct handshake *h)
{
	const uint8_t all = SYN_TIMESTAMPS | SYN_SACK | SYN_SCALE | SYN_MSS;
	bool scale = h->agreed & SYN_SCALE;
	json_t *o;

	if (!h->told && !h->quoted)
		return json_null();
	o = json_object();
	make_set(m, o, "ttl", make_number_or_null(h->ttl));
	make_set(m, o, "mss", make_number_or_null(h->sent.mss));
	make_set(m, o, "options", h->known == all ? make_syn_options(m, h->sent.has) : json_null());
	make_set(m, o, "window_scale", scale ? json_integer(h->sent.scale) : json_null());
	make_set(m, o, "agreed", make_syn_options(m, h->agreed));
	make_set(m, o, "peer_window_scale", scale ? json_integer(h->peer_scale) : json_null());
	make_set(m, o, "segment_bytes", make_number_or_null(h->segment_bytes));
	make_set(m, o, "path_mtu_bytes", make_number_or_null(h->path_mtu));
	make_set(m, o, "peer_window_bytes", make_number_or_null(h->window));
	make_set(m, o, "sequence", h->quoted ? json_integer(h->sequence) : json_null());
	return o;
}

static json_t *make_answer(struct maker *m, const struct journal *j, const struct observation *x)
{
	const struct answer *a = &x->answer;
	json_t *o;

	if (!x->answers)
		return json_null();
	o = json_object();
	make_set(m, o, "t_ms", make_moment(j, a->t_us));
	make_set(m, o, "from", make_endpoint(m, &a->from));
	make_set(m, o, "mapped", make_endpoint(m, &a->mapped));
	make_set(m, o, "mapped_plain", make_endpoint(m, &a->mapped_plain));
	make_set(m, o, "origin", make_endpoint(m, &a->origin));
	make_set(m, o, "other_address", make_endpoint(m, &a->other));
	make_set(m, o, "software", make_text(a->software));
	make_set(m, o, "ttl", make_number_or_null(a->ttl));
	make_set(m, o, "observed", make_observed(m, a));
	make_set(m, o, "syn", make_syn(m, a));
	return o;
}

static json_t *make_icmp(struct maker *m, const struct icmp_seen *icmp)
{
	json_t *o;

	if (!icmp->count)
		return json_null();
	o = json_object();
	make_set(m, o, "type", icmp->local ? json_null() : json_integer(icmp->type));
	make_set(m, o, "code", icmp->local ? json_null() : json_integer(icmp->code));
	make_set(m, o, "from", make_address(&icmp->offender));
	make_set(m, o, "count", json_integer(icmp->count));
	make_set(m, o, "local", json_boolean(icmp->local));
	return o;
}

static json_t *make_reported(struct maker *m, const struct observation *x)
{
	json_t *array = json_array();

	for (size_t i = 0; i < x->reported_count && i < STUN_ICMP_MAX; i++) {
		const struct stun_icmp *icmp = &x->reported[i];
		json_t *o = json_object();

		make_set(m, o, "type", json_integer(icmp->type));
		make_set(m, o, "code", json_integer(icmp->code));
		make_set(m, o, "from", make_address(&icmp->offender));
		make_set(m, o, "count", json_integer(icmp->count));
		make_set(m, o, "quoted_from", make_endpoint(m, &icmp->quoted_from));
		make_append(m, array, o);
	}
	return array;
}

static json_t *make_wrong_source(struct maker *m, const struct observation *x)
{
	json_t *o;

	if (!x->wrong_source)
		return json_null();
	o = json_object();
	make_set(m, o, "count", json_integer(x->wrong_source));
	make_set(m, o, "from", make_endpoint(m, &x->wrong_from));
	return o;
}

static json_t *make_connection(struct maker *m, const struct connection_seen *c)
{
	json_t *o;

	if (c->outcome == CONNECTION_NONE)
		return json_null();
	o = json_object();
	make_set(m, o, "outcome", json_string(connection_outcome_name(c->outcome)));
	make_set(m, o, "errno", make_number_or_null(c->error));
	make_set(m, o, "took_ms", make_ms(c->took_us));
	make_set(m, o, "segments", make_number_or_null((int)c->segments));
	make_set(m, o, "ttl", make_number_or_null(c->ttl));
	return o;
}

/* With a repeated request nobody knows which of them was answered. */
static json_t *make_rtt(const struct observation *x)
{
	if (x->own.outcome == CONNECTION_MADE)
		return make_ms(x->own.took_us);
	if (x->transport == TRANSPORT_TCP || !x->answers || x->sent != 1 ||
		x->answer.t_us < x->first_sent_us)
		return json_null();
	return make_ms(x->answer.t_us - x->first_sent_us);
}

/* Of questions about ICMP; null: it is none. */
static json_t *make_detail(struct maker *m, const struct observation *x)
{
	const struct icmp_detail *d = &x->detail;
	json_t *o;

	if (d->flow == ICMP_FLOW_NONE)
		return json_null();
	o = json_object();
	make_set(m, o, "flow", json_string(icmp_flow_name(d->flow)));
	make_set(m, o, "type", json_integer(d->type));
	make_set(m, o, "code", json_integer(d->code));
	make_set(m, o, "origin", json_string(d->other ? "other" : "own"));
	make_set(m, o, "quoted_protocol", make_number_or_null(d->quoted_protocol));
	make_set(m, o, "mtu", make_number_or_null(d->mtu));
	make_set(m, o, "path_mtu_before", make_number_or_null(d->mtu_before));
	make_set(m, o, "path_mtu_after", make_number_or_null(d->mtu_after));
	make_set(m, o, "quotes", json_integer(d->quotes));
	make_set(m, o, "wrong_quotes", json_integer(d->wrong_quotes));
	make_set(m, o, "errors_before", json_integer(d->errors));
	make_set(m, o, "late_ms", make_number_or_null((int)d->late_ms));
	make_set(m, o, "recorded", json_integer(d->recorded));
	make_set(m, o, "recorded_from", make_endpoint(m, &d->recorded_from));
	make_set(m, o, "recorded_to", make_endpoint(m, &d->recorded_to));
	make_set(m, o, "recorded_quoted", make_endpoint(m, &d->recorded_quoted));
	return o;
}

static const struct endpoint *mapped_of(const struct observation *x)
{
	return x->answers ? &x->answer.mapped : &x->receipt_mapped;
}

json_t *make_evidence(struct maker *m, const struct journal *j, size_t n)
{
	const struct observation *x = &j->observations[n];
	bool has_server = x->server < j->server_count;
	json_t *o = json_object();

	make_set(m, o, "n", json_integer((json_int_t)n));
	make_set(m, o, "t_ms", make_moment(j, x->first_sent_us));
	make_set(m, o, "question", json_string(question_name(x->question)));
	make_set(m, o, "transport", json_string(transport_name(x->transport)));
	make_set(m, o, "state", json_string(observation_state_name(x->state)));
	make_set(m, o, "server", has_server ? make_text(j->servers[x->server].name) : json_null());
	make_set(m, o, "server_n", has_server ? json_integer((json_int_t)x->server) : json_null());
	make_set(m, o, "local", make_endpoint(m, &x->local));
	make_set(m, o, "to", make_endpoint(m, &x->to));
	make_set(m, o, "from", make_endpoint(m, &x->expect));
	make_set(m, o, "sent", json_integer(x->sent));
	make_set(m, o, "awaited", json_integer(x->awaited));
	make_set(m, o, "received", json_integer(x->answers));
	make_set(m, o, "receipts", json_integer(x->receipts));
	make_set(m, o, "rtt_ms", make_rtt(x));
	make_set(m, o, "mapped", make_endpoint(m, mapped_of(x)));
	make_set(m, o, "answer", make_answer(m, j, x));
	make_set(m, o, "wrong_source", make_wrong_source(m, x));
	make_set(m, o, "malformed", json_integer(x->malformed));
	make_set(m, o, "error_code", make_number_or_null(x->error_code));
	make_set(m, o, "icmp", make_icmp(m, &x->icmp));
	make_set(m, o, "icmp_at_server", make_reported(m, x));
	make_set(m, o, "connection", make_connection(m, &x->own));
	make_set(m, o, "call", make_connection(m, &x->call));
	make_set(m, o, "handshake", make_handshake(m, &x->handshake));
	make_set(m, o, "icmp_detail", make_detail(m, x));
	make_set(m, o, "trace", make_trace(m, j, x));
	return o;
}

/* --- servers --- */

static uint8_t extensions(const struct journal *j, const struct server_verdict *s)
{
	const struct answer *a;

	if (!s->ours || s->answer_at >= j->observation_count)
		return 0;
	a = &j->observations[s->answer_at].answer;
	return a->has_observed ? a->observed.can : 0;
}

static bool serves_icmp(const struct journal *j, size_t server)
{
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].server == server &&
			j->observations[i].question == QUESTION_ICMP_SERVICE)
			return j->observations[i].state == OBSERVATION_ANSWERED;
	return false;
}

static json_t *make_features(struct maker *m, const struct journal *j,
	const struct server_verdict *s, enum transport transport, size_t server)
{
	uint8_t can = extensions(j, s);
	json_t *array = json_array();

	if (s->has_other)
		make_append(m, array, json_string("other-address"));
	if (s->changes)
		make_append(m, array,
			json_string(transport == TRANSPORT_TCP ? "call-back" : "change-request"));
	if (can & STUN_WANT_RECEIPT)
		make_append(m, array, json_string("receipt"));
	if (can & STUN_WANT_OBSERVED)
		make_append(m, array, json_string("observed"));
	if (can & STUN_WANT_ICMP)
		make_append(m, array, json_string("icmp-report"));
	if (s->answer_at < j->observation_count && j->observations[s->answer_at].answer.has_syn)
		make_append(m, array, json_string("syn-report"));
	if (serves_icmp(j, server))
		make_append(m, array, json_string("icmp-service"));
	return array;
}

static json_t *make_defects(struct maker *m, const struct server_verdict *s)
{
	json_t *array = json_array();

	for (int d = 0; d < DEFECT_COUNT; d++)
		if (s->defects[d])
			make_append(m, array, json_string(server_defect_name(d)));
	return array;
}

static json_t *make_counts_for(struct maker *m, const struct server_verdict *s)
{
	json_t *array = json_array();

	if (s->counts)
		make_append(m, array, json_string("mapping"));
	if (s->filters)
		make_append(m, array, json_string("filtering"));
	return array;
}

json_t *make_server(struct maker *m, const struct journal *j, const struct verdict *v, size_t n)
{
	const struct journal_server *server = &j->servers[n];
	const struct server_verdict *s = &v->servers[n];
	json_t *o = json_object();

	make_set(m, o, "name", make_text(server->name));
	make_set(m, o, "endpoint", make_endpoint(m, &server->endpoint));
	make_set(m, o, "transport", json_string(transport_name(server->transport)));
	make_set(m, o, "status", json_string(server_status_name(s->status)));
	make_set(m, o, "rtt_ms", s->rtt_us ? make_ms(s->rtt_us) : json_null());
	make_set(m, o, "software", make_text(s->software));
	make_set(m, o, "other_address", make_endpoint(m, &s->other));
	make_set(m, o, "features", make_features(m, j, s, server->transport, n));
	make_set(m, o, "counts_for", make_counts_for(m, s));
	make_set(m, o, "defects", make_defects(m, s));
	make_set(m, o, "problem", make_text(*s->problem ? s->problem : server->problem));
	return o;
}
