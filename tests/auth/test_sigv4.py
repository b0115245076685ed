"""SigV4: the same signature as botocore's, and as AWS's published test suite says."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.auth.sigv4 import canonical_path, canonical_query, sign

NOW = datetime(2026, 11, 21, 12, 30, 45, tzinfo=UTC)
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # AWS's own example


class FixedClock(SigV4Auth):
    """botocore's signer, which takes the time from the request when it is there."""

    def sign_at(self, request: AWSRequest, stamp: str) -> None:
        request.context["timestamp"] = stamp
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)


def botocore_signs(
    method: str, url: str, headers: dict[str, str], body: bytes, token: str | None = None
) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    signer = FixedClock(Credentials(ACCESS, SECRET, token), "bedrock", "eu-central-1")
    signer.sign_at(request, NOW.strftime("%Y%m%dT%H%M%SZ"))
    return {name.lower(): value for name, value in request.headers.items()}


def we_sign(
    method: str, url: str, headers: dict[str, str], body: bytes, token: str | None = None
) -> dict[str, str]:
    return sign(
        method,
        url,
        headers,
        body,
        access_key=ACCESS,
        secret_key=SECRET,
        session_token=token,
        region="eu-central-1",
        service="bedrock",
        now=NOW,
    )


HOST = "https://bedrock-runtime.eu-central-1.amazonaws.com"


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEXAMPLE//=="])
@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        (
            "POST",
            f"{HOST}/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
            {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"},
            b'{"messages":[]}',
        ),
        (
            "POST",
            f"{HOST}/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/invoke",
            {"content-type": "application/json", "user-agent": "never signed"},
            "é👍".encode(),
        ),
        ("GET", f"{HOST}/foundation-models?byProvider=anthropic&byOutputModality=TEXT", {}, b""),
        ("GET", "http://127.0.0.1:8080/a//b/./c/../d/?z=1&a=2&a=1", {"X-Two": " a   b "}, b""),
        ("GET", "https://example.com:443/", {}, b""),
        ("POST", "http://localhost", {"X-Amzn-Trace-Id": "t", "Expect": "100-continue"}, b"x"),
    ],
)
def test_signature_is_botocores(
    method: str, url: str, headers: dict[str, str], body: bytes, token: str | None
) -> None:
    theirs = botocore_signs(method, url, headers, body, token)
    for name, value in we_sign(method, url, headers, body, token).items():
        assert value == theirs[name]


segment = st.text("abcXYZ019-_.~%:@!$&'()*+,;= é", max_size=6)


@settings(max_examples=60)
@given(
    path=st.lists(segment, max_size=4),
    header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    body=st.binary(max_size=40),
)
def test_any_request_is_signed_as_botocore_does(path: list[str], header: str, body: bytes) -> None:
    url = HOST + "".join("/" + quote(part, safe="") for part in path)
    headers = {"x-any": header}
    theirs = botocore_signs("POST", url, headers, body)
    assert we_sign("POST", url, headers, body)["authorization"] == theirs["authorization"]


def test_the_day_is_that_of_utc() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    signed = sign(
        "GET",
        HOST,
        {},
        b"",
        access_key=ACCESS,
        secret_key=SECRET,
        session_token=None,
        region="r",
        service="s",
        now=late,
    )
    assert signed["x-amz-date"] == "20261122T043000Z"
    assert "/20261122/r/s/aws4_request" in signed["authorization"]


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        sign(
            "GET",
            HOST,
            {},
            b"",
            access_key="a",
            secret_key="s",
            session_token=None,
            region="r",
            service="s",
            now=datetime(2026, 1, 1),
        )


def test_paths_and_queries_have_one_spelling() -> None:
    assert canonical_path("") == "/"
    assert canonical_path("/a/./b//../c/") == "/a/c/"
    assert canonical_path("/x%3Ay") == "/x%253Ay"
    assert canonical_query("b=2&a=%7e&a=") == "a=&a=~&b=2"


def test_no_secret_is_in_what_is_sent() -> None:
    assert SECRET not in str(we_sign("GET", HOST, {}, b""))


# --- AWS's test suite -------------------------------------------------------------------------


def parse_request(text: str) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """Read a `.req` file: a raw HTTP request, its path not encoded, header lines maybe folded."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    lines = head.split("\n")
    method, _, rest = lines[0].partition(" ")
    target = rest.rsplit(" ", 1)[0]
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in " \t" and headers:
            name, value = headers.pop()
            headers.append((name, f"{value} {line}"))
            continue
        if line:
            name, _, value = line.partition(":")
            headers.append((name, value))
    return method, target, headers, body.encode()


def test_the_published_suite(shared: Path) -> None:
    cases = sorted((shared / "vectors/sigv4/aws4_testsuite").rglob("*.req"))
    wrong = []
    for case in cases:
        method, target, headers, body = parse_request(case.read_text(encoding="utf-8"))
        host = next(value for name, value in headers if name.lower() == "host")
        given = {name.lower(): value for name, value in headers}
        # One case has its token in the canonical request only.
        token = re.search(
            "^x-amz-security-token:(.+)$", case.with_suffix(".creq").read_text("utf-8"), re.M
        )
        signed = sign(
            method,
            f"https://{host}{target}",
            headers,
            body,
            access_key=ACCESS,
            secret_key=SECRET,
            session_token=token[1] if token else None,
            region="us-east-1",
            service="service",
            now=datetime.strptime(given["x-amz-date"].strip(), "%Y%m%dT%H%M%SZ").replace(
                tzinfo=UTC
            ),
        )
        if signed["authorization"] != case.with_suffix(".authz").read_text(encoding="utf-8"):
            wrong.append(case.stem)
    assert len(cases) >= 30
    assert wrong == []
