#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""mitm.py DEVICE after|ahead: creates the TUN device DEVICE, and passes on what is routed into it, with tricks.

after   each UDP packet comes once more, and once more from another port; one of four also with a bit flipped, and one
        of four goes back to its sender; one of eight has a bit flipped itself
ahead   of each third packet, a copy from another port comes before it
Prints "ready", and when its standard input ends what it has done, as JSON."""

import fcntl
import json
import os
import random
import select
import socket
import struct
import sys

sys.dont_write_bytecode = True
import packetcodec  # noqa: E402

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
SECRET = b"secret line"
OTHER_PORT = 1000  # so much higher
COUNTER_BIT = 28 * 8 + 7  # common/wire/punch.c: behind the header, an attribute's header, version, flags and attempt


def is_stun(payload):
    return not payload[0] >> 6


def address(packet, at):
    return socket.inet_ntoa(packet[at:at + 4])


class Mangler:
    def __init__(self, tun, ahead):
        self.tun, self.ahead = tun, ahead
        self.random = random.Random(1)
        self.counts = dict.fromkeys(("passed", "again", "moved", "flipped", "reflected", "altered", "readable"), 0)
        self.forged = {}  # STUN that has to be refused, by the address that gets it
        self.number = 0

    def put(self, what, packet):
        self.counts[what] += 1
        if what != "passed" and is_stun(packet[28:]):
            to = address(packet, 16)
            self.forged[to] = self.forged.get(to, 0) + 1
        os.write(self.tun, packet)

    def flip(self, payload):
        """One bit: of a check that of its counter which would make all others old, else any."""
        at = COUNTER_BIT if is_stun(payload) else self.random.randrange(len(payload) * 8)
        changed = bytearray(payload)
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)

    def take(self, packet):
        header = (packet[0] & 15) * 4
        if packet[0] >> 4 != 4 or packet[9] != packetcodec.UDP or len(packet) <= header + 8:
            os.write(self.tun, packet)
            return
        ports = struct.unpack("!HH", packet[header:header + 4])
        source, destination = (address(packet, 12), ports[0]), (address(packet, 16), ports[1])
        payload = packet[header + 8:]
        self.counts["readable"] += SECRET in payload
        self.number += 1
        self.mangle(packet, source, destination, payload)

    def mangle(self, packet, source, destination, payload):
        ttl = packet[8]
        moved = packetcodec.udp((source[0], (source[1] + OTHER_PORT) % 65536 or 1), destination, payload, ttl=ttl)
        if self.ahead:
            if self.number % 3 == 0:
                self.put("moved", moved)
            self.put("passed", packet)
            return
        if self.number % 8 == 0:
            self.put("altered", packetcodec.udp(source, destination, self.flip(payload), ttl=ttl))
            return
        self.put("passed", packet)
        self.put("again", packet)
        self.put("moved", moved)
        if self.number % 4 == 1:
            self.put("flipped", packetcodec.udp(source, destination, self.flip(payload), ttl=ttl))
        if self.number % 4 == 2:
            self.put("reflected", packetcodec.udp(destination, source, payload))


def main(name, mode):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    mangler = Mangler(tun, mode == "ahead")
    print("ready", flush=True)
    while True:
        readable = select.select([tun, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            print(json.dumps({**mangler.counts, "forged": mangler.forged}), flush=True)
            return
        mangler.take(os.read(tun, 65535))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in ("after", "ahead"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
