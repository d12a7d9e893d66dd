// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "judge/findings.h"
#include "net/interfaces.h"
#include "net/privileges.h"
#include "punch/line.h"
#include "report/expect.h"
#include "report/html.h"
#include "report/ladder.h"
#include "report/output.h"
#include "report/pcap.h"
#include "report/terminal.h"
#include "report/text_punch.h"
#include "tools/beside.h"
#include "tools/capturing.h"
#include "tools/punch/causes.h"
#include "tools/punch/document.h"
#include "tools/punch/handover.h"
#include "tools/punch/knock_setup.h"
#include "tools/punch/options.h"
#include "tools/punch/path.h"
#include "tools/punch/secret.h"
#include "tools/punch/server.h"
#include "tools/punch/status.h"
#include "tools/punch/tool.h"

#define ERRORS_MAX 4

struct run {
	const struct punch_tool *tool;
	struct punch_params params;
	struct output output;
	struct code code;
	char made[CODE_TEXT]; /* a code that was made here, behind its number */
	struct endpoint servers[2];
	struct endpoint more[SESSION_MORE_SERVERS]; /* STUN servers beside those */
	size_t more_count;
	struct knock_setup knock; /* of icmppunch */
	struct session_knock whom; /* … without --rendezvous */
	struct random random;
	struct journal *journal;
	struct trail *trail;
	struct session *session;
	struct path_result result;
	struct report_error errors[ERRORS_MAX];
	size_t error_count;
	char message[512]; /* of the one line on stderr */
	char time[CLOCK_TEXT];
	uint64_t start_us;
	unsigned attempt; /* the last one that was announced */
	unsigned lines; /* that were shown */
	struct capturing *capturing; /* NULL: no memory */
	struct output pcap, html;
	char hint[CAPTURING_HINT];
	bool code_shown, begun;
	bool reported; /* already when the way stood */
};

static volatile sig_atomic_t interrupted; /* by this signal */

static void on_signal(int number)
{
	interrupted = number;
}

static int fail(struct run *r, enum status status, const char *code)
{
	fprintf(stderr, "%s: %s\n", r->tool->name, r->message);
	if (r->error_count < ERRORS_MAX)
		r->errors[r->error_count++] = (struct report_error){code, r->message, NULL};
	return (int)status;
}

/* --- meanwhile --- */

static bool is_chatty(const struct run *r)
{
	return !r->params.quiet && !r->params.json && !r->params.json_lines && !r->params.print;
}

/* The number comes from the server, the words from here. */
static void show_code(struct run *r, uint32_t number)
{
	const char *words = strchr(r->made, '-');

	if (r->params.json_lines) {
		struct maker m = {.failed = false};
		json_t *line =
			lines_new(&r->output.lines, &m, "code", clock_now_us() - r->start_us);

		make_set(&m, line, "code", json_sprintf("%u%s", number, words));
		lines_put(&r->output.lines, &m, line);
	}
	fprintf(stderr, "on the other side: %s -r %s %u%s\n", r->tool->name, r->params.server.name,
		number, words);
	r->code_shown = true;
}

/* Where it is to be knocked at, as far as is known: NULL. */
static const char *own_address(const struct run *r, int f, char text[static ENDPOINT_TEXT])
{
	static const enum family families[2] = {FAMILY_IPV4, FAMILY_IPV6};
	const struct session_view *v = session_view(r->session);

	for (size_t i = 0; i < r->whom.from_count; i++)
		if (r->whom.from[i].family == families[f] && !endpoint_is_private(&r->whom.from[i]))
			return endpoint_format_address(&r->whom.from[i], text);
	return v->mapped[f].family != FAMILY_NONE ? endpoint_format_address(&v->mapped[f], text)
						  : NULL;
}

/* The command for the other side, with all that has to be the same there. */
static void print_knock(const struct run *r, int f, const char *address)
{
	const struct punch_params *p = &r->params;
	bool given = p->dark[f].family != FAMILY_NONE;
	char dark[ENDPOINT_TEXT] = "";

	if (given)
		endpoint_format(&p->dark[f], dark);
	fprintf(stderr, "on the other side%s: %s %s%s%s%s%s %s\n", f ? ", over IPv6" : "",
		r->tool->name, p->classic ? "--classic " : "", given ? "--dark " : "", dark,
		given ? " " : "", address, r->made);
}

/* Of who waits for a knock. */
static void show_knock(struct run *r)
{
	char text[2][ENDPOINT_TEXT];
	const char *four = r->params.ipv4 ? own_address(r, 0, text[0]) : NULL;
	const char *six = r->params.ipv6 ? own_address(r, 1, text[1]) : NULL;

	if (r->params.json_lines) {
		struct maker m = {.failed = false};
		json_t *line =
			lines_new(&r->output.lines, &m, "code", clock_now_us() - r->start_us);

		make_set(&m, line, "code", json_string(r->made));
		lines_put(&r->output.lines, &m, line);
	}
	if (four || !six)
		print_knock(r, 0, four ? four : "PUBLIC-ADDRESS-OF-THIS-SIDE");
	if (six)
		print_knock(r, 1, six);
	r->code_shown = true;
}

/* On standard error, so that a script can have the report alone. */
static void show_line(struct run *r, const char *text)
{
	if (r->params.json_lines) {
		struct maker m = {.failed = false};
		json_t *line =
			lines_new(&r->output.lines, &m, "line", clock_now_us() - r->start_us);

		make_set(&m, line, "line", json_string(text));
		lines_put(&r->output.lines, &m, line);
	}
	if (r->lines)
		fprintf(stderr, "the external endpoint has changed: this line instead\n");
	fprintf(stderr, "your line, for the other side:\n\n%s\n\n", text);
	fprintf(stderr, "the other side's line, and Enter:\n");
}

static void on_refused(void *context, int err)
{
	(void)context;
	switch (err) {
	case -EILSEQ:
		fprintf(stderr,
			"not whole yet, or changed on the way: paste the rest, or an empty row "
			"and all of it again\n");
		break;
	case -EALREADY:
		fprintf(stderr, "that is your own line: the other side's is wanted\n");
		break;
	case -EPROTO:
		fprintf(stderr, "a line of another version or tool\n");
		break;
	default:
		fprintf(stderr,
			"no line of udppunch --manual: it begins with \"" LINE_PREFIX "\"\n");
		break;
	}
}

static void on_changed(void *context)
{
	struct run *r = context;
	const struct session_view *v = session_view(r->session);

	if (v->lines != r->lines) {
		show_line(r, v->line);
		r->lines = v->lines;
	}

	if (v->number && !r->code_shown)
		show_code(r, v->number);
	if (*r->made && v->waited && v->state >= SESSION_WAITING && !r->code_shown)
		show_knock(r);
	if (v->attempt == r->attempt)
		return;
	r->attempt = v->attempt;
	if (v->attempt && v->attempt <= v->plans.count && *v->plans.plan[v->attempt - 1].cost &&
		is_chatty(r))
		fprintf(stderr, "plan: %s\n", v->plans.plan[v->attempt - 1].cost);
}

static void print_event(const struct trail *t, const struct trail_event *e)
{
	static const char *const names[TRAIL_KINDS] = {
		"sent", "received", "refused", "stranger", "ICMP", "opened", "reset", ""};
	char from[ENDPOINT_TEXT], to[ENDPOINT_TEXT];

	fprintf(stderr, "%9.3f ms ", (double)(e->t_us - t->start_us) / 1000);
	if (e->kind == TRAIL_STEP) {
		fprintf(stderr, "%s\n", e->text);
		return;
	}
	fprintf(stderr, "%s", e->accepted && e->kind == TRAIL_OPENED ? "accepted" : names[e->kind]);
	if (e->bytes) /* else it is no packet that is told of, but a connection */
		fprintf(stderr, " %zu bytes", e->bytes);
	if (e->from.family != FAMILY_NONE)
		fprintf(stderr, " from %s", endpoint_format(&e->from, from));
	if (e->to.family != FAMILY_NONE)
		fprintf(stderr, " to %s", endpoint_format(&e->to, to));
	if (e->ttl)
		fprintf(stderr, ", TTL %u", e->ttl);
	if (e->kind == TRAIL_ICMP)
		fprintf(stderr, ", type %u code %u", e->type, e->code);
	fputc('\n', stderr);
}

static void on_event(void *context, const struct trail_event *e)
{
	struct run *r = context;

	if (r->params.json_lines)
		punch_line(&r->output.lines, r->trail, e);
	if (r->params.verbose)
		print_event(r->trail, e);
	else if (r->reported && is_chatty(r) && e->kind == TRAIL_STEP &&
		!strncmp(e->text, "path: ", 6))
		fprintf(stderr, "%s\n", e->text + 6); /* what changes about a way that is kept */
}

/* --- the punch --- */

static bool knocks(const struct run *r)
{
	return r->params.kind == PUNCH_ICMP && !r->params.has_server;
}

/* Nobody counts how often it is guessed at: it has to be longer. */
static int find_knock_code(struct run *r, int err)
{
	if (err == -ENODATA && r->params.wait) {
		code_make_words(KNOCK_WORDS, &r->random, r->made);
		return code_parse(r->made, &r->code, r->message, sizeof(r->message));
	}
	if (err == -ENODATA)
		snprintf(r->message, sizeof(r->message),
			"no code: the side that waits shows one, or both agree on one");
	else if (!err && knock_is_guessable(&r->code) && is_chatty(r))
		fprintf(stderr,
			"%s: a short code: who records a knock can find it by trying; %u words are "
			"safe\n",
			r->tool->name, KNOCK_WORDS);
	return err == -ENODATA ? -EINVAL : err;
}

/* Without a code the server gives a number, and two words are drawn. */
static int find_code(struct run *r, bool *allocate)
{
	const struct punch_params *p = &r->params;
	int err = secret_find(p->code, p->code_file, &r->code, r->message, sizeof(r->message));
	char meant[CODE_TEXT];

	if (knocks(r))
		return find_knock_code(r, err);
	if (err == -ENODATA && p->manual)
		return 0; /* who hands over the lines vouches for them */
	*allocate = err == -ENODATA;
	if (*allocate) {
		code_make(0, &r->random, r->made);
		return code_parse(r->made, &r->code, r->message, sizeof(r->message));
	}
	if (!err && code_complete(&r->code, meant) && is_chatty(r))
		fprintf(stderr, "%s: did you mean \"%s\"?\n", r->tool->name, meant);
	sodium_memzero(meant, sizeof(meant));
	return err;
}

/* The key of a knock takes a tenth of a second, on purpose. */
static int set_knock(
	struct run *r, struct session_config *config, char secret[static KNOCK_SECRET + 1])
{
	config->secret = (struct span){(const uint8_t *)secret, knock_secret(&r->code, secret)};
	config->knock = r->whom;
	if (r->whom.waits && !knock_needs_luck(&r->whom))
		config->sockets_max = 0;
	return knock_key_make(config->secret, &config->knock.key);
}

static bool on_captured(void *context, unsigned *left, unsigned *arrived)
{
	struct run *r = context;

	return punch_captured(r->capturing, r->trail, left, arrived);
}

static int create_records(struct run *r, struct session_config *config)
{
	int err = journal_create(r->start_us, &r->journal);

	if (!err)
		err = trail_create(r->start_us, &r->trail);
	if (err)
		return err;
	r->trail->listener = on_event;
	r->trail->listener_context = r;
	config->trail = r->trail;
	config->journal = r->journal;
	config->captured = on_captured;
	config->captured_context = r;
	return 0;
}

static int create_session(struct run *r, bool allocate)
{
	const struct punch_params *p = &r->params;
	struct session_config config = {.tcp = p->tcp,
		.servers = {r->servers[0], r->servers[1]},
		.manual = p->manual,
		.more_count = r->more_count,
		.utc_us = clock_utc_us(),
		.allocate = allocate,
		.secret = {(const uint8_t *)r->code.secret, strlen(r->code.secret)},
		.packets_max = (uint32_t)p->packets,
		.sockets_max = (uint16_t)p->sockets,
		.rate_pps = (uint32_t)p->rate,
		.wait_us = p->limit_us};
	int count = interfaces_list(p->interface, config.hosts, HELLO_CANDIDATES), err;
	char secret[KNOCK_SECRET + 1];

	memcpy(config.more, r->more, sizeof(config.more));
	config.host_count = count > 0 ? (size_t)count : 0;
	code_session_id(&r->code, config.id);
	random_init(&config.random);
	config.signals = p->kind == PUNCH_ICMP && p->has_server;
	err = knocks(r) ? set_knock(r, &config, secret) : 0;
	if (!err)
		err = create_records(r, &config);
	if (!err)
		err = session_create(&config, clock_now_us(), &r->session);
	sodium_memzero(secret, sizeof(secret));
	knock_key_wipe(&config.knock.key);
	return err;
}

static enum path_use use_of(const struct punch_params *p)
{
	if (p->stdio)
		return PATH_STDIO;
	if (p->listen.family != FAMILY_NONE || p->target.family != FAMILY_NONE)
		return PATH_FORWARD;
	return p->hold ? PATH_HOLD : PATH_MEASURE;
}

static void on_stands(void *context, const struct path_result *so_far);

static int punch(struct run *r, bool allocate)
{
	const struct punch_params *p = &r->params;
	struct path_config config = {.tcp = p->tcp,
		.raw = r->knock.raw,
		.knocks = knocks(r),
		.interface = p->interface,
		.local = {p->source[0], p->source[1]},
		.limit_us = p->limit_us,
		.interrupted = &interrupted,
		.count = (unsigned)p->count,
		.interval_us = p->interval_us,
		.manual = p->manual,
		.refused = on_refused,
		.use = use_of(p),
		.listen = p->listen,
		.target = p->target,
		.changed = on_changed,
		.stands = on_stands,
		.context = r,
		.watch = capturing_watch(r->capturing)};
	int err = create_session(r, allocate);

	capturing_chosen(r->capturing,
		p->interface || p->source[0].family != FAMILY_NONE ||
			p->source[1].family != FAMILY_NONE);
	config.session = r->session;
	config.trail = r->trail;
	r->begun = !err;
	if (!err)
		err = path_run(&config, &r->result);
	if (!err)
		return 0;
	r->begun = false;
	snprintf(r->message, sizeof(r->message), "%s: %s",
		p->listen.family != FAMILY_NONE ? "--listen" : "cannot begin", strerror(-err));
	return err;
}

/* --- the report --- */

static const struct endpoint *asked_server(const struct run *r)
{
	if (knocks(r) && r->servers[0].family == FAMILY_NONE && r->servers[1].family == FAMILY_NONE)
		return NULL;
	return r->servers[0].family != FAMILY_NONE ? &r->servers[0] : &r->servers[1];
}

/* With the packets, where there was a capture. */
static void add_causes(struct run *r, const struct punch_facts *facts, bool complete,
	const struct verdict *verdict, struct report_capture *capture)
{
	static struct causes causes;

	*capture = (struct report_capture){.state = capturing_state(r->capturing),
		.hint = capturing_hint(r->capturing, r->tool->name, r->hint),
		.list = r->capturing ? capturing_list(r->capturing) : NULL,
		.missed = capturing_missed(r->capturing),
		.journal = r->journal,
		.start_us = r->start_us,
		.all = r->params.explain || r->params.pcap || r->params.html};
	if (!facts->view)
		return;
	punch_causes(facts->view, punch_reason(facts, complete), facts->server, r->trail,
		r->journal, verdict, r->capturing, &causes);
	capture->causes = &causes;
}

static json_t *make_document(struct run *r)
{
	static struct verdict verdict;
	struct report_capture capture;
	struct finding findings[FINDINGS_MAX];
	struct report_run run = {.tool = r->tool->name,
		.version = PACKAGE_VERSION,
		.time = r->time,
		.duration_ms = (double)(clock_now_us() - r->start_us) / 1000,
		.complete = r->begun && !r->result.signal,
		.errors = r->errors,
		.error_count = r->error_count};
	struct punch_facts facts = {.tcp = r->params.tcp,
		.trail = r->trail,
		.journal = r->journal,
		.stood = r->result.stood,
		.late = r->result.late,
		.lost = r->result.silent,
		.differs = r->result.differs};

	if (r->begun) {
		facts.view = session_view(r->session);
		facts.server = asked_server(r);
		judge(r->journal, &verdict);
		facts.findings = findings;
		facts.finding_count = judge_findings(r->journal, &verdict, findings);
		facts.local = r->result.local;
		facts.peer = r->result.peer;
		facts.flow = r->result.flow.pings ? &r->result.flow : NULL;
	}
	add_causes(r, &facts, run.complete, &verdict, &capture);
	facts.capture = &capture;
	return punch_document(&run, &facts);
}

/* Where standard output is the path's or the command's, people read the report on stderr. */
static FILE *report_file(struct run *r)
{
	bool taken = (r->params.stdio || r->params.exec) && r->output.fd < 0;

	return taken && !r->params.json && !r->params.json_lines && !r->params.print
		? stderr
		: r->output.file;
}

static int print_document(struct run *r, const json_t *document)
{
	const struct punch_params *p = &r->params;
	FILE *out = report_file(r);
	struct text_options options = {.utf8 = terminal_utf8(),
		.brief = p->quiet,
		.verbose = p->verbose,
		.width = TERMINAL_WIDTH};
	int err;

	if (p->json_lines)
		return lines_end(&r->output.lines, (json_t *)document);
	if (p->json)
		return report_write(document, out);
	if (p->print)
		return text_punch_line(document, out);
	if (!r->begun || (p->quiet && out == stderr))
		return 0;
	if (r->output.fd < 0) {
		options.color = terminal_color(p->color, fileno(out));
		options.width = terminal_width(fileno(out));
	}
	err = text_punch(document, &options, out);
	return err || !p->explain ? err : ladder_render(document, &options, out);
}

/* People, and scripts that only want the endpoints, do not wait for the end of a way that is kept. */
static void on_stands(void *context, const struct path_result *so_far)
{
	struct run *r = context;
	json_t *document;

	(void)so_far; /* it is r->result */
	if (r->params.json || r->params.json_lines)
		return;
	document = make_document(r);
	r->reported = document && !print_document(r, document) && !fflush(report_file(r));
	json_decref(document);
}

static int write_beside(struct run *r, const json_t *document)
{
	char application[64];
	int err = 0, html_err = 0;

	snprintf(application, sizeof(application), "%s (natutils) %s", r->tool->name,
		PACKAGE_VERSION);
	if (r->pcap.file)
		err = beside_close(r->tool->name, "--pcap", r->params.pcap, &r->pcap,
			report_pcap(capturing_list(r->capturing), r->journal, application,
				r->pcap.file));
	if (r->html.file)
		html_err = beside_close(r->tool->name, "--html", r->params.html, &r->html,
			document ? html_render(document, r->html.file) : -ENOMEM);
	return err ? err : html_err;
}

static int report(struct run *r, int status)
{
	json_t *document = make_document(r);
	int err = -ENOMEM, close_err;

	if (document)
		err = r->reported ? 0 : print_document(r, document);
	if (!err && r->begun && expect_all(r->tool->name, document, &r->params.expectations))
		status = STATUS_NEGATIVE;
	close_err = r->output.file ? output_close(&r->output) : 0;
	err = err ? err : close_err;
	if (write_beside(r, document))
		status = STATUS_ENVIRONMENT;
	json_decref(document);
	if (!err)
		return status;
	fprintf(stderr, "%s: cannot write the results%s%s: %s\n", r->tool->name,
		r->params.output ? " to " : "", r->params.output ? r->params.output : "",
		strerror(-err));
	return STATUS_ENVIRONMENT;
}

/* --- all --- */

/* The servers that are given by address are left. */
static int drop_names(struct run *r)
{
	struct server_list *l = &r->params.stun;
	size_t left = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->servers[i].endpoint.family != FAMILY_NONE)
			l->servers[left++] = l->servers[i];
	l->count = left;
	if (left)
		return 0;
	snprintf(r->message, sizeof(r->message), "--numeric: no STUN server is given by address");
	return -ENOENT;
}

/* Of STUN servers the first ones keep the mapping, and the others help to measure. */
static int find_stun_servers(struct run *r)
{
	struct punch_params *p = &r->params;
	struct endpoint all[SESSION_MORE_SERVERS + 2];
	int err = servers_find(&p->stun, r->message, sizeof(r->message)), count;

	if (!err && p->numeric)
		err = drop_names(r);
	if (err)
		return err;
	count = server_find_all(&p->stun, p->ipv4, p->ipv6, p->limit_us, all,
		sizeof(all) / sizeof(*all), r->message, sizeof(r->message));
	for (int i = 0; i < count; i++) {
		struct endpoint *first = &r->servers[all[i].family == FAMILY_IPV6];

		if (first->family == FAMILY_NONE)
			*first = all[i];
		else if (r->more_count < SESSION_MORE_SERVERS)
			r->more[r->more_count++] = all[i];
	}
	return count < 0 ? count : 0;
}

/* Of who sends ICMP errors. */
static int check_raw(struct run *r)
{
	int err = r->knock.raw_error;

	if (err) {
		snprintf(r->message, sizeof(r->message),
			"no raw socket: %s: setcap cap_net_raw+p \"$(command -v %s)\", or as root",
			strerror(-err), r->tool->name);
		return err;
	}
	err = knock_setup_interface(&r->knock, r->params.interface);
	if (err)
		snprintf(r->message, sizeof(r->message), "--interface: %s: %s", r->params.interface,
			strerror(-err));
	return err;
}

static int find_whom(struct run *r)
{
	const struct punch_params *p = &r->params;
	int err = p->stun.count ? find_stun_servers(r) : 0;

	if (p->wait && p->classic)
		knock_setup_hear(&r->knock);
	if (!err && (!p->wait || p->classic))
		err = check_raw(r);
	if (!err)
		err = knock_setup_session(p, &r->whom, r->message, sizeof(r->message));
	knock_setup_keep(&r->knock, p->classic ? FAMILY_IPV4 : r->whom.target.family);
	return err;
}

static int find_servers(struct run *r)
{
	const struct punch_params *p = &r->params;

	if (knocks(r))
		return find_whom(r);
	if (p->manual)
		return find_stun_servers(r);
	if (p->kind == PUNCH_ICMP && check_raw(r))
		return -EPERM;
	return server_find(&p->server, p->ipv4, p->ipv6, p->limit_us, r->servers, r->message,
		sizeof(r->message));
}

static int conclude(struct run *r)
{
	const struct session_view *v = session_view(r->session);
	int status;

	if (r->params.manual && r->result.error && !v->has_peer) {
		snprintf(r->message, sizeof(r->message), "no line of the other side: %s",
			r->result.error == -ENODATA ? "standard input has ended"
						    : strerror(-r->result.error));
		return report(r, fail(r, STATUS_ENVIRONMENT, "environment"));
	}
	status =
		status_of(v, &r->result, asked_server(r), r->trail, r->message, sizeof(r->message));

	if (*r->message)
		fail(r, (enum status)status,
			status == STATUS_PROTOCOL	       ? "protocol"
				: status == STATUS_ENVIRONMENT ? "environment"
				: status > STATUS_PROTOCOL + 1 ? "interrupted"
							       : "no-way");
	status = report(r, status);
	if (status == STATUS_DONE && r->params.exec) {
		status = handover_exec(r->tool->name, r->params.exec, r->result.fd,
			&r->result.local, &r->result.peer);
	}
	return status;
}

static int fail_early(struct run *r)
{
	if (!interrupted)
		return report(r, fail(r, STATUS_ENVIRONMENT, "environment"));
	snprintf(r->message, sizeof(r->message), "interrupted: what is known so far");
	return report(r, fail(r, (enum status)(128 + interrupted), "interrupted"));
}

static int check_files(struct run *r)
{
	const struct output *all[] = {&r->output, &r->pcap, &r->html};

	return beside_differ(all, sizeof(all) / sizeof(*all), r->message, sizeof(r->message));
}

/* What is asked for and cannot be had is said before anything is tried. */
static int open_files(struct run *r)
{
	int err = beside_open("--html", r->params.html, &r->html, r->message, sizeof(r->message));

	if (err || !r->params.pcap)
		return err;
	if (capturing_state(r->capturing) == CAPTURE_ON)
		return beside_open(
			"--pcap", r->params.pcap, &r->pcap, r->message, sizeof(r->message));
	snprintf(r->message, sizeof(r->message), "--pcap: there is no capture: %s",
		capturing_refusal(r->capturing, r->tool->name, r->hint));
	return -EPERM;
}

static int run(struct run *r, int argc, char **argv)
{
	struct punch_params *p = &r->params;
	bool allocate = false;
	int err = punch_parse(r->tool->kind, argc, argv, p, r->message, sizeof(r->message));

	if (!err && (p->help || p->version))
		return STATUS_DONE;
	if (err)
		p->output = NULL;
	if (output_open(p->output, p->json_lines, &r->output)) {
		snprintf(r->message, sizeof(r->message), "%s: %s", p->output, strerror(errno));
		p->output = NULL;
		output_open(NULL, p->json_lines, &r->output);
		return report(r, fail(r, STATUS_ENVIRONMENT, "environment"));
	}
	if (!err)
		err = find_code(r, &allocate);
	if (!err)
		err = open_files(r);
	if (!err)
		err = check_files(r);
	if (err == -EINVAL)
		return report(r, fail(r, STATUS_USAGE, "usage"));
	if (err || find_servers(r) || punch(r, allocate))
		return fail_early(r);
	return conclude(r);
}

static void end(struct run *r)
{
	session_destroy(r->session);
	trail_destroy(r->trail);
	journal_destroy(r->journal);
	capturing_close(r->capturing);
	code_wipe(&r->code);
	sodium_memzero(r->made, sizeof(r->made));
	knock_setup_keep(&r->knock, FAMILY_NONE);
	if (r->begun && r->result.fd >= 0)
		close(r->result.fd);
}

/* Of what comes before the path, which has handlers of its own, the first one ends what is being waited for. */
static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

int punch_main(const struct punch_tool *tool, int argc, char **argv)
{
	static struct run r;
	int status;

	if (privileges_limit("cap_net_raw")) {
		fprintf(stderr, "%s: cannot drop privileges\n", tool->name);
		return STATUS_ENVIRONMENT;
	}
	/* a closed stdout must not become a socket, be it a raw one; writing to it fails as it should */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			abort();
	r.knock = (struct knock_setup){.raw = {-1, -1}};
	if (tool->kind == PUNCH_ICMP)
		knock_setup_open(&r.knock);
	r.capturing = capturing_open();
	if (privileges_drop() || sodium_init() < 0) {
		fprintf(stderr, "%s: cannot drop privileges, or has no cryptography\n", tool->name);
		return STATUS_ENVIRONMENT;
	}
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	catch_signals();
	r.tool = tool;
	r.start_us = clock_now_us();
	r.result.fd = -1;
	clock_rfc3339(r.time);
	random_init(&r.random);
	status = run(&r, argc, argv);
	end(&r);
	if (r.params.help)
		options_usage(&punch_options[tool->kind], stdout);
	else if (r.params.version)
		printf("%s (natutils) %s\n", tool->name, PACKAGE_VERSION);
	if (fflush(stdout)) {
		fprintf(stderr, "%s: cannot write: %s\n", tool->name, strerror(errno));
		status = STATUS_ENVIRONMENT;
	}
	return status;
}
