// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tools/punch/stdio.h"

#define BLOCK_BYTES 1000
#define BLOCKS	    200 /* more than a pipe holds */
#define PATIENCE_S  10 /* until a test fails that waits for a reader */

struct kit {
	int reader, saved; /* standard output */
	bool stuck;
	uint8_t block[BLOCK_BYTES];
};

/* Standard output is a pipe until it is restored, so that nothing may fail before that. */
static void redirect(struct kit *k)
{
	int ends[2];

	*k = (struct kit){.block = {'x'}};
	assert_int_equal(pipe(ends), 0);
	k->reader = ends[0];
	fcntl(k->reader, F_SETFL, O_NONBLOCK);
	k->saved = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	alarm(PATIENCE_S);
}

static void restore(struct kit *k)
{
	alarm(0);
	dup2(k->saved, STDOUT_FILENO);
	close(k->saved);
	close(k->reader);
}

/* How many whole blocks there are; -1: a part of one. */
static int read_blocks(struct kit *k)
{
	uint8_t data[BLOCK_BYTES];
	ssize_t n;
	int count = 0;

	while ((n = read(k->reader, data, sizeof(data))) == BLOCK_BYTES)
		count++;
	return n > 0 ? -1 : count;
}

/* Nobody is waited for, what is written is whole, and when it is read more can come. */
static void test_nobody_reads(void **state)
{
	int wrong = 0, before, after;
	struct kit k;

	(void)state;
	redirect(&k);
	for (int i = 0; i < BLOCKS; i++)
		wrong += stdio_write(k.block, sizeof(k.block), &k.stuck) != 0;
	before = read_blocks(&k);
	wrong += stdio_write(k.block, sizeof(k.block), &k.stuck) != 0;
	after = read_blocks(&k);
	restore(&k);
	assert_int_equal(wrong, 0);
	assert_in_range(before, 1, BLOCKS - 1);
	assert_int_equal(after, 1);
	assert_false(k.stuck);
}

static void test_reader_gone(void **state)
{
	struct kit k;
	int err;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	redirect(&k);
	close(k.reader);
	err = stdio_write(k.block, sizeof(k.block), &k.stuck);
	k.reader = -1;
	restore(&k);
	assert_int_equal(err, -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
