# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Staged failures on the way: NATs and routers that drop, refuse, forget, rewrite, duplicate and lose."""

from explain_case import kernel, natlab
from explain_run import Want

NEAR = ("own-nat", "path")  # at the first hop it can't always be told what stands there
QUIET = ("server-silent",)
FORGET_S = 8  # after which a NAT has room again
FORGETFUL = f"udp.one-way={FORGET_S}s udp.both-ways={FORGET_S}s"
ROUTER = "198.18.200.1"


# --- silence ---

@natlab(Want("x", "blocked-on-path", where=(*NEAR, "unknown"), certainty="possible", without=QUIET), x="kind=udp-blocked")
def nat_drops_udp(test):
    """The NAT drops UDP before it looks at its TTL, so that no router at all answers."""
    test.serve()
    test.ladder()
    test.probe(test.address())
    test.statuses(1)
    test.lost("dropped by the NAT: blocked", f"^nat nx-{test.name} ")
    test.ladder_text(test.address())


@kernel(Want("x", "blocked-on-path", where=NEAR, device="nat", hops=1, certainty="likely", without=QUIET),
        x="udp-dropped")
def nat_drops_udp_linux(test):
    """nftables drop UDP behind the router's own answer to a TTL that ends there."""
    test.serve()
    test.ladder()
    rule = test.rule("x-nat", "prerouting", "iifname lan meta l4proto udp", priority=-300)
    left = test.rule("x-nat", "postrouting", "oifname wan meta l4proto udp", priority=300)
    test.probe(test.address())
    test.statuses(1)
    test.hit(rule)
    test.staged(f"{left.hits()} packets: {left.text}", not left.hits())


@natlab(Want("x", "blocked-on-path", where=NEAR, device="nat", hops=1, certainty="likely", without=QUIET),
        outer="kind=udp-blocked")
def carrier_drops_udp(test):
    """Of two NATs the outer one drops UDP: the inner one is the last that answers."""
    test.serve()
    test.ladder()
    test.probe(test.address())
    test.statuses(1)
    test.lost("dropped by the NAT: blocked", f"^nat no-{test.name} ")


@natlab(Want("x", "blocked-on-path", where="path", device=2, hops=2, certainty="likely", without=QUIET),
        link="delay=8ms hops=3 filter=udp filter-hop=2")
def path_drops_udp(test):
    """The router at hop 3 drops UDP: the one at hop 2 is the last that answers."""
    test.serve()
    test.ladder()
    test.probe(test.address())
    test.statuses(1)
    test.staged(f"the last router that answers is at hop {max(test.routers)}", max(test.routers) == 2)
    test.lost("lost on the way: filter")
    test.ladder_text(test.address())


@natlab(Want("x", "blocked-on-path", where="path", device=3, hops=3, certainty="likely", without=QUIET),
        link="delay=8ms hops=4 filter=udp filter-hop=3")
def path_drops_udp6(test):
    """The router at hop 4 drops UDP over IPv6."""
    test.serve()
    test.ladder(test.address(family=6))
    test.probe(f"[{test.address(family=6)}]")
    test.statuses(1)
    test.staged(f"the last router that answers is at hop {max(test.routers)}", max(test.routers) == 3)
    test.lost("lost on the way: filter")


@natlab(Want("x", "blocked-on-path", where="path", device=2, hops=2, certainty="possible", without=QUIET),
        link="delay=8ms hops=3 filter=tcp filter-hop=2")
def path_drops_tcp(test):
    """The router at hop 3 drops TCP."""
    test.serve()
    test.ladder()
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    test.lost("lost on the way: filter")


# --- no for an answer ---

@natlab(Want("x", "refused-on-path", where=NEAR, device="nat", hops=1, certainty="certain"),
        x="kind=udp-rejected")
def nat_rejects_udp(test):
    """The NAT answers UDP by ICMP: administratively prohibited."""
    test.serve()
    test.probe(test.address())
    test.statuses(1)
    test.staged("3/13 in the report", is_refused(test, 3, 13, test.nat()))


@kernel(Want("x", "refused-on-path", where=NEAR, device="nat", hops=1, certainty="certain"), x="udp-rejected")
def nat_rejects_udp_linux(test):
    """The same with nftables."""
    test.serve()
    test.probe(test.address())
    test.statuses(1)
    test.staged("3/13 in the report", is_refused(test, 3, 13, test.nat()))


@natlab(Want("x", "refused-on-path", where="path", device=ROUTER, hops=2, certainty="certain"),
        outer=f"kind=none udp.blocked=yes udp.blocked-code=13 inside={ROUTER}/24")
def path_rejects_udp(test):
    """The router at hop 2 answers UDP by ICMP."""
    test.serve()
    test.probe(test.address())
    test.statuses(1)
    test.staged("3/13 in the report", is_refused(test, 3, 13, ROUTER))


@kernel(Want("x", "unreachable", where=("path", "server"), device="192.0.2.130", hops=3,
             certainty="likely", without=("blocked-on-path",)))
def server_dead(test):
    """The server's host is not there, and the last router says so after a while."""
    dead = "198.51.100.77"
    test.do("core", "sysctl -qw net.ipv4.neigh.srv.retrans_time_ms=100")  # a third of a second instead of three
    told = test.rule("x", "prerouting", "icmp type destination-unreachable", priority=-300)
    test.probe(dead)
    test.statuses(1)
    test.hit(told)
    test.staged("3/1 in the report", is_refused(test, 3, 1, "192.0.2.130"))


@natlab(Want("x", "blocked-on-path", "server-silent", where=("path", "server"), device=6, hops=6, certainty="possible"))
def server_dead_silent(test):
    """The server's host takes everything and says nothing, as if it were switched off."""
    test.serve()
    rule = test.rule("s", "prerouting", "meta l4proto { udp, tcp, icmp }", "drop", priority=-300)
    test.ladder()
    test.probe(test.address())
    test.statuses(1)
    test.hit(rule)
    test.staged(f"the last router that answers is at hop {max(test.routers)}", max(test.routers) == 6)


def is_refused(test, kind, code, address):
    """By an ICMP error of this type and code from there, in each run."""
    return all(any(e["icmp"] and (e["icmp"]["type"], e["icmp"]["code"], e["icmp"]["from"]) == (kind, code, address)
                   for e in run.document["evidence"]) for run in test.runs)


# --- RST ---

@kernel(Want("x", "reset-by-nat", where=NEAR, hops=1, certainty="likely", without=("reset-on-path",)))
def nat_resets_tcp(test):
    """The NAT answers SYNs by a RST in the server's name."""
    test.serve()
    rule = test.rule("x-nat", "forward", "iifname lan meta l4proto tcp", "reject with tcp reset", priority=-10)
    test.probe("-t", "tcp", test.address())
    test.statuses(1, 5)
    test.hit(rule)


@kernel(Want("x", "reset-on-path", where="path", hops=2, certainty="likely"))
def path_resets_tcp(test):
    """The router at hop 2 answers SYNs by a RST in the server's name."""
    test.serve()
    rule = test.rule("isp", "forward", f"ip saddr {test.outside('x')} meta l4proto tcp", "reject with tcp reset")
    test.probe("-t", "udp,tcp", test.address())
    test.statuses(0, 1, 5)
    test.hit(rule)


@kernel(Want("x", "captive-portal", certainty="likely", without=("blocked-on-path",)))
def captive_portal(test):
    """All TCP is led to a page for a login, and UDP is dropped."""
    test.serve()
    test.rule("x-nat", "prerouting", "iifname lan meta l4proto tcp", "redirect to :80", priority=-100, kind="nat")
    drop = test.rule("x-nat", "forward", "iifname lan meta l4proto udp", "drop", priority=-10)
    test.script("x-nat", "explain_stage.py", "portal", "80")
    led = test.rule("x-nat", "input", "tcp dport 80")
    test.probe("-t", "udp,tcp", test.address())
    test.statuses(1, 4)
    test.hit(drop, led)


# --- ICMP ---

@natlab(Want("x", "icmp-blocked", certainty="likely"), link="delay=8ms hops=3 filter=icmp filter-hop=2")
def icmp_filtered(test):
    """A router on the way drops ICMP."""
    test.serve()
    test.probe("-t", "icmp", test.address())
    test.lost("lost on the way: filter")
    test.staged("icmp-nothing-arrives", all("icmp-nothing-arrives" in run.findings() for run in test.runs))


@natlab(Want("x", "icmp-blocked", certainty="likely"), x="kind=port-restricted errors-inward=no")
def icmp_errors_dropped(test):
    """The NAT lets no ICMP errors in."""
    test.serve()
    test.probe("-t", "icmp", test.address())
    test.lost("dropped by the NAT: error")
    test.staged("icmp-errors-dropped", all("icmp-errors-dropped" in run.findings() for run in test.runs))


# --- limits ---

@natlab(Want("x", "table-full", certainty="possible", also=("lying-server",)),
        x=f"kind=port-restricted max-sessions=3 {FORGETFUL}")
def table_full(test):
    """The NAT has room for three sessions."""
    test.serve()
    test.probe(test.address(), pause_s=FORGET_S + 1)
    test.lost("dropped by the NAT: table-full")
    test.staged("something is unknown", all(run.status == 5 for run in test.runs))


@natlab(Want("x", "table-full", certainty="possible", also=("lying-server",)),
        x=f"kind=port-restricted max-mappings=2 tell-limit=yes {FORGETFUL}")
def table_full_told(test):
    """The NAT has room for two mappings, and says so by ICMP."""
    test.serve()
    test.probe(test.address(), pause_s=FORGET_S + 1)
    test.lost("dropped by the NAT: table-full")
    test.staged("something is unknown", all(run.status == 5 for run in test.runs))


@kernel(Want("x", "table-full", certainty="possible", also=("lying-server",)))
def conntrack_full(test):
    """Of nftables: more than three entries for UDP are dropped."""
    test.serve()
    rule = test.rule("x-nat", "forward", "iifname lan meta l4proto udp ct state new ct count over 3", "drop",
                     priority=-10)
    for name in ("udp_timeout", "udp_timeout_stream"):
        test.do("x-nat", f"sysctl -qw net.netfilter.nf_conntrack_{name}={FORGET_S}")
    test.probe(test.address(), pause_s=FORGET_S + 2)
    test.hit(rule)
    test.staged("something is unknown", all(run.status == 5 for run in test.runs))


@natlab(Want("x", "table-full", None, certainty="possible", also=("lying-server",)),
        x="kind=port-restricted new-per-second=2")
def rate_limit(test):
    """The NAT makes two new sessions in a second: whether later ones fail is a matter of moments."""
    test.serve()
    test.probe(test.address())
    test.lost("dropped by the NAT: rate")


# --- sizes ---

@natlab(Want("x", "mtu-black-hole", certainty="possible", also=("lying-server",)),
        link="delay=8ms hops=3 mtu=300 mtu-silent=yes")
def mtu_probe(test):
    """Packets of more than 300 bytes vanish: of natprobe's those that ask for answers from elsewhere."""
    test.serve()
    test.probe(test.address())
    test.lost("lost on the way: mtu")
    test.staged("something is unknown", all(run.status == 5 for run in test.runs))


# --- what is changed, doubled and lost ---

@natlab(Want("x", "payload-rewritten", certainty="likely"), x="kind=port-restricted alg=yes", hosts="st")
def alg(test):
    """The NAT rewrites addresses in payloads, which two servers show."""
    test.serve("s", "t")
    test.probe(test.address(), test.address("t"))
    test.staged("alg", all(run.document["udp"]["ipv4"]["alg"] for run in test.runs))
    test.ladder_text(test.address(), test.address("t"))


@natlab(Want("x", "payload-rewritten", "lying-server", certainty="possible"), x="kind=port-restricted alg=yes")
def alg_one_server(test):
    """The same with one server, which might as well do it itself."""
    test.serve()
    test.probe(test.address())
    test.statuses(4)
    test.staged("mapped-differs", all("mapped-differs" in run.document["servers"][0]["defects"] for run in test.runs))


@natlab(Want("x", "duplicates", None, certainty="likely"), link="delay=8ms hops=3 down.duplicate=100%")
def duplicates(test):
    """All that comes comes twice."""
    test.serve()
    rule = test.rule("x", "prerouting", "udp sport 3478", priority=-300)
    test.probe(test.address())
    test.statuses(0, 5)
    sent = sum(e["received"] for run in test.runs for e in run.document["evidence"])
    test.staged(f"{rule.hits()} packets have come for {sent} answers", rule.hits() > sent)


@natlab(Want("x", None, also=("duplicates",), problems=True),
        link="delay=8ms hops=3 loss=20%")
def loss(test):
    """A fifth of all packets is lost each way."""
    test.serve()
    test.probe(test.address())
    test.statuses(0, 1, 5)
    test.lost("lost on the way: loss", least=3)


@natlab(Want("x", "remap", None, certainty="likely", problems=True), x="kind=linux-accept")
def remap(test):
    """An early packet moves the external port: nothing fails, but it is worth knowing."""
    test.serve()
    test.probe(test.address())
    test.statuses(0, 5)
    test.lost("dropped by the NAT: accepted")


@natlab(Want("x", "dependent-mapping", None, certainty="likely", problems=True), x="kind=symmetric")
def dependent(test):
    """Each destination sees another port."""
    test.serve()
    test.probe(test.address())
    test.statuses(0, 5)
    found = {run.document["udp"]["ipv4"]["mapping"] for run in test.runs}
    test.staged(f"mapping {found}", found == {"address-and-port-dependent"})


# --- more than one ---

@natlab(Want("x", "local-firewall-input", where="host", certainty="likely", also=("refused-by-server",),
             without=("blocked-on-path", "server-silent"), sure=("refused-by-server",)), hosts="st")
def input_drop_and_dead_server(test):
    """INPUT drops the answers of one server, and the port of the other one is closed."""
    test.serve()
    rule = test.rule("x", "input", "udp sport { 3478, 3479 }", "drop")
    test.probe(test.address(), test.address("t"))
    test.statuses(1)
    test.hit(rule)
    test.staged("3/3 in the report", is_refused(test, 3, 3, test.address("t")))


@kernel(Want("x", "blocked-on-path", "lying-server", certainty="likely", also=("payload-rewritten",)))
def nat_drops_and_server_lies(test):
    """The NAT drops UDP to two servers of three, and the third one rewrites what it says."""
    test.serve()
    drop = test.rule("x-nat", "forward", "iifname lan udp dport 3478 ip daddr != 198.51.100.30", "drop", priority=-10)
    test.script("s", "badserver.py", "rewrites-mapped=198.51.100.30,203.0.113.30")
    test.probe(test.address(), "198.51.100.20", "198.51.100.30")
    test.hit(drop)
    test.staged("mapped-differs", all("mapped-differs" in run.document["servers"][2]["defects"] for run in test.runs))
