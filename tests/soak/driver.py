"""An editor with many requests in flight, and what the system says of the process it talks to."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.framing import FrameDecoder, frame
from tests.contract.process import environment

PROBE = Path(__file__).with_name("probe.py")
SECONDS = 30.0


class Editor:
    """Requests by id; every answer comes once, every progress value before it."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None, *arguments: str) -> None:
        self.folder = folder
        self.report_file = folder / "report"
        self._env = environment(folder, **{"XDG_DATA_HOME": str(folder / "data"), **(env or {})})
        self._arguments = arguments
        self._decoder = FrameDecoder()
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._values: dict[Any, asyncio.Event] = {}
        self.notes: list[Any] = []
        self.stderr = b""
        self._count = 0

    async def start(self, options: Any, process_id: int | None = None) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(PROBE), str(self.report_file), *self._arguments,
            stdin=-1, stdout=-1, stderr=-1, cwd=self.folder, env=self._env,
        )  # fmt: skip
        self._reader = asyncio.ensure_future(self._read())
        self._errors = asyncio.ensure_future(self._read_errors())
        params = {"processId": process_id, "capabilities": {}, "initializationOptions": options}
        await self.ask("initialize", params)
        self.send({"method": "initialized", "params": {}})

    def send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    async def ask(self, method: str, params: Any, *, cancel_after_values: bool = False) -> Any:
        """Return the response. With `cancel_after_values`, cancel at the first progress value."""
        self._count += 1
        number = self._count
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        if cancel_after_values:
            self._values[number] = asyncio.Event()
            params = {**params, "partialResultToken": number}
        self.send({"id": number, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            if cancel_after_values:
                value = asyncio.ensure_future(self._values[number].wait())
                await asyncio.wait([value, waiting], return_when=asyncio.FIRST_COMPLETED)
                value.cancel()
                self.send({"method": "$/cancelRequest", "params": {"id": number}})
                del self._values[number]
            return await waiting

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(1 << 16):
            for body in self._decoder.feed(data):
                assert isinstance(body, bytes), body
                self._take(json.loads(body))

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.stderr = await self.process.stderr.read()

    def _take(self, message: Any) -> None:
        if "method" not in message:
            self._waiting.pop(message["id"]).set_result(message)
        elif message["method"] == "$/progress":
            token = message["params"]["token"]
            assert token in self._waiting, "a value after the answer"
            if token in self._values and message["params"]["value"]["kind"] == "text":
                self._values[token].set()
        else:
            self.notes.append(message)

    async def stop(self) -> int:
        """Close stdin; return the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(SECONDS):
            code = await self.process.wait()
            await asyncio.gather(self._reader, self._errors)
        return code

    # --- what the system says -----------------------------------------------------------

    async def held(self) -> dict[str, Any]:
        """Return what the process holds: see `probe`, and resident kB, descriptors, children."""
        self.report_file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(SECONDS):
            while not self.report_file.exists():
                await asyncio.sleep(0.02)
        found = json.loads(self.report_file.read_text())
        found["fds"] = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        found["sockets"] = sum("socket:" in link for link in links_of(self.process.pid))
        found["kB"] = rss_kb(self.process.pid)
        found["children"] = children_of(self.process.pid)
        return found


def links_of(pid: int) -> list[str]:
    """Return what the descriptors of `pid` are."""
    folder = Path(f"/proc/{pid}/fd")
    found: list[str] = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(folder / name))
        except OSError:
            continue
    return found


def rss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def parents() -> dict[int, int]:
    """Return the parent of every process that is no zombie."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(name)] = int(parent)
    return found


def children_of(pid: int) -> list[int]:
    """Return the children of `pid`, and theirs."""
    known = parents()
    found = [pid]
    for each in found:
        found += [child for child, parent in known.items() if parent == each]
    return found[1:]
