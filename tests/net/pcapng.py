# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What natlab --pcap has written: its pcapng read back, as far as UDP needs it."""

import ipaddress
import struct

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
NAME, COMMENT, FLAGS = 2, 1, 2  # options; numbers mean other things in other blocks
SLL_BYTES = 16
UDP = 17


class Datagram:
    """t_s: time of day. where: "host a", "nat a inside" … inbound: it came to there. lost: why it got no further.
    source and destination are (address, port), and payload is what UDP carries."""

    def __init__(self, t_s, where, inbound, lost, ip):
        self.t_s, self.where, self.inbound, self.lost = t_s, where, inbound, lost
        if ip[0] >> 4 == 4:
            header, protocol, addresses = (ip[0] & 15) * 4, ip[9], (ip[12:16], ip[16:20])
        else:
            header, protocol, addresses = 40, ip[6], (ip[8:24], ip[24:40])
        self.is_udp = protocol == UDP
        self.raw = ip
        self.source, self.destination = ((str(ipaddress.ip_address(a)), None) for a in addresses)
        self.payload = b""
        if self.is_udp:
            ports = struct.unpack("!HH", ip[header:header + 4])
            self.source, self.destination = ((e[0], p) for e, p in zip((self.source, self.destination), ports))
            self.payload = ip[header + 8:]


def options(data):
    found = {}
    while len(data) >= 4:
        code, length = struct.unpack("!HH", data[:4])
        if not code:
            break
        found[code] = data[4:4 + length]
        data = data[4 + length + -length % 4:]
    return found


def blocks(data):
    """(type, body); what the end of a file that still grows cuts off is left out."""
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack("!II", data[at:at + 8])
        if length < 12 or at + length > len(data):
            return
        yield kind, data[at + 8:at + length - 4]
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


def read(data, wanted=lambda where: True):
    """The packets at interfaces that are wanted, in order, as Datagrams."""
    names = []
    for kind, body in blocks(data):
        if kind == INTERFACE:
            names.append(options(body[8:]).get(NAME, b"").decode())
        if kind != PACKET:
            continue
        number, high, low, captured = struct.unpack("!IIII", body[:16])
        if not wanted(names[number]):
            continue
        more = options(body[20 + captured + -captured % 4:])
        flags = struct.unpack("!I", more.get(FLAGS, bytes(4)))[0]
        yield Datagram((high << 32 | low) / 1e6, names[number], flags & 3 == 1, more.get(COMMENT, b"").decode(),
                       body[20 + SLL_BYTES:20 + captured])
