#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""icmppunch --wait on host of knock-kernel.sh, and somebody in core who sees what passes and sends what he likes.

usage: icmppunch_hostile.py FOLDER [COMMAND...]     COMMAND: what becomes icmppunch, of who waits

Prints a line for each part, and what is wrong; exit status 0, or 1 something was wrong."""

import ctypes
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import packetcodec  # noqa: E402
import punchlab  # noqa: E402
from punchlab import Lines, Missing, Process, wait_until  # noqa: E402

OUTSIDE = "192.0.2.11"  # who waits
FORGER, OTHER = "203.0.113.66", "203.0.113.67"  # where nobody is
CODE, WRONG = "1-acorn-albatross-aimless-bravado", "1-acorn-albatross-aimless-tourist"
FLOOD_PPS, FLOOD_S = 20000, 3
SLOT_S, CLOSED_S, PART_S = 300, 60, 35  # a port is closed a minute after its slot of time; so long a part may need it
ALL = socket.htons(3)  # ETH_P_ALL
NEWNET = 0x40000000
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	int (*next)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int result = next(id, t);

	if (id == CLOCK_REALTIME)
		t->tv_sec -= 3600;
	return result;
}
"""


def socket_in(namespace, *what):
    """It stays in there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{namespace}", "rb") as other:
        if libc.setns(other.fileno(), NEWNET):
            raise OSError(ctypes.get_errno(), f"setns: {namespace}")
        try:
            return socket.socket(*what)
        finally:
            libc.setns(own.fileno(), NEWNET)


class Tap:
    """What passes an interface, as IPv4 packets."""

    def __init__(self, namespace, interface):
        self.socket = socket_in(namespace, socket.AF_PACKET, socket.SOCK_DGRAM, ALL)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((interface, 3))

    def find(self, test, seconds, what):
        """The first one for which test holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            data = self.socket.recv(2048)
            if len(data) >= 28 and data[0] == 0x45:
                packet = packetcodec.Packet(data)
                if test(packet):
                    return packet
        raise Missing(f"not within {seconds} s: {what}")

    def close(self):
        self.socket.close()


def nft(namespace, text):
    subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=text, text=True, check=True)


class Attack:
    def __init__(self, lab, command):
        self.lab, self.command = lab, command
        self.random = random.Random(int(os.environ.get("NATUTILS_SEED", "1")))
        self.raw = socket_in("core", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.wrong, self.foreign = [], 0
        # what leaves the host other than to the dark, and to whom
        nft("host", f"""table ip watch {{
            counter forger {{ }}
            counter anybody {{ }}
            chain out {{
                type filter hook output priority 0
                ip daddr {{ {FORGER}, {OTHER} }} counter name forger
                ip daddr != 198.18.0.0/15 counter name anybody
            }}
        }}""")

    def left(self, name):
        """Packets that have left the host."""
        found = subprocess.run(["ip", "netns", "exec", "host", "nft", "list", "counter", "ip", "watch", name],
                               stdout=subprocess.PIPE, check=True, text=True).stdout
        return int(re.search(r"packets (\d+)", found).group(1))

    @staticmethod
    def reset():
        subprocess.run(["ip", "netns", "exec", "host", "nft", "reset", "counters"], stdout=subprocess.DEVNULL,
                       check=True)

    def expect(self, what, found, wanted):
        if found != wanted:
            self.wrong.append(f"{what}: {found}, not {wanted}")

    # --- the two ---

    def start(self, host, command, *options, environment=None):
        argv = [*command, f"{punchlab.BUILD}/icmppunch", "-4", "-J", *options]
        log = open(f"{self.lab.folder}/{host}.err", "ab")
        process = Process(self.lab, host, *argv, stdout=subprocess.PIPE, stderr=log, env=environment)
        log.close()
        process.lines = Lines(process.popen.stdout)
        return process

    def wait(self):
        """Who waits, and where his flow to the dark is outside; for as long as it is needed."""
        before_s = CLOSED_S - time.time() % SLOT_S
        if 0 < before_s < PART_S:
            time.sleep(before_s)
        tap = Tap("isp", "cust")
        self.waits = self.start("host", self.command, "--wait", "--hold", "-w", "100s", CODE)
        step = self.waits.lines.wait_for(lambda line: b"wait: for a knock at port" in line, 20, "somebody waits")[1]
        port = int(re.search(rb"at port (\d+)", step).group(1))
        flow = tap.find(lambda p: p.protocol == packetcodec.UDP and p.sport == port and p.source == OUTSIDE, 10,
                        "a datagram to the dark")
        tap.close()
        self.inside, self.dark, self.said = (OUTSIDE, port), (flow.destination, flow.dport), flow.payload

    def document(self, process, seconds):
        status = process.wait(seconds)
        process.lines.thread.join(5)
        return {**json.loads(process.lines.found[-1][1])["report"], "exit": status}

    def capture(self, code, environment=None):
        """The first packet of a knock that nobody hears."""
        nft("isp", f"table ip cut {{ chain f {{ type filter hook forward priority 0; "
                   f"ip saddr 198.51.100.0/24 ip daddr {OUTSIDE} drop; }}; }}")
        tap = Tap("core", "srv")
        knocks = self.start("srv", [], OUTSIDE, code, environment=environment)
        packet = tap.find(lambda p: p.kind in packetcodec.ERRORS and p.destination == OUTSIDE, 20, "a knock")
        tap.close()
        knocks.popen.kill()
        knocks.wait(5)
        nft("isp", "delete table ip cut")
        return packet

    # --- forgeries ---

    def send(self, payload, source=FORGER, kind=11, code=0):
        quoted = packetcodec.udp(self.inside, self.dark, payload, ttl=1)
        data = packetcodec.icmp(source, OUTSIDE, kind, code, 0, quoted)
        self.raw.sendto(data, (OUTSIDE, 0))
        time.sleep(0.001)

    def send_foreign(self, payload, **how):
        self.send(payload, **how)
        self.foreign += 1

    def garbage(self):
        for length in (9, 40, 81, 82, 83, 150, 401, 402, 403, 500, 1000, 1200):
            for kind, code in ((11, 0), (3, 3), (12, 0), (3, 1)):
                self.send_foreign(self.random.randbytes(length), kind=kind, code=code)
        for byte in (0, 255):
            self.send_foreign(bytes([byte]) * 200)

    def alter(self, sealed):
        for at in range(len(sealed)):
            flipped = bytearray(sealed)
            flipped[at] ^= 1 << self.random.randrange(8)
            self.send_foreign(bytes(flipped))
        for length in range(9, len(sealed)):
            self.send_foreign(sealed[:length])
        self.send_foreign(sealed + b"\0")

    def usual(self):
        """As routers send them: how many."""
        errors = [self.said[:length] for length in (0, 1, 7, 8)]
        errors += [self.said + bytes(120), self.said + self.random.randbytes(200)]
        for payload in errors:
            self.send(payload)
        return len(errors)

    def flood(self):
        """How many went out in how long."""
        packets = []
        for _ in range(256):
            payload = self.random.randbytes(self.random.randrange(9, 300))
            quoted = packetcodec.udp(self.inside, self.dark, payload, ttl=1)
            packets.append(packetcodec.icmp(FORGER, OUTSIDE, 11, 0, 0, quoted))
        began = time.monotonic()
        for sent in range(FLOOD_PPS * FLOOD_S):
            self.raw.sendto(packets[sent % len(packets)], (OUTSIDE, 0))
            ahead = sent / FLOOD_PPS - (time.monotonic() - began)
            if ahead > 0.002:
                time.sleep(ahead)
        return FLOOD_PPS * FLOOD_S, time.monotonic() - began

    def late_knock(self):
        """One of somebody whose clock is an hour behind; None: there is no compiler."""
        library = f"{self.lab.folder}/clock.so"
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"]
        if not shutil.which("cc") or subprocess.run(command, input=CLOCK, text=True, check=False).returncode:
            return None
        return self.capture(CODE, environment={**os.environ, "LD_PRELOAD": library}).inner.payload

    # --- parts ---

    def settle(self):
        """Until all that was sent has been read: nothing is in the socket's queue."""
        time.sleep(0.2)
        wait_until(lambda: self.is_idle(self.waits.pid()), 20, "who waits is idle")

    @staticmethod
    def is_idle(pid):
        with open(f"/proc/{pid}/net/udp", encoding="ascii") as file:
            return all(line.split()[4] == "00000000:00000000" for line in list(file)[1:])

    def forgeries(self):
        """Nothing but one real knock is answered, and that one once."""
        sealed = self.capture(CODE).inner.payload
        wrong_code = self.capture(WRONG).inner.payload
        late = self.late_knock()
        self.wait()
        self.reset()
        self.garbage()
        self.alter(sealed)
        usual = self.usual()
        self.send_foreign(wrong_code)
        if late:
            self.send(late)
        self.settle()
        self.expect("forgeries: answered", self.left("anybody"), 0)
        self.replays(sealed)
        self.waits.signal(signal.SIGTERM)
        document = self.document(self.waits, 10)
        knock = document["knock"]
        if knock["usual"] < usual:  # and of real ones there are some, too
            self.wrong.append(f"forgeries: {knock['usual']} errors of routers, and more were sent")
        for name, wanted in (("foreign", self.foreign), ("heard", 1), ("replayed", 60), ("stale", 1 if late else 0)):
            self.expect(f"forgeries: {name}", knock[name], wanted)
        self.expect("forgeries: outcome", (document["exit"], document["outcome"]), (143, "failed"))
        print(f"forgeries: {knock}, {'a' if late else 'no'} clock that differs")

    def replays(self, sealed):
        """The first copy comes from the forger instead of where it was sent, and then many from elsewhere."""
        self.send(sealed)
        self.waits.lines.wait_for(lambda line: b"knock: an ICMP error" in line, 5, "a knock")
        wait_until(lambda: self.left("anybody"), 5, "an answer")
        for _ in range(30):
            self.send(sealed, source=OTHER)
        wait_until(self.waits_again, 20, "who waits waits again")
        self.settle()
        before = self.left("anybody"), self.left("forger")
        if before[1] > 3:
            self.wrong.append(f"replays: {before[1]} answers to where the knock came from")
        for _ in range(30):
            self.send(sealed, source=OTHER)
        self.settle()
        self.expect("replays: answered", (self.left("anybody"), self.left("forger")), before)

    def waits_again(self):
        return sum(b"wait: for a knock" in line for _, line in self.waits.lines.found) > 1

    def flooded(self):
        self.wait()
        self.reset()
        pid = self.waits.pid()
        ticks = cpu_ticks(pid)
        sent, seconds = self.flood()
        self.settle()
        ticks = cpu_ticks(pid) - ticks
        self.expect("flood: answered", self.left("anybody"), 0)
        knocks = self.start("srv", [], "-w", "30s", "-c", "1", OUTSIDE, CODE)
        self.waits.lines.wait_for(lambda line: b"path: stands" in line, 35, "a way after the flood")
        documents = [self.document(knocks, 20), self.document(self.waits, 20)]
        for document in documents:
            self.expect(f"flood: {document['knock']['role']}s", (document["outcome"], document["exit"]),
                        ("connected", 0))
        self.expect("flood: to the forger", self.left("forger"), 0)
        foreign = documents[1]["knock"]["foreign"]
        if not 0 < foreign <= sent:
            self.wrong.append(f"flood: {foreign} counted of {sent}")
        print(f"flood: {sent} errors in {seconds:.1f} s, {foreign} read, {ticks} ticks of CPU; then connected after "
              f"{documents[0]['time_ms']['total']:.0f} ms")


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


def main(folder, *command):
    attack = Attack(punchlab.Namespaces(folder), command)
    for part in (attack.forgeries, attack.flooded):
        try:
            part()
        except Missing as missing:
            attack.waits.popen.kill()
            attack.wrong.append(f"{part.__name__}: {missing}")
    for text in attack.wrong:
        print(f"    WRONG: {text}")
    return 1 if attack.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
