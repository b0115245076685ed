"""From Gemini's answers to tokens: a chunk of the stream and a whole answer have one shape.

Only the fields that are read are declared. Source: ai.google.dev/api/generate-content
(`GenerateContentResponse`) and the Vertex reference of the same.
"""

import msgspec

from providers.dialects.anthropic_turns import json_of
from providers.dialects.base import NOTHING_CITED, Reader
from providers.dialects.errors import error_of_event
from providers.dialects.gemini_partial import PartialCall
from providers.errors import Malformed, ResponseError, Truncated
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
from providers.wire.json_text import decode, decode_refused, joined

FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "FUNCTION_CALL": "toolCalls",  # not in Google's list; gateways say it
    "MAX_TOKENS": "length",
    "SAFETY": "contentFilter",
    "RECITATION": "contentFilter",
    "BLOCKLIST": "contentFilter",
    "PROHIBITED_CONTENT": "contentFilter",
    "SPII": "contentFilter",
    "MODEL_ARMOR": "contentFilter",
    "IMAGE_SAFETY": "contentFilter",
    "IMAGE_PROHIBITED_CONTENT": "contentFilter",
    "IMAGE_RECITATION": "contentFilter",
    # As numbers, where an enum's encoding was asked for as such (google.cloud.aiplatform).
    "1": "stop",
    "2": "length",
    "3": "contentFilter",
    "4": "contentFilter",
    "6": "contentFilter",
    "7": "contentFilter",
    "8": "contentFilter",
    "10": "contentFilter",
}
"""`finishReason` -> ours. The malformed and unexpected calls, `OTHER` and what is new: "other"."""


class _Call(msgspec.Struct, rename="camel", gc=False):
    id: str | None = None
    name: str | None = None
    args: dict[str, object] | None = None
    partial_args: list[dict[str, object]] | None = None
    will_continue: bool | None = None


class _Code(msgspec.Struct, gc=False):
    language: str | None = None
    code: str | None = None


class _CodeResult(msgspec.Struct, gc=False):
    output: str | None = None


class _Part(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    executable_code: _Code | None = None
    code_execution_result: _CodeResult | None = None


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Source(msgspec.Struct, gc=False):
    uri: str | None = None
    title: str | None = None


class _GroundingChunk(msgspec.Struct, rename="camel", gc=False):
    web: _Source | None = None
    maps: _Source | None = None
    retrieved_context: _Source | None = None


class _Grounding(msgspec.Struct, rename="camel", gc=False):
    grounding_chunks: list[_GroundingChunk] | None = None


class _Citations(msgspec.Struct, rename="camel", gc=False):
    citation_sources: list[_Source] | None = None
    citations: list[_Source] | None = None


class _Candidate(msgspec.Struct, rename="camel", gc=False):
    content: _Content | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    grounding_metadata: _Grounding | None = None
    citation_metadata: _Citations | None = None


class _Feedback(msgspec.Struct, rename="camel", gc=False):
    block_reason: str | int | None = None


class _Usage(msgspec.Struct, rename="camel", gc=False):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Chunk(msgspec.Struct, rename="camel", gc=False):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: dict[str, object] | str | None = None


_chunk = msgspec.json.Decoder(_Chunk, strict=False)


class GeminiReader(Reader):
    """Reads the chunks of one answer, or the single one of a whole answer.

    A `finishReason` may come in several chunks and usage after it, so `Finish` waits for the end.
    """

    __slots__ = (
        "_calls",
        "_cited",
        "_code",
        "_finish",
        "_partial",
        "_started",
        "_usage",
        "finished",
    )

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._finish: Finish | None = None
        self._calls = 0
        self._partial: PartialCall | None = None  # a call whose arguments come in pieces
        self._code: _Code | None = None  # code whose output has not come yet
        self._cited: frozenset[str] = NOTHING_CITED
        self._usage: _Usage | None = None  # as it was told last

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            chunk = decode_refused(_chunk, data, error)
        except RecursionError:
            raise Malformed("the JSON is nested too deeply") from None
        if chunk.error is not None:
            raise _error(chunk.error)
        if not self._started:
            self._started = True
            out.append(StreamStart(chunk.response_id or "", chunk.model_version or ""))
        usage = chunk.usage_metadata
        if usage is not None:
            self._take_usage(usage, out)
        candidates = chunk.candidates
        if candidates is not None:
            for candidate in candidates:
                if not candidate.index:
                    self._candidate(candidate, out)
        feedback = chunk.prompt_feedback
        if feedback is not None and feedback.block_reason:
            self.finished = True
            self._finish = Finish("contentFilter", str(feedback.block_reason))

    def end(self, out: list[StreamToken]) -> None:
        self._flush(out)
        if self._finish is None:
            raise Truncated("the stream ended without a finishReason")
        out.append(self._finish)

    def _candidate(self, candidate: _Candidate, out: list[StreamToken]) -> None:
        content = candidate.content
        if content is not None and content.parts:
            for part in content.parts:
                text = part.text
                if text and part.thought is None and part.thought_signature is None:
                    if self._code is not None or self._partial is not None:
                        self._flush(out)
                    out.append(TextDelta(text))
                else:
                    self._part(part, out)
        if candidate.grounding_metadata is not None:
            self._ground(candidate.grounding_metadata, out)
        if candidate.citation_metadata is not None:
            cited = candidate.citation_metadata
            self._cite((cited.citation_sources or []) + (cited.citations or []), out)
        reason = candidate.finish_reason
        if reason is not None and reason not in (0, "", "FINISH_REASON_UNSPECIFIED"):
            self._flush(out)
            self.finished = True
            found = FINISH.get(str(reason), "other")
            if found == "stop" and self._calls:
                found = "toolCalls"
            self._finish = Finish(found, str(reason))

    def _part(self, part: _Part, out: list[StreamToken]) -> None:
        """Take a part that is more than plain text."""
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, out)
            return
        if part.code_execution_result is not None:
            code, self._code = self._code or _Code(), None
            output = part.code_execution_result.output or ""
            out.append(CodeDelta((code.language or "").lower(), code.code or "", output))
        elif part.text or part.executable_code is not None:
            self._flush(out)
            self._code = part.executable_code
        if part.thought and part.text:
            out.append(ReasoningDelta(part.text, part.thought_signature))
            return
        if part.text:
            out.append(TextDelta(part.text))
        if part.thought_signature:
            out.append(ReasoningDelta("", part.thought_signature))

    def _call(self, call: _Call, signature: str | None, out: list[StreamToken]) -> None:
        partial = self._partial
        if partial is not None and not call.name:
            partial.add(call.partial_args or [])
            if not call.will_continue:
                self._flush(out)
            return
        self._flush(out)
        index, name = self._calls, call.name or ""
        self._calls += 1
        # An id as the port's origin makes it: the same for the same answer, one per call.
        identity = call.id or f"{name}-{index}"
        if call.will_continue or call.partial_args:
            self._partial = PartialCall(index)
            self._partial.add(call.partial_args or [])
            out.append(ToolCallDelta(index, identity, name, None, signature))
            if not call.will_continue:
                self._flush(out)
            return
        arguments = json_of(call.args) if call.args is not None else "{}"
        out.append(ToolCallDelta(index, identity, name, arguments, signature))

    def _flush(self, out: list[StreamToken]) -> None:
        """Append what waited for more of itself."""
        if self._code is not None:
            code, self._code = self._code, None
            out.append(CodeDelta((code.language or "").lower(), code.code or ""))
        if self._partial is not None:
            partial, self._partial = self._partial, None
            out.append(ToolCallDelta(partial.index, arguments=json_of(partial.arguments)))

    def _ground(self, grounding: _Grounding, out: list[StreamToken]) -> None:
        sources: list[_Source] = []
        for chunk in grounding.grounding_chunks or []:
            context = chunk.retrieved_context
            if context is not None and not (context.uri or "").startswith(("https:", "http:")):
                context = None  # a name inside the user's own store
            source = chunk.web or chunk.maps or context
            if source is not None:
                sources.append(source)
        self._cite(sources, out)

    def _cite(self, sources: list[_Source], out: list[StreamToken]) -> None:
        for source in sources:
            if source.uri and source.uri not in self._cited:
                self._cited |= {source.uri}
                out.append(Citation(source.uri, source.title or None))

    def _take_usage(self, new: _Usage, out: list[StreamToken]) -> None:
        """Tell each usage that differs from the one before: each is a whole of its own.

        Not the last only, because an answer that is cut short is paid for, too.
        """
        if new.prompt_token_count is None and new.candidates_token_count is None:
            return  # says something else, as the kind of traffic
        if new != self._usage:
            self._usage = new
            out.append(UsageReport(_usage_of(new)))


def read_answer(body: bytes) -> list[StreamToken]:
    """Return the tokens of a whole answer.

    Raises `Malformed` for what is none, and the error it carries.
    """
    reader = GeminiReader()
    out: list[StreamToken] = []
    chunk = decode(_chunk, body)
    if chunk.error is None and chunk.candidates is None and chunk.prompt_feedback is None:
        raise Malformed("the answer has neither candidates nor a prompt feedback")
    reader.read("", body, out)
    try:
        reader.end(out)
    except Truncated:
        # The body is whole, so the answer is; some models leave the reason out.
        out.append(Finish("other"))
    return joined(out)


def _error(error: object) -> ResponseError:
    return error_of_event({"error": error})


def _usage_of(given: _Usage) -> Usage:
    """Return the usage. What tools put into the prompt is input, thoughts are output."""
    thoughts = given.thoughts_token_count or 0
    prompt = (given.prompt_token_count or 0) + (given.tool_use_prompt_token_count or 0)
    output = (given.candidates_token_count or 0) + thoughts
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=given.cached_content_token_count or 0,
        reasoning_tokens=thoughts,
        total_tokens=given.total_token_count or prompt + output,
    )
