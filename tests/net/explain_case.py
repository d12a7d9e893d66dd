# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A staged failure: hosts, NATs and servers of its own, what is done to them, and proof that it was done.

A case is registered by @natlab(...), hosts behind NATs of one natlab that all share, or by @kernel(...), customers of
the internet of lab.sh, each with a NAT of nftables. It runs natprobe or a puncher twice, captures allowed and not."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import explain_run
import pcapng
import punchlab
from explain_run import Run
from punchlab import Missing, Natprobed, Punch, Script

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = {}
LINK = "delay=8ms hops=3"
SERVER_NETS = ["198.51.100", "203.0.113"]  # of srv


class Plan:
    """What a case needs, and what each side has to say."""

    def __init__(self, function, wants, kinds, of):
        self.function, self.wants, self.kinds, self.of = function, wants, kinds, of
        self.title = (function.__doc__ or "").split("\n")[0]


def register(wants, kinds, of):
    def take(function):
        CASES[function.__name__.replace("_", "-")] = Plan(function, wants, kinds, of)
        return function
    return take


def natlab(*wants, x="kind=port-restricted", y=None, outer=None, link=LINK, link_y=None, link_s="delay=5ms hops=1",
           link_outer="delay=2ms", hosts="s"):
    """NATs of these properties for x and y, one above that of x, links above them; on the internet these hosts."""
    return register(wants, "natlab", {"x": x, "y": y, "outer": outer, "link": link, "link_y": link_y or link,
                                      "link_s": link_s, "link_outer": link_outer, "hosts": hosts})


def kernel(*wants, x="masquerade-drop", y=None):
    """Kinds of lab.sh."""
    return register(wants, "kernel", {"x": x, "y": y})


def topology(names):
    """Of natlab's cases."""
    lines = ["families 4,6"]
    for name in names:
        of = CASES[name].of
        still = "delay=0 hops=0 loss=0 duplicate=0 reorder=0 jitter=0 mtu=0 mtu-silent=no filter=none filter-hop=0"
        for side in "xy":
            if not of[side]:
                continue
            behind, link = "", of["link" if side == "x" else "link_y"]
            if side == "x" and of["outer"]:
                lines += [f"link {still} {link}", f"nat no-{name} {of['outer']}"]
                behind, link = f"behind=no-{name}", of["link_outer"]
            lines += [f"link {still} {link}", f"nat n{side}-{name} {of[side]} {behind}"]
            lines += [f"link {still}", f"host {side}-{name} behind=n{side}-{name}"]
        lines += [f"link {still} {of['link_s']}"] + [f"host {side}-{name}" for side in of["hosts"]]
    return "\n".join(lines) + "\n"


def customers(names):
    """(namespace, kind) for each host of the kernel's cases; the NAT's namespace has "-nat" behind it."""
    return [(f"{side}-{name}", CASES[name].of[side]) for name in names if CASES[name].kinds == "kernel"
            for side in "xy" if CASES[name].of[side]]


class Kernel(punchlab.Namespaces):
    """The laboratory of lab.sh, as one case sees it: with a server of its own in srv."""

    def __init__(self, folder, number):
        super().__init__(folder)
        self.addresses = {"srv": [f"{net}.{100 + number}" for net in SERVER_NETS]}
        for address in self.addresses["srv"]:
            self.run("srv", "ip", "addr", "add", f"{address}/24", "dev", "eth0")

    def run(self, host, *argv):
        subprocess.run(self.command(host, *argv), stdin=subprocess.DEVNULL, timeout=10, check=True)


class Rule:
    """Packets that match meet a verdict of a host's own nftables, and are counted."""

    def __init__(self, case, host, hook, match, verdict, priority, kind, before):
        self.case, self.host, self.text = case, host, f"{match} {verdict or 'counted'} in {hook} of {host}"
        self.table = f"stage_{case.name.replace('-', '_')}_{len(case.rules)}"  # routers are shared
        case.rules.append(self)
        case.lab.run(host, "nft", f"table inet {self.table} {{ counter hits {{ }}; {before} chain c {{ type {kind} "
                                  f"hook {hook} priority {priority}; {match} counter name hits {verdict}; }}; }}")

    def hits(self):
        shown = subprocess.run(self.case.lab.command(self.host, "nft", "list", "counter", "inet", self.table, "hits"),
                               stdout=subprocess.PIPE, timeout=10, check=True, text=True).stdout
        return int(re.search(r"packets (\d+)", shown).group(1))


class Case(punchlab.Case):
    def __init__(self, lab, name, stage_only, nothing):
        super().__init__(lab, name)
        self.plan, self.stage_only, self.nothing = CASES[name], stage_only, nothing
        self.rules, self.scripts, self.runs, self.later, self.routers, self.told = [], [], [], [], {}, []
        self.servers, self.number = {}, 0

    # --- who there is ---

    def host(self, side):
        """"x-nat" is the namespace of a NAT of the kernel, and isp and core those of routers."""
        if self.plan.kinds == "kernel" and side in ("s", "isp", "core"):
            return "srv" if side == "s" else side
        side, _, rest = side.partition("-")
        return f"{side}-{self.name}{'-' if rest else ''}{rest}"

    def address(self, side="s", number=0, family=4):
        found = self.lab.addresses[self.host(side)]
        return [a for a in found if (":" in a) == (family == 6)][number]

    def nat(self, side="x"):
        """Its address on the inside."""
        shown = self.output(side, "ip", "-4", "route", "show", "default")
        return re.search(r" via (\S+)", shown).group(1)

    def outside(self, side):
        """The external address of a NAT."""
        if self.plan.kinds == "natlab":
            return self.address(f"n{side}")
        shown = self.output(f"{side}-nat", "ip", "-4", "-o", "addr", "show", "wan")
        return re.search(r" inet ([0-9.]+)/", shown).group(1)

    def output(self, side, *argv):
        return subprocess.run(self.lab.command(self.host(side), *argv), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=20, check=True, text=True).stdout

    # --- what is done to it ---

    def serve(self, *sides):
        for side in sides or "s":
            self.servers[side] = Natprobed(self.lab, self.host(side))

    def serve_anew(self):
        """What it does for one network in a minute is soon used up."""
        for side, server in self.servers.items():
            server.signal(signal.SIGKILL)
            server.wait(5)
            self.serve(side)

    def badserver(self, mode):
        """At both addresses of the server."""
        self.script("s", "badserver.py", f"{mode}={self.address()},{self.address(number=1)}")

    def script(self, side, program, *argv):
        self.scripts.append(Script(self.lab, self.host(side), program, *argv))

    def rule(self, side, hook, match, verdict="", priority=0, kind="filter", before=""):
        """before: what else is in the same table, as sets."""
        return Rule(self, self.host(side), hook, match, verdict, priority, kind, before)

    def do(self, side, *commands):
        for command in commands:
            self.lab.run(self.host(side), *command.split())

    # --- what is known of it ---

    def ladder(self, to=None, side="x"):
        """The routers on the way, by hop, as this test's own probe sees them."""
        shown = self.output(side, sys.executable, f"{HERE}/explain_stage.py", "ladder", to or self.address())
        self.routers = {int(ttl): address for ttl, address in json.loads(shown).items()}
        self.note(f"routers {self.routers}")

    def staged(self, text, holds):
        """Proof that the failure is there."""
        self.told.append(f"{'ok' if holds else 'NOT'}: {text}")
        if not holds:
            self.wrong(f"not staged: {text}")

    def hit(self, *rules):
        """Each of them."""
        for rule in rules:
            self.staged(f"{rule.hits()} packets: {rule.text}", rule.hits() > 0)

    def hit_one(self, *rules):
        """At least one of them."""
        hits = [rule.hits() for rule in rules]
        self.staged(f"{' and '.join(map(str, hits))} packets: {rules[0].text} …", any(hits))

    def statuses(self, *allowed, side="x"):
        found = [run.status for run in self.runs if run.side == side]
        self.staged(f"exit status {found} of {side}, one of {allowed}", set(found) <= set(allowed))

    def failures(self, *allowed, side="x"):
        found = [run.document["failure"] for run in self.runs if run.side == side]
        self.staged(f"failure {found} of {side}, one of {allowed}", set(found) <= set(allowed))

    def lost(self, reason, where="", least=1):
        """At the end natlab's own capture has to have so many packets that got no further for this reason."""
        self.later.append((reason, re.compile(where or f"[^ ]+ n?[xyos]-{self.name}( |$)"), least))

    def check_later(self, packets):
        for reason, where, least in self.later:
            count = sum(reason in p.lost and bool(where.search(p.where)) for p in packets)
            self.staged(f"{count} packets: {reason} at {where.pattern}", count >= least)

    # --- the runs ---

    def probe(self, *argv, pause_s=0):
        """natprobe on x, with and without a capture; pause_s: until a NAT has forgotten the first run."""
        self.wait(self.start("natprobe", "x", True, "-j", *argv))
        self.serve_anew()
        time.sleep(pause_s)
        self.wait(self.start("natprobe", "x", False, "-j", *argv))

    def punch(self, program, options=("-w", "25s"), sides="xy"):
        """Both sides of one of the punchers, the same."""
        for captures in (True, False):
            self.number += 1
            code = f"{self.name.replace('-', '')}{self.number}-tourist-submarine"
            started = [self.start(program, side, captures, "-4", "-j", "-r", self.address(), *options, code)
                       for side in sides]
            for one in started:
                self.wait(one)

    def knock(self, *options):
        """Without a server: x waits, and y knocks, which takes privileges."""
        for captures in (True, False):
            self.number += 1
            code = f"{self.name.replace('-', '')}{self.number}-acorn-albatross-aimless-bravado"
            waits = self.start("icmppunch", "x", captures, "-4", "-j", "--wait", *options, code)
            knocks = self.start("icmppunch", "y", True, "-4", "-j", *options, self.outside("x"), code)
            self.wait(waits)
            self.wait(knocks)

    def talk(self, size_bytes, patience_s):
        """A line of that size over tcppunch, from x, which y does not hear; a short one arrives."""
        code = f"{self.name.replace('-', '')}-tourist-submarine"
        sides = [Punch(self.lab, self.host(side), self.address(), code, "-4", "-w", "25s", stdio=True,
                       program=[f"{punchlab.BUILD}/tcppunch"]) for side in "xy"]
        for side in sides:
            side.step("path: stands", 25)
        punchlab.say_until_heard(*sides, "short", 5)
        sides[0].send("long" * (size_bytes // 4))
        try:
            sides[1].expect("long", patience_s)
            self.staged(f"{size_bytes} bytes are not heard", False)
        except Missing:
            self.staged(f"{size_bytes} bytes are not heard within {patience_s} s", True)
        for side in sides:
            side.signal(signal.SIGINT)
        for side in sides:
            document = side.end(10)
            self.told.append(f"{side.host}: exit status {document['exit']}: {punchlab.say(document)}")

    def start(self, program, side, captures, *argv):
        pcap = None
        if captures and not self.stage_only:
            pcap = f"{self.lab.folder}/{self.name}-{side}-{self.number}.pcapng"
        front = [] if captures else self.nothing
        command = self.lab.command(self.host(side), *front, f"{punchlab.BUILD}/{program}")
        return side, captures, explain_run.start(command, captures, pcap, argv), pcap

    def wait(self, started):
        run = Run(*started)
        with open(f"{self.lab.folder}/{self.name}-{len(self.runs)}.json", "w", encoding="utf-8") as file:
            json.dump(run.document, file)
        self.runs.append(run)
        self.told.append(f"{run.side} {'with' if run.captures else 'without'} capture, exit status {run.status}: "
                         f"{run.first_line()}")

    def ladder_text(self, *argv):
        """natprobe once more, for people."""
        if self.stage_only:
            return
        process = explain_run.start(self.lab.command(self.host("x"), f"{punchlab.BUILD}/natprobe"), True, None,
                                    ["--explain", *argv])
        out, _ = process.communicate(timeout=explain_run.RUN_S)
        for text in explain_run.judge_text(out.decode().splitlines(), self.runs[0].document, 80):
            self.wrong(text)

    # --- what comes of it ---

    def judge(self):
        if self.stage_only:
            return
        for want in self.plan.wants:
            if want.unasked:
                continue
            self.resolve(want)
            for run in self.runs:
                if run.side == want.side:
                    which = "with" if run.captures else "without"
                    self.defects += [f"{want.side} {which} capture: {text}" for text in explain_run.judge(run, want)]

    def resolve(self, want):
        """Devices by name or by hop become addresses."""
        device = want.device
        if isinstance(device, int):
            want.device = self.routers.get(device, f"nobody: hop {device} has not answered")
        elif device in ("nat", "server"):
            want.device = self.nat(want.side) if device == "nat" else self.address()

    def end(self):
        for script in self.scripts:
            script.popen.terminate()


def run_all(cases, lanes):
    """So many at once."""
    gate = threading.Semaphore(lanes)

    def run(case):
        with gate:
            punchlab.run_case(case, case.plan.function)
            try:
                case.judge()
            except (KeyError, IndexError, TypeError, Missing) as error:  # a document of another shape
                case.wrong(f"the document: {type(error).__name__}: {error}")
            case.end()

    # those which have two sides take longest
    order = sorted(cases, key=lambda case: case.plan.of["y"] is None)
    threads = [threading.Thread(target=run, args=(case,), daemon=True) for case in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def captured(path):
    """All that natlab has written; a packet is at one place for each of its lines."""
    with open(path, "rb") as file:
        return [packet for packet in pcapng.read(file.read()) if packet.lost]
