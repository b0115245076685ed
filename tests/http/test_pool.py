"""Connections of an origin: reuse, stale ones, the bound on their number, and the queue."""

import asyncio
import time

import pytest

from providers.errors import ConnectFailed, Disconnected, TimedOut
from providers.http import heap, pool
from providers.http.address import parse
from providers.http.client import HttpClient, HttpRequest, HttpResponse
from providers.http.connection import Connection
from providers.http.pool import CROWD
from tests.http.conftest import MakeClient, Serve
from tests.http.server import (
    CLOSE,
    END,
    RESET,
    Gate,
    RawServer,
    Recorded,
    Script,
    Step,
    chunk,
    chunked,
    head,
    plain,
)

pytestmark = pytest.mark.asyncio


def ask(server: RawServer, path: str = "") -> HttpRequest:
    return HttpRequest("POST", server.url + path, {}, b"{}")


async def fetch(client: HttpClient, server: RawServer, path: str = "") -> bytes:
    response = await client.send(ask(server, path))
    try:
        return await response.read()
    finally:
        response.close()


def in_use(client: HttpClient, server: RawServer) -> tuple[int, int, int]:
    """Return the origin's idle connections, places taken and waiters."""
    origin = client._transport.known_origin(parse(server.url))  # pyright: ignore[reportPrivateUsage]
    assert origin is not None
    return len(origin._idle), origin._places, len(origin._waiters)  # pyright: ignore[reportPrivateUsage]


async def test_reuse_in_a_row(client: HttpClient, serve: Serve) -> None:
    server = await serve(chunked(b"a", b"b"))
    for _ in range(100):
        assert await fetch(client, server) == b"ab"
    assert client.connections(server.url) == (1, 99)
    assert len(server.connections) == 1


async def test_the_last_idle_connection_is_used_first(client: HttpClient, serve: Serve) -> None:
    gate = Gate()
    server = await serve([gate, plain(b"x")], [gate, plain(b"x")], [plain(b"y")])
    both = [asyncio.create_task(fetch(client, server)) for _ in range(2)]
    await server.arrived(2)
    gate.open()
    await asyncio.gather(*both)
    numbers = []
    for _ in range(3):
        await fetch(client, server)
        numbers.append(server.requests[-1].connection.number)
    assert len(set(numbers)) == 1
    assert client.connections(server.url) == (2, 3)


async def test_origins_do_not_share(client: HttpClient, serve: Serve) -> None:
    one, two = await serve([plain(b"1")]), await serve([plain(b"2")])
    assert [await fetch(client, s) for s in (one, two, one)] == [b"1", b"2", b"1"]
    assert (client.connections(one.url), client.connections(two.origin)) == ((1, 1), (1, 0))
    assert client.connections("https://never.example") == (0, 0)


async def test_idle_connection_closed_by_the_peer_is_not_used(
    client: HttpClient, serve: Serve
) -> None:
    server = await serve([plain(b"x"), 0.01, CLOSE], [plain(b"y")])
    await fetch(client, server)
    await server.connections[0].closed()
    await asyncio.sleep(0.01)
    assert in_use(client, server) == (0, 0, 0)
    assert await fetch(client, server) == b"y"
    assert client.connections(server.url) == (2, 0)


@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_stale_connection_is_replaced_once(
    client: HttpClient, serve: Serve, end: Step
) -> None:
    server = await serve([plain(b"x")], [end], [plain(b"y")])
    await fetch(client, server)
    assert await fetch(client, server) == b"y"
    assert len(server.requests) == 3
    assert server.requests[2].connection.number == 1
    assert in_use(client, server) == (1, 1, 0)


async def test_replacement_is_not_replaced(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x")], [CLOSE])
    await fetch(client, server)
    with pytest.raises(Disconnected):
        await fetch(client, server)
    assert len(server.requests) == 3
    assert in_use(client, server) == (0, 0, 0)


async def test_many_stale_connections_cost_one_retry_each(client: HttpClient, serve: Serve) -> None:
    gate = Gate()
    first = [Script([gate, plain(b"x")])] * 3
    server = await serve(*first, [CLOSE], [plain(b"y")])
    tasks = [asyncio.create_task(fetch(client, server)) for _ in range(3)]
    await server.arrived(3)
    gate.open()
    await asyncio.gather(*tasks)
    assert await fetch(client, server) == b"y"
    assert client.connections(server.url)[0] == 4


async def test_stale_rule_ends_once_the_peer_had_time_to_work(
    client: HttpClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.http.transport.STALE_WINDOW", 0.02)
    server = await serve([plain(b"x")], [0.06, CLOSE])
    await fetch(client, server)
    with pytest.raises(Disconnected):
        await fetch(client, server)
    assert len(server.requests) == 2


async def test_idle_connections_are_closed_in_time(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(idle_seconds=0.08)
    server = await serve([plain(b"x")])
    await fetch(client, server)
    await asyncio.sleep(0.05)
    await fetch(client, server)  # starts its idle time anew
    used = asyncio.get_running_loop().time()
    closed = await server.connections[0].closed()
    assert 0.06 < closed - used < 0.5
    assert in_use(client, server) == (0, 0, 0)
    assert client.connections(server.url) == (1, 1)


async def several_at_once(client: HttpClient, server: RawServer, gate: Gate, count: int) -> None:
    """Have `count` connections, all idle afterwards."""
    tasks = [asyncio.create_task(fetch(client, server)) for _ in range(count)]
    while len(server.requests) < count:
        await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(*tasks)


async def test_kept_warm_is_the_newest_connection_and_no_other(
    make_client: MakeClient, serve: Serve
) -> None:
    client, gate = make_client(idle_seconds=0.08), Gate()
    server = await serve([plain(b"x")], [gate, plain(b"x")])
    client.keep_warm(server.url, 60.0)
    await fetch(client, server)
    await asyncio.sleep(0.2)
    assert in_use(client, server) == (1, 1, 0)
    server.requests.clear()
    await several_at_once(client, server, gate, 5)
    async with asyncio.timeout(5):
        while in_use(client, server)[0] > 1:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert in_use(client, server) == (1, 1, 0)
    await fetch(client, server)
    assert client.connections(server.url) == (5, 2)


async def test_when_a_crowd_of_connections_has_gone_free_memory_is_given_back(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []
    monkeypatch.setattr(heap, "give_back", lambda: given.append(True))
    monkeypatch.setattr(pool, "SETTLED_SECONDS", 0.0)
    for count, expected in ((CROWD - 1, 0), (CROWD, 1)):
        client, gate = make_client(idle_seconds=0.05), Gate()
        server = await serve([gate, plain(b"x")])
        await several_at_once(client, server, gate, count)
        async with asyncio.timeout(5):
            while in_use(client, server)[0]:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        assert len(given) == expected


async def test_bound_and_fair_queue(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=2)
    gates = {f"/v1/test{n}": Gate() for n in range(6)}

    def answer(request: Recorded) -> list[Step]:
        return [gates[request.path], plain(request.path.encode())]

    server = await serve(handler=answer)
    tasks: list[asyncio.Task[bytes]] = []
    for n in range(6):
        tasks.append(asyncio.create_task(fetch(client, server, str(n))))
        await asyncio.sleep(0)
    await server.arrived(2)
    await asyncio.sleep(0.02)
    assert in_use(client, server) == (0, 2, 4)
    for n in range(6):
        gates[f"/v1/test{n}"].open()
        assert await tasks[n] == f"/v1/test{n}".encode()
    assert [r.path[-1] for r in server.requests] == list("012345")
    assert len(server.connections) == 2
    assert client.connections(server.url) == (2, 4)


async def test_a_closed_connection_frees_its_place(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=1)
    server = await serve([head(), chunk(b"a"), Gate()], [plain(b"y")])
    response = await client.send(ask(server))
    waiting = asyncio.create_task(fetch(client, server))
    await asyncio.sleep(0.02)
    assert in_use(client, server) == (0, 1, 1)
    response.close()
    assert await waiting == b"y"
    assert in_use(client, server) == (1, 1, 0)


async def test_failed_connects_free_their_places(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=1)
    server = await serve([plain(b"x")])
    await server.aclose()
    results = await asyncio.gather(
        *(fetch(client, server) for _ in range(5)), return_exceptions=True
    )
    assert [type(r) for r in results] == [ConnectFailed] * 5
    assert in_use(client, server) == (0, 0, 0)


async def test_cancelled_waiters_leave_nothing(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=1)
    gate = Gate()
    server = await serve([gate, plain(b"x")], [plain(b"y")])
    first = asyncio.create_task(fetch(client, server))
    await server.arrived(1)
    waiting = [asyncio.create_task(fetch(client, server)) for _ in range(4)]
    await asyncio.sleep(0.01)
    for task in waiting[:3]:
        task.cancel()
    await asyncio.sleep(0)
    assert in_use(client, server) == (0, 1, 1)
    gate.open()
    assert await first == b"x"
    assert await waiting[3] == b"y"
    assert in_use(client, server) == (1, 1, 0)


@pytest.mark.parametrize("keep", [True, False])
async def test_waiter_cancelled_as_it_is_served(
    make_client: MakeClient, serve: Serve, keep: bool
) -> None:
    """The place, or the connection, handed to a waiter in the turn it is cancelled goes on."""
    client = make_client(max_connections_per_origin=1)
    gate = Gate()
    server = await serve([head(), gate], [plain(b"y")])
    response = await client.send(ask(server))
    waiting = [asyncio.create_task(fetch(client, server)) for _ in range(2)]
    await asyncio.sleep(0.01)
    if keep:
        connection = response._exchange._channel  # type: ignore[attr-defined]
        assert isinstance(connection, Connection)
        gate.open()
        connection.data_received(END)
    else:
        response.close()
    waiting[0].cancel()
    assert await waiting[1] == b"y"
    assert in_use(client, server) == (1, 1, 0)


async def test_waiting_for_a_connection_is_bounded_by_total(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client(max_connections_per_origin=1, total=0.05)
    server = await serve([head(), Gate()])
    response = await client.send(ask(server), total=5)
    with pytest.raises(TimedOut, match="all 1 connections are in use") as caught:
        await client.send(ask(server))
    assert caught.value.phase == "total"
    assert in_use(client, server) == (0, 1, 0)
    response.close()


async def test_thousand_at_once(client: HttpClient, serve: Serve) -> None:
    gate = Gate()

    def answer(request: Recorded) -> list[Step]:
        parts = [chunk(b"%s:%d;" % (request.path.encode(), n)) for n in range(3)]
        return [head(), gate, *parts, END]

    server = await serve(handler=answer)

    async def one(n: int) -> None:
        expected = b"".join(b"/v1/test%d:%d;" % (n, i) for i in range(3))
        assert await fetch(client, server, str(n)) == expected

    tasks = [asyncio.create_task(one(n)) for n in range(1000)]
    await server.arrived(1000, within=20)
    gate.open()
    await asyncio.gather(*tasks)
    assert client.connections(server.url) == (1000, 0)
    await asyncio.gather(*(one(n) for n in range(1000)))
    opened, reused = client.connections(server.url)
    assert reused / (opened + reused) >= 0.499
    assert opened == 1000
    assert in_use(client, server) == (1000, 1000, 0)


async def test_reuse_under_load(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(max_connections_per_origin=8)
    server = await serve(chunked(b"a"))
    started = time.process_time()
    for _ in range(20):
        await asyncio.gather(*(fetch(client, server) for _ in range(40)))
    opened, reused = client.connections(server.url)
    assert (opened, opened + reused) == (8, 800)
    assert time.process_time() - started < 5


async def test_closing_the_client_ends_answers_in_progress(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client(max_connections_per_origin=1)
    server = await serve([head(), chunk(b"a"), Gate()])
    response: HttpResponse = await client.send(ask(server))
    waiting = asyncio.create_task(client.send(ask(server)))
    await asyncio.sleep(0)
    await response.receive()
    reading = asyncio.create_task(response.receive())
    await asyncio.sleep(0)
    await client.aclose()
    await server.connections[0].closed(0.1)
    for task in (reading, waiting):
        with pytest.raises((Disconnected, ConnectFailed)):
            await task


async def test_closing_the_client_at_every_turn_of_connecting(
    make_client: MakeClient, serve: Serve
) -> None:
    server = await serve([Gate()])
    for turns in range(1, 10):
        client = make_client()
        sending = asyncio.create_task(client.send(ask(server)))
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises((Disconnected, ConnectFailed)):
            await sending
    for record in server.connections:
        await record.closed()
