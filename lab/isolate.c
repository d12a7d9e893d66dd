// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/isolate.h"

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS)

static int complain(char *error, size_t size, const char *what, int err)
{
	snprintf(error, size, "%s: %s", what, strerror(-err));
	return err;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -errno;
	close(fd);
	return err;
}

/* Root inside is who calls outside (user_namespaces(7)). */
static int enter_user_namespace(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[32];
	int err;

	if (unshare(CLONE_NEWUSER))
		return -errno;
	err = write_file("/proc/self/setgroups", "deny");
	if (err && err != -ENOENT)
		return err;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	err = write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return err ? err : write_file("/proc/self/gid_map", map);
}

static int enter_namespaces(char *error, size_t size)
{
	int err;

	if (!unshare(NAMESPACES))
		return 0;
	if (errno != EPERM)
		return complain(error, size, "cannot make namespaces", -errno);
	err = enter_user_namespace();
	if (err)
		return complain(error, size,
			"neither root, nor does this system allow user namespaces", err);
	return unshare(NAMESPACES) ? complain(error, size, "cannot make namespaces", -errno) : 0;
}

/* What is mounted from now on stays here; /proc shows these processes, where that may be done. */
static void settle(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return; /* some containers forbid it; the outer one will do */
}

int isolate_replace_file(const char *path, const char *text)
{
	char name[] = "/tmp/natlab.XXXXXX";
	int fd, err = 0;

	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, 0644))
		err = -errno;
	close(fd);
	if (!err && mount(name, path, NULL, MS_BIND, NULL))
		err = -errno;
	unlink(name);
	return err;
}

/* --- the parent --- */

static volatile sig_atomic_t child;

static void pass_on(int signal)
{
	int saved = errno;

	if (child > 0)
		kill(child, signal == SIGINT ? ISOLATE_INTERRUPT : ISOLATE_TERMINATE);
	errno = saved;
}

static void handle_signals(void (*handler)(int), const int *signals, size_t count)
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < count; i++)
		sigaction(signals[i], &action, NULL);
}

/* Those of the parent, which are not to come before it knows the child; and what it makes of them. */
static sigset_t own_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, ISOLATE_INTERRUPT);
	sigaddset(&set, ISOLATE_TERMINATE);
	return set;
}

void isolate_take_signals(void)
{
	sigset_t set = own_signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int wait_for_child(void)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_child(int ready, int (*inside)(void *context), void *context)
{
	static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT};
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* what is meant for it comes from the parent */
	handle_signals(SIG_IGN, ignored, sizeof(ignored) / sizeof(*ignored));
	/* the parent's word that it is still there: it might have died before prctl */
	if (read(ready, &byte, 1) != 1)
		_exit(128 + SIGKILL);
	close(ready);
	settle();
	exit(inside(context));
}

int isolate_run(int (*inside)(void *context), void *context, char *error, size_t size)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t mask = own_signals(), old;
	int pipes[2], err;

	err = enter_namespaces(error, size);
	if (err)
		return err;
	if (pipe2(pipes, O_CLOEXEC))
		return complain(error, size, "no pipe", -errno);
	sigprocmask(SIG_BLOCK, &mask, &old);
	fflush(NULL);
	child = fork();
	if (!child) {
		close(pipes[1]);
		run_child(pipes[0], inside, context);
	}
	err = child < 0 ? -errno : 0;
	handle_signals(pass_on, signals, sizeof(signals) / sizeof(*signals));
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(pipes[0]);
	if (!err && write(pipes[1], "", 1) != 1)
		err = -errno;
	close(pipes[1]);
	return err ? complain(error, size, "cannot begin", err) : wait_for_child();
}
