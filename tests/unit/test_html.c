// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha2.h>

#include "report/html.h"
#include "report/html_private.h"
#include "test_ladder_sample.h"
#include "test_markup_check.h"
#include "test_reading_sample.h"
#include "test_report_sample.h"

static char *render(const json_t *d)
{
	char *html = NULL;
	size_t length;
	FILE *out = open_memstream(&html, &length);

	assert_non_null(out);
	assert_int_equal(html_render(d, out), 0);
	fclose(out);
	assert_int_equal(strlen(html), length);
	return html;
}

/* For tests/cli/page.test: with REPORT_SAMPLES=FOLDER the pages are kept. */
static void keep(const char *html, const char *name)
{
	const char *folder = getenv("REPORT_SAMPLES");
	char path[512];
	FILE *out;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s.html", folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(html, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void assert_sound(const char *html)
{
	const char *problem = markup_problem(html);

	if (problem)
		fail_msg("%s in %.2000s", problem, html);
}

static void check(const json_t *d)
{
	char *html = render(d);

	assert_sound(html);
	free(html);
}

static void assert_has(const char *html, const char *part)
{
	if (!strstr(html, part))
		fail_msg("\"%s\" is not in %.20000s", part, html);
}

static size_t count(const char *html, const char *part)
{
	size_t found = 0;

	for (; (html = strstr(html, part)); html += strlen(part))
		found++;
	return found;
}

/* --- what is there --- */

static void test_rp_filter(void **state)
{
	static const char *const parts[] = {
		"<html lang=\"en\">",
		"<meta charset=\"utf-8\"/>",
		"<title>UDP: no server answered, and nothing proves why: unknown</title>",
		"<h1>UDP: no server answered, and nothing proves why: unknown</h1>",
		"<b>Why:</b> The reverse-path filter of this host drops the answers",
		"<span class=\"tag\">certain</span> The reverse-path filter of this host",
		"<span class=\"tag\">possible</span> A firewall on this host",
		"<dt>What would decide</dt><dd>Once more with",
		"<a href=\"#p2\">#2</a> <a href=\"#p4\">#4</a>",
		"<a href=\"#e0\">[0]</a>",
		"<svg class=\"ladder\"",
		"<svg class=\"picture\"",
		"<caption>UDP over IPv4<span class=\"summary\">",
		"<th scope=\"row\">status</th><td>unreachable: no answer from the server",
		"<tr id=\"e1\" class=\"silent\">",
		"<tr id=\"p2\" class=\"cited answer undelivered\">",
		"<tr id=\"p21\" class=\"answer undelivered\">",
		"<td class=\"short\">in eth1</td><td><code>198.51.100.10:3478</code></td>",
		"\"show-p-undelivered\">not delivered <span class=\"count\">11</span>",
		"<a href=\"#p1\">answers #1</a> <a href=\"#e0\">[0]</a>",
		"class=\"skip\" href=\"#main\"",
	};
	json_t *d = document_from_file("natprobe-rp-filter.json");
	char *html = render(d), id[32];

	(void)state;
	assert_sound(html);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		assert_has(html, parts[i]);
	for (unsigned n = 1; n <= 21; n++) {
		snprintf(id, sizeof(id), "<tr id=\"p%u\"", n);
		assert_int_equal(count(html, id), 1);
	}
	assert_null(strstr(html, "http:"));
	assert_null(strstr(html, "https:"));
	assert_null(strstr(html, "<script"));
	assert_int_equal(count(html, "class=\"cross\""), 8 + 1); /* rows, and the picture */
	assert_int_equal(count(html, "class=\"stop\""), 1);
	keep(html, "rp-filter");
	free(html);
	json_decref(d);
}

static void test_punch(void **state)
{
	static const char *const parts[] = {
		"<header class=\"bad\">",
		"<h1>failed: no way was found: 1 of 1 plans tried</h1>",
		"<h3>What is likely</h3>",
		">the peer says of its side<",
		"<text class=\"name\" x=\"658\" y=\"",
		"peer&#39;s NAT</text>",
		">192.0.2.2, port ?</text>",
		"<th scope=\"row\">both-hard</th><td>failed</td><td class=\"number\">16718",
		"37 bare TCP acknowledgments are not drawn",
		"<circle class=\"stop\"",
		"<td class=\"number\">17478.6 ms</td><td>attempt 1: no success</td>",
	};
	json_t *d = document_from_file("tcppunch-both-dependent.json");
	const json_t *packets = json_object_get(d, "packets");
	char *html = render(d), id[32];

	(void)state;
	assert_sound(html);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		assert_has(html, parts[i]);
	for (size_t i = 0; i < json_array_size(packets); i++) {
		snprintf(id, sizeof(id), "<tr id=\"p%llu\"",
			member_count(json_array_get(packets, i), "n"));
		assert_int_equal(count(html, id), 1);
	}
	keep(html, "punch");
	free(html);
	json_decref(d);
}

/* Packets of other programs: the answer is the main cause, and nothing was asked that could be untested. */
static void test_reading(void **state)
{
	struct reading_sample s;
	json_t *d;
	char *html;

	(void)state;
	reading_sample_begin(&s);
	reading_sample_mixed(&s);
	d = reading_sample_document(&s, true);
	html = render(d);
	assert_sound(html);
	assert_has(html, "<header class=\"bad\">");
	assert_has(html, "<h1>certain: A router on the way refuses packets</h1>");
	assert_null(strstr(html, "<b>Why:</b>"));
	assert_null(strstr(html, "untested"));
	assert_has(html, "<li><a href=\"#mappings\">External endpoints</a></li>");
	assert_has(html, "<li><a href=\"#mappings\">External endpoints</a></li>");
	assert_has(html,
		"<td><code>192.0.2.11:40000</code></td><td><code>203.0.113.1:3478</code></td>"
		"<td>unknown</td><td class=\"number\"><a href=\"#p3\">#3</a></td>");
	assert_has(html, "refused or reset <span class=\"count\">2</span>");
	assert_has(html, "<td>ICMP 3/13 from 192.0.2.1</td>");
	keep(html, "reading");
	free(html);
	json_object_set_new(d, "causes", json_array());
	html = render(d);
	assert_has(html, "<header class=\"good\">");
	assert_has(html, "<h1>nothing that has failed: 2 flows work, of 11 packets</h1>");
	free(html);
	json_decref(d);
	reading_sample_end(&s);
}

static void test_strange_readings(void **state)
{
	static const char *const rows[] = {
		"{\"flows\":[3,{}],\"mappings\":[3,{\"seen\":3},{\"seen\":[3]}]}",
		"{\"flows\":[{\"state\":\"<b>\",\"protocol\":3,\"local\":[],\"sent\":{\"packets\":-"
		"1,\"first\":-1},"
		"\"icmp_errors\":[3,{\"from\":\"<i>\",\"type\":-1}]}]}",
		"{\"mappings\":[{\"local\":{\"address\":\"<b>\",\"port\":1e9},\"mapping\":"
		"\"\\u001b\","
		"\"seen\":[{\"packet\":\"<u>\"},{\"packet\":-7}]}]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *d = json_loads(rows[i], 0, NULL);
		char *html;

		assert_non_null(d);
		json_object_set_new(d, "format", json_string("capture-report"));
		html = render(d);
		assert_sound(html);
		assert_null(strstr(html, "<b>"));
		assert_null(strstr(html, "<i>"));
		free(html);
		json_decref(d);
	}
}

/* Reports without any of the keys of the capture: as they have always been. */
static void test_without_capture(void **state)
{
	static const struct {
		void (*make)(struct sample *s);
		const char *name;
	} rows[] = {{sample_home, "home"}, {sample_symmetric, "symmetric"},
		{sample_blocked, "blocked"}, {sample_tcp, "tcp"}, {sample_reset, "reset"},
		{sample_icmp, "icmp"}, {sample_hostile, "hostile"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sample s;
		json_t *d;
		char *html;

		rows[i].make(&s);
		d = sample_document(&s);
		html = render(d);
		assert_sound(html);
		assert_has(html, "<svg class=\"picture\"");
		assert_null(strstr(html, "<svg class=\"ladder\""));
		assert_null(strstr(html, "id=\"why\""));
		keep(html, rows[i].name);
		free(html);
		json_decref(d);
		sample_end(&s);
	}
}

static void test_connected(void **state)
{
	json_t *d = document_from_text(
		"{\"format\":\"punch-report\",\"outcome\":\"connected\",\"transport\":\"udp\","
		"\"family\":4,\"local\":" HOST ",\"mapped\":" AT("192.0.2.1",
			5000) ",\"peer\":" PEER ",\"own_nat\":{\"status\":\"ok\",\"nat\":true},"
			      "\"peer_nat\":{\"nat\":false},"
			      "\"causes\":[],\"capture\":{\"state\":\"not-permitted\",\"hint\":"
			      "\"setcap it\"}}");
	char *html = render(d);

	(void)state;
	assert_sound(html);
	assert_has(html, "<header class=\"good\">");
	assert_has(html, "<h1>connected: 10.0.1.2:5000 to 192.0.2.2:6000</h1>");
	assert_has(html, "<p>no packets: capturing was not permitted; setcap it</p>");
	assert_has(html, ">192.0.2.2:6000</text>");
	assert_null(strstr(html, "class=\"stop\""));
	free(html);
	json_decref(d);
}

/* The policy allows the one style that is there, and nothing else. */
static void test_policy(void **state)
{
	char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "", policy[256];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	json_t *d = json_object();
	char *html = render(d), *style = strstr(html, "<style>"), *end = strstr(html, "</style>");

	(void)state;
	assert_non_null(style);
	style += strlen("<style>");
	sha256_init(&sha);
	sha256_update(&sha, (size_t)(end - style), (const uint8_t *)style);
	sha256_digest(&sha, sizeof(digest), digest);
	base64_encode_raw(text, sizeof(digest), digest);
	snprintf(policy, sizeof(policy),
		"content=\"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
		"form-action 'none'\"/>",
		text);
	assert_has(html, policy);
	assert_int_equal(count(html, "<style"), 1);
	assert_null(strpbrk(html_style, "<&")); /* so that it is XML as well */
	assert_null(strstr(html_style, "url("));
	assert_null(strstr(html_style, "@import"));
	free(html);
	json_decref(d);
}

/* The peer has the server's endpoint: two boxes, two lines. */
static void test_peer_at_server(void **state)
{
	json_t *d = document_from_text(
		"{\"format\":\"punch-report\",\"outcome\":\"connected\",\"transport\":\"udp\","
		"\"family\":4,\"local\":" HOST ",\"mapped\":" AT("192.0.2.1",
			5000) ",\"peer\":" SERVER
			      ",\"own_nat\":{\"status\":\"ok\",\"nat\":true},\"evidence\":[{"
			      "\"question\":\"binding\",\"transport\":\"udp\",\"local\":" HOST
			      ",\"to\":" SERVER ",\"mapped\":" AT("192.0.2.1", 5000) "}]}");
	char *html = render(d);

	(void)state;
	assert_sound(html);
	assert_int_equal(count(html, ">198.51.100.10:3478</text>"), 2);
	assert_int_equal(count(html, ">192.0.2.1:5000</text>"), 1);
	free(html);
	json_decref(d);
}

/* A label in the ladder has an end, which shows. */
static void test_long_label(void **state)
{
	json_t *d = document_from_text(NAT_DOCUMENT);
	char text[1001], *html;
	json_t *value;

	(void)state;
	memset(text, 'm', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	value = json_string(text);
	replace_members(d, "meaning", value);
	html = render(d);
	assert_sound(html);
	assert_int_equal(count(html, "m\xe2\x80\xa6</text>"), 10);
	free(html);
	json_decref(value);
	json_decref(d);
}

/* --- strangers --- */

/* As long, so that lines end at the same places. */
static json_t *without_markup(const char *text)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; (p = strpbrk(p, "<>&\"'"));)
		*p = 'x';
	return json_string_nocheck(copy);
}

/* Everything in the document, wherever it is put, is text: there is as much markup as without it. */
static void test_escapes(void **state)
{
	static const char *const evil[] = {"</style><script>alert(1)</script>",
		"\"><img src=x onerror=alert(1)>", "<!-- ", "]]>", "&lt;&#x3c;", "' onload='x",
		"\xe2\x80\xae\xef\xbf\xbf\033"};
	json_t *names = json_object(), *unused;
	json_t *plain = document_from_file("tcppunch-both-dependent.json");
	const char *name;

	(void)state;
	collect_names(plain, names);
	json_object_foreach(names, name, unused)
	{
		json_t *value = json_string_nocheck(evil[strlen(name) % 7]);
		json_t *other = without_markup(evil[strlen(name) % 7]);
		json_t *a = json_deep_copy(plain), *b = json_deep_copy(plain);
		char *html, *harmless;

		replace_members(a, name, value);
		replace_members(b, name, other);
		html = render(a);
		harmless = render(b);
		assert_sound(html);
		assert_int_equal(count(html, "<"), count(harmless, "<"));
		assert_null(strstr(html, "\033"));
		assert_null(strstr(html, "\xe2\x80\xae"));
		free(html);
		free(harmless);
		json_decref(a);
		json_decref(b);
		json_decref(value);
		json_decref(other);
	}
	json_decref(names);
	json_decref(plain);
}

static void test_wrong_types(void **state)
{
	static const char *const documents[] = {NAT_DOCUMENT, PUNCH_DOCUMENT};
	static const char many[] =
		"{\"udp\":{\"ipv4\":{\"status\":\"ok\"}},\"packets\":[{},{}],\"evidence\":[{},{}],"
		"\"findings\":[{}],\"causes\":[{}],\"servers\":[{}],\"errors\":[{}],\"steps\":[{}],"
		"\"attempts\":[{}],\"capture\":{}}";
	static const char punch[] =
		"{\"format\":\"punch-report\",\"own_nat\":{\"status\":\"ok\"},\"attempts\":[1],"
		"\"steps\":[1],\"packets\":[1]}";
	static const char *const odd[] = {"{}", "[]", "null", "7", "\"x\"", many, punch};

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
		json_t *d = document_from_text(documents[i]);

		with_wrong_types(d, check);
		json_decref(d);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		json_t *d = json_loads(odd[i], JSON_DECODE_ANY, NULL);

		assert_non_null(d);
		check(d);
		json_decref(d);
	}
}

/* Tables have an end; what they leave out is said. */
static void test_many(void **state)
{
	json_t *packets = json_array(), *evidence = json_array(), *findings = json_array();
	json_t *d = json_pack(
		"{s:o,s:o,s:o}", "packets", packets, "evidence", evidence, "findings", findings);
	char *html;

	(void)state;
	for (int i = 0; i < HTML_PACKETS + 5; i++)
		json_array_append_new(packets, json_pack("{s:i}", "n", i + 1));
	for (int i = 0; i < HTML_EVIDENCE + 6; i++)
		json_array_append_new(evidence, json_pack("{s:i}", "n", i));
	for (int i = 0; i < HTML_ITEMS + 7; i++)
		json_array_append_new(findings, json_object());
	html = render(d);
	assert_sound(html);
	assert_int_equal(count(html, "<tr id=\"p"), HTML_PACKETS);
	assert_int_equal(count(html, "<tr id=\"e"), HTML_EVIDENCE);
	assert_int_equal(count(html, "<article"), HTML_ITEMS);
	assert_has(html, "<p>5 more are in the JSON document only.</p>");
	assert_has(html, "<p>6 more are in the JSON document only.</p>");
	free(html);
	json_decref(d);
}

/* No element has the id of another, whatever the numbers are. */
static void test_same_numbers(void **state)
{
	json_t *d = document_from_text(
		"{\"packets\":[{\"n\":3},{\"n\":3},{\"n\":1},{\"n\":-4},{\"n\":4}],"
		"\"evidence\":[{\"n\":0},{\"n\":0}],"
		"\"causes\":[{\"packets\":[-1,3,4,5,6,9]}]}");
	char *html = render(d);

	(void)state;
	assert_sound(html);
	assert_int_equal(count(html, " id=\"p3\""), 1);
	assert_int_equal(count(html, " id=\"p1\""), 0);
	assert_int_equal(count(html, " id=\"p4\""), 1);
	assert_int_equal(count(html, " id=\"e0\""), 1);
	assert_has(html,
		"<dd><a href=\"#p3\">#3</a> to <a href=\"#p6\">#6</a> <a href=\"#p9\">#9</a></dd>");
	free(html);
	json_decref(d);
}

static void test_full_disk(void **state)
{
	json_t *d = document_from_text(NAT_DOCUMENT);
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	if (!out)
		skip();
	assert_int_equal(html_render(d, out), -EIO);
	fclose(out);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rp_filter),
		cmocka_unit_test(test_punch),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_strange_readings),
		cmocka_unit_test(test_without_capture),
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_peer_at_server),
		cmocka_unit_test(test_long_label),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_same_numbers),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
