"""Recorded answers, changed: what means the same is read the same, what does not ends in an error.

No change may end in anything else than tokens that obey the laws, or an error of a provider.
"""

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.formats import Row
from tests.corpus.known import reason_of
from tests.corpus.mutate import (
    SAME,
    Event,
    body_of,
    events_of,
    learn,
    spoiled,
    ways_of,
    with_nulls,
)
from tests.corpus.replay import Answer, broken_laws, json_or_text, replay, rows
from tests.corpus.replay import body_of as recorded_body

LARGEST = 40_000  # bytes of a body; a larger one has nothing that smaller ones have not
SPOILED = 8  # changes of each answer


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[tuple[Row, bytes, list[Event]]]:
    found: list[tuple[Row, bytes, list[Event]]] = []
    for row in rows(shared):
        body = recorded_body(row, shared)
        events = events_of(row, body) if len(body) < LARGEST and reason_of(row) is None else None
        if events:
            found.append((row, body, events))
    return found


def told(answer: Answer) -> list[Any]:
    """Return what an answer says, however its JSON was written."""
    calls = [(call["name"], json_or_text(call["arguments"])) for call in answer.tool_calls]
    usage = answer.usage.usage if answer.usage else None
    error = answer.error.kind if answer.error else None
    return [answer.text, answer.reasoning, answer.finish, calls, usage, error]


def changed(events: list[Event], change: Any) -> list[Event]:
    return [
        event
        if event.value is None
        else Event(event.name, event.raw, change(copy.deepcopy(event.value)))
        for event in events
    ]


def family(row: Row) -> str:
    return row["wire_format"].rpartition("-")[0] + row["kind"]


@pytest.mark.slow
def test_what_means_the_same_is_read_the_same(
    recorded: list[tuple[Row, bytes, list[Event]]],
) -> None:
    known: dict[str, dict[tuple[str, ...], set[str]]] = {}
    for row, _, events in recorded:
        for event in events:
            if event.value is not None:
                learn(known.setdefault(family(row), {}), event.value)
    different: list[str] = []
    for row, body, events in recorded:
        want = told(replay(row, body))
        bodies = {way: body_of(row, events, way) for way in ways_of(row)}
        for name, change in SAME.items():
            bodies[name] = body_of(row, changed(events, lambda v, c=change: c(v, random.Random(1))))
        fields = known[family(row)]
        bodies["nulls"] = body_of(row, changed(events, lambda v, f=fields: with_nulls(f, v)))
        different += [
            f"{row['wire_format']} {row['id']}: {name}"
            for name, body in bodies.items()
            if told(replay(row, body)) != want
        ]
    assert not different, "\n".join(different)


@pytest.mark.slow
def test_what_is_spoiled_breaks_no_law(recorded: list[tuple[Row, bytes, list[Event]]]) -> None:
    chance = random.Random(20261121)
    for row, _, events in recorded:
        places = [at for at, event in enumerate(events) if isinstance(event.value, dict | list)]
        for _ in range(SPOILED if places else 0):
            at = chance.choice(places)
            made = list(events)
            made[at] = changed([events[at]], lambda value: spoiled(value, chance))[0]
            answer = replay(row, body_of(row, made))  # raises what is no provider's error
            if row["kind"] != "error":
                assert not list(broken_laws(answer)), (row["id"], made[at].value)
