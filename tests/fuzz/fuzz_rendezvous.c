// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes through the rendezvous decoder. What it takes is written again from what it understood and
 * decoded once more: both have to say the same.
 */

#include <config.h>

#include <string.h>

#include "wire/rendezvous.h"
#include "fuzz.h"

static void same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	require(a->family == b->family);
	require(a->family == FAMILY_NONE || endpoint_equal(a, b));
}

static void same_span(struct span a, struct span b)
{
	require(a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length)));
}

static void same_head(const struct rendezvous_message *a, const struct rendezvous_message *b)
{
	require(a->class == b->class && a->method == b->method);
	require(stun_id_equal(&a->id, &b->id));
	require(a->error_code == b->error_code && a->number == b->number);
	require(a->has_session == b->has_session && a->has_party == b->has_party);
	require(!memcmp(a->session, b->session, sizeof(a->session)));
	require(!memcmp(a->party, b->party, sizeof(a->party)));
	require(a->allocate == b->allocate);
	same_span(a->cookie, b->cookie);
}

static void same_rest(const struct rendezvous_message *a, const struct rendezvous_message *b)
{
	require(a->has_slot == b->has_slot && a->slot_version == b->slot_version);
	same_span(a->slot, b->slot);
	require(a->has_ready == b->has_ready && a->ready == b->ready && a->rtt_us == b->rtt_us);
	require(a->has_seen == b->has_seen && a->seen_version == b->seen_version);
	require(a->seen_ready == b->seen_ready && a->seen_go == b->seen_go);
	require(a->has_peer == b->has_peer && a->peer == b->peer && a->place == b->place);
	require(a->has_go == b->has_go && a->go == b->go && a->go_wait_us == b->go_wait_us);
	same_endpoint(&a->mapped, &b->mapped);
	same_endpoint(&a->peer_address, &b->peer_address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[2 * STUN_MESSAGE_BYTES];
	struct rendezvous_message first, second;
	int length;

	if (rendezvous_decode(data, size, &first))
		return 0;
	require(rendezvous_looks_like(data, size));
	require(first.slot.length <= RENDEZVOUS_SLOT_MAX);
	require(first.cookie.length <= RENDEZVOUS_COOKIE_MAX);
	length = rendezvous_encode(&first, buffer, sizeof(buffer), 0);
	require(length > 0 && length <= STUN_MESSAGE_BYTES);
	require(!rendezvous_decode(buffer, (size_t)length, &second));
	same_head(&first, &second);
	same_rest(&first, &second);
	return 0;
}
