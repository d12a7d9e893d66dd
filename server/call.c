// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/call.h"
#include "server/quota.h"

#define NEVER	    UINT64_MAX
#define THIRD_PORTS (CALL_FROM_THIRD | CALL_FROM_THIRD_ADDRESS)

enum state {
	STATE_FREE,
	STATE_WAITING, /* for its moment */
	STATE_CALLING,
	STATE_CONNECTED,
	STATE_CANCELLED, /* its socket is to be closed */
};

struct call {
	enum state state;
	uint64_t connection; /* over which it was asked for */
	struct stun_id id;
	enum call_from which;
	struct endpoint from, to;
	int error; /* it could not be bound */
	uint64_t due_us, begun_us;
	uint32_t patience_us;
	unsigned local; /* index of our endpoint, but for its port */
	uint8_t answered_ttl, reset_ttl; /* of the newest SYN-ACK and RST; 0: none was seen */
};

struct calls {
	struct calls_config config;
	struct calls_counts counts;
	uint64_t next_us; /* nothing is due before */
	unsigned count;
	struct call table[CALLS_MAX];
	struct quota *quota;
};

/* One request being dealt with. */
struct exchange {
	struct calls *calls;
	uint64_t now_us;
	const struct calls_input *in;
	struct call_message m;
	struct calls_output *out;
};

static void clear(struct calls_output *out)
{
	memset(out, 0, offsetof(struct calls_output, bytes));
}

static void finish(struct calls_output *out, const struct call_message *m)
{
	int length = call_encode(m, out->bytes, sizeof(out->bytes));

	out->length = length > 0 ? (size_t)length : 0;
}

static void wake_at(struct calls *c, uint64_t due_us)
{
	if (due_us < c->next_us)
		c->next_us = due_us;
}

static void release(struct calls *c, struct call *call)
{
	call->state = STATE_FREE;
	c->count--;
}

/* --- limits --- */

/* All of them or none. 0 or an enum call_error. */
static uint16_t charge(const struct exchange *x, unsigned wanted)
{
	struct calls *c = x->calls;
	unsigned own = 0;
	int err;

	for (unsigned i = 0; i < CALLS_MAX; i++)
		own += c->table[i].state != STATE_FREE &&
			c->table[i].connection == x->in->connection;
	if (own + wanted > CALLS_PER_CONNECTION ||
		x->in->tally->made + wanted > CALLS_OF_CONNECTION)
		return CALL_QUOTA;
	if (c->count + wanted > CALLS_MAX)
		return CALL_BUSY;
	err = quota_take(c->quota, x->now_us, &x->in->from, wanted);
	return err == -EDQUOT ? CALL_QUOTA : err ? CALL_BUSY : 0;
}

/* --- requests --- */

static struct call_message answer_to(const struct exchange *x, enum stun_class class)
{
	return (struct call_message){.class = class, .id = x->m.id, .mapped = x->in->from};
}

/* Over UDP nobody has proved that he is there: then never longer than the request, and rather nothing. */
static void keep_short(struct exchange *x)
{
	if (!x->in->connection && x->out->length > x->in->length)
		x->out->length = 0;
}

static void refuse(struct exchange *x, uint16_t error)
{
	struct call_message m = answer_to(x, STUN_ERROR);

	m.error_code = error;
	x->out->error = error;
	if (x->calls)
		x->calls->counts.denied++;
	finish(x->out, &m);
	keep_short(x);
}

/* What call_decode does not take, but is a request of this method: 400, or 420 (RFC 8489 6.3.1). */
static void refuse_malformed(struct exchange *x)
{
	struct stun_message stun;
	struct stun_writer s;
	int length;

	if (stun_decode(x->in->data, x->in->length, &stun) || stun.class != STUN_REQUEST ||
		stun.classic || stun.method != CALL_METHOD)
		return;
	x->m.id = stun.id;
	refuse(x, CALL_BAD);
	if (!stun.unknown_count)
		return;
	s = stun_begin(x->out->bytes, sizeof(x->out->bytes), STUN_ERROR, CALL_METHOD, &stun.id);
	stun_add_error(&s, 420, "");
	stun_add_unknown(&s, stun.unknown, stun.unknown_count);
	stun_add_fingerprint(&s);
	length = stun_end(&s);
	x->out->length = length > 0 ? (size_t)length : 0;
	keep_short(x);
}

/* Of our endpoint from which this one, the number of a bit, calls; its port is another one for third ports. */
static unsigned local_of(const struct exchange *x, unsigned kind)
{
	static const uint8_t changes[CALL_FROM_KINDS] = {RESPONDER_PORT, RESPONDER_ADDRESS,
		RESPONDER_PORT | RESPONDER_ADDRESS, 0, RESPONDER_ADDRESS};

	return x->in->local ^ changes[kind];
}

/* Those that there are of what was asked for, and how many. */
static uint8_t possible(const struct exchange *x, unsigned *count)
{
	unsigned mask = 0;

	*count = 0;
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (x->m.from & 1u << i &&
			x->calls->config.advertised[local_of(x, i)].family != FAMILY_NONE) {
			mask |= 1u << i;
			(*count)++;
		}
	return (uint8_t)mask;
}

static unsigned find_free(const struct calls *c)
{
	unsigned number = 0;

	while (c->table[number].state != STATE_FREE)
		number++;
	return number;
}

static uint32_t patience_us(const struct call_message *m)
{
	uint32_t us = m->patience_ms * 1000u;

	return us && us < CALL_SILENT_US ? us : CALL_SILENT_US;
}

/* The endpoint from which it will call; FAMILY_NONE: it cannot. */
static struct endpoint add_call(struct exchange *x, unsigned kind)
{
	struct calls *c = x->calls;
	unsigned number = find_free(c), local = local_of(x, kind);
	struct call *call = &c->table[number];
	bool third = 1u << kind & THIRD_PORTS;

	*call = (struct call){.state = STATE_WAITING,
		.connection = x->in->connection,
		.id = x->m.id,
		.which = (enum call_from)(1u << kind),
		.from = c->config.advertised[local],
		.to = x->in->from,
		.local = local,
		.due_us = x->now_us + x->m.wait_ms * (uint64_t)1000,
		.patience_us = patience_us(&x->m)};
	if (third)
		call->from.port = 0;
	call->error = c->config.bind(c->config.context, number, local, &call->from.port);
	c->count++;
	c->counts.made++;
	x->in->tally->made++;
	wake_at(c, call->due_us);
	return call->error ? (struct endpoint){.family = FAMILY_NONE} : call->from;
}

static void accept_request(struct exchange *x)
{
	struct call_message m = answer_to(x, STUN_SUCCESS);
	unsigned wanted;
	uint16_t error;

	m.has_from = true;
	m.from = possible(x, &wanted);
	error = charge(x, wanted);
	if (error) {
		refuse(x, error);
		return;
	}
	for (unsigned i = 0; i < CALL_FROM_KINDS; i++)
		if (m.from & 1u << i)
			m.endpoint[i] = add_call(x, i);
	finish(x->out, &m);
}

void calls_input(
	struct calls *c, uint64_t now_us, const struct calls_input *in, struct calls_output *out)
{
	struct exchange x = {.calls = c, .now_us = now_us, .in = in, .out = out};

	clear(out);
	out->connection = in->connection;
	out->to = in->from;
	out->local = in->local;
	if (!endpoint_is_unicast(&in->from))
		return;
	if (call_decode(in->data, in->length, &x.m))
		refuse_malformed(&x);
	else if (x.m.class != STUN_REQUEST)
		return;
	else if (!c || !in->connection)
		refuse(&x, CALL_OFF);
	else if (!x.m.from || x.m.wait_ms > CALL_WAIT_MAX_MS)
		refuse(&x, CALL_BAD);
	else
		accept_request(&x);
}

/* --- what becomes of a call --- */

static void count(struct calls_counts *c, enum call_outcome outcome)
{
	switch (outcome) {
	case CALL_CONNECTED:
		c->connected++;
		break;
	case CALL_REFUSED:
		c->refused++;
		break;
	case CALL_UNREACHABLE:
		c->unreachable++;
		break;
	case CALL_SILENT:
		c->silent++;
		break;
	case CALL_LOCAL:
		c->local++;
		break;
	}
}

/* The indication, which greets on a new connection, too. */
static void report(struct calls *c, const struct call *call, uint64_t now_us,
	enum call_outcome outcome, const struct calls_event *e, struct calls_output *out)
{
	struct call_message m = {.class = STUN_INDICATION, .id = call->id};

	m.has_result = true;
	m.which = call->which;
	m.outcome = outcome;
	m.error = (uint16_t)-e->error;
	if (outcome == CALL_CONNECTED)
		m.ttl = call->answered_ttl;
	else if (outcome == CALL_REFUSED && !e->has_icmp)
		m.ttl = call->reset_ttl;
	m.elapsed_us = call->state == STATE_CALLING ? (uint32_t)(now_us - call->begun_us) : 0;
	m.has_icmp = e->has_icmp;
	m.icmp = e->icmp;
	m.icmp.quoted_from = call->from;
	count(&c->counts, outcome);
	out->connection = call->connection;
	out->outcome = outcome;
	out->elapsed_us = m.elapsed_us;
	out->called = call->to;
	out->from = call->from;
	finish(out, &m);
}

static enum call_outcome outcome_of(const struct calls_event *e)
{
	if (e->local)
		return CALL_LOCAL;
	switch (-e->error) {
	case 0:
		return CALL_CONNECTED;
	case ECONNREFUSED:
	case ECONNRESET: /* a RST when two SYNs had crossed */
		return CALL_REFUSED;
	case ETIMEDOUT: /* here one may have set it to less than we would wait */
		return CALL_SILENT;
	default:
		return CALL_UNREACHABLE;
	}
}

void calls_event(
	struct calls *c, uint64_t now_us, const struct calls_event *event, struct calls_output *out)
{
	struct call *call = &c->table[event->number];
	bool decided = call->state == STATE_CALLING;

	clear(out);
	out->number = event->number;
	if (decided)
		report(c, call, now_us, outcome_of(event), event, out);
	if (decided && out->outcome == CALL_CONNECTED) {
		call->state = STATE_CONNECTED;
		call->due_us = now_us + CALL_LINGER_US;
		wake_at(c, call->due_us);
		out->step = CALLS_GREET;
	} else {
		release(c, call);
		out->step = CALLS_CLOSE;
	}
}

void calls_heard(struct calls *c, const struct calls_segment *s)
{
	bool reset = s->flags & PACKET_RST;

	for (unsigned i = 0; i < CALLS_MAX && c->count; i++) {
		struct call *call = &c->table[i];

		if (call->state != STATE_CALLING || call->from.port != s->port ||
			(call->local ^ s->local) & ~(unsigned)RESPONDER_PORT ||
			!endpoint_equal(&call->to, &s->from))
			continue;
		*(reset ? &call->reset_ttl : &call->answered_ttl) = s->ttl;
	}
}

void calls_closed(struct calls *c, uint64_t connection)
{
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &c->table[i];

		if (call->state == STATE_FREE || call->connection != connection)
			continue;
		c->counts.cancelled += call->state != STATE_CONNECTED;
		call->state = STATE_CANCELLED;
		call->due_us = 0;
		wake_at(c, 0);
	}
}

/* --- time --- */

static void begin(struct calls *c, uint64_t now_us, struct call *call, struct calls_output *out)
{
	struct calls_event e = {.error = call->error, .local = true};

	if (call->error) {
		report(c, call, now_us, CALL_LOCAL, &e, out);
		release(c, call);
		return;
	}
	call->state = STATE_CALLING;
	call->begun_us = now_us;
	call->due_us = now_us + call->patience_us;
	wake_at(c, call->due_us);
	out->step = CALLS_CONNECT;
	out->to = call->to;
}

static void give_up(struct calls *c, uint64_t now_us, struct call *call, struct calls_output *out)
{
	struct calls_event silence = {.error = 0};

	if (call->state == STATE_CALLING)
		report(c, call, now_us, CALL_SILENT, &silence, out);
	release(c, call);
	out->step = CALLS_CLOSE;
}

/* The one that is due first, or NULL; then nothing is before next_us. */
static struct call *find_due(struct calls *c, uint64_t now_us)
{
	struct call *first = NULL;

	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &c->table[i];

		if (call->state != STATE_FREE && (!first || call->due_us < first->due_us))
			first = call;
	}
	if (first && first->due_us <= now_us)
		return first;
	c->next_us = first ? first->due_us : NEVER;
	return NULL;
}

bool calls_poll(struct calls *c, uint64_t now_us, struct calls_output *out)
{
	struct call *call = c->next_us <= now_us ? find_due(c, now_us) : NULL;

	if (!call)
		return false;
	clear(out);
	out->number = (unsigned)(call - c->table);
	if (call->state == STATE_WAITING)
		begin(c, now_us, call, out);
	else
		give_up(c, now_us, call, out);
	return true;
}

uint64_t calls_next_us(const struct calls *c)
{
	return c->next_us;
}

const struct calls_counts *calls_counts(const struct calls *c)
{
	return &c->counts;
}

/* --- making and ending --- */

int calls_create(struct calls **out, const struct calls_config *config,
	const uint8_t key[static SOURCES_KEY_BYTES])
{
	struct calls *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = quota_create(&c->quota, CALLS_PER_MINUTE, CALLS_OF_SOURCE, key);
	if (err) {
		free(c);
		return err;
	}
	c->config = *config;
	c->next_us = NEVER;
	*out = c;
	return 0;
}

void calls_destroy(struct calls *c)
{
	if (!c)
		return;
	quota_destroy(c->quota);
	free(c);
}
