"""Splits a leading `<think>…</think>` off a text that comes in pieces.

Open models served without a reasoning parser write their reasoning into the text. Only a tag at the
very start counts, so that an answer about tags stays whole; tags inside nest; white space inside a
tag is allowed. A piece that may be the beginning of a tag is held back until that is known.
"""

import re

from providers.types import ReasoningDelta, StreamToken, TextDelta

# Possessive: a run of spaces chosen by a service takes one step each.
_TAG = re.compile(r"<\s*+(/?)\s*+think\s*+>")
_PREFIX = re.compile(r"<\s*(?:/\s*)?(?:t(?:h(?:i(?:n(?:k\s*)?)?)?)?)?\Z")
_LONGEST = 64  # characters that are held back at most; a tag with its spaces is shorter


class ThinkTags:
    """For one answer. Feed it the text in order, then `end`."""

    __slots__ = ("_depth", "_held", "_state")

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""
        self._depth = 0

    @property
    def settled(self) -> bool:
        """Whether everything that follows is text."""
        return self._state == "text"

    def feed(self, text: str, out: list[StreamToken]) -> None:
        """Append what `text` adds, as text or as reasoning."""
        if self._state == "start":
            text = self._begin(self._held + text)
        if self._state == "reasoning" and text:
            text = self._reason(self._held + text, out)
        if self._state == "text" and text:
            out.append(TextDelta(text))

    def end(self, out: list[StreamToken]) -> None:
        """Append what was held back for a tag that did not come."""
        held, self._held = self._held, ""
        if held:
            out.append(TextDelta(held) if self._state == "start" else ReasoningDelta(held))

    def _begin(self, text: str) -> str:
        self._held = ""
        match = _TAG.match(text)
        if match:
            # A closing tag alone: the opening one was part of the prompt's template.
            self._state = "text" if match.group(1) else "reasoning"
            return text[match.end() :]
        if _may_be_tag(text):
            self._held = text
            return ""
        self._state = "text"
        return text

    def _reason(self, text: str, out: list[StreamToken]) -> str:
        self._held = ""
        position = 0
        for match in _TAG.finditer(text):
            if not match.group(1):
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            else:
                if match.start() > 0:
                    out.append(ReasoningDelta(text[: match.start()]))
                self._state = "text"
                return text[match.end() :]
            position = match.end()
        start = text.rfind("<", position)
        if start >= 0 and _may_be_tag(text[start:]):
            self._held = text[start:]
            text = text[:start]
        if text:
            out.append(ReasoningDelta(text))
        return ""


def _may_be_tag(text: str) -> bool:
    """Whether `text` can go on to become a tag."""
    return len(text) <= _LONGEST and _PREFIX.match(text) is not None
