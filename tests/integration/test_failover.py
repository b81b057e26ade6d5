"""The failover examples, failover-*.sh, on both stores. Each prints what happens when; a failing one shows it all."""

import os

import pytest
from conftest import HERE, base_environment
from processes import Run

# The machine is shared by all the tests that run at once.
SLACK_MS = {"plain": "1500", "asan": "2500"}
TTL_MS = {"plain": "5000", "asan": "6000"}


def runner(build, build_name, store, tmp_path, tidy):
    """Returns what runs failover-NAME.sh to its end, which must be a good one."""

    def run(name, *arguments, **env):
        whole = {
            **base_environment(build),
            **store.environment,
            "SLACK_MS": SLACK_MS.get(build_name, "1500"),
            "TTL_MS": TTL_MS.get(build_name, "5000"),
            "TMPDIR": str(tmp_path),
            "TEST_STORE_ENDPOINT": store.environment.get("AWS_ENDPOINT_URL", ""),
            **env,
        }
        script = Run(["bash", os.path.join(HERE, f"failover-{name}.sh"), *arguments], str(tmp_path), "example", whole)
        tidy.append(script)
        code = script.wait(120)
        assert code == 0, f"exit code {code}\n{script.out()}\n{script.err()}"
        for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
            assert word not in script.err()

    return run


def way_to_break(store, name, request):
    """What an example needs to break the way to the store; a directory has only one way to break."""
    if store.kind == "directory":
        return {"FAULT": "hang"}
    if name == "stop":
        gateway = request.getfixturevalue("own_gateway")
        return {"FAULT": "stop", "GATEWAY_PID": str(gateway.pid), "GATEWAY_ENDPOINT": gateway.endpoint}
    proxy = request.getfixturevalue("tools")("proxy.py", store.endpoint)
    return {"FAULT": name, "PROXY_CONTROL": proxy.path, "PROXY_ENDPOINT": proxy.endpoint}


@pytest.fixture
def fault(store, request):
    return lambda name: way_to_break(store, name, request)


@pytest.fixture
def example(build, build_name, store, tmp_path, tidy):
    """example(name, *arguments, **env) on the store of the test."""
    return runner(build, build_name, store, tmp_path, tidy)


@pytest.fixture
def example_on_ceph(build, build_name, ceph_store, tmp_path, tidy, request):
    """example_on_ceph(name, argument, fault): networks break in more ways than disks."""
    return lambda name, argument, fault: runner(build, build_name, ceph_store, tmp_path, tidy)(
        name, argument, **way_to_break(ceph_store, fault, request)
    )


def test_twelve_contenders_each_get_their_turn(example):
    example("contenders")


@pytest.mark.parametrize("job", ["slow", "deaf", "everyone"])
def test_a_leader_that_is_told_to_hands_over(example, job):
    example("handover", job)


@pytest.mark.parametrize(
    "victim, signal",
    [
        ("keeper", "KILL"),
        ("keeper", "STOP"),
        ("guard", "KILL"),
        ("guard", "STOP"),
        ("group", "STOP"),
        ("timeout", "KILL"),
        ("pkill", "KILL"),
    ],
)
def test_a_crash_ends_the_job_before_the_lease(example, fault, victim, signal):
    example("crash", victim, signal, **fault("blackhole"))


def test_after_a_crash_cron_runs_the_job_again_once_the_store_says_so(example):
    example("cron")


@pytest.mark.parametrize("kind", ["short", "long", "rejoin", "mute"])
def test_an_outage(example, fault, kind):
    example("outage", kind, **fault("blackhole"))


@pytest.mark.parametrize("name", ["refuse", "stop"])
@pytest.mark.parametrize("kind", ["short", "long"])
def test_an_outage_of_another_kind(example_on_ceph, kind, name):
    example_on_ceph("outage", kind, name)
