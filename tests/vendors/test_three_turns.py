"""Three turns with tools and reasoning, at every format that has both, through the whole provider.

The first answer thinks, says something and calls two tools at once; their results (one an error,
one with an image) go back, the second answer thinks again and calls once more; the third ends it.
What the service gave as state comes back to it as it was; state of other services does not.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from providers.types import (
    ChatRequest,
    CompletionResponse,
    Image,
    Message,
    Outcome,
    Part,
    ReasoningState,
    Text,
    ToolDefinition,
)
from tests.corpus.mutate import packed
from tests.http.server import Step, chunked
from tests.vendors.cloud import event as aws_frame
from tests.vendors.talk import Talk, talk

Json = dict[str, Any]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"


def claudes(number: int) -> str:
    """Return a token that begins as Anthropic's do."""
    return base64.b64encode(b"\x12\x48\x0a\x46\x08\x0a\x18\x02" + b"%d" % number * 40).decode()


def googles(number: int) -> str:
    """Return a token that begins as Google's do."""
    return base64.b64encode(b"\x0a\x62\x01\x8f\x3d\x6b\x5f" + b"%d" % number * 40).decode()


FOREIGN = {
    "responses": json.dumps({"type": "reasoning", "id": "rs_9", "encrypted_content": "FOREIGN"}),
    "details": json.dumps([{"type": "reasoning.text", "text": "FOREIGN"}]),
    "claude": claudes(99),
    "google": googles(99),
}
"""State of one service each; a format drops what is not of its `own`."""


TOOLS = [
    ToolDefinition("look", {"type": "object", "properties": {"at": {"type": "string"}}}, "Looks"),
    ToolDefinition("read", {"type": "object", "properties": {}}, "Reads"),
]


@dataclass
class Given:
    """What one scripted answer says."""

    thought: str
    states: list[Any]
    calls: list[tuple[str, str, Json]]
    text: str = ""


@dataclass
class Format:
    """`says` writes an answer; `states` and `calls` find in a request what came back, in order."""

    kind: str
    says: Callable[[Given], list[Step]]
    states: Callable[[Json], list[Any]]
    calls: Callable[[Json], list[tuple[str, str, Json]]]
    results: Callable[[Json], list[tuple[str, str]]]
    given: Callable[[int], list[Any]]
    model: str = "m"
    table: Json = field(default_factory=dict[str, Any])
    own: str = ""
    own_ids: bool = True
    images: bool = False  # of a tool's result; else words stand for them, as in the port


def sse(*values: Json, named: bool = False) -> list[Step]:
    lines = [(f"event: {v['type']}\n" if named else "") + f"data: {json.dumps(v)}" for v in values]
    return chunked(*(f"{line}\n\n".encode() for line in lines))


# --- Chat Completions, with reasoning in three ways --------------------------------------------


def chat_says(thought: Callable[[Given], list[Json]]) -> Callable[[Given], list[Step]]:
    def says(given: Given) -> list[Step]:
        deltas = [*thought(given), {"content": given.text}]
        # Both calls are announced before either has its arguments: the fragments interleave.
        for at, (call_id, name, _) in enumerate(given.calls):
            made = {"index": at, "id": call_id, "function": {"name": name, "arguments": ""}}
            deltas.append({"tool_calls": [made]})
        for half in (0, 1):
            for at, (_, _, arguments) in enumerate(given.calls):
                piece = json.dumps(arguments)
                piece = piece[: len(piece) // 2] if half == 0 else piece[len(piece) // 2 :]
                deltas.append({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
        events = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        finish = "tool_calls" if given.calls else "stop"
        return sse(*events, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})

    return says


def chat_calls(body: Json) -> list[tuple[str, str, Json]]:
    return [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    ]


def chat_results(body: Json) -> list[tuple[str, str]]:
    return [
        (message["tool_call_id"], message["content"])
        for message in body["messages"]
        if message["role"] == "tool"
    ]


def of_messages(name: str) -> Callable[[Json], list[Any]]:
    def states(body: Json) -> list[Any]:
        found = [message[name] for message in body["messages"] if name in message]
        return [entry for each in found for entry in (each if isinstance(each, list) else [each])]

    return states


def detail_list(turn: int) -> list[Any]:
    return [
        {"type": "reasoning.summary", "summary": f"S{turn}", "index": 0, "format": "x-v1"},
        {"type": "reasoning.encrypted", "data": f"ENC{turn}==", "index": 1, "id": f"rs_{turn}"},
    ]


def chat(kind: str, thought: Any, states: Any, given: Any, **more: Any) -> Format:
    return Format(kind, chat_says(thought), states, chat_calls, chat_results, given, **more)


def reasoning_content(kind: str, model: str) -> Format:
    return chat(
        kind,
        lambda given: [{"reasoning_content": given.thought}],
        of_messages("reasoning_content"),
        lambda turn: [f"thought {turn}"],
        model=model,
    )


def with_details(kind: str, model: str) -> Format:
    return chat(
        kind,
        lambda given: [{"reasoning": given.thought, "reasoning_details": given.states}],
        of_messages("reasoning_details"),
        detail_list,
        model=model,
        own="details",
    )


# --- Responses ---------------------------------------------------------------------------------


def responses_says(given: Given) -> list[Step]:
    output: list[Json] = [*given.states]
    if given.text:
        content = [{"type": "output_text", "text": given.text, "annotations": []}]
        output.append({"type": "message", "id": "m", "role": "assistant", "content": content})
    for call_id, name, arguments in given.calls:
        call = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name}
        output.append(call | {"arguments": json.dumps(arguments)})
    events: list[Json] = [{"type": "response.created", "response": {"id": "r", "model": "m"}}]
    for at, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": at, "item": item})
        if item["type"] == "message":
            place = {"output_index": at, "content_index": 0, "item_id": "m"}
            events.append({"type": "response.output_text.delta", "delta": given.text} | place)
        events.append({"type": "response.output_item.done", "output_index": at, "item": item})
    whole = {"id": "r", "status": "completed", "output": output}
    return sse(*events, {"type": "response.completed", "response": whole}, named=True)


def items(body: Json, kind: str) -> Iterator[Json]:
    return (item for item in body["input"] if item.get("type") == kind)


def responses(kind: str, model: str, **table: Any) -> Format:
    return Format(
        kind,
        responses_says,
        lambda body: list(items(body, "reasoning")),
        lambda body: [
            (item["call_id"], item["name"], json.loads(item["arguments"]))
            for item in items(body, "function_call")
        ],
        lambda body: [
            (item["call_id"], json.dumps(item["output"]))
            for item in items(body, "function_call_output")
        ],
        lambda turn: [
            {
                "type": "reasoning",
                "id": f"rs_{turn}",
                "summary": [{"type": "summary_text", "text": f"thought {turn}"}],
                "encrypted_content": f"ENC{turn}==",
            }
        ],
        model=model,
        table=table,
        own="responses",
    )


# --- Claude's messages, by themselves, on Vertex and inside Bedrock's Invoke -------------------


def claude_events(given: Given) -> list[Json]:
    blocks: list[tuple[Json, list[Json]]] = []
    for state in given.states:
        if state["type"] == "redacted_thinking":
            blocks.append((state, []))
            continue
        deltas = [{"type": "thinking_delta", "thinking": state["thinking"]}]
        deltas.append({"type": "signature_delta", "signature": state["signature"]})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if given.text:
        text = {"type": "text_delta", "text": given.text}
        blocks.append(({"type": "text", "text": ""}, [text]))
    for call_id, name, arguments in given.calls:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        blocks.append(({"type": "tool_use", "id": call_id, "name": name, "input": {}}, [delta]))
    events: list[Json] = [{"type": "message_start", "message": {"id": "m", "model": "c"}}]
    for at, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": at, "content_block": block})
        events += [{"type": "content_block_delta", "index": at, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": at})
    reason = "tool_use" if given.calls else "end_turn"
    return [
        *events,
        {"type": "message_delta", "delta": {"stop_reason": reason}},
        {"type": "message_stop"},
    ]


def blocks(body: Json, *kinds: str) -> list[Json]:
    return [
        {name: value for name, value in block.items() if name != "cache_control"}
        for message in body["messages"]
        for block in message["content"]
        if block.get("type") in kinds
    ]


def claude(kind: str, model: str, says: Any = None, **table: Any) -> Format:
    return Format(
        kind,
        says or (lambda given: sse(*claude_events(given), named=True)),
        lambda body: blocks(body, "thinking", "redacted_thinking"),
        lambda body: [(b["id"], b["name"], b["input"]) for b in blocks(body, "tool_use")],
        lambda body: [
            (b["tool_use_id"], json.dumps([b.get("is_error"), b["content"]]))
            for b in blocks(body, "tool_result")
        ],
        lambda turn: [
            {"type": "thinking", "thinking": f"thought {turn}", "signature": claudes(turn)},
            {"type": "redacted_thinking", "data": claudes(10 + turn)},
        ],
        model=model,
        table=table,
        own="claude",
        images=True,
    )


def frames(*parts: bytes) -> list[Step]:
    return chunked(*parts, headers={"content-type": "application/vnd.amazon.eventstream"})


def invoke_says(given: Given) -> list[Step]:
    events = [json.dumps(event).encode() for event in claude_events(given)]
    return frames(*(aws_frame("chunk", packed(event)) for event in events))


# --- Converse ----------------------------------------------------------------------------------


def converse_says(given: Given) -> list[Step]:
    parts: list[tuple[str, Json]] = [("messageStart", {"role": "assistant"})]
    at = 0
    for state in given.states:
        if "redactedContent" in state:
            deltas: list[Json] = [state]
        else:
            told = state["reasoningText"]
            deltas = [{"text": told["text"]}, {"signature": told["signature"]}]
        for delta in deltas:
            made = {"contentBlockIndex": at, "delta": {"reasoningContent": delta}}
            parts.append(("contentBlockDelta", made))
        parts.append(("contentBlockStop", {"contentBlockIndex": at}))
        at += 1
    if given.text:
        parts.append(
            ("contentBlockDelta", {"contentBlockIndex": at, "delta": {"text": given.text}})
        )
        parts.append(("contentBlockStop", {"contentBlockIndex": at}))
        at += 1
    for call_id, name, arguments in given.calls:
        use = {"toolUse": {"toolUseId": call_id, "name": name}}
        said = {"toolUse": {"input": json.dumps(arguments)}}
        parts.append(("contentBlockStart", {"contentBlockIndex": at, "start": use}))
        parts.append(("contentBlockDelta", {"contentBlockIndex": at, "delta": said}))
        parts.append(("contentBlockStop", {"contentBlockIndex": at}))
        at += 1
    parts.append(("messageStop", {"stopReason": "tool_use" if given.calls else "end_turn"}))
    return frames(*(aws_frame(name, json.dumps(value).encode()) for name, value in parts))


def content(body: Json, name: str) -> list[Any]:
    return [
        block[name] for message in body["messages"] for block in message["content"] if name in block
    ]


CONVERSE = Format(
    "bedrock",
    converse_says,
    lambda body: content(body, "reasoningContent"),
    lambda body: [(u["toolUseId"], u["name"], u["input"]) for u in content(body, "toolUse")],
    lambda body: [
        (r["toolUseId"], json.dumps([r.get("status"), r["content"]]))
        for r in content(body, "toolResult")
    ],
    lambda turn: [
        {"reasoningText": {"text": f"thought {turn}", "signature": claudes(turn)}},
        {"redactedContent": claudes(10 + turn)},
    ],
    model="anthropic.claude-sonnet-4-5-20250929-v1:0",
    table={"region": "us-east-1"},
    own="claude",
    images=True,
)


# --- Gemini ------------------------------------------------------------------------------------


def gemini_chunks(given: Given) -> list[Json]:
    parts: list[Json] = [{"text": given.thought, "thought": True}]
    if given.text:
        parts.append({"text": given.text})
    for at, (_, name, arguments) in enumerate(given.calls):
        part: Json = {"functionCall": {"name": name, "args": arguments}}
        if at < len(given.states):
            part["thoughtSignature"] = given.states[at]  # on the first of parallel calls only
        parts.append(part)
    # Several calls may come in one chunk.
    chunks = [
        {"candidates": [{"content": {"parts": each}}]} for each in (parts[:2], parts[2:]) if each
    ]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    return chunks


def gemini_parts(body: Json, name: str) -> list[Json]:
    return [p for each in body["contents"] for p in each["parts"] if name in p]


def gemini(kind: str, model: str, **table: Any) -> Format:
    def says(given: Given) -> list[Step]:
        if table.get("stream") == "json":
            whole = json.dumps(gemini_chunks(given)).encode()
            return chunked(whole[:40], whole[40:], headers={"content-type": "application/json"})
        return sse(*gemini_chunks(given))

    return Format(
        kind,
        says,
        lambda body: [p["thoughtSignature"] for p in gemini_parts(body, "thoughtSignature")],
        lambda body: [
            ("", p["functionCall"]["name"], p["functionCall"]["args"])
            for p in gemini_parts(body, "functionCall")
        ],
        lambda body: [
            ("", json.dumps(p["functionResponse"]["response"]["content"]))
            for p in gemini_parts(body, "functionResponse")
        ],
        lambda turn: [
            base64.b64encode(b"\x0a\x62\x01\x8f\x3d\x6b\x5f" + b"%d" % turn * 40).decode()
        ],
        model=model,
        table=table,
        own="google",
        own_ids=False,
        images=True,
    )


# --- Ollama ------------------------------------------------------------------------------------


def ollama_says(given: Given) -> list[Step]:
    calls = [
        {"id": call_id, "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in given.calls
    ]
    lines: list[Json] = [
        {"message": {"thinking": given.thought}},
        {"message": {"content": given.text, "tool_calls": calls}},
        {"done": True, "done_reason": "stop"},
    ]
    return chunked(*(json.dumps(line).encode() + b"\n" for line in lines))


OLLAMA = Format(
    "ollama",
    ollama_says,
    of_messages("thinking"),
    lambda body: [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    ],
    chat_results,
    lambda turn: [f"thought {turn}"],
    images=True,
)

# --- Cohere ------------------------------------------------------------------------------------


def cohere_says(plans: bool) -> Callable[[Given], list[Step]]:
    def says(given: Given) -> list[Step]:
        events: list[Json] = [{"type": "message-start", "id": "m", "delta": {"message": {}}}]

        def add(kind: str, at: int, **message: Any) -> None:
            events.append({"type": kind, "index": at, "delta": {"message": message}})

        if plans:
            for half in filter(None, (given.thought[:4], given.thought[4:])):
                add("tool-plan-delta", 0, tool_plan=half)
        else:
            add("content-start", 0, content={"type": "thinking", "thinking": ""})
            add("content-delta", 0, content={"thinking": given.thought})
            events.append({"type": "content-end", "index": 0})
        add("content-start", 1, content={"type": "text", "text": ""})
        add("content-delta", 1, content={"text": given.text})
        for at, (call_id, name, arguments) in enumerate(given.calls):
            function = {"name": name, "arguments": ""}
            add("tool-call-start", at, tool_calls={"id": call_id, "function": function})
            add(
                "tool-call-delta", at, tool_calls={"function": {"arguments": json.dumps(arguments)}}
            )
            events.append({"type": "tool-call-end", "index": at})
        reason = "TOOL_CALL" if given.calls else "COMPLETE"
        events.append({"type": "message-end", "delta": {"finish_reason": reason}})
        return sse(*events, named=True)

    return says


def thoughts(body: Json) -> list[Any]:
    return [
        part["thinking"]
        for message in body["messages"]
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "thinking"
    ]


def cohere(plans: bool) -> Format:
    return Format(
        "cohere",
        cohere_says(plans),
        of_messages("tool_plan") if plans else thoughts,
        chat_calls,
        chat_results,
        lambda turn: [f"thought {turn}"],
        model="command-a-03-2025" if plans else "command-a-reasoning-08-2025",
    )


VERTEX = {"accessToken": "t", "project": "p", "location": "us-east5"}
FORMATS = {
    "chat": chat(
        "openai", lambda given: [], lambda body: [], lambda turn: [], table={"api": "chat"}
    ),
    "openrouter": with_details("openrouter", "openai/gpt-5"),
    "openrouter, responses": responses("openrouter", "openai/gpt-5", api="responses"),
    "openai-compatible": with_details("openai-compatible", "m"),
    "deepseek": reasoning_content("deepseek", "deepseek-reasoner"),
    "moonshot": reasoning_content("moonshot", "kimi-k2-thinking"),
    "zai": reasoning_content("zai", "glm-4.6"),
    "responses": responses("openai", "gpt-5"),
    "xai, responses": responses("xai", "grok-4", api="responses"),
    "azure, responses": responses("azure", "gpt-5", api="responses"),
    "aws, responses": responses("aws", "openai.gpt-oss-120b", api="responses", region="us-east-1"),
    "anthropic": claude("anthropic", "claude-sonnet-4-5"),
    "vertex, claude": claude("vertex", "claude-sonnet-4-5@20250929", **VERTEX),
    "bedrock, invoke": claude(
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        invoke_says,
        region="us-east-1",
        api="invoke",
    ),
    "bedrock, converse": CONVERSE,
    "gemini": gemini("gemini", "gemini-2.5-flash"),
    "gemini, array": gemini("gemini", "gemini-2.5-flash", stream="json"),
    "vertex, gemini": gemini("vertex", "gemini-2.5-flash", **VERTEX),
    "ollama": OLLAMA,
    "cohere": cohere(plans=False),
    "cohere, plan": cohere(plans=True),
}


def answer_as_a_client_keeps_it(answer: CompletionResponse) -> Message:
    parts: list[Part] = [*answer.reasoning]
    if answer.text:
        parts.append(Text(answer.text))
    return Message("assistant", parts, answer.tool_calls)


async def turn(at: Talk, messages: list[Message], model: str) -> Outcome:
    outcome, _ = await at.stream(ChatRequest(messages=messages, model=model, tools=TOOLS))
    messages.append(answer_as_a_client_keeps_it(outcome.response))
    return outcome


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FORMATS)
async def test_three_turns(name: str) -> None:
    spec = FORMATS[name]
    first = Given(
        "thought 1",
        spec.given(1),
        [("call_1", "look", {"at": "ü \U0001f600"}), ("call_2", "read", {})],
        "Let me see.",
    )
    second = Given("thought 2", spec.given(2), [("call_3", "look", {"at": "b"})])
    third = Given("", [], [], "Done.")
    foreign = [ReasoningState("", state) for whose, state in FOREIGN.items() if whose != spec.own]
    messages = [
        Message("user", [Text("Look and read")]),
        Message("assistant", [*foreign, Text("Yes?")]),
        Message("user", [Text("Go on")]),
    ]
    answers = [spec.says(given) for given in (first, second, third)]
    async with talk(spec.kind, *answers, **spec.table) as at:
        outcome = await turn(at, messages, spec.model)
        made = outcome.response.tool_calls
        assert [(c.name, json.loads(c.arguments)) for c in made] == [c[1:] for c in first.calls]
        assert outcome.response.text == "Let me see."
        assert outcome.response.finish_reason == "toolCalls"
        image = [Image(mime_type="image/png", data=PIXEL)]
        messages.append(Message("tool", [Text("no such"), *image], [], made[0].id))
        messages.append(Message("tool", [Text("broken")], [], made[1].id, is_error=True))
        body_2 = await asked(at, messages, spec)
        check(spec, body_2, [first])
        (last,) = messages[-1].tool_calls
        messages.append(Message("tool", [Text("fine")], [], last.id))
        body_3 = await asked(at, messages, spec)
        check(spec, body_3, [first, second])
        assert messages[-1].content == [Text("Done.")]
        assert not spec.states(at.body(0))


async def asked(at: Talk, messages: list[Message], spec: Format) -> Json:
    await turn(at, messages, spec.model)
    return at.body()


def check(spec: Format, body: Json, given: list[Given]) -> None:
    """What came back is what was given, in order: state, calls, and a result for every call."""
    assert spec.states(body) == [state for each in given for state in each.states]
    calls = [call for each in given for call in each.calls]
    assert [call[1:] for call in spec.calls(body)] == [call[1:] for call in calls]
    results = spec.results(body)
    if spec.own_ids:
        assert [call[0] for call in spec.calls(body)] == [call[0] for call in calls]
        assert [result[0] for result in results] == [call[0] for call in calls]
    said = ["no such", "broken", "fine"][: len(calls)]
    assert all(text in result[1] for text, result in zip(said, results, strict=True))
    assert (PIXEL in json.dumps(body)) == spec.images
