"""Counts and latencies per provider, in bounded memory. Passive: it only hears what happened."""

from math import log

from providers.errors import ErrorKind
from providers.types import Cost, Struct, Timing, Usage

# Buckets grow by 20 %: a percentile read from them is at most that far off. 0.01 ms to 18 minutes
# (the largest request timeout is far below) take 102 of them.
_GROWTH = 1.2
_SMALLEST = 0.01
_BUCKETS = 102


class Percentiles(Struct, gc=False):
    """Milliseconds; 0 while nothing was measured."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Histogram:
    """Durations in milliseconds, in logarithmic buckets: constant memory for any number of them."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0

    def add(self, ms: float) -> None:
        index = 0 if ms <= _SMALLEST else int(log(ms / _SMALLEST, _GROWTH)) + 1
        self._counts[min(index, _BUCKETS - 1)] += 1
        self.count += 1

    def percentiles(self) -> Percentiles:
        """Return the upper bounds of the buckets in which the three percentiles lie."""
        return Percentiles(self._at(0.50), self._at(0.95), self._at(0.99))

    def _at(self, share: float) -> float:
        if not self.count:
            return 0.0
        rank, seen = share * self.count, 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return _SMALLEST * _GROWTH**index
        return _SMALLEST * _GROWTH**_BUCKETS


class ProviderMetrics:
    """What one provider did since the process started."""

    def __init__(self) -> None:
        self.requests = 0
        self.ok = 0
        self.cancelled = 0
        self.errors: dict[ErrorKind, int] = {}
        self.retries = 0
        self.failovers = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0
        self.dispatch = Histogram()
        self.first_token = Histogram()

    def failed(self, kind: ErrorKind) -> None:
        """One upstream request failed."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def answered(self, usage: Usage, cost: Cost | None, timing: Timing) -> None:
        """One request was answered whole."""
        self.ok += 1
        self.booked(usage, cost)
        self.dispatch.add(timing.dispatch_ms)
        self.first_token.add(timing.first_token_ms)

    def booked(self, usage: Usage, cost: Cost | None) -> None:
        """Tokens were used, whether or not the answer came to its end."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if cost is not None:
            self.cost_usd += cost.usd
