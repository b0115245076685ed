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
    r"^[ \t]*(?:#|//|--|/\*|<!--|;+|%)[ \t]*(?:\.\.\.|…)?[ \t]*\(?(?:the )?"
    r"(?:rest|remaining|existing|unchanged|previous|same|other)\b[^\n]{0,60}"
    r"(?:\.\.\.|…|unchanged|same|as before|code|here)"
    r"|^[ \t]*(?:#|//|--|/\*|<!--)[ \t]*(?:\.\.\.|…)[ \t]*(?:\*/|-->)?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


def require_no_gap(text: str, region: Region) -> None:
    """Raise `Unusable` where the model left something out and said so in a comment."""
    found = _GAP.search(text)
    if found is not None and found[0].strip() not in region.text:
        raise Unusable(f"the model left code out: “{found[0].strip()[:80]}”")


_MANY = 6


def require_whole(text: str, region: Region) -> None:
    """Raise `Unusable` where the model gave the changed lines only, not the whole part."""
    require_no_gap(text, region)
    before = [line for line in region.text.split("\n") if line.strip()]
    after = [line for line in text.split("\n") if line.strip()]
    if len(before) >= _MANY and len(after) * 2 < len(before):
        raise Unusable("the model answered with a piece of what it was to correct")


_DOCSTRING = re.compile(
    r'^[ \t]*[rRuU]?("""|\'\'\')(?:(?!\1).)*\1[ \t]*$', re.DOTALL | re.MULTILINE
)
_BLOCK_COMMENT = re.compile(
    r"^[ \t]*(?:/\*.*?\*/|<!--.*?-->|\(\*.*?\*\))[ \t]*$", re.DOTALL | re.MULTILINE
)
_WITH_DOCSTRINGS = frozenset({"python", "elixir", "julia"})
_DOC_ATTRIBUTES = re.compile(r"@(?:module)?doc\b")


def code_only(text: str, language: str) -> list[str]:
    """Return the lines that are neither empty nor documentation."""
    if language in _WITH_DOCSTRINGS:
        text = _DOCSTRING.sub("", text)
    text = _BLOCK_COMMENT.sub("", text)
    rows = [line.strip() for line in text.split("\n")]
    if language == "elixir":
        rows = [row for row in rows if not _DOC_ATTRIBUTES.match(row)]
    return [row for row in rows if row and not comments.is_comment(row, language)]
