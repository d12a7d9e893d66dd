// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* Exit statuses of natlab itself; else it has that of a command. */
enum status {
	STATUS_DONE = 0,
	STATUS_NEGATIVE = 1, /* --deadline came first */
	STATUS_USAGE = 2,
	STATUS_ENVIRONMENT = 3,
};
