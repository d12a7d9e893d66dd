// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "probe/icmp_probe.h"
#include "wire/icmp.h"

/* What the files of the ICMP prober share: its state, and how a question is put. */

#define ICMP_SERVERS	  (JOURNAL_SERVERS / 6)
#define ICMP_REQUESTS	  ICMP_SOCKETS
#define ICMP_ERRANDS	  96
#define ICMP_ERRAND_BYTES 256
#define ICMP_KINDS	  9 /* of errors that there are, of a family at most */
#define ICMP_QUESTIONS	  (2 * ICMP_KINDS) /* about each kind of flow: errors from two addresses */
#define ICMP_IDENTIFIERS  4 /* at once */
#define ICMP_EGRESSES	  4
#define ICMP_POLLS	  6 /* of what has arrived, for each token */
#define ICMP_STEPS	  9 /* of the timer */
#define ICMP_TIMER_COPIES 4 /* of each: so many that are missing can show something */
#define ICMP_TIMERS	  (ICMP_STEPS * ICMP_TIMER_COPIES)

enum icmp_socket_state {
	ICMP_SOCKET_WANTED,
	ICMP_SOCKET_OPENING, /* … or connecting */
	ICMP_SOCKET_READY,
	ICMP_SOCKET_ENDING,
	ICMP_SOCKET_ENDED,
};

/* Whose socket it is: what comes over it goes there. */
enum icmp_owner { ICMP_OF_SERVER, ICMP_OF_ERRAND, ICMP_OF_ATTEMPT, ICMP_OF_ECHO, ICMP_OF_TIMER };

struct icmp_socket {
	enum icmp_socket_kind kind;
	enum icmp_socket_state state;
	enum icmp_owner owner;
	unsigned index; /* among those of the owner */
	uint16_t port; /* wanted; 0: any */
	struct endpoint local, to;
	int error; /* negative errno: it could not be opened */
	uint8_t cookie[ICMP_COOKIE_MAX]; /* of UDP: what proves its endpoint to the server */
	size_t cookie_length;
	uint8_t in[STUN_MESSAGE_BYTES]; /* of TCP */
	size_t in_length;
};

enum icmp_purpose {
	ICMP_FOR_SERVICE,
	ICMP_FOR_TOKEN,
	ICMP_FOR_ERRAND,
	ICMP_FOR_TIMER,
	ICMP_FOR_LATER
};

/* A request to the server that has no answer yet. */
struct icmp_request {
	bool open;
	enum icmp_purpose purpose;
	unsigned index; /* of what it is for */
	unsigned socket;
	struct icmp_inquiry message;
	unsigned sent, renewed; /* renewed: with another cookie */
	uint64_t at_us; /* to be sent then, or given up */
	uint64_t first_us, last_us; /* when it was sent, under this ID */
};

enum icmp_service { ICMP_SERVICE_UNKNOWN, ICMP_SERVICE_NO, ICMP_SERVICE_YES };

struct icmp_server {
	size_t place; /* in the journal */
	struct endpoint endpoint, other; /* A1P1; A2P2 when `capable` */
	bool answered, capable;
	enum icmp_service offers;
	size_t binding, service; /* places in the journal */
	unsigned socket;
	struct stun_id id; /* of the Binding request */
	uint64_t resend_us;
	uint64_t rtt_us; /* the shortest; 0: not measured */
	uint64_t slow_us; /* the longest of a request */
	bool asked; /* for its service */
	unsigned tries; /* to send the Binding request */
};

/* What arrives at the server with it is recorded there. */
struct icmp_token {
	uint8_t bytes[ICMP_TOKEN_BYTES];
	bool known; /* to the server */
	bool asked; /* a request is open */
	unsigned polls;
};

enum { ICMP_TARGET_OWN, ICMP_TARGET_OTHER, ICMP_TARGETS };
/* One for the echos to each address of the server, and one for errors. */
enum { ICMP_TOKEN_EGRESS = ICMP_TARGETS, ICMP_TOKENS };

/* Something that is sent until an answer comes. */
struct icmp_copies {
	size_t observation; /* JOURNAL_NONE: not put */
	unsigned sent;
	unsigned due; /* EGRESS: to be sent at once */
	uint64_t at_us; /* when the next one is due; EGRESS: when they should have arrived */
	uint16_t sequence;
};

struct icmp_echo {
	unsigned socket;
	struct icmp_copies to[ICMP_TARGETS];
};

/* One echo request whose reply comes late; those of one step share a token, and have different sequence numbers. */
struct icmp_timer {
	unsigned socket;
	struct icmp_copies echo;
	bool replied, later_asked;
	uint64_t accepted_us; /* the late reply was promised; 0: not yet */
};

enum icmp_errand_phase {
	ICMP_ERRAND_OPENING,
	ICMP_ERRAND_ASKED,
	ICMP_ERRAND_PROMISED, /* the server has said which errors it will send */
	ICMP_ERRAND_OVER,
};

/* One request for errors: over a flow or connection of its own, or about an attempt to connect. */
struct icmp_errand {
	enum icmp_flow flow;
	enum icmp_errand_phase phase;
	unsigned socket;
	unsigned attempt; /* the socket of the attempt; ICMP_SOCKETS: not yet */
	uint8_t request[ICMP_ERRAND_BYTES]; /* as it was sent last … */
	unsigned requests; /* … so often */
	size_t request_length;
	struct endpoint own, other, target; /* as the server says */
	size_t count;
	size_t observation[ICMP_ERRORS_MAX];
	struct icmp_wanted wanted[ICMP_ERRORS_MAX];
	/* what has come before the answer that says where from */
	struct icmp_seen early[ICMP_ERRORS_MAX];
	unsigned early_count;
	struct icmp_early_quote {
		struct icmp_seen error;
		uint8_t defects;
	} early_quotes[ICMP_ERRORS_MAX]; /* … to the raw socket */
	unsigned early_quote_count;
	unsigned received; /* errors, of whichever kind */
	bool reported; /* the indication has come */
	unsigned repeats; /* of the request, when the flow is over … */
	bool repeat; /* … of which one is due */
	size_t after; /* the question whether the flow still works */
	uint64_t over_us;
};

/* The questions about one kind of flow. */
struct icmp_battery {
	enum icmp_flow flow;
	size_t count;
	size_t observation[ICMP_QUESTIONS];
	unsigned rounds;
	bool over;
};

enum { ICMP_BATTERY_UDP, ICMP_BATTERY_TCP, ICMP_BATTERY_ATTEMPT, ICMP_BATTERIES };

struct icmp_probe {
	struct icmp_probe_config config;
	struct journal *journal;
	struct random *random;
	uint64_t start_us;
	bool done;
	struct icmp_socket sockets[ICMP_SOCKETS];
	unsigned socket_count;
	struct icmp_request requests[ICMP_REQUESTS];
	struct icmp_server servers[ICMP_SERVERS];
	size_t server_count;
	struct icmp_server *chosen; /* the one that is asked for all that follows; NULL: not yet */
	struct icmp_token tokens[ICMP_TOKENS];
	struct icmp_echo echos[ICMP_IDENTIFIERS];
	struct icmp_copies egress[ICMP_EGRESSES];
	unsigned egress_latest; /* the one that was sent last */
	bool echo_put, egress_put, timer_put, errors_put;
	struct icmp_errand errands[ICMP_ERRANDS];
	unsigned errand_count;
	struct icmp_battery batteries[ICMP_BATTERIES];
	struct icmp_token timer_tokens[ICMP_STEPS];
	struct icmp_timer timers[ICMP_TIMERS];
	unsigned timer_count;
	bool look; /* the path MTU is wanted */
	bool mtu_known;
	uint16_t mtu; /* before all errors; 0: not known */
};

/* --- icmp_engine.c --- */

/* A socket; its number, or ICMP_SOCKETS when there are no more. */
unsigned icmp_probe_socket(struct icmp_probe *p, enum icmp_socket_kind kind, enum icmp_owner owner,
	unsigned index, uint16_t port, const struct endpoint *to);
bool icmp_probe_is_ready(const struct icmp_probe *p, unsigned socket);
/* Closes it as soon as possible. */
void icmp_probe_end(struct icmp_probe *p, unsigned socket);

/* A question to the chosen server, from a socket to `to`; JOURNAL_NONE when the journal is full. */
size_t icmp_probe_ask(
	struct icmp_probe *p, enum question question, unsigned socket, const struct endpoint *to);
struct observation *icmp_probe_observation(const struct icmp_probe *p, size_t place);
bool icmp_probe_is_open(const struct icmp_probe *p, size_t place);
void icmp_probe_settle(
	struct icmp_probe *p, uint64_t now_us, size_t place, enum observation_state state);
/* This host itself would not: positive errno. */
void icmp_probe_refuse(struct icmp_probe *p, uint64_t now_us, size_t place, int error);

/* Whether so many missing answers of the chosen server's show something. */
bool icmp_probe_is_silent(const struct icmp_probe *p, unsigned awaited);

void icmp_probe_new_id(struct icmp_probe *p, struct stun_id *id);

/* One has been sent. */
void icmp_probe_note_sent(struct icmp_probe *p, uint64_t now_us, size_t place, size_t bytes);

/* At this moment something may be due; one that has passed waits for something else. */
void icmp_probe_wake(uint64_t *deadline_us, uint64_t now_us, uint64_t at_us);

/* How long to wait for an answer before asking again, and how much later than usual something may come. */
uint64_t icmp_probe_interval_us(const struct icmp_server *s);
uint64_t icmp_probe_margin_us(const struct icmp_server *s);

/* --- icmp_requests.c --- */

/* A request over a socket, as soon as it is ready; fill: its length at least. NULL: there are too many. */
struct icmp_request *icmp_probe_request(struct icmp_probe *p, uint64_t now_us,
	enum icmp_purpose purpose, unsigned index, unsigned socket, enum icmp_ask ask);
/* Whether one has to be sent now; else *deadline_us may become earlier. */
bool icmp_probe_poll_requests(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us);
/* A message of the server came over a socket. */
void icmp_probe_take_inquiry(
	struct icmp_probe *p, uint64_t now_us, unsigned socket, const uint8_t *data, size_t length);
/* A socket has failed: what was asked over it has no answer. */
void icmp_probe_forget_requests(struct icmp_probe *p, uint64_t now_us, unsigned socket);

/* --- icmp_echo.c --- */

/* Asks the server for what has arrived with this token, or makes it known there. */
void icmp_probe_ask_token(struct icmp_probe *p, uint64_t now_us, unsigned token);
void icmp_probe_token_answered(
	struct icmp_probe *p, uint64_t now_us, unsigned token, const struct icmp_inquiry *answer);
bool icmp_probe_echo_advance(struct icmp_probe *p, uint64_t now_us);
bool icmp_probe_poll_echos(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us);
void icmp_probe_echo_reply(struct icmp_probe *p, uint64_t now_us, unsigned index,
	const struct endpoint *from, uint16_t sequence, uint8_t ttl);

/* The data of an echo request: a mark, and what makes it long enough. */
size_t icmp_probe_write_echo(const uint8_t token[static ICMP_TOKEN_BYTES], uint8_t *out);

/* --- icmp_egress.c --- */

bool icmp_probe_egress_advance(struct icmp_probe *p, uint64_t now_us);
bool icmp_probe_poll_egress(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us);
void icmp_probe_take_records(
	struct icmp_probe *p, uint64_t now_us, const struct icmp_inquiry *answer);

/* --- icmp_errors.c: what is asked; icmp_errands.c: each request --- */

bool icmp_probe_errors_advance(struct icmp_probe *p, uint64_t now_us);
/* Positive errno that a TCP connection of Linux shows for an ICMP error; 0: none. */
int icmp_probe_errno(enum family family, uint8_t type, uint8_t code);
/* NULL: there are too many. */
struct icmp_errand *icmp_probe_errand(struct icmp_probe *p, enum icmp_flow flow);
/* When all that belongs to it is there. */
void icmp_probe_begin_errand(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e);
/* Does what is due, and says whether it is over. */
bool icmp_probe_errand_is_over(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e);
/* NULL: there was no answer, or none that is one. */
void icmp_probe_errand_answered(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer);
void icmp_probe_errand_indication(struct icmp_probe *p, uint64_t now_us, unsigned index,
	const struct icmp_inquiry *indication);
/* The socket of an attempt ended so. */
void icmp_probe_attempt_ended(struct icmp_probe *p, uint64_t now_us, unsigned index, int error);
/* A connection of it has shown an error with this positive errno, and goes on. */
void icmp_probe_errand_errno(
	struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e, int error);
bool icmp_probe_poll_errands(struct icmp_probe *p, uint64_t now_us, struct icmp_output *out);
/* An error about it came: through the socket's error queue. */
void icmp_probe_errand_error(struct icmp_probe *p, uint64_t now_us, struct icmp_errand *e,
	const struct icmp_seen *error, struct span quoted);
/* Its connection is no more. */
void icmp_probe_errand_broken(struct icmp_probe *p, uint64_t now_us, unsigned index, int error);

/* --- icmp_timer.c --- */

bool icmp_probe_timer_advance(struct icmp_probe *p, uint64_t now_us, uint64_t *deadline_us);
bool icmp_probe_poll_timers(
	struct icmp_probe *p, uint64_t now_us, struct icmp_output *out, uint64_t *deadline_us);
void icmp_probe_timer_token(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer);
void icmp_probe_timer_later(
	struct icmp_probe *p, uint64_t now_us, unsigned index, const struct icmp_inquiry *answer);
void icmp_probe_timer_reply(struct icmp_probe *p, uint64_t now_us, unsigned index,
	const struct endpoint *from, uint16_t sequence);

/* --- icmp_quote.c --- */

/* What a raw socket sees of a packet that an error quotes. */
struct icmp_quote {
	enum icmp_flow flow; /* by its protocol; ICMP_FLOW_NONE: of no kind that is asked about */
	struct endpoint from, to;
	bool header_right; /* the checksum of its IP header */
	uint16_t checksum; /* of UDP; 0: none, or not there */
	struct span payload; /* of UDP, as far as it is there */
};

/*
 * Reads the packet that the body of an ICMP error begins with, into `copy`, which the result points into and which has
 * place for ICMP_DATA_BYTES: more is not looked at. -EBADMSG: it is none.
 */
int icmp_quote_read(enum family family, uint8_t type, const uint8_t rest[static 4],
	struct span body, uint8_t copy[static ICMP_DATA_BYTES + 8], struct icmp_quote *out);

/* The checksum of a UDP datagram, which was sent from here with this payload. */
uint16_t icmp_quote_checksum(
	const struct endpoint *from, const struct endpoint *to, const void *payload, size_t length);
