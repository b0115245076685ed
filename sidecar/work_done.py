"""Work-done progress of one request: begin, reports at most four a second, end (LSP 3.17)."""

import asyncio
from typing import Protocol

REPORT_SECONDS = 0.25
"""Between two reports: four a second is what a person can follow."""


class Sender(Protocol):
    """Sends a `$/progress` value under the client's token."""

    def send_value(self, value: object) -> None: ...
    def send_end(self, value: object) -> None: ...


class WorkDone:
    """Reports for one token. One that comes too early is sent later, or replaced by a newer."""

    def __init__(self, sender: Sender, provider: str, model: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._sender = sender
        self.provider = provider
        self._next = 0.0
        self._latest = ""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._chars = 0
        title = f"{provider} {model}".strip()
        sender.send_value({"kind": "begin", "title": title, "cancellable": True})

    def report(self, message: str) -> None:
        """Tell what is going on."""
        if self._ended:
            return
        self._latest = message
        if self._timer is None:
            wait = self._next - self._loop.time()
            if wait <= 0:
                self._send()
            else:
                self._timer = self._loop.call_later(wait, self._send)

    def received(self, chars: int) -> None:
        """Count characters of the answer."""
        if chars:
            self._chars += chars
            self.report(f"{self._chars} characters")

    def end(self) -> None:
        """Nothing follows."""
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._sender.send_end({"kind": "end"})

    def _send(self) -> None:
        self._timer = None
        self._next = self._loop.time() + REPORT_SECONDS
        self._sender.send_value({"kind": "report", "message": self._latest})
