// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * A file of packets from a stranger, behind its decoder: whatever they are, what is read from them is bounded, each number
 * in it is that of a packet, the document is whole, and the text that is made of it is printable.
 */

#include <config.h>

#include <string.h>

#include "fuzz.h"
#include "fuzz_packets.h"
#include "report/document_reading.h"
#include "report/read.h"
#include "report/text_reading.h"

#define NAME_BYTES 8

static void check_numbers(const struct captured_list *l, const struct reading *r)
{
	for (size_t i = 0; i < r->causes.count; i++) {
		const struct cause *c = &r->causes.list[i];

		require(*c->title && *c->detail && c->packet_count <= CAUSE_PACKETS);
		require(!c->evidence_count);
		require(c->hops == CAUSE_HOPS_UNKNOWN || (c->hops >= 1 && c->hops <= 256));
		for (size_t n = 0; n < c->packet_count; n++)
			require(c->packets[n] >= 1);
		require(!i || c[-1].certainty >= c->certainty);
	}
	for (size_t i = 0; i < r->mapping_count; i++)
		for (size_t n = 0; n < r->mappings[i].count; n++)
			require(captured_find(l, r->mappings[i].seen[n].packet));
	for (size_t i = 0; i < l->count; i++) {
		const struct captured *c = &l->packets[i];

		require(c->observation == CAPTURED_NONE && !c->delivery_known);
		require(!c->about || (c->about <= c->number && captured_find(l, c->about)));
		require(c->content != CONTENT_REQUEST || (c->copy >= 1 && c->copy <= c->copies));
	}
}

static void check_reading(const struct captured_list *l, const struct reading *r)
{
	size_t flows = 0;

	for (int i = 0; i < FLOW_STATES; i++)
		flows += r->states[i];
	require(flows == l->talk_count && r->flow_count <= flows);
	require(r->flow_count == flows || r->flow_count == READING_FLOWS);
	require(r->host_count <= READING_HOSTS && r->mapping_count <= READING_MAPPINGS);
	require(r->causes.count <= CAUSES_MAX);
	require(l->count <= CAPTURED_MAX && l->talk_count <= TALKS_MAX);
	check_numbers(l, r);
}

static void check_text_of(const json_t *d)
{
	static const struct text_options all[] = {{.width = 80},
		{.width = 40, .utf8 = true, .verbose = true}, {.width = 200, .brief = true}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		require(out && !text_report(d, &all[i], out));
		fclose(out);
		require(length && strlen(text) == length);
		fuzz_check_text(text, all[i].utf8);
		free(text);
	}
}

/* It can be saved and read again. */
static void check_document(const json_t *d)
{
	char *text = json_dumps(d, JSON_COMPACT), error[200];
	json_t *again;

	require(text);
	require(!report_read(text, strlen(text), &again, error, sizeof(error)));
	require(json_equal(d, again));
	json_decref(again);
	free(text);
}

/* Names of interfaces are a stranger's, too. */
static void name_interfaces(struct reader *script, struct captured_list *l)
{
	for (unsigned i = 0; i < 3; i++) {
		char name[NAME_BYTES + 1] = "";

		reader_copy(script, name, NAME_BYTES);
		captured_interface(l, i, name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading_flow flows[READING_FLOWS];
	static struct reading reading;
	const struct report_run run = {.tool = "natprobe",
		.version = "0",
		.time = "2026-11-20T10:00:00Z",
		.complete = true};
	const struct reading_file file = {.name = "\xff\033[2J", .begin_us = 1, .end_us = 2};
	struct reader script = reader_over(data, size);
	struct reading_facts facts = {.file = &file, .reading = &reading};
	struct captured_list *l = fuzz_list();
	json_t *d;

	if (!l)
		return 0;
	facts.list = l;
	facts.all = reader_u8(&script) & 1;
	name_interfaces(&script, l);
	fuzz_packets(&script, l);
	reading_judge(l, flows, &reading);
	check_reading(l, &reading);
	d = reading_document(&run, &facts);
	if (d) {
		check_text_of(d);
		check_document(d);
	}
	json_decref(d);
	return 0;
}
