// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/* What the box itself sends back. */

#define TTL_OURS 64

enum {
	UNREACHABLE = 3,
	PORT_UNREACHABLE = 3,
	PROHIBITED = 13, /* RFC 1812 5.2.7.1 */
	UNREACHABLE6 = 1,
	NO_ROUTE6 = 0,
	PROHIBITED6 = 1, /* RFC 4443 3.1 */
	PORT_UNREACHABLE6 = 4,
};

/* The box's address on the side where the packet came in: if it is the box's, the one it was sent to. */
static bool own_address(const struct nat_work *w, struct endpoint *out)
{
	const struct nat_config *c = &w->nat->config;
	enum family family = w->packet.family;

	*out = w->packet.destination;
	if (nat_external_number(w->nat, out) >= 0 || nat_is_box_inside(w->nat, out))
		return true;
	if (w->side == NAT_INSIDE) {
		*out = c->inside.family == family ? c->inside : c->inside6;
		return out->family == family;
	}
	for (size_t i = 0; i < c->external_count; i++) {
		*out = c->external[i];
		if (out->family == family)
			return true;
	}
	return false;
}

static bool send_answer(struct nat_work *w, int length)
{
	if (length <= 0)
		return false;
	w->out->answer = (struct nat_out){
		.side = w->side, .length = (size_t)length, .bytes = w->nat->answer};
	return true;
}

bool nat_answer_error(struct nat_work *w, uint8_t type, uint8_t code)
{
	struct endpoint from;

	if (!own_address(w, &from))
		return false;
	return send_answer(w,
		packet_build_error(
			w->nat->answer, sizeof(w->nat->answer), &from, &w->packet, type, code, 0));
}

/* RFC 7915 4.2 */
static uint8_t code_of_ipv6(uint8_t code)
{
	switch (code) {
	case PORT_UNREACHABLE:
		return PORT_UNREACHABLE6;
	case 9:
	case 10:
	case PROHIBITED:
	case 15:
		return PROHIBITED6;
	default:
		return NO_ROUTE6;
	}
}

bool nat_answer_unreachable(struct nat_work *w, uint8_t code)
{
	if (w->packet.family == FAMILY_IPV4)
		return nat_answer_error(w, UNREACHABLE, code);
	return nat_answer_error(w, UNREACHABLE6, code_of_ipv6(code));
}

void nat_answer_limit(struct nat_work *w, enum nat_reason reason)
{
	bool limit = reason == NAT_DROP_NO_PORT || reason == NAT_DROP_TABLE_FULL ||
		reason == NAT_DROP_RATE;

	if (limit && w->nat->config.limits.tell)
		nat_answer_unreachable(w, PROHIBITED);
}

static bool answer_echo(struct nat_work *w)
{
	const struct packet *p = &w->packet;
	const uint8_t *header = &p->bytes[p->transport];
	uint16_t sequence = (uint16_t)(header[6] << 8 | header[7]);

	if (p->echo_reply || p->more_fragments)
		return false;
	return send_answer(w,
		packet_build_echo(w->nat->answer, sizeof(w->nat->answer), &p->destination,
			&p->source, TTL_OURS, true, sequence, &p->bytes[p->payload],
			p->payload_length));
}

bool nat_answer_as_host(struct nat_work *w)
{
	switch (w->packet.protocol) {
	case PACKET_TCP:
		return send_answer(w,
			packet_build_reset(
				w->nat->answer, sizeof(w->nat->answer), &w->packet, TTL_OURS));
	case PACKET_ECHO:
		return answer_echo(w);
	case PACKET_UDP:
		return nat_answer_unreachable(w, PORT_UNREACHABLE);
	default:
		return false;
	}
}
