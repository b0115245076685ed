"""The pages of providers say what the code does: tables are as made, examples are right."""

import re
import tomllib
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from providers.auth.env import PROVIDER_ENV, EnvNames
from providers.catalog.presets import PRESETS
from providers.registry import KINDS
from sidecar.config.clean import Cleaner
from sidecar.config.model import Config

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def load() -> ModuleType:
    spec = util.spec_from_file_location("provider_pages", ROOT / "tools" / "provider_pages.py")
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = load()


def test_tables_are_as_the_code_makes_them() -> None:
    """If not: `python tools/provider_pages.py`."""
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in PAGES.files().items()
        if path.read_text("utf-8") != text
    ]
    assert stale == []


def test_every_kind_has_its_page() -> None:
    assert set(PAGES.SERVICES) == set(KINDS)
    pages = {path.stem for path in (DOCS / "providers").glob("*.md")} - {"README", "presets"}
    assert pages == set(KINDS) - set(PRESETS)


def test_what_a_new_kind_lacks_is_said_and_its_page_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PAGES.missing() == []
    monkeypatch.setitem(KINDS, "newco", "providers.vendors.groq:Groq")
    assert [line.partition(":")[0] for line in PAGES.missing()] == [
        "tools/provider_services.toml",
        "providers/auth/env.py",
    ]
    monkeypatch.setitem(PAGES.SERVICES, "newco", {"service": "Newco", "formats": "its own"})
    monkeypatch.setitem(PROVIDER_ENV, "newco", EnvNames(keys=("NEWCO_API_KEY",)))
    monkeypatch.setattr(PAGES, "PAGES", tmp_path)
    assert PAGES.missing() == [] and tmp_path / "newco.md" in PAGES.begin_pages()
    block = PAGES._with_block("newco.md", PAGES.block_of(PAGES.facts_of("newco")))
    assert "| environment | `NEWCO_API_KEY` (`apiKey`) |" in block
    assert PAGES.begin_pages() == []


def test_what_is_not_done_says_why_and_is_not_half_there() -> None:
    assert set(PAGES.NOT_DONE) == set(PROVIDER_ENV) - set(KINDS)
    for _, reason in PAGES.NOT_DONE.values():
        assert re.search(r"\]\(https://", reason)


def test_what_is_refused_is_in_the_table() -> None:
    """A table that is made could still be made wrong: what is known of three kinds."""
    said = {kind: PAGES.facts_of(kind).fields for kind in ("anthropic", "ollama", "claude-code")}
    assert said["anthropic"]["seed"] == "refused" and said["anthropic"]["tools"] == "sent"
    assert said["ollama"]["toolChoice"] == "refused" and said["ollama"]["FIM"] == "sent"
    assert said["claude-code"]["tools"] == "refused"
    assert said["claude-code"]["temperature"] == "left out"


def whole(text: str, page: Path) -> str:
    """Return an example; one that begins inside a table is of the page's own provider."""
    return (
        text
        if text.lstrip().startswith(("[", "#", "default"))
        else f"[providers.{page.stem}]\n{text}"
    )


EXAMPLES = [
    (f"{page.relative_to(ROOT).as_posix()}:{number}", whole(text, page))
    for page in sorted(DOCS.rglob("*.md"))
    for number, text in enumerate(
        re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL), 1
    )
]


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_of_a_configuration_is_a_right_one(name: str, text: str) -> None:
    cleaner = Cleaner(name)
    cleaner.table(Config, tomllib.loads(text))
    assert cleaner.problems == []
