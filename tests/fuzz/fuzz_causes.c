// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The record of a run as the bytes say, beside packets as they say, which need not fit: questions and what became of
 * them, what the host counts, what was tried towards a peer and what that one tells. Whatever it is, joining and judging
 * come to an end, each cause is whole and cites what there is, and the document and its text are sound.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_packets.h"
#include "judge/causes_punch.h"
#include "judge/join.h"
#include "judge/meaning.h"
#include "report/document.h"
#include "report/text.h"

#define SERVERS	     4
#define OBSERVATIONS 40
#define EVENTS	     80

struct run {
	struct journal *journal;
	struct trail *trail;
	struct captured_list *list;
	struct host_record host;
	struct joined joined[JOURNAL_OBSERVATIONS];
	struct verdict verdict;
	struct outlook outlook;
	struct finding findings[FINDINGS_MAX];
	struct causes causes;
};

static const int errors[] = {
	0, EPERM, EACCES, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, ETIMEDOUT, ENETDOWN};

static int next_error(struct reader *s)
{
	return errors[reader_u8(s) % (sizeof(errors) / sizeof(*errors))];
}

static struct endpoint next_endpoint(struct reader *s)
{
	uint8_t number = reader_u8(s);
	struct endpoint e = fuzz_endpoint(number & 15);

	if (number & 16) /* as of a socket that is bound to a port alone */
		memset(e.address, 0, sizeof(e.address));
	if (number & 32)
		e.family = FAMILY_NONE;
	e.port = (uint16_t)(e.port + (number >> 6));
	return e;
}

/* --- the journal --- */

static void add_servers(struct reader *s, struct journal *j)
{
	for (unsigned i = reader_u8(s) % (SERVERS + 1); i; i--) {
		uint8_t flags = reader_u8(s);
		struct journal_server server = {.name = "stun.example",
			.transport = (enum transport)(flags % 3),
			.endpoint = fuzz_endpoint(flags >> 4),
			.resolution = flags & 8 ? SERVER_UNRESOLVED : SERVER_RESOLVED};
		size_t place;

		if (flags & 4)
			*server.name = '\0';
		if (server.resolution == SERVER_UNRESOLVED)
			server.endpoint = (struct endpoint){.family = FAMILY_NONE};
		if (journal_add_server(j, &server, &place))
			return;
	}
}

static void fill_answer(struct reader *s, struct observation *o)
{
	uint8_t flags = reader_u8(s);

	o->answers = 1 + (flags & 3);
	o->answer.from = flags & 4 ? next_endpoint(s) : o->expect;
	o->answer.mapped = next_endpoint(s);
	if (flags & 8)
		o->answer.mapped_plain = next_endpoint(s);
	o->answer.has_xor = flags & 16;
	if (flags & 32)
		o->answer.other = next_endpoint(s);
	o->answer.ttl = reader_u8(s);
	o->answer.t_us = o->first_sent_us + reader_u8(s) * 1000u;
}

static void fill_failure(struct reader *s, struct observation *o)
{
	uint8_t flags = reader_u8(s);

	o->malformed = flags & 3;
	if (flags & 4) {
		o->wrong_source = 2;
		o->wrong_from = next_endpoint(s);
	}
	if (flags & 8)
		o->icmp = (struct icmp_seen){.count = 1u + (flags >> 4),
			.t_us = o->first_sent_us,
			.error = next_error(s),
			.local = flags & 16,
			.type = reader_u8(s),
			.code = reader_u8(s)};
	if (o->icmp.count && !o->icmp.local)
		o->icmp.offender = next_endpoint(s);
	o->own.outcome = (enum connection_outcome)((flags >> 5) % 6);
	o->own.error = next_error(s);
	o->own.ttl = reader_u8(s);
}

static void add_trace(struct reader *s, struct journal *j, const struct observation *o)
{
	struct trace *t = journal_add_trace(j, o);

	if (!t)
		return;
	t->to = o->to;
	t->hop_count = reader_u8(s) % (TRACE_HOPS + 1);
	for (unsigned i = 0; i < t->hop_count; i++) {
		uint8_t flags = reader_u8(s);

		t->hops[i].sent = 1 + (flags & 3);
		if (!(flags & 4))
			continue;
		t->hops[i].answers = 1;
		t->hops[i].from = fuzz_endpoint(flags >> 4);
		t->hops[i].from.port = 0;
		t->hops[i].icmp = flags & 8;
		t->hops[i].type = flags & 1 ? 11 : 3;
	}
}

static void add_observation(struct reader *s, struct journal *j)
{
	struct observation *o = journal_add_observation(j);
	uint8_t flags = reader_u8(s);

	if (!o)
		return;
	o->question = (enum question)(reader_u8(s) % QUESTION_COUNT);
	o->transport = (enum transport)(flags % 3);
	o->state = (enum observation_state)(reader_u8(s) % (OBSERVATION_ABANDONED + 1));
	o->server = j->server_count ? flags / 3 % j->server_count : 0;
	o->local = next_endpoint(s);
	o->to = next_endpoint(s);
	o->family = o->to.family == FAMILY_NONE ? FAMILY_IPV4 : o->to.family;
	o->expect = flags & 64 ? next_endpoint(s) : o->to;
	o->sent = reader_u8(s) & 7;
	o->awaited = o->sent;
	o->first_sent_us = j->start_us + reader_u8(s) * 1000u;
	o->last_sent_us = o->first_sent_us;
	o->settled_us = flags & 128 ? o->first_sent_us + reader_u8(s) * 2000u : 0;
	o->detail.flow = (enum icmp_flow)(flags % ICMP_FLOW_COUNT);
	if (o->state == OBSERVATION_ANSWERED)
		fill_answer(s, o);
	else
		fill_failure(s, o);
	if (o->question == QUESTION_TRACE)
		add_trace(s, j, o);
}

static void add_event(struct reader *s, struct journal *j)
{
	uint8_t flags = reader_u8(s);
	struct endpoint from = next_endpoint(s), to = next_endpoint(s);
	const struct observation *o =
		j->observation_count ? &j->observations[reader_u8(s) % j->observation_count] : NULL;

	journal_event(j, j->start_us + reader_u8(s) * 1000u,
		(enum event_kind)(flags % (EVENT_NOTE + 1)), o, &from, &to, flags);
}

static void make_journal(struct reader *s, struct journal *j)
{
	unsigned observations, events;

	add_servers(s, j);
	observations = reader_u8(s) % (OBSERVATIONS + 1);
	events = reader_u8(s) % (EVENTS + 1);
	for (unsigned i = 0; i < observations && reader_left(s); i++)
		add_observation(s, j);
	for (unsigned i = 0; i < events && reader_left(s); i++)
		add_event(s, j);
}

/* --- the host --- */

static void make_host(struct reader *s, struct host_record *h)
{
	uint8_t flags = reader_u8(s);

	*h = (struct host_record){.interface_count = flags & 3,
		.address_count = flags >> 2 & 1,
		.addresses = {fuzz_endpoint(0)},
		.links = flags >> 3 & 3,
		.chosen = flags & 1,
		.way_count = 1,
		.ways = {{.to = fuzz_endpoint(1),
			.interface = flags >> 5 & 3,
			.specific = flags & 2,
			.neighbour = flags & 4}},
		.counters = {.known = flags & 128,
			.reverse_path = reader_u8(s) & 3,
			.checksums = reader_u8(s) & 1,
			.buffers = reader_u8(s) & 1}};
	for (size_t i = 0; i < h->interface_count; i++) {
		uint8_t kind = reader_u8(s);

		h->interfaces[i] = (struct host_interface){.index = (unsigned)i,
			.loopback = kind & 1,
			.tunnel = kind & 2,
			.strict = kind & 4};
	}
}

/* --- the punch --- */

static void make_trail(struct reader *s, struct trail *t)
{
	trail_attempt(t, t->start_us, "direct");
	for (unsigned i = reader_u8(s) % (EVENTS + 1); i && reader_left(s); i--) {
		uint8_t kind = reader_u8(s);
		struct trail_event e = {.t_us = t->start_us + reader_u8(s) * 1000u,
			.kind = (enum trail_kind)(kind % TRAIL_STEP),
			.accepted = kind & 128,
			.bytes = 100};

		if (e.kind != TRAIL_SENT)
			e.from = next_endpoint(s);
		e.to = next_endpoint(s);
		if (e.kind == TRAIL_ICMP) {
			e.type = reader_u8(s);
			e.code = reader_u8(s);
		}
		trail_add(t, &e);
	}
}

static void make_said(struct reader *s, struct explain_peer *said)
{
	uint8_t flags = reader_u8(s);

	*said = (struct explain_peer){.said = flags & 1,
		.sent = flags >> 1 & 7,
		.received = flags >> 4 & 1,
		.opened = flags >> 5 & 1,
		.captured = flags & 64,
		.left = reader_u8(s) & 7,
		.arrived = reader_u8(s) & 7};
}

static bool next_side(struct reader *s, struct pair_side *out)
{
	uint8_t bytes[PAIR_SIDE_BYTES];
	size_t length = reader_u8(s) % (sizeof(bytes) + 1);

	reader_copy(s, bytes, length);
	return !s->failed && !pair_side_decode(bytes, length, out);
}

static bool next_tcp_side(struct reader *s, struct pair_tcp_side *out)
{
	uint8_t bytes[PAIR_TCP_SIDE_BYTES];
	size_t length = reader_u8(s) % (sizeof(bytes) + 1);

	reader_copy(s, bytes, length);
	return !s->failed && !pair_tcp_side_decode(bytes, length, out);
}

/* What was tried towards the peer, and what that one says. */
struct punch {
	bool tcp;
	struct explain_peer said;
	bool known[2]; /* own side, peer's side */
	struct pair_side sides[2];
	struct pair_tcp_side tcp_sides[2];
};

static void make_punch(struct reader *s, struct trail *t, struct punch *p)
{
	p->tcp = reader_u8(s) & 1;
	make_trail(s, t);
	make_said(s, &p->said);
	for (int i = 0; i < 2; i++)
		p->known[i] =
			p->tcp ? next_tcp_side(s, &p->tcp_sides[i]) : next_side(s, &p->sides[i]);
}

static void judge_punch(struct run *r, const struct punch *p, bool captured, bool gaps)
{
	static const struct plans none;
	const struct punch_causes_facts f = {.family = FAMILY_IPV4,
		.tcp = p->tcp,
		.own = p->known[0] && !p->tcp ? &p->sides[0] : NULL,
		.peer = p->known[1] && !p->tcp ? &p->sides[1] : NULL,
		.own_tcp = p->known[0] && p->tcp ? &p->tcp_sides[0] : NULL,
		.peer_tcp = p->known[1] && p->tcp ? &p->tcp_sides[1] : NULL,
		.plans = &none,
		.trail = r->trail,
		.said = &p->said,
		.journal = r->journal,
		.captured = captured ? r->list : NULL,
		.joined = captured ? r->joined : NULL,
		.gaps = gaps,
		.host = &r->host};

	if (captured)
		join_trail(r->list, r->trail);
	judge_punch_causes(&f, &r->causes);
}

/* --- what has to be so --- */

static void check_cause(const struct run *r, const struct cause *c, bool captured)
{
	require(*c->title && strlen(c->title) < sizeof(c->title));
	require(*c->detail && strlen(c->detail) < sizeof(c->detail));
	require(cause_name(c->id) && *place_name(c->where));
	require(c->hops == CAUSE_HOPS_UNKNOWN || (c->hops >= 0 && c->hops <= 256));
	require(c->packet_count <= CAUSE_PACKETS && c->evidence_count <= CAUSE_PACKETS);
	require(captured || !c->packet_count);
	for (size_t i = 0; i < c->packet_count; i++)
		require(captured_find(r->list, c->packets[i]));
	for (size_t i = 0; i < c->evidence_count; i++)
		require(c->evidence[i] < r->journal->observation_count);
}

static void check_causes(const struct run *r, bool captured)
{
	require(r->causes.count <= CAUSES_MAX);
	for (size_t i = 0; i < r->causes.count; i++) {
		check_cause(r, &r->causes.list[i], captured);
		require(!i || r->causes.list[i - 1].certainty >= r->causes.list[i].certainty);
		/* what is merely possible is told where nothing better is known */
		require(r->causes.list[i].certainty == r->causes.list[0].certainty ||
			r->causes.list[i].certainty > CERTAINTY_POSSIBLE);
	}
}

static void check_packets(const struct run *r)
{
	for (size_t i = 0; i < r->list->count; i++) {
		const struct captured *c = &r->list->packets[i];
		char text[MEANING_TEXT];

		meaning_text(r->journal, c, text);
		require(*text && strlen(text) < MEANING_TEXT);
		fuzz_check_text(text, false);
		require(c->observation == CAPTURED_NONE ||
			c->observation < r->journal->observation_count);
		require(!c->about || captured_find(r->list, c->about));
		require(c->delivery_known || !c->delivered);
	}
}

static void check_document(const struct run *r, bool captured)
{
	const struct report_run run = {
		.tool = "natprobe", .version = "0", .time = "2026-11-20T10:00:00Z"};
	const struct report_capture capture = {
		.state = captured ? CAPTURE_ON : CAPTURE_NOT_PERMITTED,
		.hint = "setcap",
		.list = captured ? r->list : NULL,
		.journal = r->journal,
		.start_us = r->journal->start_us,
		.all = true,
		.causes = &r->causes};
	const struct report_facts facts = {
		r->journal, &r->verdict, &r->outlook, r->findings, 0, &capture};
	const struct text_options options = {.width = 80, .reason = true, .verbose = true};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	json_t *d;

	require(out);
	require(!report_document(&run, &facts, &d));
	require(json_array_size(json_object_get(d, "causes")) == r->causes.count);
	require(!text_render(d, &options, out));
	fclose(out);
	fuzz_check_text(text, false);
	free(text);
	json_decref(d);
}

static void judge_run(struct run *r, bool captured, bool gaps)
{
	struct cause_facts facts = {
		.journal = r->journal, .verdict = &r->verdict, .gaps = gaps, .host = &r->host};

	judge(r->journal, &r->verdict);
	judge_outlook(&r->verdict, &r->outlook);
	if (captured) {
		join_journal(r->list, r->journal);
		join_tally(r->list, r->journal, r->joined);
		facts.captured = r->list;
		facts.joined = r->joined;
	}
	judge_causes(&facts, &r->causes);
	check_causes(r, captured);
}

static bool create(struct run *r)
{
	if (!r->journal && journal_create(1000000, &r->journal))
		return false;
	if (!r->trail && trail_create(1000000, &r->trail))
		return false;
	r->list = fuzz_list();
	return r->list;
}

/* Megabytes: kept, and emptied each time. */
static void empty(struct run *r)
{
	struct trail *t = r->trail;

	memset(r->journal->observations, 0,
		r->journal->observation_count * sizeof(*r->journal->observations));
	journal_forget(r->journal);
	t->event_count = t->error_count = t->server_error_count = 0;
	t->attempt = t->strangers = 0;
	memset(t->attempts, 0, sizeof(t->attempts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run r;
	struct punch punch;
	struct reader script = reader_over(data, size);
	uint8_t flags = reader_u8(&script);
	bool captured = flags & 1, gaps = flags & 2;

	if (!create(&r))
		return 0;
	empty(&r);
	for (unsigned i = 0; i < 3; i++)
		captured_interface(r.list, i, "eth0");
	make_journal(&script, r.journal);
	make_host(&script, &r.host);
	if (flags & 4)
		captured_own(r.list, PACKET_UDP, 40000);
	r.causes.count = 0;
	if (flags & 8)
		make_punch(&script, r.trail, &punch);
	fuzz_packets(&script, r.list);
	judge_run(&r, captured, gaps);
	if (flags & 8) {
		judge_punch(&r, &punch, captured, gaps);
		check_causes(&r, captured);
	}
	check_packets(&r);
	check_document(&r, captured);
	return 0;
}
