# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A client of natprobed's ICMP, written apart from the project's C code, and raw sockets that see what arrives."""

import collections
import ipaddress
import os
import socket
import struct
import time

import stuncodec
from callback import receive, shared, with_fingerprint
from rendezvous import ERROR, INDICATION, REQUEST, SUCCESS, ident, kind

METHOD = 0x5D6
(ASK, COOKIE, ERRORS, OWN, OTHER, TARGET, TOKEN, LATER, SEEN, SENT, SYN) = range(0xDAA0, 0xDAAB)
FILL = 0xDA74
ABOUT_FLOW, ABOUT_ATTEMPT, ABOUT_SEEN, ABOUT_LATER = 1, 2, 3, 4
NOWHERE, OWN_ADDRESS, OTHER_ADDRESS = 0, 1, 2
MARK = b"natutils"
STALE = 438

Error = collections.namedtuple("Error", "type code source delay mtu", defaults=(OWN_ADDRESS, 0, 0))
Told = collections.namedtuple("Told", "sent errno syn")
Arrived = collections.namedtuple("Arrived", "type code rest source ttl quote bytes")
Record = collections.namedtuple(
    "Record", "kind type code ttl ident sequence age protocol source to quoted_from quoted_to")


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def pack_errors(errors):
    return b"".join(struct.pack("!BBBBHH", e.type, e.code, e.source, 0, e.delay, e.mtu)
                    for e in errors)


def unpack_errors(value):
    return [Error(t, c, s, d, m) for t, c, s, _, d, m in struct.iter_unpack("!BBBBHH", value)]


def xor_address(value, number):
    """The endpoint that stands at the beginning, as in XOR-MAPPED-ADDRESS, and what is behind it."""
    size = {1: 8, 2: 20}[value[1]]
    port = struct.unpack("!H", value[2:4])[0] ^ stuncodec.COOKIE >> 16
    return (str(ipaddress.ip_address(stuncodec.xor(value[4:size], number))), port), value[size:]


def address_in(message, attribute):
    value = message.attributes.get(attribute)
    return value and xor_address(value, message.ident)[0]


def request(ask, attributes, number=None, cookie=None, fill=64):
    """Bytes of a request, as long as that at least."""
    message = stuncodec.Message(kind(METHOD, REQUEST), number or ident(),
                                {ASK: struct.pack("!Bxxx", ask)} if ask is not None else {})
    if cookie is not None:
        message.attributes[COOKIE] = cookie
    message.attributes.update(attributes)
    size = len(message.encode()) + 8
    if size + 4 <= fill:
        message.attributes[FILL] = bytes(fill - size - 4)
    return with_fingerprint(message)


def attributes_of(data):
    """All of a message with their numbers, for those that come several times."""
    at, out = 20, []
    while at < len(data):
        number, size = struct.unpack("!HH", data[at:at + 4])
        out.append((number, data[at + 4:at + 4 + size]))
        at += 4 + size + -size % 4
    return out


def records(data):
    number, out = data[4:20], []
    for attribute, value in attributes_of(data):
        if attribute != SEEN:
            continue
        head = struct.unpack("!BBBBHHIBxxx", value[:16])
        source, rest = xor_address(value[16:], number)
        to, rest = xor_address(rest, number)
        quoted = [None, None]
        if rest:
            quoted[0], rest = xor_address(rest, number)
            quoted[1], rest = xor_address(rest, number)
        assert not rest
        out.append(Record(*head, source[0], to[0], *quoted))
    return out


class Asker:
    """Asks over UDP or TCP, from a port of its own."""

    def __init__(self, server, source=None, tcp=False, port=0, timeout=4):
        self.server, self.tcp = server, tcp
        self.family = family_of(server[0])
        self.cookie, self.buffer, self.raw = None, b"", b""
        local = (source or ("::" if self.family == socket.AF_INET6 else "0.0.0.0"), port)
        if tcp:
            self.socket = shared(self.family, local)
        else:
            self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
            self.socket.bind(local)
        self.socket.settimeout(timeout)
        self.socket.connect(server)
        self.here = self.socket.getsockname()[:2]

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionRefusedError, OSError):
            if self.tcp:
                raise
            self.socket.sendall(data)  # an error of before, told once

    def receive(self):
        """The next message; an ICMP error that comes meanwhile is told once by the socket."""
        if self.tcp:
            message, self.buffer = receive(self.socket, self.buffer)
            return message
        end = time.monotonic() + self.socket.gettimeout()
        while True:
            try:
                self.raw = self.socket.recv(2048)
                return stuncodec.decode(self.raw)
            except (TimeoutError, BlockingIOError):
                raise
            except OSError:
                if time.monotonic() > end:
                    raise

    def answer_to(self, number):
        while True:
            message = self.receive()
            if message.ident == number and message.kind in (kind(METHOD, SUCCESS),
                                                            kind(METHOD, ERROR)):
                return message

    def ask(self, ask, attributes=None, number=None):
        """The answer, a cookie being fetched first where one is needed."""
        while True:
            number = number or ident()
            self.send(request(ask, attributes or {}, number, self.cookie))
            answer = self.answer_to(number)
            if COOKIE in answer.attributes:
                self.cookie = answer.attributes[COOKIE]
            if answer.error() != STALE:
                return answer
            number = None

    def errors(self, *errors, ask=ABOUT_FLOW, number=None):
        return self.ask(ask, {ERRORS: pack_errors(errors)} if errors else {}, number)

    def attempt(self, *errors):
        return self.errors(*errors, ask=ABOUT_ATTEMPT)

    def told(self, answer):
        """What the indication says that belongs to the answer."""
        while True:
            message = self.receive()
            if message.ident == answer.ident and message.kind == kind(METHOD, INDICATION):
                break
        sent, number = struct.unpack("!BxH", message.attributes[SENT])
        syn = message.attributes.get(SYN)
        if syn:
            sequence, ttl = struct.unpack("!IBxxx", syn[:8])
            syn = sequence, ttl, xor_address(syn[8:], message.ident)[0]
        return Told(sent, number, syn)

    def seen(self, token):
        """The records, over UDP."""
        answer = self.ask(ABOUT_SEEN, {TOKEN: token})
        assert answer.error() is None, answer.error()
        assert answer.attributes[TOKEN] == token
        return records(self.raw)

    def later(self, token, ms):
        return self.ask(ABOUT_LATER, {TOKEN: token, LATER: struct.pack("!I", ms)})

    def syn(self, target):
        """A connection attempt from the port of ours, and how it ends within 1.5 s."""
        with shared(self.family, self.here) as s:
            s.settimeout(1.5)
            try:
                s.connect(target)
                return "connected"
            except TimeoutError:
                return "silent"
            except OSError as e:
                return os.strerror(e.errno)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Watch:
    """ICMP errors and echo replies that arrive at this host."""

    def __init__(self, family):
        self.family = family
        v4 = family == socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_RAW,
                                    socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
        if not v4:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        self.socket.settimeout(2)

    def next(self, timeout=2):
        """The next one, or None."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data, control, _, source = self.socket.recvmsg(2048, 64)
            except TimeoutError:
                break
            size, ttl = len(data), 0
            if self.family == socket.AF_INET:
                ttl, data = data[8], data[(data[0] & 15) * 4:]
                assert checksum(data) == 0, "checksum"
                wanted = data[0] in (0, 3, 11, 12)
            else:
                size += 40
                ttl = struct.unpack("i", control[0][2])[0]
                wanted = data[0] in (129, 1, 2, 3, 4)
            if wanted:
                return Arrived(data[0], data[1], data[4:8], source[0], ttl, data[8:], size)
        return None

    def drain(self):
        while self.next(0.05):
            pass


class Quote:
    """A packet that an error quotes."""

    def __init__(self, data):
        if data[0] >> 4 == 4:
            size = (data[0] & 15) * 4
            assert checksum(data[:size]) == 0, "checksum of the quoted header"
            self.length = struct.unpack("!H", data[2:4])[0]
            self.ttl, self.protocol = data[8], data[9]
            addresses = data[12:16], data[16:20]
        else:
            size = 40
            self.length = 40 + struct.unpack("!H", data[4:6])[0]
            self.protocol, self.ttl = data[6], data[7]
            addresses = data[8:24], data[24:40]
        ports = struct.unpack("!HH", data[size:size + 4])
        self.source, self.to = ((str(ipaddress.ip_address(a)), p)
                                for a, p in zip(addresses, ports))
        self.transport = data[size:]
        self.payload = self.transport[8:]
        self.sequence = struct.unpack("!I", self.transport[4:8])[0]


def token():
    return os.urandom(8)


def ping(family, to, number, sequence, data, ttl=64, source=None):
    """One echo request."""
    v4 = family == socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW,
                       socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6) as s:
        if source:
            s.bind((source, 0))
        level, name = ((socket.IPPROTO_IP, socket.IP_TTL) if v4 else
                       (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS))
        s.setsockopt(level, name, ttl)
        head = struct.pack("!BBHHH", 8 if v4 else 128, 0, 0, number, sequence) + data
        if v4:  # of ICMPv6 the kernel computes it
            head = head[:2] + struct.pack("!H", checksum(head)) + head[4:]
        s.sendto(head, (to, 0))


def complain(family, to, kind_, code, quote, rest=bytes(4)):
    """One error."""
    v4 = family == socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW,
                       socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6) as s:
        data = struct.pack("!BBH", kind_, code, 0) + rest + quote
        if v4:
            data = data[:2] + struct.pack("!H", checksum(data)) + data[4:]
        s.sendto(data, (to, 0))


def udp_packet(source, to, payload, cut=None):
    """A datagram as an error quotes it; its UDP checksum is none."""
    a, b = (ipaddress.ip_address(e[0]).packed for e in (source, to))
    udp = struct.pack("!HHHH", source[1], to[1], 8 + len(payload), 0) + payload
    if len(a) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 9, 17, 0) + a + b
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        head = struct.pack("!IHBB", 6 << 28, len(udp), 17, 9) + a + b
    return (head + udp)[:cut]
