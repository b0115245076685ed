"""Replays one recorded answer and says in what it differs from what the recording says.

Knows no format: those are in `formats.py`. Every answer is also held against the laws that tokens
of any answer obey.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.dialects.base import Dialect
from providers.errors import ProviderError
from providers.stream import processor_for
from providers.types import (
    Citation,
    CodeDelta,
    Finish,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)
from tests.corpus.formats import FORMATS, Format, Row


@dataclass
class Answer:
    """What the tokens of one answer add up to."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[dict[str, str]] = field(default_factory=list)
    finish: str | None = None
    usage: UsageReport | None = None
    error: ProviderError | None = None
    tokens: list[StreamToken] = field(default_factory=list)


def every_row(shared: Path) -> list[Row]:
    """Return the rows of the recordings."""
    with (shared / "streams/manifest.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rows(shared: Path) -> list[Row]:
    """Return the rows whose format has a dialect."""
    return [row for row in every_row(shared) if row["wire_format"] in FORMATS]


def body_of(row: Row, shared: Path) -> bytes:
    return (shared / "streams" / row["body_file"]).read_bytes()


def chunks(body: bytes, cut: str, seed: str) -> Iterator[bytes]:
    """Yield `body` whole, byte by byte, or cut at random places that depend on `seed` only."""
    if cut == "whole":
        yield body
        return
    generator = random.Random(seed)
    start = 0
    while start < len(body):
        size = 1 if cut == "bytes" else generator.choice((1, 2, 3, 7, 50, 200, 1000, 5000))
        yield body[start : start + size]
        start += size


def replay(row: Row, body: bytes, cut: str = "whole") -> Answer:
    """Return what the dialect makes of a recorded body."""
    dialect = FORMATS[row["wire_format"]].dialect(row)
    answer = Answer()
    try:
        if row["kind"] == "stream":
            read_stream(dialect, chunks(body, cut, row["id"]), answer.tokens)
        elif row["kind"] == "unary":
            answer.tokens += dialect.read_unary(body)
        else:
            headers = {name.lower(): value for name, value in (row["headers"] or {}).items()}
            answer.error = dialect.read_error(row["status"], headers, body)
    except ProviderError as error:
        answer.error = error
    add_up(answer)
    return answer


def read_stream(dialect: Dialect, pieces: Iterator[bytes], out: list[StreamToken]) -> None:
    processor = processor_for(dialect)
    for piece in pieces:
        out += processor.feed(piece)
        if processor.complete:
            break
    out += processor.end()


def add_up(answer: Answer) -> None:
    for token in answer.tokens:
        match token:
            case TextDelta():
                answer.text += token.text
            case ReasoningDelta():
                answer.reasoning += token.text
            case ToolCallDelta():
                if token.index == len(answer.tool_calls):
                    call = {"id": token.id or "", "name": token.name or "", "arguments": ""}
                    answer.tool_calls.append(call)
                answer.tool_calls[token.index]["arguments"] += token.arguments or ""
            case UsageReport():
                answer.usage = token
            case Finish():
                answer.finish = token.reason
            case StreamStart() | Citation() | CodeDelta():
                pass


def differences(row: Row, answer: Answer) -> list[str]:
    """Return what differs, one short line each; nothing if all is as recorded."""
    expected, spec = row["expected"], FORMATS[row["wire_format"]]
    if row["kind"] == "error":
        return error_differences(row, answer)
    found = list(broken_laws(answer))
    if expected["error"]:
        if answer.error is None:
            found.append(f"no error, expected {expected['error']}")
        elif (expected["error"].get("message") or "") not in answer.error.message:
            found.append(f"error {answer.error.message!r}, expected {expected['error']}")
        return found
    if answer.error is not None:
        return [*found, f"error {answer.error.kind}: {answer.error}"]
    for name, ours, theirs in (
        ("text", answer.text, spec.text(row)),
        ("reasoning", answer.reasoning, spec.reasoning(row)),
        ("finish", answer.finish, spec.finish(row)),
    ):
        if ours != theirs:
            found.append(f"{name} {str(ours)[:80]!r}, expected {str(theirs)[:80]!r}")
    if "tool_calls_unmerged" in expected:
        found += piece_differences(answer, expected["tool_calls"])
    else:
        found += tool_differences(answer, expected["tool_calls"])
    found += usage_differences(spec, answer, expected["usage"])
    return found


def tool_differences(answer: Answer, expected: list[dict[str, Any]]) -> list[str]:
    named = [call for call in expected if call.get("name") or call["id"]]
    if len(named) != len(answer.tool_calls):
        return [f"{len(answer.tool_calls)} tool calls, expected {len(named)}"]
    found: list[str] = []
    for ours, theirs in zip(answer.tool_calls, named, strict=True):
        if "name" not in theirs:
            theirs = {**ours, "id": theirs["id"]}  # a custom tool's call, recorded by its id only
        if ours["name"] != theirs["name"]:
            found.append(f"tool {ours['name']!r}, expected {theirs['name']!r}")
        # Without an id of the service's own, ours only has to be there.
        if not ours["id"] or (theirs["id"] and ours["id"] != theirs["id"]):
            found.append(f"tool id {ours['id']!r}, expected {theirs['id']!r}")
        if ours["arguments"] != (theirs["arguments"] or ""):
            same = json_or_text(ours["arguments"]) == json_or_text(theirs["arguments"] or "")
            if not same:
                found.append(f"arguments {ours['arguments']!r}, expected {theirs['arguments']!r}")
    return found


def piece_differences(answer: Answer, pieces: list[dict[str, Any]]) -> list[str]:
    """Arguments in pieces: the plain decode leaves them in pieces, so only those compare."""
    named = [piece["name"] for piece in pieces if piece["name"]]
    ours = [call["name"] for call in answer.tool_calls]
    if ours != named:
        return [f"tools {ours}, expected {named}"]
    told = "".join(call["arguments"] for call in answer.tool_calls)
    said = [part for piece in pieces for part in piece["partial"].get("partialArgs", [])]
    texts = [json.dumps(part["stringValue"], ensure_ascii=False)[1:-1] for part in said]
    return [f"arguments lack {text!r}" for text in texts if text not in told]


def usage_differences(spec: Format, answer: Answer, expected: Any) -> list[str]:
    if not isinstance(expected, dict):
        return []
    found: list[str] = []
    for name, count in (
        ("input_tokens", spec.input_tokens(expected)),
        ("output_tokens", spec.output_tokens(expected)),
    ):
        if count is not None:
            ours = getattr(answer.usage.usage, name) if answer.usage else None
            if ours != count:
                found.append(f"{name} {ours}, expected {count}")
    return found


PLAIN_KINDS = {
    401: {"authentication"},
    402: {"quota"},
    403: {"permission", "contentFilter"},
    404: {"modelNotFound", "invalidRequest"},
    408: {"timeout"},
    429: {"rateLimit", "quota"},
    500: {"server"},
    502: {"server"},
    503: {"overloaded"},
    504: {"server"},
    529: {"overloaded"},
}
"""The wire contract's "Status to kind"; for what it leaves open see `KINDS_BY_CODE`."""

KINDS_BY_CODE = {
    "invalid_api_key": "authentication",
    "insufficient_quota": "quota",
    "model_not_found": "modelNotFound",
    "context_length_exceeded": "contextLength",
    "too_many_prompt_tokens": "contextLength",
    "content_filter": "contentFilter",
}
OTHER_KINDS = {
    "invalidRequest",
    "authentication",
    "contextLength",
    "contentFilter",
    "quota",
    "modelNotFound",
}


def error_differences(row: Row, answer: Answer) -> list[str]:
    error, expected = answer.error, row["expected"]["error"]
    assert error is not None
    found: list[str] = []
    if error.status != row["status"]:
        found.append(f"status {error.status}, expected {row['status']}")
    if (expected["message"] or "") not in error.message:
        found.append(f"message {error.message!r}, expected {expected['message']!r}")
    if error.kind not in PLAIN_KINDS.get(row["status"], OTHER_KINDS):
        found.append(f"kind {error.kind} for status {row['status']}")
    for word in (expected["code"], expected["type"]):
        wanted = KINDS_BY_CODE.get(str(word))
        if wanted is not None and error.kind != wanted:
            found.append(f"kind {error.kind}, expected {wanted}")
    return found


def broken_laws(answer: Answer) -> Iterator[str]:
    """Yield what no answer may do, whatever its format."""
    kinds = [type(token) for token in answer.tokens]
    if kinds.count(StreamStart) > 1 or (kinds and kinds[0] is not StreamStart):
        yield "StreamStart is not the first token, once"
    if answer.error is None and (kinds.count(Finish) != 1 or kinds[-1] is not Finish):
        yield "Finish is not the last token, once"
    announced: set[int] = set()
    for token in answer.tokens:
        if isinstance(token, TextDelta) and not token.text:
            yield "an empty text"
        if isinstance(token, ReasoningDelta) and not token.text and token.opaque is None:
            yield "an empty reasoning"
        if isinstance(token, ToolCallDelta):
            first = token.index not in announced
            if first and token.index != len(announced):
                yield "tool calls are not counted in order"
            if first != (token.id is not None) or first != (token.name is not None):
                yield "id and name do not come once, with the first fragment"
            announced.add(token.index)


def json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
