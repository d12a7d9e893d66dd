// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simnet_private.h"

#define START_US	 1000000u
#define ARRIVALS	 2048
#define TRANSACTIONS_MAX 1024
#define ACTIONS_MAX	 1000 /* without time going on */
#define POLLS_MAX	 100000
#define LATE_US		 100000u
#define CONNECT_US	 1800000u /* as run.c gives up */
#define ROUTER_US	 1000u
#define LOCAL_PORT	 40000u

enum arrival_kind {
	AT_SERVER,
	AT_NAT, /* from outside */
	AT_HOST, /* through the NAT */
	ERROR_AT_SERVER,
	ERROR_AT_HOST,
	CONNECTED,
};

/* Something that will happen. */
struct arrival {
	uint64_t t_us, order;
	enum arrival_kind kind;
	struct endpoint from, to;
	struct icmp_seen error;
	size_t observation;
	int result;
	size_t length;
	uint8_t data[STUN_MESSAGE_BYTES];
};

struct net {
	const struct simnet_config *config;
	struct simnet_result *result;
	struct random random, probe_random;
	struct probe *probe;
	uint64_t now_us, order;
	struct endpoint host, router;
	struct endpoint sockets[PROBE_SOCKETS];
	struct nat nat;
	struct sim_server servers[SIMNET_SERVERS];
	size_t servers_added;
	struct arrival arrivals[ARRIVALS];
	size_t arrival_count;
	struct {
		struct stun_id id;
		uint64_t t_us;
		size_t server;
	} transactions[TRANSACTIONS_MAX];
	size_t transaction_count;
};

static void broken(struct net *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void broken(struct net *n, const char *format, ...)
{
	va_list arguments;

	if (*n->result->broken)
		return;
	va_start(arguments, format);
	vsnprintf(n->result->broken, sizeof(n->result->broken), format, arguments);
	va_end(arguments);
}

/* --- links --- */

static bool chance(struct net *n, unsigned of_thousand)
{
	return of_thousand && random_below(&n->random, 1000) < of_thousand;
}

static struct arrival *add_arrival(struct net *n, uint64_t after_us, enum arrival_kind kind)
{
	struct arrival *a = &n->arrivals[n->arrival_count];

	if (n->arrival_count + 1 < ARRIVALS)
		n->arrival_count++;
	else
		broken(n, "too much under way");
	memset(a, 0, offsetof(struct arrival, data));
	a->t_us = n->now_us + after_us;
	a->order = n->order++;
	a->kind = kind;
	return a;
}

static void carry_once(struct net *n, enum arrival_kind kind, const struct endpoint *from,
	const struct endpoint *to, const void *data, size_t length)
{
	uint64_t jitter = n->config->jitter_us;
	uint64_t after =
		n->config->delay_us + (jitter ? random_below(&n->random, (uint32_t)jitter + 1) : 0);
	struct arrival *a = add_arrival(n, after, kind);

	a->from = *from;
	a->to = *to;
	a->length = length;
	memcpy(a->data, data, length);
}

static void carry(struct net *n, enum arrival_kind kind, const struct endpoint *from,
	const struct endpoint *to, const void *data, size_t length)
{
	carry_once(n, kind, from, to, data, length);
	if (chance(n, n->config->duplicates))
		carry_once(n, kind, from, to, data, length);
}

static struct sim_server *find_server(struct net *n, const struct endpoint *e, int *local)
{
	for (size_t i = 0; i < n->config->server_count; i++) {
		*local = server_endpoint(&n->servers[i], e);
		if (*local >= 0)
			return &n->servers[i];
	}
	return NULL;
}

/* --- from the host --- */

static void error_at_host(struct net *n, uint64_t after_us, const struct icmp_seen *error,
	const struct endpoint *inside, const struct endpoint *to, const void *data, size_t length)
{
	struct arrival *a = add_arrival(n, after_us, ERROR_AT_HOST);

	a->from = *inside;
	a->to = *to;
	a->error = *error;
	a->length = length;
	memcpy(a->data, data, length);
}

/* A packet to one of our own external endpoints. */
static void turn_round(struct net *n, const struct endpoint *external, const struct endpoint *to,
	const void *data, size_t length)
{
	struct endpoint inside;
	struct arrival *a;

	if (!n->config->hairpin || !nat_in(&n->nat, external, to, &inside))
		return;
	a = add_arrival(n, ROUTER_US, AT_HOST);
	a->from = *external;
	a->to = inside;
	a->length = length;
	memcpy(a->data, data, length);
}

static bool firewalled(struct net *n, const struct probe_output *out)
{
	const struct endpoint *inside = &n->sockets[out->socket];
	struct icmp_seen error = {.count = 1,
		.error = EACCES,
		.type = n->config->ipv6 ? 1 : ICMP_DEST_UNREACH,
		.code = n->config->ipv6 ? 1 : ICMP_PKT_FILTERED,
		.offender = n->router};

	switch (n->config->firewall) {
	case SIMNET_REJECT:
		error_at_host(n, ROUTER_US, &error, inside, &out->to, out->data, out->length);
		return true;
	case SIMNET_FORBIDDEN:
		error = (struct icmp_seen){.count = 1, .local = true, .error = EPERM};
		probe_error(
			n->probe, n->now_us, out->socket, &out->to, &error, out->data, out->length);
		return true;
	default:
		return n->config->firewall == SIMNET_DROP;
	}
}

/* The address of a router of the way. */
static struct endpoint router_at(const struct net *n, unsigned number)
{
	struct endpoint e;

	if (number == 1)
		return n->router;
	endpoint_parse(n->config->ipv6 ? "2001:db8:2::1" : "192.0.2.1", 1, &e);
	e.port = 0;
	e.address[n->config->ipv6 ? 15 : 3] = (uint8_t)number;
	return e;
}

static void error_of_router(
	struct net *n, unsigned number, uint8_t type, uint8_t code, const struct probe_output *out)
{
	const struct simnet_way *way = &n->config->way;
	struct icmp_seen error = {.count = 1,
		.error = EHOSTUNREACH,
		.type = type,
		.code = code,
		.offender = router_at(n, number)};
	uint64_t after_us = ROUTER_US + 2 * n->config->delay_us * (number - 1) / way->routers;

	if (way->mute >> number & 1 || (number > 1 && way->no_icmp) || chance(n, n->config->loss))
		return;
	error_at_host(n, after_us, &error, &n->sockets[out->socket], &out->to, out->data,
		way->brief ? 0 : out->length);
}

/* Whether a packet ends at a router of the way. */
static bool ends_at_router(struct net *n, const struct probe_output *out)
{
	const struct simnet_way *way = &n->config->way;
	uint8_t expiry = n->config->ipv6 ? 3 : ICMP_TIME_EXCEEDED;

	for (unsigned number = 1; number <= way->routers; number++) {
		if (out->ttl == number) /* routers look at the TTL before they filter */
			error_of_router(n, number, expiry, 0, out);
		else if (way->rejects_at == number)
			error_of_router(n, number, n->config->ipv6 ? 1 : ICMP_DEST_UNREACH,
				n->config->ipv6 ? 1 : ICMP_PKT_FILTERED, out);
		if (out->ttl == number || way->rejects_at == number || way->drops_at == number)
			return true;
	}
	return false;
}

static void send_out(struct net *n, const struct probe_output *out)
{
	const struct endpoint *inside = &n->sockets[out->socket];
	bool lost = chance(n, n->config->loss);
	struct endpoint external;

	/* a packet can get lost on either side of the NAT */
	if (firewalled(n, out) || (lost && random_below(&n->random, 2)) || ends_at_router(n, out))
		return;
	external = nat_out(&n->nat, inside, &out->to);
	if (endpoint_same_address(&out->to, &n->nat.address))
		turn_round(n, &external, &out->to, out->data, out->length);
	else if (!lost)
		carry(n, AT_SERVER, &external, &out->to, out->data, out->length);
}

/* --- from the servers --- */

static void send_back(void *context, const struct endpoint *from, const struct endpoint *to,
	const void *data, size_t length)
{
	carry(context, AT_NAT, from, to, data, length);
}

static void at_server(struct net *n, const struct arrival *a)
{
	int local;
	struct sim_server *s = find_server(n, &a->to, &local);

	if (!s)
		return;
	if (s->kind == SIMNET_REFUSING) {
		struct icmp_seen error = {.count = 1,
			.error = ECONNREFUSED,
			.type = n->config->ipv6 ? 1 : ICMP_DEST_UNREACH,
			.code = n->config->ipv6 ? 4 : ICMP_PORT_UNREACH,
			.offender = a->to};
		struct endpoint inside;

		error.offender.port = 0;
		if (nat_in(&n->nat, &a->to, &a->from, &inside))
			error_at_host(n, n->config->delay_us, &error, &inside, &a->to, a->data,
				a->length);
		return;
	}
	server_receive(s, local, &a->from, a->data, a->length, send_back, n);
}

static void at_nat(struct net *n, struct arrival *a)
{
	bool lost = chance(n, n->config->loss);
	struct endpoint inside;
	struct arrival *error;

	if (lost && random_below(&n->random, 2))
		return;
	if (nat_in(&n->nat, &a->from, &a->to, &inside)) {
		a->to = inside;
		a->kind = AT_HOST;
	} else if (n->config->early == EARLY_REJECT && !chance(n, n->config->loss)) {
		error = add_arrival(n, n->config->delay_us, ERROR_AT_SERVER);
		error->from = a->from;
		error->to = a->to;
	}
	if (lost)
		a->kind = AT_NAT;
}

static unsigned socket_of(struct net *n, const struct endpoint *inside)
{
	for (unsigned i = 0; i < PROBE_SOCKETS; i++)
		if (endpoint_equal(&n->sockets[i], inside))
			return i;
	return PROBE_SOCKETS;
}

static void happen(struct net *n, struct arrival *a)
{
	struct endpoint offender = n->nat.address;
	struct sim_server *s;
	int local;

	if (a->kind == AT_NAT)
		at_nat(n, a);
	switch (a->kind) {
	case AT_SERVER:
		at_server(n, a);
		break;
	case AT_NAT:
		break;
	case AT_HOST:
		probe_input(n->probe, n->now_us, socket_of(n, &a->to), &a->from, 55, a->data,
			a->length);
		break;
	case ERROR_AT_SERVER:
		s = find_server(n, &a->from, &local);
		offender.port = 0;
		if (s)
			server_icmp(s, &a->to, &a->from, &offender);
		break;
	case ERROR_AT_HOST:
		probe_error(n->probe, n->now_us, socket_of(n, &a->from), &a->to, &a->error, a->data,
			a->length);
		break;
	case CONNECTED:
		probe_connected(n->probe, n->now_us, a->observation, a->result);
		break;
	}
}

/* --- what the prober promises --- */

/* The port of traceroute on a server's host: the control for UDP as such. */
static bool is_closed_port(struct net *n, const struct endpoint *to)
{
	for (size_t i = 0; i < n->config->server_count; i++) {
		struct endpoint e = *to;

		e.port = 3478;
		if (to->port == 33434 && server_endpoint(&n->servers[i], &e) >= 0)
			return true;
	}
	return false;
}

static void watch_rate(struct net *n, const struct probe_output *out)
{
	struct stun_message m;
	size_t server;
	unsigned rate = 0;
	int local;

	if (stun_decode(out->data, out->length, &m)) {
		broken(n, "sends what is no STUN");
		return;
	}
	for (server = 0; server < n->config->server_count; server++)
		if ((local = server_endpoint(&n->servers[server], &out->to)) >= 0)
			break;
	if (server == n->config->server_count) {
		if (!endpoint_same_address(&out->to, &n->nat.address) &&
			!is_closed_port(n, &out->to))
			broken(n, "sends to a stranger");
		return;
	}
	if (out->ttl && out->ttl <= n->config->way.routers)
		return; /* the server gets nothing of it */
	for (size_t i = 0; i < n->transaction_count; i++)
		if (stun_id_equal(&n->transactions[i].id, &m.id))
			return; /* a repetition */
	if (n->transaction_count >= TRANSACTIONS_MAX) {
		broken(n, "more transactions than can be");
		return;
	}
	n->transactions[n->transaction_count].id = m.id;
	n->transactions[n->transaction_count].server = server;
	n->transactions[n->transaction_count++].t_us = n->now_us;
	for (size_t i = 0; i < n->transaction_count; i++)
		rate += n->transactions[i].server == server &&
			n->transactions[i].t_us + 1000000 > n->now_us;
	if (n->servers[server].kind != SIMNET_OWN && rate > n->result->foreign_rate)
		n->result->foreign_rate = rate;
}

static void watch_send(struct net *n, const struct probe_output *out)
{
	n->result->packets++;
	n->result->with_ttl += out->ttl != 0;
	n->result->bytes += out->length;
	if (out->socket >= PROBE_SOCKETS || n->sockets[out->socket].family == FAMILY_NONE)
		broken(n, "sends from a socket that is not open");
	else if (endpoint_equal(&out->to, &n->sockets[out->socket]))
		broken(n, "sends to itself");
	else
		watch_rate(n, out);
}

/* --- the loop --- */

static void open_socket(struct net *n, const struct probe_output *out)
{
	struct endpoint *e = &n->sockets[out->socket];
	struct endpoint wanted = n->host;

	wanted.port = out->port ? out->port : (uint16_t)(LOCAL_PORT + 3 * out->socket);
	if (n->config->no_sockets || socket_of(n, &wanted) < PROBE_SOCKETS) {
		probe_opened(n->probe, n->now_us, out->socket,
			n->config->no_sockets ? -EMFILE : -EADDRINUSE, NULL);
		return;
	}
	if (e->family != FAMILY_NONE)
		broken(n, "opens a socket twice");
	*e = wanted;
	probe_opened(n->probe, n->now_us, out->socket, 0, e);
}

static void connect_tcp(struct net *n, const struct probe_output *out)
{
	struct arrival *a =
		add_arrival(n, n->config->tcp ? 2 * n->config->delay_us : CONNECT_US, CONNECTED);

	a->observation = out->observation;
	a->result = n->config->tcp ? -ECONNREFUSED : -ETIMEDOUT;
}

/* Everything that the prober wants done now; false when it is done for good. */
static bool serve(struct net *n, uint64_t *deadline_us)
{
	struct probe_output out;

	for (unsigned actions = 0; actions < ACTIONS_MAX; actions++) {
		enum probe_action action = probe_poll(n->probe, n->now_us, &out);

		if (action != out.action)
			broken(n, "returns one action and writes another");
		switch (action) {
		case PROBE_OPEN:
			open_socket(n, &out);
			break;
		case PROBE_SEND:
			watch_send(n, &out);
			send_out(n, &out);
			break;
		case PROBE_CONNECT:
			connect_tcp(n, &out);
			break;
		case PROBE_WAIT:
			if (out.deadline_us <= n->now_us)
				broken(n, "waits for what has been");
			*deadline_us = out.deadline_us;
			return true;
		case PROBE_DONE:
			return false;
		}
	}
	broken(n, "acts without end");
	return false;
}

static struct arrival *next_arrival(struct net *n)
{
	struct arrival *first = NULL;

	for (size_t i = 0; i < n->arrival_count; i++) {
		struct arrival *a = &n->arrivals[i];

		if (!first || a->t_us < first->t_us ||
			(a->t_us == first->t_us && a->order < first->order))
			first = a;
	}
	return first;
}

static bool deliver_next(struct net *n, uint64_t until_us)
{
	struct arrival *next = next_arrival(n), now;

	if (!next || next->t_us > until_us)
		return false;
	now = *next;
	*next = n->arrivals[--n->arrival_count];
	n->now_us = now.t_us;
	happen(n, &now);
	return true;
}

static void add_server(struct net *n)
{
	size_t i = n->servers_added++;
	struct journal_server server = {.endpoint = n->servers[i].at[0]};
	size_t place;

	snprintf(server.name, sizeof(server.name), "server%zu.example", i);
	journal_add_server(n->result->journal, &server, &place);
	probe_add_server(n->probe, n->now_us, place);
	if (n->servers_added == n->config->server_count)
		probe_servers_complete(n->probe);
}

static bool turn(struct net *n)
{
	uint64_t deadline_us, late_us = START_US + n->servers_added * LATE_US;

	while (n->servers_added < n->config->server_count &&
		(!n->config->servers_late || n->now_us >= late_us)) {
		add_server(n);
		late_us += LATE_US;
	}
	if (!serve(n, &deadline_us))
		return false;
	if (n->servers_added < n->config->server_count && late_us < deadline_us)
		deadline_us = late_us;
	if (!deliver_next(n, deadline_us))
		n->now_us = deadline_us;
	if (++n->result->polls > POLLS_MAX)
		broken(n, "comes to no end");
	return !*n->result->broken;
}

/* What comes in after the end must not set it off again. */
static void check_done(struct net *n)
{
	uint64_t deadline_us;

	for (int i = 0; i < 100 && !*n->result->broken; i++) {
		if (!deliver_next(n, UINT64_MAX))
			n->now_us += 1000000;
		if (serve(n, &deadline_us))
			broken(n, "goes on after it was done");
	}
	for (size_t i = 0; i < n->result->journal->observation_count; i++)
		if (n->result->journal->observations[i].state == OBSERVATION_OPEN)
			broken(n, "leaves a question open");
}

/* Who hears of an error finds in the observation who has sent it. */
static void check_event(void *context, const struct journal *j, const struct event *e)
{
	struct net *n = context;

	if (e->kind == EVENT_ICMP && e->observation != JOURNAL_NONE &&
		e->from.family != FAMILY_NONE &&
		!endpoint_equal(&j->observations[e->observation].icmp.offender, &e->from))
		broken(n, "tells of an error that it has not noted");
}

static void set_up(struct net *n)
{
	const struct simnet_config *c = n->config;

	random_init_number(&n->random, c->seed);
	random_init_number(&n->probe_random, ~c->seed);
	endpoint_parse(c->ipv6 ? (c->mapping ? "fd00::2" : "2001:db8:1::2")
			       : (c->mapping ? "10.0.1.2" : "198.51.100.2"),
		1, &n->host);
	endpoint_parse(c->ipv6 ? "2001:db8:1::99" : "198.51.100.99", 1, &n->nat.address);
	endpoint_parse(c->ipv6 ? "fd00::1" : "10.0.1.1", 1, &n->router);
	n->router.port = 0;
	n->nat.config = c;
	n->nat.random = &n->random;
	n->nat.next_port = 20000;
	n->now_us = START_US;
	for (size_t i = 0; i < c->server_count; i++)
		server_init(&n->servers[i], c->servers[i], i, c->ipv6);
}

void simnet_run(const struct simnet_config *config, struct simnet_result *out)
{
	struct probe_config probe_config = {.family = config->ipv6 ? FAMILY_IPV6 : FAMILY_IPV4,
		.tests = config->tests,
		.trace = !config->no_trace,
		.limit_us = config->limit_us};
	struct net *n = calloc(1, sizeof(*n));

	memset(out, 0, sizeof(*out));
	if (!n || journal_create(START_US, &out->journal))
		abort();
	n->config = config;
	n->result = out;
	out->journal->listener = check_event;
	out->journal->listener_context = n;
	set_up(n);
	if (probe_create(&probe_config, out->journal, &n->probe_random, n->now_us, &n->probe))
		abort();
	while (turn(n))
		;
	out->duration_us = n->now_us - START_US;
	judge(out->journal, &out->verdict);
	check_done(n);
	out->journal->listener = NULL;
	probe_destroy(n->probe);
	free(n);
}

void simnet_free(struct simnet_result *result)
{
	journal_destroy(result->journal);
	result->journal = NULL;
}
