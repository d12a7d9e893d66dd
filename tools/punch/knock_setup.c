// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/icmp.h"
#include "net/interfaces.h"
#include "net/udp.h"
#include "punch/classic.h"
#include "tools/punch/knock_setup.h"
#include "tools/punch/server.h"

#define GUESSABLE 20 /* letters: three words of an English text */

static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};

void knock_setup_open(struct knock_setup *k)
{
	k->raw_error = 0;
	for (int f = 0; f < 2; f++) {
		int err = icmp_open(families[f], NULL, &k->raw[f]);

		/* a system without IPv6 has none, and that is all */
		if (err && err != -EAFNOSUPPORT && err != -EPROTONOSUPPORT)
			k->raw_error = err;
	}
}

int knock_setup_interface(struct knock_setup *k, const char *interface)
{
	int err = 0;

	for (int f = 0; f < 2 && interface && !err; f++)
		if (k->raw[f] >= 0)
			err = icmp_use_interface(k->raw[f], interface);
	return err;
}

void knock_setup_keep(struct knock_setup *k, enum family family)
{
	for (int f = 0; f < 2; f++) {
		if (k->raw[f] < 0 || families[f] == family)
			continue;
		close(k->raw[f]);
		k->raw[f] = -1;
	}
}

void knock_setup_hear(struct knock_setup *k)
{
	static const uint8_t exceeded[] = {CLASSIC_EXCEEDED};

	if (!k->raw_error)
		k->raw_error = icmp_want(k->raw[0], FAMILY_IPV4, exceeded, sizeof(exceeded));
}

size_t knock_secret(const struct code *code, char out[static KNOCK_SECRET + 1])
{
	return (size_t)snprintf(out, KNOCK_SECRET + 1, "%s-%s", code->nameplate, code->secret);
}

bool knock_is_guessable(const struct code *code)
{
	return strlen(code->nameplate) + 1 + strlen(code->secret) < GUESSABLE;
}

/* --- who knocks --- */

static int find_target(
	const struct punch_params *p, struct session_knock *out, char *error, size_t size)
{
	struct endpoint found[2], *e;
	int err = server_find(&p->address, p->ipv4, p->ipv6, p->limit_us, found, error, size);

	if (err)
		return err;
	/* a name with both: IPv6 has no ports to be guessed, where this host has it */
	e = &found[1];
	if (e->family == FAMILY_NONE ||
		(found[0].family != FAMILY_NONE &&
			udp_source_towards(e, p->interface, &(struct endpoint){.port = 0})))
		e = &found[0];
	if (!knock_is_host(e)) {
		snprintf(error, size, "%s: no address of one host", p->address.name);
		return -EINVAL;
	}
	out->target = *e;
	out->from_count = !udp_source_towards(e, p->interface, &out->from[0]);
	return 0;
}

/* --- who waits --- */

static void add_source(struct session_knock *out, const struct endpoint *e)
{
	for (size_t i = 0; i < out->from_count; i++)
		if (endpoint_same_address(&out->from[i], e))
			return;
	if (out->from_count < HELLO_CANDIDATES)
		out->from[out->from_count++] = *e;
}

static bool is_wanted(const struct punch_params *p, const struct endpoint *e)
{
	const struct endpoint *only = &p->source[e->family == FAMILY_IPV6];

	return (e->family == FAMILY_IPV6 ? p->ipv6 : p->ipv4) &&
		(only->family == FAMILY_NONE || endpoint_same_address(only, e));
}

/*
 * Of those that are private only the one from which packets go out by themselves: from others they would leave through
 * the same router, which does not know them.
 */
static void find_sources(const struct punch_params *p, struct session_knock *out)
{
	static const struct endpoint somewhere[2] = {{FAMILY_IPV4, 1, 0, {198, 18, 0, 1}},
		{FAMILY_IPV6, 1, 0, {0x20, 0x01, 0, 2, 0, 0, 0, 1}}};
	struct endpoint hosts[HELLO_CANDIDATES], usual;
	int count = interfaces_list(p->interface, hosts, HELLO_CANDIDATES);

	for (int f = 0; f < 2; f++) {
		const struct endpoint *to =
			p->dark[f].family != FAMILY_NONE ? &p->dark[f] : &somewhere[f];

		if (!udp_source_towards(to, p->interface, &usual) && is_wanted(p, &usual))
			add_source(out, &usual);
		else if (p->source[f].family != FAMILY_NONE && is_wanted(p, &p->source[f]))
			add_source(out, &p->source[f]);
	}
	for (int i = 0; i < count; i++)
		if (!endpoint_is_private(&hosts[i]) && is_wanted(p, &hosts[i]))
			add_source(out, &hosts[i]);
}

int knock_setup_session(
	const struct punch_params *p, struct session_knock *out, char *error, size_t size)
{
	*out = (struct session_knock){.on = true,
		.waits = p->wait,
		.classic = p->classic,
		.dark = {p->dark[0], p->dark[1]}};
	if (!p->wait)
		return find_target(p, out, error, size);
	find_sources(p, out);
	return 0;
}

bool knock_needs_luck(const struct session_knock *k)
{
	for (size_t i = 0; i < k->from_count; i++)
		if (k->from[i].family == FAMILY_IPV4 && endpoint_is_private(&k->from[i]))
			return true;
	return false;
}
