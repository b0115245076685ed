"""Providers of the clouds against a server on loopback, which checks signatures as AWS does."""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from providers.auth.redact import Redactor
from providers.catalog import Catalog
from providers.http.client import HttpClient, HttpRequest, HttpResponse
from providers.settings import HttpSettings, ProviderSettings, TimeoutSettings
from providers.types import ChatRequest, Message, Text
from providers.vendors.context import ProviderContext
from tests.http.server import Recorded, Step, chunked, plain

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
NOWHERE = {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}


class Rerouted(HttpClient):
    """Goes to `origin` whatever the address says; `urls` are those that were asked for."""

    origin = ""
    urls: list[str]

    async def send(self, request: HttpRequest, **bounds: Any) -> HttpResponse:
        self.urls.append(request.url)
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        here = msgspec.structs.replace(request, url=f"{self.origin}{parts.path}{query}")
        return await super().send(here, **bounds)


def context(environ: Mapping[str, str] = KEYS, origin: str = "") -> ProviderContext:
    """Return a context; with `origin` its client goes there, whatever the address."""
    made = ProviderContext(
        environ={**NOWHERE, **environ},
        catalog=Catalog({}),
        http=HttpSettings(),
        timeouts=TimeoutSettings(),
        redactor=Redactor(),
        on_status=lambda provider, text: None,
    )
    if origin:
        client = Rerouted(made.http, made.timeouts, environ={})
        client.origin, client.urls = origin, []
        made.client_if_used = client
    return made


def asked_urls(made: ProviderContext) -> list[str]:
    assert isinstance(made.client_if_used, Rerouted)
    return made.client_if_used.urls


def table(**settings: object) -> ProviderSettings:
    return msgspec.convert(settings, ProviderSettings)


def chat(model: str = "", text: str = "Hello", **options: object) -> ChatRequest:
    return ChatRequest(messages=[Message("user", [Text(text)])], model=model, **options)  # type: ignore[arg-type]


# --- AWS's event stream -------------------------------------------------------------------------


def event(kind: str, payload: bytes, *, message_type: str = "event") -> bytes:
    """Return one frame (AWS, "Event stream encoding"): prelude, headers, payload, two CRCs."""
    names = {
        ":exception-type" if message_type == "exception" else ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": message_type,
    }
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value
        for name, value in ((n, v.encode()) for n, v in names.items())
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    frame = prelude + headers + payload
    return frame + struct.pack("!I", zlib.crc32(frame))


def converse_events(*texts: str) -> bytes:
    """Return a whole answer of Converse."""
    frames = [event("messageStart", b'{"role":"assistant","p":"abc"}')]
    for text in texts:
        delta = {"contentBlockIndex": 0, "delta": {"text": text}, "p": "ab"}
        frames.append(event("contentBlockDelta", msgspec.json.encode(delta)))
    frames.append(event("contentBlockStop", b'{"contentBlockIndex":0}'))
    frames.append(event("messageStop", b'{"stopReason":"end_turn"}'))
    usage = (
        b'{"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7},"metrics":{"latencyMs":1}}'
    )
    frames.append(event("metadata", usage))
    return b"".join(frames)


def event_stream(body: bytes) -> list[Step]:
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    cut = len(body) // 3 or 1
    return chunked(body[:cut], body[cut:], headers=headers)


def json_answer(value: object, status: int = 200, **headers: str) -> Sequence[Step]:
    kind = {"content-type": "application/json"} | headers
    return [plain(msgspec.json.encode(value), status, kind)]


# --- Signatures ---------------------------------------------------------------------------------

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, SignedHeaders=(?P<names>[^,]+), "
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class Signer(SigV4Auth):
    """botocore's signer at the time that the request names."""

    def signature_of(self, request: AWSRequest, stamp: str) -> str:
        request.context["timestamp"] = stamp
        canonical = self.canonical_request(request)
        return self.signature(self.string_to_sign(request, canonical), request)


def signed_for(request: Recorded, host: str, secret: str = SECRET) -> tuple[str, str]:
    """Return region and service of a request's signature, which botocore has found right.

    `host` is the one that the request was made for: what arrived is checked, not what was meant.
    """
    found = _AUTHORIZATION.fullmatch(request.headers["authorization"])
    assert found is not None, request.headers["authorization"]
    names = found["names"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    assert "content-type" in names or not request.body
    headers = {name: request.headers[name] for name in names if name != "host"}
    headers["host"] = host
    copy = AWSRequest(
        method=request.method,
        url=f"http://{host}{request.path}",
        headers=headers,
        data=request.body,
    )
    signer = Signer(Credentials(found["key"], secret), found["service"], found["region"])
    assert signer.signature_of(copy, request.headers["x-amz-date"]) == found["signature"]
    assert request.headers["x-amz-date"].startswith(found["day"])
    return found["region"], found["service"]
