"""`docs/field.md`: each complaint has a test, and each test that is named exists."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "field.md"
COMPLAINTS = [*map(str, range(1, 26)), "+"]

MOST_DEPENDENCIES = 11
"""One more is one more that can turn bad over night: it needs a reason, and this line."""

_ROW = re.compile(r"^\| (\d+|\+) \| (.+?) \| (.+) \|$", re.M)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = {number: _TEST.findall(tests) for number, _, tests in _ROW.findall(PAGE.read_text("utf-8"))}


@cache
def functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_complaint_has_its_row_and_no_other() -> None:
    assert list(ROWS) == COMPLAINTS


@pytest.mark.parametrize("number", COMPLAINTS)
def test_what_shows_it_exists(number: str) -> None:
    assert ROWS[number], "a complaint without a test"
    for path, name in ROWS[number]:
        assert name.startswith("test_") and name in functions_in(path), f"{path}::{name}"


def test_few_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= MOST_DEPENDENCIES
