// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/log.h"

void log_init(struct log *log, FILE *out, enum log_level level)
{
	const char *stream = getenv("JOURNAL_STREAM");

	memset(log, 0, sizeof(*log));
	log->out = out;
	log->level = level;
	log->journal = stream && *stream;
}

static struct log_event *find_event(struct log *log, const char *name)
{
	for (size_t i = 0; i < LOG_EVENTS; i++) {
		struct log_event *e = &log->events[i];

		if (!e->name)
			e->name = name;
		if (!strcmp(e->name, name))
			return e;
	}
	return &log->events[LOG_EVENTS - 1];
}

/* Whether this line may be written; then how many before it were not. */
static bool admit(struct log_event *e, uint64_t *suppressed)
{
	uint64_t now_us = clock_now_us();

	if (now_us - e->window_us >= LOG_WINDOW_US) {
		e->window_us = now_us;
		e->lines = 0;
	}
	if (e->lines >= LOG_WINDOW_LINES) {
		e->suppressed++;
		return false;
	}
	e->lines++;
	*suppressed = e->suppressed;
	e->suppressed = 0;
	return true;
}

static void add_raw(struct log_line *line, const char *text)
{
	size_t n = strlen(text);

	if (line->length + n >= sizeof(line->text))
		return;
	memcpy(line->text + line->length, text, n + 1);
	line->length += n;
}

static const char *level_name(enum log_level level)
{
	return level == LOG_LEVEL_ERROR	     ? "error"
		: level == LOG_LEVEL_WARNING ? "warning"
		: level == LOG_LEVEL_INFO    ? "info"
					     : "debug";
}

struct log_line log_begin(struct log *log, enum log_level level, const char *event)
{
	struct log_line line = {.length = 0};
	char start[CLOCK_TEXT + 8], time[CLOCK_TEXT];
	uint64_t suppressed = 0;

	if (level > log->level || !admit(find_event(log, event), &suppressed))
		return line;
	line.log = log;
	if (log->journal)
		snprintf(start, sizeof(start), "<%d>", (int)level);
	else
		snprintf(start, sizeof(start), "ts=%s ", clock_rfc3339(time));
	add_raw(&line, start);
	add_raw(&line, "level=");
	add_raw(&line, level_name(level));
	log_text(&line, "event", event);
	if (suppressed)
		log_number(&line, "suppressed", suppressed);
	return line;
}

static bool needs_quotes(const char *value)
{
	if (!*value)
		return true;
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7f)
			return true;
	return false;
}

/* Quotes and backslashes escaped; nothing that could end the line or move a terminal's cursor. */
static void escape(const char *value, char *out, size_t size)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *value && n + 6 < size; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	char escaped[LOG_LINE_BYTES];

	if (!line->log)
		return;
	if (needs_quotes(value)) {
		escape(value, escaped, sizeof(escaped));
		value = escaped;
	}
	/* all of it or nothing: half a pair would be read as another one; 3: space, '=' and NUL */
	if (line->length + strlen(key) + strlen(value) + 3 > sizeof(line->text))
		return;
	add_raw(line, " ");
	add_raw(line, key);
	add_raw(line, "=");
	add_raw(line, value);
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	log_text(line, key, text);
}

void log_endpoint(struct log_line *line, const char *key, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];

	log_text(line, key, endpoint_format(e, text));
}

void log_client(struct log_line *line, const char *key, const struct endpoint *e)
{
	struct endpoint network = *e;
	char text[ENDPOINT_TEXT], prefix[ENDPOINT_TEXT + 4];
	size_t keep = e->family == FAMILY_IPV4 ? 3 : 6;

	if (!line->log)
		return;
	if (line->log->full_addresses) {
		log_endpoint(line, key, e);
		return;
	}
	network.scope = 0;
	memset(network.address + keep, 0, sizeof(network.address) - keep);
	endpoint_format_address(&network, text);
	snprintf(prefix, sizeof(prefix), "%s/%zu", text, 8 * keep);
	log_text(line, key, prefix);
}

void log_end(struct log_line *line)
{
	if (!line->log)
		return;
	fprintf(line->log->out, "%s\n", line->text);
	fflush(line->log->out);
}
