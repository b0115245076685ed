"""One request of the client that is being worked on, and all of them.

What a handler is given to send with; `rpc` begins, cancels and answers it. It knows no method.
"""

import asyncio
from typing import Protocol

from protocol.ai import ProgressToken
from sidecar.envelope import Id
from sidecar.outbox import Outbox
from sidecar.progress import ProgressStream


class Sender(Protocol):
    """What a call needs of its connection."""

    @property
    def outbox(self) -> Outbox: ...
    def notify(self, method: str, params: object) -> None: ...


class Call:
    """`cancelled` says that the client does not want it any more: nothing is sent for it then but
    the end of its work-done progress and the answer to the cancel. `begun`: its task has run.
    `grace`: what answers a cancel that the work does not heed.
    """

    __slots__ = (
        "_sender",
        "begun",
        "cancelled",
        "grace",
        "id",
        "method",
        "open",
        "task",
        "work_done_token",
    )

    def __init__(self, sender: Sender, method: str, message_id: Id) -> None:
        self._sender = sender
        self.id = message_id
        self.method = method
        self.open = True
        self.begun = False
        self.cancelled = False
        self.grace: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.work_done_token: ProgressToken | None = None

    @property
    def live(self) -> bool:
        """Whether output of this call still goes out. Late output is dropped by this alone."""
        return self.open and not self.cancelled

    def progress(self, token: ProgressToken) -> ProgressStream:
        """Return the way to send `$/progress` values under `token`, as long as the call is live."""
        return ProgressStream(self, self._sender.outbox, token)

    def notify(self, method: str, params: object) -> None:
        """Send a notification that belongs to this call."""
        if self.live:
            self._sender.notify(method, params)


class Calls:
    """The calls that are being worked on, found by their ids."""

    def __init__(self) -> None:
        self._by_id: dict[Id, Call] = {}
        self._twins: list[Call] = []  # of an id that was under way already: a client's mistake

    def add(self, call: Call) -> None:
        """Take in a call that begins."""
        if call.id in self._by_id:
            self._twins.append(call)
        else:
            self._by_id[call.id] = call

    def remove(self, call: Call) -> None:
        """Take out a call that was added."""
        if self._by_id.get(call.id) is call:
            del self._by_id[call.id]
        else:
            self._twins.remove(call)

    def of(self, message_id: Id) -> list[Call]:
        """Return the calls with this id."""
        first = self._by_id.get(message_id)
        twins = [call for call in self._twins if call.id == message_id]
        return twins if first is None else [first, *twins]

    def all(self) -> list[Call]:
        """Return every call."""
        return [*self._by_id.values(), *self._twins]
