// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* Any text as a list of servers, as one server, and as an endpoint. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/serverlist.h"
#include "fuzz.h"

static void check_endpoint(const char *text)
{
	char formatted[ENDPOINT_TEXT], again[ENDPOINT_TEXT];
	struct endpoint e, back;

	if (endpoint_parse(text, 3478, &e)) {
		endpoint_format(&e, formatted);
		return;
	}
	require(e.port != 0 && endpoint_address_length(e.family) != 0);
	endpoint_format(&e, formatted);
	require(!endpoint_parse(formatted, 1, &back) && endpoint_equal(&e, &back));
	require(back.scope == e.scope && !strcmp(endpoint_format(&back, again), formatted));
	endpoint_is_unicast(&e);
	endpoint_is_private(&e);
}

/* What is written as a server reads as the same server. */
static void check_spec(const struct server_spec *s)
{
	struct server_spec again;

	require(*s->name && *s->host && s->port);
	require(strlen(s->name) < SERVER_HOST && strlen(s->host) < SERVER_HOST);
	require(!server_parse(s->name, 3478, &again));
	require(!strcmp(again.host, s->host) && again.port == s->port);
	require(again.endpoint.family == s->endpoint.family);
	if (s->endpoint.family != FAMILY_NONE)
		require(endpoint_equal(&again.endpoint, &s->endpoint));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct server_spec specs[SERVERLIST_MAX];
	struct server_spec one;
	char *text = malloc(size + 1);
	unsigned line = 0, lines = 1;
	int count;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	count = serverlist_parse(text, size, 3478, specs, &line);
	require(count == -EINVAL || count == -ENOSPC || (count >= 0 && count <= SERVERLIST_MAX));
	require(line <= lines && (count >= 0 || line >= 1));
	for (int i = 0; i < count; i++)
		check_spec(&specs[i]);
	if (!server_parse(text, 3478, &one))
		check_spec(&one);
	check_endpoint(text);
	free(text);
	return 0;
}
