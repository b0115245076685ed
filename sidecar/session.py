"""The state of one editor's session: its configuration, its providers, what it was told.

It talks to the editor through a `Connection` and to the services through the manager; requests are
the handlers' business.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from providers.catalog import kept
from providers.errors import ProviderNotFound
from providers.ledger.place import locate_in
from providers.manager import ProviderManager, Target
from providers.settings import FallbackSettings, ProvidersConfig, ProviderSettings
from sidecar.config.model import ActionSettings, InlineSettings
from sidecar.editor_models import DELTA, END, RpcEditorModels
from sidecar.envelope import InvalidParams, RpcError
from sidecar.handlers import select_model
from sidecar.handshake import at
from sidecar.inline.counts import InlineCounts
from sidecar.progress import ProgressStream
from sidecar.rpc import Connection
from sidecar.status import Status
from sidecar.work_done import WorkDone

logger = logging.getLogger(__name__)

SECTION = "aiSidecar"
_KEYS = {"default", "providers", "inline", "actions", "routes", "fallback"}
_ERROR, _WARNING, _INFO = 1, 2, 3  # LSP MessageType


class Problem(Protocol):
    """A configured value that was not taken over."""

    @property
    def path(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def provider(self) -> str | None: ...


class Worker(Protocol):
    """A request that may tell how it goes on (`rpc.Call`)."""

    work_done_token: str | int | None

    def progress(self, token: str | int) -> ProgressStream: ...


class Config(Protocol):
    """The merged configuration, as far as the process needs it."""

    def providers_config(self) -> ProvidersConfig: ...
    @property
    def inline(self) -> InlineSettings: ...
    @property
    def actions(self) -> ActionSettings: ...
    @property
    def fallback(self) -> FallbackSettings: ...
    @property
    def providers(self) -> dict[str, ProviderSettings]: ...


class Store(Protocol):
    """Where the configuration comes from (`sidecar.config.ConfigStore`)."""

    on_change: Callable[[], None] | None

    @property
    def config(self) -> Config: ...
    @property
    def problems(self) -> list[Any]: ...
    def set_initialization_options(self, options: Any) -> None: ...
    def set_workspace(self, settings: Any) -> None: ...
    async def watch(self) -> None: ...


class Session:
    """Made once the provider side is imported; `start` when the editor says `initialized`."""

    def __init__(
        self,
        connection: Connection,
        params: dict[str, Any],
        store: Store,
        environ: Mapping[str, str],
    ) -> None:
        self.connection = connection
        self.params = params
        self.store = store
        self.environ = environ
        self.selected: tuple[str | None, str] | None = None
        self.inline_counts = InlineCounts()
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._told: set[tuple[str, str]] = set()
        self._works: dict[WorkDone, asyncio.Task[Any] | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._initialized = False
        self.status = Status(
            connection.notify,
            ours=self._client_has("experimental", SECTION, "status"),
            servers=self._client_has("experimental", "serverStatusNotification"),
        )
        options = params.get("initializationOptions")
        if options is not None:
            store.set_initialization_options(options)
        lm = self._client_has("experimental", SECTION, "lm")
        self._editor_models = RpcEditorModels(connection) if lm else None
        self.manager = ProviderManager(
            store.config.providers_config(),
            environ=environ,
            on_status=self.provider_status,
            on_waiting=self.request_waits,
            on_warning=self._warned,
            editor_models=self._editor_models,
            ledger=locate_in(environ),
            model_lists=kept.locate_in(environ),
        )
        store.on_change = self._config_changed

    # --- life ---------------------------------------------------------------------------

    def notified(self, method: str, params: Any) -> None:
        """Take one of the notifications of `rpc.FOR_SESSION`."""
        if method == "initialized":
            self.initialized()
        elif method in (DELTA, END):
            if self._editor_models is not None:
                self._editor_models.notified(method, params)
        else:
            self.settings_changed(params)

    def command(self, name: str, arguments: Any) -> None:
        """Do one of the commands of `rpc.SESSION_COMMANDS`. Raises `InvalidParams`."""
        assert name == select_model.COMMAND
        self.select(arguments)

    def select(self, arguments: Any) -> None:
        """Take over a picked model. Raises `InvalidParams`, also for a provider there is none of.

        The pick before it holds then.
        """
        provider, model = select_model.selection(arguments)
        if provider is not None:
            try:
                self.manager.require(provider)
            except ProviderNotFound as error:
                raise InvalidParams("arguments[0].provider", error.message) from error
        self.selected = provider, model

    def initialized(self) -> None:
        """The editor is ready to be talked to: tell what is wrong, ask for its settings."""
        if self._initialized:
            return
        self._initialized = True
        self._tell_problems()
        self.status.begin()
        self.spawn(self.store.watch())
        if self._client_has("workspace", "didChangeConfiguration", "dynamicRegistration"):
            self.spawn(self._register())
        self._ask_settings()

    async def aclose(self) -> None:
        """Stop what runs beside the requests, and close every connection of the providers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._editor_models is not None:
            await self._editor_models.aclose()
        await self.manager.aclose()

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the session began."""
        return int((self._clock() - self._began) * 1000)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.store.config

    # --- configuration --------------------------------------------------------------------

    def settings_changed(self, params: Any) -> None:
        """Take over `workspace/didChangeConfiguration`; an empty one means: ask."""
        settings: Any = at(params, "settings")
        if isinstance(settings, dict) and SECTION in settings:
            settings = at(settings, SECTION)
        elif isinstance(settings, dict) and settings and not _KEYS & settings.keys():
            return  # another program's settings: some editors send everything they have
        if settings:
            self.store.set_workspace(settings)
        else:
            self._ask_settings()

    def _ask_settings(self) -> None:
        if self._client_has("workspace", "configuration"):
            self.spawn(self._fetch_settings())

    async def _fetch_settings(self) -> None:
        items = {"items": [{"section": SECTION}]}
        try:
            answer = await self.connection.request("workspace/configuration", items)
        except RpcError as error:
            logger.info("the editor did not give its settings: %s", error.message)
            return
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):
            self.store.set_workspace(answer[0])

    async def _register(self) -> None:
        method = "workspace/didChangeConfiguration"
        registration = {"id": method, "method": method, "registerOptions": {"section": SECTION}}
        try:
            await self.connection.request(
                "client/registerCapability", {"registrations": [registration]}
            )
        except RpcError as error:
            logger.info("the editor did not register %s: %s", method, error.message)

    def _config_changed(self) -> None:
        self.manager.reconfigure(self.store.config.providers_config())
        if self._initialized:
            self._tell_problems()

    def _tell_problems(self) -> None:
        """Tell each problem once; the status goes on saying that there is one."""
        first = next((f"{p.path}: {p.message}" for p in self.store.problems), "")
        self.status.problems(first)
        for problem in self.store.problems:
            key = (problem.path, problem.message)
            if key not in self._told:
                self._told.add(key)
                self.warn(f"{problem.path}: {problem.message}")

    # --- small pieces ------------------------------------------------------------------------

    def aim(self, target: Target) -> None:
        """Aim a request that names neither provider nor model at the selected model, if any."""
        if self.selected is not None and target.provider is None and target.model is None:
            target.provider, target.model = self.selected
            if target.fallback is None:  # the request itself names nobody: the chain is for it
                target.fallback = self.config.fallback.chain or None

    def work_begins(
        self,
        call: Worker,
        token: str | int | None,
        provider: str,
        model: str,
        task: "asyncio.Task[Any] | None" = None,
    ) -> WorkDone | None:
        """Return work-done progress for a call, begun; None if the client did not ask for it.

        `task` is the one that asks the provider: this one, if none is given.
        """
        if token is None:
            return None
        call.work_done_token = token
        work = WorkDone(call.progress(token), provider, model)
        self._works[work] = task or asyncio.current_task()
        return work

    def work_ended(self, work: WorkDone | None) -> None:
        """End it."""
        if work is not None:
            self._works.pop(work, None)
            work.end()

    def provider_status(self, provider: str, message: str) -> None:
        """Tell whoever waits for `provider` what takes so long."""
        for work in self._works:
            if message and work.provider == provider:
                work.report(message)

    def request_waits(self, provider: str) -> None:
        """Tell the request whose task this is, and nobody else, that `provider`'s limits hold it.

        Others of the same provider may be under way.
        """
        me = asyncio.current_task()
        for work, task in self._works.items():
            if task is me:
                work.report(f"{provider}: waiting for its turn")

    def warn(self, message: str) -> None:
        """Show a warning in the editor."""
        self._show(_WARNING, message)

    def _warned(self, message: str) -> None:
        """Show and log what the manager has to say: of a budget, of the ledger."""
        logger.info("%s", message)
        self.warn(message)

    def inform(self, message: str) -> None:
        """Show the editor's user something that is no warning."""
        self._show(_INFO, message)

    def complain(self, message: str) -> None:
        """Show an error: what the user asked for was not done."""
        self._show(_ERROR, message)

    def _show(self, kind: int, message: str) -> None:
        text = f"ai-sidecar: {message}"
        self.connection.notify("window/showMessage", {"type": kind, "message": text})

    def _client_has(self, *path: str) -> bool:
        return at(self.params, "capabilities", *path) is True

    def spawn(self, work: Any) -> None:
        """Let a coroutine run beside the requests; it is cancelled at the session's end."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)
