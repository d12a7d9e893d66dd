// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "report/ladder_private.h"

#define SHOWN 3 /* addresses of one place */

const char *ladder_place_name(const struct ladder *ladder, enum ladder_place place)
{
	static const char *const names[] = {
		[LADDER_HOST] = "this host",
		[LADDER_OWN_NAT] = "own NAT",
		[LADDER_PATH] = "path",
		[LADDER_SERVER] = "server",
		[LADDER_PEER_NAT] = "peer's NAT",
		[LADDER_PEER] = "peer",
	};

	if (place == LADDER_SERVER && ladder->actor[place].addresses > 1)
		return "servers";
	return names[place];
}

/* --- who they are --- */

static bool add_addresses(const struct ladder_actor *a, struct line *l)
{
	for (size_t i = 0; i < a->addresses && i < SHOWN; i++) {
		line_add(l, "%s", i ? ", " : "");
		line_add_string(l, a->address[i]);
	}
	if (a->more || a->addresses > SHOWN)
		line_add(l, " and more");
	else if (a->addresses == 1 && a->port > 0 && !a->ports_vary)
		line_add(l, ", port %" JSON_INTEGER_FORMAT, a->port);
	return a->addresses > 0;
}

/* The mapping of one of this host's blocks. */
static const json_t *own_mapping(const struct ladder *ladder)
{
	static const char *const protocols[] = {"udp", "tcp", "icmp"};
	static const char *const families[] = {"ipv4", "ipv6"};
	const json_t *d = ladder->document;

	if (ladder->punch)
		return json_object_get(json_object_get(d, "own_nat"), "mapping");
	for (size_t i = 0; i < 6; i++) {
		const json_t *block =
			json_object_get(json_object_get(d, protocols[i / 2]), families[i % 2]);

		if (json_is_true(json_object_get(block, "nat")))
			return json_object_get(block, "mapping");
	}
	return NULL;
}

static bool add_mapping(const json_t *mapping, bool more, struct line *l)
{
	const char *word = json_string_value(mapping);

	if (!word || !strcmp(word, "unknown"))
		return false;
	line_add(l, "%s", more ? "; " : "");
	line_add_string(l, mapping);
	line_add(l, " mapping");
	return true;
}

bool ladder_add_actor(const struct ladder *ladder, enum ladder_place place, struct line *l)
{
	const json_t *peer_nat = json_object_get(ladder->document, "peer_nat");
	const struct ladder_actor *a = &ladder->actor[place];
	bool any;

	if (place == LADDER_PEER_NAT)
		return add_mapping(json_object_get(peer_nat, "mapping"), false, l);
	if (place == LADDER_PEER && ladder->actor[LADDER_PEER_NAT].present && a->addresses)
		line_add(l, "seen as ");
	any = add_addresses(a, l);
	if (place == LADDER_OWN_NAT)
		any = add_mapping(own_mapping(ladder), any, l) || any;
	return any;
}

/* --- what a packet is --- */

static bool says(const char *meaning, const char *word)
{
	return meaning && word && strstr(meaning, word);
}

/* The flags that make a segment more than one of data. */
static void add_flags(const json_t *packet, const char *meaning, struct line *l)
{
	static const char *const flags[] = {"SYN", "RST", "FIN"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (!ladder_has_flag(packet, flags[i]) || says(meaning, flags[i]))
			continue;
		line_add(l, "%s%s%s", flags[i], !i && ladder_has_flag(packet, "ACK") ? " ACK" : "",
			meaning ? ": " : " ");
	}
}

/* "ICMP type 3 code 13: ", unless the meaning says it already. */
static void add_error(const json_t *packet, const char *meaning, struct line *l)
{
	const json_t *type = json_object_get(packet, "type");

	if (member_is(packet, "class", "error") && json_is_integer(type) && !says(meaning, "ICMP"))
		line_add(l, "ICMP type %llu code %llu%s", member_count(packet, "type"),
			member_count(packet, "code"), meaning ? ": " : ", ");
}

static void add_meaning(const json_t *packet, struct line *l)
{
	const char *meaning = member_text(packet, "meaning");

	add_flags(packet, meaning, l);
	add_error(packet, meaning, l);
	if (meaning)
		line_add_string(l, json_object_get(packet, "meaning"));
	else if (line_add_string(l, json_object_get(packet, "protocol")))
		line_add(l, " packet");
	else
		line_add(l, "packet");
}

/* "answers #1 after 50.3 ms" */
static void add_about(const struct ladder_row *row, const char *meaning, struct line *l)
{
	unsigned long long about = member_count(row->packet, "about");
	const json_t *asked_ms = json_object_get(row->asked, "t_ms");
	double after_ms = row->t_ms - json_number_value(asked_ms);

	if (row->out || !about || says(meaning, "#"))
		return;
	line_add(l, ", %s #%llu", ladder_is_error(row->packet) ? "about" : "answers", about);
	if (json_is_number(asked_ms) && after_ms >= 0 && after_ms < 1e6)
		line_add(l, " after %.*f ms", after_ms < 10 ? 2 : 1, after_ms);
}

static void add_hops(const json_t *packet, struct line *l)
{
	unsigned long long hops = member_count(packet, "hops");

	if (hops)
		line_add(l, ", %llu %s away", hops, hops == 1 ? "hop" : "hops");
}

static bool same_member(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* An answer comes from where the question went, unless it says so; an error from who has sent it. */
static bool add_sender(const struct ladder_row *row, struct line *l)
{
	const json_t *from = ladder_far(row->packet, false);
	const json_t *asked = ladder_far(row->asked, true);
	const char *meaning = member_text(row->packet, "meaning");
	bool same = row->asked && same_member(from, asked, "address");

	if (ladder_is_error(row->packet)) {
		if (!same && !says(meaning, member_text(from, "address"))) {
			line_add(l, ", from ");
			line_add_string(l, json_object_get(from, "address"));
		}
		add_hops(row->packet, l);
		return true;
	}
	/* a hairpinned packet has the external endpoint of another socket */
	if (!row->asked || row->from == LADDER_OWN_NAT ||
		(same && same_member(from, asked, "port")))
		return row->asked;
	line_add(l, ", from ");
	line_add_endpoint(l, from);
	line_add(l, ", which was not asked");
	return true;
}

/* The part of the endpoint that differs between the packets of this column. */
static void add_far(const struct ladder *ladder, const struct ladder_row *row, struct line *l)
{
	const struct ladder_actor *a = &ladder->actor[row->out ? row->to : row->from];
	const json_t *far = ladder_far(row->packet, row->out);
	const char *word = row->out ? "to" : "from";

	if (!member_text(far, "address") || (!row->out && add_sender(row, l)))
		return;
	if (a->addresses != 1 || a->more) {
		line_add(l, ", %s ", word);
		line_add_endpoint(l, far);
	} else if (a->ports_vary && member_count(far, "port")) {
		line_add(l, ", %s port %llu", word, member_count(far, "port"));
	}
}

void ladder_add_label(const struct ladder *ladder, const struct ladder_row *row, struct line *l)
{
	const char *meaning = member_text(row->packet, "meaning");

	add_meaning(row->packet, l);
	if (!row->out && row->end == LADDER_FAILED && !says(meaning, "deliver"))
		line_add(l, ", not delivered");
	add_about(row, meaning, l);
	add_far(ladder, row, l);
}

void ladder_add_more(const struct ladder_row *row, struct line *l)
{
	if (!row->more)
		return;
	if (row->packet)
		line_add(l, "%zu more like it", row->more);
	else
		line_add(l, "%zu %s not drawn", row->more, row->more == 1 ? "packet" : "packets");
	if (!row->packet && row->n)
		line_add(l, ", #%llu", row->n);
	if (row->last_n && row->last_n != row->n)
		line_add(l, "%s to #%llu", row->packet ? "," : "", row->last_n);
	if (row->packet && row->last_ms >= 0 && row->last_ms < 1e9)
		line_add(l, " at %.2f ms", row->last_ms);
}

void ladder_add_nothing(const struct ladder *ladder, struct line *l)
{
	const json_t *capture = json_object_get(ladder->document, "capture");

	if (member_is(capture, "state", "on") || member_is(capture, "state", "file"))
		line_add(l, "no packet was captured");
	else if (member_is(capture, "state", "not-permitted"))
		line_add(l, "no packets: capturing was not permitted");
	else if (member_is(capture, "state", "unavailable"))
		line_add(l, "no packets: capturing is not possible here");
	else
		line_add(l, "no packets: none were captured in this run");
	if (!member_text(capture, "hint"))
		return;
	line_add(l, "; ");
	line_add_string(l, json_object_get(capture, "hint"));
}
