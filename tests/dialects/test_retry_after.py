"""Every form in which services say how long to wait."""

from typing import Any

import pytest

from providers.dialects.retry_after import retry_after, seconds

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def after(headers: dict[str, str], body: Any = None, message: str = "") -> float | None:
    return retry_after(headers, body, message, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("6ms", 0.006),
        ("1m2.5s", 62.5),
        ("2h0m0s", 7200.0),
        ("35s", 35.0),
        ("1 minute", 60.0),
        ("20 milliseconds", 0.02),
        ("1d", 86400.0),
        ("", None),
        ("soon", None),
        ("12:30", None),
        ("7 apples", None),
    ],
)
def test_durations(text: str, value: float | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "nonsense"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        (
            {
                "retry-after": "Wed, 15 Nov 2023 00:00:05 GMT",
                "date": "Wed, 15 Nov 2023 00:00:00 GMT",
            },
            5.0,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2.5s"}, 62.5),
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "3s",
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-requests": "10m",
            },
            3.0,
        ),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "10m"}, None),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:30Z",
            },
            10.0,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000012000"}, 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000012"}, 12.0),
        ({"ratelimit-reset": "4"}, 4.0),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], value: float | None) -> None:
    assert after(headers) == value


def test_retry_info_of_google() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    body = {"error": {"details": [{"@type": "other"}, info]}}
    assert after({}, body) == 34.4
    assert after({}, [body]) == 34.4
    info["retryDelay"] = {"seconds": 3, "nanos": 500_000_000}  # type: ignore[assignment]
    assert after({}, body) == 3.5


def test_headers_that_openrouter_passes_on() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000060000"}
    assert after({}, {"error": {"metadata": {"headers": headers}}}) == 60.0


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("Limit 30000, Used 29000. Please try again in 2s. Visit x.", 2.0),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 20ms.", 0.02),
        ("please retry after 5 seconds", 5.0),
        ("Please retry in 34.4s.", 34.4),
        ("try again later", None),
        ("wait a moment and try again.", None),
        ("retry 3 times", None),
    ],
)
def test_wording(message: str, value: float | None) -> None:
    assert after({}, None, message) == value
