"""What the port sends in Bedrock's Converse format, field by field, and its rules for schemas.

Left out of the comparison, each on purpose (`docs/parity.md`): what nobody asked for (`toolConfig`
without tools, `toolChoice` without a choice, temperature 0.3), an answer limit for a model that no
catalog knows, `[object Object]` and `[Unknown Block Type]` for what was not understood, and the
`success` of a result that was an error.
"""

import json
from pathlib import Path

import pytest

from providers.dialects.bedrock_converse import BedrockConverse, BedrockProfile
from providers.dialects.bedrock_schema import strict_schema
from providers.types import ChatRequest, Message, Reasoning, Text
from tests.dialects.feeding import answer_of
from tests.dialects.parity import Json, load, request_of, sent, streams, yielded

ELSEWHERE = {
    "request__reasoning_history": "reasoning goes back, where the port lost it",
    "request__lone_surrogate": "our requests hold none",
    "cache__three_turns_same_handler": "several requests; ours are compared one at a time",
    "config__arn_application": "the model behind it is unknown",
    "config__arn_provisioned": "the model behind it is unknown",
    "config__arn_router": "the model behind it is unknown",
    "config__1m_context": "a beta feature that the configuration asks for",
    "config__thinking_metadata": "a request's own metadata, which ours do not have",
    "config__unknown_claude_3_5": "the model is unknown to the port's table",
}


def model_of(case: Json) -> str:
    """Return the model as the user would name it: the ARN, or with its cross-region prefix."""
    config = case["config"]
    path = case["requests"][0]["path"]
    called = path.split("/")[2].replace("%3A", ":").replace("%2F", "/")
    return config.get("awsCustomArn") or called


def plain(body: Json) -> Json:
    body = json.loads(json.dumps(body).replace("[object Object]", "?"))
    tools = body.get("toolConfig") or {}
    if not tools.get("tools"):
        body.pop("toolConfig", None)
    elif tools.get("toolChoice") == {"auto": {}}:
        tools.pop("toolChoice")
    config = body.get("inferenceConfig", {})
    if config.get("temperature") == 0.3:
        config.pop("temperature")
    for message in body["messages"]:
        for block in message["content"]:
            if "toolResult" in block:
                block["toolResult"].pop("status")
                block["toolResult"]["content"] = [
                    {"text": "?"} if "image" in part else part
                    for part in block["toolResult"]["content"]
                ]
    return {name: value for name, value in body.items() if value not in ([], {})}


@pytest.mark.parametrize("pattern", ["request__*", "model__*", "config__*", "cache__*"])
def test_bodies(shared: Path, pattern: str) -> None:
    cases = load(shared / "parity/goldens/bedrock", f"{pattern}.json")
    assert len(cases) >= 1
    for name, case in cases.items():
        if name in ELSEWHERE:
            continue
        config = case["config"]
        reasoning = None
        if config.get("enableReasoningEffort"):
            reasoning = Reasoning("medium", config.get("modelMaxThinkingTokens"))
        model = model_of(case)
        request = request_of(case, model, reasoning)
        request.cache = config.get("awsUsePromptCache", True)
        if "modelTemperature" in config:
            request.temperature = config["modelTemperature"]
        want = plain(sent(case))
        known = want["inferenceConfig"].get("maxTokens")
        claude = "anthropic" in model
        dialect = BedrockConverse(BedrockProfile(max_output_tokens=None if claude else known))
        if name == "config__max_tokens":
            request.max_tokens = known
        ours = plain(json.loads(json.dumps(dialect.body(request, stream=True))))
        if name in ("cache__long_conversation", "cache__many_turns"):
            # The port's choice depends on its earlier requests; ours are the last two, always.
            assert points(ours)[-1] == points(want)[-1]
            continue
        assert ours == want, name
        assert dialect.path(request, stream=True) == case["requests"][0]["path"], name


def points(body: Json) -> list[int]:
    return [
        i
        for i, message in enumerate(body["messages"])
        if message["content"][-1] == {"cachePoint": {"type": "default"}}
    ]


def test_answer_limits_and_thinking(shared: Path) -> None:
    rules = json.loads((shared / "parity/model_params/bedrock.json").read_text("utf-8"))
    table = json.loads((shared / "parity/models/bedrock.json").read_text("utf-8"))
    known = {name: info for part in models(table) for name, info in part.items()}
    compared = 0
    for model, rows in rules["rows"].items():
        info = known[model]
        profile = BedrockProfile(
            max_output_tokens=info["maxTokens"], context_window=info["contextWindow"]
        )
        for setting in ("default", "reasoning_on", "effort_low", "budget_over", "budget_tiny"):
            row = rows["default"] if rows[setting] == "=default" else rows[setting]
            config = rules["settings"][setting]
            budget = config.get("modelMaxThinkingTokens")
            thinks = "reasoningBudget" in row
            if "modelMaxTokens" in config and not thinks:
                continue  # a limit that is asked for is sent
            request = ChatRequest(
                model=model,
                messages=[Message("user", [Text("x")])],
                reasoning=Reasoning("low", budget) if setting != "default" else None,
                max_tokens=config.get("modelMaxTokens"),
            )
            body = json.loads(json.dumps(BedrockConverse(profile).body(request, stream=True)))
            extra = body.get("additionalModelRequestFields", {})
            assert body["inferenceConfig"]["maxTokens"] == row["maxTokens"], (model, setting)
            assert extra.get("thinking") == row.get("reasoning"), (model, setting)
            compared += 1
    assert compared >= 100


def models(table: object) -> list[dict[str, Json]]:
    """Return every table of models in the file."""
    if not isinstance(table, dict):
        return []
    if any(isinstance(v, dict) and "contextWindow" in v for v in table.values()):
        return [{k: v for k, v in table.items() if isinstance(v, dict)}]
    return [found for value in table.values() for found in models(value)]


def test_schemas(shared: Path) -> None:
    vectors = json.loads((shared / "parity/vectors/pure_functions.json").read_text("utf-8"))
    assert len(vectors["normalize_tool_schema"]) >= 7
    for row in vectors["normalize_tool_schema"]:
        given = json.dumps(row["in"])
        assert strict_schema(row["in"]) == row["out"]
        assert json.dumps(row["in"]) == given  # the request's own is left as it was


def test_streams(shared: Path) -> None:
    """The same text, reasoning, calls and counts; errors are errors here, never text."""
    cases = streams(shared / "parity/goldens/bedrock")
    assert len(cases) >= 15
    for name, (body, case) in cases.items():
        answer, error, _ = answer_of(BedrockConverse(), body)
        text, reasoning, calls = yielded(case)
        assert answer.text == text, name
        assert "".join(part.text for part in answer.reasoning) == reasoning, name
        assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == calls, name
        assert (error is not None) == ("error" in case), name
        if error is None and answer.usage is not None:
            last = next(e for e in reversed(case["emitted"]) if e["type"] == "usage")
            cached = (last.get("cacheReadTokens") or 0) + (last.get("cacheWriteTokens") or 0)
            assert answer.usage.input_tokens == last["inputTokens"] + cached, name
            assert answer.usage.output_tokens == last["outputTokens"], name
