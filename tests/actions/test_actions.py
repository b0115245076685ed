"""From `textDocument/codeAction` to the edit: the real loop and server, a scripted model."""

from pathlib import Path
from typing import Any

import pytest

from tests.actions.conftest import CREATES, Actor, place
from tests.inline.conftest import Asked

CODE = """\
import os


def add(a, b):
    total = a + c
    return total


def main():
    print(add(1, 2))
"""

UNDEFINED = {
    "range": place(4, 16, 4, 17),
    "message": "Undefined name `c`",
    "severity": 1,
    "source": "Ruff",
    "code": "F821",
}


def fenced(text: str) -> str:
    return f"Here it is:\n\n```python\n{text}```\n\nThat is all."


@pytest.mark.asyncio
async def test_a_diagnostic_is_fixed(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("def add(a, b):\n    total = a + b\n    return total\n")
    async with Actor(tmp_path) as editor:
        editor.open(CODE)
        context = {"diagnostics": [UNDEFINED]}
        action = await editor.titled("AI: fix", place(4, 16, 4, 17), **context)
        assert action["title"] == "AI: fix “Undefined name `c`”"
        assert (action["kind"], action["diagnostics"]) == ("quickfix", [UNDEFINED])
        text = await editor.resolved("AI: fix", place(4, 16, 4, 17), **context)
        assert text == CODE.replace("a + c", "a + b")
    prompt: Any = asked.requests[0].messages[0].content[0]  # type: ignore[union-attr]
    assert "Message of Ruff F821: Undefined name `c`\nWhere: line 2 of that part" in prompt.text
    assert "<selection>\ndef add(a, b):\n    total = a + c\n    return total\n</selection>" in (
        prompt.text
    )
    assert "File: app.py\nLanguage: python" in prompt.text


@pytest.mark.asyncio
async def test_the_definition_at_the_cursor_is_documented(tmp_path: Path, asked: Asked) -> None:
    documented = 'def add(a, b):\n    """Return the sum."""\n    total = a + c\n    return total\n'
    asked.answer = lambda _: fenced(documented)
    async with Actor(tmp_path) as editor:
        editor.open(CODE.replace("a + c", "a| + c"))
        text = await editor.resolved("AI: document")
        assert text == CODE.replace("b):\n", 'b):\n    """Return the sum."""\n')


@pytest.mark.asyncio
async def test_an_explanation_becomes_a_comment_above(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: "Adds `a` and `c`.\n"
    async with Actor(tmp_path) as editor:
        editor.open(CODE)
        text = await editor.resolved("AI: explain", place(4, 0, 5, 0))
        assert text == CODE.replace("    total = a", "    # Adds `a` and `c`.\n    total = a")


@pytest.mark.asyncio
@pytest.mark.parametrize("cursor", ["    # the largest of| both", "    # the largest of both\n|"])
async def test_a_comment_is_carried_out_below_it(cursor: str, tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("# the largest of both\nreturn max(a, b)\n")
    async with Actor(tmp_path) as editor:
        editor.open(f"def most(a, b):\n{cursor}\n\nx = 1\n")
        text = await editor.resolved("AI: write what the comment says")
        expected = "def most(a, b):\n    # the largest of both\n    return max(a, b)\n"
        assert text == f"{expected}\nx = 1\n"


@pytest.mark.asyncio
async def test_the_comment_at_the_head_says_how_to_rewrite(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("print('b')\n")
    async with Actor(tmp_path) as editor:
        editor.open("if a:\n    # say b\n    print('a')\n")
        action = await editor.titled("AI: rewrite", place(1, 0, 3, 0))
        assert action["title"] == "AI: rewrite: say b"
        text = await editor.resolved("AI: rewrite", place(1, 0, 3, 0))
        assert text == "if a:\n    print('b')\n"


@pytest.mark.asyncio
async def test_a_test_makes_a_file_beside(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("def test_add():\n    assert add(1, 2) == 3\n")
    uri, beside = (tmp_path / "app.py").as_uri(), (tmp_path / "test_app.py").as_uri()
    async with Actor(tmp_path, capabilities=CREATES) as editor:
        editor.open(CODE.replace("a + c", "a| + c"), uri=uri)
        action = await editor.titled("AI: write a test")
        assert action["kind"] == "refactor.test"
        edit = (await editor.call("codeAction/resolve", action))["edit"]
        test = "def test_add():\n    assert add(1, 2) == 3\n"
        assert edit == {
            "documentChanges": [
                {"kind": "create", "uri": beside},
                {
                    "textDocument": {"uri": beside, "version": None},
                    "edits": [{"range": place(0, 0, 0, 0), "newText": test}],
                },
            ]
        }


@pytest.mark.asyncio
async def test_a_test_is_added_to_the_file_that_is_there(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("def test_add():\n    assert add(1, 2) == 3\n")
    beside = tmp_path / "test_app.py"
    beside.write_text("from app import add")
    async with Actor(tmp_path) as editor:
        editor.open(CODE.replace("a + c", "a| + c"), uri=(tmp_path / "app.py").as_uri())
        action = await editor.titled("AI: write a test")
        edit = (await editor.call("codeAction/resolve", action))["edit"]
        test = "\n\ndef test_add():\n    assert add(1, 2) == 3\n"
        at = place(0, 19, 0, 19)
        assert edit == {"changes": {beside.as_uri(): [{"range": at, "newText": test}]}}
    prompt: Any = asked.requests[0].messages[0].content[0]  # type: ignore[union-attr]
    assert "test_app.py:\n```\nfrom app import add\n```" in prompt.text


@pytest.mark.asyncio
async def test_where_no_file_can_be_made_none_is_offered(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(CODE.replace("a + c", "a| + c"), uri=(tmp_path / "app.py").as_uri())
        titles = [action["title"] for action in await editor.listed()]
        assert titles == ["AI: document", "AI: explain in a comment"]


@pytest.mark.asyncio
async def test_a_file_of_tests_that_changed_meanwhile_is_left_alone(
    tmp_path: Path, asked: Asked
) -> None:
    beside = tmp_path / "test_app.py"

    def meanwhile(_: Any) -> str:
        beside.write_text("# somebody else's\n")
        return fenced("def test_add(): ...\n")

    asked.answer = meanwhile
    async with Actor(tmp_path, capabilities=CREATES) as editor:
        editor.open(CODE.replace("a + c", "a| + c"), uri=(tmp_path / "app.py").as_uri())
        action = await editor.titled("AI: write a test")
        _, answer = await editor.until_answer(editor.request("codeAction/resolve", action))
        assert answer["error"]["code"] == -32801


@pytest.mark.asyncio
async def test_a_long_comment_is_no_instruction(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open("# a licence\n" * 11 + "x = 1\n")
        titles = [action["title"] for action in await editor.listed(place(0, 0, 12, 0))]
        assert not any(title.startswith("AI: rewrite") for title in titles)
