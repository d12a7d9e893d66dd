// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/capture.h"
#include "net/capture_clock.h"
#include "net/capture_link.h"

/*
 * In immediate mode each packet takes a slot of the same size (TPACKET_V2), with 88 bytes before it; two of them are a
 * page. libpcap counts its own header of 20 bytes into the snapshot length.
 */
#define SLOT_BYTES     2048
#define SNAPSHOT_BYTES (SLOT_BYTES - 88)
#define RING_BYTES     (4 << 20)
#define SLOTS	       (RING_BYTES / SLOT_BYTES)
#define LOOKS_MAX      5
#define LOOK_GOOD_US   20

struct capture {
	pcap_t *pcap;
	enum capture_link link;
	struct capture_filter filter;
	bool watches;
	struct capture_clock clock;
	struct pcap_stat before; /* what came before it was told to watch */
};

/* --- opening and closing --- */

static int error_of(int status)
{
	int saved = errno;

	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return -EPERM;
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return -ENODEV;
	case PCAP_ERROR_IFACE_NOT_UP:
		return -ENETDOWN;
	}
	return saved ? -saved : -EIO;
}

/* The shortest of some, since one during which another program ran tells little. */
static struct capture_clock_look look(void)
{
	struct capture_clock_look best = {0};

	for (int i = 0; i < LOOKS_MAX; i++) {
		struct capture_clock_look one = {.before_us = clock_now_us()};

		one.utc_us = clock_utc_us();
		one.after_us = clock_now_us();
		if (i == 0 || one.after_us - one.before_us < best.after_us - best.before_us)
			best = one;
		if (best.after_us - best.before_us <= LOOK_GOOD_US)
			break;
	}
	return best;
}

/* Takes effect for the next packet, at once; pcap_setfilter would throw away what waits to be read. */
static int attach(struct capture *c)
{
	struct sock_filter program[CAPTURE_PROGRAM_MAX];
	struct sock_fprog filter = {.filter = program};

	filter.len = (unsigned short)capture_filter_program(&c->filter, program);
	return setsockopt(
		       pcap_fileno(c->pcap), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter))
		? -errno
		: 0;
}

static int choose_link(struct capture *c)
{
#ifdef DLT_LINUX_SLL2
	if (!pcap_set_datalink(c->pcap, DLT_LINUX_SLL2)) {
		c->link = CAPTURE_SLL2;
		return 0;
	}
#endif
	c->link = CAPTURE_SLL;
	return pcap_datalink(c->pcap) == DLT_LINUX_SLL ? 0 : -EPROTONOSUPPORT;
}

/* What pcap_set_… is given can be refused only after activation. */
static int activate(struct capture *c)
{
	char message[PCAP_ERRBUF_SIZE];
	int status;

	c->pcap = pcap_create("any", message);
	if (!c->pcap)
		return -ENOMEM;
	pcap_set_snaplen(c->pcap, SNAPSHOT_BYTES);
	pcap_set_buffer_size(c->pcap, RING_BYTES);
	pcap_set_promisc(c->pcap, 0);
	pcap_set_immediate_mode(c->pcap, 1);
	errno = 0;
	status = pcap_activate(c->pcap);
	if (status < 0)
		return error_of(status);
	/* libpcap would hand it on to a program that this one becomes */
	if (fcntl(pcap_fileno(c->pcap), F_SETFD, FD_CLOEXEC))
		return -errno;
	return pcap_setnonblock(c->pcap, 1, message) ? error_of(PCAP_ERROR) : 0;
}

int capture_open(struct capture **out)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct capture_clock_look now = look();
	int err;

	if (!c)
		return -ENOMEM;
	err = activate(c);
	if (!err)
		err = attach(c);
	if (!err)
		err = choose_link(c);
	if (err) {
		if (c->pcap)
			pcap_close(c->pcap);
		free(c);
		return err;
	}
	capture_clock_init(&c->clock, &now);
	*out = c;
	return 0;
}

/* Everything but these two. */
static void close_others(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (low + 1 < high)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/*
 * Who closes a packet socket last waits in the kernel for three grace periods of RCU: 24 ms where the clock ticks at
 * 250 Hz, and the end of a process does so, too. That is left to one for which nobody waits; it holds the socket until
 * `released` ends.
 */
static void hold(int fd, int released)
{
	char none;

	close_others(fd, released);
	if (fork() == 0)
		while (read(released, &none, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static void close_elsewhere(pcap_t *p)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		pcap_close(p);
		return;
	}
	child = fork();
	if (child == 0)
		hold(pcap_fileno(p), ends[0]);
	/* it has ended when no copy of other descriptors is left */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	pcap_close(p);
	close(ends[0]);
	close(ends[1]);
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	close_elsewhere(c->pcap);
	free(c);
}

/* --- what gets in --- */

static void ignore(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
	(void)context;
	(void)header;
	(void)bytes;
}

/* What came between opening and the filter that lets nothing in is nobody's. */
static int forget(struct capture *c)
{
	errno = 0;
	if (pcap_dispatch(c->pcap, SLOTS, ignore, NULL) < 0 || pcap_stats(c->pcap, &c->before))
		return error_of(PCAP_ERROR);
	return 0;
}

static int widen(struct capture *c)
{
	int err = c->watches ? 0 : forget(c);

	c->watches = true;
	return err ? err : attach(c);
}

int capture_watch_all(
	struct capture *c, enum capture_kind kind, const uint16_t *ports, size_t count)
{
	bool changed = false;

	for (size_t i = 0; i < count; i++)
		changed |= capture_filter_watch(&c->filter, kind, ports[i]);
	return changed ? widen(c) : 0;
}

int capture_watch(struct capture *c, enum capture_kind kind, uint16_t port)
{
	return capture_watch_all(c, kind, &port, 1);
}

int capture_watch_host(struct capture *c, const struct endpoint *host)
{
	int changed = capture_filter_watch_host(&c->filter, host);

	return changed > 0 ? widen(c) : changed;
}

/* --- reading --- */

int capture_fd(const struct capture *c)
{
	return pcap_get_selectable_fd(c->pcap);
}

struct reading {
	struct capture *capture;
	capture_packet_fn *fn;
	void *context;
};

static void take(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct reading *r = (struct reading *)context;
	struct capture_packet packet = {0};

	if (capture_link_decode(
		    r->capture->link, (struct span){bytes, header->caplen}, header->len, &packet))
		return;
	packet.utc_us = (uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec;
	packet.time_us = capture_clock_time_us(&r->capture->clock, packet.utc_us);
	r->fn(r->context, &packet);
}

int capture_read(struct capture *c, capture_packet_fn *fn, void *context)
{
	struct reading r = {c, fn, context};
	struct capture_clock_look now = look();
	int count;

	capture_clock_look(&c->clock, &now);
	errno = 0;
	count = pcap_dispatch(c->pcap, SLOTS, c->watches ? take : ignore, (u_char *)&r);
	if (count < 0)
		return error_of(PCAP_ERROR);
	if (count < SLOTS)
		capture_clock_emptied(&c->clock);
	return 0;
}

int capture_statistics(struct capture *c, struct capture_statistics *out)
{
	struct pcap_stat now;

	*out = (struct capture_statistics){0};
	if (!c->watches)
		return 0;
	errno = 0;
	if (pcap_stats(c->pcap, &now))
		return error_of(PCAP_ERROR);
	out->received = now.ps_recv - c->before.ps_recv;
	out->missed = now.ps_drop - c->before.ps_drop;
	return 0;
}
