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

    `has_content` becomes true with the first token that an editor would see.
    """

    __slots__ = ("_calls", "_reasoning", "_response", "_text", "_whole", "has_content")

    def __init__(self) -> None:
        self.has_content = False
        self._whole = False
        # Bytes, because CPython's StringIO keeps every piece as a string of its own (50 bytes and
        # more each) until it is read.
        self._text = bytearray()
        self._response = CompletionResponse()
        self._reasoning: _ReasoningBlock | None = None
        self._calls: dict[int, _Call] = {}

    @property
    def text(self) -> str:
        """The text so far."""
        return self._response.text if self._whole else self._text.decode("utf-8", "surrogatepass")

    @property
    def usage(self) -> Usage | None:
        """What the service has said of the tokens so far."""
        return self._response.usage

    @property
    def model(self) -> str:
        """The model that says it answers, "" while none does."""
        return self._response.model

    @property
    def cost_usd(self) -> float | None:
        """What the service has said that the answer costs so far."""
        return self._response.cost_usd

    @property
    def chars(self) -> int:
        """Characters of text and reasoning so far: what an estimate of a cut answer needs."""
        reasoning = sum(len(part.text) for part in self._response.reasoning)
        open_block = len(self._reasoning.text.getvalue()) if self._reasoning else 0
        return len(self.text) + reasoning + open_block

    def add(self, tokens: list[StreamToken]) -> None:
        """Take in what one read brought."""
        for token in tokens:
            if type(token) is TextDelta:
                self._text += token.text.encode("utf-8", "surrogatepass")
                self.has_content = True
            else:
                self._add_other(token)

    def _add_other(self, token: StreamToken) -> None:
        response = self._response
        match token:
            case StreamStart():
                response.id, response.model = token.id, token.model
                return
            case UsageReport():
                response.usage = _possible(token.usage)
                if token.cost_usd is not None and 0 <= token.cost_usd < math.inf:
                    response.cost_usd = token.cost_usd
                return
            case Finish():
                response.finish_reason, response.raw_finish_reason = token.reason, token.raw
                return
            case ReasoningDelta():
                self._add_reasoning(token)
            case ToolCallDelta():
                self._calls.setdefault(token.index, _Call()).add(token)
            case CodeDelta():
                response.code.append(ExecutedCode(token.language, token.code, token.output))
            case Citation():
                response.citations.append(token)
            case TextDelta():
                self._text += token.text.encode("utf-8", "surrogatepass")
        self.has_content = True

    def _add_reasoning(self, token: ReasoningDelta) -> None:
        block = self._reasoning
        if block is None:
            block = self._reasoning = _ReasoningBlock()
        block.text.write(token.text)
        if token.opaque is not None:  # it completes the block it comes with
            self._response.reasoning.append(ReasoningState(block.text.getvalue(), token.opaque))
            self._reasoning = None

    def take(self, response: CompletionResponse) -> None:
        """Take over a whole answer, in place of tokens."""
        self._response = response
        self.has_content = True
        self._whole = True

    def response(self) -> CompletionResponse:
        """Return the answer as far as it came. Call once, after the last token."""
        response = self._response
        if self._whole:
            return response
        response.text = self.text
        if self._reasoning is not None:
            response.reasoning.append(ReasoningState(self._reasoning.text.getvalue()))
            self._reasoning = None
        response.tool_calls = [call.whole() for _, call in sorted(self._calls.items())]
        return response


class _ReasoningBlock:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = StringIO()


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
