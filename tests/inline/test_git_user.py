"""Where the user's own rules of ignoring are: compared with git, which is never started by us."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sidecar.inline.git_user import UserRules, excludes_file
from sidecar.inline.ignored_files import IgnoredFiles
from sidecar.inline.stamps import LOOK_AGAIN

GIT = shutil.which("git")


@pytest.fixture(scope="module")
def by_git(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str | None]:
    """What git reads from a file of this text; raises `ValueError` where git refuses it."""
    if GIT is None:
        pytest.skip("git not found: install git")
    file = tmp_path_factory.mktemp("configured") / "config"

    def ask(text: str) -> str | None:
        file.write_bytes(text.encode())
        asked = [GIT, "config", "-z", "-f", str(file), "--get", "core.excludesFile"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise ValueError(done.stderr)
        return done.stdout.removesuffix("\0") if done.returncode == 0 else None

    return ask


def spaced(value: str | None) -> str | None:
    """A value with spaces for tabs: git before 2.45 makes that of them inside a value."""
    return None if value is None else value.replace("\t", " ")


def compare(by_git: Callable[[str], str | None], text: str) -> None:
    """Hold what is read against git; of what git refuses, only that nothing is raised."""
    try:
        expected = by_git(text)
    except ValueError:
        excludes_file(text)
        return
    assert spaced(excludes_file(text)) == spaced(expected)


LINES = st.sampled_from(
    """\
[core]
[CORE]
[core "sub"]
[core.sub]
[other]
[core] excludesFile = /same/line
[core] ; a remark
# excludesFile = /in/a/remark
excludesFile = /plain
\texcludesfile=~/.ignored
EXCLUDESFILE = "/with space"   # a remark
excludesFile = /a b  c ; a remark
excludesFile = "/a # b" c
excludesFile = /cut\\
    /and/joined
excludesFile = "C:\\\\rules\\t"
excludesFile =
excludesFiles = /another/key
editor = vim
bare
""".splitlines()
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=7), st.sampled_from(["\n", "\r\n"]))
@example(["[core]", "excludesFile = /plain"], "\r\n")
@example(["[core]", 'EXCLUDESFILE = "/with space"   # a remark'], "\n")
@example(["[core]", "excludesFile = /cut\\", "    /and/joined"], "\n")
@example(["[core]", "excludesFile = /cut\\", "\texcludesfile=~/.ignored"], "\n")
def test_the_key_is_what_git_reads(by_git: Callable[[str], str | None], lines: list[str], end: str):
    text = end.join(lines) + end
    compare(by_git, text)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from('ab/~ "\\#;\n=[]tn'), max_size=12))
@example('= ""')
@example("t \\")
def test_any_value_is_what_git_reads(by_git: Callable[[str], str | None], value: str):
    text = f"[core]\nexcludesFile = {value}\n"
    compare(by_git, text)


def repository(top: Path) -> Path:
    (top / "p" / ".git").mkdir(parents=True)
    return top / "p"


def say(file: Path, value: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[core]\n\texcludesFile = {value}\n")


def ignores(environ: dict[str, str], file: Path) -> bool:
    return IgnoredFiles("", environ, lambda: 0.0).has(file.as_posix(), [])


def test_the_users_own_file_counts_in_the_place_of_the_default(tmp_path: Path) -> None:
    file, home = repository(tmp_path) / "notes.md", tmp_path / "home"
    (tmp_path / "home" / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("other.md")
    (home / "mine").write_text("notes.md")
    environ = {"HOME": str(home)}
    assert not ignores(environ, file) and ignores(environ, file.with_name("other.md"))
    say(home / ".gitconfig", "~/mine")
    assert ignores(environ, file) and not ignores(environ, file.with_name("other.md"))


def test_which_file_wins(tmp_path: Path) -> None:
    home, xdg, own = tmp_path / "home", tmp_path / "xdg", tmp_path / "own"
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(xdg)}
    found = [UserRules(environ).file(0.0)]
    say(xdg / "git" / "config", "/x")
    found.append(UserRules(environ).file(0.0))
    say(home / ".gitconfig", "/h")
    found.append(UserRules(environ).file(0.0))
    say(own, "/o")
    found.append(UserRules({**environ, "GIT_CONFIG_GLOBAL": str(own)}).file(0.0))
    assert found == [str(xdg / "git" / "ignore"), "/x", "/h", "/o"]
    none = {**environ, "GIT_CONFIG_GLOBAL": os.devnull}
    assert UserRules(none).file(0.0) == str(xdg / "git" / "ignore")


def test_nowhere(tmp_path: Path) -> None:
    assert UserRules({}).file(0.0) == ""
    assert UserRules({"HOME": "/h"}).file(0.0) == os.path.join("/h", ".config", "git", "ignore")
    say(tmp_path / ".gitconfig", "")
    assert UserRules({"HOME": str(tmp_path)}).file(0.0) == ""


def test_a_relative_one_is_the_repositorys(tmp_path: Path) -> None:
    top = repository(tmp_path)
    (top / "rules").write_text("notes.md")
    say(tmp_path / ".gitconfig", "rules")
    assert ignores({"HOME": str(tmp_path)}, top / "notes.md")


def test_a_change_counts_a_second_later_and_nothing_is_read_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = UserRules({"HOME": str(tmp_path)})
    before = rules.file(5.0)
    say(tmp_path / ".gitconfig", "/mine")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", None)
        assert rules.file(5.0 + LOOK_AGAIN / 2) == before
    assert rules.file(5.0 + LOOK_AGAIN) == "/mine"
    (tmp_path / ".gitconfig").unlink()
    assert rules.file(7.0 + LOOK_AGAIN) == before
