// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* natprobe --read: which files are packets, which are reports, and what is said of those that are neither. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "judge/join.h"
#include "packet_kit.h"
#include "report/pcap.h"
#include "test_document_check.h"
#include "tools/natprobe/read.h"

#define HOST   "10.0.1.2:40000"
#define SERVER "203.0.113.1:3478"

static const struct report_run run = {.tool = "natprobe",
	.version = "0.1.0",
	.time = "2026-11-20T10:00:00.123Z",
	.complete = true};

static char path[] = "/tmp/natutils-read-XXXXXX";

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_bytes(const void *bytes, size_t length)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, length, out), length);
	assert_int_equal(fclose(out), 0);
}

/* A flow that works and one that does not. */
static void *make_capture_file(size_t *length)
{
	const struct kit_packet packets[] = {kit_stun(HOST, SERVER, STUN_REQUEST, 1),
		kit_stun(SERVER, HOST, STUN_SUCCESS, 1), kit_udp(HOST, "203.0.113.9:9", "x"),
		kit_udp(HOST, "203.0.113.9:9", "x")};
	struct captured_list *l;
	char *file = NULL;
	FILE *out = open_memstream(&file, length);

	assert_non_null(out);
	assert_int_equal(captured_create(true, &l), 0);
	captured_interface(l, 2, "eth0");
	l->utc_us = 1700000000000000;
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
		kit_take(l, &packets[i], i == 1 ? WAY_IN : WAY_OUT, 1000 * i);
	join_alone(l);
	assert_int_equal(report_pcap(l, NULL, "test", out), 0);
	assert_int_equal(fclose(out), 0);
	captured_destroy(l);
	return file;
}

static json_t *read_path(const char *name, bool all)
{
	char error[512] = "";
	json_t *d;
	int err = read_document(name, &run, all, &d, error, sizeof(error));

	if (err)
		fail_msg("%s", error);
	assert_string_equal(error, "");
	return d;
}

static void check_refused(const char *name, int wanted, const char *says)
{
	char error[512] = "", expected[512];
	json_t *d = (json_t *)error;
	int err = read_document(name, &run, false, &d, error, sizeof(error));

	snprintf(expected, sizeof(expected), "%s: %s", name, says);
	assert_memory_equal(error, expected, strlen(expected)); /* what follows is the parser's */
	assert_int_equal(err, wanted);
	assert_null(d);
}

/* --- packets --- */

static void reads_packets(void **state)
{
	size_t length;
	void *file = make_capture_file(&length);
	json_t *d;

	(void)state;
	write_bytes(file, length);
	d = read_path(path, false);
	CHECK(d, "format=capture-report", "complete=true", "file.packets=4", "file.cut_off=false",
		"file.problem=null", "file.span_ms=3.0", "hosts=[\"10.0.1.2\"]",
		"hosts_guessed=false", "flow_states.works=1", "flow_states.silent=1",
		"mappings.0.seen.0.packet=2", "causes.0.id=blocked-on-path",
		"causes.0.packets=[3,4]", "capture.interfaces.0.name=eth0");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(d, "file"), "name")), path);
	assert_int_equal(json_array_size(json_object_get(d, "packets")), 2);
	assert_true(json_real_value(json_object_get(d, "duration_ms")) > 0);
	document_keep(d, "read");
	json_decref(d);
	d = read_path(path, true);
	assert_int_equal(json_array_size(json_object_get(d, "packets")), 4);
	json_decref(d);
	free(file);
}

/* A file that was cut off anywhere is told as far as it goes; less than its beginning is no capture file. */
static void reads_what_is_there(void **state)
{
	size_t length;
	char *file = make_capture_file(&length), error[512];
	json_int_t before = 0;

	(void)state;
	for (size_t n = 1; n < length; n++) {
		json_t *d, *packets;

		write_bytes(file, n);
		if (read_document(path, &run, true, &d, error, sizeof(error))) {
			assert_true(n < 12);
			assert_non_null(strstr(error, "capture file"));
			continue;
		}
		packets = json_object_get(json_object_get(d, "file"), "packets");
		assert_true(json_integer_value(packets) >= before);
		before = json_integer_value(packets);
		json_decref(d);
	}
	assert_int_equal(before, 3);
	free(file);
}

/* What stands before a broken place counts. */
static void reads_up_to_a_broken_place(void **state)
{
	size_t length;
	uint8_t *file = make_capture_file(&length);
	json_t *d;

	(void)state;
	memset(&file[length - 4], 0xff, 4); /* the length of the last block, once more */
	write_bytes(file, length);
	d = read_path(path, false);
	CHECK(d, "file.cut_off=false", "flow_states.works=1");
	assert_true(json_is_string(json_object_get(json_object_get(d, "file"), "problem")));
	json_decref(d);
	free(file);
}

/* --- reports --- */

static void reads_reports(void **state)
{
	static const char *const reports[] = {
		"{\"format\":\"natprobe-report\",\"format_version\":1,\"x\":[1]}",
		" \n\t{\"format\":\"punch-report\",\"format_version\":1,\"x\":[1]}\n",
		"{\"format\":\"capture-report\",\"format_version\":1,\"x\":[1]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		json_t *d, *same = json_loads(reports[i], 0, NULL);

		write_bytes(reports[i], strlen(reports[i]));
		d = read_path(path, false);
		assert_true(json_equal(d, same));
		json_decref(d);
		json_decref(same);
	}
}

/* --- neither --- */

static void refuses_the_rest(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *says;
	} rows[] = {
		{"", -EBADMSG, "at byte 0: 0 bytes are too short for a capture file"},
		{"hello, world\n", -EBADMSG,
			"at byte 0: neither a pcap nor a pcapng file: it begins with 68656c6c"},
		{"[1]", -EBADMSG, "at byte 0: 3 bytes are too short for a capture file"},
		{"{", -EBADMSG, "line 1, column 1: "},
		{"{}", -EPROTO,
			"not a report: its \"format\" is none of natprobe-report, punch-report and "
			"capture-report"},
		{"{\"format\":\"natlab-report\",\"format_version\":1}", -EPROTO,
			"not a report: its \"format\" is none of natprobe-report, punch-report and "
			"capture-report"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_bytes(rows[i].text, strlen(rows[i].text));
		check_refused(path, rows[i].err, rows[i].says);
	}
	check_refused("/nowhere/at/all", -ENOENT, "No such file or directory");
	check_refused("/", -EISDIR, "Is a directory");
}

/* What cannot be looked at twice is taken for packets. */
static void reads_pipes(void **state)
{
	size_t length;
	void *file = make_capture_file(&length);
	char name[32];
	int ends[2];
	json_t *d;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], file, length), length);
	close(ends[1]);
	snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
	d = read_path(name, false);
	CHECK(d, "file.packets=4");
	json_decref(d);
	close(ends[0]);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_packets),
		cmocka_unit_test(reads_what_is_there),
		cmocka_unit_test(reads_up_to_a_broken_place),
		cmocka_unit_test(reads_reports),
		cmocka_unit_test(refuses_the_rest),
		cmocka_unit_test(reads_pipes),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
