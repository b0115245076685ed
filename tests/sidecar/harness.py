"""An editor in memory: the real loop, connection, session, manager and pygls, on a pipe of ours.

Leaving the harness fails the test if a message was not read, or if something is still going on.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidecar.config import ConfigStore
from sidecar.framing import FrameDecoder, frame
from sidecar.handlers.table import HANDLERS
from sidecar.outbox import Outbox
from sidecar.rpc import Connection
from sidecar.server import make_server
from sidecar.session import Session

SECONDS = 5.0
"""How long a message may be waited for before the test fails."""


class MemoryPipe:
    """The way to the editor: holds `capacity` bytes while the editor does not read."""

    def __init__(self, capacity: int = 64 * 1024) -> None:
        self.capacity = capacity
        self.reading = True
        self.writes: list[int] = []  # sizes, one per write
        self._decoder = FrameDecoder()
        self._held = bytearray()
        self._rest = b""
        self._done: Callable[[], None] | None = None
        self.messages: deque[bytes] = deque()
        self.arrived = asyncio.Event()

    def write(self, data: bytes, done: Callable[[], None]) -> bool:
        assert self._done is None, "one write at a time"
        self.writes.append(len(data))
        if self.reading:
            self._deliver(data)
            return True
        room = self.capacity - len(self._held)
        self._held += data[:room]
        if room >= len(data):
            return True
        self._rest, self._done = data[room:], done
        return False

    def resume(self) -> None:
        self.reading = True
        data = bytes(self._held) + self._rest
        self._held.clear()
        self._rest = b""
        self._deliver(data)
        done, self._done = self._done, None
        if done is not None:
            done()

    def _deliver(self, data: bytes) -> None:
        for item in self._decoder.feed(data):
            assert isinstance(item, bytes), item
            self.messages.append(item)
        self.arrived.set()


class Editor:
    """Use as an asynchronous context manager: `async with Editor(tmp_path) as editor`."""

    def __init__(
        self,
        folder: Path,
        *,
        options: dict[str, Any] | None = None,
        capabilities: dict[str, Any] | None = None,
        user_file: str = "",
        with_session: bool = True,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._file = folder / "config.toml"
        self._file.write_text(user_file)
        self.params = {
            "processId": None,
            "rootUri": None,
            "capabilities": capabilities or {},
            "initializationOptions": options
            or {"default": "scripted", "providers": {"scripted": {"kind": "mock"}}},
        }
        self._with_session = with_session
        nothing_kept = {"AI_SIDECAR_LEDGER": "off", "AI_SIDECAR_MODEL_LISTS": "off"}
        self._environ = nothing_kept | (environ or {})
        self.exit_codes: list[int] = []
        self.lost = 0
        self._count = 0

    async def __aenter__(self) -> "Editor":
        self.accidents: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, what: self.accidents.append(what)
        )
        self.pipe = MemoryPipe()
        self.outbox = Outbox(self.pipe, on_lost=self._on_lost)
        self.connection = Connection(self.outbox, on_exit=self.exit_codes.append)
        self.session: Session | None = None
        if self._with_session:
            self.open_session()
        return self

    def open_session(self) -> Session:
        store = ConfigStore({}, self._file)
        self.session = Session(self.connection, self.params, store, self._environ)
        self.connection.attach_session(self.session, HANDLERS)
        self.bridge = make_server(self.connection, self.session)
        return self.session

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        async with asyncio.timeout(SECONDS):
            left = [] if kind else await self._rest()
            self.connection.cancel_all()
            await self.connection.idle()
            if self.session is not None:
                await self.session.aclose()
        await asyncio.sleep(0)
        assert not left, f"nobody read {left}"
        assert not self.accidents, self.accidents

    async def _rest(self) -> list[Any]:
        await self.connection.idle()
        for _ in range(3):
            await asyncio.sleep(0)
        return [json.loads(m) for m in self.pipe.messages]

    def _on_lost(self) -> None:
        self.lost += 1

    # --- speaking ----------------------------------------------------------------------

    def send(self, message: Any) -> None:
        self.send_bytes(json.dumps(message).encode())

    def send_bytes(self, body: bytes) -> None:
        self.connection.receive(frame(body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def request(self, method: str, params: Any = None, *, id: int | str | None = None) -> int | str:
        if id is None:
            self._count += 1
            id = self._count
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    def cancel(self, id: int | str) -> None:
        self.notify("$/cancelRequest", {"id": id})

    # --- listening ----------------------------------------------------------------------

    async def read(self) -> Any:
        """Return the next message."""
        async with asyncio.timeout(SECONDS):
            while not self.pipe.messages:
                self.pipe.arrived.clear()
                await self.pipe.arrived.wait()
        return json.loads(self.pipe.messages.popleft())

    async def answer(self, id: int | str) -> Any:
        """Return the response to `id`, which must be the next message."""
        message = await self.read()
        assert message.get("id") == id and "method" not in message, message
        return message

    async def call(self, method: str, params: Any = None) -> Any:
        """Send a request and return its result, which must be the next message."""
        message = await self.answer(self.request(method, params))
        assert "error" not in message, message
        return message["result"]

    async def fail(self, method: str, params: Any = None) -> Any:
        """Send a request and return its error, which must be the next message."""
        message = await self.answer(self.request(method, params))
        assert "result" not in message, message
        return message["error"]

    async def until_answer(self, id: int | str) -> tuple[list[Any], Any]:
        """Return the notifications before the response to `id`, and the response."""
        before: list[Any] = []
        while True:
            message = await self.read()
            if message.get("id") == id and "method" not in message:
                return before, message
            before.append(message)

    async def quiet(self, turns: int = 20) -> None:
        """Let the loop turn, and fail if anything is sent meanwhile."""
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not self.pipe.messages, [json.loads(m) for m in self.pipe.messages]


def values(messages: list[Any], token: int | str) -> list[Any]:
    """Return the progress values under `token`."""
    return [m["params"]["value"] for m in messages if m["params"].get("token") == token]


def text_of(messages: list[Any], token: int | str) -> str:
    """Return the text that the progress values under `token` add up to."""
    return "".join(v["text"] for v in values(messages, token) if v["kind"] == "text")
