// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/serverlist.h"

static const char *skip_scheme(const char *text)
{
	static const char *const schemes[] = {"stun:", "turn:"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (!strncmp(text, schemes[i], strlen(schemes[i])))
			return text + strlen(schemes[i]);
	return text;
}

/* Letters, digits, hyphens, dots and, for SRV-like names, underscores (RFC 1123 2.1). */
static bool is_host_name(const char *host)
{
	size_t length = strlen(host);

	if (!length || length > 253 || *host == '-' || *host == '.')
		return false;
	for (; *host; host++)
		if (!isalnum((unsigned char)*host) && *host != '-' && *host != '.' && *host != '_')
			return false;
	/* what consists of digits and dots is an address that could not be read */
	return strspn(host - length, "0123456789.") != length;
}

static int parse_name(const char *rest, struct server_spec *out)
{
	char *colon;
	uint64_t port;

	memcpy(out->host, rest, strlen(rest) + 1);
	colon = strchr(out->host, ':');
	if (colon) {
		*colon = '\0';
		if (number_from_text(colon + 1, 1, UINT16_MAX, &port))
			return -EINVAL;
		out->port = (uint16_t)port;
		out->has_port = true;
	}
	return is_host_name(out->host) ? 0 : -EINVAL;
}

int server_parse(const char *text, uint16_t port_default, struct server_spec *out)
{
	const char *rest = skip_scheme(text);

	memset(out, 0, sizeof(*out));
	out->port = port_default;
	if (!*rest || strlen(text) >= SERVER_HOST)
		return -EINVAL;
	memcpy(out->name, text, strlen(text) + 1);
	if (!endpoint_parse(rest, port_default, &out->endpoint)) {
		char address[ENDPOINT_TEXT];

		out->port = out->endpoint.port;
		endpoint_format_address(&out->endpoint, address);
		memcpy(out->host, address, strlen(address) + 1);
		return 0;
	}
	memset(&out->endpoint, 0, sizeof(out->endpoint));
	return parse_name(rest, out);
}

/* One line without comment and blanks at both ends into buffer; false when it is too long. */
static bool take_line(const char *text, size_t length, char buffer[static SERVER_HOST])
{
	const char *comment = length ? memchr(text, '#', length) : NULL;

	if (comment)
		length = (size_t)(comment - text);
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	while (length && isspace((unsigned char)*text)) {
		text++;
		length--;
	}
	if (length >= SERVER_HOST || (length && memchr(text, '\0', length)))
		return false;
	if (length)
		memcpy(buffer, text, length);
	buffer[length] = '\0';
	return true;
}

int serverlist_parse(const char *text, size_t length, uint16_t port_default,
	struct server_spec out[static SERVERLIST_MAX], unsigned *line)
{
	int count = 0;

	*line = 0;
	while (length) {
		const char *end = memchr(text, '\n', length);
		size_t n = end ? (size_t)(end - text) : length;
		struct server_spec spec;
		char buffer[SERVER_HOST];

		++*line;
		if (!take_line(text, n, buffer))
			return -EINVAL;
		if (*buffer) {
			if (server_parse(buffer, port_default, &spec))
				return -EINVAL;
			if (count >= SERVERLIST_MAX)
				return -ENOSPC;
			out[count++] = spec;
		}
		n += end != NULL;
		text += n;
		length -= n;
	}
	return count;
}
