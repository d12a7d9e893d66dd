// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/terminal.h"
#include "tools/natlab/screen.h"

#define HOME	   "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"
#define BOLD	   "\033[1m"
#define NORMAL	   "\033[0m"
#define OUTPUT_MIN 6 /* rows that are kept for the commands */

/* What is left of the rows. */
struct view {
	FILE *out;
	struct screen_size size;
	size_t rows;
};

static const char *const transports[] = {"udp", "tcp", "icmp"};

__attribute__((format(printf, 3, 4))) static void put(
	struct view *v, bool bold, const char *format, ...)
{
	char text[SCREEN_WIDTH];
	va_list args;

	if (!v->rows)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(v->out, "%s%.*s%s" CLEAR_LINE "\r\n", bold && v->size.colored ? BOLD : "",
		(int)v->size.columns, text, bold && v->size.colored ? NORMAL : "");
	v->rows--;
}

void screen_line(struct screen *s, const char *host, const char *text)
{
	char *line = s->lines[s->count++ % SCREEN_LINES];
	char *escaped = terminal_escape(text, false);

	snprintf(line, SCREEN_WIDTH, "%s| %s", host, escaped ? escaped : "");
	free(escaped);
}

static void put_entry(struct view *v, const struct nat_entry *e, uint64_t now_us)
{
	char inside[ENDPOINT_TEXT] = "-", external[ENDPOINT_TEXT] = "-", remote[ENDPOINT_TEXT];
	double left_s = e->expires_us > now_us ? (double)(e->expires_us - now_us) / 1e6 : 0;

	if (e->inside.family != FAMILY_NONE)
		endpoint_format(&e->inside, inside);
	if (e->external.family != FAMILY_NONE)
		endpoint_format(&e->external, external);
	put(v, false, "%-4s %s %-21s %-21s %-21s %4.0fs %s", transports[e->transport],
		e->both_ways ? "<->" : "-->", inside, external, endpoint_format(&e->remote, remote),
		left_s, e->state ? e->state : "");
}

static uint64_t dropped(const struct nat *nat)
{
	uint64_t sum = 0;

	for (int r = NAT_HELD + 1; r < NAT_REASONS; r++)
		sum += nat_reason_count(nat, (enum nat_reason)r);
	return sum;
}

/* As many rows as this one may have; what does not fit is counted. */
static void put_nat(struct view *v, const struct topology_node *n, const struct nat *nat,
	uint64_t now_us, size_t rows)
{
	size_t sessions = nat_session_count(nat), shown = 0, cursor = 0;
	struct nat_entry e;

	put(v, true, "nat %s (%s): %zu mappings, %zu sessions, %llu forwarded, %llu dropped",
		n->node.name, n->kind, nat_mapping_count(nat), sessions,
		(unsigned long long)nat_reason_count(nat, NAT_FORWARDED),
		(unsigned long long)dropped(nat));
	while (shown + 2 < rows && nat_next_entry(nat, &cursor, &e)) {
		put_entry(v, &e, now_us);
		shown++;
	}
	if (shown < sessions)
		put(v, false, "  and %zu more", sessions - shown);
}

static void put_output(struct view *v, const struct screen *s)
{
	size_t count = s->count < SCREEN_LINES ? s->count : SCREEN_LINES;
	size_t shown = count > v->rows ? v->rows : count;

	for (size_t i = s->count - shown; i < s->count; i++)
		put(v, false, "%s", s->lines[i % SCREEN_LINES]);
}

void screen_draw(const struct screen *s, const struct topology *t, struct world *w, uint64_t now_us,
	struct screen_size size, FILE *out)
{
	struct view v = {out, size, size.rows - 1}; /* below the last one the screen would scroll */
	size_t nats = 0, each;

	for (int i = 1; i <= topology_count(t); i++)
		nats += world_nat(w, i) != NULL;
	each = nats && size.rows > OUTPUT_MIN ? (size.rows - OUTPUT_MIN) / nats : 2;
	fputs(HOME, out);
	for (int i = 1; i <= topology_count(t); i++)
		if (world_nat(w, i))
			put_nat(&v, topology_at(t, i), world_nat(w, i), now_us, each);
	put(&v, false, "%s", "");
	put_output(&v, s);
	fputs(CLEAR_REST, out);
	fflush(out);
}
