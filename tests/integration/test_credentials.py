"""Where the keys come from: everybody who gives some, asked by the program itself through stand-ins on loopback, and what happens when
they are slow, hang, lie or fail; and that none of it disturbs a leader.

The store is tools/badstore.py, which notes whose key signed each request; who gives keys is tools/credserver.py.
"""
import hashlib
import json
import os
import signal
import socket
import time
import urllib.parse

import pytest
from boxes import as_user, open_place
from processes import boottime, command_line, descendants, wait_until

FAST = ("--ttl", "9s", "--poll", "300ms")
AGENT_PATH = "/agent/credentials"


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


# --- containers ---


def agent(giver, **more):
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": giver.endpoint + AGENT_PATH, **more}


def test_a_containers_agent_gives_keys(start, bad, giver, tmp_path):
    run = start("-v", *FAST, "--", "sh", "-c", "env", env=agent(giver))
    assert_works(run, giver, bad, "the container's agent")
    (request,) = giver.log()
    assert request["headers"]["accept"] == "application/json" and "authorization" not in request["headers"]
    # What leaderexec fetched is its own.
    assert given(giver)[-1] not in run.out() and "token-of" not in run.out() and "AWS_SECRET" not in run.out()


def test_pod_identity_sends_what_its_token_file_holds_at_that_time(start, bad, giver, child, tmp_path):
    token = tmp_path / "pod-token"
    token.write_text("first-pod-token\n")
    giver.mode("life=4")
    env = agent(giver, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token), AWS_CONTAINER_AUTHORIZATION_TOKEN="unused")
    run = start(*FAST, "--", *child(), env=env)
    child.wait_for_terms(1)
    token.write_text("second-pod-token")
    wait_until(lambda: len(given(giver)) >= 3, "keys to be fetched again")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    sent = [entry["headers"]["authorization"] for entry in giver.log()]
    assert sent[0] == "first-pod-token" and sent[-1] == "second-pod-token"


def test_a_token_file_that_isnt_there_is_named(start, giver, tmp_path):
    env = agent(giver, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "gone"))
    assert_refused(start(*FAST, "--", "true", env=env), str(tmp_path / "gone"), "No such file")
    assert giver.log() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://10.0.0.1/x",
        "http://169.254.169.254/x",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1@10.0.0.1/",
        "x",
    ],
)
def test_an_agent_elsewhere_isnt_asked(start, url):
    run = start(*FAST, "--", "true", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})
    assert_refused(run, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be")


def test_a_redirect_of_the_agent_isnt_followed(start, giver):
    giver.mode("redirect=" + giver.endpoint + "/elsewhere")
    assert_refused(start(*FAST, "--", "true", env=agent(giver)), "302", "aren't followed")
    assert [entry["path"] for entry in giver.log()] == [AGENT_PATH]


def test_an_agent_that_is_asked_past_the_proxy(start, bad, giver):
    env = agent(giver, http_proxy="http://127.0.0.1:9", no_proxy=bad.endpoint.removeprefix("http://").split(":")[0])
    assert_works(start("-v", *FAST, "--", "true", env=env), giver, bad, "agent")
    env = agent(giver, http_proxy="http://127.0.0.1:9")
    run = start("status", env=env)
    assert run.wait() == 125 and "127.0.0.1" in run.err()  # the store is asked through it


@pytest.mark.parametrize(
    "mode, says",
    [
        ("status=403", "403 TestError: told to fail"),
        ("auth=another", "401 Unauthorized: wrong token"),
        ("body=garbage", "isn't JSON"),
        ("body=nothing", "isn't JSON"),
        ("body=huge", "too long"),
        ("body=half", "no secret key"),
        ("body=control", "holds a blank"),
        ("life=-5", "over already"),
    ],
)
def test_an_agent_that_is_asked_and_fails_is_the_end(start, giver, mode, says):
    """There is never a weaker identity in its place."""
    giver.mode(mode)
    env = agent(giver, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=giver.endpoint)
    assert_refused(start(*FAST, "--", "true", env=env), says)
    assert not any("/latest/" in entry["path"] for entry in giver.log())


@pytest.mark.parametrize("mode", ["status=500", "hang"])
def test_an_agent_that_fails_for_a_while_is_waited_for(start, bad, giver, mode):
    giver.mode(mode)
    run = start("-v", *FAST, "--", "true", env=agent(giver))
    wait_until(lambda: "trying again" in run.err(), "a line about it")
    giver.mode("correct")
    assert run.wait() == 0
    assert signers(bad) == given(giver)
    assert run.err().count("container's agent") <= 3


def test_with_no_wait_an_agent_that_hangs_is_given_ten_seconds(start, giver):
    giver.mode("hang")
    run = start(*FAST, "--no-wait", "--", "true", env=agent(giver))
    assert run.wait() == 125
    assert 5 < run.ended - run.started < 20
    assert "the container's agent" in run.err()


# --- EC2's instance metadata ---


def metadata(giver, **more):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": giver.endpoint, **more}


def asked(giver):
    return [(entry["method"], entry["path"]) for entry in giver.log()]


TOKEN = ("PUT", "/latest/api/token")
ROLES = "/latest/meta-data/iam/security-credentials/"


def test_the_instances_role_gives_keys(start, bad, giver):
    run = start("-v", *FAST, "--", "env", env=metadata(giver, http_proxy="http://127.0.0.1:9", no_proxy="x,127.0.0.1"))
    assert_works(run, giver, bad, "the instance's role role-of-the-instance")
    assert asked(giver) == [TOKEN, ("GET", ROLES), ("GET", ROLES + "role-of-the-instance")]
    assert given(giver)[-1] not in run.out()


@pytest.mark.parametrize("status", [403, 404, 405])
def test_version_1_serves_where_there_is_no_other(start, bad, giver, status):
    giver.mode(f"v1 status={status} only=/latest/api/token")
    assert_works(start("-v", *FAST, "--", "true", env=metadata(giver)), giver, bad, "the instance's role")


def test_version_1_can_be_forbidden(start, giver):
    giver.mode("v1 status=404 only=/latest/api/token")
    run = start(*FAST, "--", "true", env=metadata(giver, AWS_EC2_METADATA_V1_DISABLED="true"))
    assert_refused(run, "AWS_EC2_METADATA_V1_DISABLED")
    assert asked(giver) == [TOKEN]


@pytest.mark.parametrize(
    "mode, says",
    [
        ("status=400", "400"),
        ("status=404 v1 only=security-credentials/", "the instance has no role"),
        ("redirect=http://127.0.0.1:9/ only=/latest/api/token", "302; redirects aren't followed"),
        ("body=garbage only=/latest/api/token", "its token is none"),
        ("body=huge only=/latest/meta-data", "its role's name is none"),
        ("body=garbage only=role-of", "isn't JSON"),
        ("body=half only=role-of", "no secret key"),
        ("life=-1", "over already"),
    ],
)
def test_metadata_that_fail_give_one_line(start, giver, mode, says):
    giver.mode(mode)
    assert_refused(
        start(*FAST, "--", "true", env=metadata(giver)), "no credentials" if says != "over already" else "", says
    )


def black_hole():
    """A listening socket that takes no connection: its queue is full, and who knocks isn't answered."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):
        knock = socket.socket()
        knock.setblocking(False)
        knock.connect_ex(full.getsockname())
        waiting.append(knock)
    return full, waiting


@pytest.mark.parametrize("how", ["no connection", "no answer", "nobody there"])
def test_a_machine_without_metadata_says_so_within_three_seconds(start, giver, how):
    env = metadata(giver)
    if how == "no answer":
        giver.mode("hang")
    if how == "no connection":
        full, waiting = black_hole()
        env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:%d" % full.getsockname()[1]
    if how == "nobody there":
        env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:9"
    run = start(*FAST, "--", "true", env=env)
    text = assert_refused(
        run, "no credentials", "instance metadata: ", "not on EC2?", "environment: no AWS_ACCESS_KEY_ID"
    )
    assert run.ended - run.started < 3
    assert how == "nobody there" or "within 2 tries of 1 s" in text


def test_with_the_container_variables_set_metadata_arent_asked(start, giver):
    giver.mode("status=401 only=/agent/")
    assert_refused(start(*FAST, "--", "true", env=metadata(giver, **agent(giver))), "401")
    assert not any("/latest/" in path for _, path in asked(giver))


def test_metadata_know_the_region_where_nobody_else_does(start, bad, giver):
    env = metadata(giver, AWS_REGION=None, AWS_ENDPOINT_URL_S3=None, http_proxy=bad.endpoint, https_proxy=bad.endpoint)
    run = start("-v", *FAST, "--no-wait", "--", "true", env=env)
    assert run.wait() == 125
    assert ".s3.test-region-1.amazonaws.com" in run.err()  # the proxy refuses to connect to it
    assert ("GET", "/latest/meta-data/placement/region") in asked(giver)


def test_keys_of_the_environment_and_no_region_ask_the_metadata_for_it(start, bad, giver):
    env = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": None}
    env = metadata(giver, AWS_ENDPOINT_URL_S3=None, **env)
    giver.mode("status=404 only=placement")
    assert_refused(start(*FAST, "--", "true", env=env), "no region for bucket", "--region or AWS_REGION")


def test_keys_of_metadata_are_fetched_again_and_a_leader_doesnt_notice(start, bad, giver, child):
    """Whether that works, fails or hangs: each pair lasts 6 s, and a renewal is due every 3 s."""
    giver.mode("life=6")
    run = start("-v", *FAST, "--", *child(), env=metadata(giver))
    child.wait_for_terms(1)
    wait_until(lambda: len(given(giver)) >= 3, "keys to be fetched again")
    for mode in ("hang", "status=500", "body=garbage", "life=6"):
        giver.mode(mode)
        time.sleep(2.5)
    giver.mode("correct")
    wait_until(lambda: signers(bad)[-1] == given(giver)[-1], "the newest keys to be used")
    time.sleep(4)
    assert run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert run.err().count("can't renew the credentials; the old ones serve meanwhile") >= 1
    assert all(entry["status"] in (200, 404, 412) for entry in bad.log())


# --- roles ---

ROLE = "arn:aws:iam::123456789012:role/job"


def sts(giver, **more):
    return {"AWS_ENDPOINT_URL_STS": giver.endpoint, **more}


def configure(home, text, credentials=""):
    (home / ".aws" / "config").write_text(text)
    (home / ".aws" / "credentials").write_text(credentials)


def queries(giver):
    """What STS was asked, as dictionaries."""
    return [dict(urllib.parse.parse_qsl(entry["body"])) for entry in giver.log() if entry["path"] == "/"]


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "web-token"
    path.write_text("jwt-one\n")
    return path


def web_identity(giver, token_file, **more):
    return sts(giver, AWS_WEB_IDENTITY_TOKEN_FILE=str(token_file), AWS_ROLE_ARN=ROLE, **more)


def test_a_service_accounts_token_gives_its_roles_keys(start, bad, giver, token_file):
    env = web_identity(giver, token_file, AWS_ROLE_SESSION_NAME="pod-7", http_proxy="")
    assert_works(start("-v", *FAST, "--", "true", env=env), giver, bad, f"role {ROLE} for a web identity")
    (query,) = queries(giver)
    assert query["Action"] == "AssumeRoleWithWebIdentity" and query["WebIdentityToken"] == "jwt-one"
    assert query["RoleArn"] == ROLE and query["RoleSessionName"] == "pod-7" and query["Version"] == "2011-06-15"
    assert "authorization" not in giver.log()[0]["headers"]


def test_the_token_file_is_read_again_for_each_fetch(start, bad, giver, token_file, child):
    giver.mode("life=4")
    run = start(*FAST, "--", *child(), env=web_identity(giver, token_file))
    child.wait_for_terms(1)
    token_file.write_text("jwt-two")
    wait_until(lambda: queries(giver)[-1]["WebIdentityToken"] == "jwt-two", "the new token to be used")
    token_file.unlink()
    wait_until(lambda: "can't renew the credentials" in run.err() and "No such file" in run.err(), "a line about it")
    token_file.write_text("jwt-three")
    wait_until(lambda: queries(giver)[-1]["WebIdentityToken"] == "jwt-three", "the newest token to be used")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert "jwt-" not in run.err()


@pytest.mark.parametrize(
    "token, role, mode, says",
    [
        ("", ROLE, "correct", "it is empty"),
        ("jwt\x00", ROLE, "correct", "what no token has"),
        ("no token", ROLE, "correct", "400 InvalidIdentityToken"),
        ("jwt-expired", ROLE, "correct", "400 ExpiredTokenException"),
        ("jwt", "arn:aws:iam::1:role/forbidden", "correct", "403 AccessDenied"),
        ("jwt", "", "correct", "AWS_ROLE_ARN"),
        (None, ROLE, "correct", "No such file"),
        ("jwt", ROLE, "body=garbage", "not as STS does"),
        ("jwt", ROLE, "body=half", "not as STS does"),
        ("jwt", ROLE, "body=huge", "not as STS does"),
        ("jwt", ROLE, "redirect=http://127.0.0.1:9/", "302, and not as STS does; redirects aren't followed"),
    ],
)
def test_a_web_identity_that_fails_is_the_end(start, giver, token_file, token, role, mode, says):
    """The node's role isn't taken in its place."""
    giver.mode(mode)
    token_file.unlink() if token is None else token_file.write_text(token)
    env = {**web_identity(giver, token_file), **metadata(giver), "AWS_ROLE_ARN": role}
    assert_refused(start(*FAST, "--", "true", env=env), says)
    assert not any("/latest/" in path for _, path in asked(giver))


def test_a_profiles_role_is_assumed_with_another_profiles_keys(start, bad, giver, home):
    configure(
        home,
        f"[profile job]\nrole_arn = {ROLE}\nsource_profile = base\nrole_session_name = me\nexternal_id = ex/1\n"
        "duration_seconds = 900\n",
        "[base]\naws_access_key_id = AKIASTATICSTATIC0001\naws_secret_access_key = static-secret\n",
    )
    env = sts(giver, AWS_PROFILE="job")
    assert_works(start("-v", *FAST, "--", "true", env=env), giver, bad, f'role {ROLE} for profile "base"')
    (query,) = queries(giver)
    assert query["Action"] == "AssumeRole" and query["RoleSessionName"] == "me"
    assert query["ExternalId"] == "ex/1" and query["DurationSeconds"] == "900"


def test_roles_follow_one_another(start, bad, giver, home):
    configure(
        home,
        f"[profile c]\nrole_arn = {ROLE}/c\nsource_profile = b\n[profile b]\nrole_arn = {ROLE}/b\nsource_profile = a\n"
        f"[profile a]\nrole_arn = {ROLE}/a\nsource_profile = a\naws_access_key_id = AKIASTATICSTATIC0001\n"
        "aws_secret_access_key = static-secret\n",
    )
    # As the AWS CLI has it: the keys of a source profile go before its role.
    assert_works(start("-v", *FAST, "--profile", "c", "--", "true", env=sts(giver)), giver, bad, f"role {ROLE}/c")
    assert [query["RoleArn"] for query in queries(giver)] == [f"{ROLE}/b", f"{ROLE}/c"]
    # But not of the profile that was chosen.
    run = start("-v", *FAST, "--profile", "a", "--", "true", env=sts(giver))
    assert run.wait() == 0
    assert queries(giver)[-1]["RoleArn"] == f"{ROLE}/a"


@pytest.mark.parametrize("source", ["Environment", "EcsContainer", "Ec2InstanceMetadata"])
def test_a_profiles_role_is_assumed_with_the_keys_of_its_source(start, bad, giver, home, source):
    configure(home, f"[profile job]\nrole_arn = {ROLE}\ncredential_source = {source}\n")
    keys = {"AWS_ACCESS_KEY_ID": "AKIASTATICSTATIC0001", "AWS_SECRET_ACCESS_KEY": "static-secret"}
    env = sts(giver, **agent(giver), **metadata(giver), **(keys if source == "Environment" else {}))
    assert_works(start("-v", *FAST, "--profile", "job", "--", "true", env=env), giver, bad, f"role {ROLE}")
    asked_paths = {entry["path"].split("/")[1] for entry in giver.log()}
    assert (
        asked_paths
        == {"": {""}, "Environment": {""}, "EcsContainer": {"agent", ""}, "Ec2InstanceMetadata": {"latest", ""}}[source]
    )


@pytest.mark.parametrize(
    "profile, says",
    [
        ("source_profile = x\ncredential_source = Environment", "both source_profile and credential_source"),
        ("", "neither source_profile, credential_source nor"),
        ("credential_source = Nowhere", "neither Environment, EcsContainer nor Ec2InstanceMetadata"),
        ("credential_source = EcsContainer", "no AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("source_profile = missing", 'profile "missing" is neither in'),
        ("source_profile = job", "leads back to it"),
        ("source_profile = other", "leads back to it"),
        ("source_profile = empty", 'source_profile "empty" has none'),
        ("source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me", "mfa_serial"),
        ("source_profile = base", "InvalidClientTokenId"),
        ("source_profile = wrong", "SignatureDoesNotMatch"),
    ],
)
def test_a_profiles_role_that_cant_be_assumed_is_the_end(start, giver, home, profile, says):
    configure(
        home,
        f"[profile job]\nrole_arn = {ROLE}\n{profile}\n[profile other]\nrole_arn = {ROLE}\nsource_profile = job\n"
        "[profile empty]\nregion = x-1\n",
        "[base]\naws_access_key_id = AKIAUNKNOWN\naws_secret_access_key = static-secret\n"
        "[wrong]\naws_access_key_id = AKIASTATICSTATIC0001\naws_secret_access_key = wrong-secret\n",
    )
    env = sts(giver, AWS_PROFILE="job", **metadata(giver))
    text = assert_refused(start(*FAST, "--", "true", env=env), says)
    assert "wrong-secret" not in text and not any("/latest/" in path for _, path in asked(giver))


def test_a_profiles_web_identity_gives_keys(start, bad, giver, home, token_file):
    configure(home, f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {token_file}\n")
    assert_works(start("-v", *FAST, "--", "true", env=sts(giver)), giver, bad, "for a web identity")


@pytest.mark.parametrize("mode", ["status=503", "hang", "fail-after=0"])
def test_an_sts_that_is_away_is_waited_for(start, bad, giver, token_file, mode):
    giver.mode(mode)
    run = start("-v", *FAST, "--", "true", env=web_identity(giver, token_file))
    wait_until(lambda: "trying again" in run.err(), "a line about it")
    giver.mode("correct")
    assert run.wait() == 0
    assert signers(bad) == given(giver)


# --- credential_process ---

KEYS = "AKIAPROCESS000000001"


def process(home, tmp_path, script, more=""):
    """A profile whose credential_process is a script."""
    path = tmp_path / "give keys.sh"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    configure(home, f"[default]\ncredential_process = '{path}' one \"two words\"\n{more}")
    return path


def printed(expiry=None, key=KEYS):
    fields = {
        "Version": 1,
        "AccessKeyId": key,
        "SecretAccessKey": "secret-of-process",
        "SessionToken": "token-of-process",
    }
    if expiry:
        fields["Expiration"] = expiry
    return json.dumps(fields)


def test_a_credential_process_gives_keys(start, bad, home, tmp_path):
    process(home, tmp_path, f"test \"$1+$2\" = 'one+two words' && test -z \"$(cat)\" && echo '{printed()}'\n")
    run = start("-v", *FAST, "--", "env")
    assert run.wait() == 0, run.err()
    assert signers(bad) == [KEYS] and {entry["token"] for entry in bad.log()} == {"token-of-process"}
    assert 'the credential_process of profile "default", access key ****************0001' in run.err()
    assert "secret-of" not in run.err() and KEYS not in run.out()


def test_a_credential_process_is_run_again_before_its_keys_expire(start, bad, home, tmp_path, child):
    process(
        home,
        tmp_path,
        f"echo x >>{tmp_path}/runs\nn=$(wc -l <{tmp_path}/runs)\n"
        "expiry=$(date -u -d '+6 seconds' +%Y-%m-%dT%H:%M:%S+00:00)\n"
        'printf \'{"Version":1,"AccessKeyId":"AKIA%s","SecretAccessKey":"s","Expiration":"%s"}\' "$n" "$expiry"\n',
    )
    run = start(*FAST, "--", *child())
    child.wait_for_terms(1)
    wait_until(lambda: len(signers(bad)) >= 3, "the third pair")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and run.err().count("\n") == 1
    assert child.lines("15") and signers(bad)[:3] == ["AKIA1", "AKIA2", "AKIA3"]


@pytest.mark.parametrize(
    "script, says",
    [
        ("echo oh dear >&2; echo all is lost >&2; exit 3", "ended with exit code 3: all is lost"),
        ("exit 1", "ended with exit code 1"),
        ("kill -9 $$", "ended with exit code 137"),
        ("echo hello", "it isn't JSON"),
        ("true", "it isn't JSON"),
        ("echo '{\"Version\":2}'", "Version isn't 1"),
        ('echo \'{"Version":1,"AccessKeyId":"a"}\'', "no secret key"),
        ('echo \'{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}\'', "expiry is no time"),
        ("head -c 10000000 /dev/zero", "printed more than keys could have"),
        ("yes x", "printed more than keys could have"),
        ("yes word >&2", None),
    ],
)
def test_a_credential_process_that_fails_is_the_end(start, giver, home, tmp_path, script, says):
    process(home, tmp_path, script + "\n")
    run = start(*FAST, "--", "true", env=metadata(giver))
    if says is None:  # it hangs, and is killed at our end
        time.sleep(1)
        run.signal(signal.SIGTERM)
        assert run.wait() == 143
    else:
        assert_refused(run, says)
    assert giver.log() == []


def test_a_command_that_isnt_there_is_named(start, home):
    configure(home, "[default]\ncredential_process = /no/such/command\n")
    assert_refused(start(*FAST, "--", "true"), "exit code 127", "/no/such/command")


def test_a_credential_process_that_hangs_goes_with_all_that_it_started(start, bad, home, tmp_path):
    """With us, at the latest; and when it takes longer than 30 s."""
    process(
        home,
        tmp_path,
        f"trap '' TERM INT HUP\nsleep 1000 &\nsleep 1001 | cat &\necho started >{tmp_path}/started\nwait\n",
    )
    for ending in (signal.SIGTERM, signal.SIGKILL):
        run = start(*FAST, "--", "true")
        wait_until(lambda: (tmp_path / "started").exists(), "the command to start")
        (tmp_path / "started").unlink()
        run.signal(ending)
        run.wait()
        wait_until(
            lambda: not any("sleep 100" in command_line(pid) for pid in descendants(os.getpid())), "them to be gone"
        )
    run = start(*FAST, "--", "true")
    run.wait(60)
    lines = run.err().splitlines()
    assert len(lines) == 2 and "waiting for credential_process; trying again" in lines[0], lines
    assert run.code == 125 and "took longer than 30 s and was killed" in lines[1]
    assert 28 < run.ended - run.started < 40


def test_a_hanging_credential_process_disturbs_no_leader(start, bad, home, tmp_path, child):
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 40))
    path = process(home, tmp_path, f"echo '{printed(expiry)}'\n")
    run = start(*FAST, "--", *child())
    child.wait_for_terms(1)
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nsleep 1000\n")
    wait_until(lambda: (tmp_path / "asked").exists(), "it to be run again")
    renewals = len(bad.log())
    time.sleep(9)
    assert len(bad.log()) >= renewals + 3 and run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_nothing_of_ours_reaches_a_credential_process(start, home, tmp_path):
    process(
        home,
        tmp_path,
        f"ls -l /proc/self/fd >{tmp_path}/fds\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >{tmp_path}/signals\necho '{printed()}'\n",
    )
    assert start(*FAST, "--", "true").wait() == 0
    assert "socket:" not in (tmp_path / "fds").read_text() and "anon_inode" not in (tmp_path / "fds").read_text()
    assert (tmp_path / "signals").read_text().split()[1::2] == ["0000000000000000"] * 2


# --- SSO ---


def sso_profile(home, expires="2099-01-01T00:00:00Z", token="sso-token", session=True):
    url = "https://corp.example/start"
    where = "sso_session = corp" if session else f"sso_start_url = {url}\nsso_region = eu-west-1"
    configure(
        home,
        f"[profile dev]\n{where}\nsso_account_id = 123456789012\nsso_role_name = Role Name\n"
        f"[sso-session corp]\nsso_start_url = {url}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n",
    )
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / (hashlib.sha1((b"corp" if session else url.encode())).hexdigest() + ".json")
    path.write_text(json.dumps({"accessToken": token, "expiresAt": expires, "startUrl": url, "region": "eu-west-1"}))
    return path


def sso(giver, **more):
    return {"AWS_ENDPOINT_URL_SSO": giver.endpoint, "AWS_PROFILE": "dev", **more}


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("expires", ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00UTC"])
def test_a_login_by_sso_gives_keys(start, bad, giver, home, session, expires):
    sso_profile(home, expires, session=session)
    assert_works(start("-v", *FAST, "--", "true", env=sso(giver)), giver, bad, 'profile "dev" by SSO, role Role Name')
    (request,) = giver.log()
    assert request["path"] == "/federation/credentials?account_id=123456789012&role_name=Role%20Name"


@pytest.mark.parametrize(
    "how, says",
    [
        ("expired", "the login has expired: run aws sso login --profile dev"),
        ("gone", "nobody has logged in yet: run aws sso login --profile dev"),
        ("broken", "the file of the login is broken: run aws sso login --profile dev"),
        ("revoked", "the login isn't valid any more: run aws sso login --profile dev"),
        ("forbidden", "it answered 403: told to fail"),
        ("garbage", "it holds no keys"),
    ],
)
def test_a_login_that_doesnt_serve_says_what_to_do(start, giver, home, how, says):
    path = sso_profile(
        home,
        "2020-01-01T00:00:00Z" if how == "expired" else "2099-01-01T00:00:00Z",
        "another-token" if how == "revoked" else "sso-token",
    )
    if how == "gone":
        path.unlink()
    if how == "broken":
        path.write_text('{"accessToken": "sso-tok')
    giver.mode({"forbidden": "status=403", "garbage": "body=garbage"}.get(how, "correct"))
    text = assert_refused(start(*FAST, "--", "true", env=sso(giver, **metadata(giver))), says)
    assert "sso-token" not in text and "another-token" not in text
    assert not any("/latest/" in path for _, path in asked(giver))


@pytest.mark.parametrize("lacks", ["sso_account_id", "sso_role_name", "sso_region", "sso_start_url"])
def test_an_sso_profile_that_lacks_something_says_what(start, giver, home, lacks):
    sso_profile(home)
    config = home / ".aws" / "config"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith(lacks)))
    assert_refused(start(*FAST, "--", "true", env=sso(giver)), lacks + " is missing")


# --- files as they shouldn't be ---

GOOD = "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(" = ", "\t=\t"),
        "\ufeff" + GOOD,
        "# c\n; c\n\n[other]\ns3 =\n  nested = 1\n    deeper = 2\n" + GOOD,
        GOOD + "no setting at all\n= 1\n[unfinished\n\x00\x01\n",
        GOOD + "# " + "x" * 8000 + "\n",
        GOOD * 1000,
        GOOD.rstrip("\n"),
    ],
    ids=["CRLF", "tabs", "BOM", "nesting", "nonsense", "comment", "repetition", "end"],
)
def test_files_are_read_for_what_is_in_them(start, bad, home, content):
    configure(home, "", content)
    assert start("status").wait() == 1
    assert signers(bad) == ["AKIAFILE"]


@pytest.mark.parametrize(
    "content, says",
    [
        (GOOD + "x" * 1_100_000 + "\n", "File too large"),
        ("x" * 900_000, "has a line or value that is too long"),
        ("[default]\naws_access_key_id = " + "A" * 7000 + "\n", "has a line or value that is too long"),
        ("[default]\naws_access_key_id = AKIA\u00fc\naws_secret_access_key = s\n", "that no key has"),
        (None, "Is a directory"),
    ],
    ids=["too-large", "junk", "long-value", "letters", "directory"],
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


# --- encryption ---


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


# --- keys that expire ---


def test_a_store_that_says_expired_is_asked_again_with_new_keys(start, bad, giver, child):
    run = start("-v", *FAST, "--", *child(), env=agent(giver))
    child.wait_for_terms(1)
    for turn in range(3):
        bad.mode("expired " + " ".join(given(giver)))
        wait_until(
            lambda: signers(bad)[-1] == given(giver)[-1] and len(given(giver)) == turn + 2, "new keys to be used"
        )
        time.sleep(1)
    assert run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and "trying again" not in run.err()


def test_keys_of_the_environment_that_expire_cant_be_replaced_and_that_is_said(start, bad, child):
    env = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    bad.mode("expired AKIAENV")
    assert_refused(start(*FAST, "--", "true", env=env), "ExpiredToken", "those of the environment can't be renewed")
    bad.mode("correct")
    run = start(*FAST, "--", *child(), env=env)
    child.wait_for_terms(1)
    bad.mode("expired AKIAENV")
    assert run.wait() == 123
    assert "can't be renewed" in run.err()


def test_keys_of_a_file_are_read_again_when_they_have_expired(start, bad, home, child):
    configure(home, "", "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = s\naws_session_token = t\n")
    run = start("-v", *FAST, "--", *child())
    child.wait_for_terms(1)
    configure(home, "", "[default]\naws_access_key_id = AKIATWO\naws_secret_access_key = s\n")
    bad.mode("expired AKIAONE")
    wait_until(lambda: signers(bad)[-1] == "AKIATWO", "the new keys to be used")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and child.lines("15") and "trying again" not in run.err()


def test_keys_that_cant_be_renewed_serve_until_they_expire_and_not_longer(start, bad, giver, child):
    giver.mode("life=12")
    run = start("-v", *FAST, "--", *child(), env=agent(giver))
    child.wait_for_terms(1)
    began = boottime()
    giver.mode("status=403")
    assert run.wait() == 123
    used = [entry["t"] for entry in bad.log() if entry["status"] == 200]
    assert 6 < used[-1] - began < 12.5
    assert "the old ones serve meanwhile" in run.err() and "403 TestError" in run.err().splitlines()[-1]


def test_status_waits_for_keys_too(start, bad, giver):
    giver.mode("delay=1")
    run = start("status", "-v", env=agent(giver))
    assert run.wait() == 1 and "credentials: the container's agent" in run.err()
    giver.mode("status=403")
    run = start("status", env=agent(giver))
    assert run.wait() == 125 and "403 TestError" in one_line(run)
