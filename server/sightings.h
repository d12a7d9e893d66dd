// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "server/sources.h"
#include "wire/icmp.h"
#include "wire/stun.h"

/*
 * Which ICMP has been seen, by the tokens in it, of those tokens only that somebody has asked for; and the echo replies
 * that are due. Of fixed size. No clock, no sockets.
 */

struct sightings;

#define SIGHTINGS_TOKENS    4096
#define SIGHTINGS_OF_SOURCE 16 /* tokens */

/* What has arrived. */
struct sighting {
	uint8_t token[ICMP_TOKEN_BYTES];
	struct icmp_record record; /* its age is not looked at */
	unsigned local; /* index of our address where it came in */
	struct span data; /* of an echo request; what is beyond ICMP_KEPT_BYTES is not kept */
};

/* An echo reply that is due. */
struct sightings_reply {
	struct endpoint to;
	unsigned local; /* index of the address where it comes from */
	uint16_t identifier, sequence;
	size_t length;
	uint8_t data[ICMP_KEPT_BYTES];
};

/* 0 or -ENOMEM. The key is for the table of sources. */
int sightings_create(struct sightings **out, const uint8_t key[static SOURCES_KEY_BYTES]);
void sightings_destroy(struct sightings *s);

/*
 * From now on, and for ICMP_SEEN_US, what comes with this token is kept. 0; -EDQUOT: the source has too many tokens;
 * -EBUSY: there are too many.
 */
int sightings_ask(struct sightings *s, uint64_t now_us, const struct endpoint *from,
	const uint8_t token[static ICMP_TOKEN_BYTES]);

/* Keeps it, if its token is known; false: it is not. */
bool sightings_see(struct sightings *s, uint64_t now_us, const struct sighting *sighting);

/* The first ones with this token, the oldest one first; how many. */
size_t sightings_find(const struct sightings *s, uint64_t now_us,
	const uint8_t token[static ICMP_TOKEN_BYTES],
	struct icmp_record out[static ICMP_RECORDS_MAX]);

/*
 * Has the newest echo request with this token that has no reply yet replied to, `later_ms` from now. 0 and which one it is;
 * the same again for the same source and ID. -ENOENT: there is none; -EXDEV: it is not of this source's address.
 */
int sightings_reply_later(struct sightings *s, uint64_t now_us, const struct endpoint *from,
	const struct icmp_inquiry *request, struct icmp_record *out);

/* The next reply that is due; false: none now. */
bool sightings_poll(struct sightings *s, uint64_t now_us, struct sightings_reply *out);

/* When the next one is due; UINT64_MAX: never. */
uint64_t sightings_next_us(const struct sightings *s);
