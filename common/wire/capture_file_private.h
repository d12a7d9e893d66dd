// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "wire/capture_file.h"

#define CAPTURE_FILE_SECTION 0x0a0d0d0au /* the same in both orders */

enum { CAPTURE_FILE_MORE = 0, CAPTURE_FILE_PACKET = 1, CAPTURE_FILE_ON = 2 };

/* In the order of the file. */
uint16_t capture_file_u16(const struct capture_file *f, struct reader *r);
uint32_t capture_file_u32(const struct capture_file *f, struct reader *r);

/* Whether so many bytes are here; if not, they are wanted. */
bool capture_file_has(struct capture_file *f, struct span bytes, size_t length);

/* Says what is wrong where the reader is; returns err. */
int capture_file_fail(struct capture_file *f, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One block of a pcapng file: CAPTURE_FILE_MORE, PACKET or ON, or an error. */
int capture_file_block(
	struct capture_file *f, struct span bytes, size_t *used, struct capture_file_packet *out);

/* What a packet of this interface says as its time, as capture_file_packet has it. */
uint64_t capture_file_time(const struct capture_file_interface *interface, uint64_t ticks);
