#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# How many requests a second one core answers: natprobed beside a bare UDP echo with and without
# batches, and beside coturn where it is installed. All are pinned to the same core, in turn, and asked
# over loopback in a network namespace of their own from another core. Exit 77: cannot be measured here.
#
# From the environment: NATPROBED, ECHO_SERVER, STUNLOAD (the programs), BENCH_ROUNDS (3),
# BENCH_SECONDS (3, of each measurement), BENCH_LOAD (options for stunload, such as "-a -n 1000 -W 1").

set -u

NATPROBED=${NATPROBED:-./natprobed}
ECHO_SERVER=${ECHO_SERVER:-bench/echo}
STUNLOAD=${STUNLOAD:-bench/stunload}
rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-3}
load=${BENCH_LOAD:-}
answer_bytes=68 # what natprobed answers to a bare request over IPv4

skip()
{
	echo "bench/server.sh: $1" >&2
	exit 77
}

if [ -z "${BENCH_INSIDE:-}" ]; then
	for program in "$NATPROBED" "$ECHO_SERVER" "$STUNLOAD"; do
		[ -x "$program" ] || skip "$program is not built"
	done
	command -v taskset >/dev/null || skip "no taskset"
	[ "$(nproc)" -ge 2 ] || skip "one core for the server and another one are needed"
	if unshare -n true 2>/dev/null; then
		BENCH_INSIDE=1 exec unshare -n sh "$0" "$@"
	elif unshare -Urn true 2>/dev/null; then
		BENCH_INSIDE=1 exec unshare -Urn sh "$0" "$@"
	fi
	skip "no network namespaces"
fi

# the first two cores that we may run on
cores=$(taskset -cp $$ | sed 's/.*: //' | tr , '\n' |
	awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }' | head -n 2)
load_core=$(echo "$cores" | sed -n 1p)
server_core=$(echo "$cores" | sed -n 2p)

folder=$(mktemp -d) || exit 3
pids=
cleanup()
{
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ip link set lo up || exit 3

start() # NAME PORT COMMAND...
{
	name=$1 port=$2
	shift 2
	timeout 600 taskset -c "$server_core" "$@" >"$folder/$name.log" 2>&1 &
	pids="$pids $!"
	tries=0
	until ask "$port" 0.05 -n 1 -W 1 | grep -q 'replies_per_second=[1-9]'; do
		tries=$((tries + 1))
		if [ $tries -ge 60 ]; then
			echo "bench/server.sh: $name does not answer:" >&2
			cat "$folder/$name.log" >&2
			return 1
		fi
		sleep 0.05
	done
	# the server is the child of timeout; taskset has become it
	pid=$(cat "/proc/$!/task/$!/children")
	echo "$name $port ${pid% }" >>"$folder/servers"
}

ask() # PORT SECONDS OPTIONS...
{
	port=$1 time=$2
	shift 2
	timeout 60 taskset -c "$load_core" "$STUNLOAD" -t "$time" "$@" "127.0.0.1:$port"
}

cpu_ns() # PID: of all its threads
{
	cat "/proc/$1/task/"*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

measure() # NAME PORT PID
{
	before=$(cpu_ns "$3")
	# shellcheck disable=SC2086 # options, one word each
	result=$(ask "$2" "$seconds" $load)
	after=$(cpu_ns "$3")
	echo "$1 $((after - before)) $result" |
		sed 's/[a-z_]*=//g' >>"$folder/results"
}

start echo-64 4000 "$ECHO_SERVER" -l 127.0.0.1:4000 -b 64 -s $answer_bytes || exit 3
start echo-1 4001 "$ECHO_SERVER" -l 127.0.0.1:4001 -b 1 -s $answer_bytes || exit 3
start natprobed 3478 "$NATPROBED" --rate 100000000 127.0.0.1 127.0.0.2 || exit 3
if command -v turnserver >/dev/null; then
	start coturn 5478 turnserver -n -S -m 1 --listening-ip=127.0.0.1 --listening-port=5478 \
		--no-tls --no-dtls --no-cli --no-rfc5780 --no-stdout-log --log-file=/dev/null \
		--pidfile="$folder/turn.pid" --userdb="$folder/turn.db" || exit 3
else
	echo "bench/server.sh: no turnserver: coturn is left out" >&2
fi

round=0
while [ $round -lt "$rounds" ]; do
	while read -r name port pid; do
		measure "$name" "$port" "$pid" </dev/null
	done <"$folder/servers"
	round=$((round + 1))
done

# name, CPU, replies per second, lost, percent, bytes; medians, and ratios to the echo of the same round
awk -v seconds="$seconds" '
function median(list, count, i, j, t) {
	for (i = 2; i <= count; i++)
		for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}
{
	if (!($1 in n))
		names[++kinds] = $1
	k = ++n[$1]
	rate[$1, k] = $3; lost[$1] += $4; bytes[$1] = $6
	cpu[$1, k] = $3 ? $2 / ($3 * seconds) : 0
}
END {
	printf "%-12s %12s %14s %14s %14s %8s %8s\n", "server", "replies/s", "of echo-64",
		"CPU ns/reply", "CPU echo/own", "lost", "bytes"
	for (i = 1; i <= kinds; i++) {
		name = names[i]
		for (k = 1; k <= n[name]; k++) {
			a[k] = rate[name, k]; c[k] = cpu[name, k]
			b[k] = rate["echo-64", k] ? a[k] / rate["echo-64", k] : 0
			d[k] = c[k] ? cpu["echo-64", k] / c[k] : 0
		}
		printf "%-12s %12.0f %14.3f %14.0f %14.3f %8d %8d\n", name, median(a, n[name]),
			median(b, n[name]), median(c, n[name]), median(d, n[name]), lost[name], bytes[name]
	}
}' "$folder/results"
