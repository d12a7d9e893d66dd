# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Healthy runs for the catalogue: no cause may be named, and no problem be found."""

from explain_case import kernel, natlab
from explain_run import Want

WELL = Want("x")
BOTH = (Want("x"), Want("y"))


def probe(test, *argv, family=4):
    test.serve()
    address = test.address(family=family)
    test.probe(*argv, f"[{address}]" if family == 6 else address)
    well(test)


def punch(test, program):
    test.serve()
    test.punch(program)
    well(test, "xy")


def well(test, sides="x"):
    """5: on a busy machine something may stay unknown."""
    for side in sides:
        test.statuses(*((0, 5) if sides == "x" else (0,)), side=side)
    problems = {problem for run in test.runs for problem in run.problems()}
    test.staged(f"problems found: {problems or 'none'}", not problems)


@natlab(WELL, x="kind=none")
def healthy_open(test):
    """No NAT."""
    probe(test)
    test.ladder_text(test.address())


@natlab(WELL, x="kind=firewall")
def healthy_firewall(test):
    """A firewall without NAT."""
    probe(test)


@natlab(WELL, x="kind=one-to-one")
def healthy_one_to_one(test):
    """An external address of one's own."""
    probe(test)


@natlab(WELL, x="kind=full-cone")
def healthy_full_cone(test):
    """All questions about UDP and TCP."""
    probe(test, "-t", "udp,hairpin,tcp")


@natlab(WELL, x="kind=port-restricted")
def healthy_port_restricted(test):
    """The usual NAT."""
    probe(test)


@natlab(WELL, x="kind=rfc4787")
def healthy_rfc4787(test):
    """All that the RFCs ask for, and all questions."""
    probe(test, "-t", "udp,hairpin,tcp,tcp-hairpin,icmp")


@natlab(WELL, x="kind=linux")
def healthy_linux(test):
    """A Linux router."""
    probe(test)


@natlab(WELL, x="kind=cgnat")
def healthy_cgnat(test):
    """A carrier's NAT."""
    probe(test)


@natlab(WELL, x="kind=firewall")
def healthy_ipv6(test):
    """IPv6 behind a firewall."""
    probe(test, family=6)


@natlab(WELL, x="kind=port-restricted", outer="kind=full-cone")
def healthy_double(test):
    """Two NATs."""
    probe(test)


@kernel(WELL)
def healthy_nftables(test):
    """masquerade of nftables, UDP and TCP."""
    test.serve()
    test.probe("-t", "udp,tcp", test.address())
    well(test)


@natlab(*BOTH, y="kind=port-restricted")
def healthy_udppunch(test):
    """A punch over UDP."""
    punch(test, "udppunch")


@natlab(*BOTH, y="kind=port-restricted")
def healthy_tcppunch(test):
    """A punch over TCP."""
    punch(test, "tcppunch")


@kernel(*BOTH, y="masquerade-drop")
def healthy_udppunch_nftables(test):
    """A punch between NATs of nftables."""
    test.serve()
    test.punch("udppunch")
    well(test, "xy")


@natlab(*BOTH, x="kind=port-restricted", y="kind=none")
def healthy_icmppunch(test):
    """A knock without a server."""
    test.knock("-w", "20s")
    well(test, "xy")
