// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/nat_private.h"
#include "wire/checksum.h"

/* The way of a packet: what it is, what part of the engine it concerns, and out. */

int nat_create(const struct nat_config *config, const struct random *random, struct nat **out)
{
	struct nat *nat = calloc(1, sizeof(*nat));
	int err;

	if (!nat)
		return -ENOMEM;
	nat->config = *config;
	err = nat_config_complete(&nat->config);
	if (!err)
		err = nat_table_init(nat);
	if (err) {
		nat_destroy(nat);
		return err;
	}
	nat->random = *random;
	random_bytes(&nat->random, nat->hash_key, sizeof(nat->hash_key));
	nat->credit = nat->config.limits.new_per_second * 1000000ull;
	for (size_t i = 0; i < config->external_count; i++) {
		nat->bound[i] = nat_point_of(&config->hosts[i], NAT_UDP);
		nat->bound[i].port = nat->bound[i].transport = 0;
	}
	*out = nat;
	return 0;
}

void nat_destroy(struct nat *nat)
{
	if (!nat)
		return;
	nat_late_free(nat);
	nat_fragments_free(nat);
	nat_table_free(nat);
	for (int t = 0; t < NAT_TRANSPORTS; t++)
		for (int i = 0; i < NAT_EXTERNAL_MAX; i++)
			free(nat->use[t][i]);
	free(nat->polled);
	free(nat);
}

void nat_listen(struct nat *nat, nat_listener *listener, void *context)
{
	nat->listener = listener;
	nat->listener_context = context;
}

enum nat_reason nat_send(struct nat_work *w, enum nat_side side, enum nat_reason reason)
{
	if (!w->nat->config.keep_ttl && !packet_take_hop(&w->packet))
		return NAT_DROP_TTL;
	nat_syn_change(w->nat, &w->packet);
	w->out->forward = (struct nat_out){
		.side = side, .length = w->packet.length, .bytes = w->packet.bytes};
	return reason;
}

bool nat_is_last_hop(struct nat_work *w)
{
	if (w->nat->config.keep_ttl || w->packet.ttl > 1)
		return false;
	nat_answer_error(w, w->packet.family == FAMILY_IPV4 ? 11 : 3, 0);
	return true;
}

/* Neither ports nor echo: what a router without ports can do about it. */
static enum nat_reason translate_other(struct nat_work *w)
{
	struct nat *nat = w->nat;
	enum nat_translation translation = nat_translation_of(nat, w->packet.family);
	bool inside = w->side == NAT_INSIDE;
	struct nat_point from = nat_point_of(&w->packet.source, NAT_UDP);
	int n = -1;

	if (translation == NAT_PORTS || (!inside && !behaviour_of(nat, NAT_UDP)->unfiltered))
		return NAT_DROP_PROTOCOL;
	if ((inside || translation == NAT_NONE) && nat_is_own(nat, &w->packet.destination))
		return NAT_DROP_ACCEPTED;
	if (translation == NAT_ADDRESSES) {
		n = inside ? nat_bind_address(nat, &from)
			   : nat_external_number(nat, &w->packet.destination);
		if (n < 0 || !nat->bound[n].family)
			return NAT_DROP_ADDRESS;
	}
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	if (n >= 0 && inside) {
		packet_set_source(&w->packet, &nat->config.external[n]);
	} else if (n >= 0) {
		struct endpoint to = nat_endpoint_of(&nat->bound[n]);

		packet_set_destination(&w->packet, &to);
	}
	return nat_send(w, inside ? NAT_OUTSIDE : NAT_INSIDE, NAT_FORWARDED);
}

/* RFC 5508 REQ-3 asks for it of ICMP; what a checksum covers that is wrong may be of another session. */
static bool has_wrong_checksum(const struct nat_work *w)
{
	switch (w->packet.protocol) {
	case PACKET_ECHO:
	case PACKET_ERROR:
		return !packet_checksums_right(&w->packet);
	case PACKET_UDP:
	case PACKET_TCP:
		return w->nat->config.verify_checksums && !packet_checksums_right(&w->packet);
	default:
		return false;
	}
}

static enum nat_reason refuse_checksum(struct nat_work *w)
{
	const struct endpoint *to = &w->packet.destination;

	if (w->side == NAT_OUTSIDE || !w->nat->config.verify_checksums ||
		nat_is_box_inside(w->nat, to) || nat_external_number(w->nat, to) >= 0)
		return NAT_DROP_CHECKSUM;
	return nat_forward_untracked(w, NAT_DROP_CHECKSUM);
}

static enum nat_reason translate(struct nat_work *w)
{
	if (has_wrong_checksum(w))
		return refuse_checksum(w);
	switch (w->packet.protocol) {
	case PACKET_UDP:
		w->transport = NAT_UDP;
		return nat_translate(w);
	case PACKET_TCP:
		w->transport = NAT_TCP;
		return nat_translate(w);
	case PACKET_ECHO:
		w->transport = NAT_ICMP;
		return nat_translate(w);
	case PACKET_ERROR:
		return nat_error(w);
	case PACKET_FRAGMENT:
		return nat_fragment_later(w);
	default:
		return translate_other(w);
	}
}

static bool has_right_header(const struct packet *p)
{
	uint16_t sum;

	if (p->family != FAMILY_IPV4)
		return true;
	sum = checksum_sum(p->bytes, (p->bytes[0] & 15u) * 4u);
	return sum == UINT16_MAX || !sum;
}

/* Of the box itself about what it could not pass on inside: the link behind it gives it back like a router's. */
static bool is_own_error(const struct nat_work *w)
{
	return w->side == NAT_INSIDE && w->packet.protocol == PACKET_ERROR &&
		nat_is_box_inside(w->nat, &w->packet.source);
}

static enum nat_reason handle(struct nat_work *w, void *bytes, size_t length)
{
	struct nat_fragment_note note;
	enum nat_reason reason;

	if (length > PACKET_BYTES_MAX || packet_decode(bytes, length, &w->packet))
		return NAT_DROP_MALFORMED;
	if (!has_right_header(&w->packet))
		return NAT_DROP_CHECKSUM;
	if (!nat_may_be_forwarded(&w->packet.source) ||
		!nat_may_be_forwarded(&w->packet.destination))
		return NAT_DROP_ADDRESS;
	if (nat_is_own(w->nat, &w->packet.source) && !is_own_error(w))
		return NAT_DROP_ADDRESS; /* forged: what the box sends does not come in */
	if (w->nat->config.fragments == NAT_FRAGMENTS_REFUSED &&
		(w->packet.more_fragments || w->packet.fragment_offset))
		return NAT_DROP_FRAGMENT;
	if (nat_translation_of(w->nat, w->packet.family) == NAT_PREFIX)
		return nat_prefix(w);
	note = nat_fragment_begin(w);
	reason = translate(w);
	nat_fragment_first(w, &note, reason);
	return reason;
}

/* Time passes: what has run out ends. */
static uint64_t advance(struct nat *nat, uint64_t now_us)
{
	uint64_t next_us;
	uint32_t session;

	if (now_us > nat->now_us)
		nat->now_us = now_us;
	while ((session = nat_heap_due(&nat->timers, nat->now_us, &next_us)))
		nat_session_close(nat, session);
	return next_us;
}

void nat_input(struct nat *nat, uint64_t now_us, enum nat_side side, void *bytes, size_t length,
	struct nat_result *out)
{
	struct nat_work w = {.nat = nat, .side = side, .out = out};

	memset(out, 0, sizeof(*out));
	advance(nat, now_us);
	out->reason = handle(&w, bytes, length);
	nat->counts[out->reason]++;
}

static bool late_answer(struct nat *nat, struct nat_out *out, uint64_t *next_us)
{
	*out = (struct nat_out){.side = NAT_OUTSIDE};
	if (!nat_late_due(nat, &nat->polled, &out->length, next_us))
		return false;
	out->bytes = nat->polled;
	return true;
}

bool nat_poll(struct nat *nat, uint64_t now_us, struct nat_out *out, uint64_t *deadline_us)
{
	uint64_t late_us, fragment_us;

	free(nat->polled);
	nat->polled = NULL;
	*deadline_us = advance(nat, now_us);
	if (late_answer(nat, out, &late_us) || nat_fragment_due(nat, out, &fragment_us)) {
		*deadline_us = nat->now_us;
		return true;
	}
	if (late_us < *deadline_us)
		*deadline_us = late_us;
	if (fragment_us < *deadline_us)
		*deadline_us = fragment_us;
	return false;
}
