"""Holds what ours sent and yielded against a recording, point by point.

`differences` gives sentences, each beginning with the point it is about: `path`, `header`, `body`,
`text`, `reasoning`, `calls`, `usage`, `error`, `status`, `message`, `requests`, `waits`.
"""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

from tests.parity.drive import Json, Observed
from tests.parity.request import first_body

AUTH_AND_VERSION = (
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "anthropic-version",
    "anthropic-beta",
    "x-anthropic-beta",
    "openai-organization",
    "openai-project",
    "content-type",
)
REQUEST_POINTS = ("path", "header", "body")


def differences(case: Json, seen: Observed) -> list[str]:
    """Return in what `seen` differs from `case`; empty if in nothing."""
    found: list[str] = []
    if case["requests"]:
        found += _request(case, seen)
    if case.get("error"):
        found += _error(case, seen)
    elif case["op"] == "completePrompt":
        found += _whole(case, seen)
    elif "emitted" in case and not case["case"].startswith("abort__"):
        found += _yielded(case["emitted"], seen)
    return found + _retries(case, seen)


# --- The request ----------------------------------------------------------------------------


def _request(case: Json, seen: Observed) -> list[str]:
    theirs = next(r for r in case["requests"] if r.get("body"))
    if not seen.sent:
        return [f"path: nothing was sent ({seen.error})"]
    ours = seen.sent[0]
    found: list[str] = []
    host = urlsplit(ours.url).netloc
    if (host, ours.path) != (theirs["host"], theirs["path"]):
        found.append(f"path: {host}{ours.path} for {theirs['host']}{theirs['path']}")
    recorded = {name.lower(): value for name, value in theirs["headers"]}
    found += [
        f"header: {name}: {ours.headers.get(name)!r} for {recorded.get(name)!r}"
        for name in AUTH_AND_VERSION
        if ours.headers.get(name) != recorded.get(name)
    ]
    want, have = meaning(first_body(case)), meaning(ours.body)
    found += [
        f"body: {name}: {_short(have.get(name))} for {_short(want.get(name))}"
        for name in sorted(want.keys() | have.keys())
        if want.get(name) != have.get(name)
    ]
    return found


def meaning(body: Json) -> Json:
    """Return a body without what nobody asked for and what can be written in two ways.

    The two names of the limit are one: which of them an endpoint takes is its own matter (rules of
    OpenAI's models: `tests/vendors`). Left out: `tools: []` and settings of tools where there are
    none, `tool_choice` that says what is the default, an empty system text, `stream: false`, and
    the port's own numbering of state.
    """
    body = json.loads(json.dumps(body))
    if not any(t != {"functionDeclarations": []} for t in body.get("tools") or []):
        for name in ("tools", "tool_choice", "parallel_tool_calls", "toolConfig"):
            body.pop(name, None)
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if body.get("tool_choice") == "auto":
        del body["tool_choice"]
    if body.get("stream") is False:
        del body["stream"]
    if not body.get("instructions", "x"):
        del body["instructions"]
    if body.get("systemInstruction", {}).get("parts") == [{"text": ""}]:
        del body["systemInstruction"]
    if body.get("reasoning", {}).get("effort") == "xhigh":
        body["reasoning"]["effort"] = "high"  # the wire contract has no such effort
    body["messages"] = [_message(m) for m in body.get("messages", []) if not _is_empty_system(m)]
    for item in body.get("input", []):
        if item.get("type") == "function_call":
            item["arguments"] = json.loads(item["arguments"])
    return body


def _is_empty_system(message: Json) -> bool:
    return message["role"] == "system" and not message["content"]


def _message(message: Json) -> Json:
    if isinstance(message["content"], str):
        message["content"] = [{"type": "text", "text": message["content"]}]
    for detail in message.get("reasoning_details", []):
        if detail["type"] == "reasoning.summary":
            detail.pop("id", None)  # the port takes it off; the contract says untouched
    if "reasoning_details" in message:
        message["reasoning_details"].sort(key=lambda d: (d.get("index", 0), d["type"]))
    for call in message.get("tool_calls", []):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return message


# --- The answer --------------------------------------------------------------------------------


def _yielded(emitted: list[Json], seen: Observed) -> list[str]:
    if seen.outcome is None:
        return [f"error: {seen.error!r} for an answer"]
    answer = seen.outcome.response
    theirs = {
        "text": "".join(c["text"] for c in emitted if c["type"] == "text"),
        "reasoning": "".join(c["text"] for c in emitted if c["type"] == "reasoning"),
    }
    ours = {"text": answer.text, "reasoning": "".join(p.text for p in answer.reasoning)}
    found = [
        f"{name}: {_short(ours[name])} for {_short(theirs[name])}"
        for name in theirs
        if ours[name].rstrip() != theirs[name].rstrip()
    ]
    calls = [(c.id, c.name, _arguments(c.arguments)) for c in answer.tool_calls]
    if calls != calls_of(emitted):
        found.append(f"calls: {_short(calls)} for {_short(calls_of(emitted))}")
    return found + _usage(emitted, seen)


def _usage(emitted: list[Json], seen: Observed) -> list[str]:
    assert seen.outcome is not None
    said = [c for c in emitted if c["type"] == "usage" and c.get("inputTokens")]
    if not said:
        return []
    usage, theirs = seen.outcome.usage, said[-1]
    ours = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheReadTokens": usage.cache_read_tokens,
    }
    if ours["outputTokens"] == theirs["outputTokens"] + (theirs.get("reasoningTokens") or 0):
        del ours["outputTokens"]  # Gemini counts thoughts apart; the contract says they are output
    return [
        f"usage: {name}: {ours[name]} for {theirs[name]}"
        for name in ours
        if theirs.get(name) is not None and theirs[name] != ours[name]
    ]


def calls_of(emitted: list[Json]) -> list[tuple[str, str, Any]]:
    """Return the port's tool calls, added up."""
    calls: dict[Any, list[str]] = {}
    for event in emitted:
        if event["type"] == "tool_call":
            calls[event["id"]] = [event["id"], event["name"], event["arguments"]]
        if event["type"] != "tool_call_partial":
            continue
        key: Any = event.get("id")
        if event.get("index") is not None and key not in calls:
            key = f"#{event['index']}"
            if event.get("id") and calls.get(key, [event["id"]])[0] != event["id"]:
                key = event["id"]
        call = calls.setdefault(key, ["", "", ""])
        call[0] = call[0] or event.get("id") or ""
        call[1] = call[1] or event.get("name") or ""
        call[2] += event.get("arguments") or ""
    return [(i, n, _arguments(a)) for i, n, a in calls.values()]


def _arguments(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _whole(case: Json, seen: Observed) -> list[str]:
    if seen.outcome is None:
        return [f"error: {seen.error!r} for {_short(case.get('result'))}"]
    ours, theirs = seen.outcome.response.text, case.get("result") or ""
    return [] if ours == theirs else [f"text: {_short(ours)} for {_short(theirs)}"]


# --- Errors and retries --------------------------------------------------------------------------


def _error(case: Json, seen: Observed) -> list[str]:
    if seen.error is None:
        return [f"error: an answer for {_short(case['error'])}"]
    found: list[str] = []
    last = (case["wire_responses"] or [{}])[-1]
    status = last.get("status")
    if status and status >= 300:
        if seen.error.status != status:
            found.append(f"status: {seen.error.status} for {status}")
        said = _said(last)
        if said and said not in seen.error.message:
            found.append(f"message: {_short(seen.error.message)} lacks {_short(said)}")
    return found


def _said(response: Json) -> str:
    """Return the service's own words, of a JSON body."""
    body = b"".join(base64.b64decode(piece) for piece in response.get("body_chunks_b64") or [])
    try:
        value: Any = json.loads(body)
    except ValueError:
        return ""
    if isinstance(value, list):
        value = value[0]
    error = value.get("error", value)
    return error if isinstance(error, str) else error.get("message") or ""


def _retries(case: Json, seen: Observed) -> list[str]:
    sent = len([r for r in case["requests"] if r.get("body")])
    if case.get("network") == "connection refused":
        sent = len(case.get("retry_sleeps_ms") or []) + 1
    found: list[str] = []
    if seen.sent and len(seen.sent) != sent:
        found.append(f"requests: {len(seen.sent)} for {sent}")
    waits = [ms / 1000 for ms in case.get("retry_sleeps_ms") or []]
    if len(waits) != len(seen.waits) or any(
        abs(a - b) > 1.1 for a, b in zip(waits, seen.waits, strict=True)
    ):
        found.append(f"waits: {seen.waits} for {waits}")
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:200] + " … " + text[-90:]
