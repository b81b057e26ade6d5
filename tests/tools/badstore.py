#!/usr/bin/python3
"""A stand-in for stores that don't keep S3's promises: ListObjectsV2, GET, PUT, DELETE in memory.

Signatures aren't checked.

    badstore.py CONTROL [PEM]   prints its port; its mode is the line in the file CONTROL (see control.py). PEM: a
                                certificate and its key; then it speaks TLS, at most of the version in the variable
                                TLS_MOST ("1.1")

Modes:
    correct     PUT If-None-Match: * creates an object at most once
    ignore      ignores If-None-Match, as Ceph with versioning or s3rver do
    race        checks, waits 50 ms, then writes: right one at a time, wrong in a race
    html        answers everything with a web page: no S3 at all
    error STATUS CODE   answers everything with that, such as error 403 AccessDenied
    settings STATUS CODE   answers likewise where a bucket's settings are asked for, and everything else as it should
    versions    keeps what is deleted as an old version and adds a marker, as versioning has it, and lists versions of
                every key, whatever prefix is asked for
    expired KEY...      answers requests signed by these access keys with 400 ExpiredToken, and others as it should
    unknown KEY...      likewise with 403 InvalidAccessKeyId

CONTROL.log has a JSON line for each request: t (CLOCK_BOOTTIME, s), method, path, status, key and region (of the
access key that signed it), token and headers (its x-amz- ones).
"""
import email.utils
import hashlib
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import control  # noqa: E402

RACE_S = 0.05


class Objects:
    """What is stored: key to (bytes, time)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all = {}
        self.old = []  # (key, version id)

    def put(self, key, body, if_absent, mode):
        """Returns whether it was written."""
        with self.lock:
            if if_absent and mode != "ignore" and key in self.all:
                return False
            if mode != "race":
                self.all[key] = (body, time.time())
                return True
        time.sleep(RACE_S)
        with self.lock:
            self.all[key] = (body, time.time())
        return True

    def get(self, key):
        with self.lock:
            return self.all.get(key)

    def delete(self, key):
        with self.lock:
            self.all.pop(key, None)

    def hide(self, key):
        with self.lock:
            if self.all.pop(key, None):
                self.old.append((key, "v1"))
            self.old.append((key, f"marker-{len(self.old)}"))

    def purge(self, key, version):
        with self.lock:
            self.old = [entry for entry in self.old if entry != (key, version)]
            if version == "v1":
                self.all.pop(key, None)

    def versions(self):
        with self.lock:
            return [(key, "v1") for key in self.all] + self.old

    def page(self, prefix, after, most):
        """Returns ([(key, body, time)], truncated)."""
        with self.lock:
            keys = sorted((k for k in self.all if k.startswith(prefix) and k > after), key=lambda k: k.encode())
            return [(k, *self.all[k]) for k in keys[:most]], len(keys) > most


def listing(bucket, query, objects):
    prefix = query.get("prefix", [""])[0]
    after = max(query.get("start-after", [""])[0], query.get("continuation-token", [""])[0])
    most = int(query.get("max-keys", ["1000"])[0])
    page, truncated = objects.page(prefix, after, most)
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<Name>{escape(bucket)}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>",
        f"<MaxKeys>{most}</MaxKeys><IsTruncated>{'true' if truncated else 'false'}</IsTruncated>",
    ]
    if truncated:
        parts.append(f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>")
    for key, body, modified in page:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(modified)) + f".{int(modified * 1000) % 1000:03d}Z"
        parts.append(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{stamp}</LastModified>"
            f'<ETag>"{hashlib.md5(body).hexdigest()}"</ETag><Size>{len(body)}</Size></Contents>'
        )
    return ("".join(parts) + "</ListBucketResult>").encode()


def version_listing(objects):
    parts = [
        f"<Version><Key>{escape(key)}</Key><VersionId>{version}</VersionId></Version>"
        for key, version in objects.versions()
    ]
    return f"<ListVersionsResult>{''.join(parts)}</ListVersionsResult>".encode()


def make_tls(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if os.environ.get("TLS_MOST") == "1.1":
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def reply(self, status, body=b"", kind="application/xml", **headers):
        self.server.note(self, status)  # first: whoever has the answer may look for it
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if body:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code):
        self.reply(
            status,
            f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message>'
            f"<RequestId>bad-1</RequestId></Error>".encode(),
        )

    def signer(self):
        return self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        bucket, _, key = urllib.parse.unquote(url.path).lstrip("/").partition("/")
        mode, objects = self.server.control.mode, self.server.objects
        if mode == "html":
            self.reply(200, b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>", "text/html")
        elif mode.startswith("expired ") and self.signer() in mode.split():
            self.error(400, "ExpiredToken")
        elif mode.startswith("unknown ") and self.signer() in mode.split():
            self.error(403, "InvalidAccessKeyId")
        elif mode.startswith("error "):
            self.error(int(mode.split()[1]), mode.split()[2])
        elif mode.startswith("settings ") and query.keys() & {"versioning", "object-lock", "lifecycle"}:
            self.error(int(mode.split()[1]), mode.split()[2])
        elif mode == "versions" and "versions" in query:
            self.reply(200, version_listing(objects))
        elif mode == "versions" and "versionId" in query:
            objects.purge(key, query["versionId"][0])
            self.reply(204)
        elif mode == "versions" and self.command == "DELETE":
            objects.hide(key)
            self.reply(204, x_amz_version_id="marker", x_amz_delete_marker="true")
        elif self.command == "GET" and not key:
            self.reply(200, listing(bucket, query, objects))
        elif self.command in ("GET", "HEAD"):
            found = objects.get(key)
            if found is None:
                self.error(404, "NoSuchKey")
            else:
                self.reply(
                    200,
                    found[0],
                    "application/octet-stream",
                    Last_Modified=email.utils.formatdate(found[1], usegmt=True),
                )
        elif self.command == "PUT":
            if objects.put(key, body, self.headers.get("If-None-Match") == "*", mode):
                self.reply(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
            else:
                self.error(412, "PreconditionFailed")
        else:
            objects.delete(key)
            self.reply(204)

    do_GET = do_HEAD = do_PUT = do_DELETE = answer

    def log_message(self, *arguments):
        pass


class BadStore(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path, pem=None):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = control.listen()
        self.tls = make_tls(pem) if pem else None
        self.control = control.Control(path, "correct")
        self.objects = Objects()
        self.log_file = open(path + ".log", "a", buffering=1)
        self.log_lock = threading.Lock()

    def finish_request(self, request, client_address):
        """In the connection's own thread, so that a handshake holds up nobody."""
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that doesn't trust us is what some tests want."""

    def note(self, handler, status):
        line = json.dumps(
            {
                "t": time.clock_gettime(time.CLOCK_BOOTTIME),
                "method": handler.command,
                "path": handler.path,
                "status": status,
                "key": handler.signer(),
                "region": handler.headers.get("Authorization", "//").split("/")[2],
                "token": handler.headers.get("x-amz-security-token"),
                "headers": {n.lower(): v for n, v in handler.headers.items() if n.lower().startswith("x-amz-")},
            }
        )
        with self.log_lock:
            self.log_file.write(line + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    control.die_with_parent()
    control.serve(BadStore(*sys.argv[1:]))
