// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lab/nat_private.h"

/*
 * Fragments without reassembly (RFC 4787 11): the first one has the ports and goes its way; the others are
 * given the same addresses. One that comes before the first is held until it comes.
 */

#define KNOWN_MAX      256 /* datagrams whose first fragment was here; then the oldest is forgotten */
#define KNOWN_US       30000000ull /* Linux: ipfrag_time */
#define HELD_MAX       64
#define HELD_BYTES_MAX (256 * 1024)
#define HELD_US	       30000000ull

/* What all fragments of a datagram have in common (RFC 791 3.2, RFC 8200 4.5). */
struct fragment_key {
	struct nat_point source, destination;
	uint32_t id;
	uint8_t ip_protocol, side;
};

/* What became of the first one, and so of all. */
struct fragment_fate {
	enum nat_reason reason;
	struct endpoint source, destination;
	enum nat_side side;
};

struct nat_fragments_state {
	struct known {
		struct fragment_key key;
		struct fragment_fate fate;
		uint64_t end_us;
	} known[KNOWN_MAX];
	size_t known_first, known_count;
	struct held {
		struct fragment_key key;
		struct fragment_fate fate;
		bool ready;
		uint64_t end_us;
		uint8_t *bytes;
		size_t length;
	} held[HELD_MAX]; /* in the order of coming */
	size_t held_count, held_bytes;
};

static struct fragment_key key_of(
	const struct nat_work *w, const struct endpoint *source, const struct endpoint *destination)
{
	struct fragment_key key;

	memset(&key, 0, sizeof(key));
	key.source = nat_point_of(source, NAT_UDP);
	key.destination = nat_point_of(destination, NAT_UDP);
	key.source.port = key.destination.port = 0;
	key.id = w->packet.fragment_id;
	/* RFC 8200 4.5: over IPv6 the fragments need not agree on what comes next */
	key.ip_protocol = w->packet.family == FAMILY_IPV4 ? w->packet.ip_protocol : 0;
	key.side = (uint8_t)w->side;
	return key;
}

static bool same_key(const struct fragment_key *a, const struct fragment_key *b)
{
	return a->id == b->id && a->ip_protocol == b->ip_protocol && a->side == b->side &&
		nat_point_equal(&a->source, &b->source) &&
		nat_point_equal(&a->destination, &b->destination);
}

static struct nat_fragments_state *state_of(struct nat *nat)
{
	if (!nat->fragments)
		nat->fragments = calloc(1, sizeof(*nat->fragments));
	return nat->fragments;
}

/* --- those whose first one was here --- */

static struct known *find_known(struct nat *nat, const struct fragment_key *key)
{
	struct nat_fragments_state *f = nat->fragments;

	for (size_t i = f ? f->known_count : 0; i > 0; i--) {
		struct known *k = &f->known[(f->known_first + i - 1) % KNOWN_MAX];

		if (k->end_us <= nat->now_us) /* and all before it too */
			return NULL;
		if (same_key(&k->key, key))
			return k;
	}
	return NULL;
}

static void add_known(
	struct nat *nat, const struct fragment_key *key, const struct fragment_fate *fate)
{
	struct nat_fragments_state *f = nat->fragments;
	size_t i = (f->known_first + f->known_count) % KNOWN_MAX;

	if (f->known_count == KNOWN_MAX)
		f->known_first = (f->known_first + 1) % KNOWN_MAX;
	else
		f->known_count++;
	f->known[i] = (struct known){*key, *fate, nat_add_time(nat->now_us, KNOWN_US)};
}

/* --- those that wait --- */

static uint8_t *remove_held(struct nat_fragments_state *f, size_t i)
{
	uint8_t *bytes = f->held[i].bytes;

	f->held_bytes -= f->held[i].length;
	f->held_count--;
	memmove(&f->held[i], &f->held[i + 1], (f->held_count - i) * sizeof(f->held[i]));
	return bytes;
}

/* Those that have waited too long; what is ready waits for nothing but nat_poll. */
static void expire_held(struct nat *nat)
{
	struct nat_fragments_state *f = nat->fragments;

	for (size_t i = f->held_count; i > 0; i--) {
		if (f->held[i - 1].ready || f->held[i - 1].end_us > nat->now_us)
			continue;
		nat->counts[NAT_DROP_FRAGMENT]++;
		free(remove_held(f, i - 1));
	}
}

static enum nat_reason hold(struct nat_work *w, const struct fragment_key *key)
{
	struct nat_fragments_state *f = state_of(w->nat);
	size_t length = w->packet.length;
	uint8_t *bytes;

	if (f)
		expire_held(w->nat);
	if (!f || f->held_count == HELD_MAX || f->held_bytes + length > HELD_BYTES_MAX)
		return NAT_DROP_FRAGMENT;
	bytes = malloc(length);
	if (!bytes)
		return NAT_DROP_FRAGMENT;
	memcpy(bytes, w->packet.bytes, length);
	f->held_bytes += length;
	f->held[f->held_count++] = (struct held){
		.key = *key,
		.end_us = nat_add_time(w->nat->now_us, HELD_US),
		.bytes = bytes,
		.length = length,
	};
	return NAT_HELD;
}

static void decide_held(
	struct nat *nat, const struct fragment_key *key, const struct fragment_fate *fate)
{
	struct nat_fragments_state *f = nat->fragments;

	expire_held(nat);
	for (size_t i = f->held_count; i > 0; i--) {
		struct held *h = &f->held[i - 1];

		if (h->ready || !same_key(&h->key, key))
			continue;
		h->fate = *fate;
		h->ready = true;
		if (fate->reason != NAT_FORWARDED && fate->reason != NAT_HAIRPINNED) {
			nat->counts[fate->reason]++;
			free(remove_held(f, i - 1));
		}
	}
}

/* --- fates --- */

static enum nat_reason follow(struct nat_work *w, const struct fragment_fate *fate)
{
	if (fate->reason != NAT_FORWARDED && fate->reason != NAT_HAIRPINNED)
		return fate->reason;
	if (nat_is_last_hop(w))
		return NAT_DROP_TTL;
	packet_set_source(&w->packet, &fate->source);
	packet_set_destination(&w->packet, &fate->destination);
	return nat_send(w, fate->side, fate->reason);
}

struct nat_fragment_note nat_fragment_begin(const struct nat_work *w)
{
	return (struct nat_fragment_note){
		.wanted = w->packet.more_fragments && !w->packet.fragment_offset,
		.source = w->packet.source,
		.destination = w->packet.destination,
	};
}

void nat_fragment_first(
	struct nat_work *w, const struct nat_fragment_note *note, enum nat_reason reason)
{
	struct fragment_fate fate = {
		.reason = reason,
		.source = w->packet.source,
		.destination = w->packet.destination,
		.side = w->out->forward.side,
	};
	struct fragment_key key;

	if (!note->wanted || !state_of(w->nat))
		return;
	key = key_of(w, &note->source, &note->destination);
	add_known(w->nat, &key, &fate);
	decide_held(w->nat, &key, &fate);
}

enum nat_reason nat_fragment_later(struct nat_work *w)
{
	struct fragment_key key = key_of(w, &w->packet.source, &w->packet.destination);
	const struct known *known = find_known(w->nat, &key);

	if (known)
		return follow(w, &known->fate);
	if (w->nat->config.fragments == NAT_FRAGMENTS_IN_ORDER)
		return NAT_DROP_FRAGMENT;
	return hold(w, &key);
}

/* One whose fate is known, out of the list; NULL: all of them wait. */
static uint8_t *next_ready(struct nat_fragments_state *f, struct held *out)
{
	for (size_t i = 0; i < f->held_count; i++) {
		*out = f->held[i];
		if (out->ready)
			return remove_held(f, i);
	}
	return NULL;
}

bool nat_fragment_due(struct nat *nat, struct nat_out *out, uint64_t *next_us)
{
	struct nat_fragments_state *f = nat->fragments;
	struct nat_result result;
	struct held h;

	*next_us = UINT64_MAX;
	if (!f || !f->held_count)
		return false;
	expire_held(nat);
	while ((nat->polled = next_ready(f, &h))) {
		struct nat_work w = {.nat = nat, .side = (enum nat_side)h.key.side, .out = &result};

		memset(&result, 0, sizeof(result));
		if (!packet_decode(h.bytes, h.length, &w.packet))
			result.reason = follow(&w, &h.fate);
		nat->counts[result.reason]++;
		*out = result.forward;
		if (out->length)
			return true;
		free(nat->polled);
	}
	if (f->held_count)
		*next_us = f->held[0].end_us;
	return false;
}

void nat_fragments_free(struct nat *nat)
{
	struct nat_fragments_state *f = nat->fragments;

	for (size_t i = 0; f && i < f->held_count; i++)
		free(f->held[i].bytes);
	free(f);
	nat->fragments = NULL;
}

size_t nat_fragments_bytes(const struct nat *nat)
{
	return nat->fragments ? sizeof(*nat->fragments) + nat->fragments->held_bytes : 0;
}
