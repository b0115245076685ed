"""A document is found by its URI as the client writes it, percent-encoded or not."""

from pathlib import Path

import pytest

from tests.inline.conftest import Asked
from tests.inline.typist import Typist


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "uri",
    [
        "file:///w/my%20project/app.py",
        "file:///w/caf%C3%A9/app.py",
        "file:///w/café/app.py",
        "file:///c%3A/w/app.py",
        "file:///w/a%2520b/app.py",
    ],
)
async def test_a_path_that_is_not_plain_is_completed_as_well(
    uri: str, asked: Asked, tmp_path: Path
) -> None:
    async with Typist(tmp_path) as typist:
        typist.open("x = |", uri=uri)
        typist.type("f(")
        assert await typist.shown() == "done"
