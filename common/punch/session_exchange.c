// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "punch/session_private.h"

/*
 * A slot: version, the CPace share, and, sealed with the keys that follow from both shares, the hello. The code is
 * proved by the first hello that can be opened.
 */

#define SLOT_VERSION 1
#define SLOT_HEAD    (1 + CPACE_POINT_BYTES)

int session_exchange_begin(struct session *s, uint64_t now_us)
{
	static const char purpose[] = "natutils punch 1";
	const struct cpace_input input = {
		.prs = {s->secret, s->secret_length},
		.ci = {(const uint8_t *)purpose, sizeof(purpose) - 1},
		.sid = {s->view.meeting->session, RENDEZVOUS_SESSION_BYTES},
	};
	int err = cpace_begin(&s->cpace, &input, &s->config.random);

	if (err)
		return err;
	s->began_cpace = true;
	memcpy(s->own_share, s->cpace.own, sizeof(s->own_share));
	session_publish(s, now_us);
	return 0;
}

void session_publish(struct session *s, uint64_t now_us)
{
	uint8_t slot[RENDEZVOUS_SLOT_MAX], plain[HELLO_BYTES_MAX];
	uint32_t version;
	int length = 0, sealed = 0;

	if (!s->meeting)
		return;
	version = meeting_next_version(s->meeting);
	slot[0] = SLOT_VERSION;
	memcpy(slot + 1, s->own_share, CPACE_POINT_BYTES);
	if (s->has_keys && (s->measured || s->tells)) {
		length = hello_encode(&s->view.own, plain, sizeof(plain));
		if (length > 0)
			sealed = keys_slot_seal(&s->keys, s->view.meeting->session, version,
				(struct span){plain, (size_t)length}, &s->config.random,
				slot + SLOT_HEAD, sizeof(slot) - SLOT_HEAD);
		s->published = sealed > 0;
	}
	meeting_set_slot(s->meeting, now_us, slot, SLOT_HEAD + (sealed > 0 ? (size_t)sealed : 0));
	sodium_memzero(plain, sizeof(plain));
}

void session_make_keys(struct session *s, uint64_t now_us, const uint8_t *share, struct span ad)
{
	uint8_t isk[CPACE_ISK_BYTES];
	int err;

	memcpy(s->peer_share, share, sizeof(s->peer_share));
	err = cpace_finish(&s->cpace, (struct span){share, CPACE_POINT_BYTES}, ad, isk);
	if (!err)
		err = keys_derive(isk, s->own_share, s->peer_share, &s->keys);
	sodium_memzero(isk, sizeof(isk));
	if (err) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	s->has_keys = true;
	s->view.side = memcmp(s->own_share, s->peer_share, CPACE_POINT_BYTES) > 0;
}

/* The other side has to find that out, too: by what it cannot open, or what this one says of itself. */
static void fail_both(struct session *s, uint64_t now_us, enum session_failure failure)
{
	s->tells = true;
	session_publish(s, now_us);
	session_fail(s, now_us, failure);
}

static void take_hello(struct session *s, uint64_t now_us, struct span sealed)
{
	uint8_t plain[RENDEZVOUS_SLOT_MAX];
	int length = keys_slot_open(
		&s->keys, s->view.meeting->session, s->peer_version, sealed, plain, sizeof(plain));

	if (length < 0) {
		trail_step(s->config.trail, now_us, "proof: the other side does not know the code");
		fail_both(s, now_us, SESSION_WRONG_CODE);
		return;
	}
	if (hello_decode(plain, (size_t)length, &s->view.peer))
		session_fail(s, now_us, SESSION_BAD_PEER);
	else if (s->view.peer.transport != s->view.own.transport)
		fail_both(s, now_us, SESSION_OTHER_TRANSPORT);
	else
		s->view.has_peer = true;
	sodium_memzero(plain, sizeof(plain));
}

static void take_slot(struct session *s, uint64_t now_us)
{
	const struct meeting_view *v = s->view.meeting;
	const uint8_t *share = v->slot + 1;

	if (!v->slot_version || v->slot_version == s->peer_version)
		return;
	s->peer_version = v->slot_version;
	if (v->slot_length < SLOT_HEAD || v->slot[0] != SLOT_VERSION) {
		session_fail(s, now_us, SESSION_BAD_PEER);
		return;
	}
	if (!s->has_keys)
		session_make_keys(s, now_us, share, (struct span){NULL, 0});
	else if (memcmp(share, s->peer_share, CPACE_POINT_BYTES) != 0)
		session_fail(s, now_us, SESSION_BAD_PEER); /* somebody else, in the same place */
	if (s->view.state != SESSION_FAILED && v->slot_length > SLOT_HEAD)
		take_hello(
			s, now_us, (struct span){v->slot + SLOT_HEAD, v->slot_length - SLOT_HEAD});
}

void session_exchange_advance(struct session *s, uint64_t now_us)
{
	if (!s->began_cpace || s->view.state == SESSION_FAILED)
		return;
	take_slot(s, now_us);
	if (s->view.state != SESSION_FAILED && s->has_keys && s->measured && !s->published &&
		session_sockets_are_current(s))
		session_publish(s, now_us);
}
