"""Reads Responses answers, streamed or whole.

Terminal are `response.completed`, `.incomplete` and `.failed`. Text, reasoning and arguments come
as deltas; a service that sends only the whole of something has it read from the item's end, or
from the terminal event, and never twice.
"""

from typing import Any, cast

import msgspec

from providers.dialects.base import NOTHING_CITED, Reader
from providers.dialects.errors import error_of_event
from providers.dialects.openai_chat_reader import ChatReader
from providers.dialects.openai_responses_wire import (
    Content,
    Event,
    Item,
    PlainTextDelta,
    Response,
)
from providers.dialects.openai_usage import is_said, report
from providers.dialects.reasoning_details import encoded
from providers.errors import Malformed, ResponseError, ServerFailed, Truncated
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
)
from providers.wire import json_text

_EVENT = msgspec.json.Decoder(Event, strict=False)
_RESPONSE = msgspec.json.Decoder(Response, strict=False)
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_decode_event = _EVENT.decode
_decode_plain = msgspec.json.Decoder(PlainTextDelta).decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TEXT = "response.output_text.delta"

INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "length": "length",
    "content_filter": "contentFilter",
}

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.done"})
_REASONING = frozenset(
    {
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary.delta",
        "response.reasoning.delta",
    }
)
_ARGUMENTS = frozenset(
    {
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.tool_call_arguments.delta",
    }
)
_ARGUMENTS_DONE = frozenset(
    {"response.function_call_arguments.done", "response.custom_tool_call_input.done"}
)
_TEXT_PARTS = frozenset({None, "output_text", "text", "refusal"})
_CALLS = frozenset({"function_call", "custom_tool_call", "tool_call"})


class _Call:
    __slots__ = ("argued", "call_id", "item_id", "output_index", "slot")

    def __init__(self, slot: int, item: Item, output_index: int | None) -> None:
        self.slot = slot
        self.item_id = item.id
        self.call_id = item.call_id
        self.output_index = output_index
        self.argued = False  # its arguments have been given


class ResponsesReader(Reader):
    """One answer."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._open_ended = False  # started and not finished, and events are Responses' own
        self._refused = False
        self._open: tuple[int | None, int | None] = (-1, -1)  # the part whose text came last
        self._texts: set[tuple[int | None, int | None]] = set()
        self._thought: set[int | None] = set()  # output indexes whose reasoning was given
        self._opaque: set[str] = set()  # reasoning items that were given whole
        self._coded: set[str | None] = set()
        self._calls: list[_Call] = []
        self._cited: frozenset[str] = NOTHING_CITED
        self._chat: ChatReader | None = None  # a gateway answers in Chat Completions' chunks

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if event == _TEXT and self._open_ended:
            try:
                plain = _decode_plain(data)
            except _REFUSED:
                pass
            else:
                self._text(plain.delta, (plain.output_index, plain.content_index), out)
                return
        if self.finished:
            return
        if self._chat is not None:
            self._as_chat(event, data, out)
            return
        try:
            said = _decode_event(data)
        except _REFUSED as error:
            if data.strip() in (b"[DONE]", b""):
                return  # some services end with it; terminal is another event
            said = json_text.decode_refused(_EVENT, data, error)
        kind = said.type or event
        self._other(kind, said, data, out)

    def end(self, out: list[StreamToken]) -> None:
        if self._chat is not None:
            self._chat.end(out)
        elif not self.finished:
            raise Truncated("the stream ended before response.completed")

    def read_whole(self, body: bytes) -> list[StreamToken]:
        """Return the tokens of an answer that was not streamed.

        Raises `Malformed` for what is no such answer, or the error it carries.
        """
        response = json_text.decode(_RESPONSE, body)
        if response.choices is not None:
            return ChatReader().read_whole(body)  # a gateway that ignores which path was asked
        if response.error is not None or response.output is None:
            if response.error is not None or response.message is not None:
                raise error_of_event(json_text.decode(_ANY, body))
            raise Malformed("the answer has no output")
        out: list[StreamToken] = []
        self._start(response, out)
        self._complete(response, {"response": json_text.decode(_ANY, body)}, out)
        return json_text.joined(out)

    # --- Events ---------------------------------------------------------------------------

    def _other(self, kind: str, said: Event, data: bytes, out: list[StreamToken]) -> None:
        if kind in ("error", "response.failed", "response.error") or said.error is not None:
            raise self._error(said, data)
        if said.choices is not None and said.type is None:
            self._chat = ChatReader()
            self._open_ended = False
            self._as_chat("", data, out)
            return
        if not self._started and (said.response is not None or kind.endswith((".delta", ".done"))):
            self._start(said.response, out)
        if kind in _REASONING:
            self._thinking(said, out)
        elif kind in _ARGUMENTS:
            self._arguments(said, out)
        elif kind in _TERMINAL:
            response = said.response or Response()
            self._complete(response, json_text.decode(_ANY, data), out)
        elif kind == "response.output_item.added":
            if said.item is not None and said.item.type in _CALLS:
                self._call(said.item, said.output_index, out)
        elif kind == "response.output_item.done":
            if said.item is not None:
                whole: Any = json_text.decode(_ANY, data)["item"]
                self._item(said.item, said.output_index, whole, out)
        else:
            self._part(kind, said, out)

    def _part(self, kind: str, said: Event, out: list[StreamToken]) -> None:
        """Deltas beside the usual ones, and what says a part whole."""
        place = (said.output_index, said.content_index)
        match kind:
            case "response.output_text.delta" | "response.text.delta":
                if isinstance(said.delta, str):
                    self._text(said.delta, place, out)
            case "response.refusal.delta":
                self._refused = True
                self._texts.add(place)
                if isinstance(said.delta, str):
                    _append_text(said.delta, out)
            case "response.output_text.done" | "response.text.done" | "response.refusal.done":
                part = Content(text=said.text, refusal=said.refusal)
                self._whole_part(part, place, out)
            case "response.content_part.done":
                if said.part is not None:
                    self._whole_part(said.part, place, out)
            case "response.output_text.annotation.added":
                self._cite(said.annotation or {}, out)
            case _ if kind in _ARGUMENTS_DONE:
                call = self._find(said.item_id, None, said.output_index)
                if call is not None:
                    self._argue(call, said.arguments or said.input, out)
            case _:
                pass  # progress of the service's own tools, and what is yet to be invented

    def _as_chat(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        assert self._chat is not None
        self._chat.read(event, data, out)
        if self._chat.finished and out and type(out[-1]) is Finish:
            self.finished = True

    def _error(self, said: Event, data: bytes) -> ResponseError:
        value: Any = json_text.decode(_ANY, data)
        if said.response is not None and said.error is None:
            if said.response.error is None:
                return ServerFailed("the service gave up without saying why")
            value = {"error": value["response"]["error"]}
        return error_of_event(value)

    # --- Pieces ---------------------------------------------------------------------------

    def _start(self, response: Response | None, out: list[StreamToken]) -> None:
        self._started = self._open_ended = True
        if response is None:
            out.append(StreamStart("", ""))
        else:
            out.append(StreamStart(response.id or "", response.model or ""))

    def _text(
        self, text: str, place: tuple[int | None, int | None], out: list[StreamToken]
    ) -> None:
        if place != self._open:
            self._texts.add(place)
            self._open = place
        if text:
            out.append(TextDelta(text))

    def _thinking(self, said: Event, out: list[StreamToken]) -> None:
        self._thought.add(said.output_index)
        text = said.delta
        if isinstance(text, dict):
            text = cast("dict[str, Any]", text).get("text")
        if isinstance(text, str) and text:
            out.append(ReasoningDelta(text))

    def _whole_part(
        self, part: Content, place: tuple[int | None, int | None], out: list[StreamToken]
    ) -> None:
        text = part.text or part.refusal
        if text and place not in self._texts and part.type in _TEXT_PARTS:
            self._texts.add(place)
            out.append(TextDelta(text))
        if part.refusal:
            self._refused = True
        for annotation in part.annotations or ():
            self._cite(annotation, out)

    def _item(self, item: Item, index: int | None, whole: Any, out: list[StreamToken]) -> None:
        """Take a finished item: what had not come as deltas, and what only the whole has."""
        if item.type == "message":
            for place, part in enumerate(item.content or ()):
                self._whole_part(part, (index, place), out)
        elif item.type == "reasoning":
            self._reasoning_item(item, index, whole, out)
        elif item.type in _CALLS:
            call = self._find(item.id, item.call_id, index) or self._call(item, index, out)
            self._argue(call, item.arguments if item.arguments is not None else item.input, out)
        elif item.type == "code_interpreter_call" and item.code and item.id not in self._coded:
            self._coded.add(item.id)
            out.append(CodeDelta("python", item.code, _logs(item.outputs)))

    def _reasoning_item(
        self, item: Item, index: int | None, whole: Any, out: list[StreamToken]
    ) -> None:
        if index not in self._thought:
            self._thought.add(index)
            parts = item.summary or item.content or ()
            text = "".join(part.text for part in parts if part.text)
            if text:
                out.append(ReasoningDelta(text))
        # Without its encrypted content an item means nothing to a service that stored nothing.
        if item.encrypted_content and (item.id or "") not in self._opaque:
            self._opaque.add(item.id or "")
            out.append(ReasoningDelta("", encoded(whole)))

    def _call(self, item: Item, index: int | None, out: list[StreamToken]) -> _Call:
        call = _Call(len(self._calls), item, index)
        self._calls.append(call)
        call_id = item.call_id or item.id or f"call_{call.slot}"
        out.append(ToolCallDelta(call.slot, call_id, item.name or ""))
        return call

    def _find(self, item_id: str | None, call_id: str | None, index: int | None) -> _Call | None:
        for call in reversed(self._calls):
            if call_id is not None and call.call_id is not None:
                if call.call_id == call_id:
                    return call
            elif item_id is not None and call.item_id is not None:
                if call.item_id == item_id:
                    return call
            elif index is not None and call.output_index == index:
                return call
        return None

    def _arguments(self, said: Event, out: list[StreamToken]) -> None:
        call = self._find(said.item_id, None, said.output_index)
        if call is None and self._calls:
            call = self._find(None, None, said.output_index) or self._calls[-1]
        if call is not None and isinstance(said.delta, str) and said.delta:
            call.argued = True
            out.append(ToolCallDelta(call.slot, arguments=said.delta))

    def _argue(self, call: _Call, arguments: Any, out: list[StreamToken]) -> None:
        if call.argued or not arguments:
            return
        call.argued = True
        text = arguments if isinstance(arguments, str) else encoded(arguments)
        out.append(ToolCallDelta(call.slot, arguments=text))

    def _cite(self, annotation: dict[str, Any], out: list[StreamToken]) -> None:
        url, title = annotation.get("url"), annotation.get("title")
        if isinstance(url, str) and url and url not in self._cited:
            self._cited |= {url}
            out.append(Citation(url, title if isinstance(title, str) and title else None))

    def _complete(self, response: Response, whole: Any, out: list[StreamToken]) -> None:
        if response.status == "failed" or response.error is not None:
            raise error_of_event({"error": response.error or {"message": "the response failed"}})
        items = _output(whole)
        said_text, thought = bool(self._texts), bool(self._thought)
        for index, item in enumerate(response.output or ()):
            # Positions here need not be those of the stream: nothing is said a second time.
            if item.type == "message" and said_text:
                for part in item.content or ():
                    for annotation in part.annotations or ():
                        self._cite(annotation, out)
                continue
            if item.type == "reasoning" and thought:
                self._thought.add(index)
            self._item(item, index, items[index], out)
        for citation in response.citations or ():
            if isinstance(citation, str):
                self._cite({"url": citation}, out)
        if response.usage is not None and is_said(response.usage):
            out.append(report(response.usage))
        out.append(self._finish(response))
        self.finished = True
        self._open_ended = False

    def _finish(self, response: Response) -> Finish:
        details = response.incomplete_details
        raw = (details.reason if details is not None else None) or response.status
        if self._refused:
            return Finish("contentFilter", raw)
        if response.status == "incomplete" or (details is not None and details.reason):
            return Finish(INCOMPLETE.get(raw or "", "other"), raw)
        if self._calls:
            return Finish("toolCalls", raw)
        return Finish("other" if response.status == "cancelled" else "stop", raw)


def _output(whole: Any) -> list[Any]:
    """Return the items of an event's response, as they came."""
    response: Any = cast("dict[str, Any]", whole).get("response")
    output: Any = cast("dict[str, Any]", response).get("output") if response else None
    return cast("list[Any]", output) if output else []


def _append_text(text: str, out: list[StreamToken]) -> None:
    if text:
        out.append(TextDelta(text))


def _logs(outputs: list[dict[str, Any]] | None) -> str | None:
    """Return what the code printed; None where the service does not say."""
    if outputs is None:
        return None
    logs = [output.get("logs") for output in outputs]
    return "\n".join(log for log in logs if isinstance(log, str)) or None
