# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What natprobed's ICMP is like where it arrives: natprobed_icmp.py STEP. Run in the host of the laboratory."""

import errno
import os
import socket
import struct
import sys
import time

from inquirer import *

V4 = "198.51.100.10", "203.0.113.10", "10.0.1.2"
V6 = "2001:db8:51::10", "2001:db8:113::10", "2001:db8:1::2"
HOPS = 3  # routers between
OFFERED = {
    socket.AF_INET: [(3, c) for c in (0, 1, 2, 3, 4, 13)] + [(11, 0), (11, 1), (12, 0)],
    socket.AF_INET6: [(1, 0), (1, 1), (1, 3), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0)],
}


def same(a, b, what=""):
    assert a == b, "%s: %s, not %s" % (what, a, b)


def mtu_of(arrived):
    return struct.unpack("!I", arrived.rest)[0]


def both():
    for own, other, here in V4, V6:
        yield family_of(own), own, other, here


def of_udp():
    """All types from both addresses: what they quote is the request, byte by byte."""
    for family, own, other, here in both():
        watch, asker = Watch(family), Asker((own, 3479), here)
        for i in range(0, len(OFFERED[family]), 4):
            wanted = [Error(t, c, s) for s in (OWN_ADDRESS, OTHER_ADDRESS)
                      for t, c in OFFERED[family][i:i + 4]]
            answer = asker.errors(*wanted)
            data = request(ABOUT_FLOW, {ERRORS: pack_errors(wanted)}, answer.ident, asker.cookie)
            same(address_in(answer, OWN), (own, 0))
            same(address_in(answer, OTHER), (other, 0))
            same(address_in(answer, stuncodec.XOR_MAPPED_ADDRESS), asker.here)
            same([e[:3] for e in unpack_errors(answer.attributes[ERRORS])], [e[:3] for e in wanted])
            for e in wanted:
                came = watch.next()
                same(came[:2], e[:2])
                same(came.source, other if e.source == OTHER_ADDRESS else own)
                same(came.ttl, 64 - HOPS)
                same(mtu_of(came), {(3, 4): 576, (2, 0): 1280}.get(e[:2], 0), "MTU")
                quote = Quote(came.quote)
                same((quote.source, quote.to, quote.protocol), (asker.here, (own, 3479), 17))
                same(quote.ttl, 64 - HOPS)
                same(quote.payload, data)
                same(quote.length, len(came.quote))
            same(asker.told(answer), ((1 << len(wanted)) - 1, 0, None))
        same(watch.next(0.2), None)
        asker.close()


def of_udp_long():
    """A request that is longer than a quote may be; an MTU of the client's choice, and what is not offered."""
    for family, own, other, here in both():
        watch, asker = Watch(family), Asker((own, 3478), here)
        big, small = ((3, 4), (3, 13)) if family == socket.AF_INET else ((2, 0), (1, 1))
        asker.errors(Error(*small))
        watch.next()
        wanted = [Error(*big, mtu=1399), Error(*small, NOWHERE), Error(5, 0), Error(*small, mtu=7),
                  Error(200, 0), Error(3, 7)]
        asker.send(request(ABOUT_FLOW, {ERRORS: pack_errors(wanted)}, None, asker.cookie, 1200))
        answer = asker.receive()
        while answer.kind != kind(METHOD, SUCCESS):
            answer = asker.receive()
        said = unpack_errors(answer.attributes[ERRORS])
        same([e.source for e in said], [1, 0, 0, 1, 0, 0])
        same([e.mtu for e in said], [1399, 0, 0, 0, 0, 0])
        came = watch.next()
        same(came[:2], big)
        same((mtu_of(came), came.bytes), (1399, 576))
        head = 20 if family == socket.AF_INET else 40
        same(Quote(came.quote).length, head + 8 + 1200)
        same(Quote(came.quote).payload[:20], asker_bytes(answer, 1200))
        came = watch.next()
        same((came[:2], mtu_of(came), came.bytes), (small, 0, 576))
        same(asker.told(answer), (0b1001, 0, None))
        same(asker.errors(Error(5, 0), Error(*small, NOWHERE)).error(), 403)
        same(watch.next(0.2), None)
        asker.close()


def asker_bytes(answer, size):
    return struct.pack("!HH", kind(METHOD, REQUEST), size - 20) + answer.ident


def delays():
    family, own, other, here = next(both())
    watch, asker = Watch(family), Asker((own, 3478), here)
    asker.ask(ABOUT_SEEN, {TOKEN: token()})  # so that there is a cookie
    begun = time.monotonic()
    answer = asker.errors(Error(3, 3, delay=600), Error(11, 0, OTHER_ADDRESS, 200), Error(3, 1))
    for wanted, after in ((3, 1), 0), ((11, 0), 0.2), ((3, 3), 0.6):
        came = watch.next()
        same(came[:2], wanted)
        late = time.monotonic() - begun - after
        assert 0 <= late < 0.5, late
    same(asker.told(answer).sent, 7)
    same(asker.errors(Error(3, 3, delay=10001)).error(), 400)


def repeated():
    """The same request twice: done once, answered each time."""
    family, own, other, here = next(both())
    watch, asker = Watch(family), Asker((own, 3478), here)
    asker.ask(ABOUT_SEEN, {TOKEN: token()})
    number = ident()
    for i in range(3):
        answer = asker.errors(Error(3, 13, delay=100), number=number)
        same(unpack_errors(answer.attributes[ERRORS]), [Error(3, 13, 1, 100, 0)])
    same(watch.next()[:2], (3, 13))
    same(asker.told(answer), (1, 0, None))
    answer = asker.errors(Error(3, 13, delay=100), number=number)
    same(asker.told(answer), (1, 0, None))
    same(watch.next(0.3), None)


def unproved():
    """Without a cookie nothing is done, and no answer is longer than its request."""
    for family, own, other, here in both():
        watch, asker = Watch(family), Asker((own, 3478), here)
        error = {ERRORS: pack_errors([Error(*OFFERED[family][0])])}
        for ask, attributes in ((ABOUT_FLOW, error), (ABOUT_SEEN, {TOKEN: token()}),
                                (ABOUT_LATER, {TOKEN: token(), LATER: bytes(4)})):
            for cookie in None, b"", bytes(16), bytes(15), b"x" * 32:
                data = request(ask, attributes, None, cookie)
                asker.send(data)
                answer = asker.receive()
                same(answer.error(), STALE)
                same(len(answer.attributes[COOKIE]), 16)
                assert len(asker.raw) <= len(data), (len(asker.raw), len(data))
        asker.socket.settimeout(0.3)
        asker.send(request(ABOUT_SEEN, {TOKEN: token()}, fill=0))  # 48 bytes: too few
        try:
            assert not asker.receive()
        except TimeoutError:
            pass
        # a cookie is good for its endpoint only
        another = Asker((own, 3478), here)
        another.send(request(ABOUT_FLOW, error, None, answer.attributes[COOKIE]))
        same(another.receive().error(), STALE)
        same(watch.next(0.2), None)


def bad():
    family, own, other, here = next(both())
    asker = Asker((own, 3478), here)
    control = Asker((own, 3478), here, tcp=True)
    for a in asker, control:
        same(a.ask(ABOUT_FLOW).error(), 400, "no errors")
        same(a.ask(9, {}).error(), 400)
        same(a.ask(None, {}).error(), 400)
        same(a.ask(ABOUT_FLOW, {ERRORS: bytes(7)}).error(), 400)
        same(a.ask(ABOUT_FLOW, {0x7F00: b""}).error(), 420)
        same(a.later(token(), 1).error(), 404)
        same(a.ask(ABOUT_LATER, {TOKEN: token(), LATER: struct.pack("!I", 300001)}).error(), 400)
    same(asker.attempt(Error(3, 1)).error(), 400, "an attempt over UDP")
    same(asker.attempt().error(), 400)


def of_tcp():
    """About a connection: the number that is expected next, also when more has been sent; it survives."""
    for family, own, other, here in both():
        watch, control = Watch(family), Asker((own, 3478), here, tcp=True)
        wanted = [Error(*OFFERED[family][0]), Error(*OFFERED[family][-2], OTHER_ADDRESS, 400)]
        answer = control.errors(*wanted)
        same(address_in(answer, OTHER), (other, 0))
        numbers = []
        for e in wanted:
            came = watch.next()
            same(came[:2], e[:2])
            same(came.source, other if e.source == OTHER_ADDRESS else own)
            quote = Quote(came.quote)
            same((quote.source, quote.to, quote.protocol), (control.here, (own, 3478), 6))
            same(len(came.quote), (40 if family == socket.AF_INET else 60))
            numbers.append(quote.sequence)
            control.send(stuncodec.Message(1, ident()).encode())
        same((numbers[1] - numbers[0]) % 2**32, 20, "a Binding request came between")
        same(control.told(answer), (3, 0, None))
        # the kernel of ours has taken the number for one of its own, or it would have dropped it
        same(out_of_window(), 0)
        same(control.ask(ABOUT_SEEN, {TOKEN: token()}).error(), None)
        control.close()
        same(watch.next(0.2), None)


def out_of_window():
    lines = [l.split() for l in open("/proc/net/netstat") if l.startswith("TcpExt:")]
    return int(lines[1][lines[0].index("OutOfWindowIcmps")])


def attempt():
    """A connection attempt to the silent port, and errors about its SYN."""
    for family, own, other, here in both():
        watch = Watch(family)
        for wanted in ([], [Error(*OFFERED[family][1])],
                       [Error(*OFFERED[family][3], OTHER_ADDRESS, 200)]):
            control = Asker((own, 3478), here, tcp=True)
            answer = control.attempt(*wanted)
            same(answer.error(), None)
            target = address_in(answer, TARGET)
            same(target, (own, 3480))
            same(control.attempt().error(), 486, "another one")
            outcome = control.syn(target)
            for e in wanted:
                came = watch.next()
                same(came[:2], e[:2])
                same(came.source, other if e.source == OTHER_ADDRESS else own)
                quote = Quote(came.quote)
                same((quote.source, quote.to, quote.protocol), (control.here, target, 6))
                same(quote.ttl, 64 - HOPS)
                same(quote.transport[13], 2, "a SYN")
            if not wanted:
                same(outcome, "silent")
            told = control.told(answer)
            same(told[:2], ((1 << len(wanted)) - 1, 0))
            same(told.syn[1:], (64 - HOPS, control.here))
            if wanted:
                same(told.syn[0], quote.sequence)
            same(control.syn(target), "silent", "a SYN that nobody waits for")
            same(watch.next(0.2), None)
            control.close()


def attempt_elsewhere():
    """The SYN from another port; from another address it is nobody's; and none at all."""
    family, own, other, here = next(both())
    watch, control = Watch(family), Asker((own, 3478), here, tcp=True)
    answer = control.attempt(Error(3, 13))
    target = address_in(answer, TARGET)
    stranger = Asker((own, 3478), "10.0.1.3", tcp=True)
    same(stranger.syn(target), "silent")
    same(watch.next(0.2), None)
    second = Asker((own, 3478), here, tcp=True)
    same(second.syn(target), os.strerror(errno.EHOSTUNREACH))
    same(watch.next()[:2], (3, 13))
    same(control.told(answer).syn[2], second.here)
    answer = control.attempt(Error(3, 13))
    control.socket.settimeout(12)
    begun = time.monotonic()
    same(control.told(answer), (0, 0, None))
    assert 9.5 < time.monotonic() - begun < 11
    # the very port goes before the first one
    first, answer1 = second, second.attempt(Error(3, 1))
    answer2 = control.attempt(Error(3, 13))
    same(control.syn(target), os.strerror(errno.EHOSTUNREACH))
    same(watch.next()[:2], (3, 13))
    same(control.told(answer2).syn[2], control.here)
    first.close(), control.close()


def seen():
    """Echo requests and errors with a mark, as they arrived."""
    for family, own, other, here in both():
        v4 = family == socket.AF_INET
        asker, mark = Asker((own, 3478), here), token()
        ping(family, own, 77, 1, MARK + mark)  # too early: nobody has asked
        asker.ask(ABOUT_FLOW, {ERRORS: pack_errors([Error(5, 0)])})
        same(asker.seen(mark), [])
        ping(family, own, 77, 2, MARK + mark + b"more")
        ping(family, own, 77, 3, MARK + token())
        ping(family, own, 77, 4, b"no mark at all" + mark)
        ping(family, other, 78, 5, MARK + mark, ttl=40)
        quote = udp_packet(("192.0.2.77", 4000), ("198.51.100.77", 5000), MARK + mark + bytes(99))
        if not v4:
            quote = udp_packet(("2001:db8::77", 4000), ("2001:db8::78", 5000), MARK + mark)
        complain(family, own, 11 if v4 else 3, 0, quote)
        complain(family, own, 3 if v4 else 1, 1, quote[:-100] if v4 else quote[:-1])  # cut in the mark
        complain(family, other, 3 if v4 else 1, 1, quote, b"\0\0\0\0")
        found = until(lambda: asker.seen(mark), 4)
        echo, exceeded, unreachable = (8, 11, 3) if v4 else (128, 3, 1)
        quoted = (("192.0.2.77", 4000), ("198.51.100.77", 5000)) if v4 else (
            ("2001:db8::77", 4000), ("2001:db8::78", 5000))
        same([r._replace(age=0) for r in found], [
            Record(1, echo, 0, 64 - HOPS, 77, 2, 0, 0, here, own, None, None),
            Record(1, echo, 0, 40 - HOPS, 78, 5, 0, 0, here, other, None, None),
            Record(2, exceeded, 0, 64 - HOPS, 0, 0, 0, 17, here, own, *quoted),
            Record(2, unreachable, 1, 64 - HOPS, 0, 0, 0, 17, here, other, *quoted)])
        assert all(0 <= r.age < 4000 for r in found), found
        for i in range(20):
            ping(family, own, 79, i, MARK + mark)
        found = until(lambda: asker.seen(mark), 8)
        same([r.sequence for r in found[4:]], [0, 1, 2, 3])
        asker.close()


def until(function, count, seconds=3):
    end = time.monotonic() + seconds
    while True:
        found = function()
        if len(found) >= count or time.monotonic() > end:
            return found
        time.sleep(0.05)


def later():
    """One more echo reply."""
    for family, own, other, here in both():
        v4 = family == socket.AF_INET
        watch, asker, mark = Watch(family), Asker((own, 3478), here), token()
        asker.seen(mark)
        same(asker.later(mark, 0).error(), 404, "no echo yet")
        ping(family, other, 500, 1, MARK + mark + b"first")
        ping(family, own, 501, 2, MARK + mark + bytes(range(100)))
        until(lambda: asker.seen(mark), 2)
        for _ in range(2):  # of the system
            same(watch.next().type, 0 if v4 else 129)
        begun = time.monotonic()
        for number, sequence, source, data in (
                (501, 2, own, bytes(range(48))), (500, 1, other, b"first")):
            answer = asker.later(mark, 300)
            same(answer.attributes[LATER], struct.pack("!I", 300))
            record, = records(asker.raw)
            same((record.ident, record.sequence, record.source), (number, sequence, here))
            # the same one again
            again = asker.ask(ABOUT_LATER, {TOKEN: mark, LATER: struct.pack("!I", 300)}, answer.ident)
            same((again.error(), records(asker.raw)[0].ident), (None, number))
            came = watch.next()
            same((came.type, came.code), (0 if v4 else 129, 0))
            same(struct.unpack("!HH", came.rest), (number, sequence))
            same((came.source, came.quote), (source, MARK + mark + data))
            assert time.monotonic() - begun >= 0.3
        same(asker.later(mark, 300).error(), 404, "each has got its reply")
        same(watch.next(0.4), None)
        # who asks from another address gets nothing
        ping(family, own, 502, 3, MARK + mark)
        until(lambda: asker.seen(mark), 3)
        stranger = Asker((own, 3478), here[:-1] + "3")
        same(stranger.later(mark, 0).error(), 409)
        watch.drain()
        if v4:
            six = Asker((V6[0], 3478), V6[2])
            same(six.later(mark, 0).error(), 409)
        # over TCP from the same address it is had
        control = Asker((own, 3478), here, tcp=True)
        same(control.later(mark, 0).error(), None)
        same(watch.next().type, 0 if v4 else 129)


def flood():
    """One source has its share of a minute, while others are served."""
    family, own, other, here = next(both())
    watch, asker = Watch(family), Asker((own, 3478), "10.0.1.3")
    count, refused = 0, None
    while refused is None and count < 100:
        answer = asker.errors(*[Error(3, 13)] * 8)
        refused = answer.error()
        count += refused is None
        if refused is None:
            asker.told(answer)
    same((count, refused), (32, 486))
    same(asker.later(token(), 0).error(), 486, "a reply would count, too")
    control = Asker((own, 3479), "10.0.1.3", tcp=True)
    same(control.errors(Error(3, 13)).error(), 486, "over TCP, and to another port")
    came = 0
    while watch.next(0.3):
        came += 1
    same(came, 256)
    another = Asker((own, 3478), here)
    answer = another.errors(Error(3, 13))
    same(another.told(answer), (1, 0, None))
    same(watch.next()[:2], (3, 13))
    # tokens, which are 16 of a source
    same([asker.ask(ABOUT_SEEN, {TOKEN: token()}).error() for _ in range(17)], [None] * 16 + [486])
    same(another.ask(ABOUT_SEEN, {TOKEN: token()}).error(), None)


def tokens():
    """Requests faster than the rate allows are not answered; others are."""
    family, own, other, here = next(both())
    asker = Asker((own, 3478), "10.0.1.3", timeout=0.3)
    for i in range(3000):
        asker.send(request(ABOUT_SEEN, {TOKEN: bytes(8)}))
    answers = 0
    try:
        while asker.receive():
            answers += 1
    except TimeoutError:
        pass
    assert 90 <= answers <= 400, answers
    another = Asker((own, 3478), here)
    same(another.errors(Error(3, 13)).error(), None)


def noise():
    """Who sends pings, errors and SYNs as fast as he can does not keep others from being served."""
    family, own, other, here = next(both())
    asker, mark = Asker((own, 3478), here), token()
    control = Asker((own, 3478), here, tcp=True)
    target = address_in(control.attempt(), TARGET)
    asker.seen(mark)
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 6, 0)
    head += socket.inet_aton("10.0.1.3") + socket.inet_aton(target[0])
    worst, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        for i in range(300):
            raw.sendto(head + struct.pack("!HHIIBBHHH", 1024 + i, target[1], i, 0, 0x50, 2, 9, 0, 0),
                       (target[0], 0))
            ping(family, own, i, i, MARK + token())
            complain(family, own, 3, 1, udp_packet((here, 1), (own, 2), MARK + token()))
        begun = time.monotonic()
        asker.seen(mark)
        worst = max(worst, time.monotonic() - begun)
    assert worst < 1, worst
    ping(family, own, 7, 7, MARK + mark)
    same(len(until(lambda: asker.seen(mark), 1)), 1)


def masquerade():
    """Through a NAT: what is quoted is the inside endpoint again, and errors reach the socket."""
    family, own, other, here = next(both())
    watch, asker = Watch(family), Asker((own, 3478), here)
    asker.socket.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    answer = asker.errors(Error(3, 13), Error(11, 0, OTHER_ADDRESS))
    same(address_in(answer, stuncodec.XOR_MAPPED_ADDRESS)[0], "192.0.2.11")
    for source in own, other:
        came = watch.next()
        same(came.source, source)
        quote = Quote(came.quote)
        same((quote.source, quote.to), (asker.here, (own, 3478)))
    same(asker.told(answer).sent, 3)
    control = Asker((own, 3478), here, tcp=True)
    answer = control.errors(Error(3, 3, OTHER_ADDRESS))
    same(Quote(watch.next().quote).source, control.here)
    same(control.told(answer).sent, 1)
    answer = control.attempt(Error(3, 13, OTHER_ADDRESS))
    same(control.syn(address_in(answer, TARGET)), os.strerror(errno.EHOSTUNREACH))
    told = control.told(answer)
    same((told.sent, told.syn[2][0]), (1, "192.0.2.11"))


def single():
    family, own, other, here = next(both())
    watch, asker = Watch(family), Asker((own, 3478), here)
    answer = asker.errors(Error(3, 13, OTHER_ADDRESS), Error(3, 13))
    same([e.source for e in unpack_errors(answer.attributes[ERRORS])], [0, 1])
    same(OTHER in answer.attributes, False)
    same(asker.told(answer).sent, 2)
    same(asker.errors(Error(3, 13, OTHER_ADDRESS)).error(), 403)
    same(watch.next().source, own)


def off():
    """No ICMP here: each request is refused, and Binding requests are served."""
    for family, own, other, here in both():
        watch = Watch(family)
        for tcp in False, True:
            asker = Asker((own, 3478), here, tcp)
            error = {ERRORS: pack_errors([Error(*OFFERED[family][0])])}
            for ask, attributes in ((ABOUT_FLOW, error), (ABOUT_ATTEMPT, {}),
                                    (ABOUT_SEEN, {TOKEN: token()}),
                                    (ABOUT_LATER, {TOKEN: token(), LATER: bytes(4)})):
                same(asker.ask(ask, attributes).error(), 403)
            asker.send(stuncodec.Message(1, ident()).encode())
            same(asker.receive().kind, 0x101)
        same(watch.next(0.2), None)


def udp_only():
    """With --no-rendezvous there is no TCP, but ICMP about UDP."""
    family, own, other, here = next(both())
    watch, asker, mark = Watch(family), Asker((own, 3478), here), token()
    answer = asker.errors(Error(3, 13, delay=100))
    same(watch.next()[:2], (3, 13))
    same(asker.told(answer).sent, 1)
    asker.seen(mark)
    ping(family, own, 7, 7, MARK + mark)
    same(len(until(lambda: asker.seen(mark), 1)), 1)


globals()[sys.argv[1]]()
print("ok")
