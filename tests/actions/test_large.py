"""Files that nobody wrote and answers that nobody wants: long runs of one character, huge lines.

Whatever they hold, the editor's other requests wait while we look at them: it may not take long.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position, PositionEncodingKind
from pygls.workspace import PositionCodec, ServerTextPosition

from sidecar.actions import answer, blocks, checks, comments, menu
from sidecar.actions.answer import Unusable
from sidecar.actions.plans import Scene
from sidecar.actions.region import Region
from sidecar.documents import Codec, lines_of
from sidecar.inline import filters
from sidecar.inline.context import Context
from tests.actions.conftest import Actor
from tests.inline.conftest import Asked

SIZE = 20_000
LONGEST = 0.4
"""Seconds of the processor: some times what it takes, a fraction of what a square of it would."""

REGION = Region("def f():\n    pass\n", 0, 17)
CONTEXTS = [
    Context("if x:\n    ", ""),
    Context("f(", ")\n)\n" * 400),
    Context("f(", ")" * 3000),
    Context("#\n" * 2000, "\n#" * 2000),
]


@contextmanager
def soon(seconds: float = LONGEST) -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


def run(head: str, unit: str, tail: str = "x") -> str:
    return head + unit * ((SIZE - len(head)) // len(unit)) + tail


FILES = [
    run("const a = ", "(", ";"),
    run("let ", "a", ";"),
    run("let x = (", ")", ";"),
    run("f (", ")", ";"),
    run("# rest ", " "),
    run("#", " "),
    run("// a", " "),
    run("/", "*"),
    run("#x", "*"),
    run("", "\n/*"),
    run("", "/* */ x\n"),
    run("", "# a\n"),
    run("", "#\n"),
    run("", "a b\n"),
    run("", "\t"),
]
ANSWERS = [
    *FILES,
    run("", "~"),
    run("", "~", "`"),
    run("", "```\n"),
    run("", "\n#"),
    run("(" * 3000, ")"),
    run("\"('", ")"),
    run("x\n", ")\n", ")"),
    run("", "here is "),
]


@pytest.mark.parametrize("source", FILES, ids=lambda text: repr(text[:12]))
def test_a_file_is_looked_at_in_time(source: str) -> None:
    for language in ("python", "javascript"):
        middle = len(source) // 2
        for start, end in ((middle, middle), (0, len(source))):
            with soon():
                menu.offers(Scene(source, language, "a.js", start, end), None, unasked=False)
    with soon():
        comments.said_in(source.split("\n"))
    with soon():
        blocks.is_definition(source[:400])


def test_definitions_are_looked_for_in_time() -> None:
    """Every line is one that takes long, and is less indented than the one below it."""
    lines = [" " * (400 - depth) + "f (" + ")" * 380 + ";" for depth in range(400)]
    lines += [" " * (400 - depth) + "let " + "a" * 380 for depth in range(400)]
    for source in ("\n".join(lines[:400]), "\n".join(lines[400:])):
        with soon():
            blocks.definition_at(source, len(source) - 1)


@pytest.mark.parametrize("said", ANSWERS, ids=lambda text: repr(text[:12]))
def test_an_answer_is_read_in_time(said: str) -> None:
    def quietly(read: Callable[[], object]) -> None:
        with soon(), suppress(Unusable):
            read()

    quietly(lambda: answer.code(said, REGION, "python"))
    quietly(lambda: answer.prose(said))
    quietly(lambda: checks.require_no_gap(said, REGION))
    quietly(lambda: checks.code_only(said, "python"))
    for name, each in filters.FILTERS.items():
        for context in CONTEXTS:
            with soon(2 * LONGEST):
                each(said, context)
            assert name


@pytest.mark.asyncio
@pytest.mark.parametrize("unit", ["let a=(b,c)=>{d()};", "“é😀”;"])
async def test_a_minified_file_holds_nobody_up(tmp_path: Path, asked: Asked, unit: str) -> None:
    async with Actor(tmp_path) as editor:
        text = unit * (5_000_000 // len(unit.encode()))
        half = len(text) // 2
        editor.open(f"{text[:half]}|{text[half:]}", language="javascript", uri="file:///w/a.js")
        await editor.shown()
        with soon():
            editor.type("x")
            assert await editor.shown() == "done"
        assert len(asked.requests) == 2
        at = editor.position(editor.cursor)
        with soon():
            assert await editor.listed({"start": at, "end": at}) == []


ENCODINGS = [PositionEncodingKind.Utf8, PositionEncodingKind.Utf16, PositionEncodingKind.Utf32]


@settings(max_examples=300)
@given(
    st.text("aé€😀\n\r\ud800", max_size=8),
    st.integers(0, 3),
    st.integers(0, 14),
    st.sampled_from(ENCODINGS),
)
def test_positions_are_what_they_are_character_by_character(
    text: str, line: int, character: int, encoding: PositionEncodingKind
) -> None:
    slow, fast, lines = PositionCodec(encoding), Codec(encoding), lines_of(text)
    theirs, ours = Position(line, character), Position(line, character)
    expected = slow.position_from_client_units(lines, theirs)
    assert fast.position_from_client_units(lines, ours) == expected
    assert ours == theirs
    server = ServerTextPosition(line, character)
    expected_back = slow.position_to_client_units(lines, server)
    assert fast.position_to_client_units(lines, server) == expected_back
    assert fast.client_num_units(text) == slow.client_num_units(text)
