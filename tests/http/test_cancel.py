"""Cancelled at any stage, a request leaves no socket, no task, no place and no waiter behind."""

import asyncio
import ssl

import pytest
import trustme

from providers.http.client import HttpClient, HttpRequest
from tests.http.conftest import MakeClient, Serve
from tests.http.server import BODY, Gate, RawServer, Script, chunk, head, plain, server_context
from tests.http.test_pool import in_use
from tests.http.test_time import deaf_port
from tests.http.test_tls import two_addresses

__all__ = ["deaf_port", "two_addresses"]

pytestmark = pytest.mark.asyncio

SOON = 0.05  # seconds in which the other side must see the close


def ask(server: RawServer, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest("POST", server.url, {}, body)


async def cancel(task: "asyncio.Task[object]") -> float:
    """Cancel, check that it passes through, and return when it was."""
    at = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return at


async def test_while_resolving(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving = asyncio.Event()

    async def never(*_: object, **__: object) -> object:
        resolving.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    url = "http://localhost:9/"
    task = asyncio.create_task(client.send(HttpRequest("GET", url, {})))
    await resolving.wait()
    await cancel(task)
    assert client._transport.known_origin(client._place(url).address)._places == 0  # type: ignore[union-attr]


async def test_while_connecting(client: HttpClient, deaf_port: int) -> None:
    url = f"http://127.0.0.1:{deaf_port}/"
    task = asyncio.create_task(client.send(HttpRequest("GET", url, {})))
    await asyncio.sleep(0.02)
    await cancel(task)
    assert client._transport.known_origin(client._place(url).address)._places == 0  # type: ignore[union-attr]


async def test_at_every_turn_of_connecting(client: HttpClient, serve: Serve) -> None:
    """Including the turns in which the socket is open and nobody has been told."""
    server = await serve([plain(b"x"), Gate()])
    for turns in range(12):
        task = asyncio.create_task(client.send(ask(server)))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            (await task).close()
        else:
            await cancel(task)
        if turns:
            assert in_use(client, server)[1:] in ((0, 0), (1, 0))
    await asyncio.sleep(0.02)
    assert server.open_connections <= 1


@pytest.mark.usefixtures("two_addresses")
@pytest.mark.parametrize("turns", range(14))
async def test_at_every_turn_of_connecting_by_name(
    client: HttpClient, serve: Serve, turns: int
) -> None:
    """Two addresses race here; asyncio's own race forgets a socket in one of these turns."""
    server = await serve([Gate()])
    url = server.url.replace("127.0.0.1", "localhost")
    task = asyncio.create_task(client.send(HttpRequest("GET", url, {})))
    for _ in range(turns):
        await asyncio.sleep(0)
    await cancel(task) if turns else task.cancel()
    await asyncio.sleep(0.005)
    for record in server.connections:
        await record.closed()


async def test_during_the_handshake(client: HttpClient, serve: Serve) -> None:
    server = await serve([Gate()])
    url = server.url.replace("http:", "https:")
    task = asyncio.create_task(client.send(HttpRequest("GET", url, {})))
    record = await server.connected(1)
    await asyncio.sleep(0.02)
    at = await cancel(task)
    assert await record.closed() - at < SOON


async def test_while_waiting_for_a_place(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=1)
    server = await serve([head(), Gate()])
    response = await client.send(ask(server))
    task = asyncio.create_task(client.send(ask(server)))
    await asyncio.sleep(0.01)
    await cancel(task)
    assert in_use(client, server) == (0, 1, 0)
    assert len(server.connections) == 1
    response.close()
    assert in_use(client, server) == (0, 0, 0)


async def test_during_the_upload(client: HttpClient, serve: Serve) -> None:
    gate = Gate()
    server = await serve(Script([gate, BODY], early=True), buffers=65536)
    task = asyncio.create_task(client.send(ask(server, b"x" * 20_000_000)))
    await gate.reached.wait()
    await asyncio.sleep(0.02)
    at = await cancel(task)
    gate.open()
    assert await server.connections[0].closed() - at < SOON
    assert in_use(client, server) == (0, 0, 0)


async def test_while_waiting_for_the_head(client: HttpClient, serve: Serve) -> None:
    server = await serve([b"HTTP/1.1 200 ", Gate()])
    task = asyncio.create_task(client.send(ask(server)))
    await server.arrived(1)
    await asyncio.sleep(0.01)
    at = await cancel(task)
    assert await server.connections[0].closed() - at < SOON
    assert in_use(client, server) == (0, 0, 0)


async def test_on_a_reused_connection_nothing_is_sent_again(
    client: HttpClient, serve: Serve
) -> None:
    server = await serve([plain(b"x")], [Gate()])
    await (await client.send(ask(server))).read()
    task = asyncio.create_task(client.send(ask(server)))
    await server.arrived(2)
    await cancel(task)
    await server.connections[0].closed(SOON)
    await asyncio.sleep(0.02)
    assert (len(server.requests), len(server.connections)) == (2, 1)


@pytest.mark.parametrize("tls", [False, True])
async def test_in_the_body(
    make_client: MakeClient, serve: Serve, tls: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context: ssl.SSLContext | None = None
    fields: dict[str, object] = {}
    if tls:
        authority = trustme.CA()
        bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        context = server_context(authority.issue_cert("127.0.0.1"))
        fields["ca_bundle"] = str(bundle)
    client = make_client(**fields)
    server = await serve([head(), chunk(b"a"), Gate()], context=context)
    response = await client.send(ask(server))
    assert await response.receive() == b"a"
    task = asyncio.create_task(response.receive())
    await asyncio.sleep(0.01)
    at = await cancel(task)
    assert await server.connections[0].closed() - at < SOON
    assert in_use(client, server) == (0, 0, 0)
