// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/*
 * How much each source (IPv4 /32, IPv6 /64) holds of something: sessions, connections. Exact, with memory
 * for those only that hold anything; where a source lands in the table depends on a secret key.
 */

struct sources;
struct source;

#define SOURCES_KEY_BYTES 16

/* For about `expected` sources at once, with at most `each` of the thing for any of them. 0 or -ENOMEM. */
int sources_create(struct sources **out, size_t expected, uint32_t each,
	const uint8_t key[static SOURCES_KEY_BYTES]);
void sources_destroy(struct sources *sources);

/* Counts one more for the endpoint's source, which is put into *out. 0; -EDQUOT: it has enough; -ENOMEM. */
int sources_take(struct sources *sources, const struct endpoint *from, struct source **out);
/* Counts one less; the source may be gone then. */
void sources_give_back(struct sources *sources, struct source *source);

/* Sources that hold anything, and the bytes that all of it takes. */
size_t sources_count(const struct sources *sources);
size_t sources_bytes(const struct sources *sources);
