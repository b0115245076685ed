"""What the client adds: errors in our words, plain http, descriptions, and httpx's own seam."""

import asyncio

import httpx
import pytest

from providers.errors import ConnectFailed, Disconnected, NotConfigured, ProviderError
from providers.http.client import HttpClient, HttpRequest
from providers.http.plain import check_plain_http, is_loopback
from tests.http.conftest import MakeClient, Serve
from tests.http.httpx_seam import own_transport
from tests.http.server import CLOSE, END, RESET, Gate, chunk, chunked, head, plain


@pytest.mark.asyncio
async def test_refused(client: HttpClient, serve: Serve) -> None:
    server = await serve([])
    await server.aclose()
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ConnectFailed) as caught:
            await client.send(HttpRequest("GET", f"http://{host}:{server.port}/?key=SECRET", {}))
        error = caught.value
        assert error.message == f"cannot connect to {host}:{server.port}: Connection refused"
        assert (error.kind, error.retryable) == ("network", True)


@pytest.mark.asyncio
async def test_unknown_name(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    async def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    with pytest.raises(ConnectFailed, match=r"the name of no\.example cannot be resolved"):
        await client.send(HttpRequest("GET", "https://no.example/x", {}))


@pytest.mark.asyncio
@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_disconnected_before_and_in_the_answer(
    client: HttpClient, serve: Serve, end: object
) -> None:
    server = await serve([end], [head(), chunk(b"a"), 0.02, end])
    with pytest.raises(Disconnected, match="before it answered"):
        await client.send(HttpRequest("GET", server.url, {}))
    response = await client.send(HttpRequest("GET", server.url, {}))
    assert await response.receive() == b"a"
    for _ in range(2):
        with pytest.raises(Disconnected, match="in the middle of its answer"):
            await response.receive()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/", {}),
        ("/relative", {}),
        ("http:///nohost", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://127.0.0.1:9/", {"authorization": "Bearer SECRET\r\nX-Evil: 1"}),
        ("http://127.0.0.1:9/", {"authorization": "Bearer SECRET\n"}),
        ("http://127.0.0.1:9/", {"authorization": "SECRET\0"}),
        ("http://127.0.0.1:9/", {"näme": "SECRET"}),
        ("http://127.0.0.1:9/", {"x": "SECRET\ud800"}),
        ("http://127.0.0.1:9/", {"a: b": "SECRET"}),
    ],
)
async def test_what_cannot_be_sent(client: HttpClient, url: str, headers: dict[str, str]) -> None:
    with pytest.raises(NotConfigured) as caught:
        await client.send(HttpRequest("GET", url, headers))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None or "SECRET" not in str(caught.value.__cause__)


@pytest.mark.asyncio
async def test_after_closing(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x")])
    await (await client.send(HttpRequest("GET", server.url, {}))).read()
    await client.aclose()
    await client.aclose()
    with pytest.raises(ProviderError):
        await client.send(HttpRequest("GET", server.url, {}))


def test_request_shows_no_secret() -> None:
    request = HttpRequest("POST", "https://h/?key=SECRET", {"a": "SECRET"}, b"SECRET")
    assert "SECRET" not in repr(request)


@pytest.mark.asyncio
async def test_description(make_client: MakeClient) -> None:
    told = make_client({"HTTPS_PROXY": "http://u:pw@p:1", "NO_PROXY": "a,b"}).describe()
    assert told.proxies == {"https": "http://***@p:1"}
    assert (told.proxy_source, told.no_proxy) == (
        "the environment's HTTPS_PROXY or its like",
        ["a", "b"],
    )
    told = make_client(proxy="http://q:2", ca_bundle="/ca.pem").describe()
    assert (told.proxies["http"], told.proxy_source, told.ca) == (
        "http://q:2",
        "http.proxy",
        "/ca.pem",
    )
    told = make_client().describe()
    assert (told.proxies, told.proxy_source, told.ca) == ({}, "none", "the operating system's")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example/v1", []),
        ("http://localhost:8000/v1", []),
        ("http://127.8.9.1/v1", []),
        ("http://[::1]:11434", []),
        ("http://gateway.lan:8000/v1", ["gateway.lan"]),
        ("http://Gateway.LAN:8000/v1", ["other", "gateway.lan:8000"]),
        ("http://10.0.0.7/v1", ["10.0.0.7"]),
        ("http://[fd00::1]/v1", ["fd00::1"]),
    ],
)
def test_plain_http_allowed(url: str, allowed: list[str]) -> None:
    check_plain_http(url, allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://api.example/v1", []),
        ("HTTP://api.example/v1", []),
        ("http://localhost.evil.example/", []),
        ("http://127.0.0.1.evil.example/", []),
        ("http://127.0.0.1@evil.example/", []),
        ("http://10.0.0.7/", ["10.0.0.8"]),
        ("http://gateway.lan:8001/", ["gateway.lan:8000"]),
        ("http://sub.gateway.lan/", ["gateway.lan"]),
        ("http://2130706433/", []),
    ],
)
def test_plain_http_refused(url: str, allowed: list[str]) -> None:
    with pytest.raises(NotConfigured, match=r"http\.allowPlainHttp"):
        check_plain_http(url, allowed)


def test_loopback() -> None:
    yes = ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.255.0.1", "::1", "[::1]"]
    no = ["localhost.x", "128.0.0.1", "0.0.0.0", "::2", "example.com", ""]
    assert [is_loopback(h) for h in yes] == [True] * len(yes)
    assert [is_loopback(h) for h in no] == [False] * len(no)


# --- Under httpx's own client -------------------------------------------------------


@pytest.mark.asyncio
async def test_under_httpx(serve: Serve) -> None:
    import gzip

    squeezed = {"Content-Encoding": "gzip"}
    server = await serve(chunked(b"a", b"b"), [plain(gzip.compress(b"text"), headers=squeezed)])
    async with httpx.AsyncClient(transport=own_transport()) as client:
        async with client.stream("POST", server.url, json={"a": 1}) as response:
            parts = [part async for part in response.aiter_raw()]
        assert b"".join(parts) == b"ab"
        assert (await client.get(server.url)).text == "text"
    assert server.requests[0].body == b'{"a":1}'
    assert len(server.connections) == 1
    await server.connections[0].closed()


@pytest.mark.asyncio
async def test_streamed_request_under_httpx(serve: Serve) -> None:
    server = await serve([plain(b"ok")])

    async def parts() -> object:
        yield b"one"
        yield b"two"

    async with httpx.AsyncClient(transport=own_transport()) as client:
        assert (await client.post(server.url, content=parts())).text == "ok"  # type: ignore[arg-type]
    assert server.requests[0].body == b"onetwo"
    assert "transfer-encoding" not in server.requests[0].headers


@pytest.mark.asyncio
async def test_errors_under_httpx(serve: Serve) -> None:
    server = await serve([Gate()], [head(), chunk(b"a"), 0.02, CLOSE], [head(), Gate(), END])
    async with httpx.AsyncClient(transport=own_transport(), timeout=0.1) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url)
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://127.0.0.1/")
    for record in server.connections:
        await record.closed()
