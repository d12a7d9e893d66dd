// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * capturing answer ADDRESS PORT          sends every datagram back
 * capturing run ADDRESS PORT INTERFACE SOCKETS
 *                                        opens a capture, drops all privileges, and talks to that: is every packet in
 *                                        the capture, once, with the right time, interface and direction? On the port
 *                                        behind PORT nobody must listen.
 * capturing refused                      is a capture refused for want of a privilege?
 * capturing measure                      what opening, watching and closing cost
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "net/capture.h"
#include "net/privileges.h"
#include "net/sockaddr.h"
#include "wire/packet.h"

#define FLOWS_MAX  1000
#define BYTES_MAX  4000
#define WAIT_MS	   5000
#define DOUBT_US   200 /* of a time: each of two clocks is looked at between two looks at the other */
#define QUIET_PORT 7777 /* far from the ports that the kernel chooses */

enum { OUT, IN, WAYS };

/* What is expected of the packets of one local port. */
struct flow {
	int fd;
	enum capture_kind kind;
	struct endpoint local, remote;
	unsigned interface;
	unsigned wanted[WAYS], seen[WAYS]; /* packets */
	uint64_t before_us, after_us; /* around sending */
	uint64_t time_us[WAYS]; /* of the last one */
};

struct test {
	struct capture *capture;
	struct endpoint remote;
	unsigned interface;
	struct flow flows[FLOWS_MAX];
	size_t count;
	uint16_t by_port[3][65536]; /* place + 1 */
	bool hosts; /* ICMP of hosts is watched */
	unsigned seen, host_seen, groups, fragments, wrong;
	int64_t worst_us; /* by so much a packet was captured before it was sent, or after it had been */
};

static void __attribute__((format(printf, 2, 3))) wrong(struct test *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("WRONG: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	t->wrong++;
}

static int fail(const char *what, int err)
{
	printf("%s: %s\n", what, strerror(err < 0 ? -err : errno));
	return 1;
}

/* --- what is captured --- */

static struct flow *flow_of(struct test *t, enum capture_kind kind, uint16_t port)
{
	uint16_t place = t->by_port[kind][port];

	return place ? &t->flows[place - 1] : NULL;
}

/* Of an error: that of what it quotes. */
static struct flow *flow_of_packet(struct test *t, const struct packet *p, bool *outgoing)
{
	enum capture_kind kind = p->protocol == PACKET_UDP ? CAPTURE_UDP
		: p->protocol == PACKET_TCP		   ? CAPTURE_TCP
							   : CAPTURE_ECHO;
	struct packet quoted;
	struct flow *f;

	if (p->protocol == PACKET_ERROR) {
		if (packet_decode_quoted(p, &quoted))
			return NULL;
		f = flow_of_packet(t, &quoted, outgoing);
		*outgoing = false;
		return f;
	}
	*outgoing = kind == CAPTURE_ECHO ? !p->echo_reply : true;
	f = flow_of(t, kind, p->source.port);
	if (!f || (kind == CAPTURE_ECHO && p->echo_reply)) {
		*outgoing = false;
		f = flow_of(t, kind, p->destination.port);
	}
	return f;
}

static void check_time(struct test *t, struct flow *f, const struct capture_packet *c, int way)
{
	int64_t early, late;
	uint64_t now = clock_now_us();

	early = (int64_t)(way == OUT ? f->before_us : f->time_us[OUT]) - (int64_t)c->time_us;
	late = (int64_t)c->time_us - (int64_t)(way == OUT ? f->after_us : now);
	if (early > t->worst_us)
		t->worst_us = early;
	if (late > t->worst_us)
		t->worst_us = late;
	if (early > DOUBT_US || late > DOUBT_US)
		wrong(t, "port %u: %s, early by %" PRId64 " us, late by %" PRId64, f->local.port,
			way == OUT ? "out" : "in", early, late);
	f->time_us[way] = c->time_us;
}

static void on_packet(void *context, const struct capture_packet *c)
{
	struct test *t = context;
	uint8_t bytes[CAPTURE_PACKET_BYTES];
	struct packet p;
	struct flow *f;
	bool outgoing;

	t->seen++;
	if (c->packet.length > sizeof(bytes) || c->length != c->packet.length) {
		wrong(t, "%zu of %zu bytes", c->packet.length, c->length);
		return;
	}
	memcpy(bytes, c->packet.data, c->packet.length);
	if (packet_decode(bytes, c->packet.length, &p)) {
		wrong(t, "what is no packet");
		return;
	}
	if (p.protocol == PACKET_FRAGMENT) {
		t->fragments++;
		return;
	}
	f = flow_of_packet(t, &p, &outgoing);
	if (!f && t->hosts && p.protocol == PACKET_ECHO) {
		t->host_seen++;
		return;
	}
	/* a report of groups (RFC 3810), which may come at any time, has an extension header */
	if (p.protocol == PACKET_OTHER && p.ip_protocol == IPPROTO_ICMPV6) {
		t->groups++;
		return;
	}
	if (!f) {
		wrong(t, "nobody's: protocol %u, ports %u and %u", p.ip_protocol, p.source.port,
			p.destination.port);
		return;
	}
	f->seen[outgoing ? OUT : IN]++;
	/* to itself a packet only comes in */
	if ((c->direction == CAPTURE_OUT) != (outgoing && f->interface == t->interface))
		wrong(t, "port %u: direction", f->local.port);
	if (c->interface != f->interface)
		wrong(t, "port %u: interface %u and not %u", f->local.port, c->interface,
			f->interface);
	check_time(t, f, c, outgoing ? OUT : IN);
}

static bool complete(const struct test *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (int way = 0; way < WAYS; way++)
			if (t->flows[i].seen[way] < t->flows[i].wanted[way])
				return false;
	return true;
}

/* Until all is there, or time is over. */
static void read_all(struct test *t)
{
	uint64_t end = clock_now_us() + WAIT_MS * 1000;
	struct pollfd p = {.fd = capture_fd(t->capture), .events = POLLIN};

	for (;;) {
		int err = capture_read(t->capture, on_packet, t);

		if (err)
			wrong(t, "read: %s", strerror(-err));
		if (err || complete(t) || clock_now_us() > end)
			break;
		poll(&p, 1, 100);
	}
}

static void check_flows(struct test *t, const char *what)
{
	for (size_t i = 0; i < t->count; i++)
		for (int way = 0; way < WAYS; way++)
			if (t->flows[i].seen[way] != t->flows[i].wanted[way])
				wrong(t, "%s, port %u: %s, %u packets and not %u", what,
					t->flows[i].local.port, way == OUT ? "out" : "in",
					t->flows[i].seen[way], t->flows[i].wanted[way]);
}

/* --- what is sent --- */

static int open_socket(int type, int protocol, struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);
	int fd = socket(
		sockaddr_family(local->family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) ||
		getsockname(fd, (struct sockaddr *)&address, &length))
		return -1;
	*local = sockaddr_to_endpoint(&address);
	return fd;
}

/* A socket whose local port is watched from now on. */
static struct flow *add_flow(
	struct test *t, enum capture_kind kind, const struct endpoint *remote, unsigned interface)
{
	struct flow *f = &t->flows[t->count];
	int protocol = kind != CAPTURE_ECHO	? 0
		: remote->family == FAMILY_IPV4 ? IPPROTO_ICMP
						: IPPROTO_ICMPV6;
	int err;

	if (t->count == FLOWS_MAX)
		return NULL;
	*f = (struct flow){.kind = kind, .remote = *remote, .interface = interface};
	f->local.family = remote->family;
	f->fd = open_socket(kind == CAPTURE_TCP ? SOCK_STREAM : SOCK_DGRAM, protocol, &f->local);
	if (f->fd < 0)
		return NULL;
	t->by_port[kind][f->local.port] = (uint16_t)++t->count;
	err = capture_watch(t->capture, kind, f->local.port);
	if (err)
		wrong(t, "watch: %s", strerror(-err));
	return f;
}

static bool flow_send(struct flow *f, const void *data, size_t length)
{
	struct sockaddr_storage address;
	socklen_t size = sockaddr_from_endpoint(&f->remote, &address);
	ssize_t n;

	f->before_us = clock_now_us();
	n = sendto(f->fd, data, length, 0, (struct sockaddr *)&address, size);
	f->after_us = clock_now_us();
	return n == (ssize_t)length;
}

/*
 * A capture sees a packet before its socket does: were that closed now, an error would be sent, and the next test would
 * see it.
 */
static void wait_for_delivery(struct test *t, const struct flow *f)
{
	struct pollfd p = {.fd = f->fd, .events = POLLIN};
	char buffer[BYTES_MAX];

	if (poll(&p, 1, WAIT_MS) != 1 || recv(f->fd, buffer, sizeof(buffer), 0) < 0)
		wrong(t, "port %u: nothing delivered", f->local.port);
}

/* Ends what was expected up to now. */
static void forget_flows(struct test *t)
{
	for (size_t i = 0; i < t->count; i++)
		close(t->flows[i].fd);
	t->count = 0;
	memset(t->by_port, 0, sizeof(t->by_port));
}

/* Nobody watches this one. */
static void send_unwatched(struct test *t)
{
	struct flow f = {
		.remote = t->remote, .local = {.family = t->remote.family, .port = QUIET_PORT}};

	f.fd = open_socket(SOCK_DGRAM, 0, &f.local);
	if (f.fd < 0 || !flow_send(&f, "?", 1))
		wrong(t, "an unwatched socket: %s", strerror(errno));
	close(f.fd);
}

/* --- the tests --- */

/* Each socket is opened, watched and used at once; nothing is read before the last one. */
static void test_sockets(struct test *t, unsigned sockets)
{
	char text[] = "natutils";

	send_unwatched(t);
	for (unsigned i = 0; i < sockets; i++) {
		struct flow *f = add_flow(t, CAPTURE_UDP, &t->remote, t->interface);

		if (!f || !flow_send(f, text, sizeof(text))) {
			wrong(t, "socket %u: %s", i, strerror(errno));
			return;
		}
		f->wanted[OUT] = f->wanted[IN] = 1;
	}
	send_unwatched(t);
	read_all(t);
	check_flows(t, "sockets");
	for (size_t i = 0; i < t->count; i++)
		wait_for_delivery(t, &t->flows[i]);
	forget_flows(t);
}

/* Nobody listens: an ICMP error, and over TCP a RST. */
static void test_closed(struct test *t)
{
	struct sockaddr_storage address;
	struct endpoint closed = t->remote;
	struct flow *udp, *tcp;
	socklen_t length;

	closed.port++;
	length = sockaddr_from_endpoint(&closed, &address);
	udp = add_flow(t, CAPTURE_UDP, &closed, t->interface);
	tcp = add_flow(t, CAPTURE_TCP, &closed, t->interface);
	if (!udp || !tcp || !flow_send(udp, "?", 1)) {
		wrong(t, "closed: %s", strerror(errno));
		return;
	}
	tcp->before_us = clock_now_us();
	if (!connect(tcp->fd, (struct sockaddr *)&address, length) || errno != EINPROGRESS)
		wrong(t, "connect: %s", strerror(errno));
	tcp->after_us = clock_now_us();
	udp->wanted[OUT] = udp->wanted[IN] = tcp->wanted[OUT] = tcp->wanted[IN] = 1;
	read_all(t);
	check_flows(t, "closed");
	forget_flows(t);
}

static void test_fragments(struct test *t)
{
	static char data[BYTES_MAX];
	struct flow *f = add_flow(t, CAPTURE_UDP, &t->remote, t->interface);

	if (!f || !flow_send(f, data, sizeof(data))) {
		wrong(t, "fragments: %s", strerror(errno));
		return;
	}
	f->wanted[OUT] = f->wanted[IN] = 1; /* the first one, which has ports */
	t->fragments = 0;
	read_all(t);
	/* whole packets may be sent to where segmentation is done elsewhere; not so fragments of IP */
	for (int i = 0; i < 100 && t->fragments < 4; i++) {
		poll(NULL, 0, 10);
		read_all(t);
	}
	check_flows(t, "fragments");
	wait_for_delivery(t, f);
	if (t->fragments != 4)
		wrong(t, "%u later fragments", t->fragments);
	forget_flows(t);
}

/* To itself: each packet is seen once. */
static void test_loopback(struct test *t)
{
	struct endpoint self = {.family = t->remote.family};
	struct flow *a, *b;

	self.address[self.family == FAMILY_IPV4 ? 3 : 15] = 1;
	if (self.family == FAMILY_IPV4)
		self.address[0] = 127;
	self.port = QUIET_PORT;
	a = add_flow(t, CAPTURE_UDP, &self, if_nametoindex("lo"));
	b = a ? add_flow(t, CAPTURE_UDP, &self, a->interface) : NULL;
	if (b)
		a->remote.port = b->local.port;
	if (!b || !flow_send(a, "?", 1)) {
		wrong(t, "loopback: %s", strerror(errno));
		return;
	}
	a->wanted[OUT] = 1;
	read_all(t);
	check_flows(t, "loopback");
	wait_for_delivery(t, b);
	forget_flows(t);
}

/* Where the kernel lets this user send echo requests: watched, unwatched, and of a watched host. */
static void test_echo(struct test *t)
{
	const uint8_t request[16] = {t->remote.family == FAMILY_IPV4 ? 8 : 128};
	struct flow *f = add_flow(t, CAPTURE_ECHO, &t->remote, t->interface);
	struct flow other = {.remote = t->remote, .local = {.family = t->remote.family}};
	unsigned before;

	if (!f) {
		printf("not tried: echo: %s\n", strerror(errno));
		return;
	}
	do
		other.fd = open_socket(SOCK_DGRAM,
			t->remote.family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			&other.local);
	while (other.fd >= 0 && other.local.port == f->local.port);
	other.remote.port = 0;
	f->remote.port = 0;
	before = t->seen - t->groups;
	if (!flow_send(&other, request, sizeof(request)) || !flow_send(f, request, sizeof(request)))
		wrong(t, "echo: %s", strerror(errno));
	f->wanted[OUT] = f->wanted[IN] = 1;
	read_all(t);
	check_flows(t, "echo");
	if (t->seen - t->groups != before + 2)
		wrong(t, "echo: %u packets", t->seen - t->groups - before);
	if (capture_watch_host(t->capture, &t->remote))
		wrong(t, "a host cannot be watched");
	t->hosts = true;
	flow_send(&other, request, sizeof(request));
	for (int i = 0; i < 500 && t->host_seen < 2; i++) {
		poll(NULL, 0, 10);
		read_all(t);
	}
	if (t->host_seen != 2)
		wrong(t, "of a host: %u packets", t->host_seen);
	close(other.fd);
	forget_flows(t);
}

/* --- */

static int run(const struct endpoint *remote, const char *interface, unsigned sockets)
{
	struct test *t = calloc(1, sizeof(*t));
	struct capture_statistics s;
	int err, failed;

	if (!t)
		return 1;
	t->remote = *remote;
	t->interface = if_nametoindex(interface);
	err = capture_open(&t->capture);
	if (!err)
		err = privileges_drop();
	if (err) {
		free(t);
		return fail("capture", err);
	}
	test_sockets(t, sockets);
	test_closed(t);
	test_fragments(t);
	test_loopback(t);
	test_echo(t);
	/* libpcap throws one of the two copies of a loopback packet away */
	if (capture_statistics(t->capture, &s) || s.missed || s.received != t->seen + 1u)
		wrong(t, "%" PRIu64 " received, %" PRIu64 " missed, %u seen", s.received, s.missed,
			t->seen);
	printf("%u packets, times right but for %" PRId64 " us\n", t->seen, t->worst_us);
	failed = t->wrong > 0;
	capture_close(t->capture);
	free(t);
	return failed;
}

static int answer(const struct endpoint *local)
{
	struct endpoint bound = *local;
	int fd = open_socket(SOCK_DGRAM, 0, &bound);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return fail("answer", 0);
	for (;;) {
		char buffer[BYTES_MAX + 1];
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		ssize_t n;

		poll(&p, 1, -1);
		n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);
		if (n > 0)
			sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
}

static int refused(void)
{
	struct capture *c;
	uint64_t start = clock_now_us();
	int err = capture_open(&c);

	printf("%s, after %" PRIu64 " us\n", strerror(-err), clock_now_us() - start);
	return err != -EPERM;
}

static int measure(void)
{
	struct capture *c;
	uint64_t start = clock_now_us(), opened, watched, together;
	uint16_t ports[96];
	int err = capture_open(&c);

	if (err)
		return fail("capture", err);
	opened = clock_now_us();
	for (uint32_t i = 0; i < 96; i++)
		ports[i] = (uint16_t)(32768 + i * 48271 % 28232);
	for (uint32_t i = 0; i < 96 && !err; i++)
		err = capture_watch(c, CAPTURE_UDP, ports[i]);
	watched = clock_now_us();
	if (!err)
		err = capture_watch_all(c, CAPTURE_TCP, ports, 96);
	together = clock_now_us();
	capture_close(c);
	printf("open %" PRIu64 " us, 96 ports one by one %" PRIu64 " us, together %" PRIu64
	       " us, close %" PRIu64 " us\n",
		opened - start, watched - opened, together - watched, clock_now_us() - together);
	if (waitpid(-1, NULL, 0) != -1 || errno != ECHILD) {
		printf("a child is left\n");
		return 1;
	}
	return err ? fail("watch", err) : 0;
}

int main(int argc, char **argv)
{
	struct endpoint e;
	uint64_t sockets = 0, port;

	if (argc == 2 && strcmp(argv[1], "refused") == 0)
		return refused();
	if (argc == 2 && strcmp(argv[1], "measure") == 0)
		return measure();
	if (argc < 4 || number_from_text(argv[3], 1, 65534, &port) ||
		endpoint_parse(argv[2], (uint16_t)port, &e))
		return 2;
	if (argc == 4 && strcmp(argv[1], "answer") == 0)
		return answer(&e);
	if (argc != 6 || strcmp(argv[1], "run") != 0 ||
		number_from_text(argv[5], 1, FLOWS_MAX - 10, &sockets))
		return 2;
	return run(&e, argv[4], (unsigned)sockets);
}
