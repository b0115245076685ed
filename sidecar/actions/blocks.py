"""Where a definition begins and ends, by indentation and by how definitions are written. Pure.

No parser: it need not be exact, as the result only says what a model is shown as the part to edit.
"""

import re

from sidecar.actions.indent import indent_of
from sidecar.actions.region import Region, line_end, line_start, lines_around

FARTHEST = 400
"""Lines that are looked at in either direction."""

FIXED_IN = 60
"""Lines of a definition that is shown whole for a problem in it; of a longer one, those near."""

NEAR = 8

LONGEST_LINE = 400
"""Characters; a longer line was written by no hand, and looking at it closely takes long."""

_WORDS = (
    r"export|default|public|private|protected|internal|static|final|abstract|async|unsafe|const"
    r"|inline|virtual|override|open|suspend|data|sealed|partial|local|declare|readonly"
    r"|pub(?:\([^)]*\))?|extern(?: \"[^\"]*\")?"
)
_DEFINES = re.compile(
    rf"(?:(?:{_WORDS})\s+)*(?:def|defp|defmodule|class|func|function\*?|fn|fun|struct|enum|union"
    r"|trait|interface|impl|module|mod|record|protocol|object|namespace|sub|proc|type)\b\s*[\w<(*]"
)
_NAME = re.compile(r"[\w:<>,&*\[\]~. \t]*[\w~>\]]")
_RESULT = re.compile(r"[\w\s:<>,&*|?\[\]]*")
_BINDS = re.compile(rf"(?:{_WORDS}|let|var)\s+\w")
_ARROW = re.compile(r"\w+\s*=>")
_NO_DEFINITION = re.compile(
    r"(?:if|elif|else|for|foreach|while|switch|case|match|return|try|catch|except|with|do|throw"
    r"|await|yield|raise|del|delete|echo|puts|go|defer|assert|print|new|when|unless|until|loop|select|using|lock|and|or|not|import|from)\b"
)
_CLOSES = re.compile(r"[)\]}]|end\b")
_OPENS = re.compile(r"[:{(\[]\s*(?:(?:#|//|--).*)?$")


def is_definition(line: str) -> bool:
    """Say whether a line begins a function, a class or the like."""
    text = line.strip()
    if not text or len(text) > LONGEST_LINE or _NO_DEFINITION.match(text):
        return False
    if _DEFINES.match(text):
        return True
    # `name(…) {`, or two words before the bracket, as in `int main(void)`: else it is a call.
    head = text.endswith("{") or " " in text.partition("(")[0].strip()
    return _is_arrow(text) or (head and _is_callable(text))


def _is_callable(text: str) -> bool:
    """Say whether it is a name, a bracket, and no more behind the closing one than a type."""
    name, _, rest = text.partition("(")
    if not rest or ";" in rest or not _NAME.fullmatch(name.rstrip()):
        return False
    _, closed, result = rest.rpartition(")")
    return rest[-1] in "{:,(" or bool(closed and _RESULT.fullmatch(result))


def _is_arrow(text: str) -> bool:
    """Say whether a name is given a function: `const f = (…`, `let f = async x => …`."""
    name, _, value = text.partition("=")
    if not _BINDS.match(name):
        return False
    value = value.lstrip()
    for begin in (value, value.removeprefix("async").lstrip()):
        if (begin.startswith("(") and ";" not in begin) or _ARROW.match(begin):
            return True
    return False


def definition_at(source: str, at: int) -> Region | None:
    """Return the innermost definition around `at`, None if there is none."""
    start = line_start(source, at)
    line = source[start : line_end(source, start)]
    depth = len(indent_of(line)) if line.strip() else FARTHEST
    if line.strip() and is_definition(line):
        return _block(source, start)
    for _ in range(FARTHEST):
        if start == 0:
            return None
        start = line_start(source, start - 1)
        line = source[start : line_end(source, start)]
        if not line.strip() or len(indent_of(line)) >= depth:
            continue
        if is_definition(line):
            block = _block(source, start)
            if block.end >= at:
                return block
        depth = len(indent_of(line))
        if line.strip() == "{" or _CLOSES.match(line.strip()):
            depth += 1  # the end of a head of several lines: its beginning is as deep
    return None


def fix_region(source: str, start: int, end: int) -> Region:
    """Return what is shown for a problem at `start` to `end`: its definition, or lines near it."""
    around = definition_at(source, start)
    if around is not None and around.end >= end and around.text.count("\n") < FIXED_IN:
        return around
    first, last = line_start(source, start), line_end(source, end)
    for _ in range(NEAR):
        first = line_start(source, first - 1) if first else 0
        last = line_end(source, _next_line(source, last))
    near = lines_around(source, first, last)
    return _without_blank_ends(near)


def _block(source: str, start: int) -> Region:
    """Return the lines from `start` on that belong to what its line begins."""
    end = line_end(source, start)
    depth = len(indent_of(source[start:end]))
    open_head = True
    at = end
    for _ in range(FARTHEST):
        begin = _next_line(source, at)
        if begin == at:
            break
        at = line_end(source, begin)
        line = source[begin:at]
        text = line.strip()
        if not text:
            continue
        if len(indent_of(line)) > depth:
            end = at
            continue
        closes = len(indent_of(line)) == depth and (
            _CLOSES.match(text) or (open_head and text == "{")
        )
        if not closes:
            break
        end = at
        if not _OPENS.search(text):
            break
        open_head = False
    return Region(source, start, end)


def _next_line(source: str, at: int) -> int:
    """Return where the line behind the line end at `at` begins; `at` if there is none."""
    if source.startswith("\r\n", at):
        return at + 2
    return at + 1 if at < len(source) else at


def _without_blank_ends(region: Region) -> Region:
    text = region.source[region.start : region.end]
    head = len(text) - len(text.lstrip("\r\n"))
    tail = len(text.rstrip("\r\n \t"))
    if head >= tail:
        return region
    return Region(region.source, region.start + head, region.start + tail)
