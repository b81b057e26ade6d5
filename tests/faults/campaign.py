"""Which faults there are, and how they all ended; called by run, which see for the options."""

import argparse
import collections
import concurrent.futures
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import xml.sax.saxutils

import cases
import errors

BASELINES = 3  # how often a call is made depends on timing: as often as in each of so many runs
TRY_AGAIN_MOST = 8  # what went wrong is tried once more by itself: the machine may have stood still
ALL_UP_TO = 100  # occurrences of a call in a process of a run; of more, these are enough:
FIRST = 20  # and the last one
MISSED_MOST = 0.15  # of the faults may be ones that no run came to: timing changes how often calls are made


def options():
    parser = argparse.ArgumentParser(prog="tests/faults/run", add_help=False)
    parser.add_argument("--build", required=True)
    parser.add_argument("--junit")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--keep")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--turn", type=int, default=0)
    return parser.parse_args()


def chosen(count):
    """Which occurrences of so many."""
    return range(1, count + 1) if count <= ALL_UP_TO else [*range(1, FIRST + 1), count]


def faults_of(scenario, counts, turn):
    """Every fault of a scenario, given how often which process made which call. Prints what is left out."""
    for (process, call), count in sorted(counts.items()):
        if call in errors.INFALLIBLE:
            continue
        if call not in errors.ERRORS:
            print(f"{scenario}: {process} {call}: errors.py knows no errors of it; {errors.OTHERS}")
        if count > ALL_UP_TO:
            print(f"{scenario}: {process} {call}: the first {FIRST} and the last of {count}")
        for nth in chosen(count):
            for error in errors.errors_of(call, nth, turn):
                yield cases.Fault(scenario, process, call, nth, error)


def pinned():
    """The faults that have found something once, and how they are to end; as describe() has them."""
    with open(os.path.join(cases.HERE, "pinned.txt")) as f:
        lines = [line.strip() for line in f]
    for line in lines:
        if not line or line.startswith("#"):
            continue
        what, _, outcome = line.partition(" = ")
        scenario, _, rest = what.partition(": ")
        process, call, nth, error = rest.replace("#", " ").split()
        yield cases.Fault(scenario, process, call, int(nth), error), outcome


class Campaign:
    def __init__(self, o):
        self.o, self.results, self.expected = o, [], {}
        base = "/dev/shm" if shutil.disk_usage("/dev/shm").free > 200e6 else tempfile.gettempdir()
        self.folder = o.keep or tempfile.mkdtemp(prefix="faults.", dir=base)
        self.number = 0

    def play(self, faults):
        """Runs these; returns their results as they come."""
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            runs = []
            for fault in faults:
                self.number += 1
                case = cases.Case(fault, self.o.build, os.path.join(self.folder, str(self.number)))
                runs.append(pool.submit(case.run))
            try:
                for run in concurrent.futures.as_completed(runs):
                    yield run.result()
            finally:
                pool.shutdown(cancel_futures=True)  # interrupted: those under way end by themselves

    def judge(self, result):
        """Prints what there is to say at once."""
        expected = self.expected.get(result.fault, result.outcome)
        if result.outcome != expected:
            result.wrong.append(f"ended otherwise than {expected!r}")
        if self.o.list:
            print(f"{cases.describe(result.fault)}: {result.outcome} {result.said} {result.injected}")
        if result.wrong:
            print(f"WRONG {cases.describe(result.fault)}: {'; '.join(result.wrong)} [{result.outcome}] {result.said}")
            sys.stdout.flush()
        return result

    def baseline(self):
        """What each scenario does when nothing fails: scenario to counts."""
        plain = [cases.Fault(name, None, None, None, None) for name in cases.SCENARIOS]
        found = [self.judge(result) for result in self.play(plain * BASELINES)]
        self.results += found
        good = [r for r in found if not r.wrong and r.outcome.startswith("as ever")]
        if {r.fault.scenario for r in good} != set(cases.SCENARIOS):
            sys.exit(f"without any fault: {[(cases.describe(r.fault), r.outcome, r.wrong) for r in found]}")
        least = {}
        for r in good:
            counts = least.setdefault(r.fault.scenario, r.counts)
            least[r.fault.scenario] = {what: min(counts[what], r.counts[what]) for what in counts if what in r.counts}
        return least

    def run(self):
        counts = self.baseline()
        every = [f for name in cases.SCENARIOS for f in faults_of(name, counts[name], self.o.turn)]
        self.expected = {} if self.o.only else dict(pinned())
        faults = [f for f in every if cases.describe(f).startswith(self.o.only)]
        if self.o.sample is not None:
            faults = random.Random(self.o.seed).sample(faults, min(self.o.sample, len(faults)))
            print(f"{len(faults)} of {len(every)} faults, seed {self.o.seed}, and {len(self.expected)} of the past")
        faults = list(dict.fromkeys([*self.expected, *faults]))
        self.results += [self.judge(result) for result in self.play(faults)]
        self.try_again()

    def try_again(self):
        """Once more, one at a time, unless the promise was broken or there are many of them."""
        again = [r for r in self.results if r.wrong and not any(re.search(cases.GRAVE, why) for why in r.wrong)]
        self.o.jobs = 1
        for first in again if len(again) <= TRY_AGAIN_MOST else []:
            print(f"once more, by itself: {cases.describe(first.fault)}")
            self.results.remove(first)
            self.results += [self.judge(result) for result in self.play([first.fault])]


def group_of(fault):
    """Workers are told apart in the choice of faults, and not in what is printed."""
    return fault.scenario, (fault.process or "").rstrip("0123456789"), fault.call or ""


def table(results):
    groups = collections.OrderedDict()
    for r in sorted(results, key=lambda r: group_of(r.fault)):
        if r.fault.error:
            groups.setdefault(group_of(r.fault), []).append(r)
    for (scenario, process, call), found in groups.items():
        outcomes = collections.Counter(r.outcome for r in found)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{scenario:7} {process:8} {call:18} {len(found):4} faults: {told}")


def summary(results, seconds):
    faults = [r for r in results if r.fault.error]
    print(f"\n{len(faults)} faults in {seconds:.0f} s:")
    for outcome, count in collections.Counter(r.outcome for r in faults).most_common():
        print(f"{count:6} {outcome}")
    for process in ("keeper", "guard", "command", "worker"):
        mine = [r for r in faults if r.fault.process.startswith(process)]
        allocations = sum(r.fault.call == "malloc" for r in mine)
        print(f"{process}: {len(mine) - allocations} system calls, {allocations} allocations")
    print(f"{sum(bool(r.wrong) for r in results)} went wrong")


def lines_said(results, folder):
    """What was said, to be judged by a reader: each line once."""
    lines, examples = collections.Counter(), {}
    for r in results:
        for line in r.said if r.fault.error and not r.outcome == "as ever" else []:
            line = re.sub("slot [0-9]+", "slot N", re.sub(re.escape(folder) + "/[0-9]+", "...", line))
            key = f"{r.outcome}: {line}"
            lines[key] += 1
            examples.setdefault(key, cases.describe(r.fault))
    print("\nwhat was said, how often, and the first fault that led to it:")
    for line, count in sorted(lines.items()):
        print(f"{count:5} {line} [{examples[line]}]")


def junit(path, results):
    groups = collections.OrderedDict()
    for r in results:
        groups.setdefault(group_of(r.fault), []).append(r)
    with open(path, "w") as f:
        f.write('<testsuite name="faults">\n')
        for (scenario, process, call), found in groups.items():
            name = f"directory {scenario} {process} {call}".strip() if process else f"directory {scenario}"
            wrong = [f"{cases.describe(r.fault)}: {'; '.join(r.wrong)}" for r in found if r.wrong]
            failure = f"<failure>{xml.sax.saxutils.escape(chr(10).join(wrong))}</failure>" if wrong else ""
            f.write(f'<testcase classname="faults" name="{name}">{failure}</testcase>\n')
        f.write("</testsuite>\n")


def main():
    o = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    campaign, begun = Campaign(o), time.monotonic()
    try:
        campaign.run()
    finally:
        if not any(r.wrong for r in campaign.results) and not o.keep:
            shutil.rmtree(campaign.folder, ignore_errors=True)
    table(campaign.results)
    lines_said(campaign.results, campaign.folder)
    summary(campaign.results, time.monotonic() - begun)
    if o.junit:
        junit(o.junit, campaign.results)
    missed = sum(r.outcome == "didn't come to it" for r in campaign.results)
    if missed > MISSED_MOST * len(campaign.results):
        print(f"no run came to {missed} of the faults: too many to have tested anything")
        return 1
    if any(r.wrong for r in campaign.results):
        print(f"what is left of these runs is in {campaign.folder}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
