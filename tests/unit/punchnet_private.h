// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include "lab/topology.h"
#include "server/call.h"
#include "server/rendezvous.h"
#include "server/responder.h"
#include "server/store_memory.h"
#include "tests/unit/punchnet.h"
#include "tests/unit/tcpstack.h"

/* What the files of the network of a punch share. */

#define BEGIN_US	 1000000000u
#define STREAM_QUEUE	 32
#define PUNCHNET_CLIENTS 256 /* connections to the server at once */

/* TCP to the server goes around the network: a message each way arrives after the same time. */
struct stream_message {
	uint64_t at_us;
	bool to_server;
	size_t length;
	uint8_t bytes[STUN_MESSAGE_BYTES];
};

struct stream {
	bool is_open; /* or about to be */
	uint64_t opens_us; /* 0: the party knows */
	unsigned connection;
	struct rendezvous_bond bond;
	struct stream_message queue[STREAM_QUEUE];
	size_t first, count;
};

struct party {
	const struct punchnet_party *config;
	struct session *session;
	struct journal *journal;
	int host;
	uint16_t ports[SESSION_SOCKETS]; /* 0: not open */
	enum family families[SESSION_SOCKETS];
	uint64_t deadline_us;
	uint64_t reset_us; /* the next one; UINT64_MAX: none */
	bool dead, pasted;
	struct stream stream;
	struct punchnet_tcp *tcp;
};

struct net {
	const struct punchnet_config *config;
	struct punchnet_result *result;
	struct topology *topology;
	struct world *world;
	struct random random;
	uint64_t now;
	int server;
	struct responder responder;
	struct store *store;
	struct rendezvous *rendezvous;
	bool returned;
	unsigned again; /* how often it has broken */
	unsigned connections;
	struct party party[PUNCHNET_PARTIES];
	struct punchnet_server *tcp; /* the server's half of TCP */
};

void punchnet_break(struct net *n, const char *what);
/* An address of the host, of that family: the first one is 0. */
struct endpoint punchnet_address(const struct net *n, int host, enum family family, unsigned which);
/* A packet of the party for what is not the server is counted, and may not be for just anybody. */
void punchnet_count(struct net *n, int number, const struct endpoint *to);
/* From where the server sees the connections of a host, with some port. */
struct endpoint punchnet_outermost(const struct net *n, int host);
bool punchnet_server_is_there(const struct net *n);
void punchnet_poll_server(struct net *n);

/* --- punchnet_tcp.c: TCP of all hosts goes through the network --- */
int punchnet_tcp_create(struct net *n);
void punchnet_tcp_destroy(struct net *n);
/* What the session wants. */
void punchnet_tcp_carry(struct net *n, int number, const struct session_output *out);
/* A packet has come to a host: one of the parties, or -1, the server. */
void punchnet_tcp_input(struct net *n, int number, const void *bytes, size_t length);
/* What is due; the next moment. */
uint64_t punchnet_tcp_run(struct net *n);
/* A message of the rendezvous over a connection. */
void punchnet_tcp_reply(struct net *n, uint64_t connection, const uint8_t *bytes, size_t length);
/* The server resets the connection over which the party meets. */
void punchnet_tcp_reset(struct net *n, int number);
/* The local endpoint of a socket; port 0: it is not open. */
struct endpoint punchnet_tcp_local(const struct net *n, int number, unsigned socket);
