// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lab/nat_private.h"

/* What becomes of packets from outside that nobody inside has asked for. */

#define PORT_UNREACHABLE 3
#define LATE_MAX	 256 /* answers that wait; when there are more, the oldest is never sent */

/* Answers to unsolicited SYN, which wait for their time (RFC 5382 REQ-4). */
struct nat_late {
	struct late_answer {
		uint64_t due_us;
		struct nat_point external, remote;
		uint8_t *bytes; /* NULL: it was forgotten */
		size_t length;
	} answers[LATE_MAX];
	size_t first, count;
};

static struct late_answer *answer_at(struct nat_late *late, size_t i)
{
	return &late->answers[(late->first + i) % LATE_MAX];
}

static void drop_first(struct nat_late *late)
{
	free(late->answers[late->first].bytes);
	late->answers[late->first].bytes = NULL;
	late->first = (late->first + 1) % LATE_MAX;
	late->count--;
}

static struct late_answer *find_late(
	struct nat *nat, const struct nat_point *external, const struct nat_point *remote)
{
	for (size_t i = 0; nat->late && i < nat->late->count; i++) {
		struct late_answer *a = answer_at(nat->late, i);

		if (a->bytes && nat_point_equal(&a->remote, remote) &&
			nat_point_equal(&a->external, external))
			return a;
	}
	return NULL;
}

void nat_late_forget(
	struct nat *nat, const struct nat_point *external, const struct nat_point *remote)
{
	struct late_answer *a =
		external->transport == NAT_TCP ? find_late(nat, external, remote) : NULL;

	if (!a)
		return;
	free(a->bytes);
	a->bytes = NULL;
}

bool nat_late_due(struct nat *nat, uint8_t **bytes, size_t *length, uint64_t *next_us)
{
	struct nat_late *late = nat->late;

	*next_us = UINT64_MAX;
	while (late && late->count) {
		struct late_answer *a = answer_at(late, 0);

		if (a->bytes && a->due_us > nat->now_us) {
			*next_us = a->due_us;
			return false;
		}
		*bytes = a->bytes;
		*length = a->length;
		a->bytes = NULL;
		drop_first(late);
		if (*bytes)
			return true;
	}
	return false;
}

void nat_late_free(struct nat *nat)
{
	while (nat->late && nat->late->count)
		drop_first(nat->late);
	free(nat->late);
	nat->late = NULL;
}

/* Puts off the answer that has just been made; one SYN sent again is answered once. */
static void put_off(
	struct nat_work *w, const struct nat_point *external, const struct nat_point *remote)
{
	struct nat *nat = w->nat;
	struct nat_out *answer = &w->out->answer;
	struct late_answer late = {.external = *external, .remote = *remote};

	if (!nat->late)
		nat->late = calloc(1, sizeof(*nat->late));
	if (nat->late && !find_late(nat, external, remote))
		late.bytes = malloc(answer->length);
	if (late.bytes) {
		memcpy(late.bytes, answer->bytes, answer->length);
		late.length = answer->length;
		late.due_us = nat_add_time(nat->now_us, nat->config.tcp.syn_silence_us);
		if (nat->late->count == LATE_MAX)
			drop_first(nat->late);
		*answer_at(nat->late, nat->late->count++) = late;
	}
	*answer = (struct nat_out){.length = 0};
}

static bool is_syn(const struct packet *p)
{
	return p->protocol == PACKET_TCP && p->flags & PACKET_SYN && !(p->flags & PACKET_ACK);
}

static enum nat_reason reject(struct nat_work *w, enum nat_reason why,
	const struct nat_point *external, const struct nat_point *remote)
{
	const struct nat_behaviour *b = behaviour_of(w->nat, w->transport);
	bool answered;

	if (b->unsolicited == NAT_REJECT_ICMP)
		answered = nat_answer_unreachable(w, b->icmp_code);
	else if (w->transport == NAT_TCP)
		answered = nat_answer_as_host(w);
	else
		answered = nat_answer_unreachable(w, PORT_UNREACHABLE);
	if (!answered)
		return why;
	if (is_syn(&w->packet) && w->nat->config.tcp.syn_silence_us)
		put_off(w, external, remote);
	return NAT_DROP_REJECTED;
}

/*
 * A Linux router that accepts packets to itself: nothing listens, so it answers as any host. Its entry for
 * a UDP packet stays, as the ICMP error is no reply, and takes the tuple that a later flow from inside
 * would need; that for a SYN dies with the RST, and an echo has another tuple than its request.
 */
static enum nat_reason accept_it(struct nat_work *w, enum nat_reason why,
	const struct nat_point *external, const struct nat_point *remote)
{
	struct nat *nat = w->nat;
	uint32_t session = nat_find_external(nat, external, remote);
	uint64_t end_us =
		nat_add_time(nat->now_us, behaviour_of(nat, w->transport)->lifetimes.one_way_us);

	if (!nat_is_own(nat, &w->packet.destination))
		return why; /* a firewall is not the one it was sent to */
	if (nat_answer_as_host(w) && is_syn(&w->packet) && nat->config.tcp.syn_silence_us)
		put_off(w, external, remote);
	if (w->transport != NAT_UDP)
		return NAT_DROP_ACCEPTED;
	if (!session)
		nat_open_own(nat, NAT_SESSION_BOX, external, remote, end_us);
	else if (session_at(nat, session)->kind == NAT_SESSION_BOX)
		nat_session_set_end(nat, session, end_us);
	return NAT_DROP_ACCEPTED;
}

static enum nat_reason blacklist(
	struct nat_work *w, enum nat_reason why, const struct nat_point *remote)
{
	const struct nat_behaviour *b = behaviour_of(w->nat, w->transport);
	struct nat_point none = {.family = remote->family, .transport = remote->transport};

	nat_open_own(w->nat, NAT_SESSION_BLACKLISTED, &none, remote,
		nat_add_time(w->nat->now_us, b->blacklist_us));
	return why;
}

enum nat_reason nat_unsolicited(struct nat_work *w, enum nat_reason why)
{
	struct nat_point external = nat_point_of(&w->packet.destination, w->transport);
	struct nat_point remote = nat_remote_of(&w->packet.source, w->transport);

	switch (behaviour_of(w->nat, w->transport)->unsolicited) {
	case NAT_REJECT_ICMP:
	case NAT_REJECT_RST:
		return reject(w, why, &external, &remote);
	case NAT_ACCEPT:
		return accept_it(w, why, &external, &remote);
	case NAT_BLACKLIST: /* a segment out of order is no scan */
		return why == NAT_DROP_SEQUENCE ? why : blacklist(w, why, &remote);
	default:
		return why;
	}
}
