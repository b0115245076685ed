"""Flow control: a reader that does not read, and a peer that does not."""

import asyncio
import gc
import tracemalloc

import pytest

from providers.http.client import HttpClient, HttpRequest
from providers.http.exchange import HIGH_WATER
from tests.http.conftest import Serve
from tests.http.server import BODY, END, Gate, RawServer, Script, chunk, head, plain

pytestmark = pytest.mark.asyncio

PIECE = b"x" * 32768
BUFFERS = 65536


def ask(server: RawServer, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest("POST", server.url, {}, body)


async def settled(server: RawServer) -> int:
    """Wait until the server can send no more, and return how much it has sent."""
    last = -1
    while (sent := server.connections[0].sent) != last:
        last = sent
        await asyncio.sleep(0.1)
    return last


async def test_reader_that_does_not_read(client: HttpClient, serve: Serve) -> None:
    count = 600  # 20 MB
    server = await serve([head(), *[chunk(PIECE)] * count, END], buffers=BUFFERS)
    tracemalloc.start()
    tracemalloc.clear_traces()
    try:
        response = await client.send(ask(server))
        sent = await settled(server)
        kept = sum(len(p) for p in response._exchange.pieces)  # type: ignore[attr-defined]
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent < 8_000_000, "the peer was not slowed down"
    assert kept <= HIGH_WATER + 256 * 1024  # one read beyond the mark
    assert current < 3_000_000
    assert len(await response.read()) == count * len(PIECE)
    assert client.connections(server.url) == (1, 0)


async def test_other_streams_go_on_meanwhile(client: HttpClient, serve: Serve) -> None:
    endless = [head(), *[chunk(PIECE)] * 600]
    server = await serve(endless, [plain(b"quick")], buffers=BUFFERS)
    stuck = await client.send(ask(server))
    await settled(server)
    for _ in range(5):
        assert await (await client.send(ask(server))).read() == b"quick"
    stuck.close()
    await server.connections[0].closed(0.05)


async def test_paused_answer_that_is_whole_frees_its_connection(
    client: HttpClient, serve: Serve
) -> None:
    """The end arrives in the same read that goes over the mark."""
    body = PIECE * 40
    server = await serve([plain(body)], [plain(b"next")])
    responses = [await client.send(ask(server)) for _ in range(1)]
    await asyncio.sleep(0.05)
    assert await responses[0].read() == body
    assert await (await client.send(ask(server))).read() == b"next"
    assert client.connections(server.url) == (1, 1)


async def test_large_request_to_a_slow_peer(client: HttpClient, serve: Serve) -> None:
    """Our own buffer of a 20 MB request stays small while the peer does not read."""
    gate = Gate()
    server = await serve(Script([gate, BODY, plain(b"ok")], early=True), buffers=BUFFERS)
    body = b"y" * 20_000_000
    tracemalloc.start()
    tracemalloc.clear_traces()
    try:
        task = asyncio.create_task(client.send(ask(server, body)))
        await gate.reached.wait()
        await asyncio.sleep(0.1)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 2_000_000
    gate.open()
    response = await task
    assert await response.read() == b"ok"
    assert server.requests[0].body == body


async def test_a_stream_larger_than_every_buffer(client: HttpClient, serve: Serve) -> None:
    """Pausing and resuming loses nothing and changes no order."""
    parts = [b"%08d" % n * 2000 for n in range(400)]
    server = await serve([head(), *[chunk(p) for p in parts], END], buffers=BUFFERS)
    response = await client.send(ask(server))
    got: list[bytes] = []
    while data := await response.receive():
        got.append(data)
        if len(got) % 5 == 0:
            await asyncio.sleep(0.002)
    assert b"".join(got) == b"".join(parts)


async def test_tokens_leave_nothing_for_the_collector(client: HttpClient, serve: Serve) -> None:
    """20,000 reads of one chunk each cause no collection, and keep no tracked object."""
    server = await serve([head(), Gate()])
    response = await client.send(ask(server))
    connection = response._exchange._channel  # type: ignore[attr-defined]
    piece = chunk(b"data: x\n\n")
    collections = 0

    def count(phase: str, _: object) -> None:
        nonlocal collections
        collections += phase == "start"

    async def read() -> int:
        total = 0
        while total < 20_000 * 9:
            total += len(await response.receive())
        return total

    reading = asyncio.create_task(read())
    gc.collect()
    gc.callbacks.append(count)
    try:
        before = gc.get_count()[0]
        for _ in range(20_000):
            connection.data_received(piece)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        kept = gc.get_count()[0] - before
    finally:
        gc.callbacks.remove(count)
    assert await reading == 20_000 * 9
    assert (collections, kept < 100) == (0, True), (collections, kept)
    response.close()
