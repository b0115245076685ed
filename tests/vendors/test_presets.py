"""The table of services: each row makes a provider, and nothing else is needed for it."""

import json

import pytest

from providers.auth.env import PROVIDER_ENV, configured_kinds
from providers.base import AiProvider
from providers.catalog.presets import PRESETS, Preset
from providers.errors import NotConfigured, Unsupported
from providers.manager import ProviderManager
from providers.registry import KINDS
from providers.settings import ProvidersConfig, ProviderSettings
from providers.types import (
    CompletionRequest,
    Message,
    Reasoning,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
)
from tests.http.server import chunked
from tests.vendors.talk import ANSWER, WHOLE, as_json, ask, delta, event, talk

BARE = {"deepseek"}  # as its own SDK has it


def provider(kind: str) -> AiProvider:
    table = {kind: ProviderSettings(api_key="k")}
    return ProviderManager(ProvidersConfig(providers=table), environ={})._registry.get(kind)


def test_the_mission_names_these() -> None:
    named = """mistral codestral deepseek cerebras fireworks sambanova moonshot deepinfra together
        nvidia huggingface featherless chutes io-intelligence glama requesty unbound roo zai doubao
        qwen baseten minimax poe vercel-ai-gateway litellm lm-studio vllm llama-cpp github-models"""
    assert set(named.split()) <= set(PRESETS)


@pytest.mark.parametrize("kind", PRESETS)
def test_a_row_is_all_there_is_to_a_service(kind: str) -> None:
    row = PRESETS[kind]
    assert kind in KINDS
    assert PROVIDER_ENV[kind].keys == row.keys
    made = provider(kind)
    assert (made.base_url, made.model) == (row.base_url, row.model)
    assert row.base_url.startswith("http://localhost:" if row.keyless else "https://")
    assert not row.base_url.endswith("/")
    if not row.others_key:
        assert kind in configured_kinds({row.keys[0]: "x"})


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", PRESETS)
async def test_a_conversation_goes_to_the_path_with_the_key(kind: str) -> None:
    async with talk(kind, path="/p", model="m") as it:
        outcome, _ = await it.stream()
        assert outcome.response.text == "Hello"
        assert (it.last.method, it.last.path) == ("POST", "/p/chat/completions")
        assert it.last.headers["authorization"] == "Bearer k-secret"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", PRESETS)
async def test_filling_in_goes_to_its_own_path_or_is_refused(kind: str) -> None:
    request = CompletionRequest(prompt="a", suffix="b", model="m")
    row = PRESETS[kind]
    async with talk(kind, WHOLE, path="/p") as it:
        if not row.fim:
            with pytest.raises(Unsupported, match="suffix"):
                await it.complete(request)
            assert it.server.requests == []
            return
        await it.complete(request)
        if kind == "llama-cpp":  # its /completions would ignore the suffix without a word
            assert it.last.path == "/infill"
            assert it.body() == {"model": "m", "input_prefix": "a", "input_suffix": "b"}
            return
        assert it.last.path == "/p" + row.fim
        assert it.body() == {"model": "m", "prompt": "a", "suffix": "b"}


@pytest.mark.asyncio
async def test_a_paid_service_is_never_asked_for_a_model_that_nobody_chose() -> None:
    async with talk("together") as it:
        with pytest.raises(NotConfigured, match=r"providers\.together\.model"):
            await it.stream()
        assert it.server.requests == []


@pytest.mark.asyncio
async def test_a_server_of_ones_own_needs_neither_key_nor_model() -> None:
    listed = as_json({"data": [{"id": "qwen3"}]})
    async with talk("lm-studio", listed, ANSWER, path="/v1", key=None) as it:
        await it.stream()
        assert it.body()["model"] == "qwen3"
        assert "authorization" not in it.last.headers


@pytest.mark.asyncio
async def test_a_list_of_models_may_lie_beside_the_address() -> None:
    async with talk("github-models", as_json([{"id": "openai/gpt-4.1"}]), path="/inference") as it:
        (model,) = await it.manager.models("github-models", refresh=True)
        assert it.last.path == "/catalog/models"
        assert model.id == "openai/gpt-4.1"


# --- What single rows say ------------------------------------------------------------------

CALLED = [
    Message("user", [Text("read it")]),
    Message(
        "assistant",
        [ReasoningState("let me think")],
        [ToolCall("call_12345678901234", "read", '{"a":1}')],
    ),
    Message("tool", [Text("done")], tool_call_id="call_12345678901234"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["mistral", "codestral"])
async def test_mistral(kind: str) -> None:
    request = ask(model="m", seed=7)
    request.messages = CALLED
    async with talk(kind) as it:
        await it.stream(request)
        body = it.body()
        ids = [m.get("tool_call_id") or m["tool_calls"][0]["id"] for m in body["messages"][1:]]
        assert ids == ["call12345", "call12345"]
        assert body["random_seed"] == 7
        assert not {"seed", "stream_options"} & set(body)


@pytest.mark.asyncio
async def test_deepseek() -> None:
    request = ask(model="deepseek-reasoner", system="Be brief.", max_tokens=9)
    request.messages = CALLED
    async with talk("deepseek") as it:
        await it.stream(request)
        body = it.body()
        assert body["messages"][0] == {"role": "user", "content": "Be brief.\nread it"}
        assert body["messages"][1]["reasoning_content"] == "let me think"
        assert body["thinking"] == {"type": "enabled"}
        assert body["max_completion_tokens"] == 9
        await it.stream(ask(model="deepseek-chat"))
        assert "thinking" not in it.body()


@pytest.mark.asyncio
async def test_reasoning_comes_and_goes_as_content_where_the_service_has_it_so() -> None:
    thought = {"id": "c", "choices": [{"delta": {"reasoning_content": "hm"}}]}
    end = {"id": "c", "choices": [{"delta": {}, "finish_reason": "stop"}]}
    for kind in ("deepseek", "moonshot", "zai"):
        async with talk(kind, chunked(event(thought), event(delta("x")), event(end))) as it:
            request = ask(model="m", reasoning=Reasoning(effort="none"))
            request.messages = CALLED
            outcome, _ = await it.stream(request)
            assert [part.text for part in outcome.response.reasoning] == ["hm"]
            assert it.body()["thinking"] == {"type": "disabled"}
            assert it.body()["messages"][1]["reasoning_content"] == "let me think"


@pytest.mark.asyncio
async def test_qwen_and_a_service_without_strict_schemas() -> None:
    async with talk("qwen") as it:
        await it.stream(model="qwen3", reasoning=Reasoning(budget_tokens=500))
        assert (it.body()["enable_thinking"], it.body()["thinking_budget"]) == (True, 500)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    async with talk("llama-cpp", model="m") as it:
        await it.stream(tools=[ToolDefinition("f", schema)])
        assert it.body()["tools"][0]["function"] == {"name": "f", "parameters": schema}


def test_a_row_is_data() -> None:
    """It must not need code: what is in it can be written down as JSON."""
    assert json.dumps([row._asdict() for row in PRESETS.values()])
    assert isinstance(PRESETS["mistral"], Preset)
