// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/capture_file.h"

/* The IP packets of a capture file, in memory that does not grow with it. */

struct capture_stream_packet {
	uint64_t number; /* in the file, from 1, as Wireshark counts: those without IP, too */
	uint64_t t_us; /* since 1970; 0: not known */
	uint32_t interface; /* in the file, from 0, counted through all sections */
	const char *name; /* of the interface, not to be trusted; "": it has none */
	uint32_t index; /* the kernel's number of the interface where it was seen; 0: not known */
	enum pcapng_direction direction;
	struct span packet; /* from the IP header on; as the comment until the handler returns */
	size_t length; /* of the whole packet, by its header */
	bool cut_off; /* less than that is here */
	struct span comment; /* not to be trusted */
};

/* Anything but 0 ends the reading, and is returned by it. */
typedef int capture_stream_handler(void *context, const struct capture_stream_packet *packet);

struct capture_stream_summary {
	uint64_t ip; /* packets handed over; what follows was not */
	uint64_t other; /* without IP */
	uint64_t malformed; /* or without a whole IP header */
	uint64_t unknown_link; /* of a link type that is not known here: */
	uint16_t link_type; /* the first such */
	uint64_t passed_over; /* of interfaces beyond CAPTURE_FILE_INTERFACES */
	bool cut_off; /* the file ends within a packet or block */
	char error[CAPTURE_FILE_ERROR]; /* one line about what is returned or is cut off; or "" */
};

/*
 * Reads fd to its end: 0; -EBADMSG or -EFBIG of capture_file_next, after the packets before the broken place; or the
 * negative errno of reading. The summary is filled in whatever is returned. A file that is cut off at its end is no
 * error.
 */
int capture_stream_read(int fd, capture_stream_handler *handler, void *context,
	struct capture_stream_summary *summary);
