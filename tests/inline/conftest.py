"""A model that plays a script, and an editor in memory that types."""

from collections.abc import Callable, Iterator

import pytest

from providers.registry import KINDS
from tests.sidecar import scripted


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, scripted.Script]]:
    """Model name -> what it plays. `default` is the model where a request names none."""
    monkeypatch.setitem(KINDS, "mock", scripted.KIND)
    yield scripted.scripts
    scripted.scripts.clear()


@pytest.fixture
def asked(script: dict[str, scripted.Script]) -> "Asked":
    """What the model named `default` was asked, and what it answers."""
    asked = Asked()
    script["default"] = asked.play
    return asked


class Asked:
    """A script that notes its requests. `answer` says what to write."""

    def __init__(self) -> None:
        self.requests: list[scripted.ChatRequest | scripted.CompletionRequest] = []
        self.answer: Callable[[scripted.ChatRequest | scripted.CompletionRequest], str] = (
            lambda request: "done"
        )
        self.gate: scripted.Gate | None = None

    async def play(self, request: scripted.ChatRequest | scripted.CompletionRequest):
        self.requests.append(request)
        try:
            yield scripted.start()
            if self.gate is not None:
                self.gate.reached.set()
                await self.gate.open.wait()
            text = self.answer(request)
            if text:
                yield [scripted.TextDelta(text)]
            yield scripted.end()
        finally:
            if self.gate is not None:
                self.gate.closed.set()
