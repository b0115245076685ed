"""`Desk`: what a `Run` asks of its manager, and where it tells what happened.

Admission (circuit, queue), names, prices, and one record per provider of how it has fared. It
decides no order of candidates and sends nothing.
"""

import contextlib
import logging
from collections.abc import Callable, Generator
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from providers.accumulate import Accumulator
from providers.base import AiProvider, Model, Price
from providers.catalog import cost
from providers.dialects.rate_headers import read_allowances
from providers.errors import (
    CircuitOpen,
    CoolingDown,
    Disconnected,
    ProviderError,
    RateLimited,
    RefusedLocally,
)
from providers.estimate import BYTES_PER_TOKEN, estimate_tokens
from providers.gate import Gate
from providers.health import PassiveHealth
from providers.http.plain import is_loopback
from providers.ledger.entry import AnswerOutcome
from providers.metrics import ProviderMetrics
from providers.policy.breaker import CircuitBreaker
from providers.policy.keyed_limiter import KeyedRateLimiter, Place
from providers.policy.pool import Latency
from providers.policy.router import Candidate
from providers.registry import ProviderRegistry
from providers.settings import LimitSettings
from providers.spending import Spending
from providers.telemetry import Ended, Telemetry
from providers.types import (
    NO_HEADERS,
    CallTrace,
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Cost,
    Outcome,
    Usage,
)
from providers.vendors.context import ProviderContext

logger = logging.getLogger(__name__)

Request = ChatRequest | CompletionRequest

# Programs that run models where they are, and ask nothing for it on the user's own machine. Models
# that Ollama has run elsewhere say so at the end of their names.
_RUNNERS = frozenset({"ollama", "lm-studio", "llama-cpp"})
_ELSEWHERE = "cloud"

_ALONE = [0]


class Admission(NamedTuple):
    """What an attempt holds: a place before the provider, and whether it probes an open circuit."""

    place: Place
    probe: bool


class ProviderRecord:
    """How one provider has fared, for as long as the process lives."""

    __slots__ = ("_usual", "breaker", "gate", "health", "keys_of", "latency", "metrics")

    def __init__(self, limits: LimitSettings) -> None:
        self.gate = Gate(KeyedRateLimiter(limits))
        self.keys_of: AiProvider | None = None  # the one whose keys the limiter knows
        self.breaker = CircuitBreaker()
        self.latency = Latency()
        self.health = PassiveHealth()
        self.metrics = ProviderMetrics()
        self._usual: Admission | None = None

    def admission(self, place: Place, *, probe: bool) -> Admission:
        """Return the admission to a place: nearly always the same one, so it is made once."""
        usual = self._usual
        if usual is None or usual.place is not place or usual.probe is not probe:
            usual = self._usual = Admission(place, probe)
        return usual


class Desk:
    """One per manager; `registry` and `limits` are replaced when the configuration changes."""

    def __init__(
        self,
        registry: ProviderRegistry,
        context: ProviderContext,
        limits: dict[str, LimitSettings],
        clock: Callable[[], float],
        spending: Spending,
        telemetry: Telemetry,
        on_waiting: Callable[[str], None],
    ) -> None:
        self.registry = registry
        self.spending = spending
        self.telemetry = telemetry
        self.records: dict[str, ProviderRecord] = {}
        self._context = context
        self._limits = limits
        self._clock = clock
        self._on_waiting = on_waiting

    # --- records -----------------------------------------------------------------------

    def record(self, name: str) -> ProviderRecord:
        """Return a provider's record; a new one is kept, if there is such a provider."""
        record = self.records.get(name)
        if record is None:
            record = self.peek(name)
            if self.registry.kind_of(name) is not None:
                self.records[name] = record
        return record

    def peek(self, name: str) -> ProviderRecord:
        """Return a provider's record, or an empty one that is not kept."""
        return self.records.get(name) or ProviderRecord(self._limits.get(name, LimitSettings()))

    def in_flight(self, name: str) -> int:
        """Return how many requests to a provider are under way."""
        return self.peek(name).gate.limiter.in_flight

    def latency(self, name: str) -> float:
        """Return a provider's decaying average latency in milliseconds, 0 if it was never asked."""
        return self.peek(name).latency.at(self._clock())

    def configure(self, registry: ProviderRegistry, limits: dict[str, LimitSettings]) -> None:
        """Take over a new configuration; what was learned stays."""
        self.registry, self._limits = registry, limits
        for name, record in self.records.items():
            record.gate.limiter.configure(limits.get(name, LimitSettings()))

    # --- names and prices ---------------------------------------------------------------

    def model(self, provider: str, model: str) -> Model | None:
        """Return what the catalog knows of a model."""
        kind = self.registry.kind_of(provider)
        return self._context.catalog.find(kind, model, provider) if kind else None

    def has_model(self, provider: str, model: str) -> bool:
        """Say whether the catalog knows the model, or the service listed it."""
        kind = self.registry.kind_of(provider)
        return kind is not None and self._context.catalog.has(kind, model, provider)

    def provider(self, name: str) -> AiProvider:
        """Return the provider called `name`. Raises `ProviderNotFound`."""
        return self.registry.get(name)

    def known(self, candidates: list[Candidate]) -> list[int]:
        """Return where in `candidates` there are providers: a name may be nobody's."""
        if len(candidates) == 1:
            return _ALONE
        kind_of = self.registry.kind_of
        return [i for i, c in enumerate(candidates) if kind_of(c.provider) is not None]

    def model_of(self, candidate: Candidate) -> str:
        """Return the model's name where the candidate gives none; "" if nobody knows one."""
        if candidate.model:
            return candidate.model
        try:
            return self.registry.get(candidate.provider).model
        except ProviderError:
            return ""  # it cannot be made: the attempt will say why

    def window_of(self, candidate: Candidate) -> int | None:
        """Return the model's context window in tokens, None if unknown."""
        model = self.model(candidate.provider, self.model_of(candidate))
        return model.context_window if model else None

    def cost_of(self, candidate: Candidate, response: CompletionResponse) -> Cost | None:
        """Return the provider's own figure, else the catalog's price times the usage."""
        if response.cost_usd is not None:
            return Cost(response.cost_usd, "provider")
        if response.usage is None:
            return Cost(0.0, "catalog") if self.is_free(candidate) else None
        usd = self._priced(candidate, response.usage, response.model)
        return None if usd is None else Cost(usd, "catalog")

    def is_free(self, candidate: Candidate) -> bool:
        """Say whether the candidate is known to cost nothing, however long its answer is."""
        price = self._price(candidate, self.model_of(candidate))
        while price is not None:
            if price.input or price.output or price.cache_read or price.cache_write:
                return False
            if price.beyond is None:
                return True
            price = price.beyond
        return False

    def masked(self, error: ProviderError) -> ProviderError:
        """Return the error with every known secret out of it: a service may repeat one."""
        mask = self._context.redactor.mask
        error.message = mask(error.message)
        error.args = (error.message,)
        if error.request_id is not None:
            error.request_id = mask(error.request_id)
        return error

    @contextlib.contextmanager
    def masking(self, provider: str | None) -> Generator[None]:
        """Let an error through only as `masked` leaves it, and with the name of the provider."""
        try:
            yield
        except ProviderError as error:
            self.masked(error)
            error.provider = error.provider or provider
            raise

    def check_circuit(self, candidate: Candidate) -> None:
        """Raise `CircuitOpen` while it is left alone, `CoolingDown` in a pause it asked for."""
        breaker, now = self.record(candidate.provider).breaker, self._clock()
        if not breaker.admits(now):
            wait = breaker.wait(now)
            if (kind := breaker.cooling(now)) is not None:
                said = f"{candidate.provider} asked to be left alone for another {wait:.0f} s"
                raise CoolingDown(said, kind=kind, retry_after=wait)
            raise CircuitOpen(
                f"{candidate.provider} failed too often lately and is left alone for {wait:.0f} s",
                retry_after=wait,
            )

    async def enter(self, candidate: Candidate, request: Request, patience: float) -> Admission:
        """Wait for the provider's turn, or for that of a key of its pool that is free first.

        Raises `BudgetExceeded` if a budget is used up, before the wait or after it, and
        `ProviderNotFound` if there is none of that name.
        """
        name = candidate.provider
        if name not in self.records and self.registry.kind_of(name) is None:
            self.registry.get(name)  # says which it may be
        capped = self.spending.is_limited and not self.is_free(candidate)
        if capped:
            await self.spending.admit()
        record = self.record(candidate.provider)
        self._know_keys(candidate.provider, record)
        tokens = _estimated_input(request) if record.gate.limiter.counts_tokens else 0
        place = record.gate.enter_now(tokens)
        if place is None:
            self._on_waiting(candidate.provider)
            place = await record.gate.enter(tokens, patience)
            if capped:
                await self._admit_from(record.gate, place)
        record.metrics.requests += 1
        return record.admission(place, probe=record.breaker.began(self._clock()))

    def leave(self, candidate: Candidate, trace: CallTrace, place: Place) -> None:
        """Free the place."""
        if trace.headers:
            self.learn(candidate, trace, place)
        self.record(candidate.provider).gate.leave(place)

    def learn(self, candidate: Candidate, trace: CallTrace, place: Place) -> None:
        """Learn from the answer's headers, once and as early as can be: a stream may last for
        minutes. They count from when they came, not from the first token, which takes a while."""
        headers, trace.headers = trace.headers, NO_HEADERS
        came = trace.first_byte_at
        now = self.record(candidate.provider).gate.now if came is None else came
        place.limiter.learned(*read_allowances(headers), now)

    def answered(
        self, candidate: Candidate, request: Request, outcome: Outcome, admitted: Admission
    ) -> None:
        """Book an answer that came whole, and let it speak for the provider."""
        record = self.record(candidate.provider)
        if record.breaker.state(self._clock()) != "closed":
            logger.info("%s answers again: its circuit is closed", candidate.provider)
        record.breaker.succeeded(probe=admitted.probe)
        record.health.succeeded(outcome.timing.first_token_ms)
        record.latency.add(outcome.attempts[-1].ms, self._clock())
        record.metrics.answered(outcome.usage, outcome.cost, outcome.timing)
        model = self.model_of(candidate) or outcome.model
        self.spending.book(candidate.provider, model, "ok", outcome.usage, outcome.cost)
        limiter = record.gate.limiter
        admitted.place.limiter.answered()
        if limiter.counts_tokens:
            beyond = outcome.usage.total_tokens - _estimated_input(request)
            limiter.used(record.gate.now, beyond)

    def failed(self, candidate: Candidate, error: ProviderError, admitted: Admission) -> None:
        """Count the failure and let it speak about the provider."""
        record = self.record(candidate.provider)
        record.metrics.failed(error.kind)
        if isinstance(error, RefusedLocally):
            record.metrics.requests -= 1  # it never left
        if error.kind in ("rateLimit", "overloaded"):
            admitted.place.limiter.throttled()
        if isinstance(error, Disconnected) and error.stale:
            record.breaker.abandoned(probe=admitted.probe)  # no connection lives for ever
            return
        record.health.failed(error)
        if isinstance(error, RateLimited) and self._has_further_keys(record, admitted.place):
            record.breaker.abandoned(probe=admitted.probe)  # the key rests, not the provider
        else:
            now = self._clock()
            was_open = record.breaker.state(now) == "open"
            record.breaker.failed(error, now, probe=admitted.probe)
            if not was_open and record.breaker.state(now) == "open":
                wait = record.breaker.wait(now)
                said = "%s failed too often (%s): its circuit is open for %.0f s"
                logger.info(said, candidate.provider, error.kind, wait)

    def cancelled(self, candidate: Candidate, admitted: Admission | None) -> None:
        """Count a request that the client took back, wherever it was."""
        record = self.record(candidate.provider)
        record.metrics.cancelled += 1
        record.breaker.abandoned(probe=admitted is not None and admitted.probe)

    def retried(self, candidate: Candidate) -> None:
        """Count a retry."""
        self.record(candidate.provider).metrics.retries += 1

    def failed_over(self, candidate: Candidate) -> None:
        """Count a failover, at the provider that failed."""
        self.record(candidate.provider).metrics.failovers += 1

    def cut_short(
        self,
        candidate: Candidate,
        request: Request,
        answer: Accumulator,
        how: AnswerOutcome,
        trace: CallTrace,
    ) -> None:
        """Book what an answer cost that did not come to its end, estimated where nobody said.

        Of an answer that was cancelled before anything of it came, that is what the service had
        been sent; what failed before has cost nothing, as far as anybody says.
        """
        no_error = trace.status is None or trace.status < 300
        sent = how == "cancelled" and trace.sent_at is not None and no_error
        if not (sent or answer.has_content or answer.usage is not None):
            return
        usage, model = _used_so_far(request, answer), self.model_of(candidate)
        if answer.cost_usd is not None:
            price = Cost(answer.cost_usd, "provider")
        else:
            usd = self._priced(candidate, usage, model)
            price = None if usd is None else Cost(usd, "estimate")
        self.record(candidate.provider).metrics.booked(usage, price)
        self.spending.book(candidate.provider, model, how, usage, price)

    def tell(
        self,
        candidate: Candidate,
        request: Request,
        answer: Accumulator,
        trace: CallTrace,
        ended_as: str,
        seconds: float,
    ) -> None:
        """Tell the collector of an upstream request; `ended_as` is an error's kind, "" for none."""
        first = None
        if trace.first_byte_at is not None and trace.sent_at is not None:
            first = trace.first_byte_at - trace.sent_at
        self.telemetry.ended(
            Ended(
                at=self.spending.now,
                seconds=seconds,
                kind=self.registry.kind_of(candidate.provider) or "",
                name=candidate.provider,
                operation="chat" if isinstance(request, ChatRequest) else "text_completion",
                model=self.model_of(candidate),
                answered_as=answer.model,
                error=ended_as,
                first_chunk=first,
                usage=answer.usage,
            )
        )

    # --- small pieces -------------------------------------------------------------------------

    def _know_keys(self, name: str, record: ProviderRecord) -> None:
        """Have the limiter know the provider's keys, anew where another configuration made it."""
        try:
            provider = self.registry.get(name)
        except ProviderError:
            return  # it cannot be made: the attempt will say why
        if provider is not record.keys_of:
            record.keys_of = provider
            record.gate.limiter.use_keys(provider.key_count, provider.fit_keys)

    def _has_further_keys(self, record: ProviderRecord, place: Place) -> bool:
        provider = record.keys_of
        return place.key is not None and provider is not None and bool(provider.fit_keys())

    async def _admit_from(self, gate: Gate, place: Place) -> None:
        """Ask the budget again after a wait; a place that is then not used goes to the next."""
        try:
            await self.spending.admit()
        except BaseException:
            gate.leave(place)
            raise

    def _priced(self, candidate: Candidate, usage: Usage, answered_as: str) -> float | None:
        asked = self.model_of(candidate)
        price = self._price(candidate, asked)
        if price is None and answered_as != asked:
            price = self._price(candidate, answered_as)
        return None if price is None else cost(usage, price)

    def _price(self, candidate: Candidate, model: str) -> Price | None:
        kind = self.registry.kind_of(candidate.provider) or ""
        price = self._context.catalog.price(kind, model, candidate.provider)
        if price is None and kind in _RUNNERS and not model.endswith(_ELSEWHERE):
            try:
                host = urlsplit(self.registry.get(candidate.provider).base_url).hostname
            except (ProviderError, ValueError):
                return None  # it cannot be made: the attempt will say why
            return Price(0.0, 0.0) if host and is_loopback(host) else None
        return price


def _estimated_input(request: Request) -> int:
    chat = request.to_chat() if isinstance(request, CompletionRequest) else request
    return estimate_tokens(chat.messages)


def _used_so_far(request: Request, answer: Accumulator) -> Usage:
    """What was said of the tokens, at least what has arrived: some say it first and last only."""
    written = -(-answer.chars // BYTES_PER_TOKEN)
    said = answer.usage
    if said is None:
        read = _estimated_input(request)
        return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)
    if said.output_tokens >= written:
        return said
    total = said.input_tokens + written
    return msgspec.structs.replace(said, output_tokens=written, total_tokens=total)
