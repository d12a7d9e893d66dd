// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/captured.h"
#include "journal/talks.h"

int captured_create(bool keep, struct captured_list **out)
{
	struct captured_list *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (!l)
		return -ENOMEM;
	/* memory that is never written to is never taken from the system */
	l->packets = calloc(CAPTURED_MAX, sizeof(*l->packets));
	l->talks = calloc(TALKS_MAX, sizeof(*l->talks));
	l->talk_table = calloc(TALK_SLOTS, sizeof(*l->talk_table));
	l->kept = keep ? calloc(1, CAPTURED_BYTES) : NULL;
	if (!l->packets || !l->talks || !l->talk_table || (keep && !l->kept)) {
		captured_destroy(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

void captured_destroy(struct captured_list *l)
{
	if (!l)
		return;
	free(l->packets);
	free(l->talks);
	free(l->talk_table);
	free(l->kept);
	free(l);
}

size_t captured_interface(struct captured_list *l, unsigned index, const char *name)
{
	struct captured_interface *i;

	for (size_t n = 0; n < l->interface_count; n++)
		if (l->interfaces[n].index == index && !strcmp(l->interfaces[n].name, name))
			return n;
	if (l->interface_count == CAPTURED_INTERFACES)
		return CAPTURED_NONE;
	i = &l->interfaces[l->interface_count];
	i->index = index;
	snprintf(i->name, sizeof(i->name), "%s", name);
	return l->interface_count++;
}

/* --- own ports --- */

static int ports_of(uint8_t protocol)
{
	switch (protocol) {
	case PACKET_UDP:
		return 0;
	case PACKET_TCP:
		return 1;
	case PACKET_ECHO:
		return 2;
	default:
		return -1;
	}
}

void captured_own(struct captured_list *l, uint8_t protocol, uint16_t port)
{
	int ports = ports_of(protocol);

	l->choosy = true;
	if (ports >= 0)
		l->own[ports][port / 8] |= (uint8_t)(1u << port % 8);
}

static bool is_own(const struct captured_list *l, uint8_t protocol, uint16_t port)
{
	int ports = ports_of(protocol);

	return ports >= 0 && l->own[ports][port / 8] & 1u << port % 8;
}

static bool is_host(const struct captured_list *l, const struct endpoint *e)
{
	for (size_t i = 0; i < l->host_count; i++)
		if (endpoint_same_address(&l->hosts[i], e))
			return true;
	return false;
}

void captured_host(struct captured_list *l, const struct endpoint *address)
{
	if (l->host_count < CAPTURED_HOSTS && !is_host(l, address))
		l->hosts[l->host_count++] = *address;
}

/* An error about what is none of our flows. */
static bool is_knock(const struct captured_list *l, const struct captured *c)
{
	return c->content == CONTENT_ERROR && !is_own(l, c->protocol, c->quoted_from.port) &&
		!is_own(l, c->protocol, c->quoted_to.port) && is_host(l, &c->to);
}

/* A fragment has no ports: whose it is shows by its address at most. */
static bool is_wanted(const struct captured_list *l, const struct captured *c)
{
	bool error = c->content == CONTENT_ERROR;
	const struct endpoint *from = error ? &c->quoted_from : &c->from;
	const struct endpoint *to = error ? &c->quoted_to : &c->to;

	return !l->choosy || c->content == CONTENT_FRAGMENT || is_own(l, c->protocol, from->port) ||
		is_own(l, c->protocol, to->port) || is_knock(l, c);
}

/* --- what a packet is --- */

static enum content content_of_stun(const struct stun_message *m)
{
	static const enum content contents[] = {[STUN_REQUEST] = CONTENT_REQUEST,
		[STUN_INDICATION] = CONTENT_INDICATION,
		[STUN_SUCCESS] = CONTENT_SUCCESS,
		[STUN_ERROR] = CONTENT_REFUSAL};

	return contents[m->class];
}

/* Over TCP the first message of the segment counts (RFC 8489 6.2.2). */
static bool take_stun(const struct packet *p, struct captured *c)
{
	const uint8_t *payload = p->bytes + p->payload;
	size_t length = p->payload_length;
	struct stun_message m;

	if (p->protocol == PACKET_TCP) {
		int whole = stun_frame_bytes(payload, length, STUN_MESSAGE_BYTES);

		if (whole <= 0 || (size_t)whole > length)
			return false;
		length = (size_t)whole;
	}
	if (stun_decode(payload, length, &m) || (m.classic && m.method != STUN_BINDING))
		return false;
	c->content = (uint8_t)content_of_stun(&m);
	c->method = m.method;
	c->id = m.id;
	c->mapped = m.xor_mapped.family != FAMILY_NONE ? m.xor_mapped : m.mapped;
	c->mapped_plain = m.mapped;
	return true;
}

static enum content content_of_tcp(const struct packet *p)
{
	if (p->flags & PACKET_RST)
		return CONTENT_RST;
	if (p->flags & PACKET_SYN)
		return p->flags & PACKET_ACK ? CONTENT_SYN_ACK : CONTENT_SYN;
	return p->flags & PACKET_FIN ? CONTENT_FIN : CONTENT_OTHER;
}

#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4
#define ICMP6_TOO_BIG	 2
#define ICMP_MTU_AT	 6 /* in the header: RFC 1191 4, RFC 4443 3.2 */

static uint16_t mtu_of(const struct packet *p)
{
	bool tells = p->family == FAMILY_IPV6
		? p->type == ICMP6_TOO_BIG
		: p->type == ICMP_UNREACHABLE && p->code == ICMP_FRAG_NEEDED;
	struct reader r = reader_over(p->bytes, p->length);

	reader_skip(&r, p->transport + ICMP_MTU_AT);
	return tells ? reader_u16(&r) : 0;
}

/* What the error quotes is the talk that it is about. */
static void take_error(const struct packet *p, struct captured *c)
{
	struct packet quoted;

	c->content = CONTENT_ERROR;
	c->mtu = mtu_of(p);
	if (packet_decode_quoted(p, &quoted))
		return;
	c->quoted_from = quoted.source;
	c->quoted_to = quoted.destination;
	c->sequence = quoted.sequence;
	/* an echo says by its type which end has asked, the rest tells itself */
	c->protocol = (uint8_t)quoted.protocol;
}

static void describe(const struct packet *p, struct captured *c)
{
	c->protocol = (uint8_t)p->protocol;
	c->ttl = p->ttl;
	c->flags = p->flags;
	c->type = p->type;
	c->code = p->code;
	c->sequence = p->sequence;
	c->acknowledgment = p->acknowledgment;
	c->from = p->source;
	c->to = p->destination;
	c->checksum_wrong =
		c->way != WAY_OUT && !packet_checksums_right(p) && !packet_checksum_pending(p);
	switch (p->protocol) {
	case PACKET_UDP:
		take_stun(p, c);
		break;
	case PACKET_TCP:
		if (!take_stun(p, c))
			c->content = (uint8_t)content_of_tcp(p);
		break;
	case PACKET_ECHO:
		c->content = p->echo_reply ? CONTENT_ECHO_REPLY : CONTENT_ECHO;
		break;
	case PACKET_ERROR:
		take_error(p, c);
		break;
	case PACKET_FRAGMENT:
		c->content = CONTENT_FRAGMENT;
		break;
	case PACKET_OTHER:
		break;
	}
}

/* --- taking --- */

static int decode(const struct captured_packet *packet, struct packet *p)
{
	/* decoding writes nothing */
	void *bytes = (void *)(uintptr_t)packet->ip.data;
	int err = packet_decode(bytes, packet->ip.length, p);

	return err ? packet_decode_cut(bytes, packet->ip.length, p) : 0;
}

/* Once there is no room for one there is none for those after it: places in the file are numbers. */
static void keep(struct captured_list *l, const struct packet *p, struct captured *c)
{
	l->full |= CAPTURED_BYTES - l->kept_bytes < p->length;
	if (!l->kept || l->full)
		return;
	c->bytes_at = l->kept_bytes;
	c->bytes = p->length;
	memcpy(l->kept + l->kept_bytes, p->bytes, p->length);
	l->kept_bytes += p->length;
}

const struct captured *captured_take(struct captured_list *l, const struct captured_packet *packet)
{
	struct captured c = {.number = packet->number,
		.t_us = packet->t_us,
		.way = (uint8_t)packet->way,
		.interface =
			(uint8_t)(packet->interface < CAPTURED_INTERFACES ? packet->interface : CAPTURED_INTERFACES),
		.talk = CAPTURED_NONE,
		.observation = CAPTURED_NONE};
	struct packet p;

	if (decode(packet, &p)) {
		l->malformed++;
		return NULL;
	}
	c.size = (uint32_t)p.length;
	describe(&p, &c);
	if (!is_wanted(l, &c))
		return NULL;
	l->seen++;
	if ((!is_knock(l, &c) && !talks_count(l, &c)) || l->count == CAPTURED_MAX) {
		l->undescribed++;
		l->lost += l->count == CAPTURED_MAX;
		return NULL;
	}
	if (packet->keep)
		keep(l, &p, &c);
	l->packets[l->count] = c;
	return &l->packets[l->count++];
}

/* They are in order. */
struct captured *captured_find(const struct captured_list *l, uint32_t number)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->packets[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && l->packets[low].number == number ? &l->packets[low] : NULL;
}

/* --- names --- */

const char *capture_state_name(enum capture_state state)
{
	static const char *const names[] = {[CAPTURE_OFF] = "off",
		[CAPTURE_ON] = "on",
		[CAPTURE_NOT_PERMITTED] = "not-permitted",
		[CAPTURE_UNAVAILABLE] = "unavailable",
		[CAPTURE_FILE] = "file"};

	return names[state];
}

const char *content_name(enum content content)
{
	static const char *const names[CONTENTS] = {[CONTENT_OTHER] = "other",
		[CONTENT_FRAGMENT] = "fragment",
		[CONTENT_REQUEST] = "request",
		[CONTENT_INDICATION] = "indication",
		[CONTENT_SUCCESS] = "success",
		[CONTENT_REFUSAL] = "error-response",
		[CONTENT_SYN] = "syn",
		[CONTENT_SYN_ACK] = "syn-ack",
		[CONTENT_RST] = "rst",
		[CONTENT_FIN] = "fin",
		[CONTENT_ECHO] = "echo",
		[CONTENT_ECHO_REPLY] = "echo-reply",
		[CONTENT_ERROR] = "icmp-error"};

	return names[content];
}

const char *packet_class_name(enum packet_class class)
{
	static const char *const names[CLASSES] = {[CLASS_STRANGER] = "stranger",
		[CLASS_OURS] = "ours",
		[CLASS_ANSWER] = "answer",
		[CLASS_ERROR] = "error",
		[CLASS_PEER] = "peer"};

	return names[class];
}

const char *way_name(enum way way)
{
	return way == WAY_IN ? "in" : way == WAY_OUT ? "out" : "unknown";
}
