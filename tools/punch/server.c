// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/resolve.h"
#include "tools/punch/server.h"

#define RESOLVE_US 5000000u

/* The next result: 0, or -ETIMEDOUT. */
static int wait_for(struct resolver *r, uint64_t end_us, struct resolve_result *out)
{
	while (resolver_take(r, out) == -EAGAIN) {
		struct pollfd wait = {.fd = resolver_fd(r), .events = POLLIN};
		uint64_t now_us = clock_now_us();

		if (now_us >= end_us)
			return -ETIMEDOUT;
		if (poll(&wait, 1, (int)((end_us - now_us) / 1000) + 1) < 0)
			return -errno;
	}
	return 0;
}

static uint64_t end_of(uint64_t limit_us)
{
	return clock_now_us() + (limit_us < RESOLVE_US ? limit_us : RESOLVE_US);
}

static int resolve(const struct server_spec *spec, uint64_t limit_us, struct resolve_result *out)
{
	struct resolver *r;
	int err = resolver_create(&r);

	if (err)
		return err;
	err = resolver_ask(r, 0, spec);
	if (!err)
		err = wait_for(r, end_of(limit_us), out);
	resolver_destroy(r);
	return err;
}

static void take(const struct endpoint *e, bool wanted, struct endpoint *out)
{
	if (wanted && out->family == FAMILY_NONE)
		*out = *e;
}

int server_find(const struct server_spec *spec, bool ipv4, bool ipv6, uint64_t limit_us,
	struct endpoint out[static 2], char *error, size_t size)
{
	struct resolve_result result = {.count = 1, .addresses = {spec->endpoint}};
	int err = 0;

	out[0] = out[1] = (struct endpoint){.family = FAMILY_NONE};
	if (spec->endpoint.family == FAMILY_NONE)
		err = resolve(spec, limit_us, &result);
	if (err || result.error) {
		snprintf(error, size, "%s: %s", spec->name,
			err == -ETIMEDOUT ? "the resolver did not answer in time"
				: err	  ? strerror(-err)
					  : gai_strerror(result.error));
		return err ? err : -ENOENT;
	}
	for (size_t i = 0; i < result.count; i++) {
		bool v6 = result.addresses[i].family == FAMILY_IPV6;

		take(&result.addresses[i], v6 ? ipv6 : ipv4, &out[v6]);
	}
	if (out[0].family != FAMILY_NONE || out[1].family != FAMILY_NONE)
		return 0;
	snprintf(error, size, "%s: no IPv%c address", spec->name, ipv4 ? '4' : '6');
	return -EAFNOSUPPORT;
}

/* At most one of each family. */
static size_t take_some(const struct resolve_result *result, bool ipv4, bool ipv6,
	struct endpoint *out, size_t room)
{
	struct endpoint found[2] = {{.family = FAMILY_NONE}, {.family = FAMILY_NONE}};
	size_t count = 0;

	for (size_t i = 0; !result->error && i < result->count; i++) {
		bool v6 = result->addresses[i].family == FAMILY_IPV6;

		take(&result->addresses[i], v6 ? ipv6 : ipv4, &found[v6]);
	}
	for (int f = 0; f < 2; f++)
		if (found[f].family != FAMILY_NONE && count < room)
			out[count++] = found[f];
	return count;
}

int server_find_all(const struct server_list *list, bool ipv4, bool ipv6, uint64_t limit_us,
	struct endpoint *out, size_t max, char *error, size_t size)
{
	uint64_t end_us = end_of(limit_us);
	size_t asked = 0, count = 0;
	struct resolve_result result;
	struct resolver *r;
	int err = resolver_create(&r);

	if (err) {
		snprintf(error, size, "names cannot be resolved: %s", strerror(-err));
		return err;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct server_spec *spec = &list->servers[i];

		result = (struct resolve_result){.count = 1, .addresses = {spec->endpoint}};
		if (spec->endpoint.family != FAMILY_NONE)
			count += take_some(&result, ipv4, ipv6, out + count, max - count);
		else
			asked += !resolver_ask(r, i, spec);
	}
	while (asked-- && !wait_for(r, end_us, &result))
		count += take_some(&result, ipv4, ipv6, out + count, max - count);
	resolver_destroy(r);
	if (count)
		return (int)count;
	snprintf(error, size, "none of %zu STUN servers has an address that could be resolved",
		list->count);
	return -ENOENT;
}
