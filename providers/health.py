"""What the traffic of the last requests says about a provider. Passive: asks nobody."""

from collections import deque
from typing import Literal

from providers.errors import ProviderError

_WINDOW = 20
_UNHEALTHY_AFTER = 3

# A caller's own mistake says nothing about the provider.
_NOT_ITS_FAULT = frozenset(
    {"invalidRequest", "contextLength", "contentFilter", "budgetExceeded", "circuitOpen"}
)


class PassiveHealth:
    """Healthy while requests succeed, unhealthy after three failures in a row, else degraded."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self.last_error: ProviderError | None = None
        self.latency_ms: float | None = None

    def succeeded(self, latency_ms: float) -> None:
        """A request was answered, its first token after `latency_ms`."""
        self._recent.append(True)
        self.last_error = None
        self.latency_ms = latency_ms

    def failed(self, error: ProviderError) -> None:
        """A request failed."""
        if error.kind not in _NOT_ITS_FAULT:
            self._recent.append(False)
            self.last_error = error

    @property
    def status(self) -> Literal["healthy", "degraded", "unhealthy", "unknown"]:
        """The verdict on the last requests; unknown before the first."""
        if not self._recent:
            return "unknown"
        last = list(self._recent)[-_UNHEALTHY_AFTER:]
        if len(last) == _UNHEALTHY_AFTER and not any(last):
            return "unhealthy"
        return "healthy" if self._recent[-1] else "degraded"
