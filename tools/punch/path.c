// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/udp.h"
#include "punch/carrier.h"
#include "tools/punch/path.h"

#define EARLY_MAX 8
#define SIGNALS	  3
#define KEEPALIVE_US \
	15000000u /* RFC 8445 11; the shortest lifetime that RFC 4787 4.3 allows is 120 s */
#define ANSWER_MIN_US \
	1000000u /* how long an answer to the last round trip is waited for, at least */
#define CLOSE_US  1500000u /* … and the peer's last word */
#define FAILED_US 1000000u /* how long the peer can still hear that and why this side has failed */
#define LEAVE_US  150000u /* … and for the way of the message that it goes */

enum phase { PUNCHING, MEASURING, CARRYING, CLOSING, FAILING, LEAVING, OVER };

/* What the peer sends over a way that it has proved before us. */
struct early {
	unsigned socket;
	struct endpoint from;
	uint8_t data[CHANNEL_PACKET_MAX];
	size_t length;
};

struct path {
	const struct path_config *config;
	struct path_result *result;
	struct event_base *base;
	struct carrier *carrier;
	struct flow *flow;
	struct event *timer, *deadline, *input, *signals[SIGNALS];
	enum phase phase;
	unsigned socket; /* of the way */
	uint64_t until_us; /* the phase ends then at the latest; UINT64_MAX: it does not */
	bool input_ended, left;
	struct early early[EARLY_MAX];
	size_t early_count;
};

static void turn(struct path *p);

static void enter(struct path *p, enum phase phase, uint64_t until_us)
{
	p->phase = phase;
	p->until_us = until_us;
	if (phase == OVER)
		event_base_loopbreak(p->base);
}

/* --- what is carried --- */

static void transmit(struct path *p, const struct flow_output *out)
{
	/* what cannot leave now is lost, as on the way */
	carrier_send(p->carrier, out->socket, &out->to, out->data, out->length);
}

static void write_out(struct path *p, const uint8_t *data, size_t length)
{
	ssize_t n;

	do
		n = write(STDOUT_FILENO, data, length); /* a datagram, a block */
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return;
	p->result->error = -errno;
	enter(p, OVER, 0);
}

static void on_input(evutil_socket_t fd, short what, void *context)
{
	struct path *p = context;
	struct flow_output out;
	uint8_t data[CHANNEL_PAYLOAD_MAX];
	ssize_t n = read(fd, data, sizeof(data));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		if (!flow_send(p->flow, data, (size_t)n, &out))
			transmit(p, &out);
		return;
	}
	if (n < 0)
		p->result->error = -errno;
	p->input_ended = true;
	event_del(p->input);
	flow_close(p->flow, clock_now_us());
	turn(p);
}

static int watch_input(struct path *p)
{
	p->input = event_new(p->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, p);
	/* a file is always readable, and epoll does not know of files */
	return p->input && !event_add(p->input, NULL) ? 0 : -ENOMEM;
}

/* Tells the other side and the server that this one goes. */
static void leave(struct path *p)
{
	if (p->left)
		return;
	p->left = true;
	session_leave(p->config->session, clock_now_us());
	carrier_turn(p->carrier);
}

static void take_datagram(struct path *p, unsigned socket, const struct endpoint *from,
	const uint8_t *data, size_t length)
{
	struct flow_payload payload;

	switch (flow_input(p->flow, clock_now_us(), socket, from, data, length, &payload)) {
	case FLOW_DATA:
		if (p->config->stdio && p->phase != OVER)
			write_out(p, payload.data, payload.length);
		break;
	case FLOW_CLOSED:
		p->result->closed = true;
		break;
	default:
		break;
	}
}

static void keep_early(struct path *p, unsigned socket, const struct endpoint *from,
	const uint8_t *data, size_t length)
{
	struct early *e = &p->early[p->early_count];

	if (p->early_count == EARLY_MAX || length > sizeof(e->data))
		return;
	*e = (struct early){.socket = socket, .from = *from, .length = length};
	memcpy(e->data, data, length);
	p->early_count++;
}

/* --- phases --- */

static void begin_carrying(struct path *p)
{
	enter(p, CARRYING, UINT64_MAX);
	if (!watch_input(p))
		return;
	p->result->error = -errno;
	enter(p, OVER, 0);
}

static void begin_closing(struct path *p, uint64_t now_us)
{
	flow_close(p->flow, now_us);
	enter(p, CLOSING, now_us + CLOSE_US);
}

static void connected(struct path *p, uint64_t now_us)
{
	const struct session_view *v = session_view(p->config->session);
	struct flow_config config = {.keys = session_keys(p->config->session),
		.socket = v->checks->socket,
		.remote = v->checks->remote,
		.keepalive_us = KEEPALIVE_US};

	random_init(&config.random);
	p->socket = config.socket;
	event_del(p->deadline);
	if (flow_create(&config, now_us, &p->flow)) {
		enter(p, OVER, 0);
		return;
	}
	/* one at least shows that the peer has the way, too */
	flow_ping(p->flow, now_us, p->config->count ? p->config->count : 1, p->config->interval_us);
	enter(p, MEASURING, UINT64_MAX);
	for (size_t i = 0; i < p->early_count; i++)
		take_datagram(p, p->early[i].socket, &p->early[i].from, p->early[i].data,
			p->early[i].length);
}

static void advance_measuring(struct path *p, uint64_t now_us)
{
	struct flow_statistics s = flow_statistics(p->flow);
	unsigned count = p->config->count ? p->config->count : 1;
	uint64_t patience_us = 3 * s.rtt_us > ANSWER_MIN_US ? 3 * s.rtt_us : ANSWER_MIN_US;

	if (s.pings < count)
		return;
	if (p->until_us == UINT64_MAX)
		p->until_us = now_us + patience_us;
	if (s.pongs < count && now_us < p->until_us)
		return;
	if (p->config->stdio && s.heard_us)
		begin_carrying(p);
	else
		begin_closing(p, now_us);
}

static void advance_carrying(struct path *p, uint64_t now_us)
{
	if (p->result->closed && p->input_ended) {
		begin_closing(p, now_us);
	} else if (flow_is_silent(p->flow, now_us)) {
		p->result->silent = true;
		enter(p, OVER, 0);
	}
}

static void advance_closing(struct path *p, uint64_t now_us)
{
	/* the peer's own last word may be under way when ours has been said three times */
	if (now_us >= p->until_us)
		enter(p, OVER, 0);
	else if (p->result->closed && p->until_us > now_us + CLOSE_US / 5)
		p->until_us = now_us + CLOSE_US / 5;
}

static bool is_paired(const struct session_view *v)
{
	return v->meeting && v->meeting->state == MEETING_PAIRED;
}

static void advance(struct path *p, uint64_t now_us)
{
	const struct session_view *v = session_view(p->config->session);

	switch (p->phase) {
	case PUNCHING:
		if (v->state == SESSION_CONNECTED) {
			connected(p, now_us);
		} else if (v->state == SESSION_FAILED) {
			enter(p, FAILING, is_paired(v) ? now_us + FAILED_US : now_us);
		}
		break;
	case MEASURING:
		advance_measuring(p, now_us);
		break;
	case CARRYING:
		advance_carrying(p, now_us);
		break;
	case CLOSING:
		advance_closing(p, now_us);
		break;
	case FAILING:
		if (now_us < p->until_us)
			break;
		enter(p, LEAVING, now_us + LEAVE_US);
		leave(p);
		break;
	case LEAVING:
		if (now_us >= p->until_us)
			enter(p, OVER, 0);
		break;
	case OVER:
		break;
	}
	/* who has heard the channel does not need the server any more, and neither does the peer */
	if (p->flow && flow_statistics(p->flow).heard_us)
		leave(p);
}

static void arm(struct path *p, uint64_t now_us, uint64_t deadline_us)
{
	struct timeval wait;
	uint64_t us;

	if (p->until_us < deadline_us)
		deadline_us = p->until_us;
	if (p->phase == CARRYING && now_us + KEEPALIVE_US < deadline_us)
		deadline_us = now_us + KEEPALIVE_US; /* for the silence */
	if (deadline_us == UINT64_MAX) {
		event_del(p->timer);
		return;
	}
	us = deadline_us > now_us ? deadline_us - now_us : 0;
	wait = (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
	event_add(p->timer, &wait);
}

static void turn(struct path *p)
{
	uint64_t now_us = clock_now_us();
	struct flow_output out = {.deadline_us = UINT64_MAX};

	advance(p, now_us);
	while (p->flow && flow_poll(p->flow, now_us, &out) == FLOW_SEND)
		transmit(p, &out);
	if (p->phase != OVER)
		arm(p, now_us, p->flow ? out.deadline_us : UINT64_MAX);
}

/* --- events --- */

static void on_changed(void *context)
{
	struct path *p = context;

	if (p->config->changed)
		p->config->changed(p->config->context);
	turn(p);
}

static void on_datagram(void *context, unsigned socket, const struct endpoint *from,
	const uint8_t *data, size_t length)
{
	struct path *p = context;

	if (!p->flow) {
		keep_early(p, socket, from, data, length);
		return;
	}
	take_datagram(p, socket, from, data, length);
	turn(p);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct path *p = context;

	(void)fd;
	(void)what;
	carrier_turn(p->carrier);
	turn(p);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct path *p = context;

	(void)fd;
	(void)what;
	p->result->late = true;
	enter(p, FAILING, clock_now_us());
	turn(p);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct path *p = context;

	(void)what;
	p->result->signal = (int)number;
	if (p->flow)
		flow_close(p->flow, clock_now_us());
	leave(p);
	turn(p);
	enter(p, OVER, 0);
}

/* --- begin and end --- */

static int create_events(struct path *p)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
	const uint64_t limit_us = p->config->limit_us;
	struct timeval limit = {(time_t)(limit_us / 1000000), (suseconds_t)(limit_us % 1000000)};

	p->timer = event_new(p->base, -1, 0, on_timer, p);
	p->deadline = event_new(p->base, -1, 0, on_deadline, p);
	if (!p->timer || !p->deadline || event_add(p->deadline, &limit))
		return -ENOMEM;
	for (int i = 0; i < SIGNALS; i++) {
		p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p);
		if (!p->signals[i] || event_add(p->signals[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

/* Regular files work with poll only. */
static int create_base(struct path *p)
{
	struct event_config *config = event_config_new();

	if (!config)
		return -ENOMEM;
	event_config_require_features(config, EV_FEATURE_FDS);
	p->base = event_base_new_with_config(config);
	event_config_free(config);
	return p->base ? 0 : -ENOMEM;
}

static int begin(struct path *p)
{
	const struct path_config *c = p->config;
	struct carrier_config carrier = {.session = c->session,
		.interface = c->interface,
		.local = {c->local[0], c->local[1]},
		.changed = on_changed,
		.datagram = on_datagram,
		.context = p};
	int err = create_base(p);

	if (!err)
		err = create_events(p);
	carrier.base = p->base;
	if (!err)
		err = carrier_create(&carrier, &p->carrier);
	return err;
}

/* Of a socket that is bound to no address it is the one that the route to the peer chooses. */
static void find_local(struct path *p)
{
	const struct session_view *v = session_view(p->config->session);
	struct endpoint *local = &p->result->local, source;

	if (udp_local(p->result->fd, local) ||
		udp_source_towards(&v->checks->remote, p->config->interface, &source))
		return;
	source.port = local->port;
	*local = source;
}

static void finish(struct path *p)
{
	struct path_result *r = p->result;

	if (p->flow) {
		r->flow = flow_statistics(p->flow);
		r->stood = r->flow.heard_us != 0;
		r->fd = carrier_take(p->carrier, p->socket);
	}
	if (r->fd >= 0)
		find_local(p);
	else
		r->fd = -1;
	flow_destroy(p->flow);
	carrier_destroy(p->carrier);
	for (int i = 0; i < SIGNALS; i++)
		if (p->signals[i])
			event_free(p->signals[i]);
	if (p->input)
		event_free(p->input);
	if (p->timer)
		event_free(p->timer);
	if (p->deadline)
		event_free(p->deadline);
	if (p->base)
		event_base_free(p->base);
}

int path_run(const struct path_config *config, struct path_result *out)
{
	struct path p = {.config = config, .result = out, .until_us = UINT64_MAX};
	int err;

	*out = (struct path_result){.fd = -1};
	err = begin(&p);
	if (!err) {
		carrier_turn(p.carrier);
		if (p.phase != OVER)
			event_base_dispatch(p.base);
	}
	finish(&p);
	return err;
}
