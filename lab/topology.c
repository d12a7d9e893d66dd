// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "lab/kinds.h"
#include "lab/topology_private.h"

/* Statements to nodes. */

#define NODES_MAX    (WORLD_NODES_MAX - 1)
#define WORDS_MAX    64
#define WORD_SPACE   " \t\r"
#define KIND_DEFAULT "linux"

int topology_complain(char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -EINVAL;
}

int topology_create(struct topology **out)
{
	struct topology *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->families[0] = t->families[1] = true;
	*out = t;
	return 0;
}

void topology_destroy(struct topology *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t);
}

int topology_count(const struct topology *t)
{
	return t->count;
}

const struct topology_node *topology_at(const struct topology *t, int number)
{
	return &t->nodes[number - 1];
}

int topology_find(const struct topology *t, enum world_kind kind, const char *name)
{
	for (int i = 0; i < t->count; i++)
		if (t->nodes[i].node.kind == kind && !strcmp(t->nodes[i].node.name, name))
			return i + 1;
	return 0;
}

static void keep_family(struct endpoint *list, size_t *count, enum family family)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		if (list[i].family == family)
			list[kept++] = list[i];
	*count = kept;
}

void topology_set_family(struct topology *t, enum family family)
{
	t->families[0] = family == FAMILY_IPV4;
	t->families[1] = family == FAMILY_IPV6;
	for (int i = 0; i < t->count; i++) {
		struct world_node *n = &t->nodes[i].node;

		keep_family(n->addresses, &n->address_count, family);
		keep_family(n->nat.external, &n->nat.external_count, family);
		n->inside[family == FAMILY_IPV4] = (struct world_prefix){.bits = 0};
		*(family == FAMILY_IPV4 ? &n->nat.inside6 : &n->nat.inside) =
			(struct endpoint){.family = FAMILY_NONE};
	}
}

/* --- values --- */

static int set_behind(
	struct topology *t, struct topology_node *n, const char *name, char *error, size_t size)
{
	int up = topology_find(t, WORLD_NAT, name);

	/* not itself, nor one that may be behind it */
	if (!up || up > n - t->nodes)
		return topology_complain(
			error, size, "behind=%.60s: no NAT above has this name", name);
	n->node.up = up;
	return 0;
}

/* Of one host that others can reach, and nothing but an address. */
static bool is_one_address(const struct endpoint *e)
{
	struct endpoint address = *e;

	address.port = 1;
	return !e->port && !e->scope && endpoint_is_unicast(&address) && !endpoint_is_loopback(e);
}

static int add_address(struct world_node *n, const char *text)
{
	bool nat = n->kind == WORLD_NAT;
	size_t *count = nat ? &n->nat.external_count : &n->address_count;
	struct endpoint *list = nat ? n->nat.external : n->addresses, e;

	if (*count == WORLD_ADDRESSES_MAX || endpoint_parse(text, 0, &e) || !is_one_address(&e))
		return -EINVAL;
	list[(*count)++] = e;
	return 0;
}

/* "10.0.1.1/24": the address of the NAT and, with the bits, of all behind it. */
static int add_inside(struct world_node *n, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[ENDPOINT_TEXT];
	struct endpoint e;
	uint64_t bits;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (endpoint_parse(address, 0, &e) || !is_one_address(&e))
		return -EINVAL;
	if (number_from_text(slash + 1, 8, e.family == FAMILY_IPV4 ? 30 : 126, &bits))
		return -EINVAL;
	n->inside[e.family == FAMILY_IPV6] = (struct world_prefix){e, (uint8_t)bits};
	*(e.family == FAMILY_IPV6 ? &n->nat.inside6 : &n->nat.inside) = e;
	return 0;
}

static int for_each_part(
	struct world_node *n, const char *list, int (*take)(struct world_node *, const char *))
{
	char part[ENDPOINT_TEXT];

	for (;;) {
		size_t length = strcspn(list, ",");

		if (!length || length >= sizeof(part))
			return -EINVAL;
		memcpy(part, list, length);
		part[length] = '\0';
		if (take(n, part))
			return -EINVAL;
		if (!list[length])
			return 0;
		list += length + 1;
	}
}

static int set_kind(struct topology_node *n, const char *name, char *error, size_t size)
{
	struct nat_config config;

	if (nat_kind_config(name, &config))
		return topology_complain(error, size, "%.60s: no such kind of NAT", name);
	config.external_count = n->node.nat.external_count;
	memcpy(config.external, n->node.nat.external, sizeof(config.external));
	config.inside = n->node.nat.inside;
	config.inside6 = n->node.nat.inside6;
	n->node.nat = config;
	n->carrier = nat_kind_is_carrier(name);
	snprintf(n->kind, sizeof(n->kind), "%s", name);
	return 0;
}

/* One "PROPERTY=VALUE" of a node. */
static int set_property(
	struct topology *t, struct topology_node *n, const char *word, char *error, size_t size)
{
	const char *value = strchr(word, '=');
	int err;

	if (!value)
		return topology_complain(error, size, "%.60s: expected PROPERTY=VALUE", word);
	value++;
	if (!strncmp(word, "behind=", 7))
		return set_behind(t, n, value, error, size);
	if (!strncmp(word, "address=", 8)) {
		if (for_each_part(&n->node, value, add_address))
			return topology_complain(error, size, "%.60s: expected up to %d addresses",
				word, WORLD_ADDRESSES_MAX);
		return 0;
	}
	err = topology_set_link(&n->node.link, word, error, size);
	if (err != -ENOENT)
		return err;
	if (n->node.kind == WORLD_HOST)
		return topology_complain(error, size, "%.60s: no such property of a host", word);
	if (!strncmp(word, "kind=", 5)) /* it was the first to be set */
		return !strcmp(value, n->kind)
			? 0
			: topology_complain(error, size, "%.60s: it is %s already", word, n->kind);
	if (!strncmp(word, "inside=", 7)) {
		if (for_each_part(&n->node, value, add_inside))
			return topology_complain(error, size, "%.60s: expected ADDRESS/BITS", word);
		return 0;
	}
	return nat_kind_set(&n->node.nat, word, error, size) ? -EINVAL : 0;
}

static int set_properties(
	struct topology *t, struct topology_node *n, char *const *words, char *error, size_t size)
{
	int err = 0;

	for (; *words && !err; words++)
		err = set_property(t, n, *words, error, size);
	return err;
}

/* --- nodes --- */

static bool is_name(const char *name)
{
	size_t length =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return length && !name[length] && length < WORLD_NAME_BYTES && *name != '-' && *name != '.';
}

static int add_node(struct topology *t, enum world_kind kind, const char *name,
	struct topology_node **out, char *error, size_t size)
{
	struct topology_node *n;

	if (!is_name(name))
		return topology_complain(error, size,
			"%.60s: a name has up to %d letters, digits, dots, dashes and underscores",
			name, WORLD_NAME_BYTES - 1);
	if (topology_find(t, kind, name))
		return topology_complain(error, size, "%s %.60s is there already",
			kind == WORLD_HOST ? "host" : "nat", name);
	if (t->count == NODES_MAX)
		return topology_complain(error, size, "more than %d nodes", NODES_MAX);
	if (t->count == t->size) {
		int more = t->size ? 2 * t->size : 16;

		n = realloc(t->nodes, (size_t)more * sizeof(*n));
		if (!n)
			return topology_complain(error, size, "no memory");
		t->nodes = n;
		t->size = more;
	}
	n = &t->nodes[t->count++];
	memset(n, 0, sizeof(*n));
	n->node.kind = kind;
	n->node.link = t->link;
	snprintf(n->node.name, sizeof(n->node.name), "%s", name);
	*out = n;
	return 0;
}

/* The kind is what all other properties change. */
static const char *find_kind(char *const *words)
{
	for (; *words; words++)
		if (!strncmp(*words, "kind=", 5))
			return *words + 5;
	return KIND_DEFAULT;
}

static int read_node(
	struct topology *t, enum world_kind kind, char *const *words, char *error, size_t size)
{
	struct topology_node *n;
	int err;

	if (!words[0])
		return topology_complain(error, size, "expected a name");
	err = add_node(t, kind, words[0], &n, error, size);
	if (!err && kind == WORLD_NAT)
		err = set_kind(n, find_kind(words + 1), error, size);
	return err ? err : set_properties(t, n, words + 1, error, size);
}

static int read_link(struct topology *t, char *const *words, char *error, size_t size)
{
	int err = 0;

	for (; *words && !err; words++) {
		err = topology_set_link(&t->link, *words, error, size);
		if (err == -ENOENT)
			return topology_complain(
				error, size, "%.60s: no such property of a link", *words);
	}
	return err;
}

static int read_families(struct topology *t, char *const *words, char *error, size_t size)
{
	static const char *const all[] = {"4", "6", "4,6", "6,4"};

	for (size_t i = 0; words[0] && !words[1] && i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(words[0], all[i])) {
			t->families[0] = i != 1;
			t->families[1] = i != 0;
			return 0;
		}
	return topology_complain(error, size, "families: expected 4, 6 or 4,6");
}

static int read_statement(struct topology *t, char *const *words, char *error, size_t size)
{
	if (!words[0])
		return 0;
	if (!strcmp(words[0], "host"))
		return read_node(t, WORLD_HOST, words + 1, error, size);
	if (!strcmp(words[0], "nat"))
		return read_node(t, WORLD_NAT, words + 1, error, size);
	if (!strcmp(words[0], "link"))
		return read_link(t, words + 1, error, size);
	if (!strcmp(words[0], "families"))
		return read_families(t, words + 1, error, size);
	return topology_complain(
		error, size, "%.60s: expected host, nat, link or families", words[0]);
}

/* Cuts a line into words; -EINVAL: too many. */
static int split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;
	char *save, *word;

	line[strcspn(line, "#")] = '\0';
	for (word = strtok_r(line, WORD_SPACE, &save); word;
		word = strtok_r(NULL, WORD_SPACE, &save)) {
		if (count == WORDS_MAX - 1)
			return -EINVAL;
		words[count++] = word;
	}
	words[count] = NULL;
	return 0;
}

static int read_line(struct topology *t, char *line, unsigned number, char *error, size_t size)
{
	char *words[WORDS_MAX], what[256] = "";
	int err;

	err = split(line, words);
	if (err)
		snprintf(what, sizeof(what), "more than %d words", WORDS_MAX - 1);
	else
		err = read_statement(t, words, what, sizeof(what));
	return err ? topology_complain(error, size, "line %u: %s", number, what) : 0;
}

int topology_read(struct topology *t, const char *text, size_t length, char *error, size_t size)
{
	char *copy, *line, *next;
	unsigned number = 1;
	int err = 0;

	if (length > TOPOLOGY_TEXT_MAX)
		return topology_complain(error, size, "more than %d bytes", TOPOLOGY_TEXT_MAX);
	if (memchr(text, '\0', length))
		return topology_complain(error, size, "not a text");
	copy = strndup(text, length);
	if (!copy)
		return topology_complain(error, size, "no memory");
	for (line = copy; line && !err; line = next, number++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		err = read_line(t, line, number, error, size);
	}
	free(copy);
	return err;
}

/* --- from the command line --- */

static int add_pair(struct topology *t, const char *name, char *error, size_t size)
{
	struct topology_node *n;
	int nat, err = add_node(t, WORLD_NAT, name, &n, error, size);

	nat = t->count;
	if (!err)
		err = add_node(t, WORLD_HOST, name, &n, error, size);
	if (!err)
		n->node.up = nat;
	if (!err)
		n->node.link = (struct world_link){.hops = 0}; /* on the LAN */
	return err;
}

/* Commas to words. */
static int split_list(char *list, char *words[WORDS_MAX])
{
	for (char *c = list; *c; c++)
		if (*c == ',')
			*c = ' ';
	return split(list, words);
}

static int set_named_nat(
	struct topology *t, char *copy, bool add, char *words[WORDS_MAX], char *error, size_t size)
{
	char *equals = strchr(copy, '=');
	int number, err = 0;

	if (!equals)
		return topology_complain(
			error, size, "%.60s: expected NAME=KIND[,PROPERTY=VALUE]", copy);
	*equals = '\0';
	number = topology_find(t, WORLD_NAT, copy);
	if (!number && !add)
		return topology_complain(error, size, "%.60s: no NAT has this name", copy);
	if (!number) {
		err = add_pair(t, copy, error, size);
		number = t->count - 1;
	}
	if (!err && (split_list(equals + 1, words) || !words[0]))
		err = topology_complain(error, size, "%.60s: expected a kind of NAT", copy);
	if (!err)
		err = set_kind(&t->nodes[number - 1], words[0], error, size);
	return err ? err : set_properties(t, &t->nodes[number - 1], words + 1, error, size);
}

int topology_set_nat(struct topology *t, const char *text, bool add, char *error, size_t size)
{
	char *copy = strdup(text), *words[WORDS_MAX];
	int err = copy ? set_named_nat(t, copy, add, words, error, size)
		       : topology_complain(error, size, "no memory");

	free(copy);
	return err;
}

int topology_set_links(struct topology *t, const char *text, char *error, size_t size)
{
	char *copy = strdup(text), *words[WORDS_MAX];
	int err = 0;

	if (!copy || split_list(copy, words)) {
		free(copy);
		return topology_complain(error, size, "%.60s: too long", text);
	}
	for (int i = 0; i < t->count && !err; i++)
		for (char **w = words; *w && !err && t->nodes[i].node.kind == WORLD_NAT; w++) {
			err = topology_set_link(&t->nodes[i].node.link, *w, error, size);
			if (err == -ENOENT)
				err = topology_complain(
					error, size, "%.60s: no such property of a link", *w);
		}
	free(copy);
	return err;
}
