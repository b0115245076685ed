"""What the port sends in OpenAI's formats, field by field, and what it makes of the answers.

Left out of the comparison, each on purpose (`docs/parity.md`): what nobody asked for (`tools: []`,
`parallel_tool_calls`, default temperatures and maximal tokens, which are the catalog's business),
and whether a lone text is written as a string or as a part.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.errors import Truncated
from providers.types import ChatRequest, Message, Reasoning, ReasoningState, Text
from tests.dialects.feeding import answer_of
from tests.dialects.parity import Json, load, request_of, sent

NOT_ASKED = {
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "parallel_tool_calls",
    "service_tier",
}
R1 = ChatProfile(
    system="user",
    flatten=True,
    empty_assistant=None,
    empty_tool_result="",
    image_placeholder="(image)",
    reasoning="reasoning_content",
)
REASONER = OpenAiChat(R1).with_profile(
    merge_tool_text=True, extra={"thinking": {"type": "enabled"}}
)
DETAILS = ChatProfile(reasoning="reasoning_details", keep_details=True)
OPENROUTER = OpenAiChat(DETAILS).with_profile(cache="last_two", reasoning_style="openrouter")
NATIVE = OpenAiResponses(
    ResponsesProfile(
        reasons=True, default_effort="medium", verbosity="medium", cache_retention="24h"
    )
)
XAI = OpenAiResponses(
    ResponsesProfile(
        reasons=True,
        schemas="strict",
        call_ids="as_is",
        message_type=True,
        image_detail=True,
        text_separator="\n",
        empty_tool_result="(empty)",
    )
)

CASES: list[tuple[str, str, Dialect]] = [
    ("openai", "request__*.json", OpenAiChat(DETAILS)),
    ("openai", "config__r1*.json", OpenAiChat(R1)),
    ("openai", "config__prompt_cache*.json", OpenAiChat(DETAILS).with_profile(cache="last_two")),
    ("openai", "config__temperature.json", OpenAiChat()),
    ("azure", "request__*.json", OpenAiChat(DETAILS)),
    ("groq", "request__*.json", OpenAiChat(DETAILS)),
    ("groq-via-openai-compatible", "request__*.json", OpenAiChat(DETAILS)),
    ("fireworks", "request__*.json", OpenAiChat(DETAILS)),
    ("sambanova", "request__*.json", OpenAiChat(DETAILS)),
    ("xai-chat-v3.45", "request__*.json", OpenAiChat(DETAILS)),
    ("zai", "request__[hirtu]*.json", OpenAiChat(DETAILS)),
    ("deepseek", "request__*.json", REASONER),
    ("deepseek-chat", "request__*.json", OpenAiChat(R1)),
    ("openrouter", "request__*.json", OPENROUTER),
    ("openrouter", "config__cache_multi.json", OPENROUTER),
    ("openrouter", "config__gemini_flash_cache_long.json",
     OPENROUTER.with_profile(cache="every_tenth")),
    ("openrouter", "config__deepseek_r1*.json", OpenAiChat(R1)),
    ("openai-native", "request__*.json", NATIVE),
    ("xai", "request__*.json", XAI),
]  # fmt: skip

ELSEWHERE = {
    "request__lone_surrogate": "no text of ours holds one: the editor's side replaces them",
    "xai/request__reasoning_history": "reasoning of another provider is dropped, not put in text",
    "xai/request__tools_named": "the API's own form is `name`, not a chat's `function`",
    "openai-native/request__tools_named": "the API's own form is `name`, not a chat's `function`",
    "openai-native/request__tool_history": "our requests have results before the user's text",
}


def request_with_state(case: Json) -> ChatRequest:
    """Return the request with reasoning where the port keeps it beside the content."""
    request = request_of(case, "m")
    given = iter([m for m in case["input"]["messages"] if m.get("role") == "assistant"])
    for message in request.messages:
        if message.role != "assistant":
            continue
        source = next(given)
        message.content = [p for p in message.content if not isinstance(p, ReasoningState)]
        blocks = source["content"] if isinstance(source["content"], list) else []
        thought = source.get("reasoning_content") or "".join(
            block["text"] for block in blocks if block["type"] == "reasoning"
        )
        details = source.get("reasoning_details")
        if thought or details:
            opaque = json.dumps(details) if details else None
            message.content.insert(0, ReasoningState(thought, opaque))
    items = case["input"]["messages"]
    for at, item in enumerate(items):
        if item.get("type") == "reasoning":
            place = sum("role" in each for each in items[:at])
            opaque = json.dumps({k: v for k, v in item.items() if k != "ts"})
            request.messages[place].content.insert(0, ReasoningState("", opaque))
    return request


def plain(body: Json) -> Json:
    body = {name: value for name, value in body.items() if name not in NOT_ASKED}
    if not body.get("tools"):
        body.pop("tools", None)
        body.pop("tool_choice", None)
    for message in body.get("messages", []):
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
        for detail in message.get("reasoning_details", []):
            if detail["type"] == "reasoning.summary":
                detail.pop("id", None)  # the port takes it off; the contract says untouched
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    for item in body.get("input", []):
        if item.get("type") == "function_call":
            item["arguments"] = json.loads(item["arguments"])
    return body


@pytest.mark.parametrize(("provider", "pattern", "dialect"), CASES)
def test_bodies(provider: str, pattern: str, dialect: Dialect, shared: Path) -> None:
    cases = load(shared / "parity/goldens" / provider, pattern)
    assert cases
    for name, case in cases.items():
        if name in ELSEWHERE or f"{provider}/{name}" in ELSEWHERE:
            continue
        ours = dialect.body(request_with_state(case), stream=True)
        ours = json.loads(json.dumps(ours))  # as it goes over the wire, and nobody else's
        if provider in ("xai", "openai-native") and "tool_choice" not in sent(case):
            ours.pop("tool_choice", None)
        assert plain(ours) == plain(sent(case)), f"{provider}/{name}"


STREAMS: list[tuple[str, Dialect]] = [
    ("openai", OpenAiChat(ChatProfile(think_tags=True))),
    ("groq", OpenAiChat(ChatProfile(think_tags=True))),
    ("deepseek", OpenAiChat()),
    ("sambanova", OpenAiChat(ChatProfile(think_tags=True))),
    ("baseten", OpenAiChat(ChatProfile(think_tags=True))),
    ("azure", OpenAiChat(ChatProfile(think_tags=True))),
    ("zai", OpenAiChat()),
    ("xai-chat-v3.45", OpenAiChat()),
    ("perplexity-via-openai-compatible", OpenAiChat(ChatProfile(think_tags=True))),
    ("openrouter", OpenAiChat(ChatProfile(keep_details=True))),
    ("openai-native", OpenAiResponses()),
    ("xai", OpenAiResponses()),
]

CHANGED = {
    "stream__refusal": "a refusal is the answer's text, as it came",
    "stream__bad_json": "what is no JSON is an error, not skipped",
    "stream__json_instead": "a body that is no stream is an error",
    "stream__no_trailing_newline": "an event without its empty line is no event",
    "stream__no_done": "the finish reason is an end, too",
    "stream__mid_error": "an error is raised with its own kind",
    "stream__mid_error_event": "an error is raised with its own kind",
    "stream__mid_error_no_meta": "an error is raised with its own kind",
    "stream__error_event": "an error is not swallowed",
    "stream__error_event_nested": "an error is raised with its own kind",
    "stream__failed": "an error is not swallowed",
    "stream__failed_top_level_error": "an error is raised with its own kind",
    "stream__content_part_only": "text that comes as a whole part only is read",
    "stream__done_only_text": "text that comes as a whole part only is read",
    "stream__chat_style_chunks": "a gateway's chat chunks are read, also behind xai's path",
    "stream__legacy_text_delta": "the older names of events are read, also behind xai's path",
    "openrouter/stream__reasoning": "`reasoning_content` is read from every service",
    "stream__reasoning_field": "`reasoning` is read from every service",
    "stream__tool_interleaved": "fragments belong to their own call",
}


CUT_SHORT = ("stream__empty_body", "stream__truncated_", "stream__pplx_think")
"""The port takes these for whole; for us they yield the same, and then are cut short."""


def calls_of(emitted: list[Json]) -> list[tuple[str, str, Any]]:
    calls: dict[Any, list[str]] = {}
    for chunk in emitted:
        if chunk["type"] == "tool_call":
            calls[chunk["id"]] = [chunk["id"], chunk["name"], chunk["arguments"]]
        if chunk["type"] == "tool_call_partial":
            key = chunk.get("id") or chunk.get("index")
            if chunk.get("index") is not None and chunk.get("id") not in calls:
                key = f"#{chunk['index']}"
                if chunk.get("id") and calls.get(key, [chunk["id"]])[0] != chunk["id"]:
                    key = chunk["id"]
            call = calls.setdefault(key, ["", "", ""])
            call[0] = call[0] or chunk.get("id") or ""
            call[1] = call[1] or chunk.get("name") or ""
            call[2] += chunk.get("arguments") or ""
    return [(i, n, json.loads(a) if a else "") for i, n, a in calls.values()]


@pytest.mark.parametrize(("provider", "dialect"), STREAMS)
def test_what_is_yielded(provider: str, dialect: Dialect, shared: Path) -> None:
    cases = sorted((shared / "parity/goldens" / provider).glob("stream__*.json"))
    assert cases
    for path in cases:
        case = json.loads(path.read_text("utf-8"))
        if path.stem in CHANGED or f"{provider}/{path.stem}" in CHANGED:
            continue
        chunks = case["wire_responses"][0]["body_chunks_b64"]
        answer, error, _ = answer_of(dialect, b"".join(map(base64.b64decode, chunks)))
        name = f"{provider}/{path.stem}"
        emitted = case["emitted"]
        assert isinstance(error, Truncated) == path.stem.startswith(CUT_SHORT), name
        assert error is None or isinstance(error, Truncated), name
        for kind, ours in (
            ("text", answer.text),
            ("reasoning", "".join(part.text for part in answer.reasoning)),
        ):
            theirs = "".join(c["text"] for c in emitted if c["type"] == kind)
            # The port drops deltas of white space only, where they are reasoning.
            assert ours.rstrip() == theirs.rstrip(), f"{name}: {kind}"
        ours_called = [
            (c.id, c.name, json.loads(c.arguments) if c.arguments else "")
            for c in answer.tool_calls
        ]
        assert ours_called == calls_of(emitted), name
        usages = [c for c in emitted if c["type"] == "usage" and c.get("inputTokens")]
        if usages:
            assert answer.usage is not None, name
            assert answer.usage.input_tokens == usages[-1]["inputTokens"], name
            assert answer.usage.output_tokens == usages[-1]["outputTokens"], name
            cached = usages[-1].get("cacheReadTokens")
            if cached:
                assert answer.usage.cache_read_tokens == cached, name


def test_refusals_and_errors_that_were_changed_on_purpose(shared: Path) -> None:
    folder = shared / "parity/goldens/openai-native"
    for name, kind, text in (
        ("stream__error_event", "rateLimit", "par"),
        ("stream__failed", "server", "par"),
        ("stream__refusal", None, "I can’t help."),
    ):
        case = json.loads((folder / f"{name}.json").read_text("utf-8"))
        chunks = case["wire_responses"][0]["body_chunks_b64"]
        body = b"".join(map(base64.b64decode, chunks))
        answer, error, _ = answer_of(OpenAiResponses(), body)
        assert (error.kind if error else None, answer.text) == (kind, text)


def test_reasoning_details_come_back_whole(shared: Path) -> None:
    path = shared / "parity/goldens/openrouter/stream__reasoning_details.json"
    case = json.loads(path.read_text("utf-8"))
    chunks = case["wire_responses"][0]["body_chunks_b64"]
    body = b"".join(map(base64.b64decode, chunks))
    answer, _, _ = answer_of(OpenAiChat(DETAILS), body)
    opaque = "".join(part.opaque or "" for part in answer.reasoning)
    assert json.loads(opaque) == case["state"]["getReasoningDetails"]
    assert answer.reasoning[-1].opaque == opaque
    turn = Message("assistant", [*answer.reasoning, Text(answer.text)])
    sent_back: Any = OpenAiChat(DETAILS).body(ChatRequest(messages=[turn]), stream=False)
    assert sent_back["messages"][0]["reasoning_details"] == case["state"]["getReasoningDetails"]


def test_effort_of_models(shared: Path) -> None:
    case = load(shared / "parity/goldens/openai-native", "config__effort_high.json")
    request = request_of(case["config__effort_high"], "gpt-5.1", Reasoning("high"))
    assert plain(json.loads(json.dumps(NATIVE.body(request, stream=True)))) == plain(
        sent(case["config__effort_high"])
    )
