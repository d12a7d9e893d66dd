// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "journal/talks.h"

/* --- the table: open addressing, and nothing is ever removed --- */

/* FNV-1a. Who chooses endpoints so that they collide makes searches longer, but no more than TALK_PROBES. */
static uint32_t hash_endpoint(uint32_t h, const struct endpoint *e)
{
	for (size_t i = 0; i < endpoint_address_length(e->family); i++)
		h = (h ^ e->address[i]) * 16777619u;
	h = (h ^ (e->port & 0xffu)) * 16777619u;
	return (h ^ (uint32_t)(e->port >> 8)) * 16777619u;
}

#define TALK_PROBES 64

/* The same for both directions. */
static uint32_t hash(uint8_t protocol, const struct endpoint *a, const struct endpoint *b)
{
	return (hash_endpoint(2166136261u, a) + hash_endpoint(2166136261u, b)) * 2654435761u +
		protocol;
}

static bool is_between(
	const struct talk *t, uint8_t protocol, const struct endpoint *a, const struct endpoint *b)
{
	return t->protocol == protocol &&
		((endpoint_equal(&t->ends[0], a) && endpoint_equal(&t->ends[1], b)) ||
			(endpoint_equal(&t->ends[0], b) && endpoint_equal(&t->ends[1], a)));
}

/* Its slot, or the free one where it belongs; NULL: neither. */
static uint32_t *find_slot(const struct captured_list *l, uint8_t protocol,
	const struct endpoint *a, const struct endpoint *b)
{
	uint32_t at = hash(protocol, a, b);

	for (uint32_t i = 0; i < TALK_PROBES; i++) {
		uint32_t *slot = &l->talk_table[(at + i) & (TALK_SLOTS - 1)];

		if (!*slot || is_between(&l->talks[*slot - 1], protocol, a, b))
			return slot;
	}
	return NULL;
}

size_t captured_talk(const struct captured_list *l, uint8_t protocol, const struct endpoint *a,
	const struct endpoint *b)
{
	const uint32_t *slot = find_slot(l, protocol, a, b);

	return slot && *slot ? *slot - 1 : CAPTURED_NONE;
}

static size_t find_or_add(struct captured_list *l, uint8_t protocol, const struct endpoint *a,
	const struct endpoint *b)
{
	uint32_t *slot = find_slot(l, protocol, a, b);
	struct talk *t;

	if (!slot || (!*slot && l->talk_count == TALKS_MAX))
		return CAPTURED_NONE;
	if (*slot)
		return *slot - 1;
	t = &l->talks[l->talk_count];
	t->protocol = protocol;
	t->ends[0] = *a;
	t->ends[1] = *b;
	t->from[0].interface = t->from[1].interface = CAPTURED_INTERFACES;
	*slot = (uint32_t)++l->talk_count;
	return l->talk_count - 1;
}

/* --- counting --- */

static void note_first(uint32_t *number, uint64_t *us, uint8_t *ttl, const struct captured *c)
{
	if (*number)
		return;
	*number = c->number;
	*us = c->t_us;
	*ttl = c->ttl;
}

static void count_content(struct talk_way *w, const struct captured *c)
{
	switch (c->content) {
	case CONTENT_REQUEST:
	case CONTENT_ECHO:
		w->requests++;
		break;
	case CONTENT_SUCCESS:
	case CONTENT_REFUSAL:
	case CONTENT_ECHO_REPLY:
		w->answers++;
		break;
	case CONTENT_SYN:
		w->syns++;
		break;
	case CONTENT_SYN_ACK:
		w->syn_acks++;
		note_first(&w->first_syn_ack, &w->first_syn_ack_us, &w->syn_ack_ttl, c);
		break;
	case CONTENT_RST:
		w->resets++;
		note_first(&w->first_reset, &w->first_reset_us, &w->reset_ttl, c);
		break;
	default:
		break;
	}
}

static void count_packet(struct talk_way *w, const struct captured *c)
{
	if (!w->packets) {
		w->first = c->number;
		w->first_us = c->t_us;
		w->ttl_low = w->ttl_high = c->ttl;
		w->interface = c->interface;
	}
	w->packets++;
	w->out += c->way == WAY_OUT;
	w->in += c->way == WAY_IN;
	w->last = c->number;
	w->last_us = c->t_us;
	w->wrong_checksums += c->checksum_wrong;
	w->interfaces_differ |= w->interface != c->interface;
	if (c->ttl < w->ttl_low)
		w->ttl_low = c->ttl;
	if (c->ttl > w->ttl_high)
		w->ttl_high = c->ttl;
	if (c->size > w->largest)
		w->largest = c->size;
	count_content(w, c);
}

static bool is_alike(const struct talk_error *e, const struct captured *c)
{
	return e->type == c->type && e->code == c->code &&
		endpoint_same_address(&e->offender, &c->from);
}

static void count_error(struct talk_way *w, const struct captured *c)
{
	struct talk_error *e = NULL;

	for (size_t i = 0; i < w->error_count && !e; i++)
		if (is_alike(&w->errors[i], c))
			e = &w->errors[i];
	if (!e && w->error_count < TALK_ERRORS) {
		e = &w->errors[w->error_count++];
		*e = (struct talk_error){.offender = c->from,
			.type = c->type,
			.code = c->code,
			.ttl = c->ttl,
			.mtu = c->mtu,
			.first = c->number,
			.first_us = c->t_us};
	}
	if (e)
		e->count++;
}

/* The port of an end is no matter where only one side has one: ICMP errors. */
static bool has_ends(const struct endpoint *a, const struct endpoint *b)
{
	return a->family != FAMILY_NONE && a->family == b->family;
}

bool talks_count(struct captured_list *l, struct captured *c)
{
	bool error = c->content == CONTENT_ERROR;
	const struct endpoint *from = error ? &c->quoted_from : &c->from;
	const struct endpoint *to = error ? &c->quoted_to : &c->to;
	struct talk_way *w;
	struct talk *t;

	if (!has_ends(from, to) || c->content == CONTENT_FRAGMENT)
		return true;
	c->talk = find_or_add(l, c->protocol, from, to);
	if (c->talk == CAPTURED_NONE) {
		l->uncounted++;
		return c->content != CONTENT_OTHER;
	}
	t = &l->talks[c->talk];
	w = &t->from[!endpoint_equal(&t->ends[0], from)];
	if (error)
		count_error(w, c);
	else
		count_packet(w, c);
	return c->content != CONTENT_OTHER || w->described++ < TALK_DESCRIBED;
}
