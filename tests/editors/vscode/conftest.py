"""One workbench for all tests of the extension: each leaves it without editors and dialogs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.editors.vscode.service import Service
from tests.editors.vscode.tap import Tap
from tests.editors.vscode.workbench import PROGRAM, Workbench, playwright

FILES = {
    "sums.py": "def add(a, b):\n    \n",
    "shop.py": "def total(prices):\n    return sum(prices)\n\n\nprint(total([1, 2]))\n",
}


class Scene:
    """The workbench `it`, the `service` that answers, the `tap` between editor and program."""

    def __init__(self, it: Workbench, service: Service, tap: Tap) -> None:
        self.it, self.service, self.tap = it, service, tap


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    playwright()  # skips where it is not there
    folder = tmp_path_factory.mktemp("vscode")
    service, tap = Service(), Tap(folder / "tap", PROGRAM)
    await service.start()
    settings = {**service.options, "aiSidecar.path": str(tap.program)}
    it = Workbench(folder, settings, FILES)
    try:
        await it.start()
        await it.open()
        await it.until("the program is asked for settings", lambda: bool(tap.said("initialized")))
        yield Scene(it, service, tap)
    finally:
        await it.aclose()
        await service.server.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(whole: Scene, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The scene with nothing asked, no file changed, no editor open.

    What was to be seen at the end is kept beside the workbench's data.
    """
    whole.service.asked.clear()
    for name, text in FILES.items():
        (whole.it.workspace / name).write_text(text, encoding="utf-8")
    yield whole
    await whole.it.picture(f"{request.node.name}.png", whole.it.data.parent)
    await whole.it.tidy()
