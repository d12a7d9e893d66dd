// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/interfaces.h"
#include "punch/channel.h"
#include "punch/code.h"
#include "tools/punch/path.h"
#include "wire/packet.h"

/*
 * hostile_peer SERVER:PORT CODE TRICK [ENDPOINT...]: a side of a punch that knows the code, and wants the other one to
 * send to third parties, or to move the way there. It is udppunch in all but one trick:
 *
 *	honest       none
 *	names        its candidates are these endpoints, as addresses of its host; its own packets are no answer to anything
 *	maps         … as endpoints that a server has seen, and its NAT is one for which many ports are guessed
 *	garbage      what it says of itself is no hello
 *	asks         requests come from this endpoint
 *	nominates    … with all flags set: this way is proved and chosen
 *	talks        packets of the channel come from this endpoint, when the way stands
 *
 * The last three need CAP_NET_RAW. Endpoints without a port have port 0.
 */

#define LIMIT_US    20000000
#define COUNT	    20 /* round trips */
#define INTERVAL_US 100000
#define FORGED_MAX  200
#define AHEAD \
	500 /* counters that the honest part does not come to: the newest, but its own are not too old yet */
#define PORTS_LOW  20000
#define PORTS_HIGH 21000

enum trick { HONEST, NAMES, MAPS, GARBAGE, ASKS, NOMINATES, TALKS };

static const char *const tricks[] = {
	"honest", "names", "maps", "garbage", "asks", "nominates", "talks"};

static struct {
	enum trick trick;
	struct endpoint named[HELLO_CANDIDATES];
	size_t named_count;
	struct session *session;
	struct channel channel;
	bool has_channel;
	int raw;
	unsigned forged;
} it = {.raw = -1};

int __real_hello_encode(const struct hello *h, void *buffer, size_t size);
int __wrap_hello_encode(const struct hello *h, void *buffer, size_t size);
int __real_punch_encode(const struct punch_message *m, const uint8_t key[static PUNCH_KEY_BYTES],
	void *buffer, size_t size);
int __wrap_punch_encode(const struct punch_message *m, const uint8_t key[static PUNCH_KEY_BYTES],
	void *buffer, size_t size);

/* --- lies --- */

static void name_candidates(struct hello *h, enum check_kind kind)
{
	h->candidate_count = it.named_count;
	for (size_t i = 0; i < it.named_count; i++) {
		h->candidates[i].kind = kind;
		h->candidates[i].endpoint = it.named[i];
	}
}

/* Each mapping another port, out of a band: the plan is to guess, with as many packets as the other side spends. */
static void pose_as_symmetric(struct pair_side *side)
{
	*side = (struct pair_side){.status = PATH_OK,
		.nat = TRI_YES,
		.mapping = DEPENDENCE_ADDRESS_AND_PORT,
		.filtering = DEPENDENCE_ADDRESS_AND_PORT,
		.early = EARLY_SILENT,
		.allocation = ALLOCATION_BAND,
		.low = PORTS_LOW,
		.high = PORTS_HIGH,
		.packets_max = PAIR_MANY,
		.sockets_max = 256,
		.rate_pps = 10000};
}

/* The session's calls of hello_encode come here. */
int __wrap_hello_encode(const struct hello *h, void *buffer, size_t size)
{
	struct hello lie = *h;

	if (it.trick == NAMES)
		name_candidates(&lie, CHECK_HOST);
	if (it.trick == MAPS) {
		name_candidates(&lie, CHECK_SERVER_REFLEXIVE);
		lie.has_side[0] = true;
		pose_as_symmetric(&lie.side[0]);
	}
	if (it.trick == GARBAGE) {
		randombytes_buf(buffer, 200);
		return 200;
	}
	return __real_hello_encode(&lie, buffer, size);
}

/* … and those of punch_encode here: what is not authentic proves no way, so that all plans are gone through. */
int __wrap_punch_encode(const struct punch_message *m, const uint8_t key[static PUNCH_KEY_BYTES],
	void *buffer, size_t size)
{
	static const uint8_t wrong[PUNCH_KEY_BYTES];

	return __real_punch_encode(
		m, it.trick == NAMES || it.trick == MAPS ? wrong : key, buffer, size);
}

/* --- forged sources --- */

static void forge(const struct endpoint *to, const void *payload, size_t length)
{
	uint8_t packet[2048];
	struct sockaddr_in address = {.sin_family = AF_INET};
	int n = packet_build_udp(packet, sizeof(packet), &it.named[0], to, 64, payload, length);

	memcpy(&address.sin_addr, to->address, sizeof(address.sin_addr));
	if (n < 0 ||
		sendto(it.raw, packet, (size_t)n, 0, (struct sockaddr *)&address,
			sizeof(address)) != n)
		fprintf(stderr, "hostile_peer: cannot forge: %s\n", strerror(n < 0 ? -n : errno));
	it.forged++;
}

static void forge_request(const struct endpoint *to)
{
	struct punch_message m = {.class = STUN_REQUEST,
		.flags = it.trick == NOMINATES ? UINT8_MAX : 0,
		.attempt = 1,
		.counter = AHEAD + it.forged};
	uint8_t data[PUNCH_BYTES_MAX];
	struct writer w = writer_over(m.id.bytes, sizeof(m.id.bytes));
	int length;

	writer_u32(&w, STUN_COOKIE);
	randombytes_buf(m.id.bytes + 4, sizeof(m.id.bytes) - 4);
	length = punch_encode(&m, session_keys(it.session)->send.mac, data, sizeof(data));
	if (length > 0)
		forge(to, data, (size_t)length);
}

static void forge_data(const struct endpoint *to)
{
	static const char text[] = "from here, too\n";
	uint8_t packet[CHANNEL_PACKET_MAX];
	int length;

	if (!it.has_channel) {
		channel_init(&it.channel, session_keys(it.session));
		it.channel.sent = AHEAD;
		it.has_channel = true;
	}
	length = channel_seal(
		&it.channel, CHANNEL_DATA, text, sizeof(text) - 1, packet, sizeof(packet));
	if (length > 0)
		forge(to, packet, (size_t)length);
}

/* After each packet and timer of the session: one more, as soon as there are keys. */
static void on_changed(void *context)
{
	const struct session_view *v = session_view(it.session);

	(void)context;
	if (!v->checks || it.trick < ASKS || it.forged == FORGED_MAX)
		return;
	if (it.trick != TALKS && v->meeting->peer.family == FAMILY_IPV4)
		forge_request(&v->meeting->peer);
	else if (it.trick == TALKS && v->state == SESSION_CONNECTED)
		forge_data(&v->checks->remote);
}

/* --- the rest is as it should be --- */

static int parse(char **argv, struct session_config *config, struct code *code)
{
	char error[200];
	size_t trick = 0;
	struct endpoint server;

	if (endpoint_parse(argv[1], 3478, &server) ||
		code_parse(argv[2], code, error, sizeof(error)))
		return -EINVAL;
	while (trick < sizeof(tricks) / sizeof(*tricks) && strcmp(argv[3], tricks[trick]) != 0)
		trick++;
	if (trick == sizeof(tricks) / sizeof(*tricks))
		return -EINVAL;
	it.trick = (enum trick)trick;
	for (argv += 4; *argv; argv++)
		if (it.named_count == HELLO_CANDIDATES ||
			endpoint_parse(*argv, 0, &it.named[it.named_count++]))
			return -EINVAL;
	config->servers[server.family == FAMILY_IPV6] = server;
	config->secret = (struct span){(const uint8_t *)code->secret, strlen(code->secret)};
	code_session_id(code, config->id);
	return it.trick >= ASKS && !it.named_count ? -EINVAL : 0;
}

static int run(struct trail *trail)
{
	const struct path_config path = {.session = it.session,
		.trail = trail,
		.limit_us = LIMIT_US,
		.count = COUNT,
		.interval_us = INTERVAL_US,
		.changed = on_changed};
	struct path_result result;
	int err = path_run(&path, &result);

	if (err)
		return err;
	printf("%s, %u forged\n", result.stood ? "connected" : "failed", it.forged);
	if (result.fd >= 0)
		close(result.fd);
	return 0;
}

static int begin(struct session_config *config)
{
	uint64_t now_us = clock_now_us();
	int count = interfaces_list(NULL, config->hosts, HELLO_CANDIDATES), err;

	config->host_count = count > 0 ? (size_t)count : 0;
	random_init(&config->random);
	err = journal_create(now_us, &config->journal);
	if (!err)
		err = trail_create(now_us, &config->trail);
	if (!err)
		err = session_create(config, now_us, &it.session);
	if (!err && it.trick >= ASKS) {
		it.raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
		err = it.raw < 0 ? -errno : 0;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct session_config config = {.packets_max = 2048, .sockets_max = 256, .rate_pps = 200};
	struct code code;
	int err;

	if (sodium_init() < 0 || argc < 4 || parse(argv, &config, &code)) {
		fprintf(stderr, "usage: hostile_peer SERVER:PORT CODE TRICK [ENDPOINT...]\n");
		return 2;
	}
	err = begin(&config);
	if (!err)
		err = run(config.trail);
	if (err)
		fprintf(stderr, "hostile_peer: %s\n", strerror(-err));
	if (it.raw >= 0)
		close(it.raw);
	channel_wipe(&it.channel);
	session_destroy(it.session);
	trail_destroy(config.trail);
	journal_destroy(config.journal);
	code_wipe(&code);
	return err ? 3 : 0;
}
