// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"

/*
 * IP packets as they are on the wire: IPv4 and IPv6, with UDP, TCP, ICMP and ICMPv6, and what an
 * ICMP error quotes. Decoding copies nothing and trusts nothing. Changing adjusts all checksums
 * (RFC 1624) instead of computing them anew, so that one that was wrong stays wrong.
 */

#define PACKET_BYTES_MAX 65535

enum packet_protocol {
	/*
	 * Of IP, but nothing that is known here, or quoted without 8 bytes of it, or routed on from
	 * its destination (source route, routing header), so that its checksum is over another
	 * address.
	 */
	PACKET_OTHER = 0,
	PACKET_UDP,
	PACKET_TCP,
	PACKET_ECHO, /* ICMP or ICMPv6 echo request or reply */
	PACKET_ERROR, /* ICMP or ICMPv6 error */
	PACKET_FRAGMENT, /* a fragment other than the first: it has no ports */
};

enum packet_flag {
	PACKET_FIN = 1,
	PACKET_SYN = 2,
	PACKET_RST = 4,
	PACKET_PSH = 8,
	PACKET_ACK = 16,
};

struct packet {
	uint8_t *bytes; /* the caller's */
	size_t length; /* by the IP header; bytes behind it are not part of the packet */
	enum family family;
	enum packet_protocol protocol;
	uint8_t ip_protocol; /* as numbered by IANA, behind IPv6 extension headers */
	/* port: that of UDP and TCP; the identifier of an echo on both; else 0 */
	struct endpoint source, destination;
	uint8_t ttl;
	bool dont_fragment; /* IPv4 DF; IPv6: always */
	bool more_fragments;
	uint32_t fragment_id;
	size_t fragment_offset; /* in bytes; 0: the first or only one */
	size_t transport; /* offset of the UDP, TCP or ICMP header */
	size_t payload; /* offset behind it; that of `transport` where no header is known */
	size_t payload_length; /* what is here of it, for UDP by its own length */
	uint8_t type, code; /* ICMP and ICMPv6 */
	uint32_t sequence, acknowledgment; /* TCP */
	uint16_t window;
	uint8_t flags; /* of TCP: enum packet_flag, and those that have no name here */
	bool echo_reply;
	size_t quoted; /* offset of what an ICMP error quotes; 0: nothing */
	bool cut_off; /* quoted, and the end is not here */
};

/*
 * 0, or -EBADMSG: not a whole IP packet, or a transport header that is cut off. A quoted packet is
 * decoded by packet_decode_quoted.
 */
int packet_decode(void *bytes, size_t length, struct packet *out);

/*
 * The same of a packet whose end a capture has cut off, at worst behind 8 bytes of transport header: what is not here is
 * 0, and protocol PACKET_OTHER where not even that is.
 */
int packet_decode_cut(void *bytes, size_t length, struct packet *out);

/*
 * The packet that an ICMP error quotes, which may be cut off behind 8 bytes of transport header:
 * what was not quoted is 0. What it quotes itself is not looked at. -EBADMSG: less than an IP
 * header.
 */
int packet_decode_quoted(const struct packet *error, struct packet *out);

/*
 * Whether IP header and transport checksum are right; a UDP checksum of 0 over IPv4 is. The
 * transport checksum of a fragment or of a packet that is cut off cannot be known, and counts as
 * right.
 */
bool packet_checksums_right(const struct packet *p);

/*
 * Whether the transport checksum holds the sum of the pseudo header alone: the system has left the rest to hardware, or
 * to nobody where the packet never leaves the machine.
 */
bool packet_checksum_pending(const struct packet *p);

/*
 * Changes address and port (or echo identifier, with either) and every checksum that covers them.
 * Nothing happens when the family is another; without ports only the address is changed.
 */
void packet_set_source(struct packet *p, const struct endpoint *e);
void packet_set_destination(struct packet *p, const struct endpoint *e);

/*
 * The same for what an error quotes: inner checksums as far as they are there, and the outer one.
 */
void packet_set_quoted_source(struct packet *error, const struct endpoint *e);
void packet_set_quoted_destination(struct packet *error, const struct endpoint *e);

/* The options of a TCP segment; nothing: there are none, or it is something else. */
struct span packet_tcp_options(const struct packet *p);

/* Changes the numbers of a TCP segment, and its checksum. */
void packet_set_numbers(struct packet *p, uint32_t sequence, uint32_t acknowledgment);
/* That of the TCP segment which an error quotes: inner checksum, if it is there, and outer one. */
void packet_set_quoted_sequence(struct packet *error, uint32_t sequence);

/* The checksum field of UDP, TCP or ICMP; 0: there is none, or it was not quoted. */
uint16_t packet_checksum(const struct packet *p);
/* Writes that of the packet which an error quotes, right or wrong, and adjusts the outer one. */
void packet_set_quoted_checksum(struct packet *error, uint16_t value);

/* Overwrites bytes of the payload or of these options, and the checksum; nothing beyond their end. */
void packet_replace_payload(struct packet *p, size_t offset, const void *bytes, size_t length);
void packet_replace_options(struct packet *p, size_t offset, const void *bytes, size_t length);

/*
 * One hop less; false, and nothing is changed, when it must not go on (RFC 1812 5.3.1, RFC 8200 3).
 */
bool packet_take_hop(struct packet *p);

/*
 * The next fragment of an IPv4 packet, of at most mtu bytes (RFC 791 3.2), into a buffer of the caller's.
 * *cursor starts as 0. Its length; 0: that was all; -EINVAL: IPv6, or it must not be fragmented;
 * -EMSGSIZE: not 8 bytes of it fit in mtu or buffer.
 */
int packet_fragment(
	const struct packet *p, unsigned mtu, size_t *cursor, void *buffer, size_t size);

/*
 * --- building, each into a buffer of the caller's: the length, or -EMSGSIZE when it does not fit
 * there or in PACKET_BYTES_MAX, or -EINVAL: addresses of two families, or of none ---
 */

int packet_build_udp(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, const void *payload, size_t length);

struct packet_tcp {
	uint32_t sequence, acknowledgment;
	uint8_t flags;
	uint16_t window;
};
int packet_build_tcp(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, const struct packet_tcp *tcp, const void *payload,
	size_t length);

/* An echo request or reply; the identifier is from->port. */
int packet_build_echo(void *buffer, size_t size, const struct endpoint *from,
	const struct endpoint *to, uint8_t ttl, bool reply, uint16_t sequence, const void *payload,
	size_t length);

/*
 * An ICMP error from `from` (address only) about `cause`, to its source, quoting as much of it as
 * RFC 1812 4.3.2.3 and RFC 4443 2.4 allow; mtu for "fragmentation needed" and "packet too big",
 * else 0. -ENOENT where none may be sent: about errors, broadcast and multicast, to what is not one
 * host, and over IPv4 about fragments other than the first (RFC 1122 3.2.2, RFC 4443 2.4 e).
 * -EINVAL: no type of an error.
 */
int packet_build_error(void *buffer, size_t size, const struct endpoint *from,
	const struct packet *cause, uint8_t type, uint8_t code, uint16_t mtu);

/*
 * A RST for a TCP packet, as its addressee would answer it (RFC 9293 3.5.2). -ENOENT: it has none
 * (not TCP, a RST, a fragment, or one of the addresses is not that of one host).
 */
int packet_build_reset(void *buffer, size_t size, const struct packet *cause, uint8_t ttl);
