# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# icmppunch without any server between a host that waits and others that knock, many at once, each side at a random
# moment of 1.5 s. What the tests of icmppunch and its measurements share: for scripts that have read lab.sh and called
# lab_enter. Who knocks is in one of these namespaces, all of which are there at the same time:
#
#   srv        has a public address
#   open       behind a NAT, over IPv6 a firewall, which lets ICMP errors out that belong to no flow (Linux as it is)
#   strict     the same, and drops them: RFC 5508 REQ-5, and what OpenWrt's firewall does
#
#   knock_begin                 the laboratory, and those who knock
#   knock_behind KIND [IPV6-KIND]   who waits is behind these: of lab.sh, or `public`, without a NAT, or `no-errors`:
#                               masquerade-drop that lets no ICMP errors in
#   knock_from WHO FAMILY EXPECTED RUNS   begins so many: connected, lucky (all but a few), failed, or any
#   knock_all                   waits for what has begun, checks it, prints a line for each cell
#   knock_end                   the sum of all
#   knock_table                 a line for each cell, over all knock_all
#
# Variables for what begins from then on: knock_wait_options and knock_options (more for who waits, and who knocks),
# knock_variant (a word for the cells that are meant by them), knock_patience (the longest time that each side takes, if
# something can come of it).

LAB_PUBLIC=192.0.2.100
knock_random=${NATUTILS_SEED:-$$}
knock_count=0
knock_list=
knock_failures=0
knock_wait_options=
knock_options=
knock_variant=
knock_patience=40s

# Nobody's, without any capability; who is root of a user namespace only has no other user.
knock_find_nobody()
{
	knock_nothing="--inh-caps=-all --bounding-set=-all --no-new-privs"
	knock_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups $knock_nothing"
	$knock_nobody test -x "$knock_path" 2>/dev/null || knock_nobody="setpriv $knock_nothing"
}

# NAMESPACE NUMBER: a customer of isp with a LAN and a router of his own
knock_customer()
{
	knock_net=$((144 + 16 * $2))
	lab_namespace "$1" && lab_router "$1-nat" || return
	ip -batch - <<-END || return
		link add eth0 netns $1 type veth peer name lan netns $1-nat
		link add wan netns $1-nat type veth peer name cust-$2 netns isp
	END
	ip -n "$1" -batch - <<-END || return
		link set eth0 up
		addr add 10.0.$2.2/24 dev eth0
		addr add 2001:db8:${2}0::2/64 dev eth0 nodad
		route add default via 10.0.$2.1
		route add default via 2001:db8:${2}0::1
	END
	ip -n "$1-nat" -batch - <<-END || return
		link set lan up
		link set wan up
		addr add 10.0.$2.1/24 dev lan
		addr add 2001:db8:${2}0::1/64 dev lan nodad
		addr add 192.0.2.$((knock_net + 2))/28 dev wan
		addr add 2001:db8:${2}f::2/64 dev wan nodad
		route add default via 192.0.2.$((knock_net + 1))
		route add default via 2001:db8:${2}f::1
	END
	ip -n isp -batch - <<-END || return
		link set cust-$2 up
		addr add 192.0.2.$((knock_net + 1))/28 dev cust-$2
		addr add 2001:db8:${2}f::1/64 dev cust-$2 nodad
		route add 2001:db8:${2}0::/64 via 2001:db8:${2}f::2
	END
	ip -n core -batch - <<-END || return
		route add 192.0.2.$knock_net/28 via 192.0.2.129
		route add 2001:db8:${2}0::/60 via 2001:db8:3::1
	END
	{
		lab_parts4 masquerade-drop "192.0.2.$((knock_net + 2))" && lab_table ip
		lab_parts6 ipv6-firewall && lab_table ip6
	} >"$LAB_DIR/$1.nft"
	ip netns exec "$1-nat" nft -f "$LAB_DIR/$1.nft"
}

knock_begin()
{
	knock_path=$(lab_program icmppunch) || lab_skip "icmppunch has not been built"
	lab_up || lab_fail "no laboratory"
	knock_find_nobody
	knock_customer open 4 || lab_fail "cannot build open"
	knock_customer strict 5 || lab_fail "cannot build strict"
	for knock_ip in ip ip6; do
		ip netns exec strict-nat nft insert rule "$knock_ip" lab forw ct state invalid drop || lab_fail "no rule"
	done
	knock_target6=2001:db8:1::2
}

# As a customer who has an address to himself.
knock_make_public()
{
	ip -n isp route replace $LAB_PUBLIC/32 via "$LAB_W" &&
		ip -n nat route replace $LAB_PUBLIC/32 dev lan &&
		ip -n host addr add $LAB_PUBLIC/32 dev eth0 &&
		ip -n host route replace default via 10.0.1.1 src $LAB_PUBLIC
}

knock_behind()
{
	knock_kinds=$*
	knock_target4=$LAB_W
	case $1 in
	public)
		lab_kind none "${2:-ipv6-none}" || lab_fail "cannot build none"
		knock_make_public || lab_fail "cannot build public"
		knock_target4=$LAB_PUBLIC
		;;
	no-errors)
		lab_kind masquerade-drop "${2:-ipv6-none}" || lab_fail "cannot build masquerade-drop"
		ip netns exec nat nft "insert rule ip lab forw icmp type \
			{ destination-unreachable, time-exceeded, parameter-problem } drop" || lab_fail "no rule"
		;;
	*) lab_kind "$@" || lab_fail "cannot build $*" ;;
	esac
	! lab_alive natprobed || lab_stop natprobed
	lab_natprobed 198.51.100.10 203.0.113.10 || lab_fail "no natprobed"
}

# Milliseconds up to 1500, as S.MMM, in $knock_offset.
knock_draw()
{
	knock_random=$(((knock_random * 1103515245 + 12345) % 2147483648))
	knock_offset=$(printf '%d.%03d' $((knock_random / 65536 % 1500 / 1000)) $((knock_random / 65536 % 1500 % 1000)))
}

# NAMESPACE NAME COMMAND...: in the background, after a random time; its report and status are in files
knock_start()
{
	knock_draw
	knock_ns=$1 knock_name=$2
	shift 2
	lab_bg "$knock_ns" "$knock_name" sh -c "sleep $knock_offset; timeout 90 $* \
		>$LAB_DIR/$knock_name.json 2>$LAB_DIR/$knock_name.err; echo \$? >$LAB_DIR/$knock_name.status"
}

knock_from()
{
	knock_limit=$knock_patience
	[ "$3" != failed ] || knock_limit=8s
	knock_where=$knock_target4 knock_stun=
	[ "$2" = 4 ] || knock_where=$knock_target6
	[ "$1$2" = srv4 ] || [ "$2" = 6 ] || knock_stun="-s 198.51.100.10"
	for knock_run in $(seq "$4"); do
		knock_count=$((knock_count + 1))
		knock_common="-$2 -J -w $knock_limit"
		knock_code=$knock_count-acorn-albatross-aimless-bravado
		knock_start host "$knock_count-wait" "$knock_nobody $knock_path $knock_common --wait $knock_wait_options \
			$knock_code"
		knock_start "$1" "$knock_count-knock" "$knock_path $knock_common $knock_stun $knock_options $knock_where \
			$knock_code"
		knock_list="$knock_list $knock_count:$1:$2:$3:$knock_variant"
	done
}

knock_have_ended()
{
	for knock_run in $knock_list; do
		knock_run=$LAB_DIR/${knock_run%%:*}
		[ -s "$knock_run-wait.status" ] && [ -s "$knock_run-knock.status" ] || return
	done
}

knock_all()
{
	lab_wait 100 knock_have_ended || lab_fail "$knock_kinds: no end"
	# shellcheck disable=SC2086
	"$LAB_PYTHON" "$LAB_HOME/icmppunch_kernel.py" "$LAB_DIR" "$knock_kinds" $knock_list ||
		knock_failures=$((knock_failures + 1))
	knock_validate
	knock_list=
}

# The lines of all, against their schema, where this can be done.
knock_validate()
{
	set --
	for knock_run in $knock_list; do
		knock_run=$LAB_DIR/${knock_run%%:*}
		set -- "$@" "$knock_run-wait.json" "$knock_run-knock.json"
		rm -f "$knock_run"-*.pid
	done
	"$LAB_PYTHON" "$LAB_HOME/../schema_check.py" "$LAB_HOME/../../data/punch-report.schema.json" --lines "$@" \
		>"$LAB_DIR/schema"
	case $? in
	0 | 77) ;;
	*)
		head -n 5 "$LAB_DIR/schema"
		knock_failures=$((knock_failures + 1))
		;;
	esac
}

knock_table()
{
	"$LAB_PYTHON" "$LAB_HOME/icmppunch_kernel.py" "$LAB_DIR" --table
}

knock_end()
{
	"$LAB_PYTHON" "$LAB_HOME/icmppunch_kernel.py" "$LAB_DIR" --sum || knock_failures=1
	[ $knock_failures -eq 0 ] || lab_fail "see above"
}
