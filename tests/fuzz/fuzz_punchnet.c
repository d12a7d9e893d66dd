// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Both sides of a punch, the server and a network between them, in virtual time (tests/unit/punchnet.h). The script says
 * what NATs and links are like, who begins when, dies, breaks the way or does not know the code. Promised: nothing
 * comes to a standstill or never to rest; both sides end, in time; a way is the same seen from both ends; and who does
 * not know the code has none.
 */

#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "tests/unit/punchnet.h"

#define MS     1000u
#define SECOND 1000000u

static const char *const kinds[] = {"full-cone", "restricted", "port-restricted", "linux",
	"linux-accept", "symmetric-sequential", "linux-random low=40000 high=40250", "symmetric",
	"udp-blocked", "firewall", "cgnat", "none"};

struct script {
	const uint8_t *data;
	size_t size, at;
};

static uint8_t take(struct script *s)
{
	return s->at < s->size ? s->data[s->at++] : 0;
}

static const char *kind(struct script *s)
{
	return kinds[take(s) % (sizeof(kinds) / sizeof(*kinds))];
}

static void write_topology(struct script *s, char *text, size_t size)
{
	const char *a = kind(s), *b = kind(s);
	unsigned delay = take(s) % 100, loss = take(s) % 25, jitter = take(s) % 30;
	unsigned reorder = take(s) % 20, duplicate = take(s) % 20;

	snprintf(text, size,
		"link delay=%ums hops=3 loss=%u%% jitter=%ums reorder=%u%% duplicate=%u%%\n"
		"nat a kind=%s\nnat b kind=%s\n"
		"link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0\n"
		"host a behind=a\nhost b behind=b\nlink delay=5ms hops=1\nhost server\n",
		delay, loss, jitter, reorder, duplicate, a, b);
}

static void fill_party(struct script *s, struct punchnet_party *p, bool manual)
{
	p->start_us = take(s) * 20 * MS;
	p->secret = take(s) & 15 ? "crossover-clockwork" : "another-secret";
	p->die_us = take(s) & 3 ? 0 : 1 + take(s) * 50 * MS;
	p->packets_max = take(s) & 1 ? 16 + take(s) * 8 : 0;
	p->sockets_max = take(s) & 1 ? 1 + take(s) : 0;
	p->rate_pps = take(s) & 1 ? 10 + take(s) * 4 : 0;
	if (!manual)
		return;
	p->paste_us = take(s) * 200 * MS;
	p->skew_us = (int8_t)take(s) * 4 * (int64_t)MS;
}

static bool is_connected(const struct punchnet_outcome *o)
{
	return o->view.state == SESSION_CONNECTED;
}

static void check(const struct punchnet_config *c, const struct punchnet_result *r)
{
	const struct punchnet_outcome *a = &r->party[0], *b = &r->party[1];
	bool alike = !strcmp(c->party[0].secret, c->party[1].secret);

	if (*r->broken)
		fprintf(stderr, "%s\n", r->broken);
	require(!*r->broken);
	for (int i = 0; i < PUNCHNET_PARTIES; i++) {
		require(r->party[i].ended || c->party[i].die_us || r->party[i].view.round);
		require(alike || !is_connected(&r->party[i]));
	}
	if (is_connected(a) && is_connected(b) && a->view.round == b->view.round) {
		require(endpoint_equal(&a->checks.mapped, &b->remote));
		require(endpoint_equal(&b->checks.mapped, &a->remote));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.data = data, .size = size};
	struct punchnet_config c = {.topology = NULL};
	static struct punchnet_result r;
	char topology[700];
	uint8_t flags;

	require(sodium_init() >= 0);
	write_topology(&s, topology, sizeof(topology));
	flags = take(&s);
	c.topology = topology;
	c.seed = take(&s);
	c.ipv6 = flags & 1;
	c.ipv4 = flags & 2;
	c.manual = !(flags & 12);
	c.no_tcp = flags & 16;
	c.again = flags & 32 ? take(&s) % 3 : 0;
	c.wait_us = 30u * SECOND;
	c.limit_us = 500u * SECOND;
	c.server_dies_us = flags & 64 ? 1 + take(&s) * 20 * MS : 0;
	c.server_returns_us =
		flags & 128 && c.server_dies_us ? c.server_dies_us + take(&s) * 20 * MS + 1 : 0;
	for (int i = 0; i < PUNCHNET_PARTIES; i++)
		fill_party(&s, &c.party[i], c.manual);
	punchnet_run(&c, &r);
	check(&c, &r);
	punchnet_free(&r);
	return 0;
}
