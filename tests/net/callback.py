# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A client of natprobed's call-backs, written apart from the project's C code."""

import collections
import ipaddress
import socket
import struct
import zlib

import stuncodec
from rendezvous import Closed, ERROR, INDICATION, REQUEST, SUCCESS, ident, kind

CALL = 0x5D5
FROM, RESULT, ENDPOINT, TTL = 0xDA95, 0xDA97, 0xDA98, 0xDA9D
ICMP_ERROR, FINGERPRINT = 0xDA73, 0x8028
PORT, ADDRESS, BOTH, THIRD, THIRD_ADDRESS = 1, 2, 4, 8, 16
ALL = 31
OUTCOMES = (None, "connected", "refused", "unreachable", "silent", "local")

Result = collections.namedtuple("Result", "which outcome errno us icmp ident ttl")


def request(mask, wait_ms=0):
    return stuncodec.Message(kind(CALL, REQUEST), ident(),
                             {FROM: struct.pack("!BBH", mask, 0, wait_ms)})


def with_fingerprint(message):
    data = bytearray(message.encode())
    data[2:4] = struct.pack("!H", len(data) - 20 + 8)
    crc = zlib.crc32(data) ^ 0x5354554E
    return bytes(data) + struct.pack("!HHI", FINGERPRINT, 4, crc)


def has_fingerprint(message):
    return list(message.attributes)[-1] == FINGERPRINT


def shared(family, local):
    """A socket bound to an endpoint that others have, too."""
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(local)
    s.settimeout(12)
    return s


def receive(sock, buffer=b""):
    """The next message of a stream, and what was received behind it."""
    while len(buffer) < 20 or len(buffer) < 20 + struct.unpack("!H", buffer[2:4])[0]:
        more = sock.recv(4096)
        if not more:
            raise Closed
        buffer += more
    size = 20 + struct.unpack("!H", buffer[2:4])[0]
    return stuncodec.decode(buffer[:size]), buffer[size:]


def endpoint(message, number):
    return stuncodec.Message(0, message.ident, {
        stuncodec.XOR_MAPPED_ADDRESS: message.attributes.get(number)}).address(
            stuncodec.XOR_MAPPED_ADDRESS)


def result(message):
    assert message.kind == kind(CALL, INDICATION), hex(message.kind)
    which, outcome, number, us = struct.unpack("!BBHI", message.attributes[RESULT])
    icmp = message.attributes.get(ICMP_ERROR)
    if icmp:
        size = 4 if icmp[5] == 1 else 16
        offender = stuncodec.xor(icmp[8:8 + size], message.ident)
        icmp = "%d/%d %s" % (icmp[0], icmp[1], ipaddress.ip_address(offender))
    ttl = message.attributes.get(TTL, b"\0")[0]
    return Result(which, OUTCOMES[outcome], number, us, icmp, message.ident, ttl)


class Control:
    """A control connection; others may use its local port."""

    def __init__(self, server, source=None, port=0):
        self.family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.socket = shared(self.family, (source or server[0], port))
        self.socket.connect(server)
        self.here = self.socket.getsockname()[:2]
        self.buffer = b""

    def close(self):
        self.socket.close()

    def listen(self):
        s = shared(self.family, self.here)
        s.listen(32)
        return s

    def receive(self):
        message, self.buffer = receive(self.socket, self.buffer)
        return message

    def send(self, mask, wait_ms=0):
        message = request(mask, wait_ms)
        self.socket.sendall(message.encode())
        return message.ident

    def ask(self, mask, wait_ms=0):
        """The answer, before which no result may come."""
        number = self.send(mask, wait_ms)
        answer = self.receive()
        assert answer.ident == number, "an answer to something else"
        assert answer.kind in (kind(CALL, SUCCESS), kind(CALL, ERROR)), hex(answer.kind)
        return answer

    def results(self, count):
        return [result(self.receive()) for _ in range(count)]


def mask(answer):
    return struct.unpack("!BBH", answer.attributes[FROM])[0]


def take(listener):
    """One call: where it comes from, what it says, and the connection."""
    connection, source = listener.accept()
    connection.settimeout(12)
    message, rest = receive(connection)
    assert not rest, "more than one message"
    return source[:2], result(message), connection
