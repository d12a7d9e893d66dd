// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <endian.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"

uint16_t checksum_fold(uint32_t sum)
{
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * Four bytes at once in the machine's own order, which the sum does not depend on (RFC 1071 2B,
 * 2C).
 */
uint16_t checksum_sum(const void *data, size_t length)
{
	struct reader r = reader_over(data, length);
	size_t words = length / 4;
	struct span whole = reader_span(&r, words * 4);
	uint8_t rest[4] = {0};
	uint64_t sum;
	uint32_t word;

	reader_copy(&r, rest, reader_left(&r));
	memcpy(&word, rest, sizeof(word));
	sum = word;
	for (size_t i = 0; i < words; i++) {
		memcpy(&word, &whole.data[i * 4], sizeof(word));
		sum += word;
	}
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16 & UINT16_MAX) + (sum >> 32);
	return be16toh(checksum_fold((uint32_t)sum));
}

uint32_t checksum_change(uint16_t from, uint16_t to)
{
	return (uint32_t)(uint16_t)~from + to;
}

uint16_t checksum_adjust(uint16_t field, uint32_t changes)
{
	return (uint16_t)~checksum_fold(checksum_fold(changes) + (uint32_t)(uint16_t)~field);
}
