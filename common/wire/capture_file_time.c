// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "wire/capture_file_private.h"

/* Times of pcapng: any power of ten or two of a second, and seconds added (if_tsresol, if_tsoffset). */

#define OF_TWO	     0x80u
#define POWER	     0x7fu
#define MICROSECONDS 6
#define SECOND_US    1000000u
#define TICK_BITS    64
/* Of a second: finer than a nanosecond, and few enough to be multiplied in 64 bits. */
#define FRACTION_BITS 32

static bool of_ten(unsigned power, uint64_t ticks, uint64_t *us)
{
	for (; power < MICROSECONDS; power++)
		if (__builtin_mul_overflow(ticks, 10u, &ticks))
			return false;
	for (; power > MICROSECONDS && ticks; power--)
		ticks /= 10;
	*us = ticks;
	return true;
}

static bool of_two(unsigned power, uint64_t ticks, uint64_t *us)
{
	uint64_t fraction;

	if (power > FRACTION_BITS) {
		power -= FRACTION_BITS;
		ticks = power < TICK_BITS ? ticks >> power : 0;
		power = FRACTION_BITS;
	}
	fraction = (ticks & (((uint64_t)1 << power) - 1)) * SECOND_US >> power;
	return !__builtin_mul_overflow(ticks >> power, SECOND_US, us) &&
		!__builtin_add_overflow(*us, fraction, us);
}

uint64_t capture_file_time(const struct capture_file_interface *interface, uint64_t ticks)
{
	unsigned power = interface->resolution & POWER;
	int64_t offset_us, sum;
	uint64_t us;

	if (!(interface->resolution & OF_TWO ? of_two : of_ten)(power, ticks, &us))
		return 0;
	if (us > INT64_MAX ||
		__builtin_mul_overflow(interface->offset_s, (int64_t)SECOND_US, &offset_us) ||
		__builtin_add_overflow((int64_t)us, offset_us, &sum) || sum < 0)
		return 0;
	return (uint64_t)sum;
}
