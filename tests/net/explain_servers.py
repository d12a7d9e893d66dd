# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Staged failures of servers: closed, silent, lying, and answering from elsewhere."""

from explain_case import natlab
from explain_run import Want


@natlab(Want("x", "refused-by-server", where="server", device="server", hops=7, certainty="likely"))
def port_closed(test):
    """Nobody listens at the port, and the host says so."""
    test.probe(test.address())
    test.statuses(1)
    test.staged("3/3 in the report", all(
        any(e["icmp"] and (e["icmp"]["type"], e["icmp"]["code"], e["icmp"]["from"]) == (3, 3, test.address())
            for e in run.document["evidence"]) for run in test.runs))


@natlab(Want("x", "refused-by-server", where="server", device="server", certainty="possible"))
def port_closed_tcp(test):
    """The same over TCP: a RST of the server's host."""
    test.badserver("good")
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    told = [e["connection"]["outcome"] for run in test.runs for e in run.document["evidence"]
            if e["transport"] == "tcp" and e["connection"]]
    test.staged(f"connections: {set(told)}", set(told) == {"refused"})


@natlab(Want("x", "refused-by-server", where="server", device="server", certainty="likely"))
def port_closed_punch(test):
    """udppunch at a closed port."""
    told = test.rule("x", "input", f"ip saddr {test.address()} icmp type destination-unreachable icmp code 3")
    test.punch("udppunch", sides="x", options=("-w", "10s"))
    test.hit(told)
    test.statuses(4)
    test.failures("server-unreachable")


@natlab(Want("x", "refused-by-server", where="server", device="server", certainty="possible"))
def port_closed_tcppunch(test):
    """tcppunch at a closed port."""
    told = test.rule("x", "input", f"ip saddr {test.address()} tcp flags & rst == rst")
    test.punch("tcppunch", sides="x", options=("-w", "10s"))
    test.hit(told)
    test.statuses(4)
    test.failures("server-unreachable")


@natlab(Want("x", "server-silent", where="server", certainty="likely", without=("blocked-on-path",)))
def server_silent(test):
    """The server hears the questions, and never answers."""
    test.badserver("silent")
    heard = test.rule("s", "input", "udp dport 3478")
    test.probe(test.address())
    test.statuses(1)
    test.hit(heard)


@natlab(Want("x", "lying-server", where="server", certainty="likely"), hosts="stu")
def lying_server(test):
    """Of three servers one tells of a false endpoint."""
    test.badserver("liar")
    test.serve("t", "u")
    test.probe(test.address(), test.address("t"), test.address("u"))
    test.staged("disagrees", all(any("disagrees" in server["defects"] for server in run.document["servers"])
                                 for run in test.runs))


@natlab(Want("x", "other-endpoint", "lying-server", where="server", certainty="likely"), x="kind=full-cone")
def wrong_source(test):
    """The server answers from its other address and port, whatever was asked."""
    test.badserver("wrong-source")
    come = test.rule("x", "input", f"ip saddr {test.address(number=1)} udp sport 3479")
    test.probe(test.address())
    test.hit(come)
    test.staged("wrong-source", all("wrong-source" in run.document["servers"][0]["defects"] for run in test.runs))


@natlab(Want("x", "other-endpoint", where=("server", "path"), certainty="likely"), x="kind=full-cone")
def answers_moved(test):
    """A NAT in front of the server gives its answers another port."""
    test.serve()
    test.rule("s", "output", "udp sport 3478", "udp sport set 13478")
    come = test.rule("x", "input", "udp sport 13478")
    test.probe(test.address())
    test.hit(come)


@natlab(Want("x", "lying-server", where="server", certainty="likely"))
def garbage(test):
    """The server sends bytes that are no STUN."""
    test.badserver("garbage")
    test.probe(test.address())
    test.statuses(1, 4)
    test.staged("malformed", all("malformed" in run.document["servers"][0]["defects"] for run in test.runs))


@natlab(Want("x", None, also=("peer-absent",), cites=False, problems=True))
def peer_offline(test):
    """Nobody else comes to the rendezvous: nothing is wrong with the network."""
    test.serve()
    test.punch("udppunch", sides="x", options=("-w", "5s"))
    test.failures("no-peer", "deadline")
