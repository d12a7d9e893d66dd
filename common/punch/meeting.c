// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "punch/meeting.h"

#define RETRY_FIRST_US	250000
#define RETRY_STREAM_US 2000000 /* TCP repeats by itself */
#define RETRY_MAX_US	2000000
#define RETRY_GONE_US	8000000 /* a server that has gone may come back */
#define SILENCE_US	10000000 /* then the server counts as gone */
#define UNHEARD_US	5000000 /* … when it has never answered: about five requests */
#define REFRESH_IDLE_US 15000000
#define REFRESH_BUSY_US 1000000
#define UNPROVED_BYTES \
	200 /* what the first request is filled up to, so that its answer may have a cookie */
#define LEAVE_TIMES    3
#define STALE_MAX      8 /* cookies in a row that it has given and does not take */
#define LEAVE_EVERY_US 100000
#define SENT_MAX       8
#define JITTER_SHARE   4 /* of the round trip, RFC 6298 2.3 */
#define NEWS_GAP_US    20000 /* news is acknowledged not more often */

struct meeting {
	struct meeting_config config;
	struct meeting_view view;
	uint8_t party[RENDEZVOUS_PARTY_BYTES];
	uint8_t cookie[RENDEZVOUS_COOKIE_MAX];
	size_t cookie_length;
	uint32_t own_version;
	uint8_t own[RENDEZVOUS_SLOT_MAX];
	size_t own_length;
	uint16_t ready;
	bool current; /* the server has heard the present socket */
	bool expects; /* something of the other party */
	bool stream; /* over TCP, which proves the source */
	uint64_t next_us, retry_us, sent_us;
	uint64_t heard_us, asked_us; /* asked: since when an answer is missing; 0: none is */
	unsigned leaving; /* how often LEAVE has yet to be sent */
	bool left;
	unsigned stale; /* cookies that have been refused one after the other */
	struct sent {
		struct stun_id id;
		uint64_t t_us;
	} sent[SENT_MAX]; /* the latest ones, in turn */
	size_t sent_count;
};

int meeting_create(const struct meeting_config *config, struct meeting **out)
{
	struct meeting *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->config = *config;
	memcpy(m->view.session, config->session, sizeof(m->view.session));
	random_bytes(&m->config.random, m->party, sizeof(m->party));
	m->retry_us = RETRY_FIRST_US;
	*out = m;
	return 0;
}

void meeting_destroy(struct meeting *m)
{
	free(m);
}

const struct meeting_view *meeting_view(const struct meeting *m)
{
	return &m->view;
}

static bool is_over(const struct meeting *m)
{
	return m->view.state == MEETING_REFUSED;
}

static uint64_t retry_first_us(const struct meeting *m)
{
	return m->stream ? RETRY_STREAM_US : RETRY_FIRST_US;
}

/* Something new has to be said. */
static void hurry(struct meeting *m, uint64_t now_us)
{
	if (m->left)
		return; /* a JOIN would take the place again */
	m->next_us = now_us;
	m->retry_us = retry_first_us(m);
}

uint32_t meeting_next_version(const struct meeting *m)
{
	return m->own_version + 1;
}

int meeting_set_slot(struct meeting *m, uint64_t now_us, const void *data, size_t length)
{
	if (length > sizeof(m->own))
		return -EMSGSIZE;
	memcpy(m->own, data, length);
	m->own_length = length;
	m->own_version++;
	hurry(m, now_us);
	return 0;
}

void meeting_set_ready(struct meeting *m, uint64_t now_us, uint16_t phase)
{
	if (phase <= m->ready)
		return;
	m->ready = phase;
	hurry(m, now_us);
}

void meeting_expect(struct meeting *m, uint64_t now_us, bool expects)
{
	if (expects && !m->expects && m->next_us > now_us + REFRESH_BUSY_US && !m->left)
		m->next_us = now_us + REFRESH_BUSY_US;
	m->expects = expects;
}

void meeting_rebind(struct meeting *m, uint64_t now_us, bool stream)
{
	m->stream = stream;
	m->cookie_length = 0; /* it was of the old source */
	m->stale = 0;
	m->sent_count = 0;
	m->current = false;
	hurry(m, now_us);
}

bool meeting_is_current(const struct meeting *m)
{
	return m->current;
}

void meeting_unbind(struct meeting *m)
{
	m->current = false;
}

void meeting_leave(struct meeting *m, uint64_t now_us)
{
	m->leaving = LEAVE_TIMES;
	m->left = true;
	m->next_us = now_us;
}

/* --- output --- */

static void fill_in(const struct meeting *m, struct rendezvous_message *out)
{
	out->has_session = !m->config.allocate || m->view.number;
	out->allocate = !out->has_session;
	memcpy(out->session, m->view.session, sizeof(out->session));
	out->has_party = true;
	memcpy(out->party, m->party, sizeof(out->party));
	out->cookie = (struct span){m->cookie, m->cookie_length};
	out->has_slot = m->own_version && (m->cookie_length || m->stream);
	out->slot_version = m->own_version;
	out->slot = (struct span){m->own, m->own_length};
	out->has_ready = true;
	out->ready = m->ready;
	out->rtt_us = (uint32_t)m->view.rtt_us;
	out->has_seen = true;
	out->seen_version = m->view.slot_version;
	out->seen_ready = m->view.peer_ready;
	out->seen_go = m->view.go;
}

static int write_request(struct meeting *m, uint64_t now_us, uint16_t method,
	uint8_t data[static STUN_MESSAGE_BYTES])
{
	struct rendezvous_message out = {.class = STUN_REQUEST, .method = method};
	struct sent *s = &m->sent[m->sent_count++ % SENT_MAX];
	struct writer w = writer_over(out.id.bytes, sizeof(out.id.bytes));

	writer_u32(&w, STUN_COOKIE);
	random_bytes(&m->config.random, out.id.bytes + 4, sizeof(out.id.bytes) - 4);
	*s = (struct sent){out.id, now_us};
	fill_in(m, &out);
	return rendezvous_encode(
		&out, data, STUN_MESSAGE_BYTES, m->cookie_length || m->stream ? 0 : UNPROVED_BYTES);
}

static uint64_t silence_us(const struct meeting *m)
{
	return m->view.registered_us ? SILENCE_US : UNHEARD_US;
}

void meeting_give_up(struct meeting *m, uint64_t now_us)
{
	if (is_over(m) || m->left || m->view.state == MEETING_UNREACHABLE)
		return;
	m->view.state = MEETING_UNREACHABLE;
	trail_step(m->config.trail, now_us, "register: the server does not answer");
}

static uint64_t with_jitter(struct meeting *m, uint64_t us)
{
	return us * 3 / 4 + random_below(&m->config.random, (uint32_t)us / 2);
}

static void plan_next(struct meeting *m, uint64_t now_us)
{
	uint64_t max_us = m->view.state == MEETING_UNREACHABLE ? RETRY_GONE_US : RETRY_MAX_US;

	if (m->leaving) {
		m->leaving--;
		m->next_us = m->leaving ? now_us + LEAVE_EVERY_US : UINT64_MAX;
		return;
	}
	m->sent_us = now_us;
	if (!m->asked_us)
		m->asked_us = now_us;
	m->next_us = now_us + with_jitter(m, m->retry_us);
	m->retry_us = m->retry_us * 2 < max_us ? m->retry_us * 2 : max_us;
}

bool meeting_poll(struct meeting *m, uint64_t now_us, uint8_t data[static STUN_MESSAGE_BYTES],
	size_t *length, uint64_t *deadline_us)
{
	int n;

	*deadline_us = UINT64_MAX;
	if (m->left ? !m->leaving : is_over(m))
		return false;
	if (m->asked_us && !m->left && m->view.state != MEETING_UNREACHABLE &&
		now_us - m->asked_us >= silence_us(m)) {
		meeting_give_up(m, now_us);
		*deadline_us = now_us; /* who waits has to look now */
		return false;
	}
	*deadline_us = m->next_us;
	if (m->next_us > now_us)
		return false;
	n = write_request(m, now_us, m->leaving ? RENDEZVOUS_LEAVE : RENDEZVOUS_JOIN, data);
	plan_next(m, now_us);
	*deadline_us = m->next_us;
	*length = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* --- input --- */

/* The request that is answered, among the latest ones. */
static const struct sent *find_sent(const struct meeting *m, const struct stun_id *id)
{
	for (size_t i = 0; i < SENT_MAX && i < m->sent_count; i++)
		if (stun_id_equal(&m->sent[i].id, id))
			return &m->sent[i];
	return NULL;
}

/* RFC 6298 2.2 and 2.3 */
static void take_rtt(struct meeting *m, uint64_t rtt_us)
{
	struct meeting_view *v = &m->view;
	uint64_t change;

	if (!v->rtt_us) {
		v->rtt_us = rtt_us ? rtt_us : 1;
		v->jitter_us = rtt_us / 2;
		return;
	}
	change = rtt_us > v->rtt_us ? rtt_us - v->rtt_us : v->rtt_us - rtt_us;
	v->jitter_us += change / JITTER_SHARE - v->jitter_us / JITTER_SHARE;
	v->rtt_us += rtt_us / 8 - v->rtt_us / 8;
}

static void refuse(struct meeting *m, uint64_t now_us, unsigned code)
{
	m->view.state = MEETING_REFUSED;
	m->view.error_code = code;
	trail_step(m->config.trail, now_us, "register: the server refuses, error %u", code);
}

static void take_error(struct meeting *m, uint64_t now_us, const struct rendezvous_message *in)
{
	if (in->error_code == RENDEZVOUS_STALE && m->stale < STALE_MAX && in->cookie.length &&
		in->cookie.length <= sizeof(m->cookie)) {
		memcpy(m->cookie, in->cookie.data, in->cookie.length);
		m->cookie_length = in->cookie.length;
		/* the first one is nothing unusual; a server that takes no cookie at all gets no flood */
		if (!m->stale++)
			hurry(m, now_us);
		else
			m->next_us = now_us + with_jitter(m, m->retry_us);
		return;
	}
	refuse(m, now_us, in->error_code);
}

static void take_slot(struct meeting *m, const struct rendezvous_message *in)
{
	struct meeting_view *v = &m->view;

	if (!in->has_slot || in->slot_version <= v->slot_version ||
		in->slot.length > sizeof(v->slot))
		return;
	memcpy(v->slot, in->slot.data, in->slot.length);
	v->slot_length = in->slot.length;
	v->slot_version = in->slot_version;
}

/* The session has ended there, or the server has begun anew: what was seen counts no more. */
static void forget_peer(struct meeting *m, uint64_t now_us)
{
	struct meeting_view *v = &m->view;

	trail_step(m->config.trail, now_us, "exchange: the server knows of no peer any more");
	v->state = MEETING_WAITING;
	v->slot_version = 0;
	v->peer_ready = v->go = 0;
}

static void take_peer(struct meeting *m, uint64_t now_us, const struct rendezvous_message *in)
{
	struct meeting_view *v = &m->view;

	if (in->has_peer && in->peer == RENDEZVOUS_HERE) {
		if (!v->paired_us) {
			v->paired_us = now_us;
			trail_step(m->config.trail, now_us, "exchange: the peer is there");
		}
		v->state = MEETING_PAIRED;
		if (in->ready > v->peer_ready)
			v->peer_ready = in->ready;
		if (in->peer_address.family != FAMILY_NONE)
			v->peer = in->peer_address;
	} else if (in->has_peer && in->peer == RENDEZVOUS_LEFT && v->paired_us) {
		if (v->state != MEETING_LEFT) {
			trail_step(m->config.trail, now_us, "exchange: the peer has left");
			v->left_us = now_us;
		}
		v->state = MEETING_LEFT;
	} else if (in->has_peer && in->peer == RENDEZVOUS_NOBODY && v->paired_us &&
		(v->state == MEETING_PAIRED || v->state == MEETING_UNREACHABLE)) {
		forget_peer(m, now_us);
	} else if (v->state == MEETING_JOINING || v->state == MEETING_UNREACHABLE) {
		v->state = MEETING_WAITING;
	}
	take_slot(m, in);
}

static void take_news(struct meeting *m, uint64_t now_us, const struct rendezvous_message *in)
{
	struct meeting_view *v = &m->view;

	if (in->number && !v->number && m->config.allocate) {
		char text[12];
		int length = snprintf(text, sizeof(text), "%u", (unsigned)in->number);

		v->number = in->number;
		rendezvous_session_of(text, (size_t)length, v->session);
	}
	if (m->config.allocate && !v->number) {
		refuse(m, now_us, MEETING_NO_NUMBER);
		return;
	}
	if (in->mapped.family != FAMILY_NONE)
		v->mapped = in->mapped;
	if (m->stream && !m->config.tcp)
		v->mapped.port = 0; /* TCP's */
	v->place = in->place;
	if (!v->registered_us) {
		v->registered_us = now_us;
		trail_step(m->config.trail, now_us, "register: done");
	}
	take_peer(m, now_us, in);
	if (in->has_go && in->go > v->go) {
		v->go = in->go;
		v->go_at_us = in->go_wait_us > 0 ? now_us + (uint32_t)in->go_wait_us : now_us;
	}
}

static bool is_waiting_for_go(const struct meeting *m)
{
	return m->ready > m->view.go;
}

static void take_answer(struct meeting *m, uint64_t now_us, const struct sent *sent,
	const struct rendezvous_message *in)
{
	bool busy = m->expects || (m->view.state == MEETING_PAIRED && is_waiting_for_go(m));

	take_rtt(m, now_us - sent->t_us);
	m->asked_us = 0;
	m->retry_us = retry_first_us(m);
	m->next_us = now_us + with_jitter(m, busy ? REFRESH_BUSY_US : REFRESH_IDLE_US);
	if (in->class == STUN_ERROR) {
		take_error(m, now_us, in);
		return;
	}
	m->stale = 0;
	m->current = true;
	take_news(m, now_us, in);
}

/* The server repeats news until it hears that it has arrived. */
static void acknowledge(struct meeting *m, uint64_t now_us)
{
	uint64_t at_us = m->sent_us + NEWS_GAP_US;

	if (at_us < now_us)
		at_us = now_us;
	if (at_us < m->next_us)
		m->next_us = at_us;
	m->retry_us = retry_first_us(m);
}

bool meeting_input(struct meeting *m, uint64_t now_us, const void *data, size_t length)
{
	struct rendezvous_message in;
	const struct sent *sent;

	if (rendezvous_decode(data, length, &in))
		return false;
	m->heard_us = now_us;
	if (is_over(m) || m->left)
		return true;
	if (in.class == STUN_INDICATION && in.method == RENDEZVOUS_NEWS) {
		/* it has no transaction of ours, but what nobody else can know */
		if (memcmp(in.session, m->view.session, sizeof(in.session)) != 0 ||
			sodium_memcmp(in.party, m->party, sizeof(m->party)) != 0)
			return true;
		take_news(m, now_us, &in);
		acknowledge(m, now_us);
		return true;
	}
	sent = find_sent(m, &in.id);
	if (in.method != RENDEZVOUS_JOIN || !sent ||
		(in.class != STUN_SUCCESS && in.class != STUN_ERROR))
		return true;
	take_answer(m, now_us, sent, &in);
	return true;
}
