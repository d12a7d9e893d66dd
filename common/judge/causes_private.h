// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "judge/causes.h"
#include "judge/signs.h"

/*
 * A cause that has no fellow in the list yet; or that fellow, which is of the same kind, certainty and device. NULL: the
 * list is full, or a cause that is more certain is there in its place.
 */
struct cause *causes_add(struct causes *out, enum cause_id id, enum certainty certainty,
	enum place where, const struct endpoint *device);
/* The main one first; what is merely possible only where nothing better is known. */
void causes_settle(struct causes *out);
/* The main one first, and all. */
void causes_sort(struct causes *out);

void cause_packet(struct cause *c, uint32_t number); /* kept in order; 0: none */
void cause_evidence(struct cause *c, size_t place);
const char *cause_no_way(int error); /* errno with which the routes of this host have refused */
void cause_text(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- causes_question.c --- */
/* Why the first question to a server had no answer. */
void causes_of_question(const struct cause_facts *facts, size_t place, struct causes *out);

/* --- causes_run.c --- */
/* What the run as a whole shows. */
void causes_of_run(const struct cause_facts *facts, struct causes *out);
