// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * capture_print FILE: a line for each UDP packet of a capture file: its number, its time in microseconds, the interface
 * of the file, the kernel's number of it, the direction, both endpoints and the bytes of IP.
 */

#include <config.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/capture_stream.h"
#include "wire/packet.h"

static int print(void *context, const struct capture_stream_packet *p)
{
	static const char *const directions[] = {"-", "in", "out"};
	static uint8_t copy[PACKET_BYTES_MAX];
	char source[ENDPOINT_TEXT], destination[ENDPOINT_TEXT];
	struct packet ip;

	(void)context;
	if (p->packet.length > sizeof(copy))
		return 0;
	memcpy(copy, p->packet.data, p->packet.length);
	if (packet_decode(copy, p->packet.length, &ip) || ip.protocol != PACKET_UDP)
		return 0;
	printf("%" PRIu64 " %" PRIu64 " %s %" PRIu32 " %s %s %s %zu\n", p->number, p->t_us,
		*p->name ? p->name : "-", p->index, directions[p->direction],
		endpoint_format(&ip.source, source), endpoint_format(&ip.destination, destination),
		p->length);
	return 0;
}

int main(int argc, char **argv)
{
	struct capture_stream_summary summary;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int err = capture_stream_read(fd, print, NULL, &summary);

	if (fd >= 0)
		close(fd);
	if (*summary.error)
		fprintf(stderr, "capture_print: %s\n", summary.error);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
