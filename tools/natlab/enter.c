// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/control.h"
#include "tools/natlab/enter.h"
#include "tools/natlab/options.h"
#include "tools/natlab/status.h"

#define LABORATORIES_MAX 64

static int fail(enum status status, const char *message)
{
	fprintf(stderr, "natlab: %s\n", message);
	return status;
}

/* The only one there is; negative, with one line in error. */
static int find_laboratory(char *error, size_t size)
{
	pid_t list[LABORATORIES_MAX];
	int count = control_find(list, LABORATORIES_MAX), n;

	if (count == 1)
		return list[0];
	if (count <= 0) {
		snprintf(error, size, "no natlab of yours is running");
		return -ENOENT;
	}
	n = snprintf(error, size, "more than one natlab is running; choose with --lab:");
	for (int i = 0; i < count && n > 0 && (size_t)n < size; i++)
		n += snprintf(error + n, size - (size_t)n, " %d", (int)list[i]);
	return -ENOENT;
}

static int run(char **argv)
{
	const char *shell = getenv("SHELL");
	char *const default_argv[] = {(char *)(shell && *shell ? shell : "/bin/sh"), NULL};

	execvp(argv[0] ? argv[0] : default_argv[0], argv[0] ? argv : default_argv);
	fprintf(stderr, "natlab: %s: %s\n", argv[0] ? argv[0] : default_argv[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* As a shell waits: what the terminal's keys mean is up to the command. */
static int wait_for(pid_t pid)
{
	int status;

	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(STATUS_ENVIRONMENT, strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_and_wait(char **argv)
{
	pid_t pid = fork();

	if (!pid)
		_exit(run(argv));
	return pid < 0 ? fail(STATUS_ENVIRONMENT, strerror(errno)) : wait_for(pid);
}

/*
 * Only children of the one who enters are in the host's process namespace: hence the second fork. The first is
 * for what a process clones for itself, as the leak check of a sanitizer does at its end, and waits for in vain.
 */
static int enter(const struct natlab_exec_params *p)
{
	char error[1024];
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? fail(STATUS_ENVIRONMENT, strerror(errno)) : wait_for(pid);
	if (control_enter(p->laboratory, p->host, error, sizeof(error)))
		_exit(fail(STATUS_ENVIRONMENT, error));
	_exit(run_and_wait(p->argv));
}

int enter_main(int argc, char **argv)
{
	struct natlab_exec_params p;
	char error[1024];

	if (natlab_exec_parse(argc, argv, &p, error, sizeof(error)))
		return fail(STATUS_USAGE, error);
	if (p.help)
		options_usage(&natlab_exec_options, stdout);
	else if (p.version)
		printf("natlab (natutils) %s\n", PACKAGE_VERSION);
	if (p.help || p.version)
		return fflush(stdout) ? fail(STATUS_ENVIRONMENT, "cannot write") : STATUS_DONE;
	if (!p.laboratory)
		p.laboratory = find_laboratory(error, sizeof(error));
	return p.laboratory < 0 ? fail(STATUS_ENVIRONMENT, error) : enter(&p);
}
