#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""udppunch with hostile peers (hostile_peer.c) and hostile servers (hostile_server.py), all at once in one natlab.

usage: udppunch_hostile.py [--seed N] [CASE...]

Held against it: an outcome in bounded time and no crash; third parties get at most a handful of packets, and nothing
goes to multicast, broadcast or loopback; the way is never where the peer is not; no packet has the code or the
nameplate in it, nor what --stdio carries. Exit status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import ipaddress
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import hostile_server  # noqa: E402
import pcapng  # noqa: E402
import punchlab  # noqa: E402
from punchlab import Lines, Natprobed, Process, Punch, Script  # noqa: E402

HANDFUL = 8  # packets to one address for which only one of peer and server vouches
HANDFULS = 64  # … to all of them together
VOUCHED = 120  # … to an endpoint for which both do: who is lied to by a server about both sides can't know better
LOOPBACK_PORT = hostile_server.LOOPBACK_PORT
WORDS = ("tourist", "submarine")
VICTIM_PORT = 7000
SECRETS = [word.encode() for word in WORDS] + [b"plate", b"secret line"]

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


class Case(punchlab.Case):
    """Two hosts behind NATs, x and y, and n beside x; on the internet a server, an attacker and a victim: s, h, v."""

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.watchers = []
        self.victim = self.address("v")

    def address(self, side, family=4):
        return next(a for a in self.lab.addresses[self.host(side)] if (":" in a) == (family == 6))

    def neighbour(self, number):
        """An address in the network of x."""
        return f"{self.address('x').rsplit('.', 1)[0]}.{number}"

    def code(self, number=0):
        return "-".join([f"plate{self.name.replace('-', '')}{number}", *WORDS])

    def punch(self, side, *options, server=None, code=None, stdio=False):
        return Punch(self.lab, self.host(side), server or self.address("s"), code or self.code(), *options, stdio=stdio)

    def serve(self):
        Natprobed(self.lab, self.host("s"))

    def serve_ill(self):
        """With a hostile server, of the mode that the case is named after."""
        addresses = [a for a in self.lab.addresses[self.host("s")] if ":" not in a]
        Script(self.lab, self.host("s"), "hostile_server.py", self.name, *addresses, f"{self.victim}:{VICTIM_PORT}")

    def watch_loopback(self, side):
        """Whatever comes to this port of the host's own addresses is wrong."""
        self.watchers.append(Script(self.lab, self.host(side), "hostile_loopback.py", str(LOOPBACK_PORT)))


# --- hostile servers: what has to come of it ---

PAIRED = {  # mode: what both may say, None being a way
    "honest": (None,),
    "names-victim": ("no-path", None),
    "maps-to-victim": ("no-path", None),
    "scatters": ("no-path", None),
    "names-multicast": ("no-path", None),
    "names-loopback": ("no-path", None),
    "replays": ("peer-silent", "wrong-code", "peer-left", "bad-peer"),
    "replays-sealed": ("wrong-code", "peer-left", "bad-peer", "no-common-family", None),
    "flips-share": ("wrong-code", "bad-peer", "peer-left"),
    "flips-seal": ("wrong-code", "bad-peer", "peer-left"),
    "reflects": ("wrong-code", "bad-peer", "peer-left"),
    "huge-slot": ("server-unreachable", "peer-silent", "bad-peer", "peer-left"),
    "last-version": ("peer-silent", "wrong-code", "bad-peer", "peer-left"),
    "says-left": ("peer-left", "no-path", None),
    "goes-far": ("no-path", "peer-silent", "peer-left", None),
    "goes-late": ("no-path", "peer-silent", "peer-left", None),
    "forgets-hello": ("peer-silent", "peer-left", None),
    "goes-for-one": ("no-path", "peer-silent", "peer-left", None),
    "mute": ("server-unreachable", "peer-silent"),
    "never-content": ("refused",),
    "holds-stream": ("server-unreachable",),
    "garbles-stream": ("server-unreachable",),
    "floods": ("no-path", "peer-left", None),
    "garbles": ("server-unreachable", "peer-silent", "no-path", "peer-left", None),
}


def between(test):
    """Two sides."""
    failures = PAIRED[test.name]
    if failures != (None,):
        failures += ("deadline", "no-peer")  # who is left alone waits for the other one until then
    test.serve_ill()
    if test.name == "names-loopback":
        test.watch_loopback("x")
        test.watch_loopback("y")
    sides = [test.punch(side, "-4", "-w", "22s") for side in "xy"]
    documents = [test.judge_one(side, 35, *failures) for side in sides]
    test.defects += punchlab.defects(*documents)


@case
def swaps(test):
    """Two pairs."""
    test.serve_ill()
    for side in [test.punch(side, "-4", "-w", "22s", code=test.code(pair)) for side in "xy" for pair in range(2)]:
        test.judge_one(side, 35, "wrong-code", "bad-peer", "peer-left", "peer-silent", "deadline")


def allocate(test):
    """A side without a code, and nobody else comes: the codes that it shows, and its report."""
    test.serve_ill()
    punch = Punch(test.lab, test.host("x"), test.address("s"), "-4", "-w", "8s")
    document = test.judge_one(punch, 15)
    return [event["code"] for event in punch.events() if event["event"] == "code"], document


@case
def number_nothing(test):
    codes, document = allocate(test)
    if codes or document["exit"] != 4:
        test.wrong(f"codes {codes}, exit status {document['exit']}")


@case
def number_last(test):
    codes, document = allocate(test)
    if len(codes) != 1 or not codes[0].startswith("4294967295-") or document["exit"] != 4:
        test.wrong(f"codes {codes}, exit status {document['exit']}")


# --- hostile peers ---

class Attacker(Process):
    def __init__(self, test, trick, *endpoints, server=None):
        super().__init__(test.lab, test.host("h"), f"{punchlab.BUILD}/tests/net/hostile_peer",
                         server or f"{test.address('s')}:3478", test.code(), trick, *endpoints,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = Lines(self.popen.stdout)

    def finish(self, test):
        """It has to have worked, whatever came of it."""
        status = self.wait(40)
        self.lines.thread.join(5)
        said = b"".join(line for _, line in self.lines.found).decode().strip()
        test.note(f"the attacker {said}")
        if status or not re.fullmatch("(connected|failed), [0-9]+ forged", said):
            test.wrong(f"the attacker did not work: {said}, exit status {status}")
        return said


@case
def peer_honest(test):
    """The positive control: what the attacker is without a trick."""
    test.serve()
    attacker = Attacker(test, "honest")
    test.judge_one(test.punch("x", "-4", "-w", "20s"), 30, None)
    attacker.finish(test)


@case
def peer_names(test):
    """Candidates that point at nobody, at the neighbour, and at one host with many ports."""
    test.serve()
    test.watch_loopback("x")
    named = ["224.0.0.1:5000", "255.255.255.255:5000", "0.0.0.0:9", f"[::1]:{LOOPBACK_PORT}", "[ff02::1]:5000",
             f"127.0.0.1:{LOOPBACK_PORT}", f"127.1.2.3:{LOOPBACK_PORT}", f"[::ffff:127.0.0.1]:{LOOPBACK_PORT}",
             test.victim, f"[::ffff:{test.victim}]:{VICTIM_PORT}", f"{test.neighbour(3)}:{VICTIM_PORT}",
             f"{test.neighbour(255)}:{VICTIM_PORT}", f"[{test.address('v', 6)}]:{VICTIM_PORT}"]
    named += [f"{test.victim}:{VICTIM_PORT + n}" for n in range(16 - len(named))]
    attacker = Attacker(test, "names", *named)
    test.judge_one(test.punch("x", "-w", "20s", server=test.host("s")), 30, "no-path", "deadline")
    attacker.finish(test)


@case
def peer_maps(test):
    """It meets over IPv6, and says that its IPv4 endpoint is the victim's and its ports have to be guessed."""
    test.serve()
    attacker = Attacker(test, "maps", f"{test.victim}:{VICTIM_PORT}", server=f"[{test.address('s', 6)}]:3478")
    test.judge_one(test.punch("x", "-w", "20s", server=test.host("s")), 30, "no-path", "deadline")
    attacker.finish(test)


@case
def peer_maps_tcp(test):
    """It meets over TCP, where the server sees its address and not the port of UDP, and says that it is the victim's."""
    test.serve()
    attacker = Attacker(test, "maps", f"{test.victim}:{VICTIM_PORT}")
    test.judge_one(test.punch("x", "-4", "-w", "20s"), 30, "no-path", "deadline")
    attacker.finish(test)


@case
def peer_garbage(test):
    test.serve()
    attacker = Attacker(test, "garbage")
    test.judge_one(test.punch("x", "-4", "-w", "20s"), 30, "bad-peer")
    attacker.finish(test)


def forge(test):
    """Authentic packets that seem to come from the victim: the way has to stay where the peer is."""
    test.serve()
    attacker = Attacker(test, test.name.split("-")[1], f"{test.victim}:{VICTIM_PORT}")
    x = test.punch("x", "-4", "-w", "20s", stdio=True)
    x.step("proof: ", 20)
    for number in range(100):
        x.send(f"secret line {number}")
        time.sleep(0.02)  # a datagram each
    x.popen.stdin.close()
    document = test.judge_one(x, 30)
    if document["outcome"] == "connected" and document["peer"]["address"] != test.address("h"):
        test.wrong(f"connected to {document['peer']}, where the peer is not")
    if attacker.finish(test).endswith(" 0 forged"):
        test.wrong("nothing was forged")


# --- what has been on the wire ---

def victims(test, packets):
    """Packets of x and y to hosts that have nothing to do with it, by endpoint."""
    counts = {}
    for side in "vn":
        for p in packets.get(f"host {side}-{test.name}", ()):
            if p.inbound:
                counts[p.destination] = counts.get(p.destination, 0) + 1
    return counts


def is_nobody(test, address):
    own = ipaddress.ip_network(f"{test.lab.addresses[test.host('x')][0]}/24", strict=False)
    ip = ipaddress.ip_address(address)
    return ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip in (
        ipaddress.ip_address("255.255.255.255"), own.broadcast_address)


def by_address(counts):
    sums = {}
    for endpoint, n in counts.items():
        sums[endpoint[0]] = sums.get(endpoint[0], 0) + n
    return sums


def check_victims(test, packets):
    counts = victims(test, packets)
    if not counts:
        return
    sides = 2 if test.name in PAIRED else 1
    total, most = sum(counts.values()), max(by_address(counts).values())
    test.note(f"victims got {total} packets, up to {most} at one address and {max(counts.values())} at one endpoint")
    if test.name in ("maps-to-victim", "scatters"):
        if max(counts.values()) > VOUCHED * sides:
            test.wrong(f"one endpoint got {max(counts.values())} packets")
    elif most > HANDFUL * sides or total > HANDFULS * sides:
        test.wrong(f"third parties got {total} packets, up to {most} at one address")


def check_nobody(test, packets):
    found = {p.destination[0] for side in "xy" for p in packets.get(f"host {side}-{test.name}", ())
             if not p.inbound and is_nobody(test, p.destination[0])}
    found |= {line.decode().strip() for watcher in test.watchers for _, line in watcher.lines.found[1:]}
    if found:
        test.wrong(f"packets went to {', '.join(sorted(found))}")


def check_secrets(data):
    """No packet of anybody has a word of the code, the nameplate or a line of --stdio in it."""
    data = data.lower()
    return [f"on the wire: {secret.decode()}" for secret in SECRETS if secret in data]


def crashes(folder, test):
    """What a sanitizer has said on standard error."""
    found = []
    for side in "xy":
        path = f"{folder}/{test.host(side)}.err"
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                found += [line.strip() for line in file if "Sanitizer" in line or "runtime error" in line]
    return found


# --- all ---

FORGED = ("peer-asks", "peer-nominates", "peer-talks")
CASES.update(dict.fromkeys(PAIRED, between) | dict.fromkeys(FORGED, forge))


def topology(names):
    lines = ["families 4,6"]
    for n, name in enumerate(names):
        lines.append("link delay=15ms hops=2")
        kind = "full-cone" if name in FORGED else "port-restricted"  # which lets in what is forged, or not
        for m, side in enumerate("xy"):
            lines.append(f"nat {side}-{name} kind={kind} inside=10.{n}.{m}.1/24")
        lines.append("link delay=0 hops=0")
        for m, side in enumerate("xy"):
            lines.append(f"host {side}-{name} behind={side}-{name} address=10.{n}.{m}.2")
        lines += [f"host n-{name} behind=x-{name} address=10.{n}.0.3", "link delay=5ms hops=1"]
        lines += [f"host s-{name}", f"host v-{name}"]
        lines.append(f"host h-{name} filter={'udp' if name.endswith('-tcp') else 'none'}")
    return "\n".join(lines) + "\n"


def check_wire(cases, lab):
    """What was wrong with all of it together; what is of one case is noted there."""
    packets = pcapng.at_hosts(lab.pcap, "xyvn")
    with open(lab.pcap, "rb") as file:
        data = file.read()
    for host, text in punchlab.unheard(lab.reports, packets):
        next(test for test in cases if host in (test.host("x"), test.host("y"))).wrong(text)
    for test in cases:
        check_victims(test, packets)
        check_nobody(test, packets)
    found = check_secrets(data)
    if {"peer-talks"} & {test.name for test in cases} and not any(
            p.payload[:1] == punchlab.CHANNEL[0] for p in packets["host x-peer-talks"]):
        found.append("no data in the capture: what it does not show means nothing")
    print(f"{len(data)} bytes of packets")
    return found


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    with punchlab.Folder("udppunch-hostile") as folder:
        with punchlab.Lab(folder.path, topology(names), seed=options.seed) as lab:
            cases = [Case(lab, name) for name in names]
            punchlab.run_cases(cases, CASES)
        found = check_wire(cases, lab)
        for test in cases:
            test.defects += crashes(folder.path, test)
        folder.keep = punchlab.tell(cases) or found
    for text in found:
        print(f"WRONG: {text}")
    return folder.keep


if __name__ == "__main__":
    punchlab.main(run)
