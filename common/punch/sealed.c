// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/sealed.h"

typedef crypto_secretstream_xchacha20poly1305_state state;

_Static_assert(sizeof(state) <= SEALED_STATE_BYTES, "room for libsodium's state");
_Static_assert(SEALED_HEADER == crypto_secretstream_xchacha20poly1305_HEADERBYTES, "header");
_Static_assert(SEALED_OVERHEAD == 2 + crypto_secretstream_xchacha20poly1305_ABYTES, "overhead");
_Static_assert(KEYS_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES, "key");

#define TAG_LAST crypto_secretstream_xchacha20poly1305_TAG_FINAL

static void salt_key(const uint8_t key[KEYS_BYTES], struct span salt, uint8_t out[KEYS_BYTES])
{
	crypto_generichash_blake2b(out, KEYS_BYTES, salt.data, salt.length, key, KEYS_BYTES);
}

void sealed_init(struct sealed *s, const struct keys *k, struct span salt)
{
	memset(s, 0, sizeof(*s));
	salt_key(k->send.channel, salt, s->send_key);
	salt_key(k->receive.channel, salt, s->receive_key);
}

void sealed_wipe(struct sealed *s)
{
	sodium_memzero(s, sizeof(*s));
}

/* --- sending --- */

static void begin_sending(struct sealed *s, struct writer *w)
{
	uint8_t header[SEALED_HEADER];

	crypto_secretstream_xchacha20poly1305_init_push(
		(state *)(void *)s->send_state, header, s->send_key);
	sodium_memzero(s->send_key, sizeof(s->send_key));
	s->sends = true;
	writer_bytes(w, header, sizeof(header));
}

int sealed_push(
	struct sealed *s, const void *data, size_t length, bool last, void *out, size_t size)
{
	size_t need = (s->sends ? 0 : SEALED_HEADER) + SEALED_OVERHEAD + length;
	struct writer w = writer_over(out, size);
	uint8_t ad[2];

	if (s->sent_last)
		return -EPIPE;
	if (length > SEALED_BYTES_MAX || size < need)
		return -EMSGSIZE;
	if (!s->sends)
		begin_sending(s, &w);
	length += SEALED_OVERHEAD - sizeof(ad);
	ad[0] = (uint8_t)(length >> 8);
	ad[1] = (uint8_t)length;
	writer_bytes(&w, ad, sizeof(ad));
	crypto_secretstream_xchacha20poly1305_push((state *)(void *)s->send_state,
		(uint8_t *)out + w.position, NULL, data, length - (SEALED_OVERHEAD - sizeof(ad)),
		ad, sizeof(ad), last ? TAG_LAST : 0);
	s->sent_last = last;
	return (int)need;
}

/* --- receiving --- */

static int take_header(struct sealed *s, struct reader *r)
{
	uint8_t header[SEALED_HEADER];

	reader_copy(r, header, sizeof(header));
	if (r->failed)
		return SEALED_MORE;
	if (crypto_secretstream_xchacha20poly1305_init_pull(
		    (state *)(void *)s->receive_state, header, s->receive_key))
		return -EBADMSG;
	sodium_memzero(s->receive_key, sizeof(s->receive_key));
	s->receives = true;
	return 0;
}

static int take_record(struct sealed *s, struct reader *r, void *out, size_t *length)
{
	uint16_t size = reader_u16(r);
	uint8_t ad[2] = {(uint8_t)(size >> 8), (uint8_t)size}, tag;
	struct span record;
	unsigned long long written;

	if (r->failed)
		return SEALED_MORE;
	if (size < SEALED_OVERHEAD - sizeof(ad) || size > SEALED_RECORD_MAX - sizeof(ad))
		return -EBADMSG;
	record = reader_span(r, size);
	if (r->failed)
		return SEALED_MORE;
	if (crypto_secretstream_xchacha20poly1305_pull((state *)(void *)s->receive_state, out,
		    &written, &tag, record.data, record.length, ad, sizeof(ad)))
		return -EBADMSG;
	*length = (size_t)written;
	s->received_last = tag == TAG_LAST;
	return s->received_last ? SEALED_LAST : SEALED_DATA;
}

int sealed_pull(
	struct sealed *s, const void *data, size_t size, size_t *taken, void *out, size_t *length)
{
	struct reader r = reader_over(data, size);
	int event = 0;

	*taken = *length = 0;
	if (s->received_last)
		return size ? -EPIPE : SEALED_MORE;
	if (!s->receives)
		event = take_header(s, &r);
	if (event < 0 || r.failed)
		return event;
	*taken = size - reader_left(&r);
	event = take_record(s, &r, out, length);
	if (event > SEALED_MORE)
		*taken = size - reader_left(&r);
	return event;
}
