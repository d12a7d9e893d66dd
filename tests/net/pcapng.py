# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What natlab and the other tools have written with --pcap: their pcapng read back, as far as IP, and of that what
tests need. Written from the draft and not from common/wire, so that one can find the other's mistakes."""

import ipaddress
import struct

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDERS = {bytes.fromhex("1a2b3c4d"): "!", bytes.fromhex("4d3c2b1a"): "<"}
NAME, COMMENT, FLAGS, RESOLUTION = 2, 1, 2, 9  # options; numbers mean other things in other blocks
RAW, SLL, SLL2 = 101, 113, 276
HEADER_BYTES = {RAW: 0, SLL: 16, SLL2: 20}  # before the IP packet
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}
TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")  # from bit 0 on


class Malformed(Exception):
    """The file is not what the draft says."""


class Datagram:
    """t_s: time of day. where: "host a", "nat a inside" … inbound: it came to there. lost: why it got no further, or
    what else its comment says. source and destination are (address, port), and payload is what UDP carries. kind and
    code are ICMP's, flags those of TCP that are set."""

    def __init__(self, t_s, where, inbound, lost, ip):
        self.t_s, self.where, self.inbound, self.lost = t_s, where, inbound, lost
        if ip[0] >> 4 == 4:
            header, self.protocol, addresses, self.ttl = (ip[0] & 15) * 4, ip[9], (ip[12:16], ip[16:20]), ip[8]
        else:
            header, self.protocol, addresses, self.ttl = 40, ip[6], (ip[8:24], ip[24:40]), ip[7]
        self.is_udp = self.protocol == UDP
        self.raw = ip
        self.source, self.destination = ((str(ipaddress.ip_address(a)), None) for a in addresses)
        self.payload, self.kind, self.code, self.flags = b"", None, None, ()
        self.take(ip[header:])

    def take(self, body):
        if self.protocol in (UDP, TCP) and len(body) >= 4:
            ports = struct.unpack("!HH", body[:4])
            self.source, self.destination = ((e[0], p) for e, p in zip((self.source, self.destination), ports))
        if self.is_udp:
            self.payload = body[8:]
        elif self.protocol == TCP and len(body) >= 14:
            self.flags = tuple(name for i, name in enumerate(TCP_FLAGS) if body[13] >> i & 1)
        elif self.protocol in (ICMP, ICMPV6) and len(body) >= 2:
            self.kind, self.code = body[0], body[1]


def options(data, order="!"):
    found = {}
    while len(data) >= 4:
        code, length = struct.unpack(f"{order}HH", data[:4])
        if not code:
            break
        found[code] = data[4:4 + length]
        data = data[4 + length + -length % 4:]
    return found


def blocks(data):
    """(byte order, type, body); what the end of a file that still grows cuts off is left out."""
    at, order = 0, "!"
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":  # the same in both orders
            order = BYTE_ORDERS.get(data[at + 8:at + 12])
            if not order:
                raise Malformed(f"byte order {data[at + 8:at + 12].hex()}")
        kind, length = struct.unpack(f"{order}II", data[at:at + 8])
        if length < 12 or at + length > len(data):
            return
        yield order, kind, data[at + 8:at + length - 4]
        at += length


def at_hosts(path, sides):
    """The UDP datagrams at the hosts whose names begin with one of these letters and a hyphen, by where."""
    with open(path, "rb") as file:
        data = file.read()
    found = {}
    for packet in read(data, lambda where: where[:5] == "host " and where[5] in sides and where[6] == "-"):
        if packet.is_udp:
            found.setdefault(packet.where, []).append(packet)
    return found


class Interface:
    def __init__(self, order, body):
        link = struct.unpack(f"{order}H", body[:2])[0]
        if link not in HEADER_BYTES:
            raise Malformed(f"link type {link}")
        more = options(body[8:], order)
        resolution = more.get(RESOLUTION, b"\x06")[0]
        self.header_bytes = HEADER_BYTES[link]
        self.name = more.get(NAME, b"").decode()
        self.ticks = 2 ** (resolution & 127) if resolution & 128 else 10 ** resolution


def read(data, wanted=lambda where: True):
    """The packets at interfaces that are wanted, in order, as Datagrams."""
    interfaces = []
    for order, kind, body in blocks(data):
        if kind == SECTION:
            interfaces = []
        if kind == INTERFACE:
            interfaces.append(Interface(order, body))
        if kind != PACKET:
            continue
        number, high, low, captured = struct.unpack(f"{order}IIII", body[:16])
        interface = interfaces[number]
        if not wanted(interface.name):
            continue
        more = options(body[20 + captured + -captured % 4:], order)
        flags = struct.unpack(f"{order}I", more.get(FLAGS, bytes(4)))[0]
        yield Datagram((high << 32 | low) / interface.ticks, interface.name, flags & 3 == 1,
                       more.get(COMMENT, b"").decode(), body[20 + interface.header_bytes:20 + captured])
