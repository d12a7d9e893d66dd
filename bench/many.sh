#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# What is left over: BENCH_PUNCHES (1000) punches over TCP, and as many over UDP, in one process on each side, after which
# it has to have the descriptors that it had after ten, and no more memory than 256 KiB above that; and one run of
# tcppunch under valgrind on both sides, where that is installed. In natlab, 20 ms each way.

build=${LAB_BUILDDIR:-.}
punches=${BENCH_PUNCHES:-1000}
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0

# SECONDS KIND KIND A B: on both hosts
pair()
{
	"$build/natlab" --link delay=10ms --nat "a=$2" --nat "b=$3" -w "$1s" \
		--daemon server "$build/natprobed -q 198.51.100.1 203.0.113.1" --host a "$4" --host b "$5" \
		>"$work/out" 2>&1
}

# "10 punches, 10 connected: 12 descriptors, 9000 KiB", and the same of all
judge()
{
	sed -n "s/^$2 *| \([0-9]* punches.*\)/\1/p" "$work/out" | awk -v what="$1, side $2" '
		NR == 1 { descriptors = $5; kib = $7 }
		{ print what ": " $0; last = $5; grown = $7 - kib; missed = $1 - $3 }
		END {
			if (NR == 2 && last == descriptors && grown <= 256 && !missed)
				exit 0
			print what ": something is left over"
			exit 1
		}'
}

for transport in tcp udp; do
	punch="$build/bench/punchmany $transport 198.51.100.1 $punches"
	pair $((punches * 3 + 60)) linux port-restricted "$punch" "$punch" || failed=1
	for side in a b; do
		judge $transport $side || failed=1
	done
done

command -v valgrind >/dev/null || {
	echo "valgrind: not installed"
	exit $failed
}
check="valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--error-exitcode=99"
# the plans that differ most: one, in order, and many ports
for kinds in "linux linux" "linux,tcp.unsolicited=rst linux,tcp.unsolicited=icmp" "linux linux-random,low=40000,high=40250"; do
	# shellcheck disable=SC2086
	set -- $kinds
	punch="$check $build/tcppunch -q -w 60s -r 198.51.100.1 5-bench-mark"
	if pair 120 "$1" "$2" "$punch" "$punch"; then
		echo "valgrind, tcppunch, $1 and $2: nothing"
	else
		echo "valgrind, tcppunch, $1 and $2:" && cat "$work/out"
		failed=1
	fi
done
exit $failed
