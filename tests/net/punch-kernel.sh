# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# A punching tool between two hosts behind NATs of the kernel, which both have the same private address; several runs
# at once, each side at a random moment of 1.5 s. What udppunch-kernel.test and tcppunch-kernel.test share: for tests
# that have read lab.sh and called lab_enter.
#
#   punch_begin TOOL           the laboratory
#   punch_try KIND KIND EXPECTED [RUNS]   connected, failed or any; both sides have to agree, also on the endpoints
#   punch_part                 from now on the provider lets nothing through between its two customers, who reach
#                              the servers as before
#   punch_end                  the sum of all

punch_random=${NATUTILS_SEED:-$$}
punch_runs=0
punch_connected=0
punch_failures=0

punch_begin()
{
	punch_path=$(lab_program "$1") || lab_skip "$1 has not been built"
	lab_up || lab_fail "no laboratory"
}

# A new one each time: what it does for one address in a minute would soon be used up.
punch_server()
{
	! lab_alive natprobed || lab_stop natprobed
	lab_natprobed 198.51.100.10 203.0.113.10
}

# Milliseconds up to 1500, as S.MMM.
punch_offset()
{
	punch_random=$(((punch_random * 1103515245 + 12345) % 2147483648))
	printf '%d.%03d' $((punch_random / 65536 % 1500 / 1000)) $((punch_random / 65536 % 1500 % 1000))
}

# NAMESPACE RUN: in the background
punch_side()
{
	punch_offset >"$LAB_DIR/offset"
	lab_bg "$1" "punch-$1-$2" sh -c "sleep $(cat "$LAB_DIR/offset"); timeout 60 $punch_path -4 -r 198.51.100.10 -J \
		-o $LAB_DIR/$1-$2.json $((punch_runs + $2))-tourist-submarine; echo \$? >$LAB_DIR/$1-$2.status"
}

punch_have_ended()
{
	for punch_run in $punch_list; do
		[ -s "$LAB_DIR/host-$punch_run.status" ] && [ -s "$LAB_DIR/peer-$punch_run.status" ] || return
	done
}

# RUN EXPECTED
punch_check()
{
	PYTHONPATH=$LAB_HOME "$LAB_PYTHON" - "$LAB_DIR" "$1" "$2" <<-'EOF'
		import sys
		import punch_matrix
		folder, run, expected = sys.argv[1:]
		bad = []
		a, b = sides = [punch_matrix.read_side(f"{folder}/{name}-{run}") for name in ("host", "peer")]
		if a["outcome"] != b["outcome"] or expected not in (a["outcome"], "any"):
		    bad.append(f"{a['outcome']} ({a['failure']}), {b['outcome']} ({b['failure']}), not {expected}")
		elif a["outcome"] == "connected":
		    bad += punch_matrix.disagreements(sides)
		    bad += punch_matrix.strategies(sides) if a["tool"] == "tcppunch" else []
		else:
		    bad += punch_matrix.failures(sides)
		print(a["outcome"], a["strategy"], a["time_ms"]["confirmed"], *bad)
		for document in sides if bad else ():
		    print(*(step["text"] for step in document["steps"]), sep=" | ")
		sys.exit(bool(bad))
	EOF
}

punch_try()
{
	lab_kind "$1" || lab_fail "cannot build $1"
	lab_peer "$2" || lab_fail "cannot build $2"
	punch_server || lab_fail "no natprobed"
	rm -f "$LAB_DIR"/*.status
	punch_list=$(seq "${4:-1}")
	for punch_run in $punch_list; do
		punch_side host "$punch_run"
		punch_side peer "$punch_run"
	done
	lab_wait 70 punch_have_ended || lab_fail "$1 $2: no end"
	for punch_run in $punch_list; do
		punch_check "$punch_run" "$3" >"$LAB_DIR/verdict" || punch_failures=$((punch_failures + 1))
		punch_runs=$((punch_runs + 1))
		! grep -q ^connected "$LAB_DIR/verdict" || punch_connected=$((punch_connected + 1))
		echo "$1 $2: $(cat "$LAB_DIR/verdict")"
		lab_stop "punch-host-$punch_run" >/dev/null
		lab_stop "punch-peer-$punch_run" >/dev/null
	done
}

punch_part()
{
	ip netns exec isp nft -f - <<-EOF
		table ip parted {
			chain forw {
				type filter hook forward priority filter
				ip saddr { $LAB_W, $LAB_PEER_W } ip daddr { $LAB_W, $LAB_PEER_W } drop
			}
		}
	EOF
}

punch_end()
{
	echo "$punch_runs runs, $punch_connected connected, $punch_failures wrong"
	[ $punch_failures -eq 0 ] || lab_fail "$punch_failures runs"
}
