#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""natprobe -t icmp behind NATs that differ in what they do with ICMP, all in one natlab.

usage: natlab_icmp.py [--loss PERCENT] [--rounds N] [--seed N] [--family 4|6]

The verdicts are held against what each NAT was told to be; with loss, "unknown" is no error. Prints what differs; exit
status 0, 1 something was wrong, 77 natlab can't run here."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
SERVERS = {4: ["198.51.100.1", "203.0.113.1"], 6: ["2001:db8:100::1", "2001:db8:113::1"]}
SKIP = 77

# what is true behind a NAT that follows RFC 5508; lists: each of them is right
RIGHT = {
    "nat": [True], "echo": [True], "mapping": ["endpoint-independent"], "port_preservation": ["always"],
    "errors_arrive.udp": ["always"], "errors_arrive.tcp": ["always"], "errors_arrive.attempt": ["always"],
    "quotes.right": [True], "errors_end_mapping": [False], "errors_end_connection": [False],
    "errors_end_attempt": [True], "path_mtu_errors": [True], "egress.untracked": ["dropped"],
    "egress.translated": [True],
}
# what the NAT is told, and where that makes a difference
CASES = {
    "right": ("", {}),
    "open": ("untracked-outward=forwarded", {"egress.untracked": ["inside-source"]}),
    "byaddress": ("icmp.mapping=address-dependent icmp.ports=random",
                  {"mapping": ["address-dependent"], "port_preservation": ["never"]}),
    "random": ("icmp.ports=random", {"port_preservation": ["never"]}),
    # what does not arrive at all cannot be looked at
    "noerrors": ("errors-inward=no",
                 {"errors_arrive.udp": ["never"], "errors_arrive.tcp": ["never"], "errors_arrive.attempt": ["never"],
                  "quotes.right": [None], "errors_end_mapping": [None], "errors_end_connection": [None],
                  "errors_end_attempt": [None], "path_mtu_errors": [False]}),
    "noexceeded": ("errors-blocked=time-exceeded+parameter",
                   {"errors_arrive.udp": ["sometimes"], "errors_arrive.tcp": ["sometimes"],
                    "errors_arrive.attempt": ["sometimes"]}),
    "nomtu": ("errors-blocked=too-big",
              {"errors_arrive.udp": ["sometimes"], "errors_arrive.tcp": ["sometimes"], "path_mtu_errors": [False]}),
    "ends": ("errors-end-mapping=yes", {"errors_end_mapping": [True], "errors_end_connection": [True]}),
    "checksum": ("errors-quoted=wrong-checksum", {"quotes.right": [False]}),
    # sockets do not get these; of a connection that is not theirs either
    "untranslated": ("errors-quoted=untranslated",
                     {"errors_arrive.udp": ["never"], "errors_arrive.tcp": ["never", "unknown"],
                      "errors_arrive.attempt": ["never"], "quotes.right": [False], "errors_end_mapping": [None],
                      "errors_end_connection": [None], "errors_end_attempt": [None],
                      "path_mtu_errors": [False]}),
}


def groups(family):
    """Over IPv6 all come from one /64, for which natprobed sends only so much in a minute: one at a time."""
    return [list(CASES)] if family == 4 else [[name] for name in CASES]


def topology(options, names):
    link = "delay=10ms hops=2"
    if options.loss:
        link += f" loss={options.loss}% jitter=5ms duplicate=2%"
    lines = [f"link {link}"]
    for name in names:
        lines.append(f"nat {name} kind=port-restricted {CASES[name][0]}")
    lines.append("link delay=0 hops=0 loss=0 jitter=0 duplicate=0")
    lines += [f"host {name} behind={name}" for name in names]
    lines += ["link delay=5ms hops=1", "host server"]
    return "\n".join(lines) + "\n"


def run(folder, options, names):
    with open(f"{folder}/icmp.lab", "w", encoding="ascii") as out:
        out.write(topology(options, names))
    servers = SERVERS[options.family]
    command = [f"{BUILD}/natlab", f"{folder}/icmp.lab", f"-{options.family}", "-w", "60s", "--seed",
               str(options.seed), "--daemon", "server",
               shlex.join([f"{BUILD}/natprobed", "-q", *servers])]
    for name in names:
        probe = shlex.join([f"{BUILD}/natprobe", "-j", "-t", "icmp", "-w", "20s", "-o", f"{folder}/{name}.json",
                            servers[0] if options.family == 4 else f"[{servers[0]}]"])
        command += ["--host", f"{name}@0-1500ms", f"{probe} 2>/dev/null"]
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90,
                              check=False).returncode


def look(block, path):
    for key in path.split("."):
        block = block[key]
    return block


def check(folder, options, counts):
    for name, (_, different) in CASES.items():
        counts["runs"] += 1
        try:
            with open(f"{folder}/{name}.json", encoding="utf-8") as file:
                block = json.load(file)["icmp"][f"ipv{options.family}"]
            os.unlink(f"{folder}/{name}.json")
        except (OSError, ValueError) as error:
            print(f"{name}: no report: {error}")
            counts["wrong"] += 1
            continue
        wanted = {**RIGHT, **different}
        found = [(path, look(block, path)) for path in wanted if look(block, path) not in wanted[path]]
        unknown = [d for d in found if d[1] in ("unknown", None)]
        wrong = found if not options.loss else [d for d in found if d not in unknown]
        counts["unknown"] += bool(unknown)
        counts["wrong"] += bool(wrong)
        for path, have in wrong:
            print(f"{name}: {path} is {have}, not {' or '.join(map(str, wanted[path]))}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    options = parser.parse_args()
    counts = {"runs": 0, "wrong": 0, "unknown": 0}
    with tempfile.TemporaryDirectory(prefix="natlab-icmp.") as folder:
        for _ in range(options.rounds):
            for names in groups(options.family):
                status = run(folder, options, names)
                if status in (0, 5):
                    continue
                with open(f"{folder}/natlab.log", encoding="utf-8") as log:
                    print(f"natlab's exit status is {status}: {log.read().strip()}")
                return SKIP if status == 3 and not counts["runs"] else 1
            check(folder, options, counts)
            options.seed += 1
    print(f"{counts['runs']} runs over IPv{options.family}, {options.loss} % loss: {counts['wrong']} wrong, "
          f"{counts['unknown']} with something unknown")
    return 1 if counts["wrong"] else 0


sys.exit(main())
