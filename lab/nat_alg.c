// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <string.h>

#include "lab/nat_private.h"

/*
 * An application layer gateway of the kind that knows no application: wherever the address of the host
 * stands in a payload, it is replaced (what RFC 4787 REQ-10 and RFC 5382 REQ-6 warn of, and XOR addresses
 * of RFC 8489 are against). The length stays: a TCP stream cannot get longer on its way.
 */

static void replace(struct packet *p, const void *from, const void *to, size_t length)
{
	size_t offset = 0;

	while (p->payload_length - offset >= length) {
		const uint8_t *start = &p->bytes[p->payload];
		const uint8_t *hit =
			memmem(start + offset, p->payload_length - offset, from, length);

		if (!hit)
			return;
		offset = (size_t)(hit - start);
		packet_replace_payload(p, offset, to, length);
		offset += length;
	}
}

void nat_alg_replace(struct nat_work *w, const struct nat_point *from, const struct nat_point *to)
{
	struct endpoint a = nat_endpoint_of(from), b = nat_endpoint_of(to);
	char text_a[ENDPOINT_TEXT], text_b[ENDPOINT_TEXT];

	if (!w->nat->config.alg || w->transport == NAT_ICMP)
		return;
	replace(&w->packet, a.address, b.address, endpoint_address_length(a.family));
	endpoint_format_address(&a, text_a);
	endpoint_format_address(&b, text_b);
	if (strlen(text_a) == strlen(text_b))
		replace(&w->packet, text_a, text_b, strlen(text_a));
}
