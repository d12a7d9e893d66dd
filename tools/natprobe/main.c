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
#include "report/html.h"
#include "report/ladder.h"
#include "report/output.h"
#include "report/pcap.h"
#include "report/terminal.h"
#include "report/text.h"
#include "tools/beside.h"
#include "tools/capturing.h"
#include "tools/natprobe/progress.h"
#include "tools/natprobe/read.h"
#include "tools/natprobe/status.h"

#define ERRORS_MAX 4

struct session {
	struct natprobe_params params;
	struct output output, pcap, html;
	struct journal *journal;
	struct capturing *capturing; /* NULL: no memory */
	struct joined joined[JOURNAL_OBSERVATIONS];
	struct causes causes;
	json_t *read; /* the document of --read */
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
		.progress_context = &progress,
		.watch = capturing_watch(s->capturing)};
	int err;

	capturing_chosen(s->capturing,
		p->interface || p->source[0].family != FAMILY_NONE ||
			p->source[1].family != FAMILY_NONE);
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

/* Why what was asked has no answer, with the packets where there are any. */
static void find_causes(struct session *s)
{
	struct cause_facts facts = {.journal = s->journal, .verdict = &s->verdict};

	if (s->capturing) {
		capturing_refusals(s->capturing, s->journal);
		facts.host = capturing_host_record(s->capturing);
	}
	if (capturing_state(s->capturing) == CAPTURE_ON) {
		join_journal(capturing_list(s->capturing), s->journal);
		join_tally(capturing_list(s->capturing), s->journal, s->joined);
		facts.captured = capturing_list(s->capturing);
		facts.joined = s->joined;
		facts.gaps = capturing_missed(s->capturing) > 0;
	}
	judge_causes(&facts, &s->causes);
}

static int conclude(struct session *s)
{
	int status;

	judge(s->journal, &s->verdict);
	judge_outlook(&s->verdict, &s->outlook);
	find_causes(s);
	judge_why(&s->causes, s->journal, &s->verdict);
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
	char hint[CAPTURING_HINT];
	struct report_capture capture = {.state = capturing_state(s->capturing),
		.hint = capturing_hint(s->capturing, "natprobe", hint),
		.list = s->capturing ? capturing_list(s->capturing) : NULL,
		.missed = capturing_missed(s->capturing),
		.journal = s->journal,
		.start_us = s->start_us,
		.all = s->params.explain || s->params.pcap || s->params.html,
		.causes = &s->causes};
	struct report_facts facts = {.capture = &capture};
	json_t *document = NULL;

	if (s->read)
		return json_incref(s->read);
	if (s->journal)
		facts = (struct report_facts){s->journal, &s->verdict, &s->outlook, s->findings,
			s->finding_count, &capture};
	report_document(&run, &facts, &document);
	return document;
}

static int print_document(const struct natprobe_params *p, struct output *o, json_t *document)
{
	struct text_options options = {.utf8 = terminal_utf8(),
		.brief = p->brief,
		.reason = p->reason,
		.verbose = p->verbose};
	int err;

	if (p->json_lines)
		return lines_end(&o->lines, document);
	if (p->json)
		return report_write(document, o->file);
	if (p->short_form)
		return text_short(document, o->file);
	options.color = terminal_color(p->color, o->fd < 0 ? STDOUT_FILENO : o->fd);
	options.width = o->fd < 0 ? terminal_width(STDOUT_FILENO) : TERMINAL_WIDTH;
	err = text_report(document, &options, o->file);
	return err || !p->explain ? err : ladder_render(document, &options, o->file);
}

static int write_document(const struct natprobe_params *p, struct output *o, json_t *document)
{
	int err;

	errno = 0;
	err = print_document(p, o, document);
	return err == -EIO && errno ? -errno : err; /* a full disk is not a broken one */
}

static int write_beside(struct session *s, const json_t *document)
{
	int err = 0, html_err = 0;

	if (s->pcap.file)
		err = beside_close("natprobe", "--pcap", s->params.pcap, &s->pcap,
			report_pcap(capturing_list(s->capturing), s->journal,
				"natprobe (natutils) " PACKAGE_VERSION, s->pcap.file));
	if (s->html.file)
		html_err = beside_close("natprobe", "--html", s->params.html, &s->html,
			document ? html_render(document, s->html.file) : -ENOMEM);
	return err ? err : html_err;
}

/* Prints the report and holds it against the expectations; the status, made worse if they fail. */
static int print(struct session *s, int status)
{
	json_t *document = make_document(s);
	int err = document ? 0 : -ENOMEM, close_err;

	/* people have been told on stderr what went wrong; a report without a run says nothing more */
	if (!err && (s->journal || s->read || s->params.json || s->params.json_lines))
		err = write_document(&s->params, &s->output, document);
	if (!err && (s->journal || s->read) &&
		expect_all("natprobe", document, &s->params.expectations) && status != STATUS_USAGE)
		status = STATUS_NEGATIVE;
	close_err = s->output.file ? output_close(&s->output) : 0;
	err = err ? err : close_err;
	if (write_beside(s, document))
		status = STATUS_ENVIRONMENT;
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
	if (!p->help && !p->version && !p->read)
		s->capturing = capturing_open();
	return privileges_drop();
}

static int open_beside(struct session *s, const char *option, const char *path, struct output *out)
{
	int err = beside_open(option, path, out, s->message, sizeof(s->message));

	if (err)
		fail(s, "environment");
	return err;
}

/* What is asked for and cannot be had is said before anything is measured. */
static int open_pcap(struct session *s)
{
	char hint[CAPTURING_HINT];

	if (!s->params.pcap)
		return 0;
	if (capturing_state(s->capturing) != CAPTURE_ON) {
		snprintf(s->message, sizeof(s->message), "--pcap: there is no capture: %s",
			capturing_refusal(s->capturing, "natprobe", hint));
		fail(s, "permission");
		return -EPERM;
	}
	return open_beside(s, "--pcap", s->params.pcap, &s->pcap);
}

static int check_beside(struct session *s)
{
	const struct output *all[] = {&s->output, &s->pcap, &s->html};
	int err = beside_differ(all, 3, s->message, sizeof(s->message));

	if (err)
		fail(s, "usage");
	return err;
}

/* Before any file is opened: opening may empty it. */
static int check_read(struct session *s)
{
	const struct natprobe_params *p = &s->params;

	if (!p->read || (!beside_is_same(p->read, p->output) && !beside_is_same(p->read, p->html)))
		return 0;
	snprintf(s->message, sizeof(s->message), "--read: %s would be overwritten", p->read);
	return -EINVAL;
}

/* Nothing is sent: the status says whether the file could be read, and --expect what it holds. */
static int read_file(struct session *s)
{
	const struct report_run run = {
		.tool = "natprobe", .version = PACKAGE_VERSION, .time = s->time, .complete = true};
	int err = read_document(
		s->params.read, &run, s->params.explain, &s->read, s->message, sizeof(s->message));

	s->measured = !err;
	if (!err)
		return print(s, STATUS_DONE);
	fail(s, "environment");
	return print(s, STATUS_ENVIRONMENT);
}

static int run(struct session *s, int err)
{
	struct natprobe_params *p = &s->params;

	if (!err && (p->help || p->version))
		return STATUS_DONE;
	if (!err)
		err = check_read(s);
	if (!err && !p->read)
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
	err = open_beside(s, "--html", p->html, &s->html);
	if (!err)
		err = check_beside(s);
	if (!err && p->read)
		return read_file(s);
	if (!err)
		err = open_pcap(s);
	if (!err)
		err = check_beside(s);
	if (err)
		return print(s, err == -EINVAL ? STATUS_USAGE : STATUS_ENVIRONMENT);
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
	capturing_close(session.capturing);
	json_decref(session.read);
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
