"""Gives an answer the indentation of the place it goes to. Pure."""

import re

_INDENT = re.compile(r"[ \t]*")
_LEADING = re.compile(r"^[ \t]+", re.MULTILINE)
_OPENS = re.compile(r"[:{(\[]\s*(?:(?:#|//|--).*)?$")


def indent_of(line: str) -> str:
    """Return a line's leading white space."""
    found = _INDENT.match(line)
    return found[0] if found else ""


def common_indent(text: str) -> str:
    """Return the indentation that all lines of `text` share; blank ones do not count."""
    indents = [indent_of(line) for line in text.split("\n") if line.strip()]
    if not indents:
        return ""
    shortest = min(indents, key=len)
    while shortest and not all(indent.startswith(shortest) for indent in indents):
        shortest = shortest[:-1]
    return shortest


def fitted(text: str, indent: str, around: str) -> str:
    """Return `text` moved to `indent`, with the tabs or spaces that `around` has."""
    text = _same_characters(text, around)
    lines = text.split("\n")
    if _first_was_stripped(lines, indent):
        at = next(i for i, line in enumerate(lines) if line.strip())
        lines[at] = indent + lines[at]
        return "\n".join(lines)
    here = common_indent(text)
    if here == indent:
        return text
    return "\n".join(
        indent + line[len(here) :] if line.strip() else line.strip(" \t") for line in lines
    )


def _first_was_stripped(lines: list[str], indent: str) -> bool:
    """Say whether only the first line lost its indentation, as where an answer was trimmed."""
    told = [line for line in lines if line.strip()]
    if not indent or len(told) < 2 or indent_of(told[0]):
        return False
    rest = [len(indent_of(line)) for line in told[1:]]
    if _OPENS.search(told[0]):
        return min(rest) >= len(indent) and rest[0] > len(indent)
    return min(rest) >= len(indent)


def _same_characters(text: str, around: str) -> str:
    there = _LEADING.findall(around)
    tabs = sum(indent[0] == "\t" for indent in there)
    spaces = len(there) - tabs
    if not there or (tabs and spaces):
        return text
    if tabs:
        width = _width([i for i in _LEADING.findall(text) if "\t" not in i])
        return _LEADING.sub(lambda m: m[0] if "\t" in m[0] else "\t" * (len(m[0]) // width), text)
    width = _width(there)
    return _LEADING.sub(lambda m: m[0].replace("\t", " " * width), text)


def _width(indents: list[str]) -> int:
    """Return the spaces of one level: the smallest indentation there is, else 4."""
    smallest = min((len(indent) for indent in indents), default=4)
    return smallest if smallest in (2, 3, 4, 8) else 4
