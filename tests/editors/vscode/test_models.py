"""Models both ways, beside another extension: ours in `vscode.lm`, the editor's for the program."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.editors.vscode.service import Service
from tests.editors.vscode.tap import Tap
from tests.editors.vscode.workbench import NODE, PROGRAM, ROOT, Workbench, playwright

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PROBE = Path(__file__).parent / "probe"
VSCE = ROOT / "editors" / "vscode" / "node_modules" / "@vscode" / "vsce" / "vsce"


class Scene:
    """The workbench `it` with the probe in it, which writes down what it sees."""

    def __init__(self, it: Workbench, service: Service, tap: Tap) -> None:
        self.it, self.service, self.tap = it, service, tap

    def seen(self, what: str) -> list[Any]:
        """Return what the probe has written under `what`."""
        file = self.it.workspace / "probe.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        values = [json.loads(line) for line in lines]
        assert not any("error" in value for value in values), values
        return [value[what] for value in values if what in value]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    playwright()
    folder = tmp_path_factory.mktemp("models")
    probe = folder / "probe.vsix"
    command = [str(NODE), str(VSCE), "package", "--allow-missing-repository", "--skip-license"]
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        [*command, "--out", str(probe)], cwd=PROBE, check=True, capture_output=True, env=environment
    )
    service, tap = Service(), Tap(folder / "tap", PROGRAM)
    await service.start()
    settings = {
        **service.options,
        "aiSidecar.path": str(tap.program),
        "chat.disableAIFeatures": False,
        "chat.commandCenter.enabled": False,
    }
    settings["aiSidecar.providers"]["vscode-lm"] = {}
    it = Workbench(folder, settings, {"a.txt": "\n"}, also=[probe])
    try:
        await it.start()
        await it.open()
        await it.until("the program has started", lambda: bool(tap.said("initialized")))
        yield Scene(it, service, tap)
    finally:
        await it.aclose()
        await service.server.aclose()


async def test_our_models_answer_another_extension(scene: Scene) -> None:
    call = {"id": "c1", "function": {"name": "clock", "arguments": '{"zone": "UTC"}'}}
    delta = {"content": "Let me look. ", "tool_calls": [{"index": 0, "type": "function", **call}]}
    choice = {"index": 0, "delta": delta, "finish_reason": "tool_calls"}
    body = chat.event({"id": "c", "model": "m-1", "choices": [choice]}) + b"data: [DONE]\n\n"
    scene.service.chat = [chat.HEAD, chat.chunk(body), chat.LAST_CHUNK]
    await scene.it.command("Probe: Ask Models")
    await scene.it.until("an answer", lambda: bool(scene.seen("parts")))
    (models,) = scene.seen("models")
    assert "up/m-large" in [model["id"] for model in models]
    assert not any(model["id"].startswith("vscode-lm/") for model in models)
    assert scene.seen("parts") == [
        ["Let me look. ", {"name": "clock", "input": {"zone": "UTC"}}],
    ]
    assert scene.seen("tokens")[0] > 0
    asked = scene.service.chats()[-1]
    assert asked["messages"] == [{"role": "user", "content": "what time is it?"}]
    assert asked["tools"][0]["function"]["name"] == "clock"


async def test_a_model_of_the_editor_answers_a_question(scene: Scene) -> None:
    await ask(scene, "are you there?")
    view = scene.it.ask_view()
    await view.locator(".turn.done .answer", has_text="from the editor").wait_for()
    assert scene.seen("asked")[-1] == "are you there?"


async def test_stop_reaches_the_editor_s_model(scene: Scene) -> None:
    await ask(scene, "go on for ever")
    view = scene.it.ask_view()
    await view.locator(".turn.asking .answer", has_text="from the editor").wait_for()
    await view.locator("#send").click()
    await view.locator(".turn.stopped").wait_for()
    await scene.it.until("the model is stopped", lambda: bool(scene.seen("cancelled")))


async def ask(scene: Scene, question: str) -> None:
    """Ask a model of the editor."""
    settings = scene.service.options
    settings["aiSidecar.default"] = "vscode-lm/probe-1"
    settings["aiSidecar.path"] = str(scene.tap.program)
    settings["aiSidecar.providers"]["vscode-lm"] = {}
    started = len(scene.tap.said("initialized"))
    if scene.tap.said("initialize")[-1]["initializationOptions"]["default"] != "vscode-lm/probe-1":
        scene.it.set({**settings, "chat.disableAIFeatures": False})
        await scene.it.until("a new start", lambda: len(scene.tap.said("initialized")) > started)
    await scene.it.command("ai-sidecar: New Conversation")
    await scene.it.command("ai-sidecar: Ask…")
    view = scene.it.ask_view()
    await view.locator("#question").fill(question)
    await view.locator("#question").press("Enter")
