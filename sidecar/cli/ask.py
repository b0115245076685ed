"""`ai-sidecar ask`: one question, its answer streamed to the terminal.

A client like any editor: it starts the sidecar as a process and speaks the protocol to it, so what
works here works there, and `--trace` shows what an editor would see.
"""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType

import msgspec

from sidecar.about import VERSION
from sidecar.cli import ask_memory
from sidecar.cli.ask_memory import Conversation, Turn
from sidecar.cli.ask_prompt import BadInput, compose, read_piped
from sidecar.cli.ask_screen import Result, Screen, one_line, summary
from sidecar.cli.client import CANCELLED, Request, RpcError, SidecarClient, SidecarGone
from sidecar.cli.output import INTERRUPTED, command, parser

_TEXT_TOKEN, _WORK_TOKEN = "ask-text", "ask-work"
_CANCEL_SECONDS = 5.0


@command
def run(argv: list[str]) -> int:
    """Ask, print, and return the exit code: 0, 1 failed, 2 bad usage, 130 cancelled."""
    args = _parser().parse_intermixed_args(argv)
    if not args.prompt and len(args.files) > 1 and not Path(args.files[-1]).exists():
        args.prompt = [args.files.pop()]  # `ask -f a.py b.py "what is this?"`
    screen = Screen()
    try:
        content = compose(" ".join(args.prompt), args.files, read_piped())
    except BadInput as problem:
        screen.note(f"ai-sidecar: {problem}", always=True)
        return 2
    memory = ask_memory.default_path()
    conversation = _conversation(args, ask_memory.load(memory) if args.carry_on else Conversation())
    conversation.messages.append(Turn("user", content))
    return asyncio.run(_Ask(args, screen, conversation, memory).run())


def _parser() -> argparse.ArgumentParser:
    arguments = parser("ask", "Ask a model; its answer is streamed to the terminal.")
    arguments.add_argument("prompt", nargs="*", help="the question; text piped in is added to it")
    arguments.add_argument("-p", "--provider", help="which provider answers")
    arguments.add_argument("-m", "--model", help='which model, or "provider/model"')
    arguments.add_argument("-s", "--system", help="the system prompt")
    arguments.add_argument(
        "-f", "--file", dest="files", nargs="+", action="extend", default=[], metavar="FILE",
        help="add text files or images (a last word that is no file is the prompt)",
    )  # fmt: skip
    arguments.add_argument(
        "-c", "--continue", dest="carry_on", action="store_true",
        help="continue the last conversation",
    )  # fmt: skip
    arguments.add_argument(
        "--max-tokens", type=int, metavar="N", help="the longest answer, in tokens"
    )
    arguments.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments.add_argument("--trace", action="store_true", help="print every frame, on stderr")
    return arguments


def _conversation(args: argparse.Namespace, last: Conversation) -> Conversation:
    """The conversation to go on with; what the command line names wins over what was kept."""
    named = args.provider is not None or args.model is not None
    return Conversation(
        messages=last.messages,
        system=args.system if args.system is not None else last.system,
        provider=args.provider if named else last.provider,
        model=args.model if named else last.model,
    )


class _Ask:
    """One run: the request, what is shown of its progress, and how it ends."""

    def __init__(
        self, args: argparse.Namespace, screen: Screen, talk: Conversation, memory: Path
    ) -> None:
        self._args = args
        self._screen = screen
        self._talk = talk
        self._memory = memory
        self._said: list[str] = []
        self._broken: BrokenPipeError | None = None
        self._request: Request | None = None
        self._interrupts = 0
        self._client = SidecarClient(trace=screen.frame if args.trace else None)

    async def run(self) -> int:
        """Return the exit code. Raises `BrokenPipeError` where nobody reads the answer."""
        try:
            async with self._client as client:
                with _on_interrupt(self._interrupt):
                    client.on_progress(_TEXT_TOKEN, self._progress)
                    client.on_progress(_WORK_TOKEN, self._work)
                    client.on_notification("ai/didChangeStatus", self._status)
                    client.on_notification("window/showMessage", self._message)
                    await client.initialize(name="ai-sidecar ask", version=VERSION)
                    if self._interrupts:
                        return INTERRUPTED
                    self._request = client.request("ai/stream", self._params())
                    answer = await self._request.answer
                return self._answered(answer)
        except RpcError as error:
            return self._failed(error)
        except SidecarGone as gone:
            if self._interrupts:
                return INTERRUPTED
            self._screen.note(f"ai-sidecar: {gone}", always=True)
            return 1
        finally:
            self._screen.status("")
            if self._broken is not None:
                raise self._broken

    def _params(self) -> dict[str, object]:
        talk, args = self._talk, self._args
        params: dict[str, object] = {
            "messages": msgspec.to_builtins(talk.messages),
            "system": talk.system,
            "provider": talk.provider,
            "model": talk.model,
            "maxTokens": args.max_tokens,
            "workDoneToken": _WORK_TOKEN,
            "partialResultToken": None if args.json else _TEXT_TOKEN,
        }
        return {name: value for name, value in params.items() if value is not None}

    # --- while it runs ---------------------------------------------------------------

    def _progress(self, data: bytes) -> None:
        value = msgspec.json.decode(data, type=_Value)
        try:
            if value.kind == "text":
                self._said.append(value.text)
                self._screen.text(value.text)
            elif value.kind == "reasoning":
                self._screen.reasoning(value.text)
            elif value.kind == "retry" and value.error is not None:
                self._screen.status(_retry_words(value))
        except BrokenPipeError as broken:
            self._give_up(broken)

    def _give_up(self, broken: BrokenPipeError) -> None:
        """Nobody reads the answer: stop it upstream too."""
        if self._broken is None:
            self._broken = broken
            if self._request is not None:
                self._client.cancel(self._request)

    def _work(self, data: bytes) -> None:
        value = msgspec.json.decode(data, type=_Work)
        if not self._said and value.kind != "end":
            self._screen.status(value.message or value.title)

    def _status(self, data: bytes) -> None:
        status = msgspec.json.decode(data, type=_Status)
        if not self._said and status.busy:
            self._screen.status(status.message)

    def _message(self, data: bytes) -> None:
        # Always: a typo in the configuration may mean that somebody else answers than was meant.
        message = one_line(msgspec.json.decode(data, type=_Status).message)
        self._screen.note(message, always=True)

    def _interrupt(self) -> None:
        """Ctrl-C: the first cancels the request and awaits its answer, the second ends it all."""
        self._interrupts += 1
        if self._interrupts > 1:
            self._client.kill()
        elif self._request is not None:
            self._client.cancel(self._request)
            asyncio.get_running_loop().call_later(_CANCEL_SECONDS, self._client.kill)

    # --- how it ends -------------------------------------------------------------------

    def _answered(self, answer: bytes) -> int:
        result = msgspec.json.decode(answer, type=Result)
        try:
            if self._args.json:
                self._screen.json(answer)
            elif not self._said and result.text:
                self._screen.text(result.text)
            self._screen.end()
        except BrokenPipeError as broken:
            self._broken = self._broken or broken
        # Into a file goes an answer that looks whole: that it is not is always said.
        cut = result.finish_reason in ("length", "contentFilter") and not self._args.json
        self._screen.note(one_line(summary(result)), always=cut)
        self._keep(result)
        return 0

    def _keep(self, result: Result) -> None:
        self._talk.messages.append(Turn("assistant", "".join(self._said) or result.text))
        self._talk.provider, self._talk.model = result.provider, result.asked_for or None
        try:
            ask_memory.save(self._memory, self._talk)
        except OSError as error:
            self._screen.note(f"the conversation could not be kept for -c: {error}")

    def _failed(self, error: RpcError) -> int:
        with contextlib.suppress(BrokenPipeError):
            self._screen.end()
            if self._args.json:
                self._screen.json(_error_json(error))
        if error.code == CANCELLED:
            if self._broken is None:
                self._screen.note("cancelled")
            return INTERRUPTED
        self._screen.note(f"ai-sidecar: {one_line(error.message)}", always=True)
        if hint := hint_for(error.data):
            self._screen.note(hint, always=True)
        return 1


class _Error(msgspec.Struct, rename="camel"):
    """The fields of an `ErrorData` that a hint depends on, whatever kinds a later version has."""

    kind: str
    retry_after_ms: float | None = None


class _Value(msgspec.Struct, rename="camel"):
    kind: str
    text: str = ""
    provider: str = ""
    wait_ms: float = 0.0
    error: _Error | None = None


class _Work(msgspec.Struct):
    kind: str
    title: str = ""
    message: str = ""


class _Status(msgspec.Struct):
    message: str = ""
    busy: bool = False


def _retry_words(value: _Value) -> str:
    kind = value.error.kind if value.error is not None else "failed"
    wait = f" in {value.wait_ms / 1000:.1f} s" if value.wait_ms else ""
    return f"{value.provider}: {kind}; trying again{wait} …"


def _error_json(error: RpcError) -> bytes:
    data = msgspec.Raw(error.data)
    return msgspec.json.encode(
        {"error": {"code": error.code, "message": error.message, "data": data}}
    )


_HINTS: dict[str, str] = {
    "notConfigured": "`ai-sidecar doctor` shows what is configured; `ai-sidecar keys set PROVIDER`"
    " keeps a key in the keychain",
    "authentication": "`ai-sidecar doctor` shows where the key comes from",
    "permission": "the key is known but may not do this: another model, or the provider's console",
    "quota": "the account has no credit left: another provider with -p, or the provider's console",
    "rateLimit": "try again later, or another provider with -p",
    "overloaded": "try again later, or another provider with -p",
    "contextLength": "ask with less text, or a model with a larger window: `ai-sidecar models`",
    "contentFilter": "the provider refused the content",
    "modelNotFound": "`ai-sidecar models` lists the models",
    "providerNotFound": "`ai-sidecar doctor` lists the providers",
    "network": "`ai-sidecar doctor` shows whether the provider can be reached, and which proxy and"
    " certificates are in use",
    "timeout": "try again, or raise [timeouts] in the configuration",
    "circuitOpen": "the provider failed several times and is left alone for a moment",
    "budgetExceeded": "raise [budget] in the configuration: `ai-sidecar config path`",
    "server": "the provider's fault: try again, or another provider with -p",
    "malformedStream": "the provider broke off: try again, or another provider with -p",
    "truncatedStream": "the provider broke off: try again, or another provider with -p",
}


def hint_for(data: bytes) -> str:
    """Return what a person can do about an error with this data, "" where nothing is known."""
    try:
        error = msgspec.json.decode(data, type=_Error)
    except msgspec.MsgspecError:
        return ""
    if error.retry_after_ms is not None:
        return f"try again in {error.retry_after_ms / 1000:.0f} s, or another provider with -p"
    return _HINTS.get(error.kind, "")


@contextlib.contextmanager
def _on_interrupt(handler: Callable[[], None]) -> Generator[None]:
    """Call `handler` in the loop on Ctrl-C, in place of raising KeyboardInterrupt in its midst."""
    loop = asyncio.get_running_loop()

    def caught(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handler)

    before = signal.signal(signal.SIGINT, caught)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
