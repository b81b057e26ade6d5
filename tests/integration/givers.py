"""What the tests of credentials share: a store that notes whose key signed each request (tools/badstore.py), those
who give keys (tools/credserver.py), a home without any, and what a test holds of a run. conftest.py makes the fixtures
known."""

import urllib.parse

import pytest

FAST = ("--ttl", "9s", "--poll", "300ms")
AGENT_PATH = "/agent/credentials"
ROLE = "arn:aws:iam::123456789012:role/job"


def one_line(run):
    text = run.err()
    assert text.startswith("leaderexec: ") and text.count("\n") == 1, text
    assert text[:-1].isprintable(), text
    return text


@pytest.fixture
def bad(tools, tidy):
    return tools("badstore.py")


@pytest.fixture
def giver(tools, tidy):
    return tools("credserver.py")


@pytest.fixture
def home(tmp_path):
    """A home with an empty .aws."""
    folder = tmp_path / "home"
    (folder / ".aws").mkdir(parents=True)
    return folder


@pytest.fixture
def start(launch, bad, home):
    """start(*arguments, env={...}): leaderexec on the store, with a home and no keys but those that env leads to."""

    def start(*arguments, env=None, **more):
        base = {
            "LEADEREXEC_BUCKET": "anything",
            "AWS_ENDPOINT_URL_S3": bad.endpoint,
            "AWS_REGION": "us-east-1",
            "HOME": str(home),
        }
        return launch(*arguments, env={**base, **(env or {})}, **more)

    return start


def signers(bad):
    """The access keys that signed requests, in the order of their first."""
    return list(dict.fromkeys(entry["key"] for entry in bad.log()))


def given(giver):
    return [entry["given"] for entry in giver.log() if entry["given"]]


def secrets_of(giver):
    return ("secret-", "token-of-", "static-secret", "jwt", "sso-token", "imds-token")


def assert_works(run, giver, bad, says):
    """The job ran, the requests were signed with the keys given, -v names who gave them, nothing secret was said."""
    assert run.wait() == 0, run.err()
    assert signers(bad) == [given(giver)[-1]]
    assert {entry["token"] for entry in bad.log()} == {f"token-of-{given(giver)[-1]}"}
    line = [line for line in run.err().splitlines() if "credentials: " in line]
    assert len(line) == 1 and says in line[0] and "****" + given(giver)[-1][-4:] in line[0], run.err()
    assert not any(secret in run.err() for secret in secrets_of(giver)), run.err()


def assert_refused(run, *says, code=125):
    assert run.wait() == code, run.err()
    text = one_line(run)
    for words in says:
        assert words in text, text
    assert not any(secret in text for secret in ("secret-", "token-of-", "static-secret"))
    return text


def agent(giver, **more):
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": giver.endpoint + AGENT_PATH, **more}


def metadata(giver, **more):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": giver.endpoint, **more}


def asked(giver):
    return [(entry["method"], entry["path"]) for entry in giver.log()]


def sts(giver, **more):
    return {"AWS_ENDPOINT_URL_STS": giver.endpoint, **more}


def configure(home, text, credentials=""):
    (home / ".aws" / "config").write_text(text)
    (home / ".aws" / "credentials").write_text(credentials)


def queries(giver):
    """What STS was asked, as dictionaries."""
    return [dict(urllib.parse.parse_qsl(entry["body"])) for entry in giver.log() if entry["path"] == "/"]
