"""The cloud services' recordings through providers of ours: Anthropic, Vertex (both publishers),
Bedrock. Settings that the port makes of its own tables and ours of a request are asked for here;
limits of answers are not, because both sides take them from the model.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from providers.types import ChatRequest, CompletionRequest, Reasoning
from tests.dialects.parity import request_of
from tests.parity.compare import differences
from tests.parity.drive import Json, Observed, drive
from tests.parity.request import build as build_as_recorded
from tests.parity.request import first_body


@dataclass
class Setup:
    """One provider of ours, under its kind's name."""

    kind: str
    model: str
    table: Json = field(default_factory=dict[str, Any])
    environ: dict[str, str] = field(default_factory=dict[str, str])


def anthropic(case: Json) -> Setup:
    config = case["config"]
    said = config.get("__env", {})
    # The port takes the setting for a token only at another address.
    token = config.get("anthropicUseAuthToken") and "anthropicBaseUrl" in config
    table: Json = {}
    if config.get("apiKey"):
        table["authToken" if token else "apiKey"] = config["apiKey"]
    for address in (config.get("anthropicBaseUrl"), said.get("ANTHROPIC_BASE_URL")):
        if address:
            table["baseUrl"] = address
    if config.get("anthropicBeta1MContext") and "sonnet-4" in config["apiModelId"]:
        table["betas"] = ["context-1m-2025-08-07"]
    return Setup("anthropic", _model(case), table, said)


def vertex(case: Json) -> Setup:
    config = case["config"]
    table: Json = {"accessToken": "ya29.test-token"}
    if config.get("vertexProjectId"):
        table["project"] = config["vertexProjectId"]
    if config.get("vertexRegion"):
        table["location"] = config["vertexRegion"]
    if config.get("vertex1MContext"):
        table["betas"] = ["context-1m-2025-08-07"]
    return Setup("vertex", _model(case), table)


def bedrock(case: Json) -> Setup:
    config = case["config"]
    table: Json = {}
    if config.get("awsRegion"):
        table["region"] = config["awsRegion"]
    if config.get("awsUseApiKey"):
        table["apiKey"] = config["awsApiKey"]
    if config.get("awsBedrock1MContext"):
        table["betas"] = ["context-1m-2025-08-07"]
    environ = {
        "AWS_ACCESS_KEY_ID": config.get("awsAccessKey", ""),
        "AWS_SECRET_ACCESS_KEY": config.get("awsSecretKey", ""),
        "AWS_SESSION_TOKEN": config.get("awsSessionToken", ""),
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    model = config.get("awsCustomArn") or ""
    if not model and case["requests"]:
        model = case["requests"][0]["path"].split("/")[2].replace("%3A", ":")
    return Setup("bedrock", model or _model(case), table, environ)


SETUPS = {"anthropic": anthropic, "anthropic-vertex": vertex, "vertex": vertex, "bedrock": bedrock}

LEFT_OUT = {
    "request__document_block": "documents are not part of our requests",
    "request__tool_result_last_block_cache": "our requests have results before the user's text",
    "request__lone_surrogate": "no text of ours holds one: the editor's side replaces them",
    "request__image_url_source": "the port refuses an image's address; Google takes it",
    "request__tool_result_missing_name": "the port guesses a tool's name out of its result's id",
    "cache__three_turns_same_handler": "several requests; ours are compared one at a time",
    "config__thinking_metadata": "a request's own metadata, which ours do not have",
}


NO_END = "an answer without its format's last event is not whole"
NO_BREAK = "the port puts a line break of its own between an answer's blocks"
RETRIED = "asked again, as the contract says: the port gives up"
OWN_ID = "the service's own id of a call is kept"
CATALOG = "the model is known by its real window, or not at all"
SILENT = "a result of nothing is a result"
THOUGHT_FIRST = "text behind thinking is found"
OWN_TOOLS = "the service's own tools"
LAST_EVENT = "the last event may end with the body"
WHITE = "white space is text"
EMPTY = "an empty answer is one"
OWN_KEYS = "own keys of the port's got in"
OWN = frozenset({OWN_ID, SILENT, THOUGHT_FIRST, OWN_TOOLS, LAST_EVENT, WHITE, EMPTY, OWN_KEYS})
"""See `known.OWN`."""

KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("anthropic", "config__unknown_model"): ("body", "no silent default for an unknown model"),
    ("anthropic", "stream__redacted_thinking"): ("text reasoning", NO_BREAK),
    ("anthropic", "stream__empty_body"): ("error requests waits", NO_END),
    ("anthropic-vertex", "complete__empty_content"): ("error", EMPTY),
    ("anthropic-vertex", "complete__thinking_first"): ("text", THOUGHT_FIRST),
    ("anthropic-vertex", "config__no_project"): ("path error", "without a project nothing is sent"),
    ("anthropic-vertex", "config__region_global"): ("path", "`global` has no prefix"),
    ("anthropic-vertex", "request__reasoning_history"): ("body", OWN_KEYS),
    ("anthropic-vertex", "stream__no_event_names"): ("text", "event names may be missing"),
    ("anthropic-vertex", "stream__server_tool_use"): ("text calls", OWN_TOOLS),
    ("vertex", "config__gemini3_tool_history"): ("body", SILENT),
    ("vertex", "config__no_region"): ("path", "Google's SDK: `global` where none is named"),
    ("vertex", "config__unknown_model"): ("path", "no silent default for an unknown model"),
    ("vertex", "error__429_retry_after"): ("requests waits", RETRIED),
    ("vertex", "error__529"): ("requests waits", RETRIED),
    ("vertex", "stream__empty_body"): ("error requests waits", NO_END),
    ("vertex", "stream__two_candidates"): ("error", NO_END),
    ("vertex", "stream__mid_error"): ("error", "an error in the stream is one"),
    ("vertex", "stream__mid_error_429"): ("error", "an error in the stream is one"),
    ("vertex", "stream__no_trailing_blank"): ("error", LAST_EVENT),
    ("vertex", "stream__unicode"): ("error", "U+2028 ends no line"),
    ("bedrock", "complete__blank"): ("text", WHITE),
    ("bedrock", "complete__reasoning_first"): ("text", THOUGHT_FIRST),
    ("bedrock", "config__arn_*"): ("body", CATALOG),
    ("bedrock", "stream__router_arn_trace"): ("body", CATALOG),
    ("bedrock", "model__amazon.titan-*"): ("body", CATALOG),
    ("bedrock", "request__reasoning_history"): ("body", "reasoning goes back"),
    ("bedrock", "stream__mid_*"): ("requests waits", RETRIED),
    ("*", "error__429_retry_after_long"): ("requests waits", "too long a wait is told at once"),
    ("*", "complete__error_5*"): ("requests waits", RETRIED),
    ("*", "network__*"): ("requests waits error", RETRIED),
    ("*", "retry__*"): ("requests waits error", RETRIED),
    ("*", "request__reasoning_item"): ("error requests", "the port breaks on its own state"),
    ("*", "stream__error_first"): ("requests waits", RETRIED),
    ("*", "stream__no_message_stop"): ("error", NO_END),
    ("*", "stream__truncated_clean*"): ("error", NO_END),
    ("*", "stream__thinking"): ("text", NO_BREAK),
    ("*", "stream__two_text_blocks"): ("text", NO_BREAK),
    ("*", "*__tool_with_id"): ("calls", OWN_ID),
}
"""What differs on purpose: (provider, case) -> the points at which it may, and why."""


def reasons(provider: str, name: str) -> dict[str, str]:
    """Return the points at which a case may differ, with the reason."""
    found: dict[str, str] = {}
    for (whose, pattern), (points, reason) in KNOWN.items():
        if whose in (provider, "*") and fnmatchcase(name, pattern):
            found |= dict.fromkeys(points.split(), reason)
    return found


def reason_of(case: str, line: str) -> str | None:
    """Return why `line`, a difference of the case `provider/name`, is meant; None if it is not."""
    provider, _, name = case.partition("/")
    return reasons(provider, name).get(line.partition(":")[0])


def _model(case: Json) -> str:
    return case["config"].get("apiModelId") or ""


def cases(shared: Path, provider: str) -> Iterator[tuple[str, Json]]:
    """Yield the recorded cases of a provider, by name."""
    for path in sorted((shared / "parity/goldens" / provider).glob("*.json")):
        if path.stem not in LEFT_OUT:
            yield path.stem, json.loads(path.read_text("utf-8"))


def build(case: Json, model: str) -> ChatRequest | CompletionRequest:
    """Return the case's request."""
    config, body = case["config"], first_body(case)
    if "contents" in body:
        return build_as_recorded(case, model, state="signatures")
    if "prompt" in case["input"]:
        request: ChatRequest | CompletionRequest = CompletionRequest(
            prompt=case["input"]["prompt"], model=model
        )
        request.temperature = 1 if body.get("temperature") == 1 else None
        request.max_tokens = body.get("max_tokens")
    else:
        request = request_of(case, model, _reasoning(config))
        request.system = case["input"]["systemPrompt"] or None
    sampling = body.get("inferenceConfig", body)
    if "modelTemperature" in config:
        request.temperature = config["modelTemperature"]
    if case["case"] == "config__max_tokens":
        request.max_tokens = body.get("max_tokens") or sampling.get("maxTokens")
    request.cache = config.get("awsUsePromptCache", True)
    return request


def _reasoning(config: Json) -> Reasoning | None:
    effort = config.get("reasoningEffort")
    if not (config.get("enableReasoningEffort") or effort or "modelMaxThinkingTokens" in config):
        return None
    budget = config.get("modelMaxThinkingTokens")
    return Reasoning(effort if effort in ("low", "high", "minimal") else "medium", budget)


async def replay(provider: str, case: Json) -> list[str]:
    """Return in what ours differs from the recording."""
    setup = SETUPS[provider](case)
    seen = await drive(
        case,
        name=setup.kind,
        table=setup.table,
        request=build(case, setup.model),
        unary=case["op"] == "completePrompt",
        environ=setup.environ,
    )
    _normalise(seen)
    case = json.loads(json.dumps(case))
    for request in case["requests"]:
        if request.get("body"):
            request["body"] = json.dumps(_plain(json.loads(request["body"])))
        if provider == "bedrock":
            request["headers"] = [h for h in request["headers"] if _compared(h)]
    found = [each for each in differences(case, seen) if not each.startswith("usage:")]
    return found + _usage(case, seen)


def _usage(case: Json, seen: Observed) -> list[str]:
    """The port's reports of one answer add up; its input is what did not come from a cache.

    Anthropic's last report of `output_tokens` is the whole of it, which the port adds to the first.
    """
    said = [c for c in case.get("emitted") or [] if c["type"] == "usage"]
    if not said or seen.outcome is None or case.get("error"):
        return []
    parts = ("inputTokens", "cacheReadTokens", "cacheWriteTokens")
    theirs = {name: sum(c.get(name) or 0 for c in said) for name in parts}
    usage = seen.outcome.usage
    taken = usage.input_tokens
    if seen.outcome.provider == "bedrock" or "claude" in seen.outcome.attempts[-1].model:
        taken -= usage.cache_read_tokens + usage.cache_write_tokens
    ours = {
        "inputTokens": taken,
        "cacheReadTokens": usage.cache_read_tokens,
        "cacheWriteTokens": usage.cache_write_tokens,
    }
    return [f"usage: {n}: {ours[n]} for {theirs[n]}" for n in parts if ours[n] != theirs[n]]


def _compared(header: list[str]) -> bool:
    """A signature covers the date and the transport's headers; botocore checks ours elsewhere."""
    return not header[1].startswith("AWS4-HMAC-SHA256")


def _normalise(seen: Observed) -> None:
    for sent in seen.sent:
        sent.body = _plain(sent.body)
        if sent.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
            del sent.headers["authorization"]


def _plain(body: Json) -> Json:
    """Return a body without what was changed on purpose (`docs/parity.md`)."""
    body = json.loads(json.dumps(body).replace("[object Object]", "?"))
    if body.get("temperature") == 0:
        del body["temperature"]
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice.pop("disable_parallel_tool_use", None)
        if choice in ({"type": "auto"}, {"type": "none"}):
            del body["tool_choice"]  # the port sends `auto` unasked, and drops `none`
    if "system" in body:
        body["system"] = [b for b in body["system"] if b.get("text") != ""]
        if not body["system"]:
            del body["system"]
    if "toolConfig" in body:
        _plain_tools(body)
    config = body.get("inferenceConfig", {})
    if config.get("temperature") == 0.3:
        del config["temperature"]
    for message in body.get("messages", []):
        for block in message["content"] if isinstance(message["content"], list) else []:
            _plain_result(block)
    for name in ("system", "messages"):
        if body.get(name) == []:
            del body[name]
    return body


def _plain_result(block: Json) -> None:
    result = block.get("toolResult")
    if result:
        result.pop("status", None)
        parts = result["content"]
        result["content"] = [{"text": "?"} if "image" in part else part for part in parts]


def _plain_tools(body: Json) -> None:
    tools = body["toolConfig"]
    if "tools" not in tools:
        return  # Google's field of that name
    if not tools["tools"]:
        del body["toolConfig"]
    elif tools.get("toolChoice") == {"auto": {}}:
        del tools["toolChoice"]
