// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "report/document_private.h"

json_t *make_tri(enum tri t)
{
	return t == TRI_YES ? json_true() : t == TRI_NO ? json_false() : json_null();
}

json_t *make_moment(const struct journal *j, uint64_t t_us)
{
	return t_us && t_us >= j->start_us ? make_ms(t_us - j->start_us) : json_null();
}

json_t *make_numbers(struct maker *m, const size_t *numbers, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		make_append(m, array, json_integer((json_int_t)numbers[i]));
	return array;
}

json_t *make_syn_options(struct maker *m, unsigned options)
{
	static const enum syn_option all[] = {SYN_TIMESTAMPS, SYN_SACK, SYN_SCALE, SYN_MSS};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (options & all[i])
			make_append(m, array, json_string(syn_option_name(all[i])));
	return array;
}
