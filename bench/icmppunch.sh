#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# icmppunch without any server, through NATs and firewalls of the kernel, as often as the argument or BENCH_RUNS says
# (10): how often it connects, and how long that takes, from the moment when both sides are there to the proof of the
# way. Each side begins at a random moment of 1.5 s; nothing delays a packet. The other arguments are kinds.
#
# Beside it icmppunch --classic, as often as BENCH_CLASSIC says (a fifth): one at a time, since of that knock all who
# wait on a host hear each; both sides as root, and each run behind a NAT that knows nothing yet.

LAB_HOME=$(cd "$(dirname "$0")/../tests/net" && pwd)
# shellcheck source=../tests/net/lab.sh
. "$LAB_HOME/lab.sh"
LAB_CAPTURE=no
LAB_TIMEOUT=${LAB_TIMEOUT:-7200}
lab_enter "$@"
# shellcheck source=../tests/net/knock-kernel.sh
. "$LAB_HOME/knock-kernel.sh"
runs=${1:-${BENCH_RUNS:-10}}
[ $# -eq 0 ] || shift
kinds=${*:-"public one-to-one full-cone masquerade-drop masquerade-reject masquerade-accept double masquerade-random \
masquerade-fully-random no-errors"}
classic=${BENCH_CLASSIC:-$(((runs + 4) / 5))}
AT_ONCE=3 # of each cell: the machine is to have time for all

# WHO FAMILY: more are not worth it where nothing can come of it, and each takes its whole time
some()
{
	knock_from "$1" "$2" lucky "$count"
}

few()
{
	[ "$begun" -gt 0 ] || knock_from "$1" "$2" failed "$count"
}

measure()
{
	case $1 in
	public) knock_behind public ipv6-none ;;
	masquerade-drop) knock_behind masquerade-drop ipv6-firewall ;;
	*) knock_behind "$1" ;;
	esac
	case $1 in
	public) some srv 6 && some open 6 && some strict 6 ;;
	masquerade-drop) some srv 6 && some open 6 && few strict 6 ;;
	esac
	case $1 in
	no-errors) few srv 4 && few open 4 ;;
	public | one-to-one | full-cone) some srv 4 && some open 4 && some strict 4 ;;
	*) some srv 4 && some open 4 && few strict 4 ;;
	esac
	[ -z "$knock_list" ] || knock_all >&2
}

# Its packets follow each other by 5 s.
measure_classic()
{
	knock_saved=$knock_nobody
	knock_nobody='' knock_variant=classic knock_wait_options=--classic knock_options=--classic knock_patience=12s
	for who in srv open; do
		for _ in $(seq "$classic"); do
			knock_behind "$1"
			knock_from $who 4 any 1
			knock_all >&2
		done
	done
	knock_nobody=$knock_saved knock_variant='' knock_wait_options='' knock_options='' knock_patience=40s
}

knock_begin
echo "icmppunch, $runs runs; --classic, $classic runs"
for kind in $kinds; do
	begun=0
	while [ "$begun" -lt "$runs" ]; do
		count=$((runs - begun < AT_ONCE ? runs - begun : AT_ONCE))
		measure "$kind"
		begun=$((begun + count))
	done
	[ "$classic" -eq 0 ] || measure_classic "$kind"
done
knock_table
[ $knock_failures -eq 0 ] || lab_fail "$knock_failures times something was wrong"
