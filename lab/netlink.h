// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "base/endpoint.h"

/* Interfaces, addresses and routes of the network namespace in which it was opened. All: 0 or a negative errno. */

struct netlink;

int netlink_open(struct netlink **out);
void netlink_close(struct netlink *n);

/* Up, and with so many packets in its queue. */
int netlink_up(struct netlink *n, unsigned interface, unsigned queue_packets);

/* An IPv6 address can be used at once, without duplicate address detection. */
int netlink_add_address(
	struct netlink *n, unsigned interface, const struct endpoint *address, uint8_t bits);

/* The default route of a family, by a gateway or (NULL) straight to the interface. */
int netlink_add_default(
	struct netlink *n, unsigned interface, enum family family, const struct endpoint *gateway);
