"""From a request to Gemini's body: contents, tools, generation configuration.

Pure. Source: ai.google.dev/api/generate-content and the Vertex reference of the same method; where
they leave a choice, what the port's origin sends (docs/parity.md).
"""

from typing import Any, Literal

import msgspec

from providers.dialects.anthropic_turns import arguments_object, inline_image
from providers.dialects.gemini_models import thinking_config
from providers.dialects.signatures import may_be_googles
from providers.errors import Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    ReasoningState,
    RequestOptions,
    Text,
)

UNSIGNED_CALL = "skip_thought_signature_validator"
"""What Google's documentation ("Thought signatures") gives for a call that has no signature,
because another model made it. Only the first call of a turn carries one."""


class GeminiProfile(msgspec.Struct, frozen=True, kw_only=True):
    """`project` and `location` make it Vertex. `safety_settings` go into every body as they are."""

    stream: Literal["sse", "json"] = "sse"
    api_version: str = "v1beta"
    safety_settings: list[dict[str, Any]] | None = None
    project: str | None = None
    location: str | None = None

    @property
    def vertex(self) -> bool:
        return self.project is not None


def build_body(
    request: ChatRequest | CompletionRequest, profile: GeminiProfile, *, stream: bool
) -> dict[str, object]:
    """Return the body. Raises `Unsupported` for a suffix."""
    system: list[str] = [request.system] if request.system else []
    if isinstance(request, CompletionRequest):
        if request.suffix is not None:
            raise Unsupported("suffix: this format cannot fill in the middle")
        turns: list[dict[str, object]] = [_content("user", [{"text": request.prompt}])]
    else:
        system += [text for m in request.messages if m.role == "system" for text in _texts(m)]
        turns = contents(request.messages)
    body: dict[str, object] = {"contents": turns}
    if system:
        body["systemInstruction"] = _content("user", [{"text": text} for text in system])
    if request.tools:
        body["tools"] = [{"functionDeclarations": _declarations(request)}]
    if request.tool_choice is not None and request.tools:
        body["toolConfig"] = {"functionCallingConfig": _tool_choice(request)}
    config = generation_config(request, profile, stream=stream)
    if config:
        body["generationConfig"] = config
    if profile.safety_settings:
        body["safetySettings"] = profile.safety_settings
    return body


def generation_config(
    request: ChatRequest | CompletionRequest, profile: GeminiProfile, *, stream: bool
) -> dict[str, object]:
    """Return what the request asks for, and the model's thinking.

    As in the port, the model's own default of thinking goes into a streamed conversation only; a
    whole answer and a bare prompt go without.
    """
    config: dict[str, object] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": request.stop or None,
        "seed": request.seed,
    }
    match request.response_format:
        case "json":
            config["responseMimeType"] = "application/json"
        case JsonSchema(schema=schema):
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = schema
        case _:
            pass
    unasked = stream and isinstance(request, ChatRequest)
    config["thinkingConfig"] = thinking_config(request, unasked=unasked, vertex=profile.vertex)
    return {name: value for name, value in config.items() if value is not None}


def _declarations(request: RequestOptions) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for tool in request.tools:
        declaration: dict[str, object] = {"name": tool.name}
        if tool.description is not None:
            declaration["description"] = tool.description
        declaration["parametersJsonSchema"] = tool.parameters
        made.append(declaration)
    return made


def _tool_choice(request: RequestOptions) -> dict[str, object]:
    match request.tool_choice:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case NamedTool(name=name):
            return {"mode": "ANY", "allowedFunctionNames": [name]}
        case _:
            return {"mode": "AUTO"}


# --- Contents -------------------------------------------------------------------------------


def contents(messages: list[Message]) -> list[dict[str, object]]:
    """Return the conversation without its system messages.

    The results of a turn's calls go together, with the user's text that follows them: Google wants
    as many responses in one content as there were calls.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    made: list[dict[str, object]] = []
    joinable: list[dict[str, object]] | None = None  # parts of a content that ended with a result
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "assistant":
            parts, joinable = _model_parts(message), None
            if parts:
                made.append(_content("model", parts))
            continue
        is_result = message.role == "tool"
        parts = _result_parts(message, names) if is_result else _parts(message.content)
        if joinable is not None:
            joinable += parts
        elif parts:
            made.append(_content("user", parts))
        if not is_result:
            joinable = None
        elif joinable is None:
            joinable = parts
    return made


def _content(role: str, parts: list[dict[str, object]]) -> dict[str, object]:
    return {"role": role, "parts": parts}


def _texts(message: Message) -> list[str]:
    return [part.text for part in message.content if isinstance(part, Text) and part.text]


def _parts(parts: list[Part]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for part in parts:
        match part:
            case Text():
                if part.text:
                    made.append({"text": part.text})
            case Image():
                made.append(_image(part))
            case ExecutedCode():
                made += _code(part)
            case ReasoningState():
                pass
    return made


def _image(image: Image) -> dict[str, object]:
    inline = inline_image(image)
    if inline is not None:
        return {"inlineData": {"data": inline[1], "mimeType": inline[0]}}
    file: dict[str, object] = {"fileUri": image.url}
    if image.mime_type:
        file["mimeType"] = image.mime_type
    return {"fileData": file}


def _code(part: ExecutedCode) -> list[dict[str, object]]:
    language = part.language.upper() or "LANGUAGE_UNSPECIFIED"
    made: list[dict[str, object]] = [
        {"executableCode": {"language": language, "code": part.code}},
    ]
    if part.output is not None:
        made.append({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": part.output}})
    return made


def _model_parts(message: Message) -> list[dict[str, object]]:
    """Return an answer's parts, each signature on a part of the kind that it came with.

    The text of thoughts does not go back; their signatures do. One that came beside the text goes
    on the last text, unless the first call has none of its own and needs it.
    """
    parts = _parts(message.content)
    states = [p.opaque for p in message.content if isinstance(p, ReasoningState) and _is_ours(p)]
    signatures = [opaque for opaque in states if opaque]
    calls: list[dict[str, object]] = []
    for number, call in enumerate(message.tool_calls):
        made: dict[str, object] = {
            "functionCall": {"name": call.name, "args": arguments_object(call.arguments)}
        }
        signature = call.opaque if may_be_googles(call.opaque) else None
        if number == 0 and signature is None:
            signature = signatures.pop(0) if signatures else UNSIGNED_CALL
        if signature is not None:
            made["thoughtSignature"] = signature
        calls.append(made)
    texts = [part for part in parts if "text" in part]
    if signatures and texts:
        texts[-1]["thoughtSignature"] = signatures.pop()
    for signature in signatures:
        parts.append({"text": "", "thoughtSignature": signature})
    return parts + calls


def _is_ours(part: ReasoningState) -> bool:
    return may_be_googles(part.opaque)


def _result_parts(message: Message, names: dict[str, str]) -> list[dict[str, object]]:
    """Return a tool's result: its text inside the response, its images after it."""
    name = names.get(message.tool_call_id or "")
    if name is None:
        raise Unsupported(
            f"toolCallId: no earlier message has a call {message.tool_call_id!r}, and this format"
            " names the tool of every result"
        )
    images = [_image(part) for part in message.content if isinstance(part, Image)]
    text = "\n\n".join(_texts(message))
    if images:
        text = f"{text}\n\n(See next part for image)" if text else "(See next part for image)"
    made: dict[str, object] = {
        "functionResponse": {"name": name, "response": {"name": name, "content": text}}
    }
    return [made, *images]
