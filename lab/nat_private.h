// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <string.h>

#include "lab/nat.h"
#include "lab/nat_store.h"
#include "wire/packet.h"

/* What the files of the engine share; nobody else includes this. */

/* An endpoint of one transport, without holes: hashed and compared as bytes. */
struct nat_point {
	uint8_t address[16];
	uint16_t port;
	uint8_t family, transport;
};

/* First what every packet asks for, within one cache line. */
struct nat_mapping {
	struct nat_point inside, external;
	uint64_t until_us; /* the latest end of a session so far */
	uint32_t host; /* 0: it has no port to give back */
	/* the remote endpoint as far as the mapping depends on it */
	_Alignas(64) struct nat_point key;
	struct nat_link by_inside, by_external;
	struct nat_neighbours age;
	struct nat_ends sessions; /* the newest first */
};

enum nat_session_kind {
	NAT_SESSION_NONE, /* a free record */
	NAT_SESSION_PEER,
	NAT_SESSION_BOX, /* what the box took for itself: no mapping */
	NAT_SESSION_BLACKLISTED, /* no mapping and no external endpoint */
};

struct nat_session {
	struct nat_point external, remote;
	struct nat_timer timer;
	uint64_t first_us;
	uint64_t base_us; /* from where the lifetime counts */
	struct nat_link by_inside, by_external;
	struct nat_neighbours siblings, age;
	uint32_t mapping;
	uint32_t track; /* TCP */
	uint8_t kind; /* enum nat_session_kind */
	uint8_t state; /* enum nat_tcp_state */
	bool from_outside; /* who sent first */
	bool both_ways;
	bool found_inside; /* it is in by_inside */
};

/* One side of a TCP connection, for its window (nat_window.c). */
struct nat_stream {
	uint32_t end; /* behind all that it has sent */
	uint32_t limit; /* up to where the other side lets it send */
	uint32_t window; /* the largest that it has offered; 0: nothing is known of it */
	uint32_t acknowledged; /* the highest number that it has acknowledged */
	bool acknowledges; /* there is one */
	uint8_t scale;
	bool scales;
};

/* The segment before this one, taken or let through: some mean something only by it. */
struct nat_last {
	uint8_t segment, from;
	uint32_t end, acknowledgment;
	uint16_t window;
	uint8_t scale;
	bool scales;
};

struct nat_track {
	struct nat_stream stream[2]; /* of the client, of the server */
	struct nat_last last;
	bool liberal; /* taken up in the middle: its scale is not known */
	bool assured; /* both sides have agreed on it */
	bool simultaneous; /* a SYN of both sides */
	bool closing; /* there was a FIN */
	bool challenged; /* a SYN where a FIN waits for its ACK: the next ACK is for the SYN */
	uint32_t shift; /* what the inside host's sequence numbers are larger by outside */
};

/* What a filter that depends on a part of the remote endpoint has to remember of its sessions. */
struct nat_permit {
	struct nat_point external, remote;
	struct nat_link link;
	uint32_t mapping, sessions;
};

/* An inside address: pooling and port blocks are given to it. */
struct nat_host {
	struct nat_point address;
	struct nat_link link;
	uint32_t mappings;
	uint32_t external; /* its number */
	uint32_t block[NAT_TRANSPORTS]; /* its number plus 1; 0: none yet */
	uint32_t cursor[NAT_TRANSPORTS]; /* of NAT_SEQUENTIAL: the last port plus 1; 0: none yet */
};

/* Of one transport and external address. */
struct nat_port_use {
	uint64_t ports[1024], blocks[1024]; /* bits */
	uint32_t cursor;
};

struct nat_fragments_state;
struct nat_late;

struct nat {
	struct nat_config config;
	struct random random;
	uint8_t hash_key[16];
	uint64_t now_us;
	struct nat_pool mappings, sessions, tracks, permits, hosts;
	struct nat_hash mappings_inside, mappings_external, sessions_inside, sessions_external;
	struct nat_hash permits_found, hosts_found;
	struct nat_ends mapping_age, session_age;
	struct nat_heap timers;
	struct nat_port_use *use[NAT_TRANSPORTS][NAT_EXTERNAL_MAX];
	struct nat_point bound[NAT_EXTERNAL_MAX]; /* of NAT_ADDRESSES: the inside addresses */
	uint32_t next_external;
	uint64_t credit, credit_us; /* millionths of a new session, and when counted */
	uint32_t pinned[2]; /* sessions that must not be evicted now */
	struct nat_late *late;
	struct nat_fragments_state *fragments;
	uint8_t *polled; /* what nat_poll gave last, to be freed */
	nat_listener *listener;
	void *listener_context;
	uint64_t counts[NAT_REASONS];
	uint8_t answer[PACKET_BYTES_MAX];
};

/* A packet on its way through. */
struct nat_work {
	struct nat *nat;
	struct packet packet;
	enum nat_side side; /* where it came in */
	enum nat_transport transport;
	struct nat_result *out;
};

static inline struct nat_mapping *mapping_at(const struct nat *nat, uint32_t record)
{
	return nat_pool_at(&nat->mappings, record);
}

static inline struct nat_session *session_at(const struct nat *nat, uint32_t record)
{
	return nat_pool_at(&nat->sessions, record);
}

static inline const struct nat_behaviour *behaviour_of(const struct nat *nat, unsigned transport)
{
	return &nat->config.behaviour[transport];
}

/* --- nat_config.c --- */
/* Checks a config and fills in what is 0 for "as usual". */
int nat_config_complete(struct nat_config *config);
enum nat_translation nat_translation_of(const struct nat *nat, enum family family);
/* Whether packets of a transport are only routed. */
bool nat_is_router(const struct nat *nat, enum family family, enum nat_transport transport);

/* --- nat_point.c --- */
struct nat_point nat_point_of(const struct endpoint *e, enum nat_transport transport);
/* The remote endpoint: without the port of an echo, which is the inside one. */
struct nat_point nat_remote_of(const struct endpoint *e, enum nat_transport transport);
struct endpoint nat_endpoint_of(const struct nat_point *p);
/* Inline, as every look-up compares: the length of an address is known to the compiler. */
static inline bool nat_same_address(const struct nat_point *a, const struct nat_point *b)
{
	return a->family == b->family && !memcmp(a->address, b->address, sizeof(a->address));
}

static inline bool nat_point_equal(const struct nat_point *a, const struct nat_point *b)
{
	return a->port == b->port && a->transport == b->transport && nat_same_address(a, b);
}

struct nat_point nat_point_masked(const struct nat_point *p, enum nat_dependence dependence);
uint32_t nat_point_hash(
	const struct nat *nat, const struct nat_point *a, const struct nat_point *b);
bool nat_may_be_forwarded(const struct endpoint *e);
/* Number of the external address that it is, or -1. */
int nat_external_number(const struct nat *nat, const struct endpoint *e);
bool nat_is_box_inside(const struct nat *nat, const struct endpoint *e);
/* Whether an address is one of the box, on either side. */
bool nat_is_own(const struct nat *nat, const struct endpoint *e);

/* --- nat_table.c: 0 is no record --- */
int nat_table_init(struct nat *nat);
void nat_table_free(struct nat *nat);
uint32_t nat_find_inside(
	const struct nat *nat, const struct nat_point *inside, const struct nat_point *remote);
uint32_t nat_find_external(
	const struct nat *nat, const struct nat_point *external, const struct nat_point *remote);
uint32_t nat_find_mapping(
	const struct nat *nat, const struct nat_point *inside, const struct nat_point *key);
/* The newest mapping of an external endpoint, and then older ones. */
uint32_t nat_find_owner(const struct nat *nat, const struct nat_point *external);
uint32_t nat_next_owner(const struct nat *nat, uint32_t mapping);
/* The mapping through which the filter lets a remote endpoint in; 0, and then whether any is there. */
uint32_t nat_find_permitted(const struct nat *nat, const struct nat_point *external,
	const struct nat_point *remote, bool *exists);
uint32_t nat_mapping_open(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *key, const struct nat_point *external, uint32_t host);
/* mapping 0: of the box, or blacklisted. It ends at once unless nat_session_set_end follows. */
uint32_t nat_session_open(struct nat *nat, enum nat_session_kind kind, uint32_t mapping,
	const struct nat_point *external, const struct nat_point *remote, bool from_outside);
void nat_session_set_end(struct nat *nat, uint32_t session, uint64_t end_us);
/* Ends a session, and its mapping with the last one. */
void nat_session_close(struct nat *nat, uint32_t session);
void nat_mapping_close(struct nat *nat, uint32_t mapping);
/* Puts a session where nat_find_inside finds it, which a second one to the same endpoint is not. */
void nat_session_show_inside(struct nat *nat, uint32_t session);

/* --- nat_host.c --- */
/* The host, new if need be; 0: no memory, or no external address of the family. */
uint32_t nat_host_get(struct nat *nat, const struct nat_point *inside);
void nat_host_drop(struct nat *nat, uint32_t host);
/* NAT_ADDRESSES: the number of the address that an inside one has; -1: it has none. */
int nat_bound_number(const struct nat *nat, const struct nat_point *inside);
/* The same, or one for it; -1: all are taken. */
int nat_bind_address(struct nat *nat, const struct nat_point *inside);

/* --- nat_ports.c --- */
/* 0, or -ENOSPC. */
int nat_port_choose(struct nat *nat, const struct nat_point *inside, const struct nat_point *key,
	const struct nat_point *remote, uint32_t host, struct nat_point *external);
void nat_port_taken(struct nat *nat, const struct nat_point *external);
void nat_port_given_back(struct nat *nat, const struct nat_point *external);
/* Whether an external endpoint can serve an inside one towards a remote one. */
bool nat_port_serves(const struct nat *nat, const struct nat_point *external,
	const struct nat_point *inside, const struct nat_point *remote);

/* --- nat_open.c --- */
/* A session that came in while another mapping had one to the same endpoint, which is over by now. */
uint32_t nat_find_hidden(
	struct nat *nat, const struct nat_point *inside, const struct nat_point *remote);
/* A new session from inside, with a mapping if need be; NAT_FORWARDED or why not. */
enum nat_reason nat_open_outward(struct nat *nat, const struct nat_point *inside,
	const struct nat_point *remote, uint32_t *session);
enum nat_reason nat_open_inward(
	struct nat *nat, uint32_t mapping, const struct nat_point *remote, uint32_t *session);
/* A new mapping for what comes in unasked, where addresses need no port (NAT_NONE, NAT_ADDRESSES). */
enum nat_reason nat_open_unfiltered(struct nat *nat, const struct nat_point *external,
	const struct nat_point *remote, uint32_t *session);
/* What the box takes for itself, or blacklists: false when the table is full. */
bool nat_open_own(struct nat *nat, enum nat_session_kind kind, const struct nat_point *external,
	const struct nat_point *remote, uint64_t end_us);

/* --- nat_lifetime.c --- */
/* A packet of the session: refreshes it as configured. */
void nat_session_touch(struct nat *nat, uint32_t session, bool outward);
/* For a session that has just been opened. */
void nat_session_start(struct nat *nat, uint32_t session);
/* Its state has changed: whatever the direction of the packet, the lifetime starts anew. */
void nat_session_restart(struct nat *nat, uint32_t session);
uint64_t nat_add_time(uint64_t a, uint64_t b);

/* --- nat_tcp.c --- */
enum nat_verdict {
	NAT_TAKE,
	NAT_TAKE_UNCHANGED, /* it passes, and says nothing: no refresh */
	NAT_TAKE_AND_END, /* the last packet of the session */
	NAT_TAKE_ANEW, /* the session is over, and the packet the first one of another */
	NAT_INVALID,
};
/* Whether a segment may begin a session. */
bool nat_tcp_opens(const struct nat *nat, const struct packet *p, bool outward);
/* The first segment of a session that has just been opened: -ENOMEM. */
int nat_tcp_start(struct nat *nat, uint32_t session, const struct packet *p);
enum nat_verdict nat_tcp_take(
	struct nat *nat, uint32_t session, const struct packet *p, bool outward);
const char *nat_tcp_state_name(unsigned state);

/* --- nat_window.c --- */
void nat_window_start(struct nat_track *track, const struct packet *p, bool picked_up);
enum nat_fit {
	NAT_FITS,
	NAT_FITS_BARELY, /* old, or a little too much: it may pass, and means nothing */
	NAT_FITS_NOT,
};
/* from: 0 the client, 1 the server. What a segment says that fits is noted. */
enum nat_fit nat_window_take(struct nat_track *track, const struct packet *p, unsigned from,
	enum nat_tcp_state state, bool strict);
uint32_t nat_window_end(const struct packet *p);
/* The scale that a SYN offers, if any. */
bool nat_window_scale(const struct packet *p, uint8_t *scale);
/* A SYN that was let through begins a new connection: one of the other side answers it. */
void nat_window_resync(struct nat_track *track);

/* --- nat_translate.c: UDP, TCP and echo --- */
enum nat_reason nat_translate(struct nat_work *w);
/*
 * The session that a packet belongs to, opened if may be, with what the packet means for it: NAT_FORWARDED
 * or why not. *ends: to be closed when the packet has been translated.
 */
enum nat_reason nat_session_outward(struct nat_work *w, const struct nat_point *inside,
	const struct nat_point *remote, uint32_t *session, bool *ends);
enum nat_reason nat_session_inward(struct nat_work *w, const struct nat_point *external,
	const struct nat_point *remote, uint32_t *session, bool *ends);
/* To the other side as it is. */
enum nat_reason nat_route(struct nat_work *w);
/* What no session is for, as it is, where that is so; else why not. */
enum nat_reason nat_forward_untracked(struct nat_work *w, enum nat_reason otherwise);

/* --- nat.c --- */
/* The last step of each way: a hop less, and out. */
enum nat_reason nat_send(struct nat_work *w, enum nat_side side, enum nat_reason reason);
/* Whether the packet may go no further; then the sender is told. */
bool nat_is_last_hop(struct nat_work *w);

/* --- nat_hairpin.c --- */
bool nat_may_hairpin(const struct nat *nat, enum nat_transport transport);
enum nat_reason nat_hairpin(struct nat_work *w);

/* --- nat_answer.c --- */
/* An ICMP error to the sender, from the box's address of that side. */
bool nat_answer_error(struct nat_work *w, uint8_t type, uint8_t code);
/* Destination unreachable, with a code of ICMP. */
bool nat_answer_unreachable(struct nat_work *w, uint8_t code);
/* Where the config says so: administratively prohibited, if a limit was the reason (RFC 5508 REQ-8). */
void nat_answer_limit(struct nat_work *w, enum nat_reason reason);
/* As a host that has no such port would answer: port unreachable, RST, echo reply. */
bool nat_answer_as_host(struct nat_work *w);

/* --- nat_unsolicited.c --- */
enum nat_reason nat_unsolicited(struct nat_work *w, enum nat_reason why);
/* An outgoing SYN comes before the answer to an early one was due (RFC 5382 REQ-4 a). */
void nat_late_forget(
	struct nat *nat, const struct nat_point *external, const struct nat_point *remote);
/* The answer that is due, to be freed by the caller; false, and when the next one will be. */
bool nat_late_due(struct nat *nat, uint8_t **bytes, size_t *length, uint64_t *next_us);
void nat_late_free(struct nat *nat);

/* --- nat_error.c --- */
enum nat_reason nat_error(struct nat_work *w);

/* --- nat_fragment.c --- */
/* What a first fragment has to leave for the others, noted before it is changed. */
struct nat_fragment_note {
	bool wanted;
	struct endpoint source, destination;
};
struct nat_fragment_note nat_fragment_begin(const struct nat_work *w);
void nat_fragment_first(
	struct nat_work *w, const struct nat_fragment_note *note, enum nat_reason reason);
enum nat_reason nat_fragment_later(struct nat_work *w);
/* A held one whose first has come; false, and when nat_fragment_due has to be asked again. */
bool nat_fragment_due(struct nat *nat, struct nat_out *out, uint64_t *next_us);
void nat_fragments_free(struct nat *nat);
size_t nat_fragments_bytes(const struct nat *nat);

/* --- nat_alg.c --- */
void nat_alg_replace(struct nat_work *w, const struct nat_point *from, const struct nat_point *to);

/* --- nat_syn.c --- */
/* Of a packet that goes on: what the config says of SYNs. */
void nat_syn_change(const struct nat *nat, struct packet *p);
/* The sequence numbers of a connection that its first segment opens. */
void nat_renumber_start(struct nat *nat, struct nat_track *track, const struct packet *p);
/* Those of a segment from inside; and what one from outside says of them, or back as it came. */
void nat_renumber_outward(const struct nat *nat, uint32_t session, struct packet *p);
void nat_renumber_inward(const struct nat *nat, uint32_t session, struct packet *p, bool back);
/* What an error from outside quotes of them. */
void nat_renumber_quoted(
	const struct nat *nat, uint32_t session, const struct packet *quoted, struct packet *error);

/* --- nat_prefix.c --- */
enum nat_reason nat_prefix(struct nat_work *w);
