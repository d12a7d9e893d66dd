// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "journal/journal.h"

/*
 * What the observations of one run say about the NATs and firewalls on the path: yes, no or unknown,
 * each with the observations it rests on. Pure: the same journal always gives the same verdict.
 */

enum tri {
	TRI_UNKNOWN = 0,
	TRI_NO,
	TRI_YES,
};

/* RFC 4787 4.1 and 5; port-dependent has no name there: varies with the port and not the address. */
enum dependence {
	DEPENDENCE_UNKNOWN = 0,
	DEPENDENCE_ENDPOINT_INDEPENDENT,
	DEPENDENCE_ADDRESS,
	DEPENDENCE_ADDRESS_AND_PORT,
	DEPENDENCE_PORT,
};

enum path_status {
	PATH_UNTESTED = 0, /* not asked for, or no server of this family */
	PATH_OK,
	PATH_BLOCKED, /* a device says so, or several servers' hosts answer TCP and stay silent here */
	PATH_UNREACHABLE, /* no answer, and nothing proves why */
};

enum share { SHARE_UNKNOWN = 0, SHARE_ALWAYS, SHARE_SOMETIMES, SHARE_NEVER };

enum allocation_pattern {
	ALLOCATION_UNKNOWN = 0,
	ALLOCATION_PRESERVING,
	ALLOCATION_SEQUENTIAL,
	ALLOCATION_BAND,
	ALLOCATION_RANDOM,
};

enum pooling { POOLING_UNKNOWN = 0, POOLING_PAIRED, POOLING_ARBITRARY };

/* What becomes of an unsolicited packet from an endpoint to which the inside host sends later. */
enum early_packet {
	EARLY_UNKNOWN = 0,
	EARLY_SILENT, /* dropped without a word */
	EARLY_REJECT, /* an ICMP error went back to the sender */
	EARLY_REMAP, /* the later flow to that endpoint got another external port */
	EARLY_DELIVERED, /* the NAT lets it in: nothing to react to */
};

/* Who has answered an unsolicited SYN. */
enum rejecter {
	REJECTER_UNKNOWN = 0,
	REJECTER_HOST, /* this host, or what stands right in front of it and counts no hop, be it a NAT */
	REJECTER_NAT, /* the first router where there is a NAT: that, or what stands behind it */
	REJECTER_PATH, /* a device on the way: whether it is a NAT is not known */
};

#define REJECTER_HOPS_UNKNOWN (-1)

enum classic_class {
	CLASSIC_UNKNOWN = 0,
	CLASSIC_OPEN,
	CLASSIC_FULL_CONE,
	CLASSIC_RESTRICTED_CONE,
	CLASSIC_PORT_RESTRICTED_CONE,
	CLASSIC_SYMMETRIC,
	CLASSIC_SYMMETRIC_FIREWALL,
	CLASSIC_BLOCKED,
};

#define BASIS_EVIDENCE 64
#define BASIS_TEXT     (2 * JOURNAL_TEXT)

/* What one verdict rests on; when the verdict is unknown, text says why. */
struct basis {
	char text[BASIS_TEXT];
	size_t evidence[BASIS_EVIDENCE]; /* places in the journal's observations */
	size_t evidence_count;
};

#define BEHAVIOUR_EXTERNAL 8

struct port_allocation {
	enum allocation_pattern pattern;
	int step; /* of a sequential allocation; 0: none */
	uint16_t low, high; /* of a band, widened to hold it with `confidence`; 0: none */
	double confidence; /* that pattern and band are right, 0 to 1; 0: no statement */
	unsigned samples;
	enum tri parity; /* even port to even port (RFC 4787 4.2.2) */
	enum tri contiguity; /* neighbouring ports to neighbouring ports (RFC 4787 4.2.3) */
};

/* The MSS of SYNs in one direction; 0: not known. */
struct mss_way {
	uint16_t sent;
	/* What the other end makes of it: 536, or 1220 over IPv6, where a SYN has none (RFC 9293 3.7.1). Of the server's
	   no more can be seen than this host's packets hold. */
	uint16_t arrived;
	enum tri clamped; /* it is smaller than it was sent */
};

/* How far packets get to a server when none answers, by a TTL ladder. */
struct reach {
	bool measured; /* else all of it is without meaning */
	size_t observation; /* of QUESTION_TRACE: its place in the journal, for journal_trace */
	struct endpoint to;
	/* YES: somebody with the server's address has answered; NO: a router says that it goes no further. Silence never
	   says either. */
	enum tri reached;
	unsigned target; /* YES: the TTL with which; so many routers and one */
	unsigned last; /* the TTL of the last router that has answered; 0: none has */
	struct endpoint router; /* which that is */
	uint8_t type, code; /* NO: of its ICMP error */
	bool whole; /* the ladder came to its end */
	bool gapless; /* all routers before it have answered, too */
	unsigned beyond; /* packets that may pass it, and have brought nothing */
	bool lost; /* likely packets get lost or are dropped there, or behind it */
};

struct behaviour {
	enum transport transport;
	enum path_status status;
	struct basis status_basis;
	enum tri nat;
	struct basis nat_basis;
	struct endpoint local; /* the socket of the mapping question; FAMILY_NONE: none */
	struct endpoint external[BEHAVIOUR_EXTERNAL]; /* as the trusted servers saw that socket */
	size_t external_count;

	enum dependence mapping;
	enum tri mapping_by_address, mapping_by_port; /* known one by one with plain servers */
	struct basis mapping_basis;
	enum dependence filtering;
	struct basis filtering_basis;
	enum tri hairpin;
	struct basis hairpin_basis;
	enum share port_preservation;
	struct basis preservation_basis;
	struct port_allocation allocation;
	struct basis allocation_basis;
	enum pooling pooling;
	struct basis pooling_basis;
	enum early_packet early;
	struct basis early_basis;
	uint64_t early_after_us; /* TCP: when the unasked SYN was rejected; 0: it was not */
	bool early_by_icmp; /* … and not by a RST */
	enum rejecter rejecter; /* TCP: … and by whom */
	int rejecter_hops; /* … so many hops before this host; REJECTER_HOPS_UNKNOWN */
	struct basis rejecter_basis;
	enum tri simultaneous; /* TCP: a SYN that comes in answer to a SYN gets through */
	struct basis simultaneous_basis;
	/* TCP: what becomes of SYNs, those of this host (outward) and of the server */
	struct mss_way mss_outward, mss_inward;
	enum tri mss_clamping; /* in either direction */
	struct basis mss_basis;
	uint8_t removed_outward, removed_inward; /* enum syn_option */
	bool options_known; /* that these are all */
	struct basis options_basis;
	unsigned hops; /* routers on the way to the nearest server */
	bool hops_known;
	struct basis hops_basis;
	enum tri sequence_rewriting; /* SYNs of this host arrive with another sequence number */
	struct basis sequence_basis;
	enum classic_class classic;
	enum tri alg; /* something on the path rewrites addresses inside packets */
	char why[JOURNAL_TEXT]; /* nothing was answered, as judge_causes finds out; "": not known */
	struct endpoint icmp_offender; /* who refused UDP by ICMP; FAMILY_NONE: nobody */
	uint8_t icmp_type, icmp_code;
	int refused_here; /* errno with which this host itself refuses to send; 0: it does not */
	struct reach reach;
};

/* What may be wrong with a server. */
enum server_defect {
	DEFECT_CHANGE_IGNORED, /* answers a CHANGE-REQUEST from the asked endpoint */
	DEFECT_SELF_AS_OTHER, /* names its own address or port as OTHER-ADDRESS */
	DEFECT_OTHER_UNUSABLE, /* OTHER-ADDRESS is private, of another family, multicast … */
	DEFECT_OTHER_SILENT, /* answers on its first address and never on the second */
	DEFECT_WRONG_SOURCE, /* answers from an endpoint that it was not asked at */
	DEFECT_ORIGIN, /* RESPONSE-ORIGIN is not where the answer came from */
	DEFECT_MAPPED_DIFFERS, /* MAPPED-ADDRESS and XOR-MAPPED-ADDRESS differ */
	DEFECT_MALFORMED, /* sends bytes that are no STUN */
	DEFECT_NO_MAPPED, /* its answers hold no mapped address */
	DEFECT_CHANGE_REFUSED, /* answers CHANGE-REQUEST with an error */
	DEFECT_CHANGE_UNPROVED, /* no changed answer came, not even where the path should be open */
	DEFECT_DISAGREES, /* the other servers agree on something else */
	DEFECT_COUNT,
};

enum server_status {
	SERVER_OK,
	SERVER_TIMEOUT,
	SERVER_UNREACHABLE, /* ICMP, or no route */
	SERVER_NOT_RESOLVED,
	SERVER_MISBEHAVING, /* its answers do not count */
};

struct server_verdict {
	enum server_status status;
	uint64_t rtt_us; /* smallest seen; 0: none */
	bool defects[DEFECT_COUNT];
	char problem[JOURNAL_TEXT]; /* in words; empty: none */
	bool has_other; /* offers a usable second address (RFC 5780) */
	bool ours; /* a natprobed: receipts, observations, ICMP reports */
	bool counts; /* its answers about mappings count */
	bool filters; /* its answers about filtering count */
	bool changes; /* it has answered from a changed endpoint, or sent a receipt for it */
	struct endpoint other;
	char software[64];
	size_t answer_at; /* the observation of its first answer; JOURNAL_NONE */
};

/* --- ICMP --- */

#define ICMP_ERRORS 9 /* kinds that there are, of one family at most */

/* Where an error comes from: the other end of the flow, or another address, as a router's on the way. */
enum icmp_origin { ICMP_ORIGIN_OWN, ICMP_ORIGIN_OTHER, ICMP_ORIGINS };

/* What it is about. */
enum icmp_about { ICMP_ABOUT_UDP, ICMP_ABOUT_TCP, ICMP_ABOUT_ATTEMPT, ICMP_ABOUTS };

struct icmp_error_verdict {
	uint8_t type, code;
	enum tri arrives[ICMP_ABOUTS][ICMP_ORIGINS];
};

/* What becomes of an error that this host sends about a flow which is not its own. */
enum egress {
	EGRESS_UNKNOWN = 0,
	EGRESS_DROPPED,
	EGRESS_EXTERNAL, /* arrives from the address that others know this host by */
	EGRESS_INSIDE, /* arrives from the inside address: a NAT has let it out as it was */
	EGRESS_OTHER, /* arrives from yet another address */
};

#define EGRESS_KINDS 3

struct egress_verdict {
	uint8_t type, code, quoted_protocol;
	enum tri arrives;
};

struct icmp_verdict {
	/* mapping and port_preservation are about identifiers, which stand for ports in local and external */
	struct behaviour common;
	enum tri service; /* there is a server that serves ICMP */
	struct basis service_basis;
	enum tri echo; /* echo requests are replied to */
	struct basis echo_basis;
	unsigned identifiers; /* that had replies at the same time */

	struct icmp_error_verdict errors[ICMP_ERRORS];
	size_t error_count;
	enum share passing[ICMP_ABOUTS]; /* of those that are known */
	struct basis passing_basis[ICMP_ABOUTS];
	enum tri quotes; /* the quoted packet is translated back, as far as it can be seen */
	bool quotes_whole; /* with all checksums: a raw socket has seen it */
	uint8_t quote_defects; /* enum quote_defect */
	struct basis quotes_basis;
	enum tri end_mapping, end_connection; /* RFC 4787 REQ-12, RFC 5382 REQ-10 */
	struct basis end_mapping_basis, end_connection_basis;
	enum tri end_attempt; /* an attempt to connect ends with the error, at once */
	struct basis end_attempt_basis;
	enum tri path_mtu; /* what an error says of it takes effect */
	struct basis path_mtu_basis;

	enum egress egress;
	struct endpoint egress_from; /* where it arrives from */
	struct egress_verdict egress_kinds[EGRESS_KINDS];
	size_t egress_count;
	struct basis egress_basis;
	enum tri outward; /* an error about a mapping goes out, and is translated */
	struct basis outward_basis;

	/* of the mapping of an echo request: it lasts so long, and not so long; 0: not known */
	uint32_t lasts_ms, ends_ms;
	struct basis lifetime_basis;
};

struct verdict {
	struct server_verdict servers[JOURNAL_SERVERS];
	struct behaviour udp4, udp6, tcp4, tcp6;
	struct icmp_verdict icmp4, icmp6;
};

/* Words of the report format; never NULL. */
const char *dependence_name(enum dependence d);
const char *path_status_name(enum path_status s);
const char *share_name(enum share s);
const char *allocation_name(enum allocation_pattern p);
const char *pooling_name(enum pooling p);
const char *early_name(enum early_packet e);
/* "host", "nat", "path", "unknown". */
const char *rejecter_name(enum rejecter r);
const char *classic_name(enum classic_class c);
const char *server_status_name(enum server_status s);
/* "timestamps", "sack", "window-scale", "mss". */
const char *syn_option_name(enum syn_option o);
const char *egress_name(enum egress e);

/* Judges a finished (or interrupted) run. */
void judge(const struct journal *j, struct verdict *out);
