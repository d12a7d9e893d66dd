# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Staged failures of this host: its own firewall, its routes, its checks of what comes in."""

import re
import subprocess

from explain_case import kernel, natlab
from explain_run import Want

OWN = {"where": "host", "certainty": "likely"}
QUIET = ("blocked-on-path", "server-silent")  # what it looks like to a socket


# --- what does not get out ---

@natlab(Want("x", "local-firewall-output", where="host", certainty="certain", cites=False))
def output_drop_udp(test):
    """OUTPUT drops UDP to the server: EPERM."""
    test.serve()
    rule = test.rule("x", "output", "udp dport { 3478, 3479 }", "drop")
    test.probe(test.address())
    test.statuses(1, 3)
    test.hit(rule)
    test.ladder_text(test.address())


@natlab(Want("x", "local-firewall-output", where="host", certainty="certain", cites=False))
def output_reject_udp(test):
    """OUTPUT rejects UDP to the server: EPERM, and an ICMP error of this host."""
    test.serve()
    rule = test.rule("x", "output", "udp dport { 3478, 3479 }", "reject")
    test.probe(test.address())
    test.statuses(1, 3)
    test.hit(rule)


@natlab(Want("x", "local-firewall-output", where="host", certainty="certain", cites=False))
def output_drop_icmp(test):
    """OUTPUT drops all to the server, which is to be asked for errors by UDP: EPERM."""
    test.serve()
    rule = test.rule("x", "output", f"ip daddr {test.address()}", "drop")
    test.probe("-t", "icmp", test.address())
    test.statuses(1, 3)
    test.hit(rule)
    test.staged("in its answer, too", all("firewall" in run.document["icmp"]["ipv4"]["summary"] for run in test.runs))


@natlab(Want("x", "local-firewall-output", **OWN, cites=False))
def output_drop_tcp(test):
    """OUTPUT drops TCP: connect() hangs, and only a capture shows that no SYN leaves."""
    test.serve()
    rule = test.rule("x", "output", "meta l4proto tcp", "drop")
    left = test.rule("x", "postrouting", "meta l4proto tcp", priority=300)
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    test.hit(rule)
    test.staged(f"{left.hits()} packets: {left.text}", not left.hits())


@natlab(Want("x", "local-firewall-output", **OWN, cites=False))
def output_reject_tcp(test):
    """OUTPUT rejects TCP by a RST, which comes from this host itself in the server's name."""
    test.serve()
    rule = test.rule("x", "output", "tcp dport 3478", "reject with tcp reset")
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    test.hit(rule)


@natlab(Want("x", "local-firewall-output", where="host", certainty="certain", cites=False),
        Want("y", "local-firewall-output", "blocked-on-path", where=("peer", "peer-nat", "unknown"), cites=False),
        y="kind=port-restricted")
def output_drop_punch(test):
    """OUTPUT drops UDP of udppunch, which meets the other side over TCP."""
    test.serve()
    rule = test.rule("x", "output", "meta l4proto udp", "drop")
    test.punch("udppunch")
    for side in "xy":
        test.failures("no-path", side=side)
    test.hit(rule)


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def no_route(test):
    """There is no default route."""
    test.serve()
    test.do("x", "ip -4 route del default")
    test.probe(test.address())
    test.statuses(1, 3)
    test.staged("ENETUNREACH", is_unreachable(test))


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def route_unreachable(test):
    """EHOSTUNREACH."""
    refuse(test, "unreachable")
    test.probe(test.address())
    test.statuses(1, 3)


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def route_prohibits(test):
    """EACCES, which a firewall says, too."""
    refuse(test, "prohibit")
    test.probe(test.address())
    test.statuses(1, 3)


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def route_prohibits_some(test):
    """A policy rule leads UDP alone to a route that prohibits it."""
    test.serve()
    test.do("x", "ip route add prohibit default table 99", f"ip rule add to {test.address()} ipproto udp table 99")
    test.probe(test.address())
    test.statuses(1, 3)


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def route_prohibits_tcppunch(test):
    """… and so nobody meets by TCP: no fault of the socket."""
    refuse(test, "prohibit")
    test.punch("tcppunch", sides="x", options=("-w", "8s"))
    test.failures("server-unreachable")


@natlab(Want("x", "no-route", where="host", certainty="certain", cites=False))
def black_hole(test):
    """EINVAL."""
    refuse(test, "blackhole")
    test.probe(test.address())
    test.statuses(1, 3)


def refuse(test, kind):
    """A route of this kind is the way to the server."""
    test.serve()
    test.do("x", f"ip route add {kind} {test.address()}")
    test.staged(f"a route: {kind}", is_unreachable(test))


def is_unreachable(test):
    return subprocess.run(test.lab.command(test.host("x"), "ip", "route", "get", test.address()), check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0


# --- what goes elsewhere ---

@natlab(Want("x", "other-way", where="host", certainty="possible"))
def policy_route(test):
    """A rule sends UDP to the server by a second interface, behind which there is nothing."""
    test.serve()
    test.do("x", "ip link add other0 type veth peer name other1", "ip link set other1 up",
            "ip addr add 10.99.0.2/24 dev other0", "ip link set other0 up",
            "ip route add default via 10.99.0.1 dev other0 table 99 onlink",
            "ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev other0",
            f"ip rule add to {test.address()} ipproto udp table 99")
    rule = test.rule("x", "postrouting", "oifname other0 meta l4proto udp", priority=300)
    test.probe(test.address())
    test.statuses(1)
    test.hit(rule)


@natlab(Want("x", "other-way", where="host", certainty="possible", without=("blocked-on-path",)))
def vpn(test):
    """A VPN has taken all routes, and its other end is dead."""
    test.serve()
    test.script("x", "explain_stage.py", "swallow", "vpn0", "10.98.0.2")
    test.do("x", "ip route add 0.0.0.0/1 dev vpn0", "ip route add 128.0.0.0/1 dev vpn0")
    rule = test.rule("x", "postrouting", "oifname vpn0 meta l4proto udp", priority=300)
    test.probe(test.address())
    test.statuses(1)
    test.hit(rule)


# --- what comes, and is not let in ---

@natlab(Want("x", "local-firewall-input", **OWN, without=QUIET))
def input_drop_udp(test):
    """INPUT drops the answers over UDP."""
    test.serve()
    rule = test.rule("x", "input", "udp sport { 3478, 3479 }", "drop")
    test.probe(test.address())
    test.statuses(1)
    test.hit(rule)
    test.ladder_text(test.address())


@natlab(Want("x", "local-firewall-input", **OWN, without=QUIET))
def input_drop_udp6(test):
    """The same over IPv6."""
    test.serve()
    rule = test.rule("x", "input", "udp sport { 3478, 3479 } ip6 daddr != ::1", "drop")
    test.probe(f"[{test.address(family=6)}]")
    test.statuses(1)
    test.hit(rule)


@natlab(Want("x", "local-firewall-input", **OWN, without=QUIET))
def input_drop_tcp(test):
    """INPUT drops what comes over TCP."""
    test.serve()
    rule = test.rule("x", "input", "meta l4proto tcp", "drop")
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    test.hit(rule)


@natlab(Want("x", "local-firewall-input", **OWN, without=QUIET))
def input_drop_tcppunch(test):
    """INPUT drops the SYN-ACK of the rendezvous of tcppunch."""
    test.serve()
    rule = test.rule("x", "input", "meta l4proto tcp", "drop")
    test.punch("tcppunch", sides="x", options=("-w", "8s"))
    test.statuses(1, 4)
    test.hit(rule)


@kernel(Want("x", "reverse-path-filter", **OWN, without=QUIET))
def rp_filter(test):
    """Answers come by another interface than packets leave by, which is strict about that."""
    test.serve()
    host, nat = test.host("x"), test.host("x-nat")
    subprocess.run(["ip", "link", "add", "eth1", "netns", host, "type", "veth", "peer", "name", "lan2", "netns", nat],
                   check=True)
    inside = re.search(r" inet ([0-9.]+)/", test.output("x", "ip", "-4", "-o", "addr", "show", "eth0")).group(1)
    test.do("x-nat", "ip link set lan2 up", "ip addr add 10.97.0.1/24 dev lan2")
    test.do("x", "ip link set eth1 up", "ip addr add 10.97.0.2/24 dev eth1")
    test.do("x-nat", f"ip route add {inside}/32 via 10.97.0.2 dev lan2")
    test.do("x", "sysctl -qw net.ipv4.conf.all.rp_filter=1")
    come = test.rule("x", "prerouting", "iifname eth1 udp sport { 3478, 3479 }", priority=-300)
    before = counter(test, "TcpExtIPReversePathFilter")
    test.probe(test.address())
    test.statuses(1)
    test.hit(come)
    dropped = counter(test, "TcpExtIPReversePathFilter") - before
    test.staged(f"{dropped} packets: dropped by the reverse-path filter", dropped > 0)


def counter(test, name):
    """Of the host's kernel."""
    return int(re.search(rf"{name}\s+(\d+)", test.output("x", "nstat", "-asz")).group(1))


@natlab(Want("x", "bad-checksum", where=("host", "server", "path"), certainty="likely", without=QUIET),
        x="kind=full-cone")
def bad_checksum(test):
    """The checksum of all answers is wrong."""
    test.serve()
    test.rule("s", "output", "udp sport { 3478, 3479 }", "udp checksum set 0x1234")
    come = test.rule("x", "prerouting", "udp sport { 3478, 3479 }", priority=-300)
    before = counter(test, "UdpInCsumErrors")
    test.probe(test.address())
    test.statuses(1)
    test.hit(come)
    wrong = counter(test, "UdpInCsumErrors") - before
    test.staged(f"{wrong} packets: UDP with a wrong checksum", wrong > 0)
