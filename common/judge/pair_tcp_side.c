// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "base/bytes.h"
#include "judge/pair_tcp_private.h"

/*
 * A side, as the other gets it: one byte version, then the fields, big-endian. A later version has a higher number
 * and only adds something at the end.
 */

#define SIDE_VERSION 1

void pair_tcp_side_clamp(const struct pair_tcp_side *s, struct pair_tcp_side *out)
{
	*out = *s;
	if (out->rate_cps > PAIR_MANY)
		out->rate_cps = PAIR_MANY;
	if (out->sync_error_us > PAIR_SYNC_US)
		out->sync_error_us = PAIR_SYNC_US;
}

const char *early_syn_name(enum early_syn e)
{
	static const char *const names[] = {
		"unknown", "silent", "rst", "icmp", "icmp-after-6-s", "remap"};

	return names[e];
}

/* A NAT that refuses them after six seconds has kept still for longer than a punch needs. */
#define LATE_US 3000000u

static enum early_syn early_from(const struct behaviour *b)
{
	switch (b->early) {
	case EARLY_SILENT:
		return EARLY_SYN_SILENT;
	case EARLY_REMAP:
		return EARLY_SYN_REMAP;
	case EARLY_REJECT:
		if (b->early_after_us >= LATE_US)
			return EARLY_SYN_LATE;
		return b->early_by_icmp ? EARLY_SYN_ICMP : EARLY_SYN_RST;
	default:
		return EARLY_SYN_UNKNOWN;
	}
}

void pair_tcp_side_from(const struct behaviour *b, struct pair_tcp_side *out)
{
	struct pair_side udp; /* what is of the same kind comes about in the same way */

	pair_side_from(b, &udp);
	out->status = udp.status;
	out->nat = udp.nat;
	out->mapping = udp.mapping;
	out->filtering = udp.filtering;
	out->allocation = udp.allocation;
	out->step = udp.step;
	out->low = udp.low;
	out->high = udp.high;
	out->preservation = SHARE_UNKNOWN;
	out->early = EARLY_SYN_UNKNOWN;
	out->simultaneous = TRI_UNKNOWN;
	if (udp.status != PATH_OK)
		return;
	out->preservation = b->port_preservation;
	out->early = early_from(b);
	out->simultaneous = b->simultaneous;
}

static bool ranges_hold(const struct pair_tcp_side *s)
{
	return (unsigned)s->status <= PATH_UNREACHABLE && (unsigned)s->nat <= TRI_YES &&
		(unsigned)s->mapping <= DEPENDENCE_PORT &&
		(unsigned)s->filtering <= DEPENDENCE_PORT &&
		(unsigned)s->allocation <= ALLOCATION_RANDOM && s->step >= -PAIR_STEP_MAX &&
		s->step <= PAIR_STEP_MAX && s->low <= s->high && !s->low == !s->high &&
		(unsigned)s->preservation <= SHARE_NEVER && (unsigned)s->early <= EARLY_SYN_REMAP &&
		(unsigned)s->simultaneous <= TRI_YES;
}

int pair_tcp_side_encode(const struct pair_tcp_side *side, void *buffer, size_t size)
{
	struct writer w =
		writer_over(buffer, size < PAIR_TCP_SIDE_BYTES ? size : PAIR_TCP_SIDE_BYTES);
	struct pair_tcp_side s;

	if (!ranges_hold(side))
		return -EINVAL;
	pair_tcp_side_clamp(side, &s);
	writer_u8(&w, SIDE_VERSION);
	writer_u8(&w, (uint8_t)s.status);
	writer_u8(&w, (uint8_t)s.nat);
	writer_u8(&w, (uint8_t)s.mapping);
	writer_u8(&w, (uint8_t)s.filtering);
	writer_u8(&w, (uint8_t)s.allocation);
	writer_u8(&w, (uint8_t)s.preservation);
	writer_u8(&w, (uint8_t)s.early);
	writer_u8(&w, (uint8_t)s.simultaneous);
	writer_u16(&w, (uint16_t)s.step);
	writer_u16(&w, s.low);
	writer_u16(&w, s.high);
	writer_u16(&w, s.connections_max);
	writer_u32(&w, s.rate_cps);
	writer_u32(&w, s.sync_error_us);
	return w.failed ? -EMSGSIZE : (int)w.position;
}

int pair_tcp_side_decode(const void *data, size_t length, struct pair_tcp_side *out)
{
	struct reader r = reader_over(data, length);
	struct pair_tcp_side s = {0};

	if (reader_u8(&r) < SIDE_VERSION)
		return -EBADMSG;
	s.status = (enum path_status)reader_u8(&r);
	s.nat = (enum tri)reader_u8(&r);
	s.mapping = (enum dependence)reader_u8(&r);
	s.filtering = (enum dependence)reader_u8(&r);
	s.allocation = (enum allocation_pattern)reader_u8(&r);
	s.preservation = (enum share)reader_u8(&r);
	s.early = (enum early_syn)reader_u8(&r);
	s.simultaneous = (enum tri)reader_u8(&r);
	s.step = (int16_t)reader_u16(&r);
	s.low = reader_u16(&r);
	s.high = reader_u16(&r);
	s.connections_max = reader_u16(&r);
	s.rate_cps = reader_u32(&r);
	s.sync_error_us = reader_u32(&r);
	if (r.failed || length > PAIR_TCP_SIDE_BYTES || !ranges_hold(&s))
		return -EBADMSG;
	pair_tcp_side_clamp(&s, out);
	return 0;
}

#define VALUES 14

static void values_of(const struct pair_tcp_side *s, int64_t out[VALUES])
{
	const int64_t all[VALUES] = {s->status, s->nat, s->mapping, s->filtering, s->allocation,
		s->step, s->low, s->high, s->preservation, s->early, s->simultaneous,
		s->sync_error_us, s->connections_max, s->rate_cps};

	for (int i = 0; i < VALUES; i++)
		out[i] = all[i];
}

int pair_tcp_side_compare(const struct pair_tcp_side *a, const struct pair_tcp_side *b)
{
	int64_t x[VALUES], y[VALUES];

	values_of(a, x);
	values_of(b, y);
	return pair_values_compare(x, y, VALUES);
}
