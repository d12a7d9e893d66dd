# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Plays sequences of packets through a NAT and writes down what everybody sees.

A side is a folder with the sockets of agents (agent.py): `a` and `a2` are inside hosts,
`server` has both outside addresses. The transcript of a sequence has what was sent and,
indented, what arrived where within the window. Ports have names in it: p0 to p9 are those of
inside hosts, s0 to s9 those of the server, x1, x2 ... others in the order of their coming, with
the class that they are in. So two transcripts are equal when two NATs behave alike. What is
left out: IP identifiers, TTL but where a sequence is about it, DF of ICMP and of fragments,
and the order in which the fragments of one datagram come.
"""

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections import namedtuple

sys.dont_write_bytecode = True
import packetcodec as codec  # noqa: E402

A, A2, BOX, W, S, T = ("10.0.1.2", "10.0.1.3", "10.0.1.1", "192.0.2.11",
                       "198.51.100.10", "203.0.113.10")
NAMES = {A: "a", A2: "a2", BOX: "box", W: "W", S: "S", T: "T"}
HOSTS = ("a", "a2", "server")
OWN = {"a": (A,), "a2": (A2,), "server": (S, T)}
PORTS = 20  # of each play
PATIENCE = 10  # seconds to wait for an agent

End = namedtuple("End", "address port")


class Side:
    """A NAT with agents around it."""

    def __init__(self, folder):
        self.plays = {}  # of each port and tag
        self.barriers = {}
        self.lock = threading.Lock()
        self.connections = {host: self.connect(os.path.join(folder, host)) for host in HOSTS}
        for host in HOSTS:
            threading.Thread(target=self.listen, args=(host,), daemon=True).start()

    @staticmethod
    def connect(path):
        end = time.monotonic() + PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(path)
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def order(self, host, what):
        with self.lock:
            self.connections[host].sendall(json.dumps(what).encode() + b"\n")

    def listen(self, host):
        with self.connections[host].makefile() as lines:
            for line in lines:
                told = json.loads(line)
                if "packet" in told:
                    self.arrived(host, bytes.fromhex(told["packet"]), told["unfinished"])
                elif "barrier" in told:
                    self.barriers.pop(told["barrier"]).set()
                else:
                    print("%s: %s" % (host, told), file=sys.stderr)

    def arrived(self, host, data, unfinished):
        packet = codec.Packet(data, unfinished=unfinished)
        # one agent may have the eyes of both inside hosts
        if packet.destination not in OWN[host] and packet.destination in sum(
                OWN.values(), ()):
            return
        play = self.play_of(packet)
        if play:
            play.arrivals.append((host, packet))

    def play_of(self, packet):
        tag = re.search(rb"#\d{6}#", packet.bytes)
        if tag:
            return self.plays.get(tag.group())
        inner = packet.inner
        local = ((inner.sport, inner.ident, inner.dport) if inner
                 else (packet.dport, packet.ident, packet.sport))
        return next((self.plays[key] for key in (*local, ("ip", packet.ip_id))
                     if key in self.plays), None)

    def wait(self):
        """Until all agents have told of all that has arrived."""
        events = []
        for host in HOSTS:
            event = threading.Event()
            self.barriers[id(event)] = event
            events.append(event)
            self.order(host, {"barrier": id(event)})
        for event in events:
            if not event.wait(PATIENCE):
                raise TimeoutError("an agent is silent")


class Play:
    """One performance of one sequence on one side."""

    def __init__(self, side, number, window):
        self.side, self.number, self.window = side, number, window
        self.base = 10000 + number * PORTS
        self.tag = b"#%06d#" % number
        self.arrivals, self.lines = [], []
        self.names = {self.base + i: "ps"[i // 10] + str(i % 10) for i in range(PORTS)}
        self.outside, self.latest = {}, {}
        self.show_ttl = False
        self.began = time.monotonic()
        for key in [self.tag, ("ip", number + 1), *self.names]:
            side.plays[key] = self

    # ---- names of endpoints

    def a(self, n=1):
        return End(A, self.base + n)

    def a2(self, n=1):
        return End(A2, self.base + n)

    def s(self, n=1):
        return End(S, self.base + 10 + n)

    def t(self, n=1):
        return End(T, self.base + 10 + n)

    def low(self, port):
        """Endpoints of both inside hosts with a port that is not in the block."""
        port += self.number % 3
        self.names[port] = "low"
        self.side.plays[port] = self
        return End(A, port), End(A2, port)

    def w(self, inside, to=None):
        """The external endpoint last seen of an inside one (to another one)."""
        return End(W, self.outside.get((inside, to), inside.port))

    def last(self, host):
        """The bytes of the packet that arrived there last."""
        return self.latest.get(host)

    # ---- packets

    def payload(self, length):
        return (self.tag * (length // len(self.tag) + 1))[:length]

    @staticmethod
    def host_of(address):
        return next((h for h, own in OWN.items() if address in own), "server")

    def udp(self, source, to, length=8, **options):
        self.send(self.host_of(source.address),
                  codec.udp(source, to, self.payload(length), ident=self.number + 1, **options))

    def tcp(self, source, to, flags, seq=0, ack=0, length=0, **options):
        self.send(self.host_of(source.address),
                  codec.tcp(source, to, flags, seq, ack, self.payload(length),
                            ident=self.number + 1, **options))

    def echo(self, source, to, ident=None, reply=False, length=8, **options):
        """The identifier is the port of the inside endpoint, whichever end that is."""
        if ident is None:
            ident = (to if source.address in OWN["server"] else source).port
        self.send(self.host_of(source.address),
                  codec.echo(source.address, to.address, ident, self.payload(length), reply,
                             **options))

    def error(self, source, to, kind, code, about, rest=0, **options):
        """From an address to an address, about these bytes."""
        self.send(self.host_of(source),
                  codec.icmp(source, to, kind, code, rest, about, ident=self.number + 1,
                             **options))

    # ---- steps

    def send(self, host, *packets):
        sent = [codec.Packet(data) for data in packets]
        for packet in sent:
            self.lines.append("%s sends %s" % (host, self.text(packet)))
            self.side.order(host, {"send": packet.bytes.hex()})
        self.look(sent[0] if host != "server" else None)

    def look(self, sent=None):
        time.sleep(self.window)
        self.side.wait()
        arrivals, self.arrivals = self.arrivals, []
        for host, packet in sorted(arrivals, key=self.order):
            self.latest[host] = packet.bytes
            if sent and host == "server" and not packet.inner and not packet.offset:
                self.note(sent, packet)
            self.lines.append("    %s sees %s" % (host, self.text(packet)))
        if not arrivals:
            self.lines.append("    nobody sees anything")

    @staticmethod
    def order(arrival):
        """By host, and in the order of coming; but fragments that follow one another by offset."""
        return HOSTS.index(arrival[0]), arrival[1].offset

    def note(self, sent, seen):
        inside = End(sent.source, sent.sport or sent.ident)
        to = End(sent.destination, sent.dport)
        for key in ((inside, None), (inside, to)):
            self.outside[key] = seen.sport or seen.ident

    def until(self, seconds):
        """Waits until that long after the beginning; the transcript says so."""
        self.lines.append("at %.1f s" % seconds)
        time.sleep(max(0, self.began + seconds - time.monotonic()))

    # ---- words

    def port(self, port, classes=True):
        if port not in self.names:
            known = sum(name[0] == "x" for name in self.names.values())
            area = ("1-511" if port < 512 else "512-599" if port < 600 else
                    "600-1023" if port < 1024 else "1024-65535")
            self.names[port] = "x%d" % (known + 1)
            return "x%d (in %s)" % (known + 1, area) if classes else self.names[port]
        return self.names[port]

    def end(self, address, port):
        return "%s:%s" % (NAMES.get(address, address), self.port(port))

    def text(self, packet, quoted=False):
        words = [self.headline(packet)]
        if packet.tos:
            words.append("tos=%#x" % packet.tos)
        if packet.df and packet.protocol != codec.ICMP and not packet.mf and not packet.offset:
            words.append("DF")
        if packet.mf or packet.offset:
            words.append("fragment %d+%d%s" % (
                packet.offset, len(packet.body), " more" if packet.mf else ""))
        if self.show_ttl:
            words.append("ttl=%d" % packet.ttl)
        if packet.inner:
            words.append("about [%s]" % self.text(packet.inner, True))
        elif quoted:
            words.append("%d bytes of it" % packet.length)
        elif packet.payload != self.tag and (packet.payload or packet.protocol != codec.TCP):
            same = packet.payload == self.payload(len(packet.payload))
            words.append("%d bytes%s" % (len(packet.payload), "" if same else " altered"))
        return " ".join(words + packet.wrong)

    def headline(self, p):
        addresses = "%s > %s" % (NAMES.get(p.source, p.source),
                                 NAMES.get(p.destination, p.destination))
        if p.protocol in (codec.UDP, codec.TCP) and p.sport is not None:
            head = "%s %s > %s" % (codec.NAMES[p.protocol], self.end(p.source, p.sport),
                                   self.end(p.destination, p.dport))
            if p.protocol == codec.UDP:
                return head + (" unchecked" if p.no_checksum else "")
            if p.ack is None:
                return "%s seq=%d" % (head, p.seq)
            return "%s %s seq=%d ack=%d window=%d" % (head, p.flags, p.seq, p.ack, p.window)
        if p.ident is not None and p.kind in (0, 8):
            return "echo %s %s id=%s" % (
                "reply" if p.kind == 0 else "request", addresses, self.port(p.ident, False))
        if p.kind is not None:
            rest = " rest=%#x" % p.rest if p.rest and p.kind in codec.ERRORS else ""
            return "icmp %d/%d %s%s" % (p.kind, p.code, addresses, rest)
        return "ip-%d %s" % (p.protocol, addresses)


def play(side, sequence, number, window):
    performance = Play(side, number, window)
    try:
        sequence(performance)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        performance.lines.append("failed: %s: %s" % (type(error).__name__, error))
    return performance.lines
