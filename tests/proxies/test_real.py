"""Streams through other people's proxies: they arrive as they are sent, and refusals are told."""

import gc
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from providers.errors import ConnectFailed, NotConfigured
from providers.http.client import HttpClient, HttpRequest
from tests.http.conftest import MakeClient, Serve, make_client, serve, servers
from tests.http.server import END, Gate, RawServer, chunk, head, plain, server_context
from tests.proxies import real

__all__ = ["make_client", "serve", "servers"]

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


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


@pytest.fixture(scope="module")
def mitm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with real.mitmproxy(tmp_path_factory.mktemp("mitmproxy")) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real.tinyproxy(tmp_path_factory.mktemp("tinyproxy")) as address:
        yield address


@pytest.fixture(scope="module")
def socks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("socksio", reason="the extra `socks` is not installed")
    with real.socks5(tmp_path_factory.mktemp("pproxy")) as address:
        yield address


def post(server: RawServer) -> HttpRequest:
    return HttpRequest("POST", server.url, {"authorization": "Bearer secret-key-1"}, b"{}")


async def streams_incrementally(client: HttpClient, server: RawServer, gate: Gate) -> None:
    """Read one piece while the service holds the next one back; then a second answer, whole."""
    response = await client.send(post(server))
    assert await response.receive() == b"one"
    assert not gate._opened.is_set()
    gate.open()
    rest = b""
    while data := await response.receive():
        rest += data
    assert rest == b"two"
    response.close()
    assert await (await client.send(post(server))).read() == b"onetwo"
    assert client.connections(server.url) == (1, 1)
    assert all("proxy-authorization" not in r.headers for r in server.requests)


def gated() -> tuple[Gate, list[object]]:
    gate = Gate()
    return gate, [head(), chunk(b"one"), gate, chunk(b"two"), END]


# --- mitmproxy: a company's CA ---------------------------------------------------------------


async def test_mitmproxy_with_its_ca(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, mitm: tuple[str, Path]
) -> None:
    proxy, ca = mitm
    gate, script = gated()
    server = await serve(script, context=context)
    client = make_client(proxy=proxy, ca_bundle=str(ca), no_proxy=[])
    await streams_incrementally(client, server, gate)


async def test_mitmproxy_without_its_ca(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, mitm: tuple[str, Path]
) -> None:
    server = await serve([plain(b"")], context=context)
    client = make_client(proxy=mitm[0])
    with pytest.raises(ConnectFailed, match=r"CA that this machine does not know.*http\.caBundle"):
        await client.send(post(server))
    assert server.requests == []


# --- tinyproxy: Basic authentication ---------------------------------------------------------


async def test_tinyproxy_with_its_password(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str, tiny: str
) -> None:
    gate, script = gated()
    server = await serve(script, context=context)
    client = make_client(proxy=f"http://me:secret-pass@{tiny}", ca_bundle=bundle)
    await streams_incrementally(client, server, gate)


async def test_tinyproxy_for_plain_http(make_client: MakeClient, serve: Serve, tiny: str) -> None:
    gate, script = gated()
    server = await serve(script)
    client = make_client({"HTTP_PROXY": f"http://me:secret-pass@{tiny}"})
    response = await client.send(post(server))
    assert await response.receive() == b"one"
    gate.open()
    assert await response.read() == b"two"


@pytest.mark.parametrize(  # over plain http, its answer to a wrong one could be the service's
    ("user", "scheme"), [("", "http"), ("", "https"), ("me:wrong@", "https")]
)
async def test_tinyproxy_without_its_password(
    make_client: MakeClient,
    serve: Serve,
    context: ssl.SSLContext,
    bundle: str,
    tiny: str,
    user: str,
    scheme: str,
) -> None:
    server = await serve([plain(b"")], context=context if scheme == "https" else None)
    client = make_client(proxy=f"http://{user}{tiny}", ca_bundle=bundle)
    with pytest.raises(ConnectFailed, match=r"(?s)wants another user and password.*http\.proxy"):
        await client.send(post(server))
    assert server.requests == []


async def test_tinyproxy_and_a_service_that_is_not_there(
    make_client: MakeClient, bundle: str, tiny: str
) -> None:
    client = make_client(proxy=f"http://me:secret-pass@{tiny}", ca_bundle=bundle)
    with pytest.raises(ConnectFailed, match=r"the proxy http://\*\*\*@.* refused to connect to"):
        await client.send(HttpRequest("POST", "https://127.0.0.1:1/", {}, b"{}"))


# --- pproxy: SOCKS5 --------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks5(
    make_client: MakeClient,
    serve: Serve,
    context: ssl.SSLContext,
    bundle: str,
    socks: str,
    scheme: str,
) -> None:
    gate, script = gated()
    server = await serve(script, context=context)
    client = make_client(proxy=f"{scheme}://me:secret-pass@{socks}", ca_bundle=bundle)
    await streams_incrementally(client, server, gate)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # httpcore leaves the socket to the collector
async def test_socks5_with_a_wrong_password(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str, socks: str
) -> None:
    server = await serve([plain(b"")], context=context)
    for user in ("me:wrong@", ""):
        client = make_client(proxy=f"socks5://{user}{socks}", ca_bundle=bundle)
        with pytest.raises(
            ConnectFailed, match=r"(?s)wants another user and password.*http\.proxy"
        ):
            await client.send(post(server))
    assert server.requests == []
    gc.collect()


async def test_socks5_without_the_extra(
    make_client: MakeClient, socks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    client = make_client(proxy=f"socks5://{socks}")
    with pytest.raises(NotConfigured, match="extra `socks`"):
        await client.send(HttpRequest("GET", "https://127.0.0.1:1/", {}))


# --- around them all -------------------------------------------------------------------------


async def test_no_proxy_goes_around(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str, tiny: str
) -> None:
    server = await serve([plain(b"direct")], context=context)
    environ = {"HTTPS_PROXY": f"http://{tiny}", "NO_PROXY": "example.com,127.0.0.0/8"}
    client = make_client(environ, ca_bundle=bundle)  # the proxy would say 407
    assert await (await client.send(post(server))).read() == b"direct"


@pytest.mark.parametrize("password", ["a:b", "p@ss", "ä/?#%"])
async def test_a_password_with_odd_letters(
    make_client: MakeClient,
    serve: Serve,
    context: ssl.SSLContext,
    bundle: str,
    tmp_path: Path,
    password: str,
) -> None:
    """Percent-encoded in the address, as everywhere."""
    from tests.http.proxy_server import ProxyServer

    proxy = await ProxyServer(f"me:{password}").start()
    server = await serve([plain(b"ok")], context=context)
    address = f"http://me:{quote(password, safe='')}@127.0.0.1:{proxy.port}"
    client = make_client(proxy=address, ca_bundle=bundle)
    assert await (await client.send(post(server))).read() == b"ok"
    await client.aclose()
    await proxy.aclose()
