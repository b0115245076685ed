"""`ProviderManager`, the only orchestrator: routes a request, runs it, records what happened.

Which provider: `policy.router`. What happens after a failure: `run` and `policy.retry`. What a
service is like: `vendors`. It knows nothing of LSP and does no I/O of its own.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from providers.auth.redact import Redactor
from providers.base import HealthStatus, Model, ProviderCapabilities, TokenCount
from providers.catalog import Catalog, KeptLists
from providers.desk import Desk, Request
from providers.errors import NotConfigured, ProviderError
from providers.estimate import estimate_tokens
from providers.metrics import ProviderMetrics
from providers.policy.breaker import CircuitState
from providers.policy.pool import Load
from providers.policy.router import Directory, Router, Target
from providers.registry import ProviderRegistry
from providers.run import Run, chance
from providers.settings import ProvidersConfig
from providers.spending import Spending
from providers.telemetry import Telemetry
from providers.types import (
    Message,
    Outcome,
    Struct,
)
from providers.vendors.context import EditorModels, ProviderContext


class RateState(Struct):
    """Requests a minute; None while none is known."""

    limit: int | None = None
    remaining: int | None = None
    in_flight: int = 0


class ProviderState(Struct):
    """What there is to say about one provider without asking it."""

    id: str
    kind: str
    configured: bool
    is_default: bool
    base_url: str
    capabilities: ProviderCapabilities
    key_source: str | None = None
    circuit: CircuitState = "closed"
    cooldown_ms: int | None = None
    rate: RateState = msgspec.field(default_factory=RateState)
    config_error: str | None = None


class ProviderHealth(Struct):
    """`status` as the traffic shows it, or as the provider answered when it was asked."""

    id: str
    status: Literal["healthy", "degraded", "unhealthy", "unknown"]
    latency_ms: float | None = None
    error: ProviderError | None = None


class ManagerMetrics(Struct):
    """`connections` are (opened, reused) per provider."""

    providers: dict[str, ProviderMetrics]
    connections: dict[str, tuple[int, int]]


class ProviderManager:
    """All providers of one configuration. To be used from one event loop.

    `on_status(provider, message)` tells what takes so long ("loading the model"); an empty message
    takes it back. `on_waiting(provider)` tells, in the task of the request, that it has to wait for
    its turn. `on_warning(message)` tells of a budget that runs out and of a ledger that cannot
    be used. `editor_models` asks the models that the editor has (`vscode-lm`). `ledger` finds the
    file of the ledger, when it is first needed; without it tokens and cost are added up in memory.
    `model_lists` finds the folder where the services' lists of models are kept, if they are to be.
    `wall` is the clock that days go by, in seconds since 1970.
    """

    def __init__(
        self,
        config: ProvidersConfig,
        *,
        environ: Mapping[str, str],
        on_status: Callable[[str, str], None] | None = None,
        on_waiting: Callable[[str], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
        editor_models: EditorModels | None = None,
        ledger: Callable[[], Path] | None = None,
        model_lists: Callable[[], Path] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - the default of such an argument
    ) -> None:
        self._config = config
        self._clock = clock
        self._kept = KeptLists(model_lists, config.providers, clock=clock, wall=wall)
        self._context = ProviderContext(
            environ=environ,
            catalog=Catalog(config.models, self._kept),
            http=config.http,
            timeouts=config.timeouts,
            redactor=Redactor(),
            on_status=on_status or _tell_nobody,
            editor_models=editor_models,
        )
        self._registry = ProviderRegistry(config, self._context)
        spending = Spending(
            config.budget, ledger, wall=wall, on_warning=on_warning or _tell_nobody_of
        )
        self._desk = Desk(
            self._registry,
            self._context,
            config.limits,
            clock,
            spending,
            Telemetry(environ),
            on_waiting or _tell_nobody_of,
        )
        self._router = self._make_router()
        self._closing: set[asyncio.Task[None]] = set()

    def _make_router(self) -> Router:
        directory = Directory(
            is_known=self._is_known,
            configured=self._registry.configured,
            has_model=self._desk.has_model,
            load=Load(self._desk.in_flight, self._desk.latency, chance),
        )
        return Router(self._config, directory)

    def _is_known(self, name: str) -> bool:
        return self._registry.kind_of(name) is not None

    # --- requests -----------------------------------------------------------------------

    def stream(self, request: Request, target: Target, *, unary: bool = False) -> Run:
        """Return the request's run, not yet begun. Raises `RefusedLocally` if nothing fits.

        `unary`: it asks for the answer whole, and gives no tokens.
        """
        return Run(
            self._desk,
            request,
            self._router.candidates(target),
            retry=self._config.retry,
            timeout=target.timeout,
            unary=unary,
        )

    async def complete(self, request: Request, target: Target) -> Outcome:
        """Answer with the provider's unary request. Raises `ProviderError` as a `Run` does."""
        run = self.stream(request, target, unary=True)
        async for _ in run:
            pass
        return run.outcome

    async def count_tokens(self, messages: list[Message], target: Target) -> TokenCount:
        """Return how many tokens `messages` are for the target's model.

        By estimate where the service would have to be asked, and lacks what it needs for that.
        """
        candidate = self._router.candidates(target)[0]
        self.require(candidate.provider)
        with self._desk.masking(candidate.provider):
            try:
                provider = self._registry.get(candidate.provider)
                return await provider.count_tokens(messages, self._desk.model_of(candidate))
            except NotConfigured:  # it cannot be asked, and a guess is worth more than nothing
                return TokenCount(estimate_tokens(messages), "estimate")

    async def models(self, provider: str | None = None, *, refresh: bool = False) -> list[Model]:
        """Return the models of one provider, or of all configured ones.

        Of one, its error is raised. Of several, one that fails is told of as it was known before,
        and left out if it cannot be used at all.
        """
        if provider is not None:
            with self._desk.masking(provider):
                return await self._listed(provider, refresh=refresh)
        asked = [self._listed_or_known(name, refresh=refresh) for name in self._ids()]
        return [model for models in await asyncio.gather(*asked) for model in models]

    async def _listed_or_known(self, name: str, *, refresh: bool) -> list[Model]:
        for ask in (True, False) if refresh else (False,):
            try:
                return await self._listed(name, refresh=ask)
            except ProviderError:
                continue
        return []

    async def _listed(self, name: str, *, refresh: bool) -> list[Model]:
        found = await self._registry.get(name).list_models(refresh=refresh)
        if self._config.default:
            default = self._router.default()
            known = not default.model or any(model.id == default.model for model in found)
            if default.provider == name and not known:
                # What was chosen can be chosen, also where neither catalog nor service knows it.
                found = [Model(default.model, name), *found]
        return found

    async def health(
        self, provider: str | None = None, *, live: bool = False
    ) -> list[ProviderHealth]:
        """Return what traffic shows, or with `live` what each provider answers now."""
        names = [provider] if provider is not None else self._ids()
        for name in names:
            self.require(name)
        if not live:
            return [self._passive_health(name) for name in names]
        asked = await asyncio.gather(*(self._registry.get(n).health_check() for n in names))
        return [self._live_health(n, status) for n, status in zip(names, asked, strict=True)]

    # --- what is known without asking ------------------------------------------------------

    def require(self, name: str) -> None:
        """Raise `ProviderNotFound`, which names the nearest ones, if there is no such provider."""
        if self._registry.kind_of(name) is None:
            self._registry.get(name)

    def providers(self, chosen: Target | None = None) -> list[ProviderState]:
        """Return every configured provider, also one of an unknown kind, and the kinds that only
        need a key. The default is the one that `chosen`, if given, is answered by."""
        default = self._default_name(chosen)
        names = dict.fromkeys([*self._registry.names(), *self._config.providers])
        return [self._state(name, default) for name in names]

    def metrics(self) -> ManagerMetrics:
        """Return what was counted since the start, for the providers that were used."""
        client = self._context.client_if_used
        connections: dict[str, tuple[int, int]] = {}
        for name, provider in self._registry.made():
            if name in self._desk.records and provider.base_url and client is not None:
                connections[name] = client.connections(provider.base_url)
        return ManagerMetrics({n: r.metrics for n, r in self._desk.records.items()}, connections)

    def reconfigure(self, config: ProvidersConfig) -> None:
        """Take over a new configuration; running requests end under the one they began with."""
        former, context = self._registry, self._context
        if config.http != context.http or config.timeouts != context.timeouts:
            context.replace_client()
        self._config = config
        self._kept.configure(config.providers)
        context.catalog, context.http = Catalog(config.models, self._kept), config.http
        context.timeouts = config.timeouts
        self._registry = ProviderRegistry(config, context)
        self._desk.configure(self._registry, config.limits)
        self._desk.spending.configure(config.budget)
        for provider in self._registry.adopt(former):
            task = asyncio.get_running_loop().create_task(provider.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._router = self._make_router()

    async def aclose(self) -> None:
        """Close connections and child processes. Running requests fail."""
        for _, provider in list(self._registry.made()):
            await provider.aclose()
        if self._closing:
            await asyncio.gather(*self._closing)
        await self._context.aclose()
        await asyncio.gather(self._desk.spending.aclose(), self._desk.telemetry.aclose())

    # --- small pieces ---------------------------------------------------------------------------

    def _ids(self) -> list[str]:
        return self._registry.configured()

    def _default_name(self, chosen: Target | None) -> str | None:
        try:
            return self._router.first(chosen or Target()).provider
        except ProviderError:
            return None

    def _state(self, name: str, default: str | None) -> ProviderState:
        record = self._desk.peek(name)
        limiter, now = record.gate.limiter, self._clock()
        state = ProviderState(
            id=name,
            kind=self._registry.kind_of(name) or self._kind_said(name),
            configured=self._registry.is_configured(name),
            is_default=name == default,
            base_url="",
            capabilities=ProviderCapabilities(),
            circuit=record.breaker.state(now),
            cooldown_ms=round(record.breaker.wait(now) * 1000) or None,
            rate=RateState(limiter.limit, limiter.remaining(record.gate.now), limiter.in_flight),
        )
        try:
            provider = self._registry.get(name)
        except ProviderError as error:
            # That Azure has no address is no mistake of somebody who does not use Azure.
            if state.configured or name in self._config.providers:
                state.config_error = error.message
            return state
        if state.is_default and not state.configured:
            state.configured = provider.works_as_it_is()
        state.base_url = provider.base_url
        state.capabilities = provider.capabilities()
        state.key_source = provider.key_source()
        return state

    def _kind_said(self, name: str) -> str:
        settings = self._config.providers.get(name)
        return (settings.kind if settings is not None else None) or name

    def _passive_health(self, name: str) -> ProviderHealth:
        health = self._desk.peek(name).health
        return ProviderHealth(name, health.status, health.latency_ms, health.last_error)

    def _live_health(self, name: str, status: HealthStatus) -> ProviderHealth:
        error = self._desk.masked(status.error) if isinstance(status.error, ProviderError) else None
        if error is not None:
            error.provider = error.provider or name
        return ProviderHealth(name, status.status, status.latency_ms, error)


def _tell_nobody(provider: str, message: str) -> None:
    del provider, message


def _tell_nobody_of(message: str) -> None:
    del message
