// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "lab/nat_private.h"
#include "wire/syn.h"

/*
 * Which TCP segments can belong to a connection, for somebody who sees both directions (G. van Rooij,
 * "Real Stateful TCP Packet Filtering in IP Filter", as Linux has it): data may be sent up to where
 * the other side has let it, not before what it has acknowledged and a window, and acknowledged
 * may be what was sent and not much less.
 */

#define ACK_SLACK_MIN 66000 /* what an acknowledgment may lag behind at least (MAXACKWINCONST) */

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static uint32_t at_least_one(uint32_t window)
{
	return window ? window : 1;
}

uint32_t nat_window_end(const struct packet *p)
{
	return p->sequence + (uint32_t)p->payload_length + !!(p->flags & PACKET_SYN) +
		!!(p->flags & PACKET_FIN);
}

bool nat_window_scale(const struct packet *p, uint8_t *scale)
{
	struct syn_options options;

	syn_read_options(packet_tcp_options(p), &options);
	*scale = options.scale > SYN_SCALE_MAX ? SYN_SCALE_MAX : options.scale;
	return options.has & SYN_SCALE;
}

static void begin_with_syn(struct nat_stream *s, const struct packet *p)
{
	s->end = s->limit = nat_window_end(p);
	s->window = at_least_one(p->window);
	s->scales = nat_window_scale(p, &s->scale);
}

void nat_window_start(struct nat_track *track, const struct packet *p, bool picked_up)
{
	struct nat_stream *client = &track->stream[0];

	memset(track, 0, sizeof(*track));
	begin_with_syn(client, p);
	if (!picked_up)
		return;
	client->limit = client->end + client->window;
	track->liberal = true;
}

/* The first segment of a side, or another SYN before the connection stands (RFC 9293 3.4). */
static void begin(struct nat_track *track, const struct packet *p, unsigned from)
{
	struct nat_stream *sender = &track->stream[from], *receiver = &track->stream[!from];

	if (p->flags & PACKET_SYN) {
		begin_with_syn(sender, p);
		if (from && (!sender->scales || !receiver->scales)) /* RFC 7323 1.3: both or none */
			sender->scale = receiver->scale = 0;
		return;
	}
	sender->end = nat_window_end(p);
	sender->window = at_least_one((uint32_t)p->window << sender->scale);
	sender->limit = sender->end + sender->window;
	if (!receiver->window)
		receiver->end = receiver->limit = p->acknowledgment;
}

struct bounds {
	uint32_t start, end, ack;
};

static enum nat_fit fit_of(
	const struct nat_stream *sender, const struct nat_stream *receiver, const struct bounds *b)
{
	uint32_t slack = sender->window > ACK_SLACK_MIN ? sender->window : ACK_SLACK_MIN;
	bool too_old = !is_after(b->end, sender->end - receiver->window - 1);
	bool lags = !is_after(b->ack, receiver->end - slack - 1);

	if (is_after(b->ack, receiver->end))
		return NAT_FITS_NOT;
	if (is_after(b->start, sender->limit)) {
		/* some send a little more than they may, and the other side takes it */
		bool little = b->end - sender->limit + 1 <= receiver->window;

		return receiver->window && !too_old && !lags && little ? NAT_FITS_BARELY
								       : NAT_FITS_NOT;
	}
	return (receiver->window && too_old) || lags ? NAT_FITS_BARELY : NAT_FITS;
}

static void note_acknowledgment(struct nat_stream *sender, uint32_t acknowledgment)
{
	if (!sender->acknowledges || is_after(acknowledgment, sender->acknowledged))
		sender->acknowledged = acknowledgment;
	sender->acknowledges = true;
}

static void note(struct nat_stream *sender, struct nat_stream *receiver, const struct packet *p,
	const struct bounds *b)
{
	uint32_t window = p->window;

	if (!(p->flags & PACKET_SYN)) /* whose window is never scaled (RFC 7323 2.2) */
		window <<= sender->scale;
	if (sender->window < window)
		sender->window = window;
	if (is_after(b->end, sender->end))
		sender->end = b->end;
	if (p->flags & PACKET_ACK)
		note_acknowledgment(sender, b->ack);
	if (receiver->window && is_after(b->end, sender->limit))
		receiver->window += b->end - sender->limit;
	if (is_after(b->ack + at_least_one(window), receiver->limit))
		receiver->limit = b->ack + at_least_one(window);
}

enum nat_fit nat_window_take(struct nat_track *track, const struct packet *p, unsigned from,
	enum nat_tcp_state state, bool strict)
{
	struct nat_stream *sender = &track->stream[from], *receiver = &track->stream[!from];
	struct bounds b = {p->sequence, nat_window_end(p), p->acknowledgment};
	bool syn = p->flags & PACKET_SYN, ack = p->flags & PACKET_ACK;
	bool opening = state == NAT_TCP_SYN_SENT || state == NAT_TCP_SYN_RECEIVED;
	enum nat_fit fit = NAT_FITS;

	if (!sender->window || (syn && opening && is_after(b.end, sender->end))) {
		begin(track, p, from);
		if (syn && !ack)
			return NAT_FITS;
	}
	/* some put zeros where a RST has nothing to say */
	if (!ack || (p->flags & PACKET_RST && !b.ack))
		b.ack = receiver->end;
	if (p->flags & PACKET_RST && !b.start && state == NAT_TCP_SYN_SENT)
		b.start = b.end = sender->end;
	if (strict && !track->liberal)
		fit = fit_of(sender, receiver, &b);
	if (fit == NAT_FITS)
		note(sender, receiver, p, &b);
	else if (fit == NAT_FITS_BARELY && is_after(b.start, sender->limit))
		sender->end = b.end; /* so that it may be acknowledged */
	return fit;
}

void nat_window_resync(struct nat_track *track)
{
	const struct nat_last *last = &track->last;
	struct nat_stream *sender = &track->stream[last->from];

	memset(track->stream, 0, sizeof(track->stream));
	sender->end = sender->limit = last->end;
	sender->window = at_least_one(last->window);
	sender->scale = last->scale;
	sender->scales = last->scales;
	track->closing = track->challenged = false;
}
