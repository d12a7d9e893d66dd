// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "lab/topology_private.h"

/* Properties of links by name. */

#define DELAY_MAX_US 3600000000u

enum type { TYPE_TIME, TYPE_CHANCE, TYPE_RATE, TYPE_NUMBER, TYPE_FLAG, TYPE_FILTER };

#define DIRECTED(P)                                              \
	P("delay", "TIME", TYPE_TIME, delay_us)                  \
	P("jitter", "TIME", TYPE_TIME, jitter_us)                \
	P("loss", "0-1 or 0%-100%", TYPE_CHANCE, loss)           \
	P("duplicate", "0-1 or 0%-100%", TYPE_CHANCE, duplicate) \
	P("reorder", "0-1 or 0%-100%", TYPE_CHANCE, reorder)     \
	P("rate", "NUMBER[kbit|mbit|gbit]", TYPE_RATE, rate_bps) \
	P("queue", "TIME", TYPE_TIME, queue_us)

#define BOTH_WAYS(P)                                                          \
	P("hops", "0-32", TYPE_NUMBER, hops, 32)                              \
	P("mtu", "0 or 68-65535", TYPE_NUMBER, mtu, 65535)                    \
	P("mtu-silent", "no|yes", TYPE_FLAG, mtu_silent, 0)                   \
	P("filter", "none or udp+tcp+icmp+fragments", TYPE_FILTER, filter, 0) \
	P("filter-hop", "0-32, 0: the last one", TYPE_NUMBER, filter_hop, 32) \
	P("source-check", "no|yes", TYPE_FLAG, source_check, 0)

struct property {
	const char *name, *values;
	enum type type;
	size_t offset;
	unsigned max;
};

#define OF_DIRECTION(name, values, type, field) \
	{name, values, type, offsetof(struct link_config, field), 0},
#define OF_LINK(name, values, type, field, max) \
	{name, values, type, offsetof(struct world_link, field), max},

static const struct property directed[] = {DIRECTED(OF_DIRECTION){.name = NULL}};
static const struct property both_ways[] = {BOTH_WAYS(OF_LINK){.name = NULL}};

const char *topology_link_properties(void)
{
#define DIRECTED_LINE(name, values, type, field)  "[up.|down.]" name "=" values "\n"
#define BOTH_LINE(name, values, type, field, max) name "=" values "\n"
	return DIRECTED(DIRECTED_LINE) BOTH_WAYS(BOTH_LINE);
}

/* "0.05" or "5%". */
static int chance_from_text(const char *text, double *out)
{
	size_t length = strspn(text, "0123456789.");
	bool percent = !strcmp(text + length, "%");
	char *end;

	if (!length || (text[length] && !percent))
		return -EINVAL;
	*out = strtod(text, &end);
	if (end != text + length)
		return -EINVAL;
	if (percent)
		*out /= 100;
	return *out >= 0 && *out <= 1 ? 0 : -EINVAL;
}

static int rate_from_text(const char *text, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"", 1}, {"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};
	size_t digits = strspn(text, "0123456789");
	char number[24];

	if (digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (number_from_text(number, 0, 1000000000000u, out))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text + digits, units[i].unit))
			continue;
		*out *= units[i].factor;
		return *out <= 1000000000000u ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int flag_from_text(const char *text, bool *out)
{
	*out = !strcmp(text, "yes");
	return *out || !strcmp(text, "no") ? 0 : -EINVAL;
}

static int filter_from_text(const char *text, unsigned *out)
{
	static const char *const names[] = {"udp", "tcp", "icmp", "fragments"};

	*out = 0;
	if (!strcmp(text, "none"))
		return 0;
	for (;;) {
		size_t length = strcspn(text, "+"), i;

		for (i = 0; i < 4; i++)
			if (strlen(names[i]) == length && !memcmp(names[i], text, length))
				break;
		if (i == 4)
			return -EINVAL;
		*out |= 1u << i;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

static int number_value(const struct property *p, const char *text, unsigned *out)
{
	uint64_t n;

	if (number_from_text(text, 0, p->max, &n))
		return -EINVAL;
	/* RFC 791 3.2: every link carries 68 bytes */
	if (!strcmp(p->name, "mtu") && n && n < 68)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

static int set_value(const struct property *p, void *base, const char *text)
{
	void *field = (uint8_t *)base + p->offset;

	switch (p->type) {
	case TYPE_TIME:
		return duration_from_text(text, 0, DELAY_MAX_US, field);
	case TYPE_CHANCE:
		return chance_from_text(text, field);
	case TYPE_RATE:
		return rate_from_text(text, field);
	case TYPE_FLAG:
		return flag_from_text(text, field);
	case TYPE_FILTER:
		return filter_from_text(text, field);
	default:
		return number_value(p, text, field);
	}
}

static const struct property *find(const struct property *list, const char *name, size_t length)
{
	for (; list->name; list++)
		if (strlen(list->name) == length && !memcmp(list->name, name, length))
			return list;
	return NULL;
}

int topology_set_link(struct world_link *l, const char *property, char *error, size_t size)
{
	const char *equals = strchr(property, '='), *name = property;
	bool up = !strncmp(name, "up.", 3), down = !strncmp(name, "down.", 5);
	const struct property *p;
	int err = 0;

	if (!equals)
		return topology_complain(error, size, "%.60s: expected PROPERTY=VALUE", property);
	name += up ? 3 : down ? 5 : 0;
	p = find(directed, name, name < equals ? (size_t)(equals - name) : 0);
	if (p && !down)
		err = set_value(p, &l->up, equals + 1);
	if (p && !up && !err)
		err = set_value(p, &l->down, equals + 1);
	if (!p && !up && !down) {
		p = find(both_ways, name, (size_t)(equals - name));
		if (p)
			err = set_value(p, l, equals + 1);
	}
	if (!p)
		return -ENOENT;
	if (err)
		return topology_complain(
			error, size, "%.60s: expected %s=%s", property, p->name, p->values);
	return 0;
}
