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
	if (picked_up) {
		s->state = NAT_TCP_ESTABLISHED;
		nat_session_restart(nat, session);
	}
	return 0;
}

/* The same endpoints begin anew, and either of them may. */
static enum nat_verdict reopen(
	struct nat *nat, uint32_t session, const struct packet *p, bool outward)
{
	struct nat_session *s = session_at(nat, session);

	s->from_outside = !outward;
	s->both_ways = false;
	s->state = NAT_TCP_SYN_SENT;
	nat_window_start(nat_pool_at(&nat->tracks, s->track), p, false);
	nat_session_restart(nat, session);
	return NAT_TAKE;
}

enum nat_verdict nat_tcp_take(
	struct nat *nat, uint32_t session, const struct packet *p, bool outward)
{
	struct nat_session *s = session_at(nat, session);
	const struct nat_tcp *config = &nat->config.tcp;
	bool client = outward != s->from_outside;
	enum segment segment = segment_of(p);
	unsigned next = next_state(s->state, segment, client);

	if (next == INVALID)
		return NAT_INVALID;
	if (next == NAT_TCP_SYN_SENT2 && !config->simultaneous_open)
		return NAT_INVALID;
	if (next == IGNORED)
		return NAT_TAKE_UNCHANGED;
	if (next == NAT_TCP_SYN_SENT && s->state >= NAT_TCP_TIME_WAIT)
		return reopen(nat, session, p, outward);
	if (!nat_window_take(nat_pool_at(&nat->tracks, s->track), p, !client,
		    (enum nat_tcp_state)s->state, config->strict_sequence))
		return NAT_INVALID;
	if (segment == SEGMENT_RST && !s->both_ways && config->reset_ends_at_once)
		return NAT_TAKE_AND_END;
	if (next != s->state) {
		s->state = (uint8_t)next;
		nat_session_restart(nat, session);
	}
	return NAT_TAKE;
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
