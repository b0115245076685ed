"""Every recorded answer of Google's services, however cut, says what its plain decode says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.accumulate import Accumulator
from providers.dialects.gemini import Gemini, GeminiProfile
from providers.errors import Truncated
from providers.types import (
    CompletionResponse,
    ReasoningDelta,
    StreamToken,
    ToolCall,
    ToolCallDelta,
)
from tests.dialects.feeding import answer_of

Json = dict[str, Any]

DIALECTS = {
    "gemini-sse": Gemini(),
    "gemini-jsonarray": Gemini(GeminiProfile(stream="json")),
    "gemini-json": Gemini(),
}


def rows(shared: Path, kind: str) -> Iterator[tuple[Json, bytes]]:
    for line in (shared / "streams/manifest.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        if row["wire_format"] == kind:
            yield row, (shared / "streams" / row["body_file"]).read_bytes()


def read(kind: str, body: bytes) -> tuple[CompletionResponse, list[StreamToken]]:
    if kind == "gemini-json":
        tokens = DIALECTS[kind].read_unary(body)
        total = Accumulator()
        total.add(tokens)
        return total.response(), tokens
    answer, error, tokens = answer_of(DIALECTS[kind], body)
    assert error is None
    return answer, tokens


def count(usage: Json, *names: str) -> int:
    return sum(usage.get(f"{name}TokenCount") or 0 for name in names)


def check_calls(calls: list[ToolCall], want: Json) -> None:
    if "tool_calls_unmerged" in want:
        # Arguments in pieces: the plain decode leaves them in pieces, so only the pieces compare.
        named = [call["name"] for call in want["tool_calls"] if call["name"]]
        assert [call.name for call in calls] == named
        told = "".join(call.arguments for call in calls)
        for call in want["tool_calls"]:
            for piece in call["partial"].get("partialArgs", []):
                assert json.dumps(piece["stringValue"], ensure_ascii=False)[1:-1] in told
        return
    expected = [(call["name"], call["arguments_json"]) for call in want["tool_calls"]]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == expected
    for call, given in zip(calls, want["tool_calls"], strict=True):
        assert call.id == given["id"] or given["id"] is None
    assert len({call.id for call in calls}) == len(calls)


def check(kind: str, body: bytes, want: Json) -> None:
    answer, tokens = read(kind, body)
    assert answer.text == want["text"]
    assert "".join(state.text for state in answer.reasoning) == want["reasoning_text"]
    check_calls(answer.tool_calls, want)
    blocked = (want.get("prompt_feedback") or {}).get("blockReason")
    finish = want["finish_reason"] or blocked
    assert answer.raw_finish_reason == (None if finish is None else str(finish))
    assert want["model"] in (None, answer.model)
    usage = want["usage"] or {}
    if "promptTokenCount" in usage:
        assert answer.usage is not None
        assert answer.usage.input_tokens == count(usage, "prompt", "toolUsePrompt")
        assert answer.usage.output_tokens == count(usage, "candidates", "thoughts")
        assert answer.usage.cache_read_tokens == count(usage, "cachedContent")
        assert answer.usage.total_tokens == usage["totalTokenCount"]
    signed = [t for t in tokens if isinstance(t, ReasoningDelta | ToolCallDelta) and t.opaque]
    assert len(signed) == (want.get("thought_signatures") or 0)
    assert [c["code"] for c in want.get("executable_code", [])] == [c.code for c in answer.code]
    chunks = (want.get("grounding") or {}).get("groundingChunks", [])
    urls = {chunk["web"]["uri"] for chunk in chunks if chunk.get("web")}
    urls |= {cited["uri"] for cited in want.get("citations", []) if cited.get("uri")}
    assert urls <= {citation.url for citation in answer.citations}


@pytest.mark.parametrize(
    ("kind", "least"), [("gemini-sse", 90), ("gemini-jsonarray", 20), ("gemini-json", 100)]
)
def test_recorded_answers(shared: Path, kind: str, least: int) -> None:
    checked = 0
    for row, body in rows(shared, kind):
        try:
            check(kind, body, row["expected"])
        except Exception as error:
            raise AssertionError(row["id"]) from error
        checked += 1
    assert checked >= least


def test_recorded_streams_cut_short_are_never_whole(shared: Path) -> None:
    """Without the chunk that has the reason, a stream is truncated and nothing else."""
    checked = 0
    for kind in ("gemini-sse", "gemini-jsonarray"):
        for _, body in rows(shared, kind):
            cut = body.find(b'"finishReason"')
            if cut < 0:
                continue
            _, error, _ = answer_of(DIALECTS[kind], body[:cut])
            assert isinstance(error, Truncated)
            checked += 1
    assert checked >= 100


BY_TYPE = {
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "modelNotFound",
    "RESOURCE_EXHAUSTED": "rateLimit",
    "INVALID_ARGUMENT": "invalidRequest",
    "FAILED_PRECONDITION": "invalidRequest",
}


def test_recorded_errors(shared: Path) -> None:
    checked = 0
    for row, body in rows(shared, "errors-gemini"):
        want = row["expected"]["error"]
        error = DIALECTS["gemini-sse"].read_error(row["status"], row["headers"], body)
        reasons = {detail.get("reason") for detail in want.get("details") or []}
        kind = "authentication" if "API_KEY_INVALID" in reasons else BY_TYPE[want["type"]]
        assert error.kind == kind, row["id"]
        assert error.status == row["status"] and want["message"] in str(error)
        delays = [d["retryDelay"] for d in want.get("details") or [] if "retryDelay" in d]
        assert error.retry_after == (float(delays[0][:-1]) if delays else None)
        checked += 1
    assert checked >= 17
