// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "punch/session_private.h"

/* What the files of a session without any server share; nobody else includes this. */

static inline int knock_family(const struct endpoint *e)
{
	return e->family == FAMILY_IPV6;
}

static inline bool knock_reflexive_is_known(const struct session *s, int f)
{
	return !s->reflexive[f].begun || s->reflexive[f].done;
}

/* --- session_knock.c --- */
/* What this side says, and what the keys will agree on: 0 or a negative errno. */
int knock_make_words(struct session *s, enum knock_kind kind, struct knock *out);
/* Both know each other now. */
void knock_meet(
	struct session *s, uint64_t now_us, const struct knock *said, const struct endpoint *peer);
/* As the session's output, from its socket of this number. */
bool knock_carry(const struct knock_output *in, unsigned socket, struct session_output *out);

/* --- session_knock_wait.c: who waits --- */
int knock_wait_begin(struct session *s, uint64_t now_us);
void knock_wait_advance(struct session *s, uint64_t now_us);
bool knock_wait_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
bool knock_wait_opened(struct session *s, uint64_t now_us, unsigned socket, int error,
	const struct endpoint *local);
bool knock_wait_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);
bool knock_wait_error(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *to, const struct icmp_seen *error, struct span quoted);
void knock_wait_give_up(struct session *s, uint64_t now_us);

/* --- session_knock_ask.c: who knocks --- */
void knock_ask_begin(struct session *s, uint64_t now_us);
void knock_ask_advance(struct session *s, uint64_t now_us);
bool knock_ask_poll(
	struct session *s, uint64_t now_us, struct session_output *out, uint64_t *deadline_us);
bool knock_ask_opened(struct session *s, unsigned socket, int error, const struct endpoint *local);
bool knock_ask_input(struct session *s, uint64_t now_us, unsigned socket,
	const struct endpoint *from, const void *data, size_t length);
bool knock_ask_error(struct session *s, unsigned socket, const struct endpoint *to,
	const struct icmp_seen *error);
/* The way that stood does no more. */
void knock_ask_again(struct session *s, uint64_t now_us);
void knock_ask_give_up(struct session *s);
