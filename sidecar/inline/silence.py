"""For how long nobody is asked after a failure. Pure: the time is an argument.

A failure while typing is logged once, and told by `ai/health`; the user is told of it, once, where
it lasts until somebody does something, and each time where he asked for a completion himself.
Asking again at every keystroke would make a rate limit last, and nothing that lacks a key gets one
by that.
"""

from providers.errors import ErrorKind, ProviderError

SHORT = 3.0
LONG = 60.0
MOST = 300.0

_NEEDS_A_PERSON: frozenset[ErrorKind] = frozenset(
    {
        "authentication",
        "permission",
        "quota",
        "modelNotFound",
        "providerNotFound",
        "notConfigured",
        "invalidRequest",
        "budgetExceeded",
    }
)
_NEEDS_TIME: frozenset[ErrorKind] = frozenset({"rateLimit", "overloaded", "circuitOpen"})
_PASSING: frozenset[ErrorKind] = frozenset({"contentFilter", "contextLength"})
"""They say something about one text, not about the service."""


TOLD = _NEEDS_A_PERSON - {"invalidRequest"}
"""What a user is told: nothing will be completed before a key, a name or an amount is another."""


class Silence:
    """Of one configuration; a new one begins anew."""

    def __init__(self) -> None:
        self._until = 0.0
        self._failures = 0
        self._said: set[tuple[str | None, ErrorKind]] = set()

    def holds(self, now: float) -> bool:
        """Say whether to stay silent."""
        return now < self._until

    def failed(self, error: ProviderError, now: float) -> bool:
        """Be silent from `now` on for as long as `error` asks. Return whether it is news."""
        self._until = now + self._seconds(error)
        key = (error.provider, error.kind)
        news = key not in self._said
        self._said.add(key)
        return news

    def answered(self) -> None:
        """The service answers: what fails later is news again."""
        self._until, self._failures = 0.0, 0
        self._said.clear()

    def _seconds(self, error: ProviderError) -> float:
        if error.kind in _PASSING:
            return 0.0
        self._failures += 1
        if error.kind in _NEEDS_A_PERSON:
            return LONG
        growing = SHORT * 2 ** min(self._failures - 1, 6)
        if error.kind in _NEEDS_TIME:
            growing = max(growing, error.retry_after or 0.0, 2 * SHORT)
        return min(MOST, growing)
