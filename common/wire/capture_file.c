// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/capture_file_private.h"

/* Both formats from outside, and pcap. */

#define COUNT(a)      (sizeof(a) / sizeof(*(a)))
#define MAGIC_BYTES   4
#define HEADER_BYTES  24
#define RECORD_BYTES  16
#define VERSION_MAJOR 2
#define VERSION_MINOR 4

void capture_file_init(struct capture_file *f)
{
	*f = (struct capture_file){.wanted = MAGIC_BYTES};
}

uint16_t capture_file_u16(const struct capture_file *f, struct reader *r)
{
	uint16_t value = reader_u16(r);

	return f->little_endian ? __builtin_bswap16(value) : value;
}

uint32_t capture_file_u32(const struct capture_file *f, struct reader *r)
{
	uint32_t value = reader_u32(r);

	return f->little_endian ? __builtin_bswap32(value) : value;
}

bool capture_file_has(struct capture_file *f, struct span bytes, size_t length)
{
	f->wanted = length;
	return bytes.length >= length;
}

int capture_file_fail(struct capture_file *f, int err, const char *format, ...)
{
	int n = snprintf(f->error, sizeof(f->error), "at byte %" PRIu64 ": ", f->offset);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(f->error + n, sizeof(f->error) - (size_t)n, format, arguments);
	va_end(arguments);
	f->failed = err;
	return err;
}

/* --- pcap --- */

/* Those that a program is likely to have packed a capture with. */
static const char *packed_with(uint32_t magic)
{
	static const struct {
		uint32_t magic, mask;
		const char *name;
	} formats[] = {
		{0x1f8b0000, 0xffff0000, "gzip"},
		{0x28b52ffd, 0xffffffff, "zstd"},
		{0x04224d18, 0xffffffff, "lz4"},
		{0xfd377a58, 0xffffffff, "xz"},
	};

	for (size_t i = 0; i < COUNT(formats); i++)
		if ((magic & formats[i].mask) == formats[i].magic)
			return formats[i].name;
	return NULL;
}

static int fail_magic(struct capture_file *f, uint32_t magic)
{
	const char *packed = packed_with(magic);

	if (packed)
		return capture_file_fail(f, -EBADMSG, "packed with %s: unpack it first", packed);
	return capture_file_fail(
		f, -EBADMSG, "neither a pcap nor a pcapng file: it begins with %08" PRIx32, magic);
}

/* The link type has 16 bits; what stands above them (length of the checksum) does not matter to IP. */
static int take_header(struct capture_file *f, struct span bytes, size_t *used)
{
	struct reader r = reader_over(bytes.data, bytes.length);
	struct capture_file_interface *only = f->interfaces;
	unsigned major, minor;

	if (!capture_file_has(f, bytes, HEADER_BYTES))
		return CAPTURE_FILE_MORE;
	reader_skip(&r, MAGIC_BYTES);
	major = capture_file_u16(f, &r);
	minor = capture_file_u16(f, &r);
	if (major != VERSION_MAJOR || minor != VERSION_MINOR)
		return capture_file_fail(f, -EBADMSG,
			"version %u.%u of pcap, but %d.%d is what there is", major, minor,
			VERSION_MAJOR, VERSION_MINOR);
	reader_skip(&r, 8);
	only->snap_length = capture_file_u32(f, &r);
	only->link_type = (uint16_t)capture_file_u32(f, &r);
	f->described = 1;
	f->format = CAPTURE_FILE_PCAP;
	*used = HEADER_BYTES;
	return CAPTURE_FILE_ON;
}

static int take_start(struct capture_file *f, struct span bytes, size_t *used)
{
	static const struct {
		uint32_t magic;
		bool little_endian, nanoseconds;
	} orders[] = {
		{0xa1b2c3d4, false, false},
		{0xa1b23c4d, false, true},
		{0xd4c3b2a1, true, false},
		{0x4d3cb2a1, true, true},
	};
	struct reader r = reader_over(bytes.data, bytes.length);
	uint32_t magic = reader_u32(&r);

	if (!capture_file_has(f, bytes, MAGIC_BYTES))
		return CAPTURE_FILE_MORE;
	for (size_t i = 0; i < COUNT(orders); i++)
		if (magic == orders[i].magic) {
			f->little_endian = orders[i].little_endian;
			f->nanoseconds = orders[i].nanoseconds;
			return take_header(f, bytes, used);
		}
	if (magic != CAPTURE_FILE_SECTION)
		return fail_magic(f, magic);
	f->format = CAPTURE_FILE_PCAPNG;
	return CAPTURE_FILE_ON;
}

static int take_record(
	struct capture_file *f, struct span bytes, size_t *used, struct capture_file_packet *out)
{
	struct reader r = reader_over(bytes.data, bytes.length);
	uint32_t seconds = capture_file_u32(f, &r), fraction = capture_file_u32(f, &r);
	uint32_t captured = capture_file_u32(f, &r), original = capture_file_u32(f, &r);

	if (!capture_file_has(f, bytes, RECORD_BYTES))
		return CAPTURE_FILE_MORE;
	if (captured > CAPTURE_FILE_BLOCK_MAX - RECORD_BYTES)
		return capture_file_fail(f, -EFBIG, "a packet of %" PRIu32 " bytes", captured);
	if (!capture_file_has(f, bytes, RECORD_BYTES + captured))
		return CAPTURE_FILE_MORE;
	*out = (struct capture_file_packet){.number = ++f->records,
		.t_us = seconds * (uint64_t)1000000 + fraction / (f->nanoseconds ? 1000 : 1),
		.interface = f->interfaces,
		.bytes = reader_span(&r, captured),
		.original_length = original > captured ? original : captured};
	*used = RECORD_BYTES + captured;
	return CAPTURE_FILE_PACKET;
}

/* --- both --- */

static int step(
	struct capture_file *f, struct span bytes, size_t *used, struct capture_file_packet *out)
{
	if (f->skip) {
		*used = bytes.length < f->skip ? bytes.length : (size_t)f->skip;
		f->skip -= *used;
		f->wanted = 1;
		return f->skip ? CAPTURE_FILE_MORE : CAPTURE_FILE_ON;
	}
	switch (f->format) {
	case CAPTURE_FILE_START:
		return take_start(f, bytes, used);
	case CAPTURE_FILE_PCAP:
		return take_record(f, bytes, used, out);
	default:
		return capture_file_block(f, bytes, used, out);
	}
}

int capture_file_next(struct capture_file *f, struct span bytes, size_t *consumed,
	struct capture_file_packet *out)
{
	struct reader r = reader_over(bytes.data, bytes.length);
	int result = CAPTURE_FILE_ON;

	*consumed = 0;
	if (f->failed)
		return f->failed;
	while (result == CAPTURE_FILE_ON) {
		struct reader ahead = r;
		size_t used = 0;

		result = step(f, reader_span(&ahead, reader_left(&r)), &used, out);
		reader_skip(&r, used);
		f->offset += used;
		*consumed += used;
	}
	return result;
}

int capture_file_end(struct capture_file *f, size_t left)
{
	if (f->failed)
		return f->failed;
	if (f->format == CAPTURE_FILE_START)
		return capture_file_fail(
			f, -EBADMSG, "%zu bytes are too short for a capture file", left);
	if (!left && !f->skip)
		return 0;
	f->offset += left;
	return capture_file_fail(f, -ENODATA, "the file ends in the middle of a packet or block");
}
