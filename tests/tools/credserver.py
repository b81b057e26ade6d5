#!/usr/bin/python3
"""Stand-ins for those who give AWS credentials, on loopback: EC2's instance metadata (IMDS), the agents of ECS and
EKS, STS and IAM Identity Center (SSO). They check what they are sent, signatures included.

    credserver.py CONTROL     prints its port; its mode is the line in the file CONTROL (see control.py)

The mode is "correct", or words that change what it does:
    life=S           keys last S seconds (3600); negative: they are over already
    only=TEXT        the following words count only for requests whose path or body has TEXT in it
    hang             never answers
    delay=S          answers after S seconds
    status=N         answers with that status and no keys
    body=NAME        answers with garbage, nothing, huge (10 MB), half (half a pair), control (a key that breaks a
                     header)
    redirect=URL     answers 302
    auth=TEXT        the agent wants this Authorization
    fail-after=N     answers so many requests for keys, then 500

Each pair of keys that it gives is new: ASIA, the service's name, a number. CONTROL.log has a JSON line for each
request: t, method, path, headers, body, and given, the access key.
"""

import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import control  # noqa: E402

STATIC = {"AKIASTATICSTATIC0001": "static-secret"}
IMDS_TOKEN, SSO_TOKEN, ROLE = "imds-token", "sso-token", "role-of-the-instance"
AGENT_PATH, REGION = "/agent/credentials", "test-region-1"
BODIES = {"garbage": b"<html>It works!", "nothing": b"", "huge": b"x" * 10_000_000}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Settings(dict):
    """The mode taken apart. for_request() gives those that count for it."""

    def __init__(self, mode):
        super().__init__()
        for word in mode.split():
            name, _, value = word.partition("=")
            self[name] = value

    def for_request(self, text):
        return self if self.get("only", "") in text else {k: v for k, v in self.items() if k in ("life", "auth")}


def signature_of(secret, method, path, headers, body, authorization):
    """What SigV4 makes of it, by the names that authorization says were signed."""
    fields = dict(part.strip().split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
    _, day, region, service, end = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    url = urllib.parse.urlsplit(path)
    canonical = "\n".join(
        [method, url.path, url.query, *(f"{name}:{headers[name].strip()}" for name in names), "", ";".join(names)]
        + [hashlib.sha256(body).hexdigest()]
    )
    scope = "/".join([day, region, service, end])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), fields["Signature"], service


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def reply(self, status, body=b"", kind="application/json", **headers):
        self.server.note(self)  # first: whoever has the answer may look for it
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, value):
        self.reply(status, json.dumps(value).encode())

    def keys(self, service):
        """A new pair: (access key, secret key, token, seconds); what the settings break is broken."""
        key, secret = self.server.new_keys(service)
        self.given = key
        if self.settings.get("body") == "half":
            secret = ""
        if self.settings.get("body") == "control":
            key += "\r\nx-evil: 1"
        return key, secret, f"token-of-{self.given}", float(self.settings.get("life", 3600))

    def answer(self):
        self.given, self.body = None, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.lower = {name.lower(): value for name, value in self.headers.items()}
        self.settings = Settings(self.server.control.mode).for_request(self.path + self.body.decode())
        try:
            if not self.misbehave():
                self.behave()
        except BrokenPipeError:
            pass

    def misbehave(self):
        """Does what the mode says in place of an answer; returns whether it did."""
        s = self.settings
        if "hang" in s:
            time.sleep(3600)
        time.sleep(float(s.get("delay", 0)))
        if "redirect" in s:
            self.reply(302, b"", Location=s["redirect"])
        elif "status" in s:
            self.json(int(s["status"]), {"code": "TestError", "message": "told to fail"})
        elif s.get("body") in BODIES:
            self.reply(200, BODIES[s["body"]])
        elif "fail-after" in s and self.server.count >= int(s["fail-after"]):
            self.json(500, {"message": "told to fail by now"})
        else:
            return False
        return True

    def behave(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/latest/api/token" and self.command == "PUT":
            ttl = self.lower.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            self.reply(200 if ttl.isdigit() else 400, IMDS_TOKEN.encode(), "text/plain")
        elif path.startswith("/latest/meta-data/"):
            self.metadata(path.removeprefix("/latest/meta-data/"))
        elif path == AGENT_PATH:
            self.agent()
        elif path == "/federation/credentials":
            self.sso()
        elif self.command == "POST" and path == "/":
            self.sts({name: values[0] for name, values in urllib.parse.parse_qs(self.body.decode()).items()})
        else:
            self.json(404, {"message": "no such path"})

    def metadata(self, path):
        token = self.lower.get("x-aws-ec2-metadata-token")
        if token != IMDS_TOKEN and "v1" not in self.server.control.mode.split():
            self.reply(401)
        elif path == "placement/region":
            self.reply(200, REGION.encode(), "text/plain")
        elif path == "iam/security-credentials/":
            self.reply(200, ROLE.encode(), "text/plain")
        elif path == "iam/security-credentials/" + ROLE:
            key, secret, token, life = self.keys("IMDS")
            self.json(
                200,
                {
                    "Code": "Success",
                    "Type": "AWS-HMAC",
                    "AccessKeyId": key,
                    "SecretAccessKey": secret,
                    "Token": token,
                    "Expiration": stamp(life),
                },
            )
        else:
            self.reply(404)

    def agent(self):
        if "auth" in self.settings and self.lower.get("authorization") != self.settings["auth"]:
            self.json(401, {"code": "Unauthorized", "message": "wrong token"})
            return
        key, secret, token, life = self.keys("AGENT")
        self.json(
            200,
            {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token, "Expiration": stamp(life), "RoleArn": "r"},
        )

    def sso(self):
        if self.lower.get("x-amz-sso_bearer_token") != SSO_TOKEN:
            self.json(401, {"message": "Session token not found or invalid"})
            return
        key, secret, token, life = self.keys("SSO")
        expiration = int((time.time() + life) * 1000)
        names = ("accessKeyId", "secretAccessKey", "sessionToken", "expiration")
        self.json(200, {"roleCredentials": dict(zip(names, (key, secret, token, expiration)))})

    def sts_error(self, status, code, message):
        body = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
            f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>sts-1</RequestId></ErrorResponse>"
        )
        self.reply(status, body.encode(), "text/xml")

    def sts(self, query):
        action, role = query.get("Action"), query.get("RoleArn", "")
        problem = None
        if query.get("Version") != "2011-06-15" or not query.get("RoleSessionName"):
            problem = "ValidationError", "no version or session name"
        elif action == "AssumeRole":
            problem = self.unsigned()
        elif action != "AssumeRoleWithWebIdentity":
            problem = "InvalidAction", action
        elif not query.get("WebIdentityToken", "").startswith("jwt"):
            problem = "InvalidIdentityToken", "it is no JWT"
        elif query["WebIdentityToken"] == "jwt-expired":
            problem = "ExpiredTokenException", "Token expired"
        if role.endswith("/forbidden"):
            problem = "AccessDenied", "not authorized to perform " + action
        if problem:
            self.sts_error(403 if problem[0] == "AccessDenied" else 400, *problem)
            return
        key, secret, token, life = self.keys("STS")
        self.reply(
            200,
            (
                f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
                f"<AssumedRoleUser><Arn>{role}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>"
                f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
                f"<Expiration>{stamp(life)}</Expiration></Credentials></{action}Result></{action}Response>"
            ).encode(),
            "text/xml",
        )

    def unsigned(self):
        """What is wrong with the signature, or None."""
        authorization = self.lower.get("authorization", "")
        key = authorization.partition("Credential=")[2].partition("/")[0]
        secret = self.server.secrets.get(key)
        if secret is None:
            return "InvalidClientTokenId", "no such key"
        if key not in STATIC and self.lower.get("x-amz-security-token") != f"token-of-{key}":
            return "InvalidClientTokenId", "no such token"
        good, theirs, service = signature_of(secret, self.command, self.path, self.lower, self.body, authorization)
        return None if good == theirs and service == "sts" else ("SignatureDoesNotMatch", "wrong signature")

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *arguments):
        pass


class CredentialServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = control.listen()
        self.control = control.Control(path, "correct")
        self.log_file = open(path + ".log", "a", buffering=1)
        self.lock = threading.Lock()
        self.secrets, self.count = dict(STATIC), 0

    def new_keys(self, service):
        with self.lock:
            self.count += 1
            key, secret = f"ASIA{service}{self.count:010d}", f"secret-{os.urandom(8).hex()}"
            self.secrets[key] = secret
            return key, secret

    def note(self, handler):
        line = json.dumps(
            {
                "t": time.clock_gettime(time.CLOCK_BOOTTIME),
                "method": handler.command,
                "path": handler.path,
                "headers": handler.lower,
                "body": handler.body.decode(),
                "given": handler.given,
            }
        )
        with self.lock:
            self.log_file.write(line + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    control.die_with_parent()
    control.serve(CredentialServer(sys.argv[1]))
