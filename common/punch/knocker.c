// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "punch/classic.h"
#include "punch/knocker.h"

#define SEARCH_AFTER_US 1000000u
#define STEP_SOON_US \
	500000u /* between knocks at the known port, after the first ones: the other side may just begin */
#define SOON_US	       10000000u
#define STEP_LATER_US  2000000u
#define PAUSE_US       5000000u /* between searches, and longer each time */
#define PORT_MIN       1024u
#define PORTS	       (65536u - PORT_MIN)
#define CLASSIC_ASK_US 1000000u /* after an error: what opens the other NAT has left by then */
#define SLOT_US	       (KNOCK_SLOT_S * UINT64_C(1000000))
#define LATE_US	       20000u /* timers are, by several ms: so much is made up for … */
#define LATE_PACKETS   64 /* … by no more than these at once */
#define NEIGHBOURS     4 /* on each side: a NAT that has given a port away takes one next to it */

/* When; and the TTL of the datagram, for one NAT, two or three on the own side. */
static const uint32_t steps_us[] = {0, 200000, 400000, 800000};
#define STEPS	    (sizeof(steps_us) / sizeof(*steps_us))
#define TTL_MIN	    2
#define TTLS	    3

#define TRY_PACKETS 3 /* at most, for one port */

/* A port that is tried: a datagram and an error. */
struct trial {
	uint16_t port;
	uint8_t ttl;
	unsigned kind; /* of the error */
	bool far; /* a datagram that goes all the way, too */
	bool datagram_due, error_due;
};

struct knocker {
	struct knocker_config config;
	uint64_t start_us, round_us; /* when all began, and the present round */
	unsigned step; /* of this round */
	uint64_t step_us; /* the next */
	struct trial now; /* being sent */
	int neighbour; /* the next of them; NEIGHBOURS + 1: none */
	bool searching;
	uint64_t search_us; /* the next port; UINT64_MAX: no search, or it has ended */
	uint64_t over_us; /* the end of the pause behind it */
	uint64_t next_us; /* no packet earlier */
	bool is_over;
	unsigned sent; /* in this search */
	uint8_t tried[65536 / 8]; /* ports of it */
	bool answered;
	struct knock answer;
	struct endpoint answer_from;
	uint64_t answer_ms; /* UTC of the latest one: each is later than the one before */
	struct knocker_counts counts;
};

static uint64_t utc_us(const struct knocker *k, uint64_t now_us)
{
	return k->config.utc_us + (now_us - k->start_us);
}

static bool is_searchable(const struct knocker *k)
{
	/* nobody translates ports of IPv6 */
	return k->config.target.family == FAMILY_IPV4 && !k->config.target.port;
}

/* --- what is next --- */

static struct knock_place place_of(const struct knocker *k, uint64_t now_us)
{
	struct knock_place place;

	knock_place_at(&k->config.key, utc_us(k, now_us) / 1000000 / KNOCK_SLOT_S, &place);
	return place;
}

static uint16_t known_port(const struct knocker *k, uint64_t now_us)
{
	return k->config.target.port ? k->config.target.port : place_of(k, now_us).port;
}

static void try_port(struct knocker *k, uint16_t port, uint8_t ttl, unsigned kind)
{
	k->now = (struct trial){
		.port = port, .ttl = ttl, .kind = kind, .datagram_due = true, .error_due = true};
	k->tried[port / 8] |= (uint8_t)(1u << port % 8);
}

static void begin_round(struct knocker *k, uint64_t now_us)
{
	k->round_us = k->step_us = now_us;
	k->step = 0;
	k->neighbour = -NEIGHBOURS;
	k->searching = false;
	k->search_us = now_us + SEARCH_AFTER_US;
	k->over_us = UINT64_MAX;
	k->is_over = false;
	k->sent = k->counts.ports = 0;
	k->counts.rounds++;
	memset(k->tried, 0, sizeof(k->tried));
	if (!k->config.classic)
		return;
	k->search_us = UINT64_MAX;
	k->over_us = now_us + SLOT_US - utc_us(k, now_us) % SLOT_US; /* another port then */
}

static void next_step(struct knocker *k, uint64_t now_us)
{
	try_port(k, known_port(k, now_us), (uint8_t)(TTL_MIN + k->step % TTLS), k->step);
	k->step++;
	/* at first time is left for an error to be answered before it */
	k->now.far = k->step >= STEPS;
	if (k->step < STEPS)
		k->step_us = k->round_us + steps_us[k->step];
	else
		k->step_us =
			now_us + (now_us - k->round_us < SOON_US ? STEP_SOON_US : STEP_LATER_US);
}

/* An error, and a while later a datagram that the other NAT lets in then. */
static void next_classic(struct knocker *k, uint64_t now_us)
{
	bool asks = k->step++ % 2;

	try_port(k, known_port(k, now_us), 0, 0);
	k->now.datagram_due = asks;
	k->now.error_due = !asks;
	k->step_us = now_us + (asks ? CLASSIC_PERIOD_US - CLASSIC_ASK_US : CLASSIC_ASK_US);
}

static bool is_tried(const struct knocker *k, uint16_t port)
{
	return k->tried[port / 8] & 1u << port % 8;
}

static uint16_t search_port(struct knocker *k, uint64_t now_us)
{
	uint16_t port;

	while (k->neighbour <= NEIGHBOURS) {
		port = (uint16_t)(known_port(k, now_us) + k->neighbour++);
		if (!is_tried(k, port))
			return port;
	}
	port = (uint16_t)(PORT_MIN + random_below(&k->config.random, PORTS));
	/* there are far more than are ever tried */
	while (is_tried(k, port))
		port = port == UINT16_MAX ? PORT_MIN : (uint16_t)(port + 1);
	return port;
}

/* Ever longer. */
static uint64_t pause_us(const struct knocker *k)
{
	unsigned shift = k->counts.rounds > 4 ? 3 : k->counts.rounds - 1;
	uint64_t us = (uint64_t)PAUSE_US << shift;

	return us < KNOCKER_PAUSE_MAX_US ? us : KNOCKER_PAUSE_MAX_US;
}

static void end_search(struct knocker *k, uint64_t now_us)
{
	k->searching = false;
	k->search_us = UINT64_MAX;
	k->over_us = now_us + pause_us(k);
	if (k->counts.ports)
		trail_step(k->config.trail, now_us,
			"knock: %u ports at random tried, no answer; at the known port on for %u s",
			k->counts.ports, (unsigned)(pause_us(k) / 1000000));
}

static uint64_t packet_us(const struct knocker *k)
{
	return (UINT64_C(999999) + k->config.rate_pps) / k->config.rate_pps;
}

static void begin_search(struct knocker *k, uint64_t now_us)
{
	k->searching = true;
	trail_step(k->config.trail, now_us, "knock: at ports at random, %u packets a second",
		(unsigned)k->config.rate_pps);
}

static bool is_spent(const struct knocker *k)
{
	return k->sent + (uint64_t)TRY_PACKETS > k->config.packets_max ||
		k->counts.ports == PORTS / 2;
}

static void next_of_search(struct knocker *k, uint64_t now_us)
{
	/* one type a search: what one firewall drops is all of it, and the next search has another */
	try_port(k, search_port(k, now_us), 0, k->counts.rounds - 1);
	k->counts.ports++;
	k->search_us = now_us; /* it is the packets that keep their distance */
}

/* --- output --- */

static bool seal(struct knocker *k, uint64_t now_us, struct knock_output *out)
{
	struct knock ask = k->config.ask;
	int length;

	ask.utc_ms = utc_us(k, now_us) / 1000;
	ask.quoted_port = out->action == KNOCK_ERROR ? out->quoted_from.port : 0;
	length = knock_seal(&k->config.key, &ask, &k->config.random, out->data, sizeof(out->data));
	out->length = length > 0 ? (size_t)length : 0;
	return length > 0;
}

static bool put_datagram(struct knocker *k, uint64_t now_us, struct knock_output *out)
{
	bool near = k->now.datagram_due;

	*out = (struct knock_output){.action = KNOCK_SEND,
		.socket = near ? KNOCKER_NEAR : KNOCKER_FAR,
		.to = k->config.target,
		.ttl = near ? k->now.ttl : 0};
	out->to.port = k->now.port;
	if (near)
		k->now.datagram_due = false;
	else
		k->now.far = false;
	k->counts.datagrams++;
	return seal(k, now_us, out);
}

static bool put_error(struct knocker *k, uint64_t now_us, struct knock_output *out)
{
	int f = k->config.target.family == FAMILY_IPV6;
	struct knock_place place = place_of(k, now_us);

	k->now.error_due = false;
	*out = (struct knock_output){.action = KNOCK_ERROR,
		.to = k->config.target,
		.quoted_from = k->config.target,
		.quoted_to = k->config.dark.family != FAMILY_NONE ? k->config.dark : place.dark[f]};
	knock_kind(k->config.target.family, k->now.kind, &out->type, &out->code);
	out->quoted_from.port = k->now.port;
	k->counts.errors++;
	out->quotes_echo = k->config.classic;
	return out->quotes_echo || seal(k, now_us, out);
}

static void choose(struct knocker *k, uint64_t now_us)
{
	if (k->config.classic) {
		if (now_us >= k->step_us)
			next_classic(k, now_us);
		return;
	}
	if (now_us >= k->search_us && !k->searching && is_searchable(k))
		begin_search(k, now_us);
	if ((k->searching && is_spent(k)) || (now_us >= k->search_us && !k->searching))
		end_search(k, now_us);
	if (now_us >= k->step_us)
		next_step(k, now_us);
	else if (now_us >= k->search_us)
		next_of_search(k, now_us);
}

static void sooner(uint64_t *deadline_us, uint64_t at_us)
{
	if (at_us < *deadline_us)
		*deadline_us = at_us;
}

static bool is_trying(const struct knocker *k)
{
	return k->now.datagram_due || k->now.error_due || k->now.far;
}

/*
 * No packet of a search waits for a timer longer than it has to: a little is made up for. The distance is that much
 * longer, so that there are never more than the rate in a second.
 */
static void keep_distance(struct knocker *k, uint64_t now_us)
{
	uint64_t us = packet_us(k), late_us = k->searching && us < LATE_US ? LATE_US : 0;

	if (late_us > LATE_PACKETS * us)
		late_us = LATE_PACKETS * us;
	if (k->next_us + late_us < now_us)
		k->next_us = now_us - late_us;
	k->next_us += us + (us * late_us + 999999) / 1000000;
}

/* The next packet of the port that is tried. */
static bool put(struct knocker *k, uint64_t now_us, struct knock_output *out)
{
	keep_distance(k, now_us);
	k->sent++;
	if (k->now.error_due && !k->now.datagram_due)
		return put_error(k, now_us, out);
	return put_datagram(k, now_us, out);
}

bool knocker_poll(
	struct knocker *k, uint64_t now_us, struct knock_output *out, uint64_t *deadline_us)
{
	uint64_t over_us;

	if (k->answered)
		return false;
	if (!is_trying(k))
		choose(k, now_us);
	if (is_trying(k) && now_us >= k->next_us)
		return put(k, now_us, out);
	if (is_trying(k)) {
		sooner(deadline_us, k->next_us);
		return false;
	}
	sooner(deadline_us, k->step_us);
	sooner(deadline_us, k->search_us);
	/* a packet of the next knocker is no earlier than one of this would be */
	over_us = k->over_us > k->next_us ? k->over_us : k->next_us;
	k->is_over = now_us >= over_us;
	if (!k->is_over)
		sooner(deadline_us, over_us);
	return false;
}

void knocker_unsent(struct knocker *k, int error)
{
	k->counts.unsent++;
	k->counts.error = error;
}

void knocker_unsent_datagram(struct knocker *k)
{
	if (k->counts.datagrams)
		k->counts.datagrams--;
}

/* --- answers --- */

bool knocker_input(struct knocker *k, uint64_t now_us, const struct endpoint *from,
	const void *data, size_t length)
{
	struct knock answer;
	char text[ENDPOINT_TEXT];

	bool late;

	if (knock_open(&k->config.key, (struct span){data, length}, &answer) ||
		answer.kind != KNOCK_ANSWER || answer.answered != knock_tag(&k->config.ask) ||
		!knock_is_fresh(&answer, utc_us(k, now_us) / 1000)) {
		/* and more comes from there than answers */
		k->counts.foreign += !k->answered;
		return false;
	}
	late = answer.utc_ms <= k->answer_ms;
	k->answer_ms = late ? k->answer_ms : answer.utc_ms;
	if (k->answered || late)
		return false;
	k->answered = true;
	k->answer = answer;
	k->answer_from = *from;
	trail_step(k->config.trail, now_us, "knock: answered from %s, after %u errors",
		endpoint_format(from, text), k->counts.errors);
	return true;
}

const struct knock *knocker_answer(const struct knocker *k)
{
	return &k->answer;
}

const struct endpoint *knocker_answer_from(const struct knocker *k)
{
	return &k->answer_from;
}

const struct knocker_counts *knocker_counts(const struct knocker *k)
{
	return &k->counts;
}

bool knocker_is_over(const struct knocker *k)
{
	return k->is_over && !k->answered;
}

bool knocker_is_searching(const struct knocker *k)
{
	return k->searching;
}

/* --- begin and end --- */

void knocker_resume(struct knocker *k, uint64_t now_us)
{
	k->answered = false;
	k->now = (struct trial){.port = 0};
	begin_round(k, now_us);
}

int knocker_create(const struct knocker_config *config, uint64_t now_us, struct knocker **out)
{
	struct knock ask = config->ask;
	struct knocker *k;

	if (!knock_is_host(&config->target) ||
		(config->dark.family != FAMILY_NONE &&
			config->dark.family != config->target.family))
		return -EINVAL;
	ask.kind = KNOCK_ASK;
	if (knock_digest(&ask))
		return -EMSGSIZE;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->config = *config;
	k->config.ask = ask;
	k->start_us = now_us;
	k->counts = config->before;
	if (!k->config.rate_pps)
		k->config.rate_pps = 1;
	knocker_resume(k, now_us);
	*out = k;
	return 0;
}

void knocker_destroy(struct knocker *k)
{
	if (!k)
		return;
	knock_key_wipe(&k->config.key);
	free(k);
}
