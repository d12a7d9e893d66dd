// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "wire/packet.h"

/*
 * Raw sockets that are shown TCP segments as they arrive at an address of this host, beside the kernel, which deals with
 * them as ever. CAP_NET_RAW is needed to open one, and nothing after that. Functions give 0 or a negative errno.
 */

#define SEGMENT_BYTES_MAX 1600

/* Shows what answers a SYN, a SYN-ACK or a RST; and SYNs to this port, if it is not 0. -EPERM. */
int segment_open(const struct endpoint *address, uint16_t port, int *fd);

/*
 * The next one, as an IP packet that lies in the buffer, of SEGMENT_BYTES_MAX at least; of an IPv6 header nothing but
 * addresses, hop limit and lengths is as it came. Its checksum may be missing where no network was between.
 * -EAGAIN: there is none; -EBADMSG: it was none, or longer than the buffer.
 */
int segment_receive(int fd, enum family family, void *buffer, size_t size, struct packet *out);
