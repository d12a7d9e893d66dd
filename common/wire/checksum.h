// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of the Internet (RFC 1071): the complement of a one's complement sum of 16-bit
 * words. Sums are of words in network order, as numbers; a sum is 0 only over zeros.
 */

/* The sum over data; an odd length counts as if a zero byte followed. */
uint16_t checksum_sum(const void *data, size_t length);

/* A sum of sums and words, with the carries added in again. */
uint16_t checksum_fold(uint32_t sum);

/* What a word's change adds to a sum, for checksum_adjust: several may be added up. */
uint32_t checksum_change(uint16_t from, uint16_t to);

/*
 * The checksum field after changes of what it covers (RFC 1624 equation 3). What was right stays
 * right, and what was wrong stays wrong.
 */
uint16_t checksum_adjust(uint16_t field, uint32_t changes);
