// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/causes_private.h"
#include "judge/signs.h"

/* What each sign says to people. */

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	if (length && length + 1 < size)
		text[length++] = ' ';
	va_start(arguments, format);
	vsnprintf(text + length, size - length, format, arguments);
	va_end(arguments);
}

static const char *protocol(const struct sign_view *v)
{
	return v->o->transport == TRANSPORT_TCP ? "TCP" : "UDP";
}

static const char *interface_name(const struct sign_view *v, uint8_t place)
{
	const struct captured_list *l = v->facts->captured;

	return l && place < l->interface_count ? l->interfaces[place].name : "another interface";
}

static void tell_socket(const struct sign_view *v, enum sign sign, char *text, size_t size)
{
	const struct observation *o = v->o;
	char to[ENDPOINT_TEXT], from[ENDPOINT_TEXT];

	endpoint_format(&o->to, to);
	endpoint_format_address(&o->icmp.offender, from);
	switch (sign) {
	case SIGN_REFUSED_LOCALLY:
		if (o->icmp.local)
			add(text, size, "The system refused to send to %s: %s.", to,
				strerror(o->icmp.error));
		else
			add(text, size, "What was sent to %s was rejected by this host itself.",
				to);
		break;
	case SIGN_NO_ROUTE:
		add(text, size, "The system has no way to %s: %s.", to,
			cause_no_way(o->icmp.error ? o->icmp.error : o->own.error));
		break;
	case SIGN_NO_NEIGHBOUR:
		add(text, size, "The next hop on the way to %s does not answer on the link.", to);
		break;
	case SIGN_SILENCE:
		add(text, size, "%u %s to %s, and nothing came back.", o->sent,
			o->transport == TRANSPORT_TCP ? "attempts to connect" : "requests went",
			to);
		break;
	case SIGN_CLOSED:
		add(text, size, "%s says by ICMP (type %u code %u) that its port %u is closed.",
			from, o->icmp.type, o->icmp.code, o->to.port);
		break;
	case SIGN_PROHIBITED:
	case SIGN_UNREACHABLE:
	case SIGN_EXCEEDED:
		add(text, size, "%s answered packets to %s with ICMP type %u code %u, %u times.",
			from, to, o->icmp.type, o->icmp.code, o->icmp.count);
		break;
	case SIGN_RESET:
		add(text, size, "A RST answered the SYN to %s.", to);
		break;
	case SIGN_CONNECTED:
		add(text, size, "A connection to %s came about, and no answer on it.", to);
		break;
	case SIGN_GIBBERISH:
		add(text, size, "What came from %s is no STUN (%u times).", to, o->malformed);
		break;
	case SIGN_WRONG_SOURCE:
		add(text, size, "%u answers to what %s was asked came from %s.", o->wrong_source,
			to, endpoint_format(&o->wrong_from, from));
		break;
	default:
		break;
	}
}

static void tell_hops(const struct sign_view *v, char *text, size_t size)
{
	uint8_t ttl = v->o->own.ttl ? v->o->own.ttl : v->joined ? v->joined->reset_ttl : 0;

	if (v->distance == CAUSE_HOPS_UNKNOWN)
		add(text, size, "It came with TTL %u: over %d routers.", ttl, sign_hops(ttl));
	else
		add(text, size,
			"It came with TTL %u: over %d routers; what is known to be of the server "
			"comes over %d.",
			ttl, sign_hops(ttl), v->distance);
}

static bool is_tunnel(const struct sign_view *v)
{
	const struct captured_list *l = v->facts->captured;
	const struct host_interface *i = v->joined->out_interface < l->interface_count
		? host_interface(v->facts->host, l->interfaces[v->joined->out_interface].index)
		: NULL;

	return i && i->tunnel;
}

static void tell_capture(const struct sign_view *v, enum sign sign, char *text, size_t size)
{
	const struct joined *t = v->joined;

	switch (sign) {
	case SIGN_LEFT:
		add(text, size, "The capture shows that they left, on %s.",
			interface_name(v, t->out_interface));
		break;
	case SIGN_STAYED:
		add(text, size,
			"The socket took them, and the capture has not one: they did not "
			"leave this host.");
		break;
	case SIGN_CAME:
		add(text, size,
			"The capture shows %u answers that came in on %s, and no socket got "
			"one.",
			t->came, interface_name(v, t->in_interface));
		break;
	case SIGN_BROKEN:
		add(text, size, "The checksum of all of them is wrong.");
		break;
	case SIGN_OTHER_INTERFACE:
		add(text, size, "The questions had left on %s.",
			interface_name(v, t->out_interface));
		break;
	case SIGN_OTHER_WAY:
		add(text, size,
			is_tunnel(v)
				? "They left on %s, a tunnel: a VPN, say."
				: "They left on %s, and the main routing table names another way.",
			interface_name(v, t->out_interface));
		break;
	case SIGN_RESET_FIRST_HOP:
	case SIGN_RESET_NEAR:
	case SIGN_RESET_FAR:
		tell_hops(v, text, size);
		break;
	case SIGN_NEARER:
		add(text, size, "Who took the connection is %d routers away, the server %d.",
			sign_hops(t->came_ttl), v->distance);
		break;
	default:
		break;
	}
}

static void tell_ladder(const struct sign_view *v, char *text, size_t size)
{
	char router[ENDPOINT_TEXT];

	endpoint_format_address(&v->reach->router, router);
	if (v->distance == CAUSE_HOPS_UNKNOWN)
		add(text, size, "The last router that answers is %s (hop %u).", router,
			v->reach->last);
	else
		add(text, size,
			"The last router that answers is %s (hop %u); the server is behind %d "
			"routers.",
			router, v->reach->last, v->distance);
}

static void tell_others(const struct sign_view *v, enum sign sign, char *text, size_t size)
{
	switch (sign) {
	case SIGN_REVERSE_PATH:
		add(text, size,
			"The system has dropped %llu packets by reverse-path filtering "
			"meanwhile.",
			(unsigned long long)v->facts->host->counters.reverse_path);
		break;
	case SIGN_STRICT:
		add(text, size, "Reverse-path filtering is strict there.");
		break;
	case SIGN_QUIET:
		add(text, size, "The system has counted no other reason to drop packets.");
		break;
	case SIGN_OTHERS_ANSWER:
		add(text, size, "Other servers answer over %s.", protocol(v));
		break;
	case SIGN_HOSTS_ALIVE:
		add(text, size, "The hosts of several servers answer TCP.");
		break;
	case SIGN_HOST_REACHED:
		add(text, size, "Its host says that another port is closed: %s gets there.",
			protocol(v));
		break;
	case SIGN_LADDER:
		tell_ladder(v, text, size);
		break;
	default:
		break;
	}
}

void sign_tell(const struct sign_view *v, enum sign sign, char *text, size_t size)
{
	if (sign <= SIGN_WRONG_SOURCE)
		tell_socket(v, sign, text, size);
	else if (sign <= SIGN_NEARER)
		tell_capture(v, sign, text, size);
	else
		tell_others(v, sign, text, size);
}
