"""What git ignores, by its own files: `.gitignore` in every folder, `info/exclude`, the user's own.

The rules are gitignore(5)'s; the tests compare them with git. What is tracked although a rule fits
it counts as ignored here. Files are looked at again a second after the last look, by their stamp;
in between, a verdict costs a dictionary's look-up, as it is asked for at every keystroke.
"""

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from sidecar.inline.git_user import UserRules
from sidecar.inline.stamps import LARGEST, LOOK_AGAIN, Stamp, stamp_of

MOST = 2000
"""Folders and files that are remembered."""

_FLAGS = re.DOTALL | (re.IGNORECASE if sys.platform in ("win32", "darwin") else 0)


class Rule(NamedTuple):
    """`pattern` fits a path below the rule's folder, without a slash at either end."""

    pattern: re.Pattern[str]
    negated: bool
    folders_only: bool


class _Rules(NamedTuple):
    stamp: Stamp | None
    rules: list[Rule]


class _Verdict(NamedTuple):
    looked_at: float
    stamps: tuple[object, ...]
    ignored: bool


class GitIgnore:
    """Remembers rules and verdicts. `user`: where the user's own are, for all repositories."""

    def __init__(self, user: UserRules | None = None) -> None:
        self._user = user
        self._rules: dict[str, _Rules] = {}
        self._verdicts: dict[str, _Verdict] = {}

    def ignores(self, path: str, root: str, now: float) -> bool:
        """Say whether the file at `path` is ignored; `now` in seconds of any steady clock.

        The repository is that of the nearest `.git` above the file. Without one, `.gitignore` files
        from `root`, the workspace's folder, downwards count.
        """
        known = self._verdicts.get(path)
        if known is not None and 0 <= now - known.looked_at < LOOK_AGAIN:
            return known.ignored
        own = self._user.file(now) if self._user is not None else ""
        files = list(self._files(path.replace("\\", "/"), root.replace("\\", "/").rstrip("/"), own))
        stamps = tuple((base, file, stamp_of(file)) for base, file in files)
        if known is not None and known.stamps == stamps:
            ignored = known.ignored
        else:
            ignored = self._decide(path.replace("\\", "/"), stamps)
        if len(self._verdicts) >= MOST:
            self._verdicts.clear()
        self._verdicts[path] = _Verdict(now, stamps, ignored)
        return ignored

    def _files(self, path: str, root: str, own: str) -> Iterator[tuple[str, str]]:
        """Give the files of rules that count, as (folder they are about, path), weakest first."""
        folders: list[str] = []
        folder = path.rpartition("/")[0]
        while folder and not os.path.lexists(f"{folder}/.git"):
            folders.append(folder)
            folder = folder.rpartition("/")[0]
        if folder:
            folders.append(folder)
            if own:
                yield folder, os.path.join(folder, own)
            yield folder, f"{_git_folder(folder)}/info/exclude"
        else:
            inside = bool(root) and path.startswith(root + "/")
            folders = [f for f in folders if inside and len(f) >= len(root)]
        for each in reversed(folders):
            yield each, f"{each}/.gitignore"

    def _decide(self, path: str, stamps: tuple[tuple[str, str, Stamp | None], ...]) -> bool:
        """A folder that is ignored takes all that is in it along; else the last rule counts."""
        found = [(base, self._read(file, stamp)) for base, file, stamp in stamps if stamp]
        if not found:
            return False
        top = min((base for base, _ in found), key=len)
        parts = path[len(top) + 1 :].split("/")
        for count in range(1, len(parts) + 1):
            here = "/".join([top, *parts[:count]])
            if _is_ignored(here, found, is_folder=count < len(parts)):
                return True
        return False

    def _read(self, file: str, stamp: Stamp) -> list[Rule]:
        known = self._rules.get(file)
        if known is not None and known.stamp == stamp:
            return known.rules
        try:
            with open(file, "rb") as opened:
                text = opened.read(LARGEST).decode("utf-8", "replace")
        except OSError:
            text = ""
        if len(self._rules) >= MOST:
            self._rules.clear()
        rules = parse(text)
        self._rules[file] = _Rules(stamp, rules)
        return rules


def _is_ignored(path: str, found: list[tuple[str, list[Rule]]], *, is_folder: bool) -> bool:
    for base, rules in reversed(found):
        if not path.startswith(base + "/"):
            continue
        inside = path[len(base) + 1 :]
        for rule in reversed(rules):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(inside):
                return not rule.negated
    return False


def parse(text: str) -> list[Rule]:
    """Return the rules of a file, in its order. A line that no file can fit is left out."""
    rules: list[Rule] = []
    for line in text.removeprefix("\ufeff").split("\n"):
        line = _without_trailing_spaces(line.removesuffix("\r"))
        if not line or line.startswith("#"):
            continue
        negated = line.startswith("!")
        glob = line[1:] if negated else line
        folders_only = glob.endswith("/")
        glob = glob.removesuffix("/")
        pattern = _pattern(glob)
        if pattern is not None:
            rules.append(Rule(pattern, negated, folders_only))
    return rules


_STARS = re.compile(r"\*{2,}(?:/|\Z)")
"""What crosses folders, where it stands between two slashes or ends."""


def _without_trailing_spaces(line: str) -> str:
    kept = line.rstrip(" ")
    escaped = (len(kept) - len(kept.rstrip("\\"))) % 2
    return line[: len(kept) + 1] if escaped and len(kept) < len(line) else kept


def _pattern(glob: str) -> re.Pattern[str] | None:
    """Return a glob as an expression over the path below its folder, None if it fits nothing."""
    anchored = "/" in glob
    glob = glob.removeprefix("/")
    if not glob:
        return None
    made = "" if anchored else "(?:.*/)?"
    at = 0
    while at < len(glob):
        stars = _STARS.match(glob, at)
        if stars is not None and (at == 0 or glob[at - 1] == "/"):
            made += "(?:.*/)?" if stars[0].endswith("/") else ".+"
            at = stars.end()
        else:
            piece, at = _piece(glob, at)
            if piece is None:
                return None
            made += piece
    try:
        return re.compile(made, _FLAGS)
    except re.error:
        return None


def _piece(glob: str, at: int) -> tuple[str | None, int]:
    """Return what stands for the next character, and where it goes on."""
    char = glob[at]
    if char == "*":
        while glob.startswith("*", at):
            at += 1
        return "[^/]*", at
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        return _set(glob, at)
    if char == "\\":
        if at + 1 == len(glob):
            return None, at
        return re.escape(glob[at + 1]), at + 2
    return re.escape(char), at + 1


_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": "!-.:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


def _set(glob: str, at: int) -> tuple[str | None, int]:
    """Return a set of characters (`[a-z]`, `[!a]`, `[[:digit:]]`); none that is not closed."""
    at += 1
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    made, first = "", True
    while at < len(glob) and (glob[at] != "]" or first):
        first = False
        if glob.startswith("[:", at) and (end := glob.find(":]", at)) > 0:
            made, at = made + _CLASSES.get(glob[at + 2 : end], ""), end + 2
            continue
        if glob[at] == "\\":
            at += 1
        low = glob[at : at + 1]
        at += 1
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            at += 2 if glob[at + 1] == "\\" else 1
            high = glob[at : at + 1]
            at += 1
            if low <= high:
                made += f"{re.escape(low)}-{re.escape(high)}"
        else:
            made += re.escape(low)
    if at >= len(glob):
        return None, at
    inside = f"[{'^' if negated else ''}{made}]" if made else ("." if negated else "(?!)")
    return f"(?!/){inside}", at + 1


def _git_folder(folder: str) -> str:
    """Return a repository's own folder; of a worktree or a submodule, where it says it is."""
    dot = f"{folder}/.git"
    if os.path.isdir(dot):
        return dot
    try:
        with open(dot, "rb") as opened:
            said = opened.read(4096).decode("utf-8", "replace").strip()
        own = os.path.join(folder, said.removeprefix("gitdir:").strip())
        with open(f"{own}/commondir", "rb") as opened:
            return os.path.join(own, opened.read(4096).decode("utf-8", "replace").strip())
    except OSError:
        return dot
