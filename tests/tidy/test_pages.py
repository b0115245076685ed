"""The pages say what is so: links lead somewhere, named files exist, versions and locks agree."""

import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.vendors.base import USER_AGENT
from sidecar.about import VERSION

ROOT = Path(__file__).resolve().parents[2]


def tracked(*patterns: str) -> list[Path]:
    """Return the project's files; in a copy without git, those that are there."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.splitlines()
    if done.returncode != 0:
        pytest.skip("not a git clone")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


PAGES = [p for p in ROOT.glob("*.md")] + sorted((ROOT / "docs").rglob("*.md"))
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ +(.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    broken: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if urlsplit(link).scheme:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_a_page_names_exist(page: Path) -> None:
    folders = "sidecar|providers|protocol|tests|tools|docs|editors|benchmarks"
    named = re.findall(rf"`((?:{folders})/[\w./-]*\w/?)`", page.read_text("utf-8"))
    made_by_a_run = ("benchmarks/results/",)
    absent = [name for name in named if not (ROOT / name).exists()]
    assert [name for name in absent if not name.startswith(made_by_a_run)] == []


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION
    assert f"\n## {VERSION}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"ai-sidecar/{VERSION}" == USER_AGENT
    emacs = (ROOT / "editors/emacs/ai-sidecar.el").read_text("utf-8")
    assert f"\n;; Version: {VERSION}\n" in emacs


def test_the_lock_belongs_to_the_project_file() -> None:
    """As `uv lock --check` would say, without asking an index."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    (own,) = [p for p in lock["package"] if p["name"] == project["project"]["name"]]
    recorded = [own["metadata"]["requires-dist"], *own["metadata"]["requires-dev"].values()]
    declared = [
        project["project"]["dependencies"]
        + [
            line for extra in project["project"]["optional-dependencies"].values() for line in extra
        ],
        *project["dependency-groups"].values(),
    ]
    locked = {(entry["name"], entry.get("specifier", "")) for group in recorded for entry in group}
    wanted = {split_requirement(line) for group in declared for line in group}
    assert {name: parts(spec) for name, spec in locked} == {n: parts(s) for n, s in wanted}


def split_requirement(line: str) -> tuple[str, str]:
    match = re.match(r"([\w.-]+)(?:\[[^\]]*\])?\s*([^;]*)", line)
    assert match is not None
    return match[1].lower(), match[2].strip()


def parts(specifier: str) -> set[str]:
    return {part.strip() for part in specifier.split(",") if part.strip()}


def test_the_lock_names_the_public_index_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text("utf-8")))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked("sidecar/*.py", "providers/*.py", "protocol/*.py")
        if (text := path.read_text("utf-8")).strip() and not text.startswith(('"""', 'r"""'))
    ]
    assert silent == []


# A file of tables is as long as its tables; these say at their top why they are longer.
LONGER = {"protocol/ai.py": 600}


def test_files_are_short_enough_to_read() -> None:
    long = {
        name: lines
        for path in tracked("sidecar/*.py", "providers/*.py", "protocol/*.py")
        if (lines := len(path.read_text("utf-8").splitlines()))
        > LONGER.get(name := path.relative_to(ROOT).as_posix(), 450)
    }
    assert long == {}


def test_nothing_is_left_unfinished() -> None:
    # Put together here, so that this file does not hold what it looks for.
    marks = ["TO" + "DO", "FIX" + "ME", "X" * 3 + ":", "lorem " + "ipsum"]
    found = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in tracked("*.py", "*.md", "*.toml", "*.lua", "*.ts", "*.rs", ".ci/*")
        for mark in marks
        if mark in path.read_text("utf-8")
    ]
    assert found == []


def test_no_page_or_program_names_a_folder_of_one_machine() -> None:
    folders = re.compile(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot)/")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked("*.py", "*.md", "*.toml", "*.lua", "*.ts", "*.rs", ".ci/*", "*.json")
        for match in folders.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_every_exception_to_the_rules_says_its_reason() -> None:
    bare = re.compile(r"(?<!ruff: )noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*$", re.MULTILINE)
    found = [path for path in tracked("*.py") if bare.search(path.read_text("utf-8"))]
    assert found == []
