"""The lines of `claude -p --output-format stream-json`: its input, and a reader of its output.

Pure, like every format here: no process is started. Sources: code.claude.com/docs, "CLI reference",
"Run Claude Code programmatically" and, for the messages, "Agent SDK reference" (`SDKMessage`).

With `--include-partial-messages` the events of Anthropic's own stream come in `stream_event` lines
and are read by that format's reader. Whole `assistant` lines then repeat what was streamed; where
nothing was (the program fell back to a unary request), they are the answer. `result` is the end.
"""

from typing import Any

import msgspec

from providers.dialects.anthropic_reader import AnthropicReader, read_message
from providers.dialects.anthropic_turns import json_of
from providers.dialects.base import Reader
from providers.dialects.errors import classify
from providers.errors import (
    Authentication,
    InvalidRequest,
    Overloaded,
    Quota,
    RateLimited,
    ResponseError,
    ServerFailed,
    Truncated,
    Unsupported,
)
from providers.types import (
    ChatRequest,
    ExecutedCode,
    Finish,
    Image,
    Message,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from providers.wire.json_text import convert, decode

LOGIN = "run `claude` in a terminal and log in (`/login`)"

_ERRORS: dict[str, type[ResponseError]] = {
    "authentication_failed": Authentication,
    "billing_error": Quota,
    "rate_limit": RateLimited,
    "invalid_request": InvalidRequest,
    "server_error": ServerFailed,
    "overloaded": Overloaded,
}
"""`error` of an `assistant` line (`SDKAssistantMessageError`) -> ours; others go by their words."""

_TURN_OVER = "error_max_turns"
"""The model wanted to go on after its one turn: what it said in it is whole."""

_SYNTHETIC = "<synthetic>"
"""The `model` of a message that the program wrote itself: an error, not an answer."""


# --- the input --------------------------------------------------------------------------------


def input_line(request: ChatRequest) -> bytes:
    """Return the one line that goes to the program's stdin.

    The input format knows messages of the user only, so an earlier conversation is told as a text
    with the role before each turn. Raises `Unsupported` naming the field that cannot be carried.
    """
    _refuse(request)
    turns = [message for message in request.messages if message.role != "system"]
    if not turns:
        raise Unsupported("messages: expected at least one that is not of role `system`")
    content: list[dict[str, object]] = []
    if len(turns) == 1 and turns[0].role == "user":
        _add_parts(turns[0], content)
    else:
        for turn in turns:
            content.append({"type": "text", "text": f"{_ROLES[turn.role]}:"})
            _add_parts(turn, content)
        content.append({"type": "text", "text": _GO_ON})
    line = {"type": "user", "message": {"role": "user", "content": _joined(content)}}
    return msgspec.json.encode(line) + b"\n"


_ROLES = {"user": "User", "assistant": "Assistant", "tool": "Tool result"}
_GO_ON = "Above is the conversation so far. Give the assistant's next answer, without its role."


def system_prompt(request: ChatRequest) -> str:
    """Return what replaces the program's own system prompt; "" leaves it as it is."""
    said = [request.system or ""]
    said += [_text_of(message) for message in request.messages if message.role == "system"]
    return "\n\n".join(part for part in said if part)


def _refuse(request: ChatRequest) -> None:
    if request.tools and request.tool_choice != "none":
        raise Unsupported("tools: the `claude` program calls only tools of its own")
    if request.response_format not in (None, "text"):
        raise Unsupported("responseFormat: the `claude` program has no structured output here")
    for name, given in (("stop", request.stop), ("seed", request.seed)):
        if given:
            raise Unsupported(f"{name}: the `claude` program has no place for it")
    if request.provider_options:
        raise Unsupported("providerOptions: the `claude` program has no body to merge them into")


def _add_parts(message: Message, content: list[dict[str, object]]) -> None:
    for part in message.content:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image):
            content.append({"type": "image", "source": _source(part)})
        elif isinstance(part, ExecutedCode):
            content.append({"type": "text", "text": f"```{part.language}\n{part.code}\n```"})
    calls = (f"[calls {call.name}({call.arguments})]" for call in message.tool_calls)
    content.extend({"type": "text", "text": call} for call in calls)


def _source(image: Image) -> dict[str, object]:
    if image.url is not None:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.mime_type, "data": image.data}


def _joined(content: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the blocks with neighbouring texts made one."""
    out: list[dict[str, object]] = []
    for block in content:
        if out and block["type"] == out[-1]["type"] == "text":
            out[-1] = {"type": "text", "text": f"{out[-1]['text']}\n\n{block['text']}"}
        else:
            out.append(block)
    return out


def _text_of(message: Message) -> str:
    return "".join(part.text for part in message.content if isinstance(part, Text))


# --- the output -------------------------------------------------------------------------------


class _Head(msgspec.Struct, gc=False):
    """What an `assistant` line's message is skipped or believed by."""

    id: str | None = None
    model: str | None = None
    content: Any = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Line(msgspec.Struct, gc=False):
    type: str = ""
    subtype: str | None = None
    session_id: str | None = None
    model: str | None = None
    event: msgspec.Raw = msgspec.Raw(b"")
    message: msgspec.Raw = msgspec.Raw(b"")
    parent_tool_use_id: str | None = None
    error: Any = None
    is_error: bool = False
    result: str | None = None
    errors: list[Any] | None = None
    stop_reason: str | None = None
    api_error_status: int | None = None
    total_cost_usd: float | None = None
    usage: _Usage | None = None


_line = msgspec.json.Decoder(_Line)
_head = msgspec.json.Decoder(_Head)


class ClaudeCodeReader(Reader):
    """Reads the lines of one run. `finished` with the `result` line, whatever it says."""

    def __init__(self) -> None:
        self.finished = False
        self._events = AnthropicReader()
        self._streamed: set[str] = set()  # ids of the messages that came as events
        self._started = False
        self._said = False
        self._calls = 0
        self._finish = Finish("other")
        self._complaint: tuple[str, str] | None = None  # the program's name for it, its words

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        """Append the tokens of one line; see `Reader.read`."""
        line = decode(_line, data)
        if line.parent_tool_use_id is not None or self.finished:
            return  # a helper of the program's own speaks to it, not to us
        if line.type == "stream_event":
            self._event(bytes(line.event), out)
        elif line.type == "assistant":
            self._message(line, bytes(line.message), out)
        elif line.type == "result":
            self._result(line, out)

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the `claude` program ended without its `result` line")

    def _event(self, data: bytes, out: list[StreamToken]) -> None:
        tokens: list[StreamToken] = []
        if self._events.finished:  # a further message of the same run
            self._events = AnthropicReader()
        self._events.read("", data, tokens)
        self._take(tokens, out, streamed=True)

    def _message(self, line: _Line, data: bytes, out: list[StreamToken]) -> None:
        head = decode(_head, data)
        if line.error or head.model == _SYNTHETIC:
            name = line.error if isinstance(line.error, str) else ""
            self._complaint = (name, _words(head.content))
        elif head.id not in self._streamed:
            self._take(read_message(data), out, streamed=False)

    def _take(self, tokens: list[StreamToken], out: list[StreamToken], *, streamed: bool) -> None:
        """Append what is content; the end is the `result` line's to tell, and the whole usage."""
        first_call = self._calls
        for token in tokens:
            match token:
                case StreamStart(id):
                    if streamed:
                        self._streamed.add(id)
                    if self._started:
                        continue
                    self._started = True
                case Finish():
                    if token.raw is not None:
                        self._finish = token
                    continue
                case UsageReport() if not streamed:
                    continue
                case ToolCallDelta() if not streamed:
                    token.index += first_call
                    self._calls = token.index + 1
                case _:
                    self._said = True
            out.append(token)

    def _result(self, line: _Line, out: list[StreamToken]) -> None:
        self.finished = True
        if line.usage is not None or line.total_cost_usd is not None:
            out.append(UsageReport(_usage(line.usage or _Usage()), line.total_cost_usd))
        name, words = self._complaint or ("", "")
        cut = name == "max_output_tokens"
        failed = line.is_error or bool(name) or line.subtype != "success"
        if failed and not cut and line.subtype != _TURN_OVER:
            raise _error(line, name, words)
        if not self._said and line.result:
            self._start(line, out)
            out.append(TextDelta(line.result))
        out.append(Finish("length", name) if cut else self._finish_of(line))

    def _start(self, line: _Line, out: list[StreamToken]) -> None:
        if not self._started:
            self._started = True
            out.append(StreamStart(line.session_id or "", line.model or ""))

    def _finish_of(self, line: _Line) -> Finish:
        if self._finish.raw is not None:
            return self._finish
        return Finish("stop" if line.subtype == "success" else "other", line.subtype)


def _usage(said: _Usage) -> Usage:
    read = said.cache_read_input_tokens or 0
    written = said.cache_creation_input_tokens or 0
    total_in = (said.input_tokens or 0) + read + written
    out = said.output_tokens or 0
    return Usage(
        input_tokens=total_in,
        output_tokens=out,
        cache_read_tokens=read,
        cache_write_tokens=written,
        total_tokens=total_in + out,
    )


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    try:
        blocks = convert(content, list[dict[str, Any]])
    except msgspec.ValidationError:
        return ""
    return "\n".join(str(block["text"]) for block in blocks if block.get("text"))


def _error(line: _Line, name: str, words: str) -> ResponseError:
    reasons = [e if isinstance(e, str) else json_of(e) for e in line.errors or ()]
    message = line.result or words or "; ".join(reasons) or line.subtype or "no reason given"
    kind = _ERRORS.get(name)
    if kind is None and (line.api_error_status is not None or name in ("", "unknown")):
        error = classify(line.api_error_status, message, line.subtype)
    else:
        error = (kind or ServerFailed)(message, status=line.api_error_status)
    if isinstance(error, Authentication):
        error.message = f"{error.message} ({LOGIN})"
        error.args = (error.message,)
    return error
