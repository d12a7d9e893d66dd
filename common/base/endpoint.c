// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/endpoint.h"
#include "base/number.h"

size_t endpoint_address_length(enum family family)
{
	return family == FAMILY_IPV4 ? 4 : family == FAMILY_IPV6 ? 16 : 0;
}

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->family != FAMILY_NONE &&
		!memcmp(a->address, b->address, endpoint_address_length(a->family));
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_same_address(a, b) && a->port == b->port;
}

char *endpoint_format_address(const struct endpoint *e, char buf[static ENDPOINT_TEXT])
{
	int family = e->family == FAMILY_IPV4 ? AF_INET : AF_INET6;

	if (e->family == FAMILY_NONE || !inet_ntop(family, e->address, buf, ENDPOINT_TEXT)) {
		snprintf(buf, ENDPOINT_TEXT, "none");
		return buf;
	}
	if (e->scope) {
		size_t n = strlen(buf);

		snprintf(buf + n, ENDPOINT_TEXT - n, "%%%u", e->scope);
	}
	return buf;
}

char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_TEXT])
{
	char address[ENDPOINT_TEXT];

	endpoint_format_address(e, address);
	if (e->family == FAMILY_NONE)
		snprintf(buf, ENDPOINT_TEXT, "none");
	else if (e->family == FAMILY_IPV6)
		snprintf(buf, ENDPOINT_TEXT, "[%.60s]:%u", address, e->port);
	else
		snprintf(buf, ENDPOINT_TEXT, "%.60s:%u", address, e->port);
	return buf;
}

static int parse_scope(const char *text, uint32_t *scope)
{
	uint64_t n;

	*scope = if_nametoindex(text);
	if (*scope)
		return 0;
	if (number_from_text(text, 1, UINT32_MAX, &n))
		return -EINVAL;
	*scope = (uint32_t)n;
	return 0;
}

static int parse_address(char *text, struct endpoint *out)
{
	char *percent = strchr(text, '%');

	if (percent)
		*percent = '\0';
	if (inet_pton(AF_INET, text, out->address) == 1) {
		out->family = FAMILY_IPV4;
		return percent ? -EINVAL : 0;
	}
	if (inet_pton(AF_INET6, text, out->address) != 1)
		return -EINVAL;
	out->family = FAMILY_IPV6;
	return percent ? parse_scope(percent + 1, &out->scope) : 0;
}

int endpoint_parse(const char *text, uint16_t port_default, struct endpoint *out)
{
	char copy[ENDPOINT_TEXT];
	char *host = copy, *port = NULL, *colon;
	uint64_t n = port_default;
	size_t length = strlen(text);

	memset(out, 0, sizeof(*out));
	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length + 1);
	if (*copy == '[') {
		char *end = strchr(copy, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		host = copy + 1;
		*end = '\0';
		port = end[1] ? end + 2 : NULL;
	} else {
		colon = strchr(copy, ':');
		if (colon &&
			!strchr(colon + 1, ':')) { /* one colon only: not a bare IPv6 address */
			*colon = '\0';
			port = colon + 1;
		}
	}
	if (port && number_from_text(port, 1, UINT16_MAX, &n))
		return -EINVAL;
	out->port = (uint16_t)n;
	if (parse_address(host, out))
		return -EINVAL;
	return *copy == '[' && out->family != FAMILY_IPV6 ? -EINVAL : 0;
}

bool endpoint_is_unicast(const struct endpoint *e)
{
	static const uint8_t zero[16];
	const uint8_t *a = e->address;

	if (!e->port || e->family == FAMILY_NONE)
		return false;
	if (e->family == FAMILY_IPV6)
		return a[0] != 0xff && memcmp(a, zero, 16);
	return a[0] != 0 && a[0] < 224;
}

bool endpoint_is_loopback(const struct endpoint *e)
{
	static const uint8_t one[16] = {[15] = 1};

	if (e->family == FAMILY_IPV4)
		return e->address[0] == 127;
	return e->family == FAMILY_IPV6 && !memcmp(e->address, one, 16);
}

bool endpoint_is_shared(const struct endpoint *e)
{
	return e->family == FAMILY_IPV4 && e->address[0] == 100 && (e->address[1] & 0xc0) == 64;
}

bool endpoint_is_private(const struct endpoint *e)
{
	const uint8_t *a = e->address;

	if (e->family == FAMILY_IPV6)
		return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
	if (e->family != FAMILY_IPV4)
		return false;
	return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
		(a[0] == 169 && a[1] == 254) || endpoint_is_shared(e);
}
