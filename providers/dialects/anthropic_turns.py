"""From messages to turns: formats that know only `user` and `assistant`.

Shared by Anthropic's format and Bedrock's Converse, which agree on where tool results and system
text go. Knows no JSON of either.
"""

import re
from typing import Literal, NamedTuple, cast

import msgspec

from providers.dialects.anthropic_models import (
    DEFAULT_MAX_TOKENS,
    LEAST_BUDGET,
    MOST_OF_MAX,
    THINKING_BUDGET,
    THINKING_MAX_TOKENS,
    ModelRules,
)
from providers.dialects.signatures import may_be_anthropics, says_thinking
from providers.errors import Malformed
from providers.types import (
    ChatRequest,
    Image,
    Message,
    NamedTool,
    ReasoningState,
    RequestOptions,
    Text,
)
from providers.wire.json_text import decode, whole

JSON_INSTRUCTION = "Answer with a single JSON object and nothing else."
"""Sent as the last system text for `responseFormat: json`: these formats have no field for JSON of
any shape, only for a given schema."""

ANSWER_TOOL = "structured_answer"
"""The tool whose arguments are the answer, for models without native structured output: the way
that their documentation gives ("Tool use for JSON output"). The readers turn it back into text."""

_anything = msgspec.json.Decoder()
_DATA_URL = re.compile(r"data:([^;,]+);base64,")


class Turn(NamedTuple):
    """Messages that become one message of the format."""

    role: Literal["user", "assistant"]
    messages: list[Message]


def turns(messages: list[Message]) -> list[Turn]:
    """Return the conversation without its system messages.

    Results of tools become one `user` turn, together with the user's text that follows them: the
    formats want all results of one assistant turn in the next message, before its text.
    """
    out: list[Turn] = []
    for message in messages:
        if message.role == "system":
            continue
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if role == "user" and out and out[-1].messages[-1].role == "tool":
            out[-1].messages.append(message)
        else:
            out.append(Turn(role, [message]))
    return out


def system_texts(request: RequestOptions, messages: list[Message]) -> list[str]:
    """Return the system texts that are not empty, the request's own first."""
    texts = [request.system or ""]
    texts += [
        "".join(part.text for part in message.content if isinstance(part, Text))
        for message in messages
        if message.role == "system"
    ]
    if request.response_format == "json":
        texts.append(JSON_INSTRUCTION)
    return [text for text in texts if text]


def calls_its_own(request: ChatRequest) -> bool:
    """Say whether one of the request's own tools is to be called, whatever else is asked for."""
    return request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)


def arguments_object(arguments: str) -> dict[str, object]:
    """Return a call's arguments as the object that these formats want.

    A model may have written something else; it is then kept as text under `arguments`, so that the
    model still sees what it wrote.
    """
    if not arguments.strip():
        return {}
    try:
        value = decode(_anything, arguments.encode("utf-8", "surrogatepass"))
    except Malformed:
        return {"arguments": arguments}
    if not isinstance(value, dict):
        return {"arguments": arguments}
    table = cast("dict[str, object]", value)
    if "\\ud" in arguments or "\\uD" in arguments:  # the escape of a half may stand alone
        return cast("dict[str, object]", _without_surrogates(table))
    return table


def json_of(value: object) -> str:
    """Return the JSON of a decoded value, a lone surrogate in it as U+FFFD."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(value)).decode()


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {whole(name): _without_surrogates(each) for name, each in table.items()}
    return value


def inline_image(image: Image) -> tuple[str, str] | None:
    """Return (media type, base64) of an image that came with its data, a `data:` URL included."""
    if image.data is not None:
        return image.mime_type or "", image.data
    found = _DATA_URL.match(image.url or "")
    return (found[1], (image.url or "")[found.end() :]) if found else None


class ThinkingPlan(NamedTuple):
    """`budget` for a model that takes tokens, `level` ("" = its own) for one that takes levels."""

    max_tokens: int
    budget: int | None = None
    level: str | None = None


def plan_thinking(
    request: RequestOptions, rules: ModelRules, max_output: int | None, *, always: bool = False
) -> ThinkingPlan:
    """Return how much a Claude model may write and think."""
    asked = request.reasoning
    effort = asked.effort if asked else None
    wanted = always or bool(asked and (asked.budget_tokens is not None or effort is not None))
    off = effort == "none" or bool(asked and asked.budget_tokens == 0)
    if not wanted or off or not (rules.thinks or always):
        limits = (DEFAULT_MAX_TOKENS, rules.max_output, max_output)
        return ThinkingPlan(request.max_tokens or min(limit for limit in limits if limit))
    # No catalog counts here: it may know the limit without thinking, and all that think have more.
    max_tokens = request.max_tokens or THINKING_MAX_TOKENS
    if rules.adaptive:
        return ThinkingPlan(max_tokens, level="low" if effort == "minimal" else effort or "")
    budget = asked.budget_tokens if asked and asked.budget_tokens is not None else THINKING_BUDGET
    most = int(max_tokens * MOST_OF_MAX)
    return ThinkingPlan(max_tokens, budget=max(LEAST_BUDGET, min(budget, most)))


# --- What belongs to whom ---------------------------------------------------------------


def is_ours(part: ReasoningState) -> bool:
    """Whether a part's opaque state can be Anthropic's."""
    return may_be_anthropics(part.opaque)


def is_redacted(part: ReasoningState) -> bool:
    """Whether a part was a redacted block, and not a thinking block whose text was left out.

    Both have no text. Newer models leave the text out (`display: "omitted"`), and every signature
    of theirs that was ever recorded names its kind, `thinking`, in the clear inside the token; no
    redacted block's data does.
    """
    return not part.text and part.opaque is not None and not says_thinking(part.opaque)
