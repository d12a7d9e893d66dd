// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* more of struct tcp_info than the C library's */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/sockaddr.h"
#include "net/tcp.h"

#define BACKLOG	      16
#define HEADERS_BYTES 256 /* of IP and TCP */
#define BACKLOG_LOCAL 128 /* of programs that open many at once */

/* of the kernel's enum, which its header keeps for itself */
#define ESTABLISHED  1
#define SYN_SENT     2
#define SYN_RECEIVED 3

/* What timestamps take in each segment, filled up (RFC 7323 appendix A). */
#define TIMESTAMPS_BYTES 12

static int bind_address(int fd, const struct endpoint *local)
{
	struct sockaddr_storage address;
	struct endpoint e = *local;
	socklen_t length;

	e.port = 0;
	length = sockaddr_from_endpoint(&e, &address);
	return bind(fd, (struct sockaddr *)&address, length) ? -errno : 0;
}

int tcp_connect_start(
	const struct endpoint *to, const struct endpoint *local, const char *interface, int *fd)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(to, &address);
	int err = 0;

	*fd = socket(sockaddr_family(to->family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	if (interface &&
		setsockopt(
			*fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)))
		err = -errno;
	if (!err && local && local->family == to->family)
		err = bind_address(*fd, local);
	if (!err && connect(*fd, (struct sockaddr *)&address, length) && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

int tcp_connect_result(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return -errno;
	return -error;
}

unsigned tcp_segments_in(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ||
		length < offsetof(struct tcp_info, tcpi_data_segs_in) +
				sizeof(info.tcpi_data_segs_in)) /* Linux before 4.6 */
		return 0;
	return info.tcpi_segs_in - info.tcpi_data_segs_in;
}

static int bind_shared(int fd, const struct endpoint *local, const char *interface)
{
	static const int on = 1;
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);

	if (local->family == FAMILY_IPV6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		return -errno;
	if (interface &&
		setsockopt(
			fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)))
		return -errno;
	return bind(fd, (struct sockaddr *)&address, length) ? -errno : 0;
}

int tcp_bind(const struct endpoint *local, const char *interface, int *fd)
{
	int err;

	*fd = socket(sockaddr_family(local->family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	err = bind_shared(*fd, local, interface);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

int tcp_begin_connect(int fd, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(to, &address);

	return connect(fd, (struct sockaddr *)&address, length) && errno != EINPROGRESS ? -errno
											: 0;
}

int tcp_want_errors(int fd, enum family family, bool wanted)
{
	if (family == FAMILY_IPV6)
		return set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, wanted);
	return set_int(fd, IPPROTO_IP, IP_RECVERR, wanted);
}

int tcp_limit_syns(int fd, unsigned syns)
{
	return set_int(fd, IPPROTO_TCP, TCP_SYNCNT, syns > 1 ? (int)syns - 1 : 1);
}

int tcp_unheed(int fd, uint8_t ttl)
{
	/* Linux compares it with the TTL of what an ICMP error quotes, too (tcp_v4_err), and that has not grown */
	int err = ttl ? set_int(fd, IPPROTO_IP, IP_MINTTL, ttl + 1) : 0;

	return err ? err : set_int(fd, IPPROTO_IP, IP_TTL, ttl ? ttl : -1);
}

void tcp_heed(int fd)
{
	(void)set_int(fd, IPPROTO_IP, IP_MINTTL, 0);
}

bool tcp_is_connecting(int fd)
{
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t length = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) &&
		(info.tcpi_state == SYN_SENT || info.tcpi_state == SYN_RECEIVED);
}

bool tcp_is_established(int fd)
{
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t length = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) &&
		info.tcpi_state == ESTABLISHED;
}

int tcp_no_delay(int fd)
{
	return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

bool tcp_has_ended(int fd)
{
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t length = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ||
		(info.tcpi_state != ESTABLISHED && info.tcpi_state != SYN_RECEIVED);
}

int tcp_peer(int fd, struct endpoint *out)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &length))
		return -errno;
	*out = sockaddr_to_endpoint(&address);
	return 0;
}

int tcp_expect(int fd, size_t bytes)
{
	return set_int(fd, SOL_SOCKET, SO_RCVLOWAT, bytes ? (int)bytes : 1);
}

int tcp_prepare_stream(int fd, unsigned timeout_ms)
{
	int err = tcp_expect(fd, 1);

	if (!err)
		err = tcp_no_delay(fd);
	return err ? err : set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)timeout_ms);
}

void tcp_forget_stream(int fd)
{
	(void)tcp_prepare_stream(fd, 0);
	(void)set_int(fd, IPPROTO_TCP, TCP_NODELAY, 0);
}

void tcp_reset(int fd)
{
	const struct linger reset = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

int tcp_begin_listen(int fd)
{
	return listen(fd, BACKLOG) ? -errno : 0;
}

/* No packet that a router has passed on has this TTL. A filter that drops all would need CAP_NET_ADMIN. */
static int drop_all(int fd, enum family family)
{
	if (family == FAMILY_IPV6)
		return set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, UINT8_MAX);
	return set_int(fd, IPPROTO_IP, IP_MINTTL, UINT8_MAX);
}

static int listen_at(const struct endpoint *local, bool silent, int *fd)
{
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from_endpoint(local, &address);
	int err = 0;

	*fd = socket(sockaddr_family(local->family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	/* connections of an earlier run may linger there */
	err = set_int(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && local->family == FAMILY_IPV6)
		err = set_int(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!err && silent)
		err = drop_all(*fd, local->family);
	if (!err && (bind(*fd, (struct sockaddr *)&address, length) || listen(*fd, BACKLOG_LOCAL)))
		err = -errno;
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

int tcp_listen(const struct endpoint *local, int *fd)
{
	return listen_at(local, false, fd);
}

int tcp_listen_silent(const struct endpoint *local, int *fd)
{
	return listen_at(local, true, fd);
}

int tcp_accept(int fd, struct endpoint *from, int *out)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	*out = accept4(fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (*out < 0)
		return -errno;
	*from = sockaddr_to_endpoint(&address);
	return 0;
}

void tcp_save_syns(int fd)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_SAVE_SYN, 1);
}

int tcp_saved_syn(int fd, struct syn *out)
{
	uint8_t headers[HEADERS_BYTES];
	socklen_t length = sizeof(headers);

	if (getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, headers, &length))
		return -errno;
	return length ? syn_decode(headers, length, out) : -ENODATA;
}

/* All bytes that the kernel does not know are 0. */
static int read_info(int fd, struct tcp_info *info)
{
	socklen_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) ? -errno : 0;
}

static uint8_t agreed(const struct tcp_info *info)
{
	unsigned o = info->tcpi_options;

	return (uint8_t)((o & TCPI_OPT_TIMESTAMPS ? SYN_TIMESTAMPS : 0) |
		(o & TCPI_OPT_SACK ? SYN_SACK : 0) | (o & TCPI_OPT_WSCALE ? SYN_SCALE : 0));
}

/*
 * The MSS that was in our SYN: Linux keeps it, and when timestamps were agreed on takes off what they need
 * (tcp_rcv_synsent_state_process, tcp_rcv_state_process).
 */
static uint16_t advertised(const struct tcp_info *info)
{
	bool open = info->tcpi_state != SYN_SENT && info->tcpi_state != SYN_RECEIVED;
	uint32_t mss = info->tcpi_advmss;

	if (mss && open && info->tcpi_options & TCPI_OPT_TIMESTAMPS)
		mss += TIMESTAMPS_BYTES;
	return mss <= UINT16_MAX ? (uint16_t)mss : 0;
}

int tcp_received(int fd, uint64_t *bytes)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		return -errno;
	if (length < offsetof(struct tcp_info, tcpi_bytes_received) +
			sizeof(info.tcpi_bytes_received)) /* Linux before 4.1 */
		return -ENOSYS;
	*bytes = info.tcpi_bytes_received;
	return 0;
}

int tcp_answered(int fd, struct syn_options *out)
{
	struct tcp_info info;
	int err = read_info(fd, &info);

	if (err)
		return err;
	if (info.tcpi_state == SYN_RECEIVED)
		return -ENOTCONN;
	/* who accepts offers what it has been offered, and nothing else */
	out->has = agreed(&info);
	out->scale = out->has & SYN_SCALE ? info.tcpi_rcv_wscale : 0;
	out->mss = advertised(&info);
	if (out->mss)
		out->has |= SYN_MSS;
	return 0;
}

int tcp_receive_error(int fd, const struct endpoint *local, const struct endpoint *to,
	struct udp_error *out, bool *quoted, uint32_t *sequence)
{
	uint8_t header[HEADERS_BYTES];
	struct reader r;
	int err = udp_receive_error(fd, header, sizeof(header), out);

	if (err)
		return err;
	r = reader_over(header, out->quoted);
	*quoted = reader_u16(&r) == local->port && reader_u16(&r) == to->port;
	*sequence = reader_u32(&r);
	*quoted &= !r.failed;
	return 0;
}

/* The number that a sysctl of this network namespace begins with, from 0 to 9; -1: it cannot be read. */
static int read_sysctl(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char digit = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, &digit, 1);
	close(fd);
	return n == 1 && digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

void tcp_learn_habits(struct tcp_habits *out)
{
	static const struct {
		enum syn_option option;
		const char *path;
	} options[] = {
		{SYN_TIMESTAMPS, "/proc/sys/net/ipv4/tcp_timestamps"},
		{SYN_SACK, "/proc/sys/net/ipv4/tcp_sack"},
		{SYN_SCALE, "/proc/sys/net/ipv4/tcp_window_scaling"},
	};
	int probing = read_sysctl("/proc/sys/net/ipv4/tcp_mtu_probing");

	*out = (struct tcp_habits){.probes_mtu = probing != 0 && probing != 1};
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		int value = read_sysctl(options[i].path);

		if (value < 0)
			continue;
		out->known |= (uint8_t)options[i].option;
		out->sent |= (uint8_t)(value ? options[i].option : 0);
	}
}

int tcp_set_ttl(int fd, enum family family, uint8_t ttl)
{
	if (family == FAMILY_IPV6)
		return set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
	return set_int(fd, IPPROTO_IP, IP_TTL, ttl);
}

uint16_t tcp_sent_mss(int fd)
{
	struct tcp_info info;

	return read_info(fd, &info) ? 0 : advertised(&info);
}

void tcp_describe(int fd, const struct tcp_habits *habits, uint16_t mss, struct handshake *out)
{
	struct tcp_info info;
	uint32_t segment;

	memset(out, 0, sizeof(*out));
	out->known = habits->known;
	out->sent.has = habits->sent;
	out->probes_mtu = habits->probes_mtu;
	if (read_info(fd, &info))
		return;
	/* another number than before: another SYN may have been sent meanwhile */
	if (mss && mss == advertised(&info)) {
		out->known |= SYN_MSS;
		out->sent.has |= SYN_MSS;
		out->sent.mss = mss;
	}
	out->told = true;
	out->agreed = agreed(&info);
	if (out->agreed & SYN_SCALE) {
		out->sent.scale = info.tcpi_rcv_wscale;
		out->peer_scale = info.tcpi_snd_wscale;
	}
	segment = info.tcpi_snd_mss;
	out->segment_bytes = segment <= UINT16_MAX ? (uint16_t)segment : 0;
	out->path_mtu = info.tcpi_pmtu;
	out->window = info.tcpi_snd_wnd; /* Linux 5.4 */
}
