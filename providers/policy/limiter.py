"""`AdaptiveRateLimiter`: when a provider may be sent the next request.

Pure: the time is an argument (seconds of any steady clock). Nothing is limited until it is
configured or learned: requests and tokens a minute from the configuration; how many at once from
the configuration and from rate-limit answers (halved by one, raised by one for as many answers as
there are places: additive increase, multiplicative decrease); an empty allowance from the answer's
own headers. What was learned delays; only what was configured may refuse.
"""

from math import inf
from typing import NamedTuple, Protocol

from providers.settings import LimitSettings

MINUTE = 60.0

LONGEST_LEARNED_WAIT = 20.0
"""Seconds. An allowance that comes back later than this does not hold up the next request: the
service may say no itself, and the answer is then the truth."""


class Allowance(Protocol):
    """What a service says is left of a minute's allowance; `reset` in seconds from now."""

    @property
    def limit(self) -> int | None: ...
    @property
    def remaining(self) -> int | None: ...
    @property
    def reset(self) -> float | None: ...


class Wait(NamedTuple):
    """Seconds until the next request may go; `inf` while one that runs must end first.

    `configured` says that it is the user's own limit that holds it up.
    """

    seconds: float
    configured: bool


GO = Wait(0.0, False)


class _Bucket:
    """So many units a minute, all of them at once after a quiet minute."""

    __slots__ = ("_level", "_per_second", "_then", "size")

    def __init__(self, per_minute: float) -> None:
        self.size = per_minute
        self._per_second = per_minute / MINUTE
        self._level = per_minute
        self._then: float | None = None

    def wait(self, now: float, units: float) -> float:
        self._fill(now)
        missing = min(units, self.size) - self._level  # more than a minute's worth must pass, too
        return max(0.0, missing / self._per_second)

    def take(self, now: float, units: float) -> None:
        self._fill(now)
        self._level -= units

    def left(self, now: float) -> int:
        self._fill(now)
        return max(0, int(self._level))

    def _fill(self, now: float) -> None:
        if self._then is not None:
            self._level = min(self.size, self._level + (now - self._then) * self._per_second)
        self._then = now


class AdaptiveRateLimiter:
    """One per provider and key. `wait`, then `began`, then `ended` once for each `began`.

    `counts_tokens`: tokens are limited; if not, nobody needs to estimate them.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self._settings: LimitSettings | None = None
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self._most: int | None = None
        self.configure(settings)
        self.forget()
        self.in_flight = 0

    def forget(self) -> None:
        """Forget what was learned."""
        self._places = inf
        self._blocked_until = 0.0
        self._seen: Allowance | None = None
        self._seen_until = 0.0

    def configure(self, settings: LimitSettings) -> None:
        """Take over what the user set, if it is new; what was learned stays."""
        if settings == self._settings:
            return
        self._settings = settings
        self._requests = _optional_bucket(settings.requests_per_minute)
        self._tokens = _optional_bucket(settings.tokens_per_minute)
        self._most = settings.max_concurrent
        self.counts_tokens = self._tokens is not None

    @property
    def limit(self) -> int | None:
        """Requests a minute, configured or as the service says; None while unknown."""
        if self._requests is not None:
            return int(self._requests.size)
        return self._seen.limit if self._seen else None

    def remaining(self, now: float) -> int | None:
        """Requests left in this minute, None while unknown.

        What an answer said holds until the reset that it named, a minute if it named none; from
        then on all of the limit is there again.
        """
        if self._requests is not None:
            return self._requests.left(now)
        if self._seen is None:
            return None
        return self._seen.remaining if now < self._seen_until else self._seen.limit

    def wait(self, now: float, tokens: int) -> Wait:
        """Return when a request of about `tokens` may go; it takes nothing."""
        if self._most is not None and self.in_flight >= self._most:
            return Wait(inf, True)
        configured = max(
            self._requests.wait(now, 1) if self._requests else 0.0,
            self._tokens.wait(now, tokens) if self._tokens else 0.0,
        )
        if configured > 0:
            return Wait(configured, True)
        if self.in_flight and self.in_flight >= self._places:
            return Wait(inf, False)
        learned = self._blocked_until - now
        return Wait(learned, False) if 0 < learned <= LONGEST_LEARNED_WAIT else GO

    def began(self, now: float, tokens: int) -> None:
        """A request is sent."""
        self.in_flight += 1
        if self._requests:
            self._requests.take(now, 1)
        if self._tokens:
            self._tokens.take(now, tokens)

    def ended(self) -> None:
        """A request is over, however it ended."""
        self.in_flight -= 1

    def used(self, now: float, beyond_estimate: int) -> None:
        """The answer cost so many tokens more (or, negative, fewer) than was estimated."""
        if self._tokens:
            self._tokens.take(now, beyond_estimate)

    def answered(self) -> None:
        """An answer came: after as many as there are places, there is one place more."""
        if self._places != inf:
            self._places += 1 / max(1.0, self._places)

    def throttled(self) -> None:
        """The service said that it is too much: half of what runs now is the new limit."""
        now_running = min(self._places, float(self.in_flight))
        self._places = max(1.0, now_running / 2)

    def learned(self, requests: Allowance | None, tokens: Allowance | None, now: float) -> None:
        """Take what an answer's headers say about the allowance of requests and of tokens."""
        if requests is not None:
            self._seen = requests
            self._seen_until = now + (MINUTE if requests.reset is None else requests.reset)
        for allowance in (requests, tokens):
            if allowance is not None and allowance.remaining == 0 and allowance.reset is not None:
                self._blocked_until = max(self._blocked_until, now + allowance.reset)


def _optional_bucket(per_minute: float | None) -> _Bucket | None:
    return _Bucket(per_minute) if per_minute is not None else None
