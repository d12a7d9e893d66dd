// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Endpoints: an address and a port as plain data, in host byte order for the port. */

enum family {
	FAMILY_NONE = 0,
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6,
};

struct endpoint {
	enum family family;
	uint16_t port;
	uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
	uint8_t address[16]; /* network order; IPv4 uses the first four bytes, the rest is zero */
};

/* Long enough for "[" address "%" scope "]:" port and the final NUL. */
#define ENDPOINT_TEXT 72

/* Whether both have the same family, address and port. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* Whether both have the same family and address; ports are ignored. */
bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);

/* Bytes of the address: 4, 16, or 0 for FAMILY_NONE. */
size_t endpoint_address_length(enum family family);

/* "198.51.100.7:40000" or "[2001:db8::1]:3478" (RFC 5952) into buf; returns buf. */
char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_TEXT]);

/* The address alone, without brackets and port; returns buf. */
char *endpoint_format_address(const struct endpoint *e, char buf[static ENDPOINT_TEXT]);

/*
 * Reads a numeric "ADDR", "ADDR:PORT", "[ADDR6]:PORT" or bare "ADDR6"; without a port, port_default.
 * 0, or -EINVAL when it is not a numeric endpoint or the port is not 1 to 65535.
 */
int endpoint_parse(const char *text, uint16_t port_default, struct endpoint *out);

/*
 * Whether a packet may be sent to it as a candidate or server: not unspecified, multicast or
 * broadcast, and the port is not 0. Loopback is allowed; see endpoint_is_loopback.
 */
bool endpoint_is_unicast(const struct endpoint *e);

bool endpoint_is_loopback(const struct endpoint *e);

/* RFC 1918, 6598 (100.64/10), 3927 and 4193 and link-local: not routed on the Internet. */
bool endpoint_is_private(const struct endpoint *e);

/* RFC 6598 100.64.0.0/10: the addresses between a subscriber and a carrier-grade NAT. */
bool endpoint_is_shared(const struct endpoint *e);
