# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Runs of our programs with and without the privilege to capture, and what their explanations are held against.

What has to be there is written in natprobe-report(5): capture, packets and causes; and of a file of --pcap, that its
packets are those of the document, with what they mean as comments."""

import json
import os
import subprocess

import pcapng
import punchlab
from punchlab import Missing

CERTAINTIES = ("possible", "likely", "certain")
PROTOCOLS = {"icmpv6", *pcapng.NAMES.values()}
NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"]
NOTHING = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
RUN_S = 60  # of one program; all of them have deadlines of their own


def without_privilege():
    """What makes a command nobody's, without any capability; root of a user namespace can be nobody else."""
    program = f"{punchlab.BUILD}/natprobe"
    for front in (["setpriv", *NOBODY, *NOTHING], ["setpriv", *NOTHING]):
        if not subprocess.run([*front, "test", "-x", program], stderr=subprocess.DEVNULL, check=False).returncode:
            return front
    raise punchlab.Impossible(f"setpriv can't run {program} without capabilities")


class Want:
    """What a side has to say. ids: any of these as the first cause, none: no cause at all. device: an address. also:
    what may be said besides. without: what is not wrong, if nothing is captured, and said to be less than certain. sure:
    what is right without a capture, too, if less than it would be with one.
    cites: whether packets must be named. unasked: of no question of today that could show it."""

    def __init__(self, side, *ids, where=None, device=None, hops=None, certainty="possible", also=(), without=(),
                 sure=(), cites=True, unasked=False, problems=False):
        self.side, self.ids, self.device, self.hops, self.certainty = side, ids, device, hops, certainty
        self.where = (where,) if isinstance(where, str) else where
        self.sure = sure
        self.also, self.without, self.cites, self.unasked, self.problems = also, without, cites, unasked, problems

    def __str__(self):
        words = [" or ".join(id or "none" for id in self.ids) or "none"]
        words += [f"where={'/'.join(self.where)}"] if self.where else []
        words += [f"{name}={value}" for name, value in (("device", self.device), ("hops", self.hops)) if value]
        words += [f"at least {self.certainty}"] if any(self.ids) else []
        return f"{self.side}: {', '.join(words)}{' (no question asks for it)' if self.unasked else ''}"


class Run:
    """A program that has run to its end: its document, exit status and first line on standard error."""

    def __init__(self, side, captures, process, pcap):
        self.side, self.captures, self.pcap = side, captures, pcap
        try:
            out, err = process.communicate(timeout=RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Missing(f"{side}: no end within {RUN_S} s") from None
        self.status, self.said = process.returncode, err.decode(errors="replace").strip().splitlines()
        try:
            self.document = json.loads(out)
        except ValueError:
            raise Missing(f"{side}: exit status {self.status} without a document: {self.said[-1:]}") from None

    def first_line(self):
        """What people see of it first."""
        if self.said and not self.document["complete"]:
            return self.said[0]
        if self.document["format"] == "punch-report":
            return self.document["reason"] or punchlab.say(self.document)
        blocks = [f"{transport}: {block['summary']}" for transport in ("udp", "tcp", "icmp")
                  for block in self.document[transport].values() if block["status"] != "untested"]
        return self.said[0] if self.said else " | ".join(blocks)

    def findings(self):
        return [f["id"] for f in self.document["findings"]]

    def problems(self):
        """Ids of findings."""
        return [f["id"] for f in self.document["findings"] if f["severity"] == "problem"]


# --- documents ---

def judge(run, want):
    """What is wrong with the explanation of a run."""
    missing = [key for key in ("capture", "packets", "causes") if key not in run.document]
    if missing:
        return [f"no {key}" for key in missing]
    found = judge_state(run) + judge_first(run, want) + judge_rest(run, want) + judge_places(run.document)
    if not want.ids and not want.problems and run.problems():
        found.append(f"problems are found: {run.problems()}")
    if run.pcap and run.captures:
        found += judge_file(run)
    return found


def judge_state(run):
    capture, packets = run.document["capture"], run.document["packets"]
    if run.captures:
        found = [] if capture["state"] == "on" else [f"capture: {capture['state']}, not on"]
        return found if not capture["missed"] else found + [f"capture: {capture['missed']} packets missed"]
    found = [] if capture["state"] == "not-permitted" else [f"capture: {capture['state']}, not not-permitted"]
    if "setcap" not in (capture["hint"] or ""):
        found.append(f"capture: no word of setcap: {capture['hint']}")
    return found + ([f"{len(packets)} packets without a capture"] if packets else [])


def judge_first(run, want):
    causes = run.document["causes"]
    first = causes[0] if causes else None
    if not first:
        may_be_none = not want.ids or None in want.ids or not run.captures
        return [] if may_be_none else [f"no cause, not {' or '.join(want.ids)}"]
    if first["id"] in want.ids:
        return judge_details(first, want) if run.captures else []
    if not run.captures and first["id"] in want.sure:
        return []
    if not run.captures and first["id"] in want.without:
        return [f"{first['id']} is said to be certain"] if first["certainty"] == "certain" else []
    if first["id"] in want.also and (not want.ids or None in want.ids):
        return []
    return [f"{first['id']} ({first['certainty']}), not {' or '.join(map(str, want.ids)) or 'no cause'}: "
            f"{first['title']}"]


def judge_details(cause, want):
    found = []
    if CERTAINTIES.index(cause["certainty"]) < CERTAINTIES.index(want.certainty):
        found.append(f"{cause['id']}: {cause['certainty']}, not {want.certainty}")
    if want.where and cause["where"] not in want.where:
        found.append(f"{cause['id']}: at {cause['where']}, not {' or '.join(want.where)}")
    for key, right in (("device", want.device), ("hops", want.hops)):
        if right is not None and cause[key] != right:
            found.append(f"{cause['id']}: {key} is {cause[key]}, not {right}")
    if want.cites and not cause["packets"]:
        found.append(f"{cause['id']}: names no packet")
    return found


def judge_rest(run, want):
    """Behind the first one there may be less likely ones, but nothing that is false for certain."""
    allowed = {*want.ids, *want.also}
    return [f"{cause['id']} is said to be certain" for cause in run.document["causes"][1:]
            if cause["certainty"] == "certain" and cause["id"] not in allowed]


def judge_places(document):
    """What causes and packets point to has to be there."""
    numbers = {packet["n"] for packet in document["packets"]}
    count = len(document["evidence"])
    interfaces = {interface["n"] for interface in document["capture"]["interfaces"]}
    found = []
    for cause in document["causes"]:
        found += [f"{cause['id']}: no packet {n}" for n in cause["packets"] if n not in numbers]
        found += [f"{cause['id']}: no evidence {n}" for n in cause["evidence"] if not 0 <= n < count]
    for packet in document["packets"]:
        if packet["about"] is not None and packet["about"] not in numbers:
            found.append(f"packet {packet['n']}: about {packet['about']}, which is not there")
        if packet["evidence"] is not None and not 0 <= packet["evidence"] < count:
            found.append(f"packet {packet['n']}: no evidence {packet['evidence']}")
        if packet["interface"] is not None and packet["interface"] not in interfaces:
            found.append(f"packet {packet['n']}: no interface {packet['interface']}")
    return found


# --- files ---

def judge_file(run):
    """Each packet of the document is in the file, by its number, and means the same there."""
    try:
        with open(run.pcap, "rb") as file:
            packets = list(pcapng.read(file.read()))
    except (OSError, pcapng.Malformed) as error:
        return [f"--pcap: {error}"]
    found = []
    if len(packets) != run.document["capture"]["kept"]:
        found.append(f"--pcap: {len(packets)} packets, and {run.document['capture']['kept']} are said to be kept")
    for told in run.document["packets"]:
        if not 1 <= told["n"] <= len(packets):
            found.append(f"--pcap: no packet {told['n']}")
        else:
            found += differences(told, packets[told["n"] - 1])
    return found


def differences(told, packet):
    """A packet of the document, and that of the file."""
    have = {
        "protocol": pcapng.NAMES.get(packet.protocol, "other"), "size_bytes": len(packet.raw), "ttl": packet.ttl,
        "from": endpoint(packet.source), "to": endpoint(packet.destination), "type": packet.kind, "code": packet.code,
        "flags": sorted(packet.flags)}
    right = {**told, "flags": sorted(told["flags"] or ()), "from": plain(told["from"]), "to": plain(told["to"])}
    if told["type"] in (0, 8, 128, 129):  # echoes have no ports: their identifier stands for both
        for end in ("from", "to"):
            right[end], have[end] = right[end][:1], have[end][:1]
    found = [f"packet {told['n']}: {key} is {right[key]}, and {value} in the file" for key, value in have.items()
             if right[key] != value]
    if told["direction"] == "in" and not packet.inbound:
        found.append(f"packet {told['n']}: came in, and not so in the file")
    if told["meaning"] not in packet.lost:
        found.append(f"packet {told['n']}: \"{told['meaning']}\", and in the file \"{packet.lost}\"")
    return found


def endpoint(pair):
    return pair[0], pair[1] or 0


def plain(told):
    return told["address"].split("%")[0], told["port"]


# --- the text ---

def judge_text(lines, document, width):
    """--explain for people: a ladder that fits, and the first cause above it."""
    found = [f"--explain: a line of {len(line)}: {line}" for line in lines if len(line) > width][:1]
    causes = document["causes"]
    if causes and causes[0]["title"] not in " ".join(" ".join(lines).split()):
        found.append(f"--explain: does not say \"{causes[0]['title']}\"")
    return found


def start(command, captures, pcap, options):
    """Of a command on a host: the process."""
    return subprocess.Popen([*command, *options, *(["--pcap", pcap] if pcap else [])], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "80"})
