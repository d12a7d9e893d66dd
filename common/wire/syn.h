// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* What a SYN says: its TCP options (RFC 9293 3.2, RFC 7323, RFC 2018), and what a system has saved of one. */

#define SYN_SCALE_MAX 14 /* RFC 7323 2.3: whoever says more means this */

enum tcp_option {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_SCALE = 3,
	TCP_OPTION_SACK = 4, /* permitted */
	TCP_OPTION_BLOCKS = 5, /* of SACK, not in a SYN */
	TCP_OPTION_TIMESTAMPS = 8,
};

/*
 * The next option, END and NOP left out; its kind stands at options.data[*at]. False at the end, or where
 * one has a length that cannot be. The reader is over the options.
 */
bool tcp_option_next(struct reader *r, uint8_t *kind, size_t *at, struct span *value);

enum syn_option {
	SYN_TIMESTAMPS = 1,
	SYN_SACK = 2,
	SYN_SCALE = 4,
	SYN_MSS = 8,
};

struct syn_options {
	uint8_t has; /* enum syn_option */
	uint8_t scale; /* with SYN_SCALE, as it is in the packet */
	uint16_t mss; /* with SYN_MSS */
};

/* What has another length than it should is not there, as for Linux. */
void syn_read_options(struct span options, struct syn_options *out);

struct syn {
	uint8_t ttl, tos;
	uint16_t window;
	uint32_t sequence;
	uint8_t options_bytes; /* all of them, with what fills up */
	struct syn_options options;
};

/*
 * The IP and TCP header of a SYN, as Linux saves them (TCP_SAVED_SYN). 0, or -EBADMSG: something else, or IPv6
 * with extension headers.
 */
int syn_decode(const void *data, size_t length, struct syn *out);
