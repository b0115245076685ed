"""What the port sends in Gemini's format, field by field, and its rules per model.

Left out of the comparison, each on purpose (`docs/parity.md`): what nobody asked for (`tools: []`,
a temperature and a maximum of tokens), and an empty system text. Looked at apart: the result of a
tool that said nothing, which the port drops and the service then misses.
"""

import base64
import json
from pathlib import Path

import pytest

from providers.dialects.gemini import Gemini, GeminiProfile
from providers.dialects.gemini_models import thinking_config
from providers.types import ChatRequest, CompletionRequest, Message, Reasoning, Text, ToolCall
from tests.dialects.feeding import answer_of
from tests.dialects.parity import Json, load, request_of, sent

VERTEX = GeminiProfile(api_version="v1beta1", project="proj-1", location="us-central1")
ELSEWHERE = {"request__lone_surrogate": "the text never reaches a dialect with a lone surrogate"}


def plain(body: Json, request: ChatRequest) -> Json:
    """Return a recorded body without what was changed on purpose."""
    if body["tools"] == [{"functionDeclarations": []}]:
        del body["tools"]
        body.pop("toolConfig", None)
    config = body["generationConfig"]
    if request.temperature is None:
        del config["temperature"]
    if request.max_tokens is None:
        config.pop("maxOutputTokens", None)
    if not config:
        del body["generationConfig"]
    if body["systemInstruction"]["parts"] == [{"text": ""}]:
        del body["systemInstruction"]
    return body


def reasoning_of(config: Json) -> Reasoning | None:
    """Return a recorded setting as our request has it."""
    effort, budget = config.get("reasoningEffort"), config.get("modelMaxThinkingTokens")
    if effort is None and budget is None:
        return Reasoning(effort="medium") if config.get("enableReasoningEffort") else None
    return Reasoning(effort="none" if effort == "disable" else effort, budget_tokens=budget)


def with_signatures(messages: list[Message], case: Json) -> list[Message]:
    """Give a call the signature that the port kept in a block of its own."""
    by_call: dict[str, str] = {}
    for message in case["input"]["messages"]:
        blocks = message.get("content", [])
        signed = [
            b["thoughtSignature"] for b in blocks if isinstance(b, dict) and "thoughtSignature" in b
        ]
        calls = [b["id"] for b in blocks if isinstance(b, dict) and b["type"] == "tool_use"]
        by_call |= dict(zip(calls, signed, strict=False))
    for message in messages:
        message.tool_calls = [
            ToolCall(call.id, call.name, call.arguments, by_call.get(call.id))
            for call in message.tool_calls
        ]
        # Blocks of another service's thoughts are not ours to send back.
        message.content = [p for p in message.content if getattr(p, "opaque", None) is None]
    return messages


def without_silent_results(contents: list[Json]) -> list[Json]:
    kept: list[Json] = []
    for content in contents:
        parts = [
            part
            for part in content["parts"]
            if part.get("functionResponse", {}).get("response", {}).get("content") != ""
        ]
        if parts:
            kept.append(content | {"parts": parts})
    return kept


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
@pytest.mark.parametrize("pattern", ["request__*.json", "model__*.json", "config__*.json"])
def test_bodies_and_paths(shared: Path, provider: str, pattern: str) -> None:
    cases = load(shared / "parity/goldens" / provider, pattern)
    assert len(cases) >= 5
    for name, case in cases.items():
        if name in ELSEWHERE:
            continue
        config = case["config"]
        if name.endswith(("unknown_model", "default_model")):
            config["apiModelId"] = case["model"]["id"]  # no silent default of ours
        request = request_of(case, config["apiModelId"], reasoning_of(config))
        request.max_tokens = config.get("modelMaxTokens")
        request.temperature = config.get("modelTemperature")
        request.messages = with_signatures(request.messages, case)
        location = config.get("vertexRegion") or "not-provided"
        dialect = Gemini(
            GeminiProfile(api_version="v1beta1", project="proj-1", location=location)
            if provider == "vertex"
            else None
        )
        body = dialect.body(request, stream=True)
        body["contents"] = without_silent_results(body["contents"])  # type: ignore[arg-type]
        assert body == plain(sent(case), request), name
        path = dialect.path(request, stream=True)
        assert case["requests"][0]["path"].endswith(path), name


def test_a_bare_prompt(shared: Path) -> None:
    for provider in ("gemini", "vertex"):
        path = shared / "parity/goldens" / provider / "complete__ok.json"
        case = json.loads(path.read_text("utf-8"))
        config = case["config"]
        request = CompletionRequest(prompt=case["input"]["prompt"], model=config["apiModelId"])
        dialect = Gemini(VERTEX if provider == "vertex" else None)
        recorded = sent(case)
        assert recorded.pop("generationConfig") == {"temperature": 1}
        assert dialect.body(request, stream=False) == recorded
        assert case["requests"][0]["path"] == dialect.path(request, stream=False)


ASKED = {
    "default": None,
    "effort_low": Reasoning(effort="low"),
    "effort_medium": Reasoning(effort="medium"),
    "effort_high": Reasoning(effort="high"),
    "effort_minimal": Reasoning(effort="minimal"),
    "budget_5000_of_20000": Reasoning(budget_tokens=5000),
    "budget_over": Reasoning(budget_tokens=99999),
    "budget_tiny": Reasoning(budget_tokens=10),
}


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_thinking_per_model(shared: Path, provider: str) -> None:
    recorded = json.loads((shared / f"parity/model_params/{provider}.json").read_text("utf-8"))
    checked = 0
    for model, rows in recorded["rows"].items():
        if "claude" in model:
            continue
        for setting, reasoning in ASKED.items():
            row = rows["default"] if rows[setting] == "=default" else rows[setting]
            request = ChatRequest(
                model=model,
                messages=[Message("user", [Text("x")])],
                max_tokens=recorded["settings"][setting].get("modelMaxTokens"),
                reasoning=reasoning,
            )
            config = thinking_config(request, unasked=True, vertex=provider == "vertex")
            assert config == row.get("reasoning"), (model, setting)
            checked += 1
    assert checked >= 8 * 13


NOT_AS_RECORDED = {
    # The port's decoder gives up on these; they are streams by the standard.
    "stream__no_space",
    "stream__sse_comment",
    "stream__unicode",
    "stream__json_array",
    # Errors that the port swallows, and answers cut short that it takes for whole.
    "stream__mid_error",
    "stream__mid_error_429",
    "stream__mid_error_bare",
    "stream__empty_body",
    "stream__no_candidates",
    "stream__two_candidates",
    "stream__bad_json",
    "stream__truncated_reset",
    "stream__no_trailing_blank",
}


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_what_is_yielded(shared: Path, provider: str) -> None:
    checked = 0
    for path in sorted((shared / "parity/goldens" / provider).glob("stream__*.json")):
        if path.stem in NOT_AS_RECORDED:
            continue
        case = json.loads(path.read_text("utf-8"))
        body = b"".join(base64.b64decode(c) for c in case["wire_responses"][0]["body_chunks_b64"])
        answer, error, _ = answer_of(Gemini(), body)
        assert error is None, path.stem
        emitted = case["emitted"]
        assert answer.text == "".join(e["text"] for e in emitted if e["type"] == "text")
        calls = [e for e in emitted if e["type"] == "tool_call_partial"]
        assert [call.name for call in answer.tool_calls] == [
            e["name"] for e in calls if "name" in e
        ]
        assert [call.arguments for call in answer.tool_calls] == [
            e.get("arguments", "{}") for e in calls if "name" not in e
        ]
        if "with_id" not in path.stem:  # an id of the service's own is kept, unlike in the port
            made = list(dict.fromkeys(e["id"] for e in calls))
            assert [call.id for call in answer.tool_calls] == made
        usage = [e for e in emitted if e["type"] == "usage"]
        if usage and answer.usage:
            assert answer.usage.input_tokens == usage[-1]["inputTokens"]
            assert answer.usage.cache_read_tokens == usage[-1].get("cacheReadTokens", 0)
            assert answer.usage.reasoning_tokens == usage[-1].get("reasoningTokens", 0)
        sources = [s["url"] for e in emitted if e["type"] == "grounding" for s in e["sources"]]
        assert [citation.url for citation in answer.citations] == sources
        checked += 1
    assert checked >= 9
