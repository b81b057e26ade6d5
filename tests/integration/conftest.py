"""Fixtures of the integration tests.

store        a fresh lock, in a directory and on Ceph in turn; tests that take it run on both
build        the leaderexec under test: every build in LEADEREXEC_TEST_BUILDS ("plain=DIR asan=DIR") in turn; in a module
             with ONE_BUILD, the last one. In a module with ISOLATED_TOO also "isolated": the first build on a directory,
             with --isolate; but not the tests marked outside_only
leaderexec   starts leaderexec on store: run = leaderexec("--ttl", "4s", "--", "sleep", "1")
child        the command line of tests/tools/child: leaderexec(..., "--", *child("-d", "100")); child.terms(), child.lines()
bucket_of    for tests on Ceph alone: a fresh bucket

Whatever a test leaves running is killed, and the test fails.
"""

import os
import random
import shutil
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOLS = os.path.join(ROOT, "tests", "tools")
sys.path[:0] = [HERE, TOOLS]

import ceph as ceph_tool  # noqa: E402
import processes  # noqa: E402
import stores  # noqa: E402
from control import Tool  # noqa: E402

pytest_plugins = ["givers"]

STORES = ("directory", "ceph")
ASAN_OPTIONS = (
    "abort_on_error=0:exitcode=99:detect_leaks=1:verify_asan_link_order=0:detect_stack_use_after_return=1:"
    "disable_coredump=0"
)
UBSAN_OPTIONS = "halt_on_error=1:exitcode=99:print_stacktrace=1"
SANITIZER_SAYS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")


def builds():
    """The builds to test, name to folder."""
    text = os.environ.get("LEADEREXEC_TEST_BUILDS") or f"plain={ROOT}/build-test"
    return dict(word.split("=", 1) for word in text.split())


class IsolatedBuild(str):
    """The folder of a build that is to be tested with --isolate."""


def is_isolated(build):
    return isinstance(build, IsolatedBuild)


def pytest_configure(config):
    """Once for all workers: a Ceph, unless there is one already (scripts/test starts it) or -k keeps away from it."""
    default_signals()
    if hasattr(config, "workerinput") or "LEADEREXEC_TEST_CEPH_ENDPOINT" in os.environ or config.option.collectonly:
        return
    if config.option.keyword == "directory":
        return
    config.own_ceph = ceph_tool.Ceph(f"/tmp/leaderexec-ceph-{os.getpid()}")
    os.environ.update(config.own_ceph.environment())


def default_signals():
    """What a job in the background was started with (SIGINT ignored, say) is no business of the programs under test."""
    for number in (
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGTERM,
        signal.SIGCHLD,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def is_left_out(item):
    """What isn't tested with --isolate."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if parameters.get("build_name") != "isolated":
        return False
    return parameters.get("store_kind") == "ceph" or item.get_closest_marker("outside_only") is not None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Spreads what takes longest over the first half of the list: xdist deals out runs of it; nothing long begins last."""
    slow = (
        "cron",
        "days_slots",
        "looks_less",
        "hands_over",
        "stopped_for_longer",
        "close_to_winning",
        "busy_children",
        "rampant",
        "credential_process_that_hangs",
        "hanging_credential_process",
        "fetched_again_and",
        "serve_until_they_expire",
        "sts_that_is_away",
    )
    items[:] = [item for item in items if not is_left_out(item)]
    long_ones = [item for item in items if any(word in item.name for word in slow)]
    others = [item for item in items if not any(word in item.name for word in slow)]
    every = max(1, len(others) // (2 * len(long_ones) + 1)) if long_ones else 1
    items.clear()
    for index, item in enumerate(others):
        if index % every == 0 and long_ones:
            items.append(long_ones.pop(0))
        items.append(item)
    items.extend(long_ones)


def pytest_unconfigure(config):
    if hasattr(config, "own_ceph"):
        config.own_ceph.stop()


def pytest_generate_tests(metafunc):
    if "build_name" in metafunc.fixturenames:
        # The sanitized one is enough where nothing depends on time: what the other does is seen in all other tests.
        names = list(builds())[-1:] if getattr(metafunc.module, "ONE_BUILD", False) else list(builds())
        if getattr(metafunc.module, "ISOLATED_TOO", False):
            names.append("isolated")
        metafunc.parametrize("build_name", names, scope="session")
    if "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", STORES)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures see whether the test itself passed, and shows what was going on where it didn't."""
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + call.when, report)
    if report.failed and call.when == "call":
        report.sections.extend(circumstances(item.funcargs))


def circumstances(fixtures):
    """What the programs of a test have said, and what its lock's log holds."""
    found = [("load", "%.1f %.1f %.1f" % os.getloadavg())]
    if "tmp_path" in fixtures:
        for path in sorted(fixtures["tmp_path"].glob("*.err")):
            found.append((path.name, path.read_text(errors="replace")[-2000:]))
    store = fixtures.get("store") or fixtures.get("ceph_store")
    try:
        slots = store.slots()[-12:] if store else []
    except Exception as error:  # the store may be what is wrong
        found.append(("log", repr(error)))
    else:
        found.append(("log", "\n".join(f"{s.seq} {(s.record or s.body)!r}"[:400] for s in slots)))
    return [(title, text) for title, text in found if text]


@pytest.fixture(autouse=True)
def store_in_results(request, record_property):
    """Tells scripts/test's count which tests ran on Ceph, beyond those that have it in their name."""
    if {"ceph_store", "bucket_of", "own_gateway", "gateways"} & set(request.fixturenames):
        record_property("store", "ceph")


@pytest.fixture(scope="session")
def build(build_name):
    if build_name == "isolated":
        return IsolatedBuild(next(iter(builds().values())))
    return builds()[build_name]


@pytest.fixture(scope="session")
def owner():
    """boto3's client for the user that owns the buckets on Ceph."""
    return stores.s3_client(os.environ["LEADEREXEC_TEST_CEPH_ENDPOINT"], *ceph_tool.USERS["owner"])


@pytest.fixture(scope="session")
def shared_bucket(owner):
    return make_bucket(owner)


def make_bucket(client):
    name = f"test-{random.SystemRandom().getrandbits(48):012x}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def bucket_of(owner):
    """bucket_of(): a fresh bucket on Ceph, for tests that change how it behaves."""
    return lambda: make_bucket(owner)


@pytest.fixture
def tidy(request, tmp_path):
    """The last to end: kills what is left, and fails the test for it where it had passed. What leaves something on purpose
    (it killed a keeper by id, and its store's helper is still sleeping) clears it with processes.sweep() itself."""
    processes.become_subreaper()
    before = set(processes.descendants(os.getpid()))
    kept = []
    yield kept
    found = processes.sweep(before)
    passed = getattr(request.node, "report_call", None) is not None and request.node.report_call.passed
    for run in kept:
        run.process.poll()
    if passed and found:
        pytest.fail(f"still running after the test: {found}")
    if passed:
        shutil.rmtree(tmp_path, ignore_errors=True)


class Store:
    """One lock. environment: what leaderexec needs to find it. log: the same lock behind leaderexec's back."""

    def __init__(self, kind, directory, bucket=None, prefix=None, endpoint=None, user="owner"):
        self.kind, self.directory = kind, str(directory)
        if kind == "directory":
            self.folder = os.path.join(self.directory, "locks-here")
            self.environment = {"LEADEREXEC_BUCKET": f"file:{self.folder}"}
        else:
            key, secret = ceph_tool.USERS[user]
            self.endpoint = endpoint or os.environ["LEADEREXEC_TEST_CEPH_ENDPOINT"]
            self.environment = {
                "LEADEREXEC_BUCKET": bucket,
                "LEADEREXEC_PREFIX": prefix or f"t{random.SystemRandom().getrandbits(48):012x}/",
                "AWS_ACCESS_KEY_ID": key,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": self.endpoint,
            }
        self.log = stores.log_of_environment(self.environment)

    def through(self, endpoint):
        """The same lock by way of another endpoint, a proxy's."""
        self.environment["TEST_STORE_ENDPOINT"] = self.endpoint
        self.environment["AWS_ENDPOINT_URL"] = endpoint
        return self

    def slots(self):
        return stores.slots(self.log)

    def head(self):
        found = self.slots()
        return found[-1] if found else None

    def holder_token(self):
        head = self.head()
        return head.record["token"] if head and head.record else None


@pytest.fixture
def store(store_kind, tmp_path, tidy, request):
    bucket = request.getfixturevalue("shared_bucket") if store_kind == "ceph" else None
    return Store(store_kind, tmp_path, bucket=bucket)


@pytest.fixture
def ceph_store(tmp_path, tidy, shared_bucket):
    """For tests that need HTTP: the store, on Ceph only."""
    return Store("ceph", tmp_path, bucket=shared_bucket)


@pytest.fixture
def tools(tmp_path, tidy):
    """Starts proxies and bad stores: tools("proxy.py", target), tools("badstore.py")."""
    started = []

    def start(script, *arguments):
        started.append(Tool(script, str(tmp_path), f"{script}.{len(started)}", *arguments))
        return started[-1]

    yield start
    for tool in started:
        tool.stop()


class Gateways(ceph_tool.Ceph):
    """More radosgw over the session's Ceph."""

    def __init__(self, directory):
        super().__init__(directory, conf=os.environ["LEADEREXEC_TEST_CEPH_CONF"])


@pytest.fixture
def gateways(tmp_path, tidy):
    """More radosgw over the common Ceph, of the test's own: gateways.gateway(pem=...)."""
    with Gateways(tmp_path / "gateway") as gateways:
        yield gateways


@pytest.fixture
def own_gateway(gateways):
    """A radosgw of the test's own over the common Ceph: it can be stopped without disturbing others."""
    return gateways.gateway()


def base_environment(build):
    """What every run gets: a plain environment, sanitizers that speak up, no AWS files of the machine's."""
    env = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    env.update(
        HOME="/nonexistent",
        AWS_EC2_METADATA_DISABLED="true",
        ASAN_OPTIONS=ASAN_OPTIONS,
        UBSAN_OPTIONS=UBSAN_OPTIONS,
        LEADEREXEC=os.path.join(build, "cmd/leaderexec/leaderexec"),
        TOOLS=os.path.join(build, "tests/tools"),
    )
    if is_isolated(build):
        env["LEADEREXEC_ISOLATE"] = "1"
    return env


class Launcher:
    """Starts leaderexec. Its runs end with the test."""

    def __init__(self, build, directory, kept):
        self.binary = os.path.join(build, "cmd/leaderexec/leaderexec")
        self.base, self.directory, self.runs = base_environment(build), str(directory), kept

    def __call__(self, *arguments, store=None, env=None, before=(), binary=None, **more):
        """Runs [before...] leaderexec (binary: a copy of it) arguments; store None: whatever env says. Returns a
        processes.Run."""
        whole = {**self.base, **(store.environment if store else {}), **(env or {})}
        whole = {name: value for name, value in whole.items() if value is not None}
        run = processes.Run(
            [*before, binary or self.binary, *map(str, arguments)], self.directory, f"run{len(self.runs)}", whole, **more
        )
        self.runs.append(run)
        return run

    def kill(self):
        for run in self.runs:
            if run.poll() is None:
                run.signal(signal.SIGTERM)
                run.signal(signal.SIGCONT)
        for run in self.runs:
            try:
                run.wait(10)
            except processes.Timeout:
                run.signal(signal.SIGKILL)
                run.process.wait()


@pytest.fixture
def launch(build, tmp_path, tidy):
    """launch(*arguments, store=..., env=...): leaderexec with a store named by hand."""
    launcher = Launcher(build, tmp_path, tidy)
    yield launcher
    launcher.kill()
    for run in tidy:
        assert not any(word in run.err() for word in SANITIZER_SAYS), run.err()


@pytest.fixture
def leaderexec(launch, store):
    """leaderexec(*arguments): on the store of the test."""

    def start(*arguments, **more):
        return launch(*arguments, store=store, **more)

    start.binary = launch.binary
    return start


class Child:
    """tests/tools/child as a command, and what it wrote."""

    def __init__(self, build, directory):
        self.binary, self.path = os.path.join(build, "tests/tools/child"), os.path.join(str(directory), "beats")

    def __call__(self, *options):
        return [self.binary, *map(str, options), self.path]

    def lines(self, what=None):
        return [line for line in stores.lines(self.path) if what in (None, line.what)]

    def terms(self):
        return stores.terms(self.path)

    def wait_for_terms(self, count, timeout_s=processes.PATIENCE_S):
        """Waits until so many leaders have begun; returns the newest term."""
        processes.wait_until(lambda: len(self.terms()) >= count, f"leader {count} to begin", timeout_s)
        return self.terms()[count - 1]

    def assert_promise(self, store):
        """No two leaders at once, tokens grow, nothing beats past its lease."""
        assert stores.broken_promises(self.path, store.slots()) == []


@pytest.fixture
def child(build, tmp_path):
    return Child(build, tmp_path)
