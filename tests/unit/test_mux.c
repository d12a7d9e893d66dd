// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

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

#include "punch/mux.h"
#include "test_punch_kit.h"

/* One side's streams, and a peer that may say whatever it wants. */

#define BEGIN_US     1000000000u
#define MS	     1000u
#define SECOND	     1000000u
#define KEEPALIVE_US (15 * SECOND)
#define PATIENCE_US  (10 * SECOND)
#define NUMBERS	     (2 * MUX_STREAMS)

struct kit {
	struct mux *mux;
	struct mux_payload payload;
	uint64_t now_us, deadline_us;
	uint8_t frame[MUX_CONTROL_MAX]; /* the last one of poll */
	size_t length;
};

static void kit_with(struct kit *k, bool controlling, uint64_t keepalive_us, uint64_t patience_us)
{
	const struct mux_config c = {controlling, keepalive_us, patience_us};

	memset(k, 0, sizeof(*k));
	k->now_us = BEGIN_US;
	assert_int_equal(mux_create(&c, k->now_us, &k->mux), 0);
}

static void kit(struct kit *k)
{
	kit_with(k, true, 0, PATIENCE_US);
}

/* Of exactly this length for the sanitizer, but what it points to stays. */
static int input_bytes(struct kit *k, const uint8_t *bytes, size_t length)
{
	static uint8_t *exact;

	free(exact);
	exact = malloc(length ? length : 1);
	assert_non_null(exact);
	if (length)
		memcpy(exact, bytes, length);
	return mux_input(k->mux, k->now_us, exact, length, &k->payload);
}

static int input(struct kit *k, const char *hex)
{
	uint8_t bytes[64];

	return input_bytes(k, bytes, from_hex(hex, bytes));
}

/* So many bytes on a stream, in as few frames as there can be; what the last one gives. */
static int input_data(struct kit *k, uint16_t id, size_t length)
{
	static uint8_t bytes[3 + MUX_DATA_MAX] = {2};
	int event = MUX_NOTHING;

	bytes[1] = (uint8_t)(id >> 8);
	bytes[2] = (uint8_t)id;
	while (length && event >= 0) {
		size_t n = length < MUX_DATA_MAX ? length : MUX_DATA_MAX;

		event = input_bytes(k, bytes, 3 + n);
		length -= n;
	}
	return event;
}

static bool poll(struct kit *k)
{
	uint8_t *exact = malloc(MUX_CONTROL_MAX);
	int n;

	assert_non_null(exact);
	n = mux_poll(k->mux, k->now_us, exact, MUX_CONTROL_MAX, &k->length, &k->deadline_us);
	assert_true(n == 0 || n == 1);
	assert_true(n ? k->length && k->length <= MUX_CONTROL_MAX : !k->length);
	assert_true(n || k->deadline_us > k->now_us);
	memcpy(k->frame, exact, k->length);
	free(exact);
	return n;
}

/* The next frame. */
static void assert_polls(struct kit *k, const char *hex)
{
	uint8_t bytes[64];
	size_t length = from_hex(hex, bytes);

	assert_int_equal(poll(k), length > 0);
	assert_int_equal(k->length, length);
	assert_memory_equal(k->frame, bytes, length);
}

static uint16_t opened(struct kit *k)
{
	uint16_t id = UINT16_MAX;

	assert_int_equal(mux_open(k->mux, &id), 0);
	assert_int_equal(mux_room(k->mux, id), 0);
	assert_true(poll(k));
	assert_int_equal(k->frame[0], 1);
	assert_int_equal(mux_room(k->mux, id), MUX_DATA_MAX);
	return id;
}

/* Bytes that are sent until there is no room. */
static size_t send_all(struct kit *k, uint16_t id)
{
	static uint8_t data[MUX_DATA_MAX], out[SEALED_BYTES_MAX];
	size_t all = 0, n;

	for (; (n = mux_room(k->mux, id)); all += n)
		assert_int_equal(mux_data(k->mux, id, data, n, out, sizeof(out)), n + 3);
	return all;
}

static void assert_streams(const struct kit *k, unsigned streams, size_t windows_bytes)
{
	struct mux_statistics s = mux_statistics(k->mux);

	assert_int_equal(s.streams, streams);
	assert_int_equal(s.windows_bytes, windows_bytes);
}

/* --- frames --- */

/* As they are on the wire; data may follow the opening at once, up to the window that both know. */
static void test_frames(void **state)
{
	uint8_t out[16];
	uint16_t id;
	struct kit k;

	(void)state;
	kit(&k);
	assert_polls(&k, "");
	assert_true(k.deadline_us == UINT64_MAX);
	assert_int_equal(mux_open(k.mux, &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(mux_data(k.mux, id, "x", 1, out, sizeof(out)), -EMSGSIZE);
	assert_polls(&k, "01 0000");
	assert_int_equal(mux_data(k.mux, id, "hello", 5, out, sizeof(out)), 8);
	assert_memory_equal(out, "\2\0\0hello", 8);
	assert_int_equal(mux_data(k.mux, id, "hello", 5, out, 7), -EMSGSIZE);
	assert_int_equal(mux_data(k.mux, id, "", 0, out, sizeof(out)), -EMSGSIZE);
	assert_int_equal(send_all(&k, id), MUX_WINDOW_MIN - 5);
	assert_int_equal(mux_data(k.mux, id, "x", 1, out, sizeof(out)), -EMSGSIZE);
	assert_int_equal(input(&k, "03 0000 00000003"), MUX_ROOM);
	assert_int_equal(k.payload.id, 0);
	assert_int_equal(mux_room(k.mux, id), 3);
	assert_int_equal(mux_end(k.mux, id), 0);
	assert_int_equal(mux_room(k.mux, id), 0);
	assert_int_equal(mux_data(k.mux, id, "x", 1, out, sizeof(out)), -EPIPE);
	assert_int_equal(mux_end(k.mux, id), -EPIPE);
	assert_polls(&k, "04 0000");
	assert_int_equal(mux_end(k.mux, id), -EPIPE);
	assert_int_equal(input(&k, "03 0000 00000003"), MUX_NOTHING);
	assert_int_equal(mux_room(k.mux, id), 0);
	assert_int_equal(mux_reset(k.mux, id, 0), -EINVAL);
	assert_int_equal(mux_reset(k.mux, id, MUX_ABORTED), 0);
	assert_polls(&k, "05 0000 03");
	assert_polls(&k, "");
	assert_int_equal(mux_statistics(k.mux).sent_bytes, MUX_WINDOW_MIN);
	mux_destroy(k.mux);
	mux_destroy(NULL);
}

static void test_received(void **state)
{
	struct kit k;

	(void)state;
	kit(&k);
	assert_int_equal(input(&k, "01 0005"), MUX_OPENED);
	assert_int_equal(k.payload.id, 5);
	assert_int_equal(mux_room(k.mux, 5), MUX_DATA_MAX);
	assert_int_equal(input(&k, "02 0005 68656c6c6f"), MUX_DATA);
	assert_int_equal(k.payload.id, 5);
	assert_int_equal(k.payload.length, 5);
	assert_memory_equal(k.payload.data, "hello", 5);
	assert_int_equal(input(&k, "02 0005"), MUX_NOTHING);
	assert_int_equal(input(&k, "03 0005 00000000"), MUX_NOTHING);
	assert_int_equal(input(&k, "04 0005"), MUX_ENDED);
	assert_int_equal(k.payload.id, 5);
	assert_int_equal(input(&k, "05 0005 07"), MUX_RESET);
	assert_int_equal(k.payload.id, 5);
	assert_int_equal(k.payload.reason, 7);
	assert_polls(&k, "05 0005 00");
	assert_int_equal(mux_statistics(k.mux).received_bytes, 5);
	assert_streams(&k, 0, 0);
	mux_destroy(k.mux);
}

/* A frame is refused or ignored, with the streams 0 and 1 open; and nothing has changed after it. */
static void test_malformed(void **state)
{
	static const struct {
		const char *frame;
		int event;
	} rows[] = {
		{"", -EPROTO},
		/* what is not known yet */
		{"00", MUX_NOTHING},
		{"08", MUX_NOTHING},
		{"ff 0000 00", MUX_NOTHING},
		{"01 0003 aa", MUX_OPENED},
		{"03 0000 00000001 aa", MUX_ROOM},
		{"04 0000 aa", MUX_ENDED},
		{"05 0000 01 aa", MUX_RESET},
		{"06 0000000000000000 aa", MUX_NOTHING},
		/* cut */
		{"01", -EPROTO},
		{"01 00", -EPROTO},
		{"02 00", -EPROTO},
		{"03 0000 000001", -EPROTO},
		{"04 00", -EPROTO},
		{"05 0000", -EPROTO},
		{"06 00000000000000", -EPROTO},
		{"07 00000000000000", -EPROTO},
		/* numbers */
		{"01 0000", -EPROTO}, /* in use */
		{"01 0001", -EPROTO},
		{"01 0002", -EPROTO}, /* not the peer's */
		{"01 00ff", MUX_OPENED},
		{"01 0100", -EPROTO}, /* no number */
		{"01 0101", -EPROTO},
		{"02 0101 aa", -EPROTO},
		{"02 0002 aa", -EPROTO}, /* not open */
		{"02 0003 aa", -EPROTO},
		{"03 0003 00000001", -EPROTO},
		{"04 0003", -EPROTO},
		{"05 0003 01", -EPROTO},
		{"02 0004 aa", -EPROTO}, /* opened, but nobody has told the peer */
		{"05 0004 01", -EPROTO},
		/* windows */
		{"03 0000 fffbffff", MUX_ROOM},
		{"03 0000 fffc0000", -EPROTO},
		/* an end that is none */
		{"05 0001 00", -EPROTO},
		/* an answer to nothing */
		{"07 0000000000000000", -EPROTO},
	};
	uint16_t id;
	struct kit k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct mux_statistics before, after;

		kit(&k);
		assert_int_equal(opened(&k), 0);
		assert_int_equal(input(&k, "01 0001"), MUX_OPENED);
		assert_int_equal(opened(&k), 2);
		assert_int_equal(mux_reset(k.mux, 2, MUX_ABORTED), 0);
		assert_polls(&k, "05 0002 03");
		assert_int_equal(input(&k, "05 0002 00"), MUX_NOTHING);
		assert_int_equal(mux_open(k.mux, &id), 0);
		assert_int_equal(id, 4);
		before = mux_statistics(k.mux);
		if (input(&k, rows[i].frame) != rows[i].event)
			fail_msg("%s", rows[i].frame);
		after = mux_statistics(k.mux);
		if (rows[i].event < 0) {
			assert_int_equal(before.streams, after.streams);
			assert_int_equal(before.windows_bytes, after.windows_bytes);
			assert_int_equal(mux_room(k.mux, 0), MUX_DATA_MAX);
			assert_int_equal(mux_room(k.mux, 1), MUX_DATA_MAX);
		}
		assert_polls(&k,
			!strncmp(rows[i].frame, "06", 2) && rows[i].event >= 0
				? "07 0000000000000000"
				: "01 0004");
		mux_destroy(k.mux);
	}
}

/* --- numbers --- */

/* Each side has its own half, and there are MUX_STREAMS of both together. */
static void test_numbers(void **state)
{
	uint16_t id;
	struct kit k;

	(void)state;
	for (unsigned controlling = 0; controlling < 2; controlling++) {
		kit_with(&k, controlling, 0, PATIENCE_US);
		for (unsigned i = 0; i < MUX_STREAMS; i++) {
			assert_int_equal(opened(&k), 2 * i + !controlling);
			assert_streams(&k, i + 1, (i + 1) * (size_t)MUX_WINDOW_MIN);
		}
		assert_int_equal(mux_open(k.mux, &id), -EMFILE);
		/* of what is over a number is not free before the peer has said so */
		assert_int_equal(mux_reset(k.mux, (uint16_t)(10 + !controlling), 1), 0);
		assert_int_equal(mux_open(k.mux, &id), -EMFILE);
		assert_true(poll(&k));
		assert_int_equal(mux_open(k.mux, &id), -EMFILE);
		assert_int_equal(input(&k, controlling ? "05 000a 00" : "05 000b 00"), MUX_NOTHING);
		assert_int_equal(mux_open(k.mux, &id), 0);
		assert_int_equal(id, 10 + !controlling);
		mux_destroy(k.mux);
	}
}

/* What the peer has never heard of needs none of its words. */
static void test_never_opened(void **state)
{
	uint16_t id, other;
	struct kit k;

	(void)state;
	kit(&k);
	assert_int_equal(mux_open(k.mux, &id), 0);
	assert_int_equal(mux_reset(k.mux, id, MUX_ABORTED), 0);
	assert_streams(&k, 0, 0);
	assert_polls(&k, "");
	/* however many they are, what is due before them is not lost */
	assert_int_equal(mux_open(k.mux, &other), 0);
	assert_int_equal(other, 2);
	for (unsigned i = 0; i < 2 * NUMBERS; i++) {
		assert_int_equal(mux_open(k.mux, &id), 0);
		assert_int_equal(mux_reset(k.mux, id, MUX_ABORTED), 0);
	}
	assert_int_equal(mux_end(k.mux, other), 0);
	assert_polls(&k, "01 0002");
	assert_polls(&k, "04 0002");
	assert_polls(&k, "");
	mux_destroy(k.mux);
}

/* Too many streams are no reason to end the others; what is on its way on them is dropped. */
static void test_too_many(void **state)
{
	struct kit k;

	(void)state;
	kit(&k);
	for (unsigned i = 0; i < MUX_STREAMS - 1; i++)
		opened(&k);
	assert_int_equal(input(&k, "01 0001"), MUX_OPENED);
	assert_int_equal(mux_open(k.mux, &(uint16_t){0}), -EMFILE);
	assert_int_equal(input(&k, "01 0003"), MUX_NOTHING);
	assert_int_equal(mux_room(k.mux, 3), 0);
	assert_int_equal(mux_reset(k.mux, 3, 1), -EBADF);
	assert_int_equal(input(&k, "02 0003 aa"), MUX_NOTHING);
	assert_int_equal(input(&k, "03 0003 00000001"), MUX_NOTHING);
	assert_int_equal(input(&k, "04 0003"), MUX_NOTHING);
	assert_int_equal(input(&k, "02 0003 aa"), -EPROTO);
	assert_int_equal(input(&k, "01 0003"), -EPROTO);
	assert_polls(&k, "05 0003 01");
	assert_polls(&k, "");
	assert_streams(&k, MUX_STREAMS + 1, MUX_WINDOWS_MAX);
	assert_int_equal(input(&k, "05 0003 00"), MUX_NOTHING);
	assert_int_equal(input(&k, "05 0003 00"), -EPROTO);
	/* again, and the peer gives up before it knows */
	assert_int_equal(input(&k, "01 0003"), MUX_NOTHING);
	assert_int_equal(input(&k, "05 0003 03"), MUX_NOTHING);
	assert_int_equal(input(&k, "01 0003"), -EPROTO);
	assert_polls(&k, "05 0003 01");
	assert_int_equal(input(&k, "05 0001 03"), MUX_RESET);
	assert_int_equal(input(&k, "01 0003"), MUX_OPENED);
	mux_destroy(k.mux);
}

/* All of the peer's numbers are refused at once: there is a place for each answer. */
static void test_all_refused(void **state)
{
	uint8_t frame[] = {1, 0, 0};
	bool refused[NUMBERS] = {false};
	struct kit k;

	(void)state;
	kit(&k);
	for (unsigned i = 0; i < MUX_STREAMS; i++)
		opened(&k);
	for (unsigned i = 1; i < NUMBERS; i += 2) {
		frame[2] = (uint8_t)i;
		assert_int_equal(input_bytes(&k, frame, 3), MUX_NOTHING);
	}
	for (unsigned i = 0; i < MUX_STREAMS; i++)
		assert_int_equal(mux_reset(k.mux, (uint16_t)(2 * i), MUX_ABORTED), 0);
	while (poll(&k)) {
		assert_int_equal(k.frame[0], 5);
		assert_int_equal(k.frame[3], k.frame[2] % 2 ? MUX_TOO_MANY : MUX_ABORTED);
		assert_false(refused[k.frame[2]]);
		refused[k.frame[2]] = true;
	}
	for (unsigned i = 0; i < NUMBERS; i++)
		assert_true(refused[i]);
	assert_streams(&k, NUMBERS, 0);
	mux_destroy(k.mux);
}

/* --- ends --- */

/*
 * What happens to the stream 0, with one byte of the peer that is held: c consume, e end, r reset, p poll all;
 * D data, W window, E END, R RESET 3 and Z RESET 0 of the peer. After it: what was polled, whether the stream is still the
 * caller's, and whether the number is free.
 */
static void test_ends(void **state)
{
	static const struct {
		const char *does, *polled;
		bool live, free;
		int event; /* of the last frame of the peer */
	} rows[] = {
		{"", "", true, false, 0},
		{"cep", "4", true, false, 0},
		{"cepE", "4", false, false, MUX_ENDED},
		{"cepEp", "45", false, false, MUX_ENDED},
		{"cepEpZ", "45", false, true, MUX_NOTHING},
		{"cEep", "45", false, false, MUX_ENDED},
		{"cEepZ", "45", false, true, MUX_NOTHING},
		{"cepEZp", "45", false, true, MUX_NOTHING},
		{"cepEZ", "4", false, false, MUX_NOTHING},
		{"ceE", "", false, false, MUX_ENDED},
		{"ceEp", "45", false, false, MUX_ENDED},
		/* not before it is all consumed */
		{"epE", "4", true, false, MUX_ENDED},
		{"epEp", "4", true, false, MUX_ENDED},
		{"epEcp", "45", false, false, MUX_ENDED},
		{"epEZp", "4", true, false, MUX_NOTHING},
		{"epEZcp", "45", false, true, MUX_NOTHING},
		{"epEZcZ", "4", false, false, -EPROTO},
		{"epEZW", "4", true, false, -EPROTO},
		/* half of it goes on */
		{"epDW", "4", true, false, MUX_NOTHING},
		{"EW", "", true, false, MUX_ROOM},
		{"ED", "", true, false, -EPROTO},
		{"EE", "", true, false, -EPROTO},
		{"cEepD", "45", false, false, -EPROTO},
		{"cEepE", "45", false, false, -EPROTO},
		{"cEepW", "45", false, false, MUX_NOTHING},
		/* no end */
		{"Z", "", true, false, -EPROTO},
		{"EZ", "", true, false, -EPROTO},
		{"epZ", "4", true, false, -EPROTO},
		{"eEZ", "", true, false, -EPROTO},
		/* by the peer */
		{"R", "", false, false, MUX_RESET},
		{"Rp", "5", false, true, MUX_RESET},
		{"Rrp", "5", false, true, MUX_RESET},
		{"ER", "", false, false, MUX_RESET},
		{"eRp", "5", false, true, MUX_RESET},
		{"epRp", "45", false, true, MUX_RESET},
		{"epERp", "45", false, true, MUX_RESET},
		{"cepERp", "45", false, true, MUX_NOTHING},
		{"cepEpR", "45", false, true, MUX_NOTHING},
		{"RD", "", false, false, -EPROTO},
		{"RZ", "", false, false, -EPROTO},
		/* by the caller: what is on its way is dropped */
		{"r", "", false, false, 0},
		{"rp", "5", false, false, 0},
		{"rpDWDE", "5", false, false, MUX_NOTHING},
		{"rpED", "5", false, false, -EPROTO},
		{"erp", "5", false, false, 0},
		{"eprp", "45", false, false, 0},
		{"rpZ", "5", false, true, MUX_NOTHING},
		{"rpEZ", "5", false, true, MUX_NOTHING},
		{"rpZZ", "5", false, true, -EPROTO},
		/* by both */
		{"rpR", "5", false, true, MUX_NOTHING},
		{"rRp", "5", false, true, MUX_NOTHING},
		{"rR", "", false, false, MUX_NOTHING},
		{"rRR", "", false, false, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char polled[16] = "";
		int event = 0;
		struct kit k;

		kit(&k);
		opened(&k);
		assert_int_equal(input(&k, "02 0000 aa"), MUX_DATA);
		mux_ping(k.mux, k.now_us, 1, 0); /* none of its own is due later */
		assert_true(poll(&k));
		for (const char *c = rows[i].does; *c; c++) {
			if (*c == 'c')
				mux_consumed(k.mux, k.now_us, 0, 1);
			else if (*c == 'e')
				assert_int_equal(mux_end(k.mux, 0), 0);
			else if (*c == 'r')
				mux_reset(k.mux, 0, MUX_ABORTED);
			else if (*c == 'p')
				while (poll(&k))
					snprintf(polled + strlen(polled), 4, "%u", k.frame[0]);
			else
				event = input(&k,
					*c == 'D'	    ? "02 0000 aa"
						: *c == 'W' ? "03 0000 00000001"
						: *c == 'E' ? "04 0000"
						: *c == 'R' ? "05 0000 03"
							    : "05 0000 00");
		}
		if (strcmp(polled, rows[i].polled) || event != rows[i].event ||
			(mux_reset(k.mux, 0, 1) != -EBADF) != rows[i].live ||
			(mux_statistics(k.mux).streams == 0) != rows[i].free)
			fail_msg("%s: polled %s, event %d", rows[i].does, polled, event);
		mux_destroy(k.mux);
	}
}

/*
 * The peer gave credit after its END, and before it had ours: with the number free as soon as both have ended, that
 * would be credit for the next stream of it.
 */
static void test_late_credit(void **state)
{
	struct kit k;

	(void)state;
	kit(&k);
	opened(&k);
	assert_int_equal(mux_end(k.mux, 0), 0);
	assert_polls(&k, "04 0000");
	assert_int_equal(input(&k, "04 0000"), MUX_ENDED);
	assert_polls(&k, "05 0000 00");
	for (unsigned i = 1; i < MUX_STREAMS; i++)
		assert_int_equal(opened(&k), 2 * i);
	assert_int_equal(mux_open(k.mux, &(uint16_t){0}), -EMFILE);
	assert_int_equal(input(&k, "03 0000 00010000"), MUX_NOTHING);
	assert_int_equal(input(&k, "05 0000 00"), MUX_NOTHING);
	assert_int_equal(opened(&k), 0);
	assert_int_equal(send_all(&k, 0), MUX_WINDOW_MIN);
	mux_destroy(k.mux);
}

static void test_no_stream(void **state)
{
	static const uint16_t ids[] = {0, 1, 2, NUMBERS - 1, NUMBERS, UINT16_MAX};
	uint8_t out[8];
	struct kit k;

	(void)state;
	kit(&k);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		assert_int_equal(mux_room(k.mux, ids[i]), 0);
		assert_int_equal(mux_data(k.mux, ids[i], "x", 1, out, sizeof(out)), -EBADF);
		assert_int_equal(mux_end(k.mux, ids[i]), -EBADF);
		assert_int_equal(mux_reset(k.mux, ids[i], 1), -EBADF);
		mux_consumed(k.mux, k.now_us, ids[i], 1);
	}
	assert_polls(&k, "");
	mux_destroy(k.mux);
}

/* --- windows --- */

/* The peer may send what it knows of, and not a byte more. */
static void test_window_limits(void **state)
{
	struct kit k;

	(void)state;
	for (unsigned live = 0; live < 2; live++) {
		kit(&k);
		opened(&k);
		if (!live)
			mux_reset(k.mux, 0, MUX_ABORTED);
		assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN), live ? MUX_DATA : MUX_NOTHING);
		assert_int_equal(input_data(&k, 0, 1), -EPROTO);
		mux_destroy(k.mux);
	}
	/* what was consumed is the peer's when it is told */
	kit(&k);
	opened(&k);
	assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN), MUX_DATA);
	mux_ping(k.mux, k.now_us, 1, 0);
	assert_true(poll(&k));
	mux_consumed(k.mux, k.now_us, 0, MUX_WINDOW_MIN / 4);
	assert_int_equal(input_data(&k, 0, 1), -EPROTO);
	assert_polls(&k, "03 0000 00010000");
	assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN / 4), MUX_DATA);
	assert_int_equal(input_data(&k, 0, 1), -EPROTO);
	/* no more than has come can be consumed */
	mux_consumed(k.mux, k.now_us + SECOND, 0, SIZE_MAX);
	assert_polls(&k, "03 0000 00040000");
	mux_consumed(k.mux, k.now_us + 2 * SECOND, 0, SIZE_MAX);
	assert_polls(&k, "");
	/* nothing is given back on a stream that is left */
	assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN), MUX_DATA);
	mux_consumed(k.mux, k.now_us + 3 * SECOND, 0, SIZE_MAX);
	mux_reset(k.mux, 0, MUX_ABORTED);
	assert_polls(&k, "05 0000 03");
	assert_polls(&k, "");
	mux_destroy(k.mux);
}

/* Small bites are given back in quarters of the window. */
static void test_steps(void **state)
{
	unsigned frames = 0, given = 0;
	struct kit k;

	(void)state;
	kit(&k);
	opened(&k);
	mux_ping(k.mux, k.now_us, 1, 0);
	assert_true(poll(&k));
	for (unsigned i = 0; i < 4096; i++) { /* 4 MiB, in 410 s */
		assert_int_equal(input_data(&k, 0, 1024), MUX_DATA);
		k.now_us += 100 * MS;
		mux_consumed(k.mux, k.now_us, 0, 1024);
		while (poll(&k)) {
			assert_int_equal(k.frame[0], 3);
			given += (unsigned)(k.frame[3] << 24 | k.frame[4] << 16 | k.frame[5] << 8 |
				k.frame[6]);
			frames++;
		}
	}
	assert_int_equal(frames, 64);
	assert_int_equal(given, 4 << 20);
	assert_streams(&k, 1, MUX_WINDOW_MIN);
	/* to a peer that says no more nothing is given */
	assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN), MUX_DATA);
	assert_int_equal(input(&k, "04 0000"), MUX_ENDED);
	mux_consumed(k.mux, k.now_us, 0, MUX_WINDOW_MIN);
	assert_polls(&k, "");
	mux_destroy(k.mux);
}

static void measure(struct kit *k, uint64_t rtt_us)
{
	mux_ping(k->mux, k->now_us, 1, 0);
	assert_true(poll(k));
	assert_int_equal(k->frame[0], 6);
	k->now_us += rtt_us;
	k->frame[0] = 7;
	assert_int_equal(input_bytes(k, k->frame, MUX_CONTROL_MAX), MUX_NOTHING);
}

/* What a stream's window is after so many windows have come, one every interval, and were consumed. */
static size_t tuned(struct kit *k, uint16_t id, unsigned count, uint64_t interval_us)
{
	size_t others = mux_statistics(k->mux).windows_bytes - MUX_WINDOW_MIN,
	       window = MUX_WINDOW_MIN;

	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(input_data(k, id, window), MUX_DATA);
		mux_consumed(k->mux, k->now_us, id, window);
		while (poll(k))
			;
		k->now_us += interval_us;
		window = mux_statistics(k->mux).windows_bytes - others;
	}
	return window;
}

/* A window grows when it is consumed whole within two round trips, and only then. */
static void test_tuning(void **state)
{
	static const struct {
		uint64_t rtt_us; /* 0: not measured, taken for 100 ms */
		unsigned count;
		uint64_t interval_us;
		size_t window;
	} rows[] = {
		{0, 1, 0, MUX_WINDOW_MIN}, /* the first ends a pause */
		{0, 2, 100 * MS, 2 * MUX_WINDOW_MIN}, {0, 2, 200 * MS, 2 * MUX_WINDOW_MIN},
		{0, 20, 200 * MS + 1, MUX_WINDOW_MIN}, {0, 5, 100 * MS, 16 * MUX_WINDOW_MIN},
		{0, 6, 100 * MS, MUX_WINDOW_MAX}, {0, 20, 100 * MS, MUX_WINDOW_MAX},
		{300 * MS, 20, 600 * MS, MUX_WINDOW_MAX},
		{300 * MS, 20, 600 * MS + 1, MUX_WINDOW_MIN},
		{10 * MS, 20, 20 * MS + 1, MUX_WINDOW_MIN}, {10 * MS, 20, 10 * MS, MUX_WINDOW_MAX},
		{10 * MS, 20, 10 * SECOND, MUX_WINDOW_MIN}, /* a slow reader in large bites */
	};
	struct kit k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		kit(&k);
		opened(&k);
		if (rows[i].rtt_us)
			measure(&k, rows[i].rtt_us);
		assert_int_equal(tuned(&k, 0, rows[i].count, rows[i].interval_us), rows[i].window);
		mux_destroy(k.mux);
	}
}

/* Two round trips, wherever they begin: what was consumed long before has no part in it. */
static void test_tuning_after_pause(void **state)
{
	const size_t quarter = MUX_WINDOW_MIN / 4;
	struct kit k;

	(void)state;
	kit(&k);
	opened(&k);
	measure(&k, 100 * MS);
	for (unsigned i = 0; i < 7; i++) {
		/* the first two slowly; the third ends a pause; four more are a window */
		k.now_us += i < 3 ? 10 * SECOND : 50 * MS;
		assert_streams(&k, 1, MUX_WINDOW_MIN);
		assert_int_equal(input_data(&k, 0, quarter), MUX_DATA);
		mux_consumed(k.mux, k.now_us, 0, quarter);
		while (poll(&k))
			;
	}
	assert_streams(&k, 1, 2 * MUX_WINDOW_MIN);
	mux_destroy(k.mux);
}

/* What a larger window has more is given at once. */
static void test_growth_is_given(void **state)
{
	struct kit k;

	(void)state;
	kit(&k);
	opened(&k);
	measure(&k, 100 * MS);
	assert_int_equal(tuned(&k, 0, 1, 100 * MS), MUX_WINDOW_MIN);
	assert_int_equal(input_data(&k, 0, MUX_WINDOW_MIN), MUX_DATA);
	mux_consumed(k.mux, k.now_us, 0, MUX_WINDOW_MIN);
	assert_polls(&k, "03 0000 00080000");
	assert_int_equal(input_data(&k, 0, 2 * MUX_WINDOW_MIN), MUX_DATA);
	assert_int_equal(input_data(&k, 0, 1), -EPROTO);
	mux_destroy(k.mux);
}

/* Growth ends where all windows together are 32 MiB; what has ended leaves its part to others. */
static void test_all_windows(void **state)
{
	static const size_t windows[] = {8, 8, 8, 4, 2, 2};
	struct kit k;

	(void)state;
	kit(&k);
	for (unsigned i = 0; i < 6; i++)
		opened(&k);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(tuned(&k, (uint16_t)(2 * i), 20, 100 * MS), windows[i] << 20);
	assert_streams(&k, 6, 32u << 20);
	assert_int_equal(mux_reset(k.mux, 0, MUX_ABORTED), 0);
	assert_streams(&k, 6, 24u << 20);
	assert_polls(&k, "05 0000 03");
	assert_int_equal(opened(&k), 12);
	assert_int_equal(tuned(&k, 12, 20, 100 * MS), 8u << 20);
	/* more streams begin as all do */
	while (mux_statistics(k.mux).streams <= MUX_STREAMS - 1)
		opened(&k);
	assert_streams(&k, MUX_STREAMS, (32u << 20) + (MUX_STREAMS - 7) * MUX_WINDOW_MIN);
	mux_destroy(k.mux);
}

/* --- pings --- */

/* Answers are the first that is due, in order; more than may be without one come from nobody who keeps the rules. */
static void test_answers(void **state)
{
	char ping[32], pong[32];
	struct kit k;

	(void)state;
	kit(&k);
	assert_int_equal(mux_open(k.mux, &(uint16_t){0}), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 16; i++) {
			snprintf(ping, sizeof(ping), "06 f0e1d2c3b4a596%02x", i);
			assert_int_equal(input(&k, ping), MUX_NOTHING);
		}
		assert_int_equal(input(&k, ping), -EPROTO);
		for (unsigned i = 0; i < 16 - round; i++) { /* from another place of the ring */
			snprintf(pong, sizeof(pong), "07 f0e1d2c3b4a596%02x", i);
			assert_polls(&k, pong);
		}
		for (unsigned i = 0; i < round; i++)
			assert_true(poll(&k) && k.frame[0] == 7);
	}
	assert_polls(&k, "01 0000");
	mux_destroy(k.mux);
}

static void test_pings(void **state)
{
	uint64_t begin_us;
	struct kit k;

	(void)state;
	kit(&k);
	begin_us = k.now_us;
	mux_ping(k.mux, k.now_us, 3, SECOND);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(k.now_us, begin_us + i * SECOND);
		assert_true(poll(&k));
		assert_int_equal(k.frame[0], 6);
		assert_false(poll(&k));
		if (k.deadline_us != UINT64_MAX)
			k.now_us = k.deadline_us;
	}
	assert_true(k.deadline_us == UINT64_MAX);
	/* the second one's answer, 1.1 s after it; none to the first is to come any more */
	k.now_us += 100 * MS;
	assert_int_equal(input(&k, "07 0000000000000001"), MUX_NOTHING);
	assert_int_equal(mux_statistics(k.mux).rtt_us, 1100 * MS);
	assert_int_equal(input(&k, "07 0000000000000001"), -EPROTO);
	assert_int_equal(input(&k, "07 0000000000000000"), -EPROTO);
	assert_int_equal(input(&k, "07 0000000000000003"), -EPROTO);
	assert_int_equal(input(&k, "07 0000000100000002"), -EPROTO);
	assert_int_equal(input(&k, "07 0000000000000002"), MUX_NOTHING);
	assert_int_equal(mux_statistics(k.mux).rtt_us, 1100 * MS - 1100 * MS / 8 + 100 * MS / 8);
	assert_int_equal(mux_statistics(k.mux).rtt_min_us, 100 * MS);
	assert_int_equal(mux_statistics(k.mux).pings, 3);
	assert_int_equal(mux_statistics(k.mux).pongs, 2);
	/* no time at all is a round trip, too */
	measure(&k, 0);
	assert_int_equal(mux_statistics(k.mux).rtt_min_us, 1);
	mux_destroy(k.mux);
}

/* No more than 16 are without an answer; the next follows the first answer. */
static void test_pings_unanswered(void **state)
{
	unsigned count = 0;
	struct kit k;

	(void)state;
	kit_with(&k, true, KEEPALIVE_US, PATIENCE_US);
	mux_ping(k.mux, k.now_us, 100, 0);
	while (poll(&k))
		count++;
	assert_int_equal(count, 16);
	assert_true(k.deadline_us == UINT64_MAX);
	/* who says other things only is gone when it says nothing */
	assert_int_equal(input(&k, "08"), MUX_NOTHING);
	assert_false(poll(&k));
	assert_int_equal(k.deadline_us, k.now_us + KEEPALIVE_US);
	k.now_us = k.deadline_us;
	assert_false(poll(&k));
	assert_true(k.deadline_us == UINT64_MAX);
	assert_int_equal(mux_silent_at(k.mux), k.now_us + PATIENCE_US);
	assert_int_equal(input(&k, "07 0000000000000003"), MUX_NOTHING);
	for (count = 0; poll(&k); count++)
		assert_int_equal(k.frame[8], 16 + count);
	assert_int_equal(count, 4);
	mux_ping(k.mux, k.now_us, 0, 0);
	assert_int_equal(input(&k, "07 0000000000000013"), MUX_NOTHING);
	assert_false(poll(&k));
	mux_destroy(k.mux);
}

/* One when nothing has come for a while, and then no other until something does. */
static void test_keepalive(void **state)
{
	struct kit k;

	(void)state;
	kit_with(&k, false, KEEPALIVE_US, PATIENCE_US);
	assert_false(poll(&k));
	assert_int_equal(k.deadline_us, BEGIN_US + KEEPALIVE_US);
	assert_true(mux_silent_at(k.mux) == UINT64_MAX);
	k.now_us += 5 * SECOND;
	assert_int_equal(input(&k, "01 0000"), MUX_OPENED);
	assert_int_equal(mux_statistics(k.mux).heard_us, k.now_us);
	assert_false(poll(&k));
	assert_int_equal(k.deadline_us, k.now_us + KEEPALIVE_US);
	k.now_us = k.deadline_us - 1;
	assert_false(poll(&k));
	k.now_us++;
	assert_polls(&k, "06 0000000000000000");
	assert_int_equal(mux_silent_at(k.mux), k.now_us + PATIENCE_US);
	assert_false(poll(&k));
	assert_true(k.deadline_us == UINT64_MAX);
	/* another ping is no more patience */
	k.now_us += SECOND;
	mux_ping(k.mux, k.now_us, 1, 0);
	assert_true(poll(&k));
	assert_int_equal(mux_silent_at(k.mux), k.now_us - SECOND + PATIENCE_US);
	/* anything is a sign of life, also what nobody knows */
	k.now_us += PATIENCE_US - SECOND - 1;
	assert_int_equal(input(&k, "2a"), MUX_NOTHING);
	assert_true(mux_silent_at(k.mux) == UINT64_MAX);
	assert_false(poll(&k));
	assert_int_equal(k.deadline_us, k.now_us + KEEPALIVE_US);
	mux_destroy(k.mux);
	/* never, and without end */
	kit_with(&k, true, 0, 0);
	assert_false(poll(&k));
	assert_true(k.deadline_us == UINT64_MAX);
	mux_ping(k.mux, k.now_us, 1, 0);
	assert_true(poll(&k));
	assert_true(mux_silent_at(k.mux) == UINT64_MAX);
	mux_destroy(k.mux);
}

/* Without any ping the first consumer has one sent: windows need the round trip. */
static void test_measures(void **state)
{
	struct kit k;

	(void)state;
	for (unsigned pinged = 0; pinged < 2; pinged++) {
		kit(&k);
		opened(&k);
		if (pinged)
			measure(&k, 50 * MS);
		assert_int_equal(input_data(&k, 0, 100), MUX_DATA);
		assert_polls(&k, "");
		mux_consumed(k.mux, k.now_us, 0, 50);
		assert_polls(&k, pinged ? "" : "06 0000000000000000");
		mux_consumed(k.mux, k.now_us, 0, 50);
		assert_polls(&k, "");
		mux_destroy(k.mux);
	}
}

/* --- order --- */

/* Frames of several streams take turns: none waits for all those of another. */
static void test_turns(void **state)
{
	char order[64] = "";
	struct kit k;

	(void)state;
	kit(&k);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(mux_open(k.mux, &(uint16_t){0}), 0);
		assert_int_equal(mux_end(k.mux, (uint16_t)(2 * i)), 0);
	}
	while (poll(&k))
		snprintf(order + strlen(order), 16, "%u:%u ", k.frame[2], k.frame[0]);
	assert_string_equal(order, "0:1 2:1 4:1 0:4 2:4 4:4 ");
	mux_destroy(k.mux);
}

/* Nothing is lost to a buffer that is too small. */
static void test_small_buffer(void **state)
{
	uint8_t out[MUX_CONTROL_MAX];
	uint64_t deadline_us;
	size_t length;
	struct kit k;

	(void)state;
	kit(&k);
	mux_ping(k.mux, k.now_us, 1, 0);
	for (size_t size = 0; size < MUX_CONTROL_MAX; size++)
		assert_int_equal(
			mux_poll(k.mux, k.now_us, out, size, &length, &deadline_us), -EMSGSIZE);
	assert_polls(&k, "06 0000000000000000");
	mux_destroy(k.mux);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_never_opened),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_all_refused),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_late_credit),
		cmocka_unit_test(test_no_stream),
		cmocka_unit_test(test_window_limits),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_tuning),
		cmocka_unit_test(test_tuning_after_pause),
		cmocka_unit_test(test_growth_is_given),
		cmocka_unit_test(test_all_windows),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_pings_unanswered),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_measures),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
