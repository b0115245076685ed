"""Messages in the shape of Chat Completions, after a profile of what the service wants.

Only messages: parameters are `openai_chat.py`'s. Nothing here knows a service by name.
"""

from typing import Any, Literal, cast

import msgspec

from providers.dialects.call_ids import CallIdStyle, call_id
from providers.errors import Malformed, Unsupported
from providers.types import (
    ChatRequest,
    ExecutedCode,
    Image,
    Message,
    Part,
    ReasoningState,
    Text,
)
from providers.wire import json_text

Json = dict[str, Any]
_LIST: msgspec.json.Decoder[list[Json]] = msgspec.json.Decoder(list[Json])


class MessageProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How a service wants its messages.

    `system`: the role of system text, or `user` where it goes into the first user message.
    `system_prefix` stands before it. `flatten`: text parts become one string, messages of one role
    in a row one message (DeepSeek R1's rule). `reasoning`: how an earlier answer's reasoning goes
    back. `tool_images`: what becomes of images in a tool's result. `cache`: where cache breakpoints
    are set; `every_tenth` on every tenth user message (Gemini behind OpenRouter).
    """

    system: Literal["system", "developer", "user"] = "system"
    system_prefix: str = ""
    flatten: bool = False
    merge_tool_text: bool = False
    images: bool = True
    empty_assistant: str | None = ""
    empty_tool_result: str = "(empty)"
    image_placeholder: str = "(see following user message for image)"
    tool_images: Literal["placeholder", "user_message"] = "placeholder"
    reasoning: Literal["drop", "reasoning_content", "reasoning_details"] = "drop"
    call_ids: CallIdStyle = "as_is"
    cache: Literal["none", "last_two", "every_tenth"] = "none"


def messages_of(request: ChatRequest, profile: MessageProfile) -> list[Json]:
    """Return the request's messages, system text first.

    Raises `Unsupported` for an image where the service takes none.
    """
    out: list[Json] = []
    if request.system is not None:
        out.append(_system(request.system, profile))
    for message in request.messages:
        match message.role:
            case "system":
                out.append(_system(_text(message.content), profile))
            case "user":
                content = _user_content(message.content, profile)
                out.append({"role": "user", "content": content})
            case "assistant":
                out.append(_assistant(message, profile))
            case "tool":
                _tool(message, profile, out)
    if profile.merge_tool_text:
        out = _tool_text_merged(out)
    if profile.flatten:
        out = _same_roles_merged(out)
    if request.cache and profile.cache != "none":
        _set_breakpoints(out, profile.cache)
    return out


def _system(text: str, profile: MessageProfile) -> Json:
    return {"role": profile.system, "content": profile.system_prefix + text}


def _text(parts: list[Part], separator: str = "\n") -> str:
    return separator.join(part.text for part in parts if isinstance(part, Text))


def _user_content(parts: list[Part], profile: MessageProfile) -> str | list[Json]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    content: list[Json] = []
    for part in parts:
        match part:
            case Text():
                content.append({"type": "text", "text": part.text})
            case Image():
                content.append(_image(part, profile))
            case ReasoningState() | ExecutedCode():
                pass  # of an answer, and so never the user's
    if not content:
        return ""  # the API refuses a message of no parts, not one of no text
    if profile.flatten and all(part["type"] == "text" for part in content):
        return "\n".join(part["text"] for part in content)
    return content


def _image(image: Image, profile: MessageProfile) -> Json:
    if not profile.images:
        raise Unsupported("messages: this model takes no images")
    url = image.url or f"data:{image.mime_type};base64,{image.data}"
    return {"type": "image_url", "image_url": {"url": url}}


def _assistant(message: Message, profile: MessageProfile) -> Json:
    out: Json = {"role": "assistant", "content": _text(message.content) or profile.empty_assistant}
    states = [part for part in message.content if isinstance(part, ReasoningState)]
    if profile.reasoning == "reasoning_content":
        reasoning = "".join(state.text for state in states)
        if reasoning:
            out["reasoning_content"] = reasoning
    elif profile.reasoning == "reasoning_details":
        details = [entry for state in states for entry in _details(state.opaque)]
        if details:
            out["reasoning_details"] = details
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "id": call_id(call.id, profile.call_ids),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in message.tool_calls
        ]
    return out


def _details(opaque: str | None) -> list[Json]:
    """Return reasoning_details; state that another provider gave is none, and is dropped."""
    if opaque is None:
        return []
    try:
        entries = json_text.decode(_LIST, opaque.encode("utf-8", "replace"))
    except Malformed:
        return []
    return [entry for entry in entries if str(entry.get("type", "")).startswith("reasoning.")]


def _tool(message: Message, profile: MessageProfile, out: list[Json]) -> None:
    images = [part for part in message.content if isinstance(part, Image)]
    texts = [part.text for part in message.content if isinstance(part, Text)]
    if images:
        texts.append(profile.image_placeholder)
    out.append(
        {
            "role": "tool",
            "tool_call_id": call_id(message.tool_call_id or "", profile.call_ids),
            "content": "\n".join(texts) or profile.empty_tool_result,
        }
    )
    if images and profile.tool_images == "user_message":
        content = [_image(image, profile) for image in images]
        out.append({"role": "user", "content": content})


def _tool_text_merged(messages: list[Json]) -> list[Json]:
    """Put user text that follows a tool's result into that result: a turn of the user would make
    some reasoning models forget what they thought before the call."""
    out: list[Json] = []
    for message in messages:
        text = message["content"]
        if (
            message["role"] == "user"
            and out
            and out[-1]["role"] == "tool"
            and (isinstance(text, str) or all(part["type"] == "text" for part in text))
        ):
            if not isinstance(text, str):
                text = "\n".join(part["text"] for part in text)
            before: str = out[-1]["content"]
            out[-1] = {**out[-1], "content": f"{before}\n\n{text}" if before else text}
        else:
            out.append(message)
    return out


def _same_roles_merged(messages: list[Json]) -> list[Json]:
    out: list[Json] = []
    for message in messages:
        last = out[-1] if out else None
        if last is None or last["role"] != message["role"] or message["role"] == "tool":
            out.append(message)
            continue
        merged = {**last, "content": _merged(last["content"], message["content"])}
        calls = [*last.get("tool_calls", ()), *message.get("tool_calls", ())]
        if calls:
            merged["tool_calls"] = calls
        if "reasoning_content" in message:
            before = merged.get("reasoning_content")
            text: str = message["reasoning_content"]
            merged["reasoning_content"] = f"{before}\n{text}" if before else text
        out[-1] = merged
    return out


def _merged(first: Any, second: Any) -> Any:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return cast("list[Json]", content)


def _set_breakpoints(messages: list[Json], style: str) -> None:
    """Mark the system text and some user messages as ends of what is worth caching."""
    mark: Json = {"type": "ephemeral"}
    for message in messages:
        if message["role"] in ("system", "developer"):
            message["content"] = _parts(message["content"])
            message["content"][-1]["cache_control"] = mark
            break
    users = [message for message in messages if message["role"] == "user"]
    for message in users[-2:] if style == "last_two" else users[9::10]:
        parts = _parts(message["content"])
        texts: list[Json] = [part for part in parts if part["type"] == "text"]
        if not texts:
            texts = [{"type": "text", "text": "..."}]  # only text can carry the mark
            parts.append(texts[0])
        texts[-1]["cache_control"] = mark
        message["content"] = parts
