"""What the editor may show of our state: busy or not, what went wrong, what the last answer cost.

Told only to a client that announced it, and only when it has changed: everywhere else an unknown
notification is noise in a log, and Lapce asks for everything again at each "ok".
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal

from msgspec import UNSET

from protocol.ai import StatusParams
from providers.errors import ProviderError
from providers.types import Outcome
from sidecar import request_log

Notify = Callable[[str, object], None]


class Status:
    """`ours`: `ai/didChangeStatus` is wanted; `servers`: `experimental/serverStatus` is."""

    def __init__(self, notify: Notify, *, ours: bool, servers: bool) -> None:
        self._notify = notify
        self._ours, self._servers = ours, servers
        self._running = 0
        self._error = ""
        self._problem = ""
        self._last: Outcome | tuple[str, str] | None = None  # a failure's: whose, which model
        self._told: StatusParams | None = None
        self._told_health: tuple[str, str] | None = None
        self._begun = False
        # To be entered by each request: counts it while it runs, and notes how it ends.
        self.busy: AbstractContextManager[None] = _Busy(self._begins, self._ends)

    def begin(self) -> None:
        """The editor may be told from now on."""
        self._begun = True
        self._tell()

    def _begins(self) -> None:
        self._running += 1
        self._tell()

    def _ends(self, error: BaseException | None) -> None:
        """Note a failure; a cancel says nothing about us."""
        if isinstance(error, ProviderError):
            self._note(error)
            request_log.failed(error)
        self._running -= 1
        self._tell()

    @property
    def is_told(self) -> bool:
        """Whether the editor shows what went wrong."""
        return self._ours or self._servers

    def failed(self, error: ProviderError) -> None:
        """Note what went wrong before a request was one to be busy with."""
        self._note(error)
        self._tell()

    def _note(self, error: ProviderError) -> None:
        """Not the error itself: its traceback holds the whole request."""
        self._last = (error.provider or "", error.model or "")
        self._error = error.message

    def answered(self, outcome: Outcome) -> None:
        """A request was answered whole; told when it stops being busy."""
        self._last, self._error = outcome, ""
        request_log.answered(outcome)

    def problems(self, first: str) -> None:
        """Note the first problem of the configuration, "" if there is none."""
        self._problem = first
        self._tell()

    def _tell(self) -> None:
        if self._begun and self._ours:
            state = self._state()
            if state != self._told:
                self._told = state
                self._notify("ai/didChangeStatus", state)
        if self._begun and self._servers:
            self._tell_health()

    def _state(self) -> StatusParams:
        kind: Literal["Normal", "Warning", "Error"] = (
            "Error" if self._error else "Warning" if self._problem else "Normal"
        )
        state = StatusParams(self._running > 0, kind, self._error or self._problem)
        last = self._last
        if isinstance(last, tuple):
            state.provider, state.model = last[0] or UNSET, last[1] or UNSET
        elif last is not None:
            state.provider, state.model = last.provider, last.model
            state.tokens = last.usage.total_tokens
            state.cost_usd = UNSET if last.cost is None else last.cost.usd
        return state

    def _tell_health(self) -> None:
        health = "error" if self._error else "warning" if self._problem else "ok"
        message = self._error or self._problem
        if (health, message) == self._told_health:
            return
        self._told_health = (health, message)
        params: dict[str, Any] = {"health": health, "quiescent": True}
        if message:
            params["message"] = message
        self._notify("experimental/serverStatus", params)


class _Busy(AbstractContextManager[None]):
    """One for all requests: a generator for each would be kept as long as a stream lasts."""

    def __init__(self, begins: Callable[[], None], ends: Callable[[BaseException | None], None]):
        self._begins = begins
        self._ends = ends

    def __enter__(self) -> None:
        self._begins()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trail: TracebackType | None,
    ) -> None:
        self._ends(error)
