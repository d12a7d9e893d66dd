// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include "judge/behaviour.h"

const char *dependence_name(enum dependence d)
{
	switch (d) {
	case DEPENDENCE_ENDPOINT_INDEPENDENT:
		return "endpoint-independent";
	case DEPENDENCE_ADDRESS:
		return "address-dependent";
	case DEPENDENCE_ADDRESS_AND_PORT:
		return "address-and-port-dependent";
	case DEPENDENCE_PORT:
		return "port-dependent";
	case DEPENDENCE_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *path_status_name(enum path_status s)
{
	switch (s) {
	case PATH_OK:
		return "ok";
	case PATH_BLOCKED:
		return "blocked";
	case PATH_UNREACHABLE:
		return "unreachable";
	case PATH_UNTESTED:
		break;
	}
	return "untested";
}

const char *share_name(enum share s)
{
	switch (s) {
	case SHARE_ALWAYS:
		return "always";
	case SHARE_SOMETIMES:
		return "sometimes";
	case SHARE_NEVER:
		return "never";
	case SHARE_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *allocation_name(enum allocation_pattern p)
{
	switch (p) {
	case ALLOCATION_PRESERVING:
		return "preserving";
	case ALLOCATION_SEQUENTIAL:
		return "sequential";
	case ALLOCATION_BAND:
		return "band";
	case ALLOCATION_RANDOM:
		return "random";
	case ALLOCATION_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *pooling_name(enum pooling p)
{
	switch (p) {
	case POOLING_PAIRED:
		return "paired";
	case POOLING_ARBITRARY:
		return "arbitrary";
	case POOLING_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *early_name(enum early_packet e)
{
	switch (e) {
	case EARLY_SILENT:
		return "silent";
	case EARLY_REJECT:
		return "reject";
	case EARLY_REMAP:
		return "remap";
	case EARLY_DELIVERED:
		return "delivered";
	case EARLY_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *rejecter_name(enum rejecter r)
{
	switch (r) {
	case REJECTER_HOST:
		return "host";
	case REJECTER_NAT:
		return "nat";
	case REJECTER_PATH:
		return "path";
	case REJECTER_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *classic_name(enum classic_class c)
{
	switch (c) {
	case CLASSIC_OPEN:
		return "open";
	case CLASSIC_FULL_CONE:
		return "full-cone";
	case CLASSIC_RESTRICTED_CONE:
		return "restricted-cone";
	case CLASSIC_PORT_RESTRICTED_CONE:
		return "port-restricted-cone";
	case CLASSIC_SYMMETRIC:
		return "symmetric";
	case CLASSIC_SYMMETRIC_FIREWALL:
		return "symmetric-firewall";
	case CLASSIC_BLOCKED:
		return "blocked";
	case CLASSIC_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *server_status_name(enum server_status s)
{
	switch (s) {
	case SERVER_OK:
		return "ok";
	case SERVER_TIMEOUT:
		return "timeout";
	case SERVER_UNREACHABLE:
		return "unreachable";
	case SERVER_NOT_RESOLVED:
		return "unresolved";
	case SERVER_MISBEHAVING:
		return "misbehaving";
	}
	return "unknown";
}

const char *syn_option_name(enum syn_option o)
{
	switch (o) {
	case SYN_TIMESTAMPS:
		return "timestamps";
	case SYN_SACK:
		return "sack";
	case SYN_SCALE:
		return "window-scale";
	case SYN_MSS:
		return "mss";
	}
	return "unknown";
}

const char *egress_name(enum egress e)
{
	switch (e) {
	case EGRESS_DROPPED:
		return "dropped";
	case EGRESS_EXTERNAL:
		return "external-source";
	case EGRESS_INSIDE:
		return "inside-source";
	case EGRESS_OTHER:
		return "other-source";
	case EGRESS_UNKNOWN:
		break;
	}
	return "unknown";
}
