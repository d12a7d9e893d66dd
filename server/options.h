// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/options.h"
#include "server/log.h"
#include "server/responder.h"

extern const struct option_table natprobed_options;

/* What the command line asks for. */
struct settings {
	bool help, version;
	bool single; /* a family with one address only is served, without what needs a second one */
	bool full_addresses;
	bool no_rendezvous; /* nor TCP */
	bool no_calls;
	bool no_icmp;
	enum log_level level;
	uint16_t port, other_port;
	uint32_t rate; /* tokens per second and source; 0: no limit */
	uint32_t sessions; /* of the rendezvous, at most */
	const char *user; /* to become; or NULL */
	/* by responder index: where to bind, and what to call it; FAMILY_NONE: not served */
	struct endpoint local[RESPONDER_ENDPOINTS], advertised[RESPONDER_ENDPOINTS];
};

/* 0, or -EINVAL with one line for the user in error. argv gets permuted. */
int settings_parse(struct settings *s, int argc, char **argv, char *error, size_t error_size);
