// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/nat.h"

/* Kinds of NAT by name, as users of natlab write them, and single properties to change in them. */

struct nat_kind {
	const char *name; /* "port-restricted" */
	const char *help; /* one sentence */
};

/* The kinds; NULL name at the end. */
const struct nat_kind *nat_kinds(void);

/* Whether hosts of several subscribers are behind it, so that RFC 6598 addresses are usual there. */
bool nat_kind_is_carrier(const char *name);

/*
 * Fills all of *out but the addresses (external, hosts, inside, inside6, prefixes). -ENOENT: no such kind.
 * Kinds: none (a router), firewall, one-to-one, full-cone, restricted, port-restricted, symmetric,
 * symmetric-sequential, symmetric-block, linux, linux-accept, linux-reject, linux-random, openwrt, cgnat,
 * carrier-block, rfc4787, udp-blocked, udp-rejected, prefix (NPTv6).
 */
int nat_kind_config(const char *name, struct nat_config *out);

/*
 * Changes one property: "mapping=address-dependent", "udp.filtering=endpoint-independent",
 * "ports=sequential", "step=2", "hairpin=external", "unsolicited=accept", "udp.one-way=30s" … Without a
 * transport in front it is set for all three. -ENOENT: no such property; -EINVAL: a bad value, or a
 * transport in front of what is not of a transport. error gets one line.
 */
int nat_kind_set(struct nat_config *config, const char *property, char *error, size_t size);

/* All properties with their values in words, one a line, for --help and the man page. */
const char *nat_kind_properties(void);
