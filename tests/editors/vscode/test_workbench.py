"""What the extension shows and sends, in VS Code's workbench, with the real program behind it."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.contract import chat
from tests.editors.vscode.conftest import FILES, Scene
from tests.editors.vscode.workbench import SECONDS, playwright
from tests.http.server import Gate

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ANSWER = ["EWOULDBLOCK ", "means: *not now*.\n\n", "```python\nsock.setblocking(", "False)\n```\n"]


async def ask(scene: Scene, question: str) -> Any:
    """Ask in the view, and return the view."""
    await scene.it.command("ai-sidecar: Ask…")
    view = scene.it.ask_view()
    box = view.locator("#question")
    for _ in range(3):  # a key that is pressed while the view is being shown anew is lost
        await box.fill(question)
        await box.press("Enter")
        with contextlib.suppress(playwright().TimeoutError):
            sent = view.locator(".turn .question", has_text=question)
            await sent.last.wait_for(timeout=SECONDS / 6 * 1000)
            break
    return view


async def reached(gate: Gate) -> None:
    """Wait until the service is there."""
    async with asyncio.timeout(SECONDS):
        await gate.reached.wait()


async def test_an_answer_streams_into_the_view(scene: Scene) -> None:
    gate = Gate()
    script = chat.streamed(ANSWER)
    scene.service.chat = [*script[:2], gate, *script[2:]]
    view = await ask(scene, "what does EWOULDBLOCK mean?")
    await reached(gate)
    await view.locator(".turn.asking .answer", has_text="EWOULDBLOCK").wait_for()
    assert await view.locator(".answer").inner_text() == "EWOULDBLOCK"
    assert await view.locator("#send").inner_text() == "Stop"
    gate.open()
    await view.locator(".turn.done").wait_for()
    assert await view.locator(".answer em").inner_text() == "not now"
    assert await view.locator(".answer pre").inner_text() == "sock.setblocking(False)\n"
    assert await view.locator(".footer span").inner_text() == "m-1 · 8 tokens · $0.013"
    await view.get_by_text("Copy Answer").click()
    assert await scene.it.clipboard("".join(ANSWER)) == "".join(ANSWER)
    (body,) = scene.service.chats()
    asked = {"role": "user", "content": "what does EWOULDBLOCK mean?"}
    assert (body["model"], body["messages"]) == ("m-large", [asked])
    assert scene.tap.said("ai/stream")[-1]["partialResultToken"]


async def test_the_status_bar_shows_model_tokens_and_cost(scene: Scene) -> None:
    gate = Gate()
    scene.service.chat = [gate, *chat.streamed(["ok"])]
    view = await ask(scene, "hi")
    await scene.it.status().locator(".codicon-loading").wait_for()
    gate.open()
    await view.locator(".turn.done").last.wait_for()
    await scene.it.status().locator(".codicon-sparkle").wait_for()
    text = (await scene.it.status().inner_text()).strip()
    assert text == "m-1 · 8 tokens · $0.013"


async def test_a_further_question_has_the_conversation_before_it(scene: Scene) -> None:
    scene.service.chat = chat.streamed(["Four."])
    await ask(scene, "two and two?")
    await scene.it.ask_view().locator(".turn.done").wait_for()
    view = await ask(scene, "and two more?")
    await view.locator(".turn.done").nth(1).wait_for()
    assert [(m["role"], m["content"]) for m in scene.service.chats()[1]["messages"]] == [
        ("user", "two and two?"),
        ("assistant", "Four."),
        ("user", "and two more?"),
    ]


async def test_stop_closes_the_service_s_connection(scene: Scene) -> None:
    gate = Gate()
    scene.service.chat = [*chat.streamed(["half an ", "answer"])[:2], gate]
    view = await ask(scene, "go on for ever")
    await view.locator(".answer", has_text="half an").wait_for()
    connection = scene.service.asked[-1].connection
    assert connection.closed_at is None
    await view.locator("#send").click()
    await connection.closed()
    await view.locator(".turn.stopped").wait_for()
    assert await view.locator(".notice").inner_text() == "Stopped."
    assert await view.locator(".answer").inner_text() == "half an"
    assert await view.locator("#send").inner_text() == "Ask"
    await scene.it.until("an answer", lambda: scene.tap.answer("ai/stream") is not None)
    assert scene.tap.answer("ai/stream")["error"]["code"] == -32800


async def test_an_error_says_what_can_be_done(scene: Scene) -> None:
    scene.service.chat = chat.error(401, "Incorrect API key provided")
    view = await ask(scene, "hi")
    await view.locator(".turn.failed").wait_for()
    assert "Incorrect API key provided" in await view.locator(".notice").inner_text()
    await view.get_by_text("Choose Model…").click()
    await scene.it.rows().filter(has_text="m-small").wait_for()


async def test_an_answer_s_html_and_images_stay_text(scene: Scene) -> None:
    bad = "<img src=x onerror=alert(1)> ![a](https://example.com/x.png) [b](javascript:alert(1))"
    scene.service.chat = chat.streamed([bad])
    view = await ask(scene, "hi")
    await view.locator(".turn.done").wait_for()
    assert await view.locator(".answer img, .answer a[href^=javascript]").count() == 0
    assert "<img src=x onerror=alert(1)>" in await view.locator(".answer").inner_text()


async def test_a_completion_is_shown_and_tab_accepts_it(scene: Scene) -> None:
    before = len(accepted(scene))
    scene.service.filling = "eturn a + b"
    await scene.it.open_file("sums.py")
    await scene.it.place(2)
    await scene.it.type_until("r", "eturn a + b")
    shown = scene.tap.said("textDocument/didShowCompletion")[-1]
    assert shown["item"]["insertText"] == "eturn a + b"
    await scene.it.page.keyboard.press("Tab")
    await scene.it.save("sums.py")
    assert scene.it.text("sums.py") == "def add(a, b):\n    return a + b\n"
    await scene.it.until("it is told", lambda: len(accepted(scene)) > before)
    assert accepted(scene)[-1] == shown["item"]["command"]["arguments"]


async def test_a_word_of_a_completion_is_accepted_and_told(scene: Scene) -> None:
    scene.service.filling = "eturn a + b"
    await scene.it.open_file("sums.py")
    await scene.it.place(2)
    await scene.it.type_until("r", "eturn a + b")
    await scene.it.page.keyboard.press("Control+ArrowRight")
    await scene.it.ghost(" a + b")
    told = "textDocument/didPartiallyAcceptCompletion"
    await scene.it.until("it is told", lambda: bool(scene.tap.said(told)))
    assert scene.tap.said(told)[-1]["acceptedLength"] == len("eturn")


async def test_the_picker_lists_models_and_the_chosen_one_is_asked(scene: Scene) -> None:
    await scene.it.status().click()
    await scene.it.rows().filter(has_text="m-large").wait_for()
    await scene.it.rows().filter(has_text="m-small").wait_for()  # only the service knows it
    await scene.it.pick("m-small")
    await scene.it.status().filter(has_text="m-small").wait_for()
    scene.service.chat = chat.streamed(["ok"])
    view = await ask(scene, "hi")
    await view.locator(".turn.done").wait_for()
    assert scene.service.chats()[-1]["model"] == "m-small"
    await scene.it.status().click()
    await scene.it.pick("Use the default of the configuration")
    await scene.it.status().filter(has_text="m-small").wait_for(state="detached")


async def test_an_edit_is_shown_beside_the_original_and_accepted(scene: Scene) -> None:
    scene.service.chat = chat.streamed(["```python\n    return round(sum(prices), 2)\n```\n"])
    await propose(scene)
    await scene.it.page.get_by_role("button", name="Accept Edit").click()
    await scene.it.page.locator('.tab.active.dirty[data-resource-name="shop.py"]').wait_for()
    await scene.it.save("shop.py")
    expected = FILES["shop.py"].replace("sum(prices)", "round(sum(prices), 2)")
    assert scene.it.text("shop.py") == expected
    (argument,) = scene.tap.said("workspace/executeCommand")[-1]["arguments"]
    assert argument["instruction"] == "round to cents"
    assert argument["range"] == {
        "start": {"line": 1, "character": 0},
        "end": {"line": 1, "character": 22},
    }


async def test_a_rejected_edit_changes_nothing(scene: Scene) -> None:
    scene.service.chat = chat.streamed(["```python\n    return 0\n```\n"])
    await propose(scene)
    await scene.it.page.get_by_role("button", name="Reject Edit").click()
    tab = scene.it.page.locator(".tab.active:not(.dirty)[data-resource-name='shop.py']")
    await tab.wait_for()
    assert scene.it.text("shop.py") == FILES["shop.py"]


async def test_the_light_bulb_s_actions_edit_the_document(scene: Scene) -> None:
    documented = 'def total(prices):\n    """Return the sum."""\n    return sum(prices)\n'
    scene.service.chat = chat.streamed([f"```python\n{documented}```\n"])
    await scene.it.open_file("shop.py")
    await scene.it.place(1)
    action = scene.it.page.locator(".action-widget").get_by_text("AI: document")
    for _ in range(5):  # "No code actions available" while the program is still starting
        await scene.it.page.keyboard.press("Control+.")
        with contextlib.suppress(playwright().TimeoutError):
            await action.click(timeout=SECONDS / 8 * 1000)
            break
    await scene.it.page.locator('.tab.active.dirty[data-resource-name="shop.py"]').wait_for()
    await scene.it.save("shop.py")
    assert '    """Return the sum."""\n    return sum(prices)\n' in scene.it.text("shop.py")


async def test_what_is_selected_goes_with_the_question(scene: Scene) -> None:
    scene.service.chat = chat.streamed(["It adds them up."])
    await scene.it.open_file("shop.py")
    await select_second_line(scene)
    await scene.it.command("ai-sidecar: Explain Selection")
    view = scene.it.ask_view()
    await view.locator(".turn.done").wait_for()
    assert await view.locator(".chip").inner_text() == "shop.py:2"
    content = scene.service.chats()[-1]["messages"][-1]["content"]
    assert content.endswith("shop.py:2:\n```python\n    return sum(prices)\n```")


KEY = "sk-only-in-the-secret-storage-0123456789"


async def test_a_key_is_kept_by_the_editor_and_written_nowhere(scene: Scene) -> None:
    started = len(scene.tap.said("initialize"))
    await scene.it.command("ai-sidecar: Set API Key…")
    await scene.it.rows().filter(has_text="anthropic").first.wait_for()
    await scene.it.answer("up")
    title = scene.it.page.locator(".quick-input-title", has_text="API key for up")
    await title.wait_for()
    assert (
        await scene.it.page.locator(".quick-input-widget input").first.get_attribute("type")
        == "password"
    )
    await scene.it.answer(KEY)
    await scene.it.until("a new start", lambda: len(scene.tap.said("initialized")) > started)
    scene.service.chat = chat.streamed(["ok"])
    view = await ask(scene, "hi")
    await view.locator(".turn.done").wait_for()
    assert scene.service.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert scene.tap.said("initialize")[-1]["initializationOptions"]["providers"]["up"]["apiKey"]
    assert KEY not in scene.tap.text("arguments") + scene.tap.text("environment")
    assert files_with(scene.it.data, KEY) == []
    assert files_with(scene.it.home, KEY) == []
    await scene.it.command("ai-sidecar: Remove API Key…")
    await scene.it.pick("up")
    await scene.it.until("a new start", lambda: len(scene.tap.said("initialized")) > started + 1)


async def test_a_workspace_chooses_only_what_it_may(scene: Scene) -> None:
    folder = scene.it.workspace / ".vscode"
    folder.mkdir()
    hostile = {"up": {"baseUrl": "http://127.0.0.1:9/v1"}}
    theirs = {"aiSidecar.default": "up/m-theirs", "aiSidecar.providers": hostile}
    before = len(scene.tap.said("workspace/didChangeConfiguration"))
    (folder / "settings.json").write_text(json.dumps(theirs))
    changed = "workspace/didChangeConfiguration"
    await scene.it.until("it is told", lambda: len(scene.tap.said(changed)) > before)
    scene.service.chat = chat.streamed(["ok"])
    view = await ask(scene, "hi")
    await view.locator(".turn.done").wait_for()
    assert scene.service.chats()[-1]["model"] == "m-theirs"
    shutil.rmtree(folder)


async def test_a_server_that_ends_is_started_again(scene: Scene) -> None:
    started = len(scene.tap.said("initialized"))
    os.kill(scene.tap.process(), signal.SIGKILL)
    await scene.it.until("a new start", lambda: len(scene.tap.said("initialized")) > started)
    scene.service.chat = chat.streamed(["here again"])
    view = await ask(scene, "hi")
    await view.locator(".answer", has_text="here again").wait_for()


async def propose(scene: Scene) -> None:
    """Have the second line of shop.py edited, as far as the proposal."""
    await scene.it.open_file("shop.py")
    await select_second_line(scene)
    await scene.it.command("ai-sidecar: Edit Selection…")
    await scene.it.answer("round to cents")
    await scene.it.page.locator(".tab.active", has_text="proposed edit").wait_for()


async def select_second_line(scene: Scene) -> None:
    await scene.it.place(2)
    await scene.it.page.keyboard.press("Shift+Home")
    await scene.it.page.keyboard.press("Shift+Home")


def files_with(folder: Path, text: str) -> list[Path]:
    """Return the files below `folder` that hold `text`, also as UTF-16."""
    forms = (text.encode(), text.encode("utf-16-le"))
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return [file for file in files if any(form in file.read_bytes() for form in forms)]


def accepted(scene: Scene) -> list[Any]:
    commands = scene.tap.said("workspace/executeCommand")
    return [c["arguments"] for c in commands if c["command"] == "aiSidecar.accepted"]
