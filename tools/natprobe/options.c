// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "probe/probe.h"
#include "tools/arguments.h"
#include "tools/natprobe/options.h"

enum {
	OPTION_IPV4,
	OPTION_IPV6,
	OPTION_NUMERIC,
	OPTION_INTERFACE,
	OPTION_PORT,
	OPTION_BIND,
	OPTION_DEADLINE,
	OPTION_TEST,
	OPTION_JSON,
	OPTION_JSON_LINES,
	OPTION_OUTPUT,
	OPTION_PCAP,
	OPTION_HTML,
	OPTION_READ,
	OPTION_EXPECT,
	OPTION_REASON,
	OPTION_EXPLAIN,
	OPTION_SHORT,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_COLOR,
	OPTION_HELP,
	OPTION_VERSION,
};

#define TEST_WORDS "udp mapping filtering ports early hairpin tcp tcp-hairpin icmp icmp-timer all"

static const struct option_spec specs[] = {
	[OPTION_IPV4] = {'4', "ipv4", NULL, OPTION_WORDS_NONE, NULL, "IPv4 only"},
	[OPTION_IPV6] = {'6', "ipv6", NULL, OPTION_WORDS_NONE, NULL, "IPv6 only"},
	[OPTION_NUMERIC] = {'n', "numeric", NULL, OPTION_WORDS_NONE, NULL, "resolve no names"},
	[OPTION_INTERFACE] = {'I', "interface", "IF|ADDR", OPTION_WORDS_INTERFACE, NULL,
		"send from this interface or address"},
	[OPTION_PORT] = {'p', "port", "PORT", OPTION_WORDS_NONE, NULL,
		"port of servers given without one (3478)"},
	[OPTION_BIND] = {'b', "bind", "ADDR[:PORT]", OPTION_WORDS_NONE, NULL,
		"local endpoint; the port is that of the first socket"},
	[OPTION_DEADLINE] = {'w', "deadline", "TIME", OPTION_WORDS_NONE, NULL,
		"longest time for the whole run (5s, with TCP or ICMP 20s, with icmp-timer 150s)"},
	[OPTION_TEST] = {'t', "test", "LIST", OPTION_WORDS_LIST, TEST_WORDS,
		"what to find out (udp)"},
	[OPTION_JSON] = {'j', "json", NULL, OPTION_WORDS_NONE, NULL, "print one JSON document"},
	[OPTION_JSON_LINES] = {'J', "json-lines", NULL, OPTION_WORDS_NONE, NULL,
		"print a JSON line per event as it happens, the document last"},
	[OPTION_OUTPUT] = {'o', "output", "FILE", OPTION_WORDS_FILE, NULL,
		"write the results to FILE (-: stdout)"},
	[OPTION_PCAP] = {0, "pcap", "FILE", OPTION_WORDS_FILE, NULL,
		"write the captured packets to FILE, as pcapng with comments"},
	[OPTION_HTML] = {0, "html", "FILE", OPTION_WORDS_FILE, NULL,
		"write the report to FILE as one page of HTML, with pictures"},
	[OPTION_READ] = {0, "read", "FILE", OPTION_WORDS_FILE, NULL,
		"explain the packets of FILE, or print a saved report again; sends nothing"},
	[OPTION_EXPECT] = {0, "expect", "PATH=VALUE", OPTION_WORDS_NONE, NULL,
		"exit 1 unless the report holds this; repeatable"},
	[OPTION_REASON] = {0, "reason", NULL, OPTION_WORDS_NONE, NULL,
		"show the evidence behind each verdict"},
	[OPTION_EXPLAIN] = {0, "explain", NULL, OPTION_WORDS_NONE, NULL,
		"draw the packets as a ladder"},
	[OPTION_SHORT] = {0, "short", NULL, OPTION_WORDS_NONE, NULL,
		"print one word per address family"},
	[OPTION_QUIET] = {'q', "quiet", NULL, OPTION_WORDS_NONE, NULL,
		"print the answer lines only"},
	[OPTION_VERBOSE] = {'v', "verbose", NULL, OPTION_WORDS_NONE, NULL,
		"also list the servers, and every packet on stderr"},
	[OPTION_COLOR] = {0, "color", "WHEN", OPTION_WORDS_ONE, "auto always never",
		"colour the output"},
	[OPTION_HELP] = {'h', "help", NULL, OPTION_WORDS_NONE, NULL, "print this help"},
	[OPTION_VERSION] = {'V', "version", NULL, OPTION_WORDS_NONE, NULL, "print the version"},
};

const struct option_table natprobe_options = {
	.tool = "natprobe",
	.operands = "[SERVER[:PORT]]...",
	.operand_kind = OPTION_WORDS_HOST,
	.summary = "Find out how the NATs and firewalls on the path behave.",
	.specs = specs,
	.count = sizeof(specs) / sizeof(*specs),
};

#define LIMIT_US 5000000u
#define LIMIT_LONG_US \
	20000000u /* over TCP a call that is not answered takes 7.5 s; of ICMP much may be missing */
#define LIMIT_TIMER_US 150000000u /* of ICMP: the latest reply comes after 121 s */

#define TESTS_UDP      (PROBE_MAPPING | PROBE_FILTERING | PROBE_PORTS_IF_QUICK | PROBE_EARLY)

static const struct {
	const char *name;
	unsigned tests;
} test_names[] = {
	{"udp", TESTS_UDP},
	{"mapping", PROBE_MAPPING},
	{"filtering", PROBE_FILTERING},
	{"ports", PROBE_PORTS},
	{"early", PROBE_EARLY},
	{"hairpin", PROBE_HAIRPIN},
	{"tcp", PROBE_TCP},
	{"tcp-hairpin", PROBE_TCP_HAIRPIN},
	{"icmp", PROBE_ICMP},
	{"icmp-timer", PROBE_ICMP_TIMER},
	{"all",
		TESTS_UDP | PROBE_PORTS | PROBE_HAIRPIN | PROBE_TCP | PROBE_TCP_HAIRPIN |
			PROBE_ICMP},
};

/* The plain tests, not the sets of them. */
static bool is_single(unsigned tests)
{
	return !(tests & (tests - 1));
}

size_t natprobe_test_names(unsigned tests, const char *names[static NATPROBE_TESTS])
{
	size_t count = 0;

	if (tests & PROBE_PORTS_IF_QUICK)
		tests |= PROBE_PORTS;
	for (size_t i = 0; i < sizeof(test_names) / sizeof(*test_names); i++) {
		unsigned bits = test_names[i].tests;

		if (is_single(bits) && tests & bits)
			names[count++] = test_names[i].name;
	}
	names[count] = NULL;
	return count;
}

static int parse_test(const char *word, size_t length, struct natprobe_params *p)
{
	for (size_t i = 0; i < sizeof(test_names) / sizeof(*test_names); i++) {
		if (strlen(test_names[i].name) != length ||
			memcmp(test_names[i].name, word, length) != 0)
			continue;
		p->tests |= test_names[i].tests;
		if (is_single(test_names[i].tests))
			p->tests_named |= test_names[i].tests;
		return 0;
	}
	return -EINVAL;
}

static int parse_tests(struct natprobe_params *p, const char *list, char *error, size_t size)
{
	p->tests = 0;
	p->tests_named = 0;
	for (;;) {
		size_t length = strcspn(list, ",");

		if (parse_test(list, length, p)) {
			snprintf(error, size, "--test: \"%.*s\" is none of: %s", (int)length, list,
				TEST_WORDS);
			return -EINVAL;
		}
		if (!list[length])
			return 0;
		list += length + 1;
	}
}

static int parse_port(struct natprobe_params *p, const char *text, char *error, size_t size)
{
	uint64_t port;

	if (number_from_text(text, 1, UINT16_MAX, &port)) {
		snprintf(error, size, "--port: \"%s\" is not a port (1 to 65535)", text);
		return -EINVAL;
	}
	p->list.port = (uint16_t)port;
	return 0;
}

static int take(void *context, size_t index, const char *argument, char *error, size_t size)
{
	const struct argument_error wrong = {error, size};
	struct natprobe_params *p = context;
	bool *flags[] = {[OPTION_IPV4] = &p->ipv4,
		[OPTION_IPV6] = &p->ipv6,
		[OPTION_NUMERIC] = &p->numeric,
		[OPTION_JSON] = &p->json,
		[OPTION_JSON_LINES] = &p->json_lines,
		[OPTION_REASON] = &p->reason,
		[OPTION_EXPLAIN] = &p->explain,
		[OPTION_SHORT] = &p->short_form,
		[OPTION_QUIET] = &p->brief,
		[OPTION_VERBOSE] = &p->verbose,
		[OPTION_HELP] = &p->help,
		[OPTION_VERSION] = &p->version};

	switch (index) {
	case OPTION_INTERFACE:
		return argument_interface(argument, p->source, &p->interface, wrong);
	case OPTION_PORT:
		return parse_port(p, argument, error, size);
	case OPTION_BIND:
		return argument_bind(argument, p->source, wrong);
	case OPTION_DEADLINE:
		return argument_time("deadline", argument, 100000, 3600000000u, "100ms and 1h",
			&p->limit_us, wrong);
	case OPTION_TEST:
		return parse_tests(p, argument, error, size);
	case OPTION_OUTPUT:
		p->output = argument;
		return 0;
	case OPTION_PCAP:
		return argument_file("pcap", argument, &p->pcap, wrong);
	case OPTION_HTML:
		return argument_file("html", argument, &p->html, wrong);
	case OPTION_READ:
		p->read = argument;
		return 0;
	case OPTION_EXPECT:
		return argument_expectation(argument, &p->expectations, wrong);
	case OPTION_COLOR:
		return argument_color(argument, &p->color, wrong);
	default:
		*flags[index] = true;
		return 0;
	}
}

static int parse_servers(
	int argc, char **argv, int first, struct natprobe_params *p, char *error, size_t size)
{
	if (argc - first > SERVERLIST_MAX) {
		snprintf(error, size, "more than %d servers", SERVERLIST_MAX);
		return -EINVAL;
	}
	for (int i = first; i < argc; i++) {
		if (server_parse(argv[i], p->list.port, &p->list.servers[p->list.count])) {
			snprintf(error, size,
				"\"%s\" is not a server (HOST, HOST:PORT or [ADDR6]:PORT)",
				argv[i]);
			return -EINVAL;
		}
		p->list.count++;
	}
	return 0;
}

int natprobe_parse(int argc, char **argv, struct natprobe_params *out, char *error, size_t size)
{
	int first = 0, err;

	memset(out, 0, sizeof(*out));
	out->list.port = SERVER_PORT_DEFAULT;
	out->tests = TESTS_UDP;
	err = options_parse(&natprobe_options, argc, argv, take, out, &first, error, size);
	if (err) {
		argument_find_json(argc, argv, &out->json, &out->json_lines);
		return err;
	}
	if (!out->limit_us)
		out->limit_us = out->tests & PROBE_ICMP_TIMER	    ? LIMIT_TIMER_US
			: out->tests & (PROBE_ANY_TCP | PROBE_ICMP) ? LIMIT_LONG_US
								    : LIMIT_US;
	if (!out->ipv4 && !out->ipv6)
		out->ipv4 = out->ipv6 = true;
	err = parse_servers(argc, argv, first, out, error, size);
	if (!err && out->read && (out->list.count || out->pcap)) {
		snprintf(error, size, "--read asks nobody: no server and no --pcap go with it");
		return -EINVAL;
	}
	return err;
}
