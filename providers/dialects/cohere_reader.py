"""From Cohere's answers to tokens: the events of a stream, and the whole message.

Only the fields that are read are declared; events of kinds unknown to us are passed over. Source:
docs.cohere.com, "Chat with Streaming" (API v2), "Streaming Responses", "Citations".
"""

from typing import cast

import msgspec

from providers.dialects.base import NOTHING_CITED, Reader
from providers.dialects.errors import error_of_event
from providers.dialects.tool_calls import ToolCallAssembler
from providers.errors import Malformed, Truncated
from providers.types import (
    Citation,
    Finish,
    FinishReason,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    Usage,
    UsageReport,
)
from providers.wire.json_text import decode, decode_refused, joined

FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "toolCalls",
}
"""`finish_reason` -> ours. What is new stays "other"."""

FAILED = {
    "ERROR": "the service failed while it wrote the answer",
    "TIMEOUT": "the service ran out of time while it wrote the answer",
}
"""`finish_reason` of an answer that is none, and what is said where the service says nothing."""

THINKING = '{"type":"thinking"}'
PLAN = '{"type":"tool_plan"}'
"""`opaque` of reasoning: as what it goes back. A plan is what a model that does not think says of
the tools it is about to call; the service has a field of its own for it."""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Content(msgspec.Struct, gc=False):
    text: str | None = None
    thinking: str | None = None


class _Source(msgspec.Struct, gc=False):
    id: str | None = None
    document: object = None
    tool_output: object = None


class _Citation(msgspec.Struct, gc=False):
    sources: list[_Source] | None = None


class _Message(msgspec.Struct, gc=False):
    """Of an event, or whole: an event has one thing where the whole message has a list of them."""

    content: _Content | list[_Content] | str | None = None
    tool_plan: str | None = None
    tool_calls: _Call | list[_Call] | None = None
    citations: _Citation | list[_Citation] | None = None


class _Tokens(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    tokens: _Tokens | None = None
    billed_units: _Tokens | None = None
    cached_tokens: int | None = None


class _Delta(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: object = None


class _Event(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    error: object = None


class _Answer(msgspec.Struct, gc=False):
    id: str | None = None
    message: _Message | str | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: object = None


_event = msgspec.json.Decoder(_Event, strict=False)
_decode_event = _event.decode
_answer = msgspec.json.Decoder(_Answer, strict=False)
_anything: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class CohereReader(Reader):
    """Reads the events of one answer; `message-end` is the last that counts."""

    __slots__ = ("_calls", "_cited", "_open", "_started", "finished")

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._open = ""  # the mark of the reasoning that is being said
        self._calls = ToolCallAssembler()
        self._cited: frozenset[str] = NOTHING_CITED

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        try:
            frame = _decode_event(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if data.strip() == b"[DONE]":
                return
            frame = decode_refused(_event, data, error)
        except RecursionError:
            raise Malformed("the JSON is nested too deeply") from None
        if self.finished:
            return
        if not frame.type or frame.error or "error" in (event, frame.type):
            _refuse(data)
        delta = frame.delta
        message = None if delta is None else delta.message
        if message is not None:
            if frame.type == "message-start":
                self._start(frame.id, out)
            self._message(message, frame.index, out)
        elif frame.type == "message-start":
            self._start(frame.id, out)
        if frame.type == "message-end":
            self._finish(delta or _Delta(), out)

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the stream ended without `message-end`")

    def whole(self, answer: _Answer, message: _Message) -> list[StreamToken]:
        """Return the tokens of an answer that came at once."""
        out: list[StreamToken] = []
        self._start(answer.id, out)
        self._message(message, None, out)
        self._finish(_Delta(None, answer.finish_reason, answer.usage, answer.error), out)
        return out

    # --- pieces ---------------------------------------------------------------------------

    def _start(self, answer_id: str | None, out: list[StreamToken]) -> None:
        if not self._started:
            self._started = True
            self._calls.answer_id = answer_id or ""
            out.append(StreamStart(answer_id or "", ""))  # which model it is, is never said

    def _message(self, message: _Message, index: int | None, out: list[StreamToken]) -> None:
        content = message.content
        if type(content) is _Content:
            self._content(content, out)
        elif isinstance(content, str):
            self._text(content, out)
        elif content:
            for each in cast("list[_Content]", content):
                self._content(each, out)
        if message.tool_plan:
            self._reason(message.tool_plan, PLAN, out)
        calls = message.tool_calls
        if calls:
            self._close(out)
            listed = enumerate(calls) if isinstance(calls, list) else ((index, calls),)
            for at, call in listed:
                self._call(at, call, out)
        cited = message.citations
        if cited:
            for citation in cited if isinstance(cited, list) else (cited,):
                for source in citation.sources or ():
                    self._cite(source, out)

    def _content(self, content: _Content, out: list[StreamToken]) -> None:
        if content.thinking:
            self._reason(content.thinking, THINKING, out)
        if content.text:
            self._text(content.text, out)

    def _text(self, text: str, out: list[StreamToken]) -> None:
        if self._open:
            self._close(out)
        if text:
            out.append(TextDelta(text))

    def _reason(self, text: str, mark: str, out: list[StreamToken]) -> None:
        if self._open != mark:
            self._close(out)
            self._open = mark
        out.append(ReasoningDelta(text))

    def _close(self, out: list[StreamToken]) -> None:
        """Mark the reasoning that has ended with what it is."""
        if self._open:
            out.append(ReasoningDelta("", self._open))
            self._open = ""

    def _call(self, index: int | None, call: _Call, out: list[StreamToken]) -> None:
        function = call.function or _Function()
        self._calls.add(index, call.id, function.name, function.arguments, out)

    def _cite(self, source: _Source, out: list[StreamToken]) -> None:
        """Append a source that has an address; it is cited for many places, and told once."""
        found = _fields(source.document) or _fields(source.tool_output)
        url = next((u for u in (found.get("url"), source.id) if _is_address(u)), None)
        if isinstance(url, str) and url not in self._cited:
            self._cited |= {url}
            title = found.get("title")
            out.append(Citation(url, title if isinstance(title, str) and title else None))

    def _finish(self, delta: _Delta, out: list[StreamToken]) -> None:
        self._close(out)
        self._calls.end(out)
        if delta.usage is not None:
            _count(delta.usage, out)
        raw = delta.finish_reason
        if delta.error or raw in FAILED:
            said = {"code": raw, "message": FAILED.get(raw or "", "the answer failed")}
            raise error_of_event({"error": delta.error, "code": raw} if delta.error else said)
        self.finished = True
        reason = FINISH.get(raw or "", "other")
        if reason == "stop" and len(self._calls):
            reason = "toolCalls"
        out.append(Finish(reason, raw))


def read_whole(body: bytes) -> list[StreamToken]:
    """Return the tokens of a unary answer. Raises what its error stands for, or `Malformed`."""
    answer = decode(_answer, body)
    if answer.error or isinstance(answer.message, str):
        raise error_of_event(decode(_anything, body))
    if answer.message is None:
        raise Malformed("the answer has no `message`")
    return joined(CohereReader().whole(answer, answer.message))


# --- small pieces -----------------------------------------------------------------------------


def _refuse(data: bytes) -> None:
    """Raise what an event that is none of the answer's stands for: an error, or nothing known."""
    value = decode(_anything, data)
    fields = _fields(value)
    if fields.get("error") or fields.get("message") or fields.get("type") == "error":
        raise error_of_event(value)
    raise Malformed("an event without a `type`")


def _count(usage: _Usage, out: list[StreamToken]) -> None:
    """Append the tokens. What is billed leaves out the service's own words around a prompt."""
    told = usage.tokens
    if told is None or (told.input_tokens is None and told.output_tokens is None):
        told = usage.billed_units
    if told is None or (told.input_tokens is None and told.output_tokens is None):
        return
    given, written = told.input_tokens or 0, told.output_tokens or 0
    out.append(
        UsageReport(
            Usage(
                given,
                written,
                cache_read_tokens=min(usage.cached_tokens or 0, given),
                reasoning_tokens=told.reasoning_tokens or 0,
                total_tokens=given + written,
            )
        )
    )


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://"))
