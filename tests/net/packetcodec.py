# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""IPv4 packets to bytes and back, right or deliberately wrong, for sequences.py.

Written from the RFCs and not from common/wire, so that one can find the other's mistakes.
"""

import socket
import struct

ICMP, TCP, UDP = 1, 6, 17
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
ERRORS = (3, 4, 5, 11, 12)
FLAGS = "FSRPAUEC"  # from bit 0 on


def sum16(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def checksum(data):
    return 0xffff - sum16(data)


def pseudo(source, destination, protocol, length):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack(
        "!BBH", 0, protocol, length)


def ip(source, destination, protocol, payload, ttl=64, tos=0, ident=0, df=False, mf=False,
       offset=0, options=b"", length=None):
    """offset: of a fragment, in bytes; length: what the header says, if not the truth."""
    size = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | size // 4, tos, length or size + len(payload), ident,
        (df << 14) | (mf << 13) | offset // 8, ttl, protocol, 0,
        socket.inet_aton(source), socket.inet_aton(destination)) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(source, destination, payload=b"", check=None, length=None, **of_ip):
    """Endpoints are (address, port); check: the checksum, if not the right one."""
    length = length or 8 + len(payload)
    segment = struct.pack("!HHHH", source[1], destination[1], length, 0) + payload
    if check is None:
        check = checksum(
            pseudo(source[0], destination[0], UDP, length) + segment[:length]) or 0xffff
    segment = segment[:6] + struct.pack("!H", check) + segment[8:]
    return ip(source[0], destination[0], UDP, segment, **of_ip)


def tcp(source, destination, flags, seq=0, ack=0, payload=b"", window=65000, options=b"",
        check=None, **of_ip):
    """flags: letters of FLAGS."""
    bits = sum(1 << FLAGS.index(letter) for letter in flags)
    segment = struct.pack(
        "!HHIIBBHHH", source[1], destination[1], seq % (1 << 32), ack % (1 << 32),
        (20 + len(options)) // 4 << 4, bits, window, 0, 0) + options + payload
    if check is None:
        check = checksum(pseudo(source[0], destination[0], TCP, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", check) + segment[18:]
    return ip(source[0], destination[0], TCP, segment, **of_ip)


def icmp(source, destination, kind, code, rest, payload, check=None, **of_ip):
    """rest: the second four bytes, as a number."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + payload
    if check is None:
        check = checksum(message)
    message = message[:2] + struct.pack("!H", check) + message[4:]
    return ip(source, destination, ICMP, message, **of_ip)


def echo(source, destination, ident, payload=b"", reply=False, seq=1, **of_ip):
    return icmp(source, destination, 0 if reply else 8, 0, ident << 16 | seq, payload,
                **of_ip)


class Packet:
    """What is there of a packet, which may be quoted and cut off; wrong is what is wrong."""

    def __init__(self, data, quoted=False, unfinished=False):
        self.wrong = []
        self.sport = self.dport = self.ident = self.inner = self.kind = None
        self.payload = b""
        size = (data[0] & 15) * 4
        (self.tos, length, self.ip_id, fragment, self.ttl, self.protocol) = struct.unpack(
            "!xBHHHBB", data[:10])
        self.source = socket.inet_ntoa(data[12:16])
        self.destination = socket.inet_ntoa(data[16:20])
        self.df, self.mf = bool(fragment & 0x4000), bool(fragment & 0x2000)
        self.offset = (fragment & 0x1fff) * 8
        self.options = data[20:size]
        self.bytes = data
        if sum16(data[:size]) not in (0, 0xffff):
            self.wrong.append("ip-checksum")
        self.length = len(data)
        self.whole = len(data) >= length
        if len(data) > length and not quoted:
            self.wrong.append("ip-length")
        self.body = body = data[size:length]
        if self.offset:
            self.payload = body
            return
        self.checked = self.whole and not self.mf and not unfinished
        if self.protocol == UDP and len(body) >= 8:
            self.read_udp(body)
        elif self.protocol == TCP and len(body) >= 8:
            self.read_tcp(body)
        elif self.protocol == ICMP and len(body) >= 8:
            self.read_icmp(body, quoted)
        else:
            self.payload = body

    def sum_is_right(self, body, pseudo_header=True):
        head = pseudo(self.source, self.destination, self.protocol, len(body)) \
            if pseudo_header else b""
        return sum16(head + body) in (0, 0xffff)

    def read_udp(self, body):
        self.sport, self.dport, length, check = struct.unpack("!HHHH", body[:8])
        self.payload = body[8:]
        self.no_checksum = check == 0
        if length != len(body) and self.checked:
            self.wrong.append("udp-length")
        if self.checked and check and not self.sum_is_right(body[:length]):
            self.wrong.append("udp-checksum")

    def read_tcp(self, body):
        self.sport, self.dport, self.seq = struct.unpack("!HHI", body[:8])
        self.ack = self.flags = self.window = None
        if len(body) < 20:
            return
        self.ack, size, bits, self.window = struct.unpack("!IBBH", body[8:16])
        self.flags = "".join(f for i, f in enumerate(FLAGS) if bits >> i & 1) or "-"
        self.payload = body[(size >> 4) * 4:]
        if self.checked and not self.sum_is_right(body):
            self.wrong.append("tcp-checksum")

    def read_icmp(self, body, quoted):
        self.kind, self.code, _, self.rest = struct.unpack("!BBHI", body[:8])
        self.payload = body[8:]
        if self.checked and not self.sum_is_right(body, False):
            self.wrong.append("icmp-checksum")
        if self.kind in ERRORS:
            if not quoted and len(self.payload) >= 20:
                self.inner = Packet(self.payload, True)
        else:
            self.ident = self.rest >> 16
