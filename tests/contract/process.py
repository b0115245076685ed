"""The real program as a child process, spoken to in frames, as an editor would."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.framing import FrameDecoder, frame

PROGRAM = Path(sys.executable).with_name("ai-sidecar.exe" if os.name == "nt" else "ai-sidecar")
SECONDS = 15.0
"""How long a message may be waited for: the whole suite may be running beside this."""

_KEPT = ("PATH", "HOME", "SYSTEMROOT", "TMPDIR", "LANG")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment without anybody's keys, proxies or configuration."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), **more}


class Sidecar:
    """Use as an asynchronous context manager. Leaving it fails the test if stderr was not silent.

    `options` are the initialization options; None starts the program and says nothing.
    """

    program: tuple[str, ...] = (str(PROGRAM),)

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        options: Any = None,
        capabilities: Any = None,
        process_id: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        quiet: bool = True,
    ) -> None:
        self._arguments = arguments
        self._env = environment(folder, **(env or {}))
        self._cwd = cwd or folder
        self._quiet = quiet
        self._params = {
            "processId": process_id,
            "rootUri": None,
            "capabilities": capabilities or {},
            "initializationOptions": options,
        }
        self._speaks = options is not None
        self._decoder = FrameDecoder()
        self._messages: list[Any] = []
        self._count = 100
        self.initialize_result: Any = None
        self.stderr = ""

    async def __aenter__(self) -> "Sidecar":
        self.process = await asyncio.create_subprocess_exec(
            *self.program,
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self._cwd,
            env=self._env,
            limit=1 << 16,
        )
        if self._speaks:
            self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": self._params})
            self.initialize_result = (await self.answer(0))["result"]
            self.notify("initialized")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        process = self.process
        assert process.stdin is not None and process.stderr is not None
        try:
            if process.returncode is None:
                process.stdin.close()
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        self.stderr += err.decode()
        if kind is None and self._quiet:
            assert self.stderr == ""
        assert process.returncode is not None
        del out

    # --- speaking ------------------------------------------------------------------------

    def send(self, message: Any) -> None:
        self.write(frame(json.dumps(message).encode()))

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def request(self, method: str, params: Any = None, *, id: Any = None) -> Any:
        if id is None:
            self._count += 1
            id = self._count
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        return id

    def cancel(self, id: Any) -> None:
        self.notify("$/cancelRequest", {"id": id})

    # --- listening ------------------------------------------------------------------------

    async def read(self) -> Any:
        """Return the next message. Raises `EOFError` at the end of stdout."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while not self._messages:
                data = await self.process.stdout.read(1 << 16)
                if not data:
                    raise EOFError((await self.process.stderr.read()).decode())  # type: ignore[union-attr]
                for body in self._decoder.feed(data):
                    assert isinstance(body, bytes), f"not a frame on stdout: {body}"
                    self._messages.append(json.loads(body))
        return self._messages.pop(0)

    async def answer(self, id: Any) -> Any:
        """Return the response to `id`, which must be the next message."""
        message = await self.read()
        assert message.get("id") == id and "method" not in message, message
        return message

    async def call(self, method: str, params: Any = None) -> Any:
        message = await self.answer(self.request(method, params))
        assert "error" not in message, message
        return message["result"]

    async def fail(self, method: str, params: Any = None) -> Any:
        message = await self.answer(self.request(method, params))
        assert "result" not in message, message
        return message["error"]

    async def until_answer(self, id: Any) -> tuple[list[Any], Any]:
        before: list[Any] = []
        while True:
            message = await self.read()
            if message.get("id") == id and "method" not in message:
                return before, message
            before.append(message)

    async def quiet(self, seconds: float = 0.05) -> None:
        """Fail if anything is sent within `seconds`."""
        assert not self._messages, self._messages
        assert self.process.stdout is not None
        try:
            data = await asyncio.wait_for(self.process.stdout.read(1), seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected output: {data!r}")

    async def exit_code(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    def rss(self) -> int:
        """Resident bytes, on Linux."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def text_of(messages: list[Any], token: Any) -> str:
    """Return the text that the progress values under `token` add up to."""
    found = [m["params"]["value"] for m in messages if m["params"].get("token") == token]
    return "".join(value["text"] for value in found if value["kind"] == "text")
