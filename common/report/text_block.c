// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "report/text_private.h"

/* The table of one behaviour block. */

#define INDENT 2
#define LABEL  "%-19s"

struct table {
	struct page *page;
	const json_t *document, *block;
	bool ok; /* else only what is known gets a row */
	bool tcp, icmp;
	text_block_row *put;
	void *context;
};

/* Fills in the value; false when there is none to show in a block without answers. */
typedef bool row_value(const struct table *t, struct line *l);

static void put_row(const struct table *t, struct line *l, const char *label, const char *key)
{
	t->put(t->context, label, key, l);
}

/* Words that need a gloss; all others are printed as they are. */
static const char *gloss(const char *word)
{
	static const struct {
		const char *word, *gloss;
	} known[] = {
		{"silent", "silent (dropped, and no error came back)"},
		{"reject", "reject (answered with an ICMP error)"},
		{"remap", "remap (they move the external port)"},
		{"delivered", "delivered (let in)"},
		{"open", "called open Internet before RFC 4787"},
		{"full-cone", "called full cone before RFC 4787"},
		{"restricted-cone", "called restricted cone before RFC 4787"},
		{"port-restricted-cone", "called port-restricted cone before RFC 4787"},
		{"symmetric", "called symmetric before RFC 4787"},
		{"symmetric-firewall", "called symmetric UDP firewall before RFC 4787"},
		{"blocked", "blocked"},
	};

	for (size_t i = 0; word && i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(word, known[i].word))
			return known[i].gloss;
	return NULL;
}

static bool add_word(const struct table *t, struct line *l, const char *key)
{
	const char *text = member_text(t->block, key);
	const char *explained = gloss(text);

	if (explained)
		line_add(l, "%s", explained);
	else if (!line_add_string(l, json_object_get(t->block, key)))
		line_add(l, "unknown");
	return text && strcmp(text, "unknown");
}

static bool add_tri(const struct table *t, struct line *l, const char *key)
{
	const json_t *value = json_object_get(t->block, key);

	line_add(l, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "unknown");
	return json_is_boolean(value);
}

static bool row_nat(const struct table *t, struct line *l)
{
	return add_tri(t, l, "nat");
}

static bool row_local(const struct table *t, struct line *l)
{
	return line_add_endpoint(l, json_object_get(t->block, "local"));
}

static bool row_external(const struct table *t, struct line *l)
{
	const json_t *external = json_object_get(t->block, "external");

	for (size_t i = 0; i < json_array_size(external); i++) {
		line_add(l, "%s", i ? ", " : "");
		line_add_endpoint(l, json_array_get(external, i));
	}
	if (!json_array_size(external))
		line_add(l, "none");
	return json_array_size(external) > 0;
}

/* What is known although the whole is not. */
static void add_dependence(const json_t *depends, struct line *l, const char *on)
{
	const json_t *value = json_object_get(depends, on);

	if (json_is_boolean(value))
		line_add(l, ", %s with the peer's %s",
			json_is_true(value) ? "but varies" : "but does not vary", on);
}

static bool row_mapping(const struct table *t, struct line *l)
{
	const json_t *depends = json_object_get(t->block, "mapping_depends_on");
	bool known = add_word(t, l, "mapping");

	if (!known) {
		add_dependence(depends, l, "address");
		add_dependence(depends, l, "port");
	}
	return known;
}

static bool row_filtering(const struct table *t, struct line *l)
{
	return add_word(t, l, "filtering");
}

static bool row_preservation(const struct table *t, struct line *l)
{
	return add_word(t, l, "port_preservation");
}

static bool row_allocation(const struct table *t, struct line *l)
{
	const json_t *a = json_object_get(t->block, "port_allocation");
	const json_t *step = json_object_get(a, "step"), *low = json_object_get(a, "low"),
		     *high = json_object_get(a, "high"),
		     *confidence = json_object_get(a, "confidence");
	const char *pattern = member_text(a, "pattern");

	if (!line_add_string(l, json_object_get(a, "pattern")))
		line_add(l, "unknown");
	if (json_is_integer(step))
		line_add(l, ", step %" JSON_INTEGER_FORMAT, json_integer_value(step));
	if (json_is_integer(low) && json_is_integer(high))
		line_add(l, ", %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
			json_integer_value(low), json_integer_value(high));
	if (json_is_number(confidence) && json_number_value(confidence) <= 1)
		line_add(l, ", confidence %.3g", json_number_value(confidence));
	if (member_count(a, "samples"))
		line_add(l, " (%llu samples)", member_count(a, "samples"));
	return pattern && strcmp(pattern, "unknown");
}

static bool row_pooling(const struct table *t, struct line *l)
{
	return add_word(t, l, "pooling");
}

static bool row_early(const struct table *t, struct line *l)
{
	const json_t *after = json_object_get(t->block, "early_packet_ms");

	if (!t->tcp || !member_is(t->block, "early_packet", "reject"))
		return add_word(t, l, "early_packet");
	line_add(l, "reject (answered with RST or an ICMP error");
	if (json_is_number(after)) {
		line_add(l, " after ");
		line_add_ms(l, after);
	}
	line_add(l, ")");
	return true;
}

static bool row_rejecter(const struct table *t, struct line *l)
{
	const json_t *from = json_object_get(t->block, "early_packet_from");
	const json_t *hops = json_object_get(from, "hops_before");
	unsigned long long count = member_count(from, "hops_before");

	if (member_is(from, "who", "host")) {
		line_add(l, "this host, or what stands right in front of it");
		return true;
	}
	if (!member_is(from, "who", "nat") && !member_is(from, "who", "path")) {
		line_add(l, "unknown");
		return false;
	}
	line_add(l, "%s", member_is(from, "who", "nat") ? "the NAT" : "a device on the way");
	if (json_is_integer(hops))
		line_add(l, ", %llu %s before this host", count, count == 1 ? "hop" : "hops");
	return true;
}

static bool row_simultaneous(const struct table *t, struct line *l)
{
	return add_tri(t, l, "simultaneous_open");
}

/* "own SYNs 1460 to 1412"; what is not known of a direction is left out. */
static bool add_mss_way(const json_t *way, struct line *l, const char *separator, const char *whose)
{
	unsigned long long sent = member_count(way, "sent"), arrived = member_count(way, "arrived");
	const json_t *clamped = json_object_get(way, "clamped");

	if (!sent || !json_is_boolean(clamped))
		return false;
	line_add(l, "%s%s %llu", separator, whose, sent);
	if (json_is_true(clamped))
		line_add(l, " to %llu", arrived);
	return true;
}

static bool row_mss(const struct table *t, struct line *l)
{
	const json_t *mss = json_object_get(t->block, "mss");
	bool known = add_tri(t, l, "mss_clamping"), first;

	if (!known)
		return false;
	first = add_mss_way(json_object_get(mss, "outward"), l, ": ", "own SYNs");
	add_mss_way(json_object_get(mss, "inward"), l, first ? ", " : ": ", "the server's");
	return true;
}

static bool row_options(const struct table *t, struct line *l)
{
	const json_t *removed = json_object_get(t->block, "options_removed");

	for (size_t i = 0; i < json_array_size(removed); i++) {
		line_add(l, "%s", i ? ", " : "");
		line_add_string(l, json_array_get(removed, i));
	}
	if (!json_array_size(removed))
		line_add(l, "%s", json_is_array(removed) ? "none" : "unknown");
	return json_is_array(removed);
}

static bool row_sequence(const struct table *t, struct line *l)
{
	return add_tri(t, l, "sequence_rewriting");
}

static bool row_hops(const struct table *t, struct line *l)
{
	bool known = json_is_integer(json_object_get(t->block, "hops"));

	if (known)
		line_add(l, "%llu to the nearest server", member_count(t->block, "hops"));
	else
		line_add(l, "unknown");
	return known;
}

static bool row_hairpin(const struct table *t, struct line *l)
{
	if (json_is_false(json_object_get(t->block, "nat"))) {
		line_add(l, "not applicable: there is no NAT");
		return true;
	}
	return add_tri(t, l, "hairpin");
}

static bool row_class(const struct table *t, struct line *l)
{
	return add_word(t, l, "rfc3489_class");
}

static bool row_echo(const struct table *t, struct line *l)
{
	return text_icmp_echo(t->block, l);
}

static bool row_errors_udp(const struct table *t, struct line *l)
{
	return text_icmp_errors(t->block, l, "udp");
}

static bool row_errors_tcp(const struct table *t, struct line *l)
{
	return text_icmp_errors(t->block, l, "tcp");
}

static bool row_errors_attempt(const struct table *t, struct line *l)
{
	return text_icmp_errors(t->block, l, "attempt");
}

static bool row_quotes(const struct table *t, struct line *l)
{
	return text_icmp_quotes(t->block, l);
}

static bool row_end_mapping(const struct table *t, struct line *l)
{
	return text_icmp_tri(t->block, l, "errors_end_mapping");
}

static bool row_end_connection(const struct table *t, struct line *l)
{
	return text_icmp_tri(t->block, l, "errors_end_connection");
}

static bool row_end_attempt(const struct table *t, struct line *l)
{
	return text_icmp_tri(t->block, l, "errors_end_attempt");
}

static bool row_path_mtu(const struct table *t, struct line *l)
{
	return text_icmp_tri(t->block, l, "path_mtu_errors");
}

static bool row_egress(const struct table *t, struct line *l)
{
	return text_icmp_egress(t->block, l);
}

static bool row_translated(const struct table *t, struct line *l)
{
	return text_icmp_translated(t->block, l);
}

static bool row_lifetime(const struct table *t, struct line *l)
{
	return text_icmp_lifetime(t->block, l);
}

/* On the way to a server that does not answer. */
static const json_t *trace_of(const struct table *t)
{
	const json_t *basis = json_object_get(t->block, "basis");

	return text_trace_of(t->document, json_object_get(basis, "status"));
}

static bool row_routers(const struct table *t, struct line *l)
{
	return text_trace(l, trace_of(t), true);
}

/* Says why a value is unknown. */
static void add_reason(const struct table *t, struct line *l, const char *key)
{
	const json_t *reason = json_object_get(json_object_get(t->block, "reasons"), key);

	if (!json_is_string(reason))
		return;
	line_add(l, ": ");
	line_add_string(l, reason);
}

struct row {
	const char *label, *key;
	row_value *value;
	bool tcp; /* not asked over UDP, where nothing has to be opened */
};

static const struct row rows[] = {
	{"who answers", NULL, row_routers, false},
	{"NAT", "nat", row_nat, false},
	{"local", NULL, row_local, false},
	{"external", NULL, row_external, false},
	{"mapping", "mapping", row_mapping, false},
	{"filtering", "filtering", row_filtering, false},
	{"port preservation", "port_preservation", row_preservation, false},
	{"port allocation", "port_allocation", row_allocation, false},
	{"pooling", "pooling", row_pooling, false},
	{"early packets", "early_packet", row_early, false},
	{"rejected by", "early_packet_from", row_rejecter, true},
	{"simultaneous open", "simultaneous_open", row_simultaneous, true},
	{"hairpin", "hairpin", row_hairpin, false},
	{"MSS clamping", "mss_clamping", row_mss, true},
	{"options removed", "options_removed", row_options, true},
	{"sequence rewriting", "sequence_rewriting", row_sequence, true},
	{"hops", "hops", row_hops, true},
	{"RFC 3489", NULL, row_class, false},
};

/* The ports of these are identifiers. */
static const struct row icmp_rows[] = {
	{"NAT", "nat", row_nat, false},
	{"echo", "echo", row_echo, false},
	{"local", NULL, row_local, false},
	{"external", NULL, row_external, false},
	{"mapping", "mapping", row_mapping, false},
	{"identifiers kept", "port_preservation", row_preservation, false},
	{"pooling", "pooling", row_pooling, false},
	{"query lifetime", "lifetime_s", row_lifetime, false},
	{"errors about UDP", "errors_udp", row_errors_udp, false},
	{"errors about TCP", "errors_tcp", row_errors_tcp, false},
	{"about attempts", "errors_attempt", row_errors_attempt, false},
	{"quoted packets", "quotes", row_quotes, false},
	{"end a mapping", "errors_end_mapping", row_end_mapping, false},
	{"end a connection", "errors_end_connection", row_end_connection, false},
	{"end an attempt", "errors_end_attempt", row_end_attempt, false},
	{"path MTU learnt", "path_mtu_errors", row_path_mtu, false},
	{"errors sent", "egress", row_egress, false},
	{"translated", "egress_translated", row_translated, false},
};

/* Who has rejected a packet has no meaning where nobody has, nor has a way that nobody had to look for. */
static bool has_row(const struct table *t, const struct row *r)
{
	if (r->value == row_routers)
		return trace_of(t);
	return r->value != row_rejecter || json_is_object(json_object_get(t->block, r->key));
}

static void put_one(const struct table *t, const struct row *r)
{
	struct line l;
	bool known;

	line_begin(t->page, &l);
	known = r->value(t, &l);
	if (!known && (!t->ok || (!t->tcp && r->tcp))) {
		line_drop(&l);
		return;
	}
	if (!known && r->key)
		add_reason(t, &l, r->key);
	put_row(t, &l, r->label, r->key);
}

static void put_rows(const struct table *t)
{
	size_t count =
		t->icmp ? sizeof(icmp_rows) / sizeof(*icmp_rows) : sizeof(rows) / sizeof(*rows);

	for (size_t i = 0; i < count; i++) {
		const struct row *r = t->icmp ? &icmp_rows[i] : &rows[i];

		if (has_row(t, r))
			put_one(t, r);
	}
}

static void put_status(const struct table *t)
{
	const json_t *by = json_object_get(t->block, "blocked_by");
	struct line l;

	if (t->ok)
		return;
	line_begin(t->page, &l);
	add_word(t, &l, "status");
	if (json_is_object(by)) {
		line_add(&l, " by ");
		line_add_string(&l, json_object_get(by, "address"));
		line_add(&l, ", ICMP type %llu code %llu", member_count(by, "icmp_type"),
			member_count(by, "icmp_code"));
	}
	add_reason(t, &l, "status");
	put_row(t, &l, "status", "status");
}

static void put_outlook(const struct table *t, const char *protocol, const char *family)
{
	const json_t *all = json_object_get(json_object_get(t->document, "outlook"), protocol);
	const json_t *outlook = json_object_get(all, family);
	struct line l;

	if (!json_is_object(outlook))
		return;
	line_begin(t->page, &l);
	if (!line_add_string(&l, json_object_get(outlook, "p2p")))
		line_add(&l, "unknown");
	if (!member_is(outlook, "method", "unknown")) {
		line_add(&l, " (");
		line_add_string(&l, json_object_get(outlook, "method"));
		line_add(&l, ")");
	}
	if (json_is_string(json_object_get(outlook, "reason"))) {
		line_add(&l, ": ");
		line_add_string(&l, json_object_get(outlook, "reason"));
	}
	put_row(t, &l, "direct connections", NULL);
}

void text_block_rows(struct page *p, const json_t *document, const json_t *block,
	const char *protocol, const char *family, text_block_row *put, void *context)
{
	struct table t = {.page = p,
		.document = document,
		.block = block,
		.ok = member_is(block, "status", "ok"),
		.tcp = *protocol == 't',
		.icmp = *protocol == 'i',
		.put = put,
		.context = context};

	put_status(&t);
	put_rows(&t);
	if (!t.icmp)
		put_outlook(&t, protocol, family);
}

/* --- as text --- */

struct text {
	struct page *page;
	const json_t *document, *block;
};

/* A row, and under it what the verdict rests on. */
static void put_text(void *context, const char *label, const char *key, struct line *l)
{
	const struct text *t = context;
	const json_t *basis = json_object_get(t->block, "basis");
	char prefix[32];

	snprintf(prefix, sizeof(prefix), LABEL, label);
	line_put(l, INDENT, prefix, STYLE_PLAIN, STYLE_PLAIN);
	if (key && t->page->options->reason)
		text_evidence(t->page, t->document, json_object_get(basis, key), 2 * INDENT);
}

const char *text_block_name(const char *protocol, const char *family)
{
	static const char *const names[] = {"UDP over IPv4", "UDP over IPv6", "TCP over IPv4",
		"TCP over IPv6", "ICMP over IPv4", "ICMP over IPv6"};
	size_t place = *protocol == 'u' ? 0 : *protocol == 't' ? 2 : 4;

	return names[place + !strcmp(family, "ipv6")];
}

void text_block(struct page *p, const json_t *document, const char *protocol, const char *family)
{
	const json_t *block = json_object_get(json_object_get(document, protocol), family);
	struct text t = {p, document, block};

	if (!block_was_tested(block))
		return;
	page_heading(p, text_block_name(protocol, family));
	text_block_rows(p, document, block, protocol, family, put_text, &t);
}
