// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "lab/nat_private.h"
#include "wire/syn.h"

/* What routers do to SYNs besides: a smaller MSS, so that segments fit into a tunnel, and options that are taken out. */

static enum syn_option option_of(uint8_t kind)
{
	switch (kind) {
	case TCP_OPTION_SCALE:
		return SYN_SCALE;
	case TCP_OPTION_SACK:
		return SYN_SACK;
	case TCP_OPTION_TIMESTAMPS:
		return SYN_TIMESTAMPS;
	default:
		return 0;
	}
}

static void clamp(struct packet *p, size_t at, struct span value, uint16_t mss)
{
	const uint8_t to[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};

	if (value.length == 2 && (value.data[0] << 8 | value.data[1]) > mss)
		packet_replace_options(p, at + 2, to, sizeof(to));
}

static void strip(struct packet *p, size_t at, size_t length)
{
	static const uint8_t nop = TCP_OPTION_NOP;

	for (size_t i = 0; i < length; i++)
		packet_replace_options(p, at + i, &nop, 1);
}

void nat_syn_change(const struct nat *nat, struct packet *p)
{
	const struct nat_syn *syn = &nat->config.syn;
	struct span options = packet_tcp_options(p), value;
	struct reader r = reader_over(options.data, options.length);
	uint8_t kind;
	size_t at;

	if ((!syn->mss && !syn->strip) || !(p->flags & PACKET_SYN))
		return;
	while (tcp_option_next(&r, &kind, &at, &value)) {
		if (kind == TCP_OPTION_MSS && syn->mss)
			clamp(p, at, value, syn->mss);
		else if (option_of(kind) & syn->strip)
			strip(p, at, 2 + value.length);
	}
}
