// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/meaning.h"
#include "report/document_capture.h"

static json_t *make_interfaces(struct maker *m, const struct captured_list *l)
{
	json_t *array = json_array();

	for (size_t i = 0; l && i < l->interface_count; i++) {
		json_t *o = json_object();

		make_set(m, o, "n", json_integer((json_int_t)i));
		make_set(m, o, "index", json_integer(l->interfaces[i].index));
		make_set(m, o, "name", make_text(l->interfaces[i].name));
		make_append(m, array, o);
	}
	return array;
}

static json_t *make_state(struct maker *m, const struct report_capture *c)
{
	const struct captured_list *l = c->list;
	json_t *o = json_object();

	make_set(m, o, "state", json_string(capture_state_name(c->state)));
	make_set(m, o, "hint", make_text(c->hint));
	make_set(m, o, "interfaces", make_interfaces(m, l));
	make_set(m, o, "packets", json_integer(l ? (json_int_t)l->seen : 0));
	make_set(m, o, "kept", json_integer(l ? (json_int_t)l->count : 0));
	make_set(m, o, "missed", json_integer((json_int_t)c->missed));
	return o;
}

/* --- packets --- */

/* An error names the protocol that it is of itself, and not that of what it quotes. */
static const char *protocol_name(const struct captured *c)
{
	const char *icmp = c->from.family == FAMILY_IPV6 ? "icmpv6" : "icmp";

	if (c->content == CONTENT_ERROR)
		return icmp;
	switch (c->protocol) {
	case PACKET_UDP:
		return "udp";
	case PACKET_TCP:
		return "tcp";
	case PACKET_ECHO:
		return icmp;
	default:
		return "other";
	}
}

static bool is_icmp(const struct captured *c)
{
	return c->content == CONTENT_ERROR || c->protocol == PACKET_ECHO;
}

static json_t *make_flags(struct maker *m, const struct captured *c)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} flags[] = {{PACKET_SYN, "SYN"}, {PACKET_ACK, "ACK"}, {PACKET_PSH, "PSH"},
		{PACKET_FIN, "FIN"}, {PACKET_RST, "RST"}};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (c->flags & flags[i].flag)
			make_append(m, array, json_string(flags[i].name));
	return array;
}

static json_t *make_place(size_t place, size_t none)
{
	return place == none ? json_null() : json_integer((json_int_t)place);
}

static json_t *make_hops(int hops)
{
	return hops == CAUSE_HOPS_UNKNOWN ? json_null() : json_integer(hops);
}

static json_t *make_packet(
	struct maker *m, const struct report_capture *r, const struct captured *c)
{
	char meaning[MEANING_TEXT];
	json_t *o = json_object();

	meaning_text(r->journal, c, meaning);
	make_set(m, o, "n", json_integer(c->number));
	make_set(m, o, "t_ms", make_ms(c->t_us > r->start_us ? c->t_us - r->start_us : 0));
	make_set(m, o, "interface", make_place(c->interface, CAPTURED_INTERFACES));
	make_set(m, o, "direction", json_string(way_name((enum way)c->way)));
	make_set(m, o, "protocol", json_string(protocol_name(c)));
	make_set(m, o, "from", make_endpoint(m, &c->from));
	make_set(m, o, "to", make_endpoint(m, &c->to));
	make_set(m, o, "size_bytes", json_integer(c->size));
	make_set(m, o, "ttl", json_integer(c->ttl));
	make_set(m, o, "class", json_string(packet_class_name((enum packet_class)c->class)));
	make_set(m, o, "content", json_string(content_name((enum content)c->content)));
	make_set(m, o, "meaning", make_text(meaning));
	make_set(m, o, "evidence", make_place(c->observation, CAPTURED_NONE));
	make_set(m, o, "about", make_number_or_null(c->about));
	make_set(m, o, "type", is_icmp(c) ? json_integer(c->type) : json_null());
	make_set(m, o, "code", is_icmp(c) ? json_integer(c->code) : json_null());
	make_set(m, o, "flags", make_flags(m, c));
	make_set(m, o, "delivered", c->delivery_known ? json_boolean(c->delivered) : json_null());
	make_set(m, o, "checksum_wrong", json_boolean(c->checksum_wrong));
	make_set(m, o, "device", json_string(place_name(meaning_device(c))));
	make_set(m, o, "hops", make_hops(meaning_hops(c)));
	return o;
}

static bool is_cited(const struct causes *causes, uint32_t number)
{
	for (size_t i = 0; causes && i < causes->count; i++)
		for (size_t n = 0; n < causes->list[i].packet_count; n++)
			if (causes->list[i].packets[n] == number)
				return true;
	return false;
}

static json_t *make_packets(struct maker *m, const struct report_capture *c)
{
	json_t *array = json_array();
	size_t count = 0;

	for (size_t i = 0; c->list && i < c->list->count; i++) {
		const struct captured *p = &c->list->packets[i];

		if ((c->all && count++ < REPORT_PACKETS_MAX) || is_cited(c->causes, p->number))
			make_append(m, array, make_packet(m, c, p));
	}
	return array;
}

/* --- causes --- */

static json_t *make_cause(struct maker *m, const struct cause *c)
{
	json_t *o = json_object(), *packets = json_array(), *evidence = json_array();

	for (size_t i = 0; i < c->packet_count; i++)
		make_append(m, packets, json_integer(c->packets[i]));
	for (size_t i = 0; i < c->evidence_count; i++)
		make_append(m, evidence, json_integer((json_int_t)c->evidence[i]));
	make_set(m, o, "id", json_string(cause_name(c->id)));
	make_set(m, o, "certainty", json_string(certainty_name(c->certainty)));
	make_set(m, o, "where", json_string(place_name(c->where)));
	make_set(m, o, "device", make_address(&c->device));
	make_set(m, o, "hops", make_hops(c->hops));
	make_set(m, o, "title", make_text(c->title));
	make_set(m, o, "detail", make_text(c->detail));
	make_set(m, o, "advice", make_text(c->advice));
	make_set(m, o, "decide", make_text(c->decide));
	make_set(m, o, "packets", packets);
	make_set(m, o, "evidence", evidence);
	return o;
}

static json_t *make_causes(struct maker *m, const struct causes *causes)
{
	json_t *array = json_array();

	for (size_t i = 0; causes && i < causes->count; i++)
		make_append(m, array, make_cause(m, &causes->list[i]));
	return array;
}

void make_capture(struct maker *m, json_t *root, const struct report_capture *c)
{
	static const struct report_capture none;

	c = c ? c : &none;
	make_set(m, root, "capture", make_state(m, c));
	make_set(m, root, "causes", make_causes(m, c->causes));
	make_set(m, root, "packets", make_packets(m, c));
}
