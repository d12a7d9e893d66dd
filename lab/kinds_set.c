// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "lab/kinds.h"

/* Properties of a config by name: a table of where each one is and which words it knows. */

enum type {
	TYPE_WORD,
	TYPE_FLAG,
	TYPE_TIME,
	TYPE_U8,
	TYPE_U16,
	TYPE_STEP,
	TYPE_UNSIGNED,
	TYPE_SIZE,
	TYPE_SET
};

/* A word for each value from 0 on, or for each bit of a set, NULL at the end; a flag has two. */
typedef const char *const words[8];

static words dependences = {"endpoint-independent", "address-dependent", "port-dependent",
	"address-and-port-dependent"};
static words translations = {"none", "ports", "addresses", "prefix"};
static words allocations = {"preserving", "sequential", "random"};
static words collisions = {"next", "random", "overload", "drop"};
static words hairpins = {"none", "external", "internal", "box"};
static words reactions = {"drop", "icmp", "rst", "accept", "blacklist"};
static words orders = {"any-order", "in-order", "refused"};
static words poolings = {"paired", "arbitrary"};
static words windows = {"liberal", "strict"};
static words fulls = {"drop", "evict"};
static words outlets = {"dropped", "forwarded"};
static words checksums = {"ignored", "verified"};
static words flags = {"no", "yes"};
static words syn_options = {"timestamps", "sack", "window-scale"};
static words error_kinds = {"unreachable", "too-big", "time-exceeded", "parameter"};
static words quotes = {"translated", "untranslated", "wrong-checksum"};
static words ipv6s = {"translated", "untranslated"};

/* name, values in words, type, words, offset in the behaviour of a transport */
#define TRANSPORT_PROPERTIES(P)                                                               \
	P("mapping",                                                                          \
		"endpoint-independent|address-dependent|port-dependent|"                      \
		"address-and-port-dependent",                                                 \
		TYPE_WORD, dependences, mapping)                                              \
	P("filtering",                                                                        \
		"endpoint-independent|address-dependent|port-dependent|"                      \
		"address-and-port-dependent",                                                 \
		TYPE_WORD, dependences, filtering)                                            \
	P("ports", "preserving|sequential|random", TYPE_WORD, allocations, ports.allocation)  \
	P("collision", "next|random|overload|drop", TYPE_WORD, collisions, ports.collision)   \
	P("low", "0-65535", TYPE_U16, NULL, ports.low)                                        \
	P("high", "0-65535", TYPE_U16, NULL, ports.high)                                      \
	P("step", "-65535-65535, not 0", TYPE_STEP, NULL, ports.step)                         \
	P("block", "0-65535 ports per inside address", TYPE_U16, NULL, ports.block)           \
	P("parity", "no|yes", TYPE_FLAG, flags, ports.parity)                                 \
	P("contiguous", "no|yes", TYPE_FLAG, flags, ports.contiguous)                         \
	P("classes", "no|yes", TYPE_FLAG, flags, ports.classes)                               \
	P("hairpin", "none|external|internal|box", TYPE_WORD, hairpins, hairpin)              \
	P("unsolicited", "drop|icmp|rst|accept|blacklist", TYPE_WORD, reactions, unsolicited) \
	P("icmp-code", "0-15", TYPE_U8, NULL, icmp_code)                                      \
	P("blacklist", "TIME", TYPE_TIME, NULL, blacklist_us)                                 \
	P("one-way", "TIME", TYPE_TIME, NULL, lifetimes.one_way_us)                           \
	P("both-ways", "TIME", TYPE_TIME, NULL, lifetimes.both_ways_us)                       \
	P("closing", "TIME", TYPE_TIME, NULL, lifetimes.closing_us)                           \
	P("settle", "TIME", TYPE_TIME, NULL, lifetimes.settle_us)                             \
	P("refresh-outbound", "no|yes", TYPE_FLAG, flags, lifetimes.refresh_outbound)         \
	P("refresh-inbound", "no|yes", TYPE_FLAG, flags, lifetimes.refresh_inbound)           \
	P("unfiltered", "no|yes", TYPE_FLAG, flags, unfiltered)                               \
	P("blocked", "no|yes", TYPE_FLAG, flags, blocked)                                     \
	P("blocked-code", "0-15, 0: silently", TYPE_U8, NULL, blocked_icmp_code)

/* the same, offset in the config */
#define CONFIG_PROPERTIES(P)                                                                      \
	P("translation", "none|ports|addresses|prefix", TYPE_WORD, translations, translation)     \
	P("ipv6", "translated|untranslated", TYPE_FLAG, ipv6s, ipv6_untranslated)                 \
	P("pooling", "paired|arbitrary", TYPE_FLAG, poolings, pooling_arbitrary)                  \
	P("simultaneous-open", "no|yes", TYPE_FLAG, flags, tcp.simultaneous_open)                 \
	P("window", "liberal|strict", TYPE_FLAG, windows, tcp.strict_sequence)                    \
	P("reset-ends", "no|yes", TYPE_FLAG, flags, tcp.reset_ends_at_once)                       \
	P("pick-up", "no|yes", TYPE_FLAG, flags, tcp.pick_up)                                     \
	P("syn-silence", "TIME", TYPE_TIME, NULL, tcp.syn_silence_us)                             \
	P("syn-sent", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_SYN_SENT])                    \
	P("syn-sent2", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_SYN_SENT2])                  \
	P("syn-received", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_SYN_RECEIVED])            \
	P("established", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_ESTABLISHED])              \
	P("fin-wait", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_FIN_WAIT])                    \
	P("close-wait", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_CLOSE_WAIT])                \
	P("last-ack", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_LAST_ACK])                    \
	P("time-wait", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_TIME_WAIT])                  \
	P("closed", "TIME", TYPE_TIME, NULL, tcp.state_us[NAT_TCP_CLOSED])                        \
	P("mss-clamp", "0-65535, 0: none", TYPE_U16, NULL, syn.mss)                               \
	P("strip-options", "none|timestamps+sack+window-scale", TYPE_SET, syn_options, syn.strip) \
	P("rewrite-sequence", "no|yes", TYPE_FLAG, flags, syn.renumber)                           \
	P("errors-inward", "no|yes", TYPE_FLAG, flags, errors.inward)                             \
	P("errors-blocked", "none|unreachable+too-big+time-exceeded+parameter", TYPE_SET,         \
		error_kinds, errors.blocked)                                                      \
	P("errors-quoted", "translated|untranslated|wrong-checksum", TYPE_WORD, quotes,           \
		errors.quotes)                                                                    \
	P("untracked-outward", "dropped|forwarded", TYPE_FLAG, outlets, errors.untracked_outward) \
	P("errors-end-mapping", "no|yes", TYPE_FLAG, flags, errors.end_mapping)                   \
	P("echo-inward", "no|yes", TYPE_FLAG, flags, echo_inward)                                 \
	P("fragments", "any-order|in-order|refused", TYPE_WORD, orders, fragments)                \
	P("max-mappings", "NUMBER, 0: 1048576", TYPE_SIZE, NULL, limits.mappings)                 \
	P("max-sessions", "NUMBER, 0: 4 per mapping", TYPE_SIZE, NULL, limits.sessions)           \
	P("new-per-second", "NUMBER, 0: any", TYPE_UNSIGNED, NULL, limits.new_per_second)         \
	P("when-full", "drop|evict", TYPE_FLAG, fulls, limits.evict_oldest)                       \
	P("tell-limit", "no|yes", TYPE_FLAG, flags, limits.tell)                                  \
	P("alg", "no|yes", TYPE_FLAG, flags, alg)                                                 \
	P("checksums", "ignored|verified", TYPE_FLAG, checksums, verify_checksums)                \
	P("keep-ttl", "no|yes", TYPE_FLAG, flags, keep_ttl)

struct property {
	const char *name, *values;
	enum type type;
	words *words;
	size_t offset;
};

#define OF_TRANSPORT(name, values, type, words, field) \
	{name, values, type, WORDS_##type(words), offsetof(struct nat_behaviour, field)},
#define OF_CONFIG(name, values, type, words, field) \
	{name, values, type, WORDS_##type(words), offsetof(struct nat_config, field)},
#define WORDS_TYPE_WORD(w)     &w
#define WORDS_TYPE_FLAG(w)     &w
#define WORDS_TYPE_TIME(w)     w
#define WORDS_TYPE_U8(w)       w
#define WORDS_TYPE_U16(w)      w
#define WORDS_TYPE_STEP(w)     w
#define WORDS_TYPE_UNSIGNED(w) w
#define WORDS_TYPE_SIZE(w)     w
#define WORDS_TYPE_SET(w)      &w

static const struct property of_transport[] = {TRANSPORT_PROPERTIES(OF_TRANSPORT){.name = NULL}};
static const struct property of_config[] = {CONFIG_PROPERTIES(OF_CONFIG){.name = NULL}};

const char *nat_kind_properties(void)
{
#define LINE(name, values, type, words, field)		 name "=" values "\n"
#define TRANSPORT_LINE(name, values, type, words, field) "[udp.|tcp.|icmp.]" name "=" values "\n"
	return TRANSPORT_PROPERTIES(TRANSPORT_LINE) CONFIG_PROPERTIES(LINE);
}

__attribute__((format(printf, 3, 4))) static int complain(
	char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -EINVAL;
}

static int word_number(words *list, const char *value)
{
	for (int i = 0; (*list)[i]; i++)
		if (!strcmp((*list)[i], value))
			return i;
	return -EINVAL;
}

static int set_word(const struct property *p, void *field, const char *value)
{
	int n = word_number(p->words, value);
	unsigned word = (unsigned)n;

	if (n < 0)
		return n;
	if (p->type == TYPE_FLAG)
		*(bool *)field = n;
	else
		memcpy(field, &word, sizeof(word)); /* an enum */
	return 0;
}

static bool is_word(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && !memcmp(word, text, length);
}

/* "none", or words with + between. */
static int set_bits(const struct property *p, void *field, const char *value)
{
	unsigned bits = 0;
	size_t length;

	if (strcmp(value, "none"))
		do {
			unsigned i = 0;

			length = strcspn(value, "+");
			while ((*p->words)[i] && !is_word((*p->words)[i], value, length))
				i++;
			if (!(*p->words)[i])
				return -EINVAL;
			bits |= 1u << i;
			value += length + 1;
		} while (value[-1]);
	memcpy(field, &bits, sizeof(bits));
	return 0;
}

static int set_step(void *field, const char *value)
{
	bool down = *value == '-';
	uint64_t n;

	if (number_from_text(value + down, 1, UINT16_MAX, &n))
		return -EINVAL;
	*(int *)field = down ? -(int)n : (int)n;
	return 0;
}

static int set_number(const struct property *p, void *field, const char *value)
{
	static const uint64_t max[] = {
		[TYPE_U8] = 15,
		[TYPE_U16] = UINT16_MAX,
		[TYPE_UNSIGNED] = 1000000000,
		[TYPE_SIZE] = 1u << 28,
	};
	uint64_t n;

	if (number_from_text(value, 0, max[p->type], &n))
		return -EINVAL;
	if (p->type == TYPE_U8)
		*(uint8_t *)field = (uint8_t)n;
	else if (p->type == TYPE_U16)
		*(uint16_t *)field = (uint16_t)n;
	else if (p->type == TYPE_UNSIGNED)
		*(unsigned *)field = (unsigned)n;
	else
		*(size_t *)field = (size_t)n;
	return 0;
}

static int set_value(const struct property *p, void *base, const char *value)
{
	void *field = (uint8_t *)base + p->offset;
	uint64_t us;

	switch (p->type) {
	case TYPE_WORD:
	case TYPE_FLAG:
		return set_word(p, field, value);
	case TYPE_TIME:
		if (duration_from_text(value, 0, UINT64_MAX / 2, &us))
			return -EINVAL;
		*(uint64_t *)field = us;
		return 0;
	case TYPE_STEP:
		return set_step(field, value);
	case TYPE_SET:
		return set_bits(p, field, value);
	default:
		return set_number(p, field, value);
	}
}

static const struct property *find(const struct property *list, const char *name, size_t length)
{
	for (; list->name; list++)
		if (strlen(list->name) == length && !memcmp(list->name, name, length))
			return list;
	return NULL;
}

/* The transport that stands in front of a name, which is moved behind it; -1: none. */
static int take_transport(const char **name)
{
	static const char *const prefixes[NAT_TRANSPORTS] = {"udp.", "tcp.", "icmp."};

	for (int t = 0; t < NAT_TRANSPORTS; t++) {
		size_t length = strlen(prefixes[t]);

		if (strncmp(*name, prefixes[t], length))
			continue;
		*name += length;
		return t;
	}
	return -1;
}

static int set_transports(
	const struct property *p, struct nat_config *config, int transport, const char *value)
{
	int err = 0;

	for (int t = 0; t < NAT_TRANSPORTS && !err; t++)
		if (transport < 0 || transport == t)
			err = set_value(p, &config->behaviour[t], value);
	return err;
}

int nat_kind_set(struct nat_config *config, const char *property, char *error, size_t size)
{
	const char *name = property, *equals = strchr(property, '=');
	const struct property *p;
	int transport, err;
	size_t length;

	if (!equals)
		return complain(error, size, "%.60s: expected PROPERTY=VALUE", property);
	transport = take_transport(&name);
	length = name < equals ? (size_t)(equals - name) : 0;
	p = find(of_transport, name, length);
	if (p) {
		err = set_transports(p, config, transport, equals + 1);
	} else {
		p = find(of_config, name, length);
		if (!p) {
			complain(error, size, "%.60s: no such property of a NAT", property);
			return -ENOENT;
		}
		if (transport >= 0)
			return complain(
				error, size, "%.60s: not a property of one transport", property);
		err = set_value(p, config, equals + 1);
	}
	if (err)
		return complain(error, size, "%.60s: expected %s=%s", property, p->name, p->values);
	return 0;
}
