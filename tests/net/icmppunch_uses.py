#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""What a way of icmppunch is used for: carrying lines or a UDP port, kept, also after it broke, and ended.

usage: icmppunch_uses.py FOLDER [CASE...]

In the laboratory of knock-kernel.sh, from srv or open to host behind masquerade-drop; all cases at once, and then
those which hurt the NAT that all share. Prints one line for each, and what is wrong; exit status 0, or 1 something was
wrong."""

import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import punchlab  # noqa: E402
from punchlab import Lines, Missing, Process, Punch  # noqa: E402
from udppunch_uses import CLIENT, ECHO  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = f"{HERE}/../../data/punch-report.schema.json"
HOST4, HOST6, STUN = "192.0.2.11", "2001:db8:1::2", "198.51.100.10"
MEND_S = 90  # a keepalive is due, eight seconds without an answer, and a knock or some
LOST_S = 120
CASES, LATER = {}, {}


def case(cases=CASES):
    def register(function):
        cases[function.__name__.replace("_", "-")] = function
        return function
    return register


class Knock(Punch):
    """icmppunch without a server; its -J lines are read as they come."""

    def __init__(self, lab, host, name, *options, stdio=False):
        reader, writer = os.pipe()
        with open(f"{lab.folder}/{name}.err", "ab") as err:
            Process.__init__(
                self, lab, host, f"{punchlab.BUILD}/icmppunch", "-J", "-o", f"/proc/self/fd/{writer}",
                *(["--stdio"] if stdio else []), *options, pass_fds=[writer], stderr=err,
                stdin=subprocess.PIPE if stdio else subprocess.DEVNULL,
                stdout=subprocess.PIPE if stdio else subprocess.DEVNULL)
        os.close(writer)
        self.reports, self.name, self.ms = lab.reports, name, None
        self.lines = Lines(os.fdopen(reader, "rb"))
        self.received = Lines(self.popen.stdout) if stdio else None


class Case(punchlab.Case):
    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.code = f"{name.replace('-', '')}-acorn-albatross-aimless-bravado"
        self.sides = []

    def start(self, host, *options, stdio=False):
        side = Knock(self.lab, host, f"{self.name}-{len(self.sides)}", *options, stdio=stdio)
        self.sides.append(side)
        return side

    def waits(self, *options, stdio=False):
        return self.start("host", "-4", "--wait", *options, self.code, stdio=stdio)

    def knocks(self, *options, who="srv", stdio=False):
        stun = [] if who == "srv" else ["-s", STUN]
        return self.start(who, "-4", *stun, *options, HOST4, self.code, stdio=stdio)

    def both(self, *options, who="srv", stdio=False):
        sides = self.waits(*options, stdio=stdio), self.knocks(*options, who=who, stdio=stdio)
        self.stand(*sides)
        return sides

    def stand(self, *sides):
        for side in sides:
            side.step("path: stands", 40)

    def interrupt(self, x, y):
        """One is interrupted, and the other hears its last word."""
        x.signal(signal.SIGINT)
        document = x.end(5)
        if (document["exit"], document["complete"], document["outcome"]) != (130, False, "connected"):
            self.wrong(f"{x.host}, interrupted: {document['exit']}, {document['outcome']}")
        self.judge_one(y, 5, None)

    def ask(self, host, word):
        """By a program on this host of one on the other, through the port."""
        found = subprocess.run(self.lab.command(host, "/usr/bin/python3", "-c", CLIENT, word), timeout=20,
                               stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        if not found.endswith(" " + word):
            raise Missing(f"an answer to {word}, not {found!r}")

    def end(self):
        """Whatever has become of it: nothing goes on, and all lines are as the schema says."""
        for side in self.sides:
            if side.is_alive():
                side.popen.kill()
                side.popen.wait()
            path = f"{self.lab.folder}/{side.name}.lines"
            side.lines.thread.join(5)
            with open(path, "wb") as file:
                file.writelines(line for _, line in side.lines.found)
            if side.popen.returncode >= 0:  # else there is no document
                self.validate(path)

    def validate(self, path):
        done = subprocess.run(["/usr/bin/python3", f"{HERE}/../schema_check.py", SCHEMA, "--lines", path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
        if done.returncode not in (0, punchlab.SKIP):
            self.wrong(f"schema: {done.stdout.strip()[:500]}")


# --- standard input and output ---

@case()
def lines(test):
    for who in ("srv", "open"):
        x, y = test.both(who=who, stdio=True)
        for number in range(3):
            for speaker, hearer in ((x, y), (y, x)):
                punchlab.say_until_heard(speaker, hearer, f"{number} from {speaker.host}", 10)
        for side in (x, y):
            side.popen.stdin.close()
        for side in (x, y):
            test.judge_one(side, 10, None)


@case()
def lines_killed(test):
    x, y = test.both("-w", "20s", stdio=True)
    punchlab.say_until_heard(x, y, "before", 10)
    x.signal(signal.SIGKILL)
    test.judge_one(y, LOST_S, "lost")


# --- a port ---

@case()
def port(test):
    """Opened by who knocks, to a program beside who waits."""
    echo = Process(test.lab, "host", "/usr/bin/python3", "-c", ECHO, stdout=subprocess.PIPE)
    Lines(echo.popen.stdout).wait_for(lambda line: b"ready" in line, 10, "an echo")
    x, y = test.waits("--to", "127.0.0.1:6000"), test.knocks("-L", "5000")
    test.stand(x, y)
    for number in range(3):
        test.ask("srv", f"word-{number}")
    test.interrupt(y, x)
    echo.signal(signal.SIGTERM)


# --- how it is found ---

@case()
def command(test):
    """Who waits shows the whole command of the other side: with a code of its own, and where a server sees it."""
    x = test.start("host", "-4", "-c", "1", "-s", STUN, "--wait")
    path = f"{test.lab.folder}/{x.name}.err"

    def shown():
        with open(path, encoding="utf-8") as file:
            return re.search(r"on the other side: icmppunch (\S+) (\S+)\n", file.read())
    found = punchlab.wait_until(shown, 20, "a command")
    if found.group(1) != HOST4 or found.group(2).count("-") != 4:
        test.wrong(f"the command: {found.group()!r}")
    y = test.start("srv", "-c", "1", found.group(1), found.group(2))
    for side in (x, y):
        test.judge_one(side, 40, None)


@case()
def other_dark(test):
    """Somewhere else than the code says, as both know."""
    x, y = test.both("--dark", "203.0.113.99:9", "-c", "1", "--hold")
    test.interrupt(x, y)


@case()
def six(test):
    x = test.start("host", "-6", "-c", "1", "--wait", test.code)
    y = test.start("open", "-6", "-c", "1", HOST6, test.code)
    for side in (x, y):
        test.judge_one(side, 40, None)


@case()
def code_that_is_wrong(test):
    """Is not seen at all: neither side hears anything."""
    x = test.waits("-w", "8s")
    y = test.start("srv", "-4", "-w", "8s", HOST4, "1-acorn-albatross-aimless-tourist")
    for side, status in ((x, 4), (y, 1)):
        document = side.end(20)
        if (document["failure"], document["exit"]) != ("no-peer", status):
            test.wrong(f"{side.host}: {document['failure']}, exit status {document['exit']}")
        if document["knock"]["heard"] or document["knock"]["met"]:
            test.wrong(f"{side.host}: {document['knock']}")


@case()
def waits_already(test):
    """Of two who wait with one code on one host the second says that it is never knocked at."""
    x = test.waits()
    x.step("wait: for a knock", 20)
    document = test.waits("-w", "5s").end(20)
    said = " ".join(sum((document["explanation"] or {}).values(), []))
    if (document["failure"], document["exit"]) != ("no-peer", 4) or "runs already on this host" not in said:
        test.wrong(f"{document['failure']}, exit status {document['exit']}: {document['explanation']}")
    x.signal(signal.SIGTERM)
    x.end(5)


@case()
def one_after_another(test):
    """Two knock, and one of them comes in; the other one is not heard, and ends clearly."""
    x, y = test.both("--hold", who="open")
    z = test.knocks("-w", "8s")
    document = z.end(20)
    if (document["failure"], document["exit"]) != ("no-peer", 1):
        test.wrong(f"the second: {document['failure']}, exit status {document['exit']}")
    test.interrupt(y, x)


@case()
def address_of_nobody(test):
    """The host is there, and nobody waits: it says so."""
    x = test.start("host", "-4", "-w", "5s", "198.51.100.40", test.code)
    document = x.end(15)
    said = " ".join(sum((document["explanation"] or {}).values(), []))
    if (document["failure"], document["exit"]) != ("no-peer", 1) or "nobody waits" not in said:
        test.wrong(f"{document['failure']}, exit status {document['exit']}: {document['explanation']}")


# --- a way that is kept ---

@case()
def hold(test):
    x, y = test.both("--hold", who="open")
    test.interrupt(y, x)


@case()
def hold_killed(test):
    x, y = test.both("--hold", "-w", "20s")
    y.signal(signal.SIGKILL)
    test.judge_one(x, LOST_S, "lost")


@case()
def hold_frozen(test):
    x, y = test.both("--hold", "-w", "20s")
    x.signal(signal.SIGSTOP)
    test.judge_one(y, LOST_S, "lost")
    x.signal(signal.SIGKILL)


@case()
def hold_blocked(test):
    """The socket of who waits is blocked by its own firewall, in both directions: it is knocked at anew."""
    x, y = test.both("--hold", who="open")
    way = next(event["text"] for event in x.events() if event.get("text", "").startswith("path: stands"))
    port_of_way = re.search(r" from \S+:(\d+) to ", way).group(1)
    nft(test.lab, "host", f"""table inet blocked {{
        chain o {{ type filter hook output priority 0; udp sport {port_of_way} drop; }}
        chain i {{ type filter hook input priority 0; udp dport {port_of_way} drop; }}
    }}""")
    for side in (x, y):
        side.step("path: stands again", MEND_S)
    test.interrupt(x, y)


# --- the NAT of who waits begins anew ---

def nft(lab, namespace, text):
    subprocess.run(lab.command(namespace, "nft", "-f", "-"), input=text, text=True, check=True)


def has_mappings(lab):
    table = subprocess.run(lab.command("nat", "cat", "/proc/net/nf_conntrack"), stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    return any(" udp " in line and f" dst={HOST4} " in line for line in table.splitlines())


def restart(lab, rule):
    """It forgets all, and translates by this rule from now on."""
    nft(lab, "nat", f"flush chain ip lab post\nadd rule ip lab post oifname wan {rule}\n")
    # what is masqueraded to an interface ends with it, and some time after it
    subprocess.run(["ip", "-n", "nat", "link", "set", "wan", "down"], check=True)
    punchlab.wait_until(lambda: not has_mappings(lab), 10, "an empty table")
    subprocess.run(["ip", "-n", "nat", "-batch", "-"], check=True, text=True, input="""
        link set wan up
        route replace default via 192.0.2.1
        addr replace 2001:db8:2::11/64 dev wan nodad
        route replace default via 2001:db8:2::1
    """)


@case(LATER)
def restarted(test):
    """From both kinds of who knocks, at once: srv is reached from the new port, and open is not. Two pairs with one
    code would meet each other."""
    pairs = []
    for who in ("srv", "open"):
        test.code = f"{who}-acorn-albatross-aimless-bravado"
        pairs.append(test.both("--hold", who=who))
    restart(test.lab, "ip protocol udp masquerade to :20000-21999 fully-random")
    for x, y in pairs:
        if y.host == "srv":
            y.step("path: the peer is at", MEND_S)
            continue
        for side in (x, y):
            side.step("path: stands again", MEND_S)
    for x, y in pairs:
        test.interrupt(x, y)


@case(LATER)
def restarted_as_before(test):
    x, y = test.both(who="open", stdio=True)
    punchlab.say_until_heard(x, y, "before", 10)
    restart(test.lab, "masquerade")
    for speaker, hearer in ((x, y), (y, x)):
        punchlab.say_until_heard(speaker, hearer, f"after, {speaker.host}", MEND_S)
    for side in (x, y):
        side.popen.stdin.close()
    for side in (x, y):
        test.judge_one(side, 10, None)


def main(folder, *names):
    lab = punchlab.Namespaces(folder)
    both = {**CASES, **LATER}
    cases = [Case(lab, name) for name in names or both]
    punchlab.run_cases([case for case in cases if case.name in CASES], both)
    for later in (case for case in cases if case.name in LATER):
        punchlab.run_case(later, both[later.name])
    for ended in cases:
        ended.end()
    return punchlab.tell(cases)


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
