"""`ai/lm/*` over the real process: the editor is asked for an answer of its own models."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sidecar.framing import frame
from tests.contract.process import Sidecar, text_of

pytestmark = pytest.mark.asyncio

OFFERS = {"experimental": {"aiSidecar": {"lm": True}}}
OPTIONS = {
    "default": "vscode-lm/gpt-4o",
    "providers": {"vscode-lm": {}, "mock": {}},
    "retry": {"attempts": 1},
}
TOKEN = "t"


class Client:
    """An editor with models of its own, a step at a time."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar

    async def asked(self, *, answer: bool = True) -> Any:
        """Return the params of the question, which must be the next message."""
        message = await self.sidecar.read()
        assert message["method"] == "ai/lm/request", message
        if answer:
            self.accept(message)
        assert message["params"]["id"] == message["id"]
        return message["params"]

    def accept(self, message: Any) -> None:
        self.sidecar.send({"jsonrpc": "2.0", "id": message["id"], "result": None})

    def delta(self, id: str, **params: Any) -> None:
        self.sidecar.notify("ai/lm/delta", {"id": id, **params})

    def end(self, id: str, **params: Any) -> None:
        self.sidecar.notify("ai/lm/end", {"id": id, **params})


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with Sidecar(tmp_path, options=OPTIONS, capabilities=OFFERS) as sidecar:
        yield Client(sidecar)


async def test_a_streamed_answer(client: Client) -> None:
    it = client.sidecar
    params = {"prompt": "hi", "system": "Be brief.", "maxTokens": 9, "partialResultToken": TOKEN}
    request = it.request("ai/stream", params)
    asked = await client.asked()
    assert asked == {
        "id": asked["id"],
        "model": "gpt-4o",
        "maxTokens": 9,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ],
    }
    client.delta(asked["id"], text="Good ")
    first = [await it.read(), await it.read()]
    assert [m["params"]["value"]["kind"] for m in first] == ["start", "text"]
    client.delta(asked["id"], text="day")
    client.end(asked["id"], usage={"inputTokens": 3, "outputTokens": 2})
    rest, answer = await it.until_answer(request)
    assert text_of([*first, *rest], TOKEN) == "Good day"
    assert answer["result"]["usage"]["totalTokens"] == 5
    assert answer["result"]["finishReason"] == "stop"
    client.delta(asked["id"], text="too late")
    client.end(asked["id"])
    await it.quiet()


async def test_a_character_may_be_cut_in_two(client: Client) -> None:
    it = client.sidecar
    request = it.request("ai/stream", {"prompt": "hi", "partialResultToken": TOKEN})
    id = (await client.asked())["id"]
    client.delta(id, text="a\ud83d")
    client.delta(id, text="\ude00b\ude00c")
    client.delta(id, toolCall={"id": "c1", "name": "f", "arguments": '"\ud83d'})
    client.delta(id, toolCall={"id": "c1", "name": "f", "arguments": '\ude00"'})
    client.delta(id, text="\ud83d")
    client.end(id)
    seen, answer = await it.until_answer(request)
    assert text_of(seen, TOKEN) == "a\U0001f600b\ufffdc\ufffd"
    assert answer["result"]["toolCalls"][0]["arguments"] == '"\U0001f600"'


async def test_a_conversation_with_tools(client: Client) -> None:
    it = client.sidecar
    tool = {"name": "read", "description": "reads", "parameters": {"type": "object"}}
    call = {"id": "c1", "name": "read", "arguments": '{"path":"a.py"}'}
    image = {"type": "image", "mimeType": "image/png", "data": "aGk="}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        {"role": "assistant", "content": "", "toolCalls": [call]},
        {"role": "tool", "toolCallId": "c1", "content": "no such file", "isError": True},
    ]
    request = it.request("ai/complete", {"messages": messages, "tools": [tool]})
    asked = await client.asked()
    assert asked["tools"] == [tool]
    assert asked["messages"] == [
        messages[0],
        {**messages[1], "content": []},
        messages[2],
    ]
    for number in (2, 3):
        client.delta(asked["id"], toolCall={**call, "id": f"c{number}"})
    client.end(asked["id"])
    result = (await it.answer(request))["result"]
    assert [c["id"] for c in result["toolCalls"]] == ["c2", "c3"]
    assert result["toolCalls"][0]["arguments"] == '{"path":"a.py"}'
    assert result["finishReason"] == "toolCalls"


async def test_answers_that_cross_do_not_mix(client: Client) -> None:
    it = client.sidecar
    first, second = (it.request("ai/complete", {"prompt": word}) for word in ("one", "two"))
    questions = [await client.asked(), await client.asked()]
    ids = {q["messages"][0]["content"]: q["id"] for q in questions}
    for word in ("two", "one", "two"):
        client.delta(ids[word], text=word)
    client.end(ids["two"])
    assert (await it.answer(second))["result"]["text"] == "twotwo"
    client.end(ids["one"])
    assert (await it.answer(first))["result"]["text"] == "one"


async def test_what_follows_the_end_in_the_same_breath_is_dropped(client: Client) -> None:
    it = client.sidecar
    request = it.request("ai/complete", {"prompt": "hi"})
    id = (await client.asked())["id"]
    says = [("delta", {"text": "a"}), ("end", {}), ("delta", {"text": "b"}), ("end", {})]
    bodies = [
        json.dumps({"jsonrpc": "2.0", "method": f"ai/lm/{what}", "params": {"id": id, **params}})
        for what, params in says
    ]
    it.write(b"".join(frame(body.encode()) for body in bodies))
    result = (await it.answer(request))["result"]
    assert (result["text"], result["finishReason"]) == ("a", "stop")


async def test_a_cancel_reaches_the_editor_and_what_comes_late_is_dropped(client: Client) -> None:
    it = client.sidecar
    request = it.request("ai/stream", {"prompt": "hi", "partialResultToken": TOKEN})
    message = await it.read()
    asked = message["params"]
    client.delta(asked["id"], text="a")
    assert [(await it.read())["params"]["value"]["kind"] for _ in "12"] == ["start", "text"]
    it.cancel(request)
    told = [await it.read(), await it.read()]
    (cancelled,) = [m for m in told if m.get("method") == "$/cancelRequest"]
    assert cancelled["params"] == {"id": asked["id"]}
    assert [m["error"]["code"] for m in told if "error" in m] == [-32800]
    client.accept(message)  # only now
    client.delta(asked["id"], text="late")
    client.end(asked["id"])
    await it.quiet()
    assert (await it.call("ai/complete", {"prompt": "ok", "model": "mock/echo"}))["text"] == "ok"


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"message": "no consent", "kind": "permission"}, "permission", False),
        ({"message": "quota", "kind": "rateLimit"}, "rateLimit", True),
        ({"message": "?", "kind": "what is this"}, "server", True),
    ],
)
async def test_an_answer_that_fails(client: Client, error: Any, kind: str, retryable: bool) -> None:
    it = client.sidecar
    params = {"prompt": "hi", "partialResultToken": TOKEN, "fallback": []}
    request = it.request("ai/stream", params)
    asked = await client.asked()
    client.delta(asked["id"], text="half")
    client.end(asked["id"], error=error)
    _, answer = await it.until_answer(request)
    failed = answer["error"]
    assert (failed["code"], failed["message"]) == (-32803, error["message"])
    assert (failed["data"]["kind"], failed["data"]["retryable"]) == (kind, retryable)
    assert failed["data"]["partial"] == {"text": "half"}


async def test_an_editor_that_refuses_the_question(client: Client) -> None:
    it = client.sidecar
    for code, kind in ((-32601, "notConfigured"), (-32603, "server")):
        request = it.request("ai/complete", {"prompt": "hi"})
        asked = await client.asked(answer=False)
        it.send({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": "no"}})
        assert (await it.answer(request))["error"]["data"]["kind"] == kind


async def test_a_delta_of_another_shape_fails_its_answer_only(client: Client) -> None:
    it = client.sidecar
    request = it.request("ai/complete", {"prompt": "hi"})
    asked = await client.asked()
    it.notify("ai/lm/delta", {"id": "nobody's", "text": "x"})
    it.notify("ai/lm/delta", {"text": "x"})
    client.delta(asked["id"], text=7)
    answer = await it.answer(request)
    assert answer["error"]["data"]["kind"] == "malformedStream"
    assert "$.text" in answer["error"]["message"]


async def test_without_the_capability_nobody_is_asked(tmp_path: Path) -> None:
    for capabilities in ({}, {"experimental": {"aiSidecar": {"lm": False}}}):
        async with Sidecar(tmp_path, options=OPTIONS, capabilities=capabilities) as it:
            error = await it.fail("ai/complete", {"prompt": "hi"})
            assert (error["code"], error["data"]["kind"]) == (-32803, "notConfigured")
