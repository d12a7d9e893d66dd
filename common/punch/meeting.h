// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "base/random.h"
#include "journal/trail.h"
#include "wire/rendezvous.h"

/*
 * The client's side of the rendezvous, over UDP or TCP, without I/O: registers, keeps the place, hands slots over, and
 * says what is known of the other party. Nothing of it is trusted but that it came from the server.
 */

struct meeting_config {
	bool allocate; /* the server chooses a number; else session */
	bool tcp; /* the punch, so that the port of a connection is of use */
	uint8_t session[RENDEZVOUS_SESSION_BYTES];
	struct random random;
	struct trail *trail;
};

enum meeting_state {
	MEETING_JOINING,
	MEETING_WAITING, /* registered, and nobody else is there, or no more */
	MEETING_PAIRED,
	MEETING_LEFT, /* the other party has gone */
	MEETING_REFUSED, /* by the server: error_code says why */
	MEETING_UNREACHABLE, /* the server has not answered, or no more; it is asked on */
};

#define MEETING_NO_NUMBER 0 /* as error_code: the server gave none, though one was asked for */

struct meeting_view {
	enum meeting_state state;
	unsigned error_code;
	uint32_t number; /* that the server has allocated; 0: none */
	uint8_t session[RENDEZVOUS_SESSION_BYTES]; /* also of an allocated number */
	struct endpoint mapped; /* ours, as the server sees it; port 0: over TCP */
	uint64_t rtt_us, jitter_us; /* of the way to the server; 0: not known */
	uint64_t registered_us, paired_us; /* when; 0: not yet */
	uint64_t left_us; /* of MEETING_LEFT */
	uint8_t place; /* 0: we were first */
	/* as the server sees it; FAMILY_NONE: not known; port 0: it came over TCP */
	struct endpoint peer;
	uint16_t peer_ready;
	uint32_t slot_version; /* of the other party's slot; 0: none yet */
	uint8_t slot[RENDEZVOUS_SLOT_MAX];
	size_t slot_length;
	uint16_t go; /* the latest phase that has been given free … */
	uint64_t go_at_us; /* … and when it begins */
};

struct meeting;

int meeting_create(const struct meeting_config *config, struct meeting **out); /* -ENOMEM */
void meeting_destroy(struct meeting *m);

/* A new content of the own slot: at most RENDEZVOUS_SLOT_MAX bytes, else -EMSGSIZE. */
int meeting_set_slot(struct meeting *m, uint64_t now_us, const void *data, size_t length);
/* The version that the next content will have. */
uint32_t meeting_next_version(const struct meeting *m);
void meeting_set_ready(struct meeting *m, uint64_t now_us, uint16_t phase);
/* Whether something of the other party is waited for: then the server is asked more often, since news may be lost. */
void meeting_expect(struct meeting *m, uint64_t now_us, bool expects);
/*
 * Another socket, or a TCP connection (stream), is used from now on; is_current: the server has answered to it.
 */
void meeting_rebind(struct meeting *m, uint64_t now_us, bool stream);
bool meeting_is_current(const struct meeting *m);
/* Its TCP connection has ended, and another one is yet to come; it does not come, so the server counts as gone. */
void meeting_unbind(struct meeting *m);
void meeting_give_up(struct meeting *m, uint64_t now_us);
/* The other party is told, a few times; nothing else is sent then. */
void meeting_leave(struct meeting *m, uint64_t now_us);

/* A datagram for the server (true), or none, and when to ask again. */
bool meeting_poll(struct meeting *m, uint64_t now_us, uint8_t data[static STUN_MESSAGE_BYTES],
	size_t *length, uint64_t *deadline_us);

/* A datagram from the server's endpoint. Whether it belonged here. */
bool meeting_input(struct meeting *m, uint64_t now_us, const void *data, size_t length);

const struct meeting_view *meeting_view(const struct meeting *m);
