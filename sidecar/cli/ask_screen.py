"""What `ask` shows: the answer on stdout, everything else on stderr, and only where people look.

A model's output is not trusted: no control character of it reaches a terminal.
"""

import os
import sys
from typing import TextIO

import msgspec

_DIM, _PLAIN, _CLEAR_LINE = "\x1b[2m", "\x1b[22m", "\r\x1b[K"

# C0, DEL and C1 controls except tab and line feed, as their visible pictures. A carriage return is
# dropped: it would let an answer overwrite what stands on its line.
_PICTURES: dict[int, str | None] = {
    **{code: chr(0x2400 + code) for code in range(32) if code not in (9, 10)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    0x0D: None,
}
_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def visible(text: str) -> str:
    """Return `text` without anything that a terminal would obey."""
    return text.translate(_PICTURES)


def one_line(text: str, width: int = 500) -> str:
    """Return `text` as one line of at most `width` characters, without controls."""
    line = " ".join(visible(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def json_text(data: bytes) -> str:
    """Return JSON in which even the controls that JSON allows raw are escaped."""
    return data.decode("utf-8", "replace").translate(_ESCAPED)


class Screen:
    """The two streams of one `ask`. Raises `BrokenPipeError` where the reader of stdout is gone."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Write to `out` and `err`; the process's own where they are not given."""
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._out_is_terminal = _is_terminal(self._out)
        self._err_is_terminal = _is_terminal(self._err)
        styled = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._out_styled = self._out_is_terminal and styled
        self._err_styled = self._err_is_terminal and styled
        self._status_shown = False
        self._reasoning = False
        self._last = ""  # the last character written to stdout
        if os.name == "nt" and styled and (self._out_is_terminal or self._err_is_terminal):
            os.system("")  # makes the Windows console obey escape sequences

    def text(self, text: str) -> None:
        """Write a piece of the answer, at once."""
        self.status("")
        if self._reasoning:
            self._reasoning = False
            self._write((_PLAIN if self._out_styled else "") + "\n\n")
        self._write(visible(text))

    def reasoning(self, text: str) -> None:
        """Write a piece of the model's reasoning, dimmed; nothing where stdout is no terminal."""
        if not self._out_is_terminal or not text:
            return
        self.status("")
        if not self._reasoning:
            self._reasoning = True
            self._write(_DIM if self._out_styled else "")
        self._write(visible(text))

    def end(self) -> None:
        """End the answer: styles off, and a line feed where one is missing."""
        self.status("")
        if self._reasoning and self._out_styled:
            self._write(_PLAIN)
        self._reasoning = False
        if self._last not in ("", "\n"):
            self._write("\n")

    def json(self, data: bytes) -> None:
        """Write one JSON document and a line feed."""
        self._write(json_text(data) + "\n")

    def status(self, text: str) -> None:
        """Show what is being waited for, in one line that the next one replaces; "" removes it."""
        if not self._err_styled or not (text or self._status_shown):
            return
        width = _columns(self._err) - 1
        line = one_line(text, max(width, 20)) if text else ""
        self._say(_CLEAR_LINE + (f"{_DIM}{line}{_PLAIN}" if line else ""))
        self._status_shown = bool(line)

    def note(self, text: str, *, always: bool = False) -> None:
        """Write a line to stderr; only where that is a terminal, unless `always`."""
        if not (always or self._err_is_terminal):
            return
        self.status("")
        dim = self._err_styled and not always
        self._say(f"{_DIM}{text}{_PLAIN}\n" if dim else text + "\n")

    def frame(self, direction: str, body: bytes) -> None:
        """Write a frame of the conversation with the sidecar to stderr (`--trace`)."""
        self.status("")
        self._say(f"{direction} {json_text(body)}\n")

    def _write(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()
            self._last = text[-1] if not text.endswith(_PLAIN) else self._last

    def _say(self, text: str) -> None:
        try:
            self._err.write(text)
            self._err.flush()
        except (OSError, ValueError):
            pass  # nobody reads stderr; the answer matters


class _Cost(msgspec.Struct):
    usd: float


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: int = 0
    output_tokens: int = 0


class _Timing(msgspec.Struct, rename="camel"):
    first_token_ms: float = 0.0
    total_ms: float = 0.0


class _Attempt(msgspec.Struct):
    """Of one upstream request: the model as it was asked for, which is not what it calls itself."""

    model: str = ""


class Result(msgspec.Struct, rename="camel"):
    """The fields of a `CompletionResult` that are shown or kept."""

    provider: str
    model: str
    finish_reason: str
    text: str = ""
    usage: _Usage = msgspec.field(default_factory=_Usage)
    timing: _Timing = msgspec.field(default_factory=_Timing)
    cost: _Cost | None = None
    attempts: list[_Attempt] = []

    @property
    def asked_for(self) -> str:
        """The model to ask for again; "" where none was named and none is known."""
        return self.attempts[-1].model if self.attempts else self.model


def summary(result: Result) -> str:
    """Return one line: who answered, tokens, cost and seconds."""
    cost = f" · ${result.cost.usd:.4f}" if result.cost is not None and result.cost.usd else ""
    cut = {
        "length": " · cut at the token limit (--max-tokens)",
        "contentFilter": " · stopped by the filter",
    }
    return (
        f"{result.provider}/{result.model} · {result.usage.input_tokens} → "
        f"{result.usage.output_tokens} tokens{cost} · first after "
        f"{result.timing.first_token_ms / 1000:.2f} s, {result.timing.total_ms / 1000:.2f} s in all"
        f"{cut.get(result.finish_reason, '')}"
    )


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
