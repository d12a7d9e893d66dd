// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/number.h"

/* Digits at *text, moved behind them; -EINVAL when there are none, -ERANGE when too large. */
static int take_digits(const char **text, uint64_t *out)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return -ERANGE;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	*text = p;
	*out = value;
	return 0;
}

int number_from_text(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value;
	int err = take_digits(&text, &value);

	if (err)
		return err;
	if (*text)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static uint64_t unit_us(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {{"", 1000000}, {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000},
		{"h", 3600000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].us;
	return 0;
}

int duration_from_text(const char *text, uint64_t min_us, uint64_t max_us, uint64_t *out_us)
{
	uint64_t whole = 0, millionths = 0, scale = 100000, unit, value;
	int err = take_digits(&text, &whole);

	if (err)
		return err;
	if (*text == '.') {
		text++;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		for (; *text >= '0' && *text <= '9'; text++, scale /= 10)
			millionths += (uint64_t)(*text - '0') * scale;
	}
	unit = unit_us(text);
	if (!unit)
		return -EINVAL;
	if (whole > UINT64_MAX / 2 / unit)
		return -ERANGE;
	value = whole * unit + millionths * unit / 1000000;
	if (value < min_us || value > max_us)
		return -ERANGE;
	*out_us = value;
	return 0;
}
