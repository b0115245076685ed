"""One cell of the matrix: a fault, in one of four situations, through a whole sidecar.

`alone`: it happens every time and nobody else is there. `retry`: it happens once. `fallback`: it
happens every time, and a second provider is well. `cancelled`: the editor takes the request back
in the middle of it, while a retry and a fallback would be there.
"""

import asyncio
import contextlib
import socket
import ssl
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import trustme

from tests.faults import traces
from tests.faults.faults import FOREVER, HOLD, SHORT, Fault, whole
from tests.faults.wires import CHAT, Wire
from tests.http.server import Gate, RawServer, Recorded, Step, server_context
from tests.ledger.booked import rows

Column = Literal["alone", "retry", "fallback", "cancelled"]
COLUMNS: tuple[Column, ...] = ("alone", "retry", "fallback", "cancelled")

ATTEMPTS = 2
FIRST_WAIT = 0.03
"""Seconds of the first wait before a retry, in place of half a second: the rule is the same."""

SECONDS = 8.0
"""A cell that takes longer hangs. The longest that is right waits for a Retry-After of 1 s."""

LEDGER = "usage.db"
"""The ledger's name in a cell's own folder."""

UNKNOWN_HOST = "no-such-service.example"
_ROW = "provider, model, input_tokens, output_tokens, usd, source, outcome"
STREAM = {"prompt": "Hi there", "partialResultToken": "p"}


class Client(Protocol):
    """An editor: the one in memory, or one that speaks to the real process."""

    def request(self, method: str, params: Any = None) -> Any: ...
    def cancel(self, id: Any) -> None: ...
    async def read(self) -> Any: ...
    async def call(self, method: str, params: Any = None) -> Any: ...


class Row(NamedTuple):
    """One row of the ledger's file, as it is when the sidecar has ended."""

    provider: str
    model: str
    read: int
    written: int
    usd: float | None
    source: str | None
    outcome: str


class OpenClient(Protocol):
    def __call__(
        self, folder: Path, options: dict[str, Any]
    ) -> contextlib.AbstractAsyncContextManager[Client]: ...


@dataclass
class Seen:
    """What was seen of one cell, from all sides. Times are of the loop's clock, in seconds."""

    asked_at: float = 0.0
    values: list[Any] = field(default_factory=list[Any])
    value_times: list[float] = field(default_factory=list[float])
    answer: Any = None
    answered_at: float = 0.0
    cancelled_at: float | None = None
    closed_at: float | None = None
    a: list[Recorded] = field(default_factory=list[Recorded])
    b: list[Recorded] = field(default_factory=list[Recorded])
    booked: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: list[Row] = field(default_factory=list["Row"])
    left: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return "".join(v["text"] for v in self.values if v["kind"] == "text")

    @property
    def retries(self) -> list[Any]:
        return [v for v in self.values if v["kind"] == "retry"]

    @property
    def error(self) -> Any:
        return self.answer.get("error", {}).get("data")

    @property
    def attempts(self) -> list[Any]:
        told = self.error if "error" in self.answer else self.answer["result"]
        return (told or {}).get("attempts", [])


async def run_cell(wire: Wire, fault: Fault, column: Column, open_client: OpenClient) -> Seen:
    """Play one cell and return what was seen. Raises `TimeoutError` if it hangs."""
    seen = Seen()
    before = asyncio.all_tasks()
    with tempfile.TemporaryDirectory() as name, traces.quick_retries(FIRST_WAIT):
        async with asyncio.timeout(SECONDS), AsyncExitStack() as stack:
            play = _Play(wire, fault, column, seen)
            await play.begin(stack)
            client = await stack.enter_async_context(
                open_client(Path(name), options_of(wire, play, column))
            )
            await play.ask(client)
            await play.look(client)
            seen.left += await traces.left_in(client)
            seen.left += play.half_open()
            seen.left += traces.books_differ(client, seen.booked)
            await stack.aclose()
            await play.end()
            seen.rows = [Row(*row) for row in rows(Path(name) / LEDGER, _ROW)]
    seen.left += traces.left_tasks(before)
    return seen


def options_of(wire: Wire, play: "_Play", column: Column) -> dict[str, Any]:
    """The configuration of a cell: short bounds, a price, and one provider or two."""
    priced = {"prices": {"inputPerMTok": 1.0, "outputPerMTok": 10.0}}
    told: dict[str, Any] = {
        "default": "a",
        "providers": {"a": wire.provider(play.origin)},
        "retry": {"attempts": ATTEMPTS},
        "timeouts": {"connect": 2, "firstByte": SHORT, "idle": SHORT, "total": 30},
        "models": {"a/m": priced, "b/m": priced},
    }
    if column in ("fallback", "cancelled"):
        told["providers"]["b"] = CHAT.provider(play.b.origin)
        told["fallback"] = {"chain": ["b"]}
    return told


class _Play:
    """The two services of a cell, and the editor's part."""

    def __init__(self, wire: Wire, fault: Fault, column: Column, seen: Seen) -> None:
        self._wire, self._fault, self._column, self._seen = wire, fault, column, seen
        self._gate = Gate()
        self._clock = asyncio.get_running_loop().time
        self._name_asked = asyncio.Event()
        self.a: RawServer | None = None
        self._port = 0

    async def begin(self, stack: AsyncExitStack) -> None:
        self.b = await RawServer.start(whole(CHAT))
        stack.push_async_callback(self.b.aclose)
        stack.push_async_callback(self._all_closed)
        bad = self._steps()
        scripts = [bad, whole(self._wire)] if self._column == "retry" else [bad]
        context = _unknown_authority() if self._fault.where == "tls" else None
        if context is not None and self._column == "cancelled":
            context = None  # it says nothing at all, so that the handshake is what is cancelled
        self.a = await RawServer.start(*scripts, context=context)
        self._port = self.a.port
        if self._fault.where == "refused":
            await self.a.aclose()
            self.a = None
        if self._fault.where == "name":
            self._forget_name(stack)

    def _steps(self) -> list[Step]:
        steps = self._fault.script(self._wire)
        if self._column == "cancelled":
            return [self._gate if step is HOLD else step for step in steps]
        return [step for step in steps if step is not HOLD]

    @property
    def origin(self) -> str:
        """Where provider `a` is, or is not."""
        scheme = "https" if self._fault.where in ("tls", "name") else "http"
        host = UNKNOWN_HOST if self._fault.where == "name" else "127.0.0.1"
        return f"{scheme}://{host}:{self._port}"

    def _forget_name(self, stack: AsyncExitStack) -> None:
        loop: Any = asyncio.get_running_loop()
        former = loop.getaddrinfo

        async def unknown(host: bytes | str, *rest: Any, **more: Any) -> Any:
            if host not in (UNKNOWN_HOST, UNKNOWN_HOST.encode()):
                return await former(host, *rest, **more)
            self._name_asked.set()
            if self._column == "cancelled":
                await asyncio.sleep(60)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        loop.getaddrinfo = unknown
        stack.callback(delattr, loop, "getaddrinfo")

    # --- the editor's part -----------------------------------------------------------------

    async def ask(self, client: Client) -> None:
        """Send the request, cancel it if that is the column, and read up to its answer."""
        seen = self._seen
        seen.asked_at = self._clock()
        id = client.request("ai/stream", STREAM)
        canceller = asyncio.create_task(self._cancel_in_the_middle(client, id))
        try:
            while seen.answer is None:
                message = await client.read()
                if message.get("id") == id and "method" not in message:
                    seen.answer, seen.answered_at = message, self._clock()
                    continue
                seen.values.append(message["params"]["value"])
                seen.value_times.append(self._clock())
                await self._revive()
        finally:
            canceller.cancel()
            await asyncio.gather(canceller, return_exceptions=True)

    async def _revive(self) -> None:
        """A refused provider comes up when it has been told that it is asked again."""
        if self._column == "retry" and self._fault.where == "refused" and self.a is None:
            self.a = await RawServer.start(whole(self._wire), port=self._port)

    async def _cancel_in_the_middle(self, client: Client, id: Any) -> None:
        if self._column != "cancelled":
            return
        if self._fault.where == "name":
            await self._name_asked.wait()
        elif self._fault.where == "refused":
            while not self._seen.retries:
                await asyncio.sleep(0.005)
        elif self._fault.where == "tls":
            assert self.a is not None
            await self.a.connected(1)
        else:
            await self._gate.reached.wait()
            if self._fault.status is not None:
                await asyncio.sleep(0.03)  # so that the status, which has been sent, is read
            while (self._fault.text or self._fault.kind is None) and not self._seen.text:
                await asyncio.sleep(0.005)
        self._seen.cancelled_at = self._clock()
        client.cancel(id)

    async def look(self, client: Client) -> None:
        """Note what the services and the books say; after a cancel, that nothing further came."""
        seen = self._seen
        if self._column == "cancelled":
            await asyncio.sleep(FIRST_WAIT * 1.5)
            if self.a is not None and self.a.connections:
                seen.closed_at = await self.a.connections[-1].closed(1.0)
        seen.booked = {p["id"]: p for p in (await client.call("ai/metrics"))["providers"]}
        for provider in (await client.call("ai/providers"))["providers"]:
            if provider["rate"]["inFlight"]:
                seen.left.append(f"{provider['id']}: {provider['rate']['inFlight']} in flight")
        seen.a = list(self.a.requests) if self.a is not None else []
        seen.b = list(self.b.requests)

    # --- the end ----------------------------------------------------------------------------

    def half_open(self) -> list[str]:
        """Name the connections that were kept although their answer was not whole."""
        if self.a is None or self._fault.script(self._wire)[-1] is not FOREVER:
            return []  # whole for HTTP, however wrong it was: it may be used again
        bad = self.a.connections[:1] if self._column == "retry" else self.a.connections
        return [f"connection {c.number} is open" for c in bad if not c.closed_at]

    async def _all_closed(self) -> None:
        for server in (self.a, self.b):
            if server is not None:
                await server.all_closed()

    async def end(self) -> None:
        if self.a is not None:
            await self.a.aclose()


_AUTHORITY: list[trustme.CA] = []


def _unknown_authority() -> ssl.SSLContext:
    if not _AUTHORITY:
        _AUTHORITY.append(trustme.CA())
    return server_context(_AUTHORITY[0].issue_cert("127.0.0.1"))


__all__ = ["COLUMNS", "Client", "Column", "Seen", "run_cell"]
