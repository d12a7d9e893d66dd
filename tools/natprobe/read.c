// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/capture_stream.h"
#include "report/document_reading.h"
#include "report/read.h"
#include "tools/natprobe/read.h"

struct reader_of_packets {
	struct captured_list *list;
	struct reading_file file;
	uint64_t start_us; /* of the reading */
};

static enum way way_of(enum pcapng_direction direction)
{
	return direction == PCAPNG_OUTBOUND   ? WAY_OUT
		: direction == PCAPNG_INBOUND ? WAY_IN
					      : WAY_UNKNOWN;
}

static int on_packet(void *context, const struct capture_stream_packet *p)
{
	struct reader_of_packets *r = context;
	const struct captured_packet packet = {
		.number = p->number <= UINT32_MAX ? (uint32_t)p->number : UINT32_MAX,
		.t_us = p->t_us,
		.interface =
			captured_interface(r->list, p->index ? p->index : p->interface, p->name),
		.way = way_of(p->direction),
		.ip = p->packet};

	if (!r->file.begin_us)
		r->file.begin_us = p->t_us;
	if (p->t_us > r->file.end_us)
		r->file.end_us = p->t_us;
	captured_take(r->list, &packet);
	return 0;
}

static int make_reading(
	struct reader_of_packets *r, const struct report_run *run, bool all, json_t **out)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct reading_flow *flows = calloc(READING_FLOWS, sizeof(*flows));
	const struct reading_facts facts = {
		.file = &r->file, .list = r->list, .reading = reading, .all = all};
	struct report_run now = *run;

	*out = NULL;
	if (reading && flows) {
		reading_judge(r->list, flows, reading);
		now.duration_ms = (double)(clock_now_us() - r->start_us) / 1000;
		*out = reading_document(&now, &facts);
	}
	free(flows);
	free(reading);
	return *out ? 0 : -ENOMEM;
}

/* What stands before the broken place counts, if there is anything. */
static int read_packets(int fd, const char *path, const struct report_run *run, bool all,
	json_t **out, char *error, size_t size)
{
	struct reader_of_packets r = {.file = {.name = path}, .start_us = clock_now_us()};
	struct capture_stream_summary summary;
	int err = captured_create(false, &r.list);

	if (err)
		return err;
	err = capture_stream_read(fd, on_packet, &r, &summary);
	if (err && !summary.ip) {
		snprintf(error, size, "%s: %s", path,
			*summary.error ? summary.error : strerror(-err));
	} else {
		r.file.packets = summary.ip;
		r.file.other = summary.other;
		r.file.malformed = summary.malformed;
		r.file.passed_over = summary.passed_over + summary.unknown_link;
		r.file.cut_off = summary.cut_off;
		r.file.problem = *summary.error ? summary.error : NULL;
		err = make_reading(&r, run, all, out);
	}
	captured_destroy(r.list);
	return err;
}

static int read_report(int fd, const char *path, json_t **out, char *error, size_t size)
{
	char problem[256];
	FILE *in = fdopen(dup(fd), "r");
	int err = in ? report_read_stream(in, out, problem, sizeof(problem)) : -errno;

	if (err)
		snprintf(error, size, "%s: %s", path, in ? problem : strerror(-err));
	if (in)
		fclose(in);
	return err;
}

/* A report begins with a brace, and no file of packets does. What comes through a pipe are packets. */
static int looks_like_report(int fd)
{
	char bytes[256];
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	if (n < 0)
		return errno == ESPIPE ? 0 : -errno;
	for (ssize_t i = 0; i < n; i++)
		if (!isspace((unsigned char)bytes[i]))
			return bytes[i] == '{';
	return 0;
}

int read_document(const char *path, const struct report_run *run, bool all, json_t **out,
	char *error, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0, report = 0;

	*out = NULL;
	if (!err)
		err = report = looks_like_report(fd);
	if (err < 0)
		snprintf(error, size, "%s: %s", path, strerror(-err));
	else if (report)
		err = read_report(fd, path, out, error, size);
	else
		err = read_packets(fd, path, run, all, out, error, size);
	if (fd >= 0)
		close(fd);
	return err;
}
