#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What a way of udppunch is used for: kept, carrying lines or a UDP port, also after it broke; and met by hand.

usage: udppunch_uses.py [--seed N] [CASE...]

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

MEND_S = 45  # a keepalive is due, eight seconds without an answer, and a punch
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 6000))
print("ready", flush=True)
while True:
    data, client = s.recvfrom(2000)
    s.sendto(b"%d %s" % (client[1], data), client)
"""
CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
for _ in range(30):
    s.sendto(sys.argv[1].encode(), ("127.0.0.1", 5000))
    try:
        print(s.recv(2000).decode())
        break
    except TimeoutError:
        pass
"""
CASES = {}


def case(x="port-restricted", y="port-restricted"):
    """Of these kinds of NAT; y None: both are behind that of x."""
    def register(function):
        CASES[function.__name__.replace("_", "-")] = (function, x, y)
        return function
    return register


class Manual(Process):
    """udppunch --manual, whose line is read, and which is given others."""

    def __init__(self, lab, host, server, *options):
        reader, writer = os.pipe()
        super().__init__(lab, host, f"{punchlab.BUILD}/udppunch", "--manual", "-4", "-s", server, "-J",
                         "-o", f"/proc/self/fd/{writer}", *options, pass_fds=[writer], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(writer)
        self.reports, self.ms = lab.reports, None
        self.lines = Lines(os.fdopen(reader, "rb"))
        self.errors, self.received = Lines(self.popen.stderr), Lines(self.popen.stdout)

    def line(self, seconds=10):
        found = self.lines.wait_for(lambda line: b'"event":"line"' in line, seconds, f"{self.host}: a line")[1]
        return re.search(rb'"line":"(\w+)"', found).group(1).decode()

    def paste(self, text):
        self.popen.stdin.write(text.encode() + b"\n")
        self.popen.stdin.flush()

    def says(self, text, seconds=5):
        self.errors.wait_for(lambda line: text.encode() in line, seconds, f"{self.host}: {text}")

    step, send, expect, events, end = Punch.step, Punch.send, Punch.expect, Punch.events, Punch.end


class Case(punchlab.Case):
    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.address = lab.addresses[self.host("s")][0]
        self.code = f"{name.replace('-', '')}-tourist-submarine"
        Natprobed(lab, self.host("s"))

    def punch(self, side, *options, stdio=False):
        return Punch(self.lab, self.host(side), self.address, self.code, "-4", *options, stdio=stdio)

    def manual(self, *options):
        return [Manual(self.lab, self.host(side), self.address, *options) for side in "xy"]

    def block(self, punch):
        """The socket of the way is blocked by the host's own firewall, in both directions: it needs another one."""
        punch.step("path: stands", 5)  # the other pipe may be ahead of this one
        steps = [event["text"] for event in punch.events() if event["event"] == "step"]
        way = next(text for text in steps if text.startswith("path: stands"))
        port = re.search(r" from \S+:(\d+) to ", way).group(1)
        self.lab.run(punch.host, "nft", f"table inet t {{ chain o {{ type filter hook output priority 0; udp sport {port} drop; }}; "
                     f"chain i {{ type filter hook input priority 0; udp dport {port} drop; }}; }}")

    def interrupt(self, x, y):
        """One is interrupted, and the other hears its last word."""
        x.signal(signal.SIGINT)
        document = x.end(5)
        if (document["exit"], document["complete"], document["outcome"]) != (130, False, "connected"):
            self.wrong(f"x, interrupted: {document['exit']}, {document['outcome']}")
        self.judge_one(y, 5, None)

    def ask(self, word):
        """By a program on x of one on y, through the port."""
        found = subprocess.run(self.lab.command(self.host("x"), "/usr/bin/python3", "-c", CLIENT, word), timeout=20,
                               stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        if not found.endswith(" " + word):
            raise Missing(f"an answer to {word}, not {found!r}")
        return found.split()[0]


# --- a way that breaks ---

def mended(x, y):
    for side in (x, y):
        side.step("path: stands again", MEND_S)


@case()
def hold(test):
    x, y = test.punch("x", "--hold"), test.punch("y", "--hold")
    for side in (x, y):
        side.step("path: stands", 20)
    test.block(y)
    mended(x, y)
    test.interrupt(x, y)


@case("linux-accept", "linux-accept")
def hold_in_order(test):
    x, y = test.punch("x", "--hold"), test.punch("y", "--hold")
    for side in (x, y):
        side.step("path: stands", 20)
    test.block(x)
    mended(x, y)
    test.interrupt(y, x)


@case("udp-blocked", None)
def hold_without_plan(test):
    """In one network, whose way out is closed to UDP, they meet by their own addresses, and no plan is left to try anew."""
    x, y = test.punch("x", "--hold"), test.punch("y", "--hold")
    for side in (x, y):
        side.step("path: stands", 20)
    y.signal(signal.SIGKILL)
    test.judge_one(x, MEND_S, "lost")


@case("full-cone", "symmetric")
def lines(test):
    x, y = test.punch("x", stdio=True), test.punch("y", stdio=True)
    for word in ("before", "after"):
        for speaker, hearer in ((x, y), (y, x)):
            punchlab.say_until_heard(speaker, hearer, f"{word} from {speaker.host[0]}", 20)
        if word == "before":
            test.block(y)
            mended(x, y)
    for side in (x, y):
        side.popen.stdin.close()
    for side in (x, y):
        test.judge_one(side, 10, None)


@case()
def one_way(test):
    """One side has nothing to say, and what the other one says goes on after the way broke."""
    x, y = test.punch("x", stdio=True), test.punch("y", stdio=True)
    y.popen.stdin.close()
    punchlab.say_until_heard(x, y, "before", 20)
    test.block(y)
    mended(x, y)
    punchlab.say_until_heard(x, y, "after", 5)
    x.popen.stdin.close()
    for side in (x, y):
        test.judge_one(side, 10, None)


@case()
def reader_gone(test):
    """Who can't write any more says so: the other side does not wait for what never comes."""
    x = test.punch("x", stdio=True)
    y = Punch(test.lab, test.host("y"), test.address, test.code, "-4", stdio=True,
              program=["sh", "-c", f'"{punchlab.BUILD}/udppunch" "$@" | head -n 1', "sh"])
    punchlab.say_until_heard(x, y, "the only line", 20)

    def has_left():
        x.send("one more")
        return any(event.get("text") == "exchange: the peer has left" for event in x.events())
    wait_until(has_left, 5, "y takes its leave")
    x.popen.stdin.close()
    test.judge_one(x, 5, None)


@case()
def port(test):
    """Programs on x reach one on y, each from a socket of its own there."""
    echo = Process(test.lab, test.host("y"), "/usr/bin/python3", "-c", ECHO, stdout=subprocess.PIPE)
    Lines(echo.popen.stdout).wait_for(lambda line: b"ready" in line, 10, "an echo")
    x, y = test.punch("x", "-L", "5000"), test.punch("y", "--to", "127.0.0.1:6000")
    for side in (x, y):
        side.step("path: stands", 20)
    clients = {test.ask(f"word-{number}") for number in range(3)}
    if len(clients) != 3:
        test.wrong(f"three programs come from {clients}")
    taken = subprocess.run(test.lab.command(test.host("x"), f"{punchlab.BUILD}/udppunch", "-r", test.address, "-L", "5000",
                                            "other-code"), stderr=subprocess.PIPE, check=False, timeout=10, text=True)
    if (taken.returncode, taken.stderr) != (3, "udppunch: --listen: Address already in use\n"):
        test.wrong(f"a port that is taken: {taken.returncode}, {taken.stderr!r}")
    test.block(x)
    mended(x, y)
    test.ask("after")
    test.interrupt(x, y)
    echo.signal(signal.SIGTERM)


# --- by hand ---

@case()
def manual(test):
    x, y = test.manual()
    x.paste(y.line())
    wait_until(lambda: any(e["event"] == "sent" for e in x.events()), 10, "x begins alone")
    y.paste(x.line())
    for side in (x, y):
        document = test.judge_one(side, 15, None)
        if document["strategy"] != "direct":
            test.wrong(f"{document['strategy']}, not direct")


@case("linux-accept", "linux-accept")
def manual_with_early_packets(test):
    x, y = test.manual("-w", "180s")
    x.paste(y.line())
    y.paste(x.line())
    for side in (x, y):
        test.judge_one(side, 170, None)


@case("full-cone", "port-restricted")
def manual_and_lines(test):
    """With a code, a paste that comes in parts, and what follows on standard input carried over the way."""
    x, y = test.manual("--stdio", "3-tourist-submarine")
    mine, other = x.line(), y.line()
    x.paste(mine)
    x.says("that is your own line")
    x.paste("hello")
    x.says("no line of udppunch --manual")
    x.paste(other[:40])
    x.says("not whole yet")
    x.paste(other[40:])
    y.paste(f"> {mine[:50]}\n> {mine[50:]}\nfirst words")
    x.expect("first words", 15)
    x.send("and an answer")
    y.expect("and an answer", 5)
    for side in (x, y):
        side.popen.stdin.close()
    for side in (x, y):
        test.judge_one(side, 10, None)


@case()
def manual_other_codes(test):
    x = Manual(test.lab, test.host("x"), test.address, "-w", "8s", "3-tourist-submarine")
    y = Manual(test.lab, test.host("y"), test.address, "-w", "8s", "3-tourist-ship")
    x.paste(y.line())
    y.paste(x.line())
    for side in (x, y):
        test.judge_one(side, 15, "wrong-code")


@case()
def manual_no_line(test):
    x, y = test.manual("-w", "20s")
    x.popen.stdin.close()
    document = x.end(10)
    if document["exit"] != 3 or document["complete"] is not True:
        test.wrong(f"no input: {document['exit']}")
    x.says("standard input has ended")
    y.signal(signal.SIGTERM)
    y.end(5)


# --- all ---

def topology(names):
    lines = ["families 4"]
    for number, name in enumerate(names):
        _, x, y = CASES[name]
        lines.append("link delay=15ms hops=2")
        for side, kind in (("x", x), ("y", y)):
            if kind:
                lines.append(f"nat {side}-{name} kind={kind} inside=10.{number}.{'12'['xy'.index(side)]}.1/24")
        lines.append("link delay=0 hops=0")
        for side in "xy":
            lines.append(f"host {side}-{name} behind={side if y else 'x'}-{name}")
        lines += ["link delay=5ms hops=1", f"host s-{name}"]
    return "\n".join(lines) + "\n"


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    with punchlab.Folder("udppunch-uses") as folder:
        with punchlab.Lab(folder.path, topology(names), seed=options.seed, limit_s=220) as lab:
            cases = [Case(lab, name) for name in names]
            punchlab.run_cases(cases, {name: found[0] for name, found in CASES.items()})
        folder.keep = punchlab.tell(cases)
    return folder.keep


if __name__ == "__main__":
    punchlab.main(run)
