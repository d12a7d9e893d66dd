#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# natprobe behind real routers, against natprobed: a demonstration, and no test. Everything happens in
# namespaces of this machine's kernel (lab.sh draws them); nothing is sent to anybody else.

. "$(dirname "$0")/lab.sh"
LAB_CAPTURE=no
lab_enter "$@"

server=198.51.100.10

say()
{
	printf '%s\n' "$@"
}

row()
{
	printf '%-24s %-27s %-27s %-9s %s\n' "$@"
}

# KIND DESCRIPTION...
behind()
{
	kind=$1
	shift
	lab_kind "$kind" || lab_fail "$kind can't be built"
	# shellcheck disable=SC2046 # where UDP is forbidden, a second server shows that it is not the server
	set -- "$*" $([ "$kind" = udp-rejected ] && echo 203.0.113.10)
	say "" "--- $1" "    \$ natprobe -q -t all $server${2+ $2}"
	lab_in host "$natprobe" -q -t all "$server" ${2+"$2"} 2>/dev/null | sed 's/^/    /'
	lab_in host "$natprobe" -t all -j -o "$LAB_DIR/$kind.json" "$server" ${2+"$2"} 2>/dev/null
	"$LAB_PYTHON" -c '
import json, sys
block = json.load(open(sys.argv[1]))
outlook = block["outlook"]["udp"]["ipv4"]
block = block["udp"]["ipv4"]
print(sys.argv[2], block["status"] if block["status"] != "ok" else block["mapping"],
      block["filtering"], block["early_packet"], outlook["p2p"],
      file=open(sys.argv[3], "a"))' "$LAB_DIR/$kind.json" "$kind" "$LAB_DIR/rows" ||
		lab_fail "natprobe printed no report"
	"$LAB_PYTHON" "$LAB_HOME/verdict.py" "$kind" <"$LAB_DIR/$kind.json" >"$LAB_DIR/verdict" || {
		say "    But that is wrong:" "$(cat "$LAB_DIR/verdict")"
		wrong=$((wrong + 1))
	}
}

wrong=0
natprobe=$(lab_program natprobe) || lab_skip "natprobe has not been built"
lab_up || lab_skip "the laboratory can't be built on this machine"
lab_natprobed $server 203.0.113.10 || lab_fail "natprobed did not start"
lab_delay 25 2>/dev/null

say "A host, a router, some hops of internet with 50 ms there and back, and natprobed on" \
	"$server and 203.0.113.10. What changes from one run to the next is the router:"
behind none "no NAT and no firewall"
behind firewall "a firewall that lets in what was asked for, and no NAT"
behind full-cone "a NAT with one port for all destinations, open to everybody"
behind masquerade-drop "a home router: Linux masquerading, which drops what nobody asked for"
behind masquerade-accept "the same, but it takes packets to its own address, as Linux does without rules"
behind masquerade-fully-random "a NAT that takes another port for each destination, at random"
behind double "two NATs, one behind the other, as in many mobile networks"
behind udp-rejected "a firewall that forbids UDP"

say "" "What differs:" ""
row router mapping filtering "early" "direct connections"
while read -r kind mapping filtering early outlook; do
	row "$kind" "$mapping" "$filtering" "$early" "$outlook"
done <"$LAB_DIR/rows"

lab_kind masquerade-accept || lab_fail "masquerade-accept can't be built"
say "" "All that natprobe says behind one of them (masquerade-accept):" "" \
	"\$ natprobe -t all $server" ""
lab_in host "$natprobe" -t all $server
[ $wrong -eq 0 ] || lab_fail "$wrong verdicts differ from what was built"
