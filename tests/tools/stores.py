#!/usr/bin/python3
"""Reads and meddles with a lock's log behind leaderexec's back, in a directory or over S3, and checks beats against it.

    stores.py beats FILE     no two leaders at once, tokens growing, no beat of FILE after its lease's end by the log
                             that LEADEREXEC_BUCKET, _PREFIX, _LOCK name. Prints what it found; exits 1 where the
                             promise was broken

FILE is what child.c writes. Knows how keys and records look, not how leaderexec comes to them.
"""

import collections
import datetime
import json
import os
import re
import sys

Slot = collections.namedtuple("Slot", "seq key body record")  # record: None for a vacancy or what isn't a record
Line = collections.namedtuple("Line", "what token name pid boottime_ns realtime_ms")
Term = collections.namedtuple("Term", "token first last last_realtime_ms names")


def slot_of(name, body):
    """What an object of the lock's folder is; None where its name isn't a slot's."""
    match = re.fullmatch(r"([0-9]{12})-([1-9][0-9]{0,11})", name)
    if not match or int(match[1]) + int(match[2]) != 999999999999:
        return None
    seq = match[2]
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        record = None
    return Slot(int(seq), name, body, record if isinstance(record, dict) else None)


def contents(log, names):
    """Those of a log's objects that are still there, name to bytes."""
    found = {name: log.get(name) for name in names}
    return {name: body for name, body in found.items() if body is not None}


class DirectoryLog:
    """The objects of a lock in DIR/PREFIX LOCK/."""

    def __init__(self, directory, prefix, lock):
        self.folder = os.path.join(directory, prefix, lock)

    def objects(self):
        return contents(self, self.names())

    def get(self, name):
        """An object's bytes; None where there is none."""
        path = os.path.join(self.folder, name)
        try:
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    return f.read()
        except FileNotFoundError:
            pass
        return None

    def names(self):
        return os.listdir(self.folder) if os.path.isdir(self.folder) else []

    def put(self, name, body):
        path = os.path.join(self.folder, name)
        os.makedirs(path if name == "" or name.endswith("/") else os.path.dirname(path), exist_ok=True)
        if name and not name.endswith("/"):
            with open(path, "wb") as f:
                f.write(body)

    def delete(self, name):
        os.unlink(os.path.join(self.folder, name))


class S3Log:
    """The same in a bucket; client is boto3's."""

    def __init__(self, client, bucket, prefix, lock):
        self.client, self.bucket, self.folder = client, bucket, f"{prefix}{lock}/"

    def names(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.folder)
        return [entry["Key"][len(self.folder) :] for page in pages for entry in page.get("Contents", [])]

    def objects(self):
        return contents(self, self.names())

    def get(self, name):
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self.folder + name)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def put(self, name, body):
        self.client.put_object(Bucket=self.bucket, Key=self.folder + name, Body=body)

    def delete(self, name):
        self.client.delete_object(Bucket=self.bucket, Key=self.folder + name)


def slots(log):
    """The log's slots, oldest first."""
    return sorted((s for s in (slot_of(name, body) for name, body in log.objects().items()) if s), key=lambda s: s.seq)


def s3_client(endpoint, key, secret):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=30, retries={"max_attempts": 3}
        ),
    )


def log_of_environment(env=os.environ):
    """The log that leaderexec would use with this environment."""
    bucket, prefix, lock = (
        env["LEADEREXEC_BUCKET"],
        env.get("LEADEREXEC_PREFIX", "locks/"),
        env.get("LEADEREXEC_LOCK", "leader"),
    )
    if bucket.startswith("file:"):
        return DirectoryLog(bucket.removeprefix("file:"), prefix, lock)
    bucket, _, more = bucket.removeprefix("s3://").partition("/")
    client = s3_client(
        env.get("TEST_STORE_ENDPOINT") or env["AWS_ENDPOINT_URL"],
        env["AWS_ACCESS_KEY_ID"],
        env["AWS_SECRET_ACCESS_KEY"],
    )
    return S3Log(client, bucket, more.rstrip("/") + "/" if more else prefix, lock)


def milliseconds(time):
    return round(datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)


def lease_ends(found):
    """Token to the time (wall clock, ms) when its last lease ended, as its newest entry says. found: of slots()."""
    return {
        s.record["token"]: milliseconds(s.record["timestamp"]) + s.record["ttl"]
        for s in found
        if s.record
        and s.record.get("kind") in ("claim", "renew")
        and s.record.get("seq") == s.seq
        and isinstance(s.record.get("ttl"), int)
        and 0 < s.record["ttl"] <= 600000
    }


def line_of(text):
    """One line that a child wrote; None for one that is still being written."""
    words = text.split()
    if not text.endswith("\n") or len(words) != 6:
        return None
    token = int(words[1]) if words[1].isdigit() else None
    return Line(words[0], token, words[2], int(words[3]), int(words[4]), int(words[5]))


def lines(path):
    """What the children wrote so far."""
    try:
        with open(path) as f:
            return [line for line in map(line_of, f) if line]
    except FileNotFoundError:
        return []


def terms(path):
    """The leaders' terms in order of their first line: token, first and last line's time (boottime, ns), who wrote."""
    by_token = {}
    for line in lines(path):
        by_token.setdefault(line.token, []).append(line)
    found = [
        Term(
            token,
            min(l.boottime_ns for l in all_),
            max(l.boottime_ns for l in all_),
            max(l.realtime_ms for l in all_),
            sorted({l.name for l in all_}),
        )
        for token, all_ in by_token.items()
    ]
    return sorted(found, key=lambda t: t.first)


def broken_promises(path, found):
    """What is wrong with the beats in path, given the log's slots; an empty list: nothing."""
    wrong, all_terms, ends = [], terms(path), lease_ends(found)
    for before, after in zip(all_terms, all_terms[1:]):
        if after.first <= before.last:
            wrong.append(
                f"two at once: token {after.token} began {(before.last - after.first) / 1e6:.0f} ms "
                f"before token {before.token} ended"
            )
        if before.token is None or after.token is None or after.token <= before.token:
            wrong.append(f"tokens don't grow: {before.token}, then {after.token}")
    for term in all_terms:
        if term.token in ends and term.last_realtime_ms > ends[term.token]:
            wrong.append(f"token {term.token} beat {term.last_realtime_ms - ends[term.token]} ms past its lease")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "beats":
        sys.exit(__doc__)
    problems = broken_promises(sys.argv[2], slots(log_of_environment()))
    tokens = [t.token for t in terms(sys.argv[2])]
    print(
        f"{len(tokens)} leaders, tokens {tokens}: "
        + ("; ".join(problems) or "one at a time, tokens grow, none past its lease")
    )
    sys.exit(1 if problems or not tokens else 0)
