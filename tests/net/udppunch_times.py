#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Whether the times in udppunch's report are those of the packets on the wire, between NATs that need one attempt.

usage: udppunch_times.py [--rounds N] [--seed N]

Each pair is run N times, all at once in one natlab, and its capture is read. From the moment at which the later side
knows the other one to the later proof it may take one and a half round trips, as the median of all runs. Exit status
0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import random
import statistics
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
import pcapng  # noqa: E402
import punchlab  # noqa: E402
import rendezvous as rv  # noqa: E402
import stuncodec as stun  # noqa: E402
from punchlab import Missing, Natprobed, Punch  # noqa: E402

PAIRS = {"FC-FC": ("full-cone", "full-cone"), "FC-PR": ("full-cone", "port-restricted"),
         "RC-PR": ("restricted", "port-restricted"), "PR-PR": ("port-restricted", "port-restricted")}
DELAY_MS = 25  # of a NAT's link
RTT_MS = 4 * DELAY_MS
SHARE_BYTES = 1 + 32  # of a slot: what is behind it is sealed
PUNCH, STATE, ECHO, HEARD = 0x5D8, 0xDA90, 0xDA91, 2
SPANS_MIN = 9
TYPICAL_MS, RARE_MS = 8, 60  # how far off a time may be: in the median, and in four of five; others had to wait


class Wire:
    """What happened at one host, in seconds of the time of day; None: it did not."""

    def __init__(self, packets):
        self.registered = self.joined = self.has_hello = self.said_hello = None
        self.first_packet = self.first_inbound = self.proved = None
        self.asked = set()
        for packet in packets:
            try:
                message = stun.decode(packet.payload)
            except stun.Malformed:
                continue
            self.take(packet, message)

    def first(self, name, t_s):
        if getattr(self, name) is None:
            setattr(self, name, t_s)

    def take(self, packet, message):
        join, news, punch = ((rv.kind(rv.JOIN, rv.SUCCESS), rv.kind(rv.JOIN, rv.REQUEST)),
                             rv.kind(rv.NEWS, rv.INDICATION),
                             (rv.kind(PUNCH, rv.REQUEST), rv.kind(PUNCH, rv.SUCCESS)))
        sealed = len(message.attributes.get(rv.SLOT, b"")) > 4 + SHARE_BYTES
        if message.kind in (*join, news):
            if message.kind == join[1]:
                self.first("joined", packet.t_s)
            elif packet.inbound and message.kind == join[0]:
                self.first("registered", packet.t_s)
            if sealed:
                self.first("has_hello" if packet.inbound else "said_hello", packet.t_s)
        elif message.kind in punch:
            self.take_punch(packet, message, message.kind == punch[0])

    def take_punch(self, packet, message, is_request):
        if not packet.inbound:
            self.first("first_packet", packet.t_s)
            if is_request:
                self.asked.add((message.ident, packet.destination))
            return
        self.first("first_inbound", packet.t_s)
        if self.is_proof(packet, message, is_request):
            self.first("proved", packet.t_s)

    def is_proof(self, packet, message, is_request):
        """An answer to a request that went there; or a request that says that there has been one."""
        if not is_request:
            return (message.ident, packet.source) in self.asked
        echo = struct.pack("!I", stun.COOKIE) + message.attributes.get(ECHO, b"")
        return message.attributes[STATE][1] & HEARD or (echo, packet.source) in self.asked

    def exchanged(self):
        """Both hellos are there; or, if the way was proved before that, the first packet of the peer."""
        both = max(self.has_hello or float("inf"), self.said_hello or float("inf"))
        return both if both <= self.proved else self.first_inbound


def differences(document, events, wire):
    """By name, how much later the report says that it was than the wire, in ms."""
    times = document["time_ms"]
    start = wire.registered - times["register"] / 1000
    exchanged = wire.registered + times["exchange"] / 1000
    step = next(e["t_ms"] for e in events if e["event"] == "step" and e["text"].startswith("register: over"))
    sent = next(e["t_ms"] for e in events if e["event"] == "sent")
    found = {"register": start + step / 1000 - wire.joined, "exchange": exchanged - wire.exchanged(),
             "sent": start + sent / 1000 - wire.first_packet, "rtt": (document["rtt_ms"] - RTT_MS) / 1000}
    for name, wired in (("first_packet", wire.first_packet), ("first_inbound", wire.first_inbound),
                        ("confirmed", wire.proved)):
        # what was before the moment from which they count is 0
        if times[name]:
            found[name] = exchanged + times[name] / 1000 - wired
    return {name: s * 1000 for name, s in found.items()}


# --- the runs ---

def topology(names):
    lines = ["families 4", f"link delay={DELAY_MS}ms hops=3"]
    for name in names:
        for side, kind in zip("xy", PAIRS[name.rsplit("-", 1)[0]]):
            lines.append(f"nat {side}-{name} kind={kind}")
    lines.append("link delay=0 hops=0")
    lines += [f"host {side}-{name} behind={side}-{name}" for name in names for side in "xy"]
    return "\n".join([*lines, "link delay=5ms hops=1", "host server"]) + "\n"


def run_pair(lab, name, offset_s, results):
    try:
        time.sleep(offset_s)
        sides = [Punch(lab, f"{side}-{name}", lab.addresses["server"][0], f"{name.replace('-', '')}-tourist-submarine",
                       "-4", "-w", "20s") for side in "xy"]
        documents = [side.end(30) for side in sides]
        results[name] = [(document, side.events()) for document, side in zip(documents, sides)]
    except Missing as missing:
        results[name] = missing


def run_all(folder, names, seed):
    chance = random.Random(seed)
    results = {}
    with punchlab.Lab(folder, topology(names), seed=seed) as lab:
        Natprobed(lab, "server")
        threads = [threading.Thread(target=run_pair, args=(lab, name, chance.uniform(0, 3), results), daemon=True)
                   for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return results, pcapng.at_hosts(lab.pcap, "xy")


# --- what comes of it ---

def judge_pair(name, result, packets, found, deviations, spans):
    if isinstance(result, Missing):
        found.append(f"{name}: {result}")
        return
    wires = [Wire(packets[f"host {side}-{name}"]) for side in "xy"]
    for (document, events), wire, side in zip(result, wires, "xy"):
        if document["outcome"] != "connected":
            found.append(f"{name}: {side} {document['failure']}")
            return
        for what, ms in differences(document, events, wire).items():
            deviations.setdefault(what, []).append(ms)
    spans.append((max(w.proved for w in wires) - max(w.exchanged() for w in wires)) * 1000)


def check(names, results, packets):
    """What is wrong; prints the figures."""
    found, deviations, spans = [], {}, []
    for name in names:
        judge_pair(name, results[name], packets, found, deviations, spans)
    for what, all_ms in deviations.items():
        off = sorted(abs(ms) for ms in all_ms)
        typical, rare, worst = statistics.median(off), off[len(off) * 4 // 5], max(all_ms, key=abs)
        print(f"{what}: off by {typical:.2f} ms in the median, {worst:.2f} ms at worst, {len(all_ms)} times")
        if typical > TYPICAL_MS or rare > RARE_MS:
            found.append(f"{what} is not what was on the wire")
    if len(spans) < SPANS_MIN:
        return [*found, f"only {len(spans)} runs"]
    median = statistics.median(spans)
    print(f"from the moment when both know each other to both proofs: {median:.1f} ms, {min(spans):.1f} to "
          f"{max(spans):.1f} ms in {len(spans)} runs; a round trip takes {RTT_MS} ms")
    if median > 1.5 * RTT_MS:
        found.append("too slow")
    return found


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = [f"{pair}-{number}" for number in range(options.rounds) for pair in PAIRS]
    with punchlab.Folder("udppunch-times") as folder:
        results, packets = run_all(folder.path, names, options.seed)
        found = check(names, results, packets)
        folder.keep = bool(found)
    for text in found:
        print(f"WRONG: {text}")
    return found


if __name__ == "__main__":
    punchlab.main(run)
