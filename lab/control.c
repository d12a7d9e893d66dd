// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/control.h"

#define NAME_FORMAT   "natlab-%u-%d" /* user, process */
#define CLIENTS_MAX   16
#define NAMESPACES    4 /* user, mount, process, network */
#define ANSWER_MAX    4096
#define SOCKETS_LINES 100000
#define TIMEOUT_S     5

static const int namespace_kinds[NAMESPACES] = {
	CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET};
static const char *const namespace_paths[NAMESPACES - 1] = {
	"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid"};

struct control {
	struct event_base *base;
	struct event *acceptable;
	const struct topology *topology;
	const struct hosts *hosts;
	struct client {
		struct control *control;
		struct event *readable;
		int fd;
	} clients[CLIENTS_MAX];
};

static socklen_t name_of(uid_t user, pid_t process, struct sockaddr_un *out)
{
	int length;

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* behind a NUL: the abstract name space (unix(7)) */
	length = snprintf(out->sun_path + 1, sizeof(out->sun_path) - 1, NAME_FORMAT, (unsigned)user,
		(int)process);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int control_listen(void)
{
	struct sockaddr_un name;
	socklen_t length = name_of(geteuid(), getpid(), &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&name, length) && !listen(fd, CLIENTS_MAX))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Whether the other end is this user's or root's. */
static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* --- the laboratory's side --- */

static void send_answer(int fd, const char *text, const int *fds, size_t count)
{
	struct iovec part = {(char *)text, strlen(text)};
	union {
		char bytes[CMSG_SPACE(NAMESPACES * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		struct cmsghdr *c;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* who does not wait for the answer does not need it */
}

static void name_hosts(const struct control *c, const char *wanted, int fd)
{
	char text[ANSWER_MAX];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text),
		"%s%.31s%s; its hosts are:", *wanted ? "no host " : "", wanted,
		*wanted ? " here" : "which host");
	for (int i = 1; i <= topology_count(c->topology); i++) {
		const struct topology_node *node = topology_at(c->topology, i);

		if (node->node.kind == WORLD_HOST && n + WORLD_NAME_BYTES + 1 < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", node->node.name);
	}
	send_answer(fd, text, NULL, 0);
}

static void hand_out(const struct control *c, int node, int fd)
{
	int fds[NAMESPACES];
	size_t count;

	for (count = 0; count < NAMESPACES - 1; count++) {
		fds[count] = open(namespace_paths[count], O_RDONLY | O_CLOEXEC);
		if (fds[count] < 0)
			break;
	}
	fds[NAMESPACES - 1] = hosts_namespace(c->hosts, node);
	if (count == NAMESPACES - 1)
		send_answer(fd, "ok", fds, NAMESPACES);
	else
		send_answer(fd, "the laboratory cannot open its namespaces", NULL, 0);
	while (count)
		close(fds[--count]);
}

static void forget(struct client *client)
{
	event_free(client->readable);
	close(client->fd);
	*client = (struct client){.readable = NULL};
}

static void on_request(evutil_socket_t fd, short what, void *context)
{
	struct client *client = context;
	struct control *c = client->control;
	char name[WORLD_NAME_BYTES] = "";
	int node = 0;
	ssize_t n = what & EV_READ ? recv(fd, name, sizeof(name) - 1, MSG_DONTWAIT) : -1;

	if (n >= 0) {
		name[n] = '\0';
		node = topology_find(c->topology, WORLD_HOST, name);
		if (node)
			hand_out(c, node, fd);
		else
			name_hosts(c, name, fd);
	}
	forget(client);
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
	struct control *c = context;
	struct timeval limit = {TIMEOUT_S, 0};
	struct client *client = NULL;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	for (int i = 0; i < CLIENTS_MAX && !client; i++)
		if (!c->clients[i].readable)
			client = &c->clients[i];
	if (peer < 0)
		return;
	if (client && is_trusted(peer))
		client->readable = event_new(c->base, peer, EV_READ, on_request, client);
	if (!client || !client->readable) {
		close(peer);
		return;
	}
	client->control = c;
	client->fd = peer;
	event_add(client->readable, &limit);
}

int control_begin(struct event_base *base, int socket, const struct topology *t,
	const struct hosts *hosts, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct control){.base = base, .topology = t, .hosts = hosts};
	c->acceptable = event_new(base, socket, EV_READ | EV_PERSIST, on_acceptable, c);
	if (!c->acceptable || event_add(c->acceptable, NULL)) {
		control_destroy(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].readable)
			forget(&c->clients[i]);
	if (c->acceptable)
		event_free(c->acceptable);
	free(c);
}

/* --- the other side --- */

int control_find(pid_t *list, size_t size)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];
	size_t count = 0;

	if (!f)
		return -errno;
	for (int i = 0; i < SOCKETS_LINES && count < size && fgets(line, sizeof(line), f); i++) {
		const char *name = strstr(line, " @natlab-");
		unsigned user;
		int process;

		if (!name || sscanf(name, " @" NAME_FORMAT, &user, &process) != 2 || process <= 0)
			continue;
		if (user != geteuid())
			continue;
		for (size_t k = 0; k <= count; k++) /* a connection has the same name */
			if (k == count) {
				list[count++] = process;
				break;
			} else if (list[k] == process) {
				break;
			}
	}
	fclose(f);
	return (int)count;
}

__attribute__((format(printf, 3, 4))) static int complain(
	char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -EPROTO;
}

static int ask(pid_t laboratory, const char *host, char *error, size_t size)
{
	struct timeval limit = {TIMEOUT_S, 0};
	struct sockaddr_un name;
	socklen_t length = name_of(geteuid(), laboratory, &name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return complain(error, size, "no socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
		connect(fd, (struct sockaddr *)&name, length) || !is_trusted(fd) ||
		send(fd, host, strlen(host), MSG_NOSIGNAL) < 0) {
		close(fd);
		return complain(
			error, size, "no laboratory of yours is process %d", (int)laboratory);
	}
	return fd;
}

/* The answer's descriptors; less than NAMESPACES with its text in error. */
static size_t receive(int fd, int fds[NAMESPACES], char *error, size_t size)
{
	union {
		char bytes[CMSG_SPACE(NAMESPACES * sizeof(int))];
		struct cmsghdr align;
	} control;
	char text[ANSWER_MAX];
	struct iovec part = {text, sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	size_t count = 0;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), count * sizeof(int));
	}
	text[n > 0 ? n : 0] = '\0';
	if (count != NAMESPACES)
		snprintf(error, size, "%s", n > 0 ? text : "the laboratory does not answer");
	return count;
}

/* Entering the user namespace in which one is already is an error (setns(2)). */
static bool is_ours(const char *path, int fd)
{
	struct stat ours, theirs;

	return !stat(path, &ours) && !fstat(fd, &theirs) && ours.st_dev == theirs.st_dev &&
		ours.st_ino == theirs.st_ino;
}

static int enter_all(const int fds[NAMESPACES], char *error, size_t size)
{
	for (size_t i = 0; i < NAMESPACES; i++) {
		if (i == 0 && is_ours(namespace_paths[0], fds[0]))
			continue;
		if (setns(fds[i], namespace_kinds[i]))
			return complain(error, size, "cannot enter the host: %s", strerror(errno));
	}
	return 0;
}

int control_enter(pid_t laboratory, const char *host, char *error, size_t size)
{
	int fds[NAMESPACES], fd = ask(laboratory, host, error, size);
	char *folder = getcwd(NULL, 0);
	size_t count;
	int err;

	if (fd < 0) {
		free(folder);
		return fd;
	}
	count = receive(fd, fds, error, size);
	close(fd);
	err = count == NAMESPACES ? enter_all(fds, error, size) : -EPROTO;
	while (count)
		close(fds[--count]);
	if (!err && folder && chdir(folder)) /* entering a mount namespace goes to its root */
		err = complain(error, size, "%s: %s", folder, strerror(errno));
	free(folder);
	return err;
}
