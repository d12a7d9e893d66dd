#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""natprobe over TCP behind every NAT of a grid: 4 mappings x 4 filterings, all in one natlab, for each reaction to
SYNs that nobody has asked for.

usage: natlab_tcp.py [--loss PERCENT] [--rounds N] [--seed N] [--family 4|6] [REACTION...]

UDP has another mapping and filtering everywhere (natlab's "udp." prefix), which must not show. What is done to SYNs
changes from one to the next: nothing, a smaller MSS, options taken out, a path MTU that is smaller, other sequence numbers. The verdicts are held
against what the NAT was told to be; with loss, "unknown" is no error. Prints what differs; exit status 0, 1 something was
wrong, 77 natlab can't run here."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

BUILD = os.environ.get("LAB_BUILDDIR") or os.environ.get("abs_top_builddir") or "."
WORDS = ["endpoint-independent", "address-dependent", "port-dependent",
         "address-and-port-dependent"]
HAIRPINS = ["none", "external"]
# what the NAT is told, the word of the report, and after how many ms (from, to); simultaneous open
REACTIONS = {
    "drop": ("unsolicited=drop", "silent", None, True),
    "no-crossing": ("unsolicited=drop simultaneous-open=no", "silent", None, False),
    "rst": ("unsolicited=rst syn-silence=0", "reject", (10, 900), True),
    "icmp": ("unsolicited=icmp syn-silence=0", "reject", (10, 900), True),
    "late": ("unsolicited=icmp syn-silence=6s", "reject", (6000, 7500), True),
}
ALL_OPTIONS = ["timestamps", "sack", "window-scale"]
# what is done to SYNs: what the NAT is told, and how the report has it: clamped, options removed, hops (2 + 1 of links,
# the NAT, and the internet itself), sequence numbers rewritten
SYNS = [
    ("", False, [], 5, False),
    ("mss-clamp=1300 keep-ttl=yes rewrite-sequence=yes", True, [], 4, True),
    ("strip-options=timestamps+sack mtu=1400", False, ["timestamps", "sack"], 5, False),
    ("mss-clamp=1412 rewrite-sequence=yes strip-options=" + "+".join(ALL_OPTIONS), True, ALL_OPTIONS, 5,
     True),
]
SERVERS = {4: ["198.51.100.1", "203.0.113.1"], 6: ["2001:db8:100::1", "2001:db8:113::1"]}
SKIP = 77
NOT_CROSSED = "the SYNs did not cross often enough to tell"


def cells(family):
    """Over IPv6 all come from one /64, for which natprobed has only so many connections: two at a time."""
    pairs = [(m, f) for m in range(4) for f in range(4)] if family == 4 else [(0, 3), (3, 1)]
    return [(f"n{m}{f}", WORDS[m], WORDS[f], HAIRPINS[(m + f) % 2], SYNS[(m + f // 2) % 4])
            for m, f in pairs]


def topology(reaction, loss, family):
    link = "delay=10ms hops=2"
    if loss:
        link += f" loss={loss}% jitter=5ms duplicate=2%"
    lines = [f"link {link}"]
    for name, mapping, filtering, hairpin, syns in cells(family):
        other = [w for w in WORDS if w not in (mapping, filtering)]
        lines.append(f"nat {name} kind=symmetric tcp.mapping={mapping} tcp.filtering={filtering} "
                     f"tcp.hairpin={hairpin} udp.mapping={other[0]} udp.filtering={other[1]} "
                     f"{REACTIONS[reaction][0]} {syns[0]}")
    lines.append("link delay=0 hops=0 loss=0 jitter=0 duplicate=0")
    lines += [f"host {name} behind={name}" for name, *_ in cells(family)]
    lines += ["link delay=5ms hops=1", "host server"]
    return "\n".join(lines) + "\n"


def run(folder, reaction, options):
    with open(f"{folder}/tcp.lab", "w", encoding="ascii") as out:
        out.write(topology(reaction, options.loss, options.family))
    servers = SERVERS[options.family]
    command = [f"{BUILD}/natlab", f"{folder}/tcp.lab", f"-{options.family}", "-w", "60s", "--seed",
               str(options.seed), "--daemon", "server",
               shlex.join([f"{BUILD}/natprobed", "-q", *servers])]
    for name, *_ in cells(options.family):
        probe = shlex.join([f"{BUILD}/natprobe", "-j", "-t", "tcp,tcp-hairpin", "-o",
                            f"{folder}/{name}.json",
                            servers[0] if options.family == 4 else f"[{servers[0]}]"])
        command += ["--host", f"{name}@0-1500ms", f"{probe} 2>/dev/null"]
    with open(f"{folder}/natlab.log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90,
                              check=False).returncode


def hairpin_expected(mapping, filtering, hairpin, crossing):
    """A filter has to be opened from both sides: by SYNs that meet, at the ports that they are for."""
    seen = hairpin == "external"
    if filtering == WORDS[0] or (mapping == WORDS[0] and crossing):
        return [seen]
    return [None] if mapping == WORDS[0] or not seen else [seen, None]


def crossing_expected(mapping, filtering, crossing):
    """Where all SYNs get in, one that should have been dropped may be through before this host's own, on a machine
    that is busy."""
    if mapping != WORDS[0]:
        return [None]
    return [crossing] if filtering != WORDS[0] or crossing else [False, True, None]


def rejecter_expected(reaction, filtering, syns):
    """WHO and how many hops before the host; a NAT that keeps the TTL counts no hop. Its ICMP errors have the address
    that was called, and no TTL."""
    if filtering == WORDS[0] or REACTIONS[reaction][1] != "reject":
        return None, None
    if reaction != "rst":
        return "unknown", None
    return ("host", 0) if "keep-ttl=yes" in syns else ("nat", 1)


def differences(block, reaction, cell, loss):
    _, mapping, filtering, hairpin, (syns, clamped, removed, hops, renumbered) = cell
    _, early, after, crossing = REACTIONS[reaction]
    if loss and after:  # an answer that is lost comes with the next SYN
        after = (after[0], 7500)
    wanted = {"nat": [True], "mapping": [mapping], "filtering": [filtering],
              "early_packet": ["delivered" if filtering == WORDS[0] else early],
              "simultaneous_open": crossing_expected(mapping, filtering, crossing),
              "hairpin": hairpin_expected(mapping, filtering, hairpin, crossing),
              "port_preservation": ["never"],
              "mss_clamping": [clamped], "options_removed": [removed], "hops": [hops],
              "sequence_rewriting": [renumbered]}
    found = [(key, block[key], words) for key, words in wanted.items() if block[key] not in words]
    rejecter = block["early_packet_from"] or {"who": None, "hops_before": None}
    for key, word in zip(("who", "hops_before"), rejecter_expected(reaction, filtering, syns)):
        if rejecter[key] != word:
            found.append((f"early_packet_from.{key}", rejecter[key], [word]))
    took = block["early_packet_ms"]
    if took is not None and (not after or not after[0] <= took <= after[1]):
        found.append(("early_packet_ms", took, [after]))
    return found


def is_excused(difference, block):
    """SYNs that did not cross: that hangs on when a busy machine lets two programs run."""
    key, have, _ = difference
    return key == "simultaneous_open" and have is None and block["reasons"].get(key) == NOT_CROSSED


def check(folder, reaction, options, counts):
    for cell in cells(options.family):
        path = f"{folder}/{cell[0]}.json"
        counts["runs"] += 1
        try:
            with open(path, encoding="utf-8") as file:
                block = json.load(file)["tcp"][f"ipv{options.family}"]
            os.unlink(path)
        except (OSError, ValueError) as error:
            print(f"{reaction} {cell[0]}: no report: {error}")
            counts["wrong"] += 1
            continue
        found = differences(block, reaction, cell, options.loss)
        unknown = [d for d in found if d[1] in ("unknown", None)]
        wrong = [d for d in found if not is_excused(d, block) and (not options.loss or d not in unknown)]
        counts["excused"] += not options.loss and any(is_excused(d, block) for d in found)
        counts["unknown"] += bool(unknown)
        counts["wrong"] += bool(wrong)
        for key, have, words in wrong:
            print(f"{reaction} {cell}: {key} is {have}, not {' or '.join(map(str, words))}; "
                  f"{block['reasons']}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("reactions", nargs="*", default=list(REACTIONS))
    options = parser.parse_args()
    counts = {"runs": 0, "wrong": 0, "unknown": 0, "excused": 0}
    with tempfile.TemporaryDirectory(prefix="natlab-tcp.") as folder:
        for _ in range(options.rounds):
            for reaction in options.reactions:
                status = run(folder, reaction, options)
                if status not in (0, 5):
                    with open(f"{folder}/natlab.log", encoding="utf-8") as log:
                        print(f"{reaction}: natlab's exit status is {status}: {log.read().strip()}")
                    return SKIP if status == 3 and not counts["runs"] else 1
                check(folder, reaction, options, counts)
                options.seed += 1
    print(f"{counts['runs']} runs over IPv{options.family}, {options.loss} % loss: {counts['wrong']} wrong, "
          f"{counts['unknown']} with something unknown, {counts['excused']} of them since SYNs did not cross")
    return 1 if counts["wrong"] or counts["excused"] > max(1, counts["runs"] / 20) else 0


sys.exit(main())
