// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * Tells the service manager, as sd_notify(3) does: "READY=1". 0 when told or when there is nobody
 * to tell (no NOTIFY_SOCKET); else a negative errno.
 */
int notify_manager(const char *state);
