"""When a failed request is tried again, when elsewhere, and how long to wait before.

Pure: the caller says what failed, how often, and how much it has waited; chance is an argument.
Which errors may succeed later is decided where they are made (`ProviderError.retryable`).
"""

from collections.abc import Callable

from providers.errors import (
    BudgetExceeded,
    ConnectFailed,
    ContentFiltered,
    ContextLength,
    CoolingDown,
    ErrorKind,
    ProviderError,
    RefusedLocally,
    TimedOut,
)
from providers.settings import RetrySettings

# The first wait and the largest one, in seconds, as the official SDKs of OpenAI and Anthropic have
# them; the jitter takes away up to a quarter, so that many clients do not come back at once.
FIRST_WAIT = 0.5
LARGEST_WAIT = 8.0
JITTER = 0.25

FAILOVER_RETRY_WAIT = 0.5
"""With a further candidate left, one retry is made first, and only if its wait fits this (s)."""

_FAILS_OVER: frozenset[ErrorKind] = frozenset(
    {
        "network",
        "timeout",
        "rateLimit",
        "overloaded",
        "server",
        "quota",
        "authentication",
        "permission",
        "modelNotFound",
        "notConfigured",
        "circuitOpen",
        "malformedStream",
        "truncatedStream",
    }
)


class RetryPolicy:
    """The rules of one request over all its candidates; it adds up the waits.

    `attempts` counts per candidate, the first try included. `random` gives numbers in [0, 1).
    """

    def __init__(self, settings: RetrySettings, random: Callable[[], float]) -> None:
        self._attempts = settings.attempts
        self._budget = settings.max_wait_ms / 1000
        self._random = random
        self._waited = 0.0

    def wait_before_retry(
        self, error: ProviderError, attempt: int, *, more_candidates: bool
    ) -> float | None:
        """Return the seconds to wait before the next try on the same candidate, None for no try.

        `attempt` counts the failed tries on this candidate, from 1. A `retry_after` is waited for
        exactly, or not at all when it does not fit what is left of the waiting budget. A pause that
        was asked for earlier is waited out only where nobody else can be asked.
        """
        if not may_retry(error) or attempt >= self._attempts:
            return None
        if more_candidates and (attempt > 1 or isinstance(error, CoolingDown)):
            return None
        wait = error.retry_after if error.retry_after is not None else self._backoff(attempt)
        if more_candidates and wait > FAILOVER_RETRY_WAIT:
            return None
        if self._waited + wait > self._budget:
            return None
        return wait

    def waited(self, seconds: float) -> None:
        """Take a wait off the budget of this request."""
        self._waited += seconds

    def _backoff(self, attempt: int) -> float:
        wait = min(FIRST_WAIT * 2.0 ** (attempt - 1), LARGEST_WAIT)
        return wait * (1.0 - JITTER * self._random())


def may_retry(error: ProviderError) -> bool:
    """Say whether the same request may be sent there again (docs/protocol.md, "Errors")."""
    if isinstance(error, RefusedLocally):
        return isinstance(error, CoolingDown)
    if isinstance(error, ConnectFailed):
        return error.at_once
    if isinstance(error, TimedOut):
        return error.phase in ("firstByte", "idle")
    return error.retryable


def may_fail_over(error: ProviderError, *, larger_window: bool, free_left: bool = False) -> bool:
    """Say whether another candidate may be asked after `error`.

    `larger_window`: the next candidate is known to take more context than the one that failed.
    `free_left`: a candidate that is left is known to cost nothing; a budget that is used up forbids
    all others. The caller's own mistakes would fail everywhere: they stay where they are.
    """
    if isinstance(error, ContextLength):
        return larger_window
    if isinstance(error, BudgetExceeded):
        return free_left
    if isinstance(error, ContentFiltered):
        return False
    if isinstance(error, TimedOut) and error.phase == "total":
        return False
    return error.kind in _FAILS_OVER
