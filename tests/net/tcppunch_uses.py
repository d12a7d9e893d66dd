#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What a connection of tcppunch is used for: kept, carrying lines or a TCP port, also when it breaks in one way or another.

usage: tcppunch_uses.py [--seed N] [CASE...]

All cases run at once in one natlab, each with NATs and a server of its own. Prints one line for each, and what is
wrong; exit status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import punchlab  # noqa: E402
from punchlab import Lines, Missing, Natprobed, Process, Punch, wait_until  # noqa: E402

MEND_S = 70  # a question every 10 s, 25 s without an answer, and a punch
LOST_S = 80  # the place at the server is kept for 60
ECHO = """
import socket, threading
s = socket.create_server(("127.0.0.1", 6000))
print("ready", flush=True)
def serve(c):
    try:
        while data := c.recv(65536):
            c.sendall(data)
    except ConnectionResetError:
        pass
    c.close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
CLIENT = """
import socket, sys
c = socket.create_connection(("127.0.0.1", 5000), 15)
c.sendall(sys.argv[1].encode())
c.shutdown(socket.SHUT_WR)
c.settimeout(15)
print(c.recv(2000).decode())
"""
HOLDER = """
import socket
c = socket.create_connection(("127.0.0.1", 5000), 15)
c.settimeout(100)
c.sendall(b"word")
assert c.recv(9) == b"word"
print("open", flush=True)
try:
    print("end" if not c.recv(9) else "more", flush=True)
except ConnectionResetError:
    print("reset", flush=True)
"""
# half a message and a FIN to whoever comes
HALF = """
import socket
s = socket.create_server(("", 3999))
print("ready", flush=True)
held = []
while True:
    c = s.accept()[0]
    held.append(c)
    c.sendall(bytes.fromhex("0101001021"))
    c.shutdown(socket.SHUT_WR)
"""
# a connection to the server from port 4444, until its standard input ends
TAKER = """
import socket, struct, sys
c = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
    c.setsockopt(socket.SOL_SOCKET, option, 1)
c.bind(("", 4444))
c.connect((sys.argv[1], 3478))
print("ready", flush=True)
sys.stdin.read()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""
CASES = {}


def case(x="port-restricted", y="port-restricted"):
    """Of these kinds of NAT."""
    def register(function):
        CASES[function.__name__.replace("_", "-")] = (function, x, y)
        return function
    return register


class Case(punchlab.Case):
    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.address = lab.addresses[self.host("s")][0]
        self.code = f"{name.replace('-', '')}-tourist-submarine"
        self.server = Natprobed(lab, self.host("s"))

    def punch(self, side, *options, stdio=False):
        return Punch(self.lab, self.host(side), self.address, self.code, "-4", *options, stdio=stdio,
                     program=[f"{punchlab.BUILD}/tcppunch"])

    def both(self, *options, stdio=False):
        sides = [self.punch(side, *options, stdio=stdio) for side in "xy"]
        for side in sides:
            side.step("path: stands", 20)
        return sides

    def port_of(self, punch):
        steps = [event["text"] for event in punch.events() if event["event"] == "step"]
        way = next(text for text in steps if text.startswith("path: stands"))
        return re.search(r" from \S+:(\d+) to ", way).group(1)

    def filter(self, punch, verdict):
        """What comes for the connection of the way meets the host's own firewall; with "drop" also what goes out."""
        port = self.port_of(punch)
        out = f"chain o {{ type filter hook output priority 0; tcp sport {port} drop; }};" if verdict == "drop" else ""
        self.lab.run(punch.host, "nft", f"table inet t {{ {out} chain i {{ type filter hook input priority 0; "
                                        f"tcp dport {port} {verdict}; }}; }}")

    def interrupt(self, x, y):
        """One is interrupted, and the other hears its last word."""
        x.signal(signal.SIGINT)
        document = x.end(5)
        if (document["exit"], document["complete"], document["outcome"]) != (130, False, "connected"):
            self.wrong(f"x, interrupted: {document['exit']}, {document['outcome']}")
        self.judge_one(y, 5, None)

    def python(self, side, text, *argv, **streams):
        """A script that says that it is ready; its lines."""
        script = Process(self.lab, self.host(side), "/usr/bin/python3", "-c", text, *argv, stdout=subprocess.PIPE, **streams)
        lines = Lines(script.popen.stdout)
        lines.wait_for(lambda line: line in (b"ready\n", b"open\n"), 20, f"a script on {side}")
        return script, lines

    def segments_in(self, side):
        """Of the connection to the peer: how many with data have come."""
        found = subprocess.run(self.lab.command(self.host(side), "ss", "-Htin", "dport != 3478"), timeout=10, check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        return max(map(int, re.findall(r"data_segs_in:(\d+)", found)), default=0)

    def ask(self, word):
        """By a program on x of one on y, through the port."""
        found = subprocess.run(self.lab.command(self.host("x"), "/usr/bin/python3", "-c", CLIENT, word), timeout=40,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
        if found.stdout.strip() != word:
            raise Missing(f"an answer to {word}, not {found.stdout!r} ({found.stderr.strip().splitlines()[-1:]})")

    def lost(self, *sides):
        for side in sides:
            self.judge_one(side, LOST_S, "lost")


def cpu_s(pid):
    """What it has used so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mended(*sides):
    for side in sides:
        side.step("path: stands again", MEND_S)


# --- measuring ---

@case()
def counts(test):
    """Who is done first ends for both, and what the other one has asked since then is not lost."""
    x, y = test.punch("x", "-c", "1"), test.punch("y", "-c", "1000", "-i", "20ms")
    for side in (x, y):
        document = test.judge_one(side, 15, None)
        if document["loss"] != 0:
            test.wrong(f"{side.host[0]}: loss {document['loss']} over TCP")


@case()
def interrupted(test):
    """The same when one is interrupted."""
    x, y = [test.punch(side, "-c", "1000", "-i", "100ms") for side in "xy"]
    for side in "xy":
        wait_until(lambda side=side: test.segments_in(side) >= 12, 20, f"{side} measures")
    test.interrupt(x, y)


@case()
def executed(test):
    """The socket is handed over however many round trips each side wanted, and then the exit status is the command's."""
    x = test.punch("x", "-c", "1", "--exec", "read word <&3; echo bye >&3; test $word = hello && exit 7")
    y = test.punch("y", "-c", "20", "-i", "100ms", "--exec", "echo hello >&3; read word <&3; test $word = bye && exit 8")
    for side, status in ((x, 7), (y, 8)):
        if side.wait(25) != status:
            test.wrong(f"{side.host}: exit status {side.wait(0)}, not {status}")


@case()
def not_executed(test):
    """Not for who does not know the code."""
    marks = [f"{test.lab.folder}/{test.name}.{side}" for side in "xy"]
    x = test.punch("x", "--exec", f"touch {marks[0]}")
    test.code += "s"
    y = test.punch("y", "--exec", f"touch {marks[1]}")
    for side in (x, y):
        test.judge_one(side, 15, "wrong-code")
    for mark in marks:
        if os.path.exists(mark):
            test.wrong("the command was run")


# --- the server ---

@case()
def half_a_message(test):
    """Its end is in the way of who wants to read the other half: that must not turn the loop."""
    test.python("s", HALF)
    test.address += ":3999"
    x, used = test.punch("x", "-w", "20s"), [0]
    pid = x.pid()

    def has_ended():
        used[0] = max(used[0], cpu_s(pid))
        return not x.is_alive()
    wait_until(has_ended, 20, "x ends")
    test.judge_one(x, 1, "server-unreachable")
    if used[0] > 0.5:
        test.wrong(f"{used[0]:.2f} s of CPU")


@case()
def bound(test):
    """A port from which there is a connection to the server still: it is waited for, and not given up."""
    taker, _ = test.python("x", TAKER, test.address, stdin=subprocess.PIPE)
    x, y = test.punch("x", "-b", "0.0.0.0:4444"), test.punch("y")
    x.step("socket: from port 4444 there is a connection to the server already", 5)
    taker.popen.stdin.close()
    document = test.judge_one(x, 20, None)
    if document["local"]["port"] != 4444:
        test.wrong(f"another port: {document['local']}")
    test.judge_one(y, 20, None)


# --- a path that is kept ---

@case()
def hold_silent(test):
    x, y = test.both("--hold")
    test.filter(y, "drop")
    mended(x, y)
    test.interrupt(x, y)


@case()
def hold_reset(test):
    """A firewall that has forgotten the connection answers with RSTs: one side sees the end, and the other nothing."""
    x, y = test.both("--hold")
    test.filter(y, "reject with tcp reset")
    mended(x, y)
    test.interrupt(y, x)


@case("linux-reject", "linux-reject")
def hold_refusing(test):
    """The same where both NATs refuse early SYNs."""
    x, y = test.both("--hold")
    test.filter(x, "reject with tcp reset")
    mended(x, y)
    test.interrupt(x, y)


@case()
def hold_killed(test):
    x, y = test.both("--hold")
    y.signal(signal.SIGKILL)
    test.lost(x)


@case()
def hold_frozen(test):
    """A peer that is stopped acknowledges, and says nothing."""
    x, y = test.both("--hold", "-w", "15s")
    y.signal(signal.SIGSTOP)
    test.judge_one(x, 90, "lost")
    y.signal(signal.SIGKILL)


@case()
def hold_without_server(test):
    """Who needs no order gets along without it for as long as the connection lasts; mending needs it."""
    x, y = test.both("--hold", "-w", "15s")
    test.server.signal(signal.SIGKILL)
    test.interrupt(x, y)


# --- standard input and output ---

@case("full-cone", "symmetric")
def lines(test):
    x, y = test.both(stdio=True)
    for number in range(3):
        for speaker, hearer in ((x, y), (y, x)):
            speaker.send(f"{number} from {speaker.host[0]}")
            hearer.expect(f"{number} from {speaker.host[0]}", 5)
    x.popen.stdin.close()
    y.send("what comes when the other one has ended")
    x.expect("what comes when the other one has ended", 5)
    y.popen.stdin.close()
    for side in (x, y):
        test.judge_one(side, 10, None)


@case()
def lines_reset(test):
    x, y = test.both(stdio=True)
    x.send("before")
    y.expect("before", 5)
    test.filter(y, "reject with tcp reset")
    x.send("after")
    test.lost(x, y)


@case()
def lines_killed(test):
    x, y = test.both(stdio=True)
    x.send("before")
    y.expect("before", 5)
    y.signal(signal.SIGKILL)
    test.lost(x)


@case()
def lines_left(test):
    """Who is interrupted says so, but that is not all that was to be said."""
    x, y = test.both(stdio=True)
    x.send("before")
    y.expect("before", 5)
    x.signal(signal.SIGINT)
    document = x.end(5)
    if (document["exit"], document["complete"]) != (130, False):
        test.wrong(f"x, interrupted: {document['exit']}")
    test.judge_one(y, 5, "lost")


@case()
def lines_cut(test):
    """The same when nothing is to be said any more by who hears it."""
    x, y = test.both(stdio=True)
    y.popen.stdin.close()
    x.send("before")
    y.expect("before", 5)
    x.signal(signal.SIGINT)
    x.end(5)
    test.judge_one(y, 5, "lost")


@case()
def lines_frozen(test):
    x, y = test.both(stdio=True)
    y.signal(signal.SIGSTOP)
    test.lost(x)
    y.signal(signal.SIGKILL)


@case()
def lines_silent(test):
    """Nothing comes and nothing goes: both find it out in the same time."""
    x, y = test.both(stdio=True)
    test.filter(x, "drop")
    test.lost(x, y)


# --- a port ---

@case()
def port(test):
    echo = Process(test.lab, test.host("y"), "/usr/bin/python3", "-c", ECHO, stdout=subprocess.PIPE)
    Lines(echo.popen.stdout).wait_for(lambda line: b"ready" in line, 10, "an echo")
    x, y = test.punch("x", "-L", "5000"), test.punch("y", "--to", "127.0.0.1:6000")
    for side in (x, y):
        side.step("path: stands", 20)
    for number in range(3):
        test.ask(f"word-{number}")
    taken = subprocess.run(test.lab.command(test.host("x"), f"{punchlab.BUILD}/tcppunch", "-r", test.address, "-L", "5000",
                                            "other-code"), stderr=subprocess.PIPE, check=False, timeout=10, text=True)
    if (taken.returncode, taken.stderr) != (3, "tcppunch: --listen: Address already in use\n"):
        test.wrong(f"a port that is taken: {taken.returncode}, {taken.stderr!r}")
    _, held = test.python("x", HOLDER)
    test.filter(y, "reject with tcp reset")
    mended(x, y)
    test.ask("after")
    # what was cut off must not look like all of it
    held.wait_for(lambda line: line == b"reset\n", 10, "the end of a connection that was cut off")
    test.interrupt(x, y)
    echo.signal(signal.SIGTERM)


# --- all ---

def topology(names):
    lines = ["families 4"]
    for number, name in enumerate(names):
        _, x, y = CASES[name]
        lines.append("link delay=15ms hops=2")
        for side, kind in (("x", x), ("y", y)):
            lines.append(f"nat {side}-{name} kind={kind} inside=10.{number}.{'12'['xy'.index(side)]}.1/24")
        lines.append("link delay=0 hops=0")
        for side in "xy":
            lines.append(f"host {side}-{name} behind={side}-{name}")
        lines += ["link delay=5ms hops=1", f"host s-{name}"]
    return "\n".join(lines) + "\n"


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    with punchlab.Folder("tcppunch-uses") as folder:
        with punchlab.Lab(folder.path, topology(names), seed=options.seed, limit_s=220) as lab:
            cases = [Case(lab, name) for name in names]
            punchlab.run_cases(cases, {name: found[0] for name, found in CASES.items()})
        folder.keep = punchlab.tell(cases)
    return folder.keep


if __name__ == "__main__":
    punchlab.main(run)
