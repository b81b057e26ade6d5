"""Files as they shouldn't be, and what is written with each request."""

import os

import pytest
from boxes import as_user, open_place
from givers import FAST, assert_refused, configure, signers

ONE_BUILD = True

GOOD = "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(" = ", "\t=\t"),
        "\ufeff" + GOOD,
        "# c\n; c\n\n[other]\ns3 =\n  nested = 1\n    deeper = 2\n" + GOOD,
        GOOD + "# " + "x" * 8000 + "\n",
        "".join(f"[profile-{n}]\nx = {'y' * 200}\n" for n in range(4000)) + GOOD,
        GOOD.rstrip("\n"),
    ],
    ids=["CRLF", "tabs", "BOM", "nesting", "comment", "many", "end"],
)
def test_files_are_read_for_what_is_in_them(start, bad, home, content):
    configure(home, "", content)
    assert start("status").wait() == 1
    assert signers(bad) == ["AKIAFILE"]


@pytest.mark.parametrize(
    "content, says",
    [
        (GOOD + "x" * 1_100_000 + "\n", "File too large"),
        ("x" * 900_000, "line 1 of "),
        (GOOD + "no setting at all\n", "line 4 of "),
        (GOOD + GOOD, "line 4 of "),
        (GOOD + "\x00\n", "line 4 of "),
        ("[default]\naws_access_key_id = " + "A" * 7000 + "\n", "has a value that is too long"),
        ("[default]\naws_access_key_id = AKIA\u00fc\naws_secret_access_key = s\n", "that no key has"),
        (None, "Is a directory"),
    ],
    ids=["too-large", "junk", "no-setting", "twice", "zero", "long-value", "letters", "directory"],
)
def test_files_that_cant_be_used_are_named(start, home, content, says):
    path = home / ".aws" / "credentials"
    path.mkdir() if content is None else path.write_text(content)
    text = assert_refused(start(*FAST, "--", "true"), says, "credentials")
    assert "AAAA" not in text


def test_a_file_that_others_may_not_read_is_named_where_it_was_named(launch, bad):
    with open_place() as place:
        os.chmod(place, 0o777)
        path = os.path.join(place, "config")
        with open(path, "w") as f:
            f.write(GOOD)
        os.chmod(path, 0)
        env = {"LEADEREXEC_BUCKET": "anything", "AWS_ENDPOINT_URL": bad.endpoint, "AWS_CONFIG_FILE": path}
        run = launch(*FAST, "--", "true", before=as_user(65534), env=env, cwd="/")
        assert_refused(run, "can't read " + path + ": Permission denied")


def test_a_pipe_in_a_files_place_holds_up_nothing(start, home):
    os.mkfifo(home / ".aws" / "config")
    run = start(*FAST, "--", "true")
    assert_refused(run, "no credentials")
    assert run.ended - run.started < 5


@pytest.mark.parametrize("how, key", [("AES256", None), ("aws:kms", None), ("aws:kms", "arn:aws:kms:r:1:key/k")])
def test_what_is_written_is_encrypted_as_asked(start, bad, how, key):
    env = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "LEADEREXEC_SSE_KMS_KEY_ID": key}
    assert start(*FAST, "--sse", how, "--", "true", env=env).wait() == 0
    for entry in bad.log():
        sent = {n.removeprefix("x-amz-server-side-"): v for n, v in entry["headers"].items() if "server-side" in n}
        assert sent == (
            {}
            if entry["method"] != "PUT"
            else {"encryption": how, **({"encryption-aws-kms-key-id": key} if key else {})}
        )
