// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "journal/journal.h"
#include "journal/trail.h"
#include "judge/behaviour.h"
#include "judge/plan.h"
#include "punch/checks.h"
#include "punch/egress.h"
#include "punch/hello.h"
#include "punch/knocker.h"
#include "punch/keys.h"
#include "punch/meeting.h"
#include "punch/tcp_checks.h"
#include "punch/waiter.h"

/*
 * One side of a punch, from a code to a proved way, without I/O: measures the own NATs, meets the other side at
 * natprobed, proves the code, plans together with it, and goes through the plans until one succeeds or
 * none is left. The caller carries its packets and wakes it at its deadline. Over UDP or TCP: of that the kind of its
 * sockets depends, how it measures and what a plan does; all the rest is the same.
 *
 * Over TCP the main sockets are connections to the server, which show and keep the mapping of their local port; and
 * every socket has SO_REUSEADDR and SO_REUSEPORT, since several share a port.
 */

enum session_socket {
	SESSION_MAIN = 0, /* of both families, and those of later attempts */
	SESSION_FURTHER = 32, /* of strategies */
	SESSION_LATEST = 400, /* of predictions, one an attempt */
	SESSION_LIFETIME = 440, /* of the lifetime of bindings */
	SESSION_DEPTH = 480, /* of the depth of the NATs, of both families */
	SESSION_PROBE4 = 512, /* of the measurement */
	SESSION_PROBE6 = 640,
	SESSION_STREAM = 768, /* no socket of UDP, but a TCP connection to the server */
	SESSION_RAW = 769, /* … but one of ICMP */
	SESSION_LINKS = 1024, /* TCP: see tcp_checks.h */
	SESSION_SOCKETS = SESSION_LINKS + TCP_CHECKS_SOCKETS,
};

#define SESSION_MORE_SERVERS 6

/* Without any server: see knock.h. */
struct session_knock {
	bool on;
	bool waits; /* else it knocks at `target`, whose port is 0 where the code says it */
	struct knock_key key;
	struct endpoint target;
	struct endpoint dark[2]; /* FAMILY_NONE: as code and time say */
	struct endpoint from
		[HELLO_CANDIDATES]; /* own addresses: who waits is to be knocked at there; of who knocks one */
	size_t from_count;
	bool classic; /* see classic.h: IPv4 only */
};

struct session_config {
	bool tcp;
	struct endpoint servers[2]; /* natprobed or STUN server, IPv4 and IPv6; FAMILY_NONE: none */
	struct endpoint hosts[HELLO_CANDIDATES]; /* addresses of this host, ports ignored */
	size_t host_count;
	/* without a rendezvous server: lines are exchanged, and servers, of which there may be more, are STUN servers */
	bool manual;
	struct endpoint more[SESSION_MORE_SERVERS];
	size_t more_count;
	bool signals; /* ICMP errors can be sent, and are one more way to the other side; not over TCP */
	struct session_knock knock; /* then a server is a STUN server, and may be missing */
	uint64_t utc_us; /* at session_create */
	bool allocate; /* the server chooses a nameplate, and code_ready is called with it */
	uint8_t id[RENDEZVOUS_SESSION_BYTES]; /* else: of the nameplate */
	struct span secret; /* both sides have the same; copied */
	uint32_t packets_max; /* in one attempt; not of TCP */
	uint16_t
		sockets_max; /* over TCP: connections that are being opened; who waits for a knock: further flows */
	uint32_t rate_pps; /* over TCP: connections a second */
	uint64_t wait_us; /* for the other side, at most */
	struct random random;
	struct trail *trail;
	struct journal *journal; /* of the measurement */
	/* What a capture beside the sockets has of packets to the other side and from it; false: there is none. Or NULL. */
	bool (*captured)(void *context, unsigned *left, unsigned *arrived);
	void *captured_context;
};

enum session_action {
	SESSION_WAIT,
	SESSION_OPEN, /* a socket of `family`, over TCP bound to `port`, or any (0) */
	/* begin to connect to `to`; over TCP a socket that is not there yet is opened, bound to `port` */
	SESSION_CONNECT,
	SESSION_LISTEN, /* TCP: as SESSION_CONNECT, but let it listen */
	SESSION_SEND,
	SESSION_ERROR, /* an ICMP error, which quotes a datagram with `data`; if it cannot leave: session_error of SESSION_RAW */
	SESSION_ECHO, /* an ICMP echo request, `type`, of nothing but zeros, from `local` to `to`; if it cannot leave: the same */
	SESSION_CLOSE, /* over TCP what is connected with a RST */
};

struct session_output {
	enum session_action action;
	unsigned socket;
	enum family family; /* of SESSION_OPEN and SESSION_LISTEN */
	struct endpoint local; /* of SESSION_OPEN: to be bound to; FAMILY_NONE: as usual */
	uint16_t port; /* of those and SESSION_CONNECT, and over UDP of SESSION_OPEN; 0: as usual */
	unsigned syns; /* of SESSION_CONNECT: so many at most; 0: as usual */
	struct endpoint to; /* of SESSION_CONNECT, and of SESSION_SEND over UDP */
	uint8_t ttl; /* 0: as usual; of SESSION_CONNECT: of the first SYN, whose ICMP error is not heeded */
	/* of SESSION_ERROR and SESSION_ECHO */
	uint8_t type, code;
	bool quotes_echo; /* an echo request as that of SESSION_ECHO, and no datagram */
	struct endpoint quoted_from, quoted_to;
	uint8_t data[STUN_MESSAGE_BYTES];
	size_t length;
	uint64_t deadline_us; /* of SESSION_WAIT */
};

enum session_state {
	SESSION_REGISTERING,
	SESSION_WAITING, /* for the other side */
	SESSION_EXCHANGING,
	SESSION_PUNCHING,
	SESSION_CONNECTED,
	SESSION_FAILED,
};

enum session_failure {
	SESSION_NO_FAILURE,
	SESSION_NO_SOCKET, /* of any family with a server */
	SESSION_UNREACHABLE, /* the server */
	SESSION_REFUSED, /* by the server: error_code */
	SESSION_NO_PEER, /* nobody came in time */
	SESSION_PEER_LEFT,
	SESSION_PEER_SILENT, /* came, and stopped to answer at the server */
	SESSION_WRONG_CODE, /* the other side does not know it */
	SESSION_BAD_PEER, /* what it says cannot be understood */
	SESSION_OTHER_TRANSPORT, /* one punches over UDP and the other over TCP */
	SESSION_NO_FAMILY, /* the sides have no address family in common */
	SESSION_NO_PATH, /* all plans have failed, or there is none */
};

/* Of a session without any server. */
struct session_knock_view {
	bool on, waits, classic;
	bool met; /* a knock was good, or answered */
	struct endpoint target; /* of who knocks */
	struct endpoint source; /* of who knocks: the local address towards it */
	struct knock_egress_result
		egress; /* of who knocks, where it has a server for that; else all 0 */
	struct endpoint visitor; /* where the latest knock or the answer came from */
};

struct session_view {
	enum session_state state;
	enum session_failure failure;
	unsigned error_code;
	bool tcp, manual;
	bool server_taken; /* TCP: a connection to the server has come about */
	int server_error; /* TCP: how the latest attempt to connect to the server ended, a negative errno; 0: none has failed */
	struct session_knock_view knock;
	bool signals; /* as configured */
	unsigned signals_sent, signals_unsent,
		signals_heard; /* ICMP errors between the two sides */
	int signal_error; /* of the latest that could not leave this host; negative errno */
	const struct waiter_counts *waited; /* for a knock; NULL: not this side */
	const struct knocker_counts *knocked; /* NULL: not this side, or not yet */
	const char *line; /* for the other side, when manual; NULL: not yet */
	unsigned lines; /* that there have been: a mapping that has changed needs another one */
	uint32_t number; /* of an allocated nameplate; 0: not yet, or none was asked for */
	unsigned side; /* ours in the plans: 0 or 1 */
	bool has_peer; /* its hello has been opened */
	struct hello own, peer;
	struct behaviour own_behaviour[2]; /* IPv4, IPv6 */
	enum family family; /* of the plans */
	struct plans plans;
	unsigned round; /* how often a way has been looked for anew */
	unsigned attempt; /* the present one of this round, from 1; 0: none yet */
	const struct checks_result *checks; /* of the present round; NULL: no keys yet */
	struct checks_result way; /* that stood last; not connected: none has */
	const struct meeting_view *meeting; /* NULL: not yet begun */
	bool over_tcp; /* the server has answered over TCP only */
	struct endpoint local[2]; /* of the main sockets */
	struct endpoint mapped
		[2]; /* of them, without a meeting: as a STUN server sees them; FAMILY_NONE: not known */
	/* bindings of the own NAT last so long, and no longer than that; 0: not known, or not yet */
	unsigned lifetime_at_least_s, lifetime_below_s;
	/* moments of the first round; 0: not reached. exchanged: both know each other */
	uint64_t started_us, registered_us, exchanged_us, first_sent_us, first_heard_us, proved_us,
		ended_us;
};

struct session;

int session_create(const struct session_config *config, uint64_t now_us, struct session **out);
void session_destroy(struct session *s);

enum session_action session_poll(struct session *s, uint64_t now_us, struct session_output *out);

/*
 * A socket was opened as `local`, or could not be (negative errno); over TCP also when a bound one cannot listen. The
 * same of SESSION_STREAM when it is connected, which may also end later with an error.
 */
void session_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);

/*
 * Whether the datagram was one of this session's; others may be the channel's. Of SESSION_STREAM: one whole message.
 */
bool session_input(struct session *s, uint64_t now_us, unsigned socket, const struct endpoint *from,
	uint8_t ttl, const void *data, size_t length);

/*
 * --- TCP: what happens to connections; SESSION_STREAM aside ---
 */

/* How the attempt to connect has ended: 0 or a negative errno; before that, an ICMP error goes to session_error. */
void session_connected(
	struct session *s, uint64_t now_us, unsigned socket, int error, unsigned segments);
/* A listening socket has a connection: the number of its socket, or -ENOSPC: to be closed. */
int session_accepted(
	struct session *s, uint64_t now_us, unsigned listener, const struct endpoint *from);
/* It was ended by the other end (0), has broken, or carries what is no STUN message (-EBADMSG). */
void session_closed(struct session *s, uint64_t now_us, unsigned socket, int error);
/* Whether session_input wants whole messages of this socket, with nothing behind them; else bytes in any pieces. */
bool session_is_framed(unsigned socket);

/* An ICMP (or local) error for a datagram or SYN of ours. */
void session_error(struct session *s, uint64_t now_us, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error, const void *quoted, size_t length);

/* An ICMP error that a raw socket has heard, and the packet that it quotes. */
void session_icmp(struct session *s, uint64_t now_us, const struct icmp_seen *error,
	const void *quoted, size_t length);

/*
 * The other side's line, when manual: 0; -EBUSY: it is not the time for it; -EALREADY: it is our own; what line_decode
 * says; or -EPROTO also for one of another tool.
 */
int session_take_line(struct session *s, uint64_t now_us, const char *text);

/*
 * The way works no more: from SESSION_CONNECTED back to SESSION_PUNCHING, with new sockets and the same keys, until there
 * is another one, the other side leaves or the caller has waited for long enough. The other side is told through the
 * server, and begins anew as well; so a session may do so by itself. False: there is no plan to begin with.
 */
bool session_again(struct session *s, uint64_t now_us);

/* Measures meanwhile how long bindings last, if the server is one that can tell; of SESSION_CONNECTED. */
void session_measure_lifetime(struct session *s, uint64_t now_us);

/* Tells the other side and the server that this one goes. */
void session_leave(struct session *s, uint64_t now_us);

const struct session_view *session_view(const struct session *s);

/* Of the channel; valid when connected. */
const struct keys *session_keys(const struct session *s);
