#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""natprobe behind every NAT of a grid, all in one natlab: 4 mappings x 4 filterings x 3 hairpins x port allocations.

usage: natlab_grid.py [--loss PERCENT] [--rounds N] [--seed N] [--family 4|6] [ALLOCATION...]

Every host starts at its own time within 1.5 s. Verdicts are held against what the NAT was told to be; with
loss, "unknown" is no error. Prints what differs; exit status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
WORDS = ["endpoint-independent", "address-dependent", "port-dependent",
         "address-and-port-dependent"]
HAIRPINS = ["none", "external", "internal"]
ALLOCATIONS = {
    "preserving": "ports=preserving",
    "preserving-random": "ports=preserving collision=random",
    "overload": "ports=preserving collision=overload",
    "parity": "ports=random parity=yes",
    "sequential": "ports=sequential low=20000",
    "sequential-2": "ports=sequential step=2 low=20000",
    "random": "ports=random",
    "band": "ports=random low=40000 high=40999",
    "block": "ports=random block=2016",
}
SERVERS = {4: ["198.51.100.1", "203.0.113.1"], 6: ["2001:db8:100::1", "2001:db8:113::1"]}
SKIP = 77


def cells():
    return [(f"{hairpin}-{m}-{f}", WORDS[m], WORDS[f], hairpin)
            for hairpin in HAIRPINS for m in range(4) for f in range(4)]


def topology(allocation, loss):
    link = "delay=10ms hops=2"
    if loss:
        link += f" loss={loss}% jitter=5ms reorder=5% duplicate=2%"
    lines = [f"link {link}"]
    for name, mapping, filtering, hairpin in cells():
        lines.append(f"nat {name} kind=symmetric mapping={mapping} filtering={filtering} "
                     f"hairpin={hairpin} {ALLOCATIONS[allocation]}")
    lines.append("link delay=0 hops=0 loss=0 jitter=0 reorder=0 duplicate=0")
    lines += [f"host {name} behind={name}" for name, *_ in cells()]
    lines += ["link delay=5ms hops=1", "host server"]
    return "\n".join(lines) + "\n"


def run(folder, allocation, options):
    with open(f"{folder}/grid.lab", "w", encoding="ascii") as out:
        out.write(topology(allocation, options.loss))
    servers = SERVERS[options.family]
    command = [f"{BUILD}/natlab", f"{folder}/grid.lab", f"-{options.family}", "-w", "60s", "--seed",
               str(options.seed), "--daemon", "server",
               shlex.join([f"{BUILD}/natprobed", "-q", *servers])]
    for name, *_ in cells():
        probe = shlex.join([f"{BUILD}/natprobe", "-j", "-t", "udp,hairpin", "-o", f"{folder}/{name}.json",
                            servers[0] if options.family == 4 else f"[{servers[0]}]"])
        command += ["--host", f"{name}@0-1500ms", f"{probe} 2>/dev/null"]
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90,
                              check=False).returncode


def hairpin_expected(mapping, filtering, hairpin, family):
    """What one host can see: over IPv4 its own system drops a packet from outside that has its own source."""
    if mapping == filtering == WORDS[3]:
        return [None]
    seen = hairpin == "external" or (hairpin == "internal" and family == 6)
    return [seen] if WORDS[0] in (mapping, filtering) else [seen, None]


def ports_expected(allocation, mapping):
    """Pattern and preservation; with a mapping that depends on the remote endpoint much may be."""
    if mapping != WORDS[0]:
        return {}
    patterns = {"preserving": "preserving", "preserving-random": "preserving", "overload": "preserving",
                "parity": "random", "sequential": "sequential", "sequential-2": "sequential",
                "random": "random", "band": "band", "block": "band"}
    preservation = "always" if patterns[allocation] == "preserving" else "never"
    return {"pattern": [patterns[allocation]], "port_preservation": [preservation]}


def differences(block, allocation, cell, family):
    _, mapping, filtering, hairpin = cell
    early = ["delivered"] if filtering == WORDS[0] else ["silent", "unknown"]
    wanted = {"nat": [True], "mapping": [mapping], "filtering": [filtering], "early_packet": early,
              "hairpin": hairpin_expected(mapping, filtering, hairpin, family),
              **ports_expected(allocation, mapping)}
    block["pattern"] = block["port_allocation"]["pattern"]
    return [(key, block[key], words) for key, words in wanted.items() if block[key] not in words]


def check(folder, allocation, options, counts):
    for cell in cells():
        path = f"{folder}/{cell[0]}.json"
        counts["runs"] += 1
        try:
            with open(path, encoding="utf-8") as file:
                block = json.load(file)["udp"][f"ipv{options.family}"]
            os.unlink(path)
        except (OSError, ValueError) as error:
            print(f"{allocation} {cell[0]}: no report: {error}")
            counts["wrong"] += 1
            continue
        found = differences(block, allocation, cell, options.family)
        unknown = [d for d in found if d[1] in ("unknown", None)]
        wrong = found if not options.loss else [d for d in found if d not in unknown]
        counts["unknown"] += bool(unknown)
        counts["wrong"] += bool(wrong)
        for key, have, words in wrong:
            print(f"{allocation} {cell[0]}: {key} is {have}, not {' or '.join(map(str, words))}; "
                  f"{block['reasons']}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("allocations", nargs="*", default=list(ALLOCATIONS))
    options = parser.parse_args()
    counts = {"runs": 0, "wrong": 0, "unknown": 0}
    with tempfile.TemporaryDirectory(prefix="natlab-grid.") as folder:
        for _ in range(options.rounds):
            for allocation in options.allocations:
                status = run(folder, allocation, options)
                if status not in (0, 5):
                    with open(f"{folder}/natlab.log", encoding="utf-8") as log:
                        print(f"{allocation}: natlab's exit status is {status}: {log.read().strip()}")
                    return SKIP if status == 3 and not counts["runs"] else 1
                check(folder, allocation, options, counts)
                options.seed += 1
    print(f"{counts['runs']} runs over IPv{options.family}, {options.loss} % loss: {counts['wrong']} wrong, "
          f"{counts['unknown']} with something unknown")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
