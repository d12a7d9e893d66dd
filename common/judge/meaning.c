// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "judge/meaning.h"
#include "judge/signs.h"

/* --- ICMP --- */

struct icmp_word {
	enum family family;
	uint8_t type;
	int code; /* -1: any */
	const char *text;
};

static const struct icmp_word icmp_words[] = {
	{FAMILY_IPV4, 3, 0, "network unreachable"},
	{FAMILY_IPV4, 3, 1, "host unreachable"},
	{FAMILY_IPV4, 3, 2, "protocol unreachable"},
	{FAMILY_IPV4, 3, 3, "port unreachable"},
	{FAMILY_IPV4, 3, 4, "fragmentation needed"},
	{FAMILY_IPV4, 3, 9, "network prohibited"},
	{FAMILY_IPV4, 3, 10, "host prohibited"},
	{FAMILY_IPV4, 3, 13, "prohibited by a filter"},
	{FAMILY_IPV4, 3, -1, "unreachable"},
	{FAMILY_IPV4, 4, -1, "source quench"},
	{FAMILY_IPV4, 5, -1, "redirect"},
	{FAMILY_IPV4, 11, 1, "fragments missing"},
	{FAMILY_IPV4, 11, -1, "time exceeded"},
	{FAMILY_IPV4, 12, -1, "parameter problem"},
	{FAMILY_IPV6, 1, 0, "no route"},
	{FAMILY_IPV6, 1, 1, "prohibited by a filter"},
	{FAMILY_IPV6, 1, 3, "address unreachable"},
	{FAMILY_IPV6, 1, 4, "port unreachable"},
	{FAMILY_IPV6, 1, 5, "prohibited by a filter"},
	{FAMILY_IPV6, 1, 6, "prohibited by a filter"},
	{FAMILY_IPV6, 1, -1, "unreachable"},
	{FAMILY_IPV6, 2, -1, "packet too big"},
	{FAMILY_IPV6, 3, 1, "fragments missing"},
	{FAMILY_IPV6, 3, -1, "time exceeded"},
	{FAMILY_IPV6, 4, -1, "parameter problem"},
};

const char *meaning_icmp(enum family family, uint8_t type, uint8_t code)
{
	for (size_t i = 0; i < sizeof(icmp_words) / sizeof(*icmp_words); i++) {
		const struct icmp_word *w = &icmp_words[i];

		if (w->family == family && w->type == type && (w->code < 0 || w->code == code))
			return w->text;
	}
	return "ICMP error";
}

/* --- in words --- */

struct phrase {
	char *text;
	size_t length;
};

static void say(struct phrase *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct phrase *p, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(p->text + p->length, MEANING_TEXT - p->length, format, arguments);
	va_end(arguments);
	if (n > 0)
		p->length += (size_t)n < MEANING_TEXT - p->length ? (size_t)n
								  : MEANING_TEXT - 1 - p->length;
}

static const struct observation *observation_of(const struct journal *j, const struct captured *c)
{
	return j && c->observation < j->observation_count ? &j->observations[c->observation] : NULL;
}

static const char *plain_name(const struct captured *c)
{
	static const char *const names[CONTENTS] = {[CONTENT_OTHER] = "data",
		[CONTENT_FRAGMENT] = "fragment",
		[CONTENT_REQUEST] = "request",
		[CONTENT_INDICATION] = "indication",
		[CONTENT_SUCCESS] = "answer",
		[CONTENT_REFUSAL] = "error response",
		[CONTENT_SYN] = "SYN",
		[CONTENT_SYN_ACK] = "SYN-ACK",
		[CONTENT_RST] = "RST",
		[CONTENT_FIN] = "FIN",
		[CONTENT_ECHO] = "echo request",
		[CONTENT_ECHO_REPLY] = "echo reply",
		[CONTENT_ERROR] = "ICMP error"};

	return names[c->content];
}

/* What the question is put for, and to whom. */
static void say_question(struct phrase *p, const struct journal *j, const struct observation *o)
{
	say(p, "%s", question_name(o->question));
	if (o->server < j->server_count && *j->servers[o->server].name)
		say(p, " of %.60s", j->servers[o->server].name);
	say(p, ": ");
}

static bool wants_answer(const struct captured *c)
{
	return c->content == CONTENT_REQUEST || c->content == CONTENT_SYN ||
		c->content == CONTENT_ECHO;
}

static void say_copy(struct phrase *p, const struct captured *c)
{
	say(p, "%s", plain_name(c));
	if (c->copies > 1)
		say(p, ", copy %u of %u", c->copy, c->copies);
	if (c->answered)
		say(p, ", answered by #%u", c->answered);
	else if (wants_answer(c))
		say(p, ", no answer");
}

/* This host's own: a knock, or a test of what gets out, is about no talk of its. */
static void say_quoted(struct phrase *p, const struct captured *c)
{
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	say(p, " to %s", endpoint_format_address(&c->to, to));
	if (c->quoted_from.family == FAMILY_NONE)
		return;
	say(p, ", %sabout %s to %s", c->talk == CAPTURED_NONE ? "as if " : "",
		endpoint_format(&c->quoted_from, from), endpoint_format(&c->quoted_to, to));
}

static void say_error(struct phrase *p, const struct captured *c)
{
	char from[ENDPOINT_TEXT];

	say(p, "ICMP type %u code %u (%s)", c->type, c->code,
		meaning_icmp(c->from.family, c->type, c->code));
	if (c->class == CLASS_OURS) {
		say_quoted(p, c);
		return;
	}
	say(p, " from %s", endpoint_format_address(&c->from, from));
	if (c->mtu)
		say(p, ", MTU %u", c->mtu);
	if (c->about)
		say(p, ", about #%u", c->about);
}

static void say_answer(struct phrase *p, const struct captured *c)
{
	char mapped[ENDPOINT_TEXT];

	say(p, "%s", plain_name(c));
	if (c->about)
		say(p, " to #%u", c->about);
	if (c->mapped.family != FAMILY_NONE)
		say(p, ", saw %s", endpoint_format(&c->mapped, mapped));
	if (c->checksum_wrong)
		say(p, ", wrong checksum");
	if (c->delivery_known && !c->delivered)
		say(p, ", no socket got it");
}

void meaning_text(const struct journal *j, const struct captured *c, char out[static MEANING_TEXT])
{
	const struct observation *o = observation_of(j, c);
	struct phrase p = {.text = out};

	*out = '\0';
	if (o)
		say_question(&p, j, o);
	if (c->content == CONTENT_ERROR)
		say_error(&p, c);
	else if (c->class == CLASS_OURS)
		say_copy(&p, c);
	else if (c->class == CLASS_ANSWER)
		say_answer(&p, c);
	else if (c->class == CLASS_PEER)
		say(&p, "%s of the peer", plain_name(c));
	else
		say(&p, "%s that nobody here has asked for", plain_name(c));
}

/* --- who --- */

int meaning_hops(const struct captured *c)
{
	return c->way == WAY_IN ? sign_hops(c->ttl) + 1 : CAUSE_HOPS_UNKNOWN;
}

static enum place device_of_error(const struct captured *c)
{
	if (endpoint_same_address(&c->from, &c->quoted_from))
		return PLACE_HOST;
	if (endpoint_same_address(&c->from, &c->quoted_to))
		return PLACE_SERVER;
	return meaning_hops(c) == 1 && endpoint_is_private(&c->from) ? PLACE_OWN_NAT : PLACE_PATH;
}

enum place meaning_device(const struct captured *c)
{
	switch (c->class) {
	case CLASS_OURS:
		return PLACE_HOST;
	case CLASS_ANSWER:
		return PLACE_SERVER;
	case CLASS_ERROR:
		return device_of_error(c);
	case CLASS_PEER:
		return PLACE_PEER;
	default:
		return PLACE_UNKNOWN;
	}
}
