// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/cpace.h"
#include "punch/hello.h"

/*
 * The line that two people send each other by whatever means they have, where there is no server at which their
 * programs could meet. Who reads it on the way learns addresses, and nothing of the code. As text it is "udp1"
 * and, in base58:
 *
 *	version (1)
 *	CPace share (32)
 *	when it was made (5)    seconds of UTC
 *	hello                   see hello.h
 *	checksum (4)            of BLAKE2b, over all before
 *
 * Base58, since letters and digits alone are one word to a double click, no chat takes them for markup as it does
 * with the _ of base64url, and no mail wraps a line at them. It takes 11 characters for 8 bytes, which are converted at
 * once: 3 % more than base64 and 14 % less than base32; base62 would take as many. Nothing but the beginning of a
 * sentence has its case changed by programs that mean well, and there the prefix stands, of which the case does
 * not matter. A hyphen behind the prefix would end the word (Unicode UAX 29): there is none.
 */

#define LINE_VERSION	    1
#define LINE_PREFIX	    "udp1"
#define LINE_CHECKSUM_BYTES 4
#define LINE_DIGEST_BYTES   32
#define LINE_BYTES_MAX	    (1 + CPACE_POINT_BYTES + 5 + HELLO_BYTES_MAX + LINE_CHECKSUM_BYTES)
/* With the final NUL; less than the 4095 characters that a terminal takes as one line. */
#define LINE_TEXT_MAX (sizeof(LINE_PREFIX) + (LINE_BYTES_MAX * 11 + 7) / 8)
#define LINE_TIME_MAX ((UINT64_C(1) << 40) - 1)

struct line_content {
	uint8_t share[CPACE_POINT_BYTES];
	uint64_t time_s; /* UTC, when it was made: at most LINE_TIME_MAX */
	struct hello hello;
	uint8_t digest
		[LINE_DIGEST_BYTES]; /* of BLAKE2b, over all before the checksum: for both to agree on */
};

/* The length of the text, and l->digest; -EINVAL: a time that is too late; -EMSGSIZE: what hello_encode says. */
int line_encode(struct line_content *l, char text[static LINE_TEXT_MAX]);

/*
 * Whatever is no letter or digit of ASCII is passed over: blanks, line breaks, quotes, the > of a mail. 0, or with
 * *out unchanged -EBADMSG: no such line; -EILSEQ: one, but with characters missing, added or changed; -EPROTO: whole,
 * but of a version that is not understood. That it is the own one come back shows its share.
 */
int line_decode(const char *text, struct line_content *out);

/* One of the slots of UTC through which both sides go. */
struct line_slot {
	uint64_t number; /* from 0 */
	uint64_t begin_us, next_us; /* UTC: when it begins, and the one behind it */
};

/*
 * The slot of now, and before slot 0 that one: it begins at the first whole slot of UTC at which both lines are
 * made, so that it does not matter who has read the other's when. 0, or -EINVAL: no slots, or a time beyond LINE_TIME_MAX.
 */
int line_slot_at(uint64_t own_time_s, uint64_t peer_time_s, uint64_t now_us, uint32_t slot_us,
	struct line_slot *out);
