// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "lab/nat_private.h"
#include "wire/checksum.h"

/*
 * NPTv6 (RFC 6296): another prefix, and another word changed so that no checksum over the address changes.
 * There is no state, and so no filter.
 */

enum { UNREACHABLE6 = 1, NO_ROUTE6 = 0 };

static uint16_t word_at(const struct endpoint *e, unsigned i)
{
	return (uint16_t)(e->address[2 * i] << 8 | e->address[2 * i + 1]);
}

static bool has_prefix(const struct endpoint *e, const struct endpoint *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (e->family != FAMILY_IPV6 || memcmp(e->address, prefix->address, bytes))
		return false;
	return !rest || !((e->address[bytes] ^ prefix->address[bytes]) >> (8 - rest));
}

/*
 * The word that makes up for the prefix: that of the subnet up to /48 (3.2), else the first one of the
 * interface identifier that is not all ones, which has no counterpart (3.5); 0: there is none.
 */
static unsigned adjusted_word(const struct endpoint *e, unsigned bits)
{
	if (bits <= 48)
		return word_at(e, 3) == UINT16_MAX ? 0 : 3;
	for (unsigned i = 4; i < 8; i++)
		if (word_at(e, i) != UINT16_MAX)
			return i;
	return 0;
}

static bool translate(struct endpoint *e, const struct endpoint *to, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8, word = adjusted_word(e, bits);
	uint16_t before = checksum_sum(e->address, 16), sum;

	if (!word)
		return false;
	memcpy(e->address, to->address, bytes);
	if (rest) {
		uint8_t mask = (uint8_t)(0xff << (8 - rest));

		e->address[bytes] =
			(uint8_t)((to->address[bytes] & mask) | (e->address[bytes] & ~mask));
	}
	sum = checksum_fold(
		(uint32_t)before + (uint16_t)~checksum_sum(e->address, 16) + word_at(e, word));
	if (sum == UINT16_MAX) /* the other zero (3.1) */
		sum = 0;
	e->address[2 * word] = (uint8_t)(sum >> 8);
	e->address[2 * word + 1] = (uint8_t)sum;
	return true;
}

static bool to_outside(const struct nat_config *c, struct endpoint *e)
{
	return has_prefix(e, &c->prefix_inside, c->prefix_bits) &&
		translate(e, &c->prefix_outside, c->prefix_bits);
}

static bool to_inside(const struct nat_config *c, struct endpoint *e)
{
	return has_prefix(e, &c->prefix_outside, c->prefix_bits) &&
		translate(e, &c->prefix_inside, c->prefix_bits);
}

/* What an error quotes is about a packet that went the other way. */
static void change_quoted(struct nat_work *w)
{
	const struct nat_config *c = &w->nat->config;
	struct packet quoted;

	if (w->packet.protocol != PACKET_ERROR || packet_decode_quoted(&w->packet, &quoted))
		return;
	if (w->side == NAT_INSIDE && to_outside(c, &quoted.destination))
		packet_set_quoted_destination(&w->packet, &quoted.destination);
	if (w->side == NAT_OUTSIDE && to_inside(c, &quoted.source))
		packet_set_quoted_source(&w->packet, &quoted.source);
}

static enum nat_reason go_outward(struct nat_work *w)
{
	const struct nat_config *c = &w->nat->config;
	struct endpoint from = w->packet.source, to = w->packet.destination;
	bool hairpin = has_prefix(&to, &c->prefix_outside, c->prefix_bits);

	if (!to_outside(c, &from)) {
		/* RFC 6296 3.4: a subnet that has no counterpart is told so */
		if (c->prefix_bits <= 48 && has_prefix(&from, &c->prefix_inside, c->prefix_bits))
			nat_answer_error(w, UNREACHABLE6, NO_ROUTE6);
		return NAT_DROP_ADDRESS;
	}
	if (hairpin && !to_inside(c, &to)) /* NPTv6 has to hairpin (RFC 6296 4) */
		return NAT_DROP_ADDRESS;
	if (nat_is_box_inside(w->nat, &to))
		return NAT_DROP_ACCEPTED;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	change_quoted(w);
	packet_set_source(&w->packet, &from);
	if (!hairpin)
		return nat_send(w, NAT_OUTSIDE, NAT_FORWARDED);
	packet_set_destination(&w->packet, &to);
	return nat_send(w, NAT_INSIDE, NAT_HAIRPINNED);
}

static enum nat_reason come_inward(struct nat_work *w)
{
	struct endpoint to = w->packet.destination;

	if (!to_inside(&w->nat->config, &to))
		return NAT_DROP_ADDRESS;
	if (nat_is_box_inside(w->nat, &to))
		return NAT_DROP_ACCEPTED;
	if (w->packet.protocol == PACKET_ERROR && !w->nat->config.errors.inward)
		return NAT_DROP_ERROR;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	change_quoted(w);
	packet_set_destination(&w->packet, &to);
	return nat_send(w, NAT_INSIDE, NAT_FORWARDED);
}

enum nat_reason nat_prefix(struct nat_work *w)
{
	if (w->packet.family != FAMILY_IPV6)
		return nat_route(w);
	if (w->side == NAT_OUTSIDE)
		return come_inward(w);
	if (nat_is_box_inside(w->nat, &w->packet.destination)) {
		nat_answer_as_host(w);
		return NAT_DROP_ACCEPTED;
	}
	return go_outward(w);
}
