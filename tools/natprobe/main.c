// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "judge/findings.h"
#include "net/icmp.h"
#include "net/privileges.h"
#include "probe/probe.h"
#include "probe/run.h"
#include "report/document.h"
#include "report/output.h"
#include "report/terminal.h"
#include "report/text.h"
#include "tools/natprobe/progress.h"
#include "tools/natprobe/status.h"

#define ERRORS_MAX 4

struct session {
	struct natprobe_params params;
	struct output output;
	struct journal *journal;
	struct verdict verdict;
	struct outlook outlook;
	struct finding findings[FINDINGS_MAX];
	size_t finding_count;
	struct run_result result;
	int raw[2], raw_error[2]; /* sockets for ICMP and ICMPv6; -1: none, and why */
	struct report_error errors[ERRORS_MAX];
	size_t error_count;
	bool measured; /* to the end, whatever came out */
	char message[512]; /* of the one line on stderr */
	char time[CLOCK_TEXT];
	uint64_t start_us;
};

/* The line for people, and the same for programs. */
static void fail(struct session *s, const char *code)
{
	fprintf(stderr, "natprobe: %s\n", s->message);
	if (s->error_count < ERRORS_MAX)
		s->errors[s->error_count++] = (struct report_error){code, s->message, NULL};
}

/* A closed stdout must not become a socket; writing to it fails as it should. */
static void keep_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			abort();
}

static int measure(struct session *s)
{
	const struct natprobe_params *p = &s->params;
	struct progress progress;
	struct random random;
	struct run_config config = {.servers = p->list.servers,
		.server_count = p->list.count,
		.ipv4 = p->ipv4,
		.ipv6 = p->ipv6,
		.numeric = p->numeric,
		.tests = p->tests,
		.limit_us = p->limit_us,
		.interface = p->interface,
		.source = {p->source[0], p->source[1]},
		.raw = {s->raw[0], s->raw[1]},
		.raw_error = {s->raw_error[0], s->raw_error[1]},
		.progress_context = &progress};
	int err;

	random_init(&random);
	if (progress_begin(&progress, p))
		config.progress = progress_show;
	s->journal->listener = p->json_lines ? lines_event : p->verbose ? progress_packet : NULL;
	s->journal->listener_context = p->json_lines ? (void *)&s->output.lines : &progress;
	err = run_probe(&config, s->journal, &random, &s->result);
	progress_end(&progress);
	if (err) {
		snprintf(s->message, sizeof(s->message), "cannot begin: %s", strerror(-err));
		fail(s, "environment");
		return STATUS_ENVIRONMENT;
	}
	s->measured = !s->result.signal;
	return STATUS_DONE;
}

static int conclude(struct session *s)
{
	int status;

	judge(s->journal, &s->verdict);
	judge_outlook(&s->verdict, &s->outlook);
	s->finding_count = judge_findings(s->journal, &s->verdict, s->findings);
	status = status_of(
		&s->params, s->journal, &s->verdict, &s->result, s->message, sizeof(s->message));
	if (*s->message)
		fail(s, status_code(status));
	return status;
}

static json_t *make_document(struct session *s)
{
	const char *tests[NATPROBE_TESTS];
	struct report_run run = {.tool = "natprobe",
		.version = PACKAGE_VERSION,
		.time = s->time,
		.duration_ms = (double)(clock_now_us() - s->start_us) / 1000,
		.complete = s->measured,
		.tests = tests,
		.test_count = natprobe_test_names(s->params.tests, tests),
		.errors = s->errors,
		.error_count = s->error_count};
	struct report_facts facts = {0};
	json_t *document = NULL;

	if (s->journal)
		facts = (struct report_facts){
			s->journal, &s->verdict, &s->outlook, s->findings, s->finding_count};
	report_document(&run, &facts, &document);
	return document;
}

static int print_document(const struct natprobe_params *p, struct output *o, json_t *document)
{
	struct text_options options = {.utf8 = terminal_utf8(),
		.brief = p->brief,
		.reason = p->reason,
		.verbose = p->verbose};

	if (p->json_lines)
		return lines_end(&o->lines, document);
	if (p->json)
		return report_write(document, o->file);
	if (p->short_form)
		return text_short(document, o->file);
	options.color = terminal_color(p->color, o->fd < 0 ? STDOUT_FILENO : o->fd);
	options.width = o->fd < 0 ? terminal_width(STDOUT_FILENO) : TERMINAL_WIDTH;
	return text_render(document, &options, o->file);
}

static int write_document(const struct natprobe_params *p, struct output *o, json_t *document)
{
	int err;

	errno = 0;
	err = print_document(p, o, document);
	return err == -EIO && errno ? -errno : err; /* a full disk is not a broken one */
}

/* Prints the report and holds it against the expectations; the status, made worse if they fail. */
static int print(struct session *s, int status)
{
	json_t *document = make_document(s);
	int err = document ? 0 : -ENOMEM, close_err;

	/* people have been told on stderr what went wrong; a report without a run says nothing more */
	if (!err && (s->journal || s->params.json || s->params.json_lines))
		err = write_document(&s->params, &s->output, document);
	if (!err && s->journal && expect_all("natprobe", document, &s->params.expectations) &&
		status != STATUS_USAGE)
		status = STATUS_NEGATIVE;
	close_err = s->output.file ? output_close(&s->output) : 0;
	err = err ? err : close_err;
	json_decref(document);
	if (!err)
		return status;
	fprintf(stderr, "natprobe: cannot write the results%s%s: %s\n",
		s->params.output ? " to " : "", s->params.output ? s->params.output : "",
		strerror(-err));
	return STATUS_ENVIRONMENT;
}

/* What needs a privilege is opened first, and then there is none any more. */
static int take_privileges(struct session *s)
{
	static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
	const struct natprobe_params *p = &s->params;
	const bool wanted[2] = {p->ipv4, p->ipv6};

	for (int i = 0; i < 2; i++) {
		int err = -ENOENT;

		s->raw[i] = -1;
		if (p->tests & PROBE_ANY_ICMP && wanted[i])
			err = icmp_open(families[i], p->interface, &s->raw[i]);
		s->raw_error[i] = -err;
	}
	return privileges_drop();
}

static int run(struct session *s, int err)
{
	struct natprobe_params *p = &s->params;

	if (!err && (p->help || p->version))
		return STATUS_DONE;
	if (!err)
		err = servers_find(&p->list, s->message, sizeof(s->message));
	if (err) {
		output_open(NULL, p->json_lines, &s->output);
		fail(s, err == -EINVAL ? "usage" : "environment");
		return print(s, err == -EINVAL ? STATUS_USAGE : STATUS_ENVIRONMENT);
	}
	err = output_open(p->output, p->json_lines, &s->output);
	if (err) {
		snprintf(s->message, sizeof(s->message), "%s: %s", p->output, strerror(-err));
		p->output = NULL;
		output_open(NULL, p->json_lines, &s->output);
		fail(s, "environment");
		return print(s, STATUS_ENVIRONMENT);
	}
	err = journal_create(s->start_us, &s->journal);
	if (!err)
		err = measure(s);
	return print(s, err ? err : conclude(s));
}

int main(int argc, char **argv)
{
	static struct session session;
	int status, err;

	if (privileges_limit("cap_net_raw")) {
		fprintf(stderr, "natprobe: cannot drop privileges\n");
		return STATUS_ENVIRONMENT;
	}
	keep_standard_streams();
	err = natprobe_parse(argc, argv, &session.params, session.message, sizeof(session.message));
	if (take_privileges(&session)) {
		fprintf(stderr, "natprobe: cannot drop privileges\n");
		return STATUS_ENVIRONMENT;
	}
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error like any other */
	session.start_us = clock_now_us();
	clock_rfc3339(session.time);
	status = run(&session, err);
	journal_destroy(session.journal);
	if (session.params.help)
		options_usage(&natprobe_options, stdout);
	else if (session.params.version)
		printf("natprobe (natutils) %s\n", PACKAGE_VERSION);
	if (fflush(stdout)) {
		fprintf(stderr, "natprobe: cannot write: %s\n", strerror(errno));
		status = STATUS_ENVIRONMENT;
	}
	return session.result.signal ? 128 + session.result.signal : status;
}
