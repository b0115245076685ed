"""The README promises what there is: providers, commands, configuration, editors."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

from providers.registry import KINDS
from sidecar.config.clean import Cleaner
from sidecar.config.model import Config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of a section's tables, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_kind_of_provider_is_in_the_table_and_no_other_is_said_to_work() -> None:
    named = [(re.search(r"`([\w-]+)`", row[0]), row[-1]) for row in rows(section("Providers"))[1:]]
    listed = {name[1]: state for name, state in named if name is not None}
    assert len(listed) == len(named)
    works = {name for name, state in listed.items() if not state.startswith("not ")}
    assert works == set(KINDS)


def test_every_command_in_the_table_exists() -> None:
    for row in rows(section("Use"))[2:]:
        name = re.match(r"`([\w-]+)", row[0])
        assert name is not None
        assert callable(import_module(f"sidecar.cli.{name[1]}").run)


def test_the_configuration_shown_is_valid() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    cleaner = Cleaner("README.md")
    cleaner.table(Config, tomllib.loads(example))
    assert cleaner.problems == []


def test_the_two_commands_exist() -> None:
    commands = re.findall(r"^python3 (\S+)", section("Two commands"), re.MULTILINE)
    assert commands == ["tools/try.py", "tools/check.py"]
    assert all((ROOT / command).is_file() for command in commands)


def test_every_editor_that_is_there_is_named() -> None:
    for folder in (ROOT / "editors").glob("*/"):
        assert folder.name in section("Editors").lower().replace(" ", ""), folder.name
