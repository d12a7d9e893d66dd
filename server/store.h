// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "wire/rendezvous.h"

/*
 * Where the rendezvous keeps its sessions. The engine (rendezvous.h) knows no more of it than this, so that
 * another store than the one in memory (store_memory.h), one that several servers share, can take its place.
 *
 * A session has two places. Who comes first gets place 0 and the next one place 1; from then on the
 * session is paired, and nobody new gets in. A place that was left is kept for its party for as long as the other
 * one is there; the session ends when nobody is there any more.
 *
 * Time is the caller's, in microseconds, and never goes back. What is handed out are copies; their spans stay
 * good until the next join, leave or due. Of what is refused nothing has changed.
 */

/* What is known of a party. */
struct store_party {
	uint8_t id[RENDEZVOUS_PARTY_BYTES];
	uint32_t slot_version; /* 0: no slot */
	struct span slot;
	uint16_t ready;
	uint32_t rtt_us;
	struct endpoint external; /* from where it last came; port 0: over TCP */
	/* how to reach it: means something only to the server that it talks to */
	uint64_t connection; /* over TCP; 0: over UDP, at its external endpoint */
	uint8_t local; /* index of our endpoint that it talks to */
};

#define STORE_NEVER UINT64_MAX

/* What the server still has to tell a party of a paired session. */
struct store_news {
	uint32_t seen_version; /* SEEN of its last JOIN */
	uint16_t seen_ready, seen_go;
	bool unseen; /* the other one's state or endpoint has changed since */
	uint8_t tries; /* how often it has been told */
	uint64_t due_us; /* when to tell it next, or STORE_NEVER */
};

struct store_place {
	enum rendezvous_peer state; /* RENDEZVOUS_NOBODY: never taken */
	struct store_party party; /* id only, where it has left */
	struct store_news news; /* all zero unless paired */
};

struct store_session {
	uint8_t id[RENDEZVOUS_SESSION_BYTES];
	bool paired;
	uint16_t go; /* the last phase that was begun; 0: none */
	uint64_t go_us; /* when that was, or will be */
	struct store_place place[2];
};

/* What a JOIN has changed. */
enum store_change {
	STORE_NEW = 1, /* has got a place */
	STORE_BACK = 2, /* has got back the place that it had left */
	STORE_PAIRED = 4, /* is the second one: the session is paired from now on */
	STORE_SLOT = 8,
	STORE_READY = 16,
	STORE_MOVED = 32, /* comes from another UDP endpoint */
};

enum store_event_kind {
	STORE_EXPIRED, /* no JOIN for RENDEZVOUS_LIFETIME_US: the place has been left */
	STORE_DUE, /* its news are due; due_us is STORE_NEVER now, until it is set anew */
};

struct store_event {
	enum store_event_kind kind;
	uint8_t session[RENDEZVOUS_SESSION_BYTES];
	unsigned place;
};

struct store_usage {
	size_t sessions, sources;
	size_t bytes; /* of all tables and records, without the allocator's overhead */
};

struct store;

struct store_operations {
	/*
	 * Puts what a party says into its place for the next RENDEZVOUS_LIFETIME_US: a slot only where its version
	 * is higher, ready where it is higher, external where it is not FAMILY_NONE, the rest always. Without
	 * a place it gets one, which is charged to the source of `from`. *changes: enum store_change.
	 *
	 * Its place, 0 or 1; -EEXIST: the session is not for it; -EDQUOT: the source has too many places;
	 * -ENOSPC: there are too many sessions; -EMSGSIZE: a slot above RENDEZVOUS_SLOT_MAX; -ENOMEM.
	 * One that is shared has to decide this at one place for all its servers.
	 */
	int (*join)(struct store *store, uint64_t now_us, const uint8_t *session,
		const struct store_party *party, const struct endpoint *from, unsigned *changes);

	/* The session, if anybody is in it. 0 or -ENOENT. */
	int (*find)(struct store *store, const uint8_t *session, struct store_session *out);

	/* Gives up the party's place. Its place; -ENOENT: it has none, or has left. */
	int (*leave)(struct store *store, const uint8_t *session, const uint8_t *party);

	/* Records that a phase begins at go_us. 0; -EALREADY: this one or a later one did; -ENOENT. */
	int (*go)(struct store *store, const uint8_t *session, uint16_t go, uint64_t go_us);

	/*
	 * Keeps what is to be told to a place of a paired session, and when `due` shall remind of it; a shared store
	 * passes it on to the server that the party talks to. 0 or -ENOENT.
	 */
	int (*remind)(struct store *store, const uint8_t *session, unsigned place,
		const struct store_news *news);

	/* What is due at this time for parties of this server, one by one; false: nothing more. */
	bool (*due)(struct store *store, uint64_t now_us, struct store_event *out);

	/* When `due` may have something next, never too late; STORE_NEVER. */
	uint64_t (*next_us)(const struct store *store);

	void (*usage)(const struct store *store, struct store_usage *out);
	void (*destroy)(struct store *store);
};

/* Each store begins with this. */
struct store {
	const struct store_operations *does;
};
