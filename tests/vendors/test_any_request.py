"""Whatever a request says, a provider makes a body of it or refuses it: nothing else is raised.

What is neither would be answered as a bug of ours. The texts, states, arguments and schemas are
those that once were, or might be, more than a format can write down.
"""

import random
from typing import Any

import msgspec
import pytest

from providers.dialects.anthropic_turns import arguments_object
from providers.errors import ProviderError
from providers.manager import ProviderManager
from providers.settings import ProvidersConfig
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
)
from providers.vendors.base import HttpProvider
from providers.wire import json_text

VERTEX = {"accessToken": "t", "project": "p", "location": "us-central1"}
ON_BEDROCK = (
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.titan-text-express-v1",
    "meta.llama3-1-8b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "cohere.command-r-v1:0",
    "ai21.jamba-1-5-large-v1:0",
    "openai.gpt-oss-120b-1:0",
)
PROVIDERS: list[tuple[str, dict[str, Any], str]] = [
    ("openai", {"api": "chat"}, "gpt-4o"),
    ("openai", {}, "gpt-5"),
    ("openai", {"api": "completions"}, "gpt-3.5-turbo-instruct"),
    ("azure", {"deployment": "d"}, "gpt-4o"),
    ("anthropic", {}, "claude-sonnet-4-5"),
    ("anthropic", {"promptFormat": "human-assistant"}, "claude-2"),
    ("gemini", {}, "gemini-2.5-flash"),
    ("vertex", VERTEX, "gemini-2.5-flash"),
    ("vertex", VERTEX, "claude-sonnet-4-5@20250929"),
    *(("bedrock", {"region": "us-east-1"}, model) for model in ON_BEDROCK),
    *(("bedrock", {"region": "us-east-1", "api": "invoke"}, model) for model in ON_BEDROCK),
    ("xai", {"api": "responses"}, "grok-4"),
    ("openrouter", {}, "google/gemini-2.5-pro"),
    ("perplexity", {}, "sonar-pro"),
    ("ollama", {}, "llama3.1"),
    ("cohere", {}, "command-a-reasoning-08-2025"),
    ("openai-compatible", {}, "m"),
    ("mistral", {}, "mistral-large-latest"),
    ("deepseek", {}, "deepseek-reasoner"),
]

HALF = r"\ud83d"  # the escape of one half of a character
TEXTS = ("", " ", "\n", "hi", "ü\U0001f600", "x" * 3000, "\ufffd", '{"a":1}')
STATES = (
    None,
    "",
    "=",
    "é",
    "sig",
    "[",
    "[]",
    "{}",
    "[1]",
    '{"type":"reasoning"}',
    f'{{"type":"reasoning","id":"{HALF}"}}',
    f'[{{"type":"reasoning.text","text":"{HALF}"}}]',
    '[{"type":"reasoning.text","text":null}]',
    "EpAECkYICxgCKkBmAu3ykuTA" * 5,
    "CmIBjz1rX0OQAtrZnJaEf6TJ" * 5,
)
ARGUMENTS = ("", "{}", '{"a":1}', "no json", "[1]", "null", '{"a":', f'{{"a":["{HALF}"]}}')
IMAGES = (
    Image(mime_type="image/png", data="iVBORw0KGgo="),
    Image(mime_type="application/pdf", data="AA"),
    Image(data="AA"),
    Image(url="https://x.test/a.png"),
    Image(url="data:image/png;base64,AAAA"),
    Image(url="data:,x"),
    Image(),
)
SCHEMAS: tuple[dict[str, Any], ...] = (
    {},
    {"type": "array"},
    {"$ref": "#/x"},
    {"type": "object", "properties": None},
    {"properties": []},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"$defs": {}}]}}},
)
REASONING = (
    Reasoning(),
    Reasoning("high"),
    Reasoning("none"),
    Reasoning("minimal", 0),
    Reasoning(None, 10**7),
)


class Requests:
    """Makes requests by chance, the same ones each time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def part(self) -> Part:
        pick = self.chance.choice
        made: tuple[Part, ...] = (
            Text(pick(TEXTS)),
            Text(pick(TEXTS)),
            pick(IMAGES),
            ReasoningState(pick(TEXTS), pick(STATES)),
            ExecutedCode("python", pick(TEXTS), pick((None, "out"))),
        )
        return pick(made)

    def call(self) -> ToolCall:
        pick = self.chance.choice
        call_id = pick(("c1", "c2", "", "x" * 100, "a b/ü"))
        return ToolCall(call_id, pick(("f", "", "ü!")), pick(ARGUMENTS), pick(STATES))

    def message(self) -> Message:
        pick, role = self.chance.choice, self.chance.choice(("system", "user", "assistant", "tool"))
        content = [self.part() for _ in range(self.chance.randrange(4))]
        calls = [self.call() for _ in range(self.chance.randrange(3))]
        result_of = pick(("c1", "", None, "zz")) if role == "tool" else None
        failed = self.chance.random() < 0.3
        return Message(role, content, calls if role == "assistant" else [], result_of, failed)

    def options(self) -> dict[str, Any]:
        pick = self.chance.choice
        tools = [ToolDefinition(pick(("f", "", "ü x")), pick(SCHEMAS), pick((None, "", "d")))]
        every: dict[str, Any] = {
            "system": pick(TEXTS),
            "max_tokens": pick((1, 10**9)),
            "temperature": pick((0, 2)),
            "top_p": 0.3,
            "stop": pick(([], ["a"] * 9)),
            "seed": pick((0, -1, 2**63)),
            "tools": tools * pick((1, 2)),
            "tool_choice": pick(("auto", "none", "required", NamedTool("f"), NamedTool("zz"))),
            "reasoning": pick(REASONING),
            "response_format": pick(("json", "text", JsonSchema("n", pick(SCHEMAS)))),
            "cache": False,
        }
        return {name: value for name, value in every.items() if self.chance.random() < 0.35}

    def request(self, model: str) -> ChatRequest | CompletionRequest:
        if self.chance.random() < 0.1:
            suffix = self.chance.choice((None, *TEXTS))
            prompt = self.chance.choice(TEXTS)
            return CompletionRequest(prompt=prompt, suffix=suffix, model=model, **self.options())
        messages = [self.message() for _ in range(self.chance.randrange(1, 6))]
        return ChatRequest(messages=messages, model=model, **self.options())


@pytest.mark.asyncio
async def test_a_body_or_a_refusal() -> None:
    made = Requests(20261121)
    bodies = 0
    for kind, more, model in PROVIDERS:
        table = {"kind": kind, "baseUrl": "http://127.0.0.1:1", "apiKey": "k", **more}
        config = msgspec.convert({"providers": {"p": table}}, ProvidersConfig)
        manager = ProviderManager(config, environ={})
        provider = manager._registry.get("p")
        assert isinstance(provider, HttpProvider)
        for number in range(150):
            request = made.request(model)
            try:
                dialect = provider.dialect_for(request)
                json_text.encode(dialect.body(request, stream=number % 2 == 0))
                provider.request_headers(request, stream=True)
                bodies += 1
            except ProviderError:
                continue
        await manager.aclose()
    assert bodies > 1000


def test_half_a_character_in_arguments_is_made_whole() -> None:
    assert arguments_object(f'{{"a":["{HALF}"]}}') == {"a": ["\ufffd"]}
    assert arguments_object(r'{"a":"\ud83d\ude00"}') == {"a": "\U0001f600"}
