"""Which dialect reads which recorded format, and what the service's words mean.

One line per wire format: add a line to `FORMATS` for a new dialect. The finish tables are written
down here a second time on purpose: they are what the dialects' own tables are checked against.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from providers.dialects.anthropic_messages import AnthropicMessages
from providers.dialects.base import Dialect
from providers.dialects.bedrock_converse import BedrockConverse
from providers.dialects.bedrock_invoke import BedrockInvoke
from providers.dialects.cohere import Cohere
from providers.dialects.gemini import Gemini, GeminiProfile
from providers.dialects.ollama import Ollama
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """How the rows of one wire format are read, and what is expected of them."""

    dialect: Callable[[Row], Dialect]
    finish: Callable[[Row], str | None]
    text: Callable[[Row], str] = lambda row: row["expected"]["text"]
    reasoning: Callable[[Row], str] = lambda row: row["expected"]["reasoning_text"]
    input_tokens: Callable[[Mapping[str, Any]], int | None] = lambda usage: None
    output_tokens: Callable[[Mapping[str, Any]], int | None] = lambda usage: None


OPENAI_FINISH = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "toolCalls",
    "function_call": "toolCalls",
    "content_filter": "contentFilter",
    None: "other",
    "": "other",
}


def chat_finish(row: Row) -> str | None:
    if row["expected"].get("refusal"):
        return "contentFilter"
    return OPENAI_FINISH.get(row["expected"]["finish_reason"])


def responses_finish(row: Row) -> str | None:
    expected = row["expected"]
    if expected.get("refusal"):
        return "contentFilter"
    if expected["finish_reason"] == "incomplete":
        reason = expected["incomplete_details"]["reason"]
        return {"max_output_tokens": "length", "content_filter": "contentFilter"}[reason]
    return "toolCalls" if expected["tool_calls"] else "stop"


def with_refusal(row: Row) -> str:
    """A refusal's text is the answer's text (wire contract, "Status to kind").

    Content that is an object (Cloudflare's JSON mode) is its JSON: without it there is no answer.
    """
    if "content_object" in row["expected"]:
        return json.dumps(row["expected"]["content_object"], separators=(",", ":"))
    return row["expected"]["text"] + (row["expected"].get("refusal") or "")


def openai_input(usage: Mapping[str, Any]) -> int | None:
    return usage.get("prompt_tokens", usage.get("input_tokens"))


def openai_output(usage: Mapping[str, Any]) -> int | None:
    output = usage.get("completion_tokens", usage.get("output_tokens"))
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    beside = (usage.get("prompt_tokens") or 0) + (output or 0) + (reasoning or 0)
    if reasoning and usage.get("total_tokens") == beside:
        return output + reasoning  # xAI counts reasoning beside the completion
    return output


CHAT = OpenAiChat(ChatProfile(keep_details=True))
RESPONSES = OpenAiResponses()
COMPLETIONS = OpenAiCompletions()


def openai(dialect: Dialect, finish: Callable[[Row], str | None]) -> Format:
    return Format(
        lambda row: dialect,
        finish,
        with_refusal,
        input_tokens=openai_input,
        output_tokens=openai_output,
    )


ANTHROPIC_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "toolCalls",
    "refusal": "contentFilter",
    "guardrail_intervened": "contentFilter",
    # Text models' own words, inside Bedrock's invoke:
    "finish": "stop",
    "stop": "stop",
    "complete": "stop",
    "length": "length",
}
"""Anthropic's and Bedrock's, in lower case."""


def anthropic_finish(row: Row) -> str | None:
    return ANTHROPIC_FINISH.get((row["expected"]["finish_reason"] or "").lower(), "other")


def anthropic_input(usage: Mapping[str, Any]) -> int | None:
    """Anthropic and Bedrock count what came from or went to the cache beside the input."""
    names = ("input_tokens", "inputTokens", "prompt_tokens", "prompt_token_count")
    plain = next((usage[name] for name in names if usage.get(name) is not None), None)
    cached = (
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cacheReadInputTokens",
        "cacheWriteInputTokens",
    )
    return None if plain is None else plain + sum(usage.get(name) or 0 for name in cached)


def anthropic_output(usage: Mapping[str, Any]) -> int | None:
    names = ("output_tokens", "outputTokens", "completion_tokens", "generation_token_count")
    names += ("totalOutputTextTokenCount", "tokenCount")
    return next((usage[name] for name in names if usage.get(name) is not None), None)


def anthropic(dialect: Callable[[Row], Dialect]) -> Format:
    return Format(
        dialect, anthropic_finish, input_tokens=anthropic_input, output_tokens=anthropic_output
    )


def invoke_dialect(row: Row) -> Dialect:
    """The payload depends on the model, which is in the address."""
    url = (row["request"] or {}).get("url") or row["url_guess"]
    found = re.search("/model/([^/]+)/", url)
    assert found, url
    return BedrockInvoke(unquote(found[1]))


MESSAGES = anthropic(lambda row: AnthropicMessages())
CONVERSE = anthropic(lambda row: BedrockConverse())
INVOKE = anthropic(invoke_dialect)

GEMINI_FILTERED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"}
GEMINI_FINISH = {"MAX_TOKENS": "length"} | dict.fromkeys(GEMINI_FILTERED, "contentFilter")


def gemini_finish(row: Row) -> str | None:
    expected = row["expected"]
    reason = expected["finish_reason"]
    if reason is None and (expected.get("prompt_feedback") or {}).get("blockReason"):
        return "contentFilter"
    if reason in ("STOP", 1):
        return "toolCalls" if expected["tool_calls"] else "stop"
    return GEMINI_FINISH.get(reason, "other")


def gemini_count(*names: str) -> Callable[[Mapping[str, Any]], int | None]:
    def count(usage: Mapping[str, Any]) -> int | None:
        if "promptTokenCount" not in usage:
            return None
        return sum(usage.get(f"{name}TokenCount") or 0 for name in names)

    return count


def gemini(dialect: Gemini) -> Format:
    taken, given = gemini_count("prompt", "toolUsePrompt"), gemini_count("candidates", "thoughts")
    return Format(lambda row: dialect, gemini_finish, input_tokens=taken, output_tokens=given)


def ollama_finish(row: Row) -> str | None:
    if row["expected"]["tool_calls"]:
        return "toolCalls"
    return {"stop": "stop", "length": "length"}.get(row["expected"]["finish_reason"], "other")


OLLAMA = Format(
    lambda row: Ollama(),
    ollama_finish,
    input_tokens=lambda usage: usage.get("prompt_eval_count"),
    output_tokens=lambda usage: usage.get("eval_count"),
)

COHERE_FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "toolCalls",
}


def cohere_finish(row: Row) -> str | None:
    return COHERE_FINISH.get(row["expected"]["finish_reason"], "other")


def with_plan(row: Row) -> str:
    """What is said of the tools to be called is reasoning, too."""
    return row["expected"]["reasoning_text"] + (row["expected"].get("tool_plan") or "")


COHERE = Format(
    lambda row: Cohere(),
    cohere_finish,
    reasoning=with_plan,
    input_tokens=lambda usage: usage["tokens"]["input_tokens"],
    output_tokens=lambda usage: usage["tokens"]["output_tokens"],
)

# Version 1 is not spoken to Cohere itself. It is what Bedrock's Command R speaks, billed units
# being all that it counts there.
COHERE_V1 = Format(
    lambda row: BedrockInvoke("cohere.command-r-v1:0"),
    cohere_finish,
    input_tokens=lambda usage: usage["input_tokens"],
    output_tokens=lambda usage: usage["output_tokens"],
)

FORMATS: dict[str, Format] = {
    "openai-chat-sse": openai(CHAT, chat_finish),
    "openai-chat-json": openai(CHAT, chat_finish),
    "openai-responses-sse": openai(RESPONSES, responses_finish),
    "openai-responses-json": openai(RESPONSES, responses_finish),
    "openai-completions-sse": openai(COMPLETIONS, chat_finish),
    "openai-completions-json": openai(COMPLETIONS, chat_finish),
    "errors-openai-chat": openai(CHAT, chat_finish),
    "errors-openai-responses": openai(RESPONSES, responses_finish),
    "errors-openai-completions": openai(COMPLETIONS, chat_finish),
    "anthropic-messages-sse": MESSAGES,
    "anthropic-messages-json": MESSAGES,
    "errors-anthropic-messages": MESSAGES,
    "bedrock-converse-eventstream": CONVERSE,
    "bedrock-converse-json": CONVERSE,
    "errors-bedrock-converse": CONVERSE,
    "bedrock-invoke-eventstream": INVOKE,
    "bedrock-invoke-json": INVOKE,
    "errors-bedrock-invoke": INVOKE,
    "gemini-sse": gemini(Gemini()),
    "gemini-jsonarray": gemini(Gemini(GeminiProfile(stream="json"))),
    "gemini-json": gemini(Gemini()),
    "errors-gemini": gemini(Gemini()),
    "ollama-ndjson": OLLAMA,
    "ollama-json": OLLAMA,
    "errors-ollama": OLLAMA,
    "cohere-v2-sse": COHERE,
    "cohere-v2-json": COHERE,
    "errors-cohere-v2": COHERE,
    "cohere-v1-json": COHERE_V1,
    "errors-cohere-v1": COHERE,
}
