#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# What natlab costs: requests and replies through one masquerading NAT, as many as go and one at a time, beside the
# kernel's own forwarding through a router with nftables masquerade; no delay in either. A reply is two packets
# through the NAT. Exit 77: cannot be measured here.
#
# From the environment: LAB_BUILDDIR, BENCH_ROUNDS (3), BENCH_SECONDS (2, of each measurement).

LAB_HOME=$(cd "$(dirname "$0")/../tests/net" && pwd)
LAB_CAPTURE=no
# shellcheck source=../tests/net/lab.sh
. "$LAB_HOME/lab.sh"
lab_enter "$@"

rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-2}
server=198.51.100.10
echo_server="$LAB_BUILDDIR/bench/echo -l $server:4000 -b 64 -s 68"
load="$LAB_BUILDDIR/bench/stunload -t $seconds"

lab_up || lab_skip "the laboratory can't be built on this machine"
lab_kind masquerade-drop || lab_fail "masquerade-drop can't be built"
# shellcheck disable=SC2086 # the words of a command
lab_bg srv echo $echo_server
lab_wait_udp srv $server:4000 || lab_fail "the echo did not start"
cat >"$LAB_DIR/network" <<EOF
nat n kind=linux
host a behind=n
host server address=$server
EOF

# NAME OPTION...: replies per second
kernel()
{
	# shellcheck disable=SC2086 # the words of a command
	lab_in host timeout 60 $load "$@" $server:4000
}

natlab()
{
	timeout 60 "$LAB_BUILDDIR/natlab" -4 "$LAB_DIR/network" --daemon server "exec $echo_server" \
		--host a "$load $* $server:4000"
}

round=0
while [ $round -lt "$rounds" ]; do
	for lab in kernel natlab; do
		echo "$lab one $($lab -n 1 -W 1)"
		echo "$lab many $($lab -n 64 -W 32)"
	done
	round=$((round + 1))
done | sed 's/[a-z_]*=//g' >"$LAB_DIR/results"

awk '
function median(list, count, i, j, t) {
	for (i = 2; i <= count; i++)
		for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}
{ rate[$1, $2, ++n[$1, $2]] = $3 }
END {
	split("kernel natlab", labs)
	for (i = 1; i <= 2; i++)
		for (k = 1; k <= 2; k++) {
			what = k == 1 ? "one" : "many"
			for (r = 1; r <= n[labs[i], what]; r++)
				list[r] = rate[labs[i], what, r]
			m[labs[i], what] = median(list, n[labs[i], what])
		}
	printf "%-8s %22s %10s %16s\n", "", "packets/s through NAT", "of kernel", "round trip"
	for (i = 1; i <= 2; i++)
		printf "%-8s %22.0f %10.2f %13.1f us\n", labs[i], 2 * m[labs[i], "many"],
			m[labs[i], "many"] / m["kernel", "many"], 1e6 / m[labs[i], "one"]
}' "$LAB_DIR/results"
