// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/pcapng.h"

/*
 * Reads capture files, pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), piece by piece. libpcap
 * would not do: it refuses a pcapng file whose interfaces differ in link type, as a capture of Ethernet and a VPN has
 * them, and it tells neither directions nor comments nor the names of interfaces.
 */

#define CAPTURE_FILE_BLOCK_MAX	(16u << 20) /* of a packet with what is around it */
#define CAPTURE_FILE_INTERFACES 64 /* of a section; the packets of more are passed over */
#define CAPTURE_FILE_NAME	64 /* with the final NUL */
#define CAPTURE_FILE_ERROR	160

struct capture_file_interface {
	uint32_t number; /* in the file, from 0, counted through all sections */
	uint16_t link_type; /* frame_decode */
	uint8_t resolution; /* if_tsresol */
	int64_t offset_s; /* if_tsoffset */
	uint32_t snap_length; /* 0: no limit */
	char name[CAPTURE_FILE_NAME]; /* as it stands there, not to be trusted; "": none */
};

struct capture_file_packet {
	uint64_t number; /* in the file, from 1, as Wireshark counts: what is passed over, too */
	uint64_t t_us; /* since 1970, at most INT64_MAX; 0: not said, or nothing that can be */
	const struct capture_file_interface *interface; /* until the next call */
	enum pcapng_direction direction;
	struct span bytes; /* with the link header; in the caller's bytes, as is the comment */
	size_t original_length; /* as long as bytes at least */
	struct span comment; /* the first one, not to be trusted */
};

/* In the caller's memory. What follows the error is the reader's own. */
struct capture_file {
	uint64_t offset; /* in the file, of what is read next */
	uint64_t passed_over; /* packets */
	size_t wanted; /* bytes from there that the next call needs; CAPTURE_FILE_BLOCK_MAX at most */
	char error[CAPTURE_FILE_ERROR]; /* one line, without anything of the file's text */

	enum { CAPTURE_FILE_START, CAPTURE_FILE_PCAP, CAPTURE_FILE_PCAPNG } format;
	int failed;
	bool little_endian, nanoseconds;
	uint64_t skip, records;
	uint32_t described, before; /* interfaces: of this section, of those before it */
	struct capture_file_interface interfaces[CAPTURE_FILE_INTERFACES];
};

void capture_file_init(struct capture_file *f);

/*
 * The next packet of what begins at f->offset, and in *consumed how many of the bytes are done with, whatever is
 * returned. 1: a packet; 0: more bytes are needed, f->wanted in all; -EBADMSG: no capture file, or a broken one;
 * -EFBIG: a packet, section or interface of more than CAPTURE_FILE_BLOCK_MAX. An error stays, and f->error tells it;
 * the packets before it stand.
 */
int capture_file_next(struct capture_file *f, struct span bytes, size_t *consumed,
	struct capture_file_packet *out);

/*
 * After the last byte, of which `left` were not consumed: 0; -ENODATA: it ends within a packet or block; -EBADMSG: too
 * short for a capture file; or the error there was.
 */
int capture_file_end(struct capture_file *f, size_t left);
