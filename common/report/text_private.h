// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "report/page.h"

/* The parts of the report for people, from top to bottom. */

/* Whether there is anything to say about this block. */
bool block_was_tested(const json_t *block);

void text_block(struct page *p, const json_t *document, const char *protocol, const char *family);
/* "UDP over IPv4" */
const char *text_block_name(const char *protocol, const char *family);

/* A row of a block's table: its line is to be put or dropped. key: of what it rests on; NULL: of nothing. */
typedef void text_block_row(void *context, const char *label, const char *key, struct line *l);
/* Calls put for each row of the table of a block, which belongs to protocol and family of the document. */
void text_block_rows(struct page *p, const json_t *document, const json_t *block,
	const char *protocol, const char *family, text_block_row *put, void *context);

/* More than our own reports hold, so that a stranger's cannot name one item a million times. */
#define TEXT_EVIDENCE 128

/* The evidence with this number; NULL: there is none. */
const json_t *text_evidence_at(const json_t *document, const json_t *number);

/* The evidence with these numbers, one line each. */
void text_evidence(struct page *p, const json_t *document, const json_t *numbers, size_t indent);
/* Adds what else is to be said of one item, each part begun by "; ". */
void text_evidence_remarks(struct line *l, const json_t *e);

/* --- text_trace.c --- */

/* Which routers of a ladder answer, `all` or the last: "10.0.1.1, 192.0.2.1 (hop 2), and nothing behind it"; false: it is none. */
bool text_trace(struct line *l, const json_t *trace, bool all);
/* The first ladder among the evidence with these numbers; NULL: there is none. */
const json_t *text_trace_of(const json_t *document, const json_t *numbers);

void text_servers(struct page *p, const json_t *document);
void text_findings(struct page *p, const json_t *document);
void text_errors(struct page *p, const json_t *document);

/* Why it failed, the main cause first, and what a capture would tell; nothing where nothing has failed. */
void text_causes(struct page *p, const json_t *document);
/* Adds where the cause lies: "at this host, 10.0.1.2"; whether that is known. */
bool text_add_where(struct line *l, const json_t *cause);

/* The first line of a capture-report. */
void text_add_reading(struct line *l, const json_t *document);

/* --- text_icmp.c: rows of the block of ICMP; whether the value is known --- */

#define TEXT_ICMP_ERRORS 32 /* more than our own reports hold */

bool text_icmp_tri(const json_t *block, struct line *l, const char *key);
bool text_icmp_echo(const json_t *block, struct line *l);
/* about: "udp", "tcp", "attempt". */
bool text_icmp_errors(const json_t *block, struct line *l, const char *about);
bool text_icmp_quotes(const json_t *block, struct line *l);
bool text_icmp_egress(const json_t *block, struct line *l);
bool text_icmp_translated(const json_t *block, struct line *l);
bool text_icmp_lifetime(const json_t *block, struct line *l);
