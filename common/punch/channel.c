// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/channel.h"

#define HEADER_BYTES 12
#define NONCE_BYTES  crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES    crypto_aead_chacha20poly1305_ietf_ABYTES

_Static_assert(KEYS_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "a key");
_Static_assert(CHANNEL_OVERHEAD == HEADER_BYTES + TAG_BYTES, "the overhead of a packet");

void channel_init(struct channel *c, const struct keys *k)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->send_key, k->send.channel, sizeof(c->send_key));
	memcpy(c->receive_key, k->receive.channel, sizeof(c->receive_key));
}

void channel_wipe(struct channel *c)
{
	sodium_memzero(c, sizeof(*c));
}

static bool type_is_known(unsigned type)
{
	return type >= CHANNEL_DATA && type <= CHANNEL_FORWARDED;
}

static void write_nonce(uint8_t out[static NONCE_BYTES], uint64_t counter)
{
	struct writer w = writer_over(out, NONCE_BYTES);

	writer_u32(&w, 0);
	writer_u32(&w, (uint32_t)(counter >> 32));
	writer_u32(&w, (uint32_t)counter);
}

int channel_seal(struct channel *c, enum channel_type type, const void *data, size_t length,
	void *out, size_t size)
{
	struct writer w = writer_over(out, size);
	uint8_t nonce[NONCE_BYTES], *packet = out;

	if (!type_is_known(type))
		return -EINVAL;
	if (length > CHANNEL_PAYLOAD_MAX || length + CHANNEL_OVERHEAD > size)
		return -EMSGSIZE;
	if (c->sent == UINT64_MAX)
		return -EOVERFLOW;
	c->sent++;
	writer_u8(&w, (uint8_t)type);
	writer_fill(&w, 0, 3);
	writer_u32(&w, (uint32_t)(c->sent >> 32));
	writer_u32(&w, (uint32_t)c->sent);
	write_nonce(nonce, c->sent);
	crypto_aead_chacha20poly1305_ietf_encrypt(packet + HEADER_BYTES, NULL, data, length, packet,
		HEADER_BYTES, NULL, nonce, c->send_key);
	return (int)(length + CHANNEL_OVERHEAD);
}

static bool is_old(const struct channel *c, uint64_t counter)
{
	return c->newest >= CHANNEL_WINDOW && counter <= c->newest - CHANNEL_WINDOW;
}

static bool is_seen(const struct channel *c, uint64_t counter)
{
	return counter <= c->newest && c->seen[counter / 64 % CHANNEL_WORDS] >> counter % 64 & 1;
}

/* The window moves by whole words: the ring has one more than the window needs. */
static void note_seen(struct channel *c, uint64_t counter)
{
	if (counter > c->newest) {
		uint64_t steps = counter / 64 - c->newest / 64;

		for (uint64_t i = 1; i <= steps && i <= CHANNEL_WORDS; i++)
			c->seen[(c->newest / 64 + i) % CHANNEL_WORDS] = 0;
		c->newest = counter;
	}
	c->seen[counter / 64 % CHANNEL_WORDS] |= UINT64_C(1) << counter % 64;
}

/* The header's type and counter, or false for what no channel sends. */
static bool read_header(struct reader *r, enum channel_type *type, uint64_t *counter)
{
	unsigned first = reader_u8(r), zero = reader_u8(r);

	zero |= reader_u16(r);
	*counter = (uint64_t)reader_u32(r) << 32;
	*counter |= reader_u32(r);
	*type = first;
	return !r->failed && type_is_known(first) && !zero && *counter;
}

/* Decrypts to out, or only checks where out is NULL. */
static bool open_sealed(const struct channel *c, const uint8_t *packet, size_t payload_length,
	uint64_t counter, void *out)
{
	const uint8_t *sealed = packet + HEADER_BYTES;
	uint8_t nonce[NONCE_BYTES];

	write_nonce(nonce, counter);
	return !crypto_aead_chacha20poly1305_ietf_decrypt_detached(out, NULL, sealed,
		payload_length, sealed + payload_length, packet, HEADER_BYTES, nonce,
		c->receive_key);
}

/* Authentic first: what strangers send changes no other count but that of forged packets. */
int channel_open(struct channel *c, const void *packet, size_t length, enum channel_type *type,
	void *out, size_t size)
{
	struct reader r = reader_over(packet, length);
	bool old, seen;
	uint64_t counter;
	size_t payload;

	if (length < CHANNEL_OVERHEAD || length > CHANNEL_PACKET_MAX ||
		!read_header(&r, type, &counter)) {
		c->forged++;
		return -EBADMSG;
	}
	payload = length - CHANNEL_OVERHEAD;
	if (payload > size)
		return -EMSGSIZE;
	old = is_old(c, counter);
	seen = !old && is_seen(c, counter);
	if (!open_sealed(c, packet, payload, counter, old || seen ? NULL : out)) {
		c->forged++;
		return -EBADMSG;
	}
	c->old += old;
	c->duplicates += seen;
	if (old || seen)
		return -EALREADY;
	c->received++;
	note_seen(c, counter);
	return (int)payload;
}

struct channel_statistics channel_statistics(const struct channel *c)
{
	return (struct channel_statistics){
		.sent = c->sent,
		.received = c->received,
		.lost = c->newest - c->received,
		.duplicates = c->duplicates,
		.old = c->old,
		.forged = c->forged,
	};
}
