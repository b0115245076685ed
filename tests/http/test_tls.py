"""TLS: a private CA, names, addresses, and failures told in a sentence."""

import asyncio
import datetime
import socket
import ssl
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import trustme

from providers.errors import ConnectFailed, Disconnected, NotConfigured
from providers.http.client import HttpClient, HttpRequest
from providers.http.tls import BadBundle, shared_context, start_tls
from tests.http.conftest import MakeClient, Serve
from tests.http.old_authority import old_authority
from tests.http.server import (
    CLOSE,
    CUT,
    END,
    Gate,
    RawServer,
    chunk,
    chunked,
    head,
    plain,
    server_context,
)

pytestmark = pytest.mark.asyncio


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
    return server_context(authority.issue_cert("localhost", "127.0.0.1", "::1"))


def at(server: RawServer, host: str) -> HttpRequest:
    return HttpRequest("POST", f"https://{host}:{server.port}/v1", {}, b"{}")


async def fetch(client: HttpClient, request: HttpRequest) -> bytes:
    response = await client.send(request)
    try:
        return await response.read()
    finally:
        response.close()


async def test_private_ca_names_and_reuse(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve(chunked(b"a", b"b"), context=context)
    assert await fetch(client, at(server, "localhost")) == b"ab"
    assert await fetch(client, at(server, "localhost")) == b"ab"
    assert await fetch(client, at(server, "127.0.0.1")) == b"ab"
    assert [c.server_name for c in server.connections] == ["localhost", None]
    assert client.connections(at(server, "localhost").url) == (1, 1)
    assert server.requests[0].headers["host"] == f"localhost:{server.port}"


async def test_an_authority_older_than_the_rules(
    make_client: MakeClient, serve: Serve, tmp_path: Path
) -> None:
    """On Python 3.13, too, where a default context would be strict."""
    bundle, context = old_authority(tmp_path, "localhost")
    server = await serve(chunked(b"ab"), context=context)
    assert await fetch(make_client(ca_bundle=bundle), at(server, "localhost")) == b"ab"


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give `localhost` both its addresses, whatever this machine's hosts file says."""
    kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")

    async def both(_: object, port: int, **__: object) -> object:
        six = (socket.AF_INET6, *kind, ("::1", port, 0, 0))
        return [six, (socket.AF_INET, *kind, ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lambda self, *a, **k: both(*a, **k))


@pytest.mark.usefixtures("two_addresses")
async def test_ipv6(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve([plain(b"six")], context=context, host="::1")
    assert await fetch(client, at(server, "[::1]")) == b"six"
    assert await fetch(client, at(server, "localhost")) == b"six"
    clear = await serve([plain(b"clear")], host="::1")
    assert await fetch(client, HttpRequest("GET", clear.url, {})) == b"clear"
    assert clear.requests[0].headers["host"] == f"[::1]:{clear.port}"


@pytest.mark.usefixtures("two_addresses")
async def test_name_with_two_addresses_of_which_one_refuses(
    client: HttpClient, serve: Serve
) -> None:
    server = await serve([plain(b"four")])
    request = HttpRequest("GET", f"http://localhost:{server.port}/", {})
    assert await fetch(client, request) == b"four"


async def test_large_bodies_both_ways(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    body = bytes(range(256)) * 20_000
    server = await serve([plain(body)], context=context)
    request = HttpRequest("POST", f"https://localhost:{server.port}/", {}, body)
    for _ in range(2):
        response = await client.send(request)
        await asyncio.sleep(0.02)  # lets it run into flow control
        assert await response.read() == body
    assert server.requests[1].body == body
    assert client.connections(request.url) == (1, 1)


async def test_unknown_ca(client: HttpClient, serve: Serve, context: ssl.SSLContext) -> None:
    server = await serve([plain(b"")], context=context)
    with pytest.raises(ConnectFailed, match=r"localhost:\d+.*does not know.*http\.caBundle"):
        await client.send(at(server, "localhost"))
    assert server.requests == []


async def test_wrong_host(
    make_client: MakeClient, serve: Serve, authority: trustme.CA, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve([plain(b"")], context=server_context(authority.issue_cert("other.test")))
    with pytest.raises(ConnectFailed, match="is for another host"):
        await client.send(at(server, "localhost"))


async def test_expired(
    make_client: MakeClient, serve: Serve, authority: trustme.CA, bundle: str
) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    old = authority.issue_cert("localhost", not_before=past, not_after=past.replace(year=2021))
    client = make_client(ca_bundle=bundle)
    server = await serve([plain(b"")], context=server_context(old))
    with pytest.raises(ConnectFailed, match=r"has expired \(or this"):
        await client.send(at(server, "localhost"))


async def test_self_signed(client: HttpClient, serve: Serve, tmp_path: Path) -> None:
    # A CA's own certificate, served as if it were a host's.
    authority = trustme.CA()
    pem = tmp_path / "self.pem"
    authority.private_key_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(pem), append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await serve([plain(b"")], context=context)
    with pytest.raises(ConnectFailed, match=r"self-signed.*http\.caBundle"):
        await client.send(at(server, "localhost"))


async def test_plain_http_on_the_port(client: HttpClient) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    speaking = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = speaking.sockets[0].getsockname()[1]
    with pytest.raises(ConnectFailed, match="does not speak TLS"):
        await client.send(HttpRequest("GET", f"https://127.0.0.1:{port}/", {}))
    speaking.close()
    await speaking.wait_closed()


async def test_closed_during_the_handshake(client: HttpClient) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectFailed):
        await client.send(HttpRequest("GET", f"https://127.0.0.1:{port}/", {}))
    server.close()
    await server.wait_closed()


async def test_until_close_needs_the_goodbye(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    """Anyone on the way can end a TCP connection; only the peer can say that it was meant."""
    client = make_client(ca_bundle=bundle)
    start = head(chunked=False)
    server = await serve([start, b"all", CLOSE], [start, b"some", 0.02, CUT], context=context)
    assert await fetch(client, at(server, "localhost")) == b"all"
    response = await client.send(at(server, "localhost"))
    assert await response.receive() == b"some"
    with pytest.raises(Disconnected):
        await response.receive()


async def test_cut_in_a_chunked_answer(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve([head(), chunk(b"a"), CLOSE], [head(), chunk(b"a"), CUT], context=context)
    for _ in range(2):
        with pytest.raises(Disconnected):
            await fetch(client, at(server, "localhost"))


async def test_stale_tls_connection(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve([plain(b"x")], [CUT], [plain(b"y")], context=context)
    assert await fetch(client, at(server, "localhost")) == b"x"
    assert await fetch(client, at(server, "localhost")) == b"y"


async def test_close_is_seen_at_once(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client = make_client(ca_bundle=bundle)
    server = await serve([head(), chunk(b"a"), Gate(), END], context=context)
    response = await client.send(at(server, "localhost"))
    await response.receive()
    response.close()
    await server.connections[0].closed(0.05)


@pytest.mark.parametrize("link", [True, False])
async def test_roots_are_looked_up_where_the_bundle_is_their_sum(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca-certificates.crt"))
    (folder / "0123abcd.0").touch()
    bundle = tmp_path / "cert.pem"
    if link:
        bundle.symlink_to(folder / "ca-certificates.crt")
    else:
        authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    context = shared_context.__wrapped__(None)
    assert len(context.get_ca_certs()) == (0 if link else 1)


@pytest.mark.parametrize("content", [None, "no certificate in here"])
async def test_bad_bundle(make_client: MakeClient, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    client = make_client(ca_bundle=str(path))
    with pytest.raises(NotConfigured, match=r"http\.caBundle: cannot use .*ca\.pem"):
        await client.send(HttpRequest("GET", "https://127.0.0.1:9/", {}))
    assert (
        client._transport.known_origin(client._place("https://127.0.0.1:9/").address)._places == 0
    )  # type: ignore[union-attr]


async def test_one_context_for_the_process(bundle: str) -> None:
    assert shared_context(bundle) is shared_context(bundle)
    assert shared_context(None).verify_mode is ssl.CERT_REQUIRED
    assert shared_context(None).check_hostname
    with pytest.raises(BadBundle):
        shared_context("/nonexistent/ca.pem")


async def test_a_connection_has_room_for_one_record(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    """asyncio's 256 kB would be the most of a stream. The server's ends are here, too, and have
    them."""
    client, more = make_client(ca_bundle=bundle), 6
    server = await serve([head(), chunk(b"a"), Gate(), END], context=context)
    responses = [await client.send(at(server, "localhost"))]
    tracemalloc.start()
    try:
        responses += [await client.send(at(server, "localhost")) for _ in range(more)]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for response in responses:
        response.close()
    assert 256 * 1024 < kept / more < 350 * 1024


async def test_a_record_of_any_size_arrives_whole(
    make_client: MakeClient, serve: Serve, context: ssl.SSLContext, bundle: str
) -> None:
    client, text = make_client(ca_bundle=bundle), bytes(range(256)) * 2000
    server = await serve([plain(text)], context=context)
    assert await fetch(client, at(server, "localhost")) == text


async def test_a_connection_cancelled_in_its_handshake_is_closed() -> None:
    greeted, gone, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

    class Silent(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            greeted.set()

        def connection_lost(self, exc: Exception | None) -> None:
            gone.set()

    async with await loop.create_server(Silent, "127.0.0.1", 0) as server:
        sock = socket.create_connection(server.sockets[0].getsockname())
        sock.setblocking(False)
        task = loop.create_task(
            start_tls(asyncio.Protocol(), sock, shared_context(None), "localhost")
        )
        await greeted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await gone.wait()


async def test_the_name_needs_no_idna() -> None:
    """The tables of Python's own are 0.2 MB; names are ASCII by then."""
    code = (
        "import asyncio, socket, sys; from providers.http.tls import shared_context, start_tls\n"
        "async def main():\n"
        "    ours, theirs = socket.socketpair(); ours.setblocking(False)\n"
        "    protocol, context = asyncio.Protocol(), shared_context(None)\n"
        "    task = asyncio.ensure_future(start_tls(protocol, ours, context, 'localhost'))\n"
        "    assert b'localhost' in await asyncio.to_thread(theirs.recv, 4096)\n"
        "    task.cancel(); await asyncio.gather(task, return_exceptions=True); theirs.close()\n"
        "asyncio.run(main()); print('encodings.idna' in sys.modules)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert done.stdout == "False\n"
