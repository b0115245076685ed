"""The time that a request has, for what is done before it is sent. Knows no request."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from providers.errors import TimedOut

T = TypeVar("T")


def remaining(deadline: float | None, most: float) -> float:
    """Return the seconds until `deadline` (loop time), at most `most`."""
    if deadline is None:
        return most
    return max(0.0, min(most, deadline - asyncio.get_running_loop().time()))


async def within(deadline: float | None, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, until `deadline` (loop time) at most. Raises `TimedOut`."""
    if deadline is None:
        return await work
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        raise TimedOut(
            "the request's time was over before it could be sent", phase="total"
        ) from error
