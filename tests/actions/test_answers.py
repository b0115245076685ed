"""From what a model said to the document that comes of it, by golden files.

`golden/WHAT/NAME.txt` has three parts, each under a line `=== NAME`: `document` (the selection
stands between `⟦` and `⟧`; a language, and an action other than a rewrite, follow the name),
`answer`, and `result`, or `refused` with words of the error. Lines end with `\\n`; a part's last
line break is not part of it, and `␠` stands for a space that an editor would strip from a file.
"""

import contextlib
import re
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.actions import plans
from sidecar.actions.answer import Unusable
from sidecar.actions.menu import ACTIONS
from sidecar.actions.plans import Plan, Problem, Scene
from sidecar.actions.region import Edit, edit, plain, selected

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))


class Case(NamedTuple):
    plan: Plan
    source: str
    answer: str
    result: str
    refused: str


def read(path: Path, line_end: str = "\n") -> Case:
    text = path.read_text("utf-8").replace("␠", " ")
    part = re.compile(r"^=== (\w+)[^\n]*\n(.*?)\n?(?=^=== |\Z)", re.DOTALL | re.MULTILINE)
    parts = dict(part.findall(text))
    found = re.match(r"=== document (\w+)(?: (\w+))?", text)
    assert found is not None, path
    document = parts["document"].replace("\n", line_end)
    before, _, rest = document.partition("⟦")
    marked, _, behind = rest.partition("⟧")
    source, start, end = before + marked + behind, len(before), len(before + marked)
    result = parts.get("result", "").replace("\n", line_end if line_end in source else "\n")
    plan = planned(source, start, end, found[1], found[2])
    return Case(plan, source, parts["answer"], result, parts.get("refused", ""))


def planned(source: str, start: int, end: int, language: str, action: str | None) -> Plan:
    if action is None:
        return plans.by_instruction(selected(source, start, end), language, "do it")
    problem = Problem(start, end, "wrong") if action == "fix" else None
    plan = ACTIONS[action].plan(Scene(source, language, "f", start, end, problem))
    assert plan is not None
    return plan


def after(source: str, made: plans.Made) -> str:
    if made is None:
        return source
    assert isinstance(made, Edit)
    return source[: made.start] + made.text + source[made.end :]


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=name)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["unix", "dos"])
def test_golden(path: Path, line_end: str) -> None:
    case = read(path, line_end)
    if case.refused:
        with pytest.raises(Unusable) as refused:
            case.plan.read(case.answer)
        assert case.refused in str(refused.value)
    else:
        assert after(case.source, case.plan.read(case.answer)) == case.result


@pytest.mark.parametrize("path", CASES, ids=name)
def test_the_answers_own_line_ends_do_not_matter(path: Path) -> None:
    case = read(path)
    if not case.refused:
        made = case.plan.read(case.answer.replace("\n", "\r\n"))
        assert after(case.source, made) == case.result


# --- laws -------------------------------------------------------------------------------------

LINES = st.lists(st.sampled_from(["a", "  b", "\tc", "", "é😀"]), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n"])


@given(LINES, LINES, ENDS, st.booleans(), st.data())
def test_an_edit_puts_the_text_there_and_touches_nothing_else(
    lines: list[str], new: list[str], line_end: str, ended: bool, data: st.DataObject
) -> None:
    source = line_end.join(lines) + (line_end if ended else "")
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    region = selected(source, start, end)
    text = "\n".join(new)
    made = edit(region, text)
    result = after(source, made)
    expected = source[: region.start] + text.replace("\n", line_end) + source[region.end :]
    if text or not region.whole or region.start == region.end:
        assert plain(result) == plain(expected)
        assert line_end not in source or line_end == "\n" or "\n" not in result.replace("\r\n", "")
    else:
        assert len(plain(result).split("\n")) == max(
            1, len(plain(source).split("\n")) - len(region.text.split("\n"))
        )
    if made is not None:
        assert region.start - 2 <= made.start <= made.end <= region.end + 2


@given(LINES, ENDS, st.data())
def test_a_selection_means_at_most_white_space_more(
    lines: list[str], line_end: str, data: st.DataObject
) -> None:
    source = line_end.join(lines)
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    region = selected(source, start, end)
    if source[start:end].strip():
        assert region.text.strip() == plain(source[start:end]).strip()
    assert 0 <= region.start <= region.end <= len(source)


TEXT = st.text(st.sampled_from("ab(){}`~ \t\n#/\"'.<>|"), max_size=80)


@given(TEXT, TEXT, TEXT, st.sampled_from(["python", "c", "markdown", "html", ""]))
def test_any_answer_is_read_or_refused(
    before: str, marked: str, answer: str, language: str
) -> None:
    source = before + marked + "\nend"
    for action in ACTIONS.values():
        problem = Problem(len(before), len(before + marked), "wrong")
        scene = Scene(source, language, "f", len(before), len(before + marked), problem)
        plan = action.plan(scene)
        if plan is None:
            continue
        try:
            made = plan.read(answer)
        except Unusable:
            continue
        result = after(source, made)
        assert result.startswith(source[: max(0, plan.region.start - 1)])


@pytest.mark.parametrize(
    "seed", ["ab", "x = 1\n", "(", "a b ", "`", "# a\n", "```\n", '"""', "f(a, "]
)
def test_long_texts_take_no_time(seed: str) -> None:
    """Listing and reading happen in the loop: neither may be slower than linear, by much."""
    source = seed * 3000
    began = time.perf_counter()
    for action in ACTIONS.values():
        problem = Problem(1000, 1001, "wrong")
        for end in (1000, 2500):
            plan = action.plan(Scene(source, "python", "f", 1000, end, problem))
            if plan is not None:
                with contextlib.suppress(Unusable):
                    plan.read(seed * 2000)
    assert time.perf_counter() - began < 1.0
