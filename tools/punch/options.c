// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "punch/knock.h"
#include "tools/arguments.h"
#include "tools/punch/forward.h"
#include "tools/punch/options.h"

#define DARK_PORT 33434 /* as of traceroute */

/*
 * One row for each option: of all tools, of one of them, or of the two whose way is one of UDP. What an option is, the
 * handler knows by the name in the first column.
 */
#define ROWS(ALL, UDP, TCP, ICMP, DATA)                                                         \
	ALL(RENDEZVOUS, 'r', "rendezvous", "SERVER[:PORT]", HOST, NULL,                         \
		"natprobed where the two sides meet")                                           \
	UDP(MANUAL, 0, "manual", NULL, NONE, NULL,                                              \
		"meet without a server: the users send each other a line")                      \
	UDP(SERVER, 's', "server", "SERVER[:PORT]", HOST, NULL,                                 \
		"STUN server for --manual; repeatable")                                         \
	ICMP(WAIT, 0, "wait", NULL, NONE, NULL, "wait for a knock, instead of knocking")        \
	ICMP(SERVER, 's', "server", "SERVER[:PORT]", HOST, NULL,                                \
		"STUN server that shows the own endpoint; repeatable")                          \
	ICMP(DARK, 0, "dark", "ADDR[:PORT]", NONE, NULL,                                        \
		"what the side that waits sends to, instead of what the code says")             \
	ICMP(CLASSIC, 0, "classic", NULL, NONE, NULL,                                           \
		"knock as the first tools did, about an echo: on both sides, for comparison")   \
	ALL(CODE_FILE, 0, "code-file", "FILE", FILE, NULL,                                      \
		"read the code from FILE (-: standard input)")                                  \
	ALL(IPV4, '4', "ipv4", NULL, NONE, NULL, "IPv4 only")                                   \
	ALL(IPV6, '6', "ipv6", NULL, NONE, NULL, "IPv6 only")                                   \
	ALL(NUMERIC, 'n', "numeric", NULL, NONE, NULL, "resolve no names")                      \
	ALL(INTERFACE, 'I', "interface", "IF|ADDR", INTERFACE, NULL,                            \
		"send from this interface or address")                                          \
	ALL(BIND, 'b', "bind", "ADDR[:PORT]", NONE, NULL,                                       \
		"local endpoint; the port is that of the first socket")                         \
	ALL(DEADLINE, 'w', "deadline", "TIME", NONE, NULL,                                      \
		"longest time until a way stands, waiting included (10m)")                      \
	ALL(COUNT, 'c', "count", "N", NONE, NULL, "measure the way with N round trips (5)")     \
	ALL(INTERVAL, 'i', "interval", "TIME", NONE, NULL, "time between them (100ms)")         \
	DATA(STDIO, 0, "stdio", NULL, NONE, NULL,                                               \
		"then carry standard input and output, a datagram per block")                   \
	TCP(STDIO, 0, "stdio", NULL, NONE, NULL,                                                \
		"then carry standard input and output, to the end of both")                     \
	DATA(LISTEN, 'L', "listen", "[ADDR:]PORT", NONE, NULL,                                  \
		"then carry what local programs send to this UDP port")                         \
	TCP(LISTEN, 'L', "listen", "[ADDR:]PORT", NONE, NULL,                                   \
		"then carry the connections of local programs to this TCP port")                \
	ALL(TO, 0, "to", "ADDR:PORT", NONE, NULL,                                               \
		"then hand what the other side's --listen carries to this endpoint")            \
	ALL(HOLD, 0, "hold", NULL, NONE, NULL, "then keep the path open, and say what changes") \
	ALL(EXEC, 0, "exec", "COMMAND", NONE, NULL,                                             \
		"then run COMMAND with the socket as descriptor 3")                             \
	ALL(PRINT, 0, "print", NULL, NONE, NULL, "print the two endpoints only")                \
	DATA(PACKETS, 0, "packets", "N", NONE, NULL, "most packets in one attempt (2048)")      \
	DATA(SOCKETS, 0, "sockets", "N", NONE, NULL, "most sockets in one attempt (256)")       \
	UDP(RATE, 0, "rate", "N", NONE, NULL, "most packets a second (200)")                    \
	ICMP(RATE, 0, "rate", "N", NONE, NULL, "most packets a second (500)")                   \
	TCP(CONNECTIONS, 0, "connections", "N", NONE, NULL,                                     \
		"most connections that are being opened at once (512)")                         \
	TCP(RATE, 0, "rate", "N", NONE, NULL, "most connections begun a second (100)")          \
	ALL(JSON, 'j', "json", NULL, NONE, NULL, "print one JSON document")                     \
	ALL(JSON_LINES, 'J', "json-lines", NULL, NONE, NULL,                                    \
		"print a JSON line per event as it happens, the document last")                 \
	ALL(OUTPUT, 'o', "output", "FILE", FILE, NULL, "write the results to FILE (-: stdout)") \
	ALL(PCAP, 0, "pcap", "FILE", FILE, NULL,                                                \
		"write the captured packets to FILE, as pcapng with comments")                  \
	ALL(HTML, 0, "html", "FILE", FILE, NULL,                                                \
		"write the report to FILE as one page of HTML, with pictures")                  \
	ALL(EXPLAIN, 0, "explain", NULL, NONE, NULL, "draw the packets as a ladder")            \
	ALL(EXPECT, 0, "expect", "PATH=VALUE", NONE, NULL,                                      \
		"exit 1 unless the report holds this; repeatable")                              \
	ALL(QUIET, 'q', "quiet", NULL, NONE, NULL, "print the outcome only")                    \
	ALL(VERBOSE, 'v', "verbose", NULL, NONE, NULL,                                          \
		"also list the steps, and every packet on stderr")                              \
	ALL(COLOR, 0, "color", "WHEN", ONE, "auto always never", "colour the output")           \
	ALL(HELP, 'h', "help", NULL, NONE, NULL, "print this help")                             \
	ALL(VERSION, 'V', "version", NULL, NONE, NULL, "print the version")

#define NOTHING(...)
#define SPEC(option, letter, name, argument, kind, words, help) \
	{letter, name, argument, OPTION_WORDS_##kind, words, help},
#define MEANING(option, ...) OPTION_##option,

/* Some are in several of the tools, in words of each. */
enum option {
	ROWS(MEANING, MEANING, NOTHING, NOTHING, MEANING) OPTION_CONNECTIONS,
	OPTION_WAIT,
	OPTION_DARK,
	OPTION_CLASSIC
};

static const struct option_spec udp_specs[] = {ROWS(SPEC, SPEC, NOTHING, NOTHING, SPEC)};
static const struct option_spec tcp_specs[] = {ROWS(SPEC, NOTHING, SPEC, NOTHING, NOTHING)};
static const struct option_spec icmp_specs[] = {ROWS(SPEC, NOTHING, NOTHING, SPEC, SPEC)};
static const enum option udp_options[] = {ROWS(MEANING, MEANING, NOTHING, NOTHING, MEANING)};
static const enum option tcp_options[] = {ROWS(MEANING, NOTHING, MEANING, NOTHING, NOTHING)};
static const enum option icmp_options[] = {ROWS(MEANING, NOTHING, NOTHING, MEANING, MEANING)};

static const enum option *const options[] = {
	[PUNCH_UDP] = udp_options, [PUNCH_TCP] = tcp_options, [PUNCH_ICMP] = icmp_options};

const struct option_table punch_options[] = {
	[PUNCH_UDP] = {.tool = "udppunch",
		.operands = "[CODE]",
		.operand_kind = OPTION_WORDS_NONE,
		.summary = "Open a direct, mutually authenticated UDP path to a host behind NATs.",
		.specs = udp_specs,
		.count = sizeof(udp_specs) / sizeof(*udp_specs)},
	[PUNCH_TCP] = {.tool = "tcppunch",
		.operands = "[CODE]",
		.operand_kind = OPTION_WORDS_NONE,
		.summary = "Open a direct, mutually authenticated TCP connection to a host behind "
			   "NATs.",
		.specs = tcp_specs,
		.count = sizeof(tcp_specs) / sizeof(*tcp_specs)},
	[PUNCH_ICMP] = {.tool = "icmppunch",
		.operands = "[ADDRESS] [CODE]",
		.operand_kind = OPTION_WORDS_HOST,
		.summary =
			"Open a direct, mutually authenticated UDP path to a host behind NATs by "
			"a knock of ICMP errors, without any server.",
		.specs = icmp_specs,
		.count = sizeof(icmp_specs) / sizeof(*icmp_specs)},
};

static int take_server(struct punch_params *p, const char *text, struct argument_error wrong)
{
	if (!server_parse(text, SERVER_PORT_DEFAULT, &p->server)) {
		p->has_server = true;
		return 0;
	}
	snprintf(wrong.text, wrong.size,
		"--rendezvous: \"%s\" is not a server (HOST, HOST:PORT or [ADDR6]:PORT)", text);
	return -EINVAL;
}

static int parse_target(const char *text, struct endpoint *out)
{
	int err = endpoint_parse(text, 0, out);

	return !err && (!out->port || !endpoint_is_unicast(out)) ? -EINVAL : err;
}

static int take_endpoint(const char *option, const char *text,
	int (*parse)(const char *text, struct endpoint *out), struct endpoint *out,
	struct argument_error wrong)
{
	if (!parse(text, out))
		return 0;
	snprintf(wrong.text, wrong.size, "--%s: \"%s\" is not %s", option, text,
		parse == parse_target ? "an endpoint (ADDR:PORT or [ADDR6]:PORT)"
				      : "a local endpoint (PORT, ADDR:PORT or [ADDR6]:PORT)");
	return -EINVAL;
}

static int take_stun_server(struct punch_params *p, const char *text, struct argument_error wrong)
{
	struct server_list *l = &p->stun;

	if (l->count == SERVERLIST_MAX) {
		snprintf(wrong.text, wrong.size, "--server: more than %d servers", SERVERLIST_MAX);
		return -EINVAL;
	}
	if (!server_parse(text, l->port, &l->servers[l->count])) {
		l->count++;
		return 0;
	}
	snprintf(wrong.text, wrong.size,
		"--server: \"%s\" is not a server (HOST, HOST:PORT or [ADDR6]:PORT)", text);
	return -EINVAL;
}

static int take_dark(struct punch_params *p, const char *text, struct argument_error wrong)
{
	struct endpoint e;

	if (!endpoint_parse(text, DARK_PORT, &e) && endpoint_is_unicast(&e)) {
		p->dark[e.family == FAMILY_IPV6] = e;
		return 0;
	}
	snprintf(wrong.text, wrong.size, "--dark: \"%s\" is not an endpoint (ADDR or ADDR:PORT)",
		text);
	return -EINVAL;
}

static int take_text(struct punch_params *p, enum option index, const char *argument)
{
	const char **places[] = {[OPTION_CODE_FILE] = &p->code_file,
		[OPTION_EXEC] = &p->exec,
		[OPTION_OUTPUT] = &p->output};

	*places[index] = argument;
	return 0;
}

static int take_flag(struct punch_params *p, enum option index)
{
	bool *flags[] = {[OPTION_MANUAL] = &p->manual,
		[OPTION_WAIT] = &p->wait,
		[OPTION_CLASSIC] = &p->classic,
		[OPTION_IPV4] = &p->ipv4,
		[OPTION_IPV6] = &p->ipv6,
		[OPTION_NUMERIC] = &p->numeric,
		[OPTION_STDIO] = &p->stdio,
		[OPTION_HOLD] = &p->hold,
		[OPTION_PRINT] = &p->print,
		[OPTION_JSON] = &p->json,
		[OPTION_JSON_LINES] = &p->json_lines,
		[OPTION_QUIET] = &p->quiet,
		[OPTION_VERBOSE] = &p->verbose,
		[OPTION_EXPLAIN] = &p->explain,
		[OPTION_HELP] = &p->help,
		[OPTION_VERSION] = &p->version};

	*flags[index] = true;
	return 0;
}

static int take(void *context, size_t index, const char *argument, char *error, size_t size)
{
	const struct argument_error wrong = {error, size};
	struct punch_params *p = context;
	enum option option = options[p->kind][index];

	switch (option) {
	case OPTION_RENDEZVOUS:
		return take_server(p, argument, wrong);
	case OPTION_SERVER:
		return take_stun_server(p, argument, wrong);
	case OPTION_DARK:
		return take_dark(p, argument, wrong);
	case OPTION_INTERFACE:
		return argument_interface(argument, p->source, &p->interface, wrong);
	case OPTION_BIND:
		return argument_bind(argument, p->source, wrong);
	case OPTION_DEADLINE:
		return argument_time("deadline", argument, 100000, 86400000000u, "100ms and 24h",
			&p->limit_us, wrong);
	case OPTION_COUNT:
		return argument_number("count", argument, 0, 1000, &p->count, wrong);
	case OPTION_INTERVAL:
		return argument_time("interval", argument, 10000, 60000000, "10ms and 1m",
			&p->interval_us, wrong);
	case OPTION_PACKETS:
		return argument_number("packets", argument, 16, 100000, &p->packets, wrong);
	case OPTION_SOCKETS:
		return argument_number("sockets", argument, 1, 256, &p->sockets, wrong);
	case OPTION_CONNECTIONS:
		return argument_number("connections", argument, 1, 512, &p->sockets, wrong);
	case OPTION_RATE:
		return argument_number("rate", argument, 10, 10000, &p->rate, wrong);
	case OPTION_LISTEN:
		return take_endpoint("listen", argument, forward_listen_parse, &p->listen, wrong);
	case OPTION_TO:
		return take_endpoint("to", argument, parse_target, &p->target, wrong);
	case OPTION_CODE_FILE:
	case OPTION_EXEC:
	case OPTION_OUTPUT:
		return take_text(p, option, argument);
	case OPTION_PCAP:
		return argument_file("pcap", argument, &p->pcap, wrong);
	case OPTION_HTML:
		return argument_file("html", argument, &p->html, wrong);
	case OPTION_EXPECT:
		return argument_expectation(argument, &p->expectations, wrong);
	case OPTION_COLOR:
		return argument_color(argument, &p->color, wrong);
	default:
		return take_flag(p, option);
	}
}

/* What the way is for, and what is printed. */
static const char *contradiction_of_use(const struct punch_params *p)
{
	bool uses_stdout = !p->output || !strcmp(p->output, "-");

	if (p->stdio + !!p->exec + p->hold + (p->listen.family != FAMILY_NONE) +
			(p->target.family != FAMILY_NONE) >
		1)
		return "--stdio, --exec, --listen, --to and --hold: only one of them can have the "
		       "path";
	if (p->stdio && uses_stdout && (p->json || p->json_lines || p->print))
		return "--stdio has stdout: --output says where results go";
	if (p->json + p->json_lines + p->print > 1)
		return "--json, --json-lines and --print: only one of them";
	if (p->stdio && p->code_file && !strcmp(p->code_file, "-"))
		return "--stdio has standard input: the code cannot come from there";
	return NULL;
}

static const char *contradiction_of_meeting(const struct punch_params *p)
{
	if (p->manual && p->has_server)
		return "--manual and --rendezvous: only one of them";
	if (!p->manual && p->stun.count)
		return "--server is for --manual only: --rendezvous names natprobed";
	if (p->manual && p->code_file && !strcmp(p->code_file, "-"))
		return "--manual reads the line from standard input: the code cannot come from "
		       "there";
	if (!p->manual && !p->has_server)
		return p->kind == PUNCH_TCP
			? "no rendezvous server: --rendezvous SERVER"
			: "no rendezvous server: --rendezvous SERVER, or --manual";
	return NULL;
}

/* It has one port, and knows nothing but IPv4. */
static const char *contradiction_of_classic(const struct punch_params *p)
{
	if (p->has_server)
		return "--classic and --rendezvous: only one of them";
	if (p->ipv6)
		return "--classic is of IPv4 only";
	if (p->dark[1].family != FAMILY_NONE)
		return "--dark: with --classic an address of IPv4";
	if (p->source[1].family != FAMILY_NONE)
		return "--bind and --interface: with --classic an address of IPv4";
	if (p->source[0].port)
		return "--bind: with --classic the port is what the code says";
	if (p->has_address && p->address.endpoint.family == FAMILY_IPV6)
		return "--classic is of IPv4 only, and ADDRESS is of IPv6";
	return NULL;
}

static const char *contradiction_of_knock(const struct punch_params *p)
{
	if (p->classic && contradiction_of_classic(p))
		return contradiction_of_classic(p);
	if (p->wait && p->has_server)
		return "--wait and --rendezvous: only one of them";
	if (p->has_server && p->stun.count)
		return "--server and --rendezvous: only one of them";
	if (p->has_server && (p->dark[0].family || p->dark[1].family))
		return "--dark and --rendezvous: only one of them";
	if (p->numeric && p->has_address && p->address.endpoint.family == FAMILY_NONE)
		return "--numeric: the host to knock at is given by name";
	return NULL;
}

/* What cannot go together. */
static const char *contradiction(const struct punch_params *p)
{
	const char *wrong = contradiction_of_use(p);

	if (p->help || p->version)
		return NULL;
	if (!wrong)
		wrong = p->kind == PUNCH_ICMP ? contradiction_of_knock(p)
					      : contradiction_of_meeting(p);
	if (!wrong && p->numeric && p->has_server && p->server.endpoint.family == FAMILY_NONE)
		wrong = "--numeric: the rendezvous server is given by name";
	return wrong;
}

/* Who knocks names a host. */
static const char *take_address(struct punch_params *p, const char *text)
{
	p->has_address = true;
	if (!text)
		return "no host to knock at: ADDRESS, or --wait, or --rendezvous SERVER";
	if (server_parse(text, 0, &p->address))
		return "ADDRESS is not a host (HOST, HOST:PORT or [ADDR6]:PORT)";
	return p->address.endpoint.family != FAMILY_NONE && !knock_is_host(&p->address.endpoint)
		? "ADDRESS is not that of one host"
		: NULL;
}

static int take_operands(
	int argc, char **argv, int first, struct punch_params *p, char *error, size_t size)
{
	const char *wrong = NULL;

	if (p->kind == PUNCH_ICMP && !p->wait && !p->has_server && !p->help && !p->version)
		wrong = take_address(p, first < argc ? argv[first++] : NULL);
	if (!wrong)
		wrong = contradiction(p);
	if (!wrong && argc - first > 1)
		wrong = "more than one code: put a code with blanks in quotes";
	if (!wrong && argc > first && p->code_file)
		wrong = "--code-file: there is a code already";
	if (wrong) {
		snprintf(error, size, "%s", wrong);
		return -EINVAL;
	}
	if (argc > first)
		p->code = argv[first];
	return 0;
}

static const struct punch_params defaults[] = {
	[PUNCH_UDP] = {.packets = 2048, .sockets = 256, .rate = 200},
	[PUNCH_TCP] = {.tcp = true, .sockets = 512, .rate = 100},
	[PUNCH_ICMP] = {.packets = 2048, .sockets = 256, .rate = 500},
};

int punch_parse(enum punch_kind kind, int argc, char **argv, struct punch_params *out, char *error,
	size_t size)
{
	int first = 0, err;

	*out = defaults[kind];
	out->kind = kind;
	out->limit_us = 600000000;
	out->stun.port = SERVER_PORT_DEFAULT;
	out->interval_us = 100000;
	out->count = 5;
	err = options_parse(&punch_options[kind], argc, argv, take, out, &first, error, size);
	if (!err)
		err = take_operands(argc, argv, first, out, error, size);
	if (err)
		argument_find_json(argc, argv, &out->json, &out->json_lines);
	if (!out->ipv4 && !out->ipv6)
		out->ipv4 = out->ipv6 = true;
	if (out->classic)
		out->ipv6 = false;
	return err;
}
