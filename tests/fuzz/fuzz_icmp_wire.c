// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes through the decoder of what is asked about ICMP. What it takes is written again from what it understood and
 * decoded once more: both have to say the same.
 */

#include <config.h>

#include <string.h>

#include "wire/icmp.h"
#include "fuzz.h"

static void same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	require(a->family == b->family);
	require(a->family == FAMILY_NONE || endpoint_equal(a, b));
}

static void same_errors(const struct icmp_inquiry *a, const struct icmp_inquiry *b)
{
	require(a->error_count == b->error_count && a->error_count <= ICMP_ERRORS_MAX);
	for (size_t i = 0; i < a->error_count; i++) {
		const struct icmp_wanted *x = &a->errors[i], *y = &b->errors[i];

		require(x->type == y->type && x->code == y->code && x->from == y->from);
		require(x->delay_ms == y->delay_ms && x->mtu == y->mtu);
		require(x->delay_ms <= ICMP_DELAY_MAX_MS && x->from <= ICMP_FROM_OTHER);
	}
}

static void same_record(const struct icmp_record *a, const struct icmp_record *b)
{
	require(a->kind == b->kind && a->type == b->type && a->code == b->code);
	require(a->ttl == b->ttl && a->identifier == b->identifier);
	require(a->sequence == b->sequence && a->age_ms == b->age_ms);
	require(a->quoted_protocol == b->quoted_protocol);
	require(a->kind == ICMP_KIND_ERROR || a->quoted_from.family == FAMILY_NONE);
	same_endpoint(&a->from, &b->from);
	same_endpoint(&a->to, &b->to);
	same_endpoint(&a->quoted_from, &b->quoted_from);
	same_endpoint(&a->quoted_to, &b->quoted_to);
}

static void same_seen(const struct icmp_inquiry *a, const struct icmp_inquiry *b)
{
	require(!memcmp(a->token, b->token, sizeof(a->token)));
	require(a->later_ms == b->later_ms && a->later_ms <= ICMP_LATER_MAX_MS);
	require(a->record_count == b->record_count && a->record_count <= ICMP_RECORDS_MAX);
	for (size_t i = 0; i < a->record_count; i++)
		same_record(&a->records[i], &b->records[i]);
}

static void same(const struct icmp_inquiry *a, const struct icmp_inquiry *b)
{
	require(a->class == b->class && stun_id_equal(&a->id, &b->id));
	require(a->error_code == b->error_code && a->ask == b->ask);
	require(a->cookie.length == b->cookie.length && a->cookie.length <= ICMP_COOKIE_MAX);
	require(!a->cookie.length || !memcmp(a->cookie.data, b->cookie.data, a->cookie.length));
	same_endpoint(&a->mapped, &b->mapped);
	same_endpoint(&a->own, &b->own);
	same_endpoint(&a->other, &b->other);
	same_endpoint(&a->target, &b->target);
	require(a->sent == b->sent && a->sent_error == b->sent_error);
	require(a->has_syn == b->has_syn && a->syn_sequence == b->syn_sequence);
	require(a->syn_ttl == b->syn_ttl);
	same_endpoint(&a->syn_from, &b->syn_from);
	same_errors(a, b);
	same_seen(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buffer[STUN_MESSAGE_BYTES];
	struct icmp_inquiry first, second;
	int length;

	if (icmp_decode(data, size, &first))
		return 0;
	require(icmp_looks_like(data, size));
	length = icmp_encode(&first, buffer, sizeof(buffer), 0);
	require(length > 0);
	require(!icmp_decode(buffer, (size_t)length, &second));
	same(&first, &second);
	return 0;
}
