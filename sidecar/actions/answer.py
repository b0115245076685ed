"""From what a model said to the text that goes into the document, or to `Unusable`. Pure.

Models wrap code in fences, talk before and after it, lose its indentation, repeat the marks of the
prompt, or say something else altogether. What cannot be told apart with some certainty is refused:
no edit is better than a broken one. `tests/actions/golden` has a case for each.
"""

import re
from typing import NamedTuple

from sidecar.actions.indent import common_indent, fitted, indent_of
from sidecar.actions.region import Region, plain

PROSE = frozenset({"markdown", "plaintext", "text", "latex", "tex", "asciidoc", "restructuredtext"})
"""Languages in which an answer may be sentences."""

BEGIN, END = "<selection>", "</selection>"
"""Around the region in the prompt; many a model says them again."""


class Unusable(Exception):
    """The answer is no text for the document. Its text says why, for the user."""


class _Block(NamedTuple):
    text: str
    start: int  # the first and the last line of it, fences included
    end: int


_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}(?!~))([^`\n]*)$")
_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL)
_MARKS = re.compile(r"^[ \t]*</?selection>[ \t]*\n|</?selection>", re.MULTILINE)
_SPECIAL = re.compile(r"<\|(?:endoftext|end_of_text|eot_id|im_start|im_end)\|>|</s>")
_REFUSAL = re.compile(
    r"(?:i(?:'|’)?m (?:very |so )?sorry|sorry\b|unfortunately|as an ai\b"
    r"|i (?:cannot|can(?:'|’)?t|could not|am (?:un|not )able|won(?:'|’)?t)"
    r"|i do(?: not|n(?:'|’)t) (?:see|have|understand))",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|yes|here(?:'|’)?s|here (?:is|are)|this is|below is"
    r"|the (?:following|updated|fixed|new|rewritten|corrected|documented|replacement)"
    r"|i(?:'|’)ve|i have|updated|fixed|output|answer|replacement)\b[^\n]*[:.!]\s*\Z",
    re.IGNORECASE,
)


def code(said: str, region: Region, language: str) -> str:
    """Return the text for the region's place, indented as it must be. Raises `Unusable`.

    "" only where the model gave an empty piece of code: what is there is to be taken away.
    """
    text = _bare(said, language, echoed=region.text)
    if not region.whole:
        return _within_line(text, region)
    text = _trimmed(text)
    if not text.strip():
        return ""
    around = region.text if region.text.strip() else _near(region)
    return fitted(text, _wanted_indent(region), around)


def lines(said: str, language: str) -> str:
    """Return code that goes to a place of its own (a new file), as it is. Raises `Unusable`."""
    text = _trimmed(_bare(said, language, echoed=""))
    if not text.strip():
        raise Unusable("the model answered with no code")
    return text


def prose(said: str) -> str:
    """Return an explanation in words, without what a model puts around it. Raises `Unusable`."""
    text = _without_marks(said)
    blocks = _blocks(text)
    if len(blocks) == 1 and (blocks[0].start == 0 or len(blocks[0].text) * 2 > len(text)):
        text = blocks[0].text
    text = _trimmed(text).strip()
    first, _, rest = text.partition("\n")
    if rest.strip() and _PREAMBLE.match(first) and first.rstrip().endswith(":"):
        text = rest.strip()
    if not text:
        raise Unusable("the model answered with nothing")
    return text


def _without_marks(said: str) -> str:
    text = said.replace("\r\n", "\n").replace("\r", "\n")
    text = _THOUGHT.sub("", text)
    found = _SPECIAL.search(text)
    return text[: found.start()] if found else text


def _bare(said: str, language: str, *, echoed: str) -> str:
    """Return what is code in an answer."""
    text = _without_marks(said)
    if not text.strip():
        raise Unusable("the model answered with nothing")
    blocks = _blocks(text)
    wholly = len(blocks) == 1 and blocks[0].start == 0
    if blocks and (wholly or "```" not in echoed or language not in PROSE):
        inner = _chosen(blocks)
    else:
        inner = _unfenced(text, language)
    return inner if _MARKS.search(echoed) else _MARKS.sub("", inner)


def _blocks(text: str) -> list[_Block]:
    """Return the fenced pieces. One that is not closed goes to the end.

    Where the answer begins with a fence and ends with one, a document with fences of its own may
    lie between: then that is the one piece, if the inner ones pair up.
    """
    rows = text.strip("\n").split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    if (whole := _one_block(rows)) is not None:
        return [whole]
    found: list[_Block] = []
    opened, mark = -1, ""
    for at, row in enumerate(rows):
        fence = _FENCE.match(row)
        if fence is None:
            continue
        if opened < 0:
            opened, mark = at, fence[1]
        elif fence[1].startswith(mark) and not fence[2].strip():
            found.append(_Block("\n".join(rows[opened + 1 : at]), opened, at))
            opened = -1
    if opened >= 0:
        found.append(_Block("\n".join(rows[opened + 1 :]), opened, len(rows) - 1))
    return found


def _one_block(rows: list[str]) -> _Block | None:
    fences = [(at, found) for at, row in enumerate(rows) if (found := _FENCE.match(row))]
    if len(fences) < 4 or len(fences) % 2 or fences[0][0] != 0 or fences[-1][0] != len(rows) - 1:
        return None
    inner = fences[1:-1]
    opens_again = inner[0][1][2].strip() != ""  # an inner fence with a language: it opens
    if not opens_again or fences[-1][1][2].strip():
        return None
    return _Block("\n".join(rows[1:-1]), 0, len(rows) - 1)


def _chosen(blocks: list[_Block]) -> str:
    """Return the piece that is meant: the only one, or one much longer than every other."""
    by_size = sorted(blocks, key=lambda block: len(block.text))
    if len(blocks) > 1 and len(by_size[-1].text) < 2 * len(by_size[-2].text):
        raise Unusable("the model answered with several pieces of code, and none is clearly meant")
    return by_size[-1].text


def _unfenced(text: str, language: str) -> str:
    """Return an answer without fences: code as it is, a sentence before it taken away."""
    if language in PROSE:
        return text
    rows = text.strip("\n").split("\n")
    first = rows[0].strip()
    if _REFUSAL.match(first):
        raise Unusable(f"the model answered: {_shortened(text)}")
    if len(rows) > 1 and _PREAMBLE.match(first):
        rows = rows[1:]
    if _is_prose(rows):
        raise Unusable(f"the model answered in words, not in code: {_shortened(text)}")
    return "\n".join(rows)


_SENTENCE = re.compile(r"[^\W\d_][\w'’,;:()\"-]*(?: [\w'’,;:()\"`./-]+){4,}[.!?:]?")
_CODE = re.compile(r"[={}\[\]<>]|;\s*$|\w\(|^\s*(?:#|//|--|/\*|\*|\"\"\"|''')")


def _is_prose(rows: list[str]) -> bool:
    """Say whether most lines are sentences and hardly one is code."""
    told = [row.strip() for row in rows if row.strip()]
    sentences = sum(
        len(row) < 1000 and bool(_SENTENCE.fullmatch(row)) and not _CODE.search(row) for row in told
    )
    return bool(told) and sentences * 2 > len(told)


def _within_line(text: str, region: Region) -> str:
    """Return text for a part of a line: what stands around it is not said again."""
    text = text.strip("\n")
    if "\n" not in region.text and "\n" in text.strip():
        raise Unusable("the model answered with several lines for a part of one")
    if "\n" not in text:
        text = text.strip()
    head, tail = region.head.lstrip(), region.tail.rstrip()
    if (len(head.strip()) > 2 or len(tail.strip()) > 2) and len(text) >= len(head) + len(tail):
        whole = text.lstrip()
        if whole.startswith(head) and whole.endswith(tail):
            text = whole[len(head) : len(whole) - len(tail)]
    return text


def _trimmed(text: str) -> str:
    """Take empty lines at both ends away, and nothing of a line's indentation."""
    rows = text.split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    while rows and not rows[0].strip():
        rows.pop(0)
    return "\n".join(rows)


def _wanted_indent(region: Region) -> str:
    """Return the region's indentation; an empty line's own, else the lesser of its neighbours'."""
    if region.text.strip():
        return common_indent(region.text)
    if own := region.text.rpartition("\n")[2]:
        return own
    above = plain(region.source[: region.start]).rstrip().rpartition("\n")[2]
    below = plain(region.source[region.end :]).lstrip("\n").partition("\n")[0]
    return min(indent_of(above), indent_of(below), key=len)


def _near(region: Region) -> str:
    """Return lines around an empty place, for its tabs or spaces."""
    return plain(region.source[max(0, region.start - 2000) : region.end + 2000])


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line[:120]}{'…' if len(line) > 120 else ''}”"
