// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "lab/capture.h"
#include "lab/control.h"
#include "lab/isolate.h"
#include "lab/kinds.h"
#include "lab/run.h"
#include "report/document.h"
#include "report/terminal.h"
#include "tools/natlab/document.h"
#include "tools/natlab/enter.h"
#include "tools/natlab/network.h"
#include "tools/natlab/observe.h"
#include "tools/natlab/options.h"
#include "tools/natlab/status.h"

struct session {
	struct natlab_params params;
	struct topology *topology;
	struct command commands[COMMANDS_MAX];
	struct observe observe;
	struct run_result result;
	int control;
	uint64_t start_us;
	char time[CLOCK_TEXT];
	char error[512];
};

static int fail(struct session *s, enum status status, const char *code)
{
	const struct document_facts facts = {.params = &s->params,
		.time = s->time,
		.duration_us = clock_now_us() - s->start_us,
		.topology = s->topology,
		.error_code = code,
		.error = s->error};
	char *shown;

	/* there may be words of a file or an argument in it */
	shown = terminal_escape(s->error, terminal_utf8());
	fprintf(stderr, "natlab: %s\n", shown ? shown : "no memory");
	free(shown);
	if (observe_document(&s->observe, &s->params, &facts))
		fprintf(stderr, "natlab: cannot write the results\n");
	return status;
}

/* --- the network --- */

static int read_file(const char *path, char **text, size_t *length, char *error, size_t size)
{
	FILE *f = !strcmp(path, "-") ? stdin : fopen(path, "re");
	size_t n;

	*text = f ? malloc(TOPOLOGY_TEXT_MAX + 1) : NULL;
	if (!*text) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return -ENOENT;
	}
	n = fread(*text, 1, TOPOLOGY_TEXT_MAX + 1, f);
	if (ferror(f))
		snprintf(error, size, "%s: %s", path, strerror(errno));
	*length = ferror(f) ? 0 : n;
	n = (size_t)ferror(f);
	if (f != stdin)
		fclose(f);
	return n ? -EIO : 0;
}

static int read_topology(struct session *s, const char *name)
{
	char error[400] = "", *text = NULL;
	size_t length;
	int err;

	for (const struct topology_builtin *b = topology_builtins(); b->name; b++)
		if (!strcmp(b->name, name))
			return topology_read(
				s->topology, b->text, strlen(b->text), s->error, sizeof(s->error));
	if (read_file(name, &text, &length, s->error, sizeof(s->error))) {
		free(text);
		return -ENOENT;
	}
	err = topology_read(s->topology, text, length, error, sizeof(error));
	if (err)
		snprintf(s->error, sizeof(s->error), "%s: %s", name, error);
	free(text);
	return err;
}

/* What cannot be built is for the user to change, before anything is begun. */
static int try_to_build(struct session *s)
{
	struct world *world;
	int err = topology_build(s->topology, s->params.seed, &world, s->error, sizeof(s->error));

	if (!err)
		world_destroy(world);
	return err && err != -ENOMEM ? -EINVAL : err;
}

/* Without a topology, each --nat makes a NAT and a host; else it changes one that is there. */
static int make_topology(struct session *s)
{
	static const char home[] = "link delay=20ms hops=2\n",
			  server[] = "link delay=5ms hops=1\nhost server\n";
	const struct natlab_params *p = &s->params;
	bool add = !p->topology && p->nat_count;
	int err = topology_create(&s->topology);

	if (!err && add)
		err = topology_read(s->topology, home, strlen(home), s->error, sizeof(s->error));
	if (!err && !add)
		err = read_topology(s, p->topology ? p->topology : "home");
	if (err)
		return err;
	for (size_t i = 0; i < p->nat_count && !err; i++)
		err = topology_set_nat(s->topology, p->nats[i], add, s->error, sizeof(s->error));
	if (!err && add && topology_find(s->topology, WORLD_HOST, "server")) {
		snprintf(s->error, sizeof(s->error),
			"--nat server=...: the host on the internet is called server");
		err = -EINVAL;
	}
	if (!err && add)
		err = topology_read(
			s->topology, server, strlen(server), s->error, sizeof(s->error));
	if (!err && p->links)
		err = topology_set_links(s->topology, p->links, s->error, sizeof(s->error));
	if (p->ipv4 || p->ipv6)
		topology_set_family(s->topology, p->ipv4 ? FAMILY_IPV4 : FAMILY_IPV6);
	if (!err)
		err = topology_complete(s->topology, s->error, sizeof(s->error));
	return err ? err : try_to_build(s);
}

/* --- commands --- */

static int find_hosts(struct session *s)
{
	for (size_t i = 0; i < s->params.command_count; i++) {
		const struct natlab_command *from = &s->params.commands[i];

		s->commands[i] =
			(struct command){.node = topology_find(s->topology, WORLD_HOST, from->host),
				.host = from->host,
				.shell = from->shell,
				.argv = from->argv,
				.daemon = from->daemon,
				.delay_min_us = from->delay_min_us,
				.delay_max_us = from->delay_max_us};
		if (s->commands[i].node)
			continue;
		snprintf(s->error, sizeof(s->error), "no host is called \"%s\"", from->host);
		return -EINVAL;
	}
	return 0;
}

/* A single command gets the terminal itself; its lines need no name. */
static bool choose_passthrough(struct session *s)
{
	const struct natlab_params *p = &s->params;
	size_t count = 0, last = 0;

	for (size_t i = 0; i < p->command_count; i++)
		if (!p->commands[i].daemon) {
			count++;
			last = i;
		}
	if (count != 1 || p->json || p->json_lines || p->watch)
		return false;
	s->commands[last].passthrough = true;
	return true;
}

/* The first that has not been successful; daemons are ended by us, and don't count. */
static int status_of(const struct session *s)
{
	if (s->result.signal)
		return 128 + s->result.signal;
	if (s->result.late)
		return STATUS_NEGATIVE;
	for (size_t i = 0; i < s->params.command_count; i++)
		if (!s->params.commands[i].daemon && s->result.statuses[i])
			return s->result.statuses[i] > 0 ? s->result.statuses[i]
							 : STATUS_ENVIRONMENT;
	return STATUS_DONE;
}

/* --- the laboratory --- */

static int conclude(struct session *s)
{
	bool late = s->result.late;
	const struct document_facts facts = {.params = &s->params,
		.time = s->time,
		.duration_us = clock_now_us() - s->start_us,
		.complete = !s->result.signal && !late,
		.topology = s->topology,
		.result = &s->result,
		.traffic = s->observe.traffic,
		.error_code = late ? "deadline" : NULL,
		.error = late ? "not done before the deadline" : NULL};

	if (late)
		fprintf(stderr, "natlab: not done before the deadline\n");
	if (observe_document(&s->observe, &s->params, &facts)) {
		fprintf(stderr, "natlab: cannot write the results\n");
		return STATUS_ENVIRONMENT;
	}
	return status_of(s);
}

/* The first process of the namespaces. */
static int run_inside(void *context)
{
	struct session *s = context;
	const struct natlab_params *p = &s->params;
	char *names = network_hosts_file(s->topology);
	struct run_config config = {.topology = s->topology,
		.seed = p->seed,
		.commands = s->commands,
		.command_count = p->command_count,
		.terminal = choose_passthrough(s) && isatty(STDIN_FILENO),
		.limit_us = p->limit_us,
		.control = s->control};
	int err;

	/* names of hosts and no name server: what fails costs names, and nothing else */
	if (names)
		isolate_replace_file("/etc/hosts", names);
	free(names);
	isolate_replace_file("/etc/resolv.conf", "# natlab: there is no name server\n");
	signal(SIGPIPE, SIG_IGN);
	err = observe_begin(&s->observe, p, s->topology, s->start_us, &config.observer, s->error,
		sizeof(s->error));
	if (!err)
		err = laboratory_run(&config, &s->result, s->error, sizeof(s->error));
	if (observe_end(&s->observe, s->error, sizeof(s->error)) && !err)
		err = -EIO;
	return err ? fail(s, STATUS_ENVIRONMENT, "environment") : conclude(s);
}

static int run(struct session *s)
{
	int status;

	s->control = control_listen();
	if (!s->params.command_count && !s->params.watch && !s->params.json &&
		!s->params.json_lines) {
		network_print(s->topology, stdout);
		printf("\nUp until interrupted. To get into a host: natlab exec HOST [COMMAND]\n");
	}
	status = isolate_run(run_inside, s, s->error, sizeof(s->error));
	return status < 0 ? fail(s, STATUS_ENVIRONMENT, "environment") : status;
}

/* --- what there is to choose from --- */

static void print_properties(void)
{
	printf("of NATs, those in brackets also for one transport alone:\n\n%s\nof links, those in "
	       "brackets "
	       "also for one direction alone:\n\n%s",
		nat_kind_properties(), topology_link_properties());
}

static void print_list(const char *what)
{
	if (!strcmp(what, "kinds"))
		for (const struct nat_kind *k = nat_kinds(); k->name; k++)
			printf("%-22s %s\n", k->name, k->help);
	else if (!strcmp(what, "topologies"))
		for (const struct topology_builtin *b = topology_builtins(); b->name; b++)
			printf("%-22s %s\n", b->name, b->help);
	else
		print_properties();
}

static uint64_t any_seed(void)
{
	struct random random;

	random_init(&random);
	return random_below(&random, UINT32_MAX);
}

static int start(struct session *s, int argc, char **argv)
{
	struct natlab_params *p = &s->params;
	int err;

	if (natlab_parse(argc, argv, p, s->error, sizeof(s->error)))
		return fail(s, STATUS_USAGE, "usage");
	if (p->help)
		options_usage(&natlab_options, stdout);
	else if (p->version)
		printf("natlab (natutils) %s\n", PACKAGE_VERSION);
	else if (p->list)
		print_list(p->list);
	if (p->help || p->version || p->list)
		return STATUS_DONE;
	if (!p->has_seed)
		p->seed = any_seed();
	err = make_topology(s);
	if (!err)
		err = find_hosts(s);
	if (err)
		return err == -EINVAL ? fail(s, STATUS_USAGE, "usage")
				      : fail(s, STATUS_ENVIRONMENT, "environment");
	if (p->show) {
		network_print(s->topology, stdout);
		return STATUS_DONE;
	}
	return run(s);
}

int main(int argc, char **argv)
{
	static struct session session;
	int status;

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			abort();
	setlocale(LC_CTYPE, "");
	if (argc > 1 && !strcmp(argv[1], "exec"))
		return enter_main(argc - 1, argv + 1);
	session.start_us = clock_now_us();
	clock_rfc3339(session.time);
	session.control = -1;
	status = start(&session, argc, argv);
	topology_destroy(session.topology);
	natlab_forget(&session.params);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "natlab: cannot write: %s\n", strerror(errno));
		status = STATUS_ENVIRONMENT;
	}
	return status;
}
