"""A server of raw bytes for tests: every answer is a script of what to send and when.

    server = await RawServer.start([head(), chunk(b"a"), (gate := Gate()), chunk(b"b"), END])
    ... server.url, server.requests[0].body, await server.connections[0].closed ...
    gate.open(); await server.aclose()

A script is a list of steps: bytes (sent as one write, and flushed), a `Gate` (wait until the test
opens it), a number (seconds), `CLOSE`, `RESET` (a TCP reset), `HALF` (end of our side only), or
`BODY` (only in a `Script(early=True)`: read the request's body now). Each request takes the next
script; the last one is repeated. A function `(Recorded) -> script` may stand for all of them.
When the client closes, the script that is running is cut off and `closed_at` is set.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


class Gate:
    """A place where a script waits. `reached` is set when it is there."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        self._opened.set()

    async def wait(self) -> None:
        self.reached.set()
        await self._opened.wait()


class _Mark:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


CLOSE, RESET, HALF, BODY = _Mark("CLOSE"), _Mark("RESET"), _Mark("HALF"), _Mark("BODY")
Step = bytes | Gate | float | int | _Mark


@dataclass
class Script:
    """`early`: begin when the request's head is there, and read its body only at `BODY`."""

    steps: Sequence[Step]
    early: bool = False


@dataclass
class Recorded:
    """One request as it came in. `headers` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    raw_head: bytes
    connection: "Recording"
    at: float
    body: bytes = b""


@dataclass
class Recording:
    """One connection. Times are of the loop's clock; `closed_at` is when the client's end came."""

    opened_at: float
    number: int
    server_name: str | None = None
    closed_at: float | None = None
    sent: int = 0
    requests: list[Recorded] = field(default_factory=list)
    _closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def closed(self, within: float = 5.0) -> float:
        """Wait for the client to close, and return when it did."""
        await asyncio.wait_for(self._closed.wait(), within)
        assert self.closed_at is not None
        return self.closed_at


Handler = Callable[[Recorded], "Script | Sequence[Step]"]


class RawServer:
    """`requests` and `connections` grow in order of arrival."""

    def __init__(self, scripts: "Sequence[Script | Sequence[Step]] | Handler") -> None:
        self._scripts = scripts
        self._server: asyncio.Server | None = None
        self._context: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self.host = "127.0.0.1"
        self.port = 0
        self.requests: list[Recorded] = []
        self.connections: list[Recording] = []

    @classmethod
    async def start(
        cls,
        *scripts: "Script | Sequence[Step]",
        handler: Handler | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
    ) -> "RawServer":
        self = cls(handler if handler is not None else scripts)
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listening.bind((host, port))
        self._server = await asyncio.start_server(
            self._accept, sock=listening, ssl=context, backlog=2048, limit=1 << 20
        )
        self.host, self.port = listening.getsockname()[:2]
        return self

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._context else 'http'}://{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1/test"

    @property
    def open_connections(self) -> int:
        return sum(1 for c in self.connections if c.closed_at is None)

    async def arrived(self, count: int, within: float = 5.0) -> Recorded:
        """Wait until `count` requests have come, and return the last of them."""
        async with asyncio.timeout(within):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.requests[count - 1]

    async def aclose(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    # --- one connection -----------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        loop = asyncio.get_running_loop()
        record = Recording(loop.time(), len(self.connections))
        tls = writer.get_extra_info("ssl_object")
        record.server_name = getattr(tls, "sni", None)
        self.connections.append(record)
        try:
            await self._serve(reader, writer, record)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            if not task.cancelling():
                raise
        finally:
            self._tasks.discard(task)
            _mark_closed(record)
            writer.transport.abort()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: Recording
    ) -> None:
        while True:
            request = await self._read_head(reader, record)
            if request is None:
                return
            script = self._next_script(request)
            if not script.early:
                request.body = await _read_body(reader, request)
            self.requests.append(request)
            record.requests.append(request)
            self._arrived.set()
            play = asyncio.ensure_future(self._play(script, reader, writer, request))
            if not await self._until_done_or_closed(play, reader, script, record):
                return

    async def _until_done_or_closed(
        self,
        play: "asyncio.Future[bool]",
        reader: asyncio.StreamReader,
        script: Script,
        record: Recording,
    ) -> bool:
        """Wait for the script, which a client that goes away ends. Return whether to go on."""
        watch = asyncio.ensure_future(_client_gone(reader)) if not script.early else None
        try:
            waiting = {play, watch} if watch is not None else {play}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if play.done():
                return play.result()
            _mark_closed(record)
            return False
        finally:
            for future in (play, watch):
                if future is not None and not future.done():
                    future.cancel()
                    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                        await future

    async def _read_head(self, reader: asyncio.StreamReader, record: Recording) -> Recorded | None:
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            if line:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
        at = asyncio.get_running_loop().time()
        return Recorded(method, path, headers, raw, record, at)

    def _next_script(self, request: Recorded) -> Script:
        if callable(self._scripts):
            chosen = self._scripts(request)
        else:
            chosen = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        return chosen if isinstance(chosen, Script) else Script(chosen)

    async def _play(
        self,
        script: Script,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: Recorded,
    ) -> bool:
        for step in script.steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
                request.connection.sent += len(step)
            elif isinstance(step, Gate):
                await step.wait()
            elif isinstance(step, (int, float)):
                await asyncio.sleep(step)
            elif step is BODY:
                request.body = await _read_body(reader, request)
            elif step is HALF:
                writer.write_eof()
            elif step is CLOSE:
                writer.close()
                return False
            else:
                # Linger 0 turns the close into a reset.
                sock = writer.get_extra_info("socket")
                linger = struct.pack("ii", 1, 0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return False
        return True


def _mark_closed(record: Recording) -> None:
    if record.closed_at is None:
        record.closed_at = asyncio.get_running_loop().time()
        record._closed.set()


async def _client_gone(reader: asyncio.StreamReader) -> None:
    """Return when the client has closed (a request that comes meanwhile stays unread)."""
    while not reader.at_eof() and reader.exception() is None and not reader._eof:  # type: ignore[attr-defined]
        if reader._buffer:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
            continue
        try:
            await reader._wait_for_data("watch")  # type: ignore[attr-defined]
        except ConnectionError:
            return


async def _read_body(reader: asyncio.StreamReader, request: Recorded) -> bytes:
    length = int(request.headers.get("content-length", "0"))
    return await reader.readexactly(length)


# --- Bytes --------------------------------------------------------------------------


def head(
    status: int = 200, headers: dict[str, str] | None = None, *, chunked: bool = True
) -> bytes:
    """Return the head of an answer; chunked and an event stream unless told otherwise."""
    fields = {"Content-Type": "text/event-stream"}
    if chunked:
        fields["Transfer-Encoding"] = "chunked"
    fields.update(headers or {})
    lines = [f"HTTP/1.1 {status} Reason", *(f"{n}: {v}" for n, v in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def plain(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """Return a whole answer with a Content-Length."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(status, fields | (headers or {}), chunked=False) + body


def chunked(*parts: bytes, headers: dict[str, str] | None = None) -> list[Step]:
    """Return the script of a chunked answer, one write per part."""
    return [head(headers=headers), *(chunk(p) for p in parts), END]


def server_context(certificate: "object", *, authority: "object" = None) -> ssl.SSLContext:
    """Return a TLS context for a trustme certificate; it remembers the SNI it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # type: ignore[attr-defined]

    def remember(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.sni = name  # type: ignore[attr-defined]

    context.sni_callback = remember  # type: ignore[assignment]
    return context
