// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <stddef.h>

#include "journal/host.h"

const struct host_interface *host_interface(const struct host_record *h, unsigned index)
{
	for (size_t i = 0; i < h->interface_count; i++)
		if (h->interfaces[i].index == index)
			return &h->interfaces[i];
	return NULL;
}

const struct host_way *host_way(const struct host_record *h, const struct endpoint *to)
{
	for (size_t i = 0; h && i < h->way_count; i++)
		if (endpoint_same_address(&h->ways[i].to, to))
			return &h->ways[i];
	return NULL;
}

bool host_routes_refuse(const struct host_record *h, const struct endpoint *to, int error)
{
	const struct host_way *way = host_way(h, to);

	return way && error && way->refused == error;
}

bool host_has_address(const struct host_record *h, const struct endpoint *e)
{
	for (size_t i = 0; h && i < h->address_count; i++)
		if (endpoint_same_address(&h->addresses[i], e))
			return true;
	return false;
}
