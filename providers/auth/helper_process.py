"""Runs `helper.py`, seen from outside: started, asked once, read, and gone, whatever happens.

Started with a safe module path (`-P`) and outside the workspace, where modules of familiar names
may lie in wait. In a session of its own: what it starts can be ended with it, and nothing of it can
ask on the editor's terminal.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path

import msgspec

from providers.auth.helper import Answer, Failure, Order

PROGRAM = Path(__file__).with_name("helper.py")

TIMEOUT = 60.0
"""Seconds: a chain may call three services, or wait for a person to unlock a password manager."""


async def ask_helper(
    order: Order,
    *,
    environ: Mapping[str, str],
    program: Path = PROGRAM,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 (the process is killed, not only left alone)
) -> Answer:
    """Return the helper's answer; one that broke or took too long is an answer with a failure.

    If cancelled, the process and everything it started is killed first. Raises nothing else.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(program),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=sys.prefix,
            env=dict(environ),
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, ValueError) as error:
        return Answer(failure=Failure("broken", f"the helper cannot be started: {error}"))
    try:
        async with asyncio.timeout(timeout):
            answer = await _converse(process, order)
            # What a `credential_process` left running on purpose (an agent) is left alone.
            await process.wait()
            return answer
    except TimeoutError:
        message = f"the chain of credentials gave no answer within {timeout:g} seconds"
        return Answer(failure=Failure("network", message))
    finally:
        await asyncio.shield(_end(process))


async def _converse(process: Process, order: Order) -> Answer:
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()  # and stays open: its end tells the helper that we are gone
    try:
        return msgspec.json.decode(await process.stdout.readline(), type=Answer)
    except (msgspec.MsgspecError, ValueError):
        return Answer(failure=Failure("broken", "the helper process ended without an answer"))


async def _end(process: Process) -> None:
    """Kill what is left of it, and let go of its pipes."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    await process.wait()
