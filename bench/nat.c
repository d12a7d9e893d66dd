// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * nat: what one packet, one new mapping and one mapping in memory cost in the NAT engine, without I/O. The
 * floor is what no NAT can do without: decoding the same packet and rewriting its source. All tables are
 * measured in turn, and the median counts, so that what else the machine does is seen by all.
 */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "lab/nat.h"
#include "wire/packet.h"

#define SIZES	     4
#define MAPPINGS_MAX 1000000u
#define HOST_PORTS   64u /* of each inside host, so that all have room with 16 external addresses */
#define PACKET_BYTES 100
#define PAYLOAD	     (PACKET_BYTES - 20 - 8)
#define BATCH	     256 /* packets that are prepared before the clock runs */
#define SLOT_BYTES   128
#define ROUNDS	     5
#define BATCHES	     2000 /* of each round */
#define ACCESSES     1000000
#define NEW_MAPPINGS 1000 /* whose creation is timed at once */
#define NEW_ROUNDS   25

static const unsigned sizes[SIZES] = {1, 1000, 100000, MAPPINGS_MAX};

struct table {
	unsigned size;
	struct nat *nat;
	struct endpoint *external; /* of each mapping */
	double floor_ns[ROUNDS], out_ns[ROUNDS], in_ns[ROUNDS], miss_ns[ROUNDS];
};

struct bench {
	struct table tables[SIZES];
	struct random random;
	struct endpoint server;
	uint64_t now_us;
	uint32_t picked[BATCH];
	uint8_t packets[BATCH][SLOT_BYTES];
};

static void fail(const char *what)
{
	fprintf(stderr, "bench/nat: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct endpoint address(const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, 0, &e))
		fail(text);
	return e;
}

/* A carrier's NAT, with ports enough for a million mappings. */
static struct nat_config config(enum nat_allocation allocation)
{
	struct nat_config c = {.translation = NAT_PORTS, .external_count = NAT_EXTERNAL_MAX};

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		struct nat_behaviour *b = &c.behaviour[t];

		b->filtering = NAT_ADDRESS_AND_PORT_DEPENDENT;
		b->ports.allocation = allocation;
		b->lifetimes.refresh_outbound = b->lifetimes.refresh_inbound = true;
	}
	for (int i = 0; i < NAT_EXTERNAL_MAX; i++) {
		c.external[i] = address("192.0.2.0");
		c.external[i].address[3] = (uint8_t)(i + 1);
	}
	return c;
}

static struct endpoint inside_endpoint(unsigned number)
{
	struct endpoint e = {.family = FAMILY_IPV4};
	unsigned host = 2 + number / HOST_PORTS;

	e.port = (uint16_t)(20000 + number % HOST_PORTS);
	e.address[0] = 10;
	e.address[1] = (uint8_t)(host >> 16);
	e.address[2] = (uint8_t)(host >> 8);
	e.address[3] = (uint8_t)host;
	return e;
}

static struct nat *new_nat(enum nat_allocation allocation)
{
	struct nat_config c = config(allocation);
	struct random random;
	struct nat *nat;

	random_init_number(&random, 1);
	if (nat_create(&c, &random, &nat))
		fail("no memory");
	return nat;
}

static void put(uint8_t *slot, const struct endpoint *from, const struct endpoint *to)
{
	static const uint8_t payload[PAYLOAD];

	if (packet_build_udp(slot, SLOT_BYTES, from, to, 64, payload, PAYLOAD) != PACKET_BYTES)
		fail("no packet");
}

/* One packet through the NAT that has to pass. */
static void pass(struct bench *b, struct nat *nat, enum nat_side side, uint8_t *packet)
{
	struct nat_result result;

	nat_input(nat, b->now_us++, side, packet, PACKET_BYTES, &result);
	if (result.reason != NAT_FORWARDED)
		fail(nat_reason_name(result.reason));
}

/* New mappings, a session each, in ns of each; the packets are made while the clock stands. */
static double add_mappings(struct bench *b, struct nat *nat, unsigned first, unsigned count)
{
	uint64_t spent = 0;

	for (unsigned done = 0; done < count;) {
		unsigned batch = count - done < BATCH ? count - done : BATCH;
		uint64_t start;

		for (unsigned i = 0; i < batch; i++) {
			struct endpoint from = inside_endpoint(first + done + i);

			put(b->packets[i], &from, &b->server);
		}
		start = clock_ns();
		for (unsigned i = 0; i < batch; i++)
			pass(b, nat, NAT_INSIDE, b->packets[i]);
		spent += clock_ns() - start;
		done += batch;
	}
	return (double)spent / count;
}

/* --- packets of sessions that are there --- */

/* Fills a table and notes the external endpoints. */
static void fill(struct bench *b, struct table *t)
{
	struct nat_entry entry;
	size_t cursor = 0;

	t->nat = new_nat(NAT_RANDOM);
	t->external = calloc(t->size, sizeof(*t->external));
	if (!t->external)
		fail("no memory");
	add_mappings(b, t->nat, 0, t->size);
	for (unsigned i = 0; i < t->size && nat_next_entry(t->nat, &cursor, &entry); i++)
		t->external[i] = entry.external; /* oldest first */
}

static void pick(struct bench *b, const struct table *t)
{
	random_bytes(&b->random, b->picked, sizeof(b->picked));
	for (unsigned i = 0; i < BATCH; i++)
		b->picked[i] %= t->size;
}

static void put_outward(struct bench *b)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct endpoint from = inside_endpoint(b->picked[i]);

		put(b->packets[i], &from, &b->server);
	}
}

static uint64_t run_floor(struct bench *b, const struct table *t)
{
	uint64_t start;

	put_outward(b);
	start = clock_ns();
	for (unsigned i = 0; i < BATCH; i++) {
		struct packet p;

		if (packet_decode(b->packets[i], PACKET_BYTES, &p))
			fail("malformed");
		packet_set_source(&p, &t->external[0]);
		packet_take_hop(&p);
	}
	return clock_ns() - start;
}

static uint64_t run_outward(struct bench *b, const struct table *t)
{
	uint64_t start;

	put_outward(b);
	start = clock_ns();
	for (unsigned i = 0; i < BATCH; i++)
		pass(b, t->nat, NAT_INSIDE, b->packets[i]);
	return clock_ns() - start;
}

static uint64_t run_inward(struct bench *b, const struct table *t)
{
	uint64_t start;

	for (unsigned i = 0; i < BATCH; i++)
		put(b->packets[i], &b->server, &t->external[b->picked[i]]);
	start = clock_ns();
	for (unsigned i = 0; i < BATCH; i++)
		pass(b, t->nat, NAT_OUTSIDE, b->packets[i]);
	return clock_ns() - start;
}

/* One access to anywhere in as much memory as the table has, each after the other. */
static double cost_of_access(const struct table *t)
{
	size_t words = nat_bytes(t->nat) / sizeof(uint64_t);
	uint64_t *memory = malloc(words * sizeof(uint64_t)), x = 1, start;

	if (!memory)
		fail("no memory");
	memset(memory, 1, words * sizeof(uint64_t));
	start = clock_ns();
	for (unsigned i = 0; i < ACCESSES; i++)
		x = (x + memory[(x >> 32) * words >> 32]) * 6364136223846793005u + 1;
	start = clock_ns() - start;
	free(memory);
	if (!x) /* never, but it has to be known */
		fail("no luck");
	return (double)start / ACCESSES;
}

static void run_round(struct bench *b, struct table *t, int round)
{
	uint64_t floor = 0, out = 0, in = 0;

	for (int i = 0; i < BATCHES; i++) {
		pick(b, t);
		floor += run_floor(b, t);
		out += run_outward(b, t);
		pick(b, t); /* as others: those that have just gone out are at hand */
		in += run_inward(b, t);
	}
	t->miss_ns[round] = cost_of_access(t);
	t->floor_ns[round] = (double)floor / (BATCHES * BATCH);
	t->out_ns[round] = (double)out / (BATCHES * BATCH);
	t->in_ns[round] = (double)in / (BATCHES * BATCH);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* to 1 k: the speed; misses: how many accesses to memory make up for the difference. */
static void print_direction(const char *name, struct bench *b, bool outward)
{
	struct table *few = &b->tables[1];
	double usual = median(outward ? few->out_ns : few->in_ns, ROUNDS);
	double access = median(few->miss_ns, ROUNDS);

	printf("%s\n", name);
	for (int i = 0; i < SIZES; i++) {
		struct table *t = &b->tables[i];
		double floor = median(t->floor_ns, ROUNDS);
		double ns = median(outward ? t->out_ns : t->in_ns, ROUNDS);
		double miss = median(t->miss_ns, ROUNDS);

		printf("%10u  %9.0f  %8.2f  %6.2f", t->size, 1e6 / ns, floor / ns, usual / ns);
		if (t->size > few->size)
			printf("  %9.0f  %6.1f", miss, (ns - usual) / (miss - access));
		printf("\n");
	}
}

static void print_packets(struct bench *b)
{
	printf("\npackets of existing sessions, UDP, %d bytes, in random order\n", PACKET_BYTES);
	printf("  mappings        k/s  of floor  to 1 k  access ns  misses\n");
	print_direction("outbound", b, true);
	print_direction("inbound", b, false);
}

/* --- new mappings --- */

/* In ns, with so many there before. */
static double cost_of_new(struct bench *b, enum nat_allocation allocation, unsigned before)
{
	double cost[NEW_ROUNDS];
	struct nat *nat = new_nat(allocation);

	add_mappings(b, nat, 0, before);
	for (int i = 0; i < NEW_ROUNDS; i++) {
		if (before < MAPPINGS_MAX / 2) { /* so few that they would be more each time */
			nat_destroy(nat);
			nat = new_nat(allocation);
			add_mappings(b, nat, 0, before);
			cost[i] = add_mappings(b, nat, before, NEW_MAPPINGS);
		} else {
			cost[i] = add_mappings(
				b, nat, before + (unsigned)i * NEW_MAPPINGS, NEW_MAPPINGS);
		}
	}
	nat_destroy(nat);
	return median(cost, NEW_ROUNDS);
}

static void print_new(struct bench *b)
{
	static const struct {
		enum nat_allocation allocation;
		const char *name;
	} rows[] = {{NAT_SEQUENTIAL, "sequential"}, {NAT_RANDOM, "random"}};

	printf("\na new mapping with its session, at so many\n");
	printf("ports            1 k ns      1 M ns  to 1 k\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double few = cost_of_new(b, rows[i].allocation, 1000);
		double many = cost_of_new(
			b, rows[i].allocation, MAPPINGS_MAX - NEW_ROUNDS * NEW_MAPPINGS);

		printf("%-12s  %9.0f   %9.0f  %6.2f\n", rows[i].name, few, many, few / many);
	}
}

/* --- memory --- */

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	uint64_t pages = 0;

	if (!f || fscanf(f, "%*u %" SCNu64, &pages) != 1)
		fail("no /proc/self/statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void print_memory(struct bench *b)
{
	struct nat *nat = new_nat(NAT_RANDOM);
	uint64_t resident = resident_bytes(), bytes = nat_bytes(nat);

	add_mappings(b, nat, 0, MAPPINGS_MAX);
	printf("\nmemory of a mapping with its session, at 1 M: %.0f bytes by nat_bytes, %.0f "
	       "resident\n",
		(double)(nat_bytes(nat) - bytes) / MAPPINGS_MAX,
		(double)(resident_bytes() - resident) / MAPPINGS_MAX);
	nat_destroy(nat);
}

int main(void)
{
	static struct bench b;

	random_init_number(&b.random, 2);
	b.server = address("198.51.100.1");
	b.server.port = 3478;
	b.now_us = 1000000;
	print_memory(&b); /* first, while nothing that was freed can be used again */
	print_new(&b);
	for (int i = 0; i < SIZES; i++) {
		b.tables[i].size = sizes[i];
		fill(&b, &b.tables[i]);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < SIZES; i++)
			run_round(&b, &b.tables[i], round);
	print_packets(&b);
	for (int i = 0; i < SIZES; i++) {
		nat_destroy(b.tables[i].nat);
		free(b.tables[i].external);
	}
	return 0;
}
