# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""explain_stage.py portal PORT | swallow DEVICE ADDRESS | ladder ADDRESS: who is in the way of a staged failure, and
who there is on the way. The first two print "ready" and stay.

portal    answers each TCP connection at PORT with a page that wants a login, whatever was asked
swallow   makes the TUN device DEVICE with ADDRESS, and what is routed into it is never seen again, as with a VPN
          whose other end is dead
ladder    asks by UDP for the first routers on the way to ADDRESS, and prints as JSON who has answered, by hop"""

import fcntl
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
HOPS, PATIENCE_S, PORT = 8, 1, 33434
IP_TTL, IP_RECVERR, IPV6_UNICAST_HOPS, IPV6_RECVERR = 2, 11, 16, 25
TIME_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}
PAGE = (b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n"
        b"Connection: close\r\n\r\n")


def greet(connection):
    """At once: who asks no HTTP would have to be waited for."""
    with connection:
        connection.settimeout(3)
        try:
            connection.recv(4096)
            connection.sendall(PAGE)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError:
            pass


def portal(port):
    with socket.create_server(("", int(port)), backlog=64) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=greet, args=(listener.accept()[0],), daemon=True).start()


def swallow(device, address):
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN_NO_PI))
        for command in (f"addr add {address}/24 dev {device}", f"link set {device} up"):
            subprocess.run(["ip", *command.split()], check=True)
        print("ready", flush=True)
        while tun.read(65536):
            pass


def step(address, ttl):
    """A socket that has sent, or None: this host would not."""
    v6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    sock.setsockopt(level, IPV6_RECVERR if v6 else IP_RECVERR, 1)
    sock.setsockopt(level, IPV6_UNICAST_HOPS if v6 else IP_TTL, ttl)
    try:
        sock.sendto(b"ladder", (address, PORT))
    except OSError:
        return None
    return sock


def router(sock):
    """The address that says that the TTL has run out, or None."""
    try:
        control = sock.recvmsg(100, 512, socket.MSG_ERRQUEUE)[1]
    except OSError:
        return None
    for _, kind, value in control:
        if kind in (IP_RECVERR, IPV6_RECVERR) and len(value) > 16 and value[5] == TIME_EXCEEDED[sock.family]:
            return socket.inet_ntop(sock.family, value[24:40] if sock.family == socket.AF_INET6 else value[20:24])
    return None


def ladder(address):
    steps = {ttl: step(address, ttl) for ttl in range(1, HOPS + 1)}
    hops = {sock.fileno(): ttl for ttl, sock in steps.items() if sock}
    poll, found, end = select.poll(), {}, time.monotonic() + PATIENCE_S
    for fd in hops:
        poll.register(fd, 0)  # errors
    while hops and time.monotonic() < end:
        for fd, _ in poll.poll(50):
            at = router(steps[hops[fd]])
            if at:
                found[hops[fd]] = at
    print(json.dumps(found))


if __name__ == "__main__":
    {"portal": portal, "swallow": swallow, "ladder": ladder}[sys.argv[1]](*sys.argv[2:])
