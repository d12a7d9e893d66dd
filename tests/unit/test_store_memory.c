// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "server/store_memory.h"

#define SECOND	 ((uint64_t)1000000)
#define LIFETIME ((uint64_t)RENDEZVOUS_LIFETIME_US)
#define START	 (1000 * SECOND)

#define SESSIONS 8u
#define PLACES	 3u

static int setup(void **state)
{
	static const uint8_t key[STORE_MEMORY_KEY_BYTES] = {1, 2, 3};
	struct store_memory_limits limits = {SESSIONS, PLACES};

	return store_memory_create((struct store **)state, &limits, key);
}

static int teardown(void **state)
{
	struct store *s = *state;

	s->does->destroy(s);
	return 0;
}

static const uint8_t *session(unsigned number)
{
	static uint8_t id[RENDEZVOUS_SESSION_BYTES];

	memset(id, 0, sizeof(id));
	memcpy(id, &number, sizeof(number));
	return id;
}

static struct store_party party(unsigned number)
{
	struct store_party p = {.external = {.family = FAMILY_IPV4, .port = 4000}};

	memset(p.id, (int)number, sizeof(p.id));
	return p;
}

static int join(struct store *s, uint64_t now_us, unsigned number, const struct store_party *p,
	const char *source)
{
	struct endpoint from;
	unsigned changes;

	assert_int_equal(endpoint_parse(source, 1, &from), 0);
	return s->does->join(s, now_us, session(number), p, &from, &changes);
}

static size_t count(struct store *s)
{
	struct store_usage usage;

	s->does->usage(s, &usage);
	return usage.sessions;
}

static void test_places(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2), c = party(3);
	struct store_session out;

	assert_int_equal(s->does->find(s, session(7), &out), -ENOENT);
	assert_int_equal(join(s, START, 7, &a, "192.0.2.1"), 0);
	assert_int_equal(join(s, START, 7, &a, "192.0.2.1"), 0);
	assert_int_equal(s->does->find(s, session(7), &out), 0);
	assert_false(out.paired);
	assert_int_equal(out.place[1].state, RENDEZVOUS_NOBODY);
	assert_int_equal(join(s, START, 7, &b, "192.0.2.2"), 1);
	assert_int_equal(join(s, START, 7, &c, "192.0.2.3"), -EEXIST);
	assert_int_equal(join(s, START, 8, &c, "192.0.2.3"), 0);
	assert_int_equal(s->does->leave(s, session(7), a.id), 0);
	assert_int_equal(s->does->leave(s, session(7), a.id), -ENOENT);
	assert_int_equal(join(s, START, 7, &c, "192.0.2.3"), -EEXIST);
	assert_int_equal(join(s, START, 7, &a, "192.0.2.1"), 0);
	assert_int_equal(s->does->leave(s, session(7), a.id), 0);
	assert_int_equal(s->does->leave(s, session(7), b.id), 1);
	assert_int_equal(s->does->find(s, session(7), &out), -ENOENT);
	assert_int_equal(join(s, START, 7, &c, "192.0.2.3"), 0);
}

static void test_slots(void **state)
{
	static const struct {
		uint32_t version;
		const char *bytes, *kept;
	} rows[] = {{2, "two", "two"}, {2, "TWO", "two"}, {1, "one", "two"}, {0, "", "two"},
		{3, "", ""}, {UINT32_MAX, "last", "last"}, {4, "four", "last"}};
	struct store *s = *state;
	struct store_party a = party(1);
	struct store_session out;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		a.slot_version = rows[i].version;
		a.slot = (struct span){(const uint8_t *)rows[i].bytes, strlen(rows[i].bytes)};
		assert_int_equal(join(s, START, 7, &a, "192.0.2.1"), 0);
		assert_int_equal(s->does->find(s, session(7), &out), 0);
		assert_int_equal(out.place[0].party.slot.length, strlen(rows[i].kept));
		assert_memory_equal(
			out.place[0].party.slot.data, rows[i].kept, out.place[0].party.slot.length);
	}
	a.slot_version = UINT32_MAX;
	a.slot.length = RENDEZVOUS_SLOT_MAX + 1;
	assert_int_equal(join(s, START, 7, &a, "192.0.2.1"), -EMSGSIZE);
}

static void test_expiry(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2);
	struct store_event event;
	struct store_session out;

	assert_true(s->does->next_us(s) == STORE_NEVER);
	join(s, START, 7, &a, "192.0.2.1");
	join(s, START + SECOND, 7, &b, "192.0.2.2");
	join(s, START + 2 * SECOND, 7, &a, "192.0.2.1");
	assert_true(s->does->next_us(s) <= START + SECOND + LIFETIME);
	assert_false(s->does->due(s, START + SECOND + LIFETIME - 1, &event));
	assert_true(s->does->due(s, START + SECOND + LIFETIME, &event));
	assert_int_equal(event.kind, STORE_EXPIRED);
	assert_int_equal(event.place, 1);
	assert_memory_equal(event.session, session(7), sizeof(event.session));
	assert_false(s->does->due(s, START + SECOND + LIFETIME, &event));
	assert_int_equal(s->does->find(s, session(7), &out), 0);
	assert_int_equal(out.place[1].state, RENDEZVOUS_LEFT);
	assert_true(s->does->due(s, START + 2 * SECOND + LIFETIME, &event));
	assert_int_equal(event.place, 0);
	assert_int_equal(count(s), 0);
	assert_true(s->does->next_us(s) == STORE_NEVER);
}

static void test_reminders(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2);
	struct store_news news = {.tries = 3, .due_us = START + 5};
	struct store_event event;
	struct store_session out;

	join(s, START, 7, &a, "192.0.2.1");
	assert_int_equal(s->does->remind(s, session(7), 0, &news), -ENOENT);
	join(s, START, 7, &b, "192.0.2.2");
	assert_int_equal(s->does->remind(s, session(7), 1, &news), 0);
	assert_int_equal(s->does->next_us(s), START + 5);
	assert_false(s->does->due(s, START + 4, &event));
	assert_true(s->does->due(s, START + 5, &event));
	assert_int_equal(event.kind, STORE_DUE);
	assert_int_equal(event.place, 1);
	assert_false(s->does->due(s, START + 5, &event));
	s->does->find(s, session(7), &out);
	assert_int_equal(out.place[1].news.tries, 3);
	assert_true(out.place[1].news.due_us == STORE_NEVER);
	s->does->leave(s, session(7), b.id);
	assert_int_equal(s->does->remind(s, session(7), 1, &news), -ENOENT);
}

static void test_go(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2);
	struct store_session out;

	join(s, START, 7, &a, "192.0.2.1");
	assert_int_equal(s->does->go(s, session(7), 1, START), -ENOENT);
	join(s, START, 7, &b, "192.0.2.2");
	assert_int_equal(s->does->go(s, session(7), 2, START + 9), 0);
	assert_int_equal(s->does->go(s, session(7), 2, START), -EALREADY);
	assert_int_equal(s->does->go(s, session(7), 1, START), -EALREADY);
	s->does->find(s, session(7), &out);
	assert_int_equal(out.go, 2);
	assert_int_equal(out.go_us, START + 9);
}

static void test_limits(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2);
	char source[32];

	for (unsigned i = 0; i < PLACES; i++)
		assert_int_equal(join(s, START, i, &a, "192.0.2.1"), 0);
	assert_int_equal(join(s, START, 9, &a, "192.0.2.1"), -EDQUOT);
	assert_int_equal(count(s), PLACES);
	assert_int_equal(join(s, START, 0, &a, "192.0.2.1"), 0); /* what it has, it keeps */
	assert_int_equal(join(s, START, 9, &a, "192.0.2.2"), 0);
	assert_int_equal(join(s, START, 9, &b, "192.0.2.1"), -EDQUOT); /* a second place counts */
	assert_int_equal(join(s, START, 9, &b, "192.0.2.2"), 1);
	assert_int_equal(s->does->leave(s, session(0), a.id), 0);
	assert_int_equal(join(s, START, 0, &b, "192.0.2.1"), 0);
	for (unsigned i = 0; i < SESSIONS - PLACES - 1; i++) {
		snprintf(source, sizeof(source), "2001:db8:%u::1", i);
		assert_int_equal(join(s, START, 100 + i, &a, source), 0);
	}
	assert_int_equal(join(s, START, 200, &a, "192.0.2.9"), -ENOSPC);
	assert_int_equal(join(s, START, 100, &b, "192.0.2.9"), 1); /* no new session */
}

/* An IPv6 host has a whole /64. */
static void test_prefix(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1);

	assert_int_equal(join(s, START, 0, &a, "2001:db8::1"), 0);
	assert_int_equal(join(s, START, 1, &a, "2001:db8::2"), 0);
	assert_int_equal(join(s, START, 2, &a, "2001:db8::ffff:1"), 0);
	assert_int_equal(join(s, START, 3, &a, "2001:db8::3"), -EDQUOT);
	assert_int_equal(join(s, START, 3, &a, "2001:db8:0:1::3"), 0);
	assert_int_equal(join(s, START, 4, &a, "32.1.13.184"), 0); /* the same bytes, but IPv4 */
}

/* Who comes back to a place that was left may be refused it, and nothing has changed then. */
static void test_return_over_quota(void **state)
{
	struct store *s = *state;
	struct store_party a = party(1), b = party(2);
	struct store_session out;

	join(s, START, 9, &a, "192.0.2.1");
	join(s, START, 9, &b, "192.0.2.2");
	s->does->leave(s, session(9), a.id);
	for (unsigned i = 0; i < PLACES; i++)
		assert_int_equal(join(s, START, i, &a, "192.0.2.1"), 0);
	assert_int_equal(join(s, START, 9, &a, "192.0.2.1"), -EDQUOT);
	assert_int_equal(s->does->find(s, session(9), &out), 0);
	assert_int_equal(out.place[0].state, RENDEZVOUS_LEFT);
	assert_int_equal(join(s, START, 9, &a, "192.0.2.3"), 0);
}

/* --- against a plain model, at random --- */

#define MODEL_PARTIES 3
#define MODEL_STEPS   200000

struct model {
	bool exists, paired;
	int who[2]; /* -1: nobody yet */
	bool here[2];
	uint64_t expires_us[2];
};

static struct model models[SESSIONS];

static void model_settle(struct model *m)
{
	if (!m->here[0] && !m->here[1])
		*m = (struct model){.who = {-1, -1}};
}

static int model_join(struct model *m, int who, uint64_t now_us)
{
	int place = m->who[0] == who ? 0 : m->who[1] == who ? 1 : -1;

	if (place < 0) {
		if (m->paired)
			return -EEXIST;
		place = m->exists ? 1 : 0;
		m->paired = m->exists;
		m->exists = true;
	}
	m->who[place] = who;
	m->here[place] = true;
	m->expires_us[place] = now_us + LIFETIME;
	return place;
}

static int model_leave(struct model *m, int who)
{
	for (int i = 0; i < 2; i++)
		if (m->who[i] == who && m->here[i]) {
			m->here[i] = false;
			model_settle(m);
			return i;
		}
	return -ENOENT;
}

static void model_expire(struct store *s, uint64_t now_us)
{
	struct store_event event;
	uint64_t last_us = 0;

	while (s->does->due(s, now_us, &event)) {
		unsigned number;
		struct model *m;

		memcpy(&number, event.session, sizeof(number));
		assert_int_equal(event.kind, STORE_EXPIRED);
		m = &models[number];
		assert_true(m->here[event.place]);
		assert_true(m->expires_us[event.place] <= now_us);
		assert_true(m->expires_us[event.place] >= last_us);
		last_us = m->expires_us[event.place];
		m->here[event.place] = false;
		model_settle(m);
	}
	for (unsigned i = 0; i < SESSIONS; i++)
		for (unsigned k = 0; k < 2; k++)
			assert_true(!models[i].here[k] || models[i].expires_us[k] > now_us);
}

static void model_compare(struct store *s, unsigned number)
{
	const struct model *m = &models[number];
	struct store_session out;

	assert_int_equal(s->does->find(s, session(number), &out), m->exists ? 0 : -ENOENT);
	if (!m->exists)
		return;
	assert_int_equal(out.paired, m->paired);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(out.place[i].state,
			m->here[i]		? RENDEZVOUS_HERE
				: m->who[i] < 0 ? RENDEZVOUS_NOBODY
						: RENDEZVOUS_LEFT);
}

static void test_model(void **state)
{
	struct store *s = *state;
	uint64_t now_us = START;
	struct random random;

	random_init_number(&random, 1);
	for (unsigned i = 0; i < SESSIONS; i++)
		models[i] = (struct model){.who = {-1, -1}};
	for (unsigned step = 0; step < MODEL_STEPS; step++) {
		unsigned number = random_below(&random, SESSIONS);
		int who = (int)random_below(&random, MODEL_PARTIES);
		struct store_party p = party((unsigned)who + 1);
		char source[32];

		/* a source for each, so that no quota is in the way */
		snprintf(source, sizeof(source), "10.0.%u.%d", number, who);
		if (random_below(&random, 3))
			assert_int_equal(join(s, now_us, number, &p, source),
				model_join(&models[number], who, now_us));
		else
			assert_int_equal(s->does->leave(s, session(number), p.id),
				model_leave(&models[number], who));
		model_compare(s, number);
		now_us += random_below(&random, 8 * SECOND);
		model_expire(s, now_us);
	}
	model_expire(s, now_us + LIFETIME);
	assert_int_equal(count(s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reminders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_return_over_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
