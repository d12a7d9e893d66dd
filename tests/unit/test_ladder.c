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
#include <string.h>

#include "report/ladder.h"
#include "report/text_private.h"
#include "report/terminal.h"
#include "report/utf8.h"
#include "test_ladder_sample.h"

/* clang-format off: whole outputs, as they look on a terminal */
static const char nat_utf8[] =
	"packets\n"
	"  this host   10.0.1.2\n"
	"  own NAT     192.0.2.11; endpoint-independent mapping\n"
	"  path        192.0.2.254\n"
	"  servers     198.51.100.10, 203.0.113.10\n"
	"  ── seen here, ─ ─ concluded, ✗ ended there, ? unknown how far, * cited below\n"
	"\n"
	"          this host  own NAT    path     servers\n"
	"      ms      │         │         │         │\n"
	"    0.12  #1  ├─────────┼ ─ ─ ─ ─ ┼ ─ ─ ─ ─►│  binding request, to\n"
	"              │         │         │         │  198.51.100.10:3478\n"
	"   50.60  #2  │◄────────┼ ─ ─ ─ ─ ┼ ─ ─ ─ ─ ┤  binding answer, answers #1 after\n"
	"              │         │         │         │  50.5 ms\n"
	"   60.00  #3  ├───────►?│         │         │  mapping request, to\n"
	"              │         │         │         │  198.51.100.10:3479\n"
	"   70.00  #4  ├─────────┼ ─ ─ ─ ─✗│         │  mapping request, to\n"
	"              │         │         │         │  203.0.113.10:3478\n"
	"   95.50  #5  │◄────────┼ ─ ─ ─ ─ ┤         │  ICMP type 3 code 13: prohibited,\n"
	"              │         │         │         │  about #4 after 25.5 ms, from\n"
	"              │         │         │         │  192.0.2.254, 3 hops away\n"
	"  100.00  #6  ├────────✗│         │         │  SYN: control, to\n"
	"              │         │         │         │  198.51.100.10:3478\n"
	"  100.40  #7  │◄────────┤         │         │  RST: refused by the NAT, about #6\n"
	"              │         │         │         │  after 0.40 ms\n"
	"  110.00  #8  ├────────►│         │         │  hairpin\n"
	"  110.20  #9  │◄────────┤         │         │  hairpin came back, answers #8\n"
	"              │         │         │         │  after 0.20 ms\n"
	"  120.00 #10  │✗────────┼ ─ ─ ─ ─ ┤         │  not asked for, not delivered\n";

static const char nat_ascii[] =
	"packets\n"
	"  this host   10.0.1.2\n"
	"  own NAT     192.0.2.11; endpoint-independent mapping\n"
	"  path        192.0.2.254\n"
	"  servers     198.51.100.10, 203.0.113.10\n"
	"  -- seen here, - - concluded, X ended there, ? unknown how far, * cited below\n"
	"\n"
	"          this host        own NAT          path           servers\n"
	"      ms      |               |               |               |\n"
	"    0.12  #1  |---------------+ - - - - - - - + - - - - - - ->|  binding request, to "
	"198.51.100.10:3478\n"
	"   50.60  #2  |<--------------+ - - - - - - - + - - - - - - - |  binding answer, answers "
	"#1 after 50.5 ms\n"
	"   60.00  #3  |------------->?|               |               |  mapping request, to "
	"198.51.100.10:3479\n"
	"   70.00  #4  |---------------+ - - - - - - -X|               |  mapping request, to "
	"203.0.113.10:3478\n"
	"   95.50  #5  |<--------------+ - - - - - - - |               |  ICMP type 3 code 13: "
	"prohibited, about #4 after 25.5\n"
	"              |               |               |               |  ms, from 192.0.2.254, 3 "
	"hops away\n"
	"  100.00  #6  |--------------X|               |               |  SYN: control, to "
	"198.51.100.10:3478\n"
	"  100.40  #7  |<--------------|               |               |  RST: refused by the NAT, "
	"about #6 after 0.40 ms\n"
	"  110.00  #8  |-------------->|               |               |  hairpin\n"
	"  110.20  #9  |<--------------|               |               |  hairpin came back, "
	"answers #8 after 0.20 ms\n"
	"  120.00 #10  |X--------------+ - - - - - - - |               |  not asked for, not "
	"delivered\n";

static const char punch_utf8[] =
	"packets\n"
	"  this host   10.0.1.2, port 5000\n"
	"  own NAT     192.0.2.1; address-dependent mapping\n"
	"  server      198.51.100.10, port 3478\n"
	"  peer        seen as 192.0.2.2, port 6000\n"
	"  ── seen here, ─ ─ concluded, ✗ ended there, ? unknown how far, * cited below\n"
	"  1 bare TCP acknowledgment is not drawn\n"
	"\n"
	"           this   own                peer's\n"
	"           host   NAT  path  server    NAT   peer\n"
	"      ms     │     │     │      │       │      │\n"
	"    0.50 #1  ├─────┼ ─ ─ ┼ ─ ─ ►│       │      │  registration\n"
	"   50.50 #2  │◄────┼ ─ ─ ┼ ─ ─ ─┤       │      │  registered, answers #1 after\n"
	"             │     │     │      │       │      │  50.0 ms\n"
	"  400.00 #4* ├─────┼ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ✗│      │  SYN: attempt 1\n"
	"  440.10 #5* │◄────┼ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ─┤      │  RST: refused, about #4 after\n"
	"             │     │     │      │       │      │  40.1 ms, 7 hops away\n"
	"  500.00 #6  │◄────┼ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ─┼─ ─ ─ ┤  SYN of the peer\n"
	"\n"
	"why\n"
	"  certain: The peer's NAT refuses\n"
	"    at the peer's NAT, 192.0.2.2, 7 hops away\n"
	"    One SYN, one RST.\n"
	"    packets #4 #5\n"
	"    advice: Drop instead.\n"
	"\n"
	"  possible: Loss\n"
	"    evidence [0] [2]\n"
	"    to decide: Once more.\n";

static const char punch_ascii[] =
	"packets\n"
	"  this host   10.0.1.2, port 5000\n"
	"  own NAT     192.0.2.1; address-dependent mapping\n"
	"  server      198.51.100.10, port 3478\n"
	"  peer        seen as 192.0.2.2, port 6000\n"
	"  -- seen here, - - concluded, X ended there, ? unknown how far, * cited below\n"
	"  1 bare TCP acknowledgment is not drawn\n"
	"\n"
	"         this host  own NAT    path     server  peer's NAT   peer\n"
	"      ms     |         |         |         |         |         |\n"
	"    0.50 #1  |---------+ - - - - + - - - ->|         |         |  registration\n"
	"   50.50 #2  |<--------+ - - - - + - - - - |         |         |  registered, answers #1 "
	"after 50.0 ms\n"
	"  400.00 #4* |---------+ - - - - + - - - - - - - - -X|         |  SYN: attempt 1\n"
	"  440.10 #5* |<--------+ - - - - + - - - - - - - - - |         |  RST: refused, about #4 "
	"after 40.1 ms, 7 hops away\n"
	"  500.00 #6  |<--------+ - - - - + - - - - - - - - - + - - - - |  SYN of the peer\n"
	"\n"
	"why\n"
	"  certain: The peer's NAT refuses\n"
	"    at the peer's NAT, 192.0.2.2, 7 hops away\n"
	"    One SYN, one RST.\n"
	"    packets #4 #5\n"
	"    advice: Drop instead.\n"
	"\n"
	"  possible: Loss\n"
	"    evidence [0] [2]\n"
	"    to decide: Once more.\n";

static const char punch_narrow[] = "packets\n"
				   "  this host   10.0.1.2, port 5000\n"
				   "  own NAT     192.0.2.1;\n"
				   "              address-dependent mapping\n"
				   "  server      198.51.100.10, port 3478\n"
				   "  peer        seen as 192.0.2.2, port\n"
				   "              6000\n"
				   "  -- seen here, - - concluded, X ended\n"
				   "  there, ? unknown how far, * cited\n"
				   "  below\n"
				   "  1 bare TCP acknowledgment is not drawn\n"
				   "\n"
				   "           this  own          peer's\n"
				   "           host  NAT path server NAT\n"
				   "      ms     |    |    |    |    |    |\n"
				   "    0.50 #1  |----+ - -+- ->|    |    |\n"
				   "         registration\n"
				   "   50.50 #2  |<---+ - -+- - |    |    |\n"
				   "         registered, answers #1 after\n"
				   "         50.0 ms\n"
				   "  400.00 #4* |----+ - -+- - - - X|    |\n"
				   "         SYN: attempt 1\n"
				   "  440.10 #5* |<---+ - -+- - - - -|    |\n"
				   "         RST: refused, about #4 after\n"
				   "         40.1 ms, 7 hops away\n"
				   "  500.00 #6  |<---+ - -+- - - - -+- - |\n"
				   "         SYN of the peer\n"
				   "\n"
				   "why\n"
				   "  certain: The peer's NAT refuses\n"
				   "    at the peer's NAT, 192.0.2.2, 7 hops\n"
				   "    away\n"
				   "    One SYN, one RST.\n"
				   "    packets #4 #5\n"
				   "    advice: Drop instead.\n"
				   "\n"
				   "  possible: Loss\n"
				   "    evidence [0] [2]\n"
				   "    to decide: Once more.\n";

static const char punch_color[] =
	"  400.00 \033[1m#4\033[0m* ├─────┼ ─ ─ ┼ ─ ─ ─ ─ ─ ─ \033[1;31m✗\033[0m│      │  "
	"\033[1mSYN: attempt 1\033[0m\n";

static const char rp_filter[] =
	"packets\n"
	"  this host   10.0.1.2\n"
	"  server      198.51.100.10\n"
	"  ── seen here, ─ ─ concluded, ✗ ended there, ? unknown how far, * cited below\n"
	"\n"
	"          this host         path           server\n"
	"      ms      │               │               │\n"
	"    0.32  #1  ├───────────────┼ ─ ─ ─ ─ ─ ─ ─►│  binding request: copy 1 of 5,\n"
	"              │               │               │  to port 3478\n"
	"              │               │               │  … 4 more like it, to #20 at\n"
	"              │               │               │  2001.27 ms\n"
	"    9.22  #2* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  binding: answer, not delivered,\n"
	"              │               │               │  answers #1 after 8.90 ms\n"
	"  500.61  #4* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  binding: answer, not delivered,\n"
	"              │               │               │  answers #3 after 0.27 ms\n"
	"  900.76  #5  ├───────────────┼ ─ ─ ─ ─ ─ ─ ─✗│  control, closed port: copy 1 of\n"
	"              │               │               │  3, to port 33434\n"
	"              │               │               │  … 2 more like it, to #15 at\n"
	"              │               │               │  1900.98 ms\n"
	"  900.90  #6* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  control, closed port: ICMP port\n"
	"              │               │               │  unreachable, not delivered,\n"
	"              │               │               │  about #5 after 0.13 ms, 3 hops\n"
	"              │               │               │  away\n"
	"  900.97  #7  ├───────────────┼ ─ ─ ─ ─ ─ ─ ─►│  control over TCP: SYN, copy 1\n"
	"              │               │               │  of 2, to port 3478\n"
	"  901.02  #8* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  control over TCP: SYN ACK, not\n"
	"              │               │               │  delivered, answers #7 after\n"
	"              │               │               │  0.05 ms\n"
	"              │               │               │  … 2 more like it, to #19 at\n"
	"              │               │               │  1921.08 ms\n"
	" 1000.88 #10* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  binding: answer, not delivered,\n"
	"              │               │               │  answers #9 after 0.19 ms\n"
	"              │               │               │  … 2 more like it, to #21 at\n"
	"              │               │               │  2001.53 ms\n"
	" 1400.99 #12* │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  control, closed port: ICMP port\n"
	"              │               │               │  unreachable, not delivered,\n"
	"              │               │               │  about #11 after 0.16 ms, 3 hops\n"
	"              │               │               │  away\n"
	" 1901.12 #16  │✗──────────────┼ ─ ─ ─ ─ ─ ─ ─ ┤  control, closed port: ICMP port\n"
	"              │               │               │  unreachable, not delivered,\n"
	"              │               │               │  about #15 after 0.13 ms, 3 hops\n"
	"              │               │               │  away\n"
	" 1920.98 #17  ├───────────────┼ ─ ─ ─ ─ ─ ─ ─►│  control over TCP: SYN, copy 2\n"
	"              │               │               │  of 2, to port 3478\n"
	"\n"
	"why\n"
	"  certain: The reverse-path filter of this host drops the answers\n"
	"    at this host\n"
	"    11 packets of 198.51.100.10 came in on eth1, and no socket got them:\n"
	"    rp_filter of eth1 is 1 (strict), and the way back to 198.51.100.10 is eth0.\n"
	"    The kernel has counted 11 packets that its reverse-path filter dropped\n"
	"    (IPReversePathFilter).\n"
	"    packets #2 #4 #6 #8 #10 #12\n"
	"    evidence [0] [1] [2]\n"
	"    advice: Set net.ipv4.conf.eth1.rp_filter (and net.ipv4.conf.all.rp_filter)\n"
	"            to 2, loose, or route so that answers come back on the interface\n"
	"            that the requests leave by.\n"
	"\n"
	"  possible: A firewall on this host drops what comes in on eth1\n"
	"    at this host\n"
	"    It looks the same to a socket; the kernel's counter speaks against it.\n"
	"    packets #2 #4\n"
	"    evidence [0]\n"
	"    advice: nft list ruleset, and look for chains with the hook input or\n"
	"            prerouting.\n"
	"    to decide: Once more with net.ipv4.conf.eth1.rp_filter=2: if answers then\n"
	"               arrive, it was the filter.\n";
/* clang-format on */

/* The ladder and, as they stand in the report beside it, the causes. */
static char *render(const json_t *d, const struct text_options *options)
{
	struct page p = {.options = options, .width = options->width ? options->width : 80};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(ladder_render(d, options, out), 0);
	p.out = out;
	text_causes(&p, d);
	fclose(out);
	assert_int_equal(strlen(text), length);
	return text;
}

static void check(json_t *d, const struct text_options *options, const char *expected)
{
	char *text = render(d, options);

	assert_string_equal(text, expected);
	free(text);
	json_decref(d);
}

static void test_whole(void **state)
{
	(void)state;
	check(document_from_text(NAT_DOCUMENT), &(struct text_options){.utf8 = true}, nat_utf8);
	check(document_from_text(NAT_DOCUMENT), &(struct text_options){.width = 120}, nat_ascii);
	check(document_from_text(PUNCH_DOCUMENT), &(struct text_options){.width = 80, .utf8 = true},
		punch_utf8);
	check(document_from_text(PUNCH_DOCUMENT), &(struct text_options){.width = 120},
		punch_ascii);
	check(document_from_text(PUNCH_DOCUMENT), &(struct text_options){.width = 40},
		punch_narrow);
	check(document_from_file("natprobe-rp-filter.json"),
		&(struct text_options){.width = 80, .utf8 = true}, rp_filter);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in %s", part, text);
}

static void test_color(void **state)
{
	json_t *d = document_from_text(PUNCH_DOCUMENT);
	char *text = render(d, &(struct text_options){.utf8 = true, .color = true});

	(void)state;
	assert_has(text, punch_color);
	free(text);
	json_decref(d);
}

/* --- what is not drawn, or not alone --- */

/* Packets from n on, each with a word in its meaning: "%s" and "%u" of format. */
static void append_packets(json_t *d, unsigned n, unsigned count, const char *direction,
	const char *class, const char *meaning)
{
	json_t *packets = json_object_get(d, "packets");

	for (unsigned i = 0; i < count; i++) {
		char text[64];
		json_t *packet;

		snprintf(text, sizeof(text), "%s %u of %u", meaning, i + 1, count);
		packet = json_pack("{s:i,s:f,s:s,s:s,s:s,s:s,s:{s:s,s:i},s:{s:s,s:i}}", "n", n + i,
			"t_ms", 10.0 * (n + i), "direction", direction, "protocol", "udp", "class",
			class, "meaning", text, "from", "address", "10.0.1.2", "port", 5000, "to",
			"address", "198.51.100.10", "port", 3478);
		assert_non_null(packet);
		assert_int_equal(json_array_append_new(packets, packet), 0);
	}
}

static json_t *no_packets(void)
{
	return document_from_text("{\"format\":\"natprobe-report\",\"packets\":[],\"causes\":["
				  "{\"title\":\"x\",\"packets\":[]}]}");
}

static void test_folding(void **state)
{
	json_t *d = no_packets();
	json_t *cited = json_object_get(json_array_get(json_object_get(d, "causes"), 0), "packets");
	char *text;

	(void)state;
	append_packets(d, 1, 40, "out", "ours", "sample");
	append_packets(d, 41, 2, "out", "ours", "pair");
	json_array_append_new(cited, json_integer(7));
	text = render(d, &(struct text_options){.width = 120});
	assert_has(text,
		"   10.00  #1  |------------->?|               |  sample 1 of 40\n"
		"              |               |               |  ... 5 more like it, to #6 at "
		"60.00 ms\n"
		"   70.00  #7* |------------->?|               |  sample 7 of 40\n"
		"              |               |               |  ... 33 more like it, to #40 at "
		"400.00 ms\n"
		"  410.00 #41  |------------->?|               |  pair 1 of 2\n"
		"  420.00 #42  |------------->?|               |  pair 2 of 2\n");
	free(text);
	json_decref(d);
}

static size_t count_rows(const char *text)
{
	size_t count = 0;

	for (; (text = strstr(text, "|------")); text++)
		count++;
	return count;
}

/* Nothing is alike: rows are left out, but not those that are cited. */
static void test_too_many(void **state)
{
	json_t *d = no_packets();
	json_t *cited = json_object_get(json_array_get(json_object_get(d, "causes"), 0), "packets");
	char *text;

	(void)state;
	for (unsigned i = 1; i <= 4000; i++) {
		char word[8] = "aaaa";

		for (unsigned k = 0, rest = i; k < 4; k++, rest /= 26)
			word[k] = (char)('a' + rest % 26);
		append_packets(d, i, 1, "out", "ours", word);
	}
	json_array_append_new(cited, json_integer(2000));
	json_array_append_new(cited, json_integer(4000));
	json_array_append_new(cited, json_integer(5000)); /* is not there */
	text = render(d, &(struct text_options){.width = 120});
	assert_int_equal(count_rows(text), LADDER_ROWS);
	assert_has(text, " #58  |");
	assert_has(text, "... 1941 packets not drawn, #59 to #1999\n");
	assert_has(text, " #2000* |");
	assert_has(text, "... 1999 packets not drawn, #2001 to #3999\n");
	assert_has(text, " #4000* |");
	assert_has(text, "packets #2000 #4000 #5000\n");
	free(text);
	json_decref(d);
}

/* More than are read; what a stranger's report may hold in 16 MiB. */
static void test_beyond_all_bounds(void **state)
{
	json_t *d = no_packets();
	char *text;

	(void)state;
	append_packets(d, 1, LADDER_PACKETS + 77, "in", "stranger", "flood");
	text = render(d, &(struct text_options){.width = 80});
	assert_has(text, "... 19999 more like it");
	assert_has(text, "... 77 packets not drawn\n");
	assert_true(strlen(text) < 4000);
	free(text);
	json_decref(d);
}

static void test_nothing_to_draw(void **state)
{
	static const struct {
		const char *document, *expected;
	} rows[] = {
		{"{}", "packets\n  no packets: none were captured in this run\n"},
		{"[]", "packets\n  no packets: none were captured in this run\n"},
		{"{\"capture\":{\"state\":\"on\"},\"packets\":[]}",
			"packets\n  no packet was captured\n"},
		{"{\"capture\":{\"state\":\"unavailable\"}}",
			"packets\n  no packets: capturing is not possible here\n"},
		{"{\"capture\":{\"state\":\"not-permitted\",\"hint\":\"setcap \\u001b\"}}",
			"packets\n  no packets: capturing was not permitted; setcap \\x1b\n"},
		{"{\"packets\":[1,null,[]],\"causes\":[]}",
			"packets\n  no packets: none were captured in this run\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check(document_from_text(rows[i].document), &(struct text_options){.width = 80},
			rows[i].expected);
}

static void test_missed(void **state)
{
	json_t *d = document_from_text(NAT_DOCUMENT);
	char *text;

	(void)state;
	json_object_set_new(d, "capture", json_pack("{s:i}", "missed", 7));
	text = render(d, &(struct text_options){.width = 120});
	assert_has(text,
		"  the capture has missed 7 packets: what is not drawn may have been there\n");
	free(text);
	json_decref(d);
}

/* Its own firewall rejects in the server's name. */
static void test_host_rejects(void **state)
{
	json_t *d = document_from_text("{\"packets\":[" PACKET(
		1, 1, "out", "tcp", HOST, SERVER, "ours", "host", "SYN", "") "," PACKET(2, 1.1,
		"in", "tcp", SERVER, HOST, "error", "host", "RST", ",\"about\":1") "]}");
	char *text = render(d, &(struct text_options){.width = 80});

	(void)state;
	assert_has(text, "    1.00 #1  |-X             |               |  SYN\n");
	assert_has(text,
		"    1.10 #2  |<-             |               |  RST, about #1 after 0.10 ms\n");
	free(text);
	json_decref(d);
}

/* The row of packet n, from its first lifeline on. */
static void assert_row(const char *document, unsigned n, const char *row)
{
	json_t *d = document_from_text(document);
	char *text = render(d, &(struct text_options){.width = 120}), number[16];
	const char *found;

	snprintf(number, sizeof(number), " #%u ", n);
	found = strstr(text, number);
	if (!found || strncmp(found + strlen(number) + 1, row, strlen(row)) != 0)
		fail_msg("not \"%s\", but %s", row, text);
	free(text);
	json_decref(d);
}

static void test_other_endpoint(void **state)
{
	static const char document[] =
		"{\"packets\":[" PACKET(1, 1, "out", "udp", HOST, SERVER, "ours", "host", "request",
			",\"about\":7") "," PACKET(2, 3, "in", "udp", AT("198.51.100.10", 9), HOST,
			"answer", "server", "answer", ",\"about\":1") "," PACKET(3, 4, "in", "udp",
			SERVER, HOST, "answer", "server", "answer", ",\"about\":1") "]}";

	(void)state;
	assert_row(document, 1, "|---------------+ - - - - - - ->|  request, to port 3478\n");
	assert_row(document, 2,
		"|<--------------+ - - - - - - - |  answer, answers #1 after 2.00 ms, from "
		"198.51.100.10:9, which was "
		"not\n");
	assert_row(document, 3,
		"|<--------------+ - - - - - - - |  answer, answers #1 after 3.00 ms\n");
}

/* A NAT of one family is none of the other: its lifeline is drawn over. */
static void test_family_without_nat(void **state)
{
	static const char document[] =
		"{\"udp\":{\"ipv4\":{\"nat\":true},\"ipv6\":{\"nat\":false}},\"packets\":[" PACKET(
			1, 1, "in", "udp", SERVER, HOST, "answer", "server", "a", "") "," PACKET(2,
			2, "in", "udp", AT("2001:db8::10", 3478), AT("2001:db8::2", 5000), "answer",
			"server", "b", "") "]}";

	(void)state;
	assert_row(document, 1, "|<--------------+ - - - - - - - + - - - - - - - |  a, from ");
	assert_row(document, 2, "|<--------------- - - - - - - - + - - - - - - - |  b, from ");
}

/* The peer has the address of this side's own NAT, which a question about hairpinning went to as well. */
static void test_peer_behind_same_nat(void **state)
{
	static const char document[] = "{\"format\":\"punch-report\",\"peer\":" AT("192.0.2.1",
		6000) ",\"server\":" SERVER
		      ",\"own_nat\":{\"nat\":true,\"external\":[" AT("192.0.2.1",
			      5000) "]},"
				    "\"evidence\":[{\"to\":" AT(
					    "192.0.2.1", 5000) "}],\"packets\":[" PACKET(1, 1,
					    "out", "udp", HOST, SERVER, "ours", "host", "to server",
					    ",\"delivered\":true") "," PACKET(2, 2, "in", "udp",
					    AT("192.0.2.1", 6000), HOST, "peer", "unknown",
					    "of peer", "") "]}";

	(void)state;
	assert_row(document, 2, "|<-----------+ - - - - - -+- - - - - - - - - - - - -|  of peer\n");
}

/* --- strangers --- */

/* ASCII or UTF-8 without control characters, in lines that are not too wide. */
static void check_lines(const char *text, size_t width, bool utf8)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		for (size_t i = 0; i < length;) {
			uint32_t code;
			size_t bytes = utf8_next(line + i, &code);

			assert_true(bytes && !terminal_is_unsafe(code) && (utf8 || bytes == 1));
			i += bytes;
		}
		if (terminal_columns(line) > width)
			fail_msg("too wide for %zu: %s", width, line);
		free(line);
		text += length + 1;
	}
}

static void check_all(const json_t *d)
{
	static const unsigned widths[] = {40, 61, 80, 200};

	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		struct text_options options = {.width = widths[i], .utf8 = i % 2};
		char *text = render(d, &options);

		check_lines(text, options.width, options.utf8);
		free(text);
	}
}

static void test_widths(void **state)
{
	(void)state;
	for (unsigned width = 40; width <= 240; width++) {
		const struct text_options options = {.width = width, .utf8 = width % 2};
		json_t *d = document_from_file(
			width % 3 ? "natprobe-rp-filter.json" : "tcppunch-both-dependent.json");
		char *text = render(d, &options);

		check_lines(text, width, options.utf8);
		free(text);
		json_decref(d);
	}
}

static void test_wrong_types(void **state)
{
	json_t *nat = document_from_text(NAT_DOCUMENT), *punch = document_from_text(PUNCH_DOCUMENT);

	(void)state;
	with_wrong_types(nat, check_all);
	with_wrong_types(punch, check_all);
	json_decref(nat);
	json_decref(punch);
}

/* Numbers that are there twice, answers to themselves, and in circles. */
static void test_odd_numbers(void **state)
{
	json_t *d = document_from_text("{\"packets\":[" PACKET(5, 1, "out", "udp", HOST, SERVER,
		"ours", "host", "a", ",\"about\":5") "," PACKET(5, 2, "in", "udp", SERVER, HOST,
		"answer", "server", "b", ",\"about\":4") "," PACKET(4, 3, "in", "udp", SERVER, HOST,
		"answer", "server", "c", ",\"about\":5") "," PACKET(999999999, -4, "in", "udp",
		SERVER, HOST, "answer", "server", "d", ",\"about\":0") "]}");
	char *text = render(d, &(struct text_options){.width = 80});

	(void)state;
	check_all(d);
	assert_has(text, "       ?  -  |");
	free(text);
	json_decref(d);
}

static void test_hostile_text(void **state)
{
	json_t *d = document_from_text(NAT_DOCUMENT);
	json_t *evil = json_string_nocheck("\033]0;owned\007 \xe2\x80\xae\xcc\x81");
	char *text;

	(void)state;
	replace_members(d, "meaning", evil);
	json_decref(evil);
	text = render(d, &(struct text_options){.width = 200, .utf8 = true});
	assert_has(text, "\\x1b]0;owned\\x07 \\xe2\\x80\\xae\xcc\x81");
	check_lines(text, 200, true);
	free(text);
	json_decref(d);
}

static void test_full_disk(void **state)
{
	json_t *d = document_from_text(NAT_DOCUMENT);
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	if (!out)
		skip();
	assert_int_equal(ladder_render(d, &(struct text_options){.width = 80}, out), -EIO);
	fclose(out);
	json_decref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_color),
		cmocka_unit_test(test_folding),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_beyond_all_bounds),
		cmocka_unit_test(test_nothing_to_draw),
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_host_rejects),
		cmocka_unit_test(test_other_endpoint),
		cmocka_unit_test(test_family_without_nat),
		cmocka_unit_test(test_peer_behind_same_nat),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_odd_numbers),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
