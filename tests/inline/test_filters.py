"""Every post-filter by its golden files: a document with a cursor, an answer, what is left of it.

`golden/FILTER/NAME.txt` has three parts, each under a line `=== NAME`: `document` (the cursor is at
`⎸`; a language may follow the name), `answer`, `shown`. Lines end with `\\n`; a part's last line
break is not part of it, and `␠` stands for a space that an editor would strip from a file.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.inline.context import Context
from sidecar.inline.filters import FILTERS, apply

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))


class Case(NamedTuple):
    context: Context
    answer: str
    shown: str


def read(path: Path) -> Case:
    text = path.read_text("utf-8").replace("␠", " ")
    part = re.compile(r"^=== (\w+)[^\n]*\n(.*?)\n?(?=^=== |\Z)", re.DOTALL | re.MULTILINE)
    parts = dict(part.findall(text))
    found = re.match(r"=== document (\S+)", text)
    before, cursor, behind = parts["document"].partition("⎸")
    assert cursor, f"{path} has no cursor"
    context = Context(before, behind, found[1] if found else "")
    return Case(context, parts["answer"], parts["shown"])


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=name)
def test_golden(path: Path) -> None:
    case = read(path)
    assert apply(case.answer, case.context) == case.shown


@pytest.mark.parametrize("path", CASES, ids=name)
def test_it_is_this_filter_that_does_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case called `keeps-…` is one where the filter must do nothing."""
    case = read(path)
    alone = FILTERS[path.parent.name](case.answer, case.context)
    if path.stem.startswith("keeps-"):
        assert alone == case.answer
        return
    monkeypatch.delitem(FILTERS, path.parent.name)
    assert apply(case.answer, case.context) != case.shown


def test_every_filter_has_cases() -> None:
    assert {path.parent.name for path in CASES} == set(FILTERS)


TEXT = st.text(st.sampled_from("ab(){}[]\"' \t\n`x;:"), max_size=60)


@given(TEXT, TEXT, TEXT)
def test_what_is_shown_is_made_of_the_answer(answer: str, prefix: str, suffix: str) -> None:
    """No filter invents anything but indentation, and none fails."""
    shown = apply(answer, Context(prefix, suffix))
    assert "".join(shown.split()) in "".join(answer.split())
    assert shown == "" or shown.strip()


@pytest.mark.parametrize("seed", ["ab", "x = 1\n", "(", "a b ", "`"])
def test_a_long_answer_takes_no_time(seed: str) -> None:
    """Filters run in the loop: none may be slower than linear, by much."""
    import time

    context = Context(seed * 300, seed * 300)
    began = time.perf_counter()
    apply(seed * 1000 + "z" + seed * 1000, context)
    assert time.perf_counter() - began < 0.25
