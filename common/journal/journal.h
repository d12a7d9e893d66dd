// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "journal/trace.h"
#include "wire/stun.h"

/*
 * The record of one run: the servers, every question that was put to the network with what came of
 * it, and every packet and decision in order. Probes write it; judge and report only read it.
 */

#define JOURNAL_NAME	     256
#define JOURNAL_TEXT	     160
#define JOURNAL_SERVERS	     96 /* SERVERLIST_MAX names, each with two families and three transports */
#define JOURNAL_OBSERVATIONS 1024
#define JOURNAL_EVENTS	     16384
#define JOURNAL_TRACES	     4 /* two families, over UDP and TCP */
#define JOURNAL_NONE	     SIZE_MAX

/* TRANSPORT_ICMP: what is asked about ICMP, though some of it over UDP and TCP. */
enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_ICMP, TRANSPORT_COUNT };

/* What is asked of the network. Each is put from a fresh socket unless said otherwise. */
enum question {
	QUESTION_BINDING, /* the first request to a server: is it there, what can it do */
	QUESTION_MAPPING, /* from the socket of QUESTION_BINDING to another endpoint (RFC 5780 4.3) */
	QUESTION_FILTERING_BOTH, /* answer from another address and port (RFC 5780 4.4) */
	QUESTION_FILTERING_ADDRESS, /* from another address, same port */
	QUESTION_FILTERING_PORT, /* from the same address, another port */
	QUESTION_CONTROL, /* answer from a changed endpoint through a path that has been opened */
	QUESTION_PORTS, /* which external port does one more socket get */
	QUESTION_EARLY_BASE, /* a socket of a filtering question to the endpoint asked before */
	QUESTION_EARLY_CHECK, /* and to the endpoint that has sent to it unasked */
	QUESTION_HAIRPIN_BASE, /* external endpoints of the two sockets of the next question */
	QUESTION_HAIRPIN, /* one own socket to the external endpoint of the other (RFC 4787 6) */
	QUESTION_TCP_CONTROL, /* does the server's host answer at all when UDP stays silent */
	QUESTION_UDP_CONTROL, /* does it say that another UDP port is closed */
	QUESTION_CALL_BASE, /* a TCP connection whose external endpoint the server is asked to call */
	QUESTION_SIMULTANEOUS, /* a SYN of ours and one of the server that cross (RFC 5382 REQ-2) */
	QUESTION_SEQUENCE, /* which sequence number a SYN leaves with: the first router quotes it; and arrives with */
	QUESTION_ICMP_SERVICE, /* does the server do what is asked of it about ICMP (wire/icmp.h) */
	QUESTION_ECHO, /* an echo request: is it answered, and how does it arrive (RFC 5508 3) */
	QUESTION_ICMP_ERROR, /* does an error about a flow of this host arrive (RFC 5508 4) */
	QUESTION_AFTER_ERRORS, /* does the flow still work when errors about it have come */
	QUESTION_EGRESS, /* does an error that this host sends arrive at the server */
	QUESTION_ECHO_TIMER, /* does a reply come in that is so late (RFC 5508 3.2) */
	QUESTION_TRACE, /* which routers say that the TTL of a packet to the server has run out: see trace.h */
	QUESTION_COUNT,
};

enum observation_state {
	OBSERVATION_OPEN, /* not settled */
	OBSERVATION_ANSWERED, /* a valid answer came from where the question allows */
	OBSERVATION_SILENT, /* asked often enough, no answer */
	OBSERVATION_CHANGE_IGNORED, /* answered from the asked endpoint though another was requested */
	OBSERVATION_ERROR, /* the server answered with an error code */
	OBSERVATION_REFUSED, /* ICMP errors instead of answers, or the system would not send */
	OBSERVATION_ABANDONED, /* the run ended before it was settled */
};

/* A valid answer; of several copies the first. */
struct answer {
	uint64_t t_us;
	struct endpoint from;
	struct endpoint mapped; /* XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS when there is no other */
	struct endpoint mapped_plain; /* MAPPED-ADDRESS as it came; FAMILY_NONE: absent */
	bool has_xor;
	struct endpoint origin; /* RESPONSE-ORIGIN or SOURCE-ADDRESS; FAMILY_NONE: absent */
	struct endpoint other; /* OTHER-ADDRESS or CHANGED-ADDRESS; FAMILY_NONE: absent */
	uint8_t ttl; /* of the datagram as it arrived; 0: unknown */
	bool has_observed, has_syn;
	struct stun_observed observed;
	struct stun_syn syn;
	char software[64]; /* as the server says: escape before printing */
};

/* An ICMP error that this host received for packets of one question. */
struct icmp_seen {
	unsigned count;
	uint64_t t_us;
	bool local; /* raised by this host itself */
	int error; /* errno */
	uint8_t type, code;
	struct endpoint offender; /* FAMILY_NONE when local */
	uint16_t mtu; /* that it tells of; 0: none */
};

/* What an ICMP error is about, and what the question is. */
enum icmp_flow {
	ICMP_FLOW_NONE,
	ICMP_FLOW_UDP,
	ICMP_FLOW_TCP, /* a connection */
	ICMP_FLOW_ATTEMPT, /* to connect */
	ICMP_FLOW_ECHO,
	ICMP_FLOW_FOREIGN, /* none of this host */
	ICMP_FLOW_COUNT,
};

/* What is wrong with a packet that an error has quoted to this host. */
enum quote_defect {
	QUOTE_SOURCE = 1, /* its source is not the inside endpoint */
	QUOTE_DESTINATION = 2,
	QUOTE_HEADER = 4, /* the checksum of its IP header */
	QUOTE_CHECKSUM = 8, /* that of UDP: not the one that it left with */
};

/* Of the questions about ICMP. */
struct icmp_detail {
	enum icmp_flow flow;
	uint8_t type, code; /* of the error that is asked about */
	bool other; /* it comes from the server's other address */
	uint8_t quoted_protocol; /* of IP: EGRESS */
	uint16_t mtu; /* that the error tells of; 0: none */
	uint16_t mtu_before, mtu_after; /* of this host's path; 0: not known */
	unsigned quotes; /* packets quoted to this host that could be looked at as a whole */
	unsigned wrong_quotes;
	uint8_t quote_defects; /* enum quote_defect */
	unsigned errors; /* AFTER_ERRORS: that had come before */
	uint32_t late_ms; /* ECHO_TIMER */
	/* what the server says that has reached it, of several the first; EGRESS: with no port */
	unsigned recorded;
	struct endpoint recorded_from, recorded_to, recorded_quoted;
};

/* How an attempt to connect over TCP ended; the numbers are those of CALL_RESULT (wire/call.h). */
enum connection_outcome {
	CONNECTION_NONE = 0, /* there was no attempt, or its end is not known */
	CONNECTION_MADE = 1,
	CONNECTION_REFUSED = 2, /* RST or ICMP port unreachable */
	CONNECTION_UNREACHABLE = 3, /* another ICMP error */
	CONNECTION_SILENT = 4,
	CONNECTION_LOCAL = 5, /* the caller's own system would not */
};

struct connection_seen {
	enum connection_outcome outcome;
	int error; /* errno; 0: none */
	uint64_t took_us; /* from the first SYN to the outcome */
	unsigned segments; /* without data that had come in by then; 0: not known */
	uint8_t ttl; /* with which the SYN-ACK or RST came that ended it; 0: not known, or neither */
};

/* What this host's system tells of the SYNs of a connection that it has made; 0 is "not known" in all of it. */
struct handshake {
	uint8_t ttl; /* which our SYN left with */
	uint8_t known; /* enum syn_option of which `sent` says whether our SYN had them */
	struct syn_options sent;
	bool told; /* the rest is known, as far as the system knows it */
	uint8_t agreed; /* enum syn_option that both SYNs had, as the other one arrived; without SYN_MSS */
	uint8_t peer_scale; /* of the other SYN, with SYN_SCALE */
	uint16_t segment_bytes; /* the payload that this host may put into one segment */
	uint32_t path_mtu;
	uint32_t window; /* of the other side */
	bool probes_mtu; /* segments may be smaller than both of these allow */
	/* UTC before and after the call in which the sequence number of our SYN was chosen */
	uint64_t since_ns, until_ns;
	bool quoted; /* a router has quoted our SYN, and the system has found it to be ours: with this one */
	uint32_t sequence;
};

/* One question, put from one socket to one endpoint. Over TCP a filtering question is a call of the server. */
struct observation {
	enum question question;
	enum family family;
	enum transport transport;
	enum observation_state state;
	size_t server; /* place in the journal's servers */
	unsigned socket;
	struct endpoint local; /* of the socket */
	struct endpoint to; /* who is asked */
	struct endpoint expect; /* from where the answer must come */
	uint64_t first_sent_us, last_sent_us, settled_us;
	unsigned sent; /* requests that this host has sent */
	unsigned
		awaited; /* answers that would have come: one a request, or a receipt if there are any */
	unsigned answers; /* valid answers, copies included */
	struct answer answer; /* valid when answers > 0 */
	unsigned receipts;
	struct endpoint receipt_mapped; /* our external endpoint as the receipt gives it */
	unsigned wrong_source; /* right transaction, but from an endpoint that was not asked to */
	struct endpoint wrong_from;
	unsigned malformed; /* datagrams from the asked endpoint that are no STUN answer */
	unsigned error_code; /* of an error response */
	struct icmp_seen icmp;
	struct connection_seen own; /* TCP: this host's attempt */
	struct handshake handshake;
	struct connection_seen call; /* TCP: the server's attempt to reach this host, as it says */
	struct stun_icmp reported[STUN_ICMP_MAX]; /* ICMP errors that the server says it received */
	size_t reported_count;
	struct icmp_detail detail;
};

enum server_resolution {
	SERVER_RESOLVED,
	SERVER_UNRESOLVED, /* the name has no address, or the resolver did not answer in time */
};

/* A server under one address family and transport. */
struct journal_server {
	char name[JOURNAL_NAME]; /* as the user gave it */
	enum transport transport;
	struct endpoint endpoint;
	enum server_resolution resolution;
	char problem[JOURNAL_TEXT]; /* why it could not be resolved */
};

enum event_kind {
	EVENT_SENT,
	EVENT_RECEIVED,
	EVENT_ICMP,
	EVENT_SETTLED, /* a question came to its end */
	EVENT_NOTE, /* a decision of the prober, in words */
};

struct event {
	uint64_t t_us;
	enum event_kind kind;
	size_t observation; /* JOURNAL_NONE: belongs to none */
	struct endpoint from, to;
	size_t bytes;
	char note[JOURNAL_TEXT];
};

struct journal;

/* Called for each event as it is added. */
typedef void journal_listener(void *context, const struct journal *j, const struct event *e);

struct journal {
	uint64_t start_us;
	struct journal_server servers[JOURNAL_SERVERS];
	size_t server_count;
	struct observation *observations; /* JOURNAL_OBSERVATIONS of them */
	size_t observation_count;
	struct event
		*events; /* JOURNAL_EVENTS of them; later ones are only heard by the listener */
	size_t event_count;
	struct trace traces[JOURNAL_TRACES];
	size_t trace_count;
	unsigned strangers; /* datagrams that belong to no question */
	journal_listener *listener; /* or NULL */
	void *listener_context;
};

/* An empty journal that starts at start_us. -ENOMEM. */
int journal_create(uint64_t start_us, struct journal **out);
void journal_destroy(struct journal *j);

/* Empties it: everything is to be asked anew. */
void journal_forget(struct journal *j);

/* Copies the server; its place, or -ENOSPC. */
int journal_add_server(struct journal *j, const struct journal_server *server, size_t *place);

/* A new open observation; NULL when the journal is full. It stays where it is. */
struct observation *journal_add_observation(struct journal *j);
size_t journal_place(const struct journal *j, const struct observation *o);

/* An empty ladder for an observation of QUESTION_TRACE; NULL when there are enough. It stays where it is. */
struct trace *journal_add_trace(struct journal *j, const struct observation *o);
/* The ladder of an observation; NULL: it has none. */
const struct trace *journal_trace(const struct journal *j, const struct observation *o);

void journal_event(struct journal *j, uint64_t t_us, enum event_kind kind,
	const struct observation *o, const struct endpoint *from, const struct endpoint *to,
	size_t bytes);

/* A decision in words. */
void journal_note(struct journal *j, uint64_t t_us, const struct observation *o, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* Puts an observation to its end and tells the listener. */
void journal_settle(
	struct journal *j, uint64_t t_us, struct observation *o, enum observation_state state);

/*
 * Whether the OTHER-ADDRESS of an answer to QUESTION_BINDING can be asked: RFC 5780 wants another address
 * and another port; and no packet may go from an endpoint of ours to itself.
 */
bool observation_other_usable(const struct observation *o);

/*
 * Whether the answer to QUESTION_SIMULTANEOUS shows that the server's SYN came in: its caller had a connection after
 * one round trip, and this host got a SYN beside the SYN-ACK. Without that SYN it takes three ways beyond our SYN,
 * which is sent a quarter of a round trip later, unless the call was late. False where round trips are too short
 * to tell.
 */
bool observation_crossed(const struct observation *o, uint64_t rtt_us);

/* Whether it shows the contrary, as far as one can: it came about, but in the time that it takes without that SYN. */
bool observation_took_long(const struct observation *o, uint64_t rtt_us);

/* The words for them in reports: "filtering-both", "answered" … */
const char *question_name(enum question q);
const char *observation_state_name(enum observation_state state);
const char *transport_name(enum transport transport);
/* "udp", "tcp", "attempt", "echo", "foreign". */
const char *icmp_flow_name(enum icmp_flow flow);
const char *connection_outcome_name(enum connection_outcome outcome);
