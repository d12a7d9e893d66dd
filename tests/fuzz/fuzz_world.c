// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Networks of several kinds, and a script of packets and time. The first byte says which network, the others are
 * steps of a few bytes. Whatever happens, deadlines move forward, nothing happens between them, packets
 * arrive only at whom they are for, right if they were right, and all of them come to an end.
 */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "lab/topology.h"
#include "wire/checksum.h"
#include "tests/fuzz/fuzz_world.h"

#define STEPS_MAX   48
#define NOTES	    8
#define PAYLOAD_MAX 1800
#define PACKET_MAX  2048
#define BYTES_MAX   (64u << 20) /* of flights: STEPS_MAX packets never need more */

#define SERVERS	    "host s hops=1 delay=5ms\nhost t delay=1ms mtu=1400\n"

static const char *const texts[] = {
	"link delay=20ms hops=2\nnat a kind=linux-accept\nlink delay=0 hops=0\nhost a "
	"behind=a\n" SERVERS,
	"link jitter=3ms loss=1% duplicate=2% reorder=5% delay=1ms\nnat a kind=symmetric\n"
	"host a behind=a\nnat b kind=full-cone\nhost b behind=b\n" SERVERS,
	"nat a kind=rfc4787\nhost a behind=a\nhost b behind=a\n" SERVERS,
	"nat i kind=cgnat hops=1 mtu=1300\nnat a kind=linux behind=i delay=1ms\n"
	"nat b kind=openwrt behind=i hops=3 mtu=700\nhost a behind=a\nhost b behind=b\n" SERVERS,
	"nat i kind=none source-check=yes\nnat f kind=firewall behind=i\nhost a behind=f\n"
	"host b behind=i\n" SERVERS,
	"nat a kind=one-to-one\nhost a behind=a\nnat p kind=prefix\nhost b behind=p "
	"hops=1\n" SERVERS,
	"nat a kind=carrier-block max-mappings=3 max-sessions=5 when-full=evict rate=100kbit\n"
	"host a behind=a filter=tcp\nhost b behind=a\n" SERVERS,
	"link hops=32 filter=icmp filter-hop=7\nnat a kind=linux-reject keep-ttl=yes\n"
	"host a behind=a\nlink hops=0 filter=fragments mtu=300\nhost b mtu-silent=yes\n" SERVERS,
	"nat a kind=full-cone alg=yes hairpin=external\nhost a behind=a\nhost b behind=a\n"
	"nat c kind=restricted hairpin=internal unsolicited=blacklist blacklist=5s\n"
	"host c behind=c\n" SERVERS,
	"nat 1 kind=none\nnat 2 kind=none behind=1\nnat 3 kind=none behind=2\n"
	"nat 4 kind=linux behind=3\nhost a behind=4\nhost b behind=2\n" SERVERS,
	"nat a kind=symmetric fragments=in-order\nhost a behind=a\nnat b fragments=refused\n"
	"host b behind=b\n" SERVERS,
	"nat a kind=udp-rejected rate=1000 queue=1s\nhost a behind=a\nhost b duplicate=1\n" SERVERS,
};

#define TEXTS (sizeof(texts) / sizeof(*texts))

struct script {
	struct net net;
	const struct topology *topology;
	struct reader in;
	struct note { /* a source that was seen, and where */
		int host;
		struct endpoint own, other;
		uint32_t sequence;
	} notes[NOTES];
	uint8_t note_count;
	uint8_t bytes[PACKET_BYTES_MAX];
};

/* Read and completed once. */
static const struct topology *topology_of(uint8_t number)
{
	static struct topology *all[TEXTS];
	struct topology **t = &all[number % TEXTS];
	const char *text = texts[number % TEXTS];
	char error[200] = "";

	if (*t)
		return *t;
	require(!topology_create(t));
	require(!topology_read(*t, text, strlen(text), error, sizeof(error)));
	require(!topology_complete(*t, error, sizeof(error)));
	return *t;
}

/* One of the hosts. */
static int next_host(struct script *s)
{
	int count = topology_count(s->topology), i = reader_u8(&s->in) % count + 1;

	while (topology_at(s->topology, i)->node.kind != WORLD_HOST)
		i = i % count + 1;
	return i;
}

static struct endpoint one_of(const struct endpoint *list, size_t count, uint8_t which)
{
	return count ? list[which % count] : (struct endpoint){.family = FAMILY_NONE};
}

/* An address that means something here, or any. */
static struct endpoint next_address(struct script *s)
{
	const struct world_node *n;
	uint8_t kind = reader_u8(&s->in), which = reader_u8(&s->in);
	struct endpoint e = {.family = kind & 1 ? FAMILY_IPV6 : FAMILY_IPV4};

	n = &topology_at(s->topology, which % topology_count(s->topology) + 1)->node;
	switch (kind >> 1 & 7) {
	case 0:
		reader_copy(&s->in, e.address, endpoint_address_length(e.family));
		return e;
	case 1:
		return n->kind == WORLD_NAT ? n->inside[kind & 1].address : n->addresses[0];
	case 2:
		e = n->link.routers[kind & 1];
		e.address[e.family == FAMILY_IPV6 ? 15 : 3]++;
		return e;
	case 3:
		return s->note_count ? s->notes[which % s->note_count].other : n->addresses[0];
	default:
		if (n->kind == WORLD_NAT)
			return one_of(n->nat.external, n->nat.external_count, kind >> 4);
		return one_of(n->addresses, n->address_count, kind >> 4);
	}
}

static uint16_t next_port(struct script *s)
{
	uint8_t kind = reader_u8(&s->in);

	return kind < 200 ? (uint16_t)(3000 + kind % 4) : reader_u16(&s->in);
}

static void input(struct script *s, int host, int length)
{
	struct packet p;

	if (length <= 0 || packet_decode(s->bytes, (size_t)length, &p))
		return;
	s->net.tainted = s->net.tainted || !packet_checksums_right(&p);
	world_input(s->net.world, s->net.now, host, s->bytes, (size_t)length);
}

static int build(struct script *s, const struct endpoint *from, const struct endpoint *to,
	uint8_t what, uint32_t acknowledgment)
{
	static uint8_t payload[PAYLOAD_MAX];
	static const size_t sizes[] = {0, 9, 1400, PAYLOAD_MAX};
	uint8_t ttl = reader_u8(&s->in);
	size_t length = sizes[what >> 2 & 3];
	struct packet_tcp tcp = {.sequence = reader_u8(&s->in),
		.acknowledgment = acknowledgment,
		.flags = (uint8_t)(what >> 3),
		.window = 1000};

	/* mostly far enough */
	ttl = ttl & 128 ? 64 : ttl & 15;
	if ((what & 3) == 0)
		return packet_build_udp(s->bytes, sizeof(s->bytes), from, to, ttl, payload, length);
	if ((what & 3) == 1)
		return packet_build_tcp(s->bytes, sizeof(s->bytes), from, to, ttl, &tcp, payload,
			what & 64 ? 7 : 0);
	return packet_build_echo(
		s->bytes, sizeof(s->bytes), from, to, ttl, (what & 3) == 3, 1, payload, length);
}

static void send(struct script *s)
{
	int host = next_host(s);
	const struct world_node *n = world_at(s->net.world, host);
	uint8_t what = reader_u8(&s->in), from_kind = reader_u8(&s->in);
	struct endpoint to = next_address(s), from = next_address(s);

	/* mostly its own */
	for (size_t i = n->address_count; from_kind < 200 && i-- > 0;)
		if (n->addresses[i].family == to.family)
			from = n->addresses[i];
	from.port = next_port(s);
	to.port = what & 2 ? from.port : next_port(s);
	input(s, host, build(s, &from, &to, what, 0));
}

/* To whom something has come from. */
static void reply(struct script *s)
{
	uint8_t which = reader_u8(&s->in), what = reader_u8(&s->in);
	const struct note *n = &s->notes[s->note_count ? which % s->note_count : 0];

	if (s->note_count)
		input(s, n->host, build(s, &n->own, &n->other, what, n->sequence + 1));
}

static void put_header_checksum(uint8_t *bytes)
{
	size_t header = (bytes[0] & 15u) * 4u;
	uint16_t sum;

	bytes[10] = bytes[11] = 0;
	sum = (uint16_t)~checksum_sum(bytes, header);
	bytes[10] = (uint8_t)(sum >> 8);
	bytes[11] = (uint8_t)sum;
}

/* The last packet again, some of it changed; over IPv4 as a fragment, or one that may become some. */
static void again(struct script *s)
{
	int host = next_host(s);
	uint8_t how = reader_u8(&s->in);
	struct packet p;

	if (packet_decode(s->bytes, PACKET_MAX, &p))
		return;
	if (how & 1 && p.family == FAMILY_IPV4) {
		s->bytes[5] = reader_u8(&s->in);
		s->bytes[6] = how >> 3 & 0x20;
		s->bytes[7] = how & 4 ? reader_u8(&s->in) : 0;
		put_header_checksum(s->bytes);
	}
	if (how & 2)
		s->bytes[reader_u16(&s->in) % p.length] ^= reader_u8(&s->in);
	input(s, host, (int)p.length);
}

/* Any bytes. */
static void raw(struct script *s)
{
	int host = next_host(s);
	size_t length = reader_u8(&s->in);

	if (length > reader_left(&s->in))
		length = reader_left(&s->in);
	memset(s->bytes, 0, 256);
	reader_copy(&s->in, s->bytes, length);
	if (length >= 20 && s->bytes[0] == 0x45)
		put_header_checksum(s->bytes);
	s->net.tainted = true;
	input(s, host, (int)length);
}

static void note(struct script *s)
{
	struct note *n = &s->notes[s->note_count % NOTES];

	if (s->net.seen.protocol == PACKET_ERROR)
		return;
	*n = (struct note){
		s->net.host, s->net.seen.destination, s->net.seen.source, s->net.seen.sequence};
	if (s->note_count < NOTES)
		s->note_count++;
}

static void pass(struct script *s)
{
	static const uint64_t scale[] = {1, 1000, 100000, 10000000};
	uint8_t n = reader_u8(&s->in);
	uint64_t end = s->net.now + (n >> 2) * scale[n & 3], deadline;

	for (;;) {
		if (net_poll(&s->net, &deadline)) {
			note(s);
			continue;
		}
		if (deadline > end)
			break;
		s->net.now = deadline;
	}
	s->net.now = end;
}

static void step(struct script *s)
{
	switch (reader_u8(&s->in) % 8) {
	case 0:
	case 1:
		send(s);
		break;
	case 2:
	case 3:
		reply(s);
		break;
	case 4:
		again(s);
		break;
	case 5:
		raw(s);
		break;
	default:
		pass(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script s;
	char error[200] = "";

	memset(&s, 0, offsetof(struct script, bytes));
	memset(s.bytes, 0, 64);
	s.in = reader_over(data, size);
	s.topology = topology_of(reader_u8(&s.in));
	s.net.now = 1000000;
	require(!topology_build(s.topology, reader_u8(&s.in), &s.net.world, error, sizeof(error)));
	world_listen(s.net.world, net_event, &s.net);
	for (int i = 0; i < STEPS_MAX && reader_left(&s.in); i++)
		step(&s);
	require(s.net.world->flights.bytes <= BYTES_MAX);
	net_finish(&s.net);
	world_destroy(s.net.world);
	return 0;
}
