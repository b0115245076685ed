"""The targets by name. Each is loaded only when it is asked for: atheris instruments the import."""

import importlib
from typing import Any

NAMES = (
    "framing",
    "rpc",
    "params",
    "config",
    "sse",
    "json_array",
    "ndjson",
    "eventstream",
    "json_text",
    "openai_chat",
    "openai_responses",
    "openai_completions",
    "anthropic",
    "gemini",
    "bedrock_converse",
    "bedrock_invoke",
    "ollama",
    "cohere",
    "claude_code",
)


def load(name: str) -> Any:
    """Return the target: `check(data)`, `SEEDS` and `WORDS` (what its inputs are made of)."""
    if name not in NAMES:
        raise ValueError(f"no such target: {name}")
    dialects = NAMES[NAMES.index("openai_chat") :]
    if name in dialects:
        module = importlib.import_module("fuzz.targets.dialects")
        return module.target(name)
    return importlib.import_module(f"fuzz.targets.{name}")
