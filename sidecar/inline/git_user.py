"""Where a user's own rules of ignoring are: `core.excludesFile` of git's configuration, read here.

Git is not started. That one key is read, from the user's own files: `GIT_CONFIG_GLOBAL` if it is
set, else `git/config` in the configuration folder and `~/.gitconfig`, of which the later one wins.
What they include (`include.path`, `includeIf`) is not followed, and what the system or a repository
configures is not read. The files are looked at again by their stamps, as the rules themselves are.
"""

import os
import re
from collections.abc import Iterator, Mapping

from sidecar.inline.stamps import LARGEST, LOOK_AGAIN, Stamp, stamp_of


class UserRules:
    """Remembers what the configuration says. `environ` is the process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._home = environ.get("HOME") or environ.get("USERPROFILE") or ""
        folder = environ.get("XDG_CONFIG_HOME") or self._below_home(".config")
        self._default = os.path.join(folder, "git", "ignore") if folder else ""
        own = environ.get("GIT_CONFIG_GLOBAL")
        below = [os.path.join(folder, "git", "config")] if folder else []
        home = [self._below_home(".gitconfig")] if self._home else []
        self._configs = [*below, *home] if own is None else [own]
        self._looked_at: float | None = None
        self._stamps: list[Stamp | None] | None = None
        self._file = self._default

    def file(self, now: float) -> str:
        """Return the path of the user's rules, "" if there are none.

        A relative one is relative to the top of the repository. `now` in seconds of a steady clock.
        """
        if self._looked_at is not None and 0 <= now - self._looked_at < LOOK_AGAIN:
            return self._file
        self._looked_at = now
        stamps = [stamp_of(config) for config in self._configs]
        if stamps != self._stamps:
            self._stamps = stamps
            there = [c for c, stamp in zip(self._configs, stamps, strict=True) if stamp]
            said = [excludes_file(_text(config)) for config in there]
            last = next((value for value in reversed(said) if value is not None), None)
            self._file = self._default if last is None else self._expanded(last)
        return self._file

    def _below_home(self, name: str) -> str:
        return os.path.join(self._home, name) if self._home else ""

    def _expanded(self, path: str) -> str:
        if path.startswith("~/"):
            return self._below_home(path[2:])
        return os.path.expanduser(path)  # ~somebody/


def _text(file: str) -> str:
    try:
        with open(file, "rb") as opened:
            return opened.read(LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def excludes_file(text: str) -> str | None:
    """Return what a configuration file (git-config(1), "Syntax") says last of the key, if it does.

    What follows a line that git would not take is not read.
    """
    found: str | None = None
    for key, value in _entries(text.removeprefix("\ufeff")):
        if key == "core.excludesfile":
            found = value
    return found


_SKIPPED = re.compile(r"(?:\s|[#;][^\n]*)+")
_SECTION = re.compile(r"""\[([-.\w]+)(?:\s+"((?:[^"\\\n]|\\.)*)")?\]""")
_KEY = re.compile(r"([A-Za-z][-A-Za-z0-9]*)[ \t]*(=?)")
_VALUE = re.compile(r"""(?P<end>\r?\n|\Z|[#;][^\n]*)|(?P<joined>\\\r?\n)|\\(?P<escaped>["\\ntb])"""
                    r"""|(?P<quote>")|(?P<plain>[^"\\#;\r\n]+|\r)""")  # fmt: skip
_ESCAPED = {"n": "\n", "t": "\t", "b": "\b"}


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Give "section.key" in small letters and the value, for sections without a subsection."""
    at, section = 0, ""
    while True:
        skipped = _SKIPPED.match(text, at)
        at = skipped.end() if skipped else at
        head, key = _SECTION.match(text, at), _KEY.match(text, at)
        if head is not None:
            section = "" if head[2] is not None else head[1].lower()
            at = head.end()
        elif key is not None:
            value, at = _value(text, key.end()) if key[2] else ("", _line_end(text, key.end()))
            if value is None:
                return
            if section and key[2]:
                yield f"{section}.{key[1].lower()}", value
        else:
            return


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _value(text: str, at: int) -> tuple[str | None, int]:
    """Return a value and where it ends; none of one that git would not take."""
    made, kept, quoted = "", 0, False  # so many characters of it are kept whatever follows
    while True:
        if quoted and text[at : at + 1] in ("#", ";"):
            made, at = made + text[at], at + 1
            kept = len(made)
            continue
        found = _VALUE.match(text, at)
        if found is None or (quoted and found["end"] is not None):
            return None, at
        if found["end"] is not None:
            return made[:kept] + made[kept:].rstrip(" \t\r"), found.end()
        at = found.end()
        if not found["plain"]:
            kept = len(made)  # white space before a quote or a backslash is no end of a line
        if found["quote"]:
            quoted = not quoted
        elif found["escaped"]:
            made += _ESCAPED.get(found["escaped"], found["escaped"])
            kept = len(made)
        elif found["plain"]:
            made += found["plain"] if made or quoted else found["plain"].lstrip(" \t")
            kept = len(made) if quoted else kept
