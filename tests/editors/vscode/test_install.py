"""Where the program is not found: one message, an environment of the extension's own, then it runs.

Real venv and pip, offered a package of this test's making that needs no index: its program is the
one of `.venv`.
"""

import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.editors.vscode.service import Service
from tests.editors.vscode.workbench import PROGRAM, SECONDS, Workbench, playwright

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MAIN = """import os, sys

def main():
    if sys.argv[1:] == ["local", "install"]:
        open({fetched!r}, "w").close()
        sys.exit("no such index")
    os.execv({program!r}, ["ai-sidecar", *sys.argv[1:]])
"""
META = "Metadata-Version: 2.1\nName: ai-sidecar\nVersion: 0.1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY = "[console_scripts]\nai-sidecar = stand_in:main\n"


def package(folder: Path) -> Path:
    """Make a wheel whose program `ai-sidecar` is the one under test."""
    file = folder / "ai_sidecar-0.1.0-py3-none-any.whl"
    info = "ai_sidecar-0.1.0.dist-info"
    files = {
        "stand_in.py": MAIN.format(program=str(PROGRAM), fetched=str(folder / "fetched")),
        f"{info}/METADATA": META,
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY,
    }
    with zipfile.ZipFile(file, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in files))
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Workbench, Service]]:
    playwright()
    folder = tmp_path_factory.mktemp("bare")
    service = Service()
    await service.start()
    wheel = package(folder)
    python = getattr(sys, "_base_executable", sys.executable)
    install = {"aiSidecar.installSource": str(wheel), "aiSidecar.python": python}
    it = Workbench(folder, {**service.options, **install}, {})
    try:
        await it.start()
        await it.open()
        yield it, service
    finally:
        await it.aclose()
        await service.server.aclose()


async def test_it_is_offered_installed_and_started(bare: tuple[Workbench, Service]) -> None:
    it, service = bare
    notice = it.page.locator(".notifications-toasts").get_by_text("was not found")
    await notice.wait_for()
    assert "not installed" in await it.status().inner_text()
    await it.page.get_by_role("button", name="Install", exact=True).click()
    await it.page.locator(".notifications-toasts").get_by_text("Installing").wait_for()
    done = it.status().filter(has_not_text="not installed")
    await done.wait_for(timeout=4 * SECONDS * 1000)  # venv and pip take theirs
    (program,) = it.data.glob("User/globalStorage/*/environment/bin/ai-sidecar")
    assert program.is_file()
    # The model was tried; that there is none is told, and no failure.
    assert (it.data.parent / "fetched").exists()
    told = it.page.locator(".notifications-toasts").get_by_text("without the embedded model")
    await told.wait_for()
    assert "no such index" in await told.inner_text()
    service.chat = chat.streamed(["here"])
    await it.command("ai-sidecar: Ask…")
    view = it.ask_view()
    await view.locator("#question").fill("are you there?")
    await view.locator("#question").press("Enter")
    await view.locator(".turn.done .answer", has_text="here").wait_for()


async def test_an_installation_that_fails_leaves_the_one_that_is_there(
    bare: tuple[Workbench, Service],
) -> None:
    it, service = bare
    (program,) = it.data.glob("User/globalStorage/*/environment/bin/ai-sidecar")
    before = program.resolve()
    (wheel,) = it.data.parent.glob("*.whl")
    wheel.write_bytes(b"no wheel")
    await it.command("ai-sidecar: Install the Program into a Private Environment")
    failure = it.page.locator(".notifications-toasts").get_by_text("could not be installed")
    await failure.wait_for(timeout=4 * SECONDS * 1000)
    assert program.resolve() == before and program.is_file()
    made = [path for path in program.parents[2].glob("environment*") if not path.is_symlink()]
    assert made == [before.parents[1]]
    # The one that ran was never stopped.
    service.chat = chat.streamed(["still"])
    view = it.ask_view()
    await view.locator("#question").fill("still there?")
    await view.locator("#question").press("Enter")
    await view.locator(".turn.done .answer", has_text="still").wait_for()
