// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), in network byte order. Each function writes one block into a
 * buffer of the caller's: its length, or -EMSGSIZE.
 */

#define PCAPNG_LINK_SLL	   113 /* LINKTYPE_LINUX_SLL: PCAPNG_SLL_BYTES before an IP packet */
#define PCAPNG_SLL_BYTES   16
#define PCAPNG_COMMENT_MAX 1000 /* bytes of a comment or name; what is longer is cut off */
#define PCAPNG_OVERHEAD	   (PCAPNG_COMMENT_MAX + 80) /* what a block has besides the packet */

enum pcapng_direction { PCAPNG_UNKNOWN = 0, PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

/* The first block of a file; application: the program that writes it. */
int pcapng_section(void *buffer, size_t size, const char *application);

/* The interfaces are numbered from 0 in the order in which they are written; times in microseconds. */
int pcapng_interface(void *buffer, size_t size, uint16_t link_type, const char *name);

/*
 * A packet of an interface of PCAPNG_LINK_SLL. (LINKTYPE_RAW would need no header, but libpcap up to 1.10 refuses
 * more than one interface of it.)
 */
struct pcapng_packet {
	uint32_t interface;
	uint64_t t_us; /* since 1970 */
	enum pcapng_direction direction;
	const void *bytes; /* IPv4 or IPv6 */
	size_t length; /* all of it */
	const char *comment; /* NULL: none */
};
int pcapng_packet(void *buffer, size_t size, const struct pcapng_packet *packet);
