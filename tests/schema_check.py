#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Holds reports of the tools against their JSON Schema and against what a schema cannot say.

usage: schema_check.py [--lines | --negative] SCHEMA [FILE...]

Without FILE: standard input. --lines: JSON lines, of which the last must be the "end" event with the
report. --negative: the report must be valid, and must no longer be when any one key is taken away or
any one value gets another type. Exit status: 0 all is as it should be, 1 it is not (the reasons are
printed), 2 usage, 77 no jsonschema.
"""
import copy
import json
import re
import sys

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed", file=sys.stderr)
    sys.exit(77)


EVENTS = {"natprobe-report": ("sent", "received", "icmp", "settled", "note", "end"),
          "punch-report": ("code", "sent", "received", "refused", "stranger", "icmp", "opened", "reset", "step", "end"),
          "natlab-report": ("mapping", "session", "drop", "lost", "started", "output", "ended", "end")}
ENUMS = ("status", "mapping", "filtering", "port_preservation", "pattern", "pooling", "early_packet",
         "rfc3489_class", "p2p", "method", "severity", "question", "state", "transport", "outcome",
         "failure", "who", "peer_kind", "strategy", "result", "towards", "certainty", "where", "direction",
         "class", "content")


def refuse_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key twice in one object: {sorted(keys)}")
    return dict(pairs)


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def parse(text):
    return json.loads(text, object_pairs_hook=refuse_duplicates, parse_constant=refuse_constant)


def dangling(report):
    """Numbers that point to no evidence, and evidence that is not in its place."""
    if "evidence" not in report:
        return
    evidence = report["evidence"]
    for place, item in enumerate(evidence):
        if item["n"] != place:
            yield f"$.evidence[{place}].n: is {item['n']}"
    lists = [(f"$.findings[{i}].evidence", f["evidence"])
             for i, f in enumerate(report["findings"])]
    if "own_nat" in report:
        blocks = {"own_nat": report["own_nat"]}
    else:
        blocks = {f"{protocol}.{family}": report[protocol][family]
                  for protocol in ("udp", "tcp", "icmp") for family in ("ipv4", "ipv6")}
    for path, block in blocks.items():
        lists += [(f"$.{path}.basis.{key}", n) for key, n in block["basis"].items()]
    for path, numbers in lists:
        for number in numbers:
            if number >= len(evidence):
                yield f"{path}: there is no evidence {number}"


def uncaptured(report):
    """Numbers that point to no packet, evidence or interface, and packets out of order."""
    if "packets" not in report:
        return
    numbers = [packet["n"] for packet in report["packets"]]
    if numbers != sorted(set(numbers)):
        yield "$.packets: not in the order of their numbers"
    evidence, interfaces = len(report.get("evidence", [])), len(report["capture"]["interfaces"])
    for place, cause in enumerate(report["causes"]):
        for number in cause["packets"]:
            if number not in numbers:
                yield f"$.causes[{place}]: there is no packet {number}"
        for number in cause["evidence"]:
            if number >= evidence:
                yield f"$.causes[{place}]: there is no evidence {number}"
    for place, packet in enumerate(report["packets"]):
        if packet["evidence"] is not None and packet["evidence"] >= evidence:
            yield f"$.packets[{place}]: there is no evidence {packet['evidence']}"
        if packet["interface"] is not None and packet["interface"] >= interfaces:
            yield f"$.packets[{place}]: there is no interface {packet['interface']}"
        if packet["about"] is not None and packet["about"] == packet["n"]:
            yield f"$.packets[{place}]: is about itself"


def check_report(validator, report):
    bad = [f"{e.json_path}: {e.message}" for e in validator.iter_errors(report)]
    return bad or list(dangling(report)) + list(uncaptured(report))


def check_lines(validator, text):
    events = [parse(line) for line in text.splitlines()]
    bad = [f"line {n}: seq is {event.get('seq')}"
           for n, event in enumerate(events, 1) if event.get("seq") != n - 1]
    if not events or events[-1].get("event") != "end":
        return bad + ["the last line is not the end event"]
    known = EVENTS[events[-1]["report"]["format"]]
    bad += [f"line {n}: event is {event.get('event')}" for n, event in enumerate(events, 1)
            if event.get("event") not in known]
    return bad + check_report(validator, events[-1].get("report"))


def containers(value, path="$"):
    """Every object and array with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from containers(item, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, value
        for place, item in enumerate(value):
            yield from containers(item, f"{path}[{place}]")


def damaged(report):
    """The report with one thing wrong, and what that is; once for each shape of place."""
    done = set()
    for path, container in list(containers(report)):
        free = path.endswith(".reasons")  # its keys come and go
        for key in list(container if isinstance(container, dict) else range(len(container))):
            shape = (re.sub(r"[0-9]+", "n", path), key if isinstance(key, str) else 0)
            if shape in done:
                continue
            done.add(shape)
            kept = container[key]
            if isinstance(container, dict) and not free:
                order = list(container.items())
                del container[key]
                yield f"{path} without {key}", report
                container.clear()
                container.update(order)
            container[key] = "wrong" if isinstance(kept, list) else [{"wrong": True}]
            yield f"{path}: {key} of another type", report
            if isinstance(kept, str) and not free and key in ENUMS:
                container[key] = "no-such-word"
                yield f"{path}: {key} no known word", report
            container[key] = kept


def check_negative(validator, report):
    bad = check_report(validator, report)
    for what, wrong in damaged(copy.deepcopy(report)):
        if validator.is_valid(wrong):
            bad.append(f"still valid: {what}")
    return bad


def main(arguments):
    options = [a for a in arguments if a.startswith("--")]
    arguments = [a for a in arguments if not a.startswith("--")]
    checks = {"--lines": check_lines, "--negative": lambda v, t: check_negative(v, parse(t))}
    check = lambda v, t: check_report(v, parse(t))
    for option in options:
        if option not in checks:
            arguments = []
        check = checks.get(option)
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        schema = json.load(file)
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    status = 0
    for name in arguments[1:] or ["-"]:
        source = sys.stdin.buffer if name == "-" else open(name, "rb")
        with source:
            data = source.read()
        try:
            text = data.decode("utf-8")
            bad = check(validator, text)
        except (ValueError, RecursionError) as error:
            bad = [str(error)]
        for reason in bad:
            print(f"{name}: {reason}")
            status = 1
    return status


sys.exit(main(sys.argv[1:]))
