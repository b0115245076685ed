"""What is taken off an answer before it is shown. Pure: text in, text out, each filter on its own.

Every filter takes the answer and the context it was made for, and returns what is left; "" shows
nothing. They are applied in the order of `FILTERS`: first what is no code at all, then what is
there already, last the form. `tests/inline/golden` has a folder of cases for each.
"""

import re
from collections.abc import Callable
from itertools import accumulate, islice

from sidecar.inline.brackets import closing_brackets
from sidecar.inline.context import Context
from sidecar.inline.indentation import indentation
from sidecar.inline.prompt import CURSOR, is_within_line

Filter = Callable[[str, Context], str]

_TELLING = 3
"""Letters and digits that a line must have for its repetition to mean anything: `}` and `end` are
repeated in all code."""

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,}(?!~))[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_OPEN_FENCE = re.compile(r"\n[ \t]*```[ \t]*\Z")
_SPECIAL = re.compile(
    r"<\|(?:endoftext|end_of_text|eot_id|im_start|im_end|fim_\w+|file_sep|repo_name|cursor)\|>"
    r"|<(?:fim_prefix|fim_suffix|fim_middle|fim_pad|file_sep|EOT)>"
    r"|<｜[^｜\n]{1,40}｜>|</s>|\[(?:PREFIX|SUFFIX|MIDDLE)\]"
)
"""Marks by which models tell prompts apart; they are no part of any text that is written."""


def apply(text: str, context: Context) -> str:
    """Return what of an answer is to be shown, "" if nothing is."""
    text = text.replace("\r\n", "\n")
    for each in FILTERS.values():
        text = each(text, context)
        if not text.strip():
            return ""
    return text


def apply_again(text: str, context: Context) -> str:
    """Return what of a known answer is to be shown where something was typed since.

    Editors close brackets by themselves: what was wanted then may be there now.
    """
    return closing_brackets(text, context)


def special_marks(text: str, context: Context) -> str:
    """End the answer at a mark of the model's own; an echoed cursor mark at its head is skipped."""
    text = text.removeprefix(CURSOR)
    found = _SPECIAL.search(text)
    return text[: found.start()] if found else text


def code_fences(text: str, context: Context) -> str:
    """Take the code out of a fence, and what is said around it away.

    Not where the document itself is one that has fences and one is open.
    """
    if "```" in context.prefix or "```" in context.suffix or "~~~" in context.prefix:
        return text
    found = _FENCE.search(text)
    if found is not None:
        inner = found[2]
        return inner[:-1] if inner.endswith("\n") else inner
    return _OPEN_FENCE.sub("", text)


def echoed_line(text: str, context: Context) -> str:
    """Take away the beginning of the cursor's line, which many a model writes once more."""
    before = context.line_before
    if _telling(before) and text.startswith(before):
        return text[len(before) :]
    stripped, head = before.lstrip(), text.lstrip()
    if _telling(stripped) and head.startswith(stripped):
        return head[len(stripped) :]
    # The space between two words, where the document has it already.
    return text.lstrip(" \t") if stripped[-1:] in (" ", "\t") else text


def within_line(text: str, context: Context) -> str:
    """Keep the first line only, where code follows on the cursor's line."""
    return text.partition("\n")[0] if is_within_line(context) else text


def runaway(text: str, context: Context) -> str:
    """End the answer where it begins to say the same over and over: keep it once."""
    text = _without_run(text)
    lines = text.split("\n")
    for size in range(1, 5):
        for start in range(len(lines) - 3 * size + 1):
            block = lines[start : start + size]
            repeated = all(
                lines[start + n * size : start + (n + 1) * size] == block for n in (1, 2)
            )
            if repeated and _telling("".join(block)):
                return "\n".join(lines[: start + size])
    return text


_RUN = re.compile(r"([^\n]{1,40}?)\1{5,}")


def _without_run(text: str) -> str:
    """Cut within a line: six times the same words. A ruler (`-----`) is not one."""
    for found in _RUN.finditer(text):
        if any(char.isalpha() for char in found[1]):
            return text[: found.end(1)]
    return text


def repeated_above(text: str, context: Context) -> str:
    """Drop lines that say once more what stands right above the cursor."""
    above = [line.strip() for line in context.prefix.split("\n")[:-1] if line.strip()]
    lines = text.split("\n")
    whole = [context.line_before + lines[0], *lines[1:]]
    said = [line.strip() for line in whole if line.strip()]
    if not above or not said:
        return text
    told = list(accumulate(map(_telling_chars, said)))
    for size in range(min(len(above), len(said)), 0, -1):
        if told[size - 1] < _TELLING:
            break
        if above[-size:] == said[:size]:
            return ""
    return text


def repeated_suffix(text: str, context: Context) -> str:
    """Drop from the end what already follows the cursor."""
    after = context.line_after.rstrip()
    if _telling(after):
        at = text.partition("\n")[0].find(after.strip())
        if at >= 0:
            return text[:at]
    below = [line.rstrip() for line in context.suffix.split("\n")[1:]]
    while below and not below[0].strip():
        below.pop(0)
    if not below:
        return text
    lines = text.split("\n")
    said = [line.rstrip() for line in lines]
    while said and not said[-1]:
        said.pop()
    same = _same_from(below, said)
    left = sum(map(_telling_chars, said[1:]))
    for at in range(1, len(said)):
        if left < _TELLING:
            break
        if _begins(below, said[-1], len(said) - at, same[at]):
            return "\n".join(lines[:at]).rstrip("\n")
        left -= _telling_chars(said[at])
    return text


def _begins(below: list[str], last: str, count: int, same: int) -> bool:
    """Say whether `count` lines, of which the first `same` are, are what stands below.

    The last line of them is perhaps cut off.
    """
    if count > len(below):
        # What goes on behind the end of what can be seen repeats it all the same.
        return len(below) > 1 and same == len(below)
    return same == count or (same == count - 1 > 0 and below[same].startswith(last))


def _same_from(wanted: list[str], lines: list[str]) -> list[int]:
    """Return for each line how many from it on are the first ones of `wanted`.

    Each line is compared about twice, however often the beginning comes again (the Z algorithm).
    """
    whole: list[str | None] = [*wanted, None, *lines]
    same = [0] * len(whole)
    left = right = 0
    for at in range(1, len(whole)):
        count = min(right - at, same[at - left]) if at < right else 0
        while at + count < len(whole) and whole[count] == whole[at + count] is not None:
            count += 1
        same[at] = count
        if at + count > right:
            left, right = at, at + count
    return same[len(wanted) + 1 :]


def loose_end(text: str, context: Context) -> str:
    """Drop white space and empty lines at the end, but for a space before what follows."""
    shown = text.rstrip()
    follows = context.line_after[:1]
    if (
        follows
        and not follows.isspace()
        and follows not in ")]}"
        and "\n" not in text[len(shown) :]
    ):
        return text
    return shown


def _telling(text: str) -> bool:
    return _telling_chars(text) >= _TELLING


def _telling_chars(text: str) -> int:
    """Return how many letters and digits there are; no more than matter are counted."""
    return sum(1 for _ in islice(filter(str.isalnum, text), _TELLING))


FILTERS: dict[str, Filter] = {
    "special_marks": special_marks,
    "code_fences": code_fences,
    "echoed_line": echoed_line,
    "within_line": within_line,
    "runaway": runaway,
    "repeated_above": repeated_above,
    "indentation": indentation,
    "repeated_suffix": repeated_suffix,
    "closing_brackets": closing_brackets,
    "loose_end": loose_end,
}
