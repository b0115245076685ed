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
).filter(
    lambda part: part not in (".", "..")
)  # httpx resolves these; here they are sent as they are


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
    path=st.lists(LETTERS, max_size=3),
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
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        parse(url)
    assert url[8:] == "" or url[8:] not in str(caught.value)
