// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "base/endpoint.h"
#include "server/sources.h"

/*
 * How much of something there may be within a minute: of each source (IPv4 /32, IPv6 /64), and of all. Exact: what
 * was taken is given back one minute later, and not before.
 */

struct quota;

#define QUOTA_MINUTE_US 60000000u

/* 0 or -ENOMEM. The key is for the table of sources. */
int quota_create(struct quota **out, uint32_t at_all, uint32_t of_source,
	const uint8_t key[static SOURCES_KEY_BYTES]);
void quota_destroy(struct quota *q);

/* So many for the endpoint's source, or none of them. 0; -EDQUOT: that has had enough; -EBUSY: all have. */
int quota_take(struct quota *q, uint64_t now_us, const struct endpoint *from, unsigned count);
