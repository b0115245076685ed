"""`CircuitBreaker`: stops asking a provider that does not answer, and finds out when it does again.

Pure: the time is an argument (seconds of any steady clock). Only the provider's own faults count;
a rate limit is no fault but a cooldown, and a caller's mistake is neither.
"""

from typing import Literal

from providers.errors import ErrorKind, ProviderError

CircuitState = Literal["closed", "open", "halfOpen"]

FAULTS_TO_OPEN = 5
"""Failures in a row. A request with its retries makes three, so one alone does not open it."""

FIRST_OPEN = 5.0
LONGEST_OPEN = 120.0
"""Seconds the circuit stays open: doubled each time a probe fails, up to two minutes."""

DEFAULT_COOLDOWN = 1.0
"""Seconds to stay away after a rate limit that did not say how long."""

_FAULTS: frozenset[ErrorKind] = frozenset(
    {"network", "timeout", "server", "malformedStream", "truncatedStream"}
)
_COOLDOWNS: frozenset[ErrorKind] = frozenset({"rateLimit", "overloaded"})


class CircuitBreaker:
    """One per provider. Ask `admits` before a request, then `began`, then one of the three ends."""

    def __init__(self) -> None:
        self._faults = 0
        self._open_for = FIRST_OPEN
        self._open_until: float | None = None
        self._cool_until = 0.0
        self._cool_for: ErrorKind = "rateLimit"
        self._probing = False

    def state(self, now: float) -> CircuitState:
        """Return the state; open becomes half-open by the passing of time."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "halfOpen"

    def admits(self, now: float) -> bool:
        """Say whether a request should be sent now; half-open lets a single probe through."""
        if now < self._cool_until:
            return False
        state = self.state(now)
        return state == "closed" or (state == "halfOpen" and not self._probing)

    def cooling(self, now: float) -> ErrorKind | None:
        """Return why the provider is left alone though its circuit is closed; None if it is not."""
        cools = now < self._cool_until and self.state(now) == "closed"
        return self._cool_for if cools else None

    def wait(self, now: float) -> float:
        """Return the seconds until a request would be admitted, as far as time alone decides."""
        until = max(self._cool_until, self._open_until or 0.0)
        return max(0.0, until - now)

    def began(self, now: float) -> bool:
        """A request is sent. Returns whether it is the probe of a half-open circuit."""
        if self._open_until is None or self._probing or self.state(now) != "halfOpen":
            return False
        self._probing = True
        return True

    def succeeded(self, *, probe: bool) -> None:
        """A request was answered: the provider works, whoever asked."""
        if probe:
            self._probing = False
        self._faults = 0
        self._open_for = FIRST_OPEN
        self._open_until = None

    def failed(self, error: ProviderError, now: float, *, probe: bool) -> None:
        """A request failed."""
        if probe:
            self._probing = False
        if error.kind in _COOLDOWNS:
            wait = error.retry_after if error.retry_after is not None else DEFAULT_COOLDOWN
            self._cool_until = max(self._cool_until, now + min(wait, LONGEST_OPEN))
            self._cool_for = error.kind
            return
        if error.kind not in _FAULTS:
            return
        self._faults += 1
        if probe:
            self._open_for = min(self._open_for * 2, LONGEST_OPEN)
            self._open_until = now + self._open_for
        elif self._open_until is None and self._faults >= FAULTS_TO_OPEN:
            self._open_until = now + self._open_for

    def abandoned(self, *, probe: bool) -> None:
        """A request was cancelled: it says nothing, and the next one may probe."""
        if probe:
            self._probing = False
