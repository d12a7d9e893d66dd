#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Holds explain_run.py against documents of which it is known what is wrong with them. Exit status 0, or 1."""

import copy
import os
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import explain_run  # noqa: E402
import packetcodec as codec  # noqa: E402
from explain_run import Want  # noqa: E402

HOST, NAT, SERVER = ("10.0.1.2", 4000), "10.0.1.1", ("198.51.100.1", 3478)
ASKED = codec.udp(HOST, SERVER, bytes(20))
PACKETS = [  # direction of pcapng, bytes, comment
    (2, ASKED, "binding: copy 1 of 1"), (1, codec.icmp(NAT, HOST[0], 3, 13, 0, ASKED), "error: prohibited"),
    (2, codec.tcp(HOST, SERVER, "S"), "control")]
FIRST = Want("x", "refused-on-path", where=("own-nat", "path"), device=NAT, hops=1, certainty="certain",
             without=("blocked-on-path",))
WELL, MAYBE = Want("x"), Want("x", "duplicates", None)


class Told(explain_run.Run):
    """A run that was not."""

    def __init__(self, document, captures, pcap):  # pylint: disable=super-init-not-called
        self.side, self.captures, self.pcap, self.status, self.said = "x", captures, pcap, 1, []
        self.document = document


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def option(order, code, value):
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def file_of(order, link, header):
    """PACKETS in this byte order, with so many bytes in front of each."""
    data = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + option(order, 2, b"eth0"))
    for direction, packet, comment in PACKETS:
        packet = bytes(header) + packet
        head = struct.pack(f"{order}IIIII", 0, 0, 1000, len(packet), len(packet)) + packet + bytes(-len(packet) % 4)
        data += block(order, 6, head + option(order, 1, comment.encode()) +
                      option(order, 2, struct.pack(f"{order}I", direction)))
    return data


def packet(n, protocol, source, destination, **more):
    endpoints = {"from": source, "to": destination}
    return {"n": n, "interface": 0, "protocol": protocol, "size_bytes": len(PACKETS[n - 1][1]), "ttl": 64,
            "evidence": 0, "direction": "in" if PACKETS[n - 1][0] == 1 else "out", "meaning": PACKETS[n - 1][2],
            "about": None, "type": None, "code": None, "flags": None,
            **{key: {"address": e[0], "port": e[1]} for key, e in endpoints.items()}, **more}


def right():
    return {
        "findings": [], "evidence": [{}],
        "capture": {"state": "on", "hint": None, "interfaces": [{"n": 0}], "packets": 3, "kept": 3, "missed": 0},
        "packets": [packet(1, "udp", HOST, SERVER), packet(2, "icmp", (NAT, 0), (HOST[0], 0), type=3, code=13, about=1),
                    packet(3, "tcp", HOST, SERVER, flags=["SYN"])],
        "causes": [cause("refused-on-path")]}


def cause(name, certainty="certain"):
    return {"id": name, "certainty": certainty, "where": "own-nat", "device": NAT, "hops": 1, "title": "It says no",
            "packets": [1, 2], "evidence": [0]}


def put(*path, **values):
    """A change: these values there."""
    def change(document):
        for key in path:
            document = document[key]
        document.update(values)
    return change


def more(*found):
    return lambda document: document["causes"].extend(found)


def only(*found):
    return lambda document: document.update(causes=list(found))


def unseen(document):
    document["capture"].update(state="not-permitted", hint="setcap cap_net_raw+ep natprobe", interfaces=[], kept=0)
    document["packets"] = []
    for one in document["causes"]:
        one["packets"] = []


def lacks(key):
    return lambda document: document.pop(key)


PROBLEM = put(findings=[{"id": "udp-blocked", "severity": "problem"}])
RIGHT = [  # with a capture or without, want, changes
    (True, FIRST), (True, FIRST, more(cause("remap", "likely"))), (False, FIRST, unseen), (False, FIRST, only(), unseen),
    (False, FIRST, only(cause("blocked-on-path", "likely")), unseen), (True, WELL, only()), (True, MAYBE, only()),
    (False, MAYBE, only(), unseen)]
WRONG = [
    (True, FIRST, only()), (True, FIRST, only(cause("remap"))), (True, FIRST, more(cause("remap"))),
    (True, FIRST, only(cause("blocked-on-path"))), (True, FIRST, lacks("causes")), (True, FIRST, lacks("packets")),
    (True, FIRST, lacks("capture")), (True, FIRST, unseen), (True, WELL), (True, WELL, only(), PROBLEM), (True, MAYBE),
    *((True, FIRST, put("causes", 0, **{key: value})) for key, value in {
        "certainty": "likely", "where": "server", "device": SERVER[0], "hops": None, "packets": [],
        "evidence": [1]}.items()),
    (True, FIRST, put("causes", 0, packets=[4])),
    *((True, FIRST, put("packets", 1, **{key: value})) for key, value in {
        "size_bytes": 1, "ttl": 63, "type": 11, "code": 1, "about": 4, "evidence": 1, "interface": 1, "protocol": "udp",
        "meaning": "else", "from": {"address": HOST[0], "port": 0}, "to": {"address": HOST[0], "port": 1}}.items()),
    (True, FIRST, put("packets", 0, direction="in")), (True, FIRST, put("packets", 2, flags=["SYN", "ACK"])),
    (True, FIRST, put("packets", 0, n=4)),
    *((True, FIRST, put("capture", **{key: value})) for key, value in {"state": "off", "kept": 4, "missed": 1}.items()),
    (False, FIRST), (False, FIRST, only(cause("remap")), unseen), (False, FIRST, only(cause("blocked-on-path")), unseen),
    (False, FIRST, unseen, put("capture", hint=None)), (False, WELL, unseen)]


def judged(pcap, captures, want, *changes):
    document = copy.deepcopy(right())
    for change in changes:
        change(document)
    return explain_run.judge(Told(document, captures, pcap), want)


def main():
    wrong = []
    with tempfile.TemporaryDirectory(prefix="explain-judge.") as folder:
        for number, kind in enumerate((("!", 113, 16), ("<", 276, 20), ("<", 101, 0))):
            path = os.path.join(folder, f"{number}.pcapng")
            with open(path, "wb") as file:
                file.write(file_of(*kind))
            found = [judged(path, *case) for case in RIGHT]
            wrong += [f"{kind}: RIGHT[{i}]: {texts}" for i, texts in enumerate(found) if texts]
            wrong += [f"{kind}: WRONG[{i}] is not seen" for i, case in enumerate(WRONG) if not judged(path, *case)]
    for text in wrong:
        print(text)
    print(f"{len(RIGHT)} documents that are right, {len(WRONG)} that are wrong: {len(wrong)} judged otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
