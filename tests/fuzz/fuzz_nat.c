// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The NAT engine with any config and any script of packets, right, mangled or raw, from both sides, and of
 * time. Whatever comes:
 *
 * - Nothing is sent for a dropped packet. What goes on is the whole packet, a hop older, with nothing
 *   changed but what has to be; its checksums are right if they came right, and wrong if wrong.
 * - What goes out comes from an external endpoint of its own session; what comes in, to the inside one of a
 *   mapping whose filter lets it in.
 * - Two inside endpoints never share an external one unless ports are overloaded, and then never
 *   towards one remote endpoint. Ports are of their range and block.
 * - The table is what its events have told, stays within its limits, and ends when it has said.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_nat_script.h"

#define TABLE_BYTES (1u << 20) /* far more than so few entries take */
#define POLLS_MAX   1000

static bool went_on(enum nat_reason reason)
{
	return reason == NAT_FORWARDED || reason == NAT_HAIRPINNED;
}

static enum nat_translation translation(const struct script *s, enum family family)
{
	if (family == FAMILY_IPV6 && s->config.ipv6_untranslated)
		return NAT_NONE;
	return s->config.translation;
}

static bool is_translated(const struct script *s, enum family family)
{
	return translation(s, family) == NAT_PORTS || translation(s, family) == NAT_ADDRESSES;
}

static bool is_external(const struct script *s, const struct endpoint *e)
{
	for (size_t i = 0; i < s->config.external_count; i++)
		if (endpoint_same_address(&s->config.external[i], e))
			return true;
	return false;
}

static bool is_own(const struct script *s, const struct endpoint *e)
{
	return is_external(s, e) || endpoint_same_address(&s->config.inside, e) ||
		endpoint_same_address(&s->config.inside6, e);
}

/* Of UDP, TCP and echo. */
static bool has_session(const struct packet *p, enum nat_transport *transport)
{
	switch (p->protocol) {
	case PACKET_UDP:
		*transport = NAT_UDP;
		return true;
	case PACKET_TCP:
		*transport = NAT_TCP;
		return true;
	case PACKET_ECHO:
		*transport = NAT_ICMP;
		return true;
	default:
		return false;
	}
}

static struct endpoint remote_of(const struct endpoint *e, enum nat_transport transport)
{
	struct endpoint remote = *e;

	if (transport == NAT_ICMP) /* whose port is the identifier */
		remote.port = 0;
	return remote;
}

/* --- what events tell --- */

/* Also where both are none. */
static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
		!memcmp(a->address, b->address, sizeof(a->address));
}

static bool same_told(const struct told *a, const struct told *b)
{
	return a->transport == b->transport && same_endpoint(&a->inside, &b->inside) &&
		same_endpoint(&a->external, &b->external) && same_endpoint(&a->remote, &b->remote);
}

static size_t find_told(const struct told_list *list, const struct told *what)
{
	size_t i = 0;

	while (i < list->count && !same_told(&list->all[i], what))
		i++;
	return i;
}

static bool is_told(const struct told_list *list, const struct told *what)
{
	return find_told(list, what) < list->count;
}

/* A session has a mapping as long as it lives, unless the box has it. */
static void check_event(const struct script *s, const struct told *what, bool created)
{
	static const struct endpoint none = {.family = FAMILY_NONE};
	struct told mapping = *what;

	if (what->remote.family != FAMILY_NONE) {
		mapping.remote = none;
		require(what->inside.family == FAMILY_NONE || is_told(&s->mappings, &mapping));
		return;
	}
	for (size_t i = 0; i < s->sessions.count && !created; i++) {
		mapping = s->sessions.all[i];
		mapping.remote = none;
		require(!same_told(&mapping, what));
	}
}

static void listen(void *context, const struct nat_event *event)
{
	struct script *s = context;
	bool is_mapping = event->remote.family == FAMILY_NONE;
	struct told_list *list = is_mapping ? &s->mappings : &s->sessions;
	struct told what = {event->transport, event->inside, event->external, event->remote};
	size_t i = find_told(list, &what);

	require(event->t_us == s->now);
	require((i < list->count) != event->created); /* no two are alike */
	check_event(s, &what, event->created);
	if (event->created) {
		require(list->count < ENTRIES_MAX);
		list->all[list->count++] = what;
		return;
	}
	list->count--;
	memmove(&list->all[i], &list->all[i + 1], (list->count - i) * sizeof(what));
}

/* --- the table --- */

static const struct nat_behaviour *behaviour(const struct script *s, enum nat_transport t)
{
	return &s->config.behaviour[t];
}

static bool is_box(const struct nat_entry *e)
{
	return e->inside.family == FAMILY_NONE;
}

/* All ports that may be given out, unless in a class of their own. */
static unsigned lowest_port(const struct script *s, enum nat_transport t)
{
	const struct nat_ports *p = &behaviour(s, t)->ports;

	if (t == NAT_ICMP)
		return p->low;
	return p->low ? p->low : p->high ? 1 : 1024;
}

static unsigned highest_port(const struct script *s, enum nat_transport t)
{
	const struct nat_ports *p = &behaviour(s, t)->ports;

	return p->high ? p->high : UINT16_MAX;
}

/* Two inside addresses behind one external address never have ports of one block. */
static void check_blocks(
	const struct script *s, const struct nat_entry *a, const struct nat_entry *b)
{
	const struct nat_ports *p = &behaviour(s, a->transport)->ports;
	unsigned low = lowest_port(s, a->transport);

	if (!p->block || p->classes || translation(s, a->external.family) != NAT_PORTS)
		return;
	if (!endpoint_same_address(&a->external, &b->external))
		return;
	if ((a->external.port - low) / p->block == (b->external.port - low) / p->block)
		require(endpoint_same_address(&a->inside, &b->inside));
}

static void check_pair(const struct script *s, const struct nat_entry *a, const struct nat_entry *b)
{
	const struct nat_behaviour *t = behaviour(s, a->transport);
	bool overloading = t->ports.collision == NAT_COLLISION_OVERLOAD;
	bool same_external = endpoint_equal(&a->external, &b->external);

	if (a->transport != b->transport)
		return;
	require(!same_external || !endpoint_equal(&a->remote, &b->remote));
	if (is_box(a) || is_box(b))
		return; /* the box is told apart by the remote endpoint */
	check_blocks(s, a, b);
	if (same_external && !overloading)
		require(endpoint_equal(&a->inside, &b->inside));
	/* where nothing can be in the way, endpoint-independent means one external endpoint */
	if (t->mapping == NAT_ENDPOINT_INDEPENDENT && !overloading && t->unsolicited != NAT_ACCEPT)
		require(same_external == endpoint_equal(&a->inside, &b->inside));
}

static void check_port(const struct script *s, const struct nat_entry *e)
{
	const struct nat_ports *p = &behaviour(s, e->transport)->ports;

	if (!p->classes || e->transport == NAT_ICMP)
		require(e->external.port >= lowest_port(s, e->transport) &&
			e->external.port <= highest_port(s, e->transport));
	if (p->parity)
		require(!((e->external.port ^ e->inside.port) & 1));
}

static void check_entry(const struct script *s, const struct nat_entry *e, size_t number)
{
	struct told what = {e->transport, e->inside, e->external, e->remote};

	require(find_told(&s->sessions, &what) == number);
	require(e->expires_us > s->now);
	if (is_box(e))
		return;
	if (is_translated(s, e->external.family))
		require(is_external(s, &e->external));
	else
		require(endpoint_equal(&e->inside, &e->external));
	if (translation(s, e->external.family) == NAT_PORTS)
		check_port(s, e);
}

static void check_table(const struct script *s, uint64_t deadline)
{
	struct nat_entry entries[ENTRIES_MAX];
	size_t count = 0, cursor = 0;

	require(nat_mapping_count(s->nat) <= s->config.limits.mappings);
	require(nat_session_count(s->nat) <= s->config.limits.sessions);
	require(nat_session_count(s->nat) == s->sessions.count);
	require(nat_mapping_count(s->nat) == s->mappings.count);
	require(nat_bytes(s->nat) < TABLE_BYTES);
	while (count < s->sessions.count && nat_next_entry(s->nat, &cursor, &entries[count])) {
		check_entry(s, &entries[count], count);
		require(deadline <= entries[count].expires_us);
		for (size_t i = 0; i < count; i++)
			check_pair(s, &entries[i], &entries[count]);
		count++;
	}
	require(count == nat_session_count(s->nat));
}

/* --- packets --- */

/* Out by the session of its sender; or as it came, where the config says so. */
static void check_outward(
	const struct script *s, const struct packet *before, const struct packet *after)
{
	struct told what = {.inside = before->source, .external = after->source};

	require(endpoint_same_address(&before->destination, &after->destination));
	if (translation(s, after->family) == NAT_PREFIX)
		return;
	require(!is_own(s, &after->destination));
	if (endpoint_equal(&before->source, &after->source))
		require(!is_translated(s, after->family) || s->config.errors.untracked_outward ||
			is_external(s, &after->source));
	else
		require(is_translated(s, after->family) && is_external(s, &after->source));
	if (!has_session(before, &what.transport) || !is_external(s, &after->source))
		return;
	what.remote = remote_of(&before->destination, what.transport);
	require(is_told(&s->sessions, &what) || is_told(&s->before, &what));
}

static bool is_one_to(
	enum nat_dependence dependence, const struct endpoint *a, const struct endpoint *b)
{
	bool address = endpoint_same_address(a, b), port = a->port == b->port;

	if (dependence == NAT_ENDPOINT_INDEPENDENT)
		return true;
	if (dependence == NAT_ADDRESS_DEPENDENT)
		return address;
	return port && (address || dependence == NAT_PORT_DEPENDENT);
}

/* Whether a session was there that lets a packet in. */
static bool was_let_in(const struct script *s, enum nat_transport transport,
	const struct packet *before, const struct packet *after)
{
	struct endpoint remote = remote_of(&before->source, transport);

	for (size_t i = 0; i < s->before.count; i++) {
		const struct told *t = &s->before.all[i];

		if (t->transport == transport &&
			endpoint_equal(&t->external, &before->destination) &&
			endpoint_equal(&t->inside, &after->destination) &&
			is_one_to(behaviour(s, transport)->filtering, &t->remote, &remote))
			return true;
	}
	return false;
}

static void check_inward(
	const struct script *s, const struct packet *before, const struct packet *after)
{
	enum nat_transport transport;

	require(endpoint_same_address(&before->source, &after->source));
	if (translation(s, after->family) == NAT_PREFIX)
		return;
	require(!is_own(s, &after->source));
	require(!is_own(s, &after->destination) || is_translated(s, after->family));
	if (has_session(before, &transport) && !behaviour(s, transport)->unfiltered)
		require(was_let_in(s, transport, before, after));
}

/* To the inside host of the external endpoint that it was sent to, by a session of that one. */
static void check_hairpinned(
	const struct script *s, const struct packet *before, const struct packet *after)
{
	enum nat_transport transport;
	size_t i = 0;

	require(!is_own(s, &after->destination));
	if (translation(s, after->family) == NAT_PREFIX)
		return;
	require(is_translated(s, after->family) && is_external(s, &before->destination));
	require(is_external(s, &after->source) ||
		endpoint_same_address(&after->source, &before->source));
	if (!has_session(before, &transport) || transport == NAT_ICMP)
		return;
	while (i < s->before.count &&
		(s->before.all[i].transport != transport ||
			!endpoint_equal(&s->before.all[i].external, &before->destination) ||
			!endpoint_equal(&s->before.all[i].inside, &after->destination)))
		i++;
	require(i < s->before.count || behaviour(s, transport)->unfiltered ||
		endpoint_equal(&before->source, &after->destination));
}

/* What no NAT has to touch, unless it looks into payloads. */
static void check_same(
	const struct script *s, const struct packet *before, const struct packet *after)
{
	require(after->family == before->family && after->ip_protocol == before->ip_protocol);
	require(after->protocol == before->protocol && after->length == before->length);
	require(after->fragment_id == before->fragment_id);
	require(after->fragment_offset == before->fragment_offset);
	require(after->more_fragments == before->more_fragments);
	require(after->transport == before->transport && after->payload == before->payload);
	require(after->payload_length == before->payload_length);
	require(after->ttl == (s->config.keep_ttl ? before->ttl : before->ttl - 1));
	if (!s->config.alg && before->protocol != PACKET_ERROR)
		require(!memcmp(after->bytes + after->payload, before->bytes + before->payload,
			before->length - before->payload));
	require(packet_checksums_right(after) == packet_checksums_right(before));
}

static void check_forwarded(struct script *s, enum nat_side side, const struct packet *before,
	const struct nat_result *result)
{
	const struct nat_out *out = &result->forward;
	struct packet after;

	require(out->bytes && !packet_decode(out->bytes, out->length, &after));
	require(after.length == out->length);
	check_same(s, before, &after);
	require((result->reason == NAT_HAIRPINNED) == (out->side == side));
	require(out->side == NAT_INSIDE || side == NAT_INSIDE);
	if (result->reason == NAT_HAIRPINNED)
		check_hairpinned(s, before, &after);
	else if (side == NAT_INSIDE)
		check_outward(s, before, &after);
	else
		check_inward(s, before, &after);
	memcpy(s->last, out->bytes, out->length);
	s->last_length = out->length;
	s->last_side = out->side;
	if (out->side == NAT_OUTSIDE)
		s->external = after.source;
}

/* From the box to the sender, and never about an error. */
static void check_answer(const struct script *s, const struct nat_out *answer, enum nat_side side,
	const struct packet *cause)
{
	struct packet p;

	require(answer->side == side);
	require(!packet_decode(answer->bytes, answer->length, &p));
	require(p.length == answer->length);
	require(packet_checksums_right(&p));
	require(endpoint_same_address(&p.destination, &cause->source));
	require(is_own(s, &p.source) || endpoint_same_address(&p.source, &cause->destination));
	require(cause->protocol != PACKET_ERROR);
	if (cause->protocol == PACKET_TCP && cause->flags & PACKET_RST)
		require(p.protocol != PACKET_TCP);
}

static void send_packet(struct script *s, enum nat_side side)
{
	int length = script_packet(s, &side);
	uint8_t copy[SCRIPT_BYTES_MAX];
	struct nat_result result;
	struct packet before;
	bool whole;

	if (length <= 0)
		return;
	s->length = (size_t)length;
	memcpy(copy, s->bytes, s->length);
	whole = !packet_decode(copy, s->length, &before);
	s->before = s->sessions;
	nat_input(s->nat, s->now, side, s->bytes, s->length, &result);
	require((unsigned)result.reason < NAT_REASONS);
	require(went_on(result.reason) == (result.forward.length > 0));
	require(nat_reason_count(s->nat, result.reason) > 0);
	require(whole || (result.reason == NAT_DROP_MALFORMED && !result.answer.length));
	if (result.forward.length) {
		require(!result.answer.length);
		check_forwarded(s, side, &before, &result);
	}
	if (result.answer.length)
		check_answer(s, &result.answer, side, &before);
}

/* --- time --- */

static uint64_t poll_all(struct script *s)
{
	uint64_t deadline;
	struct nat_out out;
	unsigned polls = 0;

	while (nat_poll(s->nat, s->now, &out, &deadline)) {
		struct packet p;

		require(++polls < POLLS_MAX);
		require(deadline == s->now);
		require(out.length && !packet_decode(out.bytes, out.length, &p));
		require(p.length == out.length);
		require(packet_checksums_right(&p));
	}
	require(deadline > s->now);
	check_table(s, deadline);
	return deadline;
}

static void pass_time(struct script *s)
{
	static const uint64_t steps[] = {1, 1000, 999999, 1000000, 29999999, 30000000, 4000000000};
	uint64_t deadline;

	if (script_take(s, 3)) {
		s->now += steps[script_take(s, 7)];
		return;
	}
	deadline = poll_all(s);
	if (deadline < UINT64_MAX / 2) /* the very moment, or one before */
		s->now = deadline - script_take(s, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script s;
	struct random random;
	int err;

	memset(&s, 0, sizeof(s));
	s.r = reader_over(data, size);
	s.now = 5000000;
	script_config(&s);
	random_init_number(&random, script_take(&s, 256));
	err = nat_create(&s.config, &random, &s.nat);
	require(!err || err == -EINVAL);
	if (err)
		return 0;
	nat_listen(s.nat, listen, &s);
	while (reader_left(&s.r) && !s.r.failed) {
		unsigned what = script_take(&s, 8);

		if (what == 7)
			pass_time(&s);
		else
			send_packet(&s, what < 4 ? NAT_INSIDE : NAT_OUTSIDE);
		if (script_take(&s, 4) == 0)
			poll_all(&s);
	}
	poll_all(&s);
	nat_destroy(s.nat);
	return 0;
}
