# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""A natlab that stays up, and natprobed, udppunch and others on its hosts: started, watched, hurt and ended one by one.

A test makes a Lab of a topology, starts things, waits for what they say, and looks at their reports. Whatever it
ends by, closing the Lab ends all that runs in it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
SKIP = 77
CHANNEL = [bytes([kind]) for kind in range(0x80, 0x84)]  # how its packets begin, in the open
FAILURES = {  # what a report may say, and the exit status that belongs to it
    None: 0, "no-path": 1, "no-common-family": 1, "deadline": 1, "silent": 1, "lost": 1, "server-unreachable": 4, "refused": 4,
    "no-peer": 4, "peer-left": 4, "peer-silent": 4, "wrong-code": 4, "bad-peer": 4, "other-transport": 4, "other-use": 4}


class Impossible(Exception):
    """This machine can't have a laboratory."""


class Missing(Exception):
    """What was waited for has not happened."""


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Missing(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Folder:
    """For logs and captures; it stays when something was wrong."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f"{name}.")
        self.keep = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.keep:
            print(f"logs and the capture are in {self.path}", file=sys.stderr)
        else:
            shutil.rmtree(self.path)


class Lab:
    fronts = 2  # processes that stand in front of a command on a host

    def __init__(self, folder, topology, *options, seed=1, limit_s=120):
        self.folder = folder
        self.path = f"{folder}/lab"
        self.pcap = f"{folder}/lab.pcapng"
        self.processes, self.reports = [], []
        with open(self.path, "w", encoding="ascii") as file:
            file.write(topology)
        command = [f"{BUILD}/natlab", self.path, *options]
        shown = subprocess.run([*command, "--show"], stdout=subprocess.PIPE, check=True, text=True).stdout
        self.addresses = {name: found.split(", ") for name, found
                          in re.findall(r"^ *(?:host|nat) (\S+?)(?: \([^)]*\))?: ([^;]*);", shown, re.MULTILINE)}
        self.log = open(f"{folder}/natlab.log", "w+", encoding="utf-8")
        self.natlab = subprocess.Popen([*command, "--seed", str(seed), "-w", f"{limit_s}s", "--pcap", self.pcap],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_until(self.is_up, 10, "a laboratory")
        except BaseException:
            self.close()
            raise

    def is_up(self):
        status = self.natlab.poll()
        if status is not None:
            self.log.seek(0)
            said = self.log.read().strip() or "nothing"
            raise (Impossible if status == 3 else Missing)(f"natlab, exit status {status}: {said.splitlines()[-1]}")
        some_host = re.search(r"^host (\S+)", self.read_topology(), re.MULTILINE).group(1)
        return not subprocess.run(self.command(some_host, "true"), stderr=subprocess.DEVNULL, check=False).returncode

    def read_topology(self):
        with open(self.path, encoding="ascii") as file:
            return file.read()

    def command(self, host, *argv):
        return [f"{BUILD}/natlab", "exec", "-l", str(self.natlab.pid), host, *argv]

    def run(self, host, *argv):
        """Runs to its end, within 10 s, successfully."""
        subprocess.run(self.command(host, *argv), stdin=subprocess.DEVNULL, timeout=10, check=True)

    def close(self):
        """Returns only when all that ran is gone, and the capture is complete."""
        self.natlab.terminate()
        try:
            self.natlab.wait(10)
        except subprocess.TimeoutExpired:
            self.natlab.kill()
            self.natlab.wait()
        for process in self.processes:
            process.popen.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Namespaces:
    """The same for hosts that are network namespaces with names, made by somebody else."""

    fronts = 0

    def __init__(self, folder):
        self.folder = folder
        self.processes, self.reports = [], []

    def command(self, host, *argv):
        return ["ip", "netns", "exec", host, *argv]


class Process:
    """A command on a host."""

    def __init__(self, lab, host, *argv, **streams):
        self.host, self.fronts = host, lab.fronts
        self.began = time.monotonic()
        self.popen = subprocess.Popen(lab.command(host, *argv), **{"stdin": subprocess.DEVNULL, **streams})
        lab.processes.append(self)

    def pid(self):
        """Of the command itself."""
        pid = self.popen.pid
        for _ in range(self.fronts):
            pid = wait_until(lambda parent=pid: children(parent), 5, f"a process on {self.host}")[0]
        return pid

    def signal(self, number):
        os.kill(self.pid(), number)

    def is_alive(self):
        return self.popen.poll() is None

    def wait(self, seconds):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Missing(f"{self.host}: no end within {seconds} s") from None


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


class Lines:
    """Lines of a descriptor as they come, each with its moment, until a condition holds for one."""

    def __init__(self, file):
        self.file, self.found, self.ended = file, [], False
        self.condition = threading.Condition()
        self.thread = threading.Thread(target=self.collect, daemon=True)
        self.thread.start()

    def collect(self):
        for line in self.file:
            with self.condition:
                self.found.append((time.monotonic(), line))
                self.condition.notify_all()
        with self.condition:
            self.ended = True
            self.condition.notify_all()
        self.file.close()

    def wait_for(self, test, seconds, what):
        """The moment and the first line for which test holds."""
        def look():
            hits = [(t, line) for t, line in self.found if test(line)]
            return hits[0] if hits else self.ended and (None, None)
        with self.condition:
            result = self.condition.wait_for(look, seconds)
        if not result or result[1] is None:
            raise Missing(f"{'ended' if result else f'not within {seconds} s'}: {what}")
        return result


class Script(Process):
    """A program of this folder, which says that it is ready, and then perhaps more lines."""

    def __init__(self, lab, host, program, *argv, **streams):
        here = os.path.dirname(os.path.abspath(__file__))
        super().__init__(lab, host, sys.executable, f"{here}/{program}", *argv, stdout=subprocess.PIPE, **streams)
        self.lines = Lines(self.popen.stdout)
        self.lines.wait_for(lambda line: line == b"ready\n", 10, f"{program} on {host}")


class Natprobed(Process):
    def __init__(self, lab, host, *options):
        super().__init__(lab, host, f"{BUILD}/natprobed", *options, *lab.addresses[host], stderr=subprocess.PIPE)
        self.lines = Lines(self.popen.stderr)
        self.lines.wait_for(lambda line: b"event=ready" in line, 10, f"natprobed on {host}")


class Punch(Process):
    """udppunch, or what is like it; its -J lines are read as they come."""

    def __init__(self, lab, host, server, code, *options, program=None, stdio=False, errors=None):
        reader, writer = os.pipe()
        with open(errors or f"{lab.folder}/{host}.err", "ab") as err:
            super().__init__(
                lab, host, *(program or [f"{BUILD}/udppunch"]), "-r", server, "-J", "-o", f"/proc/self/fd/{writer}",
                *(["--stdio"] if stdio else []), *options, code, pass_fds=[writer], stderr=err,
                stdin=subprocess.PIPE if stdio else subprocess.DEVNULL,
                stdout=subprocess.PIPE if stdio else subprocess.DEVNULL)
        os.close(writer)
        self.reports = lab.reports
        self.lines = Lines(os.fdopen(reader, "rb"))
        self.received = Lines(self.popen.stdout) if stdio else None
        self.ms = None

    def step(self, text, seconds):
        """Waits for a step that begins so; when it came."""
        mark = f'"text":"{text}'.encode()
        return self.lines.wait_for(lambda line: mark in line, seconds, f"{self.host}: {text}")[0]

    def send(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def expect(self, line, seconds):
        return self.received.wait_for(lambda found: line.encode() in found, seconds,
                                      f"{self.host}: receives {line}")[0]

    def events(self):
        return [json.loads(line) for _, line in self.lines.found]

    def end(self, seconds):
        """Its document, with the exit status as "exit"."""
        status = self.wait(seconds)
        self.ms = (time.monotonic() - self.began) * 1000
        self.lines.thread.join(5)
        last = self.events()[-1] if self.lines.found else {}
        if "report" not in last:
            raise Missing(f"{self.host}: exit status {status} without a document")
        document = {**last["report"], "exit": status}
        self.reports.append((self.host, document))
        return document


def say_until_heard(speaker, hearer, line, seconds):
    """Over --stdio, again and again: datagrams may be lost. Only then is the next block read by itself."""
    end = time.monotonic() + seconds
    while True:
        speaker.send(line)
        try:
            return hearer.expect(line, 0.3)
        except Missing:
            if time.monotonic() > end or not speaker.is_alive():
                raise


def defects_of_one(document):
    """What is wrong with a report in itself."""
    found = []
    outcome, failure, status = document["outcome"], document["failure"], document["exit"]
    if status in (130, 143):
        return ["interrupted, but complete"] if document["complete"] else []
    if outcome not in ("connected", "failed") or failure not in FAILURES:
        found.append(f"outcome {outcome}, failure {failure}")
    elif (outcome == "connected") != (failure is None):
        found.append(f"{outcome}, but failure {failure}")
    elif status != FAILURES[failure] and (failure, status) not in (("deadline", 4), (None, 1)):
        found.append(f"{outcome}, {failure}, but exit status {status}")
    if not document["complete"]:
        found.append("not complete")
    if outcome == "connected" and None in (document["local"], document["peer"], document["rtt_ms"]):
        found.append("connected without endpoints or round trip")
    if status and not document["errors"]:
        found.append(f"exit status {status} without an error")
    return found


def defects(x, y):
    """What is wrong with the reports of both sides together; bad luck is not."""
    found = [f"x: {text}" for text in defects_of_one(x)] + [f"y: {text}" for text in defects_of_one(y)]
    for side, other in ((x, y), (y, x)):
        # who has lost all answers on the way can't know how the other side sees it
        # and where the peer was followed the mapping is the first one still
        if side["outcome"] == other["outcome"] == "connected" and not other["moves"] and \
                side["mapped"] not in (None, other["peer"]):
            found.append(f"one is seen as {side['mapped']}, and the other one sends to {other['peer']}")
    # who claims a way has heard the other side over it, which therefore has proved it, too
    for claims, other in ((x, y), (y, x)):
        if claims["outcome"] == "connected" and other["outcome"] == "failed" and other["failure"] not in ("silent", "lost"):
            found.append(f"one claims a way, and the other says {other['failure']}")
    return found


def unheard(reports, packets):
    """(host, text) for each report that claims a way over which nothing of the channel has come. packets: by where."""
    heard = {where: {p.source for p in found if p.inbound and p.payload[:1] in CHANNEL}
             for where, found in packets.items()}
    return [(host, f"{host} claims a way to {document['peer']}, from where nothing has come")
            for host, document in reports if document["outcome"] == "connected" and
            (document["peer"]["address"], document["peer"]["port"]) not in heard.get(f"host {host}", ())]


def say(document):
    """A few words on a report, for a line."""
    time_ms = document["time_ms"] or {}
    if document["outcome"] == "connected":
        return f"connected ({document['strategy']}, {time_ms['confirmed']:.0f} ms)"
    return f"{document['failure'] or 'interrupted'} ({document['exit']})"


# --- cases: what is to be done with two hosts and a server of their own, all at once ---

class Case:
    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.defects, self.notes = [], []

    def host(self, side):
        return f"{side}-{self.name}"

    def wrong(self, text):
        self.defects.append(text)

    def note(self, text):
        self.notes.append(text)

    def judge_one(self, punch, seconds, *failures):
        """A report that has to come in time, to be right in itself, and of one of these failures if any are given."""
        document = punch.end(seconds)
        side = punch.host[0]
        self.note(f"{side} {say(document)} after {punch.ms / 1000:.1f} s")
        self.defects += [f"{side}: {text}" for text in defects_of_one(document)]
        if failures and document["failure"] not in failures:
            self.wrong(f"{side}: {document['failure']}, not {' or '.join(map(str, failures))}")
        return document


def run_case(case, function):
    began = time.monotonic()
    try:
        function(case)
    except Missing as missing:
        case.wrong(str(missing))
    except Exception:  # a mistake of the test: the others go on
        case.wrong(traceback.format_exc())
    case.note(f"{time.monotonic() - began:.1f} s")


def run_cases(cases, functions):
    threads = [threading.Thread(target=run_case, args=(case, functions[case.name]), daemon=True) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tell(cases):
    """Prints what came of the cases; how many were wrong."""
    for case in cases:
        print(f"{case.name}: {', '.join(case.notes)}")
        for text in case.defects:
            print(f"    WRONG: {text}")
    wrong = sum(bool(case.defects) for case in cases)
    print(f"{len(cases)} cases, {wrong} wrong")
    return wrong


def main(run):
    """Ends as a test does. SIGTERM ends what runs in the laboratory, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(1 if run() else 0)
    except Impossible as reason:
        print(f"SKIP: {reason}")
        sys.exit(SKIP)
