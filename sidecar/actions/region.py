"""Which part of a document an edit is about, and the smallest edit that makes it another. Pure.

Offsets are in characters of the document's text. A region of whole lines ends before the last
line's end, so that whatever ends the line stays as it is.
"""

import re
from itertools import pairwise
from typing import NamedTuple

import msgspec

_LINE_END = re.compile(r"\r\n|\r|\n")


class Region(msgspec.Struct, frozen=True):
    """`source[start:end]`. `whole`: it is made of whole lines."""

    source: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """The text, with `\\n` as the only line end."""
        return plain(self.source[self.start : self.end])

    @property
    def whole(self) -> bool:
        return is_line_start(self.source, self.start) and is_line_end(self.source, self.end)

    @property
    def head(self) -> str:
        """What stands before it on its first line."""
        return self.source[line_start(self.source, self.start) : self.start]

    @property
    def tail(self) -> str:
        """What stands behind it on its last line."""
        return self.source[self.end : line_end(self.source, self.end)]


class Edit(NamedTuple):
    """`source[start:end]` becomes `text`, which has the document's line ends."""

    start: int
    end: int
    text: str


def selected(source: str, start: int, end: int) -> Region:
    """Return the region that a selection means: whole lines where it leaves out white space only.

    An empty selection means its line.
    """
    start, end = sorted((_outside_break(source, start), _outside_break(source, end)))
    empty = start == end
    first = line_start(source, start)
    if empty or not source[first:start].strip():
        start = first
    if end > start and is_line_start(source, end) and not empty:
        end = _before_break(source, end)
    else:
        last = line_end(source, end)
        if empty or not source[end:last].strip():
            end = last
    return Region(source, start, max(start, end))


def lines_around(source: str, first: int, last: int) -> Region:
    """Return the region of the whole lines that the offsets `first` and `last` are on."""
    return Region(source, line_start(source, first), line_end(source, last))


def edit(region: Region, text: str) -> Edit | None:
    """Return the edit that puts `text` (with `\\n`) in the region's place; None if it is the same.

    Lines that stay the same at either end are not touched: cursors and folds there stay. Nothing
    at all in the place of whole lines takes their end away, too.
    """
    source, start, end = region.source, region.start, region.end
    if not text and region.whole and start != end:
        if end < len(source):
            return Edit(start, _after_break(source, end), "")
        return Edit(_before_break(source, start), end, "")
    old = source[start:end]
    new = text.replace("\n", eol(source))
    if region.text == text:
        return None
    if not region.whole:
        return Edit(start, end, new)
    olds, news = _lines(old), _lines(new)
    head = _same(olds, news)
    tail = _same(olds[head:][::-1], news[head:][::-1])
    start += sum(map(len, olds[:head]))
    end -= sum(map(len, olds[len(olds) - tail :]))
    return Edit(start, end, "".join(news[head : len(news) - tail]))


def eol(source: str) -> str:
    """Return the document's line end: the more frequent one."""
    dos = source.count("\r\n")
    return "\r\n" if dos * 2 > source.count("\n") else "\n"


def plain(text: str) -> str:
    """Return `text` with `\\n` as the only line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def line_start(source: str, at: int) -> int:
    """Return where the line of `at` begins."""
    if 0 < at < len(source) and source[at - 1] == "\r" and source[at] == "\n":
        at -= 1  # between the two halves of a line end
    start = source.rfind("\n", 0, at) + 1
    return source.rfind("\r", start, at) + 1 or start


def line_end(source: str, at: int) -> int:
    """Return where the line of `at` ends, before what ends it."""
    if 0 < at < len(source) and source[at - 1] == "\r" and source[at] == "\n":
        return at - 1
    end = source.find("\n", at)
    end = len(source) if end < 0 else end
    before = source.find("\r", at, end)
    return end if before < 0 else before


def is_line_start(source: str, at: int) -> bool:
    return line_start(source, at) == at


def is_line_end(source: str, at: int) -> bool:
    return line_end(source, at) == at


def _outside_break(source: str, at: int) -> int:
    """Return a place in the document that does not lie within a line end of two characters."""
    at = min(at, len(source))
    return at - 1 if 0 < at < len(source) and source[at - 1 : at + 1] == "\r\n" else at


def _before_break(source: str, at: int) -> int:
    """Return where the line end right before `at` begins."""
    if at == 0:
        return 0
    return at - 2 if source[:at].endswith("\r\n") else at - 1


def _after_break(source: str, at: int) -> int:
    found = _LINE_END.match(source, at)
    return found.end() if found else at


def _lines(text: str) -> list[str]:
    """Return the lines with their ends; the last has none, and may be empty."""
    cut = [0, *(found.end() for found in _LINE_END.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cut)]


def _same(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
