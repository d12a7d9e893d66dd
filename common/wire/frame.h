// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/pcapng.h"

/* The IP packet in a captured frame. The numbers are those of capture files (www.tcpdump.org/linktypes.html). */

enum frame_link {
	FRAME_NULL = 0, /* an address family in the order of the host that captured */
	FRAME_ETHERNET = 1, /* with up to two tags (802.1Q, 802.1ad), and PPPoE (RFC 2516) */
	FRAME_RAW_BSD = 12, /* DLT_RAW, which some have written as it is */
	FRAME_RAW_OPENBSD = 14,
	FRAME_RAW = 101,
	FRAME_LOOP = 108, /* FRAME_NULL in network order */
	FRAME_SLL = PCAPNG_LINK_SLL, /* Linux cooked, version 1 */
	FRAME_IPV4 = 228,
	FRAME_IPV6 = 229,
	FRAME_SLL2 = 276, /* Linux cooked, version 2 */
};

struct frame {
	struct span
		packet; /* in the frame, without what stands behind its end (padding, checksum) */
	size_t length; /* of the whole packet, by its header */
	bool cut_off; /* less than that is here */
	enum pcapng_direction direction; /* known of Linux cooked frames only; loopback: inbound */
	uint32_t interface; /* the kernel's number of it, of FRAME_SLL2; 0: not known */
};

/*
 * 0; -EAFNOSUPPORT: no IP (ARP …); -EBADMSG: malformed, or cut off before the end of the IP header; -ENOTSUP: a link
 * type that is not known here. Of the packet no more is looked at than its length.
 */
int frame_decode(unsigned link_type, struct span bytes, struct frame *out);
