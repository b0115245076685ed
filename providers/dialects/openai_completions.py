"""Completions, the oldest format: a prompt and, for filling in the middle, a suffix.

https://platform.openai.com/docs/api-reference/completions. Conversations are refused: they belong
to Chat Completions.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from providers.dialects.base import Dialect, Framing, Reader
from providers.dialects.errors import error_of_answer, error_of_event
from providers.dialects.openai_chat_wire import finish_reason
from providers.dialects.openai_usage import WireUsage, is_said, report
from providers.errors import Malformed, ResponseError, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Finish,
    StreamStart,
    StreamToken,
    TextDelta,
)
from providers.wire import json_text


class CompletionChoice(msgspec.Struct, gc=False):
    """Codestral and DeepSeek's FIM answer with a chat's `delta` or `message` instead of `text`."""

    text: str | None = None
    finish_reason: str | None = None
    index: int | None = None
    delta: "ChatContent | None" = None
    message: "ChatContent | None" = None


class ChatContent(msgspec.Struct, gc=False):
    content: str | None = None


class CompletionChunk(msgspec.Struct, gc=False):
    """One event of a stream, or a whole answer. `content` is llama.cpp's own `/infill`."""

    choices: list[CompletionChoice] | None = None
    usage: WireUsage | None = None
    id: str | int | None = None
    model: str | None = None
    error: Any = None
    content: str | None = None
    stop: Any = None


_CHUNK = msgspec.json.Decoder(CompletionChunk, strict=False)
_ANY: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class CompletionsProfile(msgspec.Struct, frozen=True, kw_only=True):
    """`suffix`: whether the service fills in the middle. `omit` names body fields never sent.

    `infill`: it does so at a path of its own, with names of its own (llama.cpp: its `/completions`
    ignores a suffix without a word); "^" begins a path at the server's root.
    """

    path: str = "/completions"
    infill: str = ""
    seed: Literal["seed", "random_seed"] = "seed"
    stream_options: bool = True
    suffix: bool = True
    omit: frozenset[str] = frozenset()
    extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class OpenAiCompletions(Dialect):
    """The dialect. `with_profile` gives another one for one model or one request."""

    framing: Framing = "sse"

    def __init__(self, profile: CompletionsProfile | None = None) -> None:
        self.profile = profile or CompletionsProfile()

    def with_profile(self, **changes: Any) -> "OpenAiCompletions":
        """Return a dialect whose profile differs in `changes`."""
        return OpenAiCompletions(msgspec.structs.replace(self.profile, **changes))

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return self._infill(request) or self.profile.path

    def _infill(self, request: ChatRequest | CompletionRequest) -> str:
        fills = isinstance(request, CompletionRequest) and request.suffix is not None
        return self.profile.infill if fills else ""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        """Return the body; `system` stands before the prompt, as the format has no other place."""
        profile = self.profile
        if isinstance(request, ChatRequest):
            raise Unsupported("messages: the Completions API takes a prompt only")
        for name, value in (
            ("tools", request.tools),
            ("responseFormat", request.response_format not in (None, "text")),
        ):
            if value:
                raise Unsupported(f"{name}: the Completions API has no such parameter")
        if request.suffix is not None and not profile.suffix:
            raise Unsupported("suffix: this service does not fill in the middle")
        prompt = f"{request.system}\n\n{request.prompt}" if request.system else request.prompt
        options = {"include_usage": True} if stream and profile.stream_options else None
        infill = bool(self._infill(request))
        given = {
            "model": request.model or None,
            "input_suffix" if infill else "suffix": request.suffix,
            "n_predict" if infill else "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": request.stop,
            profile.seed: request.seed,
            "stream": stream or None,
            "stream_options": None if infill else options,
        }
        body: dict[str, object] = {"input_prefix" if infill else "prompt": prompt}
        body.update({name: value for name, value in given.items() if value is not None})
        body.update(profile.extra)
        for name in profile.omit:
            body.pop(name, None)
        return body

    def reader(self) -> Reader:
        return CompletionsReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return CompletionsReader().read_whole(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


class CompletionsReader(Reader):
    """One answer. A non-null `finish_reason` or `[DONE]` is terminal, as for chat."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._done = False
        self._raw_finish: str | None = None
        self._usage: WireUsage | None = None

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if self._done or not data.strip():
            return
        if data.strip() == b"[DONE]":
            self.finished = True
            self._finish(out)
            return
        if event == "error":
            raise error_of_event(json_text.decode(_ANY, data))
        chunk = json_text.decode(_CHUNK, data)
        if chunk.error is not None:
            raise error_of_event(json_text.decode(_ANY, data))
        self._take(chunk, out)

    def end(self, out: list[StreamToken]) -> None:
        if self._done:
            return
        if not self.finished:
            raise Truncated("the stream ended before its finish_reason")
        self._finish(out)

    def read_whole(self, body: bytes) -> list[StreamToken]:
        """Return the tokens of an answer that was not streamed.

        Raises `Malformed` for what is no such answer, or the error it carries.
        """
        chunk = json_text.decode(_CHUNK, body)
        if chunk.error is not None:
            raise error_of_event(json_text.decode(_ANY, body))
        if not chunk.choices and chunk.content is None:
            raise Malformed("the answer has no choices")
        out: list[StreamToken] = []
        self._take(chunk, out)
        self._finish(out)
        return json_text.joined(out)

    def _take(self, chunk: CompletionChunk, out: list[StreamToken]) -> None:
        if not self._started and (chunk.choices or chunk.id or chunk.content is not None):
            self._start(chunk, out)
        for choice in chunk.choices or ():
            if choice.index:
                continue
            text = choice.text
            if text is None:
                content = choice.delta or choice.message
                text = content.content if content is not None else None
            if text:
                out.append(TextDelta(text))
            if choice.finish_reason:
                self._raw_finish = choice.finish_reason
                self.finished = True
        if chunk.content:
            out.append(TextDelta(chunk.content))
        if chunk.stop is True:
            self.finished = True
            self._raw_finish = self._raw_finish or "stop"
        if chunk.usage is not None and is_said(chunk.usage):
            self._usage = chunk.usage

    def _start(self, chunk: CompletionChunk, out: list[StreamToken]) -> None:
        self._started = True
        out.append(StreamStart("" if chunk.id is None else str(chunk.id), chunk.model or ""))

    def _finish(self, out: list[StreamToken]) -> None:
        self._done = True
        if not self._started:
            self._start(CompletionChunk(), out)
        if self._usage is not None:
            out.append(report(self._usage))
        out.append(Finish(finish_reason(self._raw_finish, refused=False), self._raw_finish))
