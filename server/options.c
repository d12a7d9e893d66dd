// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "server/options.h"
#include "server/store_memory.h"

#define DEFAULT_PORT	   3478
#define DEFAULT_OTHER_PORT 3479
#define DEFAULT_RATE	   2000
#define RATE_MAX	   100000000
#define DEFAULT_SESSIONS   200000

enum option {
	OPTION_PORT,
	OPTION_OTHER_PORT,
	OPTION_SINGLE,
	OPTION_RATE,
	OPTION_SESSIONS,
	OPTION_NO_RENDEZVOUS,
	OPTION_NO_CALLS,
	OPTION_NO_ICMP,
	OPTION_USER,
	OPTION_LOG_ADDRESSES,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

static const struct option_spec specs[OPTION_COUNT] = {
	[OPTION_PORT] = {'p', "port", "PORT", OPTION_WORDS_NONE, NULL,
		"first port of each address (3478)"},
	[OPTION_OTHER_PORT] = {0, "other-port", "PORT", OPTION_WORDS_NONE, NULL,
		"second port of each address (3479)"},
	[OPTION_SINGLE] = {0, "single", NULL, OPTION_WORDS_NONE, NULL,
		"serve one address, without the tests that need a second one"},
	[OPTION_RATE] = {0, "rate", "N", OPTION_WORDS_NONE, NULL,
		"tokens per second and source address (2000); 0: no limit"},
	[OPTION_SESSIONS] = {0, "sessions", "N", OPTION_WORDS_NONE, NULL,
		"sessions of the rendezvous at most (200000)"},
	[OPTION_NO_RENDEZVOUS] = {0, "no-rendezvous", NULL, OPTION_WORDS_NONE, NULL,
		"no rendezvous and no TCP"},
	[OPTION_NO_CALLS] = {0, "no-calls", NULL, OPTION_WORDS_NONE, NULL,
		"no TCP connections to clients that ask for them"},
	[OPTION_NO_ICMP] = {0, "no-icmp", NULL, OPTION_WORDS_NONE, NULL,
		"no ICMP for clients that ask for it"},
	[OPTION_USER] = {0, "user", "NAME", OPTION_WORDS_NONE, NULL,
		"become this user before anything else"},
	[OPTION_LOG_ADDRESSES] = {0, "log-addresses", "HOW", OPTION_WORDS_ONE, "truncated full",
		"how much of a client's address is logged (truncated)"},
	[OPTION_QUIET] = {'q', "quiet", NULL, OPTION_WORDS_NONE, NULL,
		"log warnings and errors only"},
	[OPTION_VERBOSE] = {'v', "verbose", NULL, OPTION_WORDS_NONE, NULL,
		"log refused requests and ICMP errors, too"},
	[OPTION_HELP] = {'h', "help", NULL, OPTION_WORDS_NONE, NULL, "show this text"},
	[OPTION_VERSION] = {'V', "version", NULL, OPTION_WORDS_NONE, NULL, "show the version"},
};

const struct option_table natprobed_options = {
	.tool = "natprobed",
	.operands = "ADDRESS[=PUBLIC]...",
	.operand_kind = OPTION_WORDS_HOST,
	.summary =
		"Serves STUN behaviour discovery (RFC 5780, 8489) on two addresses and two ports, "
		"and a rendezvous for two hosts.",
	.specs = specs,
	.count = OPTION_COUNT,
};

static int take_number(enum option option, const char *text, uint64_t min, uint64_t max,
	uint64_t *out, char *error, size_t error_size)
{
	if (!number_from_text(text, min, max, out))
		return 0;
	snprintf(error, error_size, "--%s %s: not a number from %ju to %ju", specs[option].name,
		text, (uintmax_t)min, (uintmax_t)max);
	return -EINVAL;
}

static int take_port(
	enum option option, const char *text, uint16_t *out, char *error, size_t error_size)
{
	uint64_t number = 0;
	int err = take_number(option, text, 1, UINT16_MAX, &number, error, error_size);

	*out = (uint16_t)number;
	return err;
}

static int take_log_addresses(struct settings *s, const char *text, char *error, size_t error_size)
{
	s->full_addresses = !strcmp(text, "full");
	if (s->full_addresses || !strcmp(text, "truncated"))
		return 0;
	snprintf(error, error_size, "--log-addresses %s: not \"truncated\" or \"full\"", text);
	return -EINVAL;
}

static int handle(void *context, size_t index, const char *argument, char *error, size_t error_size)
{
	struct settings *s = context;
	uint64_t number = 0;
	int err = 0;

	switch ((enum option)index) {
	case OPTION_PORT:
		return take_port(OPTION_PORT, argument, &s->port, error, error_size);
	case OPTION_OTHER_PORT:
		return take_port(OPTION_OTHER_PORT, argument, &s->other_port, error, error_size);
	case OPTION_RATE:
		err = take_number(OPTION_RATE, argument, 0, RATE_MAX, &number, error, error_size);
		s->rate = (uint32_t)number;
		return err;
	case OPTION_SESSIONS:
		err = take_number(OPTION_SESSIONS, argument, 1, STORE_MEMORY_SESSIONS_MAX, &number,
			error, error_size);
		s->sessions = (uint32_t)number;
		return err;
	case OPTION_NO_RENDEZVOUS:
		s->no_rendezvous = true;
		break;
	case OPTION_NO_CALLS:
		s->no_calls = true;
		break;
	case OPTION_NO_ICMP:
		s->no_icmp = true;
		break;
	case OPTION_LOG_ADDRESSES:
		return take_log_addresses(s, argument, error, error_size);
	case OPTION_SINGLE:
		s->single = true;
		break;
	case OPTION_USER:
		s->user = argument;
		break;
	case OPTION_QUIET:
		s->level = LOG_LEVEL_WARNING;
		break;
	case OPTION_VERBOSE:
		s->level = LOG_LEVEL_DEBUG;
		break;
	case OPTION_HELP:
		s->help = true;
		break;
	case OPTION_VERSION:
		s->version = true;
		break;
	case OPTION_COUNT:
		break;
	}
	return 0;
}

/* --- addresses --- */

static int parse_address(const char *text, struct endpoint *out)
{
	int err = endpoint_parse(text, 0, out);

	if (err || out->port) /* ports have options of their own */
		return -EINVAL;
	out->port = 1; /* only asked about the address */
	return endpoint_is_unicast(out) ? 0 : -EINVAL;
}

/* "LOCAL" or, behind a 1:1 NAT, "LOCAL=PUBLIC". */
static int parse_operand(const char *text, struct endpoint *local, struct endpoint *public)
{
	char copy[2 * ENDPOINT_TEXT];
	char *equals;
	int err;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, strlen(text) + 1);
	equals = strchr(copy, '=');
	if (equals)
		*equals = '\0';
	err = parse_address(copy, local);
	if (!err)
		err = parse_address(equals ? equals + 1 : copy, public);
	return err || local->family != public->family ? -EINVAL : 0;
}

static const char *family_name(enum family family)
{
	return family == FAMILY_IPV4 ? "IPv4" : "IPv6";
}

/* Both ports of an address, in the first or second place of its family. */
static int add_address(struct settings *s, const struct endpoint *local,
	const struct endpoint *public, char *error, size_t error_size)
{
	unsigned at = local->family == FAMILY_IPV6 ? RESPONDER_IPV6 : 0;
	char text[ENDPOINT_TEXT];

	if (s->local[at].family != FAMILY_NONE) {
		if (endpoint_same_address(local, &s->local[at]) ||
			endpoint_same_address(public, &s->advertised[at])) {
			snprintf(error, error_size, "address %s is given twice",
				endpoint_format_address(local, text));
			return -EINVAL;
		}
		at |= RESPONDER_ADDRESS;
	}
	if (s->local[at].family != FAMILY_NONE) {
		snprintf(error, error_size, "address %s: more than two %s addresses",
			endpoint_format_address(local, text), family_name(local->family));
		return -EINVAL;
	}
	for (unsigned i = 0; i < 2; i++) {
		s->local[at + i] = *local;
		s->advertised[at + i] = *public;
		s->local[at + i].port = s->advertised[at + i].port = i ? s->other_port : s->port;
	}
	return 0;
}

static int check_pairs(const struct settings *s, char *error, size_t error_size)
{
	char text[ENDPOINT_TEXT];

	for (unsigned at = 0; at < RESPONDER_ENDPOINTS; at += RESPONDER_IPV6) {
		const struct endpoint *first = &s->local[at];

		if (first->family == FAMILY_NONE || s->single ||
			s->local[at | RESPONDER_ADDRESS].family != FAMILY_NONE)
			continue;
		snprintf(error, error_size,
			"%s is the only %s address: RFC 5780 needs two (--single does without)",
			endpoint_format_address(first, text), family_name(first->family));
		return -EINVAL;
	}
	return 0;
}

static int take_operands(
	struct settings *s, int count, char **operands, char *error, size_t error_size)
{
	struct endpoint local, public;
	int err = 0;

	if (!count) {
		snprintf(error, error_size, "no address to serve");
		return -EINVAL;
	}
	for (int i = 0; i < count && !err; i++) {
		if (parse_operand(operands[i], &local, &public)) {
			snprintf(error, error_size,
				"address %s: not a numeric unicast ADDRESS or ADDRESS=PUBLIC "
				"without a port",
				operands[i]);
			return -EINVAL;
		}
		err = add_address(s, &local, &public, error, error_size);
	}
	return err ? err : check_pairs(s, error, error_size);
}

int settings_parse(struct settings *s, int argc, char **argv, char *error, size_t error_size)
{
	int first = 0, err;

	memset(s, 0, sizeof(*s));
	s->level = LOG_LEVEL_INFO;
	s->port = DEFAULT_PORT;
	s->other_port = DEFAULT_OTHER_PORT;
	s->rate = DEFAULT_RATE;
	s->sessions = DEFAULT_SESSIONS;
	err = options_parse(&natprobed_options, argc, argv, handle, s, &first, error, error_size);
	if (err || s->help || s->version)
		return err;
	if (s->port == s->other_port) {
		snprintf(error, error_size, "--port and --other-port are both %u", s->port);
		return -EINVAL;
	}
	return take_operands(s, argc - first, argv + first, error, error_size);
}
