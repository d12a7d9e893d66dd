// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "journal/captured.h"

/* Whole IP packets made up by hand. Endpoints are texts: "10.0.1.2:4000", "[2001:db8::2]:4000". TTL 60. */

#define KIT_BYTES 2048
#define KIT_TTL	  60

struct kit_packet {
	uint8_t bytes[KIT_BYTES];
	size_t length;
};

struct kit_packet kit_udp(const char *from, const char *to, const char *payload);
struct kit_packet kit_tcp(const char *from, const char *to, uint8_t flags);
struct kit_packet kit_echo(const char *from, const char *to, bool reply);
/* A binding message with a transaction of that number; an answer says that it came from 192.0.2.11:40000. */
struct kit_packet kit_stun(
	const char *from, const char *to, enum stun_class class, unsigned transaction);
/* An answer that names these, XOR-MAPPED-ADDRESS and MAPPED-ADDRESS; NULL: it is not there. */
struct kit_packet kit_answer(const char *from, const char *to, unsigned transaction,
	const char *mapped, const char *plain);
struct kit_packet kit_error(
	const char *from, const struct kit_packet *cause, uint8_t type, uint8_t code, uint16_t mtu);

/* The transport checksum as a system leaves it to the hardware. */
void kit_leave_checksum(struct kit_packet *p);
/* Of IPv4. */
void kit_set_ttl(struct kit_packet *p, uint8_t ttl);

/* With the next number, on interface 0. */
const struct captured *kit_take(
	struct captured_list *l, const struct kit_packet *p, enum way way, uint64_t t_us);
