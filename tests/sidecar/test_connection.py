"""Requests and their answers, on the real loop, with a real manager above a scripted provider."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from providers.errors import ProviderError, RateLimited, Truncated
from providers.types import (
    Citation,
    CodeDelta,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from tests.sidecar.harness import Editor, text_of, values
from tests.sidecar.scripted import Gate, Script, end, says, start

STREAM = {"prompt": "Hi", "partialResultToken": "p"}


def gated(gate: Gate, *texts: str) -> Script:
    """Says the texts, then waits for the gate."""

    async def script(request: Any):
        try:
            yield start()
            for text in texts:
                gate.pulled += 1
                yield [TextDelta(text)]
            gate.reached.set()
            await gate.open.wait()
            yield end()
        finally:
            gate.closed.set()

    return script


def fails(error: ProviderError, *texts: str) -> Script:
    async def script(request: Any):
        yield start()
        for text in texts:
            yield [TextDelta(text)]
        raise error

    return script


# --- answers ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_complete_answers_with_the_whole_text(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        result = await editor.call("ai/complete", {"prompt": "Hi"})
    assert result["text"] == "Hello, world"
    assert result["provider"] == "scripted" and result["finishReason"] == "stop"
    assert result["usage"]["totalTokens"] == 7
    assert result["cost"] is None
    assert set(result["timing"]) == {"dispatchMs", "firstTokenMs", "totalMs"}
    assert [a.get("error") for a in result["attempts"]] == [None]


@pytest.mark.asyncio
async def test_stream_sends_every_event_in_order_before_the_answer(
    tmp_path: Path, script: Any
) -> None:
    async def everything(request: Any):
        yield [*start(), ReasoningDelta("hm"), ReasoningDelta("", "sig")]
        yield [TextDelta("a"), TextDelta("b"), CodeDelta("python", "1+1", "2")]
        yield [ToolCallDelta(0, "c1", "f", None), ToolCallDelta(0, arguments='{"x":1}')]
        yield [Citation("https://example.org", "E"), *end()]

    script["default"] = everything
    async with Editor(tmp_path) as editor:
        before, answer = await editor.until_answer(editor.request("ai/stream", STREAM))
    assert values(before, "p") == [
        {"kind": "start", "id": "r-1", "provider": "scripted", "model": "m-1"},
        {"kind": "reasoning", "text": "hm"},
        {"kind": "reasoning", "text": "", "opaque": "sig"},
        {"kind": "text", "text": "a"},
        {"kind": "text", "text": "b"},
        {"kind": "code", "language": "python", "code": "1+1", "output": "2"},
        {"kind": "toolCall", "index": 0, "id": "c1", "name": "f"},
        {"kind": "toolCall", "index": 0, "arguments": '{"x":1}'},
        {"kind": "citation", "url": "https://example.org", "title": "E"},
    ]
    result = answer["result"]
    assert result["text"] == ""
    assert result["reasoning"] == [{"type": "reasoning", "text": "hm", "opaque": "sig"}]
    assert result["toolCalls"] == [{"id": "c1", "name": "f", "arguments": '{"x":1}'}]
    assert result["code"][0]["output"] == "2" and result["citations"][0]["title"] == "E"


@pytest.mark.asyncio
async def test_stream_without_a_token_answers_like_complete(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        result = await editor.call("ai/stream", {"prompt": "Hi"})
    assert result["text"] == "Hello, world"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from('aé\u0301שلا😀👩‍👧\n"\\\u2028\x00'), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 40)),
    token=st.one_of(st.integers(), st.text(max_size=8)),
)
def test_streamed_text_is_the_completed_text(
    tmp_path: Path, script: Any, text: str, cuts: list[int], token: int | str
) -> None:
    marks = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    batches = [[text[a:b]] for a, b in itertools.pairwise(marks)]
    script["default"] = says(*batches)

    async def both() -> tuple[str, str]:
        async with Editor(tmp_path) as editor:
            whole = await editor.call("ai/complete", {"prompt": "x"})
            id = editor.request("ai/stream", {"prompt": "x", "partialResultToken": token})
            before, _ = await editor.until_answer(id)
            return whole["text"], text_of(before, token)

    whole, streamed = asyncio.run(both())
    assert whole == streamed == text


@pytest.mark.asyncio
async def test_two_hundred_requests_at_once_are_each_answered_once(
    tmp_path: Path, script: Any
) -> None:
    async with Editor(tmp_path) as editor:
        for n in range(200):
            editor.request("ai/stream", {"prompt": "x", "partialResultToken": n}, id=n)
        messages = [await editor.read() for _ in range(200 * 5)]
    for n in range(200):
        mine = [m for m in messages if m.get("id") == n or m.get("params", {}).get("token") == n]
        assert [("result" in m) for m in mine] == [False] * 4 + [True]
        assert text_of(mine[:4], n) == "Hello, world"


@pytest.mark.parametrize("id", [0, -1, "", "a", "1", 2**70, "😀", 'quo"te'])
@pytest.mark.asyncio
async def test_ids_come_back_as_they_were(tmp_path: Path, script: Any, id: Any) -> None:
    async with Editor(tmp_path) as editor:
        editor.request("ai/countTokens", {"text": "x"}, id=id)
        assert (await editor.answer(id))["result"] == {"tokens": 1, "method": "api"}
        editor.request("no/such", {}, id=id)
        assert (await editor.answer(id))["error"]["code"] == -32601


@pytest.mark.asyncio
async def test_requests_with_the_same_id_are_each_answered(tmp_path: Path, script: Any) -> None:
    gate = Gate()
    script["held"] = gated(gate)
    async with Editor(tmp_path) as editor:
        editor.request("ai/complete", {"prompt": "x", "model": "held"}, id=7)
        editor.request("ai/complete", {"prompt": "x"}, id=7)
        assert (await editor.answer(7))["result"]["text"] == "Hello, world"
        editor.cancel(7)
        assert (await editor.answer(7))["error"]["code"] == -32800


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "id", "code"),
    [
        (b"", None, -32700),
        (b"{", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models"} x', None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":{"a":NaN}}', None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models\xff"}', None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":{"a":"\\q"}}', None, -32700),
        (b"[]", None, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ai/models"}]', None, -32600),
        (b"null", None, -32600),
        (b'"x"', None, -32600),
        (b"{}", None, -32600),
        (b'{"jsonrpc":"2.0","id":3}', 3, -32600),
        (b'{"jsonrpc":"1.0","id":3,"method":"ai/models"}', 3, -32600),
        (b'{"id":0,"method":"ai/models"}', 0, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ai/models"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ai/models"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":"a","method":5}', "a", -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/nothing"}', 1, -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/nothing","params":5}', 1, -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}', 1, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":[]}', 1, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":"x"}', 1, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ai/complete","params":{"prompt":"\xff"}}', 1, -32700),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_request_is_answered_with_the_right_code(
    tmp_path: Path, script: Any, body: bytes, id: Any, code: int
) -> None:
    async with Editor(tmp_path) as editor:
        editor.send_bytes(body)
        message = await editor.read()
        assert message["id"] == id
        assert message["error"]["code"] == code and message["error"]["message"]
        assert await editor.call("ai/countTokens", {"text": "x"})  # the connection goes on


DEEP = b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":' + b"[" * 99_999


@pytest.mark.parametrize(
    ("body", "else_code"), [(DEEP, -32700), (DEEP + b"]" * 99_999 + b"}", -32602)]
)
@pytest.mark.asyncio
async def test_what_is_nested_deeply_is_refused_as_that_or_as_what_it_is(
    tmp_path: Path, script: Any, body: bytes, else_code: int
) -> None:
    """From Python 3.14 on the size of the stack says how deep is too deep."""
    async with Editor(tmp_path) as editor:
        editor.send_bytes(body)
        error = (await editor.read())["error"]
        assert error["code"] in (-32600, else_code) and len(error["message"]) < 200
        assert await editor.call("ai/countTokens", {"text": "x"})


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "prompt"),
        ({"prompt": "x", "messages": []}, "prompt"),
        ({"messages": []}, "messages"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x", "maxTokens": 0}, "maxTokens"),
        ({"prompt": "x", "maxTokens": 1.5}, "maxTokens"),
        ({"prompt": "x", "temperature": -0.1}, "temperature"),
        ({"prompt": "x", "temperature": 2.1}, "temperature"),
        ({"prompt": "x", "topP": 1.01}, "topP"),
        ({"prompt": "x", "timeoutMs": 0}, "timeoutMs"),
        ({"prompt": "x", "stop": [""]}, "stop[0]"),
        ({"prompt": "x", "fallback": ["a", ""]}, "fallback[1]"),
        ({"prompt": "x", "tools": [{"name": "", "parameters": {}}]}, "tools[0].name"),
        ({"prompt": "x", "tools": [{"parameters": {}}]}, "tools[0]"),
        ({"prompt": "x", "reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"prompt": "x", "reasoning": {"budgetTokens": -1}}, "reasoning.budgetTokens"),
        ({"prompt": "x", "toolChoice": "maybe"}, "toolChoice"),
        ({"prompt": "x", "responseFormat": {"type": "xml"}}, "responseFormat.type"),
        ({"prompt": "x", "model": ""}, "model"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
@pytest.mark.asyncio
async def test_bad_params_name_the_field(
    tmp_path: Path, script: Any, params: dict[str, Any], field: str
) -> None:
    async with Editor(tmp_path) as editor:
        for method in ("ai/complete", "ai/stream"):
            error = await editor.fail(method, params)
            assert error["code"] == -32602
            assert error["message"].startswith(f"{field}: "), error["message"]
            assert len(error["message"]) > len(field) + 8


@pytest.mark.asyncio
async def test_bad_params_of_a_standard_method_name_the_field(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        error = await editor.fail("workspace/executeCommand", {"command": "rm"})
        assert error["code"] == -32602 and error["message"].startswith("command: ")
        error = await editor.fail("workspace/executeCommand", {"command": ["rm"]})
        assert error["code"] == -32602
        error = await editor.fail(
            "workspace/executeCommand", {"command": "aiSidecar.selectModel", "arguments": [{}]}
        )
        assert error == {"code": -32602, "message": "arguments[0].model: expected a model's name"}
        error = await editor.fail(
            "workspace/executeCommand", {"command": "aiSidecar.selectModel", "arguments": 5}
        )
        assert error["code"] == -32602 and error["message"].startswith("arguments: ")


@pytest.mark.asyncio
async def test_a_provider_error_is_told_whole(tmp_path: Path, script: Any) -> None:
    script["default"] = fails(
        RateLimited("slow down", status=429, retry_after=1.5, request_id="q"), "Hel"
    )
    async with Editor(tmp_path) as editor:
        before, answer = await editor.until_answer(editor.request("ai/stream", STREAM))
    assert text_of(before, "p") == "Hel"
    error = answer["error"]
    assert (error["code"], error["message"]) == (-32803, "slow down")
    attempts = error["data"].pop("attempts")
    assert error["data"] == {
        "kind": "rateLimit",
        "retryable": True,
        "provider": "scripted",
        "model": "default",
        "status": 429,
        "requestId": "q",
        "retryAfterMs": 1500,
        "partial": {"text": "Hel"},
    }
    assert len(attempts) == 1 and attempts[0]["error"]["kind"] == "rateLimit"


@pytest.mark.asyncio
async def test_a_retry_is_told_and_then_the_answer_comes(tmp_path: Path, script: Any) -> None:
    tries: list[int] = []

    async def second_time_lucky(request: Any):
        tries.append(1)
        if len(tries) == 1:
            raise RateLimited("busy", status=429, retry_after=0.01)
        yield [*start(), TextDelta("ok")]
        yield end()

    script["default"] = second_time_lucky
    async with Editor(tmp_path) as editor:
        before, answer = await editor.until_answer(editor.request("ai/stream", STREAM))
    retry, *rest = values(before, "p")
    assert retry["kind"] == "retry" and retry["attempt"] == 1 and retry["waitMs"] >= 10
    assert retry["error"]["kind"] == "rateLimit" and retry["provider"] == "scripted"
    assert [v["kind"] for v in rest] == ["start", "text"]
    assert [("error" in a) for a in answer["result"]["attempts"]] == [True, False]


@pytest.mark.asyncio
async def test_a_bug_is_logged_whole_and_answered_short(
    tmp_path: Path, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def bug(request: Any):
        yield start()
        raise ZeroDivisionError("the secret cause")

    script["default"] = bug
    async with Editor(tmp_path) as editor:
        error = await editor.fail("ai/complete", {"prompt": "x"})
        assert error["code"] == -32603 and "secret" not in json.dumps(error)
        assert await editor.call("ai/countTokens", {"text": "x"})
    assert "the secret cause" in caplog.text


@pytest.mark.asyncio
async def test_a_result_that_cannot_be_written_is_answered_as_the_bug_that_it_is(
    tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(*_: Any) -> Any:
        return {"text": object()}

    async with Editor(tmp_path) as editor:
        monkeypatch.setattr(editor.connection, "_handlers", {"ai/complete": handle})
        error = await editor.fail("ai/complete", {"prompt": "Hi"})
    assert error["code"] == -32603
    assert "ai/complete gave no answer" in caplog.text


@pytest.mark.asyncio
async def test_half_a_surrogate_never_fails_a_request(tmp_path: Path, script: Any) -> None:
    heard: list[str] = []

    async def listen(request: Any):
        heard.append(request.prompt)
        yield [*start(), TextDelta("ok"), *end()]

    script["default"] = listen
    async with Editor(tmp_path) as editor:
        for prompt in ("\\ud83d", "x\\udE00y", "\\ud83d\\ude00\\ud83d", "\\\\ud83d", "\\ud83dx"):
            editor.send_bytes(
                b'{"jsonrpc":"2.0","id":1,"method":"ai/complete","params":{"prompt":"%b"}}'
                % prompt.encode()
            )
            assert (await editor.answer(1))["result"]["text"] == "ok"
        said = b'{"prompt":"\\\\ud83d\\ud83d"}'
        both = b'{"jsonrpc":"2.0","id":1,"method":"ai/complete","params":%b}' % said
        editor.send_bytes(both)
        await editor.answer(1)
        editor.send_bytes(b'{"jsonrpc":"2.0","id":"\\udc00","method":"no/such"}')
        assert (await editor.read())["id"] == "\ufffd"
    assert heard == ["\ufffd", "x\ufffdy", "😀\ufffd", "\\ud83d", "\ufffdx", "\\ud83d\ufffd"]


@pytest.mark.asyncio
async def test_half_a_surrogate_in_an_answer_is_replaced(tmp_path: Path, script: Any) -> None:
    script["default"] = says(["a\ud83d"], ["b"])
    async with Editor(tmp_path) as editor:
        before, _ = await editor.until_answer(editor.request("ai/stream", STREAM))
        assert text_of(before, "p") == "a\ufffdb"
        assert (await editor.call("ai/complete", {"prompt": "x"}))["text"] == "a\ufffdb"


@pytest.mark.asyncio
async def test_an_unknown_field_is_ignored_and_logged_once(
    tmp_path: Path, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # Not a warning: a newer editor's field is nothing wrong, and stderr is for what is.
    caplog.set_level("INFO", "sidecar")
    async with Editor(tmp_path) as editor:
        for _ in range(2):
            await editor.call("ai/complete", {"prompt": "x", "maxTokenz": 5})
    told = [record for record in caplog.records if "maxTokenz" in record.getMessage()]
    assert [record.levelname for record in told] == ["INFO"]


@pytest.mark.asyncio
async def test_an_object_with_jsonrpc_inside_is_just_an_object(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        message = {"jsonrpc": "2.0", "id": 9, "method": "exit"}
        result = await editor.call(
            "ai/complete",
            {"prompt": "x", "tools": [{"name": "f", "parameters": message}]},
        )
        assert result["text"] == "Hello, world"
        argument = {"model": "default", **message}
        await editor.call(
            "workspace/executeCommand",
            {"command": "aiSidecar.selectModel", "arguments": [argument]},
        )
        assert not editor.exit_codes


# --- cancelling -------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_cancel_before_the_first_byte(tmp_path: Path, script: Any) -> None:
    gate = Gate()

    async def silent(request: Any):
        try:
            gate.reached.set()
            await gate.open.wait()
            yield start()
        finally:
            gate.closed.set()

    script["default"] = silent
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/stream", STREAM)
        await gate.reached.wait()
        editor.cancel(id)
        answer = await editor.answer(id)
        assert answer["error"]["code"] == -32800
        assert gate.closed.is_set()
        await editor.quiet()


@pytest.mark.asyncio
async def test_cancel_in_the_middle_sends_nothing_more(tmp_path: Path, script: Any) -> None:
    gate = Gate()
    script["default"] = gated(gate, "a", "b")
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/stream", {**STREAM, "workDoneToken": "w"})
        await gate.reached.wait()
        before = [await editor.read() for _ in range(5)]
        assert text_of(before, "p") == "ab"
        editor.cancel(id)
        after, answer = await editor.until_answer(id)
        assert [m["params"] for m in after] == [{"token": "w", "value": {"kind": "end"}}]
        assert answer["error"]["code"] == -32800
        assert gate.closed.is_set()
        metrics = await editor.call("ai/metrics")
        assert metrics["providers"][0]["cancelled"] == 1
        await editor.quiet()


@pytest.mark.asyncio
async def test_cancel_before_the_task_has_begun(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/stream", STREAM)
        editor.cancel(id)
        async with asyncio.timeout(0.5):
            assert (await editor.answer(id))["error"]["code"] == -32800
        await editor.quiet()


@pytest.mark.asyncio
@pytest.mark.parametrize("first_is_over", [False, True])
async def test_a_cancel_stops_every_request_of_its_id(
    tmp_path: Path, script: Any, first_is_over: bool
) -> None:
    """An id given twice is a client's mistake, but nothing may run on unseen."""
    one, two = Gate(), Gate()
    script["one"], script["two"] = gated(one), gated(two)
    async with Editor(tmp_path) as editor:
        for model in ("one", "two"):
            editor.request("ai/stream", {"prompt": "Hi", "model": model}, id=7)
        await one.reached.wait()
        await two.reached.wait()
        if first_is_over:
            one.open.set()
            assert "result" in await editor.answer(7)
        editor.cancel(7)
        for _ in range(1 if first_is_over else 2):
            assert (await editor.answer(7))["error"]["code"] == -32800
        assert one.closed.is_set() and two.closed.is_set()


@pytest.mark.asyncio
async def test_cancel_while_waiting_to_retry(tmp_path: Path, script: Any) -> None:
    tries: list[int] = []

    async def busy(request: Any):
        tries.append(1)
        raise RateLimited("busy", status=429, retry_after=5)
        yield start()

    script["default"] = busy
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/stream", STREAM)
        assert (await editor.read())["params"]["value"]["kind"] == "retry"
        editor.cancel(id)
        assert (await editor.answer(id))["error"]["code"] == -32800
    assert len(tries) == 1


@pytest.mark.asyncio
async def test_cancel_of_what_is_answered_or_unknown_is_nothing(
    tmp_path: Path, script: Any
) -> None:
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/complete", {"prompt": "x"})
        await editor.answer(id)
        for params in ({"id": id}, {"id": "zz"}, {"id": None}, {"id": [1]}, {}, []):
            editor.notify("$/cancelRequest", params)
        await editor.quiet()


@pytest.mark.asyncio
async def test_a_handler_that_does_not_stop_is_answered_all_the_same(
    tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.rpc.CANCEL_GRACE", 0.01)
    gate = Gate()

    async def stubborn(request: Any):
        yield start()
        gate.reached.set()
        while not gate.open.is_set():
            try:
                await gate.open.wait()
            except asyncio.CancelledError:
                continue
        yield [TextDelta("too late")]
        yield end()

    script["default"] = stubborn
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/stream", STREAM)
        assert (await editor.read())["params"]["value"]["kind"] == "start"
        await gate.reached.wait()
        editor.cancel(id)
        assert (await editor.answer(id))["error"]["code"] == -32800
        gate.open.set()
        await editor.quiet()


@pytest.mark.asyncio
async def test_a_result_that_comes_after_the_cancel_is_not_sent(
    tmp_path: Path, script: Any
) -> None:
    gate = Gate()

    async def finishes_anyway(request: Any):
        yield start()
        gate.reached.set()
        try:
            await gate.open.wait()
        except asyncio.CancelledError:
            gate.closed.set()
        yield end()

    script["default"] = finishes_anyway
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/complete", {"prompt": "x"})
        await gate.reached.wait()
        editor.cancel(id)
        assert (await editor.answer(id))["error"]["code"] == -32800
        assert gate.closed.is_set()


@pytest.mark.asyncio
async def test_the_cancel_button_of_work_done_progress_cancels(tmp_path: Path, script: Any) -> None:
    gate = Gate()
    script["default"] = gated(gate)
    async with Editor(tmp_path) as editor:
        id = editor.request("ai/complete", {"prompt": "x", "workDoneToken": 4})
        assert (await editor.read())["params"] == {
            "token": 4,
            "value": {"kind": "begin", "title": "scripted default", "cancellable": True},
        }
        await gate.reached.wait()
        editor.notify("window/workDoneProgress/cancel", {"token": "4"})
        await editor.quiet()
        editor.notify("window/workDoneProgress/cancel", {"token": 4})
        before, answer = await editor.until_answer(id)
        # The editor would show a progress that nobody ends for ever.
        assert [m["params"] for m in before] == [{"token": 4, "value": {"kind": "end"}}]
        assert answer["error"]["code"] == -32800
        await editor.quiet()


# --- a client that does not read -------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_client_that_does_not_read_loses_nothing_and_holds_up_nobody(
    tmp_path: Path, script: Any
) -> None:
    batches, piece = 2500, "x" * 100
    pulled: list[int] = []

    async def long(request: Any):
        yield start()
        for n in range(batches):
            pulled.append(n)
            yield [TextDelta(f"{n},"), TextDelta(piece)]
            if n % 50 == 0:
                await asyncio.sleep(0)
        yield end()

    gate = Gate()
    script["default"], script["held"] = long, gated(gate)
    async with Editor(tmp_path) as editor:
        editor.pipe.reading = False
        stream = editor.request("ai/stream", STREAM)
        held = editor.request("ai/complete", {"prompt": "x", "model": "held"})
        await gate.reached.wait()
        for _ in range(500):
            await asyncio.sleep(0)
        stopped_at = len(pulled)
        assert stopped_at < batches, "the provider was read although the client does not"
        assert editor.outbox.size < 400 * 1024
        editor.cancel(held)
        await gate.closed.wait()
        for _ in range(500):
            await asyncio.sleep(0)
        assert len(pulled) == stopped_at
        editor.pipe.resume()
        messages = []
        while len(messages) < 2 or not {stream, held} <= {m.get("id") for m in messages}:
            messages.append(await editor.read())
    assert text_of([m for m in messages if "params" in m], "p") == "".join(
        f"{n},{piece}" for n in range(batches)
    )
    answers = {m["id"]: m for m in messages if "id" in m}
    assert answers[held]["error"]["code"] == -32800 and "result" in answers[stream]
    assert messages[-1]["id"] == stream


@pytest.mark.asyncio
async def test_a_stream_waiting_for_the_client_can_be_cancelled(
    tmp_path: Path, script: Any
) -> None:
    closed = asyncio.Event()

    async def endless(request: Any):
        try:
            yield start()
            while True:
                await asyncio.sleep(0)
                yield [TextDelta("y" * 10000)]
        finally:
            closed.set()

    script["default"] = endless
    async with Editor(tmp_path) as editor:
        editor.pipe.reading = False
        id = editor.request("ai/stream", STREAM)
        while not editor.outbox.congested:
            await asyncio.sleep(0)
        editor.cancel(id)
        async with asyncio.timeout(1):
            await closed.wait()
        editor.pipe.resume()
        _, answer = await editor.until_answer(id)
        assert answer["error"]["code"] == -32800


@pytest.mark.asyncio
async def test_events_of_one_turn_leave_in_one_write(tmp_path: Path, script: Any) -> None:
    async def burst(request: Any):
        yield start()
        yield [TextDelta(str(n)) for n in range(50)]
        await asyncio.sleep(0)
        yield end()

    script["default"] = burst
    async with Editor(tmp_path) as editor:
        before, _ = await editor.until_answer(editor.request("ai/stream", STREAM))
        assert len(values(before, "p")) == 51  # each its own event, nothing merged
        assert len(editor.pipe.writes) <= 3


# --- life of the session -----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_after_shutdown_requests_are_refused_and_running_ones_cancelled(
    tmp_path: Path, script: Any
) -> None:
    gate = Gate()
    script["default"] = gated(gate)
    async with Editor(tmp_path) as editor:
        running = editor.request("ai/complete", {"prompt": "x"})
        await gate.reached.wait()
        down = editor.request("shutdown")
        answers = [await editor.read(), await editor.read()]
        assert {a["id"] for a in answers} == {running, down}
        for answer in answers:
            if answer["id"] == running:
                assert answer["error"]["code"] == -32800
            else:
                assert answer == {"jsonrpc": "2.0", "id": down, "result": None}
        for method in ("ai/models", "workspace/executeCommand", "shutdown", "initialize"):
            assert (await editor.fail(method))["code"] == -32600
        editor.notify("exit")
        assert editor.exit_codes == [0]


@pytest.mark.asyncio
async def test_exit_without_shutdown_is_a_failure(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        editor.notify("exit")
        assert editor.exit_codes == [1]


@pytest.mark.asyncio
async def test_requests_wait_for_the_session(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path, with_session=False) as editor:
        one = editor.request("ai/complete", {"prompt": "x"})
        two = editor.request("ai/complete", {"prompt": "x"})
        three = editor.request("workspace/executeCommand", {"command": "no"})
        assert (await editor.fail("ai/complete", {"prompt": 5}))["code"] == -32602
        editor.cancel(one)
        assert (await editor.answer(one))["error"]["code"] == -32800
        await editor.quiet()
        editor.open_session()
        assert (await editor.answer(three))["error"]["code"] == -32602
        assert (await editor.answer(two))["result"]["text"] == "Hello, world"


@pytest.mark.asyncio
async def test_where_a_part_is_missing_every_request_is_answered_so(tmp_path: Path) -> None:
    async with Editor(tmp_path, with_session=False) as editor:
        one = editor.request("ai/complete", {"prompt": "x"})
        two = editor.request("workspace/executeCommand", {"command": "x"})
        editor.connection.fail(ImportError("gone"))
        assert (await editor.answer(two))["error"]["code"] == -32603
        assert (await editor.answer(one))["error"]["code"] == -32603
        assert (await editor.fail("ai/models"))["code"] == -32603


@pytest.mark.asyncio
async def test_select_model_holds_for_requests_that_name_none(tmp_path: Path, script: Any) -> None:
    script["other"] = says(["other"])
    async with Editor(tmp_path) as editor:
        command = {
            "command": "aiSidecar.selectModel",
            "arguments": [{"provider": "scripted", "model": "other"}],
        }
        assert await editor.call("workspace/executeCommand", command) is None
        assert (await editor.call("ai/complete", {"prompt": "x"}))["text"] == "other"
        named = {"prompt": "x", "model": "scripted/default"}
        assert (await editor.call("ai/complete", named))["text"] == "Hello, world"


@pytest.mark.asyncio
async def test_a_pick_holds_for_every_later_request_and_no_earlier_one(
    tmp_path: Path, script: Any
) -> None:
    """All of it in one read, before there is a session."""
    script["one"], script["two"] = says(["one"]), says(["two"])
    async with Editor(tmp_path, with_session=False) as editor:
        ids: list[Any] = []
        for name in ("one", "two"):
            pick = {"model": name, "provider": "scripted"}
            command = {"command": "aiSidecar.selectModel", "arguments": [pick]}
            ids += [
                editor.request("ai/complete", {"prompt": "x"}),
                editor.request("workspace/executeCommand", command),
            ]
        ids.append(editor.request("ai/complete", {"prompt": "x"}))
        editor.open_session()
        answers = {answer["id"]: answer["result"] for answer in [await editor.read() for _ in ids]}
        texts = [answers[id] and answers[id]["text"] for id in ids]
        assert texts == ["Hello, world", None, "one", None, "two"]


@pytest.mark.asyncio
async def test_documents_are_kept_as_the_editor_has_them(tmp_path: Path, script: Any) -> None:
    uri = "file:///x.py"
    async with Editor(tmp_path) as editor:
        editor.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": "a😀b\n"}},
        )
        edit = {
            "range": {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 4}},
            "text": "c",
        }
        editor.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [edit]},
        )
        assert editor.bridge.server.workspace.get_text_document(uri).source == "a😀c\n"
        editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert uri not in editor.bridge.server.workspace.text_documents
        editor.notify("textDocument/didChange", {"textDocument": 5})  # logged, not answered
        editor.notify("no/such", {})
        editor.notify("$/setTrace", {"value": "verbose"})
        await editor.quiet()


@pytest.mark.asyncio
async def test_pygls_can_ask_the_client(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        server = editor.bridge.server
        edit = types.ApplyWorkspaceEditParams(types.WorkspaceEdit(changes={}), label="l")
        for answer, applied in (({"result": {"applied": True}}, True), ({"error": {}}, None)):
            asked = asyncio.ensure_future(server.workspace_apply_edit_async(edit))
            message = await editor.read()
            assert message["method"] == "workspace/applyEdit"
            assert message["params"] == {"edit": {"changes": {}}, "label": "l"}
            editor.send({"jsonrpc": "2.0", "id": message["id"], **answer})
            if applied:
                assert (await asked).applied is True
            else:
                with pytest.raises(JsonRpcException):
                    await asked
        editor.send({"jsonrpc": "2.0", "id": "nobody", "result": 1})
        refresh = asyncio.ensure_future(server.workspace_inline_value_refresh_async(None))
        message = await editor.read()
        assert message["params"] == {}  # never absent: some clients crash without
        editor.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
        assert await refresh is None


@pytest.mark.asyncio
async def test_null_params_are_no_params(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        for params in (b',"params":null', b""):
            editor.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"ai/metrics"%b}' % params)
            assert "result" in await editor.answer(1)


@pytest.mark.asyncio
async def test_a_broken_stream_keeps_what_had_arrived(tmp_path: Path, script: Any) -> None:
    script["default"] = fails(Truncated("cut"), "one ", "two")
    async with Editor(tmp_path) as editor:
        error = await editor.fail("ai/stream", {"prompt": "x"})
    assert error["data"]["kind"] == "truncatedStream"
    assert error["data"]["partial"] == {"text": "one two"}


@pytest.mark.asyncio
async def test_the_lists(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        models = (await editor.call("ai/models"))["models"]
        assert models[0]["id"] == "default" and models[0]["supports"]["streaming"] is True
        assert models[0]["contextWindow"] is None
        providers = {p["id"]: p for p in (await editor.call("ai/providers"))["providers"]}
        assert providers["scripted"]["isDefault"] and providers["scripted"]["configured"]
        assert providers["scripted"]["circuit"] == "closed"
        health = await editor.call("ai/health", {"live": True, "provider": "scripted"})
        assert health == {"providers": [{"id": "scripted", "status": "healthy", "latencyMs": 1.0}]}
        count = await editor.call(
            "ai/countTokens", {"messages": [{"role": "user", "content": "x"}]}
        )
        assert count == {"tokens": 1, "method": "api"}
        assert (await editor.fail("ai/countTokens", {}))["code"] == -32602
        unknown = await editor.fail("ai/models", {"provider": "zip"})
        assert unknown["code"] == -32803 and unknown["data"]["kind"] == "providerNotFound"
        metrics = await editor.call("ai/metrics")
        assert metrics["rssBytes"] > 1_000_000 and metrics["uptimeMs"] >= 0
