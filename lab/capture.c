// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lab/capture.h"
#include "wire/packet.h"
#include "wire/pcapng.h"

#define FLUSH_US 200000 /* a file that is being read while it grows lags by no more than this */

struct capture {
	FILE *file;
	uint64_t epoch_us; /* what the clock is behind the time of day */
	uint64_t flushed_us;
	int err;
	unsigned interfaces[WORLD_NODES_MAX][2]; /* of a host both are one */
	uint8_t block[PACKET_BYTES_MAX + PCAPNG_OVERHEAD];
};

static void put(struct capture *c, int length)
{
	if (c->err)
		return;
	if (length < 0)
		c->err = length;
	else if (fwrite(c->block, (size_t)length, 1, c->file) != 1)
		c->err = -errno;
}

static void put_interface(struct capture *c, const char *kind, const char *name, const char *side)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %s%s", kind, name, side);
	put(c, pcapng_interface(c->block, sizeof(c->block), PCAPNG_LINK_SLL, text));
}

static void put_interfaces(struct capture *c, const struct topology *t)
{
	unsigned number = 0;

	for (int i = 1; i <= topology_count(t); i++) {
		const struct topology_node *n = topology_at(t, i);

		c->interfaces[i][NAT_INSIDE] = c->interfaces[i][NAT_OUTSIDE] = number++;
		if (n->node.kind == WORLD_HOST) {
			put_interface(c, "host", n->node.name, "");
			continue;
		}
		c->interfaces[i][NAT_OUTSIDE] = number++;
		put_interface(c, "nat", n->node.name, " inside");
		put_interface(c, "nat", n->node.name, " outside");
	}
}

int capture_create(const char *path, const struct topology *t, struct capture **out)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct timespec now;
	int err;

	if (!c)
		return -ENOMEM;
	c->file = fopen(path, "we");
	if (!c->file) {
		err = -errno;
		free(c);
		return err;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	c->epoch_us =
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - clock_now_us();
	put(c, pcapng_section(c->block, sizeof(c->block), "natlab (natutils) " PACKAGE_VERSION));
	put_interfaces(c, t);
	*out = c;
	return 0;
}

void capture_event(struct capture *c, const struct world_event *e)
{
	char comment[64];
	struct pcapng_packet p = {.t_us = e->t_us + c->epoch_us,
		.interface = c->interfaces[e->node][e->side],
		.direction = e->what == WORLD_RECEIVED ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
		.bytes = e->bytes,
		.length = e->length};

	if (e->what == WORLD_LOST)
		p.direction = PCAPNG_UNKNOWN;
	if (e->reason) {
		snprintf(comment, sizeof(comment), "%s: %s",
			e->what == WORLD_LOST ? "lost on the way" : "dropped by the NAT",
			e->reason);
		p.comment = comment;
	}
	put(c, pcapng_packet(c->block, sizeof(c->block), &p));
	if (e->t_us - c->flushed_us < FLUSH_US)
		return;
	c->flushed_us = e->t_us;
	if (fflush(c->file) && !c->err)
		c->err = -errno;
}

int capture_close(struct capture *c)
{
	int err = c->err;

	/* others flush all streams before they fork; what that says is only kept in the stream */
	if (ferror(c->file) && !err)
		err = -EIO;
	if (fclose(c->file) && !err)
		err = -errno;
	free(c);
	return err;
}
