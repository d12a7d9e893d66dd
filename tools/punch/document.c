// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "report/document_private.h"
#include "tools/punch/document.h"
#include "tools/punch/reason.h"

/* --- the way --- */

static const struct checks_result *result_of(const struct punch_facts *f)
{
	return f->view && f->view->way.connected ? &f->view->way : NULL;
}

static const char *strategy_of(const struct punch_facts *f)
{
	/* the latest one: the way may have been punched anew */
	for (unsigned i = f->trail->attempt + 1; i--;)
		if (f->trail->attempts[i].succeeded)
			return f->trail->attempts[i].strategy;
	return NULL;
}

/* Between two moments; null when either was not reached. */
static json_t *make_span(uint64_t from_us, uint64_t to_us)
{
	return from_us && to_us >= from_us ? make_ms(to_us - from_us) : json_null();
}

/* From the moment when both know each other; a peer may be quicker than that. */
static json_t *make_since(uint64_t exchanged_us, uint64_t at_us)
{
	return make_span(exchanged_us, at_us && at_us < exchanged_us ? exchanged_us : at_us);
}

static json_t *make_times(struct maker *m, const struct session_view *v)
{
	json_t *o = json_object();

	make_set(m, o, "register", make_span(v->started_us, v->registered_us));
	make_set(m, o, "exchange", make_span(v->registered_us, v->exchanged_us));
	make_set(m, o, "first_packet", make_since(v->exchanged_us, v->first_sent_us));
	make_set(m, o, "first_inbound", make_since(v->exchanged_us, v->first_heard_us));
	make_set(m, o, "confirmed", make_since(v->exchanged_us, v->proved_us));
	make_set(m, o, "total", make_span(v->started_us, v->ended_us));
	return o;
}

static void add_way(struct maker *m, json_t *root, const struct punch_facts *f)
{
	const struct checks_result *r = result_of(f);
	const struct flow_statistics *s = f->flow;

	make_set(m, root, "local", make_endpoint(m, &f->local));
	make_set(m, root, "mapped", r ? make_endpoint(m, &r->mapped) : json_null());
	make_set(m, root, "peer",
		r ? make_endpoint(m, f->peer.family != FAMILY_NONE ? &f->peer : &r->remote)
		  : json_null());
	make_set(m, root, "peer_kind", r ? json_string(check_kind_name(r->kind)) : json_null());
	make_set(m, root, "strategy", r ? make_text(strategy_of(f)) : json_null());
	make_set(m, root, "time_ms", f->view ? make_times(m, f->view) : json_null());
	make_set(m, root, "rtt_ms",
		s && s->rtt_us		 ? make_ms(s->rtt_us)
			: r && r->rtt_us ? make_ms(r->rtt_us)
					 : json_null());
	make_set(m, root, "loss",
		s && s->pings ? json_real((double)(1000 * (s->pings - s->pongs) / s->pings) / 1000)
			      : json_null());
}

/* --- what was tried --- */

static json_t *make_plans(struct maker *m, const struct session_view *v)
{
	json_t *array = json_array();

	for (size_t i = 0; v && i < v->plans.count; i++) {
		const struct plan *p = &v->plans.plan[i];
		json_t *o = json_object();

		make_set(m, o, "strategy", json_string(p->strategy));
		make_set(
			m, o, "chance", json_real((double)(long)(p->chance * 10000 + 0.5) / 10000));
		make_set(m, o, "why", make_text(p->why));
		make_set(m, o, "cost", make_text(p->cost));
		make_append(m, array, o);
	}
	return array;
}

static json_t *make_attempt(struct maker *m, const struct trail_attempt *a)
{
	json_t *o = json_object();

	make_set(m, o, "strategy", make_text(a->strategy));
	make_set(m, o, "packets_sent", json_integer(a->sent));
	make_set(m, o, "packets_received", json_integer(a->received));
	make_set(m, o, "packets_refused", json_integer(a->refused));
	make_set(m, o, "icmp_errors", json_integer(a->errors));
	make_set(m, o, "connections_opened", json_integer(a->opened));
	make_set(m, o, "connections_accepted", json_integer(a->accepted));
	make_set(m, o, "resets", json_integer(a->resets));
	make_set(m, o, "duration_ms", make_span(a->begin_us, a->end_us));
	make_set(m, o, "result", json_string(a->succeeded ? "connected" : "failed"));
	return o;
}

static json_t *make_attempts(struct maker *m, const struct trail *t)
{
	json_t *array = json_array();

	for (unsigned i = 0; t && i <= t->attempt && *t->attempts[i].strategy; i++)
		make_append(m, array, make_attempt(m, &t->attempts[i]));
	return array;
}

/* attempt 0: for a packet to the server */
static json_t *make_icmp_error(struct maker *m, const struct trail_error *e, unsigned attempt)
{
	json_t *o = json_object();

	make_set(m, o, "towards", json_string(attempt ? "peer" : "server"));
	make_set(m, o, "attempt", make_number_or_null(attempt));
	make_set(m, o, "from", make_address(&e->offender));
	make_set(m, o, "to", make_endpoint(m, &e->to));
	make_set(m, o, "type", json_integer(e->type));
	make_set(m, o, "code", json_integer(e->code));
	make_set(m, o, "count", json_integer(e->count));
	return o;
}

static json_t *make_icmp_errors(struct maker *m, const struct trail *t)
{
	json_t *array = json_array();

	for (size_t i = 0; t && i < t->server_error_count; i++)
		make_append(m, array, make_icmp_error(m, &t->server_errors[i], 0));
	for (size_t i = 0; t && i < t->error_count; i++)
		make_append(m, array, make_icmp_error(m, &t->errors[i], t->errors[i].attempt + 1));
	return array;
}

static json_t *make_steps(struct maker *m, const struct trail *t)
{
	json_t *array = json_array();

	for (size_t i = 0; t && i < t->event_count; i++) {
		const struct trail_event *e = &t->events[i];
		json_t *o;

		if (e->kind != TRAIL_STEP)
			continue;
		o = json_object();
		make_set(m, o, "t_ms", make_ms(e->t_us > t->start_us ? e->t_us - t->start_us : 0));
		make_set(m, o, "text", make_text(e->text));
		make_append(m, array, o);
	}
	return array;
}

/* --- the sides --- */

static const char *early_syn_word(enum early_syn e)
{
	if (e == EARLY_SYN_RST || e == EARLY_SYN_ICMP || e == EARLY_SYN_LATE)
		return early_name(EARLY_REJECT);
	return early_syn_name(e);
}

/* What the peer says of itself. */
static json_t *make_tcp_side(struct maker *m, const struct pair_tcp_side *s)
{
	json_t *o = json_object(), *ports = json_object();
	char text[EXPLAIN_TEXT];

	explain_tcp_side(s, text, sizeof(text));
	make_set(m, o, "status", json_string(path_status_name(s->status)));
	make_set(m, o, "summary", make_text(text));
	make_set(m, o, "nat", make_tri(s->nat));
	make_set(m, o, "mapping", json_string(dependence_name(s->mapping)));
	make_set(m, o, "filtering", json_string(dependence_name(s->filtering)));
	make_set(m, o, "early_packet", json_string(early_syn_word(s->early)));
	make_set(m, o, "simultaneous_open", make_tri(s->simultaneous));
	make_set(m, ports, "pattern", json_string(allocation_name(s->allocation)));
	make_set(m, ports, "step", make_number_or_null(s->step));
	make_set(m, ports, "low", make_number_or_null(s->low));
	make_set(m, ports, "high", make_number_or_null(s->high));
	make_set(m, o, "port_allocation", ports);
	return o;
}

static json_t *make_side(struct maker *m, const struct pair_side *s)
{
	json_t *o = json_object(), *ports = json_object();
	char text[EXPLAIN_TEXT];

	explain_side(s, text, sizeof(text));
	make_set(m, o, "status", json_string(path_status_name(s->status)));
	make_set(m, o, "summary", make_text(text));
	make_set(m, o, "nat", make_tri(s->nat));
	make_set(m, o, "mapping", json_string(dependence_name(s->mapping)));
	make_set(m, o, "filtering", json_string(dependence_name(s->filtering)));
	make_set(m, o, "early_packet", json_string(early_name(s->early)));
	make_set(m, o, "simultaneous_open", json_null());
	make_set(m, ports, "pattern", json_string(allocation_name(s->allocation)));
	make_set(m, ports, "step", make_number_or_null(s->step));
	make_set(m, ports, "low", make_number_or_null(s->low));
	make_set(m, ports, "high", make_number_or_null(s->high));
	make_set(m, o, "port_allocation", ports);
	return o;
}

/* As natprobe has it, but in the words for the peer: what natprobe expects of it does not belong here. */
static json_t *make_own_nat(
	struct maker *m, const struct session_view *v, enum family family, bool tcp)
{
	int f = family == FAMILY_IPV6;
	json_t *o = make_behaviour(m, tcp ? "TCP" : "UDP", v ? &v->own_behaviour[f] : NULL, family);
	char text[EXPLAIN_TEXT];

	if (v && v->own.has_side[f] && hello_status(&v->own, f) == PATH_OK) {
		if (tcp)
			explain_tcp_side(&v->own.tcp[f], text, sizeof(text));
		else
			explain_side(&v->own.side[f], text, sizeof(text));
		make_set(m, o, "summary", make_text(text));
	}
	return o;
}

/*
 * Of the plans; of the way where the peer was quicker than all plans; FAMILY_NONE: neither.
 */
static enum family family_of(const struct punch_facts *f)
{
	const struct checks_result *r = result_of(f);

	if (f->view && f->view->family != FAMILY_NONE)
		return f->view->family;
	return r ? r->remote.family : FAMILY_NONE;
}

/* Without a family that one which was measured. */
static bool is_ipv6(const struct session_view *v, enum family family)
{
	if (family != FAMILY_NONE)
		return family == FAMILY_IPV6;
	return v && v->own_behaviour[0].status == PATH_UNTESTED &&
		v->own_behaviour[1].status != PATH_UNTESTED;
}

static void add_sides(struct maker *m, json_t *root, const struct punch_facts *f)
{
	const struct session_view *v = f->view;
	enum family family = family_of(f);
	bool v6 = is_ipv6(v, family), peer = v && v->has_peer && v->peer.has_side[v6];

	make_set(m, root, "family", make_number_or_null(family));
	make_set(m, root, "own_nat", make_own_nat(m, v, v6 ? FAMILY_IPV6 : FAMILY_IPV4, f->tcp));
	make_set(m, root, "peer_nat",
		!peer		 ? json_null()
			: f->tcp ? make_tcp_side(m, &v->peer.tcp[v6])
				 : make_side(m, &v->peer.side[v6]));
}

/* --- all --- */

static json_t *make_list(struct maker *m, const struct explain_list *l)
{
	json_t *array = json_array();

	for (size_t i = 0; i < l->count; i++)
		make_append(m, array, make_text(l->text[i]));
	return array;
}

static json_t *make_explanation(struct maker *m, const struct explanation *e)
{
	json_t *o = json_object();

	make_set(m, o, "certain", make_list(m, &e->certain));
	make_set(m, o, "likely", make_list(m, &e->likely));
	make_set(m, o, "try_next", make_list(m, &e->try_next));
	return o;
}

unsigned punch_reason(const struct punch_facts *f, bool complete)
{
	const struct punch_end end = {f->stood, f->late, f->lost, f->differs, !complete};

	return f->view ? reason_of(f->view, &end) : SESSION_NO_FAILURE;
}

/* All null: connected, or ended before this was decided. */
static void add_reason(struct maker *m, json_t *root, const struct punch_facts *f, bool complete)
{
	unsigned reason = punch_reason(f, complete);
	bool failed = reason != SESSION_NO_FAILURE;
	struct explanation e;
	char message[EXPLAIN_TEXT + 80] = "";

	if (failed) {
		reason_explain(reason, f->view, f->server, f->trail, &e);
		reason_message(reason, f->view, &e, message, sizeof(message));
	}
	make_set(m, root, "failure", failed ? json_string(reason_name(reason)) : json_null());
	make_set(m, root, "reason", make_text(message));
	make_set(m, root, "explanation", failed ? make_explanation(m, &e) : json_null());
}

/* Whether ICMP errors that belong to nothing leave the own NAT. */
static json_t *make_egress(struct maker *m, const struct knock_egress_result *e)
{
	json_t *o;

	if (e->state != KNOCK_EGRESS_DROPPED && e->state != KNOCK_EGRESS_OUT)
		return json_null();
	o = json_object();
	make_set(m, o, "sent", json_integer(e->sent));
	make_set(m, o, "seen", json_integer(e->seen));
	make_set(m, o, "from", e->state == KNOCK_EGRESS_OUT ? make_address(&e->from) : json_null());
	return o;
}

/* Of a knock: what was done and heard without any server. */
static json_t *make_knock(struct maker *m, const struct session_view *v)
{
	const struct waiter_counts *w = v ? v->waited : NULL;
	const struct knocker_counts *k = v ? v->knocked : NULL;
	json_t *o;

	if (!v || !v->knock.on)
		return json_null();
	o = json_object();
	make_set(m, o, "role", json_string(v->knock.waits ? "wait" : "knock"));
	make_set(m, o, "target", v->knock.waits ? json_null() : make_endpoint(m, &v->knock.target));
	make_set(m, o, "met", json_boolean(v->knock.met));
	make_set(m, o, "flows", json_integer(w ? w->flows : 0));
	make_set(m, o, "datagrams_sent",
		json_integer(w	    ? w->sent - w->unsent
				: k ? k->datagrams
				    : 0));
	make_set(m, o, "errors_sent", json_integer(k ? k->errors - k->unsent : 0));
	make_set(m, o, "unsent", json_integer(w ? w->unsent : k ? k->unsent : 0));
	make_set(m, o, "egress", make_egress(m, &v->knock.egress));
	make_set(m, o, "rounds", json_integer(k ? k->rounds : 0));
	make_set(m, o, "heard", json_integer(w ? w->heard : 0));
	make_set(m, o, "usual", json_integer(w ? w->usual : 0));
	make_set(m, o, "foreign", json_integer(w ? w->foreign : k ? k->foreign : 0));
	make_set(m, o, "stale", json_integer(w ? w->stale : 0));
	make_set(m, o, "replayed", json_integer(w ? w->replayed : 0));
	make_set(m, o, "surplus", json_integer(w ? w->surplus : 0));
	return o;
}

/* ICMP errors beside a rendezvous. */
static json_t *make_signals(struct maker *m, const struct session_view *v)
{
	json_t *o;

	if (!v || !v->signals)
		return json_null();
	o = json_object();
	make_set(m, o, "sent", json_integer(v->signals_sent - v->signals_unsent));
	make_set(m, o, "unsent", json_integer(v->signals_unsent));
	make_set(m, o, "heard", json_integer(v->signals_heard));
	return o;
}

json_t *punch_document(const struct report_run *run, const struct punch_facts *f)
{
	struct maker m = {.failed = false};
	json_t *root = json_object();

	make_head(&m, root, PUNCH_FORMAT, PUNCH_FORMAT_VERSION, run);
	make_set(&m, root, "outcome",
		json_string(result_of(f) && f->stood && !f->lost ? "connected" : "failed"));
	add_reason(&m, root, f, run->complete);
	make_set(&m, root, "transport", json_string(f->tcp ? "tcp" : "udp"));
	make_set(&m, root, "server", f->server ? make_endpoint(&m, f->server) : json_null());
	make_set(&m, root, "knock", make_knock(&m, f->view));
	make_set(&m, root, "signals", make_signals(&m, f->view));
	add_way(&m, root, f);
	make_set(&m, root, "rounds", json_integer(f->view ? f->view->round : 0));
	make_set(&m, root, "moves", json_integer(f->flow ? f->flow->moves : 0));
	make_set(&m, root, "plans", make_plans(&m, f->view));
	make_set(&m, root, "attempts", make_attempts(&m, f->trail));
	make_set(&m, root, "icmp_errors", make_icmp_errors(&m, f->trail));
	make_set(&m, root, "steps", make_steps(&m, f->trail));
	add_sides(&m, root, f);
	make_set(&m, root, "findings", make_findings(&m, f->findings, f->finding_count));
	make_set(&m, root, "evidence", make_all_evidence(&m, f->journal));
	make_capture(&m, root, f->capture);
	make_set(&m, root, "errors", make_errors(&m, run));
	if (m.failed) {
		json_decref(root);
		return NULL;
	}
	return root;
}

void punch_line(struct lines *l, const struct trail *t, const struct trail_event *e)
{
	static const char *const names[TRAIL_KINDS] = {[TRAIL_SENT] = "sent",
		[TRAIL_RECEIVED] = "received",
		[TRAIL_REFUSED] = "refused",
		[TRAIL_STRANGER] = "stranger",
		[TRAIL_ICMP] = "icmp",
		[TRAIL_OPENED] = "opened",
		[TRAIL_RESET] = "reset",
		[TRAIL_STEP] = "step"};
	struct maker m = {.failed = false};
	json_t *line =
		lines_new(l, &m, names[e->kind], e->t_us > t->start_us ? e->t_us - t->start_us : 0);

	if (e->kind == TRAIL_STEP) {
		make_set(&m, line, "text", make_text(e->text));
	} else {
		make_set(&m, line, "attempt", make_number_or_null(e->server ? 0 : e->attempt + 1));
		make_set(&m, line, "from", make_endpoint(&m, &e->from));
		make_set(&m, line, "to", make_endpoint(&m, &e->to));
		make_set(&m, line, "size_bytes", json_integer((json_int_t)e->bytes));
		make_set(&m, line, "ttl", make_number_or_null(e->ttl));
	}
	if (e->kind == TRAIL_ICMP) {
		make_set(&m, line, "towards", json_string(e->server ? "server" : "peer"));
		make_set(&m, line, "type", json_integer(e->type));
		make_set(&m, line, "code", json_integer(e->code));
	}
	lines_put(l, &m, line);
}
