// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/pcapng.h"

enum block { BLOCK_INTERFACE = 1, BLOCK_PACKET = 6, BLOCK_SECTION = 0x0a0d0d0a };

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_INTERFACE_NAME = 2,
	OPTION_PACKET_FLAGS = 2,
	OPTION_APPLICATION = 4,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define UTF8_MORE	 3 /* bytes of a character at most behind its first */

static struct writer begin(void *buffer, size_t size, enum block type)
{
	struct writer w = writer_over(buffer, size);

	writer_u32(&w, type);
	writer_u32(&w, 0); /* the length, when it is known */
	return w;
}

static void pad(struct writer *w)
{
	writer_fill(w, 0, (4 - w->position % 4) % 4);
}

/* What is too long ends between two characters of UTF-8, where there are such. */
static size_t length_of(const char *text)
{
	size_t length = strnlen(text, PCAPNG_COMMENT_MAX), end = length;

	if (!text[length])
		return length;
	while (end > length - UTF8_MORE && (text[end] & 0xc0) == 0x80)
		end--;
	return (text[end] & 0xc0) == 0x80 ? length : end;
}

static void put_text(struct writer *w, enum option code, const char *text)
{
	size_t length = length_of(text);

	writer_u16(w, (uint16_t)code);
	writer_u16(w, (uint16_t)length);
	writer_bytes(w, text, length);
	pad(w);
}

/* The end of the options, and the length at both ends of the block. */
static int finish(struct writer *w)
{
	uint32_t length = (uint32_t)w->position + 8;

	writer_u16(w, OPTION_END);
	writer_u16(w, 0);
	writer_u32(w, length);
	writer_patch_u16(w, 4, (uint16_t)(length >> 16));
	writer_patch_u16(w, 6, (uint16_t)length);
	return w->failed ? -EMSGSIZE : (int)length;
}

int pcapng_section(void *buffer, size_t size, const char *application)
{
	struct writer w = begin(buffer, size, BLOCK_SECTION);

	writer_u32(&w, BYTE_ORDER_MAGIC);
	writer_u16(&w, 1); /* version 1.0 */
	writer_u16(&w, 0);
	writer_fill(&w, 0xff, 8); /* the section goes on to the end of the file */
	put_text(&w, OPTION_APPLICATION, application);
	return finish(&w);
}

int pcapng_interface(void *buffer, size_t size, uint16_t link_type, const char *name)
{
	struct writer w = begin(buffer, size, BLOCK_INTERFACE);

	writer_u16(&w, link_type);
	writer_u16(&w, 0);
	writer_u32(&w, 0); /* packets are not cut off */
	put_text(&w, OPTION_INTERFACE_NAME, name);
	return finish(&w);
}

#define SLL_INCOMING	0
#define SLL_OTHER_HOST	3
#define SLL_OUTGOING	4
#define ARPHRD_NONE	0xfffe
#define ETHERTYPE_IPV4	0x0800
#define ETHERTYPE_IPV6	0x86dd
#define SLL_ADDRESS_MAX 8

static void put_sll(struct writer *w, const struct pcapng_packet *p)
{
	static const uint16_t types[] = {[PCAPNG_UNKNOWN] = SLL_OTHER_HOST,
		[PCAPNG_INBOUND] = SLL_INCOMING,
		[PCAPNG_OUTBOUND] = SLL_OUTGOING};
	bool v6 = p->length && *(const uint8_t *)p->bytes >> 4 == 6;

	writer_u16(w, types[p->direction]);
	writer_u16(w, ARPHRD_NONE);
	writer_u16(w, 0); /* no address */
	writer_fill(w, 0, SLL_ADDRESS_MAX);
	writer_u16(w, v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
}

int pcapng_packet(void *buffer, size_t size, const struct pcapng_packet *p)
{
	struct writer w = begin(buffer, size, BLOCK_PACKET);

	if (p->length > size)
		return -EMSGSIZE;
	writer_u32(&w, p->interface);
	writer_u32(&w, (uint32_t)(p->t_us >> 32));
	writer_u32(&w, (uint32_t)p->t_us);
	writer_u32(&w, (uint32_t)p->length + PCAPNG_SLL_BYTES);
	writer_u32(&w, (uint32_t)p->length + PCAPNG_SLL_BYTES);
	put_sll(&w, p);
	writer_bytes(&w, p->bytes, p->length);
	pad(&w);
	if (p->comment)
		put_text(&w, OPTION_COMMENT, p->comment);
	if (p->direction) {
		writer_u16(&w, OPTION_PACKET_FLAGS);
		writer_u16(&w, 4);
		writer_u32(&w, p->direction);
	}
	return finish(&w);
}
