// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>

#include "base/endpoint.h"

/*
 * Addresses of this host by which others might reach it: of interfaces that are up, neither loopback nor link-local;
 * interface (or NULL) names the only one. At most so many; the count, or a negative errno.
 */
int interfaces_list(const char *interface, struct endpoint *list, size_t size);
