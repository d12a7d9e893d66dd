// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes as a topology, and what stands behind zero bytes as arguments of --nat and --link. What is refused is so
 * with one line; what is accepted gets addresses and becomes a network, or the reason is said; and packets
 * in that network arrive at whom they are for, or are lost, but do not stay.
 */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/topology.h"
#include "tests/fuzz/fuzz_world.h"

#define INPUT_MAX 4096
#define HOSTS_MAX 4 /* of which each sends to each */
#define ARGUMENTS 4
#define TTLS	  3

static char error[512];

static void refused(int err)
{
	require(err < 0 && *error && strlen(error) < sizeof(error) - 1);
}

static int read_arguments(struct topology *t, const char *at, const char *end)
{
	int err = 0;

	for (int i = 0; i < ARGUMENTS && at < end && !err; i++) {
		if (i == 3)
			err = topology_set_links(t, at, error, sizeof(error));
		else
			err = topology_set_nat(t, at, i % 2, error, sizeof(error));
		at += strlen(at) + 1;
	}
	return err;
}

static void send(struct net *n, int host, const struct endpoint *from, const struct endpoint *to)
{
	static const uint8_t ttls[TTLS] = {64, 1, 4};
	static uint8_t payload[1800];
	struct packet_tcp syn = {.flags = PACKET_SYN, .window = 65000};
	uint8_t bytes[2048];

	for (unsigned i = 0; i < TTLS; i++) {
		int length = packet_build_udp(
			bytes, sizeof(bytes), from, to, ttls[i], payload, i ? 5 : sizeof(payload));

		if (i == 1)
			length =
				packet_build_tcp(bytes, sizeof(bytes), from, to, 64, &syn, NULL, 0);
		require(length > 0);
		world_input(n->world, n->now, host, bytes, (size_t)length);
		net_pass(n, 1000);
	}
}

static void use(const struct topology *t, struct world *w)
{
	static struct net n;
	int hosts[HOSTS_MAX], count = 0;

	n = (struct net){.world = w, .now = 1000000};
	world_listen(w, net_event, &n);
	for (int i = 1; i <= topology_count(t) && count < HOSTS_MAX; i++)
		if (topology_at(t, i)->node.kind == WORLD_HOST)
			hosts[count++] = i;
	for (int a = 0; a < count; a++)
		for (int b = 0; b < count; b++) {
			const struct world_node *from = world_at(w, hosts[a]);
			const struct world_node *to = world_at(w, hosts[b]);

			for (size_t i = 0; i < from->address_count && i < 2; i++)
				for (size_t k = 0; k < to->address_count && k < 2; k++) {
					struct endpoint s = from->addresses[i],
							d = to->addresses[k];

					s.port = 5000;
					d.port = 3478;
					if (s.family == d.family)
						send(&n, hosts[a], &s, &d);
				}
		}
	net_finish(&n);
}

static void build(const struct topology *t)
{
	struct world *w = NULL;
	int err = topology_build(t, 1, &w, error, sizeof(error));

	if (err) {
		refused(err);
		require(!w);
		return;
	}
	require(world_count(w) == topology_count(t) + 1);
	use(t, w);
	world_destroy(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	struct topology *t;
	size_t length;
	int err;

	if (size > INPUT_MAX || topology_create(&t))
		return 0;
	text = malloc(size + 1);
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	length = strlen(text);
	*error = '\0';
	err = topology_read(t, text, length, error, sizeof(error));
	require(!err || !strchr(error, '\n'));
	if (!err)
		err = read_arguments(t, text + length + 1, text + size);
	if (!err)
		err = topology_complete(t, error, sizeof(error));
	if (err)
		refused(err);
	else
		build(t);
	topology_destroy(t);
	free(text);
	return 0;
}
