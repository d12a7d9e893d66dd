// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/world_private.h"

/* The tree, and what its nodes do with packets. */

#define HOPS_MAX 32
#define TAKEN	 "one of its addresses is taken"

int world_create(uint64_t seed, const struct endpoint internet[2], struct world **out)
{
	struct world *w = calloc(1, sizeof(*w));

	if (w)
		w->members[WORLD_INTERNET] = calloc(1, sizeof(struct world_member));
	if (!w || !w->members[WORLD_INTERNET]) {
		free(w);
		return -ENOMEM;
	}
	w->count = 1;
	w->seed = seed;
	w->timer_us = UINT64_MAX;
	w->internet[0] = internet[0];
	w->internet[1] = internet[1];
	*out = w;
	return 0;
}

static void free_member(struct world_member *m)
{
	if (!m)
		return;
	nat_destroy(m->nat);
	world_routes_free(&m->routes);
	free(m);
}

void world_destroy(struct world *w)
{
	if (!w)
		return;
	world_flight_free(&w->flights, w->arrived);
	world_flights_destroy(&w->flights);
	for (int i = 0; i < w->count; i++)
		free_member(w->members[i]);
	free(w);
}

/* --- building --- */

static int complain(char *error, size_t size, const char *name, const char *what, int err)
{
	snprintf(error, size, "%s: %s", name, what);
	return err;
}

static bool is_translated(const struct world_node *n, enum family family)
{
	if (family == FAMILY_IPV6 && n->nat.ipv6_untranslated)
		return false;
	if (n->nat.translation == NAT_PREFIX)
		return family == FAMILY_IPV6;
	return n->nat.translation != NAT_NONE;
}

/* To the node above, and to all above that as long as nobody hides what is behind him. */
static int announce(struct world *w, const struct world_node *n, int number,
	const struct endpoint *e, uint8_t bits)
{
	int up = n->up, child = number, err;

	for (;;) {
		err = world_routes_add(&w->members[up]->routes, e, bits, child);
		if (err || up == WORLD_INTERNET ||
			is_translated(&w->members[up]->config, e->family))
			return err;
		child = up;
		up = w->members[up]->config.up;
	}
}

static int announce_addresses(struct world *w, const struct world_node *n, int number,
	const struct endpoint *list, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = announce(w, n, number, &list[i],
			(uint8_t)(8 * endpoint_address_length(list[i].family)));
	return err;
}

/* What is inside without translation is reached from above; so are translated prefixes. */
static int announce_inside(struct world *w, const struct world_node *n, int number)
{
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		const struct world_prefix *p = &n->inside[i];

		if (p->address.family != FAMILY_NONE && !is_translated(n, p->address.family))
			err = announce(w, n, number, &p->address, p->bits);
	}
	if (!err && n->nat.translation == NAT_PREFIX)
		err = announce(w, n, number, &n->nat.prefix_outside, n->nat.prefix_bits);
	return err;
}

static int announce_all(struct world *w, const struct world_node *n, int number)
{
	int err;

	if (n->kind == WORLD_HOST)
		return announce_addresses(w, n, number, n->addresses, n->address_count);
	/* its own addresses may be of that network */
	err = announce_inside(w, n, number);
	return err ? err : announce_addresses(w, n, number, n->nat.external, n->nat.external_count);
}

/* As if the last one had never been added: the tables are filled again, and need no more room than before. */
static void forget_last(struct world *w)
{
	free_member(w->members[--w->count]);
	for (int i = 0; i < w->count; i++)
		world_routes_clear(&w->members[i]->routes);
	for (int i = 1; i < w->count; i++)
		announce_all(w, &w->members[i]->config, i);
}

static bool is_external(const struct world_node *n, const struct endpoint *e)
{
	for (size_t i = 0; i < n->nat.external_count; i++)
		if (endpoint_same_address(&n->nat.external[i], e))
			return true;
	return false;
}

/* Whether a NAT on the way up to which this address is known has it itself, or the internet. */
static bool is_above(const struct world *w, int up, const struct endpoint *e)
{
	const struct world_node *n;

	for (; up != WORLD_INTERNET; up = n->up) {
		n = &w->members[up]->config;
		if (endpoint_same_address(&n->nat.inside, e) ||
			endpoint_same_address(&n->nat.inside6, e))
			return true;
		if (is_translated(n, e->family))
			return false;
		if (is_external(n, e))
			return true;
	}
	return endpoint_same_address(&w->internet[0], e) ||
		endpoint_same_address(&w->internet[1], e);
}

/* What no route tells: that there is one to it is found when it is added. */
static bool is_taken(const struct world *w, const struct world_node *n)
{
	const struct endpoint *list = n->kind == WORLD_HOST ? n->addresses : n->nat.external;
	size_t count = n->kind == WORLD_HOST ? n->address_count : n->nat.external_count;

	for (size_t i = 0; i < count; i++) {
		if (is_above(w, n->up, &list[i]))
			return true;
		for (size_t k = 0; k < i; k++)
			if (endpoint_same_address(&list[i], &list[k]))
				return true;
	}
	return false;
}

static int check(const struct world *w, const struct world_node *n, char *error, size_t size)
{
	if (w->count == WORLD_NODES_MAX)
		return complain(error, size, n->name, "too many nodes", -ENOSPC);
	if (n->up < 0 || n->up >= w->count ||
		(n->up != WORLD_INTERNET && w->members[n->up]->config.kind != WORLD_NAT))
		return complain(error, size, n->name, "nothing to be behind of", -EINVAL);
	if (n->link.hops > HOPS_MAX)
		return complain(error, size, n->name, "more than 32 hops", -EINVAL);
	if (n->kind == WORLD_HOST && (!n->address_count || n->address_count > WORLD_ADDRESSES_MAX))
		return complain(error, size, n->name, "a host needs 1 to 16 addresses", -EINVAL);
	for (size_t i = 0; n->kind == WORLD_HOST && i < n->address_count; i++)
		if (!endpoint_address_length(n->addresses[i].family))
			return complain(error, size, n->name, "not an address", -EINVAL);
	if (n->kind == WORLD_NAT && n->nat.external_count > NAT_EXTERNAL_MAX)
		return complain(error, size, n->name, "more than 16 addresses", -EINVAL);
	return is_taken(w, n) ? complain(error, size, n->name, TAKEN, -EEXIST) : 0;
}

static int create_nat(struct world *w, struct world_member *m, int number)
{
	struct random random;

	m->timer_us = UINT64_MAX;
	if (m->config.kind != WORLD_NAT)
		return 0;
	random_init_number(&random, w->seed * WORLD_NODES_MAX * 4 + (unsigned)number * 4u + 1);
	return nat_create(&m->config.nat, &random, &m->nat);
}

int world_add(struct world *w, const struct world_node *node, char *error, size_t size)
{
	int number = w->count, err = check(w, node, error, size);
	struct world_member *m;

	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return complain(error, size, node->name, "no memory", -ENOMEM);
	m->config = *node;
	link_init(
		&m->up, &node->link.up, w->seed * WORLD_NODES_MAX * 4 + (unsigned)number * 4u + 2);
	link_init(&m->down, &node->link.down,
		w->seed * WORLD_NODES_MAX * 4 + (unsigned)number * 4u + 3);
	err = create_nat(w, m, number);
	if (err) {
		free_member(m);
		return complain(
			error, size, node->name, "its properties contradict each other", err);
	}
	w->members[w->count++] = m;
	err = announce_all(w, &m->config, number);
	if (!err)
		return number;
	forget_last(w);
	return complain(error, size, node->name, err == -EEXIST ? TAKEN : "no memory", err);
}

int world_count(const struct world *w)
{
	return w->count;
}

const struct world_node *world_at(const struct world *w, int node)
{
	return &w->members[node]->config;
}

struct nat *world_nat(struct world *w, int node)
{
	return w->members[node]->nat;
}

uint64_t world_lost_count(const struct world *w, enum world_lost reason)
{
	return w->lost[reason];
}

void world_listen(struct world *w, world_listener *listener, void *context)
{
	w->listener = listener;
	w->listener_context = context;
}

void world_tell(struct world *w, enum world_what what, int node, enum nat_side side,
	const char *reason, const uint8_t *bytes, size_t length)
{
	const struct world_event e = {w->now_us, what, node, side, reason, bytes, length};

	if (w->listener)
		w->listener(w->listener_context, &e);
}

/* --- NATs --- */

static void send_from_nat(struct world *w, int node, const struct nat_out *out)
{
	const struct world_member *m = w->members[node];
	struct packet p;
	int child;

	if (!out->length || packet_decode(out->bytes, out->length, &p))
		return;
	world_tell(w, WORLD_SENT, node, out->side, NULL, out->bytes, out->length);
	if (out->side == NAT_OUTSIDE) {
		world_send_up(w, node, out->bytes, out->length);
		return;
	}
	child = world_routes_find(&m->routes, &p.destination);
	if (child < 0)
		world_lose(w, node, WORLD_LOST_NO_ROUTE, out->bytes, out->length);
	else
		world_send_down(w, child, out->bytes, out->length);
}

static void poll_nat(struct world *w, int node)
{
	struct world_member *m = w->members[node];
	uint64_t deadline_us;
	struct nat_out out;

	while (nat_poll(m->nat, w->now_us, &out, &deadline_us))
		send_from_nat(w, node, &out);
	m->timer_us = deadline_us;
	if (deadline_us < w->timer_us)
		w->timer_us = deadline_us;
}

/* Polls the NATs whose time has come, and finds out when the next one's will. */
static void poll_due(struct world *w)
{
	uint64_t due_us = w->timer_us;

	if (due_us > w->now_us)
		w->now_us = due_us;
	for (int i = 1; i < w->count; i++)
		if (w->members[i]->nat && w->members[i]->timer_us <= due_us)
			poll_nat(w, i);
	w->timer_us = UINT64_MAX;
	for (int i = 1; i < w->count; i++)
		if (w->members[i]->timer_us < w->timer_us)
			w->timer_us = w->members[i]->timer_us;
}

static bool is_dropped(enum nat_reason reason)
{
	return reason != NAT_FORWARDED && reason != NAT_HAIRPINNED && reason != NAT_HELD;
}

static void enter_nat(struct world *w, int node, enum nat_side side, uint8_t *bytes, size_t length)
{
	struct nat_result result;

	if (w->listener)
		memcpy(w->before, bytes, length);
	nat_input(w->members[node]->nat, w->now_us, side, bytes, length, &result);
	if (w->listener)
		world_tell(w, WORLD_RECEIVED, node, side,
			is_dropped(result.reason) ? nat_reason_name(result.reason) : NULL,
			w->before, length);
	send_from_nat(w, node, &result.answer);
	send_from_nat(w, node, &result.forward);
	poll_nat(w, node);
}

/* --- the internet --- */

/* To the sender, whose packet need not have come from where he is. */
static void answer_time_exceeded(struct world *w, const struct packet *p)
{
	bool v4 = p->family == FAMILY_IPV4;
	int length = packet_build_error(
		w->error, sizeof(w->error), &w->internet[!v4], p, v4 ? 11 : 3, 0, 0);
	int to = world_routes_find(&w->members[WORLD_INTERNET]->routes, &p->source);

	if (length > 0 && to >= 0)
		world_send_down(w, to, w->error, (size_t)length);
}

static void route_on(struct world *w, int from, uint8_t *bytes, size_t length)
{
	struct packet p;
	int to;

	if (packet_decode(bytes, length, &p))
		return;
	if (!packet_take_hop(&p)) {
		world_lose(w, from, WORLD_LOST_TTL, bytes, length);
		answer_time_exceeded(w, &p);
		return;
	}
	to = world_routes_find(&w->members[WORLD_INTERNET]->routes, &p.destination);
	if (to < 0)
		world_lose(w, from, WORLD_LOST_NO_ROUTE, bytes, length);
	else
		world_send_down(w, to, bytes, length);
}

/* --- packets that have crossed a link --- */

static void arrive_up(struct world *w, int from, uint8_t *bytes, size_t length)
{
	int up = w->members[from]->config.up, neighbour;
	struct packet p;

	if (up == WORLD_INTERNET) {
		route_on(w, from, bytes, length);
		return;
	}
	if (packet_decode(bytes, length, &p))
		return;
	/* from one to another on the same side of the NAT: it is the switch between them */
	neighbour = world_routes_find(&w->members[up]->routes, &p.destination);
	if (neighbour >= 0)
		world_send_down(w, neighbour, bytes, length);
	else
		enter_nat(w, up, NAT_INSIDE, bytes, length);
}

void world_input(struct world *w, uint64_t now_us, int host, const void *bytes, size_t length)
{
	struct packet p;

	if (length > PACKET_BYTES_MAX || packet_decode((void *)bytes, length, &p))
		return;
	/* when its time has come: others may have been on their way before */
	world_send_later(w, now_us > w->now_us ? now_us : w->now_us, host, bytes, p.length);
}

/* Whether the packet has arrived at a host. */
static bool end_flight(struct world *w, struct flight *f)
{
	struct world_member *m = w->members[f->node];

	if (f->begins) {
		world_tell(w, WORLD_SENT, f->node, NAT_OUTSIDE, NULL, f->bytes, f->length);
		world_send_up(w, f->node, f->bytes, f->length);
		return false;
	}
	if (f->up) {
		arrive_up(w, f->node, f->bytes, f->length);
		return false;
	}
	if (m->config.kind == WORLD_NAT) {
		enter_nat(w, f->node, NAT_OUTSIDE, f->bytes, f->length);
		return false;
	}
	world_tell(w, WORLD_RECEIVED, f->node, NAT_OUTSIDE, NULL, f->bytes, f->length);
	return true;
}

bool world_poll(struct world *w, uint64_t now_us, struct world_arrival *out, uint64_t *deadline_us)
{
	struct flight *f;

	world_flight_free(&w->flights, w->arrived);
	w->arrived = NULL;
	for (;;) {
		f = world_flight_end(
			&w->flights, w->timer_us < now_us ? w->timer_us : now_us, deadline_us);
		if (f && f->at_us > w->now_us)
			w->now_us = f->at_us;
		if (f && end_flight(w, f)) {
			w->arrived = f;
			*out = (struct world_arrival){f->node, f->bytes, f->length};
			return true;
		}
		world_flight_free(&w->flights, f);
		if (!f && (w->timer_us > now_us || w->timer_us == UINT64_MAX))
			break;
		if (!f)
			poll_due(w);
	}
	if (w->timer_us < *deadline_us)
		*deadline_us = w->timer_us;
	return false;
}
