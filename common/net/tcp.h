// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/endpoint.h"
#include "journal/journal.h"
#include "net/udp.h"
#include "wire/syn.h"

/* TCP connections, non-blocking and close-on-exec. */

/*
 * Begins to connect, from the address `local` if it is not NULL and of the same family; interface as in udp_open. 0 with the descriptor in *fd, which becomes writable when
 * the attempt is over; or a negative errno when it is over at once.
 */
int tcp_connect_start(
	const struct endpoint *to, const struct endpoint *local, const char *interface, int *fd);

/* How the attempt ended: 0 connected, or a negative errno. */
int tcp_connect_result(int fd);

/* Segments without data that have come in, of which two SYNs that crossed make two; 0: the kernel does not tell. */
unsigned tcp_segments_in(int fd);

/* --- several sockets on one local port --- */

/*
 * A socket that is bound to local, with SO_REUSEADDR and SO_REUSEPORT, so that others of this kind can have the same
 * port, to connect or to listen; port 0 lets the kernel choose. interface as in udp_open.
 */
int tcp_bind(const struct endpoint *local, const char *interface, int *fd);

/* Begins to connect; as tcp_connect_start. */
int tcp_begin_connect(int fd, const struct endpoint *to);

/*
 * Whether ICMP errors can be had with udp_receive_error, which is how they are told from a RST. Only until it is
 * connected: from then on each of them would look like the end of the connection.
 */
int tcp_want_errors(int fd, enum family family, bool wanted);

/* So many SYNs at most, from 1 on; otherwise Linux sends seven in 63 s. */
int tcp_limit_syns(int fd, unsigned syns);

/*
 * For the next tcp_begin_connect, over IPv4: its first SYN has this TTL, and ICMP errors for that do not end it; nor is
 * anything taken that comes with this TTL or a lower one. 0: the usual TTL again, also of SYNs that are repeated. 0, or
 * a negative errno: all is as before.
 */
int tcp_unheed(int fd, uint8_t ttl);
/* Takes whatever comes again. */
void tcp_heed(int fd);

/* Whether an attempt to connect has not ended yet, with or without success. */
bool tcp_is_connecting(int fd);

/* Whether a connection stands: an ICMP error makes a call fail, and does not end it. */
bool tcp_is_established(int fd);

/* What is written goes out at once, also while something before it is not acknowledged (RFC 896). */
int tcp_no_delay(int fd);

/* Whether nothing comes any more beyond what can be read now. */
bool tcp_has_ended(int fd);

/* Who is at the other end. */
int tcp_peer(int fd, struct endpoint *out);

/* Readable only when so many bytes are there, or the end. */
int tcp_expect(int fd, size_t bytes);

/*
 * For a stream of any bytes: what is written goes out at once; and it ends with ETIMEDOUT when the other end's kernel has not
 * acknowledged something for so long; 0: for as long as the kernel tries.
 */
int tcp_prepare_stream(int fd, unsigned timeout_ms);

/*
 * As a socket is that nothing was set of, for a program that does not expect otherwise: such a timeout also ends a
 * connection that is as it should be, but whose reader takes nothing for so long.
 */
void tcp_forget_stream(int fd);

/* Closes with a RST, so that nothing is left in the kernel. */
void tcp_reset(int fd);

int tcp_begin_listen(int fd);

/* A socket that listens there and shares the port with nobody: 0, or a negative errno. */
int tcp_listen(const struct endpoint *local, int *fd);

/*
 * The same, but this system drops what comes there, and says nothing: neither does a connection come about, nor is
 * one refused. Only a neighbour whose packets begin with a TTL of 255 gets through.
 */
int tcp_listen_silent(const struct endpoint *local, int *fd);

/* The next connection of a listening socket: its descriptor in *out; -EAGAIN when none waits. */
int tcp_accept(int fd, struct endpoint *from, int *out);

/* --- what is known of SYNs --- */

/* A socket that will listen keeps the SYNs of its connections, as far as the kernel can (Linux 4.2). */
void tcp_save_syns(int fd);

/* The SYN of an accepted connection, once. 0; -ENODATA: it was not kept, or was asked for before. */
int tcp_saved_syn(int fd, struct syn *out);

/* Bytes that have come over a connection without a gap, whether or not they were read. 0 or a negative errno. */
int tcp_received(int fd, uint64_t *bytes);

/* The options of the SYN-ACK that an accepted connection was answered with. 0 or a negative errno. */
int tcp_answered(int fd, struct syn_options *out);

/* What this system puts into each SYN. */
struct tcp_habits {
	uint8_t known; /* enum syn_option of which `sent` says whether they are there */
	uint8_t sent;
	bool probes_mtu; /* segments are small until larger ones have been tried (RFC 4821), or it is not known */
};
void tcp_learn_habits(struct tcp_habits *out);

/* For what this socket will send. 0 or a negative errno. */
int tcp_set_ttl(int fd, enum family family, uint8_t ttl);

/* The MSS in the SYN of a socket that connects or is connected; 0: not known. */
uint16_t tcp_sent_mss(int fd);

/* All of a handshake but its TTL. mss: what tcp_sent_mss has said when the SYN was sent. */
void tcp_describe(int fd, const struct tcp_habits *habits, uint16_t mss, struct handshake *out);

/*
 * Takes one ICMP error off the queue of a socket that has connected from `local` to `to` with tcp_want_errors. 0, and
 * whether it quotes our SYN, with the sequence number: Linux shows that since 5.8, and has checked that it is its own
 * (tcp_v4_err). -EAGAIN: none waits.
 */
int tcp_receive_error(int fd, const struct endpoint *local, const struct endpoint *to,
	struct udp_error *out, bool *quoted, uint32_t *sequence);
