# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""The STUN messages of the laboratory's own client and servers (RFC 8489, 5780,
3489), written apart from the project's C code so that one checks the other."""

import ipaddress
import struct

COOKIE = 0x2112A442

BINDING_REQUEST = 0x0001
BINDING_RESPONSE = 0x0101
BINDING_ERROR = 0x0111

MAPPED_ADDRESS = 0x0001
CHANGE_REQUEST = 0x0003
SOURCE_ADDRESS = 0x0004  # RFC 3489
CHANGED_ADDRESS = 0x0005  # RFC 3489
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
RESPONSE_PORT = 0x0027
SOFTWARE = 0x8022
RESPONSE_ORIGIN = 0x802B
OTHER_ADDRESS = 0x802C

CHANGE_PORT = 0x02
CHANGE_IP = 0x04


class Malformed(Exception):
    pass


class Message:
    """kind, the 16 bytes of cookie and transaction ID, and {attribute: value}."""

    def __init__(self, kind, ident, attributes=None):
        self.kind = kind
        self.ident = ident
        self.attributes = attributes or {}

    def encode(self):
        body = b""
        for number, value in self.attributes.items():
            body += struct.pack("!HH", number, len(value)) + value
            body += bytes(-len(value) % 4)
        return struct.pack("!HH", self.kind, len(body)) + self.ident + body

    def address(self, number):
        """The endpoint in an address attribute as (address, port), or None."""
        value = self.attributes.get(number)
        if value is None:
            return None
        if (len(value), value[1:2]) not in ((8, b"\1"), (20, b"\2")):
            raise Malformed("address attribute %s" % value.hex())
        port = struct.unpack("!H", value[2:4])[0]
        raw = value[4:]
        if number == XOR_MAPPED_ADDRESS:
            port ^= COOKIE >> 16
            raw = xor(raw, self.ident)
        return (str(ipaddress.ip_address(raw)), port)

    def put_address(self, number, endpoint):
        raw = ipaddress.ip_address(endpoint[0]).packed
        port = endpoint[1]
        family = 1 if len(raw) == 4 else 2
        if number == XOR_MAPPED_ADDRESS:
            port ^= COOKIE >> 16
            raw = xor(raw, self.ident)
        self.attributes[number] = struct.pack("!BBH", 0, family, port) + raw

    def put_error(self, code, reason):
        self.attributes[ERROR_CODE] = (
            struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode())

    def error(self):
        value = self.attributes.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value and len(value) >= 4 else None

    def change(self):
        """The flags of CHANGE-REQUEST; 0 without one."""
        value = self.attributes.get(CHANGE_REQUEST, b"\0\0\0\0")
        if len(value) != 4:
            raise Malformed("CHANGE-REQUEST of %d bytes" % len(value))
        return struct.unpack("!I", value)[0]


def xor(raw, ident):
    return bytes(a ^ b for a, b in zip(raw, ident))


def decode(data):
    if len(data) < 20:
        raise Malformed("%d bytes" % len(data))
    kind, length = struct.unpack("!HH", data[:4])
    if kind & 0xC000 or length % 4 or length != len(data) - 20:
        raise Malformed("header")
    message = Message(kind, data[4:20])
    at = 20
    while at < len(data):
        number, size = struct.unpack("!HH", data[at:at + 4])
        value = data[at + 4:at + 4 + size]
        if len(value) != size:
            raise Malformed("attribute beyond the end")
        message.attributes.setdefault(number, value)  # the first one counts
        at += 4 + size + -size % 4
    return message
