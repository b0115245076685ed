"""AWS Signature Version 4 with hashlib and hmac: no botocore in the long-running process.

Source: AWS General Reference, "Create a signed AWS API request", checked against AWS's published
test suite and against botocore. Every service but S3: the path is normalised and, being encoded
already, encoded once more. No I/O; the time is an argument.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, unquote, urlsplit

UNSIGNED = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"}
)
"""Headers that a proxy or the transport may still change are left out of the signature."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str] | list[tuple[str, str]],
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers to add: `authorization`, `x-amz-date`, with a token its own.

    `url` is what is sent, encoded; `headers` are those that are sent besides, of which `UNSIGNED`
    ones may change afterwards. `now` is an aware time. Nothing raises but a naive `now`.
    """
    if now.tzinfo is None:
        raise ValueError("the signing time needs a time zone")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": stamp}
    if session_token:
        added["x-amz-security-token"] = session_token
    values = _signed_values(url, headers, added)
    names = ";".join(sorted(values))
    request = canonical_request(method, url, values, sha256(body).hexdigest())
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = _hmac(signing_key(secret_key, stamp[:8], region, service), text).hex()
    added["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return added


def canonical_request(method: str, url: str, values: Mapping[str, str], body_hash: str) -> str:
    """Return the text whose hash is signed; `values` are the signed headers by lower-case name."""
    parts = urlsplit(url)
    lines = [
        method.upper(),
        canonical_path(parts.path),
        canonical_query(parts.query),
        *(f"{name}:{values[name]}" for name in sorted(values)),
        "",
        ";".join(sorted(values)),
        body_hash,
    ]
    return "\n".join(lines)


def canonical_path(path: str) -> str:
    """Return the path without `.`, `..` and empty segments, encoded once more."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + slash, safe="/~")


def canonical_query(query: str) -> str:
    """Return the parameters sorted, each name and value encoded in the one way that is allowed."""
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&"))
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """Return the key of one day (`YYYYMMDD`), region and service."""
    key = _hmac(f"AWS4{secret_key}".encode(), day)
    return _hmac(_hmac(_hmac(key, region), service), "aws4_request")


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _signed_values(
    url: str, headers: Mapping[str, str] | list[tuple[str, str]], added: dict[str, str]
) -> dict[str, str]:
    pairs = headers if isinstance(headers, list) else headers.items()
    values: dict[str, str] = {}
    for name, value in pairs:
        name = name.lower()
        if name in UNSIGNED or name in added:
            continue
        value = " ".join(value.split())
        values[name] = f"{values[name]},{value}" if name in values else value
    values.setdefault("host", host_header(url))
    values.update(added)
    return values


def host_header(url: str) -> str:
    """Return the `host` header that HTTP clients send for `url`: a default port is left out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    if port is None or port == _DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"{host}:{port}"
