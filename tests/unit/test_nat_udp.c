// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* UDP over the whole grid of behaviours, NAT44 and NAT66: see test_nat_grid.h. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/test_nat_grid.h"

static void test_grid(void **state)
{
	(void)state;
	grid_check(NAT_UDP, false);
}

static void test_grid_ipv6(void **state)
{
	(void)state;
	grid_check(NAT_UDP, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_grid_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
