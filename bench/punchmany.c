// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * One side of many punches, one after the other in one process: udp|tcp SERVER COUNT. The code of each is its number. What
 * the process has of descriptors and memory is printed at the tenth and at the last one: they should be the same.
 */

#include <config.h>

#include <dirent.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "net/interfaces.h"
#include "punch/code.h"
#include "tools/punch/path.h"

#define WARM 10

struct many {
	bool tcp;
	struct endpoint server;
	unsigned connected;
};

static unsigned count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

static unsigned resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned size, resident = 0;

	if (file && fscanf(file, "%u %u", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * ((unsigned)sysconf(_SC_PAGESIZE) / 1024);
}

static int create(struct many *m, unsigned number, struct trail **trail, struct journal **journal,
	struct session **session)
{
	struct session_config c = {.tcp = m->tcp,
		.servers = {m->server},
		.packets_max = 2048,
		.sockets_max = 256,
		.rate_pps = 200,
		.wait_us = 30000000};
	int hosts = interfaces_list(NULL, c.hosts, HELLO_CANDIDATES), err;
	struct code code;
	char text[CODE_TEXT], error[100];

	snprintf(text, sizeof(text), "%u-bench-mark", number);
	err = code_parse(text, &code, error, sizeof(error));
	if (err)
		return err;
	c.host_count = hosts > 0 ? (size_t)hosts : 0;
	c.secret = (struct span){(const uint8_t *)code.secret, strlen(code.secret)};
	code_session_id(&code, c.id);
	random_init(&c.random);
	err = journal_create(clock_now_us(), journal);
	if (!err)
		err = trail_create(clock_now_us(), trail);
	c.journal = *journal;
	c.trail = *trail;
	return err ? err : session_create(&c, clock_now_us(), session);
}

static int punch(struct many *m, unsigned number)
{
	struct path_config config = {
		.tcp = m->tcp, .limit_us = 30000000, .count = 1, .interval_us = 10000};
	struct path_result result = {.fd = -1};
	struct journal *journal = NULL;
	struct trail *trail = NULL;
	struct session *session = NULL;
	int err = create(m, number, &trail, &journal, &session);

	config.session = session;
	config.trail = trail;
	if (!err)
		err = path_run(&config, &result);
	m->connected += result.stood;
	if (!err && !result.stood) {
		const struct session_view *v = session_view(session);

		printf("%u: state %d, failure %d, attempt %u of %zu%s%s\n", number, (int)v->state,
			(int)v->failure, v->attempt, v->plans.count, result.late ? ", late" : "",
			result.silent ? ", lost" : "");
		for (size_t i = 0; i < trail->event_count; i++)
			if (trail->events[i].kind == TRAIL_STEP)
				printf("    %.1f ms %s\n",
					(double)(trail->events[i].t_us - trail->start_us) / 1000,
					trail->events[i].text);
	}
	if (result.fd >= 0)
		close(result.fd);
	session_destroy(session);
	trail_destroy(trail);
	journal_destroy(journal);
	return err;
}

int main(int argc, char **argv)
{
	struct many m = {.tcp = argc > 1 && !strcmp(argv[1], "tcp")};
	uint64_t count = 0;

	if (argc != 4 || endpoint_parse(argv[2], 3478, &m.server) ||
		number_from_text(argv[3], WARM, 1000000, &count) || sodium_init() < 0) {
		fprintf(stderr, "usage: punchmany udp|tcp SERVER COUNT\n");
		return 2;
	}
	for (unsigned i = 1; i <= count; i++) {
		int err = punch(&m, i);

		if (err) {
			fprintf(stderr, "punchmany: %u: %s\n", i, strerror(-err));
			return 1;
		}
		if (i == WARM || i == count)
			printf("%u punches, %u connected: %u descriptors, %u KiB\n", i, m.connected,
				count_descriptors(), resident_kib());
	}
	return m.connected == count ? 0 : 1;
}
