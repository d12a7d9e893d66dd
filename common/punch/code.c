// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "punch/code.h"
#include "punch/words.h"

#define DISTANCE_MAX 2 /* letters wrong in a word that is still recognised */

static bool is_blank(char c)
{
	return c && strchr("-_ \t\n\v\f\r", c);
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_nameplate(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* What does not fit is cut: the caller sees by its length that it is too long. */
static void normalise(const char *text, char *out, size_t size)
{
	size_t n = 0;
	bool gap = false;

	for (; *text && n + 2 < size; text++) {
		if (is_blank(*text)) {
			gap = n > 0;
			continue;
		}
		if (gap)
			out[n++] = '-';
		gap = false;
		out[n++] = to_lower(*text);
	}
	out[n] = '\0';
}

static const char *split(const char *text, struct code *out)
{
	size_t nameplate = 0, secret;

	while (is_nameplate(text[nameplate]))
		nameplate++;
	if (!nameplate || nameplate > CODE_NAMEPLATE_MAX || text[nameplate] != '-')
		return "a code begins with 1 to 32 letters or digits and a hyphen, as "
		       "in " CODE_EXAMPLE;
	secret = strlen(text + nameplate + 1);
	if (secret < CODE_SECRET_MIN || secret > CODE_SECRET_MAX)
		return "the secret of a code, behind its first hyphen, has 2 to 128 bytes, as "
		       "in " CODE_EXAMPLE;
	for (size_t i = 0; text[i]; i++)
		if ((text[i] > 0 && text[i] < ' ') || text[i] == 0x7f)
			return "a code has no control characters; it is text, as in " CODE_EXAMPLE;
	memcpy(out->nameplate, text, nameplate);
	memcpy(out->secret, text + nameplate + 1, secret);
	return NULL;
}

int code_parse(const char *text, struct code *out, char *error, size_t error_size)
{
	char normal[CODE_TEXT + 2];
	const char *wrong;

	memset(out, 0, sizeof(*out));
	normalise(text, normal, sizeof(normal));
	wrong = split(normal, out);
	sodium_memzero(normal, sizeof(normal));
	if (!wrong)
		return 0;
	snprintf(error, error_size, "%s", wrong);
	return -EINVAL;
}

void code_wipe(struct code *c)
{
	sodium_memzero(c, sizeof(*c));
}

void code_session_id(const struct code *c, uint8_t out[static CODE_SESSION_BYTES])
{
	static const char personal[] = "natutils-session";

	_Static_assert(sizeof(personal) - 1 == crypto_generichash_blake2b_PERSONALBYTES,
		"personal string");
	crypto_generichash_blake2b_salt_personal(out, CODE_SESSION_BYTES,
		(const uint8_t *)c->nameplate, strlen(c->nameplate), NULL, 0, NULL,
		(const uint8_t *)personal);
}

void code_make(uint32_t number, struct random *random, char out[static CODE_TEXT])
{
	const char *first = words_at(0, random_below(random, WORDS_COUNT));
	const char *second = words_at(1, random_below(random, WORDS_COUNT));

	snprintf(out, CODE_TEXT, "%" PRIu32 "-%s-%s", number, first, second);
}

void code_make_words(unsigned count, struct random *random, char out[static CODE_TEXT])
{
	size_t used = 0;

	*out = '\0';
	for (unsigned i = 0; i < count && used < CODE_TEXT; i++)
		used += (size_t)snprintf(out + used, CODE_TEXT - used, "%s%s", i ? "-" : "",
			words_at(i % WORDS_LISTS, random_below(random, WORDS_COUNT)));
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, remove or replace until word is what was typed, if they are few. */
static unsigned distance(struct span typed, const char *word)
{
	/* of what was typed so far to the first i letters of word */
	unsigned row[WORDS_LENGTH_MAX + 1], length = (unsigned)strlen(word);

	if (typed.length > length + DISTANCE_MAX || typed.length + DISTANCE_MAX < length)
		return DISTANCE_MAX + 1;
	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (size_t t = 0; t < typed.length; t++) {
		unsigned diagonal = row[0]++;

		for (unsigned i = 1; i <= length; i++) {
			unsigned replaced = diagonal + (typed.data[t] != (uint8_t)word[i - 1]);

			diagonal = row[i];
			row[i] = smaller(replaced, smaller(row[i], row[i - 1]) + 1);
		}
	}
	return row[length];
}

/* The nearest word of the list; NULL when none is near. */
static const char *nearest(unsigned list, struct span typed)
{
	unsigned least = DISTANCE_MAX + 1;
	const char *found = NULL;

	for (unsigned i = 0; i < WORDS_COUNT && least; i++) {
		const char *word = words_at(list, i);
		unsigned d = distance(typed, word);

		if (d < least) {
			found = word;
			least = d;
		}
	}
	return found;
}

static bool nearest_both(struct span first, struct span second, const char *out[static 2])
{
	out[0] = nearest(0, first);
	out[1] = out[0] ? nearest(1, second) : NULL;
	return out[1];
}

/* Number and two words: where the second one begins, else NULL. */
static const char *second_word(const struct code *c)
{
	const char *hyphen = strchr(c->secret, '-');

	if (strspn(c->nameplate, "0123456789") != strlen(c->nameplate) || !hyphen ||
		strchr(hyphen + 1, '-'))
		return NULL;
	return hyphen + 1;
}

bool code_complete(const struct code *c, char meant[static CODE_TEXT])
{
	const char *at = second_word(c), *words[2];
	struct span first, second;

	if (!at)
		return false;
	first = (struct span){(const uint8_t *)c->secret, (size_t)(at - 1 - c->secret)};
	second = (struct span){(const uint8_t *)at, strlen(at)};
	if (!nearest_both(first, second, words) && !nearest_both(second, first, words))
		return false;
	snprintf(meant, CODE_TEXT, "%s-%s-%s", c->nameplate, words[0], words[1]);
	return strcmp(strchr(meant, '-') + 1, c->secret);
}
