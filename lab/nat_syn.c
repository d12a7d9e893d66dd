// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"
#include "wire/syn.h"

/* What routers do to SYNs besides: a smaller MSS, so that segments fit into a tunnel, and options that are taken out. */

static enum syn_option option_of(uint8_t kind)
{
	switch (kind) {
	case TCP_OPTION_SCALE:
		return SYN_SCALE;
	case TCP_OPTION_SACK:
		return SYN_SACK;
	case TCP_OPTION_TIMESTAMPS:
		return SYN_TIMESTAMPS;
	default:
		return 0;
	}
}

static void clamp(struct packet *p, size_t at, struct span value, uint16_t mss)
{
	const uint8_t to[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};

	if (value.length == 2 && (value.data[0] << 8 | value.data[1]) > mss)
		packet_replace_options(p, at + 2, to, sizeof(to));
}

static void strip(struct packet *p, size_t at, size_t length)
{
	static const uint8_t nop = TCP_OPTION_NOP;

	for (size_t i = 0; i < length; i++)
		packet_replace_options(p, at + i, &nop, 1);
}

void nat_syn_change(const struct nat *nat, struct packet *p)
{
	const struct nat_syn *syn = &nat->config.syn;
	struct span options = packet_tcp_options(p), value;
	struct reader r = reader_over(options.data, options.length);
	uint8_t kind;
	size_t at;

	if ((!syn->mss && !syn->strip) || !(p->flags & PACKET_SYN))
		return;
	while (tcp_option_next(&r, &kind, &at, &value)) {
		if (kind == TCP_OPTION_MSS && syn->mss)
			clamp(p, at, value, syn->mss);
		else if (option_of(kind) & syn->strip)
			strip(p, at, 2 + value.length);
	}
}

/* --- other sequence numbers --- */

static uint32_t shift_of(const struct nat *nat, uint32_t session)
{
	const struct nat_session *s = session_at(nat, session);
	const struct nat_track *track;

	if (!nat->config.syn.renumber || s->kind != NAT_SESSION_PEER ||
		s->remote.transport != NAT_TCP || !s->track)
		return 0;
	track = nat_pool_at(&nat->tracks, s->track);
	return track->shift;
}

void nat_renumber_start(struct nat *nat, struct nat_track *track, const struct packet *p)
{
	if (nat->config.syn.renumber && p->flags & PACKET_SYN)
		track->shift = 1 + random_below(&nat->random, UINT32_MAX);
}

void nat_renumber_outward(const struct nat *nat, uint32_t session, struct packet *p)
{
	uint32_t shift = shift_of(nat, session);

	if (shift)
		packet_set_numbers(p, p->sequence + shift, p->acknowledgment);
}

/* The edges of blocks that have come (RFC 2018 3). */
static void renumber_blocks(struct packet *p, uint32_t shift)
{
	struct span options = packet_tcp_options(p), value;
	struct reader r = reader_over(options.data, options.length);
	uint8_t kind;
	size_t at;

	while (tcp_option_next(&r, &kind, &at, &value)) {
		struct reader edges = reader_over(value.data, value.length);

		for (size_t i = at + 2; kind == TCP_OPTION_BLOCKS && reader_left(&edges) >= 4;
			i += 4) {
			uint32_t edge = reader_u32(&edges) - shift;
			const uint8_t to[4] = {(uint8_t)(edge >> 24), (uint8_t)(edge >> 16),
				(uint8_t)(edge >> 8), (uint8_t)edge};

			packet_replace_options(p, i, to, sizeof(to));
		}
	}
}

void nat_renumber_inward(const struct nat *nat, uint32_t session, struct packet *p, bool back)
{
	uint32_t shift = shift_of(nat, session);

	if (!shift || !(p->flags & PACKET_ACK))
		return;
	if (back)
		shift = -shift;
	packet_set_numbers(p, p->sequence, p->acknowledgment - shift);
	renumber_blocks(p, shift);
}

void nat_renumber_quoted(
	const struct nat *nat, uint32_t session, const struct packet *quoted, struct packet *error)
{
	uint32_t shift = shift_of(nat, session);

	if (shift)
		packet_set_quoted_sequence(error, quoted->sequence - shift);
}
