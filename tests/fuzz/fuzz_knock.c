// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * Both sides of a knock, and a script that sends them whatever it likes, at any time: bytes, sealed ones of somebody who has
 * the code, copies, and asks and answers that are good. Promised: sockets are opened and closed once; a copy is never heard;
 * what one visitor gets is bounded and goes to hosts only; who knocks keeps to the rate and is silent when it was answered;
 * and both come to rest at any moment.
 */

#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "punch/knocker.h"
#include "punch/waiter.h"

#define BEGIN_US    1000000000u
#define SECOND	    1000000u
#define STEPS_MAX   400
#define TIME_MAX_US (3000 * UINT64_C(1000000))
#define POLLS	    3000 /* at one moment */
#define ANSWERS_MAX 2048 /* to one visitor */
#define RATE	    10
#define FURTHER	    12
#define HEAD_BYTES  42 /* of a knock inside of its seal */

enum step {
	TIME,
	BYTES, /* to either side */
	SEALED, /* the same, sealed with the key */
	COPY,
	ASK,
	REPLY,
	SPEAK, /* who waits answers its visitor */
	REST,
	RESUME,
	KNOCK_AGAIN,
	OPENS, /* with that error, from now on */
	STEPS,
};

enum to { ERROR_TO_WAITER, DATAGRAM_TO_WAITER, TO_KNOCKER, WAYS };

struct message {
	uint8_t bytes[KNOCK_BYTES_MAX + 8];
	size_t length;
	bool heard[WAYS]; /* any copy of it, by who waits or who knocks */
};

struct run {
	struct reader r;
	struct knock_key key;
	struct waiter *w;
	struct knocker *k;
	struct trail *trail;
	uint64_t now_us, utc_us;
	bool open[WAITER_SOCKETS];
	struct endpoint local[WAITER_SOCKETS];
	int error; /* of sockets that are opened */
	unsigned answers; /* since the visitor came, or waiter_resume */
	uint64_t errors_us[RATE]; /* when the knocker sent its latest packets */
	unsigned packets;
	bool answered;
	struct message latest;
	struct random random;
};

/* --- what they do --- */

static bool is_dark(const struct endpoint *e)
{
	return e->family == FAMILY_IPV4 ? e->address[0] == 198 && (e->address[1] & 0xfe) == 18
					: e->address[1] == 1 && e->address[3] == 2;
}

static void take_open(struct run *x, const struct knock_output *out)
{
	struct endpoint local = out->local;

	require(out->socket < WAITER_SOCKETS && !x->open[out->socket]);
	for (unsigned i = 0; i < WAITER_SOCKETS && local.port; i++)
		require(!x->open[i] || !endpoint_equal(&local, &x->local[i]));
	if (!local.port)
		local.port = (uint16_t)(50000 + out->socket);
	x->open[out->socket] = !x->error;
	x->local[out->socket] = local;
	waiter_opened(x->w, x->now_us, out->socket, x->error, x->error ? NULL : &local);
}

static void take_send(struct run *x, const struct knock_output *out)
{
	struct knock said;

	require(out->socket < WAITER_SOCKETS && x->open[out->socket]);
	require(endpoint_is_unicast(&out->to) && !endpoint_is_loopback(&out->to));
	require(out->to.family == x->local[out->socket].family);
	require(out->length <= sizeof(out->data));
	if (out->ttl) {
		require(is_dark(&out->to) && out->length == 8);
		return;
	}
	require(!knock_open(&x->key, (struct span){out->data, out->length}, &said));
	require(said.kind == KNOCK_ANSWER && ++x->answers <= ANSWERS_MAX);
}

static void take_of_waiter(struct run *x, const struct knock_output *out)
{
	switch (out->action) {
	case KNOCK_OPEN:
		take_open(x, out);
		break;
	case KNOCK_CLOSE:
		require(x->open[out->socket]);
		x->open[out->socket] = false;
		break;
	default:
		require(out->action == KNOCK_SEND);
		take_send(x, out);
	}
}

static void take_of_knocker(struct run *x, const struct knock_output *out)
{
	uint64_t *before = &x->errors_us[x->packets++ % RATE];
	struct knock said;

	require(!x->answered);
	require(out->action == KNOCK_SEND || out->action == KNOCK_ERROR);
	require(x->packets <= RATE || x->now_us - *before >= SECOND);
	*before = x->now_us;
	require(!knock_open(&x->key, (struct span){out->data, out->length}, &said));
	require(said.kind == KNOCK_ASK);
	require(out->action == KNOCK_SEND || is_dark(&out->quoted_to));
}

/* Everything that is to be done now; when they want to be called again. */
static uint64_t poll(struct run *x)
{
	static struct knock_output out;

	for (unsigned i = 0; i < POLLS; i++) {
		uint64_t deadline_us = UINT64_MAX;

		if (waiter_poll(x->w, x->now_us, &out, &deadline_us)) {
			take_of_waiter(x, &out);
		} else if (knocker_poll(x->k, x->now_us, &out, &deadline_us)) {
			take_of_knocker(x, &out);
		} else {
			require(deadline_us > x->now_us);
			return deadline_us;
		}
	}
	require(false);
	return 0;
}

static void pass(struct run *x, uint64_t us)
{
	uint64_t end_us = x->now_us + us, at_us;

	if (end_us > BEGIN_US + TIME_MAX_US)
		end_us = BEGIN_US + TIME_MAX_US;
	while ((at_us = poll(x)) <= end_us)
		x->now_us = at_us;
	x->now_us = end_us;
}

/* --- what comes --- */

static struct endpoint take_endpoint(struct run *x)
{
	struct endpoint e = {.family = reader_u8(&x->r) & 1 ? FAMILY_IPV6 : FAMILY_IPV4};

	e.port = reader_u16(&x->r);
	reader_copy(&x->r, e.address, endpoint_address_length(e.family));
	return e;
}

static void check(const struct run *x)
{
	const struct waiter_counts *c = waiter_counts(x->w);
	unsigned open = 0;

	for (unsigned i = 0; i < WAITER_SOCKETS; i++)
		open += x->open[i];
	require(c->flows == open && open <= FURTHER + 2 * 2 + 1);
}

static void deliver_to_waiter(struct run *x, enum to to, unsigned socket,
	const struct endpoint *from, const uint8_t *data)
{
	struct message *m = &x->latest;
	enum waiter_heard heard = to == ERROR_TO_WAITER
		? waiter_error(x->w, x->now_us, socket, from, data, m->length)
		: waiter_input(x->w, x->now_us, socket, from, data, m->length);

	if (heard == WAITER_NOTHING)
		return;
	require(socket < WAITER_SOCKETS && x->open[socket] && !m->heard[0]);
	m->heard[0] = true;
	if (heard == WAITER_NEW)
		x->answers = 0;
}

/* Of exactly this length for the sanitizer. */
static void deliver(struct run *x)
{
	struct message *m = &x->latest;
	unsigned to = reader_u8(&x->r) % WAYS, socket = reader_u16(&x->r) % (WAITER_SOCKETS + 8);
	struct endpoint from = take_endpoint(x);
	uint8_t *exact = malloc(m->length ? m->length : 1);

	require(exact != NULL);
	memcpy(exact, m->bytes, m->length);
	if (to != TO_KNOCKER) {
		deliver_to_waiter(x, (enum to)to, socket, &from, exact);
	} else if (knocker_input(x->k, x->now_us, &from, exact, m->length)) {
		require(!m->heard[TO_KNOCKER] && !x->answered);
		m->heard[TO_KNOCKER] = x->answered = true;
	}
	free(exact);
	check(x);
}

static void make_bytes(struct run *x)
{
	struct message *m = &x->latest;

	*m = (struct message){.length = reader_u16(&x->r) % sizeof(m->bytes)};
	reader_copy(&x->r, m->bytes, m->length);
}

static void seal_plain(struct run *x, const uint8_t *plain, size_t length)
{
	static const char purpose[] = "natutils knock 1";
	unsigned long long n;

	x->latest = (struct message){.length = 0};
	random_bytes(&x->random, x->latest.bytes, KNOCK_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(x->latest.bytes + KNOCK_NONCE, &n, plain, length,
		(const uint8_t *)purpose, sizeof(purpose) - 1, NULL, x->latest.bytes, x->key.bytes);
	x->latest.length = KNOCK_NONCE + (size_t)n;
}

/* Arbitrary, but for the beginning, which may be made good. */
static void make_sealed(struct run *x)
{
	uint8_t plain[HEAD_BYTES + KNOCK_HELLO_MAX];
	size_t length = reader_u16(&x->r) % (sizeof(plain) + 1);
	uint8_t good = reader_u8(&x->r);
	struct writer w = writer_over(plain, length);
	uint64_t ms = (x->utc_us + (x->now_us - BEGIN_US)) / 1000;

	reader_copy(&x->r, plain, length);
	if (good & 1)
		writer_u8(&w, 1);
	if (good & 2)
		writer_u8(&w, good & 4 ? KNOCK_ASK : KNOCK_ANSWER);
	if ((good & 11) == 11) {
		writer_u16(&w, (uint16_t)(ms >> 32));
		writer_u32(&w, (uint32_t)ms);
	}
	seal_plain(x, plain, length);
}

static struct knock words_of(struct run *x, enum knock_kind kind)
{
	struct knock k = {.kind = kind, .hello.transport = HELLO_UDP};
	unsigned count = reader_u8(&x->r) % (HELLO_CANDIDATES + 1);

	memset(k.share, reader_u8(&x->r), sizeof(k.share));
	for (unsigned i = 0; i < count; i++) {
		k.hello.candidates[i].kind = CHECK_HOST;
		k.hello.candidates[i].endpoint = take_endpoint(x);
	}
	k.hello.candidate_count = count;
	k.utc_ms = (x->utc_us + (x->now_us - BEGIN_US)) / 1000;
	return k;
}

static void make_good(struct run *x, enum knock_kind kind, const struct knock *own)
{
	struct message m = {.length = 0};
	struct knock k = words_of(x, kind);
	int n;

	k.utc_ms += (uint64_t)(int64_t)(int16_t)reader_u16(&x->r) * 8;
	k.answered = knock_tag(own);
	n = knock_seal(&x->key, &k, &x->random, m.bytes, sizeof(m.bytes));
	require(n > 0 || n == -EMSGSIZE);
	m.length = n > 0 ? (size_t)n : 0;
	x->latest = m;
}

/* --- the script --- */

static void step(struct run *x, const struct knock *own)
{
	struct knock words;

	switch ((enum step)(reader_u8(&x->r) % STEPS)) {
	case TIME:
		pass(x, (uint64_t)reader_u16(&x->r) << reader_u8(&x->r) % 14);
		break;
	case BYTES:
		make_bytes(x);
		deliver(x);
		break;
	case SEALED:
		make_sealed(x);
		deliver(x);
		break;
	case COPY:
		deliver(x);
		break;
	case ASK:
		make_good(x, KNOCK_ASK, own);
		deliver(x);
		break;
	case REPLY:
		make_good(x, KNOCK_ANSWER, own);
		deliver(x);
		break;
	case SPEAK:
		words = words_of(x, KNOCK_ANSWER);
		waiter_answer(x->w, x->now_us, &words);
		break;
	case REST:
		waiter_rest(x->w, reader_u16(&x->r) % (WAITER_SOCKETS + 8));
		break;
	case RESUME:
		x->answers = 0;
		waiter_resume(x->w, x->now_us, reader_u8(&x->r) & 1);
		break;
	case KNOCK_AGAIN:
		x->answered = false;
		knocker_resume(x->k, x->now_us);
		break;
	default:
		x->error = -(reader_u8(&x->r) % 100);
	}
}

static void begin(struct run *x, struct knock *own)
{
	static const struct endpoint from[] = {
		{FAMILY_IPV4, 0, 0, {192, 168, 1, 9}},
		{FAMILY_IPV6, 0, 0, {0x20, 1, 0xd, 0xb8, [15] = 9}},
	};
	struct waiter_config w = {.from_count = 2, .further = FURTHER, .trail = x->trail};
	struct knocker_config k = {.target = {FAMILY_IPV4, 0, 0, {203, 0, 113, 1}},
		.packets_max = 60,
		.rate_pps = RATE,
		.trail = x->trail};

	memset(&x->key, 1, sizeof(x->key));
	x->now_us = BEGIN_US;
	x->utc_us = (uint64_t)reader_u32(&x->r) << 32 | reader_u32(&x->r);
	*own = (struct knock){.kind = KNOCK_ASK, .share = {1}, .hello.transport = HELLO_UDP};
	require(!knock_digest(own));
	w.key = k.key = x->key;
	w.utc_us = k.utc_us = x->utc_us;
	memcpy(w.from, from, sizeof(from));
	k.ask = *own;
	require(!waiter_create(&w, x->now_us, &x->w));
	require(!knocker_create(&k, x->now_us, &x->k));
	random_init_number(&x->random, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run x;
	struct knock own, any;

	require(sodium_init() >= 0);
	memset(&x, 0, sizeof(x));
	x.r = reader_over(data, size);
	require(!trail_create(BEGIN_US, &x.trail));
	begin(&x, &own);
	require(knock_open(&x.key, (struct span){data, size}, &any) || size >= KNOCK_OVERHEAD);
	for (unsigned i = 0; i < STEPS_MAX && reader_left(&x.r); i++) {
		step(&x, &own);
		poll(&x);
		check(&x);
	}
	pass(&x, 100 * UINT64_C(1000000));
	waiter_destroy(x.w);
	knocker_destroy(x.k);
	trail_destroy(x.trail);
	return 0;
}
