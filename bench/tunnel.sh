#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# What tcppunch makes of a connection, in natlab, 20 ms each way: BENCH_BYTES (1 GiB) through the bare connection
# (--exec) and through --stdio, each with its hash.

build=${LAB_BUILDDIR:-.}
bytes=${BENCH_BYTES:-1073741824}
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# SECONDS A B: on both hosts
pair()
{
	"$build/natlab" --link delay=10ms --nat a=linux --nat b=port-restricted -w "$1s" \
		--daemon server "$build/natprobed -q 198.51.100.1 203.0.113.1" --host a "$2" --host b "$3" \
		>"$work/out" 2>&1
}

# NAME HOW-A HOW-B: A sends, and B says its hash and how long it took from the first byte
transfer()
{
	pair 600 "$2" "$3" || {
		echo "$1: failed:" && cat "$work/out"
		exit 1
	}
	sed -n 's/^b .*| hash //p' "$work/out" >"$work/$1"
	[ "$(cut -d' ' -f1 "$work/$1")" = "$hash" ] || {
		echo "$1: another hash: $(cat "$work/$1")"
		exit 1
	}
}

cat >"$work/hash.py" <<-'EOF'
	import hashlib, sys, time
	h, n, begin = hashlib.blake2b(digest_size=16), 0, None
	while data := sys.stdin.buffer.read1(1 << 18):
	    begin = begin or time.monotonic()
	    h.update(data)
	    n += len(data)
	print("hash", h.hexdigest(), n, time.monotonic() - begin, flush=True)
EOF
head -c "$bytes" /dev/urandom >"$work/data" || exit
hash=$(/usr/bin/python3 "$work/hash.py" <"$work/data" | cut -d' ' -f2)
t="$build/tcppunch -q -r 198.51.100.1 5-bench-mark"
transfer bare "$t --exec 'cat $work/data >&3'" "$t --exec '/usr/bin/python3 $work/hash.py <&3'"
transfer sealed "$t --stdio <$work/data" "$t --stdio </dev/null | /usr/bin/python3 $work/hash.py"
cat "$work/bare" "$work/sealed" | /usr/bin/python3 -c '
import sys
rates = [int(n) / float(s) / 1e6 for _, n, s in (line.split() for line in sys.stdin)]
print("bare connection %.1f MB/s, --stdio %.1f MB/s: %.2f of it" % (*rates, rates[1] / rates[0]))'
