// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdlib.h>
#include <string.h>

#include "tools/punch/document.h"

/* Runs of a puncher made up by hand, step by step: what its reports are tested with. Include after cmocka.h. */

#define PUNCH_START_US 1000000u

struct punch_sample {
	struct session_view view;
	struct checks_result checks;
	struct meeting_view meeting;
	struct journal *journal;
	struct trail *trail;
	struct flow_statistics flow;
	struct endpoint server;
	struct punch_facts facts;
	struct report_run run;
};

static inline struct endpoint punch_at(const char *text)
{
	struct endpoint e = {.family = FAMILY_NONE};

	assert_int_equal(endpoint_parse(text, 0, &e), 0);
	return e;
}

/* Nothing has come from the server yet. */
static inline void punch_sample_begin(struct punch_sample *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(journal_create(PUNCH_START_US, &s->journal), 0);
	assert_int_equal(trail_create(PUNCH_START_US, &s->trail), 0);
	s->server = punch_at("198.51.100.1:3478");
	s->view.started_us = PUNCH_START_US;
	s->view.meeting = &s->meeting;
	s->run = (struct report_run){.tool = "udppunch",
		.version = "0.1.0",
		.time = "2026-11-27T10:00:00.123Z",
		.duration_ms = 812.3456,
		.complete = true};
	s->facts = (struct punch_facts){
		.view = &s->view, .server = &s->server, .trail = s->trail, .journal = s->journal};
	trail_step(s->trail, PUNCH_START_US + 500, "register: over IPv4");
}

static inline void punch_sample_end(struct punch_sample *s)
{
	trail_destroy(s->trail);
	journal_destroy(s->journal);
}

static inline void punch_sample_side(struct pair_side *side, enum dependence mapping)
{
	*side = (struct pair_side){.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = mapping,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT,
		.allocation = mapping == DEPENDENCE_ENDPOINT_INDEPENDENT ? ALLOCATION_PRESERVING
									 : ALLOCATION_RANDOM};
}

/* Registered and measured. */
static inline void punch_sample_register(struct punch_sample *s, enum dependence mapping)
{
	struct behaviour *b = &s->view.own_behaviour[0];
	struct pair_side *side = &s->view.own.side[0];

	punch_sample_side(side, mapping);
	*b = (struct behaviour){.status = PATH_OK,
		.nat = TRI_YES,
		.local = punch_at("10.0.1.2:5000"),
		.external = {punch_at("192.0.2.1:5000")},
		.external_count = 1,
		.mapping = side->mapping,
		.filtering = side->filtering,
		.early = side->early,
		.allocation = {.pattern = side->allocation}};
	s->view.own.has_side[0] = true;
	s->view.state = SESSION_WAITING;
	s->view.registered_us = PUNCH_START_US + 100000;
	s->meeting.registered_us = s->view.registered_us;
	s->meeting.mapped = punch_at("192.0.2.1:5000");
	s->meeting.state = MEETING_WAITING;
	trail_step(s->trail, s->view.registered_us, "register: done");
}

/* Both know each other, and one plan is being tried. */
static inline void punch_sample_meet(struct punch_sample *s, enum dependence mapping)
{
	struct pair_side sides[2];
	struct pair_advice advice;

	punch_sample_side(&s->view.peer.side[0], mapping);
	s->view.peer.has_side[0] = true;
	s->view.has_peer = true;
	s->view.state = SESSION_PUNCHING;
	s->view.family = FAMILY_IPV4;
	s->view.exchanged_us = PUNCH_START_US + 400000;
	s->meeting.paired_us = PUNCH_START_US + 350000;
	s->meeting.state = MEETING_PAIRED;
	sides[0] = s->view.own.side[0];
	sides[1] = s->view.peer.side[0];
	pair_advise(sides, &advice);
	plans_from_udp(&advice, &s->view.plans);
	s->view.checks = &s->checks;
	if (!s->view.plans.count)
		return;
	s->view.attempt = 1;
	trail_attempt(s->trail, PUNCH_START_US + 410000, s->view.plans.plan[0].strategy);
}

static inline void punch_sample_event(struct punch_sample *s, enum trail_kind kind, uint64_t t_us,
	const char *from, const char *to)
{
	struct trail_event e = {.t_us = PUNCH_START_US + t_us, .kind = kind, .bytes = 72};

	if (from)
		e.from = punch_at(from);
	if (to)
		e.to = punch_at(to);
	trail_add(s->trail, &e);
}

static inline void punch_sample_icmp(
	struct punch_sample *s, const char *from, const char *to, unsigned type, unsigned code)
{
	struct trail_event e = {.t_us = PUNCH_START_US + 420000,
		.kind = TRAIL_ICMP,
		.to = punch_at(to),
		.type = (uint8_t)type,
		.code = (uint8_t)code};

	if (from)
		e.from = punch_at(from);
	trail_add(s->trail, &e);
}

/* The way is proved; stood: and something came over it. */
static inline void punch_sample_connect(struct punch_sample *s, bool stood)
{
	punch_sample_event(s, TRAIL_SENT, 430000, NULL, "192.0.2.2:6000");
	punch_sample_event(s, TRAIL_RECEIVED, 470000, "192.0.2.2:6000", NULL);
	s->checks = (struct checks_result){.connected = true,
		.remote = punch_at("192.0.2.2:6000"),
		.mapped = punch_at("192.0.2.1:5000"),
		.kind = CHECK_SERVER_REFLEXIVE,
		.rtt_us = 81000};
	s->view.checks = &s->checks;
	s->view.way = s->checks;
	s->view.state = SESSION_CONNECTED;
	s->view.first_sent_us = PUNCH_START_US + 430000;
	s->view.first_heard_us = PUNCH_START_US + 470000;
	s->view.proved_us = PUNCH_START_US + 511000;
	s->view.ended_us = PUNCH_START_US + 520000;
	trail_end(s->trail, s->view.ended_us, true);
	s->facts.local = punch_at("10.0.1.2:5000");
	s->facts.stood = stood;
	s->facts.flow = &s->flow;
	s->flow = (struct flow_statistics){
		.pings = 8, .pongs = stood ? 7 : 0, .rtt_us = stood ? 80600 : 0};
}

static inline void punch_sample_fail(struct punch_sample *s, enum session_failure failure)
{
	s->view.state = SESSION_FAILED;
	s->view.failure = failure;
	s->view.ended_us = PUNCH_START_US + 2500000;
	if (s->view.attempt)
		trail_end(s->trail, s->view.ended_us, false);
}

/* The plans, if there are any, have failed: 3 packets have left, none has come. */
static inline void punch_sample_no_path(
	struct punch_sample *s, enum dependence own, enum dependence peer)
{
	punch_sample_begin(s);
	punch_sample_register(s, own);
	punch_sample_meet(s, peer);
	for (unsigned i = 0; i < 3 && s->view.attempt; i++)
		punch_sample_event(s, TRAIL_SENT, 430000 + i * 20000, NULL, "192.0.2.2:6000");
	punch_sample_fail(s, SESSION_NO_PATH);
}

static inline json_t *punch_sample_document(const struct punch_sample *s)
{
	json_t *d = punch_document(&s->run, &s->facts);

	assert_non_null(d);
	return d;
}
