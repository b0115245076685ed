"""A small asynchronous client of our own process: frames in, frames out.

Speaks the protocol as an editor would, so that `ask` goes the way an editor's request goes; tests
use it too. It knows JSON-RPC framing and nothing of what the methods mean.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec
from msgspec import UNSET, Raw, UnsetType

from sidecar.config.user_file import PATH_VARIABLE
from sidecar.framing import FrameDecoder, FrameError, frame

CANCELLED = -32800
METHOD_NOT_FOUND = -32601

_EXIT_SECONDS = 5.0

Trace = Callable[[str, bytes], None]
"""Told of every frame: "→" or "←", and its JSON."""


class _Error(msgspec.Struct):
    code: int
    message: str
    data: Raw = Raw(b"null")


class _Message(msgspec.Struct):
    id: int | str | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: Raw = Raw(b"{}")
    result: Raw = Raw(b"null")
    error: _Error | UnsetType = UNSET


class _Progress(msgspec.Struct):
    token: int | str
    value: Raw


class RpcError(Exception):
    """An error answer. `data` is its data, still JSON."""

    def __init__(self, code: int, message: str, data: bytes) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class SidecarGone(Exception):
    """The process ended, or sent what is no frame, while an answer was awaited."""


class Request:
    """One request under way: await `answer`; `cancel` it with its id."""

    def __init__(self, request_id: int, answer: "asyncio.Future[bytes]") -> None:
        self.id = request_id
        self.answer = answer


class SidecarClient:
    """One process of ours, started and spoken to. Use as an asynchronous context manager."""

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Start nothing yet. `command` is the program to run in place of this installation's."""
        self._command = list(command or own_command())
        self._env = env
        self._trace = trace
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._next_id = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._progress: dict[int | str, Callable[[bytes], None]] = {}
        self._notified: dict[str, Callable[[bytes], None]] = {}

    # --- life ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the process; `initialize` is the caller's to send."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if _usable(sys.stderr) else DEVNULL,
            cwd=sys.prefix,  # never the workspace: it is not ours to import from
            env=_environment() if self._env is None else self._env,
            # A Ctrl-C is for us: the request is cancelled over the wire.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ask it to end with `shutdown` and `exit`; kill it where it does not within seconds."""
        process, reader = self._process, self._reader
        assert process is not None and reader is not None and process.stdin is not None
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                if process.returncode is None:
                    with contextlib.suppress(SidecarGone, RpcError):
                        await self.request("shutdown", None).answer
                        self.notify("exit", None)
                process.stdin.close()
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    @property
    def pid(self) -> int | None:
        """The process's id, None before it was started."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """End the process now."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def initialize(self, *, name: str, version: str, **more: object) -> dict[str, Any]:
        """Introduce ourselves; return the server's result. Raises `SidecarGone`."""
        params: dict[str, object] = {
            "processId": os.getpid(),
            "clientInfo": {"name": name, "version": version},
            "rootUri": None,
            "capabilities": {
                "window": {"workDoneProgress": True},
                "experimental": {"aiSidecar": {"status": True}},
            },
        }
        answer = await self.request("initialize", params | more).answer
        self.notify("initialized", {})
        return msgspec.json.decode(answer, type=dict[str, Any])

    # --- out ----------------------------------------------------------------------

    def request(self, method: str, params: object) -> Request:
        """Send a request. Its answer is the result's JSON, or raises `RpcError`, `SidecarGone`."""
        self._next_id += 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_retrieve)
        if self._reader is None or self._reader.done():
            answer.set_exception(SidecarGone(self._last_words()))
        else:
            self._waiting[self._next_id] = answer
            self._send({"id": self._next_id, "method": method, "params": params})
        return Request(self._next_id, answer)

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def cancel(self, request: Request) -> None:
        """Ask for the end of `request`; its answer then raises `RpcError` with code −32800."""
        self.notify("$/cancelRequest", {"id": request.id})

    def _send(self, message: dict[str, object]) -> None:
        if message.get("params", ...) is None:
            del message["params"]
        body = msgspec.json.encode({"jsonrpc": "2.0", **message})
        if self._trace is not None:
            self._trace("→", body)
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):  # the reader tells that it is gone
            self._process.stdin.write(frame(body))

    # --- in -----------------------------------------------------------------------

    def on_progress(self, token: int | str, handler: Callable[[bytes], None]) -> None:
        """Call `handler` with the JSON of every `$/progress` value of `token`."""
        self._progress[token] = handler

    def on_notification(self, method: str, handler: Callable[[bytes], None]) -> None:
        """Call `handler` with the JSON of every notification's params."""
        self._notified[method] = handler

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        decoder = FrameDecoder()
        problem: Exception | None = None
        try:
            while data := await self._process.stdout.read(65536):
                for body in decoder.feed(data):
                    if isinstance(body, FrameError):
                        raise ValueError(body.message)
                    self._receive(body)
        except (msgspec.MsgspecError, ValueError) as error:
            problem = error
        else:
            await self._process.wait()
        gone = SidecarGone(self._last_words() if problem is None else f"not a frame: {problem}")
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(gone)

    def _receive(self, body: bytes) -> None:
        if self._trace is not None:
            self._trace("←", body)
        message = msgspec.json.decode(body, type=_Message)
        if message.method is UNSET:
            self._answer(message)
        elif message.id is not UNSET:
            self._serve(message.method, message.id, message.params)
        elif message.method == "$/progress":
            progress = msgspec.json.decode(message.params, type=_Progress)
            if handler := self._progress.get(progress.token):
                handler(bytes(progress.value))
        elif handler := self._notified.get(message.method):
            handler(bytes(message.params))

    def _answer(self, message: _Message) -> None:
        answer = self._waiting.pop(message.id, None) if isinstance(message.id, int) else None
        if answer is None or answer.done():
            return
        if message.error is UNSET:
            answer.set_result(bytes(message.result))
        else:
            error = message.error
            answer.set_exception(RpcError(error.code, error.message, bytes(error.data)))

    def _serve(self, method: str, request_id: object, params: Raw) -> None:
        """Answer what the server asks of its client."""
        reply: dict[str, object] = {"id": request_id}
        if method in ("window/workDoneProgress/create", "client/registerCapability"):
            reply["result"] = None
        elif method == "workspace/configuration":
            asked = msgspec.json.decode(params, type=dict[str, list[object]])
            reply["result"] = [None] * len(asked.get("items", []))
        else:
            reply["error"] = {"code": METHOD_NOT_FOUND, "message": f"no such method: {method}"}
        self._send(reply)

    def _last_words(self) -> str:
        code = None if self._process is None else self._process.returncode
        return "the sidecar ended" + ("" if code is None else f" (exit code {code})")


def own_command() -> list[str]:
    """Return how this installation is started; `-P` keeps the current folder off the path."""
    return [sys.executable, "-P", "-m", "sidecar", "serve"]


def _environment() -> dict[str, str]:
    """Our environment, its one relative path made good for a process that starts elsewhere."""
    environment = dict(os.environ)
    if named := environment.get(PATH_VARIABLE):
        environment[PATH_VARIABLE] = os.path.abspath(os.path.expanduser(named))
    return environment


def _retrieve(answer: "asyncio.Future[bytes]") -> None:
    """An error that nobody waits for any more is not worth a warning."""
    if not answer.cancelled():
        answer.exception()


def _usable(stream: object) -> bool:
    """Whether a standard stream is a real file that a child can inherit."""
    try:
        return stream is not None and stream.fileno() >= 0  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):
        return False
