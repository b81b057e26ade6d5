#!/usr/bin/python3
"""Adds up what ran, for scripts/test: JUnit files in, a table of stores and one closing line out.

    count.py LABEL=FILE...     the last line is "N passed, N failed", with ", N skipped" where any were. Exits 1 unless all passed.
                               LABEL=FILE,AGAIN: what failed in FILE and passed in AGAIN has passed, and is named
    count.py --failed FILE     pytest's names of the tests that failed and deserve a second try: not those that saw the promise broken

A test's store is what its property "store" or a word of its name says: "directory", "ceph", or none.
"""

import collections
import re
import sys
import xml.etree.ElementTree as ElementTree

# What a test says that saw two leaders, or something that outlived its lease.
PROMISE = r"broken_promises|promise is broken|two at once|tokens don.t grow|past (its|the) lease|outlive"


def outcome(case):
    tags = {child.tag for child in case}
    return "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"


def store(case, label):
    told = [p.get("value") for p in case.iter("property") if p.get("name") == "store"]
    words = told + re.split(r"[^a-z0-9]+", f"{label} {case.get('name', '')}".lower())
    return next((s for s in ("directory", "ceph") if s in words), "no store")


def read(path):
    return list(ElementTree.parse(path).iter("testcase"))


def identity(case):
    return f"{case.get('classname', '')}.py::{case.get('name', '')}"


def print_failed(path):
    for case in read(path):
        told = " ".join(f"{child.get('message', '')} {''.join(child.itertext())}" for child in case)
        if outcome(case) == "failed" and not re.search(PROMISE, told):
            print(identity(case))


def read_with_second_tries(path):
    first, _, second = path.partition(",")
    again = {identity(case): case for case in read(second)} if second else {}
    for case in read(first):
        if outcome(case) == "failed" and identity(case) in again:
            case = again[identity(case)]
            if outcome(case) == "passed":
                print(f"passed at the second try: {identity(case)}")
        yield case


def main():
    if sys.argv[1:2] == ["--failed"]:
        print_failed(sys.argv[2])
        return 0
    total, rows = collections.Counter(), collections.OrderedDict()
    for argument in sys.argv[1:]:
        label, _, path = argument.partition("=")
        try:
            cases = list(read_with_second_tries(path))
        except (OSError, ElementTree.ParseError) as error:
            print(f"{label}: no results: {error}")
            cases = []
        if not cases:
            total["failed"] += 1
        for case in cases:
            where = store(case, label)
            rows.setdefault((label.split()[0], where), collections.Counter())[outcome(case)] += 1
            total[outcome(case)] += 1
            if outcome(case) != "passed":
                print(f"{outcome(case)}: {label}: {case.get('classname', '')} {case.get('name', '')}")
    for (label, where), counts in rows.items():
        print(f"{label:12} {where:10} {counts['passed']:5} passed {counts['failed']:5} failed")
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 0 if total["passed"] and not total["failed"] and not total["skipped"] else 1


if __name__ == "__main__":
    sys.exit(main())
