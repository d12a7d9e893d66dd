// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Prints what net/host_facts.h, net/route.h and net/counters.h find out, for scripts to compare.
 *
 * facts interface NAME                   kind, up or down, MTU, rp_filter
 * facts find FROM TO [PROTOCOL [NAME]]   the way (FROM: "-" for any; endpoints with ports, where PROTOCOL is a number)
 * facts back LOCAL REMOTE
 * facts main TO                          as interfaces, source, gateway, table; or the error
 * facts connections                      count and limit
 * facts counters                         prints "ready", waits for the end of standard input; what was counted meanwhile
 */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "net/counters.h"
#include "net/host_facts.h"
#include "net/route.h"

static int failed(int err)
{
	printf("%s\n", strerror(-err));
	return 0;
}

static int print_interface(const char *name)
{
	static const char *const kinds[] = {"link", "loopback", "tunnel", "point-to-point"};
	struct host_facts_interface i;
	int err = host_facts_interface(if_nametoindex(name), &i);

	if (err)
		return failed(err);
	printf("%s %s %s %" PRIu32 " %d\n", i.name, kinds[i.kind], i.up ? "up" : "down", i.mtu,
		i.rp_filter);
	return 0;
}

static void print_address(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];

	printf(" %s", e->family == FAMILY_NONE ? "-" : endpoint_format_address(e, text));
}

static int print_route(int err, const struct route *r)
{
	char name[IF_NAMESIZE];

	if (err)
		return failed(err);
	for (size_t i = 0; i < r->interface_count; i++)
		printf("%s%s", i ? "," : "", if_indextoname(r->interfaces[i], name));
	print_address(&r->source);
	print_address(&r->gateway);
	printf(" %" PRIu32 "%s\n", r->table, r->local ? " local" : "");
	return 0;
}

/* Ports may be missing. */
static bool read_endpoint(const char *text, struct endpoint *out)
{
	bool has_port = strchr(text, ']')
		? strstr(text, "]:") != NULL
		: strchr(text, ':') && strchr(text, ':') == strrchr(text, ':');

	if (strcmp(text, "-") == 0) {
		*out = (struct endpoint){0};
		return true;
	}
	if (endpoint_parse(text, 1, out))
		return false;
	if (!has_port)
		out->port = 0;
	return true;
}

static int print_found(int argc, char **argv)
{
	struct route_question q = {0};
	uint64_t protocol = 0;
	struct route r;
	int err;

	if (!read_endpoint(argv[0], &q.from) || !read_endpoint(argv[1], &q.to) ||
		(argc > 2 && number_from_text(argv[2], 0, 255, &protocol)))
		return 2;
	q.protocol = (uint8_t)protocol;
	if (argc > 3)
		q.interface = if_nametoindex(argv[3]);
	err = route_find(&q, &r);
	return print_route(err, &r);
}

static int print_back(char **argv)
{
	struct endpoint local, remote;
	struct route r;
	int err;

	if (!read_endpoint(argv[0], &local) || !read_endpoint(argv[1], &remote))
		return 2;
	err = route_back(&local, &remote, &r);
	return print_route(err, &r);
}

static int print_main(const char *text)
{
	struct endpoint to;
	struct route r;
	int err;

	if (!read_endpoint(text, &to))
		return 2;
	err = route_main(&to, &r);
	return print_route(err, &r);
}

static int print_connections(void)
{
	uint64_t count, limit;
	int err = host_facts_connections(&count, &limit);

	if (err)
		return failed(err);
	printf("%" PRIu64 " %" PRIu64 "\n", count, limit);
	return 0;
}

static int print_counters(void)
{
	struct counters before, after, difference;
	int err = counters_read(&before);

	if (err)
		return failed(err);
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	err = counters_read(&after);
	if (err)
		return failed(err);
	difference = counters_difference(&before, &after);
	for (int i = 0; i < COUNTERS; i++) {
		if (!difference.known[i])
			printf("%s ?\n", counter_name((enum counter)i));
		else if (difference.values[i])
			printf("%s %" PRIu64 "\n", counter_name((enum counter)i),
				difference.values[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "interface") == 0)
		return print_interface(argv[2]);
	if (argc >= 4 && strcmp(what, "find") == 0)
		return print_found(argc - 2, argv + 2);
	if (argc == 4 && strcmp(what, "back") == 0)
		return print_back(argv + 2);
	if (argc == 3 && strcmp(what, "main") == 0)
		return print_main(argv[2]);
	if (argc == 2 && strcmp(what, "connections") == 0)
		return print_connections();
	if (argc == 2 && strcmp(what, "counters") == 0)
		return print_counters();
	return 2;
}
