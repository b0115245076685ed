"""The processes of a run and what is read of them: CPU time, memory, frames.

Every side speaks LSP frames on stdin and stdout, so one driver serves them all. stdout is read by a
thread that only notes when each block came; parsing happens after the measurement.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil

from benchmarks.load_server import Records

ROOT = Path(__file__).resolve().parent.parent
PIPE_BYTES = 1 << 20
"""Room in the stdout pipe: the reader here must never be what a side waits for."""

CANCELLED = b"-32800"
PATIENCE = 120.0
"""Seconds after which a side that has not answered is taken for broken."""


def cpu_seconds(pid: int) -> float:
    """Return user and system time of this process alone, all threads, children excluded."""
    if sys.platform == "linux":
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's per-process CPU clock: in ns
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def rss_bytes(pid: int) -> int:
    """Return the resident memory of the process and of all its living children, in bytes."""
    process = psutil.Process(pid)
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def private_environment(home: str) -> dict[str, str]:
    """Return an environment in which no user's configuration, key or proxy is found."""
    kept = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    places = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME")
    more = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    return env | dict.fromkeys(places + more, home)


class Sink(threading.Thread):
    """Drains a side's stdout: notes when each block came, counts answers and errors."""

    MARKS = (b'"result":', b'"code":-32', b'"code": -32')
    KEPT = 16

    def __init__(self, fd: int) -> None:
        super().__init__(daemon=True)
        self.fd = fd
        self.blocks: list[bytes] = []
        self.times: list[int] = []
        self.answers = 0
        self.closed = False
        self.changed = threading.Condition()

    def run(self) -> None:
        tail = b""
        while True:
            try:
                block = os.read(self.fd, PIPE_BYTES)
            except OSError:
                block = b""
            now = time.monotonic_ns()
            seen = tail + block
            found = sum(seen.count(mark) - tail.count(mark) for mark in self.MARKS)
            tail = seen[-self.KEPT :]
            with self.changed:
                if not block:
                    self.closed = True
                else:
                    self.blocks.append(block)
                    self.times.append(now)
                self.answers += found
                self.changed.notify_all()
            if not block:
                return

    def take(self) -> tuple[list[bytes], list[int]]:
        """Return the blocks and their times since the last call."""
        with self.changed:
            taken = self.blocks, self.times
            self.blocks, self.times = [], []
        return taken


def frames(blocks: Sequence[bytes], times: Sequence[int]) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return (when the frame's last byte came, its body) of blocks that begin with a frame, and the
    bytes of a frame that is not whole."""
    found: list[tuple[int, bytes]] = []
    data = b"".join(blocks)
    ends: list[int] = []
    end = 0
    for block in blocks:
        end += len(block)
        ends.append(end)
    at = 0
    while True:
        head = data.find(b"\r\n\r\n", at)
        if head < 0:
            return found, data[at:]
        fields = dict(
            line.lower().split(b":", 1) for line in data[at:head].split(b"\r\n") if b":" in line
        )
        stop = head + 4 + int(fields[b"content-length"])
        if stop > len(data):
            return found, data[at:]
        found.append((times[bisect_left(ends, stop)], data[head + 4 : stop]))
        at = stop


class Side:
    """One measured process, spoken to as an editor would."""

    def __init__(self, name: str, command: Sequence[str], *, options: object = None) -> None:
        self.name = name
        self.home = tempfile.TemporaryDirectory(prefix="bench-home-")
        self.spawned_at = time.monotonic_ns()
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("BENCH_STDERR") else None,
            cwd=ROOT,
            env=private_environment(self.home.name),
            bufsize=0,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin = self.process.stdin
        if sys.platform == "linux":
            import fcntl

            fcntl.fcntl(self.process.stdout.fileno(), 1031, PIPE_BYTES)  # F_SETPIPE_SZ
        self.sink = Sink(self.process.stdout.fileno())
        self.sink.start()
        self.asked = 0
        self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": {},
                "initializationOptions": options or {},
            },
        )
        self.wait()
        self.ready_ms = (self.sink.times[-1] - self.spawned_at) / 1e6
        self.notify("initialized", {})
        self.sink.take()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def rss(self) -> int:
        return rss_bytes(self.pid)

    def _write(self, message: dict[str, Any]) -> int:
        body = msgspec.json.encode(message)
        frame = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        now = time.monotonic_ns()
        self.stdin.write(frame)
        return now

    def notify(self, method: str, params: object) -> int:
        """Send a notification; return when (CLOCK_MONOTONIC, ns)."""
        return self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: object) -> tuple[int, int]:
        """Send a request; return its id and when the write began (CLOCK_MONOTONIC, ns)."""
        self.asked += 1
        message = {"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}
        return self.asked, self._write(message)

    def stream(self, key: str, model: str, provider: str = "bench") -> tuple[int, int]:
        """Ask for a stream of the load server; `key` is its prompt and its progress token.

        Provider and model are named, as an editor does whose user has chosen a model.
        """
        params = {"prompt": key, "provider": provider, "model": model, "partialResultToken": key}
        return self.request("ai/stream", params)

    def wait(self, answers: int | None = None, patience: float = PATIENCE) -> None:
        """Wait until `answers` requests (default: all) were answered.

        Raises RuntimeError, with the last error frame seen, if the side ends or does not answer.
        """
        wanted = self.asked if answers is None else answers
        with self.sink.changed:
            arrived = self.sink.changed.wait_for(
                lambda: self.sink.answers >= wanted or self.sink.closed, patience
            )
            if arrived and self.sink.answers >= wanted:
                return
        how = "and closed stdout" if self.sink.closed else "and says no more"
        last = b"".join(self.sink.blocks)[-600:]
        raise RuntimeError(
            f"{self.name} gave {self.sink.answers} of {wanted} answers {how}: {last!r}"
        )

    def settle(self) -> Self:
        """Wait until a standard request is answered: all that is loaded late is loaded then."""
        self.request("bench/unknown", {})
        self.wait()
        self.sink.take()
        return self

    def wait_for_progress(self, patience: float = PATIENCE) -> None:
        """Wait until anything at all has come since the last `take`."""
        with self.sink.changed:
            if not self.sink.changed.wait_for(lambda: bool(self.sink.blocks), patience):
                raise RuntimeError(f"{self.name}: no progress")

    def take(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the messages since the last call with their times; call it when all is answered.

        Raises RuntimeError for an error answer other than that of a cancel.
        """
        taken: list[tuple[int, dict[str, Any]]] = []
        for at, body in self._whole_frames():
            if b'"code":-32' in body and CANCELLED not in body and b'"method"' not in body:
                raise RuntimeError(f"{self.name}: {body.decode()}")
            taken.append((at, msgspec.json.decode(body)))
        return taken

    def _whole_frames(self) -> list[tuple[int, bytes]]:
        """Return the frames since the last call; wait for the end of one that has begun to come."""
        found, rest = frames(*self.sink.take())
        while rest:
            self.wait_for_progress()
            blocks, times = self.sink.take()
            more, rest = frames([rest, *blocks], [0, *times])
            found += more
        return found

    def close(self) -> None:
        """End the process in the protocol's own way; a second call does nothing."""
        if self.stdin.closed:
            return
        try:
            self.request("shutdown", {})
            self.notify("exit", {})
            self.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.sink.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.home.cleanup()


def texts(messages: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, list[tuple[int, str]]]:
    """Return, by progress token, the texts that came with their times."""
    found: dict[str, list[tuple[int, str]]] = {}
    for at, message in messages:
        if message.get("method") == "$/progress":
            value = message["params"]["value"]
            if value.get("kind") == "text":
                found.setdefault(message["params"]["token"], []).append((at, value["text"]))
    return found


class LoadServer:
    """The provider's process."""

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        command = [sys.executable, "-m", "benchmarks.load_server"]
        if tls:
            command += ["--tls", *map(str, tls)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def records(self) -> Records:
        """Return what the server has seen since the last call (plain HTTP only)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/records")
            return msgspec.json.decode(connection.getresponse().read(), type=Records)
        finally:
            connection.close()


# --- The sides ---------------------------------------------------------------------------------


def options_for(url: str, *, names: Sequence[str] = ("bench",), ca: str = "") -> dict[str, Any]:
    """Return the sidecar's configuration: every name a provider that is the load server."""
    one = {"kind": "openai-compatible", "baseUrl": url, "apiKey": "x", "model": "bench-t1"}
    options: dict[str, Any] = {"providers": {n: one for n in names}, "default": names[0]}
    if ca:
        options["http"] = {"caBundle": ca}
    return options


KINDS = (
    "openai",
    "azure",
    "anthropic",
    "gemini",
    "vertex",
    "bedrock",
    "xai",
    "openrouter",
    "groq",
    "ollama",
)


def model_for(kind: str, script: str) -> str:
    """Return the model's name that asks for `script`: vertex tells its dialects apart by names."""
    return f"gemini-{script}" if kind == "vertex" else script


def every_kind(origin: str, *, ca: str = "") -> dict[str, Any]:
    """Return the sidecar's configuration: ten providers of the ten `KINDS`, all the load server."""
    keyed = {"apiKey": "x", "model": "bench-t20"}
    google = {"project": "p", "location": "us-central1", "accessToken": "x"}
    providers: dict[str, dict[str, str]] = {
        "openai": keyed | {"baseUrl": f"{origin}/v1"},
        "azure": keyed | {"endpoint": origin, "deployment": "bench-t20"},
        "anthropic": keyed | {"baseUrl": origin},
        "gemini": keyed | {"baseUrl": origin},
        "vertex": google | {"model": model_for("vertex", "bench-t20"), "baseUrl": origin},
        "bedrock": keyed | {"region": "us-east-1", "baseUrl": origin},
        "xai": keyed | {"baseUrl": f"{origin}/v1"},
        "openrouter": keyed | {"baseUrl": f"{origin}/api/v1"},
        "groq": keyed | {"baseUrl": f"{origin}/openai/v1"},
        "ollama": {"model": "bench-t20", "baseUrl": origin},
    }
    options: dict[str, Any] = {"providers": providers, "default": "openai"}
    if ca:
        options["http"] = {"caBundle": ca}
    return options


def sidecar_command() -> list[str]:
    """Return how the sidecar is started: the console script beside this interpreter."""
    name = "ai-sidecar.exe" if sys.platform == "win32" else "ai-sidecar"
    return [str(Path(sys.executable).parent / name)]


def sidecar(port: int) -> Side:
    options = options_for(f"http://127.0.0.1:{port}/v1")
    return Side("sidecar", sidecar_command(), options=options).settle()


def sidecar_of_every_kind(port: int) -> Side:
    options = every_kind(f"http://127.0.0.1:{port}")
    return Side("sidecar", sidecar_command(), options=options).settle()


def floor(port: int) -> Side:
    return Side("floor", [sys.executable, "-m", "benchmarks.peers.floor", str(port)]).settle()


def openai_sdk(port: int) -> Side:
    return Side("openai SDK", sdk_command("openai", port))


def sdk_command(name: str, port: int) -> list[str]:
    """Return how the SDK or library called `name` is started to iterate over streams."""
    return [sys.executable, "-m", "benchmarks.peers.sdk_iterate", name, str(port)]


def bare_pygls() -> Side:
    return Side("bare pygls", [sys.executable, "-m", "benchmarks.peers.bare_pygls"])


SIDES = {"sidecar": sidecar, "floor": floor, "openai": openai_sdk}
