"""Tokens of one answer, added up into a `CompletionResponse`. One pass, no copies but text."""

import math
from io import StringIO

import msgspec

from providers.types import (
    Citation,
    CodeDelta,
    CompletionResponse,
    ExecutedCode,
    Finish,
    ReasoningDelta,
    ReasoningState,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReport,
)

MOST_TOKENS = 2**53 - 1
"""The largest count that is exact in every reader of our JSON, and that the ledger can hold."""


class Accumulator:
    """Feed it every token of an answer, in order; read `text` at any time, `response()` at the end.

    `has_content` becomes true with the first token that an editor would see. There is one for every
    stream that runs, so what most answers lack (`_Parts`) is made when it comes.
    """

    __slots__ = (
        "_finish",
        "_parts",
        "_start",
        "_text",
        "_whole",
        "cost_usd",
        "has_content",
        "usage",
    )

    def __init__(self) -> None:
        self.has_content = False
        # What the service has said of the tokens, and of the cost, so far.
        self.usage: Usage | None = None
        self.cost_usd: float | None = None
        # Bytes, because CPython's StringIO keeps every piece as a string of its own (50 bytes and
        # more each) until it is read.
        self._text = bytearray()
        self._start: StreamStart | None = None
        self._finish: Finish | None = None
        self._parts: _Parts | None = None
        self._whole: CompletionResponse | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        if self._whole is not None:
            return self._whole.text
        return self._text.decode("utf-8", "surrogatepass")

    @property
    def model(self) -> str:
        """The model that says it answers, "" while none does."""
        if self._whole is not None:
            return self._whole.model
        return self._start.model if self._start is not None else ""

    @property
    def chars(self) -> int:
        """Characters of text and reasoning so far: what an estimate of a cut answer needs."""
        if self._whole is not None:
            reasoning = sum(len(part.text) for part in self._whole.reasoning)
        else:
            reasoning = self._parts.reasoned if self._parts is not None else 0
        return len(self.text) + reasoning

    def add(self, tokens: list[StreamToken]) -> None:
        """Take in what one read brought."""
        for token in tokens:
            if type(token) is TextDelta:
                self._text += token.text.encode("utf-8", "surrogatepass")
                self.has_content = True
            else:
                self._add_other(token)

    def _add_other(self, token: StreamToken) -> None:
        match token:
            case StreamStart():
                self._start = token
            case UsageReport():
                self.usage = _possible(token.usage)
                if token.cost_usd is not None and 0 <= token.cost_usd < math.inf:
                    self.cost_usd = token.cost_usd
            case Finish():
                self._finish = token
            case TextDelta():
                self._text += token.text.encode("utf-8", "surrogatepass")
                self.has_content = True
            case _:
                if self._parts is None:
                    self._parts = _Parts()
                self._parts.add(token)
                self.has_content = True

    def take(self, response: CompletionResponse) -> None:
        """Take over a whole answer, in place of tokens."""
        self._whole = response
        self.usage, self.cost_usd = response.usage, response.cost_usd
        self.has_content = True

    def response(self) -> CompletionResponse:
        """Return the answer as far as it came. Call once, after the last token."""
        if self._whole is not None:
            return self._whole
        response = CompletionResponse(text=self.text, usage=self.usage, cost_usd=self.cost_usd)
        if self._start is not None:
            response.id, response.model = self._start.id, self._start.model
        if self._finish is not None:
            response.finish_reason = self._finish.reason
            response.raw_finish_reason = self._finish.raw
        if self._parts is not None:
            self._parts.give(response)
        return response


class _Parts:
    """What an answer has beside text."""

    __slots__ = ("_calls", "_citations", "_code", "_open", "_reasoning")

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._citations: list[Citation] = []
        self._code: list[ExecutedCode] = []
        self._reasoning: list[ReasoningState] = []
        self._open: StringIO | None = None  # reasoning without its opaque state, so far

    @property
    def reasoned(self) -> int:
        """Characters of reasoning."""
        open_block = len(self._open.getvalue()) if self._open is not None else 0
        return sum(len(part.text) for part in self._reasoning) + open_block

    def add(self, token: ReasoningDelta | ToolCallDelta | CodeDelta | Citation) -> None:
        match token:
            case ReasoningDelta():
                self._reason(token)
            case ToolCallDelta():
                self._calls.setdefault(token.index, _Call()).add(token)
            case CodeDelta():
                self._code.append(ExecutedCode(token.language, token.code, token.output))
            case Citation():
                self._citations.append(token)

    def _reason(self, token: ReasoningDelta) -> None:
        if self._open is None:
            self._open = StringIO()
        self._open.write(token.text)
        if token.opaque is not None:  # it completes the block it comes with
            self._reasoning.append(ReasoningState(self._open.getvalue(), token.opaque))
            self._open = None

    def give(self, response: CompletionResponse) -> None:
        """Put everything into `response`."""
        if self._open is not None:
            self._reasoning.append(ReasoningState(self._open.getvalue()))
            self._open = None
        response.reasoning, response.code = self._reasoning, self._code
        response.citations = self._citations
        response.tool_calls = [call.whole() for _, call in sorted(self._calls.items())]


class _Call:
    __slots__ = ("arguments", "id", "name", "opaque")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = StringIO()
        self.opaque: str | None = None

    def add(self, delta: ToolCallDelta) -> None:
        self.id = delta.id or self.id
        self.name = delta.name or self.name
        if delta.arguments:
            self.arguments.write(delta.arguments)
        if delta.opaque:
            self.opaque = (self.opaque or "") + delta.opaque

    def whole(self) -> ToolCall:
        return ToolCall(self.id, self.name, self.arguments.getvalue(), self.opaque)


def _possible(usage: Usage) -> Usage:
    """Return the usage with no count below nothing: it would give a budget money back."""
    counts: tuple[int, ...] = msgspec.structs.astuple(usage)
    if min(counts) >= 0 and max(counts) <= MOST_TOKENS:
        return usage
    return Usage(*(min(max(count, 0), MOST_TOKENS) for count in counts))
