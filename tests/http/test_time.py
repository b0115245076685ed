"""Each bound of time, and that none costs a timer per chunk."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from providers.errors import TimedOut
from providers.http.client import HttpRequest
from providers.http.exchange import Bounds, Exchange
from tests.http.conftest import MakeClient, Serve
from tests.http.server import END, Gate, RawServer, Recorded, Script, chunk, head, plain

pytestmark = pytest.mark.asyncio


def ask(server: RawServer, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest("POST", server.url, {}, body)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port where connecting neither succeeds nor fails: its backlog is full."""
    if sys.platform != "linux":
        pytest.skip("only Linux drops connections beyond the backlog without a word")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            yield port
        finally:
            for filler in fillers:
                filler.close()


async def test_connect(make_client: MakeClient, deaf_port: int) -> None:
    client = make_client(connect=0.05)
    with pytest.raises(TimedOut, match=r"connecting to 127.0.0.1:\d+ took longer than 0.05 s") as c:
        await client.send(HttpRequest("GET", f"http://127.0.0.1:{deaf_port}/", {}))
    assert c.value.phase == "connect"
    with pytest.raises(TimedOut) as c:
        await client.send(HttpRequest("GET", f"http://127.0.0.1:{deaf_port}/", {}), connect=0.01)
    assert "0.01 s" in c.value.message


async def test_connect_bounded_by_total(make_client: MakeClient, deaf_port: int) -> None:
    client = make_client(connect=10, total=0.05)
    with pytest.raises(TimedOut) as caught:
        await client.send(HttpRequest("GET", f"http://127.0.0.1:{deaf_port}/", {}))
    assert caught.value.phase == "total"


async def test_tls_handshake_counts_as_connecting(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(connect=0.05)
    server = await serve([Gate()])
    url = server.url.replace("http:", "https:")
    with pytest.raises(TimedOut) as caught:
        await client.send(HttpRequest("GET", url, {}))
    assert caught.value.phase == "connect"
    await server.connections[0].closed()


async def test_first_byte(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(first_byte=0.08, idle=0.01)
    server = await serve([Gate()])
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match=r"did not answer within 0.08 s") as caught:
        await client.send(ask(server))
    assert 0.08 <= asyncio.get_running_loop().time() - started < 1
    assert (caught.value.phase, caught.value.kind, caught.value.retryable) == (
        "firstByte",
        "timeout",
        True,
    )
    await server.connections[0].closed(0.05)
    assert len(server.requests) == 1


async def test_informational_answers_are_no_first_byte(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client()
    server = await serve([b"HTTP/1.1 100 Continue\r\n\r\n", Gate()])
    with pytest.raises(TimedOut) as caught:
        await client.send(ask(server), first_byte=0.05)
    assert caught.value.phase == "firstByte"


async def test_idle(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(idle=0.1, first_byte=30)
    steps = [head(), *[s for n in range(4) for s in (0.06, chunk(b"%d" % n))], Gate()]
    server = await serve(steps)
    response = await client.send(ask(server))
    got = [await response.receive() for _ in range(4)]
    assert got == [b"0", b"1", b"2", b"3"]
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match=r"sent nothing for 0.1 s") as caught:
        await response.receive()
    assert 0.09 <= asyncio.get_running_loop().time() - started < 1
    assert caught.value.phase == "idle"
    await server.connections[0].closed(0.05)


async def test_a_slow_reader_is_no_idle_peer(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(idle=0.1)
    gate = Gate()
    server = await serve([head(), chunk(b"a"), gate, chunk(b"b"), END])
    response = await client.send(ask(server))
    assert await response.receive() == b"a"
    await asyncio.sleep(0.25)
    asyncio.get_running_loop().call_later(0.06, gate.open)
    assert await response.receive() == b"b"
    assert await response.read() == b""


async def test_total_while_waiting_for_the_head(make_client: MakeClient, serve: Serve) -> None:
    client = make_client()
    server = await serve([Gate()])
    with pytest.raises(TimedOut, match=r"took longer than 0.05 s in all") as caught:
        await client.send(ask(server), total=0.05)
    assert caught.value.phase == "total"
    await server.connections[0].closed(0.05)


async def test_total_in_a_stream_that_never_pauses(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(total=0.15)

    def endless(_: Recorded) -> Script:
        return Script([head(), *[s for _ in range(500) for s in (chunk(b"x"), 0.005)]])

    server = await serve(handler=endless)
    response = await client.send(ask(server))
    count = 0
    with pytest.raises(TimedOut) as caught:
        while True:
            assert await response.receive() != b""
            count += 1
    assert caught.value.phase == "total"
    assert count > 5
    await server.connections[0].closed(0.05)


async def test_what_arrived_before_the_bound_can_be_read(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client(total=0.06)
    server = await serve([head(), chunk(b"early"), Gate()])
    response = await client.send(ask(server))
    await asyncio.sleep(0.1)
    assert await response.receive() == b"early"
    with pytest.raises(TimedOut):
        await response.receive()


async def test_no_bound_applies_to_a_whole_answer(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(total=0.05, idle=0.02)
    server = await serve([plain(b"whole")])
    response = await client.send(ask(server))
    await asyncio.sleep(0.1)
    assert await response.read() == b"whole"


async def test_upload_that_is_not_taken(make_client: MakeClient, serve: Serve) -> None:
    client = make_client(first_byte=0.1)
    server = await serve(Script([Gate()], early=True), buffers=65536)
    with pytest.raises(TimedOut, match="stopped taking the request") as caught:
        await client.send(ask(server, b"x" * 20_000_000))
    assert caught.value.phase == "firstByte"


async def test_timers_do_not_grow_with_chunks(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    server = await serve([head(), *[chunk(b"x")] * 400, END])
    loop = asyncio.get_running_loop()
    armed = 0
    call_at = loop.call_at

    def counted(*args: object, **options: object) -> asyncio.TimerHandle:
        nonlocal armed
        armed += 1
        return call_at(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)
    response = await client.send(ask(server))
    while await response.receive():
        pass
    # One for connecting, one for the request, one for the idle connection.
    assert armed <= 4


class Holding:
    """A connection whose closing takes as long as `let_go` says."""

    def __init__(self, let_go: threading.Event | None = None) -> None:
        self.let_go = let_go
        self.closing = threading.Event()

    def abort(self) -> None:
        self.closing.set()
        if self.let_go is not None:
            assert self.let_go.wait(5)

    def resume_body(self) -> None: ...


async def test_two_loops_of_one_process_do_not_wait_for_each_other() -> None:
    async def silent(channel: Holding) -> bool:
        loop = asyncio.get_running_loop()
        exchange = Exchange(loop, Bounds(None, None, None, 0.01, None, None), None, head_only=False)
        exchange.start(channel, "firstByte")
        done, _ = await asyncio.wait([exchange.wait()], timeout=2)
        return bool(done)

    let_go = threading.Event()
    held = Holding(let_go)
    other = threading.Thread(target=lambda: asyncio.run(silent(held)))
    other.start()
    try:
        assert await asyncio.to_thread(held.closing.wait, 5)  # in the middle of its timer
        assert await silent(Holding())
    finally:
        let_go.set()
        await asyncio.to_thread(other.join)
