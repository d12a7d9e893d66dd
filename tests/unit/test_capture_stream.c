// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Capture files that are read from a file or a pipe, to the IP packets in them. */

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
#include <unistd.h>

#include "net/capture_stream.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define LOG_BYTES  4096
#define FILE_BYTES (4u << 20)
#define LARGE	   (1u << 20) /* more than is read at once */

/* --- files --- */

static uint8_t bytes[FILE_BYTES];

static struct writer new_file(void)
{
	struct writer w = writer_over(bytes, sizeof(bytes));

	w.position += (size_t)pcapng_section(bytes, sizeof(bytes), "a test");
	return w;
}

static void interface(struct writer *w, unsigned link, const char *name)
{
	w->position += (size_t)pcapng_interface(
		w->data + w->position, w->size - w->position, (uint16_t)link, name);
}

/* A packet block with any frame; flags: those of the packet, 0: none. */
static void packet(struct writer *w, unsigned of, uint32_t t_us, const void *frame, size_t length,
	uint32_t flags)
{
	uint32_t block = (uint32_t)(28 + (length + 3) / 4 * 4 + (flags ? 8 : 0) + 4);

	writer_u32(w, 6);
	writer_u32(w, block);
	writer_u32(w, of);
	writer_u32(w, 0);
	writer_u32(w, t_us);
	writer_u32(w, (uint32_t)length);
	writer_u32(w, (uint32_t)length);
	writer_bytes(w, frame, length);
	writer_fill(w, 0, (4 - length % 4) % 4);
	if (flags) {
		writer_u32(w, 2 << 16 | 4);
		writer_u32(w, flags);
	}
	writer_u32(w, block);
}

/* A file with what was written, to be read from its beginning. */
static int file_of(const struct writer *w, size_t length)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	assert_false(w->failed);
	assert_int_equal(fwrite(w->data, 1, length, f), length);
	assert_int_equal(fflush(f), 0);
	fd = dup(fileno(f));
	fclose(f);
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* --- reading --- */

struct reading {
	struct capture_stream_summary summary;
	uint64_t stop_at; /* the packet with this number; 0: none */
	size_t log_bytes;
	char log[LOG_BYTES];
};

static int tell(void *context, const struct capture_stream_packet *p)
{
	static const char *const directions[] = {"-", "in", "out"};
	struct reading *r = context;

	assert_int_equal(p->cut_off, p->packet.length < p->length);
	r->log_bytes += (size_t)snprintf(r->log + r->log_bytes, LOG_BYTES - r->log_bytes,
		"%" PRIu64 " %" PRIu64 " %" PRIu32 ":%s:%" PRIu32 " %s %02x.. %zu/%zu%s%.*s\n",
		p->number, p->t_us, p->interface, p->name, p->index, directions[p->direction],
		p->packet.data[0], p->packet.length, p->length, p->comment.length ? " " : "",
		(int)p->comment.length, p->comment.length ? (const char *)p->comment.data : "");
	assert_true(r->log_bytes < LOG_BYTES);
	return p->number == r->stop_at ? -ECANCELED : 0;
}

static int read_file(struct reading *r, const struct writer *w, size_t length)
{
	int fd = file_of(w, length), err;

	*r = (struct reading){.stop_at = r->stop_at};
	err = capture_stream_read(fd, tell, r, &r->summary);
	close(fd);
	return err;
}

/* --- what is handed over --- */

/* 21 bytes of IPv4; the same behind several headers. */
#define IPV4 "\x45\0\0\x15\0\0\0\0\x40\xfd\0\0\x0a\0\0\1\x0a\0\0\2x"
#define MACS "\2\0\0\0\0\1\2\0\0\0\0\2"
#define SLL2 "\x08\0\0\0\0\0\0\x09\0\1\4\6\2\0\0\0\0\1\0\0"

static const struct {
	unsigned interface;
	const char *frame;
	size_t length;
	uint32_t flags;
} frames[] = {
#define FRAME(bytes) bytes, sizeof(bytes) - 1
	{0, FRAME(MACS "\x08\0" IPV4), 0},
	{0, FRAME(MACS "\x08\x06" IPV4), 0}, /* ARP */
	{1, FRAME(IPV4), 1},
	{2, FRAME(SLL2 IPV4), 0}, /* sent, on interface 9 … */
	{2, FRAME(SLL2 IPV4), 1}, /* … but the file knows better */
	{3, FRAME("whatever"), 0}, /* no link type that is known */
	{4, FRAME("whatever"), 0},
	{1, FRAME("\x45\0\0\x15"), 0}, /* cut off in its header, */
	{1, FRAME("\x45\0\0\x15\0\0\0\0\x40\xfd\0\0\x0a\0\0\1\x0a\0\0\2"), 0}, /* and behind it */
	{1, FRAME(""), 2},
#undef FRAME
};

static const char frames_log[] = "1 1 0:eth0:0 - 45.. 21/21\n"
				 "3 3 1:tun0:0 in 45.. 21/21\n"
				 "4 4 2:any:9 out 45.. 21/21\n"
				 "5 5 2:any:9 in 45.. 21/21\n"
				 "9 9 1:tun0:0 - 45.. 20/21\n"
				 "11 12 5:wlan0:0 out 45.. 21/21 a comment\n";

static struct writer make_frames(void)
{
	static const unsigned links[] = {1, 101, 276, 105, 9, 113};
	static const char *const names[] = {"eth0", "tun0", "any", "wlan1", "ppp0", "wlan0"};
	const struct pcapng_packet own = {5, 12, PCAPNG_OUTBOUND, IPV4, 21, "a comment"};
	struct writer w = new_file();

	for (size_t i = 0; i < COUNT(links); i++)
		interface(&w, links[i], names[i]);
	for (size_t i = 0; i < COUNT(frames); i++)
		packet(&w, frames[i].interface, (uint32_t)i + 1, frames[i].frame, frames[i].length,
			frames[i].flags);
	w.position += (size_t)pcapng_packet(w.data + w.position, w.size - w.position, &own);
	return w;
}

static void test_frames(void **state)
{
	struct writer w = make_frames();
	struct reading r = {0};

	(void)state;
	assert_int_equal(read_file(&r, &w, w.position), 0);
	assert_string_equal(r.log, frames_log);
	assert_int_equal(r.summary.ip, 6);
	assert_int_equal(r.summary.other, 1);
	assert_int_equal(r.summary.malformed, 2);
	assert_int_equal(r.summary.unknown_link, 2);
	assert_int_equal(r.summary.link_type, 105);
	assert_int_equal(r.summary.passed_over, 0);
	assert_false(r.summary.cut_off);
	assert_string_equal(r.summary.error, "");
}

/* What no handler wants to see any more is not read. */
static void test_stop(void **state)
{
	struct writer w = make_frames();
	struct reading r = {.stop_at = 4};

	(void)state;
	assert_int_equal(read_file(&r, &w, w.position), -ECANCELED);
	assert_memory_equal(r.log, frames_log, r.log_bytes);
	assert_int_equal(r.summary.ip, 3);
	assert_string_equal(r.summary.error, "");
}

/* A file that is cut off, and one that is broken, have what came before. */
static void test_ends(void **state)
{
	struct writer w = make_frames();
	struct reading r = {0};
	char error[CAPTURE_FILE_ERROR];

	(void)state;
	assert_int_equal(read_file(&r, &w, w.position - 1), 0);
	assert_true(r.summary.cut_off);
	snprintf(error, sizeof(error),
		"at byte %zu: the file ends in the middle of a packet or block", w.position - 1);
	assert_string_equal(r.summary.error, error);
	assert_int_equal(r.summary.ip, 5);
	assert_memory_equal(r.log, frames_log, r.log_bytes);
	snprintf(error, sizeof(error), "at byte %zu: a block of 7 bytes", w.position);
	writer_u32(&w, 6);
	writer_u32(&w, 7);
	writer_u32(&w, 0);
	assert_int_equal(read_file(&r, &w, w.position), -EBADMSG);
	assert_false(r.summary.cut_off);
	assert_string_equal(r.summary.error, error);
	assert_string_equal(r.log, frames_log);
	assert_int_equal(read_file(&r, &w, 0), -EBADMSG);
	assert_string_equal(r.summary.error, "at byte 0: 0 bytes are too short for a capture file");
}

static void test_passed_over(void **state)
{
	struct writer w = new_file();
	struct reading r = {0};

	(void)state;
	for (unsigned i = 0; i <= CAPTURE_FILE_INTERFACES; i++)
		interface(&w, 101, "x");
	packet(&w, CAPTURE_FILE_INTERFACES, 1, IPV4, 21, 0);
	packet(&w, 1, 2, IPV4, 21, 0);
	assert_int_equal(read_file(&r, &w, w.position), 0);
	assert_string_equal(r.log, "2 2 1:x:0 - 45.. 21/21\n");
	assert_int_equal(r.summary.passed_over, 1);
}

static void test_unreadable(void **state)
{
	struct reading r = {0};

	(void)state;
	assert_int_equal(capture_stream_read(-1, tell, &r, &r.summary), -EBADF);
	assert_string_equal(r.summary.error, "reading: Bad file descriptor");
}

/* --- more than fits at once --- */

struct large {
	uint64_t count, bytes;
};

/* Packets have their number as their time, and are of its low byte. */
static int check_large(void *context, const struct capture_stream_packet *p)
{
	struct large *l = context;

	l->count++;
	assert_int_equal(p->number, l->count);
	assert_int_equal(p->t_us, l->count);
	for (size_t i = 20; i < p->packet.length; i++)
		assert_int_equal(p->packet.data[i], (uint8_t)l->count);
	l->bytes += p->packet.length;
	return 0;
}

/* A packet without a length of its own ends with its frame. */
static void large_packet(struct writer *w, uint32_t number, size_t length)
{
	static uint8_t frame[LARGE] = {0x45};

	memset(frame + 20, (uint8_t)number, length - 20);
	packet(w, 0, number, frame, length, 0);
}

static void test_large(void **state)
{
	static const size_t lengths[] = {21, 1500, 40, 65535, 1, 300, LARGE, 9000};
	struct writer w = new_file();
	struct capture_stream_summary summary;
	struct large l = {0};
	uint64_t wanted = 0;
	int fd;

	(void)state;
	interface(&w, 101, "eth0");
	for (uint32_t i = 1; i <= 24; i++) {
		size_t length = lengths[i % COUNT(lengths)];

		large_packet(&w, i, length < 21 ? 21 : length);
		wanted += length < 21 ? 21 : length;
	}
	fd = file_of(&w, w.position);
	assert_int_equal(capture_stream_read(fd, check_large, &l, &summary), 0);
	close(fd);
	assert_int_equal(l.count, 24);
	assert_int_equal(l.bytes, wanted);
	assert_int_equal(summary.ip, 24);
}

/* --- a pipe --- */

#define PIPED	   100
#define PIPE_LIMIT 10 /* seconds: a reader that waits would wait for ever */

struct piped {
	int in, out;
	unsigned count;
};

static void write_packet(struct piped *p)
{
	struct writer w = writer_over(bytes, sizeof(bytes));

	packet(&w, 0, ++p->count, IPV4, 21, 0);
	assert_int_equal(write(p->in, w.data, w.position), w.position);
}

/* The next one is written when this one has come, so none may wait for the next. */
static int on_piped(void *context, const struct capture_stream_packet *packet)
{
	struct piped *p = context;

	assert_int_equal(packet->number, p->count);
	if (p->count < PIPED)
		write_packet(p);
	else
		close(p->in);
	return 0;
}

static void test_pipe(void **state)
{
	struct writer w = new_file();
	struct capture_stream_summary summary;
	struct piped p = {0};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	p.out = ends[0];
	p.in = ends[1];
	interface(&w, 101, "eth0");
	assert_int_equal(write(p.in, w.data, w.position), w.position);
	write_packet(&p);
	alarm(PIPE_LIMIT);
	assert_int_equal(capture_stream_read(p.out, on_piped, &p, &summary), 0);
	alarm(0);
	assert_int_equal(summary.ip, PIPED);
	close(p.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
