// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "punch/cpace.h"
#include "punch/cpace_private.h"
#include "test_punch_kit.h"

/*
 * Appendix B.3 of draft-irtf-cfrg-cpace, ristretto255 and SHA-512: of version 21, and of version 18, which has
 * the same algorithm and another CI.
 */
static const struct {
	const char *ci;
	size_t generator_length;
	const char *generator_string, *hash, *generator; /* B.3.1 */
	const char *shares[2]; /* B.3.2, B.3.3 */
	const char *k; /* B.3.4 */
	/* B.3.6: lv_cat(DSI_ISK, sid, K) and transcript_oc, which is o_cat of what both have sent */
	const char *isk_input, *isk;
} vectors[] = {
	{
		.ci = "\x0b"
		      "A_initiator\x0b"
		      "B_responder",
		.generator_length = 170,
		.generator_string = "11435061636552697374726574746f3235350850617373776f726464"
				    "00000000000000000000000000000000000000000000000000000000"
				    "00000000000000000000000000000000000000000000000000000000"
				    "00000000000000000000000000000000000000000000000000000000"
				    "00000000000000000000000000000000180b415f696e69746961746f"
				    "720b425f726573706f6e646572107e4b4791d6a8ef019b936c79fb7f"
				    "2c57",
		.hash = "da6d3ddc8802fca9058755ffd3ebde08a9c2c74945901a258482a288"
			"b6663af06bf645c93cd1c51512307199c80e84908916d983b34af772"
			"05f90851a657ee27",
		.generator = "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56",
		.shares = {"d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157",
			"3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258"},
		.k = "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f",
		.isk_input = "15435061636552697374726574746f3235355f49534b107e4b4791d6"
			     "a8ef019b936c79fb7f2c572080b69a8a76457ab6a4d7f887a4bf6b55"
			     "a2f80ac19c333f917a05fc9887c8b40f6f6320d6bac480f2c386c394"
			     "efc7c47adb9925dcd2630b64f240c50f8d0eec482b91570341446120"
			     "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7"
			     "433f725803414462",
		.isk = "544199d71f62f8d9a1fee55727e24fe4a45844593c2b6013c4fa3969"
		       "d0e5debb2244675c0b43397cbb68d342b01fc0f98fc961469a25134d"
		       "e9f0f813c1a57476",
	},
	{
		.ci = "oc\x0b"
		      "B_responder\x0b"
		      "A_initiator",
		.generator_length = 172,
		.generator_string = "11435061636552697374726574746f3235350850617373776f726464"
				    "00000000000000000000000000000000000000000000000000000000"
				    "00000000000000000000000000000000000000000000000000000000"
				    "00000000000000000000000000000000000000000000000000000000"
				    "000000000000000000000000000000001a6f630b425f726573706f6e"
				    "6465720b415f696e69746961746f72107e4b4791d6a8ef019b936c79"
				    "fb7f2c57",
		.hash = "c63a5750e2439c17ccd8213be14fde2f87e1bc637001a97f5929c77b"
			"30ea0e08afbc75ace5d3d73b2842a79d01488c5fd7ea30d475ee6095"
			"45af1bfd1ff77c8e",
		.generator = "a6fc82c3b8968fbb2e06fee81ca858586dea50d248f0c7ca6a18b0902a30b36b",
		.shares = {"d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a",
			"08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307"},
		.k = "e22b1ef7788f661478f3cddd4c600774fc0f41e6b711569190ff88fa0e607e09",
		.isk_input = "15435061636552697374726574746f3235355f49534b107e4b4791d6"
			     "a8ef019b936c79fb7f2c5720e22b1ef7788f661478f3cddd4c600774"
			     "fc0f41e6b711569190ff88fa0e607e096f6320d40fb265a7abeaee79"
			     "39d91a585fe59f7053f982c296ec413c624c669308f87a0341446120"
			     "08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e67"
			     "2eb7e30703414462",
		.isk = "980dcc5a1c52ceea031e75f38ed266586616488c5c5780285fcbcf79"
		       "087c7bcdbd993502eee606b718ba31e840a000a7b7befe15ea427c5c"
		       "fe88344fa1237f35",
	},
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

/* The same in both versions, as are PRS and sid. */
static const struct {
	const char *scalar, *ad;
} vector_sides[2] = {
	{"da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08", "ADa"},
	{"d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d", "ADb"},
};

static void assert_hex(const uint8_t *bytes, size_t length, const char *hex)
{
	uint8_t expected[512];

	assert_int_equal(from_hex(hex, expected), length);
	assert_memory_equal(bytes, expected, length);
}

static struct cpace_input vector_input(size_t v, uint8_t sid[static 16], const char *ad)
{
	return (struct cpace_input){span_of("Password"), span_of(vectors[v].ci),
		{sid, from_hex("7e4b4791d6a8ef019b936c79fb7f2c57", sid)}, span_of(ad)};
}

/* A.1.2 and A.1.4: lengths in LEB128. */
static void test_length_value(void **state)
{
	static const struct {
		size_t length;
		const char *prefix;
	} rows[] = {{0, "00"}, {4, "04"}, {127, "7f"}, {128, "8001"}, {300, "ac02"},
		{16383, "ff7f"}, {16384, "808001"}};
	static uint8_t bytes[20000], expected[20004];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t hash[64], expected_hash[64];
		size_t n = from_hex(rows[i].prefix, expected);
		crypto_hash_sha512_state h;

		memcpy(expected + n, bytes, rows[i].length);
		crypto_hash_sha512(expected_hash, expected, n + rows[i].length);
		crypto_hash_sha512_init(&h);
		cpace_hash_lv(&h, (struct span){bytes, rows[i].length});
		crypto_hash_sha512_final(&h, hash);
		assert_memory_equal(hash, expected_hash, sizeof(hash));
	}
}

/* The string by its hash, which is published, too. */
static void test_generator(void **state)
{
	(void)state;
	for (size_t v = 0; v < VECTORS; v++) {
		uint8_t hash[64], sid[16], string[256], string_hash[64], generator[32];
		struct cpace_input in = vector_input(v, sid, "");
		size_t n = from_hex(vectors[v].generator_string, string);

		assert_int_equal(n, vectors[v].generator_length);
		crypto_hash_sha512(string_hash, string, n);
		assert_hex(string_hash, sizeof(string_hash), vectors[v].hash);
		cpace_generator_hash(&in, hash);
		assert_hex(hash, sizeof(hash), vectors[v].hash);
		crypto_core_ristretto255_from_hash(generator, hash);
		assert_hex(generator, sizeof(generator), vectors[v].generator);
	}
}

/* Secrets so long that the zeros become fewer, none, and LEB128 two bytes; the string is built by hand here. */
static void test_generator_long_secret(void **state)
{
	static uint8_t secret[300];

	(void)state;
	memset(secret, 'x', sizeof(secret));
	for (size_t n = 0; n <= sizeof(secret); n++) {
		struct cpace_input in = {
			.prs = {secret, n}, .ci = span_of("c"), .sid = span_of("s")};
		size_t used = 18 + n + (n < 128 ? 1 : 2) + 1, fill = used < 128 ? 128 - used : 0;
		uint8_t string[512], hash[64], expected[64];
		struct writer w = writer_over(string, sizeof(string));

		writer_bytes(&w,
			"\x11"
			"CPaceRistretto255",
			18);
		writer_u8(&w, (uint8_t)(n < 128 ? n : n | 0x80));
		if (n >= 128)
			writer_u8(&w, (uint8_t)(n >> 7));
		writer_fill(&w, 'x', n);
		writer_u8(&w, (uint8_t)fill);
		writer_fill(&w, 0, fill);
		writer_bytes(&w, "\1c\1s", 4);
		crypto_hash_sha512(expected, string, w.position);
		cpace_generator_hash(&in, hash);
		assert_memory_equal(hash, expected, sizeof(hash));
	}
}

/* One side of a vector: its share, the secret point, the key. */
static void check_side(size_t v, int side)
{
	uint8_t sid[16], scalar[32], share[32], k[32], isk[64];
	struct cpace_input in = vector_input(v, sid, vector_sides[side].ad);
	struct span peer = {share, from_hex(vectors[v].shares[!side], share)};
	struct cpace c;

	from_hex(vector_sides[side].scalar, scalar);
	assert_int_equal(cpace_begin_with(&c, &in, scalar), 0);
	assert_hex(c.own, sizeof(c.own), vectors[v].shares[side]);
	assert_int_equal(cpace_point(scalar, peer, k), 0);
	assert_hex(k, sizeof(k), vectors[v].k);
	assert_int_equal(cpace_finish(&c, peer, span_of(vector_sides[!side].ad), isk), 0);
	assert_hex(isk, sizeof(isk), vectors[v].isk);
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t v = 0; v < VECTORS; v++) {
		uint8_t input[256], hash[64];
		size_t n = from_hex(vectors[v].isk_input, input);

		assert_int_equal(n, 148);
		crypto_hash_sha512(hash, input, n);
		assert_hex(hash, sizeof(hash), vectors[v].isk);
		check_side(v, 0);
		check_side(v, 1);
	}
}

/* B.3.10 and B.3.11. */
static void test_vector_points(void **state)
{
	static const struct {
		const char *point, *product; /* NULL: refused */
	} rows[] = {
		{"2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c",
			"7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e"},
		{"2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c", NULL},
		{"0000000000000000000000000000000000000000000000000000000000000000", NULL},
		/* RFC 9496 A.2: field elements that are not canonical, a negative one */
		{"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", NULL},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", NULL},
		{"0100000000000000000000000000000000000000000000000000000000000000", NULL},
		{"", NULL},
		{"2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a5", NULL},
		{"2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c00", NULL},
	};
	uint8_t scalar[32];

	(void)state;
	from_hex("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05", scalar);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t point[64], k[32], sid[16], isk[64];
		struct span share = {point, from_hex(rows[i].point, point)};
		struct cpace_input in = vector_input(0, sid, "ad");
		struct cpace c;

		assert_int_equal(cpace_point(scalar, share, k), rows[i].product ? 0 : -EBADMSG);
		if (rows[i].product)
			assert_hex(k, sizeof(k), rows[i].product);
		assert_int_equal(cpace_begin_with(&c, &in, scalar), 0);
		memset(isk, 1, sizeof(isk));
		assert_int_equal(
			cpace_finish(&c, share, span_of("x"), isk), rows[i].product ? 0 : -EBADMSG);
		assert_int_equal(sodium_is_zero(isk, sizeof(isk)), !rows[i].product);
		assert_true(sodium_is_zero((const uint8_t *)&c, sizeof(c)));
	}
}

/* What one side puts in. */
struct side {
	const char *prs, *ci, *sid, *ad;
};

static struct cpace_input input_of(const struct side *s)
{
	return (struct cpace_input){
		span_of(s->prs), span_of(s->ci), span_of(s->sid), span_of(s->ad)};
}

/* Both with the same unless something differs; what each takes for the other's data may be changed under way. */
static void test_agreement(void **state)
{
	static const struct {
		struct side a, b;
		const char *ad_at_a, *ad_at_b;
		bool same;
	} rows[] = {
		{{"code", "ci", "sid", "a"}, {"code", "ci", "sid", "b"}, "b", "a", true},
		{{"code", "ci", "sid", ""}, {"code", "ci", "sid", ""}, "", "", true},
		{{"", "", "", ""}, {"", "", "", ""}, "", "", true},
		{{"code", "ci", "sid", "same"}, {"code", "ci", "sid", "same"}, "same", "same",
			true},
		{{"code", "ci", "sid", "a"}, {"Code", "ci", "sid", "b"}, "b", "a", false},
		{{"code", "ci", "sid", "a"}, {"code", "cj", "sid", "b"}, "b", "a", false},
		{{"code", "ci", "sid", "a"}, {"code", "ci", "sie", "b"}, "b", "a", false},
		{{"code", "ci", "sid", "a"}, {"code", "ci", "sid", "b"}, "c", "a", false},
		{{"code", "ci", "sid", "a"}, {"code", "ci", "sid", "b"}, "b", "", false},
		{{"code", "cis", "id", "a"}, {"code", "ci", "sid", "b"}, "b", "a", false},
		{{"codec", "i", "sid", "a"}, {"code", "ci", "sid", "b"}, "b", "a", false},
	};
	struct random random;

	(void)state;
	random_init_number(&random, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cpace_input in_a = input_of(&rows[i].a), in_b = input_of(&rows[i].b);
		uint8_t a_share[32], b_share[32], a_isk[64], b_isk[64];
		struct cpace a, b;

		assert_int_equal(cpace_begin(&a, &in_a, &random), 0);
		assert_int_equal(cpace_begin(&b, &in_b, &random), 0);
		memcpy(a_share, a.own, sizeof(a_share));
		memcpy(b_share, b.own, sizeof(b_share));
		assert_int_equal(cpace_finish(&a, (struct span){b_share, 32},
					 span_of(rows[i].ad_at_a), a_isk),
			0);
		assert_int_equal(cpace_finish(&b, (struct span){a_share, 32},
					 span_of(rows[i].ad_at_b), b_isk),
			0);
		assert_int_equal(!memcmp(a_isk, b_isk, sizeof(a_isk)), rows[i].same);
	}
}

/* The own share is refused with the own data and with other data; and one that was used is used up. */
static void test_reflection(void **state)
{
	static const char *const data[] = {"ad", "other", ""};
	struct random random;

	(void)state;
	random_init_number(&random, 2);
	for (size_t i = 0; i < sizeof(data) / sizeof(*data); i++) {
		struct cpace_input in = {.prs = span_of("code"), .ad = span_of("ad")};
		uint8_t share[32], isk[64];
		struct cpace c, peer;

		assert_int_equal(cpace_begin(&c, &in, &random), 0);
		assert_int_equal(cpace_begin(&peer, &in, &random), 0);
		memcpy(share, c.own, sizeof(share));
		assert_int_equal(cpace_finish(&c, (struct span){share, 32}, span_of(data[i]), isk),
			-EBADMSG);
		assert_true(sodium_is_zero(isk, sizeof(isk)));
		assert_int_equal(cpace_finish(&c, (struct span){peer.own, 32}, span_of("ad"), isk),
			-EBADMSG);
		assert_true(sodium_is_zero(isk, sizeof(isk)));
	}
}

/* Each bit of a share matters: what still is a point gives another key. */
static void test_bit_errors(void **state)
{
	struct cpace_input in = {.prs = span_of("code"), .sid = span_of("sid")};
	unsigned refused = 0;
	struct random random;

	(void)state;
	for (int bit = -1; bit < 256; bit++) {
		uint8_t a_isk[64], b_isk[64], share[32];
		struct cpace a, b;
		int err;

		random_init_number(&random, 3);
		assert_int_equal(cpace_begin(&a, &in, &random), 0);
		assert_int_equal(cpace_begin(&b, &in, &random), 0);
		memcpy(share, b.own, sizeof(share));
		assert_int_equal(cpace_finish(&b, (struct span){a.own, 32}, span_of(""), b_isk), 0);
		if (bit >= 0)
			share[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = cpace_finish(&a, (struct span){share, 32}, span_of(""), a_isk);
		refused += err != 0;
		assert_true(!err || err == -EBADMSG);
		assert_int_equal(!memcmp(a_isk, b_isk, sizeof(a_isk)), bit < 0);
	}
	assert_in_range(refused, 128, 256); /* few strings of 32 bytes are points */
}

static void test_limits(void **state)
{
	static const uint8_t bytes[CPACE_AD_MAX + 1];
	static const struct {
		size_t sid, ad;
		int result;
	} rows[] = {{0, 0, 0}, {CPACE_SID_MAX, CPACE_AD_MAX, 0}, {CPACE_SID_MAX + 1, 0, -EINVAL},
		{0, CPACE_AD_MAX + 1, -EINVAL}};
	uint8_t zero[32] = {0};
	struct random random;
	struct cpace c, again;

	(void)state;
	random_init_number(&random, 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cpace_input in = {.sid = {bytes, rows[i].sid}, .ad = {bytes, rows[i].ad}};

		assert_int_equal(cpace_begin(&c, &in, &random), rows[i].result);
		assert_int_equal(
			sodium_is_zero((const uint8_t *)&c, sizeof(c)), rows[i].result != 0);
		/* two begin differently, and as large as the draft wants */
		assert_int_equal(cpace_begin(&again, &in, &random), rows[i].result);
		assert_int_equal(!memcmp(c.own, again.own, 32), rows[i].result != 0);
		assert_int_equal(c.scalar[31] & 0xf0, 0);
	}
	assert_int_equal(
		cpace_begin_with(&c, &(struct cpace_input){.ad = span_of("x")}, zero), -EINVAL);
	assert_true(sodium_is_zero((const uint8_t *)&c, sizeof(c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length_value),
		cmocka_unit_test(test_generator),
		cmocka_unit_test(test_generator_long_secret),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_vector_points),
		cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_reflection),
		cmocka_unit_test(test_bit_errors),
		cmocka_unit_test(test_limits),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
