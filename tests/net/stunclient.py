#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A small STUN client with which the laboratory checks itself; prints key=value.

  stunclient.py ask ADDR [PORT [CHANGE [INSIDE]]]   one question, CHANGE is 0 2 4 or 6
  stunclient.py facts ADDR1 ADDR2 INSIDE1 INSIDE2   how the NAT behaves, in the words of
                                                    the file `kinds`
  stunclient.py hops ADDR                           the routers on the way, one a line
  stunclient.py load ADDR COUNT                     how many of COUNT questions had an
                                                    answer, in %, and the fastest one

A negative answer here rests on a positive control that was asked after it and answered
before it is given: the packets of a namespace laboratory stay in order.
"""

import os
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import stuncodec as stun  # noqa: E402

PORTS = (3478, 3479)
IP_RECVERR = 11
IPV6_RECVERR = 25
PATIENCE = 1.5  # seconds to wait for what should come
AFTERMATH = 0.1  # seconds to wait, after the control, for what should not
SOCKETS = 8  # enough that chance imitates a rule less than once in 2^16


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def fresh(inside):
    """A socket on a port that no test has used."""
    sock = socket.socket(family_of(inside), socket.SOCK_DGRAM)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.setblocking(False)
    sock.bind((inside, 0))
    return sock


class Question:
    def __init__(self, sock, to, change=0):
        self.sock, self.to, self.change = sock, to, change
        self.answer = self.source = self.mapped = self.icmp = None
        self.ident = struct.pack("!I", stun.COOKIE) + os.urandom(12)

    def send(self):
        message = stun.Message(stun.BINDING_REQUEST, self.ident)
        if self.change:
            message.attributes[stun.CHANGE_REQUEST] = struct.pack("!I", self.change)
        self.sent = time.monotonic()
        try:
            self.sock.sendto(message.encode(), self.to)
        except OSError:  # an error of an earlier packet
            self.sock.sendto(message.encode(), self.to)

    def take(self, answer, source):
        self.mapped = (answer.address(stun.XOR_MAPPED_ADDRESS)
                       or answer.address(stun.MAPPED_ADDRESS))
        self.answer, self.source = answer, source[:2]
        self.rtt = time.monotonic() - self.sent


def icmp_error(sock):
    """What the oldest ICMP error on the socket quotes, and (type, code, offender)."""
    try:
        quoted, control, _, _ = sock.recvmsg(1500, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return b"", None
    for _, kind, value in control:
        if kind in (IP_RECVERR, IPV6_RECVERR) and len(value) >= 24:
            _, origin, icmp_type, code = struct.unpack("=IBBB", value[:7])
            if origin in (2, 3):
                offender = value[20:24] if origin == 2 else value[24:40]
                name = socket.inet_ntop(sock.family, offender)
                return quoted, (icmp_type, code, name)
    return b"", None


def receive(sock, events, open_ones):
    """Takes one packet or error; what it settles leaves open_ones."""
    if events & select.POLLERR:
        quoted, icmp = icmp_error(sock)
        question = open_ones.pop(quoted[4:20], None)
        if question:
            question.icmp = icmp
    try:
        data, source = sock.recvfrom(65535)
        answer = stun.decode(data)
        if answer.ident in open_ones:
            open_ones[answer.ident].take(answer, source)
            del open_ones[answer.ident]
    except (OSError, stun.Malformed):
        pass


def wait(questions, seconds, control=None):
    """Until each question, or the control, has an answer or an ICMP error, or the
    time is over."""
    open_ones = {q.ident: q for q in questions if not q.answer and not q.icmp}
    by_fd = {q.sock.fileno(): q.sock for q in questions}
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    end = time.monotonic() + seconds
    while open_ones and (control is None or control.ident in open_ones):
        left = end - time.monotonic()
        if left <= 0:
            break
        for fd, events in poll.poll(left * 1000):
            receive(by_fd[fd], events, open_ones)


def ask(questions, seconds=PATIENCE):
    for question in questions:
        question.send()
    wait(questions, seconds)
    return questions


def controlled(questions, control):
    """Asks, then asks the control; once that is answered, the others had their
    chance. Returns whether the control was answered."""
    for question in questions + [control]:
        question.send()
    wait(questions + [control], PATIENCE, control)
    wait(questions, AFTERMATH)
    return control.answer is not None


def mapping_facts(servers, inside):
    """servers: A1P1, A1P2, A2P1, A2P2."""
    rows = [[Question(sock, to) for to in servers]
            for sock in (fresh(inside) for _ in range(SOCKETS))]
    questions = ask([q for row in rows for q in row])
    if not all(q.mapped and q.source == q.to for q in questions):
        return None, {"mapping": "unknown"}
    # Another address alone is pooling (RFC 4787 4.1), not another mapping.
    ports = [[q.mapped[1] for q in row] for row in rows]
    same_address = all(r[0] == r[1] and r[2] == r[3] for r in ports)
    same_port = all(r[0] == r[2] and r[1] == r[3] for r in ports)
    word = {(True, True): "endpoint-independent", (True, False): "address-dependent",
            (False, True): "port-dependent",
            (False, False): "address-and-port-dependent"}[same_address, same_port]
    kept = [q.mapped[1] == q.sock.getsockname()[1] for q in questions]
    ports = [q.mapped[1] for q in questions]
    low, high = min(ports), max(ports)
    pattern = "preserving" if all(kept) else "band" if high - low < 25000 else "random"
    return word, {
        "nat": "true" if any(
            q.mapped != q.sock.getsockname()[:2] for q in questions) else "false",
        "mapping": word,
        # Chance keeps one port in 64 512.
        "port_preservation": "always" if all(kept) else
                             "never" if sum(kept) <= 1 else "sometimes",
        "pattern": pattern,
        "pooling": "paired" if len({q.mapped[0] for q in questions}) == 1
                   else "arbitrary",
        "low": low, "high": high,
        "external": ",".join(sorted({q.mapped[0] for q in questions})),
    }


def filtering_fact(servers, inside):
    a1p1, a1p2, a2p1, a2p2 = servers
    questions = [Question(fresh(inside), a1p1, change) for change in (6, 4, 2)]
    if not controlled(questions, Question(fresh(inside), a1p1)):
        return "unknown"
    if any(q.answer and q.source != s
           for q, s in zip(questions, (a2p2, a2p1, a1p2))):
        return "unknown"
    return {(True, True, True): "endpoint-independent",
            (False, False, True): "address-dependent",
            (False, True, False): "port-dependent",
            (False, False, False): "address-and-port-dependent",
            }.get(tuple(q.answer is not None for q in questions), "unknown")


def early_fact(servers, inside):
    """A2P2 sends to us before we send to it. The NAT's ICMP error, if any, goes to
    the server: whoever reads the server's log turns `silent` into `reject`."""
    a1p1, a2p2 = servers[0], servers[3]
    sock = fresh(inside)
    first = ask([Question(sock, a1p1)])[0]
    early = Question(sock, a1p1, 6)
    control = controlled([early], Question(sock, a1p1))
    second = ask([Question(sock, a2p2)])[0]
    if not (first.mapped and control and second.mapped):
        return "unknown"
    if early.answer:
        return "delivered"
    return "silent" if second.mapped == first.mapped else "remap"


def hairpin_fact(servers, insides):
    """Both send to the other's external endpoint, so that a filter on the way is
    open; "true" once the second one's packet arrives from an external address."""
    one, two = (ask([Question(fresh(inside), servers[0])])[0] for inside in insides)
    if not (one.mapped and two.mapped):
        return "null", "none"
    payload = os.urandom(16)
    for _ in range(2):
        for a, b in ((one, two), (two, one)):
            try:
                a.sock.sendto(payload, b.mapped)
            except OSError:
                pass
    ask([Question(fresh(insides[0]), servers[0])])
    end = time.monotonic() + AFTERMATH
    while time.monotonic() < end:
        select.select([one.sock], [], [], max(0, end - time.monotonic()))
        try:
            data, source = one.sock.recvfrom(2048)
        except OSError:
            icmp_error(one.sock)
            continue
        if data == payload:
            return "true", source[0]
    return "false", "none"


def facts(address1, address2, inside1, inside2):
    servers = [(a, p) for a in (address1, address2) for p in PORTS]
    control = ask([Question(fresh(inside1), servers[0])])[0]
    if not control.answer:
        icmp = "%d/%d" % control.icmp[:2] if control.icmp else "none"
        return {"status": "blocked", "icmp": icmp}
    out = {"status": "ok", "source": "%s %d" % control.source}
    word, found = mapping_facts(servers, inside1)
    out.update(found)
    out["filtering"] = filtering_fact(servers, inside1)
    out["early_packet"] = (early_fact(servers, inside1)
                           if word == "endpoint-independent" else "unknown")
    out["hairpin"], out["hairpin_source"] = (
        hairpin_fact(servers, (inside1, inside2)) if found.get("nat") == "true"
        else ("null", "none"))
    return out


def one_question(address, port="3478", change="0", inside=None):
    inside = inside or ("::" if ":" in address else "0.0.0.0")
    question = Question(fresh(inside), (address, int(port)), int(change))
    ask([question], 0.5)
    if question.icmp:
        return {"icmp": "%d/%d %s" % question.icmp}
    if not question.answer:
        return {"answer": "none"}
    out = {"from": "%s %d" % question.source}
    for name, number in (
            ("mapped", stun.MAPPED_ADDRESS), ("xor", stun.XOR_MAPPED_ADDRESS),
            ("origin", stun.RESPONSE_ORIGIN), ("other", stun.OTHER_ADDRESS),
            ("source", stun.SOURCE_ADDRESS), ("changed", stun.CHANGED_ADDRESS)):
        found = question.answer.address(number)
        out[name] = "%s %d" % found if found else "none"
    out["error"] = question.answer.error() or "none"
    out["local_port"] = question.sock.getsockname()[1]
    return out


def hops(address):
    inside = "::" if ":" in address else "0.0.0.0"
    for ttl in range(1, 12):
        sock = fresh(inside)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        question = ask([Question(sock, (address, PORTS[0]))])[0]
        print(question.icmp[2] if question.icmp else
              question.source[0] if question.answer else "none")
        if not question.icmp:
            return


def load(address, count):
    inside = "::" if ":" in address else "0.0.0.0"
    questions = [Question(fresh(inside), (address, PORTS[0])) for _ in range(int(count))]
    for i in range(0, len(questions), 50):  # a socket buffer holds some 250 packets
        ask(questions[i:i + 50], 0.3)
    answered = [q for q in questions if q.answer]
    return {"answered_percent": 100 * len(answered) // len(questions),
            "rtt_ms": "%.1f" % (1000 * min((q.rtt for q in answered), default=-0.001))}


def main(arguments):
    verbs = {"ask": one_question, "facts": facts, "hops": hops, "load": load}
    if not arguments or arguments[0] not in verbs:
        sys.exit(__doc__)
    for key, value in (verbs[arguments[0]](*arguments[1:]) or {}).items():
        print("%s=%s" % (key, value))


if __name__ == "__main__":
    main(sys.argv[1:])
