// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/classic.h"
#include "wire/packet.h"

#define AGAIN_US 1000000u

bool classic_is_echo(struct span quoted, const struct endpoint *from, const struct endpoint *to)
{
	static const uint8_t zero[4]; /* identifier and sequence number */
	uint8_t bytes[CLASSIC_ECHO_BYTES];
	struct packet p;

	/* the IP header says how long it was: what lies behind that is not of it */
	if (quoted.length < sizeof(bytes))
		return false;
	memcpy(bytes, quoted.data, sizeof(bytes));
	if (packet_decode(bytes, sizeof(bytes), &p) || p.protocol != PACKET_ECHO || p.echo_reply)
		return false;
	return p.length == sizeof(bytes) && p.payload == sizeof(bytes) &&
		!memcmp(bytes + p.payload - sizeof(zero), zero, sizeof(zero)) &&
		endpoint_same_address(&p.source, from) && endpoint_same_address(&p.destination, to);
}

bool classic_add(
	struct classic_openings *o, uint64_t now_us, unsigned socket, const struct endpoint *to)
{
	struct classic_opening *place = NULL;

	for (size_t i = 0; i < CLASSIC_OPENINGS; i++) {
		struct classic_opening *p = &o->opening[i];

		if (p->until_us > now_us && p->socket == socket && endpoint_equal(&p->to, to)) {
			if (now_us - p->at_us < AGAIN_US)
				return false;
			place = p;
			break;
		}
		if (p->until_us <= now_us && !place)
			place = p;
	}
	if (!place)
		return false;
	*place = (struct classic_opening){.socket = socket,
		.to = *to,
		.at_us = now_us,
		.until_us = now_us + CLASSIC_PERIOD_US,
		.due = true};
	return true;
}

const struct classic_opening *classic_take(struct classic_openings *o)
{
	for (size_t i = 0; i < CLASSIC_OPENINGS; i++) {
		if (!o->opening[i].due)
			continue;
		o->opening[i].due = false;
		return &o->opening[i];
	}
	return NULL;
}
