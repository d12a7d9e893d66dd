// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "punch/keys.h"

/*
 * Bytes between the two over a TCP connection that was punched, sealed in records: in order, complete, and with an end
 * that is authentic, too (libsodium's secretstream). In each direction:
 *
 *	header (24)    of the secretstream, before the first record
 *	length (2)     of the record that follows, authentic with it
 *	record         ciphertext of up to SEALED_BYTES_MAX bytes, and 17 more
 */

#define SEALED_BYTES_MAX   16384 /* of data in a record */
#define SEALED_HEADER	   24
#define SEALED_OVERHEAD	   19 /* of a record, with its length */
#define SEALED_RECORD_MAX  (SEALED_BYTES_MAX + SEALED_OVERHEAD)
#define SEALED_STATE_BYTES 64

/* Keys and counters of both directions; nothing in it is for others. */
struct sealed {
	uint8_t send_key[KEYS_BYTES], receive_key[KEYS_BYTES];
	_Alignas(16) uint8_t send_state[SEALED_STATE_BYTES], receive_state[SEALED_STATE_BYTES];
	bool sends, receives; /* the header has gone out, or has come in */
	bool sent_last, received_last;
};

/*
 * salt: of this connection only, and the same on both sides, so that nothing of an earlier one with the same keys can be
 * played back. Up to 64 bytes.
 */
void sealed_init(struct sealed *s, const struct keys *k, struct span salt);
void sealed_wipe(struct sealed *s);

/*
 * Seals a record, with the header before the first one; last: there will be no other in this direction, and it may be
 * empty. Bytes written to out, which must not overlap data; -EMSGSIZE: more than SEALED_BYTES_MAX, or out is too
 * small for SEALED_HEADER, the overhead and the data; -EPIPE: the last one has been sealed.
 */
int sealed_push(
	struct sealed *s, const void *data, size_t length, bool last, void *out, size_t size);

enum sealed_event {
	SEALED_MORE, /* what is there is no whole record yet */
	SEALED_DATA, /* a record, perhaps an empty one */
	SEALED_LAST, /* the last record, perhaps an empty one */
};

/*
 * Opens the header or one record at the beginning of what has come. *taken bytes of it are done with, and *length were
 * written to out, which holds SEALED_BYTES_MAX. An enum sealed_event; or -EBADMSG, for good: the peer has not
 * sealed this, or not in this place; or -EPIPE: something behind the last record.
 */
int sealed_pull(
	struct sealed *s, const void *data, size_t size, size_t *taken, void *out, size_t *length);
