// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "base/clock.h"
#include "punch/lifetime.h"
#include "tools/punch/path_private.h"

/* From phase to phase. */

#define ANSWER_MIN_US \
	1000000u /* how long an answer to the last round trip is waited for, at least */
#define CLOSE_US     1500000u /* … and the peer's last word */
#define CLOSE_TCP_US 15000000u /* … over TCP, which repeats by itself and says when it is over */
#define FAILED_US    1000000u /* how long the peer can still hear that and why this side has failed */
#define LEAVE_US     150000u /* … and for the way of the message that it goes */
#define REPAIR_PINGS 3 /* round trips over a way that was punched anew */

void path_enter(struct path *p, enum phase phase, uint64_t until_us)
{
	p->phase = phase;
	p->until_us = until_us;
	if (phase == OVER)
		event_base_loopbreak(p->base);
}

/* --- what is carried --- */

void path_transmit(struct path *p, const struct flow_output *out)
{
	/* what cannot leave now is lost, as on the way */
	carrier_send(p->carrier, out->socket, &out->to, out->data, out->length);
}

void path_leave(struct path *p)
{
	if (p->left)
		return;
	p->left = true;
	session_leave(p->config->session, clock_now_us());
	carrier_turn(p->carrier);
}

void path_stop(struct path *p)
{
	uint64_t now_us = clock_now_us();

	if (p->phase >= LEAVING)
		return;
	event_del(p->deadline);
	path_way_close(p, now_us);
	path_enter(p, LEAVING, now_us + LEAVE_US);
	path_leave(p);
	path_turn(p);
}

static bool is_kept(const struct path *p)
{
	return p->config->use != PATH_MEASURE;
}

/* Each side chooses for itself what the way is for. */
static void note_other_use(struct path *p, bool other, const char *text)
{
	if (other && !p->other_use && is_kept(p))
		trail_step(p->config->trail, clock_now_us(), "path: %s", text);
	p->other_use |= other;
}

static void take_datagram(struct path *p, unsigned socket, const struct endpoint *from,
	const uint8_t *data, size_t length)
{
	struct flow_payload payload;

	switch (flow_input(p->flow, clock_now_us(), socket, from, data, length, &payload)) {
	case FLOW_DATA:
		note_other_use(p, p->config->use == PATH_FORWARD,
			"the other side sends lines (--stdio), and this side forwards a port");
		path_use_data(p, payload.data, payload.length);
		break;
	case FLOW_FORWARDED:
		note_other_use(p, p->config->use != PATH_FORWARD,
			"the other side forwards a port (-L, --to), and this side does not");
		path_use_forwarded(p, payload.id, payload.data, payload.length);
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

	if (p->early_count == PATH_EARLY || length > sizeof(e->data))
		return;
	*e = (struct early){.socket = socket, .from = *from, .length = length};
	memcpy(e->data, data, length);
	p->early_count++;
}

/* --- phases --- */

static void note_way(struct path *p, uint64_t now_us, const char *what)
{
	char local[ENDPOINT_TEXT], peer[ENDPOINT_TEXT];

	trail_step(p->config->trail, now_us, "path: %s, from %s to %s", what,
		endpoint_format(&p->result->local, local), endpoint_format(&p->result->peer, peer));
}

static void begin_carrying(struct path *p)
{
	path_enter(p, CARRYING, UINT64_MAX);
	p->result->flow = path_way_statistics(p);
	p->result->stood = true;
	note_way(p, clock_now_us(), "stands");
	watch_end(&p->config->watch); /* what the way carries then is nobody's business */
	if (p->config->stands)
		p->config->stands(p->config->context, p->result);
	session_measure_lifetime(p->config->session, clock_now_us());
	p->result->error = path_use_begin(p);
	if (p->result->error)
		path_stop(p);
}

static void begin_closing(struct path *p, uint64_t now_us)
{
	path_way_close(p, now_us);
	path_enter(p, CLOSING, now_us + (p->config->tcp ? CLOSE_TCP_US : CLOSE_US));
	path_leave(p);
}

static void connected(struct path *p, uint64_t now_us)
{
	event_del(p->deadline);
	p->result->error = path_way_begin(p, now_us);
	if (p->result->error) {
		path_enter(p, OVER, 0);
		return;
	}
	/* one at least shows that the peer has the way, too */
	path_way_ping(p, now_us, p->config->count ? p->config->count : 1);
	path_enter(p, MEASURING, UINT64_MAX);
	for (size_t i = 0; i < p->early_count; i++)
		take_datagram(p, p->early[i].socket, &p->early[i].from, p->early[i].data,
			p->early[i].length);
}

static void lose(struct path *p, uint64_t now_us)
{
	p->result->silent = true;
	path_enter(p, LEAVING, now_us + LEAVE_US);
	path_leave(p);
}

static void give_up(struct path *p, uint64_t now_us)
{
	lose(p, now_us);
	p->result->silent = !p->result->closed; /* else it may just have gone */
}

static void advance_measuring(struct path *p, uint64_t now_us)
{
	struct flow_statistics s = path_way_statistics(p);
	unsigned count = p->config->count ? p->config->count : 1;
	uint64_t patience_us = 3 * s.rtt_us > ANSWER_MIN_US ? 3 * s.rtt_us : ANSWER_MIN_US;

	if (path_way_is_broken(p) && s.heard_us) {
		give_up(p, now_us);
		return;
	}
	if (s.pings < count && !path_way_is_broken(p) && !path_way_is_closed(p))
		return;
	if (p->until_us == UINT64_MAX)
		p->until_us = now_us + patience_us;
	if (!s.heard_us) {
		/* pings go on, and one is enough */
		p->until_us = path_way_silent_at(p);
		p->mute = now_us >= p->until_us;
	}
	if (p->mute) {
		path_enter(p, LEAVING, now_us + LEAVE_US);
		path_leave(p);
	} else if (now_us < p->until_us && !path_way_is_closed(p) &&
		(s.pongs < count || !s.heard_us)) {
		return;
	} else if (is_kept(p)) {
		begin_carrying(p);
	} else {
		begin_closing(p, now_us);
	}
}

/* --- a way that is kept --- */

/* The more is known of the own NAT's lifetime, the better they fit. */
static void adapt_keepalives(struct path *p)
{
	const struct session_view *v = session_view(p->config->session);
	uint64_t us = lifetime_keepalive_us(v->lifetime_at_least_s, v->lifetime_below_s);

	if (us != p->keepalive_us && p->flow)
		flow_set_keepalive(p->flow, us);
	p->keepalive_us = us;
}

static void note_moves(struct path *p, uint64_t now_us)
{
	struct endpoint remote;
	unsigned moves;
	char text[ENDPOINT_TEXT];

	if (!p->flow) /* a connection does not */
		return;
	remote = flow_remote(p->flow);
	moves = flow_statistics(p->flow).moves;
	if (moves != p->moves)
		trail_step(p->config->trail, now_us, "path: the peer is at %s now",
			endpoint_format(&remote, text));
	p->moves = moves;
	p->result->peer = remote;
}

static void begin_repair(struct path *p, uint64_t now_us)
{
	p->repairing = true;
	p->until_us = now_us + p->config->limit_us;
	if (!p->config->tcp)
		return;
	path_way_end(p);
	path_use_changed(p);
}

static void end_repair(struct path *p, uint64_t now_us)
{
	p->repairing = false;
	p->until_us = UINT64_MAX;
	p->result->rounds = session_view(p->config->session)->round;
	p->result->error = path_way_again(p, now_us);
	if (p->result->error) {
		path_stop(p);
		return;
	}
	path_way_ping(p, now_us, REPAIR_PINGS);
	path_use_changed(p);
	note_way(p, now_us, "stands again");
	if (p->input_ended) /* the old way may have taken the last word with it */
		path_way_close(p, now_us);
}

/* Also where one side has said its last word: the other goes on, or the server knows that it has gone. */
static void take_silence(struct path *p, uint64_t now_us)
{
	if (path_way_is_broken(p))
		trail_step(p->config->trail, now_us, "path: the connection has ended: %s",
			strerror(-tunnel_error(p->tunnel)));
	else
		trail_step(p->config->trail, now_us, "path: the peer does not answer any more");
	/* what was on its way in a stream is lost, and nobody knows how much */
	if (p->config->tcp && p->config->use == PATH_STDIO) {
		give_up(p, now_us);
		return;
	}
	if (!session_again(p->config->session, now_us)) {
		trail_step(p->config->trail, now_us, "path: there is no plan to punch it anew");
		give_up(p, now_us);
		return;
	}
	trail_step(p->config->trail, now_us, "path: it is punched anew");
	begin_repair(p, now_us);
	carrier_turn(p->carrier);
}

static void advance_carrying(struct path *p, uint64_t now_us)
{
	enum session_state state = session_view(p->config->session)->state;

	note_moves(p, now_us);
	adapt_keepalives(p);
	if (path_use_differs(p)) {
		p->result->differs = true;
		begin_closing(p, now_us);
	} else if (path_use_is_cut(p)) {
		trail_step(p->config->trail, now_us,
			"path: the peer has ended before all was carried");
		lose(p, now_us);
	} else if (path_use_is_done(p) ||
		(p->result->closed && (p->input_ended || p->config->use != PATH_STDIO)))
		begin_closing(p, now_us);
	else if (state == SESSION_FAILED || (p->repairing && now_us >= p->until_us))
		give_up(p, now_us);
	else if (p->repairing && state == SESSION_CONNECTED)
		end_repair(p, now_us);
	else if (!p->repairing && state != SESSION_CONNECTED)
		begin_repair(p, now_us); /* the other side has found it silent */
	else if (!p->repairing && now_us >= path_way_silent_at(p))
		take_silence(p, now_us);
}

static void advance_closing(struct path *p, uint64_t now_us)
{
	/* the peer's own last word may be under way when ours has been said three times */
	if (now_us >= p->until_us || path_way_is_done(p) || path_way_is_broken(p))
		path_enter(p, OVER, 0);
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
			event_del(p->deadline);
			path_enter(p, FAILING, is_paired(v) ? now_us + FAILED_US : now_us);
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
		path_enter(p, LEAVING, now_us + LEAVE_US);
		path_leave(p);
		break;
	case LEAVING:
		if (now_us >= p->until_us)
			path_enter(p, OVER, 0);
		break;
	case OVER:
		break;
	}
	/* who has heard the channel does not need the server any more, unless the way is to be kept */
	if (!is_kept(p) && path_way_exists(p) && path_way_statistics(p).heard_us)
		path_leave(p);
}

static void arm(struct path *p, uint64_t now_us, uint64_t deadline_us)
{
	struct timeval wait;
	uint64_t us;

	if (p->until_us < deadline_us)
		deadline_us = p->until_us;
	if (p->phase == CARRYING && !p->repairing && path_way_silent_at(p) < deadline_us)
		deadline_us = path_way_silent_at(p);
	if (deadline_us == UINT64_MAX) {
		event_del(p->timer);
		return;
	}
	us = deadline_us > now_us ? deadline_us - now_us : 0;
	wait = (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
	event_add(p->timer, &wait);
}

void path_turn(struct path *p)
{
	uint64_t now_us = clock_now_us();
	uint64_t deadline_us = UINT64_MAX;

	/* twice: the last ping may have gone out just now, and perhaps nothing comes any more */
	for (int i = 0; i < 2; i++) {
		advance(p, now_us);
		deadline_us = path_way_turn(p, now_us);
	}
	if (p->phase != OVER)
		arm(p, now_us, deadline_us);
}

void path_changed(void *context)
{
	struct path *p = context;
	int err;

	if (p->config->changed)
		p->config->changed(p->config->context);
	err = path_use_paste(p);
	if (err) {
		p->result->error = err;
		path_enter(p, OVER, 0);
		return;
	}
	path_turn(p);
}

void path_datagram(void *context, unsigned socket, const struct endpoint *from, const uint8_t *data,
	size_t length)
{
	struct path *p = context;

	if (!p->flow) {
		keep_early(p, socket, from, data, length);
		return;
	}
	take_datagram(p, socket, from, data, length);
	path_turn(p);
}
