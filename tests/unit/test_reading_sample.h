// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdlib.h>

#include "packet_kit.h"
#include "report/document_reading.h"

/* Foreign captures made up by hand, with their documents. Include after cmocka.h. */

struct reading_sample {
	struct captured_list *l; /* NULL: nothing could be read */
	struct reading reading;
	struct reading_flow *flows;
	struct reading_file file;
	uint64_t us;
};

static inline void reading_sample_begin(struct reading_sample *s)
{
	*s = (struct reading_sample){.us = 1700000000000000,
		.file = {.name = "x.pcapng",
			.other = 3,
			.malformed = 2,
			.passed_over = 1,
			.cut_off = true}};
	assert_int_equal(captured_create(false, &s->l), 0);
	captured_interface(s->l, 2, "eth0");
	s->flows = calloc(READING_FLOWS, sizeof(*s->flows));
	assert_non_null(s->flows);
}

static inline void reading_sample_end(struct reading_sample *s)
{
	captured_destroy(s->l);
	free(s->flows);
}

/* A millisecond after the one before. */
static inline void reading_sample_put(struct reading_sample *s, struct kit_packet p, enum way way)
{
	if (!s->file.begin_us)
		s->file.begin_us = s->us;
	s->file.end_us = s->us;
	s->file.packets++;
	kit_take(s->l, &p, way, s->us);
	s->us += 1000;
}

static inline json_t *reading_sample_document(struct reading_sample *s, bool all)
{
	const struct report_run run = {.tool = "natprobe",
		.version = "0.1.0",
		.time = "2026-11-20T10:00:00.123Z",
		.duration_ms = 1.5,
		.complete = true};
	const struct reading_facts facts = {
		.file = &s->file, .list = s->l, .reading = s->l ? &s->reading : NULL, .all = all};
	json_t *d;

	if (s->l)
		reading_judge(s->l, s->flows, &s->reading);
	d = reading_document(&run, &facts);
	assert_non_null(d);
	return d;
}

/* A flow of each state but one, and STUN. */
static inline void reading_sample_mixed(struct reading_sample *s)
{
	const struct kit_packet refused = kit_udp("10.0.1.2:40002", "203.0.113.3:9", "x");

	reading_sample_put(s, kit_udp("10.0.1.2:50000", "198.51.100.9:53", "query"), WAY_OUT);
	reading_sample_put(
		s, kit_stun("10.0.1.2:40000", "203.0.113.1:3478", STUN_REQUEST, 1), WAY_OUT);
	reading_sample_put(
		s, kit_stun("203.0.113.1:3478", "10.0.1.2:40000", STUN_SUCCESS, 1), WAY_IN);
	reading_sample_put(s, kit_udp("10.0.1.2:40001", "203.0.113.2:9", "x"), WAY_OUT);
	reading_sample_put(s, kit_udp("10.0.1.2:40001", "203.0.113.2:9", "x"), WAY_OUT);
	reading_sample_put(s, refused, WAY_OUT);
	reading_sample_put(s, kit_error("192.0.2.1", &refused, 3, 13, 0), WAY_IN);
	reading_sample_put(s, kit_tcp("10.0.1.2:40003", "203.0.113.4:80", PACKET_SYN), WAY_OUT);
	reading_sample_put(
		s, kit_tcp("203.0.113.4:80", "10.0.1.2:40003", PACKET_RST | PACKET_ACK), WAY_IN);
	reading_sample_put(s, kit_udp("203.0.113.5:9", "10.0.1.2:40004", "x"), WAY_IN);
	reading_sample_put(s, kit_udp("198.51.100.9:53", "10.0.1.2:50000", "answer"), WAY_IN);
}

/* A NAT that gives each destination another port, and lets in others. */
static inline void reading_sample_dependent(struct reading_sample *s)
{
	static const char *const servers[] = {"203.0.113.1:3478", "203.0.113.2:3478"};
	static const char *const mapped[] = {"192.0.2.11:7", "192.0.2.11:8"};

	for (unsigned i = 0; i < 2; i++) {
		reading_sample_put(
			s, kit_stun("10.0.1.2:40000", servers[i], STUN_REQUEST, i), WAY_OUT);
		reading_sample_put(
			s, kit_answer(servers[i], "10.0.1.2:40000", i, mapped[i], NULL), WAY_IN);
	}
	reading_sample_put(s, kit_stun("10.0.1.2:40000", servers[0], STUN_REQUEST, 9), WAY_OUT);
	reading_sample_put(
		s, kit_answer("203.0.113.9:1", "10.0.1.2:40000", 9, mapped[0], NULL), WAY_IN);
}
