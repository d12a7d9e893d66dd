// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* A capture as a file, read back: numbers, times, directions, bytes and comments are those of the descriptions. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_build.h"
#include "judge/join.h"
#include "judge/meaning.h"
#include "packet_kit.h"
#include "report/pcap.h"
#include "wire/capture_file.h"
#include "wire/frame.h"

#define HOST   "10.0.1.2:40000"
#define SERVER "203.0.113.1:3478"

static struct captured_list *make_list(void)
{
	struct captured_list *l;

	assert_int_equal(captured_create(true, &l), 0);
	captured_interface(l, 2, "eth0");
	captured_interface(l, 7, "wg0");
	l->utc_us = 1700000000000000;
	return l;
}

static void take(struct captured_list *l, struct kit_packet p, enum way way, size_t interface)
{
	const struct captured_packet packet = {.number = (uint32_t)l->count + 1,
		.t_us = 1000 * (l->count + 1),
		.interface = interface,
		.way = way,
		.ip = {p.bytes, p.length},
		.keep = true};

	assert_non_null(captured_take(l, &packet));
}

static char *write_file(const struct captured_list *l, const struct journal *j, size_t *length)
{
	char *file = NULL;
	FILE *out = open_memstream(&file, length);

	assert_non_null(out);
	assert_int_equal(report_pcap(l, j, "test (natutils)", out), 0);
	assert_int_equal(fclose(out), 0);
	return file;
}

static void check_packet(const struct captured_list *l, const struct journal *j,
	const struct captured *c, const struct capture_file_packet *p)
{
	char meaning[MEANING_TEXT];
	struct frame frame;

	meaning_text(j, c, meaning);
	assert_int_equal(p->number, c->number);
	assert_int_equal(p->t_us, c->t_us + l->utc_us);
	assert_int_equal(p->direction,
		c->way == WAY_OUT	   ? PCAPNG_OUTBOUND
			: c->way == WAY_IN ? PCAPNG_INBOUND
					   : PCAPNG_UNKNOWN);
	assert_string_equal(p->interface->name,
		l->interfaces[c->interface < l->interface_count ? c->interface : 0].name);
	assert_int_equal(frame_decode(p->interface->link_type, p->bytes, &frame), 0);
	assert_int_equal(frame.packet.length, c->bytes);
	assert_memory_equal(frame.packet.data, l->kept + c->bytes_at, c->bytes);
	assert_int_equal(p->comment.length, strlen(meaning));
	assert_memory_equal(p->comment.data, meaning, p->comment.length);
}

/* All of the file; the number of packets. */
static size_t check_file(const struct captured_list *l, const struct journal *j)
{
	static struct capture_file f;
	size_t length, at = 0, used, count = 0;
	char *file = write_file(l, j, &length);
	struct capture_file_packet p;
	int result;

	capture_file_init(&f);
	do {
		const struct span rest = {(const uint8_t *)file + at, length - at};

		result = capture_file_next(&f, rest, &used, &p);
		if (result > 0)
			check_packet(l, j, captured_find(l, ++count), &p);
		at += used;
	} while (result > 0);
	assert_int_equal(result, 0);
	assert_int_equal(capture_file_end(&f, length - at), 0);
	free(file);
	return count;
}

static void holds_what_was_kept(void **state)
{
	const struct kit_packet ask = kit_stun(HOST, SERVER, STUN_REQUEST, 1);
	struct captured_list *l = make_list();

	(void)state;
	take(l, ask, WAY_OUT, 0);
	take(l, kit_stun(SERVER, HOST, STUN_SUCCESS, 1), WAY_IN, 1);
	take(l, kit_error("10.0.1.1", &ask, 3, 13, 0), WAY_IN, 1);
	take(l, kit_udp("[2001:db8::1]:1", "[2001:db8::2]:2", "x"), WAY_UNKNOWN, CAPTURED_NONE);
	join_alone(l);
	assert_int_equal(check_file(l, NULL), 4);
	captured_destroy(l);
}

/* With a journal each packet says which question it belongs to. */
static void tells_the_question(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j), length;
	struct endpoint to = build_target(j, server, false, false);
	struct captured_list *l = make_list();
	char *file;

	(void)state;
	build_ask(j, QUESTION_BINDING, server, BUILD_SOCKET, &to, &to, 0);
	strcpy(j->servers[server].name, "stun.example.net");
	take(l, kit_stun(HOST, SERVER, STUN_REQUEST, 1), WAY_OUT, 0);
	take(l, kit_stun(HOST, SERVER, STUN_REQUEST, 1), WAY_OUT, 0);
	join_journal(l, j);
	assert_int_equal(check_file(l, j), 2);
	file = write_file(l, j, &length);
	assert_non_null(memmem(
		file, length, "binding of stun.example.net: request, copy 2 of 2, no answer", 60));
	free(file);
	captured_destroy(l);
	journal_destroy(j);
}

/* A capture without a packet is a file all the same. */
static void may_be_empty(void **state)
{
	struct captured_list *l;

	(void)state;
	assert_int_equal(captured_create(true, &l), 0);
	assert_int_equal(check_file(l, NULL), 0);
	captured_destroy(l);
}

/* What was described and had no room is not in the file, and nothing behind it. */
static void ends_where_room_ended(void **state)
{
	struct captured_list *l = make_list();

	(void)state;
	take(l, kit_stun(HOST, SERVER, STUN_REQUEST, 1), WAY_OUT, 0);
	l->full = true;
	take(l, kit_stun(HOST, SERVER, STUN_REQUEST, 2), WAY_OUT, 0);
	join_alone(l);
	assert_int_equal(check_file(l, NULL), 1);
	captured_destroy(l);
}

static void tells_a_full_disk(void **state)
{
	FILE *full = fopen("/dev/full", "we");
	struct captured_list *l = make_list();

	(void)state;
	if (!full)
		skip();
	setbuf(full, NULL);
	take(l, kit_stun(HOST, SERVER, STUN_REQUEST, 1), WAY_OUT, 0);
	assert_int_equal(report_pcap(l, NULL, "test", full), -EIO);
	fclose(full);
	captured_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_kept),
		cmocka_unit_test(tells_the_question),
		cmocka_unit_test(may_be_empty),
		cmocka_unit_test(ends_where_room_ended),
		cmocka_unit_test(tells_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
