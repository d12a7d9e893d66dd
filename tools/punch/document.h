// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <jansson.h>

#include "judge/explain.h"
#include "judge/findings.h"
#include "punch/flow.h"
#include "punch/session.h"
#include "report/document.h"
#include "report/lines.h"
#include "report/text_punch.h"

/* The punch-report document: punch-report(5) and data/punch-report.schema.json. */

struct punch_facts {
	bool tcp;
	const struct session_view *view; /* NULL: did not begin */
	const struct endpoint *server; /* the one that was asked; NULL: none */
	const struct trail *trail;
	const struct journal *journal;
	const struct finding *findings;
	size_t finding_count;
	struct endpoint local, peer; /* of the way; FAMILY_NONE: none */
	const struct flow_statistics *flow; /* NULL: none stood */
	bool stood; /* something came over the way */
	bool late; /* the deadline ended it */
	bool lost; /* the way worked no more, and there was no other */
	bool differs; /* the other side uses it for something else */
	const struct report_capture *capture; /* NULL: none, and no causes */
	const struct explanation *
		explanation; /* NULL: what follows from the rest, if there is anything to explain */
};

/* Why it failed: of tools/punch/reason.h. complete: it was not interrupted. */
unsigned punch_reason(const struct punch_facts *facts, bool complete);

/* The document, which the caller owns; NULL: no memory. */
json_t *punch_document(const struct report_run *run, const struct punch_facts *facts);

/* An event of the trail as a JSON line. */
void punch_line(struct lines *l, const struct trail *t, const struct trail_event *e);
