"""A cheap provider in a process of its own: hand-written HTTP/1.1, scripted by the model's name.

The model says what the stream is, so that every client of every kind can ask for any script:

    bench-t200-p20000-b250-k0     200 tokens, one every 20,000 µs, 250 bytes each, texts of kind 0

`p0` is as fast as the client reads, `BURST` events in one write. Kinds: 0 a fixed cycle of texts,
1 the time of writing (CLOCK_MONOTONIC, ns), 2 texts that belong to this stream alone (its key and
position, not ASCII only), 3 a fixed cycle of texts of 200 bytes. `bench-e503` is an error answer of
that status. The key of a stream is
its prompt. What was seen (when the last request of a key began, was refused, lost its connection)
is told by `GET /records`, which starts a new page.

    python -m benchmarks.load_server [--tls CERT KEY]      prints its port
"""

import argparse
import asyncio
import re
import ssl
import time

import msgspec

from benchmarks.formats import OPENAI_CHAT, Format, asked, format_of

BURST = 16
"""Events per write when nothing paces them: 4 kB, so that the server is never the bottleneck."""

CYCLE = 1000
"""Different texts of kind 0; the stream repeats them."""

HIGH_WATER = 64 * 1024


class Script(msgspec.Struct, frozen=True):
    """`pace` in seconds between tokens, `size` in bytes an event."""

    tokens: int = 200
    pace: float = 0.0
    size: int = 250
    kind: int = 0
    status: int = 200


class Records(msgspec.Struct):
    """What the server saw: CLOCK_MONOTONIC nanoseconds by the stream's key."""

    connections: int = 0
    requests: int = 0
    first_byte: dict[str, int] = {}
    refused: dict[str, int] = {}
    closed: dict[str, int] = {}


def script_of(model: str) -> Script:
    """Return the script a model's name asks for; what it does not say is the default."""
    given = {name: int(value) for name, value in re.findall(r"-([tpbke])(\d+)", model)}
    default = Script()
    return Script(
        tokens=given.get("t", default.tokens),
        pace=given.get("p", 0) / 1e6,
        size=given.get("b", default.size),
        kind=given.get("k", default.kind),
        status=given.get("e", default.status),
    )


def text_of(key: str, script: Script, i: int) -> str:
    """Return the text of token `i`: what a client must have received, except for kind 1."""
    if script.kind == 0:
        return f" {i % CYCLE:03d}"
    if script.kind == 3:
        return f" {i % CYCLE:03d}" + "x" * 196
    if script.kind == 1:
        return f" {time.monotonic_ns()}"
    return f" {key}·{i}é漢🙂"


_cycles: dict[tuple[object, int, int], list[bytes]] = {}


def _cycle(form: Format, script: Script) -> list[bytes]:
    """Return the events of kinds 0 and 3, made once per format, kind and size."""
    key = form.path, script.kind, script.size
    found = _cycles.get(key)
    if found is None:
        found = [form.event(text_of("", script, i), script.size) for i in range(CYCLE)]
        _cycles[key] = found
    return found


class Stream:
    """One answer being written: paced by the loop's clock, or as fast as the client reads."""

    def __init__(self, connection: "Connection", form: Format, key: str, script: Script) -> None:
        self.connection, self.form, self.key, self.script = connection, form, key, script
        self.loop = connection.loop
        self.sent = 0
        self.timer: asyncio.Handle | None = None
        self.due = self.loop.time()

    def start(self) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {self.form.content_type}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        self.connection.transport.write(head.encode() + self.form.opening())
        self.proceed()

    def proceed(self) -> None:
        """Arrange for the next write; called again when the client reads once more."""
        if self.timer is not None:
            return
        if not self.script.pace:
            self.timer = self.loop.call_soon(self.burst)
        else:
            self.due = max(self.due + self.script.pace, self.loop.time() - 1.0)
            self.timer = self.loop.call_at(self.due, self.one)

    def event(self, i: int) -> bytes:
        if self.script.kind in (0, 3):
            return _cycle(self.form, self.script)[i % CYCLE]
        return self.form.event(text_of(self.key, self.script, i), self.script.size)

    def one(self) -> None:
        self.write(1)

    def burst(self) -> None:
        self.write(BURST)

    def write(self, count: int) -> None:
        self.timer = None
        last = min(self.sent + count, self.script.tokens)
        data = b"".join([self.event(i) for i in range(self.sent, last)])
        self.sent = last
        if last == self.script.tokens:
            self.connection.transport.write(data + self.form.closing(last) + b"0\r\n\r\n")
            self.connection.finished()
            return
        self.connection.transport.write(data)
        if not self.connection.paused:
            self.proceed()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Connection(asyncio.Protocol):
    """One client connection; requests one after another, no pipelining."""

    transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.began = 0
        self.paused = False
        self.counted = False
        self.stream: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if not self.buffer:
            self.began = time.monotonic_ns()
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].decode("latin-1")
        found = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        total = end + 4 + (int(found[1]) if found else 0)
        if len(self.buffer) < total:
            return
        body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
        self.request(head.split(" ", 2)[1], body)

    def request(self, path: str, body: bytes) -> None:
        if path == "/records":
            self.reply(200, msgspec.json.encode(self.server.turn_page()))
            return
        form = format_of(path)
        if form is None:
            self.reply(404, b'{"error": {"message": "no such path"}}')
            return
        model, key = asked(form, path, body)
        self.server.records.requests += 1
        self.server.records.connections += not self.counted
        self.counted = True
        self.server.records.first_byte[key] = self.began
        script = script_of(model)
        if script.status != 200:
            self.server.records.refused[key] = time.monotonic_ns()
            self.reply(script.status, b'{"error": {"message": "as asked for"}}')
            return
        self.stream = Stream(self, form, key, script)
        self.stream.start()

    def reply(self, status: int, body: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )

    def finished(self) -> None:
        self.stream = None

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.stream is not None:
            self.stream.proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream is not None:
            self.server.records.closed[self.stream.key] = time.monotonic_ns()
            self.stream.stop()


class Server:
    def __init__(self) -> None:
        self.records = Records()

    def turn_page(self) -> Records:
        page, self.records = self.records, Records()
        return page


async def serve(tls: list[str] | None) -> None:
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    server = Server()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: Connection(server), "127.0.0.1", 0, ssl=context, backlog=4096
    )
    _cycle(OPENAI_CHAT, Script())
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    asyncio.run(serve(parser.parse_args().tls))


if __name__ == "__main__":
    main()
