# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# What the tests of the command lines share. They run in namespaces of their own (../net/lab.sh) whose only
# network is the loopback interface, so that nothing is ever sent to a stranger.
#
#   . "$(dirname "$0")/cli.sh"
#   cli_begin "$@"              run again inside; exit 77 where that is refused
#   run COMMAND...              its status goes to $status, its output to $LAB_DIR/out and $LAB_DIR/err
#   status_is N                 stdout_is LINE...             stderr_is LINE...        exactly these
#   stdout_empty stderr_empty   stdout_has PATTERN            stderr_has PATTERN       a line matches
#   stdout_lacks PATTERN        stderr_lacks PATTERN
#   document_is PATH=VALUE...   stdout is one valid report, and holds this; PATH is as in --expect
#   file_holds FILE PATH=VALUE...                             the same of a file
#   lines_are_valid             stdout is JSON lines, the last one with a valid report
#   fails WHAT                  count a failure and go on
#   serve OPTION... ADDRESS...  natprobed; returns when it is ready
#   silence ADDRESS PORT        a socket that takes datagrams and says nothing; $LAB_DIR/silence.log has
#                               a line for each
#   stop_server  stop_silence   end these
#   cli_end                     exit 0 or, after failures, 1

LAB_HOME=$(cd "$(dirname "$0")/../net" && pwd)
LAB_TIMEOUT=${LAB_TIMEOUT:-120}
# shellcheck source=../net/lab.sh
. "$LAB_HOME/lab.sh"

cli_begin()
{
	lab_enter "$@"
	cli_top=$(cd "$LAB_HOME/../.." && pwd)
	cli_schema=$cli_top/data/natprobe-report.schema.json
	cli_failures=0
	cli_kept=0
	cli_step=
	# shellcheck disable=SC2034 # for the tests
	natprobe=$(lab_program natprobe) || lab_skip "natprobe has not been built"
	natprobed=$(lab_program natprobed) || lab_skip "natprobed has not been built"
	# shellcheck disable=SC2034 # for the tests
	natlab=$(lab_program natlab) || lab_skip "natlab has not been built"
	mkdir "$LAB_DIR/report" "$LAB_DIR/lines"
	ip link set lo up || lab_skip "no loopback interface"
	unset NATUTILS_SERVERS XDG_CONFIG_HOME NO_COLOR CLICOLOR_FORCE COLUMNS
	HOME=$LAB_DIR LC_ALL=C
	export HOME LC_ALL
}

cli_end()
{
	cli_check_kept
	[ "$cli_failures" -eq 0 ] || lab_fail "$cli_failures differences"
	exit 0
}

fails()
{
	cli_failures=$((cli_failures + 1))
	echo "not ok: $cli_step: $*"
}

run()
{
	cli_step=$(echo "$*" | sed 's,[^ ]*/,,g')
	timeout 30 "$@" >"$LAB_DIR/out" 2>"$LAB_DIR/err" </dev/null
	status=$?
}

status_is()
{
	[ "$status" -eq "$1" ] ||
		fails "exit status $status, not $1; stderr: $(head -n 5 "$LAB_DIR/err")"
}

cli_same()
{
	diff "$1" "$2" >"$LAB_DIR/diff" ||
		fails "std${2##*/} differs (< expected, > found):
$(head -n 20 "$LAB_DIR/diff")"
}

stdout_is()
{
	printf '%s\n' "$@" >"$LAB_DIR/expected"
	cli_same "$LAB_DIR/expected" "$LAB_DIR/out"
}

stderr_is()
{
	printf '%s\n' "$@" >"$LAB_DIR/expected"
	cli_same "$LAB_DIR/expected" "$LAB_DIR/err"
}

stdout_empty()
{
	cli_same /dev/null "$LAB_DIR/out"
}

stderr_empty()
{
	cli_same /dev/null "$LAB_DIR/err"
}

stdout_has()
{
	grep -q -- "$1" "$LAB_DIR/out" || fails "stdout lacks '$1': $(head -n 5 "$LAB_DIR/out")"
}

stderr_has()
{
	grep -q -- "$1" "$LAB_DIR/err" || fails "stderr lacks '$1': $(head -n 5 "$LAB_DIR/err")"
}

stdout_lacks()
{
	! grep -q -- "$1" "$LAB_DIR/out" || fails "stdout has '$1'"
}

stderr_lacks()
{
	! grep -q -- "$1" "$LAB_DIR/err" || fails "stderr has '$1'"
}

# Reports are checked all at once, at the end: Python takes its time to begin.
cli_keep()
{
	cli_kept=$((cli_kept + 1))
	cp "$2" "$LAB_DIR/$1/$cli_kept"
	echo "$1/$cli_kept: $cli_step" >>"$LAB_DIR/kept"
}

# The commands whose reports are named at the beginnings of lines.
cli_names()
{
	sed -n "s,^$LAB_DIR/\([a-z]*/[0-9]*: \).*,\1,p" "$1" | sort -u >"$LAB_DIR/named"
	grep -F -f "$LAB_DIR/named" "$LAB_DIR/kept"
}

# Without python3-jsonschema there is only what file_holds sees.
cli_check_kept()
{
	for cli_kind in report lines; do
		set -- "$LAB_DIR/$cli_kind"/*
		[ -e "$1" ] || continue
		[ $cli_kind = report ] || set -- --lines "$@"
		cli_step="the reports against their schema"
		"$LAB_PYTHON" "$cli_top/tests/schema_check.py" "$cli_schema" "$@" >"$LAB_DIR/diff" 2>&1
		case $? in
		0 | 77) ;;
		*) fails "$(head -n 20 "$LAB_DIR/diff"; cli_names "$LAB_DIR/diff")" ;;
		esac
	done
}

file_holds()
{
	cli_file=$1
	shift
	cli_keep report "$cli_file"
	"$LAB_PYTHON" - "$cli_file" "$@" >"$LAB_DIR/diff" 2>&1 <<-'EOF' || fails "$(tail -n 5 "$LAB_DIR/diff")"
		import json, sys
		document = json.load(open(sys.argv[1], encoding="utf-8"))
		bad = 0
		for argument in sys.argv[2:]:
		    path, _, wanted = argument.partition("=")
		    value = document
		    for key in path.split("."):
		        value = value[int(key)] if isinstance(value, list) else value[key]
		    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
		    if text != wanted:
		        print(f"{path} is {text}, not {wanted}")
		        bad = 1
		sys.exit(bad)
	EOF
}

document_is()
{
	file_holds "$LAB_DIR/out" "$@"
}

lines_are_valid()
{
	cli_keep lines "$LAB_DIR/out"
}

serve()
{
	: >"$LAB_DIR/natprobed.log" # an old "ready" must not be seen
	"$natprobed" "$@" >"$LAB_DIR/natprobed.log" 2>&1 </dev/null &
	server=$!
	lab_wait 5 grep -q 'event=ready .* rate=[0-9]*$' "$LAB_DIR/natprobed.log" ||
		lab_fail "natprobed is not ready: $(cat "$LAB_DIR/natprobed.log")"
}

stop_server()
{
	kill -TERM "$server"
	wait "$server"
}

silence()
{
	: >"$LAB_DIR/silence.log"
	"$LAB_PYTHON" -u -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("ready")
while True:
    print("datagram from", s.recvfrom(2048)[1])' "$1" "$2" >"$LAB_DIR/silence.log" 2>&1 </dev/null &
	silence=$!
	lab_wait 5 grep -qx ready "$LAB_DIR/silence.log" ||
		lab_fail "no silent server: $(cat "$LAB_DIR/silence.log")"
}

stop_silence()
{
	: >"$LAB_DIR/silence.log"
	kill -KILL "$silence"
	wait "$silence" 2>/dev/null
}
