"""The filter of wrong indentation. Pure."""

import re

from sidecar.inline.context import Context

_OPENS = re.compile(r"[:{(\[]\s*(?:(?:#|//|--).*)?$")
_INDENT = re.compile(r"[ \t]*")
_LEADING = re.compile(r"^[ \t]+", re.MULTILINE)


def indentation(text: str, context: Context) -> str:
    """Bring an answer's indentation in line with the document's.

    The document's tabs or spaces; the cursor's indentation not once more; a block that begins in
    the first column moved under the cursor.
    """
    text = _same_characters(text, context)
    before = context.line_before
    if before.strip():
        return text
    return _moved(_not_twice(text, context), before)


def _same_characters(text: str, context: Context) -> str:
    around = _LEADING.findall(context.prefix + context.suffix)
    tabs = sum(indent[0] == "\t" for indent in around)
    spaces = len(around) - tabs
    if not around or (tabs and spaces):
        return text
    if tabs:
        width = _width([i for i in _LEADING.findall(text) if "\t" not in i])
        return _LEADING.sub(lambda m: m[0] if "\t" in m[0] else "\t" * (len(m[0]) // width), text)
    width = _width(around)
    return _LEADING.sub(lambda m: m[0].replace("\t", " " * width), text)


def _width(indents: list[str]) -> int:
    """Return the spaces of one level: the smallest indentation there is, else 4."""
    smallest = min((len(indent) for indent in indents), default=4)
    return smallest if smallest in (2, 3, 4, 8) else 4


def _not_twice(text: str, context: Context) -> str:
    before = context.line_before
    if not before or not text.startswith(before):
        return text
    above = next((s for s in reversed(context.prefix.split("\n")[:-1]) if s.strip()), "")
    deeper = _OPENS.search(above) and len(before) <= len(_indent(above))
    return text if deeper else text[len(before) :]


def _moved(text: str, before: str) -> str:
    first, *rest = text.split("\n")
    if not before or not first.strip() or _indent(first):
        return text
    block: list[str] = []
    for line in rest:
        if not line.strip():
            break
        block.append(line)
    # A block whose last line is in the first column and whose inner lines are not was written from
    # there; one that only steps back is the document's next block.
    written_there = any(not _indent(line) for line in block) and (
        not _OPENS.search(first) or _indent(block[0]) < before + " " or len(block) == 1
    )
    if not written_there or (len(block) > 0 and _steps_back(block, before)):
        return text
    return "\n".join([first, *(before + line if line.strip() else line for line in rest)])


def _steps_back(block: list[str], before: str) -> bool:
    """Say whether the lines begin at the cursor's own depth, and so know where it is."""
    return len(_indent(block[0])) >= len(before)


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""
