"""Where the configuration comes from, what may change it, and what the user is told of it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from providers.errors import Authentication
from tests.sidecar.harness import Editor
from tests.sidecar.scripted import says, start

pytestmark = pytest.mark.asyncio

ASKS = {"workspace": {"configuration": True}}
REGISTERS = {"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}}


def two_models(script: Any) -> None:
    script["one"], script["two"] = says(["one"]), says(["two"])


async def model_of(editor: Editor) -> str:
    return (await editor.call("ai/complete", {"prompt": "x"}))["text"]


def options(default: str) -> dict[str, Any]:
    return {"default": f"scripted/{default}", "providers": {"scripted": {"kind": "mock"}}}


def reply(editor: Editor, request: Any, result: Any) -> None:
    editor.send({"jsonrpc": "2.0", "id": request["id"], "result": result})


async def test_settings_are_asked_for_after_initialized(tmp_path: Path, script: Any) -> None:
    two_models(script)
    async with Editor(tmp_path, options=options("one"), capabilities=ASKS) as editor:
        await editor.quiet()
        editor.notify("initialized")
        asked = await editor.read()
        assert asked["method"] == "workspace/configuration"
        assert asked["params"] == {"items": [{"section": "aiSidecar"}]}
        assert await model_of(editor) == "one"
        reply(editor, asked, [{"default": "scripted/two"}])
        assert await model_of(editor) == "two"


@pytest.mark.parametrize("empty", [None, {}, {"aiSidecar": None}, {"aiSidecar": {}}])
async def test_an_empty_change_means_ask(tmp_path: Path, script: Any, empty: Any) -> None:
    two_models(script)
    async with Editor(tmp_path, options=options("one"), capabilities=ASKS) as editor:
        editor.notify("workspace/didChangeConfiguration", {"settings": empty})
        asked = await editor.read()
        assert asked["method"] == "workspace/configuration"
        reply(editor, asked, [{"default": "scripted/two"}])
        assert await model_of(editor) == "two"


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_change_is_taken_over(tmp_path: Path, script: Any, wrapped: bool) -> None:
    two_models(script)
    async with Editor(tmp_path, options=options("one"), capabilities=ASKS) as editor:
        settings: Any = {"default": "scripted/two"}
        if wrapped:
            settings = {"aiSidecar": settings, "editor": {"tabSize": 2}}
        editor.notify("workspace/didChangeConfiguration", {"settings": settings})
        assert await model_of(editor) == "two"


async def test_the_settings_of_other_programs_are_none_of_ours(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        editor.notify("initialized")
        editor.notify("workspace/didChangeConfiguration", {"settings": {"python": {"x": 1}}})
        await editor.quiet()


@pytest.mark.parametrize("answer", [[None], [], None, "x", [5]])
async def test_an_editor_without_settings_changes_nothing(
    tmp_path: Path, script: Any, answer: Any
) -> None:
    async with Editor(tmp_path, capabilities=ASKS) as editor:
        editor.notify("initialized")
        reply(editor, await editor.read(), answer)
        assert await model_of(editor) == "Hello, world"


async def test_an_editor_that_refuses_is_not_asked_why(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path, capabilities={**ASKS}) as editor:
        editor.notify("initialized")
        asked = await editor.read()
        editor.send({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": ""}})
        assert await model_of(editor) == "Hello, world"


async def test_nothing_is_asked_of_a_client_that_did_not_announce_it(
    tmp_path: Path, script: Any
) -> None:
    async with Editor(tmp_path) as editor:
        editor.notify("initialized")
        editor.notify("workspace/didChangeConfiguration", {"settings": None})
        await editor.quiet()


async def test_changes_are_registered_for_where_that_was_announced(
    tmp_path: Path, script: Any
) -> None:
    async with Editor(tmp_path, capabilities=REGISTERS) as editor:
        editor.notify("initialized")
        asked = await editor.read()
        assert asked["method"] == "client/registerCapability"
        [registration] = asked["params"]["registrations"]
        assert registration["method"] == "workspace/didChangeConfiguration"
        reply(editor, asked, None)
        await editor.quiet()


async def test_a_workspace_cannot_send_the_key_elsewhere(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path, capabilities=ASKS) as editor:
        editor.notify("initialized")
        evil = {"providers": {"scripted": {"baseUrl": "http://evil.example/"}}}
        reply(editor, await editor.read(), [evil])
        told = await editor.read()
        assert told["method"] == "window/showMessage"
        assert "providers" in told["params"]["message"]
        assert editor.session is not None
        configured = editor.session.store.config.providers_config().providers["scripted"]
        assert configured.base_url is None


async def test_problems_are_told_once_each_and_keep_the_rest_in_force(
    tmp_path: Path, script: Any
) -> None:
    wrong = {**options("default"), "retry": {"attempts": "many"}, "colour": "red"}
    async with Editor(tmp_path, options=wrong) as editor:
        await editor.quiet()  # not before the editor is ready
        editor.notify("initialized")
        told = [await editor.read() for _ in range(2)]
        texts = " ".join(m["params"]["message"] for m in told)
        assert "retry.attempts" in texts and "colour" in texts
        assert all(m["params"]["type"] in (1, 2) for m in told)
        editor.notify("initialized")
        editor.notify("workspace/didChangeConfiguration", {"settings": {"default": "scripted"}})
        await editor.quiet()
        assert await model_of(editor) == "Hello, world"


async def test_a_change_of_the_user_file_is_noticed(tmp_path: Path, script: Any) -> None:
    two_models(script)
    table = 'default = "scripted/one"\n[providers.scripted]\nkind = "mock"\n'
    async with Editor(tmp_path, options={"retry": {}}, user_file=table) as editor:
        editor.notify("initialized")
        assert await model_of(editor) == "one"
        (tmp_path / "config.toml").write_text(table.replace("one", "two") + "# longer\n")
        limit = time.monotonic() + 5
        while await model_of(editor) != "two":
            assert time.monotonic() < limit
            await asyncio.sleep(0.05)


async def test_what_the_provider_is_doing_is_reported(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        assert editor.session is not None
        seen = asyncio.Event()
        go_on = asyncio.Event()

        async def loads(request: Any):
            seen.set()
            await go_on.wait()
            yield start()
            async for rest in says(["x"])(request):
                if rest != start():
                    yield rest

        script["default"] = loads
        id = editor.request("ai/stream", {"prompt": "x", "workDoneToken": "w"})
        await seen.wait()
        editor.session.provider_status("other", "not ours")
        editor.session.provider_status("scripted", "loading the model")
        assert (await editor.read())["params"]["value"]["kind"] == "begin"
        assert (await editor.read())["params"]["value"] == {
            "kind": "report",
            "message": "loading the model",
        }
        go_on.set()
        before, answer = await editor.until_answer(id)
        assert before[-1]["params"]["value"] == {"kind": "end"} and "result" in answer


async def test_only_who_waits_is_told_to_wait(tmp_path: Path, script: Any) -> None:
    go_on = asyncio.Event()

    async def slow(request: Any):
        yield start()
        await go_on.wait()
        async for rest in says(["x"])(request):
            if rest != start():
                yield rest

    script["default"] = slow
    one_at_a_time = {**options("default"), "limits": {"scripted": {"maxConcurrent": 1}}}
    async with Editor(tmp_path, options=one_at_a_time) as editor:
        first = editor.request("ai/stream", {"prompt": "x", "workDoneToken": "first"})
        assert (await editor.read())["params"]["value"]["kind"] == "begin"
        second = editor.request("ai/stream", {"prompt": "x", "workDoneToken": "second"})
        told = [(await editor.read())["params"] for _ in range(2)]
        assert [each["token"] for each in told] == ["second", "second"]
        assert told[1]["value"] == {"kind": "report", "message": "scripted: waiting for its turn"}
        go_on.set()
        before, _ = await editor.until_answer(first)
        assert "waiting" not in str([m for m in before if m["params"]["token"] == "first"])
        await editor.until_answer(second)


OURS = {"experimental": {"aiSidecar": {"status": True}}}
SERVERS = {"experimental": {"serverStatusNotification": True}}


async def test_the_status_is_told_to_who_asked_and_only_when_it_changes(
    tmp_path: Path, script: Any
) -> None:
    async def refuses(request: Any):
        raise Authentication("bad key")
        yield start()

    script["bad"] = refuses
    async with Editor(tmp_path, capabilities=OURS) as editor:
        editor.notify("initialized")
        first = await editor.read()
        assert first["method"] == "ai/didChangeStatus"
        assert first["params"] == {"busy": False, "kind": "Normal", "message": ""}
        before, _ = await editor.until_answer(editor.request("ai/complete", {"prompt": "x"}))
        assert [m["params"]["busy"] for m in before] == [True, False]
        one, two = (editor.request("ai/complete", {"prompt": "x"}) for _ in range(2))
        seen = [await editor.read() for _ in range(4)]
        assert [m["params"]["busy"] for m in seen if "method" in m] == [True, False]
        assert {m["id"] for m in seen if "method" not in m} == {one, two}
        done = before[-1]["params"]
        assert (done["provider"], done["model"], done["tokens"]) == ("scripted", "m-1", 7)
        id = editor.request("ai/complete", {"prompt": "x", "model": "bad"})
        before, _ = await editor.until_answer(id)
        assert before[-1]["params"]["kind"] == "Error"
        assert before[-1]["params"]["message"] == "bad key"
        failed = {"provider": "scripted", "model": "bad"}  # its own: not who answered before it
        assert failed.items() <= before[-1]["params"].items()
        assert "tokens" not in before[-1]["params"]
        id = editor.request("ai/complete", {"prompt": "x", "provider": "nope"})
        before, _ = await editor.until_answer(id)
        assert before[-1]["params"]["provider"] == "nope" and "model" not in before[-1]["params"]


async def test_server_status_is_told_on_change_only(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path, capabilities=SERVERS) as editor:
        editor.notify("initialized")
        assert (await editor.read())["params"] == {"health": "ok", "quiescent": True}
        assert await model_of(editor) == "Hello, world"
        assert await model_of(editor) == "Hello, world"
        editor.notify("workspace/didChangeConfiguration", {"settings": {"default": 5}})
        messages = [await editor.read(), await editor.read()]
        by_method = {m["method"]: m["params"] for m in messages}
        assert by_method["experimental/serverStatus"]["health"] == "warning"
        assert "default" in by_method["experimental/serverStatus"]["message"]
        editor.notify("workspace/didChangeConfiguration", {"settings": {"default": "scripted"}})
        assert (await editor.read())["params"] == {"health": "ok", "quiescent": True}


def picked(provider: str | None, model: str) -> dict[str, Any]:
    argument = {"model": model} if provider is None else {"provider": provider, "model": model}
    return {"command": "aiSidecar.selectModel", "arguments": [argument]}


async def test_a_pick_of_nobody_is_refused_and_the_one_before_holds(
    tmp_path: Path, script: Any
) -> None:
    two_models(script)
    async with Editor(tmp_path, options=options("one")) as editor:
        await editor.call("workspace/executeCommand", picked("scripted", "two"))
        error = await editor.fail("workspace/executeCommand", picked("scriptde", "one"))
        assert error["code"] == -32602
        assert "arguments[0].provider" in error["message"]
        assert "did you mean `scripted`" in error["message"]
        assert await model_of(editor) == "two"


async def test_the_default_that_is_told_is_the_picked_one(tmp_path: Path, script: Any) -> None:
    settings = options("one")
    settings["providers"]["other"] = {"kind": "mock"}
    settings["routes"] = [{"pattern": "r*", "providers": ["other"]}]
    async with Editor(tmp_path, options=settings) as editor:

        async def default() -> list[str]:
            found = (await editor.call("ai/providers"))["providers"]
            return [p["id"] for p in found if p["isDefault"]]

        assert await default() == ["scripted"]
        for provider, model in [("other", "m"), (None, "other/m"), (None, "routed")]:
            await editor.call("workspace/executeCommand", picked(provider, model))
            assert await default() == ["other"]
            await editor.call("workspace/executeCommand", picked("scripted", "m"))
            assert await default() == ["scripted"]


async def test_tokens_are_estimated_where_nobody_can_be_asked(tmp_path: Path, script: Any) -> None:
    async with Editor(tmp_path) as editor:
        counted = await editor.call("ai/countTokens", {"text": "hello", "provider": "anthropic"})
        assert counted["method"] == "estimate" and counted["tokens"] > 0
        for provider in ("anthropic", "openai", "scripted"):
            nothing = await editor.call("ai/countTokens", {"text": "", "provider": provider})
            assert nothing == {"tokens": 0, "method": "estimate"}
        for text in ("", "hello"):
            error = await editor.fail("ai/countTokens", {"text": text, "provider": "nope"})
            assert error["data"]["kind"] == "providerNotFound"
