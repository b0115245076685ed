"""What a request may leave behind: nothing. Looks into the sidecar in memory, where it can."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from providers.http.exchange import LINGER
from providers.policy import retry
from tests.sidecar.harness import Editor


@contextmanager
def quick_retries(seconds: float) -> Iterator[None]:
    """Make the first wait before a retry this short; the next ones grow from it as ever."""
    former = retry.FIRST_WAIT
    retry.FIRST_WAIT = seconds
    try:
        yield
    finally:
        retry.FIRST_WAIT = former


async def left_in(client: object) -> list[str]:
    """Name what is left of the requests of an editor in memory: sockets, places, queue entries."""
    if not isinstance(client, Editor):
        return []
    until = asyncio.get_running_loop().time() + LINGER * 2
    while (left := _left(client)) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.01)
    return left


def _left(editor: Editor) -> list[str]:
    assert editor.session is not None
    manager: Any = editor.session.manager
    left: list[str] = []
    for name, record in manager._desk.records.items():
        if record.gate.length or record.gate.limiter.in_flight:
            left.append(f"{name}: {record.gate.length} queued, {record.gate.limiter.in_flight} in")
        if record.breaker._probing:
            left.append(f"{name}: a probe that never ended")
    client = manager._context.client_if_used
    for key, origin in client._transport._origins.items() if client is not None else ():
        used = set(origin._all) - set(origin._idle)
        if used or origin._waiters or origin._places != len(origin._idle):
            left.append(f"{key}: {len(used)} in use, {origin._places} places")
    return left


def books_differ(client: object, booked: dict[str, Any]) -> list[str]:
    """Say where the session's spending is not the sum of what `ai/metrics` tells."""
    if not isinstance(client, Editor):
        return []
    assert client.session is not None
    manager: Any = client.session.manager
    spent = manager._desk.spending._session
    told = sum(row["costUsd"] for row in booked.values())
    return [] if abs(spent - told) < 1e-12 else [f"spent {spent}, but told {told}"]


def left_tasks(before: "set[asyncio.Task[Any]]") -> list[str]:
    """Name the tasks that are there now and were not before."""
    new = asyncio.all_tasks() - before - {asyncio.current_task()}
    return [repr(task) for task in new if not task.done()]
