"""The recorded answers of the real services are read as they were meant, however they are cut."""

from collections import Counter
from pathlib import Path

import pytest

from tests.corpus.formats import FORMATS, Row
from tests.corpus.known import KNOWN, reason_of
from tests.corpus.replay import body_of, differences, replay, rows
from tests.corpus.whole import WAYS, Served, unusual_answers

SHARE = {"stream": 0.99, "unary": 0.98, "error": 0.98}
BYTE_BY_BYTE_LIMIT = (
    6000  # bytes; larger bodies are cut at random places only, for the time it takes
)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[Row]:
    found = rows(shared)
    assert found
    return found


def test_as_recorded(recorded: list[Row], shared: Path) -> None:
    unknown: list[str] = []
    used: set[str] = set()
    total: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row in recorded:
        total[row["kind"]] += 1
        found = differences(row, replay(row, body_of(row, shared)))
        if found:
            wrong[row["kind"]] += 1
            used |= {start for start in KNOWN if row["id"].startswith(start)}
            if reason_of(row) is None:
                unknown.append(f"{row['wire_format']} {row['id']}: {'; '.join(found)}")
    assert not unknown, "\n".join(unknown)
    assert used == set(KNOWN), "a reason that is no longer needed is taken off the list"
    for kind, count in total.items():
        assert 1 - wrong[kind] / count >= SHARE[kind], f"{wrong[kind]} of {count} {kind}"


@pytest.mark.parametrize("wire_format", [name for name in FORMATS if not name.startswith("errors")])
def test_cuts_make_no_difference(wire_format: str, recorded: list[Row], shared: Path) -> None:
    for row in recorded:
        if row["wire_format"] != wire_format or row["kind"] != "stream":
            continue
        body = body_of(row, shared)
        whole = replay(row, body)
        ways = ["random"] if len(body) > BYTE_BY_BYTE_LIMIT else ["random", "bytes"]
        for way in ways:
            cut = replay(row, body, way)
            assert cut.tokens == whole.tokens, (row["id"], way)
            assert str(cut.error) == str(whole.error), (row["id"], way)


EVERY = 30
"""Of so many recorded answers the default run takes one through the whole provider."""


async def through_whole_providers(shared: Path, recorded: list[Row]) -> list[str]:
    """Return what differs and is not known, each answer in each way."""
    served = await Served.start()
    unmeant: list[str] = []
    try:
        for row in recorded:
            body = body_of(row, shared)
            for way in WAYS if len(body) <= BYTE_BY_BYTE_LIMIT else WAYS[:-1]:
                found = differences(row, await served.replay(row, body, way))
                if found and reason_of(row) is None:
                    unmeant.append(f"{row['wire_format']} {row['id']} {way}: {'; '.join(found)}")
    finally:
        await served.aclose()
    return unmeant


def some_of(recorded: list[Row]) -> list[Row]:
    some: list[Row] = []
    for wire_format in FORMATS:
        some += [row for row in recorded if row["wire_format"] == wire_format][::EVERY]
    return some


@pytest.mark.asyncio
async def test_some_through_whole_providers(recorded: list[Row], shared: Path) -> None:
    assert not await through_whole_providers(shared, some_of(recorded))


@pytest.mark.slow
@pytest.mark.asyncio
async def test_http_brings_the_same_in_many_ways(recorded: list[Row], shared: Path) -> None:
    served = await Served.start()
    try:
        for row in some_of(recorded):
            if reason_of(row) is not None:
                continue
            for name, steps in unusual_answers(row, body_of(row, shared)):
                found = differences(row, await served.answered(row, steps))
                assert not found, (row["id"], name)
    finally:
        await served.aclose()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_all_through_whole_providers(recorded: list[Row], shared: Path) -> None:
    assert not await through_whole_providers(shared, recorded)
