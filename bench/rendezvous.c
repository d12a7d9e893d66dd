// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * rendezvous [SESSIONS]: the rendezvous of natprobed without its sockets: so many sessions wait, each from a
 * source of its own; what one takes, how many join in a second, and how long it takes to pair two, against the same
 * with hundred sessions. What is timed is the whole way from a message to its answer.
 */

#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "server/rendezvous.h"
#include "server/store_memory.h"

#define SESSIONS      100000u
#define SESSIONS_FEW  100u
#define SESSIONS_MAX  200000u
#define SLOT_BYTES    300u
#define PAIRINGS      20000u
#define START_US      1000000000u
#define MESSAGE_BYTES 512

struct bench {
	struct store *store;
	struct rendezvous *r;
	struct rendezvous_output out;
	uint32_t sessions;
	uint64_t join_ns; /* of all */
	size_t resident; /* before anybody came */
	uint64_t pairing_ns[PAIRINGS];
};

/* A party of a session: its message, and where it comes from. */
struct party {
	struct endpoint from;
	uint8_t bytes[MESSAGE_BYTES];
	size_t length;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t resident_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%lu %lu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void fail(const char *what)
{
	fprintf(stderr, "rendezvous: %s\n", what);
	exit(3);
}

/* Another address for everybody, so that nobody is over a quota and the table of sources is as large as can be. */
static struct endpoint address_of(uint32_t session, unsigned place)
{
	struct endpoint e = {.family = FAMILY_IPV4, .port = (uint16_t)(1024 + session % 60000)};
	uint32_t address = (place ? 0x30000000u : 0x20000000u) + session;

	for (unsigned i = 0; i < 4; i++)
		e.address[i] = (uint8_t)(address >> (24 - 8 * i));
	return e;
}

static void encode(struct party *p, uint16_t method, uint32_t session, unsigned place,
	const uint8_t *cookie, size_t cookie_length)
{
	static const uint8_t slot[SLOT_BYTES];
	struct rendezvous_message m = {.class = STUN_REQUEST, .method = method};
	int length;

	p->from = address_of(session, place);
	memcpy(m.id.bytes, "\x21\x12\xa4\x42", 4);
	m.has_session = m.has_party = true;
	rendezvous_session_of((const char *)&session, sizeof(session), m.session);
	memcpy(m.party, m.session, sizeof(m.party));
	m.party[0] ^= (uint8_t)(place + 1);
	m.cookie = (struct span){cookie, cookie_length};
	m.has_slot = method == RENDEZVOUS_JOIN;
	m.slot_version = 1;
	m.slot = (struct span){slot, sizeof(slot)};
	length = rendezvous_encode(&m, p->bytes, sizeof(p->bytes), 0);
	if (length < 0)
		fail("a message does not fit");
	p->length = (size_t)length;
}

static uint64_t deliver(struct bench *b, const struct party *p)
{
	struct rendezvous_input in = {.data = p->bytes, .length = p->length, .from = p->from};
	uint64_t start = now_ns();

	rendezvous_input(b->r, START_US, &in, &b->out);
	return now_ns() - start;
}

/* Its cookie first, which is not timed, as it is asked for once in a minute. */
static void prepare(struct bench *b, struct party *p, uint32_t session, unsigned place)
{
	struct rendezvous_message answer;

	encode(p, RENDEZVOUS_JOIN, session, place, NULL, 0);
	deliver(b, p);
	if (rendezvous_decode(b->out.bytes, b->out.length, &answer) || !answer.cookie.length)
		fail("no cookie");
	encode(p, RENDEZVOUS_JOIN, session, place, answer.cookie.data, answer.cookie.length);
}

static uint64_t join(struct bench *b, uint32_t session, unsigned place)
{
	struct party p;
	uint64_t ns;

	prepare(b, &p, session, place);
	ns = deliver(b, &p);
	if (!b->out.length || b->out.event == RENDEZVOUS_REFUSED)
		fail("a JOIN was refused");
	return ns;
}

static void leave(struct bench *b, uint32_t session, unsigned place)
{
	struct party p;

	encode(&p, RENDEZVOUS_LEAVE, session, place, NULL, 0);
	deliver(b, &p);
	if (b->out.event != RENDEZVOUS_GONE)
		fail("nobody has left");
}

static void start(struct bench *b, uint32_t sessions)
{
	struct store_memory_limits limits = {SESSIONS_MAX, 64};
	uint8_t key[STORE_MEMORY_KEY_BYTES];
	struct random random;

	memset(b, 0, sizeof(*b));
	memset(b->pairing_ns, 1, sizeof(b->pairing_ns)); /* so that its pages are there */
	random_init(&random);
	random_bytes(&random, key, sizeof(key));
	b->sessions = sessions;
	b->resident = resident_bytes();
	if (store_memory_create(&b->store, &limits, key) ||
		rendezvous_create(&b->r, b->store, &random))
		fail("out of memory");
	for (uint32_t i = 0; i < sessions; i++)
		b->join_ns += join(b, i, 0);
}

/* The second party comes, hears of the first and is announced to it; then both begin anew. */
static void pair_all(struct bench *b)
{
	struct random random;

	random_init_number(&random, 1);
	for (uint32_t i = 0; i < PAIRINGS; i++) {
		uint32_t session = random_below(&random, b->sessions);

		b->pairing_ns[i] = join(b, session, 1);
		if (b->out.event != RENDEZVOUS_PAIRED)
			fail("no pair");
		leave(b, session, 1);
		leave(b, session, 0);
		join(b, session, 0);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double measure(struct bench *b, uint32_t sessions)
{
	struct store_usage usage;
	size_t resident;
	double median;

	start(b, sessions);
	b->store->does->usage(b->store, &usage);
	resident = resident_bytes() - b->resident;
	if (usage.sessions != sessions)
		fail("sessions are missing");
	pair_all(b);
	qsort(b->pairing_ns, PAIRINGS, sizeof(*b->pairing_ns), by_value);
	median = (double)b->pairing_ns[PAIRINGS / 2] / 1000;
	printf("%-10u %9.0f %9.0f %12.0f %14.2f %14.2f\n", sessions, (double)usage.bytes / sessions,
		(double)resident / sessions, sessions * 1e9 / (double)b->join_ns, median,
		(double)b->pairing_ns[PAIRINGS * 99 / 100] / 1000);
	rendezvous_destroy(b->r);
	b->store->does->destroy(b->store);
	return median;
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t sessions = SESSIONS;
	double few, many;

	if (argc > 2 || (argc == 2 && number_from_text(argv[1], 1, SESSIONS_MAX, &sessions))) {
		fprintf(stderr, "usage: rendezvous [SESSIONS], at most %u\n", SESSIONS_MAX);
		return 2;
	}
	if (sodium_init() < 0)
		fail("libsodium");
	printf("%-10s %9s %9s %12s %14s %14s\n", "waiting", "store B", "RSS B", "joins/s",
		"pairing us", "99th us");
	few = measure(&b, SESSIONS_FEW);
	many = measure(&b, (uint32_t)sessions);
	printf("slots of %u bytes are in it; pairing under load takes %.2f times as long\n",
		SLOT_BYTES, many / few);
	return 0;
}
