// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "net/sockaddr.h"
#include "net/tcp.h"
#include "server/responder.h"
#include "server/sources.h"
#include "server/stream.h"

#define EVENTS_PER_TURN	 64
#define ACCEPTS_PER_TURN 64
#define ENDS_PER_TURN	 256
#define PAUSE_US	 100000u /* without accepting, when the kernel has no descriptors left */
#define BACKLOG		 1024
#define INDEX_BITS	 20 /* of a connection's number, below those that make it unique */
#define NEVER		 UINT64_MAX

enum state {
	STATE_IDLE,
	STATE_BOUND, /* a party came over it */
	STATE_BROKEN, /* to be ended when nobody looks at it any more */
	STATES,
};

struct connection {
	uint64_t number;
	int fd;
	unsigned local;
	struct endpoint from;
	struct source *source;
	struct connection *older, *newer; /* in its list */
	uint64_t deadline_us;
	/* allocated only while there is something in it */
	uint8_t *in, *out;
	size_t in_length, out_length;
	enum state state;
	struct rendezvous_bond bond;
	struct calls_tally tally;
	bool heed;
	bool syn_read; /* the kernel gives it once */
	struct stun_syn syn;
};

/* In the order of their deadlines, for all of one list have the same time-out. */
struct list {
	struct connection *oldest, *newest;
};

struct stream {
	struct stream_limits limits;
	struct stream_handler handler;
	struct stream_counts counts;
	int epoll;
	int listeners[RESPONDER_ENDPOINTS]; /* -1: none */
	uint64_t now_us, serial, paused_until_us;
	struct sources *sources;
	struct list lists[STATES];
	uint32_t count;
	uint32_t *
		spare; /* stack of unused places in the table, limits.connections - count of them */
	struct connection **table;
	uint8_t scratch[STREAM_MESSAGE_BYTES];
};

_Static_assert(STREAM_CONNECTIONS_MAX < 1u << INDEX_BITS, "a place in the table");

/* --- lists --- */

static void unlist(struct stream *s, struct connection *c)
{
	struct list *l = &s->lists[c->state];

	*(c->older ? &c->older->newer : &l->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &l->newest) = c->older;
	c->older = c->newer = NULL;
}

static void enlist(struct stream *s, struct connection *c, enum state state)
{
	struct list *l = &s->lists[state];

	c->state = state;
	c->deadline_us = s->now_us + (state == STATE_BOUND ? STREAM_BOUND_IDLE_US : STREAM_IDLE_US);
	c->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = c;
	l->newest = c;
}

/* --- connections --- */

static struct connection *find(const struct stream *s, uint64_t number)
{
	uint64_t index = number & ((1u << INDEX_BITS) - 1);
	struct connection *c = index < s->limits.connections ? s->table[index] : NULL;

	return c && c->number == number ? c : NULL;
}

static void discard(struct stream *s, struct connection *c)
{
	uint32_t index = (uint32_t)(c->number & ((1u << INDEX_BITS) - 1));

	unlist(s, c);
	s->table[index] = NULL;
	s->spare[s->limits.connections - s->count--] = index;
	sources_give_back(s->sources, c->source);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* Nobody hears anything more over it: the handler is told when it is out of the table. */
static void end(struct stream *s, struct connection *c)
{
	struct rendezvous_bond bond = c->bond;
	struct endpoint from = c->from;
	uint64_t number = c->number;
	bool heeded = c->tally.made || c->heed;

	discard(s, c);
	if (heeded)
		s->handler.hung_up(s->handler.context, number);
	if (bond.bound)
		s->handler.closed(s->handler.context, number, &from, &bond);
}

static void mark_broken(struct stream *s, struct connection *c)
{
	if (c->state == STATE_BROKEN)
		return;
	unlist(s, c);
	enlist(s, c, STATE_BROKEN);
}

static int watch(const struct stream *s, int operation, int fd, uint64_t data, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(s->epoll, operation, fd, &event) ? -errno : 0;
}

/* --- sending --- */

static int keep(struct stream *s, struct connection *c, const uint8_t *data, size_t length)
{
	if (c->out_length + length > STREAM_OUTPUT_BYTES)
		return -EMSGSIZE;
	if (!c->out) {
		c->out = malloc(STREAM_OUTPUT_BYTES);
		if (!c->out)
			return -ENOMEM;
		if (watch(s, EPOLL_CTL_MOD, c->fd, c->number, EPOLLOUT))
			return -EIO;
	}
	memcpy(c->out + c->out_length, data, length);
	c->out_length += length;
	return 0;
}

/* As much as the kernel takes now; a negative errno when the connection is no good any more. */
static ssize_t send_some(struct connection *c, const uint8_t *data, size_t length)
{
	ssize_t n = send(c->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int stream_send(struct stream *s, uint64_t connection, const void *data, size_t length)
{
	struct connection *c = find(s, connection);
	ssize_t n = 0;

	if (!c || c->state == STATE_BROKEN)
		return -ENOTCONN;
	if (!c->out)
		n = send_some(c, data, length);
	if (n >= 0 && (size_t)n < length)
		n = keep(s, c, (const uint8_t *)data + n, length - (size_t)n);
	if (n < 0)
		mark_broken(s, c);
	return n < 0 ? (int)n : 0;
}

/* --- receiving --- */

static void hand_over(struct stream *s, struct connection *c, const uint8_t *data, size_t length)
{
	struct stream_message m = {.data = data,
		.length = length,
		.from = c->from,
		.local = c->local,
		.connection = c->number,
		.bond = &c->bond,
		.tally = &c->tally,
		.heed = &c->heed};

	s->handler.message(s->handler.context, &m);
	/* only whole messages are a sign of life: who sends byte by byte gains nothing by it */
	if (c->state == STATE_BROKEN)
		return;
	unlist(s, c);
	enlist(s, c, c->bond.bound ? STATE_BOUND : STATE_IDLE);
}

/*
 * What is in the scratch buffer, message by message, but none while an answer waits to be sent: who does not
 * read what he has asked for is not listened to. The bytes that were taken, or -EBADMSG.
 */
static int take_messages(struct stream *s, struct connection *c, size_t length)
{
	size_t at = 0;

	while (at < length && !c->out && c->state != STATE_BROKEN) {
		int bytes = stun_frame_bytes(s->scratch + at, length - at, STREAM_MESSAGE_BYTES);

		if (bytes < 0)
			return bytes;
		if (!bytes || (size_t)bytes > length - at)
			break;
		hand_over(s, c, s->scratch + at, (size_t)bytes);
		at += (size_t)bytes;
	}
	return (int)at;
}

/* The beginning of a message waits for its rest, and whole ones until an answer has been sent. */
static int keep_rest(struct stream *s, struct connection *c, size_t at, size_t length)
{
	if (at == length) {
		free(c->in);
		c->in = NULL;
		c->in_length = 0;
		return 0;
	}
	if (!c->in)
		c->in = malloc(STREAM_MESSAGE_BYTES);
	if (!c->in)
		return -ENOMEM;
	c->in_length = length - at;
	memcpy(c->in, s->scratch + at, c->in_length);
	return 0;
}

static void process(struct stream *s, struct connection *c, size_t length)
{
	int at = take_messages(s, c, length);

	if (at < 0)
		s->counts.malformed++;
	if (at < 0 || keep_rest(s, c, (size_t)at, length))
		mark_broken(s, c);
}

static void receive(struct stream *s, struct connection *c)
{
	ssize_t n;

	if (c->in_length)
		memcpy(s->scratch, c->in, c->in_length);
	n = recv(c->fd, s->scratch + c->in_length, sizeof(s->scratch) - c->in_length, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		mark_broken(s, c);
	else
		process(s, c, c->in_length + (size_t)n);
}

static void send_kept(struct stream *s, struct connection *c)
{
	ssize_t n = send_some(c, c->out, c->out_length);

	if (n < 0) {
		mark_broken(s, c);
		return;
	}
	c->out_length -= (size_t)n;
	memmove(c->out, c->out + n, c->out_length);
	if (c->out_length)
		return;
	free(c->out);
	c->out = NULL;
	if (watch(s, EPOLL_CTL_MOD, c->fd, c->number, EPOLLIN))
		mark_broken(s, c);
	if (!c->in_length)
		return;
	memcpy(s->scratch, c->in, c->in_length);
	process(s, c, c->in_length);
}

/* --- accepting --- */

static struct connection *add_connection(struct stream *s, int fd, const struct endpoint *from)
{
	struct connection *c = calloc(1, sizeof(*c));
	uint32_t index = s->spare[s->limits.connections - s->count - 1];

	if (!c)
		return NULL;
	if (sources_take(s->sources, from, &c->source)) {
		free(c);
		return NULL;
	}
	c->number = ++s->serial << INDEX_BITS | index;
	c->fd = fd;
	c->from = *from;
	s->table[index] = c;
	s->count++;
	enlist(s, c, STATE_IDLE);
	return c;
}

static void admit(struct stream *s, int fd, unsigned local, const struct endpoint *from)
{
	struct connection *c = NULL;
	int one = 1;

	if (s->count == s->limits.connections && s->lists[STATE_IDLE].oldest)
		end(s, s->lists[STATE_IDLE].oldest);
	if (s->count < s->limits.connections && endpoint_is_unicast(from))
		c = add_connection(s, fd, from);
	if (!c) {
		s->counts.refused++;
		close(fd);
		return;
	}
	c->local = local;
	s->counts.accepted++;
	/* messages are few and small: none should wait for another one's acknowledgement */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (watch(s, EPOLL_CTL_ADD, fd, c->number, EPOLLIN))
		mark_broken(s, c);
}

static void pause_listeners(struct stream *s, bool pause)
{
	s->paused_until_us = pause ? s->now_us + PAUSE_US : 0;
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (s->listeners[i] >= 0)
			(void)watch(s, EPOLL_CTL_MOD, s->listeners[i], i, pause ? 0 : EPOLLIN);
}

static void accept_some(struct stream *s, unsigned local)
{
	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage address = {0};
		socklen_t length = sizeof(address);
		struct endpoint from;
		int fd = accept4(s->listeners[local], (struct sockaddr *)&address, &length,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			from = sockaddr_to_endpoint(&address);
			admit(s, fd, local, &from);
			continue;
		}
		/* out of descriptors or memory: the listener would stay readable, and we awake */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listeners(s, true);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* --- turns --- */

static void reap(struct stream *s)
{
	while (s->lists[STATE_BROKEN].oldest)
		end(s, s->lists[STATE_BROKEN].oldest);
}

static void serve(struct stream *s, const struct epoll_event *event)
{
	struct connection *c;

	if (event->data.u64 < RESPONDER_ENDPOINTS) {
		accept_some(s, (unsigned)event->data.u64);
		return;
	}
	c = find(s, event->data.u64);
	if (!c || c->state == STATE_BROKEN)
		return;
	if (c->out && event->events & EPOLLOUT)
		send_kept(s, c);
	else if (c->out)
		mark_broken(s, c);
	else
		receive(s, c);
}

void stream_run(struct stream *s, uint64_t now_us)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(s->epoll, events, EVENTS_PER_TURN, 0);

	s->now_us = now_us;
	for (int i = 0; i < n; i++)
		serve(s, &events[i]);
	reap(s);
}

void stream_tick(struct stream *s, uint64_t now_us)
{
	unsigned left = ENDS_PER_TURN;

	s->now_us = now_us;
	if (s->paused_until_us && s->paused_until_us <= now_us)
		pause_listeners(s, false);
	for (enum state state = STATE_IDLE; state <= STATE_BOUND; state++)
		for (; left && s->lists[state].oldest; left--) {
			if (s->lists[state].oldest->deadline_us > now_us)
				break;
			end(s, s->lists[state].oldest);
		}
	reap(s);
}

uint64_t stream_next_us(const struct stream *s)
{
	uint64_t next = s->paused_until_us ? s->paused_until_us : NEVER;

	if (s->lists[STATE_BROKEN].oldest)
		return 0;
	for (enum state state = STATE_IDLE; state <= STATE_BOUND; state++) {
		const struct connection *c = s->lists[state].oldest;

		if (c && c->deadline_us < next)
			next = c->deadline_us;
	}
	return next;
}

int stream_fd(const struct stream *s)
{
	return s->epoll;
}

const struct endpoint *stream_peer(const struct stream *s, uint64_t connection)
{
	const struct connection *c = find(s, connection);

	return c ? &c->from : NULL;
}

static void read_syn(struct connection *c)
{
	c->syn_read = true;
	if (!tcp_saved_syn(c->fd, &c->syn.arrived))
		c->syn.parts |= STUN_SYN_ARRIVED;
	if (!tcp_answered(c->fd, &c->syn.answered))
		c->syn.parts |= STUN_SYN_ANSWERED;
}

bool stream_syn(struct stream *s, uint64_t connection, struct stun_syn *out)
{
	struct connection *c = find(s, connection);

	if (!c)
		return false;
	if (!c->syn_read)
		read_syn(c);
	*out = c->syn;
	return c->syn.parts != 0;
}

bool stream_expected(struct stream *s, uint64_t connection, uint32_t *sequence)
{
	struct connection *c = find(s, connection);
	struct stun_syn syn;
	uint64_t bytes;

	if (!c || !stream_syn(s, connection, &syn) || !(syn.parts & STUN_SYN_ARRIVED) ||
		tcp_received(c->fd, &bytes))
		return false;
	*sequence = syn.arrived.sequence + 1 + (uint32_t)bytes;
	return true;
}

const struct stream_counts *stream_counts(const struct stream *s)
{
	return &s->counts;
}

/* --- making and ending --- */

int stream_listen(struct stream *s, const struct endpoint *local, unsigned index)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);
	int fd = socket(
		sockaddr_family(local->family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, err = 0;

	if (fd < 0)
		return -errno;
	s->listeners[index] = fd;
	tcp_save_syns(fd);
	/* a server that begins anew must not wait for its old connections; callers come beside */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
		(local->family == FAMILY_IPV6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
		bind(fd, (struct sockaddr *)&address, length) || listen(fd, BACKLOG))
		err = -errno;
	return err ? err : watch(s, EPOLL_CTL_ADD, fd, index, EPOLLIN);
}

static int make_tables(struct stream *s)
{
	uint32_t n = s->limits.connections;
	uint8_t key[SOURCES_KEY_BYTES];

	randombytes_buf(key, sizeof(key));
	s->table = calloc(n, sizeof(*s->table));
	s->spare = calloc(n, sizeof(*s->spare));
	if (!s->table || !s->spare || sources_create(&s->sources, n, s->limits.per_source, key))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		s->spare[i] = n - 1 - i;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	return s->epoll < 0 ? -errno : 0;
}

int stream_create(struct stream **out, const struct stream_limits *limits,
	const struct stream_handler *handler)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->limits = *limits;
	s->handler = *handler;
	s->epoll = -1;
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		s->listeners[i] = -1;
	err = make_tables(s);
	if (err)
		stream_destroy(s);
	else
		*out = s;
	return err;
}

void stream_destroy(struct stream *s)
{
	if (!s)
		return;
	for (enum state state = STATE_IDLE; state < STATES; state++)
		while (s->lists[state].oldest)
			discard(s, s->lists[state].oldest);
	for (unsigned i = 0; i < RESPONDER_ENDPOINTS; i++)
		if (s->listeners[i] >= 0)
			close(s->listeners[i]);
	if (s->epoll >= 0)
		close(s->epoll);
	sources_destroy(s->sources);
	free(s->table);
	free(s->spare);
	free(s);
}
