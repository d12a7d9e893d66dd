// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "server/quota.h"

/* One that counts for its source. */
struct taken {
	uint64_t until_us;
	struct source *source;
};

struct quota {
	struct sources *sources;
	uint32_t at_all;
	uint32_t oldest, count; /* of the ring */
	struct taken ring[];
};

int quota_create(struct quota **out, uint32_t at_all, uint32_t of_source,
	const uint8_t key[static SOURCES_KEY_BYTES])
{
	struct quota *q = calloc(1, sizeof(*q) + at_all * sizeof(*q->ring));
	int err;

	if (!q)
		return -ENOMEM;
	err = sources_create(&q->sources, at_all, of_source, key);
	if (err) {
		free(q);
		return err;
	}
	q->at_all = at_all;
	*out = q;
	return 0;
}

void quota_destroy(struct quota *q)
{
	if (!q)
		return;
	sources_destroy(q->sources);
	free(q);
}

static void forget_newest(struct quota *q)
{
	q->count--;
	sources_give_back(q->sources, q->ring[(q->oldest + q->count) % q->at_all].source);
}

static void forget_old(struct quota *q, uint64_t now_us)
{
	while (q->count && q->ring[q->oldest].until_us <= now_us) {
		sources_give_back(q->sources, q->ring[q->oldest].source);
		q->oldest = (q->oldest + 1) % q->at_all;
		q->count--;
	}
}

int quota_take(struct quota *q, uint64_t now_us, const struct endpoint *from, unsigned count)
{
	struct source *source;
	int err;

	forget_old(q, now_us);
	if (count > q->at_all - q->count)
		return -EBUSY;
	for (unsigned i = 0; i < count; i++) {
		err = sources_take(q->sources, from, &source);
		if (err) {
			while (i--)
				forget_newest(q);
			return err == -EDQUOT ? -EDQUOT : -EBUSY;
		}
		q->ring[(q->oldest + q->count++) % q->at_all] =
			(struct taken){now_us + QUOTA_MINUTE_US, source};
	}
	return 0;
}
