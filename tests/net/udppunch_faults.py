#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""udppunch while things go wrong: loss, late and dying peers, servers that die or come again, addresses that change.

usage: udppunch_faults.py [--rounds N] [--seed N] [CASE...]

All cases run at once in one natlab, each with NATs and a server of its own, and those on bad links N rounds, in two
lanes. Prints one line for each, and what is wrong; exit status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import signal
import sys
import time

sys.dont_write_bytecode = True
import pcapng  # noqa: E402
import punchlab  # noqa: E402
from punchlab import Missing, Natprobed, Punch  # noqa: E402

BAD = {"loss": "loss=20%", "mess": "duplicate=15% reorder=25% jitter=10ms"}
PAIRS = {"FC": "full-cone", "RC": "restricted", "PR": "port-restricted", "PX": "linux-accept",
         "SQ": "symmetric-sequential", "SR": "symmetric"}
LANES = "ab"  # that share the rounds on bad links
ANSWER_MS = 700  # "at once", on links of 60 ms between the two
END_MS = 1500  # the same with all that comes until a process has ended

CASES = {}


def case(x="port-restricted", y="port-restricted", link=""):
    def register(function):
        name = function.__name__.replace("_", "-")
        CASES[name] = (function, x, y, link)
        return function
    return register


class Case(punchlab.Case):
    """Two hosts behind NATs, x and y, and a server, which others do not touch."""

    def __init__(self, lab, name, rounds):
        super().__init__(lab, name)
        self.rounds = rounds
        self.address = lab.addresses[self.host("s")][0]
        self.server = None
        self.number = 0

    def serve(self):
        self.server = Natprobed(self.lab, self.host("s"))

    def stop_server(self):
        self.server.signal(signal.SIGKILL)
        self.server.wait(5)

    def code(self):
        return f"{self.name.replace('-', '')}{self.number}-tourist-submarine"

    def punch(self, side, *options, server=None, stdio=False):
        return Punch(self.lab, self.host(side), server or self.address, self.code(), "-4", *options, stdio=stdio)

    def both(self, *options, stdio=False):
        """With a code that has not been used."""
        self.number += 1
        return self.punch("x", *options, stdio=stdio), self.punch("y", *options, stdio=stdio)

    def judge(self, x, y, seconds):
        """Both reports, looked at together."""
        documents = [x.end(seconds), y.end(seconds)]
        self.note(" / ".join(punchlab.say(d) for d in documents))
        self.defects += punchlab.defects(*documents)
        return documents

    def must_connect(self, x, y, seconds):
        documents = self.judge(x, y, seconds)
        if any(d["outcome"] != "connected" for d in documents):
            self.wrong("no way")
        return documents

    def talk(self, x, y, word, seconds=5):
        """A line each way over --stdio."""
        for speaker, hearer in ((x, y), (y, x)):
            punchlab.say_until_heard(speaker, hearer, f"{word} from {speaker.host[0]}", seconds)

    def hang_up(self, x, y):
        for side in (x, y):
            side.popen.stdin.close()


# --- bad links ---

def over_bad_links(test):
    """All rounds; in every other one the way that stands has to carry a line each way."""
    connected = 0
    test.serve()
    for number in range(test.rounds):
        stdio = number % 2 == 0
        x, y = test.both("-w", "25s", stdio=stdio)
        carries = stdio and is_carrying(test, x, y)
        if carries:  # the last words of a graceful end may be lost, which is only found out by silence
            for side in (x, y):
                side.signal(signal.SIGINT)
        elif stdio:
            test.hang_up(x, y)
        documents = [x.end(80), y.end(80)]
        test.defects += [f"round {number}: {text}" for text in punchlab.defects(*documents)]
        if any(d["outcome"] != "connected" for d in documents):
            test.note(" / ".join(punchlab.say(d) for d in documents))
            continue
        connected += 1
        if stdio and not carries:
            test.wrong(f"round {number}: both claim a way, which does not carry what is said")
    test.note(f"{connected} of {test.rounds} connected")
    # the others need the right plan, and on a busy machine a NAT may stay unknown
    if test.name.startswith(("mess-FC-SR", "mess-RC-PR", "mess-PR-PR")) and connected < test.rounds:
        test.wrong("no way, though nothing was lost")


def is_carrying(test, x, y):
    """Waits for the proof on both sides, and for a line each way; false: there is none."""
    try:
        for side in (x, y):
            side.step("proof: ", 40)
        test.talk(x, y, "weather", 15)
    except (Missing, BrokenPipeError):
        return False
    return True


def register_bad_links():
    for kind, link in BAD.items():
        for pair in (("FC", "SR"), ("RC", "PR"), ("PR", "PR"), ("PX", "PX"), ("PR", "SQ")):
            for lane in LANES:
                CASES[f"{kind}-{'-'.join(pair)}-{lane}"] = (over_bad_links, PAIRS[pair[0]], PAIRS[pair[1]], link)


# --- a peer that comes late, leaves or dies ---

def come_late(test):
    test.serve()
    test.number += 1
    x = test.punch("x", "-w", "60s")
    x.step("register: done", 5)
    time.sleep(20)  # what the case is about
    y = test.punch("y", "-w", "30s")
    for document in test.must_connect(x, y, 15):
        if document["outcome"] == "connected" and document["time_ms"]["confirmed"] > 2000:
            test.wrong(f"confirmed only after {document['time_ms']['confirmed']} ms")


@case("full-cone", "port-restricted")
def late_easy(test):
    come_late(test)


@case("linux-accept", "linux-accept")
def late_low_ttl(test):
    come_late(test)


def interrupt_and_watch(test, x, y):
    y.signal(signal.SIGINT)
    began = time.monotonic()
    test.judge_one(x, 5, "peer-left")
    ms = (x.step("exchange: the peer has left", 0) - began) * 1000
    test.note(f"told after {ms:.0f} ms")
    if ms > ANSWER_MS:
        test.wrong("not told at once")
    test.judge_one(y, 5, None)


@case()
def interrupt_when_paired(test):
    test.serve()
    x, y = test.both("-w", "60s")
    x.step("exchange: the peer is there", 10)
    interrupt_and_watch(test, x, y)


@case("port-restricted", "symmetric")
def interrupt_while_punching(test):
    test.serve()
    x, y = test.both("-w", "60s")
    for side in (x, y):
        side.step("plan: ", 15)
    interrupt_and_watch(test, x, y)


@case()
def interrupt_while_talking(test):
    test.serve()
    x, y = test.both("-w", "60s", stdio=True)
    test.talk(x, y, "before", 15)
    x.popen.stdin.close()
    y.signal(signal.SIGINT)
    began = time.monotonic()
    document = x.end(5)
    ms = (time.monotonic() - began) * 1000
    test.note(f"{punchlab.say(document)}, ended {ms:.0f} ms after the signal")
    if ms > END_MS or document["exit"]:
        test.wrong(f"not told at once, or exit status {document['exit']}")
    test.defects += punchlab.defects_of_one(document)
    test.judge_one(y, 5, None)


@case()
def killed_when_paired(test):
    test.serve()
    x, y = test.both("-w", "60s")
    x.step("exchange: the peer is there", 10)
    y.signal(signal.SIGKILL)
    test.judge_one(x, 30, "peer-silent", "no-path", "silent")


def killed_when_answered(test):
    """y has answered and is gone, mostly before it can use the way: what x has proved must not be called one then."""
    test.serve()
    x, y = test.both("-w", "60s")
    y.lines.wait_for(lambda line: b'"event":"received"' in line, 15, "a packet of x")
    y.signal(signal.SIGKILL)
    test.judge_one(x, 45, "silent", "no-path", "peer-silent", None)  # None: it was quick enough


for lane in "abcd":  # only the side that chooses the way comes so far, which is a matter of chance
    CASES[f"killed-when-answered-{lane}"] = (killed_when_answered, "full-cone", "full-cone", "")


@case("port-restricted", "symmetric")
def killed_while_punching(test):
    test.serve()
    x, y = test.both("-w", "60s")
    for side in (x, y):
        side.step("plan: ", 15)
    y.signal(signal.SIGKILL)
    test.judge_one(x, 45, "peer-silent", "no-path")


@case("full-cone", "full-cone")
def frozen_while_measuring(test):
    """The last answers never come, and no ICMP error either: x has what it has after a second or so."""
    test.serve()
    x, y = test.both("-w", "60s", "-c", "20")
    x.step("proof: ", 15)
    time.sleep(0.3)  # of the round trips, one every 100 ms, some are done then
    y.signal(signal.SIGSTOP)
    test.judge_one(x, 10, None)


@case()
def killed_while_talking(test):
    test.serve()
    x, y = test.both("-w", "60s", stdio=True)
    test.talk(x, y, "before", 15)
    y.signal(signal.SIGKILL)
    document = x.end(65)
    test.note(f"{punchlab.say(document)}, exit status {document['exit']} after {x.ms / 1000:.1f} s")
    if document["exit"] != 1 or not document["errors"]:
        test.wrong(f"exit status {document['exit']}, errors {document['errors']}")


# --- servers that die, and come again ---

@case("full-cone", "symmetric")
def server_back_while_waiting(test):
    test.serve()
    test.number += 1
    x = test.punch("x", "-w", "60s")
    x.step("register: done", 5)
    test.stop_server()
    test.serve()
    test.must_connect(x, test.punch("y", "-w", "50s"), 40)


@case("linux-accept", "linux-accept")
def server_back_when_paired(test):
    test.serve()
    x, y = test.both("-w", "60s")
    x.step("exchange: the peer is there", 10)
    test.stop_server()
    test.serve()
    test.judge(x, y, 60)


@case("linux-accept", "linux-accept")
def server_back_while_punching(test):
    test.serve()
    x, y = test.both("-w", "60s")
    x.step("plan: ", 15)
    test.stop_server()
    test.serve()
    test.judge(x, y, 60)


@case()
def server_dead_while_waiting(test):
    test.serve()
    test.number += 1
    x = test.punch("x", "-w", "60s")
    x.step("register: done", 5)
    test.stop_server()
    test.judge_one(x, 35, "server-unreachable")


@case()
def server_dead_when_paired(test):
    test.serve()
    x, y = test.both("-w", "60s")
    x.step("exchange: the peer is there", 10)
    test.stop_server()
    test.judge(x, y, 35)


@case("linux-accept", "linux-accept")
def server_dead_while_punching(test):
    test.serve()
    x, y = test.both("-w", "60s")
    for side in (x, y):
        side.step("plan: ", 15)
    test.stop_server()
    test.judge(x, y, 60)


@case()
def server_hidden_from_one(test):
    test.serve()
    test.number += 1
    x = test.punch("x", "-w", "8s")
    test.judge_one(test.punch("y", "-w", "20s", server="198.51.100.250"), 8, "server-unreachable")
    test.judge_one(x, 12, "no-peer", "deadline")


@case()
def server_lost_by_one(test):
    test.serve()
    x, y = test.both("-w", "60s")
    y.step("exchange: the peer is there", 10)
    test.lab.run(y.host, "ip", "route", "add", "blackhole", test.address)
    test.judge(x, y, 45)


# --- addresses that change ---

@case("full-cone", "port-restricted")
def moved_while_waiting(test):
    test.serve()
    test.number += 1
    y = test.punch("y", "-w", "60s")
    y.step("register: done", 5)
    move(test, "y")
    x = test.punch("x", "-w", "50s")
    test.judge(x, y, 45)


@case("full-cone", "port-restricted")
def moved_when_paired(test):
    test.serve()
    x, y = test.both("-w", "60s")
    y.step("exchange: the peer is there", 10)
    move(test, "y")
    test.judge(x, y, 50)


@case("linux-accept", "linux-accept")
def moved_while_punching(test):
    test.serve()
    x, y = test.both("-w", "60s")
    y.step("plan: ", 15)
    move(test, "y")
    test.judge(x, y, 50)


@case("full-cone", "port-restricted")
def moved_while_talking(test):
    test.serve()
    x, y = test.both("-w", "60s", stdio=True)
    test.talk(x, y, "before", 15)
    move(test, "y")
    y.send("news of the new address")  # x knows it from what comes from there
    test.talk(x, y, "after", 5)
    test.hang_up(x, y)
    test.must_connect(x, y, 10)


@case("full-cone", "symmetric udp.one-way=3s udp.both-ways=3s")
def nat_forgets_while_talking(test):
    test.serve()
    x, y = test.both("-w", "60s", stdio=True)
    test.talk(x, y, "before", 15)
    time.sleep(5)  # the mapping of y ends, and the next one has another port
    y.send("news of the new port")
    test.talk(x, y, "after", 5)
    test.hang_up(x, y)
    test.must_connect(x, y, 10)


def move(test, side):
    """The host has two addresses, and loses the one that its packets leave with."""
    host = f"{side}-{test.name}"
    test.lab.run(host, "sysctl", "-qw", "net.ipv4.conf.lab0.promote_secondaries=1")
    test.lab.run(host, "ip", "address", "del", f"{test.lab.addresses[host][0]}/24", "dev", "lab0")
    test.lab.run(host, "ip", "route", "replace", "default", "dev", "lab0")


# --- all ---

def topology(names):
    lines = ["families 4"]
    for number, name in enumerate(names):
        _, x, y, link = CASES[name]
        lines.append(f"link delay=15ms hops=2 loss=0 duplicate=0 reorder=0 jitter=0 {link}")
        for side, kind in (("x", x), ("y", y)):
            lines.append(f"nat {side}-{name} kind={kind} inside=10.{number}.{'12'['xy'.index(side)]}.1/24")
        lines.append("link delay=0 hops=0 loss=0 duplicate=0 reorder=0 jitter=0")
        for side in "xy":
            net = f"10.{number}.{'12'['xy'.index(side)]}"
            lines.append(f"host {side}-{name} behind={side}-{name} address={net}.2,{net}.3")
        lines += ["link delay=5ms hops=1", f"host s-{name}"]
    return "\n".join(lines) + "\n"


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    register_bad_links()
    options = parser.parse_args()
    names = options.cases or list(CASES)
    with punchlab.Folder("udppunch-faults") as folder:
        limit_s = 90 + 8 * options.rounds
        with punchlab.Lab(folder.path, topology(names), seed=options.seed, limit_s=limit_s) as lab:
            cases = [Case(lab, name, options.rounds // len(LANES)) for name in names]
            punchlab.run_cases(cases, {name: found[0] for name, found in CASES.items()})
        for host, text in punchlab.unheard(lab.reports, pcapng.at_hosts(lab.pcap, "xy")):
            next(test for test in cases if host in (test.host("x"), test.host("y"))).wrong(text)
        folder.keep = punchlab.tell(cases)
    return folder.keep


if __name__ == "__main__":
    punchlab.main(run)
