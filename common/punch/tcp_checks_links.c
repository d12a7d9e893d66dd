// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>

#include "punch/tcp_checks_private.h"

/* Whom to connect to from which port, and when again. */

#define RATE_CPS      200
#define STRANGER_SYNS 2
/*
 * Before a third one: with TCP_SYNCNT 1 there are two in all, after 0 and 1 s, but three from Linux 6.5 on, the third after
 * 2 s (net.ipv4.tcp_syn_linear_timeouts; seen with 6.18).
 */
#define STRANGER_US 1900000
#define CANDIDATE_TRIES \
	20 /* of an endpoint that the plan is not about: the peer may not listen yet */
#define CANDIDATE_US 250000
#define TAKEN_US     100000 /* until a connection between the same two endpoints is over */
#define TAKEN_TRIES  50
#define PAUSE_MIN_US 1000 /* from one try to the next, whatever comes back at once */
#define TTL_UNHEEDED 32 /* arrives everywhere, and what the peer sends comes with more */

static struct random *random_of(struct tcp_checks *c)
{
	return &c->config.checks.random;
}

/* --- the table of links --- */

struct link *tcp_checks_find_link(
	struct tcp_checks *c, unsigned place, const struct endpoint *remote)
{
	for (unsigned i = 0; i < c->link_count; i++) {
		struct link *l = &c->links[i];

		if (l->state != LINK_NONE && l->port == place && endpoint_equal(&l->remote, remote))
			return l;
	}
	return NULL;
}

struct link *tcp_checks_add_link(
	struct tcp_checks *c, unsigned place, const struct endpoint *remote, enum check_kind kind)
{
	unsigned i = 0;

	while (i < c->link_count && c->links[i].state != LINK_NONE)
		i++;
	if (i == TCP_CHECKS_LINKS)
		return NULL;
	if (i == c->link_count)
		c->link_count++;
	c->links[i] = (struct link){.state = LINK_WAITING,
		.port = place,
		.socket = NO_SOCKET,
		.old = NO_SOCKET,
		.remote = *remote,
		.kind = kind};
	return &c->links[i];
}

void tcp_checks_end_link(struct tcp_checks *c, struct link *l)
{
	if (l->state == LINK_ASKED) {
		tcp_checks_owner(c, l->socket)->kind = OWNER_LATE;
		l->socket = NO_SOCKET;
	}
	tcp_checks_drop(c, &l->socket);
	tcp_checks_drop(c, &l->old);
	c->accepted -= l->accepted && l->state == LINK_OPEN && !l->proved;
	l->state = LINK_DONE;
	if (l->accepted) { /* more may come in, one after the other, than there are places */
		l->state = LINK_NONE;
		l->of_plan = false;
	}
	if (c->chosen == l)
		c->chosen = NULL;
}

/* Whether there may be one more attempt to connect to an address for which nobody vouches, which is this one. */
static bool spend_stranger(struct tcp_checks *c, const struct endpoint *e)
{
	for (unsigned i = 0; i < c->stranger_count; i++)
		if (endpoint_same_address(&c->strangers[i], e))
			return false;
	if (c->stranger_count == TCP_CHECKS_STRANGERS)
		return false;
	c->strangers[c->stranger_count++] = *e;
	return true;
}

int tcp_checks_add_candidate(struct tcp_checks *c, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched)
{
	unsigned place = e->family == FAMILY_IPV6;
	struct link *l;

	if (!endpoint_is_unicast(e) || endpoint_is_loopback(e))
		return -EINVAL;
	if (c->ports[place].state != PORT_OPEN || tcp_checks_find_link(c, place, e))
		return 0;
	if (!vouched && !spend_stranger(c, e))
		return -ENOSPC;
	l = tcp_checks_add_link(c, place, e, kind);
	if (!l)
		return -ENOSPC;
	l->stranger = !vouched;
	l->next_us = now_us;
	return 0;
}

bool tcp_checks_candidates_are_tried(const struct tcp_checks *c)
{
	for (unsigned i = 0; i < c->link_count; i++) {
		const struct link *l = &c->links[i];

		if (!l->of_plan && !l->accepted && !l->tries && l->state != LINK_NONE &&
			l->state != LINK_DONE)
			return false;
	}
	return true;
}

/* --- the plan --- */

static bool has_target(const struct tcp_checks *c)
{
	return c->target.peer.family != FAMILY_NONE;
}

/* Another port of the peer's address, behind which nobody is expected. */
static struct endpoint beside(struct endpoint e)
{
	e.port = e.port > 1 ? e.port ^ 1 : 2;
	return e;
}

void tcp_checks_plan_go(struct tcp_checks *c, uint64_t now_us)
{
	const struct pair_tcp_role *role = &c->attempt.role;
	uint32_t rate = c->attempt.rate_cps ? c->attempt.rate_cps : RATE_CPS;

	c->guess_count = c->guess_next = c->plan_tries = 0;
	c->guess_us = now_us;
	c->interval_us = 1000000 / rate;
	if (!has_target(c) || !role->connects)
		return;
	guess_init(&c->order, &c->attempt.role.aim, random_of(c));
	if (role->aside || c->target.claimed)
		c->guess_count = 1;
	else if (role->aim.targets == PAIR_KNOWN)
		c->guess_count = c->further ? c->further : 1;
	else if (role->aim.targets != PAIR_PRESERVED || c->target.port_count)
		c->guess_count = role->aim.guesses;
}

void tcp_checks_plan_end(struct tcp_checks *c)
{
	for (unsigned i = 0; i < c->link_count; i++) {
		struct link *l = &c->links[i];
		bool further = l->port >= 2 && l->state != LINK_NONE;

		if (!l->of_plan && !further)
			continue;
		l->of_plan = false;
		/* what is connected may still be proved */
		if (l->state != LINK_OPEN) {
			tcp_checks_end_link(c, l);
			l->state = LINK_NONE;
		}
	}
	for (unsigned i = 2; i < 2 + c->further; i++)
		tcp_checks_close_port(c, i);
	c->further = c->guess_count = 0;
}

static unsigned main_place(const struct tcp_checks *c)
{
	return c->attempt.family == FAMILY_IPV6;
}

/* The port that the plan says; if it could not be opened, the next one. */
static unsigned place_for(const struct tcp_checks *c, unsigned number)
{
	const struct pair_tcp_role *role = &c->attempt.role;
	unsigned wanted =
		role->aim.targets == PAIR_KNOWN ? number : pair_socket(&role->aim, number);

	if (!c->further)
		return c->ports[main_place(c)].state == PORT_OPEN ? main_place(c) : PORTS;
	for (unsigned i = 0; i < c->further; i++) {
		unsigned place = 2 + (wanted + i) % c->further;

		if (c->ports[place].state == PORT_OPEN)
			return place;
	}
	return PORTS;
}

static struct endpoint remote_for(const struct tcp_checks *c, unsigned number)
{
	const struct pair_tcp_role *role = &c->attempt.role;

	if (role->aside)
		return beside(c->target.peer);
	return role->aim.targets == PAIR_KNOWN ? c->target.peer
					       : guess_endpoint(&c->order, &c->target, number);
}

/* A port of the main socket that was a candidate before is of the plan from now on. */
static void add_guess(struct tcp_checks *c, uint64_t now_us, unsigned number)
{
	unsigned place = place_for(c, number);
	struct endpoint remote = remote_for(c, number);
	struct link *l;

	if (place == PORTS || !endpoint_is_unicast(&remote) || !remote.port)
		return;
	l = tcp_checks_find_link(c, place, &remote);
	/* as a candidate it may have had its attempt, or is about to */
	if (c->target.claimed && !(l && l->stranger && !l->tries) && !spend_stranger(c, &remote))
		return;
	if (l && l->state == LINK_DONE)
		l->state = LINK_WAITING;
	else if (!l)
		l = tcp_checks_add_link(c, place, &remote,
			c->attempt.role.aim.targets == PAIR_KNOWN ? CHECK_SERVER_REFLEXIVE
								  : CHECK_PREDICTED);
	if (!l)
		return;
	l->of_plan = true;
	l->stranger = c->target.claimed && (l->stranger || l->state == LINK_WAITING);
	if (l->state == LINK_WAITING)
		l->next_us = now_us;
}

static void make_guesses(struct tcp_checks *c, uint64_t now_us, uint64_t *deadline_us)
{
	while (c->guess_next < c->guess_count && c->guess_us <= now_us) {
		add_guess(c, now_us, c->guess_next++);
		c->guess_us += c->interval_us;
	}
	if (c->guess_next < c->guess_count && c->guess_us < *deadline_us)
		*deadline_us = c->guess_us;
}

bool tcp_checks_has_sent_all(const struct tcp_checks *c)
{
	if (c->guess_next < c->guess_count)
		return false;
	for (unsigned i = 0; i < c->link_count; i++)
		if (c->links[i].of_plan && !c->links[i].tries && c->links[i].state != LINK_DONE)
			return false;
	return true;
}

/* --- again --- */

static bool is_taken(int error)
{
	return error == -EADDRNOTAVAIL || error == -EADDRINUSE;
}

/* How long until the next try; UINT64_MAX: there is none. */
static uint64_t pause_us(struct tcp_checks *c, uint64_t now_us, const struct link *l, int error)
{
	const struct pair_tcp_role *role = &c->attempt.role;

	bool outlived = l->port >= 2 && !l->of_plan; /* its port is another one's now */

	if (l->stranger || l->accepted || outlived || error == -ETIMEDOUT || error == -EACCES)
		return UINT64_MAX;
	if (is_taken(error))
		return l->tries < TAKEN_TRIES ? TAKEN_US : UINT64_MAX;
	if (!l->of_plan)
		return l->tries < CANDIDATE_TRIES ? CANDIDATE_US : UINT64_MAX;
	if (!role->retry_high_us || c->plan_tries >= role->aim.packets)
		return UINT64_MAX;
	/* the own NAT still lets the peer in, and its SYN has to find a socket */
	if (l->icmp)
		return l->tried_us + PAUSE_MIN_US > now_us ? l->tried_us + PAUSE_MIN_US - now_us
							   : 0;
	return role->retry_low_us +
		random_below(random_of(c), role->retry_high_us - role->retry_low_us + 1);
}

void tcp_checks_fail_link(struct tcp_checks *c, uint64_t now_us, struct link *l, int error)
{
	uint64_t us = pause_us(c, now_us, l, error);

	if (us == UINT64_MAX || (c->paused && !l->of_plan)) {
		tcp_checks_end_link(c, l);
		return;
	}
	if (c->chosen == l)
		c->chosen = NULL;
	if (l->socket != NO_SOCKET) {
		tcp_checks_drop(c, &l->old);
		l->old = l->socket;
		tcp_checks_owner(c, l->old)->kind = OWNER_OLD;
		l->socket = NO_SOCKET;
	}
	l->state = LINK_WAITING;
	l->icmp = false;
	l->next_us = now_us + us;
}

void tcp_checks_icmp(struct tcp_checks *c, unsigned socket)
{
	struct owner *o = tcp_checks_owner(c, socket);

	if (o->kind == OWNER_LINK)
		c->links[o->place].icmp = true;
}

/* --- output --- */

static bool open_link(struct tcp_checks *c, struct link *l, struct tcp_checks_output *out)
{
	struct port *p = &c->ports[l->port];
	unsigned place = (unsigned)(l - c->links);

	if (p->holder != NO_SOCKET) { /* bound already, and of no other use */
		l->socket = p->holder;
		p->holder = NO_SOCKET;
		*tcp_checks_owner(c, l->socket) = (struct owner){OWNER_LINK, place};
		l->state = LINK_BOUND;
		return false;
	}
	l->socket = tcp_checks_new_socket(c, OWNER_LINK, place);
	if (l->socket == NO_SOCKET) {
		tcp_checks_end_link(c, l);
		return false;
	}
	l->state = LINK_ASKED;
	out->action = TCP_CHECKS_OPEN;
	out->socket = l->socket;
	out->port = p->number;
	out->to.family = p->family;
	return true;
}

/* A second SYN that ends on the way would help nobody who is not helped by the first. */
static uint8_t ttl_for(const struct tcp_checks *c, const struct link *l)
{
	const struct pair_tcp_role *role = &c->attempt.role;

	if (!l->of_plan || l->remote.family != FAMILY_IPV4)
		return 0;
	if (role->unheeding)
		return TTL_UNHEEDED;
	return l->tries == 1 ? role->aim.low_ttl : 0;
}

static bool connect_link(
	struct tcp_checks *c, uint64_t now_us, struct link *l, struct tcp_checks_output *out)
{
	l->state = LINK_CONNECTING;
	l->next_us = now_us + STRANGER_US;
	l->tries++;
	l->tried_us = now_us;
	l->ttl = ttl_for(c, l);
	c->plan_tries += l->of_plan;
	if (!c->result.first_sent_us)
		c->result.first_sent_us = now_us;
	tcp_checks_note(c, now_us, TRAIL_SENT, l, 0);
	out->action = TCP_CHECKS_CONNECT;
	out->socket = l->socket;
	out->to = l->remote;
	out->syns = l->stranger ? STRANGER_SYNS : 0;
	out->ttl = l->ttl;
	return true;
}

static void heed_stranger(
	struct tcp_checks *c, uint64_t now_us, struct link *l, uint64_t *deadline_us)
{
	if (l->state != LINK_CONNECTING || !l->stranger)
		return;
	if (now_us >= l->next_us) {
		tcp_checks_fail_link(c, now_us, l, -ETIMEDOUT);
		*deadline_us = now_us; /* to close it */
	} else if (l->next_us < *deadline_us) {
		*deadline_us = l->next_us;
	}
}

static bool is_held(const struct tcp_checks *c, const struct link *l)
{
	return l->of_plan ? c->held : c->paused;
}

bool tcp_checks_poll_links(
	struct tcp_checks *c, uint64_t now_us, struct tcp_checks_output *out, uint64_t *deadline_us)
{
	if (c->active && !c->held)
		make_guesses(c, now_us, deadline_us);
	for (unsigned i = 0; i < c->link_count && !c->result.connected; i++) {
		struct link *l = &c->links[i];

		heed_stranger(c, now_us, l, deadline_us);
		if (l->state == LINK_WAITING && !is_held(c, l)) {
			if (l->next_us > now_us) {
				if (l->next_us < *deadline_us)
					*deadline_us = l->next_us;
				continue;
			}
			if (open_link(c, l, out))
				return true;
		}
		if (l->state == LINK_BOUND)
			return connect_link(c, now_us, l, out);
	}
	return false;
}
