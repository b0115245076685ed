"""How long a service asks to wait, from every place in which services say so.

Pure: the wall clock is an argument. Answers are in seconds, never negative; None where nothing was
said. Sources: RFC 9110 section 10.2.3 (Retry-After), the rate limit pages of OpenAI, Anthropic,
Groq, Azure OpenAI and OpenRouter, google.rpc.RetryInfo.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import cast

Clock = Callable[[], float]
"""Seconds since 1970."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Whoever sends the text chooses it: possessive, so that a long run of spaces takes one step each.
_ONE = r"\d++(?:\.\d++)?\s*+(?:milliseconds?|seconds?|minutes?|hours?|ms|min|s|m|h)\b\s*+"
_COMPACT = r"(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?s\b"
_TRY_AGAIN = re.compile(
    rf"(?:try again|retry|wait)\s++(?:in|after|for)?\s*+({_COMPACT}|(?:{_ONE})+)", re.IGNORECASE
)
_EPOCH = 1_000_000_000.0  # a "reset" above it is a point in time, not a duration
_EPOCH_MS = 1_000_000_000_000.0
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def wall_clock() -> float:
    """Return the time of day in seconds since 1970."""
    return datetime.now(UTC).timestamp()


def seconds(text: str) -> float | None:
    """Return a duration such as `7`, `1m2.5s`, `6ms`, `35s`, `2h0m0s`; None if it is none."""
    text = text.strip().lower()
    total, end = 0.0, 0
    for match in _DURATION.finditer(text):
        unit = match.group(2)
        thousandth = unit == "ms" or unit.startswith("milli")
        scale = 0.001 if thousandth else _UNITS.get(unit[:1])
        if scale is None or text[end : match.start()].strip():
            return None
        total += float(match.group(1)) * scale
        end = match.end()
    whole = end and not text[end:].strip()
    return total if whole and total < _EPOCH else None  # so many digits are no duration


def retry_after(
    headers: Mapping[str, str], body: object = None, message: str = "", *, clock: Clock = wall_clock
) -> float | None:
    """Return the seconds to wait that an error answer asks for.

    `headers` have lower-case names, `body` is the parsed JSON, `message` the service's text. The
    most exact source wins; a point in time is taken relative to the answer's own `Date`, and to
    `clock` only where it has none.
    """
    for found in (
        _header(headers, clock),
        _retry_info(body),
        _reset(headers, clock),
        _reset(_nested_headers(body), clock),
        _worded(message),
    ):
        if found is not None:
            return max(found, 0.0)
    return None


def _header(headers: Mapping[str, str], clock: Clock) -> float | None:
    milliseconds = number_of(headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if not text:
        return None
    number = number_of(text)
    if number is not None:
        return number
    at = _date(text)
    return seconds(text) if at is None else at - _now(headers, clock)


def _reset(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return when the limits are restored that are used up; all of them, so the longest wait."""
    waits: list[float] = []
    for limit in _LIMITS:
        for remaining, reset in (
            (f"x-ratelimit-remaining-{limit}", f"x-ratelimit-reset-{limit}"),
            (f"anthropic-ratelimit-{limit}-remaining", f"anthropic-ratelimit-{limit}-reset"),
        ):
            if number_of(headers.get(remaining)) == 0 and (text := headers.get(reset)):
                wait = until(text, headers, clock)
                if wait is not None:
                    waits.append(wait)
    if not waits:
        for remaining, reset in (
            ("x-ratelimit-remaining", "x-ratelimit-reset"),
            ("ratelimit-remaining", "ratelimit-reset"),
        ):
            text = headers.get(reset)
            if text and number_of(headers.get(remaining) or "0") == 0:
                wait = until(text, headers, clock)
                if wait is not None:
                    waits.append(wait)
    return max(waits, default=None)


def until(text: str, headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return the seconds until a reset given as a duration, a point in time or a date."""
    number = number_of(text)
    if number is not None and number >= _EPOCH:
        at = number / 1000 if number >= _EPOCH_MS else number
        return at - _now(headers, clock)
    duration = seconds(text)
    if duration is not None:
        return duration
    at = _date(text)
    return None if at is None else at - _now(headers, clock)


def _retry_info(body: object) -> float | None:
    """Return `retryDelay` of a google.rpc.RetryInfo."""
    details = _get(_get(_first(body), "error"), "details")
    if not isinstance(details, list):
        return None
    for detail in cast("list[object]", details):
        delay = _get(detail, "retryDelay")
        if isinstance(delay, str):
            return seconds(delay)
        whole, nanos = _get(delay, "seconds"), _get(delay, "nanos")
        if whole or nanos:
            return (number_of(str(whole or 0)) or 0.0) + (number_of(str(nanos or 0)) or 0.0) / 1e9
    return None


def _nested_headers(body: object) -> Mapping[str, str]:
    """Return `error.metadata.headers`: the upstream's own, as OpenRouter passes them on."""
    nested = _get(_get(_get(_first(body), "error"), "metadata"), "headers")
    if not isinstance(nested, dict):
        return {}
    items = cast("dict[str, object]", nested).items()
    return {name.lower(): str(value) for name, value in items}


def _worded(message: str) -> float | None:
    match = _TRY_AGAIN.search(message)
    return seconds(match.group(1)) if match else None


def _now(headers: Mapping[str, str], clock: Clock) -> float:
    date = headers.get("date")
    at = _date(date) if date else None
    return clock() if at is None else at


def _date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # a third of a megabyte for a rare form

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def number_of(text: str | None) -> float | None:
    """Return a header's value as a number, None if it is none."""
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= abs(number) < 1e15 else None


def _first(value: object) -> object:
    if isinstance(value, list):
        items = cast("list[object]", value)
        return items[0] if items else None
    return value


def _get(value: object, name: str) -> object:
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
