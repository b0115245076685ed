"""The fields of Responses answers and stream events that we read.

Every field is tolerant of null and everything else is skipped, so that additions to the API break
nothing. https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, Literal

import msgspec

from providers.dialects.openai_usage import WireUsage


class Content(msgspec.Struct, gc=False):
    """A part of a message (`output_text`, `refusal`) or of a reasoning item."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] | None = None


class Item(msgspec.Struct, gc=False):
    """An output item. `summary` is a reasoning item's, `code` a code interpreter call's, `input` a
    custom tool call's; some services send the arguments' object instead of its text."""

    type: str | None = None
    id: str | None = None
    content: list[Content] | None = None
    summary: list[Content] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | list[Any] | None = None
    input: Any = None
    code: str | None = None
    outputs: list[dict[str, Any]] | None = None


class IncompleteDetails(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A whole answer, or what an event says of one."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    error: Any = None
    incomplete_details: IncompleteDetails | None = None
    output: list[Item] | None = None
    usage: WireUsage | None = None
    citations: list[Any] | None = None
    message: str | None = None
    choices: Any = None


class PlainTextDelta(msgspec.Struct, gc=False):
    """The event that almost all events are."""

    type: Literal["response.output_text.delta"]
    delta: str
    output_index: int | None = None
    content_index: int | None = 0


class Event(msgspec.Struct, gc=False):
    """One event of a stream; `delta` of the events we do not read may be anything."""

    type: str | None = None
    delta: Any = None
    output_index: int | None = None
    content_index: int | None = 0
    item_id: str | None = None
    item: Item | None = None
    part: Content | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | dict[str, Any] | list[Any] | None = None
    input: Any = None
    annotation: dict[str, Any] | None = None
    response: Response | None = None
    error: Any = None
    choices: Any = None
