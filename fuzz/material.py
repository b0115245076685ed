"""From a fuzzer's bytes to inputs: choices, cuts, and JSON that is nearly right.

Everything is a function of the bytes alone, so that a found case fails the same way for ever, also
where atheris is not installed.
"""

import contextlib
import copy
import itertools
import json  # noqa: TID251 - msgspec cannot write the lone surrogates that are wanted here
import random
from collections.abc import Iterable, Sequence
from typing import Any

MOST_EDITS = 12
"""Edits of one input: with more nothing is left of the seed that the reader could follow."""


class Cursor:
    """Choices made by the bytes in order; past their end every choice is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        value = self.byte()
        if count > 256:
            value = value << 8 | self.byte()
        return value % count if count else 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.below(len(choices))]

    def rest(self) -> bytes:
        data, self._at = self._data[self._at :], len(self._data)
        return data


def cut(data: bytes, how: int) -> list[bytes]:
    """Return `data` in pieces: 0 whole, 1 byte by byte, else at places that `how` decides."""
    if how == 0 or not data:
        return [data]
    if how == 1:
        return [data[i : i + 1] for i in range(len(data))]
    chance = random.Random(how)
    marks = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(how % 24))})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


# --- JSON that is nearly right ----------------------------------------------------------------

_HALVES = ("\ud83d", "\ude00", "a\ud83d", "\ude00b", "\udfff\ud800", "\ud83d\ude00")
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 255, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**40),
    *(0.5, -0.5, 1e308, -1e308, 1e-320),
    *("", " ", "a", "0", "\0", "\x1b]0;x\x07", "\u2028", "🙂é", "\ufeff", *_HALVES),
    *('{"a":1}', '{"a":', "[]", "null", "<think>", "</think>", "<thi", "data:", "[DONE]"),
    *("stop", "error", "text", "http://h/\x9b", "AAAA", "not base64", "x" * 300),
    *([], [None], [[]], [{}], {}, {"": {}}, {"type": "error"}, {"error": {"message": "m"}}),
    *({"message": "m"}, {"text": "t"}, [{"text": "t"}], {"a": {"b": [1, 2.5, "c"]}}),
)


def nested(depth: int) -> Any:
    """Return a list in a list, `depth` of them."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def words_of(values: Iterable[Any]) -> list[str]:
    """Return every key and string in `values`: what the format is spoken in."""
    found: dict[str, None] = {}
    todo = list(values)
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            found |= dict.fromkeys(value)
            todo += value.values()
        elif isinstance(value, list):
            todo += value
        elif isinstance(value, str):
            found[value] = None
    return sorted(found)


def edited(documents: list[Any], cursor: Cursor, words: Sequence[str]) -> list[Any]:
    """Return a copy of `documents` with a few edits that the cursor chooses."""
    holder = [copy.deepcopy(documents)]
    for _ in range(MOST_EDITS):
        if not cursor.left:
            break
        with contextlib.suppress(RecursionError):  # what is nested has been nested again
            _edit(holder, cursor, words)
    return holder[0] if isinstance(holder[0], list) else [holder[0]]


def _edit(holder: list[Any], cursor: Cursor, words: Sequence[str]) -> None:
    places = _places(holder)
    where, key = places[cursor.below(len(places))]
    match cursor.below(8):
        case 0 | 1:
            where[key] = copy.deepcopy(cursor.pick(_VALUES))
        case 2:
            where[key] = cursor.pick(words) if words else ""
        case 3:
            if where is not holder:
                del where[key]
        case 4:
            other, name = places[cursor.below(len(places))]
            where[key] = copy.deepcopy(other[name])
        case 5:
            if isinstance(where, list) and where is not holder:
                where.insert(key, copy.deepcopy(where[key]))
            elif isinstance(where, dict):
                where[cursor.pick(words) if words else "x"] = copy.deepcopy(where[key])
        case 6:
            if isinstance(where[key], str):
                at = cursor.below(len(where[key]) + 1)
                where[key] = where[key][:at] + cursor.pick(_HALVES) + where[key][at:]
            else:
                where[key] = [where[key]]
        case _:
            where[key] = nested(cursor.pick((3, 60, 150)))


def _places(holder: list[Any]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo: list[Any] = [holder]
    while todo and len(found) < 2000:
        value = todo.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            if isinstance(value[key], dict | list):
                todo.append(value[key])
    return found


def text_of(value: Any, how: int = 0) -> bytes:
    """Return `value` as JSON; with an odd `how` in UTF-8 instead of escapes.

    A lone surrogate is an escape in either: encoded it would be no UTF-8. What is nested deeper
    than the encoder goes is `[]`.
    """
    try:
        if how % 2 == 1:
            with contextlib.suppress(UnicodeEncodeError):
                return json.dumps(value, ensure_ascii=False).encode()
        return json.dumps(value).encode()
    except RecursionError:
        return b"[]"
