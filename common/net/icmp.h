// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * Raw sockets of ICMP and ICMPv6. CAP_NET_RAW is needed to open one, and nothing after that. The kernel writes the IP
 * header, so that nothing but ICMP leaves, and from no address but this host's own. Functions give 0 (or a length) or a
 * negative errno.
 */

#define ICMP_BYTES_MAX 1500

struct icmp_message {
	uint8_t type, code;
	uint8_t rest
		[4]; /* what follows the checksum: an identifier and a sequence number, unused, a pointer, an MTU */
	struct span body; /* behind the header of 8 bytes */
};

/* What comes is dropped in the kernel, but for the types that icmp_want names. -EPERM. */
int icmp_open(enum family family, const char *interface, int *fd);

/* Sends and receives by this interface only, from now on; no privilege is needed for the first time. */
int icmp_use_interface(int fd, const char *interface);

/* Has messages of these types delivered, to all programs that want them: a host that is pinged answers nevertheless. */
int icmp_want(int fd, enum family family, const uint8_t *types, size_t count);

/*
 * Sends a message, with its checksum; from this address of the own host, or as the route says (NULL or FAMILY_NONE);
 * ports do not matter; ttl 0: as usual. -EMSGSIZE: more than ICMP_BYTES_MAX.
 */
int icmp_send(int fd, const struct endpoint *from, const struct endpoint *to, uint8_t ttl,
	const struct icmp_message *message);

/* Where it came from and was going to (ports 0), and with which TTL; 0: not known. */
struct icmp_meta {
	struct endpoint from, to;
	uint8_t ttl;
};

/*
 * The next message: its parts lie in the buffer, of ICMP_BYTES_MAX at least; its body may be cut off there. -EAGAIN: there
 * is none; -EBADMSG: it was none, or its checksum is wrong.
 */
int icmp_receive(int fd, enum family family, void *buffer, size_t size,
	struct icmp_message *message, struct icmp_meta *meta);
