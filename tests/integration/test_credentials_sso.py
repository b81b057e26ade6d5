"""A login by aws sso login gives keys, or says what to do."""

import hashlib
import json

import pytest
from givers import FAST, asked, assert_refused, assert_works, configure, metadata

ONE_BUILD = True


def sso_profile(home, expires="2099-01-01T00:00:00Z", token="sso-token", session=True):
    url = "https://corp.example/start"
    where = "sso_session = corp" if session else f"sso_start_url = {url}\nsso_region = eu-west-1"
    configure(
        home,
        f"[profile dev]\n{where}\nsso_account_id = 123456789012\nsso_role_name = Role Name\n"
        f"[sso-session corp]\nsso_start_url = {url}\nsso_region = eu-west-1\n"
        "sso_registration_scopes = sso:account:access\n",
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
