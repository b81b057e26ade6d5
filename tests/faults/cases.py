"""A run of leaderexec in which one thing fails, and what must hold whatever it was.

A run is on a lock of its own in a directory, with tests/tools/child as the command. As soon as that runs (or leaderexec
has ended) another leaderexec waits for the same lock. Knows nothing of which faults there are (run).
"""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))

import stores  # noqa: E402
from errors import number_of  # noqa: E402

TTL_S, POLL_S = 2.0, 0.1
CODE = 7  # the command's
SLACK_S = 4.0  # the machine is shared
HANG_S = 20
RELEASE_TOLERANCE_MS = 10  # the clock of a file's date ticks more slowly than that of the beats
LINES_MAX = 3
GRAVE = "two at once|tokens don't grow|past its lease|released|left running|killed by signal|were started"
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS)
OWN_CODES = {123: "lost (123)", 125: "error (125)", 126: "can't run (126)"}

# code: of a run in which nothing fails; options: of leaderexec; command: "CHILD" stands for tests/tools/child; signal:
# sent to inject once the command runs, and only then faults count; crashed: another one held the lock and was killed,
# and only from the first request on do faults count.
Scenario = collections.namedtuple("Scenario", "name what code options command signal crashed", defaults=[None, False])

LEAVER = ["sh", "-c", '"$0" -n first.left -i beats & exec "$0" "$@"', "CHILD"]  # what it starts ignores SIGTERM
# Nothing of it ends when asked, and there are two sessions, children, a grandchild and an orphan.
STUBBORN = ["env", "--ignore-signal=TERM", "setsid", "--wait", "CHILD", "-i", "-c", "1", "-s"]
SCENARIOS = {
    s.name: s
    for s in [
        Scenario("end", "the command ends by itself, after a renewal", CODE, [], ["CHILD", "-d", "900"]),
        Scenario("term", "SIGTERM; the command ends, and leaves something behind", CODE, [], LEAVER, signal.SIGTERM),
        Scenario("kill", "SIGTERM that nobody obeys", 137, ["--stop-timeout", "100ms"], STUBBORN, signal.SIGTERM),
        Scenario("guard", "the guard is killed", 125, [], STUBBORN, signal.SIGUSR1),
        Scenario("keeper", "the keeper is killed", 137, [], STUBBORN, signal.SIGUSR2),
        Scenario("wait", "a crashed one's lock", CODE, ["--poll", "500ms"], ["CHILD", "-d", "100"], None, True),
    ]
}

# error: a name, or None for a run in which nothing fails.
Fault = collections.namedtuple("Fault", "scenario process call nth error")
# outcome: in a few words; said: the lines on stderr; wrong: what mustn't be, empty where all is well.
Result = collections.namedtuple("Result", "fault outcome injected said wrong counts")


def describe(fault):
    if fault.error is None:
        return f"{fault.scenario}: nothing fails"
    return f"{fault.scenario}: {fault.process} {fault.call} #{fault.nth} {fault.error}"


def read_report(path):
    """inject's report: word to the list of what followed it, each as words."""
    found = collections.defaultdict(list)
    try:
        with open(path) as f:
            for line in f:
                word, *rest = line.split()
                found[word].append(rest)
    except FileNotFoundError:
        pass
    return found


class Case:
    """One run, in a folder of its own."""

    def __init__(self, fault, build, folder):
        self.fault, self.scenario, self.folder = fault, SCENARIOS[fault.scenario], folder
        self.binary = os.path.join(build, "cmd/leaderexec/leaderexec")
        self.child = os.path.join(build, "tests/tools/child")
        self.tools = os.path.join(build, "tests/faults")
        self.beats, self.report = self.path("beats"), self.path("report")
        self.log = stores.DirectoryLog(self.path("store"), "locks/", "leader")
        self.env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}

    def path(self, name):
        return os.path.join(self.folder, name)

    def leaderexec(self, node, options, command):
        lock = ["--bucket", "file:" + self.path("store"), "--ttl", f"{TTL_S}s", "--poll", f"{POLL_S}s"]
        before, after = command[: command.index("CHILD")], command[command.index("CHILD") + 1 :]
        whole = [*before, self.child, "-n", node, *after, "-x", str(CODE if node == "first" else 0), self.beats]
        return [self.binary, *lock, "--node-id", node, *options, "--", *whole]

    def start(self, argv, name):
        with open(self.path(name + ".err"), "wb") as err:
            return subprocess.Popen(
                argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, cwd=self.folder
            )

    def said(self, name):
        with open(self.path(name + ".err"), errors="replace") as f:
            return f.read().splitlines()

    def fault_word(self):
        f = self.fault
        mark = "+" if self.scenario.signal else "@" if self.scenario.crashed else ""
        return mark + (f"{f.process}.{f.call}.{f.nth}.{number_of(f.error)}" if f.error else "none")

    def begun(self, name):
        return any(line.what == "begin" and line.name == name for line in stores.lines(self.beats))

    def crash(self):
        """One that holds the lock is killed, and its lease runs on."""
        run = self.start(self.leaderexec("crashed", [], ["CHILD"]), "crashed")
        while run.poll() is None and not self.begun("crashed"):
            time.sleep(0.02)
        run.kill()
        run.wait()

    def play(self):
        """The run, and the one that waits. Returns the codes of inject and of that one; None: it had to be killed."""
        if self.scenario.crashed:
            self.crash()
        preload = os.path.join(self.tools, "preload_faults.so")
        inject = [os.path.join(self.tools, "inject"), self.report, preload, str(HANG_S), self.fault_word(), "--"]
        mine = self.leaderexec("first", self.scenario.options, self.scenario.command)
        first = self.start([*inject, *mine], "first")
        while first.poll() is None and not self.begun("first"):
            time.sleep(0.02)
        next_ = self.start(self.leaderexec("next", ["--wait", "30s"], ["CHILD", "-d", "30"]), "next")
        if self.scenario.signal and first.poll() is None:
            time.sleep(0.1)
            first.send_signal(self.scenario.signal)
        return [self.end_of(first), self.end_of(next_)]

    @staticmethod
    def end_of(process):
        try:
            return process.wait(2 * HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def run(self):
        os.makedirs(self.folder)
        inject_code, next_code = self.play()
        report = read_report(self.report)
        wrong = [] if inject_code == 0 else [f"inject ended with {inject_code}"]
        wrong += self.wrong_processes(report)
        code = int(report["exit"][0][0]) if report["exit"] else None
        wrong += self.wrong_end(code)
        wrong += self.wrong_log(report, next_code)
        injected = " ".join(report["injected"][0]) if report["injected"] else None
        counts = {(process, call): int(count) for process, call, count in report["count"]}
        result = Result(self.fault, self.outcome(code, injected), injected, self.said("first"), wrong, counts)
        if not wrong:
            shutil.rmtree(self.folder)
        return result

    def lines_said(self):
        """Without the one that a signal has in any case."""
        return [l for l in self.said("first") if not re.match(r"leaderexec: signal 15 .*: stopping the command$", l)]

    def outcome(self, code, injected):
        if self.fault.error and injected is None:
            return "didn't come to it"
        if code != self.scenario.code:
            return OWN_CODES.get(code, f"code {code}")
        return "as ever, and a line said" if self.lines_said() else "as ever"

    # What mustn't be.

    def wrong_processes(self, report):
        wrong = ["it hangs"] if report["hang"] else []
        wrong += [f"{who} was killed by signal {number}" for who, number in report["killed"] if int(number) in CRASHES]
        wrong += [f"left running: {name}" for [name] in report["left"]]
        return wrong + [f"doesn't end: {name}" for [name] in report["lingers"]]

    def wrong_end(self, code):
        said = self.lines_said()
        wrong = [f"isn't a line of leaderexec's: {line!r}" for line in said if not line.startswith("leaderexec: ")]
        if len(said) > LINES_MAX:
            wrong.append(f"{len(said)} lines on stderr")
        if code != self.scenario.code and code not in OWN_CODES:
            wrong.append(f"exit code {code}")
        if code != self.scenario.code and not said:
            wrong.append(f"exit code {code} without a line that says why")
        begins = [line for line in stores.lines(self.beats) if line.what == "begin" and line.name == "first"]
        if len(begins) > 1:
            wrong.append(f"{len(begins)} commands were started")
        if code == self.scenario.code and not begins:
            wrong.append("no command was started")
        return wrong

    def wrong_log(self, report, next_code):
        found = stores.slots(self.log)
        wrong = stores.broken_promises(self.beats, found)
        if next_code != 0:
            wrong.append(f"the next one's exit code is {next_code}: {self.said('next')}")
        mine = [line for line in stores.lines(self.beats) if line.name.startswith("first")]
        next_claims = [s.seq for s in found if s.record and s.record.get("node") == "next"]
        ahead = [s for s in found if not next_claims or s.seq < next_claims[0]]
        free = not ahead or ahead[-1].record is None
        if mine and not ahead:
            wrong.append("a command ran without a claim")
        elif mine and free:
            released_ms = os.stat(self.log.folder + "/" + ahead[-1].key).st_mtime_ns / 1e6
            if mine[-1].realtime_ms > released_ms + RELEASE_TOLERANCE_MS:
                wrong.append(f"released {mine[-1].realtime_ms - released_ms:.0f} ms before the command's end")
        next_begins = [l.boottime_ns for l in stores.lines(self.beats) if l.what == "begin" and l.name == "next"]
        if next_begins and report["exit"]:
            late_s = (next_begins[0] - int(report["exit"][0][1])) / 1e9 - (0 if free else TTL_S * 1.02)
            if late_s > POLL_S * 1.1 + SLACK_S:
                wrong.append(f"the next one began {late_s:.1f} s too late")
        return wrong
