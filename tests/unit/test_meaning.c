// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/* What a captured packet means, in words, and who has sent it. */

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal_build.h"
#include "judge/meaning.h"

#define HOST   "10.0.1.2:40000"
#define SERVER "203.0.113.1:3478"

static struct captured packet(enum packet_class class, enum content content)
{
	return (struct captured){.class = (uint8_t) class,
		.content = (uint8_t)content,
		.way = class == CLASS_OURS ? WAY_OUT : WAY_IN,
		.ttl = 60,
		.number = 9,
		.observation = CAPTURED_NONE,
		.from = build_at(SERVER),
		.to = build_at(HOST)};
}

static const char *says(const struct journal *j, const struct captured *c)
{
	static char text[MEANING_TEXT];

	memset(text, 'x', sizeof(text));
	meaning_text(j, c, text);
	assert_non_null(memchr(text, '\0', sizeof(text)));
	return text;
}

/* --- without a journal --- */

static void names_contents(void **state)
{
	static const struct {
		enum content content;
		const char *ours, *answer, *stranger;
	} rows[] = {
		{CONTENT_OTHER, "data", "data to #3", "data"},
		{CONTENT_FRAGMENT, "fragment", "fragment to #3", "fragment"},
		{CONTENT_REQUEST, "request, no answer", "request to #3", "request"},
		{CONTENT_INDICATION, "indication", "indication to #3", "indication"},
		{CONTENT_SUCCESS, "answer", "answer to #3", "answer"},
		{CONTENT_REFUSAL, "error response", "error response to #3", "error response"},
		{CONTENT_SYN, "SYN, no answer", "SYN to #3", "SYN"},
		{CONTENT_SYN_ACK, "SYN-ACK", "SYN-ACK to #3", "SYN-ACK"},
		{CONTENT_RST, "RST", "RST to #3", "RST"},
		{CONTENT_FIN, "FIN", "FIN to #3", "FIN"},
		{CONTENT_ECHO, "echo request, no answer", "echo request to #3", "echo request"},
		{CONTENT_ECHO_REPLY, "echo reply", "echo reply to #3", "echo reply"},
	};
	char text[MEANING_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct captured c = packet(CLASS_OURS, rows[i].content);

		assert_string_equal(says(NULL, &c), rows[i].ours);
		c = packet(CLASS_ANSWER, rows[i].content);
		c.about = 3;
		assert_string_equal(says(NULL, &c), rows[i].answer);
		c = packet(CLASS_PEER, rows[i].content);
		snprintf(text, sizeof(text), "%s of the peer", rows[i].stranger);
		assert_string_equal(says(NULL, &c), text);
		c = packet(CLASS_STRANGER, rows[i].content);
		snprintf(text, sizeof(text), "%s that nobody here has asked for", rows[i].stranger);
		assert_string_equal(says(NULL, &c), text);
	}
}

static void tells_copies(void **state)
{
	struct captured c = packet(CLASS_OURS, CONTENT_REQUEST);

	(void)state;
	c.copy = 2;
	c.copies = 3;
	assert_string_equal(says(NULL, &c), "request, copy 2 of 3, no answer");
	c.answered = 12;
	assert_string_equal(says(NULL, &c), "request, copy 2 of 3, answered by #12");
	c.copies = 2;
	assert_string_equal(says(NULL, &c), "request, copy 2 of 2, answered by #12");
	c.copies = 1;
	assert_string_equal(says(NULL, &c), "request, answered by #12");
}

static void tells_answers(void **state)
{
	struct captured c = packet(CLASS_ANSWER, CONTENT_SUCCESS);

	(void)state;
	c.about = 4;
	c.mapped = build_at("192.0.2.11:40000");
	assert_string_equal(says(NULL, &c), "answer to #4, saw 192.0.2.11:40000");
	c.delivery_known = true;
	assert_string_equal(says(NULL, &c), "answer to #4, saw 192.0.2.11:40000, no socket got it");
	c.checksum_wrong = true;
	assert_string_equal(says(NULL, &c),
		"answer to #4, saw 192.0.2.11:40000, wrong checksum, no socket got it");
	c.delivered = true;
	c.checksum_wrong = false;
	assert_string_equal(says(NULL, &c), "answer to #4, saw 192.0.2.11:40000");
}

static void tells_errors(void **state)
{
	struct captured c = packet(CLASS_ERROR, CONTENT_ERROR);

	(void)state;
	c.type = 3;
	c.code = 4;
	c.mtu = 1400;
	c.about = 2;
	assert_string_equal(says(NULL, &c),
		"ICMP type 3 code 4 (fragmentation needed) from 203.0.113.1, MTU 1400, about #2");
	c.class = CLASS_STRANGER;
	c.mtu = 0;
	c.about = 0;
	assert_string_equal(
		says(NULL, &c), "ICMP type 3 code 4 (fragmentation needed) from 203.0.113.1");
	c.class = CLASS_OURS;
	c.code = 3;
	c.to = build_at("192.0.2.2");
	assert_string_equal(says(NULL, &c), "ICMP type 3 code 3 (port unreachable) to 192.0.2.2");
	c.quoted_from = build_at("192.0.2.2:50000");
	c.quoted_to = build_at("198.18.0.7:9");
	c.talk = CAPTURED_NONE;
	assert_string_equal(says(NULL, &c),
		"ICMP type 3 code 3 (port unreachable) to 192.0.2.2, as if about 192.0.2.2:50000 "
		"to 198.18.0.7:9");
	c.talk = 0;
	assert_string_equal(says(NULL, &c),
		"ICMP type 3 code 3 (port unreachable) to 192.0.2.2, about 192.0.2.2:50000 to "
		"198.18.0.7:9");
}

/* --- with one --- */

static void tells_the_question(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct endpoint to = build_target(j, server, false, false);
	struct captured c = packet(CLASS_OURS, CONTENT_REQUEST);
	char text[MEANING_TEXT];

	(void)state;
	build_ask(j, QUESTION_FILTERING_PORT, server, BUILD_SOCKET, &to, &to, 0);
	c.observation = 0;
	strcpy(j->servers[server].name, "stun.example.net");
	assert_string_equal(says(j, &c), "filtering-port of stun.example.net: request, no answer");
	/* the sockets of a punch ask a server that has no name */
	strcpy(j->servers[server].name, "");
	assert_string_equal(says(j, &c), "filtering-port: request, no answer");
	/* what is beyond the journal is no question of it */
	c.observation = 1;
	assert_string_equal(says(j, &c), "request, no answer");
	c.observation = 0;
	j->observations[0].server = JOURNAL_SERVERS;
	assert_string_equal(says(j, &c), "filtering-port: request, no answer");
	/* a long name does not push the rest out */
	j->observations[0].server = server;
	memset(j->servers[server].name, 'n', sizeof(j->servers[server].name) - 1);
	snprintf(text, sizeof(text), "filtering-port of %.60s: request, no answer",
		j->servers[server].name);
	assert_string_equal(says(j, &c), text);
	journal_destroy(j);
}

/* The longest of everything still ends. */
static void has_bounds(void **state)
{
	struct journal *j = build_journal();
	size_t server = build_server(j);
	struct endpoint to = build_at("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	struct captured c = packet(CLASS_ANSWER, CONTENT_REFUSAL);

	(void)state;
	build_ask(j, QUESTION_FILTERING_ADDRESS, server, BUILD_SOCKET, &to, &to, 0);
	memset(j->servers[server].name, 'n', sizeof(j->servers[server].name) - 1);
	c.observation = 0;
	c.about = UINT32_MAX;
	c.mapped = to;
	c.mapped.scope = UINT32_MAX;
	c.checksum_wrong = c.delivery_known = true;
	assert_true(strlen(says(j, &c)) < MEANING_TEXT);
	c.content = CONTENT_ERROR;
	c.from = c.mapped;
	c.mtu = UINT16_MAX;
	assert_true(strlen(says(j, &c)) < MEANING_TEXT);
	journal_destroy(j);
}

/* --- who --- */

static void knows_devices(void **state)
{
	static const struct {
		enum packet_class class;
		enum content content;
		const char *from; /* of an error */
		uint8_t ttl;
		enum place device;
		int hops;
	} rows[] = {
		{CLASS_OURS, CONTENT_REQUEST, NULL, 64, PLACE_HOST, -1},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 64, PLACE_SERVER, 1},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 57, PLACE_SERVER, 8},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 128, PLACE_SERVER, 1},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 120, PLACE_SERVER, 9},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 255, PLACE_SERVER, 1},
		{CLASS_ANSWER, CONTENT_SUCCESS, NULL, 0, PLACE_SERVER, 65},
		{CLASS_PEER, CONTENT_OTHER, NULL, 60, PLACE_PEER, 5},
		{CLASS_STRANGER, CONTENT_OTHER, NULL, 60, PLACE_UNKNOWN, 5},
		{CLASS_ERROR, CONTENT_ERROR, "10.0.1.1", 64, PLACE_OWN_NAT, 1},
		/* a first hop with a public address need not be a NAT, nor a private one farther away */
		{CLASS_ERROR, CONTENT_ERROR, "192.0.2.1", 64, PLACE_PATH, 1},
		{CLASS_ERROR, CONTENT_ERROR, "10.9.9.9", 63, PLACE_PATH, 2},
		{CLASS_ERROR, CONTENT_ERROR, "203.0.113.1", 60, PLACE_SERVER, 5},
		{CLASS_ERROR, CONTENT_ERROR, "10.0.1.2", 64, PLACE_HOST, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct captured c = packet(rows[i].class, rows[i].content);

		c.ttl = rows[i].ttl;
		if (rows[i].from) {
			c.from = build_at(rows[i].from);
			c.quoted_from = build_at(HOST);
			c.quoted_to = build_at(SERVER);
		}
		if (meaning_device(&c) != rows[i].device || meaning_hops(&c) != rows[i].hops)
			fail_msg("row %zu: %s, %d hops", i, place_name(meaning_device(&c)),
				meaning_hops(&c));
	}
}

static void names_icmp(void **state)
{
	static const struct {
		enum family family;
		uint8_t type, code;
		const char *name;
	} rows[] = {
		{FAMILY_IPV4, 3, 0, "network unreachable"},
		{FAMILY_IPV4, 3, 3, "port unreachable"},
		{FAMILY_IPV4, 3, 13, "prohibited by a filter"},
		{FAMILY_IPV4, 3, 99, "unreachable"},
		{FAMILY_IPV4, 11, 0, "time exceeded"},
		{FAMILY_IPV4, 11, 1, "fragments missing"},
		{FAMILY_IPV4, 77, 0, "ICMP error"},
		{FAMILY_IPV6, 1, 4, "port unreachable"},
		{FAMILY_IPV6, 2, 0, "packet too big"},
		{FAMILY_IPV6, 3, 0, "time exceeded"},
		{FAMILY_IPV6, 11, 0, "ICMP error"}, /* which it is over IPv4 only */
		{FAMILY_NONE, 3, 3, "ICMP error"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
			meaning_icmp(rows[i].family, rows[i].type, rows[i].code), rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_contents),
		cmocka_unit_test(tells_copies),
		cmocka_unit_test(tells_answers),
		cmocka_unit_test(tells_errors),
		cmocka_unit_test(tells_the_question),
		cmocka_unit_test(has_bounds),
		cmocka_unit_test(knows_devices),
		cmocka_unit_test(names_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
