// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/endpoint.h"

/* Server names as users write them, on the command line and in servers.list. */

#define SERVER_HOST	    256
#define SERVER_PORT_DEFAULT 3478
#define SERVERLIST_MAX	    16

struct server_spec {
	char name[SERVER_HOST]; /* as written */
	char host[SERVER_HOST]; /* without scheme, brackets and port */
	uint16_t port;
	bool has_port; /* the port was written: no SRV record is looked for */
	struct endpoint endpoint; /* FAMILY_NONE: a name that has to be resolved */
};

/*
 * "HOST", "HOST:PORT", "[ADDR6]:PORT", each also behind "stun:" or "turn:" (RFC 7064, 7065). 0, or
 * -EINVAL: empty, too long, a character that no host name has, or a port that is none.
 */
int server_parse(const char *text, uint16_t port_default, struct server_spec *out);

/*
 * A list, one server per line; '#' begins a comment. At most SERVERLIST_MAX go into out. Returns their
 * number, or -EINVAL with the number of the bad line in *line, or -ENOSPC when there are more.
 */
int serverlist_parse(const char *text, size_t length, uint16_t port_default,
	struct server_spec out[static SERVERLIST_MAX], unsigned *line);
