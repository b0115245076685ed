"""What a model is shown of a document: the text around the cursor, cut to a budget of tokens.

Pure. Offsets are in characters of the document's text; which editor counts otherwise is `feature`'s
business.
"""

import msgspec

from providers.estimate import BYTES_PER_TOKEN

CONTEXT_TOKENS = 1500
"""What prefix and suffix may be together, by estimate: as much as a hosted model reads in a tenth
of a second, and a small model on a laptop in one or two."""

PREFIX_SHARE = 0.75
"""What stands before the cursor says more about what comes than what stands behind it."""


class Context(msgspec.Struct, frozen=True):
    """The text around the cursor, with `\\n` as the only line end. `path` is for people to read."""

    prefix: str
    suffix: str
    language: str = ""
    path: str = ""

    @property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.prefix.rpartition("\n")[2]

    @property
    def line_after(self) -> str:
        """The cursor's line from the cursor on."""
        return self.suffix.partition("\n")[0]


def cut(text: str, offset: int, tokens: int = CONTEXT_TOKENS) -> tuple[str, str]:
    """Return what stands before and behind `offset`, together about `tokens` tokens.

    Cut between lines; only the cursor's own line is cut within, where it alone is too long. What
    one side leaves over of its share is the other's.
    """
    budget = tokens * BYTES_PER_TOKEN
    # One character more than can fit: a line of which only a part is seen here is never taken.
    behind = text[offset : offset + budget + 1]
    before = text[max(0, offset - budget - 1) : offset]
    share = int(budget * PREFIX_SHARE)
    suffix = _head(behind, budget - share)
    prefix = _tail(before, budget - _size(suffix))
    if (left := budget - _size(prefix) - _size(suffix)) > 0:
        suffix = _head(behind, _size(suffix) + left)
    return prefix.replace("\r\n", "\n"), suffix.replace("\r\n", "\n")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _tail(text: str, budget: int) -> str:
    """Return the last lines of `text` that fit."""
    lines = text.split("\n")
    kept: list[str] = []
    for line in reversed(lines):
        budget -= _size(line) + 1
        if budget < -1:
            if not kept:
                room = budget + _size(line) + 1
                kept.append(_encoded_tail(line, room))
            break
        kept.append(line)
    return "\n".join(reversed(kept))


def _head(text: str, budget: int) -> str:
    """Return the first lines of `text` that fit."""
    kept: list[str] = []
    for line in text.split("\n"):
        budget -= _size(line) + 1
        if budget < -1:
            if not kept:
                room = budget + _size(line) + 1
                kept.append(line.encode("utf-8", "replace")[:room].decode("utf-8", "ignore"))
            break
        kept.append(line)
    return "\n".join(kept)


def _encoded_tail(line: str, room: int) -> str:
    if room <= 0:
        return ""
    return line.encode("utf-8", "replace")[-room:].decode("utf-8", "ignore")
