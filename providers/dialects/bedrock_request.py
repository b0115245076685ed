"""The body of a request in Bedrock's Converse format.

Source: docs.aws.amazon.com/bedrock, API reference "ConverseStream", "Prompt caching", "Structured
output"; what the port sends (`docs/parity.md`). Knows no transport and no answer.
"""

from typing import cast

import msgspec

from providers.dialects.anthropic_models import ModelRules, rules
from providers.dialects.anthropic_turns import (
    ANSWER_TOOL,
    Turn,
    arguments_object,
    calls_its_own,
    inline_image,
    is_ours,
    is_redacted,
    json_of,
    plan_thinking,
    system_texts,
    turns,
)
from providers.dialects.bedrock_models import (
    cache_rules,
    family,
    native_schema,
    takes_result_status,
)
from providers.dialects.bedrock_schema import strict_schema
from providers.dialects.call_ids import openai_call_id
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

FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}

SHARE_OF_WINDOW = 5
"""An answer takes at most a fifth of the context window, where a request gives no limit (port)."""


class BedrockProfile(msgspec.Struct, frozen=True, kw_only=True):
    """`max_output_tokens` and `context_window`: of the request's model, where the catalog knows it.

    `betas`: Anthropic's beta features, sent to Claude with streams. `asked_before`: with so many
    messages of the same conversation it was asked the last time, 0 where nobody knows of one.
    """

    max_output_tokens: int | None = None
    context_window: int | None = None
    betas: tuple[str, ...] = ("fine-grained-tool-streaming-2025-05-14",)
    asked_before: int = 0


def build_body(
    request: ChatRequest | CompletionRequest, profile: BedrockProfile, *, stream: bool
) -> Body:
    """Return the body. Raises `Unsupported` for what the format cannot carry."""
    cache = request.cache and isinstance(request, ChatRequest)  # a lone prompt is not sent again
    if isinstance(request, CompletionRequest):
        if request.suffix is not None:
            raise Unsupported("`suffix`: Bedrock's Converse cannot fill in the middle of a text")
        request = request.to_chat()
    if request.seed is not None:
        raise Unsupported("`seed`: Bedrock's Converse has none")
    body: Body = {"messages": _messages(request)}
    system: list[Block] = [{"text": text} for text in system_texts(request, request.messages)]
    if system:
        body["system"] = system
    _add_inference(body, request, profile, stream)
    _add_tools(body, request)
    if cache:
        _add_cache_points(body, request, profile.asked_before)
    return body


# --- Limits and thinking ----------------------------------------------------------------------


def _add_inference(body: Body, request: ChatRequest, profile: BedrockProfile, stream: bool) -> None:
    config: Block = {}
    extra: Block = {}
    claude = family(request.model) == "claude"
    if claude:
        _add_thinking(config, extra, request, rules(request.model), profile)
        if stream and profile.betas:
            extra["anthropic_beta"] = list(profile.betas)
    else:
        limit = request.max_tokens or default_limit(profile)
        if limit:
            config["maxTokens"] = limit
    if not (claude and rules(request.model).adaptive):  # they refuse any sampling parameter
        if request.temperature is not None:
            config.setdefault("temperature", request.temperature)
        if request.top_p is not None:
            config["topP"] = request.top_p
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if config:
        body["inferenceConfig"] = config
    if extra:
        body["additionalModelRequestFields"] = extra


def _add_thinking(
    config: Block, extra: Block, request: ChatRequest, rule: ModelRules, profile: BedrockProfile
) -> None:
    plan = plan_thinking(request, rule, profile.max_output_tokens)
    config["maxTokens"] = plan.max_tokens
    if plan.budget is not None:
        extra["thinking"] = {"type": "enabled", "budget_tokens": plan.budget}
        config["temperature"] = 1  # the only value that thinking allows
    elif plan.level is not None:
        # Without `display` these models think without saying what.
        extra["thinking"] = {"type": "adaptive", "display": "summarized"}
        if plan.level:
            extra["output_config"] = {"effort": plan.level}


def default_limit(profile: BedrockProfile) -> int | None:
    """Return the answer's limit where a request gives none, None where no catalog knows it."""
    if profile.max_output_tokens is None or profile.context_window is None:
        return profile.max_output_tokens
    return min(profile.max_output_tokens, -(-profile.context_window // SHARE_OF_WINDOW))


# --- Tools ------------------------------------------------------------------------------------


def _add_tools(body: Body, request: ChatRequest) -> None:
    """Add `toolConfig`. The format has no choice "none": without tools there is nothing to call.

    An older model answers after a schema by calling a tool of ours. Beside the request's own tools
    it may call either; where the request says that one of its own is to be called, ours is away.
    """
    tools = () if request.tool_choice == "none" else request.tools
    specs = [_spec(tool.name, tool.description, tool.parameters) for tool in tools]
    choice = _choice(request) if specs else None
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        if native_schema(request.model):
            schema = {"schema": json_of(wanted.schema), "name": wanted.name}
            body["outputConfig"] = {
                "textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}
            }
        elif not (specs and calls_its_own(request)):
            either: Block = {"any": {}}
            choice = either if specs else {"tool": {"name": ANSWER_TOOL}}
            specs.append(_spec(ANSWER_TOOL, wanted.name, wanted.schema, keep_open=True))
    if not specs:
        # Calls in the history are refused without any tool: those that were called stand in.
        names = {call.name: None for message in request.messages for call in message.tool_calls}
        specs = [_spec(name, None, {"type": "object"}) for name in names]
    if specs:
        config: Block = {"tools": specs}
        if choice is not None:
            config["toolChoice"] = choice
        body["toolConfig"] = config


def _spec(
    name: str, description: str | None, parameters: dict[str, object], *, keep_open: bool = False
) -> Block:
    schema = strict_schema(parameters, keep_open=keep_open)
    spec: Block = {"name": name, "inputSchema": {"json": schema}}
    if description:
        spec["description"] = description
    return {"toolSpec": spec}


def _choice(request: ChatRequest) -> Block | None:
    match request.tool_choice:
        case NamedTool(name):
            return {"tool": {"name": name}}
        case "required":
            return {"any": {}}
        case "auto":
            return {"auto": {}}
        case _:
            return None


# --- Messages ---------------------------------------------------------------------------------


def _messages(request: ChatRequest) -> list[Block]:
    out: list[Block] = []
    status = takes_result_status(request.model)
    for turn in turns(request.messages):
        blocks = _turn_blocks(turn, status)
        if not blocks:
            continue
        if out and out[-1]["role"] == turn.role:  # roles have to alternate
            cast("list[Block]", out[-1]["content"]).extend(blocks)
        else:
            out.append({"role": turn.role, "content": blocks})
    return out


def _turn_blocks(turn: Turn, status: bool) -> list[Block]:
    blocks: list[Block] = []
    for message in turn.messages:
        if message.role == "tool":
            blocks.append(_tool_result(message, status))
            continue
        for part in message.content:
            block = _block(part, message.role)
            if block is not None:
                blocks.append(block)
        for call in message.tool_calls:
            arguments = arguments_object(call.arguments)
            use = {"toolUseId": openai_call_id(call.id), "name": call.name, "input": arguments}
            blocks.append({"toolUse": use})
    return blocks


def _block(part: Part, role: str) -> Block | None:
    """Return the block of `part`, or None for what the format refuses or does not take back."""
    match part:
        case Text(text):
            return {"text": text} if text.strip() else None
        case Image():
            if role == "assistant":
                raise Unsupported("`messages`: Bedrock's Converse takes no images of the assistant")
            return _image(part)
        case ReasoningState():
            return _reasoning(part) if role == "assistant" else None
        case _:
            return None


def _reasoning(part: ReasoningState) -> Block | None:
    if not is_ours(part):  # another provider's: it would be refused
        return None
    if is_redacted(part):
        return {"reasoningContent": {"redactedContent": part.opaque}}
    text = {"text": part.text, "signature": part.opaque}
    return {"reasoningContent": {"reasoningText": text}}


def _image(image: Image) -> Block:
    inline = inline_image(image)
    if inline is None:
        raise Unsupported("`messages`: Bedrock's Converse takes an image's data, not its address")
    kind = FORMATS.get(inline[0].lower())
    if kind is None:
        raise Unsupported(f"`messages`: Bedrock's Converse takes no images of type {inline[0]}")
    return {"image": {"format": kind, "source": {"bytes": inline[1]}}}


def _tool_result(message: Message, status: bool) -> Block:
    blocks: list[Block] = []
    for part in message.content:
        if isinstance(part, Text):
            blocks.append({"text": part.text})
        elif isinstance(part, Image):
            blocks.append(_image(part))
    result: Block = {
        "toolUseId": openai_call_id(message.tool_call_id or ""),
        "content": blocks or [{"text": ""}],
    }
    if status:
        result["status"] = "error" if message.is_error else "success"
    return {"toolResult": result}


# --- Cache points -----------------------------------------------------------------------------


def _add_cache_points(body: Body, request: ChatRequest, asked_before: int) -> None:
    """Put points behind the system text and the last user message, where they can matter.

    What was the last one when the conversation was last asked about has its point again: there the
    cache ends that can be read. A lone first message gets none: nothing says that more will come.
    """
    least = cache_rules(request.model)
    system = cast("list[Block]", body.get("system", []))
    size = _size(system)
    if system and least.system is not None and size >= least.system:
        system.append(_point())
    messages = cast("list[Block]", body["messages"])
    if least.messages is None or len(messages) < 2:
        return
    marked = [_last_user(messages)]
    if asked_before:
        before = msgspec.structs.replace(request, messages=request.messages[:asked_before])
        earlier = _messages(before)
        if len(earlier) > 1:
            marked.append(_last_user(earlier))
    for number, message in enumerate(messages):
        content = cast("list[Block]", message["content"])
        size += _size(content)
        if size >= least.messages and number in marked:
            content.append(_point())


def _last_user(messages: list[Block]) -> int:
    """Return the number of the last user message, -1 where there is none."""
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    return users[-1] if users else -1


def _point() -> Block:
    return {"cachePoint": {"type": "default"}}


def _size(blocks: list[Block]) -> int:
    """Return the characters of the blocks, roughly: an image counts for what its data is long."""
    return sum(len(json_of(block)) for block in blocks)
