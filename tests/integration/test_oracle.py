"""The same variables and files, read by leaderexec and by botocore, the library beneath the AWS CLI: who gives the
keys, and the region.

A case that differs says so and why; the README says it too.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import TOOLS, base_environment, builds
from processes import PATIENCE_S

STATIC = "aws_access_key_id = AKIASTATICSTATIC0001\naws_secret_access_key = static-secret\n"
OTHER = "aws_access_key_id = AKIAOTHER\naws_secret_access_key = s\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/job\n"
ENV = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}
AGENT = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{giver}/agent/credentials"}
IMDS = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{giver}/"}
TOKEN = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod"}
PRINTED = '{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s", "SessionToken": "t"}'
PROCESS = f"credential_process = echo '{PRINTED}'\n"
SSO = "sso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"
LEGACY_SSO = "sso_start_url = https://corp\nsso_region = r-1\nsso_account_id = 1\nsso_role_name = r\n"
SESSION = "[sso-session corp]\nsso_start_url = https://corp\nsso_region = r-1\n"

# name: (variables, config file, credentials file, profile by option)
SAME = {
    "nothing": ({}, "", "", None),
    "environment": (ENV, "", "", None),
    "environment before profile": (ENV, "", f"[default]\n{STATIC}", None),
    "environment before AWS_PROFILE": ({**ENV, "AWS_PROFILE": "a"}, "", f"[a]\n{STATIC}", None),
    "option before environment": (ENV, "", f"[a]\n{STATIC}", "a"),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "a"}, "", f"[a]\n{STATIC}", None),
    "AWS_DEFAULT_PROFILE before AWS_PROFILE": (
        {"AWS_DEFAULT_PROFILE": "a", "AWS_PROFILE": "b"},
        "",
        f"[a]\n{STATIC}[b]\n{OTHER}",
        None,
    ),
    "file that can't be parsed": (IMDS, "[default]\nnothing\n", "", None),
    "file that can't be parsed beside the environment": (ENV, "[default]\nnothing\n", "", None),
    "option before AWS_PROFILE": ({"AWS_PROFILE": "b"}, "", f"[a]\n{STATIC}[b]\n{OTHER}", "a"),
    "credentials file before config": ({}, f"[default]\n{OTHER}", f"[default]\n{STATIC}", None),
    "config file": ({}, f"[default]\n{STATIC}region = eu-west-3\n", "", None),
    "profile that isn't there": ({**ENV, "AWS_PROFILE": "gone"}, "", f"[a]\n{STATIC}", None),
    "profile section without the word": ({"AWS_PROFILE": "a"}, f"[a]\n{STATIC}", "", None),
    "CRLF and comments": ({}, "", f"# c\r\n[default]\r\n; c\r\n{STATIC}".replace("\n", "\r\n"), None),
    "region": ({**ENV, "AWS_DEFAULT_REGION": "ap-south-1"}, "[default]\nregion = eu-west-3\n", "", None),
    "region of the profile": (ENV, "[default]\nregion = eu-west-3\n", "", None),
    "role": ({"AWS_PROFILE": "a"}, f"[profile a]\n{ROLE}source_profile = b\n", f"[b]\n{STATIC}", None),
    "role before the profile's keys": ({}, f"[default]\n{ROLE}source_profile = b\n{OTHER}", f"[b]\n{STATIC}", None),
    "role with the profile's own keys": ({}, f"[default]\n{ROLE}source_profile = default\n{STATIC}", "", None),
    "roles in a row": (
        {},
        f"[default]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = c\n",
        f"[c]\n{STATIC}",
        None,
    ),
    "roles in a circle": (
        {},
        f"[default]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = default\n",
        "",
        None,
    ),
    "role without a source": ({}, f"[default]\n{ROLE}", "", None),
    "role with two sources": (
        ENV,
        f"[default]\n{ROLE}source_profile = b\ncredential_source = EcsContainer\n",
        "",
        "default",
    ),
    "role by the container": (AGENT, f"[default]\n{ROLE}credential_source = EcsContainer\n", "", None),
    "role by the instance": (IMDS, f"[default]\n{ROLE}credential_source = Ec2InstanceMetadata\n", "", None),
    "role by a source that there isn't": ({}, f"[default]\n{ROLE}credential_source = Moon\n", "", None),
    "role of a source without keys": (
        IMDS,
        f"[default]\n{ROLE}source_profile = b\n[profile b]\nregion = x\n",
        "",
        None,
    ),
    "role by a source that gives none": (
        AGENT,
        f"[default]\n{ROLE}credential_source = Ec2InstanceMetadata\n",
        "",
        None,
    ),
    "role by a process": ({}, f"[default]\n{ROLE}source_profile = b\n[profile b]\n{PROCESS}", "", None),
    "web identity": (TOKEN, "", "", None),
    "web identity before the profile": (TOKEN, "", f"[default]\n{STATIC}", None),
    "web identity before AWS_PROFILE": ({**TOKEN, "AWS_PROFILE": "a"}, "", f"[a]\n{STATIC}", None),
    "web identity behind the option": (TOKEN, "", f"[a]\n{STATIC}", "a"),
    "web identity behind a role": (TOKEN, f"[default]\n{ROLE}source_profile = b\n", "[b]\n" + STATIC, None),
    "web identity before container and instance": ({**TOKEN, **AGENT, **IMDS}, "", "", None),
    "web identity without a role": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", **IMDS}, "", "", None),
    "web identity without its file": ({**TOKEN, **IMDS, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/gone"}, "", "", None),
    "web identity of the profile": ({}, f"[default]\n{ROLE}web_identity_token_file = {{home}}/token\n", "", None),
    "process": ({}, f"[default]\n{PROCESS}", "", None),
    "process behind the credentials file": ({}, f"[default]\n{PROCESS}", f"[default]\n{STATIC}", None),
    "process before the config file's keys": ({}, f"[default]\n{PROCESS}{STATIC}", "", None),
    "process on several lines": ({}, f"[default]\n{PROCESS}".replace("echo ", "echo\n  "), "", None),
    "process with a number sign": ({}, f"[default]\n{PROCESS}".replace("{", '{"x": "a # b", '), "", None),
    "process that fails": (IMDS, "[default]\ncredential_process = false\n", "", None),
    "SSO": ({}, f"[default]\n{LEGACY_SSO}", "", None),
    "SSO before the profile's keys": ({}, f"[default]\n{LEGACY_SSO}", f"[default]\n{STATIC}", None),
    "SSO that lacks something": (IMDS, "[default]\nsso_account_id = 1\n", "", None),
    "container": (AGENT, "", "", None),
    "container before the instance": ({**AGENT, **IMDS}, "", "", None),
    "container behind the profile": ({**AGENT, **IMDS}, "", f"[default]\n{STATIC}", None),
    "container that fails": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{giver}/nowhere", **IMDS}, "", "", None),
    "container elsewhere": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/", **IMDS}, "", "", None),
    "instance": (IMDS, "", "", None),
    "instance for a profile without keys": (IMDS, "[profile a]\nregion = eu-west-3\n", "", "a"),
    "instance switched off": ({**IMDS, "AWS_EC2_METADATA_DISABLED": "true"}, "", "", None),
}

# What differs: the same, and what leaderexec does ("": it refuses), and why.
DIFFERENT = {
    "AWS_REGION": (
        ({**ENV, "AWS_REGION": "ap-south-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "", "", None),
        "AKIAENV ap-south-1",
        "the AWS CLI and the other SDKs read it; botocore doesn't",
    ),
    "a secret key alone": (
        ({"AWS_SECRET_ACCESS_KEY": "s"}, "", f"[default]\n{STATIC}", None),
        "",
        "half a pair is an error, never a reason to be somebody else",
    ),
    "boto's file": (
        ({"BOTO_CONFIG": "{home}/.aws/credentials", **IMDS}, "", f"[Credentials]\n{STATIC}", None),
        "",
        "nobody reads it any more; but other keys in its place would be another identity",
    ),
    "login": (
        (IMDS, "[default]\nlogin_session = x\n", "", None),
        "",
        "not supported, and other keys in its place would be another identity; this botocore doesn't know it",
    ),
    "half a pair in a file": (
        ({}, f"[default]\n{STATIC}", "[default]\naws_secret_access_key = s\n", None),
        "",
        "half a pair is an error, never completed or replaced from elsewhere",
    ),
}


@pytest.fixture(scope="session")
def build():
    """One build is enough: what is compared is what is read."""
    return next(iter(builds().values()))


@pytest.fixture
def both(launch, tools, tmp_path, build):
    """both(case): what leaderexec and botocore make of it, as texts "KEY region"; "" where it refuses."""
    giver, store = tools("credserver.py"), tools("badstore.py")
    home = tmp_path / "home"
    (home / ".aws" / "sso" / "cache").mkdir(parents=True)
    (home / "token").write_text("jwt-1")
    for name in ("corp", "https://corp"):
        path = home / ".aws" / "sso" / "cache" / (hashlib.sha1(name.encode()).hexdigest() + ".json")
        path.write_text(json.dumps({"accessToken": "sso-token", "expiresAt": "2099-01-01T00:00:00Z"}))

    def fill(text):
        return text.replace("{giver}", giver.endpoint).replace("{home}", str(home))

    def run(case):
        variables, config, credentials, profile = case
        (home / ".aws" / "config").write_bytes(fill(config).encode())
        (home / ".aws" / "credentials").write_bytes(credentials.encode())
        env = {"HOME": str(home), "AWS_ENDPOINT_URL_STS": giver.endpoint, "AWS_ENDPOINT_URL_SSO": giver.endpoint}
        env.update({name: fill(value) for name, value in variables.items()})
        option = ["--profile", profile] if profile else []
        ours = launch(
            *("status", "--bucket", "anything", "--endpoint-url", store.endpoint, *option),
            env=env,
        )
        assert ours.wait() in (1, 125), ours.err()
        theirs = subprocess.run(
            [sys.executable, os.path.join(TOOLS, "oracle.py"), *option[1:]],
            env={**base_environment(build), **env},
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        asked = store.log()
        assert bool(asked) == (ours.code == 1), ours.err()
        found = json.loads(theirs.stdout)
        return (
            plain(asked[-1]["key"], asked[-1]["region"]) if asked else "",
            plain(found["key"], found["region"]) if "key" in found else "",
            ours.err() + theirs.stdout.decode(),
        )

    return run


def plain(key, region):
    """Each pair that is given is a new one: its number doesn't matter."""
    return re.sub(r"(ASIA[A-Z]+)\d+", r"\1", key) + " " + region


@pytest.mark.parametrize("name", SAME)
def test_botocore_finds_the_same(both, name):
    ours, theirs, said = both(SAME[name])
    assert ours == theirs, said


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_is_known(both, name):
    case, expected, why = DIFFERENT[name]
    ours, theirs, said = both(case)
    assert ours == expected and ours != theirs and why, said
