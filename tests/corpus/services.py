"""Which provider of ours a recorded answer is served to, and what it is asked.

One line per service that has a provider of its own; the others are what `openai-compatible` is for.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from providers.types import ChatRequest, CompletionRequest, Message, Text
from tests.corpus.formats import Row

CHAT_KINDS = {
    "openai": "openai",
    "azure": "azure",
    "bedrock-mantle": "aws",
    "xai": "xai",
    "openrouter": "openrouter",
    "groq": "groq",
    "perplexity": "perplexity",
    "ollama": "ollama",
    "alibaba": "qwen",
    "cerebras": "cerebras",
    "deepseek": "deepseek",
    "huggingface": "huggingface",
    "llama.cpp": "llama-cpp",
    "mistral": "mistral",
    "moonshot": "moonshot",
    "together": "together",
    "vercel-gateway": "vercel-ai-gateway",
    "zai": "zai",
}
"""Of services that speak Chat Completions."""

RESPONSES_KINDS = {
    "openai": "openai",
    "azure": "azure",
    "bedrock-mantle": "aws",
    "xai": "xai",
    "openrouter": "openrouter",
}


@dataclass
class Service:
    """`table` lacks the `baseUrl` only."""

    kind: str
    request: ChatRequest | CompletionRequest
    table: dict[str, Any] = field(default_factory=dict[str, Any])


def service_of(row: Row) -> Service:
    """Return the provider that stands for the row's service, and a small request for it."""
    family = re.sub(r"^errors-|-(sse|json|ndjson|jsonarray|eventstream)$", "", row["wire_format"])
    made = _FAMILIES[family](row)
    made.table.setdefault("apiKey", "k-recorded")
    return made


def _chat(row: Row) -> Service:
    kind = CHAT_KINDS.get(row["provider"], "openai-compatible")
    apis = ("openai", "ollama")  # whose default is another
    return Service(kind, _ask(row), {"api": "chat"} if kind in apis else {})


def _responses(row: Row) -> Service:
    kind = RESPONSES_KINDS.get(row["provider"], "openai-compatible")
    return Service(kind, _ask(row), {"api": "responses"})


def _completions(row: Row) -> Service:
    kind = "openai" if row["provider"] == "openai" else "openai-compatible"
    return Service(kind, CompletionRequest(prompt="hi", model=model_of(row)), _COMPLETIONS)


def _anthropic(row: Row) -> Service:
    if row["provider"] == "vertex":
        model = model_of(row).rpartition("/")[2]
        if not model.startswith("claude"):
            model = "claude-sonnet-4-5@20250929"
        return Service("vertex", _ask(row, model), dict(_VERTEX))
    return Service("anthropic", _ask(row))


def _gemini(row: Row) -> Service:
    table = dict(_VERTEX) if row["provider"] == "vertex" else {}
    if row["wire_format"] == "gemini-jsonarray":
        table["stream"] = "json"
    model = model_of(row)
    known = model if model.startswith("gemini") else "gemini-2.5-flash"
    return Service("vertex" if row["provider"] == "vertex" else "gemini", _ask(row, known), table)


def _bedrock(api: str) -> Any:
    return lambda row: Service("bedrock", _ask(row), {"region": "us-east-1", "api": api})


def _ollama(row: Row) -> Service:
    if "/api/generate" in url_of(row):
        return Service("ollama", CompletionRequest(prompt="hi", model=model_of(row), raw=True))
    return Service("ollama", _ask(row))


def _cohere_v1(row: Row) -> Service:
    """Version 1 is what Command R speaks at Bedrock; its errors are those of version 2."""
    if row["kind"] == "error":
        return Service("cohere", _ask(row))
    table = {"region": "us-east-1", "api": "invoke"}
    return Service("bedrock", _ask(row, "cohere.command-r-v1:0"), table)


_COMPLETIONS = {"api": "completions"}
_VERTEX = {"accessToken": "t-recorded", "project": "p", "location": "us-east5"}
_FAMILIES: dict[str, Any] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "openai-completions": _completions,
    "anthropic-messages": _anthropic,
    "gemini": _gemini,
    "bedrock-converse": _bedrock("converse"),
    "bedrock-invoke": _bedrock("invoke"),
    "ollama": _ollama,
    "cohere-v2": lambda row: Service("cohere", _ask(row)),
    "cohere-v1": _cohere_v1,
}


def _ask(row: Row, model: str | None = None) -> ChatRequest:
    return ChatRequest(
        messages=[Message("user", [Text("hi")])], model=model_of(row) if model is None else model
    )


def url_of(row: Row) -> str:
    return (row["request"] or {}).get("url") or row["url_guess"] or ""


def model_of(row: Row) -> str:
    """Return the model that was asked: the body says it, the address, or else the answer."""
    body = (row["request"] or {}).get("body")
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        return body["model"]
    found = re.search("/models?/([^/:?]+(?::[0-9]+)?)", unquote(url_of(row)))
    return found[1] if found else row["expected"].get("model") or "m"
