"""Roles are assumed: with another's keys, or for a service account's token."""

import signal

import pytest
from givers import (
    FAST,
    ROLE,
    agent,
    asked,
    assert_refused,
    assert_works,
    configure,
    given,
    metadata,
    queries,
    signers,
    sts,
)
from processes import wait_until

ONE_BUILD = True


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
