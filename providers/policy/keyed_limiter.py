"""`KeyedRateLimiter`: the limits of one provider, whose requests may go out under several keys.

What the user configured holds for the provider, all its keys together. What answers teach is each
key's own, because services count by key or account: a key that was told to slow down holds up
nobody who can take another one. With one key, which most people have, it is one
`AdaptiveRateLimiter` and nothing more. Pure: the time, and which keys are fit, are arguments.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from providers.policy.limiter import AdaptiveRateLimiter, Wait
from providers.settings import LimitSettings


class Place(NamedTuple):
    """What an admitted request holds: the number of its key (None: any) and who learns from it."""

    key: int | None
    limiter: AdaptiveRateLimiter


def _none() -> Sequence[int]:
    return ()


class KeyedRateLimiter:
    """`wait`, then `began`, whose place goes back to `ended`, once."""

    def __init__(self, settings: LimitSettings) -> None:
        self._whole = AdaptiveRateLimiter(settings)
        self._only = Place(None, self._whole)
        self._keys: list[Place] = []
        self._fit: Callable[[], Sequence[int]] = _none
        self._turn = 0

    def configure(self, settings: LimitSettings) -> None:
        """Take over what the user set; what was learned stays."""
        self._whole.configure(settings)

    def use_keys(self, count: int, fit: Callable[[], Sequence[int]]) -> None:
        """Begin anew with `count` keys; `fit` gives those that may be used now, possibly none."""
        self._fit = fit
        if count == 1 and not self._keys:
            return
        self._whole.forget()
        free = LimitSettings()
        self._keys = [Place(number, AdaptiveRateLimiter(free)) for number in range(count)]
        if count == 1:
            self._keys = []
        # A request under no key in particular teaches nobody: it is sent to find out.
        self._only = Place(None, AdaptiveRateLimiter(free) if self._keys else self._whole)

    # --- what is known --------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Requests under way, under whatever key."""
        return self._whole.in_flight

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited at all."""
        return self._whole.counts_tokens

    @property
    def limit(self) -> int | None:
        """Requests a minute: configured, or what the keys were told in sum; None while unknown."""
        return self._known([self._whole.limit], [place.limiter.limit for place in self._keys])

    def remaining(self, now: float) -> int | None:
        """Requests left in this minute, of the keys together; None while unknown."""
        keys = [place.limiter.remaining(now) for place in self._keys]
        return self._known([self._whole.remaining(now)], keys)

    def _known(self, whole: list[int | None], keys: list[int | None]) -> int | None:
        for figures in (whole, keys):
            known = [figure for figure in figures if figure is not None]
            if known:
                return sum(known)
        return None

    # --- requests ---------------------------------------------------------------------------

    def wait(self, now: float, tokens: int) -> Wait:
        """Return when a request of about `tokens` may go under the first key that is free."""
        wait = self._whole.wait(now, tokens)
        if not self._keys or wait.seconds > 0:
            return wait
        return self._first(now, tokens).limiter.wait(now, tokens)

    def began(self, now: float, tokens: int) -> Place:
        """A request is sent, under the key that is returned."""
        self._whole.began(now, tokens)
        if not self._keys:
            return self._only
        place = self._first(now, tokens)
        place.limiter.began(now, tokens)
        if place.key is not None:
            self._turn = place.key + 1
        return place

    def ended(self, place: Place) -> None:
        """A request is over, however it ended."""
        self._whole.ended()
        if place.limiter is not self._whole:
            place.limiter.ended()

    def used(self, now: float, beyond_estimate: int) -> None:
        """The answer cost so many tokens more (or, negative, fewer) than was estimated."""
        self._whole.used(now, beyond_estimate)

    def _first(self, now: float, tokens: int) -> Place:
        """The key whose turn it is, of those that are free now; else the one that is free first."""
        fit = [self._keys[number] for number in self._fit() if number < len(self._keys)]
        if not fit:
            return self._only
        many, turn = len(self._keys), self._turn
        fit.sort(key=lambda place: ((place.key or 0) - turn) % many)
        return min(fit, key=lambda place: place.limiter.wait(now, tokens).seconds)
