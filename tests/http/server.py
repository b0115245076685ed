"""A server of raw bytes for tests: every answer is a script of what to send and when.

    server = await RawServer.start([head(), chunk(b"a"), (gate := Gate()), chunk(b"b"), END])
    ... server.url, server.requests[0].body, await server.connections[0].closed ...
    gate.open(); await server.aclose()

A script is a list of steps: bytes (sent as one write, and flushed), a `Gate` (wait until the test
opens it), a number (seconds), `CLOSE`, `CUT` (close without TLS's goodbye), `RESET` (a TCP reset),
`HALF` (end of our side only), or `BODY` (only in a `Script(early=True)`: read the request's body
now). Each request takes the next script; the last one is repeated. A function `(Recorded) ->
script` may stand for all of them.
When the client closes, the script that is running is cut off and `closed_at` is set.
"""

import asyncio
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


CLOSE, CUT, RESET = _Mark("CLOSE"), _Mark("CUT"), _Mark("RESET")
HALF, BODY = _Mark("HALF"), _Mark("BODY")
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
    requests: list[Recorded] = field(default_factory=list, repr=False)
    _closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def mark_closed(self, at: float) -> None:
        if self.closed_at is None:
            self.closed_at = at
            self._closed.set()

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
        self._begun = 0
        self._server: asyncio.Server | None = None
        self._tls = False
        self._peers: set[_Peer] = set()
        self._arrived = asyncio.Event()
        self.host = "127.0.0.1"
        self.port = 0
        self.bodies_first = False  # set: a handler sees the request's body, too
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
        buffers: int | None = None,
    ) -> "RawServer":
        """Listen. `buffers`: bytes of the sockets' buffers, to make flow control show early."""
        self = cls(handler if handler is not None else scripts)
        self._tls = context is not None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, or asyncio does not switch Nagle's delay off.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffers is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
        listening.bind((host, port))
        listening.setblocking(False)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Peer(self), sock=listening, ssl=context, backlog=2048
        )
        self.host, self.port = listening.getsockname()[:2]
        return self

    def script(self, *scripts: "Script | Sequence[Step]") -> None:
        """From now on, answer with these."""
        self._scripts = scripts
        self._begun = len(self.requests)

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

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

    async def connected(self, count: int, within: float = 5.0) -> Recording:
        """Wait until `count` connections have come, and return the last of them."""
        async with asyncio.timeout(within):
            while len(self.connections) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.connections[count - 1]

    async def all_closed(self, within: float = 2.0) -> None:
        """Wait until the clients have closed every connection; what they still send is dropped."""
        for peer in self._peers:
            peer.read_on()
        for record in self.connections:
            await record.closed(within)

    async def aclose(self) -> None:
        """Stop listening, and reset what is open."""
        assert self._server is not None
        self._server.close()
        # asyncio may be half way through accepting one, and would leave its socket open.
        names = {t: getattr(t.get_coro(), "__name__", "") for t in asyncio.all_tasks()}
        accepting = [t for t, name in names.items() if name.startswith("_accept_connection")]
        if accepting:
            await asyncio.wait(accepting, timeout=1)
        tasks = [peer.task for peer in self._peers if peer.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._peers:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    # --- what its connections tell it -----------------------------------------------

    def opened(self, peer: "_Peer") -> None:
        self._peers.add(peer)
        self.connections.append(peer.record)
        self._arrived.set()

    def gone(self, peer: "_Peer") -> None:
        self._peers.discard(peer)

    def next_script(self, request: Recorded) -> Script:
        if callable(self._scripts):
            chosen = self._scripts(request)
        else:
            chosen = self._scripts[min(len(self.requests) - self._begun, len(self._scripts) - 1)]
        self.requests.append(request)
        return chosen if isinstance(chosen, Script) else Script(chosen)

    def recorded(self) -> None:
        self._arrived.set()


class _Peer(asyncio.Protocol):
    """One accepted connection. Reads at most 64 kB ahead of what a script wants."""

    def __init__(self, server: RawServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._change = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading_on = False
        self._transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None
        self.record = Recording(0.0, len(server.connections))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.record.opened_at = self._loop.time()
        self.record.number = len(self._server.connections)
        self.record.server_name = getattr(transport.get_extra_info("ssl_object"), "sni", None)
        self._server.opened(self)
        self.task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        self._change.set()
        if not self._reading_on and len(self._buffer) > 65536:
            self._transport.pause_reading()

    def read_on(self) -> None:
        self._reading_on = True
        assert self._transport is not None
        self._transport.resume_reading()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> None:
        self._mark_closed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._mark_closed()
        self._server.gone(self)

    def _mark_closed(self) -> None:
        self.record.mark_closed(self._loop.time())
        if self.task is not None:
            self.task.cancel()

    # --- one request after the other ----------------------------------------------------

    async def _serve(self) -> None:
        assert self._transport is not None
        try:
            while await self._one():
                pass
        finally:
            self._transport.abort()

    async def _one(self) -> bool:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            await self._more()
        request = self._parse(self._take(end + 4))
        if self._server.bodies_first:
            await self._read_body(request)
        script = self._server.next_script(request)
        self.record.requests.append(request)
        if not script.early and not self._server.bodies_first:
            await self._read_body(request)
        self._server.recorded()
        for step in script.steps:
            if not await self._do(step, request):
                return False
        return True

    def _parse(self, raw: bytes) -> Recorded:
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Recorded(method, path, headers, raw, self.record, self._loop.time())

    async def _do(self, step: Step, request: Recorded) -> bool:
        assert self._transport is not None
        if isinstance(step, bytes):
            self._transport.write(step)
            await self._writable.wait()
            self.record.sent += len(step)
        elif isinstance(step, Gate):
            await step.wait()
        elif isinstance(step, (int, float)):
            await asyncio.sleep(step)
        elif step is BODY:
            await self._read_body(request)
        elif step is HALF:
            self._transport.write_eof()
        elif step is CLOSE:
            self._transport.close()
            await asyncio.sleep(3600)  # until connection_lost: what is buffered goes out first
        elif step is CUT:
            return False
        else:
            # Linger 0 turns the close into a reset.
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        return True

    async def _read_body(self, request: Recorded) -> None:
        length = int(request.headers.get("content-length", "0"))
        parts: list[bytes] = []
        while length:
            if not self._buffer:
                await self._more()
            parts.append(self._take(min(length, len(self._buffer))))
            length -= len(parts[-1])
        request.body = b"".join(parts)

    async def _more(self) -> None:
        self._change.clear()
        await self._change.wait()

    def _take(self, size: int) -> bytes:
        assert self._transport is not None
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        if len(self._buffer) <= 65536 and not self._transport.is_closing():
            self._transport.resume_reading()
        return data


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


def server_context(certificate: object) -> ssl.SSLContext:
    """Return a TLS context for a trustme certificate, which records the name asked for (SNI)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # type: ignore[attr-defined]

    def remember(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.sni = name  # type: ignore[attr-defined]

    context.sni_callback = remember  # type: ignore[assignment]
    return context
