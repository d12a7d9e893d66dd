// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Capture files of both formats, made byte by byte, whole and in pieces, and broken ones. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/capture_file.h"
#include "wire/frame.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define MAKE_BYTES 65536
#define LOG_BYTES  16384
#define AT_ONCE	   SIZE_MAX

/* --- making files --- */

struct make {
	uint8_t bytes[MAKE_BYTES];
	size_t length, begin; /* of the block that is open */
	bool little; /* byte order */
};

static void u8(struct make *m, unsigned value)
{
	assert_true(m->length < sizeof(m->bytes));
	m->bytes[m->length++] = (uint8_t)value;
}

static void u16(struct make *m, unsigned value)
{
	u8(m, m->little ? value : value >> 8);
	u8(m, m->little ? value >> 8 : value);
}

static void u32(struct make *m, uint32_t value)
{
	u16(m, m->little ? value : value >> 16);
	u16(m, m->little ? value >> 16 : value);
}

static void text(struct make *m, const char *bytes)
{
	while (*bytes)
		u8(m, (uint8_t)*bytes++);
}

static void begin(struct make *m, uint32_t type)
{
	m->begin = m->length;
	u32(m, type);
	u32(m, 0);
}

static void pad(struct make *m)
{
	while ((m->length - m->begin) % 4)
		u8(m, 0);
}

static void end(struct make *m)
{
	size_t length = m->length + 4 - m->begin;

	u32(m, (uint32_t)length);
	m->length = m->begin + 4;
	u32(m, (uint32_t)length);
	m->length = m->begin + length;
}

static void option(struct make *m, unsigned code, const char *value)
{
	u16(m, code);
	u16(m, (unsigned)strlen(value));
	text(m, value);
	pad(m);
}

static void section(struct make *m)
{
	begin(m, 0x0a0d0d0a);
	u32(m, 0x1a2b3c4d);
	u16(m, 1);
	u16(m, 0);
	u32(m, UINT32_MAX);
	u32(m, UINT32_MAX);
	option(m, 4, "a test");
	u32(m, 0); /* the end of options */
	end(m);
}

static void interface(struct make *m, unsigned link, uint32_t snap, const char *name)
{
	begin(m, 1);
	u16(m, link);
	u16(m, 0);
	u32(m, snap);
	if (name)
		option(m, 2, name);
	end(m);
}

/* An interface with a resolution and, if it is not 0, an offset. */
static void clocked(struct make *m, unsigned resolution, int64_t offset_s)
{
	uint64_t offset = (uint64_t)offset_s;

	begin(m, 1);
	u16(m, 101);
	u16(m, 0);
	u32(m, 0);
	u16(m, 9);
	u16(m, 1);
	u8(m, resolution);
	pad(m);
	if (offset) {
		u16(m, 14);
		u16(m, 8);
		u32(m, (uint32_t)(m->little ? offset : offset >> 32));
		u32(m, (uint32_t)(m->little ? offset >> 32 : offset));
	}
	u32(m, 0);
	end(m);
}

static void begin_packet(
	struct make *m, uint32_t of, uint64_t ticks, const char *bytes, uint32_t original)
{
	begin(m, 6);
	u32(m, of);
	u32(m, (uint32_t)(ticks >> 32));
	u32(m, (uint32_t)ticks);
	u32(m, (uint32_t)strlen(bytes));
	u32(m, original);
	text(m, bytes);
	pad(m);
}

static void packet(struct make *m, uint32_t of, uint64_t ticks, const char *bytes)
{
	begin_packet(m, of, ticks, bytes, (uint32_t)strlen(bytes));
	end(m);
}

static void flags(struct make *m, uint32_t value)
{
	u16(m, 2);
	u16(m, 4);
	u32(m, value);
}

static void old_packet(struct make *m, unsigned of, uint64_t ticks, const char *bytes)
{
	begin(m, 2);
	u16(m, of);
	u16(m, 77); /* lost before */
	u32(m, (uint32_t)(ticks >> 32));
	u32(m, (uint32_t)ticks);
	u32(m, (uint32_t)strlen(bytes));
	u32(m, 500);
	text(m, bytes);
	pad(m);
	flags(m, 2);
	end(m);
}

static void simple_packet(struct make *m, uint32_t original, const char *bytes)
{
	begin(m, 3);
	u32(m, original);
	text(m, bytes);
	pad(m);
	end(m);
}

static void other_block(struct make *m, uint32_t type, const char *bytes)
{
	begin(m, type);
	text(m, bytes);
	pad(m);
	end(m);
}

static void pcap(struct make *m, uint32_t magic, uint32_t link)
{
	u32(m, magic);
	u16(m, 2);
	u16(m, 4);
	u32(m, 0);
	u32(m, 0);
	u32(m, 65535);
	u32(m, link);
}

static void record(
	struct make *m, uint32_t seconds, uint32_t fraction, const char *bytes, uint32_t original)
{
	u32(m, seconds);
	u32(m, fraction);
	u32(m, (uint32_t)strlen(bytes));
	u32(m, original);
	text(m, bytes);
}

/* --- reading them --- */

struct reading {
	struct capture_file file;
	int result; /* of capture_file_next at last, else of capture_file_end */
	size_t log_bytes;
	char log[LOG_BYTES]; /* a line for each packet */
};

static void tell(struct reading *r, const struct capture_file_packet *p)
{
	static const char *const directions[] = {"-", "in", "out"};
	int n = snprintf(r->log + r->log_bytes, LOG_BYTES - r->log_bytes,
		"%" PRIu64 " %" PRIu64 " %" PRIu32 ":%s:%u %s %.*s/%zu%s%.*s\n", p->number, p->t_us,
		p->interface->number, p->interface->name, p->interface->link_type,
		directions[p->direction], (int)p->bytes.length,
		p->bytes.length ? (const char *)p->bytes.data : "", p->original_length,
		p->comment.length ? " " : "", (int)p->comment.length,
		p->comment.length ? (const char *)p->comment.data : "");

	r->log_bytes += (size_t)n;
	assert_true(r->log_bytes < LOG_BYTES);
}

/* What is here, in a copy of the exact size, so that a sanitizer sees what is read beyond it; how much is done with. */
static size_t take(struct reading *r, const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);
	size_t at = 0, consumed;

	assert_non_null(exact);
	if (length)
		memcpy(exact, bytes, length);
	do {
		struct capture_file_packet p;
		uint64_t offset = r->file.offset;

		memset(&p, 0xee, sizeof(p));
		r->result = capture_file_next(
			&r->file, (struct span){exact + at, length - at}, &consumed, &p);
		assert_true(consumed <= length - at);
		at += consumed;
		if (r->result >= 0)
			assert_int_equal(r->file.offset, offset + consumed);
		if (r->result > 0)
			tell(r, &p);
	} while (r->result > 0);
	if (!r->result) {
		assert_true(r->file.wanted > length - at);
		assert_true(r->file.wanted <= CAPTURE_FILE_BLOCK_MAX);
	}
	free(exact);
	return at;
}

/* So many bytes more each time, or what is wanted with a step of 0, and the end. */
static struct reading *read_in(const uint8_t *bytes, size_t length, size_t step)
{
	static struct reading r;
	size_t at = 0, have = 0;

	memset(&r, 0, sizeof(r));
	capture_file_init(&r.file);
	do {
		size_t more = step ? step : r.file.wanted - (have - at);

		have = more > length - have ? length : have + more;
		at += take(&r, bytes + at, have - at);
	} while (!r.result && have < length);
	if (!r.result)
		r.result = capture_file_end(&r.file, have - at);
	assert_int_equal(!!r.result, !!*r.file.error);
	assert_null(strchr(r.file.error, '\n'));
	return &r;
}

static void assert_reads(const struct make *m, const char *log)
{
	static const size_t steps[] = {AT_ONCE, 0, 1, 3, 16, 100};

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct reading *r = read_in(m->bytes, m->length, steps[i]);

		assert_string_equal(r->log, log);
		assert_int_equal(r->result, 0);
		assert_int_equal(r->file.offset, m->length);
	}
}

/* --- pcap --- */

static void test_pcap(void **state)
{
	static const struct {
		uint32_t magic;
		bool little;
		const char *log;
	} rows[] = {
		{0xa1b2c3d4, false,
			"1 1700000000123456 0::1 - abcde/60\n2 4294967295000007 0::1 - /0\n"},
		{0xa1b2c3d4, true,
			"1 1700000000123456 0::1 - abcde/60\n2 4294967295000007 0::1 - /0\n"},
		{0xa1b23c4d, false,
			"1 1700000000000123 0::1 - abcde/60\n2 4294967295000000 0::1 - /0\n"},
		{0xa1b23c4d, true,
			"1 1700000000000123 0::1 - abcde/60\n2 4294967295000000 0::1 - /0\n"},
	};
	static struct make m;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		m = (struct make){.little = rows[i].little};
		pcap(&m, rows[i].magic, 1);
		record(&m, 1700000000, 123456, "abcde", 60);
		record(&m, UINT32_MAX, 7, "", 0);
		assert_reads(&m, rows[i].log);
	}
}

/* Above the link type stands the length of the checksum; a packet is as long as what is here of it at least. */
static void test_pcap_fields(void **state)
{
	static struct make m;

	(void)state;
	m = (struct make){.little = true};
	pcap(&m, 0xa1b2c3d4, 0x54000114);
	record(&m, 0, 5, "abcd", 2);
	assert_reads(&m, "1 5 0::276 - abcd/4\n");
	m = (struct make){.little = true};
	pcap(&m, 0xa1b2c3d4, 101);
	assert_reads(&m, "");
}

/* --- pcapng --- */

/* What there is, in one file. */
static void make_sample(struct make *m, bool little)
{
	*m = (struct make){.little = little};
	section(m);
	interface(m, 1, 0, "eth0");
	other_block(m, 5, "statistics");
	interface(m, 65534, 4, "tun0");
	begin_packet(m, 1, 1700000000000001, "abcdef", 1400);
	flags(m, 1);
	option(m, 1, "a comment");
	option(m, 1, "another one");
	u32(m, 0);
	u32(m, 0xffffffff); /* nothing counts behind the end of options */
	end(m);
	packet(m, 0, 2, "abc");
	begin_packet(m, 0, 3, "abcd", 4);
	option(m, 1, "");
	option(m, 99, "unknown");
	option(m, 1, "with flags behind");
	flags(m, 0xfffffffe);
	end(m); /* without an end of options */
	simple_packet(m, 5, "abcde");
	old_packet(m, 1, 4, "ab");
	other_block(m, 4, "");
	other_block(m, 0x80000001, "somebody's own");
	/* Wireshark numbers these */
	other_block(m, 9, "MESSAGE=of the journal");
	other_block(m, 0xbad, "\1\1\1\1custom");
	other_block(m, 0x40000bad, "\1\1\1\1custom, not to be copied");
	begin_packet(m, 1, 5, "", 0);
	flags(m, 3);
	end(m);
	/* a second section, in the other order */
	m->little = !little;
	section(m);
	interface(m, 101, 3, NULL);
	packet(m, 0, 6, "abcd");
	simple_packet(m, 8, "abc");
	section(m);
	m->little = little;
	section(m);
	clocked(m, 9, 100);
	packet(m, 0, 7000, "abcd");
}

static const char sample_log[] = "1 1700000000000001 1:tun0:65534 in abcdef/1400 a comment\n"
				 "2 2 0:eth0:1 - abc/3\n"
				 "3 3 0:eth0:1 out abcd/4 with flags behind\n"
				 "4 0 0:eth0:1 - abcde/5\n"
				 "5 4 1:tun0:65534 out ab/500\n"
				 "9 5 1:tun0:65534 - /0\n"
				 "10 6 2::101 - abcd/4\n"
				 "11 0 2::101 - abc/8\n"
				 "12 100000007 3::101 - abcd/4\n";

static void test_pcapng(void **state)
{
	static struct make m;

	(void)state;
	for (int little = 0; little < 2; little++) {
		make_sample(&m, little);
		assert_reads(&m, sample_log);
	}
}

/* Of an interface's name, what fits, between two characters; nothing behind a NUL. */
static void test_names(void **state)
{
	char name[CAPTURE_FILE_NAME + 10], log[100];
	static struct make m;

	(void)state;
	for (size_t length = CAPTURE_FILE_NAME - 5; length < CAPTURE_FILE_NAME + 5; length++) {
		size_t kept = length >= CAPTURE_FILE_NAME ? CAPTURE_FILE_NAME - 2 : length;

		memset(name, 'n', sizeof(name));
		memcpy(name + CAPTURE_FILE_NAME - 2, "\xc3\xa4",
			2); /* its second byte is one too many */
		name[length] = '\0';
		m = (struct make){0};
		section(&m);
		interface(&m, 1, 0, name);
		packet(&m, 0, 1, "abc");
		snprintf(log, sizeof(log), "1 1 0:%.*s:1 - abc/3\n", (int)kept, name);
		assert_reads(&m, log);
	}
	m = (struct make){0};
	section(&m);
	begin(&m, 1);
	u32(&m, 1 << 16);
	u32(&m, 0);
	u16(&m, 2);
	u16(&m, 8);
	text(&m, "eth0");
	u32(&m, 0x00616161);
	end(&m);
	packet(&m, 0, 1, "abc");
	assert_reads(&m, "1 1 0:eth0:1 - abc/3\n");
}

static void test_times(void **state)
{
	static const struct {
		unsigned resolution;
		int64_t offset_s;
		uint64_t ticks, t_us;
	} rows[] = {
		{6, 0, 1700000000123456, 1700000000123456},
		{6, 0, INT64_MAX, INT64_MAX},
		{6, 0, (uint64_t)INT64_MAX + 1, 0},
		{6, 0, UINT64_MAX, 0},
		{0, 0, 1700000000, 1700000000000000},
		{0, 0, 9223372036854, 9223372036854000000},
		{0, 0, 9223372036855, 0},
		{0, 0, UINT64_MAX, 0},
		{3, 0, 1700000000123, 1700000000123000},
		{5, 0, UINT64_MAX, 0},
		{7, 0, 17000000001234567, 1700000000123456},
		{9, 0, 1700000000123456789, 1700000000123456},
		{9, 0, UINT64_MAX, 18446744073709551},
		{12, 0, UINT64_MAX, 18446744073709},
		{25, 0, UINT64_MAX, 1},
		{26, 0, UINT64_MAX, 0},
		{127, 0, UINT64_MAX, 0},
		/* of two */
		{0x80, 0, 1700000000, 1700000000000000},
		{0x80, 0, 9223372036855, 0},
		{0x80, 0, UINT64_MAX, 0},
		{0x81, 0, 3, 1500000},
		{0x8a, 0, 1024 * 1700000000ull + 512, 1700000000500000},
		{0x94, 0, 1048576ull * 1700000000 + 1, 1700000000000000},
		{0xa0, 0, 1700000000ull << 32 | 0x80000000, 1700000000500000},
		{0xa0, 0, 0xffffffffffffffff, 4294967295999999},
		{0xa1, 0, 0xffffffffffffffff, 2147483647999999},
		{0xbf, 0, 0xffffffffffffffff, 1999999},
		{0xc0, 0, 0xffffffffffffffff, 999999},
		{0xe0, 0, 0xffffffffffffffff, 0},
		{0xff, 0, 0xffffffffffffffff, 0},
		/* added */
		{6, 1700000000, 5, 1700000000000005},
		{6, 1, UINT64_MAX, 0},
		{6, -1, 1000005, 5},
		{6, -1, 999999, 0},
		{0x80, -1700000000, 1700000001, 1000000},
		{6, 9223372036854, 775807, INT64_MAX},
		{6, 9223372036854, 775808, 0},
		{6, 9223372036855, 0, 0},
		{6, INT64_MAX, 0, 0},
		{6, INT64_MIN, INT64_MAX, 0},
		{6, -9223372036854, INT64_MAX, 775807},
	};
	static struct make m;
	char log[100];

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		m = (struct make){.little = i % 2};
		section(&m);
		clocked(&m, rows[i / 2].resolution, rows[i / 2].offset_s);
		packet(&m, 0, rows[i / 2].ticks, "a");
		snprintf(log, sizeof(log), "1 %" PRIu64 " 0::101 - a/1\n", rows[i / 2].t_us);
		assert_reads(&m, log);
	}
}

/* Interfaces that have no place: their packets are counted and left out, and those of the next section are not. */
static void test_many_interfaces(void **state)
{
	static struct make m;

	(void)state;
	m = (struct make){0};
	section(&m);
	for (unsigned i = 0; i < CAPTURE_FILE_INTERFACES + 10; i++)
		interface(&m, i, 0, NULL);
	packet(&m, CAPTURE_FILE_INTERFACES - 1, 1, "a");
	packet(&m, CAPTURE_FILE_INTERFACES, 2, "b");
	packet(&m, CAPTURE_FILE_INTERFACES + 9, 3, "c");
	packet(&m, 0, 4, "d");
	section(&m);
	interface(&m, 1, 0, NULL);
	packet(&m, 0, 5, "e");
	assert_reads(&m, "1 1 63::63 - a/1\n4 4 0::0 - d/1\n5 5 74::1 - e/1\n");
	assert_int_equal(read_in(m.bytes, m.length, AT_ONCE)->file.passed_over, 2);
}

/* --- pieces --- */

static size_t lines_of(const char *log)
{
	size_t count = 0;

	while ((log = strchr(log, '\n'))) {
		count++;
		log++;
	}
	return count;
}

/*
 * A file that is cut off anywhere has the packets before, and is said to be cut off but where a block ends. All lengths
 * of the sample are less than 256, and so are the types of its packets, 2, 3 and 6.
 */
static void check_cuts(const struct make *m, const char *log)
{
	size_t packets = 0, start = 0, end = m->bytes[4] | m->bytes[7];

	for (size_t length = 0; length < m->length; length++) {
		struct reading *r;

		if (length == end) {
			unsigned type = m->bytes[start] | m->bytes[start + 3];

			packets += type == 2 || type == 3 || type == 6;
			start = end;
			end += m->bytes[start + 4] | m->bytes[start + 7];
		}
		r = read_in(m->bytes, length, AT_ONCE);
		assert_int_equal(r->result, length < 4 ? -EBADMSG : length == start ? 0 : -ENODATA);
		assert_int_equal(strncmp(log, r->log, r->log_bytes), 0);
		assert_int_equal(lines_of(r->log), packets);
	}
	assert_int_equal(end, m->length);
}

static void test_cut_pcapng(void **state)
{
	static struct make m;

	(void)state;
	for (int little = 0; little < 2; little++) {
		make_sample(&m, little);
		check_cuts(&m, sample_log);
	}
}

static void test_cut_pcap(void **state)
{
	static struct make m;

	(void)state;
	m = (struct make){.little = true};
	pcap(&m, 0xa1b2c3d4, 101);
	record(&m, 0, 1, "abcdefg", 7);
	record(&m, 0, 2, "", 0);
	record(&m, 0, 3, "abcdefghijklmnopq", 1000);
	for (size_t length = 0; length <= m.length; length++) {
		struct reading *r = read_in(m.bytes, length, 0);
		bool ends = length == 24 || length == 47 || length == 63 || length == 96;

		assert_int_equal(r->result, length < 24 ? -EBADMSG : ends ? 0 : -ENODATA);
		assert_string_equal(r->log,
			length < 47	      ? ""
				: length < 63 ? "1 1 0::101 - abcdefg/7\n"
				: length < 96 ? "1 1 0::101 - abcdefg/7\n2 2 0::101 - /0\n"
					      : "1 1 0::101 - abcdefg/7\n2 2 0::101 - /0\n"
						"3 3 0::101 - abcdefghijklmnopq/1000\n");
	}
}

/* --- errors --- */

static void make_good(struct make *m)
{
	*m = (struct make){0};
	section(m);
	interface(m, 1, 0, "eth0");
	packet(m, 0, 1, "abc");
}

static void bad_empty(struct make *m)
{
	m->length = 0;
}

static void bad_text(struct make *m)
{
	*m = (struct make){0};
	text(m, "{\"format\": \"natprobe-report\"}");
}

static void bad_gzip(struct make *m)
{
	*m = (struct make){0};
	text(m, "\x1f\x8b\x08\x08 …");
}

static void bad_zstd(struct make *m)
{
	*m = (struct make){0};
	u32(m, 0x28b52ffd);
}

static void bad_lz4(struct make *m)
{
	*m = (struct make){0};
	u32(m, 0x04224d18);
}

static void bad_xz(struct make *m)
{
	*m = (struct make){0};
	text(m,
		"\xfd"
		"7zXZ");
}

static void bad_pcap_version(struct make *m)
{
	*m = (struct make){0};
	pcap(m, 0xa1b2c3d4, 1);
	m->bytes[7] = 3;
}

static void bad_pcap_length(struct make *m)
{
	*m = (struct make){.little = true};
	pcap(m, 0xa1b2c3d4, 1);
	record(m, 0, 1, "abc", 3);
	record(m, 0, 2, "abcd", 4);
	m->bytes[24 + 19 + 8 + 3] = 0xff;
}

static void bad_magic(struct make *m)
{
	*m = (struct make){0};
	section(m);
	m->bytes[8] = 0x1b;
}

static void bad_version(struct make *m)
{
	*m = (struct make){0};
	section(m);
	m->bytes[13] = 2;
}

static void bad_section_length(struct make *m)
{
	*m = (struct make){0};
	begin(m, 0x0a0d0d0a);
	u32(m, 0x1a2b3c4d);
	u32(m, 1 << 16);
	u32(m, UINT32_MAX);
	end(m);
}

static void bad_section_too_long(struct make *m)
{
	*m = (struct make){0};
	section(m);
	m->bytes[4] = 1;
}

static void bad_second_magic(struct make *m)
{
	size_t at = m->length;

	section(m);
	m->bytes[at + 11] = 0;
}

static void bad_length_0(struct make *m)
{
	u32(m, 5);
	u32(m, 0);
	u32(m, 0);
}

static void bad_length_8(struct make *m)
{
	u32(m, 5);
	u32(m, 8);
	u32(m, 8);
}

static void bad_length_13(struct make *m)
{
	u32(m, 5);
	u32(m, 13);
	u32(m, 13);
	u32(m, 13);
}

static void bad_other_length(struct make *m)
{
	other_block(m, 5, "abc");
	m->bytes[m->length - 1]++;
}

static void bad_packet_block_too_long(struct make *m)
{
	u32(m, 6);
	u32(m, CAPTURE_FILE_BLOCK_MAX + 4);
	u32(m, 0);
}

static void bad_interface_length(struct make *m)
{
	other_block(m, 1, "abcd");
}

static void bad_interface_option(struct make *m)
{
	interface(m, 1, 0, "eth0");
	m->bytes[m->length - 9]++; /* the length of its name */
}

static void bad_resolution(struct make *m)
{
	clocked(m, 6, 0);
	m->bytes[m->begin + 19] = 2;
}

static void bad_offset(struct make *m)
{
	clocked(m, 6, 1);
	m->bytes[m->begin + 27] = 7;
}

static void bad_interface(struct make *m)
{
	packet(m, 1, 2, "abc");
}

static void bad_old_interface(struct make *m)
{
	old_packet(m, 1, 2, "abc");
}

static void bad_forgotten_interface(struct make *m)
{
	section(m);
	packet(m, 0, 2, "abc");
}

static void bad_simple_interface(struct make *m)
{
	section(m);
	simple_packet(m, 3, "abc");
}

static void bad_packet_length(struct make *m)
{
	packet(m, 0, 2, "abc");
	m->bytes[m->begin + 23] = 5;
}

static void bad_packet_length_huge(struct make *m)
{
	packet(m, 0, 2, "abc");
	memset(m->bytes + m->begin + 20, 0xff, 4);
}

static void bad_packet_block(struct make *m)
{
	other_block(m, 6, "aaaabbbbccccdddd");
}

static void bad_simple_length(struct make *m)
{
	simple_packet(m, 5, "abcd");
}

static void bad_simple_block(struct make *m)
{
	other_block(m, 3, "");
}

static void bad_flags(struct make *m)
{
	begin_packet(m, 0, 2, "abc", 3);
	option(m, 2, "abc");
	end(m);
}

static void bad_comment(struct make *m)
{
	begin_packet(m, 0, 2, "abc", 3);
	option(m, 1, "abc");
	m->bytes[m->length - 5] = 5;
	end(m);
}

static void bad_comment_padding(struct make *m)
{
	begin_packet(m, 0, 2, "abcd", 4);
	u16(m, 1);
	u16(m, UINT16_MAX);
	end(m);
}

/* Each behind a good packet, but those that begin anew. */
static const struct {
	void (*make)(struct make *m);
	int result;
	const char *error;
} bad[] = {
	{bad_empty, -EBADMSG, "at byte 0: 0 bytes are too short for a capture file"},
	{bad_text, -EBADMSG,
		"at byte 0: neither a pcap nor a pcapng file: it begins with 7b22666f"},
	{bad_gzip, -EBADMSG, "at byte 0: packed with gzip: unpack it first"},
	{bad_zstd, -EBADMSG, "at byte 0: packed with zstd: unpack it first"},
	{bad_lz4, -EBADMSG, "at byte 0: packed with lz4: unpack it first"},
	{bad_xz, -EBADMSG, "at byte 0: packed with xz: unpack it first"},
	{bad_pcap_version, -EBADMSG, "at byte 0: version 2.3 of pcap, but 2.4 is what there is"},
	{bad_pcap_length, -EFBIG, "at byte 43: a packet of 4278190084 bytes"},
	{bad_magic, -EBADMSG, "at byte 0: a section whose byte order is 1b2b3c4d"},
	{bad_version, -EBADMSG, "at byte 0: version 2.0 of pcapng, but 1 is known"},
	{bad_section_length, -EBADMSG, "at byte 0: a section header that is too short"},
	{bad_section_too_long, -EFBIG, "at byte 0: a block of 16777260 bytes"},
	{bad_second_magic, -EBADMSG, "at byte 108: a section whose byte order is 1a2b3c00"},
	{bad_length_0, -EBADMSG, "at byte 108: a block of 0 bytes"},
	{bad_length_8, -EBADMSG, "at byte 108: a block of 8 bytes"},
	{bad_length_13, -EBADMSG, "at byte 108: a block of 13 bytes"},
	{bad_other_length, -EBADMSG, "at byte 108: a block of 16 bytes that says 17 at its end"},
	{bad_packet_block_too_long, -EFBIG, "at byte 108: a block of 16777220 bytes"},
	{bad_interface_length, -EBADMSG, "at byte 108: an interface that is too short"},
	{bad_interface_option, -EBADMSG, "at byte 108: options that end in the middle of one"},
	{bad_resolution, -EBADMSG, "at byte 108: an option 9 of 2 bytes instead of 1"},
	{bad_offset, -EBADMSG, "at byte 108: an option 14 of 7 bytes instead of 8"},
	{bad_interface, -EBADMSG, "at byte 108: a packet of interface 1, but 1 are described"},
	{bad_old_interface, -EBADMSG, "at byte 108: a packet of interface 1, but 1 are described"},
	{bad_forgotten_interface, -EBADMSG,
		"at byte 152: a packet of interface 0, but 0 are described"},
	{bad_simple_interface, -EBADMSG,
		"at byte 152: a packet of interface 0, but 0 are described"},
	{bad_packet_length, -EBADMSG, "at byte 108: a packet that is longer than its block"},
	{bad_packet_length_huge, -EBADMSG, "at byte 108: a packet that is longer than its block"},
	{bad_packet_block, -EBADMSG, "at byte 108: a packet that is longer than its block"},
	{bad_simple_length, -EBADMSG, "at byte 108: a packet that is longer than its block"},
	{bad_simple_block, -EBADMSG, "at byte 108: a packet that is longer than its block"},
	{bad_flags, -EBADMSG, "at byte 108: an option 2 of 3 bytes instead of 4"},
	{bad_comment, -EBADMSG, "at byte 108: options that end in the middle of one"},
	{bad_comment_padding, -EBADMSG, "at byte 108: options that end in the middle of one"},
};

/* The error says what and where; it stays; what came before it was read. */
static void test_errors(void **state)
{
	static struct make m;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct capture_file_packet p;
		struct reading *r;
		size_t consumed;

		make_good(&m);
		bad[i].make(&m);
		for (size_t step = 0; step < 3; step++) {
			r = read_in(m.bytes, m.length, step == 2 ? AT_ONCE : step);
			assert_string_equal(r->file.error, bad[i].error);
			assert_int_equal(r->result, bad[i].result);
		}
		if (m.length > 108)
			assert_string_equal(r->log, "1 1 0:eth0:1 - abc/3\n");
		assert_int_equal(capture_file_next(
					 &r->file, (struct span){m.bytes, m.length}, &consumed, &p),
			bad[i].result);
		assert_int_equal(consumed, 0);
		assert_int_equal(capture_file_end(&r->file, 0), bad[i].result);
		assert_string_equal(r->file.error, bad[i].error);
	}
}

/* Any byte of a good file changed to anything: it is read or refused, within its bounds. */
static void test_changed_bytes(void **state)
{
	static const uint8_t values[] = {0, 1, 3, 0x7f, 0x80, 0xff};
	static struct make m;

	(void)state;
	make_sample(&m, true);
	for (size_t at = 0; at < m.length; at++) {
		uint8_t was = m.bytes[at];

		for (size_t i = 0; i < COUNT(values); i++) {
			struct reading *r;

			m.bytes[at] = values[i];
			r = read_in(m.bytes, m.length, 0);
			assert_true(r->result == 0 || r->result == -EBADMSG ||
				r->result == -ENODATA || r->result == -EFBIG);
		}
		m.bytes[at] = was;
	}
}

/* --- what is longer than it may be --- */

/* A block that nobody needs may be as long as it likes: it is never wanted as a whole. */
static void test_long_blocks(void **state)
{
	static const struct {
		uint32_t type, length;
		const char *log;
	} rows[] = {
		{10, CAPTURE_FILE_BLOCK_MAX + 4, "1 1 0:eth0:1 - abc/3\n2 2 0:eth0:1 - d/1\n"},
		{10, 0x04000000, "1 1 0:eth0:1 - abc/3\n2 2 0:eth0:1 - d/1\n"},
		{0xbad, 0x04000000, "1 1 0:eth0:1 - abc/3\n3 2 0:eth0:1 - d/1\n"},
	};
	static uint8_t nothing[65536];
	static struct make m, after;
	static struct reading r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t left = rows[i].length - 8;

		make_good(&m);
		u32(&m, rows[i].type);
		u32(&m, rows[i].length);
		u32(&m, 0);
		after = (struct make){0};
		packet(&after, 0, 2, "d");
		memset(&r, 0, sizeof(r));
		capture_file_init(&r.file);
		assert_int_equal(take(&r, m.bytes, m.length), m.length);
		for (left -= 4; left; left -= left < sizeof(nothing) ? left : sizeof(nothing)) {
			size_t here = left < sizeof(nothing) ? left : sizeof(nothing);

			assert_int_equal(r.result, 0);
			assert_int_equal(r.file.wanted, 1);
			assert_int_equal(take(&r, nothing, here), here);
		}
		assert_int_equal(r.result, 0);
		take(&r, after.bytes, after.length);
		assert_string_equal(r.log, rows[i].log);
		assert_int_equal(capture_file_end(&r.file, 0), 0);
	}
}

/* The longest that is held, and a file that ends in one that is not. */
static void test_longest_blocks(void **state)
{
	size_t length = CAPTURE_FILE_BLOCK_MAX;
	uint8_t *bytes = calloc(1, length + 1000);
	struct reading *r;
	static struct make m;

	(void)state;
	assert_non_null(bytes);
	make_good(&m);
	u32(&m, 6);
	u32(&m, (uint32_t)length);
	u32(&m, 0); /* interface */
	u32(&m, 0);
	u32(&m, 2); /* time */
	u32(&m, 0); /* captured */
	u32(&m, 1500);
	memcpy(bytes, m.bytes, m.length);
	m.length = 0;
	u32(&m, (uint32_t)length);
	memcpy(bytes + 108 + length - 4, m.bytes, 4);
	r = read_in(bytes, 108 + length, 0);
	assert_int_equal(r->result, 0);
	assert_string_equal(r->log, "1 1 0:eth0:1 - abc/3\n2 2 0:eth0:1 - /1500\n");
	free(bytes);
	make_good(&m);
	u32(&m, 10);
	u32(&m, CAPTURE_FILE_BLOCK_MAX + 400);
	u32(&m, 0);
	r = read_in(m.bytes, m.length, 0);
	assert_int_equal(r->result, -ENODATA);
	assert_string_equal(
		r->file.error, "at byte 120: the file ends in the middle of a packet or block");
	m = (struct make){0};
	pcap(&m, 0xa1b2c3d4, 1);
	u32(&m, 0);
	u32(&m, 0);
	u32(&m, CAPTURE_FILE_BLOCK_MAX - 16);
	u32(&m, 0);
	r = read_in(m.bytes, m.length, 0);
	assert_int_equal(r->result, -ENODATA);
	assert_int_equal(r->file.wanted, CAPTURE_FILE_BLOCK_MAX);
	m.bytes[35]++;
	assert_int_equal(read_in(m.bytes, m.length, 0)->result, -EFBIG);
}

/* --- our own --- */

static void append(struct make *m, int length)
{
	assert_true(length > 0);
	m->length += (size_t)length;
}

/* What wire/pcapng writes is read as it was meant. */
static void test_own(void **state)
{
	static const uint8_t ipv4[21] = {0x45, [3] = 21, [20] = 'x'}, ipv6[40] = {0x60, [6] = 59};
	static const struct pcapng_packet packets[] = {
		{1, 1700000000000001, PCAPNG_OUTBOUND, ipv4, sizeof(ipv4),
			"filtering: copy 2 of 3"},
		{0, 1700000000000002, PCAPNG_INBOUND, ipv6, sizeof(ipv6), NULL},
		{0, 3, PCAPNG_UNKNOWN, ipv4, sizeof(ipv4), "ä"},
	};
	static const char *const names[] = {"wlan0", "tun0"};
	static struct capture_file file;
	static struct make m;
	struct reader bytes;

	(void)state;
	m = (struct make){0};
	append(&m, pcapng_section(m.bytes, sizeof(m.bytes), "natprobe"));
	for (size_t i = 0; i < COUNT(names); i++)
		append(&m,
			pcapng_interface(m.bytes + m.length, sizeof(m.bytes) - m.length,
				PCAPNG_LINK_SLL, names[i]));
	for (size_t i = 0; i < COUNT(packets); i++)
		append(&m,
			pcapng_packet(m.bytes + m.length, sizeof(m.bytes) - m.length, &packets[i]));
	capture_file_init(&file);
	bytes = reader_over(m.bytes, m.length);
	for (size_t i = 0; i < COUNT(packets); i++) {
		struct reader ahead = bytes;
		struct span rest = reader_span(&ahead, reader_left(&bytes));
		const struct pcapng_packet *want = &packets[i];
		struct capture_file_packet p;
		struct frame f;
		size_t consumed;

		assert_int_equal(capture_file_next(&file, rest, &consumed, &p), 1);
		reader_skip(&bytes, consumed);
		assert_int_equal(p.number, i + 1);
		assert_int_equal(p.t_us, want->t_us);
		assert_int_equal(p.direction, want->direction);
		assert_string_equal(p.interface->name, names[want->interface]);
		assert_int_equal(p.comment.length, want->comment ? strlen(want->comment) : 0);
		if (want->comment)
			assert_memory_equal(p.comment.data, want->comment, p.comment.length);
		assert_int_equal(frame_decode(p.interface->link_type, p.bytes, &f), 0);
		assert_int_equal(f.direction, want->direction);
		assert_int_equal(f.packet.length, want->length);
		assert_memory_equal(f.packet.data, want->bytes, want->length);
	}
	assert_int_equal(capture_file_end(&file, reader_left(&bytes)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_pcap_fields),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_many_interfaces),
		cmocka_unit_test(test_cut_pcapng),
		cmocka_unit_test(test_cut_pcap),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_changed_bytes),
		cmocka_unit_test(test_long_blocks),
		cmocka_unit_test(test_longest_blocks),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
