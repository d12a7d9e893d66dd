// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Any bytes as a capture file. At once, as they are wanted and in pieces of any size it is the same packets with the
 * same end; and what is written of a packet by our own hand is read as it was.
 */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "wire/capture_file.h"
#include "wire/frame.h"
#include "wire/packet.h"

enum { AT_ONCE, AS_WANTED, IN_PIECES, WAYS };

struct reading {
	struct capture_file file;
	int result; /* at the end */
	uint64_t packets;
	uint64_t hash; /* of all that was told of them */
};

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < size; i++)
		h = (h ^ at[i]) * 1099511628211u;
	return h;
}

static uint64_t hash_number(uint64_t h, uint64_t number)
{
	return hash(h, &number, sizeof(number));
}

static void hash_packet(struct reading *r, const struct capture_file_packet *p)
{
	const uint64_t numbers[] = {p->number, p->t_us, p->interface->number,
		p->interface->link_type, p->direction, p->bytes.length, p->original_length,
		p->comment.length};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		r->hash = hash_number(r->hash, numbers[i]);
	r->hash = hash(r->hash, p->bytes.data, p->bytes.length);
	r->hash = hash(r->hash, p->comment.data, p->comment.length);
	r->hash = hash(r->hash, p->interface->name, strlen(p->interface->name));
}

static bool lies_in(struct span inner, struct span outer)
{
	return !inner.length ||
		(inner.data >= outer.data &&
			inner.data + inner.length <= outer.data + outer.length);
}

static void check_packet(
	const struct reading *r, const struct capture_file_packet *p, struct span here)
{
	require(p->number > r->packets && p->t_us <= INT64_MAX);
	require(p->interface >= r->file.interfaces &&
		p->interface < r->file.interfaces + CAPTURE_FILE_INTERFACES);
	require(memchr(p->interface->name, '\0', sizeof(p->interface->name)));
	require(p->direction <= PCAPNG_OUTBOUND);
	require(p->original_length >= p->bytes.length);
	require(lies_in(p->bytes, here) && lies_in(p->comment, here));
}

/* Once through our own writer. */
static void check_written(const struct capture_file_packet *p)
{
	static uint8_t buffer[2 * PACKET_BYTES_MAX];
	static struct capture_file file;
	struct pcapng_packet own = {.t_us = p->t_us, .direction = p->direction};
	char comment[PCAPNG_COMMENT_MAX + 1];
	struct capture_file_packet again;
	struct frame f, written;
	size_t at, consumed, length = p->comment.length;

	if (frame_decode(p->interface->link_type, p->bytes, &f) ||
		f.packet.length > PACKET_BYTES_MAX || length >= sizeof(comment))
		return;
	if (length)
		memcpy(comment, p->comment.data, length);
	comment[length] = '\0';
	own.bytes = f.packet.data;
	own.length = f.packet.length;
	own.comment = comment;
	at = (size_t)pcapng_section(buffer, sizeof(buffer), "");
	at += (size_t)pcapng_interface(buffer + at, sizeof(buffer) - at, PCAPNG_LINK_SLL, "");
	at += (size_t)pcapng_packet(buffer + at, sizeof(buffer) - at, &own);
	capture_file_init(&file);
	require(capture_file_next(&file, (struct span){buffer, at}, &consumed, &again) == 1);
	require(consumed == at && again.number == 1 && again.t_us == p->t_us);
	require(again.direction == p->direction && again.comment.length == strlen(comment));
	require(!memcmp(again.comment.data, comment, again.comment.length));
	require(!frame_decode(PCAPNG_LINK_SLL, again.bytes, &written));
	require(written.packet.length == f.packet.length && written.direction == p->direction);
	require(!memcmp(written.packet.data, f.packet.data, f.packet.length));
}

/* What is here, in a copy of the exact size; how much of it is done with. */
static size_t take(struct reading *r, const uint8_t *data, size_t size, int way)
{
	uint8_t *exact = malloc(size ? size : 1);
	size_t at = 0, consumed;

	if (!exact)
		abort();
	if (size)
		memcpy(exact, data, size);
	do {
		struct span here = {exact + at, size - at};
		size_t wanted = r->file.wanted;
		struct capture_file_packet p;

		r->result = capture_file_next(&r->file, here, &consumed, &p);
		require(consumed <= here.length);
		require(r->result || r->file.wanted > here.length - consumed);
		require(r->result || consumed || at || size < wanted || r->file.wanted > wanted);
		at += consumed;
		if (r->result <= 0)
			continue;
		check_packet(r, &p, here);
		hash_packet(r, &p);
		r->packets = p.number;
		if (way == AT_ONCE)
			check_written(&p);
	} while (r->result > 0);
	free(exact);
	return at;
}

static void read_all(struct reading *r, const uint8_t *data, size_t size, int way)
{
	uint64_t state = hash(14695981039346656037u, data, size);
	size_t at = 0, have = 0;

	memset(r, 0, sizeof(*r));
	capture_file_init(&r->file);
	do {
		size_t more = size;

		state = state * 6364136223846793005u + 1442695040888963407u;
		if (way == AS_WANTED)
			more = r->file.wanted - (have - at);
		if (way == IN_PIECES)
			more = state >> 56 & 15 ? state >> 60 : state >> 52;
		have = more > size - have ? size : have + more;
		at += take(r, data + at, have - at, way);
	} while (!r->result && have < size);
	if (!r->result)
		r->result = capture_file_end(&r->file, have - at);
	require(r->result || r->file.offset == size);
	require((r->result != 0) == (*r->file.error != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading r[WAYS];

	for (int way = 0; way < WAYS; way++) {
		read_all(&r[way], data, size, way);
		require(r[way].result == r[0].result && r[way].hash == r[0].hash);
		require(r[way].packets == r[0].packets);
		require(r[way].file.passed_over == r[0].file.passed_over);
		require(!strcmp(r[way].file.error, r[0].file.error));
	}
	require(!r->result || r->result == -EBADMSG || r->result == -ENODATA ||
		r->result == -EFBIG);
	return 0;
}
