"""TLS: verified always, and a certificate that isn't accepted is one clear line. The authorities are the tests' own."""

import datetime
import subprocess

import pytest

ONE_BUILD = True

FAST = ("--ttl", "9s", "--poll", "300ms")


def one_line(run):
    text = run.err()
    assert text.startswith("leaderexec: ") and text.count("\n") == 1, text
    return text


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Authority:
    """A CA of a test's own."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 3650),
            *("-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate),
        )
        for file, text in (("index", ""), ("serial", "01\n")):
            (folder / f"{name}.{file}").write_text(text)
        self.config = folder / f"{name}.cnf"
        self.config.write_text(
            f"[ca]\ndefault_ca = a\n[a]\ndatabase = {folder}/{name}.index\nserial = {folder}/{name}.serial\n"
            f"new_certs_dir = {folder}\ndefault_md = sha256\npolicy = p\ncopy_extensions = copy\nunique_subject = no\n"
            "[p]\ncommonName = supplied\n"
        )

    def issue(self, name, alternative, first_day=-10, last_day=10):
        """A server's certificate for alternative ("IP:127.0.0.1"), from one day to another; returns it with its key."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={alternative}", "-keyout", key, "-out", request),
        )
        day = lambda n: (datetime.datetime.utcnow() + datetime.timedelta(days=n)).strftime(
            "%Y%m%d%H%M%SZ"
        )  # noqa: E731
        openssl(
            *("ca", "-batch", "-config", self.config, "-cert", self.certificate, "-keyfile", self.key, "-notext"),
            *("-startdate", day(first_day), "-enddate", day(last_day), "-in", request, "-out", certificate),
        )
        pem = self.folder / f"{name}.both.pem"
        pem.write_text(certificate.read_text() + key.read_text())
        return pem


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "authority")


def environment_of(port):
    return {
        "LEADEREXEC_BUCKET": "anything",
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture
def serve(tools):
    """serve(pem): a store that shows that certificate; returns what leaderexec needs to find it."""

    def serve(pem, **more):
        return {**environment_of(tools("badstore.py", str(pem)).port), **more}

    return serve


TRUSTING = """set -e
mount --bind "$1" /etc/ssl/certs
shift
exec "$@"
"""


def test_a_bundle_takes_the_place_of_the_systems_authorities(launch, tmp_path, authority, serve):
    """In a mount namespace where the system trusts our authority."""
    system = tmp_path / "system"
    system.mkdir()
    (system / "ca-certificates.crt").write_text(authority.certificate.read_text())
    (system / "one.pem").write_text(authority.certificate.read_text())
    openssl("rehash", system)
    box = ["unshare", "-m", "--propagation", "private", "sh", "-c", TRUSTING, "sh", str(system)]
    env = serve(authority.issue("server", "IP:127.0.0.1"))
    trusting = launch(*FAST, "--", "sh", "-c", "exit 7", env=env, before=box)
    assert trusting.wait() == 7, trusting.err()
    other = Authority(tmp_path, "other")
    run = launch(*FAST, "--ca-bundle", other.certificate, "--", "true", env=env, before=box)
    assert run.wait() == 125
    assert "an authority that isn't trusted here" in one_line(run)


@pytest.mark.parametrize("how", ["--ca-bundle", "AWS_CA_BUNDLE", "LEADEREXEC_CA_BUNDLE", "profile"])
def test_an_authority_of_ones_own_can_be_trusted(launch, tmp_path, authority, serve, how):
    env = serve(authority.issue("server", "IP:127.0.0.1"))
    options = ("--ca-bundle", authority.certificate) if how == "--ca-bundle" else ()
    if how in ("AWS_CA_BUNDLE", "LEADEREXEC_CA_BUNDLE"):
        env[how] = str(authority.certificate)
    if how == "profile":
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {authority.certificate}\n")
        env["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    run = launch(*FAST, *options, "--", "sh", "-c", "exit 7", env=env)
    assert run.wait() == 7 and run.err() == ""


@pytest.mark.parametrize(
    "alternative, days, trusted, says",
    [
        (
            "IP:127.0.0.1",
            (-10, 10),
            False,
            "an authority that isn't trusted here: give that one's certificate by --ca-bundle",
        ),
        ("IP:127.0.0.1", (-10, -1), True, "its certificate has expired"),
        ("IP:127.0.0.1", (1, 10), True, "its certificate isn't valid yet"),
        ("DNS:store.example", (-10, 10), True, "its certificate is for another host name: correct --endpoint-url"),
        ("IP:10.0.0.1", (-10, 10), True, "its certificate is for another host name: correct --endpoint-url"),
    ],
)
def test_a_certificate_that_isnt_accepted_is_one_line(
    launch, tmp_path, authority, serve, alternative, days, trusted, says
):
    pem = authority.issue("server", alternative, *days)
    trusts = authority if trusted else Authority(tmp_path, "another")
    run = launch(*FAST, "--", "true", env=serve(pem, AWS_CA_BUNDLE=str(trusts.certificate)))
    assert run.wait() == 125
    assert says in one_line(run)


def test_a_self_signed_certificate_isnt_accepted(launch, tmp_path, authority, serve):
    pem = tmp_path / "self.pem"
    pem.write_text(authority.certificate.read_text() + authority.key.read_text())
    run = launch(*FAST, "--", "true", env=serve(pem))
    assert run.wait() == 125
    assert "isn't trusted here" in one_line(run)


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_bundle_that_holds_no_certificate_is_named(launch, tmp_path, authority, serve, content):
    (tmp_path / "bundle").write_text(content)
    env = serve(authority.issue("server", "IP:127.0.0.1"), AWS_CA_BUNDLE=str(tmp_path / "bundle"))
    run = launch(*FAST, "--", "true", env=env)
    assert run.wait() == 125
    assert "CA bundle" in one_line(run)


def test_tls_before_1_2_isnt_spoken(launch, authority, serve, monkeypatch):
    monkeypatch.setenv("TLS_MOST", "1.1")
    env = serve(authority.issue("server", "IP:127.0.0.1"), AWS_CA_BUNDLE=str(authority.certificate))
    run = launch(*FAST, "--no-wait", "--", "true", env=env)
    assert run.wait() == 125
    assert "no TLS 1.2 or later is spoken there" in run.err()


def test_https_where_http_is_spoken_is_said(launch, tools):
    store = tools("badstore.py")
    env = environment_of(store.port)
    run = launch(*FAST, "--no-wait", "--", "true", env=env)
    assert run.wait() == 125
    assert "no TLS 1.2 or later is spoken there" in run.err()


def test_keys_arent_asked_of_somebody_who_isnt_trusted(launch, tmp_path, authority, serve):
    """Nor is the request sent: an agent over https is verified as the store is."""
    env = serve(authority.issue("server", "IP:127.0.0.1"))
    env.update(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=env["AWS_ENDPOINT_URL"] + "/x",
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
    )
    run = launch(*FAST, "--no-wait", "--", "true", env=env)
    assert run.wait() == 125
    assert "the container's agent" in run.err() and "isn't trusted here" in run.err()


def test_a_ceph_behind_tls_serves(launch, child, ceph_store, gateways, authority):
    gateway = gateways.gateway(pem=authority.issue("ceph", "IP:127.0.0.1"))
    ceph_store.environment["AWS_ENDPOINT_URL"] = gateway.endpoint
    run = launch(*FAST, "--", "true", store=ceph_store)
    assert run.wait() == 125 and "isn't trusted here" in one_line(run)
    run = launch(*FAST, "--ca-bundle", authority.certificate, "--", *child("-d", 100), store=ceph_store)
    assert run.wait() == 0 and run.err() == ""
    assert len(child.terms()) == 1
