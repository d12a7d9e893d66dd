// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/*
 * What the tests of tunnels share: an event loop with a limit in time, connections over loopback, tunnels over them, and
 * an account of descriptors and of what libevent holds, which is all that waits in buffers.
 * Behind the headers of cmocka.
 */

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/sockaddr.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "test_punch_kit.h"
#include "tools/punch/tunnel.h"

#define LENGTH(a)    (sizeof(a) / sizeof(*(a)))
#define PATIENCE_S   20 /* until a test fails that waits for something */
#define IDLE_MS	     50 /* in which nothing may happen */
#define IDLE_TURNS   20 /* … but for what was on its way */
#define NARROW_BYTES (64 << 10) /* that a kernel holds for who does not read */
#define ENDS	     2 /* of a tunnel in a world; the first is the controlling one */

struct world {
	struct event_base *base;
	struct event *patience, *idle;
	bool late, is_idle;
	int descriptors; /* before */
	size_t memory; /* … of libevent */
	struct keys keys[2];
	struct tunnel *tunnels[ENDS]; /* they get their turns */
	void (*turn)(void *context); /* … and so does this, if it is not NULL */
	void *context;
	bool awake; /* it waits for nothing, as programs that the loop does not know of have something to do */
};

/* --- accounts --- */

static size_t kit_memory_now, kit_memory_peak;

static inline void *kit_malloc(size_t size)
{
	void *p = malloc(size);

	kit_memory_now += p ? malloc_usable_size(p) : 0;
	if (kit_memory_now > kit_memory_peak)
		kit_memory_peak = kit_memory_now;
	return p;
}

static inline void kit_free(void *p)
{
	kit_memory_now -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static inline void *kit_realloc(void *p, size_t size)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *now = realloc(p, size);

	if (now || !size)
		kit_memory_now -= before;
	kit_memory_now += now ? malloc_usable_size(now) : 0;
	if (kit_memory_now > kit_memory_peak)
		kit_memory_peak = kit_memory_now;
	return now;
}

/* How many are open. */
static inline int kit_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	int count = 0;

	if (!all)
		return 0;
	while (readdir(all))
		count++;
	closedir(all);
	return count;
}

/* --- the loop --- */

static inline void kit_on_late(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct world *)context)->late = true;
}

static inline void kit_on_idle(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct world *)context)->is_idle = true;
}

/* What the loop holds: one that knows of files, as the tools have. */
static inline struct event_base *kit_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_require_features(config, EV_FEATURE_FDS);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static inline void world_begin(struct world *w)
{
	const struct timeval patience = {PATIENCE_S, 0};

	memset(w, 0, sizeof(*w));
	w->descriptors = kit_descriptors();
	w->memory = kit_memory_now;
	w->base = kit_base();
	assert_non_null(w->base);
	w->patience = event_new(w->base, -1, 0, kit_on_late, w);
	w->idle = event_new(w->base, -1, 0, kit_on_idle, w);
	assert_int_equal(event_add(w->patience, &patience), 0);
	alarm(2 * PATIENCE_S); /* if it is not the loop that waits */
	keys_of_both(&w->keys[0], &w->keys[1]);
	kit_memory_peak = kit_memory_now;
}

/* All that a world had is gone. */
static inline void world_end(struct world *w)
{
	for (int i = 0; i < ENDS; i++)
		tunnel_destroy(w->tunnels[i]);
	event_free(w->patience);
	event_free(w->idle);
	event_base_free(w->base);
	alarm(0);
	assert_int_equal(kit_descriptors(), w->descriptors);
	assert_int_equal(kit_memory_now, w->memory);
}

static inline void world_turn(struct world *w, int flags)
{
	for (int i = 0; i < ENDS; i++)
		if (w->tunnels[i])
			tunnel_turn(w->tunnels[i], clock_now_us());
	if (w->turn)
		w->turn(w->context);
	event_base_loop(w->base, flags);
}

#define wait_until(w, condition)                                                   \
	do {                                                                       \
		bool is_so;                                                        \
		while (!(is_so = (condition)) && !(w)->late)                       \
			world_turn(w, (w)->awake ? EVLOOP_NONBLOCK : EVLOOP_ONCE); \
		if (!is_so)                                                        \
			fail_msg("never: %s", #condition);                         \
	} while (0)

/* Nothing happens any more: no event comes again and again. */
static inline void assert_idle(struct world *w)
{
	const struct timeval idle = {0, IDLE_MS * 1000};
	int turns = 0;

	w->is_idle = false;
	assert_int_equal(event_add(w->idle, &idle), 0);
	while (!w->is_idle && !w->late) {
		world_turn(w, EVLOOP_ONCE);
		turns++;
	}
	assert_in_range(turns, 1, IDLE_TURNS);
}

/* --- connections --- */

static const struct endpoint kit_loopback = {FAMILY_IPV4, 0, 0, {127, 0, 0, 1}};

/* Listens there; where that is, is written into local. */
static inline int kit_listen(struct endpoint *local)
{
	int fd;

	*local = kit_loopback;
	assert_int_equal(tcp_listen(local, &fd), 0);
	assert_int_equal(udp_local(fd, local), 0);
	return fd;
}

static inline void kit_limit(int fd, int option, int bytes)
{
	assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)), 0);
}

/* Two ends of a connection, which do not wait; narrow: of what the first one sends the kernel takes little. */
static inline void kit_connect(int fds[2], bool narrow)
{
	struct endpoint local, from;
	int listener = kit_listen(&local), err;

	if (narrow)
		kit_limit(listener, SO_RCVBUF, NARROW_BYTES);
	assert_int_equal(tcp_connect_start(&local, NULL, NULL, &fds[0]), 0);
	do
		err = tcp_accept(listener, &from, &fds[1]);
	while (err == -EAGAIN);
	assert_int_equal(err, 0);
	if (narrow)
		kit_limit(fds[0], SO_SNDBUF, 4096);
	close(listener);
}

static inline void kit_wait(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	assert_int_equal(fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

/* --- bytes --- */

static inline uint32_t kit_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* The byte that stands in this place of this stream: another one where bytes are missing. */
static inline uint8_t kit_byte(unsigned stream, uint64_t place)
{
	uint64_t mixed = (place + 1) * 0x9e3779b97f4a7c15 + stream * 0xc2b2ae3d27d4eb4f;

	return (uint8_t)(mixed >> 40);
}

static inline void kit_fill(unsigned stream, uint64_t place, uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = kit_byte(stream, place + i);
}

static inline void kit_check(unsigned stream, uint64_t place, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != kit_byte(stream, place + i))
			fail_msg("byte %llu of stream %u is another one",
				(unsigned long long)(place + i), stream);
}

/* --- tunnels --- */

/* As the tools do it: who cannot write any more is told so. */
static inline void kit_prepare(void)
{
	event_set_mem_functions(kit_malloc, kit_realloc, kit_free);
	signal(SIGPIPE, SIG_IGN);
}
