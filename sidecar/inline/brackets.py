"""The filter of closing brackets and quotes that are there already. Pure."""

import re

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
    for length in range(min(len(there), len(body)), 0, -1):
        end = there[:length]
        if body.endswith(end) and _is_loose(body, len(body) - length):
            return body[:-length]
    return text


def _below(text: str, context: Context) -> str:
    """Drop last lines of closing brackets only, that stand just so under the cursor's line."""
    if context.line_after.strip():
        return text
    below = [line.rstrip() for line in context.suffix.split("\n")[1:] if line.strip()]
    lines = text.rstrip().split("\n")
    for count in range(min(len(lines) - 1, len(below)), 0, -1):
        tail = [line.rstrip() for line in lines[-count:]]
        if tail != below[:count] or not all(_ONLY_CLOSERS.fullmatch(line) for line in tail):
            continue
        body = "\n".join(lines)
        start = len("\n".join(lines[:-count])) + 1
        if _is_loose(body, start):
            return "\n".join(lines[:-count])
    return text


def _is_loose(text: str, start: int) -> bool:
    """Say whether every closing mark from `start` on has nothing in `text` that it closes."""
    open_at: list[tuple[str, int]] = []
    quote: tuple[str, int] | None = None
    for at, char in enumerate(text):
        if quote is not None:
            if char == quote[0] and text[at - 1] != "\\":
                if at >= start and quote[1] < start:
                    return False
                quote = None
        elif char in _QUOTES:
            quote = (char, at)
        elif char in "([{":
            open_at.append((char, at))
        elif char in _PAIRS and open_at and open_at[-1][0] == _PAIRS[char]:
            _, opened = open_at.pop()
            if at >= start and opened < start:
                return False
    return True
