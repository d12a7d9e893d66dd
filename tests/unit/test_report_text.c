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

#include "report/terminal.h"
#include "report/text.h"
#include "test_report_sample.h"

/* clang-format off: whole outputs, as they look on a terminal */
static const char home_text[] =
	"UDP: endpoint-independent mapping, address-and-port-dependent filtering: direct\n"
	"connections will usually work by hole punching, but a packet of the peer that\n"
	"arrives first moves the port: let this side send first\n"
	"\n"
	"UDP over IPv4\n"
	"  NAT                yes\n"
	"  local              10.0.1.2:5000\n"
	"  external           192.0.2.11:5000\n"
	"  mapping            endpoint-independent\n"
	"  filtering          address-and-port-dependent\n"
	"  port preservation  always\n"
	"  port allocation    preserving, confidence 0.988 (24 samples)\n"
	"  pooling            paired\n"
	"  early packets      remap (they move the external port)\n"
	"  hairpin            no\n"
	"  RFC 3489           called port-restricted cone before RFC 4787\n"
	"  direct connections possible (hole-punching-send-first): one external endpoint\n"
	"                     for all peers, except for a peer whose packet arrives\n"
	"                     before this side has sent to it: that peer gets to see\n"
	"                     another port\n"
	"\n"
	"findings\n"
	"\n"
	"  problem: A peer's packet that arrives first moves the external port\n"
	"    A peer's packet that arrives before this side has sent to that peer makes\n"
	"    the router give this side's flow to it another external port. Here\n"
	"    192.0.2.11:5001 became 192.0.2.11:39145 towards 203.0.113.10:3479, which had\n"
	"    sent first.\n"
	"    advice: Hole punching that starts at the same time fails. Let this side send\n"
	"            first, or begin with packets whose TTL ends before the peer; on the\n"
	"            router drop unsolicited packets to itself instead of accepting them.\n"
	"    (RFC 4787 8 REQ-11, early-packet-remap, udp.ipv4)\n"
	"\n"
	"  warning: Packets to the external endpoint of another own socket do not come\n"
	"           back\n"
	"    3 packets from one own socket to the external endpoint of another: none came\n"
	"    back. A NAT that hairpins but keeps the inside source, against RFC 4787\n"
	"    REQ-9a, looks the same from one host, since the kernel drops packets with\n"
	"    its own source: other hosts may get through.\n"
	"    advice: Programs should offer their local endpoints to peers too, as ICE\n"
	"            does.\n"
	"    (RFC 4787 6 REQ-9, hairpin-missing, udp.ipv4)\n"
	"\n"
	"  note: A mapping lets in only endpoints that this side has sent to\n"
	"    Answers from another port: 0 of 3 arrived; from another address and port: 0\n"
	"    of 3 arrived\n"
	"    advice: Both sides have to send, as in hole punching, to the port that\n"
	"            really sends: with a peer whose ports vary this does not work\n"
	"            without guessing.\n"
	"    (RFC 4787 5 REQ-8, filtering-address-and-port-dependent, udp.ipv4)\n"
	"\n"
	"  note: The NAT keeps port numbers\n"
	"    External ports equal the local ones in 24 samples: a peer that knows the\n"
	"    local port knows the first guess. Hole punching does not need to guess here,\n"
	"    since the mapping is endpoint-independent.\n"
	"    (RFC 4787 4.2.1, port-preserving, udp.ipv4)\n";

static const char blocked_reason[] =
	"UDP: blocked: 10.0.1.1 refuses it (ICMP type 3 code 13): no direct UDP\n"
	"connections from here\n"
	"\n"
	"UDP over IPv4\n"
	"  status             blocked by 10.0.1.1, ICMP type 3 code 13\n"
	"    - [0] binding to 198.51.100.10:3478 (stun.example): 3 sent, 0 received,\n"
	"      refused; ICMP type 3 code 13 from 10.0.1.1\n"
	"  local              10.0.1.2:5000\n"
	"  RFC 3489           blocked\n"
	"  direct connections none (relay): UDP does not get out; a relay that is reached\n"
	"                     over TCP or TLS may work\n"
	"\n"
	"servers\n"
	"  stun.example, 198.51.100.10:3478: unreachable\n"
	"\n"
	"findings\n"
	"\n"
	"  problem: UDP is blocked\n"
	"    10.0.1.1 refuses UDP with ICMP type 3 code 13.\n"
	"    advice: Allow UDP to leave on the device that blocks it, or use a relay over\n"
	"            TCP or TLS.\n"
	"    (RFC 8656 3.1, udp-blocked, udp.ipv4)\n";

static const char lost_reason[] =
	"UDP: no server answered, and nothing proves why: unknown\n"
	"\n"
	"UDP over IPv4\n"
	"  status             unreachable: no answer from the server; packets get as far\n"
	"                     as 192.0.2.130 (hop 4), the last router that answers\n"
	"    - [0] binding to 198.51.100.10:3478 (stun.example): 3 sent, 0 received: 3\n"
	"      packets would have had to be lost\n"
	"    - [1] trace to 198.51.100.10:3478 (stun.example): 17 sent; last router to\n"
	"      answer: 192.0.2.130 (hop 4), and nothing behind it\n"
	"  who answers        10.0.1.1, 100.64.1.1, no answer, 192.0.2.130 (hop 4), and\n"
	"                     nothing behind it\n"
	"  local              10.0.1.2:5000\n"
	"  direct connections unknown: no server answered\n"
	"\n"
	"servers\n"
	"  stun.example, 198.51.100.10:3478: timeout: no answer to 3 requests\n"
	"\n"
	"findings\n"
	"\n"
	"  warning: No server answered, and nothing proves why\n"
	"    no answer from the server; packets get as far as 192.0.2.130 (hop 4), the\n"
	"    last router that answers. Routers that answer towards 198.51.100.10:\n"
	"    10.0.1.1, 100.64.1.1, no answer, 192.0.2.130 (hops 1 to 4); 12 packets that\n"
	"    may go further brought nothing. 100.64.1.1 of hop 2 is of 100.64.0.0/10: a\n"
	"    sign of a carrier-grade NAT, and no proof.\n"
	"    advice: Try other servers and another port; run the same on another network.\n"
	"    (RFC 8489 6.2.1, udp-silent, udp.ipv4)\n";

static const char hostile_ascii[] =
	"UDP: mapping that does not vary with the peer's address (with its port:\n"
	"unknown), filtering unknown: hole punching will work unless the mapping varies\n"
	"with the port\n"
	"\n"
	"UDP over IPv4\n"
	"  NAT                yes\n"
	"  local              10.0.1.2:5000\n"
	"  external           192.0.2.11:5000\n"
	"  mapping            unknown, but does not vary with the peer's address: all\n"
	"                     servers listen on the same port\n"
	"  filtering          unknown: no probe server offers a second address\n"
	"  port preservation  unknown\n"
	"  port allocation    unknown\n"
	"  pooling            unknown\n"
	"  early packets      unknown\n"
	"  hairpin            unknown\n"
	"  RFC 3489           unknown\n"
	"  direct connections unknown: the external endpoint does not vary with the\n"
	"                     peer's address; hole punching works if it does not vary\n"
	"                     with the peer's port either\n"
	"\n"
	"servers\n"
	"  \\x1b[2Jevil\\xe2\\x80\\xae<b>&\\xef\\xbf\\xbd, 198.51.100.10:3478: ok, 50.6 ms: says\n"
	"  \"\\x1b]0;owned\\x07\"; offers change-request; calls itself M\\xc3\\xbcller\n"
	"  \\xc2\\x9b31m\\xf0\\x9f\\x92\\xa9\\xef\\xbf\\xbd\\xef\\xbf\\xbd\\xef\\xbf\\xbd\\x07\n"
	"\n"
	"findings\n"
	"\n"
	"  warning: The servers can show mapping only; filtering cannot be measured with\n"
	"           them\n"
	"    1 server answered, and none offers a second address (RFC 5780).\n"
	"    advice: Name a server with two addresses that follows RFC 5780, such as\n"
	"            natprobed.\n"
	"    (RFC 5780 4.4, only-plain-stun, udp.ipv4)\n"
	"\n"
	"  note: The mapping is not known completely\n"
	"    all servers listen on the same port\n"
	"    advice: Name a server with two addresses that follows RFC 5780, such as\n"
	"            natprobed.\n"
	"    (RFC 5780 4.3, mapping-unknown, udp.ipv4)\n"
	"\n"
	"  note: The filtering is unknown\n"
	"    no probe server offers a second address\n"
	"    advice: Name a server with two addresses that follows RFC 5780, such as\n"
	"            natprobed.\n"
	"    (RFC 5780 4.4, filtering-unknown, udp.ipv4)\n";

static const char tcp_text[] =
	"TCP: endpoint-independent mapping, address-and-port-dependent filtering: direct\n"
	"connections will usually work by hole punching\n"
	"\n"
	"TCP over IPv4\n"
	"  NAT                yes\n"
	"  local              10.0.1.2:5000\n"
	"  external           192.0.2.11:5000\n"
	"  mapping            endpoint-independent\n"
	"  filtering          address-and-port-dependent\n"
	"  port preservation  unknown\n"
	"  port allocation    unknown\n"
	"  pooling            unknown\n"
	"  early packets      silent (dropped, and no error came back)\n"
	"  simultaneous open  yes\n"
	"  hairpin            yes\n"
	"  MSS clamping       yes: own SYNs 1460 to 1412, the server's 1440\n"
	"  options removed    timestamps, sack\n"
	"  sequence rewriting yes\n"
	"  hops               unknown: SYNs have taken ways of different lengths\n"
	"  RFC 3489           called port-restricted cone before RFC 4787\n"
	"  direct connections possible (hole-punching): one external endpoint for all\n"
	"                     peers; it lets in what this side has sent to, so the peer's\n"
	"                     external port must be known too\n"
	"\n"
	"findings\n"
	"\n"
	"  note: The MSS of connections is lowered\n"
	"    SYNs of this host leave with an MSS of 1460 and arrive with 1412. Routers do\n"
	"    this in front of a tunnel or PPPoE; so does what takes connections and makes\n"
	"    others in their place.\n"
	"    advice: Keep UDP datagrams as small, too: larger ones may not get through.\n"
	"    (RFC 9293 3.7.1, mss-clamped, tcp.ipv4)\n"
	"\n"
	"  note: Options are taken out of SYNs\n"
	"    SYNs of this host arrive without timestamps; SYNs of the server arrive\n"
	"    without sack.\n"
	"    advice: Look for a firewall that normalises TCP, or a proxy.\n"
	"    (RFC 7323, RFC 2018, tcp-options-removed, tcp.ipv4)\n"
	"\n"
	"  note: Sequence numbers are changed on the way\n"
	"    By what a router quotes of two SYNs, and by the clock, it is known which\n"
	"    number the third one left with; it arrived with another one. Firewalls do\n"
	"    that, and proxies.\n"
	"    advice: Nothing, unless connections stall on loss: then blocks of SACK are\n"
	"            not translated.\n"
	"    (RFC 6528, sequence-rewritten, tcp.ipv4)\n";

static const char icmp_text[] =
	"ICMP: echo works, with other identifiers; some errors arrive; those that this\n"
	"host sends leave with its inside address\n"
	"\n"
	"ICMP over IPv4\n"
	"  NAT                yes\n"
	"  echo               yes, 4 identifiers at once\n"
	"  local              10.0.1.2:700\n"
	"  external           192.0.2.11:701\n"
	"  mapping            endpoint-independent\n"
	"  identifiers kept   never\n"
	"  pooling            paired\n"
	"  query lifetime     at least 29 s, less than 40 s\n"
	"    - [2] echo-timer, 40 s late, to 198.51.100.10:1 (stun.example): 3 sent, 0\n"
	"      received: 3 packets would have had to be lost; the server saw it from\n"
	"      192.0.2.11:701\n"
	"  errors about UDP   arrive, but not type/code 11/0\n"
	"    - [1] icmp-error 11/0 about udp to 198.51.100.10:3478 (stun.example), answer\n"
	"      from 203.0.113.10:1: 3 sent, 0 received: 3 packets would have had to be\n"
	"      lost; 1 quoted wrongly\n"
	"  errors about TCP   arrive\n"
	"  about attempts     unknown: was not asked\n"
	"  quoted packets     wrong: ip-checksum, udp-checksum\n"
	"  end a mapping      no\n"
	"  end a connection   yes\n"
	"  end an attempt     unknown: no error has arrived\n"
	"  path MTU learnt    yes\n"
	"  errors sent        leave from 10.0.1.2\n"
	"  translated         yes\n"
	"\n"
	"findings\n"
	"\n"
	"  problem: An ICMP error ends a TCP connection\n"
	"    When an error about it has come, nothing more comes over a connection.\n"
	"    advice: Expect connections to break; connect again when they do.\n"
	"    (RFC 5382 REQ-10, icmp-ends-connection, icmp.ipv4)\n"
	"\n"
	"  warning: What ICMP errors quote is not translated back as it should be\n"
	"    the checksum of the IP header is wrong; the checksum of UDP is not that\n"
	"    which it left with.\n"
	"    advice: Programs on this host do not learn why their packets do not arrive.\n"
	"    (RFC 5508 REQ-4, icmp-quotes-wrong, icmp.ipv4)\n"
	"\n"
	"  warning: The mapping of an echo request ends too soon\n"
	"    A reply that comes 29 s late comes in, one that is 40 s late does not.\n"
	"    advice: Send echo requests more often than that.\n"
	"    (RFC 5508 REQ-2, icmp-lifetime-short, icmp.ipv4)\n"
	"\n"
	"  warning: ICMP errors leave with the inside address\n"
	"    Errors of this host about flows that are not its own arrive at the server\n"
	"    from 10.0.1.2, the inside address. A provider that checks sources drops\n"
	"    them.\n"
	"    advice: For icmppunch let the side without NAT, or with another one, send.\n"
	"    (RFC 5508 REQ-5, icmp-egress-inside, icmp.ipv4)\n"
	"\n"
	"  note: Some ICMP errors about UDP flows do not arrive\n"
	"    Of type and code: 11/0 from the other end.\n"
	"    (RFC 5508 REQ-10, icmp-errors-some, icmp.ipv4)\n"
	"\n"
	"  note: What this means for punching by ICMP errors\n"
	"    This host gets some of the errors about its UDP flows, and can send them\n"
	"    only as far as nobody minds its inside address.\n"
	"    (RFC 5508 4, icmp-punching, icmp.ipv4)\n";

static const char symmetric_brief_color[] =
	"\033[1;32mUDP: address-and-port-dependent mapping, address-dependent filtering: "
	"direct\033[0m\n"
	"\033[1;32mconnections need a peer that is easy to reach, or port prediction\033[0m\n"
	"\033[1;32mUDP over IPv6: no NAT, but a firewall with address-and-port-dependent "
	"filtering:\033[0m\n"
	"\033[1;32mdirect connections will usually work by hole punching\033[0m\n";

/* clang-format on */

static char *render(const json_t *document, const struct text_options *options)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(text_render(document, options, out), 0);
	fclose(out);
	return text;
}

static char *render_short(const json_t *document)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(text_short(document, out), 0);
	fclose(out);
	return text;
}

static void test_golden(void **state)
{
	static const struct {
		void (*make)(struct sample *s);
		struct text_options options;
		const char *expected;
	} rows[] = {
		{sample_home, {.width = 0}, home_text},
		{sample_tcp, {.width = 0}, tcp_text},
		{sample_icmp, {.width = 80, .reason = true}, icmp_text},
		{sample_blocked, {.width = 80, .reason = true}, blocked_reason},
		{sample_lost, {.width = 80, .reason = true}, lost_reason},
		{sample_hostile, {.width = 80, .verbose = true}, hostile_ascii},
		{sample_symmetric, {.width = 80, .brief = true, .color = true},
			symmetric_brief_color},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sample s;
		json_t *d;
		char *text;

		rows[i].make(&s);
		d = sample_document(&s);
		text = render(d, &rows[i].options);
		assert_string_equal(text, rows[i].expected);
		free(text);
		json_decref(d);
		sample_end(&s);
	}
}

static void assert_row(struct sample *s, const char *row)
{
	json_t *d = sample_document(s);
	char *text = render(d, &(struct text_options){.width = 200});
	const char *found = strstr(text, "  rejected by");

	if (!row)
		assert_null(found);
	else if (!found || strncmp(found, row, strlen(row)) != 0)
		fail_msg("\"%s\" is not in %s", row, text);
	free(text);
	json_decref(d);
}

static void test_rejecter(void **state)
{
	struct sample s;

	(void)state;
	sample_reset(&s);
	assert_row(&s, "  rejected by        the NAT, 1 hop before this host\n");
	s.v.tcp4.rejecter = REJECTER_PATH;
	s.v.tcp4.rejecter_hops = 2;
	assert_row(&s, "  rejected by        a device on the way, 2 hops before this host\n");
	s.v.tcp4.rejecter_hops = REJECTER_HOPS_UNKNOWN;
	assert_row(&s, "  rejected by        a device on the way\n");
	s.v.tcp4.rejecter = REJECTER_HOST;
	s.v.tcp4.rejecter_hops = 0;
	assert_row(&s, "  rejected by        this host, or what stands right in front of it\n");
	s.v.tcp4.rejecter = REJECTER_UNKNOWN;
	snprintf(s.v.tcp4.rejecter_basis.text, JOURNAL_TEXT, "no TTL");
	assert_row(&s, "  rejected by        unknown: no TTL\n");
	s.v.tcp4.early = EARLY_SILENT;
	assert_row(&s, NULL);
	sample_end(&s);
}

static void test_short(void **state)
{
	static const struct {
		void (*make)(struct sample *s);
		const char *expected;
	} rows[] = {
		{sample_home, "endpoint-independent/address-and-port-dependent\n"},
		{sample_symmetric,
			"address-and-port-dependent/address-dependent\n"
			"no-nat/address-and-port-dependent\n"},
		{sample_icmp, "endpoint-independent/sometimes\n"},
		{sample_blocked, "blocked\n"},
		{sample_hostile, "unknown/unknown\n"},
		{sample_begin, "untested\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sample s;
		json_t *d;
		char *text;

		rows[i].make(&s);
		d = sample_document(&s);
		text = render_short(d);
		assert_string_equal(text, rows[i].expected);
		free(text);
		json_decref(d);
		sample_end(&s);
	}
}

/* No line is wider than was asked for, and nothing but known words and newlines goes out. */
static void check_lines(const char *text, size_t width)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		for (size_t i = 0; i < length; i++)
			assert_true((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
		if (terminal_columns(line) > width)
			print_error("too wide for %zu: %s\n", width, line);
		assert_true(terminal_columns(line) <= width);
		free(line);
		text += length + 1;
	}
}

static void test_widths(void **state)
{
	static void (*const makers[])(struct sample *) = {
		sample_home, sample_symmetric, sample_icmp, sample_blocked, sample_hostile};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sample s;
		json_t *d;

		makers[i](&s);
		d = sample_document(&s);
		for (unsigned width = TERMINAL_WIDTH_MIN; width < 200; width += 7) {
			char *text = render(d,
				&(struct text_options){.width = width,
					.utf8 = width % 2,
					.reason = true,
					.verbose = true});

			check_lines(text, width);
			free(text);
		}
		json_decref(d);
		sample_end(&s);
	}
}

static void test_utf8_names(void **state)
{
	struct sample s;
	json_t *d;
	char *text;

	(void)state;
	sample_hostile(&s);
	d = sample_document(&s);
	text = render(d, &(struct text_options){.utf8 = true, .verbose = true, .width = 200});
	assert_non_null(strstr(text, "calls itself M\xc3\xbcller \\xc2\\x9b31m\xf0\x9f\x92\xa9"));
	assert_non_null(strstr(text, "\\x1b[2Jevil\\xe2\\x80\\xae<b>&\xef\xbf\xbd, "));
	assert_null(strchr(text, '\033'));
	free(text);
	json_decref(d);
	sample_end(&s);
}

static void test_saved_report_prints_alike(void **state)
{
	const struct text_options all = {.reason = true, .verbose = true, .utf8 = true};
	struct sample s;
	json_t *d, *again;
	char *bytes, *one, *two;

	(void)state;
	sample_symmetric(&s);
	d = sample_document(&s);
	bytes = json_dumps(d, 0);
	again = json_loads(bytes, 0, NULL);
	one = render(d, &all);
	two = render(again, &all);
	assert_string_equal(one, two);
	free(one);
	free(two);
	free(bytes);
	json_decref(again);
	json_decref(d);
	sample_end(&s);
}

static void test_errors_and_interruption(void **state)
{
	static const struct report_error errors[] = {
		{"no-server", "none of the servers could be resolved", NULL},
		{"permission", "not allowed", "hairpin"}};
	static const struct report_facts nothing;
	static const struct report_run run = {.errors = errors, .error_count = 2};
	json_t *d;
	char *text;

	(void)state;
	assert_int_equal(report_document(&run, &nothing, &d), 0);
	text = render(d, &(struct text_options){.width = 80});
	assert_string_equal(text,
		"no answer: nothing was tested\n"
		"interrupted: what is unknown below may just not have been asked yet\n"
		"\nerrors\n"
		"  none of the servers could be resolved\n"
		"  not allowed (test: hairpin)\n");
	free(text);
	json_decref(d);
}

static void test_hairpin_without_nat(void **state)
{
	struct sample s;
	json_t *d;
	char *text;

	(void)state;
	sample_home(&s);
	s.v.udp4.nat = TRI_NO;
	s.v.udp4.hairpin = TRI_UNKNOWN;
	snprintf(s.v.udp4.hairpin_basis.text, JOURNAL_TEXT, "there is no NAT");
	d = sample_document(&s);
	text = render(d, &(struct text_options){.width = 80});
	assert_non_null(strstr(text, "\n  hairpin            not applicable: there is no NAT\n"));
	free(text);
	json_decref(d);
	sample_end(&s);
}

/* Every value of a whole report in turn becomes something else: nothing may break. */
static void spoil(json_t *root, json_t *value)
{
	static const char *const wrong[] = {"null", "true", "-1", "1e300", "\"\"", "\"x\\u001b\"",
		"[]", "[[],{},null]", "{}", "99999999999"};
	const struct text_options all = {.reason = true, .verbose = true, .utf8 = true};
	void *at;
	const char *key;
	json_t *member;

	json_object_foreach_safe(value, at, key, member)
	{
		json_t *kept = json_incref(member);

		for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
			char *text;

			json_object_set_new(
				value, key, json_loads(wrong[i], JSON_DECODE_ANY, NULL));
			text = render(root, &all);
			assert_null(strchr(text, '\033'));
			free(text);
			free(render_short(root));
		}
		json_object_set_new(value, key, kept);
		spoil(root, kept);
	}
	for (size_t i = 0; i < json_array_size(value) && i < 3; i++)
		spoil(root, json_array_get(value, i));
}

static void test_strangers(void **state)
{
	static const char *const rows[] = {"null", "[]", "{}", "\"x\"", "{\"udp\":[]}",
		"{\"udp\":{\"ipv4\":{\"status\":\"ok\"}}}",
		"{\"udp\":{\"ipv4\":{\"status\":\"\\u001b[2J\"}},\"evidence\":[{\"n\":0}]}",
		"{\"findings\":[null,[],{}],\"servers\":[null,{}],\"errors\":[{},3]}"};
	const struct text_options all = {.reason = true, .verbose = true};
	struct sample s;
	json_t *d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text;

		d = json_loads(rows[i], JSON_DECODE_ANY, NULL);
		assert_non_null(d);
		text = render(d, &all);
		check_lines(text, 80);
		free(text);
		text = render_short(d);
		check_lines(text, 80);
		free(text);
		json_decref(d);
	}
	sample_symmetric(&s);
	d = sample_document(&s);
	spoil(d, d);
	json_decref(d);
	sample_end(&s);
	sample_lost(&s);
	d = sample_document(&s);
	spoil(d, d);
	json_decref(d);
	sample_end(&s);
}

/* A report of a few megabytes that names its longest string again and again stays small in print. */
static void test_amplification(void **state)
{
	struct sample s;
	json_t *d, *numbers = json_array(), *basis;
	char *text, *longest = malloc(1 << 20);

	(void)state;
	memset(longest, 'x', (1 << 20) - 1);
	longest[(1 << 20) - 1] = '\0';
	for (size_t i = 0; i < 100000; i++)
		json_array_append_new(numbers, json_integer(0));
	sample_home(&s);
	d = sample_document(&s);
	json_object_set_new(
		json_array_get(json_object_get(d, "evidence"), 0), "server", json_string(longest));
	basis = json_object_get(json_object_get(json_object_get(d, "udp"), "ipv4"), "basis");
	json_object_set_new(basis, "nat", numbers);
	text = render(d, &(struct text_options){.reason = true});
	assert_true(strlen(text) < 1 << 20);
	free(text);
	free(longest);
	json_decref(d);
	sample_end(&s);
}

/* Questions that were put many times take one line, unless one of them is odd. */
static void test_evidence_in_runs(void **state)
{
	struct sample s;
	json_t *d;
	char *text;

	(void)state;
	sample_home(&s);
	for (unsigned i = 0; i < 9; i++) {
		struct observation *o = sample_ask(&s, QUESTION_PORTS, 0, "198.51.100.10:3478",
			"198.51.100.10:3478", "192.0.2.11:6000");

		o->answer.mapped.port += i;
		o->malformed = i == 7;
		sample_basis(&s, &s.v.udp4.allocation_basis, o);
	}
	d = sample_document(&s);
	text = render(d, &(struct text_options){.width = 200, .reason = true});
	assert_non_null(strstr(text,
		"- [7-13] ports to 198.51.100.10:3478 (stun.example): 7 sent, "
		"7 received, seen as 192.0.2.11:6000, 192.0.2.11:6001, "));
	assert_non_null(strstr(text, "192.0.2.11:6005 and 1 more\n    - [14] ports to "));
	assert_non_null(
		strstr(text, "192.0.2.11:6007, 50.6 ms; 1 malformed\n    - [15] ports to "));
	assert_null(strstr(text, "192.0.2.11:6006"));
	free(text);
	json_decref(d);
	sample_end(&s);
}

/* One word stays one word of ours. */
static void test_short_strangers(void **state)
{
	static const struct {
		const char *status, *expected;
	} rows[] = {{"blocked", "blocked\n"}, {"", "unknown\n"}, {"two words", "unknown\n"},
		{"\033[2J", "unknown\n"}, {"Blocked", "unknown\n"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "unknown\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *d = json_pack("{s:{s:{s:s}}}", "udp", "ipv4", "status", rows[i].status);
		char *text = render_short(d);

		assert_string_equal(text, rows[i].expected);
		free(text);
		json_decref(d);
	}
}

static void test_full_disk(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct sample s;
	json_t *d;

	(void)state;
	if (!full)
		return;
	sample_home(&s);
	d = sample_document(&s);
	assert_int_equal(text_render(d, &(struct text_options){.width = 80}, full), -EIO);
	assert_int_equal(text_short(d, full), -EIO);
	fclose(full);
	json_decref(d);
	sample_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_rejecter),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_utf8_names),
		cmocka_unit_test(test_saved_report_prints_alike),
		cmocka_unit_test(test_errors_and_interruption),
		cmocka_unit_test(test_hairpin_without_nat),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_amplification),
		cmocka_unit_test(test_evidence_in_runs),
		cmocka_unit_test(test_short_strangers),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
