"""The body of a request in Anthropic's Messages format.

Source: platform.claude.com/docs, "Create a Message"; what the port sends (`docs/parity.md`).
Knows no transport and no answer.
"""

from typing import Literal

import msgspec

from providers.dialects.anthropic_models import rules, split_suffix
from providers.dialects.anthropic_turns import (
    ANSWER_TOOL,
    Turn,
    arguments_object,
    calls_its_own,
    inline_image,
    is_ours,
    is_redacted,
    plan_thinking,
    system_texts,
    turns,
)
from providers.errors import Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    ReasoningState,
    Text,
)

Body = dict[str, object]
Block = dict[str, object]

EPHEMERAL = {"type": "ephemeral"}


class AnthropicProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint of this format does differently.

    `variant`: `vertex` and `bedrock` name the model in the path and the format's version in the
    body. `path_prefix`: what stands before the model in Vertex's path. `max_output_tokens`: of the
    request's model, where the catalog knows it. `betas`: sent in the body where there is no header
    for them (bedrock).
    """

    variant: Literal["anthropic", "vertex", "bedrock"] = "anthropic"
    prompt_format: Literal["messages", "human-assistant"] = "messages"
    max_output_tokens: int | None = None
    path_prefix: str = ""
    betas: tuple[str, ...] = ()

    @property
    def marks_text_only(self) -> bool:
        """Whether a cache mark goes to the last text instead of the last block (port: Vertex)."""
        return self.variant == "vertex"


VERSIONS = {"vertex": "vertex-2023-10-16", "bedrock": "bedrock-2023-05-31"}
"""`anthropic_version` of the body; the service itself takes it as a header."""


def build_body(
    request: ChatRequest | CompletionRequest, profile: AnthropicProfile, *, stream: bool
) -> Body:
    """Return the body. Raises `Unsupported` for what the format cannot carry."""
    cache = request.cache and isinstance(request, ChatRequest)  # a lone prompt is not sent again
    if isinstance(request, CompletionRequest):
        if request.suffix is not None:
            raise Unsupported("`suffix`: Anthropic's format cannot fill in the middle of a text")
        request = request.to_chat()
    if request.seed is not None:
        raise Unsupported("`seed`: Anthropic's format has none")
    model, always_thinks = split_suffix(request.model)
    body: Body = {}
    if profile.variant == "anthropic":
        body["model"] = model
    else:
        body["anthropic_version"] = VERSIONS[profile.variant]
    _add_limits(body, request, profile, model, always_thinks)
    _add_system(body, request, cache)
    body["messages"] = _messages(request, profile, cache)
    _add_tools(body, request)
    _add_format(body, request, model)
    if profile.variant == "bedrock":
        if profile.betas:
            body["anthropic_beta"] = list(profile.betas)
    else:
        body["stream"] = stream
    return body


def _add_limits(
    body: Body, request: ChatRequest, profile: AnthropicProfile, model: str, always: bool
) -> None:
    rule = rules(model)
    plan = plan_thinking(request, rule, profile.max_output_tokens, always=always)
    body["max_tokens"] = plan.max_tokens
    if plan.budget is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": plan.budget}
        body["temperature"] = 1  # the only value that thinking allows
    elif plan.level is not None:
        # Without `display` these models think without saying what.
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        if plan.level:
            body["output_config"] = {"effort": plan.level}
    if not rule.adaptive:  # they refuse any sampling parameter
        if request.temperature is not None and plan.budget is None:
            body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
    if request.stop:
        body["stop_sequences"] = list(request.stop)


def _add_system(body: Body, request: ChatRequest, cache: bool) -> None:
    blocks: list[Block] = [
        {"type": "text", "text": text} for text in system_texts(request, request.messages)
    ]
    if blocks:
        if cache:
            blocks[-1]["cache_control"] = dict(EPHEMERAL)
        body["system"] = blocks


def _add_tools(body: Body, request: ChatRequest) -> None:
    if not request.tools:
        return
    tools: list[Block] = []
    for tool in request.tools:
        entry: Block = {"name": tool.name}
        if tool.description is not None:
            entry["description"] = tool.description
        entry["input_schema"] = tool.parameters or {"type": "object", "properties": {}}
        tools.append(entry)
    body["tools"] = tools
    match request.tool_choice:
        case None:
            pass
        case NamedTool(name):
            body["tool_choice"] = {"type": "tool", "name": name}
        case "required":
            body["tool_choice"] = {"type": "any"}
        case choice:
            body["tool_choice"] = {"type": choice}


def _add_format(body: Body, request: ChatRequest, model: str) -> None:
    wanted = request.response_format
    if not isinstance(wanted, JsonSchema):
        return
    if rules(model).native_schema:
        config = body.setdefault("output_config", {})
        assert isinstance(config, dict)
        config["format"] = {"type": "json_schema", "schema": wanted.schema}
        return
    # An older model answers by calling a tool of ours. Beside the request's own tools it may call
    # either; where the request says that one of its own is to be called, ours is away.
    if request.tools and calls_its_own(request):
        return
    either = bool(request.tools) and request.tool_choice != "none"
    tool = {"name": ANSWER_TOOL, "description": wanted.name, "input_schema": wanted.schema}
    tools = body.setdefault("tools", [])
    assert isinstance(tools, list)
    tools.append(tool)  # pyright: ignore[reportUnknownMemberType]
    body["tool_choice"] = {"type": "any"} if either else {"type": "tool", "name": ANSWER_TOOL}


# --- Messages ------------------------------------------------------------------------------


def _messages(request: ChatRequest, profile: AnthropicProfile, cache: bool) -> list[Block]:
    if profile.prompt_format == "human-assistant":
        return [{"role": "user", "content": human_assistant(request)}]
    out: list[Block] = []
    for turn in turns(request.messages):
        blocks = _turn_blocks(turn)
        if blocks:
            out.append({"role": turn.role, "content": blocks})
    if cache:
        for message in [message for message in out if message["role"] == "user"][-2:]:
            _mark(message, profile)
    return out


def _mark(message: Block, profile: AnthropicProfile) -> None:
    blocks = message["content"]
    assert isinstance(blocks, list)
    for block in reversed(blocks):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if not profile.marks_text_only or block["type"] == "text":
            block["cache_control"] = dict(EPHEMERAL)
            return


def _turn_blocks(turn: Turn) -> list[Block]:
    blocks: list[Block] = []
    for message in turn.messages:
        if message.role == "tool":
            blocks.append(_tool_result(message))
            continue
        for part in message.content:
            block = _block(part, message.role)
            if block is not None:
                blocks.append(block)
        for call in message.tool_calls:
            arguments = arguments_object(call.arguments)
            blocks.append(
                {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}
            )
    return blocks


def _block(part: Part, role: str) -> Block | None:
    """Return the block of `part`, or None for what the format refuses or does not take back."""
    match part:
        case Text(text):
            return {"type": "text", "text": text} if text else None
        case Image():
            if role == "assistant":
                raise Unsupported("`messages`: Anthropic's format has no images of the assistant's")
            return _image(part)
        case ReasoningState():
            return _thinking(part) if role == "assistant" else None
        case _:
            return None


def _thinking(part: ReasoningState) -> Block | None:
    if not is_ours(part):  # another provider's: it would be refused
        return None
    if is_redacted(part):
        return {"type": "redacted_thinking", "data": part.opaque}
    return {"type": "thinking", "thinking": part.text, "signature": part.opaque}


def _image(image: Image) -> Block:
    inline = inline_image(image)
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    source = {"type": "base64", "media_type": inline[0], "data": inline[1]}
    return {"type": "image", "source": source}


def _tool_result(message: Message) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id or ""}
    blocks = [block for part in message.content if (block := _block(part, "tool")) is not None]
    if len(blocks) == 1 and "text" in blocks[0]:
        result["content"] = blocks[0]["text"]
    else:
        result["content"] = blocks or ""
    if message.is_error:
        result["is_error"] = True
    return result


def human_assistant(request: ChatRequest) -> str:
    """Return the conversation as the text of the legacy format, ready for the assistant's turn.

    Raises `Unsupported` for what that text has no words for.
    """
    if request.tools:
        raise Unsupported("`tools`: the human-assistant prompt format has none")
    lines: list[str] = []
    for message in request.messages:
        if message.role == "system":
            continue
        if message.role == "tool" or message.tool_calls:
            raise Unsupported("`messages`: the human-assistant prompt format has no tools")
        if any(isinstance(part, Image) for part in message.content):
            raise Unsupported("`messages`: the human-assistant prompt format has no images")
        name = "Assistant" if message.role == "assistant" else "Human"
        text = "".join(part.text for part in message.content if isinstance(part, Text))
        lines.append(f"{name}: {text}")
    if not lines or not lines[-1].startswith("Assistant:"):  # else it goes on from there
        lines.append("Assistant:")
    return "\n\n".join(lines)
