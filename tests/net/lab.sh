# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# A laboratory of network namespaces for tests of whole programs: an inside host,
# real NATs (nftables), an internet of some hops, servers. No packet leaves the machine.
#
#   host            nat          [cgn]          isp           core          srv
#   10.0.1.2  ----- .1   .11 ---------------- .1            198.51.100.1 -- .10 .20 .30 .40
#   10.0.1.3        LAN  .12    192.0.2.0/25      routes    203.0.113.1  -- .10 .20 .30 .40
#   eth0         lan|wan                  cust|uplink    isp|srv            eth0
#                                            loss           delay
#   2001:db8:1::2   ::1  2001:db8:2::11       ::1        2001:db8:51::1  -- ::10 ... ::40
#   2001:db8:1::3                                        2001:db8:113::1 -- ::10 ... ::40
#
#   `double` puts cgn (lan|wan) between nat and isp: nat's wan is then 100.64.1.2, and
#   cgn's is 192.0.2.11. From host to srv there are 3 routers (4 with cgn).
#
# How to write a test (bash or POSIX sh, in this folder; else set LAB_HOME to it):
#
#   . "$(dirname "$0")/lab.sh"
#   lab_enter "$@"              run again inside private namespaces; exit 77 where refused
#   lab_up                      build all of the above; the kind is `none`
#   lab_kind masquerade-drop    put other routers in: one IPv4 kind, one ipv6-... kind, or both;
#                               a family that is not named is routed without NAT or filter
#   lab_peer masquerade-accept  a second customer of isp: namespaces peer and peernat (that IPv4 kind), inside the
#                               same private addresses as host, outside 192.0.2.194; no IPv6
#   lab_natprobed 198.51.100.10 203.0.113.10          returns when its sockets are open
#   lab_in host timeout 20 "$(lab_program natprobe)" -j 198.51.100.10
#
# Returned statuses: 0 done, 77 not possible on this machine (a reason is on stderr), else failed.
#
#   lab_enter "$@"                    lab_up                     lab_kind [KIND] [IPV6-KIND]
#   lab_kinds [ipv4|ipv6]             the names of all kinds, one a line
#   lab_expected KIND COLUMN          what the file `kinds` says, for example: lab_expected pool mapping
#   lab_loss PERCENT                  random loss, each way, of what passes isp; 0 ends it
#   lab_delay MS [core|isp]           one-way delay, both ways, in core (25: RTT 50 ms), which is between isp and
#                                     srv, or in isp: between host and peer, too; 0 ends it
#   lab_udp_timeout SECONDS STREAM    how long the NATs keep a UDP mapping; until the next lab_kind
#                                     (the cones' and restricted kinds' own memory: 300 s)
#   lab_in NAMESPACE COMMAND...       run; its status is the command's
#   lab_bg NAMESPACE NAME COMMAND...  run in the background, output in $LAB_DIR/NAME.log
#   lab_alive NAME                    whether that still runs
#   lab_stop NAME                     SIGTERM, SIGKILL after 5 s; returns its exit status
#   lab_wait SECONDS COMMAND...       until COMMAND succeeds; 1 when it never did
#   lab_wait_udp NAMESPACE ENDPOINT...     until these UDP sockets are bound (5 s at most)
#   lab_wait_server NAME ADDR1 ADDR2       the same for 3478 and 3479 of both, in srv
#   lab_natprobed ADDR1 ADDR2 [OPTION...]  in srv, as NAME natprobed
#   lab_turnserver ADDR1 ADDR2 [OPTION...] coturn in srv, as NAME turnserver; RFC 5780 on; user lab:lab
#   lab_badserver MODE=ADDR1[,ADDR2]...    badserver.py in srv, as NAME badserver; its modes: badserver.py -h
#   lab_capture NAMESPACE             tcpdump into $LAB_DIR/NAMESPACE.pcap (lab_up does host and isp)
#   lab_etc NAME                      stdin becomes /etc/NAME (resolv.conf, hosts) for this test alone
#   lab_program NAME                  the path of one of our programs
#   lab_skip REASON   lab_fail REASON end the test with 77 or 1
#
# Variables that a test may read: LAB_DIR (logs, deleted after success), LAB_W, LAB_W2, LAB_W6
# (the router's external addresses). Variables from outside: LAB_TIMEOUT (seconds for a whole test, 300),
# LAB_KEEP=yes (keep LAB_DIR), LAB_CAPTURE=no, LAB_BUILDDIR (where our programs are built),
# NATUTILS_SKIP_NET=1 (lab_up skips: for builds whose other tests are wanted, since these take long).

LAB_HOME=${LAB_HOME:-$(cd "$(dirname "$0")" && pwd)}
LAB_BUILDDIR=${LAB_BUILDDIR:-${abs_top_builddir:-$LAB_HOME/../..}}
LAB_PYTHON=/usr/bin/python3
LAB_HOSTS='10 20 30 40'
LAB_W=192.0.2.11
LAB_W2=192.0.2.12
LAB_W6=2001:db8:2::11
LAB_PEER_W=192.0.2.194
PATH=$PATH:/usr/sbin:/sbin
PYTHONDONTWRITEBYTECODE=1
export PATH PYTHONDONTWRITEBYTECODE

# ---- entering and leaving ---------------------------------------------------------

lab_skip()
{
	echo "SKIP: $*" >&2
	exit 77
}

lab_fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

# The test becomes process 1 of its own namespaces. When it ends, however it ends,
# the kernel kills what runs in there and takes the network away. The three programs in
# front see to that: timeout bounds the test; setpriv and --kill-child pass SIGKILL on, for unshare
# blocks SIGTERM and a process 1 can't be killed by a signal that it doesn't handle.
lab_enter()
{
	if [ "${LAB_INSIDE-}" = yes ] && [ "$$" -eq 1 ]; then
		lab_begin
		return
	fi
	for lab_tool in ip nft ss sysctl timeout setpriv unshare "$LAB_PYTHON"; do
		command -v "$lab_tool" >/dev/null || lab_skip "$lab_tool is not installed"
	done
	# With -r an ordinary user is root of the new namespaces, and of nothing else.
	for lab_flags in -mnpf -Urmnpf; do
		if unshare "$lab_flags" --kill-child --mount-proc true 2>/dev/null; then
			LAB_INSIDE=yes
			export LAB_INSIDE
			exec timeout --foreground -k 2 "${LAB_TIMEOUT:-300}" \
				setpriv --pdeathsig KILL \
				unshare "$lab_flags" --kill-child --mount-proc \
				"${BASH:-/bin/sh}" "$0" "$@"
		fi
	done
	lab_skip "namespaces are refused: $(unshare -Urmnpf --mount-proc true 2>&1)"
}

lab_begin()
{
	# A private /run keeps the names of `ip netns add` to ourselves.
	mount -t tmpfs -o mode=755 lab /run 2>/dev/null ||
		lab_skip "a tmpfs can't be mounted on /run"
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lab-$(basename "$0").XXXXXX") ||
		lab_fail "no directory for logs"
	trap lab_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

lab_end()
{
	lab_status=$?
	trap - EXIT
	case $lab_status:${LAB_KEEP:-no} in
	0:no | 77:no) rm -rf "$LAB_DIR" ;;
	*) echo "logs and captures are in $LAB_DIR" >&2 ;;
	esac
	exit "$lab_status"
}

# ---- conditions and programs ------------------------------------------------------

lab_wait()
{
	lab_tries=$(($1 * 50))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$lab_tries" -gt 0 ] || return 1
		lab_tries=$((lab_tries - 1))
		sleep 0.02
	done
}

lab_in()
{
	ip netns exec "$@"
}

# `ip netns exec` becomes the program, so $! is the program's own.
lab_bg()
{
	lab_ns=$1
	lab_name=$2
	shift 2
	if lab_alive "$lab_name"; then
		echo "$lab_name runs already" >&2
		return 2
	fi
	# emptied before the child exists: whoever waits for a line must not find an old one
	: >"$LAB_DIR/$lab_name.log" || return
	ip netns exec "$lab_ns" "$@" >>"$LAB_DIR/$lab_name.log" 2>&1 </dev/null &
	echo $! >"$LAB_DIR/$lab_name.pid"
}

# A program that has ended stays as a zombie until it is waited for.
lab_alive()
{
	[ -e "$LAB_DIR/$1.pid" ] || return
	case $(sed 's/.*) //' "/proc/$(cat "$LAB_DIR/$1.pid")/stat" 2>/dev/null) in
	'' | Z* | X*) return 1 ;;
	esac
}

lab_dead()
{
	! lab_alive "$1"
}

lab_stop()
{
	lab_pid=$(cat "$LAB_DIR/$1.pid") || return
	kill -TERM "$lab_pid" 2>/dev/null
	lab_wait 5 lab_dead "$1" || kill -KILL "$lab_pid"
	rm -f "$LAB_DIR/$1.pid"
	wait "$lab_pid"
}

lab_udp_bound()
{
	ip netns exec "$1" ss -Huln | grep -qF " $2 "
}

lab_wait_udp()
{
	lab_ns=$1
	shift
	for lab_endpoint in "$@"; do
		lab_wait 5 lab_udp_bound "$lab_ns" "$lab_endpoint" || {
			echo "nobody listens on $lab_endpoint in $lab_ns" >&2
			return 1
		}
	done
}

lab_endpoint()
{
	case $1 in
	*:*) echo "[$1]:$2" ;;
	*) echo "$1:$2" ;;
	esac
}

# The four sockets of an RFC 5780 server that was started as NAME.
lab_wait_server()
{
	lab_wait_udp srv "$(lab_endpoint "$2" 3478)" "$(lab_endpoint "$2" 3479)" \
		"$(lab_endpoint "$3" 3478)" "$(lab_endpoint "$3" 3479)" || {
		tail -n 5 "$LAB_DIR/$1.log" >&2
		return 1
	}
}

lab_program()
{
	for lab_dir in "$LAB_BUILDDIR" "$LAB_BUILDDIR/tools" "$LAB_BUILDDIR/tools/$1" \
		"$LAB_BUILDDIR/server" "$LAB_BUILDDIR/lab"; do
		if [ -f "$lab_dir/$1" ] && [ -x "$lab_dir/$1" ]; then
			echo "$lab_dir/$1"
			return
		fi
	done
	command -v "$1" && return
	echo "$1 has not been built" >&2
	return 77
}

lab_natprobed()
{
	lab_path=$(lab_program natprobed) || return
	lab_a1=$1 lab_a2=$2
	shift 2
	lab_bg srv natprobed "$lab_path" "$@" "$lab_a1" "$lab_a2" || return
	lab_wait_server natprobed "$lab_a1" "$lab_a2"
}

lab_turnserver()
{
	if ! command -v turnserver >/dev/null; then
		echo "turnserver (coturn) is not installed" >&2
		return 77
	fi
	lab_a1=$1 lab_a2=$2
	shift 2
	# From 4.10 on RFC 5780 has to be asked for; earlier ones don't know the option.
	case $(turnserver --help 2>&1) in
	*--rfc5780*) set -- --rfc5780 "$@" ;;
	esac
	# The second listening address switches RFC 5780 on. Without a database and a
	# pid file of its own it would write to the system's.
	lab_bg srv turnserver turnserver -n \
		--listening-ip="$lab_a1" --listening-ip="$lab_a2" --relay-ip="$lab_a1" \
		--listening-port=3478 --alt-listening-port=3479 \
		--min-port=49160 --max-port=49200 \
		--lt-cred-mech --user=lab:lab --realm=lab.example \
		--no-cli --no-tls --no-dtls --userdb="$LAB_DIR/turndb" \
		--pidfile="$LAB_DIR/turnserver.own-pid" --log-file=stdout --simple-log "$@" ||
		return
	lab_wait_server turnserver "$lab_a1" "$lab_a2"
}

lab_badserver()
{
	lab_bg srv badserver "$LAB_PYTHON" "$LAB_HOME/badserver.py" "$@" || return
	lab_wait 5 grep -qx ready "$LAB_DIR/badserver.log"
}

# Evidence for a failed test. No tcpdump is no reason to fail.
lab_capture()
{
	command -v tcpdump >/dev/null || return 0
	lab_bg "$1" "tcpdump-$1" tcpdump -i any -n -U -s 400 -c 50000 -Z root \
		-w "$LAB_DIR/$1.pcap"
	lab_wait 2 test -s "$LAB_DIR/$1.pcap" || return 0
}

lab_etc()
{
	cat >"$LAB_DIR/etc-$1"
	lab_target=$(readlink -f "/etc/$1") || return
	# Often a link into /run, which is empty in here.
	[ -e "$lab_target" ] || {
		mkdir -p "${lab_target%/*}" && : >"$lab_target"
	} || return
	mount --bind "$LAB_DIR/etc-$1" "$lab_target"
}

# ---- what is fixed: host, isp, core, srv ------------------------------------------

lab_namespace()
{
	ip netns add "$1" || return
	# IPv6: without accept_dad=0 for `all` and `default` a link-local address is tentative
	# for a second, and a router then sends no neighbour solicitation at all.
	# ICMP: rate limits (each destination's, and the machine's where it is the
	# namespace's own) would turn the 7th `reject` within a second into silence.
	# Hairpin: a router that sends a packet back where it came from would add redirects.
	ip netns exec "$1" sysctl -qw \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 || return
	ip netns exec "$1" sysctl -qew \
		net.ipv4.icmp_msgs_per_sec=1000000 net.ipv4.icmp_msgs_burst=100000
	ip -n "$1" link set lo up
}

lab_router()
{
	lab_namespace "$1" || return
	ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

lab_server_addresses()
{
	for lab_h in $LAB_HOSTS; do
		echo "addr add 198.51.100.$lab_h/24 dev eth0"
		echo "addr add 203.0.113.$lab_h/24 dev eth0"
		echo "addr add 2001:db8:51::$lab_h/64 dev eth0 nodad"
		echo "addr add 2001:db8:113::$lab_h/64 dev eth0 nodad"
	done
}

lab_internet()
{
	ip -n isp -batch - <<-EOF || return
		addr add 192.0.2.129/30 dev uplink
		addr add 2001:db8:3::1/64 dev uplink nodad
		route add default via 192.0.2.130
		route add default via 2001:db8:3::2
	EOF
	ip -n core -batch - <<-EOF || return
		addr add 192.0.2.130/30 dev isp
		addr add 2001:db8:3::2/64 dev isp nodad
		addr add 198.51.100.1/24 dev srv
		addr add 203.0.113.1/24 dev srv
		addr add 2001:db8:51::1/64 dev srv nodad
		addr add 2001:db8:113::1/64 dev srv nodad
		route add 192.0.2.0/25 via 192.0.2.129
		route add 10.0.1.0/24 via 192.0.2.129
		route add 2001:db8:1::/64 via 2001:db8:3::1
		route add 2001:db8:2::/64 via 2001:db8:3::1
		route add 2001:db8:64::/64 via 2001:db8:3::1
	EOF
	# Table 100 is empty, and these rules without effect, until lab_delay fills it.
	for lab_family in -4 -6; do
		ip "$lab_family" -n core -batch - <<-EOF || return
			rule add iif isp lookup 100
			rule add iif srv lookup 100
		EOF
		ip "$lab_family" -n isp -batch - <<-EOF || return
			rule add iif cust lookup 100
			rule add iif cust2 lookup 100
			rule add iif uplink lookup 100
		EOF
	done
	{
		lab_server_addresses
		echo "route add default via 198.51.100.1"
		echo "route add default via 2001:db8:51::1"
	} | ip -n srv -batch - || return
}

lab_up()
{
	[ -z "${NATUTILS_SKIP_NET-}" ] || lab_skip "NATUTILS_SKIP_NET is set"
	lab_namespace host && lab_namespace srv || return
	lab_router isp && lab_router core || return
	ip -batch - <<-EOF || return
		link add uplink netns isp type veth peer name isp netns core
		link add srv netns core type veth peer name eth0 netns srv
	EOF
	ip -n isp link set uplink up
	ip -n core link set isp up
	ip -n core link set srv up
	ip -n srv link set eth0 up
	lab_internet || return
	lab_kind none || return
	if [ "${LAB_CAPTURE:-yes}" != no ]; then
		lab_capture host
		lab_capture isp
	fi
}

# ---- what is put in: the kinds of router ------------------------------------------

lab_kinds()
{
	awk -v family="${1-}" '!/^#/ && (family == "" || $2 == family) { print $1 }' \
		"$LAB_HOME/kinds"
}

# The columns are named by the last comment line of the file.
lab_expected()
{
	awk -v kind="$1" -v column="$2" '
		/^# kind / { for (i = 2; i <= NF; i++) at[$i] = i - 1 }
		$1 == kind && column in at { print $at[column]; found = 1 }
		END { exit !found }' "$LAB_HOME/kinds"
}

# The parts of an IPv4 kind: sets, then the rules of four chains. Each kind changes
# what it needs of a masquerading router that drops what nobody asked for.
lab_parts4()
{
	lab_new='iifname "wan" ct state new,invalid'
	lab_sets=
	lab_pre=
	lab_forw=
	lab_inpt="$lab_new drop"
	lab_post='oifname "wan" masquerade'
	# The inside endpoint that holds a port; the port is its key since it is kept.
	lab_cone='map cone { type inet_proto . inet_service : ipv4_addr . inet_service
		flags dynamic,timeout; timeout 300s; }'
	lab_learn='iifname "lan" meta l4proto { tcp, udp } update @cone { meta l4proto . th sport : ip saddr . th sport }'
	lab_to_cone='meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @cone'
	# Hairpin: without a source of the router's own the inside host would answer its
	# neighbour directly, from an address that the neighbour never sent to.
	lab_hairpin="iifname \"lan\" oifname \"lan\" ct status dnat snat to $2"
	case $1 in
	none)
		lab_post=
		lab_inpt=
		;;
	firewall)
		lab_post=
		lab_forw="$lab_new drop"
		;;
	one-to-one)
		lab_pre="iifname \"wan\" dnat to ip daddr map { $LAB_W : 10.0.1.2, $LAB_W2 : 10.0.1.3 }"
		lab_post="oifname \"wan\" snat to ip saddr map { 10.0.1.2 : $LAB_W, 10.0.1.3 : $LAB_W2 }"
		;;
	full-cone)
		lab_sets=$lab_cone
		lab_forw=$lab_learn
		lab_pre="iifname \"wan\" ip daddr $2 $lab_to_cone"
		;;
	full-cone-hairpin)
		lab_sets=$lab_cone
		lab_forw=$lab_learn
		lab_pre="ip daddr $2 $lab_to_cone"
		lab_post="$lab_hairpin; $lab_post"
		;;
	address-restricted)
		lab_sets="$lab_cone
		set seen { type inet_proto . ipv4_addr . inet_service
			flags dynamic,timeout; timeout 300s; }"
		lab_forw="$lab_learn update @seen { meta l4proto . ip daddr . th sport }"
		lab_pre="iifname \"wan\" meta l4proto . ip saddr . th dport @seen $lab_to_cone"
		;;
	masquerade-drop | double) ;;
	masquerade-hairpin)
		lab_sets=$lab_cone
		lab_forw=$lab_learn
		lab_pre="iifname \"lan\" ip daddr $2 $lab_to_cone"
		lab_post="$lab_hairpin; $lab_post"
		;;
	masquerade-reject)
		lab_inpt="$lab_new reject with icmp type admin-prohibited"
		;;
	masquerade-reset)
		lab_inpt="$lab_new meta l4proto tcp reject with tcp reset
		$lab_new reject with icmp type admin-prohibited"
		;;
	masquerade-accept)
		# What the router takes for itself gets a conntrack entry, whether or not
		# anybody listens. It holds the port towards that sender: an inside host that
		# sends there later leaves from another one.
		lab_inpt=
		;;
	masquerade-random)
		lab_post='oifname "wan" masquerade random'
		;;
	masquerade-fully-random)
		lab_post='oifname "wan" masquerade fully-random'
		;;
	snat-range)
		# The range must not meet Linux's ephemeral ports: the kernel keeps a source
		# port that lies in the range. Otherwise it takes one at random, once for each
		# inside endpoint: a later flow from there takes the same again.
		lab_post="oifname \"wan\" meta l4proto { tcp, udp } snat to $2:10000-29999
		oifname \"wan\" masquerade"
		;;
	address-dependent)
		# An earlier flow's port is taken again only if it lies in the range asked
		# for; a range for each server's address makes that the address's own.
		lab_post="oifname \"wan\" meta l4proto { tcp, udp } snat ip to ip daddr map { $(lab_ranges "$2") }
		oifname \"wan\" meta l4proto { tcp, udp } snat to $2:26000-27999
		oifname \"wan\" masquerade"
		;;
	pool)
		# Without a port range the kernel keeps ports, here for both addresses.
		lab_post="oifname \"wan\" snat to numgen random mod 2 map { 0 : $LAB_W, 1 : $LAB_W2 }"
		;;
	udp-dropped)
		lab_forw='meta l4proto udp drop'
		;;
	udp-rejected)
		lab_forw='iifname "lan" meta l4proto udp reject with icmp type admin-prohibited'
		;;
	*)
		echo "$1: no such IPv4 kind" >&2
		return 2
		;;
	esac
}

# 10000-11999, 12000-13999 ... for each IPv4 address of srv.
lab_ranges()
{
	lab_low=10000
	for lab_h in $LAB_HOSTS; do
		for lab_net in 198.51.100 203.0.113; do
			echo "$lab_net.$lab_h : $1 . $lab_low-$((lab_low + 1999)),"
			lab_low=$((lab_low + 2000))
		done
	done
}

lab_parts6()
{
	lab_new='iifname "wan" ct state new,invalid'
	lab_sets=
	lab_pre=
	lab_post=
	lab_forw=
	# Neighbour discovery is `untracked`, neither new nor invalid: it still gets in.
	lab_inpt="$lab_new drop"
	case $1 in
	ipv6-none) lab_inpt= ;;
	ipv6-firewall) lab_forw="$lab_new drop" ;;
	ipv6-masquerade) lab_post='oifname "wan" masquerade' ;;
	*)
		echo "$1: no such IPv6 kind" >&2
		return 2
		;;
	esac
}

lab_table()
{
	cat <<-EOF
		table $1 lab {
			$lab_sets
			chain pre {
				type nat hook prerouting priority dstnat
				$lab_pre
			}
			chain post {
				type nat hook postrouting priority srcnat
				$lab_post
			}
			chain forw {
				type filter hook forward priority filter
				$lab_forw
			}
			chain inpt {
				type filter hook input priority filter
				$lab_inpt
			}
		}
	EOF
}

# Deleting the links first matters: a namespace goes in the background, and its
# interfaces would still be in the way of the new ones.
lab_remove_routers()
{
	[ -e /run/netns/nat ] || return 0
	ip -n host link del eth0
	ip -n isp link del cust
	ip netns del nat
	if [ -e /run/netns/cgn ]; then
		ip netns del cgn
	fi
}

# The edge router's wan: its address (and a second one), and the way out, per family.
lab_edge()
{
	ip -n "$1" -batch - <<-EOF || return
		link set wan up
		addr add $LAB_W/25 dev wan
		addr add $LAB_W2/25 dev wan
		addr add $LAB_W6/64 dev wan nodad
		route add default via 192.0.2.1
		route add default via 2001:db8:2::1
	EOF
}

lab_build_nat()
{
	lab_router nat || return
	ip -batch - <<-EOF || return
		link add eth0 netns host type veth peer name lan netns nat
		link add wan netns nat type veth peer name $2 netns $1
	EOF
	ip -n nat -batch - <<-EOF || return
		link set lan up
		link set wan up
		addr add 10.0.1.1/24 dev lan
		addr add 2001:db8:1::1/64 dev lan nodad
	EOF
	ip -n host -batch - <<-EOF || return
		link set eth0 up
		addr add 10.0.1.2/24 dev eth0
		addr add 10.0.1.3/24 dev eth0
		addr add 2001:db8:1::3/64 dev eth0 nodad
		addr add 2001:db8:1::2/64 dev eth0 nodad
		route add default via 10.0.1.1
		route add default via 2001:db8:1::1
	EOF
}

lab_build_double()
{
	lab_router cgn || return
	lab_build_nat cgn lan || return
	ip -batch - <<-EOF || return
		link add wan netns cgn type veth peer name cust netns isp
	EOF
	lab_edge cgn || return
	ip -n cgn -batch - <<-EOF || return
		link set lan up
		addr add 100.64.1.1/24 dev lan
		addr add 2001:db8:64::1/64 dev lan nodad
		route add 2001:db8:1::/64 via 2001:db8:64::2
	EOF
	ip -n nat -batch - <<-EOF || return
		addr add 100.64.1.2/24 dev wan
		addr add 2001:db8:64::2/64 dev wan nodad
		route add default via 100.64.1.1
		route add default via 2001:db8:64::1
	EOF
}

# A NAT's inside is unknown to the internet, so that a packet that it failed to
# translate can't be answered; without NAT, the inside is routed back.
lab_customer_routes()
{
	ip -n isp -batch - <<-EOF || return
		link set cust up
		addr add 192.0.2.1/25 dev cust
		addr add 2001:db8:2::1/64 dev cust nodad
		route replace 2001:db8:64::/64 via $LAB_W6
	EOF
	case $1 in
	none | firewall) ip -n isp route replace 10.0.1.0/24 via "$LAB_W" ;;
	*) ip -n isp route replace blackhole 10.0.1.0/24 ;;
	esac
	case $2 in
	ipv6-masquerade) ip -n isp route replace blackhole 2001:db8:1::/64 ;;
	*) ip -n isp route replace 2001:db8:1::/64 via "$LAB_W6" ;;
	esac
}

lab_kind()
{
	lab_kind4=none
	lab_kind6=ipv6-none
	for lab_k in "$@"; do
		case $lab_k in
		ipv6-*) lab_kind6=$lab_k ;;
		*) lab_kind4=$lab_k ;;
		esac
	done
	lab_external=$LAB_W
	[ "$lab_kind4" != double ] || lab_external=100.64.1.2
	lab_parts4 "$lab_kind4" "$lab_external" || return
	lab_table ip >"$LAB_DIR/nat.nft"
	lab_parts6 "$lab_kind6" || return
	lab_table ip6 >>"$LAB_DIR/nat.nft"

	# New namespaces: no old connection, set or sysctl survives in the routers.
	lab_remove_routers
	if [ "$lab_kind4" = double ]; then
		lab_build_double || return
		lab_parts4 masquerade-drop "$LAB_W" || return
		lab_table ip >"$LAB_DIR/cgn.nft"
		ip netns exec cgn nft -f "$LAB_DIR/cgn.nft" || return
	else
		lab_build_nat isp cust || return
		lab_edge nat || return
	fi
	lab_customer_routes "$lab_kind4" "$lab_kind6" || return
	ip netns exec nat nft -f "$LAB_DIR/nat.nft"
}

lab_build_peer()
{
	lab_namespace peer && lab_router peernat || return
	ip -batch - <<-EOF || return
		link add eth0 netns peer type veth peer name lan netns peernat
		link add wan netns peernat type veth peer name cust2 netns isp
	EOF
	ip -n peernat -batch - <<-EOF || return
		link set lan up
		link set wan up
		addr add 10.0.1.1/24 dev lan
		addr add $LAB_PEER_W/28 dev wan
		route add default via 192.0.2.193
	EOF
	ip -n peer -batch - <<-EOF || return
		link set eth0 up
		addr add 10.0.1.2/24 dev eth0
		route add default via 10.0.1.1
	EOF
	ip -n isp link set cust2 up
	ip -n isp addr add 192.0.2.193/28 dev cust2
	ip -n core route replace 192.0.2.192/28 via 192.0.2.129
}

lab_peer()
{
	lab_parts4 "$1" "$LAB_PEER_W" || return
	lab_table ip >"$LAB_DIR/peer.nft"
	if [ -e /run/netns/peernat ]; then
		ip -n peer link del eth0
		ip -n isp link del cust2
		ip netns del peer
		ip netns del peernat
	fi
	lab_build_peer || return
	ip netns exec peernat nft -f "$LAB_DIR/peer.nft"
}

lab_udp_timeout()
{
	for lab_ns in nat cgn; do
		[ -e "/run/netns/$lab_ns" ] || continue
		ip netns exec "$lab_ns" sysctl -qw \
			net.netfilter.nf_conntrack_udp_timeout="$1" \
			net.netfilter.nf_conntrack_udp_timeout_stream="$2" || return
	done
}

# ---- what the way does: loss, delay -----------------------------------------------

# In isp, which does no NAT and tracks no connections: a loss here is one of the
# network, never of a router's state. The table is made so that it can be deleted.
lab_loss()
{
	{
		echo "table inet loss { }; delete table inet loss"
		[ "$1" -eq 0 ] || cat <<-EOF
			table inet loss {
				chain forw {
					type filter hook forward priority -350
					numgen random mod 100 < $1 drop
				}
			}
		EOF
	} | ip netns exec isp nft -f -
}

lab_delay_program()
{
	if [ -x "$LAB_BUILDDIR/tests/net/delay" ]; then
		echo "$LAB_BUILDDIR/tests/net/delay"
	elif [ -x "$LAB_DIR/delay" ] ||
		"${CC:-cc}" -O2 -o "$LAB_DIR/delay" "$LAB_HOME/delay.c" >&2; then
		echo "$LAB_DIR/delay"
	else
		return 77
	fi
}

# What arrives there is routed into a TUN device, and by the main table when it
# comes back from it. What the router itself sends (ICMP errors) is not delayed.
lab_delay()
{
	lab_where=${2:-core}
	if [ -e "$LAB_DIR/delay-$lab_where.pid" ]; then
		lab_stop "delay-$lab_where" || return
	fi
	[ "$1" != 0 ] || return 0
	if ! [ -w /dev/net/tun ]; then
		echo "no delay: /dev/net/tun can't be opened" >&2
		return 77
	fi
	lab_path=$(lab_delay_program) || return
	lab_bg "$lab_where" "delay-$lab_where" "$lab_path" td0 "$1"
	if ! lab_wait 5 ip -n "$lab_where" link show td0; then
		cat "$LAB_DIR/delay-$lab_where.log" >&2
		return 77
	fi
	# The device's own queue of 500 packets would overflow in a burst.
	ip -n "$lab_where" -batch - <<-EOF || return
		link set td0 txqueuelen 10000 addrgenmode none up
		route add default dev td0 table 100
		route add ::/0 dev td0 table 100
	EOF
}
