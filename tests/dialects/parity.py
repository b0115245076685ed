"""Reads a recorded request of the port: its input as our `ChatRequest`, its body as plain JSON."""

import base64
import json
from pathlib import Path
from typing import Any

from providers.types import (
    ChatRequest,
    Image,
    Message,
    NamedTool,
    Part,
    Reasoning,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
)

Json = dict[str, Any]


def load(folder: Path, pattern: str) -> dict[str, Json]:
    """Return the recorded cases that sent a request, by name."""
    cases = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob(pattern)}
    return {
        name: case
        for name, case in sorted(cases.items())
        if case.get("requests") and "systemPrompt" in case.get("input", {})
    }


def sent(case: Json) -> Json:
    """Return the body of the first request."""
    return json.loads(case["requests"][0]["body"])


def request_of(case: Json, model: str, reasoning: Reasoning | None = None) -> ChatRequest:
    given = case["input"]
    metadata = given.get("metadata") or {}
    messages: list[Message] = []
    for message in given["messages"]:
        if "role" in message:
            messages += _messages(message)
    tools = [tool["function"] for tool in metadata.get("tools") or []]
    return ChatRequest(
        model=model,
        system=given["systemPrompt"],
        messages=messages,
        max_tokens=case["config"].get("modelMaxTokens") if reasoning else None,
        reasoning=reasoning,
        tools=[ToolDefinition(t["name"], t["parameters"], t.get("description")) for t in tools],
        tool_choice=_choice(metadata.get("tool_choice")),
    )


def _choice(choice: Any) -> Any:
    return NamedTool(choice["function"]["name"]) if isinstance(choice, dict) else choice


def _messages(message: Json) -> list[Message]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [_result(block) for block in blocks if block["type"] == "tool_result"]
    parts = [part for block in blocks if (part := _part(block)) is not None]
    calls = [
        ToolCall(block["id"], block["name"], json.dumps(block["input"]))
        for block in blocks
        if block["type"] == "tool_use"
    ]
    if not parts and not calls and results:
        return results
    return [*results, Message(message["role"], parts, calls)]


def _result(block: Json) -> Message:
    content = block["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return Message(
        "tool",
        [part for each in blocks if (part := _part(each)) is not None],
        tool_call_id=block["tool_use_id"],
        is_error=block.get("is_error", False),
    )


def _part(block: Json) -> Part | None:
    match block["type"]:
        case "text":
            return Text(block["text"])
        case "image":
            source = block["source"]
            return Image(mime_type=source["media_type"], data=source["data"])
        case "thinking":
            return ReasoningState(block["thinking"], block["signature"])
        case "redacted_thinking":
            return ReasoningState("", block["data"])
        case _:
            return None


# --- What the port yielded ------------------------------------------------------------------


def streams(folder: Path) -> dict[str, tuple[bytes, Json]]:
    """Return the recorded streams by name: the body, and the case it is of."""
    found: dict[str, tuple[bytes, Json]] = {}
    for pattern in ("stream__*.json", "parser__*.json"):
        for path in sorted(folder.glob(pattern)):
            case = json.loads(path.read_text("utf-8"))
            pieces = case["wire_responses"][0]["body_chunks_b64"]
            found[path.stem] = b"".join(map(base64.b64decode, pieces)), case
    return found


def yielded(case: Json) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Return the port's text, reasoning and tool calls, added up.

    Left out: the line breaks that it puts between blocks, the error texts that it yields as
    answers, and calls without a name (tools that the service ran itself).
    """
    text = reasoning = ""
    calls: dict[int, list[str]] = {}
    for event in case["emitted"]:
        said = event.get("text", "")
        if event["type"] == "text" and said != "\n" and not said.startswith("Error: "):
            text += said
        elif event["type"] == "reasoning" and said != "\n":
            reasoning += said
        elif event["type"] == "tool_call_partial":
            call = calls.setdefault(event["index"], ["", "", ""])
            for place, name in enumerate(("id", "name", "arguments")):
                call[place] += event.get(name) or ""
    named = [(call[0], call[1], call[2] or "{}") for call in calls.values() if call[1]]
    return text, reasoning, named
