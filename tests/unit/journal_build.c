// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_build.h"

#define HOST	 "10.0.1.2"
#define EXTERNAL "198.51.100.99"
#define RTT_US	 50000
#define ENOUGH	 8 /* answers that are missing */
#define TOO_FEW	 3

struct endpoint build_at(const char *text)
{
	struct endpoint e;

	if (endpoint_parse(text, 3478, &e))
		abort();
	return e;
}

struct journal *build_journal(void)
{
	struct journal *j;

	if (journal_create(1000000, &j))
		abort();
	return j;
}

void build_empty(struct journal *j)
{
	memset(j->observations, 0, j->observation_count * sizeof(*j->observations));
	memset(j->servers, 0, sizeof(j->servers));
	j->observation_count = j->event_count = j->server_count = j->trace_count = 0;
}

size_t build_plain_server(struct journal *j, const char *endpoint)
{
	struct journal_server server = {.endpoint = build_at(endpoint)};
	size_t place;

	snprintf(server.name, sizeof(server.name), "%s", endpoint);
	if (journal_add_server(j, &server, &place))
		abort();
	return place;
}

size_t build_server(struct journal *j)
{
	char text[ENDPOINT_TEXT];

	snprintf(text, sizeof(text), "203.0.113.%zu", j->server_count + 1);
	return build_plain_server(j, text);
}

struct endpoint build_target(const struct journal *j, size_t server, bool address, bool port)
{
	struct endpoint e = j->servers[server].endpoint;

	e.address[2] = (uint8_t)(e.address[2] + address);
	e.port = (uint16_t)(e.port + port);
	return e;
}

/* The servers in 203.0.113.0/24 have two addresses. */
static bool has_two(const struct journal *j, size_t server)
{
	const struct endpoint *e = &j->servers[server].endpoint;

	return e->family == FAMILY_IPV4 && e->address[0] == 203 && e->address[2] == 113;
}

struct observation *build_ask(struct journal *j, enum question question, size_t server,
	uint16_t local, const struct endpoint *to, const struct endpoint *expect, int external)
{
	struct observation *o = journal_add_observation(j);

	if (!o)
		abort();
	o->question = question;
	o->server = server;
	o->family = to->family;
	o->local = build_at(to->family == FAMILY_IPV4 ? HOST : "fd00::2");
	o->local.port = local;
	o->socket = (uint16_t)(local - BUILD_SOCKET);
	o->to = *to;
	o->expect = *expect;
	o->first_sent_us = o->last_sent_us = j->start_us + 1000 * journal_place(j, o);
	o->settled_us = o->first_sent_us + RTT_US;
	o->sent = o->awaited = external ? 1 : ENOUGH;
	o->state = external ? OBSERVATION_ANSWERED : OBSERVATION_SILENT;
	if (!external)
		return o;
	o->answers = 1;
	o->answer.t_us = o->settled_us;
	o->answer.from = o->answer.origin = *expect;
	o->answer.mapped = build_at(to->family == FAMILY_IPV4 ? EXTERNAL : "2001:db8:1::99");
	o->answer.mapped.port = (uint16_t)external;
	o->answer.mapped_plain = o->answer.mapped;
	o->answer.has_xor = true;
	if (has_two(j, server))
		o->answer.other = build_target(j, server, true, true);
	return o;
}

void build_mapping(struct journal *j, size_t server, const int external[4])
{
	for (int i = 0; i < (has_two(j, server) ? 4 : 1); i++) {
		struct endpoint to = build_target(j, server, i & 2, i & 1);

		if (external[i] != BUILD_NOT_ASKED)
			build_ask(j, i ? QUESTION_MAPPING : QUESTION_BINDING, server, BUILD_SOCKET,
				&to, &to, external[i]);
	}
}

static void set_letter(struct observation *o, char letter)
{
	switch (letter) {
	case 'N':
		break;
	case 'F':
		o->sent = o->awaited = TOO_FEW;
		break;
	case 'X':
		o->state = OBSERVATION_ABANDONED;
		break;
	case 'C':
		o->state = OBSERVATION_CHANGE_IGNORED;
		break;
	case 'E':
		o->state = OBSERVATION_ERROR;
		o->error_code = 420;
		break;
	default:
		break;
	}
}

/* What a foreign server is asked from a silent socket: does it get through, is it answered then. */
static void build_foreign_control(
	struct journal *j, size_t server, const struct observation *silent, char letter)
{
	uint16_t local = silent->local.port;

	build_ask(j, QUESTION_EARLY_CHECK, server, local, &silent->expect, &silent->expect,
		letter == 'S' ? 0 : local);
	build_ask(j, QUESTION_EARLY_BASE, server, local, &silent->to, &silent->to, local);
	if (letter != 'S')
		build_ask(j, QUESTION_CONTROL, server, local, &silent->to, &silent->expect,
			letter == 'Y' ? local : 0);
}

void build_filtering(struct journal *j, size_t server, const char letters[static 4])
{
	struct endpoint a1p1 = build_target(j, server, false, false);
	struct endpoint a2p2 = build_target(j, server, true, true);
	bool ours = letters[3] == 'R' || letters[3] == 'U';

	for (size_t i = 0; i < 3; i++) {
		uint16_t local = (uint16_t)(BUILD_SOCKET + 10 * (1 + server) + i);
		struct endpoint expect = build_target(j, server, i < 2, i != 1);
		struct observation *o;

		if (letters[i] == '-')
			continue;
		o = build_ask(j, (enum question)(QUESTION_FILTERING_BOTH + i), server, local, &a1p1,
			&expect, letters[i] == 'Y' ? local : 0);
		set_letter(o, letters[i]);
		if (ours)
			o->receipts = o->awaited;
		else if (o->state == OBSERVATION_SILENT && letters[3] != '-')
			build_foreign_control(j, server, o, letters[3]);
	}
	if (ours)
		build_ask(j, QUESTION_CONTROL, server, BUILD_SOCKET, &a1p1, &a2p2,
			letters[3] == 'R' ? BUILD_SOCKET : 0);
}

size_t build_whole(struct journal *j, int port, const char letters[static 4])
{
	size_t server = build_server(j);
	const int external[4] = {port, port, port, port};

	build_mapping(j, server, external);
	build_filtering(j, server, letters);
	return server;
}

struct observation *build_find(struct journal *j, enum question question, size_t server)
{
	for (size_t i = 0; i < j->observation_count; i++)
		if (j->observations[i].question == question && j->observations[i].server == server)
			return &j->observations[i];
	abort();
}
