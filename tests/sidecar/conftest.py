"""The scripted provider in place of `mock`, for as long as a test of this folder runs."""

from collections.abc import Iterator

import pytest

from providers.registry import KINDS
from tests.sidecar import scripted


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, scripted.Script]]:
    """Model name -> what it plays. `default` is the model where a request names none."""
    monkeypatch.setitem(KINDS, "mock", scripted.KIND)
    scripted.scripts["default"] = scripted.says(["Hello"], [", ", "world"])
    yield scripted.scripts
    scripted.scripts.clear()
