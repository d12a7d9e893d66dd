#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# natprobe beside coturn's turnutils_natdiscovery and Vovida's stun, behind the same routers in the
# same run: wall time, datagrams sent and what they say. One-way delay 25 ms. The limits: natprobe
# stays below 3 round trips plus 150 ms against natprobed, and below 1 s against coturn.
#
#   natprobe.sh [KIND...]

LAB_HOME=$(cd "$(dirname "$0")/../tests/net" && pwd)
# shellcheck source=../tests/net/lab.sh
. "$LAB_HOME/lab.sh"
LAB_TIMEOUT=${LAB_TIMEOUT:-900}
lab_enter "$@"

limit_own=300 limit_foreign=1000
late=0

datagrams()
{
	# shellcheck disable=SC2016 # awk's own $
	lab_in host awk '/^Udp: [0-9]/ { print $5 }' /proc/net/snmp
}

now_ms()
{
	echo $(($(date +%s%N) / 1000000))
}

# NAME COMMAND...: the middle of three runs; sets ms and sent
timed()
{
	name=$1
	shift
	: >"$LAB_DIR/times"
	for _ in 1 2 3; do
		before=$(datagrams)
		start=$(now_ms)
		lab_in host timeout 40 "$@" >"$LAB_DIR/$name.out" 2>&1
		echo "$(($(now_ms) - start)) $(($(datagrams) - before))" >>"$LAB_DIR/times"
	done
	middle=$(sort -n "$LAB_DIR/times" | sed -n 2p)
	ms=${middle% *} sent=${middle#* }
}

row()
{
	printf '%-20s %-24s %6d ms %5d  %s\n' "$kind" "$1" "$ms" "$sent" "$2"
}

hold()
{
	if [ "$ms" -gt "$1" ]; then
		echo "                     above the limit of $1 ms"
		late=$((late + 1))
	fi
}

verdict_natprobe()
{
	sed -n 1p "$LAB_DIR/natprobe.out"
}

verdict_natdiscovery()
{
	grep -oE '(No NAT|NAT with [A-Za-z -]*(Mapping|Filtering))!?' "$LAB_DIR/natdiscovery.out" |
		tr -d '!' | paste -sd, -
}

verdict_stun()
{
	grep '^Primary:' "$LAB_DIR/stun.out"
}

lab_up || exit
lab_natprobed 198.51.100.10 203.0.113.10 || lab_fail "natprobed does not start"
if command -v turnserver >/dev/null; then
	lab_turnserver 198.51.100.20 203.0.113.20 || lab_fail "coturn does not start"
fi
lab_delay 25 || exit
printf '%-20s %-24s %9s %5s  %s\n' "NAT" "tool, server" "time" "sent" "verdict"
[ $# -gt 0 ] || set -- none firewall full-cone address-restricted masquerade-drop masquerade-accept \
	snat-range address-dependent masquerade-fully-random
for kind in "$@"; do
	lab_kind "$kind" || lab_fail "$kind can't be built"
	timed natprobe "$(lab_program natprobe)" --short 198.51.100.10
	row "natprobe, natprobed" "$(verdict_natprobe)"
	hold $limit_own
	command -v turnserver >/dev/null || continue
	timed natprobe "$(lab_program natprobe)" --short 198.51.100.20
	row "natprobe, coturn" "$(verdict_natprobe)"
	hold $limit_foreign
	timed natdiscovery turnutils_natdiscovery -m -f 198.51.100.20
	row "natdiscovery, coturn" "$(verdict_natdiscovery)"
	command -v stun >/dev/null || continue
	timed stun stun 198.51.100.20
	row "stun, coturn" "$(verdict_stun)"
done
[ $late -eq 0 ] || lab_fail "$late times above the limit"
