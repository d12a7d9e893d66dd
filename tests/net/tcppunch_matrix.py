#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""tcppunch on both sides of every pair of twelve kinds of NAT, many in one natlab, with start offsets up to 1.5 s.

usage: tcppunch_matrix.py [--family 4|6] [--link PROPERTIES] [--rounds N] [--seed N] [--table] [PAIR...]

A PAIR is as ED-SQ; without any, all 78, over IPv6 the 21 of firewalls. 20 ms from one side to the other.

    FC  lets in everybody                       ED  drops a SYN that nobody has asked for
    RC  lets in an address, once sent to        ER  answers it with a RST
    SQ  another port for each peer: the next    EI  answers it with an ICMP error
    SB  one of 251, at random                   E6  the same, 6 s later (RFC 5382 REQ-4)
    SC  one of 1008                             LS  drops it also when the own SYN is out: no simultaneous open
    SR  any                                     BL  lets no TCP out

A sure pair has to connect each time; one in which both sides refuse early SYNs within 3 s in 99 of 100 runs; where
luck decides as often as the plans say, and 3 % more or less; a hopeless one never, and both sides have to say why. Both
sides must say the same, and each must see the other where the other is seen. Prints what differs; exit status 0, 1
something was wrong, 77 natlab can't run here."""

import sys

import punch_matrix
from punch_matrix import HOPELESS, LUCKY, SURE

REFUSE = {"ER", "EI"}
EASY = {"ED", "ER", "EI", "E6", "LS"}  # the same port for everybody
BANDS = {"SB", "SC"}
HARD = {"SQ", "SR"} | BANDS
SOON_MS = 3000
RARE = 0.002  # luck that cannot be believed


class TcpMatrix(punch_matrix.Matrix):
    program = "tcppunch"
    kinds = {
        "FC": "full-cone",
        "RC": "restricted",
        "ED": "linux",
        "ER": "linux tcp.unsolicited=rst",
        "EI": "linux tcp.unsolicited=icmp tcp.icmp-code=13",
        "E6": "linux tcp.unsolicited=icmp tcp.icmp-code=3 syn-silence=6s",
        "LS": "linux simultaneous-open=no",
        "SQ": "symmetric-sequential",
        "SB": "linux-random low=40000 high=40250",
        "SC": "linux-random low=40000 high=41007",
        "SR": "linux-random",
        "BL": "linux tcp.blocked=yes",
    }
    firewalls = ["ED", "ER", "EI", "E6", "LS", "BL"]  # over IPv6
    link, server_link = "delay=10ms hops=3", "delay=15ms hops=1"
    at_once = 26

    def pairs(self, family):
        pairs = punch_matrix.pairs_of(self.kinds if family == 4 else self.firewalls)
        return sorted(pairs, key=lambda pair: "BL" in pair)  # which take long, so all at once

    def limit_of(self, pair):
        """Who cannot reach the server says so after 8 s; the other one waits until it may no more."""
        return 15 if "BL" in pair else 60

    def expected(self, pair, family):
        a, b = pair.split("-")
        kinds = {a, b}
        if "BL" in kinds or kinds == {"LS"}:
            return HOPELESS
        if kinds <= REFUSE:  # 99 of 100
            return LUCKY
        if not kinds & HARD or "FC" in kinds or "RC" in kinds:
            return SURE
        # to guess a port out of all, or two out of more pairs than there can be connections, is not worth it
        if "SR" in kinds or kinds in ({"SQ", "SB"}, {"SQ", "SC"}, {"SB", "SC"}, {"SC"}):
            return HOPELESS
        return LUCKY

    def defects(self, pair, family, sides):
        if sides[0]["outcome"] == "connected":
            return punch_matrix.strategies(sides)
        if "BL" in pair:
            return blocked(pair, sides)
        found = punch_matrix.failures(sides)
        if self.expected(pair, family) == HOPELESS:
            reason = "neither NAT lets in a SYN" if pair == "LS-LS" else "to be guessed"
            # with plans its NAT was not understood
            found += [f"does not say \"{reason}\": {d['explanation']}" for d in sides
                      if not d["plans"] and reason not in punch_matrix.words_of(d)]
        return found

    def measure(self, cell, sides):
        """From the first SYN of the later side; until both have the connection, and both its proof."""
        syn = punch_matrix.later(sides, "first_packet")
        ready = max(punch_matrix.started(d) + step["t_ms"] for d in sides
                    for step in [s for s in d["steps"] if s["text"].startswith("plan: ")][:1])
        cell.times["opened"].append(punch_matrix.later(sides, "first_inbound") - syn)
        cell.times["proved"].append(punch_matrix.later(sides, "confirmed") - syn)
        cell.times["ready"].append(punch_matrix.later(sides, "confirmed") - ready)

    def columns(self, cell):
        expected = f"{100 * cell.chance():.1f} %" if cell.chances else "-"
        return [("expected", 8, expected), ("opened", 8, cell.median("opened")), ("proved", 8, cell.median("proved"))]

    def judge(self, cell, family):
        kinds = set(cell.pair.split("-"))
        if kinds <= REFUSE:
            late = cell.runs - sum(ms <= SOON_MS for ms in cell.times["ready"])
            wrong = punch_matrix.chance_of(late, cell.runs, 0.01) < 0.02
            return [f"{late} of {cell.runs} runs have not connected within 3 s"] if wrong else []
        if self.expected(cell.pair, family) != LUCKY:
            return []
        missed, chance = cell.runs - cell.connected, cell.chance()
        wrong = punch_matrix.chance_of(missed, cell.runs, 1 - chance + 0.03) < RARE
        # where ports follow each other the plans allow for others who take some, of whom there are none here; and they
        # trust no NAT that is as strict as LS
        if not kinds & {"SQ", "LS"}:
            wrong |= punch_matrix.chance_of(cell.connected, cell.runs, chance + 0.03) < RARE
        return [f"{cell.connected} of {cell.runs} runs have connected, {100 * chance:.1f} % expected"] if wrong else []


def blocked(pair, sides):
    """Whose TCP does not get out does not even reach the server, so the other side never hears of it."""
    found = []
    for kind, document in zip(pair.split("-"), sides):
        failure = "server-unreachable" if kind == "BL" else "no-peer"
        if (document["failure"], document["exit"]) != (failure, 4):
            found.append(f"{document['failure']}, exit status {document['exit']}, not {failure}")
        elif kind == "BL" and "TCP" not in punch_matrix.words_of(document):
            found.append(f"does not say that it may be TCP: {document['explanation']}")
    return found


if __name__ == "__main__":
    sys.exit(punch_matrix.main(TcpMatrix(), __doc__.splitlines()[0]))
