// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/bytes.h"
#include "journal/captured.h"

/*
 * Packets from a script, for the targets that read captures: bytes as they stand there, and STUN, TCP, echo and ICMP
 * errors between a few endpoints, so that answers find their requests; cut off, with bits changed, in any order of time.
 */

#define FUZZ_ENDPOINTS 16

/* The same for the same number: of two hosts, a router, servers, a peer; IPv4 and IPv6. */
struct endpoint fuzz_endpoint(uint8_t number);

/* An empty list, the same one each time: making it takes longer than a run. NULL: no memory. */
struct captured_list *fuzz_list(void);

/* Takes packets until the script or the bounds end. */
void fuzz_packets(struct reader *script, struct captured_list *l);

/* Whether the text has no control character but newlines, and is ASCII unless utf8. */
void fuzz_check_text(const char *text, bool utf8);
