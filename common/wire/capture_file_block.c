// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <inttypes.h>

#include "wire/capture_file_private.h"

/* The blocks of pcapng. */

#define COUNT(a)	 (sizeof(a) / sizeof(*(a)))

#define BLOCK_BYTES	 12 /* type, and the length at both ends */
#define MAGIC		 0x1a2b3c4d
#define MAGIC_OTHER	 0x4d3c2b1a
#define MAJOR_VERSION	 1
#define MICROSECONDS	 6 /* if_tsresol where there is none */
#define DIRECTION	 3 /* those bits of the flags */
#define RESOLUTION_BYTES 1
#define FLAGS_BYTES	 4
#define OFFSET_BYTES	 8

enum option_code {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_INTERFACE_NAME = 2,
	OPTION_PACKET_FLAGS = 2,
	OPTION_RESOLUTION = 9,
	OPTION_OFFSET = 14,
};

/* --- options --- */

struct option {
	uint16_t code;
	struct span value;
};

/* 1: one; 0: there are no more; -EBADMSG: one is longer than its block. */
static int next_option(struct capture_file *f, struct reader *r, struct option *out)
{
	uint16_t length;

	if (!reader_left(r))
		return 0;
	out->code = capture_file_u16(f, r);
	length = capture_file_u16(f, r);
	if (!r->failed && out->code == OPTION_END)
		return 0;
	out->value = reader_span(r, length);
	reader_skip(r, (4 - length % 4u) % 4);
	if (r->failed)
		return capture_file_fail(f, -EBADMSG, "options that end in the middle of one");
	return 1;
}

static int check_length(struct capture_file *f, const struct option *option, size_t length)
{
	if (option->value.length == length)
		return 0;
	return capture_file_fail(f, -EBADMSG, "an option %u of %zu bytes instead of %zu",
		option->code, option->value.length, length);
}

/* What is too long ends between two characters of UTF-8. */
static void take_name(struct span value, struct capture_file_interface *out)
{
	struct reader r = reader_over(value.data, value.length);
	size_t length = value.length;

	if (length >= sizeof(out->name)) {
		length = sizeof(out->name) - 1;
		while (length && (value.data[length] & 0xc0) == 0x80)
			length--;
	}
	reader_copy(&r, out->name, length);
	out->name[length] = '\0';
}

static int take_interface_option(
	struct capture_file *f, const struct option *option, struct capture_file_interface *out)
{
	struct reader r = reader_over(option->value.data, option->value.length);
	uint64_t first, second;

	switch (option->code) {
	case OPTION_INTERFACE_NAME:
		take_name(option->value, out);
		return 0;
	case OPTION_RESOLUTION:
		out->resolution = reader_u8(&r);
		return check_length(f, option, RESOLUTION_BYTES);
	case OPTION_OFFSET:
		first = capture_file_u32(f, &r);
		second = capture_file_u32(f, &r);
		out->offset_s =
			(int64_t)(f->little_endian ? second << 32 | first : first << 32 | second);
		return check_length(f, option, OFFSET_BYTES);
	default:
		return 0;
	}
}

static int take_packet_options(
	struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	struct option option;
	int result;

	while ((result = next_option(f, r, &option)) > 0) {
		struct reader value = reader_over(option.value.data, option.value.length);
		uint32_t direction;

		if (option.code == OPTION_COMMENT && !out->comment.length)
			out->comment = option.value;
		if (option.code != OPTION_PACKET_FLAGS)
			continue;
		result = check_length(f, &option, FLAGS_BYTES);
		if (result)
			return result;
		direction = capture_file_u32(f, &value) & DIRECTION;
		if (direction == PCAPNG_INBOUND || direction == PCAPNG_OUTBOUND)
			out->direction = (enum pcapng_direction)direction;
	}
	return result;
}

/* --- blocks --- */

/* A section forgets the interfaces of the one before it. Its own length is not needed. */
static int take_section(struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	unsigned major, minor;

	(void)out;
	reader_skip(r, 4); /* the magic number, looked at already */
	major = capture_file_u16(f, r);
	minor = capture_file_u16(f, r);
	reader_skip(r, 8);
	if (r->failed)
		return capture_file_fail(f, -EBADMSG, "a section header that is too short");
	if (major != MAJOR_VERSION)
		return capture_file_fail(f, -EBADMSG, "version %u.%u of pcapng, but %d is known",
			major, minor, MAJOR_VERSION);
	f->before += f->described;
	f->described = 0;
	return CAPTURE_FILE_ON;
}

static int take_interface(struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	struct capture_file_interface new = {
		.number = f->before + f->described, .resolution = MICROSECONDS};
	struct option option;
	int result;

	(void)out;
	new.link_type = capture_file_u16(f, r);
	reader_skip(r, 2);
	new.snap_length = capture_file_u32(f, r);
	if (r->failed)
		return capture_file_fail(f, -EBADMSG, "an interface that is too short");
	while ((result = next_option(f, r, &option)) > 0) {
		result = take_interface_option(f, &option, &new);
		if (result)
			return result;
	}
	if (result)
		return result;
	if (f->described < CAPTURE_FILE_INTERFACES)
		f->interfaces[f->described] = new;
	f->described++;
	return CAPTURE_FILE_ON;
}

/* What the kinds of packet blocks have in front of the bytes, each in its own way. */
struct packet_header {
	uint32_t interface, captured, original;
	uint64_t ticks;
	bool is_simple; /* without time and options */
};

/* PACKET, or ON when it is passed over. */
static int take_packet(struct capture_file *f, struct reader *r, const struct packet_header *h,
	struct capture_file_packet *out)
{
	if (r->failed || h->captured > reader_left(r))
		return capture_file_fail(f, -EBADMSG, "a packet that is longer than its block");
	if (h->interface >= f->described)
		return capture_file_fail(f, -EBADMSG,
			"a packet of interface %" PRIu32 ", but %" PRIu32 " are described",
			h->interface, f->described);
	f->records++;
	if (h->interface >= CAPTURE_FILE_INTERFACES) {
		f->passed_over++;
		return CAPTURE_FILE_ON;
	}
	*out = (struct capture_file_packet){
		.number = f->records, .interface = &f->interfaces[h->interface]};
	out->bytes = reader_span(r, h->captured);
	out->original_length = h->original > h->captured ? h->original : h->captured;
	reader_skip(r, (4 - h->captured % 4) % 4);
	if (h->is_simple)
		return CAPTURE_FILE_PACKET;
	out->t_us = capture_file_time(out->interface, h->ticks);
	return take_packet_options(f, r, out) ? f->failed : CAPTURE_FILE_PACKET;
}

/* Time, lengths, bytes and options, as two of the kinds have them. */
static int take_timed(struct capture_file *f, struct reader *r, uint32_t interface,
	struct capture_file_packet *out)
{
	struct packet_header h = {.interface = interface};

	h.ticks = (uint64_t)capture_file_u32(f, r) << 32;
	h.ticks |= capture_file_u32(f, r);
	h.captured = capture_file_u32(f, r);
	h.original = capture_file_u32(f, r);
	return take_packet(f, r, &h, out);
}

static int take_enhanced_packet(
	struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	return take_timed(f, r, capture_file_u32(f, r), out);
}

static int take_old_packet(
	struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	uint16_t interface = capture_file_u16(f, r);

	reader_skip(r, 2); /* how many were lost before */
	return take_timed(f, r, interface, out);
}

/* It has no length of what is here: that follows from those of the packet, of the interface and of the block. */
static int take_simple_packet(
	struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	struct packet_header h = {.original = capture_file_u32(f, r), .is_simple = true};
	uint32_t limit = f->described ? f->interfaces[0].snap_length : 0;

	h.captured = limit && limit < h.original ? limit : h.original;
	return take_packet(f, r, &h, out);
}

/* No packet, but Wireshark numbers it as one. */
static int take_other_record(
	struct capture_file *f, struct reader *r, struct capture_file_packet *out)
{
	(void)r;
	(void)out;
	f->records++;
	return CAPTURE_FILE_ON;
}

typedef int take_block(struct capture_file *f, struct reader *r, struct capture_file_packet *out);

/* NULL: not needed. */
static take_block *block_of(uint32_t type)
{
	static const struct {
		uint32_t type;
		take_block *take;
	} blocks[] = {
		{1, take_interface},
		{2, take_old_packet},
		{3, take_simple_packet},
		{6, take_enhanced_packet},
		{9, take_other_record}, /* of systemd's journal */
		{0xbad, take_other_record}, /* custom, as the next */
		{0x40000bad, take_other_record},
		{CAPTURE_FILE_SECTION, take_section},
	};

	for (size_t i = 0; i < COUNT(blocks); i++)
		if (blocks[i].type == type)
			return blocks[i].take;
	return NULL;
}

/* The order of a section is in what follows its length, which is in that order already. */
static int take_order(struct capture_file *f, struct reader ahead)
{
	uint32_t magic;

	reader_skip(&ahead, 4);
	magic = reader_u32(&ahead);
	if (magic != MAGIC && magic != MAGIC_OTHER)
		return capture_file_fail(
			f, -EBADMSG, "a section whose byte order is %08" PRIx32, magic);
	f->little_endian = magic == MAGIC_OTHER;
	return 0;
}

static int take_whole(struct capture_file *f, struct reader *r, uint32_t length, take_block *take,
	struct capture_file_packet *out)
{
	struct span inside = reader_span(r, length - BLOCK_BYTES);
	struct reader body = reader_over(inside.data, inside.length);
	uint32_t again = capture_file_u32(f, r);

	if (again != length)
		return capture_file_fail(f, -EBADMSG,
			"a block of %" PRIu32 " bytes that says %" PRIu32 " at its end", length,
			again);
	return take ? take(f, &body, out) : CAPTURE_FILE_ON;
}

/* What is longer than may be held is not held, if it is not needed. */
static int skip(struct capture_file *f, uint32_t length, take_block *take)
{
	if (take == take_other_record)
		f->records++;
	else if (take)
		return capture_file_fail(f, -EFBIG, "a block of %" PRIu32 " bytes", length);
	f->skip = length;
	return CAPTURE_FILE_ON;
}

int capture_file_block(
	struct capture_file *f, struct span bytes, size_t *used, struct capture_file_packet *out)
{
	struct reader r = reader_over(bytes.data, bytes.length);
	uint32_t type, length;
	take_block *take;

	if (!capture_file_has(f, bytes, BLOCK_BYTES))
		return CAPTURE_FILE_MORE;
	type = capture_file_u32(f, &r);
	take = block_of(type);
	if (type == CAPTURE_FILE_SECTION && take_order(f, r))
		return f->failed;
	length = capture_file_u32(f, &r);
	if (length < BLOCK_BYTES || length % 4)
		return capture_file_fail(f, -EBADMSG, "a block of %" PRIu32 " bytes", length);
	if (length > CAPTURE_FILE_BLOCK_MAX)
		return skip(f, length, take);
	if (!capture_file_has(f, bytes, length))
		return CAPTURE_FILE_MORE;
	*used = length;
	return take_whole(f, &r, length, take, out);
}
