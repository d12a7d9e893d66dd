// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/resolve.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "probe/icmp_probe.h"
#include "probe/probe.h"
#include "probe/run.h"
#include "probe/run_icmp.h"
#include "probe/run_tcp.h"
#include "probe/tcp_probe.h"

#define SIGNALS		  3
#define CONNECTS	  16
#define DATAGRAMS_AT_ONCE 64 /* taken from one socket before the others get their turn */
#define PROGRESS_US	  100000
#define CONNECT_US	  1800000 /* one SYN may be lost */
#define LATER_NAMES_US	  1500000 /* names that are not resolved by then are not asked without UDP */
#define RESOLVER_US	  2900000 /* when no name at all has been resolved by then, none will be */

struct lane; /* one address family */

struct run_socket {
	struct lane *lane;
	unsigned number;
	int fd;
	struct event *event;
};

struct run_connect {
	struct lane *lane;
	size_t observation;
	int fd;
	struct event *event;
};

struct lane {
	struct run *run;
	enum family family;
	struct probe *probe; /* NULL until the first server of this family is known */
	struct endpoint source;
	struct run_socket sockets[PROBE_SOCKETS];
	struct run_connect connects[CONNECTS];
	size_t connect_count;
	bool done;
	struct journal_server
		later_servers[SERVERLIST_MAX]; /* to be asked over TCP, and about ICMP */
	size_t later_server_count;
	struct run_tcp
		*tcp; /* NULL until all is known over UDP, so that neither disturbs the other */
	bool tcp_done;
	struct run_icmp *icmp; /* NULL until that is done, too */
	bool icmp_done;
};

struct run {
	const struct run_config *config;
	struct journal *journal;
	struct random *random;
	struct run_result *result;
	struct event_base *base;
	struct event *timer, *resolver_event, *signals[SIGNALS];
	struct resolver *resolver;
	size_t unresolved; /* names that the resolver still has */
	bool resolved[SERVERLIST_MAX];
	struct lane lanes[2];
	uint64_t progress_us;
	bool over;
};

static void turn(struct run *r);
static void on_change(void *argument);

static int lane_index(enum family family)
{
	return family == FAMILY_IPV4 ? 0 : 1;
}

static bool wants_udp(const struct run *r)
{
	return r->config->tests & PROBE_ANY_UDP;
}

static bool wants_tcp(const struct run *r)
{
	return r->config->tests & PROBE_ANY_TCP;
}

static bool wants_icmp(const struct run *r)
{
	return r->config->tests & PROBE_ANY_ICMP;
}

static bool wanted(const struct run *r, enum family family)
{
	return family == FAMILY_IPV4 ? r->config->ipv4 : r->config->ipv6;
}

/* --- sockets --- */

static void take_errors(struct run_socket *s)
{
	uint8_t quoted[STUN_MESSAGE_BYTES];
	struct udp_error e;

	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		struct icmp_seen seen;

		if (udp_receive_error(s->fd, quoted, sizeof(quoted), &e))
			return;
		seen = udp_error_seen(&e, clock_now_us());
		probe_error(s->lane->probe, seen.t_us, s->number, &e.to, &seen, quoted, e.quoted);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
	struct run_socket *s = argument;
	uint8_t data[2048];

	(void)what;
	take_errors(s);
	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		struct endpoint from;
		struct udp_meta meta;
		int n = udp_receive((int)fd, data, sizeof(data), &from, &meta);

		if (n == -EMSGSIZE) /* longer than anything that was asked for */
			continue;
		if (n < 0)
			break;
		probe_input(s->lane->probe, clock_now_us(), s->number, &from, meta.ttl, data,
			(size_t)n);
	}
	turn(s->lane->run);
}

static int open_socket(struct run_socket *s, const struct probe_output *out, struct endpoint *local)
{
	struct run *r = s->lane->run;
	int err;

	*local = s->lane->source;
	if (s->number || out->port) /* a port that the user fixed is the first socket's */
		local->port = out->port;
	err = udp_open(local, r->config->interface, UDP_META, &s->fd);
	if (!err)
		err = udp_local(s->fd, local);
	if (!err) {
		watch_opened(&r->config->watch, IPPROTO_UDP, local);
		s->event = event_new(r->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
		if (!s->event || event_add(s->event, NULL))
			err = -ENOMEM;
	}
	return err;
}

static void carry_open(struct lane *lane, uint64_t now_us, const struct probe_output *out)
{
	struct run_socket *s = &lane->sockets[out->socket];
	struct endpoint local;
	int err;

	s->lane = lane;
	s->number = out->socket;
	err = open_socket(s, out, &local);
	if (err && !out->port && !lane->run->result->error)
		lane->run->result->error = err;
	probe_opened(lane->probe, now_us, out->socket, err, &local);
}

static void carry_send(struct lane *lane, uint64_t now_us, const struct probe_output *out)
{
	int err = udp_send_ttl(
		lane->sockets[out->socket].fd, &out->to, out->ttl, out->data, out->length);

	if (err)
		probe_unsent(
			lane->probe, now_us, out->socket, &out->to, err, out->data, out->length);
}

/* --- TCP control --- */

static void end_connect(struct run_connect *c, int error)
{
	probe_connected(c->lane->probe, clock_now_us(), c->observation, error);
	if (c->event)
		event_free(c->event);
	c->event = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void on_connected(evutil_socket_t fd, short what, void *argument)
{
	struct run_connect *c = argument;
	struct run *r = c->lane->run;

	end_connect(c, what & EV_TIMEOUT ? -ETIMEDOUT : tcp_connect_result((int)fd));
	turn(r);
}

/* The port is known before the SYN leaves. */
static int start_connect(const struct lane *lane, struct observation *o, int *fd)
{
	struct endpoint local = lane->source;
	int err;

	local.port = 0;
	err = tcp_bind(&local, lane->run->config->interface, fd);
	if (err)
		return err;
	watch_socket(&lane->run->config->watch, IPPROTO_TCP, *fd);
	(void)udp_local(*fd, &o->local);
	return tcp_begin_connect(*fd, &o->to);
}

static void carry_connect(struct lane *lane, const struct probe_output *out)
{
	struct timeval limit = {.tv_sec = CONNECT_US / 1000000, .tv_usec = CONNECT_US % 1000000};
	struct run_connect *c;
	int err;

	if (lane->connect_count >= CONNECTS) {
		probe_connected(lane->probe, clock_now_us(), out->observation, -ETIMEDOUT);
		return;
	}
	c = &lane->connects[lane->connect_count++];
	*c = (struct run_connect){.lane = lane, .observation = out->observation, .fd = -1};
	err = start_connect(lane, &lane->run->journal->observations[out->observation], &c->fd);
	if (!err) {
		c->event = event_new(lane->run->base, c->fd, EV_WRITE, on_connected, c);
		if (!c->event || event_add(c->event, &limit))
			err = -ENOMEM;
	}
	if (err)
		end_connect(c, err);
}

/* --- servers --- */

static int lane_source(struct lane *lane, const struct endpoint *server)
{
	const struct endpoint *fixed = &lane->run->config->source[lane_index(lane->family)];
	struct endpoint any = {.family = fixed->family};
	int err;

	if (fixed->family != FAMILY_NONE && !endpoint_same_address(fixed, &any)) {
		lane->source = *fixed;
		return 0;
	}
	err = udp_source_towards(server, lane->run->config->interface, &lane->source);
	lane->source.port = fixed->port; /* also of "0.0.0.0:PORT" */
	return err;
}

/* Without a route nothing can be asked; that is an observation too. */
static void note_no_route(struct run *r, size_t place, int err)
{
	struct observation *o = journal_add_observation(r->journal);
	uint64_t now_us = clock_now_us();

	if (!o)
		return;
	o->question = QUESTION_BINDING;
	o->transport = r->journal->servers[place].transport;
	o->server = place;
	o->to = o->expect = r->journal->servers[place].endpoint;
	o->family = o->to.family;
	o->icmp = (struct icmp_seen){.count = 1, .t_us = now_us, .local = true, .error = -err};
	journal_settle(r->journal, now_us, o, OBSERVATION_REFUSED);
}

static int start_lane(struct lane *lane, const struct endpoint *server, uint64_t now_us)
{
	struct run *r = lane->run;
	uint64_t gone_us = now_us - r->journal->start_us;
	struct probe_config config = {.family = lane->family,
		.tests = r->config->tests,
		.trace = true,
		.limit_us = r->config->limit_us > gone_us ? r->config->limit_us - gone_us : 1};
	int err = lane_source(lane, server);

	if (err)
		return err;
	return probe_create(&config, r->journal, r->random, now_us, &lane->probe);
}

static void add_unresolved(struct run *r, const struct server_spec *spec, const char *problem)
{
	struct journal_server server = {.resolution = SERVER_UNRESOLVED,
		.transport = wants_udp(r) ? TRANSPORT_UDP
			: wants_tcp(r)	  ? TRANSPORT_TCP
					  : TRANSPORT_ICMP};
	size_t place;

	memcpy(server.name, spec->name, sizeof(server.name));
	snprintf(server.problem, sizeof(server.problem), "%s", problem);
	journal_add_server(r->journal, &server, &place);
}

/* What cannot be a server of this run, said in words. */
static bool refuse(struct run *r, const struct server_spec *spec, const struct endpoint *e)
{
	const struct lane *lane = &r->lanes[lane_index(e->family)];

	if (!endpoint_is_unicast(e)) {
		add_unresolved(r, spec, "not the address of one host");
		return true;
	}
	if (lane->source.family != FAMILY_NONE &&
		endpoint_is_loopback(e) != endpoint_is_loopback(&lane->source)) {
		add_unresolved(r, spec, "this host and others cannot be asked in one run");
		return true;
	}
	for (size_t i = 0; i < r->journal->server_count; i++) {
		if (!endpoint_equal(&r->journal->servers[i].endpoint, e))
			continue;
		add_unresolved(r, spec, "the same endpoint as another server of this run");
		return true;
	}
	return false;
}

static int start_tcp(struct lane *lane, uint64_t now_us)
{
	struct run *r = lane->run;
	uint64_t gone_us = now_us - r->journal->start_us;
	struct run_tcp_config config = {.base = r->base,
		.journal = r->journal,
		.random = r->random,
		.source = lane->source,
		.interface = r->config->interface,
		.tests = (r->config->tests & PROBE_TCP ? (unsigned)TCP_BEHAVIOUR : 0) |
			(r->config->tests & PROBE_TCP_HAIRPIN ? (unsigned)TCP_HAIRPIN : 0),
		.limit_us = r->config->limit_us > gone_us ? r->config->limit_us - gone_us : 1,
		.error = &r->result->error,
		.changed = on_change,
		.context = r,
		.watch = &r->config->watch};

	return run_tcp_create(&config, now_us, &lane->tcp);
}

static int start_icmp(struct lane *lane, uint64_t now_us)
{
	struct run *r = lane->run;
	uint64_t gone_us = now_us - r->journal->start_us;
	int at = lane_index(lane->family);
	struct run_icmp_config config = {.base = r->base,
		.journal = r->journal,
		.random = r->random,
		.source = lane->source,
		.interface = r->config->interface,
		.tests = (r->config->tests & PROBE_ICMP ? (unsigned)ICMP_BEHAVIOUR : 0) |
			(r->config->tests & PROBE_ICMP_TIMER ? (unsigned)ICMP_TIMER : 0),
		.limit_us = r->config->limit_us > gone_us ? r->config->limit_us - gone_us : 1,
		.raw = r->config->raw[at],
		.raw_error = r->config->raw_error[at],
		.error = &r->result->error,
		.changed = on_change,
		.context = r,
		.watch = &r->config->watch};

	return run_icmp_create(&config, now_us, &lane->icmp);
}

static int begin_server(struct lane *lane, uint64_t now_us, enum transport transport, size_t place)
{
	const struct endpoint *endpoint = &lane->run->journal->servers[place].endpoint;
	int err = 0;

	if (lane->source.family == FAMILY_NONE)
		err = lane_source(lane, endpoint);
	if (err)
		return err;
	if (transport == TRANSPORT_TCP && !lane->tcp)
		err = start_tcp(lane, now_us);
	if (transport == TRANSPORT_ICMP && !lane->icmp)
		err = start_icmp(lane, now_us);
	if (err)
		return err;
	if (transport == TRANSPORT_TCP)
		run_tcp_add_server(lane->tcp, now_us, place);
	else
		run_icmp_add_server(lane->icmp, now_us, place);
	return 0;
}

/* The next part of a lane: the same servers over TCP, or about ICMP. */
static void begin_later(struct lane *lane, uint64_t now_us, enum transport transport)
{
	for (size_t i = 0; i < lane->later_server_count; i++) {
		struct journal_server server = lane->later_servers[i];
		size_t place;
		int err;

		server.transport = transport;
		if (journal_add_server(lane->run->journal, &server, &place))
			break;
		err = begin_server(lane, now_us, transport, place);
		if (err)
			note_no_route(lane->run, place, err);
	}
}

static void add_endpoint(struct run *r, const struct server_spec *spec, const struct endpoint *e)
{
	struct journal_server server = {.endpoint = *e};
	struct lane *lane = &r->lanes[lane_index(e->family)];
	uint64_t now_us = clock_now_us();
	size_t place;
	int err = 0;

	if (refuse(r, spec, e))
		return;
	memcpy(server.name, spec->name, sizeof(server.name));
	if ((wants_tcp(r) || wants_icmp(r)) && lane->later_server_count < SERVERLIST_MAX)
		lane->later_servers[lane->later_server_count++] = server;
	if (!wants_udp(r) || journal_add_server(r->journal, &server, &place))
		return;
	if (!lane->probe)
		err = start_lane(lane, e, now_us);
	if (err)
		note_no_route(r, place, err);
	else
		probe_add_server(lane->probe, now_us, place);
}

/* The first address of each wanted family; a name that has none of them is no server. */
static void take_result(struct run *r, const struct resolve_result *result)
{
	const struct server_spec *spec = &r->config->servers[result->query];
	bool used = false;

	r->resolved[result->query] = true;
	for (int lane = 0; lane < 2; lane++) {
		enum family family = lane ? FAMILY_IPV6 : FAMILY_IPV4;

		for (size_t i = 0; i < result->count && wanted(r, family); i++) {
			if (result->addresses[i].family != family)
				continue;
			add_endpoint(r, spec, &result->addresses[i]);
			used = true;
			break;
		}
	}
	if (!used)
		add_unresolved(r, spec,
			result->error ? gai_strerror(result->error)
				      : "no address of the family that was asked for");
}

static void servers_complete(struct run *r)
{
	for (int i = 0; i < 2; i++)
		if (r->lanes[i].probe)
			probe_servers_complete(r->lanes[i].probe);
}

static void on_resolved(evutil_socket_t fd, short what, void *argument)
{
	struct run *r = argument;
	struct resolve_result result;

	(void)fd;
	(void)what;
	while (r->unresolved && !resolver_take(r->resolver, &result)) {
		r->unresolved--;
		if (result.query < r->config->server_count)
			take_result(r, &result);
	}
	if (!r->unresolved)
		servers_complete(r);
	turn(r);
}

static void add_servers(struct run *r)
{
	for (size_t i = 0; i < r->config->server_count; i++) {
		const struct server_spec *spec = &r->config->servers[i];
		bool numeric = spec->endpoint.family != FAMILY_NONE;

		r->resolved[i] = numeric || r->config->numeric;
		if (numeric && wanted(r, spec->endpoint.family))
			add_endpoint(r, spec, &spec->endpoint);
		else if (numeric)
			add_unresolved(r, spec, "not of the address family that was asked for");
		else if (r->config->numeric)
			add_unresolved(r, spec, "a name, and names are not resolved (-n)");
		else if (!resolver_ask(r->resolver, i, spec))
			r->unresolved++;
		else
			add_unresolved(r, spec, "no thread to resolve it");
	}
	if (!r->unresolved)
		servers_complete(r);
}

/* --- the loop --- */

static bool carry(struct lane *lane, uint64_t now_us, uint64_t *deadline_us)
{
	struct probe_output out;

	for (;;) {
		switch (probe_poll(lane->probe, now_us, &out)) {
		case PROBE_OPEN:
			carry_open(lane, now_us, &out);
			break;
		case PROBE_SEND:
			carry_send(lane, now_us, &out);
			break;
		case PROBE_CONNECT:
			carry_connect(lane, &out);
			break;
		case PROBE_WAIT:
			if (out.deadline_us < *deadline_us)
				*deadline_us = out.deadline_us;
			return false;
		case PROBE_DONE:
			return true;
		}
	}
}

/* Whether the resolver has kept us waiting for all the time there is. */
static bool out_of_time(const struct run *r, uint64_t now_us)
{
	bool idle = !r->lanes[0].probe && !r->lanes[1].probe && !r->lanes[0].later_server_count &&
		!r->lanes[1].later_server_count;
	uint64_t limit_us = r->config->limit_us;

	if (idle && limit_us > RESOLVER_US)
		limit_us = RESOLVER_US;
	return now_us >= r->journal->start_us + limit_us;
}

/* Whether a lane has nothing more to do, as far as its servers are known. */
static bool is_over(const struct lane *lane)
{
	return (!lane->probe || lane->done) &&
		(!lane->later_server_count || (lane->tcp_done && lane->icmp_done));
}

static void turn_lane(struct lane *lane, uint64_t now_us, uint64_t *deadline_us)
{
	const struct run *r = lane->run;
	bool known = !r->unresolved || now_us >= r->journal->start_us + LATER_NAMES_US;

	if (lane->probe && !lane->done)
		lane->done = carry(lane, now_us, deadline_us);
	if (!lane->later_server_count || !(lane->probe ? lane->done : known))
		return;
	if (!lane->tcp && !lane->tcp_done && wants_tcp(r))
		begin_later(lane, now_us, TRANSPORT_TCP);
	if (!lane->tcp_done)
		lane->tcp_done = !lane->tcp || run_tcp_turn(lane->tcp, now_us, deadline_us);
	if (!lane->tcp_done)
		return;
	if (!lane->icmp && !lane->icmp_done && wants_icmp(r))
		begin_later(lane, now_us, TRANSPORT_ICMP);
	if (!lane->icmp_done)
		lane->icmp_done = !lane->icmp || run_icmp_turn(lane->icmp, now_us, deadline_us);
}

static void turn(struct run *r)
{
	uint64_t now_us = clock_now_us();
	uint64_t deadline_us = now_us + PROGRESS_US, wait_us;
	bool done = !r->unresolved || out_of_time(r, now_us);
	struct timeval wait;

	for (int i = 0; i < 2; i++) {
		turn_lane(&r->lanes[i], now_us, &deadline_us);
		done &= is_over(&r->lanes[i]);
	}
	/* one family that has its answers does not wait for names that never come */
	if (!done && r->unresolved && (r->lanes[0].done || r->lanes[1].done))
		done = is_over(&r->lanes[0]) && is_over(&r->lanes[1]);
	if (done || r->over) {
		r->over = true;
		event_base_loopbreak(r->base);
		return;
	}
	if (r->config->progress && now_us >= r->progress_us) {
		r->config->progress(r->config->progress_context, r->journal, now_us);
		r->progress_us = now_us + PROGRESS_US;
	}
	wait_us = deadline_us > now_us ? deadline_us - now_us : 0;
	wait.tv_sec = (time_t)(wait_us / 1000000);
	wait.tv_usec = (suseconds_t)(wait_us % 1000000);
	event_add(r->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	turn(argument);
}

static void on_change(void *argument)
{
	turn(argument);
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
	struct run *r = argument;

	(void)what;
	r->result->signal = (int)number;
	r->over = true;
	event_base_loopbreak(r->base);
}

static int set_up(struct run *r)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
	struct event_config *config = event_config_new();
	int err;

	if (!config)
		return -ENOMEM;
	/* millisecond timers would round the pacing */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	r->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!r->base)
		return -ENOMEM;
	err = resolver_create(&r->resolver);
	if (err)
		return err;
	r->timer = event_new(r->base, -1, 0, on_timer, r);
	r->resolver_event =
		event_new(r->base, resolver_fd(r->resolver), EV_READ | EV_PERSIST, on_resolved, r);
	if (!r->timer || !r->resolver_event || event_add(r->resolver_event, NULL))
		return -ENOMEM;
	for (size_t i = 0; i < SIGNALS; i++) {
		r->signals[i] = evsignal_new(r->base, numbers[i], on_signal, r);
		if (!r->signals[i] || event_add(r->signals[i], NULL))
			return -ENOMEM;
	}
	for (size_t i = 0; i < 2; i++) {
		r->lanes[i].run = r;
		r->lanes[i].family = i ? FAMILY_IPV6 : FAMILY_IPV4;
	}
	return 0;
}

static void close_lane(struct lane *lane)
{
	for (size_t i = 0; i < PROBE_SOCKETS; i++) {
		if (!lane->sockets[i].lane)
			continue;
		if (lane->sockets[i].event)
			event_free(lane->sockets[i].event);
		if (lane->sockets[i].fd >= 0)
			close(lane->sockets[i].fd);
	}
	for (size_t i = 0; i < lane->connect_count; i++) {
		if (lane->connects[i].event)
			event_free(lane->connects[i].event);
		if (lane->connects[i].fd >= 0)
			close(lane->connects[i].fd);
	}
	probe_destroy(lane->probe);
	run_tcp_destroy(lane->tcp);
	run_icmp_destroy(lane->icmp);
}

static void tear_down(struct run *r)
{
	for (size_t i = 0; i < 2; i++)
		close_lane(&r->lanes[i]);
	for (size_t i = 0; i < SIGNALS; i++)
		if (r->signals[i])
			event_free(r->signals[i]);
	if (r->timer)
		event_free(r->timer);
	if (r->resolver_event)
		event_free(r->resolver_event);
	resolver_destroy(r->resolver);
	if (r->base)
		event_base_free(r->base);
	free(r);
}

/* What is not known when the run ends stays on record as such. */
static void conclude(struct run *r)
{
	for (size_t i = 0; i < r->config->server_count; i++)
		if (!r->resolved[i])
			add_unresolved(
				r, &r->config->servers[i], "the resolver did not answer in time");
	for (int i = 0; i < 2; i++) {
		if (r->lanes[i].probe)
			probe_finish(r->lanes[i].probe, clock_now_us());
		if (r->lanes[i].tcp)
			run_tcp_finish(r->lanes[i].tcp, clock_now_us());
		if (r->lanes[i].icmp)
			run_icmp_finish(r->lanes[i].icmp, clock_now_us());
	}
}

int run_probe(const struct run_config *config, struct journal *journal, struct random *random,
	struct run_result *result)
{
	struct run *r = calloc(1, sizeof(*r));
	int err;

	memset(result, 0, sizeof(*result));
	if (!r)
		return -ENOMEM;
	r->config = config;
	r->journal = journal;
	r->random = random;
	r->result = result;
	err = set_up(r);
	if (!err) {
		watch_begin(&config->watch, r->base);
		add_servers(r);
		turn(r);
		if (!r->over) /* a break before the loop begins would be forgotten */
			event_base_loop(r->base, EVLOOP_NO_EXIT_ON_EMPTY);
		conclude(r);
		watch_end(&config->watch);
	}
	tear_down(r);
	return err;
}
