"""What an answer must not be, though it is code: a part of what was wanted, or more. Pure.

No edit is better than one that silently drops lines.
"""

import re

from sidecar.actions import comments
from sidecar.actions.answer import Unusable
from sidecar.actions.region import Region


def without_head(text: str, head: list[str]) -> str:
    """Take lines that stand above already off an answer's head."""
    rows = text.split("\n")
    for line in head:
        if rows and rows[0].strip() == line.strip():
            rows.pop(0)
    while rows and not rows[0].strip():
        rows.pop(0)
    return "\n".join(rows)


_GAP = re.compile(
    r"^ ?(?:#|//|--|/\*|<!--|;+|%) ?(?:\.\.\.|…)? ?\(?(?:the )?"
    r"(?:rest|remaining|existing|unchanged|previous|same|other)\b[^\n]{0,60}"
    r"(?:\.\.\.|…|unchanged|same|as before|code|here)"
    r"|^ ?(?:#|//|--|/\*|<!--) ?(?:\.\.\.|…) ?(?:\*/|-->)? ?$",
    re.IGNORECASE | re.MULTILINE,
)
"""In text whose runs of blanks are one each: between any two parts of it may be one."""

_BLANKS = re.compile(r"[ \t]+")


def require_no_gap(text: str, region: Region) -> None:
    """Raise `Unusable` where the model left something out and said so in a comment."""
    found = _GAP.search(_BLANKS.sub(" ", text))
    if found is not None and found[0].strip() not in _BLANKS.sub(" ", region.text):
        raise Unusable(f"the model left code out: “{found[0].strip()[:80]}”")


_MANY = 6


def require_whole(text: str, region: Region) -> None:
    """Raise `Unusable` where the model gave the changed lines only, not the whole part."""
    require_no_gap(text, region)
    before = [line for line in region.text.split("\n") if line.strip()]
    after = [line for line in text.split("\n") if line.strip()]
    if len(before) >= _MANY and len(after) * 2 < len(before):
        raise Unusable("the model answered with a piece of what it was to correct")


_DOCSTRINGS = {quotes: quotes for quotes in ('"""', "'''")}
_BLOCK_COMMENTS = {"/*": "*/", "<!--": "-->", "(*": "*)"}
_WITH_DOCSTRINGS = frozenset({"python", "elixir", "julia"})
_DOC_ATTRIBUTES = re.compile(r"@(?:module)?doc\b")


def code_only(text: str, language: str) -> list[str]:
    """Return the lines that are neither empty nor documentation."""
    rows = text.split("\n")
    if language in _WITH_DOCSTRINGS:
        rows = _without(rows, _DOCSTRINGS, prefixes="rRuU")
    rows = [line.strip() for line in _without(rows, _BLOCK_COMMENTS)]
    if language == "elixir":
        rows = [row for row in rows if not _DOC_ATTRIBUTES.match(row)]
    return [row for row in rows if row and not comments.is_comment(row, language)]


def _without(rows: list[str], marks: dict[str, str], prefixes: str = "") -> list[str]:
    """Return the lines without what begins one with a mark, and ends one with the mark's other."""
    kept: list[str] = []
    ends = {begin: _Ends(rows, end) for begin, end in marks.items()}
    at = 0
    while at < len(rows):
        text = rows[at].lstrip(" \t")
        if text[:1] and text[0] in prefixes:
            text = text[1:]
        begin = next((begin for begin in marks if text.startswith(begin)), None)
        last = None
        if begin is not None:
            last = ends[begin].of_block(at, len(rows[at]) - len(text) + len(begin))
        if last is None:
            kept.append(rows[at])
            at += 1
        else:
            at = last + 1
    return kept


class _Ends:
    """Finds where blocks end, looking at each line once however many begin."""

    def __init__(self, rows: list[str], mark: str) -> None:
        self._rows = rows
        self._mark = mark
        self._next = 0  # no line from the last beginning up to here has the mark

    def of_block(self, at: int, column: int) -> int | None:
        """Return the line with which a block ends; None if it does not, or code follows there."""
        found = self._rows[at].find(self._mark, column)
        if found < 0:
            self._next = max(self._next, at + 1)
            while self._next < len(self._rows) and self._mark not in self._rows[self._next]:
                self._next += 1
            at = self._next
            if at == len(self._rows):
                return None
            found = self._rows[at].find(self._mark)
        return at if not self._rows[at][found + len(self._mark) :].strip(" \t") else None
