#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# udppunch between all pairs of eight kinds of NAT, in natlab, as often as BENCH_RUNS says (50): how often they
# connect, how often the plans say that they do, and how long it takes when both know each other. 50 ms between two hosts,
# each begins at a random moment of 1.5 s.

here=$(cd "$(dirname "$0")/../tests/net" && pwd)
rounds=${BENCH_RUNS:-50}

echo "udppunch over IPv4, $rounds rounds"
"${PYTHON:-/usr/bin/python3}" "$here/udppunch_matrix.py" --rounds "$rounds" --table || exit 1
echo "udppunch over IPv6, $((rounds / 5 + 1)) rounds"
"${PYTHON:-/usr/bin/python3}" "$here/udppunch_matrix.py" --family 6 --rounds $((rounds / 5 + 1)) --table
