"""Git's rules for what is ignored: compared with git, and with what a second changes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.inline.gitignore import GitIgnore, parse
from sidecar.inline.ignored_files import IgnoredFiles
from sidecar.inline.stamps import LOOK_AGAIN

GIT = shutil.which("git")

FILES = ["a", "b.py", "x/a", "x/b.py", "x/y/a", "x/y/b.py", "x/y/z/c-1", "x/[a]", "x/a b", "w/a!"]

RULES = """\
# a comment
*.py
!x/b.py
/a
x/y/
!x/y/b.py
**/z
x/**/c-?
x/**
\\#a
\\!a
a\\ b
[ab]
[!a]
[[:digit:]]
[a-
x/[[]a]
y/
/x/*
!/x/y
a*!
**
/**
*
b.p[y-z]
x/y/**/c-1
c-[0-9]
/
//
***/a
""".splitlines()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if GIT is None:
        pytest.skip("git not found: install git")
    top = tmp_path_factory.mktemp("repository")
    for name in FILES:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("")
    subprocess.run([GIT, "init", "-q", "."], cwd=top, check=True)
    return top


def by_git(top: Path) -> set[str]:
    assert GIT is not None
    done = subprocess.run(
        [GIT, "-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=top,
        input="\0".join(FILES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {name for name in done.stdout.split("\0") if name}


def by_us(top: Path) -> set[str]:
    git = GitIgnore()
    return {name for name in FILES if git.ignores((top / name).as_posix(), "", 0.0)}


def write(top: Path, upper: list[str], nested: list[str], exclude: list[str]) -> None:
    (top / ".gitignore").write_text("\n".join(upper))
    (top / "x" / ".gitignore").write_text("\n".join(nested))
    (top / ".git" / "info" / "exclude").write_text("\n".join(exclude))


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_means_what_it_means_to_git(rule: str, tree: Path) -> None:
    write(tree, [rule], [], [])
    assert by_us(tree) == by_git(tree)


LINES = st.lists(st.sampled_from(RULES), max_size=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(LINES, LINES, LINES)
def test_files_of_rules_mean_together_what_they_mean_to_git(
    tree: Path, upper: list[str], nested: list[str], exclude: list[str]
) -> None:
    write(tree, upper, nested, exclude)
    assert by_us(tree) == by_git(tree)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from("ab*?[]!/\\-. #xyz"), max_size=8))
def test_any_rule_means_what_it_means_to_git(tree: Path, rule: str) -> None:
    write(tree, [rule], [], [])
    assert by_us(tree) == by_git(tree)


def test_a_worktree_has_the_repositorys_exclude(tmp_path: Path) -> None:
    common, tree = tmp_path / "main" / ".git", tmp_path / "tree"
    own = common / "worktrees" / "tree"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    (common / "info").mkdir()
    (common / "info" / "exclude").write_text("secret\n")
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    assert GitIgnore().ignores(f"{tree.as_posix()}/secret", "", 0.0)
    assert not GitIgnore().ignores(f"{tree.as_posix()}/other", "", 0.0)


def test_without_a_repository_the_workspaces_rules_count(tmp_path: Path) -> None:
    (tmp_path / "p" / "sub").mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "p" / "sub" / ".gitignore").write_text("made.*\n")
    root = (tmp_path / "p").as_posix()
    git = GitIgnore()
    assert git.ignores(f"{root}/sub/made.py", root, 0.0)
    assert not git.ignores(f"{root}/sub/other.py", root, 0.0)
    assert not git.ignores(f"{tmp_path.as_posix()}/outside.py", root, 0.0)


def test_a_change_counts_a_second_later(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    git, path = GitIgnore(), f"{tmp_path.as_posix()}/a.py"
    assert not git.ignores(path, "", 10.0)
    (tmp_path / ".gitignore").write_text("*.py")
    assert not git.ignores(path, "", 10.0 + LOOK_AGAIN / 2)
    assert git.ignores(path, "", 10.0 + LOOK_AGAIN)
    os.unlink(tmp_path / ".gitignore")
    assert not git.ignores(path, "", 12.0 + LOOK_AGAIN)


def test_between_two_looks_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    git, path = GitIgnore(), f"{tmp_path.as_posix()}/a.py"
    git.ignores(path, "", 1.0)
    monkeypatch.setattr(os, "stat", None)
    monkeypatch.setattr(os.path, "lexists", None)
    assert not git.ignores(path, "", 1.9)


def test_the_users_own_rules_count(tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "ignore").write_text("notes.md")
    (tmp_path / "p" / ".git").mkdir(parents=True)
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    files = IgnoredFiles("", environ, lambda: 0.0)
    assert files.has(f"{tmp_path.as_posix()}/p/notes.md", [])
    assert not files.has(f"{tmp_path.as_posix()}/p/code.md", [])
    assert files.has(f"{tmp_path.as_posix()}/p/code.md", ["*.md"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_rules_that_are_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".gitignore")
    assert not GitIgnore().ignores(f"{tmp_path.as_posix()}/a.py", "", 0.0)


def test_a_line_that_fits_nothing_is_no_rule() -> None:
    assert parse("[a\n\\\n/\n\n# x\n   \n") == []
