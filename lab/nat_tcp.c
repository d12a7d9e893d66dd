// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "lab/nat_private.h"

/*
 * The state of a TCP connection as somebody on the path sees it, the way Linux does it
 * (nf_conntrack_proto_tcp.c): some segments are against the protocol, and others may mean that the two
 * ends are in sync and the observer is not; those pass without changing anything.
 */

enum segment { SEGMENT_SYN, SEGMENT_SYN_ACK, SEGMENT_FIN, SEGMENT_ACK, SEGMENT_RST, SEGMENT_BAD };

enum { INVALID = NAT_TCP_STATES, IGNORED };

static enum segment segment_of(const struct packet *p)
{
	switch (p->flags & (PACKET_FIN | PACKET_SYN | PACKET_RST | PACKET_ACK)) {
	case PACKET_SYN:
		return SEGMENT_SYN;
	case PACKET_SYN | PACKET_ACK:
		return SEGMENT_SYN_ACK;
	case PACKET_FIN | PACKET_ACK:
		return SEGMENT_FIN;
	case PACKET_ACK:
		return SEGMENT_ACK;
	case PACKET_RST:
	case PACKET_RST | PACKET_ACK:
		return SEGMENT_RST;
	default:
		return SEGMENT_BAD;
	}
}

static unsigned after_syn(unsigned state, bool client)
{
	switch (state) {
	case NAT_TCP_SYN_SENT:
		return client ? NAT_TCP_SYN_SENT : NAT_TCP_SYN_SENT2;
	case NAT_TCP_SYN_SENT2:
		return NAT_TCP_SYN_SENT2;
	case NAT_TCP_TIME_WAIT: /* RFC 9293 3.6.1: the next connection of the same endpoints */
		return NAT_TCP_SYN_SENT;
	case NAT_TCP_CLOSED:
		return client ? (unsigned)NAT_TCP_SYN_SENT : (unsigned)INVALID;
	default:
		return client ? IGNORED : INVALID;
	}
}

static unsigned after_syn_ack(unsigned state, bool client)
{
	bool opening = state == NAT_TCP_SYN_SENT || state == NAT_TCP_SYN_SENT2;

	if (!client)
		return opening ? (unsigned)NAT_TCP_SYN_RECEIVED : (unsigned)IGNORED;
	/* the one who sent the first SYN does so only in a simultaneous open */
	if (state == NAT_TCP_SYN_SENT2 || state == NAT_TCP_SYN_RECEIVED)
		return NAT_TCP_SYN_RECEIVED;
	return INVALID;
}

static unsigned after_fin(unsigned state)
{
	switch (state) {
	case NAT_TCP_SYN_SENT:
	case NAT_TCP_SYN_SENT2:
		return INVALID;
	case NAT_TCP_SYN_RECEIVED:
	case NAT_TCP_ESTABLISHED:
		return NAT_TCP_FIN_WAIT;
	case NAT_TCP_FIN_WAIT:
	case NAT_TCP_CLOSE_WAIT:
		return NAT_TCP_LAST_ACK;
	default:
		return state;
	}
}

static unsigned after_ack(unsigned state, bool client)
{
	switch (state) {
	case NAT_TCP_SYN_SENT:
	case NAT_TCP_SYN_SENT2:
		return client ? INVALID : IGNORED;
	case NAT_TCP_SYN_RECEIVED:
		return client ? NAT_TCP_ESTABLISHED : NAT_TCP_SYN_RECEIVED;
	case NAT_TCP_FIN_WAIT:
		return NAT_TCP_CLOSE_WAIT;
	case NAT_TCP_LAST_ACK:
		return NAT_TCP_TIME_WAIT;
	default:
		return state;
	}
}

static unsigned next_state(unsigned state, enum segment segment, bool client)
{
	switch (segment) {
	case SEGMENT_SYN:
		return after_syn(state, client);
	case SEGMENT_SYN_ACK:
		return after_syn_ack(state, client);
	case SEGMENT_FIN:
		return after_fin(state);
	case SEGMENT_ACK:
		return after_ack(state, client);
	case SEGMENT_RST:
		return NAT_TCP_CLOSED;
	default:
		return INVALID;
	}
}

static void note_last(struct nat_track *track, const struct packet *p, unsigned from)
{
	struct nat_last *last = &track->last;

	last->segment = (uint8_t)segment_of(p);
	last->from = (uint8_t)from;
	last->end = nat_window_end(p);
	last->acknowledgment = p->acknowledgment;
	last->window = p->window;
	last->scales = last->segment == SEGMENT_SYN && nat_window_scale(p, &last->scale);
	if (!last->scales)
		last->scale = 0;
}

bool nat_tcp_opens(const struct nat *nat, const struct packet *p, bool outward)
{
	enum segment segment = segment_of(p);

	if (segment == SEGMENT_SYN)
		return true;
	if (!nat->config.tcp.pick_up || segment != SEGMENT_ACK)
		return false;
	return outward || behaviour_of(nat, NAT_TCP)->unfiltered;
}

int nat_tcp_start(struct nat *nat, uint32_t session, const struct packet *p)
{
	struct nat_session *s = session_at(nat, session);
	bool picked_up = segment_of(p) != SEGMENT_SYN;

	s->track = nat_pool_take(&nat->tracks);
	if (!s->track)
		return -ENOMEM;
	nat_window_start(nat_pool_at(&nat->tracks, s->track), p, picked_up);
	nat_renumber_start(nat, nat_pool_at(&nat->tracks, s->track), p);
	note_last(nat_pool_at(&nat->tracks, s->track), p, 0);
	if (picked_up) {
		s->state = NAT_TCP_ESTABLISHED;
		nat_session_restart(nat, session);
	}
	return 0;
}

/* --- a segment of a session --- */

struct segment_work {
	struct nat *nat;
	const struct packet *p;
	uint32_t session;
	struct nat_session *s;
	struct nat_track *track;
	enum segment segment;
	unsigned from; /* 0 the client, 1 the server */
	unsigned next; /* state */
	bool outward;
};

/*
 * The same endpoints begin anew. The port is kept where it belongs to the inside endpoint and not to the
 * connection; from outside it is an answer to nothing.
 */
static enum nat_verdict reopen(struct segment_work *w)
{
	const struct nat_behaviour *b = behaviour_of(w->nat, NAT_TCP);

	if ((w->outward ? b->mapping : b->filtering) == NAT_ADDRESS_AND_PORT_DEPENDENT)
		return NAT_TAKE_ANEW;
	w->s->from_outside = !w->outward;
	w->s->both_ways = false;
	w->s->state = NAT_TCP_SYN_SENT;
	nat_window_start(w->track, w->p, false);
	nat_renumber_start(w->nat, w->track, w->p);
	note_last(w->track, w->p, 0);
	nat_session_restart(w->nat, w->session);
	return NAT_TAKE;
}

static enum nat_verdict take_unchanged(struct segment_work *w)
{
	if (w->from)
		w->s->both_ways = true;
	return NAT_TAKE_UNCHANGED;
}

/*
 * It may be that the two ends are in sync and we are not: a SYN in a connection that stands is let through,
 * and if the other side takes it, so do we. True: it does.
 */
static bool resync(struct segment_work *w)
{
	struct nat_last *last = &w->track->last;

	if (w->segment == SEGMENT_SYN_ACK && last->segment == SEGMENT_SYN &&
		last->from != w->from && w->p->acknowledgment == last->end) {
		nat_window_resync(w->track);
		w->next = NAT_TCP_SYN_RECEIVED;
		return true;
	}
	note_last(w->track, w->p, w->from);
	w->track->challenged = w->segment == SEGMENT_SYN && w->s->state == NAT_TCP_LAST_ACK;
	return false;
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Whether a RST is sure to be believed by who gets it, so that its place in the window is no matter. */
static bool is_believed(const struct segment_work *w)
{
	const struct nat_last *last = &w->track->last;

	if (w->s->state >= NAT_TCP_FIN_WAIT)
		return true;
	/* it is about a SYN or an ACK that was let through */
	if (w->p->acknowledgment == last->end &&
		((w->s->both_ways && last->segment == SEGMENT_SYN) ||
			(!w->track->assured && last->segment == SEGMENT_ACK)))
		return true;
	/* the client's, about an ACK that its SYN was answered with (RFC 9293 3.10.7.3) */
	return w->s->state == NAT_TCP_SYN_SENT && last->segment == SEGMENT_ACK && last->from == 1 &&
		w->p->sequence == last->acknowledgment;
}

/*
 * RFC 5961 3.2: a RST counts if its number is the one that is awaited; else who gets it asks, and the
 * connection may go on. False: it is older than that.
 */
static bool weigh_reset(struct segment_work *w)
{
	const struct nat_stream *receiver = &w->track->stream[!w->from];
	const struct nat_last *last = &w->track->last;
	bool stands = w->s->state == NAT_TCP_ESTABLISHED && w->track->assured;
	uint32_t sequence = w->p->sequence;

	if (!receiver->acknowledges || last->segment == SEGMENT_SYN || (!sequence && !stands))
		return true;
	if (is_before(sequence, receiver->acknowledged))
		return false;
	if (!stands || sequence == receiver->acknowledged)
		return true;
	if (last->segment != SEGMENT_ACK || last->from != w->from || sequence != last->end)
		w->next = w->s->state;
	return true;
}

/* What it means, now that it may be. */
static enum nat_verdict conclude(struct segment_work *w)
{
	struct nat_session *s = w->s;
	unsigned before = s->state;

	note_last(w->track, w->p, w->from);
	if (w->next == NAT_TCP_ESTABLISHED && s->both_ways &&
		(before == NAT_TCP_SYN_RECEIVED || before == NAT_TCP_ESTABLISHED))
		w->track->assured = true;
	if (w->next == NAT_TCP_FIN_WAIT)
		w->track->closing = true;
	s->state = (uint8_t)w->next;
	if (w->segment == SEGMENT_RST && !s->both_ways && w->nat->config.tcp.reset_ends_at_once)
		return NAT_TAKE_AND_END;
	if (w->segment == SEGMENT_RST && w->next == before) {
		nat_session_set_end(w->nat, w->session,
			nat_add_time(w->nat->now_us, w->nat->config.tcp.state_us[NAT_TCP_CLOSED]));
		return take_unchanged(w);
	}
	/* who sends nothing but SYN does not hold the port for ever */
	if (w->segment == SEGMENT_SYN && before == NAT_TCP_SYN_SENT && !s->both_ways)
		return take_unchanged(w);
	if (w->next != before)
		nat_session_restart(w->nat, w->session);
	return NAT_TAKE;
}

static enum nat_verdict check_window(struct segment_work *w)
{
	switch (nat_window_take(w->track, w->p, w->from, (enum nat_tcp_state)w->s->state,
		w->nat->config.tcp.strict_sequence)) {
	case NAT_FITS:
		return conclude(w);
	case NAT_FITS_BARELY:
		return take_unchanged(w);
	default:
		return NAT_INVALID;
	}
}

static enum nat_verdict take_reset(struct segment_work *w)
{
	if (w->s->state < NAT_TCP_FIN_WAIT && !weigh_reset(w))
		return NAT_INVALID;
	return is_believed(w) ? conclude(w) : check_window(w);
}

static enum nat_verdict take_segment(struct segment_work *w)
{
	struct nat_track *track = w->track;
	unsigned state = w->s->state;
	bool ack_of_server = w->segment == SEGMENT_ACK && w->from;

	if (w->next == NAT_TCP_SYN_SENT2) {
		if (!w->nat->config.tcp.simultaneous_open)
			return NAT_INVALID;
		track->simultaneous = true;
	}
	if (w->next == NAT_TCP_SYN_RECEIVED && ack_of_server && track->simultaneous)
		w->next = NAT_TCP_ESTABLISHED;
	if (w->next == NAT_TCP_TIME_WAIT && state == NAT_TCP_LAST_ACK && track->challenged &&
		track->last.segment == SEGMENT_SYN && track->last.from != w->from) {
		track->challenged = false;
		return take_unchanged(w);
	}
	return w->segment == SEGMENT_RST ? take_reset(w) : check_window(w);
}

enum nat_verdict nat_tcp_take(
	struct nat *nat, uint32_t session, const struct packet *p, bool outward)
{
	struct nat_session *s = session_at(nat, session);
	bool client = outward != s->from_outside;
	struct segment_work w = {
		.nat = nat,
		.p = p,
		.session = session,
		.s = s,
		.track = nat_pool_at(&nat->tracks, s->track),
		.segment = segment_of(p),
		.from = !client,
		.outward = outward,
	};
	const struct nat_last *last = &w.track->last;

	w.next = next_state(s->state, w.segment, client);
	if (w.next == INVALID)
		return NAT_INVALID;
	if (w.next == NAT_TCP_SYN_SENT && s->state >= NAT_TCP_TIME_WAIT) {
		if (w.track->closing || (last->segment == SEGMENT_RST && last->from == w.from))
			return reopen(&w);
		w.next = IGNORED;
	}
	if (w.next == IGNORED && !resync(&w))
		return take_unchanged(&w);
	return take_segment(&w);
}

const char *nat_tcp_state_name(unsigned state)
{
	static const char *const names[NAT_TCP_STATES] = {
		[NAT_TCP_SYN_SENT] = "syn-sent",
		[NAT_TCP_SYN_SENT2] = "syn-sent2",
		[NAT_TCP_SYN_RECEIVED] = "syn-received",
		[NAT_TCP_ESTABLISHED] = "established",
		[NAT_TCP_FIN_WAIT] = "fin-wait",
		[NAT_TCP_CLOSE_WAIT] = "close-wait",
		[NAT_TCP_LAST_ACK] = "last-ack",
		[NAT_TCP_TIME_WAIT] = "time-wait",
		[NAT_TCP_CLOSED] = "closed",
	};

	return state < NAT_TCP_STATES ? names[state] : "";
}
