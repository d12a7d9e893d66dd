// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lab/commands_spawn.h"

#define SOCKETS_MAX   1000
#define NOT_FOUND     127 /* as shells have it */
#define CANNOT_EXEC   126
#define STATE_LISTEN  " 0A "
#define TABLE_LINE    512
#define HIGHEST_RESET 31

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s <= HIGHEST_RESET; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Its output into our pipes; from its input nothing comes. */
static int redirect(const int writers[2])
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		if (dup2(writers[i], i + 1) < 0)
			return -errno;
	return 0;
}

static void become(const struct command *command, int namespace, const int writers[2])
{
	const char *what = "cannot begin";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	if (writers[0] >= 0)
		setpgid(0, 0);
	if (!setns(namespace, CLONE_NEWNET) && (writers[0] < 0 || !redirect(writers))) {
		what = command->shell ? "/bin/sh" : command->argv[0];
		if (command->shell)
			execl("/bin/sh", "sh", "-c", command->shell, (char *)NULL);
		else
			execvp(command->argv[0], command->argv);
	}
	fprintf(stderr, "natlab: %s: %s\n", what, strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : CANNOT_EXEC);
}

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int open_pipes(int readers[2], int writers[2])
{
	for (int i = 0; i < 2; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC))
			return -errno;
		readers[i] = ends[0];
		writers[i] = ends[1];
		if (fcntl(ends[0], F_SETFL, O_NONBLOCK))
			return -errno;
	}
	return 0;
}

int command_spawn(const struct command *command, int namespace, struct spawned *out)
{
	int readers[2] = {-1, -1}, writers[2] = {-1, -1};
	int err = command->passthrough ? 0 : open_pipes(readers, writers);
	pid_t pid = -1;

	if (!err) {
		fflush(NULL);
		pid = fork();
		if (!pid)
			become(command, namespace, writers);
		err = pid < 0 ? -errno : 0;
	}
	if (pid > 0 && !command->passthrough)
		setpgid(pid, pid); /* both do it, so that it is done for both */
	close_pair(writers);
	if (err) {
		close_pair(readers);
		return err;
	}
	*out = (struct spawned){pid, {readers[0], readers[1]}};
	return 0;
}

static int count_lines(pid_t pid, const char *table, bool listening)
{
	char path[64], line[TABLE_LINE];
	int count = -1; /* the first line is a heading */
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, table);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (count < SOCKETS_MAX && fgets(line, sizeof(line), f))
		if (count < 0 || !listening || strstr(line, STATE_LISTEN))
			count++;
	fclose(f);
	return count < 0 ? 0 : count;
}

int command_count_sockets(pid_t pid)
{
	static const struct {
		const char *table;
		bool listening;
	} tables[] = {{"udp", false}, {"udp6", false}, {"tcp", true}, {"tcp6", true}};
	int sum = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		int count = count_lines(pid, tables[i].table, tables[i].listening);

		if (count < 0 && count != -ENOENT) /* a kernel without IPv6 has no table of it */
			return count;
		sum += count > 0 ? count : 0;
	}
	return sum;
}
