// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "net/capture_filter.h"

/*
 * Packets of all interfaces, as they leave this host and as they reach it, beside the sockets that they belong to.
 * CAP_NET_RAW is needed to open a capture, and nothing after that. It is opened once and lets nothing in; then it is
 * told what to watch, before the first packet of each flow. Functions give 0 or a negative errno.
 *
 * A packet that passes several interfaces (a bridge, a VLAN, a tunnel and what carries it) is seen on each of them. One
 * to this host itself is seen once, coming in on the loopback interface. Checksums of what leaves are often left to the
 * hardware, and then they are wrong here, too for a receiver on the same machine.
 */

struct capture;

#define CAPTURE_PACKET_BYTES 1940 /* so much of each packet is captured */

enum capture_direction {
	CAPTURE_IN,
	CAPTURE_OUT,
};

struct capture_packet {
	uint64_t time_us; /* on the clock of clock_now_us() */
	uint64_t utc_us; /* since 1970, as the kernel has stamped it */
	unsigned interface; /* index of the system; 0: not known */
	enum capture_direction direction;
	struct span packet; /* from the IP header on, without padding, what was captured of it */
	size_t length; /* bytes of the whole packet */
};

struct capture_statistics {
	uint64_t received; /* packets that passed the filter */
	uint64_t missed; /* of them, those for which there was no room */
};

typedef void capture_packet_fn(void *context, const struct capture_packet *packet);

/* -EPERM: without CAP_NET_RAW. Takes a grace period of the kernel's RCU: 8 ms where the clock ticks at 250 Hz. */
int capture_open(struct capture **out);
/* The kernel takes three of them to close it, so a process of its own waits for that, and ends then. NULL is allowed. */
void capture_close(struct capture *c);

/*
 * Lets in packets of a local port (or echo identifier) from now on, in both directions, and ICMP errors that quote
 * them. More may get in: see net/capture_filter.h.
 */
int capture_watch(struct capture *c, enum capture_kind kind, uint16_t port);

/* The same for several ports at once: what costs 0.1 to 0.2 ms is to change the filter, by however much. */
int capture_watch_all(
	struct capture *c, enum capture_kind kind, const uint16_t *ports, size_t count);

/* Lets in all ICMP or ICMPv6 from and to this address, too. -ENOSPC: there are CAPTURE_HOSTS_MAX. */
int capture_watch_host(struct capture *c, const struct endpoint *host);

/* Readable when there is something to read. It stays the capture's. */
int capture_fd(const struct capture *c);

/*
 * Hands up all packets that are there, in the order in which they were captured, and does not wait. They are valid until
 * the callback returns, which must not use the capture.
 */
int capture_read(struct capture *c, capture_packet_fn *fn, void *context);

/* Since something is watched. libpcap throws one of the two copies of a packet to this host itself away, and counts both. */
int capture_statistics(struct capture *c, struct capture_statistics *out);
