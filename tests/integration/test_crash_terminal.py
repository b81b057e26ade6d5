"""On a terminal, Ctrl-Z stops leaderexec and its command for longer than the lease: the command is dead before
it ends."""

import time

import pytest
from conftest import base_environment
from terminal import Terminal


@pytest.fixture
def terminal(build, store, tmp_path, tidy):
    terminal = Terminal({**base_environment(build), **store.environment}, str(tmp_path))
    yield terminal
    terminal.close()


@pytest.mark.parametrize("options", [(), ("-i",)])
def test_ctrl_z_for_two_ttls_ends_the_command_in_time(terminal, child, store, options):
    terminal.type('"$LEADEREXEC" --ttl 3s -- ' + " ".join(child(*options)) + "\n")
    child.wait_for_terms(1)
    time.sleep(0.5)
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    time.sleep(6)
    child.assert_promise(store)
    last = child.terms()[0].last
    terminal.type("fg\n")
    time.sleep(1)
    terminal.type("echo code=$?=\n")
    terminal.wait_for("\ncode=123=")
    assert child.terms()[0].last == last
    child.assert_promise(store)
