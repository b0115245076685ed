"""From Bedrock's Converse answers to tokens: the event stream, the unary answer, exceptions.

Source: docs.aws.amazon.com/bedrock, API reference "ConverseStream", "Converse". Only the fields
that are read are declared; events unknown to us (and the padding `p`) are passed over.
"""

import msgspec

from providers.dialects.anthropic_turns import ANSWER_TOOL, json_of
from providers.dialects.base import Reader
from providers.dialects.errors import classify
from providers.errors import Malformed, ResponseError, Truncated
from providers.types import (
    Citation,
    Finish,
    FinishReason,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from providers.wire.eventstream import EXCEPTION_MARK
from providers.wire.json_text import decode, decode_refused, joined

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "toolCalls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "contentFilter",
    "content_filtered": "contentFilter",
    "refusal": "contentFilter",
}
"""`stopReason` -> ours; what is new stays "other"."""


class _ToolUse(msgspec.Struct, rename="camel", gc=False):
    tool_use_id: str | None = None
    name: str | None = None
    input: object = None
    type: str | None = None


class _ReasoningText(msgspec.Struct, gc=False):
    text: str | None = None
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None
    reasoning_text: _ReasoningText | None = None


class _Web(msgspec.Struct, gc=False):
    url: str | None = None


class _Location(msgspec.Struct, gc=False):
    web: _Web | None = None


class _Citation(msgspec.Struct, gc=False):
    title: str | None = None
    source: str | None = None
    location: _Location | None = None


class _CitedText(msgspec.Struct, gc=False):
    text: str | None = None


class _Cited(msgspec.Struct, gc=False):
    content: list[_CitedText] | None = None
    citations: list[_Citation] | None = None


class _Delta(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citation: _Citation | None = None
    citations_content: _Cited | None = None


class _Usage(msgspec.Struct, rename="camel", gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_read_input_token_count: int | None = None  # Nova's own name for it
    cache_write_input_token_count: int | None = None


class ConverseEvent(msgspec.Struct, rename="camel", gc=False):
    content_block_index: int | None = None
    delta: _Delta | None = None
    start: _Delta | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Delta] = []


class _Output(msgspec.Struct, gc=False):
    message: _Message | None = None


class _Answer(msgspec.Struct, rename="camel", gc=False):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Exception(msgspec.Struct, rename="camel", gc=False):
    message: str | None = None
    original_message: str | None = None


_event = msgspec.json.Decoder(ConverseEvent, strict=False)
_decode_event = _event.decode
_answer = msgspec.json.Decoder(_Answer, strict=False)
_exception = msgspec.json.Decoder(_Exception, strict=False)


class ConverseReader(Reader):
    """Reads the events of one answer.

    `messageStop` is terminal; `metadata` with the usage follows it, so `Finish` waits for that.
    """

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._calls = 0
        self._call_of: dict[int, int] = {}  # block -> our number of its call
        self._unsaid: dict[int, str] = {}  # block of a call without arguments so far -> them
        self._signatures: dict[int, str] = {}
        self._silent: set[int] = set()  # blocks of tools that the service runs itself
        self._answers: set[int] = set()  # blocks whose arguments are the answer
        self._stop_reason: str | None = None
        self._done = False

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if event[:1] == EXCEPTION_MARK:
            raise exception_of(event[1:], data)
        if event not in _HANDLERS:
            return
        try:
            frame = _decode_event(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            frame = decode_refused(_event, data, error)
        except RecursionError:
            raise Malformed("the JSON is nested too deeply") from None
        self.take(event, frame, out)

    def take(self, event: str, frame: ConverseEvent, out: list[StreamToken]) -> None:
        """Append the tokens of one decoded event; unknown ones are passed over."""
        handler = _HANDLERS.get(event)
        if handler is not None and not self._done:
            handler(self, frame, out)

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the stream ended without `messageStop`")
        self._finish(out)

    # --- events ---------------------------------------------------------------------------

    def _start(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        if not self._started:
            self._started = True
            out.append(StreamStart("", ""))  # the format names neither

    def _block_start(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        if frame.start is not None and frame.start.tool_use is not None:
            self._begin_call(frame.content_block_index or 0, frame.start.tool_use, out)

    def _delta(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        delta = frame.delta
        if delta is None:
            return
        if delta.text is not None:
            if delta.text:
                out.append(TextDelta(delta.text))
            return
        index = frame.content_block_index or 0
        if delta.tool_use is not None:
            self._arguments(index, delta.tool_use, out)
        elif delta.reasoning_content is not None:
            self._reason(index, delta.reasoning_content, out)
        elif delta.citation is not None:
            _cite(delta.citation, out)

    def _block_stop(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        self._close(frame.content_block_index or 0, out)

    def _stop(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        for index in list(self._signatures):
            self._close(index, out)
        self._stop_reason = frame.stop_reason
        self.finished = True

    def _metadata(self, frame: ConverseEvent, out: list[StreamToken]) -> None:
        _count(frame.usage, out)
        if self.finished:
            self._finish(out)

    # --- blocks -----------------------------------------------------------------------------

    def _begin_call(self, index: int, use: _ToolUse, out: list[StreamToken]) -> None:
        if use.type == "server_tool_use":
            self._silent.add(index)
        elif use.name == ANSWER_TOOL:
            self._answers.add(index)
        else:
            self._call_of[index] = self._calls
            self._unsaid[index] = "{}"
            out.append(ToolCallDelta(self._calls, use.tool_use_id or "", use.name or ""))
            self._calls += 1

    def _arguments(self, index: int, use: _ToolUse, out: list[StreamToken]) -> None:
        text = use.input if isinstance(use.input, str) else json_of(use.input)
        if not text or index in self._silent:
            return
        if index in self._answers:
            out.append(TextDelta(text))
            return
        call = self._call_of.get(index)
        if call is None:
            raise Malformed(f"arguments for block {index}, which has not begun")
        self._unsaid.pop(index, None)
        out.append(ToolCallDelta(call, arguments=text))

    def _reason(self, index: int, part: _Reasoning, out: list[StreamToken]) -> None:
        if part.text:
            out.append(ReasoningDelta(part.text))
        if part.signature:
            self._signatures[index] = self._signatures.get(index, "") + part.signature
        if part.redacted_content:
            out.append(ReasoningDelta("", part.redacted_content))

    def _close(self, index: int, out: list[StreamToken]) -> None:
        signature = self._signatures.pop(index, None)
        if signature:
            out.append(ReasoningDelta("", signature))
        unsaid = self._unsaid.pop(index, None)
        if unsaid is not None:
            out.append(ToolCallDelta(self._call_of[index], arguments=unsaid))

    def _finish(self, out: list[StreamToken]) -> None:
        if self._done:
            return
        self._done = True
        reason = FINISH.get(self._stop_reason or "", "other")
        if reason == "toolCalls" and self._answers and not self._calls:
            reason = "stop"
        out.append(Finish(reason, self._stop_reason))

    # --- the unary answer -----------------------------------------------------------------------

    def whole(self, answer: _Answer, message: _Message) -> list[StreamToken]:
        """Return the tokens of an answer that came at once."""
        out: list[StreamToken] = [StreamStart("", "")]
        for index, block in enumerate(message.content):
            self._whole_block(index, block, out)
        _count(answer.usage, out)
        self._stop_reason = answer.stop_reason
        self._finish(out)
        return out

    def _whole_block(self, index: int, block: _Delta, out: list[StreamToken]) -> None:
        if block.text:
            out.append(TextDelta(block.text))
        if block.tool_use is not None:
            self._begin_call(index, block.tool_use, out)
            if block.tool_use.input:
                self._arguments(index, block.tool_use, out)
        if block.reasoning_content is not None:
            self._reason(index, block.reasoning_content, out)
            text = block.reasoning_content.reasoning_text
            if text is not None:
                self._reason(index, _Reasoning(text.text, text.signature), out)
        if block.citations_content is not None:
            texts = block.citations_content.content or ()
            out += [TextDelta(part.text) for part in texts if part.text]
            for citation in block.citations_content.citations or ():
                _cite(citation, out)
        self._close(index, out)


_HANDLERS = {
    "contentBlockDelta": ConverseReader._delta,  # pyright: ignore[reportPrivateUsage]
    "messageStart": ConverseReader._start,  # pyright: ignore[reportPrivateUsage]
    "contentBlockStart": ConverseReader._block_start,  # pyright: ignore[reportPrivateUsage]
    "contentBlockStop": ConverseReader._block_stop,  # pyright: ignore[reportPrivateUsage]
    "messageStop": ConverseReader._stop,  # pyright: ignore[reportPrivateUsage]
    "metadata": ConverseReader._metadata,  # pyright: ignore[reportPrivateUsage]
}


def read_answer(body: bytes) -> list[StreamToken]:
    """Return the tokens of a unary answer. Raises `Malformed` if it is none."""
    answer = decode(_answer, body)
    if answer.output is None or answer.output.message is None:
        raise Malformed("the answer has no `output.message`")
    return joined(ConverseReader().whole(answer, answer.output.message))


def exception_of(name: str, data: bytes) -> ResponseError:
    """Return the error that an exception or error frame stands for."""
    try:
        said = decode(_exception, data)
    except Malformed:
        said = _Exception()
    message = said.message or said.original_message or name
    return classify(None, message, type=name)


def _cite(citation: _Citation, out: list[StreamToken]) -> None:
    web = citation.location.web if citation.location else None
    url = (web.url if web else None) or citation.source
    if url and "://" in url:  # a place in a document of the request's own has none
        out.append(Citation(url, citation.title))


def _count(usage: _Usage | None, out: list[StreamToken]) -> None:
    """Append the usage: Bedrock counts what was read from or written to the cache apart."""
    if usage is None:
        return
    read = usage.cache_read_input_tokens or usage.cache_read_input_token_count or 0
    written = usage.cache_write_input_tokens or usage.cache_write_input_token_count or 0
    taken = (usage.input_tokens or 0) + read + written
    answered = usage.output_tokens or 0
    total = usage.total_tokens or taken + answered
    out.append(UsageReport(Usage(taken, answered, read, written, 0, total)))
