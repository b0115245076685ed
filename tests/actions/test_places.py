"""Where a definition is, what a comment says, where a test goes, what is shown of a document."""

from typing import Any

import pytest

from providers.errors import ContextLength
from sidecar.actions import comments, menu
from sidecar.actions.beside import holds_tests, name_of_tests
from sidecar.actions.blocks import definition_at, fix_region, is_definition
from sidecar.actions.menu import KINDS
from sidecar.actions.prompt import Question, ask
from sidecar.actions.region import Region, selected
from sidecar.handshake import ACTION_KINDS

DEFINITIONS = [
    # python: a head of several lines, a nested function, what comes after
    ("class A:\n⟦    def f(\n        self,\n    ) -> int:\n        a = 1\n\n        ⎸a⟧\n\nx\n"),
    ("⟦async def f():\n    if a:\n        b⎸()\n    return 1⟧\n\n\ng()\n"),
    ("def f():\n⟦    def g():\n        ⎸return 1⟧\n    return g\n"),
    # braces, on the same line and on their own
    ("⟦function add(a, b) {\n  return ⎸a + b;\n}⟧\nadd();\n"),
    ("⟦int main(void)\n{\n    return ⎸0;\n}⟧\n"),
    ("impl A {\n⟦    pub fn f(&self) -> u8 {\n        ⎸1\n    }⟧\n}\n"),
    ("⟦export const add = (a, b) => {\n  ⎸return a;\n};⟧\n"),
    ("⟦func (s *Server) Run() error {\n\tif s.a {\n\t\t⎸return nil\n\t}\n\treturn err\n}⟧\n"),
    ("class A {\n⟦  public static void main(String[] args) {\n    ⎸run();\n  }⟧\n}\n"),
    ("⟦def add(a)\n  ⎸a + 1\nend⟧\nadd 1\n"),
    ("⟦local function add(a)\n  return ⎸a\nend⟧\n"),
    # the cursor in its head
    ("⟦def ⎸f():\n    pass⟧\n"),
    ("⟦pub struct ⎸A {\n    a: u8,\n}⟧\n"),
]


@pytest.mark.parametrize("text", DEFINITIONS)
def test_the_definition_around_the_cursor(text: str) -> None:
    at = text.replace("⟦", "").replace("⟧", "").index("⎸")
    source = text.replace("⟦", "").replace("⟧", "").replace("⎸", "")
    start = text.replace("⎸", "").index("⟦")
    end = text.replace("⎸", "").replace("⟦", "").index("⟧")
    for line_end in ("\n", "\r\n"):
        whole = source.replace("\n", line_end)
        extra = (len(line_end) - 1) * source.count("\n", 0, at)
        found = definition_at(whole, at + extra)
        assert found is not None
        assert found.text == source[start:end]


@pytest.mark.parametrize(
    "text", ["x = ⎸1\n", "def f():\n    return 1\n\nx = ⎸1\n", "", "if a:\n    b(⎸)\n"]
)
def test_where_there_is_none(text: str) -> None:
    assert definition_at(text.replace("⎸", ""), max(text.find("⎸"), 0)) is None


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("def f():", True),
        ("return f(a) {", False),
        ("} else if (a) {", False),
        ("for (int i = 0; i < 3; i++) {", False),
        ("foo(a, b)", False),
        ("unsigned long hash(char *s) {", True),
        ("type Props = {", True),
        ("const x = 5", False),
        ("interface = 5", False),
        ("a" * 5000, False),
    ],
)
def test_which_lines_define(line: str, is_one: bool) -> None:
    assert is_definition(line) is is_one


def test_a_problem_in_a_long_definition_is_shown_with_the_lines_near_it() -> None:
    body = "".join(f"    a{n} = {n}\n" for n in range(200))
    source = f"def f():\n{body}"
    at = source.index("a100 ")
    assert fix_region(source, at, at + 4).text.split("\n") == [
        f"    a{n} = {n}" for n in range(92, 109)
    ]
    short = "def f():\n    a = 1\n\nx = 1\n"
    assert fix_region(short, 14, 15).text == "def f():\n    a = 1"
    assert fix_region(short, 14, 24).text == short.rstrip("\n")  # it ends outside


@pytest.mark.parametrize(
    ("line", "language", "said"),
    [
        ("# say it", "python", "say it"),
        ("    /// say it", "rust", "say it"),
        ("-- say it", "lua", "say it"),
        ("/* say it */", "c", "say it"),
        (" * say it", "java", "say it"),
        ("<!-- say it -->", "html", "say it"),
        ("#!/bin/sh", "shellscript", None),
        ("*p = 3;", "c", None),
        ("x = 1  # no", "python", None),
        ("# heading", "markdown", None),
        ("", "python", None),
    ],
)
def test_comments(line: str, language: str, said: str | None) -> None:
    assert comments.is_comment(line, language) is (said is not None)
    if said is not None:
        assert comments.said_in([line]) == said


@pytest.mark.parametrize(
    ("path", "language", "name"),
    [
        ("/w/app.py", "python", "test_app.py"),
        ("/w/test_app.py", "python", None),
        ("/w/app.mts", "typescript", "app.test.mts"),
        ("/w/app.test.ts", "typescript", None),
        ("/w/app.go", "go", "app_test.go"),
        ("/w/App.java", "java", "AppTest.java"),
        ("/w/app.rs", "rust", None),
        ("/w/app.txt", "plaintext", None),
    ],
)
def test_the_name_of_the_file_of_tests(path: str, language: str, name: str | None) -> None:
    assert name_of_tests(path, language) == name
    if name is not None:
        assert holds_tests(name, language)
        assert not holds_tests(path.rpartition("/")[2], language)


def test_what_is_announced_is_what_there_is() -> None:
    assert ACTION_KINDS == KINDS
    assert {action.kind for action in menu.ACTIONS.values()} == set(KINDS)


def shown(region: Region, tokens: int = 1000, **more: Any) -> str:
    given: Any = {"language": "python", "path": "a.py", **more}
    question = Question("replacement", "Do it.")
    request = ask(question, region, context_tokens=tokens, max_tokens=10, **given)
    part: Any = request.messages[0].content[0]
    return str(part.text)


def test_the_prompt_marks_the_part_in_its_file() -> None:
    source = "a = 1\r\nb = 2\r\nc = 3\r\n"
    assert shown(selected(source, 7, 14)) == (
        "File: a.py\nLanguage: python\n\na = 1\n<selection>\nb = 2\n</selection>\nc = 3\n\n\nDo it."
    )
    assert "b = <selection>2</selection>\nc = 3" in shown(selected(source, 11, 12))
    assert shown(selected(source, 11, 12), language="", path="").startswith("a = 1\n")


def test_the_prompt_is_cut_between_lines() -> None:
    lines = [f"line_{n} = {n}" for n in range(1000)]
    source = "\n".join(lines)
    at = source.index("line_500")
    text = shown(selected(source, at, at + len("line_500 = 500")), 100)
    kept = [line for line in text.split("\n") if line.startswith("line_")]
    assert set(kept) <= set(lines) and 15 < len(kept) < 40
    assert kept[0] != "line_0 = 0" and "line_500 = 500" in kept


def test_a_part_that_does_not_fit_is_not_cut() -> None:
    source = "x = 1\n" * 200
    with pytest.raises(ContextLength, match=r"about 300 tokens; actions\.contextTokens allows 100"):
        shown(selected(source, 0, len(source)), 100)


@pytest.mark.parametrize(("start", "end", "text"), [(0, 2, "a"), (2, 3, ""), (2, 4, "\nb")])
def test_a_place_within_a_line_end_is_before_it(start: int, end: int, text: str) -> None:
    assert selected("a\r\nb", start, end).text == text
