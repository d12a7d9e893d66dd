// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <sys/socket.h>

#include "base/endpoint.h"

/* Endpoints to and from what the kernel wants. */

/* Fills *out; returns its length, 0 for FAMILY_NONE. */
socklen_t sockaddr_from_endpoint(const struct endpoint *e, struct sockaddr_storage *out);

/* FAMILY_NONE when it is neither IPv4 nor IPv6. */
struct endpoint sockaddr_to_endpoint(const struct sockaddr_storage *s);

/* AF_INET, AF_INET6 or AF_UNSPEC. */
int sockaddr_family(enum family family);
