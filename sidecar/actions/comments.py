"""Comments in a document's language: found, read, written. Pure."""

import re
import textwrap

from sidecar.inline.comments import mark

_BLOCKS = {
    **dict.fromkeys(
        ("html", "xml", "markdown", "vue", "svelte", "xsl", "handlebars"), ("<!--", "-->")
    ),
    "css": ("/*", "*/"),
    "ocaml": ("(*", "*)"),
}
"""Languages that have no comment of one line."""

_STARRED = re.compile(r"(?:/\*+|\*+/|\*(?!\*?\w))")
"""The first characters of a line inside `/* … */`, as it is mostly written."""

_NO_COMMENT = re.compile(r"#!|# -\*-")
_BEGINS = re.compile(r"(?:#+|/{2,}!?|--+|/\*+|\*+/?|<!--|\(\*)\s?")

WIDTH = 88
SHORTEST = 40
"""Columns of an explanation, and what is left to it however deep the code is indented."""


def can_comment(language: str) -> bool:
    """Say whether it is known how a comment is written."""
    return bool(mark(language)) or language in _BLOCKS


def is_comment(line: str, language: str) -> bool:
    """Say whether a line is nothing but a comment."""
    text = line.strip()
    sign = mark(language)
    if not text or _NO_COMMENT.match(text):
        return False
    if sign and text.startswith(sign):
        return True
    if language in _BLOCKS:
        begins, ends = _BLOCKS[language]
        return text.startswith(begins) and text.endswith(ends)
    return sign == "//" and _STARRED.match(text) is not None


def said_in(lines: list[str]) -> str:
    """Return what comment lines say, without their marks."""
    said = [_unmarked(_unmarked(line.strip())) for line in lines]
    return "\n".join(line for line in said if line)


def _unmarked(text: str) -> str:
    """Take a mark off either end of a line."""
    found = _BEGINS.match(text)
    text = text[found.end() :] if found else text
    if text.endswith("*/"):
        text = text[:-1].rstrip("*")
    else:
        text = text.removesuffix("-->").removesuffix("*)")
    return text.strip()


def written(text: str, language: str, indent: str) -> str:
    """Return `text` as comment lines of at most `WIDTH` columns. The language has comments."""
    width = max(SHORTEST, WIDTH - len(indent.expandtabs(4)) - 3)
    rows: list[str] = []
    for paragraph in text.split("\n"):
        rows += textwrap.wrap(paragraph.strip(), width, break_on_hyphens=False) or [""]
    sign = mark(language)
    if sign:
        return "\n".join(f"{indent}{sign} {row}".rstrip() for row in rows)
    begins, ends = _BLOCKS[language]
    rows = [row.replace(ends, ends[0] + " " + ends[1:]) for row in rows]
    inner = [f"{indent}{row}" if row else "" for row in rows[1:]]
    return "\n".join([f"{indent}{begins} {rows[0]}", *inner]) + f" {ends}"
