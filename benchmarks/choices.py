"""What the specification names and the sidecar does differently, each measured beside what it is.

`docs/adr/2026-11-21-what-the-specification-names.md` draws the conclusions.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.figures import Row, median
from benchmarks.processes import KINDS, LoadServer, Side, every_kind, options_for, sidecar_command
from providers.types import TextDelta

MB = 1_000_000
BUFFER = 64 * 1024


# --- Object pools -----------------------------------------------------------------------------


def fresh(count: int) -> float:
    """Return nanoseconds per event for making each anew and letting it go."""
    began = time.perf_counter()
    for _ in range(count):
        token = TextDelta("text")
        del token
    return (time.perf_counter() - began) * 1e9 / count


class Reused:
    """An event that can be filled again; those of the stream are frozen, so this one stands in."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""


def pooled(count: int) -> float:
    """Return nanoseconds per event for taking one from a pool, filling it and giving it back."""
    pool = [Reused() for _ in range(64)]
    began = time.perf_counter()
    for _ in range(count):
        token = pool.pop()
        token.text = "text"
        token.text = ""  # or the pool would keep what was said
        pool.append(token)
    return (time.perf_counter() - began) * 1e9 / count


# --- A shared buffer of 64 KB -----------------------------------------------------------------


class Plain(asyncio.Protocol):
    """Reads as our connections do: a bytes object of the size that came."""

    def __init__(self, size: int) -> None:
        self.missing = size
        self.done = asyncio.get_running_loop().create_future()

    def take(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing <= 0:
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.take(data)


class Shared(asyncio.BufferedProtocol):
    """Reads into one buffer, and copies out what the parser may keep."""

    buffer = bytearray(BUFFER)

    def __init__(self, size: int) -> None:
        self.plain = Plain(size)
        self.done = self.plain.done
        self.view = memoryview(self.buffer)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.plain.take(bytes(self.view[:nbytes]))


def reading(make: Callable[[int], Plain | Shared], chunk: int, count: int) -> float:
    """Return nanoseconds of CPU per read of `chunk` bytes, `count` of them."""

    async def read() -> float:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport, protocol = await loop.create_connection(lambda: make(chunk * count), sock=ours)
        block = b"x" * chunk
        began = time.process_time()
        for _ in range(count):
            await loop.sock_sendall(theirs, block)
            await asyncio.sleep(0)
        await protocol.done
        spent = time.process_time() - began
        transport.close()
        theirs.close()
        return spent * 1e9 / count

    return asyncio.run(read())


# --- Ten connections in all, idle connections, start-up ---------------------------------------


def many(server: LoadServer, limit: int | None, turns: int) -> float:
    """Return the seconds that 100 streams of 0.2 s take with at most `limit` connections."""
    options = options_for(f"http://127.0.0.1:{server.port}/v1")
    if limit is not None:
        options["http"] = {"maxConnectionsPerOrigin": limit}
    with Side("sidecar", sidecar_command(), options=options).settle() as side:
        found: list[float] = []
        for turn in range(turns):
            began = time.monotonic()
            for i in range(100):
                side.stream(f"m{turn}.{i}", "bench-t20-p10000")
            side.wait()
            found.append(time.monotonic() - began)
            side.take()
    return median(found) or 0.0


def idle(server: LoadServer) -> float:
    """Return the kB that a connection kept idle takes."""
    options = options_for(f"http://127.0.0.1:{server.port}/v1")
    with Side("sidecar", sidecar_command(), options=options).settle() as side:

        def at_once(count: int, tag: str) -> float:
            for i in range(count):
                side.stream(f"{tag}.{i}", "bench-t2-p100000")
            side.wait()
            side.take()
            time.sleep(0.3)
            return side.rss() / 1000

        at_once(100, "warm")
        few = at_once(100, "few")
        return (at_once(500, "many") - few) / 400


def first_use(server: LoadServer) -> float:
    """Return the milliseconds that a provider's first request takes more than its second."""
    more: list[float] = []
    options = every_kind(f"http://127.0.0.1:{server.port}")
    with Side("sidecar", sidecar_command(), options=options).settle() as side:
        for kind in KINDS:
            model = "gemini-bench-t1" if kind == "vertex" else "bench-t1"
            took: list[float] = []
            for i in range(2):
                began = time.perf_counter()
                side.stream(f"{kind}.{i}", model, kind)
                side.wait()
                took.append((time.perf_counter() - began) * 1e3)
            more.append(took[0] - took[1])
    return median(more[1:]) or 0.0  # the first of all also resolves names and loads the transport


def run(names: list[str], *, quick: bool) -> list[Row]:
    if "sidecar" not in names:
        return []
    count = 100_000 if quick else 1_000_000
    reads = 5_000 if quick else 30_000
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        rows = [
            _row("an event made anew", "ns", fresh(count), pooled(count), "from a pool"),
            *(
                _row(
                    f"a read of {size} bytes, as it comes",
                    "ns",
                    reading(Plain, size, reads),
                    reading(Shared, size, reads),
                    "into a shared 64 KB buffer",
                )
                for size in (250, 4000)
            ),
            _row(
                "100 streams of 0.2 s at once",
                "s",
                many(server, None, 3),
                many(server, 10, 3),
                "with 10 connections in all",
            ),
            _row("memory of an idle connection", "kB", idle(server)),
            _row("first use of a provider, beyond the second", "ms", first_use(server)),
        ]
    return rows


def _row(
    what: str, unit: str, measured: float, reference: float | None = None, name: str = ""
) -> Row:
    return Row(
        what=f"choice: {what}",
        unit=unit,
        measured=measured,
        reference=reference,
        reference_name=name,
    )
