#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""hostile_loopback.py PORT: says what comes to this port of the loopback addresses, after "ready"."""

import select
import socket
import sys


def main(port):
    sockets = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.1.2.3"), (socket.AF_INET6, "::1")):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, port))
        sockets.append(sock)
    print("ready", flush=True)
    while True:
        for sock in select.select(sockets, [], [])[0]:
            data, source = sock.recvfrom(2048)
            print(f"{sock.getsockname()[0]} ({len(data)} bytes from {source[0]})", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
