// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "net/capture.h"

/* Linux "cooked" headers, which stand in front of what is captured on all interfaces at once. */
enum capture_link {
	CAPTURE_SLL2, /* LINKTYPE_LINUX_SLL2 */
	CAPTURE_SLL, /* LINKTYPE_LINUX_SLL: without the interface */
};

/*
 * Reads the header, and the length of the IP packet behind it. frame: what is here of it; whole_bytes: how long it was.
 * Sets all but the times. 0; -EAFNOSUPPORT: it is not IP, or for another host; -EBADMSG: cut off within a header, or the IP
 * header contradicts itself.
 */
int capture_link_decode(
	enum capture_link link, struct span frame, size_t whole_bytes, struct capture_packet *out);
