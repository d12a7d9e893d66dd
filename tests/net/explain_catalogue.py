#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Staged failures, one cause each or two, and healthy runs, and what the explanations of our programs make of them.

usage: explain_catalogue.py --folder FOLDER [--stage-only] [--lanes N] [CASE...]
       explain_catalogue.py --list | --customers [CASE...]

Runs inside the laboratory of explain.test. Prints what was staged and seen, and what is wrong; exit status 0, 1
something was wrong, 77 natlab can't run here."""

import argparse
import sys

sys.dont_write_bytecode = True
import explain_case  # noqa: E402
import explain_healthy  # noqa: E402, F401
import explain_host  # noqa: E402, F401
import explain_path  # noqa: E402, F401
import explain_punch  # noqa: E402, F401
import explain_run  # noqa: E402
import explain_servers  # noqa: E402, F401
import punchlab  # noqa: E402
from explain_case import CASES, Case  # noqa: E402

LIMIT_S = 280


def show(names):
    for name in names:
        print(f"{name} ({CASES[name].kinds}): {CASES[name].title}")
        for want in CASES[name].wants:
            print(f"    {want}")


def run(options, names):
    nothing = explain_run.without_privilege()
    kernels = {name: explain_case.Kernel(options.folder, number)
               for number, name in enumerate(name for name in names if CASES[name].kinds == "kernel")}
    with punchlab.Folder("explain") as folder:
        topology = explain_case.topology([name for name in names if name not in kernels] or ["healthy-open"])
        with punchlab.Lab(folder.path, topology, seed=options.seed, limit_s=LIMIT_S) as lab:
            cases = [Case(kernels.get(name, lab), name, options.stage_only, nothing) for name in names]
            explain_case.run_all(cases, options.lanes)
        packets = explain_case.captured(lab.pcap)
        for case in cases:
            case.check_later(packets)
        folder.keep = tell(cases)
    return folder.keep


def tell(cases):
    for case in cases:
        print(f"{case.name}: {', '.join(case.notes)}")
        for text in case.told:
            print(f"    {text}")
        for text in case.defects:
            print(f"    WRONG: {text}")
    wrong = sum(bool(case.defects) for case in cases)
    print(f"{len(cases)} cases, {wrong} wrong")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder")
    parser.add_argument("--stage-only", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--customers", action="store_true")
    parser.add_argument("--lanes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"no case {unknown[0]}")
    if options.list:
        show(names)
    elif options.customers:
        print("".join(f"{namespace} {kind}\n" for namespace, kind in explain_case.customers(names)), end="")
    else:
        punchlab.main(lambda: run(options, names))


if __name__ == "__main__":
    main()
