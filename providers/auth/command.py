"""Runs the program that prints a key: no shell, no stdin, outside the workspace, bounded.

The editor starts this process in the workspace, where a program of a familiar name may lie in wait.
So the program is looked for in absolute folders of PATH only and started in the home folder. It is
in a session of its own: it can be ended with all that it started, and cannot ask on the editor's
terminal.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path

TIMEOUT = 30.0
"""Seconds: long enough for a person to unlock a password manager."""

OUTPUT_LIMIT = 64 * 1024
"""Bytes of stdout; as for a key in a file."""

_STDERR_LIMIT = 4096

PIPE_GRACE = 0.5
"""Seconds after the exit in which the rest of the output is read. A helper that the program left in
the background (an agent) may hold its pipes open for ever."""


NO_TERMINAL = (
    "it has no terminal to ask a person on: unlock it in one beforehand, let it ask in a window, "
    "or keep the key in the keychain (`ai-sidecar keys set`)"
)

_ASKED = re.compile(rb"\btty\b|terminal|inappropriate ioctl", re.IGNORECASE)
"""What programs write that wanted a terminal (gpg, pass, op, gopass)."""


class CommandFailed(Exception):
    """The message continues the sentence "the command …" and quotes stderr's first line."""


async def run_command(
    argv: list[str],
    *,
    environ: Mapping[str, str],
    timeout: float | None = None,  # noqa: ASYNC109 (the program is killed, not only left alone)
) -> str:
    """Return what the program prints. Raises `CommandFailed`.

    Cancelled or too slow (`timeout` in seconds, `TIMEOUT` if it is None), the program is killed
    with all that it started.
    """
    wait = TIMEOUT if timeout is None else timeout
    program = find_program(argv, environ)
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: _Output(loop),
            program,
            *argv[1:],
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=Path.home(),
            env=dict(environ),
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a program"
        raise CommandFailed(f"cannot be started: {reason}") from None
    try:
        async with asyncio.timeout(wait):
            await protocol.over
    except TimeoutError:
        said = f"gave no answer within {wait:g} seconds and was ended; {NO_TERMINAL}"
        raise CommandFailed(said) from None
    finally:
        if os.name == "posix" and not protocol.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
        # Kills what still runs, and lets go of pipes that its own children may hold open.
        transport.close()
        # It is dead by now; a loaded machine takes its time to say so.
        await asyncio.wait([protocol.exited], timeout=5.0)
    return _result(protocol, transport.get_returncode())


def _result(protocol: "_Output", status: int | None) -> str:
    if len(protocol.stdout) > OUTPUT_LIMIT:
        raise CommandFailed("printed more than 64 KiB: not a key")
    if status != 0:
        lines = protocol.stderr.decode(errors="replace").strip().splitlines()
        first = "".join(c if c.isprintable() else " " for c in lines[0][:200]) if lines else ""
        said = f"ended with exit status {status}{': ' + first if first else ''}"
        raise CommandFailed(f"{said}; {NO_TERMINAL}" if _ASKED.search(protocol.stderr) else said)
    try:
        return protocol.stdout.decode()
    except UnicodeDecodeError:
        raise CommandFailed("printed something that is not text") from None


class _Output(asyncio.SubprocessProtocol):
    """Keeps what the program prints, up to the limits.

    `over`: it has exited and its pipes are at their end, or it has printed too much. `exited`: it
    is gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.over: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.stdout += data[: OUTPUT_LIMIT + 1 - len(self.stdout)]
            if len(self.stdout) > OUTPUT_LIMIT:
                _done(self.over)
        else:
            self.stderr += data[: max(0, _STDERR_LIMIT - len(self.stderr))]

    def process_exited(self) -> None:
        _done(self.exited)
        self._loop.call_later(PIPE_GRACE, _done, self.over)

    def connection_lost(self, exc: Exception | None) -> None:
        _done(self.over)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def find_program(argv: list[str], environ: Mapping[str, str]) -> str:
    """Return the absolute path of `argv[0]`. Raises `CommandFailed`.

    `shutil.which` and Windows itself look in the current folder first; this does not.
    """
    if not argv or not argv[0].strip():
        raise CommandFailed("is empty: expected a program and its arguments")
    name = os.path.expanduser(argv[0])
    if os.path.dirname(name):
        candidates = [os.path.join(Path.home(), name)]
    else:
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(folder, name) for folder in folders if os.path.isabs(folder)]
    for candidate in candidates:
        import shutil  # with bz2 and lzma, for those who have such a program only

        found = shutil.which(candidate)
        if found is not None:
            return found
    raise CommandFailed("was not found: give its whole path")
