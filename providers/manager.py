"""`ProviderManager`, the only orchestrator: routes a request, runs it, records what happened.

Which provider: `policy.router`. What happens after a failure: `run` and `policy.retry`. What a
service is like: `vendors`. It knows nothing of LSP and does no I/O of its own.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from providers.accumulate import Accumulator
from providers.auth.redact import Redactor
from providers.base import AiProvider, HealthStatus, Model, ProviderCapabilities, TokenCount
from providers.catalog import Catalog, cost
from providers.desk import Request
from providers.dialects.rate_headers import read_allowances
from providers.errors import CircuitOpen, ProviderError
from providers.estimate import BYTES_PER_TOKEN, estimate_tokens
from providers.gate import Gate
from providers.health import PassiveHealth
from providers.metrics import ProviderMetrics
from providers.policy.breaker import CircuitBreaker, CircuitState
from providers.policy.limiter import AdaptiveRateLimiter
from providers.policy.pool import Latency, Load
from providers.policy.router import Candidate, Directory, Router, Target
from providers.registry import ProviderRegistry
from providers.run import Run
from providers.settings import LimitSettings, ProvidersConfig
from providers.types import (
    CallTrace,
    CompletionRequest,
    CompletionResponse,
    Cost,
    Message,
    Outcome,
    Struct,
    Usage,
)
from providers.vendors.context import ProviderContext


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


class _Record:
    """What the manager keeps of one provider while it lives."""

    __slots__ = ("breaker", "gate", "health", "latency", "metrics")

    def __init__(self, limits: LimitSettings) -> None:
        self.gate = Gate(AdaptiveRateLimiter(limits))
        self.breaker = CircuitBreaker()
        self.latency = Latency()
        self.health = PassiveHealth()
        self.metrics = ProviderMetrics()


class ProviderManager:
    """All providers of one configuration. To be used from one event loop.

    `on_status(provider, message)` tells what takes so long ("loading the model"); an empty message
    takes it back.
    """

    def __init__(
        self,
        config: ProvidersConfig,
        *,
        environ: Mapping[str, str],
        on_status: Callable[[str, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock
        self._redactor = Redactor()
        self._records: dict[str, _Record] = {}
        self._context = ProviderContext(
            environ=environ,
            catalog=Catalog(config.models),
            http=config.http,
            timeouts=config.timeouts,
            redactor=self._redactor,
            on_status=on_status or _tell_nobody,
        )
        self._registry = ProviderRegistry(config, self._context)
        self._router = self._make_router()
        self._closing: set[asyncio.Task[None]] = set()

    def _make_router(self) -> Router:
        directory = Directory(
            is_known=self._is_known,
            configured=self._registry.configured,
            has_model=self._has_model,
            load=Load(
                in_flight=lambda name: self._peek(name).gate.limiter.in_flight,
                latency=lambda name: self._peek(name).latency.at(self._clock()),
                random=random.random,
            ),
        )
        return Router(self._config, directory)

    def _is_known(self, name: str) -> bool:
        return self._registry.kind_of(name) is not None

    # --- requests -----------------------------------------------------------------------

    def stream(self, request: Request, target: Target) -> Run:
        """Return the request's run, not yet begun. Raises `RefusedLocally` if nothing fits."""
        return self._run(request, target, unary=False)

    async def complete(self, request: Request, target: Target) -> Outcome:
        """Answer with the provider's unary request. Raises `ProviderError` as a `Run` does."""
        run = self._run(request, target, unary=True)
        async for _ in run:
            pass
        return run.outcome

    def _run(self, request: Request, target: Target, *, unary: bool) -> Run:
        return Run(
            self,
            request,
            self._router.candidates(target),
            retry=self._config.retry,
            timeout=target.timeout,
            unary=unary,
        )

    async def count_tokens(self, messages: list[Message], target: Target) -> TokenCount:
        """Return how many tokens `messages` are for the target's model."""
        candidate = self._router.candidates(target)[0]
        provider = self._registry.get(candidate.provider)
        return await provider.count_tokens(messages, self.model_of(candidate))

    async def models(self, provider: str | None = None, *, refresh: bool = False) -> list[Model]:
        """Return the models of one provider, or of all configured ones.

        Of several, one that fails is left out; of one, its error is raised.
        """
        if provider is not None:
            return await self._registry.get(provider).list_models(refresh=refresh)
        asked = [self._registry.get(n).list_models(refresh=refresh) for n in self._ids()]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found: list[Model] = []
        for answer in answers:
            if isinstance(answer, list):
                found += answer
            elif not isinstance(answer, ProviderError):
                raise answer
        return found

    async def health(
        self, provider: str | None = None, *, live: bool = False
    ) -> list[ProviderHealth]:
        """Return what traffic shows, or with `live` what each provider answers now."""
        names = [provider] if provider is not None else self._ids()
        for name in names:
            self._require(name)
        if not live:
            return [self._passive_health(name) for name in names]
        asked = await asyncio.gather(*(self._registry.get(n).health_check() for n in names))
        return [self._live_health(n, status) for n, status in zip(names, asked, strict=True)]

    # --- what is known without asking ------------------------------------------------------

    def providers(self) -> list[ProviderState]:
        """Return every configured provider, and the kinds that only need a key."""
        default = self._default_name()
        return [self._state(name, default) for name in self._registry.names()]

    def metrics(self) -> ManagerMetrics:
        """Return what was counted since the start, for the providers that were used."""
        client = self._context.client_if_used
        connections: dict[str, tuple[int, int]] = {}
        for name, provider in self._registry.made():
            if name in self._records and provider.base_url and client is not None:
                connections[name] = client.connections(provider.base_url)
        return ManagerMetrics({n: r.metrics for n, r in self._records.items()}, connections)

    def reconfigure(self, config: ProvidersConfig) -> None:
        """Take over a new configuration; running requests end under the one they began with."""
        former, context = self._registry, self._context
        if config.http != context.http or config.timeouts != context.timeouts:
            context.replace_client()
        self._config = config
        context.catalog, context.http = Catalog(config.models), config.http
        context.timeouts = config.timeouts
        self._registry = ProviderRegistry(config, context)
        for provider in self._registry.adopt(former):
            task = asyncio.get_running_loop().create_task(provider.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._router = self._make_router()
        for name, record in self._records.items():
            record.gate.limiter.configure(config.limits.get(name, LimitSettings()))

    async def aclose(self) -> None:
        """Close connections and child processes. Running requests fail."""
        for _, provider in list(self._registry.made()):
            await provider.aclose()
        if self._closing:
            await asyncio.gather(*self._closing)
        await self._context.aclose()

    # --- the desk of a run (`providers.run.Desk`) --------------------------------------------

    def provider(self, name: str) -> AiProvider:
        """Return the provider called `name`. Raises `ProviderNotFound`."""
        return self._registry.get(name)

    def model_of(self, candidate: Candidate) -> str:
        """Return the model's name where the candidate gives none; "" if nobody knows one."""
        if candidate.model:
            return candidate.model
        try:
            return self._registry.get(candidate.provider).model
        except ProviderError:
            return ""  # it cannot be made: the attempt will say why

    def window_of(self, candidate: Candidate) -> int | None:
        """Return the model's context window in tokens, None if unknown."""
        model = self._model(candidate.provider, self.model_of(candidate))
        return model.context_window if model else None

    def cost_of(self, candidate: Candidate, response: CompletionResponse) -> Cost | None:
        """Return the provider's own figure, else the catalog's price times the usage."""
        if response.cost_usd is not None:
            return Cost(response.cost_usd, "provider")
        if response.usage is None:
            return None
        usd = self._priced(candidate, response.usage, response.model)
        return None if usd is None else Cost(usd, "catalog")

    def masked(self, error: ProviderError) -> ProviderError:
        """Return the error with every known secret out of its message."""
        error.message = self._redactor.mask(error.message)
        error.args = (error.message,)
        return error

    def check_circuit(self, candidate: Candidate) -> None:
        """Raise `CircuitOpen` while the provider is left alone or cools down."""
        breaker, now = self._record(candidate).breaker, self._clock()
        if not breaker.admits(now):
            wait = breaker.wait(now)
            raise CircuitOpen(
                f"{candidate.provider} failed too often lately and is left alone for {wait:.0f} s",
                retry_after=wait,
            )

    async def enter(self, candidate: Candidate, request: Request, patience: float) -> bool:
        """Wait for the provider's turn. Returns whether the attempt probes an open circuit."""
        record = self._record(candidate)
        tokens = _estimated_input(request) if record.gate.limiter.counts_tokens else 0
        if not record.gate.enter_now(tokens):
            self._context.on_status(candidate.provider, "waiting for its turn")
            try:
                await record.gate.enter(tokens, patience)
            finally:
                self._context.on_status(candidate.provider, "")
        record.metrics.requests += 1
        return record.breaker.began(self._clock())

    def leave(self, candidate: Candidate, trace: CallTrace) -> None:
        """Free the place, and learn from the answer's headers."""
        gate = self._record(candidate).gate
        if trace.headers:
            gate.limiter.learned(*read_allowances(trace.headers), gate.now)
        gate.leave()

    def answered(
        self, candidate: Candidate, request: Request, outcome: Outcome, *, probe: bool
    ) -> None:
        """Book an answer that came whole, and let it speak for the provider."""
        record = self._record(candidate)
        record.breaker.succeeded(probe=probe)
        record.health.succeeded(outcome.timing.first_token_ms)
        record.latency.add(outcome.attempts[-1].ms, self._clock())
        record.metrics.answered(outcome.usage, outcome.cost, outcome.timing)
        limiter = record.gate.limiter
        limiter.answered()
        if limiter.counts_tokens:
            beyond = outcome.usage.total_tokens - _estimated_input(request)
            limiter.used(record.gate.now, beyond)

    def failed(self, candidate: Candidate, error: ProviderError, *, probe: bool) -> None:
        """Count the failure and let it speak about the provider."""
        record = self._record(candidate)
        record.breaker.failed(error, self._clock(), probe=probe)
        record.metrics.failed(error.kind)
        record.health.failed(error)
        if error.kind in ("rateLimit", "overloaded"):
            record.gate.limiter.throttled()

    def cancelled(self, candidate: Candidate, *, probe: bool) -> None:
        """Count a request that the client took back."""
        record = self._record(candidate)
        record.metrics.cancelled += 1
        record.breaker.abandoned(probe=probe)

    def retried(self, candidate: Candidate) -> None:
        """Count a retry."""
        self._record(candidate).metrics.retries += 1

    def failed_over(self, candidate: Candidate) -> None:
        """Count a failover, at the provider that failed."""
        self._record(candidate).metrics.failovers += 1

    def cut_short(self, candidate: Candidate, request: Request, answer: Accumulator) -> None:
        """Book what an answer cost that did not come to its end, estimated where nobody said."""
        if not answer.has_content:
            return
        usage = answer.usage or _estimated_usage(request, answer)
        usd = self._priced(candidate, usage, self.model_of(candidate))
        price = None if usd is None else Cost(usd, "estimate")
        self._record(candidate).metrics.booked(usage, price)

    # --- small pieces ---------------------------------------------------------------------------

    def _record(self, candidate: Candidate) -> _Record:
        record = self._records.get(candidate.provider)
        if record is None:
            limits = self._config.limits.get(candidate.provider, LimitSettings())
            record = self._records[candidate.provider] = _Record(limits)
        return record

    def _peek(self, name: str) -> _Record:
        """Return a provider's record, or an empty one that is not kept."""
        return self._records.get(name) or _Record(self._config.limits.get(name, LimitSettings()))

    def _model(self, provider: str, model: str) -> Model | None:
        kind = self._registry.kind_of(provider)
        return self._context.catalog.find(kind, model, provider) if kind else None

    def _has_model(self, provider: str, model: str) -> bool:
        return self._model(provider, model) is not None

    def _priced(self, candidate: Candidate, usage: Usage, answered_as: str) -> float | None:
        kind = self._registry.kind_of(candidate.provider) or ""
        for model in (self.model_of(candidate), answered_as):
            price = self._context.catalog.price(kind, model, candidate.provider)
            if price is not None:
                return cost(usage, price)
        return None

    def _ids(self) -> list[str]:
        return self._registry.configured()

    def _require(self, name: str) -> None:
        if self._registry.kind_of(name) is None:
            self._registry.get(name)

    def _default_name(self) -> str | None:
        try:
            return self._router.default().provider
        except ProviderError:
            return None

    def _state(self, name: str, default: str | None) -> ProviderState:
        record = self._peek(name)
        limiter, now = record.gate.limiter, self._clock()
        state = ProviderState(
            id=name,
            kind=self._registry.kind_of(name) or "",
            configured=self._registry.is_configured(name),
            is_default=name == default,
            base_url="",
            capabilities=ProviderCapabilities(),
            circuit=record.breaker.state(now),
            cooldown_ms=round(record.breaker.wait(now) * 1000) or None,
            rate=RateState(limiter.limit, limiter.remaining, limiter.in_flight),
        )
        try:
            provider = self._registry.get(name)
        except ProviderError as error:
            state.config_error = error.message
            return state
        state.base_url = provider.base_url
        state.capabilities = provider.capabilities()
        state.key_source = provider.key_source()
        return state

    def _passive_health(self, name: str) -> ProviderHealth:
        health = self._peek(name).health
        return ProviderHealth(name, health.status, health.latency_ms, health.last_error)

    def _live_health(self, name: str, status: HealthStatus) -> ProviderHealth:
        error = status.error
        return ProviderHealth(
            name,
            status.status,
            status.latency_ms,
            self.masked(error) if isinstance(error, ProviderError) else None,
        )


def _estimated_input(request: Request) -> int:
    chat = request.to_chat() if isinstance(request, CompletionRequest) else request
    return estimate_tokens(chat.messages)


def _estimated_usage(request: Request, answer: Accumulator) -> Usage:
    read = _estimated_input(request)
    written = -(-answer.chars // BYTES_PER_TOKEN)
    return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _tell_nobody(provider: str, message: str) -> None:
    del provider, message
