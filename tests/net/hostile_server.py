#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""hostile_server.py MODE ADDR1 ADDR2 [VICTIM:PORT]: a rendezvous that pairs its clients, and then means them ill.

It measures NATs as RFC 5780 has it, on 3478 and 3479 of both addresses, and is a rendezvous as natprobed is one,
written apart from it, but for what MODE says. Prints "ready" when its sockets are bound. --modes prints the modes, one
a line:
"""

import os
import random
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import badserver  # noqa: E402
import rendezvous as rv  # noqa: E402
import stuncodec as stun  # noqa: E402

COOKIE = b"no secret at all"
MARGIN_US = 20000
LOOPBACK_PORT = 22022
FLOOD_PPS, FLOOD_S = 10000, 2
MODES = {}


class Place:
    """A party in a session."""

    def __init__(self, number, party):
        self.number, self.party = number, party
        self.client = None  # (socket, address)
        self.slot = None  # (version, bytes)
        self.slots = []  # all that there have been
        self.ready = self.rtt = 0
        self.seen = (0, 0, 0)
        self.answers = 0
        self.left = False


class Session:
    def __init__(self, ident, number):
        self.ident, self.number = ident, number
        self.places = []
        self.go, self.go_at = 0, 0.0
        self.paired_at = None

    def other(self, place):
        return self.places[1 - place.number] if len(self.places) == 2 else None


class Rendezvous:
    """What an honest one does, over UDP; the modes change parts of it."""

    only_tcp = False

    def __init__(self, victim):
        self.victim = victim
        self.sessions = {}
        self.random = random.Random(1)

    # --- what is said; these are what modes change ---

    def mapped(self, place):
        return place.client[1][:2]

    def peer_address(self, place, other):
        return other.client[1][:2]

    def state(self, place, other):
        return rv.LEFT if other.left else rv.HERE

    def slot(self, session, place, other):
        return other.slot

    def go(self, session, place):
        if not session.go:
            return None
        return session.go, int((session.go_at - time.monotonic()) * 1e6) - place.rtt // 2

    def allocated(self):
        return 7

    def measured(self, client):
        """The mapped address for who measures a NAT."""
        return client[:2]

    def refuses(self, place):
        """Whether the cookie is refused, though it is right."""
        return False

    def encode(self, message, session):
        """The bytes that go out; None: nothing does."""
        return message.encode()

    def idle(self):
        """Called often; the moment when it has to be again."""
        return time.monotonic() + 1

    def accepted(self, connection):
        """Somebody has come over TCP, where only_tcp says so."""

    # --- the protocol ---

    def tell(self, message, session, place):
        other = session.other(place)
        state = self.state(place, other) if other else rv.NOBODY
        here = state == rv.HERE
        message.attributes[rv.PEER] = struct.pack("!BBHI", state, place.number, other.ready if here else 0,
                                                  other.rtt if here else 0)
        if here:
            message.put_address(stun.XOR_MAPPED_ADDRESS, self.peer_address(place, other))
            message.attributes[rv.PEER_ADDRESS] = message.attributes.pop(stun.XOR_MAPPED_ADDRESS)
            slot = self.slot(session, place, other)
            if slot and slot[0] > place.seen[0]:
                message.attributes[rv.SLOT] = struct.pack("!I", slot[0]) + slot[1]
        go = self.go(session, place)
        if go:
            message.attributes[rv.GO] = struct.pack("!HHi", go[0], 0, max(-2**31, min(2**31 - 1, go[1])))

    def answer(self, session, place, ident):
        message = stun.Message(rv.kind(rv.JOIN, rv.SUCCESS), ident)
        self.tell(message, session, place)
        message.put_address(stun.XOR_MAPPED_ADDRESS, self.mapped(place))
        if session.number is not None:
            message.attributes[rv.NUMBER] = struct.pack("!I", session.number)
        place.answers += 1
        self.send(message, session, place)

    def news(self, session, place):
        if place.client:
            message = stun.Message(rv.kind(rv.NEWS, rv.INDICATION), rv.ident(),
                                   {rv.SESSION: session.ident, rv.PARTY: place.party})
            self.tell(message, session, place)
            self.send(message, session, place)

    def send(self, message, session, place):
        data = self.encode(message, session)
        if data is not None:
            sock, address = place.client
            try:
                sock.sendto(data, address)
            except OSError:
                pass  # an ICMP error that waits, or a full queue: lost

    def refuse(self, sock, client, request, code):
        message = stun.Message(rv.kind(rv.JOIN, rv.ERROR), request.ident)
        message.put_error(code, "")
        if code == rv.STALE:
            message.attributes[rv.COOKIE] = COOKIE
        sock.sendto(message.encode(), client)

    def find(self, attributes):
        """Session and place, new if need be; None: the session is full."""
        ident = attributes.get(rv.SESSION)
        party = attributes[rv.PARTY]
        if ident is None:
            ident = b"allocated" + party[:7]
        number = None if rv.SESSION in attributes else self.allocated()
        session = self.sessions.setdefault(ident, Session(ident, number))
        for place in session.places:
            if place.party == party:
                return session, place
        if len(session.places) == 2:
            return session, None
        session.places.append(Place(len(session.places), party))
        if len(session.places) == 2:
            session.paired_at = time.monotonic()
        return session, session.places[-1]

    def join(self, sock, client, request):
        attributes = request.attributes
        if attributes.get(rv.COOKIE) != COOKIE:
            self.refuse(sock, client, request, rv.STALE)
            return
        session, place = self.find(attributes)
        if place is None:
            self.refuse(sock, client, request, 409)
            return
        place.client, place.left = (sock, client), False
        if self.refuses(place):
            self.refuse(sock, client, request, rv.STALE)
            return
        before = (place.slot, place.ready, place.answers == 0)
        self.learn(place, attributes)
        if len(session.places) == 2:
            phase = min(p.ready for p in session.places)
            if phase > session.go:
                session.go = phase
                session.go_at = time.monotonic() + (max(p.rtt for p in session.places) // 2 + MARGIN_US) / 1e6
        self.answer(session, place, request.ident)
        other = session.other(place)
        if other and before != (place.slot, place.ready, False):
            self.news(session, other)

    def learn(self, place, attributes):
        if rv.SLOT in attributes:
            slot = (struct.unpack("!I", attributes[rv.SLOT][:4])[0], attributes[rv.SLOT][4:])
            if slot != place.slot:
                place.slots.append(slot)
            place.slot = slot
        if rv.READY in attributes:
            place.ready, _, place.rtt = struct.unpack("!HHI", attributes[rv.READY])
        if rv.SEEN in attributes:
            place.seen = struct.unpack("!IHH", attributes[rv.SEEN])

    def leave(self, request):
        session = self.sessions.get(request.attributes.get(rv.SESSION))
        for place in session.places if session else ():
            if place.party == request.attributes[rv.PARTY] and not place.left:
                place.left = True
                if session.other(place):
                    self.news(session, session.other(place))

    def handle(self, sock, data, client):
        request = stun.decode(data)
        if request.kind == rv.kind(rv.JOIN, rv.REQUEST):
            self.join(sock, client, request)
        elif request.kind == rv.kind(rv.LEAVE, rv.REQUEST):
            self.leave(request)


def mode(function):
    """Registers a class under its name in lower case, with hyphens."""
    name = "".join("-" + c.lower() if c.isupper() else c for c in function.__name__).lstrip("-")
    MODES[name] = function
    return function


@mode
class Honest(Rendezvous):
    """changes nothing"""


# --- wrong addresses ---

@mode
class NamesVictim(Rendezvous):
    """says that the other party is at the victim"""

    def peer_address(self, place, other):
        return self.victim


@mode
class MapsToVictim(Rendezvous):
    """says so, and tells each party that its own endpoint is there, too, so that both vouch for it"""

    def mapped(self, place):
        return (self.victim[0], self.victim[1] + place.number)

    def peer_address(self, place, other):
        return self.mapped(other)


@mode
class Scatters(MapsToVictim):
    """and makes both believe that their NATs choose ports out of a band, so that many there may be guessed"""

    def measured(self, client):
        return (self.victim[0], 20000 + self.random.randrange(1000))


@mode
class NamesMulticast(Rendezvous):
    """says that one party is at a multicast address, and the other at the broadcast address"""

    def peer_address(self, place, other):
        return ("224.0.0.251", 5353) if place.number else ("255.255.255.255", 5353)


@mode
class NamesLoopback(Rendezvous):
    """says that one party is on the other's own host, and the other at port 0"""

    def peer_address(self, place, other):
        return ("127.0.0.1", LOOPBACK_PORT) if place.number else (self.victim[0], 0)


# --- slots ---

@mode
class Replays(Rendezvous):
    """gives out the first slot once more when there is a second one"""

    def slot(self, session, place, other):
        return (other.slot[0], other.slots[0][1]) if other.slot else None


@mode
class ReplaysSealed(Rendezvous):
    """gives out the present slot again and again as a new version"""

    def slot(self, session, place, other):
        if not other.slot or len(other.slots) < 2:
            return other.slot
        return (place.seen[0] + 1, other.slot[1])


@mode
class Swaps(Rendezvous):
    """gives each party a slot of another session, once there are two"""

    def slot(self, session, place, other):
        for strange in self.sessions.values():
            if strange is not session and len(strange.places) == 2 and strange.places[other.number].slot:
                return strange.places[other.number].slot
        return None


@mode
class FlipsShare(Rendezvous):
    """changes a bit of what both prove the code with"""

    def slot(self, session, place, other):
        return (other.slot[0], flip(other.slot[1], 5)) if other.slot else None


@mode
class FlipsSeal(Rendezvous):
    """changes the last bit of a slot that is sealed"""

    def slot(self, session, place, other):
        if not other.slot or len(other.slots) < 2:
            return other.slot
        return (other.slot[0], flip(other.slot[1], -1))


@mode
class Reflects(Rendezvous):
    """gives each party its own slot"""

    def slot(self, session, place, other):
        return place.slot


@mode
class HugeSlot(Rendezvous):
    """gives out 1400 bytes as a slot"""

    def slot(self, session, place, other):
        return (2**31, bytes(1400))


@mode
class LastVersion(Rendezvous):
    """gives the first slot the last version that there can be"""

    def slot(self, session, place, other):
        return (2**32 - 1, other.slot[1]) if other.slot else None


def flip(data, at):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


# --- what the others do, and when ---

@mode
class SaysLeft(Rendezvous):
    """says now and then that the other party has left"""

    def state(self, place, other):
        return rv.LEFT if self.random.random() < 0.3 else super().state(place, other)


@mode
class GoesFar(Rendezvous):
    """lets phase 65535 begin at once"""

    def go(self, session, place):
        return (65535, 0)


@mode
class GoesLate(Rendezvous):
    """lets the first phase begin in 36 minutes"""

    def go(self, session, place):
        return (1, 2**31 - 1)


@mode
class GoesForOne(Rendezvous):
    """lets one party go, and has then forgotten both, as if it had begun anew"""

    def __init__(self, victim):
        super().__init__(victim)
        self.once = False

    def go(self, session, place):
        go = super().go(session, place)
        if not go or place.number or self.once:
            return go if self.once else None
        return go

    def answer(self, session, place, ident):
        super().answer(session, place, ident)
        self.forget(session, place)

    def news(self, session, place):
        super().news(session, place)
        self.forget(session, place)

    def forget(self, session, place):
        if session.go and not place.number and not self.once:
            self.once = True
            self.sessions.clear()


@mode
class ForgetsHello(Rendezvous):
    """gives one party what the other one says of itself, and has then forgotten both before the other one has it"""

    def __init__(self, victim):
        super().__init__(victim)
        self.once = False

    def slot(self, session, place, other):
        sealed = other.slot and len(other.slots) > 1
        return other.slots[0] if sealed and place.number and not self.once else other.slot

    def send(self, message, session, place):
        super().send(message, session, place)
        other = session.other(place)
        if other and len(other.slots) > 1 and not place.number and not self.once:
            self.once = True
            self.sessions.clear()


@mode
class NumberNothing(Rendezvous):
    """allocates number 0"""

    def allocated(self):
        return 0


@mode
class NumberLast(Rendezvous):
    """allocates number 4294967295"""

    def allocated(self):
        return 2**32 - 1


# --- floods, rubbish, silence ---

def is_paired(session):
    return session.paired_at is not None


@mode
class Mute(Rendezvous):
    """says nothing more when both are there"""

    def encode(self, message, session):
        return None if is_paired(session) else message.encode()


@mode
class NeverContent(Rendezvous):
    """refuses every cookie when both are there"""

    def refuses(self, place):
        return any(is_paired(s) and place in s.places for s in self.sessions.values())


@mode
class Floods(Rendezvous):
    """sends 10,000 news a second to both for two seconds"""

    def __init__(self, victim):
        super().__init__(victim)
        self.sent = 0

    def idle(self):
        now = time.monotonic()
        for session in self.sessions.values():
            if not is_paired(session) or now > session.paired_at + FLOOD_S:
                continue
            while self.sent < (now - session.paired_at) * FLOOD_PPS:
                self.news(session, session.places[self.sent % 2])
                self.sent += 1
            return now + 0.001
        return now + 0.01


@mode
class Garbles(Rendezvous):
    """answers with rubbish when both are there: cut off, too long, of random bytes"""

    def __init__(self, victim):
        super().__init__(victim)
        self.turn = 0

    def encode(self, message, session):
        right = message.encode()
        if not is_paired(session):
            return right
        choices = (
            os.urandom(200), right[:13], right[:-5], right + bytes(1200), right[:2] + b"\xff\xfc" + right[4:],
            right[:22] + b"\xff\xff" + right[24:], right[:8] + os.urandom(12) + right[20:], b"",
            right[:20] + b"\xda\x88" + right[22:], right[:24] + os.urandom(len(right) - 24))
        self.turn += 1
        return choices[self.turn % len(choices)]


@mode
class HoldsStream(Rendezvous):
    """is silent over UDP, and over TCP, too, once one has come"""

    only_tcp = True


@mode
class GarblesStream(HoldsStream):
    """is silent over UDP, and sends rubbish over TCP: random, of a length that never comes, and much of it"""

    def __init__(self, victim):
        super().__init__(victim)
        self.turn = 0

    def accepted(self, connection):
        head = struct.pack("!HH", rv.kind(rv.JOIN, rv.SUCCESS), 65532) + rv.ident()
        choices = (head + bytes(100000), os.urandom(5000), head[:7], (head[:2] + b"\0\0" + head[4:]) * 1000)
        connection.setblocking(False)
        connection.send(choices[self.turn % len(choices)])
        self.turn += 1


# --- all ---

def accept(listener, server, connections):
    connection = listener.accept()[0]
    connections.append(connection)  # which stay open
    server.accepted(connection)


def serve(addresses, server):
    measuring = badserver.Server("good", addresses)
    measuring.answer = lambda own, at, request, client: badserver.reply(
        own, at, request, client, mapped=server.measured(client))
    by_fd = {sock.fileno(): sock for pair in measuring.sockets for sock in pair}
    poll = select.poll()
    listener, connections = socket.socket(), []
    if server.only_tcp:
        listener.bind((addresses[0], badserver.PORTS[0]))
        listener.listen()
        poll.register(listener, select.POLLIN)
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    print("ready", flush=True)
    while True:
        wait_ms = max(0, (server.idle() - time.monotonic()) * 1000)
        for fd, events in poll.poll(wait_ms):
            if fd == listener.fileno():
                accept(listener, server, connections)
                continue
            sock = by_fd[fd]
            if events & select.POLLERR:
                badserver.report_icmp(sock)
            try:
                data, client = sock.recvfrom(65535)
            except OSError:
                continue
            if server.only_tcp:
                continue
            try:
                server.handle(sock, data, client)
            except (stun.Malformed, struct.error, KeyError, OSError):
                pass
            measuring.handle(sock, data, client)


def main(arguments):
    if arguments == ["--modes"]:
        print("\n".join(MODES))
        return
    if len(arguments) not in (3, 4) or arguments[0] not in MODES:
        sys.exit(__doc__ + "\n".join(f"  {name:16}  {cls.__doc__}" for name, cls in MODES.items()))
    victim = arguments[3].rsplit(":", 1) if len(arguments) == 4 else ("192.0.2.254", 9)
    serve(arguments[1:3], MODES[arguments[0]]((victim[0], int(victim[1]))))


if __name__ == "__main__":
    main(sys.argv[1:])
