// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/sockaddr.h"

/* A result is written in one piece and small enough for a pipe to keep it in one. */
_Static_assert(sizeof(struct resolve_result) <= 512, "results must fit PIPE_BUF");

struct resolver {
	int read_fd, write_fd;
};

struct job {
	int fd; /* this thread's own end of the pipe */
	size_t query;
	char host[SERVER_HOST];
	uint16_t port;
	bool has_port;
};

int resolver_create(struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int fds[2];

	*out = r;
	if (!r)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC)) {
		free(r);
		*out = NULL;
		return -errno;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	r->read_fd = fds[0];
	r->write_fd = fds[1];
	return 0;
}

void resolver_destroy(struct resolver *r)
{
	if (!r)
		return;
	close(r->read_fd);
	close(r->write_fd);
	free(r);
}

int resolver_fd(const struct resolver *r)
{
	return r->read_fd;
}

struct srv {
	unsigned priority, weight;
	uint16_t port;
	char target[SERVER_HOST];
};

/* The best record of an answer: lowest priority, then highest weight (RFC 2782). */
static bool best_record(ns_msg *message, struct srv *best)
{
	bool found = false;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		struct srv srv = {0};
		const unsigned char *data;
		ns_rr record;

		if (ns_parserr(message, ns_s_an, i, &record) || ns_rr_type(record) != ns_t_srv ||
			ns_rr_rdlen(record) < 7)
			continue;
		data = ns_rr_rdata(record);
		srv.priority = (unsigned)data[0] << 8 | data[1];
		srv.weight = (unsigned)data[2] << 8 | data[3];
		srv.port = (uint16_t)(data[4] << 8 | data[5]);
		if (dn_expand(ns_msg_base(*message), ns_msg_end(*message), data + 6, srv.target,
			    sizeof(srv.target)) < 0 ||
			!*srv.target || !srv.port)
			continue;
		if (!found || srv.priority < best->priority ||
			(srv.priority == best->priority && srv.weight > best->weight))
			*best = srv;
		found = true;
	}
	return found;
}

static bool look_up_srv(res_state state, const char *service, const char *host, struct srv *best)
{
	unsigned char answer[4096];
	char name[SERVER_HOST + 32];
	ns_msg message;
	int length;

	snprintf(name, sizeof(name), "%s.%s", service, host);
	length = res_nquery(state, name, ns_c_in, ns_t_srv, answer, sizeof(answer));
	return length > 0 && !ns_initparse(answer, length, &message) && best_record(&message, best);
}

/*
 * SRV records are a courtesy, and some resolvers drop the question: it costs one second at most. One
 * name server is asked, once, and about the second service only if it answered about the first.
 */
static void follow_srv(struct job *job)
{
	static const char *const services[] = {"_stun-behavior._udp", "_stun._udp"};
	struct __res_state state;
	struct srv best = {0};
	int nameservers;

	memset(&state, 0, sizeof(state));
	if (job->has_port || res_ninit(&state))
		return;
	state.retrans = 1;
	state.retry = 1;
	nameservers = state.nscount;
	if (nameservers > 1)
		state.nscount = 1;
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		h_errno = 0;
		if (look_up_srv(&state, services[i], job->host, &best)) {
			memcpy(job->host, best.target, sizeof(job->host));
			job->port = best.port;
			break;
		}
		if (h_errno == TRY_AGAIN)
			break;
	}
	state.nscount = nameservers; /* res_nclose frees what it holds for each */
	res_nclose(&state);
}

static void look_up_addresses(const struct job *job, struct resolve_result *out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;

	out->error = getaddrinfo(job->host, NULL, &hints, &list);
	for (struct addrinfo *a = list; a && out->count < RESOLVE_ADDRESSES; a = a->ai_next) {
		struct sockaddr_storage address = {0};
		struct endpoint e;

		memcpy(&address, a->ai_addr, a->ai_addrlen);
		e = sockaddr_to_endpoint(&address);
		e.port = job->port;
		if (e.family != FAMILY_NONE)
			out->addresses[out->count++] = e;
	}
	if (list)
		freeaddrinfo(list);
	if (!out->error && !out->count)
		out->error = EAI_NONAME;
}

static void *resolve(void *argument)
{
	struct job *job = argument;
	struct resolve_result result;

	memset(&result, 0, sizeof(result));
	result.query = job->query;
	follow_srv(job);
	look_up_addresses(job, &result);
	/* when the run is over nobody reads it any more; SIGPIPE is blocked in this thread */
	if (write(job->fd, &result, sizeof(result)) < 0)
		result.error = EAI_SYSTEM;
	close(job->fd);
	free(job);
	return NULL;
}

static int start_thread(struct job *job)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int err;

	err = -pthread_attr_init(&attributes);
	if (err)
		return err;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&thread, &attributes, resolve, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return err;
}

int resolver_ask(struct resolver *r, size_t query, const struct server_spec *spec)
{
	struct job *job = calloc(1, sizeof(*job));
	int err;

	if (!job)
		return -ENOMEM;
	job->query = query;
	job->port = spec->port;
	job->has_port = spec->has_port;
	memcpy(job->host, spec->host, sizeof(job->host));
	job->fd = fcntl(r->write_fd, F_DUPFD_CLOEXEC, 0);
	err = job->fd < 0 ? -errno : start_thread(job);
	if (err) {
		if (job->fd >= 0)
			close(job->fd);
		free(job);
	}
	return err;
}

int resolver_take(struct resolver *r, struct resolve_result *out)
{
	ssize_t n = read(r->read_fd, out, sizeof(*out));

	return n == (ssize_t)sizeof(*out) ? 0 : -EAGAIN;
}
