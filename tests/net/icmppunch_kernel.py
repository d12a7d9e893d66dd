#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What came of the runs of knock-kernel.sh: a line for each cell, and what is wrong.

usage: icmppunch_kernel.py FOLDER KINDS RUN...     each run NUMBER:WHO:FAMILY:EXPECTED:VARIANT
       icmppunch_kernel.py FOLDER --sum | --table

Exit status 0, or 1 something was wrong."""

import collections
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True
import punch_matrix  # noqa: E402
import punchlab  # noqa: E402

WORST = 0.982  # of 256 flows and 1016 ports that are tried one is right; and then it is tried again
OUTSIDE = {  # how a host is seen, or how its addresses begin
    "public4": "192.0.2.100", "host4": "192.0.2.11", "host6": "2001:db8:1::", "srv4": "198.51.100.10",
    "srv6": "2001:db8:51::", "open4": "192.0.2.210", "open6": "2001:db8:40::2", "strict4": "192.0.2.226",
    "strict6": "2001:db8:50::2"}


class Run:
    def __init__(self, folder, kinds, text):
        self.number, self.who, self.family, self.expected, self.variant = text.split(":")
        self.waits, self.knocks = (punch_matrix.read_side(f"{folder}/{self.number}-{side}")
                                   for side in ("wait", "knock"))
        self.host = OUTSIDE["public4" if kinds[0] == "public" and self.family == "4" else "host" + self.family]
        self.from_ = OUTSIDE[self.who + self.family]
        self.errors_get_in = kinds[0] != "no-errors"
        self.is_alone = kinds[0] not in ("one-to-one", "full-cone")  # there datagrams of other runs get in

    def sides(self):
        return self.waits, self.knocks

    def connected(self):
        return self.waits["outcome"] == self.knocks["outcome"] == "connected"

    def ms(self):
        """From the moment when both were there to the proof, of the later side."""
        ready = max(punch_matrix.started(d) + d["time_ms"]["register"] for d in self.sides())
        return punch_matrix.later(self.sides(), "confirmed") - ready

    def defects(self):
        found = [f"{name}: {text}" for name, document in (("waits", self.waits), ("knocks", self.knocks))
                 for text in punchlab.defects_of_one(document) + self.counts(document)
                 if not text.startswith("failed, no-peer, but exit")]  # see failure()
        if self.waits["outcome"] != self.knocks["outcome"]:
            return found + [f"who waits has {self.waits['outcome']}, and who knocks has {self.knocks['outcome']}"]
        if not self.connected():
            return found + self.failure()
        if self.expected == "failed":
            found.append("connected: too good to be true")
        return found + self.agreement()

    def counts(self, document):
        knock = document["knock"]
        waits = document is self.waits
        if self.variant:  # what it counts is its own affair
            return []
        if knock["role"] != ("wait" if waits else "knock"):
            return [f"role {knock['role']}"]
        found = []
        if knock["met"] != (document["outcome"] == "connected") and document["failure"] != "no-path":
            found.append(f"{document['outcome']}, but met: {knock['met']}")
        if knock["stale"] or knock["replayed"] or (waits and knock["foreign"] and self.is_alone):
            found.append(f"there was nobody else: {knock}")
        if knock["unsent"]:
            found.append(f"nothing keeps it from sending: {knock}")
        return found

    def agreement(self):
        found = punch_matrix.disagreements(self.sides())
        for document, right in ((self.waits, self.host), (self.knocks, self.from_)):
            if not (document["mapped"] or {}).get("address", "").startswith(right):
                found.append(f"{document['knock']['role']}: seen as {document['mapped']}, not at {right}")
        return found

    def failure(self):
        found = [] if self.expected != "connected" else ["no way"]
        for name, document, way in (("waits", self.waits, ("no-peer", 4)), ("knocks", self.knocks, ("no-peer", 1))):
            if (document["failure"], document["exit"]) not in (way, ("no-path", 1)):
                found.append(f"{name}: {document['failure']}, exit status {document['exit']}")
        return found + self.explanations()

    def explanations(self):
        found = []
        for name, document in (("waits", self.waits), ("knocks", self.knocks)):
            e = document["explanation"] or {}
            if not e.get("certain") or not e.get("likely") or not e.get("try_next"):
                found.append(f"{name}: no explanation: {e}")
            found += [f"{name}: says \"{word}\", which is false: {e}" for word in self.lies(document)
                      if word in " ".join(sum(e.values(), []))]
        said = " ".join(sum(self.knocks["explanation"].values(), []))
        if self.variant:
            return found
        if self.who == "strict" and self.family == "4" and "this side's NAT or firewall drops ICMP errors" not in said:
            found.append(f"knocks: does not say that its NAT drops them: {self.knocks['explanation']}")
        if not self.errors_get_in and "other side lets no ICMP errors in" not in said:
            found.append(f"knocks: does not say that the other side's NAT drops them: {self.knocks['explanation']}")
        if self.who == "open" and self.family == "4" and self.from_ not in said:
            found.append(f"knocks: does not say how it is seen: {self.knocks['explanation']}")
        return found

    def lies(self, document):
        """What nobody may say here."""
        words = ["the server", "nameplate", "at none", "clock that differs", "no route", "recorded"]
        if document is self.knocks and self.who == "srv":
            words += ["this side's NAT", "is private"]
        if document is self.knocks and self.who == "open" and not self.variant:
            words.append("drops ICMP errors that belong to no flow")
        if document is self.knocks and self.family == "6":
            words += ["is private", "this side's NAT"]
        return words


def tell(run):
    for name, document in (("waits", run.waits), ("knocks", run.knocks)):
        print(f"    {run.number} {name}: {document['outcome']} ({document['failure']}), knock {document['knock']}: " +
              " | ".join(f"{step['t_ms']:.0f} {step['text']}" for step in document["steps"][-8:]))


def check(folder, kinds, texts):
    cells = collections.OrderedDict()
    wrong = 0
    for text in texts:
        run = Run(folder, kinds, text)
        cells.setdefault((run.who, run.family, run.expected, run.variant), []).append(run)
        found = run.defects()
        wrong += bool(found)
        for word in found:
            print(f"{' '.join(kinds)}, {run.who}, IPv{run.family}: {word}")
        if found:
            tell(run)
    for (who, family, expected, variant), runs in cells.items():
        wrong += finish(folder, kinds, who, family, expected, variant, runs)
    return wrong


def finish(folder, kinds, who, family, expected, variant, runs):
    """The line of a cell; whether luck was too bad to be luck."""
    kind = kinds[-1] if family == "6" else kinds[0]
    times = [run.ms() for run in runs if run.connected()]
    cell = {"kind": kind, "who": who, "family": family, "variant": variant, "runs": len(runs), "times": times}
    with open(f"{folder}/cells", "a", encoding="ascii") as file:
        file.write(json.dumps(cell) + "\n")
    unlucky = expected == "lucky" and \
        punch_matrix.chance_of(len(runs) - len(times), len(runs), 1 - WORST) < 0.002
    print(f"{head(cell)}{columns(cell)}{'  ' * bool(variant)}{variant}{'  TOO FEW' * unlucky}", flush=True)
    return unlucky


def head(cell):
    return f"{cell['kind']:24} {cell['who']:7} IPv{cell['family']}"


def columns(cell):
    """So many have connected, and the median and the 95th of a hundred times that took."""
    times = sorted(cell["times"])
    connected = f"{len(times):6} of {cell['runs']:3}"
    if not times:
        return f"{connected} {'-':>9} {'-':>9}"
    late = times[min(len(times) - 1, len(times) * 95 // 100)]
    return f"{connected} {statistics.median(times):6.0f} ms {late:6.0f} ms"


def read_cells(folder):
    if not os.path.exists(f"{folder}/cells"):
        return []
    with open(f"{folder}/cells", encoding="ascii") as file:
        return [json.loads(line) for line in file]


def table(folder):
    """A line for each cell with all its runs, and side by side the variants."""
    rows = collections.OrderedDict()
    for cell in read_cells(folder):
        row = rows.setdefault((cell["kind"], cell["who"], cell["family"]), {})
        whole = row.setdefault(cell["variant"], {**cell, "runs": 0, "times": []})
        whole["runs"] += cell["runs"]
        whole["times"] += cell["times"]
    variants = sorted({variant for row in rows.values() for variant in row})
    print(f"{'who waits is behind':24} {'knocks':12}" +
          "".join(f"{variant or 'connected':>13} {'median':>9} {'95 %':>9}" for variant in variants))
    for row in rows.values():
        print((head(next(iter(row.values()))) + "".join(
            columns(row[variant]) if variant in row else " " * 33 for variant in variants)).rstrip())
    return 0


def main(folder, first, *texts):
    if first == "--table":
        return table(folder)
    if first != "--sum":
        return check(folder, first.split(), texts)
    cells = read_cells(folder)
    print(f"{sum(cell['runs'] for cell in cells)} runs, {sum(len(cell['times']) for cell in cells)} connected")
    return not cells


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
