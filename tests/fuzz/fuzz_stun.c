// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes through the decoder. What it takes is written again from what it understood and decoded
 * once more: both messages have to say the same.
 */

#include <config.h>

#include <string.h>

#include "wire/stun.h"
#include "fuzz.h"

#define BUFFER_BYTES (1u << 17)

static void add_address(struct stun_writer *s, uint16_t type, const struct endpoint *e)
{
	if (e->family != FAMILY_NONE)
		stun_add_address(s, type, e);
}

static void add_span(struct stun_writer *s, uint16_t type, struct span text)
{
	if (text.data)
		stun_add(s, type, text.data, text.length);
}

static void add_error(struct stun_writer *s, const struct stun_message *m)
{
	uint8_t value[4] = {0, 0, (uint8_t)(m->error_code / 100), (uint8_t)(m->error_code % 100)};
	static uint8_t whole[BUFFER_BYTES];

	memcpy(whole, value, sizeof(value));
	if (m->reason.length)
		memcpy(whole + sizeof(value), m->reason.data, m->reason.length);
	stun_add(s, STUN_ERROR_CODE, whole, sizeof(value) + m->reason.length);
}

static void add_ours(struct stun_writer *s, const struct stun_message *m)
{
	if (m->has_probe)
		stun_add_probe(s, &m->probe);
	if (m->has_receipt)
		stun_add_receipt(s, &m->receipt);
	if (m->has_observed)
		stun_add_observed(s, &m->observed);
	if (m->has_syn)
		stun_add_syn(s, &m->syn);
	for (size_t i = 0; i < m->icmp_count; i++)
		stun_add_icmp(s, &m->icmp[i]);
}

static size_t encode(const struct stun_message *m, uint8_t *buffer, size_t size)
{
	struct stun_writer s = stun_begin(buffer, size, m->class, m->method, &m->id);
	int length;

	add_address(&s, STUN_MAPPED_ADDRESS, &m->mapped);
	add_address(&s, STUN_XOR_MAPPED_ADDRESS, &m->xor_mapped);
	add_address(&s, STUN_RESPONSE_ORIGIN, &m->response_origin);
	add_address(&s, STUN_OTHER_ADDRESS, &m->other_address);
	add_address(&s, STUN_SOURCE_ADDRESS, &m->source_address);
	add_address(&s, STUN_CHANGED_ADDRESS, &m->changed_address);
	add_address(&s, STUN_ALTERNATE_SERVER, &m->alternate_server);
	if (m->has_change_request)
		stun_add_u32(&s, STUN_CHANGE_REQUEST, m->change_request);
	if (m->has_response_port)
		stun_add_response_port(&s, m->response_port, m->id.bytes[15] & 1);
	if (m->has_padding)
		stun_add(&s, STUN_PADDING, NULL, 0);
	if (m->has_error)
		add_error(&s, m);
	add_ours(&s, m);
	add_span(&s, STUN_SOFTWARE, m->software);
	add_span(&s, STUN_USERNAME, m->username);
	add_span(&s, STUN_REALM, m->realm);
	add_span(&s, STUN_NONCE, m->nonce);
	for (size_t i = 0; i < m->unknown_count; i++)
		stun_add(&s, m->unknown[i], NULL, 0);
	if (m->integrity_at)
		stun_add_integrity(&s, "key", 3);
	if (m->integrity_sha256_at)
		stun_add_integrity_sha256(&s, "key", 3);
	if (m->has_fingerprint)
		stun_add_fingerprint(&s);
	length = stun_end(&s);
	require(length > 0);
	return (size_t)length;
}

static void same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	require(a->family == b->family);
	require(a->family == FAMILY_NONE || endpoint_equal(a, b));
}

static void same_span(struct span a, struct span b)
{
	require(a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length)));
}

static void same_ours(const struct stun_message *a, const struct stun_message *b)
{
	require(a->has_probe == b->has_probe && a->has_receipt == b->has_receipt &&
		a->has_observed == b->has_observed && a->has_syn == b->has_syn &&
		a->icmp_count == b->icmp_count);
	require(!memcmp(&a->probe, &b->probe, sizeof(a->probe)));
	require(!memcmp(&a->observed, &b->observed, sizeof(a->observed)));
	require(!memcmp(&a->syn, &b->syn, sizeof(a->syn)));
	require(a->receipt.copies == b->receipt.copies);
	same_endpoint(&a->receipt.from, &b->receipt.from);
	for (size_t i = 0; i < a->icmp_count; i++) {
		require(a->icmp[i].type == b->icmp[i].type && a->icmp[i].code == b->icmp[i].code &&
			a->icmp[i].count == b->icmp[i].count);
		same_endpoint(&a->icmp[i].offender, &b->icmp[i].offender);
		same_endpoint(&a->icmp[i].quoted_from, &b->icmp[i].quoted_from);
	}
}

static void same_message(const struct stun_message *a, const struct stun_message *b)
{
	require(a->class == b->class && a->method == b->method && a->classic == b->classic);
	require(stun_id_equal(&a->id, &b->id));
	same_endpoint(&a->mapped, &b->mapped);
	same_endpoint(&a->xor_mapped, &b->xor_mapped);
	same_endpoint(&a->response_origin, &b->response_origin);
	same_endpoint(&a->other_address, &b->other_address);
	same_endpoint(&a->source_address, &b->source_address);
	same_endpoint(&a->changed_address, &b->changed_address);
	same_endpoint(&a->alternate_server, &b->alternate_server);
	require(a->has_change_request == b->has_change_request &&
		a->change_request == b->change_request);
	require(a->has_response_port == b->has_response_port &&
		a->response_port == b->response_port);
	require(a->has_padding == b->has_padding && a->has_fingerprint == b->has_fingerprint);
	require(a->has_error == b->has_error && a->error_code == b->error_code);
	same_span(a->reason, b->reason);
	same_span(a->software, b->software);
	same_span(a->username, b->username);
	same_span(a->realm, b->realm);
	same_span(a->nonce, b->nonce);
	same_ours(a, b);
	require(a->unknown_count == b->unknown_count);
	require(!memcmp(a->unknown, b->unknown, sizeof(a->unknown)));
	require(!a->integrity_at == !b->integrity_at);
	require(!a->integrity_sha256_at == !b->integrity_sha256_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[BUFFER_BYTES];
	struct stun_message first, second;
	size_t length;

	if (stun_decode(data, size, &first))
		return 0;
	require(stun_looks_like(data, size));
	require(first.method <= 0xfff && first.unknown_count <= STUN_UNKNOWN_MAX);
	require(!first.has_error || (first.error_code >= 300 && first.error_code <= 699));
	stun_check_integrity(&first, "key", 3);
	stun_check_integrity_sha256(&first, "key", 3);
	length = encode(&first, buffer, sizeof(buffer));
	require(!stun_decode(buffer, length, &second));
	same_message(&first, &second);
	require(!first.integrity_at || !stun_check_integrity(&second, "key", 3));
	require(!first.integrity_sha256_at || !stun_check_integrity_sha256(&second, "key", 3));
	return 0;
}
