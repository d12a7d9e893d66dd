// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "report/ladder_private.h"

#define EVIDENCE_MAX 4096 /* of whose endpoints the servers are known */
#define CAUSES_MAX   16

static const char *const protocols[] = {"udp", "tcp", "icmp"};
static const char *const families[] = {"ipv4", "ipv6"};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Addresses that tell where a packet belongs. */
struct known {
	struct ladder_actor own; /* this host's */
	struct ladder_actor external; /* of its NATs */
	struct ladder_actor servers;
	struct ladder_actor peer;
};

static bool has_address(const struct ladder_actor *set, const char *address)
{
	for (size_t i = 0; address && i < set->addresses; i++)
		if (!strcmp(json_string_value(set->address[i]), address))
			return true;
	return false;
}

static void add_endpoint(struct ladder_actor *set, const json_t *endpoint)
{
	const json_t *address = json_object_get(endpoint, "address");
	const json_t *port = json_object_get(endpoint, "port");

	if (!json_string_length(address))
		return;
	if (!set->addresses)
		set->port = json_integer_value(port);
	else if (set->port != json_integer_value(port))
		set->ports_vary = true;
	if (has_address(set, json_string_value(address)))
		return;
	if (set->addresses < LADDER_ADDRESSES)
		set->address[set->addresses++] = address;
	else
		set->more = true;
}

/* --- what the rest of the document says --- */

static const json_t *block_at(const json_t *document, size_t protocol, size_t family)
{
	return json_object_get(json_object_get(document, protocols[protocol]), families[family]);
}

static void know_block(struct ladder *ladder, struct known *k, const json_t *block)
{
	const json_t *external = json_object_get(block, "external");

	add_endpoint(&k->own, json_object_get(block, "local"));
	if (!json_is_true(json_object_get(block, "nat")))
		return;
	ladder->actor[LADDER_OWN_NAT].present = true;
	for (size_t i = 0; i < json_array_size(external) && i < LADDER_ADDRESSES; i++)
		add_endpoint(&k->external, json_array_get(external, i));
}

static void know_servers(const struct ladder *ladder, struct known *k)
{
	const json_t *evidence = json_object_get(ladder->document, "evidence");

	add_endpoint(&k->servers, json_object_get(ladder->document, "server"));
	for (size_t i = 0; i < json_array_size(evidence) && i < EVIDENCE_MAX; i++) {
		const json_t *e = json_array_get(evidence, i);

		add_endpoint(&k->servers, json_object_get(e, "to"));
		add_endpoint(&k->servers, json_object_get(e, "from"));
	}
}

static void know_causes(struct ladder *ladder)
{
	const json_t *causes = json_object_get(ladder->document, "causes");

	for (size_t i = 0; i < json_array_size(causes) && i < CAUSES_MAX; i++) {
		const json_t *cause = json_array_get(causes, i);

		if (member_is(cause, "where", "own-nat"))
			ladder->actor[LADDER_OWN_NAT].present = true;
		if (member_is(cause, "where", "peer-nat"))
			ladder->actor[LADDER_PEER_NAT].present = true;
	}
}

static void know(struct ladder *ladder, struct known *k)
{
	const json_t *d = ladder->document;

	memset(k, 0, sizeof(*k));
	ladder->punch = member_is(d, "format", "punch-report");
	for (size_t i = 0; i < COUNT(protocols) * COUNT(families); i++)
		know_block(ladder, k, block_at(d, i / COUNT(families), i % COUNT(families)));
	know_block(ladder, k, json_object_get(d, "own_nat"));
	add_endpoint(&k->own, json_object_get(d, "local"));
	if (ladder->actor[LADDER_OWN_NAT].present)
		add_endpoint(&k->external, json_object_get(d, "mapped"));
	if (ladder->punch) {
		know_servers(ladder, k);
		add_endpoint(&k->peer, json_object_get(d, "peer"));
		if (json_is_true(json_object_get(json_object_get(d, "peer_nat"), "nat")))
			ladder->actor[LADDER_PEER_NAT].present = true;
	}
	know_causes(ladder);
	ladder->actor[LADDER_HOST].present = ladder->actor[LADDER_PATH].present = true;
	ladder->actor[ladder->punch ? LADDER_PEER : LADDER_SERVER].present = true;
}

bool ladder_has_no_nat(const struct ladder *ladder, const json_t *packet)
{
	const char *address = member_text(json_object_get(packet, "from"), "address");
	size_t family = address && strchr(address, ':') ? 1 : 0, protocol = 0;
	const json_t *block;

	if (ladder->punch) {
		block = json_object_get(ladder->document, "own_nat");
	} else {
		while (protocol < COUNT(protocols) &&
			!member_is(packet, "protocol", protocols[protocol]))
			protocol++;
		/* an error has no block of its own: it comes as the packets come that it is about */
		block = protocol < COUNT(protocols) ? block_at(ladder->document, protocol, family)
						    : NULL;
	}
	return json_is_false(json_object_get(block, "nat"));
}

/* --- packets --- */

static bool is_out(const struct known *k, const json_t *packet)
{
	if (member_is(packet, "direction", "out"))
		return true;
	if (member_is(packet, "direction", "in"))
		return false;
	return has_address(&k->own, member_text(json_object_get(packet, "from"), "address"));
}

/* Where the endpoint is that is not this host's. */
static enum ladder_place far_place(
	const struct ladder *ladder, const struct known *k, const json_t *endpoint)
{
	const char *address = member_text(endpoint, "address");

	if (!ladder->punch)
		return has_address(&k->external, address) ? LADDER_OWN_NAT : LADDER_SERVER;
	/* a peer behind the same NAT has its address, too */
	if (has_address(&k->peer, address) || !has_address(&k->servers, address))
		return LADDER_PEER;
	return LADDER_SERVER;
}

static enum ladder_place sender(
	const struct ladder *ladder, const struct known *k, const json_t *packet)
{
	static const struct {
		const char *device;
		enum ladder_place place;
	} devices[] = {
		{"own-nat", LADDER_OWN_NAT},
		{"path", LADDER_PATH},
		{"server", LADDER_SERVER},
		{"peer-nat", LADDER_PEER_NAT},
		{"peer", LADDER_PEER},
	};

	for (size_t i = 0; i < COUNT(devices); i++)
		if (member_is(packet, "device", devices[i].device))
			return devices[i].place;
	if (member_is(packet, "device", "host")) {
		/* its own firewall rejects, or its own packet comes back by hairpinning */
		if (ladder_is_error(packet))
			return LADDER_HOST;
		return ladder->actor[LADDER_OWN_NAT].present ? LADDER_OWN_NAT : LADDER_PATH;
	}
	if (member_is(packet, "class", "error") || member_is(packet, "class", "stranger"))
		return LADDER_PATH;
	return far_place(ladder, k, ladder_far(packet, false));
}

/* Whether the packet's far address is that of the device: NATs have others, too, and strangers are beyond the path. */
static bool has_own_address(enum ladder_place place, const json_t *packet)
{
	if (place == LADDER_PATH)
		return ladder_is_error(packet);
	return place != LADDER_OWN_NAT && place != LADDER_HOST;
}

static void place(struct ladder *ladder, const struct known *k, struct ladder_seen *s)
{
	enum ladder_place far;

	s->out = is_out(k, s->packet);
	s->from = s->out ? LADDER_HOST : sender(ladder, k, s->packet);
	s->to = s->out ? far_place(ladder, k, ladder_far(s->packet, true)) : LADDER_HOST;
	far = s->out ? s->to : s->from;
	ladder->actor[far].present = true;
	if (has_own_address(far, s->packet))
		add_endpoint(&ladder->actor[far], ladder_far(s->packet, s->out));
	add_endpoint(
		&ladder->actor[LADDER_HOST], json_object_get(s->packet, s->out ? "from" : "to"));
}

void ladder_place_all(struct ladder_draft *d)
{
	struct ladder_actor *actor = d->ladder->actor;
	struct known k;

	know(d->ladder, &k);
	for (size_t i = 0; i < d->count; i++)
		place(d->ladder, &k, &d->seen[i]);
	for (size_t i = 0; i < k.external.addresses; i++)
		actor[LADDER_OWN_NAT].address[i] = k.external.address[i];
	actor[LADDER_OWN_NAT].addresses = k.external.addresses;
	if (!actor[LADDER_HOST].addresses) {
		k.own.present = true;
		actor[LADDER_HOST] = k.own;
	}
	if (!actor[LADDER_PEER].addresses) {
		k.peer.present = actor[LADDER_PEER].present;
		actor[LADDER_PEER] = k.peer;
	}
}
