"""The services that credential chains call, on loopback, and homes with the files they read."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body).items()}


@dataclass
class Service:
    """Answers every call with the next of `answers` (the last one repeats)."""

    url: str
    calls: list[Call] = field(default_factory=list)
    tunnels: list[str] = field(default_factory=list)
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    paths: dict[str, object] = field(default_factory=dict)
    location: str | None = None

    def answer(self, body: object, status: int = 200) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/xml" if text.startswith("<") else "application/json"
        self.answers.append((status, kind, text))

    def next_answer(self, path: str) -> tuple[int, str, str]:
        if path in self.paths:
            body = self.paths[path]
            if isinstance(body, str):
                return 200, "text/plain", body
            return 200, "application/json", json.dumps(body)
        if not self.answers:
            return (200 if path == "/" else 404), "text/plain", ""
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


@contextlib.contextmanager
def service(behind_proxy: ssl.SSLContext | None = None) -> Iterator[Service]:
    """Serve on loopback; with a TLS context, as the proxy on the way to the real host."""

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            assert behind_proxy is not None
            running.tunnels.append(self.path)
            self.send_response(200)
            self.end_headers()
            with behind_proxy.wrap_socket(self.connection, server_side=True) as inner:
                self.connection = inner
                self.rfile, self.wfile = inner.makefile("rb"), inner.makefile("wb")
                self.handle_one_request()
                self.wfile.close()
                self.rfile.close()
            self.close_connection = True

        def do_GET(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            running.calls.append(
                Call(self.command, self.path, headers, self.rfile.read(size).decode())
            )
            status, kind, text = running.next_answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Metadata-Flavor", "Google")
            if running.location is not None:
                self.send_header("Location", running.location)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def iso(seconds: float) -> str:
    """Return the time in so many seconds, as AWS writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def assumed_role(access: str, secret: str, token: str, seconds: float) -> str:
    return f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>
<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials>
<AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>{token}</SessionToken><Expiration>{iso(seconds)}</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


class Home:
    """A person's home folder, and an environment in which nothing else is found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / ".aws").mkdir()
        self.environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(path),
            "USERPROFILE": str(path),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_GCE_CHECK": "true",
            "CLOUDSDK_CONFIG": str(path / "gcloud"),
        }

    def aws_config(self, text: str) -> None:
        (self.path / ".aws" / "config").write_text(text, "utf-8")

    def aws_credentials(self, text: str) -> None:
        (self.path / ".aws" / "credentials").write_text(text, "utf-8")

    def script(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return path

    def google_login(self, **more: str) -> Path:
        """Write what `gcloud auth application-default login` leaves behind.

        Its tokens come from Google's own address whatever the file says.
        """
        folder = self.path / "gcloud"
        folder.mkdir(exist_ok=True)
        path = folder / "application_default_credentials.json"
        login = {
            "type": "authorized_user",
            "client_id": "id.apps.googleusercontent.com",
            "client_secret": "d-FL95Q19q7MQmFpd7hHD0Ty",
            "refresh_token": "1//refresh-token-of-a-person",
            **more,
        }
        path.write_text(json.dumps(login), "utf-8")
        return path
