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

static int resolve(const struct server_spec *spec, uint64_t limit_us, struct resolve_result *out)
{
	uint64_t end_us = clock_now_us() + (limit_us < RESOLVE_US ? limit_us : RESOLVE_US), now_us;
	struct resolver *r;
	int err = resolver_create(&r);

	if (err)
		return err;
	err = resolver_ask(r, 0, spec);
	while (!err && resolver_take(r, out) == -EAGAIN) {
		struct pollfd wait = {.fd = resolver_fd(r), .events = POLLIN};

		now_us = clock_now_us();
		if (now_us >= end_us)
			err = -ETIMEDOUT;
		else if (poll(&wait, 1, (int)((end_us - now_us) / 1000) + 1) < 0)
			err = -errno;
	}
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
			err ? strerror(-err) : gai_strerror(result.error));
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
