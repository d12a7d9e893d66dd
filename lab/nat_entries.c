// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"

/* What those who watch may know. */

static const char *state_of(const struct nat_session *s)
{
	if (s->kind == NAT_SESSION_BOX)
		return "box";
	if (s->kind == NAT_SESSION_BLACKLISTED)
		return "blacklisted";
	return s->external.transport == NAT_TCP ? nat_tcp_state_name(s->state) : "";
}

bool nat_next_entry(const struct nat *nat, size_t *cursor, struct nat_entry *out)
{
	const struct nat_session *s;

	*cursor = *cursor ? session_at(nat, (uint32_t)*cursor)->age.next : nat->session_age.first;
	if (!*cursor)
		return false;
	s = session_at(nat, (uint32_t)*cursor);
	*out = (struct nat_entry){
		.transport = (enum nat_transport)s->external.transport,
		.external = nat_endpoint_of(&s->external),
		.remote = nat_endpoint_of(&s->remote),
		.expires_us = s->timer.expires_us,
		.both_ways = s->both_ways,
		.state = state_of(s),
	};
	if (s->mapping)
		out->inside = nat_endpoint_of(&mapping_at(nat, s->mapping)->inside);
	return true;
}

size_t nat_mapping_count(const struct nat *nat)
{
	return nat->mappings.used;
}

size_t nat_session_count(const struct nat *nat)
{
	return nat->sessions.used;
}

uint64_t nat_reason_count(const struct nat *nat, enum nat_reason reason)
{
	return (unsigned)reason < NAT_REASONS ? nat->counts[reason] : 0;
}

size_t nat_bytes(const struct nat *nat)
{
	size_t bytes = sizeof(*nat) + nat_fragments_bytes(nat);

	for (int t = 0; t < NAT_TRANSPORTS; t++)
		for (int i = 0; i < NAT_EXTERNAL_MAX; i++)
			bytes += nat->use[t][i] ? sizeof(*nat->use[t][i]) : 0;
	bytes += nat_pool_bytes(&nat->mappings) + nat_pool_bytes(&nat->sessions);
	bytes += nat_pool_bytes(&nat->tracks) + nat_pool_bytes(&nat->permits);
	bytes += nat_pool_bytes(&nat->hosts) + nat_heap_bytes(&nat->timers);
	bytes += nat_hash_bytes(&nat->mappings_inside) + nat_hash_bytes(&nat->mappings_external);
	bytes += nat_hash_bytes(&nat->sessions_inside) + nat_hash_bytes(&nat->sessions_external);
	return bytes + nat_hash_bytes(&nat->permits_found) + nat_hash_bytes(&nat->hosts_found);
}

const char *nat_reason_name(enum nat_reason reason)
{
	static const char *const names[NAT_REASONS] = {
		[NAT_FORWARDED] = "forwarded",
		[NAT_HAIRPINNED] = "hairpinned",
		[NAT_HELD] = "held",
		[NAT_DROP_MALFORMED] = "malformed",
		[NAT_DROP_ADDRESS] = "address",
		[NAT_DROP_CHECKSUM] = "checksum",
		[NAT_DROP_TTL] = "ttl",
		[NAT_DROP_NO_MAPPING] = "no-mapping",
		[NAT_DROP_FILTERED] = "filtered",
		[NAT_DROP_REJECTED] = "rejected",
		[NAT_DROP_ACCEPTED] = "accepted",
		[NAT_DROP_BLACKLISTED] = "blacklisted",
		[NAT_DROP_BLOCKED] = "blocked",
		[NAT_DROP_NO_PORT] = "no-port",
		[NAT_DROP_TABLE_FULL] = "table-full",
		[NAT_DROP_RATE] = "rate",
		[NAT_DROP_HAIRPIN] = "hairpin",
		[NAT_DROP_UNTRACKED_ERROR] = "untracked-error",
		[NAT_DROP_ERROR] = "error",
		[NAT_DROP_SEQUENCE] = "sequence",
		[NAT_DROP_FRAGMENT] = "fragment",
		[NAT_DROP_PROTOCOL] = "protocol",
	};

	return (unsigned)reason < NAT_REASONS ? names[reason] : "";
}
