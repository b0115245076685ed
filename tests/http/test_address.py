"""Where a URL points, held against httpx's reading of the same text."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.http.address import parse
from providers.http.faults import InvalidURL

HOSTS = ["example.com", "EXAMPLE.com", "127.0.0.1", "[::1]", "a-b.c_d.e", "localhost", "bücher.de"]
PORTS = ["", ":80", ":443", ":8080", ":1", ":65535"]
LETTERS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="?#\\[]{}|^`<>\" '%"),
    max_size=20,
)


def as_httpx(url: str) -> tuple[str, bytes, int | None, bytes, bytes]:
    read = httpx.URL(url)
    return read.scheme, read.raw_host, read.port, read.raw_path, read.netloc


def as_ours(url: str) -> tuple[str, bytes, int | None, bytes, bytes]:
    read = parse(url)
    return read.scheme, read.host.encode(), read.port, read.target, read.netloc


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.sampled_from(HOSTS),
    port=st.sampled_from(PORTS),
    # At a path's end, httpx leaves out the slash that is left of these.
    path=st.lists(LETTERS | st.sampled_from([".", ".."]), max_size=5).filter(
        lambda parts: parts[-1:] not in ([".."], ["."])
    ),
    query=st.none() | LETTERS,
)
def test_read_as_httpx_reads_it(
    scheme: str, host: str, port: str, path: list[str], query: str | None
) -> None:
    url = f"{scheme}://{host}{port}" + "".join(f"/{part}" for part in path)
    url += "" if not query else f"?{query}"
    assert as_ours(url) == as_httpx(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/model/anthropic.claude-v2%3A1/invoke",  # signed as it stands: not encoded again
        "https://h/v1beta/models/gemini:streamGenerateContent?alt=sse",
        "https://h/a%20b?c=d%26e&f=g+h",
        "https://user:secret@h/x#fragment",
        "https://h/a b?c d",
    ],
)
def test_what_services_use(url: str) -> None:
    assert as_ours(url) == as_httpx(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h/x",
        "ftp://h/",
        "https://",
        "https:///x",
        "https://h:0/",
        "https://h:99999/",
        "https://h:x/",
        "https://[::1/",
        "https://[zz]/",
        "https://a b/",
        "https://h/\r\nX: y",
        "https://h/\0",
        "https://" + "a" * 70_000,
        "https://h\u2025/",
        "https://[fe80::1%eth\u00fc]/",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse(url)
    assert url[8:] == "" or url[8:] not in str(caught.value)


def resolved(path: str) -> str:
    """RFC 3986, 5.2.4, step by step as it stands there."""
    left, made = path, ""
    while left:
        if left.startswith(("../", "./")):
            left = left.partition("/")[2]
        elif left.startswith("/./") or left == "/.":
            left = "/" + left[3:]
        elif left.startswith("/../") or left == "/..":
            left = "/" + left[4:]
            made = made.rpartition("/")[0]
        elif left in (".", ".."):
            left = ""
        else:
            end = left.find("/", 1)
            segment, left = (left, "") if end < 0 else (left[:end], left[end:])
            made += segment
    return made


@given(st.lists(st.sampled_from([".", "..", "a", "b.", "...", "", ".c"]), max_size=8))
def test_dots_are_resolved_as_the_rfc_says(parts: list[str]) -> None:
    path = "".join(f"/{part}" for part in parts)
    assert parse(f"https://h{path}?a=../b").target == (resolved(path) or "/").encode() + b"?a=../b"


def test_a_base_url_with_dots() -> None:
    assert parse("https://host/a/../v1/./chat/completions").target == b"/v1/chat/completions"
    assert parse("https://host/../../v1").target == b"/v1"
    assert parse("https://host/v1/..").target == b"/"
    assert parse("https://host/a%2F..%2Fb").target == b"/a%2F..%2Fb"  # one segment
