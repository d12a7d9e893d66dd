#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""udppunch on both sides of every pair of eight kinds of NAT, all in one natlab, with start offsets up to 1.5 s.

usage: udppunch_matrix.py [--family 4|6] [--link PROPERTIES] [--rounds N] [--seed N] [--table] [PAIR...]

A PAIR is as PR-SQ; without any, all 36. A sure pair has to connect, one of chance may, and a hopeless one may not and
has to say why; both sides must say the same, and each must see the other where the other is seen. Prints what differs;
exit status 0, 1 something was wrong, 77 natlab can't run here."""

import sys

import punch_matrix

# Linux, that is PX and SB, has no NAT over IPv6 here, only its firewall
HOPELESS = {4: {"SQ-SR", "SB-SR", "SR-SR"}, 6: {"SQ-SR", "SR-SR"}}
LUCKY = {4: {"PR-SB", "PX-SB", "PR-SR", "PX-SR", "SB-SB", "SQ-SB"}, 6: {"PR-SR", "PX-SR", "SB-SR"}}


class UdpMatrix(punch_matrix.Matrix):
    program = "udppunch"
    kinds = {
        "FC": "full-cone",
        "RC": "restricted",
        "PR": "port-restricted",
        "PX": "linux-accept",
        "SQ": "symmetric-sequential",
        "SB": "linux-random low=40000 high=40250",
        "SR": "symmetric",
        "NO": "udp-blocked",
    }

    def expected(self, pair, family):
        if pair in HOPELESS[family] or "NO" in pair:
            return punch_matrix.HOPELESS
        return punch_matrix.LUCKY if pair in LUCKY[family] else punch_matrix.SURE

    def defects(self, pair, family, sides):
        if sides[0]["outcome"] == "connected":
            return []
        found = punch_matrix.failures(sides)
        for document in sides if "NO" in pair and not found else ():
            if not any("UDP" in line for line in document["explanation"]["certain"]):
                found.append(f"does not say that UDP is blocked: {document['explanation']['certain']}")
        return found

    def measure(self, cell, sides):
        """From the moment at which both know each other, as they measure it themselves; the later one."""
        cell.times["confirmed"].append(max(document["time_ms"]["confirmed"] for document in sides))

    def columns(self, cell):
        expected = f"{sum(cell.chances):.1f}" if cell.chances else "-"
        return [("expected", 8, expected), ("confirmed (median)", 18, cell.median("confirmed"))]


if __name__ == "__main__":
    sys.exit(punch_matrix.main(UdpMatrix(), __doc__.splitlines()[0]))
