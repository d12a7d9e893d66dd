// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "judge/meaning.h"
#include "report/pcap.h"
#include "wire/pcapng.h"

#define BLOCK_BYTES (PACKET_BYTES_MAX + PCAPNG_OVERHEAD)

static int put(FILE *out, const uint8_t *block, int length)
{
	if (length < 0)
		return length;
	return fwrite(block, (size_t)length, 1, out) == 1 ? 0 : -EIO;
}

static enum pcapng_direction direction_of(const struct captured *c)
{
	return c->way == WAY_OUT   ? PCAPNG_OUTBOUND
		: c->way == WAY_IN ? PCAPNG_INBOUND
				   : PCAPNG_UNKNOWN;
}

static int put_packet(const struct captured_list *l, const struct journal *journal,
	const struct captured *c, uint8_t *block, FILE *out)
{
	char meaning[MEANING_TEXT];
	struct pcapng_packet p = {.interface = c->interface < l->interface_count ? c->interface : 0,
		.t_us = c->t_us + l->utc_us,
		.direction = direction_of(c),
		.bytes = l->kept + c->bytes_at,
		.length = c->bytes,
		.comment = meaning};

	meaning_text(journal, c, meaning);
	return put(out, block, pcapng_packet(block, BLOCK_BYTES, &p));
}

int report_pcap(const struct captured_list *l, const struct journal *journal,
	const char *application, FILE *out)
{
	uint8_t *block = malloc(BLOCK_BYTES);
	int err;

	if (!block)
		return -ENOMEM;
	err = put(out, block, pcapng_section(block, BLOCK_BYTES, application));
	for (size_t i = 0; i < l->interface_count && !err; i++)
		err = put(out, block,
			pcapng_interface(
				block, BLOCK_BYTES, PCAPNG_LINK_SLL, l->interfaces[i].name));
	for (size_t i = 0; i < l->count && !err; i++)
		if (l->packets[i].bytes)
			err = put_packet(l, journal, &l->packets[i], block, out);
	free(block);
	return err;
}
