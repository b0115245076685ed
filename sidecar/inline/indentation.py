"""The filter of wrong indentation. Pure."""

import re

from sidecar.inline.context import Context

_OPENS = re.compile(r"[:{(\[]\s*(?:(?:#|//|--).*)?$")
_LEAVES = re.compile(r"(?:return|break|continue|raise|throw|pass|exit|goto)\b")
_ENDS = re.compile(
    r"[)\]}]|(?:end|fi|done|esac|else|elif|elsif|except|finally|catch|rescue|ensure|case|default"
    r"|when|def|class|func|function|fn|pub|export|import|@)\b"
)
"""Beginnings of a line that stands where it stands on purpose."""
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
    """Move what was written from the first column: the first line stands at the cursor already.

    That is certain where a block is opened and its lines are no deeper than the cursor; and all
    but certain where a line goes on in the first column that ends or divides no block.
    """
    first, *rest = text.split("\n")
    if not before or not rest or not rest[0].strip() or _indent(first):
        return text
    depth = len(_indent(rest[0]))
    if _OPENS.search(first):
        written_there = depth <= len(before)
    else:
        written_there = depth == 0 and not _LEAVES.match(first) and not _ENDS.match(rest[0])
    if not written_there:
        return text
    return "\n".join([first, *(before + line if line.strip() else line for line in rest)])


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""
