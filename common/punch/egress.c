// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "punch/egress.h"
#include "wire/icmp.h"

#define TRIES	   3
#define TRY_US	   400000u
#define ERRORS	   4
#define BETWEEN_US 50000u
#define ARRIVE_US  250000u /* and then it is asked what has come */

_Static_assert(ICMP_TOKEN_BYTES == sizeof(((struct knock_egress *)NULL)->token), "of the wire");
_Static_assert(ICMP_COOKIE_MAX == sizeof(((struct knock_egress *)NULL)->cookie), "of the wire");

static void new_request(struct knock_egress *e, uint64_t at_us)
{
	random_bytes(&e->random, e->id.bytes, sizeof(e->id.bytes));
	memcpy(e->id.bytes, (uint8_t[]){0x21, 0x12, 0xa4, 0x42}, 4);
	e->tries = 0;
	e->due_us = at_us;
}

void egress_begin(struct knock_egress *e, uint64_t now_us, const struct endpoint *server,
	const struct endpoint *dark, const struct random *random)
{
	*e = (struct knock_egress){.server = *server, .dark = *dark, .random = *random};
	random_bytes(&e->random, e->token, sizeof(e->token));
	new_request(e, now_us);
}

bool egress_is_done(const struct knock_egress *e)
{
	return e->result.state >= KNOCK_EGRESS_UNKNOWN;
}

static bool ask(struct knock_egress *e, uint64_t now_us, struct knock_output *out)
{
	struct icmp_inquiry m = {.class = STUN_REQUEST,
		.id = e->id,
		.ask = ICMP_ASK_SEEN,
		.cookie = {e->cookie, e->cookie_length}};
	int length;

	memcpy(m.token, e->token, sizeof(m.token));
	*out = (struct knock_output){.action = KNOCK_SEND, .to = e->server};
	length = icmp_encode(&m, out->data, sizeof(out->data), 0);
	out->length = length > 0 ? (size_t)length : 0;
	e->tries++;
	e->due_us = now_us + TRY_US;
	return length > 0;
}

static bool send_error(struct knock_egress *e, uint64_t now_us, struct knock_output *out)
{
	*out = (struct knock_output){.action = KNOCK_ERROR,
		.to = e->server,
		.quoted_from = e->server,
		.quoted_to = e->dark,
		.length = ICMP_MARK_BYTES};
	icmp_write_mark(e->token, out->data);
	knock_kind(e->server.family, e->turn, &out->type, &out->code);
	e->turn++;
	e->result.sent++;
	e->due_us = now_us + BETWEEN_US;
	if (e->turn == ERRORS)
		new_request(e, now_us + ARRIVE_US);
	return true;
}

bool egress_poll(
	struct knock_egress *e, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	if (egress_is_done(e))
		return false;
	if (now_us < e->due_us) {
		if (e->due_us < *deadline_us)
			*deadline_us = e->due_us;
		return false;
	}
	if (e->result.state == KNOCK_EGRESS_SENDING && e->turn < ERRORS)
		return send_error(e, now_us, out);
	if (e->tries < TRIES)
		return ask(e, now_us, out);
	e->result.state = KNOCK_EGRESS_UNKNOWN;
	return false;
}

void egress_unsent(struct knock_egress *e)
{
	if (e->result.sent)
		e->result.sent--;
}

/* --- answers --- */

static void take_cookie(struct knock_egress *e, uint64_t now_us, struct span cookie)
{
	bool again = e->cookie_length && e->tries > 1;

	if (cookie.length > sizeof(e->cookie) || again)
		return; /* it does not take its own cookies, or not from here: tries are limited */
	memcpy(e->cookie, cookie.data, cookie.length);
	e->cookie_length = cookie.length;
	random_bytes(&e->random, e->id.bytes + 4, sizeof(e->id.bytes) - 4);
	e->due_us = now_us;
}

static void take_records(struct knock_egress *e, const struct icmp_inquiry *m)
{
	e->result.seen = 0;
	for (size_t i = 0; i < m->record_count; i++)
		if (m->records[i].kind == ICMP_KIND_ERROR) {
			e->result.seen++;
			e->result.from = m->records[i].from;
		}
	e->result.from.port = 0;
	if (e->result.seen)
		e->result.state = KNOCK_EGRESS_OUT;
	else if (e->result.sent)
		e->result.state = KNOCK_EGRESS_DROPPED;
	else
		e->result.state = KNOCK_EGRESS_UNKNOWN;
}

bool egress_input(struct knock_egress *e, uint64_t now_us, const void *data, size_t length)
{
	struct icmp_inquiry m;

	if (!icmp_looks_like(data, length))
		return false;
	if (egress_is_done(e) || icmp_decode(data, length, &m) || !stun_id_equal(&m.id, &e->id))
		return true;
	if (m.class == STUN_ERROR && m.error_code == ICMP_STALE) {
		take_cookie(e, now_us, m.cookie);
	} else if (m.class == STUN_ERROR) {
		e->result.state = KNOCK_EGRESS_UNKNOWN;
	} else if (m.class == STUN_SUCCESS && m.ask == ICMP_ASK_SEEN) {
		if (e->result.state == KNOCK_EGRESS_ASKING) {
			e->result.state = KNOCK_EGRESS_SENDING;
			e->due_us = now_us;
		} else if (e->turn == ERRORS) {
			take_records(e, &m);
		}
	}
	return true;
}
