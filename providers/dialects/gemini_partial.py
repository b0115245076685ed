"""Arguments of a call that come in pieces: JSON paths with values, strings continued.

Only where the request asked for it (`streamFunctionCallArguments`). Source: the Vertex reference,
`FunctionCall.partialArgs`.
"""

import itertools
import re
from typing import cast

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]")
_MOST_ITEMS = 10_000
"""An index past this is no list that a model writes; refusing it bounds the memory."""


class PartialCall:
    """The arguments of the call at `index`, as far as they came."""

    __slots__ = ("arguments", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.arguments: dict[str, object] = {}

    def add(self, pieces: list[dict[str, object]]) -> None:
        """Take pieces in. What cannot be placed is passed over."""
        for piece in pieces:
            path = piece.get("jsonPath")
            if not isinstance(path, str):
                continue
            steps: list[str | int] = [
                int(index) if index else name or quoted
                for name, index, quoted in _STEP.findall(path.removeprefix("$"))
            ]
            if steps and not any(isinstance(s, int) and s > _MOST_ITEMS for s in steps):
                self._put(steps, piece)

    def _put(self, steps: list[str | int], piece: dict[str, object]) -> None:
        place: object = self.arguments
        for step, following in itertools.pairwise(steps):
            place = _inside(place, step, [] if isinstance(following, int) else {})
        last = steps[-1]
        text = piece.get("stringValue")
        if isinstance(text, str):
            before = _inside(place, last, "")
            _set(place, last, before + text if isinstance(before, str) else text)
            return
        for kind in ("numberValue", "boolValue"):
            if kind in piece:
                _set(place, last, piece[kind])
                return
        if "nullValue" in piece:
            _set(place, last, None)


def _inside(place: object, step: str | int, absent: object) -> object:
    """Return what is at `step` of `place`, put there if nothing is."""
    if isinstance(place, dict) and isinstance(step, str):
        table = cast("dict[str, object]", place)
        return table.setdefault(step, absent)
    if isinstance(place, list) and isinstance(step, int):
        items = cast("list[object]", place)
        items.extend([None] * (step + 1 - len(items)))
        if items[step] is None:
            items[step] = absent
        return items[step]
    return absent


def _set(place: object, step: str | int, value: object) -> None:
    if isinstance(place, dict) and isinstance(step, str):
        cast("dict[str, object]", place)[step] = value
    elif isinstance(place, list) and isinstance(step, int):
        items = cast("list[object]", place)
        items.extend([None] * (step + 1 - len(items)))
        items[step] = value
