#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""agent.py SOCKET [SECONDS]: the hands and eyes of sequences.py in one network namespace.

Listens on a Unix socket, which unlike others is reached from every network namespace, and
speaks JSON lines:

  {"send": HEX}       a whole IPv4 packet, sent as it is (the kernel fills in the checksum of
                      the IP header)            -> {"failed": WHY} if it could not be sent
  {"barrier": N}      -> {"barrier": N} behind all packets that had arrived by then
  each packet that arrives -> {"packet": HEX, "unfinished": true if the sending kernel has left
                      the checksum to a network card that is not there}

The kernel of the namespace itself gets to see none of these packets, so that it neither
answers nor reassembles them. Ends with its last connection, or after SECONDS (300).
"""

import json
import os
import select
import socket
import subprocess
import sys
import time

ETH_P_IP = 0x0800
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TP_STATUS_CSUMNOTREADY = 8
SO_RCVBUFFORCE = 33

# before defragmentation (-400)
DEAF = """table ip deaf {
    chain ears { type filter hook prerouting priority -500; policy drop; }
}"""


class Agent:
    def __init__(self, path):
        subprocess.run(["nft", "-f", "-"], input=DEAF, text=True, check=True)
        self.sniffer = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.sniffer.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        try:
            self.sniffer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        except OSError:  # without privileges outside of the user namespace
            self.sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sniffer.setblocking(False)
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path + ".new")
        self.listener.listen()
        os.rename(path + ".new", path)  # whoever sees it can connect
        self.lines = {}  # of each connection, what has come of the next line

    def tell(self, connection, what):
        try:
            connection.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            self.lines.pop(connection, None)

    def sniff(self):
        while True:
            try:
                data, control, _, where = self.sniffer.recvmsg(65535, 256)
            except BlockingIOError:
                return
            if where[2] == PACKET_OUTGOING or where[0] == "lo":
                continue
            unfinished = any(
                int.from_bytes(value[:4], sys.byteorder) & TP_STATUS_CSUMNOTREADY
                for level, kind, value in control
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA))
            for connection in list(self.lines):
                self.tell(connection, {"packet": data.hex(), "unfinished": unfinished})

    def obey(self, connection, line):
        order = json.loads(line)
        if "barrier" in order:
            self.sniff()
            self.tell(connection, {"barrier": order["barrier"]})
            return
        packet = bytes.fromhex(order["send"])
        try:
            self.raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        except OSError as error:
            self.tell(connection, {"failed": str(error)})

    def hear(self, connection):
        data = connection.recv(1 << 16)
        if not data:
            self.lines.pop(connection, None)
            return
        *whole, self.lines[connection] = (self.lines[connection] + data).split(b"\n")
        for line in whole:
            self.obey(connection, line)

    def run(self, end):
        while time.monotonic() < end:
            sources = [self.listener, self.sniffer, *self.lines]
            ready, _, _ = select.select(sources, [], [], end - time.monotonic())
            for source in ready:
                if source is self.listener:
                    self.lines[self.listener.accept()[0]] = b""
                elif source is self.sniffer:
                    self.sniff()
                elif source in self.lines:
                    self.hear(source)
            if len(sources) > 2 and not self.lines:
                return


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    Agent(sys.argv[1]).run(time.monotonic() + float(sys.argv[2] if sys.argv[2:] else 300))
