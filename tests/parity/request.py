"""From a recorded input to a request of ours, with the settings that the recording shows in force.

What the port sends unasked from its tables (a maximum of tokens, a temperature, an effort) is asked
for here, because ours sends what is asked for and nothing else.
"""

import json
from typing import Any

from providers.types import (
    ChatRequest,
    CompletionRequest,
    Reasoning,
    ReasoningState,
    ToolCall,
)
from tests.dialects.parity import request_of
from tests.parity.drive import Json


def first_body(case: Json) -> Json:
    """Return the body of the first recorded request; {} where none was sent."""
    requests = [r for r in case["requests"] if r.get("body")]
    return json.loads(requests[0]["body"]) if requests else {}


def build(case: Json, model: str, *, state: str) -> ChatRequest | CompletionRequest:
    """Return the case's request. `state`: which reasoning of the history is the provider's own."""
    given, body = case["input"], first_body(case)
    request: ChatRequest | CompletionRequest
    if "prompt" in given:
        request = CompletionRequest(prompt=given["prompt"], model=model)
    else:
        request = request_of(case, model)
        request.system = given["systemPrompt"] or None
        request.max_tokens = None
        _restore_state(request, given["messages"], state)
    _take_settings(request, case["config"], body)
    return request


def _take_settings(request: ChatRequest | CompletionRequest, config: Json, body: Json) -> None:
    generation = body.get("generationConfig", {})
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    request.max_tokens = next(
        (body[name] for name in limits if name in body), generation.get("maxOutputTokens")
    )
    asked = config.get("modelTemperature")
    sent = body.get("temperature", generation.get("temperature"))
    request.temperature = asked if asked is not None else sent
    request.top_p = body.get("top_p")
    request.reasoning = _reasoning(config, body)
    options = {n: body[n] for n in ("service_tier", "provider") if n in body}
    if body.get("parallel_tool_calls") is False:
        options["parallel_tool_calls"] = False
    if body.get("text"):
        options["text"] = body["text"]
    request.provider_options = options


def _reasoning(config: Json, body: Json) -> Reasoning | None:
    effort: Any = body.get("reasoning_effort")
    if isinstance(body.get("reasoning"), dict):
        if "max_tokens" in body["reasoning"]:
            return Reasoning(budget_tokens=body["reasoning"]["max_tokens"])
        effort = body["reasoning"].get("effort") or body["reasoning"].get("reasoning_effort")
    if body.get("thinking", {}).get("type") == "enabled":
        effort = "medium"
    if "generationConfig" in body:
        effort, budget = config.get("reasoningEffort"), config.get("modelMaxThinkingTokens")
        if budget is not None:
            return Reasoning(None if effort == "disable" else effort, budget)
        if effort is None and config.get("enableReasoningEffort"):
            effort = "medium"
        effort = "none" if effort == "disable" else effort
    if effort is None:
        return None
    return Reasoning(effort="high" if effort == "xhigh" else effort)


# --- State of earlier answers -----------------------------------------------------------------


def _restore_state(request: ChatRequest, given: list[Json], state: str) -> None:
    """Put each provider's state where a client of ours would have it."""
    turns = iter([m for m in given if m.get("role") == "assistant"])
    for message in request.messages:
        if message.role != "assistant":
            continue
        source = next(turns)
        message.content = [p for p in message.content if not isinstance(p, ReasoningState)]
        part = _state_of(source, state)
        if part is not None:
            message.content.insert(0, part)
        if state == "signatures":
            _sign(message.tool_calls, source)
    if state == "items":
        for at, item in enumerate(given):
            if item.get("type") == "reasoning":
                place = sum("role" in each for each in given[:at])
                opaque = json.dumps({k: v for k, v in item.items() if k != "ts"})
                request.messages[place].content.insert(0, ReasoningState("", opaque))


def _state_of(source: Json, state: str) -> ReasoningState | None:
    blocks = source["content"] if isinstance(source["content"], list) else []
    thought = source.get("reasoning_content") or "".join(
        block["text"] for block in blocks if block["type"] == "reasoning"
    )
    details = source.get("reasoning_details") if state == "details" else None
    if details:
        return ReasoningState(thought, json.dumps(details))
    return ReasoningState(thought) if thought and state == "content" else None


def _sign(calls: list[ToolCall], source: Json) -> None:
    blocks = source["content"] if isinstance(source["content"], list) else []
    signed = [b["thoughtSignature"] for b in blocks if "thoughtSignature" in b]
    for call, signature in zip(calls, signed, strict=False):
        call.opaque = signature
