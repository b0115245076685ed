"""`claude-code`: models asked through the `claude` program, with the program's own login.

One process per request, started outside the workspace with the request on its stdin: nothing of a
prompt is in an argument list, where every user of the machine could read it. It gets no key of
ours, no tools, no MCP servers and one turn. Ending a request kills the process and what it started.

What the lines mean is `dialects.claude_code`'s. Flags and variables: code.claude.com/docs, "CLI
reference" and "Environment variables".
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import platformdirs

from providers.accumulate import Accumulator
from providers.auth.command import CommandFailed, find_program
from providers.base import (
    AiProvider,
    HealthStatus,
    Model,
    ProviderCapabilities,
    TokenCount,
    TokenStream,
)
from providers.dialects.claude_code import LOGIN, ClaudeCodeReader, input_line, system_prompt
from providers.dialects.errors import classify
from providers.errors import (
    Authentication,
    NotConfigured,
    ProviderError,
    TimedOut,
    Truncated,
    Unsupported,
)
from providers.estimate import estimate_tokens
from providers.settings import ProviderSettings
from providers.stream import StreamProcessor
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Message,
    StreamToken,
)
from providers.vendors.context import ProviderContext
from providers.wire.ndjson import NdjsonDecoder

PROGRAM = "claude"
INSTALL = "npm install -g @anthropic-ai/claude-code"

READ_SIZE = 64 * 1024
STDERR_LIMIT = 4096
VERSION_TIMEOUT = 10.0
GRACE = 2.0
"""Seconds between the end of an answer and the end of the process."""

ARGUMENTS = (
    "-p",
    *("--output-format", "stream-json"),
    *("--input-format", "stream-json"),
    "--include-partial-messages",
    "--verbose",  # without it, the program refuses `stream-json`
    *("--max-turns", "1"),
    *("--tools", ""),
    "--strict-mcp-config",
    "--no-session-persistence",
)

_ENVIRONMENT = frozenset((
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
    "PROGRAMDATA", "PROGRAMFILES", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT",
    "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "XDG_CONFIG_HOME",
    "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy",
    "https_proxy", "no_proxy", "all_proxy", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR",
))  # fmt: skip
_OWN = "CLAUDE_"
_OF_ANOTHER_SESSION = frozenset({"CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT"})


class ClaudeCode(AiProvider):
    """Every request is a process; a unary one is a stream that was collected."""

    kind = "claude-code"
    starts_a_program = True

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        self._name = name
        self._settings = settings
        self._context = context
        self.model = settings.model or ""  # "": the program's own choice

    @property
    def name(self) -> str:
        return self._name

    def key_source(self) -> str | None:
        return "the program's own login"

    def capabilities(self) -> ProviderCapabilities:
        model = self._context.catalog.find(self.kind, self.model) if self.model else None
        most = model.max_output_tokens if model is not None else None
        return ProviderCapabilities(max_tokens=most or 4096, functions=False)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        """Return the catalog's models: the program has no list to ask for."""
        return self._context.catalog.models(self.kind, self._name)

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(estimate_tokens(messages), "estimate")

    async def health_check(self) -> HealthStatus:
        """Say whether the program is there and runs; "unknown" if so: a login is not asked for."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await self._version()
        except ProviderError as error:
            return HealthStatus("unhealthy", error=error)
        return HealthStatus("unknown", (clock() - began) * 1000)

    # --- requests ----------------------------------------------------------------------------

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self.chat(_as_chat(request))

    def complete_stream(self, request: CompletionRequest) -> TokenStream:
        return self.chat_stream(_as_chat(request))

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        answer = Accumulator()
        async with contextlib.aclosing(self.chat_stream(request)) as stream:
            async for tokens in stream:
                answer.add(tokens)
        return answer.response()

    async def chat_stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        line = input_line(request)
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as files:
            arguments = self._arguments(request, files)
            process = await self._start(arguments, limits(request))
            complaint = asyncio.ensure_future(_first_of(process.stderr))
            try:
                _hand_over(process, line)
                if request.trace is not None:
                    request.trace.sent_at = loop.time()
                processor = StreamProcessor(NdjsonDecoder(), ClaudeCodeReader())
                while chunk := await self._read(process, processor, request):
                    if request.trace is not None and request.trace.first_byte_at is None:
                        request.trace.first_byte_at = loop.time()
                    if tokens := processor.feed(chunk):
                        yield tokens
                    if processor.complete:
                        break
                try:
                    tokens = processor.end()
                except Truncated:
                    raise await _ended_early(process, complaint) from None
                if tokens:
                    yield tokens
                await _let_end(process)
            finally:
                complaint.cancel()
                await asyncio.shield(_end(process))
                await asyncio.wait([complaint])

    async def _read(
        self, process: Process, processor: StreamProcessor, request: ChatRequest
    ) -> bytes:
        """Return what the program has printed, b"" at its end. Raises `TimedOut`."""
        assert process.stdout is not None
        timeouts = self._context.timeouts
        begun = request.trace is not None and request.trace.first_byte_at is not None
        patience = max(timeouts.first_byte, timeouts.idle) if begun else timeouts.first_byte
        deadline = request.trace.deadline if request.trace is not None else None
        until = asyncio.get_running_loop().time() + patience
        late = deadline is not None and deadline < until
        try:
            async with asyncio.timeout_at(deadline if late else until):
                return await process.stdout.read(READ_SIZE)
        except TimeoutError:
            phase = "total" if late else "idle" if begun else "firstByte"
            raise TimedOut(f"{self._name}: nothing came from `claude`", phase=phase) from None

    # --- the process --------------------------------------------------------------------------

    def _arguments(self, request: ChatRequest, files: contextlib.ExitStack) -> list[str]:
        arguments = list(ARGUMENTS)
        if model := request.model or self.model:
            arguments.append(f"--model={model}")
        reasoning = request.reasoning
        if reasoning is not None and reasoning.effort not in (None, "none", "minimal"):
            arguments.append(f"--effort={reasoning.effort}")
        if system := system_prompt(request):
            file = files.enter_context(_private_file(system))
            arguments.append(f"--system-prompt-file={file}")
        return arguments

    async def _start(self, arguments: list[str], more: Mapping[str, str]) -> Process:
        """Return the running program. Raises `NotConfigured` where there is none to run."""
        program = self._program()
        try:
            return await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=_folder(),
                env=child_environment(self._context.environ) | dict(more),
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            raise NotConfigured(f"`{program}` cannot be started: {error}") from None

    def _program(self) -> str:
        wanted = self._settings.program or PROGRAM
        try:
            return find_program([wanted], self._context.environ)
        except CommandFailed:
            raise NotConfigured(
                f"the program `{wanted}` was not found on PATH. Install Claude Code "
                f"({INSTALL}), or set providers.{self._name}.program to where it is; then {LOGIN}"
            ) from None

    async def _version(self) -> None:
        process = await self._start(["--version"], {})
        try:
            async with asyncio.timeout(VERSION_TIMEOUT):
                await process.communicate()
        except TimeoutError:
            raise TimedOut("`claude --version` gave no answer", phase="firstByte") from None
        finally:
            await asyncio.shield(_end(process))
        if process.returncode:
            raise NotConfigured(f"`claude --version` ended with exit status {process.returncode}")


def _as_chat(request: CompletionRequest) -> ChatRequest:
    if request.suffix is not None:
        raise Unsupported("suffix: the `claude` program does not fill in the middle")
    return request.to_chat()


def limits(request: ChatRequest) -> dict[str, str]:
    """Return the variables that bound an answer; the program has no flags for them."""
    found: dict[str, str] = {}
    if request.max_tokens is not None:
        found["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(request.max_tokens)
    reasoning = request.reasoning
    if reasoning is not None:
        if reasoning.budget_tokens is not None:
            found["MAX_THINKING_TOKENS"] = str(reasoning.budget_tokens)
        elif reasoning.effort in ("none", "minimal"):
            found["MAX_THINKING_TOKENS"] = "0"
    return found


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the program needs of ours. No key of a provider is in it, Anthropic's neither:

    with one, the program would bill that key instead of the account it is logged in to.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _ENVIRONMENT or (name.startswith(_OWN) and name not in _OF_ANOTHER_SESSION)
    }


def _folder() -> Path:
    """Return a folder that is always the same: the program keeps a note of each it ran in."""
    folder = platformdirs.user_data_path("ai-sidecar", appauthor=False) / "claude-code"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _private_file(text: str):
    """Have a file only the user can read, for as long as the program may want to read it."""
    descriptor, name = tempfile.mkstemp(prefix="ai-sidecar-", suffix=".txt")
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        yield name
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def _hand_over(process: Process, line: bytes) -> None:
    """Write without waiting: the program may print before it has read everything."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, RuntimeError):
        process.stdin.write(line)
        process.stdin.close()


async def _first_of(stderr: asyncio.StreamReader | None) -> bytes:
    """Return the beginning of what is printed there, having read it to its end."""
    assert stderr is not None
    kept = b""
    while data := await stderr.read(READ_SIZE):
        kept += data[: STDERR_LIMIT - len(kept)]
    return kept


async def _ended_early(process: Process, complaint: "asyncio.Task[bytes]") -> ProviderError:
    """Return what it means that the program ended without a result."""
    status = await process.wait()
    await asyncio.wait([complaint], timeout=1.0)
    said = complaint.result().decode(errors="replace").strip() if complaint.done() else ""
    first = "".join(c if c.isprintable() else " " for c in said.partition("\n")[0][:300])
    if "unknown option" in first:
        return NotConfigured(f"the `claude` program is too old ({first}). Run: claude update")
    if status and first:
        error = classify(None, first)
        if isinstance(error, Authentication):
            return Authentication(f"{first} ({LOGIN})")
    tail = f": {first}" if first else ""
    return Truncated(f"`claude` ended (exit status {status}) without a result{tail}")


async def _let_end(process: Process) -> None:
    """Give it the time to put its own files in order after an answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()


async def _end(process: Process) -> None:
    """Kill what is left of it and of what it started, and let go of its pipes."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            await _end_tree(process.pid)
            process.kill()
    await process.wait()


async def _end_tree(pid: int) -> None:
    """On Windows, killing a process leaves its children; `taskkill` is part of the system."""
    with contextlib.suppress(OSError):
        killer = await asyncio.create_subprocess_exec(
            "taskkill", "/PID", str(pid), "/T", "/F", stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        await killer.wait()
