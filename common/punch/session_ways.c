// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <sodium.h>
#include <string.h>

#include "punch/session_private.h"

/* The checks of the session's transport: checks.h or tcp_checks.h. */

bool session_has_ways(const struct session *s)
{
	return s->checks || s->tcp_checks;
}

void session_ways_create(struct session *s)
{
	struct tcp_checks_config config = {
		.checks = {.controlling = !s->view.side, .trail = s->config.trail},
		.first_socket = SESSION_LINKS};
	struct checks_config *c = &config.checks;

	memcpy(c->key_out, s->keys.send.mac, sizeof(c->key_out));
	memcpy(c->key_in, s->keys.receive.mac, sizeof(c->key_in));
	random_bytes(&s->config.random, c->random.seed, sizeof(c->random.seed));
	if (s->config.tcp && !tcp_checks_create(&config, &s->tcp_checks))
		s->view.checks = tcp_checks_result(s->tcp_checks);
	if (!s->config.tcp && !checks_create(c, &s->checks))
		s->view.checks = checks_result(s->checks);
	sodium_memzero(&config, sizeof(config));
	session_set_mains(s);
}

void session_ways_destroy(struct session *s)
{
	checks_destroy(s->checks);
	tcp_checks_destroy(s->tcp_checks);
	s->checks = NULL;
	s->tcp_checks = NULL;
	s->view.checks = NULL;
}

void session_set_mains(struct session *s)
{
	static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};

	for (int f = 0; f < 2; f++) {
		if (s->main[f].state != OPENING_DONE)
			continue;
		if (s->tcp_checks)
			tcp_checks_set_main(s->tcp_checks, families[f], s->main[f].local.port);
		else if (s->checks)
			checks_set_main(s->checks, families[f], s->main[f].socket);
	}
}

void session_ways_add(struct session *s, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched)
{
	if (s->tcp_checks)
		tcp_checks_add_candidate(s->tcp_checks, now_us, kind, e, vouched);
	else
		checks_add_candidate(s->checks, now_us, kind, e, vouched);
}

/* --- attempts --- */

void session_ways_begin(struct session *s, uint64_t now_us, unsigned number, bool further)
{
	unsigned place = s->view.attempt - 1;
	const struct plan *p = &s->view.plans.plan[place];
	const struct checks_attempt attempt = {.number = number,
		.role = p->role[s->view.side],
		.further = further,
		.rate_pps = p->rate,
		.family = s->view.family,
		.first_socket = SESSION_FURTHER};
	const struct tcp_checks_attempt tcp = {.number = number,
		.role = s->tcp_advice.plans[place].role[s->view.side],
		.further = further,
		.rate_cps = p->rate,
		.family = s->view.family};

	if (s->tcp_checks)
		tcp_checks_begin(s->tcp_checks, now_us, &tcp);
	else
		checks_begin(s->checks, now_us, &attempt);
}

unsigned session_ways_further(const struct session *s)
{
	return s->tcp_checks ? tcp_checks_further(s->tcp_checks) : checks_further(s->checks);
}

/* Their ports, too, are what the peer has to know. */
bool session_ways_are_open(struct session *s)
{
	struct hello *own = &s->view.own;

	if (!s->tcp_checks)
		return checks_are_open(s->checks);
	own->port_count = tcp_checks_ports(s->tcp_checks, own->ports);
	return tcp_checks_are_open(s->tcp_checks);
}

void session_ways_go(struct session *s, uint64_t now_us, const struct checks_target *target)
{
	if (s->tcp_checks)
		tcp_checks_go(s->tcp_checks, now_us, target);
	else
		checks_go(s->checks, now_us, target);
}

void session_ways_release(struct session *s, uint64_t now_us)
{
	if (s->tcp_checks)
		tcp_checks_release(s->tcp_checks, now_us);
	else
		checks_release(s->checks, now_us);
}

bool session_ways_candidates_are_tried(const struct session *s)
{
	return s->tcp_checks ? tcp_checks_candidates_are_tried(s->tcp_checks)
			     : checks_candidates_are_tried(s->checks);
}

bool session_ways_have_sent_all(const struct session *s)
{
	return s->tcp_checks ? tcp_checks_has_sent_all(s->tcp_checks)
			     : checks_has_sent_all(s->checks);
}

void session_ways_pause(struct session *s)
{
	if (s->tcp_checks)
		tcp_checks_pause(s->tcp_checks);
	else if (s->checks)
		checks_pause(s->checks);
}

void session_ways_again(struct session *s)
{
	if (s->tcp_checks)
		tcp_checks_again(s->tcp_checks);
	else
		checks_again(s->checks);
}

/* --- output and input --- */

static void copy_data(const uint8_t *data, size_t length, struct session_output *out)
{
	out->length = length;
	memcpy(out->data, data, length);
}

static bool poll_udp(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	struct checks_output c;

	out->socket = c.socket = 0;
	switch (checks_poll(s->checks, now_us, &c)) {
	case CHECKS_OPEN:
		return session_want_open(out, c.socket, c.to.family);
	case CHECKS_CLOSE:
		out->action = SESSION_CLOSE;
		out->socket = c.socket;
		return true;
	case CHECKS_SEND:
		out->action = SESSION_SEND;
		out->socket = c.socket;
		out->to = c.to;
		out->ttl = c.ttl;
		copy_data(c.data, c.length, out);
		return true;
	default:
		break;
	}
	if (c.deadline_us < *deadline_us)
		*deadline_us = c.deadline_us;
	return false;
}

static bool poll_tcp(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	static const enum session_action actions[] = {[TCP_CHECKS_OPEN] = SESSION_OPEN,
		[TCP_CHECKS_LISTEN] = SESSION_LISTEN,
		[TCP_CHECKS_CONNECT] = SESSION_CONNECT,
		[TCP_CHECKS_SEND] = SESSION_SEND,
		[TCP_CHECKS_CLOSE] = SESSION_CLOSE};
	struct tcp_checks_output c;

	if (tcp_checks_poll(s->tcp_checks, now_us, &c) == TCP_CHECKS_WAIT) {
		if (c.deadline_us < *deadline_us)
			*deadline_us = c.deadline_us;
		return false;
	}
	out->action = actions[c.action];
	out->socket = c.socket;
	out->family = c.to.family;
	out->port = c.port;
	out->syns = c.syns;
	out->ttl = c.ttl;
	out->to = c.to;
	copy_data(c.data, c.length, out);
	return true;
}

bool session_ways_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us)
{
	if (s->tcp_checks)
		return poll_tcp(s, now_us, out, deadline_us);
	return s->checks && poll_udp(s, now_us, out, deadline_us);
}

void session_ways_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local)
{
	struct hello *own = &s->view.own;

	if (s->tcp_checks)
		tcp_checks_opened(s->tcp_checks, now_us, socket, error, local);
	if (!s->checks)
		return;
	checks_opened(s->checks, now_us, socket, error);
	if (!error && own->port_count < CHECKS_PORTS)
		own->ports[own->port_count++] = local->port;
}

bool session_ways_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length)
{
	if (!s->tcp_checks)
		return s->checks && checks_input(s->checks, now_us, socket, from, data, length);
	tcp_checks_input(s->tcp_checks, now_us, socket, data, length);
	return true;
}
