# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A party of the rendezvous, written apart from the project's C code."""

import os
import socket
import struct

import stuncodec

(SESSION, PARTY, COOKIE, ALLOCATE, NUMBER, SLOT, SEEN, READY, PEER, PEER_ADDRESS,
 GO) = range(0xDA80, 0xDA8B)
JOIN, NEWS, LEAVE = 0x5D1, 0x5D2, 0x5D3
REQUEST, INDICATION, SUCCESS, ERROR = range(4)
NOBODY, HERE, LEFT = range(3)
STALE = 438


def kind(method, number):
    return ((method & 0xF80) << 2 | (method & 0x70) << 1 | (method & 0xF)
            | (number & 2) << 7 | (number & 1) << 4)


def ident():
    return struct.pack("!I", stuncodec.COOKIE) + os.urandom(12)


class Closed(Exception):
    pass


class Party:
    def __init__(self, server, session, tcp=False, source=None, slot=b"slot"):
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.tcp = tcp
        self.socket = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.socket.settimeout(3)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(server)
        self.session, self.party = session, os.urandom(16)
        self.cookie, self.slot, self.version = None, slot, 1
        self.ready, self.rtt, self.seen = 0, 0, (0, 0, 0)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def send(self, method):
        attributes = {PARTY: self.party}
        if self.session:
            attributes[SESSION] = self.session
        else:
            attributes[ALLOCATE] = b""
        if self.cookie:
            attributes[COOKIE] = self.cookie
        if method == JOIN:
            attributes[SLOT] = struct.pack("!I", self.version) + self.slot
            attributes[READY] = struct.pack("!HHI", self.ready, 0, self.rtt)
            attributes[SEEN] = struct.pack("!IHH", *self.seen)
        message = stuncodec.Message(kind(method, REQUEST), ident(), attributes)
        self.socket.sendall(message.encode())
        return message.ident

    def receive(self):
        if not self.tcp:
            return stuncodec.decode(self.socket.recv(2048))
        while True:
            if len(self.buffer) >= 20:
                size = 20 + struct.unpack("!H", self.buffer[2:4])[0]
                if len(self.buffer) >= size:
                    data, self.buffer = self.buffer[:size], self.buffer[size:]
                    return stuncodec.decode(data)
            more = self.socket.recv(4096)
            if not more:
                raise Closed
            self.buffer += more

    def ask(self, method=JOIN):
        """The answer; NEWS that comes meanwhile is left out, and a cookie fetched where needed."""
        number = self.send(method)
        while True:
            answer = self.receive()
            if answer.ident != number:
                continue
            if COOKIE in answer.attributes:
                self.cookie = answer.attributes[COOKIE]
            if answer.error() != STALE:
                return answer
            number = self.send(method)

    def news(self):
        while True:
            message = self.receive()
            if message.kind == kind(NEWS, INDICATION):
                return message

    def see(self, message):
        version, ready, go = self.seen
        a = message.attributes
        if SLOT in a:
            version = struct.unpack("!I", a[SLOT][:4])[0]
        if PEER in a:
            ready = struct.unpack("!BBHI", a[PEER])[2]
        if GO in a:
            go = struct.unpack("!HHi", a[GO])[0]
        self.seen = (version, ready, go)


def peer(message):
    """State and own place."""
    return struct.unpack("!BBHI", message.attributes[PEER])[:2]


def slot(message):
    return message.attributes.get(SLOT, b"")[4:].decode()


def wait(message):
    """Seconds until go, or None."""
    value = message.attributes.get(GO)
    return struct.unpack("!HHi", value)[2] / 1e6 if value else None
