"""The embedded model's process, seen from outside: started on first use, shared, restarted.

Knows how to start `local_child` and what its refusals mean to a person. Knows no HTTP: a vendor
asks it for an address and a key, and speaks to that.
"""

import asyncio
import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from providers.errors import ConnectFailed, NotConfigured, ProviderError
from providers.extras import install_command
from providers.settings import ProviderSettings
from providers.vendors.local_child import Order, Ready
from providers.vendors.local_weights import Weights, find_weights, model_name

logger = logging.getLogger(__name__)

_CHILD = Path(__file__).with_name("local_child.py")
_RUNTIME = "xllamacpp"
_START_SECONDS = 180.0  # a large GGUF from a slow disk; the embedded model takes half a second
_STOP_SECONDS = 2.0
# A tiny model repeats itself until its context is full; a file of the user's own is left alone.
MAX_TOKENS = 1024

# What the child's environment may hold. No key of any provider is among it.
_ENVIRONMENT = (
    "PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
    "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE",
    "PYTHONDONTWRITEBYTECODE", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "OMP_NUM_THREADS",
)  # fmt: skip

_LIBGOMP = {
    "debian": "sudo apt-get install libgomp1",
    "ubuntu": "sudo apt-get install libgomp1",
    "fedora": "sudo dnf install libgomp",
    "rhel": "sudo dnf install libgomp",
    "suse": "sudo zypper install libgomp1",
    "arch": "sudo pacman -S gcc-libs",
    "alpine": "sudo apk add libgomp",
}
_OS_RELEASE = "/etc/os-release"
EXTRA = "local"


class LocalState(NamedTuple):
    """What `doctor` says of the embedded model; a problem is a sentence with its remedy."""

    runtime: bool
    weights: Weights | None
    running: bool
    pid: int | None
    problem: str | None


class _Running(NamedTuple):
    process: Process
    base_url: str
    key: str

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"_Running({self.process!r}, {self.base_url!r}, …)"


class LocalServer:
    """One child process at most, whoever asks. To be used from one event loop."""

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        *,
        on_status: Callable[[str], None] | None = None,
        data_folder: Path | None = None,
    ) -> None:
        """Start nothing yet. `on_status` is told in a few words while the model loads, then ""."""
        self._settings = settings or ProviderSettings()
        self._on_status = on_status or _tell_nobody
        self._data_folder = data_folder
        self._running: _Running | None = None
        self._starting: asyncio.Task[_Running] | None = None

    async def address(self) -> tuple[str, str]:
        """Return the base URL (with `/v1`) and the API key of a child that is ready.

        Raises `NotConfigured` where runtime, weights or a system library are missing, and
        `ConnectFailed` where the child ended or took too long. Callers share one start, and one
        that is cancelled meanwhile does not stop it for the others.
        """
        running = self._running
        if running is None or running.process.returncode is not None:
            if running is not None:
                said = _exit_words(running.process.returncode or 0)
                logger.info("the embedded model's process ended by itself (%s)", said)
            self._running = None
            running = await asyncio.shield(self._start())
        return running.base_url, running.key

    def _start(self) -> asyncio.Task[_Running]:
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._launch())
            self._starting.add_done_callback(self._started)
        return self._starting

    def _started(self, task: asyncio.Task[_Running]) -> None:
        self._starting = None
        self._on_status("")
        if not task.cancelled() and task.exception() is None:
            self._running = task.result()

    async def _launch(self) -> _Running:
        settings = self._settings
        _require_runtime()
        weights = find_weights(settings.model_path, data_folder=self._data_folder)
        name = model_name(settings)
        self._on_status(f"Loading {name.removesuffix('-Instruct')} …")
        order = Order(
            model=str(weights.path),
            alias=name,
            key=secrets.token_urlsafe(32),
            threads=settings.threads or default_threads(),
            max_tokens=None if weights.source == "modelPath" else MAX_TOKENS,
        )
        process = await _spawn(_CHILD)
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await _ask(process, order)
        except TimeoutError:
            await _end(process)
            raise ConnectFailed(f"{name} was not ready after {_START_SECONDS:.0f} s") from None
        except BaseException:
            await _end(process)
            raise
        if ready.address is None:
            await _end(process)
            raise explain_refusal(ready, weights)
        logger.info("the embedded model is ready: %s, process %d", name, process.pid)
        return _Running(process, f"{ready.address}/v1", order.key)

    async def aclose(self) -> None:
        """End the child, if there is one. A later `address` would start another."""
        if (starting := self._starting) is not None:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProviderError):
                # One that is done has perhaps not been told of: its child is ours to end.
                self._running = await starting
        running, self._running = self._running, None
        if running is not None:
            await _end(running.process)
            logger.info("the embedded model's process was stopped")

    def state(self) -> LocalState:
        """Return what is there now, from a look at the disk and at the process."""
        running = self._running
        alive = running is not None and running.process.returncode is None
        pid = running.process.pid if running is not None and alive else None
        runtime = importlib.util.find_spec(_RUNTIME) is not None
        weights, problem = None, None
        try:
            weights = find_weights(self._settings.model_path, data_folder=self._data_folder)
            _require_runtime()
        except NotConfigured as missing:
            problem = missing.message
        return LocalState(runtime, weights, alive, pid, problem)


def _tell_nobody(text: str) -> None:
    del text


def default_threads() -> int:
    """One core fewer than there are: with all of them it collapses when anything else runs."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity to ask for
        cores = os.cpu_count() or 1
    return max(1, cores - 1)


def explain_refusal(ready: Ready, weights: Weights) -> ProviderError:
    """Return the error that a child's refusal is, with the command that helps."""
    message = ready.message or "no reason given"
    if ready.error == "load":
        return NotConfigured(f"{weights.path} could not be loaded as a GGUF model: {message}")
    if ready.error == "import" and "libgomp" in message:
        return NotConfigured(f"the local runtime needs the library libgomp. Run: {_libgomp()}")
    if ready.error == "import":
        return NotConfigured(
            f"the local runtime cannot be loaded ({message}). Run: {install_command(EXTRA)}"
        )
    return ConnectFailed(f"the local model's process {message}")


def _require_runtime() -> None:
    if importlib.util.find_spec(_RUNTIME) is None:
        raise NotConfigured(
            "the runtime of the local model is not installed. Run: "
            f"{install_command(EXTRA)}, "
            "or set a provider's key, such as OPENAI_API_KEY"
        )


def _libgomp() -> str:
    """The package command of this Linux distribution; Debian's where it is not known."""
    words: list[str] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path(_OS_RELEASE).read_text("utf-8").splitlines():
            key, _, value = line.partition("=")
            if key in ("ID", "ID_LIKE"):
                words += value.strip("\"'").split()
    return next((_LIBGOMP[word] for word in words if word in _LIBGOMP), _LIBGOMP["debian"])


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of `environment` that the child needs: no key of any provider is in it."""
    return {name: environment[name] for name in _ENVIRONMENT if name in environment}


async def _spawn(program: Path) -> Process:
    """Start the child with a safe module path and outside the workspace.

    In its own session, so that a Ctrl-C meant for the sidecar's terminal does not reach it.
    """
    windows: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(program),
        stdin=PIPE,
        stdout=PIPE,
        stderr=subprocess.DEVNULL,
        cwd=sys.prefix,
        env=child_environment(os.environ),
        start_new_session=os.name == "posix",
        creationflags=windows,
    )


async def _ask(process: Process, order: Order) -> Ready:
    """Hand over the order; return the child's one line, or what its death says."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    try:
        return msgspec.json.decode(line, type=Ready)
    except msgspec.DecodeError:
        code = await process.wait()
        return Ready(error="died", message=f"ended while loading ({_exit_words(code)})")


def _exit_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


async def _end(process: Process) -> None:
    """Close its stdin, which ends it; kill it where that does not help within two seconds."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
