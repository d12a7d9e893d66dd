// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/session_private.h"

/*
 * Without a rendezvous server: STUN servers show the own endpoint, the two users hand each other a line, and the clocks
 * of both hosts, which show UTC, take the place of the server's "go". Slots of UTC are numbered from the moment at which
 * both lines are made, and each has its plan; who enters the other's line later joins.
 */

#define REFRESH_US \
	15000000 /* RFC 8445 11: the mapping has to last until the other's line is there */
#define CLOCK_US     500000 /* how far off UTC a host's clock may be, with what keeps it */
#define ACTIVE_US    20000000u /* of a slot, at least */
#define QUIET_US     35000000u /* what came too early is forgotten: Linux keeps it for 30 s */
#define SLOT_UNIT_US 1000000u
#define SLOTS_MAX    60000 /* attempts have 16 bits */

static bool is_sensitive(const struct plan *p)
{
	return p->role[0].second || p->role[1].second || p->role[0].low_ttl || p->role[1].low_ttl;
}

void session_manual_begin(struct session *s)
{
	s->view.manual = true;
	s->view.meeting = &s->manual.view;
	s->manual.refresh_us = UINT64_MAX;
}

/* --- the own line --- */

static uint64_t utc_us(const struct session *s, uint64_t now_us)
{
	return s->config.utc_us + (now_us - s->view.started_us);
}

static bool is_mapped_known(const struct session *s)
{
	for (int f = 0; f < 2; f++)
		if (session_main_is_pending(s, f) ||
			(s->reflexive[f].begun && !s->reflexive[f].done))
			return false;
	return true;
}

static struct endpoint mapped(const struct session *s)
{
	return s->reflexive[0].mapped.family != FAMILY_NONE ? s->reflexive[0].mapped
							    : s->reflexive[1].mapped;
}

static int begin_cpace(struct session *s)
{
	static const char purpose[] = "natutils punch by hand 1";
	static const uint8_t no_session[RENDEZVOUS_SESSION_BYTES];
	const struct cpace_input input = {
		.prs = {s->secret, s->secret_length},
		.ci = {(const uint8_t *)purpose, sizeof(purpose) - 1},
		.sid = {no_session, sizeof(no_session)},
	};
	int err = cpace_begin(&s->cpace, &input, &s->config.random);

	s->began_cpace = !err;
	memcpy(s->own_share, s->cpace.own, sizeof(s->own_share));
	return err;
}

static void make_line(struct session *s, uint64_t now_us)
{
	struct line_content line = {.time_s = utc_us(s, now_us) / 1000000, .hello = s->view.own};

	/* a sequence goes on from there, if not much else comes between */
	line.hello.latest = mapped(s);
	memcpy(line.share, s->own_share, sizeof(line.share));
	if (line_encode(&line, s->manual.line) < 0 ||
		cpace_associate(&s->cpace, (struct span){line.digest, sizeof(line.digest)})) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	s->manual.own_time_s = line.time_s;
	s->manual.view.mapped = mapped(s);
	s->view.line = s->manual.line;
	s->view.lines++;
	trail_step(s->config.trail, now_us, "line: %s", s->view.lines > 1 ? "changed" : "made");
}

static bool has_moved(const struct session *s)
{
	const struct endpoint now = mapped(s);

	return now.family != FAMILY_NONE && !endpoint_equal(&now, &s->manual.view.mapped);
}

static void register_there(struct session *s, uint64_t now_us)
{
	if (!s->measured || !is_mapped_known(s))
		return;
	if (mapped(s).family == FAMILY_NONE) {
		session_fail(s, now_us, SESSION_UNREACHABLE);
		return;
	}
	if (begin_cpace(s)) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	make_line(s, now_us);
	s->view.registered_us = now_us;
	s->view.state = SESSION_WAITING;
	s->manual.refresh_us = now_us + REFRESH_US;
}

/* The mapping is kept, and looked at. */
static void refresh(struct session *s, uint64_t now_us)
{
	if (now_us < s->manual.refresh_us || s->view.state == SESSION_CONNECTED)
		return;
	s->manual.refresh_us = now_us + REFRESH_US;
	for (int f = 0; f < 2; f++)
		if (s->main[f].state == OPENING_DONE && s->reflexive[f].done)
			session_ask_reflexive(s, now_us, f);
}

/* --- the other's line --- */

int session_take_line(struct session *s, uint64_t now_us, const char *text)
{
	struct line_content line;
	int err;

	if (s->view.state != SESSION_WAITING || !s->config.manual)
		return -EBUSY;
	err = line_decode(text, &line);
	if (!err && !memcmp(line.share, s->own_share, sizeof(line.share)))
		err = -EALREADY;
	if (!err && line.hello.transport != s->view.own.transport)
		err = -EPROTO;
	if (err)
		return err;
	session_make_keys(s, now_us, line.share, (struct span){line.digest, sizeof(line.digest)});
	if (s->view.state == SESSION_FAILED)
		return -EBADMSG;
	s->manual.peer_time_s = line.time_s;
	s->view.peer = line.hello;
	s->view.has_peer = s->published = true;
	for (size_t i = line.hello.candidate_count; i-- > 0;)
		if (line.hello.candidates[i].kind == CHECK_SERVER_REFLEXIVE)
			s->manual.view.peer = line.hello.candidates[i].endpoint;
	s->manual.view.state = MEETING_PAIRED;
	s->manual.view.paired_us = now_us;
	s->view.state = SESSION_EXCHANGING;
	trail_step(s->config.trail, now_us, "exchange: the other side's line is there");
	return 0;
}

/* Until a way has stood; how long another one is looked for is up to the caller. UINT64_MAX: for ever. */
static uint64_t end_of_wait_us(const struct session *s)
{
	return s->config.wait_us && !s->view.round ? s->view.started_us + s->config.wait_us
						   : UINT64_MAX;
}

#define STRANGE_MIN 8 /* packets: a stray one says nothing */

/* What comes is from another code, or for another line: nobody at a server can say so before. */
bool session_manual_is_wrong(const struct session *s)
{
	const struct trail *t = s->config.trail;
	unsigned refused = 0;

	for (unsigned i = 0; i <= t->attempt; i++) {
		if (t->attempts[i].received)
			return false;
		refused += t->attempts[i].refused;
	}
	return refused >= STRANGE_MIN;
}

static enum session_failure failure_at_the_end(const struct session *s)
{
	if (!s->view.has_peer)
		return SESSION_NO_PEER;
	return session_manual_is_wrong(s) ? SESSION_WRONG_CODE : SESSION_NO_PATH;
}

void session_manual_advance(struct session *s, uint64_t now_us)
{
	if (s->view.state == SESSION_REGISTERING)
		register_there(s, now_us);
	refresh(s, now_us);
	if (s->view.state == SESSION_WAITING && is_mapped_known(s) && has_moved(s))
		make_line(s, now_us);
	if (now_us >= end_of_wait_us(s))
		session_fail(s, now_us, failure_at_the_end(s));
}

uint64_t session_manual_deadline(const struct session *s)
{
	uint64_t end_us = end_of_wait_us(s);

	if (s->view.state == SESSION_CONNECTED)
		return UINT64_MAX;
	return end_us < s->manual.refresh_us ? end_us : s->manual.refresh_us;
}

/* --- slots --- */

/* The same on both sides: it follows from the plans. */
static void size_slots(struct session *s)
{
	struct session_manual *m = &s->manual;
	const struct plans *p = &s->view.plans;

	m->active_us = ACTIVE_US;
	m->slot_us = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (p->plan[i].give_up_us > m->active_us)
			m->active_us = p->plan[i].give_up_us;
		if (is_sensitive(&p->plan[i]))
			m->slot_us = QUIET_US;
	}
	m->slot_us += m->active_us;
	m->slot_us += SLOT_UNIT_US - m->slot_us % SLOT_UNIT_US;
}

/*
 * Where early packets do harm nobody comes in the middle of a slot, and between two of them all is quiet for so long
 * that the harm is over.
 */
static void take_slot(struct session *s, uint64_t now_us, uint64_t at_us)
{
	struct session_manual *m = &s->manual;
	uint64_t utc = utc_us(s, at_us), begin_us;
	struct line_slot slot;

	if (line_slot_at(m->own_time_s, m->peer_time_s, utc, m->slot_us, &slot) ||
		slot.number >= SLOTS_MAX) {
		session_fail(s, now_us, SESSION_NO_PATH);
		return;
	}
	m->slot = (unsigned)slot.number;
	s->view.attempt = (unsigned)(slot.number % s->view.plans.count) + 1;
	if (slot.begin_us > utc)
		begin_us = at_us + (slot.begin_us - utc);
	else
		begin_us = utc - slot.begin_us < at_us ? at_us - (utc - slot.begin_us) : 0;
	m->begin_us = begin_us;
	m->end_us = begin_us + m->active_us;
}

void session_manual_first_slot(struct session *s, uint64_t now_us)
{
	struct session_manual *m = &s->manual;
	unsigned before = m->slot;
	bool late;

	size_slots(s);
	take_slot(s, now_us, now_us);
	if (s->view.state == SESSION_FAILED)
		return;
	late = now_us > m->begin_us + CLOCK_US &&
		is_sensitive(&s->view.plans.plan[s->view.attempt - 1]);
	/* each has one attempt at most */
	if (now_us >= m->end_us || late || (s->view.round && m->slot <= before))
		session_manual_next_slot(s, now_us);
	else if (m->begin_us > now_us && !is_sensitive(&s->view.plans.plan[s->view.attempt - 1]))
		m->begin_us = now_us; /* nobody is harmed by an early one */
}

void session_manual_next_slot(struct session *s, uint64_t now_us)
{
	struct session_manual *m = &s->manual;

	take_slot(s, now_us, m->end_us - m->active_us + m->slot_us);
}

bool session_manual_may_go(const struct session *s, uint64_t now_us, bool second)
{
	return now_us >= s->manual.begin_us + (second ? SESSION_MANUAL_SECOND_US : 0);
}
