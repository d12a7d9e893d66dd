# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A punching tool on both sides of pairs of NATs, many pairs in one natlab, each side at a random moment of 1.5 s.

What udppunch_matrix.py and tcppunch_matrix.py share: a Matrix says what the NATs are and what is expected of each pair,
and main() runs it. Nothing here knows about a transport."""

import argparse
import collections
import datetime
import itertools
import json
import math
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
SERVERS = {4: ["198.51.100.1", "203.0.113.1"], 6: ["2001:db8:100::1", "2001:db8:113::1"]}
SKIP = 77
SURE, LUCKY, HOPELESS = "sure", "lucky", "hopeless"  # what becomes of a pair: connects; may; may not and says why


class Matrix:
    program = ""
    kinds = {}  # two letters, and what natlab is told
    link, server_link = "delay=25ms hops=3", "delay=5ms hops=1"
    at_once = 36  # pairs in one natlab
    limit_s = 60

    def expected(self, pair, family):
        raise NotImplementedError

    def limit_of(self, _pair):
        return self.limit_s

    def defects(self, _pair, _family, _sides):
        """What is wrong with the two reports of a pair, besides what disagreements() and failures() find."""
        return []

    def judge(self, _cell, _family):
        """What is wrong with all runs of a pair together."""
        return []

    def columns(self, cell):
        """(title, width, text) for each column of the table between those that all have."""
        raise NotImplementedError

    def measure(self, cell, sides):
        """Takes the times of a run that has connected."""
        raise NotImplementedError

    def pairs(self, _family):
        return pairs_of(self.kinds)

    def topology(self, pairs, link, server_link):
        lines = [f"link {self.link} {link}"]
        for pair in pairs:
            for side, kind in zip("xy", pair.split("-")):
                lines.append(f"nat {side}-{pair} kind={self.kinds[kind]}")
        lines.append("link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0")
        lines += [f"host {side}-{pair} behind={side}-{pair}" for pair in pairs for side in "xy"]
        lines += [f"link {self.server_link} {server_link}", "host server"]
        return "\n".join(lines) + "\n"


def pairs_of(kinds):
    return [f"{a}-{b}" for a, b in itertools.combinations_with_replacement(kinds, 2)]


class Cell:
    """What came of all runs of a pair."""

    def __init__(self, pair):
        self.pair = pair
        self.runs = self.connected = self.wrong = 0
        self.chances = []
        self.times = collections.defaultdict(list)
        self.strategies = collections.Counter()

    def chance(self):
        return statistics.mean(self.chances) if self.chances else 0

    def median(self, name):
        return f"{statistics.median(self.times[name]):.0f} ms" if self.times[name] else "-"


# --- one run ---

def run(matrix, folder, pairs, options):
    with open(f"{folder}/matrix.lab", "w", encoding="ascii") as out:
        out.write(matrix.topology(pairs, options.link, options.server_link))
    servers = SERVERS[options.family]
    meet = servers[0] if options.family == 4 else f"[{servers[0]}]"
    limit_s = max(matrix.limit_of(pair) for pair in pairs) + 20
    command = [f"{BUILD}/natlab", f"{folder}/matrix.lab", f"-{options.family}", "-w", f"{limit_s}s", "--seed",
               str(options.seed), "--daemon", "server", shlex.join([f"{BUILD}/natprobed", "-q", *servers])]
    if options.keep:
        command += ["--pcap", f"{folder}/matrix.pcapng"]
    for number, pair in enumerate(pairs):
        for side in "xy":
            name = f"{folder}/{side}-{pair}"
            punch = shlex.join([f"{BUILD}/{matrix.program}", f"-{options.family}", "-r", meet, "-J", "-w",
                                f"{matrix.limit_of(pair)}s", "-o", f"{name}.json", f"{number}-tourist-submarine"])
            command += ["--host", f"{side}-{pair}@0-1500ms", f"{punch} 2>{name}.err; echo $? >{name}.status"]
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=limit_s + 20,
                              check=False).returncode


def read_side(path):
    """What the tool has written there, and its exit status as "exit"."""
    with open(f"{path}.json", encoding="utf-8") as file:
        lines = file.read().splitlines()
    if not lines:
        raise ValueError(f"{path}: empty")
    document = json.loads(lines[-1])["report"]
    with open(f"{path}.status", encoding="ascii") as file:
        document["exit"] = int(file.read())
    return document


def chance(document):
    """That one of its plans succeeds, as they say themselves."""
    return 1 - math.prod(1 - plan["chance"] for plan in document["plans"])


def moment(document, part):
    """When it has come so far, in ms of the time of day; None: never."""
    times = document["time_ms"]
    if not times or None in (times["register"], times["exchange"], times[part]):
        return None
    return started(document) + times["register"] + times["exchange"] + times[part]


def started(document):
    return datetime.datetime.fromisoformat(document["time"].replace("Z", "+00:00")).timestamp() * 1000


def later(sides, part):
    """The later one of both moments."""
    return max(moments(sides, part), default=None)


def earlier(sides, part):
    return min(moments(sides, part), default=None)


def moments(sides, part):
    return [at for at in (moment(document, part) for document in sides) if at is not None]


# --- what is wrong ---

def disagreements(sides):
    """Of two sides that both have connected."""
    x, y = sides
    found = [f"exit status {d['exit']}" for d in sides if d["exit"] != 0]
    found += [f"loss {d['loss']} over TCP" for d in sides if d["transport"] == "tcp" and d["loss"] != 0]
    if (x["mapped"], y["mapped"]) != (y["peer"], x["peer"]):
        found.append(f"x is seen as {x['mapped']} and y sends to {y['peer']}; "
                     f"y is seen as {y['mapped']} and x sends to {x['peer']}")
    return found


def strategies(sides):
    """What they disagree about where the connection comes about by what both do: not by the first packet of one."""
    x, y = (document["strategy"] for document in sides)
    return [f"x says {x}, y says {y}"] if x != y else []


def failures(sides):
    """Of two sides that both have failed: each has to say why."""
    found = []
    for document in sides:
        explanation = document["explanation"] or {}
        if document["failure"] != "no-path" or document["exit"] != 1:
            found.append(f"{document['failure']}, exit status {document['exit']}")
        elif not explanation["certain"] or not explanation["likely"] or not explanation["try_next"]:
            found.append(f"no explanation: {explanation}")
    return found


def words_of(document):
    explanation = document["explanation"] or {}
    return " ".join([document["reason"] or "", *explanation.get("certain", []), *explanation.get("likely", [])])


def defects(matrix, pair, family, sides):
    """What is wrong with the two reports of a pair; luck is not."""
    x, y = sides
    expected = matrix.expected(pair, family)
    if x["outcome"] != y["outcome"]:
        return [f"x says {x['outcome']} ({x['failure']}), y says {y['outcome']} ({y['failure']})"]
    if x["outcome"] == "connected":
        found = ["connected against all odds: too good to be true"] if expected == HOPELESS else []
        found += disagreements(sides)
    else:
        found = ["no way"] if expected == SURE else []
    return found + matrix.defects(pair, family, sides)


def chance_of(least, runs, chance_of_one):
    """That at least so many of the runs come out so."""
    p = min(max(chance_of_one, 0), 1)
    return 1 - sum(math.comb(runs, k) * p ** k * (1 - p) ** (runs - k) for k in range(least))


def check(matrix, folder, pairs, options, cells):
    for pair in pairs:
        cell = cells.setdefault(pair, Cell(pair))
        cell.runs += 1
        try:
            sides = [read_side(f"{folder}/{side}-{pair}") for side in "xy"]
        except (OSError, ValueError) as error:
            cell.wrong += 1
            print(f"{pair}: no report: {error}")
            continue
        found = defects(matrix, pair, options.family, sides)
        cell.chances.append(chance(sides[0]))
        if found:
            cell.wrong += 1
            print(f"{pair}: {'; '.join(found)}")
            for side, document in zip("xy", sides):
                print(f"    {side}: " + " | ".join(step["text"] for step in document["steps"][-6:]))
        if sides[0]["outcome"] == sides[1]["outcome"] == "connected":
            cell.connected += 1
            cell.strategies[sides[0]["strategy"]] += 1
            matrix.measure(cell, sides)


def keep_reports(folder, pairs, options, cells, before):
    """Of the pairs that were wrong this time; what went over the links, too."""
    wrong = [pair for pair in pairs if cells[pair].wrong > before.get(pair, 0)]
    if not options.keep or not wrong:
        return
    place = f"{options.keep}/{options.seed}"
    shutil.copytree(folder, place, dirs_exist_ok=True)
    print(f"    {' '.join(wrong)}: {place}")


# --- all runs ---

def print_table(matrix, cells):
    titles = [(title, width) for title, width, _ in matrix.columns(Cell(""))]
    print(f"{'pair':7} {'runs':>4}  connected  " +
          "".join(f"{title:>{width}}  " for title, width in titles) + "strategies")
    for cell in cells.values():
        strategies = ", ".join(f"{name} {count}" for name, count in sorted(cell.strategies.items()))
        print(f"{cell.pair:7} {cell.runs:4}  {cell.connected:9}  " +
              "".join(f"{text:>{width}}  " for _, width, text in matrix.columns(cell)) + strategies)


def run_round(matrix, options, cells):
    """0, or the exit status to end with."""
    for i in range(0, len(options.pairs), options.at_once):
        pairs = options.pairs[i:i + options.at_once]
        before = {pair: cell.wrong for pair, cell in cells.items()}
        with tempfile.TemporaryDirectory(prefix=f"{matrix.program}-matrix.") as folder:
            status = run(matrix, folder, pairs, options)
            if status != 0:
                with open(f"{folder}/natlab.log", encoding="utf-8") as log:
                    print(f"natlab's exit status is {status}: {log.read().strip()}")
                return SKIP if status == 3 and not cells else 1
            check(matrix, folder, pairs, options, cells)
            keep_reports(folder, pairs, options, cells, before)
        options.seed += 1
    return 0


def main(matrix, description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--link", default="", help="more properties of the links between the NATs")
    parser.add_argument("--server-link", default="", help="more of the server's, which decides how far off both begin")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=matrix.at_once, help="pairs in one natlab")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--keep", help="a folder for reports and captures of what was wrong")
    parser.add_argument("pairs", nargs="*", metavar="PAIR")
    options = parser.parse_args()
    options.pairs = options.pairs or matrix.pairs(options.family)
    cells = {}
    for _ in range(options.rounds):
        status = run_round(matrix, options, cells)
        if status:
            return status
    if options.table:
        print_table(matrix, cells)
    for cell in cells.values():
        for text in matrix.judge(cell, options.family):
            cell.wrong += 1
            print(f"{cell.pair}: {text}")
    wrong = sum(cell.wrong for cell in cells.values())
    print(f"{sum(c.runs for c in cells.values())} runs over IPv{options.family}, "
          f"{sum(c.connected for c in cells.values())} connected, {wrong} wrong; links: {options.link or 'good'}"
          f"{', the server: ' * bool(options.server_link)}{options.server_link}")
    return 1 if wrong else 0
