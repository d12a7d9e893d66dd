// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "judge/findings_private.h"

/* Which routers answer on the way to a server that does not. */

#define SHOWN_FIRST 6 /* of a long way its beginning and its end */
#define SHOWN_LAST  3

/* "10.0.1.1, no answer, 192.0.2.1 ... 198.51.100.1 (hops 1 to 9)" */
static void list_hops(const struct trace *t, unsigned last, struct finding *f)
{
	char text[ENDPOINT_TEXT];

	for (unsigned ttl = 1; ttl <= last; ttl++) {
		const struct hop *h = &t->hops[ttl - 1];

		if (ttl > SHOWN_FIRST && ttl + SHOWN_LAST <= last) {
			finding_detail(f, "%s", ttl == SHOWN_FIRST + 1 ? ", ..." : "");
			continue;
		}
		finding_detail(f, "%s%s", ttl > 1 ? ", " : " ",
			h->answers ? endpoint_format_address(&h->from, text) : "no answer");
	}
	finding_detail(f, " (hop%s %s%u)", last > 1 ? "s" : "", last > 1 ? "1 to " : "", last);
}

/* One sign of a further NAT, and no more than that: an inside network may have several routers. */
static void tell_sign(const struct trace *t, unsigned last, struct finding *f)
{
	const struct hop *sign = NULL;
	char text[ENDPOINT_TEXT];

	if (endpoint_is_private(&t->to))
		return;
	for (unsigned i = 1; i < last; i++)
		if (t->hops[i].answers && endpoint_is_private(&t->hops[i].from) &&
			(!sign || endpoint_is_shared(&t->hops[i].from)))
			sign = &t->hops[i];
	if (!sign)
		return;
	finding_detail(f, " %s of hop %u is %s: a sign of %s, and no proof.",
		endpoint_format_address(&sign->from, text), (unsigned)(sign - t->hops) + 1,
		endpoint_is_shared(&sign->from) ? "of 100.64.0.0/10" : "a private address",
		endpoint_is_shared(&sign->from) ? "a carrier-grade NAT" : "a second NAT");
}

void finding_reach(const struct finding_view *view, struct finding *f)
{
	const struct reach *r = &view->b->reach;
	const struct observation *o = finding_observation(view, r->observation);
	const struct trace *t = r->measured ? journal_trace(view->j, o) : NULL;
	char text[ENDPOINT_TEXT];

	if (!t)
		return;
	finding_evidence(f, r->observation);
	if (*f->detail && f->detail[strlen(f->detail) - 1] != '.')
		finding_detail(f, ".");
	endpoint_format_address(&r->to, text);
	if (!r->last) {
		finding_detail(f, "%s",
			r->reached == TRI_YES
				? " No router on the way has answered."
				: " No router on the way answers to packets whose TTL runs out.");
		return;
	}
	finding_detail(f, " Routers that answer towards %s:", text);
	list_hops(t, r->last, f);
	if (r->reached == TRI_UNKNOWN)
		finding_detail(f, "; %u packets that may go further brought nothing", r->beyond);
	finding_detail(f, ".");
	tell_sign(t, r->last, f);
}
