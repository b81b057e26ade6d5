"""A copy of the sources under build-mutants/ that mutants are made in, its build, and the checks that should kill them.

Knows nothing of where mutants come from: `run` (one rule of the design broken at a time) and `mechanical` (every
condition and assignment, one at a time) do. A check returns None where it sees nothing wrong, else one line that says
what it saw.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ("meson.build", "lib", "cmd", "tests")
TARGETS = {
    "sim": "tests/sim/sim",
    "scenarios": "tests/scenarios/scenario-runner",
    "contract": "tests/contract/test-contract",
}
# No sanitizer, no hardening: thousands of runs are wanted. Mutants needn't be free of warnings.
OPTIONS = ["-Doptimization=1", "-Ddebug=false", "-Dwerror=false", "-Dwarning_level=0"]
HANGS_S = 60
ASLEEP_S = 60  # by the clock: who waits for what never comes takes no processor time
# A broken process may signal anybody, even everybody, and leave anything behind: in here there is nobody else, and
# nothing stays, not even where this script is killed.
CONTAINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--kill-child", "--mount-proc"]
CONTAINED += ["--user", "--map-root-user"] if os.geteuid() != 0 else []
PLACE = ":" if ROOT.is_relative_to("/tmp") else "mount -t tmpfs none /tmp"
CONTAINED += ["sh", "-c", PLACE + ' && "$@"; exit $?', "contained"]  # sh has number 1, which other signals spare


class Tree:
    """The copy and its build; one process at a time may have it."""

    def __init__(self, name):
        self.folder = ROOT / "build-mutants" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder.with_suffix(".lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.originals = {}
        self.copy()

    def copy(self):
        """Brings the copy up to date. What is the same stays untouched, so that ninja leaves it alone."""
        wanted = {}
        for top in COPIED:
            paths = [ROOT / top] if (ROOT / top).is_file() else sorted((ROOT / top).rglob("*"))
            for path in paths:
                if path.is_file() and "__pycache__" not in path.parts:
                    wanted[path.relative_to(ROOT)] = path
        for top in COPIED[1:]:
            for path in sorted((self.folder / top).rglob("*")):
                if path.is_file() and path.relative_to(self.folder) not in wanted:
                    path.unlink()
        for relative, path in wanted.items():
            content = path.read_bytes()
            self.write(relative, content)
            shutil.copymode(path, self.folder / relative)
            if path.suffix in (".c", ".h"):
                self.originals[str(relative)] = content

    def write(self, relative, content):
        path = self.folder / relative
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def restore(self, relative):
        self.write(relative, self.originals[relative])

    def set_up(self, targets, *packages):
        """The first build: installs what is missing, by the project's own script."""
        script = 'source "$1"; shift; need_packages "${build_packages[@]}" $1; root=$2; build build "$3" "${@:4}"'
        needed = " ".join(["libcmocka-dev", *packages])
        arguments = [ROOT / "scripts/setup", needed, self.folder, " ".join(targets), *OPTIONS]
        subprocess.run(["bash", "-euo", "pipefail", "-c", script, "mutants", *arguments], check=True)

    def build(self, targets):
        """Brings targets up to date; None, or the compiler's first complaint."""
        command = ["ninja", "-C", self.folder / "build", *targets]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return None
        return next((line for line in ended.stdout.splitlines() if " error: " in line), ended.stdout.strip()[-500:])

    def program(self, name):
        return self.folder / "build" / TARGETS.get(name, f"tests/unit/test-{name}")


def ends_well(command, mutant=0, hangs_s=HANGS_S, asleep_s=None):
    """Runs a check. Returns (None, output), or (exit code or "hangs", output). What it may take is processor time, not
    time by the clock: how busy the machine is says nothing of a mutant. But asleep_s, where given, is by the clock."""
    environment = dict(os.environ, MUTANT=str(mutant), CMOCKA_MESSAGE_OUTPUT="STDOUT")
    limited = ["prlimit", f"--cpu={hangs_s}", "--core=0", *command]
    with tempfile.TemporaryFile() as file:  # not a pipe, which what it leaves running would keep open
        said = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        try:
            # A session of its own: a broken process may signal its group, too.
            more = {"env": environment, "timeout": asleep_s, "start_new_session": True}
            code = subprocess.run(limited, **said, **more, check=False).returncode
        except subprocess.TimeoutExpired:
            code = "hangs"
        file.seek(0)
        output = file.read().decode(errors="replace")
    if code in (-signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGXCPU, 128 + signal.SIGKILL):  # sh says it so
        code = "hangs"
    return code or None, output


def assertion(output):
    found = re.search(r"^.*: ([^:]+: )?Assertion `(.*)' failed", output, re.MULTILINE)
    return f"assertion {found[2]}" if found else None


def scenarios(program, mutant=0, hangs_s=HANGS_S, first=None):
    """Runs the transcripts of the copy that program was built in, first by itself."""
    folder = program.parents[3] / "tests/scenarios"
    if first:
        code, output = ends_well([program, folder / f"{first}.txt"], mutant, hangs_s)
        if code:
            return first + (f" ({assertion(output)})" if assertion(output) else "")
    code, output = ends_well([program, *sorted(folder.glob("*.txt"))], mutant, hangs_s)
    if code is None:
        return None
    found = re.search(r"^\S*/([^/]+)\.txt:\d+: ", output, re.MULTILINE)
    return found[1] if found else assertion(output) or f"scenarios: {code}"


def unit(program, mutant=0, hangs_s=HANGS_S, asleep_s=ASLEEP_S):
    code, output = ends_well([*CONTAINED, program], mutant, hangs_s, asleep_s)
    if code is None:
        return None
    found = re.search(r"^\[  FAILED  \] (?!\d)(\S+)", output, re.MULTILINE)
    return f"{program.name}: {found[1] if found else assertion(output) or code}"


def sim(program, profile, runs, seed=1, mutant=0, hangs_s=HANGS_S):
    """Returns None, or what it said, with the seed where one failed. On stores that race it only counts the overlaps, and
    the rules are there to have none."""
    command = [program, "--profile", profile, "--seed", str(seed), "--runs", str(runs), "--hours", "2", "--quiet"]
    code, output = ends_well(command, mutant, hangs_s)
    overlaps = re.search(r"^overlaps (\d+)", output, re.MULTILINE)
    if code is None and profile == "races" and int(overlaps[1]) > 0:
        return f"{overlaps[1]} times two children at once in {runs} runs ({profile})"
    if code is None:
        return None
    found = re.search(r"^seed (\d+) \((\w+)\): (.*)$", output, re.MULTILINE)
    if not found:
        return f"sim: {assertion(output) or code} ({profile})"
    said = (assertion(output) or found[3]) if code == 3 else found[3]
    return f"{said} ({profile}, seed {found[1]})"
