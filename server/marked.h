// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>

#include "net/icmp.h"
#include "wire/icmp.h"

/* ICMP messages with a mark (wire/icmp.h) in them. */

/*
 * Whether it is an echo request that begins with a mark, or an error that quotes a UDP datagram or an echo which does; what
 * is to be said of it then, but for its age and its own two addresses and TTL; its token; and of an echo request its
 * data, which lies in the message.
 */
bool marked_read(enum family family, const struct icmp_message *message, struct icmp_record *out,
	uint8_t token[static ICMP_TOKEN_BYTES], struct span *data);
