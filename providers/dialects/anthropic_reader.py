"""From Anthropic's answers to tokens: the stream's events, the unary message, the error.

Source: platform.claude.com/docs, "Streaming Messages", "Errors", "Handling stop reasons". Only the
fields that are read here are declared; blocks and deltas of kinds unknown to us are passed over.
"""

from typing import NamedTuple

import msgspec

from providers.dialects.anthropic_turns import ANSWER_TOOL, json_of
from providers.dialects.base import Reader
from providers.dialects.errors import error_of_event
from providers.errors import Malformed, Truncated
from providers.types import (
    Citation,
    CodeDelta,
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
from providers.wire.json_text import convert, decode, decode_refused, joined

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "toolCalls",
    "refusal": "contentFilter",
    "guardrail_intervened": "contentFilter",
}
"""`stop_reason` -> ours. `pause_turn` and what is new stay "other"."""


class _Details(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Citation(msgspec.Struct, gc=False):
    url: str | None = None
    source: str | None = None
    title: str | None = None


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    citation: _Citation | None = None


class _Block(msgspec.Struct, gc=False):
    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: object = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    tool_use_id: str | None = None
    content: object = None
    citations: list[_Citation] | None = None


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    error: object = None


class _Answer(_Message, gc=False):
    type: str = ""
    error: object = None


class _CodeInput(msgspec.Struct, gc=False):
    code: str | None = None
    command: str | None = None
    file_text: str | None = None


class _CodeResult(msgspec.Struct, gc=False):
    stdout: str | None = None
    stderr: str | None = None
    error_code: str | None = None


_event = msgspec.json.Decoder(_Event, strict=False)
_decode_event = _event.decode
_answer = msgspec.json.Decoder(_Answer, strict=False)
_anything: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_code_input = msgspec.json.Decoder(_CodeInput, strict=False)

CODE_TOOLS = {
    "code_execution": "python",
    "bash_code_execution": "bash",
    "text_editor_code_execution": "text",
}
"""The service's own tools that run code, and the language of what they are given."""


class _Open(NamedTuple):
    """A block that has begun. `call`: our number of a tool call, -1 for anything else."""

    kind: str
    call: int = -1
    name: str = ""
    id: str = ""


class AnthropicReader(Reader):
    """Reads the events of one answer; what blocks that interleave bring stays with its block."""

    def __init__(self) -> None:
        self.finished = False
        self._usage = Usage()
        self._uncached = 0
        self._stop_reason: str | None = None
        self._started = False
        self._blocks: dict[int, _Open] = {}
        self._collected: dict[int, str] = {}  # block -> signature, code input, unsent arguments
        self._calls = 0
        self._code: dict[str, tuple[str, str]] = {}  # tool use id -> language, code
        self._answer_tool = False

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        try:
            frame = _decode_event(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            frame = decode_refused(_event, data, error)
        except RecursionError:
            raise Malformed("the JSON is nested too deeply") from None
        kind = frame.type
        if kind == "content_block_delta":
            if not self.finished and frame.delta is not None:
                self._delta(frame.index, frame.delta, out)
        elif kind == "error" or event == "error" or frame.error is not None:
            raise error_of_event(decode(_anything, data))
        elif not kind:
            raise Malformed("an event without a `type`")
        elif not self.finished:
            self._other(kind, frame, out)

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the stream ended without `message_stop`")

    # --- events -------------------------------------------------------------------------

    def _delta(self, index: int, delta: _Delta, out: list[StreamToken]) -> None:
        kind = delta.type
        if kind == "text_delta":
            if delta.text:
                out.append(TextDelta(delta.text))
        elif kind == "input_json_delta":
            if delta.partial_json:
                self._input(index, delta.partial_json, out)
        elif kind == "thinking_delta":
            if delta.thinking:
                out.append(ReasoningDelta(delta.thinking))
        elif kind == "signature_delta":
            if delta.signature:
                self._collected[index] = self._collected.get(index, "") + delta.signature
        elif kind == "citations_delta" and delta.citation is not None:
            _cite(delta.citation, out)

    def _input(self, index: int, text: str, out: list[StreamToken]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise Malformed(f"arguments for block {index}, which has not begun")
        if block.kind == "answer":
            out.append(TextDelta(text))
        elif block.call >= 0:
            self._collected.pop(index, None)  # the deltas say it, not the block's beginning
            out.append(ToolCallDelta(block.call, arguments=text))
        elif block.kind == "server_tool_use":
            self._collected[index] = self._collected.get(index, "") + text

    def _other(self, kind: str, frame: _Event, out: list[StreamToken]) -> None:
        if kind == "content_block_start":
            if frame.content_block is not None:
                self._begin(frame.index, frame.content_block, out)
        elif kind == "content_block_stop":
            self._close(frame.index, out)
        elif kind == "message_start":
            self._start(frame.message or _Message(), out)
        elif kind == "message_delta":
            if frame.delta is not None and frame.delta.stop_reason is not None:
                self._stop_reason = frame.delta.stop_reason
            self._count(frame.usage, out)
        elif kind == "message_stop":
            self._finish(out)

    def _start(self, message: _Message, out: list[StreamToken]) -> None:
        if not self._started:  # some gateways send it twice
            self._started = True
            out.append(StreamStart(message.id or "", message.model or ""))
        self._count(message.usage, out)

    def _begin(self, index: int, block: _Block, out: list[StreamToken]) -> None:
        kind = block.type
        if kind == "text":
            if block.text:
                out.append(TextDelta(block.text))
            for citation in block.citations or ():
                _cite(citation, out)
        elif kind == "thinking":
            self._blocks[index] = _Open(kind)
            if block.thinking:
                out.append(ReasoningDelta(block.thinking))
            self._collected[index] = block.signature or ""
        elif kind == "redacted_thinking":
            out.append(ReasoningDelta("", block.data or ""))
        elif kind == "tool_use":
            self._begin_call(index, block, out)
        elif kind == "server_tool_use":
            self._blocks[index] = _Open(kind, name=block.name or "", id=block.id or "")
            self._collected[index] = _given(block.input)
        else:
            self._blocks[index] = _Open(kind)  # its deltas are passed over
            if kind.endswith("code_execution_tool_result"):
                self._ran(block, out)

    def _begin_call(self, index: int, block: _Block, out: list[StreamToken]) -> None:
        given = _given(block.input)
        if block.name == ANSWER_TOOL:
            self._answer_tool = True
            self._blocks[index] = _Open("answer")
            if given:
                out.append(TextDelta(given))
            return
        self._blocks[index] = _Open("tool_use", self._calls)
        out.append(ToolCallDelta(self._calls, block.id or "", block.name or ""))
        self._calls += 1
        # What was given at once is sent when the block ends without deltas: `{}` stands for none.
        self._collected[index] = given or "{}"

    def _close(self, index: int, out: list[StreamToken]) -> None:
        block = self._blocks.pop(index, None)
        collected = self._collected.pop(index, "")
        if block is None or not collected:
            return
        if block.kind == "thinking":
            out.append(ReasoningDelta("", collected))
        elif block.call >= 0:
            out.append(ToolCallDelta(block.call, arguments=collected))
        elif block.name in CODE_TOOLS:
            self._code[block.id] = (CODE_TOOLS[block.name], _code_of(collected))

    def _ran(self, block: _Block, out: list[StreamToken]) -> None:
        language, code = self._code.pop(block.tool_use_id or "", ("", ""))
        output = _output_of(block.content)
        if code or output:
            out.append(CodeDelta(language, code, output))

    def _count(self, usage: _Usage | None, out: list[StreamToken]) -> None:
        """Take in what `usage` says; its numbers are totals, what is missing stays as it was."""
        if usage is None:
            return
        total = self._usage
        if usage.input_tokens is not None:
            self._uncached = usage.input_tokens
        if usage.cache_read_input_tokens is not None:
            total.cache_read_tokens = usage.cache_read_input_tokens
        if usage.cache_creation_input_tokens is not None:
            total.cache_write_tokens = usage.cache_creation_input_tokens
        if usage.output_tokens is not None:
            total.output_tokens = usage.output_tokens
        if usage.output_tokens_details is not None:
            total.reasoning_tokens = usage.output_tokens_details.thinking_tokens or 0
        total.input_tokens = self._uncached + total.cache_read_tokens + total.cache_write_tokens
        total.total_tokens = total.input_tokens + total.output_tokens
        out.append(UsageReport(msgspec.structs.replace(total)))

    def _finish(self, out: list[StreamToken]) -> None:
        for language, code in self._code.values():  # begun, and no result came
            out.append(CodeDelta(language, code))
        self.finished = True
        out.append(Finish(self._reason(), self._stop_reason))

    def _reason(self) -> FinishReason:
        reason = FINISH.get(self._stop_reason or "", "other")
        if reason == "toolCalls" and self._answer_tool and not self._calls:
            return "stop"
        return reason

    # --- the unary answer ------------------------------------------------------------------

    def whole(self, message: _Message) -> list[StreamToken]:
        """Return the tokens of an answer that came at once."""
        out: list[StreamToken] = []
        self._start(message, out)
        for index, block in enumerate(message.content or ()):
            self._begin(index, block, out)
            self._close(index, out)
        self._stop_reason = message.stop_reason
        self._finish(out)
        return out


def read_message(body: bytes) -> list[StreamToken]:
    """Return the tokens of a unary answer. Raises what its `error` stands for, or `Malformed`."""
    answer = decode(_answer, body)
    if answer.error is not None:
        raise error_of_event(decode(_anything, body))
    if answer.content is None:
        raise Malformed("the answer has no `content`")
    return joined(AnthropicReader().whole(answer))


# --- small pieces -----------------------------------------------------------------------------


def _given(value: object) -> str:
    """Return the JSON of an input that came with the block's beginning, "" for none and `{}`."""
    return json_of(value) if value else ""


def _cite(citation: _Citation, out: list[StreamToken]) -> None:
    url = citation.url or citation.source
    if url:  # a place in a document of the request's own has none
        out.append(Citation(url, citation.title))


def _code_of(text: str) -> str:
    try:
        given = decode(_code_input, text.encode("utf-8", "surrogatepass"))
    except Malformed:
        return text
    return given.code or given.file_text or given.command or text


def _output_of(content: object) -> str | None:
    try:
        result = convert(content, _CodeResult)
    except msgspec.ValidationError:
        return None
    return (result.stdout or "") + (result.stderr or "") or result.error_code
