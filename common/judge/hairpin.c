// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "journal/silence.h"
#include "judge/private.h"

/* RFC 4787 6: asked both ways, and counted from whichever side got through. */

void judge_hairpin(const struct view *v, struct behaviour *out)
{
	const struct journal *j = v->journal;
	bool asked = false, passed = false, silent = true;
	unsigned awaited = 0;
	size_t server = 0;

	for (size_t i = 0; i < j->observation_count; i++) {
		const struct observation *o = &j->observations[i];

		if (o->family != v->family || o->transport != v->transport ||
			o->question != QUESTION_HAIRPIN)
			continue;
		asked = true;
		basis_add(&out->hairpin_basis, j, o);
		passed |= was_answered(o);
		silent &= o->state == OBSERVATION_SILENT;
		awaited += o->awaited;
		server = o->server;
	}
	/* the NAT is nearer than the server: the loss on the way there is a safe estimate */
	silent = silent && silence_proved(j, server, awaited);
	if (out->nat == TRI_NO)
		basis_text(&out->hairpin_basis, "there is no NAT");
	else if (!asked)
		basis_text(
			&out->hairpin_basis, "was not asked: some firewalls take it for an attack");
	else if (!server_in_view(v, server)) /* the external endpoints are its word */
		basis_text(&out->hairpin_basis,
			"the server that told the external endpoints cannot be believed");
	else if (!passed && out->mapping != DEPENDENCE_ENDPOINT_INDEPENDENT &&
		out->filtering != DEPENDENCE_ENDPOINT_INDEPENDENT)
		basis_text(&out->hairpin_basis,
			"the packets back had another port, which the filter keeps out anyway");
	else if (!passed && !silent)
		basis_text(&out->hairpin_basis, "the run ended before enough packets were missing");
	else
		out->hairpin = passed ? TRI_YES : TRI_NO;
}
