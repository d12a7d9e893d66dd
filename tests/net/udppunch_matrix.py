#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""udppunch on both sides of every pair of eight kinds of NAT, all in one natlab, with start offsets up to 1.5 s.

usage: udppunch_matrix.py [--family 4|6] [--link PROPERTIES] [--rounds N] [--seed N] [--table] [PAIR...]

A PAIR is as PR-SQ; without any, all 36. A sure pair has to connect, one of chance may, and a hopeless one may not and
has to say why; both sides must say the same, and each must see the other where the other is seen. Prints what differs;
exit status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
KINDS = {
    "FC": "full-cone",
    "RC": "restricted",
    "PR": "port-restricted",
    "PX": "linux-accept",
    "SQ": "symmetric-sequential",
    "SB": "linux-random low=40000 high=40250",
    "SR": "symmetric",
    "NO": "udp-blocked",
}
# Linux, that is PX and SB, has no NAT over IPv6 here, only its firewall
HOPELESS = {4: {"SQ-SR", "SB-SR", "SR-SR"}, 6: {"SQ-SR", "SR-SR"}}
CHANCE = {4: {"PR-SB", "PX-SB", "PR-SR", "PX-SR", "SB-SB", "SQ-SB"}, 6: {"PR-SR", "PX-SR", "SB-SR"}}
SERVERS = {4: ["198.51.100.1", "203.0.113.1"], 6: ["2001:db8:100::1", "2001:db8:113::1"]}
SKIP = 77


def pair_names():
    return [f"{a}-{b}" for a, b in itertools.combinations_with_replacement(KINDS, 2)]


def topology(pairs, link):
    lines = [f"link delay=25ms hops=3 {link}"]
    for pair in pairs:
        for side, kind in zip("xy", pair.split("-")):
            lines.append(f"nat {side}-{pair} kind={KINDS[kind]}")
    lines.append("link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0")
    lines += [f"host {side}-{pair} behind={side}-{pair}" for pair in pairs for side in "xy"]
    lines += ["link delay=5ms hops=1", "host server"]
    return "\n".join(lines) + "\n"


def run(folder, options):
    with open(f"{folder}/matrix.lab", "w", encoding="ascii") as out:
        out.write(topology(options.pairs, options.link))
    servers = SERVERS[options.family]
    meet = servers[0] if options.family == 4 else f"[{servers[0]}]"
    command = [f"{BUILD}/natlab", f"{folder}/matrix.lab", f"-{options.family}", "-w", "80s", "--seed",
               str(options.seed), "--daemon", "server", shlex.join([f"{BUILD}/natprobed", "-q", *servers])]
    for number, pair in enumerate(options.pairs):
        for side in "xy":
            punch = shlex.join([f"{BUILD}/udppunch", f"-{options.family}", "-r", meet, "-j", "-w", "60s", "-o",
                                f"{folder}/{side}-{pair}.json", f"{number}-tourist-submarine"])
            command += ["--host", f"{side}-{pair}@0-1500ms",
                        f"{punch} 2>{folder}/{side}-{pair}.err; echo $? >{folder}/{side}-{pair}.status"]
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=100,
                              check=False).returncode


def read_side(folder, side, pair):
    with open(f"{folder}/{side}-{pair}.json", encoding="utf-8") as file:
        document = json.load(file)
    with open(f"{folder}/{side}-{pair}.status", encoding="ascii") as file:
        document["exit"] = int(file.read())
    return document


def defects(pair, sides, family):
    """What is wrong with the two reports of a pair; luck is not."""
    x, y = sides
    found = []
    if x["outcome"] != y["outcome"]:
        return [f"x says {x['outcome']} ({x['failure']}), y says {y['outcome']} ({y['failure']})"]
    if x["outcome"] == "connected":
        if pair in HOPELESS[family] or "NO" in pair:
            found.append("connected against all odds: too good to be true")
        if (x["mapped"], y["mapped"]) != (y["peer"], x["peer"]):
            found.append(f"x is seen as {x['mapped']} and y sends to {y['peer']}; "
                         f"y is seen as {y['mapped']} and x sends to {x['peer']}")
        found += [f"exit status {d['exit']}" for d in sides if d["exit"] != 0]
        return found
    if pair not in HOPELESS[family] | CHANCE[family] and "NO" not in pair:
        found.append("no way")
    for document in sides:
        explanation = document["explanation"] or {}
        if document["failure"] != "no-path" or document["exit"] != 1:
            found.append(f"{document['failure']}, exit status {document['exit']}")
        elif not explanation["certain"] or not explanation["likely"] or not explanation["try_next"]:
            found.append(f"no explanation: {explanation}")
        elif "NO" in pair and not any("UDP" in line for line in explanation["certain"]):
            found.append(f"does not say that UDP is blocked: {explanation['certain']}")
    return found


def confirmed_ms(sides):
    """From the moment at which both know each other, as they measure it themselves; the later one."""
    return max(document["time_ms"]["confirmed"] for document in sides)


def chance(document):
    """That one of its plans succeeds, as they say themselves."""
    missed = 1.0
    for plan in document["plans"]:
        missed *= 1 - plan["chance"]
    return 1 - missed


def check(folder, options, results):
    for pair in options.pairs:
        result = results.setdefault(pair, {"runs": 0, "connected": 0, "wrong": 0, "ms": [], "strategies": {}, "chances": []})
        result["runs"] += 1
        try:
            sides = [read_side(folder, side, pair) for side in "xy"]
        except (OSError, ValueError) as error:
            result["wrong"] += 1
            print(f"{pair}: no report: {error}")
            continue
        found = defects(pair, sides, options.family)
        result["chances"].append(chance(sides[0]))
        if found:
            result["wrong"] += 1
            print(f"{pair}: {'; '.join(found)}")
            for side, document in zip("xy", sides):
                print(f"    {side}: " + " | ".join(step["text"] for step in document["steps"][-6:]))
        if sides[0]["outcome"] == "connected":
            result["connected"] += 1
            result["ms"].append(confirmed_ms(sides))
            strategy = sides[0]["strategy"]
            result["strategies"][strategy] = result["strategies"].get(strategy, 0) + 1


def print_table(results):
    print("pair    runs  connected  expected  confirmed (median)  strategies")
    for pair, result in results.items():
        strategies = ", ".join(f"{name} {count}" for name, count in sorted(result["strategies"].items()))
        time = f"{statistics.median(result['ms']):.0f} ms" if result["ms"] else "-"
        expected = f"{sum(result['chances']):.1f}" if result["chances"] else "-"
        print(f"{pair:7} {result['runs']:4}  {result['connected']:9}  {expected:>8}  {time:>18}  {strategies}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--link", default="")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("pairs", nargs="*", default=pair_names())
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="udppunch-matrix.") as folder:
        for _ in range(options.rounds):
            status = run(folder, options)
            if status != 0:
                with open(f"{folder}/natlab.log", encoding="utf-8") as log:
                    print(f"natlab's exit status is {status}: {log.read().strip()}")
                return SKIP if status == 3 and not results else 1
            check(folder, options, results)
            options.seed += 1
    if options.table:
        print_table(results)
    wrong = sum(result["wrong"] for result in results.values())
    print(f"{sum(r['runs'] for r in results.values())} runs over IPv{options.family}, "
          f"{sum(r['connected'] for r in results.values())} connected, {wrong} wrong; links: {options.link or 'good'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
