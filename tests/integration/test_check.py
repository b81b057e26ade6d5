"""leaderexec check: what it says of good stores and bad ones, how it exits, and that nothing of it stays behind."""

import json
import os
import re
import signal
import subprocess
import urllib.request

import pytest
from conftest import Store
from processes import wait_until
from terminal import Terminal
from test_bad_stores import allow, environment_of, versioning

ONE_BUILD = True

QUICK = ("--rounds", "6", "--writers", "4")
ITEMS_OF_S3 = ["credentials", "endpoint", "list", "put", "get", "delete", "once", "race", "visible", "clock"]
ITEMS_OF_S3 += ["round-trip", "versioning", "object-lock", "expiry", "requests", "cleanup"]
ITEMS_OF_A_DIRECTORY = [
    "disk",
    "list",
    "put",
    "get",
    "delete",
    "once",
    "race",
    "visible",
    "clock",
    "round-trip",
    "cleanup",
]


def items(run):
    """Item to (level, text), in the order of the lines; the last line by itself."""
    *lines, last = run.out().splitlines()
    found = {}
    for line in lines:
        level, item, text = line[:4].strip(), line[6:17].strip(), line[19:]
        assert level in ("ok", "warn", "FAIL") and line[4:6] == "  " and line[17:19] == "  ", line
        found[item] = (level, text)
    return found, last


def keys(store):
    """Every key below the lock's prefix, or name in the directory."""
    if store.kind == "directory":
        return [name for _, folders, files in os.walk(store.folder) for name in folders + files]
    prefix = store.environment["LEADEREXEC_PREFIX"]
    page = store.log.client.list_objects_v2(Bucket=store.environment["LEADEREXEC_BUCKET"], Prefix=prefix)
    return [entry["Key"] for entry in page.get("Contents", [])]


def test_a_good_store_passes_and_nothing_is_left(leaderexec, store):
    run = leaderexec("check", *QUICK)
    assert run.wait() == 0, run.out() + run.err()
    found, last = items(run)
    assert list(found) == (ITEMS_OF_A_DIRECTORY if store.kind == "directory" else ITEMS_OF_S3)
    slow = ("round-trip", "clock", "visible")  # a busy machine's business
    levels = {item: level for item, (level, _) in found.items() if level != "ok" and item not in slow}
    assert levels == ({"disk": "warn"} if is_on_tmpfs(store) else {})
    assert found["race"][1] == "4 writers at once: one winner in each of 6 rounds"
    assert "a lock can be kept here" in last
    assert keys(store) == [] and run.err() == ""
    if store.kind == "directory":
        assert not os.path.exists(store.folder)
    else:
        assert "****0000" in found["credentials"][1] and "ownersecret" not in run.out()


def is_on_tmpfs(store):
    """Tests' files are in memory where there is room."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", store.directory], capture_output=True, text=True, check=True)
    return store.kind == "directory" and kind.stdout.strip() == "tmpfs"


@pytest.mark.parametrize(
    "mount, says",
    [
        ("mount -t tmpfs none $1", "on tmpfs, which a restart empties"),
        ("mount -t ramfs none $1", "on ramfs, which a restart empties"),
        (
            "mount -t tmpfs none $1 && cd $1 && mkdir l u w o && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none $1",
            "on overlayfs, as a container's own files are",
        ),
    ],
    ids=["tmpfs", "ramfs", "overlay"],
)
def test_a_file_system_that_doesnt_last_is_warned_of(launch, tmp_path, mount, says):
    """In a mount namespace that ends with it."""
    box = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'set -e; {mount}; shift; exec "$@"', "sh", tmp_path]
    run = launch("check", "-b", f"file:{tmp_path}/locks", *QUICK, before=[str(word) for word in box])
    assert run.wait() == 0, run.err()
    disk = next(line for line in run.out().splitlines() if line.split()[1] == "disk")
    assert disk.startswith("warn") and says in disk


def test_json_says_the_same_with_figures(leaderexec, store):
    run = leaderexec("check", *QUICK, "--json", "--ttl", "12s", "--poll", "2s")
    assert run.wait() == 0
    (line,) = run.out().splitlines()
    found = json.loads(line)
    assert found["level"] in ("ok", "warn") and found["lock"].endswith("/leader")
    by_item = {item["item"]: item for item in found["items"]}
    assert list(by_item) == (ITEMS_OF_A_DIRECTORY if store.kind == "directory" else ITEMS_OF_S3)
    assert by_item["race"]["winners_mean"] == 1 and by_item["race"]["rounds"] == 6 and by_item["race"]["writers"] == 4
    trip = by_item["round-trip"]
    assert 0 < trip["p50_ms"] <= trip["p99_ms"] and trip["ttl_ms"] == 12000 and trip["advised_ttl_ms"] >= 5000
    if store.kind == "ceph":
        assert by_item["requests"]["puts"] == 648000 and by_item["requests"]["gets_of_a_standby"] == 1296000 + 648000
    assert keys(store) == []


def test_a_lock_in_use_goes_on_undisturbed(leaderexec, store, child):
    holder = leaderexec("--ttl", "9s", "--", *child())
    child.wait_for_terms(1)
    before = store.holder_token()
    assert leaderexec("check", *QUICK).wait() == 0
    assert store.holder_token() == before and child.lines("15") == []
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0
    assert all("check" not in key for key in keys(store))


def test_ceph_with_versioning_fails_and_its_old_versions_go_too(launch, owner, bucket_of, tmp_path, tidy):
    bucket = bucket_of()
    versioning(owner, bucket)
    run = launch("check", *QUICK, store=Store("ceph", tmp_path, bucket))
    assert run.wait() == 1
    found, last = items(run)
    assert found["once"][0] == found["race"][0] == "FAIL"
    assert "more than once in 6 of 6 rounds, 4.0 times on average" in found["race"][1]
    assert found["versioning"][0] == "warn" and "never had it" in found["versioning"][1]
    assert "2 of 16 failed" in last
    left = owner.list_object_versions(Bucket=bucket)
    assert not left.get("Versions") and not left.get("DeleteMarkers")


def test_a_locked_bucket_fails_and_what_it_keeps_is_told(launch, owner, tmp_path, tidy):
    bucket = f"locked-{os.urandom(6).hex()}"
    owner.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    owner.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    store = Store("ceph", tmp_path, bucket)
    run = launch("check", *QUICK, store=store)
    assert run.wait() == 1
    found, _ = items(run)
    assert found["race"][0] == "FAIL"
    assert found["object-lock"][0] == "warn" and "3 days (GOVERNANCE)" in found["object-lock"][1]
    assert found["cleanup"][0] == "warn" and "retention" in found["cleanup"][1]
    assert keys(store) == []


@pytest.mark.parametrize("prefix, covers", [("", True), ("PREFIX", True), ("logs/", False)])
def test_an_expiry_rule_is_warned_of_where_it_is_for_the_lock(launch, owner, bucket_of, tmp_path, tidy, prefix, covers):
    bucket = bucket_of()
    store = Store("ceph", tmp_path, bucket)
    rule = {"ID": "tidy-up", "Status": "Enabled", "Expiration": {"Days": 30}}
    rule["Filter"] = {"Prefix": prefix.replace("PREFIX", store.environment["LEADEREXEC_PREFIX"])}
    owner.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    run = launch("check", *QUICK, store=store)
    assert run.wait() == 0
    level, text = items(run)[0]["expiry"]
    assert (level, "tidy-up" in text) == (("warn", True) if covers else ("ok", False))


ALL = {"ListBucket", "GetObject", "PutObject", "DeleteObject"}


@pytest.mark.parametrize(
    "missing, item, code",
    [("ListBucket", "list", 1), ("PutObject", "put", 1), ("DeleteObject", "delete", 0)],
)
def test_a_missing_permission_is_named(launch, owner, bucket_of, tmp_path, tidy, missing, item, code):
    bucket = bucket_of()
    allow(owner, bucket, *ALL - {missing})
    store = Store("ceph", tmp_path, bucket, user="guest")
    run = launch("check", *QUICK, store=store)
    assert run.wait() == code, run.out() + run.err()
    found, _ = items(run)
    assert found[item][0] == ("FAIL" if code else "warn") and f"s3:{missing}" in found[item][1]
    others = {"list", "put", "get", "delete"} - {item}
    assert {i: found[i][0] for i in others if i in found} == {i: "ok" for i in others if i in found}
    assert ("race" in found) == (missing != "PutObject")
    # The bucket's settings aren't the guest's to read.
    assert found["expiry"][0] == "warn" and "s3:GetLifecycleConfiguration" in found["expiry"][1]
    owner.delete_bucket_policy(Bucket=bucket)
    left = owner.list_objects_v2(Bucket=bucket).get("Contents", [])
    if missing == "DeleteObject":
        assert left and found["cleanup"][0] == "warn" and "s3:DeleteObject" in found["cleanup"][1]
    else:
        assert not left


def test_the_readmes_policy_is_enough(launch, owner, bucket_of, tmp_path, tidy):
    """The statements in README.md, as a bucket's policy for the guest."""
    with open(os.path.join(os.path.dirname(__file__), "../../README.md")) as f:
        text = f.read()
    start = text.index('{"Version": "2012-10-17"')
    policy = json.JSONDecoder().raw_decode(text[start:])[0]
    bucket = bucket_of()
    for statement in policy["Statement"]:
        statement["Principal"] = {"AWS": ["arn:aws:iam:::user/guest"]}
        statement["Resource"] = statement["Resource"].replace("my-bucket", bucket)
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    store = Store("ceph", tmp_path, bucket, prefix="locks/", user="guest")
    run = launch("check", *QUICK, store=store)
    assert run.wait() == 0, run.out() + run.err()
    assert {i: items(run)[0][i][0] for i in ("list", "put", "get", "delete", "cleanup")} == dict.fromkeys(
        ("list", "put", "get", "delete", "cleanup"), "ok"
    )
    elsewhere = Store("ceph", tmp_path, bucket, prefix="other/", user="guest")
    run = launch("check", *QUICK, store=elsewhere)
    assert run.wait() == 1 and items(run)[0]["put"][0] == "FAIL"


@pytest.mark.parametrize("mode, once", [("ignore", "FAIL"), ("race", "ok")])
def test_a_store_that_creates_twice_fails(launch, tools, mode, once):
    bad = tools("badstore.py")
    bad.mode(mode)
    run = launch("check", *QUICK, env=environment_of(bad))
    assert run.wait() == 1
    found, last = items(run)
    assert found["once"][0] == once and found["race"][0] == "FAIL"
    mean = float(re.search(r"([0-9.]+) times on average", found["race"][1])[1])
    assert mean == 4 if mode == "ignore" else mean > 1  # on a busy machine one may come after another's 50 ms
    assert "no lock can be kept here" in last


def test_settings_that_a_busy_store_doesnt_tell_arent_taken_as_fine(launch, tools):
    busy = tools("badstore.py")
    busy.mode("settings 503 SlowDown")
    run = launch("check", *QUICK, env=environment_of(busy))
    assert run.wait() == 0, run.out() + run.err()
    found, _ = items(run)
    assert [found[item][0] for item in ("versioning", "object-lock", "expiry")] == ["warn"] * 3
    assert sum("?lifecycle" in request["path"] for request in busy.log()) == 3


def test_a_signal_leaves_no_versions_and_other_keys_keep_theirs(launch, tools):
    keeping = tools("badstore.py")
    keeping.mode("versions")
    env = environment_of(keeping)
    assert launch("--ttl", "9s", "--", "true", env=env).wait() == 0

    def versions():
        with urllib.request.urlopen(f"{keeping.endpoint}/anything?versions") as answer:
            return re.findall(r"<Key>(.*?)</Key>", answer.read().decode())

    before = versions()
    assert before
    run = launch("check", "--rounds", "10000", "--writers", "4", env=env)
    wait_until(lambda: sum("check" in key for key in versions()) > 20, "the check's slots")
    run.signal(signal.SIGTERM)
    assert run.wait() == 128 + signal.SIGTERM
    assert sorted(set(versions())) == sorted(set(before))
    assert "aren't below" in run.err()  # it was told of keys that it hadn't asked for


def test_all_writers_have_a_connection_of_their_own_and_write_at_once(launch, tools, ceph_store):
    proxy = tools("proxy.py", ceph_store.endpoint)
    ceph_store.through(proxy.endpoint)
    proxy.mode("delay 0.05")  # nobody is answered sooner
    assert launch("check", "--writers", "8", "--rounds", "4", store=ceph_store).wait() == 0
    puts, answers = {}, {}
    for event in proxy.log():
        if event["event"] in ("request", "answer") and event["method"] == "PUT":
            kept = puts if event["event"] == "request" else answers
            kept.setdefault(event["path"], []).append(event)
    races = {path: events for path, events in puts.items() if len(events) > 2}
    assert len(races) == 4 and all(len({e["connection"] for e in events}) == 8 for events in races.values())
    assert len({tuple(sorted(e["connection"] for e in events)) for events in races.values()}) == 1
    # All are on their way before one is answered. A busy machine spreads some; one after the other, none would be so.
    assert any(max(e["t"] for e in races[path]) < min(e["t"] for e in answers[path]) for path in races)


def test_gateways_are_raced_against_each_other(launch, ceph_store, own_gateway, tools):
    proxies = [tools("proxy.py", endpoint) for endpoint in (ceph_store.endpoint, own_gateway.endpoint)]
    endpoints = [word for proxy in proxies for word in ("--endpoint-url", proxy.endpoint)]
    run = launch("check", *QUICK, *endpoints, store=ceph_store)
    assert run.wait() == 0, run.out() + run.err()
    found, _ = items(run)
    assert "4 writers at once over 2 endpoints: one winner" in found["race"][1]
    assert "and 1 more" in found["endpoint"][1]
    for proxy in proxies:
        assert sum(e["event"] == "request" and e["method"] == "PUT" for e in proxy.log()) >= 6 * 2
    assert keys(ceph_store) == []


@pytest.mark.parametrize(
    "mode, says",
    [
        ("html", "isn't how S3 answers"),
        ("error 404 NoSuchBucket", "no such bucket"),
        ("error 403 SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("error 500 InternalError", "InternalError"),
    ],
)
def test_what_cant_be_found_out_is_125_with_the_reason(launch, tools, mode, says):
    bad = tools("badstore.py")
    bad.mode(mode)
    for options in ((), ("--json",)):
        run = launch("check", *QUICK, *options, env=environment_of(bad))
        assert run.wait() == 125
        assert run.err().startswith("leaderexec: s3://anything/locks/leader can't be checked: ")
        assert says in run.err() and run.err().count("\n") == 1
        assert options == () or run.out() == ""


@pytest.mark.parametrize(
    "env, says",
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "127.0.0.1"),
        ({"LEADEREXEC_TTL": "1s"}, "LEADEREXEC_TTL"),
    ],
)
def test_without_keys_or_a_store_it_is_125(launch, ceph_store, env, says):
    run = launch("check", *QUICK, store=ceph_store, env=env)
    assert run.wait() == 125
    assert says in run.err() and run.err().count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_it_cleans_up(leaderexec, store, number):
    run = leaderexec("check", "--rounds", "10000", "--writers", "4")
    wait_until(lambda: any("check" in key for key in keys(store)), "the check's lock")
    run.signal(number)
    assert run.wait() == 128 + number
    assert run.err().count("\n") == 1 and "ended by signal" in run.err()
    assert keys(store) == []


def test_what_cant_be_cleaned_up_is_told(launch, tools, ceph_store):
    proxy = tools("proxy.py", ceph_store.endpoint)
    ceph_store.through(proxy.endpoint)
    run = launch("check", "--rounds", "10000", "--writers", "4", store=ceph_store)
    wait_until(lambda: any("check" in key for key in keys(ceph_store)), "the check's lock")
    proxy.mode("refuse")
    assert run.wait() in (1, 125)
    assert "is left below" in run.err() + run.out()


def test_a_directory_that_cant_be_written_fails(launch, tmp_path, tidy):
    """Needs no permissions, which root doesn't mind: a file stands where the folder should be."""
    (tmp_path / "locks-here").mkdir()
    (tmp_path / "locks-here" / "locks").write_text("")
    run = launch("check", *QUICK, env={"LEADEREXEC_BUCKET": f"file:{tmp_path}/locks-here"})
    assert run.wait() == 1
    found, _ = items(run)
    assert found["put"][0] == "FAIL" and "Not a directory" in found["put"][1] and "race" not in found


def test_progress_is_shown_on_a_terminal_only(launch, store, tmp_path):
    assert launch("check", *QUICK, store=store).wait() == 0
    assert launch.runs[-1].err() == ""
    env = {**launch.base, **store.environment}
    terminal = Terminal(env, str(tmp_path))
    try:
        terminal.type(f"{launch.binary} check --rounds 6 --writers 4 >out; echo ended $?\n")
        terminal.wait_for("race 1 of 6...")
        terminal.wait_for("\x1b[K")
        terminal.wait_for("ended 0")
        terminal.type(f"{launch.binary} check -q --rounds 6 --writers 4 >out; echo ended $?\n")
        assert "race" not in terminal.wait_for("ended 0").split("echo ended", 1)[1]
        terminal.type("export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b\n")
        terminal.type(f"{launch.binary} check -b closed --endpoint-url http://127.0.0.1:1; echo ended $?\n")
        assert "...\r\x1b[Kleaderexec: " in terminal.wait_for("ended 125")
    finally:
        terminal.close()
    assert (tmp_path / "out").read_text().startswith(("ok ", "warn "))
