"""What OpenAI's and xAI's models differ in, and against the port's table of settings."""

import json
from pathlib import Path

import pytest

from providers.types import ChatRequest, Message, Reasoning, Text
from providers.vendors.openai import NativeChat, NativeResponses, chat_profile, responses_profile
from providers.vendors.xai import _RESPONSES, XAiResponses
from tests.http.server import chunked
from tests.vendors.talk import DONE, FINISH, ask, delta, event, talk

ASKED = {
    "default": None,
    "effort_low": "low",
    "effort_medium": "medium",
    "effort_high": "high",
    "effort_minimal": "minimal",
    "effort_none": "none",
}


def request_of(model: str, setting: str) -> ChatRequest:
    effort = ASKED[setting]
    return ChatRequest(
        model=model,
        messages=[Message("user", [Text("x")])],
        reasoning=Reasoning(effort=effort) if effort else None,  # type: ignore[arg-type]
        temperature=0.7,
    )


def test_efforts_and_temperatures_of_openais_models(shared: Path) -> None:
    table = json.loads((shared / "parity/model_params/openai-native.json").read_text("utf-8"))
    known = json.loads((shared / "parity/models/openai-native.json").read_text("utf-8"))["models"]
    checked = 0
    for model, rows in table["rows"].items():
        for setting in ASKED:
            row = rows["default"] if rows[setting] == "=default" else rows[setting]
            dialect = NativeResponses(responses_profile(model))
            body = dialect.body(request_of(model, setting), stream=True)
            assert body["model"] == row["id"]
            wanted = row.get("reasoning", {}).get("reasoning_effort")
            if setting == "default" and not model.endswith(("-low", "-high")):
                wanted = None  # the table's own choice: sent only where somebody asks
            sent = body.get("reasoning", {})
            assert isinstance(sent, dict)
            assert sent.get("effort") == wanted, (model, setting)
            takes = known[model].get("supportsTemperature") is not False
            assert ("temperature" in body) == takes, model
            retention = known[model].get("promptCacheRetention")
            assert body.get("prompt_cache_retention") == retention, model
            checked += 1
    assert checked >= 200


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-5", "minimal"),
        ("gpt-5.1", "none"),
        ("o3", "low"),
        ("gpt-5-codex", "low"),
        ("gpt-4.1", None),
    ],
)
def test_the_least_reasoning_a_model_takes(model: str, effort: str | None) -> None:
    request = request_of(model, "default")
    request.reasoning = Reasoning("none", 0)
    body = NativeResponses(responses_profile(model)).body(request, stream=True)
    sent = body.get("reasoning", {})
    assert isinstance(sent, dict) and sent.get("effort") == effort


def test_efforts_of_xais_models(shared: Path) -> None:
    table = json.loads((shared / "parity/model_params/xai.json").read_text("utf-8"))
    for model, rows in table["rows"].items():
        for setting in ASKED:
            row = rows["default"] if rows[setting] == "=default" else rows[setting]
            wanted = row.get("reasoning", {}).get("reasoning_effort")
            if setting == "default":
                wanted = None
            body = XAiResponses(_RESPONSES).body(request_of(model, setting), stream=True)
            sent = body.get("reasoning", {})
            assert isinstance(sent, dict)
            assert sent.get("effort") == wanted, (model, setting)


@pytest.mark.parametrize("model", ["o1", "o3-mini", "openai/o4-mini", "o3-2025-04-16"])
def test_the_o_series_in_chat(model: str) -> None:
    request = ask(model=model, system="Be brief.", max_tokens=9, temperature=0.1, top_p=0.5)
    body = NativeChat(chat_profile(model)).body(request, stream=False)
    first = body["messages"][0]  # type: ignore[index]
    assert first == {"role": "developer", "content": "Formatting re-enabled\nBe brief."}
    assert body["max_completion_tokens"] == 9
    assert not {"temperature", "top_p", "max_tokens"} & set(body)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1", "omni-1", "gpt-5-chat-latest"])
def test_others_in_chat(model: str) -> None:
    body = NativeChat(chat_profile(model)).body(
        ask(model=model, system="Be brief.", temperature=0.1), stream=False
    )
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}  # type: ignore[index]
    assert body["temperature"] == 0.1


@pytest.mark.asyncio
async def test_openai_names_organization_and_project_and_chooses_its_format() -> None:
    async with talk("openai", organization="o", project="p", api="chat", path="/v1") as it:
        await it.stream()
        assert it.last.path == "/v1/chat/completions"
        names = ("openai-organization", "openai-project")
        assert [it.last.headers[name] for name in names] == ["o", "p"]


@pytest.mark.asyncio
async def test_xai() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 15,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "cost_in_usd_ticks": 12_000_000,
    }
    thought = {"id": "c1", "choices": [{"delta": {"reasoning_content": "hm"}}]}
    last = {"id": "c1", "choices": [], "usage": usage, "citations": ["https://a.example"]}
    answer = chunked(event(thought), event(delta("x")), event(FINISH), event(last), DONE)
    async with talk("xai", answer, path="/v1") as it:
        outcome, _ = await it.stream(model="grok-4.20", reasoning=Reasoning(effort="high"))
        assert it.last.path == "/v1/chat/completions"
        assert not {"stream_options", "reasoning_effort"} & set(it.body())
        response = outcome.response
        assert [part.text for part in response.reasoning] == ["hm"]
        assert [citation.url for citation in response.citations] == ["https://a.example"]
        assert outcome.cost is not None
        assert (outcome.cost.usd, outcome.cost.source) == (0.0012, "provider")
        assert (outcome.usage.output_tokens, outcome.usage.reasoning_tokens) == (5, 3)
        await it.stream(model="grok-3-mini", reasoning=Reasoning(effort="high"))
        assert it.body()["reasoning_effort"] == "high"
