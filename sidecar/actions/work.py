"""How an action tells that it goes on: work-done progress, under the client's token or ours.

`codeAction/resolve` has no token in LSP. Where the client knows `window/workDoneProgress/create`,
one is made, so that there is something to look at and to cancel while a model writes.
"""

import asyncio

from sidecar.envelope import RpcError
from sidecar.progress import ProgressStream
from sidecar.session import Session
from sidecar.work_done import WorkDone

CREATE = "window/workDoneProgress/create"

Token = str | int


class ActionWork:
    """Of one request, as an asynchronous context manager. `token` is the client's own, if it gave
    one; else, if `may_create`, one of ours.

    `tokens` is where the running ones are found, for `window/workDoneProgress/cancel`.
    """

    def __init__(
        self,
        session: Session,
        tokens: "dict[Token, asyncio.Task[object]]",
        token: Token | None,
        *,
        may_create: bool,
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._token = token
        self._may_create = may_create
        self._work: WorkDone | None = None
        self._task: asyncio.Task[object] | None = None
        self.work_done_token: Token | None = None
        self.open = True

    @property
    def live(self) -> bool:
        """Whether anything may still be told."""
        return self.open

    def progress(self, token: Token) -> ProgressStream:
        """Return the way to send values under `token`."""
        return ProgressStream(self, self._session.connection.outbox, token)

    async def __aenter__(self) -> "ActionWork":
        self._task = asyncio.current_task()
        if self._token is not None:
            self._note(self._token)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._session.work_ended(self._work)
        self.open = False
        if self.work_done_token is not None:
            self._tokens.pop(self.work_done_token, None)

    def begin(self, provider: str, model: str) -> None:
        """Tell who is asked."""
        if self._token is not None:
            self._work = self._session.work_begins(self, self._token, provider, model)
        elif self._may_create:
            self._session.spawn(self._create(provider, model, asyncio.current_task()))

    def received(self, chars: int) -> None:
        """Count characters of the answer."""
        if self._work is not None:
            self._work.received(chars)

    def report(self, message: str) -> None:
        """Tell what is going on."""
        if self._work is not None:
            self._work.report(message)

    async def _create(self, provider: str, model: str, task: "asyncio.Task[object] | None") -> None:
        connection = self._session.connection
        token = connection.new_id()
        try:
            await connection.request(CREATE, {"token": token})
        except RpcError:
            return  # the editor does not want to be told
        if self.open:
            self._note(token)
            self._work = self._session.work_begins(self, token, provider, model, task)

    def _note(self, token: Token) -> None:
        self.work_done_token = token
        if self._task is not None:
            self._tokens[token] = self._task
