"""The filter of closing brackets and quotes that are there already. Pure."""

import re
from itertools import accumulate, islice, takewhile

from sidecar.inline.context import Context

_PAIRS = {")": "(", "]": "[", "}": "{"}
_QUOTES = "\"'`"
_CLOSERS = re.compile(r"(?:[)\]}\"'`>]+|[;,](?=\s|$)|\s+)*")
_ONLY_CLOSERS = re.compile(r"[ \t]*[)\]}]+[;,]?[ \t]*")


def closing_brackets(text: str, context: Context) -> str:
    """Drop what an editor or the user has closed already: on the cursor's line, or right below.

    Only what the answer itself does not open: `f(x)` keeps its bracket before another one.
    """
    return _below(_on_the_line(text, context), context)


def _on_the_line(text: str, context: Context) -> str:
    """Drop what follows the cursor at once, and with it the closing lines after it."""
    found = _CLOSERS.match(context.suffix.lstrip(" \t"))
    there = found[0].rstrip() if found and context.line_after.strip() else ""
    body = text.rstrip()
    loose = _loose_from(body)
    for length in range(min(len(there), len(body)), 0, -1):
        if loose[len(body) - length] and body.endswith(there[:length]):
            return body[:-length]
    return text


def _below(text: str, context: Context) -> str:
    """Drop last lines of closing brackets only, that stand just so under the cursor's line."""
    if context.line_after.strip():
        return text
    below = [line.rstrip() for line in context.suffix.split("\n")[1:] if line.strip()]
    body = text.rstrip()
    lines = body.split("\n")
    said = (line.rstrip() for line in reversed(lines[1:]))
    tail = list(islice(takewhile(_ONLY_CLOSERS.fullmatch, said), len(below)))[::-1]
    start = len(body) - sum(len(line) + 1 for line in lines[len(lines) - len(tail) :])
    loose = _loose_from(body)
    for first in range(len(tail)):  # `start`: where the line end before it is
        if tail[first:] == below[: len(tail) - first] and loose[start + 1]:
            return body[:start]
        start += 1 + len(lines[len(lines) - len(tail) + first])
    return text


def _loose_from(text: str) -> list[bool]:
    """Say of each place whether all closing marks behind it have nothing before it to close."""
    changes = [0] * (len(text) + 1)  # of the number of pairs that a place lies within
    open_at: list[tuple[str, int]] = []
    quote: tuple[str, int] | None = None
    opened: int | None
    for at, char in enumerate(text):
        opened = None
        if quote is not None:
            if char == quote[0] and text[at - 1] != "\\":
                opened, quote = quote[1], None
        elif char in _QUOTES:
            quote = (char, at)
        elif char in "([{":
            open_at.append((char, at))
        elif char in _PAIRS and open_at and open_at[-1][0] == _PAIRS[char]:
            _, opened = open_at.pop()
        if opened is not None:
            changes[opened + 1] += 1
            changes[at + 1] -= 1
    return [pairs == 0 for pairs in accumulate(changes)]
