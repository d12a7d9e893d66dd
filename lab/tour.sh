#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# A tour: natprobe behind five NATs, against natprobed, and a way between two of them by udppunch, all in one natlab.
# No test, but it says so when something is not as it should be. $LAB_BUILDDIR has the programs. Exit 77: this machine does not let natlab run.

build=${LAB_BUILDDIR:?}
server="198.51.100.1"
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

say()
{
	printf '%s\n' "$@"
}

# HOST MAPPING FILTERING EARLY DESCRIPTION: the NATs of the tour, and what natprobe has to find
nats()
{
	cat <<-'EOF'
		cone      endpoint-independent       endpoint-independent       delivered one port for all, open to everybody
		router    endpoint-independent       address-and-port-dependent silent    a home router: Linux masquerading, which drops what nobody asked for
		bare      endpoint-independent       address-and-port-dependent remap     the same without rules: it takes packets to its own address
		symmetric address-and-port-dependent address-and-port-dependent unknown   another port for each destination, at random
		carrier   endpoint-independent       address-and-port-dependent silent    a home router behind a carrier's NAT
	EOF
}

cat >"$folder/tour.lab" <<EOF
link delay=20ms hops=3
nat cone kind=full-cone
nat router kind=linux
nat bare kind=linux-accept
nat symmetric kind=symmetric
nat isp kind=cgnat hairpin=none
link delay=2ms hops=0
nat carrier kind=linux behind=isp
link delay=0
host cone behind=cone
host router behind=router
host bare behind=bare
host symmetric behind=symmetric
host carrier behind=carrier
link delay=5ms hops=1
host server
EOF

say "A network of this process (natlab), with five NATs, and about 50 ms from each to natprobed on $server:" \
	"" "\$ natlab --show tour.lab"
"$build/natlab" -4 --show "$folder/tour.lab" | sed 's/^/    /'

set -- -4 -w 30s --daemon server "exec $build/natprobed -q 198.51.100.1 203.0.113.1"
for host in cone router bare symmetric carrier; do
	set -- "$@" --host $host "exec $build/natprobe $server >$folder/$host 2>$folder/$host.err"
done
"$build/natlab" "$folder/tour.lab" "$@" >"$folder/log" 2>&1
status=$?
if [ $status -ne 0 ]; then
	cat "$folder/log" "$folder"/*.err >&2
	[ $status -ne 3 ] || exit 77
	exit 1
fi

say "" "The same command behind each of them:" "" "    \$ natprobe $server"
nats | while read -r host _ _ _ description; do
	say "" "--- $host: $description"
	# the answer is the first paragraph
	sed -n '/^$/q; s/^/    /p' "$folder/$host"
done

value() # HOST ROW: a word of the table that natprobe prints
{
	sed -n "s/^  $2  *\([a-z-]*\).*/\1/p" "$folder/$1" | head -n 1
}

say "" "What differs:" ""
printf '%-10s %-27s %-27s %-10s %-10s %s\n' NAT mapping filtering "early" direct ports
wrong=0
while read -r host mapping filtering early _; do
	found="$(value "$host" mapping) $(value "$host" filtering) $(value "$host" 'early packets')"
	# shellcheck disable=SC2086 # three words
	printf '%-10s %-27s %-27s %-10s %-10s %s\n' "$host" $found \
		"$(value "$host" 'direct connections')" "$(value "$host" 'port allocation')"
	[ "$found" = "$mapping $filtering $early" ] || {
		say "    But that is wrong: it is $mapping, $filtering, $early."
		wrong=1
	}
done <<EOF
$(nats)
EOF
say "" "mapping: whether a peer can be told where to send. filtering: who gets in there. early: what a peer's packet" \
	"does that comes before this side has sent to it. bare differs from router by one rule only, and that one" \
	"breaks hole punching; carrier is two NATs, and hides it." \
	"" "All that natprobe says behind one of them (bare):" ""
sed 's/^/    /' "$folder/bare"

code=7-acorn-albatross
set -- -4 -w 30s --daemon server "exec $build/natprobed -q 198.51.100.1 203.0.113.1"
for host in carrier bare; do
	set -- "$@" --host $host@0-500ms "exec $build/udppunch -r $server $code >$folder/$host.punch 2>&1"
done
"$build/natlab" "$folder/tour.lab" "$@" >"$folder/log" 2>&1 || wrong=1
say "" "And the direct way between two of them, which both get with the same command, at about the same time:" \
	"" "    \$ udppunch -r $server $code"
for host in carrier bare; do
	say "" "--- $host"
	sed 's/^/    /' "$folder/$host.punch"
	grep -q '^connected: ' "$folder/$host.punch" || wrong=1
done
exit $wrong
