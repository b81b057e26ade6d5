#!/usr/bin/python3
"""Adds up what ran, for scripts/test: JUnit files in, a table of stores and one closing line out.

    count.py LABEL=FILE...     the last line is "N passed, N failed", with ", N skipped" where any were. Exits 1 unless all passed.

A test's store is what its property "store" or a word of its name says: "directory", "ceph", or none.
"""
import collections
import re
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    tags = {child.tag for child in case}
    return "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"


def store(case, label):
    told = [p.get("value") for p in case.iter("property") if p.get("name") == "store"]
    words = told + re.split(r"[^a-z0-9]+", f"{label} {case.get('name', '')}".lower())
    return next((s for s in ("directory", "ceph") if s in words), "no store")


def main():
    total, rows = collections.Counter(), collections.OrderedDict()
    for argument in sys.argv[1:]:
        label, _, path = argument.partition("=")
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
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
