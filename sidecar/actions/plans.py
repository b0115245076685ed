"""The actions themselves: where each is possible, what a model is asked, what its answer makes.

One function per action, from a `Scene` to a `Plan` or None where the action makes no sense. Pure:
the same function says what is listed and, for the same text, what is resolved.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sidecar.actions import answer, comments
from sidecar.actions.answer import Unusable
from sidecar.actions.beside import INSIDE, holds_tests
from sidecar.actions.blocks import definition_at, fix_region
from sidecar.actions.checks import code_only, require_no_gap, require_whole, without_head
from sidecar.actions.indent import fitted, indent_of
from sidecar.actions.prompt import Question
from sidecar.actions.region import (
    Edit,
    Region,
    edit,
    eol,
    line_end,
    line_start,
    lines_around,
    plain,
    selected,
)

LONGEST_INSTRUCTION = 10
"""Comment lines at a selection's head that are taken for an instruction."""


class Problem(msgspec.Struct, frozen=True):
    """A diagnostic; `start` and `end` are offsets."""

    start: int
    end: int
    message: str
    severity: str = "error"
    source: str = ""
    code: str = ""


class Beside(msgspec.Struct, frozen=True):
    """The file for tests of this one. `text` is what it holds, None if it is not there yet."""

    name: str
    text: str | None = None


class Scene(msgspec.Struct, frozen=True):
    """A document and what is selected in it, as offsets. `tests`: where these may go."""

    source: str
    language: str
    name: str
    start: int
    end: int
    problem: Problem | None = None
    tests: Beside | None = None

    @property
    def is_selection(self) -> bool:
        return bool(self.source[self.start : self.end].strip())


class InTests(NamedTuple):
    """An edit of the file beside; `text` is appended to it, or is the whole of a new one."""

    text: str


Made = Edit | InTests | None
"""What an answer comes to; None: nothing is to be changed."""


class Plan(NamedTuple):
    """`read` takes the model's answer; it raises `Unusable`."""

    region: Region
    question: Question
    read: Callable[[str], Made]
    title: str = ""


# --- one per action ------------------------------------------------------------------------------


def fix(scene: Scene) -> Plan | None:
    """Remove the cause of a diagnostic."""
    problem = scene.problem
    if problem is None:
        return None
    region = fix_region(scene.source, problem.start, problem.end)
    line = scene.source.count("\n", 0, problem.start) + 1
    about = " ".join(filter(None, (problem.source, problem.code)))
    at = (
        scene.source[problem.start : problem.end]
        or scene.source[
            line_start(scene.source, problem.start) : line_end(scene.source, problem.start)
        ]
    )
    first = line - scene.source.count("\n", 0, region.start)
    task = (
        f"Remove the cause of this {problem.severity}, and change nothing else.\n"
        f"Message{f' of {about}' if about else ''}: {problem.message.strip()}\n"
        f"Where: line {first} of that part, at “{plain(at).strip()[:200]}”"
    )

    def read(said: str) -> Made:
        text = answer.code(said, region, scene.language)
        require_whole(text, region)
        return edit(region, text)

    return Plan(region, Question("replacement", task), read, _shortened(problem.message))


def document(scene: Scene) -> Plan | None:
    """Add documentation to the selection, or to the definition around the cursor."""
    if not comments.can_comment(scene.language):
        return None
    region = _target(scene)
    if region is None or not region.whole or not region.text.strip():
        return None
    task = (
        "Document that part as is the custom in this language: what is there to be used gets a "
        "documentation comment (a docstring where the language has them), where it belongs."
    )

    def read(said: str) -> Made:
        text = answer.code(said, region, scene.language)
        if code_only(text, scene.language) != code_only(region.text, scene.language):
            raise Unusable("the model changed code where it should only document it")
        return edit(region, text)

    return Plan(region, Question("comments", task), read)


def explain(scene: Scene) -> Plan | None:
    """Write an explanation above the selection, the definition or the line, as a comment."""
    if not comments.can_comment(scene.language):
        return None
    region = _target(scene) or lines_around(scene.source, scene.start, scene.end)
    if not region.text.strip():
        return None
    at = line_start(scene.source, region.start)
    indent = indent_of(scene.source[at : line_end(scene.source, at)])

    def read(said: str) -> Made:
        text = comments.written(answer.prose(said), scene.language, indent)
        return Edit(at, at, (text + "\n").replace("\n", eol(scene.source)))

    return Plan(region, Question("explanation", "Explain that part."), read)


def complete(scene: Scene) -> Plan | None:
    """Write the code that the comment at the cursor, or right above its empty line, asks for."""
    comment, empty_line = _comment_at(scene)
    if comment is None:
        return None
    wish = comments.said_in(comment.text.split("\n"))
    if len(wish) < 3:
        return None
    task = f"Write the code that this comment asks for:\n{wish}"
    indent = indent_of(comment.text)

    def read(said: str) -> Made:
        text = answer.lines(said, scene.language)
        text = without_head(text, comment.text.split("\n"))
        if not text.strip():
            raise Unusable("the model answered with no code")
        text = fitted(text, indent, scene.source).replace("\n", eol(scene.source))
        if empty_line is not None:
            return Edit(empty_line.start, empty_line.end, text)
        return Edit(comment.end, comment.end, eol(scene.source) + text)

    return Plan(comment, Question("insertion", task), read)


def rewrite(scene: Scene) -> Plan | None:
    """Rewrite the selection as the comment at its head says; the comment goes."""
    if not scene.is_selection:
        return None
    region = selected(scene.source, scene.start, scene.end)
    lines = region.text.split("\n")
    told = [line for line in lines if line.strip()]
    head: list[str] = []
    while told and comments.is_comment(told[0], scene.language):
        head.append(told.pop(0))
    wish = comments.said_in(head)
    if not region.whole or not told or not wish or len(head) > LONGEST_INSTRUCTION:
        return None
    task = f"Do this to that part:\n{wish}\nThe comment that says so is not part of the answer."

    def read(said: str) -> Made:
        text = answer.code(said, region, scene.language)
        text = without_head(text, head)
        if not text.strip():
            raise Unusable("the model answered with no code")
        return edit(region, text)

    return Plan(region, Question("replacement", task), read, _shortened(wish))


def by_instruction(region: Region, language: str, instruction: str) -> Plan:
    """Return the plan of `aiSidecar.rewrite`: whatever is said, of whatever part."""
    task = f"Do this to that part:\n{instruction.strip()}"
    if not region.text.strip():
        task = f"Write what belongs between the marks:\n{instruction.strip()}"

    def read(said: str) -> Made:
        text = answer.code(said, region, language)
        require_no_gap(text, region)
        return edit(region, text)

    return Plan(region, Question("replacement", task), read)


def write_test(scene: Scene) -> Plan | None:
    """Write a test of the selection or the definition around the cursor, in the file beside."""
    inside = scene.language in INSIDE
    if scene.tests is None and not inside:
        return None
    if holds_tests(scene.name.rpartition("/")[2], scene.language):
        return None
    region = _target(scene)
    if region is None or not region.text.strip():
        return None
    there = scene.source if inside else scene.tests.text if scene.tests else None
    task, more = _test_task(scene, there, inside=inside)

    def read(said: str) -> Made:
        text = answer.lines(said, scene.language)
        require_no_gap(text, region)
        if not inside:
            return InTests(text)
        end = len(scene.source)
        return Edit(end, end, appended(scene.source, text))

    return Plan(region, Question("file", task, more), read)


def appended(there: str, text: str) -> str:
    """Return what to put at the end of `there`, so that `text` stands apart from it."""
    line = eol(there)
    if not there.strip():
        return text.replace("\n", line) + line
    gap = "" if there.endswith(("\n", "\r")) else line
    return gap + line + text.replace("\n", line) + line


# --- small pieces -----------------------------------------------------------------------------


def _target(scene: Scene) -> Region | None:
    """Return the selection, widened to whole lines; else the definition around the cursor."""
    if scene.is_selection:
        found = selected(scene.source, scene.start, scene.end)
        return found if found.whole else lines_around(scene.source, found.start, found.end)
    return definition_at(scene.source, scene.start)


def _test_task(
    scene: Scene, there: str | None, *, inside: bool
) -> tuple[str, tuple[tuple[str, str], ...]]:
    task = "Write tests of that part: what it is for, its borders, what goes wrong."
    if inside:
        return f"{task} Answer with a test module that goes to the end of this file.", ()
    name = scene.tests.name if scene.tests is not None else ""
    if there is None:
        return f"{task} They make the new file {name} beside this one: answer with the file.", ()
    shown = there if len(there) < 8000 else there[:4000] + "\n…\n" + there[-4000:]
    task += (
        f" They go to the end of {name}: answer with what is to be added, and nothing of it twice."
    )
    return task, ((name, plain(shown)),)


def _comment_at(scene: Scene) -> tuple[Region | None, Region | None]:
    """Return the comment's lines, and the empty line under them if the cursor is there."""
    source = scene.source
    here = lines_around(source, scene.start, scene.start)
    empty = None
    if not here.text.strip() and here.start > 0 and not scene.is_selection:
        empty, here = here, lines_around(source, here.start - 1, here.start - 1)
    if not comments.is_comment(here.text, scene.language):
        return None, None
    start, end = here.start, here.end
    while start > 0:
        above = lines_around(source, start - 1, start - 1)
        if not comments.is_comment(above.text, scene.language):
            break
        start = above.start
    while empty is None and end < len(source):
        below = lines_around(source, end + 1, end + 1)
        if below.end <= end or not comments.is_comment(below.text, scene.language):
            break
        end = below.end
    return Region(source, start, end), empty


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59].rstrip() + "…"
