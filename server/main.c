// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/privileges.h"
#include "server/log.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/worker.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3,
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "natprobed: %s: %s\n", what, strerror(-err));
	return EXIT_ENVIRONMENT;
}

/* Before sockets are bound, which calls share with others that are made later: the kernel wants them of one user. */
static int become_user(const struct settings *s)
{
	int err = s->user ? privileges_become(s->user) : 0;

	if (err == -ENOENT) {
		fprintf(stderr, "natprobed: --user %s: no such user\n", s->user);
		return EXIT_ENVIRONMENT;
	}
	if (err)
		return fail("cannot become the user of --user", err);
	err = privileges_limit(
		s->no_icmp ? "cap_net_bind_service" : "cap_net_bind_service,cap_net_raw");
	return err ? fail("cannot limit privileges", err) : EXIT_DONE;
}

static void say_ready(struct log *log, const struct settings *s, const struct worker *w)
{
	struct log_line line = log_begin(log, LOG_LEVEL_INFO, "ready");
	char all[RESPONDER_ENDPOINTS * (ENDPOINT_TEXT + 1)] = "", text[ENDPOINT_TEXT];
	size_t n = 0;

	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (s->advertised[i].family != FAMILY_NONE)
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? "," : "",
				endpoint_format(&s->advertised[i], text));
	log_text(&line, "version", PACKAGE_VERSION);
	log_text(&line, "addresses", all);
	log_number(&line, "sessions", s->no_rendezvous ? 0 : s->sessions);
	log_text(&line, "calls", s->no_rendezvous || s->no_calls ? "no" : "yes");
	log_text(&line, "icmp", worker_has_icmp(w) ? "yes" : "no");
	log_number(&line, "rate", s->rate);
	log_end(&line);
	if (geteuid())
		return;
	line = log_begin(log, LOG_LEVEL_WARNING, "running_as_root");
	log_text(&line, "advice", "capabilities are gone, but --user NAME would be safer");
	log_end(&line);
}

/* A manager that is not there (NOTIFY_SOCKET was left over) is no reason not to serve. */
static void notify(struct log *log, const char *state)
{
	int err = notify_manager(state);
	struct log_line line;

	if (!err)
		return;
	line = log_begin(log, LOG_LEVEL_WARNING, "notify_failed");
	log_text(&line, "state", state);
	log_text(&line, "error", strerror(-err));
	log_end(&line);
}

static int serve(const struct settings *s)
{
	struct worker *worker;
	struct log log;
	char error[256];
	int status, err;

	log_init(&log, stderr, s->level);
	log.full_addresses = s->full_addresses;
	status = become_user(s);
	if (status != EXIT_DONE)
		return status;
	if (worker_create(&worker, s, &log, error, sizeof(error))) {
		fprintf(stderr, "natprobed: %s\n", error);
		return EXIT_ENVIRONMENT;
	}
	err = privileges_drop();
	if (err) {
		status = fail("cannot drop privileges", err);
	} else {
		say_ready(&log, s, worker);
		notify(&log, "READY=1");
		err = worker_run(worker);
		if (err)
			status = fail("stopped", err);
		else
			notify(&log, "STOPPING=1");
	}
	worker_destroy(worker);
	return status;
}

int main(int argc, char **argv)
{
	int err = privileges_limit("cap_net_bind_service,cap_net_raw,cap_setgid,cap_setuid");
	struct settings settings;
	char error[256];

	if (err)
		return fail("cannot limit privileges", err);
	if (sodium_init() < 0)
		return fail("libsodium", -EIO);
	if (settings_parse(&settings, argc, argv, error, sizeof(error))) {
		fprintf(stderr, "natprobed: %s\nTry 'natprobed --help'.\n", error);
		return EXIT_USAGE;
	}
	if (settings.help)
		options_usage(&natprobed_options, stdout);
	else if (settings.version)
		printf("natprobed (natutils) %s\n", PACKAGE_VERSION);
	else
		return serve(&settings);
	return fflush(stdout) ? fail("cannot write", -errno) : EXIT_DONE;
}
