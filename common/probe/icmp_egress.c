// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <netinet/in.h>
#include <string.h>

#include "probe/icmp_private.h"
#include "wire/packet.h"

/*
 * ICMP errors that this host sends. Three of them are about packets of others, as a router between the server and somewhere
 * else would send them: they belong to no mapping, and whether they leave at all is what punching by ICMP errors
 * stands on. One is about a packet that the server could have sent to a mapping of this host, and has to be translated
 * (RFC 5508 REQ-5). A raw socket is needed for all of them.
 */

#define MS	   1000u
#define COPIES	   4 /* from the second time on, of each that is missing */
#define ERRORS_MAX 9
#define PORT_AWAY  33434

static const struct {
	enum icmp_flow flow;
	uint8_t type[2], code[2]; /* of ICMP and ICMPv6 */
	bool echo; /* it quotes an echo request, and not UDP */
} kinds[ICMP_EGRESSES] = {
	{ICMP_FLOW_FOREIGN, {11, 3}, {0, 0}, false},
	{ICMP_FLOW_FOREIGN, {3, 1}, {3, 4}, false},
	{ICMP_FLOW_FOREIGN, {11, 3}, {0, 0}, true},
	{ICMP_FLOW_UDP, {3, 1}, {3, 4}, false},
};

static bool is_ipv6(const struct icmp_probe *p)
{
	return p->config.family == FAMILY_IPV6;
}

/* An address where nobody is: for measurements between networks (RFC 2544, RFC 5180). */
static struct endpoint nowhere(const struct icmp_probe *p)
{
	if (is_ipv6(p))
		return (struct endpoint){
			FAMILY_IPV6, PORT_AWAY, 0, {0x20, 0x01, 0, 2, [15] = 0x11}};
	return (struct endpoint){FAMILY_IPV4, PORT_AWAY, 0, {198, 18, 0, 17}};
}

/* The socket that has a mapping towards the server. */
static const struct icmp_socket *mapped_socket(const struct icmp_probe *p)
{
	return &p->sockets[p->chosen->socket];
}

static void put_egress(struct icmp_probe *p, uint64_t now_us)
{
	p->egress_put = true;
	for (unsigned i = 0; i < ICMP_EGRESSES; i++) {
		struct icmp_copies *c = &p->egress[i];
		struct endpoint to = p->chosen->endpoint;
		struct observation *o;

		to.port = 0;
		c->observation = icmp_probe_ask(p, QUESTION_EGRESS, p->chosen->socket, &to);
		c->at_us = now_us;
		c->due = 1;
		o = icmp_probe_observation(p, c->observation);
		if (!o)
			continue;
		o->local.port = 0;
		o->detail.flow = kinds[i].flow;
		o->detail.type = kinds[i].type[is_ipv6(p)];
		o->detail.code = kinds[i].code[is_ipv6(p)];
		o->detail.quoted_protocol = !kinds[i].echo ? IPPROTO_UDP
			: is_ipv6(p)			   ? IPPROTO_ICMPV6
							   : IPPROTO_ICMP;
		if (!p->config.raw)
			icmp_probe_refuse(p, now_us, c->observation, p->config.raw_error);
	}
	if (p->config.raw)
		icmp_probe_ask_token(p, now_us, ICMP_TOKEN_EGRESS);
}

static bool is_exhausted(const struct icmp_probe *p, const struct icmp_copies *c)
{
	return c->sent >= ERRORS_MAX || (c->sent >= 4 && icmp_probe_is_silent(p, c->sent));
}

/* Whether some of them have to be sent, or are on their way. */
static bool is_under_way(const struct icmp_probe *p, uint64_t now_us)
{
	for (unsigned i = 0; i < ICMP_EGRESSES; i++)
		if (icmp_probe_is_open(p, p->egress[i].observation) &&
			(p->egress[i].due || now_us < p->egress[i].at_us))
			return true;
	return false;
}

bool icmp_probe_egress_advance(struct icmp_probe *p, uint64_t now_us)
{
	const struct icmp_token *t = &p->tokens[ICMP_TOKEN_EGRESS];
	bool open = false;

	if (p->chosen->offers != ICMP_SERVICE_YES)
		return true;
	if (!p->egress_put)
		put_egress(p, now_us);
	for (unsigned i = 0; i < ICMP_EGRESSES; i++)
		open |= icmp_probe_is_open(p, p->egress[i].observation);
	if (open && t->known && !is_under_way(p, now_us))
		icmp_probe_ask_token(p, now_us, ICMP_TOKEN_EGRESS);
	if (!open || t->asked || t->polls < ICMP_POLLS)
		return !open;
	/* the server does not tell what it has seen */
	for (unsigned i = 0; i < ICMP_EGRESSES; i++)
		icmp_probe_settle(p, now_us, p->egress[i].observation, OBSERVATION_ERROR);
	return true;
}

/* After each look at what has arrived: what is missing is sent again, or is missing for good. */
static void repeat_missing(struct icmp_probe *p, uint64_t now_us)
{
	for (unsigned i = 0; i < ICMP_EGRESSES; i++) {
		struct icmp_copies *c = &p->egress[i];

		if (!icmp_probe_is_open(p, c->observation) || !c->sent)
			continue;
		if (is_exhausted(p, c))
			icmp_probe_settle(p, now_us, c->observation, OBSERVATION_SILENT);
		else
			c->due = COPIES;
	}
}

void icmp_probe_take_records(
	struct icmp_probe *p, uint64_t now_us, const struct icmp_inquiry *answer)
{
	const struct endpoint away = nowhere(p);

	for (unsigned i = 0; i < ICMP_EGRESSES; i++) {
		struct observation *o = icmp_probe_observation(p, p->egress[i].observation);
		unsigned recorded = 0;

		for (size_t k = 0; o && k < answer->record_count; k++) {
			const struct icmp_record *r = &answer->records[k];
			bool foreign = endpoint_same_address(&r->quoted_to, &away);

			if (r->kind != ICMP_KIND_ERROR || r->type != o->detail.type ||
				r->code != o->detail.code ||
				r->quoted_protocol != o->detail.quoted_protocol ||
				foreign != (o->detail.flow == ICMP_FLOW_FOREIGN) || recorded++)
				continue;
			o->detail.recorded_from = r->from;
			o->detail.recorded_to = r->to;
			o->detail.recorded_quoted = r->quoted_to;
		}
		if (!o || !recorded || o->state != OBSERVATION_OPEN)
			continue;
		o->detail.recorded = o->answers = recorded;
		o->answer.t_us = now_us;
		icmp_probe_settle(p, now_us, p->egress[i].observation, OBSERVATION_ANSWERED);
	}
	repeat_missing(p, now_us);
}

/* What the error quotes. */
static int build_quoted(const struct icmp_probe *p, unsigned kind, uint8_t *out, size_t size)
{
	struct endpoint from = p->chosen->endpoint, to = nowhere(p);
	uint8_t mark[ICMP_MARK_BYTES];

	icmp_write_mark(p->tokens[ICMP_TOKEN_EGRESS].bytes, mark);
	if (kinds[kind].echo)
		return packet_build_echo(out, size, &from, &to, 1, false, 1, mark, sizeof(mark));
	if (kinds[kind].flow == ICMP_FLOW_UDP)
		to = mapped_socket(p)->local;
	return packet_build_udp(out, size, &from, &to, 1, mark, sizeof(mark));
}

static bool send_error(
	struct icmp_probe *p, uint64_t now_us, unsigned kind, struct icmp_output *out)
{
	struct icmp_copies *c = &p->egress[kind];
	struct observation *o = icmp_probe_observation(p, c->observation);
	int length = build_quoted(p, kind, out->data, sizeof(out->data));

	if (length <= 0)
		return false;
	out->action = ICMP_SEND_ERROR;
	out->type = o->detail.type;
	out->code = o->detail.code;
	out->to = o->to;
	out->length = (size_t)length;
	icmp_probe_note_sent(p, now_us, c->observation, out->length);
	o->awaited = ++c->sent;
	c->due--;
	p->egress_latest = kind;
	c->at_us = now_us + p->chosen->rtt_us / 2 + 15 * MS;
	return true;
}

/* A filter of this host: nothing can be said of what comes behind it. */
void icmp_probe_error_unsent(struct icmp_probe *p, uint64_t now_us, int error)
{
	icmp_probe_refuse(p, now_us, p->egress[p->egress_latest].observation, -error);
}

bool icmp_probe_poll_egress(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us)
{
	if (!p->egress_put || !p->tokens[ICMP_TOKEN_EGRESS].known)
		return false;
	for (unsigned i = 0; i < ICMP_EGRESSES; i++) {
		struct icmp_copies *c = &p->egress[i];

		if (!icmp_probe_is_open(p, c->observation))
			continue;
		if (c->due && send_error(p, now_us, i, out))
			return true;
		icmp_probe_wake(deadline_us, now_us, c->at_us);
	}
	return false;
}
