#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Sequences of packets that show how a NAT behaves, and their comparison on two NATs.

  sequences.py list GROUP                   the names, and what each one is about
  sequences.py show SIDE GROUP [NAME...]    the transcripts of one side
  sequences.py compare SIDE SIDE GROUP [NAME...]

A SIDE is a folder with the sockets of agents; see player.py, also for how to read a
transcript. GROUP is `usual`, for a NAT with the timers of Linux, or `timers`, for one with
these: UDP and ICMP 2 s, UDP both ways 4 s, TCP syn_sent 2 s, syn_recv 3 s, established 5 s,
fin_wait 4 s, close_wait 3 s, last_ack 2 s, time_wait 3 s, close 2 s.

What differs is played again, slower and alone, and counts if it differs every time. Exit
status 1: something differs; each difference is printed as a diff. Where natlab is known not to
do what Linux does, and natlab(1) says so, a line with the reason is all.
"""

import difflib
import itertools
import sys
import threading

sys.dont_write_bytecode = True
import packetcodec as codec  # noqa: E402
import player  # noqa: E402
from player import A, A2, S, T, W, End  # noqa: E402

GROUPS = {"usual": {}, "timers": {}}
TOGETHER = 48  # sequences at a time
WINDOW = 0.12  # seconds in which what a packet causes has to be seen
PATIENT = 0.4  # the same, when a difference is looked at again


def sequence(group="usual", known=None):
    """known: why two sides may differ in it."""
    def add(function):
        GROUPS[group][function.__name__] = function
        function.known = known
        return function
    return add


REASSEMBLY = "Linux puts fragments together, and on their way again when all are there"


# ---- mapping


@sequence()
def udp_mapping(q):
    """One inside endpoint to four outside ones, and the answers."""
    for to in (q.s(1), q.s(2), q.t(1), q.t(2)):
        q.udp(q.a(), to)
    for to in (q.s(1), q.s(2), q.t(1), q.t(2)):
        q.udp(to, q.w(q.a(), to))


@sequence()
def tcp_mapping(q):
    """The same with SYN."""
    for to in (q.s(1), q.s(2), q.t(1), q.t(2)):
        q.tcp(q.a(), to, "S", 1000)
    for to in (q.s(1), q.s(2), q.t(1), q.t(2)):
        q.tcp(to, q.w(q.a(), to), "SA", 5000, 1001)


@sequence()
def echo_mapping(q):
    """One identifier to two hosts."""
    for to in (q.s(), q.t(), q.s()):
        q.echo(q.a(), to)
    q.echo(q.s(), W_, q.w(q.a()).port, True)
    q.echo(q.t(), W_, q.w(q.a()).port, True)
    q.echo(q.s(), W_, q.w(q.a()).port, True)


W_ = End(W, 0)


def same_destination(q, send, a, a2):
    """Two inside hosts with one port: to one endpoint, then to others."""
    for source, to in ((a, q.s(1)), (a2, q.s(1)), (a2, q.s(2)), (a, q.s(2)), (a2, q.t(1)),
                       (a, q.t(1)), (a, q.s(1)), (a2, q.s(1))):
        send(source, to)


def other_destinations(q, send, a, a2):
    """The same, to two endpoints first, and then to that of the other."""
    for source, to in ((a, q.s(1)), (a2, q.t(1)), (a2, q.s(1)), (a, q.t(1)), (a2, q.s(2)),
                       (a, q.s(2)), (a2, q.t(1))):
        send(source, to)


def answers(q, send, a, a2):
    """From each endpoint to each external endpoint that was seen."""
    for source in (a, a2):
        for to in (q.s(1), q.t(1)):
            send(to, q.w(source, to))


@sequence()
def udp_collision_same(q):
    """Two inside hosts, one port, one destination."""
    same_destination(q, q.udp, q.a(), q.a2())
    answers(q, q.udp, q.a(), q.a2())


@sequence()
def udp_collision_other(q):
    """Two inside hosts, one port, two destinations: the port is shared."""
    other_destinations(q, q.udp, q.a(), q.a2())
    answers(q, q.udp, q.a(), q.a2())


@sequence()
def tcp_collision_same(q):
    """The same for TCP."""
    same_destination(q, lambda source, to: q.tcp(source, to, "S", 1000), q.a(), q.a2())
    answers(q, lambda source, to: q.tcp(source, to, "SA", 5000, 1001), q.a(), q.a2())


@sequence()
def tcp_collision_other(q):
    """The same for TCP."""
    other_destinations(q, lambda source, to: q.tcp(source, to, "S", 1000), q.a(), q.a2())
    answers(q, lambda source, to: q.tcp(source, to, "SA", 5000, 1001), q.a(), q.a2())


@sequence()
def echo_collision(q):
    """Two inside hosts, one identifier, one destination, then another."""
    for source, to in ((q.a(), q.s()), (q.a2(), q.s()), (q.a2(), q.t()), (q.a(), q.t())):
        q.echo(source, to)
    for to in (q.s(), q.t()):
        q.echo(to, W_, q.a().port, True)
        q.echo(to, W_, q.w(q.a2()).port, True)


@sequence()
def udp_classes(q):
    """Ports below 512 and below 1024 that collide stay below."""
    for port in (300, 700):
        a, a2 = q.low(port)
        q.udp(a, q.s(1))
        q.udp(a2, q.s(1))
        q.udp(a2, q.s(2))
        q.udp(q.s(2), q.w(a2))


@sequence()
def tcp_classes(q):
    """The same for TCP."""
    for port in (310, 710):
        a, a2 = q.low(port)
        q.tcp(a, q.s(1), "S", 1000)
        q.tcp(a2, q.s(1), "S", 1000)
        q.tcp(a2, q.s(2), "S", 1000)


@sequence(known="natlab forwards no port 0")
def udp_port_zero(q):
    """A source port of 0 is one like any other."""
    q.udp(q.a()._replace(port=0), q.s())


@sequence()
def three_moves(q):
    """A port that had to move for one destination: which one do later flows take?"""
    q.udp(q.a(), q.s(1))
    q.udp(q.a2(), q.s(1))
    q.udp(q.a2(), q.t(1))
    q.udp(q.a(), q.t(1))
    q.udp(q.a2(), q.t(2))
    q.udp(q.a(), q.t(2))
    q.udp(q.a2(), q.s(2))


# ---- filtering


@sequence()
def udp_filtering(q):
    """Answers of others, of other ports, and of the right one."""
    q.udp(q.a(), q.s(1))
    w = q.w(q.a())
    for source in (q.s(2), q.t(1), q.t(2), q.s(1)):
        q.udp(source, w)
    q.udp(q.s(1), w._replace(port=q.a(5).port))


@sequence()
def tcp_filtering(q):
    """The same with SYN-ACK, and with SYN."""
    q.tcp(q.a(), q.s(1), "S", 1000)
    w = q.w(q.a())
    for source in (q.s(2), q.t(1), q.s(1)):
        q.tcp(source, w, "SA", 5000, 1001)
    for source in (q.s(2), q.t(1)):
        q.tcp(source, w, "S", 5000)


@sequence()
def echo_filtering(q):
    """Replies of others, to another identifier; requests to a mapped identifier."""
    q.echo(q.a(), q.s())
    mapped = q.w(q.a()).port
    q.echo(q.t(), W_, mapped, True)
    q.echo(q.s(), W_, q.a(5).port, True)
    q.echo(q.s(), W_, mapped)
    q.echo(q.t(), W_, mapped)
    q.echo(q.s(), W_, mapped, True, 100)
    q.echo(q.s(), W_, mapped, True)


@sequence()
def echo_from_outside(q):
    """Requests and replies to the NAT itself, nothing being mapped."""
    q.echo(q.s(), W_, q.a().port)
    q.echo(q.s(), W_, q.a().port, length=1000)
    q.echo(q.s(), W_, q.a().port, True)
    q.echo(q.a(), q.s())
    q.echo(q.s(), W_, q.w(q.a()).port, True)


# ---- early packets


@sequence()
def udp_early(q):
    """A packet of T comes before the inside host has sent there."""
    q.udp(q.a(), q.s(1))
    w = q.w(q.a())
    q.udp(q.t(1), w)
    q.udp(q.t(1), w)
    q.udp(q.a(), q.t(1))
    q.udp(q.t(1), w)
    q.udp(q.t(1), q.w(q.a(), q.t(1)))
    q.udp(q.a(), q.s(1))
    q.udp(q.a(), q.t(2))
    q.udp(q.a(), q.s(2))
    q.udp(q.s(1), w)
    q.udp(q.a2(), q.t(1))


@sequence()
def udp_early_alone(q):
    """The same when the inside endpoint has no mapping at all."""
    q.udp(q.t(1), End(W, q.a().port))
    q.udp(q.a(), q.s(1))
    q.udp(q.a(), q.t(1))
    q.udp(q.t(1), q.w(q.a(), q.t(1)))
    q.udp(q.s(1), q.w(q.a(), q.s(1)))
    q.udp(q.a(), q.t(2))


@sequence()
def udp_early_first(q):
    """The flow that was met too early is the first one."""
    q.udp(q.t(1), End(W, q.a().port))
    q.udp(q.a(), q.t(1))
    q.udp(q.a(), q.s(1))
    q.udp(q.a(), q.s(2))
    q.udp(q.t(1), q.w(q.a(), q.t(1)))


@sequence()
def udp_early_long(q):
    """What is quoted to the early sender of much or nothing."""
    q.udp(q.t(1), End(W, q.a(1).port), 1200)
    q.udp(q.t(1), End(W, q.a(2).port), 540)
    q.udp(q.t(1), End(W, q.a(3).port), 0)
    q.udp(q.t(1), End(W, q.a(4).port), tos=0x48, df=True)
    q.udp(q.t(1), End(W, q.a(5).port), check=0)
    q.udp(q.t(1), End(W, q.a(6).port), ttl=1)


@sequence()
def tcp_early(q):
    """A SYN of T comes before that of the inside host."""
    q.tcp(q.a(), q.s(1), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.t(1), w, "S", 7000)
    q.tcp(q.a(), q.t(1), "S", 1000)
    q.tcp(q.t(1), q.w(q.a(), q.t(1)), "S", 7000)
    q.tcp(q.a(), q.t(2), "S", 1000)
    q.tcp(q.s(1), w, "SA", 5000, 1001)


@sequence()
def tcp_early_alone(q):
    """The same without any mapping."""
    q.tcp(q.t(1), End(W, q.a().port), "S", 7000)
    q.tcp(q.t(1), End(W, q.a().port), "S", 7000)
    q.tcp(q.a(), q.t(1), "S", 1000)
    q.tcp(q.t(1), q.w(q.a(), q.t(1)), "SA", 7000, 1001)


@sequence()
def tcp_unsolicited(q):
    """What segments of all kinds get back from the NAT itself."""
    for n, flags in enumerate(("S", "SA", "A", "R", "RA", "FA", "PA", "F", "-SF", "-")):
        q.tcp(q.s(1), End(W, q.a(0).port + n), flags.strip("-"), 7000, 3000,
              3 if "P" in flags else 0)


@sequence()
def tcp_early_ack(q):
    """An ACK of T comes first, then a SYN of the inside host."""
    q.tcp(q.t(1), End(W, q.a().port), "A", 7000, 3000)
    q.tcp(q.a(), q.t(1), "S", 1000)
    q.tcp(q.t(1), q.w(q.a()), "SA", 7000, 1001)


@sequence()
def tcp_early_syn_ack(q):
    """A SYN-ACK and a RST of T come first, then a SYN of the inside host."""
    q.tcp(q.t(1), End(W, q.a().port), "SA", 7000, 3000)
    q.tcp(q.t(1), End(W, q.a().port), "R", 7000)
    q.tcp(q.a(), q.t(1), "S", 1000)
    q.tcp(q.t(1), q.w(q.a()), "SA", 7000, 1001)


@sequence()
def echo_early(q):
    """Requests and replies of S come before the request of the inside host."""
    q.echo(q.a(), q.t())
    q.echo(q.s(), W_, q.w(q.a()).port)
    q.echo(q.s(), W_, q.w(q.a()).port, True)
    q.echo(q.a(), q.s())
    q.echo(q.s(), W_, q.w(q.a()).port, True)
    q.echo(q.s(), W_, q.a(2).port)
    q.echo(q.a(2), q.s())


# ---- ICMP errors from outside

ERRORS = ((3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0), (4, 0))


def error_kinds(q, sent):
    """All kinds of error, from the host itself, about what it has got."""
    for kind, code in ERRORS:
        q.error(S, W, kind, code, sent, 1280 if (kind, code) == (3, 4) else 0)


@sequence()
def error_about_udp(q):
    """Errors of all types, about UDP."""
    q.udp(q.a(), q.s(), 40)
    error_kinds(q, q.last("server"))
    q.udp(q.s(), q.w(q.a()))
    q.error(T, W, 11, 0, q.last("server"))


@sequence()
def error_about_tcp(q):
    """Errors of all types, about SYN; the session is not ended."""
    q.tcp(q.a(), q.s(), "S", 1000)
    error_kinds(q, q.last("server"))
    q.tcp(q.s(), q.w(q.a()), "SA", 5000, 1001)


@sequence()
def error_about_echo(q):
    """Errors of all types, about an echo request."""
    q.echo(q.a(), q.s())
    error_kinds(q, q.last("server"))
    q.echo(q.s(), W_, q.w(q.a()).port, True)


@sequence()
def error_third_host(q):
    """From another host, about all three; and a redirect."""
    q.udp(q.a(), q.s())
    q.error(T, W, 3, 1, q.last("server"))
    q.error(S, W, 5, 1, q.last("server"), 0xcb00710a)
    q.tcp(q.a(), q.s(), "S", 1000)
    q.error(T, W, 11, 0, q.last("server"))
    q.echo(q.a(), q.s())
    q.error(T, W, 11, 0, q.last("server"))


@sequence()
def error_wrong(q):
    """About packets that were never sent."""
    q.udp(q.a(), q.s(1))
    w = q.w(q.a())
    payload = q.payload(8)
    for source, to in ((End(W, q.a(5).port), q.s(1)), (w, q.s(2)), (w, q.t(1)),
                       (End(T, w.port), q.s(1)), (q.a(), q.s(1))):
        q.error(S, W, 3, 3, codec.udp(source, to, payload))
    q.error(S, W, 3, 3, codec.tcp(w, q.s(1), "S"))
    q.error(S, W, 3, 3, codec.echo(W, S, w.port, payload))
    q.udp(q.a(), q.s(1))


@sequence()
def error_cut(q):
    """Quoting 8, 4 and no bytes behind the IP header, and less than an IP header."""
    q.udp(q.a(), q.s(), 40)
    sent = q.last("server")
    for length in (28, 24, 20, 12):
        q.error(S, W, 3, 3, sent[:length])
    q.tcp(q.a(), q.s(), "S", 1000)
    sent = q.last("server")
    for length in (39, 28, 24):
        q.error(S, W, 3, 3, sent[:length])
    q.echo(q.a(), q.s())
    q.error(S, W, 11, 0, q.last("server")[:28])


@sequence()
def error_broken(q):
    """Checksums that are wrong, extra bytes, IP options in what is quoted."""
    q.udp(q.a(), q.s())
    sent = q.last("server")
    source, to, payload = q.w(q.a()), q.s(), q.payload(8)
    q.error(S, W, 3, 3, sent, check=0x1234)
    q.error(S, W, 3, 3, sent + bytes(100))
    q.error(S, W, 3, 3, sent[:10] + b"\x12\x34" + sent[12:])
    q.error(S, W, 3, 3, codec.udp(source, to, payload, check=0))
    q.error(S, W, 3, 3, codec.udp(source, to, payload, check=0x1234))
    q.error(S, W, 3, 3, codec.udp(source, to, payload, options=b"\1\1\1\0"))
    q.error(S, W, 3, 3, codec.udp(source, to, payload, mf=True))
    q.error(S, W, 3, 3, codec.udp(source, to, payload, mf=True, offset=8))


@sequence()
def error_of_other_direction(q):
    """From outside to W, about a packet that S itself had sent."""
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()))
    q.error(T, W, 3, 3, codec.udp(q.s(), q.w(q.a()), q.payload(8)))


@sequence()
def error_about_error(q):
    """Quoting an error."""
    q.udp(q.a(), q.s())
    sent = q.last("server")
    q.error(S, W, 3, 3, codec.icmp(W, S, 3, 3, 0, sent))


# ---- ICMP errors from inside


@sequence()
def error_outward(q):
    """About packets that came in, of all types."""
    q.udp(q.a(), q.s(), 40)
    q.udp(q.s(), q.w(q.a()), 40)
    got = q.last("a") or b""
    for kind, code in ((3, 3), (3, 4), (3, 13), (11, 1), (12, 0)):
        q.error(A, S, kind, code, got, 1280 if (kind, code) == (3, 4) else 0)
    q.error(A, S, 3, 3, got[:28])
    q.error(A, S, 3, 3, got, check=0x1234)


@sequence()
def error_outward_tcp_echo(q):
    """The same about SYN-ACK and echo reply."""
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.s(), q.w(q.a()), "SA", 5000, 1001)
    q.error(A, S, 3, 3, q.last("a") or b"")
    q.echo(q.a(), q.s())
    q.echo(q.s(), W_, q.w(q.a()).port, True)
    q.error(A, S, 3, 3, q.last("a") or b"")


@sequence()
def error_outward_third(q):
    """From another inside host, and to another outside host."""
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()))
    got = q.last("a") or b""
    q.error(A2, S, 3, 3, got)
    q.error(A, T, 3, 3, got)


@sequence()
def error_outward_untracked(q):
    """About packets of no session: the private source leaks."""
    q.udp(q.a(1), q.s(1))
    payload = q.payload(8)
    q.error(A, S, 3, 3, codec.udp(q.s(1), q.a(5), payload))
    q.error(A, S, 3, 3, codec.udp(q.s(2), q.a(1), payload))
    q.error(A, S, 3, 3, codec.tcp(q.s(1), q.a(1), "S"))
    q.error(A, S, 3, 3, codec.udp(q.a(1), q.s(1), payload))
    q.error(A, S, 3, 3, codec.udp(q.s(1), q.w(q.a(1)), payload))


@sequence(known="Linux drops an error about a session if it quotes ports and less than 8 bytes")
def error_outward_stump(q):
    """Quoting a part of what says whose packet it was."""
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()))
    for length in (24, 27):
        q.error(A, S, 3, 3, (q.last("a") or b"")[:length])


@sequence()
def error_outward_cut(q):
    """Quoting too little to be about anything, and what is no error about a session."""
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()))
    got = q.last("a") or b""
    q.error(A, S, 3, 3, got[:20])
    q.error(A, S, 3, 3, got[:12])
    payload = q.payload(16)
    q.error(A, S, 3, 3, codec.ip(S, A, 253, payload))
    q.error(A, S, 3, 3, codec.ip(S, A, 17, payload, offset=800))
    q.error(A, S, 3, 3, codec.icmp(S, A, 13, 0, q.a().port << 16, payload))
    q.error(A, S, 3, 3, codec.icmp(S, A, 3, 3, 0, got))
    q.error(A, S, 5, 1, got, 0xcb00710a)
    q.error(A, S, 3, 3, codec.tcp(q.s(5), q.a(5), "A")[:27])
    q.error(A, S, 3, 3, codec.echo(S, A, q.a().port, b"", True)[:27])
    q.error(A, S, 3, 3, codec.udp(q.s(5), q.a(5), mf=True)[:27])
    q.error(A, S, 3, 3, b"")


# ---- TCP


def handshake(q, a, s):
    """Returns the external endpoint."""
    q.tcp(a, s, "S", 1000)
    w = q.w(a)
    q.tcp(s, w, "SA", 5000, 1001)
    q.tcp(a, s, "A", 1001, 5001)
    return w


@sequence()
def tcp_simultaneous_open(q):
    """SYN from both sides, then SYN-ACK from both."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "S", 5000)
    q.tcp(q.a(), q.s(), "SA", 1000, 5001)
    q.tcp(q.s(), w, "SA", 5000, 1001)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    q.tcp(q.a(), q.s(), "PA", 1001, 5001, 10)
    q.tcp(q.s(), w, "PA", 5001, 1011, 10)


@sequence()
def tcp_simultaneous_one_answer(q):
    """The same, with one SYN-ACK only, and an ACK."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "S", 5000)
    q.tcp(q.a(), q.s(), "SA", 1000, 5001)
    q.tcp(q.s(), w, "A", 5001, 1001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)
    q.tcp(q.a(), q.s(), "A", 1001, 5011)


@sequence()
def tcp_refused(q):
    """A RST in reply to the SYN ends the entry: a SYN of S meets nothing."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "RA", 0, 1001)
    q.tcp(q.s(), w, "S", 5000)
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.s(), q.w(q.a()), "SA", 6000, 1001)


@sequence()
def tcp_refused_wrongly(q):
    """RST that can be no reply to the SYN."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "RA", 0, 900)
    q.tcp(q.s(), w, "R", 0)
    q.tcp(q.s(), w, "SA", 5000, 1001)


@sequence()
def tcp_refused_from_inside(q):
    """The inside host takes its SYN back."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.a(), q.s(), "R", 1001)
    q.tcp(q.s(), w, "SA", 5000, 1001)


@sequence()
def tcp_windows(q):
    """Segments outside of the window, RST among them."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)
    q.tcp(q.s(), w, "PA", 5001 + 200000, 1001, 10)
    q.tcp(q.s(), w, "R", 5001 + 200000)
    q.tcp(q.s(), w, "R", 5001 - 200000)
    q.tcp(q.s(), w, "PA", 5001 - 100000, 1001, 10)
    q.tcp(q.s(), w, "A", 5011, 1001 + 5000)
    q.tcp(q.s(), w, "A", 5011, 1001 - 100000)
    q.tcp(q.a(), q.s(), "PA", 1001 + 200000, 5011, 10)
    q.tcp(q.a(), q.s(), "PA", 1001, 5011 + 90000, 10)
    q.tcp(q.a(), q.s(), "R", 1001 + 200000)
    q.tcp(q.s(), w, "PA", 5011, 1001, 10)


@sequence()
def tcp_beyond_window(q):
    """Data that are a little more than the window: they pass, and may be acknowledged."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.s(), w, "A", 5001 + 65000, 1001, 100)
    q.tcp(q.s(), w, "A", 5001 + 65001, 1001, 100)
    q.tcp(q.s(), w, "A", 5001 + 65101, 1001, 100)
    q.tcp(q.a(), q.s(), "A", 1001, 5001 + 65101)
    q.tcp(q.s(), w, "A", 5001 + 160000, 1001, 100)
    q.tcp(q.a(), q.s(), "A", 1001, 5001 + 65202)


@sequence()
def tcp_window_scale(q):
    """Windows that are scaled, by both or by one only."""
    scale = b"\3\3\7\0"
    for n, both in ((1, True), (2, False)):
        q.tcp(q.a(n), q.s(n), "S", 1000, options=scale)
        w = q.w(q.a(n))
        q.tcp(q.s(n), w, "SA", 5000, 1001, options=scale if both else b"", window=1000)
        q.tcp(q.a(n), q.s(n), "A", 1001, 5001, window=1000)
        q.tcp(q.s(n), w, "PA", 5001 + 100000, 1001, 10, window=1000)
        q.tcp(q.s(n), w, "PA", 5001 + 500, 1001, 10, window=1000)


@sequence()
def tcp_reset(q):
    """RST in the window and what passes after it."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.s(), w, "R", 5001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)
    q.tcp(q.a(), q.s(), "PA", 1001, 5001, 10)
    q.tcp(q.s(), w, "S", 9000)
    q.tcp(q.a(), q.s(), "S", 2000000)
    q.tcp(q.s(), w, "SA", 9000, 2000001)


@sequence()
def tcp_reset_in_window(q):
    """RST in the window but not at its edge (RFC 5961 3)."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.s(), w, "R", 5001 + 1000)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)
    q.tcp(q.a(), q.s(), "R", 1001)
    q.tcp(q.s(), w, "PA", 5011, 1001, 10)


@sequence()
def tcp_pick_up(q):
    """ACK without an entry: from inside it makes one, in the middle of a connection."""
    q.tcp(q.a(), q.s(), "A", 1000, 5000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "A", 5000, 1000)
    q.tcp(q.s(), w, "PA", 5000, 1000, 10)
    q.tcp(q.a(), q.s(), "PA", 1000, 5010, 10)
    q.tcp(q.s(), w, "PA", 5000 + 900000, 1010, 10)
    q.tcp(q.s(), w, "R", 5000 + 900000)


@sequence()
def tcp_pick_up_data(q):
    """The same with data, PSH, and a RST in reply."""
    q.tcp(q.a(), q.s(), "PA", 1000, 5000, 10)
    w = q.w(q.a())
    q.tcp(q.s(), w, "R", 5000)
    q.tcp(q.s(), w, "A", 5000, 1010)


@sequence()
def tcp_not_first(q):
    """Segments without an entry that make none: they leave with the private source."""
    for n, flags in enumerate(("SA", "R", "RA", "FA", "F", "", "SF", "SR", "FPU")):
        q.tcp(q.a(n), q.s(), flags, 1000, 5000)


@sequence()
def tcp_bad_flags(q):
    """Flags that make no sense, in a connection that stands."""
    w = handshake(q, q.a(), q.s())
    for flags in ("", "SF", "SR", "FPU", "F"):
        q.tcp(q.a(), q.s(), flags, 1001, 5001)
        q.tcp(q.s(), w, flags, 5001, 1001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)


@sequence()
def tcp_wrong_syn_ack(q):
    """SYN-ACK for another SYN, and from the wrong side."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "SA", 5000, 4001)
    q.tcp(q.s(), w, "SA", 5000, 999)
    q.tcp(q.a(), q.s(), "SA", 1000, 5001)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    q.tcp(q.s(), w, "A", 5001, 1001)
    q.tcp(q.s(), w, "SA", 5000, 1001)


@sequence()
def tcp_false_syn_ack(q):
    """A SYN-ACK with a wrong acknowledgment leaves its number behind."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "SA", 99999999, 4001)
    q.tcp(q.s(), w, "SA", 5000, 1001)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)


@sequence()
def tcp_syn_again(q):
    """SYN again, with other numbers, before and after the connection stands."""
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.a(), q.s(), "S", 90000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "SA", 5000, 90001)
    q.tcp(q.s(), w, "SA", 5000, 90001)
    q.tcp(q.a(), q.s(), "A", 90001, 5001)
    q.tcp(q.a(), q.s(), "S", 300000)
    q.tcp(q.s(), w, "S", 300000)
    q.tcp(q.s(), w, "A", 5001, 90001)
    q.tcp(q.s(), w, "SA", 5000, 90001)
    q.tcp(q.s(), w, "PA", 5001, 90001, 10)


@sequence()
def tcp_syn_again_answered(q):
    """A SYN in a connection that stands; S acknowledges the old, and a RST comes."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.a(), q.s(), "S", 700000)
    q.tcp(q.s(), w, "A", 5001, 1001)
    q.tcp(q.a(), q.s(), "R", 1001)
    q.tcp(q.a(), q.s(), "S", 700000)
    q.tcp(q.s(), w, "SA", 9000, 700001)
    q.tcp(q.a(), q.s(), "A", 700001, 9001)
    q.tcp(q.s(), w, "PA", 9001, 700001, 10)


@sequence()
def tcp_syn_again_taken(q):
    """A SYN in a connection that stands; S takes it, and a new connection it is."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.a(), q.s(), "S", 700000)
    q.tcp(q.s(), w, "SA", 9000, 700002)
    q.tcp(q.a(), q.s(), "S", 700000)
    q.tcp(q.s(), w, "SA", 9000, 700001)
    q.tcp(q.a(), q.s(), "A", 700001, 9001)
    q.tcp(q.s(), w, "PA", 9001, 700001, 10)
    q.tcp(q.s(), w, "PA", 900001, 700001, 10)
    q.tcp(q.a(), q.s(), "PA", 1001, 5001, 10)
    q.tcp(q.a(), q.s(), "PA", 900001, 5001, 10)


@sequence()
def tcp_syn_smaller(q):
    """A second SYN with a smaller number, and the answer to it."""
    q.tcp(q.a(), q.s(), "S", 90000)
    w = q.w(q.a())
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.s(), w, "SA", 5000, 1001)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    q.tcp(q.s(), w, "PA", 5001, 1001, 10)


@sequence()
def tcp_challenge(q):
    """A SYN meets a connection of before at S, which answers with an ACK; a RST ends that."""
    q.tcp(q.a(), q.s(), "S", 700000)
    w = q.w(q.a())
    q.tcp(q.s(), w, "A", 5001, 1001)
    q.tcp(q.a(), q.s(), "R", 1001)
    q.tcp(q.a(), q.s(), "S", 700000)
    q.tcp(q.s(), q.w(q.a()), "SA", 9000, 700001)


def tcp_reset_at(name, about, seq, fin=False):
    def run(q):
        w = handshake(q, q.a(), q.s())
        q.tcp(q.s(), w, "PA", 5001, 1001, 10)
        q.tcp(q.a(), q.s(), "A", 1001, 5011)
        if fin:
            q.tcp(q.s(), w, "FA", 5011, 1001)
            q.tcp(q.a(), q.s(), "A", 1001, 5012)
        q.tcp(q.s(), w, "R", seq)
        q.tcp(q.a(), q.s(), "A", 1001, 5011)
        q.tcp(q.s(), w, "A", 5011, 1001)
    run.__name__, run.__doc__ = "tcp_reset_" + name, about
    sequence()(run)


tcp_reset_at("right", "With the number that is awaited.", 5011)
tcp_reset_at("again", "With the number of data that were acknowledged.", 5001)
tcp_reset_at("one_less", "With one less than is awaited.", 5010)
tcp_reset_at("ahead", "In the window.", 5100)
tcp_reset_at("old", "Before all.", 4000)
tcp_reset_at("zero", "With 0.", 0)
tcp_reset_at("closing", "After a FIN, with the number that is awaited.", 5012, True)
tcp_reset_at("closing_old", "After a FIN, with an old number.", 5001, True)
tcp_reset_at("closing_wild", "After a FIN, with any number.", 900000, True)


def close_both(q, w):
    q.tcp(q.a(), q.s(), "FA", 1001, 5001)
    q.tcp(q.s(), w, "A", 5001, 1002)
    q.tcp(q.s(), w, "FA", 5001, 1002)
    q.tcp(q.a(), q.s(), "A", 1002, 5002)


@sequence()
def tcp_close(q):
    """FIN of both; what comes late; the same port again, from inside."""
    w = handshake(q, q.a(), q.s())
    close_both(q, w)
    q.tcp(q.s(), w, "FA", 5001, 1002)
    q.tcp(q.a(), q.s(), "A", 1002, 5002)
    q.tcp(q.s(), w, "PA", 5002, 1002, 10)
    q.tcp(q.a(), q.s(), "S", 800000)
    q.tcp(q.s(), w, "SA", 900000, 800001)
    q.tcp(q.a(), q.s(), "A", 800001, 900001)
    q.tcp(q.s(), w, "PA", 900001, 800001, 10)


@sequence()
def tcp_close_reopened_by_server(q):
    """After both FIN a SYN of S opens the same again."""
    w = handshake(q, q.a(), q.s())
    close_both(q, w)
    q.tcp(q.s(), w, "S", 900000)
    q.tcp(q.a(), q.s(), "SA", 800000, 900001)
    q.tcp(q.s(), w, "A", 900001, 800001)
    q.tcp(q.a(), q.s(), "PA", 800001, 900001, 10)


@sequence()
def tcp_close_by_server(q):
    """FIN of S first, half-closed data, and a SYN in the middle."""
    w = handshake(q, q.a(), q.s())
    q.tcp(q.s(), w, "FA", 5001, 1001)
    q.tcp(q.a(), q.s(), "A", 1001, 5002)
    q.tcp(q.a(), q.s(), "PA", 1001, 5002, 10)
    q.tcp(q.s(), w, "A", 5002, 1011)
    q.tcp(q.s(), w, "S", 900000)
    q.tcp(q.a(), q.s(), "FA", 1011, 5002)
    q.tcp(q.s(), w, "A", 5002, 1012)
    q.tcp(q.a2(), q.s(), "S", 1000)


@sequence()
def tcp_fin_at_once(q):
    """FIN before the connection stands."""
    q.tcp(q.a(), q.s(), "S", 1000)
    w = q.w(q.a())
    q.tcp(q.a(), q.s(), "FA", 1001, 0)
    q.tcp(q.s(), w, "FA", 5000, 1001)
    q.tcp(q.s(), w, "SA", 5000, 1001)
    q.tcp(q.a(), q.s(), "FA", 1001, 5001)
    q.tcp(q.s(), w, "A", 5001, 1002)


# ---- fragments


def pieces(data, *sizes):
    """Fragments of a datagram, of so many bytes each, and the rest."""
    head, body = data[:20], data[20:]
    source, to = (".".join(map(str, head[i:i + 4])) for i in (12, 16))
    offsets = [0, *itertools.accumulate(sizes), len(body)]
    return [codec.ip(source, to, head[9], body[low:high], ttl=head[8],
                     ident=int.from_bytes(head[4:6], "big"), df=bool(head[6] & 0x40),
                     offset=low, mf=high < len(body))
            for low, high in zip(offsets, offsets[1:])]


def two_ways(q, order, *sizes, **options):
    """A fragmented datagram out, and one in."""
    q.udp(q.a(), q.s())
    ident = q.number + 1
    for host, source, to in (("a", q.a(), q.s()), ("server", q.s(), q.w(q.a()))):
        data = codec.udp(source, to, q.payload(1200), ident=ident, **options)
        parts = pieces(data, *sizes)
        q.send(host, *(parts[i] for i in order))


@sequence()
def fragments_in_order(q):
    """Two, in order, both directions."""
    two_ways(q, (0, 1), 800)


@sequence()
def fragments_out_of_order(q):
    """Two, the second one first."""
    two_ways(q, (1, 0), 800)


@sequence()
def fragments_three(q):
    """Three, in the order 3, 1, 2."""
    two_ways(q, (2, 0, 1), 400, 400)


@sequence(known=REASSEMBLY)
def fragments_apart(q):
    """Two, with time between them."""
    q.udp(q.a(), q.s())
    data = codec.udp(q.a(), q.s(), q.payload(1200), ident=q.number + 1)
    for part in pieces(data, 800):
        q.send("a", part)
    data = codec.udp(q.s(), q.w(q.a()), q.payload(1200), ident=q.number + 1)
    for part in reversed(pieces(data, 800)):
        q.send("server", part)


@sequence(known=REASSEMBLY)
def fragments_incomplete(q):
    """A first one alone, and a second one alone."""
    q.udp(q.a(), q.s())
    first, _ = pieces(codec.udp(q.a(), q.s(), q.payload(1200), ident=q.number + 1), 800)
    _, second = pieces(codec.udp(q.a(), q.s(), q.payload(1200), ident=60000 - q.number), 800)
    q.send("a", first)
    q.send("a", second)


@sequence()
def fragments_df(q):
    """Two with DF set."""
    two_ways(q, (0, 1), 800, df=True)


@sequence()
def fragments_tiny(q):
    """The first has 8 bytes of payload only."""
    two_ways(q, (0, 1), 16)


@sequence()
def fragments_unchecked(q):
    """UDP without a checksum."""
    two_ways(q, (0, 1), 800, check=0)


@sequence()
def fragments_new(q):
    """The first packet of a flow."""
    data = codec.udp(q.a(), q.s(), q.payload(1200), ident=q.number + 1)
    q.send("a", *pieces(data, 800))
    q.udp(q.s(), q.w(q.a()))


@sequence(known=REASSEMBLY)
def fragments_unsolicited(q):
    """A datagram that nobody has asked for: what is quoted of it."""
    q.udp(q.a(), q.s())
    data = codec.udp(q.t(), q.w(q.a()), q.payload(1200), ident=q.number + 1)
    q.send("server", *pieces(data, 800))


@sequence()
def fragments_echo(q):
    """An echo request in two, out and in."""
    data = codec.echo(A, S, q.a().port, q.payload(1200))
    data = data[:4] + (q.number + 1).to_bytes(2, "big") + data[6:]
    q.send("a", *pieces(data, 800))
    q.echo(q.s(), W_, q.w(q.a()).port, True)


@sequence()
def fragments_tcp(q):
    """A segment in two."""
    handshake(q, q.a(), q.s())
    data = codec.tcp(q.a(), q.s(), "PA", 1001, 5001, q.payload(1200), ident=q.number + 1)
    q.send("a", *pieces(data, 800))


# ---- hairpin, the box itself, TTL, and what else there is


@sequence()
def hairpin(q):
    """One inside host to the external endpoint of the other: there is no rule for it."""
    q.udp(q.a(), q.s())
    q.udp(q.a2(2), q.w(q.a()))
    q.udp(q.a(), q.w(q.a()))
    q.udp(q.a2(2), q.s())
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.a2(2), q.w(q.a()), "S", 1000)
    q.tcp(q.a2(2), q.s(), "S", 1000)


@sequence()
def hairpin_echo(q):
    """An echo request from inside to W."""
    q.echo(q.a(), q.s())
    q.echo(q.a2(), W_)
    q.echo(q.a(), W_)
    q.echo(q.a2(), W_, reply=True)


@sequence()
def box_from_inside(q):
    """The box as a host: from inside to its inside address."""
    box = End(player.BOX, q.s(9).port)
    q.udp(q.a(), box)
    q.udp(q.a(), box, 1200)
    q.tcp(q.a(), box, "S", 1000)
    q.tcp(q.a(), box, "A", 1000, 2000)
    q.echo(q.a(), box)
    q.udp(q.a(), box)


@sequence()
def ttl(q):
    """Hops are counted, and the sender is told where they end."""
    q.show_ttl = True
    q.udp(q.a(), q.s(), ttl=1)
    q.tcp(q.a(), q.s(), "S", 1000, ttl=1)
    q.echo(q.a(), q.s(), ttl=1)
    q.udp(q.a(), q.s(), 1200, ttl=1)
    q.udp(q.a(), q.s(), ttl=5)


@sequence()
def ttl_inward(q):
    """From outside: what is quoted is the external endpoint."""
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()), 40, ttl=1)
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.s(), q.w(q.a()), "SA", 5000, 1001, ttl=1)
    q.echo(q.a(), q.s())
    q.echo(q.s(), W_, q.w(q.a()).port, True, ttl=1)
    q.udp(q.t(), q.w(q.a()), ttl=1)


@sequence()
def ttl_makes_nothing(q):
    """A packet that ends at the NAT opens nothing there."""
    q.udp(q.a(), q.s(), ttl=1)
    q.udp(q.s(), End(W, q.a().port))
    q.udp(q.a(), q.s())


@sequence()
def udp_unchecked(q):
    """A UDP checksum of 0 stays 0."""
    q.udp(q.a(), q.s(), check=0)
    q.udp(q.s(), q.w(q.a()), check=0)


@sequence()
def bad_checksums(q):
    """Of UDP, TCP and ICMP, from inside and from outside."""
    q.udp(q.a(), q.s(), check=0x1234)
    q.udp(q.a(), q.s())
    q.udp(q.s(), q.w(q.a()), check=0x1234)
    q.tcp(q.a(), q.s(), "S", 1000, check=0x1234)
    q.tcp(q.a(), q.s(), "S", 1000)
    q.tcp(q.s(), q.w(q.a()), "SA", 5000, 1001, check=0x1234)
    q.send("a", codec.icmp(A, S, 8, 0, q.a().port << 16 | 1, q.payload(8), check=0x1234))


@sequence(known="natlab drops UDP that is longer than its packet, and takes what is shorter")
def bad_lengths(q):
    """UDP that is longer or shorter than it says."""
    q.udp(q.a(), q.s(), length=8)
    q.send("a", codec.udp(q.a(), q.s(), q.payload(8), length=100))
    q.send("a", codec.udp(q.a(), q.s(), q.payload(16), length=12))
    q.send("server", codec.udp(q.s(), q.w(q.a()), q.payload(8), length=100))


@sequence()
def echo_again(q):
    """Requests and replies more than once, and another sequence number."""
    for _ in range(2):
        q.echo(q.a(), q.s())
        q.echo(q.s(), W_, q.w(q.a()).port, True)
        q.echo(q.s(), W_, q.w(q.a()).port, True)
    q.echo(q.a(), q.s(), seq=2)
    q.echo(q.a(), q.s(), reply=True)


@sequence()
def ip_options(q):
    """An option that nobody has to understand."""
    q.udp(q.a(), q.s(), options=b"\1\1\1\0", tos=0xb8, df=True)
    q.udp(q.s(), q.w(q.a()), options=b"\1\1\1\0")


@sequence(known="natlab forwards UDP, TCP, ICMP errors and echoes")
def other_icmp(q):
    """A timestamp request, and a type that nobody knows."""
    q.send("a", codec.icmp(A, S, 13, 0, q.a().port << 16 | 1, q.payload(16)[:12]))
    q.send("a", codec.icmp(A, S, 40, 0, 0, q.payload(8)))


@sequence(known="natlab forwards UDP, TCP, ICMP errors and echoes")
def other_protocols(q):
    """Neither UDP nor TCP nor ICMP."""
    q.send("a", codec.ip(A, S, 253, q.payload(16)))
    q.send("server", codec.ip(S, W, 253, q.payload(16)))


# ---- lifetimes: every flow has a port of its own, and the waiting is shared


def alive(q, n):
    """Whether what S sends comes in; it is no answer to anything."""
    q.udp(q.s(n), q.w(q.a(n), q.s(n)))


def flow(name, about, steps):
    """A UDP flow: at which time it has a packet out (+) or in (-)."""
    def run(q):
        for seconds, direction in steps:
            q.until(seconds)
            if direction == "+":
                q.udp(q.a(), q.s())
            elif direction == "1":
                q.udp(q.a(), q.s(), ttl=1)
            else:
                alive(q, 1)
    run.__name__, run.__doc__ = name, about
    sequence("timers")(run)


# the window of each step is part of the time: nothing is asked within 0.3 s of a limit
for _name, _about, _steps in (
        ("udp_one_way_kept", "One way: 2 s.", ((0, "+"), (1.6, "-"))),
        ("udp_one_way_over", "One way: 2 s.", ((0, "+"), (2.4, "-"))),
        ("udp_outbound_refresh", "Out, out: 2 s from the second.",
         ((0, "+"), (1.5, "+"), (3.1, "-"))),
        ("udp_outbound_refresh_over", "Out, out: 2 s from the second.",
         ((0, "+"), (1.5, "+"), (3.9, "-"))),
        ("udp_first_answer", "An answer at once gives no more than one way has.",
         ((0, "+"), (0.4, "-"), (2.0, "-"))),
        ("udp_first_answer_over", "An answer at once gives no more than one way has.",
         ((0, "+"), (0.4, "-"), (2.9, "-"))),
        ("udp_unsettled", "Both ways, all within 2 s: 2 s from the last.",
         ((0, "+"), (0.4, "-"), (0.8, "+"), (1.6, "-"), (3.2, "-"))),
        ("udp_unsettled_over", "Both ways, all within 2 s: 2 s from the last.",
         ((0, "+"), (0.4, "-"), (0.8, "+"), (1.6, "-"), (4.0, "-"))),
        ("udp_settled_inbound", "In after 2 s: 4 s from then.",
         ((0, "+"), (0.4, "-"), (1.4, "-"), (2.4, "-"), (6.0, "-"))),
        ("udp_settled_inbound_over", "In after 2 s: 4 s from then.",
         ((0, "+"), (0.4, "-"), (1.4, "-"), (2.4, "-"), (6.8, "-"))),
        ("udp_settled_outbound", "Out after 2 s: 4 s from then.",
         ((0, "+"), (0.4, "-"), (1.4, "+"), (2.4, "+"), (6.0, "-"))),
        ("udp_settled_outbound_over", "Out after 2 s: 4 s from then.",
         ((0, "+"), (0.4, "-"), (1.4, "+"), (2.4, "+"), (6.8, "-"))),
        ("udp_late_answer", "The first answer comes after 2 s: still 2 s.",
         ((0, "+"), (1.4, "+"), (2.6, "-"), (4.2, "-"))),
        ("udp_late_answer_over", "The first answer comes after 2 s: still 2 s.",
         ((0, "+"), (1.4, "+"), (2.6, "-"), (5.0, "-"))),
        ("udp_late_answers", "The second one gives 4 s.",
         ((0, "+"), (1.4, "+"), (2.6, "-"), (3.0, "-"), (6.6, "-"))),
        ("udp_only_out", "Out alone is one way, also after 2 s.",
         ((0, "+"), (1.4, "+"), (2.6, "+"), (5.0, "-"))),
        ("udp_again", "After the end the port is the same.",
         ((0, "+"), (2.4, "+"), (2.6, "-"))),
        ("udp_last_hop", "A packet whose hops end at the NAT refreshes what is there.",
         ((0, "+"), (1.5, "1"), (2.5, "-"))),
        ):
    flow(_name, _about, _steps)


def early_lifetime(name, about, early, own):
    def run(q):
        for seconds in early:
            q.until(seconds)
            q.udp(q.t(), End(W, q.a().port))
        q.until(own)
        q.udp(q.a(), q.t())
        q.udp(q.a(), q.s())
    run.__name__, run.__doc__ = name, about
    sequence("timers")(run)


early_lifetime("early_kept", "An early packet counts for 2 s.", (0,), 1.6)
early_lifetime("early_over", "An early packet counts for 2 s.", (0,), 2.4)
early_lifetime("early_again", "And the last one of them counts.", (0, 1.5), 3.1)
early_lifetime("early_again_over", "And the last one of them counts.", (0, 1.5), 3.9)
early_lifetime("early_often", "After 2 s too.", (0, 1.4, 2.8), 4.3)
early_lifetime("early_often_over", "After 2 s too.", (0, 1.4, 2.8), 5.2)


@sequence("timers", "Linux forgets a port only when it collects its garbage")
def moved_until_over(q):
    """A moved port is forgotten with its last session."""
    q.udp(q.t(1), End(W, q.a().port))
    q.udp(q.a(), q.t(1))
    q.until(4.0)
    q.udp(q.a(), q.s(1))
    q.udp(q.a(), q.t(1))


@sequence("timers")
def mapping_follows_sessions(q):
    """A session to one endpoint keeps the port for others."""
    q.udp(q.t(1), End(W, q.a().port))
    q.udp(q.a(), q.t(1))
    q.until(1.5)
    q.udp(q.a(), q.s(1))
    q.until(3.0)
    q.udp(q.a(), q.t(1))
    q.udp(q.a(), q.s(2))


def echo_lifetime(name, about, steps):
    def run(q):
        for seconds, direction in steps:
            q.until(seconds)
            if direction == "+":
                q.echo(q.a(), q.s())
            else:
                q.echo(q.s(), W_, q.w(q.a()).port, True)
    run.__name__, run.__doc__ = name, about
    sequence("timers")(run)


echo_lifetime("echo_kept", "2 s from the request.", ((0, "+"), (1.6, "-")))
echo_lifetime("echo_over", "2 s from the request.", ((0, "+"), (2.4, "-")))
echo_lifetime("echo_answered", "And from the reply.", ((0, "+"), (1.4, "-"), (3.0, "-")))
echo_lifetime("echo_answered_over", "And from the reply.",
              ((0, "+"), (1.4, "-"), (3.8, "-")))
echo_lifetime("echo_refreshed", "And from each request.",
              ((0, "+"), (1.4, "+"), (2.8, "+"), (4.4, "-")))


def tcp_lifetime(name, about, begin, *asked):
    """begin plays until it returns the external endpoint; each of asked is a flow of its own:
    after so many seconds, S sends these flags with these numbers."""
    for n, (seconds, flags, seq, ack) in enumerate(asked):
        def run(q, seconds=seconds, flags=flags, seq=seq, ack=ack):
            w = begin(q)
            q.began = player.time.monotonic()
            q.until(seconds)
            q.tcp(q.s(), w, flags, seq, ack)
        run.__name__, run.__doc__ = "%s_%d" % (name, n + 1), about
        sequence("timers")(run)


def syn_sent(q):
    q.tcp(q.a(), q.s(), "S", 1000)
    return q.w(q.a())


def both_syn(q):
    w = syn_sent(q)
    q.tcp(q.s(), w, "S", 5000)
    return w


def syn_received(q):
    w = syn_sent(q)
    q.tcp(q.s(), w, "SA", 5000, 1001)
    return w


def established(q):
    return handshake(q, q.a(), q.s())


def one_fin(q):
    w = established(q)
    q.tcp(q.a(), q.s(), "FA", 1001, 5001)
    return w


def fin_acknowledged(q):
    w = one_fin(q)
    q.tcp(q.s(), w, "A", 5001, 1002)
    return w


def both_fin(q):
    w = fin_acknowledged(q)
    q.tcp(q.s(), w, "FA", 5001, 1002)
    return w


def closed(q):
    w = both_fin(q)
    q.tcp(q.a(), q.s(), "A", 1002, 5002)
    return w


def was_reset(q):
    w = established(q)
    q.tcp(q.s(), w, "R", 5001)
    return w


def out_of_window(q):
    """A segment that is not taken does not refresh."""
    w = syn_received(q)
    q.until(1.5)
    q.tcp(q.s(), w, "A", 5001 + 500000, 1001)
    return w


def syn_sent_again(q):
    """It counts from the first SYN."""
    w = syn_sent(q)
    q.until(1.5)
    q.tcp(q.a(), q.s(), "S", 1000)
    return w


def both_syn_late(q):
    """It counts from the first SYN."""
    w = syn_sent(q)
    q.until(1.2)
    q.tcp(q.s(), w, "S", 5000)
    return w


def both_opened(q):
    """Only S acknowledges, which is enough where both have sent a SYN."""
    w = both_syn(q)
    q.tcp(q.a(), q.s(), "SA", 1000, 5001)
    q.tcp(q.s(), w, "A", 5001, 1001)
    return w


def picked_up(q):
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    return q.w(q.a())


def doubtful_reset(q):
    """In the window, but not at its edge: S may be challenged."""
    w = established(q)
    q.tcp(q.s(), w, "R", 5101)
    return w


def challenged(q):
    """And if the connection goes on it stands as before."""
    w = doubtful_reset(q)
    q.tcp(q.a(), q.s(), "A", 1001, 5001)
    return w


tcp_lifetime("tcp_syn_sent_again", "SYN again: 2 s from the first.", syn_sent_again,
             (0.3, "SA", 5000, 1001), (0.9, "SA", 5000, 1001))
tcp_lifetime("tcp_both_syn_late", "SYN from both: 2 s from the first.", both_syn_late,
             (0.3, "SA", 5000, 1001), (1.2, "SA", 5000, 1001))
tcp_lifetime("tcp_both_opened", "Simultaneous open, one ACK: 5 s.", both_opened,
             (4.5, "A", 5001, 1001), (5.3, "A", 5001, 1001))
tcp_lifetime("tcp_picked_up", "ACK from inside: 5 s.", picked_up,
             (4.5, "A", 5001, 1001), (5.3, "A", 5001, 1001))
tcp_lifetime("tcp_doubtful_reset", "RST not at the edge: 2 s.", doubtful_reset,
             (1.5, "A", 5001, 1001), (2.3, "A", 5001, 1001))
tcp_lifetime("tcp_challenged", "And what follows gives 5 s.", challenged,
             (4.5, "A", 5001, 1001), (5.3, "A", 5001, 1001))
tcp_lifetime("tcp_syn_sent", "2 s.", syn_sent,
             (1.5, "SA", 5000, 1001), (2.3, "SA", 5000, 1001))
tcp_lifetime("tcp_both_syn", "SYN from both: 2 s.", both_syn,
             (1.5, "SA", 5000, 1001), (2.3, "SA", 5000, 1001))
tcp_lifetime("tcp_syn_received", "3 s.", syn_received,
             (2.5, "SA", 5000, 1001), (3.3, "SA", 5000, 1001))
tcp_lifetime("tcp_established", "5 s.", established,
             (4.5, "A", 5001, 1001), (5.3, "A", 5001, 1001))
tcp_lifetime("tcp_fin_wait", "One FIN: 4 s.", one_fin,
             (3.5, "A", 5001, 1001), (4.3, "A", 5001, 1001))
tcp_lifetime("tcp_close_wait", "One FIN, acknowledged: 3 s.", fin_acknowledged,
             (2.5, "A", 5001, 1002), (3.3, "A", 5001, 1002))
tcp_lifetime("tcp_last_ack", "Both FIN: 2 s.", both_fin,
             (1.5, "FA", 5001, 1002), (2.3, "FA", 5001, 1002))
tcp_lifetime("tcp_time_wait", "Closed: 3 s.", closed,
             (2.5, "A", 5002, 1002), (3.3, "A", 5002, 1002))
tcp_lifetime("tcp_reset_life", "RST: 2 s.", was_reset,
             (1.5, "A", 5001, 1001), (2.3, "A", 5001, 1001))
tcp_lifetime("tcp_out_of_window", "A segment out of window refreshes nothing.", out_of_window,
             (1.2, "SA", 5000, 1001), (2.3, "SA", 5000, 1001))


@sequence("timers")
def tcp_refresh(q):
    """Segments of both directions refresh; what was reset lives on while it is used."""
    w = handshake(q, q.a(), q.s())
    q.until(4.0)
    q.tcp(q.a(), q.s(), "PA", 1001, 5001, 10)
    q.until(8.0)
    q.tcp(q.s(), w, "A", 5001, 1011)
    q.until(12.0)
    q.tcp(q.s(), w, "A", 5001, 1011)


# ---- playing


def play_all(side, names, group, numbers, window=WINDOW):
    """{name: lines}"""
    places = threading.Semaphore(TOGETHER if group == "usual" else len(names))
    found = {}

    def run(name, number):
        with places:
            found[name] = player.play(side, GROUPS[group][name], number, window)

    threads = [threading.Thread(target=run, args=(name, next(numbers))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def play_both(sides, names, group, numbers, window):
    """[{name: lines}, {name: lines}]"""
    found = [{}, {}]

    def run(i):
        found[i] = play_all(sides[i], names, group, numbers[i], window)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def compare(folders, group, names):
    sides = [player.Side(folder) for folder in folders]
    numbers = [itertools.count(), itertools.count()]
    names = names or list(GROUPS[group])
    count, known = len(names), []
    # two NATs that let nothing through are alike, too
    for folder, found in zip(folders, play_both(sides, ["udp_mapping"], "usual", numbers,
                                                PATIENT)):
        if not any("a sees udp" in line for line in found["udp_mapping"]):
            print("%s: nothing comes through" % folder)
            return 1
    for window in (WINDOW, PATIENT, PATIENT):
        one, other = play_both(sides, names, group, numbers, window)
        names = [name for name in names if one[name] != other[name]]
        known += [name for name in names if GROUPS[group][name].known]
        names = [name for name in names if name not in known]
        if not names:
            break
    for name in known:
        print("known: %s: %s" % (name, GROUPS[group][name].known))
    for name in names:
        print("%s: %s" % (name, GROUPS[group][name].__doc__))
        for line in difflib.unified_diff(one[name], other[name], *folders, lineterm="", n=100):
            print(line)
    print("%d sequences: %d alike, %d known to differ, %d differ" % (
        count, count - len(known) - len(names), len(known), len(names)))
    return 1 if names else 0


def show(folder, group, names):
    found = play_all(player.Side(folder), names or list(GROUPS[group]), group,
                     itertools.count())
    for name in names or GROUPS[group]:
        print("%s: %s" % (name, GROUPS[group][name].__doc__))
        print("\n".join(found[name]) + "\n")
    return 0


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "show" and arguments[2] in GROUPS:
        return show(arguments[1], arguments[2], arguments[3:])
    if len(arguments) >= 4 and arguments[0] == "compare" and arguments[3] in GROUPS:
        return compare(arguments[1:3], arguments[3], arguments[4:])
    if len(arguments) == 2 and arguments[0] == "list" and arguments[1] in GROUPS:
        for name, function in GROUPS[arguments[1]].items():
            print("%s: %s" % (name, function.__doc__))
        return 0
    return sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
