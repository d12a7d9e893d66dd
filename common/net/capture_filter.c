// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "net/capture_filter.h"

/* --- ranges --- */

static uint32_t kind_of(uint32_t key)
{
	return key >> 16;
}

/* Makes one of a range and the next one. */
static void join(struct capture_filter *f, size_t i)
{
	f->ranges[i].last = f->ranges[i + 1].last;
	f->range_count--;
	memmove(&f->ranges[i + 1], &f->ranges[i + 2],
		(f->range_count - i - 1) * sizeof(f->ranges[0]));
}

/* How many ports lie between a range and the next one; those of another kind are as far as can be. */
static uint32_t gap_behind(const struct capture_filter *f, size_t i)
{
	if (i + 1 >= f->range_count ||
		kind_of(f->ranges[i].last) != kind_of(f->ranges[i + 1].first))
		return UINT32_MAX;
	return f->ranges[i + 1].first - f->ranges[i].last - 1;
}

/* There are more ranges than kinds, so there are two of one kind. */
static void join_nearest(struct capture_filter *f)
{
	size_t best = 0;

	for (size_t i = 1; i + 1 < f->range_count; i++)
		if (gap_behind(f, i) < gap_behind(f, best))
			best = i;
	join(f, best);
}

bool capture_filter_watch(struct capture_filter *f, enum capture_kind kind, uint16_t port)
{
	uint32_t key = (uint32_t)kind << 16 | port;
	size_t at = 0;

	while (at < f->range_count && f->ranges[at].last < key)
		at++;
	if (at < f->range_count && f->ranges[at].first <= key)
		return false;
	memmove(&f->ranges[at + 1], &f->ranges[at], (f->range_count - at) * sizeof(f->ranges[0]));
	f->ranges[at] = (struct capture_range){key, key};
	f->range_count++;
	if (gap_behind(f, at) == 0)
		join(f, at);
	if (at > 0 && gap_behind(f, at - 1) == 0)
		join(f, at - 1);
	if (f->range_count > CAPTURE_RANGES_MAX)
		join_nearest(f);
	return true;
}

int capture_filter_watch_host(struct capture_filter *f, const struct endpoint *host)
{
	if (host->family == FAMILY_NONE)
		return -EINVAL;
	for (size_t i = 0; i < f->host_count; i++)
		if (endpoint_same_address(&f->hosts[i], host))
			return 0;
	if (f->host_count == CAPTURE_HOSTS_MAX)
		return -ENOSPC;
	f->hosts[f->host_count++] = *host;
	return 1;
}

/* --- the program --- */

/*
 * Jumps go forward only. A conditional one reaches 255 instructions; so all that decodes stands together, and the two lists
 * of ranges behind it have places of their own to jump to.
 */
enum label {
	NEXT, /* the following instruction */
	OVER, /* the one behind it */
	IPV4,
	IPV4_FRAGMENT,
	IPV6,
	TRANSPORT,
	ICMP4,
	ICMP6,
	QUOTE,
	QUOTE4,
	QUOTE6,
	QUOTED,
	QUOTED_ICMP4,
	QUOTED_ICMP6,
	UDP,
	TCP,
	ECHO,
	PORTS,
	ACCEPT,
	LOCAL, /* and the following ones: each list's own */
	LABELS = LOCAL + 2 * CAPTURE_HOSTS_MAX + 4,
};

/* Scratch memory. */
enum {
	SOURCE, /* keys as in ranges */
	DESTINATION,
	PROTOCOL,
};

#define ALL 0x40000 /* bytes of a packet that is let in: more than it can have */

struct assembler {
	struct sock_filter *program;
	size_t length;
	uint16_t place[LABELS]; /* of what a label stands for */
	uint8_t next_local;
};

/* Until all places are known, jumps hold labels. */
static void put_jump(struct assembler *a, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (a->length < CAPTURE_PROGRAM_MAX)
		a->program[a->length++] = (struct sock_filter){code, yes, no, k};
}

static void put(struct assembler *a, uint16_t code, uint32_t k)
{
	put_jump(a, code, k, NEXT, NEXT);
}

static void go(struct assembler *a, enum label to)
{
	put(a, BPF_JMP | BPF_JA, to);
}

static void go_if(struct assembler *a, uint32_t equal, enum label to)
{
	put_jump(a, BPF_JMP | BPF_JEQ | BPF_K, equal, (uint8_t)to, NEXT);
}

static void here(struct assembler *a, uint8_t label)
{
	a->place[label] = (uint16_t)a->length;
}

static size_t distance(const struct assembler *a, size_t from, uint32_t label)
{
	if (label == NEXT || label == OVER)
		return label;
	return a->place[label] - from - 1;
}

static void resolve(struct assembler *a)
{
	for (size_t i = 0; i < a->length; i++) {
		struct sock_filter *s = &a->program[i];

		if (BPF_CLASS(s->code) != BPF_JMP)
			continue;
		if (BPF_OP(s->code) == BPF_JA) {
			s->k = (uint32_t)distance(a, i, s->k);
			continue;
		}
		s->jt = (uint8_t)distance(a, i, s->jt);
		s->jf = (uint8_t)distance(a, i, s->jf);
	}
}

/* A is the protocol behind an IPv6 header. */
static void put_extensions(struct assembler *a)
{
	static const uint8_t extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS};

	for (size_t i = 0; i < sizeof(extensions); i++)
		go_if(a, extensions[i], ACCEPT);
}

/* Leaves the protocol in A, and the offset of its header in X. */
static void put_network(struct assembler *a)
{
	put(a, BPF_LD | BPF_B | BPF_ABS, 0);
	put(a, BPF_ALU | BPF_RSH | BPF_K, 4);
	go_if(a, 4, IPV4);
	go_if(a, 6, IPV6);
	put(a, BPF_RET | BPF_K, 0);

	here(a, IPV4);
	put(a, BPF_LD | BPF_H | BPF_ABS, 6);
	put_jump(a, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, IPV4_FRAGMENT, NEXT);
	put(a, BPF_LDX | BPF_B | BPF_MSH, 0);
	put(a, BPF_LD | BPF_B | BPF_ABS, 9);
	go(a, TRANSPORT);

	here(a, IPV4_FRAGMENT);
	put(a, BPF_LD | BPF_B | BPF_ABS, 9);
	go_if(a, IPPROTO_UDP, ACCEPT);
	go_if(a, IPPROTO_ICMP, ACCEPT);
	put(a, BPF_RET | BPF_K, 0);

	here(a, IPV6);
	put(a, BPF_LDX | BPF_W | BPF_IMM, 40);
	put(a, BPF_LD | BPF_B | BPF_ABS, 6);
	put_extensions(a);

	here(a, TRANSPORT);
	go_if(a, IPPROTO_UDP, UDP);
	go_if(a, IPPROTO_TCP, TCP);
	go_if(a, IPPROTO_ICMP, ICMP4);
	go_if(a, IPPROTO_ICMPV6, ICMP6);
	put(a, BPF_RET | BPF_K, 0);
}

/* Whether the address at this offset is the host's. */
static void put_host(struct assembler *a, const struct endpoint *host, uint32_t offset)
{
	uint8_t differs = a->next_local++;

	for (size_t i = 0; i < endpoint_address_length(host->family); i += 4) {
		const uint8_t *word = &host->address[i];

		put(a, BPF_LD | BPF_W | BPF_ABS, offset + (uint32_t)i);
		put_jump(a, BPF_JMP | BPF_JEQ | BPF_K,
			(uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 |
				word[3],
			NEXT, differs);
	}
	go(a, ACCEPT);
	here(a, differs);
}

static void put_hosts(struct assembler *a, const struct capture_filter *f, enum family family)
{
	uint32_t source = family == FAMILY_IPV4 ? 12 : 8;

	for (size_t i = 0; i < f->host_count; i++) {
		if (f->hosts[i].family != family)
			continue;
		put_host(a, &f->hosts[i], source);
		put_host(a, &f->hosts[i], source + (uint32_t)endpoint_address_length(family));
	}
}

static void put_icmp(struct assembler *a, const struct capture_filter *f)
{
	static const uint8_t errors4[] = {3, 4, 5, 11, 12}; /* RFC 792 */

	here(a, ICMP4);
	put_hosts(a, f, FAMILY_IPV4);
	put(a, BPF_LD | BPF_B | BPF_IND, 0);
	go_if(a, 0, ECHO);
	go_if(a, 8, ECHO);
	for (size_t i = 0; i < sizeof(errors4); i++)
		go_if(a, errors4[i], QUOTE);
	put(a, BPF_RET | BPF_K, 0);

	here(a, ICMP6);
	put_hosts(a, f, FAMILY_IPV6);
	put(a, BPF_LD | BPF_B | BPF_IND, 0);
	go_if(a, 128, ECHO);
	go_if(a, 129, ECHO);
	for (uint32_t type = 1; type <= 4; type++) /* RFC 4443 3 */
		go_if(a, type, QUOTE);
	put(a, BPF_RET | BPF_K, 0);
}

/* As put_network, of the packet behind the 8 bytes of an ICMP header. */
static void put_quote(struct assembler *a)
{
	here(a, QUOTE);
	put(a, BPF_LD | BPF_B | BPF_IND, 8);
	put(a, BPF_ALU | BPF_RSH | BPF_K, 4);
	go_if(a, 4, QUOTE4);
	go_if(a, 6, QUOTE6);
	put(a, BPF_RET | BPF_K, 0);

	here(a, QUOTE4);
	put(a, BPF_LD | BPF_H | BPF_IND, 8 + 6);
	put_jump(a, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, ACCEPT, NEXT);
	put(a, BPF_LD | BPF_B | BPF_IND, 8 + 9);
	put(a, BPF_ST, PROTOCOL);
	put(a, BPF_LD | BPF_B | BPF_IND, 8);
	put(a, BPF_ALU | BPF_AND | BPF_K, 15);
	put(a, BPF_ALU | BPF_LSH | BPF_K, 2);
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(a, BPF_ALU | BPF_ADD | BPF_K, 8);
	put(a, BPF_MISC | BPF_TAX, 0);
	go(a, QUOTED);

	here(a, QUOTE6);
	put(a, BPF_LD | BPF_B | BPF_IND, 8 + 6);
	put_extensions(a);
	put(a, BPF_ST, PROTOCOL);
	put(a, BPF_MISC | BPF_TXA, 0);
	put(a, BPF_ALU | BPF_ADD | BPF_K, 8 + 40);
	put(a, BPF_MISC | BPF_TAX, 0);

	here(a, QUOTED);
	put(a, BPF_LD | BPF_MEM, PROTOCOL);
	go_if(a, IPPROTO_UDP, UDP);
	go_if(a, IPPROTO_TCP, TCP);
	go_if(a, IPPROTO_ICMP, QUOTED_ICMP4);
	go_if(a, IPPROTO_ICMPV6, QUOTED_ICMP6);
	put(a, BPF_RET | BPF_K, 0);

	here(a, QUOTED_ICMP4);
	put(a, BPF_LD | BPF_B | BPF_IND, 0);
	go_if(a, 0, ECHO);
	go_if(a, 8, ECHO);
	put(a, BPF_RET | BPF_K, 0);

	here(a, QUOTED_ICMP6);
	put(a, BPF_LD | BPF_B | BPF_IND, 0);
	go_if(a, 128, ECHO);
	go_if(a, 129, ECHO);
	put(a, BPF_RET | BPF_K, 0);
}

/* The key of the 16 bits at this offset of the header. */
static void put_key(struct assembler *a, enum capture_kind kind, uint32_t offset, uint32_t to)
{
	put(a, BPF_LD | BPF_H | BPF_IND, offset);
	put(a, BPF_ALU | BPF_OR | BPF_K, (uint32_t)kind << 16);
	put(a, BPF_ST, to);
}

static void put_keys(struct assembler *a)
{
	here(a, ACCEPT);
	put(a, BPF_RET | BPF_K, ALL);
	here(a, UDP);
	put_key(a, CAPTURE_UDP, 0, SOURCE);
	put_key(a, CAPTURE_UDP, 2, DESTINATION);
	go(a, PORTS);
	here(a, TCP);
	put_key(a, CAPTURE_TCP, 0, SOURCE);
	put_key(a, CAPTURE_TCP, 2, DESTINATION);
	go(a, PORTS);
	here(a, ECHO);
	put_key(a, CAPTURE_ECHO, 4, SOURCE);
	put(a, BPF_ST, DESTINATION);
	here(a, PORTS);
}

/* Whether a key lies in a range. */
static void put_list(struct assembler *a, const struct capture_filter *f, uint32_t key)
{
	uint8_t found = a->next_local++, missed = a->next_local++;

	put(a, BPF_LD | BPF_MEM, key);
	for (size_t i = 0; i < f->range_count; i++) {
		const struct capture_range *r = &f->ranges[i];

		if (r->first == r->last) {
			put_jump(a, BPF_JMP | BPF_JEQ | BPF_K, r->first, found, NEXT);
			continue;
		}
		put_jump(a, BPF_JMP | BPF_JGT | BPF_K, r->last, OVER, NEXT);
		put_jump(a, BPF_JMP | BPF_JGE | BPF_K, r->first, found, NEXT);
	}
	go(a, (enum label)missed);
	here(a, found);
	put(a, BPF_RET | BPF_K, ALL);
	here(a, missed);
}

size_t capture_filter_program(
	const struct capture_filter *f, struct sock_filter program[static CAPTURE_PROGRAM_MAX])
{
	struct assembler a = {.program = program, .next_local = LOCAL};

	if (f->range_count > 0 || f->host_count > 0) {
		put_network(&a);
		put_icmp(&a, f);
		put_quote(&a);
		put_keys(&a);
		put_list(&a, f, SOURCE);
		put_list(&a, f, DESTINATION);
	}
	put(&a, BPF_RET | BPF_K, 0);
	resolve(&a);
	return a.length;
}
