# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Staged failures of a punch: the NATs of both sides, their firewalls, what is between them, and who was first."""

from explain_case import kernel, natlab
from explain_run import Want

SHORT = ("-w", "20s", "--packets", "16", "--sockets", "1")
MAPPING = {"certainty": "likely", "problems": True}
FAILED = ("no-path", "deadline", "silent", "peer-silent", "peer-left")  # whoever is first to give up


def have_failed(test, failures=FAILED):
    for side in "xy":
        test.failures(*failures, side=side)


def have_mapping(test, sides):
    """As each of these sides has measured it."""
    found = [(run.document["own_nat"] or {}).get("mapping") for run in test.runs if run.side in sides]
    test.staged(f"mapping {found} of {sides}", set(found) == {"address-and-port-dependent"})


def servers(test):
    return f"{test.address()}, {test.address(number=1)}"


def both(test):
    return f"{{ {test.outside('x')}, {test.outside('y')} }}"


# --- mappings ---

@natlab(Want("x", "dependent-mapping", where="own-nat", **MAPPING),
        Want("y", "dependent-mapping", where="peer-nat", cites=False, **MAPPING),
        x="kind=symmetric", y="kind=port-restricted")
def dependent_one(test):
    """One side's NAT gives each destination another port at random, and there is no budget to guess."""
    test.serve()
    test.punch("udppunch", options=SHORT)
    have_failed(test)
    have_mapping(test, "x")


@natlab(Want("x", "dependent-mapping", **MAPPING), Want("y", "dependent-mapping", **MAPPING),
        x="kind=symmetric", y="kind=symmetric")
def dependent_both(test):
    """Both sides' NATs do."""
    test.serve()
    test.punch("udppunch", options=SHORT)
    have_failed(test)
    have_mapping(test, "xy")


@natlab(Want("x", "dependent-mapping", **MAPPING), Want("y", "dependent-mapping", **MAPPING),
        x="kind=symmetric", y="kind=symmetric")
def dependent_both_tcp(test):
    """Both sides' NATs do, over TCP."""
    test.serve()
    test.punch("tcppunch")
    have_failed(test)
    have_mapping(test, "xy")


# --- early packets ---

@kernel(Want("x", "remap", certainty="possible", problems=True),
        Want("y", "remap", certainty="possible", problems=True),
        x="masquerade-accept", y="masquerade-accept")
def remap_punch(test):
    """Both NATs accept early packets, and no TTL ends between them: whoever is second leaves from another port."""
    test.serve()
    test.rule("isp", "prerouting", f"ip saddr {both(test)}", "ip ttl set 64", priority=-150)
    early = [test.rule(f"{side}-nat", "input", f"ip saddr {both(test)} meta l4proto udp") for side in "xy"]
    test.punch("udppunch")
    have_failed(test)
    test.hit_one(*early)


# --- refused ---

@kernel(Want("x", "refused-on-path", where="peer-nat", certainty="likely", also=("blocked-on-path",)),
        Want("y", "blocked-on-path", "refused-on-path", where=("own-nat", "path", "unknown"), certainty="possible"),
        y="masquerade-drop")
def peer_nat_rejects_udp(test):
    """The NAT of y answers all UDP of x by ICMP: administratively prohibited."""
    test.serve()
    rules = [test.rule("y-nat", hook, f"iifname wan ip saddr {test.outside('x')} meta l4proto udp",
                       "reject with icmp type admin-prohibited", priority=-10) for hook in ("forward", "input")]
    test.punch("udppunch")
    have_failed(test)
    test.hit_one(*rules)


@kernel(Want("x", "reset-by-peer-nat", where="peer-nat", certainty="likely", without=("reset-on-path",)),
        Want("y", "blocked-on-path", "reset-by-nat", "reset-on-path", certainty="possible"),
        y="masquerade-drop")
def peer_nat_resets_tcp(test):
    """The NAT of y answers all TCP of x by RST."""
    test.serve()
    rules = [test.rule("y-nat", hook, f"iifname wan ip saddr {test.outside('x')} meta l4proto tcp",
                       "reject with tcp reset", priority=-10) for hook in ("forward", "input")]
    test.punch("tcppunch")
    have_failed(test)
    test.hit_one(*rules)


@kernel(Want("x", "refused-on-path", where="peer-nat", certainty="likely", also=("blocked-on-path",)),
        Want("y", "blocked-on-path", "refused-on-path", where=("own-nat", "path", "unknown"), certainty="possible"),
        y="masquerade-drop")
def peer_nat_rejects_tcp(test):
    """The NAT of y answers all TCP of x by ICMP."""
    test.serve()
    rules = [test.rule("y-nat", hook, f"iifname wan ip saddr {test.outside('x')} meta l4proto tcp",
                       "reject with icmp type admin-prohibited", priority=-10) for hook in ("forward", "input")]
    test.punch("tcppunch")
    have_failed(test)
    test.hit_one(*rules)


@natlab(Want("x", "refused-on-path", "local-firewall-input", where="peer", certainty="likely"),
        Want("y", "local-firewall-input", where="host", certainty="likely", without=("blocked-on-path",)),
        y="kind=none")
def peer_rejects_udp(test):
    """The host of y answers UDP of everybody but the server by ICMP: port unreachable."""
    test.serve()
    rule = test.rule("y", "input", f"ip saddr != {{ {servers(test)}, 127.0.0.1 }} meta l4proto udp", "reject")
    test.punch("udppunch")
    have_failed(test)
    test.hit(rule)


@natlab(Want("x", "reset-by-peer", where="peer", certainty="likely", without=("reset-on-path",)),
        Want("y", "local-firewall-input", where="host", certainty="likely", without=("blocked-on-path",)),
        x="kind=full-cone", y="kind=full-cone")
def peer_resets_tcp(test):
    """The host of y answers TCP of everybody but the server by RST."""
    test.serve()
    rule = test.rule("y", "input", f"ip saddr != {{ {servers(test)}, 127.0.0.1 }} meta l4proto tcp",
                     "reject with tcp reset")
    test.punch("tcppunch")
    have_failed(test)
    test.hit(rule)


@natlab(Want("x", "blocked-on-path", "local-firewall-input", where=("peer", "peer-nat", "path", "unknown")),
        Want("y", "local-firewall-input", where="host", certainty="likely", without=("blocked-on-path",)),
        y="kind=port-restricted")
def peer_input_drop(test):
    """The host of y lets in UDP of the server alone."""
    test.serve()
    rule = test.rule("y", "input", f"ip saddr != {{ {servers(test)}, 127.0.0.1 }} meta l4proto udp", "drop")
    test.punch("udppunch")
    have_failed(test)
    test.hit(rule)


@kernel(Want("x", "blocked-on-path", where=("path", "peer-nat", "unknown"), certainty="possible"),
        Want("y", "blocked-on-path", where=("path", "peer-nat", "unknown"), certainty="possible"), y="masquerade-drop")
def parted(test):
    """The provider lets nothing through between its customers."""
    test.serve()
    rule = test.rule("isp", "forward", f"ip saddr {both(test)} ip daddr {both(test)}", "drop")
    test.punch("udppunch")
    have_failed(test)
    test.hit(rule)


# --- sizes ---

@natlab(Want("x", "mtu-black-hole", certainty="possible"), Want("y", "mtu-black-hole", "blocked-on-path", None),
        y="kind=port-restricted", link="delay=8ms hops=3 mtu=300 mtu-silent=yes", link_y="delay=8ms hops=3")
def mtu_exchange(test):
    """Packets of more than 300 bytes vanish: those by which the two sides tell each other what they know."""
    test.serve()
    test.punch("udppunch", options=("-w", "15s"))
    have_failed(test, (*FAILED, "no-peer", "server-unreachable"))
    test.lost("lost on the way: mtu")


@natlab(Want("x", "mtu-black-hole", unasked=True), Want("y", "mtu-black-hole", unasked=True),
        y="kind=port-restricted", link="delay=8ms hops=3 mtu=1280 mtu-silent=yes", link_y="delay=8ms hops=3")
def mtu_lines(test):
    """The connection stands, and segments of more than 1240 bytes vanish: what tcppunch carries gets stuck."""
    test.serve()
    test.talk(8000, 5)
    test.lost("lost on the way: mtu")


# --- icmppunch ---

@natlab(Want("x", "icmp-blocked", None, certainty="possible", cites=False),
        Want("y", "icmp-blocked", where="peer-nat", certainty="possible"),
        x="kind=port-restricted errors-inward=no", y="kind=none")
def knock_blocked(test):
    """The NAT of who waits lets no ICMP errors in."""
    test.knock("-w", "10s")
    test.failures("no-peer", "no-path")
    test.lost("dropped by the NAT: error")


@natlab(Want("x", "icmp-blocked", None, certainty="possible", cites=False),
        Want("y", "icmp-blocked", where="own-nat", certainty="likely"),
        x="kind=none", y="kind=port-restricted untracked-outward=dropped")
def knock_not_out(test):
    """The NAT of who knocks lets no ICMP errors out, and a server says so."""
    test.serve()
    test.knock("-w", "10s", "-s", test.address())
    test.failures("no-peer", "no-path")
    test.lost("dropped by the NAT: untracked-error")


@natlab(Want("x", "icmp-blocked", None, certainty="possible", cites=False),
        Want("y", "local-firewall-output", where="host", certainty="certain", cites=False),
        x="kind=none", y="kind=none")
def knock_output_drop(test):
    """OUTPUT of who knocks drops ICMP errors."""
    dropped = test.rule("y", "output", "icmp type destination-unreachable", "drop")
    also = test.rule("y", "output", "icmp type { time-exceeded, parameter-problem }", "drop")
    test.knock("-w", "10s")
    test.failures("no-peer", "no-path")
    test.staged(f"{dropped.hits()} and {also.hits()} packets dropped", dropped.hits() > 0)
