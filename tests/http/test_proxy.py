"""Proxies: which one, and what goes through it."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
import trustme

from providers.errors import ConnectFailed, Disconnected, Malformed, NotConfigured, TimedOut
from providers.http.client import HttpRequest
from providers.http.proxy import ProxyRules, without_password
from providers.settings import HttpSettings
from tests.http.conftest import MakeClient, Serve
from tests.http.proxy_server import ProxyServer
from tests.http.server import CLOSE, END, Gate, RawServer, chunk, head, plain, server_context

StartProxy = Callable[..., Awaitable[ProxyServer]]


@pytest_asyncio.fixture
async def start_proxy() -> AsyncIterator[StartProxy]:
    proxies: list[ProxyServer] = []

    async def start(credentials: str | None = None, refuse: int | None = None) -> ProxyServer:
        proxies.append(await ProxyServer(credentials, refuse).start())
        return proxies[-1]

    yield start
    for proxy in proxies:
        await proxy.aclose()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("localhost", "127.0.0.1"))


def post(server: RawServer) -> HttpRequest:
    return HttpRequest("POST", server.url, {"authorization": "secret-key"}, b"{}")


@pytest.mark.asyncio
async def test_tunnel_with_credentials_streams_incrementally(
    start_proxy: StartProxy,
    make_client: MakeClient,
    serve: Serve,
    context: ssl.SSLContext,
    bundle: str,
) -> None:
    proxy = await start_proxy("user:p%40ss")
    proxy._credentials = "user:p@ss"
    client = make_client(proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}", ca_bundle=bundle)
    gate = Gate()
    server = await serve([head(), chunk(b"one"), gate, chunk(b"two"), END], context=context)
    response = await client.send(post(server))
    assert response.sent_at <= server.requests[0].at <= response.first_byte_at
    assert await response.receive() == b"one"
    gate.open()
    assert await response.receive() == b"two"
    assert await response.receive() == b""
    response.close()
    assert await (await client.send(post(server))).read() == b"onetwo"
    assert proxy.requests == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert client.connections(server.url) == (1, 1)
    assert "proxy-authorization" not in server.requests[0].headers


@pytest.mark.asyncio
async def test_plain_http_and_compression(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve
) -> None:
    import gzip

    proxy = await start_proxy()
    client = make_client({"http_proxy": proxy.url})
    server = await serve([plain(gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})])
    assert await (await client.send(post(server))).read() == b"text"
    assert proxy.requests == [f"POST {server.url} HTTP/1.1"]
    assert server.requests[0].body == b"{}"


@pytest.mark.asyncio
async def test_exceptions_go_directly(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve
) -> None:
    proxy = await start_proxy()
    client = make_client({"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"})
    server = await serve([plain(b"direct")])
    assert await (await client.send(post(server))).read() == b"direct"
    assert proxy.requests == []


@pytest.mark.asyncio
async def test_wrong_credentials_and_refusals(
    start_proxy: StartProxy,
    make_client: MakeClient,
    serve: Serve,
    context: ssl.SSLContext,
    bundle: str,
) -> None:
    server = await serve([plain(b"")], context=context)
    locked, refusing = await start_proxy("user:right"), await start_proxy(refuse=403)
    client = make_client(proxy=f"http://user:wrong@127.0.0.1:{locked.port}", ca_bundle=bundle)
    with pytest.raises(ConnectFailed, match="407") as caught:
        await client.send(post(server))
    assert "wrong" not in caught.value.message
    client = make_client(proxy=refusing.url, ca_bundle=bundle)
    with pytest.raises(ConnectFailed, match=r"the proxy .* refused .* 403"):
        await client.send(post(server))
    assert server.connections == []


@pytest.mark.asyncio
async def test_no_proxy_there(make_client: MakeClient, serve: Serve) -> None:
    gone = await serve([plain(b"")])
    await gone.aclose()
    client = make_client(proxy=f"http://u:secret@127.0.0.1:{gone.port}")
    with pytest.raises(ConnectFailed, match="through the proxy") as caught:
        await client.send(HttpRequest("GET", "http://127.0.0.1:9/", {}))
    assert "secret" not in caught.value.message


@pytest.mark.asyncio
async def test_unknown_ca_through_a_tunnel(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve, context: ssl.SSLContext
) -> None:
    proxy = await start_proxy()
    client = make_client(proxy=proxy.url)
    server = await serve([plain(b"")], context=context)
    with pytest.raises(ConnectFailed, match=r"http\.caBundle"):
        await client.send(post(server))


@pytest.mark.asyncio
async def test_bounds_of_time(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve
) -> None:
    proxy = await start_proxy()
    client = make_client(proxy=proxy.url, first_byte=0.05, idle=0.06, total=5)
    server = await serve([Gate()], [head(), chunk(b"a"), Gate()], [head(), chunk(b"a"), Gate()])
    with pytest.raises(TimedOut) as caught:
        await client.send(post(server))
    assert caught.value.phase == "firstByte"
    await server.connections[0].closed()
    response = await client.send(post(server))
    assert await response.receive() == b"a"
    with pytest.raises(TimedOut) as caught:
        await response.receive()
    assert caught.value.phase == "idle"
    response = await client.send(post(server), total=0.03)
    await response.receive()
    with pytest.raises(TimedOut) as caught:
        await response.receive()
    assert caught.value.phase == "total"


@pytest.mark.asyncio
async def test_deaf_proxy_counts_as_connecting(make_client: MakeClient, serve: Serve) -> None:
    deaf = await serve([Gate()])
    client = make_client(proxy=deaf.origin, connect=0.05)
    with pytest.raises(TimedOut) as caught:
        await client.send(HttpRequest("GET", "https://127.0.0.1:9/", {}))
    assert caught.value.phase == "connect"


@pytest.mark.asyncio
async def test_broken_answers(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve
) -> None:
    proxy = await start_proxy()
    client = make_client(proxy=proxy.url)
    server = await serve([CLOSE], [head(), chunk(b"a"), CLOSE], [b"not http at all\r\n\r\n", CLOSE])
    with pytest.raises(Disconnected):
        await client.send(post(server))
    response = await client.send(post(server))
    assert await response.receive() == b"a"
    with pytest.raises(Disconnected):
        await response.receive()
    with pytest.raises(Malformed):
        await client.send(post(server))


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["close", "cancel", "cancel head"])
async def test_close_and_cancel_reach_the_upstream(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve, way: str
) -> None:
    proxy = await start_proxy()
    client = make_client(proxy=proxy.url)
    server = await serve([Gate()] if way == "cancel head" else [head(), chunk(b"a"), Gate()])
    sending = asyncio.create_task(client.send(post(server)))
    await server.arrived(1)
    if way == "cancel head":
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    else:
        response = await sending
        await response.receive()
        if way == "close":
            response.close()
        else:
            reading = asyncio.create_task(response.receive())
            await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
    await server.connections[0].closed(0.2)


@pytest.mark.asyncio
async def test_socks_without_its_extra_is_explained(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    client = make_client({"ALL_PROXY": "socks5://me:secret@127.0.0.1:1080"})
    with pytest.raises(NotConfigured, match=r"pip install .*socks") as caught:
        await client.send(HttpRequest("GET", "http://127.0.0.1:9/", {}))
    assert "secret" not in caught.value.message


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "proxy", ["socks4://h:1", "nonsense://h", "http://me:secret@[bad", "http://h:99999", "http://"]
)
async def test_an_address_that_is_no_proxy_s(make_client: MakeClient, proxy: str) -> None:
    client = make_client(proxy=proxy)
    with pytest.raises(NotConfigured, match="a proxy's address begins with") as caught:
        await client.send(HttpRequest("GET", "https://service.example/", {}))
    assert "secret" not in caught.value.message + str(client.describe())


@pytest.mark.asyncio
async def test_a_proxy_that_wants_a_password_for_plain_http(
    start_proxy: StartProxy, make_client: MakeClient, serve: Serve
) -> None:
    proxy = await start_proxy("user:right")
    server = await serve([plain(b"")])
    client = make_client(proxy=f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(ConnectFailed, match=r"wants another user and password.*http\.proxy"):
        await client.send(post(server))


def test_direct_requests_do_not_import_httpcore() -> None:
    program = """
import asyncio, sys
from providers.http import client
from providers.settings import HttpSettings, TimeoutSettings
from tests.http.server import RawServer, plain
async def main():
    server = await RawServer.start([plain(b"x")])
    http = client.HttpClient(HttpSettings(), TimeoutSettings(), environ={})
    assert await (await http.send(client.HttpRequest("GET", server.url, {}))).read() == b"x"
    await http.aclose()
    await server.aclose()
asyncio.run(main())
unwanted = {"httpcore", "anyio", "h11", "rich", "click", "pygments", "certifi", "truststore"}
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_itself_imports_nothing() -> None:
    program = (
        "import sys, providers.http; assert not {'httpx', 'ssl', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


CORP = "http://proxy.corp:3128"
LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("settings", "environ", "url", "expected"),
    [
        ({}, {}, ("https", "api.example", 443), None),
        ({}, {"HTTPS_PROXY": CORP}, ("https", "api.example", 443), CORP),
        ({}, {"HTTPS_PROXY": CORP}, ("http", "api.example", 80), None),
        ({}, {"HTTP_PROXY": CORP}, ("https", "api.example", 443), None),
        ({}, {"ALL_PROXY": CORP}, ("https", "api.example", 443), CORP),
        ({}, {"https_proxy": LOCAL, "HTTPS_PROXY": CORP}, ("https", "api.example", 443), LOCAL),
        ({}, {"https_proxy": "", "HTTPS_PROXY": CORP}, ("https", "api.example", 443), None),
        ({}, {"HTTPS_PROXY": "proxy.corp:3128"}, ("https", "api.example", 443), CORP),
        ({}, {"HTTP_PROXY": CORP, "REQUEST_METHOD": "GET"}, ("http", "a.example", 80), None),
        ({"proxy": LOCAL}, {"HTTPS_PROXY": CORP}, ("https", "api.example", 443), LOCAL),
        ({"proxy": LOCAL}, {"NO_PROXY": "api.example"}, ("https", "api.example", 443), None),
        (
            {"proxy": LOCAL, "no_proxy": []},
            {"NO_PROXY": "api.example"},
            ("https", "api.example", 443),
            LOCAL,
        ),
        # Loopback: only through a proxy on loopback.
        ({}, {"HTTP_PROXY": CORP}, ("http", "localhost", 11434), None),
        ({"proxy": CORP}, {}, ("http", "127.0.0.1", 11434), None),
        ({"proxy": CORP}, {}, ("http", "::1", 11434), None),
        ({}, {"HTTP_PROXY": LOCAL}, ("http", "localhost", 11434), LOCAL),
    ],
)
def test_choice(
    settings: dict[str, object],
    environ: dict[str, str],
    url: tuple[str, str, int],
    expected: str | None,
) -> None:
    assert ProxyRules(HttpSettings(**settings), environ).proxy_for(*url) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exception", "host", "port", "direct"),
    [
        ("example.com", "example.com", 443, True),
        ("example.com", "api.example.com", 443, True),
        ("example.com", "notexample.com", 443, False),
        (".example.com", "api.example.com", 443, True),
        (".example.com", "example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("EXAMPLE.com", "api.Example.COM.", 443, True),
        ("example.com:8443", "example.com", 443, False),
        ("example.com:443", "example.com", 443, True),
        ("*", "anything", 80, True),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("fd00::/8", "fd00::1", 80, True),
        ("[fd00::1]:80", "fd00::1", 80, True),
        ("[fd00::1]:81", "fd00::1", 80, False),
        ("a b,example.com , c", "example.com", 80, True),
        ("", "example.com", 80, False),
        (".", "example.com", 80, False),
    ],
)
def test_exceptions(exception: str, host: str, port: int, direct: bool) -> None:
    rules = ProxyRules(HttpSettings(proxy=CORP, no_proxy=exception), {})
    assert (rules.proxy_for("https", host, port) is None) is direct


def test_passwords_are_not_shown(make_client: MakeClient) -> None:
    assert without_password("http://user:pw@h:1/x") == "http://***@h:1"
    assert without_password("https://[::1]:3128") == "https://[::1]:3128"
