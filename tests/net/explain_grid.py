#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""natprobe behind the NATs of natlab's grid (natlab_grid.py) with loss: no cause may be named, for nothing is wrong.

usage: explain_grid.py [--runs N] [--loss PERCENT] [--seed N] [--stage-only]

One run of four is without the privilege to capture. What a NAT is told to be is no false alarm: where the mapping
depends on the destination, that may be said. Prints what is wrong; exit status 0, 1 something was wrong, 77 natlab
can't run here."""

import argparse
import json
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
import explain_run  # noqa: E402
import natlab_grid  # noqa: E402
import punchlab  # noqa: E402

ALLOCATIONS = ("random", "preserving", "sequential", "band", "block")
CAPTURE_STATES = {True: "on", False: "not-permitted"}


def command(folder, name, captures, nothing):
    """The report comes on standard output: who is nobody can open no file."""
    probe = shlex.join([*([] if captures else nothing), f"{punchlab.BUILD}/natprobe", "-j", "-t", "udp,hairpin",
                        natlab_grid.SERVERS[4][0]])
    return ["--host", f"{name}@0-1500ms", f"{probe} >{shlex.quote(f'{folder}/{name}.json')} 2>/dev/null"]


def run(folder, allocation, cells, options, nothing):
    """natlab's exit status."""
    with open(f"{folder}/grid.lab", "w", encoding="ascii") as out:
        out.write(natlab_grid.topology(allocation, options.loss))
    line = [f"{punchlab.BUILD}/natlab", f"{folder}/grid.lab", "-4", "-w", "60s", "--seed", str(options.seed),
            "--daemon", "server", shlex.join([f"{punchlab.BUILD}/natprobed", "-q", *natlab_grid.SERVERS[4]])]
    for number, cell in enumerate(cells):
        line += command(folder, cell[0], number % 4 != 3, nothing)
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90,
                              check=False).returncode


def is_alarm(cause, cell):
    return cause["id"] != "dependent-mapping" or cell[1] == natlab_grid.WORDS[0]


def judge(document, cell, captures, stage_only):
    found = [] if all(server["status"] == "ok" for server in document["servers"]) else ["a server is not ok"]
    if stage_only:
        return found
    state = document["capture"]["state"]
    if state != CAPTURE_STATES[captures]:
        found.append(f"capture: {state}")
    found += [f"{cause['id']} ({cause['certainty']}): {cause['title']}: {cause['detail']}"
              for cause in document["causes"] if is_alarm(cause, cell)]
    return found + explain_run.judge_places(document)


def lost(document):
    """Packets of questions that were answered in the end."""
    return sum(max(0, e["awaited"] - e["received"]) for e in document["evidence"] if e["received"])


def check(folder, allocation, cells, stage_only, counts):
    for number, cell in enumerate(cells):
        counts["runs"] += 1
        try:
            with open(f"{folder}/{cell[0]}.json", encoding="utf-8") as file:
                document = json.load(file)
            found = judge(document, cell, number % 4 != 3, stage_only)
            counts["lost"] += lost(document)
        except (OSError, ValueError, KeyError, TypeError) as error:
            found = [f"the report: {type(error).__name__}: {error}"]
        counts["wrong"] += bool(found)
        for text in found:
            print(f"WRONG: {allocation} {cell[0]} (seed {counts['seed']}): {text}")


def run_all(options):
    counts = {"runs": 0, "wrong": 0, "lost": 0}
    nothing = explain_run.without_privilege()
    with punchlab.Folder("explain-grid") as folder:
        while counts["runs"] < options.runs:
            allocation = ALLOCATIONS[options.seed % len(ALLOCATIONS)]
            cells = natlab_grid.cells()[:options.runs - counts["runs"]]
            counts["seed"] = options.seed
            status = run(folder.path, allocation, cells, options, nothing)
            if status not in (0, 5):
                with open(f"{folder.path}/natlab.log", encoding="utf-8") as log:
                    said = f"natlab's exit status is {status}: {log.read().strip()[-500:]}"
                if status == 3 and not counts["runs"]:
                    raise punchlab.Impossible(said)
                print(f"WRONG: {allocation}: {said}")
                return 1
            check(folder.path, allocation, cells, options.stage_only, counts)
            options.seed += 1
        folder.keep = bool(counts["wrong"])
    print(f"{counts['runs']} runs, {options.loss} % loss, {counts['lost']} packets missed: {counts['wrong']} wrong")
    return counts["wrong"] or (options.loss and not counts["lost"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--loss", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stage-only", action="store_true")
    options = parser.parse_args()
    punchlab.main(lambda: run_all(options))


if __name__ == "__main__":
    main()
