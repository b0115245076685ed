"""What the port sends in Anthropic's format, field by field, and its rules per model.

Left out of the comparison, each on purpose (`docs/parity.md`): what nobody asked for (`tools: []`,
`tool_choice` without a choice, temperature 0, `disable_parallel_tool_use`), an empty system text,
and whether a lone text is written as a string or as a block.
"""

import json
from pathlib import Path

import pytest

from providers.dialects.anthropic_messages import AnthropicMessages, AnthropicProfile
from providers.errors import Truncated
from providers.types import ChatRequest, Message, Reasoning, Text
from tests.dialects.feeding import answer_of
from tests.dialects.parity import Json, load, request_of, sent, streams, yielded

VERTEX = AnthropicProfile(
    variant="vertex",
    path_prefix="/v1/projects/proj-1/locations/us-east5/publishers/anthropic/models",
)
ELSEWHERE = {
    "request__document_block": "documents are not part of our requests",
    "request__tool_result_last_block_cache": "our requests have results before the user's text",
}


def plain(body: Json) -> Json:
    """Return a recorded body without what was changed on purpose."""
    body = dict(body)
    if not body.get("tools"):
        body.pop("tools", None)
        body.pop("tool_choice", None)
    if body.get("temperature") == 0:
        body.pop("temperature")
    if "tool_choice" in body:
        body["tool_choice"] = {
            k: v for k, v in body["tool_choice"].items() if k != "disable_parallel_tool_use"
        }
    body["system"] = [block for block in body.get("system", []) if block["text"]]
    messages = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        messages.append({"role": message["role"], "content": content})
    body["messages"] = messages
    return {name: value for name, value in body.items() if value != []}


@pytest.mark.parametrize("provider", ["anthropic", "anthropic-vertex"])
@pytest.mark.parametrize("pattern", ["request__*.json", "model__*.json", "config__th*.json"])
def test_bodies(shared: Path, provider: str, pattern: str) -> None:
    cases = load(shared / "parity/goldens" / provider, pattern)
    dialect = AnthropicMessages(VERTEX if provider == "anthropic-vertex" else None)
    assert len(cases) >= 1
    for name, case in cases.items():
        if name in ELSEWHERE:
            continue
        config = case["config"]
        reasoning = None
        if config.get("enableReasoningEffort") or "modelMaxThinkingTokens" in config:
            reasoning = Reasoning("medium", config.get("modelMaxThinkingTokens"))
        request = request_of(case, config.get("apiModelId", ""), reasoning)
        ours = plain(json.loads(json.dumps(dialect.body(request, stream=True))))
        want = plain(sent(case))
        choice = (case["input"].get("metadata") or {}).get("tool_choice")
        if choice in (None, "none"):  # the port sends `auto` unasked, and drops `none`
            want.pop("tool_choice", None)
            ours.pop("tool_choice", None)
        if name == "request__reasoning_history":  # the port's own bookkeeping got into the body
            for message in want["messages"]:
                assert set(message) == {"role", "content"}
        assert ours == want, name
        assert dialect.path(request, stream=True) == case["requests"][0]["path"], name


@pytest.mark.parametrize("provider", ["anthropic", "anthropic-vertex"])
def test_rules_per_model(shared: Path, provider: str) -> None:
    table = json.loads((shared / f"parity/model_params/{provider}.json").read_text("utf-8"))
    compared = 0
    for model, rows in table["rows"].items():
        if not model.startswith("claude") or model == "claude-opus-4@20250514":
            continue  # the port's table does not know that Opus 4 thinks on Vertex, too
        for setting, config in table["settings"].items():
            row = rows[setting]
            row = rows["default"] if row == "=default" else row
            if setting in ("effort_none", "effort_disable", "max1000", "verbosity_high"):
                continue  # none is off here; a limit that is asked for is sent; the last: not ours
            reasoning = None
            if config.get("enableReasoningEffort"):
                effort = config.get("reasoningEffort", "medium")
                effort = "high" if effort == "xhigh" else effort
                reasoning = Reasoning(effort, config.get("modelMaxThinkingTokens"))
            limit = config.get("modelMaxTokens") if row.get("reasoningBudget") else None
            request = ChatRequest(
                model=model,
                messages=[Message("user", [Text("x")])],
                reasoning=reasoning,
                max_tokens=limit,
                temperature=config.get("modelTemperature"),
            )
            body = AnthropicMessages().body(request, stream=True)
            assert body["model"] == row["id"]
            if "modelMaxTokens" not in config or limit:
                assert body["max_tokens"] == row["maxTokens"], (model, setting)
            assert body.get("thinking") == row.get("reasoning"), (model, setting)
            assert body.get("temperature", 0) == row["temperature"], (model, setting)
            compared += 1
    assert compared >= 100


CUT_SHORT = {
    "stream__empty_body",
    "stream__no_message_stop",
    "stream__truncated_clean",
    "stream__truncated_clean_full_line",
    "stream__truncated_reset",
}


@pytest.mark.parametrize("provider", ["anthropic", "anthropic-vertex"])
def test_streams(shared: Path, provider: str) -> None:
    """The same text, reasoning and calls; a stream that is cut short is an error here."""
    cases = streams(shared / "parity/goldens" / provider)
    assert len(cases) >= 20
    for name, (body, case) in cases.items():
        answer, error, _ = answer_of(AnthropicMessages(), body)
        if name == "stream__no_event_names":
            assert answer.text == "Hello world"  # the port passes such events over
            continue
        text, reasoning, calls = yielded(case)
        assert answer.text == text, name
        assert "".join(part.text for part in answer.reasoning) == reasoning, name
        assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == calls, name
        assert isinstance(error, Truncated) == (name in CUT_SHORT), name
        assert (error is not None) == (name in CUT_SHORT or "error" in case), name
