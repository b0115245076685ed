"""What an answer's headers say is left of the rate limits, in each service's spelling.

Sources: the rate limit pages of OpenAI, Groq, Azure OpenAI and xAI (`x-ratelimit-…-requests`,
resets as durations like `1m2.5s`), of Anthropic (`anthropic-ratelimit-requests-…`, resets as times
of day), of OpenRouter and others (`x-ratelimit-remaining`, a point in time).
"""

from collections.abc import Mapping
from typing import NamedTuple

from providers.dialects.retry_after import Clock, number_of, until, wall_clock


class Allowance(NamedTuple):
    """What a service says is left of a minute's allowance; `reset` in seconds from now."""

    limit: int | None
    remaining: int | None
    reset: float | None


_REQUESTS = (
    ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    (
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)
_TOKENS = (
    ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
)


def read_allowances(
    headers: Mapping[str, str], *, clock: Clock = wall_clock
) -> tuple[Allowance | None, Allowance | None]:
    """Return what is left of requests and of tokens; None where nothing is said.

    `headers` have lower-case names.
    """
    return _read(_REQUESTS, headers, clock), _read(_TOKENS, headers, clock)


def _read(
    spellings: tuple[tuple[str, str, str], ...], headers: Mapping[str, str], clock: Clock
) -> Allowance | None:
    for limit, remaining, reset in spellings:
        if remaining in headers:
            left, of = number_of(headers[remaining]), number_of(headers.get(limit))
            when = headers.get(reset)
            return Allowance(
                None if of is None else int(of),
                None if left is None else int(left),
                until(when, headers, clock) if when else None,
            )
    return None
