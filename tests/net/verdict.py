#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Holds a natprobe report (stdin) against what `kinds` says of a kind of router.

usage: verdict.py [--loose] [--unknown COLUMN,...] [--any COLUMN,...] [--table FILE] [--family F] [--tcp] KIND

Prints what differs; exit status 0 right, 1 wrong, 5 right so far but something is unknown. --loose:
unknown is never wrong (for runs with loss). --unknown: these columns must be unknown (what
a server cannot tell), whatever the kind is; --any: these are not looked at; --table: another file in place
of `kinds`, with this family's line of the kind; --tcp: what the report says of TCP."""

import argparse
import json
import os
import sys

COLUMNS = ("family nat mapping filtering port_preservation pattern pooling early_packet hairpin "
           "rfc3489_class").split()


def expected(kind, table, family):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), table)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if words and words[0] == kind and family in ("", words[1]):
                return dict(zip(COLUMNS, words[1:]))
    sys.exit(f"verdict.py: no kind {kind}")


def found(report, transport, family):
    block = report[transport][family]
    facts = {key: block.get(key) for key in COLUMNS}
    facts["family"] = family
    facts["pattern"] = block["port_allocation"]["pattern"]
    return {key: "null" if value is None else str(value).lower() if isinstance(value, bool)
            else value for key, value in facts.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loose", action="store_true")
    parser.add_argument("--unknown", default="")
    parser.add_argument("--any", default="")
    parser.add_argument("--early", action="store_true", help="the server reports no ICMP")
    parser.add_argument("--table", default="kinds")
    parser.add_argument("--family", default="")
    parser.add_argument("--tcp", action="store_const", const="tcp", default="udp")
    parser.add_argument("kind")
    arguments = parser.parse_args()
    want = expected(arguments.kind, arguments.table, arguments.family)
    have = found(json.load(sys.stdin), arguments.tcp, want["family"])
    status = 0
    for key in COLUMNS:
        word = "unknown" if key in arguments.unknown.split(",") else want[key]
        if key == "early_packet" and arguments.early and word in ("silent", "reject"):
            word = "unknown"  # who sees no ICMP error at the server can't tell these two apart
        if word in ("any", have[key]) or key in arguments.any.split(","):
            continue
        if have[key] in ("unknown", "null") and arguments.loose:
            print(f"{arguments.kind}: {key} is unknown, not {word}")
            status = status or 5
            continue
        print(f"{arguments.kind}: {key} is {have[key]}, not {word}")
        status = 1
    return status


sys.exit(main())
