"""The store's name: it begins to lead elsewhere, and its look-up takes long; on a store in a network of its own."""

import json
import os
import subprocess
import sys

import pytest
from conftest import TOOLS
from processes import boottime, wait_until

FAST = ("--ttl", "8s", "--poll", "300ms")
FIRST, SECOND = "10.9.0.1", "10.9.0.2"


class Lab:
    """namelab.py as a process."""

    def __init__(self, directory):
        self.control = os.path.join(str(directory), "lab")
        self.process = subprocess.Popen(
            ["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.join(TOOLS, "namelab.py"), self.control]
        )

    def set(self, address, delay_s=0):
        with open(self.control + ".new", "w") as f:
            f.write(f"{address} {delay_s}\n")
        os.replace(self.control + ".new", self.control)
        wait_until(lambda: self.now() == f"{address} {delay_s}", "the lab to obey")

    def now(self):
        try:
            with open(self.control + ".now") as f:
                return f.read().strip()
        except FileNotFoundError:
            return None

    def newest_put(self):
        """When the store was written to last."""
        with open(self.control + ".store.log") as f:
            return max((e["t"] for e in map(json.loads, f) if e["method"] == "PUT"), default=0)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.stop()


@pytest.fixture
def start(launch, lab):
    def start(*words):
        inside = ["nsenter", "-t", str(lab.process.pid), "-n", "-m", f"--wd={os.getcwd()}"]
        env = {
            "AWS_ENDPOINT_URL": "http://store.example:8000",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        return launch("--bucket", "bucket", "--addressing-style", "path", *FAST, *words, env=env, before=inside)

    return start


def test_a_leader_follows_its_store_to_another_address(start, lab, child):
    lab.set(FIRST)
    run = start("-v", "--", *child())
    child.wait_for_terms(1)
    for address in (SECOND, FIRST):
        lab.set(address)
        moved, ttl_s = boottime(), 8
        wait_until(lambda: lab.newest_put() > moved or run.poll() is not None, "a renewal at the new address", 2 * ttl_s)
        assert run.poll() is None, run.err()
    run.signal(15)
    run.wait()
    assert "lost" not in run.err() and len(child.terms()) == 1


def test_a_name_that_takes_longer_than_a_request_is_found_all_the_same(start, lab):
    lab.set(FIRST, 12)
    assert start("--wait", "60s", "--", "true").wait(60) == 0
