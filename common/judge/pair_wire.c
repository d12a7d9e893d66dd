// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "judge/pair_private.h"

/*
 * A side, as the other gets it: one byte version, then the fields, big-endian. A later version has a higher number
 * and only adds something at the end.
 */

#define SIDE_VERSION 1
#define FLAG_PARITY  1u /* the others: of later versions */

static bool ranges_hold(const struct pair_side *s)
{
	return (unsigned)s->status <= PATH_UNREACHABLE && (unsigned)s->nat <= TRI_YES &&
		(unsigned)s->mapping <= DEPENDENCE_PORT &&
		(unsigned)s->filtering <= DEPENDENCE_PORT &&
		(unsigned)s->early <= EARLY_DELIVERED &&
		(unsigned)s->allocation <= ALLOCATION_RANDOM && s->step >= -PAIR_STEP_MAX &&
		s->step <= PAIR_STEP_MAX && s->low <= s->high && !s->low == !s->high &&
		s->depth <= PAIR_DEPTH_MAX && s->sync_error_us <= PAIR_SYNC_US &&
		s->packets_max <= PAIR_MANY && s->rate_pps <= PAIR_MANY;
}

int pair_side_encode(const struct pair_side *s, void *buffer, size_t size)
{
	struct writer w = writer_over(buffer, size < PAIR_SIDE_BYTES ? size : PAIR_SIDE_BYTES);

	if (!ranges_hold(s))
		return -EINVAL;
	writer_u8(&w, SIDE_VERSION);
	writer_u8(&w, (uint8_t)s->status);
	writer_u8(&w, (uint8_t)s->nat);
	writer_u8(&w, (uint8_t)s->mapping);
	writer_u8(&w, (uint8_t)s->filtering);
	writer_u8(&w, (uint8_t)s->early);
	writer_u8(&w, (uint8_t)s->allocation);
	writer_u8(&w, s->parity ? FLAG_PARITY : 0);
	writer_u8(&w, s->depth);
	writer_u16(&w, (uint16_t)s->step);
	writer_u16(&w, s->low);
	writer_u16(&w, s->high);
	writer_u16(&w, s->sockets_max);
	writer_u32(&w, s->packets_max);
	writer_u32(&w, s->rate_pps);
	writer_u32(&w, s->sync_error_us);
	return w.failed ? -EMSGSIZE : (int)w.position;
}

int pair_side_decode(const void *data, size_t length, struct pair_side *out)
{
	struct reader r = reader_over(data, length);
	struct pair_side s = {0};

	if (reader_u8(&r) < SIDE_VERSION)
		return -EBADMSG;
	s.status = (enum path_status)reader_u8(&r);
	s.nat = (enum tri)reader_u8(&r);
	s.mapping = (enum dependence)reader_u8(&r);
	s.filtering = (enum dependence)reader_u8(&r);
	s.early = (enum early_packet)reader_u8(&r);
	s.allocation = (enum allocation_pattern)reader_u8(&r);
	s.parity = reader_u8(&r) & FLAG_PARITY;
	s.depth = reader_u8(&r);
	s.step = (int16_t)reader_u16(&r);
	s.low = reader_u16(&r);
	s.high = reader_u16(&r);
	s.sockets_max = reader_u16(&r);
	s.packets_max = reader_u32(&r);
	s.rate_pps = reader_u32(&r);
	s.sync_error_us = reader_u32(&r);
	if (r.failed || length > PAIR_SIDE_BYTES || !ranges_hold(&s))
		return -EBADMSG;
	*out = s;
	return 0;
}
