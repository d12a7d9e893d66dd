// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The bytes are a script of what happens to a prober: answers right and wrong, from the asked
 * endpoint or another, with its transaction IDs or made-up ones, errors, steps of time, sockets
 * that cannot be opened. Whatever happens, it keeps to its number of packets, time goes on, it
 * comes to an end and stays there; and the judge can read what it has written.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "judge/findings.h"
#include "probe/probe.h"
#include "fuzz.h"

#define START_US       1000000u
#define SERVERS	       4
#define SENT_MAX       32
#define ACTIONS_MAX    400 /* between two steps of time */
#define STEPS_MAX      60000 /* of time, in all */
#define SENDS_MAX      8 /* of one question */
#define QUESTIONS_EACH 10 /* to one server */
#define QUESTIONS_ONCE 31 /* ports, hairpin, TCP */
#define LADDER_SENDS   (3 * 24)

struct sent {
	unsigned socket;
	struct endpoint to;
	struct stun_id id;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
};

struct script {
	struct reader bytes;
	struct journal *journal;
	struct random random;
	struct probe *probe;
	uint64_t now_us;
	size_t servers;
	struct sent sent[SENT_MAX]; /* a ring */
	size_t sent_count, with_ttl;
	bool opened[PROBE_SOCKETS];
	struct endpoint local[PROBE_SOCKETS];
};

static struct endpoint server_endpoint(size_t number, unsigned changed)
{
	struct endpoint e = {FAMILY_IPV4, 3478, 0, {203, 0, 113, (uint8_t)(number + 1)}};

	e.address[2] = (uint8_t)(e.address[2] + (changed >> 1 & 1));
	e.port = (uint16_t)(e.port + (changed & 1));
	return e;
}

/* One of the endpoints that can matter, or one made of script bytes. */
static struct endpoint pick_endpoint(struct script *s)
{
	uint8_t kind = reader_u8(&s->bytes);
	struct endpoint e = server_endpoint(kind >> 2 & 3, kind & 3);

	switch (kind >> 4) {
	case 8: /* our own */
		return s->local[kind & 15];
	case 9: /* where a NAT would show us */
		return (struct endpoint){
			FAMILY_IPV4, (uint16_t)(40000 + (kind & 15)), 0, {198, 51, 100, 99}};
	case 10:
		return (struct endpoint){FAMILY_IPV6, 3479, 0, {0x20, 1, 0xd, 0xb8, [15] = 1}};
	case 11:
		return (struct endpoint){FAMILY_IPV4, 3479, 0, {127, 0, 0, 1}};
	case 12:
		return (struct endpoint){FAMILY_IPV4, 3479, 0, {192, 168, 0, 1}};
	case 13:
		reader_copy(&s->bytes, e.address, 4);
		e.port = reader_u16(&s->bytes);
		return e;
	default:
		return e;
	}
}

/* --- what comes in --- */

static void add_address(struct script *s, struct stun_writer *w, uint16_t type)
{
	struct endpoint e = pick_endpoint(s);

	if (e.family != FAMILY_NONE)
		stun_add_address(w, type, &e);
}

static void add_ours(struct script *s, struct stun_writer *w, uint8_t flags)
{
	struct stun_observed observed = {1, 7, 64, 0, 100, 0};
	struct stun_receipt receipt = {(uint8_t)(flags & 3), pick_endpoint(s)};
	struct stun_icmp icmp = {3, 3, 1, receipt.from, receipt.from};

	if (flags & 4)
		stun_add_observed(w, &observed);
	if (receipt.from.family == FAMILY_NONE)
		return;
	if (flags & 8)
		stun_add_receipt(w, &receipt);
	for (int i = 0; i < (flags >> 4 & 7); i++)
		stun_add_icmp(w, &icmp);
}

static size_t write_answer(struct script *s, const struct stun_id *id, uint8_t *buffer, size_t size)
{
	uint8_t flags = reader_u8(&s->bytes);
	struct stun_writer w = stun_begin(buffer, size,
		flags & 1 ? (enum stun_class)(reader_u8(&s->bytes) & 3) : STUN_SUCCESS,
		STUN_BINDING, id);
	int length;

	if (!(flags & 2))
		add_address(s, &w, STUN_XOR_MAPPED_ADDRESS);
	if (flags & 4)
		add_address(s, &w, STUN_MAPPED_ADDRESS);
	if (flags & 8)
		add_address(s, &w, STUN_OTHER_ADDRESS);
	if (flags & 16)
		add_address(s, &w, STUN_RESPONSE_ORIGIN);
	if (flags & 32)
		add_ours(s, &w, reader_u8(&s->bytes));
	if (flags & 64)
		stun_add_error(&w, 300 + reader_u8(&s->bytes), "reason");
	if (flags & 128)
		stun_add_text(&w, STUN_SOFTWARE, "fuzz\033[31m");
	length = stun_end(&w);
	return length > 0 ? (size_t)length : 0;
}

/* An answer to a packet that was sent, or bytes that claim to be one. */
static void give_input(struct script *s, uint8_t kind)
{
	const struct sent *sent = &s->sent[reader_u8(&s->bytes) % SENT_MAX];
	struct endpoint from = kind & 1 ? pick_endpoint(s) : sent->to;
	unsigned socket = kind & 2 ? reader_u8(&s->bytes) : sent->socket;
	struct stun_id id = sent->id;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length = 0;

	if (kind & 4)
		id.bytes[reader_u8(&s->bytes) & 15] ^= 1;
	if (kind & 8) {
		length = reader_u8(&s->bytes);
		reader_copy(&s->bytes, data, length);
	} else if (kind & 16 && sent->length) { /* the request itself comes back */
		length = sent->length;
		memcpy(data, sent->data, length);
	} else {
		length = write_answer(s, &id, data, sizeof(data));
	}
	probe_input(s->probe, s->now_us, socket, &from, 64, data, length);
}

static void give_error(struct script *s, uint8_t kind)
{
	const struct sent *sent = &s->sent[reader_u8(&s->bytes) % SENT_MAX];
	struct icmp_seen error = {.count = 1,
		.t_us = s->now_us,
		.local = kind & 1,
		.error = kind & 1 ? EPERM : ECONNREFUSED,
		.type = kind & 4 ? 11 : 3,
		.code = reader_u8(&s->bytes)};

	if (!error.local)
		error.offender = pick_endpoint(s);
	probe_error(s->probe, s->now_us, sent->socket, &sent->to, &error, sent->data,
		kind & 2	   ? 8
			: kind & 8 ? 0
				   : sent->length);
}

static void add_server(struct script *s, size_t number, unsigned changed)
{
	struct journal_server server = {
		.name = "server", .endpoint = server_endpoint(number, changed)};
	size_t place;

	if (s->servers >= SERVERS || journal_add_server(s->journal, &server, &place))
		return;
	s->servers++;
	probe_add_server(s->probe, s->now_us, place);
}

/* One thing happens, at deadline_us at the latest. */
static void happen(struct script *s, uint64_t deadline_us)
{
	uint8_t what = reader_u8(&s->bytes);

	if (!reader_left(&s->bytes)) {
		probe_servers_complete(s->probe);
		s->now_us = deadline_us;
		return;
	}
	switch (what >> 5) {
	case 0:
		s->now_us = deadline_us;
		break;
	case 1: /* between now and then */
		s->now_us += (deadline_us - s->now_us) * (what & 31) / 32;
		break;
	case 2: /* overslept */
		s->now_us = deadline_us + ((uint64_t)1 << (what & 31));
		break;
	case 3:
		give_error(s, what);
		break;
	case 4:
		if (what & 1)
			probe_servers_complete(s->probe);
		else if (what & 2)
			probe_connected(
				s->probe, s->now_us, reader_u8(&s->bytes), -(what & 8 ? 0 : EIO));
		else if (what & 4)
			probe_finish(s->probe, s->now_us);
		else
			add_server(s, what >> 3 & 3, reader_u8(&s->bytes));
		break;
	default:
		give_input(s, what);
		break;
	}
}

/* --- what it does --- */

static void open_socket(struct script *s, const struct probe_output *out)
{
	struct endpoint local = {FAMILY_IPV4, (uint16_t)(40000 + out->socket), 0, {10, 0, 1, 2}};
	bool fails = reader_u8(&s->bytes) == 0xff;

	require(out->socket < PROBE_SOCKETS && !s->opened[out->socket]);
	s->opened[out->socket] = !fails;
	s->local[out->socket] = local;
	probe_opened(s->probe, s->now_us, out->socket, fails ? -EADDRINUSE : 0, &local);
}

static void take_packet(struct script *s, const struct probe_output *out)
{
	struct sent *sent = &s->sent[s->sent_count++ % SENT_MAX];
	struct stun_message m;

	require(out->socket < PROBE_SOCKETS && s->opened[out->socket]);
	require(endpoint_is_unicast(&out->to) && out->to.family == FAMILY_IPV4);
	require(!endpoint_same_address(&out->to, &s->local[out->socket]));
	require(!stun_decode(out->data, out->length, &m));
	require(m.class == STUN_REQUEST && m.method == STUN_BINDING && !m.classic);
	sent->socket = out->socket;
	sent->to = out->to;
	sent->id = m.id;
	sent->length = out->length;
	memcpy(sent->data, out->data, out->length);
	require(s->sent_count <=
		SENDS_MAX * (QUESTIONS_EACH * s->servers + QUESTIONS_ONCE) + LADDER_SENDS);
	require(!out->ttl || (s->with_ttl++ < LADDER_SENDS && out->ttl <= 24));
}

/* Everything it wants done at this moment; false when it is over. */
static bool serve(struct script *s, uint64_t *deadline_us)
{
	for (int i = 0; i < ACTIONS_MAX; i++) {
		struct probe_output out;

		switch (probe_poll(s->probe, s->now_us, &out)) {
		case PROBE_OPEN:
			open_socket(s, &out);
			break;
		case PROBE_SEND:
			take_packet(s, &out);
			break;
		case PROBE_CONNECT:
			if (reader_u8(&s->bytes) & 1)
				probe_connected(
					s->probe, s->now_us, out.observation, -ECONNREFUSED);
			break;
		case PROBE_WAIT:
			require(out.deadline_us > s->now_us);
			*deadline_us = out.deadline_us;
			return true;
		case PROBE_DONE:
			return false;
		}
	}
	abort();
}

/* --- afterwards --- */

static void check_basis(const struct journal *j, const struct basis *b)
{
	require(b->evidence_count <= BASIS_EVIDENCE && strlen(b->text) < sizeof(b->text));
	for (size_t i = 0; i < b->evidence_count; i++)
		require(b->evidence[i] < j->observation_count);
}

static void check_behaviour(const struct journal *j, const struct behaviour *b)
{
	const struct basis *all[] = {&b->status_basis, &b->nat_basis, &b->mapping_basis,
		&b->filtering_basis, &b->hairpin_basis, &b->preservation_basis,
		&b->allocation_basis, &b->pooling_basis, &b->early_basis};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		check_basis(j, all[i]);
	require(b->external_count <= BEHAVIOUR_EXTERNAL);
	require(b->allocation.low <= b->allocation.high);
	/* what is not known has a reason */
	require(b->mapping || *b->mapping_basis.text);
	require(b->filtering || *b->filtering_basis.text);
	require(b->early || *b->early_basis.text);
	require(b->hairpin || *b->hairpin_basis.text);
	require(b->reach.last <= 24 && b->reach.target <= 24);
	require(!b->reach.lost || b->reach.reached == TRI_UNKNOWN);
}

static void check_journal(const struct journal *j)
{
	static struct finding findings[FINDINGS_MAX];
	static struct verdict v;

	for (size_t i = 0; i < j->observation_count; i++)
		require(j->observations[i].state != OBSERVATION_OPEN);
	require(j->trace_count <= 1);
	for (size_t i = 0; i < j->trace_count; i++)
		require(j->traces[i].hop_count <= 24 &&
			j->traces[i].observation < j->observation_count);
	judge(j, &v);
	check_behaviour(j, &v.udp4);
	check_behaviour(j, &v.udp6);
	require(judge_findings(j, &v, findings) <= FINDINGS_MAX);
}

static void run(struct script *s)
{
	uint64_t deadline_us;
	unsigned steps = 0;

	while (serve(s, &deadline_us)) {
		happen(s, deadline_us);
		require(++steps < STEPS_MAX);
	}
	/* … and it stays there */
	for (int i = 0; i < 4; i++) {
		give_input(s, 0);
		s->now_us += 1000000;
		require(!serve(s, &deadline_us));
	}
}

static void empty(struct journal *j)
{
	memset(j->observations, 0, j->observation_count * sizeof(*j->observations));
	memset(j->servers, 0, sizeof(j->servers));
	j->observation_count = j->event_count = j->server_count = j->strangers = 0;
	j->trace_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script s;
	static struct journal *journal; /* five megabytes: kept, and emptied each time */
	struct probe_config config = {.family = FAMILY_IPV4};

	memset(&s, 0, sizeof(s));
	s.bytes = reader_over(data, size);
	s.now_us = START_US;
	config.tests = reader_u8(&s.bytes);
	config.trace = !(config.tests & 128);
	config.limit_us = (uint64_t)reader_u8(&s.bytes) * 40000 + 1;
	random_init_number(&s.random, reader_u8(&s.bytes));
	if (!journal && journal_create(START_US, &journal))
		return 0;
	empty(journal);
	s.journal = journal;
	if (!probe_create(&config, s.journal, &s.random, s.now_us, &s.probe)) {
		add_server(&s, 0, 0);
		run(&s);
		check_journal(s.journal);
	}
	probe_destroy(s.probe);
	return 0;
}
