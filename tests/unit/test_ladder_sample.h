// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Documents with packets, made up by hand or read from tests/data. Include after cmocka.h. */

#define AT(address, port) "{\"address\":\"" address "\",\"port\":" #port "}"

/* An endpoint is AT(...); more begins with a comma. */
#define PACKET(n, t_ms, direction, protocol, from, to, class, device, meaning, more) \
	"{\"n\":" #n ",\"t_ms\":" #t_ms ",\"direction\":\"" direction                \
	"\",\"protocol\":\"" protocol "\",\"from\":" from ",\"to\":" to              \
	",\"class\":\"" class "\",\"device\":\"" device "\",\"meaning\":\"" meaning "\"" more "}"

#define HOST   AT("10.0.1.2", 5000)
#define SERVER AT("198.51.100.10", 3478)
#define PEER   AT("192.0.2.2", 6000)

/* Of a NAT: an answer, silence, two kinds of errors, and what comes back by hairpinning. */
#define NAT_DOCUMENT                                                                              \
	"{\"format\":\"natprobe-report\",\"format_version\":1,"                                   \
	"\"udp\":{\"ipv4\":{\"status\":\"ok\",\"nat\":true,\"mapping\":\"endpoint-independent\"," \
	"\"local\":" HOST ",\"external\":[" AT("192.0.2.11", 5000) "]}},"                         \
								   "\"packets\":[" NAT_PACKETS    \
								   "]}"
#define NAT_PACKETS                                                                                \
	PACKET(1, 0.123, "out", "udp", HOST, SERVER, "ours", "host", "binding request", "")        \
	"," PACKET(2, 50.6, "in", "udp", SERVER, HOST, "answer", "server", "binding answer",       \
		",\"about\":1,\"delivered\":true") "," PACKET(3, 60, "out", "udp", HOST,           \
		AT("198.51.100.10", 3479), "ours", "host", "mapping request", "") "," PACKET(4,    \
		70, "out", "udp", HOST, AT("203.0.113.10", 3478), "ours", "host",                  \
		"mapping request", "") "," PACKET(5, 95.5, "in", "icmp", AT("192.0.2.254", 0),     \
		HOST, "error", "path", "prohibited",                                               \
		",\"about\":4,\"type\":3,\"code\":13,\"hops\":3,\"delivered\":true") "," PACKET(6, \
		100, "out", "tcp", HOST, SERVER, "ours", "host", "control",                        \
		",\"flags\":[\"SYN\"]") "," PACKET(7, 100.4, "in", "tcp", SERVER, HOST, "error",   \
		"own-nat", "refused by the NAT",                                                   \
		",\"about\":6,\"flags\":[\"RST\",\"ACK\"]") "," PACKET(8, 110, "out", "udp", HOST, \
		AT("192.0.2.11", 5001), "ours", "host", "hairpin", "") "," PACKET(9, 110.2, "in",  \
		"udp", AT("192.0.2.11", 5000), AT("10.0.1.2", 5001), "answer", "host",             \
		"hairpin came back", ",\"about\":8") "," PACKET(10, 120, "in", "udp",              \
		AT("203.0.113.99", 53), HOST, "stranger", "unknown", "not asked for",              \
		",\"delivered\":false")

/* Of two NATs: the server, the RST of the peer's NAT, and the peer itself. */
#define PUNCH_DOCUMENT                                                                         \
	"{\"format\":\"punch-report\",\"format_version\":1,\"outcome\":\"failed\","            \
	"\"transport\":\"tcp\",\"family\":4,\"server\":" SERVER ",\"peer\":" PEER ","          \
	"\"own_nat\":{\"status\":\"ok\",\"nat\":true,\"mapping\":\"address-dependent\","       \
	"\"external\":[" AT("192.0.2.1",                                                       \
		5000) "]},"                                                                    \
		      "\"peer_nat\":{\"status\":\"ok\",\"nat\":true,\"mapping\":\"unknown\"}," \
		      "\"packets\":[" PUNCH_PACKETS "],\"causes\":[" PUNCH_CAUSES "]}"
#define PUNCH_PACKETS                                                                           \
	PACKET(1, 0.5, "out", "tcp", HOST, SERVER, "ours", "host", "registration", "")          \
	"," PACKET(2, 50.5, "in", "tcp", SERVER, HOST, "answer", "server", "registered",        \
		",\"about\":1") "," PACKET(3, 51, "out", "tcp", HOST, SERVER, "ours", "host",   \
		"bare", ",\"flags\":[\"ACK\"]") "," PACKET(4, 400, "out", "tcp", HOST, PEER,    \
		"ours", "host", "attempt 1", ",\"flags\":[\"SYN\"]") "," PACKET(5, 440.1, "in", \
		"tcp", PEER, HOST, "error", "peer-nat", "refused",                              \
		",\"about\":4,\"flags\":[\"RST\"],\"hops\":7") "," PACKET(6, 500, "in", "tcp",  \
		PEER, HOST, "peer", "peer", "SYN of the peer",                                  \
		",\"flags\":[\"SYN\"],\"delivered\":true")
#define PUNCH_CAUSES                                                                         \
	"{\"id\":\"reset-by-peer-nat\",\"certainty\":\"certain\",\"where\":\"peer-nat\","    \
	"\"device\":\"192.0.2.2\",\"hops\":7,\"title\":\"The peer's NAT refuses\","          \
	"\"detail\":\"One SYN, one RST.\",\"advice\":\"Drop instead.\",\"decide\":null,"     \
	"\"packets\":[4,5],\"evidence\":[]},"                                                \
	"{\"id\":\"loss\",\"certainty\":\"possible\",\"where\":\"unknown\",\"device\":null," \
	"\"hops\":null,\"title\":\"Loss\",\"detail\":null,\"advice\":null,"                  \
	"\"decide\":\"Once more.\",\"packets\":[],\"evidence\":[0,2]}"

static inline json_t *document_from_text(const char *text)
{
	json_error_t error;
	json_t *d = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!d)
		fail_msg("line %d, column %d: %s", error.line, error.column, error.text);
	return d;
}

/* One of tests/data, found from where this file was compiled, or as `make check` says. */
static inline json_t *document_from_file(const char *name)
{
	static const char here[] = "tests/unit/test_ladder_sample.h";
	const char *top = getenv("abs_top_srcdir");
	char path[4096];
	json_error_t error;
	json_t *d;

	if (top)
		snprintf(path, sizeof(path), "%s/tests/data/%s", top, name);
	else
		snprintf(path, sizeof(path), "%.*stests/data/%s",
			(int)(strlen(__FILE__) - strlen(here)), __FILE__, name);
	d = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!d)
		fail_msg("%s: line %d: %s", path, error.line, error.text);
	return d;
}

/* --- documents of strangers --- */

/* Puts a copy of value in place of each member of that name, wherever it is; their number. */
static inline size_t replace_members(json_t *in, const char *name, const json_t *value)
{
	size_t count = 0, i;
	const char *key;
	json_t *child;

	json_array_foreach(in, i, child) count += replace_members(child, name, value);
	json_object_foreach(in, key, child) count += replace_members(child, name, value);
	if (json_object_get(in, name)) {
		assert_int_equal(json_object_set_new(in, name, json_deep_copy(value)), 0);
		count++;
	}
	return count;
}

/* Adds the names of all members to an object, as keys. */
static inline void collect_names(const json_t *in, json_t *names)
{
	size_t i;
	const char *key;
	json_t *child;

	json_array_foreach(in, i, child) collect_names(child, names);
	json_object_foreach((json_t *)in, key, child)
	{
		json_object_set_new(names, key, json_true());
		collect_names(child, names);
	}
}

/* Calls check with the document once for each name and each type of JSON that its members then have. */
static inline void with_wrong_types(const json_t *document, void (*check)(const json_t *d))
{
	static const char *const values[] = {"null", "true", "-1", "18446744073709551615", "1e308",
		"\"\\u001b[2J<b>\\u202e\"", "[[],{},0,null]", "{\"address\":7,\"port\":\"x\"}"};
	json_t *names = json_object();
	const char *name;
	json_t *unused;

	collect_names(document, names);
	json_object_foreach(names, name, unused)
	{
		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			json_t *d = json_deep_copy(document);
			json_t *value = json_loads(values[i], JSON_DECODE_ANY, NULL);

			if (!value) /* too big for an integer */
				value = json_real(18446744073709551615.0);
			assert_true(replace_members(d, name, value) > 0);
			check(d);
			json_decref(value);
			json_decref(d);
		}
	}
	json_decref(names);
}
