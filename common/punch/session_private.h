// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "probe/probe.h"
#include "probe/tcp_probe.h"
#include "punch/line.h"
#include "punch/depth.h"
#include "punch/lifetime.h"
#include "punch/query.h"
#include "punch/session.h"

/* What the files of a session share; nobody else includes this. */

#define SECRET_MAX	 256
#define ATTEMPTS_A_ROUND 32 /* attempts are numbered through: more than there are plans */

enum stage {
	STAGE_PREPARING, /* new sockets, and what the other side has to know of them */
	STAGE_READY, /* both sides have to be, at the server */
	STAGE_RUNNING,
};

/* Sockets that we have asked for. */
enum opening { OPENING_NONE, OPENING_WANTED, OPENING_ASKED, OPENING_DONE, OPENING_FAILED };

struct session_main {
	unsigned socket;
	enum opening state;
	struct endpoint local;
	/* TCP */
	unsigned tries, refusals;
	uint64_t due_us, asked_us, open_us;
	bool late;
};

/* The server over TCP. */
struct session_stream {
	enum opening state;
	enum family family; /* of the present or next try */
	bool used; /* the meeting is over it */
	unsigned tries;
	uint64_t due_us;
	bool refused[2]; /* TCP, by a RST */
	unsigned refusals[2]; /* UDP, by ICMP errors of the server's host */
};

/* ICMP errors to the other side, of the present attempt. */
struct session_signal {
	uint64_t begin_us;
	unsigned step, error; /* the next one */
};

/* In place of a meeting: of these two at most one. */
struct session_knocking {
	struct meeting_view view;
	struct waiter *waiter;
	struct knocker *knocker;
	struct knock words; /* of who waits, for its visitor */
	struct session_main far; /* of who knocks, beside the main socket */
	struct knock_egress egress; /* … beside it */
	bool egress_begun, egress_sent; /* sent: the latest error was of it */
	struct knocker_counts counts; /* … of the knocks before the present one */
	bool rested;
	uint16_t port; /* classic: of who knocks; 0: any */
};

/* In place of a meeting. */
struct session_manual {
	struct meeting_view view;
	char line[LINE_TEXT_MAX];
	uint64_t own_time_s, peer_time_s;
	uint64_t refresh_us;
	uint32_t slot_us, active_us;
	unsigned slot; /* the present one, or the next */
	uint64_t begin_us, end_us; /* of its packets */
};

struct session {
	struct session_config config;
	struct session_view view;
	uint8_t secret[SECRET_MAX];
	size_t secret_length;
	struct session_main main[2], old[2]; /* old ones that have yet to be closed */
	unsigned next_main;
	enum family meeting_family;
	struct meeting *meeting; /* NULL: not yet, or manual */
	struct session_manual manual;
	struct session_knocking knock;
	struct session_signal signal;
	bool has_main; /* one at least */
	struct probe *probes[2];
	struct tcp_probe *tcp_probes[2];
	unsigned probe_sockets[2]; /* that have been asked for */
	bool probe_open[2][SESSION_PROBE6 - SESSION_PROBE4];
	struct depth depths[2];
	struct lifetime lifetime;
	bool lifetime_noted;
	bool measured, asked_anew;
	struct session_stream stream;
	uint64_t turn_us; /* the other family's turn to reach the server */
	struct query reflexive[2]; /* where the meeting does not show it */
	struct query latest;
	enum opening latest_state;
	uint64_t latest_us; /* TCP: when it was asked for */
	unsigned latest_socket; /* SESSION_SOCKETS: none is open */
	struct cpace cpace;
	bool began_cpace, has_keys;
	uint8_t own_share[CPACE_POINT_BYTES], peer_share[CPACE_POINT_BYTES];
	struct keys keys;
	uint32_t peer_version; /* of the slot that has been taken */
	bool published; /* the peer can know of the hello */
	bool tells; /* a hello is due, whatever is in it */
	struct checks *checks;
	struct tcp_checks *tcp_checks; /* in its place */
	struct pair_tcp_advice tcp_advice; /* of which view.plans are */
	enum stage stage;
	uint64_t stage_us, begin_us, wait_until_us;
	uint64_t round_us; /* when this round began */
	uint64_t stood_us; /* … and when its way was proved */
	unsigned spent; /* socket of a way that works no more; SESSION_SOCKETS: none */
	unsigned spent_main
		[2]; /* TCP: connections to the server that have ended; SESSION_SOCKETS: none */
	uint64_t lost_us; /* since when there is none to meet over; 0: there is one */
	uint64_t refresh_us; /* … and when the one that is idle is used again */
	bool leaving;
};

/* --- session_measure.c: what our own NATs are like --- */
int session_measure_begin(struct session *s, uint64_t now_us);
/* Of a prober's socket, numbered from 0. */
void session_measure_opened(struct session *s, uint64_t now_us, int f, unsigned socket, int error,
	const struct endpoint *local);
/* What the probers want; else *deadline_us may become earlier. */
bool session_measure_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
/* Facts into the own hello, when there are all. */
void session_measure_advance(struct session *s, uint64_t now_us);
/* Whether there is nothing more to wait for before that. */
bool session_measure_is_due(const struct session *s);
/* The sockets of a measurement that is over, one after the other. */
bool session_measure_poll_closing(struct session *s, int f, struct session_output *out);
/* How far off the agreed moment this side may begin. */
uint32_t session_sync_error_us(const struct session *s);

/* --- session_measure_tcp.c: the same over TCP --- */
int session_measure_tcp_begin(struct session *s, uint64_t now_us);
bool session_measure_tcp_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
void session_measure_tcp_end(struct session *s, uint64_t now_us, const struct verdict *verdict);

/* --- session_exchange.c: keys and hellos --- */
int session_exchange_begin(struct session *s, uint64_t now_us);
/* The own slot anew. */
void session_publish(struct session *s, uint64_t now_us);
/* What has come in the other's slot. */
void session_exchange_advance(struct session *s, uint64_t now_us);

/* ad: what the other side has said in the open, and is agreed on by the keys. */
void session_make_keys(struct session *s, uint64_t now_us, const uint8_t *share, struct span ad);

/* --- session_manual.c: without a rendezvous server --- */
void session_manual_begin(struct session *s);
void session_manual_advance(struct session *s, uint64_t now_us);
uint64_t session_manual_deadline(const struct session *s);
/* Whether all that has come was sealed by somebody with other keys. */
bool session_manual_is_wrong(const struct session *s);
/* The slot and the plan of now, or the next where it is too late for that. */
void session_manual_first_slot(struct session *s, uint64_t now_us);
void session_manual_next_slot(struct session *s, uint64_t now_us);
#define SESSION_MANUAL_SECOND_US 2000000 /* who has to be second, after the slot's beginning */
bool session_manual_may_go(const struct session *s, uint64_t now_us, bool second);

/* --- session_knock.c: without any server --- */
int session_knock_begin(struct session *s, uint64_t now_us);
void session_knock_end(struct session *s);
void session_knock_advance(struct session *s, uint64_t now_us);
uint64_t session_knock_deadline(const struct session *s);
void session_knock_plan(struct session *s);
/* The way that stood does no more: knocks, or waits for it, and the sides know each other. */
void session_knock_again(struct session *s, uint64_t now_us);
/* An attempt in vain: from the beginning. */
void session_knock_give_up(struct session *s, uint64_t now_us);
bool session_knock_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
/* Whether it was for the knock. */
bool session_knock_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);
bool session_knock_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);
bool session_knock_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, struct span quoted);

/* --- session_signal.c: ICMP errors beside the server --- */
bool session_signal_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
/* Whether it was one of the other side, or of ours that could not be sent. */
bool session_signal_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct icmp_seen *error, struct span quoted);

/* Whether nobody but the two takes part. */
static inline bool session_is_alone(const struct session *s)
{
	return s->config.manual || s->config.knock.on;
}

/* --- session_peer.c: where the other side may be --- */
/* As the server sees it, or as it says itself where it meets over TCP or the other family; FAMILY_NONE: not known. */
struct endpoint session_peer_endpoint(const struct session *s);
/* Whether nobody but one of server and peer says so. */
bool session_is_claimed(const struct session *s, const struct endpoint *e);
bool session_is_own_address(const struct session *s, const struct endpoint *e);
/* … with the port of our main socket: a packet from there would be a LAND attack on ourselves. */
bool session_is_own(const struct session *s, const struct endpoint *e);
void session_add_candidates(struct session *s, uint64_t now_us);

/* --- session_attempt.c: one plan after the other --- */
void session_attempts_begin(struct session *s, uint64_t now_us);
/* The other side may have begun a new round. */
void session_heed_round(struct session *s, uint64_t now_us);
void session_attempt_advance(struct session *s, uint64_t now_us);
/* What this side has told of itself is true no more. */
void session_attempt_unsettle(struct session *s, uint64_t now_us);
bool session_attempt_is_running(const struct session *s);
/* When it has to be called again at the latest. */
uint64_t session_attempt_deadline(const struct session *s, uint64_t now_us);

/* --- session_ways.c: the checks of either transport, as checks.h says --- */
bool session_has_ways(const struct session *s);
void session_ways_create(struct session *s);
void session_ways_destroy(struct session *s);
/* They get the main sockets that are open. */
void session_set_mains(struct session *s);
void session_ways_add(struct session *s, uint64_t now_us, enum check_kind kind,
	const struct endpoint *e, bool vouched);
/* The present attempt; further: not from main sockets. */
void session_ways_begin(struct session *s, uint64_t now_us, unsigned number, bool further);
unsigned session_ways_further(const struct session *s);
bool session_ways_are_open(struct session *s);
void session_ways_go(struct session *s, uint64_t now_us, const struct checks_target *target);
void session_ways_release(struct session *s, uint64_t now_us);
bool session_ways_candidates_are_tried(const struct session *s);
bool session_ways_have_sent_all(const struct session *s);
void session_ways_pause(struct session *s);
void session_ways_again(struct session *s);
bool session_ways_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
void session_ways_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);
bool session_ways_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);

/* --- session_stream.c: the server over TCP --- */
void session_stream_begin(struct session *s, uint64_t now_us);
bool session_stream_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
void session_stream_opened(struct session *s, uint64_t now_us, int error);
/* The server's host refuses UDP: TCP is tried at once. */
void session_stream_refused(struct session *s, uint64_t now_us, int f);
/* Nothing listens there, neither over UDP nor over TCP. */
bool session_server_is_closed(const struct session *s);

/* --- session_sockets.c --- */
struct session_main session_new_main(struct session *s);
/* Where the main sockets can be reached, as far as is known, into the own hello. */
void session_collect_candidates(struct session *s);
/* Any family may be broken: until the server has answered they take turns. */
void session_take_turns(struct session *s, uint64_t now_us);
bool session_poll_sockets(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
/* 0 or -ENOMEM. */
int session_begin_meeting(struct session *s, uint64_t now_us, int f);
bool session_want_open(struct session_output *out, unsigned socket, enum family family);
/* How the main socket of a family is seen from outside. */
void session_ask_reflexive(struct session *s, uint64_t now_us, int f);
bool session_main_is_pending(const struct session *s, int f);
/* New main sockets, and an own hello with their endpoints once they are known. */
void session_renew_sockets(struct session *s);
bool session_sockets_are_current(const struct session *s);

/* --- session_connect.c: main sockets over TCP --- */
void session_main_connected(struct session *s, uint64_t now_us, int f);
void session_main_failed(struct session *s, uint64_t now_us, int f, int error);
/* Whether it may be connected now. */
bool session_main_is_due(const struct session *s, uint64_t now_us, int f);
/* It takes its time, while the other family is there. */
bool session_main_is_late(const struct session *s, int f);
void session_connect_advance(struct session *s, uint64_t now_us);
uint64_t session_connect_deadline(const struct session *s);

/* --- session.c --- */
void session_fail(struct session *s, uint64_t now_us, enum session_failure failure);
