"""Reads Chat Completions answers, streamed or whole.

Terminal is a non-null `finish_reason` or `[DONE]`; what comes between the two is usage at most, and
some services never send the second. Does not know which service it reads: every oddity that really
occurs is taken from all of them.
"""

from typing import Any, cast

import msgspec

from providers.dialects.base import NOTHING_CITED, Reader
from providers.dialects.errors import error_of_event
from providers.dialects.openai_chat_wire import (
    Choice,
    Chunk,
    Delta,
    PlainChunk,
    WireToolCall,
    finish_reason,
)
from providers.dialects.openai_usage import WireUsage, is_said, report
from providers.dialects.reasoning_details import ReasoningDetails, detail_text, encoded
from providers.dialects.think_tags import ThinkTags
from providers.dialects.tool_calls import ToolCallAssembler
from providers.errors import Malformed, ResponseError, Truncated
from providers.types import (
    Citation,
    Finish,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
)
from providers.wire import json_text

_CHUNK = msgspec.json.Decoder(Chunk, strict=False)
_ANY: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_decode_chunk = _CHUNK.decode
_decode_plain = msgspec.json.Decoder(PlainChunk).decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

PLAIN_MISSES = 8
"""How often per answer an event may turn out not to be plain before that is no longer tried: a
miss costs twice what a hit saves, and some services add a field of their own to every delta."""


class ChatReader(Reader):
    """One answer.

    `keep_details` collects `reasoning_details` for the way back (OpenRouter and its like);
    `think_tags` reads a leading `<think>…</think>` of the text as reasoning.
    """

    def __init__(self, *, keep_details: bool = False, think_tags: bool = False) -> None:
        self.finished = False
        self._started = False
        self._done = False  # Finish has been given; nothing may follow
        self._plain = False  # the last event was plain text, so the next one may be
        self._misses = PLAIN_MISSES
        self._raw_finish: str | None = None
        self._refused = False
        self._has_content = False
        self._usage: WireUsage | None = None
        self._calls = ToolCallAssembler()
        self._details = ReasoningDetails() if keep_details else None
        self._tags = ThinkTags() if think_tags else None
        self._cited: frozenset[str] = NOTHING_CITED

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if self._plain and not event:
            try:
                text = _decode_plain(data).choices[0].delta.content
            except _REFUSED:
                self._plain = False
                self._misses -= 1
            else:
                if text:
                    out.append(TextDelta(text))
                return
        try:
            chunk = _decode_chunk(data)
        except _REFUSED as error:
            if (lenient := self._not_a_chunk(event, data, error, out)) is None:
                return
            chunk = lenient
        if not self._done:
            self._chunk(event, data, chunk, out)

    def end(self, out: list[StreamToken]) -> None:
        if self._done:
            return
        if not self.finished:
            if self._tags is not None:
                self._tags.end(out)
            raise Truncated("the stream ended before its finish_reason")
        self._finish(out)

    def _chunk(self, event: str, data: bytes, chunk: Chunk, out: list[StreamToken]) -> None:
        choices = chunk.choices
        if not self._started or not choices or chunk.error or event == "error":
            self._unusual(event, data, chunk, out)
        if choices:
            for choice in choices:
                if not choice.index:
                    self._choice(choice, out)
        if (
            chunk.usage is not None
            or chunk.x_groq is not None
            or chunk.citations is not None
            or chunk.search_results is not None
        ):
            self._beside(chunk, out)

    def read_whole(self, body: bytes) -> list[StreamToken]:
        """Return the tokens of an answer that was not streamed.

        Raises `Malformed` for what is no such answer, or the error it carries.
        """
        chunk = json_text.decode(_CHUNK, body)
        if chunk.error or not chunk.choices:
            self._raise_if_error("", body, chunk)
            raise Malformed("the answer has no choices")
        out: list[StreamToken] = []
        self._start(chunk, out)
        for choice in chunk.choices:
            choice.delta = choice.message or choice.delta
            if choice.delta is None and choice.finish_reason != "content_filter":
                raise Malformed("the answer has no message")
            if choice.delta is not None and choice.delta.tool_calls:
                for index, call in enumerate(choice.delta.tool_calls):
                    call.index = index
            if not choice.index:
                self._choice(choice, out)
        self._beside(chunk, out)
        self._finish(out)
        return json_text.joined(out)

    # --- What is not usual ----------------------------------------------------------------

    def _not_a_chunk(
        self, event: str, data: bytes, error: Exception, out: list[StreamToken]
    ) -> Chunk | None:
        """`[DONE]`, an error event of another shape, or JSON that has lone surrogates."""
        text = data.strip()
        if text == b"[DONE]":
            self.finished = True
            self._finish(out)
            return None
        if self._done or not text:
            return None
        if event == "error":
            raise self._ended(self._error_event(data), out)
        return json_text.decode_refused(_CHUNK, data, error)

    def _unusual(self, event: str, data: bytes, chunk: Chunk, out: list[StreamToken]) -> None:
        if chunk.error or event == "error" or chunk.choices is None:
            try:
                self._raise_if_error(event, data, chunk)
            except ResponseError as error:
                raise self._ended(error, out) from None
        # Azure's first chunk names neither id nor model: it only says how the prompt was filtered.
        if not self._started and (chunk.choices or chunk.id):
            self._start(chunk, out)

    def _raise_if_error(self, event: str, data: bytes, chunk: Chunk) -> None:
        if chunk.error or event == "error":
            raise self._error_event(data)
        if chunk.choices is None and chunk.usage is None and b'"message"' in data:
            # vLLM and Mistral: {"object": "error", "message": …} without an `error` around it.
            value = json_text.decode(_ANY, data)
            if isinstance(value, dict):
                fields = cast("dict[str, object]", value)
                if fields.get("object") == "error" or "code" in fields or "type" in fields:
                    raise error_of_event(fields)

    def _error_event(self, data: bytes) -> ResponseError:
        try:
            value: object = json_text.decode(_ANY, data)
        except Malformed:
            value = data.decode("utf-8", "replace")
        return error_of_event(value)

    def _ended(self, error: ResponseError, out: list[StreamToken]) -> ResponseError:
        """Return the error, once the text is told that was held back."""
        if self._tags is not None:
            self._tags.end(out)
        return error

    # --- Pieces ---------------------------------------------------------------------------

    def _start(self, chunk: Chunk, out: list[StreamToken]) -> None:
        self._started = True
        answer_id = "" if chunk.id is None else str(chunk.id)
        self._calls.answer_id = answer_id
        out.append(StreamStart(answer_id, chunk.model or ""))

    def _choice(self, choice: Choice, out: list[StreamToken]) -> None:
        if choice.error:
            raise self._ended(error_of_event({"error": choice.error}), out)
        delta = choice.delta
        if delta is None and not self._has_content:
            delta = choice.message  # a whole answer in one event
        if delta is not None:
            self._delta(delta, out)
            if delta.content and self._tags is None and self._misses > 0:
                self._plain = True
        if choice.finish_reason:
            self._raw_finish = choice.finish_reason
            self.finished = True

    def _delta(self, delta: Delta, out: list[StreamToken]) -> None:
        self._reasoning(delta, out)
        if delta.content:
            self._content(delta.content, out)
        if delta.refusal:
            self._refused = True
            self._text(delta.refusal, out)
        if delta.tool_calls:
            for call in delta.tool_calls:
                name, arguments = _called(call)
                call_id = None if call.id is None else str(call.id)
                self._calls.add(call.index, call_id, name, arguments, out)
            self._has_content = True
        if delta.function_call is not None:
            called = delta.function_call
            self._calls.add(0, None, called.name, _arguments(called.arguments), out)
        for annotation in delta.annotations or ():
            if annotation.url_citation:
                self._cite(annotation.url_citation, out)

    def _reasoning(self, delta: Delta, out: list[StreamToken]) -> None:
        text = delta.reasoning_content
        if not text and delta.reasoning:
            value = delta.reasoning
            text = value if isinstance(value, str) else _text_of(value)
        if delta.reasoning_details:
            text = text or detail_text(delta.reasoning_details)
            if self._details is not None:
                self._details.add(delta.reasoning_details)
        if text:
            self._has_content = True
            out.append(ReasoningDelta(text))

    def _content(self, content: str | list[Any] | dict[str, Any], out: list[StreamToken]) -> None:
        if isinstance(content, str):
            self._text(content, out)
        elif isinstance(content, dict):
            self._text(_text_of(content) or encoded(content), out)
        else:
            for part in content:
                self._part(part, out)

    def _part(self, part: object, out: list[StreamToken]) -> None:
        if isinstance(part, str):
            self._text(part, out)
            return
        if not isinstance(part, dict):
            return
        fields = cast("dict[str, Any]", part)
        thinking = fields.get("thinking")
        if thinking:
            text = thinking if isinstance(thinking, str) else _joined_text(thinking)
            if text:
                self._has_content = True
                out.append(ReasoningDelta(text))
        elif isinstance(fields.get("refusal"), str):
            self._refused = True
            self._text(fields["refusal"], out)
        else:
            self._text(_text_of(fields), out)

    def _text(self, text: str, out: list[StreamToken]) -> None:
        if not text:
            return
        self._has_content = True
        if self._tags is not None:
            self._tags.feed(text, out)
            if self._tags.settled:
                self._tags = None  # no tag can follow: the rest takes the short way
        else:
            out.append(TextDelta(text))

    def _beside(self, chunk: Chunk, out: list[StreamToken]) -> None:
        """Take what stands beside the choices."""
        groq = chunk.x_groq
        if chunk.usage is not None:
            self._count(chunk.usage, out)
        elif groq is not None and groq.usage is not None:
            self._count(groq.usage, out)
        if groq is not None and groq.error:
            raise self._ended(error_of_event({"error": groq.error}), out)
        self._citations(chunk, out)

    def _count(self, usage: WireUsage, out: list[StreamToken]) -> None:
        """Tell every new count at once: an answer that is cut short is paid for, too."""
        if usage != self._usage and is_said(usage):
            if not self._started:
                self._start(Chunk(), out)
            self._usage = usage
            out.append(report(usage))

    def _citations(self, chunk: Chunk, out: list[StreamToken]) -> None:
        """Perplexity repeats its lists in every event; the marks `[n]` count in their order."""
        results = chunk.search_results or []
        titles = {result.url: result.title for result in results if result.url}
        for citation in chunk.citations or ():
            if isinstance(citation, str):
                self._cite({"url": citation, "title": titles.get(citation)}, out)
            elif isinstance(citation, dict):
                self._cite(cast("dict[str, Any]", citation), out)
        for result in results:
            self._cite({"url": result.url, "title": result.title}, out)

    def _cite(self, citation: dict[str, Any], out: list[StreamToken]) -> None:
        url, title = citation.get("url"), citation.get("title")
        if isinstance(url, str) and url and url not in self._cited:
            self._cited |= {url}
            out.append(Citation(url, title if isinstance(title, str) and title else None))

    def _finish(self, out: list[StreamToken]) -> None:
        if self._done:
            return
        self._done = True
        self._plain = False
        if not self._started:
            self._start(Chunk(), out)
        if self._tags is not None:
            self._tags.end(out)
        self._calls.end(out)
        opaque = self._details.opaque() if self._details is not None else None
        if opaque is not None:
            out.append(ReasoningDelta("", opaque))
        out.append(Finish(finish_reason(self._raw_finish, refused=self._refused), self._raw_finish))


def _called(call: WireToolCall) -> tuple[str | None, str | None]:
    """Return name and arguments of a fragment."""
    if call.function is not None:
        return call.function.name, _arguments(call.function.arguments)
    if call.custom is not None:
        return call.custom.name, call.custom.input
    return None, None


def _arguments(value: str | dict[str, Any] | list[Any] | None) -> str | None:
    return value if value is None or isinstance(value, str) else encoded(value)


def _text_of(part: dict[str, Any]) -> str:
    """Return the text of a part, or of an object that stands for a text."""
    for name in ("text", "content", "parts"):
        value = part.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return _joined_text(cast("object", value))
    return ""


def _joined_text(parts: object) -> str:
    found: list[str] = []
    for part in cast("list[object]", parts) if isinstance(parts, list) else []:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict):
            found.append(_text_of(cast("dict[str, Any]", part)))
    return "".join(found)
