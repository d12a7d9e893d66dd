#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""udppunch --stdio from host to peer of lab.sh, with somebody on the path between them (mitm.py) in isp.

usage: udppunch_mitm.py FOLDER SERVER

Packets that are repeated, altered, or come from elsewhere are refused, and counted; the way stays where it is, and each
line comes at most once. Exit status 0, or 1 something was wrong."""

import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import punchlab  # noqa: E402
from punchlab import Missing, Punch, Script  # noqa: E402

LINES = 60
ADDRESSES = {"host": "192.0.2.11", "peer": "192.0.2.194"}  # outside
DIVERTED = (("cust", ADDRESSES["peer"]), ("cust2", ADDRESSES["host"]))


def divert(verb):
    """What the two send each other goes into the device of the man in the middle, or no more."""
    for interface, to in DIVERTED:
        subprocess.run(["ip", "-n", "isp", "rule", verb, "iif", interface, "to", to, "lookup", "200"], check=True)


def begin(lab, mode):
    man = Script(lab, "isp", "mitm.py", "mitm0", mode, stdin=subprocess.PIPE)
    for words in (["link", "set", "mitm0", "up"], ["route", "add", "default", "dev", "mitm0", "table", "200"]):
        subprocess.run(["ip", "-n", "isp", *words], check=True)
    divert("add")
    return man


def end(man):
    """What it has done."""
    man.popen.stdin.close()
    man.wait(5)
    man.lines.thread.join(5)
    divert("del")
    return json.loads(man.lines.found[-1][1])


def talk(sides):
    for side, other in (sides, reversed(sides)):
        punchlab.say_until_heard(side, other, f"are you there, {other.host}?", 20)
    for number in range(LINES):
        for side in sides:
            side.send(f"secret line {number} of {side.host}")
        time.sleep(0.02)  # one datagram each
    for side in sides:
        side.popen.stdin.close()


def secrets(hearer):
    return [line.decode().strip() for _, line in hearer.received.found if b"secret" in line]


def check_lines(hearer, speaker, least):
    heard = secrets(hearer)
    known = {f"secret line {number} of {speaker.host}" for number in range(LINES)}
    found = []
    if set(heard) - known:
        found.append(f"{hearer.host} has heard what nobody said: {set(heard) - known}")
    if len(heard) != len(set(heard)):
        found.append(f"{hearer.host} has heard {len(heard) - len(set(heard))} lines twice")
    if len(heard) < least:
        found.append(f"{hearer.host} has heard {len(heard)} of {LINES} lines")
    return found


def check_way(document, host, other):
    peer, mapped = document["peer"], document["mapped"]
    if document["outcome"] != "connected":
        return [f"{host}: {document['failure']}"]
    if peer["address"] != ADDRESSES[other] or (mapped and mapped["address"] != ADDRESSES[host]):
        return [f"{host} is at {mapped}, and its peer at {peer}"]
    return []


def check(mode, sides, documents, counts):
    found = punchlab.defects(*documents)
    for side, other, document in zip(sides, reversed(sides), documents):
        found += check_way(document, side.host, other.host)
        found += check_lines(side, other, LINES * 2 // 3)
        refused = sum(attempt["packets_refused"] for attempt in document["attempts"])
        forged = counts["forged"].get(ADDRESSES[side.host], 0)
        print(f"{mode}: {side.host} {punchlab.say(document)}, {refused} refused of {forged}, "
              f"{len(secrets(side))} of {LINES} lines")
        if mode == "after" and refused != forged:
            found.append(f"{side.host} has refused {refused} of {forged}")
    return found


def run(lab, server, mode):
    man = begin(lab, mode)
    sides = [Punch(lab, name, server, f"{mode}-tourist-submarine", "-4", "-w", "30s", stdio=True) for name in ADDRESSES]
    try:
        talk(sides)
        documents, found = [side.end(20) for side in sides], []
    except (Missing, OSError) as error:
        documents, found = None, [str(error)]
    counts = end(man)
    print(f"{mode}: {counts}")
    if documents:
        found += check(mode, sides, documents, counts)
    if counts["readable"] or not counts["moved"]:
        found.append("it could read what was said, or nothing came by")
    return found


def on_one_cpu():
    """Two first packets that cross in a Linux NAT on two processors can give one of them another port: two mappings of
    one flow, one each for what comes and goes. This test asks who is believed, and wants the ports that it knows."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main(folder, server):
    on_one_cpu()
    lab = punchlab.Namespaces(folder)
    wrong = 0
    for mode in ("after", "ahead"):
        for text in run(lab, server, mode):
            print(f"    WRONG: {mode}: {text}")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
