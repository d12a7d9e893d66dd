// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * Capabilities and the user, given up in steps. 0 or a negative errno: then the program must end.
 */

/*
 * The first act of main: keeps of what the process may do only the named capabilities, such as
 * "cap_net_raw,cap_setuid" ("" keeps none). What it never had is not an error here.
 */
int privileges_limit(const char *keep);

/*
 * From root to the named user, without supplementary groups. -ENOENT: no such user. Capabilities stay permitted, for
 * privileges_limit to take some of them up again.
 */
int privileges_become(const char *user);

/* Keeps no capability, and none can ever be gained again, not even by execve(). */
int privileges_drop(void);
