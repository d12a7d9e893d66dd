// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <libmnl/libmnl.h>
#include <stdint.h>

/* Questions to the kernel about interfaces and routes (rtnetlink(7)), of the network namespace in which they are put. */

#define RTNETLINK_BYTES 512

struct rtnetlink {
	struct mnl_socket *socket;
	char buffer[RTNETLINK_BYTES]; /* of the question */
};

/* 0 or a negative errno. */
int rtnetlink_open(struct rtnetlink *n);
void rtnetlink_close(struct rtnetlink *n);

/* A question, of which the rest is added by libmnl: see RTNETLINK_BYTES. */
struct nlmsghdr *rtnetlink_begin(struct rtnetlink *n, uint16_t type, uint16_t flags);

/*
 * Puts it, and hands every answer to the callback, which gives MNL_CB_OK to get more, or a negative value with errno set.
 * 0, or a negative errno, such as what the kernel thinks of the question.
 */
int rtnetlink_ask(
	struct rtnetlink *n, const struct nlmsghdr *question, mnl_cb_t callback, void *context);
