// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/sightings.h"

#define NEVER UINT64_MAX
#define KEPT                \
	(ICMP_RECORDS_MAX + \
		1) /* the last one: the newest echo of those that came behind the first */

enum reply {
	REPLY_NONE,
	REPLY_WAITS,
	REPLY_SENT,
};

struct seen {
	uint64_t at_us;
	struct icmp_record record;
	unsigned local;
	enum reply reply;
	uint64_t due_us;
	struct stun_id asked_by; /* the request for a reply, and where it came from */
	struct endpoint asker;
	size_t length;
	uint8_t data[ICMP_KEPT_BYTES];
};

struct place {
	struct source *source; /* NULL: free */
	unsigned count;
	struct seen seen[KEPT];
};

/* What is looked for in all places stands apart from the rest of them. */
struct sightings {
	struct sources *sources;
	uint64_t next_us; /* no reply is due before */
	uint64_t tokens[SIGHTINGS_TOKENS]; /* as numbers */
	uint64_t until_us[SIGHTINGS_TOKENS]; /* 0: free */
	uint64_t due_us[SIGHTINGS_TOKENS]; /* its first reply */
	struct place places[SIGHTINGS_TOKENS];
};

int sightings_create(struct sightings **out, const uint8_t key[static SOURCES_KEY_BYTES])
{
	struct sightings *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = sources_create(&s->sources, SIGHTINGS_TOKENS, SIGHTINGS_OF_SOURCE, key);
	if (err) {
		free(s);
		return err;
	}
	s->next_us = NEVER;
	for (size_t i = 0; i < SIGHTINGS_TOKENS; i++)
		s->due_us[i] = NEVER;
	*out = s;
	return 0;
}

void sightings_destroy(struct sightings *s)
{
	if (!s)
		return;
	sources_destroy(s->sources);
	free(s);
}

/* --- tokens --- */

static uint64_t number_of(const uint8_t *token)
{
	uint64_t number;

	_Static_assert(sizeof(number) == ICMP_TOKEN_BYTES, "a token is a number");
	memcpy(&number, token, sizeof(number));
	return number;
}

/* A token for which a reply is still due stays until that has been sent. */
static bool is_alive(const struct sightings *s, size_t i, uint64_t now_us)
{
	return s->until_us[i] > now_us || s->due_us[i] != NEVER;
}

/* SIGHTINGS_TOKENS: it is not known. */
static size_t find(const struct sightings *s, uint64_t now_us, const uint8_t *token)
{
	uint64_t number = number_of(token);
	size_t i = 0;

	while (i < SIGHTINGS_TOKENS && (s->tokens[i] != number || !is_alive(s, i, now_us)))
		i++;
	return i;
}

static void forget_old(struct sightings *s, uint64_t now_us)
{
	for (size_t i = 0; i < SIGHTINGS_TOKENS; i++) {
		if (!s->until_us[i] || is_alive(s, i, now_us))
			continue;
		sources_give_back(s->sources, s->places[i].source);
		s->places[i].source = NULL;
		s->until_us[i] = 0;
	}
}

static int add(
	struct sightings *s, uint64_t now_us, const struct endpoint *from, const uint8_t *token)
{
	struct source *source;
	size_t i = 0;
	int err;

	forget_old(s, now_us);
	while (i < SIGHTINGS_TOKENS && s->until_us[i])
		i++;
	if (i == SIGHTINGS_TOKENS)
		return -EBUSY;
	err = sources_take(s->sources, from, &source);
	if (err)
		return err == -EDQUOT ? -EDQUOT : -EBUSY;
	s->tokens[i] = number_of(token);
	s->until_us[i] = now_us + ICMP_SEEN_US;
	s->places[i].source = source;
	s->places[i].count = 0;
	return 0;
}

int sightings_ask(struct sightings *s, uint64_t now_us, const struct endpoint *from,
	const uint8_t token[static ICMP_TOKEN_BYTES])
{
	size_t i = find(s, now_us, token);

	if (i == SIGHTINGS_TOKENS)
		return add(s, now_us, from, token);
	s->until_us[i] = now_us + ICMP_SEEN_US;
	return 0;
}

/* --- what was seen --- */

/* The place for one more; NULL: none, or its turn comes when the reply to the one that is there has been sent. */
static struct seen *next_place(struct place *p, const struct icmp_record *r)
{
	struct seen *last = &p->seen[KEPT - 1];

	if (p->count < ICMP_RECORDS_MAX)
		return &p->seen[p->count++];
	if (r->kind != ICMP_KIND_ECHO || (p->count == KEPT && last->reply == REPLY_WAITS))
		return NULL;
	p->count = KEPT;
	return last;
}

bool sightings_see(struct sightings *s, uint64_t now_us, const struct sighting *sighting)
{
	size_t i = find(s, now_us, sighting->token);
	struct seen *e;

	if (i == SIGHTINGS_TOKENS)
		return false;
	e = next_place(&s->places[i], &sighting->record);
	if (!e)
		return true;
	*e = (struct seen){.at_us = now_us, .record = sighting->record, .local = sighting->local};
	e->length =
		sighting->data.length < ICMP_KEPT_BYTES ? sighting->data.length : ICMP_KEPT_BYTES;
	if (e->length)
		memcpy(e->data, sighting->data.data, e->length);
	return true;
}

static struct icmp_record describe(const struct seen *e, uint64_t now_us)
{
	struct icmp_record r = e->record;

	r.age_ms = (uint32_t)((now_us - e->at_us) / 1000);
	return r;
}

size_t sightings_find(const struct sightings *s, uint64_t now_us,
	const uint8_t token[static ICMP_TOKEN_BYTES],
	struct icmp_record out[static ICMP_RECORDS_MAX])
{
	size_t i = find(s, now_us, token), n = 0;

	if (i == SIGHTINGS_TOKENS)
		return 0;
	for (; n < s->places[i].count && n < ICMP_RECORDS_MAX; n++)
		out[n] = describe(&s->places[i].seen[n], now_us);
	return n;
}

/* --- replies --- */

static bool is_asked_by(
	const struct seen *e, const struct endpoint *from, const struct icmp_inquiry *request)
{
	return e->reply != REPLY_NONE && endpoint_equal(&e->asker, from) &&
		stun_id_equal(&e->asked_by, &request->id);
}

/* That of this very request, if it had been sent before; else the newest one that waits for a reply; NULL: none. */
static struct seen *choose(
	struct place *p, const struct endpoint *from, const struct icmp_inquiry *request)
{
	struct seen *newest = NULL;

	for (unsigned i = 0; i < p->count; i++) {
		struct seen *e = &p->seen[i];

		if (is_asked_by(e, from, request))
			return e;
		if (e->record.kind == ICMP_KIND_ECHO && e->reply == REPLY_NONE)
			newest = e;
	}
	return newest;
}

int sightings_reply_later(struct sightings *s, uint64_t now_us, const struct endpoint *from,
	const struct icmp_inquiry *request, struct icmp_record *out)
{
	size_t i = find(s, now_us, request->token);
	struct seen *e;

	if (i == SIGHTINGS_TOKENS)
		return -ENOENT;
	e = choose(&s->places[i], from, request);
	if (!e)
		return -ENOENT;
	if (!endpoint_same_address(&e->record.from, from))
		return -EXDEV;
	*out = describe(e, now_us);
	if (e->reply != REPLY_NONE)
		return 0;
	e->reply = REPLY_WAITS;
	e->due_us = now_us + request->later_ms * (uint64_t)1000;
	e->asked_by = request->id;
	e->asker = *from;
	if (e->due_us < s->due_us[i])
		s->due_us[i] = e->due_us;
	if (e->due_us < s->next_us)
		s->next_us = e->due_us;
	return 0;
}

static struct seen *first_due(struct place *p)
{
	struct seen *first = NULL;

	for (unsigned i = 0; i < p->count; i++)
		if (p->seen[i].reply == REPLY_WAITS &&
			(!first || p->seen[i].due_us < first->due_us))
			first = &p->seen[i];
	return first;
}

static size_t find_due(struct sightings *s)
{
	size_t first = 0;

	for (size_t i = 1; i < SIGHTINGS_TOKENS; i++)
		if (s->due_us[i] < s->due_us[first])
			first = i;
	s->next_us = s->due_us[first];
	return first;
}

bool sightings_poll(struct sightings *s, uint64_t now_us, struct sightings_reply *out)
{
	struct seen *e, *next;
	size_t i;

	if (s->next_us > now_us)
		return false;
	i = find_due(s);
	if (s->next_us > now_us)
		return false;
	e = first_due(&s->places[i]);
	e->reply = REPLY_SENT;
	next = first_due(&s->places[i]);
	s->due_us[i] = next ? next->due_us : NEVER;
	*out = (struct sightings_reply){.to = e->record.from,
		.local = e->local,
		.identifier = e->record.identifier,
		.sequence = e->record.sequence,
		.length = e->length};
	memcpy(out->data, e->data, e->length);
	return true;
}

uint64_t sightings_next_us(const struct sightings *s)
{
	return s->next_us;
}
