#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# tcppunch between all pairs of twelve kinds of NAT, in natlab, as often as the argument or BENCH_RUNS says (50): how
# often they connect, how often the plans say that they do, and how long it takes from the later side's first SYN until
# both have the connection, and its proof. 20 ms between two hosts, each begins at a random moment of 1.5 s.

here=$(cd "$(dirname "$0")/../tests/net" && pwd)
rounds=${1:-${BENCH_RUNS:-50}}

matrix()
{
	"${PYTHON:-/usr/bin/python3}" "$here/tcppunch_matrix.py" --table "$@" || failed=1
}

failed=0
echo "tcppunch over IPv4, $rounds rounds"
matrix --rounds "$rounds"
echo "tcppunch over IPv6, $((rounds / 5 + 1)) rounds"
matrix --family 6 --rounds $((rounds / 5 + 1))
exit $failed
