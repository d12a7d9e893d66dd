#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""badserver.py MODE=ADDR1[,ADDR2] ...: STUN servers with one defect each, over UDP.

Every address listens on 3478 and 3479; a mode with two addresses advertises the
other one, as RFC 5780 wants. Many MODE=... may be given, so one process can be a
whole crowd of servers. Prints "ready" when all sockets are bound, and each ICMP
error that a network sent back for an answer: "icmp TYPE/CODE from A about B PORT".
--modes prints the names of all modes, one a line:

  good              RFC 5780 as written: no defect
  ignores-change    answers from the asked endpoint whatever CHANGE-REQUEST says
  wrong-source      every answer leaves from the other address and port
  second-firewalled advertises its second address, which hears and says nothing
  silent            never answers
  garbage           random bytes, truncated and overlong messages, in turn
  self-other        OTHER-ADDRESS is the asked endpoint itself
  rewrites-mapped   MAPPED-ADDRESS differs from XOR-MAPPED-ADDRESS, as behind an ALG
  liar              a false mapped address, the same in both attributes
  rejects-change    420 to CHANGE-REQUEST, but OTHER-ADDRESS is advertised
  swallows-change   no answer to CHANGE-REQUEST
  plain             RFC 8489 only: no OTHER-ADDRESS, 420 to CHANGE-REQUEST
  rfc3489           MAPPED-, SOURCE- and CHANGED-ADDRESS only; knows no cookie
"""

import os
import select
import socket
import struct
import sys

sys.dont_write_bytecode = True
import stuncodec as stun  # noqa: E402

PORTS = (3478, 3479)
IP_RECVERR = 11
IPV6_RECVERR = 25


class Server:
    """One or two addresses in one mode; sockets[i][j] is address i, port j."""

    def __init__(self, mode, addresses):
        self.answer = MODES[mode]
        self.sockets = [[listen(a, p) for p in PORTS] for a in addresses]
        self.turn = 0

    def where(self, sock):
        for i, pair in enumerate(self.sockets):
            if sock in pair:
                return (i, pair.index(sock))
        return None

    def other(self, at):
        """The endpoint that differs from `at` in address and port."""
        return ((at[0] + 1) % len(self.sockets), 1 - at[1])

    def endpoint(self, at):
        return self.sockets[at[0]][at[1]].getsockname()[:2]

    def send(self, at, data, client):
        # An ICMP error that waits on the socket is reported by sendto(), which
        # then has sent nothing: once more.
        for _ in range(3):
            try:
                self.sockets[at[0]][at[1]].sendto(data, client)
                return
            except OSError:
                pass

    def handle(self, sock, data, client):
        at = self.where(sock)
        try:
            request = stun.decode(data)
            if request.kind == stun.BINDING_REQUEST:
                self.answer(self, at, request, client)
        except (stun.Malformed, struct.error):
            pass


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.setblocking(False)
    sock.bind((address, port))
    return sock


def changed(server, at, flags):
    """Where the answer to a CHANGE-REQUEST leaves from."""
    address, port = at
    if flags & stun.CHANGE_IP:
        address = server.other(at)[0]
    if flags & stun.CHANGE_PORT:
        port = 1 - port
    return (address, port)


def reply(server, at, request, client, source=None, mapped=None, alias=None,
          other=True):
    """The right answer, with what one defect wants different. `alias` is a false
    MAPPED-ADDRESS beside a true XOR-MAPPED-ADDRESS."""
    source = source or changed(server, at, request.change())
    message = stun.Message(stun.BINDING_RESPONSE, request.ident)
    mapped = mapped or client[:2]
    message.put_address(stun.XOR_MAPPED_ADDRESS, mapped)
    message.put_address(stun.MAPPED_ADDRESS, alias or mapped)
    if other:
        other_at = server.other(at) if other is True else other
        message.put_address(stun.RESPONSE_ORIGIN, server.endpoint(source))
        message.put_address(stun.OTHER_ADDRESS, server.endpoint(other_at))
    port = request.attributes.get(stun.RESPONSE_PORT)
    if port and len(port) >= 2:  # RFC 5780 7.5
        client = (client[0], struct.unpack("!H", port[:2])[0]) + client[2:]
    server.send(source, message.encode(), client)


def reject(server, at, request, client):
    message = stun.Message(stun.BINDING_ERROR, request.ident)
    message.put_error(420, "Unknown Attribute")
    message.attributes[stun.UNKNOWN_ATTRIBUTES] = struct.pack(
        "!H", stun.CHANGE_REQUEST)
    server.send(at, message.encode(), client)


def false_endpoint(client):
    address = "2001:db8:bad::1" if ":" in client[0] else "192.0.2.99"
    return (address, client[1] ^ 1)


def good(server, at, request, client):
    reply(server, at, request, client)


def ignores_change(server, at, request, client):
    reply(server, at, request, client, source=at)


def wrong_source(server, at, request, client):
    reply(server, at, request, client, source=server.other(at))


def second_firewalled(server, at, request, client):
    if at[0] == 0 and not request.change() & stun.CHANGE_IP:
        reply(server, at, request, client)


def silent(server, at, request, client):
    pass


def garbage(server, at, request, client):
    message = stun.Message(stun.BINDING_RESPONSE, request.ident)
    message.put_address(stun.XOR_MAPPED_ADDRESS, client[:2])
    right = message.encode()
    choices = (
        os.urandom(48),
        right[:13],  # ends inside the header
        right[:-5],  # ends inside the attribute
        right + bytes(1200),  # more bytes than the header's length
        right[:2] + b"\xff\xfc" + right[4:],  # length far beyond the end
        right[:22] + b"\xff\xff" + right[24:],  # attribute far beyond the end
        right[:25] + b"\x07" + right[26:],  # address family 7
        right[:8] + os.urandom(12) + right[20:],  # somebody else's transaction
        b"",
    )
    server.send(at, choices[server.turn % len(choices)], client)
    server.turn += 1


def self_other(server, at, request, client):
    source = (at[0], changed(server, at, request.change())[1])
    reply(server, at, request, client, source=source, other=at)


def rewrites_mapped(server, at, request, client):
    reply(server, at, request, client, alias=false_endpoint(client))


def liar(server, at, request, client):
    reply(server, at, request, client, mapped=false_endpoint(client))


def rejects_change(server, at, request, client):
    (reject if stun.CHANGE_REQUEST in request.attributes else reply)(
        server, at, request, client)


def swallows_change(server, at, request, client):
    if stun.CHANGE_REQUEST not in request.attributes:
        reply(server, at, request, client)


def plain(server, at, request, client):
    if stun.CHANGE_REQUEST in request.attributes:
        reject(server, at, request, client)
    else:
        reply(server, at, request, client, other=None)


def rfc3489(server, at, request, client):
    source = changed(server, at, request.change())
    message = stun.Message(stun.BINDING_RESPONSE, request.ident)
    message.put_address(stun.MAPPED_ADDRESS, client[:2])
    message.put_address(stun.SOURCE_ADDRESS, server.endpoint(source))
    message.put_address(stun.CHANGED_ADDRESS, server.endpoint(server.other(at)))
    server.send(source, message.encode(), client)


MODES = {f.__name__.replace("_", "-"): f for f in (
    good, ignores_change, wrong_source, second_firewalled, silent, garbage,
    self_other, rewrites_mapped, liar, rejects_change, swallows_change, plain,
    rfc3489)}


def report_icmp(sock):
    """Prints and removes the ICMP errors that wait on a socket."""
    for _ in range(64):
        try:
            _, control, _, about = sock.recvmsg(1500, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return
        for _, kind, value in control:
            if kind not in (IP_RECVERR, IPV6_RECVERR) or len(value) < 16:
                continue
            _, origin, icmp_type, code = struct.unpack("=IBBB", value[:7])
            if origin not in (2, 3):  # ICMP, ICMPv6; not our own host
                continue
            offender = value[20:24] if origin == 2 else value[24:40]
            name = socket.inet_ntop(sock.family, offender)
            print("icmp %d/%d from %s about %s %d" % (
                icmp_type, code, name, about[0], about[1]), flush=True)


def serve(servers):
    owner = {s: server for server in servers for p in server.sockets for s in p}
    poll = select.poll()
    for sock in owner:
        poll.register(sock, select.POLLIN)
    by_fd = {sock.fileno(): sock for sock in owner}
    print("ready", flush=True)
    while True:
        for fd, events in poll.poll():
            sock = by_fd[fd]
            if events & select.POLLERR:
                report_icmp(sock)
            try:
                data, client = sock.recvfrom(65535)
            except OSError:
                continue
            owner[sock].handle(sock, data, client)


def main(arguments):
    if arguments == ["--modes"]:
        print("\n".join(MODES))
        return
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    servers = []
    for argument in arguments:
        mode, _, addresses = argument.partition("=")
        if mode not in MODES or not addresses or addresses.count(",") > 1:
            sys.exit("badserver.py: %r: expected MODE=ADDR1[,ADDR2], MODE one of %s"
                     % (argument, " ".join(MODES)))
        servers.append(Server(mode, addresses.split(",")))
    serve(servers)


if __name__ == "__main__":
    main(sys.argv[1:])
