"""What a log at `info` says of requests: those that did not go straight to an answer.

One line for a request, when it is over: who failed how, who answered instead, what was waited. A
request that the first one answered at once leaves none. No text of a prompt or an answer is in it,
and of an error that a service described only what kind it is: the service may have quoted one.
"""

import logging

from providers.errors import Attempt, ProviderError, RefusedLocally, TransportError
from providers.types import Outcome

logger = logging.getLogger(__name__)

_LONGEST = 200
"""Characters of a message; a line is for reading."""

_OURS = (TransportError, RefusedLocally)
"""Errors whose words are our own or the system's."""


def answered(outcome: Outcome) -> None:
    """Note an answer that was not the first attempt's."""
    attempts = outcome.attempts
    if len(attempts) < 2 or not logger.isEnabledFor(logging.INFO):
        return
    total = outcome.timing.total_ms
    waited = total - sum(attempt.ms for attempt in attempts)
    logger.info(
        "%s answered at attempt %d, after %.0f ms (%.0f ms of them waiting): %s",
        _line(f"{outcome.provider}/{outcome.model}"),
        len(attempts),
        total,
        max(0.0, waited),
        _failures(attempts),
    )


def failed(error: ProviderError) -> None:
    """Note a request that nobody answered."""
    if not logger.isEnabledFor(logging.INFO):
        return
    where = _line(f"{error.provider}/{error.model}" if error.model else error.provider or "nobody")
    tried = f"; tried: {_failures(error.attempts)}" if len(error.attempts) > 1 else ""
    logger.info("not answered: %s %s%s", where, _what(error), tried)


def _failures(attempts: list[Attempt]) -> str:
    return ", ".join(
        f"{_line(f'{a.provider}/{a.model}')} {_what(a.error)} in {a.ms:.0f} ms"
        for a in attempts
        if a.error is not None
    )


def _what(error: ProviderError) -> str:
    """Return an error's kind with what is known of it."""
    facts: list[str] = []
    if error.status is not None:
        facts.append(str(error.status))
    if error.request_id:
        facts.append(f"request {_line(error.request_id)}")
    if error.retry_after is not None:
        facts.append(f"again in {error.retry_after:.1f} s")
    if isinstance(error, _OURS):
        facts.append(_line(error.message))
    return f"{error.kind} ({', '.join(facts)})" if facts else error.kind


def _line(text: str) -> str:
    """Return a text as part of one line: a name may have been given by anybody."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
