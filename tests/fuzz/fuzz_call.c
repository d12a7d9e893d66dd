// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes through the decoder of call-backs. What it takes is written again from what it understood and decoded
 * once more: both have to say the same.
 */

#include <config.h>

#include "wire/call.h"
#include "fuzz.h"

static void same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	require(a->family == b->family);
	require(a->family == FAMILY_NONE || endpoint_equal(a, b));
}

static void same_result(const struct call_message *a, const struct call_message *b)
{
	require(a->has_result == b->has_result && a->which == b->which);
	require(a->outcome == b->outcome && a->error == b->error);
	require(a->elapsed_us == b->elapsed_us && a->has_icmp == b->has_icmp);
	require(a->ttl == b->ttl && (!a->ttl || a->class == STUN_INDICATION));
	require(a->icmp.type == b->icmp.type && a->icmp.code == b->icmp.code);
	require(a->icmp.count == b->icmp.count);
	same_endpoint(&a->icmp.offender, &b->icmp.offender);
	same_endpoint(&a->icmp.quoted_from, &b->icmp.quoted_from);
}

static void same(const struct call_message *a, const struct call_message *b)
{
	require(a->class == b->class && stun_id_equal(&a->id, &b->id));
	require(a->error_code == b->error_code);
	require(a->has_from == b->has_from && a->from == b->from);
	require(a->class != STUN_REQUEST ||
		(a->wait_ms == b->wait_ms && a->patience_ms == b->patience_ms));
	same_endpoint(&a->mapped, &b->mapped);
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		same_endpoint(&a->endpoint[i], &b->endpoint[i]);
	same_result(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buffer[CALL_BYTES_MAX];
	struct call_message first, second;
	int length;

	if (call_decode(data, size, &first))
		return 0;
	require(call_looks_like(data, size));
	length = call_encode(&first, buffer, sizeof(buffer));
	require(length > 0);
	require(!call_decode(buffer, (size_t)length, &second));
	same(&first, &second);
	return 0;
}
