"""Ollama's own format: `/api/chat`, and `/api/generate` for filling in the middle.

A pure dialect. The stream is one JSON object a line, the last with `done: true`; a whole answer is
that object alone. Source: github.com/ollama/ollama, docs/api.md and docs.ollama.com.
"""

from collections.abc import Mapping

import msgspec

from providers.dialects.anthropic_turns import arguments_object, inline_image, json_of
from providers.dialects.base import Dialect, Reader
from providers.dialects.errors import error_of_answer, error_of_event
from providers.errors import Malformed, ResponseError, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Finish,
    FinishReason,
    Image,
    JsonSchema,
    Message,
    ReasoningDelta,
    ReasoningState,
    RequestOptions,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from providers.wire.json_text import decode_refused, joined

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
"""`done_reason` -> ours. `load` and `unload` answer an empty prompt: "other"."""

EMPTY_SUFFIX = "\n"
"""Sent for an empty suffix: without one the server takes the template for chats, not for code."""


class Ollama(Dialect):
    """`POST /api/chat` and `POST /api/generate`."""

    framing = "ndjson"

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return "/api/generate" if _is_prompt(request) else "/api/chat"

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        if isinstance(request, CompletionRequest):
            if _is_prompt(request):
                return _generate_body(request, stream=stream)
            request = request.to_chat()
        return _chat_body(request, stream=stream)

    def reader(self) -> Reader:
        return OllamaReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        reader = OllamaReader()
        out: list[StreamToken] = []
        reader.read("", body, out)
        if not reader.finished:
            raise Malformed("the answer is not done")
        reader.end(out)
        return joined(out)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


# --- Requests ---------------------------------------------------------------------------------


def _is_prompt(request: ChatRequest | CompletionRequest) -> bool:
    return isinstance(request, CompletionRequest) and (request.suffix is not None or request.raw)


def _generate_body(request: CompletionRequest, *, stream: bool) -> dict[str, object]:
    if request.tools:
        raise Unsupported("tools: filling in the middle has none")
    body: dict[str, object] = {
        "model": request.model,
        "prompt": request.prompt,
        "stream": stream,
    }
    if request.suffix is not None:
        body["suffix"] = request.suffix or EMPTY_SUFFIX
    else:
        body["raw"] = True
    if request.system:
        body["system"] = request.system
    return body | _common(request)


def _chat_body(request: ChatRequest, *, stream: bool) -> dict[str, object]:
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    messages: list[dict[str, object]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    messages += [_message(message, names) for message in request.messages]
    body: dict[str, object] = {"model": request.model, "messages": messages, "stream": stream}
    tools = _tools(request)
    if tools:
        body["tools"] = tools
    return body | _common(request)


def _common(request: RequestOptions) -> dict[str, object]:
    """Return what both methods take. The server's own defaults stand for what was not asked for."""
    options: dict[str, object] = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop or None,
        "seed": request.seed,
    }
    options = {name: value for name, value in options.items() if value is not None}
    body: dict[str, object] = {"options": options} if options else {}
    match request.response_format:
        case "json":
            body["format"] = "json"
        case JsonSchema(schema=schema):
            body["format"] = schema
        case _:
            pass
    think = _think(request)
    if think is not None:
        body["think"] = think
    return body


def _think(request: RequestOptions) -> bool | str | None:
    """Return `think`: yes or no, and a level for gpt-oss, which takes nothing else."""
    asked = request.reasoning
    if asked is None:
        return None
    if asked.effort is None:
        return None if asked.budget_tokens is None else asked.budget_tokens > 0
    if asked.effort == "none":
        return False
    if "gpt-oss" not in request.model:
        return True
    return "low" if asked.effort == "minimal" else asked.effort


def _tools(request: RequestOptions) -> list[dict[str, object]]:
    if request.tool_choice not in (None, "auto", "none"):
        raise Unsupported("toolChoice: Ollama cannot be made to call a tool")
    if request.tool_choice == "none":
        return []
    made: list[dict[str, object]] = []
    for tool in request.tools:
        function: dict[str, object] = {"name": tool.name, "parameters": tool.parameters}
        if tool.description is not None:
            function["description"] = tool.description
        made.append({"type": "function", "function": function})
    return made


def _message(message: Message, names: dict[str, str]) -> dict[str, object]:
    texts = [part.text for part in message.content if isinstance(part, Text)]
    made: dict[str, object] = {"role": message.role, "content": "\n".join(texts)}
    images = [_image(part) for part in message.content if isinstance(part, Image)]
    if images:
        made["images"] = images
    if message.role == "tool":
        made["tool_call_id"] = message.tool_call_id
        if message.tool_call_id in names:
            made["tool_name"] = names[message.tool_call_id]
    # Thoughts with opaque state are another service's.
    thoughts = [
        part.text
        for part in message.content
        if isinstance(part, ReasoningState) and part.opaque is None and part.text
    ]
    if thoughts and message.role == "assistant":
        made["thinking"] = "\n".join(thoughts)
    if message.tool_calls:
        made["tool_calls"] = [
            {
                "id": call.id,
                "function": {"name": call.name, "arguments": arguments_object(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return made


def _image(image: Image) -> str:
    inline = inline_image(image)
    if inline is None:
        raise Unsupported("messages: Ollama takes images as data, not as a URL")
    return inline[1]


# --- Answers ----------------------------------------------------------------------------------


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: dict[str, object] | str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(msgspec.Struct, gc=False):
    model: str | None = None
    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: dict[str, object] | str | None = None


_line = msgspec.json.Decoder(_Line, strict=False)


class OllamaReader(Reader):
    """Reads the lines of one answer, or the single object of a whole one."""

    __slots__ = ("_calls", "_started", "finished")

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._calls = 0

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        try:
            line = _line.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            line = decode_refused(_line, data, error)
        except RecursionError:
            raise Malformed("the JSON is nested too deeply") from None
        if line.error is not None:
            raise error_of_event({"error": line.error})
        if self.finished:
            return
        if not self._started:
            self._started = True
            out.append(StreamStart("", line.model or ""))
        if line.message is not None:
            self._message(line.message, out)
        if line.thinking:
            out.append(ReasoningDelta(line.thinking))
        if line.response:
            out.append(TextDelta(line.response))
        if line.done:
            self._finish(line, out)

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the stream ended without `done`")

    def _message(self, message: _Message, out: list[StreamToken]) -> None:
        if message.thinking:
            out.append(ReasoningDelta(message.thinking))
        if message.content:
            out.append(TextDelta(message.content))
        if message.tool_calls:
            self._call(message.tool_calls, out)

    def _call(self, calls: list[_Call], out: list[StreamToken]) -> None:
        """Append calls; they come whole. Older servers give them no id."""
        for call in calls:
            function = call.function
            if function is None:
                continue
            index, name = self._calls, function.name or ""
            self._calls += 1
            given = function.arguments
            arguments = given if isinstance(given, str) else json_of(given or {})
            out.append(ToolCallDelta(index, call.id or f"{name}-{index}", name, arguments))

    def _finish(self, line: _Line, out: list[StreamToken]) -> None:
        self.finished = True
        given, written = line.prompt_eval_count, line.eval_count
        if given is not None or written is not None:
            # A prompt that was still in the server's cache may be counted as nothing at all.
            usage = Usage(given or 0, written or 0, total_tokens=(given or 0) + (written or 0))
            out.append(UsageReport(usage))
        raw = line.done_reason
        reason = FINISH.get(raw, "other") if raw is not None else "stop"
        if reason == "stop" and self._calls:
            reason = "toolCalls"
        out.append(Finish(reason, raw))
